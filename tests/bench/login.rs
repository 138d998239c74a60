//! What a stopwatch learns at the two pages that ask people who they are: whether an address is known must not be seen by how
//! long its answer takes.

use crate::{
    http::Http,
    load::Times,
    places::{Place, digits},
    processes::Gatehouse,
    scenarios,
    sign_in::{Provider, authorize},
};
use domain::names::Slug;
use gateway::{
    clock::Clock,
    setup::{
        self,
        directory::{TokenSpec, create_token, set_provisioning},
    },
};
use harness::{
    gateway_process::{Gateway, unique},
    sign_in::parameter,
};
use serde_json::{Value, json};
use std::{collections::BTreeSet, time::Instant};
use url::form_urlencoded;

/// Addresses of each kind that are posted to the login page, and to the form for passwords. There a name may be tried five
/// times.
const ADDRESSES: u64 = 500;
const PEOPLE: u64 = 100;
const TRIES: u64 = 3;

/// Two kinds of addresses at one page.
struct Compared {
    what: &'static str,
    count: usize,
    /// Medians in milliseconds.
    known: f64,
    unknown: f64,
    /// What both were answered with.
    statuses: [BTreeSet<u16>; 2],
}

/// Posts to both pages, prints a table, and tells the same as JSON. The gateway has to believe one proxy, because passwords are
/// tried from many addresses here.
pub async fn measure(desk: &Gateway, place: &Place, ours: &Provider, gatehouse: &Gatehouse) -> Value {
    let address =
        |name: &str, domain: &str| (1..=ADDRESSES).map(|n| format!("{name}.{}@{domain}", digits(n))).collect();
    let (people, nobody): (Vec<_>, Vec<_>) = (address("user", &place.domain), address("nobody", &place.domain));
    let foreign: Vec<_> = address("user", &format!("{}.test", unique("foreign")));
    let asked = authorize("", (&ours.client_id, &ours.redirect_uri), "openid", &[]);
    let asked = asked.trim_start_matches('?');
    let passwords = Passwords::new(desk, gatehouse).await;
    let all = [
        addresses(gatehouse.port, "login: a user, and nobody of the same domain", asked, &people, &nobody),
        addresses(gatehouse.port, "login: a user, and a domain that leads nowhere", asked, &people, &foreign),
        passwords.compared(),
    ];
    println!(
        "\n| page | posts of each | known ms | unknown ms | difference ms | answered |\n|---|---:|---:|---:|---:|---|"
    );
    let told = all.iter().map(Compared::told);
    told.collect()
}

/// Posts the addresses of both lists to the login page, in turn, with what an application asked.
fn addresses(port: u16, what: &'static str, asked: &str, known: &[String], unknown: &[String]) -> Compared {
    let request = |email: &str, _| post(port, "/login", "", &[("asked", asked), ("email", email)]);
    let compared = compare(port, (what, ""), known, unknown, request);
    assert_eq!(compared.statuses[0], BTreeSet::from([303]), "{what}: users are led on");
    compared
}

/// Users with a password, in a connection that has no identity provider to ask.
struct Passwords {
    place: Place,
    /// Of a browser whose sign-in waits for a password.
    cookie: String,
    request: String,
}

impl Passwords {
    async fn new(desk: &Gateway, gatehouse: &Gatehouse) -> Self {
        let (store, now) = (&desk.app.store, Clock::System.now());
        let slug = unique("sesame");
        let domain = format!("{slug}.test");
        let name = Slug::parse(&slug).unwrap();
        let tenant = setup::create_tenant(store, now, &name, "Sesame", std::slice::from_ref(&domain)).await.unwrap();
        let application = desk.application.client_id.parse().unwrap();
        let vault = &desk.app.vault;
        let connection = setup::create_connection(store, now, vault, tenant, application, "Passwords").await.unwrap();
        set_provisioning(store, now, connection, |settings| settings.password_sync = true).await.unwrap();
        let (_, token) = create_token(store, now, connection, TokenSpec::default()).await.unwrap();
        let place = Place {
            size: PEOPLE,
            port: gatehouse.port,
            tenant: tenant.0,
            connection: connection.0,
            token: token.reveal().to_owned(),
            constants: Vec::new(),
            domain,
            small: Vec::new(),
            large: Vec::new(),
        };
        for number in 1..=PEOPLE {
            place.ask(201, |request| scenarios::create(&place, &digits(number), request));
        }
        let client = (desk.application.client_id.as_str(), desk.application.redirect_uri.as_str());
        let target = authorize("/oauth2/authorize", client, "openid", &[("tenant", &slug)]);
        let mut http = Http::connect(place.port);
        let request = format!("GET {target} HTTP/1.1\r\nhost: localhost:{}\r\n\r\n", place.port);
        assert_eq!(http.exchange(request.as_bytes()), 303, "{}", http.text());
        let cookie = http.header("set-cookie").and_then(|cookie| cookie.split(';').next()).unwrap().to_owned();
        let request = parameter(http.header("location").unwrap(), "request").expect("a password is asked for");
        Self { place, cookie, request }
    }

    /// A wrong password of each user, and one of nobody, in turn.
    fn compared(&self) -> Compared {
        let Self { place, cookie, request } = self;
        let names = |name: &str| -> Vec<String> {
            let once = |_| (1..=PEOPLE).map(|number| format!("{name}.{}@{}", digits(number), place.domain));
            (0..TRIES).flat_map(once).collect()
        };
        let (target, what) =
            (format!("/c/{}/password", place.connection), "password: a wrong one of a user, and of nobody");
        // Or some were put off, and not compared.
        let says = "do not belong together";
        compare(place.port, (what, says), &names("user"), &names("nobody"), |email, number| {
            // One address may try few passwords, whoever is meant.
            let [_, b, c, d] = u32::try_from(number).unwrap().to_be_bytes();
            let headers = format!("cookie: {cookie}\r\nx-forwarded-for: 10.{b}.{c}.{d}\r\n");
            let fields = [("request", request.as_str()), ("email", email), ("password", "a wrong password")];
            post(place.port, &target, &headers, &fields)
        })
    }
}

/// Sends a request for each address of both lists, one after the other; which kind is first changes each time.
fn compare(
    port: u16,
    (what, says): (&'static str, &str),
    known: &[String],
    unknown: &[String],
    request: impl Fn(&str, usize) -> Vec<u8>,
) -> Compared {
    let mut http = Http::connect(port);
    let (mut times, mut statuses) = ([Vec::new(), Vec::new()], [BTreeSet::new(), BTreeSet::new()]);
    for (number, both) in known.iter().zip(unknown).enumerate() {
        for turn in 0..2 {
            let kind = (number + turn) % 2;
            let request = request([both.0, both.1][kind], 2 * number + turn);
            let sent = Instant::now();
            let status = http.exchange(&request);
            times[kind].push(sent.elapsed().as_secs_f64() * 1e3);
            assert!(status < 400 && http.says(says), "{what}: {}", http.text());
            statuses[kind].insert(status);
        }
    }
    let count = times[0].len();
    let [known, unknown] = times.map(|times| Times::of(times).p50);
    assert!((known - unknown).abs() < 10.0, "{what}: {known} ms and {unknown} ms can be told apart");
    Compared { what, count, known, unknown, statuses }
}

/// A form as a browser posts it from a page of ours.
fn post(port: u16, target: &str, headers: &str, fields: &[(&str, &str)]) -> Vec<u8> {
    let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let length = form.len();
    format!(
        "POST {target} HTTP/1.1\r\nhost: localhost:{port}\r\nsec-fetch-site: same-origin\r\n{headers}content-type: \
         application/x-www-form-urlencoded\r\ncontent-length: {length}\r\n\r\n{form}"
    )
    .into_bytes()
}

impl Compared {
    /// Prints the line of the table.
    fn told(&self) -> Value {
        let Self { what, count, known, unknown, statuses: [of_known, of_unknown] } = self;
        let difference = known - unknown;
        println!("| {what} | {count} | {known:.3} | {unknown:.3} | {difference:+.3} | {of_known:?}, {of_unknown:?} |");
        json!({ "what": what, "posts": count, "known_ms": known, "unknown_ms": unknown, "difference_ms": difference })
    }
}

//! Metadata given by address, certificates that end, and certificates that nobody announced.

use super::with_ann;
use crate::{cli::Operator, scim::assert_says};
use axum::{
    Router,
    body::Body,
    extract::State,
    http::{HeaderMap, StatusCode as Status, header},
    response::{IntoResponse, Response},
    routing::get,
};
use gateway::{
    clock::Clock,
    config::Outbound,
    outbound::{FetchError, Version, fetch},
    setup::idp::{self, Found},
    watch::{self, Asked, Place},
};
use harness::{
    customer::{Customer, superuser},
    gateway_process::{Gateway, unique},
};
use saml::idp::IdentityProvider;
use serde_json::{Value, json};
use simulator::{directory::DirectoryUser, idp::keys::IdpKey};
use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
};
use store::watches;
use time::{Duration, OffsetDateTime};
use tokio::{net::TcpListener, task::JoinHandle};

/// What the server of an identity provider does when it is asked.
#[derive(Clone)]
enum Behaviour {
    Document(String),
    Status(Status),
    RedirectTo(String),
    Endless,
    Silent,
    Bytes(Vec<u8>),
}

/// A server with a document, which writes down who asked.
struct Server {
    address: String,
    shared: Shared,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

type Shared = Arc<Mutex<(Behaviour, Vec<HeaderMap>)>>;

async fn answer(State(shared): State<Shared>, headers: HeaderMap) -> Response {
    let behaviour = {
        let mut shared = shared.lock().unwrap();
        shared.1.push(headers.clone());
        shared.0.clone()
    };
    match behaviour {
        Behaviour::Document(text) => {
            let etag = format!("\"{}\"", text.len());
            if headers.get(header::IF_NONE_MATCH).is_some_and(|known| known == etag.as_str()) {
                return Status::NOT_MODIFIED.into_response();
            }
            ([(header::ETAG, etag), (header::LAST_MODIFIED, "Mon, 23 Nov 2026 03:00:00 GMT".to_owned())], text)
                .into_response()
        }
        Behaviour::Status(status) => status.into_response(),
        Behaviour::RedirectTo(address) => (Status::FOUND, [(header::LOCATION, address)]).into_response(),
        Behaviour::Endless => {
            let chunks = futures_util::stream::repeat_with(|| Ok::<_, Infallible>(vec![b'<'; 65_536]));
            Body::from_stream(chunks).into_response()
        }
        Behaviour::Silent => std::future::pending().await,
        Behaviour::Bytes(bytes) => bytes.into_response(),
    }
}

impl Server {
    async fn start(behaviour: Behaviour) -> Self {
        let shared = Arc::new(Mutex::new((behaviour, Vec::new())));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://127.0.0.1:{}/metadata", listener.local_addr().unwrap().port());
        let router = Router::new().route("/metadata", get(answer)).with_state(Arc::clone(&shared));
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, shared, task }
    }

    fn now_does(&self, behaviour: Behaviour) {
        self.shared.lock().unwrap().0 = behaviour;
    }

    /// The requests that came since the last look.
    fn asked(&self) -> Vec<HeaderMap> {
        std::mem::take(&mut self.shared.lock().unwrap().1)
    }
}

fn limits(networks: &[&str]) -> Outbound {
    let private_networks = networks.iter().map(|network| network.parse().unwrap()).collect();
    Outbound { private_networks, refused_networks: Vec::new(), timeout: std::time::Duration::from_secs(1) }
}

const LOOPBACK: [&str; 2] = ["127.0.0.0/8", "::1/128"];

/// A customer whose gateway may ask servers on this machine, with Ann.
async fn with_server() -> (Customer, DirectoryUser, Server) {
    with_server_at(Clock::manual()).await
}

async fn with_server_at(clock: Clock) -> (Customer, DirectoryUser, Server) {
    let gateway = Gateway::start_with(clock, |config| config.outbound = limits(&LOOPBACK)).await;
    let (acme, ann) = with_ann(Customer::of(&gateway).await).await;
    let server = Server::start(Behaviour::Document(acme.idp.metadata())).await;
    follow(&acme, &server).await;
    server.asked();
    (acme, ann, server)
}

/// What `gatehouse connection idp --metadata-url` does.
async fn follow(acme: &Customer, server: &Server) {
    let (app, now) = (&acme.gateway.app, acme.gateway.clock.now());
    let found = idp::fetch(&server.address, &Version::default(), &app.config.outbound, now).await.unwrap();
    let Found::Other(metadata) = found else { panic!("nothing came") };
    idp::follow(&app.store, now, acme.connection, &server.address, *metadata).await.unwrap();
}

async fn look(acme: &Customer) -> Option<String> {
    look_and(acme, Asked::Daily).await
}

async fn look_and(acme: &Customer, asked: Asked) -> Option<String> {
    let (app, connection) = (&acme.gateway.app, acme.connection);
    let place = Place { store: &app.store, limits: &app.config.outbound, tenant: acme.tenant, connection };
    watch::look(&place, acme.gateway.clock.now(), &asked).await.unwrap()
}

/// Whether somebody looks again at that moment, as far as a database knows it.
async fn is_due_at(acme: &Customer, moment: OffsetDateTime) -> bool {
    let query = "SELECT due_at FROM watches WHERE connection_id = $1";
    let due_at: OffsetDateTime =
        sqlx::query_scalar(query).bind(acme.connection.0).fetch_one(&mut superuser().await).await.unwrap();
    (due_at - moment).abs() <= Duration::MICROSECOND
}

/// What was told of the identity provider's certificates.
async fn told(acme: &Customer, kind: &str) -> Vec<Value> {
    let data = acme.events(kind).await.into_iter().map(|event| event["data"].clone());
    data.filter(|data| data["whose"] == "identity provider").collect()
}

async fn fingerprints(acme: &Customer) -> Vec<String> {
    let app = &acme.gateway.app;
    let mut tx = app.tenant(acme.tenant, store::scope::Actor::Operator, acme.gateway.clock.now()).await.unwrap();
    let stored = store::connections::by_id(&mut tx, acme.connection).await.unwrap().unwrap();
    tx.rollback().await.unwrap();
    let provider = gateway::saml::idp::of(&stored).unwrap();
    provider.certificates.iter().map(|certificate| certificate.fingerprint().to_owned()).collect()
}

/// The metadata with this key's certificate beside or instead of the identity provider's own.
fn with_key(acme: &Customer, key: &IdpKey, beside: bool) -> String {
    let (metadata, own) = (acme.idp.metadata(), acme.idp.key().certificate_base64());
    assert!(metadata.contains(&own));
    if !beside {
        return metadata.replace(&own, &key.certificate_base64());
    }
    let (start, end) = ("<md:KeyDescriptor", "</md:KeyDescriptor>");
    let from = metadata.find(start).unwrap();
    let to = metadata.find(end).unwrap() + end.len();
    let second = metadata[from..to].replace(&own, &key.certificate_base64());
    format!("{}{second}{}", &metadata[..to], &metadata[to..])
}

#[tokio::test]
async fn a_certificate_that_the_metadata_announce_is_trusted_without_anybody_doing_a_thing() {
    let (acme, ann, server) = with_server().await;
    let old = fingerprints(&acme).await;
    let next = IdpKey::generate(acme.gateway.clock.now()).unwrap();
    server.now_does(Behaviour::Document(with_key(&acme, &next, true)));
    assert_eq!(look(&acme).await, None);
    let both = fingerprints(&acme).await;
    assert_eq!((both.len(), &both[0]), (2, &old[0]));
    let waiting = acme.waiting(&ann).await;
    waiting.gets_in(&waiting.honest().encode(&next).unwrap()).await;
    let waiting = acme.waiting(&ann).await;
    waiting.gets_in(&waiting.signed(&waiting.honest())).await;

    server.now_does(Behaviour::Document(with_key(&acme, &next, false)));
    assert_eq!(look(&acme).await, None);
    assert_eq!(fingerprints(&acme).await, both[1..]);
    let waiting = acme.waiting(&ann).await;
    waiting.is_refused(&waiting.signed(&waiting.honest()), "GH-SAML-505").await;
    waiting.gets_in(&waiting.honest().encode(&next).unwrap()).await;
    let rotated: Vec<Value> =
        acme.events("connection.certificate.rotated").await.into_iter().map(|event| event["data"].clone()).collect();
    let expected = [json!({ "added": [both[1]], "removed": [] }), json!({ "added": [], "removed": [old[0]] })];
    assert_eq!(rotated, expected);
    assert_eq!(acme.events("connection.certificate.rotated").await[0]["actor"], "gateway");
}

#[tokio::test]
async fn what_did_not_change_is_not_sent_again() {
    let (acme, _, server) = with_server().await;
    let before = acme.events("connection.updated").await.len();
    assert_eq!(look(&acme).await, None);
    let asked = server.asked();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0]["if-none-match"], format!("\"{}\"", acme.idp.metadata().len()));
    assert_eq!(asked[0]["if-modified-since"], "Mon, 23 Nov 2026 03:00:00 GMT");
    assert!(asked[0]["user-agent"].to_str().unwrap().starts_with("Gatehouse/"));
    assert!(is_due_at(&acme, acme.gateway.clock.now() + Duration::DAY).await);
    assert_eq!(acme.events("connection.updated").await.len(), before);
    // Given by hand, it is not followed any more.
    let provider = IdentityProvider::from_metadata(&acme.idp.metadata()).unwrap();
    gateway::setup::idp::set(&acme.gateway.app.store, acme.gateway.clock.now(), acme.connection, &provider)
        .await
        .unwrap();
    assert_eq!(look(&acme).await, None);
    assert_eq!(server.asked().len(), 0);
}

#[tokio::test]
async fn another_issuer_is_shown_and_not_taken_until_somebody_says_so() {
    let (acme, ann, server) = with_server().await;
    let (issuer, other) = (acme.idp.entity_id(), "https://evil.test/metadata");
    server.now_does(Behaviour::Document(
        acme.idp.metadata().replace(&format!("entityID=\"{issuer}\""), &format!("entityID=\"{other}\"")),
    ));
    let problem = look(&acme).await.unwrap();
    assert!(problem.contains(&format!("issuer: {issuer} becomes {other}")), "{problem}");
    assert!(
        problem.contains(&format!("gatehouse connection refresh {} --new-issuer ISSUER", acme.connection)),
        "{problem}"
    );
    assert!(is_due_at(&acme, acme.gateway.clock.now() + Duration::HOUR).await);
    let waiting = acme.waiting(&ann).await;
    waiting.gets_in(&waiting.signed(&waiting.honest())).await;
    // It is told once, and fetched whole each time so that it is noticed when it is mended.
    assert_eq!(look(&acme).await.as_deref(), Some(problem.as_str()));
    let told = acme.events("connection.metadata.failed").await;
    assert_eq!(told.len(), 1);
    assert_eq!(told[0]["data"], json!({ "problem": problem }));

    let by_operator = |issuer: &str| Asked::ByOperator { new_issuer: Some(issuer.to_owned()) };
    assert_eq!(
        look_and(&acme, by_operator("https://evil.test")).await.as_deref(),
        Some(problem.as_str()),
        "not that one"
    );
    assert_eq!(look_and(&acme, by_operator(other)).await, None);
    let waiting = acme.waiting(&ann).await;
    waiting.is_refused(&waiting.signed(&waiting.honest()), "GH-SAML-804").await;
    waiting.gets_in(&waiting.signed(&waiting.honest().issuer(other))).await;
    let updated = acme.events("connection.updated").await.pop().unwrap();
    assert_eq!(updated["data"], json!({ "changed": "identity provider", "values": ["issuer"] }));
    assert_eq!(updated["actor"], "operator");
}

#[tokio::test]
async fn metadata_that_cannot_be_used_change_nothing_and_are_told_once() {
    let (acme, ann, server) = with_server().await;
    let ended = acme.idp.metadata().replacen(" entityID=", " validUntil=\"2020-01-01T00:00:00Z\" entityID=", 1);
    let cases = [
        (Behaviour::Status(Status::NOT_FOUND), "the server answered 404 Not Found"),
        (Behaviour::Status(Status::INTERNAL_SERVER_ERROR), "the server answered 500"),
        (Behaviour::Document("<html>sign in</html>".to_owned()), "this is not SAML 2.0 metadata"),
        (Behaviour::Document("<!DOCTYPE x><x/>".to_owned()), "the metadata is not plain XML"),
        (Behaviour::Document(ended), "the metadata was valid until 2020-01-01T00:00:00Z only"),
        (Behaviour::Bytes(vec![0xff, 0xfe, 0x3c, 0]), "the document is not UTF-8"),
        (Behaviour::Endless, "the document is larger than 1 MB"),
        (Behaviour::Silent, "there was no whole answer within 1s"),
        (Behaviour::RedirectTo(server.address.clone()), "the server redirects to another address"),
    ];
    let count = cases.len();
    for (behaviour, expected) in cases {
        server.now_does(behaviour);
        let problem = look(&acme).await.unwrap();
        assert!(problem.starts_with(expected), "{problem}");
        assert_eq!(look(&acme).await, Some(problem));
        assert_eq!(server.asked().len(), 2, "{expected}");
    }
    assert_eq!(acme.events("connection.metadata.failed").await.len(), count);
    let waiting = acme.waiting(&ann).await;
    waiting.gets_in(&waiting.signed(&waiting.honest())).await;
    server.now_does(Behaviour::Document(acme.idp.metadata()));
    assert_eq!(look(&acme).await, None);
    assert!(is_due_at(&acme, acme.gateway.clock.now() + Duration::DAY).await);
}

/// A name or address of this machine, spelled as attackers spell it. The server would answer: without the guard it does.
#[tokio::test]
async fn the_gateway_is_nobodys_hand_in_its_own_network() {
    let server = Server::start(Behaviour::Document("<x/>".to_owned())).await;
    let port = server.address.split(':').nth(2).unwrap().to_owned();
    let known = Version::default();
    let hosts =
        ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "017700000001", "[::ffff:127.0.0.1]", "127.1", "0.0.0.0"];
    for host in hosts {
        for scheme in ["http", "https"] {
            let refused = fetch(&format!("{scheme}://{host}:{port}"), &known, &limits(&[])).await.unwrap_err();
            let as_expected = match scheme {
                "https" => matches!(refused, FetchError::Private),
                _ => matches!(refused, FetchError::NotHttps),
            };
            assert!(as_expected, "{scheme}://{host}: {refused}");
        }
    }
    for address in ["https://169.254.169.254/latest/meta-data/", "https://[fd00:ec2::254]/", "https://10.0.0.1/"] {
        let refused = fetch(address, &known, &limits(&[])).await.unwrap_err();
        assert!(matches!(refused, FetchError::Private), "{address}: {refused}");
    }
    for address in ["http://8.8.8.8/", "ftp://8.8.8.8/", "file:///etc/passwd", "https://ann:secret@8.8.8.8/", "data:,x"]
    {
        let refused = fetch(address, &known, &limits(&LOOPBACK)).await.unwrap_err();
        assert!(matches!(refused, FetchError::NotHttps), "{address}: {refused}");
    }
    let refused = fetch("https://nobody.invalid/", &known, &limits(&LOOPBACK)).await.unwrap_err();
    assert!(matches!(&refused, FetchError::NameUnknown { host, .. } if host == "nobody.invalid"), "{refused}");
    assert_eq!(server.asked().len(), 0, "nothing was connected to");
    fetch(&server.address, &known, &limits(&LOOPBACK)).await.expect("control: where the operator says so");
    assert_eq!(server.asked().len(), 1);

    // An answer cannot send it there either.
    let outside = Server::start(Behaviour::RedirectTo(server.address.clone())).await;
    let refused = fetch(&outside.address, &known, &limits(&LOOPBACK)).await.unwrap_err();
    assert!(matches!(refused, FetchError::Redirected), "{refused}");
    assert_eq!(server.asked().len(), 0);
}

#[tokio::test]
async fn what_is_due_is_looked_at_once_by_however_many_processes() {
    // Long ago, when no other test's connection was due.
    let long_ago = OffsetDateTime::now_utc() - Duration::days(700);
    let (acme, _, server) = with_server_at(Clock::Manual(Arc::new(Mutex::new(long_ago)))).await;
    let rounds =
        [acme.gateway.app.clone(), acme.gateway.app.clone()].map(|app| async move { watch::round(&app).await });
    let [first, second] = rounds;
    let (first, second) = tokio::join!(first, second);
    assert!(first.unwrap() + second.unwrap() >= 1);
    assert_eq!(server.asked().len(), 1);
    // A process that died while it looked: nobody else does at first, and then somebody does.
    acme.gateway.clock.advance(Duration::DAY);
    let app = &acme.gateway.app;
    let mut tx = app.control(acme.gateway.clock.now()).await.unwrap();
    while !watches::take(&mut tx, 100, Duration::minutes(5)).await.unwrap().is_empty() {}
    tx.commit().await.unwrap();
    watch::round(app).await.unwrap();
    assert_eq!(server.asked().len(), 0);
    acme.gateway.clock.advance(Duration::minutes(5));
    watch::round(app).await.unwrap();
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn the_end_of_a_certificate_is_told_at_each_mark_once() {
    let (acme, _, _server) = with_server().await;
    let (clock, start) = (acme.gateway.clock.clone(), acme.gateway.clock.now());
    let provider = IdentityProvider::from_metadata(&acme.idp.metadata()).unwrap();
    let end = provider.certificates[0].not_after();
    let moment = |days| end - Duration::days(days);
    clock.advance(moment(91) - start);
    assert_eq!(look(&acme).await, None);
    assert_eq!(acme.events("connection.certificate.expiring").await, [] as [Value; 0]);
    for days in [90, 60, 30, 14, 7, 1] {
        // Whoever looked last looks again when the mark is reached, or within the day.
        clock.advance(moment(days) - clock.now() - Duration::HOUR);
        look(&acme).await;
        assert!(is_due_at(&acme, moment(days)).await);
        clock.advance(Duration::HOUR);
        look(&acme).await;
        look(&acme).await;
    }
    let expiring = told(&acme, "connection.certificate.expiring").await;
    let days: Vec<&Value> = expiring.iter().map(|data| &data["days"]).collect();
    assert_eq!(days, [90, 60, 30, 14, 7, 1]);
    let expected = json!({ "whose": "identity provider", "fingerprint": provider.certificates[0].fingerprint(), "days": 90,
        "ends_at": expiring[0]["ends_at"], "is_followed": false });
    assert_eq!(expiring[0], expected);
    clock.advance(Duration::DAY);
    look(&acme).await;
    look(&acme).await;
    assert_eq!(told(&acme, "connection.certificate.expired").await.len(), 1);
    assert_eq!(told(&acme, "connection.certificate.expiring").await.len(), 6);
    // Our own key ends as well, and somebody has to make the next one.
    let ours = acme.events("connection.certificate.expiring").await;
    assert!(ours.iter().any(|event| event["data"]["whose"] == "service provider"));
}

#[tokio::test]
async fn a_certificate_that_nobody_announced_is_reported_and_not_trusted() {
    let (acme, ann, server) = with_server().await;
    assert_eq!(look(&acme).await, None);
    let stranger = IdpKey::generate(acme.gateway.clock.now()).unwrap();
    let waiting = acme.waiting(&ann).await;
    let response = waiting.honest().encode(&stranger).unwrap();
    waiting.is_refused(&response, "GH-SAML-505").await;
    let seen = acme.events("connection.certificate.untrusted_seen").await;
    let fingerprint = saml::idp::IdpCertificate::from_der(&stranger.certificate_der().unwrap()).unwrap();
    assert_eq!(seen[0]["data"], json!({ "fingerprint": fingerprint.fingerprint() }));
    assert!(is_due_at(&acme, acme.gateway.clock.now() + Duration::DAY).await, "the metadata are fresh");
    // However often it comes, it is one certificate, and within a minute it is not even looked up.
    waiting.is_refused(&response, "GH-SAML-505").await;
    assert_eq!(acme.events("connection.certificate.untrusted_seen").await.len(), 1);
    let app = &acme.gateway.app;
    let mut tx = app.tenant(acme.tenant, store::scope::Actor::Operator, acme.gateway.clock.now()).await.unwrap();
    let listed = store::seen_certificates::list(&mut tx, acme.connection).await.unwrap();
    tx.rollback().await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].fingerprint, fingerprint.fingerprint());
    waiting.gets_in(&waiting.signed(&waiting.honest())).await;

    // Where the metadata have an address and are not fresh, they are read again at once: there it may be announced.
    let other = acme.sibling(&acme.gateway.application("https://board.test/callback", |_| {}).await).await;
    let (other, bea) = with_ann(other).await;
    server.now_does(Behaviour::Document(other.idp.metadata()));
    follow(&other, &server).await;
    look(&other).await;
    other.gateway.clock.advance(Duration::minutes(11));
    let next = IdpKey::generate(other.gateway.clock.now()).unwrap();
    server.now_does(Behaviour::Document(with_key(&other, &next, true)));
    let waiting = other.waiting(&bea).await;
    waiting.is_refused(&waiting.honest().encode(&next).unwrap(), "GH-SAML-505").await;
    assert!(is_due_at(&other, other.gateway.clock.now()).await);
    look(&other).await;
    waiting.gets_in(&waiting.honest().encode(&next).unwrap()).await;
    let mut tx = app.tenant(other.tenant, store::scope::Actor::Operator, other.gateway.clock.now()).await.unwrap();
    assert_eq!(store::seen_certificates::list(&mut tx, other.connection).await.unwrap(), []);
    tx.rollback().await.unwrap();
}

/// Whoever makes up certificates fills no table and no outbox, and hides no other.
#[tokio::test]
async fn the_ten_untrusted_certificates_that_were_seen_last_are_remembered() {
    let acme = Customer::new().await;
    let (app, start) = (&acme.gateway.app, acme.gateway.clock.now());
    let see = async |number: i64, after: Duration| {
        let mut tx = app.tenant(acme.tenant, store::scope::Actor::Browser, start + after).await.unwrap();
        let fingerprint = format!("{number:064}");
        let seen = (fingerprint.as_str(), "CN=x", start);
        let is_told = store::seen_certificates::remember(&mut tx, acme.connection, seen).await.unwrap();
        let listed = store::seen_certificates::list(&mut tx, acme.connection).await.unwrap();
        tx.commit().await.unwrap();
        (is_told, listed.len(), listed[0].fingerprint == fingerprint)
    };
    for number in 0..15 {
        let expected = (number < 10, usize::try_from(number + 1).unwrap().min(10), true);
        assert_eq!(see(number, Duration::minutes(number)).await, expected, "{number}");
    }
    assert_eq!(see(14, Duration::HOUR).await, (false, 10, true), "the same again");
    assert_eq!(see(0, Duration::HOUR * 2).await, (false, 10, true), "forgotten, and one too many for this day");
    assert_eq!(see(99, Duration::HOUR * 48).await, (true, 10, true), "the next day");
}

/// A name that a database, a log or a terminal cannot take.
#[tokio::test]
async fn a_strangers_certificate_with_a_hostile_subject_is_refused_like_any_other() {
    let (acme, ann) = with_ann(Customer::new().await).await;
    let stranger = IdpKey::named("a\0b\u{1b}[2K\nSHA-256", acme.gateway.clock.now()).unwrap();
    let waiting = acme.waiting(&ann).await;
    waiting.is_refused(&waiting.honest().encode(&stranger).unwrap(), "GH-SAML-505").await;
    assert_eq!(acme.events("connection.certificate.untrusted_seen").await.len(), 1);
    let shown = Operator::new().await.json(&["connection", "show", &acme.connection.to_string()]);
    let listed = shown["untrusted_certificates"][0].as_str().unwrap();
    assert!(listed.contains("(CN=a\\u{0}b\\u{1b}[2K\\u{a}SHA-256)"), "{listed}");
}

/// A server that says for ever that nothing changed does not keep metadata alive that are over.
#[tokio::test]
async fn metadata_that_are_over_are_asked_for_whole() {
    let (acme, _, server) = with_server().await;
    let until = acme.gateway.clock.now() + Duration::days(2);
    let until = until.replace_nanosecond(0).unwrap().format(&time::format_description::well_known::Rfc3339).unwrap();
    let document = acme.idp.metadata().replacen(" entityID=", &format!(" validUntil=\"{until}\" entityID="), 1);
    server.now_does(Behaviour::Document(document));
    assert_eq!(look(&acme).await, None);
    acme.gateway.clock.advance(Duration::DAY);
    server.asked();
    assert_eq!(look(&acme).await, None);
    assert!(server.asked()[0].contains_key("if-none-match"));
    acme.gateway.clock.advance(Duration::DAY);
    let problem = look(&acme).await.unwrap();
    assert!(problem.starts_with("the metadata was valid until"), "{problem}");
    assert!(!server.asked()[0].contains_key("if-none-match"));
}

/// The command waits for the server, which lives in this program.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_gives_the_address_of_metadata_and_sees_what_becomes_of_it() {
    let (acme, operator) = (Customer::new().await, Operator::new().await);
    let server = Server::start(Behaviour::Document(acme.idp.metadata())).await;
    let id = acme.connection.to_string();
    let follow = ["connection", "idp", &id, "--metadata-url", &server.address];
    let refused = operator.refusal(&follow);
    assert!(refused.contains("the address must begin with https://"), "{refused}");
    assert_eq!(server.asked().len(), 0);

    let settings = std::env::temp_dir().join(unique("outbound"));
    std::fs::write(&settings, "[outbound]\nprivate_networks = \"10.0.0.0/8, 127.0.0.0/8\"\n").unwrap();
    let config = ["--config", settings.to_str().unwrap()];
    let shown = operator.json(&[&config[..], &follow].concat());
    let expected = json!({ "idp_metadata_url": server.address, "idp_metadata_problem": Value::Null, "untrusted_certificates": [] });
    assert_says(&shown, &expected);
    assert!(shown["idp_metadata_fetched_at"].is_string());

    let issuer = format!("entityID=\"{}\"", acme.idp.entity_id());
    server.now_does(Behaviour::Document(acme.idp.metadata().replace(&issuer, "entityID=\"https://other.test\"")));
    let refresh = [&config[..], &["connection", "refresh", &id]].concat();
    let (held, again) = (operator.refusal(&refresh), operator.refusal(&[&config[..], &follow].concat()));
    for told in [&held, &again] {
        let line = format!("issuer: {} becomes https://other.test", acme.idp.entity_id());
        assert!(told.contains(&line) && told.contains("--new-issuer"), "{told}");
    }
    let shown = operator.json(&["connection", "show", &id]);
    assert_says(&shown, &json!({ "idp_issuer": acme.idp.entity_id() }));
    assert!(shown["idp_metadata_problem"].as_str().unwrap().starts_with("the metadata name another issuer"));
    let taken = operator.json(&[&refresh[..], &["--new-issuer", "https://other.test"]].concat());
    assert_says(&taken, &json!({ "idp_issuer": "https://other.test", "idp_metadata_problem": Value::Null }));
    std::fs::remove_file(settings).unwrap();
    let kept = operator.json(&["connection", "idp", &id, "--unfollow"]);
    assert_says(&kept, &json!({ "idp_issuer": "https://other.test", "idp_metadata_url": Value::Null }));

    let by_hand = Customer::new().await;
    let refused = operator.refusal(&["connection", "refresh", &by_hand.connection.to_string()]);
    assert!(refused.contains("--metadata-url URL"), "{refused}");
}

//! Whole sign-ins, as application, browser and identity provider take part in them; the same for us and for Jackson.
//! Responses are signed between two halves, when nobody is measured.

use crate::{CLIENTS, http::Http, load::Times, processes::Usage};
use base64::{Engine, engine::general_purpose::STANDARD};
use flate2::read::DeflateDecoder;
use harness::sign_in::{CHALLENGE, VERIFIER, code_of, parameter};
use serde_json::Value;
use simulator::idp::{
    Idp,
    response::{ResponseBuilder, Sign},
};
use std::{
    io::Read,
    sync::Mutex,
    thread,
    time::{Duration, Instant},
};
use time::OffsetDateTime;
use url::form_urlencoded;

/// The requests of a sign-in, in order. Jackson's assertion consumer service answers with the code at once, so `finish` is
/// ours alone.
pub const PARTS: [&str; 4] = ["authorize", "ACS", "finish", "token"];
const AUTHORIZE: usize = 0;
const ACS: usize = 1;
const FINISH: usize = 2;
const TOKEN: usize = 3;

/// Who signs people in.
pub struct Provider {
    pub name: &'static str,
    pub port: u16,
    /// How its own addresses begin; what is behind is asked at the port.
    pub origin: String,
    /// The authorize request, as the target of a GET.
    pub authorize: String,
    pub acs_url: String,
    pub audience: String,
    pub token: &'static str,
    pub userinfo: &'static str,
    pub client_id: String,
    pub client_secret: String,
    pub redirect_uri: String,
}

/// Somebody who signs in with a new browser.
pub struct Visit {
    email: String,
    cookie: String,
    /// Where the last answer sent the browser.
    location: String,
    /// What the identity provider's page posts.
    form: String,
    /// What the application got in the end.
    pub tokens: Value,
    /// Milliseconds of each part.
    times: [f64; PARTS.len()],
}

/// Sign-ins of one round.
pub struct Round {
    pub count: usize,
    /// Per second.
    pub rate: f64,
    /// Milliseconds of all requests of a sign-in together.
    pub whole: Times,
    pub parts: [Part; PARTS.len()],
    /// Of one sign-in.
    pub usage: Usage,
    /// Milliseconds to sign one response, which count nowhere else.
    pub signing: f64,
}

/// One request of the sign-ins.
pub struct Part {
    pub times: Times,
    /// Of the time of all requests.
    pub share: f64,
}

impl Visit {
    pub fn new(email: String) -> Self {
        let (cookie, location, form) = Default::default();
        Self { email, cookie, location, form, tokens: Value::Null, times: [0.0; PARTS.len()] }
    }
}

impl Provider {
    /// Signs all of them in, each once: first to the identity provider, then, when all responses are signed, back from it.
    pub fn round(&self, idp: &Idp, emails: &[String], usage: &dyn Fn() -> Usage) -> Round {
        let mut visits: Vec<Visit> = emails.iter().cloned().map(Visit::new).collect();
        let at_the_door = || {
            let mut http = Http::connect(self.port);
            move |visit: &mut Visit| self.begin(&mut http, visit)
        };
        let (asked, used_before) = measured(usage, || each(&mut visits, CLIENTS, at_the_door));
        let signing = each(&mut visits, processors(), || |visit: &mut Visit| self.answer(idp, visit));
        let back = || {
            let mut http = Http::connect(self.port);
            move |visit: &mut Visit| self.complete(&mut http, visit)
        };
        let (answered, used_behind) = measured(usage, || each(&mut visits, CLIENTS, back));
        let count = visits.len();
        let usage = Usage {
            server: used_before.server + used_behind.server,
            postgres: used_before.postgres + used_behind.postgres,
        };
        let all: f64 = visits.iter().map(Visit::took).sum();
        let part = |part: usize| {
            let times: Vec<f64> = visits.iter().map(|visit| visit.times[part]).collect();
            Part { share: times.iter().sum::<f64>() / all, times: Times::of(times) }
        };
        Round {
            count,
            rate: count as f64 / (asked + answered).as_secs_f64(),
            whole: Times::of(visits.iter().map(Visit::took).collect()),
            parts: [AUTHORIZE, ACS, FINISH, TOKEN].map(part),
            usage: usage / count as f64,
            signing: signing.as_secs_f64() * 1e3 * processors() as f64 / count as f64,
        }
    }

    /// Signs one person in.
    pub fn sign_in(&self, idp: &Idp, http: &mut Http, email: String) -> Visit {
        let mut visit = Visit::new(email);
        self.begin(http, &mut visit);
        self.answer(idp, &mut visit);
        self.complete(http, &mut visit);
        visit
    }

    /// A sign-in ends with tokens that tell who it is, and a response that was changed after it was signed ends nowhere.
    pub fn prove(&self, idp: &Idp, email: &str) {
        let mut http = Http::connect(self.port);
        let visit = self.sign_in(idp, &mut http, email.to_owned());
        let token = visit.access_token();
        let Self { name, port, userinfo, .. } = self;
        let request =
            format!("GET {userinfo} HTTP/1.1\r\nhost: localhost:{port}\r\nauthorization: Bearer {token}\r\n\r\n");
        assert_eq!(http.exchange(request.as_bytes()), 200, "{name}: {}", http.text());
        let told: Value = serde_json::from_slice(&http.body()).unwrap();
        assert_eq!(told["email"], email, "{name}: {told}");
        assert!(visit.tokens["id_token"].is_string(), "{name} gave no ID token");
        let mut visit = Visit::new(email.to_owned());
        self.begin(&mut http, &mut visit);
        self.answer_with(idp, &mut visit, |response| response.tamper("Archer", "Baker"));
        let status = http.exchange(&self.post(&self.acs_url[self.origin.len()..], "", &visit.form));
        assert!(status >= 400, "{name} took a response that was changed: {}", http.text());
    }

    /// The application sends the browser here, and it is sent on to the identity provider.
    fn begin(&self, http: &mut Http, visit: &mut Visit) {
        let Self { port, authorize, .. } = self;
        let request = format!("GET {authorize} HTTP/1.1\r\nhost: localhost:{port}\r\n\r\n");
        self.ask(http, visit, AUTHORIZE, request.as_bytes());
        let cookie = http.header("set-cookie").and_then(|cookie| cookie.split(';').next());
        visit.cookie = cookie.unwrap_or_default().to_owned();
    }

    /// What the identity provider signs.
    fn answer(&self, idp: &Idp, visit: &mut Visit) {
        self.answer_with(idp, visit, |response| response);
    }

    fn answer_with(&self, idp: &Idp, visit: &mut Visit, change: impl FnOnce(ResponseBuilder) -> ResponseBuilder) {
        let email = &visit.email;
        let now = OffsetDateTime::now_utc();
        let honest = ResponseBuilder::new(&idp.entity_id(), &self.audience, &self.acs_url, email, now)
            .in_response_to(&request_id(&visit.location))
            .attribute("email", email)
            .attribute("firstName", "Ann")
            .attribute("lastName", "Archer")
            .attribute_values("groups", &["Everyone", "Engineering"])
            .sign(Sign::Assertion);
        let response = change(honest).encode(idp.key()).unwrap();
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("SAMLResponse", &response);
        if let Some(state) = parameter(&visit.location, "RelayState") {
            form.append_pair("RelayState", &state);
        }
        visit.form = form.finish();
    }

    /// The response is posted, the browser comes back to the application, and that gets its tokens.
    fn complete(&self, http: &mut Http, visit: &mut Visit) {
        let request = self.post(&self.acs_url[self.origin.len()..], "", &visit.form);
        self.ask(http, visit, ACS, &request);
        if let Some(target) = visit.location.strip_prefix(&self.origin) {
            let (port, cookie) = (self.port, &visit.cookie);
            let request = format!("GET {target} HTTP/1.1\r\nhost: localhost:{port}\r\ncookie: {cookie}\r\n\r\n");
            self.ask(http, visit, FINISH, request.as_bytes());
        }
        assert!(visit.location.starts_with(&self.redirect_uri), "{} leads to {}", self.name, visit.location);
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", "authorization_code")
            .append_pair("code", &code_of(&visit.location))
            .append_pair("redirect_uri", &self.redirect_uri)
            .append_pair("code_verifier", VERIFIER)
            .finish();
        self.ask(http, visit, TOKEN, &self.post(self.token, &self.credentials(), &form));
        visit.tokens = serde_json::from_slice(&http.body()).unwrap();
    }

    /// Sends a request of a sign-in and notes how long its answer took.
    fn ask(&self, http: &mut Http, visit: &mut Visit, part: usize, request: &[u8]) {
        let sent = Instant::now();
        let status = http.exchange(request);
        visit.times[part] = sent.elapsed().as_secs_f64() * 1e3;
        let expected: &[u16] = if part == TOKEN { &[200] } else { &[302, 303] };
        assert!(expected.contains(&status), "{}, {}: {}", self.name, PARTS[part], http.text());
        if let Some(location) = http.header("location") {
            location.clone_into(&mut visit.location);
        }
    }

    /// A form post with those headers.
    pub fn post(&self, target: &str, headers: &str, form: &str) -> Vec<u8> {
        let (port, length) = (self.port, form.len());
        format!(
            "POST {target} HTTP/1.1\r\nhost: localhost:{port}\r\n{headers}content-type: \
             application/x-www-form-urlencoded\r\ncontent-length: {length}\r\n\r\n{form}"
        )
        .into_bytes()
    }

    /// The header by which the application proves itself.
    pub fn credentials(&self) -> String {
        let Self { client_id, client_secret, .. } = self;
        format!("authorization: Basic {}\r\n", STANDARD.encode(format!("{client_id}:{client_secret}")))
    }
}

impl Visit {
    pub fn access_token(&self) -> &str {
        self.tokens["access_token"].as_str().unwrap()
    }

    fn took(&self) -> f64 {
        self.times.iter().sum()
    }
}

/// An application's authorize request, with more parameters.
pub fn authorize(path: &str, client: (&str, &str), scope: &str, more: &[(&str, &str)]) -> String {
    let (client_id, redirect_uri) = client;
    let usual = [
        ("response_type", "code"),
        ("client_id", client_id),
        ("redirect_uri", redirect_uri),
        ("scope", scope),
        ("state", "the-state"),
        ("nonce", "the-nonce"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(usual).extend_pairs(more).finish();
    format!("{path}?{query}")
}

/// The better of two rounds: others share the machine and only ever take away from it.
pub fn better(one: Round, other: Round) -> Round {
    if other.rate > one.rate { other } else { one }
}

/// The ID of the request in the address that a browser was sent to, by HTTP-Redirect.
fn request_id(location: &str) -> String {
    let message = parameter(location, "SAMLRequest").unwrap_or_else(|| panic!("no SAMLRequest in {location}"));
    let (deflated, mut xml) = (STANDARD.decode(message).unwrap(), String::new());
    DeflateDecoder::new(&deflated[..]).read_to_string(&mut xml).unwrap();
    let (_, id) = xml.split_once(" ID=\"").unwrap();
    id.split('"').next().unwrap().to_owned()
}

/// Does something with each visit, so many at a time; answers how long all of them took.
fn each<W: FnMut(&mut Visit)>(visits: &mut [Visit], workers: usize, worker: impl Fn() -> W + Sync) -> Duration {
    let queue = Mutex::new(visits.iter_mut());
    let next = || queue.lock().unwrap().next();
    let began = Instant::now();
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                let mut work = worker();
                while let Some(visit) = next() {
                    work(visit);
                }
            });
        }
    });
    began.elapsed()
}

fn measured<T>(usage: &dyn Fn() -> Usage, work: impl FnOnce() -> T) -> (T, Usage) {
    let before = usage();
    let done = work();
    (done, usage() - before)
}

fn processors() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

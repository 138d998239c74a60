//! How soon somebody is out whom the directory deactivates at one gateway: until a session is dead at another one on the same
//! database, and until the application has the logout token.

use crate::{
    http::Http,
    load::Times,
    places::{Place, digits},
    processes::Gatehouse,
    scenarios,
    sign_in::Provider,
};
use axum::{Router, routing::post};
use harness::sign_in::claims;
use serde_json::{Value, json};
use simulator::idp::Idp;
use std::{
    ops::Range,
    sync::mpsc::{self, Receiver, Sender},
    thread,
    time::{Duration, Instant},
};
use tokio::{net::TcpListener, task::JoinHandle};

/// A logout token that is later than this does not come.
const PATIENCE: Duration = Duration::from_secs(30);

/// Milliseconds since a PATCH was sent.
struct Spread {
    what: &'static str,
    times: Times,
    max: f64,
    count: usize,
}

/// The application's address for logout tokens, of which it answers each with 200.
pub struct BackDoor {
    pub uri: String,
    heard: Receiver<(Value, Instant)>,
    server: JoinHandle<()>,
}

impl Drop for BackDoor {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl BackDoor {
    pub async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri = format!("http://{}/logout", listener.local_addr().unwrap());
        let (sender, heard) = mpsc::channel();
        let router = Router::new().route("/logout", post(move |body: String| hear(sender, body)));
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { uri, heard, server }
    }

    /// When it heard of a session's end.
    fn heard_of(&self, session: &Value) -> Instant {
        loop {
            let (told, at) = self.heard.recv_timeout(PATIENCE).expect("the application is told of the logout");
            if told == *session {
                return at;
            }
        }
    }
}

async fn hear(heard: Sender<(Value, Instant)>, body: String) {
    let at = Instant::now();
    let token = body.strip_prefix("logout_token=").expect("a logout token comes alone");
    // The benchmark may be over.
    heard.send((claims(token)["sid"].clone(), at)).unwrap_or_default();
}

/// Who leaves, where, and by which doors it is seen.
struct Leaving<'a> {
    place: &'a Place,
    ours: &'a Provider,
    idp: &'a Idp,
    /// To the gateway that is told, and to another one.
    here: Http,
    there: Http,
}

/// Deactivates the users of these numbers, one after the other: the first half is watched at another gateway, the second
/// half by the application. Prints a table, and tells the same as JSON.
pub fn measure(
    place: &Place,
    ours: &Provider,
    idp: &Idp,
    [here, there]: [&Gatehouse; 2],
    door: &BackDoor,
    users: Range<u64>,
) -> Value {
    let [here, there] = [here, there].map(|gatehouse| Http::connect(gatehouse.port));
    let mut leaving = Leaving { place, ours, idp, here, there };
    let half = users.start + (users.end - users.start) / 2;
    let (mut dead, mut answered, mut told) = (Vec::new(), Vec::new(), Vec::new());
    for user in users.start..half {
        let (is_dead, is_answered) = leaving.watched_elsewhere(user);
        dead.push(is_dead);
        answered.push(is_answered);
    }
    for user in half..users.end {
        told.push(leaving.watched_by(door, user));
    }
    let spreads = [
        Spread::of("a dead session at another gateway", dead),
        Spread::of("the answer to that PATCH", answered),
        Spread::of("the logout token at the application", told),
    ];
    println!("\n| from sending `active: false` to | users | p50 ms | p99 ms | most ms |\n|---|---:|---:|---:|---:|");
    let mut all = Vec::new();
    for Spread { what, times: Times { p50, p99 }, max, count } in spreads {
        println!("| {what} | {count} | {p50:.1} | {p99:.1} | {max:.1} |");
        assert!(p99 < 5_000.0, "{what}: five seconds are promised");
        all.push(json!({ "until": what, "users": count, "p50_ms": p50, "p99_ms": p99, "max_ms": max }));
    }
    all.into()
}

impl Leaving<'_> {
    /// Milliseconds until introspection elsewhere called the session dead, and until the PATCH was answered.
    fn watched_elsewhere(&mut self, user: u64) -> (f64, f64) {
        let (token, _) = self.sign_in(user);
        let form = format!("token={token}");
        let question = self.ours.post("/oauth2/introspect", &self.ours.credentials(), &form);
        let patch = self.patch(user, false);
        let (alive, seen) = mpsc::channel();
        let (here, there) = (&mut self.here, &mut self.there);
        let (sent, answered, dead) = thread::scope(|scope| {
            let watcher = scope.spawn(|| until_dead(there, &question, &alive));
            // Not before it is looked at.
            seen.recv_timeout(PATIENCE).expect("the session is alive elsewhere");
            let sent = Instant::now();
            assert_eq!(here.exchange(&patch), 200, "{}", here.text());
            let answered = Instant::now();
            (sent, answered, watcher.join().unwrap())
        });
        self.come_back(user);
        (milliseconds(sent, dead), milliseconds(sent, answered))
    }

    /// Milliseconds until the application had the logout token.
    fn watched_by(&mut self, door: &BackDoor, user: u64) -> f64 {
        let (_, session) = self.sign_in(user);
        let patch = self.patch(user, false);
        let sent = Instant::now();
        assert_eq!(self.here.exchange(&patch), 200, "{}", self.here.text());
        let heard = door.heard_of(&session);
        self.come_back(user);
        milliseconds(sent, heard)
    }

    /// An access token of that user, and its session.
    fn sign_in(&mut self, user: u64) -> (String, Value) {
        let email = scenarios::user_name(self.place, &digits(user));
        let visit = self.ours.sign_in(self.idp, &mut self.here, email);
        let token = visit.access_token();
        (token.to_owned(), claims(token)["sid"].clone())
    }

    fn patch(&self, user: u64, active: bool) -> Vec<u8> {
        let mut patch = Vec::new();
        scenarios::set_active(self.place, user, active, &mut patch);
        patch
    }

    fn come_back(&mut self, user: u64) {
        let patch = self.patch(user, true);
        assert_eq!(self.here.exchange(&patch), 200, "{}", self.here.text());
    }
}

/// Asks again and again; the moment of the first answer that calls the session dead. Says when it was seen alive.
fn until_dead(http: &mut Http, question: &[u8], alive: &Sender<()>) -> Instant {
    loop {
        assert_eq!(http.exchange(question), 200, "{}", http.text());
        let at = Instant::now();
        let told: Value = serde_json::from_slice(&http.body()).unwrap();
        match told["active"].as_bool() {
            Some(true) => alive.send(()).unwrap(),
            Some(false) => return at,
            None => panic!("no answer of introspection: {told}"),
        }
    }
}

fn milliseconds(from: Instant, to: Instant) -> f64 {
    to.duration_since(from).as_secs_f64() * 1e3
}

impl Spread {
    fn of(what: &'static str, times: Vec<f64>) -> Self {
        let max = times.iter().copied().fold(f64::NAN, f64::max);
        Self { what, count: times.len(), max, times: Times::of(times) }
    }
}

//! BoxyHQ's Jackson beside us, in a process of its own, on the same PostgreSQL; its directory sync, asked the same by the
//! same clients.

use crate::{
    CLIENTS, CREATORS, MEASURED, ROUNDS, WARM_UP,
    http::Http,
    load::{Draw, Figures, Scenario, Step, best},
    places::Place,
    processes::{Program, Usage, postgres_time},
    scenarios,
};
use harness::gateway_process::{setting, superuser};
use serde_json::Value;
use simulator::idp::Idp;
use sqlx::Executor;
use std::{
    env, fs,
    io::Write,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};

/// What it was measured at, under the names of our scenarios, and what we were in turn with it.
pub struct Beside {
    pub rows: Vec<(&'static str, Figures, Figures)>,
    /// MiB at the end.
    pub memory: f64,
    pub version: String,
}

/// Users who are read back.
const READ: usize = 1_000;

/// Where it sends browsers that signed in.
pub const REDIRECT_URI: &str = "https://app.test/callback";

/// A running one, with an empty database.
pub struct Jackson {
    pub program: Program,
    pub port: u16,
    pub version: String,
    base: String,
    secret: String,
    /// Its connection to the identity provider, where it has one.
    pub sign_in: Option<SignIn>,
}

/// What an application and an identity provider have to know of it.
pub struct SignIn {
    pub client_id: String,
    pub client_secret: String,
    pub acs: String,
    pub audience: String,
}

/// Measures it, where it can be started.
pub async fn measure(state: &Path, postmaster: u32, place: &Place, our_usage: &dyn Fn() -> Usage) -> Option<Beside> {
    let jackson = Jackson::start(state, None).await?;
    let usage = || Usage { server: jackson.program.time(), postgres: postgres_time(postmaster) };
    let ours = scenarios::of(place);
    let run = |scenario: &Scenario<'_>| {
        let same = ours.iter().find(|ours| ours.name == scenario.name).unwrap();
        let round = || {
            let theirs = scenario.run(jackson.port, scenario.clients, WARM_UP, MEASURED, &usage);
            [theirs, same.run(place.port, same.clients, WARM_UP, MEASURED, our_usage)]
        };
        let [theirs, ours] = (1..ROUNDS).fold(round(), |before, _| best(before, round()));
        (scenario.name, theirs, ours)
    };
    let create = jackson.scenario("create", 201, |draw, into| {
        let number = draw.fresh.to_string();
        jackson.request(into, "POST", "", &scenarios::user(&number, &format!("user.{number}@acme.test")));
    });
    let created = run(&Scenario { clients: CREATORS, ..create });
    let users = jackson.users();
    let read = run(&jackson.scenario("get by id", 200, |draw, into| {
        jackson.request(into, "GET", &format!("/{}", users[draw.number % users.len()].0), "");
    }));
    let found = run(&jackson.scenario("filter userName", 200, |draw, into| {
        let name = &users[draw.number % users.len()].1;
        jackson.request(into, "GET", &format!("?filter=userName%20eq%20%22{name}%22&startIndex=1&count=100"), "");
    }));
    Some(Beside {
        rows: vec![created, read, found],
        memory: jackson.program.memory(),
        version: jackson.version.clone(),
    })
}

impl Jackson {
    /// Starts one, for sign-ins by that identity provider if one is given; says why not when there is no node, or npm could
    /// not install it.
    pub async fn start(state: &Path, idp: Option<&Idp>) -> Option<Self> {
        let Ok(folder) = env::var("JACKSON_FOLDER").map(PathBuf::from) else {
            println!("\nNo Jackson beside: node or npm is missing, or npm could not install it.");
            return None;
        };
        let mut database = superuser().await;
        database.execute("DROP DATABASE IF EXISTS gatehouse_jackson WITH (FORCE)").await.unwrap();
        database.execute("CREATE DATABASE gatehouse_jackson").await.unwrap();
        let mut url = url::Url::parse(&setting("GATEHOUSE_TEST_SUPERUSER_URL")).unwrap();
        url.set_path("gatehouse_jackson");
        let (told, log) = (state.join("jackson.out"), state.join("jackson.log"));
        let mut command = Command::new("node");
        command.arg("server.mjs").current_dir(&folder).env("JACKSON_DATABASE_URL", url.as_str());
        if let Some(idp) = idp {
            let metadata = state.join("jackson-idp.xml");
            fs::write(&metadata, idp.metadata()).unwrap();
            command.env("JACKSON_IDP", metadata).env("JACKSON_REDIRECT_URI", REDIRECT_URI);
        }
        command.stdout(fs::File::create(&told).unwrap()).stderr(fs::File::create(log).unwrap());
        let program = Program::start(&mut command);
        let patience = Instant::now() + Duration::from_secs(60);
        let line = loop {
            let text = fs::read_to_string(&told).unwrap();
            if let Some((line, _)) = text.split_once('\n') {
                break line.to_owned();
            }
            assert!(Instant::now() < patience, "Jackson does not start; its last words are in jackson.log");
            thread::sleep(Duration::from_millis(100));
        };
        let told: Value = serde_json::from_str(&line).unwrap();
        let text = |of: &Value, name: &str| of[name].as_str().unwrap().to_owned();
        let sign_in = told.get("signIn").map(|told| SignIn {
            client_id: text(told, "clientId"),
            client_secret: text(told, "clientSecret"),
            acs: text(told, "acs"),
            audience: text(told, "audience"),
        });
        let port = told["port"].as_u64().unwrap() as u16;
        let manifest = fs::read_to_string(folder.join("node_modules/@boxyhq/saml-jackson/package.json")).unwrap();
        let version = text(&serde_json::from_str(&manifest).unwrap(), "version");
        Some(Self { program, port, version, base: text(&told, "base"), secret: text(&told, "secret"), sign_in })
    }

    fn request(&self, into: &mut Vec<u8>, method: &str, target: &str, body: &str) {
        let Self { port, base, secret, .. } = self;
        write!(
            into,
            "{method} {base}/Users{target} HTTP/1.1\r\nhost: localhost:{port}\r\nauthorization: Bearer {secret}\r\n\
             user-agent: Okta SCIM Client 1.0.0\r\naccept: application/scim+json\r\n\
             content-type: application/scim+json; charset=utf-8\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
    }

    fn scenario<'j>(
        &self,
        name: &'static str,
        status: u16,
        request: impl Fn(&Draw, &mut Vec<u8>) + Sync + 'j,
    ) -> Scenario<'j> {
        let steps = vec![Step { label: name, status, request: Box::new(request) }];
        Scenario { name, steps, users: 0..1, supply: usize::MAX, clients: CLIENTS }
    }

    /// Ids and names of some users.
    fn users(&self) -> Vec<(String, String)> {
        let (mut http, mut request) = (Http::connect(self.port), Vec::new());
        self.request(&mut request, "GET", &format!("?startIndex=1&count={READ}"), "");
        assert_eq!(http.exchange(&request), 200, "{}", http.text());
        let page: Value = serde_json::from_slice(&http.body()).unwrap();
        let text = |user: &Value, name: &str| user[name].as_str().unwrap().to_owned();
        let users = page["Resources"].as_array().unwrap().iter().map(|user| (text(user, "id"), text(user, "userName")));
        users.collect()
    }
}

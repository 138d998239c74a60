//! The process itself: what it logs, how it stops, what it refuses to start on, what it does that nobody asks for.

use gateway::{clock::Clock, oauth::settings::Invitations, setup::applications::ApplicationSpec};
use harness::{
    back_door::BackDoor,
    browser::Browser,
    customer::Customer,
    gateway_process::{Gateway, in_database, measured, migrated, own_database, setting, superuser_of, unique},
    sign_in::claims,
    smtp::MailServer,
};
use serde_json::{Value, json};
use simulator::okta::{Okta, Style};
use std::{
    collections::BTreeSet,
    process::Stdio,
    time::{Duration, Instant},
};
use time::OffsetDateTime;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines},
    net::{TcpListener, TcpStream},
    process::{Child, ChildStdout, Command},
};

pub struct Process {
    child: Child,
    log: Lines<BufReader<ChildStdout>>,
    seen: Vec<String>,
    pub port: u16,
    operations: u16,
}

async fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port()
}

fn command() -> Command {
    let program = std::env::current_exe().unwrap().parent().unwrap().parent().unwrap().join("gatehouse");
    let mut command = Command::new(program);
    command.env_clear().env("PATH", setting("PATH")).kill_on_drop(true);
    for name in ["URL", "CONTROL_URL"] {
        let name = format!("GATEHOUSE__DATABASE__{name}");
        command.env(&name, setting(&name));
    }
    command.env("GATEHOUSE__KEYS__ROOT", "ghroot_7e577e57_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8");
    command
}

impl Process {
    async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// One of several behind an address.
    pub async fn start_behind(public_url: &str) -> Self {
        Self::start_with(&[("GATEHOUSE__SERVER__PUBLIC_URL", public_url.to_owned())]).await
    }

    /// One with other settings.
    async fn start_with(settings: &[(&str, String)]) -> Self {
        migrated().await;
        let (port, operations) = (free_port().await, free_port().await);
        let mut child = command()
            .arg("serve")
            .env("GATEHOUSE__SERVER__LISTEN", format!("127.0.0.1:{port}"))
            .env("GATEHOUSE__SERVER__PUBLIC_URL", format!("http://localhost:{port}"))
            .env("GATEHOUSE__OPERATIONS__LISTEN", format!("127.0.0.1:{operations}"))
            .envs(settings.iter().cloned())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let log = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut process = Self { child, log, seen: Vec::new(), port, operations };
        process.until("Gatehouse serves").await;
        process
    }

    /// Reads the log until a line says so.
    async fn until(&mut self, words: &str) {
        while let Some(line) = self.log.next_line().await.unwrap() {
            let found = line.contains(words);
            self.seen.push(line);
            if found {
                return;
            }
        }
        panic!("the log ended without \"{words}\": {:#?}", self.seen);
    }

    async fn terminate(&mut self) {
        let id = self.child.id().unwrap().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().await.unwrap().success());
        self.until("Stopping").await;
    }

    fn url(&self, customer: &Customer, rest: &str) -> String {
        format!("http://localhost:{}/c/{}{rest}", self.port, customer.connection)
    }

    async fn metrics(&self) -> String {
        Browser::new().get(&format!("http://127.0.0.1:{}/metrics", self.operations)).await.text
    }
}

/// The settings of a process on that database.
fn on(database: &str) -> Vec<(&'static str, String)> {
    let addresses = ["GATEHOUSE__DATABASE__URL", "GATEHOUSE__DATABASE__CONTROL_URL"];
    addresses.map(|name| (name, in_database(name, database))).to_vec()
}

/// The answer, as soon as there is one.
async fn soon<T>(otherwise: &str, ask: impl AsyncFn() -> Option<T>) -> T {
    let patience = Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < patience, "{otherwise}");
        // Nobody reads the log meanwhile: more lines than a pipe holds would stop the process.
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

#[tokio::test]
async fn the_log_is_json_with_request_ids_and_names_nobody() {
    let acme = Customer::new().await;
    let mut process = Process::start().await;
    let http = reqwest::Client::new();
    let body = json!({ "userName": "canary.person@acme.test", "name": { "givenName": "Canary" }, "password": "canary-password" });
    let users = process.url(&acme, "/scim/v2/Users");
    let created = http.post(&users).bearer_auth(&acme.token).json(&body).send().await.unwrap();
    assert_eq!(created.status().as_u16(), 201);
    http.post(&users).bearer_auth(&acme.token).json(&body).send().await.unwrap();
    http.get(format!("{users}?filter=userName eq \"canary.person@acme.test\""))
        .bearer_auth(&acme.token)
        .send()
        .await
        .unwrap();
    http.get(&users).bearer_auth("ghscim_canary").send().await.unwrap();
    let status = "<samlp:Response xmlns:samlp=\"urn:oasis:names:tc:SAML:2.0:protocol\" canary=\"canary\"/>";
    http.post(process.url(&acme, "/saml/acs")).form(&[("SAMLResponse", status)]).send().await.unwrap();
    http.get(format!("http://localhost:{}/oauth2/authorize?login_hint=canary.person@acme.test", process.port))
        .send()
        .await
        .unwrap();
    process.terminate().await;
    process.until("Stopped").await;
    assert!(process.child.wait().await.unwrap().success());

    let requests = process.seen.iter().filter(|line| line.contains("answered")).count();
    assert_eq!(requests, 6, "{:#?}", process.seen);
    for line in &process.seen {
        let entry: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line}"));
        assert!(entry["timestamp"].is_string() && entry["message"].is_string(), "{line}");
        assert!(!line.to_lowercase().contains("canary"), "{line}");
        assert!(!line.contains(&acme.token) && !line.contains(&acme.connection.to_string()), "{line}");
        if line.contains("answered") {
            assert!(entry["span"]["request.id"].as_str().is_some_and(|id| id.len() >= 8), "{line}");
        }
    }
}

#[tokio::test]
async fn a_request_that_runs_when_the_process_is_told_to_stop_is_answered() {
    let acme = Customer::new().await;
    let mut process = Process::start().await;
    let body = json!({ "userName": "late@acme.test" }).to_string();
    let mut stream = TcpStream::connect(("127.0.0.1", process.port)).await.unwrap();
    let head = format!(
        "POST /c/{}/scim/v2/Users HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\nConnection: close\r\n\
         Content-Type: application/scim+json\r\nContent-Length: {}\r\n\r\n{}",
        acme.connection,
        acme.token,
        body.len(),
        &body[..5]
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    // Another request is answered meanwhile, so the first one has been taken up as well.
    reqwest::get(format!("http://localhost:{}/", process.port)).await.unwrap();
    process.terminate().await;
    stream.write_all(&body.as_bytes()[5..]).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    process.until("Stopped").await;
    assert!(process.child.wait().await.unwrap().success());
    assert_eq!(acme.scim(reqwest::Method::GET, "/Users?count=0", None).await.body["totalResults"], 1);
}

#[tokio::test]
async fn what_was_answered_survives_a_killed_process() {
    let acme = Customer::new().await;
    let mut process = Process::start().await;
    let body = json!({ "userName": "kept@acme.test" });
    let request =
        reqwest::Client::new().post(process.url(&acme, "/scim/v2/Users")).bearer_auth(&acme.token).json(&body);
    assert_eq!(request.send().await.unwrap().status().as_u16(), 201);
    process.child.kill().await.unwrap();
    let again = Process::start().await;
    let users = again.url(&acme, "/scim/v2/Users?count=0");
    let answer = reqwest::Client::new().get(users).bearer_auth(&acme.token).send().await.unwrap();
    assert_eq!(answer.json::<Value>().await.unwrap()["totalResults"], 1);
}

#[tokio::test]
async fn a_database_without_migrations_is_refused_with_what_to_run() {
    let mut superuser = harness::gateway_process::superuser().await;
    let name = unique("empty").replace('-', "_");
    let create = format!("CREATE DATABASE {name}");
    sqlx::query(sqlx::AssertSqlSafe(create)).execute(&mut superuser).await.unwrap();
    let elsewhere = |url: String| {
        let mut url = url::Url::parse(&url).unwrap();
        url.set_path(&name);
        url.to_string()
    };
    for subcommand in ["serve", "check"] {
        let output = command()
            .arg(subcommand)
            .env("GATEHOUSE__DATABASE__URL", elsewhere(setting("GATEHOUSE__DATABASE__URL")))
            .env("GATEHOUSE__DATABASE__CONTROL_URL", elsewhere(setting("GATEHOUSE__DATABASE__CONTROL_URL")))
            .output()
            .await
            .unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && error.contains("gatehouse migrate"), "{subcommand}: {error}");
    }
    let drop = format!("DROP DATABASE {name}");
    sqlx::query(sqlx::AssertSqlSafe(drop)).execute(&mut superuser).await.unwrap();
}

#[tokio::test]
async fn a_process_tells_applications_of_logouts_by_itself_and_in_time() {
    // In a database of its own, where nobody else tells of them: the gateway in here only answers requests.
    let (database, door) = (own_database().await, BackDoor::open().await);
    let gateway = Gateway::on(&database, Clock::System, |_| {}).await;
    let change = |spec: &mut ApplicationSpec| spec.backchannel_logout_uri = Some(door.uri.clone());
    let application = gateway.application("https://app.test/callback", change).await;
    let acme = Customer::entering(&gateway, application).await;
    let ann = acme.user("ann");
    acme.assign(&ann).await;
    let id = acme.sign_in(&Browser::new(), &ann.email).await.id_claims();
    let public_url = ("GATEHOUSE__SERVER__PUBLIC_URL", gateway.url.clone());
    let process = Process::start_with(&[on(&database), vec![public_url]].concat()).await;

    let mut okta = Okta::new(&process.url(&acme, "/scim/v2"), &acme.token, Style::Custom).unwrap();
    okta.deactivate(&ann).await.unwrap();
    let heard = door.hears_of(&id["sid"], "the application").await;
    let said = claims(&heard[0]);
    assert_eq!((&said["sub"], &said["aud"], &said["iss"]), (&id["sub"], &id["aud"], &id["iss"]));
    // It is counted only after the application has answered.
    let series = |series: &str, stage: &str| format!("gatehouse_deprovision_seconds_{series}{{stage=\"{stage}\"");
    let metrics = soon("it was never counted", async || {
        let metrics = process.metrics().await;
        metrics.contains(&series("count", "app")).then_some(metrics)
    })
    .await;
    for stage in ["gateway", "app"] {
        let all = measured(&metrics, &format!("{}}}", series("count", stage)));
        let in_time = measured(&metrics, &format!("{},le=\"5\"}}", series("bucket", stage)));
        assert_eq!((all, in_time), (Some(1.0), Some(1.0)), "{stage}: {metrics}");
    }
}

#[tokio::test]
async fn a_process_publishes_the_next_token_keys_by_itself() {
    // Keys are of no tenant: no other test may see those of this one.
    let database = own_database().await;
    // The next ones are published a day before the first ones have signed for a day: at once.
    let daily = ("GATEHOUSE__KEYS__TOKEN_KEY_DAYS", "1".to_owned());
    let process = Process::start_with(&[on(&database), vec![daily]].concat()).await;
    let published = soon("there are no next keys", async || {
        let page = Browser::new().get(&format!("http://localhost:{}/oauth2/jwks", process.port)).await;
        let set: Value = serde_json::from_str(&page.text).unwrap();
        let names = set["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned());
        Some(names.collect::<BTreeSet<String>>()).filter(|names| names.len() > 2)
    })
    .await;
    let query = "SELECT id::text FROM signing_keys WHERE signs_from > $1";
    let query = sqlx::query_scalar::<_, String>(query).bind(OffsetDateTime::now_utc());
    let next: BTreeSet<String> =
        query.fetch_all(&mut superuser_of(&database).await).await.unwrap().into_iter().collect();
    assert_eq!((published.len(), next.len()), (4, 2), "the next one of each algorithm");
    assert!(next.is_subset(&published), "{next:?} {published:?}");
}

#[tokio::test]
async fn of_a_sender_that_is_killed_every_invitation_arrives_all_the_same() {
    let (database, server) = (own_database().await, MailServer::start().await);
    let gateway = Gateway::on(&database, Clock::System, |_| {}).await;
    let by_mail = |spec: &mut ApplicationSpec| spec.settings.invitations = Invitations::Mail;
    let application = gateway.application("https://app.test/callback", by_mail).await;
    let acme = Customer::entering(&gateway, application).await;
    let users: Vec<_> = (0..12).map(|number| acme.user(&format!("user{number}"))).collect();
    for user in &users {
        acme.assign(user).await;
    }
    let mut settings = on(&database);
    settings.push(("GATEHOUSE__SERVER__PUBLIC_URL", "https://sso.app.test".to_owned()));
    settings.push(("GATEHOUSE__MAIL__SMTP_URL", server.url()));
    settings.push(("GATEHOUSE__MAIL__FROM", "Test app <no-reply@app.test>".to_owned()));
    // It is killed while the server keeps to itself that it has taken one.
    server.is("mute", true);
    let mut first = Process::start_with(&settings).await;
    let taken = async || (!server.all().is_empty()).then_some(());
    soon("a mail is on its way", taken).await;
    first.child.kill().await.unwrap();
    server.is("mute", false);
    // What it had taken is kept for it a while; nobody waits for that here.
    let forget = "UPDATE invitations SET due_at = due_at - interval '1 hour' WHERE due_at IS NOT NULL";
    sqlx::query(forget).execute(&mut superuser_of(&database).await).await.unwrap();
    let _second = Process::start_with(&settings).await;
    let states = async || {
        let states: Vec<String> = sqlx::query_scalar("SELECT step FROM invitations")
            .fetch_all(&mut superuser_of(&database).await)
            .await
            .unwrap();
        (states.len() == users.len() && states.iter().all(|state| state == "sent")).then_some(())
    };
    soon("all are sent", states).await;
    for user in &users {
        let mails = server.to(&user.email);
        let codes: BTreeSet<(String, String)> = mails.iter().map(|mail| (mail.name(), mail.link())).collect();
        assert!(codes.len() == 1 && mails.len() <= 2, "{}: {codes:?}", user.email);
    }
}

//! The process itself: what it logs, how it stops, what it refuses to start on.

use harness::{
    customer::Customer,
    gateway_process::{migrated, setting, unique},
};
use serde_json::{Value, json};
use std::process::Stdio;
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
        let port = free_port().await;
        Self::start_on(port, &format!("http://localhost:{port}")).await
    }

    /// One of several behind an address.
    pub async fn start_behind(public_url: &str) -> Self {
        Self::start_on(free_port().await, public_url).await
    }

    async fn start_on(port: u16, public_url: &str) -> Self {
        migrated().await;
        let operations = free_port().await;
        let mut child = command()
            .arg("serve")
            .env("GATEHOUSE__SERVER__LISTEN", format!("127.0.0.1:{port}"))
            .env("GATEHOUSE__SERVER__PUBLIC_URL", public_url)
            .env("GATEHOUSE__OPERATIONS__LISTEN", format!("127.0.0.1:{operations}"))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let log = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut process = Self { child, log, seen: Vec::new(), port };
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

//! Mail domains: what proves them, how long, and where addresses lead. A real name server answers.

use crate::{cli::Operator, scim::assert_says};
use gateway::{
    clock::Clock,
    config::{Config, Dns},
    domains,
};
use harness::{
    browser::Browser,
    customer::{Customer, superuser},
    gateway_process::{Gateway, unique},
};
use serde_json::{Value, json};
use std::{
    net::{SocketAddr, TcpListener, UdpSocket},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration as Patience,
};
use time::Duration;

/// Debian's dnsmasq with records of ours.
struct NameServer {
    address: SocketAddr,
    folder: PathBuf,
    running: Option<Child>,
}

impl NameServer {
    fn new() -> Self {
        // Below those that the system hands out: it stops and comes back, and nobody else may take its port meanwhile.
        let free = |port: &u16| {
            UdpSocket::bind(("127.0.0.1", *port)).is_ok() && TcpListener::bind(("127.0.0.1", *port)).is_ok()
        };
        let from = 20_000 + u16::try_from(std::process::id() % 10_000).unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], (from..from + 1_000).find(free).unwrap()));
        let folder = std::env::temp_dir().join(unique("dns"));
        std::fs::create_dir(&folder).unwrap();
        Self { address, folder, running: None }
    }

    fn stop(&mut self) {
        if let Some(mut running) = self.running.take() {
            running.kill().unwrap();
            running.wait().unwrap();
        }
    }

    /// Answers with these TXT records from now on, and with nothing for every other name below `.test`.
    async fn serves(&mut self, records: &[(&str, &str)]) {
        self.stop();
        let port = self.address.port();
        let mut text = format!(
            "port={port}\nlisten-address=127.0.0.1\nbind-interfaces\nno-resolv\nno-hosts\nuser=\npid-file=\ncache-size=0\nlocal=/test/\n"
        );
        for (name, value) in records {
            text.push_str(&format!("txt-record={name},{value}\n"));
        }
        let file = self.folder.join("dnsmasq.conf");
        std::fs::write(&file, text).unwrap();
        let program = if PathBuf::from("/usr/sbin/dnsmasq").exists() { "/usr/sbin/dnsmasq" } else { "dnsmasq" };
        let started = Command::new(program).arg("-k").arg("-C").arg(&file).stderr(Stdio::inherit()).spawn();
        self.running = Some(started.expect("dnsmasq is installed (bin/setup test)"));
        // It answers a moment later; any answer will do.
        let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let query = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01x\x04test\x00\x00\x10\x00\x01";
        for _ in 0..100 {
            let mut answer = [0; 512];
            let answered = async {
                socket.send_to(query, self.address).await?;
                socket.recv(&mut answer).await
            };
            if let Ok(Ok(_)) = tokio::time::timeout(Patience::from_millis(50), answered).await {
                return;
            }
            tokio::time::sleep(Patience::from_millis(20)).await;
        }
        panic!("dnsmasq does not answer");
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.stop();
        drop(std::fs::remove_dir_all(&self.folder));
    }
}

struct Desk {
    operator: Operator,
    server: String,
}

impl Desk {
    async fn new(server: &NameServer) -> Self {
        Self { operator: Operator::new().await, server: server.address.to_string() }
    }

    fn domain(&self, arguments: &[&str]) -> Value {
        self.operator.json_with(
            &[("GATEHOUSE__DNS__SERVER", &self.server), ("GATEHOUSE__DNS__TIMEOUT_SECONDS", "2")],
            &[&["domain"], arguments].concat(),
        )
    }

    fn refused(&self, arguments: &[&str]) -> String {
        self.operator.refusal_with(
            &[("GATEHOUSE__DNS__SERVER", &self.server), ("GATEHOUSE__DNS__TIMEOUT_SECONDS", "2")],
            &[&["domain"], arguments].concat(),
        )
    }
}

fn texts<'v>(record: &'v Value, names: [&str; 2]) -> (&'v str, &'v str) {
    let text = |name: &str| record[name].as_str().unwrap();
    (text(names[0]), text(names[1]))
}

async fn told(acme: &Customer, kind: &str) -> i64 {
    let query = "SELECT count(*) FROM events WHERE tenant_id = $1 AND kind = $2";
    sqlx::query_scalar(query).bind(acme.tenant.0).bind(kind).fetch_one(&mut superuser().await).await.unwrap()
}

/// From the claim to the loss, in one test: whoever looks at what is due looks at the domains of all tests.
#[tokio::test]
async fn a_domain_is_proven_by_its_record_for_as_long_as_that_stands() {
    let mut server = NameServer::new();
    let desk = Desk::new(&server).await;
    let address = server.address;
    let dns = |config: &mut Config| config.dns = Dns { server: Some(address), timeout: Patience::from_secs(2) };
    let gateway = Gateway::start_with(Clock::manual(), dns).await;
    let (acme, rival) = (Customer::of(&gateway).await, Customer::of(&gateway).await);
    let domain = format!("mail.{}", acme.domain);
    let (tenant, other) = (acme.slug.as_str(), rival.slug.as_str());
    let state = || desk.domain(&["list", "--tenant", tenant]).as_array().unwrap().last().unwrap().clone();

    // What is only claimed counts for nothing.
    let record = desk.domain(&["claim", "--tenant", tenant, &format!("{}.", domain.to_uppercase())]);
    let (name, value) = texts(&record, ["record_name", "record_value"]);
    assert_eq!(name, format!("_gatehouse-challenge.{domain}"));
    assert_eq!(desk.domain(&["claim", "--tenant", tenant, &domain]), record, "the record stays the same");
    assert_says(&state(), &json!({ "domain": domain, "state": "claimed" }));
    let mut ann = acme.user("ann");
    ann.email = format!("ann@{domain}");
    ann.user_name.clone_from(&ann.email);
    acme.assign(&ann).await;
    let claims = |tokens: &harness::sign_in::TokenAnswer| tokens.id_claims()["email_verified"].clone();
    assert_eq!(claims(&acme.sign_in(&Browser::new(), &ann.email).await), false);

    // The wrong record, none, and nobody to ask.
    let verify = ["verify", "--tenant", tenant, &domain];
    server.serves(&[(name, "v=spf1 -all")]).await;
    let refused = desk.refused(&verify);
    assert!(refused.contains(&format!("the TXT record at {name} is \"v=spf1 -all\"")), "{refused}");
    assert!(refused.contains(value), "{refused}");
    server.serves(&[]).await;
    assert!(desk.refused(&verify).contains(&format!("there is no TXT record at {name}")));
    server.stop();
    let silent = desk.refused(&verify);
    assert!(silent.contains("did not answer in time") || silent.contains("could not be asked"), "{silent}");

    server.serves(&[(name, "other"), (name, value)]).await;
    assert_says(&desk.domain(&verify)[1], &json!({ "domain": domain, "state": "verified" }));
    assert_eq!(claims(&acme.sign_in(&Browser::new(), &ann.email).await), true);

    // Another tenant's record changes nothing while this one stands.
    let theirs = desk.domain(&["claim", "--tenant", other, &domain]);
    let their_value = theirs["record_value"].as_str().unwrap();
    assert_ne!(their_value, value);
    server.serves(&[(name, value), (name, their_value)]).await;
    let refused = desk.refused(&["verify", "--tenant", other, &domain]);
    assert!(refused.contains("belongs to another organization, whose proof stands"), "{refused}");
    let told_name = refused.replace(&domain, "");
    assert!(!told_name.contains(tenant), "and does not say whose it is: {refused}");

    // A record that goes is told once, and forgiven.
    let round = async |days: i64| {
        gateway.clock.advance(Duration::days(days));
        domains::round(&gateway.app).await.unwrap();
    };
    server.serves(&[]).await;
    round(2).await;
    round(2).await;
    let failing = state();
    assert_says(&failing, &json!({ "state": "verified, but the record is not there any more" }));
    assert_eq!(failing["problem"], format!("there is no TXT record at {name}"));
    assert_eq!(told(&acme, "domain.verification_failed").await, 1);
    server.serves(&[(name, value)]).await;
    round(1).await;
    assert_says(&state(), &json!({ "state": "verified", "problem": null }));
    // Whoever has mended it need not wait.
    server.serves(&[]).await;
    round(2).await;
    server.serves(&[(name, value)]).await;
    assert_says(&desk.domain(&verify)[1], &json!({ "state": "verified" }));
    // Silence says nothing for a month.
    server.stop();
    round(2).await;
    round(20).await;
    assert_says(&state(), &json!({ "state": "verified, but the record is not there any more" }));
    server.serves(&[(name, value)]).await;
    round(1).await;
    // Gone for a week is gone, and only what was seen to be gone counts; the same record brings it back.
    server.stop();
    round(2).await;
    round(8).await;
    server.serves(&[]).await;
    round(2).await;
    assert_says(&state(), &json!({ "state": "verified, but the record is not there any more" }));
    round(8).await;
    assert_says(&state(), &json!({ "state": "claimed", "record_value": value }));
    assert_eq!(told(&acme, "domain.lost").await, 1);
    assert_eq!(claims(&acme.sign_in(&Browser::new(), &ann.email).await), false);
    server.serves(&[(name, value)]).await;
    desk.domain(&verify);

    // Whose record is gone loses the domain to whose stands.
    server.serves(&[(name, their_value)]).await;
    assert_says(&desk.domain(&["verify", "--tenant", other, &domain])[1], &json!({ "state": "verified" }));
    assert_says(&state(), &json!({ "state": "claimed" }));
    assert_eq!(told(&acme, "domain.transferred").await, 1);
    // The operator's word is not overruled by a record.
    desk.domain(&["transfer", &domain, "--from", other, "--to", tenant]);
    assert_says(&state(), &json!({ "domain": domain, "state": "vouched for" }));
    let theirs = desk.domain(&["claim", "--tenant", other, &domain]);
    server.serves(&[(name, theirs["record_value"].as_str().unwrap())]).await;
    assert!(desk.refused(&["verify", "--tenant", other, &domain]).contains("belongs to another organization"));
    desk.domain(&["remove", "--tenant", tenant, &domain]);
    assert!(desk.refused(&["remove", "--tenant", tenant, &domain]).contains("has no such domain"));
}

#[tokio::test]
async fn nobody_claims_what_is_everybodys() {
    let acme = Customer::new().await;
    let (operator, tenant) = (Operator::new().await, &acme.slug);
    for (domain, problem) in [
        ("co.uk", "is a public suffix"),
        ("GMail.com", "everybody can have an address at \"gmail.com\""),
        ("acme", "is not a domain name"),
        (acme.domain.as_str(), "is this tenant's already"),
    ] {
        let refused = operator.refusal(&["domain", "claim", "--tenant", tenant, domain]);
        assert!(refused.contains(problem), "{refused}");
    }
    let refused = operator.refusal(&["tenant", "create", &unique("ten"), "--domain", "outlook.com"]);
    assert!(refused.contains("everybody can have an address"), "{refused}");
    let refused = operator.refusal(&["domain", "verify", "--tenant", tenant, "unclaimed.test"]);
    assert!(refused.contains("the tenant claims no such domain"), "{refused}");
}

#[tokio::test]
async fn an_address_leads_to_the_connection_of_its_domain_and_the_operator_sees_why() {
    let acme = Customer::new().await;
    acme.gateway.clock.advance(Duration::seconds(1));
    let second = acme.sibling(&acme.application).await;
    let (operator, tenant) = (Operator::new().await, &acme.slug);
    let more = format!("more.{}", acme.domain);
    operator.json(&["domain", "claim", "--vouch", "--tenant", tenant, &more]);
    let slug: String = sqlx::query_scalar("SELECT slug FROM applications WHERE id = $1::uuid")
        .bind(&acme.application.client_id)
        .fetch_one(&mut superuser().await)
        .await
        .unwrap();
    let route = |address: String| operator.json(&["domain", "route", &address, "--application", &slug]);
    let (own, other) = (acme.connection.to_string(), second.connection.to_string());
    let led = route(format!("Ann@{}", acme.domain.to_uppercase()));
    assert_says(&led, &json!({ "tenant": tenant, "connection": own, "name": "Okta" }));
    assert!(led["why"].as_str().unwrap().contains("is the oldest that names no domain"), "{led}");
    let id = second.connection.to_string();
    let third = format!("third.{}", acme.domain);
    operator.json(&["domain", "claim", "--vouch", "--tenant", tenant, &third]);
    operator.json(&["connection", "sign-in", &id, "--email-domain", &more, "--email-domain", &third]);
    assert_says(&route(format!("ann@{third}")), &json!({ "connection": other }));
    let led = route(format!("ann@{more}"));
    assert_says(&led, &json!({ "tenant": tenant, "connection": other }));
    assert!(led["why"].as_str().unwrap().contains(&format!("names {more} among its mail domains")), "{led}");
    assert_says(&route(format!("ann@{}", acme.domain)), &json!({ "connection": own }));
    let nowhere = route("ann@elsewhere.test".to_owned());
    assert_says(&nowhere, &json!({ "tenant": null, "connection": null }));
    assert_eq!(nowhere["why"], "no organization has proven that elsewhere.test is its own");
}

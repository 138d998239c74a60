//! The operator's command line, run as the operator runs it.

use gateway::clock::Clock;
use harness::{
    browser::Browser,
    customer::Customer,
    gateway_process::{Gateway, migrated, setting, unique},
};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    io::Write,
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
};

/// The built binary stands beside this test program's folder.
pub fn program() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let path = tests.parent().unwrap().parent().unwrap().join("gatehouse");
    assert!(path.exists(), "{} is not built; run `cargo build --workspace --bins` first", path.display());
    path
}

pub struct Operator {
    folder: PathBuf,
}

impl Operator {
    pub async fn new() -> Self {
        migrated().await;
        let folder = std::env::temp_dir().join(unique("gatehouse-cli"));
        std::fs::create_dir_all(&folder).unwrap();
        // The database is shared with the other tests, and so is what seals its keys.
        std::fs::write(folder.join("root.key"), "ghroot_7e577e57_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\n")
            .unwrap();
        Self { folder }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(program());
        command.env_clear().env("PATH", setting("PATH")).env("HOME", &self.folder);
        for name in ["URL", "CONTROL_URL", "OWNER_URL"] {
            let name = format!("GATEHOUSE__DATABASE__{name}");
            command.env(&name, setting(&name));
        }
        command.env("GATEHOUSE__KEYS__ROOT_FILE", self.folder.join("root.key"));
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command().args(arguments).output().unwrap()
    }

    /// Without waiting for the end.
    pub fn start(&self, arguments: &[&str]) -> Child {
        self.command().args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    pub fn json(&self, arguments: &[&str]) -> Value {
        self.json_with(&[], arguments)
    }

    /// With more settings.
    pub fn json_with(&self, settings: &[(&str, &str)], arguments: &[&str]) -> Value {
        let arguments = [arguments, &["-o", "json"]].concat();
        let output = self.command().envs(settings.iter().copied()).args(&arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// What it says to what it reads.
    pub fn reads(&self, settings: &[(&str, &str)], arguments: &[&str], input: &str) -> String {
        let mut command = self.command();
        command.envs(settings.iter().copied()).args(arguments);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    pub fn refusal(&self, arguments: &[&str]) -> String {
        self.refusal_with(&[], arguments)
    }

    /// With more settings.
    pub fn refusal_with(&self, settings: &[(&str, &str)], arguments: &[&str]) -> String {
        let output = self.command().envs(settings.iter().copied()).args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(output.stdout.is_empty(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stdout));
        String::from_utf8(output.stderr).unwrap()
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.folder));
    }
}

#[tokio::test]
async fn an_operator_sets_up_an_application_a_tenant_and_a_connection() {
    let operator = Operator::new().await;
    let (app, tenant) = (unique("app"), unique("ten"));
    let domain = format!("{tenant}.test");
    let uri = "https://app.test/callback";
    let create = ["application", "create", &app, "--redirect-uri", uri, "--role", "ADMIN", "--role", "USER"];
    let application = operator.json(&create);
    assert_eq!(application["roles"], serde_json::json!(["ADMIN", "USER"]));
    assert!(application["client_secret"].as_str().unwrap().starts_with("ghsec_"));
    assert_eq!(operator.json(&["application", "show", &app])["client_secret"], Value::Null, "shown once");
    let refused = operator.refusal(&create);
    assert!(refused.contains(&format!("\"{app}\" is taken")), "{refused}");

    operator.json(&["tenant", "create", &tenant, "--name", "Acme", "--domain", &domain]);
    assert_eq!(operator.json(&["tenant", "show", &tenant])["domains"], serde_json::json!([domain]));
    let other = operator.refusal(&["tenant", "create", &unique("ten"), "--domain", &domain]);
    assert!(other.contains(&domain), "a domain has one owner: {other}");

    let connection = operator.json(&["connection", "create", "--tenant", &tenant, "--application", &app]);
    let id = connection["id"].as_str().unwrap();
    assert_eq!(connection["acs_url"], format!("http://localhost:8080/c/{id}/saml/acs"));
    assert_eq!(connection["scim_base_url"], format!("http://localhost:8080/c/{id}/scim/v2"));
    let listed = operator.json(&["connection", "list", "--tenant", &tenant]);
    assert_eq!(listed.as_array().map(Vec::len), Some(1));

    let token = operator.json(&["token", "create", id]);
    let token_id = token["id"].as_str().unwrap();
    assert!(token["token"].as_str().unwrap().starts_with("ghscim_"));
    assert_eq!(operator.json(&["token", "list", id])[0]["revoked_at"], Value::Null);
    operator.run(&["token", "revoke", id, token_id]);
    assert_ne!(operator.json(&["token", "list", id])[0]["revoked_at"], Value::Null);
    assert!(operator.refusal(&["token", "revoke", id, token_id]).contains("no live token"));
    assert!(
        operator.refusal(&["connection", "show", &uuid::Uuid::now_v7().to_string()]).contains("there is no connection")
    );
}

#[tokio::test]
async fn an_identity_provider_is_given_by_metadata_or_by_three_fields() {
    let acme = Customer::new().await;
    let operator = Operator::new().await;
    let id = acme.connection.to_string();
    let (metadata, certificate) = (operator.folder.join("idp.xml"), operator.folder.join("idp.pem"));
    std::fs::write(&metadata, acme.idp.metadata()).unwrap();
    std::fs::write(&certificate, acme.idp.key().certificate_pem()).unwrap();
    let by_metadata = operator.json(&["connection", "idp", &id, "--metadata-file", metadata.to_str().unwrap()]);
    let (sso, issuer) = (acme.idp.sso_url(), acme.idp.entity_id());
    let fields = ["connection", "idp", &id, "--sso-url", &sso, "--issuer", &issuer, "--certificate-file"];
    let by_fields = operator.json(&[&fields[..], &[certificate.to_str().unwrap()]].concat());
    for field in ["idp_issuer", "idp_sso_url", "idp_certificates"] {
        assert_eq!(by_metadata[field], by_fields[field], "{field}");
    }
    assert_eq!((&by_metadata["idp_slo_url"], &by_fields["idp_slo_url"]), (&json!(acme.idp.slo_url()), &Value::Null));
    let with_logout = ["--slo-url", "https://idp.test/slo", "--binding", "post"];
    let with_logout = operator.json(&[&fields[..], &[certificate.to_str().unwrap()], &with_logout[..]].concat());
    assert_eq!(with_logout["idp_slo_url"], "https://idp.test/slo");
    let wrong = operator.refusal(&[&fields[..], &[metadata.to_str().unwrap()]].concat());
    assert!(wrong.contains("certificate"), "{wrong}");
}

#[tokio::test]
async fn an_operator_changes_an_application_and_gives_other_names() {
    let acme = Customer::new().await;
    let operator = Operator::new().await;
    let (slug, client) = (acme.application.slug.as_str(), acme.application.client_id.as_str());
    let set =
        ["application", "set", slug, "--backchannel-logout-uri", "https://app.test/out", "--idle-seconds", "1800"];
    let changed = operator.json(&set);
    assert_eq!(changed["backchannel_logout_uri"], "https://app.test/out", "{changed}");
    let wrong = operator.refusal(&["application", "set", slug, "--backchannel-logout-uri", "http://*.test/out"]);
    assert!(wrong.contains("http://*.test/out"), "{wrong}");
    let fresh = operator.json(&["application", "rotate-secret", slug]);
    assert!(fresh["client_secret"].as_str().unwrap().starts_with("ghsec_"), "{fresh}");
    let own = [("grant_type", "client_credentials")];
    let old = acme.post_as(&acme.application, "/oauth2/token", &own).await;
    assert_eq!(old.error(), (401, "invalid_client"), "the old secret is worth nothing");
    let (other, org) = (unique("5f4fmec2"), unique("org"));
    operator.json(&["application", "alias", slug, &other]);
    assert!(operator.refusal(&["application", "alias", slug, client]).contains("another name"));
    let id = acme.connection.to_string();
    let names = operator.json(&["alias", "add", &org, "--tenant", &acme.slug, "--connection", &id]);
    assert_eq!(names[0]["name"], json!(org), "{names}");
    assert!(operator.refusal(&["alias", "add", &org, "--tenant", &acme.slug]).contains(&org));
    assert!(operator.refusal(&["alias", "add", &acme.slug, "--tenant", &acme.slug]).contains(&acme.slug));
    let names = operator.json(&["alias", "remove", &org, "--tenant", &acme.slug]);
    assert_eq!(names, json!([]));
    assert!(operator.refusal(&["alias", "remove", &org, "--tenant", &acme.slug]).contains("alias list"));
    let sign_in = ["connection", "sign-in", &id, "--universal-logout", "https://acme.okta.com/"];
    operator.run(&sign_in);
    let shown = operator.json(&["connection", "show", &id]);
    assert_eq!(shown["universal_logout"]["issuer"], "https://acme.okta.com", "{shown}");
}

#[tokio::test]
async fn an_operator_sees_who_is_signed_in_and_ends_that() {
    // The machine's clock, as the operator's: whoever begins to sign in before all are out stays out.
    let acme = Customer::of(&Gateway::start_with(Clock::System, |_| {}).await).await;
    let operator = Operator::new().await;
    let (ann, bob) = (acme.user("ann"), acme.user("bob"));
    let (mut browsers, mut sessions) = (Vec::new(), Vec::new());
    for user in [&ann, &bob] {
        acme.assign(user).await;
        let browser = Browser::new();
        sessions.push(acme.sign_in(&browser, &user.email).await.id_claims()["sid"].as_str().unwrap().to_owned());
        browsers.push(browser);
    }
    let list = || operator.json(&["session", "list", "--tenant", &acme.slug]);
    let listed = list();
    assert_eq!(listed.as_array().map(Vec::len), Some(2), "{listed}");
    let of_ann = listed.as_array().unwrap().iter().find(|session| session["user_name"] == json!(ann.email)).unwrap();
    assert_eq!((&of_ann["id"], &of_ann["proof"]), (&json!(sessions[0]), &json!("assertion")));
    let one = ["session", "revoke", "--tenant", &acme.slug, "--session", &sessions[0]];
    assert!(operator.run(&one).status.success());
    assert!(operator.refusal(&one).contains("gatehouse session list"));
    assert!(!acme.knows(&browsers[0]).await && acme.knows(&browsers[1]).await);
    let id = acme.connection.to_string();
    for (what, name) in [("tenant", acme.slug.as_str()), ("connection", id.as_str())] {
        assert!(operator.run(&[what, "suspend", name]).status.success(), "{what}");
        let page = Browser::new().get(&acme.authorize_url(&[])).await;
        assert_eq!(page.code(), Some("GH-CON-002"), "{what}");
        assert_eq!(list(), json!([]), "{what}");
        assert!(operator.run(&[what, "resume", name]).status.success(), "{what}");
        acme.sign_in(&browsers[1], &bob.email).await;
    }
    // It says nothing of other tenants, nor of those that are not there.
    assert!(operator.refusal(&["session", "list", "--tenant", "nobody"]).contains("nobody"));
    let keys = operator.json(&["key", "tokens"]);
    let stages: Vec<&str> = keys.as_array().unwrap().iter().map(|key| key["stage"].as_str().unwrap()).collect();
    assert!(stages.contains(&"current") && !keys.to_string().contains("PRIVATE"), "{keys}");
}

#[tokio::test]
async fn an_operator_ends_all_sessions_of_a_user_of_a_connection_or_of_an_organization() {
    let (operator, acme) = (Operator::new().await, Customer::new().await);
    let board = acme.sibling(&acme.gateway.application("https://board.test/callback", |_| {}).await).await;
    let other = Customer::of(&acme.gateway).await;
    let (ann, bob, eve) = (acme.user("ann"), acme.user("bob"), other.user("eve"));
    let mut entered = Vec::new();
    for (place, user) in [(&acme, &ann), (&acme, &bob), (&board, &ann), (&board, &bob), (&other, &eve)] {
        place.assign(user).await;
        let browser = Browser::new();
        let id = place.sign_in(&browser, &user.email).await.id_claims();
        entered.push((place, browser, id));
    }
    let live = async || {
        let mut live = Vec::new();
        for (place, browser, _) in &entered {
            live.push(place.knows(browser).await);
        }
        live
    };
    let said = |number: usize, claim: &str| entered[number].2[claim].as_str().unwrap().to_owned();
    let (user, connection, board) = (said(0, "sub"), acme.connection.to_string(), board.connection.to_string());
    let of_user = || {
        let listed = operator.json(&["session", "list", "--tenant", &acme.slug, "--user", &user]);
        let pair = |one: &Value| ["id", "connection_id"].map(|name| one[name].as_str().unwrap().to_owned());
        listed.as_array().unwrap().iter().map(pair).collect::<BTreeSet<_>>()
    };
    let both = [[said(0, "sid"), connection.clone()], [said(2, "sid"), board]];
    assert_eq!(of_user(), BTreeSet::from(both), "in both of the applications, and nobody else's");

    let revoke = |slug: &str, which: &[&str]| {
        let output = operator.run(&[&["session", "revoke", "--tenant", slug][..], which].concat());
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    // Whose is to be said, once; and what is another organization's is not there.
    let unclear: [&[&str]; 2] = [&[], &["--user", &user, "--all"]];
    for which in unclear {
        assert_eq!(revoke(&acme.slug, which).0, Some(2), "{which:?}");
    }
    for which in [["--user", &user], ["--connection", &connection]] {
        assert_eq!(revoke(&other.slug, &which), (Some(0), "Ended 0 session(s).\n".to_owned()), "{which:?}");
    }
    assert_eq!(live().await, [true; 5]);
    let turns: [(&[&str], usize, [bool; 5]); 3] = [
        (&["--user", &user], 2, [false, true, false, true, true]),
        (&["--connection", &connection], 1, [false, false, false, true, true]),
        (&["--all"], 1, [false, false, false, false, true]),
    ];
    for (which, ended, left) in turns {
        assert_eq!(revoke(&acme.slug, which), (Some(0), format!("Ended {ended} session(s).\n")), "{which:?}");
        assert_eq!(live().await, left, "{which:?}");
        assert_eq!(of_user(), BTreeSet::new(), "{which:?}");
    }
}

#[tokio::test]
async fn every_mistake_in_the_settings_is_told_at_once_and_no_secret_is_shown() {
    let operator = Operator::new().await;
    let mut command = operator.command();
    command
        .args(["check"])
        .env("GATEHOUSE__SERVER__LISTEN", "everywhere")
        .env("GATEHOUSE__SERVER__PUBLIC_URL", "http://sso.example.com/path")
        .env("GATEHOUSE__DATABASE__MAX_CONNECTIONS", "0")
        .env("GATEHOUSE__LOG__FORMAT", "xml")
        .env("GATEHOUSE__SERVER__LISTN", "127.0.0.1:1")
        .env("GATEHOUSE__KEYS__ROOT", "not-a-root-key-canary");
    let output = command.output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    for part in
        ["server.listen", "server.public_url", "database.max_connections", "log.format", "server.listn", "keys.root"]
    {
        assert!(error.contains(part), "{part} is missing in: {error}");
    }
    assert!(!error.contains("canary"), "{error}");
}

#[tokio::test]
async fn check_prints_the_settings_without_secrets_and_finds_a_wrong_login() {
    let operator = Operator::new().await;
    let output = operator.run(&["check"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("http://localhost:8080") && text.contains("Everything fits"), "{text}");
    let password = setting("GATEHOUSE__DATABASE__URL").split(['/', ':', '@']).nth(4).unwrap().to_owned();
    assert!(password.len() > 8 && !text.contains(&password), "{text}");

    let mut command = operator.command();
    let owner = setting("GATEHOUSE__DATABASE__OWNER_URL");
    let output = command.arg("check").env("GATEHOUSE__DATABASE__URL", owner).output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && error.contains("owns tables") && error.contains("gate_app"), "{error}");
}

#[tokio::test]
async fn an_unknown_root_key_refuses_to_start() {
    let operator = Operator::new().await;
    let acme = Customer::new().await;
    let other = operator.run(&["key", "generate"]);
    let mut command = operator.command();
    command
        .env_remove("GATEHOUSE__KEYS__ROOT_FILE")
        .env("GATEHOUSE__KEYS__ROOT", String::from_utf8(other.stdout).unwrap());
    let output = command.args(["check"]).output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && error.contains("7e577e57"), "{error} {}", acme.connection);
}

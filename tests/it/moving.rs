//! Tenants whose people signed in otherwise are moved over to their identity provider, and nobody is locked out.

use crate::{cli::Operator, saml::modes, scim::assert_says};
use gateway::{
    saml::settings::Jit,
    setup::{self, applications::ApplicationSpec, break_glass},
};
use harness::{
    browser::{Browser, Page},
    customer::{Customer, superuser},
    gateway_process::{Gateway, unique},
    sign_in::{claims, code_of},
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use simulator::directory::DirectoryUser;
use time::Duration;

const OWN: &str = "https://app.test/sign-in";

async fn movable(gateway: &std::sync::Arc<Gateway>) -> Customer {
    let own = |spec: &mut ApplicationSpec| spec.settings.own_login_uri = Some(OWN.to_owned());
    let application = gateway.application("https://app.test/callback", own).await;
    Customer::entering(gateway, application).await
}

/// What the login page answers to an address.
async fn led(acme: &Customer, email: &str) -> Page {
    let asked = acme.authorize_url(&[("tenant", None)]).split_once('?').unwrap().1.to_owned();
    Browser::new().post(&format!("{}/login", acme.gateway.url), &[("asked", &asked), ("email", email)]).await
}

async fn tenant(acme: &Customer, command: &str, arguments: &[&str]) -> Value {
    Operator::new().await.json(&[&["tenant", command, &acme.slug], arguments].concat())
}

async fn assign_as(acme: &Customer, name: &str, role: &str) -> DirectoryUser {
    let user = acme.user(name);
    acme.idp.add_user(user.clone());
    let body =
        json!({ "userName": user.user_name, "externalId": user.id, "role": role, "emails": [{ "value": user.email }] });
    acme.scim(Method::POST, "/Users", Some(body)).await.document(201);
    user
}

fn csv(acme: &Customer, lines: &[(&str, &str)]) -> String {
    let file = std::env::temp_dir().join(unique("methods")).with_extension("csv");
    let lines: Vec<String> = lines.iter().map(|(name, method)| format!("{name}@{},{method}\n", acme.domain)).collect();
    std::fs::write(&file, format!("email,method\n{}", lines.concat())).unwrap();
    file.to_str().unwrap().to_owned()
}

#[tokio::test]
async fn people_who_signed_in_otherwise_come_by_the_identity_provider() {
    let acme = movable(&Gateway::start().await).await;
    let clock = &acme.gateway.clock;
    let file = csv(&acme, &[("ann", "Google"), ("ben", "password"), ("cid", "password")]);
    let import = async || Operator::new().await.json(&["user", "import", "--tenant", &acme.slug, &file]);
    assert_says(&import().await, &json!({ "new": 3 }));
    let (ann, ben) = (assign_as(&acme, "ann", "ADMINISTRATOR").await, assign_as(&acme, "ben", "ANALYST").await);

    // Both ways for a while, and every address of the domain is answered alike.
    let direct = led(&acme, &ann.email).await;
    assert!(direct.status.is_redirection(), "not before somebody wants it: {}", direct.shown());
    assert_says(
        &tenant(&acme, "both-ways", &[]).await,
        &json!({ "sign_in": "both", "sign_in_methods": { "google": 1, "password": 2 } }),
    );
    let pages = [led(&acme, &ann.email).await, led(&acme, &format!("ghost@{}", acme.domain)).await];
    let [known, unknown] = pages.map(|page| {
        assert_eq!(page.status, StatusCode::OK);
        assert!(
            page.text.contains(&format!("href=\"{OWN}\"")) && page.text.contains("/oauth2/authorize?"),
            "{}",
            page.text
        );
        page.shown().replace("ghost%40", "ann%40")
    });
    assert_eq!(known, unknown);

    // Only who has just come by it can have it closed, and an administrator at that.
    let refusal = async |by: &str| Operator::new().await.refusal(&["tenant", "sso-only", &acme.slug, "--by", by]);
    assert!(refusal(&ann.email).await.contains("within 15 minutes"));
    acme.sign_in(&Browser::new(), &ben.email).await;
    assert!(refusal(&ben.email).await.contains("within 15 minutes"), "no administrator");
    assert!(refusal("nobody@acme.test").await.contains("has nobody"));
    acme.sign_in(&Browser::new(), &ann.email).await;
    clock.advance(Duration::minutes(16));
    let late =
        setup::moving::sso_only(&acme.gateway.app.store, clock.now(), acme.tenant, user(&acme, &ann).await).await;
    assert!(late.unwrap_err().to_string().contains("within 15 minutes"));
    assert_eq!(led(&acme, &ann.email).await.status, StatusCode::OK, "still both");
    acme.sign_in(&Browser::new(), &ann.email).await;
    let done =
        setup::moving::sso_only(&acme.gateway.app.store, clock.now(), acme.tenant, user(&acme, &ann).await).await;
    assert_eq!(done.unwrap().codes.len(), 8);
    let again =
        setup::moving::sso_only(&acme.gateway.app.store, clock.now(), acme.tenant, user(&acme, &ann).await).await;
    assert_eq!(again.unwrap().codes.len(), 0, "she has some");
    assert!(led(&acme, &ann.email).await.status.is_redirection());

    // Who came is told once; a file that comes again does not say otherwise.
    let moved = acme.events("user.sign_in_moved").await;
    let from: Vec<&Value> = moved.iter().map(|event| &event["data"]["from"]).collect();
    assert_eq!(from, [&json!("password"), &json!("google")]);
    import().await;
    let shown = tenant(&acme, "show", &[]).await;
    assert_says(&shown, &json!({ "sign_in": "sso", "sign_in_methods": { "sso": 2, "password": 1 } }));
    let bad = csv(&acme, &[("dan", "sso")]);
    let refused = Operator::new().await.refusal(&["user", "import", "--tenant", &acme.slug, &bad]);
    assert!(refused.contains("user 1") && refused.contains("sso"), "{refused}");
}

async fn user(acme: &Customer, person: &DirectoryUser) -> domain::ids::UserId {
    let query = "SELECT user_id FROM accounts WHERE connection_id = $1 AND user_name = $2";
    let query = sqlx::query_scalar(query).bind(acme.connection.0).bind(&person.user_name);
    domain::ids::UserId(query.fetch_one(&mut superuser().await).await.unwrap())
}

/// Codes of somebody.
async fn codes(acme: &Customer, account: &str) -> Vec<String> {
    let (store, now) = (&acme.gateway.app.store, acme.gateway.clock.now());
    break_glass::create(store, now, acme.connection, account.parse().unwrap()).await.unwrap()
}

async fn enters(acme: &Customer, browser: &Browser, name: &str, code: &str) -> Page {
    browser.post(&acme.url("/break-glass"), &[("email", name), ("code", code)]).await
}

fn is_refused(page: &Page) -> bool {
    page.status == StatusCode::OK && page.text.contains("do not belong together")
}

#[tokio::test]
async fn a_printed_code_gets_past_an_identity_provider_once() {
    let acme = Customer::new().await;
    let (ann, ben) = (acme.user("ann"), acme.user("ben"));
    let (account, other) = (acme.assign(&ann).await, acme.assign(&ben).await);
    let sheet = codes(&acme, &account).await;
    let theirs = codes(&acme, &other).await;
    let browser = Browser::new();
    let form = browser.get(&acme.url("/break-glass")).await;
    assert!(form.shown().contains("emergency code"), "{}", form.shown());
    for (name, code) in [
        (ann.email.as_str(), "AAAA-BBBB-CCCC-DDDD-EEEE"),
        (&ann.email, &theirs[0]),
        (&ben.email, &sheet[0]),
        ("nobody@acme.test", &sheet[0]),
    ] {
        assert!(is_refused(&enters(&acme, &browser, name, code).await), "{name} {code}");
    }
    let page = enters(&acme, &browser, &ann.email, &sheet[0].to_lowercase().replace('-', " ")).await;
    assert!(!is_refused(&page), "{}", page.shown());
    let code = code_of(browser.get(&acme.authorize_url(&[])).await.redirect());
    let tokens = acme.redeem(&code).await;
    let told = tokens.id_claims();
    assert_says(&told, &json!({ "acr": "urn:gatehouse:break-glass", "amr": ["otp"] }));
    assert_eq!(told.get("idp"), None, "no identity provider said so");
    let listed = Operator::new().await.json(&["session", "list", "--tenant", &acme.slug]);
    assert_says(&listed[0], &json!({ "proof": "emergency code" }));
    let alarm = acme.events("break_glass.used").await;
    assert_says(&alarm[0]["data"], &json!({ "account_id": account, "codes_left": 7 }));
    assert!(is_refused(&enters(&acme, &Browser::new(), &ann.email, &sheet[0]).await), "once");
    // Eight at once with one code: one gets in.
    let all = (0..8).map(|_| async { enters(&acme, &Browser::new(), &ann.user_name, &sheet[1]).await });
    futures_util::future::join_all(all).await;
    assert_eq!(acme.events("break_glass.used").await.len(), 2);

    acme.gateway.clock.advance(Duration::minutes(61));
    assert!(!acme.knows(&browser).await, "for an hour");
    assert!(!acme.is_active(tokens.text("refresh_token")).await);
    assert!(claims(tokens.text("id_token"))["session_expiry"].as_i64().unwrap() > 0);
}

#[tokio::test]
async fn codes_end_with_whoever_has_them_and_guessing_is_slow() {
    let acme = Customer::new().await;
    let ann = acme.user("ann");
    let account = acme.assign(&ann).await;
    let sheet = codes(&acme, &account).await;
    let operator = async |arguments: &[&str]| Operator::new().await.json(&[&["break-glass"], arguments].concat());
    let listed = operator(&["list", "--tenant", &acme.slug]).await;
    assert_says(&listed[0], &json!({ "user_name": ann.user_name, "left": 8, "used": 0, "last_used_at": null }));
    let printed = operator(&["create", &acme.connection.to_string(), &ann.email]).await;
    let new = printed["codes"][0].as_str().unwrap().to_owned();
    assert!(printed["url"].as_str().unwrap().ends_with("/break-glass"));
    assert!(is_refused(&enters(&acme, &Browser::new(), &ann.email, &sheet[0]).await), "an older sheet");
    let turn = async |active: bool| {
        let body = json!({ "Operations": [{ "op": "replace", "value": { "active": active } }] });
        acme.scim(Method::PATCH, &format!("/Users/{account}"), Some(body)).await.document(200);
    };
    turn(false).await;
    assert!(is_refused(&enters(&acme, &Browser::new(), &ann.email, &new).await), "who is out stays out");
    turn(true).await;
    let (store, now) = (&acme.gateway.app.store, acme.gateway.clock.now());
    setup::sessions::suspend(store, now, acme.tenant, Some(acme.connection), setup::sessions::Entry::Suspended)
        .await
        .unwrap();
    let page = enters(&acme, &Browser::new(), &ann.email, &new).await;
    assert_eq!(page.code(), Some("GH-CON-002"), "{}", page.shown());
    setup::sessions::suspend(store, now, acme.tenant, Some(acme.connection), setup::sessions::Entry::Open)
        .await
        .unwrap();
    // Five wrong ones from one place, and not even a right one is heard for a while.
    for _ in 0..3 {
        enters(&acme, &Browser::new(), &ann.email, "AAAA-BBBB-CCCC-DDDD-EEEE").await;
    }
    let page = enters(&acme, &Browser::new(), &ann.email, &new).await;
    assert!(page.shown().contains("too many attempts"), "{}", page.shown());
    let ben = acme.user("ben");
    let other = acme.assign(&ben).await;
    let sheet = codes(&acme, &other).await;
    let ended = Operator::new().await.run(&["break-glass", "revoke", &acme.connection.to_string(), &ben.email]);
    assert!(ended.status.success() && String::from_utf8_lossy(&ended.stdout).contains("Ended 8"));
    assert!(is_refused(&enters(&acme, &Browser::new(), &ben.email, &sheet[0]).await));
}

#[tokio::test]
async fn a_link_ties_an_account_of_the_identity_provider_to_whom_the_application_knows() {
    let acme = Customer::new().await;
    let (store, now) = (&acme.gateway.app.store, acme.gateway.clock.now());
    let file = csv(&acme, &[("known", "password"), ("second", "password")]);
    Operator::new().await.json(&["user", "import", "--tenant", &acme.slug, &file]);
    let known = async |name: &str| {
        let found =
            Operator::new().await.json(&["user", "show", "--tenant", &acme.slug, &format!("{name}@{}", acme.domain)]);
        found[0]["id"].as_str().unwrap().to_owned()
    };
    let (first, second) = (known("known").await, known("second").await);
    // At the identity provider they have another address.
    let ann = DirectoryUser::new(&format!("a.smith@{}", acme.domain), "Ann", "Smith");
    acme.assign(&ann).await;
    let before = acme.sign_in(&Browser::new(), &ann.email).await;
    assert_ne!(before.id_claims()["sub"], json!(first));
    let link = async |user: &str| {
        let id = acme.connection.to_string();
        let made = Operator::new().await.json(&["user", "link", "--tenant", &acme.slug, user, "--connection", &id]);
        made["link"].as_str().unwrap().to_owned()
    };
    let follow = async |browser: &Browser, link: &str, email: &str| {
        let code = link.rsplit('/').next().unwrap();
        let address = format!("{}/invite/{code}", acme.gateway.url);
        let page = browser.get(&address).await;
        assert!(page.shown().contains("Link your company account"), "{}", page.shown());
        let page = browser.send(|http| http.post(&address)).await;
        let posted = acme.idp.sign_in(page.redirect(), email).await.unwrap();
        let page = acme.post_response(browser, &posted.saml_response).await;
        browser.get(page.redirect()).await
    };
    let (browser, address) = (Browser::new(), link(&first).await);
    let page = follow(&browser, &address, &ann.email).await;
    assert!(page.status.is_redirection() || page.shown().contains("signed in"), "{}", page.shown());
    let code = code_of(browser.get(&acme.authorize_url(&[])).await.redirect());
    assert_eq!(acme.redeem(&code).await.id_claims()["sub"], json!(first), "the application knows them by this id");
    assert!(!acme.is_active(before.text("refresh_token")).await, "who they were is nobody any more");
    assert_eq!(acme.sign_in(&Browser::new(), &ann.email).await.id_claims()["sub"], json!(first));
    let code = address.rsplit('/').next().unwrap();
    let again = Browser::new().get(&format!("{}/invite/{code}", acme.gateway.url)).await;
    assert_eq!(again.code(), Some("GH-INV-002"), "{}", again.shown());

    // Who is somebody already is not made somebody else.
    let page = follow(&Browser::new(), &link(&second).await, &ann.email).await;
    assert_eq!(page.code(), Some("GH-USR-013"), "{}", page.shown());
    assert_eq!(acme.sign_in(&Browser::new(), &ann.email).await.id_claims()["sub"], json!(first));
    // Also where only those come who are invited, and the address is another one.
    let board = acme.gateway.application("https://board.test/callback", |_| {}).await;
    let board = acme.sibling(&board).await;
    modes::set(&board, |settings| settings.jit = Jit::Invited).await;
    let eve = DirectoryUser::new(&format!("e.smith@{}", acme.domain), "Eve", "Smith");
    board.idp.add_user(eve.clone());
    let id = board.connection.to_string();
    let made = Operator::new().await.json(&["user", "link", "--tenant", &acme.slug, &second, "--connection", &id]);
    let (browser, address) = (Browser::new(), made["link"].as_str().unwrap().to_owned());
    let code = address.rsplit('/').next().unwrap();
    let page = browser.send(|http| http.post(format!("{}/invite/{code}", acme.gateway.url))).await;
    let posted = board.idp.sign_in(page.redirect(), &eve.email).await.unwrap();
    let page = board.post_response(&browser, &posted.saml_response).await;
    browser.get(page.redirect()).await;
    assert_eq!(board.sign_in(&Browser::new(), &eve.email).await.id_claims()["sub"], json!(second));
    // It works for a day.
    let late = link(&second).await;
    acme.gateway.clock.advance(Duration::days(2));
    let code = late.rsplit('/').next().unwrap();
    let late = Browser::new().get(&format!("{}/invite/{code}", acme.gateway.url)).await;
    assert_eq!(late.code(), Some("GH-INV-001"), "{}", late.shown());
    let unknown = setup::invitations::link(store, now, acme.connection, domain::ids::UserId(uuid::Uuid::nil())).await;
    assert!(matches!(unknown, Err(gateway::error::Error::NotFound)));
}

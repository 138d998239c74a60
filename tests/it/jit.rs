//! Accounts that come by signing in, and profiles that follow sign-ins until SCIM keeps them.

use crate::{cli::Operator, saml::trace, scim::assert_says};
use domain::email::Email;
use gateway::{setup, watch};
use harness::{
    customer::{Customer, superuser},
    gateway_process::unique,
    sign_in::{TokenAnswer, Waiting},
};
use reqwest::Method;
use serde_json::{Value, json};
use simulator::{directory::DirectoryUser, idp::response::ResponseBuilder};
use time::Duration;
use tokio::task::JoinSet;

const TRANSIENT: &str = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient";

/// A customer whose connection takes who signs in.
async fn taking(mode: &str) -> Customer {
    let acme = Customer::new().await;
    jit(&acme, mode).await;
    acme
}

async fn jit(acme: &Customer, mode: &str) -> Value {
    operate(acme, &["connection", "sign-in", "CONNECTION", "--jit", mode]).await
}

/// Runs a command about the connection.
async fn operate(acme: &Customer, arguments: &[&str]) -> Value {
    let id = acme.connection.to_string();
    let arguments: Vec<&str> =
        arguments.iter().map(|argument| if *argument == "CONNECTION" { &id } else { *argument }).collect();
    Operator::new().await.json(&arguments)
}

async fn of_tenant(acme: &Customer, arguments: &[&str]) -> Value {
    Operator::new().await.json(&[arguments, &["--tenant", &acme.slug]].concat())
}

fn answer<'a>(waiting: &Waiting<'a>, change: impl FnOnce(ResponseBuilder) -> ResponseBuilder) -> String {
    waiting.signed(&change(waiting.honest()))
}

async fn enters(
    acme: &Customer,
    user: &DirectoryUser,
    change: impl FnOnce(ResponseBuilder) -> ResponseBuilder,
) -> TokenAnswer {
    let waiting = acme.waiting(user).await;
    waiting.gets_in(&answer(&waiting, change)).await
}

async fn stays_out(
    acme: &Customer,
    user: &DirectoryUser,
    change: impl FnOnce(ResponseBuilder) -> ResponseBuilder,
    code: &str,
) -> String {
    let waiting = acme.waiting(user).await;
    waiting.is_refused_at_finish(&answer(&waiting, change), code).await;
    trace::steps(acme).await.pop().and_then(|step| step.expected).unwrap_or_default()
}

fn same(response: ResponseBuilder) -> ResponseBuilder {
    response
}

fn sub(tokens: &TokenAnswer) -> String {
    tokens.id_claims()["sub"].as_str().unwrap().to_owned()
}

/// The users that SCIM shows.
async fn users(acme: &Customer) -> Vec<Value> {
    acme.scim(Method::GET, "/Users?sortBy=userName", None).await.document(200)["Resources"].as_array().unwrap().clone()
}

async fn members(acme: &Customer) -> Value {
    Operator::new().await.json(&["tenant", "show", &acme.slug])["members"][0].clone()
}

#[tokio::test]
async fn who_signs_in_is_created_where_the_connection_wants_that() {
    let acme = Customer::new().await;
    let ann = acme.user("ann");
    let expected = stays_out(&acme, &ann, same, "GH-SAML-1004").await;
    assert!(expected.contains("(--jit off)"), "{expected}");
    jit(&acme, "create").await;
    let tokens = enters(&acme, &ann, |response| response.attribute("id", "00u-ann")).await;
    assert_says(&tokens.id_claims(), &json!({ "email": ann.email, "email_verified": true, "roles": ["ANALYST"] }));
    let [created] = &users(&acme).await[..] else { panic!("one user") };
    assert_says(
        created,
        &json!({
            "userName": ann.user_name, "externalId": "00u-ann", "active": true,
            "name": { "givenName": ann.first_name, "familyName": ann.last_name },
            "emails": [{ "value": ann.email, "primary": true, "type": "work" }],
        }),
    );
    assert_says(&acme.events("user.created").await[0]["data"], &json!({ "rule": "sign_in", "role": "ANALYST" }));
    assert_eq!(sub(&enters(&acme, &ann, same).await), sub(&tokens));
    assert_eq!((users(&acme).await.len(), acme.events("user.updated").await.len()), (1, 0), "nothing new");
    assert_says(&members(&acme).await, &json!({ "active": 1, "unlinked": 0, "invited": 0 }));

    // A name for one time names nobody, and another's name is not there for the taking.
    let eve = acme.user("eve");
    let passing = |response: ResponseBuilder| response.name_id(&unique("t")).name_id_format(TRANSIENT);
    assert!(stays_out(&acme, &eve, passing, "GH-SAML-1004").await.contains("transient"));
    let mut guest = acme.user("guest");
    guest.email = "guest@elsewhere.test".to_owned();
    guest.user_name.clone_from(&guest.email);
    enters(&acme, &guest, same).await;
    let expected = stays_out(&acme, &guest, |response| response.name_id(&unique("00u")), "GH-SAML-1004").await;
    assert!(expected.contains("somebody else"), "{expected}");
}

#[tokio::test]
async fn a_profile_follows_sign_ins_until_scim_keeps_it() {
    let acme = taking("create").await;
    let ann = acme.user("ann");
    let with_id = |response: ResponseBuilder| response.attribute("id", "00u-ann");
    let first = sub(&enters(&acme, &ann, with_id).await);
    let mut married = acme.user("ann.smith");
    married.last_name = "Smith".to_owned();
    assert_eq!(sub(&enters(&acme, &married, with_id).await), first, "the same by what is sent as id");
    let [known] = &users(&acme).await[..] else { panic!("one user") };
    assert_says(known, &json!({ "userName": married.user_name, "name": { "familyName": "Smith" } }));
    assert_eq!(known["emails"][0]["value"], json!(married.email));
    let found = acme.scim(Method::GET, "/Users?filter=name.familyName%20eq%20%22smith%22", None).await.document(200);
    assert_eq!(found["totalResults"], 1, "the index follows");
    assert_says(&acme.events("user.linked").await.pop().unwrap()["data"], &json!({ "rule": "name_id" }));
    // Whoever gets the old address is somebody else.
    let mut successor = ann.clone();
    successor.id = unique("00u");
    assert_ne!(sub(&enters(&acme, &successor, same).await), first);

    // Okta's provisioning is turned on: it finds who is there, and everything is its own from then on.
    let id = known["id"].as_str().unwrap();
    let filter = format!("/Users?filter=userName%20eq%20%22{}%22", married.user_name);
    assert_eq!(acme.scim(Method::GET, &filter, None).await.document(200)["Resources"][0]["id"], json!(id));
    let put = json!({ "userName": married.user_name, "name": { "givenName": "Anna", "familyName": "S." },
        "emails": [{ "value": married.email, "primary": true }], "active": true });
    acme.scim(Method::PUT, &format!("/Users/{id}"), Some(put)).await.document(200);
    assert_eq!(sub(&enters(&acme, &married, same).await), first, "without being assigned anew");
    let kept = acme.scim(Method::GET, &format!("/Users/{id}"), None).await.document(200);
    assert_says(&kept, &json!({ "name": { "givenName": "Anna", "familyName": "S." } }));
    let expected = stays_out(&acme, &acme.user("new"), same, "GH-SAML-1004").await;
    assert!(expected.contains("whom SCIM brought"), "{expected}");
    let shown = operate(&acme, &["connection", "show", "CONNECTION"]).await;
    assert!(shown["scim_since"].is_string() && shown["jit"] == "create", "{shown}");
    // Who is deleted does not come back by signing in, unless SCIM is over.
    acme.scim(Method::DELETE, &format!("/Users/{id}"), None).await;
    stays_out(&acme, &married, same, "GH-SAML-1004").await;
    assert!(jit(&acme, "create").await["scim_since"].is_string());
    let over = operate(&acme, &["connection", "sign-in", "CONNECTION", "--scim-is-over"]).await;
    assert!(over["scim_since"].is_null(), "{over}");
    assert_ne!(sub(&enters(&acme, &married, same).await), first);
}

#[tokio::test]
async fn groups_of_an_assertion_count_until_scim_keeps_the_users() {
    let acme = taking("create").await;
    let rules = ["connection", "roles", "CONNECTION", "--rule", "Engineering=DEVELOPER", "--rule", "Staff=DESIGNER"];
    operate(&acme, &rules).await;
    let ann = acme.user("ann");
    let roles = async |groups: &[&str]| {
        let tokens = enters(&acme, &ann, |response| response.attribute_values("groups", groups)).await;
        tokens.id_claims()["roles"].clone()
    };
    assert_eq!(roles(&["Everyone", "engineering", "Staff"]).await, json!(["DEVELOPER"]));
    assert_eq!(roles(&["Staff"]).await, json!(["DESIGNER"]));
    assert_eq!(roles(&["Everyone"]).await, json!(["ANALYST"]));
    assert_eq!(roles(&["Staff"]).await, json!(["DESIGNER"]));
    let why = of_tenant(&acme, &["user", "show", &ann.email]).await[0]["accounts"][0]["why"].clone();
    assert_eq!(why, "DESIGNER, because the last sign-in named the group \"Staff\" (rule 2)");
    // The first user that SCIM writes, whoever it is.
    acme.scim(Method::POST, "/Users", Some(json!({ "userName": "ben" }))).await.document(201);
    watch::round(&acme.gateway.app).await.unwrap();
    let of_ann = "SELECT role FROM accounts WHERE connection_id = $1 AND user_name = $2";
    let mut database = superuser().await;
    let query = sqlx::query_scalar::<_, String>(of_ann).bind(acme.connection.0).bind(&ann.user_name);
    assert_eq!(query.fetch_one(&mut database).await.unwrap(), "ANALYST");
    assert_eq!(roles(&["Staff"]).await, json!(["ANALYST"]));
    // What was said before SCIM is not said again because SCIM is over.
    operate(&acme, &["connection", "sign-in", "CONNECTION", "--scim-is-over"]).await;
    watch::round(&acme.gateway.app).await.unwrap();
    let query = sqlx::query_scalar::<_, String>(of_ann).bind(acme.connection.0).bind(&ann.user_name);
    assert_eq!(query.fetch_one(&mut database).await.unwrap(), "ANALYST");
    assert_eq!(roles(&["Staff"]).await, json!(["DESIGNER"]));
}

#[tokio::test]
async fn an_account_is_one_persons_whatever_they_are_called() {
    let acme = taking("create").await;
    let named = |name_id: &str, id: &str| {
        let (name_id, id) = (name_id.to_owned(), id.to_owned());
        move |response: ResponseBuilder| response.name_id(&name_id).attribute("id", &id)
    };
    let ann = acme.user("ann");
    let first = sub(&enters(&acme, &ann, named("ann.old@acme.test", "A")).await);
    // Only the name changes: nobody finds her by the old one.
    assert_eq!(sub(&enters(&acme, &ann, named(&ann.email, "A")).await), first);
    let mut successor = acme.user("successor");
    successor.user_name = "ann.old@acme.test".to_owned();
    assert_ne!(sub(&enters(&acme, &successor, named("ann.old@acme.test", "B")).await), first);
    // The name passes to somebody else while the account still has it.
    stays_out(&acme, &ann, named(&ann.email, "C"), "GH-USR-006").await;
    // Two share an address, in a domain of the tenant's.
    let mut shares = acme.user("shares");
    shares.email.clone_from(&ann.email);
    enters(&acme, &acme.user("bound"), named("bound", "D")).await;
    stays_out(&acme, &acme.user("bound"), named("another", "E"), "GH-USR-006").await;
    assert_eq!(sub(&enters(&acme, &ann, named(&ann.email, "A")).await), first);

    // An address that is told later becomes the userName, and the name stays the person's.
    operate(&acme, &["connection", "sign-in", "CONNECTION", "--map", "email=nothing"]).await;
    let mut guest = acme.user("guest");
    guest.email = "guest@elsewhere.test".to_owned();
    let opaque = |response: ResponseBuilder| response.name_id("00u-guest");
    let second = sub(&enters(&acme, &guest, opaque).await);
    operate(&acme, &["connection", "sign-in", "CONNECTION", "--map", "email="]).await;
    for _ in 0..2 {
        assert_eq!(sub(&enters(&acme, &guest, opaque).await), second);
    }
    assert!(users(&acme).await.iter().any(|user| user["userName"] == json!(guest.email)));
}

#[tokio::test]
async fn whom_scim_keeps_is_edited_by_no_sign_in() {
    let acme = taking("create").await;
    let ann = acme.user("ann");
    enters(&acme, &ann, same).await;
    let id = users(&acme).await[0]["id"].as_str().unwrap().to_owned();
    // The very first thing that SCIM does.
    acme.scim(Method::DELETE, &format!("/Users/{id}"), None).await;
    stays_out(&acme, &ann, same, "GH-SAML-1004").await;

    // Another connection of the same person, whose sign-ins keep profiles.
    acme.assign(&ann).await;
    let board = acme.sibling(&acme.gateway.application("https://board.test/callback", |_| {}).await).await;
    jit(&board, "create").await;
    let first = sub(&enters(&board, &ann, same).await);
    let mut other = ann.clone();
    other.first_name = "Other".to_owned();
    enters(&board, &other, same).await;
    let shown = of_tenant(&acme, &["user", "show", &first]).await;
    assert_eq!((shown[0]["accounts"].as_array().unwrap().len(), &shown[0]["name"]), (2, &json!("ann Tester")));
    assert_eq!(users(&board).await[0]["name"]["givenName"], "Other", "the account there says what it is told");
}

#[tokio::test]
async fn only_who_is_invited_or_known_comes_where_the_connection_wants_that() {
    let acme = taking("invited").await;
    let [ann, ben, cid] = ["ann", "ben", "cid"].map(|name| acme.user(name));
    assert!(stays_out(&acme, &ann, same, "GH-SAML-1004").await.contains("invited"));
    let invited = setup::invitations::invite;
    let email = Email::parse(&ann.email.to_uppercase()).unwrap();
    let store = &acme.gateway.app.store;
    invited(store, acme.gateway.clock.now(), acme.connection, &email).await.unwrap();
    // It lasts 14 days, and what became of one is nothing to the next.
    acme.gateway.clock.advance(Duration::days(14));
    stays_out(&acme, &ann, same, "GH-SAML-1004").await;
    let now = acme.gateway.clock.now();
    let (again, _) = invited(store, now, acme.connection, &email).await.unwrap();
    setup::invitations::revoke(store, now, acme.connection, again).await.unwrap();
    stays_out(&acme, &ann, same, "GH-SAML-1004").await;
    acme.gateway.clock.advance(Duration::seconds(1));
    invited(store, acme.gateway.clock.now(), acme.connection, &email).await.unwrap();
    enters(&acme, &ann, same).await;
    let accepted = acme.events("invitation.accepted").await;
    assert_eq!((accepted.len(), accepted[0]["subject"].as_str()), (1, Some("invitation")));
    for (kind, count) in [("invitation.created", 3), ("invitation.superseded", 1), ("invitation.revoked", 1)] {
        assert_eq!(acme.events(kind).await.len(), count, "{kind}");
    }
    let listed = operate(&acme, &["invitation", "list", "CONNECTION"]).await;
    let listed_ids: Vec<String> =
        listed.as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect();
    let listed: Vec<&str> = listed.as_array().unwrap().iter().map(|one| one["status"].as_str().unwrap()).collect();
    assert_eq!(listed, ["accepted", "revoked", "superseded"]);

    // Whom the application knows keeps the id; and what others call themselves does not count.
    let known = uuid::Uuid::new_v4();
    let file = std::env::temp_dir().join(unique("known")).with_extension("json");
    std::fs::write(&file, json!([{ "id": known, "email": ben.email }]).to_string()).unwrap();
    of_tenant(&acme, &["user", "import", file.to_str().unwrap()]).await;
    assert_eq!(sub(&enters(&acme, &ben, same).await), known.to_string());
    stays_out(&acme, &cid, same, "GH-SAML-1004").await;
    let made = operate(&acme, &["invitation", "create", "CONNECTION", &cid.email]).await;
    assert_says(&made, &json!({ "email": cid.email, "status": "created" }));
    assert_says(&members(&acme).await, &json!({ "invited": 1, "active": 2 }));
    let accepted = listed_ids[0].clone();
    let refused = Operator::new().await.run(&["invitation", "revoke", &acme.connection.to_string(), &accepted]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("it was accepted"));
    let withdraw = ["invitation", "revoke", &acme.connection.to_string(), made["id"].as_str().unwrap()];
    for _ in 0..2 {
        assert!(Operator::new().await.run(&withdraw).status.success());
    }
    stays_out(&acme, &cid, same, "GH-SAML-1004").await;
    // SCIM begins: nobody is invited by hand any more.
    acme.scim(Method::POST, "/Users", Some(json!({ "userName": "dan" }))).await.document(201);
    let refused = Operator::new().await.run(&["invitation", "create", &acme.connection.to_string(), &cid.email]).stderr;
    let refused = String::from_utf8_lossy(&refused).into_owned();
    assert!(refused.contains("have the person assigned to the application"), "{refused}");
}

#[tokio::test]
async fn seats_and_demands_hold_for_who_comes_by_signing_in() {
    let acme = taking("create").await;
    let [ann, ben] = ["ann", "ben"].map(|name| acme.user(name));
    let application = "SELECT slug FROM applications WHERE id = $1::uuid";
    let application = sqlx::query_scalar::<_, String>(application).bind(&acme.application.client_id);
    let application = application.fetch_one(&mut superuser().await).await.unwrap();
    let seats = async |limit: &str, policy: &str| {
        let command = ["tenant", "seats", &acme.slug, "--application", &application, "--limit", limit];
        Operator::new().await.json(&[&command[..], &["--policy", policy]].concat())
    };
    seats("1", "refuse").await;
    enters(&acme, &ann, same).await;
    stays_out(&acme, &ben, same, "GH-SEA-001").await;
    assert_eq!(users(&acme).await.len(), 1, "nothing is left of it");
    assert_says(&seats("1", "park").await, &json!({ "taken": 1, "waiting": 0 }));
    for _ in 0..2 {
        stays_out(&acme, &ben, same, "GH-SEA-002").await;
    }
    assert_eq!(acme.events("login.failed").await.len(), 3);
    assert_says(&members(&acme).await, &json!({ "active": 1, "parked": 1 }));
    seats("2", "park").await;
    enters(&acme, &ben, same).await;

    seats("9", "park").await;
    operate(&acme, &["connection", "profiles", "CONNECTION", "--require", "displayName", "--forbid", "<>"]).await;
    let cid = acme.user("cid");
    stays_out(&acme, &cid, same, "GH-USR-011").await;
    stays_out(&acme, &cid, |response| response.attribute("displayName", "<b>"), "GH-USR-012").await;
    enters(&acme, &cid, |response| response.attribute("displayName", "Cid")).await;
    // Nobody who is in stays outside for what they are called today.
    enters(&acme, &cid, |response| response.attribute("displayName", "<b>")).await;
    let shown = users(&acme).await.into_iter().find(|user| user["userName"] == json!(cid.user_name)).unwrap();
    assert_eq!(shown["displayName"], "Cid");
}

#[tokio::test]
async fn whoever_comes_by_several_ways_at_once_has_one_account() {
    let acme = taking("create").await;
    for turn in 0..4 {
        let user = acme.user(&format!("user{turn}"));
        let mut answers = Vec::new();
        for _ in 0..6 {
            let waiting = acme.waiting(&user).await;
            let page = acme.post_response(&waiting.browser, &answer(&waiting, same)).await;
            answers.push((waiting.browser, page.redirect().to_owned()));
        }
        let mut all: JoinSet<u16> = JoinSet::new();
        for (browser, finish) in answers {
            all.spawn(async move { browser.get(&finish).await.status.as_u16() });
        }
        let (http, address, token) =
            (reqwest::Client::new(), format!("{}/Users", acme.scim_base()), acme.token.clone());
        let body = json!({ "userName": user.user_name }).to_string();
        all.spawn(async move {
            let request = http.post(address).bearer_auth(token).header("content-type", "application/scim+json");
            request.body(body).send().await.unwrap().status().as_u16()
        });
        let mut statuses = all.join_all().await;
        statuses.sort_unstable();
        assert!(statuses.iter().filter(|status| **status == 303).count() >= 6, "{statuses:?}");
        assert!(statuses.iter().all(|status| [201, 303, 409].contains(status)), "{statuses:?}");
        assert_eq!(users(&acme).await.len(), turn + 1);
        operate(&acme, &["connection", "sign-in", "CONNECTION", "--scim-is-over"]).await;
    }
}

#[tokio::test]
async fn a_connection_of_another_tenant_takes_nobody_for_this_ones_sake() {
    let (acme, other) = (taking("create").await, Customer::new().await);
    let ann = acme.user("ann");
    let first = sub(&enters(&acme, &ann, same).await);
    jit(&other, "create").await;
    // The same address from another tenant's identity provider is another person.
    let foreign = sub(&enters(&other, &ann, same).await);
    assert_ne!(foreign, first);
    assert_eq!(users(&acme).await.len(), 1);
}

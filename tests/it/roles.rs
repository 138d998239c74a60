//! Roles: by SCIM, by groups and by sign-in, in an order that the tenant can read.

use crate::{
    cli::Operator,
    scim::{assert_says, path},
};
use gateway::{roles, setup, watch};
use harness::{
    browser::Browser,
    customer::{Customer, superuser},
};
use reqwest::Method;
use serde_json::{Value, json};
use simulator::idp::response::Sign;
use store::scope::Actor;
use time::Duration;

/// The roles of the harness' application are ADMINISTRATOR, MANAGER, DEVELOPER, DESIGNER, SUPPORT_SPECIALIST, ANALYST.
async fn role(acme: &Customer, id: &str) -> (String, String) {
    let query = "SELECT role, role_reason FROM accounts WHERE id = $1::uuid";
    sqlx::query_as(query).bind(id).fetch_one(&mut superuser().await).await.unwrap_or_else(|error| {
        panic!("{}: {error}", acme.connection);
    })
}

async fn is(acme: &Customer, id: &str, expected: &str) {
    let (role, reason) = role(acme, id).await;
    assert_eq!(format!("{role} {reason}"), expected);
}

async fn user(acme: &Customer, body: Value) -> String {
    let created = acme.scim(Method::POST, "/Users", Some(body)).await.document(201);
    created["id"].as_str().unwrap().to_owned()
}

async fn group(acme: &Customer, name: &str, members: &[&str]) -> Value {
    let members: Vec<Value> = members.iter().map(|id| json!({ "value": id })).collect();
    acme.scim(Method::POST, "/Groups", Some(json!({ "displayName": name, "members": members }))).await.document(201)
}

async fn patch(acme: &Customer, at: &str, operations: Value) {
    let body = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations });
    acme.scim(Method::PATCH, at, Some(body)).await.document(200);
}

async fn rules(acme: &Customer, more: &[&str]) -> Value {
    let id = acme.connection.to_string();
    Operator::new().await.json(&[&["connection", "roles", &id][..], more].concat())
}

const RULES: [&str; 4] = ["--rule", "Engineering=DEVELOPER", "--rule", "Managers=MANAGER"];

#[tokio::test]
async fn a_membership_alone_changes_the_role() {
    let acme = Customer::new().await;
    let [ann, ben] = [user(&acme, json!({ "userName": "ann" })).await, user(&acme, json!({ "userName": "ben" })).await];
    rules(&acme, &RULES).await;
    is(&acme, &ann, "ANALYST missing").await;
    let engineering = group(&acme, "engineering", &[&ann]).await;
    let managers = group(&acme, "Managers", &[]).await;
    is(&acme, &ann, "DEVELOPER group").await;
    let (at, managers_at) = (path("Groups", &engineering), path("Groups", &managers));
    // One more, one less: by the row.
    patch(&acme, &at, json!([{ "op": "add", "path": "members", "value": [{ "value": ben }] }])).await;
    is(&acme, &ben, "DEVELOPER group").await;
    patch(&acme, &at, json!([{ "op": "remove", "path": format!("members[value eq \"{ben}\"]") }])).await;
    is(&acme, &ben, "ANALYST missing").await;
    // Of two groups the first rule counts.
    patch(&acme, &managers_at, json!([{ "op": "add", "path": "members", "value": [{ "value": ann }] }])).await;
    is(&acme, &ann, "DEVELOPER group").await;
    // As Okta's custom apps do: the whole list.
    let whole = |name: &str, ids: &[&String]| json!({ "displayName": name, "members": ids.iter().map(|id| json!({ "value": id })).collect::<Vec<_>>() });
    acme.scim(Method::PUT, &at, Some(whole("engineering", &[&ben]))).await.document(200);
    is(&acme, &ann, "MANAGER group").await;
    is(&acme, &ben, "DEVELOPER group").await;
    // What a group is called decides, and nothing remains of a group that went.
    acme.scim(Method::PUT, &at, Some(whole("Builders", &[&ben]))).await.document(200);
    is(&acme, &ben, "ANALYST missing").await;
    patch(&acme, &at, json!([{ "op": "replace", "value": { "displayName": "Engineering" } }])).await;
    is(&acme, &ben, "DEVELOPER group").await;
    patch(&acme, &at, json!([{ "op": "remove", "path": "members" }])).await;
    is(&acme, &ben, "ANALYST missing").await;
    // Through another group.
    let team = group(&acme, "Team", &[&ben]).await;
    patch(&acme, &at, json!([{ "op": "add", "path": "members", "value": [{ "value": team["id"] }] }])).await;
    is(&acme, &ben, "DEVELOPER group").await;
    patch(&acme, &path("Groups", &team), json!([{ "op": "add", "path": "members", "value": [{ "value": ann }] }]))
        .await;
    is(&acme, &ann, "DEVELOPER group").await;
    acme.scim(Method::DELETE, &at, None).await;
    is(&acme, &ann, "MANAGER group").await;
    is(&acme, &ben, "ANALYST missing").await;
    let changed = acme.events("user.role_changed").await.into_iter().rfind(|event| event["data"]["account_id"] == *ben);
    assert_says(&changed.unwrap()["data"], &json!({ "from": "DEVELOPER", "to": "ANALYST", "reason": "missing" }));
}

#[tokio::test]
async fn the_order_of_sources_decides_and_a_user_request_keeps_the_groups_word() {
    let acme = Customer::new().await;
    rules(&acme, &RULES).await;
    let ann =
        user(&acme, json!({ "userName": "ann", "roles": [{ "value": "DESIGNER" }, { "value": "ANALYST" }] })).await;
    let ben = user(&acme, json!({ "userName": "ben" })).await;
    group(&acme, "Engineering", &[&ann, &ben]).await;
    is(&acme, &ann, "DESIGNER attribute").await;
    is(&acme, &ben, "DEVELOPER group").await;
    let renamed = json!({ "userName": "ben", "displayName": "Ben" });
    acme.scim(Method::PUT, &format!("/Users/{ben}"), Some(renamed)).await.document(200);
    is(&acme, &ben, "DEVELOPER group").await;
    rules(&acme, &["--source", "groups", "--source", "scim"]).await;
    is(&acme, &ann, "DEVELOPER group").await;
    rules(&acme, &["--no-rules"]).await;
    is(&acme, &ann, "DESIGNER attribute").await;
    is(&acme, &ben, "ANALYST missing").await;
}

#[tokio::test]
async fn a_dry_run_tells_who_would_change_and_changes_nothing() {
    let acme = Customer::new().await;
    let ann = user(&acme, json!({ "userName": "ann" })).await;
    group(&acme, "Engineering", &[&ann]).await;
    let id = acme.connection.to_string();
    let arguments = [&["connection", "roles", &id, "--dry-run"][..], &RULES].concat();
    let operator = Operator::new().await;
    let told = String::from_utf8(operator.run(&arguments).stdout).unwrap();
    for line in [
        "1 account(s) from ANALYST to DEVELOPER",
        "ann: ANALYST -> DEVELOPER, because of the group \"Engineering\" (rule 1)",
        "No group is called \"Managers\" yet",
    ] {
        assert!(told.contains(line), "{line} is not in {told}");
    }
    is(&acme, &ann, "ANALYST missing").await;
    assert_eq!(rules(&acme, &[]).await["rules"], json!([]));
    let saved = rules(&acme, &RULES).await;
    assert_eq!(saved["rules"], json!(["1. Engineering = DEVELOPER", "2. Managers = MANAGER"]));
    is(&acme, &ann, "DEVELOPER group").await;
    let refused = operator.refusal(&["connection", "roles", &id, "--rule", "X=ROOT"]);
    assert!(refused.contains("the application has no role \"ROOT\"; it has ADMINISTRATOR"), "{refused}");
}

/// While an upgrade goes on, processes of the version before change accounts and know nothing of what decides.
#[tokio::test]
async fn a_role_that_an_older_process_took_away_does_not_come_back() {
    let acme = Customer::new().await;
    rules(&acme, &RULES).await;
    let ann = user(&acme, json!({ "userName": "ann", "role": "ADMINISTRATOR" })).await;
    let older = "UPDATE accounts SET document = document || '{\"role\": \"DESIGNER\"}', role = 'DESIGNER', version = version + 1
                 WHERE id = $1::uuid";
    sqlx::query(older).bind(&ann).execute(&mut superuser().await).await.unwrap();
    group(&acme, "Engineering", &[&ann]).await;
    is(&acme, &ann, "DESIGNER attribute").await;
}

/// Whoever saves a policy may die before the accounts follow, and a request may still be at work by the old one.
#[tokio::test]
async fn a_gateway_finishes_what_the_operator_began() {
    let acme = Customer::new().await;
    let ann = user(&acme, json!({ "userName": "ann" })).await;
    group(&acme, "Engineering", &[&ann]).await;
    let (app, clock) = (&acme.gateway.app, &acme.gateway.clock);
    let in_force = {
        let mut tx = app.tenant(acme.tenant, Actor::Operator, clock.now()).await.unwrap();
        let in_force = roles::InForce::of(&mut tx, acme.connection).await.unwrap();
        tx.rollback().await.unwrap();
        in_force
    };
    let rule = domain::role::GroupRule { group: "Engineering".to_owned(), role: "DEVELOPER".to_owned() };
    let policy = domain::role::RolePolicy { rules: vec![rule], ..in_force.policy };
    setup::roles::set(&app.store, clock.now(), acme.connection, &policy).await.unwrap();
    is(&acme, &ann, "ANALYST missing").await;
    let look = async || {
        let place = watch::Place {
            store: &app.store,
            limits: &app.config.outbound,
            tenant: acme.tenant,
            connection: acme.connection,
        };
        watch::look(&place, clock.now(), &watch::Asked::Daily).await.unwrap();
    };
    look().await;
    is(&acme, &ann, "DEVELOPER group").await;
    // As a request leaves it that began before.
    let stale = "UPDATE accounts SET role = 'ANALYST', role_reason = 'missing' WHERE id = $1::uuid";
    sqlx::query(stale).bind(&ann).execute(&mut superuser().await).await.unwrap();
    clock.advance(Duration::seconds(90));
    look().await;
    is(&acme, &ann, "DEVELOPER group").await;
    sqlx::query(stale).bind(&ann).execute(&mut superuser().await).await.unwrap();
    look().await;
    is(&acme, &ann, "ANALYST missing").await;
}

#[tokio::test]
async fn a_role_that_a_sign_in_names_counts_where_nothing_before_it_does() {
    let acme = Customer::new().await;
    let mut ann = acme.user("ann");
    ann.role = None;
    acme.assign(&ann).await;
    let signs_in = async |role: &str| {
        let waiting = acme.waiting(&ann).await;
        let tokens = waiting.gets_in(&waiting.signed(&waiting.honest().sign(Sign::Both).attribute("role", role))).await;
        tokens.id_claims()["roles"].clone()
    };
    assert_eq!(signs_in("designer").await, json!(["DESIGNER"]));
    assert_eq!(signs_in("ROOT").await, json!(["ANALYST"]));
    let failed = acme.events("provisioning.failed").await.pop().unwrap();
    assert_says(
        &failed["data"],
        &json!({ "code": "GH-ROL-001", "source": "saml", "sent": "ROOT", "given": "ANALYST" }),
    );
    let before = acme.events("user.role_changed").await.len();
    assert_eq!(signs_in("ROOT").await, json!(["ANALYST"]));
    assert_eq!(acme.events("user.role_changed").await.len(), before, "nothing is told twice");
    rules(&acme, &["--source", "scim", "--source", "groups"]).await;
    assert_eq!(signs_in("designer").await, json!(["ANALYST"]));
    acme.sign_in(&Browser::new(), &ann.email).await;
}

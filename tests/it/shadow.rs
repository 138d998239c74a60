//! Connections in shadow: nothing takes effect, what going live would do is told, and that is what it does.

use crate::{cli::Operator, saml::modes, scim::assert_says};
use domain::{email::Email, ids::UserId, linking::Linking, provisioning::Waiting, seats::SeatPolicy};
use gateway::{
    error::Error,
    oauth::settings::Invitations,
    saml::settings::IdpInitiated,
    setup::{
        self,
        applications::ApplicationSpec,
        people::{self, Known},
        shadow::{self, Becomes, Change, Entry},
    },
};
use harness::{
    browser::Browser,
    customer::{Customer, superuser},
    gateway_process::Gateway,
};
use proptest::{
    prelude::*,
    strategy::ValueTree,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection};
use std::collections::BTreeMap;
use uuid::Uuid;

/// Everything of the tenant that the directory of a connection in shadow must not touch, and the directory.
const EFFECTS: [&str; 6] = ["events", "users", "seats", "invitations", "sessions", "departures"];
const DIRECTORY: [&str; 4] = ["accounts", "groups", "group_members", "account_attributes"];

async fn rows(acme: &Customer, tables: &[&str]) -> BTreeMap<String, Vec<String>> {
    let (mut database, mut all) = (superuser().await, BTreeMap::new());
    for table in tables {
        let query = format!("SELECT to_jsonb(t)::text FROM {table} t WHERE tenant_id = $1 ORDER BY 1");
        let rows: Vec<String> =
            sqlx::query_scalar(AssertSqlSafe(query)).bind(acme.tenant.0).fetch_all(&mut database).await.unwrap();
        all.insert((*table).to_owned(), rows);
    }
    database.close().await.unwrap();
    all
}

async fn go_live(connection: &Customer, meant: bool) -> Result<Change, Error> {
    let app = &connection.gateway.app;
    shadow::go_live(&app.store, app.clock.now(), connection.connection, meant).await
}

async fn import(acme: &Customer, names: &[&str]) -> Vec<UserId> {
    let known = |name: &&str| Known {
        id: Some(UserId(Uuid::new_v4())),
        email: Email::parse(&format!("{name}@{}", acme.domain)).unwrap(),
        display_name: None,
        method: None,
    };
    let known: Vec<Known> = names.iter().map(known).collect();
    let app = &acme.gateway.app;
    people::import(&app.store, app.clock.now(), acme.tenant, &known).await.unwrap();
    known.iter().filter_map(|known| known.id).collect()
}

async fn turn(connection: &Customer, id: &str, active: bool) {
    let body = json!({ "Operations": [{ "op": "replace", "value": { "active": active } }] });
    connection.scim(Method::PATCH, &format!("/Users/{id}"), Some(body)).await.document(200);
}

fn entry<'c>(change: &'c Change, account: &str) -> &'c Entry {
    change.entries.iter().find(|entry| entry.account.to_string() == account).unwrap()
}

#[tokio::test]
async fn nothing_takes_effect_until_a_connection_in_shadow_goes_live() {
    let gateway = Gateway::start().await;
    let by_mail = |spec: &mut ApplicationSpec| spec.settings.invitations = Invitations::Mail;
    let acme = Customer::of(&gateway).await;
    let board = gateway.application("https://board.test/callback", by_mail).await;
    let (ann, ben, eve) = (acme.user("ann"), acme.user("ben"), acme.user("eve"));
    acme.assign(&ann).await;
    let sub = acme.sign_in(&Browser::new(), &ann.email).await.id_claims()["sub"].clone();
    let known = import(&acme, &["ben", "nobody"]).await;
    let shadow = acme.shadow(&board).await;
    // It is for all addresses of the domain, and leads nobody astray.
    let other = acme.shadow(&acme.application).await;
    modes::set(&other, |settings| settings.email_domains = vec![acme.domain.clone()]).await;
    modes::set(&other, |settings| settings.idp_initiated = IdpInitiated::Accept).await;

    let before = rows(&acme, &EFFECTS).await;
    let ids = [shadow.assign(&ann).await, shadow.assign(&ben).await, shadow.assign(&eve).await];
    let group = json!({ "displayName": "Sales", "members": [{ "value": ids[0] }, { "value": ids[2] }] });
    let group = shadow.scim(Method::POST, "/Groups", Some(group)).await.document(201);
    let gone = shadow.assign(&shadow.user("gone")).await;
    shadow.scim(Method::DELETE, &format!("/Users/{gone}"), None).await.document(204);
    turn(&shadow, &ids[2], false).await;
    turn(&shadow, &ids[2], true).await;
    let renamed = json!({ "displayName": "Somebody", "userName": eve.user_name, "active": true });
    shadow.scim(Method::PUT, &format!("/Users/{}", ids[2]), Some(renamed)).await.document(200);
    let twice = json!({ "userName": ann.user_name });
    shadow.scim(Method::POST, "/Users", Some(twice)).await.document(409);
    let bulk = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
        "Operations": [{ "method": "POST", "path": "/Users", "bulkId": "a", "data": { "userName": shadow.user("fay").email } }],
    });
    shadow.scim(Method::POST, "/Bulk", Some(bulk)).await.document(200);
    assert_eq!(rows(&acme, &EFFECTS).await, before, "nothing took effect");
    // The identity provider finds everything as it left it.
    let shown = shadow.scim(Method::GET, &format!("/Users/{}", ids[0]), None).await.document(200);
    assert_eq!((&shown["active"], &shown["groups"][0]["value"]), (&json!(true), &group["id"]));
    assert_eq!(shadow.scim(Method::GET, "/Users", None).await.document(200)["totalResults"], 4);
    let named = shadow.connection.to_string();
    let refused = Browser::new().get(&shadow.authorize_url(&[("connection", Some(&named))])).await;
    assert!(refused.shown().contains("GH-CON-002"), "{}", refused.shown());
    assert_eq!(acme.sign_in(&Browser::new(), &ann.email).await.id_claims()["sub"], sub, "the other connection serves");

    let hint = [("tenant", None), ("login_hint", Some(ann.email.as_str()))];
    let led = Browser::new().get(&acme.authorize_url(&hint)).await;
    assert!(led.redirect().starts_with(&acme.idp.sso_url()), "{}", led.redirect());
    // What the identity provider begins by itself ends there, too.
    other.assign(&ann).await;
    let before = rows(&acme, &[&EFFECTS[..], &DIRECTORY[..]].concat()).await;
    let (browser, answer) = (Browser::new(), modes::unasked(&other, &ann).encode(other.idp.key()).unwrap());
    let page = other.post_response(&browser, &answer).await;
    let page = browser.get(page.redirect()).await;
    assert_eq!(page.code(), Some("GH-CON-002"), "{}", page.shown());
    assert_eq!(rows(&acme, &[&EFFECTS[..], &DIRECTORY[..]].concat()).await, before);
    let would = go_live(&shadow, false).await.unwrap();
    assert_eq!(rows(&acme, &[&EFFECTS[..], &DIRECTORY[..]].concat()).await, before, "only looked at");
    assert_eq!(entry(&would, &ids[1]).becomes, Becomes::Linked(known[0]));
    assert_eq!(entry(&would, &ids[2]).becomes, Becomes::New);
    assert_eq!(entry(&would, &ids[0]).becomes, Becomes::Linked(sub.as_str().unwrap().parse().unwrap()));
    assert_eq!((would.entries.len(), would.groups, would.known_alone, would.seats), (4, 1, 1, None));

    let did = go_live(&shadow, true).await.unwrap();
    assert_eq!(did, would);
    let told = async |kind: &str| shadow.events(kind).await.len();
    assert_eq!((told("user.linked").await, told("user.created").await), (2, 2));
    assert_eq!((told("group.created").await, told("group.members_changed").await), (1, 1));
    assert_eq!(told("invitation.created").await, 4);
    assert_eq!(shadow.sign_in(&Browser::new(), &ann.email).await.id_claims()["sub"], sub);
    assert_eq!(shadow.sign_in(&Browser::new(), &eve.email).await.status, 200);
    shadow.assign(&shadow.user("gil")).await;
    assert_eq!(told("user.created").await, 3, "from now on everything takes effect");
    assert!(go_live(&shadow, true).await.unwrap_err().to_string().contains("live already"));
    let placeholder = "SELECT count(*) FROM users WHERE id = $1";
    let placeholder: i64 =
        sqlx::query_scalar(placeholder).bind(shadow.connection.0).fetch_one(&mut superuser().await).await.unwrap();
    assert_eq!(placeholder, 0);
}

#[tokio::test]
async fn an_operator_connects_in_shadow_and_goes_live() {
    let acme = Customer::new().await;
    let application: String = sqlx::query_scalar("SELECT slug FROM applications WHERE id = $1::uuid")
        .bind(&acme.application.client_id)
        .fetch_one(&mut superuser().await)
        .await
        .unwrap();
    let run = async |arguments: &[&str]| Operator::new().await.json(&[&["connection"], arguments].concat());
    let refusal = async |arguments: &[&str]| Operator::new().await.refusal(&[&["connection"], arguments].concat());
    let create = ["create", "--tenant", &acme.slug, "--application", &application, "--name", "Entra", "--shadow"];
    let made = run(&[&create[..], &["--sample-user"]].concat()).await;
    let id = made["id"].as_str().unwrap();
    assert_eq!((&made["in_shadow"], made["suspended_at"].is_string()), (&json!(true), true));
    assert!(refusal(&["resume", id]).await.contains("go-live"));
    let would = run(&["go-live", id]).await;
    assert_says(
        &would,
        &json!({ "is_live": false, "users": 1, "new": 1, "outside_of_proven_domains": 1, "seats": null }),
    );
    let each = run(&["go-live", id, "--each"]).await;
    assert_says(&each[0], &json!({ "user_name": "sample.user@example.com", "becomes": "new", "state": "active" }));
    assert_says(&run(&["show", id]).await, &json!({ "in_shadow": true }));
    assert_says(&run(&["go-live", id, "--yes"]).await, &json!({ "is_live": true, "users": 1 }));
    assert_says(&run(&["show", id]).await, &json!({ "in_shadow": false, "suspended_at": null }));
    assert!(refusal(&["go-live", id]).await.contains("live already"));
    let app = &acme.gateway.app;
    let used = shadow::begin(&app.store, app.clock.now(), acme.connection).await.unwrap_err().to_string();
    assert!(used.contains("--shadow"), "{used}");
    let tam = acme.user("tam");
    let quiet = acme.shadow(&acme.application).await;
    let account = quiet.assign(&tam).await;
    let user = async |arguments: &[&str]| Operator::new().await.refusal(&[&["user"], arguments].concat());
    let placeholder = quiet.connection.to_string();
    assert!(user(&["split", &account, "--tenant", &acme.slug]).await.contains("no such user"));
    assert!(user(&["delete", &placeholder, "--tenant", &acme.slug]).await.contains("no such user"));
    assert!(user(&["show", &placeholder, "--tenant", &acme.slug]).await.contains("has no user"));
    assert!(user(&["erase", &tam.email, "--tenant", &acme.slug]).await.contains("unassigned"));
    turn(&quiet, &account, false).await;
    let told = acme.events("user.deleted").await.len();
    let erased = Operator::new().await.json(&["user", "erase", &tam.email, "--tenant", &acme.slug, "--yes"]);
    assert_eq!((&erased["accounts"], acme.events("user.deleted").await.len()), (&json!(1), told));
    assert_eq!(quiet.scim(Method::GET, &format!("/Users/{account}"), None).await.status, 404);
    // One that is never wanted goes without a trace of its people.
    let never = acme.shadow(&acme.application).await;
    never.assign(&never.user("ann")).await;
    let told = acme.events("user.deleted").await.len();
    let fate = domain::removal::Fate::Delete;
    setup::removal::remove(&app.store, app.clock.now(), never.connection, fate, None).await.unwrap();
    assert_eq!(acme.events("user.deactivated").await.len(), 0);
    assert_eq!(acme.events("user.deleted").await.len(), told);
}

#[tokio::test]
async fn nobody_is_lost_who_comes_while_a_connection_goes_live() {
    let acme = Customer::new().await;
    let shadow = acme.shadow(&acme.application).await;
    for number in 0..20 {
        shadow.assign(&shadow.user(&format!("user{number}"))).await;
    }
    let push = async |number: usize| {
        let body = json!({ "userName": format!("late{number}@{}", shadow.domain) });
        let answer = shadow.scim(Method::POST, "/Users", Some(body)).await;
        assert!([201, 429, 503].contains(&answer.status.as_u16()), "{answer:?}");
        usize::from(answer.status == 201)
    };
    let pushes = futures_util::future::join_all((0..40).map(push));
    let (created, live) = tokio::join!(pushes, go_live(&shadow, true));
    live.unwrap();
    let created: usize = created.into_iter().sum();
    let counts = "SELECT count(*), count(*) FILTER (WHERE parked = 'shadow') FROM accounts WHERE connection_id = $1";
    let counts: (i64, i64) =
        sqlx::query_as(counts).bind(shadow.connection.0).fetch_one(&mut superuser().await).await.unwrap();
    assert_eq!(counts, (i64::try_from(20 + created).unwrap(), 0));
    assert_eq!(shadow.events("user.created").await.len(), 20 + created, "each is told once");
}

const NAMES: [&str; 6] = ["ann", "ben", "cid", "dan", "eve", "fay"];

#[derive(Debug, Clone)]
enum Step {
    Push(usize, Option<&'static str>),
    Turn(usize, bool),
    Delete(usize),
    /// Into the group, or out of it.
    Member(usize, bool),
}

#[derive(Debug, Clone)]
struct Case {
    steps: Vec<Step>,
    /// Known to the application, and who of those is in the other connection.
    known: Vec<bool>,
    elsewhere: Vec<bool>,
    linking: usize,
    seats: Option<(u32, usize)>,
    has_rule: bool,
}

fn case() -> impl Strategy<Value = Case> {
    let who = || 0..NAMES.len();
    let role = prop::sample::select(vec![None, Some("MANAGER"), Some("WIZARD")]);
    let step = prop_oneof![
        5 => (who(), role).prop_map(|(who, role)| Step::Push(who, role)),
        3 => (who(), prop::bool::ANY).prop_map(|(who, on)| Step::Turn(who, on)),
        1 => who().prop_map(Step::Delete),
        2 => (who(), prop::bool::ANY).prop_map(|(who, on)| Step::Member(who, on)),
    ];
    let each = || prop::collection::vec(prop::bool::ANY, NAMES.len());
    let seats = prop::option::of((1u32..6, 0usize..4));
    (prop::collection::vec(step, 25), each(), each(), 0usize..3, seats, prop::bool::ANY).prop_map(
        |(steps, known, elsewhere, linking, seats, has_rule)| Case {
            steps,
            known,
            elsewhere,
            linking,
            seats,
            has_rule,
        },
    )
}

#[tokio::test]
async fn what_is_shown_in_shadow_is_what_happens() {
    let seed = *Uuid::new_v4().as_bytes();
    println!("These cases come again with the seed {seed:?}.");
    let seed = [seed, seed].concat();
    let mut runner = TestRunner::new_with_rng(Config::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &seed));
    let gateway = Gateway::start().await;
    let mut met = BTreeMap::new();
    for _ in 0..12 {
        let case = case().new_tree(&mut runner).unwrap().current();
        for kind in plays(&gateway, case).await {
            *met.entry(kind).or_insert(0) += 1;
        }
    }
    println!("{met:?}");
    assert!(met.len() >= 3, "{met:?}");
}

/// Fills a connection in shadow, looks, goes live, and looks at what is stored; answers what became of whom.
async fn plays(gateway: &std::sync::Arc<Gateway>, case: Case) -> Vec<&'static str> {
    let acme = Customer::of(gateway).await;
    let (store, now) = (&gateway.app.store, gateway.clock.now());
    let chosen = |flags: &[bool]| NAMES.into_iter().zip(flags).filter(|(_, on)| **on).map(|(name, _)| name).collect();
    let known: Vec<&str> = chosen(&case.known);
    import(&acme, &known).await;
    for name in known.iter().filter(|name| case.elsewhere[NAMES.iter().position(|other| other == *name).unwrap()]) {
        acme.assign(&acme.user(name)).await;
    }
    let linking = Linking::ALL[case.linking];
    people::wish(store, now, acme.tenant, |wishes| wishes.linking = linking).await.unwrap();
    if let Some((limit, policy)) = case.seats {
        let fallback = "ANALYST".to_owned();
        let policy = [SeatPolicy::Refuse, SeatPolicy::Park, SeatPolicy::Soft, SeatPolicy::FallbackRole(fallback)]
            [policy]
            .clone();
        let application = acme.application.client_id.parse().unwrap();
        setup::seats::set(store, now, acme.tenant, application, (limit, &policy)).await.unwrap();
    }
    let shadow = acme.shadow(&acme.application).await;
    if case.has_rule {
        let id = shadow.connection.to_string();
        Operator::new().await.json(&["connection", "roles", &id, "--source", "groups", "--rule", "Sales=DEVELOPER"]);
    }
    fill(&shadow, &case.steps).await;
    let all = [&EFFECTS[..], &DIRECTORY[..]].concat();
    let before = rows(&acme, &all).await;
    let would = go_live(&shadow, false).await.unwrap();
    assert_eq!(rows(&acme, &all).await, before, "{case:?}");
    let did = go_live(&shadow, true).await.unwrap();
    assert_eq!(did, would, "{case:?}");
    let mut kinds = Vec::new();
    for entry in &did.entries {
        let query = "SELECT to_jsonb(a) || jsonb_build_object('is_new', u.created_at = $2 AND NOT u.imported)
            FROM accounts a JOIN users u ON u.id = a.user_id AND u.tenant_id = a.tenant_id WHERE a.id = $1";
        let row: Value =
            sqlx::query_scalar(query).bind(entry.account.0).bind(now).fetch_one(&mut superuser().await).await.unwrap();
        let stored = (&row["active"], &row["role"], &row["parked"], &row["parked_user"]);
        let (parked, asked) = match (entry.becomes, entry.waits) {
            (Becomes::Asked(user), _) => (json!("link"), json!(user)),
            (_, Some(Waiting::Outside)) => (json!("seat"), Value::Null),
            _ => (Value::Null, Value::Null),
        };
        assert_eq!(stored, (&json!(entry.active), &json!(entry.role), &parked, &asked), "{entry:?} of {case:?}");
        if let Becomes::Linked(user) = entry.becomes {
            assert_eq!(row["user_id"], json!(user), "{entry:?} of {case:?}");
        }
        kinds.push(match (entry.becomes, entry.waits) {
            (_, Some(_)) => "waits",
            (Becomes::New, _) => "new",
            (Becomes::Linked(_), _) => "linked",
            (Becomes::Asked(_), _) => "asked",
        });
    }
    let stays = "SELECT count(*) FROM accounts WHERE connection_id = $1 AND (parked = 'shadow' OR user_id = $1)";
    let stays: i64 =
        sqlx::query_scalar(stays).bind(shadow.connection.0).fetch_one(&mut superuser().await).await.unwrap();
    assert_eq!(stays, 0);
    if let Some((taken, _)) = did.seats {
        let query = "SELECT count(DISTINCT user_id) FROM accounts WHERE tenant_id = $1 AND active AND parked IS NULL AND waits_since IS NULL";
        let seated: i64 =
            sqlx::query_scalar(query).bind(acme.tenant.0).fetch_one(&mut superuser().await).await.unwrap();
        assert_eq!(i64::from(taken), seated, "{case:?}");
    }
    kinds
}

async fn fill(shadow: &Customer, steps: &[Step]) {
    let group = json!({ "displayName": "Sales", "members": [] });
    let group = shadow.scim(Method::POST, "/Groups", Some(group)).await.document(201);
    let group = format!("/Groups/{}", group["id"].as_str().unwrap());
    let mut accounts: [Option<String>; NAMES.len()] = Default::default();
    for step in steps {
        match step {
            Step::Push(who, role) if accounts[*who].is_none() => {
                let mut body = json!({ "userName": format!("{}@{}", NAMES[*who], shadow.domain) });
                if let Some(role) = role {
                    body["role"] = json!(role);
                }
                let made = shadow.scim(Method::POST, "/Users", Some(body)).await.document(201);
                accounts[*who] = made["id"].as_str().map(str::to_owned);
            }
            Step::Turn(who, active) => {
                if let Some(id) = &accounts[*who] {
                    turn(shadow, id, *active).await;
                }
            }
            Step::Delete(who) => {
                if let Some(id) = accounts[*who].take() {
                    shadow.scim(Method::DELETE, &format!("/Users/{id}"), None).await.document(204);
                }
            }
            Step::Member(who, is_in) => {
                let Some(id) = &accounts[*who] else { continue };
                let (op, value) = if *is_in { ("add", json!([{ "value": id }])) } else { ("remove", Value::Null) };
                let path = if *is_in { "members".to_owned() } else { format!("members[value eq \"{id}\"]") };
                let mut operation = json!({ "op": op, "path": path });
                if *is_in {
                    operation["value"] = value;
                }
                shadow.scim(Method::PATCH, &group, Some(json!({ "Operations": [operation] }))).await.document(200);
            }
            Step::Push(..) => {}
        }
    }
}

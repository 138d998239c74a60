//! Who did not get in, or not as the identity provider wants it: one report, and each cause mended without a request from there.

use crate::{cli::Operator, scim::assert_says};
use domain::{ids::FailureId, seats::SeatPolicy};
use gateway::{failures::replay, setup};
use harness::{
    browser::Browser,
    customer::{Customer, superuser},
    gateway_process::Gateway,
};
use reqwest::Method;
use serde_json::{Value, json};
use simulator::directory::DirectoryUser;
use sqlx::Connection;
use std::sync::Arc;
use store::connections::Terms;
use time::Duration;
use tokio::task::JoinSet;

async fn report(acme: &Customer) -> Vec<Value> {
    let all = Operator::new().await.json(&["failure", "list", "--tenant", &acme.slug]);
    all.as_array().unwrap().clone()
}

/// The one line of the report.
async fn only(acme: &Customer) -> Value {
    let all = report(acme).await;
    let [line] = &all[..] else { panic!("one failure: {all:#?}") };
    line.clone()
}

/// Has everything done again; what became of each.
async fn replayed(acme: &Customer) -> Vec<String> {
    let done = Operator::new().await.json(&["failure", "replay", "--tenant", &acme.slug]);
    done.as_array().unwrap().iter().map(|line| line["outcome"].as_str().unwrap().to_owned()).collect()
}

fn document(user: &DirectoryUser) -> Value {
    json!({
        "userName": user.user_name, "externalId": user.id, "active": true,
        "name": { "givenName": user.first_name, "familyName": user.last_name },
        "emails": [{ "value": user.email, "primary": true }],
    })
}

async fn push(acme: &Customer, document: &Value) -> (u16, Value) {
    let answer = acme.scim(Method::POST, "/Users", Some(document.clone())).await;
    (answer.status.as_u16(), answer.body)
}

async fn set(acme: &Customer, id: &str, document: &Value) -> u16 {
    acme.scim(Method::PUT, &format!("/Users/{id}"), Some(document.clone())).await.status.as_u16()
}

async fn turn(acme: &Customer, id: &str, active: bool) -> u16 {
    let body = json!({ "Operations": [{ "op": "replace", "value": { "active": active } }] });
    acme.scim(Method::PATCH, &format!("/Users/{id}"), Some(body)).await.status.as_u16()
}

/// The users that SCIM shows, by name.
async fn users(acme: &Customer) -> Vec<(String, bool)> {
    let all = acme.scim(Method::GET, "/Users?sortBy=userName", None).await.document(200);
    let name = |user: &Value| (user["userName"].as_str().unwrap().to_owned(), user["active"] == true);
    all["Resources"].as_array().unwrap().iter().map(name).collect()
}

async fn seats(acme: &Customer, limit: u32, policy: SeatPolicy) {
    let (app, application) = (&acme.gateway.app, acme.application.client_id.parse().unwrap());
    setup::seats::set(&app.store, acme.gateway.clock.now(), acme.tenant, application, (limit, &policy)).await.unwrap();
}

fn id_of(line: &Value) -> FailureId {
    line["id"].as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_seat_that_is_free_lets_in_whom_the_identity_provider_wanted() {
    let acme = Customer::new().await;
    seats(&acme, 1, SeatPolicy::Refuse).await;
    let (ann, ben) = (acme.user("ann"), acme.user("ben"));
    let first = acme.assign(&ann).await;
    acme.idp.add_user(ben.clone());
    let mut wanted = document(&ben);
    wanted["password"] = json!("correct horse");
    for _ in 0..3 {
        assert_eq!(push(&acme, &wanted).await.0, 409);
        acme.gateway.clock.advance(Duration::HOUR);
    }
    let line = only(&acme).await;
    assert_says(
        &line,
        &json!({ "source": "scim", "who": ben.user_name, "what": "create user", "code": "GH-SEA-001", "count": 3,
                 "can_be_replayed": true, "connection": "Okta" }),
    );
    assert!(line["why"].as_str().unwrap().starts_with("All 1 seats"), "{line}");
    assert!(line["what_to_do"].as_str().unwrap().starts_with("Deactivate or unassign"), "{line}");
    assert_ne!(line["first_seen"], line["last_seen"]);
    assert_eq!(acme.events("provisioning.failed").await.len(), 1, "told once");

    assert_eq!(replayed(&acme).await, ["refused"], "the cause is still there");
    assert_eq!(only(&acme).await["count"], 4);
    assert_eq!(turn(&acme, &first, false).await, 200);
    assert_eq!(replayed(&acme).await, ["done"]);
    assert_eq!(report(&acme).await, Vec::<Value>::new());
    assert_eq!(users(&acme).await, [(ann.user_name.clone(), false), (ben.user_name.clone(), true)]);
    assert_says(
        &acme.events("provisioning.recovered").await[0],
        &json!({ "actor": "operator", "data": { "by": "replayed" } }),
    );
    acme.sign_in(&Browser::new(), &ben.email).await;
    let mut database = superuser().await;
    let secret: Option<String> =
        sqlx::query_scalar("SELECT wish::text FROM failures WHERE tenant_id = $1 AND wish::text LIKE '%horse%'")
            .bind(acme.tenant.0)
            .fetch_optional(&mut database)
            .await
            .unwrap();
    assert_eq!(secret, None, "no password is kept");
    // What Okta does next finds the user.
    let ended = Operator::new().await.json(&["failure", "list", "--tenant", &acme.slug, "--all"]);
    assert!(ended[0]["ended"].as_str().unwrap().starts_with("replayed at"), "{ended}");
}

#[tokio::test]
async fn a_duplicate_that_is_resolved_is_no_failure_any_more() {
    let acme = Customer::new().await;
    let (ann, other) = (acme.user("ann"), acme.user("other"));
    let first = acme.assign(&ann).await;
    // The name is somebody's: that one is called otherwise.
    let mut same_name = document(&other);
    same_name["userName"] = json!(ann.user_name);
    assert_eq!(push(&acme, &same_name).await.0, 409);
    assert_says(&only(&acme).await, &json!({ "code": "GH-USR-002", "who": ann.user_name }));
    let mut renamed = document(&ann);
    renamed["userName"] = json!(format!("ann.smith@{}", acme.domain));
    assert_eq!(set(&acme, &first, &renamed).await, 200);
    assert_eq!(replayed(&acme).await, ["done"]);

    // The address is somebody's whom the application knows, and the tenant links nobody; later it does.
    let tenant = |arguments: &[&str]| [&["tenant", "set", acme.slug.as_str()][..], arguments].concat().join(" ");
    let run = async |arguments: String| Operator::new().await.json(&arguments.split(' ').collect::<Vec<_>>());
    run(tenant(&["--linking", "reject"])).await;
    let board = acme.gateway.application("https://board.test/callback", |_| {}).await;
    let board = acme.sibling(&board).await;
    assert_eq!(push(&board, &document(&ann)).await.0, 409);
    let line = only(&acme).await;
    assert_says(&line, &json!({ "code": "GH-USR-007", "who": ann.user_name }));
    assert!(line["why"].as_str().unwrap().contains(&ann.email), "{line}");
    run(tenant(&["--linking", "link-verified-domain"])).await;
    assert_eq!(replayed(&acme).await, ["done"]);
    assert_eq!(users(&board).await.len(), 1);
    assert_eq!(board.events("user.linked").await.len(), 1);

    // Groups have names, too.
    let group = |name: &str| json!({ "displayName": name });
    let made = acme.scim(Method::POST, "/Groups", Some(group("Sales"))).await.document(201);
    acme.scim(Method::POST, "/Groups", Some(group("sales"))).await.document(409);
    assert_says(&only(&acme).await, &json!({ "what": "create group", "who": "sales", "code": "GH-GRP-001" }));
    let address = format!("/Groups/{}", made["id"].as_str().unwrap());
    acme.scim(Method::PUT, &address, Some(group("Sales EMEA"))).await.document(200);
    assert_eq!(replayed(&acme).await, ["done"]);
}

#[tokio::test]
async fn a_domain_that_is_proven_lets_in_who_had_signed_in_before() {
    let acme = Customer::new().await;
    Operator::new().await.json(&["connection", "sign-in", &acme.connection.to_string(), "--jit", "invited"]);
    let mut guest = acme.user("guest");
    let domain = format!("{}.example", acme.slug);
    guest.email = format!("guest@{domain}");
    guest.user_name.clone_from(&guest.email);
    acme.idp.add_user(guest.clone());
    let file = std::env::temp_dir().join(&acme.slug).with_extension("json");
    std::fs::write(&file, json!([{ "email": guest.email }]).to_string()).unwrap();
    Operator::new().await.json(&["user", "import", "--tenant", &acme.slug, file.to_str().unwrap()]);
    let waiting = acme.waiting(&guest).await;
    let response = waiting.signed(&waiting.honest());
    waiting.is_refused_at_finish(&response, "GH-SAML-1004").await;
    assert_says(
        &only(&acme).await,
        &json!({ "source": "sign_in", "who": guest.email, "what": "sign in", "code": "GH-SAML-1004" }),
    );
    assert_eq!(replayed(&acme).await, ["refused"]);

    Operator::new().await.json(&["domain", "claim", "--tenant", &acme.slug, &domain, "--vouch"]);
    assert_eq!(replayed(&acme).await, ["done"]);
    assert_eq!(acme.events("user.linked").await.len(), 1, "whom the application knew");
    acme.sign_in(&Browser::new(), &guest.email).await;
    std::fs::remove_file(file).unwrap();

    // Whoever gets in by themselves is no failure any more.
    let ann = acme.user("ann");
    let waiting = acme.waiting(&ann).await;
    let response = waiting.signed(&waiting.honest());
    waiting.is_refused_at_finish(&response, "GH-SAML-1004").await;
    assert_eq!(only(&acme).await["who"], json!(ann.user_name));
    acme.assign(&ann).await;
    assert_eq!(report(&acme).await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_role_that_the_application_learns_is_given_to_who_was_sent_with_it() {
    let acme = Customer::new().await;
    let ann = acme.user("ann");
    let mut wanted = document(&ann);
    wanted["role"] = json!("AUDITOR");
    assert_eq!(push(&acme, &wanted).await.0, 201);
    let line = only(&acme).await;
    assert_says(
        &line,
        &json!({ "source": "role", "who": ann.user_name, "code": "GH-ROL-001", "can_be_replayed": true }),
    );
    let all = ["ADMINISTRATOR", "MANAGER", "DEVELOPER", "DESIGNER", "SUPPORT_SPECIALIST", "ANALYST"];
    let application = acme.gateway.application("https://x.test/callback", |_| {}).await.slug;
    let with = |roles: &[&str]| {
        let roles: Vec<String> = roles.iter().flat_map(|role| ["--role".to_owned(), (*role).to_owned()]).collect();
        [vec!["application".to_owned(), "set".to_owned(), acme.application.slug.clone()], roles].concat()
    };
    let refused = |roles: &[&str]| {
        let arguments = with(roles);
        let operator = Operator::new();
        async move { operator.await.refusal(&arguments.iter().map(String::as_str).collect::<Vec<_>>()) }
    };
    assert!(refused(&all[1..]).await.contains("can only be added"));
    assert!(refused(&[&["AUDITOR"], &all[..]].concat()).await.contains("in their places"));
    assert_ne!(application, acme.application.slug);
    let more = with(&[&all[..2], &["AUDITOR"], &all[2..]].concat());
    Operator::new().await.json(&more.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(replayed(&acme).await, Vec::<String>::new());
    assert_eq!(report(&acme).await, Vec::<Value>::new());
    assert_says(&acme.events("user.role_changed").await[0]["data"], &json!({ "from": "ANALYST", "to": "AUDITOR" }));
}

#[tokio::test]
async fn other_causes_end_as_well() {
    let acme = Customer::new().await;
    // A demand of profiles.
    let connection = acme.connection.to_string();
    Operator::new().await.json(&["connection", "profiles", &connection, "--require", "email"]);
    assert_eq!(push(&acme, &json!({ "userName": "ann" })).await.0, 400);
    assert_says(&only(&acme).await, &json!({ "code": "GH-USR-011" }));
    Operator::new().await.json(&["connection", "profiles", &connection, "--require-nothing"]);
    assert_eq!(replayed(&acme).await, ["done"]);

    // The last administrator, who may go when there is another one.
    Operator::new().await.json(&["tenant", "set", &acme.slug, "--keep-administrator", "on"]);
    let mut boss = document(&acme.user("boss"));
    boss["role"] = json!("ADMINISTRATOR");
    let boss_id = push(&acme, &boss).await.1["id"].as_str().unwrap().to_owned();
    assert_eq!(turn(&acme, &boss_id, false).await, 409);
    assert_says(
        &only(&acme).await,
        &json!({ "what": "deactivate user", "code": "GH-ROL-002", "who": boss["userName"] }),
    );
    let mut next = document(&acme.user("next"));
    next["role"] = json!("ADMINISTRATOR");
    assert_eq!(push(&acme, &next).await.0, 201);
    assert_eq!(replayed(&acme).await, ["done"]);
    assert!(users(&acme).await.contains(&(boss["userName"].as_str().unwrap().to_owned(), false)));

    // A database that was busy.
    let mut lock = superuser().await;
    let mut lock = lock.begin().await.unwrap();
    sqlx::query("SELECT FROM accounts WHERE id = $1::uuid FOR UPDATE")
        .bind(&boss_id)
        .fetch_all(&mut *lock)
        .await
        .unwrap();
    let gone = acme.scim(Method::DELETE, &format!("/Users/{boss_id}"), None).await;
    assert_eq!(gone.status, 503, "{}", gone.body);
    lock.rollback().await.unwrap();
    assert_says(&only(&acme).await, &json!({ "what": "delete user", "code": "GH-SCIM-019" }));
    assert_eq!(replayed(&acme).await, ["done"]);
    assert!(users(&acme).await.iter().all(|(name, _)| Some(name.as_str()) != boss["userName"].as_str()));

    // Members of a group that nobody knows: the others are in, and the next push says anew who is.
    let stranger = uuid::Uuid::new_v4();
    let group = json!({ "displayName": "Sales", "members": [{ "value": stranger }] });
    let group = acme.scim(Method::POST, "/Groups", Some(group)).await.document(201);
    assert_says(&only(&acme).await, &json!({ "what": "add members", "who": "Sales", "code": "GH-GRP-003" }));
    assert_eq!(replayed(&acme).await, ["refused"]);
    assert_eq!(report(&acme).await.len(), 1);
    let address = format!("/Groups/{}", group["id"].as_str().unwrap());
    acme.scim(Method::PUT, &address, Some(json!({ "displayName": "Sales", "members": [] }))).await.document(200);
    assert_eq!(report(&acme).await, Vec::<Value>::new());
}

#[tokio::test]
async fn what_the_identity_provider_wants_later_wins() {
    let acme = Customer::new().await;
    seats(&acme, 1, SeatPolicy::Refuse).await;
    let (ann, ben) = (acme.user("ann"), acme.user("ben"));
    let first = acme.assign(&ann).await;
    let mut away = document(&ben);
    away["active"] = json!(false);
    let second = push(&acme, &away).await.1["id"].as_str().unwrap().to_owned();
    // Nobody comes back who was taken out after the refusal, in whatever words.
    for (words, is_patch) in [(document(&ben), false), (json!({}), true)] {
        let refused = if is_patch { turn(&acme, &second, true).await } else { set(&acme, &second, &words).await };
        assert_eq!(refused, 409);
        assert_eq!(report(&acme).await.len(), 1);
        if is_patch {
            assert_eq!(set(&acme, &second, &away).await, 200);
        } else {
            assert_eq!(turn(&acme, &second, false).await, 200);
        }
        assert_eq!(report(&acme).await, Vec::<Value>::new());
    }
    // Another attribute is another wish.
    assert_eq!(turn(&acme, &second, true).await, 409);
    let titled = json!({ "Operations": [{ "op": "replace", "path": "title", "value": "Boss" }] });
    acme.scim(Method::PATCH, &format!("/Users/{second}"), Some(titled)).await.document(200);
    assert_eq!(report(&acme).await.len(), 1);
    assert_eq!(turn(&acme, &first, false).await, 200);
    // What succeeds by itself is over as well, and told.
    assert_eq!(turn(&acme, &second, true).await, 200);
    assert_eq!(report(&acme).await, Vec::<Value>::new());
    assert_says(&acme.events("provisioning.recovered").await.pop().unwrap()["data"], &json!({ "by": "granted" }));

    // In bulk it is the same.
    let bulk = json!({ "Operations": [
        { "method": "POST", "path": "/Users", "bulkId": "x", "data": document(&acme.user("cid")) },
        { "method": "PATCH", "path": format!("/Users/{first}"), "data": { "Operations": [{ "op": "add", "value": { "active": true } }] } },
    ] });
    acme.scim(Method::POST, "/Bulk", Some(bulk.clone())).await.document(200);
    let codes: Vec<Value> = report(&acme).await.iter().map(|line| line["code"].clone()).collect();
    assert_eq!(codes, ["GH-SEA-001", "GH-SEA-001"]);
    seats(&acme, 9, SeatPolicy::Refuse).await;
    acme.scim(Method::POST, "/Bulk", Some(bulk)).await.document(200);
    assert_eq!(report(&acme).await, Vec::<Value>::new());

    // A wrong version, and a user who is gone already, are no failures.
    let gone = uuid::Uuid::new_v4();
    acme.scim(Method::DELETE, &format!("/Users/{gone}"), None).await.document(404);
    assert_eq!(report(&acme).await, Vec::<Value>::new());
}

#[tokio::test]
async fn done_again_is_done_once_whoever_else_does_it() {
    let acme = Customer::new().await;
    seats(&acme, 0, SeatPolicy::Refuse).await;
    let ann = acme.user("ann");
    assert_eq!(push(&acme, &document(&ann)).await.0, 409);
    let id = id_of(&only(&acme).await);
    seats(&acme, 5, SeatPolicy::Refuse).await;
    let (gateway, tenant): (Arc<Gateway>, _) = (Arc::clone(&acme.gateway), acme.tenant);
    let mut all = JoinSet::new();
    for _ in 0..8 {
        let gateway = Arc::clone(&gateway);
        all.spawn(async move { replay::one(&gateway.app, tenant, id).await.unwrap().1 });
    }
    let outcomes = all.join_all().await;
    let done = outcomes.iter().filter(|outcome| matches!(outcome, replay::Outcome::Done)).count();
    let over = outcomes.iter().filter(|outcome| matches!(outcome, replay::Outcome::Over)).count();
    assert_eq!((done, over, users(&acme).await.len()), (1, 7, 1), "{outcomes:?}");
    assert_eq!(acme.events("provisioning.recovered").await.len(), 1);

    // Another tenant's is nobody's.
    let other = Customer::of(&gateway).await;
    assert!(matches!(replay::one(&gateway.app, other.tenant, id).await, Err(gateway::error::Error::NotFound)));
    let refused = Operator::new().await.refusal(&["failure", "dismiss", "--tenant", &other.slug, &id.to_string()]);
    assert!(refused.contains("no open failure"), "{refused}");
}

#[tokio::test]
async fn the_report_is_a_table_without_formulas_and_what_is_no_matter_leaves_it() {
    let acme = Customer::new().await;
    seats(&acme, 0, SeatPolicy::Refuse).await;
    let names = ["=HYPERLINK(\"https://evil.test\")", "@SUM(1)", "+1", "-1", "ann, \"the\" one"];
    for name in names {
        assert_eq!(push(&acme, &json!({ "userName": name })).await.0, 409);
    }
    let table = Operator::new().await.reads(&[], &["failure", "list", "--tenant", &acme.slug, "-o", "csv"], "");
    let mut lines = table.split_terminator("\r\n");
    assert!(
        lines.next().unwrap().starts_with("id,connection,source,who,what,code,why,what_to_do,first_seen"),
        "{table}"
    );
    let lines: Vec<&str> = lines.collect();
    assert_eq!(lines.len(), names.len());
    for name in names {
        let cell = if name.starts_with('a') { name.to_owned() } else { format!("'{name}") };
        let cell = if cell.contains('"') { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell };
        assert!(lines.iter().any(|line| line.contains(&format!(",{cell},"))), "{cell}: {table}");
    }
    let first = report(&acme).await[0]["id"].as_str().unwrap().to_owned();
    let dismiss = ["failure", "dismiss", "--tenant", &acme.slug, &first];
    assert!(Operator::new().await.run(&dismiss).status.success());
    assert_eq!(report(&acme).await.len(), names.len() - 1);
    assert!(Operator::new().await.refusal(&dismiss).contains("no open failure"));
    let terms = async || {
        let now = acme.gateway.clock.now();
        let mut tx = acme.gateway.app.tenant(acme.tenant, store::scope::Actor::Gateway, now).await.unwrap();
        let Terms { scim_since, .. } = store::connections::terms(&mut tx, acme.connection).await.unwrap();
        tx.rollback().await.unwrap();
        scim_since
    };
    assert_eq!(terms().await, None, "what was refused has not begun anything");
}

#[tokio::test]
async fn who_waits_and_whose_invitation_came_back_are_in_the_same_report() {
    let acme = Customer::new().await;
    seats(&acme, 0, SeatPolicy::Park).await;
    acme.assign(&acme.user("ann")).await;
    assert_says(&only(&acme).await, &json!({ "source": "seat", "code": "GH-SEA-002", "can_be_replayed": true }));
    seats(&acme, 1, SeatPolicy::Park).await;
    assert_eq!(report(&acme).await, Vec::<Value>::new());

    Operator::new().await.json(&["tenant", "set", &acme.slug, "--linking", "ask"]);
    let board = acme.gateway.application("https://board.test/callback", |_| {}).await;
    let board = acme.sibling(&board).await;
    assert_eq!(push(&board, &document(&acme.user("ann"))).await.0, 201);
    let line = only(&acme).await;
    assert_says(&line, &json!({ "source": "link", "code": "GH-USR-008", "can_be_replayed": false }));
    assert!(line["what_to_do"].as_str().unwrap().contains("gatehouse user confirm"), "{line}");
}

async fn guard(acme: &Customer, arguments: &[&str]) -> Value {
    let connection = acme.connection.to_string();
    Operator::new().await.json(&[&["failure", "guard", connection.as_str()][..], arguments].concat())
}

#[tokio::test]
async fn a_sync_that_takes_out_too_many_waits_for_somebody_to_say_that_it_is_meant() {
    let acme = Customer::new().await;
    let mut ids = Vec::new();
    for number in 0..30 {
        let user = acme.user(&format!("user{number:02}"));
        acme.idp.add_user(user.clone());
        ids.push(push(&acme, &document(&user)).await.1["id"].as_str().unwrap().to_owned());
    }
    let last = acme.user("user29");
    let signed_in = acme.sign_in(&Browser::new(), &last.email).await;
    // Twenty of any organization may go, whatever the share is.
    for id in &ids[..19] {
        assert_eq!(turn(&acme, id, false).await, 200);
    }
    let gone = acme.scim(Method::DELETE, &format!("/Users/{}", ids[19]), None).await;
    assert_eq!(gone.status, 204);
    for id in &ids[20..] {
        let out = json!({ "Operations": [{ "op": "replace", "path": "active", "value": false }] });
        let answer = acme.scim(Method::PATCH, &format!("/Users/{id}"), Some(out)).await.document(409);
        assert!(answer["detail"].as_str().unwrap().contains("more than 50 %"), "{answer}");
    }
    assert_eq!(acme.events("provisioning.paused_mass_change").await.len(), 1, "told once");
    assert_says(&acme.events("provisioning.paused_mass_change").await[0]["data"], &json!({ "there": 30, "gone": 20 }));
    let says = guard(&acme, &[]).await;
    assert_says(&says, &json!({ "waiting_to_go": 10, "gone": 20, "of_users": 30, "mass_change_percent": 50 }));
    assert!(says["paused_at"].is_string(), "{says}");
    assert!(acme.is_active(signed_in.text("refresh_token")).await, "who waits to go is still in");
    // Nothing else stands still, and time alone does not end it.
    acme.gateway.clock.advance(Duration::hours(3));
    assert_eq!(push(&acme, &document(&acme.user("new"))).await.0, 201);
    assert_eq!(turn(&acme, &ids[20], false).await, 409);
    assert_eq!(turn(&acme, &ids[0], true).await, 200);
    assert_eq!(replayed(&acme).await, Vec::<String>::new(), "those wait for another word");
    let in_now = |users: Vec<(String, bool)>| users.into_iter().filter(|(_, active)| *active).count();
    assert_eq!(in_now(users(&acme).await), 12);

    let done = guard(&acme, &["--approve"]).await;
    let outcomes: Vec<&str> = done.as_array().unwrap().iter().map(|line| line["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["done"; 10]);
    assert_eq!((in_now(users(&acme).await), report(&acme).await.len()), (2, 0));
    assert_eq!(acme.events("provisioning.resumed").await.len(), 1);
    let waiting = acme.waiting(&last).await;
    let response = waiting.signed(&waiting.honest());
    waiting.is_refused_at_finish(&response, "GH-SAML-1005").await;
}

#[tokio::test]
async fn a_share_is_the_tenants_to_choose_and_a_mistake_is_over_when_somebody_says_so() {
    let acme = Customer::new().await;
    let mut ids = Vec::new();
    for number in 0..24 {
        ids.push(
            push(&acme, &document(&acme.user(&format!("user{number}")))).await.1["id"].as_str().unwrap().to_owned(),
        );
    }
    let set = async |percent: &str| {
        Operator::new().await.json(&["tenant", "set", &acme.slug, "--mass-change-percent", percent])
    };
    assert_says(&set("100").await, &json!({ "mass_change_percent": 100 }));
    for id in &ids[..21] {
        assert_eq!(turn(&acme, id, false).await, 200);
    }
    set("10").await;
    assert_eq!(turn(&acme, &ids[21], false).await, 409);
    guard(&acme, &["--resume"]).await;
    assert_says(&guard(&acme, &[]).await, &json!({ "paused_at": null, "gone": 0, "of_users": 3, "waiting_to_go": 1 }));
    assert_eq!(turn(&acme, &ids[21], false).await, 200, "twenty more, and the identity provider says it again");
    assert_eq!(report(&acme).await, Vec::<Value>::new());
    set("0").await;
    assert_eq!(turn(&acme, &ids[22], false).await, 200);
    let refused = Operator::new().await.run(&["tenant", "set", &acme.slug, "--mass-change-percent", "101"]);
    assert!(!refused.status.success());
}

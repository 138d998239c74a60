//! Programs that are killed in the middle: nothing is lost, nothing is done twice, and the next one takes it up.

use crate::cli::Operator;
use domain::{removal::Fate, seats::SeatPolicy};
use gateway::{purge, setup};
use harness::{
    customer::{Customer, superuser, until_waiting},
    gateway_process::{Gateway, own_database, superuser_of},
};
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use time::Duration;

/// Everything that a command could leave behind half done.
async fn rows(acme: &Customer) -> Vec<String> {
    let tables =
        ["accounts", "connections", "events", "failures", "groups", "invitations", "seats", "sessions", "users"];
    let (mut database, mut all) = (superuser().await, Vec::new());
    for table in tables {
        let query = format!("SELECT to_jsonb(t)::text FROM {table} t WHERE tenant_id = $1 ORDER BY 1");
        let rows: Vec<String> =
            sqlx::query_scalar(AssertSqlSafe(query)).bind(acme.tenant.0).fetch_all(&mut database).await.unwrap();
        all.extend(rows);
    }
    all
}

/// Kills a command when it meets a row that somebody else holds; what was there before is there still.
async fn kill_at(acme: &Customer, held: &str, arguments: &[&str]) {
    let before = rows(acme).await;
    let mut database = superuser().await;
    let mut tx = database.begin().await.unwrap();
    let locked = sqlx::query(AssertSqlSafe(held.to_owned())).bind(acme.tenant.0).execute(&mut *tx).await.unwrap();
    assert!(locked.rows_affected() > 0, "{held}");
    let operator = Operator::new().await;
    let mut child = operator.start(arguments);
    until_waiting(&mut tx, 1).await;
    child.kill().unwrap();
    assert!(!child.wait().unwrap().success());
    tx.rollback().await.unwrap();
    assert_eq!(rows(acme).await, before, "{arguments:?}");
}

const SEATS: &str = "SELECT FROM seats WHERE tenant_id = $1 FOR UPDATE";

async fn limit(acme: &Customer, seats: u32) {
    let (store, now) = (&acme.gateway.app.store, acme.gateway.clock.now());
    let application = acme.application.client_id.parse().unwrap();
    setup::seats::set(store, now, acme.tenant, application, (seats, &SeatPolicy::Refuse)).await.unwrap();
}

async fn run(arguments: &[&str]) -> Value {
    Operator::new().await.json(arguments)
}

#[tokio::test]
async fn of_a_killed_go_live_the_shadow_stays_as_it_was() {
    let acme = Customer::new().await;
    limit(&acme, 10).await;
    let shadow = acme.shadow(&acme.application).await;
    for name in ["ann", "ben"] {
        shadow.assign(&shadow.user(name)).await;
    }
    let id = shadow.connection.to_string();
    kill_at(&shadow, SEATS, &["connection", "go-live", &id, "--yes"]).await;
    let live = run(&["connection", "go-live", &id, "--yes"]).await;
    assert_eq!((&live["users"], &live["seats_taken_then"]), (&json!(2), &json!(2)));
    assert_eq!(shadow.events("user.created").await.len(), 2);
}

#[tokio::test]
async fn of_a_killed_removal_and_a_killed_return_nothing_is_left() {
    let acme = Customer::new().await;
    limit(&acme, 10).await;
    acme.assign(&acme.user("ann")).await;
    let id = acme.connection.to_string();
    let remove = ["connection", "remove", &id, "--users", "deactivate", "--yes"];
    kill_at(&acme, SEATS, &remove).await;
    acme.scim(Method::GET, "/Users", None).await.document(200);
    run(&remove).await;
    let told = async |kind: &str| acme.events(kind).await.len();
    assert_eq!((told("connection.removed").await, told("user.deactivated").await), (1, 1));
    kill_at(&acme, SEATS, &["connection", "restore", &id]).await;
    assert_eq!(acme.scim(Method::GET, "/Users", None).await.status, 401);
    run(&["connection", "restore", &id]).await;
    assert_eq!((told("connection.restored").await, told("user.reactivated").await), (1, 1));
    acme.scim(Method::GET, "/Users", None).await.document(200);
}

#[tokio::test]
async fn a_killed_replay_is_done_once_by_the_next_one() {
    let acme = Customer::new().await;
    limit(&acme, 1).await;
    acme.assign(&acme.user("ann")).await;
    let body = json!({ "userName": acme.user("ben").email });
    acme.scim(Method::POST, "/Users", Some(body)).await.document(409);
    limit(&acme, 2).await;
    kill_at(&acme, SEATS, &["failure", "replay", "--tenant", &acme.slug]).await;
    run(&["failure", "replay", "--tenant", &acme.slug]).await;
    run(&["failure", "replay", "--tenant", &acme.slug]).await;
    assert_eq!(acme.scim(Method::GET, "/Users", None).await.document(200)["totalResults"], 2);
    assert_eq!(acme.events("provisioning.recovered").await.len(), 1);
}

#[tokio::test]
async fn a_killed_erasure_erases_nothing() {
    let acme = Customer::new().await;
    let ann = acme.user("ann");
    let account = acme.assign(&ann).await;
    let again = json!({ "userName": ann.user_name });
    acme.scim(Method::POST, "/Users", Some(again)).await.document(409);
    let out = json!({ "Operations": [{ "op": "replace", "value": { "active": false } }] });
    acme.scim(Method::PATCH, &format!("/Users/{account}"), Some(out)).await.document(200);
    let erase = ["user", "erase", "--tenant", &acme.slug, &ann.email, "--yes"];
    kill_at(&acme, "SELECT FROM failures WHERE tenant_id = $1 FOR UPDATE", &erase).await;
    let erased = run(&erase).await;
    assert_eq!((&erased["accounts"], &erased["failures"]), (&json!(1), &json!(1)));
}

/// Removed long ago, with so many people that one transaction does not take them all.
async fn removed_with(people: i32) -> (Customer, String) {
    let database = own_database().await;
    let gateway = Gateway::on(&database, gateway::clock::Clock::manual(), |_| {}).await;
    let acme = Customer::of(&gateway).await;
    let first = acme.assign(&acme.user("first")).await;
    let copies = "WITH one AS (SELECT * FROM accounts WHERE id = $1::uuid), ids AS (SELECT gen_random_uuid() AS id, n FROM generate_series(1, $2) AS n),
        person AS (INSERT INTO users (tenant_id, id, created_at, updated_at) SELECT o.tenant_id, i.id, o.created_at, o.created_at FROM one o, ids i)
        INSERT INTO accounts (tenant_id, id, connection_id, user_id, user_name, user_name_key, active, role, role_reason, document, version, created_at, updated_at)
        SELECT o.tenant_id, gen_random_uuid(), o.connection_id, i.id, 'user' || i.n, 'user' || i.n, true, o.role, o.role_reason, '{}', 1, o.created_at, o.created_at
        FROM one o, ids i";
    let mut superuser = superuser_of(&database).await;
    sqlx::query("BEGIN").execute(&mut superuser).await.unwrap();
    sqlx::query("SELECT set_config('app.tenant_id', $1, true)")
        .bind(acme.tenant.to_string())
        .execute(&mut superuser)
        .await
        .unwrap();
    sqlx::query(copies).bind(&first).bind(people - 1).execute(&mut superuser).await.unwrap();
    sqlx::query("COMMIT").execute(&mut superuser).await.unwrap();
    let (store, clock) = (&gateway.app.store, &gateway.clock);
    setup::removal::remove(store, clock.now(), acme.connection, Fate::Delete, None).await.unwrap();
    clock.advance(Duration::days(30));
    (acme, database)
}

async fn count(database: &mut PgConnection, query: &'static str) -> i64 {
    sqlx::query_scalar(query).fetch_one(database).await.unwrap()
}

#[tokio::test]
async fn what_is_deleted_for_good_is_taken_up_by_whoever_comes_next_and_told_once() {
    let (acme, database) = removed_with(2_500).await;
    let mut watcher = superuser_of(&database).await;
    let accounts = "SELECT count(*) FROM accounts";
    assert_eq!(count(&mut watcher, accounts).await, 2_500);
    // It dies between two of its transactions.
    let app = acme.gateway.app.clone();
    let first = tokio::spawn(async move { purge::round(&app).await });
    while count(&mut watcher, accounts).await == 2_500 {
        tokio::task::yield_now().await;
    }
    first.abort();
    drop(first.await);
    let left = count(&mut watcher, accounts).await;
    assert!(left < 2_500, "{left}");
    // Two at once take it up.
    let app = &acme.gateway.app;
    let (one, other) = tokio::join!(purge::round(app), purge::round(app));
    one.and(other).unwrap();
    assert_eq!(count(&mut watcher, accounts).await, 0);
    assert_eq!(count(&mut watcher, "SELECT count(*) FROM connections").await, 0);
    assert_eq!(count(&mut watcher, "SELECT count(*) FROM users").await, 0);
    let told = "SELECT count(*) FROM events WHERE kind = 'user.deleted'";
    assert_eq!(count(&mut watcher, told).await, 2_500);
    let each = "SELECT count(DISTINCT data->>'account_id') FROM events WHERE kind = 'user.deleted'";
    assert_eq!(count(&mut watcher, each).await, 2_500);
    assert_eq!(count(&mut watcher, "SELECT count(*) FROM events WHERE kind = 'connection.deleted'").await, 1);
}

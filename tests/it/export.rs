//! A tenant that is exported is exported whole, without secrets, and without anybody else's rows.

use crate::{cli::Operator, erasure::Place, isolation};
use harness::{browser::Browser, customer::Customer};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, PgConnection};
use std::collections::BTreeMap;
use store::exports::TABLES;

/// Bytes that are no secret: certificates, fingerprints of wishes, keyed hashes.
const PUBLIC_BYTES: [&str; 4] =
    ["connections.idp_certificates", "failures.key", "sp_keys.certificate", "tombstones.addresses"];

async fn export(acme: &Customer) -> Vec<Value> {
    let (app, mut out) = (&acme.gateway.app, Vec::new());
    gateway::setup::export::write(&app.store, app.clock.now(), acme.tenant, &mut out).await.unwrap();
    let text = String::from_utf8(out).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

async fn counted(database: &mut PgConnection, acme: &Customer) -> BTreeMap<String, i64> {
    let mut counts = BTreeMap::new();
    for table in isolation::owned_tables(database).await {
        let query = format!("SELECT count(*) FROM {table} WHERE tenant_id = $1");
        let count: i64 =
            sqlx::query_scalar(AssertSqlSafe(query)).bind(acme.tenant.0).fetch_one(&mut *database).await.unwrap();
        counts.extend((count > 0).then_some((table, count)));
    }
    counts
}

#[tokio::test]
async fn a_tenant_is_exported_whole_and_alone() {
    let mut place = Place::new().await;
    place.live().await;
    place.acme.gateway.app.log.flush().await;
    place.acme.gateway.app.steps.flush().await;
    let other = Customer::of(&place.acme.gateway).await;
    let eve = other.user("eve");
    other.assign(&eve).await;
    other.sign_in(&Browser::new(), &eve.email).await;

    let lines = export(&place.acme).await;
    let (last, rows) = lines.split_last().unwrap();
    let mut counts: BTreeMap<String, i64> = serde_json::from_value(last["counts"].clone()).unwrap();
    assert_eq!(rows.iter().map(|row| counts[row["table"].as_str().unwrap()]).max(), counts.values().copied().max());
    assert_eq!(counts.values().sum::<i64>(), i64::try_from(rows.len()).unwrap());
    assert_eq!((counts.remove("tenants"), counts.remove("applications")), (Some(1), Some(1)));
    assert_eq!(counts, counted(&mut place.database, &place.acme).await, "also of the connection that was removed");
    assert!(counts.len() > 20 && counts["connections"] == 2, "{counts:?}");

    let text = json!(lines).to_string();
    for stranger in [&eve.email, &other.slug, &other.tenant.to_string(), &other.connection.to_string()] {
        assert!(!text.contains(stranger.as_str()), "{stranger}");
    }
    assert!(text.contains(&place.person.email));
    let document = rows.iter().find(|row| row["table"] == "accounts").unwrap();
    assert!(document["row"]["document"].is_object() && document["row"]["created_at"].is_string());
    let told = "SELECT count(*) FROM events WHERE kind = 'tenant.exported' AND tenant_id = $1";
    let told: i64 = sqlx::query_scalar(told).bind(place.acme.tenant.0).fetch_one(&mut place.database).await.unwrap();
    assert_eq!(told, 1);
}

#[tokio::test]
async fn every_table_is_exported_and_no_secret() {
    let acme = Customer::new().await;
    let mut database = harness::customer::superuser().await;
    let mut tables: Vec<&str> = TABLES.iter().map(|(table, _)| *table).collect();
    tables.sort_unstable();
    assert_eq!(
        tables,
        isolation::owned_tables(&mut database).await,
        "a new table: say in store::exports what of it is a secret"
    );
    let bytes =
        "SELECT table_name || '.' || column_name FROM information_schema.columns WHERE table_schema = current_schema()
        AND data_type <> 'boolean' AND (udt_name IN ('bytea', '_bytea') OR column_name ~ 'hash|secret|sealed|password') ORDER BY 1";
    let bytes: Vec<String> = sqlx::query_scalar(bytes).fetch_all(&mut database).await.unwrap();
    let of_tenants: Vec<String> =
        bytes.into_iter().filter(|column| tables.contains(&column.split('.').next().unwrap())).collect();
    let mut known: Vec<String> = TABLES
        .iter()
        .flat_map(|(table, secrets)| secrets.iter().map(move |secret| format!("{table}.{secret}")))
        .chain(PUBLIC_BYTES.map(str::to_owned))
        .collect();
    known.sort_unstable();
    assert_eq!(of_tenants, known);
    acme.assign(&acme.user("ann")).await;
    let printed = Operator::new().await.run(&["tenant", "export", &acme.slug]);
    let printed = String::from_utf8(printed.stdout).unwrap();
    let last: Value = serde_json::from_str(printed.lines().last().unwrap()).unwrap();
    assert_eq!((&last["counts"]["accounts"], &last["counts"]["tenants"]), (&json!(1), &json!(1)));
    assert!(!printed.contains(&acme.token) && !printed.contains("_hash\""));
}

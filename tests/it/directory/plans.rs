//! Plans are kept: one that was made while every group and connection was small serves a large one as well.

use super::*;
use harness::customer::superuser;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use std::{fs, path::Path};
use store::prepared;

/// More than what is read, whatever the plan, where each row is looked up.
const LARGE: u32 = 5_000;

/// Members that a statement names.
const NAMED: u32 = 20;

// Of the one group of each tenant as well.
const TENANT: &str = "00000000-0000-0000-0000-00000000000a";
const CONNECTION: &str = "00000000-0000-0000-0000-00000000000c";
/// The text of a statement of the product, by the name that it begins with.
fn statement(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join(".sqlx");
    let mut texts = fs::read_dir(folder).unwrap().map(|file| {
        let file: Value = serde_json::from_str(&fs::read_to_string(file.unwrap().path()).unwrap()).unwrap();
        file["query"].as_str().unwrap().to_owned()
    });
    texts.find(|text| text.starts_with(&format!("-- {name}\n"))).unwrap_or_else(|| panic!("no statement {name}"))
}

async fn run(database: &mut PgConnection, statements: &str) {
    sqlx::raw_sql(AssertSqlSafe(statements.to_owned())).execute(database).await.unwrap();
}

/// An account of `tenant` for each number, in the tenant's group and in one of its own.
fn accounts_in_a_group(tenant: &str, numbers: &str) -> String {
    format!(
        "WITH made AS (
            INSERT INTO accounts (tenant_id, id, connection_id, user_id, user_name, user_name_key, active, role,
                                  role_reason, document, version, created_at, updated_at)
            SELECT {tenant}, ('10000000-0000-0000-0000-' || lpad(to_hex(n), 12, '0'))::uuid, '{CONNECTION}',
                   gen_random_uuid(), n, n, true, 'member', '', '{{}}', 1, now(), now() FROM {numbers}
            RETURNING tenant_id, connection_id, id
        )
        , groups_made AS (
            INSERT INTO groups (tenant_id, id, connection_id, display_name, display_name_key, version, created_at, updated_at)
            SELECT tenant_id, id, connection_id, id, id, 1, now(), now() FROM made
        )
        INSERT INTO group_members (tenant_id, connection_id, group_id, account_id)
        SELECT tenant_id, connection_id, unnest(ARRAY[tenant_id, id]), id FROM made;"
    )
}

/// `NAMED` ids all over the large group, as an argument.
fn named() -> String {
    let ids = (0..NAMED).map(|n| format!("10000000-0000-0000-0000-{:012x}", 1 + n * (LARGE / NAMED)));
    format!("'{{{}}}'::uuid[]", ids.collect::<Vec<_>>().join(","))
}

/// What this transaction has read of accounts, groups and memberships by now.
async fn rows_read(database: &mut PgConnection) -> i64 {
    let query = "SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0))::bigint FROM pg_stat_xact_user_tables
                 WHERE relname IN ('accounts', 'groups', 'group_members', 'group_groups')";
    sqlx::query_scalar(query).fetch_one(database).await.unwrap()
}

#[tokio::test]
async fn a_plan_made_for_small_groups_serves_a_large_one() {
    harness::gateway_process::migrated().await;
    let mut database = superuser().await;
    let mut tx = database.begin().await.unwrap();
    // Rows without what their keys point to: all of it is rolled back.
    run(&mut tx, "SET LOCAL session_replication_role = replica; SET LOCAL plan_cache_mode = force_generic_plan").await;
    run(&mut tx, prepared::SETTINGS).await;
    let small = accounts_in_a_group("of.tenant", "of, generate_series(of.first, of.first + 4) AS n");
    let tenants = "SELECT gen_random_uuid() AS tenant, t * 5 AS first FROM generate_series(2000, 3000) AS t";
    run(&mut tx, &format!("WITH of AS ({tenants}), {}", small.strip_prefix("WITH ").unwrap())).await;
    run(&mut tx, "ANALYZE accounts, groups, group_members").await;
    run(&mut tx, &format!("SET LOCAL ROLE gate_tenant; SET LOCAL app.tenant_id = '{TENANT}'")).await;
    let statements = [
        ("accounts::by_ids", format!("'{CONNECTION}', IDS")),
        ("members::of_accounts", "IDS".to_owned()),
        ("roles::standings", format!("'{CONNECTION}', IDS, '{{}}'")),
        (
            "roles::reassign",
            format!(
                "'{CONNECTION}', IDS, {0}, {0}, NULL, array_fill(false, ARRAY[cardinality((IDS)::uuid[])])",
                "array_fill('x'::text, ARRAY[cardinality((IDS)::uuid[])])"
            ),
        ),
        ("roles::locked_standings", format!("'{CONNECTION}', IDS, '{{}}'")),
        ("seats::admit", "IDS".to_owned()),
        ("members::add", format!("'{CONNECTION}', '{TENANT}', IDS")),
        ("members::remove", format!("'{TENANT}', IDS, '{{}}'")),
    ];
    let call =
        |name: &str, arguments: &str, ids: &str| format!(r#"EXECUTE "{name}" ({})"#, arguments.replace("IDS", ids));
    for (name, arguments) in &statements {
        run(&mut tx, &format!(r#"PREPARE "{name}" AS {}"#, statement(name))).await;
        run(&mut tx, &call(name, arguments, "'{}'")).await;
    }
    run(&mut tx, "RESET ROLE").await;
    let large = format!("generate_series(1, {LARGE}) AS n");
    run(&mut tx, &accounts_in_a_group(&format!("'{TENANT}'::uuid"), &large)).await;
    run(&mut tx, "SET LOCAL ROLE gate_tenant").await;

    let mut read = Vec::new();
    for (name, arguments) in &statements {
        let before = rows_read(&mut tx).await;
        run(&mut tx, &call(name, arguments, &named())).await;
        read.push((name, rows_read(&mut tx).await - before));
    }
    assert!(read.iter().all(|(_, rows)| (1..=i64::from(3 * NAMED)).contains(rows)), "rows read: {read:?}");
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM group_members").fetch_one(&mut *tx).await.unwrap();
    assert_eq!(left, i64::from(2 * LARGE - NAMED), "they were found, and went");
    tx.rollback().await.unwrap();
}

/// What this transaction has read of requests and assertions by now.
async fn sign_in_rows_read(database: &mut PgConnection) -> i64 {
    let query = "SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0))::bigint FROM pg_stat_xact_user_tables
                 WHERE relname IN ('sign_in_requests', 'assertions')";
    sqlx::query_scalar(query).fetch_one(database).await.unwrap()
}

/// Every sign-in asks these, and a tenant has as many requests on their way as people who begin.
#[tokio::test]
async fn a_plan_made_while_nobody_signed_in_serves_a_tenant_with_thousands_of_requests() {
    harness::gateway_process::migrated().await;
    let mut database = superuser().await;
    let mut tx = database.begin().await.unwrap();
    run(&mut tx, "SET LOCAL session_replication_role = replica; SET LOCAL plan_cache_mode = force_generic_plan").await;
    run(&mut tx, prepared::SETTINGS).await;
    let rows = |tenant: &str, numbers: &str| {
        format!(
            "INSERT INTO sign_in_requests (tenant_id, id, connection_id, browser_hash, created_at, expires_at)
             SELECT {tenant}, 'r' || n, '{CONNECTION}', '\\x00', now(), now() FROM {numbers} AS n;
             INSERT INTO assertions (tenant_id, connection_id, assertion_id, expires_at)
             SELECT {tenant}, '{CONNECTION}', 'a' || n, now() FROM {numbers} AS n"
        )
    };
    run(&mut tx, &rows("gen_random_uuid()", "generate_series(1, 5000)")).await;
    run(&mut tx, "ANALYZE sign_in_requests, assertions").await;
    run(&mut tx, &format!("SET LOCAL ROLE gate_tenant; SET LOCAL app.tenant_id = '{TENANT}'")).await;
    let settle = |request: &str, assertion: &str| {
        format!(
            "EXECUTE settle('{CONNECTION}', '{request}', '{assertion}', 9e15, '\\x01', '{{}}', 0);
             EXECUTE settled('{CONNECTION}', '{request}', '{assertion}', '\\x01', 0, gen_random_uuid(), 'kind', 'actor',
                             ARRAY['1', '2', '3', '4', '5'])"
        )
    };
    for (name, types, text) in prepared::statements() {
        if name.starts_with("settle") {
            run(&mut tx, &format!("PREPARE {name} ({types}) AS {text}")).await;
        }
    }
    run(&mut tx, &settle("none", "none")).await;
    run(&mut tx, "RESET ROLE").await;
    run(&mut tx, &rows(&format!("'{TENANT}'::uuid"), &format!("generate_series(1, {LARGE})"))).await;
    run(&mut tx, "SET LOCAL ROLE gate_tenant").await;
    let before = sign_in_rows_read(&mut tx).await;
    run(&mut tx, &format!("{}; {}", settle("r77", "new"), settle("r78", "a78"))).await;
    let read = sign_in_rows_read(&mut tx).await - before;
    assert!((1..=20).contains(&read), "rows read: {read}");
    let taken: i64 = sqlx::query_scalar("SELECT count(*) FROM sign_in_requests WHERE answered_at IS NOT NULL")
        .fetch_one(&mut *tx)
        .await
        .unwrap();
    assert_eq!(taken, 1);
    tx.rollback().await.unwrap();
}

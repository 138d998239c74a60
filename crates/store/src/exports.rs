//! Everything of a tenant, row by row.

use crate::{error::Result, removals, search, tenant::TenantTx};
use futures_util::TryStreamExt;
use sqlx::AssertSqlSafe;
use std::time::Duration;

/// All tables of a tenant, and what of them is a secret, which nobody is given.
pub const TABLES: [(&str, &[&str]); 38] = [
    ("account_attributes", &[]),
    ("account_counts", &[]),
    ("account_passwords", &["hash"]),
    ("accounts", &[]),
    ("aliases", &[]),
    ("assertions", &[]),
    ("break_glass_codes", &["hash"]),
    ("connections", &[]),
    ("departures", &[]),
    ("domain_claims", &[]),
    ("domains", &[]),
    ("events", &[]),
    ("failures", &[]),
    ("grants", &["code_hash"]),
    ("group_groups", &[]),
    ("group_members", &[]),
    ("groups", &[]),
    ("guards", &[]),
    ("invitations", &["code_hash"]),
    ("logout_deliveries", &[]),
    ("logout_requests", &[]),
    ("logouts", &[]),
    ("refresh_tokens", &["token_hash"]),
    ("role_rules", &[]),
    ("schema_attributes", &[]),
    ("scim_exchanges", &[]),
    ("scim_token_uses", &[]),
    ("scim_tokens", &["token_hash"]),
    ("seats", &[]),
    ("seen_certificates", &[]),
    ("sessions", &["token_hash"]),
    ("sign_in_requests", &["browser_hash", "ticket_hash"]),
    ("sign_in_steps", &[]),
    ("sp_keys", &["sealed"]),
    ("tombstones", &[]),
    ("user_changes", &[]),
    ("users", &[]),
    ("watches", &[]),
];

/// Gives every row of the tenant to `each`: the table, and the row as a JSON object; bytes as `\x` and hexadecimal digits, times as RFC
/// 3339. Also what belongs to connections that were removed. It is one statement, so all of it is of one moment.
pub async fn rows(tx: &mut TenantTx, mut each: impl FnMut(&str, &str)) -> Result<()> {
    search::bound(tx, Duration::ZERO).await?;
    removals::show_removed(tx, true).await?;
    let tables = TABLES.iter().map(|(table, secrets)| {
        let secrets: Vec<String> = secrets.iter().map(|secret| format!(" - '{secret}'")).collect();
        format!("SELECT '{table}', (to_jsonb(t) - 'tenant_id'{})::text FROM {table} t", secrets.concat())
    });
    let applications = "SELECT 'applications', jsonb_build_object('id', id, 'slug', slug, 'display_name', display_name,
            'roles', roles)::text
        FROM applications WHERE id IN (SELECT application_id FROM connections UNION SELECT application_id FROM seats)";
    let tenant = "SELECT 'tenants', to_jsonb(t)::text FROM tenants t WHERE id = current_setting('app.tenant_id')::uuid";
    let all: Vec<String> = [tenant.to_owned(), applications.to_owned()].into_iter().chain(tables).collect();
    let statement = format!("-- exports::rows\n{}", all.join("\nUNION ALL\n"));
    let mut rows = sqlx::query_as::<_, (String, String)>(AssertSqlSafe(statement)).fetch(tx.conn().await?);
    while let Some((table, row)) = rows.try_next().await? {
        each(&table, &row);
    }
    drop(rows);
    removals::show_removed(tx, false).await
}

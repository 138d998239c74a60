//! Invitations that are still to be sent: due as long as `due_at` says so, sent by any gateway.

use crate::{control::ControlTx, error::Result, pooled::one_row, tenant::TenantTx};
use domain::ids::{InvitationId, TenantId};
use time::{Duration, OffsetDateTime};

/// A mail to be tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    pub tenant: TenantId,
    pub id: InvitationId,
    /// How often it was tried, this time counted.
    pub attempts: i32,
}

/// Takes `most` mails that are due, as many of each tenant, from the one behind `after` on, so that ten thousand of one keep nobody
/// else waiting; keeps others from them for so long.
pub async fn take(tx: &mut ControlTx, after: TenantId, most: i64, lease: Duration) -> Result<Vec<Due>> {
    let now = tx.now();
    let rows = sqlx::query!(
        r#"-- invitation_mails::take
        WITH RECURSIVE turn (tenant_id) AS (
            (SELECT tenant_id FROM invitations WHERE tenant_id > $1 AND due_at <= $2 ORDER BY tenant_id LIMIT 1)
            UNION ALL
            SELECT (SELECT i.tenant_id FROM invitations i WHERE i.tenant_id > t.tenant_id AND i.due_at <= $2
                    ORDER BY i.tenant_id LIMIT 1)
            FROM turn t WHERE t.tenant_id IS NOT NULL
        ), tenant AS MATERIALIZED (
            SELECT tenant_id FROM turn WHERE tenant_id IS NOT NULL LIMIT $3
        ), first AS (
            SELECT d.tenant_id, d.id FROM tenant t CROSS JOIN LATERAL (
                SELECT tenant_id, id FROM invitations i WHERE i.tenant_id = t.tenant_id AND i.due_at <= $2
                ORDER BY due_at LIMIT (SELECT greatest(1, $3 / count(*)) FROM tenant) FOR UPDATE SKIP LOCKED
            ) AS d
        )
        UPDATE invitations i SET due_at = $4, attempts = i.attempts + 1 FROM first
        WHERE i.tenant_id = first.tenant_id AND i.id = first.id
        RETURNING i.tenant_id, i.id, i.attempts"#,
        after.0,
        now,
        most,
        now + lease
    )
    .fetch_all(tx.conn())
    .await?;
    let due = rows.into_iter().map(|row| Due {
        tenant: TenantId(row.tenant_id),
        id: InvitationId(row.id),
        attempts: row.attempts,
    });
    Ok(due.collect())
}

/// Stores the SHA-256 of the code that is on its way.
pub async fn set_code(tx: &mut TenantTx, id: InvitationId, hash: &[u8]) -> Result<()> {
    let done =
        sqlx::query!("-- invitation_mails::set_code\n UPDATE invitations SET code_hash = $2 WHERE id = $1", id.0, hash)
            .execute(tx.conn().await?)
            .await?;
    one_row(&done)
}

/// Notes why a mail was not taken, or came back; it is tried again then, or not any more.
pub async fn failed(
    tx: &mut TenantTx,
    id: InvitationId,
    problem: &str,
    again_at: Option<OffsetDateTime>,
) -> Result<()> {
    let done = sqlx::query!(
        "-- invitation_mails::failed\n UPDATE invitations SET problem = $2, due_at = $3 WHERE id = $1",
        id.0,
        problem,
        again_at
    )
    .execute(tx.conn().await?)
    .await?;
    one_row(&done)
}

/// The mail is not worth sending any more.
pub async fn forget(tx: &mut TenantTx, id: InvitationId) -> Result<()> {
    let done = sqlx::query!("-- invitation_mails::forget\n UPDATE invitations SET due_at = NULL WHERE id = $1", id.0)
        .execute(tx.conn().await?)
        .await?;
    one_row(&done)
}

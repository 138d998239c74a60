//! Invitations: who is expected in a connection.

use crate::{error::Error, error::Result, moment::Moment, pooled::one_row, tenant::TenantTx};
use domain::{
    email::Email,
    ids::{ConnectionId, InvitationId},
    invitation::{Invitation, Step},
};
use time::OffsetDateTime;
use uuid::Uuid;

/// An invitation and whom it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invited {
    pub email: String,
    pub invitation: Invitation,
}

struct Row {
    id: Uuid,
    email: String,
    step: String,
    step_at: Moment,
    created_at: Moment,
}

impl TryFrom<Row> for Invited {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        let step = match row.step.as_str() {
            "created" => Step::Created,
            "sent" => Step::Sent { at: row.step_at.0 },
            "bounced" => Step::Bounced,
            "accepted" => Step::Accepted,
            "revoked" => Step::Revoked,
            "superseded" => Step::Superseded,
            _ => return Err(Error::Damaged("invitations.step")),
        };
        let invitation = Invitation { id: InvitationId(row.id), created_at: row.created_at.0, step };
        Ok(Self { email: row.email, invitation })
    }
}

/// Stores an invitation; the one before, for the same address, has to be over.
pub async fn insert(
    tx: &mut TenantTx,
    connection: ConnectionId,
    email: &Email,
    code_hash: &[u8],
) -> Result<InvitationId> {
    let (id, now) = (tx.new_id(), tx.now());
    sqlx::query!(
        "-- invitations::insert
         INSERT INTO invitations (id, connection_id, email, email_key, step, step_at, created_at, code_hash)
         VALUES ($1, $2, $3, $4, 'created', $5, $5, $6)",
        id,
        connection.0,
        email.as_str(),
        email.key(),
        now,
        code_hash
    )
    .execute(tx.conn().await?)
    .await?;
    Ok(InvitationId(id))
}

/// Stores what happened to an invitation now.
pub async fn set_step(tx: &mut TenantTx, id: InvitationId, step: Step) -> Result<()> {
    let now = tx.now();
    let done = sqlx::query!(
        "-- invitations::set_step\n UPDATE invitations SET step = $2, step_at = $3 WHERE id = $1",
        id.0,
        step.as_str(),
        now
    )
    .execute(tx.conn().await?)
    .await?;
    one_row(&done)
}

/// The one to this address that is not over, kept from others until this transaction ends.
pub async fn open(tx: &mut TenantTx, connection: ConnectionId, email: &Email) -> Result<Option<Invitation>> {
    let row = sqlx::query_as!(
        Row,
        r#"-- invitations::open
        SELECT id, email, step, step_at AS "step_at: Moment", created_at AS "created_at: Moment" FROM invitations
        WHERE connection_id = $1 AND email_key = $2 AND step IN ('created', 'sent', 'bounced') FOR UPDATE"#,
        connection.0,
        email.key()
    )
    .fetch_optional(tx.conn().await?)
    .await?;
    row.map(|row| Ok(Invited::try_from(row)?.invitation)).transpose()
}

/// The connection's invitation of that id, kept from others until this transaction ends.
pub async fn for_update(tx: &mut TenantTx, connection: ConnectionId, id: InvitationId) -> Result<Option<Invitation>> {
    let row = sqlx::query_as!(
        Row,
        r#"-- invitations::for_update
        SELECT id, email, step, step_at AS "step_at: Moment", created_at AS "created_at: Moment" FROM invitations
        WHERE id = $2 AND connection_id = $1 FOR UPDATE"#,
        connection.0,
        id.0
    )
    .fetch_optional(tx.conn().await?)
    .await?;
    row.map(|row| Ok(Invited::try_from(row)?.invitation)).transpose()
}

/// The invitation of a code, and the connection that it is into.
pub async fn by_code(tx: &mut TenantTx, code_hash: &[u8]) -> Result<Option<(ConnectionId, Invited)>> {
    let row = sqlx::query!(
        r#"-- invitations::by_code
        SELECT connection_id, id, email, step, step_at AS "step_at: Moment", created_at AS "created_at: Moment"
        FROM invitations WHERE code_hash = $1"#,
        code_hash
    )
    .fetch_optional(tx.conn().await?)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let connection = ConnectionId(row.connection_id);
    let row = Row { id: row.id, email: row.email, step: row.step, step_at: row.step_at, created_at: row.created_at };
    Ok(Some((connection, row.try_into()?)))
}

/// The connection's invitations, newest first, `limit` at most.
pub async fn list(tx: &mut TenantTx, connection: ConnectionId, limit: i64) -> Result<Vec<Invited>> {
    let rows = sqlx::query_as!(
        Row,
        r#"-- invitations::list
        SELECT id, email, step, step_at AS "step_at: Moment", created_at AS "created_at: Moment" FROM invitations
        WHERE connection_id = $1 ORDER BY created_at DESC, id DESC LIMIT $2"#,
        connection.0,
        limit
    )
    .fetch_all(tx.conn().await?)
    .await?;
    rows.into_iter().map(Invited::try_from).collect()
}

/// How many people each connection of the tenant expects by invitations that were made, or sent, after `since`: who has an account
/// is there.
pub async fn tally(tx: &mut TenantTx, since: OffsetDateTime) -> Result<Vec<(ConnectionId, i64)>> {
    let rows = sqlx::query!(
        r#"-- invitations::tally
        SELECT connection_id, count(*) AS "standing!" FROM invitations i
        WHERE NOT EXISTS (SELECT FROM accounts a WHERE a.connection_id = i.connection_id AND a.email_key = i.email_key)
          AND step IN ('created', 'sent', 'bounced') AND CASE WHEN step = 'sent' THEN step_at ELSE created_at END > $1
        GROUP BY connection_id"#,
        since
    )
    .fetch_all(tx.conn().await?)
    .await?;
    Ok(rows.into_iter().map(|row| (ConnectionId(row.connection_id), row.standing)).collect())
}

//! What identity providers wanted and did not get, until it is granted.

use crate::{error::Result, tenant::TenantTx};
use domain::ids::{ConnectionId, FailureId};
use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

/// Failures of one key are one.
#[derive(Debug, Clone)]
pub struct NewFailure<'a> {
    /// `scim` or `sign_in`.
    pub source: &'a str,
    /// SHA-256 of what was wanted of whom.
    pub key: &'a [u8],
    pub who: &'a str,
    pub who_key: &'a str,
    pub subject: Option<Uuid>,
    pub what: &'a str,
    pub code: &'a str,
    pub detail: &'a str,
    /// What is done again; whose meaning is not the store's.
    pub wish: Option<&'a Value>,
}

/// A failure as stored.
#[derive(Debug, Clone)]
pub struct Failure {
    pub id: FailureId,
    pub connection: ConnectionId,
    pub source: String,
    pub who: String,
    pub subject: Option<Uuid>,
    pub what: String,
    pub code: String,
    pub detail: String,
    pub wish: Option<Value>,
    pub first_at: OffsetDateTime,
    pub last_at: OffsetDateTime,
    pub count: i64,
    /// When it was over, and by what.
    pub ended: Option<(OffsetDateTime, String)>,
}

/// What ends a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The identity provider wanted it again, and got it.
    Granted,
    /// An operator had it done.
    Replayed,
    /// The identity provider wants something else by now.
    Overtaken,
    /// An operator says that it is no matter.
    Dismissed,
}

impl End {
    /// The end as it is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Granted => "granted",
            Self::Replayed => "replayed",
            Self::Overtaken => "overtaken",
            Self::Dismissed => "dismissed",
        }
    }
}

struct Row {
    id: Uuid,
    connection_id: Uuid,
    source: String,
    who: String,
    subject_id: Option<Uuid>,
    what: String,
    code: String,
    detail: String,
    wish: Option<Value>,
    first_at: OffsetDateTime,
    last_at: OffsetDateTime,
    count: i64,
    closed_at: Option<OffsetDateTime>,
    closed_by: Option<String>,
}

impl From<Row> for Failure {
    fn from(row: Row) -> Self {
        let Row { source, who, what, code, detail, wish, first_at, last_at, count, .. } = row;
        let (id, connection) = (FailureId(row.id), ConnectionId(row.connection_id));
        let ended = row.closed_at.zip(row.closed_by);
        let subject = row.subject_id;
        Self { id, connection, source, who, subject, what, code, detail, wish, first_at, last_at, count, ended }
    }
}

/// Selects failures; the columns are named once, here.
macro_rules! failures {
    ($name:literal, $tail:literal $(, $argument:expr)* $(,)?) => {
        sqlx::query_as!(
            Row,
            "-- failures::" + $name + "
             SELECT f.id, f.connection_id, f.source, f.who, f.subject_id, f.what, f.code, f.detail, f.wish, f.first_at, f.last_at,
                    f.count, f.closed_at, f.closed_by
             FROM failures f " + $tail
            $(, $argument)*
        )
    };
}

/// Open failures that a connection has at most; more are not noted.
const MOST: i64 = 10_000;

/// Notes a failure; the same again is counted, and its latest wish kept. Answers which it is and whether it is new, or nothing where
/// there are too many.
pub async fn note(
    tx: &mut TenantTx,
    connection: ConnectionId,
    new: &NewFailure<'_>,
) -> Result<Option<(FailureId, bool)>> {
    let (id, now) = (tx.new_id(), tx.now());
    let row = sqlx::query!(
        r#"-- failures::note
        INSERT INTO failures (id, connection_id, source, key, who, who_key, subject_id, what, code, detail, wish, first_at, last_at)
        SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $12
        WHERE EXISTS (SELECT FROM failures WHERE connection_id = $2 AND key = $4 AND closed_at IS NULL)
           -- Departures that wait for somebody to approve them are as many as there are users.
           OR $9 = 'GH-GRD-001'
           OR NOT EXISTS (SELECT FROM failures WHERE connection_id = $2 AND closed_at IS NULL ORDER BY key OFFSET $13 LIMIT 1)
        ON CONFLICT (tenant_id, connection_id, key) WHERE closed_at IS NULL DO UPDATE
        SET who = excluded.who, who_key = excluded.who_key, code = excluded.code, detail = excluded.detail,
            wish = excluded.wish, last_at = greatest(failures.last_at, excluded.last_at), count = failures.count + 1
        RETURNING id, count"#,
        id,
        connection.0,
        new.source,
        new.key,
        new.who,
        new.who_key,
        new.subject,
        new.what,
        new.code,
        new.detail,
        new.wish,
        now,
        MOST
    )
    .fetch_optional(tx.conn().await?)
    .await?;
    Ok(row.map(|row| (FailureId(row.id), row.count == 1)))
}

/// Ends open failures of that key.
pub async fn end_key(tx: &mut TenantTx, connection: ConnectionId, key: &[u8], end: End) -> Result<Vec<FailureId>> {
    let now = tx.now();
    let ended = sqlx::query_scalar!(
        "-- failures::end_key
         UPDATE failures SET closed_at = $3, closed_by = $4 WHERE connection_id = $1 AND key = $2 AND closed_at IS NULL RETURNING id",
        connection.0,
        key,
        now,
        end.as_str()
    )
    .fetch_all(tx.conn().await?)
    .await?;
    Ok(ended.into_iter().map(FailureId).collect())
}

/// Open failures of an account or a group that can be done again, with what was wanted.
pub async fn wishes(tx: &mut TenantTx, connection: ConnectionId, subject: Uuid) -> Result<Vec<(FailureId, Value)>> {
    let rows = sqlx::query!(
        r#"-- failures::wishes
        SELECT id, wish AS "wish!" FROM failures
        WHERE connection_id = $1 AND subject_id = $2 AND closed_at IS NULL AND wish IS NOT NULL LIMIT 1000"#,
        connection.0,
        subject
    )
    .fetch_all(tx.conn().await?)
    .await?;
    Ok(rows.into_iter().map(|row| (FailureId(row.id), row.wish)).collect())
}

/// Stores what is still wanted.
pub async fn set_wish(tx: &mut TenantTx, id: FailureId, wish: &Value) -> Result<()> {
    sqlx::query!(
        "-- failures::set_wish\n UPDATE failures SET wish = $2 WHERE id = $1 AND closed_at IS NULL",
        id.0,
        wish
    )
    .execute(tx.conn().await?)
    .await?;
    Ok(())
}

/// Ends all open failures of an account or a group.
pub async fn end_subject(
    tx: &mut TenantTx,
    connection: ConnectionId,
    subject: Uuid,
    end: End,
) -> Result<Vec<FailureId>> {
    let now = tx.now();
    let ended = sqlx::query_scalar!(
        "-- failures::end_subject
         UPDATE failures SET closed_at = $3, closed_by = $4
         WHERE connection_id = $1 AND subject_id = $2 AND closed_at IS NULL RETURNING id",
        connection.0,
        subject,
        now,
        end.as_str()
    )
    .fetch_all(tx.conn().await?)
    .await?;
    Ok(ended.into_iter().map(FailureId).collect())
}

/// Ends one, kept from others until this transaction ends; whether it was open, and of which connection.
pub async fn end(tx: &mut TenantTx, id: FailureId, end: End) -> Result<Option<ConnectionId>> {
    let now = tx.now();
    let connection = sqlx::query_scalar!(
        "-- failures::end
         UPDATE failures SET closed_at = $2, closed_by = $3 WHERE id = $1 AND closed_at IS NULL RETURNING connection_id",
        id.0,
        now,
        end.as_str()
    )
    .fetch_optional(tx.conn().await?)
    .await?;
    Ok(connection.map(ConnectionId))
}

/// Notes that it was tried once more, and why it failed.
pub async fn tried(tx: &mut TenantTx, id: FailureId, code: &str, detail: &str) -> Result<()> {
    let now = tx.now();
    sqlx::query!(
        "-- failures::tried
         UPDATE failures SET code = $2, detail = $3, last_at = $4, count = count + 1 WHERE id = $1 AND closed_at IS NULL",
        id.0,
        code,
        detail,
        now
    )
    .execute(tx.conn().await?)
    .await?;
    Ok(())
}

/// The failure of that id.
pub async fn find(tx: &mut TenantTx, id: FailureId) -> Result<Option<Failure>> {
    let row = failures!("find", "WHERE f.id = $1", id.0).fetch_optional(tx.conn().await?).await?;
    Ok(row.map(Failure::from))
}

/// Open failures of a connection, those that are oldest by their last time first, `limit` at most. A sign-in that failed is over
/// where somebody of that name can sign in by now.
pub async fn open(tx: &mut TenantTx, connection: ConnectionId, limit: i64) -> Result<Vec<Failure>> {
    let rows = failures!(
        "open",
        "WHERE f.connection_id = $1 AND f.closed_at IS NULL AND NOT (f.source = 'sign_in' AND (
             EXISTS (SELECT FROM accounts a WHERE a.connection_id = f.connection_id AND a.user_name_key = f.who_key
                     AND a.active AND a.parked IS NULL)
             OR EXISTS (SELECT FROM accounts a WHERE a.connection_id = f.connection_id AND a.email_key = f.who_key
                        AND a.active AND a.parked IS NULL)))
         ORDER BY f.last_at, f.id LIMIT $2",
        connection.0,
        limit
    )
    .fetch_all(tx.conn().await?)
    .await?;
    Ok(rows.into_iter().map(Failure::from).collect())
}

/// Those that are over, the last one first.
pub async fn ended(tx: &mut TenantTx, connection: ConnectionId, limit: i64) -> Result<Vec<Failure>> {
    let rows = failures!(
        "ended",
        "WHERE f.connection_id = $1 AND f.closed_at IS NOT NULL ORDER BY f.last_at DESC, f.id DESC LIMIT $2",
        connection.0,
        limit
    )
    .fetch_all(tx.conn().await?)
    .await?;
    Ok(rows.into_iter().map(Failure::from).collect())
}

/// Accounts behind `after` whose role is none of the application's, in the order of ids.
pub async fn with_unknown_role(
    tx: &mut TenantTx,
    connection: ConnectionId,
    after: Uuid,
    limit: i64,
) -> Result<Vec<Uuid>> {
    let ids = sqlx::query_scalar!(
        "-- failures::with_unknown_role
         SELECT id FROM accounts WHERE connection_id = $1 AND role_reason = 'unknown' AND id > $2 ORDER BY id LIMIT $3",
        connection.0,
        after,
        limit
    )
    .fetch_all(tx.conn().await?)
    .await?;
    Ok(ids)
}

/// Somebody who is there, and not as the identity provider wants it.
#[derive(Debug, Clone)]
pub struct Half {
    pub id: Uuid,
    pub who: String,
    pub state: State,
    pub since: OffsetDateTime,
}

/// What is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Somebody has to say whose the account is.
    Link,
    Seat,
    /// The role that was sent is none of the application's.
    Role(String),
    /// The invitation came back, and why.
    Invitation(String),
}

/// Accounts of a connection that wait or have another role than was sent, and invitations that came back; `limit` of each kind at
/// most, in the order of ids.
pub async fn halves(tx: &mut TenantTx, connection: ConnectionId, limit: i64) -> Result<Vec<Half>> {
    let parked = sqlx::query!(
        r#"-- failures::parked
        SELECT id, user_name, parked AS "parked!", coalesce(waits_since, created_at) AS "since!" FROM accounts
        WHERE connection_id = $1 AND parked IN ('link', 'seat') AND active ORDER BY id LIMIT $2"#,
        connection.0,
        limit
    )
    .fetch_all(tx.conn().await?)
    .await?;
    let unknown = sqlx::query!(
        "-- failures::unknown_roles
         SELECT id, user_name, role, updated_at FROM accounts
         WHERE connection_id = $1 AND role_reason = 'unknown' AND active ORDER BY id LIMIT $2",
        connection.0,
        limit
    )
    .fetch_all(tx.conn().await?)
    .await?;
    let bounced = sqlx::query!(
        "-- failures::bounced
         SELECT id, email, problem, step_at FROM invitations
         WHERE connection_id = $1 AND step = 'bounced' ORDER BY id LIMIT $2",
        connection.0,
        limit
    )
    .fetch_all(tx.conn().await?)
    .await?;
    let parked = parked.into_iter().map(|row| {
        let state = if row.parked == "seat" { State::Seat } else { State::Link };
        Half { id: row.id, who: row.user_name, state, since: row.since }
    });
    let unknown = unknown.into_iter().map(|row| Half {
        id: row.id,
        who: row.user_name,
        state: State::Role(row.role),
        since: row.updated_at,
    });
    let bounced = bounced.into_iter().map(|row| Half {
        id: row.id,
        who: row.email,
        state: State::Invitation(row.problem.unwrap_or_default()),
        since: row.step_at,
    });
    Ok(parked.chain(unknown).chain(bounced).collect())
}

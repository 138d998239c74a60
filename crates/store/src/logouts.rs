//! Logout over SAML: what identity providers asked for, and what we asked them. And what else ended everything of somebody, so that
//! no sign-in that was on its way opens a session after it.

use crate::{error::Result, tenant::TenantTx};
use domain::ids::{AccountId, ConnectionId, UserId};
use time::{Duration, OffsetDateTime};

/// How long a logout keeps sign-ins from before it out: longer than one of them can take to become a session.
const MEMORY: Duration = Duration::hours(1);

/// A logout that an identity provider asked for.
#[derive(Debug)]
pub struct NewLogout<'a> {
    pub connection: ConnectionId,
    /// The ID of the LogoutRequest.
    pub id: &'a str,
    pub name_id: &'a str,
    /// Empty: all sessions.
    pub session_indexes: &'a [String],
    /// By the identity provider's clock.
    pub issued_at: OffsetDateTime,
}

/// Makes logouts under that name and sign-ins of it ([`lock_sign_in`]) wait for each other until this transaction ends, so that none
/// misses the other.
pub async fn lock(tx: &mut TenantTx, connection: ConnectionId, name_id: &str) -> Result<()> {
    sqlx::query!(
        "-- logouts::lock
         SELECT pg_advisory_xact_lock(hashtextextended($2, hashtextextended($1::uuid::text, 0)))",
        connection.0,
        name_id
    )
    .execute(tx.conn().await?)
    .await?;
    Ok(())
}

/// The same of sign-ins of the connection, each of which [`lock_sign_in`] names, and of what ends sessions of whoever has no account
/// yet, or of everybody. Taken before any account is locked. No connection means all of the tenant.
pub async fn lock_all(tx: &mut TenantTx, connection: Option<ConnectionId>) -> Result<()> {
    sqlx::query!(
        "-- logouts::lock_all
         SELECT pg_advisory_xact_lock(hashtextextended(id::text, 1))
         FROM (SELECT id FROM connections WHERE $1::uuid IS NULL OR id = $1 ORDER BY id) AS c",
        connection.map(|connection| connection.0)
    )
    .execute(tx.conn().await?)
    .await?;
    Ok(())
}

/// What a sign-in locks: its name, and its connection beside others that do the same.
pub async fn lock_sign_in(tx: &mut TenantTx, connection: ConnectionId, name_id: &str) -> Result<()> {
    sqlx::query!(
        "-- logouts::lock_sign_in
         SELECT pg_advisory_xact_lock(hashtextextended($2, hashtextextended($1::uuid::text, 0))),
                pg_advisory_xact_lock_shared(hashtextextended($1::uuid::text, 1))",
        connection.0,
        name_id
    )
    .execute(tx.conn().await?)
    .await?;
    Ok(())
}

/// Remembers a logout; whether it is a new one.
pub async fn remember(tx: &mut TenantTx, new: &NewLogout<'_>) -> Result<bool> {
    let now = tx.now();
    let done = sqlx::query!(
        "-- logouts::remember
         INSERT INTO logouts (connection_id, id, name_id, session_indexes, issued_at, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
        new.connection.0,
        new.id,
        new.name_id,
        new.session_indexes,
        new.issued_at,
        now,
        now + MEMORY
    )
    .execute(tx.conn().await?)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Of whom everything was ended.
#[derive(Debug, Clone, Copy)]
pub enum Whose<'a> {
    Account(AccountId),
    /// Whoever comes by this folded address or name, and had no account then.
    Subject(&'a str),
    /// By whatever account they come.
    User(UserId),
    Everybody,
}

/// The subject that stands for a user.
pub fn subject_of(user: UserId) -> String {
    format!("user:{user}")
}

/// Remembers that everything was ended, in one connection or in all of the tenant's, until no sign-in from before can be on its way
/// any more. Where no account is named, under [`lock_all`].
pub async fn remember_end(tx: &mut TenantTx, connection: Option<ConnectionId>, whose: Whose<'_>) -> Result<()> {
    let now = tx.now();
    let (account, subject) = match whose {
        Whose::Account(account) => (Some(account.0), None),
        Whose::Subject(subject) => (None, Some(subject.to_owned())),
        Whose::User(user) => (None, Some(subject_of(user))),
        Whose::Everybody => (None, None),
    };
    sqlx::query!(
        "-- logouts::remember_end
         INSERT INTO logouts (connection_id, id, account_id, subject, session_indexes, issued_at, created_at, expires_at)
         SELECT id, 'end:' || gen_random_uuid(), $2, $3, '{}', $4, $4, $5 FROM connections WHERE $1::uuid IS NULL OR id = $1",
        connection.map(|connection| connection.0),
        account,
        subject,
        now,
        now + MEMORY
    )
    .execute(tx.conn().await?)
    .await?;
    Ok(())
}

/// Whether everything of an account, of somebody of one of these names, or of everybody was ended since then, by our clock.
pub async fn covers_account(
    tx: &mut TenantTx,
    connection: ConnectionId,
    account: AccountId,
    names: &[String],
    began_at: OffsetDateTime,
) -> Result<bool> {
    let found = sqlx::query_scalar!(
        r#"-- logouts::covers_account
        SELECT EXISTS (
            SELECT FROM logouts WHERE connection_id = $1 AND account_id = $2 AND created_at >= $4
        ) OR EXISTS (
            SELECT FROM logouts WHERE connection_id = $1 AND account_id IS NULL AND name_id IS NULL
              AND (subject IS NULL OR subject = ANY($3)) AND created_at >= $4
        ) AS "found!""#,
        connection.0,
        account.0,
        names,
        began_at
    )
    .fetch_one(tx.conn().await?)
    .await?;
    Ok(found)
}

/// Whether a session of that name was logged out (core 3.7.3.1): by its number, or with all others; and what is asserted later
/// is another session, whose number may be one of those that come again (core 2.7.2).
pub async fn covers(
    tx: &mut TenantTx,
    connection: ConnectionId,
    name_id: &str,
    session_index: Option<&str>,
    issued_at: OffsetDateTime,
) -> Result<bool> {
    let found = sqlx::query_scalar!(
        r#"-- logouts::covers
        SELECT EXISTS (
            SELECT FROM logouts WHERE connection_id = $1 AND name_id = $2
              AND (($3::text = ANY(session_indexes) AND issued_at >= $4) OR (cardinality(session_indexes) = 0 AND issued_at > $4))
        ) AS "found!""#,
        connection.0,
        name_id,
        session_index,
        issued_at
    )
    .fetch_one(tx.conn().await?)
    .await?;
    Ok(found)
}

/// Stores a request of ours that is about to leave.
pub async fn insert_request(
    tx: &mut TenantTx,
    connection: ConnectionId,
    id: &str,
    expires_at: OffsetDateTime,
    return_url: Option<&str>,
) -> Result<()> {
    let now = tx.now();
    sqlx::query!(
        "-- logouts::insert_request
         INSERT INTO logout_requests (id, connection_id, created_at, expires_at, return_url) VALUES ($1, $2, $3, $4, $5)",
        id,
        connection.0,
        now,
        expires_at,
        return_url
    )
    .execute(tx.conn().await?)
    .await?;
    Ok(())
}

/// A request of ours that was answered.
#[derive(Debug)]
pub struct AnsweredLogout {
    /// Where the browser goes then.
    pub return_url: Option<String>,
}

/// Marks a request of ours as answered, if there is one. Its answer may be shown again.
pub async fn answer_request(tx: &mut TenantTx, connection: ConnectionId, id: &str) -> Result<Option<AnsweredLogout>> {
    let now = tx.now();
    let answered = sqlx::query_as!(
        AnsweredLogout,
        "-- logouts::answer_request
         UPDATE logout_requests SET answered_at = coalesce(answered_at, $3)
         WHERE id = $1 AND connection_id = $2 AND expires_at > $3
         RETURNING return_url",
        id,
        connection.0,
        now
    )
    .fetch_optional(tx.conn().await?)
    .await?;
    Ok(answered)
}

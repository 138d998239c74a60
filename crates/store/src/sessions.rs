//! Sessions: browsers signed in as one user of one tenant. Looked up on every use, never cached.

mod listed;

pub use listed::{Listed, Proven, list, proven_since};

use crate::{error::Result, tenant::TenantTx};
use domain::{
    ids::{AccountId, ApplicationId, ConnectionId, SessionId, UserId},
    session::EndReason,
};
use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

/// A session to be stored.
#[derive(Debug)]
pub struct NewSession<'a> {
    /// SHA-256 of the browser's cookie.
    pub token_hash: &'a [u8],
    pub connection: ConnectionId,
    pub account: AccountId,
    pub user: UserId,
    pub name: Name<'a>,
    pub session_index: Option<&'a str>,
    /// What the assertion said, as it was mapped.
    pub attributes: &'a Value,
    /// When the identity provider saw the user prove who it is.
    pub auth_time: OffsetDateTime,
    pub expires_at: OffsetDateTime,
    /// When it is over if nobody uses it.
    pub idle_until: OffsetDateTime,
    pub proof: Proof<'a>,
    /// As what the application asks for a code, if one asked.
    pub client_id: Option<&'a str>,
}

/// The authentication context of a code for when the identity provider cannot be asked.
pub const BREAK_GLASS: &str = "urn:gatehouse:break-glass";

/// What proved who it is.
#[derive(Debug, Clone, Copy)]
pub enum Proof<'a> {
    /// An assertion, with the class of its authentication context.
    Assertion { context: Option<&'a str> },
    /// A password of the directory.
    Password,
    /// A code for when the identity provider cannot be asked.
    BreakGlass,
}

/// The subject's name as the identity provider wrote it.
#[derive(Debug, Clone, Copy)]
pub struct Name<'a> {
    pub value: &'a str,
    pub format: Option<&'a str>,
    pub qualifier: Option<&'a str>,
    pub sp_qualifier: Option<&'a str>,
}

/// Which sessions end.
#[derive(Debug, Clone, Copy)]
pub enum Which<'a> {
    One(SessionId),
    /// That of the browser with this cookie.
    Browser {
        connection: ConnectionId,
        hash: &'a [u8],
    },
    /// Those that began with this name, or those of them that the identity provider numbers like that.
    Name {
        connection: ConnectionId,
        name_id: &'a str,
        session_indexes: &'a [String],
    },
    Account(AccountId),
    /// Those of an account that a password proved.
    ByPassword(AccountId),
    /// Those of an account that are one too many beside a new one: it has [`MOST_OF_ACCOUNT`].
    Surplus {
        account: AccountId,
        new: SessionId,
    },
    User(UserId),
    Connection(ConnectionId),
    Tenant,
}

/// Sessions that one call ends at most.
pub const BATCH: i64 = 1_000;

/// Sessions that one account has at once.
pub const MOST_OF_ACCOUNT: i64 = 100;

/// Names under which an application asks for codes in one session.
pub const MOST_CLIENT_IDS: usize = 20;

/// A session that ended, as logout names it.
#[derive(Debug, Clone)]
pub struct EndedSession {
    pub id: SessionId,
    pub connection: ConnectionId,
    pub name_id: String,
    pub name_id_format: Option<String>,
    pub name_qualifier: Option<String>,
    pub sp_name_qualifier: Option<String>,
    pub session_index: Option<String>,
}

/// A live session with who is behind it, now.
#[derive(Debug, Clone)]
pub struct LiveSession {
    pub id: SessionId,
    pub user: UserId,
    pub connection: ConnectionId,
    pub application: ApplicationId,
    pub email: Option<String>,
    /// Whether the tenant owns the address' domain.
    pub email_verified: bool,
    pub display_name: Option<String>,
    pub role: String,
    pub auth_time: OffsetDateTime,
    pub expires_at: OffsetDateTime,
    pub idle_until: OffsetDateTime,
    /// As what the application has asked for codes.
    pub client_ids: Vec<String>,
}

struct Row {
    id: Uuid,
    user_id: Uuid,
    connection_id: Uuid,
    application_id: Uuid,
    email: Option<String>,
    email_verified: bool,
    display_name: Option<String>,
    role: String,
    auth_time: OffsetDateTime,
    expires_at: OffsetDateTime,
    idle_until: OffsetDateTime,
    client_ids: Vec<String>,
}

impl From<Row> for LiveSession {
    fn from(row: Row) -> Self {
        Self {
            id: SessionId(row.id),
            user: UserId(row.user_id),
            connection: ConnectionId(row.connection_id),
            application: ApplicationId(row.application_id),
            email: row.email,
            email_verified: row.email_verified,
            display_name: row.display_name,
            role: row.role,
            auth_time: row.auth_time,
            expires_at: row.expires_at,
            idle_until: row.idle_until,
            client_ids: row.client_ids,
        }
    }
}

/// Selects sessions that are not ended, not over, whose account is active, and whose connection and tenant are not suspended.
macro_rules! live {
    ($name:literal, $condition:literal $(, $argument:expr)* $(,)?) => {
        sqlx::query_as!(
            Row,
            "-- sessions::" + $name + r#"
             SELECT s.id, s.user_id, s.connection_id, c.application_id, a.email, a.display_name, a.role, s.auth_time,
                    s.expires_at, s.idle_until, s.client_ids,
                    EXISTS (SELECT FROM domains d WHERE d.domain = split_part(a.email_key, '@', 2)) AS "email_verified!"
             FROM sessions s
             JOIN accounts a ON a.id = s.account_id
             JOIN connections c ON c.id = s.connection_id
             JOIN tenants t ON t.id = s.tenant_id
             WHERE s.ended_at IS NULL AND a.active AND a.parked IS NULL AND a.user_id = s.user_id AND s.expires_at > $1
               AND s.idle_until > $1 AND c.suspended_at IS NULL AND t.suspended_at IS NULL AND "# + $condition
            $(, $argument)*
        )
    };
}

/// What came of a session that begins.
#[derive(Debug)]
pub struct Begun {
    pub id: SessionId,
    /// Whether the account has too many with it.
    pub is_one_too_many: bool,
    /// How the user signed in to the application before, where somebody said.
    pub method: Option<String>,
}

/// Stores a session that begins.
pub async fn insert(tx: &mut TenantTx, new: &NewSession<'_>) -> Result<Begun> {
    let (id, now) = (tx.new_id(), tx.now());
    let context = match new.proof {
        Proof::Assertion { context } => context,
        Proof::Password => None,
        Proof::BreakGlass => Some(BREAK_GLASS),
    };
    let row = sqlx::query!(
        r#"-- sessions::insert
         INSERT INTO sessions (id, token_hash, connection_id, account_id, user_id, name_id, name_id_format,
             name_qualifier, sp_name_qualifier, session_index, attributes, auth_time, created_at, expires_at, idle_until,
             authn_context, by_password, client_ids)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, array_remove(ARRAY[$18::text], NULL))
         RETURNING (SELECT count(*) FROM (
             SELECT FROM sessions WHERE account_id = $4 AND ended_at IS NULL LIMIT $19
         ) AS o) AS "others!", (SELECT sign_in_method FROM users WHERE id = $5) AS method"#,
        id,
        new.token_hash,
        new.connection.0,
        new.account.0,
        new.user.0,
        new.name.value,
        new.name.format,
        new.name.qualifier,
        new.name.sp_qualifier,
        new.session_index,
        new.attributes,
        new.auth_time,
        now,
        new.expires_at,
        new.idle_until,
        context,
        matches!(new.proof, Proof::Password | Proof::BreakGlass),
        new.client_id,
        MOST_OF_ACCOUNT
    )
    .fetch_one(tx.conn().await?)
    .await?;
    Ok(Begun { id: SessionId(id), is_one_too_many: row.others >= MOST_OF_ACCOUNT, method: row.method })
}

/// The live session of the browser with that cookie, in that connection.
pub async fn by_token(tx: &mut TenantTx, connection: ConnectionId, hash: &[u8]) -> Result<Option<LiveSession>> {
    let now = tx.now();
    let row = live!("by_token", "s.token_hash = $2 AND s.connection_id = $3", now, hash, connection.0)
        .fetch_optional(tx.conn().await?)
        .await?;
    Ok(row.map(LiveSession::from))
}

/// The live session with that id.
pub async fn live(tx: &mut TenantTx, id: SessionId) -> Result<Option<LiveSession>> {
    let now = tx.now();
    let row = live!("live", "s.id = $2", now, id.0).fetch_optional(tx.conn().await?).await?;
    Ok(row.map(LiveSession::from))
}

/// The connection of the live session that began last among those of the browser, and of these connections.
pub async fn last_begun(tx: &mut TenantTx, hashes: &[Vec<u8>], of: &[ConnectionId]) -> Result<Option<ConnectionId>> {
    let now = tx.now();
    let of: Vec<Uuid> = of.iter().map(|connection| connection.0).collect();
    let row = live!(
        "last_begun",
        "s.token_hash = ANY($2) AND s.connection_id = ANY($3) ORDER BY s.created_at DESC, s.id DESC LIMIT 1",
        now,
        hashes,
        &of
    )
    .fetch_optional(tx.conn().await?)
    .await?;
    Ok(row.map(|row| ConnectionId(row.connection_id)))
}

/// Notes as what the application asks for a code; answers whether the session still lives.
pub async fn asked_as(tx: &mut TenantTx, id: SessionId, client_id: &str) -> Result<bool> {
    let done = sqlx::query!(
        "-- sessions::asked_as
         UPDATE sessions SET client_ids = CASE WHEN $2 = ANY(client_ids) THEN client_ids ELSE array_append(client_ids, $2) END
         WHERE id = $1 AND ended_at IS NULL",
        id.0,
        client_id
    )
    .execute(tx.conn().await?)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// What was mapped at the account's last sign-in, while its session is kept.
pub async fn last_attributes(tx: &mut TenantTx, connection: ConnectionId, account: AccountId) -> Result<Option<Value>> {
    let attributes = sqlx::query_scalar!(
        "-- sessions::last_attributes
         SELECT attributes FROM sessions WHERE connection_id = $1 AND account_id = $2 ORDER BY created_at DESC, id DESC LIMIT 1",
        connection.0,
        account.0
    )
    .fetch_optional(tx.conn().await?)
    .await?;
    Ok(attributes)
}

/// The name under which the session of the browser with that cookie began, if it lives.
pub async fn name_by_token(tx: &mut TenantTx, connection: ConnectionId, hash: &[u8]) -> Result<Option<String>> {
    let name = sqlx::query_scalar!(
        "-- sessions::name_by_token
         SELECT name_id FROM sessions WHERE token_hash = $1 AND connection_id = $2 AND ended_at IS NULL",
        hash,
        connection.0
    )
    .fetch_optional(tx.conn().await?)
    .await?;
    Ok(name)
}

/// Puts off the moment when the session is over because nobody uses it.
pub async fn touch(tx: &mut TenantTx, id: SessionId, idle_until: OffsetDateTime) -> Result<()> {
    sqlx::query!(
        "-- sessions::touch
         UPDATE sessions SET idle_until = $2 WHERE id = $1 AND idle_until < $2",
        id.0,
        idle_until
    )
    .execute(tx.conn().await?)
    .await?;
    Ok(())
}

struct EndedRow {
    id: Uuid,
    connection_id: Uuid,
    name_id: String,
    name_id_format: Option<String>,
    name_qualifier: Option<String>,
    sp_name_qualifier: Option<String>,
    session_index: Option<String>,
}

impl From<EndedRow> for EndedSession {
    fn from(row: EndedRow) -> Self {
        Self {
            id: SessionId(row.id),
            connection: ConnectionId(row.connection_id),
            name_id: row.name_id,
            name_id_format: row.name_id_format,
            name_qualifier: row.name_qualifier,
            sp_name_qualifier: row.sp_name_qualifier,
            session_index: row.session_index,
        }
    }
}

/// Ends the sessions that meet a condition and have not ended, a batch of them. The condition says in which order, where that is not
/// dear: two who end the same sessions must not wait for each other. By id, because a row that somebody else changes meanwhile is at
/// another place then, and would be passed over.
macro_rules! end {
    ($name:literal, $condition:literal, $now:expr, $reason:expr $(, $argument:expr)* $(,)?) => {
        sqlx::query_as!(
            EndedRow,
            "-- sessions::end_" + $name + "
             UPDATE sessions s SET ended_at = $1, end_reason = $2
             FROM (SELECT id FROM sessions WHERE ended_at IS NULL AND " + $condition + " LIMIT 1000 FOR UPDATE) AS due
             WHERE s.id = due.id
             RETURNING s.id, s.connection_id, s.name_id, s.name_id_format, s.name_qualifier, s.sp_name_qualifier,
                       s.session_index",
            $now,
            $reason
            $(, $argument)*
        )
    };
}

/// Ends sessions, [`BATCH`] at most; answers which. Only `gateway::revocation` may call it: it tells of them.
pub async fn end(tx: &mut TenantTx, which: Which<'_>, reason: EndReason) -> Result<Vec<EndedSession>> {
    let (now, reason) = (tx.now(), reason.as_str());
    let conn = tx.conn().await?;
    let rows = match which {
        Which::One(id) => end!("one", "id = $3", now, reason, id.0).fetch_all(conn).await?,
        Which::Browser { connection, hash } => {
            let query = end!("browser", "token_hash = $3 AND connection_id = $4", now, reason, hash, connection.0);
            query.fetch_all(conn).await?
        }
        Which::Name { connection, name_id, session_indexes } => {
            let query = end!(
                "name",
                "connection_id = $3 AND name_id = $4 AND (cardinality($5::text[]) = 0 OR session_index = ANY($5))
                 ORDER BY created_at, id",
                now,
                reason,
                connection.0,
                name_id,
                session_indexes
            );
            query.fetch_all(conn).await?
        }
        Which::Account(account) => {
            end!("account", "account_id = $3 ORDER BY created_at, id", now, reason, account.0).fetch_all(conn).await?
        }
        Which::ByPassword(account) => {
            let query =
                end!("by_password", "account_id = $3 AND by_password ORDER BY created_at, id", now, reason, account.0);
            query.fetch_all(conn).await?
        }
        Which::Surplus { account, new } => {
            let query = end!(
                "surplus",
                "id IN (SELECT id FROM sessions WHERE account_id = $3 AND ended_at IS NULL AND id <> $4
                        ORDER BY created_at DESC, id DESC OFFSET $5) ORDER BY created_at, id",
                now,
                reason,
                account.0,
                new.0,
                MOST_OF_ACCOUNT - 1
            );
            query.fetch_all(conn).await?
        }
        Which::User(user) => {
            end!("user", "user_id = $3 ORDER BY created_at, id", now, reason, user.0).fetch_all(conn).await?
        }
        Which::Connection(connection) => {
            end!("connection", "connection_id = $3", now, reason, connection.0).fetch_all(conn).await?
        }
        Which::Tenant => end!("tenant", "true", now, reason).fetch_all(conn).await?,
    };
    Ok(rows.into_iter().map(EndedSession::from).collect())
}

/// What claims are made of beside the session itself.
#[derive(Debug, Clone)]
pub struct Behind {
    /// The identity provider; none where a password of the directory proved it.
    pub idp: Option<String>,
    pub authn_context: Option<String>,
    pub by_password: bool,
    /// The SCIM document of the account.
    pub document: Value,
    /// What the assertion said, as it was mapped.
    pub attributes: Value,
    /// How sign-in behaves in the connection.
    pub sign_in_settings: Value,
    pub account: AccountId,
    /// Whether SCIM keeps the connection's users.
    pub scim_live: bool,
}

/// What stands behind a session.
pub async fn behind(tx: &mut TenantTx, id: SessionId) -> Result<Option<Behind>> {
    let row = sqlx::query!(
        r#"-- sessions::behind
        SELECT c.idp_entity_id, s.authn_context, s.by_password, a.document, s.attributes, c.sign_in_settings, s.account_id,
               c.scim_since IS NOT NULL AS "scim_live!"
        FROM sessions s
        JOIN accounts a ON a.id = s.account_id
        JOIN connections c ON c.id = s.connection_id
        WHERE s.id = $1"#,
        id.0
    )
    .fetch_optional(tx.conn().await?)
    .await?;
    Ok(row.map(|row| Behind {
        idp: row.idp_entity_id.filter(|_| !row.by_password),
        authn_context: row.authn_context,
        by_password: row.by_password,
        document: row.document,
        attributes: row.attributes,
        sign_in_settings: row.sign_in_settings,
        account: AccountId(row.account_id),
        scim_live: row.scim_live,
    }))
}

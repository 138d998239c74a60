//! Accounts: users in one connection, the SCIM Users.

use crate::{
    error::{Error, Result},
    moment::Moment,
    pooled::one_row,
    roles,
    tenant::TenantTx,
};
use domain::{
    account::{Account, Parked, Profile},
    email::Email,
    ids::{AccountId, ConnectionId, UserId},
    names::UserName,
};
use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

#[derive(sqlx::FromRow)]
pub(crate) struct Row {
    id: Uuid,
    connection_id: Uuid,
    user_id: Uuid,
    user_name: String,
    external_id: Option<String>,
    email: Option<String>,
    display_name: Option<String>,
    active: bool,
    role: String,
    role_reason: String,
    role_basis: Option<Value>,
    is_highest: bool,
    parked: Option<String>,
    parked_user: Option<Uuid>,
    waits_since: Option<Moment>,
    name_id: Option<String>,
    document: Value,
    version: i64,
    created_at: Moment,
    updated_at: Moment,
}

impl TryFrom<Row> for Account {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        let user_name = UserName::parse(&row.user_name).map_err(|_| Error::Damaged("accounts.user_name"))?;
        let email = row.email.as_deref().map(Email::parse).transpose().map_err(|_| Error::Damaged("accounts.email"))?;
        let parked = match (row.parked.as_deref(), row.parked_user) {
            (None, _) => None,
            (Some("link"), Some(user)) => Some(Parked::Link(UserId(user))),
            (Some("seat"), None) => Some(Parked::Seat),
            (Some("shadow"), None) => Some(Parked::Shadow),
            _ => return Err(Error::Damaged("accounts.parked")),
        };
        let Row { external_id, display_name, active, role, name_id, document, .. } = row;
        let role_basis = roles::basis((&row.role_reason, row.is_highest), row.role_basis.as_ref(), row.version);
        let profile =
            Profile { user_name, external_id, email, display_name, active, role, role_basis, name_id, document };
        Ok(Self {
            id: AccountId(row.id),
            user_id: UserId(row.user_id),
            connection_id: ConnectionId(row.connection_id),
            profile,
            parked,
            waits_since: row.waits_since.map(|since| since.0),
            version: row.version,
            created_at: row.created_at.0,
            updated_at: row.updated_at.0,
        })
    }
}

/// Selects accounts; the columns are named once, here.
macro_rules! accounts {
    ($name:literal, $tail:literal $(, $argument:expr)* $(,)?) => {
        sqlx::query_as!(
            Row,
            "-- accounts::" + $name + "
             SELECT id, connection_id, user_id, user_name, external_id, email, display_name, active, role, role_reason, role_basis,
                    is_highest, parked, parked_user, waits_since AS \"waits_since: Moment\", name_id, document, version, created_at,
                    updated_at
             FROM " + $tail
            $(, $argument)*
        )
    };
}

/// Stores a changed account.
pub async fn update(tx: &mut TenantTx, id: AccountId, profile: &Profile) -> Result<()> {
    let now = tx.now();
    let done = sqlx::query!(
        "-- accounts::update
         UPDATE accounts SET user_name = $2, user_name_key = $3, external_id = $4, email = $5, email_key = $6,
             display_name = $7, active = $8, role = $9, role_reason = $10, name_id = $11, document = $12,
             version = version + 1, updated_at = $13, is_highest = $15,
             inactive_since = CASE WHEN $8 THEN NULL WHEN active THEN $13 ELSE coalesce(inactive_since, updated_at) END,
             role_basis = $14::jsonb || jsonb_build_object('version', version + 1)
         WHERE id = $1",
        id.0,
        profile.user_name.as_str(),
        profile.user_name.key(),
        profile.external_id,
        profile.email.as_ref().map(Email::as_str),
        profile.email.as_ref().map(Email::key),
        profile.display_name,
        profile.active,
        profile.role,
        profile.role_basis.reason.word(),
        profile.name_id,
        profile.document,
        now,
        roles::stored(&profile.role_basis, 0),
        profile.role_basis.is_highest
    )
    .execute(tx.conn().await?)
    .await?;
    one_row(&done)
}

/// Accounts that have been out since that time at least, those for the longest time first, `limit` at most.
pub async fn out_since(
    tx: &mut TenantTx,
    before: OffsetDateTime,
    limit: i64,
) -> Result<Vec<(ConnectionId, AccountId)>> {
    let rows = sqlx::query!(
        "-- accounts::out_since
         SELECT a.connection_id, a.id FROM accounts a JOIN connections c ON c.id = a.connection_id
         WHERE a.inactive_since <= $1 AND NOT a.active AND NOT c.shadow ORDER BY a.inactive_since, a.id LIMIT $2",
        before,
        limit
    )
    .fetch_all(tx.conn().await?)
    .await?;
    Ok(rows.into_iter().map(|row| (ConnectionId(row.connection_id), AccountId(row.id))).collect())
}

/// Removes an account with its memberships and sessions.
pub async fn delete(tx: &mut TenantTx, id: AccountId) -> Result<()> {
    let done = sqlx::query!("-- accounts::delete\n DELETE FROM accounts WHERE id = $1", id.0)
        .execute(tx.conn().await?)
        .await?;
    one_row(&done)
}

/// How many accounts the connection has.
pub async fn count(tx: &mut TenantTx, connection: ConnectionId) -> Result<i64> {
    let count = sqlx::query_scalar!(
        r#"-- accounts::count
        SELECT coalesce(sum(accounts), 0)::bigint AS "count!" FROM account_counts WHERE connection_id = $1"#,
        connection.0
    )
    .fetch_one(tx.conn().await?)
    .await?;
    Ok(count)
}

/// How many accounts of a connection stand how; each counts once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    pub connection: ConnectionId,
    /// They can sign in, or have.
    pub active: i64,
    /// Of those, with how many nobody has signed in yet.
    pub unlinked: i64,
    /// Active for the identity provider, but they wait for a seat or for somebody to say whose they are.
    pub parked: i64,
    pub deactivated: i64,
}

/// How the accounts of all connections of the tenant stand. Reads all of them: for people, not for requests.
pub async fn tally(tx: &mut TenantTx) -> Result<Vec<Tally>> {
    let rows = sqlx::query!(
        r#"-- accounts::tally
        SELECT c.id, count(*) FILTER (WHERE a.active AND a.parked IS NULL) AS "active!",
               count(*) FILTER (WHERE a.active AND a.parked IS NULL AND a.name_id IS NULL) AS "unlinked!",
               count(*) FILTER (WHERE a.active AND a.parked IS NOT NULL) AS "parked!",
               count(*) FILTER (WHERE NOT a.active) AS "deactivated!"
        FROM connections c LEFT JOIN accounts a ON a.connection_id = c.id GROUP BY c.id, c.created_at ORDER BY c.created_at, c.id"#
    )
    .fetch_all(tx.conn().await?)
    .await?;
    let tally = |(connection, [active, unlinked, parked, deactivated]): (Uuid, [i64; 4])| Tally {
        connection: ConnectionId(connection),
        active,
        unlinked,
        parked,
        deactivated,
    };
    Ok(rows.into_iter().map(|row| tally((row.id, [row.active, row.unlinked, row.parked, row.deactivated]))).collect())
}

/// The connection's account with that id, kept from others until this transaction ends.
pub async fn for_update(tx: &mut TenantTx, connection: ConnectionId, id: AccountId) -> Result<Option<Account>> {
    let row = accounts!("for_update", "accounts WHERE id = $1 AND connection_id = $2 FOR UPDATE", id.0, connection.0)
        .fetch_optional(tx.conn().await?)
        .await?;
    row.map(Account::try_from).transpose()
}

/// The account with that id, in whatever connection of the tenant.
pub async fn by_id(tx: &mut TenantTx, id: AccountId) -> Result<Option<Account>> {
    let row = accounts!("by_id", "accounts WHERE id = $1", id.0).fetch_optional(tx.conn().await?).await?;
    row.map(Account::try_from).transpose()
}

/// Those of the connection's accounts that are there, in the order of `ids`.
pub async fn by_ids(tx: &mut TenantTx, connection: ConnectionId, ids: &[Uuid]) -> Result<Vec<Account>> {
    let rows = accounts!(
        "by_ids",
        // Each by its whole key: where statistics take connections for small, `id = ANY($2)` reads the connection.
        "unnest($2::uuid[]) WITH ORDINALITY AS w (wanted, place)
         CROSS JOIN LATERAL (
            SELECT * FROM accounts a WHERE a.connection_id = $1 AND a.id = w.wanted LIMIT 1
         ) AS accounts
         ORDER BY w.place",
        connection.0,
        ids
    )
    .fetch_all(tx.conn().await?)
    .await?;
    rows.into_iter().map(Account::try_from).collect()
}

/// The connection's account with that userName, whatever its case.
pub async fn by_user_name(tx: &mut TenantTx, connection: ConnectionId, key: &str) -> Result<Option<Account>> {
    let row = accounts!("by_user_name", "accounts WHERE connection_id = $1 AND user_name_key = $2", connection.0, key)
        .fetch_optional(tx.conn().await?)
        .await?;
    row.map(Account::try_from).transpose()
}

/// The connection's account bound to that NameID.
pub async fn by_name_id(tx: &mut TenantTx, connection: ConnectionId, name_id: &str) -> Result<Option<Account>> {
    let row = accounts!("by_name_id", "accounts WHERE connection_id = $1 AND name_id = $2", connection.0, name_id)
        .fetch_optional(tx.conn().await?)
        .await?;
    row.map(Account::try_from).transpose()
}

/// The connection's accounts with that externalId, oldest first, `limit` at most.
pub async fn by_external_id(tx: &mut TenantTx, connection: ConnectionId, id: &str, limit: i64) -> Result<Vec<Account>> {
    let rows = accounts!(
        "by_external_id",
        "accounts WHERE connection_id = $1 AND external_id = $2 ORDER BY id LIMIT $3",
        connection.0,
        id,
        limit
    )
    .fetch_all(tx.conn().await?)
    .await?;
    rows.into_iter().map(Account::try_from).collect()
}

/// The connection's accounts with that address as the main one, oldest first, `limit` at most.
pub async fn by_email(tx: &mut TenantTx, connection: ConnectionId, key: &str, limit: i64) -> Result<Vec<Account>> {
    let rows = accounts!(
        "by_email",
        "accounts WHERE connection_id = $1 AND email_key = $2 ORDER BY id LIMIT $3",
        connection.0,
        key,
        limit
    )
    .fetch_all(tx.conn().await?)
    .await?;
    rows.into_iter().map(Account::try_from).collect()
}

/// The connection's accounts behind `after` in the order of their ids, `limit` at most, and how each came to its user.
pub async fn page(
    tx: &mut TenantTx,
    connection: ConnectionId,
    after: AccountId,
    limit: i64,
) -> Result<Vec<(Account, String)>> {
    let rows = accounts!(
        "page",
        "accounts WHERE connection_id = $1 AND id > $2 ORDER BY id LIMIT $3",
        connection.0,
        after.0,
        limit
    )
    .fetch_all(tx.conn().await?)
    .await?;
    let links = sqlx::query_scalar!(
        r#"-- accounts::page_links
        SELECT coalesce(linked_by, 'new') AS "link!" FROM accounts WHERE connection_id = $1 AND id > $2 ORDER BY id LIMIT $3"#,
        connection.0,
        after.0,
        limit
    )
    .fetch_all(tx.conn().await?)
    .await?;
    rows.into_iter().map(Account::try_from).zip(links).map(|(account, link)| Ok((account?, link))).collect()
}

/// A user's accounts, oldest first, and how each came to the user: `new`, `address` or `operator`.
pub async fn of_user(tx: &mut TenantTx, user: UserId) -> Result<Vec<(Account, String)>> {
    let rows = accounts!(
        "of_user",
        "accounts WHERE user_id = $1 AND connection_id IN (SELECT id FROM connections) ORDER BY id LIMIT 1000",
        user.0
    )
    .fetch_all(tx.conn().await?)
    .await?;
    let links = sqlx::query_scalar!(
        r#"-- accounts::links
        SELECT coalesce(linked_by, 'new') AS "link!" FROM accounts
        WHERE user_id = $1 AND connection_id IN (SELECT id FROM connections) ORDER BY id LIMIT 1000"#,
        user.0
    )
    .fetch_all(tx.conn().await?)
    .await?;
    rows.into_iter().map(Account::try_from).zip(links).map(|(account, link)| Ok((account?, link))).collect()
}

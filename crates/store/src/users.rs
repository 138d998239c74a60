//! Users: the persons of a tenant.

use crate::{
    ahead::Question,
    error::Result,
    pooled::one_row,
    prepared::{self, Argument},
    tenant::TenantTx,
};
use domain::{
    email::Email,
    ids::{ConnectionId, UserId},
};
use sqlx::Row;
use std::collections::{HashMap, HashSet};

/// Stores a user's shown name and address.
pub async fn update(tx: &mut TenantTx, id: UserId, email: Option<&Email>, display_name: Option<&str>) -> Result<()> {
    let now = tx.now();
    let done = sqlx::query!(
        "-- users::update
         UPDATE users SET email = $2, email_key = $3, display_name = $4, updated_at = $5 WHERE id = $1",
        id.0,
        email.map(Email::as_str),
        email.map(Email::key),
        display_name,
        now
    )
    .execute(tx.conn().await?)
    .await?;
    one_row(&done)
}

/// Keeps others from joining or removing the user until this transaction ends.
pub async fn lock(tx: &mut TenantTx, id: UserId) -> Result<()> {
    sqlx::query!("-- users::lock\n SELECT id FROM users WHERE id = $1 FOR UPDATE", id.0)
        .fetch_optional(tx.conn().await?)
        .await?;
    Ok(())
}

/// Removes a user who has no account left.
pub async fn delete_if_alone(tx: &mut TenantTx, id: UserId) -> Result<()> {
    sqlx::query!(
        "-- users::delete_if_alone
         DELETE FROM users WHERE id = $1 AND NOT EXISTS (SELECT FROM accounts WHERE user_id = $1)",
        id.0
    )
    .execute(tx.conn().await?)
    .await?;
    Ok(())
}

/// Whose accounts new ones with these addresses would be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Linkable {
    connection: ConnectionId,
    addresses: Vec<Email>,
}

impl Linkable {
    /// The question for new accounts of the connection.
    pub fn new<'e>(connection: ConnectionId, addresses: impl IntoIterator<Item = &'e Email>) -> Self {
        Self { connection, addresses: addresses.into_iter().cloned().collect() }
    }

    pub(crate) fn calls(&self) -> Vec<String> {
        if self.addresses.is_empty() {
            return Vec::new();
        }
        let keys: Vec<&str> = self.addresses.iter().map(Email::key).collect();
        let domains = self.addresses.iter().map(Email::domain).collect();
        let lock = prepared::call("lock_addresses", &[Argument::Texts(keys.clone()), Argument::Texts(domains)]);
        // A statement of its own: it sees what those did for whom the first one waited.
        let look = prepared::call("linkable", &[Argument::Id(self.connection.0), Argument::Texts(keys)]);
        vec![lock, look]
    }
}

/// By the key of an address, the one user who has it and has no account in the connection, kept from removal until this
/// transaction ends; none when two could be meant, or the tenant does not own the domain. If it does, others of this
/// tenant wait with creating accounts with that address until this transaction ends.
pub async fn linkable(tx: &mut TenantTx, question: Linkable) -> Result<HashMap<String, UserId>> {
    if question.addresses.is_empty() {
        return Ok(HashMap::new());
    }
    let answers = match tx.answered(&Question::Owner(question.clone())) {
        Some(answers) => answers,
        None => tx.say(question.calls()).await?,
    };
    let [owned, candidates] = &answers[..] else { return Ok(HashMap::new()) };
    let owned = owned.iter().map(|row| row.try_get("key")).collect::<std::result::Result<HashSet<String>, _>>()?;
    let mut found: HashMap<String, Vec<UserId>> = HashMap::new();
    for row in candidates {
        found.entry(row.try_get("key")?).or_default().push(UserId(row.try_get("id")?));
    }
    let the_one = |(key, users): (String, Vec<UserId>)| match users[..] {
        [user] if owned.contains(&key) => Some((key, user)),
        _ => None,
    };
    Ok(found.into_iter().filter_map(the_one).collect())
}

/// The statements of `linkable`. Addresses are locked in one order, so that nobody waits in a circle.
pub(crate) const STATEMENTS: [(&str, &str, &str); 2] = [
    (
        "lock_addresses",
        "text[], text[]",
        "SELECT key, pg_advisory_xact_lock(hashtextextended(current_setting('app.tenant_id') || ':' || key, 0))
         FROM (SELECT DISTINCT a.key FROM unnest($1, $2) AS a (key, domain) JOIN domains d ON d.domain = a.domain
               ORDER BY a.key) AS owned",
    ),
    (
        "linkable",
        "uuid, text[]",
        "SELECT a.key, u.id FROM (SELECT DISTINCT key FROM unnest($2) AS a (key) ORDER BY key) AS a
         CROSS JOIN LATERAL (
             SELECT u.id FROM users u WHERE u.email_key = a.key
               AND NOT EXISTS (SELECT FROM accounts o WHERE o.user_id = u.id AND o.connection_id = $1)
             ORDER BY u.id LIMIT 2 FOR KEY SHARE OF u
         ) AS u",
    ),
];

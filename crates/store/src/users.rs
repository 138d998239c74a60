//! Users: the persons of a tenant.

use crate::{
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

/// The one user with that address who has no account in the connection, kept from removal until this transaction ends;
/// none when two could be meant, or the tenant does not own the domain. If it does, others of this tenant wait with
/// creating accounts with that address until this transaction ends.
pub async fn linkable(tx: &mut TenantTx, connection: ConnectionId, email: &Email) -> Result<Option<UserId>> {
    let person = format!("{}:{}", tx.tenant(), email.key());
    let (person, domain) = (Argument::Text(&person), Argument::Text(email.domain()));
    let lock = prepared::call("lock_address", &[person, domain]);
    // A statement of its own: it sees what those did for whom the first one waited.
    let look = prepared::call("linkable", &[Argument::Id(connection.0), Argument::Text(email.key())]);
    let results = tx.say(vec![lock, look]).await?;
    Ok(match &results[..] {
        [owned, found] if let ([_], [one]) = (&owned[..], &found[..]) => Some(UserId(one.try_get("id")?)),
        _ => None,
    })
}

/// The statements of `linkable`.
pub(crate) const STATEMENTS: [(&str, &str, &str); 2] = [
    (
        "lock_address",
        "text, text",
        "SELECT pg_advisory_xact_lock(hashtextextended($1, 0)) FROM domains WHERE domain = $2",
    ),
    (
        "linkable",
        "uuid, text",
        "SELECT u.id FROM users u WHERE u.email_key = $2
           AND NOT EXISTS (SELECT FROM accounts a WHERE a.user_id = u.id AND a.connection_id = $1)
         ORDER BY u.id LIMIT 2 FOR KEY SHARE OF u",
    ),
];

//! Users: the persons of a tenant.

use crate::{error::Result, pooled::one_row, tenant::TenantTx};
use domain::{
    email::Email,
    ids::{ConnectionId, UserId},
};

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
    .execute(tx.conn())
    .await?;
    one_row(&done)
}

/// Keeps others from joining or removing the user until this transaction ends.
pub async fn lock(tx: &mut TenantTx, id: UserId) -> Result<()> {
    sqlx::query!("-- users::lock\n SELECT id FROM users WHERE id = $1 FOR UPDATE", id.0)
        .fetch_optional(tx.conn())
        .await?;
    Ok(())
}

/// Whether the tenant owns the address' domain; if so, others of this tenant wait with creating accounts with that
/// address until this transaction ends.
pub async fn lock_address(tx: &mut TenantTx, email: &Email) -> Result<bool> {
    let person = format!("{}:{}", tx.tenant(), email.key());
    let locked = sqlx::query!(
        "-- users::lock_address
         SELECT pg_advisory_xact_lock(hashtextextended($1, 0)) FROM domains WHERE domain = $2",
        person,
        email.domain()
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(locked.is_some())
}

/// Removes a user who has no account left.
pub async fn delete_if_alone(tx: &mut TenantTx, id: UserId) -> Result<()> {
    sqlx::query!(
        "-- users::delete_if_alone
         DELETE FROM users WHERE id = $1 AND NOT EXISTS (SELECT FROM accounts WHERE user_id = $1)",
        id.0
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The one user with that address who has no account in the connection, kept from removal until this transaction
/// ends; none when two could be meant.
pub async fn linkable(tx: &mut TenantTx, connection: ConnectionId, email: &Email) -> Result<Option<UserId>> {
    let ids = sqlx::query_scalar!(
        "-- users::linkable
         SELECT u.id FROM users u WHERE u.email_key = $1
           AND NOT EXISTS (SELECT FROM accounts a WHERE a.user_id = u.id AND a.connection_id = $2)
         ORDER BY u.id LIMIT 2 FOR KEY SHARE OF u",
        email.key(),
        connection.0
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(match ids[..] {
        [id] => Some(UserId(id)),
        _ => None,
    })
}

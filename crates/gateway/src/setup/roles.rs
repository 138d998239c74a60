//! What decides about the roles of a connection's accounts.

use super::{changed, operator, tenant_of};
use crate::error::Error;
use domain::{ids::ConnectionId, role::RolePolicy};
use store::{roles, store::Store};
use time::OffsetDateTime;

/// Sets it. The accounts follow in [`crate::roles::settle_all`], by whoever calls it first.
///
/// # Errors
/// [`Error::NotFound`], or when the database cannot be used.
pub async fn set(
    store: &Store,
    now: OffsetDateTime,
    connection: ConnectionId,
    policy: &RolePolicy,
) -> Result<(), Error> {
    let mut tx = operator(store, tenant_of(store, now, connection).await?, now).await?;
    roles::save(&mut tx, connection, policy).await?;
    changed(&mut tx, connection, "roles").await?;
    Ok(tx.commit().await?)
}

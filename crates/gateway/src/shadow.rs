//! Connections in shadow: what their identity provider sends fills a directory, and nothing of it takes effect.

use crate::{error::Error, roles::InForce};
use domain::ids::ConnectionId;
use store::{shadows, tenant::TenantTx};

/// Before anything is written into a connection: where it is in shadow, nothing of this transaction is told.
///
/// # Errors
/// [`Error::TooManyRequests`] where it goes live at this moment, so that the client comes again.
pub async fn enter(tx: &mut TenantTx, connection: ConnectionId, in_force: &InForce) -> Result<(), Error> {
    if in_force.in_shadow && !shadows::enter(tx, connection).await? {
        return Err(Error::TooManyRequests { seconds: 1 });
    }
    Ok(())
}

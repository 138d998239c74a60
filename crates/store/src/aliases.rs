//! Other names by which tenants, connections and applications are asked for: those of a system from before, which stand in
//! bookmarks and in the code of applications.

use crate::{control::ControlTx, error::Result, tenant::TenantTx};
use domain::ids::{ApplicationId, ConnectionId, TenantId};

/// Where a name leads: a tenant, or one connection of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pub tenant: TenantId,
    pub connection: Option<ConnectionId>,
}

/// Where a name leads.
pub async fn find(tx: &mut ControlTx, name: &str) -> Result<Option<Place>> {
    let row = sqlx::query!("-- aliases::find\n SELECT tenant_id, connection_id FROM aliases WHERE name = $1", name)
        .fetch_optional(tx.conn())
        .await?;
    Ok(row.map(|row| Place { tenant: TenantId(row.tenant_id), connection: row.connection_id.map(ConnectionId) }))
}

/// Gives the tenant, or a connection of it, another name.
pub async fn insert(tx: &mut TenantTx, name: &str, connection: Option<ConnectionId>) -> Result<()> {
    let now = tx.now();
    sqlx::query!(
        "-- aliases::insert
         INSERT INTO aliases (name, connection_id, created_at) VALUES ($1, $2, $3)",
        name,
        connection.map(|connection| connection.0),
        now
    )
    .execute(tx.conn().await?)
    .await?;
    Ok(())
}

/// The tenant's other names.
pub async fn list(tx: &mut TenantTx) -> Result<Vec<(String, Option<ConnectionId>)>> {
    let rows = sqlx::query!("-- aliases::list\n SELECT name, connection_id FROM aliases ORDER BY name LIMIT 1000")
        .fetch_all(tx.conn().await?)
        .await?;
    Ok(rows.into_iter().map(|row| (row.name, row.connection_id.map(ConnectionId))).collect())
}

/// Takes a name from the tenant; answers whether it had it.
pub async fn remove(tx: &mut TenantTx, name: &str) -> Result<bool> {
    let done = sqlx::query!("-- aliases::remove\n DELETE FROM aliases WHERE name = $1", name)
        .execute(tx.conn().await?)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Gives an application another name.
pub async fn insert_application(tx: &mut ControlTx, name: &str, application: ApplicationId) -> Result<()> {
    let now = tx.now();
    sqlx::query!(
        "-- aliases::insert_application
         INSERT INTO application_aliases (name, application_id, created_at) VALUES ($1, $2, $3)",
        name,
        application.0,
        now
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The application for which a name stands.
pub async fn application(tx: &mut ControlTx, name: &str) -> Result<Option<ApplicationId>> {
    let id = sqlx::query_scalar!(
        "-- aliases::application
         SELECT application_id FROM application_aliases WHERE name = $1",
        name
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(id.map(ApplicationId))
}

/// The application's other names.
pub async fn of_application(tx: &mut ControlTx, application: ApplicationId) -> Result<Vec<String>> {
    let names = sqlx::query_scalar!(
        "-- aliases::of_application
         SELECT name FROM application_aliases WHERE application_id = $1 ORDER BY name LIMIT 1000",
        application.0
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(names)
}

/// Takes a name from the application; answers whether it had it.
pub async fn remove_of_application(tx: &mut ControlTx, name: &str, application: ApplicationId) -> Result<bool> {
    let done = sqlx::query!(
        "-- aliases::remove_of_application
         DELETE FROM application_aliases WHERE name = $1 AND application_id = $2",
        name,
        application.0
    )
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

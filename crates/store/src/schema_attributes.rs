//! Attributes that a connection's administrator defined beyond the standard's schemas.

use crate::{error::Result, pooled::one_row, tenant::TenantTx};
use domain::{ids::ConnectionId, names::fold};

/// A definition, in the words of RFC 7643 7.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaAttribute {
    /// The schema that it belongs to (Okta: "External namespace").
    pub urn: String,
    /// Okta: "External name".
    pub name: String,
    pub description: String,
    /// As in `/Schemas`: `string`, `boolean`, ….
    pub kind: String,
    pub multi_valued: bool,
    pub case_exact: bool,
    pub canonical_values: Vec<String>,
}

/// Stores a definition; the connection's schemas have a new version.
pub async fn insert(tx: &mut TenantTx, connection: ConnectionId, new: &SchemaAttribute) -> Result<()> {
    let (id, now) = (tx.new_id(), tx.now());
    sqlx::query!(
        "-- schema_attributes::insert
         INSERT INTO schema_attributes (id, connection_id, urn, urn_key, name, name_key, description, kind, multi_valued,
             case_exact, canonical_values, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        id,
        connection.0,
        new.urn,
        fold(&new.urn),
        new.name,
        fold(&new.name),
        new.description,
        new.kind,
        new.multi_valued,
        new.case_exact,
        &new.canonical_values,
        now
    )
    .execute(tx.conn().await?)
    .await?;
    next_version(tx, connection).await
}

/// Removes a definition; false when there is none of that name.
pub async fn delete(tx: &mut TenantTx, connection: ConnectionId, urn: &str, name: &str) -> Result<bool> {
    let done = sqlx::query!(
        "-- schema_attributes::delete
         DELETE FROM schema_attributes WHERE connection_id = $1 AND urn_key = $2 AND name_key = $3",
        connection.0,
        fold(urn),
        fold(name)
    )
    .execute(tx.conn().await?)
    .await?;
    if done.rows_affected() > 0 {
        next_version(tx, connection).await?;
    }
    Ok(done.rows_affected() > 0)
}

/// Whether an account of the connection has a value at this place of the index.
pub async fn is_used(tx: &mut TenantTx, connection: ConnectionId, path: &str) -> Result<bool> {
    let used = sqlx::query_scalar!(
        r#"-- schema_attributes::is_used
        SELECT EXISTS (SELECT FROM account_attributes WHERE connection_id = $1 AND path = ANY($2)) AS "used!""#,
        connection.0,
        &[path.to_owned()]
    )
    .fetch_one(tx.conn().await?)
    .await?;
    Ok(used)
}

/// The connection's definitions, oldest first.
pub async fn list(tx: &mut TenantTx, connection: ConnectionId) -> Result<Vec<SchemaAttribute>> {
    let all = sqlx::query_as!(
        SchemaAttribute,
        "-- schema_attributes::list
         SELECT urn, name, description, kind, multi_valued, case_exact, canonical_values
         FROM schema_attributes WHERE connection_id = $1 ORDER BY created_at, id LIMIT 1000",
        connection.0
    )
    .fetch_all(tx.conn().await?)
    .await?;
    Ok(all)
}

async fn next_version(tx: &mut TenantTx, connection: ConnectionId) -> Result<()> {
    let now = tx.now();
    let done = sqlx::query!(
        "-- schema_attributes::next_version
         UPDATE connections SET schema_version = schema_version + 1, updated_at = $2 WHERE id = $1",
        connection.0,
        now
    )
    .execute(tx.conn().await?)
    .await?;
    one_row(&done)
}

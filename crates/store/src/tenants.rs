//! Tenants: customer organizations.

use crate::{control::ControlTx, error::Result, tenant::TenantTx};
use domain::ids::TenantId;
use time::OffsetDateTime;
use uuid::Uuid;

/// A tenant as stored.
#[derive(Debug, Clone)]
pub struct Tenant {
    pub id: TenantId,
    pub slug: String,
    pub display_name: String,
    pub created_at: OffsetDateTime,
}

struct Row {
    id: Uuid,
    slug: String,
    display_name: String,
    created_at: OffsetDateTime,
}

impl From<Row> for Tenant {
    fn from(row: Row) -> Self {
        let Row { id, slug, display_name, created_at } = row;
        Self { id: TenantId(id), slug, display_name, created_at }
    }
}

/// Stores the tenant whose transaction this is.
pub async fn insert(tx: &mut TenantTx, slug: &str, display_name: &str) -> Result<()> {
    let (id, now) = (tx.tenant().0, tx.now());
    sqlx::query!(
        "-- tenants::insert
         INSERT INTO tenants (id, slug, display_name, created_at) VALUES ($1, $2, $3, $4)",
        id,
        slug,
        display_name,
        now
    )
    .execute(tx.conn().await?)
    .await?;
    Ok(())
}

/// The tenant whose transaction this is.
pub async fn current(tx: &mut TenantTx) -> Result<Option<Tenant>> {
    let id = tx.tenant().0;
    let row = sqlx::query_as!(
        Row,
        "-- tenants::current
         SELECT id, slug, display_name, created_at FROM tenants WHERE id = $1",
        id
    )
    .fetch_optional(tx.conn().await?)
    .await?;
    Ok(row.map(Tenant::from))
}

/// The tenant with that short name.
pub async fn by_slug(tx: &mut ControlTx, slug: &str) -> Result<Option<Tenant>> {
    let row = sqlx::query_as!(
        Row,
        "-- tenants::by_slug
         SELECT id, slug, display_name, created_at FROM tenants WHERE slug = $1",
        slug
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(Tenant::from))
}

/// Tenants by short name, from behind `after`.
pub async fn list(tx: &mut ControlTx, after: &str, limit: i64) -> Result<Vec<Tenant>> {
    let rows = sqlx::query_as!(
        Row,
        "-- tenants::list
         SELECT id, slug, display_name, created_at FROM tenants WHERE slug > $1 ORDER BY slug LIMIT $2",
        after,
        limit
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(Tenant::from).collect())
}

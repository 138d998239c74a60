//! Tenants: customer organizations.

use crate::{
    control::ControlTx,
    error::{Error, Result},
    pooled::one_row,
    removals,
    tenant::TenantTx,
};
use domain::{
    ids::TenantId,
    linking::{Linking, PlusAddresses},
};
use time::OffsetDateTime;
use uuid::Uuid;

/// A tenant as stored.
#[derive(Debug, Clone)]
pub struct Tenant {
    pub id: TenantId,
    pub slug: String,
    pub display_name: String,
    pub created_at: OffsetDateTime,
    /// Since when nobody of it may sign in.
    pub suspended_at: Option<OffsetDateTime>,
}

struct Row {
    id: Uuid,
    slug: String,
    display_name: String,
    created_at: OffsetDateTime,
    suspended_at: Option<OffsetDateTime>,
}

impl From<Row> for Tenant {
    fn from(row: Row) -> Self {
        let Row { id, slug, display_name, created_at, suspended_at } = row;
        Self { id: TenantId(id), slug, display_name, created_at, suspended_at }
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
         SELECT id, slug, display_name, created_at, suspended_at FROM tenants WHERE id = $1",
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
         SELECT id, slug, display_name, created_at, suspended_at FROM tenants WHERE slug = $1",
        slug
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(Tenant::from))
}

/// Whether there is a tenant with that id.
pub async fn exists(tx: &mut ControlTx, id: TenantId) -> Result<bool> {
    let found = sqlx::query_scalar!(
        r#"-- tenants::exists
        SELECT EXISTS (SELECT FROM tenants WHERE id = $1) AS "found!""#,
        id.0
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(found)
}

/// Tenants by short name, from behind `after`.
pub async fn list(tx: &mut ControlTx, after: &str, limit: i64) -> Result<Vec<Tenant>> {
    let rows = sqlx::query_as!(
        Row,
        "-- tenants::list
         SELECT id, slug, display_name, created_at, suspended_at FROM tenants WHERE slug > $1 ORDER BY slug LIMIT $2",
        after,
        limit
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(Tenant::from).collect())
}

/// How the people of a tenant sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignIn {
    /// By their identity provider.
    Sso,
    /// For now also as the application has it otherwise.
    Both,
}

impl SignIn {
    /// As it is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sso => "sso",
            Self::Both => "both",
        }
    }
}

/// How the people of the tenant whose transaction this is sign in.
pub async fn sign_in(tx: &mut TenantTx) -> Result<SignIn> {
    let id = tx.tenant().0;
    let stored = sqlx::query_scalar!("-- tenants::sign_in\n SELECT sign_in FROM tenants WHERE id = $1", id)
        .fetch_optional(tx.conn().await?)
        .await?;
    Ok(if stored.as_deref() == Some("both") { SignIn::Both } else { SignIn::Sso })
}

/// Sets that.
pub async fn set_sign_in(tx: &mut TenantTx, sign_in: SignIn) -> Result<()> {
    let id = tx.tenant().0;
    let done =
        sqlx::query!("-- tenants::set_sign_in\n UPDATE tenants SET sign_in = $2 WHERE id = $1", id, sign_in.as_str())
            .execute(tx.conn().await?)
            .await?;
    one_row(&done)
}

/// What the tenant wants to hold for its users.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wishes {
    /// Whether the last administrator of an application can neither go nor get another role.
    pub keeps_administrator: bool,
    pub linking: Linking,
    pub plus_addresses: PlusAddresses,
    /// Above which share of users, in per cent, a sync that takes them out is paused; 0 for none.
    pub mass_change_percent: u8,
    /// After how many days an account that is out is deleted; nothing for never.
    pub delete_after_days: Option<i32>,
}

/// The same, kept from others until this transaction ends.
pub async fn wishes_for_update(tx: &mut TenantTx) -> Result<Option<Wishes>> {
    let id = tx.tenant().0;
    sqlx::query!("-- tenants::lock\n SELECT id FROM tenants WHERE id = $1 FOR NO KEY UPDATE", id)
        .fetch_optional(tx.conn().await?)
        .await?;
    wishes(tx).await
}

/// What the tenant whose transaction this is wants.
pub async fn wishes(tx: &mut TenantTx) -> Result<Option<Wishes>> {
    let id = tx.tenant().0;
    let row = sqlx::query!(
        "-- tenants::wishes
         SELECT keeps_administrator, linking, plus_addresses, mass_change_percent, delete_after_days FROM tenants WHERE id = $1",
        id
    )
    .fetch_optional(tx.conn().await?)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let damaged = Error::Damaged("tenants.linking");
    let Some(linking) = Linking::read(&row.linking) else { return Err(damaged) };
    let Some(plus_addresses) = PlusAddresses::read(&row.plus_addresses) else { return Err(damaged) };
    let mass_change_percent = u8::try_from(row.mass_change_percent).unwrap_or_default();
    let (keeps_administrator, delete_after_days) = (row.keeps_administrator, row.delete_after_days);
    Ok(Some(Wishes { keeps_administrator, linking, plus_addresses, mass_change_percent, delete_after_days }))
}

/// Sets that. What gateways remember of the tenant's connections is old then.
pub async fn wish(tx: &mut TenantTx, wishes: &Wishes) -> Result<()> {
    let (id, now) = (tx.tenant().0, tx.now());
    let done = sqlx::query!(
        "-- tenants::wish
         UPDATE tenants SET keeps_administrator = $2, linking = $3, plus_addresses = $4, mass_change_percent = $5,
                delete_after_days = $6
         WHERE id = $1",
        id,
        wishes.keeps_administrator,
        wishes.linking.as_str(),
        wishes.plus_addresses.as_str(),
        i16::from(wishes.mass_change_percent),
        wishes.delete_after_days
    )
    .execute(tx.conn().await?)
    .await?;
    one_row(&done)?;
    // Also of connections that were removed: they may come back.
    removals::show_removed(tx, true).await?;
    sqlx::query!(
        "-- tenants::forget_what_is_remembered
         UPDATE connections SET schema_version = schema_version + 1, updated_at = $1",
        now
    )
    .execute(tx.conn().await?)
    .await?;
    // Rows of older versions do not tell.
    sqlx::query!(
        "-- tenants::find_highest
         UPDATE accounts a SET is_highest = NOT a.is_highest
         FROM connections c JOIN applications p ON p.id = c.application_id
         WHERE $1 AND c.id = a.connection_id AND a.is_highest <> (a.role = p.roles[1])",
        wishes.keeps_administrator
    )
    .execute(tx.conn().await?)
    .await?;
    removals::show_removed(tx, false).await
}

/// Tenants behind `after` that have accounts deleted which are out, and after how many days.
pub async fn that_delete(tx: &mut ControlTx, after: TenantId, limit: i64) -> Result<Vec<(TenantId, i32)>> {
    let rows = sqlx::query!(
        r#"-- tenants::that_delete
        SELECT id, delete_after_days AS "days!" FROM tenants
        WHERE delete_after_days IS NOT NULL AND id > $1 ORDER BY id LIMIT $2"#,
        after.0,
        limit
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|row| (TenantId(row.id), row.days)).collect())
}

/// Keeps everybody of the tenant from signing in, or lets them in again; answers whether that is a change.
pub async fn suspend(tx: &mut TenantTx, suspended: bool) -> Result<bool> {
    let (id, now) = (tx.tenant().0, tx.now());
    let done = sqlx::query!(
        "-- tenants::suspend
         UPDATE tenants SET suspended_at = CASE WHEN $2 THEN $3::timestamptz END
         WHERE id = $1 AND (suspended_at IS NOT NULL) <> $2",
        id,
        suspended,
        now
    )
    .execute(tx.conn().await?)
    .await?;
    Ok(done.rows_affected() == 1)
}

//! Connections: a tenant's link between one application and one identity provider.

use crate::{error::Result, moment::Moment, pooled::one_row, tenant::TenantTx};
use domain::ids::{ApplicationId, ConnectionId};
use serde_json::Value;
use sqlx::{Row as _, postgres::PgRow};
use time::OffsetDateTime;
use uuid::Uuid;

/// A connection as stored.
#[derive(Debug, Clone)]
pub struct Connection {
    pub id: ConnectionId,
    pub application_id: ApplicationId,
    pub display_name: String,
    pub idp: Option<StoredIdp>,
    pub allow_sha1: bool,
    pub provisioning: Provisioning,
    /// How sign-in behaves; whose meaning is not the store's.
    pub sign_in_settings: Value,
    pub created_at: OffsetDateTime,
    /// Since when nobody may sign in through it, or nobody of the tenant.
    pub suspended_at: Option<OffsetDateTime>,
    /// Whether its directory is only filled, and nothing takes effect.
    pub in_shadow: bool,
}

impl Connection {
    /// Whether somebody can sign in through it: by an identity provider, or by a password that one synchronizes.
    pub fn is_open(&self) -> bool {
        self.idp.is_some() || self.provisioning.password_sync
    }
}

/// How the connection's SCIM side behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Provisioning {
    /// Whether passwords that the identity provider sends are kept.
    pub password_sync: bool,
    /// Whether roles are announced as resources, for Okta Identity Governance.
    pub entitlements: bool,
}

/// The identity provider's side as stored; there is no connection with half of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredIdp {
    pub entity_id: String,
    pub sso_url: String,
    /// `redirect` or `post`.
    pub sso_binding: String,
    pub slo: Option<StoredSlo>,
    /// X.509 DER, one at least.
    pub certificates: Vec<Vec<u8>>,
}

/// Where the identity provider wants to hear of logout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredSlo {
    pub url: String,
    pub response_url: Option<String>,
    /// `redirect` or `post`.
    pub binding: String,
}

struct Row {
    id: Uuid,
    application_id: Uuid,
    display_name: String,
    idp_entity_id: Option<String>,
    idp_sso_url: Option<String>,
    idp_sso_binding: String,
    idp_slo_url: Option<String>,
    idp_slo_response_url: Option<String>,
    idp_slo_binding: Option<String>,
    idp_certificates: Option<Vec<Vec<u8>>>,
    allow_sha1: bool,
    password_sync: bool,
    entitlements: bool,
    sign_in_settings: Value,
    created_at: OffsetDateTime,
    suspended_at: Option<OffsetDateTime>,
    shadow: bool,
}

impl From<Row> for Connection {
    fn from(row: Row) -> Self {
        let Row {
            id,
            application_id,
            display_name,
            idp_entity_id,
            idp_sso_url,
            idp_sso_binding,
            idp_slo_url,
            idp_slo_response_url,
            idp_slo_binding,
            idp_certificates,
            allow_sha1,
            password_sync,
            entitlements,
            sign_in_settings,
            created_at,
            suspended_at,
            shadow: in_shadow,
        } = row;
        let slo = idp_slo_url.zip(idp_slo_binding);
        let slo = slo.map(|(url, binding)| StoredSlo { url, response_url: idp_slo_response_url, binding });
        let idp = match (idp_entity_id, idp_sso_url, idp_certificates) {
            (Some(entity_id), Some(sso_url), Some(certificates)) => {
                Some(StoredIdp { entity_id, sso_url, sso_binding: idp_sso_binding, slo, certificates })
            }
            _ => None,
        };
        let (id, application_id) = (ConnectionId(id), ApplicationId(application_id));
        let provisioning = Provisioning { password_sync, entitlements };
        Self {
            id,
            application_id,
            display_name,
            idp,
            allow_sha1,
            provisioning,
            sign_in_settings,
            created_at,
            suspended_at,
            in_shadow,
        }
    }
}

/// A row of a message with several statements.
pub(crate) fn read(row: &PgRow) -> Result<Connection> {
    let Moment(created_at) = row.try_get("created_at")?;
    let suspended_at: Option<Moment> = row.try_get("suspended_at")?;
    let row = Row {
        id: row.try_get("id")?,
        application_id: row.try_get("application_id")?,
        display_name: row.try_get("display_name")?,
        idp_entity_id: row.try_get("idp_entity_id")?,
        idp_sso_url: row.try_get("idp_sso_url")?,
        idp_sso_binding: row.try_get("idp_sso_binding")?,
        idp_slo_url: row.try_get("idp_slo_url")?,
        idp_slo_response_url: row.try_get("idp_slo_response_url")?,
        idp_slo_binding: row.try_get("idp_slo_binding")?,
        idp_certificates: row.try_get("idp_certificates")?,
        allow_sha1: row.try_get("allow_sha1")?,
        password_sync: row.try_get("password_sync")?,
        entitlements: row.try_get("entitlements")?,
        sign_in_settings: row.try_get("sign_in_settings")?,
        created_at,
        suspended_at: suspended_at.map(|since| since.0),
        shadow: row.try_get("shadow")?,
    };
    Ok(row.into())
}

/// Stores a new connection, still without an identity provider.
pub async fn insert(tx: &mut TenantTx, id: ConnectionId, application: ApplicationId, display_name: &str) -> Result<()> {
    let now = tx.now();
    sqlx::query!(
        "-- connections::insert
         INSERT INTO connections (id, application_id, display_name, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $4)",
        id.0,
        application.0,
        display_name,
        now
    )
    .execute(tx.conn().await?)
    .await?;
    Ok(())
}

/// Stores what the IT admin gave of the identity provider.
pub async fn set_idp(tx: &mut TenantTx, id: ConnectionId, idp: &StoredIdp) -> Result<()> {
    let now = tx.now();
    let done = sqlx::query!(
        "-- connections::set_idp
         UPDATE connections SET idp_entity_id = $2, idp_sso_url = $3, idp_sso_binding = $4, idp_slo_url = $5,
             idp_slo_response_url = $6, idp_slo_binding = $7, idp_certificates = $8, updated_at = $9
         WHERE id = $1",
        id.0,
        idp.entity_id,
        idp.sso_url,
        idp.sso_binding,
        idp.slo.as_ref().map(|slo| slo.url.as_str()),
        idp.slo.as_ref().and_then(|slo| slo.response_url.as_deref()),
        idp.slo.as_ref().map(|slo| slo.binding.as_str()),
        &idp.certificates,
        now
    )
    .execute(tx.conn().await?)
    .await?;
    one_row(&done)
}

/// Stores how the connection's SCIM side behaves.
pub async fn set_provisioning(tx: &mut TenantTx, id: ConnectionId, provisioning: Provisioning) -> Result<()> {
    let now = tx.now();
    let done = sqlx::query!(
        "-- connections::set_provisioning
         UPDATE connections SET password_sync = $2, entitlements = $3, updated_at = $4 WHERE id = $1",
        id.0,
        provisioning.password_sync,
        provisioning.entitlements,
        now
    )
    .execute(tx.conn().await?)
    .await?;
    one_row(&done)
}

/// What decides about a connection's users; the meaning of the documents is not the store's.
#[derive(Debug)]
pub struct Terms {
    pub profile_policy: Value,
    pub sign_in_settings: Value,
    /// Since when SCIM keeps them; `None` where it does not.
    pub scim_since: Option<OffsetDateTime>,
    /// Whether its directory is only filled, and nothing takes effect.
    pub in_shadow: bool,
}

/// What decides about the connection's users.
pub async fn terms(tx: &mut TenantTx, id: ConnectionId) -> Result<Terms> {
    let row = sqlx::query!(
        r#"-- connections::terms
        SELECT profile_policy, sign_in_settings, scim_since AS "scim_since: Moment", shadow FROM connections WHERE id = $1"#,
        id.0
    )
    .fetch_one(tx.conn().await?)
    .await?;
    let scim_since = row.scim_since.map(|since| since.0);
    let in_shadow = row.shadow;
    Ok(Terms { profile_policy: row.profile_policy, sign_in_settings: row.sign_in_settings, scim_since, in_shadow })
}

/// Notes that SCIM keeps the connection's users from now on, or does not any more; whether that is news. What gateways remember
/// of the connection is old then.
pub async fn set_scim_live(tx: &mut TenantTx, id: ConnectionId, is_live: bool) -> Result<bool> {
    let now = tx.now();
    let done = sqlx::query!(
        "-- connections::set_scim_live
         UPDATE connections SET scim_since = CASE WHEN $2 THEN $3::timestamptz END, schema_version = schema_version + 1,
             updated_at = $3
         WHERE id = $1 AND (scim_since IS NOT NULL) <> $2",
        id.0,
        is_live,
        now
    )
    .execute(tx.conn().await?)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Stores what is demanded of profiles. What gateways remember of the connection is old then.
pub async fn set_profile_policy(tx: &mut TenantTx, id: ConnectionId, policy: &Value) -> Result<()> {
    let now = tx.now();
    let done = sqlx::query!(
        "-- connections::set_profile_policy
         UPDATE connections SET profile_policy = $2, schema_version = schema_version + 1, updated_at = $3 WHERE id = $1",
        id.0,
        policy,
        now
    )
    .execute(tx.conn().await?)
    .await?;
    one_row(&done)
}

/// Stores how sign-in behaves.
pub async fn set_sign_in(tx: &mut TenantTx, id: ConnectionId, takes_sha1: bool, settings: &Value) -> Result<()> {
    let now = tx.now();
    let done = sqlx::query!(
        "-- connections::set_sign_in
         UPDATE connections SET allow_sha1 = $2, sign_in_settings = $3, updated_at = $4 WHERE id = $1",
        id.0,
        takes_sha1,
        settings,
        now
    )
    .execute(tx.conn().await?)
    .await?;
    one_row(&done)
}

/// The same, kept from others until this transaction ends.
pub async fn for_update(tx: &mut TenantTx, id: ConnectionId) -> Result<Option<Connection>> {
    // Accounts and their like may come meanwhile.
    sqlx::query!("-- connections::for_update\n SELECT id FROM connections WHERE id = $1 FOR NO KEY UPDATE", id.0)
        .fetch_optional(tx.conn().await?)
        .await?;
    by_id(tx, id).await
}

/// The connection with that id, if it is this tenant's.
pub async fn by_id(tx: &mut TenantTx, id: ConnectionId) -> Result<Option<Connection>> {
    let row = sqlx::query_as!(
        Row,
        "-- connections::by_id
         SELECT id, application_id, display_name, idp_entity_id, idp_sso_url, idp_sso_binding, idp_slo_url,
                idp_slo_response_url, idp_slo_binding, idp_certificates, allow_sha1, password_sync, entitlements,
                sign_in_settings, created_at, shadow,
                coalesce(suspended_at, (SELECT t.suspended_at FROM tenants t WHERE t.id = connections.tenant_id)) AS suspended_at
         FROM connections WHERE id = $1",
        id.0
    )
    .fetch_optional(tx.conn().await?)
    .await?;
    Ok(row.map(Connection::from))
}

/// The tenant's connections, oldest first.
pub async fn list(tx: &mut TenantTx) -> Result<Vec<Connection>> {
    let rows = sqlx::query_as!(
        Row,
        "-- connections::list
         SELECT id, application_id, display_name, idp_entity_id, idp_sso_url, idp_sso_binding, idp_slo_url,
                idp_slo_response_url, idp_slo_binding, idp_certificates, allow_sha1, password_sync, entitlements,
                sign_in_settings, created_at, shadow,
                coalesce(suspended_at, (SELECT t.suspended_at FROM tenants t WHERE t.id = connections.tenant_id)) AS suspended_at
         FROM connections ORDER BY created_at, id LIMIT 1000"
    )
    .fetch_all(tx.conn().await?)
    .await?;
    Ok(rows.into_iter().map(Connection::from).collect())
}

/// Keeps everybody from signing in through the connection, or lets them in again; answers whether that is a change.
pub async fn suspend(tx: &mut TenantTx, id: ConnectionId, suspended: bool) -> Result<bool> {
    let now = tx.now();
    let done = sqlx::query!(
        "-- connections::suspend
         UPDATE connections SET suspended_at = CASE WHEN $2 THEN $3::timestamptz END, updated_at = $3
         WHERE id = $1 AND (suspended_at IS NOT NULL) <> $2",
        id.0,
        suspended,
        now
    )
    .execute(tx.conn().await?)
    .await?;
    Ok(done.rows_affected() == 1)
}

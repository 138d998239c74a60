//! Applications: the vendor's products. They belong to no tenant; only their secret's hash is kept from tenants' work.

use crate::{
    control::ControlTx,
    error::{Error, Result},
    pooled::one_row,
    tenant::TenantTx,
};
use domain::{
    ids::{ApplicationId, ConnectionId},
    role::RoleCatalogue,
};
use serde_json::Value;
use uuid::Uuid;

/// An application as stored.
#[derive(Debug, Clone)]
pub struct Application {
    /// The OAuth client_id.
    pub id: ApplicationId,
    pub slug: String,
    pub display_name: String,
    pub redirect_uris: Vec<String>,
    pub initiate_login_uri: Option<String>,
    pub backchannel_logout_uri: Option<String>,
    pub catalogue: RoleCatalogue,
    /// `RS256` or `ES256`.
    pub id_token_alg: String,
    /// Whose meaning is not the store's.
    pub settings: Value,
}

/// An application to be stored; `None` for the secret makes a public client.
#[derive(Debug)]
pub struct NewApplication<'a> {
    pub slug: &'a str,
    pub display_name: &'a str,
    pub client_secret_hash: Option<&'a [u8]>,
    pub redirect_uris: &'a [String],
    pub initiate_login_uri: Option<&'a str>,
    pub backchannel_logout_uri: Option<&'a str>,
    pub catalogue: &'a RoleCatalogue,
    pub id_token_alg: &'a str,
    pub settings: &'a Value,
}

struct Row {
    id: Uuid,
    slug: String,
    display_name: String,
    redirect_uris: Vec<String>,
    initiate_login_uri: Option<String>,
    backchannel_logout_uri: Option<String>,
    roles: Vec<String>,
    id_token_alg: String,
    settings: Value,
}

impl TryFrom<Row> for Application {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        let catalogue = RoleCatalogue::new(row.roles).map_err(|_| Error::Damaged("applications.roles"))?;
        Ok(Self {
            id: ApplicationId(row.id),
            slug: row.slug,
            display_name: row.display_name,
            redirect_uris: row.redirect_uris,
            initiate_login_uri: row.initiate_login_uri,
            backchannel_logout_uri: row.backchannel_logout_uri,
            catalogue,
            id_token_alg: row.id_token_alg,
            settings: row.settings,
        })
    }
}

macro_rules! applications {
    ($name:literal, $condition:literal $(, $argument:expr)* $(,)?) => {
        sqlx::query_as!(
            Row,
            "-- applications::" + $name + "
             SELECT id, slug, display_name, redirect_uris, initiate_login_uri, backchannel_logout_uri, roles, id_token_alg,
                    settings
             FROM applications " + $condition
            $(, $argument)*
        )
    };
}

/// Stores a new application.
pub async fn insert(tx: &mut ControlTx, new: &NewApplication<'_>) -> Result<ApplicationId> {
    let (id, now) = (tx.new_id(), tx.now());
    let NewApplication { slug, display_name, client_secret_hash, redirect_uris, initiate_login_uri, .. } = *new;
    sqlx::query!(
        "-- applications::insert
         INSERT INTO applications
             (id, slug, display_name, client_secret_hash, redirect_uris, initiate_login_uri, roles, id_token_alg, created_at,
              backchannel_logout_uri, settings)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        id,
        slug,
        display_name,
        client_secret_hash,
        redirect_uris,
        initiate_login_uri,
        new.catalogue.roles(),
        new.id_token_alg,
        now,
        new.backchannel_logout_uri,
        new.settings,
    )
    .execute(tx.conn())
    .await?;
    Ok(ApplicationId(id))
}

/// Stores what an operator may change; the short name, the roles and the secret stay.
pub async fn update(tx: &mut ControlTx, application: &Application) -> Result<()> {
    let done = sqlx::query!(
        "-- applications::update
         UPDATE applications SET display_name = $2, redirect_uris = $3, initiate_login_uri = $4, backchannel_logout_uri = $5,
                id_token_alg = $6, settings = $7
         WHERE id = $1",
        application.id.0,
        application.display_name,
        &application.redirect_uris,
        application.initiate_login_uri,
        application.backchannel_logout_uri,
        application.id_token_alg,
        application.settings,
    )
    .execute(tx.conn())
    .await?;
    one_row(&done)
}

/// Has gateways forget what they remember of the application's connections.
pub async fn forget_what_is_remembered(tx: &mut ControlTx, id: ApplicationId) -> Result<()> {
    sqlx::query!(
        "-- applications::forget_what_is_remembered
         UPDATE connections SET schema_version = schema_version + 1 WHERE application_id = $1",
        id.0
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Stores roles, of which there are more than before; everybody's is looked at again.
pub async fn set_roles(tx: &mut ControlTx, id: ApplicationId, catalogue: &RoleCatalogue) -> Result<()> {
    let now = tx.now();
    let done = sqlx::query!(
        "-- applications::set_roles\n UPDATE applications SET roles = $2 WHERE id = $1",
        id.0,
        catalogue.roles()
    )
    .execute(tx.conn())
    .await?;
    one_row(&done)?;
    sqlx::query!(
        "-- applications::look_at_roles
         UPDATE watches w SET roles_since = $2, due_at = $2 FROM connections c
         WHERE c.application_id = $1 AND w.tenant_id = c.tenant_id AND w.connection_id = c.id",
        id.0,
        now
    )
    .execute(tx.conn())
    .await?;
    forget_what_is_remembered(tx, id).await
}

/// Gives a confidential application another secret.
pub async fn set_secret(tx: &mut ControlTx, id: ApplicationId, hash: &[u8]) -> Result<()> {
    let done = sqlx::query!(
        "-- applications::set_secret
         UPDATE applications SET client_secret_hash = $2 WHERE id = $1 AND client_secret_hash IS NOT NULL",
        id.0,
        hash
    )
    .execute(tx.conn())
    .await?;
    one_row(&done)
}

/// All applications, by name.
pub async fn list(tx: &mut ControlTx) -> Result<Vec<Application>> {
    let rows = applications!("list", "ORDER BY slug LIMIT 1000").fetch_all(tx.conn()).await?;
    rows.into_iter().map(Application::try_from).collect()
}

/// The application with that short name.
pub async fn by_slug(tx: &mut ControlTx, slug: &str) -> Result<Option<Application>> {
    let row = applications!("by_slug", "WHERE slug = $1", slug).fetch_optional(tx.conn()).await?;
    row.map(Application::try_from).transpose()
}

/// The application, kept from others until this transaction ends.
pub async fn for_update(tx: &mut ControlTx, slug: &str) -> Result<Option<Application>> {
    let row = applications!("for_update", "WHERE slug = $1 FOR NO KEY UPDATE", slug).fetch_optional(tx.conn()).await?;
    row.map(Application::try_from).transpose()
}

/// The application with that id.
pub async fn find(tx: &mut ControlTx, id: ApplicationId) -> Result<Option<Application>> {
    let row = applications!("find", "WHERE id = $1", id.0).fetch_optional(tx.conn()).await?;
    row.map(Application::try_from).transpose()
}

/// An OAuth client: the application and, for a confidential one, its secret's SHA-256.
pub async fn client(tx: &mut ControlTx, id: ApplicationId) -> Result<Option<(Application, Option<Vec<u8>>)>> {
    let row = sqlx::query!(
        "-- applications::client
         SELECT id, slug, display_name, redirect_uris, initiate_login_uri, backchannel_logout_uri, roles, id_token_alg, settings,
                client_secret_hash
         FROM applications WHERE id = $1",
        id.0
    )
    .fetch_optional(tx.conn())
    .await?;
    let Some(row) = row else { return Ok(None) };
    let secret = row.client_secret_hash;
    let application = Row {
        id: row.id,
        slug: row.slug,
        display_name: row.display_name,
        redirect_uris: row.redirect_uris,
        initiate_login_uri: row.initiate_login_uri,
        backchannel_logout_uri: row.backchannel_logout_uri,
        roles: row.roles,
        id_token_alg: row.id_token_alg,
        settings: row.settings,
    };
    Ok(Some((application.try_into()?, secret)))
}

/// The application, within a tenant's work.
pub async fn by_id(tx: &mut TenantTx, id: ApplicationId) -> Result<Option<Application>> {
    let row = applications!("by_id", "WHERE id = $1", id.0).fetch_optional(tx.conn().await?).await?;
    row.map(Application::try_from).transpose()
}

/// The application of a connection.
pub async fn of_connection(tx: &mut TenantTx, connection: ConnectionId) -> Result<Option<Application>> {
    let row = applications!(
        "of_connection",
        "WHERE id = (SELECT application_id FROM connections WHERE id = $1)",
        connection.0
    )
    .fetch_optional(tx.conn().await?)
    .await?;
    row.map(Application::try_from).transpose()
}

/// The roles of the connection's application, and its settings.
pub async fn terms(tx: &mut TenantTx, connection: ConnectionId) -> Result<Option<(RoleCatalogue, Value)>> {
    let row = sqlx::query!(
        "-- applications::terms
         SELECT a.roles, a.settings FROM applications a JOIN connections c ON c.application_id = a.id WHERE c.id = $1",
        connection.0
    )
    .fetch_optional(tx.conn().await?)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let catalogue = RoleCatalogue::new(row.roles).map_err(|_| Error::Damaged("applications.roles"))?;
    Ok(Some((catalogue, row.settings)))
}

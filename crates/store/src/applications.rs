//! Applications: the vendor's products. They belong to no tenant; only their secret's hash is kept from tenants' work.

use crate::{
    control::ControlTx,
    error::{Error, Result},
    tenant::TenantTx,
};
use domain::{
    ids::{ApplicationId, ConnectionId},
    role::RoleCatalogue,
};
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
    pub catalogue: RoleCatalogue,
    /// `RS256` or `ES256`.
    pub id_token_alg: String,
}

/// An application to be stored; `None` for the secret makes a public client.
#[derive(Debug)]
pub struct NewApplication<'a> {
    pub slug: &'a str,
    pub display_name: &'a str,
    pub client_secret_hash: Option<&'a [u8]>,
    pub redirect_uris: &'a [String],
    pub initiate_login_uri: Option<&'a str>,
    pub catalogue: &'a RoleCatalogue,
    pub id_token_alg: &'a str,
}

struct Row {
    id: Uuid,
    slug: String,
    display_name: String,
    redirect_uris: Vec<String>,
    initiate_login_uri: Option<String>,
    roles: Vec<String>,
    id_token_alg: String,
}

impl TryFrom<Row> for Application {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        let Row { id, slug, display_name, redirect_uris, initiate_login_uri, roles, id_token_alg } = row;
        let catalogue = RoleCatalogue::new(roles).map_err(|_| Error::Damaged("applications.roles"))?;
        let id = ApplicationId(id);
        Ok(Self { id, slug, display_name, redirect_uris, initiate_login_uri, catalogue, id_token_alg })
    }
}

/// Stores a new application.
pub async fn insert(tx: &mut ControlTx, new: &NewApplication<'_>) -> Result<ApplicationId> {
    let (id, now) = (tx.new_id(), tx.now());
    let NewApplication { slug, display_name, client_secret_hash, redirect_uris, initiate_login_uri, .. } = *new;
    sqlx::query!(
        "-- applications::insert
         INSERT INTO applications
             (id, slug, display_name, client_secret_hash, redirect_uris, initiate_login_uri, roles, id_token_alg, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        id,
        slug,
        display_name,
        client_secret_hash,
        redirect_uris,
        initiate_login_uri,
        new.catalogue.roles(),
        new.id_token_alg,
        now,
    )
    .execute(tx.conn())
    .await?;
    Ok(ApplicationId(id))
}

/// All applications, by name.
pub async fn list(tx: &mut ControlTx) -> Result<Vec<Application>> {
    let rows = sqlx::query_as!(
        Row,
        "-- applications::list
         SELECT id, slug, display_name, redirect_uris, initiate_login_uri, roles, id_token_alg
         FROM applications ORDER BY slug LIMIT 1000"
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter().map(Application::try_from).collect()
}

/// The application with that short name.
pub async fn by_slug(tx: &mut ControlTx, slug: &str) -> Result<Option<Application>> {
    let row = sqlx::query_as!(
        Row,
        "-- applications::by_slug
         SELECT id, slug, display_name, redirect_uris, initiate_login_uri, roles, id_token_alg
         FROM applications WHERE slug = $1",
        slug
    )
    .fetch_optional(tx.conn())
    .await?;
    row.map(Application::try_from).transpose()
}

/// An OAuth client: the application and, for a confidential one, its secret's SHA-256.
pub async fn client(tx: &mut ControlTx, id: ApplicationId) -> Result<Option<(Application, Option<Vec<u8>>)>> {
    let row = sqlx::query!(
        "-- applications::client
         SELECT id, slug, display_name, redirect_uris, initiate_login_uri, roles, id_token_alg, client_secret_hash
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
        roles: row.roles,
        id_token_alg: row.id_token_alg,
    };
    Ok(Some((application.try_into()?, secret)))
}

/// The application, within a tenant's work.
pub async fn by_id(tx: &mut TenantTx, id: ApplicationId) -> Result<Option<Application>> {
    let row = sqlx::query_as!(
        Row,
        "-- applications::by_id
         SELECT id, slug, display_name, redirect_uris, initiate_login_uri, roles, id_token_alg
         FROM applications WHERE id = $1",
        id.0
    )
    .fetch_optional(tx.conn().await?)
    .await?;
    row.map(Application::try_from).transpose()
}

/// The roles of the connection's application.
pub async fn roles(tx: &mut TenantTx, connection: ConnectionId) -> Result<Option<RoleCatalogue>> {
    let roles = sqlx::query_scalar!(
        "-- applications::roles
         SELECT a.roles FROM applications a JOIN connections c ON c.application_id = a.id WHERE c.id = $1",
        connection.0
    )
    .fetch_optional(tx.conn().await?)
    .await?;
    roles.map(RoleCatalogue::new).transpose().map_err(|_| Error::Damaged("applications.roles"))
}

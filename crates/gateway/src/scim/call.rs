//! A SCIM request that may be served: its token is this connection's, its body is read, its transaction is open.

use crate::{
    app::App,
    error::{Error, ScimFailure},
    extract,
    secret::{self, Kind},
};
use ::scim::{error::ScimError, schema::Catalogue};
use axum::{
    RequestExt,
    body::{Bytes, HttpBody, to_bytes},
    extract::{FromRequest, RawPathParams, Request},
    http::{HeaderMap, Method, header},
};
use domain::{
    ids::{ConnectionId, TenantId},
    role::RoleCatalogue,
};
use http_body_util::LengthLimitError;
use store::{
    applications,
    scim_tokens::{self, Bearer},
    scope::Actor,
    tenant::TenantTx,
};
use time::OffsetDateTime;
use tokio::sync::OwnedSemaphorePermit;
use uuid::Uuid;

/// Bytes up to which a body is read before its token is proven.
const LARGE_BODY: u64 = 65_536;

/// The permission to act on one connection's directory.
pub struct ScimCall {
    pub tx: TenantTx,
    pub connection: ConnectionId,
    /// The last part of the path, where the route has one.
    id: Option<String>,
    pub query: String,
    pub body: Bytes,
    pub roles: RoleCatalogue,
    /// `https://host/c/{cid}/scim/v2`
    pub base_url: String,
    /// Held while a large body is in memory.
    _large: Option<OwnedSemaphorePermit>,
}

impl ScimCall {
    /// The schemas in force for this connection's application.
    pub fn catalogue(&self) -> Catalogue {
        Catalogue::new(self.roles.roles())
    }

    /// The id that the path names; one that is not a UUID names nothing.
    pub fn resource_id(&self) -> Result<Uuid, Error> {
        self.id.as_deref().and_then(|id| Uuid::try_parse(id).ok()).ok_or(Error::NotFound)
    }

    /// The name that the path ends with.
    pub fn name(&self) -> &str {
        self.id.as_deref().unwrap_or_default()
    }
}

impl FromRequest<App> for ScimCall {
    type Rejection = ScimFailure;

    async fn from_request(mut request: Request, app: &App) -> Result<Self, ScimFailure> {
        let now = app.clock.now();
        let (connection, id) = path(&mut request).await?;
        let token_hash = bearer(request.headers()).ok_or(Error::Unauthorized)?;
        check_media_type(request.method(), request.headers())?;
        let query = request.uri().query().unwrap_or_default().to_owned();
        let tenant = app.tenant_of(connection, now).await?;
        // The body comes before the transaction: a slow client must not hold a database connection. A large one comes
        // after a look at the token, and only a few at a time: a stranger must not fill the memory.
        let large = if is_large(&request) {
            prove(app, tenant, connection, &token_hash, now).await?.1.rollback().await?;
            app.large_body().await
        } else {
            None
        };
        let body = read_body(request, app.config.limits.scim_body).await?;
        let (bearer, mut tx) = prove(app, tenant, connection, &token_hash, now).await?;
        tx.act_as(Actor::Scim(bearer.token));
        let application = applications::by_id(&mut tx, bearer.application).await?.ok_or(Error::NotFound)?;
        let base_url = format!("{}/scim/v2", app.connection_url(connection));
        Ok(Self { tx, connection, id, query, body, roles: application.catalogue, base_url, _large: large })
    }
}

/// The live token with that SHA-256 in the connection, and the transaction that saw it.
async fn prove(
    app: &App,
    tenant: TenantId,
    connection: ConnectionId,
    token_hash: &[u8],
    now: OffsetDateTime,
) -> Result<(Bearer, TenantTx), Error> {
    let mut tx = app.tenant(tenant, Actor::Unproven, now).await?;
    match scim_tokens::bearer(&mut tx, connection, token_hash).await? {
        Some(bearer) => Ok((bearer, tx)),
        None => {
            tx.rollback().await?;
            Err(Error::Unauthorized)
        }
    }
}

/// Whether the body is larger than a user or a usual membership change, or does not say how large it is.
fn is_large(request: &Request) -> bool {
    let length = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    match length.map(str::parse::<u64>) {
        Some(Ok(length)) => length > LARGE_BODY,
        Some(Err(_)) => true,
        None => !request.body().is_end_stream(),
    }
}

async fn path(request: &mut Request) -> Result<(ConnectionId, Option<String>), Error> {
    let parameters: RawPathParams = request.extract_parts().await.map_err(|_| Error::NotFound)?;
    let id = parameters.iter().find(|(name, _)| *name == "id").map(|(_, id)| id.to_owned());
    Ok((extract::connection(&parameters).ok_or(Error::NotFound)?, id))
}

/// The SHA-256 of the presented token. Okta's "HTTP Header" field may hold it without the word Bearer.
fn bearer(headers: &HeaderMap) -> Option<[u8; 32]> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?.trim();
    let token = match value.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
        Some(_) => return None,
        None => value,
    };
    secret::looks_like(Kind::Scim, token).then(|| secret::hash(token))
}

/// Bodies are SCIM or JSON; Okta's older tests send none of a type (RFC 7644 3.1).
fn check_media_type(method: &Method, headers: &HeaderMap) -> Result<(), ScimError> {
    let has_body = matches!(*method, Method::POST | Method::PUT | Method::PATCH);
    let Some(value) = headers.get(header::CONTENT_TYPE).filter(|_| has_body) else { return Ok(()) };
    let kind = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    let accepted = ["application/scim+json", "application/json"];
    if accepted.iter().any(|accepted| kind.eq_ignore_ascii_case(accepted)) {
        return Ok(());
    }
    Err(ScimError::unsupported_media_type("Send the body as application/scim+json or application/json."))
}

async fn read_body(request: Request, limit: usize) -> Result<Bytes, ScimError> {
    to_bytes(request.into_body(), limit).await.map_err(|error| {
        let too_large = std::error::Error::source(&error).is_some_and(|source| source.is::<LengthLimitError>());
        if too_large {
            ScimError::too_large(format!("The request is larger than {limit} bytes. Send it in several requests."))
        } else {
            ScimError::bad_request(::scim::error::ScimType::InvalidSyntax, "The request broke off. Send it again.")
        }
    })
}

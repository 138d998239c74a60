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
    body::{Bytes, to_bytes},
    extract::{FromRequest, RawPathParams, Request},
    http::{HeaderMap, Method, header},
};
use domain::{ids::ConnectionId, role::RoleCatalogue};
use store::{applications, scim_tokens, scope::Actor, tenant::TenantTx};
use uuid::Uuid;

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
        // The body comes before the transaction: a slow client must not hold a database connection.
        let body = read_body(request, app.config.limits.scim_body).await?;
        let tenant = app.tenant_of(connection, now).await?;
        let mut tx = app.tenant(tenant, Actor::Unproven, now).await?;
        let bearer = scim_tokens::bearer(&mut tx, connection, &token_hash).await?;
        let Some(bearer) = bearer else {
            tx.rollback().await?;
            return Err(Error::Unauthorized.into());
        };
        tx.act_as(Actor::Scim(bearer.token));
        let application = applications::by_id(&mut tx, bearer.application).await?.ok_or(Error::NotFound)?;
        let base_url = format!("{}/scim/v2", app.connection_url(connection));
        Ok(Self { tx, connection, id, query, body, roles: application.catalogue, base_url })
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
        let too_large =
            std::error::Error::source(&error).is_some_and(|source| source.is::<http_body_util::LengthLimitError>());
        if too_large {
            ScimError::too_large(format!("The request is larger than {limit} bytes. Send it in several requests."))
        } else {
            ScimError::bad_request(::scim::error::ScimType::InvalidSyntax, "The request broke off. Send it again.")
        }
    })
}

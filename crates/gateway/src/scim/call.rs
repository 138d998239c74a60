//! A SCIM request that may be served: its token is this connection's, its body is read, its transaction is open.

use super::{
    ScimResult,
    log::Trace,
    schemas::{self, Schemas},
};
use crate::{
    app::App,
    error::{Error, ScimFailure},
    extract,
    secret::{self, Kind},
};
use ::scim::{discovery::Offer, error::ScimError, etag, schema::Catalogue, user::Meta};
use axum::{
    RequestExt,
    body::{Bytes, HttpBody, to_bytes},
    extract::{FromRequest, RawPathParams, Request},
    http::{HeaderMap, HeaderName, Method, header},
};
use domain::{
    ids::{ConnectionId, TenantId, TokenId},
    role::RoleCatalogue,
};
use futures_util::future::BoxFuture;
use http_body_util::LengthLimitError;
use std::{
    ops::{Deref, DerefMut},
    sync::Arc,
};
use store::{
    scim_tokens::{self, Bearer},
    scope::Actor,
    tenant::TenantTx,
};
use time::OffsetDateTime;
use tokio::sync::OwnedSemaphorePermit;
use uuid::Uuid;

/// Bytes up to which a body is read before its token is proven.
const LARGE_BODY: u64 = 65_536;

/// The longest address, in bytes: a filter of 8 KB, percent-encoded.
const MAX_URI: usize = 32_768;

/// Operations of one bulk request.
pub const BULK_OPERATIONS: usize = 500;

/// How often a change is tried that got in the way of others.
pub const TRIES: usize = 3;

/// The permission to act on one connection's directory.
pub struct ScimCall {
    pub work: Work,
    /// The last part of the path, where the route has one.
    id: Option<String>,
    pub query: String,
    pub body: Bytes,
    conditions: Conditions,
    /// Held while a large body is in memory.
    _large: Option<Arc<OwnedSemaphorePermit>>,
}

/// An open transaction on a directory.
pub struct Work {
    pub tx: TenantTx,
    pub directory: Arc<Directory>,
    /// Among the tenant's transactions, for as long as this one is open.
    _place: OwnedSemaphorePermit,
}

/// One connection's directory, as a proven credential may use it.
pub struct Directory {
    pub app: App,
    pub connection: ConnectionId,
    tenant: TenantId,
    token_hash: [u8; 32],
    credential: TokenId,
    schemas: Arc<Schemas>,
    /// `https://host/c/{cid}/scim/v2`
    pub base_url: String,
    pub password_sync: bool,
    entitlements: bool,
}

/// What the request asks of the version it meets (RFC 7644 3.14).
#[derive(Clone)]
struct Conditions {
    if_match: Option<String>,
    if_none_match: Option<String>,
}

impl Directory {
    /// The schemas in force for this connection.
    pub fn catalogue(&self) -> &Catalogue {
        &self.schemas.catalogue
    }

    /// The roles of the connection's application.
    pub fn roles(&self) -> &RoleCatalogue {
        &self.schemas.roles
    }

    /// What discovery says of it.
    pub fn offer(&self) -> Offer {
        Offer {
            bulk_operations: BULK_OPERATIONS,
            bulk_bytes: self.app.config.limits.scim_body,
            password_sync: self.password_sync,
            token_url: format!("{}/oauth2/token", self.app.connection_url(self.connection)),
            entitlements: self.entitlements,
        }
    }

    /// One more transaction of the same request, for as long as its credential is valid.
    pub async fn open(self: &Arc<Self>) -> Result<Work, Error> {
        let now = self.app.clock.now();
        let place = self.app.limits.place(self.tenant).await?;
        let (_, mut tx) = prove(&self.app, self.tenant, self.connection, &self.token_hash, now).await?;
        tx.act_as(Actor::Scim(self.credential));
        Ok(Work { tx, directory: Arc::clone(self), _place: place })
    }
}

impl Deref for Work {
    type Target = Directory;

    fn deref(&self) -> &Directory {
        &self.directory
    }
}

impl Deref for ScimCall {
    type Target = Work;

    fn deref(&self) -> &Work {
        &self.work
    }
}

impl DerefMut for ScimCall {
    fn deref_mut(&mut self) -> &mut Work {
        &mut self.work
    }
}

impl ScimCall {
    /// The id that the path names; one that is not a UUID names nothing.
    pub fn resource_id(&self) -> Result<Uuid, Error> {
        self.id.as_deref().and_then(|id| Uuid::try_parse(id).ok()).ok_or(Error::NotFound)
    }

    /// The name that the path ends with.
    pub fn name(&self) -> &str {
        self.id.as_deref().unwrap_or_default()
    }

    /// Refuses a change of a version that the client did not mean (RFC 7644 3.14).
    pub fn check_version(&self, version: i64) -> Result<(), ScimError> {
        match &self.conditions.if_match {
            Some(expected) if !etag::is_current(expected, version) => Err(ScimError::precondition_failed(
                "The resource changed since it was read. Read it again and repeat the change.",
            )),
            _ => Ok(()),
        }
    }

    /// The call after some work during which it held no transaction.
    pub async fn without_transaction<T>(self, work: impl Future<Output = T>) -> Result<(Self, T), Error> {
        let Self { work: Work { tx, directory, _place: place }, id, query, body, conditions, _large } = self;
        tx.rollback().await?;
        drop(place);
        let done = work.await;
        let work = directory.open().await?;
        Ok((Self { work, id, query, body, conditions, _large }, done))
    }

    /// What it takes to begin once more.
    fn again(&self) -> Again {
        let Self { work, id, query, body, conditions, _large } = self;
        let directory = Arc::clone(&work.directory);
        let (id, query, body) = (id.clone(), query.clone(), body.clone());
        Again { directory, id, query, body, conditions: conditions.clone(), large: _large.clone() }
    }

    /// Whether the client already has this version (RFC 7644 3.14).
    pub fn has(&self, meta: &Meta) -> bool {
        self.conditions.if_none_match.as_deref().is_some_and(|known| etag::is_same(known, &meta.etag()))
    }
}

/// A call that can begin once more.
struct Again {
    directory: Arc<Directory>,
    id: Option<String>,
    query: String,
    body: Bytes,
    conditions: Conditions,
    large: Option<Arc<OwnedSemaphorePermit>>,
}

impl Again {
    async fn call(&self) -> Result<ScimCall, Error> {
        let Self { directory, id, query, body, conditions, large } = self;
        let work = directory.open().await?;
        let (id, query, body) = (id.clone(), query.clone(), body.clone());
        Ok(ScimCall { work, id, query, body, conditions: conditions.clone(), _large: large.clone() })
    }
}

/// A handler that tries again when others, who delete what it adds to, were in its way: only the database sees who
/// waits for whom, and it lets one of them go on.
pub fn retried<F>(
    handler: fn(ScimCall) -> F,
) -> impl Fn(ScimCall) -> BoxFuture<'static, ScimResult> + Clone + Send + Sync + 'static
where
    F: Future<Output = ScimResult> + Send + 'static,
{
    move |call| {
        Box::pin(async move {
            let again = call.again();
            let mut outcome = handler(call).await;
            for _ in 1..TRIES {
                match outcome {
                    Err(failure) if failure.is_collision() => outcome = handler(again.call().await?).await,
                    outcome => return outcome,
                }
            }
            outcome
        })
    }
}

impl FromRequest<App> for ScimCall {
    type Rejection = ScimFailure;

    async fn from_request(mut request: Request, app: &App) -> Result<Self, ScimFailure> {
        let now = app.clock.now();
        let trace = request.extensions().get::<Trace>().cloned().unwrap_or_default();
        let (connection, id) = path(&mut request).await?;
        check_uri(&request)?;
        let token_hash = bearer(request.headers()).ok_or(Error::Unauthorized)?;
        check_media_type(request.method(), request.headers())?;
        let (query, writes) = (request.uri().query().unwrap_or_default().to_owned(), writes(&request));
        let conditions = Conditions::read(request.headers());
        let tenant = app.tenant_of(connection, now).await?;
        // The body comes before the transaction: a slow client must not hold a database connection. A large one comes
        // after a look at the token, and only a few at a time: a stranger must not fill the memory.
        let large = if is_large(&request) {
            prove(app, tenant, connection, &token_hash, now).await?.1.rollback().await?;
            app.limits.large_body().await
        } else {
            None
        };
        let body = read_body(request, app.config.limits.scim_body).await?;
        let place = app.limits.place(tenant).await?;
        let (bearer, mut tx) = prove(app, tenant, connection, &token_hash, now).await?;
        trace.proven(bearer.credential, &body);
        app.limits.admit_scim(tenant)?;
        if bearer.read_only && writes {
            return Err(
                ScimError::forbidden("This token may read and not change anything. Paste one that may write.").into()
            );
        }
        tx.act_as(Actor::Scim(bearer.credential));
        let schemas = schemas::in_force(app, &mut tx, connection, &bearer).await?;
        let directory = Arc::new(Directory {
            app: app.clone(),
            connection,
            tenant,
            token_hash,
            credential: bearer.credential,
            schemas,
            base_url: format!("{}/scim/v2", app.connection_url(connection)),
            password_sync: bearer.password_sync,
            entitlements: bearer.entitlements,
        });
        Ok(Self {
            work: Work { tx, directory, _place: place },
            id,
            query,
            body,
            conditions,
            _large: large.map(Arc::new),
        })
    }
}

impl Conditions {
    fn read(headers: &HeaderMap) -> Self {
        // RFC 9110 5.3: several lines of one name are one list.
        let text = |name: HeaderName| {
            let lines: Vec<&str> = headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect();
            (!lines.is_empty()).then(|| lines.join(","))
        };
        Self { if_match: text(header::IF_MATCH), if_none_match: text(header::IF_NONE_MATCH) }
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

/// Whether the request changes something: a search is a POST and does not (RFC 7644 3.4.3).
fn writes(request: &Request) -> bool {
    !matches!(*request.method(), Method::GET | Method::HEAD) && !request.uri().path().ends_with("/.search")
}

fn check_uri(request: &Request) -> Result<(), ScimError> {
    let length = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    if length <= MAX_URI {
        return Ok(());
    }
    let detail = format!("The address is longer than {MAX_URI} bytes. Send long filters by POST to /.search.");
    Err(ScimError { status: 414, scim_type: None, detail })
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

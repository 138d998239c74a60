//! A SCIM request that may be served: its token is this connection's, its body is read, its transaction is there.

use super::{
    ScimResult, ahead,
    conditions::Conditions,
    log::Trace,
    proof::{Key, Proof},
    schemas::{self, Schemas},
};
use crate::{
    app::App,
    error::{Error, ScimFailure},
    extract,
    limits::Held,
    roles::InForce,
    secret::{self, Kind},
    shadow,
};
use ::scim::{discovery::Offer, error::ScimError, schema::Catalogue, user::Meta};
use axum::{
    RequestExt,
    body::{Bytes, HttpBody, to_bytes},
    extract::{FromRequest, RawPathParams, Request},
    http::{HeaderMap, Method, header},
};
use domain::{
    ids::{ConnectionId, FailureId, TokenId},
    role::RoleCatalogue,
};
use futures_util::future::BoxFuture;
use http_body_util::LengthLimitError;
use std::{
    ops::{Deref, DerefMut},
    sync::Arc,
    time::Duration,
};
use store::{
    ahead::Glance,
    scim_tokens::{self, Bearer},
    tenant::TenantTx,
    users::Linkable,
};
use tokio::sync::OwnedSemaphorePermit;
use uuid::Uuid;

/// Bytes up to which a body is read before its token is proven.
const LARGE_BODY: usize = 65_536;

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
    /// Whether the client wants no more of what it changed than is needed (RFC 7240 4.2).
    pub minimal: bool,
    /// Held while a large body is in memory.
    _large: Option<Arc<Held>>,
}

/// A transaction on a directory.
pub struct Work {
    pub tx: TenantTx,
    /// Whether passwords are kept, as this transaction sees it.
    pub password_sync: bool,
    pub directory: Arc<Directory>,
    /// Among the tenant's transactions, for as long as this one may be open.
    _place: OwnedSemaphorePermit,
    /// Among those who read along with others.
    _glance: Option<OwnedSemaphorePermit>,
}

impl Work {
    /// Ends the transaction and gives its places back.
    pub async fn close(self) -> Result<(), Error> {
        Ok(self.tx.rollback().await?)
    }
}

/// One connection's directory, as a proven credential may use it.
pub struct Directory {
    /// What the request came with.
    pub proof: Proof,
    credential: TokenId,
    schemas: Arc<Schemas>,
    /// What the log learns of the request.
    pub trace: Trace,
    /// `https://host/c/{cid}/scim/v2`
    pub base_url: String,
    pub password_sync: bool,
    entitlements: bool,
}

impl Directory {
    /// The schemas in force for this connection.
    pub fn catalogue(&self) -> &Catalogue {
        &self.schemas.catalogue
    }

    /// The roles of the connection's application.
    pub fn roles(&self) -> &RoleCatalogue {
        &self.schemas.roles.catalogue
    }

    /// What decides about roles.
    pub fn role_policy(&self) -> &InForce {
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

    /// The directory for what is done again that was refused once.
    pub async fn for_replay(
        app: &App,
        tx: &mut TenantTx,
        connection: ConnectionId,
        failure: FailureId,
    ) -> Result<Arc<Self>, Error> {
        let proof = Proof { app: app.clone(), tenant: tx.tenant(), connection, key: Key::Replay(failure) };
        let bearer = scim_tokens::of_operator(tx, connection).await?.ok_or(Error::NotFound)?;
        let schemas = schemas::in_force(app, tx, connection, &bearer, None).await?;
        Ok(Arc::new(Self {
            proof,
            credential: bearer.credential,
            schemas,
            trace: Trace::default(),
            base_url: format!("{}/scim/v2", app.connection_url(connection)),
            password_sync: bearer.password_sync,
            entitlements: bearer.entitlements,
        }))
    }

    /// One more transaction of the same request, for as long as its credential is valid.
    pub async fn open(self: &Arc<Self>) -> Result<Work, Error> {
        self.open_for(None).await
    }

    /// The same with what will be asked first.
    pub async fn open_for(self: &Arc<Self>, ahead: Option<Linkable>) -> Result<Work, Error> {
        let place = self.app.limits.place(self.tenant).await?;
        let (bearer, mut tx) = self.proof.begin(ahead).await?;
        tx.act_as(self.proof.actor(self.credential));
        shadow::enter(&mut tx, self.connection, self.role_policy()).await?;
        let (password_sync, directory) = (bearer.password_sync, Arc::clone(self));
        Ok(Work { tx, password_sync, directory, _place: place, _glance: None })
    }
}

impl Deref for Directory {
    type Target = Proof;

    fn deref(&self) -> &Proof {
        &self.proof
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
    /// The id that the path names.
    pub fn resource_id(&self) -> Result<Uuid, Error> {
        self.id.as_deref().and_then(read_id).ok_or(Error::NotFound)
    }

    /// The name that the path ends with.
    pub fn name(&self) -> &str {
        self.id.as_deref().unwrap_or_default()
    }

    /// Refuses a change of a version that the client did not mean (RFC 7644 3.14).
    pub fn check_version(&self, version: i64) -> Result<(), ScimError> {
        self.conditions.check(version)
    }

    /// The call after some work during which it held no transaction.
    pub async fn without_transaction<T>(self, work: impl Future<Output = T>) -> Result<(Self, T), Error> {
        let Self { work: Work { tx, directory, _place: place, .. }, id, query, body, conditions, minimal, _large } =
            self;
        tx.rollback().await?;
        drop(place);
        let done = work.await;
        let work = directory.open().await?;
        Ok((Self { work, id, query, body, conditions, minimal, _large }, done))
    }

    /// Ends the call's transaction for work that opens its own; what a large body may take stays taken.
    pub async fn end(self) -> Result<(Arc<Directory>, Option<Arc<Held>>), Error> {
        self.work.tx.rollback().await?;
        Ok((self.work.directory, self._large))
    }

    /// What it takes to begin once more.
    fn again(&self) -> Again {
        let Self { work, id, query, body, conditions, minimal, _large } = self;
        let directory = Arc::clone(&work.directory);
        let (id, query, body) = (id.clone(), query.clone(), body.clone());
        let (conditions, minimal, large) = (conditions.clone(), *minimal, _large.clone());
        Again { directory, id, query, body, conditions, minimal, large }
    }

    /// Whether the client already has this version (RFC 7644 3.14).
    pub fn has(&self, meta: &Meta) -> bool {
        self.conditions.is_known(meta)
    }
}

/// A call that can begin once more.
struct Again {
    directory: Arc<Directory>,
    id: Option<String>,
    query: String,
    body: Bytes,
    conditions: Conditions,
    minimal: bool,
    large: Option<Arc<Held>>,
}

impl Again {
    async fn call(&self) -> Result<ScimCall, Error> {
        let Self { directory, id, query, body, conditions, minimal, large } = self;
        let work = directory.open().await?;
        let (id, query, body) = (id.clone(), query.clone(), body.clone());
        let (conditions, minimal, _large) = (conditions.clone(), *minimal, large.clone());
        Ok(ScimCall { work, id, query, body, conditions, minimal, _large })
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
        let trace = request.extensions().get::<Trace>().cloned().unwrap_or_default();
        let (connection, id) = path(&mut request).await?;
        check_uri(&request)?;
        let token_hash = bearer(request.headers()).ok_or(Error::Unauthorized)?;
        check_media_type(request.method(), request.headers())?;
        let known = app.schemas.get(&connection).await;
        let glance = ahead::glance(connection, request.method(), request.uri(), id.as_deref(), known.as_deref());
        let (query, writes) = (request.uri().query().unwrap_or_default().to_owned(), writes(&request));
        let (conditions, minimal) = (Conditions::read(request.headers()), prefers_minimal(request.headers()));
        let tenant = app.tenant_of(connection, app.clock.now()).await?;
        let proof = Proof { app: app.clone(), tenant, connection, key: Key::Token(token_hash) };
        // The body comes before the transaction: a slow client must not hold a database connection. A large one comes
        // after a look at the token, and only a few at a time: a stranger must not fill the memory.
        let limit = app.config.limits.scim_body;
        let large = match declared_length(request.headers()) {
            Some(length) if length > limit => return Err(too_large(limit).into()),
            None if request.body().is_end_stream() => None,
            Some(length) if length <= LARGE_BODY => None,
            _ => {
                let (bearer, _) = proof.clone().glance(Glance::Token).await?;
                check_scope(&bearer, writes)?;
                app.limits.large_body(tenant).await
            }
        };
        let body = read_body(request, limit, app.config.server.request_timeout / 2).await?;
        let admit = |bearer: &Bearer| {
            trace.proven(bearer.credential, &body);
            app.limits.admit_scim(tenant)?;
            Ok::<_, Error>(check_scope(bearer, writes)?)
        };
        let (place, among_glances);
        let (bearer, mut tx) = match glance {
            Some(glance) => {
                among_glances = Some(app.limits.glance(tenant).await?);
                let proven = proof.clone().glance(glance).await?;
                admit(&proven.0)?;
                place = app.limits.place(tenant).await?;
                proven
            }
            None => {
                among_glances = None;
                place = app.limits.place(tenant).await?;
                let proven = proof.begin(None).await?;
                admit(&proven.0)?;
                proven
            }
        };
        tx.act_as(proof.actor(bearer.credential));
        let schemas = schemas::in_force(app, &mut tx, connection, &bearer, known).await?;
        trace.read_by(&schemas);
        trace.has_failures(bearer.has_failures);
        if writes {
            shadow::enter(&mut tx, connection, &schemas.roles).await?;
        }
        let directory = Arc::new(Directory {
            proof,
            credential: bearer.credential,
            schemas,
            trace,
            base_url: format!("{}/scim/v2", app.connection_url(connection)),
            password_sync: bearer.password_sync,
            entitlements: bearer.entitlements,
        });
        Ok(Self {
            work: Work { tx, password_sync: bearer.password_sync, directory, _place: place, _glance: among_glances },
            id,
            query,
            body,
            conditions,
            minimal,
            _large: large.map(Arc::new),
        })
    }
}

fn prefers_minimal(headers: &HeaderMap) -> bool {
    let lines = headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
    lines.flat_map(|line| line.split([',', ';'])).any(|part| part.trim().eq_ignore_ascii_case("return=minimal"))
}

/// An id as this server writes it, or in the capitals that some clients put into every UUID; no other spelling.
pub fn read_id(text: &str) -> Option<Uuid> {
    let is_same = |id: &Uuid| id.hyphenated().encode_lower(&mut Uuid::encode_buffer()).eq_ignore_ascii_case(text);
    Uuid::try_parse(text).ok().filter(is_same)
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

/// What the request says of the length of its body; nothing when it comes in pieces.
fn declared_length(headers: &HeaderMap) -> Option<usize> {
    let length = headers.get(header::CONTENT_LENGTH)?.to_str().ok()?;
    // One that no number holds is beyond every limit.
    Some(length.trim().parse().unwrap_or(usize::MAX))
}

fn check_scope(bearer: &Bearer, writes: bool) -> Result<(), ScimError> {
    if bearer.read_only && writes {
        return Err(ScimError::forbidden("This token may read and not change anything. Paste one that may write."));
    }
    Ok(())
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

/// Bodies are SCIM or JSON, in UTF-8 and as they are; Okta's older tests send none of a type (RFC 7644 3.1).
fn check_media_type(method: &Method, headers: &HeaderMap) -> Result<(), ScimError> {
    if !matches!(*method, Method::POST | Method::PUT | Method::PATCH) {
        return Ok(());
    }
    let encodings = headers.get_all(header::CONTENT_ENCODING).iter();
    if encodings.into_iter().any(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return Err(ScimError::unsupported_media_type("Send the body as it is, without Content-Encoding."));
    }
    let Some(value) = headers.get(header::CONTENT_TYPE) else { return Ok(()) };
    let mut parts = value.to_str().unwrap_or_default().split(';').map(str::trim);
    let kind = parts.next().unwrap_or_default();
    let is_text = |part: &str| match part.split_once('=') {
        Some((name, charset)) if name.eq_ignore_ascii_case("charset") => {
            ["utf-8", "utf8", "us-ascii"].iter().any(|known| charset.trim_matches('"').eq_ignore_ascii_case(known))
        }
        _ => true,
    };
    let accepted = ["application/scim+json", "application/json"];
    if accepted.iter().any(|accepted| kind.eq_ignore_ascii_case(accepted)) && parts.all(is_text) {
        return Ok(());
    }
    Err(ScimError::unsupported_media_type("Send the body as application/scim+json or application/json, in UTF-8."))
}

async fn read_body(request: Request, limit: usize, patience: Duration) -> Result<Bytes, ScimError> {
    let body = tokio::time::timeout(patience, to_bytes(request.into_body(), limit)).await;
    let Ok(body) = body else {
        let detail = "The body did not arrive in time. Send the request again.".to_owned();
        return Err(ScimError { status: 408, scim_type: None, detail });
    };
    body.map_err(|error| {
        if std::error::Error::source(&error).is_some_and(|source| source.is::<LengthLimitError>()) {
            too_large(limit)
        } else {
            ScimError::bad_request(::scim::error::ScimType::InvalidSyntax, "The request broke off. Send it again.")
        }
    })
}

fn too_large(limit: usize) -> ScimError {
    ScimError::too_large(format!("The request is larger than {limit} bytes. Send it in several requests."))
}

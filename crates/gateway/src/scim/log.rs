//! The log of SCIM exchanges: what identity providers asked and were told, and when each credential was used last.
//! Written in batches behind the requests, so that no request waits for it. Never a password, never a token.

pub(crate) mod redact;

use super::schemas::Schemas;
use crate::{
    app::App,
    error::ScimOutcome,
    extract,
    failures::{self, Refused, wish::Wish},
    journal::Entry,
};
use ::scim::ignored;
use axum::{
    body::Bytes,
    extract::{Request, State},
    http::{HeaderMap, header},
    middleware::Next,
    response::Response,
};
use domain::ids::{ConnectionId, TokenId};
use std::{
    collections::HashMap,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};
use store::{
    exchanges::{self, Exchange},
    journal::Edge,
    scim_tokens::{self, Use},
    tenant::TenantTx,
};
use time::OffsetDateTime;
use tokio::runtime::Handle;

/// The longest part of an address, or name of a client, that is kept, in characters.
const MAX_TEXT: usize = 2_000;

/// Where a connection's token endpoint is, below the connection.
const TOKEN_ENDPOINT: &str = "/oauth2/token";

/// Stands for the status of an answer that was not sent.
const NO_STATUS: u16 = 0;

/// What a request turned out to be, told to the log by those who find it out.
#[derive(Clone, Default)]
pub struct Trace(Arc<Told>);

#[derive(Default)]
struct Told {
    proven: OnceLock<(TokenId, Bytes)>,
    schemas: OnceLock<Arc<Schemas>>,
    note: OnceLock<String>,
    has_failures: AtomicBool,
}

impl Trace {
    /// The credential is valid, and this is the body.
    pub fn proven(&self, credential: TokenId, body: &Bytes) {
        // A request is proven once; a second time would say the same.
        self.0.proven.get_or_init(|| (credential, body.clone()));
    }

    /// What the body is read by.
    pub fn read_by(&self, schemas: &Arc<Schemas>) {
        self.0.schemas.get_or_init(|| Arc::clone(schemas));
    }

    /// What the administrator should know although the request succeeded; the first of several.
    pub fn note(&self, sentence: String) {
        self.0.note.get_or_init(|| sentence);
    }

    /// Whether the connection has failures that are open.
    pub fn has_failures(&self, has: bool) {
        self.0.has_failures.store(has, Ordering::Relaxed);
    }

    /// The same, as it was told.
    pub fn may_end_failures(&self) -> bool {
        self.0.has_failures.load(Ordering::Relaxed)
    }

    /// What it was told to note, if it was.
    pub fn noted(&self) -> Option<&str> {
        self.0.note.get().map(String::as_str)
    }

    /// What of a request that succeeded had no effect.
    fn remarks(&self, method: &str, target: &str) -> Option<String> {
        let skipped = || {
            let ((_, body), schemas) = (self.0.proven.get()?, self.0.schemas.get()?);
            let writes = matches!(method, "POST" | "PUT" | "PATCH");
            let kind = match target.trim_start_matches('/').split(['/', '?']).next()? {
                "Users" => schemas.catalogue.user(),
                "Groups" => schemas.catalogue.group(),
                _ => return None,
            };
            if writes && !target.contains("/.search") { ignored::sentence(body, kind) } else { None }
        };
        let remarks: Vec<String> = self.0.note.get().cloned().into_iter().chain(skipped()).collect();
        (!remarks.is_empty()).then(|| remarks.join(" "))
    }
}

impl Entry for Exchange {
    const DROPPED: &'static str = "gatehouse_scim_log_dropped_total";

    fn connection(&self) -> ConnectionId {
        self.connection
    }

    async fn note(tx: &mut TenantTx, batch: &[Self]) -> store::error::Result<()> {
        scim_tokens::used(tx, &last_uses(batch)).await
    }

    async fn append(tx: &mut TenantTx, batch: &[Self]) -> store::error::Result<()> {
        exchanges::append(tx, batch).await
    }

    async fn trim(
        tx: &mut TenantTx,
        connection: ConnectionId,
        keep: i64,
        last: Option<Edge>,
    ) -> store::error::Result<Option<Edge>> {
        exchanges::trim(tx, connection, keep, last).await
    }
}

/// The latest use of each credential.
fn last_uses(exchanges: &[Exchange]) -> Vec<(TokenId, Use)> {
    let mut uses: HashMap<TokenId, &Exchange> = HashMap::new();
    for exchange in exchanges {
        if let Some(token) = exchange.token {
            let last = uses.entry(token).or_insert(exchange);
            if last.at <= exchange.at {
                *last = exchange;
            }
        }
    }
    let describe =
        |exchange: &Exchange| Use { at: exchange.at, address: exchange.address.clone(), agent: exchange.agent.clone() };
    uses.into_iter().map(|(token, exchange)| (token, describe(exchange))).collect()
}

/// Records the exchange when it is over, however it ends.
pub async fn observe(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let Some((connection, target)) = place(&request) else { return next.run(request).await };
    let trace = Trace::default();
    request.extensions_mut().insert(trace.clone());
    let begun = Begun {
        connection,
        target,
        sent: request.uri().to_string(),
        method: request.method().to_string(),
        agent: agent(request.headers()),
        address: extract::client_address(request.headers(), request.extensions(), app.config.server.trusted_proxies),
        at: app.clock.now(),
        started: Instant::now(),
        trace,
        app,
    };
    let mut running = Running(Some(begun));
    let response = next.run(request).await;
    if let Some(begun) = running.0.take() {
        begun.record(response.status().as_u16(), response.extensions().get()).await;
    }
    response
}

/// A request that is not answered yet. The server drops it when the client hangs up.
struct Running(Option<Begun>);

impl Drop for Running {
    fn drop(&mut self) {
        let Some(begun) = self.0.take().filter(|begun| begun.trace.0.proven.get().is_some()) else { return };
        // Whose it is may have to be looked up, which a drop cannot wait for.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move { begun.record(NO_STATUS, Some(&ScimOutcome::nobody_waits())).await });
        }
    }
}

/// What is known of an exchange at its beginning.
struct Begun {
    app: App,
    connection: ConnectionId,
    target: String,
    /// The address as it came.
    sent: String,
    trace: Trace,
    method: String,
    agent: String,
    address: String,
    at: OffsetDateTime,
    started: Instant,
}

impl Begun {
    async fn record(self, status: u16, outcome: Option<&ScimOutcome>) {
        let Self { app, connection, target, sent, trace, method, agent, address, at, started } = self;
        let proven = trace.0.proven.get();
        if proven.is_none() && !app.limits.logs_stranger(connection) {
            return;
        }
        // What names no connection of ours is nobody's to read.
        let Ok(tenant) = app.tenant_of(connection, at).await else { return };
        let body = proven.map(|(_, body)| body.as_ref()).unwrap_or_default();
        // A bulk request succeeds with operations that failed.
        let failed = outcome.is_some() || status >= 400;
        let detail = match outcome {
            Some(outcome) => Some(outcome.detail.clone()),
            None if status < 300 => trace.remarks(&method, &target),
            None => None,
        };
        if let Some(wish) = proven.and_then(|(_, body)| Wish::of_request(&method, &target, body)) {
            let refused = failed.then(|| Refused::told(status, outcome));
            failures::note(&app, (tenant, connection), &wish, refused.as_ref(), trace.may_end_failures()).await;
        }
        let exchange = Exchange {
            connection,
            at,
            method,
            target,
            status,
            code: outcome.map_or_else(|| ScimOutcome::code_of(status), |outcome| outcome.code).to_owned(),
            detail: detail.map(|detail| redact::detail(&detail, &sent, body)),
            body: if failed { redact::body(body) } else { None },
            token: proven.map(|(token, _)| *token),
            address,
            agent,
            milliseconds: i32::try_from(started.elapsed().as_millis()).unwrap_or(i32::MAX),
        };
        app.log.record(tenant, exchange);
    }
}

/// The connection, and path and query below its SCIM base, or its token endpoint.
fn place(request: &Request) -> Option<(ConnectionId, String)> {
    let rest = request.uri().path().strip_prefix("/c/")?;
    if let Some(connection) = rest.strip_suffix(TOKEN_ENDPOINT) {
        // Its query has no meaning; who puts a secret there is not to find it here.
        return Some((connection.parse().ok()?, TOKEN_ENDPOINT.to_owned()));
    }
    let (connection, path) = rest.split_once("/scim/v2")?;
    let target = redact::target(path, request.uri().query());
    Some((connection.parse().ok()?, cut(&target)))
}

fn agent(headers: &HeaderMap) -> String {
    let sent = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    cut(&redact::text(sent))
}

fn cut(text: &str) -> String {
    text.chars().take(MAX_TEXT).collect()
}

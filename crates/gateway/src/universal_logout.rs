//! Okta's Universal Logout: the identity provider wants everything of a user to end
//! (draft-parecki-oauth-global-token-revocation-04).

use crate::{
    app::{App, Inner},
    config::Outbound,
    error::{Error, chain},
    extract::{Client, ConnectionPath, bearer},
    outbound::{self, Fetched, Version},
    revocation,
    saml::settings::{Settings, UniversalLogout},
    secret,
};
use ::oidc::{
    global_revocation::{self, Proven, Refused, Sender, SubjectId, SubjectProblem},
    jwk::KeySet,
};
use anyhow::Context;
use axum::{
    Json,
    body::Bytes,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use domain::{account::Account, email::Email, ids::ConnectionId, names::fold, session::EndReason};
use metrics::counter;
use serde_json::json;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use store::{
    accounts,
    connections::{self, Connection},
    error::{Constraint, Error as StoreError},
    logouts::{self, Whose},
    scope::Actor,
    sessions::Which,
    sign_in_requests,
    tenant::TenantTx,
};
use time::OffsetDateTime;
use tracing::{info, warn};

/// How long keys of an identity provider are used without another look.
const KEPT: Duration = Duration::from_secs(600);

/// How soon they are fetched again for a key that is not among them, or after they could not be fetched.
const AGAIN: Duration = Duration::from_secs(30);

/// How long they are used while they cannot be fetched again.
const STALE: Duration = Duration::from_secs(3_600);

/// What came of looking at an identity provider's keys.
#[derive(Debug, Clone)]
pub struct KnownKeys {
    url: String,
    tried: Instant,
    failed: bool,
    /// With the time when they came.
    keys: Option<(Arc<KeySet>, Instant)>,
}

/// Why nothing was ended, and how that is said: the identity provider's admin reads it in its log.
enum No {
    Malformed(String),
    Token(String),
    NotSetUp,
    NobodyThere,
    Unsupported,
    KeysAway,
    Failed(Error),
}

impl<E: Into<Error>> From<E> for No {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// `POST /c/{cid}/global-token-revocation`
pub async fn post(
    State(app): State<App>,
    ConnectionPath(connection): ConnectionPath,
    client: Client,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    match end(&app, connection, &client, &headers, &body).await {
        Ok(ended) => {
            counter!("gatehouse_universal_logouts_total", "result" => "done").increment(1);
            info!(connection = %connection, sessions = ended, "The identity provider ended everything of a user");
            StatusCode::NO_CONTENT.into_response()
        }
        Err(no) => {
            counter!("gatehouse_universal_logouts_total", "result" => "refused").increment(1);
            refused(connection, no)
        }
    }
}

async fn end(
    app: &Inner,
    connection: ConnectionId,
    client: &Client,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<usize, No> {
    let now = app.clock.now();
    let tenant = app.tenant_of(connection, now).await?;
    if !app.limits.admits_universal_logout(connection, &client.address) {
        return Err(Error::TooManyRequests { seconds: 1 }.into());
    }
    let token = bearer(headers).ok_or_else(no_token)?;
    let mut tx = app.tenant(tenant, Actor::Unproven, now).await?;
    let stored = connections::by_id(&mut tx, connection).await?.ok_or(Error::NotFound)?;
    tx.rollback().await?;
    let wanted = Settings::of(&stored)?.universal_logout.ok_or(No::NotSetUp)?;
    let proven = prove(app, connection, &wanted, token, now).await?;
    let subject = global_revocation::subject(body).map_err(|problem| match problem {
        SubjectProblem::Malformed(problem) => No::Malformed(problem.to_owned()),
        SubjectProblem::Unsupported => No::Unsupported,
    })?;
    let mut tx = app.tenant(tenant, Actor::IdentityProvider, now).await?;
    use_once(&mut tx, connection, &proven).await?;
    let mut accounts = meant(&mut tx, &stored, &wanted, &subject).await?;
    if accounts.is_empty() {
        // Somebody may be on the way here for the first time, who is there after this or sees what is remembered.
        logouts::lock_all(&mut tx, Some(connection)).await?;
        accounts = meant(&mut tx, &stored, &wanted, &subject).await?;
    }
    if accounts.is_empty() {
        // The token is used up all the same.
        let (SubjectId::Email(name) | SubjectId::IssSub { sub: name, .. } | SubjectId::Opaque(name)) = &subject;
        logouts::remember_end(&mut tx, Some(connection), Whose::Subject(&fold(name))).await?;
        tx.commit().await?;
        return Err(No::NobodyThere);
    }
    let mut ended = 0;
    for account in &accounts {
        // A sign-in locks the account, too: it either is over, and its session ends here, or sees what is remembered.
        accounts::for_update(&mut tx, connection, account.id).await?;
        logouts::remember_end(&mut tx, Some(connection), Whose::Account(account.id)).await?;
        ended += revocation::end(&mut tx, Which::Account(account.id), EndReason::UniversalLogout, None).await?.len();
    }
    tx.commit().await?;
    Ok(ended)
}

fn no_token() -> No {
    No::Token("Send the signed token in the header Authorization: Bearer.".to_owned())
}

/// Whether the identity provider's own key signed the call, for this endpoint.
async fn prove(
    app: &Inner,
    connection: ConnectionId,
    wanted: &UniversalLogout,
    token: &str,
    now: OffsetDateTime,
) -> Result<Proven, No> {
    let endpoint = format!("{}/global-token-revocation", app.connection_url(connection));
    let sender = Sender { issuer: &wanted.issuer, subject: wanted.subject.as_deref(), endpoint: &endpoint };
    let skew = app.config.saml.clock_skew;
    let refused = |refused: Refused| No::Token(refused.to_string());
    global_revocation::check_unproven(token, &sender, now, skew).map_err(refused)?;
    let known = keys(app, connection, wanted, KEPT).await?;
    match verified(token, &known, &sender, now, skew).await? {
        // A key that is new there.
        Err(Refused::UnknownKey { .. }) => {}
        outcome => return outcome.map_err(refused),
    }
    let fresh = keys(app, connection, wanted, AGAIN).await?;
    match verified(token, &fresh, &sender, now, skew).await? {
        // It may be the key's that could not be fetched.
        Err(Refused::UnknownKey { .. }) if fresh.failed => Err(No::KeysAway),
        outcome => outcome.map_err(refused),
    }
}

/// On a thread where nobody else waits: somebody else's keys may be long.
async fn verified(
    token: &str,
    known: &KnownKeys,
    sender: &Sender<'_>,
    now: OffsetDateTime,
    skew: time::Duration,
) -> Result<Result<Proven, Refused>, No> {
    let Some((keys, _)) = known.keys.clone() else { return Err(No::KeysAway) };
    let (token, issuer, endpoint) = (token.to_owned(), sender.issuer.to_owned(), sender.endpoint.to_owned());
    let subject = sender.subject.map(str::to_owned);
    let verified = tokio::task::spawn_blocking(move || {
        let sender = Sender { issuer: &issuer, subject: subject.as_deref(), endpoint: &endpoint };
        global_revocation::verify(&token, &keys, &sender, now, skew)
    });
    Ok(verified.await.context("a token is verified")?)
}

/// The identity provider's keys, looked at within that time. Whoever comes while they are fetched waits for the same answer, and
/// they are fetched to the end, also if nobody waits for it any more.
async fn keys(
    app: &Inner,
    connection: ConnectionId,
    wanted: &UniversalLogout,
    oldest: Duration,
) -> Result<KnownKeys, No> {
    let (cache, outbound, url) = (app.provider_keys.clone(), app.config.outbound.clone(), wanted.jwks_url());
    let found = tokio::spawn(async move {
        let before = cache.get(&connection).await.filter(|known| known.url == url);
        let before = before.and_then(|known| known.keys).filter(|(_, at)| at.elapsed() < STALE);
        let is_old = |known: &KnownKeys| {
            let oldest = if known.failed { AGAIN } else { oldest };
            known.url != url || known.tried.elapsed() >= oldest
        };
        let looking = look(&outbound, connection, &url, before);
        cache.entry(connection).or_insert_with_if(looking, is_old).await.into_value()
    });
    let known = found.await.context("the keys of an identity provider are looked at")?;
    // Somebody may have waited for those of another address, which is not the connection's any more.
    if known.url == wanted.jwks_url() { Ok(known) } else { Err(No::KeysAway) }
}

/// Fetches them; those from before stay in use for a while where that fails.
async fn look(
    outbound: &Outbound,
    connection: ConnectionId,
    url: &str,
    before: Option<(Arc<KeySet>, Instant)>,
) -> KnownKeys {
    let (fetched, url) = (fetch(outbound, url).await, url.to_owned());
    let tried = Instant::now();
    match fetched {
        Ok(keys) => KnownKeys { url, tried, failed: false, keys: Some((Arc::new(keys), tried)) },
        Err(problem) => {
            warn!(connection = %connection, problem, "The identity provider's keys for Universal Logout cannot be used");
            KnownKeys { url, tried, failed: true, keys: before }
        }
    }
}

async fn fetch(settings: &Outbound, url: &str) -> Result<KeySet, String> {
    let text = match outbound::fetch(url, &Version::default(), settings).await {
        Ok(Fetched::Document { text, .. }) => text,
        Ok(Fetched::Unchanged) => return Err("it answered without a document".to_owned()),
        Err(error) => return Err(chain(&error)),
    };
    let document = serde_json::from_str(&text).map_err(|_| "they are not JSON")?;
    KeySet::parse(&document)
}

/// A token ends sessions once: whoever got hold of it must not keep somebody out with it.
async fn use_once(tx: &mut TenantTx, connection: ConnectionId, proven: &Proven) -> Result<(), No> {
    let hash: String = secret::hash(&proven.jti).iter().map(|byte| format!("{byte:02x}")).collect();
    let id = format!("global-token-revocation:{hash}");
    match sign_in_requests::remember_assertion(tx, connection, &id, proven.expires_at).await {
        Err(StoreError::Conflict(Constraint::Assertion)) => {
            Err(No::Token("This token was used before; sign another one for each call.".to_owned()))
        }
        done => Ok(done?),
    }
}

/// Who is meant, among the accounts of this connection: what another one keeps is not this identity provider's.
async fn meant(
    tx: &mut TenantTx,
    stored: &Connection,
    wanted: &UniversalLogout,
    subject: &SubjectId,
) -> Result<Vec<Account>, No> {
    /// Accounts of one person that share an address.
    const MOST: i64 = 100;
    let connection = stored.id;
    // The organization goes by two names: its own, and that of its SAML app integration.
    let is_own = |iss: &str| iss == wanted.issuer || stored.idp.as_ref().is_some_and(|idp| idp.entity_id == iss);
    Ok(match subject {
        SubjectId::Email(address) => {
            let email = Email::parse(address).map_err(|_| No::Malformed("The email is no address.".to_owned()))?;
            let mut found = accounts::by_email(tx, connection, email.key(), MOST).await?;
            // Okta's user name is an address, which need not be the mailbox.
            if let Some(named) = accounts::by_user_name(tx, connection, &fold(address)).await?
                && !found.iter().any(|account| account.id == named.id)
            {
                found.push(named);
            }
            found
        }
        SubjectId::IssSub { iss, sub } if is_own(iss) => {
            let mut found = accounts::by_external_id(tx, connection, sub, MOST).await?;
            if found.is_empty() {
                found.extend(accounts::by_name_id(tx, connection, sub).await?);
            }
            found
        }
        SubjectId::IssSub { .. } => return Err(No::NobodyThere),
        SubjectId::Opaque(id) => accounts::by_external_id(tx, connection, id, MOST).await?,
    })
}

fn refused(connection: ConnectionId, no: No) -> Response {
    let (status, error, sentence) = match no {
        No::Malformed(sentence) => (StatusCode::BAD_REQUEST, "invalid_request", sentence),
        No::Token(sentence) => (StatusCode::UNAUTHORIZED, "invalid_token", sentence),
        No::NotSetUp => (
            StatusCode::FORBIDDEN,
            "access_denied",
            "Universal Logout is not set up here. The people who run the application can do that with the issuer of your organization.".to_owned(),
        ),
        No::NobodyThere => (StatusCode::NOT_FOUND, "not_found", "There is no such user in this application.".to_owned()),
        No::Unsupported => (
            StatusCode::UNPROCESSABLE_ENTITY,
            "unsupported_subject",
            "Name the user by email, iss_sub or opaque.".to_owned(),
        ),
        No::KeysAway => (
            StatusCode::SERVICE_UNAVAILABLE,
            "temporarily_unavailable",
            "The keys of your organization cannot be fetched now. Try again in a minute.".to_owned(),
        ),
        No::Failed(Error::NotFound) => (StatusCode::NOT_FOUND, "not_found", "There is nothing at this address.".to_owned()),
        No::Failed(Error::TooManyRequests { .. }) => {
            (StatusCode::TOO_MANY_REQUESTS, "slow_down", "Too many calls at once. Try again in a second.".to_owned())
        }
        No::Failed(error) => {
            warn!(connection = %connection, error = chain(&error), "Universal Logout failed");
            (StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable", "It could not be done now. Try again.".to_owned())
        }
    };
    info!(connection = %connection, status = status.as_u16(), error, "Refused a Universal Logout");
    let body = Json(json!({ "error": error, "error_description": sentence }));
    let mut response = (status, [(header::CACHE_CONTROL, "no-store")], body).into_response();
    if status == StatusCode::UNAUTHORIZED {
        let challenge = HeaderValue::from_static("Bearer realm=\"gatehouse\", error=\"invalid_token\"");
        response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    }
    response
}

//! The authorization endpoint (RFC 6749 3.1, OpenID Connect Core 3.1.2): finds the way in, and answers with a code.

use crate::{
    app::{App, Inner},
    browser,
    error::{Error, PageFailure},
    extract,
    pages::{self, OrganizationPage},
    saml::login,
    secret::{self, Kind, Secret},
};
use ::oidc::{
    authorize::{self, AuthorizeFailure, AuthorizeRequest, Parameters, Prompt},
    client::Client,
    error::{ErrorCode, OAuthError},
};
use anyhow::Context;
use axum::{
    body::Bytes,
    extract::{RawQuery, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Redirect, Response},
};
use domain::ids::{ApplicationId, ConnectionId, TenantId};
use store::{
    applications::{self, Application},
    connections, grants,
    scope::Actor,
    sessions::{self, LiveSession},
    tenant::TenantTx,
    tenants,
};
use time::{Duration, OffsetDateTime};
use url::form_urlencoded;

/// How long a code may be traded for tokens (RFC 6749 4.1.2 allows ten minutes; a redirect needs seconds).
const CODE_LIFETIME: Duration = Duration::seconds(60);

/// `GET /oauth2/authorize`
pub async fn get(
    State(app): State<App>,
    RawQuery(query): RawQuery,
    visitor: extract::Client,
    headers: HeaderMap,
) -> Result<Response, PageFailure> {
    Ok(answer(&app, &query.unwrap_or_default(), &visitor, &headers).await?)
}

/// The longest form that becomes a query.
const MAX_FORM: usize = 16_384;

/// `POST /oauth2/authorize` (OpenID Connect Core 3.1.2.1). Other sites post here, and a browser shows no cookie of ours
/// to that; so it comes again by GET, where its session counts.
pub async fn post(State(app): State<App>, body: Bytes) -> Result<Response, PageFailure> {
    let form = std::str::from_utf8(&body).ok().filter(|form| form.len() <= MAX_FORM);
    let form = form.ok_or_else(|| bad_request("The form is too long or not UTF-8."))?;
    let again: String =
        form_urlencoded::Serializer::new(String::new()).extend_pairs(form_urlencoded::parse(form.as_bytes())).finish();
    Ok(Redirect::to(&format!("{}/oauth2/authorize?{again}", app.issuer())).into_response())
}

fn bad_request(sentence: &str) -> Error {
    OAuthError::new(ErrorCode::InvalidRequest, sentence).into()
}

async fn answer(app: &Inner, encoded: &str, visitor: &extract::Client, headers: &HeaderMap) -> Result<Response, Error> {
    let now = app.clock.now();
    let parameters = Parameters::parse(encoded)?;
    let application = client(app, &parameters, now).await?;
    let request = match authorize::validate(&parameters, &registered(&application)?, app.issuer()) {
        Ok(request) => request,
        Err(AuthorizeFailure::Redirect { url }) => return Ok(Redirect::to(&url).into_response()),
        Err(AuthorizeFailure::ShowToUser(error)) => return Err(error.into()),
    };
    let Some((tenant, connection)) = way_in(app, &application, &request, now).await? else {
        return Ok(ask_for_organization(app, encoded, &request));
    };
    let jar = browser::jar(headers);
    let mut tx = app.tenant(tenant, Actor::Browser, now).await?;
    if let Some(session) = fresh_session(app, &mut tx, &jar, connection, &request).await? {
        let url = grant(app, &mut tx, session, &request).await?;
        tx.commit().await?;
        return Ok(Redirect::to(&url).into_response());
    }
    if request.prompt == Prompt::None {
        tx.rollback().await?;
        let url = request.error_url(ErrorCode::LoginRequired, "The user has to sign in.", app.issuer());
        return Ok(Redirect::to(&url).into_response());
    }
    login::start(app, tx, connection, visitor, jar, login::Purpose::Authorize(&request)).await
}

async fn client(app: &Inner, parameters: &Parameters, now: OffsetDateTime) -> Result<Application, Error> {
    let unknown = || bad_request("The parameter client_id names no application here.");
    let id: ApplicationId = parameters.client_id.as_deref().and_then(|id| id.parse().ok()).ok_or_else(unknown)?;
    let mut tx = app.control(now).await?;
    let found = applications::client(&mut tx, id).await?;
    tx.rollback().await?;
    Ok(found.ok_or_else(unknown)?.0)
}

/// The application as the protocol sees it.
fn registered(application: &Application) -> Result<Client, Error> {
    Ok(Client {
        id: application.id.to_string(),
        redirect_uris: application.redirect_uris.clone(),
        // The authorization endpoint treats both kinds alike: PKCE is for all.
        confidential: true,
        id_token_alg: application.id_token_alg.parse().ok().context("a stored algorithm is known")?,
    })
}

/// The tenant and connection that the request names, if this application can be entered through it. A request that
/// names a connection of one tenant and another tenant leads nowhere.
async fn way_in(
    app: &Inner,
    application: &Application,
    request: &AuthorizeRequest,
    now: OffsetDateTime,
) -> Result<Option<(TenantId, ConnectionId)>, Error> {
    let by_connection = match &request.connection {
        Some(connection) => Some(named_connection(app, connection, now).await?),
        None => None,
    };
    let by_name = match &request.tenant {
        Some(name) => Some(named_tenant(app, name, now).await?),
        None => None,
    };
    match (by_connection, by_name) {
        (Some(Some((tenant, connection))), name) if name.is_none_or(|name| name == Some(tenant)) => {
            entrance(app, tenant, application, Some(connection), now).await
        }
        (None, Some(Some(tenant))) => entrance(app, tenant, application, None, now).await,
        _ => Ok(None),
    }
}

async fn named_connection(
    app: &Inner,
    connection: &str,
    now: OffsetDateTime,
) -> Result<Option<(TenantId, ConnectionId)>, Error> {
    let Ok(connection) = connection.parse() else { return Ok(None) };
    match app.tenant_of(connection, now).await {
        Ok(tenant) => Ok(Some((tenant, connection))),
        Err(Error::NotFound) => Ok(None),
        Err(error) => Err(error),
    }
}

/// A tenant by its id or its short name.
async fn named_tenant(app: &Inner, name: &str, now: OffsetDateTime) -> Result<Option<TenantId>, Error> {
    if let Ok(id) = name.parse() {
        return Ok(Some(TenantId(id)));
    }
    let mut tx = app.control(now).await?;
    let tenant = tenants::by_slug(&mut tx, name).await?;
    tx.rollback().await?;
    Ok(tenant.map(|tenant| tenant.id))
}

/// The tenant's connection to this application: the named one, else its oldest that is set up.
async fn entrance(
    app: &Inner,
    tenant: TenantId,
    application: &Application,
    named: Option<ConnectionId>,
    now: OffsetDateTime,
) -> Result<Option<(TenantId, ConnectionId)>, Error> {
    let mut tx = app.tenant(tenant, Actor::Browser, now).await?;
    let connections = connections::list(&mut tx).await?;
    tx.rollback().await?;
    let found = connections.into_iter().find(|connection| {
        connection.application_id == application.id
            && connection.idp.is_some()
            && named.is_none_or(|named| named == connection.id)
    });
    Ok(found.map(|connection| (tenant, connection.id)))
}

fn ask_for_organization(app: &Inner, encoded: &str, request: &AuthorizeRequest) -> Response {
    if request.prompt == Prompt::None {
        let url = request.error_url(ErrorCode::LoginRequired, "The user has to say which organization.", app.issuer());
        return Redirect::to(&url).into_response();
    }
    let asked = form_urlencoded::parse(encoded.as_bytes())
        .filter(|(name, _)| name != "tenant" && name != "connection")
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect();
    let unknown = request.tenant.clone().or_else(|| request.connection.clone());
    let status = if unknown.is_some() { StatusCode::NOT_FOUND } else { StatusCode::OK };
    pages::html(status, &OrganizationPage { asked, unknown })
}

/// The browser's session in that connection, unless the request wants a newer proof.
async fn fresh_session(
    app: &Inner,
    tx: &mut TenantTx,
    jar: &axum_extra::extract::CookieJar,
    connection: ConnectionId,
    request: &AuthorizeRequest,
) -> Result<Option<LiveSession>, Error> {
    let Some(cookie) = browser::session(app, jar, connection) else { return Ok(None) };
    if request.prompt == Prompt::Login {
        return Ok(None);
    }
    let live = sessions::by_token(tx, connection, &secret::hash(&cookie)).await?;
    let oldest = request.max_age.map(|seconds| tx.now() - Duration::seconds(i64::from(seconds)));
    Ok(live.filter(|session| oldest.is_none_or(|oldest| session.auth_time >= oldest)))
}

/// Answers an authorize request with a code for this session.
pub async fn grant(
    app: &Inner,
    tx: &mut TenantTx,
    session: LiveSession,
    request: &AuthorizeRequest,
) -> Result<String, Error> {
    let code = Secret::of_tenant(Kind::Code, tx.tenant());
    let expires_at = tx.now() + CODE_LIFETIME;
    let kept = serde_json::to_value(request).context("an authorize request serializes")?;
    grants::insert(tx, session.application, session.id, &kept, &code.hash(), expires_at).await?;
    Ok(request.success_url(code.reveal(), app.issuer()))
}

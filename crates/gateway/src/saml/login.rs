//! Starts a sign-in: a signed AuthnRequest, tied to the browser it leaves by.

use super::{carried, idp, keys::Keys, service_provider, settings::Settings, trace::Trace};
use crate::{
    app::{App, Inner},
    browser, entropy,
    error::{Error, PageFailure},
    extract::{Client, ConnectionPath, parameter},
    oauth, secret,
};
use ::oidc::authorize::{AuthorizeRequest, Prompt};
use ::saml::{
    code::{Code, Rejection},
    request::{self, AuthnRequest},
};
use anyhow::Context;
use axum::{
    extract::{Path, RawQuery, State},
    http::HeaderMap,
    response::{IntoResponse, Redirect, Response},
};
use axum_extra::extract::CookieJar;
use domain::{
    ids::{ConnectionId, InvitationId, TenantId},
    names::Slug,
};
use store::{
    applications,
    connections::{self, Connection},
    scope::Actor,
    sessions,
    sign_in_requests::{self, NewSignInRequest},
    tenant::TenantTx,
    tenants,
};
use time::Duration;

/// How long a person may take at the identity provider.
const PATIENCE: Duration = Duration::minutes(15);

/// `GET /c/{cid}/saml/login`: the bookmark and the tile of one connection.
pub async fn get(
    State(app): State<App>,
    ConnectionPath(connection): ConnectionPath,
    RawQuery(query): RawQuery,
    client: Client,
    headers: HeaderMap,
) -> Result<Response, PageFailure> {
    let tenant = app.tenant_of(connection, app.clock.now()).await?;
    let query = query.unwrap_or_default();
    let hint = parameter(&query, "login_hint");
    Ok(bookmark(&app, tenant, connection, &client, browser::jar(&headers), hint.as_deref()).await?)
}

/// `GET /t/{slug}`: the bookmark of a tenant. An unknown name answers as one that is not set up.
pub async fn tenant(
    State(app): State<App>,
    Path(slug): Path<String>,
    client: Client,
    headers: HeaderMap,
) -> Result<Response, PageFailure> {
    let now = app.clock.now();
    let slug = Slug::parse(&slug).map_err(|_| Error::NotSetUp)?;
    let mut control = app.control(now).await?;
    let tenant = tenants::by_slug(&mut control, slug.as_str()).await?;
    control.rollback().await?;
    let tenant = tenant.ok_or(Error::NotSetUp)?;
    let mut tx = app.tenant(tenant.id, Actor::Browser, now).await?;
    let connections = connections::list(&mut tx).await?;
    tx.rollback().await?;
    // The oldest, but one that is suspended only where there is no other.
    let open = connections.into_iter().filter(Connection::is_open);
    let ready = open.min_by_key(|connection| connection.suspended_at.is_some()).ok_or(Error::NotSetUp)?;
    Ok(bookmark(&app, tenant.id, ready.id, &client, browser::jar(&headers), None).await?)
}

/// Brings whoever follows a bookmark into the application of the connection.
pub(crate) async fn bookmark(
    app: &Inner,
    tenant: TenantId,
    connection: ConnectionId,
    client: &Client,
    jar: CookieJar,
    hint: Option<&str>,
) -> Result<Response, Error> {
    let now = app.clock.now();
    let mut tx = app.tenant(tenant, Actor::Browser, now).await?;
    if let Some(session) = browser::session(app, &jar, connection)
        && let Some(live) = sessions::by_token(&mut tx, connection, &secret::hash(&session)).await?
    {
        let tenant = tenants::current(&mut tx).await?.ok_or(Error::NotFound)?;
        let application = applications::by_id(&mut tx, live.application).await?.ok_or(Error::NotFound)?;
        tx.rollback().await?;
        return Ok(oauth::enter(app, &application, &tenant.slug, None));
    }
    start(app, tx, connection, client, jar, Purpose::Enter { target: None, hint }).await
}

/// `GET /c/{cid}/saml/restart`: the identity provider began, so the browser is sent back to it with a request of ours.
///
/// An identity provider that cannot answer requests would send the browser here again and again; so it may come once, and
/// then a person has to begin again.
pub async fn restart(
    State(app): State<App>,
    ConnectionPath(connection): ConnectionPath,
    RawQuery(query): RawQuery,
    client: Client,
    headers: HeaderMap,
) -> Result<Response, PageFailure> {
    let now = app.clock.now();
    let tenant = app.tenant_of(connection, now).await?;
    let jar = browser::jar(&headers);
    if browser::was_restarted(&app, &jar, connection) {
        let rejection = Rejection::new(Code::Unsolicited);
        let failure = PageFailure::from(rejection.clone());
        let trace = Trace { app: &app, tenant, connection, client: &client, at: now };
        trace.refused(&rejection, None, &failure.reference);
        return Ok((browser::forget_restart(&app, jar, connection), failure).into_response());
    }
    let mut tx = app.tenant(tenant, Actor::Browser, now).await?;
    let stored = connections::by_id(&mut tx, connection).await?.ok_or(Error::NotFound)?;
    let query = query.unwrap_or_default();
    let asked = parameter(&query, "target");
    // Anybody can write this address: only what the connection knows counts.
    let settings = Settings::of(&stored)?;
    let target = settings.target(asked.as_deref());
    let jar = browser::note_restart(&app, jar, connection);
    Ok(start(&app, tx, connection, &client, jar, Purpose::Enter { target, hint: None }).await?)
}

/// What a sign-in is for.
#[derive(Debug, Clone, Copy)]
pub enum Purpose<'a> {
    /// An application asked, and is answered when the browser comes back.
    Authorize(&'a AuthorizeRequest),
    /// The user enters the application, at that place if one is given; perhaps it is said who that is.
    Enter { target: Option<&'a str>, hint: Option<&'a str> },
    /// Somebody whom the application knows ties their account at the identity provider to themselves.
    Link { invitation: InvitationId, hint: &'a str },
}

/// Sends the browser to the connection's identity provider.
pub async fn start(
    app: &Inner,
    mut tx: TenantTx,
    connection: ConnectionId,
    client: &Client,
    jar: CookieJar,
    purpose: Purpose<'_>,
) -> Result<Response, Error> {
    let connection = connections::by_id(&mut tx, connection).await?.ok_or(Error::NotFound)?;
    if connection.suspended_at.is_some() {
        return Err(Error::Suspended);
    }
    let (authorize, target, hint) = match purpose {
        Purpose::Authorize(request) => (Some(request), None, request.login_hint.as_deref()),
        Purpose::Enter { target, hint } => (None, target, hint),
        Purpose::Link { hint, .. } => (None, None, Some(hint)),
    };
    let settings = Settings::of(&connection)?;
    let invitation = if let Purpose::Link { invitation, .. } = purpose { Some(invitation) } else { None };
    let by_password = connection.idp.is_none() && connection.provisioning.password_sync;
    let idp = if by_password { None } else { Some(idp::of(&connection)?) };
    let (jar, browser_secret) = browser::bind(app, jar);
    let id = request::request_id(entropy::bytes());
    let (tenant, now) = (tx.tenant(), tx.now());
    let new = NewSignInRequest {
        id: &id,
        connection: connection.id,
        browser_hash: &secret::hash(&browser_secret),
        authorize: authorize.map(serde_json::to_value).transpose().context("an authorize request serializes")?,
        target,
        invitation,
        expires_at: now + PATIENCE,
    };
    sign_in_requests::insert(&mut tx, &new).await?;
    let Some(idp) = idp else {
        tx.commit().await?;
        let mut url = url::form_urlencoded::Serializer::new(format!("{}/password?", app.connection_url(connection.id)));
        url.append_pair("request", &id).extend_pairs(hint.map(|hint| ("email", hint)));
        return Ok((jar, Redirect::to(&url.finish())).into_response());
    };
    let key = Keys::of(&mut tx, connection.id).await?.signer(app)?;
    tx.commit().await?;
    let sp = service_provider(app, connection.id, &settings);
    let force = authorize.is_some_and(|request| request.prompt == Prompt::Login || request.max_age.is_some());
    let request = AuthnRequest { id: &id, issue_instant: now, wishes: &settings.wishes(force) };
    let document = request.document(&sp, &idp).context("a request could not be written")?;
    // Nothing of ours needs to come back in RelayState: the response names the request. Some identity providers
    // insist on one, so it repeats the request's ID, which the same message shows anyway. Where answers of all connections
    // come to one address, it says which one that is.
    let named = settings.former_entity_id.as_ref().map(|_| connection.id.to_string());
    let relay_state = named.as_deref().unwrap_or(id.trim_start_matches('_'));
    let message = request::send(&document, &idp, &key, relay_state);
    let message = message.context("a request could not be signed")?;
    if settings.is_under_test(now) || app.limits.logs_request(connection.id) {
        Trace { app, tenant, connection: connection.id, client, at: now }.done(&id, "asked", Some(document), None);
    }
    Ok((jar, carried(message)).into_response())
}

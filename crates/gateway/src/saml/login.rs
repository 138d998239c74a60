//! Starts a sign-in: a signed AuthnRequest, tied to the browser it leaves by.

use super::{identity_provider, service_provider, signing_key};
use crate::{
    app::{App, Inner},
    browser, entropy,
    error::{Error, PageFailure},
    extract::ConnectionPath,
    oauth, secret,
};
use ::oidc::authorize::{AuthorizeRequest, Prompt};
use ::saml::request;
use anyhow::Context;
use axum::{
    extract::{Path, State},
    http::HeaderMap,
    response::{IntoResponse, Redirect, Response},
};
use axum_extra::extract::CookieJar;
use domain::{
    ids::{ConnectionId, TenantId},
    names::Slug,
};
use store::{
    applications, connections,
    scope::Actor,
    sessions,
    sign_in_requests::{self, NewSignInRequest},
    tenant::TenantTx,
    tenants,
};
use time::{Duration, OffsetDateTime};

/// How long a person may take at the identity provider.
const PATIENCE: Duration = Duration::minutes(15);

/// `GET /c/{cid}/saml/login`: the bookmark and the tile of one connection.
pub async fn get(
    State(app): State<App>,
    ConnectionPath(connection): ConnectionPath,
    headers: HeaderMap,
) -> Result<Response, PageFailure> {
    let now = app.clock.now();
    let tenant = app.tenant_of(connection, now).await?;
    Ok(bookmark(&app, tenant, connection, &headers, now).await?)
}

/// `GET /t/{slug}`: the bookmark of a tenant. An unknown name answers as one that is not set up.
pub async fn tenant(
    State(app): State<App>,
    Path(slug): Path<String>,
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
    let ready = connections.into_iter().find(|connection| connection.idp.is_some()).ok_or(Error::NotSetUp)?;
    Ok(bookmark(&app, tenant.id, ready.id, &headers, now).await?)
}

async fn bookmark(
    app: &Inner,
    tenant: TenantId,
    connection: ConnectionId,
    headers: &HeaderMap,
    now: OffsetDateTime,
) -> Result<Response, Error> {
    let jar = browser::jar(headers);
    let mut tx = app.tenant(tenant, Actor::Browser, now).await?;
    if let Some(session) = browser::session(app, &jar, connection)
        && let Some(live) = sessions::by_token(&mut tx, connection, &secret::hash(&session)).await?
    {
        let tenant = tenants::current(&mut tx).await?.ok_or(Error::NotFound)?;
        let application = applications::by_id(&mut tx, live.application).await?.ok_or(Error::NotFound)?;
        tx.rollback().await?;
        return Ok(oauth::enter(app, &application, &tenant.slug));
    }
    start(app, tx, connection, jar, None).await
}

/// Sends the browser to the connection's identity provider; `authorize` is answered when it comes back.
pub async fn start(
    app: &Inner,
    mut tx: TenantTx,
    connection: ConnectionId,
    jar: CookieJar,
    authorize: Option<&AuthorizeRequest>,
) -> Result<Response, Error> {
    let connection = connections::by_id(&mut tx, connection).await?.ok_or(Error::NotFound)?;
    let idp = identity_provider(&connection)?;
    let key = signing_key(app, &mut tx, connection.id).await?;
    let (jar, browser_secret) = browser::bind(app, jar);
    let id = request::request_id(entropy::bytes());
    let now = tx.now();
    let new = NewSignInRequest {
        id: &id,
        connection: connection.id,
        browser_hash: &secret::hash(&browser_secret),
        authorize: authorize.map(serde_json::to_value).transpose().context("an authorize request serializes")?,
        expires_at: now + PATIENCE,
    };
    sign_in_requests::insert(&mut tx, &new).await?;
    tx.commit().await?;
    let sp = service_provider(app, connection.id);
    let force = authorize.is_some_and(|request| request.prompt == Prompt::Login || request.max_age.is_some());
    // Nothing of ours needs to come back in RelayState: the response names the request. Some identity providers
    // insist on one, so it repeats the request's ID, which the same URL shows anyway.
    let url = request::redirect_url(&sp, &idp, &key, &id, id.trim_start_matches('_'), force, now);
    let url = url.context("a request could not be signed")?;
    Ok((jar, Redirect::to(url.as_str())).into_response())
}

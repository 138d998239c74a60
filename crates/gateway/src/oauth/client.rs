//! Who the OAuth client is: an application, proven by its secret or its key when it has one.

use super::settings::Settings;
use crate::{app::Inner, error::Error, secret};
use ::oidc::{client, client_assertion, error::ErrorCode, error::OAuthError, form::Form};
use anyhow::Context;
use axum::http::{HeaderMap, header};
use domain::ids::ApplicationId;
use store::{
    aliases,
    applications::{self, Application},
    control::ControlTx,
    pushed_requests,
};
use subtle::ConstantTimeEq;
use time::OffsetDateTime;

/// The permission to act as one application.
pub struct Client {
    pub application: Application,
    pub settings: Settings,
    /// Its client_id, as it names itself.
    pub id: String,
    /// Whether it proved itself by more than its name.
    pub is_confidential: bool,
}

/// Authenticates the client of a token, revocation, introspection or pushed request (RFC 6749 2.3) at the endpoint with that
/// path.
///
/// # Errors
/// [`Error::Unauthorized`], or what the client did wrong in OAuth's words.
pub async fn authenticate(
    app: &Inner,
    headers: &HeaderMap,
    form: &Form<'_>,
    path: &str,
    now: OffsetDateTime,
) -> Result<Client, Error> {
    if let Some(assertion) = form.token("client_assertion")? {
        return by_assertion(app, headers, form, path, assertion, now).await;
    }
    let authorization = headers.get(header::AUTHORIZATION).map(|value| value.to_str().unwrap_or_default());
    let presented = client::credentials(authorization, form.get("client_id")?, form.get("client_secret")?)?;
    let mut tx = app.control(now).await?;
    let found = named(&mut tx, &presented.id).await?;
    tx.rollback().await?;
    let (application, expected) = found.ok_or(Error::Unauthorized)?;
    let settings = Settings::of(&application)?;
    let is_confidential = match (expected, presented.secret) {
        // Who has a key has to use it: a secret beside it could be guessed at or found.
        _ if settings.jwks.is_some() => return Err(Error::Unauthorized),
        (Some(expected), Some(secret)) if secret::hash(&secret).ct_eq(&expected).into() => true,
        // A public client has nothing to prove here; PKCE binds its code (RFC 7636).
        (None, None) => false,
        _ => return Err(Error::Unauthorized),
    };
    Ok(Client { application, settings, id: presented.id, is_confidential })
}

/// The application of that client_id, or of that other name, and its secret's hash. Where Polis packs a product into it, that may be
/// the short name.
pub async fn named(tx: &mut ControlTx, id: &str) -> Result<Option<(Application, Option<Vec<u8>>)>, Error> {
    let packed = client::unpacked(id).ok().flatten();
    let id = packed.as_ref().map_or(id, |packed| packed.product.as_str());
    if let Ok(own) = id.parse()
        && let Some(found) = applications::client(tx, ApplicationId(own)).await?
    {
        return Ok(Some(found));
    }
    let mut id = aliases::application(tx, id).await?;
    if let (None, Some(packed)) = (id, &packed) {
        id = applications::by_slug(tx, &packed.product).await?.map(|application| application.id);
    }
    match id {
        Some(id) => Ok(applications::client(tx, id).await?),
        None => Ok(None),
    }
}

/// The application of a client_id that came by a browser.
///
/// # Errors
/// That there is none.
pub async fn of_browser(app: &Inner, id: &str, now: OffsetDateTime) -> Result<Application, Error> {
    let mut tx = app.control(now).await?;
    let found = named(&mut tx, id).await?;
    tx.rollback().await?;
    match found {
        Some((application, _)) => Ok(application),
        None => Err(unknown()),
    }
}

/// What a browser is told that names no application.
pub fn unknown() -> Error {
    OAuthError::new(ErrorCode::InvalidRequest, "The parameter client_id names no application here.").into()
}

/// RFC 7523 2.2: each assertion works once.
async fn by_assertion(
    app: &Inner,
    headers: &HeaderMap,
    form: &Form<'_>,
    path: &str,
    assertion: &str,
    now: OffsetDateTime,
) -> Result<Client, Error> {
    if headers.contains_key(header::AUTHORIZATION) || form.get("client_secret")?.is_some() {
        let sentence = "Authenticate once: by client_assertion or by a secret, not by both.";
        return Err(OAuthError::new(ErrorCode::InvalidRequest, sentence).into());
    }
    if form.get("client_assertion_type")? != Some(client_assertion::TYPE) {
        let sentence = "The client_assertion_type must be urn:ietf:params:oauth:client-assertion-type:jwt-bearer.";
        return Err(OAuthError::new(ErrorCode::InvalidClient, sentence).into());
    }
    let id = client_assertion::claimed_client(assertion)?;
    if form.get("client_id")?.is_some_and(|other| other != id) {
        let sentence = "The client_id in the form is not the one in the client_assertion.";
        return Err(OAuthError::new(ErrorCode::InvalidClient, sentence).into());
    }
    let mut tx = app.control(now).await?;
    let Some((application, _)) = named(&mut tx, &id).await? else { return Err(Error::Unauthorized) };
    let settings = Settings::of(&application)?;
    let keys = settings.keys()?.ok_or(Error::Unauthorized)?;
    let (called, token) = (format!("{}{path}", app.issuer()), format!("{}/oauth2/token", app.issuer()));
    tx.rollback().await?;
    let (issuer, own, assertion) = (app.issuer().to_owned(), id.clone(), assertion.to_owned());
    // On a thread where nobody else waits: an application's keys may be long.
    let verified = tokio::task::spawn_blocking(move || {
        client_assertion::verify(&assertion, &own, &keys, &[&issuer, &token, &called], now)
    });
    let proven = verified.await.context("a client assertion is verified")??;
    let mut tx = app.control(now).await?;
    let hash = secret::hash(&proven.jti);
    if !pushed_requests::use_assertion(&mut tx, application.id, &hash, proven.expires_at).await? {
        let sentence = "The client_assertion was used before. Make a new one, with a jti of its own, for each request.";
        return Err(OAuthError::new(ErrorCode::InvalidClient, sentence).into());
    }
    tx.commit().await?;
    Ok(Client { application, settings, id, is_confidential: true })
}

/// Introspection is for applications that can keep a secret (RFC 7662 2.1).
///
/// # Errors
/// As [`authenticate`].
pub async fn authenticate_confidential(
    app: &Inner,
    headers: &HeaderMap,
    form: &Form<'_>,
    path: &str,
    now: OffsetDateTime,
) -> Result<Client, Error> {
    let client = authenticate(app, headers, form, path, now).await?;
    if client.is_confidential {
        return Ok(client);
    }
    let sentence = "This endpoint needs the client's secret or key: a public client cannot use it.";
    Err(OAuthError::new(ErrorCode::InvalidClient, sentence).into())
}

//! Who the OAuth client is: an application, proven by its secret when it has one.

use crate::{app::Inner, error::Error, secret};
use ::oidc::{client, error::ErrorCode, error::OAuthError, form::Form};
use axum::http::{HeaderMap, header};
use store::applications::{self, Application};
use subtle::ConstantTimeEq;
use time::OffsetDateTime;

/// The permission to act as one application.
pub struct Client(pub Application);

/// Authenticates the client of a token, revocation or introspection request (RFC 6749 2.3).
pub async fn authenticate(
    app: &Inner,
    headers: &HeaderMap,
    form: &Form<'_>,
    now: OffsetDateTime,
) -> Result<Client, Error> {
    let authorization = headers.get(header::AUTHORIZATION).map(|value| value.to_str().unwrap_or_default());
    let presented = client::credentials(authorization, form.get("client_id")?, form.get("client_secret")?)?;
    let id = presented.id.parse().map_err(|_| Error::Unauthorized)?;
    let mut tx = app.control(now).await?;
    let found = applications::client(&mut tx, id).await?;
    tx.rollback().await?;
    let (application, expected) = found.ok_or(Error::Unauthorized)?;
    let proven = match (expected, presented.secret) {
        (Some(expected), Some(secret)) => bool::from(secret::hash(&secret).ct_eq(&expected)),
        // A public client has nothing to prove here; PKCE binds its code (RFC 7636).
        (None, None) => true,
        _ => false,
    };
    if proven { Ok(Client(application)) } else { Err(Error::Unauthorized) }
}

/// Introspection is for applications that can keep a secret (RFC 7662 2.1).
pub async fn authenticate_confidential(
    app: &Inner,
    headers: &HeaderMap,
    form: &Form<'_>,
    now: OffsetDateTime,
) -> Result<Client, Error> {
    let has_secret = headers.contains_key(header::AUTHORIZATION) || form.get("client_secret")?.is_some();
    if !has_secret {
        let sentence = "Introspection needs the client's secret: a public client cannot introspect.";
        return Err(OAuthError::new(ErrorCode::InvalidClient, sentence).into());
    }
    authenticate(app, headers, form, now).await
}

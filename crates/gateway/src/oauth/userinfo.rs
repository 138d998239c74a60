//! Who the bearer of an access token is, now (OpenID Connect Core 5.3).

use super::subject;
use crate::{
    app::{App, Inner},
    error::{Error, OAuthFailure},
};
use ::oidc::{
    claims::{self, AccessClaims},
    error::{ErrorCode, OAuthError},
};
use axum::{
    Json,
    extract::State,
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use domain::ids::{GrantId, SessionId, TenantId, UserId};
use store::{
    grants,
    scope::Actor,
    sessions::{self, LiveSession},
    tenant::TenantTx,
};
use time::OffsetDateTime;

/// `GET` and `POST /oauth2/userInfo`
pub async fn get(State(app): State<App>, headers: HeaderMap) -> Result<Response, OAuthFailure> {
    answer(&app, &headers).await.map_err(OAuthFailure::bearer)
}

async fn answer(app: &Inner, headers: &HeaderMap) -> Result<Response, Error> {
    let now = app.clock.now();
    let claims = claims::read_access_token(bearer(headers)?, app.keys.all(), app.issuer(), now)?;
    let (tx, session) = live(app, &claims, now).await?.ok_or_else(ended)?;
    let body = claims::userinfo(&subject(&tx, &session), &claims.scope);
    tx.rollback().await?;
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(body)).into_response())
}

fn bearer(headers: &HeaderMap) -> Result<&str, Error> {
    let value = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    match value.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(token.trim()),
        _ => {
            Err(OAuthError::new(ErrorCode::InvalidToken, "Send the access token in the header Authorization: Bearer.")
                .into())
        }
    }
}

fn ended() -> Error {
    OAuthError::new(ErrorCode::InvalidToken, "The user's session has ended. Start the sign-in again.").into()
}

/// The session behind an access token, if the session, its account and the grant all still stand.
pub(super) async fn live(
    app: &Inner,
    claims: &AccessClaims,
    now: OffsetDateTime,
) -> Result<Option<(TenantTx, LiveSession)>, Error> {
    let Some((application, grant)) = claims.client_id.parse().ok().zip(claims.grant_id.parse::<GrantId>().ok()) else {
        return Ok(None);
    };
    let mut tx = app.tenant(TenantId(claims.tenant_id), Actor::Application(application), now).await?;
    let granted = grants::is_live(&mut tx, grant, application).await?;
    let session = if granted { sessions::live(&mut tx, SessionId(claims.sid)).await? } else { None };
    match session.filter(|session| session.user == UserId(claims.sub)) {
        Some(session) => Ok(Some((tx, session))),
        None => {
            tx.rollback().await?;
            Ok(None)
        }
    }
}

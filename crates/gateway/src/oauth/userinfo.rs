//! Who the bearer of an access token is, now (OpenID Connect Core 5.3).

use super::{
    settings::Settings,
    told::{GROUPS_IN_USERINFO, Told},
};
use crate::{
    app::{App, Inner},
    error::{Error, OAuthFailure},
    extract::bearer,
    session,
};
use ::oidc::{
    claims::{self, Person},
    error::{ErrorCode, OAuthError},
    scope::Scope,
};
use axum::{
    Json,
    extract::State,
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use domain::ids::{ApplicationId, GrantId, SessionId, TenantId};
use store::{
    applications, grants,
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
    let token = bearer(headers).ok_or_else(no_token)?;
    let claims = claims::read_access_token(token, &app.keys.all(), app.issuer(), now)?;
    let person = claims.person.as_ref().filter(|_| claims.scope.contains(Scope::OpenId)).ok_or_else(not_a_user)?;
    let Live { mut tx, session, application } = live(app, &claims.sub, person, now).await?.ok_or_else(ended)?;
    let settings = applications::by_id(&mut tx, application).await?.map(|found| Settings::of(&found)).transpose()?;
    session::used(&mut tx, &session, &settings.unwrap_or_default()).await?;
    let told = Told::of(&mut tx, &session, claims.scope, GROUPS_IN_USERINFO).await?;
    let body = claims::userinfo(&told.subject(&tx, &session), claims.scope);
    tx.commit().await?;
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(body)).into_response())
}

fn no_token() -> Error {
    OAuthError::new(ErrorCode::InvalidToken, "Send the access token in the header Authorization: Bearer.").into()
}

fn ended() -> Error {
    OAuthError::new(ErrorCode::InvalidToken, "The user's session has ended. Start the sign-in again.").into()
}

/// The access token is the client's own, or lacks the scope `openid`.
fn not_a_user() -> Error {
    let sentence = "This access token is not for claims about a user. Ask for the scope openid.";
    OAuthError::new(ErrorCode::InsufficientScope, sentence).into()
}

/// What stands behind an access token.
pub(super) struct Live {
    pub tx: TenantTx,
    pub session: LiveSession,
    pub application: ApplicationId,
}

/// What is behind an access token, if the session, its account and the grant all still stand.
pub(super) async fn live(app: &Inner, user: &str, person: &Person, now: OffsetDateTime) -> Result<Option<Live>, Error> {
    let Ok(grant) = person.grant_id.parse::<GrantId>() else { return Ok(None) };
    let mut tx = app.tenant(TenantId(person.tenant_id), Actor::Unproven, now).await?;
    let application = grants::live(&mut tx, grant).await?;
    let session = match application {
        Some(_) => sessions::live(&mut tx, SessionId(person.sid)).await?,
        None => None,
    };
    match (application, session.filter(|session| session.user.to_string() == user)) {
        (Some(application), Some(session)) => {
            tx.act_as(Actor::Application(application));
            Ok(Some(Live { tx, session, application }))
        }
        _ => {
            tx.rollback().await?;
            Ok(None)
        }
    }
}

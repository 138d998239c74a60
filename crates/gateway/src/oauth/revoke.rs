//! An application gives its tokens back (RFC 7009). Either token ends the whole grant.

use super::{client, form::read_form};
use crate::{
    app::App,
    error::OAuthFailure,
    secret::{self, Kind},
};
use ::oidc::{
    claims,
    error::{ErrorCode, OAuthError},
    form::Form,
    token_request,
};
use axum::{
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
};
use domain::ids::{GrantId, TenantId};
use store::{
    grants::{self, Consumed},
    scope::Actor,
};

/// `POST /oauth2/revoke`; an unknown token is as good as revoked (RFC 7009 2.2).
pub async fn post(State(app): State<App>, headers: HeaderMap, body: Bytes) -> Result<StatusCode, OAuthFailure> {
    let now = app.clock.now();
    let form = Form::parse(read_form(&body)?)?;
    let client = client::authenticate(&app, &headers, &form, "/oauth2/revoke", now).await?;
    let (token, application) = (token_request::named_token(&form)?, client.application.id);
    if let Some(tenant) = secret::claimed_tenant(Kind::Refresh, token) {
        let mut tx = app.tenant(tenant, Actor::Application(application), now).await?;
        if let Some(Consumed::Fresh(grant) | Consumed::Again(grant)) =
            grants::by_refresh_token(&mut tx, application, &secret::hash(token)).await?
        {
            grants::revoke(&mut tx, grant.id, application).await?;
        }
        tx.commit().await?;
        return Ok(StatusCode::OK);
    }
    let Ok(claims) = claims::read_access_token(token, &app.keys.all(), app.issuer(), now) else {
        return Ok(StatusCode::OK);
    };
    let Some(person) = claims.person else {
        let sentence = "A token of the client's own cannot be revoked. It ends by itself, soon.";
        return Err(OAuthError::new(ErrorCode::UnsupportedTokenType, sentence).into());
    };
    if let Ok(grant) = person.grant_id.parse::<GrantId>() {
        let mut tx = app.tenant(TenantId(person.tenant_id), Actor::Application(application), now).await?;
        grants::revoke(&mut tx, grant, application).await?;
        tx.commit().await?;
    }
    Ok(StatusCode::OK)
}

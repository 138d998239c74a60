//! Whether a token still stands, now (RFC 7662). This is how an app learns at once that somebody is out.

use super::{
    client::{self, Client},
    form::read_form,
    userinfo,
};
use crate::{
    app::{App, Inner},
    error::{Error, OAuthFailure},
    secret::{self, Kind},
};
use ::oidc::{authorize::AuthorizeRequest, claims, form::Form, token_request};
use anyhow::Context;
use axum::{
    Json,
    body::Bytes,
    extract::State,
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use store::{
    grants::{self, Consumed},
    scope::Actor,
    sessions,
};
use time::OffsetDateTime;

/// `POST /oauth2/introspect`
pub async fn post(State(app): State<App>, headers: HeaderMap, body: Bytes) -> Result<Response, OAuthFailure> {
    let now = app.clock.now();
    let form = Form::parse(read_form(&body)?)?;
    let client = client::authenticate_confidential(&app, &headers, &form, "/oauth2/introspect", now).await?;
    let token = token_request::named_token(&form)?;
    let found = if token.starts_with("ghref_") {
        refresh_token(&app, &client, token, now).await?
    } else {
        access_token(&app, &client, token, now).await?
    };
    // A token that is not this client's, or not a token at all, is as inactive as one that ended (RFC 7662 2.2).
    let answer = found.unwrap_or_else(|| json!({ "active": false }));
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(answer)).into_response())
}

async fn access_token(app: &Inner, client: &Client, token: &str, now: OffsetDateTime) -> Result<Option<Value>, Error> {
    let Ok(claims) = claims::read_access_token(token, &app.keys.all(), app.issuer(), now) else { return Ok(None) };
    let mut answer = serde_json::to_value(&claims).context("claims serialize")?;
    answer["active"] = json!(true);
    answer["token_type"] = json!("Bearer");
    if let Some(person) = &claims.person {
        let Some(live) = userinfo::live(app, &claims.sub, person, now).await? else { return Ok(None) };
        live.tx.rollback().await?;
        if live.application != client.application.id {
            return Ok(None);
        }
        // The role of this moment, not of the moment the token was made.
        answer["roles"] = json!([live.session.role]);
    } else {
        let mut tx = app.control(now).await?;
        let of = client::named(&mut tx, &claims.client_id).await?;
        tx.rollback().await?;
        let is_own = of.is_some_and(|(application, _)| application.id == client.application.id);
        if !is_own || !client.settings.client_credentials {
            return Ok(None);
        }
    }
    Ok(Some(answer))
}

async fn refresh_token(app: &Inner, client: &Client, token: &str, now: OffsetDateTime) -> Result<Option<Value>, Error> {
    let application = client.application.id;
    let Some(tenant) = secret::claimed_tenant(Kind::Refresh, token) else { return Ok(None) };
    let mut tx = app.tenant(tenant, Actor::Application(application), now).await?;
    let found = grants::by_refresh_token(&mut tx, application, &secret::hash(token)).await?;
    let standing = match found {
        Some(Consumed::Fresh(grant)) if !grant.revoked => Some(grant),
        _ => None,
    };
    let answer = match standing {
        Some(grant) => {
            let request: AuthorizeRequest = serde_json::from_value(grant.request).context("a kept request reads")?;
            sessions::live(&mut tx, grant.session).await?.map(|session| {
                json!({
                    "active": true,
                    "client_id": request.client_id,
                    "sub": session.user,
                    "sid": session.id,
                    "tenant_id": tenant,
                    "scope": request.scope.to_string(),
                    "exp": session.expires_at.unix_timestamp(),
                })
            })
        }
        None => None,
    };
    tx.rollback().await?;
    Ok(answer)
}

//! The token endpoint (RFC 6749 3.2): a code, or a refresh token, becomes tokens. Each works once.

use super::{
    authorize::registered,
    client::{self, Client},
    form::read_form,
    told::{GROUPS_IN_TOKEN, Told},
};
use crate::{
    app::{App, Inner},
    error::{Error, OAuthFailure, chain},
    secret::{self, Kind, Secret},
    session,
};
use ::oidc::{
    authorize::AuthorizeRequest,
    claims::{self, Granted, Issue},
    error::{ErrorCode, OAuthError},
    form::Form,
    keys::{Algorithm, KeyError, SigningKey},
    pkce,
    scope::{Scope, Scopes},
    token_request::TokenRequest,
};
use anyhow::Context;
use axum::{
    Json,
    body::Bytes,
    extract::State,
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use domain::ids::{GrantId, TenantId};
use metrics::counter;
use serde_json::{Value, json};
use store::{
    grants::{self, Consumed, Grant},
    scope::Actor,
    sessions::{self, LiveSession},
    tenant::TenantTx,
};
use time::OffsetDateTime;
use tracing::warn;

/// `POST /oauth2/token`
pub async fn post(State(app): State<App>, headers: HeaderMap, body: Bytes) -> Result<Response, OAuthFailure> {
    let now = app.clock.now();
    let form = read_form(&body)?;
    let form = Form::parse(form)?;
    let client = client::authenticate(&app, &headers, &form, "/oauth2/token", now).await?;
    let request = TokenRequest::parse(&form)?;
    counter!("gatehouse_token_requests_total", "grant" => request.grant()).increment(1);
    let answer = match request {
        TokenRequest::AuthorizationCode { code, redirect_uri, code_verifier, resource } => {
            let used = Code { code: &code, redirect_uri: &redirect_uri, verifier: &code_verifier };
            by_code(&app, &client, used, resource, now).await?
        }
        TokenRequest::RefreshToken { refresh_token, scope, resource } => {
            by_refresh_token(&app, &client, &refresh_token, (scope, resource), now).await?
        }
        TokenRequest::ClientCredentials { resource } => by_itself(&app, &client, resource.as_deref(), now).await?,
    };
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(answer)).into_response())
}

/// A token for the application itself (RFC 6749 4.4); no refresh token, which would be one secret more.
async fn by_itself(app: &Inner, client: &Client, resource: Option<&str>, now: OffsetDateTime) -> Result<Value, Error> {
    if !client.is_confidential || !client.settings.client_credentials {
        let sentence = "This client may not use client_credentials. The people who run the gateway can allow it.";
        return Err(OAuthError::new(ErrorCode::UnauthorizedClient, sentence).into());
    }
    registered(&client.application, &client.settings, &client.id).check_resource(resource)?;
    let (key, until) = (signer(app, client, now)?, now + client.settings.token_lifetime());
    // No transaction, so no id that sorts by its time; this one never meets another.
    let jti = Secret::plain();
    let (issuer, id, resource) = (app.issuer().to_owned(), client.id.clone(), resource.map(str::to_owned));
    let access = signed(move || {
        let issue = Issue { key: &key, issuer: &issuer, client_id: &id, now, until };
        claims::client_token(issue, resource.as_deref(), jti.reveal())
    });
    let (access, expires_in) = (access.await?, (until - now).whole_seconds());
    Ok(json!({ "access_token": access, "token_type": "Bearer", "expires_in": expires_in }))
}

fn signer(app: &Inner, client: &Client, now: OffsetDateTime) -> Result<SigningKey, Error> {
    let algorithm: Algorithm = client.application.id_token_alg.parse().ok().context("a stored algorithm is known")?;
    Ok(app.keys.signer(algorithm, now).context("there is a key of every algorithm")?)
}

/// Signs on a thread where nobody else waits: an RSA signature takes half a millisecond.
///
/// # Errors
/// When AWS-LC cannot sign.
pub(crate) async fn signed<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, KeyError> + Send + 'static,
) -> Result<T, Error> {
    let done = tokio::task::spawn_blocking(work).await.context("a token is signed")?;
    Ok(done.context("a token is signed")?)
}

/// A code with what proves that it was this client's request.
struct Code<'a> {
    code: &'a str,
    redirect_uri: &'a str,
    verifier: &'a str,
}

async fn by_code(
    app: &Inner,
    client: &Client,
    Code { code, redirect_uri, verifier }: Code<'_>,
    resource: Option<String>,
    now: OffsetDateTime,
) -> Result<Value, Error> {
    let tenant = secret::claimed_tenant(Kind::Code, code).ok_or_else(invalid_code)?;
    let mut tx = app.tenant(tenant, Actor::Application(client.application.id), now).await?;
    let consumed = grants::consume_code(&mut tx, client.application.id, &secret::hash(code)).await?;
    let Some(grant) = first_use(&mut tx, client, consumed).await? else {
        tx.commit().await?;
        return Err(invalid_code().into());
    };
    let request: AuthorizeRequest = serde_json::from_value(grant.request.clone()).context("a kept request reads")?;
    let good = request.redirect_uri == redirect_uri
        && request.client_id == client.id
        && grant.code_expires_at > now
        && pkce::verify_s256(&request.code_challenge, verifier);
    let session = if good { sessions::live(&mut tx, grant.session).await? } else { None };
    let Some(session) = session else {
        // A code that was tried wrongly is used up.
        tx.commit().await?;
        return Err(invalid_code().into());
    };
    let resource = audience(client, &request, resource)?;
    let wanted = Wanted { grant: grant.id, request: &request, scope: request.scope, resource };
    let answer = tokens(app, &mut tx, client, &session, wanted).await?;
    tx.commit().await?;
    used(app, tenant, client, &session, now).await;
    Ok(answer)
}

/// Notes the use of a session, apart: whoever ends it locks the session first and its grants then. The tokens are made already, so
/// a failure here must not keep them from the client.
async fn used(app: &Inner, tenant: TenantId, client: &Client, session: &LiveSession, now: OffsetDateTime) {
    let noted = async {
        let mut tx = app.tenant(tenant, Actor::Application(client.application.id), now).await?;
        session::used(&mut tx, session, &client.settings).await?;
        Ok::<(), Error>(tx.commit().await?)
    };
    if let Err(error) = noted.await {
        warn!(error = chain(&error), "The use of a session could not be noted");
    }
}

/// Whom the access token is for: what the token request says, within what was granted (RFC 8707 2.2).
fn audience(client: &Client, request: &AuthorizeRequest, asked: Option<String>) -> Result<Option<String>, Error> {
    let Some(asked) = asked else { return Ok(request.resource.clone()) };
    registered(&client.application, &client.settings, &client.id).check_resource(Some(&asked))?;
    if request.resource.as_ref().is_some_and(|granted| *granted != asked) {
        let sentence = "The resource is not the one that was granted. Start the sign-in again for another one.";
        return Err(OAuthError::new(ErrorCode::InvalidTarget, sentence).into());
    }
    Ok(Some(asked))
}

async fn by_refresh_token(
    app: &Inner,
    client: &Client,
    token: &str,
    (scope, resource): (Option<Scopes>, Option<String>),
    now: OffsetDateTime,
) -> Result<Value, Error> {
    let tenant = secret::claimed_tenant(Kind::Refresh, token).ok_or_else(invalid_refresh_token)?;
    let mut tx = app.tenant(tenant, Actor::Application(client.application.id), now).await?;
    let consumed = grants::consume_refresh_token(&mut tx, client.application.id, &secret::hash(token)).await?;
    let Some(grant) = first_use(&mut tx, client, consumed).await? else {
        tx.commit().await?;
        return Err(invalid_refresh_token().into());
    };
    let request: AuthorizeRequest = serde_json::from_value(grant.request.clone()).context("a kept request reads")?;
    let scope = scope.unwrap_or(request.scope);
    if !scope.is_within(request.scope) {
        tx.rollback().await?;
        let sentence = "A refresh cannot ask for more than was granted. Leave the parameter scope out.";
        return Err(OAuthError::new(ErrorCode::InvalidScope, sentence).into());
    }
    let Some(session) = sessions::live(&mut tx, grant.session).await? else {
        tx.commit().await?;
        return Err(invalid_refresh_token().into());
    };
    // The token stays good for later.
    app.limits.admit_grant(session.user)?;
    let resource = audience(client, &request, resource)?;
    let wanted = Wanted { grant: grant.id, request: &request, scope, resource };
    let answer = tokens(app, &mut tx, client, &session, wanted).await?;
    tx.commit().await?;
    used(app, tenant, client, &session, now).await;
    Ok(answer)
}

/// The grant, if this is its secret's first use and it stands. A second use ends the grant: somebody else holds the
/// secret too (RFC 6749 10.5, RFC 9700 4.14.2).
async fn first_use(tx: &mut TenantTx, client: &Client, consumed: Option<Consumed>) -> Result<Option<Grant>, Error> {
    match consumed {
        Some(Consumed::Fresh(grant)) => Ok((!grant.revoked).then_some(grant)),
        Some(Consumed::Again(grant)) => {
            grants::revoke(tx, grant.id, client.application.id).await?;
            Ok(None)
        }
        None => Ok(None),
    }
}

/// What tokens are wanted for.
struct Wanted<'a> {
    grant: GrantId,
    request: &'a AuthorizeRequest,
    scope: Scopes,
    resource: Option<String>,
}

async fn tokens(
    app: &Inner,
    tx: &mut TenantTx,
    client: &Client,
    session: &LiveSession,
    Wanted { grant, request, scope, resource }: Wanted<'_>,
) -> Result<Value, Error> {
    let (key, now) = (signer(app, client, tx.now())?, tx.now());
    // No token outlives its session.
    let until = (now + client.settings.token_lifetime()).min(session.expires_at);
    let issue = Issue { key: &key, issuer: app.issuer(), client_id: &request.client_id, now, until };
    let told = Told::of(tx, session, scope, GROUPS_IN_TOKEN).await?;
    let (jti, grant_id) = (tx.new_id().to_string(), grant.to_string());
    let (resource, nonce) = (resource.as_deref(), request.nonce.as_deref());
    let granted = Granted { scope, resource, jti: &jti, grant_id: &grant_id, nonce };
    let unsigned = claims::tokens(issue, &told.subject(tx, session), &granted).context("claims serialize")?;
    let signed = signed(move || unsigned.sign()).await?;
    let mut answer = json!({
        "access_token": signed.access_token,
        "token_type": "Bearer",
        "expires_in": (until - now).whole_seconds(),
        "id_token": signed.id_token,
        "scope": scope.to_string(),
    });
    if request.scope.contains(Scope::OfflineAccess) {
        let refresh = Secret::of_tenant(Kind::Refresh, tx.tenant());
        grants::insert_refresh_token(tx, grant, &refresh.hash()).await?;
        answer["refresh_token"] = json!(refresh.reveal());
    }
    Ok(answer)
}

fn invalid_code() -> OAuthError {
    let sentence = "The code is unknown, used, older than a minute, or was issued for another client, redirect_uri or code_verifier. Start the sign-in again.";
    OAuthError::new(ErrorCode::InvalidGrant, sentence)
}

fn invalid_refresh_token() -> OAuthError {
    let sentence = "The refresh token is unknown or used, or its user's session has ended. Start the sign-in again.";
    OAuthError::new(ErrorCode::InvalidGrant, sentence)
}

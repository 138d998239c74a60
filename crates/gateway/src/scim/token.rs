//! The token endpoint of a connection: OAuth 2 client credentials become a SCIM token (RFC 6749 4.4).

use super::log::Trace;
use crate::{
    app::App,
    error::{Error, OAuthFailure},
    extract,
    secret::{self, Kind, Secret},
};
use ::oidc::{
    client,
    error::{ErrorCode, OAuthError},
    form::Form,
};
use axum::{
    Extension, Json,
    body::Bytes,
    extract::{RawPathParams, State, rejection::BytesRejection},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use domain::{
    event::{Event, EventKind, Subject},
    ids::TokenId,
};
use serde_json::{Value, json};
use store::{
    events,
    scim_tokens::{self, NewToken, TokenKind},
    scope::Actor,
};
use subtle::ConstantTimeEq;
use time::Duration;

/// How long an access token lives; it can be revoked with its client at any time.
const LIFETIME: Duration = Duration::hours(1);

/// What a token may be good for.
const READ: &str = "scim.read";
const WRITE: &str = "scim";

/// `POST /c/{cid}/oauth2/token`
pub async fn post(
    State(app): State<App>,
    parameters: RawPathParams,
    trace: Option<Extension<Trace>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, OAuthFailure> {
    let connection = extract::connection(&parameters).ok_or(Error::Unauthorized)?;
    let body = body.map_err(|rejection| unreadable(&rejection))?;
    let text = std::str::from_utf8(&body).unwrap_or_default();
    let form = Form::parse(text)?;
    check_grant_type(form.get("grant_type")?)?;
    let authorization = headers.get(header::AUTHORIZATION).map(|value| value.to_str().unwrap_or_default());
    let presented = client::credentials(authorization, form.get("client_id")?, form.get("client_secret")?)?;
    let id: TokenId = presented.id.parse().map_err(|_| Error::Unauthorized)?;
    let now = app.clock.now();
    let tenant = app.tenant_of(connection, now).await.map_err(|error| match error {
        Error::NotFound => Error::Unauthorized,
        error => error,
    })?;
    let mut tx = app.tenant(tenant, Actor::Unproven, now).await?;
    let client = scim_tokens::client(&mut tx, connection, id).await?.ok_or(Error::Unauthorized)?;
    let secret = presented.secret.ok_or(Error::Unauthorized)?;
    if !bool::from(secret::hash(&secret).ct_eq(&client.hash)) {
        return Err(Error::Unauthorized.into());
    }
    if let Some(Extension(trace)) = trace {
        // The form has the secret in it: it is not for the log.
        trace.proven(id, &Bytes::new());
    }
    app.limits.admit_scim(tenant)?;
    let read_only = reads_only(form.get("scope")?, client.read_only)?;
    tx.act_as(Actor::Scim(id));
    let token = Secret::new(Kind::Scim);
    // A token never outlives its client.
    let lifetime = client.expires_at.map_or(LIFETIME, |end| LIFETIME.min(end - now));
    let new = NewToken {
        kind: TokenKind::Access,
        hash: &token.hash(),
        parent: Some(id),
        read_only,
        expires_at: Some(now + lifetime),
    };
    let issued = scim_tokens::insert(&mut tx, connection, &new).await?;
    let event = Event::with(EventKind::TokenCreated, Subject::Token(issued), json!({ "client": id }));
    events::append(&mut tx, Some(connection), &[event]).await?;
    tx.commit().await?;
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(answer(&token, read_only, lifetime))).into_response())
}

/// Every other method than POST.
pub fn wrong_method() -> Response {
    let sentence = "Tokens are asked for by POST. Check the token URL and its method in the identity provider.";
    let failure = OAuthFailure::unread(StatusCode::METHOD_NOT_ALLOWED, sentence);
    ([(header::ALLOW, "POST")], failure).into_response()
}

fn unreadable(rejection: &BytesRejection) -> OAuthFailure {
    match rejection.status() {
        status @ StatusCode::PAYLOAD_TOO_LARGE => {
            OAuthFailure::unread(status, "The request is too large. Send grant_type, scope and credentials only.")
        }
        _ => OAuthError::new(ErrorCode::InvalidRequest, "The request broke off. Send it again.").into(),
    }
}

fn check_grant_type(grant_type: Option<&str>) -> Result<(), OAuthError> {
    match grant_type {
        Some("client_credentials") => Ok(()),
        None => Err(OAuthError::new(
            ErrorCode::InvalidRequest,
            "grant_type is missing. Send grant_type=client_credentials.",
        )),
        Some(_) => {
            let sentence =
                "This endpoint knows the grant type client_credentials only. Choose it in the identity provider.";
            Err(OAuthError::new(ErrorCode::UnsupportedGrantType, sentence))
        }
    }
}

/// Whether the token may only read: the client said so, or is bound to it.
fn reads_only(scope: Option<&str>, client_reads_only: bool) -> Result<bool, OAuthError> {
    let wanted: Vec<&str> = scope.unwrap_or_default().split_ascii_whitespace().collect();
    let writes = wanted.contains(&WRITE);
    if wanted.iter().any(|scope| ![READ, WRITE].contains(scope)) {
        let sentence =
            "The scopes of this endpoint are scim and scim.read. Remove the others in the identity provider.";
        return Err(OAuthError::new(ErrorCode::InvalidScope, sentence));
    }
    if writes && client_reads_only {
        let sentence = "This client may only read. Ask for scim.read, or use a client that may write.";
        return Err(OAuthError::new(ErrorCode::InvalidScope, sentence));
    }
    Ok(client_reads_only || (!wanted.is_empty() && !writes))
}

fn answer(token: &Secret, read_only: bool, lifetime: Duration) -> Value {
    json!({
        "access_token": token.reveal(),
        "token_type": "Bearer",
        "expires_in": lifetime.whole_seconds(),
        "scope": if read_only { READ } else { WRITE },
    })
}

//! Errors in OAuth's form (RFC 6749 5.2, RFC 6750 3).

use super::{Error, ScimOutcome, log};
use ::oidc::error::{ErrorCode, OAuthError};
use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

/// An error on its way to an OAuth client.
#[derive(Debug)]
pub struct OAuthFailure {
    error: Error,
    /// What a 401 asks for: `Basic` at the token endpoint, `Bearer` at userinfo.
    scheme: &'static str,
    /// Where HTTP has a better one than OAuth.
    status: Option<StatusCode>,
}

impl OAuthFailure {
    /// The failure of an endpoint that takes an access token.
    pub fn bearer(error: impl Into<Error>) -> Self {
        Self { error: error.into(), scheme: "Bearer", status: None }
    }

    /// A request that is refused before it is read.
    pub fn unread(status: StatusCode, sentence: &str) -> Self {
        let error = OAuthError::new(ErrorCode::InvalidRequest, sentence);
        Self { error: error.into(), scheme: "Basic", status: Some(status) }
    }
}

impl<E: Into<Error>> From<E> for OAuthFailure {
    fn from(error: E) -> Self {
        Self { error: error.into(), scheme: "Basic", status: None }
    }
}

impl IntoResponse for OAuthFailure {
    fn into_response(self) -> Response {
        log(&self.error);
        let wait = match &self.error {
            Error::TooManyRequests { seconds } => Some(*seconds),
            _ => None,
        };
        let error = match self.error {
            Error::OAuth(error) => error,
            Error::Unauthorized => OAuthError::new(
                ErrorCode::InvalidClient,
                "The client is unknown or its secret is wrong. Check client_id and client_secret.",
            ),
            Error::TooManyRequests { .. } => OAuthError::new(
                ErrorCode::TemporarilyUnavailable,
                "Too many requests at once. Try again in a few seconds.",
            ),
            Error::Unavailable(_) => {
                OAuthError::new(ErrorCode::TemporarilyUnavailable, "The gateway is not available right now. Try again.")
            }
            Error::Refusal(refusal) => OAuthError::new(ErrorCode::InvalidRequest, refusal.to_string()),
            _ => OAuthError::new(ErrorCode::ServerError, "Something went wrong on our side. Try again."),
        };
        let usual = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let too_many = wait.map(|_| StatusCode::TOO_MANY_REQUESTS);
        let status = self.status.or(too_many).unwrap_or(usual);
        let mut response = (status, Json(error.to_json())).into_response();
        let code = if wait.is_some() { "GH-SCIM-017" } else { code(error.code, status) };
        response.extensions_mut().insert(ScimOutcome { code, detail: error.description });
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = wait {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            let challenge = format!("{} realm=\"gatehouse\", error=\"{}\"", self.scheme, error.code.as_str());
            if let Ok(challenge) = HeaderValue::from_str(&challenge) {
                headers.insert(header::WWW_AUTHENTICATE, challenge);
            }
        }
        response
    }
}

/// What the log of exchanges says of a connection's token endpoint.
fn code(error: ErrorCode, status: StatusCode) -> &'static str {
    match (error, status) {
        (_, StatusCode::METHOD_NOT_ALLOWED) => "GH-SCIM-013",
        (_, StatusCode::PAYLOAD_TOO_LARGE) => "GH-SCIM-015",
        (ErrorCode::TemporarilyUnavailable, _) => "GH-SCIM-019",
        (ErrorCode::ServerError, _) => "GH-SCIM-020",
        (ErrorCode::InvalidClient, _) => "GH-SCIM-023",
        (ErrorCode::InvalidScope, _) => "GH-SCIM-024",
        _ => "GH-SCIM-025",
    }
}

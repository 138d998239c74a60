//! Errors in OAuth's form (RFC 6749 5.2, RFC 6750 3).

use super::{Error, log};
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
}

impl OAuthFailure {
    /// The failure of an endpoint that takes an access token.
    pub fn bearer(error: impl Into<Error>) -> Self {
        Self { error: error.into(), scheme: "Bearer" }
    }
}

impl<E: Into<Error>> From<E> for OAuthFailure {
    fn from(error: E) -> Self {
        Self { error: error.into(), scheme: "Basic" }
    }
}

impl IntoResponse for OAuthFailure {
    fn into_response(self) -> Response {
        log(&self.error);
        let error = match self.error {
            Error::OAuth(error) => error,
            Error::Unauthorized => OAuthError::new(
                ErrorCode::InvalidClient,
                "The client is unknown or its secret is wrong. Check client_id and client_secret.",
            ),
            Error::TooManyRequests { .. } => OAuthError::new(
                ErrorCode::TemporarilyUnavailable,
                "Too many requests of this organization at once. Try again in a few seconds.",
            ),
            Error::Unavailable(_) => {
                OAuthError::new(ErrorCode::TemporarilyUnavailable, "The gateway is not available right now. Try again.")
            }
            Error::Refusal(refusal) => OAuthError::new(ErrorCode::InvalidRequest, refusal.to_string()),
            _ => OAuthError::new(ErrorCode::ServerError, "Something went wrong on our side. Try again."),
        };
        let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(error.to_json())).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            let challenge = format!("{} realm=\"gatehouse\", error=\"{}\"", self.scheme, error.code.as_str());
            if let Ok(challenge) = HeaderValue::from_str(&challenge) {
                headers.insert(header::WWW_AUTHENTICATE, challenge);
            }
        }
        response
    }
}

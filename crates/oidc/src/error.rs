//! What an OAuth endpoint answers when it says no.

use serde_json::{Value, json};

/// The error codes that this provider uses (RFC 6749 4.1.2.1 and 5.2, RFC 6750 3.1, OpenID Connect Core 3.1.2.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorCode {
    /// The request lacks something, repeats something or is malformed.
    InvalidRequest,
    /// The client is unknown or did not authenticate.
    InvalidClient,
    /// The code or refresh token is wrong, used, expired or another client's.
    InvalidGrant,
    /// This client may not do this.
    UnauthorizedClient,
    /// The grant type is not one of ours.
    UnsupportedGrantType,
    /// The response type is not `code`.
    UnsupportedResponseType,
    /// The scope is malformed, or lacks `openid`.
    InvalidScope,
    /// The resource is not one of the client's (RFC 8707 2).
    InvalidTarget,
    /// There is nothing to revoke about a token of that kind (RFC 7009 2.2.1).
    UnsupportedTokenType,
    /// `prompt=none`, but the user has to sign in (OpenID Connect Core 3.1.2.6).
    LoginRequired,
    /// A `request` object was sent (OpenID Connect Core 3.1.2.6).
    RequestNotSupported,
    /// A `request_uri` was sent that is none of ours (OpenID Connect Core 3.1.2.6).
    RequestUriNotSupported,
    /// Something broke on our side.
    ServerError,
    /// Not now, but a retry may succeed.
    TemporarilyUnavailable,
    /// The access token is malformed, expired or revoked (RFC 6750 3.1).
    InvalidToken,
    /// The access token lacks a scope (RFC 6750 3.1).
    InsufficientScope,
}

impl ErrorCode {
    /// The value of `error` on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::InvalidClient => "invalid_client",
            Self::InvalidGrant => "invalid_grant",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::UnsupportedResponseType => "unsupported_response_type",
            Self::InvalidScope => "invalid_scope",
            Self::InvalidTarget => "invalid_target",
            Self::UnsupportedTokenType => "unsupported_token_type",
            Self::LoginRequired => "login_required",
            Self::RequestNotSupported => "request_not_supported",
            Self::RequestUriNotSupported => "request_uri_not_supported",
            Self::ServerError => "server_error",
            Self::TemporarilyUnavailable => "temporarily_unavailable",
            Self::InvalidToken => "invalid_token",
            Self::InsufficientScope => "insufficient_scope",
        }
    }
}

/// A refusal in the words of OAuth (RFC 6749 5.2).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {description}", code.as_str())]
pub struct OAuthError {
    /// The machine's half.
    pub code: ErrorCode,
    /// The developer's half: one sentence on what to change. It never repeats what was sent.
    pub description: String,
}

impl OAuthError {
    /// Joins a code and its sentence.
    pub fn new(code: ErrorCode, description: impl Into<String>) -> Self {
        Self { code, description: description.into() }
    }

    /// The body of the answer (RFC 6749 5.2).
    pub fn to_json(&self) -> Value {
        json!({ "error": self.code.as_str(), "error_description": self.description })
    }

    /// The HTTP status of the answer (RFC 6749 5.2, RFC 6750 3.1).
    pub fn status(&self) -> u16 {
        match self.code {
            ErrorCode::InvalidClient | ErrorCode::InvalidToken => 401,
            ErrorCode::InsufficientScope => 403,
            ErrorCode::ServerError => 500,
            ErrorCode::TemporarilyUnavailable => 503,
            _ => 400,
        }
    }
}

pub(crate) fn invalid_request(description: impl Into<String>) -> OAuthError {
    OAuthError::new(ErrorCode::InvalidRequest, description)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_code_has_its_status() {
        let cases = [
            (ErrorCode::InvalidClient, 401),
            (ErrorCode::InvalidToken, 401),
            (ErrorCode::InsufficientScope, 403),
            (ErrorCode::ServerError, 500),
            (ErrorCode::TemporarilyUnavailable, 503),
            (ErrorCode::InvalidGrant, 400),
            (ErrorCode::InvalidRequest, 400),
        ];
        for (code, status) in cases {
            assert_eq!(OAuthError::new(code, "x").status(), status, "{}", code.as_str());
        }
    }

    #[test]
    fn the_body_has_both_halves() {
        let body = invalid_request("send it once").to_json();
        assert_eq!(body, json!({ "error": "invalid_request", "error_description": "send it once" }));
    }
}

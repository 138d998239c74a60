//! What is asked of the token endpoint. Client authentication is read in `client`.

use crate::error::{ErrorCode, OAuthError, invalid_request};
use crate::form::Form;
use crate::scope::Scopes;

/// A request for tokens (RFC 6749 4.1.3 and 6, RFC 7636 4.5).
#[derive(Debug, PartialEq, Eq)]
pub enum TokenRequest {
    /// A code is exchanged.
    AuthorizationCode {
        /// The code as it stood in the redirect.
        code: String,
        /// Must be the same as in the authorization request.
        redirect_uri: String,
        /// Proves that the one who asks is the one who started.
        code_verifier: String,
        /// Whom the access token is for (RFC 8707 2.2).
        resource: Option<String>,
    },
    /// A refresh token is exchanged.
    RefreshToken {
        /// The token of the last answer.
        refresh_token: String,
        /// Fewer scopes than were granted, if the client wants fewer.
        scope: Option<Scopes>,
        /// Whom the access token is for (RFC 8707 2.2).
        resource: Option<String>,
    },
    /// The client acts for itself (RFC 6749 4.4.2).
    ClientCredentials {
        /// Whom the token is for (RFC 8707 2).
        resource: Option<String>,
    },
}

impl TokenRequest {
    /// The grant type, as metrics name it.
    pub fn grant(&self) -> &'static str {
        match self {
            Self::AuthorizationCode { .. } => "authorization_code",
            Self::RefreshToken { .. } => "refresh_token",
            Self::ClientCredentials { .. } => "client_credentials",
        }
    }

    /// Reads the form of `POST /oauth2/token`.
    pub fn parse(form: &Form<'_>) -> Result<Self, OAuthError> {
        match form.require("grant_type")? {
            "authorization_code" => Ok(Self::AuthorizationCode {
                code: form.require("code")?.to_owned(),
                redirect_uri: form.require("redirect_uri")?.to_owned(),
                code_verifier: form.require("code_verifier")?.to_owned(),
                resource: form.owned("resource")?,
            }),
            "refresh_token" => Ok(Self::RefreshToken {
                refresh_token: form.require("refresh_token")?.to_owned(),
                scope: form.get("scope")?.map(Scopes::parse),
                resource: form.owned("resource")?,
            }),
            "client_credentials" => match form.get("scope")?.map(Scopes::parse) {
                // Every scope here is about a user.
                Some(scope) if !scope.is_empty() => Err(OAuthError::new(
                    ErrorCode::InvalidScope,
                    "There is no user whose claims could be asked for. Leave the parameter scope out.",
                )),
                _ => Ok(Self::ClientCredentials { resource: form.owned("resource")? }),
            },
            _ => Err(OAuthError::new(
                ErrorCode::UnsupportedGrantType,
                "Use grant_type authorization_code, refresh_token or client_credentials.",
            )),
        }
    }
}

/// The token that `POST /oauth2/revoke` and `POST /oauth2/introspect` are about (RFC 7009 2.1, RFC 7662 2.1).
///
/// `token_type_hint` is not read: the two kinds of token cannot be mistaken for each other.
pub fn named_token<'a>(form: &'a Form<'_>) -> Result<&'a str, OAuthError> {
    // Its own error, because a missing token is the mistake that everybody makes first.
    form.token("token")?.ok_or_else(|| invalid_request("Send the token in the form parameter token."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(body: &str) -> Result<TokenRequest, OAuthError> {
        TokenRequest::parse(&Form::parse(body)?)
    }

    #[test]
    fn each_grant_is_read() {
        let code = parse("grant_type=authorization_code&code=c1&redirect_uri=https%3A%2F%2Fapp%2Fcb&code_verifier=v1");
        assert_eq!(
            code,
            Ok(TokenRequest::AuthorizationCode {
                code: "c1".into(),
                redirect_uri: "https://app/cb".into(),
                code_verifier: "v1".into(),
                resource: None,
            })
        );
        let refresh = parse("grant_type=refresh_token&refresh_token=r1&scope=openid+email");
        assert_eq!(
            refresh,
            Ok(TokenRequest::RefreshToken {
                refresh_token: "r1".into(),
                scope: Some(Scopes::parse("openid email")),
                resource: None
            })
        );
        let own = parse("grant_type=client_credentials&resource=https%3A%2F%2Fapi.test&scope=api.read");
        assert_eq!(own, Ok(TokenRequest::ClientCredentials { resource: Some("https://api.test".into()) }));
        let unscoped = parse("grant_type=refresh_token&refresh_token=r1&scope=&resource=x");
        let resource = Some("x".into());
        assert_eq!(unscoped, Ok(TokenRequest::RefreshToken { refresh_token: "r1".into(), scope: None, resource }));
    }

    #[test]
    fn everything_else_is_refused() {
        let cases = [
            ("", ErrorCode::InvalidRequest),
            ("grant_type=", ErrorCode::InvalidRequest),
            ("grant_type=password&username=a&password=b", ErrorCode::UnsupportedGrantType),
            ("grant_type=client_credentials&scope=openid", ErrorCode::InvalidScope),
            ("grant_type=client_credentials&resource=a&resource=b", ErrorCode::InvalidRequest),
            ("grant_type=authorization_code&redirect_uri=x&code_verifier=v", ErrorCode::InvalidRequest),
            ("grant_type=authorization_code&code=c&code_verifier=v", ErrorCode::InvalidRequest),
            ("grant_type=authorization_code&code=c&redirect_uri=x", ErrorCode::InvalidRequest),
            ("grant_type=authorization_code&code=c&code=d&redirect_uri=x&code_verifier=v", ErrorCode::InvalidRequest),
            ("grant_type=refresh_token", ErrorCode::InvalidRequest),
        ];
        for (body, code) in cases {
            assert_eq!(parse(body).expect_err(body).code, code, "{body}");
        }
    }
}

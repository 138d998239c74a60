//! The provider's description of itself; it lists only what is really served.

use serde_json::{Value, json};

use crate::keys::Algorithm;
use crate::scope::Scope;

/// The document of both well-known addresses (OpenID Connect Discovery 3, RFC 8414 2, RFC 9207 3).
pub fn document(issuer: &str, algorithms: &[Algorithm], locales: &[&str]) -> Value {
    let client_authentication = ["client_secret_basic", "client_secret_post", "private_key_jwt", "none"];
    // Introspection is for clients that can keep a secret.
    let confidential = ["client_secret_basic", "client_secret_post", "private_key_jwt"];
    let assertions = ["RS256", "PS256", "ES256"];
    json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/oauth2/authorize"),
        "token_endpoint": format!("{issuer}/oauth2/token"),
        "userinfo_endpoint": format!("{issuer}/oauth2/userInfo"),
        "jwks_uri": format!("{issuer}/oauth2/jwks"),
        "revocation_endpoint": format!("{issuer}/oauth2/revoke"),
        "introspection_endpoint": format!("{issuer}/oauth2/introspect"),
        "pushed_authorization_request_endpoint": format!("{issuer}/oauth2/par"),
        "end_session_endpoint": format!("{issuer}/oauth2/logout"),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query", "form_post"],
        "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials"],
        "code_challenge_methods_supported": ["S256"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": algorithms,
        "token_endpoint_auth_methods_supported": client_authentication,
        "revocation_endpoint_auth_methods_supported": client_authentication,
        "introspection_endpoint_auth_methods_supported": confidential,
        "token_endpoint_auth_signing_alg_values_supported": assertions,
        "revocation_endpoint_auth_signing_alg_values_supported": assertions,
        "introspection_endpoint_auth_signing_alg_values_supported": assertions,
        "scopes_supported": Scope::ALL.map(Scope::as_str),
        "claims_supported": [
            "iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "at_hash", "acr", "amr", "sid",
            "email", "email_verified", "name", "given_name", "family_name", "locale", "attrs", "groups", "groups_overage",
            "tenant_id", "connection_id", "idp", "roles", "session_expiry",
        ],
        "ui_locales_supported": locales,
        "prompt_values_supported": ["none", "login", "consent", "select_account"],
        "authorization_response_iss_parameter_supported": true,
        "backchannel_logout_supported": true,
        "backchannel_logout_session_supported": true,
        "require_pushed_authorization_requests": false,
        "request_parameter_supported": false,
        // Left out, it would mean true (OpenID Connect Discovery 3).
        "request_uri_parameter_supported": false,
        "claims_parameter_supported": false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_promises_nothing_that_is_not_there() {
        let document = document("https://id.example.test", &[Algorithm::Rs256, Algorithm::Es256], &["en", "de"]);
        assert_eq!(document["issuer"], "https://id.example.test");
        assert_eq!(document["userinfo_endpoint"], "https://id.example.test/oauth2/userInfo");
        assert_eq!(document["id_token_signing_alg_values_supported"], json!(["RS256", "ES256"]));
        assert_eq!(document["code_challenge_methods_supported"], json!(["S256"]));
        assert_eq!(document["authorization_response_iss_parameter_supported"], true);
        assert_eq!(document["ui_locales_supported"], json!(["en", "de"]));
        for absent in ["registration_endpoint", "check_session_iframe", "frontchannel_logout_supported"] {
            assert!(document.get(absent).is_none(), "{absent}");
        }
    }
}

//! What tokens say: the ID token for the app, the access token for our own endpoints, and userinfo.
//! Whether a session or grant still lives is not known here.

use aws_lc_rs::digest;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::Validation;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::error::{ErrorCode, OAuthError};
use crate::keys::{KeyError, SigningKey, TokenType};
use crate::scope::{Scope, Scopes};

// Ours are about 1.2 KB; nothing longer is worth a signature check.
const MAX_TOKEN: usize = 8192;

/// Who signed in, and how: the source of every claim about a person.
#[derive(Clone, Debug)]
pub struct Subject<'a> {
    /// `sub`: the user's id, never the e-mail (OpenID Connect Core 2 and 5.7).
    pub user_id: Uuid,
    /// `email`.
    pub email: Option<&'a str>,
    /// `email_verified`: whether the address belongs to a domain that the tenant has proved.
    pub email_verified: bool,
    /// `name`.
    pub name: Option<&'a str>,
    /// `tenant_id`.
    pub tenant_id: Uuid,
    /// `connection_id`: by which connection; none if not by an identity provider.
    pub connection_id: Option<Uuid>,
    /// `roles` in the application that asks.
    pub roles: &'a [String],
    /// `sid`: the session at the gateway.
    pub session_id: Uuid,
    /// `auth_time`: when the identity provider authenticated the user.
    pub auth_time: OffsetDateTime,
}

#[derive(Serialize)]
struct IdClaims<'a> {
    iss: &'a str,
    sub: Uuid,
    aud: &'a str,
    exp: i64,
    iat: i64,
    auth_time: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    nonce: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    at_hash: Option<String>,
    sid: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email_verified: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    tenant_id: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    connection_id: Option<Uuid>,
    roles: &'a [String],
}

/// Writes and signs an ID token (OpenID Connect Core 2 and 3.1.3.6).
#[expect(clippy::too_many_arguments, reason = "each is a claim of its own; a struct would only name them twice")]
pub fn id_token(
    key: &SigningKey,
    issuer: &str,
    client_id: &str,
    subject: &Subject<'_>,
    nonce: Option<&str>,
    access_token_for_at_hash: Option<&str>,
    now: OffsetDateTime,
    lifetime: Duration,
) -> Result<String, KeyError> {
    let claims = IdClaims {
        iss: issuer,
        sub: subject.user_id,
        aud: client_id,
        exp: (now + lifetime).unix_timestamp(),
        iat: now.unix_timestamp(),
        auth_time: subject.auth_time.unix_timestamp(),
        nonce,
        at_hash: access_token_for_at_hash.map(at_hash),
        sid: subject.session_id,
        email: subject.email,
        email_verified: subject.email.map(|_| subject.email_verified),
        name: subject.name,
        tenant_id: subject.tenant_id,
        connection_id: subject.connection_id,
        roles: subject.roles,
    };
    key.sign(TokenType::Id, &claims)
}

// OpenID Connect Core 3.1.3.6: the left half of the hash that the signature uses, SHA-256 for both algorithms.
fn at_hash(access_token: &str) -> String {
    let hash = digest::digest(&digest::SHA256, access_token.as_bytes());
    URL_SAFE_NO_PAD.encode(&hash.as_ref()[..16])
}

/// What an access token says (RFC 9068 2.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessClaims {
    /// The issuer.
    pub iss: String,
    /// The issuer again: see [`access_token`].
    pub aud: String,
    /// The user.
    pub sub: Uuid,
    /// The client that holds it.
    pub client_id: String,
    /// What it may do.
    pub scope: Scopes,
    /// The session at the gateway.
    pub sid: Uuid,
    /// The user's tenant.
    pub tenant_id: Uuid,
    /// The grant, which ends when the user is deactivated or signs out.
    pub grant_id: String,
    /// The user's roles in the application.
    pub roles: Vec<String>,
    /// This token's own name.
    pub jti: String,
    /// Issued at, in seconds.
    pub iat: i64,
    /// Ends at, in seconds.
    pub exp: i64,
    /// When the user was authenticated, in seconds.
    pub auth_time: i64,
}

/// Writes and signs an access token (RFC 9068).
///
/// The audience is the issuer: without a `resource` the default one is meant (RFC 9068 3), and that is our own
/// userinfo endpoint. It is not the client's id, because most clients check an ID token by `aud` and not by `typ`,
/// and would take an access token for one. An app's own API that accepts it compares `client_id`.
#[expect(clippy::too_many_arguments, reason = "each is a claim of its own; a struct would only name them twice")]
pub fn access_token(
    key: &SigningKey,
    issuer: &str,
    client_id: &str,
    subject: &Subject<'_>,
    scope: &Scopes,
    jti: &str,
    grant_id: &str,
    now: OffsetDateTime,
    lifetime: Duration,
) -> Result<String, KeyError> {
    let claims = AccessClaims {
        iss: issuer.to_owned(),
        aud: issuer.to_owned(),
        sub: subject.user_id,
        client_id: client_id.to_owned(),
        scope: *scope,
        sid: subject.session_id,
        tenant_id: subject.tenant_id,
        grant_id: grant_id.to_owned(),
        roles: subject.roles.to_vec(),
        jti: jti.to_owned(),
        iat: now.unix_timestamp(),
        exp: (now + lifetime).unix_timestamp(),
        auth_time: subject.auth_time.unix_timestamp(),
    };
    key.sign(TokenType::Access, &claims)
}

/// Verifies an access token of ours and reads it (RFC 9068 4, RFC 8725 3.1 and 3.11).
///
/// The algorithm is the key's, whatever the header says; any other kind of token is refused by `typ`.
pub fn read_access_token(
    token: &str,
    keys: &[SigningKey],
    issuer: &str,
    now: OffsetDateTime,
) -> Result<AccessClaims, OAuthError> {
    if token.len() > MAX_TOKEN {
        return Err(invalid_token("This is not an access token of this issuer."));
    }
    let foreign = |_| invalid_token("This is not an access token of this issuer.");
    let header = jsonwebtoken::decode_header(token).map_err(foreign)?;
    if header.typ.as_deref() != Some(TokenType::Access.as_str()) {
        return Err(invalid_token("This token is not an access token."));
    }
    let key = keys
        .iter()
        .find(|key| header.kid.as_deref() == Some(key.kid()))
        .ok_or_else(|| invalid_token("The access token is signed by a key that is not in use."))?;
    let mut validation = Validation::new(key.algorithm().for_verification());
    validation.set_required_spec_claims(&["iss", "aud", "sub"]);
    validation.set_issuer(&[issuer]);
    validation.set_audience(&[issuer]);
    // Checked below against the caller's time; jsonwebtoken would ask the system's clock.
    validation.validate_exp = false;
    let claims = jsonwebtoken::decode::<AccessClaims>(token, key.verifier(), &validation).map_err(foreign)?.claims;
    if claims.exp <= now.unix_timestamp() {
        return Err(invalid_token("The access token has expired."));
    }
    Ok(claims)
}

fn invalid_token(description: &str) -> OAuthError {
    OAuthError::new(ErrorCode::InvalidToken, description)
}

/// The answer of the userinfo endpoint (OpenID Connect Core 5.3.2 and 5.4).
pub fn userinfo(subject: &Subject<'_>, scope: &Scopes) -> Value {
    let mut claims = Map::new();
    claims.insert("sub".to_owned(), json!(subject.user_id));
    claims.insert("tenant_id".to_owned(), json!(subject.tenant_id));
    if let Some(email) = subject.email.filter(|_| scope.contains(Scope::Email)) {
        claims.insert("email".to_owned(), json!(email));
        claims.insert("email_verified".to_owned(), json!(subject.email_verified));
    }
    if let Some(name) = subject.name.filter(|_| scope.contains(Scope::Profile)) {
        claims.insert("name".to_owned(), json!(name));
    }
    if scope.contains(Scope::Roles) {
        claims.insert("roles".to_owned(), json!(subject.roles));
    }
    Value::Object(claims)
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::hmac;
    use time::macros::datetime;

    use super::*;
    use crate::keys::Algorithm;

    const ISSUER: &str = "https://id.example.test";
    const NOW: OffsetDateTime = datetime!(2026-11-22 12:00 UTC);
    const LIFETIME: Duration = Duration::minutes(5);
    const USER: Uuid = Uuid::from_u128(0x0192_0000_0000_7000_8000_0000_0000_0001);
    const TENANT: Uuid = Uuid::from_u128(2);

    fn key(kid: &str, algorithm: Algorithm) -> SigningKey {
        let der = SigningKey::generate(algorithm).expect("AWS-LC makes keys");
        SigningKey::from_pkcs8(kid, algorithm, &der).expect("its own key")
    }

    fn subject(roles: &[String]) -> Subject<'_> {
        Subject {
            user_id: USER,
            email: Some("ann@acme.test"),
            email_verified: true,
            name: Some("Ann Example"),
            tenant_id: TENANT,
            connection_id: Some(Uuid::from_u128(3)),
            roles,
            session_id: Uuid::from_u128(4),
            auth_time: NOW - Duration::minutes(1),
        }
    }

    fn access(key: &SigningKey, issuer: &str) -> String {
        let roles = ["ANALYST".to_owned()];
        let scope = Scopes::parse("openid email");
        access_token(key, issuer, "app", &subject(&roles), &scope, "j1", "g1", NOW, LIFETIME).expect("signs")
    }

    fn id(key: &SigningKey) -> String {
        let roles = ["ANALYST".to_owned()];
        id_token(key, ISSUER, "app", &subject(&roles), Some("n1"), Some("at"), NOW, LIFETIME).expect("signs")
    }

    fn payload(token: &str) -> Value {
        let part = token.split('.').nth(1).expect("three parts");
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).expect("base64url")).expect("JSON")
    }

    fn encode(part: &Value) -> String {
        URL_SAFE_NO_PAD.encode(part.to_string())
    }

    #[test]
    fn an_access_token_comes_back_as_it_was_written() {
        for algorithm in [Algorithm::Rs256, Algorithm::Es256] {
            let key = key("k1", algorithm);
            let claims =
                read_access_token(&access(&key, ISSUER), std::slice::from_ref(&key), ISSUER, NOW).expect("its own");
            assert_eq!((claims.sub, claims.tenant_id), (USER, TENANT));
            assert_eq!((claims.client_id.as_str(), claims.grant_id.as_str(), claims.jti.as_str()), ("app", "g1", "j1"));
            assert_eq!(claims.scope, Scopes::parse("openid email"));
            assert_eq!(claims.exp - claims.iat, 300);
            assert_eq!(claims.roles, ["ANALYST"]);
        }
    }

    #[test]
    fn only_a_living_access_token_of_ours_is_read() {
        let ours = key("k1", Algorithm::Rs256);
        let stranger = key("k1", Algorithm::Rs256);
        let unknown = key("k2", Algorithm::Rs256);
        let good = access(&ours, ISSUER);
        let (signed, signature) = good.rsplit_once('.').expect("three parts");
        let (header, body) = signed.split_once('.').expect("two parts");
        let claims = payload(&good);
        let mut richer = claims.clone();
        richer["roles"] = json!(["ADMINISTRATOR"]);

        let reheaded = |alg: &str, typ: &str| encode(&json!({ "typ": typ, "alg": alg, "kid": "k1" }));

        let cases = [
            ("an ID token", id(&ours)),
            ("a stranger's key under our name", access(&stranger, ISSUER)),
            ("a key that is not in use", access(&unknown, ISSUER)),
            ("another issuer", access(&ours, "https://evil.test")),
            ("changed claims", format!("{header}.{}.{signature}", encode(&richer))),
            ("no signature", format!("{signed}.")),
            ("two parts", signed.to_owned()),
            ("four parts", format!("{good}.x")),
            ("alg none", format!("{}.{body}.", reheaded("none", "at+jwt"))),
            ("alg of the other family", format!("{}.{body}.{signature}", reheaded("ES256", "at+jwt"))),
            ("changed typ", format!("{}.{body}.{signature}", reheaded("RS256", "JWT"))),
            ("empty", String::new()),
            ("noise", "a.b.c".to_owned()),
            ("long", "a".repeat(MAX_TOKEN + 1)),
        ];
        for (what, token) in cases {
            let refused = read_access_token(&token, std::slice::from_ref(&ours), ISSUER, NOW).expect_err(what);
            assert_eq!(refused.code, ErrorCode::InvalidToken, "{what}");
        }
        assert!(read_access_token(&good, &[ours], ISSUER, NOW).is_ok(), "the control");
    }

    #[test]
    fn the_public_key_is_no_shared_secret() {
        let ours = key("k1", Algorithm::Rs256);
        let jwk = ours.jwk();
        let modulus = URL_SAFE_NO_PAD.decode(jwk["n"].as_str().expect("a string")).expect("base64url");
        for secret in [modulus, jwk.to_string().into_bytes(), jwk["n"].to_string().into_bytes()] {
            let header = encode(&json!({ "typ": "at+jwt", "alg": "HS256", "kid": "k1" }));
            let signed = format!("{header}.{}", encode(&payload(&access(&ours, ISSUER))));
            let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &secret), signed.as_bytes());
            let forged = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag));
            assert!(read_access_token(&forged, std::slice::from_ref(&ours), ISSUER, NOW).is_err());
        }
    }

    #[test]
    fn an_access_token_ends_at_its_second() {
        let key = key("k1", Algorithm::Es256);
        let token = access(&key, ISSUER);
        let read = |now| read_access_token(&token, std::slice::from_ref(&key), ISSUER, now);
        assert!(read(NOW + LIFETIME - Duration::SECOND).is_ok());
        assert!(read(NOW + LIFETIME).is_err());
    }

    #[test]
    fn the_second_key_is_found_by_its_name() {
        let (old, new) = (key("old", Algorithm::Rs256), key("new", Algorithm::Es256));
        let keys = [new.clone(), old.clone()];
        for signer in [&old, &new] {
            assert!(read_access_token(&access(signer, ISSUER), &keys, ISSUER, NOW).is_ok());
        }
    }

    #[test]
    fn an_id_token_says_who_signed_in() {
        let claims = payload(&id(&key("k1", Algorithm::Es256)));
        let expected = json!({
            "iss": ISSUER, "sub": USER, "aud": "app", "iat": NOW.unix_timestamp(),
            "exp": NOW.unix_timestamp() + 300, "auth_time": NOW.unix_timestamp() - 60,
            "nonce": "n1", "at_hash": at_hash("at"), "sid": Uuid::from_u128(4),
            "email": "ann@acme.test", "email_verified": true, "name": "Ann Example",
            "tenant_id": TENANT, "connection_id": Uuid::from_u128(3), "roles": ["ANALYST"],
        });
        assert_eq!(claims, expected);
    }

    #[test]
    fn the_hash_of_the_access_token_is_that_of_the_standard() {
        // The example of OpenID Connect Core A.3.
        assert_eq!(at_hash("jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y"), "77QmUPtjPfzWtF2AnpK9RQ");
    }

    #[test]
    fn userinfo_follows_the_scope() {
        let roles = ["ANALYST".to_owned()];
        let all = subject(&roles);
        let cases = [
            ("openid", "sub tenant_id"),
            ("openid email", "email email_verified sub tenant_id"),
            ("openid profile", "name sub tenant_id"),
            ("openid roles", "roles sub tenant_id"),
            ("openid profile email roles", "email email_verified name roles sub tenant_id"),
        ];
        for (scope, expected) in cases {
            let answer = userinfo(&all, &Scopes::parse(scope));
            let mut names: Vec<&str> = answer.as_object().expect("an object").keys().map(String::as_str).collect();
            names.sort_unstable();
            assert_eq!(names.join(" "), expected, "{scope}");
            assert_eq!(answer["sub"], json!(USER));
        }
        let nameless = Subject { email: None, name: None, ..all };
        let answer = userinfo(&nameless, &Scopes::parse("openid profile email"));
        assert!(answer.get("email").is_none() && answer.get("email_verified").is_none());
    }
}

//! Signing out: an app asks for it (OpenID Connect RP-Initiated Logout 1.0), and apps are told of it
//! (OpenID Connect Back-Channel Logout 1.0). Which session ends, and who is told, is not known here.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};
use url::{Host, Url, form_urlencoded};
use uuid::Uuid;

use crate::error::{OAuthError, invalid_request};
use crate::form::Form;
use crate::jwk::{MAX_TOKEN, Parts};
use crate::keys::{KeyError, SigningKey, TokenType};

const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
const LOGOUT_TOKEN_LIFETIME: Duration = Duration::minutes(2);

/// What an app asks of the end session endpoint (RP-Initiated Logout 2); `Debug` does not print the token.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct LogoutRequest {
    /// An ID token of ours, which says whose session ends: see [`read_hint`].
    pub id_token_hint: Option<String>,
    /// The app that asks.
    pub client_id: Option<String>,
    /// Where the browser goes afterwards; the caller compares it with what the app registered.
    pub post_logout_redirect_uri: Option<String>,
    /// Goes back to the app untouched.
    pub state: Option<String>,
    /// Cognito's other form: the authorize request with which it goes on, as a query.
    pub sign_in: Option<String>,
}

impl LogoutRequest {
    /// The parameters that are read, but for those of an authorize request.
    pub const NAMES: [&str; 6] =
        ["id_token_hint", "client_id", "post_logout_redirect_uri", "logout_uri", "state", "sign_in"];

    /// Reads the query string or the form; Cognito's `logout_uri` is another name for `post_logout_redirect_uri`.
    pub fn parse(encoded: &str) -> Result<Self, OAuthError> {
        let form = Form::parse(encoded)?;
        let standard = form.owned("post_logout_redirect_uri")?;
        let cognito = form.owned("logout_uri")?;
        if standard.is_some() && cognito.is_some() && standard != cognito {
            return Err(invalid_request("The parameters post_logout_redirect_uri and logout_uri differ; send one."));
        }
        Ok(Self {
            id_token_hint: id_token_hint(encoded)?,
            client_id: form.owned("client_id")?,
            post_logout_redirect_uri: standard.or(cognito),
            state: form.owned("state")?,
            sign_in: sign_in(encoded, &form)?,
        })
    }
}

impl fmt::Debug for LogoutRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id_token_hint, client_id, post_logout_redirect_uri, state, sign_in } = self;
        f.debug_struct("LogoutRequest")
            .field("id_token_hint", &id_token_hint.as_ref().map(|_| "[secret]"))
            .field("client_id", client_id)
            .field("post_logout_redirect_uri", post_logout_redirect_uri)
            .field("state", state)
            .field("sign_in", sign_in)
            .finish()
    }
}

fn sign_in(encoded: &str, form: &Form<'_>) -> Result<Option<String>, OAuthError> {
    if form.get("response_type")?.is_none() || form.get("redirect_uri")?.is_none() {
        return form.owned("sign_in");
    }
    let kept = form_urlencoded::parse(encoded.as_bytes()).filter(|(name, _)| name != "id_token_hint");
    Ok(Some(form_urlencoded::Serializer::new(String::new()).extend_pairs(kept).finish()))
}

// As `Form::get` reads it, but a token may be longer than other values.
fn id_token_hint(encoded: &str) -> Result<Option<String>, OAuthError> {
    let mut hints = form_urlencoded::parse(encoded.as_bytes()).filter(|(name, _)| name == "id_token_hint");
    let Some((_, hint)) = hints.next() else { return Ok(None) };
    if hints.next().is_some() {
        return Err(invalid_request("The parameter id_token_hint is sent more than once."));
    }
    // Longer than any of ours: as good as none, so that whoever means to sign out is asked.
    if hint.len() > MAX_TOKEN {
        return Ok(None);
    }
    if hint.chars().any(char::is_control) {
        return Err(invalid_request("The parameter id_token_hint contains a control character."));
    }
    Ok(Some(hint.into_owned()).filter(|hint| !hint.is_empty()))
}

/// Whom an ID token of ours is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hint {
    /// The app that it was written for.
    pub client_id: String,
    /// The user.
    pub user_id: Uuid,
    /// The session at the gateway.
    pub session_id: Uuid,
    /// The user's tenant.
    pub tenant_id: Uuid,
}

#[derive(Deserialize)]
struct HintClaims {
    iss: String,
    aud: String,
    sub: Uuid,
    sid: Uuid,
    tenant_id: Uuid,
}

/// For which app an ID token says that it was written; nothing of it is proved. Its key may be gone: the token may be older than that.
pub fn claimed_client(token: &str) -> Option<String> {
    let parts = Parts::read(token).ok()?;
    parts.claims::<HintClaims>().ok().map(|claims| claims.aud)
}

/// Reads an ID token that one of our keys signed; an expired one too (RP-Initiated Logout 2). None for anything else.
pub fn read_hint(token: &str, keys: &[SigningKey], issuer: &str) -> Option<Hint> {
    let parts = Parts::read(token).ok()?;
    // `alg` is our key's: it is compared, never obeyed (RFC 8725 3.1).
    let key = keys.iter().find(|key| parts.header.kid.as_deref() == Some(key.kid()))?;
    let is_id_token = parts.header.typ.as_deref() == Some(TokenType::Id.as_str());
    if !is_id_token || parts.header.alg != key.algorithm().as_str() {
        return None;
    }
    if !parts.is_signed_by(key.verifier(), key.algorithm().for_verification()) {
        return None;
    }
    let HintClaims { iss, aud, sub, sid, tenant_id } = parts.claims().ok()?;
    (iss == issuer).then_some(Hint { client_id: aud, user_id: sub, session_id: sid, tenant_id })
}

/// Where the browser goes after it was signed out (RP-Initiated Logout 3).
///
/// Appended as text: the registered address is sent back byte for byte, its own query kept.
pub fn return_url(uri: &str, state: Option<&str>) -> String {
    let mut url = uri.to_owned();
    let Some(state) = state else { return url };
    let query_start = match url.find('?') {
        Some(mark) => mark + 1,
        None => {
            url.push('?');
            url.len()
        }
    };
    form_urlencoded::Serializer::for_suffix(url, query_start).append_pair("state", state).finish()
}

#[derive(Serialize)]
struct LogoutClaims<'a> {
    iss: &'a str,
    aud: &'a str,
    sub: Uuid,
    sid: Uuid,
    iat: i64,
    exp: i64,
    jti: &'a str,
    events: Value,
}

/// Writes and signs the token that tells an app that a session ended (Back-Channel Logout 2.4).
///
/// It has no nonce, so that nobody takes it for an ID token.
pub fn logout_token(
    key: &SigningKey,
    issuer: &str,
    client_id: &str,
    user_id: Uuid,
    session_id: Uuid,
    jti: &str,
    now: OffsetDateTime,
) -> Result<String, KeyError> {
    let claims = LogoutClaims {
        iss: issuer,
        aud: client_id,
        sub: user_id,
        sid: session_id,
        iat: now.unix_timestamp(),
        exp: (now + LOGOUT_TOKEN_LIFETIME).unix_timestamp(),
        jti,
        events: json!({ EVENT: {} }),
    };
    key.sign(TokenType::Logout, &claims)
}

/// Whether logout tokens may be sent to this address: absolute, https, no fragment, wildcard or user name.
///
/// Plain http is for loopback hosts, and for clients with a secret (Back-Channel Logout 2.2). Whether the address
/// leads into somebody's own network is for the caller to find out.
pub fn check_backchannel_uri(uri: &str, confidential: bool) -> Result<(), String> {
    check_uri(uri, confidential).map_err(|reason| format!("The back-channel logout URI {uri} {reason}."))
}

fn check_uri(uri: &str, confidential: bool) -> Result<(), &'static str> {
    // What a URI parser would quietly repair is refused, as for redirect URIs.
    if !uri.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\') {
        return Err("contains a space, a backslash or a character that has to be percent-encoded");
    }
    if uri.contains('#') {
        return Err("has a fragment");
    }
    if uri.contains('*') {
        return Err("has a wildcard; give the one address");
    }
    let parsed = Url::parse(uri).map_err(|_| "is not an absolute URI")?;
    if !parsed.username().is_empty() || parsed.password().is_some() {
        return Err("has a user name");
    }
    let is_loopback = match parsed.host() {
        None => return Err("has no host"),
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
    };
    match parsed.scheme() {
        "https" => Ok(()),
        "http" if is_loopback || confidential => Ok(()),
        _ => Err("must use https; http is for localhost and for clients with a secret only"),
    }
}

#[cfg(test)]
mod tests {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    use time::macros::datetime;

    use super::*;
    use crate::jwk::tests::{Signer, unsigned};
    use crate::keys::Algorithm;

    const ISSUER: &str = "https://id.example.test";
    const NOW: OffsetDateTime = datetime!(2026-11-22 12:00 UTC);
    const USER: Uuid = Uuid::from_u128(1);
    const SESSION: Uuid = Uuid::from_u128(2);
    const TENANT: Uuid = Uuid::from_u128(3);

    fn key(kid: &str, algorithm: Algorithm) -> SigningKey {
        let der = SigningKey::generate(algorithm).expect("AWS-LC makes keys");
        SigningKey::from_pkcs8(kid, algorithm, &der).expect("its own key")
    }

    fn id_claims() -> Value {
        json!({ "iss": ISSUER, "aud": "app", "sub": USER, "sid": SESSION, "tenant_id": TENANT, "exp": 1 })
    }

    fn payload(token: &str) -> Value {
        let part = token.split('.').nth(1).expect("three parts");
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).expect("base64url")).expect("JSON")
    }

    #[test]
    fn a_request_is_read() {
        let all = "id_token_hint=a.b.c&client_id=app&post_logout_redirect_uri=https%3A%2F%2Fapp.test%2F&state=s+1\
                   &ui_locales=de+en&logout_hint=ann&unknown=1&unknown=2";
        let read = LogoutRequest::parse(all).expect("well formed");
        let expected = LogoutRequest {
            id_token_hint: Some("a.b.c".into()),
            client_id: Some("app".into()),
            post_logout_redirect_uri: Some("https://app.test/".into()),
            state: Some("s 1".into()),
            sign_in: None,
        };
        assert_eq!(read, expected);
        assert!(!format!("{read:?}").contains("a.b.c"), "{read:?}");
        for empty in ["", "id_token_hint=&state=&logout_uri=&client_id="] {
            assert_eq!(LogoutRequest::parse(empty), Ok(LogoutRequest::default()));
        }
    }

    #[test]
    fn parameters_are_bounded_and_sent_once() {
        let hint = |length: usize| format!("id_token_hint={}", "x".repeat(length));
        let cases = [
            ("logout_uri=https%3A%2F%2Fa", Ok(Some("https://a"))),
            ("logout_uri=https%3A%2F%2Fa&post_logout_redirect_uri=https://a", Ok(Some("https://a"))),
            ("logout_uri=&post_logout_redirect_uri=https://a", Ok(Some("https://a"))),
            ("logout_uri=https://a&post_logout_redirect_uri=https://b", Err("differ")),
            ("logout_uri=https://a&logout_uri=https://a", Err("logout_uri is sent more than once")),
            ("post_logout_redirect_uri=a&post_logout_redirect_uri=a", Err("more than once")),
            ("client_id=a&client_id=b", Err("client_id is sent more than once")),
            ("state=a&state=a", Err("state is sent more than once")),
            ("state=%0d%0a", Err("state contains a control character")),
            ("id_token_hint=a&id_token_hint=a", Err("id_token_hint is sent more than once")),
            ("id_token_hint=&id_token%5Fhint=a", Err("id_token_hint is sent more than once")),
            ("id_token_hint=a%00b", Err("id_token_hint contains a control character")),
            (&hint(MAX_TOKEN), Ok(None)),
            (&hint(MAX_TOKEN + 1), Ok(None)),
            (&"a=1&".repeat(65), Err("too many parameters")),
        ];
        for (encoded, expected) in cases {
            match (LogoutRequest::parse(encoded), expected) {
                (Ok(read), Ok(uri)) => assert_eq!(read.post_logout_redirect_uri.as_deref(), uri, "{encoded:.60}"),
                (Err(error), Err(part)) => assert!(error.description.contains(part), "{encoded:.60}: {error}"),
                (got, wanted) => panic!("{encoded:.60}: got {got:?}, wanted {wanted:?}"),
            }
        }
    }

    #[test]
    fn an_id_token_is_a_hint_even_when_it_has_expired() {
        let keys = [key("new", Algorithm::Es256), key("old", Algorithm::Rs256)];
        for key in &keys {
            let token = key.sign(TokenType::Id, &id_claims()).expect("signs");
            let hint = Hint { client_id: "app".into(), user_id: USER, session_id: SESSION, tenant_id: TENANT };
            assert_eq!(read_hint(&token, &keys, ISSUER), Some(hint));
        }
    }

    #[test]
    fn nothing_else_is_a_hint() {
        let ours = key("k1", Algorithm::Rs256);
        let keys = [ours.clone()];
        let stranger = Signer::new("k1", Algorithm::Rs256);
        let good = ours.sign(TokenType::Id, &id_claims()).expect("signs");
        let (message, signature) = good.rsplit_once('.').expect("three parts");
        let body = message.split_once('.').expect("two parts").1;
        let with = |name: &str, value: Value| {
            let mut claims = id_claims();
            claims[name] = value;
            ours.sign(TokenType::Id, &claims).expect("signs")
        };
        let reheaded = |header: Value| format!("{}.{body}.{signature}", URL_SAFE_NO_PAD.encode(header.to_string()));
        let cases = [
            ("an access token", ours.sign(TokenType::Access, &id_claims()).expect("signs")),
            ("a logout token", logout_token(&ours, ISSUER, "app", USER, SESSION, "j", NOW).expect("signs")),
            ("another issuer", with("iss", json!("https://evil.test"))),
            ("several audiences", with("aud", json!(["app"]))),
            ("a user of no id", with("sub", json!("ann"))),
            ("no session", with("sid", json!(null))),
            ("no tenant", with("tenant_id", json!(null))),
            ("a stranger's key", stranger.token(&json!({ "typ": "JWT" }), &id_claims())),
            ("a key not in use", key("k2", Algorithm::Rs256).sign(TokenType::Id, &id_claims()).expect("signs")),
            ("alg none", unsigned(r#"{"typ":"JWT","alg":"none","kid":"k1"}"#, &id_claims().to_string())),
            ("alg HS256", reheaded(json!({ "typ": "JWT", "alg": "HS256", "kid": "k1" }))),
            ("alg PS256", reheaded(json!({ "typ": "JWT", "alg": "PS256", "kid": "k1" }))),
            ("no kid", reheaded(json!({ "typ": "JWT", "alg": "RS256" }))),
            ("changed header", reheaded(json!({ "typ": "JWT", "alg": "RS256", "kid": "k1", "x": 1 }))),
            ("no signature", format!("{message}.")),
            ("two parts", message.to_owned()),
            ("empty", String::new()),
            ("huge", "a.".repeat(MAX_TOKEN)),
        ];
        for (what, token) in cases {
            assert_eq!(read_hint(&token, &keys, ISSUER), None, "{what}");
        }
        assert!(read_hint(&good, &keys, ISSUER).is_some(), "the control");
    }

    #[test]
    fn the_state_goes_back_as_text() {
        let cases = [
            ("https://app.test/out", None, "https://app.test/out"),
            ("https://app.test", Some("a"), "https://app.test?state=a"),
            ("https://app.test/out", Some("s p&ce=#"), "https://app.test/out?state=s+p%26ce%3D%23"),
            ("https://app.test/out?a=%2F", Some("x"), "https://app.test/out?a=%2F&state=x"),
            ("https://app.test/out?", Some("x"), "https://app.test/out?state=x"),
        ];
        for (uri, state, expected) in cases {
            assert_eq!(return_url(uri, state), expected);
        }
    }

    #[test]
    fn a_logout_token_says_which_session_ended() {
        let key = key("k1", Algorithm::Es256);
        let token = logout_token(&key, ISSUER, "app", USER, SESSION, "j1", NOW).expect("signs");
        let expected = json!({
            "iss": ISSUER, "aud": "app", "sub": USER, "sid": SESSION, "jti": "j1",
            "iat": NOW.unix_timestamp(), "exp": NOW.unix_timestamp() + 120,
            "events": { "http://schemas.openid.net/event/backchannel-logout": {} },
        });
        assert_eq!(payload(&token), expected);
        let parts = Parts::read(&token).expect("three parts");
        assert_eq!(parts.header.typ.as_deref(), Some("logout+jwt"));
        assert!(parts.is_signed_by(key.verifier(), jsonwebtoken::Algorithm::ES256));
    }

    #[test]
    fn logout_tokens_go_to_safe_addresses() {
        // (address, for any client, for a client with a secret)
        let cases = [
            ("https://app.test/logout", true, true),
            ("https://app.test/logout?a=1", true, true),
            ("http://localhost:3000/logout", true, true),
            ("http://127.0.0.1:3000/logout", true, true),
            ("http://[::1]/logout", true, true),
            ("http://app.test/logout", false, true),
            ("http://localhost.evil.test/logout", false, true),
            ("https://app.test/logout#x", false, false),
            ("https://ann@app.test/logout", false, false),
            ("https://ann:secret@app.test/logout", false, false),
            ("https://*.app.test/logout", false, false),
            ("https://app.test/a b", false, false),
            ("https://app.test\\@evil.test/", false, false),
            ("https://", false, false),
            ("/logout", false, false),
            ("app.test/logout", false, false),
            ("ftp://app.test/logout", false, false),
            ("file:///etc/passwd", false, false),
            ("javascript:alert(1)", false, false),
            ("", false, false),
        ];
        for (uri, for_any, for_confidential) in cases {
            assert_eq!(check_backchannel_uri(uri, false).is_ok(), for_any, "{uri}");
            assert_eq!(check_backchannel_uri(uri, true).is_ok(), for_confidential, "{uri}");
        }
        let error = check_backchannel_uri("http://app.test/", false).expect_err("plain http");
        assert!(error.starts_with("The back-channel logout URI http://app.test/ must use https"), "{error}");
    }
}

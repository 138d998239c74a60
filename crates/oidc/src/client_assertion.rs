//! `private_key_jwt`: a client proves who it is with a token that it signs itself (RFC 7521 4.2, RFC 7523 3,
//! OpenID Connect Core 9). Whether its `jti` was seen before is decided by whoever remembers them.

use serde::Deserialize;
use time::{Duration, OffsetDateTime};

use crate::error::{ErrorCode, OAuthError};
use crate::jwk::{self, Audience, JwtProblem, KeySet, Parts, Seconds};

/// The one `client_assertion_type` (RFC 7523 2.2).
pub const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

// draft-ietf-oauth-rfc7523bis 4 gives assertions a type of their own; most clients still send JWT or none.
const TYPES: [&str; 2] = ["JWT", "client-authentication+jwt"];
const MAX_LIFETIME: Duration = Duration::minutes(61);
const MAX_AGE: Duration = Duration::hours(1);
const SKEW: Duration = Duration::seconds(60);
const MAX_CLIENT_ID: usize = 255;

const MALFORMED: &str = "The client_assertion is not a JWT that can be read: three base64url parts of at most 8192 \
                         bytes, each claim once and of its type, no crit header.";

/// An assertion that its client signed. The caller refuses a `jti` of this client that it has seen before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proven {
    /// The assertion's own name (RFC 7523 3).
    pub jti: String,
    /// When it ends, so how long its name has to be remembered.
    pub expires_at: OffsetDateTime,
}

#[derive(Deserialize)]
struct Claims {
    iss: Option<String>,
    sub: Option<String>,
    aud: Option<Audience>,
    exp: Option<Seconds>,
    nbf: Option<Seconds>,
    iat: Option<Seconds>,
    jti: Option<String>,
}

/// Which client an assertion claims to be from: nothing of it is proved, it only says whose keys to look up.
pub fn claimed_client(assertion: &str) -> Result<String, OAuthError> {
    let claims: Claims = Parts::read(assertion).and_then(|parts| parts.claims()).map_err(refused)?;
    let client_id =
        claims.sub.ok_or_else(|| invalid_client("The client_assertion has no sub; set it to the client_id."))?;
    if claims.iss.as_ref() != Some(&client_id) {
        return Err(invalid_client("The iss and the sub of the client_assertion differ; set both to the client_id."));
    }
    let is_name = (1..=MAX_CLIENT_ID).contains(&client_id.len()) && !client_id.chars().any(char::is_control);
    if !is_name {
        return Err(invalid_client("The sub of the client_assertion is not a client_id."));
    }
    Ok(client_id)
}

/// Verifies an assertion (RFC 7523 3). `audiences` are our own names: the issuer and the endpoints it may mean.
pub fn verify(
    assertion: &str,
    client_id: &str,
    keys: &KeySet,
    audiences: &[&str],
    now: OffsetDateTime,
) -> Result<Proven, OAuthError> {
    let claims: Claims = jwk::verify(assertion, keys, &TYPES).map_err(refused)?;
    let is_the_client = |claim: &Option<String>| claim.as_deref() == Some(client_id);
    if !is_the_client(&claims.iss) || !is_the_client(&claims.sub) {
        return Err(invalid_client("The iss and the sub of the client_assertion must both be the client_id."));
    }
    check_audience(claims.aud.as_ref(), audiences)?;
    let expires_at = check_times(&claims, now)?;
    match claims.jti {
        Some(jti) if jwk::is_token_id(&jti) => Ok(Proven { jti, expires_at }),
        _ => Err(invalid_client("The client_assertion needs a jti of 1 to 255 characters, a new one each time.")),
    }
}

// draft-ietf-oauth-rfc7523bis 4: an assertion that another server would take as well can be replayed by that server.
fn check_audience(claim: Option<&Audience>, audiences: &[&str]) -> Result<(), OAuthError> {
    let names = claim.map(Audience::names).unwrap_or_default();
    let is_ours = |name: &String| audiences.contains(&name.as_str());
    if !names.iter().any(is_ours) {
        return Err(invalid_client("The aud of the client_assertion must be this server's issuer."));
    }
    if !names.iter().all(is_ours) {
        return Err(invalid_client("The aud of the client_assertion names another server too; name this one only."));
    }
    Ok(())
}

fn check_times(claims: &Claims, now: OffsetDateTime) -> Result<OffsetDateTime, OAuthError> {
    let at = |time: OffsetDateTime| Seconds(time.unix_timestamp());
    let Some(exp) = claims.exp else {
        return Err(invalid_client("The client_assertion has no exp; set it a few minutes ahead."));
    };
    if exp <= at(now) {
        return Err(invalid_client("The client_assertion has expired; make a new one for each request."));
    }
    if exp > at(now + MAX_LIFETIME) {
        return Err(invalid_client("The exp of the client_assertion is more than an hour ahead; set it nearer."));
    }
    if claims.nbf.is_some_and(|nbf| nbf > at(now + SKEW)) {
        return Err(invalid_client("The nbf of the client_assertion lies in the future; check the client's clock."));
    }
    if claims.iat.is_some_and(|iat| iat > at(now + SKEW)) {
        return Err(invalid_client("The iat of the client_assertion lies in the future; check the client's clock."));
    }
    if claims.iat.is_some_and(|iat| iat < at(now - MAX_AGE)) {
        return Err(invalid_client("The client_assertion was made more than an hour ago; make a new one."));
    }
    OffsetDateTime::from_unix_timestamp(exp.0).map_err(|_| invalid_client(MALFORMED))
}

fn refused(problem: JwtProblem) -> OAuthError {
    invalid_client(match problem {
        JwtProblem::Malformed => MALFORMED,
        JwtProblem::WrongType => "The typ of the client_assertion must be JWT or client-authentication+jwt.",
        JwtProblem::Algorithm => {
            "Sign the client_assertion with RS256, PS256 or ES256, and with the algorithm of the key that it names."
        }
        JwtProblem::UnknownKey { kid: Some(_) } => {
            "The kid of the client_assertion is not among the client's registered keys; register its public key."
        }
        JwtProblem::UnknownKey { kid: None } => "None of the client's registered keys fits the client_assertion's alg.",
        JwtProblem::Signature => "The signature of the client_assertion was not made by the client's registered key.",
    })
}

fn invalid_client(description: &str) -> OAuthError {
    OAuthError::new(ErrorCode::InvalidClient, description)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use time::macros::datetime;

    use super::*;
    use crate::jwk::tests::{Signer, unsigned};
    use crate::keys::Algorithm;

    const ISSUER: &str = "https://id.example.test";
    const TOKEN: &str = "https://id.example.test/oauth2/token";
    const NOW: OffsetDateTime = datetime!(2026-11-22 12:00 UTC);

    fn claims() -> Value {
        let now = NOW.unix_timestamp();
        json!({ "iss": "app", "sub": "app", "aud": ISSUER, "exp": now + 60, "iat": now, "jti": "j1" })
    }

    fn with(name: &str, value: Value) -> Value {
        let mut claims = claims();
        claims[name] = value;
        claims
    }

    fn without(name: &str) -> Value {
        let mut claims = claims();
        claims.as_object_mut().expect("an object").remove(name);
        claims
    }

    fn check(token: &str, keys: &KeySet) -> Result<Proven, OAuthError> {
        verify(token, "app", keys, &[ISSUER, TOKEN], NOW)
    }

    #[test]
    fn claims_are_judged() {
        let now = NOW.unix_timestamp();
        let signer = Signer::new("k1", Algorithm::Es256);
        let other = "https://other.test";
        let cases: [(&str, Value, Result<(), &str>); 36] = [
            ("good", claims(), Ok(())),
            ("the token endpoint", with("aud", json!(TOKEN)), Ok(())),
            ("an array of one", with("aud", json!([ISSUER])), Ok(())),
            ("an array of ours", with("aud", json!([ISSUER, TOKEN])), Ok(())),
            ("another server", with("aud", json!(other)), Err("must be this server's issuer")),
            ("ours and another", with("aud", json!([ISSUER, other])), Err("another server too")),
            ("another and ours", with("aud", json!([other, TOKEN])), Err("another server too")),
            ("no audience at all", with("aud", json!([])), Err("must be this server's issuer")),
            ("aud missing", without("aud"), Err("must be this server's issuer")),
            ("aud longer", with("aud", json!(format!("{ISSUER}/"))), Err("must be this server's issuer")),
            ("aud a number", with("aud", json!([1])), Err("cannot be read")),
            ("iss of another", with("iss", json!("other")), Err("both be the client_id")),
            ("sub of another", with("sub", json!("other")), Err("both be the client_id")),
            ("iss missing", without("iss"), Err("both be the client_id")),
            ("sub missing", without("sub"), Err("both be the client_id")),
            ("exp missing", without("exp"), Err("has no exp")),
            ("exp null", with("exp", json!(null)), Err("has no exp")),
            ("exp a string", with("exp", json!("soon")), Err("cannot be read")),
            ("exp now", with("exp", json!(now)), Err("has expired")),
            ("exp in a second", with("exp", json!(now + 1)), Ok(())),
            ("exp with a fraction", with("exp", json!(now as f64 + 30.5)), Ok(())),
            ("exp in ten minutes", with("exp", json!(now + 600)), Ok(())),
            ("exp too far", with("exp", json!(now + 3_661)), Err("more than an hour")),
            ("exp absurd", with("exp", json!(1e300)), Err("more than an hour")),
            ("exp at the end of time", with("exp", json!(u64::MAX)), Err("more than an hour")),
            ("exp before time", with("exp", json!(i64::MIN)), Err("has expired")),
            ("nbf near", with("nbf", json!(now + 60)), Ok(())),
            ("nbf far", with("nbf", json!(now + 61)), Err("nbf of the client_assertion lies in the future")),
            ("iat missing", without("iat"), Ok(())),
            ("iat near", with("iat", json!(now + 60)), Ok(())),
            ("iat far", with("iat", json!(now + 61)), Err("iat of the client_assertion lies in the future")),
            ("iat old", with("iat", json!(now - 3600)), Ok(())),
            ("iat too old", with("iat", json!(now - 3601)), Err("more than an hour ago")),
            ("jti missing", without("jti"), Err("needs a jti")),
            ("jti empty", with("jti", json!("")), Err("needs a jti")),
            ("jti with a NUL", with("jti", json!("a\u{0}")), Err("needs a jti")),
        ];
        for (what, claims, expected) in cases {
            let got = check(&signer.token(&json!({ "typ": "JWT" }), &claims), &signer.keys());
            match (got, expected) {
                (Ok(proven), Ok(())) => assert_eq!(proven.jti, "j1", "{what}"),
                (Err(error), Err("cannot be read")) => assert_eq!(error.description, MALFORMED, "{what}"),
                (Err(error), Err(part)) => {
                    assert!(error.description.contains(part), "{what}: {error}");
                    assert_eq!(error.code, ErrorCode::InvalidClient, "{what}");
                }
                (got, wanted) => panic!("{what}: got {got:?}, wanted {wanted:?}"),
            }
        }
    }

    #[test]
    fn the_name_is_bounded_and_its_end_is_told() {
        let signer = Signer::new("k1", Algorithm::Rs256);
        let token = |jti: &str| signer.token(&json!({}), &with("jti", json!(jti)));
        let proven = check(&token(&"é".repeat(255)), &signer.keys()).expect("fits");
        assert_eq!(proven.expires_at, NOW + Duration::minutes(1));
        assert!(check(&token(&"é".repeat(256)), &signer.keys()).is_err());
    }

    #[test]
    fn headers_are_judged() {
        let signer = Signer::new("k1", Algorithm::Rs256);
        let cases = [
            (json!({}), Ok(())),
            (json!({ "typ": "jwt" }), Ok(())),
            (json!({ "typ": "client-authentication+jwt" }), Ok(())),
            (json!({ "typ": "application/client-authentication+jwt" }), Ok(())),
            (json!({ "typ": "at+jwt" }), Err("typ of the client_assertion")),
            (json!({ "typ": "logout+jwt" }), Err("typ of the client_assertion")),
            (json!({ "typ": "" }), Err("typ of the client_assertion")),
            (json!({ "kid": "k2" }), Err("kid of the client_assertion")),
            (json!({ "alg": "ES256" }), Err("algorithm of the key")),
            (json!({ "alg": "none" }), Err("Sign the client_assertion with")),
            (json!({ "alg": "HS256" }), Err("Sign the client_assertion with")),
            (json!({ "alg": "PS256" }), Err("algorithm of the key")),
            (json!({ "crit": ["exp"] }), Err("no crit header")),
        ];
        for (header, expected) in cases {
            match (check(&signer.token(&header, &claims()), &signer.keys()), expected) {
                (Ok(_), Ok(())) => {}
                (Err(error), Err(part)) => assert!(error.description.contains(part), "{header}: {error}"),
                (got, wanted) => panic!("{header}: got {got:?}, wanted {wanted:?}"),
            }
        }
    }

    #[test]
    fn another_key_of_the_same_name_proves_nothing() {
        let (ours, stranger) = (Signer::new("k1", Algorithm::Es256), Signer::new("k1", Algorithm::Es256));
        let refused = check(&stranger.token(&json!({}), &claims()), &ours.keys()).expect_err("forged");
        assert!(refused.description.contains("signature"), "{refused}");
        let own_key_enclosed = stranger.token(&json!({ "jwk": stranger.jwk(), "kid": "k1" }), &claims());
        assert!(check(&own_key_enclosed, &ours.keys()).is_err());
    }

    #[test]
    fn a_client_is_named_before_anything_is_proved() {
        let token = |claims: &str| unsigned(r#"{"alg":"none"}"#, claims);
        let long = format!(r#"{{"iss":"{0}","sub":"{0}"}}"#, "x".repeat(256));
        let cases = [
            (token(r#"{"iss":"app","sub":"app"}"#), Ok("app")),
            (token(r#"{"iss":"app","sub":"other"}"#), Err("differ")),
            (token(r#"{"sub":"app"}"#), Err("differ")),
            (token(r#"{"iss":"app"}"#), Err("has no sub")),
            (token(r#"{"iss":"","sub":""}"#), Err("is not a client_id")),
            (token(r#"{"iss":"a\u0000","sub":"a\u0000"}"#), Err("is not a client_id")),
            (token(&long), Err("is not a client_id")),
            (token(r#"{"iss":"app","sub":"app","sub":"other"}"#), Err("each claim once")),
            (token(r#"{"iss":["app"],"sub":["app"]}"#), Err("of its type")),
            (token(r#"["app","app"]"#), Err("cannot")),
            (token("{"), Err("cannot")),
            (String::new(), Err("cannot")),
            ("a.b".to_owned(), Err("cannot")),
            ("a.b.c.d".to_owned(), Err("cannot")),
            (format!("{}.a.b", "a".repeat(10_000)), Err("cannot")),
        ];
        for (token, expected) in cases {
            match (claimed_client(&token), expected) {
                (Ok(client), Ok(wanted)) => assert_eq!(client, wanted),
                (Err(error), Err("cannot")) => assert_eq!(error.description, MALFORMED, "{token:.40}"),
                (Err(error), Err(part)) => assert!(error.description.contains(part), "{token:.40}: {error}"),
                (got, wanted) => panic!("{token:.40}: got {got:?}, wanted {wanted:?}"),
            }
        }
    }
}

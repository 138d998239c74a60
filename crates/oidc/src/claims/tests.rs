use aws_lc_rs::hmac;
use time::{Duration, macros::datetime};

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
        auth_time: Some(NOW - Duration::minutes(1)),
        given_name: Some("Ann".to_owned()),
        family_name: Some("Example".to_owned()),
        locale: Some("en-GB".to_owned()),
        idp: Some("https://idp.test"),
        acr: Some("urn:x"),
        amr: vec!["mfa"],
        groups: Some(Groups { names: vec!["Staff".to_owned()], more: true }),
        attrs: BTreeMap::from([("CostCenter".to_owned(), json!("blue"))]),
        session_expiry: Some(NOW + Duration::hours(1)),
    }
}

fn issue<'a>(key: &'a SigningKey, issuer: &'a str) -> Issue<'a> {
    Issue { key, issuer, client_id: "app", now: NOW, until: NOW + LIFETIME }
}

fn both(issue: Issue<'_>, subject: &Subject<'_>, scope: &str) -> Signed {
    let scope = Scopes::parse(scope);
    let granted = Granted { scope, resource: None, jti: "j1", grant_id: "g1", nonce: Some("n1") };
    tokens(issue, subject, &granted).expect("JSON").sign().expect("signs")
}

fn access(key: &SigningKey, issuer: &str) -> String {
    let roles = ["ANALYST".to_owned()];
    both(issue(key, issuer), &subject(&roles), "openid email").access_token
}

fn id(key: &SigningKey, scope: &str) -> String {
    let roles = ["ANALYST".to_owned()];
    both(issue(key, ISSUER), &subject(&roles), scope).id_token
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
        let person = claims.person.expect("on a user's behalf");
        assert_eq!((claims.sub.as_str(), person.tenant_id), (USER.to_string().as_str(), TENANT));
        assert_eq!((claims.client_id.as_str(), person.grant_id.as_str(), claims.jti.as_str()), ("app", "g1", "j1"));
        assert_eq!(claims.aud, Audience::One(ISSUER.to_owned()));
        assert_eq!(claims.scope, Scopes::parse("openid email"));
        assert_eq!(claims.exp - claims.iat, 300);
        assert_eq!(person.roles, ["ANALYST"]);
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
        ("an ID token", id(&ours, "openid")),
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
    let signer = key("k1", Algorithm::Es256);
    let roles = ["ANALYST".to_owned()];
    let signed = both(issue(&signer, ISSUER), &subject(&roles), "openid");
    let bare = payload(&signed.id_token);
    let mut expected = json!({
        "iss": ISSUER, "sub": USER, "aud": "app", "iat": NOW.unix_timestamp(),
        "exp": NOW.unix_timestamp() + 300, "auth_time": NOW.unix_timestamp() - 60,
        "nonce": "n1", "at_hash": at_hash(&signed.access_token), "sid": Uuid::from_u128(4),
        "tenant_id": TENANT, "connection_id": Uuid::from_u128(3), "roles": ["ANALYST"],
        "idp": "https://idp.test", "acr": "urn:x", "amr": ["mfa"], "session_expiry": NOW.unix_timestamp() + 3_600,
    });
    assert_eq!(bare, expected);
    let more = json!({
        "email": "ann@acme.test", "email_verified": true, "name": "Ann Example", "given_name": "Ann",
        "family_name": "Example", "locale": "en-GB", "groups": ["Staff"], "groups_overage": true,
        "attrs": { "CostCenter": "blue" },
    });
    expected.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    let mut full = payload(&id(&signer, "openid profile email groups"));
    // Another access token has another hash.
    full["at_hash"] = expected["at_hash"].clone();
    assert_eq!(full, expected);
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
        ("openid profile", "attrs family_name given_name locale name sub tenant_id"),
        ("openid groups", "groups groups_overage sub tenant_id"),
        ("openid roles", "roles sub tenant_id"),
        (
            "openid profile email roles",
            "attrs email email_verified family_name given_name locale name roles sub tenant_id",
        ),
    ];
    for (scope, expected) in cases {
        let answer = userinfo(&all, Scopes::parse(scope));
        let mut names: Vec<&str> = answer.as_object().expect("an object").keys().map(String::as_str).collect();
        names.sort_unstable();
        assert_eq!(names.join(" "), expected, "{scope}");
        assert_eq!(answer["sub"], json!(USER));
    }
    let nameless = Subject { email: None, name: None, ..all };
    let answer = userinfo(&nameless, Scopes::parse("openid profile email"));
    assert!(answer.get("email").is_none() && answer.get("email_verified").is_none());
}

#[test]
fn a_client_has_tokens_of_its_own_and_names_its_audience() {
    let key = key("k1", Algorithm::Rs256);
    let token = client_token(issue(&key, ISSUER), Some("https://api.test"), "j2").expect("signs");
    let claims = read_access_token(&token, &[key], ISSUER, NOW).expect("its own");
    assert_eq!((claims.sub.as_str(), claims.client_id.as_str()), ("app", "app"));
    assert_eq!((claims.person, claims.scope), (None, Scopes::default()));
    assert!(payload(&token)["scope"].is_null());
    assert_eq!(payload(&token)["aud"], json!(["https://api.test", ISSUER]));
}

#[test]
fn classes_tell_methods() {
    let saml = |class| format!("urn:oasis:names:tc:SAML:2.0:ac:classes:{class}");
    let cases: [(String, &[&str]); 6] = [
        (saml("PasswordProtectedTransport"), &["pwd"]),
        (saml("SmartcardPKI"), &["sc", "mfa"]),
        (saml("unspecified"), &[]),
        ("https://refeds.org/profile/mfa".to_owned(), &["mfa"]),
        ("Password".to_owned(), &[]),
        (String::new(), &[]),
    ];
    for (class, expected) in cases {
        assert_eq!(methods(&class), expected, "{class}");
    }
}

use serde_json::json;
use time::macros::datetime;

use super::*;
use crate::jwk::tests::{Signer, unsigned};
use crate::keys::Algorithm;

const ORG: &str = "https://acme.okta.test";
const APP: &str = "0oa1client";
const ENDPOINT: &str = "https://id.example.test/connections/7/global-token-revocation";
const NOW: OffsetDateTime = datetime!(2026-11-22 12:00 UTC);
const SKEW: Duration = Duration::minutes(3);
const SENDER: Sender<'_> = Sender { issuer: ORG, subject: Some(APP), endpoint: ENDPOINT };

fn claims() -> Value {
    let now = NOW.unix_timestamp();
    json!({ "jti": "j1", "iss": ORG, "sub": APP, "aud": ENDPOINT, "exp": now + 300, "nbf": now, "iat": now })
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

fn check(token: &str, keys: &KeySet) -> Result<Proven, Refused> {
    verify(token, keys, &SENDER, NOW, SKEW)
}

#[test]
fn claims_are_judged() {
    let now = NOW.unix_timestamp();
    let signer = Signer::new("k1", Algorithm::Rs256);
    let unreadable = || Refused::from(JwtProblem::Malformed);
    let cases = [
        ("as Okta sends it", claims(), None),
        ("an array of one", with("aud", json!([ENDPOINT])), None),
        ("an array", with("aud", json!(["https://other.test", ENDPOINT])), None),
        ("another endpoint", with("aud", json!("https://id.example.test/connections/8")), Some(Refused::Audience)),
        ("an empty array", with("aud", json!([])), Some(Refused::Audience)),
        ("aud missing", without("aud"), Some(Refused::Audience)),
        ("aud an object", with("aud", json!({ "a": ENDPOINT })), Some(unreadable())),
        ("another organization", with("iss", json!("https://evil.okta.test")), Some(Refused::Issuer)),
        ("its issuer with a slash", with("iss", json!(format!("{ORG}/"))), Some(Refused::Issuer)),
        ("iss missing", without("iss"), Some(Refused::Issuer)),
        ("iss an array", with("iss", json!([ORG])), Some(unreadable())),
        ("another app", with("sub", json!("0oa2")), Some(Refused::Subject)),
        ("sub missing", without("sub"), Some(Refused::Subject)),
        (
            "exp missing",
            without("exp"),
            Some(Refused::Malformed("The token has no exp; set it at most 5 minutes ahead.")),
        ),
        (
            "iat missing",
            without("iat"),
            Some(Refused::Malformed("The token has no iat; set it to the time when it is made.")),
        ),
        ("exp a string", with("exp", json!("soon")), Some(unreadable())),
        ("exp just past", with("exp", json!(now - 179)), None),
        ("exp past", with("exp", json!(now - 180)), Some(Refused::Expired)),
        ("exp at its furthest", with("exp", json!(now + 480)), None),
        ("exp too far", with("exp", json!(now + 481)), Some(Refused::TooLong)),
        ("exp absurd", with("exp", json!(i64::MAX)), Some(Refused::TooLong)),
        ("exp before time", with("exp", json!(-1e300)), Some(Refused::Expired)),
        ("nbf missing", without("nbf"), None),
        ("nbf near", with("nbf", json!(now + 180)), None),
        ("nbf far", with("nbf", json!(now + 181)), Some(Refused::NotYet)),
        ("iat near", with("iat", json!(now + 180)), None),
        ("iat far", with("iat", json!(now + 181)), Some(Refused::NotYet)),
        (
            "iat far, nbf near",
            {
                let mut it = with("iat", json!(now + 900));
                it["nbf"] = json!(now);
                it
            },
            Some(Refused::NotYet),
        ),
        ("jti missing", without("jti"), Some(Refused::NoId)),
        ("jti empty", with("jti", json!("")), Some(Refused::NoId)),
        ("jti long", with("jti", json!("j".repeat(256))), Some(Refused::NoId)),
        ("jti with a NUL", with("jti", json!("\u{0}")), Some(Refused::NoId)),
        ("jti a number", with("jti", json!(1)), Some(unreadable())),
        ("unknown claims", with("scope", json!("x")), None),
    ];
    for (what, claims, expected) in cases {
        let got = check(&signer.token(&json!({ "typ": TYPE }), &claims), &signer.keys());
        assert_eq!(got.err(), expected, "{what}");
    }
}

#[test]
fn a_name_is_remembered_as_long_as_its_token_is_taken() {
    let signer = Signer::new("k1", Algorithm::Es256);
    let token = signer.token(&json!({ "typ": TYPE }), &claims());
    let read = |now| verify(&token, &signer.keys(), &SENDER, now, SKEW);
    let proven = read(NOW).expect("good");
    assert_eq!(proven, Proven { jti: "j1".into(), expires_at: NOW + Duration::minutes(8) });
    assert!(read(proven.expires_at - Duration::SECOND).is_ok());
    assert_eq!(read(proven.expires_at), Err(Refused::Expired));
}

#[test]
fn any_app_may_send_if_none_is_expected() {
    let signer = Signer::new("k1", Algorithm::Es256);
    let sender = Sender { subject: None, ..SENDER };
    for claims in [claims(), without("sub"), with("sub", json!("0oa2"))] {
        let token = signer.token(&json!({ "typ": TYPE }), &claims);
        assert!(verify(&token, &signer.keys(), &sender, NOW, SKEW).is_ok(), "{claims}");
    }
}

#[test]
fn headers_are_judged() {
    let signer = Signer::new("k1", Algorithm::Rs256);
    let algorithm = || Some(Refused::from(JwtProblem::Algorithm));
    let cases = [
        (json!({ "typ": TYPE }), None),
        (json!({ "typ": "Global-Token-Revocation+JWT" }), None),
        (json!({ "typ": "application/global-token-revocation+jwt" }), None),
        (json!({ "typ": "Application/GLOBAL-token-revocation+jwt" }), None),
        (json!({ "typ": TYPE, "kid": null }), None),
        (json!({}), Some(Refused::WrongType)),
        (json!({ "typ": "JWT" }), Some(Refused::WrongType)),
        (json!({ "typ": "at+jwt" }), Some(Refused::WrongType)),
        (json!({ "typ": "logout+jwt" }), Some(Refused::WrongType)),
        (json!({ "typ": TYPE, "kid": "k2" }), Some(Refused::UnknownKey { kid: Some("k2".into()) })),
        (json!({ "typ": TYPE, "alg": "none" }), algorithm()),
        (json!({ "typ": TYPE, "alg": "HS256" }), algorithm()),
        (json!({ "typ": TYPE, "alg": "ES256" }), algorithm()),
        (json!({ "typ": TYPE, "alg": "ES256", "kid": null }), Some(Refused::UnknownKey { kid: None })),
        (json!({ "typ": TYPE, "crit": ["x"] }), Some(Refused::from(JwtProblem::Malformed))),
    ];
    for (header, expected) in cases {
        assert_eq!(check(&signer.token(&header, &claims()), &signer.keys()).err(), expected, "{header}");
    }
}

#[test]
fn forgeries_are_refused() {
    let (ours, stranger) = (Signer::new("k1", Algorithm::Rs256), Signer::new("k1", Algorithm::Rs256));
    let token = stranger.token(&json!({ "typ": TYPE }), &claims());
    assert_eq!(check(&token, &ours.keys()), Err(Refused::Signature));
    let once = claims().to_string();
    let twice = format!(r#"{},"sub":"{APP}"}}"#, once.trim_end_matches('}'));
    let header = format!(r#"{{"alg":"RS256","kid":"k1","typ":"{TYPE}"}}"#);
    let none = format!(r#"{{"alg":"none","kid":"k1","typ":"{TYPE}"}}"#);
    let long = with("x", json!("x".repeat(9000)));
    let cases = [
        ("a claim that stands twice", ours.sign(&header, &twice)),
        ("alg none", unsigned(&none, &once)),
        ("too long", ours.token(&json!({ "typ": TYPE }), &long)),
        ("empty", String::new()),
        ("noise", "a.b.c".to_owned()),
    ];
    for (what, token) in cases {
        assert!(matches!(check(&token, &ours.keys()), Err(Refused::Malformed(_))), "{what}");
    }
    assert!(check(&ours.sign(&header, &once), &ours.keys()).is_ok(), "the control");
}

#[test]
fn every_refusal_is_a_sentence() {
    let all = [
        Refused::from(JwtProblem::Malformed),
        Refused::from(JwtProblem::Algorithm),
        Refused::WrongType,
        Refused::UnknownKey { kid: Some("evil-kid".into()) },
        Refused::Signature,
        Refused::Issuer,
        Refused::Audience,
        Refused::Subject,
        Refused::Expired,
        Refused::NotYet,
        Refused::TooLong,
        Refused::NoId,
    ];
    for refused in all {
        let sentence = refused.to_string();
        assert!(sentence.starts_with("The ") && sentence.ends_with('.') && !sentence.contains("evil"), "{sentence}");
    }
}

#[test]
fn subjects_are_read() {
    let malformed = |body: &str| (body.to_owned(), Err("malformed"));
    let long = |length: usize| format!(r#"{{"sub_id":{{"format":"email","email":"{}"}}}}"#, "é".repeat(length));
    let cases = [
        (
            r#"{"sub_id":{"format":"email","email":"ann@acme.test"}}"#.to_owned(),
            Ok(SubjectId::Email("ann@acme.test".into())),
        ),
        (
            r#" {"x":1,"sub_id":{"y":[],"iss":7,"format":"email","email":"a"},"sub":"b"} "#.to_owned(),
            Ok(SubjectId::Email("a".into())),
        ),
        (
            r#"{"sub_id":{"format":"iss_sub","iss":"https://acme.okta.test","sub":"00u1"}}"#.to_owned(),
            Ok(SubjectId::IssSub { iss: "https://acme.okta.test".into(), sub: "00u1".into() }),
        ),
        (r#"{"sub_id":{"format":"opaque","id":"00u1"}}"#.to_owned(), Ok(SubjectId::Opaque("00u1".into()))),
        (long(500), Ok(SubjectId::Email("é".repeat(500)))),
        (r#"{"sub_id":{"format":"phone_number","phone_number":"+1"}}"#.to_owned(), Err("unsupported")),
        (r#"{"sub_id":{"format":"aliases","identifiers":[]}}"#.to_owned(), Err("unsupported")),
        (r#"{"sub_id":{"format":"EMAIL","email":"a"}}"#.to_owned(), Err("unsupported")),
        (r#"{"sub_id":{"format":""}}"#.to_owned(), Err("unsupported")),
        (long(501), Err("malformed")),
        malformed(""),
        malformed("null"),
        malformed("{}"),
        malformed(r#"["sub_id"]"#),
        malformed(r#"[{"format":"email","email":"a"}]"#),
        malformed(r#"{"sub_id":"ann@acme.test"}"#),
        malformed(r#"{"sub_id":["email","ann@acme.test",null,null,null]}"#),
        malformed(r#"{"sub_id":{"email":"a"}}"#),
        malformed(r#"{"sub_id":{"format":["email"],"email":"a"}}"#),
        malformed(r#"{"sub_id":{"format":null,"email":"a"}}"#),
        malformed(r#"{"sub_id":{"format":"email"}}"#),
        malformed(r#"{"sub_id":{"format":"email","email":""}}"#),
        malformed(r#"{"sub_id":{"format":"email","email":null}}"#),
        malformed(r#"{"sub_id":{"format":"email","email":["a"]}}"#),
        malformed(r#"{"sub_id":{"format":"email","email":"a\u0000"}}"#),
        malformed(r#"{"sub_id":{"format":"email","email":"a\n"}}"#),
        malformed(r#"{"sub_id":{"format":"email","email":"a","email":"b"}}"#),
        malformed(r#"{"sub_id":{"format":"email","format":"opaque","email":"a","id":"b"}}"#),
        malformed(r#"{"sub_id":{"format":"email","email":"a"},"sub_id":{"format":"email","email":"b"}}"#),
        malformed(r#"{"sub_id":{"format":"iss_sub","iss":"i"}}"#),
        malformed(r#"{"sub_id":{"format":"iss_sub","sub":"s"}}"#),
        malformed(r#"{"sub_id":{"format":"opaque","email":"a"}}"#),
        malformed(r#"{"sub_id":{"format":"email","email":"a"}} x"#),
        (format!(r#"{{"sub_id":{{"format":"email","email":"a"}},"x":"{}"}}"#, "x".repeat(MAX_BODY)), Err("malformed")),
        ("[".repeat(10_000), Err("malformed")),
        (format!(r#"{{"sub_id":{{"format":"email","email":{}"#, "[".repeat(10_000)), Err("malformed")),
    ];
    for (body, expected) in cases {
        match (subject(body.as_bytes()), expected) {
            (Ok(subject), Ok(wanted)) => assert_eq!(subject, wanted),
            (Err(SubjectProblem::Unsupported), Err("unsupported")) => {}
            (Err(SubjectProblem::Malformed(_)), Err("malformed")) => {}
            (got, wanted) => panic!("{body:.80}: got {got:?}, wanted {wanted:?}"),
        }
    }
    assert!(subject(b"{\"sub_id\":{\"format\":\"email\",\"email\":\"\xff\"}}").is_err());
}

#[test]
fn what_is_wrong_in_any_case_is_seen_without_a_key() {
    let (signer, stranger) = (Signer::new("k1", Algorithm::Rs256), Signer::new("k9", Algorithm::Es256));
    let header = json!({ "typ": TYPE });
    let check = |token: &str| check_unproven(token, &SENDER, NOW, SKEW);
    assert_eq!(check(&signer.token(&header, &claims())), Ok(()));
    assert_eq!(check(&stranger.token(&header, &claims())), Ok(()), "who signed it is not known");
    let cases = [
        (header.clone(), with("iss", json!("https://evil.okta.test")), Refused::Issuer),
        (header.clone(), with("aud", json!("https://other.test")), Refused::Audience),
        (header.clone(), with("exp", json!(1)), Refused::Expired),
        (json!({ "typ": "JWT" }), claims(), Refused::WrongType),
    ];
    for (header, claims, expected) in cases {
        assert_eq!(check(&stranger.token(&header, &claims)), Err(expected));
    }
}

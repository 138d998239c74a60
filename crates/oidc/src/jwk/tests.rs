use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaKeyPair,
    RsaPublicKeyComponents,
};

use super::*;
use crate::keys::{self, SigningKey};

/// Another party's key, which signs any header and any claims.
pub(crate) struct Signer {
    kid: String,
    algorithm: Algorithm,
    jwk: Value,
    der: Vec<u8>,
}

impl Signer {
    pub(crate) fn new(kid: &str, algorithm: keys::Algorithm) -> Self {
        let der = SigningKey::generate(algorithm).expect("AWS-LC makes keys");
        let jwk = SigningKey::from_pkcs8(kid, algorithm, &der).expect("its own key").jwk();
        Self { kid: kid.to_owned(), algorithm: algorithm.for_verification(), jwk, der }
    }

    pub(crate) fn jwk(&self) -> Value {
        self.jwk.clone()
    }

    pub(crate) fn keys(&self) -> KeySet {
        set(&[self.jwk()])
    }

    /// `kid` and `alg` are this key's unless the header says otherwise; what the header leaves `null` is left out.
    pub(crate) fn token(&self, header: &Value, claims: &Value) -> String {
        let mut whole = json!({ "alg": format!("{:?}", self.algorithm), "kid": self.kid });
        for (name, value) in header.as_object().expect("an object") {
            whole[name] = value.clone();
        }
        whole.as_object_mut().expect("an object").retain(|_, value| !value.is_null());
        self.sign(&whole.to_string(), &claims.to_string())
    }

    pub(crate) fn sign(&self, header: &str, claims: &str) -> String {
        self.sign_as(self.algorithm, header, claims)
    }

    fn sign_as(&self, algorithm: Algorithm, header: &str, claims: &str) -> String {
        let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let signature = self.signature(algorithm, message.as_bytes());
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    fn signature(&self, algorithm: Algorithm, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        if algorithm == Algorithm::ES256 {
            let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &self.der).expect("an EC key");
            return pair.sign(&random, message).expect("signs").as_ref().to_vec();
        }
        let padding = if algorithm == Algorithm::PS256 { &RSA_PSS_SHA256 } else { &RSA_PKCS1_SHA256 };
        let pair = RsaKeyPair::from_pkcs8(&self.der).expect("an RSA key");
        let mut signature = vec![0; pair.public_modulus_len()];
        pair.sign(padding, &random, message, &mut signature).expect("signs");
        signature
    }
}

/// A token without a signature.
pub(crate) fn unsigned(header: &str, claims: &str) -> String {
    format!("{}.{}.", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims))
}

fn set(keys: &[Value]) -> KeySet {
    KeySet::parse(&json!({ "keys": keys })).expect("usable keys")
}

fn with(jwk: &Value, members: &[(&str, Value)]) -> Value {
    let mut jwk = jwk.clone();
    for (name, value) in members {
        jwk[*name] = value.clone();
    }
    jwk
}

fn without(jwk: &Value, name: &str) -> Value {
    let mut jwk = jwk.clone();
    jwk.as_object_mut().expect("an object").remove(name);
    jwk
}

fn read(token: &str, keys: &KeySet) -> Result<Value, JwtProblem> {
    verify::<Value>(token, keys, &["JWT"])
}

fn number(bytes: usize, first: u8, last: u8) -> Value {
    let mut number = vec![0x5a; bytes];
    number[0] = first;
    number[bytes - 1] = last;
    json!(URL_SAFE_NO_PAD.encode(number))
}

#[test]
fn usable_keys_are_taken_and_others_skipped() {
    let rsa = Signer::new("r", keys::Algorithm::Rs256).jwk();
    let ec = Signer::new("e", keys::Algorithm::Es256).jwk();
    let okp = json!({ "kty": "OKP", "crv": "Ed25519", "x": "AA" });
    let cases = [
        ("as published", vec![rsa.clone(), ec.clone()], Some(2)),
        ("no alg, no use, no kid", vec![without(&without(&without(&rsa, "alg"), "use"), "kid")], Some(1)),
        ("two without names", vec![without(&rsa, "kid"), without(&ec, "kid")], Some(2)),
        ("PS256", vec![with(&rsa, &[("alg", json!("PS256"))])], Some(1)),
        ("to verify", vec![with(&rsa, &[("key_ops", json!(["verify"]))])], Some(1)),
        ("to encrypt, by key_ops", vec![with(&rsa, &[("key_ops", json!(["encrypt"]))])], None),
        ("one to encrypt", vec![with(&rsa, &[("use", json!("enc"))]), ec.clone()], Some(1)),
        ("only to encrypt", vec![with(&rsa, &[("use", json!("enc"))])], None),
        ("use of no type", vec![with(&rsa, &[("use", json!(["sig"]))])], None),
        ("another kind", vec![okp.clone(), ec.clone()], Some(1)),
        ("another kind only", vec![okp], None),
        ("another curve", vec![with(&ec, &[("crv", json!("P-384"))])], None),
        ("another algorithm", vec![with(&rsa, &[("alg", json!("RS512"))])], None),
        ("a shared secret's algorithm", vec![with(&rsa, &[("alg", json!("HS256"))])], None),
        ("the algorithm of another kind", vec![with(&ec, &[("alg", json!("RS256"))])], None),
        ("kty of no type", vec![with(&rsa, &[("kty", json!(["RSA"]))])], None),
        (
            "an encryption key of the same name",
            vec![rsa.clone(), with(&ec, &[("use", json!("enc")), ("kid", json!("r"))])],
            Some(1),
        ),
        ("none", vec![], None),
    ];
    for (what, keys, usable) in cases {
        match (KeySet::parse(&json!({ "keys": keys })), usable) {
            (Ok(keys), Some(count)) => assert_eq!(keys.0.len(), count, "{what}"),
            (Err(error), None) => assert!(error.contains("no usable key"), "{what}: {error}"),
            (got, wanted) => panic!("{what}: got {got:?}, wanted {wanted:?}"),
        }
    }
}

#[test]
fn mistakes_are_named() {
    let rsa = Signer::new("r", keys::Algorithm::Rs256).jwk();
    let ec = Signer::new("e", keys::Algorithm::Es256).jwk();
    let other = Signer::new("r", keys::Algorithm::Es256).jwk();
    let one = |key: Value| json!({ "keys": [key] });
    let mut cases = vec![
        (json!([]), "an array named keys"),
        (json!({ "keys": {} }), "an array named keys"),
        (json!(null), "an array named keys"),
        (json!({ "keys": [rsa, "x"] }), "Key 2 of the set is not a JSON object"),
        (json!({ "keys": vec![&ec; 21] }), "more than 20 keys"),
        (json!({ "keys": [rsa, other] }), "Key 2 of the set has the kid of another"),
        (one(json!({ "kty": "oct", "k": "c2VjcmV0" })), "holds a private key; register the public half only"),
        (one(with(&rsa, &[("n", number(255, 0xff, 1))])), "is shorter than 2048 bits"),
        (one(with(&rsa, &[("n", number(256, 0x7f, 1))])), "is shorter than 2048 bits"),
        (one(with(&rsa, &[("n", number(1025, 1, 1))])), "is longer than 8192 bits"),
        (one(with(&rsa, &[("n", number(256, 0xff, 2))])), "even n"),
        (one(with(&rsa, &[("n", json!("not base64url!"))])), "has no n"),
        (one(with(&rsa, &[("n", json!(5))])), "has no n"),
        (one(without(&rsa, "e")), "has no e"),
        (one(with(&rsa, &[("e", json!("AA"))])), "exponent"),
        (one(with(&rsa, &[("e", json!("AQ"))])), "exponent"),
        (one(with(&rsa, &[("e", json!("BA"))])), "exponent"),
        (one(with(&rsa, &[("e", number(6, 1, 1))])), "exponent"),
        (one(with(&rsa, &[("kid", json!(7))])), "has a kid"),
        (one(with(&rsa, &[("kid", json!("k".repeat(256)))])), "has a kid"),
        (one(with(&rsa, &[("kid", json!("a\u{0}"))])), "has a kid"),
        (one(without(&ec, "y")), "has no y"),
        (one(with(&ec, &[("x", json!("AAAA"))])), "has no x"),
        (one(with(&ec, &[("x", ec["y"].clone())])), "is not a point"),
    ];
    for name in PRIVATE_MEMBERS {
        cases.push((
            json!({ "keys": [ec, with(&rsa, &[(name, json!("AA"))])] }),
            "Key 2 of the set holds a private key",
        ));
    }
    for (json, part) in cases {
        let error = KeySet::parse(&json).expect_err(part);
        assert!(error.contains(part) && error.ends_with('.'), "{part}: {error}");
    }
}

#[test]
fn only_public_members_are_given_out() {
    let signer = Signer::new("r", keys::Algorithm::Rs256);
    let skipped = json!({ "kty": "OKP", "kid": "x" });
    let keys = set(&[with(&signer.jwk(), &[("x5c", json!(["AA"])), ("secret", json!("s"))]), skipped]);
    assert_eq!(keys.to_json(), json!({ "keys": [signer.jwk()] }));
    assert!(keys.has_kid("r") && !keys.has_kid("x") && !keys.has_kid(""));
    let again = KeySet::parse(&keys.to_json()).expect("its own form");
    assert_eq!(again.to_json(), keys.to_json());

    let padded = [vec![0, 0], URL_SAFE_NO_PAD.decode(signer.jwk()["n"].as_str().expect("text")).expect("base64url")];
    let padded = with(&signer.jwk(), &[("n", json!(URL_SAFE_NO_PAD.encode(padded.concat())))]);
    assert_eq!(set(&[padded]).to_json(), keys.to_json(), "leading zeros are taken off");
}

#[test]
fn each_algorithm_verifies() {
    let rsa = Signer::new("r", keys::Algorithm::Rs256);
    let ec = Signer::new("e", keys::Algorithm::Es256);
    let keys = set(&[without(&rsa.jwk(), "alg"), ec.jwk()]);
    let cases = [(&rsa, Algorithm::RS256), (&rsa, Algorithm::PS256), (&ec, Algorithm::ES256)];
    for (signer, algorithm) in cases {
        for kid in [format!(r#","kid":"{}""#, signer.kid), String::new()] {
            let header = format!(r#"{{"alg":"{algorithm:?}"{kid}}}"#);
            let token = signer.sign_as(algorithm, &header, r#"{"a":1}"#);
            assert_eq!(read(&token, &keys), Ok(json!({ "a": 1 })), "{header}");
        }
    }
}

#[test]
fn a_longer_key_verifies() {
    let pair = RsaKeyPair::generate(KeySize::Rsa4096).expect("AWS-LC makes keys");
    let RsaPublicKeyComponents::<Vec<u8>> { n, e } = pair.public_key().into();
    let jwk = json!({ "kty": "RSA", "n": URL_SAFE_NO_PAD.encode(n), "e": URL_SAFE_NO_PAD.encode(e) });
    let der = AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).expect("its own form").as_ref().to_vec();
    let signer = Signer { kid: "big".into(), algorithm: Algorithm::RS256, jwk, der };
    assert!(read(&signer.token(&json!({ "kid": null }), &json!({})), &signer.keys()).is_ok());
}

#[test]
fn hostile_tokens_are_refused() {
    let rsa = Signer::new("r", keys::Algorithm::Rs256);
    let ec = Signer::new("e", keys::Algorithm::Es256);
    let stranger = Signer::new("r", keys::Algorithm::Rs256);
    let keys = set(&[rsa.jwk(), ec.jwk()]);
    let claims = json!({ "a": 1 });
    let good = rsa.token(&json!({}), &claims);
    let (message, signature) = good.rsplit_once('.').expect("three parts");
    let (header, payload) = message.split_once('.').expect("two parts");
    let reheaded = |header: &str| format!("{}.{payload}.{signature}", URL_SAFE_NO_PAD.encode(header));
    let unknown = |kid: Option<&str>| JwtProblem::UnknownKey { kid: kid.map(str::to_owned) };
    use JwtProblem::{Algorithm, Malformed, Signature, WrongType};
    let cases = [
        ("alg none", unsigned(r#"{"alg":"none","kid":"r"}"#, "{}"), Algorithm),
        ("alg None", unsigned(r#"{"alg":"None"}"#, "{}"), Algorithm),
        ("alg none, signed", reheaded(r#"{"alg":"none","kid":"r"}"#), Algorithm),
        ("alg missing", reheaded(r#"{"kid":"r"}"#), Malformed),
        ("alg twice", reheaded(r#"{"alg":"RS256","alg":"none","kid":"r"}"#), Malformed),
        ("kid twice", reheaded(r#"{"alg":"RS256","kid":"r","kid":"e"}"#), Malformed),
        ("alg longer", rsa.token(&json!({ "alg": "RS512" }), &claims), Algorithm),
        ("alg of the other kind", rsa.token(&json!({ "alg": "ES256" }), &claims), Algorithm),
        ("alg of the other kind, unnamed", rsa.token(&json!({ "alg": "ES256", "kid": null }), &claims), Signature),
        (
            "alg that the key is not for",
            rsa.sign_as(super::Algorithm::PS256, r#"{"alg":"PS256","kid":"r"}"#, "{}"),
            Algorithm,
        ),
        ("the name of another key", rsa.token(&json!({ "kid": "e" }), &claims), Algorithm),
        ("an unknown name", rsa.token(&json!({ "kid": "x" }), &claims), unknown(Some("x"))),
        ("an empty name", rsa.token(&json!({ "kid": "" }), &claims), unknown(Some(""))),
        ("a huge name", rsa.token(&json!({ "kid": "k".repeat(256) }), &claims), Malformed),
        ("a stranger", stranger.token(&json!({}), &claims), Signature),
        ("a stranger with its key", stranger.token(&json!({ "jwk": stranger.jwk() }), &claims), Signature),
        ("a stranger with an address", stranger.token(&json!({ "jku": "https://evil.test/jwks" }), &claims), Signature),
        ("crit", rsa.token(&json!({ "crit": ["b64"], "b64": false }), &claims), Malformed),
        ("crit null", rsa.sign(r#"{"alg":"RS256","kid":"r","crit":null}"#, "{}"), Malformed),
        ("another type", rsa.token(&json!({ "typ": "at+jwt" }), &claims), WrongType),
        ("a type of no type", rsa.token(&json!({ "typ": 1 }), &claims), Malformed),
        ("no signature", format!("{message}."), Signature),
        ("padded signature", format!("{good}=="), Signature),
        ("claims of no object", rsa.sign(r#"{"alg":"RS256","kid":"r"}"#, "[1]"), Malformed),
        ("claims of no JSON", rsa.sign(r#"{"alg":"RS256","kid":"r"}"#, "{"), Malformed),
        (
            "a header of no object",
            format!("{}.{payload}.{signature}", URL_SAFE_NO_PAD.encode(r#"["RS256"]"#)),
            Malformed,
        ),
        ("changed claims", format!("{header}.{}.{signature}", URL_SAFE_NO_PAD.encode("{}")), Signature),
        ("two parts", message.to_owned(), Malformed),
        ("four parts", format!("{good}.x"), Malformed),
        ("five parts", format!("{good}.x.y"), Malformed),
        ("padding", format!("{header}=.{payload}.{signature}"), Malformed),
        ("a space", format!(" {good}"), Malformed),
        ("JSON serialization", json!({ "payload": payload, "signatures": [] }).to_string(), Malformed),
        ("empty", String::new(), Malformed),
        ("dots", "..".to_owned(), Malformed),
        ("huge", rsa.token(&json!({}), &json!({ "a": "x".repeat(MAX_TOKEN) })), Malformed),
    ];
    for (what, token, problem) in cases {
        assert_eq!(read(&token, &keys), Err(problem), "{what}");
    }
    assert_eq!(read(&good, &keys), Ok(claims), "the control");
}

#[test]
fn the_public_key_is_no_shared_secret() {
    let rsa = Signer::new("r", keys::Algorithm::Rs256);
    let ec = Signer::new("e", keys::Algorithm::Es256);
    for signer in [&rsa, &ec] {
        let jwk = signer.jwk();
        let texts = ["n", "x", "y"].into_iter().filter_map(|name| jwk[name].as_str());
        let mut secrets: Vec<Vec<u8>> = texts.clone().map(|text| text.as_bytes().to_vec()).collect();
        secrets.extend(texts.map(|text| URL_SAFE_NO_PAD.decode(text).expect("base64url")));
        secrets.push(jwk.to_string().into_bytes());
        for secret in secrets {
            let header = json!({ "alg": "HS256", "kid": signer.kid }).to_string();
            let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode("{}"));
            let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &secret), message.as_bytes());
            let forged = format!("{message}.{}", URL_SAFE_NO_PAD.encode(tag));
            assert_eq!(read(&forged, &signer.keys()), Err(JwtProblem::Algorithm));
        }
    }
}

#[test]
fn types_are_media_types() {
    let signer = Signer::new("e", keys::Algorithm::Es256);
    let cases = [
        (json!(null), "JWT", true),
        (json!("jwt"), "JWT", true),
        (json!("application/JWT"), "JWT", true),
        (json!("APPLICATION/x+jwt"), "x+jwt", true),
        (json!("X+JWT"), "x+jwt", true),
        (json!(null), "x+jwt", false),
        (json!("application/"), "x+jwt", false),
        (json!("application/application/x+jwt"), "x+jwt", false),
        (json!("text/x+jwt"), "x+jwt", false),
        (json!("éééééééé"), "JWT", false),
    ];
    for (typ, wanted, accepted) in cases {
        let token = signer.token(&json!({ "typ": typ }), &json!({}));
        let got = verify::<Value>(&token, &signer.keys(), &["other", wanted]);
        assert_eq!(got.is_ok(), accepted, "{typ} {wanted}");
    }
}

#[test]
fn few_keys_are_tried() {
    let signers: Vec<Signer> = (0..6).map(|n| Signer::new(&n.to_string(), keys::Algorithm::Es256)).collect();
    let jwks: Vec<Value> = signers.iter().map(Signer::jwk).collect();
    let keys = set(&jwks);
    assert_eq!(keys.candidates(None, Algorithm::ES256).count(), MAX_TRIES);
    assert_eq!(keys.candidates(None, Algorithm::RS256).count(), 0);
    assert_eq!(keys.candidates(Some("5"), Algorithm::ES256).count(), 1);
    assert_eq!(keys.candidates(Some("5"), Algorithm::RS256).count(), 0);
    let nameless = |signer: &Signer| signer.token(&json!({ "kid": null }), &json!({}));
    assert!(read(&nameless(&signers[3]), &keys).is_ok());
    assert_eq!(read(&nameless(&signers[4]), &keys), Err(JwtProblem::Signature));
    assert!(read(&signers[5].token(&json!({}), &json!({})), &keys).is_ok());
    let none = Signer::new("r", keys::Algorithm::Rs256);
    assert_eq!(read(&nameless(&none), &keys), Err(JwtProblem::UnknownKey { kid: None }));
}

//! The provider's signing keys. A key is parsed once and signs many times; where it is stored, sealed and
//! rotated is not known here. Key generation and signing use AWS-LC's own randomness.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair, RsaPublicKeyComponents,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::DecodingKey;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// How a token is signed (RFC 7518 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256; our RSA keys have 2048 bits (RFC 7518 3.3).
    #[serde(rename = "RS256")]
    Rs256,
    /// ECDSA on P-256 with SHA-256 (RFC 7518 3.4).
    #[serde(rename = "ES256")]
    Es256,
}

impl Algorithm {
    /// The value of `alg` on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
        }
    }

    pub(crate) fn for_verification(self) -> jsonwebtoken::Algorithm {
        match self {
            Self::Rs256 => jsonwebtoken::Algorithm::RS256,
            Self::Es256 => jsonwebtoken::Algorithm::ES256,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Algorithm {
    type Err = KeyError;

    fn from_str(name: &str) -> Result<Self, KeyError> {
        match name {
            "RS256" => Ok(Self::Rs256),
            "ES256" => Ok(Self::Es256),
            _ => Err(KeyError::UnknownAlgorithm),
        }
    }
}

/// What can go wrong with a key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// Neither `RS256` nor `ES256`.
    #[error("unknown signing algorithm, use RS256 or ES256")]
    UnknownAlgorithm,
    /// AWS-LC could not make a key.
    #[error("could not generate a signing key")]
    Generate,
    /// The bytes are no PKCS#8 key, or one for another algorithm.
    #[error("the signing key does not fit its algorithm")]
    Unreadable,
    /// The claims could not be written as JSON.
    #[error("could not write the token's claims")]
    Claims(#[source] serde_json::Error),
    /// AWS-LC could not sign.
    #[error("could not sign the token")]
    Sign,
}

/// The kinds of token that are signed here, told apart by `typ` (RFC 9068 2.1, OpenID Connect Back-Channel Logout 2.4).
#[derive(Clone, Copy)]
pub(crate) enum TokenType {
    Id,
    Access,
    Logout,
}

impl TokenType {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Id => "JWT",
            Self::Access => "at+jwt",
            Self::Logout => "logout+jwt",
        }
    }
}

/// A private key with its name; cheap to clone.
#[derive(Clone)]
pub struct SigningKey(Arc<Inner>);

struct Inner {
    kid: String,
    pair: Pair,
    public: Value,
    verifier: DecodingKey,
    // The encoded JOSE headers never change, so they are written once.
    id_header: String,
    access_header: String,
    logout_header: String,
}

// jsonwebtoken's own `encode` reads and checks the private key again for each signature: 3.3 ms where the RSA
// signature itself takes 0.6 ms. So signatures are made here, and jsonwebtoken only verifies.
enum Pair {
    Rsa(RsaKeyPair),
    Ec(EcdsaKeyPair),
}

impl SigningKey {
    /// Makes a new private key and returns it as PKCS#8 DER (RFC 5208); the caller seals it.
    pub fn generate(algorithm: Algorithm) -> Result<Vec<u8>, KeyError> {
        let pkcs8 = match algorithm {
            Algorithm::Rs256 => rsa_pkcs8(),
            Algorithm::Es256 => EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)
                .and_then(|pair| Ok(pair.to_pkcs8v1()?.as_ref().to_vec())),
        };
        pkcs8.map_err(|_| KeyError::Generate)
    }

    /// Reads a key that [`SigningKey::generate`] made.
    pub fn from_pkcs8(kid: &str, algorithm: Algorithm, der: &[u8]) -> Result<Self, KeyError> {
        let (pair, public, verifier) = match algorithm {
            Algorithm::Rs256 => read_rsa(kid, der)?,
            Algorithm::Es256 => read_ec(kid, der)?,
        };
        Ok(Self(Arc::new(Inner {
            kid: kid.to_owned(),
            pair,
            public,
            verifier,
            id_header: header(kid, algorithm, TokenType::Id),
            access_header: header(kid, algorithm, TokenType::Access),
            logout_header: header(kid, algorithm, TokenType::Logout),
        })))
    }

    /// The key's name, which tokens carry (RFC 7515 4.1.4).
    pub fn kid(&self) -> &str {
        &self.0.kid
    }

    /// What this key signs with.
    pub fn algorithm(&self) -> Algorithm {
        match self.0.pair {
            Pair::Rsa(_) => Algorithm::Rs256,
            Pair::Ec(_) => Algorithm::Es256,
        }
    }

    /// The public half, as it stands in the key set (RFC 7517 4, RFC 7518 6).
    pub fn jwk(&self) -> Value {
        self.0.public.clone()
    }

    pub(crate) fn verifier(&self) -> &DecodingKey {
        &self.0.verifier
    }

    // RFC 7515 7.1: header, payload and signature, each in base64url, joined by dots.
    pub(crate) fn sign(&self, kind: TokenType, claims: &impl Serialize) -> Result<String, KeyError> {
        let header = match kind {
            TokenType::Id => &self.0.id_header,
            TokenType::Access => &self.0.access_header,
            TokenType::Logout => &self.0.logout_header,
        };
        let claims = serde_json::to_vec(claims).map_err(KeyError::Claims)?;
        let mut token = String::with_capacity(header.len() + claims.len() * 4 / 3 + 350);
        token.push_str(header);
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(claims, &mut token);
        let signature = self.signature(token.as_bytes())?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Ok(token)
    }

    fn signature(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        let random = SystemRandom::new();
        match &self.0.pair {
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).map_err(|_| KeyError::Sign)?;
                Ok(signature)
            }
            Pair::Ec(pair) => {
                let signature = pair.sign(&random, message).map_err(|_| KeyError::Sign)?;
                Ok(signature.as_ref().to_vec())
            }
        }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("kid", &self.kid()).field("algorithm", &self.algorithm()).finish()
    }
}

/// The public halves as the document of `/oauth2/jwks` (RFC 7517 5).
pub fn key_set<'a>(keys: impl IntoIterator<Item = &'a SigningKey>) -> Value {
    let keys: Vec<Value> = keys.into_iter().map(SigningKey::jwk).collect();
    json!({ "keys": keys })
}

fn rsa_pkcs8() -> Result<Vec<u8>, Unspecified> {
    let der: Pkcs8V1Der<'_> = RsaKeyPair::generate(KeySize::Rsa2048)?.as_der()?;
    Ok(der.as_ref().to_vec())
}

fn read_rsa(kid: &str, der: &[u8]) -> Result<(Pair, Value, DecodingKey), KeyError> {
    let pair = RsaKeyPair::from_pkcs8(der).map_err(|_| KeyError::Unreadable)?;
    let RsaPublicKeyComponents::<Vec<u8>> { n, e } = pair.public_key().into();
    let public = json!({
        "kty": "RSA", "use": "sig", "alg": Algorithm::Rs256, "kid": kid,
        "n": URL_SAFE_NO_PAD.encode(&n), "e": URL_SAFE_NO_PAD.encode(&e),
    });
    Ok((Pair::Rsa(pair), public, DecodingKey::from_rsa_raw_components(&n, &e)))
}

fn read_ec(kid: &str, der: &[u8]) -> Result<(Pair, Value, DecodingKey), KeyError> {
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der).map_err(|_| KeyError::Unreadable)?;
    // SEC 1 2.3.3: an uncompressed point is 0x04, then x and y of 32 bytes each.
    let point = pair.public_key().as_ref();
    let (Some(x), Some(y)) = (point.get(1..33), point.get(33..65)) else { return Err(KeyError::Unreadable) };
    let public = json!({
        "kty": "EC", "use": "sig", "alg": Algorithm::Es256, "kid": kid, "crv": "P-256",
        "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y),
    });
    let verifier = DecodingKey::from_ec_der(point);
    Ok((Pair::Ec(pair), public, verifier))
}

fn header(kid: &str, algorithm: Algorithm, kind: TokenType) -> String {
    let header = json!({ "typ": kind.as_str(), "alg": algorithm, "kid": kid });
    URL_SAFE_NO_PAD.encode(header.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generated_key_signs_what_its_public_half_verifies() {
        for algorithm in [Algorithm::Rs256, Algorithm::Es256] {
            let der = SigningKey::generate(algorithm).expect("AWS-LC makes keys");
            let key = SigningKey::from_pkcs8("k1", algorithm, &der).expect("its own key");
            assert_eq!((key.kid(), key.algorithm()), ("k1", algorithm));

            let token = key.sign(TokenType::Access, &json!({ "a": 1 })).expect("signs");
            let jwk: jsonwebtoken::jwk::Jwk = serde_json::from_value(key.jwk()).expect("a JWK");
            let public = DecodingKey::from_jwk(&jwk).expect("a public key");
            let mut validation = jsonwebtoken::Validation::new(algorithm.for_verification());
            validation.validate_exp = false;
            validation.required_spec_claims.clear();
            for verifier in [&public, key.verifier()] {
                let read = jsonwebtoken::decode::<Value>(&token, verifier, &validation).expect("verifies");
                assert_eq!(read.claims, json!({ "a": 1 }));
                assert_eq!(read.header.typ.as_deref(), Some("at+jwt"));
                assert_eq!(read.header.kid.as_deref(), Some("k1"));
            }
        }
    }

    #[test]
    fn the_public_half_has_exactly_the_public_members() {
        let members = |algorithm| {
            let der = SigningKey::generate(algorithm).expect("AWS-LC makes keys");
            let jwk = SigningKey::from_pkcs8("k", algorithm, &der).expect("its own key").jwk();
            let mut names: Vec<String> = jwk.as_object().expect("an object").keys().cloned().collect();
            names.sort();
            names.join(" ")
        };
        assert_eq!(members(Algorithm::Rs256), "alg e kid kty n use");
        assert_eq!(members(Algorithm::Es256), "alg crv kid kty use x y");
    }

    #[test]
    fn a_key_of_the_other_kind_is_refused() {
        let rsa = SigningKey::generate(Algorithm::Rs256).expect("AWS-LC makes keys");
        let ec = SigningKey::generate(Algorithm::Es256).expect("AWS-LC makes keys");
        for (algorithm, der) in [(Algorithm::Rs256, &ec), (Algorithm::Es256, &rsa), (Algorithm::Rs256, &vec![1, 2])] {
            assert!(SigningKey::from_pkcs8("k", algorithm, der).is_err());
        }
    }

    #[test]
    fn a_key_prints_no_secret() {
        let der = SigningKey::generate(Algorithm::Es256).expect("AWS-LC makes keys");
        let key = SigningKey::from_pkcs8("k1", Algorithm::Es256, &der).expect("its own key");
        assert_eq!(format!("{key:?}"), r#"SigningKey { kid: "k1", algorithm: Es256 }"#);
    }

    #[test]
    fn algorithms_have_names() {
        for name in ["RS256", "ES256"] {
            assert_eq!(name.parse::<Algorithm>().expect(name).to_string(), name);
        }
        for name in ["none", "HS256", "rs256", ""] {
            assert!(name.parse::<Algorithm>().is_err(), "{name}");
        }
    }
}

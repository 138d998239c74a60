//! The public keys of somebody else, a client's or an identity provider's, and the tokens that they sign.
//! Where a set comes from, and when it is fetched again, is not known here.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ParsedPublicKey};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json};

const MAX_KEYS: usize = 20;
const MAX_KID: usize = 255;
// How many keys are tried when the token does not name one: each try costs a signature check.
const MAX_TRIES: usize = 4;
/// The longest token that is worth a signature check.
pub(crate) const MAX_TOKEN: usize = 8192;
// RFC 7518 6.2.2, 6.3.2 and 6.4.1.
const PRIVATE_MEMBERS: [&str; 7] = ["d", "p", "q", "dp", "dq", "qi", "k"];

/// The signature keys of one party (RFC 7517 5); what we cannot use is left out.
#[derive(Clone, Debug)]
pub struct KeySet(Vec<PublicKey>);

#[derive(Clone, Debug)]
struct PublicKey {
    kid: Option<String>,
    // What the key may be used with: its kind decides, and its `alg` narrows it.
    algorithms: Vec<Algorithm>,
    public: Value,
    verifier: DecodingKey,
}

impl KeySet {
    /// Reads a JWK set (RFC 7517 5); the error is a sentence for whoever registers it.
    pub fn parse(json: &Value) -> Result<Self, String> {
        let Some(members) = json.get("keys").and_then(Value::as_array) else {
            return Err("The key set must be a JSON object with an array named keys.".to_owned());
        };
        if members.len() > MAX_KEYS {
            return Err(format!("The key set has more than {MAX_KEYS} keys; keep only those that are in use."));
        }
        let mut keys: Vec<PublicKey> = Vec::with_capacity(members.len());
        for (index, member) in members.iter().enumerate() {
            let place = index + 1;
            let Some(key) = PublicKey::parse(member).map_err(|reason| format!("Key {place} of the set {reason}."))?
            else {
                continue;
            };
            if key.kid.is_some() && keys.iter().any(|other| other.kid == key.kid) {
                return Err(format!("Key {place} of the set has the kid of another key; give each its own."));
            }
            keys.push(key);
        }
        if keys.is_empty() {
            return Err("The key set has no usable key; it needs a signature key for RS256, PS256 or ES256.".to_owned());
        }
        Ok(Self(keys))
    }

    /// Whether a usable key has this name.
    pub fn has_kid(&self, kid: &str) -> bool {
        self.0.iter().any(|key| key.kid.as_deref() == Some(kid))
    }

    /// The set as it may be stored and shown: usable keys only, and of them the public members only.
    pub fn to_json(&self) -> Value {
        let keys: Vec<&Value> = self.0.iter().map(|key| &key.public).collect();
        json!({ "keys": keys })
    }

    /// The keys that may have signed: the named one, or those few that fit when none is named (RFC 7515 appendix D).
    pub(crate) fn candidates(&self, kid: Option<&str>, alg: Algorithm) -> impl Iterator<Item = &DecodingKey> {
        self.0
            .iter()
            .filter(move |key| kid.is_none() || key.kid.as_deref() == kid)
            .filter(move |key| key.algorithms.contains(&alg))
            .map(|key| &key.verifier)
            .take(MAX_TRIES)
    }
}

impl PublicKey {
    // RFC 7517 5: a key that is not understood is no error; one that shows a mistake is.
    fn parse(member: &Value) -> Result<Option<Self>, &'static str> {
        let member = member.as_object().ok_or("is not a JSON object")?;
        if PRIVATE_MEMBERS.into_iter().any(|name| member.contains_key(name)) {
            return Err("holds a private key; register the public half only");
        }
        let algorithms = algorithms(member);
        if algorithms.is_empty() || !is_for_signatures(member) {
            return Ok(None);
        }
        let kid = match member.get("kid") {
            None => None,
            Some(Value::String(kid)) if kid.len() <= MAX_KID && !kid.chars().any(char::is_control) => Some(kid.clone()),
            Some(_) => return Err("has a kid that is not a string of at most 255 characters"),
        };
        let is_ec = algorithms.contains(&Algorithm::ES256);
        let (mut public, verifier) = if is_ec { read_ec(member)? } else { read_rsa(member)? };
        for name in ["kid", "alg"] {
            if let Some(value) = member.get(name) {
                public[name] = value.clone();
            }
        }
        Ok(Some(Self { kid, algorithms, public, verifier }))
    }
}

/// What the key's kind can do, narrowed by its `alg` (RFC 7517 4.4); nothing if we do not support it.
fn algorithms(member: &Map<String, Value>) -> Vec<Algorithm> {
    let text = |name: &str| member.get(name).and_then(Value::as_str);
    let of_kind: &[(&str, Algorithm)] = match (text("kty"), text("crv")) {
        (Some("RSA"), _) => &[("RS256", Algorithm::RS256), ("PS256", Algorithm::PS256)],
        (Some("EC"), Some("P-256")) => &[("ES256", Algorithm::ES256)],
        _ => &[],
    };
    let is_allowed = |name: &str| member.get("alg").is_none_or(|alg| alg.as_str() == Some(name));
    of_kind.iter().filter(|(name, _)| is_allowed(name)).map(|(_, algorithm)| *algorithm).collect()
}

// RFC 7517 4.2 and 4.3: both members are optional, and either may say that the key encrypts.
fn is_for_signatures(member: &Map<String, Value>) -> bool {
    let verifies = |operations: &Value| {
        operations.as_array().is_some_and(|operations| operations.iter().any(|operation| operation == "verify"))
    };
    member.get("use").is_none_or(|usage| usage == "sig") && member.get("key_ops").is_none_or(verifies)
}

// RFC 7518 6.3.1.
fn read_rsa(member: &Map<String, Value>) -> Result<(Value, DecodingKey), &'static str> {
    let number = |name| bytes(member, name).map(|bytes| without_leading_zeros(&bytes).to_vec());
    let n = number("n").ok_or("has no n in base64url")?;
    let e = number("e").ok_or("has no e in base64url")?;
    match bits(&n) {
        ..2048 => return Err("is shorter than 2048 bits"),
        8193.. => return Err("is longer than 8192 bits"),
        _ => {}
    }
    let is_odd = |number: &[u8]| number.last().is_some_and(|byte| byte % 2 == 1);
    // AWS-LC computes with exponents of at most 33 bits.
    if !is_odd(&e) || bits(&e) < 2 || bits(&e) > 33 {
        return Err("has an exponent that is not an odd number from 3 to 2^33");
    }
    if !is_odd(&n) {
        return Err("has an even n, which no RSA key has");
    }
    let public =
        json!({ "kty": "RSA", "use": "sig", "n": URL_SAFE_NO_PAD.encode(&n), "e": URL_SAFE_NO_PAD.encode(&e) });
    Ok((public, DecodingKey::from_rsa_raw_components(&n, &e)))
}

// RFC 7518 6.2.1: both coordinates have the full length of the field.
fn read_ec(member: &Map<String, Value>) -> Result<(Value, DecodingKey), &'static str> {
    let coordinate = |name| bytes(member, name).filter(|bytes| bytes.len() == 32);
    let x = coordinate("x").ok_or("has no x of 32 bytes in base64url")?;
    let y = coordinate("y").ok_or("has no y of 32 bytes in base64url")?;
    // SEC 1 2.3.3: an uncompressed point.
    let point = [&[4], x.as_slice(), y.as_slice()].concat();
    if ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &point).is_err() {
        return Err("is not a point of the curve P-256");
    }
    let public = json!({
        "kty": "EC", "use": "sig", "crv": "P-256", "x": URL_SAFE_NO_PAD.encode(&x), "y": URL_SAFE_NO_PAD.encode(&y),
    });
    Ok((public, DecodingKey::from_ec_der(&point)))
}

fn bytes(member: &Map<String, Value>, name: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(member.get(name)?.as_str()?).ok()
}

fn without_leading_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    &number[zeros..]
}

fn bits(number: &[u8]) -> usize {
    match number.first() {
        Some(first) => number.len() * 8 - first.leading_zeros() as usize,
        None => 0,
    }
}

/// Why a token is not one of the party that holds the keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum JwtProblem {
    /// No JWT, or one with claims of the wrong form.
    Malformed,
    /// `typ` names another kind of token.
    WrongType,
    /// Neither RS256, PS256 nor ES256, or not one that the named key is for.
    Algorithm,
    /// No key of the set has this name, or none is named and none fits the algorithm.
    UnknownKey { kid: Option<String> },
    /// The key did not sign this.
    Signature,
}

/// Verifies a token and reads its claims; time, issuer and audience are the caller's to judge (RFC 7515 5.2).
///
/// `types` are those that `typ` may name. A token without `typ` counts as `JWT` (RFC 7519 5.1).
pub(crate) fn verify<T: DeserializeOwned>(token: &str, keys: &KeySet, types: &[&str]) -> Result<T, JwtProblem> {
    let parts = Parts::of_type(token, types)?;
    let algorithm = match parts.header.alg.as_str() {
        "RS256" => Algorithm::RS256,
        "PS256" => Algorithm::PS256,
        "ES256" => Algorithm::ES256,
        _ => return Err(JwtProblem::Algorithm),
    };
    let kid = parts.header.kid.as_deref();
    let mut candidates = keys.candidates(kid, algorithm).peekable();
    if candidates.peek().is_none() {
        return Err(match kid {
            Some(kid) if keys.has_kid(kid) => JwtProblem::Algorithm,
            _ => JwtProblem::UnknownKey { kid: kid.map(str::to_owned) },
        });
    }
    if !candidates.any(|key| parts.is_signed_by(key, algorithm)) {
        return Err(JwtProblem::Signature);
    }
    parts.claims()
}

/// What a token says, nothing of it proved: whether it is worth fetching keys for it.
pub(crate) fn unproven<T: DeserializeOwned>(token: &str, types: &[&str]) -> Result<T, JwtProblem> {
    Parts::of_type(token, types)?.claims()
}

/// A token cut into its parts (RFC 7515 7.1), nothing of it proved.
pub(crate) struct Parts<'a> {
    pub(crate) header: Header,
    message: &'a str,
    payload: &'a str,
    signature: &'a str,
}

/// What we read of a JOSE header; a key that it brings (`jwk`, `jku`, `x5c`, `x5u`) is never looked at (RFC 8725 3.10).
#[derive(Deserialize)]
pub(crate) struct Header {
    pub(crate) alg: String,
    pub(crate) typ: Option<String>,
    pub(crate) kid: Option<String>,
    // Even `null` counts as sent.
    #[serde(default, deserialize_with = "sent")]
    crit: bool,
}

impl Header {
    // RFC 7515 4.1.9: `application/` may be left out.
    fn media_type(&self) -> &str {
        let typ = self.typ.as_deref().unwrap_or("JWT");
        match typ.split_at_checked("application/".len()) {
            Some((prefix, rest)) if prefix.eq_ignore_ascii_case("application/") => rest,
            _ => typ,
        }
    }
}

fn sent<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    serde::de::IgnoredAny::deserialize(deserializer).map(|_| true)
}

impl<'a> Parts<'a> {
    pub(crate) fn read(token: &'a str) -> Result<Self, JwtProblem> {
        if token.len() > MAX_TOKEN {
            return Err(JwtProblem::Malformed);
        }
        let (message, signature) = token.rsplit_once('.').ok_or(JwtProblem::Malformed)?;
        let (header, payload) = message.split_once('.').ok_or(JwtProblem::Malformed)?;
        if payload.contains('.') {
            return Err(JwtProblem::Malformed);
        }
        let header: Header = decode(header)?;
        // RFC 7515 4.1.11: an extension that is not understood makes the token invalid, and we understand none.
        let is_strange = header.crit || header.kid.as_ref().is_some_and(|kid| kid.len() > MAX_KID);
        if is_strange {
            return Err(JwtProblem::Malformed);
        }
        Ok(Self { header, message, payload, signature })
    }

    fn of_type(token: &'a str, types: &[&str]) -> Result<Self, JwtProblem> {
        let parts = Self::read(token)?;
        if types.iter().any(|wanted| wanted.eq_ignore_ascii_case(parts.header.media_type())) {
            return Ok(parts);
        }
        Err(JwtProblem::WrongType)
    }

    /// Whether this key made the signature; never with a key of another kind, whatever the header says.
    pub(crate) fn is_signed_by(&self, key: &DecodingKey, algorithm: Algorithm) -> bool {
        jsonwebtoken::crypto::verify(self.signature, self.message.as_bytes(), key, algorithm).unwrap_or(false)
    }

    pub(crate) fn claims<T: DeserializeOwned>(&self) -> Result<T, JwtProblem> {
        decode(self.payload)
    }
}

// A member that stands twice is refused by serde, for all members that we read (RFC 7519 4).
fn decode<T: DeserializeOwned>(part: &str) -> Result<T, JwtProblem> {
    let json = URL_SAFE_NO_PAD.decode(part).map_err(|_| JwtProblem::Malformed)?;
    // serde would fill a struct from an array too.
    if json.trim_ascii_start().first() != Some(&b'{') {
        return Err(JwtProblem::Malformed);
    }
    serde_json::from_slice(&json).map_err(|_| JwtProblem::Malformed)
}

/// `aud`: one name or several (RFC 7519 4.1.3).
#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum Audience {
    One(String),
    Several(Vec<String>),
}

impl Audience {
    pub(crate) fn names(&self) -> &[String] {
        match self {
            Self::One(name) => std::slice::from_ref(name),
            Self::Several(names) => names,
        }
    }
}

/// A NumericDate in whole seconds (RFC 7519 2); a fraction is cut off.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Seconds(pub(crate) i64);

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = serde_json::Number::deserialize(deserializer)?;
        // A float beyond the range becomes its nearest end.
        let seconds = number.as_i64().or_else(|| number.as_f64().map(|seconds| seconds as i64));
        seconds.map(Self).ok_or_else(|| serde::de::Error::custom("not a number of seconds"))
    }
}

/// Whether a `jti` can be remembered.
pub(crate) fn is_token_id(jti: &str) -> bool {
    (1..=255).contains(&jti.chars().count()) && !jti.chars().any(char::is_control)
}

#[cfg(test)]
pub(crate) mod tests;

//! An identity provider asks that all sessions of a person end (draft-parecki-oauth-global-token-revocation-04;
//! Okta calls it Universal Logout). Who the person is, and whether a `jti` was seen before, is not known here.

use serde::Deserialize;
use serde_json::Value;
use time::{Duration, OffsetDateTime};

use crate::jwk::{self, Audience, JwtProblem, KeySet, Seconds};

const TYPE: &str = "global-token-revocation+jwt";
const MAX_LIFETIME: Duration = Duration::minutes(5);
const MAX_BODY: usize = 16 * 1024;
const MAX_NAME: usize = 500;

/// Who may send, and where to.
#[derive(Clone, Copy, Debug)]
pub struct Sender<'a> {
    /// `iss`: the organization's URL at the identity provider.
    pub issuer: &'a str,
    /// `sub`: our client id there, or the id of the SAML app; any, if none is expected.
    pub subject: Option<&'a str>,
    /// `aud`: the URL that was called.
    pub endpoint: &'a str,
}

/// A token that the identity provider signed. The caller refuses a `jti` of this sender that it has seen before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proven {
    /// The token's own name.
    pub jti: String,
    /// When it is refused for its age alone: its `exp` and the skew. Until then its name has to be remembered.
    pub expires_at: OffsetDateTime,
}

/// Why the token of a request proves nothing: a sentence for the identity provider's admin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// No JWT, or one without what it needs.
    #[error("{0}")]
    Malformed(&'static str),
    /// `typ` names another kind of token.
    #[error("The typ of the token is not global-token-revocation+jwt; send a token made for this request.")]
    WrongType,
    /// The caller may fetch the keys again, because they may have been rotated.
    #[error("The token is signed by a key that is not among the issuer's published keys; check the issuer.")]
    UnknownKey {
        /// The key's name as it was sent; at most 255 bytes.
        kid: Option<String>,
    },
    /// The key did not sign this.
    #[error("The signature of the token was not made by the issuer's published key; check the issuer.")]
    Signature,
    /// `iss` is another.
    #[error("The iss of the token is not the issuer of this connection; check the issuer URL of the connection.")]
    Issuer,
    /// `aud` does not name us.
    #[error("The aud of the token is not this endpoint; check the logout endpoint URL at the identity provider.")]
    Audience,
    /// `sub` is another app.
    #[error("The sub of the token is not the app of this connection; check the client id or the SAML app's id.")]
    Subject,
    /// `exp` has passed.
    #[error("The token has expired; send a new one, and check the clock of the identity provider.")]
    Expired,
    /// `iat` or `nbf` lies ahead.
    #[error("The token is not valid yet; check the clock of the identity provider.")]
    NotYet,
    /// `exp` is too far away.
    #[error("The exp of the token is more than 5 minutes ahead; set it nearer.")]
    TooLong,
    /// `jti` is missing or cannot be remembered.
    #[error("The token needs a jti of 1 to 255 characters, a new one each time.")]
    NoId,
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

/// Verifies the bearer token of a request; `skew` is how far the sender's clock may be off.
pub fn verify(
    token: &str,
    keys: &KeySet,
    sender: &Sender<'_>,
    now: OffsetDateTime,
    skew: Duration,
) -> Result<Proven, Refused> {
    judge(jwk::verify(token, keys, &[TYPE])?, sender, now, skew)
}

/// Judges what a token says before anybody knows who signed it: one that says the wrong thing is worth no fetching of keys.
pub fn check_unproven(token: &str, sender: &Sender<'_>, now: OffsetDateTime, skew: Duration) -> Result<(), Refused> {
    judge(jwk::unproven(token, &[TYPE])?, sender, now, skew).map(|_| ())
}

fn judge(claims: Claims, sender: &Sender<'_>, now: OffsetDateTime, skew: Duration) -> Result<Proven, Refused> {
    if claims.iss.as_deref() != Some(sender.issuer) {
        return Err(Refused::Issuer);
    }
    let audiences = claims.aud.as_ref().map(Audience::names).unwrap_or_default();
    if !audiences.iter().any(|name| name == sender.endpoint) {
        return Err(Refused::Audience);
    }
    if sender.subject.is_some() && claims.sub.as_deref() != sender.subject {
        return Err(Refused::Subject);
    }
    let expires_at = check_times(&claims, now, skew)?;
    match claims.jti {
        Some(jti) if jwk::is_token_id(&jti) => Ok(Proven { jti, expires_at }),
        _ => Err(Refused::NoId),
    }
}

fn check_times(claims: &Claims, now: OffsetDateTime, skew: Duration) -> Result<OffsetDateTime, Refused> {
    let at = |time: OffsetDateTime| Seconds(time.unix_timestamp());
    let exp = claims.exp.ok_or(Refused::Malformed("The token has no exp; set it at most 5 minutes ahead."))?;
    let iat = claims.iat.ok_or(Refused::Malformed("The token has no iat; set it to the time when it is made."))?;
    if exp <= at(now - skew) {
        return Err(Refused::Expired);
    }
    if exp > at(now + MAX_LIFETIME + skew) {
        return Err(Refused::TooLong);
    }
    if claims.nbf.unwrap_or(iat).max(iat) > at(now + skew) {
        return Err(Refused::NotYet);
    }
    let expires_at = OffsetDateTime::from_unix_timestamp(exp.0).map_err(|_| Refused::TooLong)?;
    Ok(expires_at + skew)
}

impl From<JwtProblem> for Refused {
    fn from(problem: JwtProblem) -> Self {
        match problem {
            JwtProblem::Malformed => Self::Malformed(
                "The bearer token is not a JWT that can be read: three base64url parts of at most 8192 bytes, each \
                 claim once and of its type, no crit header.",
            ),
            JwtProblem::WrongType => Self::WrongType,
            JwtProblem::Algorithm => Self::Malformed(
                "The token must be signed with RS256, PS256 or ES256, and with the algorithm of the key that it names.",
            ),
            JwtProblem::UnknownKey { kid } => Self::UnknownKey { kid },
            JwtProblem::Signature => Self::Signature,
        }
    }
}

/// Whose sessions end (RFC 9493 3.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubjectId {
    /// By e-mail address.
    Email(String),
    /// By the name that an issuer, an OpenID provider or a SAML identity provider, gave.
    IssSub {
        /// The issuer.
        iss: String,
        /// `sub`, or the SAML NameID.
        sub: String,
    },
    /// By an id without further meaning.
    Opaque(String),
}

/// Why a body names nobody.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubjectProblem {
    /// Answered with 400.
    #[error("{0}")]
    Malformed(&'static str),
    /// Answered with 422: well formed, but we know no one by it.
    #[error("This format of sub_id is not supported; use email, iss_sub or opaque.")]
    Unsupported,
}

#[derive(Deserialize)]
struct Body {
    sub_id: Identifier,
}

// Of any type, because only the members of its own format count.
#[derive(Deserialize)]
struct Identifier {
    format: Value,
    email: Option<Value>,
    iss: Option<Value>,
    sub: Option<Value>,
    id: Option<Value>,
}

/// Reads the body of a request (draft 3, RFC 9493 3.2); members that we do not know are ignored (RFC 9493 3).
pub fn subject(body: &[u8]) -> Result<SubjectId, SubjectProblem> {
    if body.len() > MAX_BODY {
        return Err(SubjectProblem::Malformed("The body is longer than 16 KB."));
    }
    let malformed = SubjectProblem::Malformed("The body must be a JSON object with sub_id, an object with a format.");
    // Read twice: the first time for its shape, as serde would fill a struct from an array too; the second time
    // because only a struct refuses a member that stands twice.
    let shape: Option<Value> = serde_json::from_slice(body).ok();
    if !shape.is_some_and(|shape| shape.is_object() && shape["sub_id"].is_object()) {
        return Err(malformed);
    }
    let Ok(Body { sub_id }) = serde_json::from_slice(body) else { return Err(malformed) };
    let Value::String(format) = sub_id.format else { return Err(malformed) };
    match format.as_str() {
        "email" => Ok(SubjectId::Email(name(sub_id.email)?)),
        "iss_sub" => Ok(SubjectId::IssSub { iss: name(sub_id.iss)?, sub: name(sub_id.sub)? }),
        "opaque" => Ok(SubjectId::Opaque(name(sub_id.id)?)),
        _ => Err(SubjectProblem::Unsupported),
    }
}

fn name(member: Option<Value>) -> Result<String, SubjectProblem> {
    match member {
        Some(Value::String(text))
            if (1..=MAX_NAME).contains(&text.chars().count()) && !text.chars().any(char::is_control) =>
        {
            Ok(text)
        }
        _ => Err(SubjectProblem::Malformed(
            "The members of sub_id that its format needs must be strings of 1 to 500 characters.",
        )),
    }
}

#[cfg(test)]
mod tests;

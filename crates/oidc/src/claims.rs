//! What tokens say: the ID token for the app, the access token for our own endpoints and the app's, and userinfo.
//! Whether a session or grant still lives is not known here.

use std::collections::BTreeMap;

use aws_lc_rs::digest;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::Validation;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::error::{ErrorCode, OAuthError};
use crate::keys::{KeyError, SigningKey, TokenType};
use crate::scope::{Scope, Scopes};

// Ours are about 1.2 KB; nothing longer is worth a signature check.
const MAX_TOKEN: usize = 8192;

/// Who signed in, and how: the source of every claim about a person.
#[derive(Clone, Debug, Default)]
pub struct Subject<'a> {
    /// `sub`: the user's id, never the e-mail (OpenID Connect Core 2 and 5.7).
    pub user_id: Uuid,
    /// `email`.
    pub email: Option<&'a str>,
    /// `email_verified`: whether the address belongs to a domain that the tenant has proved.
    pub email_verified: bool,
    /// `name`, `given_name`, `family_name` and `locale` (OpenID Connect Core 5.1).
    pub name: Option<&'a str>,
    /// See `name`.
    pub given_name: Option<String>,
    /// See `name`.
    pub family_name: Option<String>,
    /// See `name`.
    pub locale: Option<String>,
    /// `tenant_id`.
    pub tenant_id: Uuid,
    /// `connection_id`: by which connection.
    pub connection_id: Option<Uuid>,
    /// `idp`: the entity ID of the identity provider; none if it was not asked.
    pub idp: Option<&'a str>,
    /// `acr`: the class of authentication as the identity provider names it (OpenID Connect Core 2).
    pub acr: Option<&'a str>,
    /// `amr`: the methods (RFC 8176).
    pub amr: Vec<&'static str>,
    /// `roles` in the application that asks.
    pub roles: &'a [String],
    /// `groups`; none if they were not looked up.
    pub groups: Option<Groups>,
    /// `attrs`: the attributes for access control, each with one value or a list.
    pub attrs: BTreeMap<String, Value>,
    /// `sid`: the session at the gateway.
    pub session_id: Uuid,
    /// `auth_time`: when the identity provider authenticated the user.
    pub auth_time: Option<OffsetDateTime>,
    /// `session_expiry`: when the session ends at the latest, whatever is refreshed (OpenID IPSIE SL1).
    pub session_expiry: Option<OffsetDateTime>,
}

/// The names of somebody's groups.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Groups {
    /// As many as are told.
    pub names: Vec<String>,
    /// Whether there are more.
    pub more: bool,
}

impl Subject<'_> {
    /// The claims about the person that a scope asks for (OpenID Connect Core 5.4). Roles are always in tokens, because an
    /// application that knows who somebody is and not what they may do would have to guess.
    fn told(&self, scope: Scopes) -> Map<String, Value> {
        let mut claims = Map::new();
        let mut say = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                claims.insert(name.to_owned(), value);
            }
        };
        if scope.contains(Scope::Email) {
            say("email", self.email.map(|email| json!(email)));
            say("email_verified", self.email.map(|_| json!(self.email_verified)));
        }
        if scope.contains(Scope::Profile) {
            say("name", self.name.map(|name| json!(name)));
            say("given_name", self.given_name.as_ref().map(|name| json!(name)));
            say("family_name", self.family_name.as_ref().map(|name| json!(name)));
            say("locale", self.locale.as_ref().map(|locale| json!(locale)));
            say("attrs", (!self.attrs.is_empty()).then(|| json!(self.attrs)));
        }
        if scope.contains(Scope::Groups) {
            say("groups", self.groups.as_ref().map(|groups| json!(groups.names)));
            say("groups_overage", self.groups.as_ref().filter(|groups| groups.more).map(|_| json!(true)));
        }
        claims
    }
}

/// The methods of authentication behind a class (RFC 8176 2); nothing for a class that does not say.
pub fn methods(class: &str) -> Vec<&'static str> {
    const CLASSES: &str = "urn:oasis:names:tc:SAML:2.0:ac:classes:";
    match class {
        // Entra and the REFEDS profile, in words of their own.
        "http://schemas.microsoft.com/claims/multipleauthn" | "https://refeds.org/profile/mfa" => return vec!["mfa"],
        _ => {}
    }
    match class.strip_prefix(CLASSES).unwrap_or_default() {
        "Password" | "PasswordProtectedTransport" => vec!["pwd"],
        "MobileTwoFactorContract" | "MobileTwoFactorUnregistered" => vec!["mfa"],
        "TimeSyncToken" => vec!["otp"],
        "Smartcard" => vec!["sc"],
        "SmartcardPKI" => vec!["sc", "mfa"],
        "X509" | "SoftwarePKI" | "TLSClient" => vec!["swk"],
        "Kerberos" => vec!["wia"],
        _ => Vec::new(),
    }
}

/// What a token is issued with.
#[derive(Clone, Copy)]
pub struct Issue<'a> {
    /// What signs it.
    pub key: &'a SigningKey,
    /// `iss`.
    pub issuer: &'a str,
    /// The client, as it names itself.
    pub client_id: &'a str,
    /// `iat`.
    pub now: OffsetDateTime,
    /// `exp`.
    pub until: OffsetDateTime,
}

#[derive(Serialize)]
struct IdClaims<'a> {
    iss: &'a str,
    sub: Uuid,
    aud: &'a str,
    exp: i64,
    iat: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_time: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nonce: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    acr: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    amr: &'a [&'static str],
    sid: Uuid,
    tenant_id: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    connection_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    idp: Option<&'a str>,
    roles: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    session_expiry: Option<i64>,
    #[serde(flatten)]
    told: Map<String, Value>,
}

/// What an access token and its ID token will say. A signature takes its time, so that is done elsewhere.
pub struct Unsigned {
    key: SigningKey,
    access: AccessClaims,
    id: Value,
}

/// An access token and the ID token beside it.
#[derive(Debug)]
pub struct Signed {
    /// RFC 9068.
    pub access_token: String,
    /// OpenID Connect Core 2.
    pub id_token: String,
}

impl Unsigned {
    /// Signs both; the ID token names the other one (OpenID Connect Core 3.1.3.6). With an RSA key this takes about a
    /// millisecond of a processor.
    ///
    /// # Errors
    /// When AWS-LC cannot sign.
    pub fn sign(mut self) -> Result<Signed, KeyError> {
        let access_token = self.key.sign(TokenType::Access, &self.access)?;
        self.id["at_hash"] = json!(at_hash(&access_token));
        let id_token = self.key.sign(TokenType::Id, &self.id)?;
        Ok(Signed { access_token, id_token })
    }
}

/// What tokens for a user say: the access token (RFC 9068) and the ID token (OpenID Connect Core 2).
///
/// The issuer is always an audience of the access token: our own userinfo endpoint is one (RFC 9068 3). A resource that the
/// client named stands before it. The client's id is none, because most clients check an ID token by `aud` and not by `typ`,
/// and would take an access token for one. An app's own API that accepts a token without a resource compares `client_id`.
///
/// # Errors
/// When the claims cannot be written as JSON.
pub fn tokens(issue: Issue<'_>, subject: &Subject<'_>, granted: &Granted<'_>) -> Result<Unsigned, KeyError> {
    let seconds = OffsetDateTime::unix_timestamp;
    let person = Person {
        sid: subject.session_id,
        tenant_id: subject.tenant_id,
        grant_id: granted.grant_id.to_owned(),
        roles: subject.roles.to_vec(),
        auth_time: subject.auth_time.map_or(0, seconds),
    };
    let Granted { scope, resource, jti, nonce, .. } = *granted;
    let sub = subject.user_id.to_string();
    let access = access(issue, AccessToken { sub, scope, resource, jti, person: Some(person) });
    let id = IdClaims {
        iss: issue.issuer,
        sub: subject.user_id,
        aud: issue.client_id,
        exp: seconds(issue.until),
        iat: seconds(issue.now),
        auth_time: subject.auth_time.map(seconds),
        nonce,
        acr: subject.acr,
        amr: &subject.amr,
        sid: subject.session_id,
        tenant_id: subject.tenant_id,
        connection_id: subject.connection_id,
        idp: subject.idp,
        roles: subject.roles,
        session_expiry: subject.session_expiry.map(seconds),
        told: subject.told(scope),
    };
    let id = serde_json::to_value(&id).map_err(KeyError::Claims)?;
    Ok(Unsigned { key: issue.key.clone(), access, id })
}

/// What a user's tokens are for.
#[derive(Clone, Copy)]
pub struct Granted<'a> {
    /// What was asked for.
    pub scope: Scopes,
    /// Whom the access token is for, beside ourselves (RFC 8707).
    pub resource: Option<&'a str>,
    /// The access token's own name.
    pub jti: &'a str,
    /// The grant, which ends when the user is deactivated or signs out.
    pub grant_id: &'a str,
    /// The client's own value, from the authorization request.
    pub nonce: Option<&'a str>,
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
    /// The resource that was asked for, and the issuer: see [`tokens`].
    pub aud: Audience,
    /// The user; the client itself where there is none (RFC 9068 2.2).
    pub sub: String,
    /// The client that holds it, as it names itself.
    pub client_id: String,
    /// What it may do. Nothing is not written: there are no empty lists of scopes (RFC 6749 3.3).
    #[serde(default, skip_serializing_if = "Scopes::is_empty")]
    pub scope: Scopes,
    /// This token's own name.
    pub jti: String,
    /// Issued at, in seconds.
    pub iat: i64,
    /// Ends at, in seconds.
    pub exp: i64,
    /// On whose behalf; none where the client acts for itself (RFC 6749 4.4).
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub person: Option<Person>,
}

/// One audience as a string, several as a list (RFC 7519 4.1.3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Audience {
    /// The only one.
    One(String),
    /// More than one.
    Several(Vec<String>),
}

/// Whom an access token is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// The session at the gateway.
    pub sid: Uuid,
    /// The user's tenant.
    pub tenant_id: Uuid,
    /// The grant, which ends when the user is deactivated or signs out.
    pub grant_id: String,
    /// The user's roles in the application.
    pub roles: Vec<String>,
    /// When the user was authenticated, in seconds.
    pub auth_time: i64,
}

/// Writes and signs an access token for the client itself (RFC 6749 4.4, RFC 9068 2.2).
pub fn client_token(issue: Issue<'_>, resource: Option<&str>, jti: &str) -> Result<String, KeyError> {
    let (sub, scope) = (issue.client_id.to_owned(), Scopes::default());
    let claims = access(issue, AccessToken { sub, scope, resource, jti, person: None });
    issue.key.sign(TokenType::Access, &claims)
}

struct AccessToken<'a> {
    sub: String,
    scope: Scopes,
    resource: Option<&'a str>,
    jti: &'a str,
    person: Option<Person>,
}

fn access(issue: Issue<'_>, token: AccessToken<'_>) -> AccessClaims {
    let AccessToken { sub, scope, resource, jti, person } = token;
    AccessClaims {
        iss: issue.issuer.to_owned(),
        aud: match resource {
            Some(resource) => Audience::Several(vec![resource.to_owned(), issue.issuer.to_owned()]),
            None => Audience::One(issue.issuer.to_owned()),
        },
        sub,
        client_id: issue.client_id.to_owned(),
        scope,
        jti: jti.to_owned(),
        iat: issue.now.unix_timestamp(),
        exp: issue.until.unix_timestamp(),
        person,
    }
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
pub fn userinfo(subject: &Subject<'_>, scope: Scopes) -> Value {
    let mut claims = subject.told(scope);
    claims.insert("sub".to_owned(), json!(subject.user_id));
    claims.insert("tenant_id".to_owned(), json!(subject.tenant_id));
    if scope.contains(Scope::Roles) {
        claims.insert("roles".to_owned(), json!(subject.roles));
    }
    Value::Object(claims)
}

#[cfg(test)]
mod tests;

//! What of a verified assertion outlives the request that brought it: kept until the browser collects it.

use super::settings::Mapping;
use ::saml::response::{AttributeValue, NameId, ValueKind, VerifiedAssertion};
use domain::{email::Email, role::AssertedId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use time::OffsetDateTime;

/// What stands for the subject's name in a mapping.
const NAME_ID: &str = "NameID";

/// Names under which identity providers send each value (Okta's custom app, Entra, the OIDs of LDAP).
const EMAIL: &[&str] = &[
    "email",
    "mail",
    "emailAddress",
    "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress",
    "urn:oid:0.9.2342.19200300.100.1.3",
    NAME_ID,
];
/// What names a person for good, as `externalId` of SCIM does: Okta's `user.id`, Entra's object id.
const ID: &[&str] = &["id", "http://schemas.microsoft.com/identity/claims/objectidentifier"];
const GIVEN_NAME: &[&str] = &[
    "firstName",
    "givenName",
    "first_name",
    "given_name",
    "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/givenname",
    "urn:oid:2.5.4.42",
];
const FAMILY_NAME: &[&str] = &[
    "lastName",
    "familyName",
    "last_name",
    "family_name",
    "surname",
    "sn",
    "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/surname",
    "urn:oid:2.5.4.4",
];
const DISPLAY_NAME: &[&str] = &[
    "displayName",
    "display_name",
    "http://schemas.microsoft.com/identity/claims/displayname",
    "urn:oid:2.16.840.1.113730.3.1.241",
];
const GROUPS: &[&str] = &[
    "groups",
    "group",
    "memberOf",
    "http://schemas.microsoft.com/ws/2008/06/identity/claims/groups",
    "http://schemas.xmlsoap.org/claims/Group",
];
const ROLE: &[&str] = &["role", "roles", "http://schemas.microsoft.com/ws/2008/06/identity/claims/role"];

/// Attributes for access control, as AWS IAM Identity Center names them; what follows is the key.
const ACCESS_CONTROL: &str = "https://aws.amazon.com/SAML/Attributes/AccessControl:";

/// Groups and access control attributes that are kept.
const MOST: usize = 1_000;

/// A NameID format that names nobody twice (core 8.3.8).
const TRANSIENT: &str = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient";

/// Who the identity provider says this is.
#[derive(Debug, Serialize, Deserialize)]
pub struct Identity {
    pub name_id: String,
    /// Whether the name is a new one each time: also in rows of processes that keep no format.
    pub transient: bool,
    #[serde(default)]
    pub name_id_format: Option<String>,
    #[serde(default)]
    pub name_qualifier: Option<String>,
    #[serde(default)]
    pub sp_name_qualifier: Option<String>,
    pub email: Option<String>,
    #[serde(default)]
    pub attributes: Mapped,
    pub session_index: Option<String>,
    pub auth_time: OffsetDateTime,
    pub session_not_on_or_after: Option<OffsetDateTime>,
    #[serde(default = "long_ago")]
    pub issued_at: OffsetDateTime,
    /// How the identity provider knows, as a class of authentication.
    #[serde(default)]
    pub authn_context: Option<String>,
    /// Who asserts it.
    #[serde(default)]
    pub issuer: String,
}

/// Rows from before this was kept count as old.
fn long_ago() -> OffsetDateTime {
    OffsetDateTime::UNIX_EPOCH
}

/// What was mapped, from which attribute.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Mapped {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<Found>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<Found>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub given_name: Option<Found>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub family_name: Option<Found>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<Found>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub groups: Option<Found>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<Found>,
    /// By the key that the identity provider gave; boolean and whole numbers keep their kind.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub access_control: BTreeMap<String, Vec<Value>>,
}

/// Values and where they came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    pub from: String,
    pub values: Vec<String>,
}

impl Found {
    /// The value, if there is only one.
    pub fn only(&self) -> Option<&str> {
        match self.values.as_slice() {
            [value] => Some(value),
            _ => None,
        }
    }
}

/// Names of roles that are kept, and how long each may be, in characters.
const MOST_ROLES: usize = 20;
const LONGEST_ROLE: usize = 64;
const LONGEST_GROUP: usize = 256;
const LONGEST_ID: usize = 256;

/// The values, whatever the order they came in.
fn named(found: Option<&Found>, most: usize, longest: usize) -> Vec<String> {
    let values = found.iter().flat_map(|found| &found.values);
    let mut named: Vec<String> = values.take(most).map(|name| name.chars().take(longest).collect()).collect();
    named.sort_unstable();
    named
}

impl Identity {
    /// The roles that it names.
    pub fn role_names(&self) -> Vec<String> {
        named(self.attributes.role.as_ref(), MOST_ROLES, LONGEST_ROLE)
    }

    /// The groups that it names.
    pub fn group_names(&self) -> Vec<String> {
        named(self.attributes.groups.as_ref(), MOST, LONGEST_GROUP)
    }

    /// What SCIM sends as `externalId`.
    pub fn external_id(&self) -> Option<&str> {
        self.attributes.id.as_ref().and_then(Found::only).filter(|id| id.chars().count() <= LONGEST_ID)
    }

    /// The same with where it comes from.
    pub fn asserted_id(&self) -> Option<AssertedId> {
        let (found, value) = self.attributes.id.as_ref().zip(self.external_id())?;
        Some(AssertedId { source: format!("{} {}", self.issuer, found.from), value: value.to_owned() })
    }

    /// What SCIM would send as `userName`: the NameID if that is an address, else the address; none where the name is a new one
    /// each time.
    pub fn user_name(&self) -> Option<&str> {
        let name_id = self.lasting_name()?;
        match &self.email {
            Some(email) if Email::parse(name_id).is_err() => Some(email),
            _ => Some(name_id),
        }
    }

    /// The name that stays the same from one sign-in to the next.
    pub fn lasting_name(&self) -> Option<&str> {
        (!self.transient).then_some(self.name_id.as_str())
    }

    /// Maps what the assertion says.
    pub fn new(assertion: &VerifiedAssertion, mapping: &Mapping) -> Self {
        let attributes = mapped(assertion, mapping);
        let email = attributes.email.as_ref().and_then(Found::only).and_then(|email| Email::parse(email).ok());
        let NameId { value, format, name_qualifier, sp_name_qualifier } = assertion.name_id().clone();
        Self {
            name_id: value,
            transient: format.as_deref() == Some(TRANSIENT),
            name_id_format: format,
            name_qualifier,
            sp_name_qualifier,
            email: email.map(|email| email.to_string()),
            attributes,
            session_index: assertion.session_index().map(str::to_owned),
            auth_time: assertion.authn_instant(),
            session_not_on_or_after: assertion.session_not_on_or_after(),
            issued_at: assertion.issue_instant(),
            authn_context: assertion.authn_context().map(str::to_owned),
            issuer: assertion.issuer().to_owned(),
        }
    }
}

fn mapped(assertion: &VerifiedAssertion, mapping: &Mapping) -> Mapped {
    Mapped {
        id: find(assertion, &mapping.id, ID),
        email: email(assertion, &mapping.email),
        given_name: find(assertion, &mapping.given_name, GIVEN_NAME),
        family_name: find(assertion, &mapping.family_name, FAMILY_NAME),
        display_name: find(assertion, &mapping.display_name, DISPLAY_NAME),
        groups: find(assertion, &mapping.groups, GROUPS),
        role: find(assertion, &mapping.role, ROLE),
        access_control: access_control(assertion),
    }
}

/// The address in the first attribute that has just one. Where an attribute has several values, the first does not stand
/// for the others: nobody could tell whom it means.
fn email(assertion: &VerifiedAssertion, chosen: &[String]) -> Option<Found> {
    let usable = |found: &Found| found.only().is_some_and(|value| Email::parse(value).is_ok());
    sources(chosen, EMAIL).filter_map(|name| look(assertion, name)).find(usable)
}

fn find(assertion: &VerifiedAssertion, chosen: &[String], usual: &[&str]) -> Option<Found> {
    sources(chosen, usual).find_map(|name| look(assertion, name))
}

fn sources<'a>(chosen: &'a [String], usual: &'a [&'a str]) -> impl Iterator<Item = &'a str> {
    let usual = usual.iter().copied().filter(|_| chosen.is_empty());
    chosen.iter().map(String::as_str).chain(usual)
}

/// The distinct values of an attribute that are not empty.
fn look(assertion: &VerifiedAssertion, name: &str) -> Option<Found> {
    let mut values: Vec<String> = Vec::new();
    if name == NAME_ID {
        values.push(assertion.name_id().value.clone());
    }
    for value in assertion.attribute_values(name).map(|value| value.text.as_str()) {
        if !value.is_empty() && values.len() < MOST && !values.iter().any(|known| known == value) {
            values.push(value.to_owned());
        }
    }
    (!values.is_empty()).then(|| Found { from: name.to_owned(), values })
}

fn access_control(assertion: &VerifiedAssertion) -> BTreeMap<String, Vec<Value>> {
    let mut found: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for attribute in assertion.attributes() {
        let Some(key) = attribute.name.strip_prefix(ACCESS_CONTROL).filter(|key| !key.is_empty()) else { continue };
        if found.len() < MOST || found.contains_key(key) {
            let values = found.entry(key.to_owned()).or_default();
            let room = MOST.saturating_sub(values.len());
            values.extend(attribute.values.iter().take(room).map(typed));
        }
    }
    found
}

/// A value with the kind that it was sent with, where it is of that kind.
fn typed(value: &AttributeValue) -> Value {
    let as_text = || Value::String(value.text.clone());
    match value.kind {
        ValueKind::Boolean => match value.text.as_str() {
            "true" | "1" => Value::Bool(true),
            "false" | "0" => Value::Bool(false),
            _ => as_text(),
        },
        ValueKind::Integer => value.text.parse::<i64>().map_or_else(|_| as_text(), Value::from),
        ValueKind::Other => as_text(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A process of an older version keeps this, and collects what we keep.
    #[test]
    fn rows_of_older_processes_read_and_ours_read_there() {
        let old = r#"{"name_id":"_tmp","transient":true,"email":null,"session_index":null,
            "auth_time":[2026,31,12,0,0,0,0,0,0],"session_not_on_or_after":null}"#;
        let identity: Identity = serde_json::from_str(old).expect("an old row");
        assert!(identity.transient && identity.attributes == Mapped::default());
        let ours = serde_json::to_value(&identity).expect("a row");
        for field in ["name_id", "transient", "email", "session_index", "auth_time", "session_not_on_or_after"] {
            assert!(ours.get(field).is_some(), "{field}");
        }
    }
}

//! The user resource (RFC 7643 4.1): read from a body, kept as a normalized document, shown to clients.

use std::fmt;

use serde_json::{Map, Value, json};
use time::{OffsetDateTime, UtcOffset};

use crate::document::{self, Write};
use crate::error::{ScimError, invalid_value};
use crate::json;
use crate::schema::{self, Catalogue};

/// The longest password, in bytes; hashing a longer one would only cost time.
const MAX_PASSWORD_BYTES: usize = 1024;

/// A user's attributes as the identity provider sent them, in the schema's spelling: only those that clients
/// may write, so without `id`, `meta`, `groups` and `password`.
#[derive(Debug, Clone, PartialEq)]
pub struct UserDocument(Value);

/// What a request writes: the document, and apart from it the password, if it came with one.
#[derive(Debug, Clone, PartialEq)]
pub struct Written {
    pub document: UserDocument,
    pub password: Option<Password>,
}

/// A password that the identity provider sent (RFC 7643 4.1.1); it does not print itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

/// A group of a user (RFC 7643 4.1.2, `groups`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupRef {
    pub value: String,
    pub display: String,
    /// Whether the user is a member of the group itself and not only of a group in it.
    pub direct: bool,
    /// The address of the group.
    pub location: String,
}

/// Where a resource lives, and since when (RFC 7643 3.1, `meta`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meta {
    pub created: OffsetDateTime,
    pub last_modified: OffsetDateTime,
    /// Counts the changes; becomes a weak entity tag.
    pub version: i64,
    /// Tells apart what the version does not count: see [`fingerprint`]. 0 when there is nothing.
    pub computed: u32,
    pub location: String,
}

impl UserDocument {
    /// Reads the body of a POST or PUT (RFC 7644 3.3, 3.5.1). Read-only and unknown attributes are ignored.
    pub fn parse(body: &[u8], catalogue: &Catalogue) -> Result<Written, ScimError> {
        Self::from_members(json::object(body)?, catalogue)
    }

    /// The same of a body that is JSON already, as the `data` of a bulk operation.
    pub fn read(body: Value, catalogue: &Catalogue) -> Result<Written, ScimError> {
        Self::from_members(json::members(body)?, catalogue)
    }

    fn from_members(body: Map<String, Value>, catalogue: &Catalogue) -> Result<Written, ScimError> {
        document::check_work(document::passes_of_members(&body), document::bytes_of_members(&body))?;
        let mut document = Map::new();
        document::merge(&mut document, catalogue.user(), Write::Add, body)?;
        document::settle(&mut document, catalogue.user())?;
        Written::from_members(document)
    }

    /// Takes back a document that `into_value` gave to the store.
    pub fn from_stored(document: Value) -> Self {
        Self(document)
    }

    /// A document with a user name that can identify somebody (RFC 7643 4.1.1).
    fn checked(document: Map<String, Value>) -> Result<Self, ScimError> {
        let document = Self(Value::Object(document));
        if document.user_name().trim().is_empty() {
            return Err(invalid_value(
                "The user has no userName. In Okta, open the application's Sign On tab and choose an Application username \
                 format that is not empty for this user.",
            ));
        }
        Ok(document)
    }

    /// The document for the store.
    pub fn into_value(self) -> Value {
        self.0
    }

    /// The document as JSON.
    pub fn as_value(&self) -> &Value {
        &self.0
    }

    /// `userName` as it was sent (RFC 7643 4.1.1).
    pub fn user_name(&self) -> &str {
        self.text("userName").unwrap_or_default()
    }

    /// `externalId` (RFC 7643 3.1).
    pub fn external_id(&self) -> Option<&str> {
        self.text("externalId").filter(|id| !id.is_empty())
    }

    /// `active`, if it was sent (RFC 7643 4.1.1).
    pub fn active(&self) -> Option<bool> {
        self.0.get("active").and_then(Value::as_bool)
    }

    /// What to call the user: `displayName`, else the formatted name, else given and family name.
    pub fn display_name(&self) -> Option<String> {
        let part = |name: &str| self.0.get("name").and_then(|parts| filled(parts.get(name)));
        if let Some(name) = filled(self.0.get("displayName")).or_else(|| part("formatted")) {
            return Some(name.to_owned());
        }
        match (part("givenName"), part("familyName")) {
            (Some(given), Some(family)) => Some(format!("{given} {family}")),
            (given, family) => given.or(family).map(str::to_owned),
        }
    }

    /// The primary e-mail address, else the first (RFC 7643 4.1.2).
    pub fn email(&self) -> Option<&str> {
        self.main_value("emails")
    }

    /// The roles that it names: the attribute `role`, else the primary value of `roles`, else all of them.
    pub fn roles(&self) -> Vec<String> {
        let values = self.0.get("roles").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let primary =
            values.iter().find(|value| crate::value::is_primary(value)).and_then(|value| filled(value.get("value")));
        let all = || values.iter().filter_map(|value| filled(value.get("value"))).collect();
        let sent = filled(self.0.get("role")).or(primary).map_or_else(all, |one| vec![one]);
        sent.into_iter().map(|sent| app_role(sent).unwrap_or_else(|| sent.to_owned())).collect()
    }

    /// The document after a PUT of `put` (RFC 7644 3.5.1), which replaces all but one thing: leaving `active` out
    /// does not deactivate anybody and does not reactivate anybody.
    pub fn replaced_by(&self, put: UserDocument) -> UserDocument {
        let mut put = put.0;
        if let (Value::Object(members), Some(active)) = (&mut put, self.0.get("active")) {
            members.entry("active").or_insert_with(|| active.clone());
        }
        UserDocument(put)
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str)
    }

    fn main_value(&self, name: &str) -> Option<&str> {
        let items = self.0.get(name)?.as_array()?;
        let primary = items.iter().filter(|item| crate::value::is_primary(item));
        primary.chain(items).find_map(|item| filled(item.get("value")))
    }
}

impl Written {
    /// Parts the password from the document that a request made.
    pub(crate) fn from_members(mut document: Map<String, Value>) -> Result<Self, ScimError> {
        let password = document.remove("password").map(Password::read).transpose()?.flatten();
        Ok(Self { document: UserDocument::checked(document)?, password })
    }
}

impl Password {
    /// The text itself, for hashing.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Okta sends a placeholder where passwords are not synchronized, and others send null: what is no text is none.
    fn read(value: Value) -> Result<Option<Self>, ScimError> {
        match value {
            Value::String(text) if text.len() > MAX_PASSWORD_BYTES => Err(invalid_value(format!(
                "password is longer than {MAX_PASSWORD_BYTES} bytes. Shorten it and push again."
            ))),
            Value::String(text) if !text.is_empty() => Ok(Some(Self(text))),
            _ => Ok(None),
        }
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// Shows a user (RFC 7643 4.1): the document with what the server knows about it.
pub fn render(id: &str, document: &Value, groups: &[GroupRef], meta: &Meta) -> Value {
    let mut resource = document.as_object().cloned().unwrap_or_default();
    let extensions = resource.keys().filter(|name| name.contains(':')).map(String::as_str);
    let schemas: Value = std::iter::once(schema::USER).chain(extensions).collect();
    resource.insert("schemas".to_owned(), schemas);
    resource.insert("id".to_owned(), json!(id));
    if !groups.is_empty() {
        let show = |group: &GroupRef| {
            json!({
                "value": group.value,
                "$ref": group.location,
                "display": group.display,
                "type": if group.direct { "direct" } else { "indirect" },
            })
        };
        resource.insert("groups".to_owned(), groups.iter().map(show).collect());
    }
    resource.insert("meta".to_owned(), meta.to_json("User"));
    Value::Object(resource)
}

/// A number that is another one when the groups are others: they change without a change of the user (FNV-1a).
pub fn fingerprint(groups: &[GroupRef]) -> u32 {
    let texts =
        groups.iter().flat_map(|group| [group.value.as_str(), &group.display, if group.direct { "=" } else { "<" }]);
    let bytes = texts.flat_map(|text| text.bytes().chain([0xFF]));
    if groups.is_empty() {
        0
    } else {
        bytes.fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
    }
}

impl Meta {
    /// The version as a weak entity tag (RFC 7644 3.14).
    pub fn etag(&self) -> String {
        match self.computed {
            0 => format!("W/\"{}\"", self.version),
            computed => format!("W/\"{}-{computed:08x}\"", self.version),
        }
    }

    pub(crate) fn to_json(&self, resource_type: &str) -> Value {
        json!({
            "resourceType": resource_type,
            "created": timestamp(self.created),
            "lastModified": timestamp(self.last_modified),
            "location": self.location,
            "version": self.etag(),
        })
    }
}

/// RFC 7643 2.3.5: a date and time as RFC 3339 writes it, in UTC and with milliseconds.
fn timestamp(time: OffsetDateTime) -> String {
    let time = time.to_offset(UtcOffset::UTC);
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
        time.year(),
        u8::from(time.month()),
        time.day(),
        time.hour(),
        time.minute(),
        time.second(),
        time.millisecond()
    )
}

/// Entra sends an app role as JSON inside the text: `{"id":"…","value":"Admin","displayName":"Admin"}`.
fn app_role(text: &str) -> Option<String> {
    let role = text.starts_with('{').then(|| serde_json::from_str::<Value>(text).ok()).flatten()?;
    filled(role.get("value")).map(str::to_owned)
}

fn filled(value: Option<&Value>) -> Option<&str> {
    value.and_then(Value::as_str).filter(|text| !text.trim().is_empty())
}

#[cfg(test)]
mod tests;

//! Schemas as data (RFC 7643 7): which attributes a resource has and how each behaves. Everything that reads,
//! filters, patches or projects a resource looks here; what an administrator defines joins as `CustomAttribute`s.

mod core;
mod custom;

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use crate::path::AttributePath;

/// The core user (RFC 7643 4.1).
pub const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
/// The group (RFC 7643 4.2).
pub const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
/// The enterprise extension of the user (RFC 7643 4.3).
pub const ENTERPRISE_USER: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
/// A role as a resource of its own (Okta Identity Governance).
pub const ROLE: &str = "urn:okta:scim:schemas:core:1.0:Role";
/// A page of results (RFC 7644 3.4.2).
pub const LIST_RESPONSE: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";
/// The body of a PATCH (RFC 7644 3.5.2).
pub const PATCH_OP: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";
/// What became of the operations of a bulk request (RFC 7644 3.7).
pub const BULK_RESPONSE: &str = "urn:ietf:params:scim:api:messages:2.0:BulkResponse";
/// An error (RFC 7644 3.12).
pub const ERROR: &str = "urn:ietf:params:scim:api:messages:2.0:Error";

/// Other names under which clients send a schema: OneLogin still uses drafts of the standard.
const ALIASES: [(&str, &str); 7] = [
    (USER, USER),
    (GROUP, GROUP),
    (ENTERPRISE_USER, ENTERPRISE_USER),
    ("urn:scim:schemas:core:2.0", USER),
    ("urn:scim:schemas:core:1.0", USER),
    ("urn:scim:schemas:extension:enterprise:2.0", ENTERPRISE_USER),
    ("urn:scim:schemas:extension:enterprise:1.0", ENTERPRISE_USER),
];

/// The data type of an attribute (RFC 7643 2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    String,
    Boolean,
    Decimal,
    Integer,
    DateTime,
    Reference,
    Binary,
    Complex,
}

/// Who may write an attribute (RFC 7643 7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutability {
    ReadOnly,
    ReadWrite,
    Immutable,
    WriteOnly,
}

/// When an attribute is part of a response (RFC 7643 7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Returned {
    Always,
    Never,
    Default,
    Request,
}

/// Among which resources a value must be unique (RFC 7643 7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Uniqueness {
    None,
    Server,
    Global,
}

/// One attribute and its characteristics (RFC 7643 7).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    pub name: Cow<'static, str>,
    pub description: Cow<'static, str>,
    pub kind: Kind,
    pub multi_valued: bool,
    pub required: bool,
    pub case_exact: bool,
    pub mutability: Mutability,
    pub returned: Returned,
    pub uniqueness: Uniqueness,
    pub canonical_values: Vec<Cow<'static, str>>,
    pub reference_types: Vec<Cow<'static, str>>,
    pub sub_attributes: Vec<Attribute>,
    /// The longest text in characters; a limit of this server's and not of the standard.
    pub max_chars: Option<usize>,
}

/// A named set of attributes (RFC 7643 7).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schema {
    pub id: Cow<'static, str>,
    pub name: Cow<'static, str>,
    pub description: Cow<'static, str>,
    pub attributes: Vec<Attribute>,
}

/// One attribute that a connection's administrator defined (Okta: "Add Attribute" with an "External namespace").
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomAttribute {
    /// The schema that it belongs to: a core or enterprise one, or another, which becomes an extension of the user.
    pub urn: String,
    pub name: String,
    pub description: String,
    pub kind: Kind,
    pub multi_valued: bool,
    pub case_exact: bool,
    /// Announced to clients and never enforced.
    pub canonical_values: Vec<String>,
}

/// A kind of resource: its core schema and the extensions in force (RFC 7643 6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceType {
    pub name: &'static str,
    pub endpoint: &'static str,
    pub description: &'static str,
    pub schema: Schema,
    pub extensions: Vec<Schema>,
    /// `id`, `externalId`, `meta`, `schemas`: every resource has them, no schema lists them (RFC 7643 3.1).
    pub common: Vec<Attribute>,
}

/// The schemas in force for one connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Catalogue {
    user: ResourceType,
    group: ResourceType,
}

/// What a path points at.
pub(crate) enum Target<'c> {
    /// An attribute of the core schema, or of the given extension.
    Attribute(Option<&'c Schema>, &'c Attribute),
    /// All attributes of the core schema (`None`) or of an extension.
    Schema(Option<&'c Schema>),
}

impl Catalogue {
    /// The core schemas (RFC 7643 4), with the application's roles as the canonical values of `role`, and with the
    /// administrator's attributes.
    pub fn new(roles: &[String], custom: &[CustomAttribute]) -> Self {
        let mut user = core::user(roles);
        custom::join(&mut user, custom);
        Self { user, group: core::group() }
    }

    /// The user and its extensions (RFC 7643 4.1, 4.3).
    pub fn user(&self) -> &ResourceType {
        &self.user
    }

    /// The group (RFC 7643 4.2).
    pub fn group(&self) -> &ResourceType {
        &self.group
    }
}

impl CustomAttribute {
    /// Whether it may join the schemas; if not, a sentence for the operator.
    pub fn check(&self) -> Result<(), String> {
        custom::check(self)
    }
}

impl ResourceType {
    /// The definition of a top-level attribute, its name in any case (RFC 7643 2.1).
    pub fn attribute(&self, name: &str) -> Option<&Attribute> {
        find(&self.schema.attributes, name).or_else(|| find(&self.common, name))
    }

    /// The extension with this URN, in any case or under an alias (RFC 7643 3.3).
    pub fn extension(&self, urn: &str) -> Option<&Schema> {
        let urn = canonical_urn(urn).unwrap_or(urn);
        self.extensions.iter().find(|extension| extension.id.eq_ignore_ascii_case(urn))
    }

    /// Whether it has the attribute, with values that can be compared.
    pub fn has(&self, path: &AttributePath) -> bool {
        let Some(Target::Attribute(_, attribute)) = self.resolve(path) else { return false };
        match &path.sub {
            Some(sub) => attribute.sub(sub).is_some(),
            None => attribute.kind != Kind::Complex || attribute.sub("value").is_some(),
        }
    }

    /// What a path points at; `None` for what this resource does not have.
    pub(crate) fn resolve(&self, path: &AttributePath) -> Option<Target<'_>> {
        if path.schema.is_none() {
            return self.attribute(&path.attribute).map(|attribute| Target::Attribute(None, attribute));
        }
        if path.is_schema(&self.schema.id) {
            return Some(Target::Schema(None));
        }
        self.extensions.iter().find_map(|extension| {
            if path.is_schema(&extension.id) {
                return Some(Target::Schema(Some(extension)));
            }
            let belongs = path.schema.as_deref().is_some_and(|urn| extension.id.eq_ignore_ascii_case(urn));
            let attribute = if belongs { extension.attribute(&path.attribute) } else { None };
            attribute.map(|attribute| Target::Attribute(Some(extension), attribute))
        })
    }
}

impl Schema {
    /// The definition of an attribute, its name in any case (RFC 7643 2.1).
    pub fn attribute(&self, name: &str) -> Option<&Attribute> {
        find(&self.attributes, name)
    }
}

impl Attribute {
    /// The definition of a sub-attribute, its name in any case (RFC 7643 2.1).
    pub fn sub(&self, name: &str) -> Option<&Attribute> {
        find(&self.sub_attributes, name)
    }

    /// Whether a client's value is kept: read-only ones are ignored, write-only ones never stored.
    pub(crate) fn is_stored(&self) -> bool {
        matches!(self.mutability, Mutability::ReadWrite | Mutability::Immutable)
    }

    /// Whether a client may write it and never read it, as `password`.
    pub(crate) fn is_write_only(&self) -> bool {
        self.mutability == Mutability::WriteOnly
    }

    /// Whether `value` is what this complex attribute is about (RFC 7643 2.4), as in `emails` and `manager`.
    pub(crate) fn is_identified_by_value(&self) -> bool {
        self.sub("value").is_some()
    }

    /// The definition as `/Schemas` shows it (RFC 7643 7).
    pub(crate) fn to_json(&self) -> Value {
        let mut json = Map::new();
        let mut put = |name: &str, value: Value| json.insert(name.to_owned(), value);
        put("name", json!(self.name));
        put("description", json!(self.description));
        put("type", json!(self.kind.as_str()));
        put("multiValued", json!(self.multi_valued));
        put("required", json!(self.required));
        put("mutability", json!(self.mutability.as_str()));
        put("returned", json!(self.returned.as_str()));
        put("uniqueness", json!(self.uniqueness.as_str()));
        if matches!(self.kind, Kind::String | Kind::Reference | Kind::Binary) {
            put("caseExact", json!(self.case_exact));
        }
        if !self.canonical_values.is_empty() {
            put("canonicalValues", json!(self.canonical_values));
        }
        if !self.reference_types.is_empty() {
            put("referenceTypes", json!(self.reference_types));
        }
        if !self.sub_attributes.is_empty() {
            put("subAttributes", self.sub_attributes.iter().map(Self::to_json).collect());
        }
        Value::Object(json)
    }
}

/// The role as a resource; no connection changes it, so it is in no catalogue.
pub fn role() -> ResourceType {
    core::role()
}

/// The definition with this name in any case; names are few, so a walk is faster than a table.
pub(crate) fn find<'a>(attributes: &'a [Attribute], name: &str) -> Option<&'a Attribute> {
    attributes.iter().find(|attribute| attribute.name.eq_ignore_ascii_case(name))
}

/// The standard's spelling of a schema URN that this server knows under this name.
pub(crate) fn canonical_urn(urn: &str) -> Option<&'static str> {
    ALIASES.iter().find(|(alias, _)| alias.eq_ignore_ascii_case(urn)).map(|(_, canonical)| *canonical)
}

impl Kind {
    const ALL: [Self; 8] = [
        Self::String,
        Self::Boolean,
        Self::Decimal,
        Self::Integer,
        Self::DateTime,
        Self::Reference,
        Self::Binary,
        Self::Complex,
    ];

    /// Reads the spelling on the wire, in any case (RFC 7643 7).
    pub fn read(text: &str) -> Option<Kind> {
        Self::ALL.into_iter().find(|kind| kind.as_str().eq_ignore_ascii_case(text))
    }

    /// The spelling on the wire (RFC 7643 7).
    pub fn as_str(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Boolean => "boolean",
            Self::Decimal => "decimal",
            Self::Integer => "integer",
            Self::DateTime => "dateTime",
            Self::Reference => "reference",
            Self::Binary => "binary",
            Self::Complex => "complex",
        }
    }
}

impl Mutability {
    /// The spelling on the wire (RFC 7643 7).
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ReadOnly => "readOnly",
            Self::ReadWrite => "readWrite",
            Self::Immutable => "immutable",
            Self::WriteOnly => "writeOnly",
        }
    }
}

impl Returned {
    /// The spelling on the wire (RFC 7643 7).
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::Never => "never",
            Self::Default => "default",
            Self::Request => "request",
        }
    }
}

impl Uniqueness {
    /// The spelling on the wire (RFC 7643 7).
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Server => "server",
            Self::Global => "global",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_urns_are_found_in_any_case() {
        let catalogue = Catalogue::new(&[], &[]);
        let user = catalogue.user();
        assert_eq!(user.attribute("USERNAME").unwrap().name, "userName");
        assert_eq!(user.attribute("externalid").unwrap().name, "externalId");
        assert_eq!(user.attribute("emails").unwrap().sub("Type").unwrap().name, "type");
        for urn in [ENTERPRISE_USER, "URN:scim:schemas:extension:enterprise:2.0"] {
            assert_eq!(user.extension(urn).unwrap().id, ENTERPRISE_USER);
        }
        assert!(user.attribute("nonsense").is_none());
    }

    #[test]
    fn paths_resolve_to_attributes_extensions_or_nothing() {
        let catalogue = Catalogue::new(&[], &[]);
        let resolve = |text: &str| catalogue.user().resolve(&AttributePath::parse(text).unwrap());
        assert!(
            matches!(resolve("urn:ietf:params:scim:schemas:core:2.0:user:username"), Some(Target::Attribute(None, a)) if a.name == "userName")
        );
        assert!(
            matches!(resolve("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:MANAGER.value"), Some(Target::Attribute(Some(_), a)) if a.name == "manager")
        );
        assert!(matches!(resolve(ENTERPRISE_USER), Some(Target::Schema(Some(_)))));
        assert!(matches!(resolve(USER), Some(Target::Schema(None))));
        assert!(resolve("urn:acme:2.0:User:department").is_none());
        assert!(resolve("nonsense").is_none());
    }

    #[test]
    fn kinds_are_read_in_any_case() {
        for kind in Kind::ALL {
            assert_eq!(Kind::read(&kind.as_str().to_uppercase()), Some(kind));
        }
        assert_eq!(Kind::read("text"), None);
    }

    #[test]
    fn roles_become_canonical_values() {
        let catalogue = Catalogue::new(&["OWNER".to_owned(), "GUEST".to_owned()], &[]);
        assert_eq!(catalogue.user().attribute("role").unwrap().canonical_values, ["OWNER", "GUEST"]);
    }
}

//! Attribute names as clients write them (RFC 7644 3.10 and 3.5.2): `userName`, `name.givenName`,
//! `urn:…:User:manager.value`, `emails[type eq "work"].value`. Names keep the client's case; comparing ignores it.

use std::fmt;

use crate::error::{ScimError, ScimType, quote};
use crate::filter::Filter;
use crate::filter::parser;
use crate::schema;

/// The longest path of an operation, in bytes; a filter inside has its own limits.
const MAX_PATH_BYTES: usize = 8 * 1024;

/// The name of an attribute (RFC 7644 3.10): `[schema:]attribute[.sub]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttributePath {
    /// The extension; `None` for the core schemas, whether the client wrote their URN or not.
    pub schema: Option<String>,
    /// The attribute; empty when the path is a schema's URN and means all of it.
    pub attribute: String,
    /// The sub-attribute after the dot.
    pub sub: Option<String>,
}

/// The path of a PATCH operation (RFC 7644 3.5.2): an attribute, perhaps narrowed to some of its values.
#[derive(Debug, Clone, PartialEq)]
pub struct Path {
    pub attribute: AttributePath,
    /// The filter in brackets that picks values of a multi-valued attribute.
    pub filter: Option<Filter>,
}

impl AttributePath {
    /// Reads a name without brackets (RFC 7644 3.10).
    pub fn parse(text: &str) -> Result<Self, ScimError> {
        Self::read(text).ok_or_else(|| not_a_path(text))
    }

    /// The same without a sentence for the reader, for callers that have their own.
    pub(crate) fn read(text: &str) -> Option<Self> {
        if let Some(urn) = schema::canonical_urn(text) {
            return Some(Self::whole(urn));
        }
        let Some((urn, name)) = text.rsplit_once(':') else {
            return Self::read_name(text);
        };
        if urn.is_empty() || urn.contains(|c: char| c.is_whitespace() || c.is_control() || "[]()\"".contains(c)) {
            return None;
        }
        let path = Self::read_name(name).unwrap_or_else(|| Self::whole(text));
        if path.attribute.is_empty() {
            return Some(path);
        }
        let schema = match schema::canonical_urn(urn) {
            Some(schema::USER | schema::GROUP) => None,
            Some(canonical) => Some(canonical.to_owned()),
            None => Some(urn.to_owned()),
        };
        Some(Self { schema, ..path })
    }

    /// Whether this is the attribute `name` of a core schema, in any case.
    pub(crate) fn is_core(&self, name: &str) -> bool {
        self.schema.is_none() && self.attribute.eq_ignore_ascii_case(name)
    }

    /// Whether the path, read as a whole, is this schema's URN: `urn:x:2.0:User` looks like an attribute `User`.
    pub(crate) fn is_schema(&self, urn: &str) -> bool {
        let Some(rest) = self.schema.as_deref().and_then(|own| strip_prefix(urn, own)) else {
            return false;
        };
        if self.attribute.is_empty() {
            return rest.is_empty();
        }
        let rest = strip_prefix(rest, ":").and_then(|rest| strip_prefix(rest, &self.attribute));
        match (rest, self.sub.as_deref()) {
            (Some(rest), None) => rest.is_empty(),
            (Some(rest), Some(sub)) => rest.strip_prefix('.').is_some_and(|rest| rest.eq_ignore_ascii_case(sub)),
            (None, _) => false,
        }
    }

    /// The name in lower case, without the URN of a core schema: what tables of columns are keyed by.
    pub fn key(&self) -> String {
        self.to_string().to_ascii_lowercase()
    }

    fn whole(urn: &str) -> Self {
        Self { schema: Some(urn.to_owned()), attribute: String::new(), sub: None }
    }

    fn read_name(text: &str) -> Option<Self> {
        let (attribute, sub) = match text.split_once('.') {
            Some((attribute, sub)) => (attribute, Some(sub)),
            None => (text, None),
        };
        let valid = is_name(attribute) && sub.is_none_or(is_name);
        valid.then(|| Self { schema: None, attribute: attribute.to_owned(), sub: sub.map(str::to_owned) })
    }
}

impl fmt::Display for AttributePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.schema {
            Some(schema) if self.attribute.is_empty() => f.write_str(schema)?,
            Some(schema) => write!(f, "{schema}:{}", self.attribute)?,
            None => f.write_str(&self.attribute)?,
        }
        match &self.sub {
            Some(sub) => write!(f, ".{sub}"),
            None => Ok(()),
        }
    }
}

impl Path {
    /// Reads the `path` of an operation (RFC 7644 3.5.2).
    pub fn parse(text: &str) -> Result<Self, ScimError> {
        let text = text.trim();
        if text.len() > MAX_PATH_BYTES {
            return Err(ScimError::bad_request(
                ScimType::InvalidPath,
                format!("The path is longer than {MAX_PATH_BYTES} bytes. Name one attribute per operation."),
            ));
        }
        let Some(bracket) = text.find('[') else {
            return Ok(Self { attribute: AttributePath::parse(text)?, filter: None });
        };
        let (name, rest) = text.split_at(bracket);
        let mut attribute = AttributePath::read(name.trim_end()).ok_or_else(|| not_a_path(text))?;
        if attribute.sub.is_some() || attribute.attribute.is_empty() {
            return Err(not_a_path(text));
        }
        let (filter, rest) = parser::value_filter(rest)?;
        attribute.sub = match rest.strip_prefix('.') {
            Some(sub) if is_name(sub) => Some(sub.to_owned()),
            None if rest.is_empty() => None,
            _ => return Err(not_a_path(text)),
        };
        Ok(Self { attribute, filter: Some(filter) })
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(filter) = &self.filter else {
            return write!(f, "{}", self.attribute);
        };
        let AttributePath { schema, attribute, sub } = &self.attribute;
        if let Some(schema) = schema {
            write!(f, "{schema}:")?;
        }
        write!(f, "{attribute}[{filter}]")?;
        match sub {
            Some(sub) => write!(f, ".{sub}"),
            None => Ok(()),
        }
    }
}

/// RFC 7643 2.1 names start with a letter; `$ref` is the standard's own exception, and Okta allows `_`.
fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '$' || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_$".contains(c))
}

fn strip_prefix<'t>(text: &'t str, prefix: &str) -> Option<&'t str> {
    let head = text.get(..prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then(|| &text[prefix.len()..])
}

fn not_a_path(text: &str) -> ScimError {
    ScimError::bad_request(
        ScimType::InvalidPath,
        format!(
            "{} is not the name of an attribute. Write it as in userName, name.givenName or emails[type eq \"work\"].value; \
             in Okta, check the external name of the attribute in the Profile Editor.",
            quote(text)
        ),
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_read() {
        let cases = [
            ("userName", (None, "userName", None)),
            ("NAME.givenname", (None, "NAME", Some("givenname"))),
            ("manager.$ref", (None, "manager", Some("$ref"))),
            ("urn:ietf:params:scim:schemas:core:2.0:User:userName", (None, "userName", None)),
            ("urn:ietf:params:scim:schemas:core:2.0:Group:members.value", (None, "members", Some("value"))),
            (
                "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value",
                (Some(schema::ENTERPRISE_USER), "manager", Some("value")),
            ),
            (
                "urn:scim:schemas:extension:enterprise:2.0:department",
                (Some(schema::ENTERPRISE_USER), "department", None),
            ),
            (schema::ENTERPRISE_USER, (Some(schema::ENTERPRISE_USER), "", None)),
            ("urn:acme:2.0", (Some("urn:acme:2.0"), "", None)),
            ("urn:acme:2.0:User", (Some("urn:acme:2.0"), "User", None)),
            (
                "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group",
                (Some("http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"), "", None),
            ),
        ];
        for (text, (schema, attribute, sub)) in cases {
            let path = AttributePath::parse(text).unwrap();
            assert_eq!(
                (path.schema.as_deref(), path.attribute.as_str(), path.sub.as_deref()),
                (schema, attribute, sub),
                "{text}"
            );
        }
    }

    #[test]
    fn paths_with_filters_are_read() {
        for (text, printed) in [
            (r#"emails[type eq "work"].value"#, r#"emails[type eq "work"].value"#),
            (r#"members[VALUE Eq "89bb1940"]"#, r#"members[VALUE eq "89bb1940"]"#),
            (r#" addresses [ type eq "a]b" and primary eq true ] "#, r#"addresses[type eq "a]b" and primary eq true]"#),
            (r#"urn:acme:2.0:User:badges[value sw "x"].$ref"#, r#"urn:acme:2.0:User:badges[value sw "x"].$ref"#),
        ] {
            let path = Path::parse(text).unwrap();
            assert_eq!(path.to_string(), printed);
            assert_eq!(Path::parse(printed).unwrap(), path);
        }
    }

    #[test]
    fn what_is_not_a_path_is_refused() {
        for text in [
            "",
            " ",
            "1a",
            "a b",
            "a.",
            ".a",
            "a.b.c",
            "a[",
            "]",
            "emails.value[type eq \"x\"]",
            ":a",
            "é",
            "a[b pr]c",
            "a[b pr].",
            "x y:z",
        ] {
            let error = Path::parse(text).unwrap_err();
            assert!(
                matches!(error.scim_type, Some(ScimType::InvalidPath | ScimType::InvalidFilter)),
                "{text}: {error:?}"
            );
        }
        assert_eq!(Path::parse(&"a".repeat(9000)).unwrap_err().scim_type, Some(ScimType::InvalidPath));
        assert_eq!(Path::parse("a[]").unwrap_err().scim_type, Some(ScimType::InvalidFilter));
    }

    #[test]
    fn a_urn_is_recognized_as_a_schema() {
        for urn in [schema::ENTERPRISE_USER, "urn:acme:2.0", "urn:acme:2.0:User", "urn:acme:v2.beta"] {
            let path = AttributePath::parse(&urn.to_uppercase()).unwrap();
            assert!(path.is_schema(urn), "{urn}");
            assert!(!path.is_schema(&urn[..urn.len() - 1]), "{urn}");
            assert!(!path.is_schema(&format!("{urn}é")), "{urn}");
        }
    }

    proptest! {
        #[test]
        fn random_text_never_panics_and_round_trips(text in "\\PC{0,40}|[a-z:.\\[\\]$ \"]{0,20}") {
            if let Ok(path) = Path::parse(&text) {
                prop_assert_eq!(Path::parse(&path.to_string()).unwrap(), path);
            }
        }
    }
}

//! What a SCIM client is told when its request cannot be answered. The `detail` is read by the customer's IT
//! admin (Okta shows it beside the failed task), so it says what is wrong and what to change.

use serde_json::{Value, json};

use crate::schema;

/// The longest piece of the client's text that an error repeats, in characters.
const MAX_QUOTED_CHARS: usize = 100;

/// The machine-readable reason of a 400 or 409 (RFC 7644 3.12, table 9; RFC 9865 2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScimType {
    InvalidFilter,
    TooMany,
    Uniqueness,
    Mutability,
    InvalidSyntax,
    InvalidPath,
    NoTarget,
    InvalidValue,
    InvalidVers,
    Sensitive,
    InvalidCursor,
    ExpiredCursor,
    InvalidCount,
}

impl ScimType {
    /// The spelling on the wire (RFC 7644 3.12).
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidFilter => "invalidFilter",
            Self::TooMany => "tooMany",
            Self::Uniqueness => "uniqueness",
            Self::Mutability => "mutability",
            Self::InvalidSyntax => "invalidSyntax",
            Self::InvalidPath => "invalidPath",
            Self::NoTarget => "noTarget",
            Self::InvalidValue => "invalidValue",
            Self::InvalidVers => "invalidVers",
            Self::Sensitive => "sensitive",
            Self::InvalidCursor => "invalidCursor",
            Self::ExpiredCursor => "expiredCursor",
            Self::InvalidCount => "invalidCount",
        }
    }
}

/// An error response of SCIM (RFC 7644 3.12).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct ScimError {
    /// The HTTP status.
    pub status: u16,
    /// The reason, where the standard has a word for it.
    pub scim_type: Option<ScimType>,
    /// The sentence for the reader.
    pub detail: String,
}

impl ScimError {
    /// 400: the request is wrong in a way that `scim_type` names (RFC 7644 3.12).
    pub fn bad_request(scim_type: ScimType, detail: impl Into<String>) -> Self {
        Self { status: 400, scim_type: Some(scim_type), detail: detail.into() }
    }

    /// 401: no valid token came with the request (RFC 7644 2).
    pub fn unauthorized(detail: impl Into<String>) -> Self {
        Self::plain(401, detail)
    }

    /// 403: the token is valid but may not do this (RFC 7644 3.12).
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::plain(403, detail)
    }

    /// 404: there is no such resource (RFC 7644 3.12).
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::plain(404, detail)
    }

    /// 405: the address exists but not with this method (RFC 7644 4).
    pub fn method_not_allowed(detail: impl Into<String>) -> Self {
        Self::plain(405, detail)
    }

    /// 409: another resource already has a value that must be unique (RFC 7644 3.3).
    pub fn conflict(detail: impl Into<String>) -> Self {
        Self { status: 409, scim_type: Some(ScimType::Uniqueness), detail: detail.into() }
    }

    /// 412: the resource is no longer the version that the request is about (RFC 7644 3.14).
    pub fn precondition_failed(detail: impl Into<String>) -> Self {
        Self::plain(412, detail)
    }

    /// 413: the request is larger than the server takes (RFC 7644 3.12).
    pub fn too_large(detail: impl Into<String>) -> Self {
        Self::plain(413, detail)
    }

    /// 415: the body is not JSON (RFC 7644 3.1).
    pub fn unsupported_media_type(detail: impl Into<String>) -> Self {
        Self::plain(415, detail)
    }

    /// 429: the client has to wait (RFC 6585 4).
    pub fn too_many_requests(detail: impl Into<String>) -> Self {
        Self::plain(429, detail)
    }

    /// 500: the fault is the server's (RFC 7644 3.12).
    pub fn internal(detail: impl Into<String>) -> Self {
        Self::plain(500, detail)
    }

    /// 501: a part of the protocol that the server does not offer (RFC 7644 3.12).
    pub fn not_implemented(detail: impl Into<String>) -> Self {
        Self::plain(501, detail)
    }

    /// The response body: these members and no others, with `status` as a string (RFC 7644 3.12).
    pub fn to_json(&self) -> Value {
        let mut body = json!({
            "schemas": [schema::ERROR],
            "status": self.status.to_string(),
            "detail": self.detail,
        });
        if let Some(scim_type) = self.scim_type {
            body["scimType"] = json!(scim_type.as_str());
        }
        body
    }

    fn plain(status: u16, detail: impl Into<String>) -> Self {
        Self { status, scim_type: None, detail: detail.into() }
    }

    /// The same error, saying which operation of a PATCH it is about.
    pub(crate) fn in_operation(mut self, number: usize) -> Self {
        self.detail = format!("Operation {number} of the PATCH request: {}", self.detail);
        self
    }
}

/// Short for a 400 with `invalidValue` (RFC 7644 3.12).
pub(crate) fn invalid_value(detail: impl Into<String>) -> ScimError {
    ScimError::bad_request(ScimType::InvalidValue, detail)
}

/// The client's text in quotation marks, bounded and on one line.
pub fn quote(text: &str) -> String {
    let mut quoted = String::from('"');
    let mut characters = text.chars();
    quoted.extend(characters.by_ref().take(MAX_QUOTED_CHARS).map(|c| if c.is_control() { ' ' } else { c }));
    quoted.push_str(if characters.next().is_some() { "…\"" } else { "\"" });
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_has_the_members_of_the_standard_and_no_others() {
        let error = ScimError::conflict("Taken.");
        assert_eq!(
            error.to_json(),
            json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"], "status": "409", "scimType": "uniqueness", "detail": "Taken."})
        );
        assert_eq!(
            ScimError::not_found("None.").to_json(),
            json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"], "status": "404", "detail": "None."})
        );
    }

    #[test]
    fn quoted_text_is_bounded_and_on_one_line() {
        assert_eq!(quote("a\nb"), "\"a b\"");
        assert_eq!(quote(&"é".repeat(101)).chars().count(), 103);
        assert_eq!(quote(&"é".repeat(100)).chars().count(), 102);
    }
}

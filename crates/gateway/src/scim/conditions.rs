//! What a request asks of the version that it meets.

use ::scim::{error::ScimError, etag, user::Meta};
use axum::http::{HeaderMap, HeaderName, header};

/// What the request asks of the version it meets (RFC 7644 3.14).
#[derive(Clone)]
pub struct Conditions {
    if_match: Option<String>,
    if_none_match: Option<String>,
}

impl Conditions {
    /// As the headers say.
    pub fn read(headers: &HeaderMap) -> Self {
        // RFC 9110 5.3: several lines of one name are one list.
        let text = |name: HeaderName| {
            // What is no text is no version that there is, and must not pass for a header that was not sent.
            let lines: Vec<_> =
                headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
            (!lines.is_empty()).then(|| lines.join(","))
        };
        Self { if_match: text(header::IF_MATCH), if_none_match: text(header::IF_NONE_MATCH) }
    }

    /// Refuses a change of a version that the client did not mean.
    pub fn check(&self, version: i64) -> Result<(), ScimError> {
        let Self { if_match, if_none_match } = self;
        check_current(if_match.as_deref(), version)?;
        if if_none_match.as_deref().is_some_and(|unwanted| etag::is_current(unwanted, version)) {
            return Err(ScimError::precondition_failed("The resource has the version that If-None-Match rules out."));
        }
        Ok(())
    }

    /// Whether the client already has this version.
    pub fn is_known(&self, meta: &Meta) -> bool {
        self.if_none_match.as_deref().is_some_and(|known| etag::is_same(known, &meta.etag()))
    }
}

/// Refuses a change of another version than the client expects, if it expects one.
pub fn check_current(expected: Option<&str>, version: i64) -> Result<(), ScimError> {
    match expected {
        Some(expected) if !etag::is_current(expected, version) => Err(ScimError::precondition_failed(
            "The resource changed since it was read. Read it again and repeat the change.",
        )),
        _ => Ok(()),
    }
}

//! The SCIM server's side of HTTP: one request, one transaction, one answer.

pub mod call;
pub mod discovery;
pub mod groups;
pub mod users;

use crate::{error::ScimFailure, scim::call::ScimCall};
use ::scim::{error::ScimError, filter, list::ListQuery};
use axum::response::Response;

/// What a SCIM handler answers.
pub type ScimResult = Result<Response, ScimFailure>;

/// What a list asks for, as far as it can be answered from an index.
enum Selection {
    All,
    Equals { path: String, value: String },
}

fn selection(query: &ListQuery) -> Result<Selection, ScimError> {
    let Some(filter) = &query.filter else { return Ok(Selection::All) };
    match filter::equality(filter) {
        Some((path, value)) if value.is_string() => {
            Ok(Selection::Equals { path, value: value.as_str().unwrap_or_default().to_owned() })
        }
        _ => Err(unsupported_filter()),
    }
}

fn unsupported_filter() -> ScimError {
    ScimError::bad_request(
        ::scim::error::ScimType::InvalidFilter,
        "This directory filters users by userName, externalId, id or emails.value and groups by displayName, externalId or id, each with eq. Change the attribute that the identity provider matches on to one of them.",
    )
}

/// Where a page starts, counted from 0.
fn offset(query: &ListQuery) -> i64 {
    query.start_index.saturating_sub(1)
}

fn limit(query: &ListQuery) -> i64 {
    i64::try_from(query.count).unwrap_or(i64::MAX)
}

/// A page of a short list that was read whole.
fn cut<T>(items: Vec<T>, query: &ListQuery) -> (i64, Vec<T>) {
    let total = i64::try_from(items.len()).unwrap_or(i64::MAX);
    let skip = usize::try_from(offset(query)).unwrap_or(usize::MAX);
    (total, items.into_iter().skip(skip).take(query.count).collect())
}

/// `/Me` names nobody: a provisioning token is not a person (RFC 7644 3.11).
pub async fn me(_call: ScimCall) -> ScimResult {
    Err(ScimError::not_implemented("This directory has no /Me. Read the user by id under /Users.").into())
}

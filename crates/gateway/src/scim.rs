//! The SCIM server's side of HTTP: one request, one transaction, one answer.

mod ahead;
pub mod answer;
pub mod bulk;
pub mod call;
mod conditions;
pub mod creation;
pub mod discovery;
mod group_list;
pub mod groups;
pub mod log;
mod password;
pub mod proof;
pub mod roles;
pub mod root;
pub mod schemas;
mod search;
pub mod together;
pub mod token;
mod user_list;
pub mod users;

use crate::{error::ScimFailure, scim::call::ScimCall};
use ::scim::error::ScimError;
use axum::response::Response;

/// What a SCIM handler answers.
pub type ScimResult = Result<Response, ScimFailure>;

/// `/Me` names nobody: a provisioning token is not a person (RFC 7644 3.11).
pub async fn me(_call: ScimCall) -> ScimResult {
    Err(not_offered())
}

/// The same for every other method.
pub fn not_offered() -> ScimFailure {
    ScimError::not_implemented("This directory has no /Me. Read the user by id under /Users.").into()
}

//! The application's roles as resources, read-only: Okta Identity Governance offers them to the IT admin.

use super::{ScimResult, call::ScimCall};
use crate::error::{Error, scim_json};
use ::scim::{
    discovery,
    list::{self, ListQuery, Start},
};
use axum::http::StatusCode;

/// `GET /Roles`
pub async fn list(call: ScimCall) -> ScimResult {
    let query = ListQuery::parse(&call.query)?;
    let start = if let Start::Index(start) = query.start { start } else { 1 };
    let all = call.roles().roles().iter().map(|role| resource(&call, role));
    let total = i64::try_from(call.roles().roles().len()).unwrap_or(i64::MAX);
    let skipped = usize::try_from(start - 1).unwrap_or(usize::MAX);
    let page = all.skip(skipped).take(query.count).collect();
    let answer = list::list_response(total, start, page);
    call.work.tx.rollback().await?;
    Ok(scim_json(StatusCode::OK, &answer))
}

/// `GET /Roles/{id}`
pub async fn get(call: ScimCall) -> ScimResult {
    let role = call.roles().roles().iter().find(|role| role.as_str() == call.name());
    let role = role.map(|role| resource(&call, role)).ok_or(Error::NotFound)?;
    call.work.tx.rollback().await?;
    Ok(scim_json(StatusCode::OK, &role))
}

fn resource(call: &ScimCall, role: &str) -> serde_json::Value {
    let place = if role == call.roles().lowest() {
        "The role of everybody who has no other."
    } else {
        "A role in the application."
    };
    discovery::role_resource(role, place, &call.base_url)
}

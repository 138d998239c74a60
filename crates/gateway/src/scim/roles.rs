//! The application's roles as resources, read-only: Okta Identity Governance offers them to the IT admin.

use super::{ScimResult, call::ScimCall};
use crate::error::{Error, scim_json};
use ::scim::{
    discovery, filter,
    list::{self, ListQuery, Projection, Start},
    schema,
    search::{self, Unknown},
};
use axum::http::StatusCode;
use serde_json::Value;

/// `GET /Roles`
pub async fn list(call: ScimCall) -> ScimResult {
    let (query, kind) = (ListQuery::parse(&call.query)?, schema::role());
    if let Some(filter) = &query.filter {
        // Roles are tried in memory; what makes no sense is refused for the same reasons as at /Users.
        search::resolve(filter, &kind, Unknown::Refuse)?;
    }
    let matches = |role: &Value| query.filter.as_ref().is_none_or(|filter| filter::matches(filter, role, &kind));
    let all = call.roles().roles().iter().map(|role| resource(&call, role));
    let matching: Vec<Value> = all.filter(matches).collect();
    let total = i64::try_from(matching.len()).unwrap_or(i64::MAX);
    let start = if let Start::Index(start) = query.start { start } else { 1 };
    let skipped = usize::try_from(start - 1).unwrap_or(usize::MAX);
    let page = matching.into_iter().skip(skipped).take(query.count);
    let page = page.map(|role| query.projection.apply(role, &kind)).collect();
    let answer = list::list_response(total, start, page);
    call.work.tx.rollback().await?;
    Ok(scim_json(StatusCode::OK, &answer))
}

/// `GET /Roles/{id}`
pub async fn get(call: ScimCall) -> ScimResult {
    let role = call.roles().roles().iter().find(|role| role.as_str() == call.name());
    let role = role.map(|role| resource(&call, role)).ok_or(Error::NotFound)?;
    let shown = Projection::parse(&call.query).apply(role, &schema::role());
    call.work.tx.rollback().await?;
    Ok(scim_json(StatusCode::OK, &shown))
}

fn resource(call: &ScimCall, role: &str) -> Value {
    let place = if role == call.roles().lowest() {
        "The role of everybody who has no other."
    } else {
        "A role in the application."
    };
    discovery::role_resource(role, place, &call.base_url)
}

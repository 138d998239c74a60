//! What this server can do (RFC 7644 4).

use super::{ScimResult, call::ScimCall};
use crate::error::{Error, scim_json};
use ::scim::{discovery, list};
use axum::http::StatusCode;
use serde_json::Value;

/// `GET /ServiceProviderConfig`
pub async fn service_provider_config(call: ScimCall) -> ScimResult {
    let document = discovery::service_provider_config(&call.base_url, &call.offer());
    call.work.tx.rollback().await?;
    Ok(scim_json(StatusCode::OK, &document))
}

/// `GET /ResourceTypes`
pub async fn resource_types(call: ScimCall) -> ScimResult {
    let documents = discovery::resource_types(call.catalogue(), &call.offer(), &call.base_url);
    all(call, documents).await
}

/// `GET /ResourceTypes/{id}`
pub async fn resource_type(call: ScimCall) -> ScimResult {
    let documents = discovery::resource_types(call.catalogue(), &call.offer(), &call.base_url);
    one(call, documents).await
}

/// `GET /Schemas`
pub async fn schemas(call: ScimCall) -> ScimResult {
    let documents = discovery::schemas(call.catalogue(), &call.offer(), &call.base_url);
    all(call, documents).await
}

/// `GET /Schemas/{id}`
pub async fn schema(call: ScimCall) -> ScimResult {
    let documents = discovery::schemas(call.catalogue(), &call.offer(), &call.base_url);
    one(call, documents).await
}

async fn all(call: ScimCall, documents: Vec<Value>) -> ScimResult {
    call.work.tx.rollback().await?;
    let total = i64::try_from(documents.len()).unwrap_or(i64::MAX);
    Ok(scim_json(StatusCode::OK, &list::list_response(total, 1, documents)))
}

async fn one(call: ScimCall, documents: Vec<Value>) -> ScimResult {
    let found = discovery::by_id(documents, call.name());
    call.work.tx.rollback().await?;
    Ok(scim_json(StatusCode::OK, &found.ok_or(Error::NotFound)?))
}

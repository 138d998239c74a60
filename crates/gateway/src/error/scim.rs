//! Errors in SCIM's form (RFC 7644 3.12). Okta shows `detail` to the administrator.

use super::{Error, log};
use ::scim::error::{ScimError, ScimType};
use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use domain::refusal::Refusal;
use serde_json::Value;

/// The media type of every SCIM answer, exactly (RFC 7644 3.1).
pub const SCIM_JSON: &str = "application/scim+json";

/// An error on its way to a SCIM client.
#[derive(Debug)]
pub struct ScimFailure(Error);

impl<E: Into<Error>> From<E> for ScimFailure {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for ScimFailure {
    fn into_response(self) -> Response {
        log(&self.0);
        let error = dressed(self.0);
        let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = json(status, &error.to_json());
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"scim\""));
        }
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
        }
        response
    }
}

/// A SCIM document as an answer.
pub fn json(status: StatusCode, body: &Value) -> Response {
    (status, [(header::CONTENT_TYPE, SCIM_JSON)], body.to_string()).into_response()
}

fn dressed(error: Error) -> ScimError {
    let plain = |status, detail: &str| ScimError { status, scim_type: None, detail: detail.to_owned() };
    match error {
        Error::Scim(error) => error,
        Error::Refusal(refusal) => refused(&refusal),
        Error::Unauthorized => plain(
            401,
            "The API token is missing, wrong, revoked, or belongs to another connection. Paste the token of this connection again into the provisioning settings of the identity provider.",
        ),
        Error::Unavailable(_) => plain(
            503,
            "The directory is not available right now. The identity provider may try again in a few seconds.",
        ),
        Error::Internal(_) => plain(
            500,
            "Something went wrong on our side. Try again; if it stays, tell the vendor's support the time of this request.",
        ),
        _ => plain(
            404,
            "There is no such resource in this connection. If it was deleted here, remove the assignment in the identity provider and assign it again.",
        ),
    }
}

fn refused(refusal: &Refusal) -> ScimError {
    let (status, scim_type) = match refusal {
        Refusal::UserNameTaken { .. } | Refusal::GroupNameTaken { .. } => (409, ScimType::Uniqueness),
        _ => (400, ScimType::InvalidValue),
    };
    ScimError { status, scim_type: Some(scim_type), detail: format!("{refusal} ({})", refusal.code()) }
}

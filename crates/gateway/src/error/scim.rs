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

/// What went wrong, for the log of exchanges: travels with the response.
#[derive(Debug, Clone)]
pub struct ScimOutcome {
    /// Stable and documented: of the refusal, else of the kind of error.
    pub code: &'static str,
    pub detail: String,
}

impl ScimOutcome {
    /// What the log says of an error that is part of an answer.
    pub fn of(error: &ScimError) -> Self {
        Self { code: code(error), detail: error.detail.clone() }
    }

    /// The code of an answer that came without an outcome, such as that of a time limit.
    pub fn code_of(status: u16) -> &'static str {
        if status < 400 {
            return "ok";
        }
        code(&ScimError { status, scim_type: None, detail: String::new() })
    }

    /// What the log says of a request whose client hung up.
    pub fn nobody_waits() -> Self {
        let detail = "The client went away before the answer. What it asked for may have been done; it will see that when it asks again.";
        Self { code: "GH-SCIM-022", detail: detail.to_owned() }
    }
}

/// An error on its way to a SCIM client.
#[derive(Debug)]
pub struct ScimFailure(Error);

impl<E: Into<Error>> From<E> for ScimFailure {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl ScimFailure {
    /// Whether the same request again may succeed.
    pub fn is_collision(&self) -> bool {
        self.0.is_collision()
    }

    /// The error as the client is told, for an operation of a bulk request.
    pub fn told(self) -> ScimError {
        log(&self.0);
        dressed(self.0)
    }
}

impl IntoResponse for ScimFailure {
    fn into_response(self) -> Response {
        log(&self.0);
        let wait = match &self.0 {
            Error::TooManyRequests { seconds } => Some(*seconds),
            Error::Unavailable(_) => Some(5),
            _ => None,
        };
        let refusal = if let Error::Refusal(refusal) = &self.0 { Some(refusal.code()) } else { None };
        let error = dressed(self.0);
        let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = json(status, &error.to_json());
        let code = refusal.unwrap_or_else(|| code(&error));
        response.extensions_mut().insert(ScimOutcome { code, detail: error.detail });
        let headers = response.headers_mut();
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"scim\""));
        }
        if let Some(seconds) = wait.or((status == StatusCode::SERVICE_UNAVAILABLE).then_some(5)) {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// The code of an error that is no refusal.
fn code(error: &ScimError) -> &'static str {
    match (error.scim_type, error.status) {
        (Some(ScimType::InvalidSyntax), _) => "GH-SCIM-001",
        (Some(ScimType::InvalidValue), _) => "GH-SCIM-002",
        (Some(ScimType::InvalidPath), _) => "GH-SCIM-003",
        (Some(ScimType::NoTarget), _) => "GH-SCIM-004",
        (Some(ScimType::InvalidFilter), _) => "GH-SCIM-005",
        (Some(ScimType::TooMany), _) => "GH-SCIM-006",
        (Some(ScimType::Mutability), _) => "GH-SCIM-007",
        (Some(ScimType::Uniqueness), _) => "GH-SCIM-008",
        (Some(ScimType::InvalidCursor | ScimType::ExpiredCursor | ScimType::InvalidCount), _) => "GH-SCIM-009",
        (_, 401) => "GH-SCIM-010",
        (_, 403) => "GH-SCIM-011",
        (_, 404) => "GH-SCIM-012",
        (_, 405) => "GH-SCIM-013",
        (_, 412) => "GH-SCIM-014",
        (_, 413 | 414) => "GH-SCIM-015",
        (_, 415) => "GH-SCIM-016",
        (_, 429) => "GH-SCIM-017",
        (_, 501) => "GH-SCIM-018",
        (_, 503) => "GH-SCIM-019",
        (_, 500) => "GH-SCIM-020",
        _ => "GH-SCIM-021",
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
        Error::TooManyRequests { seconds } => ScimError::too_many_requests(format!(
            "Too many requests of this organization at once. The identity provider may go on in {seconds} second(s)."
        )),
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
        Refusal::UserNameTaken { .. } | Refusal::GroupNameTaken { .. } | Refusal::AddressTaken { .. } => {
            (409, Some(ScimType::Uniqueness))
        }
        // Nothing that Entra would take for a wrong token, and nobody who could be looked for by name.
        Refusal::LastAdministrator | Refusal::SeatsTaken { .. } | Refusal::MassChange { .. } => (409, None),
        _ => (400, Some(ScimType::InvalidValue)),
    };
    ScimError { status, scim_type, detail: format!("{refusal} ({})", refusal.code()) }
}

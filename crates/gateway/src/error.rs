//! One error for the whole gateway; the handler's return type picks how it is dressed.

mod oauth;
mod page;
mod scim;

pub use self::{
    oauth::OAuthFailure,
    page::{PageFailure, of_status},
    scim::{SCIM_JSON, ScimFailure, ScimOutcome, json as scim_json},
};

use ::oidc::error::OAuthError;
use ::saml::code::Rejection;
use ::scim::error::{ScimError, ScimType};
use domain::refusal::Refusal;
use std::sync::Arc;
use thiserror::Error;

/// Told when a search was given up.
const TOO_SLOW: &str = "The search takes too long in a directory of this size. Filter by userName, externalId, id or emails.value with eq, or ask for less.";

/// Why a request did not succeed.
#[derive(Debug, Error)]
pub enum Error {
    /// A business "no".
    #[error(transparent)]
    Refusal(#[from] Refusal),
    /// SCIM's own errors.
    #[error("{}", .0.detail)]
    Scim(#[from] ScimError),
    /// OAuth's own errors.
    #[error("{}", .0.description)]
    OAuth(#[from] OAuthError),
    /// A SAML response that was not accepted.
    #[error(transparent)]
    Saml(#[from] Box<Rejection>),
    /// A credential is missing or wrong.
    #[error("the credential is missing or not valid")]
    Unauthorized,
    /// There is nothing of that name, or not for this caller.
    #[error("not found")]
    NotFound,
    /// The client has to wait so many seconds.
    #[error("too many requests")]
    TooManyRequests { seconds: u64 },
    /// The connection has no identity provider yet.
    #[error("the connection has no identity provider yet")]
    NotSetUp,
    /// Nobody signs in there for the time being.
    #[error("the organization or its connection is suspended")]
    Suspended,
    /// The database cannot be reached right now.
    #[error("the database cannot be reached")]
    Unavailable(#[source] Arc<store::error::Error>),
    /// Ours to mend.
    #[error("internal error")]
    Internal(#[source] anyhow::Error),
}

impl Error {
    /// Whether another transaction was in the way, so that the same again may succeed.
    pub fn is_collision(&self) -> bool {
        matches!(self, Self::Unavailable(error) if matches!(**error, store::error::Error::Collision(_)))
    }

    /// Whether everybody who asks the database now would be told the same, whatever the token.
    pub fn is_outage(&self) -> bool {
        self.shared().is_some_and(|error| !matches!(error, Self::Unauthorized))
    }

    /// The same for somebody else of whom it is true as well, because it has nothing to do with what was asked.
    pub fn shared(&self) -> Option<Self> {
        match self {
            Self::Unavailable(error) if !self.is_collision() => Some(Self::Unavailable(Arc::clone(error))),
            Self::TooManyRequests { seconds } => Some(Self::TooManyRequests { seconds: *seconds }),
            Self::Unauthorized => Some(Self::Unauthorized),
            _ => None,
        }
    }
}

impl From<Rejection> for Error {
    fn from(rejection: Rejection) -> Self {
        Self::Saml(Box::new(rejection))
    }
}

impl From<store::error::Error> for Error {
    fn from(error: store::error::Error) -> Self {
        match error {
            store::error::Error::Unavailable(_) | store::error::Error::Collision(_) => {
                Self::Unavailable(Arc::new(error))
            }
            store::error::Error::TooSlow => ScimError::bad_request(ScimType::TooMany, TOO_SLOW).into(),
            error => Self::Internal(error.into()),
        }
    }
}

impl From<anyhow::Error> for Error {
    fn from(error: anyhow::Error) -> Self {
        Self::Internal(error)
    }
}

/// Logs what is ours to mend; what a caller did wrong is told to the caller.
fn log(error: &Error) {
    match error {
        Error::Internal(source) => tracing::error!(error = format!("{source:#}"), "A request failed"),
        Error::Unavailable(source) => tracing::error!(error = chain(source), "The database cannot be reached"),
        Error::Saml(rejection) => tracing::info!(code = rejection.code.id(), "Refused a SAML response"),
        Error::Refusal(refusal) => tracing::info!(code = refusal.code(), "Refused a request"),
        _ => {}
    }
}

/// An error and what caused it.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}

//! Errors as pages: what happened, what to do, and a code that the IT admin can look up.

use super::{Error, log};
use crate::pages::{self, ErrorPage};
use ::saml::code::Code;
use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};
use domain::refusal::Refusal;

/// An error on its way to a person.
#[derive(Debug)]
pub struct PageFailure {
    pub error: Error,
    /// Ties what the person sees to the log line, and to the connection's log of sign-ins.
    pub reference: String,
    /// Whether the page tells what was expected and what came: for whoever sets a connection up, and nobody else.
    is_in_full: bool,
}

impl PageFailure {
    /// The same told in full, while a test is on.
    #[must_use]
    pub fn in_full(self, is_in_full: bool) -> Self {
        Self { is_in_full, ..self }
    }
}

impl<E: Into<Error>> From<E> for PageFailure {
    fn from(error: E) -> Self {
        Self { error: error.into(), reference: pages::reference(), is_in_full: false }
    }
}

impl IntoResponse for PageFailure {
    fn into_response(self) -> Response {
        log(&self.error);
        let (status, page) = dressed(&self.error, self.is_in_full);
        pages::html(status, &page.with(self.reference))
    }
}

fn page(title: &str, next: &str, code: &str) -> ErrorPage {
    ErrorPage::new(title, next, code)
}

fn dressed(error: &Error, is_in_full: bool) -> (StatusCode, ErrorPage) {
    match error {
        Error::Saml(rejection) => {
            let code = rejection.code;
            let again = !matches!(code, Code::UserUnknown | Code::UserDeactivated);
            let next = if again {
                "Try again from your application. If it happens again, send this page to your IT admin."
            } else {
                "Ask your IT admin; this page says what they can do."
            };
            let shown = page(code.title(), next, code.id());
            let story = |text: &Option<String>| text.clone().filter(|_| is_in_full);
            (
                if code == Code::RateLimited { StatusCode::TOO_MANY_REQUESTS } else { StatusCode::FORBIDDEN },
                shown.for_admin(code.fix(), story(&rejection.expected), story(&rejection.received)),
            )
        }
        Error::Refusal(refusal) => (StatusCode::FORBIDDEN, refused(refusal)),
        Error::OAuth(error) => (
            StatusCode::BAD_REQUEST,
            page(
                "The application sent a sign-in request that cannot be used.",
                "Go back and try again. If it happens again, send this page to the people who run the application.",
                "GH-OIDC-001",
            )
            .for_admin(&error.description, None, Some(error.code.as_str().to_owned())),
        ),
        Error::NotSetUp => (
            StatusCode::NOT_FOUND,
            page(
                "There is no single sign-on at this address yet.",
                "Check the address. If it is right, ask your IT admin to finish the set-up: the identity provider's metadata is still missing here.",
                "GH-CON-001",
            ),
        ),
        Error::Suspended => (
            StatusCode::FORBIDDEN,
            page(
                "Sign-in is paused for your organization.",
                "Ask your IT admin; only the people who run the application can let your organization in again.",
                "GH-CON-002",
            ),
        ),
        Error::Unavailable(_) => (
            StatusCode::SERVICE_UNAVAILABLE,
            page("Sign-in is not available right now.", "Wait a few seconds and try again.", "GH-SYS-001"),
        ),
        Error::Internal(_) => (
            StatusCode::INTERNAL_SERVER_ERROR,
            page(
                "Something went wrong on our side.",
                "Try again. If it happens again, send this page to the people who run the application.",
                "GH-SYS-002",
            ),
        ),
        _ => (
            StatusCode::NOT_FOUND,
            page(
                "There is nothing at this address.",
                "Check the address, or start from your application.",
                "GH-SYS-003",
            ),
        ),
    }
}

fn refused(refusal: &Refusal) -> ErrorPage {
    let mut sentence = refusal.to_string();
    if let Some(first) = sentence.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    page("You cannot be signed in.", &format!("{sentence}."), refusal.code())
}

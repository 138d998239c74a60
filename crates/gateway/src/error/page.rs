//! Errors as pages: what happened, what to do, and a code that the IT admin can look up.

use super::{Error, log};
use crate::pages::{self, ErrorPage, Words};
use ::saml::code::Code;
use axum::{
    http::{StatusCode, header},
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
        let response = pages::html(status, &page.with(self.reference));
        match self.error {
            Error::TooManyRequests { seconds } => {
                ([(header::RETRY_AFTER, seconds.to_string())], response).into_response()
            }
            _ => response,
        }
    }
}

/// The page for an answer that no handler made: a form from elsewhere, a body that is too large, too little time.
pub fn of_status(status: StatusCode) -> Response {
    let page = match status {
        StatusCode::SERVICE_UNAVAILABLE => page("error-unavailable", "next-seconds", "GH-SYS-001"),
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => page("error-nothing", "next-address", "GH-SYS-003"),
        status if status.is_server_error() => page("error-internal", "next-vendor", "GH-SYS-002"),
        _ => page("error-form", "next-back", "GH-SYS-005"),
    };
    pages::html(status, &page.with(pages::reference()))
}

/// A page whose sentences are messages.
fn page(title: &str, next: &str, code: &str) -> ErrorPage {
    let words = Words::here();
    let (title, next) = (words.say(title), words.say(next));
    ErrorPage::new(words, title, next, code)
}

fn dressed(error: &Error, is_in_full: bool) -> (StatusCode, ErrorPage) {
    match error {
        Error::Saml(rejection) => {
            let code = rejection.code;
            let again = !matches!(code, Code::UserUnknown | Code::UserDeactivated);
            let shown = page(code.topic(), if again { "next-again" } else { "next-admin" }, code.id());
            let story = |text: &Option<String>| text.clone().filter(|_| is_in_full);
            (
                if code == Code::RateLimited { StatusCode::TOO_MANY_REQUESTS } else { StatusCode::FORBIDDEN },
                shown.for_admin(code.title(), code.fix(), story(&rejection.expected), story(&rejection.received)),
            )
        }
        Error::Refusal(refusal) => (StatusCode::FORBIDDEN, refused(refusal)),
        Error::OAuth(error) => (
            StatusCode::BAD_REQUEST,
            page("error-request", "next-back", "GH-OIDC-001").for_admin(
                "",
                &error.description,
                None,
                Some(error.code.as_str().to_owned()),
            ),
        ),
        Error::NotSetUp => (StatusCode::NOT_FOUND, page("error-not-set-up", "error-not-set-up-next", "GH-CON-001")),
        Error::Suspended => (StatusCode::FORBIDDEN, page("error-suspended", "error-suspended-next", "GH-CON-002")),
        Error::TooManyRequests { .. } => {
            (StatusCode::TOO_MANY_REQUESTS, page("saml-BUSY", "next-seconds", "GH-SYS-004"))
        }
        // A question to the database took too long.
        Error::Unavailable(_) | Error::Scim(_) => {
            (StatusCode::SERVICE_UNAVAILABLE, page("error-unavailable", "next-seconds", "GH-SYS-001"))
        }
        Error::Internal(_) => (StatusCode::INTERNAL_SERVER_ERROR, page("error-internal", "next-vendor", "GH-SYS-002")),
        _ => (StatusCode::NOT_FOUND, page("error-nothing", "next-address", "GH-SYS-003")),
    }
}

/// A business "no". Sentences with something of the user's in them are in English only, for the IT admin.
fn refused(refusal: &Refusal) -> ErrorPage {
    let mut sentence = format!("{refusal}.");
    if let Some(first) = sentence.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    let words = Words::here();
    let title = match refusal {
        Refusal::InvitationExpired | Refusal::InvitationUsed | Refusal::InvitationWithdrawn => "invitation-over-title",
        _ => "error-refused",
    };
    let title = words.say(title);
    let own = words.find(&format!("refusal-{}", refusal.code()));
    if own.is_none() && words == Words::default() {
        return ErrorPage::new(words, title, sentence, refusal.code());
    }
    let next = own.unwrap_or_else(|| words.say("refusal-other"));
    ErrorPage::new(words, title, next, refusal.code()).for_admin("", &sentence, None, None)
}

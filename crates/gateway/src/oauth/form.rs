//! Bodies of forms: those that OAuth clients post, and those that browsers post.

use crate::{app::Inner, error::Error};
use ::oidc::error::{ErrorCode, OAuthError};
use axum::response::{IntoResponse, Redirect, Response};
use url::form_urlencoded;

/// The longest form that becomes a query.
const LONGEST: usize = 16_384;

/// A form that a browser posts, as text.
///
/// # Errors
/// When it is too long, or not UTF-8.
pub fn read_browser_form(body: &[u8]) -> Result<&str, Error> {
    let form = std::str::from_utf8(body).ok().filter(|form| form.len() <= LONGEST);
    form.ok_or_else(|| wrong("The form is too long or not UTF-8."))
}

/// What a browser is told that brings something wrong.
pub fn wrong(sentence: &str) -> Error {
    OAuthError::new(ErrorCode::InvalidRequest, sentence).into()
}

/// Has the browser come again by GET. Other sites post here, and a browser shows no cookie of ours to that.
///
/// # Errors
/// As [`read_browser_form`].
pub fn by_get(app: &Inner, path: &str, body: &[u8]) -> Result<Response, Error> {
    let fields = form_urlencoded::parse(read_browser_form(body)?.as_bytes());
    let query: String = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    Ok(Redirect::to(&format!("{}{path}?{query}", app.issuer())).into_response())
}

/// A form body as text.
///
/// # Errors
/// When it is not UTF-8.
pub fn read_form(body: &[u8]) -> Result<&str, Error> {
    let wrong = || OAuthError::new(ErrorCode::InvalidRequest, "The form is not UTF-8.");
    Ok(std::str::from_utf8(body).map_err(|_| wrong())?)
}

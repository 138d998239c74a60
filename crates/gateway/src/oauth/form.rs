//! Bodies of the endpoints that OAuth clients post to.

use crate::error::Error;
use ::oidc::error::{ErrorCode, OAuthError};

/// A form body as text.
///
/// # Errors
/// When it is not UTF-8.
pub fn read_form(body: &[u8]) -> Result<&str, Error> {
    let wrong = || OAuthError::new(ErrorCode::InvalidRequest, "The form is not UTF-8.");
    Ok(std::str::from_utf8(body).map_err(|_| wrong())?)
}

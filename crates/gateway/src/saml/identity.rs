//! What of a verified assertion outlives the request that brought it: kept until the browser collects it.

use ::saml::response::VerifiedAssertion;
use domain::email::Email;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// Names under which identity providers send an e-mail address (Okta's custom app, Entra, the OID of `mail`).
const EMAIL_ATTRIBUTES: [&str; 5] = [
    "email",
    "mail",
    "emailAddress",
    "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress",
    "urn:oid:0.9.2342.19200300.100.1.3",
];

/// A NameID format that names nobody twice (core 8.3.8).
const TRANSIENT: &str = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient";

/// Who the identity provider says this is.
#[derive(Debug, Serialize, Deserialize)]
pub struct Identity {
    pub name_id: String,
    pub transient: bool,
    pub email: Option<String>,
    pub session_index: Option<String>,
    pub auth_time: OffsetDateTime,
    pub session_not_on_or_after: Option<OffsetDateTime>,
}

impl From<&VerifiedAssertion> for Identity {
    fn from(assertion: &VerifiedAssertion) -> Self {
        let name_id = assertion.name_id();
        let from_attribute = EMAIL_ATTRIBUTES.iter().find_map(|name| assertion.attribute(name));
        let email = from_attribute.filter(|email| Email::parse(email).is_ok()).unwrap_or(&name_id.value);
        Self {
            name_id: name_id.value.clone(),
            transient: name_id.format.as_deref() == Some(TRANSIENT),
            email: Email::parse(email).ok().map(|email| email.to_string()),
            session_index: assertion.session_index().map(str::to_owned),
            auth_time: assertion.authn_instant(),
            session_not_on_or_after: assertion.session_not_on_or_after(),
        }
    }
}

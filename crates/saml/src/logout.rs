//! Single logout (profiles 4.4), as a service provider that either side may ask: requests and answers, both always
//! signed.

use crate::code::{Code, Rejection};
use crate::idp::IdentityProvider;
use crate::logout_message::{self, Came};
use crate::outgoing::{self, Kind, Outgoing};
use crate::response::{Expected, NameId};
use crate::sp::ServiceProvider;
use crate::sp_key::{KeyError, SpKey};
use crate::xml::{self, ASSERTION, PROTOCOL};
use crate::{instant, transport};
use time::{Duration, OffsetDateTime};

pub use crate::logout_message::{LogoutRequest, LogoutResponse};

/// How long an identity provider may take to receive a request of ours.
const REQUEST_LIFETIME: Duration = Duration::minutes(5);

/// A verified message of the identity provider about logout.
#[derive(Debug, Clone)]
pub enum Message {
    /// It wants sessions to end.
    Request(LogoutRequest),
    /// It answers a request of ours.
    Response(LogoutResponse),
}

/// What came to the logout address.
#[derive(Debug, Clone)]
pub struct Received {
    /// What it says.
    pub message: Message,
    /// What is to be sent back with the answer (bindings 3.4.3); covered by the signature only in a URL.
    pub relay_state: Option<String>,
}

/// Verifies a message that came as a query (HTTP-Redirect), as it was received.
pub fn from_query(query: &str, expected: &Expected<'_>) -> Result<Received, Rejection> {
    let came = crate::redirect::read(query)?;
    came.verify(expected.idp, expected.sha1()).map_err(of_logout)?;
    let message = logout_message::read(&came.message, came.kind, Came::Proven, expected)?;
    Ok(Received { message, relay_state: came.relay_state })
}

/// Verifies a message that came as a form field, SAMLRequest or SAMLResponse (HTTP-POST).
pub fn from_form(
    field: &str,
    is_request: bool,
    relay_state: Option<String>,
    expected: &Expected<'_>,
) -> Result<Received, Rejection> {
    let kind = if is_request { Kind::Request } else { Kind::Response };
    let message = transport::decode(field, logout_message::MAX_BYTES)?;
    Ok(Received { message: logout_message::read(&message, kind, Came::SignedInside, expected)?, relay_state })
}

/// The words for a sign-in that is not signed would mislead.
pub(crate) fn of_logout(rejection: Rejection) -> Rejection {
    if rejection.code == Code::Unsigned { Code::LogoutUnsigned.into() } else { rejection }
}

/// A request of ours that a user's sessions end (core 3.7.1).
#[derive(Debug, Clone, Copy)]
pub struct OwnRequest<'a> {
    /// The request's ID, which the answer repeats.
    pub id: &'a str,
    /// When it was made.
    pub issue_instant: OffsetDateTime,
    /// Whose sessions.
    pub name_id: &'a NameId,
    /// Which of them; none means all.
    pub session_indexes: &'a [String],
}

impl OwnRequest<'_> {
    /// The request as it leaves; `None` if the identity provider does not take part in logout.
    pub fn send(
        &self,
        sp: &ServiceProvider,
        idp: &IdentityProvider,
        key: &SpKey,
        relay_state: &str,
    ) -> Result<Option<Outgoing>, KeyError> {
        let Some(service) = &idp.slo else { return Ok(None) };
        let attribute = |name: &str, value: &Option<String>| {
            value.as_ref().map(|value| format!(" {name}=\"{}\"", xml::escape(value))).unwrap_or_default()
        };
        let NameId { value, format, name_qualifier, sp_name_qualifier } = self.name_id;
        let indexes = self.session_indexes.iter();
        let indexes: String =
            indexes.map(|index| format!("<samlp:SessionIndex>{}</samlp:SessionIndex>", xml::escape(index))).collect();
        let end = instant::written(self.issue_instant.saturating_add(REQUEST_LIFETIME));
        let xml = format!(
            "<samlp:LogoutRequest xmlns:samlp=\"{PROTOCOL}\" xmlns:saml=\"{ASSERTION}\" ID=\"{id}\" Version=\"2.0\" \
             IssueInstant=\"{issued}\" Destination=\"{destination}\" NotOnOrAfter=\"{end}\">\
             <saml:Issuer>{issuer}</saml:Issuer><saml:NameID{format}{qualifier}{sp_qualifier}>{name}</saml:NameID>\
             {indexes}</samlp:LogoutRequest>",
            id = self.id,
            issued = instant::written(self.issue_instant),
            destination = xml::escape(service.endpoint.url.as_str()),
            issuer = xml::escape(&sp.entity_id),
            format = attribute("Format", format),
            qualifier = attribute("NameQualifier", name_qualifier),
            sp_qualifier = attribute("SPNameQualifier", sp_name_qualifier),
            name = xml::escape(value),
        );
        outgoing::send(Kind::Request, &xml, &service.endpoint, relay_state, key).map(Some)
    }
}

/// An answer of ours (core 3.7.2).
#[derive(Debug, Clone, Copy)]
pub struct OwnResponse<'a> {
    /// The answer's ID.
    pub id: &'a str,
    /// When it was made.
    pub issue_instant: OffsetDateTime,
    /// The request that is answered.
    pub in_response_to: &'a str,
}

impl OwnResponse<'_> {
    /// The answer that all is done; `None` if the identity provider has no address for it.
    pub fn send(
        &self,
        sp: &ServiceProvider,
        idp: &IdentityProvider,
        key: &SpKey,
        relay_state: &str,
    ) -> Result<Option<Outgoing>, KeyError> {
        let Some(service) = &idp.slo else { return Ok(None) };
        let to = service.answers();
        let xml = format!(
            "<samlp:LogoutResponse xmlns:samlp=\"{PROTOCOL}\" xmlns:saml=\"{ASSERTION}\" ID=\"{id}\" Version=\"2.0\" \
             IssueInstant=\"{issued}\" Destination=\"{destination}\" InResponseTo=\"{request}\">\
             <saml:Issuer>{issuer}</saml:Issuer><samlp:Status><samlp:StatusCode \
             Value=\"urn:oasis:names:tc:SAML:2.0:status:Success\"/></samlp:Status></samlp:LogoutResponse>",
            id = self.id,
            issued = instant::written(self.issue_instant),
            destination = xml::escape(to.url.as_str()),
            request = xml::escape(self.in_response_to),
            issuer = xml::escape(&sp.entity_id),
        );
        outgoing::send(Kind::Response, &xml, &to, relay_state, key).map(Some)
    }
}

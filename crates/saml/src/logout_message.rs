//! Reads a LogoutRequest or LogoutResponse through the same walls as a sign-in: bytes, structure, shape, signature,
//! meaning.

use crate::code::{Code, Rejection};
use crate::logout::Message;
use crate::meaning::Clock;
use crate::outgoing::Kind;
use crate::response::{Expected, NameId};
use crate::xml::{self, ASSERTION, PROTOCOL};
use crate::{instant, read, shape, signature, text};
use time::OffsetDateTime;
use uppsala::{Document, NodeId};

/// How long a form field may be; a logout message has a few hundred bytes.
pub(crate) const MAX_BYTES: usize = 64 * 1024;

/// Sessions that one request may name.
const MAX_SESSIONS: usize = 100;

/// What proves a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Came {
    /// Its transport did: every byte counts.
    Proven,
    /// A signature inside must.
    SignedInside,
}

/// The identity provider wants sessions to end (core 3.7.1).
#[derive(Debug, Clone)]
pub struct LogoutRequest {
    /// The request's ID, which the answer repeats; a second use changes nothing.
    pub id: String,
    /// When it was made, by the identity provider's clock.
    pub issue_instant: OffsetDateTime,
    /// Whose sessions.
    pub name_id: NameId,
    /// Which of them; none means all.
    pub session_indexes: Vec<String>,
}

/// The identity provider answers a request of ours (core 3.7.2).
#[derive(Debug, Clone)]
pub struct LogoutResponse {
    /// The request that it answers.
    pub in_response_to: String,
    /// Whether everybody who was asked has ended the user's sessions.
    pub is_complete: bool,
}

/// Reads and proves a message that was taken from its transport.
pub(crate) fn read(message: &[u8], kind: Kind, came: Came, expected: &Expected<'_>) -> Result<Message, Rejection> {
    let (source, document) = xml::received(message)?;
    let (root, signed) = shape::logout(&document, kind == Kind::Request, expected.sha1())?;
    let canonical = match (came, signed) {
        (Came::Proven, _) => None,
        (Came::SignedInside, None) => return Err(Code::LogoutUnsigned.into()),
        (Came::SignedInside, Some(signed)) => {
            signature::verify(&document, source, vec![signed], expected.idp)?;
            Some(signature::canonical(&document, root, Some(&signed))?)
        }
    };
    text::no_comments(&document, root).map_err(Rejection::of_proven)?;
    let proven = canonical.as_deref().map(xml::parse).transpose().map_err(|_| Code::SignatureUnprocessable)?;
    let proven = proven.as_ref().unwrap_or(&document);
    let root = proven.document_element().ok_or(Code::SignatureUnprocessable)?;
    judge(proven, root, kind, expected).map_err(Rejection::of_proven)
}

fn judge(document: &Document<'_>, root: NodeId, kind: Kind, expected: &Expected<'_>) -> Result<Message, Rejection> {
    let clock = Clock::of(expected);
    let required = |name: &str| xml::attribute(document, root, name);
    if required("Version") != Some("2.0") {
        return Err(differs(Code::Version, "2.0", required("Version")));
    }
    let issue_instant = instant::required(required("IssueInstant"), "IssueInstant")?;
    clock.recently_issued(issue_instant)?;
    // core 3.2.1 and bindings 3.4.5.2: a signed message names where it goes.
    let own = expected.sp.slo_url.as_str();
    if required("Destination") != Some(own) {
        return Err(differs(Code::LogoutDestination, own, required("Destination")));
    }
    let issuer = xml::named(document, root, ASSERTION, "Issuer").next();
    let issuer = issuer.map(|issuer| text::whole(document, issuer)).transpose()?;
    if issuer.as_deref() != Some(expected.idp.entity_id.as_str()) {
        return Err(differs(Code::ResponseIssuer, &expected.idp.entity_id, issuer.as_deref()));
    }
    match kind {
        Kind::Request => request(document, root, issue_instant, &clock, expected).map(Message::Request),
        Kind::Response => response(document, root).map(Message::Response),
    }
}

fn request(
    document: &Document<'_>,
    root: NodeId,
    issue_instant: OffsetDateTime,
    clock: &Clock,
    expected: &Expected<'_>,
) -> Result<LogoutRequest, Rejection> {
    let end: Option<OffsetDateTime> =
        instant::optional(xml::attribute(document, root, "NotOnOrAfter"), "NotOnOrAfter")?;
    if end.is_some_and(|end| clock.is_over(end)) {
        return Err(clock.refuse(Code::LogoutExpired, end));
    }
    let indexes = xml::named(document, root, PROTOCOL, "SessionIndex");
    let session_indexes: Vec<String> =
        indexes.take(MAX_SESSIONS + 1).map(|node| text::whole(document, node)).collect::<Result<_, _>>()?;
    if session_indexes.len() > MAX_SESSIONS {
        return Err(Rejection::new(Code::LogoutContent).expected(&format!("at most {MAX_SESSIONS} sessions")));
    }
    Ok(LogoutRequest {
        id: xml::attribute(document, root, "ID").unwrap_or_default().to_owned(),
        issue_instant,
        name_id: read::name_id(document, root, expected.decryption_keys)?,
        session_indexes,
    })
}

fn response(document: &Document<'_>, root: NodeId) -> Result<LogoutResponse, Rejection> {
    let request = xml::attribute(document, root, "InResponseTo");
    let in_response_to = request.ok_or_else(|| differs(Code::LogoutUnknown, "InResponseTo", None))?.to_owned();
    Ok(LogoutResponse { in_response_to, is_complete: read::status(document, root).is_ok() })
}

fn differs(code: Code, expected: &str, received: Option<&str>) -> Rejection {
    Rejection::new(code).expected(expected).received(received.unwrap_or("nothing"))
}

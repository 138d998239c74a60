//! The front door for a SAML response: every step of the pipeline in its order, and what it proves.
//! Whether the request was ours, whether the assertion was used before and who the user is are for the caller.

use crate::algorithm::Sha1;
use crate::code::{Code, Rejection};
use crate::idp::IdentityProvider;
use crate::sp::ServiceProvider;
use crate::xml::{self, ASSERTION};
use crate::{bytes, meaning, read, shape, signature, structure, text, transport};
use std::fmt;
use time::{Duration, OffsetDateTime};

/// How long the SAMLResponse form field may be.
pub const MAX_RESPONSE_BYTES: usize = 256 * 1024;

/// What a response must fit.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// This connection as the identity provider knows it.
    pub sp: &'a ServiceProvider,
    /// The identity provider of this connection.
    pub idp: &'a IdentityProvider,
    /// The time of the request.
    pub now: OffsetDateTime,
    /// The clock difference that is tolerated in both directions.
    pub skew: Duration,
    /// Whether this connection still accepts SHA-1.
    pub allow_sha1: bool,
}

/// The subject's name (core 2.2.2); its value is personal data and not printed by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct NameId {
    /// The identifier itself, without white space at its ends.
    pub value: String,
    /// The kind of identifier, as a URI.
    pub format: Option<String>,
    /// The domain that qualifies the name, usually the identity provider.
    pub name_qualifier: Option<String>,
    /// The service provider that qualifies the name.
    pub sp_name_qualifier: Option<String>,
}

impl fmt::Debug for NameId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NameId").field("format", &self.format).finish_non_exhaustive()
    }
}

/// One attribute of the user (core 2.7.3.1); its values are personal data and not printed by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Attribute {
    /// The name that mappings refer to.
    pub name: String,
    /// The name for people.
    pub friendly_name: Option<String>,
    /// The plain text values; structured ones are left out.
    pub values: Vec<String>,
}

impl fmt::Debug for Attribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attribute").field("name", &self.name).finish_non_exhaustive()
    }
}

/// An assertion that passed every check of this crate; [`verify`] is the only thing that makes one.
#[derive(Clone)]
pub struct VerifiedAssertion {
    assertion: read::Assertion,
    accepted: meaning::Accepted,
}

impl fmt::Debug for VerifiedAssertion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedAssertion").field("assertion_id", &self.assertion.id).finish_non_exhaustive()
    }
}

/// Verifies the SAMLResponse form field as it was received: steps 1 to 5, 7 and 8 of the pipeline.
pub fn verify(saml_response: &str, expected: &Expected<'_>) -> Result<VerifiedAssertion, Rejection> {
    let decoded = transport::decode(saml_response, MAX_RESPONSE_BYTES)?;
    let source = bytes::text(&decoded)?;
    structure::scan(source)?;
    let document = xml::parse(source).map_err(|_| Code::Malformed)?;
    let sha1 = if expected.allow_sha1 { Sha1::Allowed } else { Sha1::Refused };
    let shape = shape::check(&document, sha1)?;
    let verified = signature::verify(&document, source, &shape, expected.idp)?;
    text::no_comments(&document, shape.response)?;

    // From here on only the verified bytes count. Where the Response itself is not signed, its own fields can only be
    // read from the received document: they may refuse, but never grant.
    let canonical = xml::parse(&verified.text).map_err(|_| Code::SignatureUnprocessable)?;
    let root = canonical.document_element().ok_or(Code::SignatureUnprocessable)?;
    let (response_tree, response) = if verified.is_response { (&canonical, root) } else { (&document, shape.response) };
    let assertion = if verified.is_response {
        xml::named(&canonical, root, ASSERTION, "Assertion").next().ok_or(Code::AssertionMissing)?
    } else {
        root
    };

    read::status(response_tree, response)?;
    let response = read::response(response_tree, response)?;
    let assertion = read::assertion(&canonical, assertion)?;
    let accepted = meaning::judge(&response, verified.is_response, &assertion, expected)?;
    Ok(VerifiedAssertion { assertion, accepted })
}

impl VerifiedAssertion {
    /// The assertion's ID, unique per identity provider (core 1.3.4): the key of the replay table.
    pub fn assertion_id(&self) -> &str {
        &self.assertion.id
    }

    /// The request that this answers; Response and SubjectConfirmationData agree on it (profiles 4.1.4.3).
    pub fn in_response_to(&self) -> Option<&str> {
        self.accepted.in_response_to.as_deref()
    }

    /// The identity provider's entity ID.
    pub fn issuer(&self) -> &str {
        &self.assertion.issuer
    }

    /// The subject's name.
    pub fn name_id(&self) -> &NameId {
        &self.assertion.name_id
    }

    /// The identity provider's name for its session (core 2.7.2), needed for logout.
    pub fn session_index(&self) -> Option<&str> {
        self.assertion.statements.iter().find_map(|statement| statement.session_index.as_deref())
    }

    /// When the user signed in at the identity provider (core 2.7.2); the latest when it says several.
    pub fn authn_instant(&self) -> OffsetDateTime {
        let latest = self.assertion.statements.iter().map(|statement| statement.instant).max();
        latest.unwrap_or(self.assertion.issue_instant)
    }

    /// How the user signed in, as a class URI (core 2.7.2.2).
    pub fn authn_context(&self) -> Option<&str> {
        self.assertion.statements.iter().find_map(|statement| statement.context.as_deref())
    }

    /// When the identity provider wants the session to end (core 2.7.2).
    pub fn session_not_on_or_after(&self) -> Option<OffsetDateTime> {
        self.accepted.session_not_on_or_after
    }

    /// The last instant, clock difference included, at which this assertion could be accepted again.
    pub fn valid_until(&self) -> OffsetDateTime {
        self.accepted.valid_until
    }

    /// All attributes in their order; a name may occur twice.
    pub fn attributes(&self) -> &[Attribute] {
        &self.assertion.attributes
    }

    /// The first value of the first attribute with this name that has one.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attribute_values(name).next()
    }

    /// All values of all attributes with this name; more than one makes an identity ambiguous.
    pub fn attribute_values(&self, name: &str) -> impl Iterator<Item = &str> {
        let named = self.assertion.attributes.iter().filter(move |attribute| attribute.name == name);
        named.flat_map(|attribute| attribute.values.iter().map(String::as_str))
    }

    /// Whether the identity provider forbids to keep the assertion for later (core 2.5.1.5).
    pub fn one_time_use(&self) -> bool {
        self.assertion.conditions.one_time_use
    }
}

//! The front door for a SAML response: every step of the pipeline in its order, and what it proves.
//! Whether the request was ours, whether the assertion was used before and who the user is are for the caller.

use crate::algorithm::Sha1;
use crate::code::{Code, Rejection};
use crate::decryption::DecryptionKey;
use crate::idp::IdentityProvider;
use crate::request::RequestedAuthnContext;
use crate::shape::{Assertion, Content};
use crate::sp::ServiceProvider;
use crate::trace::{self, Kept};
use crate::xml::{self, ASSERTION};
use crate::{encrypted, meaning, read, shape, signature, text, transport};
use std::fmt;
use time::{Duration, OffsetDateTime};
use uppsala::{Document, NodeId};

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
    /// The keys for what is encrypted; several while one replaces another.
    pub decryption_keys: &'a [DecryptionKey],
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
    /// The plain values; structured ones are left out.
    pub values: Vec<AttributeValue>,
}

/// One plain value of an attribute (core 2.7.3.1.1); personal data and not printed by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct AttributeValue {
    /// The text, without white space at its ends.
    pub text: String,
    /// What the sender says that it is.
    pub kind: ValueKind,
}

impl fmt::Debug for AttributeValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AttributeValue").field("kind", &self.kind).finish_non_exhaustive()
    }
}

/// The kind of a value by its `xsi:type` (XML Schema 1, 2.6.1), as far as it makes a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueKind {
    /// `xs:boolean`.
    Boolean,
    /// `xs:integer` and the kinds made from it.
    Integer,
    /// A string, or anything else.
    Other,
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

/// Verifies the SAMLResponse form field as it was received: steps 1 to 8 of the pipeline.
pub fn verify(saml_response: &str, expected: &Expected<'_>) -> Result<VerifiedAssertion, Rejection> {
    let decoded = transport::decode(saml_response, MAX_RESPONSE_BYTES)?;
    let (source, document) = xml::received(&decoded)?;
    verify_received(source, &document, expected, &mut None)
}

/// The same, and what of the response may be kept for an administrator, whatever the verdict; `contents` as in
/// [`trace::kept`](crate::trace::kept).
pub fn verify_and_keep(
    saml_response: &str,
    expected: &Expected<'_>,
    contents: bool,
) -> (Result<VerifiedAssertion, Rejection>, Option<Kept>) {
    let decoded = match transport::decode(saml_response, MAX_RESPONSE_BYTES) {
        Ok(decoded) => decoded,
        Err(rejection) => return (Err(rejection), None),
    };
    match xml::received(&decoded) {
        Ok((source, document)) => {
            let mut opened = None;
            let verdict = verify_received(source, &document, expected, &mut opened);
            let kept = trace::of(source, &document, contents);
            (verdict, kept.map(|kept| kept.with(opened.filter(|_| contents))))
        }
        Err(rejection) => (Err(rejection), None),
    }
}

fn verify_received(
    source: &str,
    document: &Document<'_>,
    expected: &Expected<'_>,
    opened_text: &mut Option<String>,
) -> Result<VerifiedAssertion, Rejection> {
    let shape = shape::check(document, expected.sha1())?;
    let signatures = shape.signatures();
    match (&shape.content, signatures.is_empty()) {
        (Content::Assertion(_), true) => return Err(Code::Unsigned.into()),
        (Content::Encrypted, true) => {}
        (_, false) => signature::verify(document, source, signatures, expected.idp)?,
    }

    // From here on only verified bytes count. Where the Response itself is not signed, its own fields can only be read
    // from the received document: they may refuse, but never grant.
    let is_signed = shape.signature.is_some();
    let canonical = shape.signature.map(|signature| signature::canonical(document, shape.response, Some(&signature)));
    let canonical = canonical.transpose()?;
    let canonical = canonical.as_deref().map(xml::parse).transpose().map_err(|_| Code::SignatureUnprocessable)?;
    let response_tree = canonical.as_ref().unwrap_or(document);
    let response = response_tree.document_element().ok_or(Code::SignatureUnprocessable)?;
    let own_text = match &shape.content {
        Content::Assertion(Assertion { node, signature: Some(signature) }) => {
            Some(signature::canonical(document, *node, Some(signature))?)
        }
        Content::Assertion(_) => None,
        Content::Encrypted => {
            let mut holders = xml::named(response_tree, response, ASSERTION, "EncryptedAssertion");
            let holder = holders.next().ok_or(Code::SignatureUnprocessable)?;
            let opened = opened(response_tree, holder, is_signed, expected)?;
            *opened_text = Some(opened.clone());
            Some(opened)
        }
    };
    text::no_comments(document, shape.response).map_err(Rejection::of_proven)?;
    let own_tree = own_text.as_deref().map(xml::parse).transpose().map_err(|_| Code::SignatureUnprocessable)?;
    let (tree, assertion) = match &own_tree {
        Some(tree) => (tree, tree.document_element()),
        None => (response_tree, xml::named(response_tree, response, ASSERTION, "Assertion").next()),
    };
    let assertion = assertion.ok_or(Code::AssertionMissing)?;
    judge((response_tree, response), (tree, assertion), is_signed, expected).map_err(|rejection| Rejection {
        assertion: xml::attribute(tree, assertion, "ID").map(str::to_owned),
        ..rejection.of_proven()
    })
}

/// Steps 7 and 8, on what is proven.
fn judge(
    (response_tree, response): (&Document<'_>, NodeId),
    (tree, assertion): (&Document<'_>, NodeId),
    is_signed: bool,
    expected: &Expected<'_>,
) -> Result<VerifiedAssertion, Rejection> {
    read::status(response_tree, response)?;
    let response = read::response(response_tree, response)?;
    let assertion = read::assertion(tree, assertion, expected.decryption_keys)?;
    let accepted = meaning::judge(&response, is_signed, &assertion, expected)?;
    Ok(VerifiedAssertion { assertion, accepted })
}

impl Expected<'_> {
    pub(crate) fn sha1(&self) -> Sha1 {
        if self.allow_sha1 { Sha1::Allowed } else { Sha1::Refused }
    }
}

/// Step 6: the canonical bytes of an assertion that was encrypted.
///
/// Where no signature covers the ciphertext, a stranger may have changed it to learn from the answer what is inside:
/// whatever is wrong with the plaintext, the answer is the same.
fn opened(
    document: &Document<'_>,
    holder: NodeId,
    is_covered: bool,
    expected: &Expected<'_>,
) -> Result<String, Rejection> {
    let plain = encrypted::open(document, holder, expected.decryption_keys)?;
    let proven = proven(&plain, is_covered, expected);
    if is_covered { proven } else { proven.map_err(|_| Code::Undecryptable.into()) }
}

fn proven(plain: &str, is_covered: bool, expected: &Expected<'_>) -> Result<String, Rejection> {
    let document = xml::parse(plain).map_err(|_| Code::Malformed)?;
    let assertion = shape::opened(&document, expected.sha1())?;
    match assertion.signature {
        Some(signature) => signature::verify(&document, plain, vec![signature], expected.idp)?,
        None if is_covered => {}
        None => return Err(Code::Unsigned.into()),
    }
    text::no_comments(&document, assertion.node)?;
    signature::canonical(&document, assertion.node, assertion.signature.as_ref())
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

    /// All values of all attributes with this name; more than one makes an identity ambiguous.
    pub fn attribute_values(&self, name: &str) -> impl Iterator<Item = &AttributeValue> {
        let named = self.assertion.attributes.iter().filter(move |attribute| attribute.name == name);
        named.flat_map(|attribute| &attribute.values)
    }

    /// Refuses a user who signed in by another way than was asked for (core 3.3.2.2.1).
    pub fn meets(&self, wanted: &RequestedAuthnContext) -> Result<(), Rejection> {
        let classes = || self.assertion.statements.iter().map(|statement| statement.context.as_deref());
        if classes().any(|class| wanted.is_met_by(class)) {
            return Ok(());
        }
        let received: Vec<&str> = classes().map(|class| class.unwrap_or("nothing")).collect();
        let rejection = Rejection::new(Code::AuthnContext).expected(&wanted.classes.join(" or "));
        Err(rejection.received(&received.join(", ")).of_proven())
    }

    /// When the assertion was issued (core 2.3.3).
    pub fn issue_instant(&self) -> OffsetDateTime {
        self.assertion.issue_instant
    }

    /// Whether the identity provider forbids to keep the assertion for later (core 2.5.1.5).
    pub fn one_time_use(&self) -> bool {
        self.assertion.conditions.one_time_use
    }
}

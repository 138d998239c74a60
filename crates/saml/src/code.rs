//! Every reason for which a sign-in is refused, with a stable number and the words for the user and the IT admin.
//! It does not know where the checks are made: steps 9 and 10 are carried out by the caller of this crate.

mod words;

use crate::idp::IdpCertificate;
use std::fmt;
use words::*;

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $name:ident $id:literal $title:ident $fix:expr;)+) => {
        /// One distinct check of the sign-in, grouped by step.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Code {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Code {
            /// All codes in the order of their numbers.
            pub const ALL: &[Code] = &[$(Code::$name,)+];

            /// The stable number, such as `GH-SAML-812`, that stands on error pages and in logs.
            pub const fn id(self) -> &'static str {
                match self { $(Code::$name => concat!("GH-SAML-", $id),)+ }
            }

            /// The step that the answer did not pass, as its number begins.
            pub fn step(self) -> &'static str {
                match self.id().strip_prefix("GH-SAML-").unwrap_or_default() {
                    id if id.len() == 4 && id.starts_with("10") => "who the user is",
                    id if id.len() == 4 => "logout",
                    id => match id.as_bytes().first() {
                        Some(b'1') => "transport",
                        Some(b'2') => "bytes",
                        Some(b'3') => "structure",
                        Some(b'4') => "shape",
                        Some(b'5') => "signature",
                        Some(b'6') => "decryption",
                        Some(b'7') => "texts",
                        Some(b'8') => "meaning",
                        _ => "request",
                    },
                }
            }

            /// One sentence for the person who tried to sign in.
            pub const fn title(self) -> &'static str {
                match self { $(Code::$name => $title,)+ }
            }

            /// The name under which that sentence is translated.
            pub const fn topic(self) -> &'static str {
                match self { $(Code::$name => concat!("saml-", stringify!($title)),)+ }
            }

            /// What the IT admin does next.
            pub const fn fix(self) -> &'static str {
                match self { $(Code::$name => $fix,)+ }
            }
        }
    };
}

codes! {
    /// The form has no SAMLResponse field.
    ResponseMissing "101" UNREADABLE
        "Check that the identity provider sends its answer by HTTP-POST to the ACS URL of this connection.";
    /// The form has more than one SAMLResponse field.
    ResponseRepeated "102" UNREADABLE REPORT;
    /// The SAMLResponse field is longer than the limit.
    ResponseTooLarge "103" UNREADABLE
        "Send fewer attributes and groups with the assertion: in Okta narrow the group attribute statement's \
         filter, in Entra choose \"Groups assigned to the application\".";
    /// The SAMLResponse field is not standard base64.
    NotBase64 "104" UNREADABLE
        "Use the HTTP-POST binding with plain base64; compressed and URL-safe answers are not accepted.";
    /// Too many attempts came in a short time.
    RateLimited "105" BUSY "Try again in a moment; if many people sign in at once, ask the operator to raise the limit \
         (limits.saml_responses_per_second).";
    /// The answer came by another binding than HTTP-POST.
    WrongBinding "106" UNREADABLE
        "Set the response binding of the identity provider to HTTP-POST; redirect and artifact answers are not \
         accepted.";
    /// A parameter stands more than once in the query.
    ParameterRepeated "107" UNREADABLE REPORT;
    /// The message in the query is not compressed by DEFLATE.
    NotDeflated "108" UNREADABLE
        "Use the HTTP-Redirect binding with its DEFLATE encoding, or the HTTP-POST binding.";

    /// The decoded answer is not UTF-8.
    NotUtf8 "201" UNREADABLE "Make the identity provider send UTF-8.";
    /// The decoded answer contains a NUL character.
    NulCharacter "202" UNREADABLE REPORT;
    /// The decoded answer begins with more than one byte order mark.
    ByteOrderMark "203" UNREADABLE REPORT;
    /// The decoded answer contains a document type declaration.
    Doctype "204" UNREADABLE REPORT;
    /// The decoded answer contains another markup declaration than a comment or CDATA.
    Declaration "205" UNREADABLE REPORT;
    /// The decoded answer contains a processing instruction.
    ProcessingInstruction "206" UNREADABLE REPORT;
    /// The XML declaration names another version than 1.0 or another encoding than UTF-8.
    XmlDeclaration "207" UNREADABLE "Make the identity provider send XML 1.0 in UTF-8.";
    /// The decoded answer does not begin like XML.
    NotXml "208" UNREADABLE
        "Check that the identity provider sends a SAML 2.0 response, not compressed, to the ACS URL.";

    /// Elements are nested too deeply.
    TooDeep "301" UNREADABLE REPORT;
    /// There are too many elements.
    TooManyElements "302" UNREADABLE "Send fewer attributes and groups with the assertion.";
    /// One element has too many attributes.
    TooManyAttributes "303" UNREADABLE REPORT;
    /// One element declares too many namespaces.
    TooManyNamespaces "304" UNREADABLE REPORT;
    /// One text or attribute value is too long.
    TextTooLong "305" UNREADABLE "Send shorter attribute values and, where the assertion is encrypted, fewer groups; pictures and long lists do not belong in a sign-in.";
    /// A namespace is a relative URI, which makes canonicalization void.
    RelativeNamespace "306" UNREADABLE REPORT;
    /// The answer is not well-formed XML.
    Malformed "307" UNREADABLE REPORT;

    /// The document is not a SAML 2.0 Response.
    NotAResponse "401" UNREADABLE
        "Check that the application in the identity provider is of type SAML 2.0 and posts a Response to the ACS \
         URL.";
    /// The Response contains something that does not belong there.
    ResponseContent "402" UNREADABLE REPORT;
    /// The Response contains no assertion.
    AssertionMissing "403" UNREADABLE
        "Check in the identity provider's log why it answered without an assertion for this user.";
    /// The Response contains more than one assertion.
    AssertionRepeated "404" UNREADABLE "Make the identity provider send exactly one assertion.";
    /// An assertion or response stands where none is allowed.
    Misplaced "405" UNTRUSTED FORGED;
    /// A signature stands elsewhere than directly in the Response or the Assertion.
    SignatureMisplaced "406" UNTRUSTED FORGED;
    /// The Response or the Assertion has more than one signature.
    SignatureRepeated "407" UNTRUSTED FORGED;
    /// An ID is missing or is no XML name.
    IdInvalid "408" UNREADABLE REPORT;
    /// Two elements have the same ID.
    IdRepeated "409" UNTRUSTED FORGED;
    /// An ID is spelled in another way than the standard says.
    IdSpelling "410" UNTRUSTED FORGED;
    /// A signature is not built as the standard says.
    SignatureContent "411" UNTRUSTED REPORT;
    /// A signature has not exactly one Reference.
    ReferenceCount "412" UNTRUSTED FORGED;
    /// A signature's Reference does not point at the element that holds it.
    ReferenceTarget "413" UNTRUSTED FORGED;
    /// A signature uses a transform other than enveloped and canonicalization.
    TransformRefused "414" UNTRUSTED
        "Use only the enveloped-signature and exclusive canonicalization transforms in the identity provider's \
         signature.";
    /// A signature's key information points elsewhere.
    KeyInfoIndirect "415" UNTRUSTED FORGED;
    /// SignedInfo is canonicalized by an algorithm that is not allowed.
    CanonicalizationRefused "416" UNTRUSTED "Use exclusive canonicalization in the identity provider's signature.";
    /// The signature algorithm is not on the list.
    SignatureAlgorithm "417" UNTRUSTED
        "Set the signature algorithm to RSA-SHA256 (Okta: \"Signature Algorithm\"; Entra: \"Signing Algorithm\").";
    /// The digest algorithm is not on the list.
    DigestAlgorithm "418" UNTRUSTED
        "Set the digest algorithm to SHA256 (Okta: \"Digest Algorithm\"; Entra: \"Signing Algorithm\").";
    /// The signature or digest uses SHA-1 and the connection does not allow that.
    Sha1Refused "419" UNTRUSTED
        "SHA-1 is no longer safe: set both algorithms to SHA256 (Okta: \"Signature Algorithm\" and \"Digest \
         Algorithm\"; Entra: \"Signing Algorithm\").";
    /// The Assertion contains something that does not belong there.
    AssertionContent "420" UNREADABLE REPORT;

    /// Neither the Response nor the Assertion is signed.
    Unsigned "501" UNTRUSTED
        "Switch signing on: in Okta set \"Response\" or \"Assertion Signature\" to \"Signed\", in Entra choose \
         \"Sign SAML response and assertion\".";
    /// The connection has no signing certificate.
    CertificateMissing "502" UNTRUSTED
        "Upload the identity provider's signing certificate or its metadata to this connection.";
    /// No certificate of the connection has a key for the signature's algorithm.
    KeyType "503" UNTRUSTED RENEW;
    /// What was signed has been changed.
    DigestMismatch "504" UNTRUSTED
        "The answer was changed after it was signed. Check for proxies or browser extensions that rewrite pages; \
         otherwise treat it as an attack.";
    /// The signature was not made by a certificate of this connection.
    SignatureMismatch "505" UNTRUSTED RENEW;
    /// The signature could not be processed.
    SignatureUnprocessable "506" UNTRUSTED REPORT;

    /// What was encrypted could not be opened, or nothing acceptable was in it.
    Undecryptable "601" ENCRYPTED
        "Upload the current encryption certificate of this connection, which stands in its metadata, to the identity \
         provider (Okta: \"Encryption Certificate\"; Entra: \"Token encryption\"). If it has that one, see that the \
         assertion is signed with SHA256 by a certificate that this connection has; what is wrong with it is only told \
         where the response is signed as well (Okta: \"Response\"; Entra: \"Sign SAML response and assertion\").";
    /// What is encrypted is not built as the standard says.
    EncryptionContent "602" UNREADABLE REPORT;
    /// An attribute is encrypted on its own.
    AttributeEncrypted "603" ENCRYPTED
        "Encrypt the whole assertion instead of single attributes in the identity provider.";
    /// The encryption algorithm is not on the list.
    EncryptionAlgorithm "604" ENCRYPTED
        "Set the encryption algorithm to AES256-GCM, or to AES256-CBC, and the key transport to RSA-OAEP (Okta: \
         \"Encryption Algorithm\" and \"Key Transport Algorithm\").";
    /// The connection has no key for what is encrypted.
    DecryptionKeyMissing "605" ENCRYPTED
        "Ask the vendor's support to make an encryption key for this connection, or switch encryption off in the \
         identity provider.";

    /// A comment stands inside a text that says who the user is.
    CommentInText "701" UNTRUSTED FORGED;
    /// An element stands inside a text that says who the user is.
    ElementInText "702" IDENTITY
        "Map plain text values to the NameID and to the attributes; structured values are not accepted.";
    /// The subject has no NameID.
    NameIdMissing "703" IDENTITY
        "Send a NameID: in Okta set \"Application username\", in Entra set \"Unique User Identifier (Name ID)\".";
    /// The NameID is empty, too long or contains characters that no name has.
    NameIdInvalid "704" IDENTITY
        "Fill the field that is mapped to the NameID for this user (Okta: \"Application username\"; Entra: \"Unique \
         User Identifier (Name ID)\").";
    /// An attribute has no name.
    AttributeNameMissing "705" IDENTITY "Give every attribute statement (in Entra: claim) a name.";

    /// The Response or the Assertion is not of version 2.0.
    Version "801" UNREADABLE "Set the application in the identity provider to SAML 2.0.";
    /// The Response has no Status.
    StatusMissing "802" UNREADABLE REPORT;
    /// The identity provider reports a failure.
    StatusNotSuccess "803" DENIED
        "Look into the identity provider's log for this sign-in: it refused. Often the user is not assigned to the \
         application or a policy forbids the device.";
    /// The Response was issued by another identity provider.
    ResponseIssuer "804" SETUP ISSUER;
    /// The Assertion was issued by another identity provider.
    AssertionIssuer "805" SETUP ISSUER;
    /// A signed Response names no Destination.
    DestinationMissing "806" SETUP ACS;
    /// The Response is meant for another ACS URL.
    Destination "807" SETUP ACS;
    /// The Assertion has no Conditions.
    ConditionsMissing "808" SETUP
        "Make the identity provider send Conditions with an audience restriction and a validity period.";
    /// The Assertion has a condition that is not understood.
    ConditionUnknown "809" SETUP "Remove the extra condition from the assertion in the identity provider.";
    /// The Assertion has no audience restriction.
    AudienceMissing "810" SETUP AUDIENCE;
    /// The Assertion is meant for another service.
    Audience "811" SETUP AUDIENCE;
    /// The validity period of the Assertion has not begun.
    NotYetValid "812" CLOCK TIME;
    /// The validity period of the Assertion is over.
    Expired "813" LATE TIME;
    /// The validity period of the Assertion ends before it begins.
    PeriodInverted "814" CLOCK "Correct the assertion's validity period in the identity provider.";
    /// The Assertion has no Subject.
    SubjectMissing "815" IDENTITY "Make the identity provider send a Subject with a NameID and a bearer confirmation.";
    /// The Subject has no bearer confirmation.
    BearerMissing "816" SETUP
        "Use the web browser single sign-on profile: the assertion needs a SubjectConfirmation with the bearer \
         method.";
    /// The bearer confirmation names no Recipient.
    RecipientMissing "817" SETUP ACS;
    /// The bearer confirmation is meant for another ACS URL.
    Recipient "818" SETUP ACS;
    /// The bearer confirmation has no end.
    ConfirmationEndMissing "819" SETUP "Make the identity provider send NotOnOrAfter in SubjectConfirmationData.";
    /// The bearer confirmation is over.
    ConfirmationExpired "820" LATE TIME;
    /// The bearer confirmation has a NotBefore, which the standard forbids.
    ConfirmationNotBefore "821" SETUP "Remove NotBefore from SubjectConfirmationData in the identity provider.";
    /// The Response and the bearer confirmation answer different requests.
    InResponseTo "822" UNTRUSTED
        "Sign in again from the application. If it happens every time, the identity provider must put the same \
         InResponseTo into the Response and into SubjectConfirmationData.";
    /// The Assertion does not say when and how the user signed in.
    AuthnStatementMissing "823" SETUP
        "Make the identity provider send an AuthnStatement; attribute-only assertions are not accepted.";
    /// The user signed in at the identity provider in the future.
    AuthnInFuture "824" CLOCK TIME;
    /// The session at the identity provider is over.
    SessionEnded "825" LATE "Sign in again; if it happens every time, lengthen the session at the identity provider.";
    /// The answer was issued too long ago.
    IssuedLongAgo "826" LATE TIME;
    /// The answer was issued in the future.
    IssuedInFuture "827" CLOCK TIME;
    /// A time is missing or not written in UTC as the standard says.
    TimeFormat "828" UNREADABLE "Make the identity provider write times in UTC, like 2026-01-31T12:00:00Z.";
    /// The user signed in by another way than this connection asks for.
    AuthnContext "829" CONTEXT
        "Make the identity provider use the way of signing in that this connection asks for (Okta: an authentication \
         policy of the application), or ask for another one.";

    /// The answer names a request that is not known.
    RequestUnknown "901" AGAIN START;
    /// The answer names a request that was answered already.
    RequestUsed "902" AGAIN START;
    /// The answer names a request that is too old.
    RequestExpired "903" LATE START;
    /// The answer names a request of another connection.
    RequestOtherConnection "904" SETUP
        "Check that the ACS URL in the identity provider belongs to this connection; every connection has its own.";
    /// The answer names a request that another browser started.
    RequestOtherBrowser "905" AGAIN
        "Start and finish in the same browser, with cookies allowed. If somebody sent you a link to sign in, do not \
         use it.";
    /// The assertion was used already.
    AssertionReplayed "906" AGAIN START;
    /// The identity provider started the sign-in, and the connection does not allow that, or it did so twice in a row.
    Unsolicited "907" START_HERE
        "Use the sign-in URL of this connection as the tile's link (Okta: a Bookmark App) and hide the tile of the \
         SAML app. If the tile must work, ask the vendor to set what happens when the identity provider begins.";
    /// The ticket between the two halves of the sign-in is not known.
    TicketUnknown "908" AGAIN START;
    /// The identity provider signed the user out while the sign-in was on its way.
    LoggedOut "909" AGAIN "Nothing is wrong: the identity provider signed the user out. Sign in again.";

    /// The assertion has no e-mail address.
    EmailMissing "1001" IDENTITY
        "Send the e-mail address as NameID or in the attribute that the connection expects (Okta: \"Attribute \
         Statements\"; Entra: \"Attributes & Claims\").";
    /// The e-mail address is not valid.
    EmailInvalid "1002" IDENTITY "Correct this user's e-mail address in the identity provider.";
    /// The e-mail address belongs to a domain that is not the organization's.
    EmailDomainForeign "1003" IDENTITY
        "Add and verify the e-mail domain for this organization, or correct the user's e-mail address in the \
         identity provider.";
    /// Nobody with this identity exists.
    UserUnknown "1004" UNASSIGNED
        "Assign the user to the application in the identity provider and wait for provisioning; if that is done, \
         see that the NameID is the user's userName (Okta: \"Application username\").";
    /// The user is deactivated.
    UserDeactivated "1005" DEACTIVATED "Assign the user to the application again in the identity provider.";
    /// The user is managed by another connection.
    UserOtherConnection "1006" UNASSIGNED
        "This user is managed by another connection of the organization; sign in through that one or let an \
         administrator link the two.";
    /// The connection is not active.
    ConnectionInactive "1007" SETUP "Finish the connection's set-up and activate it.";

    /// The document is not a SAML 2.0 LogoutRequest or LogoutResponse, or not of the kind that its field says.
    NotALogout "1101" LOGOUT
        "Set the single logout of the application in the identity provider to SAML 2.0, with the single logout URL of \
         this connection.";
    /// A message about logout contains something that does not belong there.
    LogoutContent "1102" LOGOUT REPORT;
    /// A message about logout is meant for another address, or names none.
    LogoutDestination "1103" LOGOUT
        "Copy the single logout URL of this connection, to the letter, into \"Single Logout URL\" in Okta; in Entra into \
         \"Logout Url\".";
    /// A logout request is over.
    LogoutExpired "1104" LOGOUT TIME;
    /// The answer about logout names a request that is not known or is over.
    LogoutUnknown "1105" LOGOUT
        "Sign out again from the application. The sessions of this application have ended already.";
    /// The identity provider has no address for logout.
    LogoutUnsupported "1106" LOGOUT
        "Upload metadata of the identity provider that names its single logout service, or sign out there by hand.";
    /// A message about logout is not signed.
    LogoutUnsigned "1107" LOGOUT
        "Make the identity provider sign its messages about logout (Okta: the \"Signature Certificate\" under \"Enable \
         Single Logout\" must be that of this connection; SimpleSAMLphp: \"sign.logout\"). The user's session here has \
         ended if the user began.";
}

const SHOWN: usize = 200;

/// Why a response was refused; it never contains what the assertion says about the user.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Rejection {
    /// The check that failed.
    pub code: Code,
    /// What would have been accepted.
    pub expected: Option<String>,
    /// What came instead; it is written by whoever sent the response.
    pub received: Option<String>,
    /// Whether the identity provider's signature was good, so that no stranger brought this about.
    pub is_proven: bool,
    /// The ID of the assertion, where that is proven: whoever has got hold of one can send it again and again.
    pub assertion: Option<String>,
    /// The certificate with which the message says it was signed, where the connection has no such one. Anybody can write
    /// that: it is for people to compare, never to trust.
    pub claimed: Option<Box<IdpCertificate>>,
}

impl Rejection {
    /// A refusal where the code says everything.
    pub fn new(code: Code) -> Self {
        Self { code, expected: None, received: None, is_proven: false, assertion: None, claimed: None }
    }

    /// The same of a response that the identity provider signed.
    pub fn of_proven(self) -> Self {
        Self { is_proven: true, ..self }
    }

    /// Adds what would have been accepted, bounded and escaped.
    pub fn expected(mut self, text: &str) -> Self {
        self.expected = Some(shown(text));
        self
    }

    /// Adds what came instead, bounded and escaped.
    pub fn received(mut self, text: &str) -> Self {
        self.received = Some(shown(text));
        self
    }
}

impl From<Code> for Rejection {
    fn from(code: Code) -> Self {
        Self::new(code)
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code.id())?;
        if let Some(expected) = &self.expected {
            write!(f, ", expected {}", shown(expected))?;
        }
        if let Some(received) = &self.received {
            write!(f, ", received {}", shown(received))?;
        }
        Ok(())
    }
}

/// At most [`SHOWN`] characters, none of which can break a line, a log or a terminal.
pub(crate) fn shown(text: &str) -> String {
    let mut out = String::with_capacity(text.len().min(SHOWN));
    let mut length = 0;
    for character in text.chars() {
        let escaped = invisible(character);
        length += if escaped { character.escape_unicode().len() } else { 1 };
        if length > SHOWN {
            // Take room for the ellipsis from what is there already.
            while out.chars().count() >= SHOWN {
                out.pop();
            }
            out.push('…');
            break;
        }
        if escaped {
            out.extend(character.escape_unicode());
        } else {
            out.push(character);
        }
    }
    out
}

/// Control and formatting characters: they change how the text around them is displayed.
pub(crate) fn invisible(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

//! The SAML response, in the shape that Okta gives it, with a knob for each thing that a test wants wrong.

use anyhow::{Context, ensure};
use base64::{Engine, engine::general_purpose::STANDARD};
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

use super::{encryption::encrypted_assertion, keys::IdpKey};

const EMAIL_ADDRESS: &str = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress";
const SUCCESS: &str = "urn:oasis:names:tc:SAML:2.0:status:Success";
const ASSERTION: &str = "urn:oasis:names:tc:SAML:2.0:assertion";
const PROTOCOL: &str = "urn:oasis:names:tc:SAML:2.0:protocol";
const XS: &str = "http://www.w3.org/2001/XMLSchema";
const WINDOW: Duration = Duration::minutes(5);

/// What is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// Nothing.
    Nothing,
    /// The assertion alone.
    Assertion,
    /// The response alone, which covers the assertion.
    Response,
    /// Both, as Okta does.
    Both,
}

/// A response to be. Every default is right; each method makes one thing different.
#[derive(Clone, Debug)]
pub struct ResponseBuilder {
    now: OffsetDateTime,
    pub(crate) issuer: String,
    pub(crate) audience: String,
    pub(crate) recipient: String,
    destination: Option<String>,
    pub(crate) in_response_to: Option<String>,
    not_before: Duration,
    not_on_or_after: Duration,
    issue_instant: Duration,
    pub(crate) name_id: String,
    name_id_format: String,
    attributes: Vec<(String, Vec<String>)>,
    status: String,
    response_id: String,
    assertion_id: String,
    session_index: String,
    sign: Sign,
    encrypt_for: Option<Vec<u8>>,
    tampering: Vec<(String, String)>,
    edits: Vec<(String, String)>,
}

impl ResponseBuilder {
    /// A good response of this issuer to this service provider about this person.
    pub fn new(issuer: &str, audience: &str, acs_url: &str, name_id: &str, now: OffsetDateTime) -> Self {
        Self {
            now,
            issuer: issuer.to_owned(),
            audience: audience.to_owned(),
            recipient: acs_url.to_owned(),
            destination: Some(acs_url.to_owned()),
            in_response_to: None,
            not_before: -WINDOW,
            not_on_or_after: WINDOW,
            issue_instant: Duration::ZERO,
            name_id: name_id.to_owned(),
            name_id_format: EMAIL_ADDRESS.to_owned(),
            attributes: Vec::new(),
            status: SUCCESS.to_owned(),
            response_id: new_id(),
            assertion_id: new_id(),
            session_index: new_id(),
            sign: Sign::Both,
            encrypt_for: None,
            tampering: Vec::new(),
            edits: Vec::new(),
        }
    }

    /// The `ID` of the AuthnRequest that is answered; without it the response is unsolicited.
    #[must_use]
    pub fn in_response_to(mut self, request_id: &str) -> Self {
        self.in_response_to = Some(request_id.to_owned());
        self
    }

    /// Another issuer, in the response and in the assertion.
    #[must_use]
    pub fn issuer(mut self, issuer: &str) -> Self {
        self.issuer = issuer.to_owned();
        self
    }

    /// Another audience.
    #[must_use]
    pub fn audience(mut self, audience: &str) -> Self {
        self.audience = audience.to_owned();
        self
    }

    /// Another recipient of the subject confirmation.
    #[must_use]
    pub fn recipient(mut self, url: &str) -> Self {
        self.recipient = url.to_owned();
        self
    }

    /// Another destination of the response, or none.
    #[must_use]
    pub fn destination(mut self, url: Option<&str>) -> Self {
        self.destination = url.map(str::to_owned);
        self
    }

    /// When conditions and confirmation begin, relative to now; five minutes ago by default.
    #[must_use]
    pub fn not_before(mut self, offset: Duration) -> Self {
        self.not_before = offset;
        self
    }

    /// When conditions and confirmation end, relative to now; in five minutes by default.
    #[must_use]
    pub fn not_on_or_after(mut self, offset: Duration) -> Self {
        self.not_on_or_after = offset;
        self
    }

    /// When it is said to be issued, relative to now.
    #[must_use]
    pub fn issue_instant(mut self, offset: Duration) -> Self {
        self.issue_instant = offset;
        self
    }

    /// Another person.
    #[must_use]
    pub fn name_id(mut self, name_id: &str) -> Self {
        self.name_id = name_id.to_owned();
        self
    }

    /// Another NameID format.
    #[must_use]
    pub fn name_id_format(mut self, format: &str) -> Self {
        self.name_id_format = format.to_owned();
        self
    }

    /// One attribute more.
    #[must_use]
    pub fn attribute(mut self, name: &str, value: &str) -> Self {
        self.attributes.push((name.to_owned(), vec![value.to_owned()]));
        self
    }

    /// One attribute with several values more.
    #[must_use]
    pub fn attribute_values(mut self, name: &str, values: &[&str]) -> Self {
        self.attributes.push((name.to_owned(), values.iter().map(|value| (*value).to_owned()).collect()));
        self
    }

    /// Another status code than success.
    #[must_use]
    pub fn status(mut self, status: &str) -> Self {
        self.status = status.to_owned();
        self
    }

    /// A chosen assertion id, to send one assertion twice in different responses.
    #[must_use]
    pub fn assertion_id(mut self, id: &str) -> Self {
        self.assertion_id = id.to_owned();
        self
    }

    /// What is signed.
    #[must_use]
    pub fn sign(mut self, sign: Sign) -> Self {
        self.sign = sign;
        self
    }

    /// Encrypts the assertion for the owner of this certificate (X.509 DER), after it was signed and before the response
    /// is.
    #[must_use]
    pub fn encrypt_for(mut self, certificate: &[u8]) -> Self {
        self.encrypt_for = Some(certificate.to_vec());
        self
    }

    /// Replaces a piece of text after signing; building fails if the piece is not there.
    #[must_use]
    pub fn tamper(mut self, from: &str, to: &str) -> Self {
        self.tampering.push((from.to_owned(), to.to_owned()));
        self
    }

    /// The identity provider's name for its session.
    #[must_use]
    pub fn session_index(mut self, index: &str) -> Self {
        self.session_index = index.to_owned();
        self
    }

    /// Replaces a piece of the assertion before it is signed; building fails if the piece is not there.
    #[must_use]
    pub fn edit(mut self, from: &str, to: &str) -> Self {
        self.edits.push((from.to_owned(), to.to_owned()));
        self
    }

    /// The form field `SAMLResponse`.
    pub fn encode(&self, key: &IdpKey) -> anyhow::Result<String> {
        Ok(STANDARD.encode(self.xml(key)?))
    }

    /// The document, signed by this key and then tampered with.
    pub fn xml(&self, key: &IdpKey) -> anyhow::Result<String> {
        let mut assertion = self.assertion(key)?;
        for (from, to) in &self.edits {
            ensure!(assertion.contains(from.as_str()), "nothing to edit: the assertion does not contain {from}");
            assertion = assertion.replace(from.as_str(), to);
        }
        if matches!(self.sign, Sign::Assertion | Sign::Both) {
            assertion = key.sign(assertion)?;
        }
        if let Some(certificate) = &self.encrypt_for {
            assertion = encrypted_assertion(&assertion, certificate)?;
        }
        let mut document = self.response(&assertion, key)?;
        if matches!(self.sign, Sign::Response | Sign::Both) {
            // The response's template stands first in the document, so it is the one that is filled.
            document = key.sign(document)?;
        }
        for (from, to) in &self.tampering {
            ensure!(document.contains(from.as_str()), "nothing to tamper with: the response does not contain {from}");
            document = document.replace(from.as_str(), to);
        }
        Ok(document)
    }

    fn response(&self, assertion: &str, key: &IdpKey) -> anyhow::Result<String> {
        let signature = match self.sign {
            Sign::Response | Sign::Both => signature_template(&self.response_id, key),
            Sign::Nothing | Sign::Assertion => String::new(),
        };
        Ok(format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\
             <saml2p:Response xmlns:saml2p=\"{PROTOCOL}\" xmlns:xs=\"{XS}\"{destination} ID=\"{id}\"{in_response_to} \
             IssueInstant=\"{instant}\" Version=\"2.0\">\
             <saml2:Issuer xmlns:saml2=\"{ASSERTION}\" Format=\"urn:oasis:names:tc:SAML:2.0:nameid-format:entity\">\
             {issuer}</saml2:Issuer>{signature}\
             <saml2p:Status><saml2p:StatusCode Value=\"{status}\"/></saml2p:Status>{assertion}</saml2p:Response>",
            destination = attribute("Destination", self.destination.as_deref()),
            id = escape(&self.response_id),
            in_response_to = attribute("InResponseTo", self.in_response_to.as_deref()),
            instant = self.at(self.issue_instant)?,
            issuer = escape(&self.issuer),
            status = escape(&self.status),
        ))
    }

    fn assertion(&self, key: &IdpKey) -> anyhow::Result<String> {
        let signature = match self.sign {
            Sign::Assertion | Sign::Both => signature_template(&self.assertion_id, key),
            Sign::Nothing | Sign::Response => String::new(),
        };
        let instant = self.at(self.issue_instant)?;
        let not_on_or_after = self.at(self.not_on_or_after)?;
        Ok(format!(
            "<saml2:Assertion xmlns:saml2=\"{ASSERTION}\" xmlns:xs=\"{XS}\" ID=\"{id}\" IssueInstant=\"{instant}\" \
             Version=\"2.0\">\
             <saml2:Issuer Format=\"urn:oasis:names:tc:SAML:2.0:nameid-format:entity\">{issuer}</saml2:Issuer>\
             {signature}\
             <saml2:Subject><saml2:NameID Format=\"{format}\">{name_id}</saml2:NameID>\
             <saml2:SubjectConfirmation Method=\"urn:oasis:names:tc:SAML:2.0:cm:bearer\">\
             <saml2:SubjectConfirmationData{in_response_to} NotOnOrAfter=\"{not_on_or_after}\" \
             Recipient=\"{recipient}\"/></saml2:SubjectConfirmation></saml2:Subject>\
             <saml2:Conditions NotBefore=\"{not_before}\" NotOnOrAfter=\"{not_on_or_after}\">\
             <saml2:AudienceRestriction><saml2:Audience>{audience}</saml2:Audience></saml2:AudienceRestriction>\
             </saml2:Conditions>\
             <saml2:AuthnStatement AuthnInstant=\"{instant}\" SessionIndex=\"{session_index}\">\
             <saml2:AuthnContext><saml2:AuthnContextClassRef>\
             urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport\
             </saml2:AuthnContextClassRef></saml2:AuthnContext></saml2:AuthnStatement>\
             {attributes}</saml2:Assertion>",
            id = escape(&self.assertion_id),
            issuer = escape(&self.issuer),
            format = escape(&self.name_id_format),
            name_id = escape(&self.name_id),
            in_response_to = attribute("InResponseTo", self.in_response_to.as_deref()),
            recipient = escape(&self.recipient),
            not_before = self.at(self.not_before)?,
            audience = escape(&self.audience),
            session_index = escape(&self.session_index),
            attributes = self.attribute_statement(),
        ))
    }

    fn attribute_statement(&self) -> String {
        if self.attributes.is_empty() {
            return String::new();
        }
        let mut statement = "<saml2:AttributeStatement>".to_owned();
        for (name, values) in &self.attributes {
            statement.push_str("<saml2:Attribute Name=\"");
            statement.push_str(&escape(name));
            statement.push_str("\" NameFormat=\"urn:oasis:names:tc:SAML:2.0:attrname-format:unspecified\">");
            for value in values {
                statement.push_str(
                    "<saml2:AttributeValue xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" \
                     xsi:type=\"xs:string\">",
                );
                statement.push_str(&escape(value));
                statement.push_str("</saml2:AttributeValue>");
            }
            statement.push_str("</saml2:Attribute>");
        }
        statement.push_str("</saml2:AttributeStatement>");
        statement
    }

    fn at(&self, offset: Duration) -> anyhow::Result<String> {
        let instant = (self.now + offset).replace_millisecond(0).context("a time without milliseconds")?;
        instant.to_offset(time::UtcOffset::UTC).format(&Rfc3339).context("a time that can be written")
    }
}

/// A signature to be filled: RSA-SHA256 over one element, exclusive canonicalization, the prefix list that Okta has.
pub(crate) fn signature_template(id: &str, key: &IdpKey) -> String {
    let exclusive = "http://www.w3.org/2001/10/xml-exc-c14n#";
    format!(
        "<ds:Signature xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\"><ds:SignedInfo>\
         <ds:CanonicalizationMethod Algorithm=\"{exclusive}\"/>\
         <ds:SignatureMethod Algorithm=\"http://www.w3.org/2001/04/xmldsig-more#rsa-sha256\"/>\
         <ds:Reference URI=\"#{id}\"><ds:Transforms>\
         <ds:Transform Algorithm=\"http://www.w3.org/2000/09/xmldsig#enveloped-signature\"/>\
         <ds:Transform Algorithm=\"{exclusive}\"><ec:InclusiveNamespaces xmlns:ec=\"{exclusive}\" PrefixList=\"xs\"/>\
         </ds:Transform></ds:Transforms>\
         <ds:DigestMethod Algorithm=\"http://www.w3.org/2001/04/xmlenc#sha256\"/><ds:DigestValue></ds:DigestValue>\
         </ds:Reference></ds:SignedInfo><ds:SignatureValue></ds:SignatureValue>\
         <ds:KeyInfo><ds:X509Data><ds:X509Certificate>{certificate}</ds:X509Certificate></ds:X509Data></ds:KeyInfo>\
         </ds:Signature>",
        id = escape(id),
        certificate = key.certificate_base64(),
    )
}

fn attribute(name: &str, value: Option<&str>) -> String {
    value.map(|value| format!(" {name}=\"{}\"", escape(value))).unwrap_or_default()
}

/// Text made safe for element content and attribute values.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' | '\r' | '\t' => escaped.push_str(&format!("&#{};", u32::from(c))),
            _ => escaped.push(c),
        }
    }
    escaped
}

fn new_id() -> String {
    format!("id{}", uuid::Uuid::new_v4().simple())
}

#[cfg(test)]
mod tests {
    use bergshamra_dsig::{DsigContext, verify};
    use bergshamra_keys::{KeysManager, loader};
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-22 12:00:00.123 UTC);

    fn good() -> ResponseBuilder {
        ResponseBuilder::new(
            "http://idp.test/metadata",
            "http://sp.test/c/1",
            "http://sp.test/acs",
            "ann@acme.test",
            NOW,
        )
        .in_response_to("_r1")
        .attribute("firstName", "Ann & <Co>")
    }

    fn verdicts(xml: &str, key: &IdpKey) -> Vec<bool> {
        let mut keys = KeysManager::new();
        let der = key.certificate_der().expect("base64");
        keys.add_key(loader::load_x509_cert_der(&der).expect("our certificate"));
        let results = verify::verify_all(&DsigContext::new(keys), xml).expect("a document with signatures");
        results.iter().map(verify::VerifyResult::all_reference_digests_verified).collect()
    }

    #[test]
    fn every_style_of_signing_verifies() {
        let key = IdpKey::generate(NOW).expect("a key");
        for (sign, count) in [(Sign::Assertion, 1), (Sign::Response, 1), (Sign::Both, 2)] {
            let xml = good().sign(sign).xml(&key).expect("builds");
            assert_eq!(verdicts(&xml, &key), vec![true; count], "{sign:?}");
        }
        let unsigned = good().sign(Sign::Nothing).xml(&key).expect("builds");
        assert!(!unsigned.contains("Signature"));
    }

    #[test]
    fn tampering_and_other_keys_do_not_verify() {
        let key = IdpKey::generate(NOW).expect("a key");
        let other = IdpKey::generate(NOW).expect("a key");
        let tampered = good().tamper("ann@acme.test", "eve@acme.test").xml(&key).expect("builds");
        assert_eq!(verdicts(&tampered, &key), [false, false]);
        let stranger = good().xml(&other).expect("builds");
        assert_eq!(verdicts(&stranger, &key), [false, false]);
        assert!(good().tamper("not there", "x").xml(&key).is_err());
    }

    #[test]
    fn the_document_says_what_was_asked() {
        let key = IdpKey::generate(NOW).expect("a key");
        let xml = good().xml(&key).expect("builds");
        for part in [
            "InResponseTo=\"_r1\"",
            "Destination=\"http://sp.test/acs\"",
            "Recipient=\"http://sp.test/acs\"",
            "<saml2:Audience>http://sp.test/c/1</saml2:Audience>",
            "NotOnOrAfter=\"2026-11-22T12:05:00Z\"",
            "Ann &amp; &lt;Co&gt;",
        ] {
            assert!(xml.contains(part), "{part}");
        }
        let unsolicited = ResponseBuilder::new("i", "a", "r", "n", NOW).destination(None).xml(&key).expect("builds");
        assert!(!unsolicited.contains("InResponseTo") && !unsolicited.contains("Destination"));
    }
}

//! Attacks on signatures, keys, wrapping and encodings: each refused by a named check, beside its control.

use super::kit::{Style, cut, ec, edit, edit_last, idp, judge, judge_with, part, refusal, rsa, sign, signed, stranger};
use crate::code::Code;
use crate::response::{Expected, verify};
use crate::self_test::forge::{self, ASSERTION_ID, NAME_ID, NOW, RESPONSE_ID};
use time::Duration;

const SIGNATURE: (&str, &str) = ("<ds:Signature ", "</ds:Signature>");
const EVIL: &str = "eve@acme.test";

/// The pieces of a signed assertion that wrapping attacks move about.
struct Pieces {
    xml: String,
    signed: String,
    signature: String,
    /// The signed assertion without its signature.
    bare: String,
    /// An assertion for somebody else, without a signature.
    evil: String,
}

fn pieces() -> Pieces {
    let xml = signed(Style::Assertion);
    let signed = part(&xml, "<saml:Assertion", "</saml:Assertion>").to_owned();
    let signature = part(&signed, SIGNATURE.0, SIGNATURE.1).to_owned();
    let bare = signed.replace(&signature, "");
    let evil = bare.replace(NAME_ID, EVIL).replace(ASSERTION_ID, "_evil");
    Pieces { xml, signed, signature, bare, evil }
}

fn with_signature(assertion: &str, signature: &str) -> String {
    edit(assertion, "</saml:Issuer>", &format!("</saml:Issuer>{signature}"))
}

#[test]
fn wrapping_a_signed_assertion_is_refused() {
    let Pieces { xml, signed, signature, bare, evil } = pieces();
    judge(&xml).expect("control");
    let inside = |text: &str, end: &str, more: &str| edit_last(text, end, &format!("{more}{end}"));
    let extensions = |content: &str| {
        edit(&xml, "<samlp:Status>", &format!("<samlp:Extensions>{content}</samlp:Extensions><samlp:Status>"))
    };
    let cases = [
        ("xsw3", xml.replace(&signed, &format!("{evil}{signed}")), Code::AssertionRepeated),
        ("appended", xml.replace(&signed, &format!("{signed}{evil}")), Code::AssertionRepeated),
        ("xsw4", xml.replace(&signed, &inside(&evil, "</saml:Assertion>", &signed)), Code::Misplaced),
        (
            "xsw5",
            xml.replace(&signed, &format!("{}{bare}", with_signature(&evil, &signature))),
            Code::AssertionRepeated,
        ),
        (
            "xsw6",
            xml.replace(&signed, &with_signature(&evil, &inside(&signature, "</ds:Signature>", &bare))),
            Code::Misplaced,
        ),
        ("xsw7", extensions(&evil), Code::Misplaced),
        ("xsw7 with the same ID", extensions(&evil.replace("_evil", ASSERTION_ID)), Code::Misplaced),
        (
            "xsw8",
            xml.replace(
                &signed,
                &with_signature(
                    &evil,
                    &inside(&signature, "</ds:Signature>", &format!("<ds:Object>{bare}</ds:Object>")),
                ),
            ),
            Code::Misplaced,
        ),
        (
            "in advice",
            edit(&xml, "<saml:AuthnStatement", &format!("<saml:Advice>{evil}</saml:Advice><saml:AuthnStatement")),
            Code::Misplaced,
        ),
        (
            "swapped with advice",
            xml.replace(
                &signed,
                &edit(
                    &evil,
                    "<saml:AuthnStatement",
                    &format!("<saml:Advice>{signed}</saml:Advice><saml:AuthnStatement"),
                ),
            ),
            Code::Misplaced,
        ),
        ("relocated signature", xml.replace(&signed, &with_signature(&evil, &signature)), Code::ReferenceTarget),
        (
            "the same ID kept",
            xml.replace(&signed, &with_signature(&evil.replace("_evil", ASSERTION_ID), &signature)),
            Code::DigestMismatch,
        ),
        (
            "signature in the status",
            edit(
                &xml.replace(&signed, &evil),
                "</samlp:Status>",
                &format!("<samlp:StatusDetail>{signed}</samlp:StatusDetail></samlp:Status>"),
            ),
            Code::Misplaced,
        ),
        (
            "only the signature in the status",
            edit(
                &xml.replace(&signature, ""),
                "</samlp:Status>",
                &format!("<samlp:StatusDetail>{signature}</samlp:StatusDetail></samlp:Status>"),
            ),
            Code::SignatureMisplaced,
        ),
        ("signature beside", xml.replace(&signed, &format!("{signature}{bare}")), Code::ReferenceTarget),
        (
            "look-alike namespace",
            edit(&xml, "<samlp:Status>", "<x:Assertion xmlns:x=\"urn:x\"/><samlp:Status>"),
            Code::ResponseContent,
        ),
        (
            "look-alike signature",
            edit(&xml, "<saml:Subject>", "<x:Signature xmlns:x=\"urn:x\"/><saml:Subject>"),
            Code::AssertionContent,
        ),
        ("two signatures", edit(&xml, &signature, &format!("{signature}{signature}")), Code::SignatureRepeated),
        ("foreign root", format!("<x:Response xmlns:x=\"urn:x\">{}</x:Response>", signed), Code::NotAResponse),
        ("bare assertion", signed.clone(), Code::NotAResponse),
        ("envelope", format!("<Envelope xmlns=\"urn:soap\">{xml}</Envelope>"), Code::NotAResponse),
        ("two roots", format!("{xml}{xml}"), Code::Malformed),
        ("text between", edit(&xml, "<samlp:Status>", "x<samlp:Status>"), Code::ResponseContent),
        ("text in the assertion", edit(&xml, "<saml:Subject>", "<![CDATA[]]><saml:Subject>"), Code::AssertionContent),
    ];
    for (name, xml, code) in cases {
        assert_eq!(refusal(&xml), code, "{name}");
    }
}

#[test]
fn wrapping_a_signed_response_is_refused() {
    let xml = signed(Style::Response);
    judge(&xml).expect("control");
    let signature = part(&xml, SIGNATURE.0, SIGNATURE.1).to_owned();
    let bare = xml.replace(&signature, "");
    let evil = bare.replace(NAME_ID, EVIL).replace(RESPONSE_ID, "_evil");
    let around = |signature: &str| edit(&evil, "</saml:Issuer>", &format!("</saml:Issuer>{signature}"));
    let unique = bare.replace(ASSERTION_ID, "_assertion2");
    let cases = [
        (
            "xsw1",
            around(&edit_last(&signature, "</ds:Signature>", &format!("{unique}</ds:Signature>"))),
            Code::Misplaced,
        ),
        ("xsw2", around(&format!("{unique}{signature}")), Code::Misplaced),
        (
            "xsw1 same IDs",
            around(&edit_last(&signature, "</ds:Signature>", &format!("{bare}</ds:Signature>"))),
            Code::Misplaced,
        ),
        (
            "nested in extensions",
            edit(&evil, "<samlp:Status>", &format!("<samlp:Extensions>{xml}</samlp:Extensions><samlp:Status>")),
            Code::Misplaced,
        ),
        (
            "signature moved to the assertion",
            edit_last(&bare, "</saml:Issuer>", &format!("</saml:Issuer>{signature}")),
            Code::ReferenceTarget,
        ),
        ("changed inside", xml.replace(NAME_ID, EVIL), Code::DigestMismatch),
    ];
    for (name, xml, code) in cases {
        assert_eq!(refusal(&xml), code, "{name}");
    }
}

#[test]
fn both_signatures_must_be_good() {
    let xml = signed(Style::Both);
    judge(&xml).expect("control");
    let inner = forge::sign(&forge::response(), ASSERTION_ID, stranger()).expect("signature");
    let outer = forge::sign(&inner, RESPONSE_ID, rsa()).expect("signature");
    assert_eq!(refusal(&outer), Code::SignatureMismatch, "a stranger's assertion in a good response");
    let inner = forge::sign(&forge::response(), ASSERTION_ID, rsa()).expect("signature");
    let outer = forge::sign(&inner, RESPONSE_ID, stranger()).expect("signature");
    assert_eq!(refusal(&outer), Code::SignatureMismatch, "a good assertion in a stranger's response");
    // Without the outer signature the inner one still proves the assertion.
    judge(&cut(&xml, SIGNATURE.0, SIGNATURE.1)).expect("the assertion alone");
}

#[test]
fn ids_have_one_spelling_and_one_place() {
    let xml = signed(Style::Assertion);
    let id = format!("ID=\"{ASSERTION_ID}\"");
    let cases = [
        (format!("ID=\"_evil\" xmlns:x=\"urn:x\" x:ID=\"{ASSERTION_ID}\""), Code::IdSpelling),
        (format!("ID=\"_evil\" xml:id=\"{ASSERTION_ID}\""), Code::IdSpelling),
        (format!("ID=\"_evil\" Id=\"{ASSERTION_ID}\""), Code::IdSpelling),
        (format!("id=\"{ASSERTION_ID}\" ID=\"_evil\""), Code::IdSpelling),
        (format!("ID=\"_evil\" AssertionID=\"{ASSERTION_ID}\""), Code::IdSpelling),
        (format!("ID=\"{RESPONSE_ID}\""), Code::IdRepeated),
        ("ID=\"\"".to_owned(), Code::IdInvalid),
        ("ID=\"1\"".to_owned(), Code::IdInvalid),
        ("ID=\"a:b\"".to_owned(), Code::IdInvalid),
        (String::new(), Code::IdInvalid),
    ];
    for (to, code) in cases {
        assert_eq!(refusal(&edit(&xml, &id, &to)), code, "{to}");
    }
    assert_eq!(refusal(&edit(&xml, &format!(" ID=\"{RESPONSE_ID}\""), "")), Code::IdInvalid);
}

#[test]
fn a_signature_has_one_shape() {
    let xml = signed(Style::Assertion);
    let reference = part(&xml, "<ds:Reference", "</ds:Reference>").to_owned();
    let signed_info = part(&xml, "<ds:SignedInfo>", "</ds:SignedInfo>").to_owned();
    let value = part(&xml, "<ds:SignatureValue>", "</ds:SignatureValue>").to_owned();
    let digest = part(&xml, "<ds:DigestValue>", "</ds:DigestValue>").to_owned();
    let uri = format!("URI=\"#{ASSERTION_ID}\"");
    let exclusive = "<ds:Transform Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"/>";
    let enveloped = "<ds:Transform Algorithm=\"http://www.w3.org/2000/09/xmldsig#enveloped-signature\"/>";
    let transform = |uri: &str| format!("<ds:Transform Algorithm=\"{uri}\"/>");
    let prefixes = |list: &str| {
        format!(
            "<ds:Transform Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"><ec:InclusiveNamespaces \
             xmlns:ec=\"http://www.w3.org/2001/10/xml-exc-c14n#\" PrefixList=\"{list}\"/></ds:Transform>"
        )
    };
    let key_info =
        |content: &str| edit(&xml, "</ds:Signature>", &format!("<ds:KeyInfo>{content}</ds:KeyInfo></ds:Signature>"));
    let cases = [
        (xml.replace(&reference, &format!("{reference}{reference}")), Code::ReferenceCount),
        (xml.replace(&reference, ""), Code::ReferenceCount),
        (xml.replace(&uri, "URI=\"\""), Code::ReferenceTarget),
        (xml.replace(&format!(" {uri}"), ""), Code::ReferenceTarget),
        (xml.replace(&uri, &format!("URI=\"#{RESPONSE_ID}\"")), Code::ReferenceTarget),
        (xml.replace(&uri, &format!("URI=\"#xpointer(id('{ASSERTION_ID}'))\"")), Code::ReferenceTarget),
        (xml.replace(&uri, "URI=\"file:///etc/passwd\""), Code::ReferenceTarget),
        (xml.replace(&uri, "URI=\"cid:part\""), Code::ReferenceTarget),
        (xml.replace(exclusive, &transform("http://www.w3.org/TR/1999/REC-xpath-19991116")), Code::TransformRefused),
        (xml.replace(exclusive, &transform("http://www.w3.org/TR/1999/REC-xslt-19991116")), Code::TransformRefused),
        (xml.replace(exclusive, &transform("http://www.w3.org/2002/06/xmldsig-filter2")), Code::TransformRefused),
        (xml.replace(exclusive, &transform("http://www.w3.org/2000/09/xmldsig#base64")), Code::TransformRefused),
        (xml.replace(exclusive, &format!("{exclusive}{exclusive}")), Code::TransformRefused),
        (xml.replace(enveloped, ""), Code::TransformRefused),
        (xml.replace(&format!("{enveloped}{exclusive}"), &format!("{exclusive}{enveloped}")), Code::TransformRefused),
        (xml.replace(exclusive, &prefixes(&"a ".repeat(17))), Code::TransformRefused),
        (xml.replace(enveloped, &enveloped.replace("/>", "><x/></ds:Transform>")), Code::TransformRefused),
        (
            xml.replace(
                "<ds:CanonicalizationMethod Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"/>",
                "<ds:CanonicalizationMethod Algorithm=\"urn:x\"/>",
            ),
            Code::CanonicalizationRefused,
        ),
        (edit(&xml, "</ds:Signature>", "<ds:Object/></ds:Signature>"), Code::SignatureContent),
        (xml.replace(&signed_info, &format!("{signed_info}{signed_info}")), Code::SignatureContent),
        (xml.replace(&signed_info, &format!("<!-- -->{signed_info}")), Code::SignatureContent),
        (xml.replace(&value, ""), Code::SignatureContent),
        (xml.replace(&value, "<ds:SignatureValue></ds:SignatureValue>"), Code::SignatureContent),
        (xml.replace(&value, "<ds:SignatureValue>AAAA</ds:SignatureValue>"), Code::SignatureMismatch),
        (xml.replace(&value, "<ds:SignatureValue>!</ds:SignatureValue>"), Code::SignatureContent),
        (xml.replace(&value, "<ds:SignatureValue>AAA</ds:SignatureValue>"), Code::SignatureUnprocessable),
        (xml.replace("</ds:SignatureValue>", "&#160;</ds:SignatureValue>"), Code::SignatureContent),
        (xml.replace(&digest, &digest.replace("<ds:DigestValue>", "<ds:DigestValue><!--x-->")), Code::SignatureContent),
        (
            xml.replace(&digest, "<ds:DigestValue>47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=</ds:DigestValue>"),
            Code::DigestMismatch,
        ),
        (xml.replace(&digest, "<ds:DigestValue/>"), Code::SignatureContent),
        (key_info("<ds:RetrievalMethod URI=\"http://127.0.0.1:9/\"/>"), Code::KeyInfoIndirect),
        (
            key_info("<x:KeyInfoReference xmlns:x=\"http://www.w3.org/2009/xmldsig11#\" URI=\"#x\"/>"),
            Code::KeyInfoIndirect,
        ),
        (
            xml.replace(
                part(&xml, SIGNATURE.0, SIGNATURE.1),
                "<ds:Signature xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\"/>",
            ),
            Code::SignatureContent,
        ),
        (cut(&xml, SIGNATURE.0, SIGNATURE.1), Code::Unsigned),
    ];
    for (xml, code) in cases {
        assert_eq!(refusal(&xml), code, "{xml}");
    }
    judge(&key_info("<ds:KeyName>anything</ds:KeyName>")).expect("control: other key information is ignored");
}

#[test]
fn algorithms_off_the_list_are_refused() {
    let xml = signed(Style::Assertion);
    let method = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256";
    for refused in [
        "http://www.w3.org/2000/09/xmldsig#hmac-sha1",
        "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256",
        "http://www.w3.org/2001/04/xmldsig-more#rsa-md5",
        "http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1",
        "http://www.w3.org/2000/09/xmldsig#dsa-sha1",
        "none",
        "",
    ] {
        assert_eq!(refusal(&xml.replace(method, refused)), Code::SignatureAlgorithm, "{refused}");
    }
    let truncated = format!(
        "<ds:SignatureMethod Algorithm=\"{method}\"><ds:HMACOutputLength>0</ds:HMACOutputLength></ds:SignatureMethod>"
    );
    let plain = format!("<ds:SignatureMethod Algorithm=\"{method}\"/>");
    assert_eq!(refusal(&xml.replace(&plain, &truncated)), Code::SignatureContent);
    let digest = "http://www.w3.org/2001/04/xmlenc#sha256";
    for refused in ["http://www.w3.org/2001/04/xmldsig-more#md5", "http://www.w3.org/2001/04/xmlenc#ripemd160", ""] {
        assert_eq!(refusal(&xml.replace(digest, refused)), Code::DigestAlgorithm, "{refused}");
    }
    assert_eq!(refusal(&xml.replace(method, "http://www.w3.org/2000/09/xmldsig#rsa-sha1")), Code::Sha1Refused);
}

#[test]
fn only_the_connections_keys_verify() {
    let xml = forge::response();
    let genuine = sign(&xml, Style::Assertion, rsa());
    judge(&genuine).expect("control");
    let forged = sign(&xml, Style::Assertion, stranger());
    assert_eq!(refusal(&forged), Code::SignatureMismatch);

    let x509 = |der: &[u8]| {
        format!(
            "<ds:KeyInfo><ds:X509Data><ds:X509Certificate>{}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></ds:Signature>",
            base64::Engine::encode(&base64::engine::general_purpose::STANDARD, der)
        )
    };
    let own = edit(&forged, "</ds:Signature>", &x509(stranger().certificate.der()));
    let refused = judge(&own).expect_err("the stranger's certificate in the message");
    assert_eq!(refused.code, Code::SignatureMismatch);
    assert!(refused.received.is_some_and(|text| text.contains(stranger().certificate.fingerprint())));
    assert!(refused.expected.is_some_and(|text| text.contains(rsa().certificate.fingerprint())));
    let faked = edit(&forged, "</ds:Signature>", &x509(rsa().certificate.der()));
    assert_eq!(refusal(&faked), Code::SignatureMismatch, "the genuine certificate with a stranger's signature");

    let by_ec = sign(&xml, Style::Assertion, ec());
    assert_eq!(refusal(&by_ec), Code::KeyType);
    let mut none = idp();
    none.certificates.clear();
    assert_eq!(judge_with(&genuine, &none, NOW, false).expect_err("refused").code, Code::CertificateMissing);
}

#[test]
fn bytes_that_can_be_read_in_two_ways_are_refused() {
    let xml = signed(Style::Assertion);
    let utf16: Vec<u8> = xml.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let with_mark: Vec<u8> = [0xff, 0xfe].into_iter().chain(utf16.iter().copied()).collect();
    let latin: Vec<u8> = edit(&xml, "one<", "\u{1}<").bytes().map(|byte| if byte == 1 { 0xe9 } else { byte }).collect();
    let text = |text: String| text.into_bytes();
    let cases = [
        (utf16, Code::NulCharacter),
        (with_mark, Code::NotUtf8),
        (latin, Code::NotUtf8),
        (text(xml.replace("one<", "o\0ne<")), Code::NulCharacter),
        (text(format!("\u{feff}\u{feff}{xml}")), Code::ByteOrderMark),
        (text(format!("<!DOCTYPE x [<!ATTLIST x ID ID #IMPLIED>]>{xml}")), Code::Doctype),
        (text(format!("<!doctype x>{xml}")), Code::Doctype),
        (text(edit(&xml, "<samlp:Status>", "<!DOCTYPE x SYSTEM 'x\"><!--'><samlp:Status>")), Code::Doctype),
        (text(format!("<!ELEMENT x ANY>{xml}")), Code::Declaration),
        (text(edit(&xml, "ann@", "ann<?x?>@")), Code::ProcessingInstruction),
        (text(format!("{xml}<?x?>")), Code::ProcessingInstruction),
        (text(format!(" <?xml version=\"1.0\"?>{xml}")), Code::ProcessingInstruction),
        (text(format!("<?xml version=\"1.1\"?>{xml}")), Code::XmlDeclaration),
        (text(format!("<?xml version=\"1.0\" encoding=\"UTF-7\"?>{xml}")), Code::XmlDeclaration),
        (text(format!("<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>{xml}")), Code::XmlDeclaration),
        (text(format!("<?xml version=\"1.0\" x?>{xml}")), Code::XmlDeclaration),
        (text("+ADw-samlp:Response/+AD4-".to_owned()), Code::NotXml),
        (text(String::new()), Code::NotXml),
        (text("{}".to_owned()), Code::NotXml),
        (text(edit(&xml, "one<", "&unknown;<")), Code::Malformed),
        (text(edit(&xml, "one<", "\u{1}<")), Code::Malformed),
        (text(edit(&xml, "one<", "&#1;<")), Code::Malformed),
        (text(xml.replace("</samlp:Response>", "")), Code::Malformed),
        (text(format!("{xml}trailing")), Code::Malformed),
        (text(edit(&xml, "<samlp:Status>", "<x:y/><samlp:Status>")), Code::Malformed),
        (text(edit(&xml, "Name=\"groups\"", "Name=\"groups\" Name=\"other\"")), Code::Malformed),
        (text(edit(&xml, "Name=\"groups\"", "Name=\"<\"")), Code::Malformed),
        (text(edit(&xml, "<samlp:Status>", "<samlp:Status xmlns:n=\"\">")), Code::Malformed),
        (text(edit(&xml, "<samlp:Status>", "<samlp:x:y/><samlp:Status>")), Code::Malformed),
        (text(edit(&xml, "<samlp:Status>", "<samlp:Status samlp:x:y=\"\">")), Code::Malformed),
        (text(edit(&xml, "<samlp:Status>", "<samlp:Status xmlns:n=\"1\">")), Code::RelativeNamespace),
        (text(edit(&xml, "<samlp:Status>", "<samlp:Status xmlns = 'ns'>")), Code::RelativeNamespace),
        (text(edit(&xml, "<samlp:Status>", "<samlp:Status xmlns:n='&#x75;rn:x'>")), Code::RelativeNamespace),
    ];
    let (sp, idp) = (forge::service_provider(), idp());
    let expected =
        Expected { sp: &sp, idp: &idp, now: NOW, skew: Duration::minutes(3), allow_sha1: false, decryption_keys: &[] };
    let encode = |bytes: &[u8]| base64::Engine::encode(&base64::engine::general_purpose::STANDARD, bytes);
    verify(&encode(xml.as_bytes()), &expected).expect("control");
    for (bytes, code) in cases {
        let refused = verify(&encode(&bytes), &expected).expect_err("refused");
        assert_eq!(refused.code, code, "{}", String::from_utf8_lossy(&bytes));
    }
}

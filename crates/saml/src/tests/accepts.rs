//! What honest identity providers send is accepted, and read right.

use super::kit::{
    RSA_SHA256, STYLES, Style, attribute, cut, ec, edit, edit_last, idp, judge, judge_at, judge_with, rsa, sign,
    signed, stranger,
};
use crate::algorithm::Sha1;
use crate::code::Code;
use crate::idp::{IdentityProvider, IdpCertificate};
use crate::self_test::forge::{self, ASSERTION_ID, ENTITY_ID, ISSUER, NAME_ID, NOW, REQUEST_ID, Signer};
use crate::shape::{Assertion, Content};
use crate::{shape, signature, xml};
use time::Duration;
use time::macros::datetime;

#[test]
fn every_style_of_signing_is_accepted_and_read_alike() {
    for style in STYLES {
        let accepted = judge(&signed(style)).unwrap_or_else(|rejection| panic!("{style:?}: {rejection}"));
        assert_eq!(accepted.assertion_id(), ASSERTION_ID);
        assert_eq!(accepted.in_response_to(), Some(REQUEST_ID));
        assert_eq!(accepted.issuer(), ISSUER);
        assert_eq!(accepted.name_id().value, NAME_ID);
        assert_eq!(
            accepted.name_id().format.as_deref(),
            Some("urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress")
        );
        assert_eq!(accepted.session_index(), Some("_session"));
        assert_eq!(accepted.authn_instant(), datetime!(2026-01-31 11:58 UTC));
        assert_eq!(accepted.authn_context(), Some("urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport"));
        assert_eq!(accepted.session_not_on_or_after(), Some(datetime!(2026-01-31 20:00 UTC)));
        assert_eq!(accepted.valid_until(), datetime!(2026-01-31 12:06 UTC));
        assert_eq!(attribute(&accepted, "email"), Some(NAME_ID));
        assert_eq!(
            accepted.attribute_values("groups").map(|value| value.text.as_str()).collect::<Vec<_>>(),
            ["one", "two"]
        );
        assert_eq!(attribute(&accepted, "Email"), None);
        assert!(!accepted.one_time_use());
        let printed = format!("{accepted:?} {:?} {:?}", accepted.name_id(), accepted.attributes());
        assert!(!printed.contains("ann@"), "{printed}");
    }
}

#[test]
fn the_key_may_be_any_of_the_connection_in_any_order() {
    let by_rsa = signed(Style::Both);
    let by_ec = sign(&forge::response(), Style::Both, ec());
    let mixed = forge::sign(&forge::response(), ASSERTION_ID, ec()).expect("signature");
    let mixed = forge::sign(&mixed, forge::RESPONSE_ID, rsa()).expect("signature");
    for certificates in [[rsa(), ec()], [ec(), rsa()]] {
        let idp = forge::identity_provider(certificates).expect("idp");
        for xml in [&by_rsa, &by_ec, &mixed] {
            judge_with(xml, &idp, NOW, false).expect("accepted");
        }
    }
    let rollover = forge::identity_provider([stranger(), rsa()]).expect("idp");
    judge_with(&by_rsa, &rollover, NOW, false).expect("accepted with the newer certificate");
}

/// A certificate carries a key; whether it is old is for the IT admin, who is told of its end beforehand.
#[test]
fn the_dates_of_a_certificate_and_its_twins_do_not_matter() {
    let pair = rcgen::KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048).expect("key");
    let certificate = |begin, end| {
        let mut params = rcgen::CertificateParams::default();
        (params.not_before, params.not_after) = (begin, end);
        IdpCertificate::from_der(params.self_signed(&pair).expect("certificate").der()).expect("read")
    };
    let expired = certificate(NOW - Duration::days(400), NOW - Duration::days(35));
    let future = certificate(NOW + Duration::DAY, NOW + Duration::days(365));
    let signer = Signer::new(&pair, RSA_SHA256).expect("signer");
    let xml = sign(&forge::response(), Style::Both, &signer);
    for certificates in [vec![expired.clone()], vec![future.clone()], vec![expired, future]] {
        judge_with(&xml, &IdentityProvider { certificates, ..idp() }, NOW, false).expect("accepted");
    }
    judge_with(&xml, &idp(), NOW, false).expect_err("control: another key");
}

#[test]
fn all_canonicalizations_and_strong_digests_are_accepted() {
    let exclusive = "http://www.w3.org/2001/10/xml-exc-c14n#";
    let sha256 = "http://www.w3.org/2001/04/xmlenc#sha256";
    for canonicalization in [
        exclusive,
        "http://www.w3.org/2001/10/xml-exc-c14n#WithComments",
        "http://www.w3.org/TR/2001/REC-xml-c14n-20010315",
        "http://www.w3.org/2006/12/xml-c14n11",
    ] {
        for digest in
            [sha256, "http://www.w3.org/2001/04/xmldsig-more#sha384", "http://www.w3.org/2001/04/xmlenc#sha512"]
        {
            let template = forge::template(forge::RESPONSE_ID, rsa().method);
            let template = template.replace(exclusive, canonicalization).replace(sha256, digest);
            let xml = forge::sign_with(&forge::response(), forge::RESPONSE_ID, rsa(), &template).expect("signature");
            judge(&xml).unwrap_or_else(|rejection| panic!("{canonicalization} {digest}: {rejection}"));
        }
    }
    let prefixes = "<ec:InclusiveNamespaces xmlns:ec=\"http://www.w3.org/2001/10/xml-exc-c14n#\" PrefixList=\"xs\"/>";
    let template = forge::template(ASSERTION_ID, rsa().method);
    let template = edit_last(
        &template,
        &format!("<ds:Transform Algorithm=\"{exclusive}\"/>"),
        &format!("<ds:Transform Algorithm=\"{exclusive}\">{prefixes}</ds:Transform>"),
    );
    let xml = forge::sign_with(&forge::response(), ASSERTION_ID, rsa(), &template).expect("signature");
    judge(&xml).expect("prefix list as Okta sends it");
}

#[test]
fn rsa_with_longer_hashes_is_accepted() {
    for method in ["rsa-sha384", "rsa-sha512"] {
        let template = forge::template(ASSERTION_ID, &format!("http://www.w3.org/2001/04/xmldsig-more#{method}"));
        let xml = forge::sign_with(&forge::response(), ASSERTION_ID, rsa(), &template).expect("signature");
        judge(&xml).unwrap_or_else(|rejection| panic!("{method}: {rejection}"));
    }
}

#[test]
fn sha1_needs_the_switch() {
    let template = forge::template(ASSERTION_ID, rsa().method)
        .replace("http://www.w3.org/2001/04/xmlenc#sha256", "http://www.w3.org/2000/09/xmldsig#sha1");
    let xml = forge::sign_with(&forge::response(), ASSERTION_ID, rsa(), &template).expect("signature");
    assert_eq!(judge(&xml).expect_err("refused").code, Code::Sha1Refused);
    judge_with(&xml, &idp(), NOW, true).expect("accepted with the switch");
}

#[test]
fn white_space_byte_order_mark_and_declaration_do_not_matter() {
    let xml = signed(Style::Assertion);
    judge(&format!("\u{feff}<?xml version=\"1.0\" encoding='utf-8' standalone=\"yes\"?>\r\n{xml}\n"))
        .expect("declaration");
    judge(&edit(&xml, "<samlp:Status>", "<!-- between elements --><samlp:Status>")).expect("comment between elements");
    let wrapped: String = forge::encode(&xml).chars().flat_map(|c| [c, '\n']).collect();
    let (sp, idp) = (forge::service_provider(), idp());
    let expected = crate::response::Expected {
        sp: &sp,
        idp: &idp,
        now: NOW,
        skew: Duration::ZERO,
        allow_sha1: false,
        decryption_keys: &[],
    };
    crate::response::verify(&wrapped, &expected).expect("wrapped base64");
}

#[test]
fn text_is_read_whole() {
    let name = |to: &str| {
        let xml = edit(&forge::response(), &format!("emailAddress\">{NAME_ID}<"), &format!("emailAddress\">{to}<"));
        judge(&sign(&xml, Style::Assertion, rsa())).expect("accepted").name_id().value.clone()
    };
    assert_eq!(name("\n  ann@acme.test\t"), "ann@acme.test");
    assert_eq!(name("ann<![CDATA[@acme]]>.test"), "ann@acme.test");
    assert_eq!(name("&#97;nn&amp;co@acme.test"), "ann&co@acme.test");
    assert_eq!(name("änn@äcme.test"), "änn@äcme.test");
}

#[test]
fn structured_attribute_values_are_left_out() {
    let nested = "<saml:Attribute Name=\"targeted\"><saml:AttributeValue><saml:NameID>opaque</saml:NameID>\
                  </saml:AttributeValue></saml:Attribute></saml:AttributeStatement>";
    let xml = edit(&forge::response(), "</saml:AttributeStatement>", nested);
    let accepted = judge(&sign(&xml, Style::Assertion, rsa())).expect("accepted");
    assert_eq!(attribute(&accepted, "targeted"), None);
    assert_eq!(attribute(&accepted, "email"), Some(NAME_ID));
}

#[test]
fn an_unsolicited_answer_names_no_request() {
    let xml = forge::response().replace(&format!(" InResponseTo=\"{REQUEST_ID}\""), "");
    let accepted = judge(&sign(&xml, Style::Both, rsa())).expect("accepted");
    assert_eq!(accepted.in_response_to(), None);
}

#[test]
fn a_second_bearer_confirmation_may_be_the_one_that_fits() {
    let other = "<saml:SubjectConfirmation Method=\"urn:oasis:names:tc:SAML:2.0:cm:bearer\">\
                 <saml:SubjectConfirmationData NotOnOrAfter=\"2026-01-31T12:04:00Z\" Recipient=\"https://other.test\"/>\
                 </saml:SubjectConfirmation>";
    let xml = edit(&forge::response(), "<saml:SubjectConfirmation ", &format!("{other}<saml:SubjectConfirmation "));
    judge(&sign(&xml, Style::Assertion, rsa())).expect("accepted");
}

#[test]
fn one_audience_of_several_and_one_time_use_are_understood() {
    let xml = edit(
        &forge::response(),
        "</saml:AudienceRestriction>",
        "<saml:Audience>https://other.test</saml:Audience></saml:AudienceRestriction><saml:OneTimeUse/>",
    );
    assert!(judge(&sign(&xml, Style::Assertion, rsa())).expect("accepted").one_time_use());
}

#[test]
fn an_unsigned_response_needs_no_destination_and_no_issuer() {
    let xml = edit(&forge::response(), &format!(" Destination=\"{}\"", forge::ACS_URL), "");
    let xml = sign(&xml, Style::Assertion, rsa());
    judge(&cut(&xml, "<saml:Issuer>", "</saml:Issuer>")).expect("accepted");
}

#[test]
fn the_clock_may_differ_by_the_skew_and_no_more() {
    let xml = signed(Style::Both);
    // Conditions end at 12:03 and begin at 11:59; the answer was issued at 12:00.
    let last = datetime!(2026-01-31 12:06:00 UTC) - Duration::nanoseconds(1);
    judge_at(&xml, last).expect("the last moment");
    assert_eq!(judge_at(&xml, last + Duration::nanoseconds(1)).expect_err("over").code, Code::Expired);
    let first = datetime!(2026-01-31 11:57:00 UTC);
    judge_at(&xml, first).expect("the first moment");
    assert_eq!(judge_at(&xml, first - Duration::nanoseconds(1)).expect_err("early").code, Code::IssuedInFuture);
}

#[test]
fn times_at_the_end_of_the_calendar_do_no_harm() {
    let xml = forge::response().replace("2026-01-31T12:0", "9999-12-31T23:5");
    let refused = judge(&sign(&xml, Style::Assertion, rsa())).expect_err("refused");
    assert_eq!(refused.code, Code::IssuedInFuture);
    let at = datetime!(9999-12-31 23:59:59 UTC);
    judge_at(&sign(&xml, Style::Assertion, rsa()), at).expect_err("refused without panic");
}

/// samael reads the verified bytes too: where its types can read an assertion at all, both readers must agree.
#[test]
fn samael_reads_the_same() {
    let source = signed(Style::Assertion);
    let document = xml::parse(&source).expect("tree");
    let shape = shape::check(&document, Sha1::Refused).expect("shape");
    signature::verify(&document, &source, shape.signatures(), &idp()).expect("verified");
    let Content::Assertion(Assertion { node, signature }) = shape.content else { panic!("not encrypted") };
    let verified = signature::canonical(&document, node, signature.as_ref()).expect("canonical");
    let read: samael::schema::Assertion = samael::metadata::de::from_str(&verified).expect("samael");
    assert_eq!(read.id, ASSERTION_ID);
    assert_eq!(read.issuer.value.as_deref(), Some(ISSUER));
    assert!(read.signature.is_none(), "the enveloped signature is not part of what was verified");
    let subject = read.subject.expect("subject");
    assert_eq!(subject.name_id.expect("name").value, NAME_ID);
    let restrictions = read.conditions.and_then(|conditions| conditions.audience_restrictions).expect("audiences");
    assert_eq!(restrictions.first().map(|restriction| restriction.audience.clone()), Some(vec![ENTITY_ID.to_owned()]));
}

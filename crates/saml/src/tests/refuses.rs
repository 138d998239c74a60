//! For each check of what an honestly signed response says: the defect is refused by its own code.
//! The control, the same response without the defect, is in the first line of each test.

use super::kit::{STYLES, Style, cut, edit, edit_last, judge, refusal, rsa, sign, signed};
use crate::code::Code;
use crate::self_test::forge::{self, ACS_URL, ENTITY_ID, ISSUER, NAME_ID, REQUEST_ID};

type Edit = Box<dyn Fn(&str) -> String>;

fn replace(from: &str, to: &str) -> Edit {
    let (from, to) = (from.to_owned(), to.to_owned());
    Box::new(move |xml| edit(xml, &from, &to))
}

fn replace_last(from: &str, to: &str) -> Edit {
    let (from, to) = (from.to_owned(), to.to_owned());
    Box::new(move |xml| edit_last(xml, &from, &to))
}

fn remove(start: &str, end: &str) -> Edit {
    let (start, end) = (start.to_owned(), end.to_owned());
    Box::new(move |xml| cut(xml, &start, &end))
}

/// Edits before signing: the identity provider itself says it.
fn defects() -> Vec<(Code, Edit)> {
    let name = format!("emailAddress\">{NAME_ID}<");
    let with_name = |value: &str| replace(&name, &format!("emailAddress\">{value}<"));
    let data = |from: &str, to: &str| replace_last(from, to);
    vec![
        (Code::Version, replace("Version=\"2.0\"", "Version=\"1.1\"")),
        (Code::Version, replace_last("Version=\"2.0\"", "Version=\"3.0\"")),
        (Code::Version, replace_last(" Version=\"2.0\"", "")),
        (Code::StatusMissing, remove("<samlp:Status>", "</samlp:Status>")),
        (Code::StatusNotSuccess, replace("status:Success", "status:Requester")),
        (Code::StatusNotSuccess, replace("status:Success\"", "status:success\"")),
        (Code::StatusNotSuccess, replace(" Value=\"urn:oasis:names:tc:SAML:2.0:status:Success\"", "")),
        (
            Code::StatusNotSuccess,
            replace(
                "Success\"/>",
                "Success\"><samlp:StatusCode Value=\"urn:oasis:names:tc:SAML:2.0:status:AuthnFailed\"/></samlp:StatusCode>",
            ),
        ),
        (Code::ResponseIssuer, replace(ISSUER, "http://idp.test/other")),
        (Code::ResponseIssuer, replace(ISSUER, &format!("{ISSUER}/"))),
        (Code::AssertionIssuer, replace_last(ISSUER, "http://idp.test/other")),
        (
            Code::AssertionIssuer,
            replace_last(&format!("<saml:Issuer>{ISSUER}</saml:Issuer>"), "<saml:Issuer></saml:Issuer>"),
        ),
        (Code::Destination, replace(&format!("Destination=\"{ACS_URL}\""), &format!("Destination=\"{ACS_URL}/\""))),
        (Code::Destination, replace(&format!("Destination=\"{ACS_URL}\""), "Destination=\"\"")),
        (
            Code::IssuedLongAgo,
            replace("IssueInstant=\"2026-01-31T12:00:00Z\"", "IssueInstant=\"2026-01-31T11:52:00Z\""),
        ),
        (
            Code::IssuedLongAgo,
            replace_last("IssueInstant=\"2026-01-31T12:00:00Z\"", "IssueInstant=\"2026-01-31T11:52:00Z\""),
        ),
        (
            Code::IssuedInFuture,
            replace("IssueInstant=\"2026-01-31T12:00:00Z\"", "IssueInstant=\"2026-01-31T12:03:00.001Z\""),
        ),
        (
            Code::IssuedInFuture,
            replace_last("IssueInstant=\"2026-01-31T12:00:00Z\"", "IssueInstant=\"2026-01-31T12:03:01Z\""),
        ),
        (Code::TimeFormat, replace("IssueInstant=\"2026-01-31T12:00:00Z\"", "IssueInstant=\"2026-01-31T12:00:00\"")),
        (Code::TimeFormat, replace_last("IssueInstant=\"2026-01-31T12:00:00Z\"", "IssueInstant=\"yesterday\"")),
        (Code::TimeFormat, replace(" AuthnInstant=\"2026-01-31T11:58:00Z\"", "")),
        (Code::TimeFormat, replace("NotBefore=\"2026-01-31T11:59:00Z\"", "NotBefore=\"2026-02-30T11:59:00Z\"")),
        (Code::SubjectMissing, remove("<saml:Subject>", "</saml:Subject>")),
        (Code::NameIdMissing, remove("<saml:NameID", "</saml:NameID>")),
        (Code::NameIdInvalid, with_name("")),
        (Code::NameIdInvalid, with_name(" \n ")),
        (Code::NameIdInvalid, with_name("ann&#10;@acme.test")),
        (Code::NameIdInvalid, with_name("ann&#x85;@acme.test")),
        (Code::NameIdInvalid, with_name("\u{a0}ann@acme.test")),
        (Code::NameIdInvalid, with_name("ann@acme.test\u{3000}")),
        (Code::NameIdInvalid, with_name("mar\u{212a}@acme.test")),
        (Code::NameIdInvalid, with_name(&"a".repeat(1025))),
        (Code::AssertionContent, replace("<saml:NameID ", "<saml:EncryptedID/><saml:NameID ")),
        (Code::ElementInText, with_name("ann@acme.test<b/>.evil.test")),
        (Code::ElementInText, replace("<saml:AttributeValue>one<", "<saml:AttributeValue>one<b/><")),
        (
            Code::ElementInText,
            replace(&format!("<saml:Audience>{ENTITY_ID}<"), &format!("<saml:Audience>{ENTITY_ID}<b/><")),
        ),
        (Code::CommentInText, with_name("ann@acme.test<!---->.evil.test")),
        (Code::CommentInText, replace("<saml:AttributeValue>one<", "<saml:AttributeValue>one<!-- -->more<")),
        (
            Code::CommentInText,
            replace_last(&format!("<saml:Issuer>{ISSUER}"), &format!("<saml:Issuer><!-- -->{ISSUER}")),
        ),
        (Code::AttributeNameMissing, replace(" Name=\"groups\"", "")),
        (
            Code::AttributeEncrypted,
            replace("<saml:Attribute Name=\"groups\"", "<saml:EncryptedAttribute/><saml:Attribute Name=\"groups\""),
        ),
        (
            Code::AssertionContent,
            replace(
                "<saml:Attribute Name=\"groups\"",
                "<x:Attribute xmlns:x=\"urn:x\"/><saml:Attribute Name=\"groups\"",
            ),
        ),
        (Code::ConditionsMissing, remove("<saml:Conditions", "</saml:Conditions>")),
        (Code::ConditionUnknown, replace("<saml:AudienceRestriction>", "<saml:Condition/><saml:AudienceRestriction>")),
        (
            Code::ConditionUnknown,
            replace("<saml:AudienceRestriction>", "<x:OneTimeUse xmlns:x=\"urn:x\"/><saml:AudienceRestriction>"),
        ),
        (Code::PeriodInverted, replace("NotBefore=\"2026-01-31T11:59:00Z\"", "NotBefore=\"2026-01-31T12:03:00Z\"")),
        (
            Code::NotYetValid,
            replace(
                "NotBefore=\"2026-01-31T11:59:00Z\" NotOnOrAfter=\"2026-01-31T12:03:00Z\"",
                "NotBefore=\"2026-01-31T12:03:01Z\" NotOnOrAfter=\"2026-01-31T12:05:00Z\"",
            ),
        ),
        (
            Code::Expired,
            replace(
                "NotBefore=\"2026-01-31T11:59:00Z\" NotOnOrAfter=\"2026-01-31T12:03:00Z\"",
                "NotBefore=\"2026-01-31T11:50:00Z\" NotOnOrAfter=\"2026-01-31T11:57:00Z\"",
            ),
        ),
        (Code::AudienceMissing, remove("<saml:AudienceRestriction>", "</saml:AudienceRestriction>")),
        (Code::Audience, replace(&format!("<saml:Audience>{ENTITY_ID}"), "<saml:Audience>https://gate.test/c/two")),
        (Code::Audience, replace(&format!("<saml:Audience>{ENTITY_ID}"), &format!("<saml:Audience>{ENTITY_ID}/"))),
        (Code::Audience, replace(&format!("<saml:Audience>{ENTITY_ID}</saml:Audience>"), "")),
        (
            Code::Audience,
            replace(
                "</saml:AudienceRestriction>",
                "</saml:AudienceRestriction><saml:AudienceRestriction><saml:Audience>https://other.test</saml:Audience></saml:AudienceRestriction>",
            ),
        ),
        (Code::BearerMissing, replace("cm:bearer", "cm:sender-vouches")),
        (Code::BearerMissing, remove("<saml:SubjectConfirmation ", "</saml:SubjectConfirmation>")),
        (Code::RecipientMissing, data(&format!(" Recipient=\"{ACS_URL}\""), "")),
        (
            Code::RecipientMissing,
            data(&format!(" Recipient=\"{ACS_URL}\""), &format!(" xmlns:x=\"urn:x\" x:Recipient=\"{ACS_URL}\"")),
        ),
        (Code::RecipientMissing, remove("<saml:SubjectConfirmationData", "/>")),
        (Code::Recipient, data(&format!("Recipient=\"{ACS_URL}\""), "Recipient=\"https://gate.test/c/two/saml/acs\"")),
        (Code::ConfirmationEndMissing, replace(" NotOnOrAfter=\"2026-01-31T12:04:00Z\"", "")),
        (
            Code::ConfirmationExpired,
            replace("NotOnOrAfter=\"2026-01-31T12:04:00Z\"", "NotOnOrAfter=\"2026-01-31T11:57:00Z\""),
        ),
        (
            Code::ConfirmationNotBefore,
            replace(
                "NotOnOrAfter=\"2026-01-31T12:04:00Z\"",
                "NotBefore=\"2026-01-31T11:00:00Z\" NotOnOrAfter=\"2026-01-31T12:04:00Z\"",
            ),
        ),
        (Code::InResponseTo, data(&format!(" InResponseTo=\"{REQUEST_ID}\""), "")),
        (Code::InResponseTo, data(&format!("InResponseTo=\"{REQUEST_ID}\""), "InResponseTo=\"_other\"")),
        (Code::InResponseTo, replace(&format!(" InResponseTo=\"{REQUEST_ID}\""), "")),
        (Code::AuthnStatementMissing, remove("<saml:AuthnStatement", "</saml:AuthnStatement>")),
        (
            Code::AuthnInFuture,
            replace("AuthnInstant=\"2026-01-31T11:58:00Z\"", "AuthnInstant=\"2026-01-31T12:03:01Z\""),
        ),
        (Code::SessionEnded, replace("2026-01-31T20:00:00Z", "2026-01-31T11:57:00Z")),
    ]
}

#[test]
fn each_defect_is_refused_by_its_own_code_however_it_is_signed() {
    for style in STYLES {
        judge(&signed(style)).expect("control");
        for (code, defect) in defects() {
            let xml = sign(&defect(&forge::response()), style, rsa());
            assert_eq!(refusal(&xml), code, "{style:?} {xml}");
        }
    }
}

#[test]
fn a_signed_response_names_its_destination() {
    let without = edit(&forge::response(), &format!(" Destination=\"{ACS_URL}\""), "");
    judge(&sign(&without, Style::Assertion, rsa())).expect("control: unsigned response");
    assert_eq!(refusal(&sign(&without, Style::Response, rsa())), Code::DestinationMissing);
    assert_eq!(refusal(&sign(&without, Style::Both, rsa())), Code::DestinationMissing);
}

#[test]
fn what_the_identity_provider_says_of_a_failure_is_told_escaped() {
    let assertion = cut(&forge::response(), "<saml:Assertion", "</saml:Assertion>");
    let status = "<samlp:StatusCode Value=\"urn:oasis:names:tc:SAML:2.0:status:Responder\"><samlp:StatusCode \
                  Value=\"urn:oasis:names:tc:SAML:2.0:status:AuthnFailed\"/></samlp:StatusCode>\
                  <samlp:StatusMessage>not\nassigned\u{202e}</samlp:StatusMessage>";
    let success = "<samlp:StatusCode Value=\"urn:oasis:names:tc:SAML:2.0:status:Success\"/>";
    let refused = judge(&edit(&assertion, success, status)).expect_err("refused");
    assert_eq!(refused.code, Code::StatusNotSuccess);
    assert_eq!(
        refused.to_string(),
        "GH-SAML-803, expected Success, received Responder, AuthnFailed, not\\u{a}assigned\\u{202e}"
    );
    let foreign = status.replace("urn:oasis:names:tc:SAML:2.0:status:AuthnFailed", "call +1 555");
    let refused = judge(&edit(&assertion, success, &foreign)).expect_err("refused");
    assert_eq!(
        refused.to_string(),
        "GH-SAML-803, expected Success, received Responder, (other), not\\u{a}assigned\\u{202e}"
    );
    assert_eq!(refusal(&assertion), Code::AssertionMissing);
}

#[test]
fn a_refusal_shows_what_was_expected_and_what_came() {
    let xml =
        edit(&forge::response(), &format!("<saml:Audience>{ENTITY_ID}"), "<saml:Audience>https://gate.test/c/two");
    let refused = judge(&sign(&xml, Style::Assertion, rsa())).expect_err("refused");
    assert_eq!(refused.to_string(), "GH-SAML-811, expected https://gate.test/c/one, received https://gate.test/c/two");
}

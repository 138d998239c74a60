//! The codes are stable and every one of them says something useful.

use crate::code::{Code, Rejection};
use std::collections::HashSet;

#[test]
fn codes_are_unique_and_have_words() {
    let ids: HashSet<&str> = Code::ALL.iter().map(|code| code.id()).collect();
    assert_eq!(ids.len(), Code::ALL.len());
    let mut last = 0;
    for code in Code::ALL {
        let number: u32 = code.id().strip_prefix("GH-SAML-").expect("prefix").parse().expect("number");
        assert!(number > last && (101..1200).contains(&number), "{code:?} is out of order");
        last = number;
        for text in [code.title(), code.fix()] {
            assert!(text.ends_with('.') && text.len() > 20, "{code:?}: {text}");
        }
    }
}

#[test]
fn numbers_that_are_documented_stay() {
    let stable = [
        (Code::ResponseMissing, "GH-SAML-101"),
        (Code::Doctype, "GH-SAML-204"),
        (Code::RelativeNamespace, "GH-SAML-306"),
        (Code::Sha1Refused, "GH-SAML-419"),
        (Code::SignatureMismatch, "GH-SAML-505"),
        (Code::Undecryptable, "GH-SAML-601"),
        (Code::CommentInText, "GH-SAML-701"),
        (Code::Audience, "GH-SAML-811"),
        (Code::RequestUnknown, "GH-SAML-901"),
        (Code::AssertionReplayed, "GH-SAML-906"),
        (Code::EmailMissing, "GH-SAML-1001"),
    ];
    for (code, id) in stable {
        assert_eq!(code.id(), id);
    }
}

#[test]
fn the_admin_reads_the_labels_of_the_identity_provider() {
    assert!(Code::Audience.fix().contains("\"Audience URI (SP Entity ID)\""));
    assert!(Code::Audience.fix().contains("\"Identifier (Entity ID)\""));
    assert!(Code::Recipient.fix().contains("\"Single sign-on URL\""));
    assert!(Code::Recipient.fix().contains("\"Reply URL (Assertion Consumer Service URL)\""));
}

#[test]
fn what_came_is_bounded_and_escaped() {
    let long = Rejection::new(Code::Audience).expected("short").received(&"ä".repeat(5000));
    assert_eq!(long.received.as_ref().map(|text| text.chars().count()), Some(200));
    assert!(long.to_string().chars().count() < 250);
    let hostile = Rejection::new(Code::Audience).received("a\r\nb\u{1b}[0m\u{202e}\u{200b}c");
    assert_eq!(hostile.to_string(), "GH-SAML-811, received a\\u{d}\\u{a}b\\u{1b}[0m\\u{202e}\\u{200b}c");
    let raw = Rejection { received: Some("\n".repeat(500)), ..Rejection::new(Code::Audience) };
    assert!(!raw.to_string().contains('\n') && raw.to_string().len() < 250);
}

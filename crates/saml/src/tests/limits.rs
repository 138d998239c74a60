//! Hostile sizes are refused quickly, and nothing that comes in can panic.

use super::kit::{Style, attribute, edit, idp, judge, refusal, rsa, sign, signed};
use crate::code::Code;
use crate::response::{Expected, MAX_RESPONSE_BYTES, verify};
use crate::self_test::forge::{self, NAME_ID, NOW};
use std::time::Instant;
use time::Duration;

/// Generous for an unoptimized build on a busy machine.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(2);

fn inside_status(content: &str) -> String {
    edit(
        &signed(Style::Assertion),
        "</samlp:Status>",
        &format!("<samlp:StatusDetail>{content}</samlp:StatusDetail></samlp:Status>"),
    )
}

#[test]
fn hostile_sizes_are_refused_quickly() {
    let attributes: String = (0..11_000).map(|n| format!(" a{n}=\"\"")).collect();
    let namespaces: String = (0..65).map(|n| format!(" xmlns:a{n}=\"urn:a\"")).collect();
    let cases = [
        (inside_status(&"<a>".repeat(31)), Code::TooDeep),
        (inside_status(&format!("<a{attributes}/>")), Code::TooManyAttributes),
        (inside_status(&format!("<a{namespaces}/>")), Code::TooManyNamespaces),
        (inside_status(&"<a/>".repeat(20_000)), Code::TooManyElements),
        (inside_status(&"a".repeat(64 * 1024 + 1)), Code::TextTooLong),
        (inside_status(&format!("<![CDATA[{}]]>", "a".repeat(64 * 1024 + 1))), Code::TextTooLong),
        (inside_status(&format!("<a b=\"{}\"/>", "a".repeat(64 * 1024 + 1))), Code::TextTooLong),
        (inside_status(&"a".repeat(MAX_RESPONSE_BYTES)), Code::ResponseTooLarge),
    ];
    for (xml, code) in cases {
        let start = Instant::now();
        assert_eq!(refusal(&xml), code);
        assert!(start.elapsed() < PATIENCE, "{code:?} took {:?}", start.elapsed());
    }
}

#[test]
fn sizes_within_the_limits_are_accepted_quickly() {
    let namespaces: String = (0..64).map(|n| format!(" xmlns:a{n}=\"urn:a\"")).collect();
    let attributes: String = (0..64).map(|n| format!(" a{n}=\"x\"")).collect();
    let deep = format!("{}{}", "<a>".repeat(29), "</a>".repeat(29));
    let wide = format!("<a{namespaces}>{}</a>", "<b/>".repeat(19_000));
    for content in [deep, wide, format!("<a{namespaces}{attributes}/>"), "x".repeat(64 * 1024)] {
        let detail = format!("<samlp:StatusDetail>{content}</samlp:StatusDetail></samlp:Status>");
        let xml = edit(&forge::response(), "</samlp:Status>", &detail);
        let xml = sign(&xml, Style::Response, rsa());
        let start = Instant::now();
        judge(&xml).expect("accepted");
        assert!(start.elapsed() < PATIENCE, "took {:?}", start.elapsed());
    }
}

#[test]
fn what_is_not_base64_is_refused() {
    let (sp, idp) = (forge::service_provider(), idp());
    let expected =
        Expected { sp: &sp, idp: &idp, now: NOW, skew: Duration::minutes(3), allow_sha1: false, decryption_keys: &[] };
    for field in ["=", "a", "PHg-", "PHg_PHg_", "<xml/>", "PGE+PC9hPg", "\u{e9}"] {
        assert_eq!(verify(field, &expected).expect_err("refused").code, Code::NotBase64, "{field}");
    }
    let long = "A".repeat(MAX_RESPONSE_BYTES + 1);
    assert_eq!(verify(&long, &expected).expect_err("refused").code, Code::ResponseTooLarge);
}

/// A small generator, so that a failure can be repeated.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).expect("31 bits") % bound
    }
}

#[test]
fn damaged_responses_never_panic_and_never_change_the_user() {
    let mut random = Random(0x5eed_cafe_f00d_0001);
    let words: [&[u8]; 12] =
        [b"<", b">", b"\"", b"&", b"<!--", b"-->", b"<![CDATA[", b"]]>", b" xmlns:a=\"1\"", b"<?", b"\xff", b"\0"];
    let (sp, idp) = (forge::service_provider(), idp());
    let expected =
        Expected { sp: &sp, idp: &idp, now: NOW, skew: Duration::minutes(3), allow_sha1: false, decryption_keys: &[] };
    for style in [Style::Assertion, Style::Both] {
        let honest = signed(style).into_bytes();
        for _ in 0..1500 {
            let mut bytes = honest.clone();
            for _ in 0..=random.below(3) {
                let at = random.below(bytes.len());
                let until = (at + random.below(40)).min(bytes.len());
                match random.below(4) {
                    0 => bytes[at] = u8::try_from(random.below(256)).expect("a byte"),
                    1 => drop(bytes.drain(at..until)),
                    2 => {
                        let copy = bytes[at..until].to_vec();
                        bytes.splice(at..at, copy);
                    }
                    _ => drop(bytes.splice(at..at, words[random.below(words.len())].iter().copied())),
                }
            }
            let field = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, &bytes);
            if let Ok(accepted) = verify(&field, &expected) {
                assert_eq!(accepted.name_id().value, NAME_ID);
                assert_eq!(attribute(&accepted, "email"), Some(NAME_ID));
            }
        }
    }
}

#[test]
fn verification_takes_little_time() {
    let (sp, idp) = (forge::service_provider(), idp());
    let expected =
        Expected { sp: &sp, idp: &idp, now: NOW, skew: Duration::minutes(3), allow_sha1: false, decryption_keys: &[] };
    for style in [Style::Assertion, Style::Both] {
        let field = forge::encode(&signed(style));
        let start = Instant::now();
        for _ in 0..100 {
            verify(&field, &expected).expect("accepted");
        }
        let each = start.elapsed() / 100;
        println!("{style:?}: {each:?} a response of {} bytes", field.len());
        assert!(each < PATIENCE / 10);
    }
}

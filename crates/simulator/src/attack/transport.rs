//! The same response, carried in another way than HTTP-POST carries it.

use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

use super::{Attack, Class, Material, Verdict};
use crate::idp::response::Sign;

pub(super) fn attacks() -> Vec<Attack> {
    let class = Class::of("transport", Sign::Both);
    let spelled = |name: &str, code: Verdict, spell: fn(&str) -> String| {
        class.field(name, code, move |material| Ok(spell(&honest(material)?)))
    };
    let refused = Verdict::Refused(104);
    vec![
        spelled("urlsafe-base64", refused, |xml| marked(&URL_SAFE.encode(unfit(xml)))),
        spelled("urlsafe-base64-without-padding", refused, |xml| marked(&URL_SAFE_NO_PAD.encode(unfit(xml)))),
        spelled("without-padding", refused, |xml| STANDARD_NO_PAD.encode(padded(xml))),
        spelled("too-much-padding", refused, |xml| format!("{}==", STANDARD.encode(padded(xml)))),
        spelled("padding-inside", refused, |xml| format!("PA=={}", STANDARD.encode(xml))),
        spelled("garbage", refused, |xml| format!("*{}", STANDARD.encode(xml))),
        spelled("garbage-inside", refused, |xml| STANDARD.encode(xml).replacen('A', "!", 1)),
        spelled("not-encoded", refused, str::to_owned),
        spelled("hexadecimal", Verdict::Refused(201), |xml| hexadecimal(xml.as_bytes())),
        spelled("nul-behind", refused, |xml| format!("{}\0", STANDARD.encode(xml))),
        spelled("encoded-twice", Verdict::Refused(208), |xml| STANDARD.encode(STANDARD.encode(xml))),
        spelled("empty", Verdict::Refused(208), |_| String::new()),
        spelled("white-space-only", Verdict::Refused(208), |_| " \r\n\t".to_owned()),
        spelled("lines-of-76", Verdict::Genuine, lines),
        class.field("deflate-on-post", 201, |material| {
            let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
            encoder.write_all(honest(material)?.as_bytes())?;
            Ok(STANDARD.encode(encoder.finish()?))
        }),
        class.field("gzip-on-post", 201, |material| {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
            encoder.write_all(honest(material)?.as_bytes())?;
            Ok(STANDARD.encode(encoder.finish()?))
        }),
        class.field("zlib-on-post", 201, |material| {
            let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
            encoder.write_all(honest(material)?.as_bytes())?;
            Ok(STANDARD.encode(encoder.finish()?))
        }),
    ]
}

fn honest(material: &Material<'_>) -> anyhow::Result<String> {
    material.honest.clone().sign(Sign::Both).xml(material.idp)
}

/// With something in it that the two alphabets write differently.
fn unfit(xml: &str) -> String {
    format!("{xml}<!--???>>>~~~-->")
}

fn marked(base64: &str) -> String {
    // Whatever the text, one letter is there that only the other alphabet has.
    if base64.contains(['-', '_']) { base64.to_owned() } else { format!("{base64}-_") }
}

/// Of a length that needs padding.
fn padded(xml: &str) -> String {
    let mut xml = xml.to_owned();
    while xml.len() % 3 != 1 {
        xml.push('\n');
    }
    xml
}

fn hexadecimal(bytes: &[u8]) -> String {
    let mut text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    // Its letters are base64 as well, if there are enough of them.
    text.truncate(text.len() / 4 * 4);
    text
}

fn lines(xml: &str) -> String {
    let mut text = String::new();
    for (number, letter) in STANDARD.encode(xml).chars().enumerate() {
        if number > 0 && number % 76 == 0 {
            text.push_str("\r\n");
        }
        text.push(letter);
    }
    text
}

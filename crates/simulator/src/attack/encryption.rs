//! Ciphertexts that were damaged, replaced or made by the attacker; whoever can tell one failure from another can decrypt.

use base64::{Engine, engine::general_purpose::STANDARD};

use super::{ASSERTION, Attack, Class, Material, Style, Verdict, edit, encode};
use crate::idp::{
    encryption::{AES256_GCM, encrypted},
    response::Sign,
};

const AES256_CBC: &str = "http://www.w3.org/2001/04/xmlenc#aes256-cbc";
const OAEP: &str = "http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p";
const VALUE: (&str, &str) = ("<xenc:CipherValue>", "</xenc:CipherValue>");
const KEY: (&str, &str) = ("<xenc:EncryptedKey>", "</xenc:EncryptedKey>");

/// Nobody signed the ciphertext, so that everybody can change it.
const CLASS: Class = Class { name: "encryption", style: Style { sign: Sign::Assertion, is_encrypted: true } };

pub(super) fn attacks() -> Vec<Attack> {
    let mut attacks = truncated();
    attacks.extend(damaged());
    attacks.extend(padded());
    attacks.extend(contents());
    attacks.extend(in_clear());
    attacks.extend(keys());
    attacks
}

fn truncated() -> Vec<Attack> {
    let attack = |length: usize| {
        CLASS.tampered(format!("truncated-to-{length}"), 601, move |xml, _| {
            in_content(xml, |bytes| bytes.truncate(length))
        })
    };
    (0..=28).map(attack).collect()
}

/// Changes the encrypted content, which stands behind the encrypted key.
fn in_content(xml: &str, change: impl FnOnce(&mut Vec<u8>)) -> anyhow::Result<String> {
    let (before, after) = xml.split_once(KEY.1).unwrap_or_default();
    Ok(format!("{before}{}{}", KEY.1, in_value(after, change)?))
}

/// Changes the first encrypted value.
fn in_value(xml: &str, change: impl FnOnce(&mut Vec<u8>)) -> anyhow::Result<String> {
    let value = edit::piece(xml, VALUE.0, VALUE.1)?;
    let text = value.trim_start_matches(VALUE.0).trim_end_matches(VALUE.1);
    let compact: String = text.split_ascii_whitespace().collect();
    let mut bytes = STANDARD.decode(compact)?;
    change(&mut bytes);
    edit::replace_first(xml, value, &format!("{}{}{}", VALUE.0, STANDARD.encode(bytes), VALUE.1))
}

/// Changes one bit at that part of the length.
fn flip(bytes: &mut [u8], numerator: usize, denominator: usize) {
    let at = bytes.len().saturating_sub(1) * numerator / denominator;
    if let Some(byte) = bytes.get_mut(at) {
        *byte ^= 1;
    }
}

fn damaged() -> Vec<Attack> {
    let content =
        |name: &str, change: fn(&mut Vec<u8>)| CLASS.tampered(name, 601, move |xml, _| in_content(xml, change));
    let key = |name: &str, change: fn(&mut Vec<u8>)| CLASS.tampered(name, 601, move |xml, _| in_value(xml, change));
    vec![
        content("bad-tag", |bytes| flip(bytes, 1, 1)),
        content("bad-nonce", |bytes| flip(bytes, 0, 1)),
        content("bad-content", |bytes| flip(bytes, 1, 2)),
        content("longer", |bytes| bytes.push(0)),
        content("garbage", |bytes| bytes.fill(0x5a)),
        key("bad-key", |bytes| flip(bytes, 1, 3)),
        key("key-of-zeros", |bytes| bytes.fill(0)),
        key("key-of-ones", |bytes| bytes.fill(0xff)),
        key("key-cut", |bytes| bytes.truncate(100)),
        key("key-longer", |bytes| bytes.push(0)),
        key("key-empty", Vec::clear),
        CLASS.tampered("cipher-renamed", 601, |xml, _| edit::replace(xml, "#aes256-gcm", "#aes128-gcm")),
        CLASS.tampered("mode-renamed", 601, |xml, _| edit::replace(xml, AES256_GCM, AES256_CBC)),
        CLASS.field("wrong-key", 601, |material| {
            let honest = material.honest.clone().sign(Sign::Assertion);
            Ok(encode(&honest.encrypt_for(&material.stranger.certificate_der()?).xml(material.idp)?))
        }),
    ]
}

/// Puts content that anybody can encrypt in the place of the assertion.
fn sealed(material: &Material<'_>, content: &[u8], cipher: &str) -> anyhow::Result<String> {
    let xml = material.honest.clone().sign(Sign::Assertion).xml(material.idp)?;
    let sealed = encrypted(content, cipher, material.encryption_certificate)?;
    edit::replace_first(&xml, edit::piece(&xml, ASSERTION.0, ASSERTION.1)?, &sealed)
}

/// The genuine assertion, signed.
fn assertion(material: &Material<'_>) -> anyhow::Result<String> {
    let xml = material.honest.clone().sign(Sign::Assertion).xml(material.idp)?;
    Ok(edit::piece(&xml, ASSERTION.0, ASSERTION.1)?.to_owned())
}

/// The padding oracle: CBC without a tag. A wrong padding, a right padding of rubbish, and no XML must be the same.
fn padded() -> Vec<Attack> {
    let cbc = |name: &str, change: fn(&mut Vec<u8>)| {
        CLASS.field(format!("cbc-{name}"), 601, move |material| {
            let xml = sealed(material, assertion(material)?.as_bytes(), AES256_CBC)?;
            Ok(encode(&in_content(&xml, change)?))
        })
    };
    vec![
        cbc("bad-padding", |bytes| {
            if let Some(byte) = bytes.iter_mut().rev().nth(16) {
                *byte ^= 0x80;
            }
        }),
        cbc("bad-block", |bytes| flip(bytes, 1, 2)),
        cbc("bad-iv", |bytes| flip(bytes, 0, 1)),
        cbc("last-block-cut", |bytes| bytes.truncate(bytes.len() - 16)),
        cbc("half-a-block", |bytes| bytes.truncate(bytes.len() - 8)),
        cbc("iv-only", |bytes| bytes.truncate(16)),
        CLASS.field("cbc-no-xml", 601, |material| Ok(encode(&sealed(material, b"no xml", AES256_CBC)?))),
        CLASS.field("cbc-genuine", Verdict::Genuine, |material| {
            Ok(encode(&sealed(material, assertion(material)?.as_bytes(), AES256_CBC)?))
        }),
    ]
}

type Content = fn(&Material<'_>) -> anyhow::Result<String>;

/// What is inside was written by the attacker.
fn contents() -> Vec<Attack> {
    fn evil(material: &Material<'_>) -> anyhow::Result<String> {
        let bare = edit::cut(&assertion(material)?, super::SIGNATURE.0, super::SIGNATURE.1)?;
        edit::set(&edit::replace(&bare, &material.honest.name_id, material.victim)?, ASSERTION.0, "ID", Some("_evil"))
    }
    let contents: [(&str, Content); 16] = [
        ("unsigned-evil", evil),
        ("unsigned-genuine", |m| edit::cut(&assertion(m)?, super::SIGNATURE.0, super::SIGNATURE.1)),
        ("changed", |m| edit::replace(&assertion(m)?, &m.honest.name_id, m.victim)),
        ("by-a-stranger", |m| {
            let xml = super::sign(&m.unsigned()?, Sign::Assertion, m.stranger)?;
            Ok(edit::piece(&xml, ASSERTION.0, ASSERTION.1)?.to_owned())
        }),
        ("evil-appended", |m| Ok(assertion(m)? + &evil(m)?)),
        ("evil-prepended", |m| Ok(evil(m)? + &assertion(m)?)),
        ("two-assertions", |m| Ok(assertion(m)?.repeat(2))),
        ("a-response", |m| m.honest.clone().sign(Sign::Both).xml(m.idp)),
        ("nested", |m| encrypted(assertion(m)?.as_bytes(), AES256_GCM, m.encryption_certificate)),
        ("no-xml", |_| Ok("hello".to_owned())),
        ("nothing", |_| Ok(" ".to_owned())),
        ("doctype", |m| Ok(format!("<!DOCTYPE x SYSTEM \"{}/dtd\">{}", m.canary, assertion(m)?))),
        ("text-behind", |m| Ok(assertion(m)? + "x")),
        ("end-of-our-root", |m| Ok(format!("</opened>{}<opened>", assertion(m)?))),
        ("comment-in-nameid", |m| edit::replace_first(&assertion(m)?, "</saml2:NameID>", "<!----></saml2:NameID>")),
        ("deep", |m| Ok(format!("{}{}", "<a>".repeat(5_000), assertion(m)?))),
    ];
    let attack = |(name, content): (&str, Content)| {
        CLASS.field(format!("plaintext-{name}"), 601, move |material| {
            Ok(encode(&sealed(material, content(material)?.as_bytes(), AES256_GCM)?))
        })
    };
    contents.into_iter().map(attack).collect()
}

/// What stands beside the ciphertext can be refused for what it is.
fn in_clear() -> Vec<Attack> {
    let replaced = |name: &str, code: u16, from: &'static str, to: &'static str| {
        CLASS.tampered(name, code, move |xml, _| edit::replace(xml, from, to))
    };
    let value = |name: &str, to: &'static str| {
        CLASS.tampered(name, 602, move |xml, material| {
            let value = edit::piece(xml, VALUE.0, VALUE.1)?;
            edit::replace_first(xml, value, &edit::filled(to, material))
        })
    };
    vec![
        replaced("triple-des", 604, AES256_GCM, "http://www.w3.org/2001/04/xmlenc#tripledes-cbc"),
        replaced("unknown-cipher", 604, AES256_GCM, "urn:unknown"),
        replaced("no-cipher", 604, AES256_GCM, ""),
        replaced("rsa-1_5", 604, OAEP, "http://www.w3.org/2001/04/xmlenc#rsa-1_5"),
        replaced("key-wrap", 604, OAEP, "http://www.w3.org/2001/04/xmlenc#kw-aes256"),
        replaced("content-only", 602, "xmlenc#Element\"", "xmlenc#Content\""),
        value("cipherreference-http", "<xenc:CipherReference URI=\"{canary}/cipher\"/>"),
        value("cipherreference-file", "<xenc:CipherReference URI=\"file:///etc/passwd\"/>"),
        value("no-value", ""),
        value("two-values", "<xenc:CipherValue>AA==</xenc:CipherValue><xenc:CipherValue>AA==</xenc:CipherValue>"),
        value("damaged-base64", "<xenc:CipherValue>*</xenc:CipherValue>"),
        value("comment-in-base64", "<xenc:CipherValue>AA<!---->==</xenc:CipherValue>"),
        CLASS.tampered("assertion-beside", 404, |xml, material| {
            let evil = edit::replace(&material.unsigned()?, &material.honest.name_id, material.victim)?;
            edit::before(xml, "<saml2:EncryptedAssertion", edit::piece(&evil, ASSERTION.0, ASSERTION.1)?)
        }),
        CLASS.tampered("encrypted-twice-beside", 404, |xml, _| {
            let sealed = edit::piece(xml, "<saml2:EncryptedAssertion", "</saml2:EncryptedAssertion>")?;
            edit::replace_first(xml, sealed, &sealed.repeat(2))
        }),
        CLASS.tampered("in-extensions", 405, |xml, _| {
            let sealed = edit::piece(xml, "<saml2:EncryptedAssertion", "</saml2:EncryptedAssertion>")?;
            edit::before(xml, "<saml2p:Status>", &format!("<saml2p:Extensions>{sealed}</saml2p:Extensions>"))
        }),
    ]
}

fn keys() -> Vec<Attack> {
    let key = |name: &str, verdict: Verdict, change: fn(&str) -> String| {
        CLASS.tampered(name, verdict, move |xml, material| {
            let key = edit::piece(xml, KEY.0, KEY.1)?;
            edit::replace_first(xml, key, &edit::filled(&change(key), material))
        })
    };
    let refused = Verdict::Refused(602);
    vec![
        key("no-key", refused, |_| String::new()),
        key("five-keys", refused, |key| key.repeat(5)),
        key("2000-keys", refused, |_| "<xenc:EncryptedKey/>".repeat(2_000)),
        key("empty-key", refused, |_| "<xenc:EncryptedKey/>".to_owned()),
        key("retrievalmethod-http", refused, |_| "<ds:RetrievalMethod URI=\"{canary}/key\"/>".to_owned()),
        key("retrievalmethod-loop", refused, |_| "<ds:RetrievalMethod Id=\"_loop\" URI=\"#_loop\"/>".to_owned()),
        key("agreementmethod", refused, |_| "<xenc:AgreementMethod Algorithm=\"urn:x\"/>".to_owned()),
        // It points somewhere, but the key is there.
        key("retrievalmethod-beside", Verdict::Genuine, |key| {
            format!("<ds:RetrievalMethod URI=\"{{canary}}/key\"/>{key}")
        }),
        key("another-recipients-key-beside", Verdict::Genuine, |key| {
            let other = key.replace("<xenc:CipherValue>", "<xenc:CipherValue>AAAA");
            format!("{other}{key}")
        }),
    ]
}

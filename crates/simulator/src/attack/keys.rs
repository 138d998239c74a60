//! Signatures by the wrong key or the wrong algorithm, and key information that recommends them.

use anyhow::Context;
use base64::{Engine, engine::general_purpose::STANDARD};

use super::{ASSERTION, Attack, Class, SIGNATURE, Verdict, edit, encode, sign, with_template};
use crate::idp::{
    keys::{IdpKey, sign_by_secret},
    response::Sign,
};

const RSA_SHA256: &str = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256";
const SHA256: &str = "http://www.w3.org/2001/04/xmlenc#sha256";
const RSA_SHA1: &str = "http://www.w3.org/2000/09/xmldsig#rsa-sha1";
const SHA1: &str = "http://www.w3.org/2000/09/xmldsig#sha1";
const HMAC_SHA1: &str = "http://www.w3.org/2000/09/xmldsig#hmac-sha1";
const HMAC_SHA256: &str = "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256";

/// A certificate with an RSA key of 1024 bits. No key of that length signs here: the library has none so short.
pub const SHORT: &str = "\
    MIIB/DCCAWWgAwIBAgIUTTilUz1wQM3z9LHWbeCikNo1oA0wDQYJKoZIhvcNAQELBQAwEDEOMAwGA1UEAwwFc2hvcnQwHhcNMjYx\
    MTIzMDMxOTA4WhcNMzYxMTIwMDMxOTA4WjAQMQ4wDAYDVQQDDAVzaG9ydDCBnzANBgkqhkiG9w0BAQEFAAOBjQAwgYkCgYEA0Ai0\
    uLm8BygRclIAPBY/GXD3v9827Zg7cSFrbHp1Aj9PItDGdBEmk/EQCAg2KrOZFoH8ZMWePZyqNnDeK4ovh1RuUYg+qDyrEhm1voGj\
    ya/OmXsc+24knRRyHQ+D25kbKQElwmUjBubK7d30fCjybjsm0mMPzG0OZEcu3dBUf5ECAwEAAaNTMFEwHQYDVR0OBBYEFN1+8zg0\
    3vQsMdHuvg9budzL+a3yMB8GA1UdIwQYMBaAFN1+8zg03vQsMdHuvg9budzL+a3yMA8GA1UdEwEB/wQFMAMBAf8wDQYJKoZIhvcN\
    AQELBQADgYEAWR4vE7Eqfji6cDylqFdFUc0RhdlWayX5t2YDudBn2PdsClwF3vI/5hY72wW/lZ9Pxdgy5PacHq9vjU65HM84/y8H\
    hY61MTbr3P9/9O4eAko68aGzfwkZfB9hmm9K1hHWs4pltz4ZCcUCQ5gOQIdeek2N1qZHk0A882cfUHoKIMc=";

pub(super) fn attacks() -> Vec<Attack> {
    let mut attacks = Vec::new();
    for sign in [Sign::Assertion, Sign::Response, Sign::Both] {
        attacks.extend(strangers(sign));
    }
    attacks.extend(recommended());
    attacks.extend(secrets());
    attacks.extend(truncated());
    attacks.extend(weak());
    attacks.extend(renamed());
    attacks
}

fn strangers(style: Sign) -> Vec<Attack> {
    let class = Class::of("keys", style);
    // With two signatures the outer one covers what the inner one says of its key.
    let reworded = if style == Sign::Both { 504 } else { 505 };
    vec![
        class.field("cert-faking-same-dn", 505, move |m| Ok(encode(&sign(&m.unsigned()?, style, m.stranger)?))),
        class.field("cert-faking-same-serial", 505, move |m| Ok(encode(&sign(&m.unsigned()?, style, m.imitator)?))),
        class.field("evil-by-a-stranger", 505, move |m| {
            let evil = edit::replace(&m.unsigned()?, &m.honest.name_id, m.victim)?;
            Ok(encode(&sign(&evil, style, m.stranger)?))
        }),
        class.field("genuine-certificate-with-a-strangers-key", reworded, move |m| {
            let xml = sign(&m.unsigned()?, style, m.stranger)?;
            Ok(encode(&edit::replace(&xml, &m.stranger.certificate_base64(), &m.idp.certificate_base64())?))
        }),
        class.field("no-keyinfo", reworded, move |m| {
            let mut xml = sign(&m.unsigned()?, style, m.stranger)?;
            while xml.contains("<ds:KeyInfo>") {
                xml = edit::cut(&xml, "<ds:KeyInfo>", "</ds:KeyInfo>")?;
            }
            Ok(encode(&xml))
        }),
    ]
}

/// Key information that names the stranger's key in every way there is.
fn recommended() -> Vec<Attack> {
    let class = Class::of("keys", Sign::Assertion);
    let by_stranger = |name: &str, key_info: fn(&IdpKey, &IdpKey) -> anyhow::Result<String>| {
        class.field(name, 505, move |material| {
            let xml = sign(&material.unsigned()?, Sign::Assertion, material.stranger)?;
            let own = edit::piece(&xml, "<ds:KeyInfo>", "</ds:KeyInfo>")?;
            let other = format!("<ds:KeyInfo>{}</ds:KeyInfo>", key_info(material.stranger, material.idp)?);
            Ok(encode(&edit::replace_first(&xml, own, &other)?))
        })
    };
    vec![
        by_stranger("keyvalue", |stranger, _| {
            Ok(format!(
                "<ds:KeyValue><ds:RSAKeyValue><ds:Modulus>{}</ds:Modulus><ds:Exponent>AQAB</ds:Exponent></ds:RSAKeyValue>\
                 </ds:KeyValue>",
                STANDARD.encode(modulus(stranger)?)
            ))
        }),
        by_stranger("two-certificates", |stranger, idp| Ok(data(&[stranger, idp]))),
        by_stranger("two-certificates-genuine-first", |stranger, idp| Ok(data(&[idp, stranger]))),
        by_stranger("two-x509data", |stranger, idp| Ok(data(&[idp]) + &data(&[stranger]))),
        by_stranger("genuine-issuer-and-serial", |stranger, _| {
            let name = "<ds:X509IssuerSerial><ds:X509IssuerName>CN=Gatehouse simulator</ds:X509IssuerName>\
                        <ds:X509SerialNumber>1</ds:X509SerialNumber></ds:X509IssuerSerial>";
            Ok(format!("<ds:X509Data>{name}</ds:X509Data>{}", data(&[stranger])))
        }),
        by_stranger("certificate-in-another-namespace", |stranger, idp| {
            Ok(format!("<x:X509Data xmlns:x=\"urn:x\">{}</x:X509Data>{}", data(&[stranger]), data(&[idp])))
        }),
        class.field("a-strangers-certificate-beside-a-good-signature", Verdict::Genuine, |material| {
            let xml = sign(&material.unsigned()?, Sign::Assertion, material.idp)?;
            let own = material.idp.certificate_base64();
            Ok(encode(&edit::replace(&xml, &own, &material.stranger.certificate_base64())?))
        }),
        class.field("a-stranger-inside", 505, |material| both(material, material.stranger, material.idp)),
        class.field("a-stranger-outside", 505, |material| both(material, material.idp, material.stranger)),
    ]
}

fn both(material: &super::Material<'_>, inner: &IdpKey, outer: &IdpKey) -> anyhow::Result<String> {
    let xml = sign(&material.unsigned()?, Sign::Assertion, inner)?;
    Ok(encode(&sign(&xml, Sign::Response, outer)?))
}

fn data(keys: &[&IdpKey]) -> String {
    let certificate = |key: &&IdpKey| format!("<ds:X509Certificate>{}</ds:X509Certificate>", key.certificate_base64());
    format!("<ds:X509Data>{}</ds:X509Data>", keys.iter().map(certificate).collect::<String>())
}

/// What is public about a key of 2048 bits.
fn modulus(key: &IdpKey) -> anyhow::Result<Vec<u8>> {
    let (der, at) = key_at(key)?;
    Ok(der.get(at..at + 256).context("the key is cut off")?.to_vec())
}

/// SubjectPublicKeyInfo: what an attacker may take for "the public key" (RFC 5280 4.1).
fn public_key_info(key: &IdpKey) -> anyhow::Result<Vec<u8>> {
    const HEAD: usize = 33;
    const LENGTH: usize = 294;
    let (der, at) = key_at(key)?;
    let from = at.checked_sub(HEAD).context("the key has no head")?;
    Ok(der.get(from..from + LENGTH).context("the key is cut off")?.to_vec())
}

/// Where the modulus begins: behind the head of an INTEGER of 257 bytes, of which the first is zero.
fn key_at(key: &IdpKey) -> anyhow::Result<(Vec<u8>, usize)> {
    const HEAD: [u8; 5] = [2, 0x82, 1, 1, 0];
    let der = key.certificate_der()?;
    let at = der.windows(HEAD.len()).position(|bytes| bytes == HEAD).context("no RSA key of 2048 bits")?;
    Ok((der, at + HEAD.len()))
}

type Secret = fn(&IdpKey) -> anyhow::Result<Vec<u8>>;

/// A signature that everybody can make who knows the certificate, if the verifier takes it for a shared secret.
fn secrets() -> Vec<Attack> {
    let class = Class::of("hmac", Sign::Assertion);
    let secrets: [(&str, Secret); 6] = [
        ("certificate", |idp| idp.certificate_der()),
        ("certificate-base64", |idp| Ok(idp.certificate_base64().into_bytes())),
        ("certificate-pem", |idp| Ok(idp.certificate_pem().as_bytes().to_vec())),
        ("spki", public_key_info),
        ("modulus", modulus),
        // RFC 2104: a key is filled up with zeros, so that this one is the empty one.
        ("empty", |_| Ok(vec![0])),
    ];
    let mut attacks = Vec::new();
    for (algorithm, uri) in [("sha1", HMAC_SHA1), ("sha256", HMAC_SHA256)] {
        for (name, secret) in secrets {
            attacks.push(class.field(format!("hmac-{algorithm}-{name}"), 417, move |material| {
                let evil = edit::replace(&material.unsigned()?, &material.honest.name_id, material.victim)?;
                let template = |template: String| edit::replace(&template, RSA_SHA256, uri);
                let xml = with_template(&evil, ASSERTION.0, material.idp, template)?;
                Ok(encode(&sign_by_secret(&secret(material.idp)?, xml)?))
            }));
        }
    }
    attacks
}

/// CVE-2009-0217: of the value only so many bits count.
fn truncated() -> Vec<Attack> {
    let class = Class::of("hmac", Sign::Assertion);
    let attack = |name: &str, code: u16, uri: &'static str, bits: u8| {
        class.tampered(name, code, move |xml, _| {
            let method = format!("<ds:SignatureMethod Algorithm=\"{RSA_SHA256}\"/>");
            let length = format!("<ds:HMACOutputLength>{bits}</ds:HMACOutputLength>");
            let short = format!("<ds:SignatureMethod Algorithm=\"{uri}\">{length}</ds:SignatureMethod>");
            let value = edit::piece(xml, "<ds:SignatureValue>", "</ds:SignatureValue>")?;
            let xml = edit::replace_first(xml, value, "<ds:SignatureValue>AA==</ds:SignatureValue>")?;
            edit::replace(&xml, &method, &short)
        })
    };
    vec![
        attack("hmac-truncated-to-0", 417, HMAC_SHA256, 0),
        attack("hmac-truncated-to-8", 417, HMAC_SHA256, 8),
        attack("hmac-sha1-truncated-to-8", 417, HMAC_SHA1, 8),
        attack("rsa-truncated-to-0", 411, RSA_SHA256, 0),
    ]
}

/// Signed by the identity provider, but by algorithms that are not to be trusted any more.
fn weak() -> Vec<Attack> {
    let class = Class::of("algorithms", Sign::Assertion);
    let by_idp = |name: &str, code: u16, changes: &'static [(&'static str, &'static str)]| {
        class.field(name, code, move |material| {
            let change = |template: String| {
                changes.iter().try_fold(template, |template, (from, to)| edit::replace(&template, from, to))
            };
            let xml = with_template(&material.unsigned()?, ASSERTION.0, material.idp, change)?;
            Ok(encode(&material.idp.sign(xml)?))
        })
    };
    vec![
        by_idp("sha1-digest", 419, &[(SHA256, SHA1)]),
        by_idp("pss", 417, &[(RSA_SHA256, "http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1")]),
        // The library makes no signatures with SHA-1 any more, so that only the name is wrong.
        class.tampered("rsa-sha1", 419, |xml, _| edit::replace(xml, RSA_SHA256, RSA_SHA1)),
        class.tampered("rsa-sha1-and-sha1-digest", 419, |xml, _| {
            edit::replace(&edit::replace(xml, RSA_SHA256, RSA_SHA1)?, SHA256, SHA1)
        }),
        class.field("mixed", 419, |material| {
            // The response by SHA-256, the assertion in it by SHA-1.
            let inner = sign(&material.unsigned()?, Sign::Assertion, material.idp)?;
            let inner = edit::replace(&inner, RSA_SHA256, RSA_SHA1)?;
            Ok(encode(&sign(&inner, Sign::Response, material.idp)?))
        }),
        class.tampered("rsa-1024", 505, |xml, material| {
            let value = edit::piece(xml, "<ds:SignatureValue>", "</ds:SignatureValue>")?;
            let short = format!("<ds:SignatureValue>{}</ds:SignatureValue>", STANDARD.encode([1; 128]));
            let xml = edit::replace_first(xml, value, &short)?;
            edit::replace(&xml, &material.idp.certificate_base64(), SHORT)
        }),
    ]
}

/// The algorithm is renamed on the way. Whatever follows from the new name, it is not what was signed.
fn renamed() -> Vec<Attack> {
    let class = Class::of("algorithms", Sign::Assertion);
    let methods = [
        ("rsa-md5", 417, "http://www.w3.org/2001/04/xmldsig-more#rsa-md5"),
        ("rsa-ripemd160", 417, "http://www.w3.org/2001/04/xmldsig-more#rsa-ripemd160"),
        ("dsa-sha1", 417, "http://www.w3.org/2000/09/xmldsig#dsa-sha1"),
        ("hmac-md5", 417, "http://www.w3.org/2001/04/xmldsig-more#hmac-md5"),
        ("none", 417, "none"),
        ("empty", 417, ""),
        ("unknown", 417, "urn:unknown"),
        ("upper-case", 417, "http://www.w3.org/2001/04/xmldsig-more#RSA-SHA256"),
        ("ecdsa", 503, "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"),
        ("rsa-sha512", 505, "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512"),
    ];
    let digests = [
        ("md5-digest", 418, "http://www.w3.org/2001/04/xmldsig-more#md5"),
        ("ripemd160-digest", 418, "http://www.w3.org/2001/04/xmlenc#ripemd160"),
        ("none-digest", 418, "none"),
        ("empty-digest", 418, ""),
        ("sha512-digest", 504, "http://www.w3.org/2001/04/xmlenc#sha512"),
    ];
    let renamed = |from: &'static str| {
        move |(name, code, to): (&str, u16, &'static str)| {
            class.tampered(name, code, move |xml, _| {
                let signature = edit::piece(xml, SIGNATURE.0, SIGNATURE.1)?;
                edit::replace_first(xml, signature, &edit::replace(signature, from, to)?)
            })
        }
    };
    let methods = methods.into_iter().map(renamed(RSA_SHA256));
    let mut attacks: Vec<Attack> = methods.chain(digests.into_iter().map(renamed(SHA256))).collect();
    attacks
        .push(class.tampered("no-algorithm", 411, |xml, _| edit::set(xml, "<ds:SignatureMethod ", "Algorithm", None)));
    attacks
}

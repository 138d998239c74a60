//! What is encrypted for this connection is opened, whatever the style; and nobody learns anything from a refusal.

use super::kit::{STYLES, Style, attribute, cut, edit, idp, part, rsa, sign, signed, stranger};
use crate::code::{Code, Rejection};
use crate::decryption::DecryptionKey;
use crate::response::{Expected, VerifiedAssertion, verify};
use crate::self_test::forge::{self, ASSERTION_ID, NAME_ID, NOW};
use aws_lc_rs::aead::{AES_128_GCM, AES_192_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::cipher::{AES_128, AES_192, AES_256, EncryptingKey, EncryptionContext, UnboundCipherKey};
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use openssl::encrypt::Encrypter;
use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::rsa::Padding;
use std::sync::OnceLock;
use time::Duration;

const XMLENC: &str = "http://www.w3.org/2001/04/xmlenc#";
const XMLENC11: &str = "http://www.w3.org/2009/xmlenc11#";
const CIPHERS: [&str; 6] = ["aes128-cbc", "aes192-cbc", "aes256-cbc", "aes128-gcm", "aes192-gcm", "aes256-gcm"];

/// Where the EncryptedKey stands.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Place {
    Inside,
    Beside,
    /// Beside, and pointed at.
    Retrieved,
}

const PLACES: [Place; 3] = [Place::Inside, Place::Beside, Place::Retrieved];

/// RSA-OAEP with its parameters as they are written.
#[derive(Clone, Copy)]
struct Transport {
    digest: fn() -> MessageDigest,
    mask: fn() -> MessageDigest,
    method: &'static str,
}

const MGF1P: Transport = Transport {
    digest: MessageDigest::sha1,
    mask: MessageDigest::sha1,
    method: "<e:EncryptionMethod Algorithm=\"http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p\"/>",
};
const SHA256: Transport = Transport {
    digest: MessageDigest::sha256,
    mask: MessageDigest::sha256,
    method: "<e:EncryptionMethod Algorithm=\"http://www.w3.org/2009/xmlenc11#rsa-oaep\"><ds:DigestMethod \
             Algorithm=\"http://www.w3.org/2001/04/xmlenc#sha256\"/><m:MGF xmlns:m=\"http://www.w3.org/2009/xmlenc11#\" \
             Algorithm=\"http://www.w3.org/2009/xmlenc11#mgf1sha256\"/></e:EncryptionMethod>",
};
const SHA512: Transport = Transport {
    digest: MessageDigest::sha512,
    mask: MessageDigest::sha512,
    method: "<e:EncryptionMethod Algorithm=\"http://www.w3.org/2009/xmlenc11#rsa-oaep\"><ds:DigestMethod \
             Algorithm=\"http://www.w3.org/2001/04/xmlenc#sha512\"/><m:MGF xmlns:m=\"http://www.w3.org/2009/xmlenc11#\" \
             Algorithm=\"http://www.w3.org/2009/xmlenc11#mgf1sha512\"/></e:EncryptionMethod>",
};
/// As Keycloak sends it: XML encryption 1.0 has no word for the mask, which is SHA-1 whatever the digest.
const SHA256_MGF1P: Transport = Transport {
    digest: MessageDigest::sha256,
    mask: MessageDigest::sha1,
    method: "<e:EncryptionMethod Algorithm=\"http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p\"><ds:DigestMethod \
             Algorithm=\"http://www.w3.org/2001/04/xmlenc#sha256\"/></e:EncryptionMethod>",
};
const SHA1_MGF256: Transport = Transport {
    digest: MessageDigest::sha1,
    mask: MessageDigest::sha256,
    method: "<e:EncryptionMethod Algorithm=\"http://www.w3.org/2009/xmlenc11#rsa-oaep\"><m:MGF \
             xmlns:m=\"http://www.w3.org/2009/xmlenc11#\" Algorithm=\"http://www.w3.org/2009/xmlenc11#mgf1sha256\"/>\
             </e:EncryptionMethod>",
};

/// PKCS#8 of a key, made once for each number.
fn pkcs8(number: usize) -> &'static [u8] {
    static KEYS: [OnceLock<Vec<u8>>; 2] = [OnceLock::new(), OnceLock::new()];
    KEYS[number].get_or_init(|| {
        let pair = rcgen::KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048).expect("key");
        pair.serialized_der().to_vec()
    })
}

fn ours() -> DecryptionKey {
    DecryptionKey::from_pkcs8(pkcs8(0).to_vec())
}

fn another() -> DecryptionKey {
    DecryptionKey::from_pkcs8(pkcs8(1).to_vec())
}

/// A key that fits the cipher.
fn content_key(cipher: &str) -> Vec<u8> {
    let mut key = vec![0; cipher[3..6].parse::<usize>().expect("bits") / 8];
    rand::fill(&mut key).expect("entropy");
    key
}

fn carry(key: &[u8], transport: Transport) -> Vec<u8> {
    let public = PKey::private_key_from_pkcs8(pkcs8(0)).expect("key");
    let mut encrypter = Encrypter::new(&public).expect("encrypter");
    encrypter.set_rsa_padding(Padding::PKCS1_OAEP).expect("padding");
    encrypter.set_rsa_oaep_md((transport.digest)()).expect("digest");
    encrypter.set_rsa_mgf1_md((transport.mask)()).expect("mask");
    let mut sealed = vec![0; encrypter.encrypt_len(key).expect("length")];
    let length = encrypter.encrypt(key, &mut sealed).expect("encrypt");
    sealed.truncate(length);
    sealed
}

fn encrypt(cipher: &str, key: &[u8], text: &[u8]) -> Vec<u8> {
    if cipher.ends_with("gcm") {
        let algorithm = match key.len() {
            16 => &AES_128_GCM,
            24 => &AES_192_GCM,
            _ => &AES_256_GCM,
        };
        let key = LessSafeKey::new(UnboundKey::new(algorithm, key).expect("key"));
        let mut sealed = text.to_vec();
        key.seal_in_place_append_tag(Nonce::assume_unique_for_key([7; 12]), Aad::empty(), &mut sealed).expect("seal");
        return [&[7; 12][..], &sealed].concat();
    }
    let mut padded = text.to_vec();
    let padding = 16 - padded.len() % 16;
    // What the other bytes of the padding are is nobody's business.
    padded.resize(padded.len() + padding, 0xa5);
    *padded.last_mut().expect("padding") = u8::try_from(padding).expect("padding");
    cbc(key, &mut padded);
    [&[9; 16][..], &padded].concat()
}

fn cbc(key: &[u8], blocks: &mut [u8]) {
    let algorithm = match key.len() {
        16 => &AES_128,
        24 => &AES_192,
        _ => &AES_256,
    };
    let key = EncryptingKey::cbc(UnboundCipherKey::new(algorithm, key).expect("key")).expect("key");
    key.less_safe_encrypt(blocks, EncryptionContext::Iv128(FixedLength::from([9; 16]))).expect("encrypt");
}

/// The EncryptedData of a content, with a key in its place.
fn data(cipher: &str, place: Place, method: &str, carried: &[u8], content: &[u8]) -> String {
    let namespace = if cipher.ends_with("gcm") { XMLENC11 } else { XMLENC };
    let key = format!(
        "<e:EncryptedKey xmlns:e=\"{XMLENC}\" xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\" Id=\"_key\">{method}\
         <e:CipherData><e:CipherValue>{}</e:CipherValue></e:CipherData></e:EncryptedKey>",
        STANDARD.encode(carried)
    );
    let (inside, beside) = match place {
        Place::Inside => (format!("<ds:KeyInfo>{key}</ds:KeyInfo>"), String::new()),
        Place::Beside => (String::new(), key),
        Place::Retrieved => {
            let kind = format!("{XMLENC}EncryptedKey");
            (format!("<ds:KeyInfo><ds:RetrievalMethod Type=\"{kind}\" URI=\"#_key\"/></ds:KeyInfo>"), key)
        }
    };
    format!(
        "<e:EncryptedData xmlns:e=\"{XMLENC}\" xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\" \
         Type=\"{XMLENC}Element\"><e:EncryptionMethod Algorithm=\"{namespace}{cipher}\"/>{inside}<e:CipherData>\
         <e:CipherValue>{}</e:CipherValue></e:CipherData></e:EncryptedData>{beside}",
        STANDARD.encode(content)
    )
}

/// A text encrypted for us.
fn sealed(text: &str, cipher: &str, place: Place, transport: Transport) -> String {
    let key = content_key(cipher);
    data(cipher, place, transport.method, &carry(&key, transport), &encrypt(cipher, &key, text.as_bytes()))
}

fn assertion_of(xml: &str) -> String {
    part(xml, "<saml:Assertion", "</saml:Assertion>").to_owned()
}

/// Puts that in the place of the assertion.
fn instead(xml: &str, content: &str) -> String {
    xml.replace(&assertion_of(xml), &format!("<saml:EncryptedAssertion>{content}</saml:EncryptedAssertion>"))
}

/// An honest response, signed in that style and then encrypted for us.
fn response(style: Style, cipher: &str, place: Place, transport: Transport) -> String {
    let inner = match style {
        Style::Response => forge::response(),
        Style::Assertion | Style::Both => signed(Style::Assertion),
    };
    let xml = instead(&inner, &sealed(&assertion_of(&inner), cipher, place, transport));
    if style == Style::Assertion { xml } else { sign(&xml, Style::Response, rsa()) }
}

fn judge(xml: &str, keys: &[DecryptionKey]) -> Result<VerifiedAssertion, Rejection> {
    let (sp, idp) = (forge::service_provider(), idp());
    let skew = Duration::minutes(3);
    let expected = Expected { sp: &sp, idp: &idp, now: NOW, skew, allow_sha1: false, decryption_keys: keys };
    verify(&forge::encode(xml), &expected)
}

fn refusal(xml: &str) -> Rejection {
    judge(xml, &[ours()]).expect_err("refused")
}

#[test]
fn every_cipher_transport_place_and_style_is_opened() {
    for style in STYLES {
        for cipher in CIPHERS {
            for place in PLACES {
                for transport in [MGF1P, SHA256, SHA512, SHA256_MGF1P, SHA1_MGF256] {
                    let xml = response(style, cipher, place, transport);
                    let accepted = judge(&xml, &[ours()]);
                    let accepted = accepted.unwrap_or_else(|refused| panic!("{style:?} {cipher} {place:?}: {refused}"));
                    assert_eq!(accepted.name_id().value, NAME_ID);
                    assert_eq!(attribute(&accepted, "email"), Some(NAME_ID));
                }
            }
        }
    }
}

#[test]
fn an_older_key_opens_while_a_newer_one_is_there() {
    let xml = response(Style::Both, "aes256-gcm", Place::Inside, MGF1P);
    judge(&xml, &[another(), ours()]).expect("opened by the second key");
    assert_eq!(judge(&xml, &[another()]).expect_err("refused").code, Code::Undecryptable);
    assert_eq!(judge(&xml, &[]).expect_err("refused").code, Code::DecryptionKeyMissing);
}

#[test]
fn an_encrypted_name_is_opened() {
    for style in STYLES {
        let xml = forge::response();
        let name = part(&xml, "<saml:NameID", "</saml:NameID>");
        // The prefix is declared around it only.
        let encrypted =
            format!("<saml:EncryptedID>{}</saml:EncryptedID>", sealed(name, "aes128-cbc", Place::Inside, MGF1P));
        let xml = sign(&xml.replace(name, &encrypted), style, rsa());
        assert_eq!(judge(&xml, &[ours()]).expect("opened").name_id().value, NAME_ID);
        assert_eq!(judge(&xml, &[another()]).expect_err("refused").code, Code::Undecryptable);
    }
}

/// Nobody signed the ciphertext, so it may be anybody's.
#[test]
fn what_is_wrong_inside_an_unsigned_response_is_told_to_nobody() {
    let honest = signed(Style::Assertion);
    let assertion = assertion_of(&honest);
    let unsigned = assertion_of(&forge::response());
    let evil = unsigned.replace(NAME_ID, "eve@acme.test").replace(ASSERTION_ID, "_evil");
    let old = edit(&assertion, "2001/04/xmldsig-more#rsa-sha256", "2000/09/xmldsig#rsa-sha1");
    // What is inside, and what the admin is told where the identity provider signed the ciphertext.
    let cases = [
        ("not signed", unsigned.clone(), None),
        (
            "by a stranger",
            assertion_of(&sign(&forge::response(), Style::Assertion, stranger())),
            Some(Code::SignatureMismatch),
        ),
        ("changed", edit(&assertion, NAME_ID, "eve@acme.test"), Some(Code::DigestMismatch)),
        ("one in front", format!("{evil}{assertion}"), Some(Code::AssertionMissing)),
        ("one behind", format!("{assertion}{evil}"), Some(Code::AssertionMissing)),
        ("the same twice", assertion.repeat(2), Some(Code::IdRepeated)),
        ("a whole response", honest.clone(), Some(Code::Misplaced)),
        ("a name", part(&honest, "<saml:NameID", "</saml:NameID>").to_owned(), Some(Code::AssertionMissing)),
        ("text around it", format!("{assertion}x"), Some(Code::AssertionContent)),
        ("no markup", "hello".to_owned(), Some(Code::Undecryptable)),
        ("nothing", String::new(), Some(Code::Undecryptable)),
        ("a document type", format!("<!DOCTYPE x>{assertion}"), Some(Code::Undecryptable)),
        ("the end of our root", format!("</opened>{assertion}<opened>"), Some(Code::Undecryptable)),
        ("an undeclared prefix", "<x:Assertion/>".to_owned(), Some(Code::Malformed)),
        ("SHA-1", old, Some(Code::Sha1Refused)),
        ("a comment in the name", edit(&assertion, NAME_ID, "ann<!---->@acme.test"), Some(Code::CommentInText)),
    ];
    for cipher in ["aes256-cbc", "aes256-gcm"] {
        judge(&instead(&honest, &sealed(&assertion, cipher, Place::Inside, MGF1P)), &[ours()]).expect("control");
        for (case, text, covered) in &cases {
            let xml = instead(&honest, &sealed(text, cipher, Place::Inside, MGF1P));
            assert_eq!(refusal(&xml), Rejection::new(Code::Undecryptable), "{cipher}: {case}");
            let told = judge(&sign(&xml, Style::Response, rsa()), &[ours()]).err().map(|refused| refused.code);
            assert_eq!(told, *covered, "{cipher}: {case}");
        }
    }
}

/// The canonical form of a response leaves out what only the ciphertext needs.
#[test]
fn an_assertion_may_use_prefixes_of_the_response_around_it() {
    let schemas =
        " xmlns:xs=\"http://www.w3.org/2001/XMLSchema\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"";
    let bare = edit(&forge::response(), schemas, "");
    let around = edit(&bare, "<samlp:Response", &format!("<samlp:Response{schemas}"));
    for style in STYLES {
        // Signed where the prefixes are declared, as by whoever takes the assertion out of the response as it stands.
        let signs_inside = style != Style::Response;
        let inner = if signs_inside { sign(&around, Style::Assertion, rsa()) } else { around.clone() };
        assert!(!assertion_of(&inner).contains("xmlns:xs"));
        let xml = instead(&inner, &sealed(&assertion_of(&inner), "aes256-gcm", Place::Inside, MGF1P));
        let xml = if style == Style::Assertion { xml } else { sign(&xml, Style::Response, rsa()) };
        let accepted = judge(&xml, &[ours()]).unwrap_or_else(|refused| panic!("{style:?}: {refused}"));
        assert_eq!(attribute(&accepted, "email"), Some(NAME_ID));
    }
}

/// What a stranger writes around a ciphertext is not taken for the identity provider's word.
#[test]
fn nothing_of_an_unsigned_response_is_proven_before_the_assertion_is() {
    let honest = signed(Style::Assertion);
    let xml = instead(&honest, &sealed("<x/>", "aes256-gcm", Place::Inside, MGF1P));
    let failed = edit(&xml, "status:Success", "status:Responder");
    let comment = edit(&xml, forge::ISSUER, &format!("{}<!---->", forge::ISSUER));
    for xml in [xml, failed, comment] {
        assert_eq!(refusal(&xml), Rejection::new(Code::Undecryptable));
    }
    let xml = instead(&honest, &sealed(&assertion_of(&honest), "aes256-gcm", Place::Inside, MGF1P));
    let refused = refusal(&edit(&xml, "status:Success", "status:Responder"));
    assert!(refused.is_proven && refused.code == Code::StatusNotSuccess);
}

/// Anybody may send keys; each costs an operation with ours.
#[test]
fn only_so_many_keys_are_tried() {
    let xml = response(Style::Both, "aes256-gcm", Place::Inside, MGF1P);
    let behind = |others: usize| -> Vec<_> { (0..others).map(|_| another()).chain([ours()]).collect() };
    judge(&xml, &behind(7)).expect("the eighth");
    let refused = judge(&xml, &behind(8)).expect_err("refused");
    assert_eq!(refused.code, Code::Undecryptable);
}

/// The padding oracle, the wrong tag, the cut ciphertext: one and the same answer.
#[test]
fn every_damage_of_a_ciphertext_has_the_same_answer() {
    let honest = signed(Style::Assertion);
    let text = assertion_of(&honest);
    for cipher in CIPHERS {
        let key = content_key(cipher);
        let (content, carried) = (encrypt(cipher, &key, text.as_bytes()), carry(&key, MGF1P));
        let judged = |carried: &[u8], content: &[u8]| {
            let xml = instead(&honest, &data(cipher, Place::Inside, MGF1P.method, carried, content));
            judge(&xml, &[ours()])
        };
        judged(&carried, &content).expect("control");
        let flipped = |bytes: &[u8], at: usize| {
            let mut bytes = bytes.to_vec();
            bytes[at] ^= 1;
            bytes
        };
        let mut damaged: Vec<(Vec<u8>, Vec<u8>)> =
            (0..=28).map(|length| (carried.clone(), content[..length].to_vec())).collect();
        for at in [0, 15, 16, content.len() / 2, content.len() - 33, content.len() - 17, content.len() - 1] {
            damaged.push((carried.clone(), flipped(&content, at)));
        }
        damaged.push((flipped(&carried, 100), content.clone()));
        damaged.push((carried[..100].to_vec(), content.clone()));
        damaged.push((vec![0; 256], content.clone()));
        damaged.push((vec![0xff; 256], content.clone()));
        damaged.push((carry(&key[1..], MGF1P), content.clone()));
        damaged.push((carry(&content_key(cipher), MGF1P), content.clone()));
        // Encrypted twice, and padding of every kind.
        damaged.push((carried.clone(), encrypt(cipher, &key, &content)));
        for padding in [0, 1, 16, 17, 255] {
            let mut blocks = [text.as_bytes(), &vec![b' '; 16 - text.len() % 16], &[padding; 16]].concat();
            cbc(&key, &mut blocks);
            if padding != 16 {
                damaged.push((carried.clone(), [&[9; 16][..], &blocks].concat()));
            }
        }
        for (number, (carried, content)) in damaged.iter().enumerate() {
            let refused = judged(carried, content).expect_err("refused");
            assert_eq!(refused, Rejection::new(Code::Undecryptable), "{cipher} {number}");
        }
    }
}

#[test]
fn what_stands_in_clear_is_refused_for_what_it_is() {
    let xml = response(Style::Assertion, "aes256-gcm", Place::Inside, MGF1P);
    judge(&xml, &[ours()]).expect("control");
    let value = part(&xml, "<e:CipherValue>", "</e:CipherValue>");
    let key = part(&xml, "<e:EncryptedKey", "</e:EncryptedKey>");
    let reference = "<e:CipherReference URI=\"http://127.0.0.1:9/\"/>";
    let (content, algorithm) = (Code::EncryptionContent, Code::EncryptionAlgorithm);
    let aes = "http://www.w3.org/2009/xmlenc11#aes256-gcm";
    let oaep = "http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p";
    let cases = [
        ("a reference", edit(&xml, value, reference), content),
        ("no key", cut(&xml, "<e:EncryptedKey", "</e:EncryptedKey>"), content),
        ("2,000 keys", edit(&xml, key, &"<e:EncryptedKey/>".repeat(2_000)), content),
        ("five keys", edit(&xml, key, &key.replace(" Id=\"_key\"", "").repeat(5)), content),
        ("content only", edit(&xml, "xmlenc#Element\"", "xmlenc#Content\""), content),
        ("damaged base64", edit(&xml, "<e:CipherValue>", "<e:CipherValue>*"), content),
        ("two contents", edit(&xml, value, &value.repeat(2)), content),
        ("an unknown part", edit(&xml, "<e:CipherData>", "<e:Other/><e:CipherData>"), content),
        ("triple DES", edit(&xml, aes, "http://www.w3.org/2001/04/xmlenc#tripledes-cbc"), algorithm),
        ("no cipher", edit(&xml, aes, ""), algorithm),
        ("RSA 1.5", edit(&xml, oaep, "http://www.w3.org/2001/04/xmlenc#rsa-1_5"), algorithm),
        ("key wrap", edit(&xml, oaep, "http://www.w3.org/2001/04/xmlenc#kw-aes256"), algorithm),
        (
            "an assertion beside",
            edit(&xml, "<saml:EncryptedAssertion>", "<saml:EncryptedAssertion/><saml:EncryptedAssertion>"),
            Code::AssertionRepeated,
        ),
    ];
    for (case, xml, code) in cases {
        assert_eq!(refusal(&xml).code, code, "{case}");
    }
    let wrapped = edit(&xml, "<saml:EncryptedAssertion>", "<saml:Advice><saml:EncryptedAssertion>");
    let wrapped = edit(&wrapped, "</saml:EncryptedAssertion>", "</saml:EncryptedAssertion></saml:Advice>");
    assert_eq!(refusal(&wrapped).code, Code::Misplaced);
}

//! What comes out of a ciphertext that no signature covers is refused in one way, or is an assertion that the identity
//! provider signed.
#![no_main]

use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fuzz::saml::{NAME_ID, Stage};
use libfuzzer_sys::fuzz_target;
use saml::code::{Code, Rejection};
use saml::response::verify;
use std::sync::LazyLock;

/// Sixteen ones, sealed by RSA-OAEP for the fixture's key.
const CARRIED: &[u8] = include_bytes!("../fixtures/carried.key");

static STAGE: LazyLock<Stage> = LazyLock::new(Stage::new);

fuzz_target!(|plain: &[u8]| {
    // No seed has one.
    #[cfg(feature = "planted")]
    assert!(!plain.windows(7).any(|part| part == b"<?x y?>"), "the planted bug");
    match verify(&STANDARD.encode(response(plain)), &STAGE.expected()) {
        Ok(accepted) => assert_eq!(accepted.name_id().value, NAME_ID),
        Err(refused) if refused.is_proven => {}
        Err(refused) => assert_eq!(refused, Rejection::new(Code::Undecryptable)),
    }
});

fn response(plain: &[u8]) -> String {
    let key = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &[1; 16]).expect("a key"));
    let mut sealed = plain.to_vec();
    key.seal_in_place_append_tag(Nonce::assume_unique_for_key([7; 12]), Aad::empty(), &mut sealed).expect("sealed");
    let content = STANDARD.encode([&[7; 12][..], &sealed].concat());
    let carried = STANDARD.encode(CARRIED);
    format!(
        "<samlp:Response xmlns:samlp=\"urn:oasis:names:tc:SAML:2.0:protocol\" \
         xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\" ID=\"_response\" Version=\"2.0\" \
         IssueInstant=\"2026-01-31T12:00:00Z\" Destination=\"https://gate.test/c/one/saml/acs\" InResponseTo=\"_request\">\
         <saml:Issuer>http://idp.test/entity</saml:Issuer><samlp:Status><samlp:StatusCode \
         Value=\"urn:oasis:names:tc:SAML:2.0:status:Success\"/></samlp:Status><saml:EncryptedAssertion>\
         <e:EncryptedData xmlns:e=\"http://www.w3.org/2001/04/xmlenc#\" xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\" \
         Type=\"http://www.w3.org/2001/04/xmlenc#Element\"><e:EncryptionMethod \
         Algorithm=\"http://www.w3.org/2009/xmlenc11#aes128-gcm\"/><ds:KeyInfo><e:EncryptedKey><e:EncryptionMethod \
         Algorithm=\"http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p\"/><e:CipherData><e:CipherValue>{carried}\
         </e:CipherValue></e:CipherData></e:EncryptedKey></ds:KeyInfo><e:CipherData><e:CipherValue>{content}\
         </e:CipherValue></e:CipherData></e:EncryptedData></saml:EncryptedAssertion></samlp:Response>"
    )
}

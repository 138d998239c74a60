//! RSA-OAEP of another implementation: `oaep.json` was made by the JDK 17 (SunJCE), with every pair of hashes.

use crate::oaep::{Hash, Oaep, OaepKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

fn bytes(value: &Value) -> Vec<u8> {
    STANDARD.decode(value.as_str().expect("text")).expect("base64")
}

fn hash(value: &Value) -> Hash {
    Hash::named(value.as_str().expect("text")).expect("a hash")
}

#[test]
fn every_pair_of_hashes_is_opened_and_no_other_pair_opens_it() {
    let fixture: Value = serde_json::from_str(include_str!("oaep.json")).expect("json");
    let key = OaepKey::from_pkcs8(bytes(&fixture["pkcs8"]));
    let cases = fixture["cases"].as_array().expect("cases");
    assert_eq!(cases.len(), 16);
    for case in cases {
        let label = case["label"].as_str().filter(|label| !label.is_empty()).map(|label| label.as_bytes().to_vec());
        let oaep = Oaep { digest: hash(&case["digest"]), mask: hash(&case["mask"]), label };
        let sealed = bytes(&case["sealed"]);
        assert_eq!(key.open(&oaep, &sealed), Some(bytes(&case["key"])), "{oaep:?}");
        for (digest, mask) in [(oaep.mask, oaep.digest), (oaep.digest, Hash::Sha1), (Hash::Sha256, oaep.mask)] {
            let other = Oaep { digest, mask, label: oaep.label.clone() };
            assert!(other == oaep || key.open(&other, &sealed).is_none(), "{oaep:?} by {other:?}");
        }
        let labelled = Oaep { label: Some(b"other".to_vec()), ..oaep };
        assert_eq!(key.open(&labelled, &sealed), None);
        assert_eq!(key.open(&Oaep { label: None, ..labelled }, &sealed[1..]), None, "too short");
    }
}

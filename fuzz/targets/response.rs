//! A response is refused, or it is one that the identity provider signed, whatever was written around it. What is kept of
//! it for the administrator does not say who it is about.
#![no_main]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fuzz::saml::{NAME_ID, Stage};
use libfuzzer_sys::fuzz_target;
#[cfg(feature = "planted")]
use saml::code::Code;
use saml::response::verify;
use saml::trace::kept;
use std::sync::LazyLock;

static STAGE: LazyLock<Stage> = LazyLock::new(Stage::new);

fuzz_target!(|document: &[u8]| {
    let field = STANDARD.encode(document);
    let verdict = verify(&field, &STAGE.expected());
    // No seed has one.
    #[cfg(feature = "planted")]
    assert!(
        verdict.as_ref().err().is_none_or(|refused| refused.code != Code::ProcessingInstruction),
        "the planted bug"
    );
    if let Ok(accepted) = verdict {
        assert_eq!(accepted.name_id().value, NAME_ID);
        let kept = kept(&field, false).expect("what is accepted is XML");
        assert!(!kept.xml.contains(NAME_ID), "{}", kept.xml);
    } else {
        kept(&field, false);
    }
});

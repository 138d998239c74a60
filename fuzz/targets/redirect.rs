//! A message in a query is refused, or it is one that the identity provider signed, whatever was added to the query.
#![no_main]

use fuzz::saml::{NAME_ID, Stage};
use libfuzzer_sys::fuzz_target;
#[cfg(feature = "planted")]
use saml::code::Code;
use saml::logout::{Message, from_query};
use std::sync::LazyLock;

static STAGE: LazyLock<Stage> = LazyLock::new(Stage::new);

fuzz_target!(|query: &str| {
    let verdict = from_query(query, &STAGE.expected());
    // No seed says anything twice.
    #[cfg(feature = "planted")]
    assert!(verdict.as_ref().err().is_none_or(|refused| refused.code != Code::ParameterRepeated), "the planted bug");
    let Ok(received) = verdict else { return };
    match received.message {
        Message::Request(request) => {
            assert_eq!((request.id.as_str(), request.name_id.value.as_str()), ("_out", NAME_ID));
            assert_eq!(request.session_indexes, ["_one", "_two"]);
        }
        Message::Response(response) => assert!(response.in_response_to == "_ours" && response.is_complete),
    }
});

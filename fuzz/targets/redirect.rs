//! A message in a query is refused, or it is one that the identity provider signed, whatever was added to the query.
#![no_main]

use fuzz::saml::{NAME_ID, Stage};
use libfuzzer_sys::fuzz_target;
use saml::logout::{Message, from_query};
use std::sync::LazyLock;

static STAGE: LazyLock<Stage> = LazyLock::new(Stage::new);

fuzz_target!(|query: &str| {
    let Ok(received) = from_query(query, &STAGE.expected()) else { return };
    match received.message {
        Message::Request(request) => {
            assert_eq!((request.id.as_str(), request.name_id.value.as_str()), ("_out", NAME_ID));
            assert_eq!(request.session_indexes, ["_one", "_two"]);
        }
        Message::Response(response) => assert!(response.in_response_to == "_ours" && response.is_complete),
    }
});

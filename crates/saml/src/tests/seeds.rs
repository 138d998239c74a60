//! The seeds of `bin/fuzz` are accepted: so what it says of accepted messages is about something.

use crate::decryption::DecryptionKey;
use crate::idp::{IdentityProvider, LogoutService};
use crate::logout::from_query;
use crate::outgoing::Binding;
use crate::response::{Expected, verify};
use crate::self_test::forge::{self, ISSUER, NAME_ID, NOW};
use std::path::{Path, PathBuf};
use time::Duration;

fn files(folder: &str) -> Vec<PathBuf> {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("the repository").join("fuzz");
    let entries = std::fs::read_dir(fuzz.join(folder)).expect("a folder");
    entries.map(|entry| entry.expect("an entry").path()).collect()
}

fn fixture(name: &str) -> Vec<u8> {
    let path = files("fixtures").into_iter().find(|path| path.ends_with(name)).expect("a fixture");
    std::fs::read(path).expect("read")
}

#[test]
fn fuzzing_begins_from_messages_that_are_accepted() {
    let certificate = String::from_utf8(fixture("idp.crt")).expect("PEM");
    let provider = IdentityProvider::from_fields("https://idp.test/sso", ISSUER, &certificate).expect("idp");
    let slo = LogoutService::new("https://idp.test/slo", None, Binding::Redirect).expect("logout");
    let idp = IdentityProvider { slo: Some(slo), ..provider };
    let (sp, keys) = (forge::service_provider(), [DecryptionKey::from_pkcs8(fixture("sp.pk8"))]);
    let skew = Duration::minutes(3);
    let expected = Expected { sp: &sp, idp: &idp, now: NOW, skew, allow_sha1: false, decryption_keys: &keys };
    let (responses, queries) = (files("seeds/response"), files("seeds/redirect"));
    assert!(responses.len() >= 9 && queries.len() >= 3);
    for path in responses {
        let xml = std::fs::read_to_string(&path).expect("XML");
        let accepted = verify(&forge::encode(&xml), &expected).unwrap_or_else(|error| panic!("{path:?}: {error}"));
        assert_eq!(accepted.name_id().value, NAME_ID);
    }
    for path in queries {
        let query = std::fs::read_to_string(&path).expect("a query");
        from_query(&query, &expected).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    }
    for path in files("seeds/metadata") {
        IdentityProvider::from_metadata(&std::fs::read_to_string(&path).expect("XML")).expect("metadata");
    }
}

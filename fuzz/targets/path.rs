//! The path of a PATCH operation is refused with a sentence, or it prints what it reads, and both do the same.
#![no_main]

use libfuzzer_sys::{fuzz_mutator, fuzz_target};
use scim::error::ScimType;
use scim::patch::{self, Patch};
use scim::path::{AttributePath, Path};
use scim::schema::Catalogue;
use scim::user::UserDocument;
use serde_json::{Value, json};
use std::sync::LazyLock;

const MAX_BYTES: usize = 8192;

static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(|| Catalogue::new(&["ADMIN".to_owned()], &[]));
static ANN: LazyLock<UserDocument> = LazyLock::new(|| {
    let body = br#"{"userName":"ann","active":true,"title":"Dr","name":{"givenName":"Ann","familyName":"Lee"},
        "emails":[{"value":"ann@work.test","type":"work","primary":true},{"value":"ann@home.test","type":"home"}],
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"manager":{"value":"7"},"costCenter":"4"}}"#;
    UserDocument::parse(body, &CATALOGUE).unwrap().document
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    fuzz::change_text(data, size, max_size, seed)
});

fuzz_target!(|text: &str| {
    let path = match Path::parse(text) {
        Ok(path) => path,
        Err(error) => {
            assert_eq!(error.status, 400);
            assert!(matches!(error.scim_type, Some(ScimType::InvalidPath | ScimType::InvalidFilter)), "{error:?}");
            assert!(error.detail.len() < 1000 && !error.detail.contains(char::is_control), "{:?}", error.detail);
            return;
        }
    };
    assert!(text.trim().len() <= MAX_BYTES);
    let printed = path.to_string();
    if printed.len() > MAX_BYTES {
        return;
    }
    assert_eq!(Path::parse(&printed).expect("what is printed can be read"), path, "{printed}");
    if path.filter.is_none() {
        assert_eq!(AttributePath::parse(text.trim()).expect("a name without brackets"), path.attribute);
        assert_eq!(path.attribute.key(), path.attribute.key().to_ascii_lowercase());
    } else {
        assert!(!path.attribute.attribute.is_empty());
    }
    for operation in
        [json!({"op": "remove"}), json!({"op": "add", "value": "x"}), json!({"op": "replace", "value": "x"})]
    {
        assert_eq!(outcome(&operation, text), outcome(&operation, &printed), "{operation} at {printed}");
    }
});

/// The user after the operation at the path, or the kind of error.
fn outcome(operation: &Value, path: &str) -> Result<UserDocument, (u16, Option<ScimType>)> {
    let mut operation = operation.clone();
    operation["path"] = path.into();
    let body = json!({"Operations": [operation]}).to_string();
    let patched = Patch::parse(body.as_bytes()).and_then(|patch| patch::apply_to_user(&ANN, &patch, &CATALOGUE));
    patched.map(|written| written.document).map_err(|error| (error.status, error.scim_type))
}

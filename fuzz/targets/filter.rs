//! A filter is refused with a sentence, or it is within the limits, prints what it reads, and means what it says.
#![no_main]

use libfuzzer_sys::{fuzz_mutator, fuzz_target};
use scim::error::ScimType;
use scim::filter::{self, Filter};
use scim::schema::Catalogue;
use serde_json::Value;
use std::sync::LazyLock;

const MAX_BYTES: usize = 8192;
const MAX_TERMS: usize = 64;
const MAX_DEPTH: usize = 16;

static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(|| Catalogue::new(&["ADMIN".to_owned()], &[]));
static USERS: LazyLock<Vec<Value>> = LazyLock::new(|| {
    let users = [
        r#"{"userName":"u"}"#,
        r#"{"userName":"Ann@Example.com","externalId":"Xy","active":true,"title":"","name":{"givenName":"Ánn"},
            "emails":[{"value":"ann@work.test","type":"work","primary":true},{"value":"ann@home.test","type":"home"}],
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"manager":{"value":"7"},"costCenter":"4"}}"#,
    ];
    users.iter().map(|user| serde_json::from_str(user).unwrap()).collect()
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    fuzz::change_text(data, size, max_size, seed)
});

fuzz_target!(|text: &str| {
    match filter::parse(text) {
        Err(error) => {
            assert_eq!((error.status, error.scim_type), (400, Some(ScimType::InvalidFilter)));
            assert!(error.detail.len() < 1000 && !error.detail.contains(char::is_control), "{:?}", error.detail);
        }
        Ok(filter) => accepted(text, &filter),
    }
});

fn accepted(text: &str, filter: &Filter) {
    assert!(text.len() <= MAX_BYTES);
    assert!(terms(filter) <= MAX_TERMS);
    well_formed(filter, MAX_DEPTH, false);

    let printed = filter.to_string();
    read_again(&printed, filter);
    // One more level is the same filter.
    read_again(&format!("({text})"), filter);
    for user in USERS.iter() {
        means(filter, user);
    }
    #[cfg(feature = "planted")]
    planted(filter);
}

/// The text is read as that filter, unless it is just beyond a limit: it is longer or deeper than the one that was sent,
/// and a comparison behind brackets counts only when it is written inside of them.
fn read_again(text: &str, filter: &Filter) {
    match filter::parse(text) {
        Ok(read) => assert_eq!(&read, filter, "{text}"),
        Err(error) => {
            let limits = ["64 comparisons", "16 levels", "8192 bytes"];
            assert!(limits.iter().any(|limit| error.detail.contains(limit)), "{text}: {error}");
        }
    }
}

/// `not`, `and` and `or` have the meaning that logic gives them, at every level outside of brackets.
fn means(filter: &Filter, user: &Value) -> bool {
    let found = filter::matches(filter, user, CATALOGUE.user());
    let expected = match filter {
        Filter::And(branches) => branches.iter().all(|branch| means(branch, user)),
        Filter::Or(branches) => branches.iter().any(|branch| means(branch, user)),
        Filter::Not(inner) => !means(inner, user),
        Filter::Present(_) | Filter::Compare { .. } | Filter::Values { .. } => found,
    };
    assert_eq!(found, expected, "{filter} of {user}");
    found
}

fn terms(filter: &Filter) -> usize {
    match filter {
        Filter::And(branches) | Filter::Or(branches) => branches.iter().map(terms).sum(),
        Filter::Not(inner) | Filter::Values { filter: inner, .. } => terms(inner),
        Filter::Present(_) | Filter::Compare { .. } => 1,
    }
}

fn well_formed(filter: &Filter, levels: usize, in_brackets: bool) {
    match filter {
        Filter::And(branches) | Filter::Or(branches) => {
            assert!(branches.len() >= 2);
            branches.iter().for_each(|branch| well_formed(branch, levels, in_brackets));
        }
        Filter::Not(inner) => well_formed(inner, levels.checked_sub(1).expect("not too deep"), in_brackets),
        Filter::Values { path, filter } => {
            assert!(!in_brackets && path.sub.is_none() && !path.attribute.is_empty());
            well_formed(filter, levels.checked_sub(1).expect("not too deep"), true);
        }
        Filter::Present(path) => assert!(!path.attribute.is_empty()),
        Filter::Compare { path, operator: _, value } => {
            assert!(!path.attribute.is_empty());
            assert!(!value.is_array() && !value.is_object());
            assert!(!value.as_str().is_some_and(|text| text.contains('\0')));
        }
    }
}

/// Fails for a shape that no seed has, and that can be found because each step towards it is new code: somewhere a negation,
/// of brackets, of three alternatives.
#[cfg(feature = "planted")]
fn planted(filter: &Filter) {
    match filter {
        Filter::And(branches) | Filter::Or(branches) => branches.iter().for_each(planted),
        Filter::Not(inner) => match &**inner {
            Filter::Values { filter, .. } => planted_in_brackets(filter),
            inner => planted(inner),
        },
        Filter::Values { .. } | Filter::Present(_) | Filter::Compare { .. } => {}
    }
}

#[cfg(feature = "planted")]
fn planted_in_brackets(filter: &Filter) {
    if let Filter::Or(branches) = filter {
        assert!(branches.len() < 3, "the planted bug");
    }
}

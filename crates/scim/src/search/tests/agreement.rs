//! Searching rows finds what searching the documents finds, for random documents and filters; and random keys.

use proptest::prelude::*;
use serde_json::{Number, Value};

use super::super::*;
use super::number;
use crate::dialects::customized;
use crate::filter;
use crate::random;
use crate::schema::Catalogue;
use crate::user::UserDocument;

/// Whether a condition holds of rows: what a database does, as plainly as can be.
fn holds(condition: &Condition, rows: &[IndexRow], document: &Value, within: Option<&IndexRow>) -> bool {
    match condition {
        Condition::All(all) => all.iter().all(|one| holds(one, rows, document, within)),
        Condition::Any(any) => any.iter().any(|one| holds(one, rows, document, within)),
        Condition::Not(inner) => !holds(inner, rows, document, within),
        Condition::Constant(holds) => *holds,
        Condition::Element { path, condition } => {
            rows.iter().filter(|row| row.path == *path).any(|row| holds(condition, rows, document, Some(row)))
        }
        Condition::Test { leaf, test } => {
            let columns =
                [("username", "userName", false), ("externalid", "externalId", true), ("active", "active", false)];
            if let Some((_, name, exact)) = columns.into_iter().find(|(path, ..)| *path == leaf.path) {
                let value = document.get(name).and_then(|value| key(leaf.kind, exact, value));
                return value.is_some_and(|key| test.passes(&key));
            }
            rows.iter()
                .filter(|row| row.path == leaf.path && within.is_none_or(|element| element.item == row.item))
                .any(|row| row_passes(row, leaf.field, test))
        }
    }
}

fn row_passes(row: &IndexRow, field: Field, test: &Test) -> bool {
    let needs_whole = matches!(test, Test::Contains(_) | Test::EndsWith(_));
    let found = match field {
        Field::Value if needs_whole && row.long_key.is_some() => row.long_key.clone(),
        Field::Value => row.value_key.clone(),
        Field::Type => row.type_key.clone(),
        Field::Primary => row.primary.map(|primary| primary.to_string()),
    };
    found.is_some_and(|key| test.passes(&key))
}

fn stored(seed: u64, catalogue: &Catalogue) -> Value {
    let body = random::document(seed).to_string();
    UserDocument::parse(body.as_bytes(), catalogue)
        .unwrap_or_else(|error| panic!("{body}: {error}"))
        .document
        .into_value()
}

#[test]
fn searching_rows_agrees_with_searching_documents() {
    let catalogue = customized();
    let user = catalogue.user();
    let documents: Vec<_> =
        (0..150).map(|seed| stored(seed, &catalogue)).map(|document| (index(&document, user), document)).collect();
    let (mut asked, mut found, mut varied) = (0, 0, 0);
    for seed in 0..1500 {
        let text = random::filter(seed);
        let filter = filter::parse(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
        let Ok(condition) = resolve(&filter, user, Unknown::Refuse) else { continue };
        let mut matching = 0;
        for (rows, document) in &documents {
            let expected = filter::matches(&filter, document, user);
            assert_eq!(holds(&condition, rows, document, None), expected, "{text}\n{document}\n{condition:?}");
            matching += usize::from(expected);
        }
        asked += 1;
        found += matching;
        varied += usize::from(matching > 0 && matching < documents.len());
    }
    // The filters ask something, and the answers are neither all nor none.
    assert!(asked > 1000 && varied * 2 > asked, "{asked} filters, {varied} of them tell documents apart");
    assert!(found > asked * 10 && found < asked * 120, "{found} matches of {asked} filters");
}

#[test]
fn rows_are_sorted_and_distinct_and_never_empty() {
    let catalogue = customized();
    for seed in 0..200 {
        let rows = index(&stored(seed, &catalogue), catalogue.user());
        for pair in rows.windows(2) {
            assert!((&pair[0].path, pair[0].item) < (&pair[1].path, pair[1].item), "{pair:?}");
        }
        assert!(rows.iter().all(|row| row.value_key.as_deref() != Some("") && row.type_key.as_deref() != Some("")));
    }
}

#[test]
fn the_same_seed_gives_the_same() {
    assert_eq!(random::document(7), random::document(7));
    assert_eq!(random::filter(7), random::filter(7));
    assert_ne!(random::document(7), random::document(8));
}

fn any_number() -> impl Strategy<Value = Number> {
    prop_oneof![
        any::<i64>().prop_map(Number::from),
        any::<u64>().prop_map(Number::from),
        any::<f64>().prop_filter_map("JSON has no infinity", Number::from_f64),
        (-1000_i64..1000).prop_map(|number| Number::from_f64(number as f64 / 4.0).unwrap()),
        (-1000_i64..1000).prop_map(Number::from),
    ]
}

/// The order of two numbers by arithmetic that is exact for both.
fn compared(a: &Number, b: &Number) -> std::cmp::Ordering {
    let integer = |number: &Number| number.as_i64().map(i128::from).or(number.as_u64().map(i128::from));
    match (integer(a), integer(b)) {
        (Some(a), Some(b)) => a.cmp(&b),
        (None, None) => a.as_f64().partial_cmp(&b.as_f64()).unwrap(),
        (None, Some(_)) => compared(b, a).reverse(),
        (Some(a), None) => {
            let b = b.as_f64().unwrap();
            // Beyond 2^100 no 64-bit integer is; below, the whole part is exact.
            if b.abs() >= 2_f64.powi(100) {
                return 0.0.partial_cmp(&b).unwrap();
            }
            a.cmp(&(b.trunc() as i128)).then(0.0.partial_cmp(&b.fract()).unwrap())
        }
    }
}

proptest! {
    #[test]
    fn numbers_and_their_keys_have_one_order(a in any_number(), b in any_number()) {
        let (a_key, b_key) = (number(Value::from(a.clone())), number(Value::from(b.clone())));
        prop_assert_eq!(a_key.cmp(&b_key), compared(&a, &b), "{} {}", a, b);
    }

    #[test]
    fn the_key_of_a_part_is_a_part_of_the_key(before in "\\PC{0,6}|[ΣςσİSß]{0,6}", part in "\\PC{0,6}|[ΣςσİSß]{0,6}", after in "\\PC{0,6}") {
        let whole = fold(&format!("{before}{part}{after}"));
        prop_assert_eq!(whole, fold(&before) + &fold(&part) + &fold(&after));
    }

    #[test]
    fn any_filter_is_resolved_or_refused(text in "\\PC{0,40}", value in crate::dialects::any_json(), seed in any::<u64>()) {
        let catalogue = customized();
        for text in [text, random::filter(seed)] {
            if let Ok(filter) = filter::parse(&text) {
                for kind in [catalogue.user(), catalogue.group()] {
                    let _: Result<_, ScimError> = resolve(&filter, kind, Unknown::Refuse);
                    let _: Result<_, ScimError> = resolve(&filter, kind, Unknown::MatchesNothing);
                    filter::matches(&filter, &value, kind);
                }
            }
        }
        index(&value, catalogue.user());
    }

    #[test]
    fn what_is_unknown_agrees_with_the_document(seed in any::<u64>()) {
        let catalogue = customized();
        let bare = Catalogue::new(&[], &[]);
        let filter = filter::parse(&random::filter(seed)).unwrap();
        let document = stored(seed, &catalogue);
        if let Ok(condition) = resolve(&filter, bare.user(), Unknown::MatchesNothing) {
            let rows = index(&document, bare.user());
            prop_assert_eq!(holds(&condition, &rows, &document, None), filter::matches(&filter, &document, bare.user()), "{}", filter);
        }
    }
}

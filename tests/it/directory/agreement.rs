//! The same question asked twice: of the database through the front door, and of the documents in memory.

#[path = "../../../crates/scim/src/testing/random.rs"]
mod random;

use super::{create, define, find, get, id};
use harness::{customer::Customer, gateway_process::ROLES};
use scim::{
    filter,
    schema::{Catalogue, Kind},
    search::{self, Unknown},
};
use serde_json::Value;
use std::collections::BTreeSet;

const DOCUMENTS: u64 = 300;
const FILTERS: u64 = 500;

/// Where the random documents and filters begin; another number is another test.
fn seed() -> u64 {
    std::env::var("GATEHOUSE_TEST_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(0)
}

#[tokio::test]
async fn random_filters_find_in_the_database_whom_they_match_in_memory() {
    let acme = Customer::new().await;
    define(&acme, &random::CUSTOM).await;
    for number in 0..DOCUMENTS {
        create(&acme, "/Users", random::document(seed() + number)).await;
    }
    let mut resources: Vec<Value> = Vec::new();
    while resources.len() < usize::try_from(DOCUMENTS).unwrap() {
        let page = get(&acme, &format!("/Users?count=100&startIndex={}", resources.len() + 1)).await;
        resources.extend(page["Resources"].as_array().unwrap().iter().cloned());
    }
    let custom: Vec<_> = random::CUSTOM
        .iter()
        .map(|(urn, name, kind, multi_valued, case_exact)| {
            super::attribute(urn, name, kind, *multi_valued, *case_exact)
        })
        .collect();
    assert!(custom.iter().all(|attribute| attribute.kind != Kind::Complex));
    let catalogue = Catalogue::new(&ROLES.map(str::to_owned), &custom);
    let (mut disagreements, mut refused, mut found_somebody) = (Vec::new(), 0, 0);
    for number in 0..FILTERS {
        let text = random::filter(seed() + number);
        let parsed = filter::parse(&text).unwrap();
        let answer = find(&acme, "/Users", &text).await;
        if search::resolve(&parsed, catalogue.user(), Unknown::Refuse).is_err() {
            assert_eq!(answer.status, 400, "{text}: {}", answer.body);
            refused += 1;
            continue;
        }
        let page = answer.document(200);
        let found: BTreeSet<String> = page["Resources"].as_array().unwrap().iter().map(id).collect();
        let matching = resources.iter().filter(|resource| filter::matches(&parsed, resource, catalogue.user()));
        let expected: BTreeSet<String> = matching.map(id).collect();
        assert_eq!(page["totalResults"], found.len(), "{text}");
        found_somebody += usize::from(!found.is_empty());
        if let Some(one) = found.symmetric_difference(&expected).next() {
            let resource = resources.iter().find(|resource| id(resource) == *one).unwrap();
            let side = if found.contains(one) { "only the database" } else { "only memory" };
            disagreements.push(format!("seed {number}: {text}\n  {side} finds e.g. {resource}"));
        }
    }
    println!("{refused} filters were refused, {found_somebody} found somebody");
    assert!(refused < 100 && found_somebody > 200, "the filters are about the documents");
    assert!(disagreements.is_empty(), "{} disagreements:\n{}", disagreements.len(), disagreements.join("\n"));
}

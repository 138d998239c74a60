//! Groups in groups, groups of a hundred thousand, and many who write at once.

use super::{all_at_once, fill, get, group, id, patch, refs, user};
use crate::scim::{assert_refused, assert_says};
use harness::customer::Customer;
use reqwest::Method;
use serde_json::{Value, json};
use std::{collections::BTreeSet, sync::Arc, time::Instant};
use uuid::Uuid;

fn add(ids: &[&String]) -> Value {
    json!([{ "op": "add", "path": "members", "value": refs(ids) }])
}

fn remove(id: &str) -> Value {
    json!([{ "op": "remove", "path": format!("members[value eq \"{id}\"]") }])
}

/// The user's groups: id, and whether direct or not.
async fn groups_of(customer: &Customer, user: &str) -> BTreeSet<(String, String)> {
    let shown = get(customer, &format!("/Users/{user}")).await;
    let pair =
        |group: &Value| (group["value"].as_str().unwrap().to_owned(), group["type"].as_str().unwrap().to_owned());
    shown["groups"].as_array().map(|groups| groups.iter().map(pair).collect()).unwrap_or_default()
}

fn set<const N: usize>(pairs: [(&String, &str); N]) -> BTreeSet<(String, String)> {
    pairs.into_iter().map(|(id, kind)| (id.clone(), kind.to_owned())).collect()
}

#[tokio::test]
async fn a_group_in_a_group_is_shown_as_a_member_of_the_type_group() {
    let acme = Customer::new().await;
    let ann = user(&acme, "ann").await;
    let inner = group(&acme, "Inner", &[]).await;
    let outer = group(&acme, "Outer", &[&inner, &ann]).await;
    let shown = get(&acme, &format!("/Groups/{outer}")).await;
    let base = acme.scim_base();
    let expected = json!([
        { "value": ann, "type": "User", "$ref": format!("{base}/Users/{ann}") },
        { "value": inner, "type": "Group", "$ref": format!("{base}/Groups/{inner}") },
    ]);
    assert_eq!(shown["members"], expected);
    assert_says(
        &get(&acme, "/Groups?filter=displayName+eq+%22outer%22").await,
        &json!({ "Resources": [{ "members": expected }] }),
    );
    let patched = patch(&acme, &format!("/Groups/{outer}"), remove(&inner)).await.document(200);
    assert_eq!(patched["members"], json!([expected[0]]));
    let said = json!({ "displayName": "Outer", "members": [{ "value": inner, "type": "Group", "$ref": format!("../Groups/{inner}"), "display": "Inner" }] });
    let put = acme.scim(Method::PUT, &format!("/Groups/{outer}"), Some(said)).await.document(200);
    assert_eq!(put["members"], json!([expected[1]]), "a PUT replaces accounts and groups");
}

#[tokio::test]
async fn a_user_shows_its_groups_direct_and_indirect() {
    let acme = Customer::new().await;
    let ann = user(&acme, "ann").await;
    let inner = group(&acme, "Inner", &[&ann]).await;
    let middle = group(&acme, "Middle", &[&inner]).await;
    let outer = group(&acme, "Outer", &[&middle]).await;
    let side = group(&acme, "Side", &[&inner, &ann]).await;
    let expected = set([(&inner, "direct"), (&middle, "indirect"), (&outer, "indirect"), (&side, "direct")]);
    assert_eq!(groups_of(&acme, &ann).await, expected);
    let listed = get(&acme, "/Users").await;
    assert_eq!(listed["Resources"][0]["groups"], get(&acme, &format!("/Users/{ann}")).await["groups"]);
    patch(&acme, &format!("/Groups/{inner}"), remove(&ann)).await.document(200);
    assert_eq!(groups_of(&acme, &ann).await, set([(&side, "direct")]));
    patch(&acme, &format!("/Groups/{inner}"), add(&[&ann])).await.document(200);
    acme.scim(Method::DELETE, &format!("/Groups/{middle}"), None).await.document(204);
    assert_eq!(groups_of(&acme, &ann).await, set([(&inner, "direct"), (&side, "direct")]));
    assert_says(&get(&acme, &format!("/Groups/{outer}")).await, &json!({ "members": [] }));
    assert_says(&get(&acme, &format!("/Groups/{inner}")).await, &json!({ "members": [{ "value": ann }] }));
}

#[tokio::test]
async fn a_ring_of_groups_has_an_end() {
    let acme = Customer::new().await;
    let ann = user(&acme, "ann").await;
    let one = group(&acme, "One", &[&ann]).await;
    let two = group(&acme, "Two", &[&one]).await;
    let three = group(&acme, "Three", &[&two]).await;
    patch(&acme, &format!("/Groups/{one}"), add(&[&three])).await.document(200);
    assert_eq!(groups_of(&acme, &ann).await, set([(&one, "direct"), (&two, "indirect"), (&three, "indirect")]));
    let found = get(&acme, &format!("/Users?filter=groups.value+eq+%22{three}%22")).await;
    assert_eq!(found["totalResults"], 1);
    acme.scim(Method::DELETE, &format!("/Groups/{two}"), None).await.document(204);
    assert_eq!(groups_of(&acme, &ann).await, set([(&one, "direct")]));
}

#[tokio::test]
async fn a_group_is_no_member_of_itself_and_the_attempt_is_recorded() {
    let acme = Customer::new().await;
    let ann = user(&acme, "ann").await;
    let staff = group(&acme, "Staff", &[]).await;
    let answer = patch(&acme, &format!("/Groups/{staff}"), add(&[&staff, &ann])).await.document(200);
    assert_says(&answer, &json!({ "members": [{ "value": ann }] }));
    let failed = acme.events("provisioning.failed").await;
    assert_says(
        &json!(failed),
        &json!([{ "subject_id": staff, "data": { "code": "GH-GRP-003", "members": [staff] } }]),
    );
}

#[tokio::test]
async fn groups_of_others_are_unknown_members() {
    let acme = Customer::new().await;
    let (sibling, other) = (acme.sibling(&acme.application).await, Customer::of(&acme.gateway).await);
    let [near, far] = [group(&sibling, "Near", &[]).await, group(&other, "Far", &[]).await];
    let ghost = Uuid::new_v4().to_string();
    let staff = group(&acme, "Staff", &[&near, &far, &ghost]).await;
    assert_says(&get(&acme, &format!("/Groups/{staff}")).await, &json!({ "members": [] }));
    let failed = acme.events("provisioning.failed").await;
    let named: BTreeSet<&str> =
        failed[0]["data"]["members"].as_array().unwrap().iter().map(|id| id.as_str().unwrap()).collect();
    assert_eq!(named, [near.as_str(), far.as_str(), ghost.as_str()].into());
}

#[tokio::test]
async fn a_user_pushed_through_two_connections_is_two_resources() {
    let acme = Customer::new().await;
    let sibling = acme.sibling(&acme.application).await;
    let name = format!("ann@{}", acme.domain);
    let [here, there] = [user(&acme, &name).await, user(&sibling, &name).await];
    assert_ne!(here, there);
    let [staff, board] = [group(&acme, "Staff", &[&here]).await, group(&sibling, "Staff", &[&there]).await];
    let title = json!([{ "op": "add", "value": { "title": "Dr.", "active": false } }]);
    patch(&acme, &format!("/Users/{here}"), title).await.document(200);
    assert_says(
        &get(&sibling, &format!("/Users/{there}")).await,
        &json!({ "title": null, "active": null, "groups": [{ "value": board, "display": "Staff" }] }),
    );
    assert_eq!(groups_of(&acme, &here).await, set([(&staff, "direct")]));
    assert_eq!(groups_of(&sibling, &there).await, set([(&board, "direct")]));
    assert_refused(&acme.scim(Method::GET, &format!("/Users/{there}"), None).await, 404, None);
    acme.scim(Method::DELETE, &format!("/Users/{here}"), None).await.document(204);
    assert_eq!(get(&sibling, &format!("/Users/{there}")).await["userName"], json!(name));
}

#[tokio::test]
async fn a_group_of_a_hundred_thousand_is_sent_whole_and_changed_in_one_stroke() {
    const COPIES: usize = 100_000;
    let acme = Customer::new().await;
    let [ann, ben] = [user(&acme, "ann").await, user(&acme, "ben").await];
    let staff = group(&acme, "Staff", &[&ann]).await;
    fill(&acme, &ann, Some(&staff), i32::try_from(COPIES).unwrap()).await;
    let at = format!("/Groups/{staff}");
    let whole = acme.scim(Method::GET, &at, None).await;
    assert!(!whole.headers.contains_key("content-length"), "in pieces: {:?}", whole.headers);
    let members = |group: &Value| -> BTreeSet<String> {
        let ids: Vec<String> = group["members"]
            .as_array()
            .unwrap()
            .iter()
            .map(|member| member["value"].as_str().unwrap().to_owned())
            .collect();
        let count = ids.len();
        let unique: BTreeSet<String> = ids.into_iter().collect();
        assert_eq!(unique.len(), count, "nobody twice");
        unique
    };
    let before = members(&whole.document(200));
    assert_eq!(before.len(), COPIES + 1);

    let began = Instant::now();
    let added = patch(&acme, &at, add(&[&ben])).await.document(200);
    assert_says(&added, &json!({ "members": null, "meta": { "version": "W/\"2\"" } }));
    let removed = patch(&acme, &at, remove(&ann)).await.document(200);
    assert_says(&removed, &json!({ "members": null, "meta": { "version": "W/\"3\"" } }));
    for list in
        ["/Groups?excludedAttributes=members", "/Groups?attributes=displayName&filter=displayName+eq+%22staff%22"]
    {
        assert_says(
            &get(&acme, list).await,
            &json!({ "totalResults": 1, "Resources": [{ "displayName": "Staff", "members": null }] }),
        );
    }
    assert_says(
        &get(&acme, &format!("{at}?excludedAttributes=members")).await,
        &json!({ "displayName": "Staff", "members": null }),
    );
    assert_eq!(groups_of(&acme, &ben).await, set([(&staff, "direct")]));
    assert!(began.elapsed().as_secs() < 5, "six small requests took {:?}", began.elapsed());

    let listed = get(&acme, "/Groups").await;
    assert_eq!((&listed["totalResults"], &listed["itemsPerPage"]), (&json!(1), &json!(1)));
    let after = members(&listed["Resources"][0]);
    let mut expected = before;
    expected.remove(&ann);
    expected.insert(ben);
    assert!(after == expected, "one came and one went: {} and {}", after.len(), expected.len());
    assert_says(
        &get(&acme, "?count=500&filter=displayName+eq+%22staff%22").await,
        &json!({ "totalResults": 1, "Resources": [{ "members": null }] }),
    );
}

#[tokio::test]
async fn of_eight_creates_of_one_group_one_wins() {
    let acme = Arc::new(Customer::new().await);
    let request = |i: usize| {
        (
            Method::POST,
            "/Groups".to_owned(),
            Some(json!({ "displayName": if i.is_multiple_of(2) { "Staff" } else { "STAFF" } })),
        )
    };
    let answers = all_at_once(&acme, (0..8).map(request).collect()).await;
    let (created, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 201);
    assert_eq!((created.len(), refused.len()), (1, 7));
    refused.iter().for_each(|answer| assert_refused(answer, 409, Some("uniqueness")));
    assert_eq!(get(&acme, "/Groups").await["Resources"], json!([created[0].body]));
    assert_eq!(acme.events("group.created").await.len(), 1);
}

#[tokio::test]
async fn of_sixteen_who_add_and_remove_at_once_none_undoes_anothers_work() {
    let acme = Arc::new(Customer::new().await);
    let mut ids = Vec::new();
    for i in 0..32 {
        ids.push(user(&acme, &format!("user-{i}")).await);
    }
    let nested = group(&acme, "Nested", &[]).await;
    let staff = group(&acme, "Staff", &ids[..16].iter().collect::<Vec<_>>()).await;
    let at = format!("/Groups/{staff}");
    let change = |i: usize| {
        let mut operations = vec![remove(&ids[i])[0].clone(), add(&[&ids[16 + i], &nested])[0].clone()];
        operations.push(json!({ "op": "replace", "value": { "displayName": "Staff" } }));
        (Method::PATCH, at.clone(), Some(json!({ "Operations": operations })))
    };
    for answer in all_at_once(&acme, (0..16).map(change).collect()).await {
        answer.document(200);
    }
    let after = get(&acme, &at).await;
    let members: BTreeSet<&str> =
        after["members"].as_array().unwrap().iter().map(|member| member["value"].as_str().unwrap()).collect();
    let expected: BTreeSet<&str> = ids[16..].iter().chain([&nested]).map(String::as_str).collect();
    assert_eq!(members, expected);
    assert_eq!(after["meta"]["version"], "W/\"17\"");
}

#[tokio::test]
async fn whoever_deletes_and_adds_at_the_same_moment_is_answered_in_order() {
    let acme = Arc::new(Customer::new().await);
    for round in 0..6 {
        let mut groups = Vec::new();
        for i in 0..4 {
            groups.push(group(&acme, &format!("{round}-{i}"), &[]).await);
        }
        let ann = user(&acme, &format!("ann-{round}")).await;
        // Each contains all, and Ann.
        for at in &groups {
            let mut members: Vec<&String> = groups.iter().filter(|other| *other != at).collect();
            members.push(&ann);
            patch(&acme, &format!("/Groups/{at}"), add(&members)).await.document(200);
        }
        let mut requests = vec![(Method::DELETE, format!("/Users/{ann}"), None)];
        for at in &groups {
            let swap = json!({ "Operations": [remove(&ann)[0], add(&[&ann])[0]] });
            requests.push((Method::PATCH, format!("/Groups/{at}"), Some(swap)));
            requests.push((Method::DELETE, format!("/Groups/{at}"), None));
        }
        for answer in all_at_once(&acme, requests).await {
            assert!([200, 204, 404].contains(&answer.status.as_u16()), "{} {}", answer.status, answer.body);
        }
        assert_eq!(get(&acme, "/Groups").await["totalResults"], 0);
    }
    assert_eq!(get(&acme, "/Users").await["Resources"], json!([]));
}

#[tokio::test]
async fn groups_that_join_each_other_at_once_both_do() {
    let acme = Arc::new(Customer::new().await);
    let mut groups = Vec::new();
    for i in 0..8 {
        groups.push(group(&acme, &format!("group-{i}"), &[]).await);
    }
    let join = |(i, at): (usize, &String)| {
        let others: Vec<&String> = groups.iter().enumerate().filter(|(j, _)| *j != i).map(|(_, other)| other).collect();
        (Method::PATCH, format!("/Groups/{at}"), Some(json!({ "Operations": add(&others) })))
    };
    for answer in all_at_once(&acme, groups.iter().enumerate().map(join).collect()).await {
        assert_eq!(answer.document(200)["members"].as_array().map(Vec::len), Some(7));
    }
    let listed = get(&acme, "/Groups").await;
    for shown in listed["Resources"].as_array().unwrap() {
        assert_eq!(shown["members"].as_array().map(Vec::len), Some(7), "{}", id(shown));
    }
}

//! The order of lists, pages by index and by cursor, and which attributes a page shows.

use super::{ENTERPRISE, GROUP, SEARCH_REQUEST, USER, create, encoded, get, group, id, names, patch, user};
use crate::scim::{assert_refused, assert_says};
use harness::customer::Customer;
use reqwest::Method;
use serde_json::{Value, json};
use std::{collections::BTreeSet, sync::Arc};
use time::Duration;

async fn sorted(customer: &Customer, query: &str) -> Vec<String> {
    let page = get(customer, &format!("/Users?{query}")).await;
    names(&page).into_iter().map(str::to_owned).collect()
}

/// All pages of a walk by cursor; each but the last is full.
async fn walk(customer: &Customer, endpoint: &str, query: &str, count: usize) -> Vec<Value> {
    let (mut cursor, mut all) = (String::new(), Vec::new());
    loop {
        let page = get(customer, &format!("{endpoint}?{query}&count={count}&cursor={cursor}")).await;
        let items = page["Resources"].as_array().unwrap().clone();
        assert_eq!(page["itemsPerPage"], items.len());
        assert!(page["startIndex"].is_null(), "a position means nothing here: {page}");
        all.extend(items.iter().cloned());
        let Some(next) = page["nextCursor"].as_str() else { return all };
        assert_eq!(items.len(), count, "a page with another one behind it is full");
        assert_eq!(next, encoded(next), "it needs no escape in an address");
        cursor = next.to_owned();
    }
}

async fn people() -> Customer {
    let acme = Customer::new().await;
    let email = |value: &str, primary: Option<bool>| match primary {
        Some(primary) => json!({ "value": value, "primary": primary }),
        None => json!({ "value": value }),
    };
    let bodies = [
        json!({ "userName": "Cid", "title": "b", "active": false, "emails": [email("z@x.test", None), email("a@x.test", Some(true))] }),
        json!({ "userName": "ann", "title": "C", "name": { "familyName": "Zed" }, "emails": [email("b@x.test", None), email("y@x.test", None)] }),
        json!({ "userName": "ben", "title": "a", "name": { "familyName": "abel" }, ENTERPRISE: { "department": "Sales", "manager": { "value": "2" } } }),
        json!({ "userName": "Dan", "externalId": "9", "emails": [email("c@x.test", None), email("0@x.test", Some(false))], ENTERPRISE: { "manager": { "value": "1" } } }),
    ];
    for body in bodies {
        acme.gateway.clock.advance(Duration::seconds(1));
        create(&acme, "/Users", body).await;
    }
    acme
}

#[tokio::test]
async fn users_are_sorted_by_columns_and_attributes_with_those_without_a_value_last() {
    let acme = people().await;
    let table = [
        ("sortBy=userName", ["ann", "ben", "Cid", "Dan"]),
        ("sortBy=USERNAME&sortOrder=descending", ["Dan", "Cid", "ben", "ann"]),
        ("sortBy=title", ["ben", "Cid", "ann", "Dan"]),
        ("sortBy=title&sortOrder=Descending", ["Dan", "ann", "Cid", "ben"]),
        ("sortBy=meta.created", ["Cid", "ann", "ben", "Dan"]),
        ("sortBy=meta.created&sortOrder=descending", ["Dan", "ben", "ann", "Cid"]),
        ("sortBy=name.familyName", ["ben", "ann", "Cid", "Dan"]),
        ("sortBy=externalId", ["Dan", "Cid", "ann", "ben"]),
        ("sortBy=externalId&sortOrder=descending", ["Cid", "ann", "ben", "Dan"]),
        ("sortBy=active", ["Cid", "ann", "ben", "Dan"]),
        ("sortBy=id&sortOrder=descending", ["Dan", "ben", "ann", "Cid"]),
        ("sortOrder=descending", ["Cid", "ann", "ben", "Dan"]),
    ];
    for (query, expected) in table {
        assert_eq!(sorted(&acme, query).await, expected, "{query}");
    }
    let query = format!("sortBy={ENTERPRISE}:manager");
    assert_eq!(sorted(&acme, &query).await, ["Dan", "ben", "Cid", "ann"]);
    assert_eq!(sorted(&acme, &format!("sortBy={USER}:userName&count=2&startIndex=2")).await, ["ben", "Cid"]);
}

#[tokio::test]
async fn the_primary_value_decides_else_the_first() {
    let acme = people().await;
    assert_eq!(
        sorted(&acme, "sortBy=emails").await,
        ["Cid", "ann", "Dan", "ben"],
        "a, b, c: the first when none is primary"
    );
    assert_eq!(sorted(&acme, "sortBy=emails.value&sortOrder=descending").await, ["ben", "Dan", "ann", "Cid"]);
}

#[tokio::test]
async fn a_part_of_a_multi_valued_attribute_is_what_it_is_sorted_by() {
    let acme = Customer::new().await;
    for (name, value, kind) in
        [("one", "a@x.test", "work"), ("two", "b@x.test", "home"), ("three", "c@x.test", "other")]
    {
        create(&acme, "/Users", json!({ "userName": name, "emails": [{ "value": value, "type": kind }] })).await;
    }
    assert_eq!(sorted(&acme, "sortBy=emails.type").await, ["two", "three", "one"]);
}

#[tokio::test]
async fn what_cannot_be_sorted_by_is_refused() {
    let acme = people().await;
    for by in ["name", "password", "favoriteColor", "emails.color", "urn:nobody:x", "na%20me"] {
        let answer = acme.scim(Method::GET, &format!("/Users?sortBy={by}"), None).await;
        assert_refused(&answer, 400, Some("invalidPath"));
    }
    let answer = acme.scim(Method::GET, "/Users?sortBy=title&sortOrder=sideways", None).await;
    assert_refused(&answer, 400, Some("invalidValue"));
}

#[tokio::test]
async fn groups_are_sorted_by_name_and_date() {
    let acme = Customer::new().await;
    for name in ["beta", "Alpha", "gamma"] {
        group(&acme, name, &[]).await;
        acme.gateway.clock.advance(Duration::seconds(1));
    }
    for (query, expected) in [
        ("sortBy=displayName", ["Alpha", "beta", "gamma"]),
        ("sortBy=displayName&sortOrder=descending", ["gamma", "beta", "Alpha"]),
        ("sortBy=meta.lastModified&sortOrder=descending", ["gamma", "Alpha", "beta"]),
    ] {
        assert_eq!(names(&get(&acme, &format!("/Groups?{query}")).await), expected);
    }
    let walked = walk(&acme, "/Groups", "sortBy=displayName", 1).await;
    assert_eq!(names(&json!({ "Resources": walked })), ["Alpha", "beta", "gamma"]);
}

#[tokio::test]
async fn a_walk_by_cursor_sees_what_one_page_shows() {
    let acme = Customer::new().await;
    for i in 0..13 {
        let mut body = json!({ "userName": format!("user-{:02}", (i * 5) % 13), "active": i % 2 == 0 });
        if i % 3 > 0 {
            // Equal values, long ones, and some that look like a separator.
            body["title"] = json!(["same", "same", "", "ö\u{1F600}", &"long".repeat(400)][i % 5]);
        }
        create(&acme, "/Users", body).await;
        group(&acme, &format!("group-{i}"), &[]).await;
    }
    for query in [
        "",
        "sortBy=title",
        "sortBy=title&sortOrder=descending",
        "sortBy=userName&sortOrder=descending",
        "sortBy=externalId",
        "sortBy=externalId&sortOrder=descending",
        "sortBy=meta.created&sortOrder=descending",
        "sortBy=active",
        "sortBy=active&sortOrder=descending&filter=title+pr",
        "filter=active+eq+true",
        "filter=title+eq+%22nobody%22",
        "excludedAttributes=groups&attributes=userName",
    ] {
        let whole = get(&acme, &format!("/Users?{query}&count=100")).await["Resources"].clone();
        for count in [1, 2, 5, 13, 100] {
            assert_eq!(json!(walk(&acme, "/Users", query, count).await), whole, "{query} by {count}");
        }
    }
    let whole = get(&acme, "/Groups?count=100").await["Resources"].clone();
    for count in [1, 5, 13] {
        assert_eq!(json!(walk(&acme, "/Groups", "", count).await), whole);
    }
}

#[tokio::test]
async fn the_size_of_pages_may_change_on_the_way() {
    let acme = Customer::new().await;
    for i in 0..6 {
        user(&acme, &format!("user-{i}")).await;
    }
    let whole = get(&acme, "/Users").await;
    let first = get(&acme, "/Users?cursor=&count=2").await;
    let next = format!("/Users?count=100&cursor={}", first["nextCursor"].as_str().unwrap());
    let rest = get(&acme, &next).await;
    assert_eq!(rest["Resources"].as_array().unwrap()[..], whole["Resources"].as_array().unwrap()[2..]);
    assert!(rest["nextCursor"].is_null());
    assert_eq!(get(&acme, &next).await, rest, "the same cursor again");
    let both = get(&acme, "/Users?cursor&startIndex=5&count=2").await;
    assert_eq!(names(&both), names(&first), "with a cursor a position means nothing");
}

#[tokio::test]
async fn a_cursor_of_another_search_or_of_nobody_is_refused() {
    let acme = people().await;
    user(&acme, "fifth").await;
    group(&acme, "one", &[]).await;
    group(&acme, "two", &[]).await;
    let cursor = async |path: &str| get(&acme, path).await["nextCursor"].as_str().unwrap().to_owned();
    let plain = cursor("/Users?cursor&count=1").await;
    let by_name = cursor("/Users?cursor&count=1&sortBy=userName").await;
    let of_groups = cursor("/Groups?cursor&count=1").await;
    let filtered = cursor("/Users?cursor&count=1&filter=title+pr").await;
    let garbage = ["x", "garbage", "%00", "AAAA", &"A".repeat(500), "ä", "../..", "null"];
    let mut wrong: Vec<String> = garbage.iter().map(|text| format!("/Users?cursor={text}")).collect();
    wrong.extend([
        format!("/Users?cursor={by_name}"),
        format!("/Users?cursor={plain}&sortBy=userName"),
        format!("/Users?cursor={by_name}&sortBy=userName&sortOrder=descending"),
        format!("/Users?cursor={of_groups}"),
        format!("/Groups?cursor={plain}"),
        format!("/Users?cursor={filtered}"),
        format!("/Users?cursor={filtered}&filter=title+eq+%22x%22"),
        format!("/Users?cursor={}", &plain[..plain.len() - 2]),
        format!("/Users?cursor={plain}%21"),
        format!("/?cursor={plain}"),
    ]);
    for path in wrong {
        println!("{path}");
        assert_refused(&acme.scim(Method::GET, &path, None).await, 400, Some("invalidCursor"));
    }
    for count in ["0", "-1", "many", "1.5"] {
        let answer = acme.scim(Method::GET, &format!("/Users?cursor=&count={count}"), None).await;
        assert_refused(&answer, 400, Some("invalidCount"));
    }
    let sibling = acme.sibling(&acme.application).await;
    let answer = sibling.scim(Method::GET, &format!("/Users?cursor={plain}"), None).await;
    assert_refused(&answer, 400, Some("invalidCursor"));
}

#[tokio::test]
async fn a_page_holds_500_at_most_and_a_walk_goes_on() {
    let acme = Customer::new().await;
    let ann = user(&acme, "ann").await;
    super::fill(&acme, &ann, None, 520).await;
    let page = get(&acme, "/Users?count=1000").await;
    assert_eq!((&page["totalResults"], &page["itemsPerPage"]), (&json!(521), &json!(500)));
    assert_eq!(page["Resources"].as_array().unwrap().len(), 500);
    let page = get(&acme, "/Users?count=1000&startIndex=300").await;
    assert_eq!(
        (&page["totalResults"], &page["itemsPerPage"], &page["startIndex"]),
        (&json!(521), &json!(222), &json!(300))
    );
    let unique: BTreeSet<String> = walk(&acme, "/Users", "sortBy=userName", 500).await.iter().map(id).collect();
    assert_eq!(unique.len(), 521);
    let page = get(&acme, "/Users?cursor=&count=100000").await;
    assert_eq!(page["itemsPerPage"], 500);
    assert!(page["nextCursor"].is_string());
    assert_eq!(get(&acme, "/Users").await["itemsPerPage"], 100, "without a count");
}

#[tokio::test]
async fn a_page_shows_the_attributes_that_were_asked_for() {
    let acme = people().await;
    let page = get(&acme, "/Users?sortBy=userName&count=1&attributes=title,name.familyName").await;
    let ann = &page["Resources"][0];
    assert_eq!(ann, &json!({ "schemas": [USER], "id": ann["id"], "title": "C", "name": { "familyName": "Zed" } }));
    let page = get(&acme, &format!("/Users?sortBy=userName&count=1&attributes={USER}:userName&attributes=TITLE")).await;
    assert_says(&page["Resources"][0], &json!({ "userName": "ann", "title": "C", "name": null, "meta": null }));
    let page = get(&acme, "/Users?sortBy=userName&count=1&excludedAttributes=emails,meta,id,name.familyName").await;
    let expected = json!({ "userName": "ann", "id": ann["id"], "title": "C", "emails": null, "meta": null });
    assert_says(&page["Resources"][0], &expected);
    let page =
        get(&acme, &format!("/Users?sortBy=userName&startIndex=2&count=1&attributes={ENTERPRISE}:department")).await;
    assert_says(
        &page["Resources"][0],
        &json!({ "userName": null, ENTERPRISE: { "department": "Sales", "manager": null } }),
    );
    let staff = group(&acme, "Staff", &[&id(ann)]).await;
    let page = get(&acme, "/Groups?attributes=members.value").await;
    assert_eq!(page["Resources"], json!([{ "schemas": [GROUP], "id": staff, "members": [{ "value": ann["id"] }] }]));
    let page = get(&acme, "/Groups?excludedAttributes=members.value,meta").await;
    assert_says(
        &page["Resources"][0],
        &json!({ "displayName": "Staff", "members": [{ "value": null, "type": "User" }] }),
    );
}

#[tokio::test]
async fn a_search_may_be_posted_at_users_groups_and_the_root() {
    let acme = people().await;
    group(&acme, "ann's friends", &[]).await;
    let post = async |path: &str, body: Value| acme.scim(Method::POST, path, Some(body)).await;
    let body = json!({ "schemas": [SEARCH_REQUEST], "filter": "title pr", "sortBy": "title", "sortOrder": "descending",
        "startIndex": 2, "count": 1, "attributes": ["userName"] });
    let page = post("/Users/.search", body).await.document(200);
    assert_says(
        &page,
        &json!({ "totalResults": 3, "startIndex": 2, "itemsPerPage": 1, "Resources": [{ "userName": "Cid", "title": null }] }),
    );
    let as_text = json!({ "filter": "title pr", "startIndex": "2", "count": "1", "attributes": "userName", "excludedAttributes": null });
    assert_eq!(names(&post("/Users/.search", as_text).await.document(200)), ["ann"]);
    let first = post("/Users/.search", json!({ "cursor": "", "count": 3 })).await.document(200);
    let next = json!({ "cursor": first["nextCursor"], "count": 3 });
    assert_eq!(names(&post("/Users/.search", next).await.document(200)), ["Dan"]);
    assert_eq!(
        names(&post("/Groups/.search", json!({ "filter": "displayName sw \"ann\"" })).await.document(200)),
        ["ann's friends"]
    );

    let filter = json!({ "filter": "userName sw \"ann\" or displayName sw \"ann\"" });
    assert_eq!(names(&post("/.search", filter.clone()).await.document(200)), ["ann", "ann's friends"]);
    let page = get(&acme, &format!("?filter={}", encoded(filter["filter"].as_str().unwrap()))).await;
    assert_says(
        &page,
        &json!({ "totalResults": 2, "Resources": [{ "meta": { "resourceType": "User" } }, { "meta": { "resourceType": "Group" } }] }),
    );
    for (start, expected) in
        [(1, vec!["Cid", "ann"]), (4, vec!["Dan", "ann's friends"]), (5, vec!["ann's friends"]), (6, vec![])]
    {
        let page = post("/.search", json!({ "startIndex": start, "count": 2 })).await.document(200);
        assert_eq!((names(&page), &page["totalResults"], &page["startIndex"]), (expected, &json!(5), &json!(start)));
    }
    let wrong = [
        json!({ "filter": 5, "count": [] }),
        json!({ "filter": "title" }),
        json!({ "count": {} }),
        json!({ "attributes": [5] }),
    ];
    for path in ["/Users/.search", "/Groups/.search", "/.search"] {
        for body in &wrong {
            let answer = post(path, body.clone()).await;
            let scim_type = answer.body["scimType"].as_str().unwrap_or_default().to_owned();
            assert!(["invalidFilter", "invalidValue"].contains(&scim_type.as_str()), "{path} {body}: {}", answer.body);
            assert_refused(&answer, 400, Some(&scim_type));
        }
        assert_eq!(acme.scim(Method::GET, path, None).await.status, 405, "{path}");
        assert_refused(
            &acme.sends(Method::POST, path, &[("authorization", &format!("Bearer {}", acme.token))], "[]").await,
            400,
            Some("invalidSyntax"),
        );
    }
}

/// A generator of numbers (splitmix64), the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % u64::try_from(end).unwrap()).unwrap()
    }
}

/// Makes, changes or removes somebody who is not to stay.
async fn disturb(acme: &Customer, random: &mut Random, fleeting: &mut Vec<String>) {
    let body = json!({ "userName": format!("m-{}", random.below(1 << 40)), "title": format!("t{}", random.below(9)) });
    match random.below(3) {
        0 => fleeting.push(id(&create(acme, "/Users", body).await)),
        1 if !fleeting.is_empty() => {
            let gone = fleeting.swap_remove(random.below(fleeting.len()));
            acme.scim(Method::DELETE, &format!("/Users/{gone}"), None).await.document(204);
        }
        _ if !fleeting.is_empty() => {
            let at = format!("/Users/{}", fleeting[random.below(fleeting.len())]);
            let title = json!([{ "op": "replace", "path": "title", "value": format!("t{}", random.below(9)) }]);
            patch(acme, &at, title).await.document(200);
        }
        _ => {}
    }
}

#[tokio::test]
async fn a_walk_visits_everybody_once_who_is_there_throughout_while_others_come_and_go() {
    const ORDERS: [&str; 4] =
        ["", "sortBy=userName", "sortBy=title&sortOrder=descending", "sortBy=title&filter=userName+pr"];
    let acme = Arc::new(Customer::new().await);
    acme.lets_everybody_go().await;
    let (mut staying, mut fleeting) = (BTreeSet::new(), Vec::new());
    for i in 0..12 {
        let mut body = json!({ "userName": format!("{}-{i}", ["a", "m", "z"][i % 3]) });
        if i % 2 == 0 {
            body["title"] = json!(format!("t{}", i % 5));
        }
        staying.insert(id(&create(&acme, "/Users", body).await));
        fleeting.push(user(&acme, &format!("m-fleeting-{i}")).await);
        acme.gateway.clock.advance(Duration::milliseconds(1));
    }
    for seed in 0..24 {
        let random = &mut Random(seed);
        let order = ORDERS[random.below(ORDERS.len())];
        let (mut cursor, mut seen) = (String::new(), Vec::new());
        loop {
            let count = 1 + random.below(5);
            let page = get(&acme, &format!("/Users?{order}&count={count}&cursor={cursor}")).await;
            seen.extend(page["Resources"].as_array().unwrap().iter().map(id).filter(|id| staying.contains(id)));
            let Some(next) = page["nextCursor"].as_str() else { break };
            cursor = next.to_owned();
            for _ in 0..random.below(4) {
                disturb(&acme, random, &mut fleeting).await;
            }
        }
        let unique: BTreeSet<String> = seen.iter().cloned().collect();
        assert_eq!((seen.len(), &unique), (staying.len(), &staying), "seed {seed}, {order}");
    }
}

#[tokio::test]
async fn a_walk_is_complete_also_when_the_others_change_at_the_same_moment() {
    let acme = Arc::new(Customer::new().await);
    let ann = user(&acme, "ann").await;
    super::fill(&acme, &ann, None, 350).await;
    let before: BTreeSet<String> = walk(&acme, "/Users", "", 500).await.iter().map(id).collect();
    let changing = Arc::clone(&acme);
    let disturbance = tokio::spawn(async move {
        let (random, mut fleeting) = (&mut Random(7), Vec::new());
        for _ in 0..150 {
            disturb(&changing, random, &mut fleeting).await;
        }
    });
    for (order, count) in [("", 7), ("sortBy=userName", 120), ("sortBy=title", 250), ("", 350)] {
        let seen: Vec<String> =
            walk_loosely(&acme, order, count).await.iter().map(id).filter(|id| before.contains(id)).collect();
        let unique: BTreeSet<String> = seen.iter().cloned().collect();
        assert_eq!((seen.len(), &unique), (before.len(), &before), "{order} by {count}");
    }
    disturbance.await.unwrap();
}

/// As `walk`, where pages may be short because somebody went meanwhile.
async fn walk_loosely(customer: &Customer, query: &str, count: usize) -> Vec<Value> {
    let (mut cursor, mut all) = (String::new(), Vec::new());
    loop {
        let page = get(customer, &format!("/Users?{query}&count={count}&cursor={cursor}")).await;
        all.extend(page["Resources"].as_array().unwrap().iter().cloned());
        let Some(next) = page["nextCursor"].as_str() else { return all };
        cursor = next.to_owned();
    }
}

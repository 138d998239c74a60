//! Filters over users and groups: what each finds, what none may find, and which are refused.

use super::{
    ACME, ENTERPRISE, GROUP, USER, assert_finds, assert_no_filter, create, define, find, get, group, id, names, patch,
    user,
};
use harness::customer::Customer;
use serde_json::{Value, json};
use time::{Duration, format_description::well_known::Rfc3339};

/// Ann, with everything; Ben, inactive; Eve, of whom nothing is known but her name.
async fn people() -> Customer {
    let acme = Customer::new().await;
    let ann = json!({
        "userName": "ann", "externalId": "E1", "title": "Engineer", "displayName": "Ann Lee", "active": true,
        "name": { "givenName": "Ann", "familyName": "O\"Neil" }, "profileUrl": "https://acme.test/Ann",
        "emails": [
            { "value": "Ann@acme.test", "type": "work", "primary": true },
            { "value": "ann@home.test", "type": "home" },
        ],
        ENTERPRISE: { "department": "Sales", "manager": { "value": "M1" } },
    });
    let ben = json!({
        "userName": "Ben", "externalId": "e1", "title": "engineering lead", "active": false,
        "name": { "familyName": "50%_a\\b" }, "emails": [{ "value": "ben@acme.test", "type": "home" }],
    });
    for body in [ann, ben, json!({ "userName": "eve" })] {
        create(&acme, "/Users", body).await;
    }
    acme
}

const ALL: [&str; 3] = ["ann", "Ben", "eve"];

/// Of three people, which a filter finds: a letter for each.
async fn assert_table(acme: &Customer, table: &[(&str, &str)]) {
    for (filter, letters) in table {
        let expected: Vec<&str> = ALL.into_iter().filter(|name| letters.contains(&name.to_lowercase()[..1])).collect();
        assert_finds(acme, "/Users", filter, &expected).await;
    }
}

#[tokio::test]
async fn every_operator_compares_columns_and_attributes() {
    let acme = people().await;
    let table = [
        (r#"title eq "ENGINEER""#, "a"),
        (r#"title ne "engineer""#, "be"),
        (r#"title co "GINE""#, "ab"),
        (r#"title co "lead""#, "b"),
        (r#"title sw "engineer""#, "ab"),
        (r#"title ew "LEAD""#, "b"),
        ("title pr", "ab"),
        (r#"title gt "engineer""#, "b"),
        (r#"title ge "engineer""#, "ab"),
        (r#"title lt "engineering""#, "a"),
        (r#"title le "engineer""#, "a"),
        (r#"userName eq "BEN""#, "b"),
        (r#"userName ne "ben""#, "ae"),
        (r#"userName co "E""#, "be"),
        (r#"userName sw "B""#, "b"),
        (r#"userName ew "n""#, "ab"),
        ("userName pr", "abe"),
        (r#"userName gt "ann""#, "be"),
        (r#"userName ge "ben""#, "be"),
        (r#"userName lt "ben""#, "a"),
        (r#"userName le "ben""#, "ab"),
        (r#"externalId co "1""#, "ab"),
        ("externalId pr", "ab"),
        ("active eq true", "ae"),
        ("active ne true", "b"),
        (r#"active eq "False""#, "b"),
        (r#"name.familyName eq "o\"neil""#, "a"),
        (r#"name.familyName co "%_A\\B""#, "b"),
        (r#"name.familyName co "\\%""#, ""),
        (r#"title co "%""#, ""),
        (r#"title sw "_""#, ""),
        (r#"USERNAME Eq "ann" AND Title PR"#, "a"),
        (r#"name pr"#, "ab"),
    ];
    assert_table(&acme, &table).await;
}

#[tokio::test]
async fn case_counts_where_the_schema_says_so() {
    let acme = people().await;
    let ann = get(&acme, "/Users?filter=userName+eq+%22ann%22").await["Resources"][0].clone();
    let id = id(&ann);
    let table = [
        (r#"externalId eq "E1""#.to_owned(), "a"),
        (r#"externalId eq "e1""#.to_owned(), "b"),
        (r#"externalId sw "E""#.to_owned(), "a"),
        (format!("id eq \"{id}\""), "a"),
        (format!("id eq \"{}\"", id.to_uppercase()), ""),
        (r#"id eq "not an id""#.to_owned(), ""),
        (format!("id sw \"{}\"", &id[..30]), "a"),
        (r#"profileUrl eq "https://acme.test/ann""#.to_owned(), ""),
        (r#"profileUrl eq "https://acme.test/Ann""#.to_owned(), "a"),
        (r#"emails.value eq "ANN@ACME.TEST""#.to_owned(), "a"),
        (format!("{ENTERPRISE}:manager.value eq \"m1\""), ""),
        (format!("{ENTERPRISE}:department eq \"SALES\""), "a"),
    ];
    let table: Vec<(&str, &str)> = table.iter().map(|(filter, letters)| (filter.as_str(), *letters)).collect();
    assert_table(&acme, &table).await;
}

#[tokio::test]
async fn not_binds_tighter_than_and_and_that_tighter_than_or() {
    let acme = people().await;
    let table = [
        (r#"title pr or userName eq "eve" and active eq false"#, "ab"),
        (r#"(title pr or userName eq "eve") and active eq false"#, "b"),
        (r#"active eq false and title pr or userName eq "eve""#, "be"),
        ("not (title pr) and userName pr", "e"),
        ("not (title pr and userName pr)", "e"),
        ("NOT(title pr or active eq true)", ""),
        (r#"not (not (userName eq "ann"))"#, "a"),
        (r#"((((userName eq "ann"))))"#, "a"),
        (r#"userName eq "ann" or userName eq "ben" or userName eq "eve""#, "abe"),
        (r#"userName eq "ann" and userName eq "ben""#, ""),
        (r#"not (title co "engineer") or active eq false"#, "be"),
    ];
    assert_table(&acme, &table).await;
}

#[tokio::test]
async fn brackets_are_about_one_value_and_dots_about_any() {
    let acme = people().await;
    let table = [
        (r#"emails eq "ann@ACME.test""#, "a"),
        (r#"emails.type eq "work""#, "a"),
        ("emails.primary eq true", "a"),
        ("emails pr", "ab"),
        (r#"emails.type eq "work" and emails.value co "home""#, "a"),
        (r#"emails[type eq "work" and value co "home"]"#, ""),
        (r#"emails[type eq "home" and value co "home"]"#, "a"),
        (r#"emails[type eq "home"].value sw "ben""#, "b"),
        (r#"emails[type eq "work"].value eq "ann@acme.test""#, "a"),
        (r#"emails[type eq "home"].value eq "ann@acme.test""#, ""),
        (r#"emails[not (type eq "home")]"#, "a"),
        (r#"not (emails[type eq "home"])"#, "e"),
        (r#"emails[type eq "work" or value sw "ben"]"#, "ab"),
        (r#"emails[primary eq true] and active eq true"#, "a"),
        (r#"emails.value ne "ben@acme.test""#, "ae"),
        (r#"emails[value ne "ben@acme.test"]"#, "a"),
    ];
    assert_table(&acme, &table).await;
}

#[tokio::test]
async fn names_are_found_with_and_without_their_urn() {
    let acme = people().await;
    let table = [
        (format!("{USER}:title eq \"engineer\""), "a"),
        (format!("{USER}:name.givenName eq \"ann\""), "a"),
        (format!("{USER}:emails[type eq \"work\"].value co \"acme\""), "a"),
        (format!("{}:TITLE eq \"engineer\"", USER.to_uppercase()), "a"),
        (format!("{ENTERPRISE}:department pr"), "a"),
        (format!("{ENTERPRISE}:manager eq \"M1\""), "a"),
        ("urn:scim:schemas:extension:enterprise:2.0:department eq \"sales\"".to_owned(), "a"),
        (format!("schemas eq \"{ENTERPRISE}\""), "a"),
        (format!("schemas eq \"{USER}\""), "abe"),
        (format!("not (schemas eq \"{ENTERPRISE}\")"), "be"),
    ];
    let table: Vec<(&str, &str)> = table.iter().map(|(filter, letters)| (filter.as_str(), *letters)).collect();
    assert_table(&acme, &table).await;
}

#[tokio::test]
async fn entra_asks_for_a_manager_by_its_short_name() {
    let acme = people().await;
    let ann = find(&acme, "/Users", "userName eq \"ann\"").await.document(200)["Resources"][0].clone();
    let id = id(&ann);
    assert_finds(&acme, "/Users", &format!("id eq \"{id}\" and manager eq \"M1\""), &["ann"]).await;
    assert_finds(&acme, "/Users", &format!("id eq \"{id}\" and manager eq \"M2\""), &[]).await;
}

#[tokio::test]
async fn semaphore_and_ping_ask_for_an_email() {
    let acme = people().await;
    assert_finds(&acme, "/Users", r#"email eq "ann@acme.test""#, &["ann"]).await;
    assert_finds(&acme, "/Users", r#"email Co "acme""#, &["ann", "Ben"]).await;
}

#[tokio::test]
async fn null_and_the_empty_text_stand_for_no_value() {
    let acme = people().await;
    let table = [
        ("title eq null", "e"),
        ("title ne NULL", "ab"),
        (r#"title eq """#, "e"),
        (r#"title ne """#, "ab"),
        ("emails eq null", "e"),
        ("externalId eq null", "e"),
        ("externalId ne null", "ab"),
        ("title gt null", ""),
        (r#"title co """#, "ab"),
        (r#"userName sw """#, "abe"),
        ("emails[type eq null]", ""),
        ("emails[primary eq null]", "ab"),
    ];
    assert_table(&acme, &table).await;
}

#[tokio::test]
async fn dates_are_compared_as_moments() {
    let acme = Customer::new().await;
    let mut moments = Vec::new();
    for name in ["one", "two", "three"] {
        user(&acme, name).await;
        let shown = find(&acme, "/Users", &format!("userName eq \"{name}\"")).await.document(200);
        moments.push(shown["Resources"][0]["meta"]["created"].as_str().unwrap().to_owned());
        acme.gateway.clock.advance(Duration::seconds(10));
    }
    let two = time::OffsetDateTime::parse(&moments[1], &Rfc3339).unwrap();
    let elsewhere = two.to_offset(time::UtcOffset::from_hms(5, 30, 0).unwrap()).format(&Rfc3339).unwrap();
    let later = (two + Duration::milliseconds(1)).format(&Rfc3339).unwrap();
    for at in [&moments[1], &elsewhere] {
        assert_finds(&acme, "/Users", &format!("meta.lastModified gt \"{at}\""), &["three"]).await;
        assert_finds(&acme, "/Users", &format!("meta.lastModified ge \"{at}\""), &["two", "three"]).await;
        assert_finds(&acme, "/Users", &format!("meta.created lt \"{at}\""), &["one"]).await;
        assert_finds(&acme, "/Users", &format!("meta.created le \"{at}\""), &["one", "two"]).await;
        assert_finds(&acme, "/Users", &format!("meta.created eq \"{at}\""), &["two"]).await;
        assert_finds(&acme, "/Users", &format!("meta.created ne \"{at}\""), &["one", "three"]).await;
    }
    assert_finds(&acme, "/Users", &format!("meta.lastModified ge \"{later}\""), &["three"]).await;
    assert_finds(&acme, "/Users", "meta.lastModified pr", &["one", "two", "three"]).await;
    let one = find(&acme, "/Users", "userName eq \"one\"").await.document(200);
    let operations = json!([{ "op": "add", "path": "title", "value": "x" }]);
    patch(&acme, &format!("/Users/{}", id(&one["Resources"][0])), operations).await.document(200);
    assert_finds(&acme, "/Users", &format!("meta.lastModified gt \"{}\"", moments[2]), &["one"]).await;
    for filter in ["meta.created gt \"yesterday\"", "meta.created gt 5", "meta.created co \"2026\""] {
        assert_no_filter(&acme, "/Users", filter).await;
    }
}

#[tokio::test]
async fn what_the_server_says_of_a_resource_can_be_asked_for() {
    let acme = people().await;
    let ann = find(&acme, "/Users", "userName eq \"ann\"").await.document(200)["Resources"][0].clone();
    let location = ann["meta"]["location"].as_str().unwrap();
    assert_finds(&acme, "/Users", &format!("meta.location eq \"{location}\""), &["ann"]).await;
    assert_finds(&acme, "/Users", "meta.location eq \"https://elsewhere.test\"", &[]).await;
    assert_finds(&acme, "/Users", r#"meta.resourceType eq "User""#, &ALL).await;
    assert_finds(&acme, "/Users", r#"meta.resourceType eq "Group""#, &[]).await;
}

#[tokio::test]
async fn attributes_of_the_customer_are_compared_by_their_kind() {
    let acme = Customer::new().await;
    define(
        &acme,
        &[
            (ACME, "motto", "string", false, false),
            (ACME, "code", "string", false, true),
            (ACME, "remote", "boolean", false, false),
            (ACME, "level", "integer", false, false),
            (ACME, "ratio", "decimal", false, false),
            (ACME, "since", "dateTime", false, false),
            (ACME, "link", "reference", false, false),
            (ACME, "levels", "integer", true, false),
            (USER, "badge", "string", false, false),
            (ENTERPRISE, "floor", "integer", false, false),
        ],
    )
    .await;
    let one = json!({ "userName": "one", "badge": "B1", ENTERPRISE: { "floor": 3 }, ACME: {
        "motto": "Ever On", "code": "Xy", "remote": true, "level": 9, "ratio": 2.5, "since": "2026-01-01T00:00:00+01:00",
        "link": "https://a.test/1", "levels": [1, 20],
    } });
    let two = json!({ "userName": "two", ACME: { "remote": "False", "level": -10, "ratio": 2, "since": "2025-12-31T23:00:01Z" } });
    create(&acme, "/Users", one).await;
    create(&acme, "/Users", two).await;
    let table: &[(&str, &[&str])] = &[
        ("motto eq \"ever on\"", &["one"]),
        ("code eq \"xy\"", &[]),
        ("code sw \"X\"", &["one"]),
        ("remote eq true", &["one"]),
        ("remote eq false", &["two"]),
        ("level gt 10", &[]),
        ("level gt 8", &["one"]),
        ("level lt 0", &["two"]),
        ("level ge 9.0", &["one"]),
        ("ratio eq 2.0", &["two"]),
        ("ratio gt 2", &["one"]),
        ("since eq \"2025-12-31T23:00:00Z\"", &["one"]),
        ("since gt \"2025-12-31T23:00:00Z\"", &["two"]),
        ("link sw \"https://a.test\"", &["one"]),
        ("levels eq 20", &["one"]),
        ("levels gt 20", &[]),
        ("levels[value gt 1 and value lt 20]", &[]),
        ("motto pr", &["one"]),
        ("motto eq null", &["two"]),
    ];
    for (filter, expected) in table {
        let filter = format!("{ACME}:{filter}");
        assert_finds(&acme, "/Users", &filter, expected).await;
    }
    assert_finds(&acme, "/Users", "badge eq \"b1\"", &["one"]).await;
    assert_finds(&acme, "/Users", &format!("{USER}:badge eq \"b1\""), &["one"]).await;
    assert_finds(&acme, "/Users", &format!("{ENTERPRISE}:floor le 3"), &["one"]).await;
    for wrong in
        ["remote eq \"perhaps\"", "level eq \"9\"", "remote gt true", "since eq \"x\"", "level co 9", "nothing pr"]
    {
        assert_no_filter(&acme, "/Users", &format!("{ACME}:{wrong}")).await;
    }
}

#[tokio::test]
async fn users_are_found_by_their_groups_however_deep() {
    let acme = Customer::new().await;
    let [ann, ben, _eve] = [user(&acme, "ann").await, user(&acme, "ben").await, user(&acme, "eve").await];
    let inner = group(&acme, "Inner", &[&ann]).await;
    let middle = group(&acme, "Middle", &[&inner]).await;
    let outer = group(&acme, "Outer Ring", &[&middle, &ben]).await;
    let table: Vec<(String, &[&str])> = vec![
        (format!("groups.value eq \"{inner}\""), &["ann"]),
        (format!("groups eq \"{outer}\""), &["ann", "ben"]),
        (format!("groups[value eq \"{outer}\" and display eq \"outer RING\"]"), &["ann", "ben"]),
        (format!("groups[value eq \"{outer}\" and display eq \"inner\"]"), &[]),
        (format!("groups.value eq \"{outer}\" and groups.display eq \"inner\""), &["ann"]),
        ("groups.display sw \"mid\"".to_owned(), &["ann"]),
        ("groups.display co \"ring\"".to_owned(), &["ann", "ben"]),
        ("groups pr".to_owned(), &["ann", "ben"]),
        ("not (groups pr)".to_owned(), &["eve"]),
        (format!("groups.value ne \"{inner}\""), &["ben", "eve"]),
        (format!("not (groups.value eq \"{middle}\") and groups pr"), &["ben"]),
        ("groups.value eq \"nonsense\"".to_owned(), &[]),
    ];
    for (filter, expected) in &table {
        assert_finds(&acme, "/Users", filter, expected).await;
    }
    // A ring of groups has an end for whoever walks it.
    let operations = json!([{ "op": "add", "path": "members", "value": [{ "value": outer }] }]);
    patch(&acme, &format!("/Groups/{inner}"), operations).await.document(200);
    assert_finds(&acme, "/Users", &format!("groups.value eq \"{inner}\""), &["ann", "ben"]).await;
}

#[tokio::test]
async fn groups_are_found_by_name_member_and_kind_of_member() {
    let acme = Customer::new().await;
    let [ann, ben] = [user(&acme, "ann").await, user(&acme, "ben").await];
    let staff = group(&acme, "Staff", &[&ann]).await;
    group(&acme, "Board", &[&ann, &ben, &staff]).await;
    create(&acme, "/Groups", json!({ "displayName": "Empty", "externalId": "X1" })).await;
    let table: Vec<(String, &[&str])> = vec![
        ("displayName eq \"STAFF\"".to_owned(), &["Staff"]),
        ("displayName co \"t\"".to_owned(), &["Staff", "Empty"]),
        ("displayName gt \"board\"".to_owned(), &["Staff", "Empty"]),
        (format!("{GROUP}:displayName sw \"st\""), &["Staff"]),
        ("externalId eq \"X1\"".to_owned(), &["Empty"]),
        ("externalId eq \"x1\"".to_owned(), &[]),
        (format!("members eq \"{ann}\""), &["Staff", "Board"]),
        (format!("members.value eq \"{ben}\""), &["Board"]),
        (format!("members[value eq \"{staff}\"]"), &["Board"]),
        (format!("members ne \"{ben}\""), &["Staff", "Empty"]),
        ("members.type eq \"Group\"".to_owned(), &["Board"]),
        ("members.type eq \"User\"".to_owned(), &["Staff", "Board"]),
        ("members pr".to_owned(), &["Staff", "Board"]),
        ("not (members pr)".to_owned(), &["Empty"]),
        (format!("displayName eq \"Board\" and members eq \"{ann}\""), &["Board"]),
        ("meta.resourceType eq \"Group\"".to_owned(), &["Staff", "Board", "Empty"]),
        ("id pr".to_owned(), &["Staff", "Board", "Empty"]),
    ];
    for (filter, expected) in &table {
        assert_finds(&acme, "/Groups", filter, expected).await;
    }
    for wrong in ["userName eq \"x\"", "members.color eq \"x\"", "displayName gt 5"] {
        assert_no_filter(&acme, "/Groups", wrong).await;
    }
}

#[tokio::test]
async fn a_filter_that_cannot_be_answered_is_refused_and_not_answered_with_nobody() {
    let acme = people().await;
    let wrong = [
        "favoriteColor eq \"x\"",
        "emails.color eq \"x\"",
        "urn:nobody:2.0:User:title eq \"x\"",
        "emails[color eq \"x\"]",
        "title[value eq \"x\"]",
        "password eq \"secret\"",
        "password pr",
        "title gt 5",
        "title eq true",
        "active co \"t\"",
        "active gt true",
        "name eq \"Ann\"",
        "title eq",
        "title",
        "title eq \"x",
        "title eq x",
        "(title pr",
        "title pr)",
        "not title pr",
        "title pr and",
        "and title pr",
        "emails[type eq \"work\"",
        "emails[]",
        "title is \"x\"",
        "emails[type eq \"work\" and addresses[type eq \"home\"]]",
    ];
    for filter in wrong {
        assert_no_filter(&acme, "/Users", filter).await;
    }
}

#[tokio::test]
async fn a_filter_has_bounds_in_length_depth_and_terms() {
    let acme = people().await;
    let padded = |length: usize| format!("title pr{} or title pr", " ".repeat(length - "title pr or title pr".len()));
    let deep = |depth: usize| format!("{}title pr{}", "(".repeat(depth), ")".repeat(depth));
    let terms = |count: usize| vec!["title pr"; count].join(" or ");
    let value = |length: usize| format!("title pr or title eq \"{}\"", "x".repeat(length));
    for fits in [padded(8_192), deep(16), terms(64), value(1_000)] {
        assert_finds(&acme, "/Users", &fits, &["ann", "Ben"]).await;
    }
    for exceeds in [padded(8_193), deep(17), deep(4_000), terms(65), value(1_001)] {
        assert_no_filter(&acme, "/Users", &exceeds).await;
    }
}

#[tokio::test]
async fn a_long_value_is_compared_whole() {
    let acme = Customer::new().await;
    let text = |length: usize| "x".repeat(length);
    create(&acme, "/Users", json!({ "userName": "long", "title": text(3_000) + "end" })).await;
    create(&acme, "/Users", json!({ "userName": "other", "title": text(3_000) + "and" })).await;
    let both: &[&str] = &["long", "other"];
    for length in [1, 799, 800, 801, 850, 999, 1_000] {
        assert_finds(&acme, "/Users", &format!("title sw \"{}\"", text(length)), both).await;
        assert_finds(&acme, "/Users", &format!("title eq \"{}\"", text(length)), &[]).await;
        assert_finds(&acme, "/Users", &format!("title gt \"{}\"", text(length)), both).await;
        assert_finds(&acme, "/Users", &format!("title co \"{}\"", text(length)), both).await;
    }
    assert_finds(&acme, "/Users", "title ew \"xend\"", &["long"]).await;
}

#[tokio::test]
async fn nobody_of_another_connection_is_ever_found() {
    let acme = people().await;
    let (sibling, other) = (acme.sibling(&acme.application).await, Customer::of(&acme.gateway).await);
    let mut foreign = Vec::new();
    for customer in [&sibling, &other] {
        let body = json!({ "userName": "ann", "title": "Engineer", "externalId": "E1", "emails": [{ "value": "ann@acme.test", "type": "work" }] });
        let ann = id(&create(customer, "/Users", body).await);
        foreign.push((group(customer, "Staff", &[&ann]).await, ann));
    }
    for filter in [
        "title eq \"Engineer\"",
        "externalId eq \"E1\"",
        "emails[type eq \"work\"]",
        "userName eq \"ann\"",
        "not (title ne \"engineer\")",
    ] {
        assert_finds(&acme, "/Users", filter, &["ann"]).await;
    }
    for (group, ann) in &foreign {
        assert_finds(&acme, "/Users", &format!("id eq \"{ann}\""), &[]).await;
        assert_finds(&acme, "/Users", &format!("groups.value eq \"{group}\""), &[]).await;
        assert_finds(&acme, "/Groups", &format!("members eq \"{ann}\""), &[]).await;
        assert_finds(&acme, "/Groups", &format!("id eq \"{group}\""), &[]).await;
    }
    assert_finds(&acme, "/Groups", "members pr", &[]).await;
}

#[tokio::test]
async fn the_total_is_exact_on_every_page() {
    let acme = Customer::new().await;
    for i in 0..23 {
        let body = json!({ "userName": format!("user-{i}"), "title": if i % 2 == 0 { "even" } else { "odd" }, "active": i % 3 == 0 });
        create(&acme, "/Users", body).await;
    }
    let total = |filter: &'static str| if filter.contains("even") { 12 } else { 23 };
    for filter in ["title eq \"even\"", "title pr", "title eq \"even\" and userName co \"user\""] {
        for (start, count) in [(1, 5), (1, 0), (4, 5), (12, 1), (11, 5), (13, 5), (500, 5), (1, 500)] {
            let query = format!("/Users?startIndex={start}&count={count}&filter={}", super::encoded(filter));
            let page = get(&acme, &query).await;
            let items = (total(filter) + 1 - start).clamp(0, count);
            let expected: Value = json!([total(filter), start, items]);
            assert_eq!(json!([page["totalResults"], page["startIndex"], page["itemsPerPage"]]), expected, "{query}");
            assert_eq!(names(&page).len() as i64, items, "{query}");
        }
    }
}

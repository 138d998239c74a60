//! What careless and hostile clients send: nobody else waits for it, nothing is lost by it, and no cost grows with it.

use super::{ENTERPRISE, create, encoded, find, get, group, id, names, patch, refs, user};
use crate::scim::{assert_refused, assert_says};
use gateway::{clock::Clock, setup::directory as setup};
use harness::{
    customer::{Customer, superuser, until_waiting},
    gateway_process::Gateway,
};
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::Connection;
use std::{
    cell::Cell,
    fmt::Debug,
    io::Write,
    net::TcpStream,
    sync::{Arc, Once},
    time::Duration,
};
use tracing::{Event, Metadata, Subscriber, field::Field, subscriber, subscriber::Interest};
use tracing_subscriber::{
    Registry,
    layer::{Context, Layer, SubscriberExt},
};
use uuid::Uuid;

/// Opens a request whose body does not come.
fn stall(customer: &Customer, headers: &str) -> TcpStream {
    let base = customer.scim_base();
    let (host, path) = base.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let mut stream = TcpStream::connect(host).unwrap();
    let token = &customer.token;
    let head =
        format!("POST /{path}/Users HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {token}\r\n{headers}\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    stream
}

#[tokio::test]
async fn bodies_that_do_not_come_keep_no_other_tenant_waiting() {
    let gateway =
        Gateway::start_with(Clock::manual(), |config| config.server.request_timeout = Duration::from_secs(60)).await;
    let (acme, other) = (Customer::of(&gateway).await, Customer::of(&gateway).await);
    let stalled: Vec<TcpStream> = (0..40).map(|_| stall(&acme, "content-length: 1000000")).collect();
    // They hold all that their tenant may hold once one more of it has to wait.
    let large = json!({ "userName": "ann", "title": "x".repeat(70_000) });
    for tried in 0.. {
        let asked = acme.scim(Method::POST, "/Users", Some(large.clone()));
        if tokio::time::timeout(Duration::from_secs(2), asked).await.is_err() {
            break;
        }
        assert!(tried < 50, "nothing was held");
    }
    create(&other, "/Users", large).await;
    drop(stalled);
}

#[tokio::test]
async fn a_body_that_does_not_come_is_told_so_and_one_that_is_too_large_at_once() {
    let gateway =
        Gateway::start_with(Clock::manual(), |config| config.server.request_timeout = Duration::from_secs(12)).await;
    let acme = Customer::of(&gateway).await;
    let cases = [
        ("content-length: 100", "HTTP/1.1 408 "),
        ("content-length: 100000", "HTTP/1.1 408 "),
        ("transfer-encoding: chunked", "HTTP/1.1 408 "),
        ("content-length: 99999999999", "HTTP/1.1 413 "),
    ];
    let answers = cases.map(|(headers, status)| {
        let mut stream = stall(&acme, headers);
        let answer = tokio::task::spawn_blocking(move || {
            let mut answer = Vec::new();
            std::io::Read::read_to_end(&mut stream, &mut answer).unwrap_or_default();
            String::from_utf8(answer).unwrap()
        });
        (headers, status, answer)
    });
    for (headers, status, answer) in answers {
        let answer = answer.await.unwrap();
        assert!(answer.starts_with(status), "{headers}: {answer}");
        assert!(answer.contains("urn:ietf:params:scim:api:messages:2.0:Error"), "{answer}");
    }
}

#[tokio::test]
async fn what_a_bulk_request_did_is_told_although_its_token_was_revoked_meanwhile() {
    let acme = Arc::new(Customer::new().await);
    let ann = user(&acme, "ann").await;
    let mut database = superuser().await;
    let mut tx = database.begin().await.unwrap();
    let lock = sqlx::query("SELECT FROM accounts WHERE id = $1 FOR UPDATE").bind(Uuid::parse_str(&ann).unwrap());
    lock.execute(&mut *tx).await.unwrap();
    let rename = json!({ "Operations": [{ "op": "replace", "path": "title", "value": "Dr" }] });
    let operations = json!([
        { "method": "PATCH", "path": format!("/Users/{ann}"), "data": rename },
        { "method": "POST", "path": "/Users", "bulkId": "ben", "data": { "userName": "ben" } },
    ]);
    let sender = Arc::clone(&acme);
    let sent =
        tokio::spawn(
            async move { sender.scim(Method::POST, "/Bulk", Some(json!({ "Operations": operations }))).await },
        );
    until_waiting(&mut tx, 1).await;
    let (store, now) = (&acme.gateway.app.store, acme.gateway.clock.now());
    setup::revoke_token(store, now, acme.connection, acme.token_id).await.unwrap();
    tx.rollback().await.unwrap();
    let answer = sent.await.unwrap().document(200);
    assert_says(&answer, &json!({ "Operations": [{ "status": "200" }, { "status": "401" }] }));
}

#[tokio::test]
async fn a_change_of_what_is_in_a_circle_stays() {
    let acme = Customer::new().await;
    let ben = user(&acme, "ben").await;
    let post = |endpoint: &str, bulk_id: &str, data: Value| json!({ "method": "POST", "path": endpoint, "bulkId": bulk_id, "data": data });
    let change = |path: &str, operations: Value| json!({ "method": "PATCH", "path": path, "data": { "Operations": operations } });
    let manager = |id: &str| json!({ "userName": format!("of-{id}"), ENTERPRISE: { "department": "Sales", "manager": { "value": format!("bulkId:{id}") } } });
    let answer = acme
        .scim(
            Method::POST,
            "/Bulk",
            Some(json!({ "Operations": [
                post("/Groups", "g1", json!({ "displayName": "One", "members": [{ "value": "bulkId:g2" }] })),
                post("/Groups", "g2", json!({ "displayName": "Two", "members": [{ "value": "bulkId:g1" }] })),
                change("/Groups/bulkId:g2", json!([{ "op": "replace", "path": "displayName", "value": "New" }])),
                change("/Groups/bulkId:g2", json!([{ "op": "add", "path": "members", "value": [{ "value": ben }] }])),
                post("/Users", "u1", manager("u2")),
                post("/Users", "u2", manager("u1")),
                change("/Users/bulkId:u2", json!([{ "op": "replace", "value": { "title": "Boss", "active": false, ENTERPRISE: { "department": "IT" } } }])),
            ] })),
        )
        .await
        .document(200);
    let done = answer["Operations"].as_array().unwrap();
    let at = |index: usize| {
        assert!(done[index]["status"].as_str().unwrap() < "300", "{}", done[index]);
        done[index]["location"].as_str().unwrap().strip_prefix(&acme.scim_base()).unwrap().to_owned()
    };
    let (one, two) = (get(&acme, &at(0)).await, get(&acme, &at(1)).await);
    assert_says(&two, &json!({ "displayName": "New", "meta": { "version": done[3]["version"] } }));
    let mut expected = [id(&one), ben];
    expected.sort();
    let members: Vec<&str> =
        two["members"].as_array().unwrap().iter().map(|member| member["value"].as_str().unwrap()).collect();
    assert_eq!(
        members.iter().collect::<std::collections::BTreeSet<_>>(),
        expected.iter().map(|id| id as &str).collect::<Vec<_>>().iter().collect()
    );
    let boss = get(&acme, &at(5)).await;
    let clerk = get(&acme, &at(4)).await;
    assert_says(
        &boss,
        &json!({ "title": "Boss", "active": false, ENTERPRISE: { "department": "IT", "manager": { "value": clerk["id"] } } }),
    );
    assert_says(&clerk, &json!({ ENTERPRISE: { "department": "Sales", "manager": { "value": boss["id"] } } }));
}

/// Groups in layers, each of a layer a member of all of the next one, and users in all of the first.
async fn layers(customer: &Customer, layers: i32, width: i32, users: i32) {
    let first = user(customer, "first").await;
    super::fill(customer, &first, None, users).await;
    let mut database = superuser().await;
    let name = "'L' || layer || '-' || n";
    for statement in [
        format!(
            "INSERT INTO groups (tenant_id, id, connection_id, display_name, display_name_key, version, created_at, updated_at)
             SELECT $1, gen_random_uuid(), $2, {name}, lower({name}), 1, now(), now()
             FROM generate_series(1, $3) AS layer, generate_series(1, $4) AS n"
        ),
        "INSERT INTO group_groups (tenant_id, connection_id, group_id, member_id)
         SELECT $1, $2, upper.id, lower.id FROM groups upper JOIN groups lower ON upper.connection_id = $2 AND lower.connection_id = $2
         WHERE split_part(upper.display_name, '-', 1) = 'L' || (substr(split_part(lower.display_name, '-', 1), 2)::integer + 1)
           AND $3 > 0 AND $4 > 0"
            .to_owned(),
        "INSERT INTO group_members (tenant_id, connection_id, group_id, account_id)
         SELECT $1, $2, g.id, a.id FROM groups g JOIN accounts a ON a.connection_id = $2 AND g.connection_id = $2
         WHERE g.display_name LIKE 'L1-%' AND $3 > 0 AND $4 > 0"
            .to_owned(),
    ] {
        let query = sqlx::query(sqlx::AssertSqlSafe(statement));
        query.bind(customer.tenant.0).bind(customer.connection.0).bind(layers).bind(width).execute(&mut database).await.unwrap();
    }
    database.close().await.unwrap();
}

#[tokio::test]
async fn a_page_of_users_deep_in_groups_is_answered() {
    let acme = Customer::new().await;
    layers(&acme, 15, 40, 60).await;
    let page = get(&acme, "/Users?sortBy=userName&count=100").await;
    assert_eq!(page["totalResults"], 61);
    for user in page["Resources"].as_array().unwrap() {
        let groups = user["groups"].as_array().unwrap();
        let direct = groups.iter().filter(|group| group["type"] == "direct").count();
        assert_eq!((groups.len(), direct), (600, 40));
    }
    let one = get(&acme, &format!("/Users/{}", id(&page["Resources"][0]))).await;
    assert_eq!(one["groups"], page["Resources"][0]["groups"]);
}

#[tokio::test]
async fn a_version_or_encoding_that_cannot_be_read_changes_nothing() {
    let acme = Customer::new().await;
    let path = format!("/Users/{}", user(&acme, "ann").await);
    let authorization = format!("Bearer {}", acme.token);
    let body = r#"{"userName":"ann","title":"Dr"}"#;
    let json = ("content-type", "application/scim+json");
    let version = reqwest::Client::new().put(format!("{}{path}", acme.scim_base())).bearer_auth(&acme.token);
    let version = version.header("if-match", reqwest::header::HeaderValue::from_bytes(b"W/\"\xff9\"").unwrap());
    assert_eq!(version.header(json.0, json.1).body(body).send().await.unwrap().status(), 412);
    for (headers, status) in [
        ([("content-encoding", "gzip"), json], 415),
        ([("content-type", "application/json; charset=utf-16"), ("accept", "*/*")], 415),
        ([("if-none-match", "*"), json], 412),
        ([("if-none-match", "W/\"1\""), json], 412),
    ] {
        let headers = [&[("authorization", authorization.as_str())][..], &headers[..]].concat();
        assert_refused(&acme.sends(Method::PUT, &path, &headers, body).await, status, None);
    }
    assert!(get(&acme, &path).await.get("title").is_none());
}

#[tokio::test]
async fn an_id_has_no_other_spelling() {
    let acme = Customer::new().await;
    let ann = user(&acme, "ann").await;
    let staff = group(&acme, "Staff", &[&ann]).await;
    for spelling in [ann.replace('-', ""), format!("urn:uuid:{ann}"), format!("%7B{ann}%7D")] {
        assert_refused(&acme.scim(Method::GET, &format!("/Users/{spelling}"), None).await, 404, None);
        assert_refused(&acme.scim(Method::DELETE, &format!("/Users/{spelling}"), None).await, 404, None);
        let removal = json!([{ "op": "remove", "path": "members", "value": [{ "value": spelling }] }]);
        let after = patch(&acme, &format!("/Groups/{staff}"), removal).await.document(200);
        assert_eq!(after["members"].as_array().unwrap().len(), 1, "{spelling}");
    }
}

#[tokio::test]
async fn members_are_found_and_removed_by_id_and_type_together() {
    let acme = Customer::new().await;
    let (ann, ben) = (user(&acme, "ann").await, user(&acme, "ben").await);
    let inner = group(&acme, "Inner", &[&ben]).await;
    let outer = group(&acme, "Outer", &[&ann, &ben, &inner]).await;
    for (filter, expected) in [
        (format!("members[value eq \"{ann}\" and type eq \"User\"]"), vec!["Outer"]),
        (format!("members[value eq \"{ann}\" and type eq \"Group\"]"), vec![]),
        ("members[type eq \"User\" and not (type eq \"Group\")]".to_owned(), vec!["Inner", "Outer"]),
        (format!("members[type eq \"Group\" or value eq \"{ann}\"]"), vec!["Outer"]),
    ] {
        super::assert_finds(&acme, "/Groups", &filter, &expected).await;
    }
    let path = format!("/Groups/{outer}");
    let remove = |filter: String| json!([{ "op": "remove", "path": format!("members[{filter}]") }]);
    let ids = |group: &Value| {
        let members = group["members"].as_array().unwrap();
        members.iter().map(|member| member["value"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let after = patch(&acme, &path, remove(format!("value eq \"{ann}\" and type eq \"Group\""))).await.document(200);
    assert_eq!(ids(&after).len(), 3);
    let after = patch(&acme, &path, remove(format!("value ne \"{ann}\" and type eq \"User\""))).await.document(200);
    assert_eq!(ids(&after), [ann, inner.clone()]);
    let after = patch(&acme, &path, remove("type eq \"user\"".to_owned())).await.document(200);
    assert_eq!(ids(&after), [inner]);
}

#[tokio::test]
async fn a_client_that_wants_little_gets_little() {
    let acme = Customer::new().await;
    let ann = user(&acme, "ann").await;
    let path = format!("/Groups/{}", group(&acme, "Staff", &[&ann]).await);
    let body = json!({ "Operations": [{ "op": "replace", "path": "displayName", "value": "All" }] }).to_string();
    let authorization = format!("Bearer {}", acme.token);
    let headers = [
        ("authorization", authorization.as_str()),
        ("content-type", "application/scim+json"),
        ("prefer", "respond-async, return=minimal"),
    ];
    let answer = acme.sends(Method::PATCH, &path, &headers, &body).await;
    assert_eq!(answer.headers["preference-applied"], "return=minimal");
    let shown = answer.document(200);
    assert_eq!((&shown["displayName"], shown.get("members")), (&json!("All"), None));
}

#[tokio::test]
async fn a_walk_over_users_and_groups_by_cursor_sees_each_once() {
    let acme = Customer::new().await;
    for number in 0..7 {
        let user = user(&acme, &format!("user-{number}")).await;
        group(&acme, &format!("Group {number}"), &[&user]).await;
    }
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = get(&acme, &format!("?count=3&cursor={cursor}")).await;
        assert_eq!(page["itemsPerPage"], names(&page).len());
        seen.extend(names(&page).into_iter().map(str::to_owned));
        let Some(next) = page["nextCursor"].as_str() else { break };
        next.clone_into(&mut cursor);
    }
    // Users first; what was created in one moment is in no other order.
    seen[..7].sort();
    seen[7..].sort();
    let expected = (0..7).map(|n| format!("user-{n}")).chain((0..7).map(|n| format!("Group {n}")));
    assert_eq!(seen, expected.collect::<Vec<_>>());
    let elsewhere = acme.scim(Method::GET, &format!("/Users?cursor={cursor}"), None).await;
    assert_refused(&elsewhere, 400, Some("invalidCursor"));
}

#[tokio::test]
async fn the_version_of_a_user_is_nothing_to_search_by() {
    let acme = Customer::new().await;
    let ann = user(&acme, "ann").await;
    group(&acme, "Staff", &[&ann]).await;
    let version = get(&acme, &format!("/Users/{ann}")).await["meta"]["version"].clone();
    let filter = format!("meta.version eq {version}");
    super::assert_no_filter(&acme, "/Users", &filter).await;
    super::assert_finds(&acme, "/Users", "meta.version pr", &["ann"]).await;
    assert!(find(&acme, "/Groups", "meta.version eq \"W/\\\"1\\\"\"").await.document(200)["totalResults"] == 1);
}

#[tokio::test]
async fn a_manager_is_removed_by_whatever_says_nobody() {
    let acme = Customer::new().await;
    let ann = user(&acme, "ann").await;
    let ben = format!("/Users/{}", user(&acme, "ben").await);
    let manager = format!("{ENTERPRISE}:manager");
    for (op, nobody) in [("Add", json!("")), ("Add", Value::Null), ("Replace", json!("")), ("Replace", json!([]))] {
        let set = json!([{ "op": "Add", "path": manager, "value": ann }]);
        assert_says(
            &patch(&acme, &ben, set).await.document(200),
            &json!({ ENTERPRISE: { "manager": { "value": ann } } }),
        );
        let gone = patch(&acme, &ben, json!([{ "op": op, "path": manager, "value": nobody }])).await.document(200);
        assert!(gone.get(ENTERPRISE).is_none(), "{op} {nobody}: {gone}");
    }
}

thread_local! {
    /// Statements that were asked of the database on this thread, while it counts.
    static ASKED: Cell<Option<usize>> = const { Cell::new(None) };
}

/// Counts statements on the threads that want to know: a test and its gateway have one thread together.
struct Statements;

/// Whether an event tells of a named statement, and of one that is written behind requests.
#[derive(Default)]
struct Told {
    named: bool,
    behind: bool,
}

impl tracing::field::Visit for Told {
    fn record_debug(&mut self, _field: &Field, value: &dyn Debug) {
        let text = format!("{value:?}");
        self.named |= text.contains("-- ") || text.contains("EXECUTE bearer");
        self.behind |= ["exchanges::", "scim_tokens::used"].iter().any(|name| text.contains(name));
    }
}

impl<S: Subscriber> Layer<S> for Statements {
    fn register_callsite(&self, _: &'static Metadata<'static>) -> Interest {
        Interest::sometimes()
    }

    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        metadata.target() == "sqlx::query" && ASKED.get().is_some()
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut told = Told::default();
        event.record(&mut told);
        if told.named && !told.behind {
            ASKED.set(ASKED.get().map(|count| count + 1));
        }
    }
}

/// How many statements a piece of work takes.
pub async fn statements<T>(work: impl Future<Output = T>) -> usize {
    static COUNTING: Once = Once::new();
    COUNTING.call_once(|| subscriber::set_global_default(Registry::default().with(Statements)).unwrap());
    ASKED.set(Some(0));
    work.await;
    ASKED.take().unwrap()
}

#[tokio::test]
async fn a_change_of_a_thousand_members_asks_the_database_a_few_times() {
    let acme = Customer::new().await;
    let first = user(&acme, "first").await;
    let copies = super::fill(&acme, &first, None, 1_000);
    copies.await;
    let mut database = superuser().await;
    let query = "SELECT id::text FROM accounts WHERE connection_id = $1 ORDER BY id";
    let ids: Vec<String> = sqlx::query_scalar(query).bind(acme.connection.0).fetch_all(&mut database).await.unwrap();
    database.close().await.unwrap();
    let path = format!("/Groups/{}?excludedAttributes=members", group(&acme, "Staff", &[]).await);
    let all: Vec<&String> = ids.iter().collect();
    let rename = json!({ "op": "replace", "value": { "id": "x", "displayName": "Staff" } });
    let add = |ids: &[&String]| json!({ "op": "add", "path": "members", "value": refs(ids) });
    let remove = |id: &&String| json!({ "op": "remove", "path": format!("members[value eq \"{id}\"]") });
    // As Okta sends it, each with the name; as Entra does; one by one.
    let one_by_one =
        |ids: &[&String]| -> Vec<Value> { ids.iter().flat_map(|id| [add(&[id]), rename.clone()]).collect() };
    let mixed = |ids: &[&String]| -> Vec<Value> { ids.iter().flat_map(|id| [remove(id), add(&[id])]).collect() };
    for (how, few, many) in [
        ("at once", vec![add(&all[..1])], vec![add(&all)]),
        ("none of them new", vec![add(&all[..1])], vec![add(&all)]),
        ("removed one by one", all[..1].iter().map(remove).collect(), all[1..].iter().map(remove).collect()),
        ("added one by one", one_by_one(&all[..1]), one_by_one(&all[1..500])),
        ("removed and added", mixed(&all[..1]), mixed(&all[500..1_000])),
    ] {
        // A connection asks some things the first time only.
        patch(&acme, &path, json!([rename])).await.document(200);
        let of_one = statements(async { patch(&acme, &path, json!(few)).await.document(200) }).await;
        let of_many = statements(async { patch(&acme, &path, json!(many)).await.document(200) }).await;
        // The credential, once more before a large body is read; the group; who goes, who comes; the version; the event.
        assert!((3..=7).contains(&of_one) && (3..=7).contains(&of_many), "{how}: {of_one}, {of_many}");
    }
    let filter = encoded("userName eq \"first\"");
    let listed = statements(async { get(&acme, &format!("/Users?filter={filter}")).await }).await;
    assert_eq!(listed, 1, "the credential, and the page with its groups");
    let read = statements(async { get(&acme, &format!("/Users/{first}")).await }).await;
    assert_eq!(read, 1, "the credential, and the user with its groups");
}

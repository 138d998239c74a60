//! SCIM groups: Okta's group push in both dialects, members as rows, what is unknown, foreign or too much.

use crate::scim::{assert_refused, assert_says, path};
use harness::customer::{Customer, ScimAnswer, superuser, until_waiting};
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::Connection;
use std::collections::BTreeSet;
use time::Duration;
use uuid::Uuid;

const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
const FIND: &str = "/Groups?filter=displayName%20eq%20%22Test%20SCIMv2%22&startIndex=1&count=100";

/// Creates users of these names, one after the other; answers their ids.
async fn users<const N: usize>(customer: &Customer, names: [&str; N]) -> [String; N] {
    let mut ids = Vec::new();
    for name in names {
        let body = json!({ "userName": name });
        let created = customer.scim(Method::POST, "/Users", Some(body)).await.document(201);
        ids.push(created["id"].as_str().unwrap().to_owned());
        // Those of one moment would be listed in any order.
        customer.gateway.clock.advance(Duration::milliseconds(1));
    }
    ids.try_into().unwrap()
}

/// Creates a group; answers its document.
async fn group(customer: &Customer, name: &str, members: &[&String]) -> Value {
    let body = json!({ "displayName": name, "members": refs(members) });
    customer.scim(Method::POST, "/Groups", Some(body)).await.document(201)
}

async fn read(customer: &Customer, group: &Value) -> Value {
    customer.scim(Method::GET, &path("Groups", group), None).await.document(200)
}

fn refs(ids: &[&String]) -> Value {
    ids.iter().map(|id| json!({ "value": id })).collect()
}

fn patch(operations: Value) -> Value {
    json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations })
}

fn add(ids: &[&String]) -> Value {
    patch(json!([{ "op": "add", "path": "members", "value": refs(ids) }]))
}

fn remove(id: &str) -> Value {
    patch(json!([{ "op": "remove", "path": format!("members[value eq \"{id}\"]") }]))
}

/// The ids of a group's members.
#[track_caller]
fn members(group: &Value) -> BTreeSet<String> {
    let members = group["members"].as_array().unwrap_or_else(|| panic!("no members in {group}"));
    members.iter().map(|member| member["value"].as_str().unwrap().to_owned()).collect()
}

fn set(ids: &[&String]) -> BTreeSet<String> {
    ids.iter().map(|id| (*id).clone()).collect()
}

#[tokio::test]
async fn okta_custom_app_pushes_a_group_word_for_word() {
    let acme = Customer::new().await;
    let [ann, ben] = users(&acme, ["ann@acme.test", "ben@acme.test"]).await;
    let found = acme.okta_sends(Method::GET, FIND, None).await.document(200);
    assert_says(&found, &json!({ "totalResults": 0, "startIndex": 1, "itemsPerPage": 0, "Resources": [] }));

    let body =
        r#"{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"Test SCIMv2","members":[]}"#;
    let answer = acme.okta_sends(Method::POST, "/Groups", Some(body)).await;
    let location = answer.headers["location"].to_str().unwrap().to_owned();
    let created = answer.document(201);
    let (at, made) = (path("Groups", &created), created["meta"]["created"].clone());
    let meta = json!({ "resourceType": "Group", "created": made, "lastModified": made, "location": location, "version": "W/\"1\"" });
    let expected =
        json!({ "schemas": [GROUP], "id": created["id"], "displayName": "Test SCIMv2", "members": [], "meta": meta });
    assert_eq!(created, expected);
    assert_eq!(location, format!("{}{at}", acme.scim_base()));
    assert_eq!(acme.okta_sends(Method::GET, FIND, None).await.document(200)["Resources"], json!([created]));
    assert_eq!(acme.okta_sends(Method::GET, &at, None).await.document(200), created);

    acme.gateway.clock.advance(Duration::seconds(5));
    for ids in [vec![&ann], vec![&ann, &ben], vec![&ben], vec![]] {
        let members: Vec<Value> =
            ids.iter().map(|id| json!({ "value": id, "display": "test.user@okta.local" })).collect();
        let body = json!({ "schemas": [GROUP], "displayName": "Test SCIMv2", "members": members });
        let answer = acme.okta_sends(Method::PUT, &at, Some(&body.to_string())).await.document(200);
        assert_says(
            &answer,
            &json!({ "id": created["id"], "displayName": "Test SCIMv2", "meta": { "created": made } }),
        );
        assert_eq!(self::members(&answer), set(&ids));
        let shown =
            |id: &&String| json!({ "value": id, "type": "User", "$ref": format!("{}/Users/{id}", acme.scim_base()) });
        let mut ids = ids;
        ids.sort();
        assert_eq!(answer["members"], ids.iter().map(shown).collect::<Value>(), "exactly what /Schemas advertises");
        assert_eq!(acme.okta_sends(Method::GET, &at, None).await.document(200), answer);
    }
    let renamed = json!({ "schemas": [GROUP], "displayName": "Renamed", "members": refs(&[&ann]) });
    let renamed = acme.okta_sends(Method::PUT, &at, Some(&renamed.to_string())).await.document(200);
    assert_says(&renamed, &json!({ "displayName": "Renamed", "members": [{ "value": ann }] }));
    let all = acme.okta_sends(Method::GET, "/Groups?startIndex=1&count=100", None).await.document(200);
    assert_says(&all, &json!({ "totalResults": 1, "startIndex": 1, "itemsPerPage": 1, "Resources": [renamed] }));
}

#[tokio::test]
async fn okta_catalogue_app_pushes_a_group_word_for_word() {
    let acme = Customer::new().await;
    let [ann, ben, eve] = users(&acme, ["ann@acme.test", "ben@acme.test", "eve@acme.test"]).await;
    let body = r#"{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"Test","members":[]}"#;
    let created = acme.okta_sends(Method::POST, "/Groups", Some(body)).await.document(201);
    let at = path("Groups", &created);
    let rename = r#"{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","value":{"id":"ID","displayName":"Test SCIMv2"}}]}"#;
    let rename = rename.replace("ID", created["id"].as_str().unwrap());
    let full = r#"{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","path":"members","value":[{"value":"ANN","display":"ann@acme.test"},{"value":"BEN","display":"ben@acme.test"}]}]}"#;
    let change = r#"{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"remove","path":"members[value eq \"ANN\"]"},{"op":"add","path":"members","value":[{"value":"EVE","display":"eve@acme.test"}]}]}"#;
    let named = |body: &str| body.replace("ANN", &ann).replace("BEN", &ben).replace("EVE", &eve);
    for (body, expected) in [(named(full), [&ann, &ben]), (named(change), [&ben, &eve])] {
        let renamed = acme.okta_sends(Method::PATCH, &at, Some(&rename)).await.document(200);
        assert_says(&renamed, &json!({ "id": created["id"], "displayName": "Test SCIMv2" }));
        let answer = acme.okta_sends(Method::PATCH, &at, Some(&body)).await.document(200);
        assert_eq!((members(&answer), &answer["displayName"]), (set(&expected), &json!("Test SCIMv2")));
        assert_eq!(acme.okta_sends(Method::GET, &at, None).await.document(200), answer);
    }
    assert_eq!(acme.okta_sends(Method::GET, FIND, None).await.document(200)["totalResults"], 1);
}

#[tokio::test]
async fn every_way_to_write_members_is_understood() {
    let acme = Customer::new().await;
    let [ann, ben] = users(&acme, ["ann", "ben"]).await;
    let staff = group(&acme, "org-cd1:viewer", &[]).await;
    let at = path("Groups", &staff);
    let (id, both) = (&staff["id"], refs(&[&ann, &ben]));
    let table = [
        (
            "full, without path or schemas",
            json!([{ "op": "replace", "value": { "members": both, "id": id, "displayName": "org-cd1:viewer" } }]),
            vec![&ann, &ben],
        ),
        (
            "null says nothing",
            json!([{ "op": "replace", "value": { "members": null, "id": id, "displayName": "org-cd1:viewer" } }]),
            vec![&ann, &ben],
        ),
        (
            "Entra, old",
            json!([{ "op": "Remove", "path": "members", "value": [{ "$ref": null, "value": ann }] }]),
            vec![&ben],
        ),
        (
            "Entra, old",
            json!([{ "op": "Add", "path": "members", "value": [{ "$ref": null, "value": ann }] }]),
            vec![&ann, &ben],
        ),
        (
            "empty, without path",
            json!([{ "op": "replace", "value": { "members": [], "id": id, "displayName": "org-cd1:viewer" } }]),
            vec![],
        ),
        ("add, without path", json!([{ "op": "add", "value": { "members": both } }]), vec![&ann, &ben]),
        (
            "two filters",
            json!([{ "op": "remove", "path": format!("members[value eq \"{ann}\" or value eq \"{ben}\"]") }]),
            vec![],
        ),
        ("the same twice", json!([{ "op": "add", "path": "members", "value": refs(&[&ann, &ann]) }]), vec![&ann]),
        (
            "in order",
            json!([{ "op": "remove", "path": format!("members[value eq \"{ann}\"]") }, { "op": "add", "path": "members", "value": refs(&[&ann]) }]),
            vec![&ann],
        ),
        (
            "in order",
            json!([{ "op": "add", "path": "members", "value": both }, { "op": "remove", "path": format!("members[value eq \"{ben}\"]") }]),
            vec![&ann],
        ),
        ("all of them", json!([{ "op": "remove", "path": "members" }]), vec![]),
    ];
    for (what, operations, expected) in table {
        let answer = acme.scim(Method::PATCH, &at, Some(json!({ "Operations": operations }))).await.document(200);
        assert_eq!(members(&answer), set(&expected), "{what}");
    }
    acme.scim(Method::PATCH, &at, Some(add(&[&ann]))).await.document(200);
    for body in
        [json!({ "displayName": "org-cd1:viewer", "members": null }), json!({ "displayName": "org-cd1:viewer" })]
    {
        let answer = acme.scim(Method::PUT, &at, Some(body)).await.document(200);
        assert_eq!(members(&answer), set(&[&ann]), "a PUT that is silent about members leaves them");
    }
    let created = acme.scim(Method::POST, "/Groups", Some(json!({ "displayName": "Null", "members": null }))).await;
    assert_eq!(members(&created.document(201)), set(&[]));
}

#[tokio::test]
async fn a_patch_with_one_wrong_operation_changes_nothing() {
    let acme = Customer::new().await;
    let [ann, ben] = users(&acme, ["ann", "ben"]).await;
    let staff = group(&acme, "Staff", &[&ann]).await;
    let wrong = [
        json!({ "op": "remove", "path": "displayName" }),
        json!({ "op": "replace", "path": "displayName", "value": "" }),
        json!({ "op": "remove", "path": "members[value co \"x\"]" }),
        json!({ "op": "frob", "path": "members" }),
    ];
    let before = read(&acme, &staff).await;
    for wrong in wrong {
        let good = json!({ "op": "add", "path": "members", "value": refs(&[&ben]) });
        let body = patch(json!([good, { "op": "replace", "path": "displayName", "value": "New" }, wrong]));
        let answer = acme.scim(Method::PATCH, &path("Groups", &staff), Some(body)).await;
        let scim_type = answer.body["scimType"].as_str().unwrap_or_default().to_owned();
        assert_refused(&answer, 400, Some(&scim_type));
        assert_eq!(read(&acme, &staff).await, before, "{wrong}");
    }
}

#[tokio::test]
async fn an_unknown_member_is_recorded_and_the_others_are_added() {
    let acme = Customer::new().await;
    let [ann, ben] = users(&acme, ["ann", "ben"]).await;
    let ghost = Uuid::new_v4().to_string();
    let odd = "not-an-id".to_owned();
    let staff = group(&acme, "Staff", &[&ghost, &ann]).await;
    assert_eq!(members(&staff), set(&[&ann]));
    let at = path("Groups", &staff);
    let answer = acme.scim(Method::PATCH, &at, Some(add(&[&odd, &ben, &ghost]))).await.document(200);
    assert_eq!(members(&answer), set(&[&ann, &ben]));
    let body = json!({ "displayName": "Staff", "members": refs(&[&ghost, &ben]) });
    let answer = acme.scim(Method::PUT, &at, Some(body)).await.document(200);
    assert_eq!(members(&answer), set(&[&ben]));
    let failed: Vec<Value> = acme.events("provisioning.failed").await;
    // Only ids of ours are repeated: another text could be anything, a name included.
    let expected = [1, 2, 1];
    assert_eq!(failed.len(), expected.len());
    for (event, count) in failed.iter().zip(expected) {
        let data = json!({ "code": "GH-GRP-003", "problem": "unknown member", "count": count, "members": [ghost] });
        assert_says(event, &json!({ "subject": "group", "subject_id": staff["id"], "data": data }));
    }
    let events = acme.events("provisioning.failed").await.len();
    acme.scim(Method::PATCH, &at, Some(remove(&ghost))).await.document(200);
    acme.scim(Method::PATCH, &at, Some(remove(&odd))).await.document(200);
    assert_eq!(acme.events("provisioning.failed").await.len(), events, "who is to go and is not there is no failure");
}

#[tokio::test]
async fn many_unknown_members_are_counted_and_some_are_named() {
    let acme = Customer::new().await;
    let ghosts: Vec<String> = (0..150).map(|_| Uuid::new_v4().to_string()).collect();
    group(&acme, "Staff", &ghosts.iter().collect::<Vec<_>>()).await;
    let failed = acme.events("provisioning.failed").await;
    assert_says(&json!(failed), &json!([{ "data": { "count": 150 } }]));
    assert_eq!(failed[0]["data"]["members"].as_array().map(Vec::len), Some(20));
}

#[tokio::test]
async fn a_repeated_change_of_members_leaves_no_trace() {
    let acme = Customer::new().await;
    let [ann, ben] = users(&acme, ["ann", "ben"]).await;
    let staff = group(&acme, "Staff", &[&ann]).await;
    let at = path("Groups", &staff);
    acme.gateway.clock.advance(Duration::minutes(1));
    let put = json!({ "schemas": [GROUP], "displayName": "Staff", "members": refs(&[&ann]) });
    let rename = patch(json!([{ "op": "replace", "value": { "id": staff["id"], "displayName": "Staff" } }]));
    let whole = patch(json!([{ "op": "replace", "path": "members", "value": refs(&[&ann]) }]));
    for (method, body) in [
        (Method::PATCH, add(&[&ann])),
        (Method::PATCH, remove(&ben)),
        (Method::PATCH, remove(&Uuid::new_v4().to_string())),
        (Method::PATCH, rename),
        (Method::PATCH, whole),
        (Method::PUT, put),
    ] {
        assert_eq!(acme.scim(method, &at, Some(body)).await.document(200), staff, "lastModified and version included");
    }
    assert_eq!(acme.events("group.members_changed").await.len(), 1, "the one of the creation");
    assert_eq!(acme.events("group.updated").await.len(), 0);
    let changed = acme.scim(Method::PATCH, &at, Some(add(&[&ben]))).await.document(200);
    assert_eq!(changed["meta"]["version"], "W/\"2\"", "a real change does count");
    assert_ne!(changed["meta"]["lastModified"], staff["meta"]["lastModified"]);
}

#[tokio::test]
async fn a_display_name_is_unique_in_its_connection_without_regard_to_case() {
    let acme = Customer::new().await;
    let staff = group(&acme, "Büro Ärzte", &[]).await;
    let other = group(&acme, "Other", &[]).await;
    let taken = json!({ "displayName": "BÜRO ÄRZTE" });
    let rename = patch(json!([{ "op": "replace", "value": { "displayName": "büro ärzte" } }]));
    let at = path("Groups", &other);
    for (method, at, body) in
        [(Method::POST, "/Groups", taken.clone()), (Method::PUT, &at, taken), (Method::PATCH, &at, rename)]
    {
        assert_refused(&acme.scim(method, at, Some(body)).await, 409, Some("uniqueness"));
    }
    assert_eq!(read(&acme, &other).await, other);
    let found =
        acme.scim(Method::GET, "/Groups?filter=displayName+eq+%22b%C3%BCro+%C3%A4rzte%22", None).await.document(200);
    assert_eq!(found["Resources"], json!([staff]));
    let respelled = json!({ "displayName": "BÜRO ärzte" });
    let respelled = acme.scim(Method::PUT, &path("Groups", &staff), Some(respelled)).await.document(200);
    assert_eq!(respelled["displayName"], "BÜRO ärzte", "another spelling of its own name is no conflict");
    group(&acme.sibling(&acme.application).await, "Büro Ärzte", &[]).await;
    group(&Customer::of(&acme.gateway).await, "Büro Ärzte", &[]).await;
}

#[tokio::test]
async fn members_are_left_out_when_excluded() {
    let acme = Customer::new().await;
    let [ann] = users(&acme, ["ann"]).await;
    let staff = group(&acme, "Staff", &[&ann]).await;
    let at = path("Groups", &staff);
    let mut bare = staff.clone();
    bare.as_object_mut().unwrap().remove("members");
    let list = "/Groups?excludedAttributes=members&filter=displayName%20eq%20%22Staff%22";
    assert_eq!(acme.scim(Method::GET, list, None).await.document(200)["Resources"], json!([bare]));
    for query in [
        "excludedAttributes=members",
        "excludedattributes=Members",
        "excludedAttributes=urn:ietf:params:scim:schemas:core:2.0:Group:members",
    ] {
        assert_eq!(acme.scim(Method::GET, &format!("{at}?{query}"), None).await.document(200), bare, "{query}");
    }
    let patched = acme.scim(Method::PATCH, &format!("{at}?excludedAttributes=members"), Some(add(&[&ann]))).await;
    assert_eq!(patched.document(200), bare);
    let only = acme.scim(Method::GET, &format!("{at}?attributes=displayName"), None).await.document(200);
    assert_eq!(only, json!({ "schemas": [GROUP], "id": staff["id"], "displayName": "Staff" }));
}

#[tokio::test]
async fn of_sixteen_writers_at_once_none_loses_a_member() {
    let acme = Customer::new().await;
    let staff = group(&acme, "Staff", &[]).await;
    let mut ids = Vec::new();
    for i in 0..32 {
        ids.extend(users(&acme, [format!("user-{i}").as_str()]).await);
    }
    let url = format!("{}{}", acme.scim_base(), path("Groups", &staff));
    let mut tasks = tokio::task::JoinSet::new();
    for pair in ids.chunks(2) {
        let (url, token, body) = (url.clone(), acme.token.clone(), add(&[&pair[0], &pair[1]]).to_string());
        tasks.spawn(async move {
            let request = reqwest::Client::new().patch(url).bearer_auth(token).body(body);
            ScimAnswer::read(request.header("content-type", "application/scim+json").send().await.unwrap()).await
        });
    }
    for answer in tasks.join_all().await {
        answer.document(200);
    }
    let after = read(&acme, &staff).await;
    assert_eq!(members(&after), ids.into_iter().collect());
    assert_eq!(after["meta"]["version"], "W/\"17\"", "every change was counted");
}

#[tokio::test]
async fn a_member_who_is_deleted_meanwhile_is_no_reason_to_refuse_the_others() {
    let acme = Customer::new().await;
    let [ann, ben] = users(&acme, ["ann", "ben"]).await;
    let staff = group(&acme, "Staff", &[]).await;
    // Ann is on her way out: the addition has seen her, and waits.
    let mut database = superuser().await;
    let mut tx = database.begin().await.unwrap();
    let leave = sqlx::query("DELETE FROM accounts WHERE id = $1").bind(Uuid::parse_str(&ann).unwrap());
    leave.execute(&mut *tx).await.unwrap();
    let release = async {
        until_waiting(&mut tx, 1).await;
        tx.commit().await.unwrap();
    };
    let at = path("Groups", &staff);
    let (answer, ()) = tokio::join!(acme.scim(Method::PATCH, &at, Some(add(&[&ann, &ben]))), release);
    assert_eq!(members(&answer.document(200)), set(&[&ben]));
    let failed = acme.events("provisioning.failed").await;
    assert_says(&json!(failed), &json!([{ "data": { "problem": "unknown member", "members": [ann] } }]));
}

#[tokio::test]
async fn a_deactivated_user_stays_in_its_groups_and_shows_them() {
    let acme = Customer::new().await;
    let [ann, ben] = users(&acme, ["ann", "ben"]).await;
    let staff = group(&acme, "Staff", &[&ann, &ben]).await;
    acme.gateway.clock.advance(Duration::seconds(1));
    let board = group(&acme, "Board", &[&ann]).await;
    let at = format!("/Users/{ann}");
    let shown = |group: &Value| {
        let id = group["id"].as_str().unwrap();
        let location = format!("{}/Groups/{id}", acme.scim_base());
        json!({ "value": id, "display": group["displayName"], "$ref": location, "type": "direct" })
    };
    let both = json!([shown(&staff), shown(&board)]);
    for active in [true, false, true] {
        let body = patch(json!([{ "op": "replace", "value": { "active": active } }]));
        let answer = acme.scim(Method::PATCH, &at, Some(body)).await.document(200);
        assert_eq!((&answer["active"], &answer["groups"]), (&json!(active), &both));
        assert_eq!(members(&read(&acme, &staff).await), set(&[&ann, &ben]));
    }
    let listed = acme.scim(Method::GET, "/Users", None).await.document(200);
    assert_says(&listed, &json!({ "Resources": [{ "groups": both }, { "groups": [{ "value": staff["id"] }] }] }));

    acme.scim(Method::DELETE, &path("Groups", &board), None).await.document(204);
    assert_refused(&acme.scim(Method::GET, &path("Groups", &board), None).await, 404, None);
    assert_refused(&acme.scim(Method::DELETE, &path("Groups", &board), None).await, 404, None);
    let after = acme.scim(Method::GET, &at, None).await.document(200);
    assert_eq!((&after["groups"], &after["active"]), (&json!([both[0]]), &json!(true)), "members outlive their group");
    acme.scim(Method::DELETE, &at, None).await.document(204);
    assert_eq!(members(&read(&acme, &staff).await), set(&[&ben]));
}

#[tokio::test]
async fn a_member_of_another_connection_or_tenant_is_never_added() {
    let acme = Customer::new().await;
    let (sibling, other) = (acme.sibling(&acme.application).await, Customer::of(&acme.gateway).await);
    let ([own], [near], [far]) =
        (users(&acme, ["ann"]).await, users(&sibling, ["ann"]).await, users(&other, ["ann"]).await);
    let staff = group(&acme, "Staff", &[&near, &far]).await;
    assert_eq!(members(&staff), set(&[]));
    let at = path("Groups", &staff);
    let all = [&own, &near, &far];
    let put = json!({ "displayName": "Staff", "members": refs(&all) });
    let whole = patch(json!([{ "op": "replace", "path": "members", "value": refs(&all) }]));
    for (method, body) in [(Method::PATCH, add(&all)), (Method::PUT, put), (Method::PATCH, whole)] {
        assert_eq!(members(&acme.scim(method, &at, Some(body)).await.document(200)), set(&[&own]));
    }
    for (customer, id) in [(&sibling, &near), (&other, &far)] {
        let document = customer.scim(Method::GET, &format!("/Users/{id}"), None).await.document(200);
        assert_says(&document, &json!({ "groups": null }));
    }
    let mut unknown = [near, far];
    unknown.sort();
    let failed = acme.events("provisioning.failed").await;
    assert_eq!(failed.len(), 4);
    failed.iter().for_each(|event| assert_eq!(event["data"]["members"], json!(unknown)));
}

#[tokio::test]
async fn a_change_of_a_large_group_is_answered_without_its_members() {
    let acme = Customer::new().await;
    let [ann, ben] = users(&acme, ["ann", "ben"]).await;
    let staff = group(&acme, "Staff", &[&ann]).await;
    let id = Uuid::parse_str(staff["id"].as_str().unwrap()).unwrap();
    // Copies of Ann.
    fill(Uuid::parse_str(&ann).unwrap(), id, 99).await;
    let at = path("Groups", &staff);
    assert_eq!(members(&read(&acme, &staff).await).len(), 100);

    let added = acme.scim(Method::PATCH, &at, Some(add(&[&ben]))).await.document(200);
    assert_says(
        &added,
        &json!({ "id": staff["id"], "displayName": "Staff", "members": null, "meta": { "version": "W/\"2\"" } }),
    );
    let whole = read(&acme, &staff).await;
    assert_eq!((members(&whole).len(), count(id).await), (101, 101), "reading it shows all");
    let listed = acme.scim(Method::GET, "/Groups", None).await.document(200);
    assert_eq!(listed["Resources"], json!([whole]));
    let bare = acme.scim(Method::GET, "/Groups?excludedAttributes=members", None).await.document(200);
    assert_eq!(bare["Resources"], json!([added]));
    let user = acme.scim(Method::GET, &format!("/Users/{ben}"), None).await.document(200);
    assert_says(&user, &json!({ "groups": [{ "value": staff["id"], "display": "Staff", "type": "direct" }] }));

    let again = acme.scim(Method::PATCH, &at, Some(add(&[&ben]))).await.document(200);
    assert_eq!(again, added, "nothing changed");
    let removed = acme.scim(Method::PATCH, &at, Some(remove(&ann))).await.document(200);
    assert_eq!((members(&removed).len(), count(id).await), (100, 100));
    assert!(members(&removed).contains(&ben) && !members(&removed).contains(&ann));
}

/// Puts copies of an account into a group.
async fn fill(account: Uuid, group: Uuid, copies: i32) {
    let accounts = "WITH copies AS (
            INSERT INTO accounts (tenant_id, id, connection_id, user_id, user_name, user_name_key, active, role, role_reason,
                document, version, created_at, updated_at)
            SELECT tenant_id, gen_random_uuid(), connection_id, user_id, 'copy-' || n, 'copy-' || n, active, role, role_reason,
                jsonb_build_object('userName', 'copy-' || n), 1, created_at, updated_at
            FROM accounts, generate_series(1, $3) AS n WHERE id = $1 RETURNING tenant_id, connection_id, id
        )
        INSERT INTO group_members (tenant_id, connection_id, group_id, account_id)
        SELECT tenant_id, connection_id, $2, id FROM copies";
    let mut database = superuser().await;
    let mut tx = database.begin().await.unwrap();
    // The members refer to accounts of the same statement.
    sqlx::query(accounts).bind(account).bind(group).bind(copies).execute(&mut *tx).await.unwrap();
    tx.commit().await.unwrap();
    database.close().await.unwrap();
}

async fn count(group: Uuid) -> i64 {
    let mut database = superuser().await;
    let count = sqlx::query_scalar("SELECT count(*) FROM group_members WHERE group_id = $1").bind(group);
    let count = count.fetch_one(&mut database).await.unwrap();
    database.close().await.unwrap();
    count
}

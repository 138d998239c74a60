//! Many changes in one request: references in all directions, limits, and that a failed operation leaves no trace.

use super::{ENTERPRISE, GROUP, USER, create, find, get, group, id, names, user};
use crate::scim::{assert_refused, assert_says};
use gateway::clock::Clock;
use harness::{customer::Customer, gateway_process::Gateway};
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

const REQUEST: &str = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";
const RESPONSE: &str = "urn:ietf:params:scim:api:messages:2.0:BulkResponse";
const PATCH_OP: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

/// The operations of the answer.
async fn bulk(customer: &Customer, operations: Value) -> Vec<Value> {
    send(customer, json!({ "schemas": [REQUEST], "Operations": operations })).await
}

async fn send(customer: &Customer, body: Value) -> Vec<Value> {
    let answer = customer.scim(Method::POST, "/Bulk", Some(body)).await.document(200);
    assert_eq!(answer["schemas"], json!([RESPONSE]));
    assert_eq!(answer.as_object().unwrap().len(), 2, "{answer}");
    answer["Operations"].as_array().unwrap().clone()
}

fn post(endpoint: &str, bulk_id: &str, data: Value) -> Value {
    json!({ "method": "POST", "path": endpoint, "bulkId": bulk_id, "data": data })
}

fn statuses(operations: &[Value]) -> Vec<&str> {
    operations.iter().map(|operation| operation["status"].as_str().unwrap()).collect()
}

/// The id at the end of the operation's location.
#[track_caller]
fn id_of(operation: &Value) -> String {
    let location = operation["location"].as_str().unwrap_or_else(|| panic!("no location in {operation}"));
    location.rsplit('/').next().unwrap().to_owned()
}

fn member_ids(group: &Value) -> Vec<&str> {
    group["members"].as_array().unwrap().iter().map(|member| member["value"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_group_may_come_before_its_members_and_the_answers_keep_the_order() {
    let acme = Customer::new().await;
    let members = json!([{ "value": "bulkId:ann" }, { "value": "bulkId:ben", "$ref": "../Users/bulkId:ben" }]);
    let answers = bulk(
        &acme,
        json!([
            post("/Groups", "staff", json!({ "schemas": [GROUP], "displayName": "Staff", "members": members })),
            post("/Users", "ann", json!({ "schemas": [USER], "userName": "ann" })),
            post("/Users", "ben", json!({ "schemas": [USER], "userName": "ben" })),
        ]),
    )
    .await;
    assert_eq!(statuses(&answers), ["201", "201", "201"]);
    let named: Vec<&Value> = answers.iter().map(|answer| &answer["bulkId"]).collect();
    assert_eq!(named, ["staff", "ann", "ben"]);
    for answer in &answers {
        assert_says(answer, &json!({ "method": "POST", "version": "W/\"1\"", "response": null }));
        let location = answer["location"].as_str().unwrap();
        let resource = get(&acme, location.strip_prefix(&acme.scim_base()).unwrap()).await;
        assert_eq!(resource["meta"]["location"], location);
    }
    let staff = get(&acme, &format!("/Groups/{}", id_of(&answers[0]))).await;
    let mut expected = [id_of(&answers[1]), id_of(&answers[2])];
    expected.sort();
    assert_eq!(member_ids(&staff), expected);
}

#[tokio::test]
async fn two_users_may_be_each_others_managers() {
    let acme = Customer::new().await;
    let user = |name: &str, manager: &str| {
        let manager = json!({ "value": format!("bulkId:{manager}"), "$ref": format!("../Users/bulkId:{manager}") });
        post("/Users", name, json!({ "userName": name, ENTERPRISE: { "manager": manager } }))
    };
    let answers = bulk(&acme, json!([user("ann", "ben"), user("ben", "ann"), user("eve", "eve")])).await;
    assert_eq!(statuses(&answers), ["201", "201", "201"]);
    for (subject, manager) in [(0, 1), (1, 0), (2, 2)] {
        let shown = get(&acme, &format!("/Users/{}", id_of(&answers[subject]))).await;
        let manager = id_of(&answers[manager]);
        assert_eq!(shown[ENTERPRISE]["manager"], json!({ "value": manager, "$ref": format!("../Users/{manager}") }));
    }
}

#[tokio::test]
async fn groups_may_contain_each_other() {
    let acme = Customer::new().await;
    let group = |name: &str, members: &[&str]| {
        let members: Value = members.iter().map(|member| json!({ "value": format!("bulkId:{member}") })).collect();
        post("/Groups", name, json!({ "displayName": name, "members": members }))
    };
    let operations = json!([
        group("a", &["b", "ann"]),
        group("b", &["c", "a"]),
        group("c", &["a"]),
        post("/Users", "ann", json!({ "userName": "ann" }))
    ]);
    let answers = bulk(&acme, operations).await;
    assert_eq!(statuses(&answers), ["201"; 4]);
    let ids: Vec<String> = answers.iter().map(id_of).collect();
    for (of, members) in [(0, vec![1, 3]), (1, vec![0, 2]), (2, vec![0])] {
        let shown = get(&acme, &format!("/Groups/{}", ids[of])).await;
        let mut shown = member_ids(&shown);
        shown.sort_unstable();
        let mut expected: Vec<&str> = members.iter().map(|member: &usize| ids[*member].as_str()).collect();
        expected.sort_unstable();
        assert_eq!(shown, expected);
    }
    assert_eq!(acme.events("provisioning.failed").await, Vec::<Value>::new(), "nobody was unknown");
    for answer in &answers[..3] {
        let shown = get(&acme, &format!("/Groups/{}", id_of(answer))).await;
        assert_eq!(answer["version"], shown["meta"]["version"], "the version is the one that it has after the request");
    }
}

#[tokio::test]
async fn every_method_works_and_says_where() {
    let acme = Customer::new().await;
    let [ann, ben, eve] = [user(&acme, "ann").await, user(&acme, "ben").await, user(&acme, "eve").await];
    let [staff, board] = [group(&acme, "Staff", &[]).await, group(&acme, "Board", &[&ann]).await];
    let patch = json!({ "schemas": [PATCH_OP], "Operations": [{ "op": "add", "path": "title", "value": "Dr." }] });
    let join = json!({ "Operations": [{ "op": "add", "path": "members", "value": [{ "value": "bulkId:new" }] }] });
    let answers = bulk(
        &acme,
        json!([
            { "method": "put", "path": format!("/Users/{ann}"), "data": { "userName": "ann.lee" } },
            { "method": "PATCH", "path": format!("Users/{ben}"), "data": patch },
            { "method": "DELETE", "path": format!("/Users/{eve}") },
            { "method": "PATCH", "path": format!("/Groups/{staff}"), "bulkId": "x", "data": join },
            { "method": "PUT", "path": format!("/Groups/{board}"), "data": { "displayName": "The Board", "members": [] } },
            post("/Users", "new", json!({ "userName": "new" })),
        ]),
    )
    .await;
    assert_eq!(statuses(&answers), ["200", "200", "204", "200", "200", "201"]);
    let methods: Vec<&Value> = answers.iter().map(|answer| &answer["method"]).collect();
    assert_eq!(methods, ["PUT", "PATCH", "DELETE", "PATCH", "PUT", "POST"]);
    assert_says(&answers[1], &json!({ "version": "W/\"2\"", "location": format!("{}/Users/{ben}", acme.scim_base()) }));
    assert_eq!(answers[3]["bulkId"], "x");
    assert_says(&get(&acme, &format!("/Users/{ann}")).await, &json!({ "userName": "ann.lee" }));
    assert_says(&get(&acme, &format!("/Users/{ben}")).await, &json!({ "title": "Dr." }));
    assert_refused(&acme.scim(Method::GET, &format!("/Users/{eve}"), None).await, 404, None);
    assert_eq!(member_ids(&get(&acme, &format!("/Groups/{staff}")).await), [id_of(&answers[5])]);
    assert_says(&get(&acme, &format!("/Groups/{board}")).await, &json!({ "displayName": "The Board", "members": [] }));
}

#[tokio::test]
async fn every_answer_but_that_to_a_failed_post_names_its_resource() {
    // RFC 7644 3.7: "location ... REQUIRED in a response, except in the event of a POST failure."
    let acme = Customer::new().await;
    let [ann, ben] = [user(&acme, "ann").await, user(&acme, "ben").await];
    let nobody = Uuid::new_v4();
    let answers = bulk(
        &acme,
        json!([
            { "method": "DELETE", "path": format!("/Users/{ann}") },
            { "method": "PUT", "path": format!("/Users/{ben}"), "data": { "displayName": "Nameless" } },
            { "method": "PATCH", "path": format!("/Users/{nobody}"), "data": { "Operations": [{ "op": "add", "path": "title", "value": "x" }] } },
            post("/Users", "dup", json!({ "userName": "ben" })),
        ]),
    )
    .await;
    assert_eq!(statuses(&answers), ["204", "400", "404", "409"]);
    let at = |id: &str| json!(format!("{}/Users/{id}", acme.scim_base()));
    let locations: Vec<&Value> = answers.iter().map(|answer| &answer["location"]).collect();
    assert_eq!(locations, [&at(&ann), &at(&ben), &at(&nobody.to_string()), &Value::Null]);
}

#[tokio::test]
async fn a_failed_operation_leaves_the_others_and_nothing_of_itself() {
    let acme = Customer::new().await;
    let [ann, ben] = [user(&acme, "ann").await, user(&acme, "ben").await];
    let staff = group(&acme, "Staff", &[]).await;
    let before = [get(&acme, &format!("/Users/{ben}")).await, get(&acme, &format!("/Groups/{staff}")).await];
    let half = json!([{ "op": "replace", "path": "title", "value": "x" }, { "op": "remove", "path": "userName" }]);
    let half_group = json!([{ "op": "add", "path": "members", "value": [{ "value": ann }] }, { "op": "replace", "path": "displayName", "value": "" }]);
    let answers = bulk(
        &acme,
        json!([
            post("/Users", "one", json!({ "userName": "one" })),
            post("/Users", "twin", json!({ "userName": "ANN", "title": "twin" })),
            post("/Groups", "orphan", json!({ "displayName": "Orphans", "members": [{ "value": "bulkId:twin" }] })),
            { "method": "PATCH", "path": format!("/Users/{ben}"), "data": { "Operations": half } },
            { "method": "PATCH", "path": format!("/Groups/{staff}"), "data": { "Operations": half_group } },
            { "method": "PUT", "path": format!("/Users/{ben}"), "data": { "userName": "ann" } },
            { "method": "DELETE", "path": format!("/Groups/{}", Uuid::new_v4()) },
            { "method": "PUT", "path": "/Users/bulkId:twin", "data": { "userName": "three" } },
            post("/Users", "wrong", json!({ "userName": "wrong", "active": "perhaps" })),
            post("/Groups", "again", json!({ "displayName": "staff" })),
            post("/Users", "two", json!({ "userName": "two" })),
        ]),
    )
    .await;
    assert_eq!(statuses(&answers), ["201", "409", "409", "400", "400", "409", "404", "409", "400", "409", "201"]);
    for (index, scim_type) in [
        (1, "uniqueness"),
        (3, "mutability"),
        (4, "invalidValue"),
        (5, "uniqueness"),
        (8, "invalidValue"),
        (9, "uniqueness"),
    ] {
        let response = &answers[index]["response"];
        assert_says(response, &json!({ "status": answers[index]["status"], "scimType": scim_type }));
        assert!(response["detail"].as_str().unwrap().len() > 15, "{response}");
    }
    let after = [get(&acme, &format!("/Users/{ben}")).await, get(&acme, &format!("/Groups/{staff}")).await];
    assert_eq!(after, before);
    let all = get(&acme, "/Users?sortBy=userName").await;
    assert_eq!(names(&all), ["ann", "ben", "one", "two"]);
    assert_eq!(names(&get(&acme, "/Groups").await), ["Staff"]);
    assert_eq!(acme.events("user.created").await.len(), 4);
    assert_eq!(acme.events("group.members_changed").await.len(), 0);
}

#[tokio::test]
async fn nobody_has_a_manager_whose_creation_failed() {
    let acme = Customer::new().await;
    user(&acme, "ann").await;
    let manager = |of: &str| json!({ "value": format!("bulkId:{of}") });
    let answers = bulk(
        &acme,
        json!([
            post("/Users", "twin", json!({ "userName": "ann", ENTERPRISE: { "manager": manager("ben") } })),
            post("/Users", "ben", json!({ "userName": "ben", ENTERPRISE: { "manager": manager("twin") } })),
        ]),
    )
    .await;
    assert_eq!(answers[0]["status"], "409");
    let ben = find(&acme, "/Users", "userName eq \"ben\"").await.document(200);
    if let Some(ben) = ben["Resources"].get(0) {
        assert_eq!(ben[ENTERPRISE]["manager"], Value::Null);
    }
}

#[tokio::test]
async fn it_stops_after_as_many_errors_as_the_client_allows() {
    let acme = Customer::new().await;
    user(&acme, "ann").await;
    let run = async |fail_on_errors: Value, prefix: &str| {
        let operations = json!([
            post("/Users", "1", json!({ "userName": format!("{prefix}-1") })),
            post("/Users", "2", json!({ "userName": "ann" })),
            post("/Users", "3", json!({ "userName": format!("{prefix}-3") })),
            post("/Users", "4", json!({ "userName": "ANN" })),
            post("/Users", "5", json!({ "userName": format!("{prefix}-5") })),
        ]);
        let answers = send(&acme, json!({ "failOnErrors": fail_on_errors, "Operations": operations })).await;
        let found = find(&acme, "/Users", &format!("userName sw \"{prefix}-\"")).await.document(200);
        (answers.len(), found["totalResults"].as_u64().unwrap())
    };
    assert_eq!(run(json!(1), "a").await, (2, 1));
    assert_eq!(run(json!(2), "b").await, (4, 2));
    assert_eq!(run(json!(3), "c").await, (5, 3));
    assert_eq!(run(Value::Null, "d").await, (5, 3));
    for wrong in [json!(-1), json!("x"), json!([])] {
        let body = json!({ "failOnErrors": wrong, "Operations": [post("/Users", "1", json!({ "userName": "e" }))] });
        assert_refused(&acme.scim(Method::POST, "/Bulk", Some(body)).await, 400, Some("invalidValue"));
    }
}

#[tokio::test]
async fn a_version_that_is_not_current_is_refused() {
    let acme = Customer::new().await;
    let [ann, staff] = [user(&acme, "ann").await, group(&acme, "Staff", &[]).await];
    let title = |title: &str| json!({ "Operations": [{ "op": "add", "path": "title", "value": title }] });
    let answers = bulk(
        &acme,
        json!([
            { "method": "PATCH", "path": format!("/Users/{ann}"), "version": "W/\"1\"", "data": title("one") },
            { "method": "PATCH", "path": format!("/Users/{ann}"), "version": "W/\"1\"", "data": title("two") },
            { "method": "DELETE", "path": format!("/Users/{ann}"), "version": "W/\"7\"" },
            { "method": "PUT", "path": format!("/Groups/{staff}"), "version": "W/\"2\"", "data": { "displayName": "No" } },
            { "method": "PUT", "path": format!("/Groups/{staff}"), "version": "W/\"1\"", "data": { "displayName": "Yes" } },
        ]),
    )
    .await;
    assert_eq!(statuses(&answers), ["200", "412", "412", "412", "200"]);
    assert_says(
        &get(&acme, &format!("/Users/{ann}")).await,
        &json!({ "title": "one", "meta": { "version": "W/\"2\"" } }),
    );
    assert_eq!(get(&acme, &format!("/Groups/{staff}")).await["displayName"], "Yes");
}

#[tokio::test]
async fn patch_data_may_be_the_bare_list() {
    let acme = Customer::new().await;
    let [ann, staff] = [user(&acme, "ann").await, group(&acme, "Staff", &[]).await];
    let answers = bulk(
        &acme,
        json!([
            { "method": "PATCH", "path": format!("/Users/{ann}"), "data": [{ "op": "replace", "path": "title", "value": "x" }] },
            { "method": "PATCH", "path": format!("/Groups/{staff}"), "data": [{ "op": "add", "path": "members", "value": [{ "value": ann }] }] },
        ]),
    )
    .await;
    assert_eq!(statuses(&answers), ["200", "200"]);
    assert_eq!(member_ids(&get(&acme, &format!("/Groups/{staff}")).await), [ann]);
}

#[tokio::test]
async fn an_operation_that_cannot_be_read_fails_alone_and_a_request_as_a_whole() {
    let acme = Customer::new().await;
    let ann = user(&acme, "ann").await;
    let answers = bulk(
        &acme,
        json!([
            5,
            { "method": "GET", "path": "/Users" },
            { "method": "POST", "path": "/Users", "data": { "userName": "no-bulk-id" } },
            { "method": "POST", "path": format!("/Users/{ann}"), "bulkId": "a", "data": { "userName": "x" } },
            { "method": "PUT", "path": "/Users", "data": { "userName": "x" } },
            { "method": "POST", "path": "/Robots", "bulkId": "b", "data": {} },
            { "method": "POST", "path": "/Users", "bulkId": "c" },
            { "method": "POST", "path": "/Groups", "bulkId": "d", "data": { "displayName": "x", "members": [{ "value": "bulkId:ghost" }] } },
            { "method": "DELETE", "path": "/Users/bulkId:ghost" },
            post("/Users", "fine", json!({ "userName": "fine" })),
        ]),
    )
    .await;
    assert_eq!(statuses(&answers), ["400", "400", "400", "400", "400", "400", "400", "400", "400", "201"]);
    let nothing = json!({ "schemas": [REQUEST], "Operations": [] });
    let twice = json!({ "Operations": [post("/Users", "1", json!({ "userName": "a" })), post("/Users", "1", json!({ "userName": "b" }))] });
    for (body, scim_type) in [
        (nothing, "invalidSyntax"),
        (json!({}), "invalidSyntax"),
        (json!([]), "invalidSyntax"),
        (twice, "invalidValue"),
    ] {
        assert_refused(&acme.scim(Method::POST, "/Bulk", Some(body)).await, 400, Some(scim_type));
    }
    assert_eq!(names(&get(&acme, "/Users?sortBy=userName").await), ["ann", "fine"]);
}

#[tokio::test]
async fn the_limits_are_those_that_are_announced() {
    let gateway = Gateway::start_with(Clock::manual(), |config| config.limits.scim_body = 50_000).await;
    let acme = Customer::of(&gateway).await;
    let announced = get(&acme, "/ServiceProviderConfig").await["bulk"].clone();
    assert_eq!(announced, json!({ "supported": true, "maxOperations": 500, "maxPayloadSize": 50_000 }));
    let delete = |count: usize| json!({ "Operations": vec![json!({ "method": "DELETE", "path": "/Users/0" }); count] });
    let answers = send(&acme, delete(500)).await;
    assert_eq!(statuses(&answers), ["404"; 500]);
    assert_refused(&acme.scim(Method::POST, "/Bulk", Some(delete(501))).await, 413, None);
    let large =
        json!({ "Operations": [post("/Users", "a", json!({ "userName": "large", "title": "x".repeat(50_000) }))] });
    assert_refused(&acme.scim(Method::POST, "/Bulk", Some(large)).await, 413, None);
    assert_eq!(get(&acme, "/Users").await["totalResults"], 0);
}

#[tokio::test]
async fn resources_of_another_connection_cannot_be_reached() {
    let acme = Customer::new().await;
    let (sibling, other) = (acme.sibling(&acme.application).await, Customer::of(&acme.gateway).await);
    for customer in [&sibling, &other] {
        let ann = create(customer, "/Users", json!({ "userName": "ann" })).await;
        let staff = group(customer, "Staff", &[&id(&ann)]).await;
        let answers = bulk(
            &acme,
            json!([
                { "method": "DELETE", "path": format!("/Users/{}", id(&ann)) },
                { "method": "PUT", "path": format!("/Users/{}", id(&ann)), "data": { "userName": "stolen" } },
                { "method": "DELETE", "path": format!("/Groups/{staff}") },
                { "method": "PATCH", "path": format!("/Groups/{staff}"), "data": [{ "op": "remove", "path": "members" }] },
            ]),
        )
        .await;
        assert_eq!(statuses(&answers), ["404"; 4]);
        assert_eq!(member_ids(&get(customer, &format!("/Groups/{staff}")).await), [id(&ann)]);
    }
}

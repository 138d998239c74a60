//! Bulk requests: what is read, in which order it runs, how references are resolved, and hostile bodies.

use proptest::prelude::*;
use serde_json::json;

use super::*;

const LIMITS: Limits = Limits { operations: 5 };

fn parse(operations: Value) -> Result<Bulk, ScimError> {
    Bulk::parse(json!({"schemas": ["x"], "Operations": operations}).to_string().as_bytes(), &LIMITS)
}

/// The outcome of reading a single operation.
fn read(operation: Value) -> Result<Work, ScimError> {
    parse(json!([operation])).unwrap().operations.remove(0).outcome_of_reading
}

fn work(operation: Value) -> Work {
    read(operation.clone()).unwrap_or_else(|error| panic!("{operation}: {error}"))
}

fn user(bulk_id: &str, manager: &str) -> Value {
    json!({"method": "POST", "path": "/Users", "bulkId": bulk_id, "data": {"userName": "u", "manager": {"value": manager}}})
}

fn group(bulk_id: &str, members: &[&str]) -> Value {
    let members: Vec<Value> = members.iter().map(|member| json!({"value": member})).collect();
    json!({"method": "POST", "path": "/Groups", "bulkId": bulk_id, "data": {"displayName": "g", "members": members}})
}

#[test]
fn operations_are_read_in_every_spelling() {
    let user = |id: Option<&str>| (Resource::User, id.map(str::to_owned));
    let table = [
        ("/Users", "post", user(None)),
        ("Users", "POST", user(None)),
        ("users/", "Post", user(None)),
        ("/v2/Users", "POST", user(None)),
        ("https://gate.example/c/7/scim/v2/Users?x=1", "POST", user(None)),
        ("/Users/7", "PUT", user(Some("7"))),
        ("Users/7", "put", user(Some("7"))),
        ("/v2/Users/7/", "Delete", user(Some("7"))),
        ("https://gate.example/c/7/scim/v2/Groups/8", "DELETE", (Resource::Group, Some("8".to_owned()))),
        ("//Groups//8", "patch", (Resource::Group, Some("8".to_owned()))),
    ];
    for (path, method, (resource, id)) in table {
        let work = work(json!({"Method": method, "PATH": path, "bulkId": "b", "data": {"a": 1}, "version": "W/\"1\""}));
        let data = if method.eq_ignore_ascii_case("delete") { Value::Null } else { json!({"a": 1}) };
        assert_eq!(work, Work { resource, id, data }, "{path}");
    }
    let patch = work(json!({"method": "PATCH", "path": "/Users/7", "data": [{"op": "remove", "path": "title"}]}));
    assert!(crate::patch::Patch::read(patch.data).is_ok());
    let bulk =
        parse(json!([{"method": "put", "path": "/Users/7", "data": {}, "version": "W/\"1\"", "bulkId": ""}])).unwrap();
    let Operation { method, bulk_id, version, outcome_of_reading } = &bulk.operations[0];
    assert_eq!((method.as_str(), bulk_id, version.as_deref()), ("PUT", &None, Some("W/\"1\"")));
    assert!(outcome_of_reading.is_ok());
}

#[test]
fn what_is_wrong_with_an_operation_stands_there() {
    let data = json!({});
    let table = [
        (json!("x"), ScimType::InvalidSyntax, "An operation must be an object, but it is a text."),
        (json!({"path": "/Users"}), ScimType::InvalidSyntax, "\"\" is not a method. Use POST, PUT, PATCH or DELETE."),
        (json!({"method": "GET", "path": "/Users/7"}), ScimType::InvalidSyntax, "\"GET\" is not a method."),
        (
            json!({"method": "POST", "bulkId": "b", "data": data}),
            ScimType::InvalidPath,
            "The path \"\" names no resource",
        ),
        (
            json!({"method": "POST", "bulkId": "b", "path": "/Devices", "data": data}),
            ScimType::InvalidPath,
            "The path \"/Devices\"",
        ),
        (
            json!({"method": "PUT", "path": "/Users/7/name", "data": data}),
            ScimType::InvalidPath,
            "The path \"/Users/7/name\"",
        ),
        (
            json!({"method": "POST", "bulkId": "b", "path": "/Users/7", "data": data}),
            ScimType::InvalidPath,
            "and no id",
        ),
        (
            json!({"method": "DELETE", "path": "/Users"}),
            ScimType::InvalidPath,
            "The path of a DELETE names one resource.",
        ),
        (json!({"method": "POST", "path": "/Users", "data": data}), ScimType::InvalidSyntax, "A POST needs a bulkId"),
        (
            json!({"method": "POST", "path": "/Users", "bulkId": 5, "data": data}),
            ScimType::InvalidSyntax,
            "A POST needs a bulkId",
        ),
        (json!({"method": "PUT", "path": "/Users/7"}), ScimType::InvalidSyntax, "but it is nothing."),
        (json!({"method": "PUT", "path": "/Users/7", "data": []}), ScimType::InvalidSyntax, "but it is a list."),
        (
            json!({"method": "DELETE", "path": "/Users/bulkId:gone"}),
            ScimType::InvalidValue,
            "refers to the bulkId \"gone\", but no POST of the request has it.",
        ),
    ];
    for (operation, scim_type, expected) in table {
        let error = read(operation.clone()).unwrap_err();
        assert_eq!((error.status, error.scim_type), (400, Some(scim_type)), "{operation}");
        assert!(error.detail.contains(expected), "{operation}: {error}");
    }
    let unreadable = parse(json!([{"method": "get", "path": "/Users/7", "bulkId": "b"}])).unwrap();
    assert_eq!(
        (unreadable.operations[0].method.as_str(), unreadable.operations[0].bulk_id.as_deref()),
        ("get", Some("b"))
    );
}

#[test]
fn what_is_wrong_as_a_whole_is_refused() {
    let operation = json!({"method": "DELETE", "path": "/Users/7"});
    for body in ["", "[]", "{}", r#"{"Operations": null}"#, r#"{"Operations": []}"#, r#"{"Operations": {}}"#] {
        let error = Bulk::parse(body.as_bytes(), &LIMITS).unwrap_err();
        assert_eq!((error.status, error.scim_type), (400, Some(ScimType::InvalidSyntax)), "{body}");
    }
    assert!(parse(Value::Array(vec![operation.clone(); 5])).is_ok());
    let error = parse(Value::Array(vec![operation.clone(); 6])).unwrap_err();
    assert_eq!(
        (error.status, error.detail.contains("has 6 operations, and this server takes 5")),
        (413, true),
        "{error}"
    );
    let error = parse(json!([user("a", "1"), user("b", "1"), user("a", "1")])).unwrap_err();
    assert_eq!((error.status, error.detail.contains("Two operations have the bulkId \"a\".")), (400, true), "{error}");
    assert!(parse(json!([user("a", "1"), user("A", "1")])).is_ok());
}

#[test]
fn the_number_of_errors_is_read() {
    let read = |value: Value| {
        let body = json!({"failOnErrors": value, "Operations": [{"method": "DELETE", "path": "/Users/7"}]});
        Bulk::parse(body.to_string().as_bytes(), &LIMITS).map(|bulk| bulk.fail_on_errors)
    };
    for (given, expected) in [(json!(null), None), (json!(0), Some(1)), (json!(1), Some(1)), (json!(9), Some(9))] {
        assert_eq!(read(given).unwrap(), expected);
    }
    for given in [json!(-1), json!(1.5), json!("1"), json!([])] {
        assert_eq!(read(given.clone()).unwrap_err().scim_type, Some(ScimType::InvalidValue), "{given}");
    }
}

#[test]
fn what_is_referenced_runs_first() {
    let put = |id: &str| json!({"method": "PUT", "path": format!("/Users/{id}"), "data": {}});
    let table = [
        (json!([user("a", "1"), user("b", "2"), put("7")]), vec![0, 1, 2]),
        (json!([user("a", "bulkId:b"), user("b", "1")]), vec![1, 0]),
        (json!([put("bulkId:a"), put("7"), user("a", "1")]), vec![2, 0, 1]),
        (json!([group("g", &["bulkId:b", "bulkId:a"]), user("a", "1"), user("b", "bulkId:a")]), vec![1, 2, 0]),
        // Cycles: the later of the two runs first, and its reference is the one that is broken.
        (json!([group("a", &["bulkId:b"]), group("b", &["bulkId:a"])]), vec![1, 0]),
        (json!([user("a", "bulkId:a"), user("b", "bulkId:a")]), vec![0, 1]),
        (json!([user("a", "bulkId:b"), user("b", "bulkId:c"), user("c", "bulkId:a"), put("7")]), vec![2, 1, 0, 3]),
        (json!([user("a", "bulkId:gone"), put("7")]), vec![0, 1]),
    ];
    for (operations, expected) in table {
        assert_eq!(parse(operations.clone()).unwrap().order(), expected, "{operations}");
    }
    let chain: Vec<Value> =
        (0..5_000).map(|n| user(&n.to_string(), &format!("bulkId:{}", n + 1))).chain([user("5000", "1")]).collect();
    let body = json!({"Operations": chain}).to_string();
    let order = Bulk::parse(body.as_bytes(), &Limits { operations: 5_001 }).unwrap().order();
    assert_eq!((order[0], order[5_000]), (5_000, 0));
}

#[test]
fn what_is_left_out_for_now_is_what_is_added_later() {
    let data = json!({
        "userName": "u",
        "urn:x:2.0:User": {"department": "d", "manager": {"value": "bulkId:b", "displayName": "B"}},
        "manager": {"value": "bulkId:gone"},
        "members": [{"value": "bulkId:b", "type": "User"}, {"value": "7"}, {"value": "bulkId:a"}],
    });
    let mut work = Work { resource: Resource::User, id: None, data };
    let is_to_come = |id: &str| id == "b";
    let later = json!({
        "urn:x:2.0:User": {"manager": {"value": "bulkId:b", "displayName": "B"}},
        "members": [{"value": "bulkId:b", "type": "User"}],
    });
    assert_eq!(work.left_out(&is_to_come), Some(later));
    work.leave_out(&is_to_come);
    let now = json!({
        "userName": "u",
        "urn:x:2.0:User": {"department": "d"},
        "manager": {"value": "bulkId:gone"},
        "members": [{"value": "7"}, {"value": "bulkId:a"}],
    });
    assert_eq!((&work.data, work.left_out(&is_to_come)), (&now, None));
}

#[test]
fn references_become_ids() {
    let mut work = Work {
        resource: Resource::User,
        id: Some("BulkID:a".to_owned()),
        data: json!({
            "manager": {"value": "bulkId:b", "$ref": "../Users/bulkId:b"},
            "members": ["bulkId:a", "abulkId:a", 5, null],
            "nickName": "bulkId: the name of my band",
            "title": "see /bulkId:a",
            "bulkId:a": 1,
            "Password": "bulkId:secret",
        }),
    };
    assert_eq!(work.references(), ["a", "b", "b", "a"]);
    let failed = work.clone().resolve(&|id| (id == "a").then(|| "A".to_owned())).unwrap_err();
    assert_eq!((failed.status, failed.scim_type), (409, None));
    assert!(failed.detail.contains("refers to the bulkId \"b\", but that operation failed."), "{failed}");
    work.resolve(&|id| Some(id.to_uppercase())).unwrap();
    assert_eq!(work.id.as_deref(), Some("A"));
    let expected = json!({
        "manager": {"value": "B", "$ref": "../Users/B"},
        "members": ["A", "abulkId:a", 5, null],
        "nickName": "bulkId: the name of my band",
        "title": "see /bulkId:a",
        "bulkId:a": 1,
        "Password": "bulkId:secret",
    });
    assert_eq!(work.data, expected);
    assert_eq!(work.references(), Vec::<&str>::new());
}

#[test]
fn an_answer_has_texts_for_statuses_and_responses_only_for_errors() {
    let done = |status, response| Done {
        method: "POST".to_owned(),
        bulk_id: Some("b".to_owned()),
        version: Some("W/\"1\"".to_owned()),
        location: Some("L".to_owned()),
        status,
        response,
    };
    let failed = Done { bulk_id: None, version: None, location: None, ..done(409, Some(json!({"status": "409"}))) };
    assert_eq!(
        response(vec![done(201, Some(json!({"userName": "u"}))), failed]),
        json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkResponse"],
            "Operations": [
                {"method": "POST", "bulkId": "b", "version": "W/\"1\"", "location": "L", "status": "201"},
                {"method": "POST", "status": "409", "response": {"status": "409"}},
            ],
        })
    );
}

fn any_operation() -> impl Strategy<Value = Value> {
    let method = "(POST|put|PATCH|delete|GET)";
    let path = "(/?(v2/)?(Users|Groups)(/[a-c]|/bulkId:[a-e])?|\\PC{0,8})";
    let data = prop_oneof![
        crate::dialects::any_json(),
        "bulkId:[a-e]".prop_map(|reference| json!({"members": [{"value": reference}], "manager": {"$ref": reference}})),
    ];
    let operation = (method, path, proptest::option::of("[a-e]"), data).prop_map(
        |(method, path, bulk_id, data)| json!({"method": method, "path": path, "bulkId": bulk_id, "data": data}),
    );
    prop_oneof![9 => operation, 1 => crate::dialects::any_json()]
}

proptest! {
    #[test]
    fn random_bytes_never_panic(body in proptest::collection::vec(any::<u8>(), 0..60)) {
        let _: Result<_, ScimError> = Bulk::parse(&body, &LIMITS);
    }

    #[test]
    fn every_operation_runs_once_and_after_what_it_refers_to(operations in proptest::collection::vec(any_operation(), 1..6)) {
        let Ok(bulk) = parse(Value::Array(operations)) else { return Ok(()) };
        let order = bulk.order();
        let mut sorted = order.clone();
        sorted.sort_unstable();
        prop_assert_eq!(sorted, (0..bulk.operations.len()).collect::<Vec<_>>());
        let mut ran: Vec<&str> = Vec::new();
        for &index in &order {
            let operation = &bulk.operations[index];
            if let Ok(work) = &operation.outcome_of_reading {
                let mut work = work.clone();
                let not_a_post = operation.method != Method::Post;
                // Only resources that are being created can refer to each other in a circle.
                prop_assert!(!not_a_post || work.references().iter().all(|id| ran.contains(id)));
                work.resolve(&|_| Some("id".to_owned())).unwrap();
                prop_assert!(work.references().is_empty());
            }
            ran.extend(operation.bulk_id.as_deref());
        }
    }
}

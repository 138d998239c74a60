//! The operator's commands for a connection's SCIM side, run as the operator runs them.

use super::{ACME, ENTERPRISE, create, get};
use crate::{cli::Operator, scim::assert_says};
use harness::customer::Customer;
use reqwest::Method;
use serde_json::{Value, json};

#[tokio::test]
async fn an_operator_makes_lists_and_ends_credentials_of_every_kind() {
    let (acme, operator) = (Customer::new().await, Operator::new().await);
    let id = acme.connection.to_string();
    let reader = operator.json(&["token", "create", &id, "--read-only", "--expires-in", "90"]);
    assert!(reader["token"].as_str().unwrap().starts_with("ghscim_") && reader["expires_at"].is_string());
    let token = reader["token"].as_str().unwrap();
    assert_eq!(acme.scim_as(token, Method::GET, "/Users", None).await.status, 200);
    let refused = acme.scim_as(token, Method::POST, "/Users", Some(json!({ "userName": "ann" }))).await;
    assert_eq!(refused.status, 403);
    let client = operator.json(&["token", "create", &id, "--client"]);
    assert_eq!(client["token_url"], format!("http://localhost:8080/c/{id}/oauth2/token"));
    assert!(client["client_secret"].as_str().unwrap().starts_with("ghsec_"));
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", client["client_id"].as_str().unwrap()),
        ("client_secret", client["client_secret"].as_str().unwrap()),
    ];
    let access = acme.post_form("/oauth2/token", &form).await;
    assert_eq!(acme.scim_as(access.text("access_token"), Method::GET, "/Users", None).await.status, 200);
    acme.gateway.app.log.flush().await;

    let listed = operator.json(&["token", "list", &id]);
    let of = |id: &Value| listed.as_array().unwrap().iter().find(|token| token["id"] == *id).unwrap();
    assert_eq!(listed.as_array().map(Vec::len), Some(3), "access tokens are not listed: {listed}");
    assert_says(of(&reader["id"]), &json!({ "kind": "token", "read_only": true, "last_used_from": "127.0.0.1" }));
    assert_says(of(&client["client_id"]), &json!({ "kind": "client", "read_only": false, "expires_at": Value::Null }));
    assert!(of(&client["client_id"])["last_used_at"].is_string(), "by its access token");
    assert!(!listed.to_string().contains(token), "no secret is shown again");

    operator.run(&["token", "revoke", &id, client["client_id"].as_str().unwrap()]);
    assert_eq!(acme.scim_as(access.text("access_token"), Method::GET, "/Users", None).await.status, 401);
    assert_eq!(acme.post_form("/oauth2/token", &form).await.error(), (401, "invalid_client"));
    assert!(operator.run(&["token", "create", &id, "--expires-in", "0"]).status.code() == Some(2));
}

#[tokio::test]
async fn an_operator_defines_attributes() {
    let (acme, operator) = (Customer::new().await, Operator::new().await);
    let id = acme.connection.to_string();
    let add = ["connection", "attribute", "add", &id];
    let color =
        ["favoriteColor", "--namespace", ACME, "--multi-valued", "--case-exact", "--value", "red", "--value", "blue"];
    let listed = operator.json(&[&add[..], &color[..]].concat());
    let expected = json!([{ "name": "favoriteColor", "namespace": ACME, "type": "string", "multi_valued": true, "case_exact": true, "values": ["red", "blue"] }]);
    assert_says(&listed, &expected);
    operator.json(&[&add[..], &["floor", "--namespace", ENTERPRISE, "--type", "integer"]].concat());
    operator.json(&[&add[..], &["badge"]].concat());
    let listed = operator.json(&["connection", "attribute", "list", &id]);
    let names: Vec<&Value> = listed.as_array().unwrap().iter().map(|attribute| &attribute["name"]).collect();
    assert_eq!(names, ["favoriteColor", "floor", "badge"]);
    let body =
        json!({ "userName": "ann", "badge": "7", ENTERPRISE: { "floor": 3 }, ACME: { "favoriteColor": ["red"] } });
    assert_says(&create(&acme, "/Users", body.clone()).await, &body);

    for (arguments, word) in [
        (vec!["badge"], "badge"),
        (vec!["title"], "title"),
        (vec!["x", "--type", "text"], "not a type"),
        (vec!["x", "--namespace", "acme"], "URN"),
    ] {
        let refused = operator.refusal(&[&add[..], &arguments[..]].concat());
        assert!(refused.contains(word), "{refused}");
    }
    let remove = ["connection", "attribute", "remove", &id];
    let used = operator.refusal(&[&remove[..], &["badge"]].concat());
    assert!(used.contains("badge"), "{used}");
    let unknown = operator.refusal(&[&remove[..], &["nothing"]].concat());
    assert!(unknown.contains("nothing"), "{unknown}");
    let found = get(&acme, "/Users").await["Resources"][0]["id"].as_str().unwrap().to_owned();
    acme.scim(Method::DELETE, &format!("/Users/{found}"), None).await.document(204);
    assert!(operator.run(&[&remove[..], &["favoriteColor", "--namespace", ACME]].concat()).status.success());
    assert_eq!(get(&acme, "/Schemas").await["totalResults"], 3);
}

#[tokio::test]
async fn an_operator_sets_how_provisioning_behaves() {
    let (acme, operator) = (Customer::new().await, Operator::new().await);
    let id = acme.connection.to_string();
    let set = |arguments: &[&str]| {
        let output = operator.run(&[&["connection", "set", &id], arguments].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    let changes_password = async || get(&acme, "/ServiceProviderConfig").await["changePassword"]["supported"] == true;
    let has_roles = async || get(&acme, "/ResourceTypes").await["totalResults"] == 3;
    set(&["--password-sync", "on"]);
    assert!(changes_password().await && !has_roles().await);
    set(&["--entitlements", "on"]);
    assert!(changes_password().await && has_roles().await, "one setting leaves the other");
    set(&["--password-sync", "off", "--entitlements", "off", "--sample-user"]);
    assert!(!changes_password().await && !has_roles().await);
    assert_eq!(get(&acme, "/Users?count=1&startIndex=1").await["totalResults"], 1);
    assert!(operator.refusal(&["connection", "set", &id]).contains("nothing to set"));
    let unknown = uuid::Uuid::new_v4().to_string();
    assert!(operator.refusal(&["connection", "set", &unknown, "--sample-user"]).contains("there is no connection"));
}

#[tokio::test]
async fn an_operator_reads_what_the_identity_provider_was_told() {
    let (acme, operator) = (Customer::new().await, Operator::new().await);
    let id = acme.connection.to_string();
    assert_eq!(operator.json(&["connection", "log", &id]), json!([]));
    get(&acme, "/Users?startIndex=1&count=2").await;
    acme.gateway.clock.advance(time::Duration::seconds(1));
    acme.scim(Method::POST, "/Users", Some(json!({ "userName": "", "password": "canary" }))).await.document(400);
    acme.gateway.app.log.flush().await;
    let all = operator.json(&["connection", "log", &id]);
    assert_says(
        &all,
        &json!([
            { "request": "POST /Users", "status": 400, "code": "GH-SCIM-002", "token_id": acme.token_id },
            { "request": "GET /Users?startIndex=1&count=2", "status": 200, "code": "ok", "body": Value::Null },
        ]),
    );
    assert!(!all.to_string().contains("canary") && all[0]["detail"].as_str().unwrap().contains("userName"));
    assert_eq!(operator.json(&["connection", "log", &id, "--failed"]), json!([all[0]]));
    assert_eq!(operator.json(&["connection", "log", &id, "-n", "1"]), json!([all[0]]));
}

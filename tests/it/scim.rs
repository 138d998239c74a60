//! SCIM users as identity providers push them: Okta's requests word for word, errors, names, roles, paging.

use gateway::{
    clock::Clock,
    setup::directory::{self, TokenSpec},
};
use harness::{
    browser::Browser,
    customer::{Customer, ScimAnswer, superuser, until_waiting},
    gateway_process::{Gateway, ROLES, unique},
};
use reqwest::Method;
use serde_json::{Value, json};
use simulator::{
    client::Member,
    okta::{Okta, Style},
};
use sqlx::{AssertSqlSafe, Connection};
use std::{collections::BTreeSet, time::Duration};
use time::Duration as Seconds;
use uuid::Uuid;

pub const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
const ENTERPRISE_USER: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
const LIST: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";
const ERROR: &str = "urn:ietf:params:scim:api:messages:2.0:Error";

/// Checks that a document says at least this; `null` stands for a member that is not there.
#[track_caller]
pub fn assert_says(actual: &Value, expected: &Value) {
    let missing = difference(actual, expected, "");
    assert!(missing.is_none(), "{}\n{actual:#}", missing.unwrap_or_default());
}

fn difference(actual: &Value, expected: &Value, at: &str) -> Option<String> {
    match (actual, expected) {
        (Value::Object(actual), Value::Object(expected)) => expected.iter().find_map(|(name, expected)| {
            let at = format!("{at}/{name}");
            match actual.get(name) {
                Some(actual) => difference(actual, expected, &at),
                None => (!expected.is_null()).then(|| format!("{at} is not there, but should be {expected}")),
            }
        }),
        (Value::Array(actual), Value::Array(expected)) if actual.len() == expected.len() => {
            let pairs = actual.iter().zip(expected).enumerate();
            pairs.into_iter().find_map(|(i, (actual, expected))| difference(actual, expected, &format!("{at}/{i}")))
        }
        _ => (actual != expected).then(|| format!("{at} is {actual}, but should be {expected}")),
    }
}

/// Checks an error's form (RFC 7644 3.12): these members and no others, a status that is text, a sentence for the admin.
#[track_caller]
pub fn assert_refused(answer: &ScimAnswer, status: u16, scim_type: Option<&str>) {
    let body = &answer.body;
    assert_eq!((answer.status.as_u16(), answer.content_type.as_str()), (status, "application/scim+json"), "{body}");
    let mut expected = json!({ "schemas": [ERROR], "status": status.to_string(), "detail": body["detail"] });
    if let Some(scim_type) = scim_type {
        expected["scimType"] = json!(scim_type);
    }
    assert_eq!(*body, expected);
    let detail = body["detail"].as_str().unwrap_or_default();
    assert!(detail.len() > 15 && detail.ends_with(['.', ')']), "no sentence: {detail:?}");
}

/// Okta's create body, word for word but for the names.
fn okta_creates(user_name: &str) -> String {
    r#"{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"test.user@okta.local","name":{"givenName":"Test","familyName":"User"},"emails":[{"primary":true,"value":"test.user@okta.local","type":"work"}],"displayName":"Test User","locale":"en-US","externalId":"00ujl29u0le5T6Aj10h7","groups":[],"password":"1mz050nq","active":true}"#
        .replace("test.user@okta.local", user_name)
}

/// Okta's lookup before every assignment, word for word but for the name.
fn okta_looks_for(user_name: &str) -> String {
    let user_name = user_name.replace('@', "%40");
    format!("/Users?filter=userName%20eq%20%22{user_name}%22&startIndex=1&count=100")
}

fn a_list(total: usize, start: usize, resources: &[Value]) -> Value {
    json!({ "schemas": [LIST], "totalResults": total, "startIndex": start, "itemsPerPage": resources.len(), "Resources": resources })
}

/// Creates a user with nothing but a name; answers the document.
async fn create(customer: &Customer, user_name: &str) -> Value {
    let body = json!({ "schemas": [USER], "userName": user_name });
    customer.scim(Method::POST, "/Users", Some(body)).await.document(201)
}

pub fn path(resource: &str, document: &Value) -> String {
    format!("/{resource}/{}", document["id"].as_str().unwrap_or_else(|| panic!("no id in {document}")))
}

async fn user(customer: &Customer, id: &Value) -> Value {
    customer.scim(Method::GET, &path("Users", &json!({ "id": id })), None).await.document(200)
}

/// The steps that both of Okta's dialects share: test, look, create.
async fn okta_assigns(acme: &Customer, name: &str) -> Value {
    let nobody = a_list(0, 1, &[]);
    let tested = acme.okta_sends(Method::GET, "/Users?startIndex=1&count=2", None).await.document(200);
    assert_eq!(tested, nobody, "Test Connector");
    let found = acme.okta_sends(Method::GET, &okta_looks_for(name), None).await.document(200);
    assert_eq!(found, nobody, "nobody of that name");

    let answer = acme.okta_sends(Method::POST, "/Users", Some(&okta_creates(name))).await;
    let location = answer.headers["location"].to_str().unwrap().to_owned();
    let created = answer.document(201);
    let (id, at) = (created["id"].clone(), created["meta"]["created"].clone());
    assert!(Uuid::parse_str(id.as_str().unwrap()).is_ok(), "{id}");
    assert_eq!(location, format!("{}{}", acme.scim_base(), path("Users", &created)));
    let expected = json!({
        "schemas": [USER],
        "id": id,
        "externalId": "00ujl29u0le5T6Aj10h7",
        "userName": name,
        "name": { "givenName": "Test", "familyName": "User" },
        "displayName": "Test User",
        "emails": [{ "primary": true, "value": name, "type": "work" }],
        "locale": "en-US",
        "active": true,
        "meta": { "resourceType": "User", "created": at, "lastModified": at, "location": location, "version": "W/\"1\"" },
    });
    assert_eq!(created, expected, "no password, no empty groups, nothing else");
    let found = acme.okta_sends(Method::GET, &okta_looks_for(name), None).await.document(200);
    assert_eq!(found, a_list(1, 1, std::slice::from_ref(&expected)));
    created
}

#[tokio::test]
async fn okta_custom_app_is_answered_word_for_word() {
    let acme = Customer::new().await;
    let name = format!("test.user@{}", acme.domain);
    let created = okta_assigns(&acme, &name).await;
    let at = path("Users", &created);
    let read = async || acme.okta_sends(Method::GET, &at, None).await.document(200);
    let put = async |body: Value| acme.okta_sends(Method::PUT, &at, Some(&body.to_string())).await.document(200);
    assert_eq!(read().await, created);

    acme.gateway.clock.advance(Seconds::seconds(5));
    let mut merged = read().await;
    merged["name"]["givenName"] = json!("Tess");
    merged["displayName"] = json!("Tess User");
    let updated = put(merged.clone()).await;
    assert_says(
        &updated,
        &json!({ "id": created["id"], "name": { "givenName": "Tess", "familyName": "User" }, "active": true }),
    );
    assert_eq!(updated["meta"]["version"], "W/\"2\"");
    assert!(updated["meta"]["lastModified"].as_str() > created["meta"]["lastModified"].as_str());

    for active in [false, true] {
        let mut body = read().await;
        body["active"] = json!(active);
        let answer = put(body).await;
        assert_says(
            &answer,
            &json!({ "id": created["id"], "userName": name, "externalId": "00ujl29u0le5T6Aj10h7", "active": active }),
        );
        assert_eq!(read().await, answer);
        let found = acme.okta_sends(Method::GET, &okta_looks_for(&name), None).await.document(200);
        assert_eq!(found["Resources"][0], answer, "the same account is found, active or not");
    }
    let mut body = read().await;
    body["password"] = json!("N3w-Passw0rd");
    assert_says(&put(body).await, &json!({ "password": null, "active": true }));

    let imported = acme.okta_sends(Method::GET, "/Users?startIndex=1&count=100", None).await.document(200);
    assert_eq!(imported, a_list(1, 1, &[read().await]));
    let after = acme.okta_sends(Method::GET, "/Users?startIndex=101&count=100", None).await.document(200);
    assert_eq!(after, a_list(1, 101, &[]), "a page behind the last");
}

#[tokio::test]
async fn okta_catalogue_app_is_answered_word_for_word() {
    let acme = Customer::new().await;
    let created = okta_assigns(&acme, &format!("test.user@{}", acme.domain)).await;
    let at = path("Users", &created);
    let changes = [
        (r#"{"active":false}"#, json!({ "active": false })),
        (r#"{"active":true}"#, json!({ "active": true })),
        (r#"{"password":"N3w-Passw0rd"}"#, json!({ "active": true, "password": null })),
    ];
    for (value, expected) in changes {
        let body = r#"{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","value":VALUE}]}"#
            .replace("VALUE", value);
        let answer = acme.okta_sends(Method::PATCH, &at, Some(&body)).await.document(200);
        assert_says(&answer, &expected);
        assert_says(&answer, &json!({ "id": created["id"], "name": created["name"], "emails": created["emails"] }));
        assert_eq!(acme.okta_sends(Method::GET, &at, None).await.document(200), answer);
    }
}

#[tokio::test]
async fn the_simulated_okta_runs_its_whole_sequence_in_both_styles() {
    for style in [Style::Custom, Style::Catalogue] {
        let acme = Customer::new().await;
        let ann = acme.user("ann").with_role("ADMINISTRATOR");
        let mut ben = acme.user("ben").with_role("MANAGER");
        let mut okta = acme.okta(style);
        okta.test_connection().await.unwrap();
        let ids = [okta.push_user(&ann).await.unwrap(), okta.push_user(&ben).await.unwrap()];
        ben.set("role", "DEVELOPER");
        okta.update_user(&ben).await.unwrap();
        assert_eq!(user(&acme, &json!(ids[1])).await["role"], "DEVELOPER");
        okta.deactivate(&ben).await.unwrap();
        assert_eq!(user(&acme, &json!(ids[1])).await["active"], false);
        okta.reactivate(&ben).await.unwrap();
        assert_eq!(user(&acme, &json!(ids[1])).await["active"], true);
        let imported = okta.import_users().await.unwrap();
        let imported: BTreeSet<&str> = imported.iter().map(|user| user["id"].as_str().unwrap()).collect();
        assert_eq!(imported, ids.iter().map(String::as_str).collect());

        let member = |i: usize| Member { id: ids[i].clone(), display: format!("{i}@{}", acme.domain) };
        let all = [member(0), member(1)];
        let group = okta.push_group("Engineering", &all).await.unwrap();
        assert_eq!(okta.push_group("Engineering", &all).await.unwrap(), group, "pushed again");
        okta.change_members(&group, "Engineering", &all[1..], &[], &all[..1]).await.unwrap();
        let groups = okta.import_groups().await.unwrap();
        assert_eq!(groups.len(), 1);
        assert_says(
            &groups[0],
            &json!({ "id": group, "displayName": "Engineering", "members": [{ "value": ids[0] }] }),
        );
        okta.delete_group(&group).await.unwrap();
        assert_eq!(okta.import_groups().await.unwrap(), Vec::<Value>::new());
        let patches = okta.exchanges.iter().filter(|exchange| exchange.method == "PATCH").count();
        assert_eq!(patches > 0, style == Style::Catalogue, "each style in its own dialect");
    }
}

#[tokio::test]
async fn every_error_has_scims_form() {
    let acme = Customer::new().await;
    let ann = create(&acme, "ann").await;
    let (own, unknown) = (path("Users", &ann), format!("/Users/{}", Uuid::new_v4()));
    let named = |path: &str| path.replace("OWN", &own).replace("UNKNOWN", &unknown);
    let patch = r#"{"Operations":[{"op":"replace","value":{"active":false}}]}"#;
    let json = "application/scim+json";
    let cases = [
        ("GET", "/Nothing", json, "", 404, None),
        ("POST", "/Users/x/y", json, "{}", 404, None),
        ("GET", "/Users/%FF", json, "", 404, None),
        ("GET", "/Users/0", json, "", 404, None),
        ("GET", "/Groups/0", json, "", 404, None),
        ("GET", "UNKNOWN", json, "", 404, None),
        ("PUT", "UNKNOWN", json, r#"{"userName":"x"}"#, 404, None),
        ("PATCH", "UNKNOWN", json, patch, 404, None),
        ("DELETE", "UNKNOWN", json, "", 404, None),
        ("GET", "/Schemas/urn:nobody", json, "", 404, None),
        ("GET", "/ResourceTypes/Nobody", json, "", 404, None),
        ("GET", "/Me", json, "", 501, None),
        ("PUT", "/Users", json, "{}", 405, None),
        ("PATCH", "/Users", json, "{}", 405, None),
        ("DELETE", "/Users", json, "", 405, None),
        ("POST", "OWN", json, "{}", 405, None),
        ("DELETE", "/Groups", json, "", 405, None),
        ("POST", "/ServiceProviderConfig", json, "{}", 405, None),
        ("PUT", "/ServiceProviderConfig", json, "{}", 405, None),
        ("PATCH", "/ServiceProviderConfig", json, "{}", 405, None),
        ("DELETE", "/ServiceProviderConfig", json, "", 405, None),
        ("POST", "/Schemas", json, "{}", 405, None),
        ("DELETE", "/ResourceTypes", json, "", 405, None),
        ("POST", "/Users", json, r#"{"userName":"ANN"}"#, 409, Some("uniqueness")),
        ("POST", "/Users", "text/plain", r#"{"userName":"x"}"#, 415, None),
        ("PUT", "OWN", "application/xml", "<user/>", 415, None),
        ("PATCH", "OWN", "application/x-www-form-urlencoded", "active=false", 415, None),
        ("POST", "/Users", json, "", 400, Some("invalidSyntax")),
        ("POST", "/Users", json, r#"{"userName":"x""#, 400, Some("invalidSyntax")),
        ("PUT", "OWN", json, "[]", 400, Some("invalidSyntax")),
        ("PATCH", "OWN", json, "active=false", 400, Some("invalidSyntax")),
        ("PATCH", "OWN", json, r#"{"Operations":[{"op":"frob","value":{}}]}"#, 400, Some("invalidSyntax")),
        ("PATCH", "OWN", json, r#"{"Operations":[{"op":"add","path":"na me","value":"x"}]}"#, 400, Some("invalidPath")),
        (
            "PATCH",
            "OWN",
            json,
            r#"{"Operations":[{"op":"add","path":"emails[","value":"x"}]}"#,
            400,
            Some("invalidFilter"),
        ),
        ("POST", "/Users", json, r#"{"displayName":"Nameless"}"#, 400, Some("invalidValue")),
        ("POST", "/Users", json, r#"{"userName":"x","active":"perhaps"}"#, 400, Some("invalidValue")),
        ("POST", "/Groups", json, r#"{"members":[]}"#, 400, Some("invalidValue")),
        ("GET", "/Users?count=many", json, "", 400, Some("invalidValue")),
        ("GET", "/Users?filter=userName", json, "", 400, Some("invalidFilter")),
        ("GET", "/Users?filter=userName%20eq", json, "", 400, Some("invalidFilter")),
        ("GET", "/Users?filter=userName%20is%20%22x%22", json, "", 400, Some("invalidFilter")),
        ("GET", "/Users?filter=(userName%20eq%20%22x%22", json, "", 400, Some("invalidFilter")),
        ("GET", "/Groups?filter=displayName%20eq%20%22", json, "", 400, Some("invalidFilter")),
    ];
    let authorization = format!("Bearer {}", acme.token);
    for (method, path, media_type, body, status, scim_type) in cases {
        let headers = [("authorization", authorization.as_str()), ("content-type", media_type)];
        let answer = acme.sends(method.parse().unwrap(), &named(path), &headers, body).await;
        println!("{method} {path} {body}");
        assert_refused(&answer, status, scim_type);
        assert_eq!(answer.headers.contains_key("allow"), status == 405, "RFC 9110 15.5.6: Allow");
    }
    assert_eq!(user(&acme, &ann["id"]).await, ann, "no refused request changed anything");
}

#[tokio::test]
async fn a_body_of_any_json_type_or_of_none_is_read() {
    let acme = Customer::new().await;
    let types = [Some("application/scim+json"), Some("application/json"), Some("Application/JSON;charset=UTF-8"), None];
    for (i, media_type) in types.into_iter().enumerate() {
        let authorization = format!("Bearer {}", acme.token);
        let mut headers = vec![("authorization", authorization.as_str())];
        headers.extend(media_type.map(|media_type| ("content-type", media_type)));
        let body = json!({ "userName": format!("user-{i}") }).to_string();
        acme.sends(Method::POST, "/Users", &headers, &body).await.document(201);
    }
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_in_scims_form() {
    let gateway = Gateway::start_with(Clock::manual(), |config| config.limits.scim_body = 2_000).await;
    let acme = Customer::of(&gateway).await;
    let of_size = |size: usize| {
        let empty = json!({ "userName": "ann", "title": "" }).to_string().len();
        json!({ "userName": "ann", "title": "x".repeat(size - empty) })
    };
    let answer = acme.scim(Method::POST, "/Users", Some(of_size(2_001))).await;
    assert_refused(&answer, 413, None);
    acme.scim(Method::POST, "/Users", Some(of_size(2_000))).await.document(201);
}

#[tokio::test]
async fn a_request_that_takes_too_long_is_told_so_in_scims_form() {
    let limit = Duration::from_secs(2);
    let gateway = Gateway::start_with(Clock::manual(), |config| config.server.request_timeout = limit).await;
    let acme = Customer::of(&gateway).await;
    let ann = create(&acme, "ann").await;
    let mut database = superuser().await;
    let mut tx = database.begin().await.unwrap();
    let id = Uuid::parse_str(ann["id"].as_str().unwrap()).unwrap();
    sqlx::query("SELECT FROM accounts WHERE id = $1 FOR UPDATE").bind(id).execute(&mut *tx).await.unwrap();
    let answer = acme.scim(Method::DELETE, &path("Users", &ann), None).await;
    assert_refused(&answer, 503, None);
    tx.rollback().await.unwrap();
    assert_eq!(user(&acme, &ann["id"]).await, ann, "the same call is answered once the lock is gone");
}

#[tokio::test]
async fn a_token_is_taken_in_every_spelling_and_nothing_else_is() {
    let acme = Customer::new().await;
    let token = acme.token.as_str();
    for accepted in ["Bearer TOKEN", "bearer TOKEN", "BEARER TOKEN", "Bearer  TOKEN", "TOKEN"] {
        let value = accepted.replace("TOKEN", token);
        let answer = acme.sends(Method::GET, "/Users", &[("authorization", &value)], "").await;
        assert_eq!(answer.status, 200, "{accepted}: {}", answer.body);
    }
    let (shorter, other) = (&token[..token.len() - 1], format!("ghscim_{}", "A".repeat(43)));
    let refused = ["", "Bearer", "Bearer ", "Basic dXNlcjpwYXNz", &format!("Basic {token}"), shorter, &other];
    let none: Vec<Vec<(&str, &str)>> = vec![vec![]];
    for headers in none.into_iter().chain(refused.map(|value| vec![("authorization", value)])) {
        for (method, path) in
            [(Method::GET, "/Users"), (Method::POST, "/Users"), (Method::GET, "/ServiceProviderConfig")]
        {
            let answer = acme.sends(method, path, &headers, "").await;
            assert_refused(&answer, 401, None);
            let challenge = answer.headers["www-authenticate"].to_str().unwrap();
            assert!(challenge.starts_with("Bearer"), "{challenge}");
        }
    }
}

#[tokio::test]
async fn a_revoked_token_is_refused_at_once_and_a_second_one_goes_on() {
    let acme = Customer::new().await;
    let (store, now) = (&acme.gateway.app.store, acme.gateway.clock.now());
    let (_, second) = directory::create_token(store, now, acme.connection, TokenSpec::default()).await.unwrap();
    let ask = async |token: &str| acme.scim_as(token, Method::GET, "/Users", None).await;
    ask(&acme.token).await.document(200);
    ask(second.reveal()).await.document(200);
    directory::revoke_token(store, now, acme.connection, acme.token_id).await.unwrap();
    assert_refused(&ask(&acme.token).await, 401, None);
    ask(second.reveal()).await.document(200);
}

#[tokio::test]
async fn a_connection_that_does_not_exist_answers_in_scims_form() {
    let acme = Customer::new().await;
    let unknown = Uuid::new_v4().to_string();
    for (cid, expected) in [(unknown.as_str(), [401, 404]), ("0", [404, 404]), ("%FF", [404, 404])] {
        let url = format!("{}/c/{cid}/scim/v2/Users", acme.gateway.url);
        for (token, status) in [None, Some(&acme.token)].into_iter().zip(expected) {
            let mut request = reqwest::Client::new().get(&url);
            if let Some(token) = token {
                request = request.bearer_auth(token);
            }
            assert_refused(&ScimAnswer::read(request.send().await.unwrap()).await, status, None);
        }
    }
}

#[tokio::test]
async fn a_user_name_is_unique_without_regard_to_case_and_kept_as_it_was_sent() {
    let acme = Customer::new().await;
    let same = [
        ("Ann.Lee@Acme.Test", "aNN.lEE@aCME.tEST"),
        ("ΟΔΥΣΣΕΥΣ", "οδυσσευς"),
        ("İSTANBUL", "i\u{307}stanbul"),
        ("ÖZGÜR.ŞAHIN", "özgür.şahin"),
        ("Жанна", "ЖАННА"),
    ];
    for (sent, other) in same {
        is_the_same_name(&acme, sent, other).await;
    }
    // The dotless letter is one of its own: no folding makes it the other.
    create(&acme, "ışık").await;
    let taken = create(&acme, "isik").await;
    let onto = acme.scim(Method::PUT, &path("Users", &taken), Some(json!({ "userName": "ANN.LEE@acme.test" }))).await;
    assert_refused(&onto, 409, Some("uniqueness"));
    assert_eq!(user(&acme, &taken["id"]).await, taken);
}

#[tokio::test]
async fn a_sigma_at_the_end_of_a_word_is_the_same_letter_as_elsewhere() {
    // Lower-casing writes the one before a dot in two ways, depending on what follows it.
    let acme = Customer::new().await;
    is_the_same_name(&acme, "Νίκος.Παπάς@acme.test", "ΝΊΚΟΣ.ΠΑΠΆΣ@ACME.TEST").await;
}

/// Creates a user of the one name and meets it by the other.
async fn is_the_same_name(acme: &Customer, sent: &str, other: &str) {
    let created = create(acme, sent).await;
    assert_eq!(created["userName"], sent);
    let again = acme.scim(Method::POST, "/Users", Some(json!({ "userName": other }))).await;
    assert_refused(&again, 409, Some("uniqueness"));
    for spelling in [sent, other] {
        let filter: String =
            url::form_urlencoded::byte_serialize(format!("userName eq \"{spelling}\"").as_bytes()).collect();
        let found = acme.scim(Method::GET, &format!("/Users?filter={filter}"), None).await.document(200);
        assert_eq!(found["Resources"], json!([created]), "{spelling}");
    }
    let mut renamed = created.clone();
    renamed["userName"] = json!(other);
    let renamed = acme.scim(Method::PUT, &path("Users", &created), Some(renamed)).await.document(200);
    assert_eq!(renamed["userName"], other, "another spelling of one's own name is no conflict");
}

#[tokio::test]
async fn of_eight_creates_at_once_one_wins() {
    let acme = Customer::new().await;
    let mut tasks = tokio::task::JoinSet::new();
    for i in 0..8 {
        let name = if i % 2 == 0 { "ann@acme.test" } else { "ANN@ACME.TEST" };
        let (url, token) = (format!("{}/Users", acme.scim_base()), acme.token.clone());
        tasks.spawn(async move {
            let request = reqwest::Client::new().post(url).bearer_auth(token).body(okta_creates(name));
            ScimAnswer::read(request.header("content-type", "application/scim+json").send().await.unwrap()).await
        });
    }
    let answers = tasks.join_all().await;
    let (created, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 201);
    assert_eq!((created.len(), refused.len()), (1, 7));
    refused.iter().for_each(|answer| assert_refused(answer, 409, Some("uniqueness")));
    let listed = acme.scim(Method::GET, "/Users", None).await.document(200);
    assert_eq!(listed, a_list(1, 1, &[created[0].body.clone()]));
    assert_eq!(acme.events("user.created").await.len(), 1, "the seven left nothing behind");
}

#[tokio::test]
async fn the_same_name_is_free_in_every_other_connection() {
    let acme = Customer::new().await;
    let (sibling, other) = (acme.sibling(&acme.application).await, Customer::of(&acme.gateway).await);
    let mut ids = BTreeSet::new();
    for customer in [&acme, &sibling, &other] {
        let created = create(customer, "ann@acme.test").await;
        ids.insert(created["id"].to_string());
        let listed = customer.scim(Method::GET, "/Users", None).await.document(200);
        assert_eq!(listed, a_list(1, 1, &[created]));
    }
    assert_eq!(ids.len(), 3);
}

#[tokio::test]
async fn what_the_server_says_of_a_user_is_not_the_clients_to_change() {
    let acme = Customer::new().await;
    let group = acme.scim(Method::POST, "/Groups", Some(json!({ "displayName": "Staff" }))).await.document(201);
    let forged = json!({
        "schemas": [USER, "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"],
        "id": Uuid::nil(),
        "meta": { "resourceType": "Robot", "created": "1970-01-01T00:00:00Z", "version": "W/\"99\"", "location": "https://evil.test" },
        "groups": [{ "value": group["id"], "display": "Staff" }],
        "userName": "ann",
        "favoriteColor": "green",
    });
    let created = acme.scim(Method::POST, "/Users", Some(forged.clone())).await.document(201);
    let honest = |document: &Value, version: &str| {
        assert_ne!(document["id"], json!(Uuid::nil()));
        let meta = json!({ "resourceType": "User", "created": created["meta"]["created"], "version": version });
        assert_says(document, &json!({ "schemas": [USER], "groups": null, "favoriteColor": null, "meta": meta }));
        assert!(document["meta"]["location"].as_str().unwrap().starts_with(&acme.scim_base()));
    };
    honest(&created, "W/\"1\"");
    let mut put = forged.clone();
    put["title"] = json!("Dr.");
    let replaced = acme.scim(Method::PUT, &path("Users", &created), Some(put)).await.document(200);
    honest(&replaced, "W/\"2\"");
    let patch = json!({ "Operations": [
        { "op": "replace", "value": { "id": Uuid::nil(), "groups": forged["groups"], "meta": forged["meta"], "title": "Prof." } },
    ]});
    let patched = acme.scim(Method::PATCH, &path("Users", &created), Some(patch)).await.document(200);
    honest(&patched, "W/\"3\"");
    assert_eq!((&patched["id"], &patched["title"]), (&created["id"], &json!("Prof.")));
    let group = acme.scim(Method::GET, &path("Groups", &group), None).await.document(200);
    assert_eq!(group["members"], json!([]), "nobody gets into a group by saying so");
}

#[tokio::test]
async fn a_password_is_neither_answered_nor_kept_anywhere() {
    let acme = Customer::new().await;
    let (canary, name) = (unique("Pa55canary"), unique("ann"));
    let mut answers = Vec::new();
    let body = json!({ "userName": name, "password": canary, "active": true });
    let created = acme.scim(Method::POST, "/Users", Some(body.clone())).await.document(201);
    let at = path("Users", &created);
    answers.push(created);
    answers.push(acme.scim(Method::PUT, &at, Some(body)).await.document(200));
    let operations = [
        json!({ "op": "replace", "value": { "password": canary } }),
        json!({ "op": "Add", "path": "password", "value": canary }),
        json!({ "op": "replace", "path": format!("{USER}:password"), "value": canary }),
    ];
    for operation in operations {
        answers.push(acme.scim(Method::PATCH, &at, Some(json!({ "Operations": [operation] }))).await.document(200));
    }
    answers.push(acme.scim(Method::GET, &format!("{at}?attributes=password,userName"), None).await.document(200));
    answers.push(acme.scim(Method::GET, "/Users", None).await.document(200));
    let refused = json!({ "userName": "", "password": canary });
    answers.push(acme.scim(Method::POST, "/Users", Some(refused)).await.document(400));
    for answer in &answers {
        let text = answer.to_string();
        assert!(!text.contains(&canary) && !text.contains("password"), "{text}");
    }
    assert_eq!(rows_with(&canary).await, Vec::<String>::new());
    assert!(rows_with(&name).await.contains(&"accounts".to_owned()), "the search finds what is there");
}

/// The tables that hold a text anywhere, bytes included.
pub async fn rows_with(text: &str) -> Vec<String> {
    let mut database = superuser().await;
    let tables = "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables
                  WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1";
    let tables: Vec<String> = sqlx::query_scalar(tables).fetch_all(&mut database).await.unwrap();
    let mut found = Vec::new();
    for table in tables {
        let query = format!(
            "SELECT EXISTS (SELECT FROM {table} AS t WHERE strpos(t::text, $1) > 0 OR strpos(t::text, encode(convert_to($1, 'UTF8'), 'hex')) > 0)"
        );
        if sqlx::query_scalar(AssertSqlSafe(query)).bind(text).fetch_one(&mut database).await.unwrap() {
            found.push(table.trim_start_matches("public.").to_owned());
        }
    }
    database.close().await.unwrap();
    found
}

#[tokio::test]
async fn a_put_without_active_neither_deactivates_nor_reactivates() {
    let acme = Customer::new().await;
    let ann = create(&acme, "ann").await;
    let at = path("Users", &ann);
    for active in [true, false] {
        let body = json!({ "userName": "ann", "active": active });
        acme.scim(Method::PUT, &at, Some(body)).await.document(200);
        let put = json!({ "userName": "ann", "title": format!("{active}") });
        let answer = acme.scim(Method::PUT, &at, Some(put)).await.document(200);
        assert_eq!(answer["active"], active);
    }
}

#[tokio::test]
async fn a_repeated_write_leaves_no_trace() {
    let acme = Customer::new().await;
    let name = format!("ann@{}", acme.domain);
    let created = acme.okta_sends(Method::POST, "/Users", Some(&okta_creates(&name))).await.document(201);
    let at = path("Users", &created);
    acme.gateway.clock.advance(Seconds::minutes(1));
    let patch = json!({ "Operations": [{ "op": "replace", "value": { "active": true } }] });
    let writes = [
        (Method::PUT, created.clone()),
        (Method::PUT, serde_json::from_str(&okta_creates(&name)).unwrap()),
        (Method::PATCH, patch),
    ];
    for (method, body) in writes {
        let answer = acme.scim(method, &at, Some(body)).await.document(200);
        assert_eq!(answer, created, "lastModified and version included");
    }
    for kind in ["user.updated", "user.deactivated", "user.reactivated", "user.role_changed"] {
        assert_eq!(acme.events(kind).await, Vec::<Value>::new(), "{kind}");
    }
    let changed = acme
        .scim(Method::PATCH, &at, Some(json!({ "Operations": [{ "op": "add", "path": "title", "value": "x" }] })))
        .await;
    let changed = changed.document(200);
    assert_eq!(changed["meta"]["version"], "W/\"2\"", "a real change does count");
    assert_ne!(changed["meta"]["lastModified"], created["meta"]["lastModified"]);
    assert_eq!(acme.events("user.updated").await.len(), 1);
}

#[tokio::test]
async fn booleans_that_are_text_are_understood() {
    let acme = Customer::new().await;
    let ann =
        acme.scim(Method::POST, "/Users", Some(json!({ "userName": "ann", "active": "True" }))).await.document(201);
    assert_eq!(ann["active"], true);
    let at = path("Users", &ann);
    let entra = |value: &str| json!({ "Operations": [{ "op": "Replace", "path": "active", "value": value }] });
    let steps = [
        (Method::PUT, json!({ "userName": "ann", "active": "False" }), false),
        (Method::PATCH, entra("True"), true),
        (Method::PATCH, entra("False"), false),
        (Method::PATCH, json!({ "Operations": [{ "op": "replace", "value": { "active": "true" } }] }), true),
        (
            Method::PATCH,
            json!({ "Operations": [{ "op": "Replace", "path": "active", "value": [{ "value": "False" }] }] }),
            false,
        ),
    ];
    for (method, body, active) in steps {
        assert_eq!(acme.scim(method, &at, Some(body)).await.document(200)["active"], active);
    }
}

#[tokio::test]
async fn careless_addresses_reach_the_same_resources() {
    let acme = Customer::new().await;
    let ann = create(&acme, "ann").await;
    let id = ann["id"].as_str().unwrap();
    let all = a_list(1, 1, std::slice::from_ref(&ann));
    let filter = "filter=userName%20eq%20%22ann%22";
    for path in ["/Users", "//Users", "/Users/", "//Users//", "/Users?aadOptscim062020"] {
        assert_eq!(acme.scim(Method::GET, path, None).await.document(200), all, "{path}");
    }
    for query in [
        filter,
        &format!("{filter}&"),
        "filter=userName+eq+%22ann%22&",
        "filter=username%20EQ%20%22ANN%22&aadOptscim062020",
    ] {
        assert_eq!(acme.scim(Method::GET, &format!("//Users/?{query}"), None).await.document(200), all, "{query}");
    }
    for path in [
        format!("/Users/{id}/"),
        format!("//Users//{id}"),
        format!("/Users/{id}?"),
        format!("/Users/{}", id.to_uppercase()),
    ] {
        assert_eq!(acme.scim(Method::GET, &path, None).await.document(200), ann, "{path}");
    }
    let path = format!("//Users/{id}/?aadOptscim062020");
    let patch = json!({ "Operations": [{ "op": "replace", "value": { "active": false } }] });
    assert_eq!(acme.scim(Method::PATCH, &path, Some(patch)).await.document(200)["active"], false);
    let created = acme.scim(Method::POST, "//Users/", Some(json!({ "userName": "ben" }))).await.document(201);
    assert_eq!(created["meta"]["location"], format!("{}{}", acme.scim_base(), self::path("Users", &created)));
}

#[tokio::test]
async fn paging_visits_every_user_once_in_a_stable_order() {
    let acme = Customer::new().await;
    let mut ids = Vec::new();
    for i in 0..25 {
        // Some of one moment, some of others.
        if i % 4 == 0 {
            acme.gateway.clock.advance(Seconds::milliseconds(1));
        }
        ids.push(create(&acme, &format!("user-{i}")).await["id"].as_str().unwrap().to_owned());
    }
    // Those of one moment stand by their ids, which begin with the moment.
    ids.sort();
    let ids: Vec<Value> = ids.into_iter().map(Value::from).collect();
    let get = async |query: String| acme.scim(Method::GET, &format!("/Users?{query}"), None).await.document(200);
    let ids_of =
        |page: &Value| page["Resources"].as_array().unwrap().iter().map(|user| user["id"].clone()).collect::<Vec<_>>();
    for count in [1, 4, 10, 25, 100] {
        let mut seen = Vec::new();
        while seen.len() < 25 {
            let start = seen.len() + 1;
            let page = get(format!("startIndex={start}&count={count}")).await;
            let expected = count.min(25 - seen.len());
            assert_says(&page, &json!({ "totalResults": 25, "startIndex": start, "itemsPerPage": expected }));
            assert_eq!(page["Resources"].as_array().unwrap().len(), expected);
            seen.extend(ids_of(&page));
            // A change between two pages moves nobody.
            let at = path("Users", &json!({ "id": seen[0] }));
            let body = json!({ "Operations": [{ "op": "replace", "value": { "title": format!("{count}-{start}"), "active": false } }] });
            acme.scim(Method::PATCH, &at, Some(body)).await.document(200);
        }
        assert_eq!(seen, ids, "{count} at a time");
    }
    let bounds = [
        ("startIndex=0&count=2", 1, &ids[..2]),
        ("startIndex=-7&count=2", 1, &ids[..2]),
        ("startIndex=24&count=100", 24, &ids[23..]),
        ("startIndex=26&count=5", 26, &[]),
        ("startIndex=9223372036854775807", i64::MAX, &[]),
        ("count=0", 1, &[]),
        ("count=-3", 1, &[]),
        ("count=99999999999999999999", 1, &ids),
        ("STARTINDEX=2&Count=1", 2, &ids[1..2]),
        ("", 1, &ids),
    ];
    for (query, start, expected) in bounds {
        let page = get(query.to_owned()).await;
        assert_says(&page, &json!({ "totalResults": 25, "startIndex": start, "itemsPerPage": expected.len() }));
        assert_eq!(ids_of(&page), expected, "{query}");
    }
}

#[tokio::test]
async fn the_role_follows_the_attribute() {
    let acme = Customer::new().await;
    let role = |i: usize, role: Option<&str>| {
        let user = acme.user(&format!("user{i}"));
        role.map_or(user.clone(), |role| user.with_role(role))
    };
    let mut cases: Vec<(Option<&str>, &str)> = ROLES.iter().map(|role| (Some(*role), *role)).collect();
    cases.extend([(None, "ANALYST"), (Some("ROOT"), "ANALYST"), (Some("manager"), "MANAGER")]);
    for (i, (sent, expected)) in cases.into_iter().enumerate() {
        let ann = role(i, sent);
        let id = acme.assign(&ann).await;
        let document = user(&acme, &json!(id)).await;
        assert_eq!(document["role"], json!(sent), "shown as it was sent");
        let tokens = acme.sign_in(&Browser::new(), &ann.email).await;
        assert_eq!(tokens.id_claims()["roles"], json!([expected]), "{sent:?}");
    }
    let failed = acme.events("provisioning.failed").await;
    assert_eq!(failed.len(), 1, "{failed:?}");
    let expected = json!({ "code": "GH-ROL-001", "problem": "unknown role", "sent": "ROOT", "given": "ANALYST" });
    assert_says(
        &failed[0],
        &json!({ "subject": "user", "actor": format!("scim:{}", acme.token_id), "data": expected }),
    );
}

#[tokio::test]
async fn a_changed_role_is_told_once_and_holds_at_once() {
    let acme = Customer::new().await;
    let ann = acme.user("ann").with_role("MANAGER");
    let id = acme.assign(&ann).await;
    let tokens = acme.sign_in(&Browser::new(), &ann.email).await;
    let mut okta = acme.okta(Style::Custom);
    for role in ["ADMINISTRATOR", "ADMINISTRATOR", "ROOT", "ROOT"] {
        okta.push_user(&acme.user("ann").with_role(role)).await.unwrap();
    }
    let changes = acme.events("user.role_changed").await;
    let expected = [("MANAGER", "ADMINISTRATOR", "attribute"), ("ADMINISTRATOR", "ANALYST", "unknown")];
    assert_eq!(changes.len(), expected.len(), "{changes:?}");
    for (change, (from, to, reason)) in changes.iter().zip(expected) {
        assert_says(&change["data"], &json!({ "from": from, "to": to, "reason": reason, "account_id": id }));
    }
    assert_eq!(acme.events("provisioning.failed").await.len(), 1, "the repeated unknown role is not news");
    let form = [("token", tokens.text("access_token"))];
    let seen = acme.post_as(&acme.application, "/oauth2/introspect", &form).await;
    assert_eq!(seen.body["roles"], json!(["ANALYST"]), "a token made before the change does not keep the old role");
}

#[tokio::test]
async fn a_deleted_user_is_gone_and_a_new_one_of_that_name_is_somebody_else() {
    let acme = Customer::new().await;
    let ann = create(&acme, "ann").await;
    let at = path("Users", &ann);
    acme.scim(Method::DELETE, &at, None).await.document(204);
    let patch = json!({ "Operations": [{ "op": "replace", "value": { "active": true } }] });
    let after =
        [(Method::DELETE, None), (Method::GET, None), (Method::PUT, Some(ann.clone())), (Method::PATCH, Some(patch))];
    for (method, body) in after {
        assert_refused(&acme.scim(method, &at, body).await, 404, None);
    }
    let found = acme.scim(Method::GET, &okta_looks_for("ann"), None).await.document(200);
    assert_eq!(found, a_list(0, 1, &[]));
    let again = create(&acme, "ann").await;
    assert_ne!(again["id"], ann["id"]);
    assert_eq!(acme.events("user.deleted").await.len(), 1);
}

#[tokio::test]
async fn discovery_describes_this_server() {
    let gateway = Gateway::start().await;
    let application = gateway
        .application("https://own.test/callback", |spec| spec.roles = ["OWNER", "GUEST"].map(str::to_owned).to_vec())
        .await;
    let acme = Customer::entering(&gateway, application).await;
    let get = async |path: &str| acme.scim(Method::GET, path, None).await.document(200);
    let config = get("/ServiceProviderConfig?filter=ignored&attributes=x").await;
    let offers = json!({ "patch": { "supported": true }, "bulk": { "supported": true, "maxOperations": 500, "maxPayloadSize": 10_485_760 },
        "filter": { "supported": true, "maxResults": 500 }, "changePassword": { "supported": false },
        "sort": { "supported": true }, "etag": { "supported": true }, "pagination": { "cursor": true, "index": true,
            "defaultPaginationMethod": "index", "defaultPageSize": 100, "maxPageSize": 500 },
        "authenticationSchemes": [{ "type": "oauthbearertoken", "primary": true }, { "type": "oauth2" }] });
    assert_says(&config, &offers);

    let types = get("/ResourceTypes").await;
    assert_says(
        &types,
        &json!({ "schemas": [LIST], "totalResults": 2, "Resources": [
            { "id": "User", "endpoint": "/Users", "schema": USER, "schemaExtensions": [{ "schema": ENTERPRISE_USER, "required": false }] },
            { "id": "Group", "endpoint": "/Groups", "schema": GROUP },
        ]}),
    );
    assert_eq!(get("/ResourceTypes/User").await, types["Resources"][0]);

    let schemas = get("/Schemas").await;
    assert_says(
        &schemas,
        &json!({ "totalResults": 3, "Resources": [{ "id": USER }, { "id": ENTERPRISE_USER }, { "id": GROUP }] }),
    );
    for schema in schemas["Resources"].as_array().unwrap() {
        assert_eq!(get(&format!("/Schemas/{}", schema["id"].as_str().unwrap())).await, *schema);
    }
    let attribute = |name: &str| {
        let attributes = schemas["Resources"][0]["attributes"].as_array().unwrap();
        attributes.iter().find(|attribute| attribute["name"] == name).unwrap_or_else(|| panic!("no {name}")).clone()
    };
    assert_eq!(attribute("role")["canonicalValues"], json!(["OWNER", "GUEST"]), "this application's roles");
    assert_says(&attribute("userName"), &json!({ "required": true, "caseExact": false, "uniqueness": "server" }));
    assert_says(&attribute("password"), &json!({ "mutability": "writeOnly", "returned": "never" }));
    assert_says(&attribute("groups"), &json!({ "mutability": "readOnly" }));
}

#[tokio::test]
async fn ann_pushed_through_two_connections_is_one_user_with_two_accounts() {
    let acme = Customer::new().await;
    let board = acme.gateway.application("https://board.test/callback", |_| {}).await;
    let board = acme.sibling(&board).await;
    let ann = acme.user("ann");
    let (here, there) =
        (acme.assign(&ann.clone().with_role("MANAGER")).await, board.assign(&ann.clone().with_role("DESIGNER")).await);
    assert_ne!(here, there, "two accounts");
    let mut subjects = BTreeSet::new();
    let mut tokens = Vec::new();
    for (customer, role) in [(&acme, "MANAGER"), (&board, "DESIGNER")] {
        let answer = customer.sign_in(&Browser::new(), &ann.email).await;
        assert_eq!(answer.id_claims()["roles"], json!([role]), "a role in each application");
        subjects.insert(answer.id_claims()["sub"].to_string());
        tokens.push(answer);
    }
    assert_eq!(subjects.len(), 1, "one user");
    assert_eq!(board.events("user.linked").await[0]["subject_id"], tokens[0].id_claims()["sub"]);

    let mut okta: Okta = acme.okta(Style::Catalogue);
    okta.deactivate(&ann).await.unwrap();
    assert!(!acme.is_active(tokens[0].text("access_token")).await, "out of the one");
    assert!(board.is_active(tokens[1].text("access_token")).await, "still in the other");
    let again = board.sign_in(&Browser::new(), &ann.email).await;
    assert_eq!(again.id_claims()["sub"], tokens[1].id_claims()["sub"]);

    acme.scim(Method::DELETE, &format!("/Users/{here}"), None).await.document(204);
    assert!(board.is_active(again.text("access_token")).await, "the user stays while one account does");
    assert_eq!(user(&board, &json!(there)).await["active"], true);
}

#[tokio::test]
async fn ann_pushed_through_two_connections_at_once_is_one_user_too() {
    let acme = Customer::new().await;
    let board = acme.gateway.application("https://board.test/callback", |_| {}).await;
    let board = acme.sibling(&board).await;
    // Holds the tenant's row, so that both have looked for Ann before either has made her.
    let mut database = superuser().await;
    let mut tx = database.begin().await.unwrap();
    let hold = sqlx::query("SELECT FROM tenants WHERE id = $1 FOR UPDATE").bind(acme.tenant.0);
    hold.execute(&mut *tx).await.unwrap();
    let body = okta_creates(&format!("ann@{}", acme.domain));
    let push = async |customer: &Customer| customer.okta_sends(Method::POST, "/Users", Some(&body)).await.document(201);
    let release = async {
        until_waiting(&mut tx, 2).await;
        tx.rollback().await.unwrap();
    };
    tokio::join!(push(&acme), push(&board), release);
    let count = async |kind: &str| acme.events(kind).await.len() + board.events(kind).await.len();
    assert_eq!((count("user.created").await, count("user.linked").await), (1, 1));
}

#[tokio::test]
async fn somebody_else_with_an_address_that_nobody_vouches_for_is_not_ann() {
    let acme = Customer::new().await;
    let board = acme.gateway.application("https://board.test/callback", |_| {}).await;
    let board = acme.sibling(&board).await;
    let mut ann = acme.user("ann");
    for field in ["email", "login"] {
        ann.set(field, "ann@free-mail.test");
    }
    acme.assign(&ann).await;
    board.assign(&ann).await;
    let mut subjects = BTreeSet::new();
    for customer in [&acme, &board] {
        subjects.insert(customer.sign_in(&Browser::new(), &ann.email).await.id_claims()["sub"].to_string());
    }
    assert_eq!(subjects.len(), 2);
}

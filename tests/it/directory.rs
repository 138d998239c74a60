//! The directory that the SCIM server keeps: its whole protocol through the front door, and what should break it.

mod agreement;
mod ahead;
mod attributes;
mod bulk;
mod cli;
mod credentials;
mod hostile;
mod limits;
mod log;
mod nesting;
mod outage;
mod passwords;
mod plans;
mod search;
mod sorting;
mod together;
mod versions;

use crate::scim::assert_refused;
use gateway::setup::directory as setup;
use harness::customer::{Customer, ScimAnswer, superuser};
use reqwest::Method;
use scim::schema::{CustomAttribute, Kind};
use serde_json::{Value, json};
use sqlx::Connection;
use std::sync::Arc;
use tokio::task::JoinSet;
use uuid::Uuid;

pub const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
pub const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
pub const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
pub const ACME: &str = "urn:ietf:params:scim:schemas:extension:acme:2.0:User";
pub const SEARCH_REQUEST: &str = "urn:ietf:params:scim:api:messages:2.0:SearchRequest";

/// Creates a resource; answers its document.
async fn create(customer: &Customer, endpoint: &str, body: Value) -> Value {
    customer.scim(Method::POST, endpoint, Some(body)).await.document(201)
}

/// Creates a user with nothing but a name; answers the id.
async fn user(customer: &Customer, name: &str) -> String {
    id(&create(customer, "/Users", json!({ "userName": name })).await)
}

/// Creates a group with members; answers the id.
async fn group(customer: &Customer, name: &str, members: &[&String]) -> String {
    id(&create(customer, "/Groups", json!({ "displayName": name, "members": refs(members) })).await)
}

fn refs(ids: &[&String]) -> Value {
    ids.iter().map(|id| json!({ "value": id })).collect()
}

#[track_caller]
fn id(document: &Value) -> String {
    document["id"].as_str().unwrap_or_else(|| panic!("no id in {document}")).to_owned()
}

async fn get(customer: &Customer, path: &str) -> Value {
    customer.scim(Method::GET, path, None).await.document(200)
}

async fn patch(customer: &Customer, path: &str, operations: Value) -> ScimAnswer {
    customer.scim(Method::PATCH, path, Some(json!({ "Operations": operations }))).await
}

fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// A page of what a filter finds.
async fn find(customer: &Customer, endpoint: &str, filter: &str) -> ScimAnswer {
    customer.scim(Method::GET, &format!("{endpoint}?count=500&filter={}", encoded(filter)), None).await
}

/// The names of a page, in its order: of users `userName`, of groups `displayName`.
#[track_caller]
fn names(page: &Value) -> Vec<&str> {
    let resources = page["Resources"].as_array().unwrap_or_else(|| panic!("no page: {page}"));
    let name = |resource: &'_ Value| ["userName", "displayName"].into_iter().find(|name| resource[name].is_string());
    resources.iter().map(|resource| resource[name(resource).unwrap()].as_str().unwrap()).collect()
}

/// Checks whom a filter finds, in any order, and that the total says so.
async fn assert_finds(customer: &Customer, endpoint: &str, filter: &str, expected: &[&str]) {
    let page = find(customer, endpoint, filter).await.document(200);
    let mut found = names(&page);
    found.sort_unstable();
    let mut expected = expected.to_vec();
    expected.sort_unstable();
    assert_eq!(found, expected, "{filter}");
    assert_eq!(page["totalResults"], expected.len(), "{filter}");
}

/// Checks that a filter is refused, and says why.
async fn assert_no_filter(customer: &Customer, endpoint: &str, filter: &str) {
    let answer = find(customer, endpoint, filter).await;
    println!("{filter}");
    assert_refused(&answer, 400, Some("invalidFilter"));
}

/// Defines attributes of the customer's own: URN, name, kind, multi-valued, case-exact.
async fn define(customer: &Customer, attributes: &[(&str, &str, &str, bool, bool)]) {
    let (store, now) = (&customer.gateway.app.store, customer.gateway.clock.now());
    for (urn, name, kind, multi_valued, case_exact) in attributes {
        let attribute = attribute(urn, name, kind, *multi_valued, *case_exact);
        setup::add_attribute(store, now, customer.connection, attribute).await.unwrap();
    }
}

fn attribute(urn: &str, name: &str, kind: &str, multi_valued: bool, case_exact: bool) -> CustomAttribute {
    CustomAttribute {
        urn: urn.to_owned(),
        name: name.to_owned(),
        description: String::new(),
        kind: Kind::read(kind).unwrap(),
        multi_valued,
        case_exact,
        canonical_values: Vec::new(),
    }
}

/// Sends requests at the same time; answers come in the order of requests.
async fn all_at_once(customer: &Arc<Customer>, requests: Vec<(Method, String, Option<Value>)>) -> Vec<ScimAnswer> {
    let mut tasks = JoinSet::new();
    for (index, (method, path, body)) in requests.into_iter().enumerate() {
        let customer = Arc::clone(customer);
        tasks.spawn(async move { (index, customer.scim(method, &path, body).await) });
    }
    let mut answers = tasks.join_all().await;
    answers.sort_by_key(|(index, _)| *index);
    answers.into_iter().map(|(_, answer)| answer).collect()
}

/// Makes copies of an account, and puts them into a group: the front door would take a minute for thousands.
async fn fill(customer: &Customer, account: &str, group: Option<&str>, copies: i32) {
    let mut database = superuser().await;
    let accounts = "INSERT INTO accounts (tenant_id, id, connection_id, user_id, user_name, user_name_key, active, role, role_reason,
            document, version, created_at, updated_at)
        SELECT tenant_id, gen_random_uuid(), connection_id, user_id, 'copy-' || n, 'copy-' || n, active, role, role_reason,
            document || jsonb_build_object('userName', 'copy-' || n), 1, created_at, updated_at
        FROM accounts, generate_series(1, $2) AS n WHERE id = $1";
    sqlx::query(accounts).bind(Uuid::parse_str(account).unwrap()).bind(copies).execute(&mut database).await.unwrap();
    // Else the checks of the members' keys would be planned for the table as it was.
    sqlx::query("ANALYZE accounts").execute(&mut database).await.unwrap();
    if let Some(group) = group {
        let members = "INSERT INTO group_members (tenant_id, connection_id, group_id, account_id)
            SELECT tenant_id, connection_id, $1, id FROM accounts WHERE connection_id = $2 AND user_name_key LIKE 'copy-%'";
        let members = sqlx::query(members).bind(Uuid::parse_str(group).unwrap()).bind(customer.connection.0);
        members.execute(&mut database).await.unwrap();
    }
    sqlx::query("ANALYZE group_members").execute(&mut database).await.unwrap();
    database.close().await.unwrap();
}

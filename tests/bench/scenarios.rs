//! What is asked of a tenant, as identity providers ask it.

use crate::{
    CLIENTS, CREATORS,
    load::{Draw, Scenario, Step},
    places::{ACCOUNT, Place, digits, id},
};
use ::scim::list::{Cursor, ListQuery};
use serde_json::{Value, json};
use std::{fmt::Write as _, io::Write as _};
use uuid::Uuid;

/// Members of the large PATCH.
pub const MANY: u64 = 256;

/// How far apart the users of a large PATCH are.
pub const STRIDE: u64 = 7_919;

/// Users of a page.
const PAGE: u64 = 100;

/// Writes a request with the connection's token.
pub fn request(place: &Place, into: &mut Vec<u8>, method: &str, target: &str, body: &str) {
    let Place { port, connection, token, .. } = place;
    write!(
        into,
        "{method} /c/{connection}/scim/v2{target} HTTP/1.1\r\nhost: localhost:{port}\r\nauthorization: Bearer {token}\r\n\
         user-agent: Okta SCIM Client 1.0.0\r\naccept: application/scim+json\r\naccept-charset: utf-8\r\n"
    )
    .unwrap();
    if body.is_empty() {
        into.extend_from_slice(b"\r\n");
    } else {
        let length = body.len();
        let kind = "content-type: application/scim+json; charset=utf-8";
        write!(into, "{kind}\r\ncontent-length: {length}\r\n\r\n{body}").unwrap();
    }
}

/// The name of the user of that number.
pub fn user_name(place: &Place, number: &str) -> String {
    format!("user.{number}@{}", place.domain)
}

/// Okta's creation of a user.
pub fn create(place: &Place, number: &str, into: &mut Vec<u8>) {
    request(place, into, "POST", "/Users", &user(number, &user_name(place, number)));
}

/// Okta's body of a new user.
pub fn user(number: &str, name: &str) -> String {
    format!(
        "{{\"schemas\":[\"urn:ietf:params:scim:schemas:core:2.0:User\"],\"userName\":\"{name}\",\
         \"name\":{{\"givenName\":\"Test\",\"familyName\":\"User{number}\"}},\
         \"emails\":[{{\"primary\":true,\"value\":\"{name}\",\"type\":\"work\"}}],\"displayName\":\"Test User{number}\",\
         \"locale\":\"en-US\",\"externalId\":\"00u{number}\",\"groups\":[],\"password\":\"1mz050nq\",\"active\":true}}"
    )
}

/// Okta's deactivation of the user of that number, and the opposite.
pub fn set_active(place: &Place, user: u64, active: bool, into: &mut Vec<u8>) {
    let body = patch("replace", None, &json!({ "active": active }));
    request(place, into, "PATCH", &format!("/Users/{}", id(ACCOUNT, user)), &body);
}

/// All scenarios of a tenant.
pub fn of(place: &Place) -> Vec<Scenario<'_>> {
    let mut scenarios = vec![
        Scenario {
            clients: CREATORS,
            ..single(place, "create", 201, move |draw, into| create(place, &draw.fresh.to_string(), into))
        },
        single(place, "get by id", 200, move |draw, into| {
            request(place, into, "GET", &format!("/Users/{}", id(ACCOUNT, draw.user)), "");
        }),
        filter(place, "filter userName", "userName", user_name),
        filter(place, "filter externalId", "externalId", |_, number| format!("00u{number}")),
        filter(place, "filter emails.value", "emails.value", user_name),
        filter(place, "filter emails[type].value", "emails[type%20eq%20%22work%22].value", user_name),
        list(place, "first page by index", format!("startIndex=1&count={PAGE}")),
        list(place, "first page by cursor", format!("cursor=&count={PAGE}")),
        list(place, "last page by cursor", format!("cursor={}&count={PAGE}", last_page(place))),
        pair(
            place,
            "active",
            ["PATCH active false", "PATCH active true"],
            [false, true]
                .map(|active| move |draw: &Draw, into: &mut Vec<u8>| set_active(place, draw.user, active, into)),
        ),
        members(place, "member of 10", ["add to 10", "remove from 10"], &place.small, 1),
    ];
    if !place.large.is_empty() {
        scenarios.push(members(place, "member of 100k", ["add to 100k", "remove from 100k"], &place.large, 1));
    }
    scenarios.push(members(place, "256 members", ["add 256 members", "remove 256 members"], &place.small, MANY));
    scenarios
}

/// The users whom a large PATCH is about.
pub fn many(place: &Place, user: u64, count: u64) -> Vec<Uuid> {
    let users = place.outsiders();
    let span = users.end - users.start;
    (0..count).map(|k| id(ACCOUNT, users.start + (user - users.start + k * STRIDE) % span)).collect()
}

fn single<'p>(
    place: &'p Place,
    name: &'static str,
    status: u16,
    request: impl Fn(&Draw, &mut Vec<u8>) + Sync + 'p,
) -> Scenario<'p> {
    let steps = vec![Step { label: name, status, request: Box::new(request) }];
    Scenario { name, steps, users: place.outsiders(), supply: usize::MAX, clients: CLIENTS }
}

fn pair<'p>(
    place: &'p Place,
    name: &'static str,
    labels: [&'static str; 2],
    requests: [impl Fn(&Draw, &mut Vec<u8>) + Sync + 'p; 2],
) -> Scenario<'p> {
    let steps = labels.into_iter().zip(requests);
    let steps = steps.map(|(label, request)| Step { label, status: 200, request: Box::new(request) }).collect();
    Scenario { name, steps, users: place.outsiders(), supply: usize::MAX, clients: CLIENTS }
}

fn filter<'p>(
    place: &'p Place,
    name: &'static str,
    attribute: &'static str,
    value: fn(&Place, &str) -> String,
) -> Scenario<'p> {
    single(place, name, 200, move |draw, into| {
        let value = value(place, &digits(draw.user));
        let target = format!("/Users?filter={attribute}%20eq%20%22{value}%22&startIndex=1&count={PAGE}");
        request(place, into, "GET", &target, "");
    })
}

fn list<'p>(place: &'p Place, name: &'static str, query: String) -> Scenario<'p> {
    let target = format!("/Users?{query}");
    single(place, name, 200, move |_, into| request(place, into, "GET", &target, ""))
}

/// The cursor behind which only half a page is left, made without walking there.
fn last_page(place: &Place) -> String {
    let query = ListQuery::parse("cursor=").unwrap().fingerprint(&format!("{}/Users", place.connection));
    let last_seen = id(ACCOUNT, place.size - PAGE / 2);
    Cursor { query, sort_key: None, id: last_seen.to_string() }.encode()
}

/// Puts members into the client's own group and takes them out again, as Okta and Entra do.
fn members<'p>(
    place: &'p Place,
    name: &'static str,
    labels: [&'static str; 2],
    groups: &'p [Uuid],
    count: u64,
) -> Scenario<'p> {
    let change = move |operation: &'static str| {
        move |draw: &Draw, into: &mut Vec<u8>| {
            let target = format!("/Groups/{}", groups[draw.client]);
            let members = many(place, draw.user, count);
            let body = match (operation, &members[..]) {
                ("remove", [member]) => patch("remove", Some(&format!("members[value eq \"{member}\"]")), &Value::Null),
                _ => patch(
                    operation,
                    Some("members"),
                    &members.iter().map(|member| json!({ "value": member })).collect(),
                ),
            };
            request(place, into, "PATCH", &target, &body);
        }
    };
    pair(place, name, labels, [change("add"), change("remove")])
}

fn patch(operation: &str, path: Option<&str>, value: &Value) -> String {
    let mut body = String::from("{\"schemas\":[\"urn:ietf:params:scim:api:messages:2.0:PatchOp\"],\"Operations\":[");
    write!(body, "{{\"op\":\"{operation}\"").unwrap();
    if let Some(path) = path {
        write!(body, ",\"path\":{}", json!(path)).unwrap();
    }
    if !value.is_null() {
        write!(body, ",\"value\":{value}").unwrap();
    }
    body.push_str("}]}");
    body
}

//! The SCIM provisioner of PingFederate and PingOne: users by PUT, groups by PATCH, no search for groups.

use serde_json::{Value, json};

use crate::client::Member;
use crate::client::dialect::{Change, Dialect, Group, Look, Request};
use crate::client::words::{
    ENTERPRISE_USER, GROUP, USER, escaped, form_encode, group_path, patch, references, removal, set, user_path,
};
use crate::directory::DirectoryUser;

/// What stands for the user's name or address in a filter expression.
pub const PLACEHOLDER: &str = "%s";

/// PingFederate or PingOne.
#[derive(Clone, Debug)]
pub struct Ping {
    /// The setting "Filter Expression", such as `username Eq "%s"`; expressions about `email` get the address.
    pub filter: String,
    /// Whether it is the connector for GitHub's managed users, which asks for `/Users/0` before everything else.
    pub probes: bool,
}

impl Default for Ping {
    fn default() -> Self {
        Self { filter: format!("username Eq \"{PLACEHOLDER}\""), probes: false }
    }
}

impl Ping {
    fn find(&self, value: &str) -> String {
        format!("/Users?filter={}", form_encode(&self.filter.replace(PLACEHOLDER, &escaped(value))))
    }
}

impl Dialect for Ping {
    const NAME: &'static str = "PingFederate";
    const HEADERS: &'static [(&'static str, &'static str)] = &[("user-agent", "Apache-HttpClient")];
    const CONTENT_TYPE: &'static str = "application/scim+json";
    const REFUSES_404: Option<&'static str> = Some("PingFederate does not go on with the user.");
    const DELETES_USERS: bool = true;

    fn tests(&self) -> Vec<String> {
        vec![self.find("connection-test")]
    }

    fn probe(&self) -> Option<&'static str> {
        self.probes.then_some("/Users/0")
    }

    fn find_user(&self, user: &DirectoryUser) -> String {
        let by_email = self.filter.to_lowercase().starts_with("email");
        self.find(if by_email { &user.email } else { &user.user_name })
    }

    fn user(&self, id: &str) -> String {
        user_path(id)
    }

    fn create_user(&self, user: &DirectoryUser) -> Request {
        Request::post("/Users", whole(user, true))
    }

    fn look(&self, _change: Change) -> Look {
        Look::None
    }

    fn change_user(&self, id: &str, _server: &Value, user: &DirectoryUser, change: Change) -> Vec<Request> {
        let mut body = whole(user, change != Change::Deactivate);
        body["id"] = json!(id);
        vec![Request::put(user_path(id), body)]
    }

    fn find_group(&self, _name: &str) -> String {
        "/Groups".to_owned()
    }

    fn group(&self, id: &str) -> String {
        group_path(id)
    }

    fn create_group(&self, name: &str) -> Request {
        Request::post("/Groups", json!({ "schemas": [GROUP], "displayName": name }))
    }

    fn fill_group(&self, group: Group<'_>, members: &[Member]) -> Vec<Request> {
        self.change_members(group, &[], members, members)
    }

    fn change_members(&self, group: Group<'_>, remove: &[Member], add: &[Member], _all: &[Member]) -> Vec<Request> {
        let mut operations = Vec::new();
        if !add.is_empty() {
            operations.push(json!({ "op": "add", "path": "members", "value": references(add) }));
        }
        operations.extend(remove.iter().map(removal));
        if operations.is_empty() {
            return Vec::new();
        }
        vec![Request::patch(group_path(group.id), patch(operations))]
    }

    fn rename_group(&self, group: Group<'_>, _all: &[Member]) -> Vec<Request> {
        let operation = json!({ "op": "replace", "path": "displayName", "value": group.name });
        vec![Request::patch(group_path(group.id), patch(vec![operation]))]
    }
}

fn whole(user: &DirectoryUser, active: bool) -> Value {
    let mut body = json!({
        "schemas": [USER],
        "userName": user.user_name,
        "name": {
            "formatted": user.display_name(),
            "givenName": user.first_name,
            "familyName": user.last_name,
        },
        "displayName": user.display_name(),
        "emails": [{ "type": "work", "primary": true, "value": user.email }],
        "active": active,
    });
    if let Some(role) = &user.role {
        body["roles"] = json!([{ "value": role, "primary": true }]);
    }
    for (name, value) in &user.attributes {
        set(&mut body, ENTERPRISE_USER, name, value.clone());
    }
    if body.get(ENTERPRISE_USER).is_some() {
        body["schemas"] = json!([USER, ENTERPRISE_USER]);
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filter_expression_is_the_admins() {
        let mut user = DirectoryUser::new("ann@acme.test", "Ann", "Archer");
        user.set("login", "ann");
        assert_eq!(Ping::default().find_user(&user), "/Users?filter=username+Eq+%22ann%22");
        let by_email = Ping { filter: "emails Co \"%s\"".to_owned(), probes: false };
        assert_eq!(by_email.find_user(&user), "/Users?filter=emails+Co+%22ann%40acme.test%22");
    }

    #[test]
    fn a_user_is_always_sent_whole() {
        let ann = DirectoryUser::new("ann@acme.test", "Ann", "Archer").with_role("MANAGER");
        let requests = Ping::default().change_user("7", &Value::Null, &ann, Change::Deactivate);
        let [Request { method: reqwest::Method::PUT, body: Some(body), .. }] = requests.as_slice() else {
            panic!("{requests:?}")
        };
        assert_eq!((&body["id"], &body["active"]), (&json!("7"), &json!(false)));
        assert_eq!((&body["name"]["givenName"], &body["roles"][0]["value"]), (&json!("Ann"), &json!("MANAGER")));
    }
}

//! OneLogin's provisioning by "SCIM Provisioner with SAML (SCIM v2 Enterprise)", as a server behind it recorded it:
//! every address ends in a question mark or an ampersand, and users carry the schema names of a draft.

use serde_json::{Value, json};

use crate::client::Member;
use crate::client::dialect::{Change, Dialect, Group, Look, Request};
use crate::client::words::{GROUP, filter, form_encode, group_path, patch, references, removal, set, user_path};
use crate::directory::DirectoryUser;

const CORE: &str = "urn:scim:schemas:core:2.0";
const ENTERPRISE: &str = "urn:scim:schemas:extension:enterprise:2.0";

/// OneLogin.
#[derive(Clone, Copy, Debug, Default)]
pub struct OneLogin;

impl Dialect for OneLogin {
    const NAME: &'static str = "OneLogin";
    const HEADERS: &'static [(&'static str, &'static str)] = &[("user-agent", "application/json")];
    const CONTENT_TYPE: &'static str = "application/scim+json";
    const REFUSES_404: Option<&'static str> = None;
    const DELETES_USERS: bool = true;

    // "Enable" looks for somebody who does not exist.
    fn tests(&self) -> Vec<String> {
        vec![find_user("onelogin-connection-test")]
    }

    fn find_user(&self, user: &DirectoryUser) -> String {
        find_user(&user.user_name)
    }

    fn user(&self, id: &str) -> String {
        format!("{}?", user_path(id))
    }

    fn create_user(&self, user: &DirectoryUser) -> Request {
        Request::post("/Users?", whole(user, true))
    }

    fn look(&self, change: Change) -> Look {
        match change {
            Change::TakeOver | Change::Reactivate => Look::None,
            Change::Profile | Change::Deactivate => Look::ByMatch,
        }
    }

    fn change_user(&self, id: &str, _server: &Value, user: &DirectoryUser, change: Change) -> Vec<Request> {
        vec![Request::put(self.user(id), whole(user, change != Change::Deactivate))]
    }

    fn find_group(&self, _name: &str) -> String {
        "/Groups?".to_owned()
    }

    fn group(&self, id: &str) -> String {
        format!("{}?", group_path(id))
    }

    fn create_group(&self, name: &str) -> Request {
        Request::post("/Groups?", json!({ "schemas": [GROUP], "displayName": name }))
    }

    fn fill_group(&self, group: Group<'_>, members: &[Member]) -> Vec<Request> {
        self.change_members(group, &[], members, members)
    }

    // Groups are changed when a user is: each request is about one.
    fn change_members(&self, group: Group<'_>, remove: &[Member], add: &[Member], _all: &[Member]) -> Vec<Request> {
        let joins = add.chunks(1).map(|one| json!({ "op": "add", "path": "members", "value": references(one) }));
        let operations = joins.chain(remove.iter().map(removal));
        operations.map(|operation| Request::patch(self.group(group.id), patch(vec![operation]))).collect()
    }

    fn rename_group(&self, group: Group<'_>, _all: &[Member]) -> Vec<Request> {
        let operation = json!({ "op": "replace", "path": "displayName", "value": group.name });
        vec![Request::patch(self.group(group.id), patch(vec![operation]))]
    }
}

fn find_user(user_name: &str) -> String {
    format!("/Users?filter={}&", form_encode(&filter("userName", "eq", user_name)))
}

/// The user with every mapped attribute; those without a value are null.
fn whole(user: &DirectoryUser, active: bool) -> Value {
    let mut body = json!({
        "schemas": [CORE, ENTERPRISE],
        "userName": user.user_name,
        "externalId": user.id,
        "name": {
            "familyName": user.last_name,
            "givenName": user.first_name,
            "formatted": user.display_name(),
        },
        "displayName": user.display_name(),
        "title": null,
        "emails": [{ "value": user.email, "type": "work", "primary": true }],
        "phoneNumbers": null,
        "active": active,
        ENTERPRISE: { "department": null, "manager": null },
    });
    if let Some(role) = &user.role {
        body["role"] = json!(role);
    }
    for (name, value) in &user.attributes {
        set(&mut body, ENTERPRISE, name, value.clone());
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_end_as_recorded() {
        let user = DirectoryUser::new("onelogin-test-user01", "AAA Test", "User 01");
        assert_eq!(OneLogin.find_user(&user), "/Users?filter=userName+eq+%22onelogin-test-user01%22&");
        let requests = OneLogin.change_user("e90ef750", &Value::Null, &user, Change::Profile);
        assert_eq!(requests[0].path, "/Users/e90ef750?");
        assert_eq!(OneLogin.group("a3d0173c"), "/Groups/a3d0173c?");
    }

    #[test]
    fn a_member_is_added_by_the_165_bytes_that_were_recorded() {
        let member = Member { id: "e90ef750-39cc-4062-8c35-ab6375bc455e".to_owned(), display: String::new() };
        let requests = OneLogin.change_members(Group { id: "g", name: "Staff" }, &[], &[member], &[]);
        let [Request { body: Some(body), .. }] = requests.as_slice() else { panic!("{requests:?}") };
        assert_eq!(body.to_string().len(), 165, "{body}");
    }

    #[test]
    fn attributes_without_a_value_are_null() {
        let mut user = DirectoryUser::new("ann", "Ann", "Archer");
        user.set("department", "Retail");
        let body = whole(&user, true);
        assert_eq!((&body["title"], &body["phoneNumbers"]), (&Value::Null, &Value::Null));
        assert_eq!(body[ENTERPRISE], json!({ "department": "Retail", "manager": null }));
        assert_eq!(body["schemas"], json!(["urn:scim:schemas:core:2.0", "urn:scim:schemas:extension:enterprise:2.0"]));
    }
}

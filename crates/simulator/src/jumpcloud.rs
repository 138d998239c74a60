//! JumpCloud's provisioning by "Custom SCIM Identity Management". Known from descriptions, not from a recording: its
//! header lines are not described, so that it sends none that would tell it.

use serde_json::{Value, json};

use crate::client::Member;
use crate::client::dialect::{Change, Dialect, Group, Look, Request};
use crate::client::words::{
    ENTERPRISE_USER, GROUP, USER, filter, group_path, patch, path, percent_encode, references, set, user_path,
};
use crate::directory::DirectoryUser;

/// JumpCloud, which asks for a "Test User Email" and creates and deletes that user on "Activate".
#[derive(Clone, Debug)]
pub struct JumpCloud {
    /// The address of the test user; it may have to be of a verified domain.
    pub test_user: String,
}

impl Dialect for JumpCloud {
    const NAME: &'static str = "JumpCloud";
    const HEADERS: &'static [(&'static str, &'static str)] = &[];
    const CONTENT_TYPE: &'static str = "application/scim+json";
    const REFUSES_404: Option<&'static str> = Some("JumpCloud logs a failed lookup and writes nothing.");
    const DELETES_USERS: bool = true;

    fn tests(&self) -> Vec<String> {
        Vec::new()
    }

    fn guinea_pig(&self) -> Option<DirectoryUser> {
        Some(DirectoryUser::new(&self.test_user, "JumpCloud", "Test"))
    }

    fn find_user(&self, user: &DirectoryUser) -> String {
        find("/Users", "userName", &user.user_name)
    }

    fn user(&self, id: &str) -> String {
        user_path(id)
    }

    fn create_user(&self, user: &DirectoryUser) -> Request {
        let mut body = json!({
            "schemas": [USER],
            "userName": user.user_name,
            "name": { "givenName": user.first_name, "familyName": user.last_name },
            "displayName": user.display_name(),
            "emails": [{ "value": user.email, "type": "work", "primary": true }],
            "active": true,
        });
        for (name, value) in mapped(user) {
            set(&mut body, ENTERPRISE_USER, &name, value);
        }
        if body.get(ENTERPRISE_USER).is_some() {
            body["schemas"] = json!([USER, ENTERPRISE_USER]);
        }
        Request::post("/Users", body)
    }

    fn look(&self, _change: Change) -> Look {
        Look::None
    }

    fn change_user(&self, id: &str, _server: &Value, user: &DirectoryUser, change: Change) -> Vec<Request> {
        let mut operations = Vec::new();
        let mut replace = |path: &str, value: Value| {
            operations.push(json!({ "op": "replace", "path": path, "value": value }));
        };
        if matches!(change, Change::Profile | Change::TakeOver) {
            replace("userName", json!(user.user_name));
            replace("name.givenName", json!(user.first_name));
            replace("name.familyName", json!(user.last_name));
            replace("displayName", json!(user.display_name()));
            replace("emails", json!([{ "value": user.email, "type": "work", "primary": true }]));
            for (name, value) in mapped(user) {
                replace(&path(&name), value);
            }
        }
        match change {
            Change::TakeOver | Change::Reactivate => replace("active", json!(true)),
            Change::Deactivate => replace("active", json!(false)),
            Change::Profile => {}
        }
        vec![Request::patch(user_path(id), patch(operations))]
    }

    fn find_group(&self, name: &str) -> String {
        find("/Groups", "displayName", name)
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
        let operations = [("add", add), ("remove", remove)];
        let sent = operations.into_iter().filter(|(_, members)| !members.is_empty());
        let body = |op, members| patch(vec![json!({ "op": op, "path": "members", "value": references(members) })]);
        sent.map(|(op, members)| Request::patch(group_path(group.id), body(op, members))).collect()
    }

    fn rename_group(&self, group: Group<'_>, _all: &[Member]) -> Vec<Request> {
        let operation = json!({ "op": "replace", "path": "displayName", "value": group.name });
        vec![Request::patch(group_path(group.id), patch(vec![operation]))]
    }
}

fn find(resource: &str, attribute: &str, value: &str) -> String {
    format!("{resource}?filter={}", percent_encode(&filter(attribute, "eq", value)))
}

/// Attributes beyond the name, with the role as one of them.
fn mapped(user: &DirectoryUser) -> impl Iterator<Item = (String, Value)> {
    let role = user.role.iter().map(|role| ("role".to_owned(), json!(role)));
    role.chain(user.attributes.iter().map(|(name, value)| (name.clone(), value.clone())))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLOUD: fn() -> JumpCloud = || JumpCloud { test_user: "test@acme.test".to_owned() };

    fn operations(requests: &[Request]) -> Value {
        let [Request { body: Some(body), .. }] = requests else { panic!("{requests:?}") };
        body["Operations"].clone()
    }

    #[test]
    fn each_attribute_is_an_operation_with_a_path() {
        let mut ann = DirectoryUser::new("ann@acme.test", "Ann", "Archer").with_role("MANAGER");
        ann.set("department", "Retail");
        let expected = json!([
            { "op": "replace", "path": "userName", "value": "ann@acme.test" },
            { "op": "replace", "path": "name.givenName", "value": "Ann" },
            { "op": "replace", "path": "name.familyName", "value": "Archer" },
            { "op": "replace", "path": "displayName", "value": "Ann Archer" },
            { "op": "replace", "path": "emails", "value": [{ "value": "ann@acme.test", "type": "work", "primary": true }] },
            { "op": "replace", "path": "role", "value": "MANAGER" },
            { "op": "replace", "path": format!("{ENTERPRISE_USER}:department"), "value": "Retail" },
        ]);
        assert_eq!(operations(&CLOUD().change_user("7", &Value::Null, &ann, Change::Profile)), expected);
        let off = json!([{ "op": "replace", "path": "active", "value": false }]);
        assert_eq!(operations(&CLOUD().change_user("7", &Value::Null, &ann, Change::Deactivate)), off);
    }

    #[test]
    fn members_are_removed_by_value() {
        let ann = [Member { id: "a".to_owned(), display: "ann@acme.test".to_owned() }];
        let requests = CLOUD().change_members(Group { id: "g", name: "Staff" }, &ann, &[], &[]);
        let expected = json!([{ "op": "remove", "path": "members", "value": [{ "value": "a" }] }]);
        assert_eq!(operations(&requests), expected);
    }
}

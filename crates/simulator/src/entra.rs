//! Microsoft Entra ID's provisioning. Its default dialect has capitalized operations and booleans that are texts;
//! `?aadOptscim062020` on the tenant URL makes it speak as RFC 7644 wants.

mod mapping;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::client::Member;
use crate::client::dialect::{Change, Dialect, Group, Look, Request};
use crate::client::words::{GROUP, filter, form_encode, group_path, patch, removal, user_path};
use crate::directory::{DirectoryUser, stable_uuid};

const GROUP_OF_ENTRA: &str = "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group";
const FLAG: &str = "aadOptscim062020";

/// Which of Entra's two dialects is spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Flavor {
    /// What every app gets that does not ask for more.
    #[default]
    Legacy,
    /// What the flag in the tenant URL asks for.
    Compliant,
}

/// The attribute that users are matched on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Matching {
    /// `userName`, the default.
    #[default]
    UserName,
    /// `emails[type eq "work"].value`.
    WorkEmail,
    /// `externalId`.
    ExternalId,
}

/// One enterprise application in a customer's Entra ID.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Entra {
    /// How it speaks.
    pub flavor: Flavor,
    /// How it finds users.
    pub matching: Matching,
}

impl Entra {
    /// An application with this tenant URL, whose flag decides how it speaks.
    pub fn of(tenant_url: &str) -> Self {
        let (_, query) = tenant_url.split_once('?').unwrap_or_default();
        let is_flagged = query.split('&').any(|flag| flag == FLAG);
        let flavor = if is_flagged { Flavor::Compliant } else { Flavor::Legacy };
        Self { flavor, matching: Matching::UserName }
    }
}

impl Flavor {
    fn op(self, compliant: &'static str, legacy: &'static str) -> &'static str {
        match self {
            Self::Compliant => compliant,
            Self::Legacy => legacy,
        }
    }

    fn patch_active(self, active: bool) -> Value {
        let value = match self {
            Self::Compliant => json!(active),
            Self::Legacy => json!(if active { "True" } else { "False" }),
        };
        json!({ "op": self.op("replace", "Replace"), "path": "active", "value": value })
    }
}

impl Dialect for Entra {
    const NAME: &'static str = "Entra ID";
    const HEADERS: &'static [(&'static str, &'static str)] =
        &[("user-agent", "Microsoft Azure AD SCIM provisioning"), ("adscimversion", "6.0")];
    const CONTENT_TYPE: &'static str = "application/scim+json; charset=utf-8";
    const REFUSES_404: Option<&'static str> = Some("Entra ID puts the job into quarantine.");
    const DELETES_USERS: bool = true;

    // "Test Connection" looks for nobody; the schemas are read when the settings are saved.
    fn tests(&self) -> Vec<String> {
        vec![find("/Users", &filter("userName", "eq", &Uuid::new_v4().to_string())), "/Schemas".to_owned()]
    }

    fn find_user(&self, user: &DirectoryUser) -> String {
        let match_by = match self.matching {
            Matching::UserName => filter("userName", "eq", &user.user_name),
            Matching::WorkEmail => filter(mapping::EMAIL, "eq", &user.email),
            Matching::ExternalId => filter("externalId", "eq", &mapping::nickname(user)),
        };
        find("/Users", &match_by)
    }

    fn user(&self, id: &str) -> String {
        user_path(id)
    }

    fn create_user(&self, user: &DirectoryUser) -> Request {
        Request::post("/Users", mapping::whole(user))
    }

    fn look(&self, change: Change) -> Look {
        match change {
            Change::TakeOver | Change::Profile => Look::ById,
            Change::Deactivate | Change::Reactivate => Look::None,
        }
    }

    // Whether a reference has a value is not read from the user but asked.
    fn ask(&self, id: &str, user: &DirectoryUser) -> Vec<String> {
        let manager = user.attributes.get("manager").and_then(Value::as_str);
        let question = |manager| format!("{} and {}", filter("id", "eq", id), filter("manager", "eq", manager));
        manager.map(|manager| find("/Users", &question(manager))).into_iter().collect()
    }

    fn change_user(&self, id: &str, server: &Value, user: &DirectoryUser, change: Change) -> Vec<Request> {
        let mut operations = match change {
            Change::TakeOver | Change::Profile => mapping::differences(self.flavor, server, user),
            Change::Deactivate | Change::Reactivate => Vec::new(),
        };
        match change {
            Change::Deactivate => operations.push(self.flavor.patch_active(false)),
            Change::Reactivate => operations.push(self.flavor.patch_active(true)),
            Change::TakeOver if server["active"] == false => operations.push(self.flavor.patch_active(true)),
            Change::TakeOver | Change::Profile => {}
        }
        if operations.is_empty() {
            return Vec::new();
        }
        vec![Request::patch(user_path(id), patch(operations))]
    }

    fn find_group(&self, name: &str) -> String {
        let filter = form_encode(&filter("displayName", "eq", name));
        format!("/Groups?excludedAttributes=members&filter={filter}")
    }

    fn group(&self, id: &str) -> String {
        group_path(id)
    }

    fn create_group(&self, name: &str) -> Request {
        let body = json!({
            "schemas": [GROUP, GROUP_OF_ENTRA],
            "externalId": stable_uuid(name),
            "displayName": name,
            "meta": { "resourceType": "Group" },
        });
        Request::post("/Groups", body)
    }

    fn look_at_group(&self, id: &str) -> Option<String> {
        Some(format!("{}?excludedAttributes=members", group_path(id)))
    }

    fn fill_group(&self, group: Group<'_>, members: &[Member]) -> Vec<Request> {
        self.change_members(group, &[], members, members)
    }

    fn change_members(&self, group: Group<'_>, remove: &[Member], add: &[Member], _all: &[Member]) -> Vec<Request> {
        let mut requests = Vec::new();
        let mut send = |operations| requests.push(Request::patch(group_path(group.id), patch(operations)));
        if !add.is_empty() {
            let value = references(add);
            send(vec![json!({ "op": self.flavor.op("add", "Add"), "path": "members", "value": value })]);
        }
        if !remove.is_empty() {
            send(match self.flavor {
                Flavor::Legacy => vec![json!({ "op": "Remove", "path": "members", "value": references(remove) })],
                Flavor::Compliant => remove.iter().map(removal).collect(),
            });
        }
        requests
    }

    fn rename_group(&self, group: Group<'_>, _all: &[Member]) -> Vec<Request> {
        let operation = match self.flavor {
            Flavor::Legacy => json!({ "op": "Replace", "path": "displayName", "value": group.name }),
            Flavor::Compliant => json!({ "op": "replace", "value": { "displayName": group.name } }),
        };
        vec![Request::patch(group_path(group.id), patch(vec![operation]))]
    }
}

fn find(resource: &str, filter: &str) -> String {
    format!("{resource}?filter={}", form_encode(filter))
}

fn references(members: &[Member]) -> Vec<Value> {
    members.iter().map(|member| json!({ "$ref": null, "value": member.id })).collect()
}

#[cfg(test)]
mod tests;

//! The people of the simulated customer, as their identity provider's directory knows them.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context;
use aws_lc_rs::digest;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

const FILE: &str = "directory.json";
const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Whether a person has been given the app.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Never assigned to the app.
    #[default]
    Unassigned,
    /// Assigned, and pushed to the app.
    Assigned,
    /// Taken away again.
    Deactivated,
}

impl Status {
    /// For people.
    pub fn label(self) -> &'static str {
        match self {
            Self::Unassigned => "not assigned",
            Self::Assigned => "assigned",
            Self::Deactivated => "deactivated",
        }
    }
}

/// One person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DirectoryUser {
    /// Okta's own id, which it sends as `externalId`.
    pub id: String,
    /// Okta's login, sent as `userName` and NameID.
    pub user_name: String,
    /// The e-mail address; Okta's default is that it equals the login.
    pub email: String,
    /// The given name.
    pub first_name: String,
    /// The family name.
    pub last_name: String,
    /// The app's role, if the admin set one.
    pub role: Option<String>,
    /// More SCIM attributes, as an admin maps them in Okta's profile editor.
    #[serde(default)]
    pub attributes: BTreeMap<String, Value>,
    /// Whether the person has the app.
    #[serde(default)]
    pub status: Status,
    /// The `id` that the app gave, as Okta remembers it.
    #[serde(default)]
    pub remote_id: Option<String>,
}

impl DirectoryUser {
    /// A person whose login is the e-mail address, not yet assigned.
    pub fn new(email: &str, first_name: &str, last_name: &str) -> Self {
        Self {
            id: external_id(email),
            user_name: email.to_owned(),
            email: email.to_owned(),
            first_name: first_name.to_owned(),
            last_name: last_name.to_owned(),
            role: None,
            attributes: BTreeMap::new(),
            status: Status::Unassigned,
            remote_id: None,
        }
    }

    /// The same person with a role.
    #[must_use]
    pub fn with_role(mut self, role: &str) -> Self {
        self.role = Some(role.to_owned());
        self
    }

    /// Both names.
    pub fn display_name(&self) -> String {
        format!("{} {}", self.first_name, self.last_name)
    }

    /// Changes one field by the name that Okta's profile editor uses; unknown names become SCIM attributes.
    pub fn set(&mut self, field: &str, value: &str) {
        match field {
            "firstName" => self.first_name = value.to_owned(),
            "lastName" => self.last_name = value.to_owned(),
            "email" => self.email = value.to_owned(),
            "login" | "userName" => self.user_name = value.to_owned(),
            "role" => self.role = Some(value.to_owned()).filter(|role| !role.is_empty()),
            _ => {
                self.attributes.insert(field.to_owned(), Value::String(value.to_owned()));
            }
        }
    }
}

/// Everybody.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Directory {
    /// In the order in which they are shown.
    pub users: Vec<DirectoryUser>,
}

impl Directory {
    /// The people of the demo's tenant, one for each role that shows something.
    pub fn demo() -> Self {
        let users = vec![
            DirectoryUser::new("ann@acme.test", "Ann", "Archer").with_role("ADMINISTRATOR"),
            DirectoryUser::new("ben@acme.test", "Ben", "Baker").with_role("MANAGER"),
            DirectoryUser::new("cara@acme.test", "Cara", "Cooper").with_role("DEVELOPER"),
            DirectoryUser::new("dan@acme.test", "Dan", "Dyer").with_role("DESIGNER"),
            DirectoryUser::new("eve@acme.test", "Eve", "Fletcher"),
            DirectoryUser::new("finn@acme.test", "Finn", "Glover").with_role("WIZARD"),
        ];
        Self { users }
    }

    /// Reads the directory of an earlier run, or starts with the demo's.
    pub fn load_or_demo(folder: &Path) -> anyhow::Result<Self> {
        let path = folder.join(FILE);
        if !path.exists() {
            return Ok(Self::demo());
        }
        let text = std::fs::read_to_string(&path).with_context(|| format!("could not read {}", path.display()))?;
        serde_json::from_str(&text).with_context(|| format!("{} is not a directory of ours", path.display()))
    }

    /// Keeps the directory for the next run.
    pub fn save(&self, folder: &Path) -> anyhow::Result<()> {
        std::fs::create_dir_all(folder).with_context(|| format!("could not create {}", folder.display()))?;
        let path = folder.join(FILE);
        let text = serde_json::to_string_pretty(self).context("could not write the directory as JSON")?;
        // Written beside and renamed: a run that is killed leaves the old file whole.
        let beside = folder.join(format!("{FILE}.new"));
        std::fs::write(&beside, text).with_context(|| format!("could not write {}", beside.display()))?;
        std::fs::rename(&beside, &path).with_context(|| format!("could not write {}", path.display()))
    }

    /// Finds somebody by login or by id.
    pub fn find(&self, name: &str) -> Option<&DirectoryUser> {
        self.users.iter().find(|user| user.user_name.eq_ignore_ascii_case(name) || user.id == name)
    }

    /// As [`Directory::find`], to change.
    pub fn find_mut(&mut self, name: &str) -> Option<&mut DirectoryUser> {
        self.users.iter_mut().find(|user| user.user_name.eq_ignore_ascii_case(name) || user.id == name)
    }
}

/// An id of Okta's form, the same for the same login in every run: `00u` and 17 letters or digits.
fn external_id(login: &str) -> String {
    let hash = digest::digest(&digest::SHA256, login.to_lowercase().as_bytes());
    let tail = hash.as_ref().iter().take(17).map(|byte| char::from(BASE62[usize::from(*byte) % BASE62.len()]));
    "00u".chars().chain(tail).collect()
}

/// A UUID that is the same for the same name in every run.
pub(crate) fn stable_uuid(name: &str) -> Uuid {
    let hash = digest::digest(&digest::SHA256, name.as_bytes());
    let mut bytes = [0; 16];
    bytes.iter_mut().zip(hash.as_ref()).for_each(|(byte, hashed)| *byte = *hashed);
    uuid::Builder::from_random_bytes(bytes).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_look_like_oktas_and_stay() {
        let first = external_id("ann@acme.test");
        assert_eq!(first.len(), 20);
        assert!(first.starts_with("00u"));
        assert_eq!(first, external_id("ANN@acme.test"));
        assert_ne!(first, external_id("ben@acme.test"));
    }

    #[test]
    fn fields_are_set_by_oktas_names() {
        let mut ann = DirectoryUser::new("ann@acme.test", "Ann", "Archer");
        ann.set("firstName", "Anna");
        ann.set("role", "MANAGER");
        ann.set("title", "Captain");
        assert_eq!((ann.first_name.as_str(), ann.role.as_deref()), ("Anna", Some("MANAGER")));
        assert_eq!(ann.attributes["title"], "Captain");
        ann.set("role", "");
        assert_eq!(ann.role, None);
    }

    #[test]
    fn the_directory_survives_a_restart() {
        let folder = std::env::temp_dir().join(format!("gatehouse-sim-{}", uuid::Uuid::new_v4()));
        let mut directory = Directory::load_or_demo(&folder).expect("starts with the demo's");
        directory.find_mut("ann@acme.test").expect("is in the demo").status = Status::Assigned;
        directory.save(&folder).expect("writes");
        let again = Directory::load_or_demo(&folder).expect("reads");
        assert_eq!(again.users, directory.users);
        std::fs::remove_dir_all(&folder).expect("ours");
    }
}

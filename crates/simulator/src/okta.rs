//! Okta's provisioning, request by request as recorded from the real one: a custom app changes users and groups by
//! PUT, a catalogue app by PATCH.

mod body;

use serde_json::Value;

use crate::client::dialect::{Change, Dialect, Group, Look, Request};
use crate::client::words::{filter, group_path, percent_encode, user_path};
use crate::client::{Client, Failure, Member, expect, failure, list};
use crate::directory::DirectoryUser;

const PAGE: u64 = 100;
// The members that one PATCH adds or removes, unless the app's integration says otherwise.
const BATCH: usize = 100;

/// Which of Okta's two dialects is spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Style {
    /// A custom app ("SCIM with AIW"): everything by PUT.
    #[default]
    Custom,
    /// An app of Okta's catalogue ("OIN"): path-less PATCH for `active`, PATCH for groups, PUT for profiles.
    Catalogue,
}

/// One app integration in a customer's Okta.
pub type Okta = Client<Style>;

impl Okta {
    /// "Import now": every page of users.
    pub async fn import_users(&mut self) -> Result<Vec<Value>, Failure> {
        self.import("/Users", "importing users").await
    }

    /// "Import now": every page of groups.
    pub async fn import_groups(&mut self) -> Result<Vec<Value>, Failure> {
        self.import("/Groups", "importing groups").await
    }

    /// "Sync Password": the person's new password; an app may ask for it, Gatehouse does not.
    pub async fn change_password(&mut self, user: &DirectoryUser, password: &str) -> Result<(), Failure> {
        let doing = format!("setting the password of user {}", user.display_name());
        let id = self.find_user(user).await?;
        let id = id.ok_or_else(|| failure(format!("Error while {doing}: push the user first."), None))?;
        let request = match self.dialect() {
            Style::Catalogue => Request::patch(user_path(&id), body::patch_password(password)),
            Style::Custom => {
                let answer = self.get(user_path(&id)).await?;
                let server = expect(&answer, &[200], &doing)?.cloned().unwrap_or_default();
                Request::put(user_path(&id), body::with_password(&server, password))
            }
        };
        let answer = self.send(request).await?;
        expect(&answer, &[200, 204], &doing).map(|_| ())
    }

    /// "Link Group": takes over a group that the app has and makes its members these.
    pub async fn link_group(&mut self, name: &str, members: &[Member]) -> Result<String, Failure> {
        match self.find_group(name).await? {
            Some(_) => self.push_group(name, members).await,
            None => {
                let sentence = format!("The app has no group {name} to link. Import groups, or push it as a new one.");
                Err(failure(sentence, None))
            }
        }
    }

    async fn import(&mut self, path: &str, doing: &str) -> Result<Vec<Value>, Failure> {
        let mut all = Vec::new();
        loop {
            let start = all.len() as u64 + 1;
            let answer = self.get(format!("{path}?startIndex={start}&count={PAGE}")).await?;
            let (total, page) = list(&answer, doing)?;
            let is_last = page.is_empty() || start + page.len() as u64 > total;
            all.extend_from_slice(page);
            if is_last {
                break;
            }
        }
        let mut ids: Vec<&str> = all.iter().filter_map(|resource| resource["id"].as_str()).collect();
        ids.sort_unstable();
        if ids.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(failure(format!("Error while {doing}: the server listed one resource on two pages."), None));
        }
        Ok(all)
    }
}

impl Dialect for Style {
    const NAME: &'static str = "Okta";
    const HEADERS: &'static [(&'static str, &'static str)] = &[
        ("user-agent", "Okta SCIM Client 1.0.0"),
        ("accept", "application/scim+json"),
        ("accept-charset", "utf-8"),
        ("accept-encoding", "gzip,deflate"),
        ("connection", "close"),
    ];
    const CONTENT_TYPE: &'static str = "application/scim+json; charset=utf-8";
    const REFUSES_404: Option<&'static str> = None;
    const DELETES_USERS: bool = false;

    // "Import Groups" is on.
    fn tests(&self) -> Vec<String> {
        vec!["/Users?startIndex=1&count=2".to_owned(), "/Groups?startIndex=1&count=100".to_owned()]
    }

    fn find_user(&self, user: &DirectoryUser) -> String {
        find("/Users", "userName", &user.user_name)
    }

    fn user(&self, id: &str) -> String {
        user_path(id)
    }

    fn create_user(&self, user: &DirectoryUser) -> Request {
        Request::post("/Users", body::create_user(user))
    }

    fn look(&self, change: Change) -> Look {
        match (self, change) {
            (Self::Custom, _) | (Self::Catalogue, Change::TakeOver | Change::Profile) => Look::ById,
            (Self::Catalogue, Change::Deactivate | Change::Reactivate) => Look::None,
        }
    }

    fn change_user(&self, id: &str, server: &Value, user: &DirectoryUser, change: Change) -> Vec<Request> {
        let path = user_path(id);
        let profile = || Request::put(path.as_str(), body::replace_user(server, user, true));
        let active = |active| match self {
            Self::Custom => Request::put(path.as_str(), body::with_active(server, active)),
            Self::Catalogue => Request::patch(path.as_str(), body::patch_active(active)),
        };
        match change {
            Change::TakeOver if *self == Self::Catalogue && server["active"] == false => vec![active(true), profile()],
            Change::TakeOver | Change::Profile => vec![profile()],
            Change::Deactivate => vec![active(false)],
            Change::Reactivate => vec![active(true)],
        }
    }

    fn find_group(&self, name: &str) -> String {
        find("/Groups", "displayName", name)
    }

    fn group(&self, id: &str) -> String {
        group_path(id)
    }

    fn create_group(&self, name: &str) -> Request {
        Request::post("/Groups", body::create_group(name))
    }

    fn look_at_group(&self, id: &str) -> Option<String> {
        (*self == Self::Custom).then(|| group_path(id))
    }

    fn fill_group(&self, group: Group<'_>, members: &[Member]) -> Vec<Request> {
        if *self == Self::Custom {
            return vec![Request::put(group_path(group.id), body::replace_group(group.name, members))];
        }
        let (first, rest) = members.split_at(members.len().min(BATCH));
        let mut bodies = vec![body::patch_all_members(first)];
        bodies.extend(rest.chunks(BATCH).map(|batch| body::patch_members(&[], batch)));
        with_name(group, bodies)
    }

    fn change_members(&self, group: Group<'_>, remove: &[Member], add: &[Member], all: &[Member]) -> Vec<Request> {
        if *self == Self::Custom {
            return vec![Request::put(group_path(group.id), body::replace_group(group.name, all))];
        }
        let mut bodies = Vec::new();
        let (mut remove, mut add) = (remove, add);
        while !remove.is_empty() || !add.is_empty() {
            let (leave, later) = remove.split_at(remove.len().min(BATCH));
            let (join, rest) = add.split_at(add.len().min(BATCH - leave.len()));
            bodies.push(body::patch_members(leave, join));
            (remove, add) = (later, rest);
        }
        with_name(group, bodies)
    }

    fn rename_group(&self, group: Group<'_>, all: &[Member]) -> Vec<Request> {
        match self {
            Self::Custom => vec![Request::put(group_path(group.id), body::replace_group(group.name, all))],
            Self::Catalogue => {
                vec![Request::patch(group_path(group.id), body::patch_group_name(group.id, group.name))]
            }
        }
    }

    fn group_failure(&self, name: &str, failure: Failure) -> Failure {
        let sentence = format!("Unable to update Group Push mapping target App group {name}: {failure}");
        Failure { sentence, status: failure.status }
    }
}

fn find(resource: &str, attribute: &str, value: &str) -> String {
    let filter = percent_encode(&filter(attribute, "eq", value));
    format!("{resource}?filter={filter}&startIndex=1&count=100")
}

// Okta sends the name along with every change of members, as a request of its own.
fn with_name(group: Group<'_>, bodies: Vec<Value>) -> Vec<Request> {
    let path = group_path(group.id);
    let name = body::patch_group_name(group.id, group.name);
    bodies.into_iter().flat_map(|body| [name.clone(), body]).map(|body| Request::patch(path.as_str(), body)).collect()
}

#[cfg(test)]
mod tests;

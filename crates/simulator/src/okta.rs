//! Okta's provisioning client, request by request as recorded from the real one: a custom app changes users and
//! groups by PUT, a catalogue app by PATCH. Where the real one would show an admin an error, so does this one.

mod answer;
mod body;
pub mod exchange;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::Value;
use url::{Position, Url};

use crate::directory::DirectoryUser;
use answer::{Answer, empty_answer, expect, failure, found_in, id_of, list};
use exchange::Exchange;

// Okta gives up on a user operation after a minute.
const TIMEOUT: Duration = Duration::from_secs(60);
const PAGE: u64 = 100;

/// Which of Okta's two dialects is spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Style {
    /// A custom app ("SCIM with AIW"): everything by PUT.
    #[default]
    Custom,
    /// An app of Okta's catalogue ("OIN"): path-less PATCH for `active`, PATCH for groups, PUT for profiles.
    Catalogue,
}

/// A member of a group: the id that the server gave and the login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The server's `id` of the user.
    pub id: String,
    /// The login, which Okta sends along as `display`.
    pub display: String,
}

/// Why Okta would show an error, in the words that an admin would read.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{sentence}")]
pub struct Failure {
    /// The sentence.
    pub sentence: String,
    /// The status that caused it, if there was an answer.
    pub status: Option<u16>,
}

/// One app integration in a customer's Okta.
pub struct Okta {
    base_url: String,
    token: String,
    style: Style,
    client: reqwest::Client,
    remote_ids: BTreeMap<String, String>,
    /// Everything that was sent and received, in order.
    pub exchanges: Vec<Exchange>,
}

impl Okta {
    /// An integration with the values that an admin pastes: the base URL and the token.
    pub fn new(base_url: &str, token: &str, style: Style) -> Result<Self, Failure> {
        let client = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent("Okta SCIM Client 1.0.0")
            .build()
            .map_err(|error| failure(format!("The HTTP client could not be made: {error}."), None))?;
        Ok(Self {
            base_url: base_url.trim_end_matches('/').to_owned(),
            token: token.to_owned(),
            style,
            client,
            remote_ids: BTreeMap::new(),
            exchanges: Vec::new(),
        })
    }

    /// The id that the server gave to this person, if it is known here.
    pub fn remote_id<'a>(&'a self, user: &'a DirectoryUser) -> Option<&'a str> {
        self.remote_ids.get(&user.id).map(String::as_str).or(user.remote_id.as_deref())
    }

    /// "Test Connector Configuration" with Import Groups on.
    pub async fn test_connection(&mut self) -> Result<(), Failure> {
        for path in ["/Users?startIndex=1&count=2", "/Groups?startIndex=1&count=100"] {
            let answer = self.get(path).await?;
            list(&answer, "testing the connection")?;
        }
        Ok(())
    }

    /// "Assign": looks for the user, then creates or takes over; returns the server's id.
    pub async fn push_user(&mut self, user: &DirectoryUser) -> Result<String, Failure> {
        let doing = format!("creating user {}", user.display_name());
        let id = match self.look_up(user, &doing).await? {
            Some(found) => {
                let id = id_of(&found, &doing)?;
                if self.style == Style::Catalogue && found["active"] == false {
                    self.send_active(&id, true, &doing).await?;
                }
                self.replace_profile(&id, user, &doing).await?;
                id
            }
            None => {
                let answer = self.send(Method::POST, "/Users", Some(body::create_user(user))).await?;
                let created = expect(&answer, &[201], &doing)?;
                let empty = || {
                    let sentence = format!(
                        "Automatic provisioning of user {} failed: Error while {doing}: Create new user returned \
                         empty user.",
                        user.display_name()
                    );
                    failure(sentence, Some(answer.status))
                };
                id_of(created.ok_or_else(empty)?, &doing).map_err(|_| empty())?
            }
        };
        self.remote_ids.insert(user.id.clone(), id.clone());
        Ok(id)
    }

    /// The server's id of somebody, remembered or looked up; none if the server does not know them.
    pub async fn find_user(&mut self, user: &DirectoryUser) -> Result<Option<String>, Failure> {
        if let Some(id) = self.remote_id(user) {
            return Ok(Some(id.to_owned()));
        }
        let doing = format!("looking for user {}", user.display_name());
        let Some(found) = self.look_up(user, &doing).await? else { return Ok(None) };
        let id = id_of(&found, &doing)?;
        self.remote_ids.insert(user.id.clone(), id.clone());
        Ok(Some(id))
    }

    /// A profile change in Okta: GET, then PUT of the whole user.
    pub async fn update_user(&mut self, user: &DirectoryUser) -> Result<(), Failure> {
        let doing = format!("updating user {}", user.display_name());
        let id = self.known_id(user, &doing).await?;
        self.replace_profile(&id, user, &doing).await
    }

    /// Unassigned from the app, or deactivated in Okta.
    pub async fn deactivate(&mut self, user: &DirectoryUser) -> Result<(), Failure> {
        let doing = format!("deactivating user {}", user.display_name());
        let id = self.known_id(user, &doing).await?;
        self.change_active(&id, false, &doing).await
    }

    /// Assigned again: the same account is found by its name and switched on.
    pub async fn reactivate(&mut self, user: &DirectoryUser) -> Result<(), Failure> {
        let doing = format!("reactivating user {}", user.display_name());
        let found = self.look_up(user, &doing).await?;
        let Some(found) = found else {
            return Err(failure(format!("Error while {doing}: the server no longer has this user."), None));
        };
        let id = id_of(&found, &doing)?;
        self.change_active(&id, true, &doing).await?;
        self.remote_ids.insert(user.id.clone(), id);
        Ok(())
    }

    /// "Import now": every page of users.
    pub async fn import_users(&mut self) -> Result<Vec<Value>, Failure> {
        self.import("/Users", "importing users").await
    }

    /// "Import now": every page of groups.
    pub async fn import_groups(&mut self) -> Result<Vec<Value>, Failure> {
        self.import("/Groups", "importing groups").await
    }

    /// "Push Groups": finds or creates the group and sets its members; returns the server's id.
    pub async fn push_group(&mut self, name: &str, members: &[Member]) -> Result<String, Failure> {
        let doing = format!("pushing group {name}");
        let found = self.get(&body::find_group(name)).await?;
        let found = found_in(&found, &doing)?;
        let id = match found {
            Some(group) => id_of(&group, &doing)?,
            None => {
                let answer = self.send(Method::POST, "/Groups", Some(body::create_group(name))).await?;
                let created = expect(&answer, &[201], &doing)?.ok_or_else(|| empty_answer(&doing, answer.status))?;
                id_of(created, &doing)?
            }
        };
        match self.style {
            Style::Custom => self.put_group(&id, name, members, &doing).await?,
            Style::Catalogue => self.patch_group(&id, name, body::patch_all_members(members), &doing).await?,
        }
        Ok(id)
    }

    /// A change of membership after the first push; a custom app sends all members again.
    pub async fn change_members(
        &mut self,
        id: &str,
        name: &str,
        remove: &[Member],
        add: &[Member],
        all: &[Member],
    ) -> Result<(), Failure> {
        let doing = format!("updating the members of group {name}");
        match self.style {
            Style::Custom => self.put_group(id, name, all, &doing).await,
            Style::Catalogue => self.patch_group(id, name, body::patch_members(remove, add), &doing).await,
        }
    }

    /// "Unlink pushed group" with "Delete the group in the target app".
    pub async fn delete_group(&mut self, id: &str) -> Result<(), Failure> {
        let answer = self.send(Method::DELETE, &format!("/Groups/{}", body::percent_encode(id)), None).await?;
        expect(&answer, &[204, 200], "deleting the group").map(|_| ())
    }

    async fn look_up(&mut self, user: &DirectoryUser, doing: &str) -> Result<Option<Value>, Failure> {
        let answer = self.get(&body::find_user(&user.user_name)).await?;
        found_in(&answer, doing)
    }

    async fn known_id(&mut self, user: &DirectoryUser, doing: &str) -> Result<String, Failure> {
        let id = self.find_user(user).await?;
        id.ok_or_else(|| failure(format!("Error while {doing}: push the user first."), None))
    }

    async fn read_user(&mut self, id: &str, doing: &str) -> Result<Value, Failure> {
        let answer = self.get(&user_path(id)).await?;
        let user = expect(&answer, &[200], doing)?;
        user.cloned().ok_or_else(|| empty_answer(doing, answer.status))
    }

    async fn replace_profile(&mut self, id: &str, user: &DirectoryUser, doing: &str) -> Result<(), Failure> {
        let server = self.read_user(id, doing).await?;
        let body = body::replace_user(&server, user, true);
        let answer = self.send(Method::PUT, &user_path(id), Some(body)).await?;
        expect(&answer, &[200], doing)?.map(|_| ()).ok_or_else(|| empty_answer(doing, answer.status))
    }

    async fn change_active(&mut self, id: &str, active: bool, doing: &str) -> Result<(), Failure> {
        if self.style == Style::Catalogue {
            return self.send_active(id, active, doing).await;
        }
        let server = self.read_user(id, doing).await?;
        let body = body::with_active(&server, active);
        let answer = self.send(Method::PUT, &user_path(id), Some(body)).await?;
        expect(&answer, &[200, 204], doing).map(|_| ())
    }

    async fn send_active(&mut self, id: &str, active: bool, doing: &str) -> Result<(), Failure> {
        let answer = self.send(Method::PATCH, &user_path(id), Some(body::patch_active(active))).await?;
        expect(&answer, &[200, 204], doing).map(|_| ())
    }

    async fn put_group(&mut self, id: &str, name: &str, members: &[Member], doing: &str) -> Result<(), Failure> {
        let path = format!("/Groups/{}", body::percent_encode(id));
        let answer = self.get(&path).await?;
        expect(&answer, &[200], doing)?;
        let answer = self.send(Method::PUT, &path, Some(body::replace_group(name, members))).await?;
        expect(&answer, &[200], doing).map(|_| ())
    }

    // Okta sends the name along with every change of members, as a request of its own.
    async fn patch_group(&mut self, id: &str, name: &str, members: Value, doing: &str) -> Result<(), Failure> {
        let path = format!("/Groups/{}", body::percent_encode(id));
        for body in [body::patch_group_name(id, name), members] {
            let answer = self.send(Method::PATCH, &path, Some(body)).await?;
            expect(&answer, &[200, 204], doing)?;
        }
        Ok(())
    }

    async fn import(&mut self, path: &str, doing: &str) -> Result<Vec<Value>, Failure> {
        let mut all = Vec::new();
        loop {
            let start = all.len() as u64 + 1;
            let answer = self.get(&format!("{path}?startIndex={start}&count={PAGE}")).await?;
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

    async fn get(&mut self, path: &str) -> Result<Answer, Failure> {
        self.send(Method::GET, path, None).await
    }

    async fn send(&mut self, method: Method, path: &str, body: Option<Value>) -> Result<Answer, Failure> {
        let url = format!("{}{path}", self.base_url);
        let mut request = self
            .client
            .request(method.clone(), &url)
            .header("accept", "application/scim+json")
            .header("accept-charset", "utf-8")
            .header("accept-encoding", "gzip,deflate")
            .header("authorization", format!("Bearer {}", self.token))
            .header("connection", "close");
        if let Some(body) = &body {
            request = request.header("content-type", "application/scim+json; charset=utf-8").body(body.to_string());
        }
        let started = Instant::now();
        let received = match request.send().await {
            Ok(response) => answer::read(response).await,
            Err(error) => Err(error.into()),
        };
        let (status, response) = match &received {
            Ok((status, text)) => (*status, text.clone()),
            Err(error) => (0, format!("{error:#}")),
        };
        let shown = Url::parse(&url).map_or_else(|_| path.to_owned(), |url| url[Position::BeforePath..].to_owned());
        self.exchanges.push(Exchange {
            method: method.to_string(),
            path: shown,
            request: body,
            status,
            response,
            took: started.elapsed(),
        });
        let (status, text) = received
            .map_err(|error| failure(format!("The server at {} gave no answer: {error:#}.", self.base_url), None))?;
        answer::parse(status, &text)
    }
}

fn user_path(id: &str) -> String {
    format!("/Users/{}", body::percent_encode(id))
}

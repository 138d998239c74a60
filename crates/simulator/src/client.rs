//! What all provisioning clients share: requests that a dialect has worded are sent, each exchange is kept, and it
//! ends where the identity provider would show an admin an error.

mod answer;
pub mod dialect;
pub mod exchange;
mod groups;
#[cfg(test)]
mod tests;
mod users;
pub(crate) mod words;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::Value;
use url::{Position, Url};

use crate::directory::{Directory, DirectoryUser};
pub(crate) use answer::{Answer, expect, failure, list};
use dialect::{Dialect, Request};
use exchange::Exchange;

// Okta gives up on a user operation after a minute; the others are not known to wait longer.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A member of a group: the id that the server gave and the login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The server's `id` of the user.
    pub id: String,
    /// The login, which Okta sends along as `display`.
    pub display: String,
}

/// Why the provider would show an error, in the words that an admin would read.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{sentence}")]
pub struct Failure {
    /// The sentence.
    pub sentence: String,
    /// The status that caused it, if there was an answer.
    pub status: Option<u16>,
}

/// One app's provisioning at an identity provider that speaks this dialect.
pub struct Client<D> {
    base_url: String,
    /// What the base URL had behind its question mark; it goes into every request's query.
    flags: Option<String>,
    token: String,
    dialect: D,
    http: reqwest::Client,
    remote_ids: BTreeMap<String, String>,
    /// Everything that was sent and received, in order.
    pub exchanges: Vec<Exchange>,
}

impl<D: Dialect> Client<D> {
    /// A connection with the values that an admin pastes: the base URL and the token.
    pub fn new(base_url: &str, token: &str, dialect: D) -> Result<Self, Failure> {
        let http = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| failure(format!("The HTTP client could not be made: {error}."), None))?;
        let (base_url, flags) = match base_url.split_once('?') {
            Some((base_url, flags)) => (base_url, Some(flags.to_owned())),
            None => (base_url, None),
        };
        Ok(Self {
            base_url: base_url.trim_end_matches('/').to_owned(),
            flags,
            token: token.to_owned(),
            dialect,
            http,
            remote_ids: BTreeMap::new(),
            exchanges: Vec::new(),
        })
    }

    /// The id that the server gave to this person, if it is known here.
    pub fn remote_id<'a>(&'a self, user: &'a DirectoryUser) -> Option<&'a str> {
        self.remote_ids.get(&user.id).map(String::as_str).or(user.remote_id.as_deref())
    }

    /// The login of a member whom this directory knows; empty for others.
    pub fn login_of(&self, directory: &Directory, remote_id: &str) -> String {
        let known = directory.users.iter().find(|user| self.remote_id(user) == Some(remote_id));
        known.map(|user| user.user_name.clone()).unwrap_or_default()
    }

    /// The button that tests a connection, and what the provider does when it is saved.
    pub async fn test_connection(&mut self) -> Result<(), Failure> {
        self.probe("testing the connection").await?;
        for path in self.dialect.tests() {
            let answer = self.get(path.clone()).await?;
            if path.contains("filter=") {
                self.judge_search(&answer, "testing the connection")?;
            } else {
                list(&answer, "testing the connection")?;
            }
        }
        match self.dialect.guinea_pig() {
            Some(person) => self.try_out(&person).await,
            None => Ok(()),
        }
    }

    /// Makes a test user and a test group, changes both, and deletes them.
    async fn try_out(&mut self, person: &DirectoryUser) -> Result<(), Failure> {
        let id = self.push_user(person).await?;
        self.update_user(person).await?;
        let member = [Member { id, display: person.user_name.clone() }];
        let name = format!("{} test group", D::NAME);
        let group = self.push_group(&name, &member).await?;
        self.change_members(&group, &name, &member, &[], &[]).await?;
        self.delete_group(&group).await?;
        match self.delete_user(person).await {
            Err(Failure { status: Some(405 | 501), .. }) => self.deactivate(person).await,
            outcome => outcome,
        }
    }

    /// What some connectors ask before everything else: whether a user who cannot exist is not found.
    async fn probe(&mut self, doing: &str) -> Result<(), Failure> {
        let Some(path) = self.dialect.probe() else { return Ok(()) };
        let answer = self.get(path.to_owned()).await?;
        if answer.status == 404 {
            return Ok(());
        }
        expect(&answer, &[], doing).map(|_| ())
    }

    /// What a search found; 404 may stand for an empty list.
    fn judge_search<'a>(&self, answer: &'a Answer, doing: &str) -> Result<(u64, &'a [Value]), Failure> {
        if answer.status != 404 {
            return list(answer, doing);
        }
        match D::REFUSES_404 {
            None => Ok((0, &[])),
            Some(consequence) => {
                let sentence = format!(
                    "Error while {doing}: the server answered 404 to a search that finds nothing. {consequence} Answer \
                     200 with an empty list."
                );
                Err(failure(sentence, Some(404)))
            }
        }
    }

    pub(crate) fn dialect(&self) -> &D {
        &self.dialect
    }

    pub(crate) async fn get(&mut self, path: String) -> Result<Answer, Failure> {
        self.send(Request::get(path)).await
    }

    pub(crate) async fn send(&mut self, request: Request) -> Result<Answer, Failure> {
        let url = self.url(&request.path);
        let mut message = self.http.request(request.method.clone(), &url);
        for (name, value) in D::HEADERS {
            message = message.header(*name, *value);
        }
        message = message.header("authorization", format!("Bearer {}", self.token));
        if let Some(body) = &request.body {
            message = message.header("content-type", D::CONTENT_TYPE).body(body.to_string());
        }
        let started = Instant::now();
        let received = match message.send().await {
            Ok(response) => answer::read(response).await,
            Err(error) => Err(error.into()),
        };
        let (status, response) = match &received {
            Ok((status, text)) => (*status, text.clone()),
            Err(error) => (0, format!("{error:#}")),
        };
        let path = Url::parse(&url).map_or(request.path, |url| url[Position::BeforePath..].to_owned());
        self.exchanges.push(Exchange {
            method: request.method.to_string(),
            path,
            request: request.body,
            status,
            response,
            took: started.elapsed(),
        });
        let (status, text) = received
            .map_err(|error| failure(format!("The server at {} gave no answer: {error:#}.", self.base_url), None))?;
        answer::parse(status, &text)
    }

    fn url(&self, path: &str) -> String {
        match (&self.flags, path.split_once('?')) {
            (None, _) => format!("{}{path}", self.base_url),
            (Some(flags), None) => format!("{}{path}?{flags}", self.base_url),
            (Some(flags), Some((path, query))) => format!("{}{path}?{flags}&{query}", self.base_url),
        }
    }
}

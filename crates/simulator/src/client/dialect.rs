//! How an identity provider words the steps that all of them take. A dialect builds requests and sends none.

use reqwest::Method;
use serde_json::Value;

use super::{Failure, Member};
use crate::directory::DirectoryUser;

/// A request, before address, token and headers are added.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// The HTTP method.
    pub method: Method,
    /// Path and query below the base URL, percent-encoding included.
    pub path: String,
    /// The body, if there is one.
    pub body: Option<Value>,
}

impl Request {
    /// Reads.
    pub fn get(path: impl Into<String>) -> Self {
        Self { method: Method::GET, path: path.into(), body: None }
    }

    /// Creates.
    pub fn post(path: impl Into<String>, body: Value) -> Self {
        Self { method: Method::POST, path: path.into(), body: Some(body) }
    }

    /// Replaces.
    pub fn put(path: impl Into<String>, body: Value) -> Self {
        Self { method: Method::PUT, path: path.into(), body: Some(body) }
    }

    /// Changes.
    pub fn patch(path: impl Into<String>, body: Value) -> Self {
        Self { method: Method::PATCH, path: path.into(), body: Some(body) }
    }

    /// Deletes.
    pub fn delete(path: impl Into<String>) -> Self {
        Self { method: Method::DELETE, path: path.into(), body: None }
    }
}

/// Why a user whom the server has is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The server knew the person before the first assignment.
    TakeOver,
    /// The profile is another.
    Profile,
    /// The app is taken away.
    Deactivate,
    /// The app is given back.
    Reactivate,
}

/// How the server's view of a user is fetched before it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// Not at all.
    None,
    /// By its id.
    ById,
    /// By the attribute that users are matched on.
    ByMatch,
}

/// A group that the server has.
#[derive(Clone, Copy, Debug)]
pub struct Group<'a> {
    /// The server's `id`.
    pub id: &'a str,
    /// Its name at the identity provider.
    pub name: &'a str,
}

/// An identity provider's wording.
pub trait Dialect: Send + Sync {
    /// The provider's name.
    const NAME: &'static str;
    /// The header lines of every request, besides those for the token and the body.
    const HEADERS: &'static [(&'static str, &'static str)];
    /// The media type of bodies.
    const CONTENT_TYPE: &'static str;
    /// What follows when 404 is the answer to a search without a hit; nothing for providers that take it.
    const REFUSES_404: Option<&'static str>;
    /// Whether users are ever deleted.
    const DELETES_USERS: bool;

    /// The lists that are read to test a connection.
    fn tests(&self) -> Vec<String>;

    /// The person who is created and deleted to test a connection.
    fn guinea_pig(&self) -> Option<DirectoryUser> {
        None
    }

    /// The address of a user who cannot exist, read before each operation.
    fn probe(&self) -> Option<&'static str> {
        None
    }

    /// The search for a user; it lists one or none.
    fn find_user(&self, user: &DirectoryUser) -> String;

    /// The address of a user.
    fn user(&self, id: &str) -> String;

    /// A new user.
    fn create_user(&self, user: &DirectoryUser) -> Request;

    /// What is known of a user before this change.
    fn look(&self, change: Change) -> Look;

    /// Further questions before a profile is written; each is answered by a list.
    fn ask(&self, _id: &str, _user: &DirectoryUser) -> Vec<String> {
        Vec::new()
    }

    /// The change of a user; `server` is what the look before it found, else null.
    fn change_user(&self, id: &str, server: &Value, user: &DirectoryUser, change: Change) -> Vec<Request>;

    /// The search for a group, or the list of all of them.
    fn find_group(&self, name: &str) -> String;

    /// The address of a group.
    fn group(&self, id: &str) -> String;

    /// A new group.
    fn create_group(&self, name: &str) -> Request;

    /// The address that is read before a group is written.
    fn look_at_group(&self, _id: &str) -> Option<String> {
        None
    }

    /// All members of a group whose members at the server are not known.
    fn fill_group(&self, group: Group<'_>, members: &[Member]) -> Vec<Request>;

    /// A change of membership; `all` are those who are members afterwards.
    fn change_members(&self, group: Group<'_>, remove: &[Member], add: &[Member], all: &[Member]) -> Vec<Request>;

    /// A group's new name; `all` are its members.
    fn rename_group(&self, group: Group<'_>, all: &[Member]) -> Vec<Request>;

    /// What the admin reads when a group could not be written.
    fn group_failure(&self, _name: &str, failure: Failure) -> Failure {
        failure
    }
}

//! Pages of users, each piece of an answer in a transaction of its own.

use super::{
    answer::Pieces,
    call::{Directory, ScimCall, Work},
    search::{self, Prepared},
    users,
};
use crate::error::Error;
use ::scim::list::{self, ListQuery, Projection};
use domain::account::Account;
use serde_json::Value;
use std::{collections::VecDeque, sync::Arc};
use store::{
    accounts::by_ids,
    ahead::Glance,
    members::Membership,
    search::{AccountPage, Place, Search, Start, account_places, accounts, count_accounts},
};
use uuid::Uuid;

/// Users of one piece.
const PIECE: usize = 100;

/// What is left of a page.
pub struct UserList {
    directory: Arc<Directory>,
    /// The request's own transaction, until the first piece is made.
    work: Option<Work>,
    search: Search,
    start: Start,
    cursor: Option<u64>,
    narrow: bool,
    /// Where the users of the page are, when no index leads to them; one more than is shown.
    places: Option<VecDeque<Place>>,
    start_index: i64,
    projection: Projection,
    left: usize,
    shown: usize,
    begun: bool,
    done: bool,
}

/// What a narrow list asks first from its beginning, if that may go ahead.
pub fn first_question(search: &Search, query: &ListQuery) -> Option<Glance> {
    Glance::search(search, &Start::Offset(0), behind(query.count.min(PIECE)), !query.projection.excludes("groups"))
}

/// One more than is shown tells whether there is a next page.
fn behind(wanted: usize) -> i64 {
    i64::try_from(wanted + 1).unwrap_or(i64::MAX)
}

/// Users of one piece, and where the last one is; `found` counts those behind them as well, if there are any.
#[derive(Default)]
struct Slice {
    accounts: Vec<Account>,
    memberships: Vec<Membership>,
    found: usize,
    last: Option<Place>,
}

impl UserList {
    /// Prepares the page that a query asks for.
    pub async fn new(call: ScimCall, query: ListQuery) -> Result<Self, Error> {
        let mut work = call.work;
        let Prepared { search, start, cursor, narrow } =
            search::prepare(&mut work, search::Resource::User, &query).await?;
        Ok(Self {
            directory: Arc::clone(&work.directory),
            work: Some(work),
            search,
            start_index: if let Start::Offset(offset) = start { offset.saturating_add(1) } else { 1 },
            start,
            cursor,
            narrow,
            places: None,
            projection: query.projection,
            left: query.count,
            shown: 0,
            begun: false,
            done: false,
        })
    }

    /// The next users, and whether others follow.
    async fn slice(&mut self, work: &mut Work, wanted: usize) -> Result<Slice, Error> {
        if wanted == 0 {
            return Ok(Slice::default());
        }
        if self.narrow {
            let with_groups = !self.projection.excludes("groups");
            let AccountPage { mut accounts, memberships } =
                accounts(&mut work.tx, &self.search, &self.start, behind(wanted), with_groups).await?;
            let found = accounts.len();
            accounts.truncate(wanted);
            let last = accounts.last().map(|found| found.place.clone());
            let accounts = accounts.into_iter().map(|found| found.resource).collect();
            return Ok(Slice { accounts, memberships, found, last });
        }
        let places = match &mut self.places {
            Some(places) => places,
            None => {
                let places = account_places(&mut work.tx, &self.search, &self.start, behind(self.left)).await?;
                self.places.insert(places.into())
            }
        };
        let found = places.len();
        let these: Vec<Place> = places.drain(..wanted.min(found)).collect();
        let ids: Vec<Uuid> = these.iter().map(|place| place.id).collect();
        let accounts = by_ids(&mut work.tx, self.search.connection, &ids).await?;
        let memberships = users::memberships(work, &accounts, &self.projection).await?;
        Ok(Slice { accounts, memberships, found, last: these.into_iter().last() })
    }

    /// The exact total, counted only when the page does not tell it; cursors need none (RFC 9865).
    async fn total(&self, work: &mut Work, found: usize, looked_for: usize) -> Result<Option<i64>, Error> {
        if self.cursor.is_some() {
            return Ok(None);
        }
        let Start::Offset(offset) = self.start else { return Ok(None) };
        let is_last = looked_for > 0 && found <= looked_for && (found > 0 || offset == 0);
        if is_last {
            return Ok(Some(offset.saturating_add(i64::try_from(found).unwrap_or(i64::MAX))));
        }
        Ok(Some(count_accounts(&mut work.tx, &self.search).await?))
    }
}

impl Pieces for UserList {
    async fn next(&mut self) -> Result<Option<String>, Error> {
        if self.done {
            return Ok(None);
        }
        let mut work = match self.work.take() {
            Some(work) => work,
            None => search::go_on(&self.directory, self.narrow).await?,
        };
        let wanted = self.left.min(PIECE);
        let Slice { accounts, memberships, found, last: place } = self.slice(&mut work, wanted).await?;
        let mut piece = String::new();
        if !self.begun {
            let looked_for = if self.narrow { wanted } else { self.left };
            let total = self.total(&mut work, found, looked_for).await?;
            let start_index = self.cursor.is_none().then_some(self.start_index);
            piece.push_str(&list::opening(total, start_index));
            self.begun = true;
        }
        let more = found > wanted;
        for resource in users::show(&work, &accounts, &memberships, &self.projection) {
            push(&mut piece, self.shown, &resource);
            self.shown += 1;
        }
        self.left -= wanted.min(found);
        if more
            && self.left > 0
            && let Some(place) = place
        {
            self.start = Start::After(place);
            return Ok(Some(piece));
        }
        let next = match (self.cursor, place) {
            (Some(query), Some(place)) if more => Some(search::cursor(query, &place)),
            _ => None,
        };
        piece.push_str(&list::closing(self.shown, next.as_deref()));
        self.done = true;
        Ok(Some(piece))
    }
}

/// Appends a resource to those before it.
pub fn push(piece: &mut String, before: usize, resource: &Value) {
    if before > 0 {
        piece.push(',');
    }
    piece.push_str(&resource.to_string());
}

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
use std::sync::Arc;
use store::search::{Found, Search, Start, accounts, count_accounts};

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
    start_index: i64,
    projection: Projection,
    left: usize,
    shown: usize,
    begun: bool,
    done: bool,
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
            projection: query.projection,
            left: query.count,
            shown: 0,
            begun: false,
            done: false,
        })
    }

    /// The exact total, counted only when the page does not tell it; cursors need none (RFC 9865).
    async fn total(&self, work: &mut Work, page: &[Found<Account>], wanted: usize) -> Result<Option<i64>, Error> {
        if self.cursor.is_some() {
            return Ok(None);
        }
        let Start::Offset(offset) = self.start else { return Ok(None) };
        let found = i64::try_from(page.len()).unwrap_or(i64::MAX);
        if wanted > 0 && page.len() <= wanted && (found > 0 || offset == 0) {
            return Ok(Some(offset.saturating_add(found)));
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
        // One more than is shown tells whether there is a next page.
        let limit = if wanted == 0 { 0 } else { i64::try_from(wanted + 1).unwrap_or(i64::MAX) };
        let mut page =
            if limit == 0 { Vec::new() } else { accounts(&mut work.tx, &self.search, &self.start, limit).await? };
        let mut piece = String::new();
        if !self.begun {
            let total = self.total(&mut work, &page, wanted).await?;
            let start_index = self.cursor.is_none().then_some(self.start_index);
            piece.push_str(&list::opening(total, start_index));
            self.begun = true;
        }
        let more = page.len() > wanted;
        page.truncate(wanted);
        let place = page.last().map(|found| found.place.clone());
        let accounts: Vec<Account> = page.into_iter().map(|found| found.resource).collect();
        for resource in users::show(&mut work, &accounts, &self.projection).await? {
            push(&mut piece, self.shown, &resource);
            self.shown += 1;
        }
        self.left -= accounts.len();
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

//! Users that are created at the same time by one token are written together: who comes while others are being
//! written waits for those, and goes in one transaction with everybody else who waited. Nobody waits for company.

use super::{call::Directory, users};
use crate::{error::Error, limits::Held};
use anyhow::Context;
use domain::{
    account::Account,
    ids::{AccountId, ConnectionId},
    provisioning::Wanted,
};
use futures_util::future::join_all;
use std::{
    collections::{HashMap, VecDeque, hash_map::Entry},
    iter::from_fn,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::oneshot;

/// Users of one transaction, and the bytes of their requests; one may have more.
const MOST: usize = 64;
const MOST_BYTES: usize = 1_048_576;

/// Users who wait behind one token.
const WAITING: usize = 1_024;

/// A user to be created.
#[derive(Clone)]
pub struct Creation {
    pub directory: Arc<Directory>,
    /// Of an account whose id is known already.
    pub id: Option<AccountId>,
    pub wanted: Wanted,
    /// The hash of a password that is kept.
    pub password: Option<String>,
}

/// Whose users are written together: a connection's, by the SHA-256 of the token.
type Token = (ConnectionId, [u8; 32]);

/// Who waits. A token that is not here has nobody at work.
#[derive(Default)]
pub struct Together(Mutex<HashMap<Token, VecDeque<Waiting>>>);

struct Waiting {
    creation: Creation,
    bytes: usize,
    /// Held while a large body is in memory.
    _large: Option<Arc<Held>>,
    answer: oneshot::Sender<Result<Account, Error>>,
}

/// Creates the user, whose request has so many bytes; not, if nobody waits for the answer any more when it is its turn.
///
/// # Errors
/// Why it was not, or [`Error::TooManyRequests`].
pub async fn create(creation: Creation, bytes: usize, large: Option<Arc<Held>>) -> Result<Account, Error> {
    let (answer, answered) = oneshot::channel();
    let directory = Arc::clone(&creation.directory);
    let token = (directory.connection, directory.token_hash);
    if let Some(first) = directory.app.together.join(token, Waiting { creation, bytes, _large: large, answer })? {
        tokio::spawn(work(directory, token, first));
    }
    answered.await.context("who writes new users was interrupted")?
}

impl Together {
    /// Waits behind those who are at work; otherwise, what there is to do now.
    fn join(&self, token: Token, new: Waiting) -> Result<Option<Vec<Waiting>>, Error> {
        match self.waiting().entry(token) {
            Entry::Vacant(nobody) => {
                nobody.insert(VecDeque::new());
                Ok(Some(vec![new]))
            }
            Entry::Occupied(full) if full.get().len() >= WAITING => Err(Error::TooManyRequests { seconds: 1 }),
            Entry::Occupied(mut waiting) => {
                waiting.get_mut().push_back(new);
                Ok(None)
            }
        }
    }

    /// Those who go next; with nobody left, the work is over.
    fn next(&self, token: Token) -> Option<Vec<Waiting>> {
        let mut all = self.waiting();
        let waiting = all.get_mut(&token)?;
        let (mut group, mut bytes) = (Vec::new(), 0);
        while let Some(first) = waiting.front() {
            bytes += first.bytes;
            if group.len() == MOST || (bytes > MOST_BYTES && !group.is_empty()) {
                break;
            }
            group.extend(waiting.pop_front());
        }
        if group.is_empty() {
            all.remove(&token);
            return None;
        }
        Some(group)
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<Token, VecDeque<Waiting>>> {
        // Nothing under the lock leaves it half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn work(directory: Arc<Directory>, token: Token, first: Vec<Waiting>) {
    let mut next = Some(first);
    while let Some(group) = next {
        write(group.into_iter().filter(|waiting| !waiting.answer.is_closed()).collect()).await;
        next = directory.app.together.next(token);
    }
}

/// Writes a group of users; if that does not succeed for the sake of one of them, each alone.
async fn write(mut group: Vec<Waiting>) {
    // In one order, whatever process writes them, so that two groups with the same names seldom wait in a circle.
    group.sort_by(|a, b| a.creation.wanted.user_name.key().cmp(b.creation.wanted.user_name.key()));
    if group.len() > 1 {
        match attempt(group.iter().map(|waiting| waiting.creation.clone()).collect()).await {
            Ok(accounts) => return tell_all(group, accounts.into_iter().map(Ok)),
            Err(error) if error.shared().is_some() => return tell_all(group, from_fn(|| error.shared().map(Err))),
            Err(error) => tracing::info!(users = group.len(), %error, "New users are written one by one"),
        }
    }
    join_all(group.into_iter().map(alone)).await;
}

async fn alone(Waiting { creation, answer, .. }: Waiting) {
    let account = attempt(vec![creation]).await;
    tell(answer, account.and_then(|mut accounts| Ok(accounts.pop().context("a created user is there")?)));
}

/// In a task of its own, so that a panic is nobody else's, and only for as long as a request may take.
async fn attempt(creations: Vec<Creation>) -> Result<Vec<Account>, Error> {
    let patience = creations.first().map(|creation| creation.directory.app.config.server.request_timeout);
    let created = async {
        let (work, accounts) = users::created(creations).await?;
        work.tx.commit().await?;
        Ok(accounts)
    };
    let created = tokio::spawn(tokio::time::timeout(patience.unwrap_or_default(), created));
    created.await.context("new users are written")?.context("new users are written in time")?
}

fn tell_all(group: Vec<Waiting>, accounts: impl Iterator<Item = Result<Account, Error>>) {
    group.into_iter().zip(accounts).for_each(|(waiting, account)| tell(waiting.answer, account));
}

fn tell(answer: oneshot::Sender<Result<Account, Error>>, account: Result<Account, Error>) {
    // An error would mean that the client went away.
    answer.send(account).unwrap_or_default();
}

//! Users that are created at the same time by one credential are written together: who comes while others are being
//! written waits for those, and goes in one transaction with everybody else who waited. Nobody waits for company.

use super::{call::Directory, users};
use crate::error::Error;
use anyhow::Context;
use domain::{account::Account, ids::AccountId, provisioning::Wanted};
use futures_util::future::join_all;
use std::{
    collections::{HashMap, VecDeque, hash_map::Entry},
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::oneshot;

/// Users of one transaction, and the bytes of their requests; one may have more.
const MOST: usize = 64;
const MOST_BYTES: usize = 1_048_576;

/// Users who wait behind one credential.
const WAITING: usize = 4_096;

/// A user to be created.
#[derive(Clone)]
pub struct Creation {
    pub directory: Arc<Directory>,
    pub id: AccountId,
    pub wanted: Wanted,
    /// The hash of a password that is kept.
    pub password: Option<String>,
}

/// Who waits, by the SHA-256 of the token. A token that is not here has nobody at work.
#[derive(Default)]
pub struct Together(Mutex<HashMap<[u8; 32], VecDeque<Waiting>>>);

struct Waiting {
    creation: Creation,
    bytes: usize,
    answer: oneshot::Sender<Result<Account, Error>>,
}

/// Creates the user, whose request has so many bytes. It is created even if nobody waits for the answer any more.
///
/// # Errors
/// Why it was not, or [`Error::TooManyRequests`].
pub async fn create(creation: Creation, bytes: usize) -> Result<Account, Error> {
    let (answer, answered) = oneshot::channel();
    let directory = Arc::clone(&creation.directory);
    if let Some(first) = directory.app.together.join(directory.token_hash, Waiting { creation, bytes, answer })? {
        tokio::spawn(work(directory, first));
    }
    answered.await.context("who writes new users was interrupted")?
}

impl Together {
    /// Waits behind those who are at work; otherwise, what there is to do now.
    fn join(&self, token: [u8; 32], new: Waiting) -> Result<Option<Vec<Waiting>>, Error> {
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
    fn next(&self, token: &[u8; 32]) -> Option<Vec<Waiting>> {
        let mut all = self.waiting();
        let waiting = all.get_mut(token)?;
        let (mut group, mut bytes) = (Vec::new(), 0);
        while let Some(first) = waiting.front() {
            bytes += first.bytes;
            if group.len() == MOST || (bytes > MOST_BYTES && !group.is_empty()) {
                break;
            }
            group.extend(waiting.pop_front());
        }
        if group.is_empty() {
            all.remove(token);
            return None;
        }
        Some(group)
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, HashMap<[u8; 32], VecDeque<Waiting>>> {
        // Nothing under the lock leaves it half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn work(directory: Arc<Directory>, first: Vec<Waiting>) {
    let mut next = Some(first);
    while let Some(group) = next {
        // A task of its own: should it panic, the others are still answered.
        if let Err(error) = tokio::spawn(write(group)).await {
            tracing::error!(error = error.to_string(), "New users were not written");
        }
        next = directory.app.together.next(&directory.token_hash);
    }
}

/// Writes a group of users; if that does not succeed, each alone, so that nobody fails for another's sake.
async fn write(group: Vec<Waiting>) {
    let mut group: Vec<Waiting> = group.into_iter().filter(|waiting| !waiting.answer.is_closed()).collect();
    // In one order, whatever process writes them: two groups with the same names never wait for each other in a circle.
    group.sort_by(|a, b| a.creation.wanted.user_name.key().cmp(b.creation.wanted.user_name.key()));
    if group.len() > 1 {
        let creations = group.iter().map(|waiting| waiting.creation.clone()).collect();
        if let Ok(accounts) = created(creations).await {
            for (waiting, account) in group.into_iter().zip(accounts) {
                waiting.tell(Ok(account));
            }
            return;
        }
    }
    join_all(group.into_iter().map(Waiting::alone)).await;
}

async fn created(creations: Vec<Creation>) -> Result<Vec<Account>, Error> {
    let (work, accounts) = users::created(creations).await?;
    work.tx.commit().await?;
    Ok(accounts)
}

impl Waiting {
    async fn alone(self) {
        let account = created(vec![self.creation.clone()]).await;
        self.tell(account.and_then(|mut accounts| Ok(accounts.pop().context("a created user is there")?)));
    }

    fn tell(self, account: Result<Account, Error>) {
        // An error would mean that the client went away.
        self.answer.send(account).unwrap_or_default();
    }
}

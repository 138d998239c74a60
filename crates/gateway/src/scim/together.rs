//! What clients of one token want at the same time is done together: who comes while others are at work waits for those,
//! and goes with everybody else who waited. Nobody waits for who is not here yet.

use super::proof::Proof;
use crate::{
    app::App,
    config::Config,
    error::{Error, chain},
    limits::Held,
};
use anyhow::{Context, anyhow};
use domain::ids::ConnectionId;
use futures_util::{FutureExt, future::join_all};
use std::{
    collections::{HashMap, VecDeque, hash_map::Entry},
    iter::from_fn,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    sync::oneshot,
    time::{error::Elapsed, timeout},
};

/// Tasks that are done at once, and the bytes of their requests; one may have more.
const MOST: usize = 64;
const MOST_BYTES: usize = 1_048_576;

/// Tasks that wait behind one token.
const WAITING: usize = 1_024;

/// Whose tasks are done together: a connection's, by the SHA-256 of the token.
pub type Token = (ConnectionId, [u8; 32]);

/// Turns of the scheduler in which nobody comes, after which a group goes.
const QUIET: usize = 2;

/// What can be done together with others of its kind.
pub trait Task: Clone + Send + 'static {
    /// What one is told.
    type Done: Send + 'static;

    /// With which token it came.
    fn proof(&self) -> &Proof;

    /// Those who wait for the same.
    fn others(app: &App) -> &Together<Self>;

    /// Tasks are done in the order of this, whatever process does them, so that two groups that take the same seldom wait
    /// in a circle.
    fn order(&self) -> &str;

    /// How long a group may take.
    fn patience(config: &Config) -> Duration;

    /// Does all or none, and answers in their order.
    fn all(tasks: Vec<Self>) -> impl Future<Output = Result<Vec<Self::Done>, Error>> + Send;
}

/// Who waits. A token that is not here has nobody at work.
pub struct Together<T: Task>(Mutex<HashMap<Token, VecDeque<Waiting<T>>>>);

struct Waiting<T: Task> {
    task: T,
    bytes: usize,
    /// Held while a large body is in memory.
    _large: Option<Arc<Held>>,
    answer: oneshot::Sender<Result<T::Done, Error>>,
}

/// Does the task, whose request has so many bytes; not, if nobody waits for the answer any more when it is its turn.
///
/// # Errors
/// Why it was not done, or [`Error::TooManyRequests`].
pub async fn join<T: Task>(task: T, bytes: usize, large: Option<Arc<Held>>) -> Result<T::Done, Error> {
    let (answer, answered) = oneshot::channel();
    let (app, token) = (task.proof().app.clone(), task.proof().token());
    if T::others(&app).join(token, Waiting { task, bytes, _large: large, answer })? {
        tokio::spawn(work::<T>(app, token));
    }
    answered.await.context("what came together was interrupted")?
}

impl<T: Task> Default for Together<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Task> Together<T> {
    /// Lines up, and tells whether nobody is at work.
    fn join(&self, token: Token, new: Waiting<T>) -> Result<bool, Error> {
        match self.waiting().entry(token) {
            Entry::Vacant(nobody) => {
                nobody.insert(VecDeque::from([new]));
                Ok(true)
            }
            Entry::Occupied(mut waiting) => {
                let waiting = waiting.get_mut();
                if waiting.len() >= WAITING {
                    waiting.retain(|waiting| !waiting.answer.is_closed());
                }
                if waiting.len() >= WAITING {
                    return Err(Error::TooManyRequests { seconds: 1 });
                }
                waiting.push_back(new);
                Ok(false)
            }
        }
    }

    /// Lets those line up whose requests are here already, until as many wait as can go at once.
    async fn gather(&self, token: Token) {
        let present = || self.waiting().get(&token).map_or(0, VecDeque::len);
        let (mut here, mut quiet) = (present(), 0);
        while quiet < QUIET && here < MOST {
            tokio::task::yield_now().await;
            let now = present();
            quiet = if now > here { 0 } else { quiet + 1 };
            here = now;
        }
    }

    /// Those who go next; with nobody left, the work is over.
    fn next(&self, token: Token) -> Option<Vec<Waiting<T>>> {
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

    fn waiting(&self) -> MutexGuard<'_, HashMap<Token, VecDeque<Waiting<T>>>> {
        // Nothing under the lock leaves it half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn work<T: Task>(app: App, token: Token) {
    loop {
        T::others(&app).gather(token).await;
        let Some(group) = T::others(&app).next(token) else { return };
        let outage = serve(group.into_iter().filter(|waiting| !waiting.answer.is_closed()).collect()).await;
        // Those who wait would wait for the same in their turn.
        while let Some(error) = &outage {
            let Some(group) = T::others(&app).next(token) else { return };
            tell_all(group, from_fn(|| error.shared().map(Err)));
        }
    }
}

/// Does a group of tasks; if that does not succeed for the sake of one of them, each alone. Answers why it could not be
/// done, if that is so for others as well.
async fn serve<T: Task>(mut group: Vec<Waiting<T>>) -> Option<Error> {
    group.sort_by(|a, b| a.task.order().cmp(b.task.order()));
    if group.len() > 1 {
        match attempt(group.iter().map(|waiting| waiting.task.clone()).collect()).await {
            Ok(Ok(done)) => {
                tell_all(group, done.into_iter().map(Ok));
                return None;
            }
            Ok(Err(error)) if error.shared().is_some() => {
                tell_all(group, from_fn(|| error.shared().map(Err)));
                return Some(error).filter(Error::is_outage);
            }
            failed => log_failure(&failed, group.len()),
        }
    }
    join_all(group.into_iter().filter(|waiting| !waiting.answer.is_closed()).map(alone)).await;
    None
}

/// Tells the operator why a group is done one by one.
fn log_failure<T>(failed: &Result<Result<T, Error>, Elapsed>, requests: usize) {
    match failed {
        Ok(Err(Error::Internal(error))) => {
            tracing::warn!(requests, error = format!("{error:#}"), "What came together failed, and is done one by one");
        }
        Ok(Err(error)) => tracing::info!(requests, error = chain(error), "What came together is done one by one"),
        _ => tracing::warn!(requests, "What came together took too long, and is done one by one"),
    }
}

async fn alone<T: Task>(Waiting { task, answer, .. }: Waiting<T>) {
    let done = match attempt(vec![task]).await {
        Ok(done) => done.and_then(|mut done| Ok(done.pop().context("a task has an answer")?)),
        Err(_) => Err(store::error::Error::no_answer().into()),
    };
    tell::<T>(answer, done);
}

/// A panic is nobody else's.
async fn attempt<T: Task>(tasks: Vec<T>) -> Result<Result<Vec<T::Done>, Error>, Elapsed> {
    let Some(first) = tasks.first() else { return Ok(Ok(Vec::new())) };
    let patience = T::patience(&first.proof().app.config);
    let done = timeout(patience, AssertUnwindSafe(T::all(tasks)).catch_unwind()).await?;
    Ok(done.unwrap_or_else(|_| Err(anyhow!("what came together panicked").into())))
}

fn tell_all<T: Task>(group: Vec<Waiting<T>>, answers: impl Iterator<Item = Result<T::Done, Error>>) {
    group.into_iter().zip(answers).for_each(|(waiting, answer)| tell::<T>(waiting.answer, answer));
}

fn tell<T: Task>(answer: oneshot::Sender<Result<T::Done, Error>>, done: Result<T::Done, Error>) {
    // An error would mean that the client went away.
    answer.send(done).unwrap_or_default();
}

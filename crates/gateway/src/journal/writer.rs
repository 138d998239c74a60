//! Writes what waits, a batch for each tenant, and keeps each connection's log short.

use super::{Entry, Message};
use crate::clock::Clock;
use domain::ids::{ConnectionId, TenantId};
use metrics::counter;
use std::{
    collections::{HashMap, HashSet},
    marker::PhantomData,
    time::Duration,
};
use store::{
    journal::Edge,
    scope::{Actor, Scope},
    store::Store,
};
use tokio::{sync::mpsc, time::sleep};
use tracing::warn;

/// Entries of one batch.
const BATCH: usize = 1_000;

/// How long the writer gathers before it writes.
const PAUSE: Duration = Duration::from_millis(100);

/// How often a batch is tried before it is given up, and how long the writer waits in between.
const TRIES: u32 = 5;
const PATIENCE: Duration = Duration::from_secs(1);

/// Entries of a connection after which its journal is cut to what it keeps.
const TRIM_EVERY: u32 = 1_000;

/// Cuts after which a connection's journal is cut from its beginning.
const FORGET_EVERY: u32 = 100;

/// Runs until the last sender is gone.
pub(super) async fn run<E: Entry>(mut receiver: mpsc::Receiver<Message<E>>, store: Store, clock: Clock, keep: u32) {
    let mut writer = Writer { store, clock, keep, trimmed: HashMap::new(), of: PhantomData };
    let mut messages = Vec::new();
    while receiver.recv_many(&mut messages, BATCH).await > 0 {
        let (mut by_tenant, mut waiting): (HashMap<TenantId, Vec<E>>, Vec<_>) = Default::default();
        for message in messages.drain(..) {
            match message {
                Message::Entry(tenant, entry) => by_tenant.entry(tenant).or_default().push(*entry),
                Message::Flush(done) => waiting.push(done),
            }
        }
        for (tenant, entries) in by_tenant {
            writer.write(tenant, entries).await;
        }
        let somebody_waits = !waiting.is_empty();
        for done in waiting {
            // Whoever waited may have gone.
            done.send(()).unwrap_or_default();
        }
        if !somebody_waits {
            sleep(PAUSE).await;
        }
    }
}

struct Writer<E> {
    store: Store,
    clock: Clock,
    keep: u32,
    trimmed: HashMap<ConnectionId, Trimmed>,
    of: PhantomData<fn(E)>,
}

/// What is known of a connection's journal.
#[derive(Clone, Copy, Default)]
struct Trimmed {
    /// Entries that were written since it was cut, and where that was.
    since: u32,
    edge: Option<Edge>,
    cuts: u32,
}

impl Trimmed {
    /// From where it is cut next. What another process wrote behind the edge, by a clock of its own, is found when the
    /// edge is forgotten.
    fn edge(self) -> Option<Edge> {
        self.edge.filter(|_| !self.cuts.is_multiple_of(FORGET_EVERY))
    }
}

impl<E: Entry> Writer<E> {
    async fn write(&mut self, tenant: TenantId, entries: Vec<E>) {
        for tried in 1..=TRIES {
            match self.try_write(tenant, &entries).await {
                Ok(()) => return,
                Err(store::error::Error::Unavailable(_) | store::error::Error::Collision(_)) if tried < TRIES => {
                    sleep(PATIENCE).await
                }
                Err(error) => {
                    let count = u64::try_from(entries.len()).unwrap_or(u64::MAX);
                    counter!(E::DROPPED).increment(count);
                    let source = std::error::Error::source(&error).map(ToString::to_string);
                    warn!(tenant.id = %tenant, count, dropped = E::DROPPED, error = %error, source, "Entries of a log could not be written");
                    return;
                }
            }
        }
    }

    async fn try_write(&mut self, tenant: TenantId, entries: &[E]) -> store::error::Result<()> {
        let scope = Scope { tenant, actor: Actor::Gateway, now: self.clock.now() };
        let mut tx = self.store.tenant(scope).await?;
        E::note(&mut tx, entries).await?;
        let mut trimmed = Vec::new();
        if self.keep > 0 {
            E::append(&mut tx, entries).await?;
            for connection in self.due(entries) {
                let last = self.trimmed.get(&connection).copied().unwrap_or_default();
                let edge = E::trim(&mut tx, connection, i64::from(self.keep), last.edge()).await?;
                trimmed.push((connection, Trimmed { since: 0, edge, cuts: last.cuts.wrapping_add(1) }));
            }
        }
        tx.commit().await?;
        self.trimmed.extend(trimmed);
        Ok(())
    }

    /// The connections of these entries whose journal has grown enough to be cut.
    fn due(&mut self, entries: &[E]) -> HashSet<ConnectionId> {
        let limit = TRIM_EVERY.min(self.keep);
        let mut due = HashSet::new();
        for connection in entries.iter().map(E::connection) {
            let trimmed = self.trimmed.entry(connection).or_default();
            trimmed.since += 1;
            if trimmed.since >= limit {
                due.insert(connection);
            }
        }
        due
    }
}

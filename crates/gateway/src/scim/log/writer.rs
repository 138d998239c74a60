//! Writes what waits, a batch for each tenant, and keeps each connection's log short.

use super::Message;
use crate::clock::Clock;
use domain::ids::{ConnectionId, TenantId, TokenId};
use metrics::counter;
use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};
use store::{
    exchanges::{self, Edge, Exchange},
    scim_tokens::{self, Use},
    scope::{Actor, Scope},
    store::Store,
};
use tokio::{sync::mpsc, time::sleep};
use tracing::warn;

/// Exchanges of one batch.
const BATCH: usize = 1_000;

/// How long the writer gathers before it writes.
const PAUSE: Duration = Duration::from_millis(100);

/// How often a batch is tried before it is given up, and how long the writer waits in between.
const TRIES: u32 = 5;
const PATIENCE: Duration = Duration::from_secs(1);

/// Exchanges of a connection after which its log is cut to what it keeps.
const TRIM_EVERY: u32 = 1_000;

/// Cuts after which a connection's log is cut from its beginning.
const FORGET_EVERY: u32 = 100;

/// Runs until the last sender is gone.
pub(super) async fn run(mut receiver: mpsc::Receiver<Message>, store: Store, clock: Clock, keep: u32) {
    let mut writer = Writer { store, clock, keep, trimmed: HashMap::new() };
    let mut messages = Vec::new();
    while receiver.recv_many(&mut messages, BATCH).await > 0 {
        let (mut by_tenant, mut waiting): (HashMap<TenantId, Vec<Exchange>>, Vec<_>) = Default::default();
        for message in messages.drain(..) {
            match message {
                Message::Exchange(tenant, exchange) => by_tenant.entry(tenant).or_default().push(*exchange),
                Message::Flush(done) => waiting.push(done),
            }
        }
        for (tenant, exchanges) in by_tenant {
            writer.write(tenant, exchanges).await;
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

struct Writer {
    store: Store,
    clock: Clock,
    keep: u32,
    trimmed: HashMap<ConnectionId, Trimmed>,
}

/// What is known of a connection's log.
#[derive(Clone, Copy, Default)]
struct Trimmed {
    /// Exchanges that were written since it was cut, and where that was.
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

impl Writer {
    async fn write(&mut self, tenant: TenantId, exchanges: Vec<Exchange>) {
        for tried in 1..=TRIES {
            match self.try_write(tenant, &exchanges).await {
                Ok(()) => return,
                Err(store::error::Error::Unavailable(_) | store::error::Error::Collision(_)) if tried < TRIES => {
                    sleep(PATIENCE).await
                }
                Err(error) => {
                    let count = u64::try_from(exchanges.len()).unwrap_or(u64::MAX);
                    counter!("gatehouse_scim_log_dropped_total").increment(count);
                    let source = std::error::Error::source(&error).map(ToString::to_string);
                    warn!(tenant.id = %tenant, count, error = %error, source, "SCIM exchanges could not be logged");
                    return;
                }
            }
        }
    }

    async fn try_write(&mut self, tenant: TenantId, exchanges: &[Exchange]) -> store::error::Result<()> {
        let scope = Scope { tenant, actor: Actor::Gateway, now: self.clock.now() };
        let mut tx = self.store.tenant(scope).await?;
        scim_tokens::used(&mut tx, &last_uses(exchanges)).await?;
        let mut trimmed = Vec::new();
        if self.keep > 0 {
            exchanges::append(&mut tx, exchanges).await?;
            for connection in self.due(exchanges) {
                let last = self.trimmed.get(&connection).copied().unwrap_or_default();
                let edge = exchanges::trim(&mut tx, connection, i64::from(self.keep), last.edge()).await?;
                trimmed.push((connection, Trimmed { since: 0, edge, cuts: last.cuts.wrapping_add(1) }));
            }
        }
        tx.commit().await?;
        self.trimmed.extend(trimmed);
        Ok(())
    }

    /// The connections of these exchanges whose log has grown enough to be cut.
    fn due(&mut self, exchanges: &[Exchange]) -> HashSet<ConnectionId> {
        let limit = TRIM_EVERY.min(self.keep);
        let mut due = HashSet::new();
        for exchange in exchanges {
            let trimmed = self.trimmed.entry(exchange.connection).or_default();
            trimmed.since += 1;
            if trimmed.since >= limit {
                due.insert(exchange.connection);
            }
        }
        due
    }
}

/// The latest use of each credential.
fn last_uses(exchanges: &[Exchange]) -> Vec<(TokenId, Use)> {
    let mut uses: HashMap<TokenId, &Exchange> = HashMap::new();
    for exchange in exchanges {
        if let Some(token) = exchange.token {
            let last = uses.entry(token).or_insert(exchange);
            if last.at <= exchange.at {
                *last = exchange;
            }
        }
    }
    let describe =
        |exchange: &Exchange| Use { at: exchange.at, address: exchange.address.clone(), agent: exchange.agent.clone() };
    uses.into_iter().map(|(token, exchange)| (token, describe(exchange))).collect()
}

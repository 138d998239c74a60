//! Writes what waits, a batch for each tenant, and keeps each connection's log short.

use super::Message;
use crate::clock::Clock;
use domain::ids::{ConnectionId, TenantId, TokenId};
use metrics::counter;
use std::{collections::HashMap, time::Duration};
use store::{
    exchanges::{self, Exchange},
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
const TRIM_EVERY: u32 = 500;

/// Runs until the last sender is gone.
pub(super) async fn run(mut receiver: mpsc::Receiver<Message>, store: Store, clock: Clock, keep: u32) {
    let mut writer = Writer { store, clock, keep, since_trim: HashMap::new() };
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
    since_trim: HashMap<ConnectionId, u32>,
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
        if self.keep > 0 {
            exchanges::append(&mut tx, exchanges).await?;
            for connection in self.due(exchanges) {
                exchanges::trim(&mut tx, connection, i64::from(self.keep)).await?;
            }
        }
        tx.commit().await
    }

    /// The connections whose log has grown enough to be cut.
    fn due(&mut self, exchanges: &[Exchange]) -> Vec<ConnectionId> {
        for exchange in exchanges {
            *self.since_trim.entry(exchange.connection).or_default() += 1;
        }
        let limit = TRIM_EVERY.min(self.keep);
        let due: Vec<_> = self.since_trim.iter().filter(|(_, count)| **count >= limit).map(|(id, _)| *id).collect();
        for connection in &due {
            self.since_trim.remove(connection);
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

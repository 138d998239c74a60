//! What is written behind requests, in batches, so that no request waits for it: the logs that IT admins read.

mod writer;

use crate::clock::Clock;
use domain::ids::{ConnectionId, TenantId};
use metrics::counter;
use store::{journal::Edge, store::Store, tenant::TenantTx};
use tokio::sync::{mpsc, oneshot};

/// Entries that wait to be written; beyond, they are counted and dropped.
const WAITING: usize = 10_000;

/// What a journal is made of.
pub trait Entry: Send + Sync + 'static {
    /// The counter of those that were dropped.
    const DROPPED: &'static str;

    /// Whose it is.
    fn connection(&self) -> ConnectionId;

    /// What a batch tells beyond its entries, also where none is kept.
    fn note(tx: &mut TenantTx, batch: &[Self]) -> impl Future<Output = store::error::Result<()>> + Send
    where
        Self: Sized;

    /// Appends a batch.
    fn append(tx: &mut TenantTx, batch: &[Self]) -> impl Future<Output = store::error::Result<()>> + Send
    where
        Self: Sized;

    /// Keeps the connection's newest `keep`; answers where it cut.
    fn trim(
        tx: &mut TenantTx,
        connection: ConnectionId,
        keep: i64,
        last: Option<Edge>,
    ) -> impl Future<Output = store::error::Result<Option<Edge>>> + Send;
}

/// Where entries go.
pub struct Journal<E> {
    sender: mpsc::Sender<Message<E>>,
}

enum Message<E> {
    Entry(TenantId, Box<E>),
    Flush(oneshot::Sender<()>),
}

impl<E: Entry> Journal<E> {
    /// Starts to write; `keep` entries of each connection stay.
    pub fn start(store: Store, clock: Clock, keep: u32) -> Self {
        let (sender, receiver) = mpsc::channel(WAITING);
        tokio::spawn(writer::run(receiver, store, clock, keep));
        Self { sender }
    }

    /// Returns when everything that was recorded is written.
    pub async fn flush(&self) {
        let (done, written) = oneshot::channel();
        if self.sender.send(Message::Flush(done)).await.is_ok() {
            // An error would mean that the writer is gone, and then there is nothing to wait for.
            written.await.unwrap_or_default();
        }
    }

    /// Takes an entry in; one too many is counted and dropped.
    pub fn record(&self, tenant: TenantId, entry: E) {
        if self.sender.try_send(Message::Entry(tenant, Box::new(entry))).is_err() {
            counter!(E::DROPPED).increment(1);
        }
    }
}

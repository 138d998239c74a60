//! The transaction across tenants: a login of its own that sees a few columns of a few tables.

use crate::{
    error::Result,
    pool::Pool,
    pooled::Pooled,
    tenant::{microseconds, new_id},
};
use domain::ids::{ConnectionId, TenantId};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

/// Work that belongs to no tenant, through named doors.
pub struct ControlTx {
    pooled: Pooled,
    now: OffsetDateTime,
}

impl ControlTx {
    pub(crate) async fn begin(pool: &Pool, now: OffsetDateTime) -> Result<Self> {
        let (pooled, _) = Pooled::begin(pool, &["BEGIN".to_owned()]).await?;
        Ok(Self { pooled, now: microseconds(now) })
    }

    /// The one time of this transaction.
    pub fn now(&self) -> OffsetDateTime {
        self.now
    }

    /// A new id that sorts by this transaction's time.
    pub fn new_id(&self) -> Uuid {
        new_id(self.now)
    }

    /// Makes the work true.
    pub async fn commit(self) -> Result<()> {
        self.pooled.commit().await
    }

    /// Ends a transaction that only read.
    pub async fn rollback(self) -> Result<()> {
        self.pooled.rollback().await
    }

    pub(crate) fn conn(&mut self) -> &mut PgConnection {
        self.pooled.connection()
    }
}

/// The tenant that owns a connection; it never changes, so the answer may be kept.
pub async fn tenant_of_connection(tx: &mut ControlTx, connection: ConnectionId) -> Result<Option<TenantId>> {
    let tenant = sqlx::query_scalar!(
        "-- control::tenant_of_connection
         SELECT tenant_id FROM connections WHERE id = $1",
        connection.0
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(tenant.map(TenantId))
}

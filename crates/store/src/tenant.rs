//! The transaction of one tenant: nothing outside that tenant exists in it.

use crate::{
    error::Result,
    pooled::Pooled,
    scope::{Actor, Scope},
};
use domain::ids::TenantId;
use sqlx::{PgConnection, PgPool};
use time::OffsetDateTime;
use uuid::{NoContext, Timestamp, Uuid};

/// Work for one tenant, done whole by [`TenantTx::commit`] or not at all.
pub struct TenantTx {
    pooled: Pooled,
    scope: Scope,
}

impl TenantTx {
    pub(crate) async fn begin(pool: &PgPool, scope: Scope) -> Result<Self> {
        // The id is a UUID, so nothing needs quoting; `true` makes the settings end with the transaction. Statements
        // are planned once for each connection: left to itself, Postgres plans those that take lists anew each time,
        // which costs more than running them. `search::bound` asks for the opposite where values decide.
        let opening = format!(
            "BEGIN; SELECT set_config('role', 'gate_tenant', true), set_config('app.tenant_id', '{}', true), \
             set_config('plan_cache_mode', 'force_generic_plan', true)",
            scope.tenant
        );
        let scope = Scope { now: microseconds(scope.now), ..scope };
        Ok(Self { pooled: Pooled::begin(pool, opening).await?, scope })
    }

    /// The one time of this transaction, in Postgres' microseconds.
    pub fn now(&self) -> OffsetDateTime {
        self.scope.now
    }

    /// Whose transaction it is.
    pub fn tenant(&self) -> TenantId {
        self.scope.tenant
    }

    /// Who acts.
    pub fn actor(&self) -> Actor {
        self.scope.actor
    }

    /// Names who acts, once a credential has told.
    pub fn act_as(&mut self, actor: Actor) {
        self.scope.actor = actor;
    }

    /// A new id that sorts by this transaction's time.
    pub fn new_id(&self) -> Uuid {
        new_id(self.scope.now)
    }

    /// Makes the work true.
    pub async fn commit(self) -> Result<()> {
        self.pooled.commit().await
    }

    /// Ends a transaction in which there was nothing to write, or nothing that should stay.
    pub async fn rollback(self) -> Result<()> {
        self.pooled.rollback().await
    }

    pub(crate) fn conn(&mut self) -> &mut PgConnection {
        self.pooled.connection()
    }
}

/// A UUIDv7 of that moment.
pub(crate) fn new_id(now: OffsetDateTime) -> Uuid {
    let seconds = u64::try_from(now.unix_timestamp()).unwrap_or(0);
    Uuid::new_v7(Timestamp::from_unix(NoContext, seconds, now.nanosecond()))
}

/// Postgres keeps microseconds; a finer time would not compare equal to itself once stored.
pub(crate) fn microseconds(now: OffsetDateTime) -> OffsetDateTime {
    now.replace_nanosecond(now.microsecond() * 1_000).unwrap_or(now)
}

//! The transaction of one tenant: nothing outside that tenant exists in it.

use crate::{
    ahead::Ahead,
    error::Result,
    pool::Pool,
    pooled::{Pooled, Results},
    prepared::{self, Argument},
    scope::{Actor, Scope},
};
use domain::ids::TenantId;
use sqlx::{PgConnection, postgres::PgRow};
use time::OffsetDateTime;
use uuid::{NoContext, Timestamp, Uuid};

/// Work for one tenant, done whole by [`TenantTx::commit`] or not at all.
pub struct TenantTx {
    pooled: Pooled,
    scope: Scope,
    ahead: Option<(Ahead, Results)>,
}

impl TenantTx {
    pub(crate) async fn begin(pool: &Pool, scope: Scope) -> Result<Self> {
        let (pooled, _) = Pooled::begin(pool, opening(scope.tenant)).await?;
        Ok(Self::over(pooled, scope))
    }

    /// The same with a first statement in the same message, and its rows, and with what will be asked next if that is
    /// known. A transaction that is over with the message opens again when something else is asked.
    pub(crate) async fn begin_with(
        pool: &Pool,
        scope: Scope,
        first: &str,
        ahead: Option<&Ahead>,
    ) -> Result<(Self, Vec<PgRow>)> {
        let is_all = ahead.is_some_and(Ahead::is_all);
        let mut message = if is_all { vec![enter(scope.tenant)] } else { opening(scope.tenant) };
        message.push(first.to_owned());
        let asked = message.len();
        message.extend(ahead.map(Ahead::calls).unwrap_or_default());
        let (pooled, mut rows) =
            if is_all { Pooled::ask(pool, message).await? } else { Pooled::begin(pool, message).await? };
        let answers = if rows.len() > asked { rows.split_off(asked) } else { Results::new() };
        let ahead = ahead.map(|ahead| (ahead.clone(), answers));
        Ok((Self { ahead, ..Self::over(pooled, scope) }, rows.pop().unwrap_or_default()))
    }

    fn over(pooled: Pooled, scope: Scope) -> Self {
        Self { pooled, scope: Scope { now: microseconds(scope.now), ..scope }, ahead: None }
    }

    /// The answers to this question, if it went along with the opening; they are given once.
    pub(crate) fn answered(&mut self, question: &Ahead) -> Option<Results> {
        self.ahead.take_if(|(ahead, _)| ahead == question).map(|(_, rows)| rows)
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

    /// Calls prepared statements in one message.
    pub(crate) async fn say(&mut self, calls: Vec<String>) -> Result<Results> {
        self.conn().await?;
        self.pooled.say(calls).await
    }

    pub(crate) async fn conn(&mut self) -> Result<&mut PgConnection> {
        self.pooled.open(|| opening(self.scope.tenant)).await
    }
}

fn opening(tenant: TenantId) -> Vec<String> {
    vec!["BEGIN".to_owned(), enter(tenant)]
}

fn enter(tenant: TenantId) -> String {
    prepared::call("enter", &[Argument::Id(tenant.0)])
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

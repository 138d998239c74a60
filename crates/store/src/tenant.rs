//! The transaction of one tenant: nothing outside that tenant exists in it.

use crate::{
    ahead::{Glance, Question},
    error::{Error, Result},
    pool::Pool,
    pooled::{Pooled, Results},
    prepared::{self, Argument},
    scope::{Actor, Scope},
    users::Linkable,
};
use domain::ids::TenantId;
use sqlx::{PgConnection, Row, postgres::PgRow};
use std::{sync::Mutex, time::Instant};
use time::OffsetDateTime;
use uuid::{ContextV7, NoContext, Timestamp, Uuid};

/// Work for one tenant, done whole by [`TenantTx::commit`] or not at all.
pub struct TenantTx {
    /// What is not open yet opens when something is asked.
    pooled: Option<Pooled>,
    pool: Pool,
    scope: Scope,
    told: Option<(Question, Results)>,
    then: Vec<Box<dyn FnOnce() + Send + Sync>>,
    opened: Instant,
}

impl TenantTx {
    pub(crate) async fn begin(pool: &Pool, scope: Scope) -> Result<Self> {
        let mut tx = Self::unopened(pool, scope, None);
        tx.pooled().await?;
        Ok(tx)
    }

    /// The same with a first statement in the same message, and its rows, and with what will be asked next if that is
    /// known.
    pub(crate) async fn begin_with(
        pool: &Pool,
        scope: Scope,
        first: String,
        ahead: Option<Linkable>,
    ) -> Result<(Self, Vec<PgRow>)> {
        let mut message = opening(scope.tenant);
        message.push(first);
        let asked = message.len();
        message.extend(ahead.iter().flat_map(Linkable::calls));
        let (pooled, mut results) = Pooled::begin(pool, &message).await?;
        let answers = results.split_off(asked.min(results.len()));
        let told = ahead.map(|question| (Question::Owner(question), answers));
        let tx = Self { pooled: Some(pooled), ..Self::unopened(pool, scope, told) };
        Ok((tx, results.pop().unwrap_or_default()))
    }

    /// A first statement, and its rows, and these glances in one message, and for each glance a transaction that is not
    /// open.
    pub(crate) async fn glance(
        pool: &Pool,
        scope: Scope,
        first: String,
        glances: Vec<Glance>,
    ) -> Result<(Vec<Self>, Vec<PgRow>)> {
        let mut message = vec![enter(scope.tenant), first];
        let asked = message.len();
        message.extend(Glance::calls(&glances));
        let mut results = Pooled::ask(pool, &message).await?;
        let mut rows: Vec<Vec<PgRow>> = glances.iter().map(|_| Vec::new()).collect();
        for row in results.split_off(asked.min(results.len())).into_iter().flatten() {
            let number: i64 = row.try_get("number")?;
            let glance = usize::try_from(number).ok().and_then(|number| rows.get_mut(number));
            glance.ok_or(Error::Damaged("an answer without a question"))?.push(row);
        }
        let tx = |(glance, rows): (Glance, Vec<PgRow>)| {
            Self::unopened(pool, scope, glance.question().map(|question| (question, vec![rows])))
        };
        Ok((glances.into_iter().zip(rows).map(tx).collect(), results.pop().unwrap_or_default()))
    }

    /// Calls prepared statements in one message, which is a transaction of its own; the rows of each.
    pub(crate) async fn ask(pool: &Pool, scope: Scope, calls: &[String]) -> Result<Results> {
        let message = [&[enter(scope.tenant)], calls].concat();
        let mut results = Pooled::ask(pool, &message).await?;
        // The first ones are of who asks.
        results.drain(..results.len().min(1));
        Ok(results)
    }

    fn unopened(pool: &Pool, scope: Scope, told: Option<(Question, Results)>) -> Self {
        let scope = Scope { now: microseconds(scope.now), ..scope };
        Self { pooled: None, pool: pool.clone(), scope, told, then: Vec::new(), opened: Instant::now() }
    }

    /// The answers to this question, if it went along with the opening; they are given once.
    pub(crate) fn answered(&mut self, question: &Question) -> Option<Results> {
        self.told.take_if(|(told, _)| told == question).map(|(_, answers)| answers)
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

    /// From now on each statement is planned for what there is, and so is what checks foreign keys: for transactions that make, move or delete
    /// so many rows that plans from before would read all of them for each.
    pub async fn plan_anew(&mut self) -> Result<()> {
        sqlx::query!("-- tenant::plan_anew\n SELECT set_config('plan_cache_mode', 'force_custom_plan', true) AS plans")
            .fetch_one(self.conn().await?)
            .await?;
        Ok(())
    }

    /// The rest of the transaction is another tenant's: for what passes from one to the other, in one piece.
    pub async fn pass_to(&mut self, tenant: TenantId) -> Result<()> {
        self.pooled().await?.say(&[enter(tenant)]).await?;
        self.scope.tenant = tenant;
        Ok(())
    }

    /// A new id that sorts by this transaction's time.
    pub fn new_id(&self) -> Uuid {
        new_id(self.scope.now)
    }

    /// New ids that sort by this transaction's time, and in the order in which this process makes them.
    pub(crate) fn new_ids(&self, count: usize) -> Vec<Uuid> {
        static CONTEXT: Mutex<ContextV7> = Mutex::new(ContextV7::new());
        let (seconds, nanoseconds) = unix(self.scope.now);
        (0..count).map(|_| Uuid::new_v7(Timestamp::from_unix(&CONTEXT, seconds, nanoseconds))).collect()
    }

    /// When it began, for those who measure how long things take.
    pub fn opened(&self) -> Instant {
        self.opened
    }

    /// Does something once the work is true, and never if it does not become so.
    pub fn after_commit(&mut self, then: impl FnOnce() + Send + Sync + 'static) {
        self.then.push(Box::new(then));
    }

    /// Makes the work true.
    pub async fn commit(self) -> Result<()> {
        if let Some(pooled) = self.pooled {
            pooled.commit().await?;
        }
        self.then.into_iter().for_each(|then| then());
        Ok(())
    }

    /// Ends a transaction in which there was nothing to write, or nothing that should stay.
    pub async fn rollback(self) -> Result<()> {
        match self.pooled {
            Some(pooled) => pooled.rollback().await,
            None => Ok(()),
        }
    }

    /// Calls prepared statements in one message.
    pub(crate) async fn say(&mut self, calls: Vec<String>) -> Result<Results> {
        self.pooled().await?.say(&calls).await
    }

    pub(crate) async fn conn(&mut self) -> Result<&mut PgConnection> {
        Ok(self.pooled().await?.connection())
    }

    async fn pooled(&mut self) -> Result<&mut Pooled> {
        match self.pooled {
            Some(ref mut pooled) => Ok(pooled),
            None => Ok(self.pooled.insert(Pooled::begin(&self.pool, &opening(self.scope.tenant)).await?.0)),
        }
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
    let (seconds, nanoseconds) = unix(now);
    Uuid::new_v7(Timestamp::from_unix(NoContext, seconds, nanoseconds))
}

fn unix(now: OffsetDateTime) -> (u64, u32) {
    (u64::try_from(now.unix_timestamp()).unwrap_or(0), now.nanosecond())
}

/// Postgres keeps microseconds; a finer time would not compare equal to itself once stored.
pub(crate) fn microseconds(now: OffsetDateTime) -> OffsetDateTime {
    now.replace_nanosecond(now.microsecond() * 1_000).unwrap_or(now)
}

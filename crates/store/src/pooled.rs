//! A pooled connection inside a transaction. However the work ends, the pool never gets one back that is still inside.
//!
//! sqlx's own `begin` is not cancel-safe: a request dropped in mid-BEGIN gave its connection back still in the
//! tenant's transaction (transact-rs/sqlx 4393, 4409). So the transaction is opened by one plain query, and a
//! connection that was not finished is rolled back in the background or, failing that, closed.

use crate::{
    error::{Error, Result, is_lost},
    pool::{self, Kept, Pool},
};
use futures_util::TryStreamExt;
use sqlx::{AssertSqlSafe, Either, Executor, PgConnection, postgres::PgRow};
use std::time::Duration;

/// How long an abandoned connection may take to roll back before it is closed.
const ROLLBACK_PATIENCE: Duration = Duration::from_secs(5);

pub(crate) struct Pooled {
    connection: Option<Kept>,
}

/// The rows of each statement of a message.
pub(crate) type Results = Vec<Vec<PgRow>>;

impl Pooled {
    /// Runs these in one round trip, which opens a transaction if the first one is BEGIN.
    ///
    /// Connections that died while they lay in the pool are noticed here, one at a time: a server that restarted leaves
    /// a pool full of them. The error of a fresh connection is the last word.
    pub(crate) async fn begin(pool: &Pool, opening: &[String]) -> Result<(Self, Results)> {
        for _ in 0..pool.status().size {
            match Self::begin_once(pool, opening).await {
                Err(Error::Unavailable(error)) if is_lost(&error) => {}
                other => return other,
            }
        }
        Self::begin_once(pool, opening).await
    }

    /// Asks in one round trip, which is a transaction of its own: no other is open behind it.
    pub(crate) async fn ask(pool: &Pool, statements: &[String]) -> Result<Results> {
        let (mut pooled, results) = Self::begin(pool, statements).await?;
        pooled.release();
        Ok(results)
    }

    async fn begin_once(pool: &Pool, opening: &[String]) -> Result<(Self, Results)> {
        let mut pooled = Self { connection: Some(pool::take(pool).await?) };
        let results = pooled.say(opening).await?;
        Ok((pooled, results))
    }

    /// Runs these in one message; nothing of a client's text may be in them.
    pub(crate) async fn say(&mut self, statements: &[String]) -> Result<Results> {
        let (mut results, mut rows) = (Vec::with_capacity(statements.len()), Vec::new());
        let mut answers = self.connection().fetch_many(AssertSqlSafe(statements.join("; ")));
        while let Some(answer) = answers.try_next().await? {
            match answer {
                Either::Left(_) => results.push(std::mem::take(&mut rows)),
                Either::Right(row) => rows.push(row),
            }
        }
        Ok(results)
    }

    pub(crate) fn connection(&mut self) -> &mut PgConnection {
        self.connection.as_mut().expect("only `finish` takes the connection, and it takes self")
    }

    /// Commits. In an aborted transaction a plain COMMIT would answer Ok and keep nothing; the empty
    /// SELECT in front makes it an error.
    pub(crate) async fn commit(self) -> Result<()> {
        self.finish("SELECT; COMMIT").await
    }

    pub(crate) async fn rollback(self) -> Result<()> {
        self.finish("ROLLBACK").await
    }

    async fn finish(mut self, last: &'static str) -> Result<()> {
        self.connection().execute(last).await?;
        self.release();
        Ok(())
    }

    fn release(&mut self) {
        drop(self.connection.take());
    }
}

impl Drop for Pooled {
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else { return };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            drop(Kept::take(connection));
            return;
        };
        runtime.spawn(async move {
            let rollback = tokio::time::timeout(ROLLBACK_PATIENCE, connection.execute("ROLLBACK")).await;
            if !matches!(rollback, Ok(Ok(_))) {
                drop(Kept::take(connection));
            }
        });
    }
}

/// A query that must have changed exactly one row.
pub(crate) fn one_row(result: &sqlx::postgres::PgQueryResult) -> Result<()> {
    if result.rows_affected() == 1 { Ok(()) } else { Err(Error::Damaged("a row vanished inside its transaction")) }
}

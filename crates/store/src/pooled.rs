//! A pooled connection inside a transaction. However the work ends, the pool never gets one back that is still inside.
//!
//! sqlx's own `begin` is not cancel-safe: a request dropped in mid-BEGIN gave its connection back still in the
//! tenant's transaction (transact-rs/sqlx 4393, 4409). So the transaction is opened by one plain query, and a
//! connection that was not finished is rolled back in the background or, failing that, closed.

use crate::error::{Error, Result};
use sqlx::{AssertSqlSafe, Executor, PgConnection, PgPool, Postgres, pool::PoolConnection};
use std::time::Duration;

/// How long an abandoned connection may take to roll back before it is closed.
const ROLLBACK_PATIENCE: Duration = Duration::from_secs(5);

pub(crate) struct Pooled {
    connection: Option<PoolConnection<Postgres>>,
}

impl Pooled {
    /// Opens a transaction with `opening`, the whole of it in one round trip.
    pub(crate) async fn begin(pool: &PgPool, opening: String) -> Result<Self> {
        #[expect(clippy::disallowed_methods, reason = "this is the one place where a connection is taken")]
        let connection = pool.acquire().await?;
        let mut pooled = Self { connection: Some(connection) };
        pooled.connection().execute(AssertSqlSafe(opening)).await?;
        Ok(pooled)
    }

    pub(crate) fn connection(&mut self) -> &mut PgConnection {
        self.connection.as_mut().expect("only `finish` takes the connection, and it takes self")
    }

    /// Commits. In an aborted transaction a plain COMMIT would answer Ok and keep nothing; the empty
    /// SELECT in front makes it an error.
    pub(crate) async fn commit(mut self) -> Result<()> {
        self.connection().execute("SELECT; COMMIT").await?;
        self.release();
        Ok(())
    }

    pub(crate) async fn rollback(mut self) -> Result<()> {
        self.connection().execute("ROLLBACK").await?;
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
            connection.close_on_drop();
            return;
        };
        runtime.spawn(async move {
            let rollback = tokio::time::timeout(ROLLBACK_PATIENCE, connection.execute("ROLLBACK")).await;
            if !matches!(rollback, Ok(Ok(_))) {
                connection.close_on_drop();
            }
        });
    }
}

/// A query that must have changed exactly one row.
pub(crate) fn one_row(result: &sqlx::postgres::PgQueryResult) -> Result<()> {
    if result.rows_affected() == 1 { Ok(()) } else { Err(Error::Damaged("a row vanished inside its transaction")) }
}

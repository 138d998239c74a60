//! Connections that wait for the next transaction. sqlx's own pool asks the server once more whenever it gets one back,
//! because it cannot know in which state it is; ours come back from finished transactions only (see [`crate::pooled`]).

use crate::error::{Error, Result};
use deadpool::{
    Runtime,
    managed::{Manager, Metrics, Object, PoolError, QueueMode, RecycleError, RecycleResult},
};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, postgres::PgConnectOptions};
use std::time::Duration;

/// How old a connection gets, so that a server's memory of it and a changed address do not stay for ever.
const LONGEST_LIFE: Duration = Duration::from_secs(30 * 60);

/// How long an unused one is kept.
const LONGEST_REST: Duration = Duration::from_secs(10 * 60);

const UNDEFINED_TABLE: &str = "42P01";

pub(crate) type Pool = deadpool::managed::Pool<Connector>;
pub(crate) type Kept = Object<Connector>;

/// How connections are made.
pub(crate) struct Connector {
    options: PgConnectOptions,
    /// Prepares what transactions begin with.
    greeting: Option<&'static str>,
}

impl Manager for Connector {
    type Type = PgConnection;
    type Error = sqlx::Error;

    async fn create(&self) -> std::result::Result<PgConnection, sqlx::Error> {
        let mut connection = PgConnection::connect_with(&self.options).await?;
        if let Some(greeting) = self.greeting {
            match connection.execute(AssertSqlSafe(greeting)).await {
                // A database without our tables: whoever looks for its migrations says so in better words.
                Err(sqlx::Error::Database(error)) if error.code().is_some_and(|code| code == UNDEFINED_TABLE) => {}
                Err(error) => return Err(error),
                Ok(_) => {}
            }
        }
        Ok(connection)
    }

    async fn recycle(&self, _: &mut PgConnection, metrics: &Metrics) -> RecycleResult<sqlx::Error> {
        // Every transaction starts with a message of its own, which is test enough.
        if metrics.age() < LONGEST_LIFE { Ok(()) } else { Err(RecycleError::message("it is old")) }
    }
}

/// A pool of `most` connections, for each of which a transaction waits `patience` at most; nothing is dialed yet.
pub(crate) fn new(
    options: PgConnectOptions,
    greeting: Option<&'static str>,
    most: u32,
    patience: Duration,
) -> Result<Pool> {
    let pool = Pool::builder(Connector { options, greeting })
        .max_size(usize::try_from(most).unwrap_or(usize::MAX))
        .runtime(Runtime::Tokio1)
        .wait_timeout(Some(patience))
        .create_timeout(Some(patience))
        // The one that was used last has the most in its caches, and those that are not needed can go.
        .queue_mode(QueueMode::Lifo);
    pool.build().map_err(|error| Error::Database(sqlx::Error::Configuration(error.into())))
}

/// A connection that no transaction is open on.
pub(crate) async fn take(pool: &Pool) -> Result<Kept> {
    #[expect(clippy::disallowed_methods, reason = "this is the one place where a connection is taken")]
    pool.get().await.map_err(|error| match error {
        // Whatever came instead of a greeting, there is no connection.
        PoolError::Backend(error) => Error::Unavailable(error),
        PoolError::Closed => sqlx::Error::PoolClosed.into(),
        _ => sqlx::Error::PoolTimedOut.into(),
    })
}

/// Says good-bye to connections that nobody needed for long.
pub(crate) async fn close_unused(pool: &Pool) {
    say_good_bye(pool.retain(|_, metrics| metrics.last_used() < LONGEST_REST).removed).await;
}

/// Says good-bye to all that lie in the pool, and takes none back.
pub(crate) async fn close(pool: &Pool) {
    let resting = pool.retain(|_, _| false).removed;
    pool.close();
    say_good_bye(resting).await;
}

async fn say_good_bye(connections: Vec<PgConnection>) {
    for connection in connections {
        // One that is gone already needs none.
        connection.close().await.unwrap_or_default();
    }
}

//! Forward-only migrations, run as the owner; `serve` only checks.

use crate::{
    control::ControlTx,
    error::{Error, Result},
};
use sqlx::{
    Connection, PgConnection,
    migrate::{MigrateError, Migrator},
};
use std::time::Duration;
use tokio::time::sleep;

/// How often a migration is tried that cannot have a table for itself, and how long others go first each time. A backup that reads
/// for long would keep the migration waiting, and that everybody behind it.
const TRIES: usize = 60;
const PAUSE: Duration = Duration::from_secs(1);

/// PostgreSQL's words for that: `lock_not_available`, and `deadlock_detected` where others hold one table and wait for another.
const LOCKED: [&str; 2] = ["55P03", "40P01"];

static MIGRATOR: Migrator = sqlx::migrate!("../../migrations");

/// Whether the database fits this binary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schema {
    /// Everything this binary knows is applied.
    Current,
    /// Migrations are missing: run `gatehouse migrate`.
    Behind,
}

/// Applies what is missing and says how many migrations there are.
///
/// # Errors
/// When the owner's login cannot be used or a migration fails; a failed one leaves nothing behind.
pub async fn run(owner_url: &str) -> Result<usize> {
    let mut connection = PgConnection::connect(owner_url).await?;
    sqlx::query("SET lock_timeout = '2s'").execute(&mut connection).await?;
    for left in (0..TRIES).rev() {
        match MIGRATOR.run(&mut connection).await {
            Err(error) if left > 0 && is_locked(&error) => sleep(PAUSE).await,
            outcome => {
                outcome.map_err(Error::Migration)?;
                break;
            }
        }
    }
    connection.close().await?;
    Ok(MIGRATOR.iter().count())
}

fn is_locked(error: &MigrateError) -> bool {
    let (MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _)) = error else { return false };
    error.as_database_error().and_then(|error| error.code()).is_some_and(|code| LOCKED.contains(&&*code))
}

/// Compares the newest applied migration with the newest this binary knows.
///
/// # Errors
/// When the database cannot be asked.
pub async fn schema(tx: &mut ControlTx) -> Result<Schema> {
    let exists = sqlx::query_scalar!(
        r#"-- migrate::schema_exists
        SELECT to_regclass('_sqlx_migrations') IS NOT NULL AS "exists!""#
    )
    .fetch_one(tx.conn())
    .await?;
    if !exists {
        return Ok(Schema::Behind);
    }
    // Not checked at build time: the table is sqlx's own.
    let applied: Option<i64> =
        sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations WHERE success").fetch_one(tx.conn()).await?;
    let known = MIGRATOR.iter().map(|migration| migration.version).max();
    // A newer schema is fine: migrations stay compatible with the version before.
    Ok(if applied >= known { Schema::Current } else { Schema::Behind })
}

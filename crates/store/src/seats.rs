//! Seats of a tenant in its applications. Whoever takes or frees one holds the row of the application until the transaction
//! ends: after the account that changes, before any user's row. Whoever holds it waits for no account in line.

use crate::{
    control::ControlTx,
    error::{Error, Result},
    pooled::Results,
    prepared::{self, Argument},
    tenant::TenantTx,
};
use domain::{
    ids::{AccountId, ApplicationId, ConnectionId, TenantId, UserId},
    provisioning::Waiting,
    seats::{SeatPolicy, Seating, Seats},
};
use sqlx::Row as _;
use std::collections::HashMap;
use uuid::Uuid;

/// An application's seats, held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    pub application: ApplicationId,
    pub seats: Seats,
}

/// The line first, so that nobody begins to count while somebody who does not count yet is at work. Then what is counted, as
/// those left it for whom the first one waited.
pub(crate) const STATEMENTS: [(&str, &str, &str); 2] = [
    (
        "stand_in_line",
        "uuid",
        "SELECT pg_advisory_xact_lock_shared(hashtextextended('seats:' || tenant_id || application_id, 0))
         FROM connections WHERE id = $1",
    ),
    (
        "seats",
        "uuid",
        "SELECT s.application_id, s.seat_limit, s.taken, s.policy, s.fallback_role
         FROM connections c JOIN seats s ON s.application_id = c.application_id WHERE c.id = $1 FOR UPDATE OF s",
    ),
];

pub(crate) fn calls(connection: ConnectionId) -> [String; 2] {
    STATEMENTS.map(|(name, ..)| prepared::call(name, &[Argument::Id(connection.0)]))
}

/// What the calls answered.
pub(crate) fn read(answers: &Results) -> Result<Option<Held>> {
    let Some(row) = answers.get(1).and_then(|rows| rows.first()) else { return Ok(None) };
    let (limit, taken): (i32, i32) = (row.try_get("seat_limit")?, row.try_get("taken")?);
    let (policy, fallback): (String, Option<String>) = (row.try_get("policy")?, row.try_get("fallback_role")?);
    let seats = seats(limit, taken, &policy, fallback.as_deref())?;
    Ok(Some(Held { application: ApplicationId(row.try_get("application_id")?), seats }))
}

fn seats(limit: i32, taken: i32, policy: &str, fallback: Option<&str>) -> Result<Seats> {
    let policy = SeatPolicy::read(policy, fallback).ok_or(Error::Damaged("seats.policy"))?;
    let count = |number: i32| u32::try_from(number).unwrap_or(0);
    Ok(Seats { limit: count(limit), taken: count(taken), policy })
}

/// The seats of the connection's application, if they are counted, kept from others until this transaction ends.
pub async fn hold(tx: &mut TenantTx, connection: ConnectionId) -> Result<Option<Held>> {
    let answers = tx.say(calls(connection).to_vec()).await?;
    read(&answers)
}

/// The same of all applications in which the tenant counts them.
pub async fn hold_all(tx: &mut TenantTx) -> Result<Vec<Held>> {
    sqlx::query!(
        "-- seats::stand_in_all_lines
         SELECT pg_advisory_xact_lock_shared(hashtextextended('seats:' || tenant_id || application_id, 0))
         FROM (SELECT DISTINCT tenant_id, application_id FROM connections ORDER BY application_id) AS c"
    )
    .fetch_all(tx.conn().await?)
    .await?;
    let rows = sqlx::query!(
        "-- seats::hold_all
         SELECT application_id, seat_limit, taken, policy, fallback_role FROM seats ORDER BY application_id FOR UPDATE"
    )
    .fetch_all(tx.conn().await?)
    .await?;
    rows.into_iter()
        .map(|row| {
            let seats = seats(row.seat_limit, row.taken, &row.policy, row.fallback_role.as_deref())?;
            Ok(Held { application: ApplicationId(row.application_id), seats })
        })
        .collect()
}

/// Seats as they are, and who is in line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    pub held: Held,
    pub waiting: i64,
}

/// What the tenant counts, for people.
pub async fn list(tx: &mut TenantTx) -> Result<Vec<Counted>> {
    let rows = sqlx::query!(
        r#"-- seats::list
        SELECT s.application_id, s.seat_limit, s.taken, s.policy, s.fallback_role, (
            SELECT count(DISTINCT a.user_id) FROM connections c JOIN accounts a ON a.connection_id = c.id
            WHERE c.application_id = s.application_id AND a.waits_since IS NOT NULL
        ) AS "waiting!" FROM seats s ORDER BY s.application_id"#
    )
    .fetch_all(tx.conn().await?)
    .await?;
    rows.into_iter()
        .map(|row| {
            let seats = seats(row.seat_limit, row.taken, &row.policy, row.fallback_role.as_deref())?;
            let held = Held { application: ApplicationId(row.application_id), seats };
            Ok(Counted { held, waiting: row.waiting })
        })
        .collect()
}

/// The role of who waits for a seat in the connection's application.
pub async fn fallback(tx: &mut TenantTx, connection: ConnectionId) -> Result<Option<String>> {
    let role = sqlx::query_scalar!(
        "-- seats::fallback
         SELECT s.fallback_role FROM connections c JOIN seats s ON s.application_id = c.application_id WHERE c.id = $1",
        connection.0
    )
    .fetch_optional(tx.conn().await?)
    .await?;
    Ok(role.flatten())
}

/// Where users stand in an application, by accounts other than `beside`.
pub async fn seatings(
    tx: &mut TenantTx,
    application: ApplicationId,
    users: &[UserId],
    beside: Option<AccountId>,
) -> Result<HashMap<UserId, Seating>> {
    let rows = sqlx::query!(
        r#"-- seats::seatings
        SELECT w.id AS "id!", bool_or(a.waits_since IS NULL) AS "is_seated!" FROM unnest($2::uuid[]) AS w (id)
        CROSS JOIN LATERAL (
            SELECT connection_id, waits_since FROM accounts
            WHERE user_id = w.id AND active AND parked IS DISTINCT FROM 'link' AND id IS DISTINCT FROM $3
            ORDER BY id LIMIT 10000
        ) AS a
        JOIN connections c ON c.id = a.connection_id AND c.application_id = $1
        GROUP BY w.id"#,
        application.0,
        &users.iter().map(|user| user.0).collect::<Vec<_>>(),
        beside.map(|account| account.0)
    )
    .fetch_all(tx.conn().await?)
    .await?;
    let seating = |is_seated| if is_seated { Seating::Seated } else { Seating::Waits };
    Ok(rows.into_iter().map(|row| (UserId(row.id), seating(row.is_seated))).collect())
}

/// Stores how many are taken.
pub async fn count(tx: &mut TenantTx, held: &Held) -> Result<()> {
    let taken = i32::try_from(held.seats.taken).unwrap_or(i32::MAX);
    sqlx::query!(
        "-- seats::count
         UPDATE seats SET taken = $2 WHERE application_id = $1",
        held.application.0,
        taken
    )
    .execute(tx.conn().await?)
    .await?;
    Ok(())
}

/// An account in line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InLine {
    pub account: AccountId,
    pub connection: ConnectionId,
    pub user: UserId,
    pub is_outside: bool,
}

/// The first who wait, `limit` at most, with all accounts by which they do, kept from others. Who is being changed at this
/// moment is passed over, because whoever changes it may be about to wait for the seats.
pub async fn first(tx: &mut TenantTx, application: ApplicationId, limit: u32) -> Result<Vec<InLine>> {
    let rows = sqlx::query!(
        r#"-- seats::first
        WITH first AS (
            SELECT a.id, a.user_id FROM connections c
            CROSS JOIN LATERAL (
                SELECT id, user_id, waits_since FROM accounts
                WHERE connection_id = c.id AND waits_since IS NOT NULL ORDER BY waits_since, id LIMIT $2
                FOR NO KEY UPDATE SKIP LOCKED
            ) AS a
            WHERE c.application_id = $1 ORDER BY a.waits_since, a.id LIMIT $2
        )
        SELECT a.id, a.connection_id, a.user_id, a.parked = 'seat' AS "is_outside?"
        FROM (SELECT DISTINCT user_id FROM first) AS u
        CROSS JOIN LATERAL (
            SELECT id, connection_id, user_id, parked FROM accounts
            WHERE user_id = u.user_id AND waits_since IS NOT NULL
              AND connection_id IN (SELECT id FROM connections WHERE application_id = $1)
            ORDER BY id LIMIT 10000 FOR NO KEY UPDATE SKIP LOCKED
        ) AS a
        ORDER BY a.id"#,
        application.0,
        i64::from(limit)
    )
    .fetch_all(tx.conn().await?)
    .await?;
    Ok(rows.into_iter().map(|row| in_line((row.id, row.connection_id, row.user_id), row.is_outside)).collect())
}

/// The accounts by which these users wait.
pub async fn waiting_of(tx: &mut TenantTx, application: ApplicationId, users: &[UserId]) -> Result<Vec<InLine>> {
    let rows = sqlx::query!(
        r#"-- seats::waiting_of
        SELECT a.id, a.connection_id, a.user_id, a.parked = 'seat' AS "is_outside?" FROM unnest($2::uuid[]) AS w (id)
        CROSS JOIN LATERAL (
            SELECT id, connection_id, user_id, parked FROM accounts
            WHERE user_id = w.id AND waits_since IS NOT NULL ORDER BY id LIMIT 10000
        ) AS a
        JOIN connections c ON c.id = a.connection_id AND c.application_id = $1 ORDER BY a.id"#,
        application.0,
        &users.iter().map(|user| user.0).collect::<Vec<_>>()
    )
    .fetch_all(tx.conn().await?)
    .await?;
    Ok(rows.into_iter().map(|row| in_line((row.id, row.connection_id, row.user_id), row.is_outside)).collect())
}

fn in_line((account, connection, user): (Uuid, Uuid, Uuid), is_outside: Option<bool>) -> InLine {
    let (account, connection, user) = (AccountId(account), ConnectionId(connection), UserId(user));
    InLine { account, connection, user, is_outside: is_outside.unwrap_or(false) }
}

/// Takes accounts out of the line.
pub async fn admit(tx: &mut TenantTx, accounts: &[Uuid]) -> Result<()> {
    sqlx::query!(
        "-- seats::admit
         SELECT move_in_line($1, true, false)",
        accounts
    )
    .execute(tx.conn().await?)
    .await?;
    Ok(())
}

/// Puts an account into the line, or takes it out.
pub async fn wait(tx: &mut TenantTx, account: AccountId, waiting: Option<Waiting>) -> Result<()> {
    let now = tx.now();
    sqlx::query!(
        "-- seats::wait
         UPDATE accounts SET waits_since = CASE WHEN $2 THEN coalesce(waits_since, $4) END,
             parked = CASE WHEN $3 THEN 'seat' ELSE nullif(parked, 'seat') END WHERE id = $1",
        account.0,
        waiting.is_some(),
        waiting == Some(Waiting::Outside),
        now
    )
    .execute(tx.conn().await?)
    .await?;
    Ok(())
}

/// Keeps everybody from taking or freeing seats of the application until this transaction ends, also who does not count yet.
pub async fn close_line(tx: &mut TenantTx, application: ApplicationId) -> Result<()> {
    let tenant = tx.tenant().0;
    sqlx::query!(
        "-- seats::close_line
         SELECT pg_advisory_xact_lock(hashtextextended('seats:' || $1::uuid || $2::uuid, 0))",
        tenant,
        application.0
    )
    .execute(tx.conn().await?)
    .await?;
    Ok(())
}

/// The same of all applications of the tenant: nobody creates an account.
pub async fn close_all_lines(tx: &mut TenantTx) -> Result<()> {
    sqlx::query!(
        "-- seats::close_all_lines
         SELECT pg_advisory_xact_lock(hashtextextended('seats:' || tenant_id || application_id, 0))
         FROM (SELECT DISTINCT tenant_id, application_id FROM connections ORDER BY application_id) AS c"
    )
    .fetch_all(tx.conn().await?)
    .await?;
    Ok(())
}

/// Stores how many seats there are, and counts those that are taken.
pub async fn save(tx: &mut TenantTx, application: ApplicationId, limit: u32, policy: &SeatPolicy) -> Result<Held> {
    let taken = sqlx::query_scalar!(
        r#"-- seats::save
        INSERT INTO seats (application_id, seat_limit, policy, fallback_role, taken)
        SELECT $1, $2, $3, $4, count(DISTINCT a.user_id) FROM connections c JOIN accounts a ON a.connection_id = c.id
        WHERE c.application_id = $1 AND a.active AND a.parked IS NULL AND a.waits_since IS NULL
        ON CONFLICT (tenant_id, application_id) DO UPDATE SET seat_limit = excluded.seat_limit, policy = excluded.policy,
            fallback_role = excluded.fallback_role, taken = excluded.taken
        RETURNING taken"#,
        application.0,
        i32::try_from(limit).unwrap_or(i32::MAX),
        policy.as_str(),
        policy.fallback()
    )
    .fetch_one(tx.conn().await?)
    .await?;
    let taken = u32::try_from(taken).unwrap_or(0);
    Ok(Held { application, seats: Seats { limit, taken, policy: policy.clone() } })
}

/// Everybody who waits for a seat of the application.
pub async fn line(tx: &mut TenantTx, application: ApplicationId) -> Result<Vec<InLine>> {
    let rows = sqlx::query!(
        r#"-- seats::line
        SELECT a.id, a.connection_id, a.user_id, a.parked = 'seat' AS "is_outside?" FROM connections c
        JOIN accounts a ON a.connection_id = c.id AND a.waits_since IS NOT NULL WHERE c.application_id = $1 ORDER BY a.id"#,
        application.0
    )
    .fetch_all(tx.conn().await?)
    .await?;
    Ok(rows.into_iter().map(|row| in_line((row.id, row.connection_id, row.user_id), row.is_outside)).collect())
}

/// Has accounts in line wait outside, or inside.
pub async fn move_line(tx: &mut TenantTx, accounts: &[Uuid], is_outside: bool) -> Result<()> {
    sqlx::query!(
        "-- seats::move_line
         SELECT move_in_line($1, false, $2)",
        accounts,
        is_outside
    )
    .execute(tx.conn().await?)
    .await?;
    Ok(())
}

/// Whether anybody waits for a seat of the application.
pub async fn is_awaited(tx: &mut TenantTx, application: ApplicationId) -> Result<bool> {
    let found = sqlx::query_scalar!(
        r#"-- seats::is_awaited
        SELECT EXISTS (
            SELECT FROM connections c CROSS JOIN LATERAL (
                SELECT FROM accounts WHERE connection_id = c.id AND waits_since IS NOT NULL LIMIT 1
            ) AS a WHERE c.application_id = $1
        ) AS "found!""#,
        application.0
    )
    .fetch_one(tx.conn().await?)
    .await?;
    Ok(found)
}

/// Whether somebody has to look again who waits.
pub async fn set_due(tx: &mut TenantTx, application: ApplicationId, is_due: bool) -> Result<()> {
    sqlx::query!(
        "-- seats::set_due
         UPDATE seats SET is_due = $2 WHERE application_id = $1 AND is_due <> $2",
        application.0,
        is_due
    )
    .execute(tx.conn().await?)
    .await?;
    Ok(())
}

/// The tenants in which somebody has to, `limit` at most.
pub async fn due(tx: &mut ControlTx, limit: i64) -> Result<Vec<TenantId>> {
    let tenants = sqlx::query_scalar!(
        "-- seats::due
         SELECT DISTINCT tenant_id FROM seats WHERE is_due ORDER BY tenant_id LIMIT $1",
        limit
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(tenants.into_iter().map(TenantId).collect())
}

/// Counts no more.
pub async fn remove(tx: &mut TenantTx, application: ApplicationId) -> Result<()> {
    sqlx::query!("-- seats::remove\n DELETE FROM seats WHERE application_id = $1", application.0)
        .execute(tx.conn().await?)
        .await?;
    Ok(())
}

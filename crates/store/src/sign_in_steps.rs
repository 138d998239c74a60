//! The log of sign-ins: each step of each attempt, written in batches behind the requests, read by IT admins and operators.

use crate::{error::Result, journal::Edge, tenant::TenantTx};
use domain::ids::ConnectionId;
use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

/// One step of an attempt.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    pub connection: ConnectionId,
    pub at: OffsetDateTime,
    /// What belongs together: the ID of the request, or one of its own where there is none.
    pub attempt: String,
    /// What happened.
    pub step: String,
    /// `ok`, or the code of what was wrong.
    pub code: String,
    /// What would have been accepted, and what came instead.
    pub expected: Option<String>,
    pub received: Option<String>,
    /// The message that was sent or came, as far as it may be kept.
    pub message: Option<String>,
    /// What was understood of it.
    pub understood: Option<Value>,
    /// What stands on the page that the person saw.
    pub reference: Option<String>,
    pub address: String,
    pub agent: String,
}

/// Appends steps in one statement; those of a connection that is gone are dropped.
pub async fn append(tx: &mut TenantTx, steps: &[Step]) -> Result<()> {
    let ids = tx.new_ids(steps.len());
    let column = |text: fn(&Step) -> String| steps.iter().map(text).collect::<Vec<String>>();
    let optional = |text: fn(&Step) -> Option<String>| steps.iter().map(text).collect::<Vec<_>>();
    sqlx::query!(
        "-- sign_in_steps::append
         INSERT INTO sign_in_steps (connection_id, id, occurred_at, attempt, step, code, expected, received, message,
             understood, address, agent, reference)
         SELECT s.connection_id, s.id, s.occurred_at, s.attempt, s.step, s.code, s.expected, s.received, s.message,
                s.understood, s.address, s.agent, s.reference
         FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::text[], $5::text[], $6::text[], $7::text[],
                     $8::text[], $9::text[], $10::jsonb[], $11::text[], $12::text[], $13::text[])
              AS s (connection_id, id, occurred_at, attempt, step, code, expected, received, message, understood, address,
                    agent, reference)
         WHERE EXISTS (SELECT FROM connections c WHERE c.id = s.connection_id)
         ORDER BY s.id",
        &steps.iter().map(|step| step.connection.0).collect::<Vec<_>>(),
        &ids,
        &steps.iter().map(|step| step.at).collect::<Vec<_>>(),
        &column(|step| step.attempt.clone()),
        &column(|step| step.step.clone()),
        &column(|step| step.code.clone()),
        &optional(|step| step.expected.clone()) as &[Option<String>],
        &optional(|step| step.received.clone()) as &[Option<String>],
        &optional(|step| step.message.clone()) as &[Option<String>],
        &steps.iter().map(|step| step.understood.clone()).collect::<Vec<_>>() as &[Option<Value>],
        &column(|step| step.address.clone()),
        &column(|step| step.agent.clone()),
        &optional(|step| step.reference.clone()) as &[Option<String>]
    )
    .execute(tx.conn().await?)
    .await?;
    Ok(())
}

/// Which steps to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Show<'a> {
    All,
    /// Those of attempts that were refused.
    Refused,
    /// Those of one attempt, or of the page with that reference.
    Attempt(&'a str),
}

/// The connection's steps, the newest first, `limit` at most.
pub async fn list(tx: &mut TenantTx, connection: ConnectionId, show: Show<'_>, limit: i64) -> Result<Vec<Step>> {
    let attempt = match show {
        Show::Attempt(attempt) => Some(attempt),
        Show::All | Show::Refused => None,
    };
    let rows = sqlx::query!(
        "-- sign_in_steps::list
         SELECT occurred_at, attempt, step, code, expected, received, message, understood, address, agent, reference
         FROM sign_in_steps
         WHERE connection_id = $1 AND (code <> 'ok' OR NOT $2) AND ($3::text IS NULL OR attempt = $3 OR reference = $3)
         ORDER BY id DESC LIMIT $4",
        connection.0,
        show == Show::Refused,
        attempt,
        limit
    )
    .fetch_all(tx.conn().await?)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Step {
            connection,
            at: row.occurred_at,
            attempt: row.attempt,
            step: row.step,
            code: row.code,
            expected: row.expected,
            received: row.received,
            message: row.message,
            understood: row.understood,
            reference: row.reference,
            address: row.address,
            agent: row.agent,
        })
        .collect())
}

/// Keeps the connection's newest `keep` and removes the rest, down to the edge of the last time. Answers the new edge.
pub async fn trim(tx: &mut TenantTx, connection: ConnectionId, keep: i64, last: Option<Edge>) -> Result<Option<Edge>> {
    let edge: Option<Uuid> = sqlx::query_scalar!(
        r#"-- sign_in_steps::trim
        WITH edge AS (
            SELECT id FROM sign_in_steps WHERE connection_id = $1 AND id > $3 ORDER BY id DESC OFFSET $2 LIMIT 1
        ), gone AS (
            DELETE FROM sign_in_steps WHERE connection_id = $1 AND id > $3 AND id <= (SELECT id FROM edge)
        )
        SELECT id FROM edge"#,
        connection.0,
        keep,
        Edge::start(last)
    )
    .fetch_optional(tx.conn().await?)
    .await?;
    Ok(edge.map(Edge::new).or(last))
}

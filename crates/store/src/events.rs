//! The outbox: appended in the transaction that made the fact true, read later by others.

use crate::{error::Result, tenant::TenantTx};
use domain::{event::Event, ids::ConnectionId};
use serde_json::Value;
use uuid::Uuid;

/// Appends facts in one statement.
pub async fn append(tx: &mut TenantTx, connection: Option<ConnectionId>, events: &[Event]) -> Result<()> {
    if events.is_empty() {
        return Ok(());
    }
    let (now, actor) = (tx.now(), tx.actor().to_string());
    let ids: Vec<Uuid> = events.iter().map(|_| tx.new_id()).collect();
    let kinds: Vec<String> = events.iter().map(|event| event.kind.as_str().to_owned()).collect();
    let subjects: Vec<String> = events.iter().map(|event| event.subject.noun().to_owned()).collect();
    let subject_ids: Vec<Uuid> = events.iter().map(|event| event.subject.id()).collect();
    let data: Vec<Value> = events.iter().map(|event| event.data.clone()).collect();
    sqlx::query!(
        "-- events::append
         INSERT INTO events (id, kind, subject, subject_id, data, connection_id, actor, occurred_at)
         SELECT id, kind, subject, subject_id, data, $6, $7, $8
         FROM unnest($1::uuid[], $2::text[], $3::text[], $4::uuid[], $5::jsonb[]) WITH ORDINALITY
              AS e (id, kind, subject, subject_id, data, place)
         ORDER BY place",
        &ids,
        &kinds,
        &subjects,
        &subject_ids,
        &data,
        connection.map(|connection| connection.0),
        actor,
        now,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

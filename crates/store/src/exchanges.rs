//! The log of SCIM requests and their answers: written in batches behind the requests, read by IT admins and operators.

use crate::{error::Result, journal::Edge, tenant::TenantTx};
use domain::ids::{ConnectionId, TokenId};
use time::OffsetDateTime;
use uuid::Uuid;

/// A request and what it was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    pub connection: ConnectionId,
    pub at: OffsetDateTime,
    pub method: String,
    /// Path and query below the SCIM base, or `/oauth2/token`.
    pub target: String,
    /// 0 when the client hung up before the answer.
    pub status: u16,
    /// `ok`, or the code of what was wrong.
    pub code: String,
    /// The sentence that the client was told.
    pub detail: Option<String>,
    /// Of a refused request: its body, without passwords, cut.
    pub body: Option<String>,
    pub token: Option<TokenId>,
    pub address: String,
    pub agent: String,
    pub milliseconds: i32,
}

/// Appends exchanges in one statement; those of a connection that is gone are dropped. Their ids are in the order in which
/// this process writes them, so that none comes to lie behind an [`Edge`] of its own.
pub async fn append(tx: &mut TenantTx, exchanges: &[Exchange]) -> Result<()> {
    let ids = tx.new_ids(exchanges.len());
    let column = |text: fn(&Exchange) -> String| exchanges.iter().map(text).collect::<Vec<String>>();
    let optional = |text: fn(&Exchange) -> Option<String>| exchanges.iter().map(text).collect::<Vec<_>>();
    sqlx::query!(
        "-- exchanges::append
         INSERT INTO scim_exchanges (connection_id, id, occurred_at, method, target, status, code, detail, body, token_id,
             address, agent, milliseconds)
         SELECT e.connection_id, e.id, e.occurred_at, e.method, e.target, e.status, e.code, e.detail, e.body, e.token_id,
                e.address, e.agent, e.milliseconds
         FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::text[], $5::text[], $6::integer[], $7::text[],
                     $8::text[], $9::text[], $10::uuid[], $11::text[], $12::text[], $13::integer[])
              AS e (connection_id, id, occurred_at, method, target, status, code, detail, body, token_id, address, agent,
                    milliseconds)
         WHERE EXISTS (SELECT FROM connections c WHERE c.id = e.connection_id)
         ORDER BY e.id",
        &exchanges.iter().map(|exchange| exchange.connection.0).collect::<Vec<_>>(),
        &ids,
        &exchanges.iter().map(|exchange| exchange.at).collect::<Vec<_>>(),
        &column(|exchange| exchange.method.clone()),
        &column(|exchange| exchange.target.clone()),
        &exchanges.iter().map(|exchange| i32::from(exchange.status)).collect::<Vec<_>>(),
        &column(|exchange| exchange.code.clone()),
        &optional(|exchange| exchange.detail.clone()) as &[Option<String>],
        &optional(|exchange| exchange.body.clone()) as &[Option<String>],
        &exchanges.iter().map(|exchange| exchange.token.map(|token| token.0)).collect::<Vec<_>>() as &[Option<Uuid>],
        &column(|exchange| exchange.address.clone()),
        &column(|exchange| exchange.agent.clone()),
        &exchanges.iter().map(|exchange| exchange.milliseconds).collect::<Vec<_>>()
    )
    .execute(tx.conn().await?)
    .await?;
    Ok(())
}

/// Which exchanges to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Show {
    All,
    /// Those that were refused or failed.
    Failed,
}

/// The connection's exchanges, those that ended last first, `limit` at most.
pub async fn list(tx: &mut TenantTx, connection: ConnectionId, show: Show, limit: i64) -> Result<Vec<Exchange>> {
    let rows = sqlx::query!(
        "-- exchanges::list
         SELECT occurred_at, method, target, status, code, detail, body, token_id, address, agent, milliseconds
         FROM scim_exchanges WHERE connection_id = $1 AND (code <> 'ok' OR NOT $2) ORDER BY id DESC LIMIT $3",
        connection.0,
        show == Show::Failed,
        limit
    )
    .fetch_all(tx.conn().await?)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Exchange {
            connection,
            at: row.occurred_at,
            method: row.method,
            target: row.target,
            status: u16::try_from(row.status).unwrap_or(0),
            code: row.code,
            detail: row.detail,
            body: row.body,
            token: row.token_id.map(TokenId),
            address: row.address,
            agent: row.agent,
            milliseconds: row.milliseconds,
        })
        .collect())
}

/// Keeps the connection's newest `keep` and removes the rest, down to the edge of the last time: what lies behind that is
/// gone, but reading past it costs as much as if it were there, until the table is vacuumed. Answers the new edge.
pub async fn trim(tx: &mut TenantTx, connection: ConnectionId, keep: i64, last: Option<Edge>) -> Result<Option<Edge>> {
    let edge = sqlx::query_scalar!(
        r#"-- exchanges::trim
        WITH edge AS (
            SELECT id FROM scim_exchanges WHERE connection_id = $1 AND id > $3 ORDER BY id DESC OFFSET $2 LIMIT 1
        ), gone AS (
            DELETE FROM scim_exchanges WHERE connection_id = $1 AND id > $3 AND id <= (SELECT id FROM edge)
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

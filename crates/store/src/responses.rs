//! What the assertion consumer service asks: who may have sent an answer, and whether it is taken. Each is one message and a
//! transaction of its own, because there is one for each sign-in, and each round trip costs as much as the work.

use crate::{
    connections::{self, Connection},
    error::{Error, Result},
    moment::Moment,
    prepared::{self, Argument},
    scope::Scope,
    sp_keys::{self, SealedSpKey},
    store::Store,
};
use domain::ids::ConnectionId;
use serde_json::Value;
use sqlx::{Row, postgres::PgRow};
use time::OffsetDateTime;
use uuid::Uuid;

pub(crate) const STATEMENTS: [(&str, &str, &str); 4] = [
    (
        "receiver",
        "uuid",
        "SELECT id, application_id, display_name, idp_entity_id, idp_sso_url, idp_sso_binding, idp_slo_url, \
         idp_slo_response_url, idp_slo_binding, idp_certificates, allow_sha1, password_sync, entitlements, \
         sign_in_settings, created_at FROM connections WHERE id = $1",
    ),
    (
        "receiver_keys",
        "uuid, bigint",
        "SELECT id, root_key_id, sealed, certificate, algorithm, signs, signs_from, ends_at FROM sp_keys \
         WHERE connection_id = $1 \
         AND (ends_at IS NULL OR ends_at > 'epoch'::timestamptz + $2 * '1 microsecond'::interval) \
         ORDER BY created_at DESC, id DESC LIMIT 10",
    ),
    // Whoever comes second waits for the request that the first one has locked, and finds it answered. Rows are found by
    // their whole keys and never by a join, whose plan would be kept from when there were few. The ticket tells whoever has to
    // ask again, because the connection broke, that it was taken the first time.
    (
        "settle",
        "uuid, text, text, bigint, bytea, text, bigint",
        "WITH request AS MATERIALIZED ( \
             SELECT connection_id, expires_at, answered_at, ticket_hash FROM sign_in_requests WHERE id = $2 FOR UPDATE \
         ), waiting AS ( \
             SELECT FROM request WHERE connection_id = $1 AND answered_at IS NULL \
             AND expires_at > 'epoch'::timestamptz + $7 * '1 microsecond'::interval \
         ), remembered AS ( \
             INSERT INTO assertions (connection_id, assertion_id, expires_at) \
             SELECT $1, $3, 'epoch'::timestamptz + $4 * '1 microsecond'::interval FROM waiting \
             ON CONFLICT DO NOTHING RETURNING true AS is_new \
         ), taken AS ( \
             UPDATE sign_in_requests r SET answered_at = 'epoch'::timestamptz + $7 * '1 microsecond'::interval, \
                 ticket_hash = $5, identity = $6::jsonb \
             WHERE r.id = $2 AND EXISTS (SELECT FROM remembered) RETURNING true AS is_taken \
         ) \
         SELECT EXISTS (SELECT FROM taken) OR coalesce(q.ticket_hash = $5, false) AS is_taken, q.connection_id, q.expires_at, q.answered_at \
         FROM (SELECT) AS one LEFT JOIN request q ON true",
    ),
    // A statement of its own, which sees what the one before it waited for.
    ("settled", "uuid, text", "SELECT true AS is_known FROM assertions WHERE connection_id = $1 AND assertion_id = $2"),
];

/// The connection and its keys that are of use, newest first; nothing for another tenant's.
pub async fn receiver(
    store: &Store,
    scope: Scope,
    connection: ConnectionId,
) -> Result<Option<(Connection, Vec<SealedSpKey>)>> {
    let calls = [
        prepared::call("receiver", &[Argument::Id(connection.0)]),
        prepared::call("receiver_keys", &[Argument::Id(connection.0), Argument::Moment(scope.now)]),
    ];
    let results = store.ask(scope, &calls).await?;
    let [connections, keys] = results.as_slice() else { return Err(Error::Damaged("an answer without a question")) };
    let keys = keys.iter().map(sp_keys::read).collect::<Result<_>>()?;
    connections.first().map(|row| Ok((connections::read(row)?, keys))).transpose()
}

/// An answer that was verified.
#[derive(Debug)]
pub struct Answer<'a> {
    pub connection: ConnectionId,
    /// The ID of the AuthnRequest.
    pub request_id: &'a str,
    pub assertion_id: &'a str,
    /// When the assertion is too old to come again.
    pub assertion_until: OffsetDateTime,
    /// SHA-256 of the ticket with which the browser collects it.
    pub ticket_hash: &'a [u8; 32],
    pub identity: &'a Value,
}

/// What became of an answer.
#[derive(Debug)]
pub enum Settled {
    Taken,
    /// The assertion came before.
    Replayed,
    /// There is no such request that waits for an answer.
    NotWaiting(Option<PendingRequest>),
}

/// A request as an answer met it.
#[derive(Debug)]
pub struct PendingRequest {
    pub connection: ConnectionId,
    pub expires_at: OffsetDateTime,
    pub answered_at: Option<OffsetDateTime>,
}

/// Takes an answer once: one assertion, one request.
pub async fn settle(store: &Store, scope: Scope, answer: &Answer<'_>) -> Result<Settled> {
    let identity = answer.identity.to_string();
    let call = prepared::call(
        "settle",
        &[
            Argument::Id(answer.connection.0),
            Argument::Text(answer.request_id),
            Argument::Text(answer.assertion_id),
            Argument::Moment(answer.assertion_until),
            Argument::Bytes(answer.ticket_hash),
            Argument::Text(&identity),
            Argument::Moment(scope.now),
        ],
    );
    let known = [Argument::Id(answer.connection.0), Argument::Text(answer.assertion_id)];
    let results = store.ask(scope, &[call, prepared::call("settled", &known)]).await?;
    let [settled, known] = results.as_slice() else { return Err(Error::Damaged("an answer without a question")) };
    let row = settled.first().ok_or(Error::Damaged("an answer without a question"))?;
    match (row.try_get("is_taken")?, known.is_empty()) {
        (true, _) => Ok(Settled::Taken),
        (false, false) => Ok(Settled::Replayed),
        (false, true) => Ok(Settled::NotWaiting(pending(row)?)),
    }
}

fn pending(row: &PgRow) -> Result<Option<PendingRequest>> {
    let Some(connection) = row.try_get::<Option<Uuid>, _>("connection_id")? else { return Ok(None) };
    let Moment(expires_at) = row.try_get("expires_at")?;
    let answered_at = row.try_get::<Option<Moment>, _>("answered_at")?.map(|Moment(at)| at);
    Ok(Some(PendingRequest { connection: ConnectionId(connection), expires_at, answered_at }))
}

//! What the assertion consumer service asks: who may have sent an answer, and whether it is taken. Each is one message and a
//! transaction of its own, because there is one for each sign-in, and each round trip costs as much as the work.

use crate::{
    connections::{self, Connection},
    error::{Error, Result},
    prepared::{self, Argument},
    scope::Scope,
    sp_keys::{self, SealedSpKey},
    store::Store,
};
use domain::{event::EventKind, ids::ConnectionId};
use serde_json::Value;
use sqlx::Row;
use time::OffsetDateTime;
use uuid::Uuid;

pub(crate) const STATEMENTS: [(&str, &str, &str); 4] = [
    (
        "receiver",
        "uuid",
        "SELECT id, application_id, display_name, idp_entity_id, idp_sso_url, idp_sso_binding, idp_slo_url, \
         idp_slo_response_url, idp_slo_binding, idp_certificates, allow_sha1, password_sync, entitlements, \
         sign_in_settings, created_at, shadow, coalesce(suspended_at, \
         (SELECT t.suspended_at FROM tenants t WHERE t.id = connections.tenant_id)) AS suspended_at FROM connections WHERE id = $1",
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
    // their whole keys and never by a join, whose plan would be kept from when there were few.
    (
        "settle",
        "uuid, text, text, bigint, bytea, text, bigint",
        "WITH waiting AS MATERIALIZED ( \
             SELECT FROM sign_in_requests WHERE id = $2 AND connection_id = $1 AND answered_at IS NULL \
             AND expires_at > 'epoch'::timestamptz + $7 * '1 microsecond'::interval FOR UPDATE \
         ), remembered AS ( \
             INSERT INTO assertions (connection_id, assertion_id, expires_at) \
             SELECT $1, $3, 'epoch'::timestamptz + $4 * '1 microsecond'::interval FROM waiting \
             ON CONFLICT DO NOTHING RETURNING true AS is_new \
         ) \
         UPDATE sign_in_requests r SET answered_at = 'epoch'::timestamptz + $7 * '1 microsecond'::interval, \
             ticket_hash = $5, identity = $6::jsonb \
         WHERE r.id = $2 AND EXISTS (SELECT FROM remembered)",
    ),
    // A statement of its own, which sees what the one before it waited for. The ticket tells that it was taken, also to
    // whoever has to ask again because the connection broke. Otherwise the reason is told in the same message: somebody who
    // got hold of an answer must not cost more than who signs in.
    (
        "settled",
        "uuid, text, text, bytea, bigint, uuid, text, text, text[]",
        "WITH refused AS MATERIALIZED ( \
             SELECT CASE WHEN EXISTS (SELECT FROM assertions WHERE connection_id = $1 AND assertion_id = $3) THEN 1 \
                 WHEN q.connection_id IS NULL THEN 2 WHEN q.connection_id <> $1 THEN 3 \
                 WHEN q.answered_at IS NOT NULL THEN 4 ELSE 5 END AS reason \
             FROM (SELECT) AS one \
             LEFT JOIN (SELECT connection_id, answered_at, ticket_hash FROM sign_in_requests WHERE id = $2) AS q ON true \
             WHERE q.ticket_hash IS DISTINCT FROM $4 \
         ), told AS ( \
             INSERT INTO events (id, kind, subject, subject_id, data, connection_id, actor, occurred_at) \
             SELECT $6, $7, 'connection', $1, jsonb_build_object('code', $9[reason]), $1, $8, \
                 'epoch'::timestamptz + $5 * '1 microsecond'::interval FROM refused ON CONFLICT DO NOTHING \
         ) \
         SELECT reason FROM refused",
    ),
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
    /// The id of the event if it is not taken: the same for the same assertion, so that it is told once.
    pub event: Uuid,
}

/// What can be wrong with an answer that was verified, in the order in which it is looked at.
#[derive(Debug, Clone, Copy)]
pub enum Unsettled {
    /// The assertion came before.
    Replayed,
    /// There is no such request.
    Unknown,
    /// The request was another connection's.
    OtherConnection,
    /// The request has an answer.
    Answered,
    /// The request is over.
    Expired,
}

impl Unsettled {
    const ALL: [Self; 5] = [Self::Replayed, Self::Unknown, Self::OtherConnection, Self::Answered, Self::Expired];
}

/// Takes an answer once: one assertion, one request. Otherwise tells the event of a failed sign-in, with the code for what
/// was wrong.
pub async fn settle(
    store: &Store,
    scope: Scope,
    answer: &Answer<'_>,
    code: impl Fn(Unsettled) -> &'static str,
) -> Result<Option<Unsettled>> {
    let (identity, actor) = (answer.identity.to_string(), scope.actor.to_string());
    let (connection, request) = (|| Argument::Id(answer.connection.0), || Argument::Text(answer.request_id));
    let (ticket, now) = (|| Argument::Bytes(answer.ticket_hash), || Argument::Moment(scope.now));
    let assertion = || Argument::Text(answer.assertion_id);
    let until = Argument::Moment(answer.assertion_until);
    let settle = [connection(), request(), assertion(), until, ticket(), Argument::Text(&identity), now()];
    let event = [
        Argument::Id(answer.event),
        Argument::Text(EventKind::LoginFailed.as_str()),
        Argument::Text(&actor),
        Argument::Texts(Unsettled::ALL.map(code).to_vec()),
    ];
    let settled: Vec<_> = [connection(), request(), assertion(), ticket(), now()].into_iter().chain(event).collect();
    let calls = [prepared::call("settle", &settle), prepared::call("settled", &settled)];
    let results = store.ask(scope, &calls).await?;
    let row = results.last().ok_or(Error::Damaged("an answer without a question"))?.first();
    let Some(reason) = row.map(|row| row.try_get::<i32, _>("reason")).transpose()? else { return Ok(None) };
    let reason = usize::try_from(reason - 1).ok().and_then(|place| Unsettled::ALL.get(place).copied());
    Ok(Some(reason.ok_or(Error::Damaged("an answer without a question"))?))
}

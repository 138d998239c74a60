//! The outbox: appended in the transaction that made the fact true, read later by others.

use crate::{
    error::Result,
    prepared::{self, Argument},
    scope::Scope,
    store::Store,
    tenant::TenantTx,
};
use domain::{
    event::Event,
    ids::{AccountId, ConnectionId, UserId},
};
use serde_json::Value;
use uuid::Uuid;

pub(crate) const STATEMENTS: [(&str, &str, &str); 1] = [(
    "tell",
    "uuid, text, text, uuid, text, uuid, text, bigint",
    "INSERT INTO events (id, kind, subject, subject_id, data, connection_id, actor, occurred_at) \
     VALUES ($1, $2, $3, $4, $5::jsonb, $6, $7, 'epoch'::timestamptz + $8 * '1 microsecond'::interval) \
     ON CONFLICT DO NOTHING",
)];

/// Facts as the columns of one statement.
pub(crate) struct Columns {
    pub(crate) ids: Vec<Uuid>,
    pub(crate) kinds: Vec<String>,
    pub(crate) subjects: Vec<String>,
    pub(crate) subject_ids: Vec<Uuid>,
    pub(crate) data: Vec<Value>,
    pub(crate) actor: String,
}

impl Columns {
    pub(crate) fn new<'e>(tx: &TenantTx, events: impl IntoIterator<Item = &'e Event>) -> Self {
        let events: Vec<&Event> = events.into_iter().collect();
        Self {
            ids: events.iter().map(|_| tx.new_id()).collect(),
            kinds: events.iter().map(|event| event.kind.as_str().to_owned()).collect(),
            subjects: events.iter().map(|event| event.subject.noun().to_owned()).collect(),
            subject_ids: events.iter().map(|event| event.subject.id()).collect(),
            data: events.iter().map(|event| event.data.clone()).collect(),
            actor: tx.actor().to_string(),
        }
    }
}

/// Appends facts in one statement.
pub async fn append(tx: &mut TenantTx, connection: Option<ConnectionId>, events: &[Event]) -> Result<()> {
    if events.is_empty() {
        return Ok(());
    }
    let now = tx.now();
    let Columns { ids, kinds, subjects, subject_ids, data, actor } = Columns::new(tx, events);
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
    .execute(tx.conn().await?)
    .await?;
    Ok(())
}

/// Facts about users that many have in common, and one by whom each of them is true.
pub struct Common<'e> {
    pub kind: &'e str,
    pub data: &'e Value,
    pub account: AccountId,
    pub user: UserId,
}

/// Appends facts about users in one statement; the data of each gets the account.
pub async fn append_common(tx: &mut TenantTx, connection: ConnectionId, facts: &[Common<'_>]) -> Result<()> {
    if facts.is_empty() {
        return Ok(());
    }
    let (now, actor, ids) = (tx.now(), tx.actor().to_string(), tx.new_ids(facts.len()));
    sqlx::query!(
        "-- events::append_common
         INSERT INTO events (id, kind, subject, subject_id, data, connection_id, actor, occurred_at)
         SELECT id, kind, 'user', user_id, data || jsonb_build_object('account_id', account_id), $6, $7, $8
         FROM unnest($1::uuid[], $2::text[], $3::jsonb[], $4::uuid[], $5::uuid[])
              AS e (id, kind, data, account_id, user_id)",
        &ids,
        &facts.iter().map(|fact| fact.kind).collect::<Vec<_>>() as &[&str],
        &facts.iter().map(|fact| fact.data).collect::<Vec<_>>() as &[&Value],
        &facts.iter().map(|fact| fact.account.0).collect::<Vec<_>>(),
        &facts.iter().map(|fact| fact.user.0).collect::<Vec<_>>(),
        connection.0,
        actor,
        now,
    )
    .execute(tx.conn().await?)
    .await?;
    Ok(())
}

/// Appends a fact that nothing else in the database makes true, once for each id: one message, because a stranger may be
/// its cause.
pub async fn tell(store: &Store, scope: Scope, connection: ConnectionId, (id, event): (Uuid, &Event)) -> Result<()> {
    let (data, actor) = (event.data.to_string(), scope.actor.to_string());
    let arguments = [
        Argument::Id(id),
        Argument::Text(event.kind.as_str()),
        Argument::Text(event.subject.noun()),
        Argument::Id(event.subject.id()),
        Argument::Text(&data),
        Argument::Id(connection.0),
        Argument::Text(&actor),
        Argument::Moment(scope.now),
    ];
    store.ask(scope, &[prepared::call("tell", &arguments)]).await?;
    Ok(())
}

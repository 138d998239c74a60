//! New accounts, written with everything that comes with them.

use crate::{
    attributes::{AttributeRow, Columns},
    error::Result,
    events, roles,
    tenant::TenantTx,
};
use domain::{
    account::{Account, Parked, Profile},
    email::Email,
    event::Event,
    ids::{AccountId, ConnectionId, UserId},
    provisioning::Waiting,
};
use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

/// A new account, with everything that is written with it.
pub struct NewAccount {
    pub id: AccountId,
    pub owner: Owner,
    /// Who has to be asked about, if somebody has.
    pub asked: Option<UserId>,
    pub waits: Option<Waiting>,
    /// Whether it is a placeholder's for now, because its connection is in shadow.
    pub in_shadow: bool,
    pub profile: Profile,
    pub attributes: Vec<AttributeRow>,
    pub events: Vec<Event>,
}

/// Whose account it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// A person whom the tenant did not have; the user is written too.
    New(UserId),
    Existing(UserId),
}

impl Owner {
    /// The user.
    pub fn id(self) -> UserId {
        let (Self::New(id) | Self::Existing(id)) = self;
        id
    }
}

/// Stores new accounts of a connection with their users, their search index and their events, in one statement, in the
/// order of `new`.
pub async fn insert(tx: &mut TenantTx, connection: ConnectionId, new: Vec<NewAccount>) -> Result<Vec<Account>> {
    let now = tx.now();
    let rows: Inserted<'_> = new.iter().collect();
    let index: Columns = new.iter().flat_map(|new| &new.attributes).collect();
    let indexed: Vec<Uuid> = new.iter().flat_map(|new| new.attributes.iter().map(|_| new.id.0)).collect();
    let facts = events::Columns::new(tx, new.iter().flat_map(|new| &new.events));
    sqlx::query!(
        "-- arrivals::insert
         WITH new AS MATERIALIZED (
             SELECT * FROM unnest($3::uuid[], $4::uuid[], $5::boolean[], $6::text[], $7::text[], $8::text[], $9::text[],
                 $10::text[], $11::text[], $12::boolean[], $13::text[], $14::text[], $15::text[], $16::jsonb[], $30::jsonb[], $31::boolean[], $32::uuid[], $33::boolean[], $34::boolean[], $35::boolean[])
                 AS n (id, user_id, is_person, user_name, user_name_key, external_id, email, email_key, display_name,
                     active, role, role_reason, name_id, document, role_basis, is_highest, parked_user, waits, is_outside, in_shadow)
         ), person AS (
             INSERT INTO users (id, email, email_key, display_name, created_at, updated_at)
             SELECT user_id, email, email_key, display_name, $2, $2 FROM new WHERE is_person
         ), account AS (
             INSERT INTO accounts (id, connection_id, user_id, user_name, user_name_key, external_id, email, email_key,
                 display_name, active, role, role_reason, role_basis, is_highest, name_id, document, version, created_at,
                 updated_at, indexed, parked, parked_user, waits_since, linked_by, inactive_since)
             SELECT id, $1, user_id, user_name, user_name_key, external_id, email, email_key, display_name, active, role,
                    role_reason, role_basis, is_highest, name_id, document, 1, $2, $2, true,
                    CASE WHEN in_shadow THEN 'shadow' WHEN parked_user IS NOT NULL THEN 'link' WHEN is_outside THEN 'seat' END, parked_user,
                    CASE WHEN waits THEN $2 END,
                    CASE WHEN is_person THEN 'new' ELSE 'address' END, CASE WHEN NOT active THEN $2 END
             FROM new
         ), attributes AS (
             INSERT INTO account_attributes (connection_id, account_id, path, item, value_key, long_key, type_key, is_primary)
             SELECT $1, r.*
             FROM unnest($17::uuid[], $18::text[], $19::integer[], $20::text[], $21::text[], $22::text[], $23::boolean[])
                  AS r (account_id, path, item, value_key, long_key, type_key, is_primary)
         )
         INSERT INTO events (id, kind, subject, subject_id, data, connection_id, actor, occurred_at)
         SELECT id, kind, subject, subject_id, data, $1, $29, $2
         FROM unnest($24::uuid[], $25::text[], $26::text[], $27::uuid[], $28::jsonb[]) WITH ORDINALITY
              AS e (id, kind, subject, subject_id, data, place)
         ORDER BY place",
        connection.0,
        now,
        &rows.ids,
        &rows.users,
        &rows.persons,
        &rows.user_names as &[&str],
        &rows.user_name_keys as &[&str],
        &rows.external_ids as &[Option<&str>],
        &rows.emails as &[Option<&str>],
        &rows.email_keys as &[Option<&str>],
        &rows.display_names as &[Option<&str>],
        &rows.active,
        &rows.roles as &[&str],
        &rows.role_reasons as &[&str],
        &rows.name_ids as &[Option<&str>],
        &rows.documents as &[&Value],
        &indexed,
        &index.paths,
        &index.items,
        &index.values as &[Option<String>],
        &index.long as &[Option<String>],
        &index.types as &[Option<String>],
        &index.primaries as &[Option<bool>],
        &facts.ids,
        &facts.kinds,
        &facts.subjects,
        &facts.subject_ids,
        &facts.data,
        facts.actor,
        &rows.role_bases,
        &rows.highest,
        &rows.parked_users as &[Option<Uuid>],
        &rows.waits,
        &rows.outside,
        &rows.in_shadow
    )
    .execute(tx.conn().await?)
    .await?;
    Ok(new.into_iter().map(|new| new.stored(connection, now)).collect())
}

/// Gives accounts that were a placeholder's to whom they belong, with the place and the role that they have there.
pub async fn adopt(tx: &mut TenantTx, adopted: &[NewAccount]) -> Result<()> {
    let now = tx.now();
    let rows: Inserted<'_> = adopted.iter().collect();
    sqlx::query!(
        "-- arrivals::adopt
         WITH new AS MATERIALIZED (
             SELECT * FROM unnest($2::uuid[], $3::uuid[], $4::boolean[], $5::uuid[], $6::boolean[], $7::boolean[], $8::text[],
                 $9::text[], $10::jsonb[], $11::boolean[])
                 AS n (id, user_id, is_person, parked_user, waits, is_outside, role, role_reason, role_basis, is_highest)
         ), person AS (
             INSERT INTO users (id, email, email_key, display_name, created_at, updated_at)
             SELECT n.user_id, a.email, a.email_key, a.display_name, $1, $1
             FROM new n JOIN accounts a ON a.id = n.id WHERE n.is_person
         )
         UPDATE accounts a SET user_id = n.user_id,
             parked = CASE WHEN n.parked_user IS NOT NULL THEN 'link' WHEN n.is_outside THEN 'seat' END,
             parked_user = n.parked_user, waits_since = CASE WHEN n.waits THEN $1 END,
             linked_by = CASE WHEN n.is_person THEN 'new' ELSE 'address' END,
             inactive_since = CASE WHEN NOT a.active THEN $1 END, role = n.role, role_reason = n.role_reason,
             role_basis = n.role_basis || jsonb_build_object('version', a.version), is_highest = n.is_highest
         FROM new n WHERE a.id = n.id",
        now,
        &rows.ids,
        &rows.users,
        &rows.persons,
        &rows.parked_users as &[Option<Uuid>],
        &rows.waits,
        &rows.outside,
        &rows.roles as &[&str],
        &rows.role_reasons as &[&str],
        &rows.role_bases,
        &rows.highest
    )
    .execute(tx.conn().await?)
    .await?;
    Ok(())
}

impl NewAccount {
    fn stored(self, connection_id: ConnectionId, now: OffsetDateTime) -> Account {
        let Self { id, owner, asked, waits, in_shadow, profile, .. } = self;
        let shadow = in_shadow.then_some(Parked::Shadow);
        let seat = (waits == Some(Waiting::Outside)).then_some(Parked::Seat);
        Account {
            id,
            user_id: owner.id(),
            connection_id,
            profile,
            parked: shadow.or(asked.map(Parked::Link)).or(seat),
            waits_since: waits.map(|_| now),
            version: 1,
            created_at: now,
            updated_at: now,
        }
    }
}

/// New accounts as the columns of one statement.
#[derive(Default)]
struct Inserted<'a> {
    ids: Vec<Uuid>,
    users: Vec<Uuid>,
    persons: Vec<bool>,
    user_names: Vec<&'a str>,
    user_name_keys: Vec<&'a str>,
    external_ids: Vec<Option<&'a str>>,
    emails: Vec<Option<&'a str>>,
    email_keys: Vec<Option<&'a str>>,
    display_names: Vec<Option<&'a str>>,
    active: Vec<bool>,
    roles: Vec<&'a str>,
    role_reasons: Vec<&'a str>,
    role_bases: Vec<Value>,
    highest: Vec<bool>,
    parked_users: Vec<Option<Uuid>>,
    waits: Vec<bool>,
    outside: Vec<bool>,
    in_shadow: Vec<bool>,
    name_ids: Vec<Option<&'a str>>,
    documents: Vec<&'a Value>,
}

impl<'a> FromIterator<&'a NewAccount> for Inserted<'a> {
    fn from_iter<I: IntoIterator<Item = &'a NewAccount>>(new: I) -> Self {
        let mut rows = Self::default();
        for NewAccount { id, owner, asked, waits, in_shadow, profile, .. } in new {
            rows.in_shadow.push(*in_shadow);
            rows.parked_users.push(asked.map(|user| user.0));
            rows.waits.push(waits.is_some());
            rows.outside.push(*waits == Some(Waiting::Outside));
            rows.ids.push(id.0);
            rows.users.push(owner.id().0);
            rows.persons.push(matches!(owner, Owner::New(_)));
            rows.user_names.push(profile.user_name.as_str());
            rows.user_name_keys.push(profile.user_name.key());
            rows.external_ids.push(profile.external_id.as_deref());
            rows.emails.push(profile.email.as_ref().map(Email::as_str));
            rows.email_keys.push(profile.email.as_ref().map(Email::key));
            rows.display_names.push(profile.display_name.as_deref());
            rows.active.push(profile.active);
            rows.roles.push(&profile.role);
            rows.role_reasons.push(profile.role_basis.reason.word());
            rows.role_bases.push(roles::stored(&profile.role_basis, 1));
            rows.highest.push(profile.role_basis.is_highest);
            rows.name_ids.push(profile.name_id.as_deref());
            rows.documents.push(&profile.document);
        }
        rows
    }
}

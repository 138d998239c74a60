//! Searching a directory: a condition becomes SQL over an allow-list of columns and the index of attributes.
//! Values are bound, names are ours; nothing of a client's text becomes part of a statement.

mod by_name;
mod sql;

pub(crate) use self::by_name::ByName;
use self::sql::Resource;
use crate::{
    accounts,
    ahead::Question,
    error::{Error, Result},
    groups::{self, Group},
    members::{self, Membership},
    tenant::TenantTx,
};
use domain::{
    account::Account,
    ids::{AccountId, ConnectionId, GroupId},
};
use sqlx::{FromRow, Postgres, QueryBuilder, postgres::PgRow, types::Json};
use std::time::Duration;
use time::OffsetDateTime;
use uuid::Uuid;

/// What a resource must satisfy.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Not(Box<Condition>),
    Constant(bool),
    /// A column passes the test.
    Column(Column, Test),
    /// Some value of an attribute passes; of accounts only.
    Attribute(Leaf, Test),
    /// One and the same value of the multi-valued attribute satisfies the condition; of accounts only.
    Element(String, Box<Condition>),
    /// The account is in a group, directly or through others, of which this holds.
    InGroup(Box<Condition>),
    /// The group has a member that passes.
    Member(Member, Test),
    /// One and the same member of the group satisfies the condition.
    OneMember(Box<Condition>),
}

/// A column that may be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    Id,
    ExternalId,
    /// Of accounts.
    UserName,
    /// Of accounts; `true` or `false`.
    Active,
    /// Of groups.
    DisplayName,
    CreatedAt,
    UpdatedAt,
    Version,
}

/// A place in the index of attributes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaf {
    pub path: String,
    pub field: Field,
}

/// A column of the index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    Value,
    Type,
    Primary,
}

/// What of a group's member is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Member {
    Id,
    /// `User` or `Group`, folded.
    Kind,
}

/// How a value is compared. Texts are keys, and keys are compared byte by byte.
#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    Present,
    Equal(String),
    Contains(String),
    StartsWith(String),
    EndsWith(String),
    Greater(String),
    GreaterOrEqual(String),
    Less(String),
    LessOrEqual(String),
}

/// In which order; resources that are equal in it, and all without it, are in the order of their ids.
#[derive(Debug, Clone, PartialEq)]
pub struct Order {
    pub by: OrderBy,
    pub descending: bool,
}

/// By what.
#[derive(Debug, Clone, PartialEq)]
pub enum OrderBy {
    Column(Column),
    /// The main value, else the first.
    Attribute(Leaf),
}

/// Where a page starts.
#[derive(Debug, Clone, PartialEq)]
pub enum Start {
    /// So many resources are skipped.
    Offset(i64),
    /// Behind this one.
    After(Place),
}

/// A resource's place in an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// What it is ordered by; `None` when it has no value, or the order is that of ids.
    pub key: Option<String>,
    pub id: Uuid,
}

/// A search of one connection.
#[derive(Debug, Clone, PartialEq)]
pub struct Search {
    pub connection: ConnectionId,
    pub condition: Option<Condition>,
    pub order: Option<Order>,
}

impl Search {
    /// The search for one account, which `account` makes.
    pub fn one(connection: ConnectionId, id: AccountId) -> Self {
        let condition = Some(Condition::Column(Column::Id, Test::Equal(id.to_string())));
        Self { connection, condition, order: None }
    }
}

/// A resource found, and its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Found<T> {
    pub resource: T,
    pub place: Place,
}

#[derive(FromRow)]
struct AccountRow {
    #[sqlx(flatten)]
    account: accounts::Row,
    ids: Option<Vec<Uuid>>,
    /// As JSON: sqlx takes a name that is NULL for none when it reads an array of texts.
    names: Option<Json<Vec<String>>>,
    nested: Option<bool>,
    sort_key: Option<String>,
}

#[derive(FromRow)]
struct GroupRow {
    #[sqlx(flatten)]
    group: groups::Row,
    sort_key: Option<String>,
}

/// A page of accounts.
#[derive(Debug, Default)]
pub struct AccountPage {
    pub accounts: Vec<Found<Account>>,
    /// In the order of accounts and groups.
    pub memberships: Vec<Membership>,
}

/// One page of accounts, and if wanted which groups they are in.
pub async fn accounts(
    tx: &mut TenantTx,
    search: &Search,
    start: &Start,
    limit: i64,
    with_groups: bool,
) -> Result<AccountPage> {
    let question = ByName::of(search, start, limit, with_groups).map(Question::Account);
    let rows: Vec<AccountRow> = match question.and_then(|question| tx.answered(&question)) {
        Some(answers) => answers.iter().flatten().map(AccountRow::from_row).collect::<std::result::Result<_, _>>()?,
        None => rows(tx, sql::page(Resource::Account, search, start, limit, with_groups)).await?,
    };
    let (mut accounts, mut direct, mut deep) = (Vec::with_capacity(rows.len()), Vec::new(), false);
    for AccountRow { account, ids, names, nested, sort_key } in rows {
        let resource = Account::try_from(account)?;
        let groups = ids.into_iter().flatten().zip(names.into_iter().flat_map(|names| names.0));
        direct.extend(groups.map(|(group, display_name)| Membership {
            account: resource.id,
            group: GroupId(group),
            display_name,
            direct: true,
        }));
        deep |= nested.unwrap_or(false);
        accounts.push(Found { place: Place { key: sort_key, id: resource.id.0 }, resource });
    }
    direct.sort_by_key(|membership| (membership.account, membership.group));
    let memberships = members::with_indirect(tx, direct, deep).await?;
    Ok(AccountPage { accounts, memberships })
}

/// The connection's account with that id, and if wanted which groups it is in.
pub async fn account(
    tx: &mut TenantTx,
    connection: ConnectionId,
    id: AccountId,
    with_groups: bool,
) -> Result<Option<(Account, Vec<Membership>)>> {
    let search = Search::one(connection, id);
    let AccountPage { mut accounts, memberships } = accounts(tx, &search, &Start::Offset(0), 1, with_groups).await?;
    Ok(accounts.pop().map(|found| (found.resource, memberships)))
}

/// The places of one page of accounts.
pub async fn account_places(tx: &mut TenantTx, search: &Search, start: &Start, limit: i64) -> Result<Vec<Place>> {
    let rows: Vec<(Uuid, Option<String>)> = rows(tx, sql::places(Resource::Account, search, start, limit)).await?;
    Ok(rows.into_iter().map(|(id, key)| Place { key, id }).collect())
}

/// One page of groups.
pub async fn groups(tx: &mut TenantTx, search: &Search, start: &Start, limit: i64) -> Result<Vec<Found<Group>>> {
    let rows: Vec<GroupRow> = rows(tx, sql::page(Resource::Group, search, start, limit, false)).await?;
    let found = rows.into_iter().map(|GroupRow { group, sort_key }| {
        let resource = Group::from(group);
        Found { place: Place { key: sort_key, id: resource.id.0 }, resource }
    });
    Ok(found.collect())
}

/// How many accounts there are of which the condition holds, exactly.
pub async fn count_accounts(tx: &mut TenantTx, search: &Search) -> Result<i64> {
    match search.condition {
        Some(_) => count(tx, Resource::Account, search).await,
        None => accounts::count(tx, search.connection).await,
    }
}

/// How many groups there are of which the condition holds, exactly.
pub async fn count_groups(tx: &mut TenantTx, search: &Search) -> Result<i64> {
    count(tx, Resource::Group, search).await
}

/// From now on a statement of this transaction may take so long and no longer, and is planned for its own values: a
/// plan that is good for a rare value can be a disaster for a common one.
pub async fn bound(tx: &mut TenantTx, patience: Duration) -> Result<()> {
    let milliseconds = patience.as_millis().to_string();
    sqlx::query!(
        "-- search::bound
         SELECT set_config('statement_timeout', $1, true) AS patience,
                set_config('plan_cache_mode', 'force_custom_plan', true) AS plans",
        milliseconds
    )
    .fetch_one(tx.conn().await?)
    .await?;
    Ok(())
}

impl Condition {
    /// Whether an index leads straight to the few resources of which it can hold.
    pub fn is_narrow(&self) -> bool {
        match self {
            Self::Column(Column::Id | Column::ExternalId | Column::UserName | Column::DisplayName, Test::Equal(_))
            | Self::Constant(false)
            | Self::Member(Member::Id, Test::Equal(_)) => true,
            Self::Attribute(Leaf { path, field: Field::Value }, Test::Equal(_)) => path == "emails",
            Self::Element(path, inner) => path == "emails" && inner.is_narrow(),
            Self::OneMember(inner) => inner.is_narrow(),
            Self::All(all) => all.iter().any(Self::is_narrow),
            _ => false,
        }
    }
}

async fn rows<T>(tx: &mut TenantTx, mut query: QueryBuilder<Postgres>) -> Result<Vec<T>>
where
    T: for<'r> FromRow<'r, PgRow> + Send + Unpin,
{
    query.build_query_as().fetch_all(tx.conn().await?).await.map_err(too_slow)
}

async fn count(tx: &mut TenantTx, resource: Resource, search: &Search) -> Result<i64> {
    let mut query: QueryBuilder<Postgres> = sql::count(resource, search);
    query.build_query_scalar().fetch_one(tx.conn().await?).await.map_err(too_slow)
}

/// Only `bound` ends a statement early.
pub(crate) fn too_slow(error: sqlx::Error) -> Error {
    let cancelled = error.as_database_error().and_then(|error| error.code()).is_some_and(|code| code == "57014");
    if cancelled { Error::TooSlow } else { error.into() }
}

/// A moment as a key has it: UTC, nine digits of a second.
fn moment(key: &str) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(key, &time::format_description::well_known::Rfc3339).ok()
}

//! A search over users and groups together (RFC 7644 3.4.2.1): users first, then groups.

use super::{
    ScimResult,
    call::ScimCall,
    group_list,
    search::{self, Resource},
    user_list, users,
};
use crate::error::{Error, SCIM_JSON, scim_json};
use ::scim::{
    error::{ScimError, ScimType},
    list::{self, Cursor, ListQuery, Start as QueryStart},
    search::Unknown,
};
use axum::{
    http::{StatusCode, header},
    response::IntoResponse,
};
use domain::account::Account;
use serde_json::Value;
use std::time::Duration;
use store::{
    groups::Group,
    search::{self as stored, AccountPage, Found, Place, Search, Start},
};
use uuid::Uuid;

/// How long the search may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// `GET /` below the base URL
pub async fn get(call: ScimCall) -> ScimResult {
    let query = ListQuery::parse(&call.query)?;
    answer(call, query).await
}

/// `POST /.search`
pub async fn search(call: ScimCall) -> ScimResult {
    let query = ListQuery::from_search_request(&call.body)?;
    answer(call, query).await
}

async fn answer(mut call: ScimCall, query: ListQuery) -> ScimResult {
    if query.sort.is_some() {
        let detail = "Users and groups have no order in common. Sort at /Users or at /Groups.";
        return Err(ScimError::bad_request(ScimType::InvalidPath, detail).into());
    }
    let people = search::of_type(&call, Resource::User, &query, Unknown::MatchesNothing)?;
    let groups = search::of_type(&call, Resource::Group, &query, Unknown::MatchesNothing)?;
    stored::bound(&mut call.tx, PATIENCE).await?;
    let QueryStart::Index(start) = query.start else { return by_cursor(call, &query, &people, &groups).await };
    let users_total = stored::count_accounts(&mut call.tx, &people).await?;
    let groups_total = stored::count_groups(&mut call.tx, &groups).await?;
    let (offset, count) = (start - 1, i64::try_from(query.count).unwrap_or(i64::MAX));
    let with_groups = !query.projection.excludes("groups");
    let users = stored::accounts(&mut call.tx, &people, &Start::Offset(offset), count, with_groups).await?;
    let left = count - i64::try_from(users.accounts.len()).unwrap_or(count);
    let offset = Start::Offset((offset - users_total).max(0));
    let groups = stored::groups(&mut call.tx, &groups, &offset, left).await?;
    let resources = shown(&mut call, users, groups, &query).await?;
    call.work.tx.rollback().await?;
    Ok(scim_json(StatusCode::OK, &list::list_response(users_total + groups_total, start, resources)))
}

/// A page behind a cursor (RFC 9865), which says of its place also whether it is among the users or the groups.
async fn by_cursor(mut call: ScimCall, query: &ListQuery, people: &Search, groups: &Search) -> ScimResult {
    let fingerprint = search::fingerprint(&call, query, "");
    let (users_from, groups_from) = places(query, fingerprint)?;
    // One more than is shown tells whether there is a next page.
    let limit = query.count + 1;
    let with_groups = !query.projection.excludes("groups");
    let mut users = match users_from {
        Some(from) => {
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            stored::accounts(&mut call.tx, people, &from, limit, with_groups).await?
        }
        None => AccountPage::default(),
    };
    let left = i64::try_from(limit - users.accounts.len()).unwrap_or(0);
    let mut groups = stored::groups(&mut call.tx, groups, &groups_from, left).await?;
    let more = users.accounts.len() + groups.len() > query.count;
    groups.truncate(query.count.saturating_sub(users.accounts.len()));
    users.accounts.truncate(query.count);
    let last = match (users.accounts.last(), groups.last()) {
        (_, Some(group)) => Some((Resource::Group, group.place.id)),
        (Some(user), None) => Some((Resource::User, user.place.id)),
        (None, None) => None,
    };
    let next = last.filter(|_| more).map(|(kind, id)| {
        Cursor { query: fingerprint, sort_key: Some(kind.endpoint().to_owned()), id: id.to_string() }.encode()
    });
    let resources = shown(&mut call, users, groups, query).await?;
    call.work.tx.rollback().await?;
    let mut body = list::opening(None, None);
    for (index, resource) in resources.iter().enumerate() {
        user_list::push(&mut body, index, resource);
    }
    body.push_str(&list::closing(resources.len(), next.as_deref()));
    Ok((StatusCode::OK, [(header::CONTENT_TYPE, SCIM_JSON)], body).into_response())
}

/// Where the page begins among the users, unless they are behind it, and among the groups.
fn places(query: &ListQuery, fingerprint: u64) -> Result<(Option<Start>, Start), ScimError> {
    let QueryStart::Cursor(Some(cursor)) = &query.start else { return Ok((Some(Start::Offset(0)), Start::Offset(0))) };
    let id = Uuid::try_parse(&cursor.id).ok().filter(|_| cursor.query == fingerprint);
    let behind = id.map(|id| Start::After(Place { key: None, id })).ok_or_else(search::foreign_cursor)?;
    match cursor.sort_key.as_deref() {
        Some(kind) if kind == Resource::User.endpoint() => Ok((Some(behind), Start::Offset(0))),
        Some(kind) if kind == Resource::Group.endpoint() => Ok((None, behind)),
        _ => Err(search::foreign_cursor()),
    }
}

async fn shown(
    call: &mut ScimCall,
    users: AccountPage,
    groups: Vec<Found<Group>>,
    query: &ListQuery,
) -> Result<Vec<Value>, Error> {
    let accounts: Vec<Account> = users.accounts.into_iter().map(|found| found.resource).collect();
    let mut resources = users::show(call, &accounts, &users.memberships, &query.projection);
    for found in groups {
        resources.push(group_list::whole(call, &found.resource, &query.projection, super::groups::MOST_MEMBERS).await?);
    }
    Ok(resources)
}

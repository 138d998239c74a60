//! A search over users and groups together (RFC 7644 3.4.2.1): users first, then groups.

use super::{
    ScimResult,
    call::ScimCall,
    group_list,
    search::{self, Resource},
    users,
};
use crate::error::scim_json;
use ::scim::{
    error::{ScimError, ScimType},
    list::{self, ListQuery, Start as QueryStart},
    search::Unknown,
};
use axum::http::StatusCode;
use std::time::Duration;
use store::search::{self as stored, Start};

/// How long the search may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Members that a group of the list shows; a larger one is shown without.
const MOST_MEMBERS: usize = 100;

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
    let QueryStart::Index(start) = query.start else {
        let detail = "Cursors work at /Users and /Groups. Search there, or page with startIndex here.";
        return Err(ScimError::bad_request(ScimType::InvalidCursor, detail).into());
    };
    if query.sort.is_some() {
        let detail = "Users and groups have no order in common. Sort at /Users or at /Groups.";
        return Err(ScimError::bad_request(ScimType::InvalidPath, detail).into());
    }
    let people = search::of_type(&call, Resource::User, &query, Unknown::MatchesNothing)?;
    let groups = search::of_type(&call, Resource::Group, &query, Unknown::MatchesNothing)?;
    stored::bound(&mut call.tx, PATIENCE).await?;
    let users_total = stored::count_accounts(&mut call.tx, &people).await?;
    let groups_total = stored::count_groups(&mut call.tx, &groups).await?;
    let (offset, count) = (start - 1, i64::try_from(query.count).unwrap_or(i64::MAX));
    let page = stored::accounts(&mut call.tx, &people, &Start::Offset(offset), count).await?;
    let found: Vec<_> = page.into_iter().map(|found| found.resource).collect();
    let mut resources = users::show(&mut call, &found, &query.projection).await?;
    let left = count - i64::try_from(resources.len()).unwrap_or(count);
    let offset = Start::Offset((offset - users_total).max(0));
    for found in stored::groups(&mut call.tx, &groups, &offset, left).await? {
        resources.push(group_list::whole(&mut call, &found.resource, &query.projection, MOST_MEMBERS).await?);
    }
    call.work.tx.rollback().await?;
    Ok(scim_json(StatusCode::OK, &list::list_response(users_total + groups_total, start, resources)))
}

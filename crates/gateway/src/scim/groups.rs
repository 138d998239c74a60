//! SCIM Groups of one connection. Members are rows; a change costs what it changes, not what the group holds.

use super::{ScimResult, Selection, call::ScimCall, cut, limit, offset, selection, unsupported_filter};
use crate::error::{Error, scim_json};
use ::scim::{
    group::{self, GroupChange, GroupDocument, MemberKind, MemberRef, MemberView},
    list::{self, ListQuery, Projection},
    patch::Patch,
    user::Meta,
};
use axum::{http::StatusCode, response::IntoResponse};
use domain::{
    event::{Event, EventKind, Subject},
    ids::{AccountId, GroupId},
    refusal::Refusal,
};
use serde_json::{Value, json};
use store::{
    error::{Constraint, Error as StoreError},
    events,
    groups::{self, Group},
    members,
};
use uuid::Uuid;

/// Members shown in one answer; a larger group is shown without (SCIM 1.2: nobody reads 100,000 of them).
const MOST_MEMBERS: i64 = 1_000;

/// Unknown members named in one event.
const MOST_UNKNOWN: usize = 20;

/// Groups that one page may hold when they were found by an attribute that is not unique.
const MOST_MATCHES: i64 = 500;

/// `GET /Groups`
pub async fn list(mut call: ScimCall) -> ScimResult {
    let query = ListQuery::parse(&call.query)?;
    let (total, page) = select(&mut call, &query).await?;
    let resources = show(&mut call, &page, &query.projection).await?;
    call.tx.rollback().await?;
    Ok(scim_json(StatusCode::OK, &list::list_response(total, query.start_index, resources)))
}

/// `GET /Groups/{id}`
pub async fn get(mut call: ScimCall) -> ScimResult {
    let id = GroupId(call.resource_id()?);
    let group = groups::by_id(&mut call.tx, call.connection, id).await?.ok_or(Error::NotFound)?;
    respond(call, StatusCode::OK, group).await
}

/// `POST /Groups`
pub async fn create(mut call: ScimCall) -> ScimResult {
    let GroupDocument { display_name, external_id, members } = GroupDocument::parse(&call.body)?;
    let group = groups::insert(&mut call.tx, call.connection, &display_name, external_id.as_deref()).await;
    let group = group.map_err(|error| taken(error, &display_name))?;
    let event = Event::new(EventKind::GroupCreated, Subject::Group(group.id));
    events::append(&mut call.tx, Some(call.connection), &[event]).await?;
    if let Some(members) = members {
        let change = [GroupChange::AddMembers(members)];
        apply_members(&mut call, group.id, &change).await?;
    }
    respond(call, StatusCode::CREATED, group).await
}

/// `PUT /Groups/{id}`; Okta's body has no `id`, and one without `members` leaves them as they are.
pub async fn replace(mut call: ScimCall) -> ScimResult {
    let GroupDocument { display_name, external_id, members } = GroupDocument::parse(&call.body)?;
    let mut changes = vec![GroupChange::Rename(display_name), GroupChange::SetExternalId(external_id)];
    changes.extend(members.map(GroupChange::ReplaceMembers));
    let group = change(&mut call, &changes).await?;
    respond(call, StatusCode::OK, group).await
}

/// `PATCH /Groups/{id}`
pub async fn patch(mut call: ScimCall) -> ScimResult {
    let changes = group::changes(&Patch::parse(&call.body)?)?;
    let group = change(&mut call, &changes).await?;
    respond(call, StatusCode::OK, group).await
}

/// `DELETE /Groups/{id}`
pub async fn delete(mut call: ScimCall) -> ScimResult {
    let id = GroupId(call.resource_id()?);
    let group = groups::for_update(&mut call.tx, call.connection, id).await?.ok_or(Error::NotFound)?;
    groups::delete(&mut call.tx, group.id).await?;
    let event = Event::new(EventKind::GroupDeleted, Subject::Group(group.id));
    events::append(&mut call.tx, Some(call.connection), &[event]).await?;
    call.tx.commit().await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Applies changes in order (RFC 7644 3.5.2); without a difference the group keeps its version.
async fn change(call: &mut ScimCall, changes: &[GroupChange]) -> Result<Group, Error> {
    let id = GroupId(call.resource_id()?);
    let before = groups::for_update(&mut call.tx, call.connection, id).await?.ok_or(Error::NotFound)?;
    let mut after = before.clone();
    for change in changes {
        match change {
            GroupChange::Rename(name) => after.display_name.clone_from(name),
            GroupChange::SetExternalId(external_id) => after.external_id.clone_from(external_id),
            _ => {}
        }
    }
    let moved = apply_members(call, id, changes).await?;
    if after == before && moved == 0 {
        return Ok(before);
    }
    groups::update(&mut call.tx, &after).await.map_err(|error| taken(error, &after.display_name))?;
    if after != before {
        let event = Event::new(EventKind::GroupUpdated, Subject::Group(id));
        events::append(&mut call.tx, Some(call.connection), &[event]).await?;
    }
    Ok(Group { version: before.version + 1, updated_at: call.tx.now(), ..after })
}

/// Moves members by sets; answers how many rows changed.
async fn apply_members(call: &mut ScimCall, group: GroupId, changes: &[GroupChange]) -> Result<u64, Error> {
    let (mut added, mut removed, mut named) = (0, 0, Vec::new());
    for change in changes {
        let tx = &mut call.tx;
        match change {
            GroupChange::AddMembers(members) => {
                added += members::add(tx, call.connection, group, &ids(members)).await?;
                named.extend(members);
            }
            GroupChange::ReplaceMembers(members) => {
                removed += members::retain(tx, group, &ids(members)).await?;
                added += members::add(tx, call.connection, group, &ids(members)).await?;
                named.extend(members);
            }
            GroupChange::RemoveMembers(members) => {
                let members: Vec<Uuid> = members.iter().filter_map(|id| Uuid::try_parse(id).ok()).collect();
                removed += members::remove(tx, group, &members).await?;
            }
            GroupChange::RemoveAllMembers => removed += members::retain(tx, group, &[]).await?,
            GroupChange::Rename(_) | GroupChange::SetExternalId(_) => {}
        }
    }
    let mut told = unknown_members(call, group, &named).await?;
    if added + removed > 0 {
        let data = json!({ "added": added, "removed": removed });
        told.push(Event::with(EventKind::GroupMembersChanged, Subject::Group(group), data));
    }
    events::append(&mut call.tx, Some(call.connection), &told).await?;
    Ok(added + removed)
}

/// A member that is not here is no reason to refuse the others: Okta would not send them again. It is recorded.
async fn unknown_members(call: &mut ScimCall, group: GroupId, named: &[&MemberRef]) -> Result<Vec<Event>, Error> {
    let wanted: Vec<Uuid> = named.iter().filter_map(|member| Uuid::try_parse(&member.value).ok()).collect();
    let malformed = named.len() - wanted.len();
    let unknown =
        if wanted.is_empty() { Vec::new() } else { members::unknown(&mut call.tx, call.connection, &wanted).await? };
    if unknown.is_empty() && malformed == 0 {
        return Ok(Vec::new());
    }
    let data = json!({
        "code": "GH-GRP-003",
        "problem": "unknown member",
        "count": unknown.len() + malformed,
        "members": unknown.iter().take(MOST_UNKNOWN).collect::<Vec<_>>(),
    });
    Ok(vec![Event::with(EventKind::ProvisioningFailed, Subject::Group(group), data)])
}

fn ids(members: &[MemberRef]) -> Vec<Uuid> {
    members.iter().filter_map(|member| Uuid::try_parse(&member.value).ok()).collect()
}

async fn select(call: &mut ScimCall, query: &ListQuery) -> Result<(i64, Vec<Group>), Error> {
    let (tx, connection) = (&mut call.tx, call.connection);
    let found = match selection(query)? {
        Selection::All => {
            let total = groups::count(tx, connection).await?;
            let page = if query.count == 0 {
                Vec::new()
            } else {
                groups::page(tx, connection, offset(query), limit(query)).await?
            };
            return Ok((total, page));
        }
        Selection::Equals { path, value } => match path.as_str() {
            "displayname" => groups::by_display_name(tx, connection, &value).await?.into_iter().collect(),
            "externalid" => groups::by_external_id(tx, connection, &value, MOST_MATCHES).await?,
            "id" => match Uuid::try_parse(&value) {
                Ok(id) => groups::by_id(tx, connection, GroupId(id)).await?.into_iter().collect(),
                Err(_) => Vec::new(),
            },
            _ => return Err(unsupported_filter().into()),
        },
    };
    Ok(cut(found, query))
}

async fn show(call: &mut ScimCall, groups: &[Group], projection: &Projection) -> Result<Vec<Value>, Error> {
    let members = if projection.excludes("members") {
        None
    } else {
        let ids: Vec<Uuid> = groups.iter().map(|group| group.id.0).collect();
        Some(members::of_groups(&mut call.tx, &ids, MOST_MEMBERS + 1).await?)
    };
    let catalogue = call.catalogue();
    let shown = groups.iter().map(|group| {
        let views = members.as_ref().and_then(|members| views(members, group.id, &call.base_url));
        let meta = Meta {
            created: group.created_at,
            last_modified: group.updated_at,
            version: group.version,
            location: format!("{}/Groups/{}", call.base_url, group.id),
        };
        let external_id = group.external_id.as_deref();
        let resource = group::render(&group.id.to_string(), &group.display_name, external_id, views.as_deref(), &meta);
        projection.apply(resource, catalogue.group())
    });
    Ok(shown.collect())
}

fn views(members: &[(GroupId, AccountId)], group: GroupId, base_url: &str) -> Option<Vec<MemberView>> {
    // Sorted by group, so its members are one run.
    let start = members.partition_point(|(of, _)| *of < group);
    let run: Vec<MemberView> = members
        .iter()
        .skip(start)
        .take_while(|(of, _)| *of == group)
        .map(|(_, account)| MemberView {
            value: account.to_string(),
            kind: MemberKind::User,
            location: format!("{base_url}/Users/{account}"),
        })
        .collect();
    (i64::try_from(run.len()).unwrap_or(i64::MAX) <= MOST_MEMBERS).then_some(run)
}

async fn respond(mut call: ScimCall, status: StatusCode, group: Group) -> ScimResult {
    let projection = Projection::parse(&call.query);
    let location = format!("{}/Groups/{}", call.base_url, group.id);
    let shown = show(&mut call, std::slice::from_ref(&group), &projection).await?;
    call.tx.commit().await?;
    let body = scim_json(status, shown.first().unwrap_or(&Value::Null));
    Ok(([(axum::http::header::LOCATION, location)], body).into_response())
}

fn taken(error: StoreError, display_name: &str) -> Error {
    match error {
        StoreError::Conflict(Constraint::GroupName) => {
            Refusal::GroupNameTaken { display_name: display_name.chars().take(100).collect() }.into()
        }
        error => error.into(),
    }
}

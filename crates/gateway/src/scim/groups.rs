//! SCIM Groups of one connection. Members are rows; a change costs what it changes, not what the group holds.

use super::{
    ScimResult, answer,
    call::{ScimCall, Work, read_id},
    group_list::{self, GroupList},
    users,
};
use crate::{
    error::Error,
    failures, provisioning,
    roles::{self, Groups},
};
use ::scim::{
    group::{self, GroupChange, GroupDocument, Ids, MemberRef, Selection},
    list::{ListQuery, Projection},
    patch::Patch,
    user::Meta,
};
use axum::{
    http::{HeaderValue, StatusCode},
    response::IntoResponse,
};
use domain::{
    event::{Event, EventKind, Subject},
    ids::GroupId,
    provisioning::Rule,
    refusal::Refusal,
};
use serde_json::{Value, json};
use std::{collections::BTreeSet, sync::Arc};
use store::{
    error::{Constraint, Error as StoreError},
    events,
    groups::{self, Group},
    members,
};
use uuid::Uuid;

/// Members of a group that are shown by a change and by a search over users and groups; a larger group is shown without.
pub const MOST_MEMBERS: usize = 100;

/// Unknown members named in one event.
const MOST_UNKNOWN: usize = 20;

/// `GET /Groups`
pub async fn list(call: ScimCall) -> ScimResult {
    let query = ListQuery::parse(&call.query)?;
    answer::in_pieces(GroupList::new(call, query).await?).await
}

/// `POST /Groups/.search` (RFC 7644 3.4.3)
pub async fn search(call: ScimCall) -> ScimResult {
    let query = ListQuery::from_search_request(&call.body)?;
    answer::in_pieces(GroupList::new(call, query).await?).await
}

/// `GET /Groups/{id}`, with all members, however many.
pub async fn get(mut call: ScimCall) -> ScimResult {
    let id = GroupId(call.resource_id()?);
    let connection = call.connection;
    let group = groups::by_id(&mut call.tx, connection, id).await?.ok_or(Error::NotFound)?;
    let meta = meta(&call, &group);
    if call.has(&meta) {
        return Ok(answer::not_modified(&meta));
    }
    let projection = Projection::parse(&call.query);
    let pieces = group_list::one(call.work, group, projection);
    Ok(answer::with_meta(answer::in_pieces(pieces).await?, &meta))
}

/// `POST /Groups`
pub async fn create(mut call: ScimCall) -> ScimResult {
    let document = GroupDocument::parse(&call.body)?;
    let id = GroupId(call.tx.new_id());
    let group = created(&mut call, id, document).await?;
    respond(call, StatusCode::CREATED, group).await
}

/// `PUT /Groups/{id}`; Okta's body has no `id`, and one without `members` leaves them as they are.
pub async fn replace(mut call: ScimCall) -> ScimResult {
    let changes = replacement(GroupDocument::parse(&call.body)?);
    let before = for_update(&mut call).await?;
    let group = changed(&mut call, before, &changes).await?;
    respond(call, StatusCode::OK, group).await
}

/// `PATCH /Groups/{id}`
pub async fn patch(mut call: ScimCall) -> ScimResult {
    let changes = group::changes(&Patch::parse(&call.body)?)?;
    let before = for_update(&mut call).await?;
    let group = changed(&mut call, before, &changes).await?;
    respond(call, StatusCode::OK, group).await
}

/// `DELETE /Groups/{id}`
pub async fn delete(mut call: ScimCall) -> ScimResult {
    let id = call.resource_id()?;
    users::lock_around(&mut call, id).await?;
    let group = for_update(&mut call).await?;
    deleted(&mut call, &group).await?;
    call.work.tx.commit().await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn for_update(call: &mut ScimCall) -> Result<Group, Error> {
    let id = call.resource_id()?;
    let group = locked(call, id).await?;
    call.check_version(group.version)?;
    Ok(group)
}

/// The connection's group of that id, kept from other changes.
pub async fn locked(work: &mut Work, id: Uuid) -> Result<Group, Error> {
    let connection = work.connection;
    groups::for_update(&mut work.tx, connection, GroupId(id)).await?.ok_or(Error::NotFound)
}

/// A new group with that id.
pub async fn created(work: &mut Work, id: GroupId, document: GroupDocument) -> Result<Group, Error> {
    let GroupDocument { display_name, external_id, members } = document;
    let connection = work.connection;
    let group = groups::insert(&mut work.tx, connection, id, &display_name, external_id.as_deref()).await;
    let group = group.map_err(|error| taken(error, &display_name))?;
    let event = Event::new(EventKind::GroupCreated, Subject::Group(group.id));
    events::append(&mut work.tx, Some(connection), &[event]).await?;
    if let Some(members) = members.filter(|members| !members.is_empty()) {
        let changes = [GroupChange::AddMembers(members)];
        keep_others_out(work).await?;
        apply_members(work, group.id, &changes).await?;
        settle_roles(work, Vec::new(), &moved(&changes)).await?;
    }
    Ok(group)
}

/// What a PUT changes.
pub fn replacement(document: GroupDocument) -> Vec<GroupChange> {
    let GroupDocument { display_name, external_id, members } = document;
    let mut changes = vec![GroupChange::Rename(display_name), GroupChange::SetExternalId(external_id)];
    changes.extend(members.map(GroupChange::ReplaceMembers));
    changes
}

/// The group after changes in order (RFC 7644 3.5.2); without a difference it keeps its version.
pub async fn changed(work: &mut Work, before: Group, changes: &[GroupChange]) -> Result<Group, Error> {
    let connection = work.connection;
    let mut after = before.clone();
    for change in changes {
        match change {
            GroupChange::Rename(name) => after.display_name.clone_from(name),
            GroupChange::SetExternalId(external_id) => after.external_id.clone_from(external_id),
            _ => {}
        }
    }
    // Who is in a group that is called otherwise, or loses members without their being named, may get another role.
    keep_others_out(work).await?;
    let is_another = after.display_name != before.display_name || !changes.iter().all(names_its_members);
    let concerned = if is_another { members_of(work, before.id).await? } else { Vec::new() };
    let count = apply_members(work, before.id, changes).await?;
    if after == before && count == 0 {
        return Ok(before);
    }
    if after == before {
        groups::touch(&mut work.tx, after.id).await?;
    } else {
        groups::update(&mut work.tx, &after).await.map_err(|error| taken(error, &after.display_name))?;
        let event = Event::new(EventKind::GroupUpdated, Subject::Group(after.id));
        events::append(&mut work.tx, Some(connection), &[event]).await?;
    }
    settle_roles(work, concerned, &moved(changes)).await?;
    Ok(Group { version: before.version + 1, updated_at: work.tx.now(), ..after })
}

/// Removes the group.
pub async fn deleted(work: &mut Work, group: &Group) -> Result<(), Error> {
    let connection = work.connection;
    keep_others_out(work).await?;
    let concerned = members_of(work, group.id).await?;
    provisioning::leave_groups(&mut work.tx, connection, group.id.0, Rule::IdentityProvider).await?;
    groups::delete(&mut work.tx, group.id).await?;
    let event = Event::new(EventKind::GroupDeleted, Subject::Group(group.id));
    events::append(&mut work.tx, Some(connection), &[event]).await?;
    settle_roles(work, concerned, &[]).await
}

/// Whether everybody whom a change moves is named in it.
fn names_its_members(change: &GroupChange) -> bool {
    !matches!(change, GroupChange::ReplaceMembers(_) | GroupChange::RemoveSelected(_))
}

/// The members that changes name, with those whom they put in the place of others.
fn moved(changes: &[GroupChange]) -> Vec<Uuid> {
    let named = changes.iter().flat_map(|change| match change {
        GroupChange::AddMembers(members) | GroupChange::ReplaceMembers(members) => {
            ids(members.iter().map(|member| &member.value))
        }
        GroupChange::RemoveMembers(members) => ids(members),
        GroupChange::RemoveSelected(_) | GroupChange::Rename(_) | GroupChange::SetExternalId(_) => Vec::new(),
    });
    named.collect()
}

/// Has other changes of groups wait, where groups have a say about roles.
async fn keep_others_out(work: &mut Work) -> Result<(), Error> {
    if work.role_policy().heeds_groups() {
        let connection = work.connection;
        store::roles::lock_groups(&mut work.tx, connection).await?;
    }
    Ok(())
}

/// Everybody in the group, where groups have a say about roles.
async fn members_of(work: &mut Work, group: GroupId) -> Result<Vec<Uuid>, Error> {
    if !work.role_policy().heeds_groups() {
        return Ok(Vec::new());
    }
    Ok(store::roles::all_below(&mut work.tx, &[group.0]).await?)
}

/// Gives these accounts, and those among `members` and in groups among them, the roles that they have by their groups now.
async fn settle_roles(work: &mut Work, mut accounts: Vec<Uuid>, members: &[Uuid]) -> Result<(), Error> {
    if !work.role_policy().heeds_groups() {
        return Ok(());
    }
    let connection = work.connection;
    if !members.is_empty() {
        accounts.extend(store::roles::all_below(&mut work.tx, members).await?);
        accounts.sort_unstable();
        accounts.dedup();
    }
    let directory = Arc::clone(&work.directory);
    roles::settle(&mut work.tx, connection, directory.role_policy(), &accounts, Groups::Kept).await?;
    Ok(())
}

/// Moves members by sets; answers how many rows changed.
async fn apply_members(work: &mut Work, group: GroupId, changes: &[GroupChange]) -> Result<u64, Error> {
    let connection = work.connection;
    let (mut added, mut removed, mut unknown) = (0, 0, Unknown::default());
    if work.trace.may_end_failures() && changes.iter().any(is_of_members) {
        failures::members_are_new(&mut work.tx, connection, group).await?;
    }
    for change in changes {
        let tx = &mut work.tx;
        match change {
            GroupChange::AddMembers(members) => {
                let ids = unknown.readable(members);
                let outcome = members::add(tx, connection, group, &ids).await?;
                added += outcome.count;
                unknown.ids.extend(outcome.unknown);
            }
            GroupChange::ReplaceMembers(members) => {
                let ids = unknown.readable(members);
                removed += members::retain(tx, group, Some(&ids), Some(&ids)).await?;
                let outcome = members::add(tx, connection, group, &ids).await?;
                added += outcome.count;
                unknown.ids.extend(outcome.unknown);
            }
            GroupChange::RemoveMembers(members) => {
                let members = ids(members);
                removed += members::remove(tx, group, &members, &members).await?;
            }
            GroupChange::RemoveSelected(Selection { users, groups }) => {
                let ((users_out, users_kept), (groups_out, groups_kept)) = (sets(users), sets(groups));
                removed += members::remove(tx, group, &users_out, &groups_out).await?;
                removed += members::retain(tx, group, users_kept.as_deref(), groups_kept.as_deref()).await?;
            }
            GroupChange::Rename(_) | GroupChange::SetExternalId(_) => {}
        }
    }
    let mut told = unknown.event(group);
    if let Some(note) = unknown.note() {
        let members: Vec<Uuid> = unknown.ids.iter().copied().collect();
        failures::left_out(&mut work.tx, connection, group, &members, &note).await?;
        work.trace.note(note);
    }
    if added + removed > 0 {
        let data = json!({ "added": added, "removed": removed });
        told.push(Event::with(EventKind::GroupMembersChanged, Subject::Group(group), data));
    }
    events::append(&mut work.tx, Some(connection), &told).await?;
    Ok(added + removed)
}

fn is_of_members(change: &GroupChange) -> bool {
    !matches!(change, GroupChange::Rename(_) | GroupChange::SetExternalId(_))
}

/// The ids that can be somebody's.
fn ids<'i>(texts: impl IntoIterator<Item = &'i String>) -> Vec<Uuid> {
    texts.into_iter().filter_map(|text| read_id(text)).collect()
}

/// Who of a kind goes by name, and who stays when all others go.
fn sets(selected: &Ids) -> (Vec<Uuid>, Option<Vec<Uuid>>) {
    match selected {
        Ids::Only(these) => (ids(these), None),
        Ids::AllBut(these) => (Vec::new(), Some(ids(these))),
    }
}

/// A member that is not here is no reason to refuse the others: Okta would not send them again. It is recorded.
#[derive(Default)]
struct Unknown {
    ids: BTreeSet<Uuid>,
    malformed: usize,
}

impl Unknown {
    /// The ids that can be somebody's; the others are counted.
    fn readable(&mut self, members: &[MemberRef]) -> Vec<Uuid> {
        let ids = ids(members.iter().map(|member| &member.value));
        self.malformed += members.len() - ids.len();
        ids
    }

    fn note(&self) -> Option<String> {
        let count = self.ids.len() + self.malformed;
        let named: Vec<String> = self.ids.iter().take(MOST_UNKNOWN).map(Uuid::to_string).collect();
        (count > 0).then(|| {
            format!(
                "{count} members were left out, because this connection has nobody with their ids: {}. Assign them to the \
                 application, then push the group again.",
                if named.is_empty() { "none of them is an id of this server".to_owned() } else { named.join(", ") }
            )
        })
    }

    fn event(&self, group: GroupId) -> Vec<Event> {
        if self.ids.is_empty() && self.malformed == 0 {
            return Vec::new();
        }
        let data = json!({
            "code": "GH-GRP-003",
            "problem": "unknown member",
            "count": self.ids.len() + self.malformed,
            "members": self.ids.iter().take(MOST_UNKNOWN).collect::<Vec<_>>(),
        });
        vec![Event::with(EventKind::ProvisioningFailed, Subject::Group(group), data)]
    }
}

/// Where the group is, and since when.
pub fn meta(work: &Work, group: &Group) -> Meta {
    Meta {
        created: group.created_at,
        last_modified: group.updated_at,
        version: group.version,
        computed: 0,
        location: format!("{}/Groups/{}", work.base_url, group.id),
    }
}

/// The group after a change, with its members if they are few and the client did not ask for less.
async fn respond(mut call: ScimCall, status: StatusCode, group: Group) -> ScimResult {
    let projection = Projection::parse(&call.query);
    let shown = if call.minimal {
        head(&call, &group, &projection)
    } else {
        group_list::whole(&mut call, &group, &projection, MOST_MEMBERS).await?
    };
    let (meta, minimal) = (meta(&call, &group), call.minimal);
    call.work.tx.commit().await?;
    let mut response = answer::resource(status, &shown, &meta);
    if minimal {
        response.headers_mut().insert("preference-applied", HeaderValue::from_static("return=minimal"));
    }
    Ok(response)
}

/// The group without its members.
pub fn head(work: &Work, group: &Group, projection: &Projection) -> Value {
    let external_id = group.external_id.as_deref();
    let resource = group::render(&group.id.to_string(), &group.display_name, external_id, None, &meta(work, group));
    projection.apply(resource, work.catalogue().group())
}

fn taken(error: StoreError, display_name: &str) -> Error {
    match error {
        StoreError::Conflict(Constraint::GroupName) => {
            Refusal::GroupNameTaken { display_name: display_name.chars().take(100).collect() }.into()
        }
        error => error.into(),
    }
}

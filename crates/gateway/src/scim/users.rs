//! SCIM Users: the accounts of one connection.

use super::{
    ScimResult, answer,
    call::{Directory, ScimCall, Work},
    creation::Creation,
    password, together,
    user_list::UserList,
};
use crate::{
    arrival::{self, Newcomer},
    error::Error,
    guard, inviting, provisioning,
    roles::{self, InForce},
    seats::Place,
};
use ::scim::{
    list::{ListQuery, Projection},
    patch::{self, Patch},
    search,
    user::{self, GroupRef, Meta, UserDocument, Written},
};
use anyhow::Context;
use axum::{http::StatusCode, response::IntoResponse};
use domain::{
    account::Account,
    email::Email,
    ids::AccountId,
    names::UserName,
    provisioning::{self as rules, Roles, Rule, Wanted},
};
use serde_json::Value;
use std::sync::Arc;
use store::{
    accounts,
    attributes::AttributeRow,
    groups,
    members::{self, Membership},
};
use uuid::Uuid;

/// `GET /Users` (RFC 7644 3.4.2)
pub async fn list(call: ScimCall) -> ScimResult {
    let query = ListQuery::parse(&call.query)?;
    answer::in_pieces(UserList::new(call, query).await?).await
}

/// `POST /Users/.search` (RFC 7644 3.4.3)
pub async fn search(call: ScimCall) -> ScimResult {
    let query = ListQuery::from_search_request(&call.body)?;
    answer::in_pieces(UserList::new(call, query).await?).await
}

/// `GET /Users/{id}`
pub async fn get(mut call: ScimCall) -> ScimResult {
    let id = AccountId(call.resource_id()?);
    let connection = call.connection;
    let projection = Projection::parse(&call.query);
    let found = store::search::account(&mut call.tx, connection, id, !projection.excludes("groups")).await?;
    let (account, memberships) = found.ok_or(Error::NotFound)?;
    let groups = groups_of(&call, &account, &memberships);
    let meta = meta(&call, &account, &groups);
    if call.has(&meta) {
        return Ok(answer::not_modified(&meta));
    }
    Ok(answer::resource(StatusCode::OK, &render(&call, &account, &groups, &meta, &projection), &meta))
}

/// `POST /Users` (RFC 7644 3.3)
pub async fn create(call: ScimCall) -> ScimResult {
    let Written { document, password } = UserDocument::parse(&call.body, call.catalogue())?;
    let wanted = demanded(&call, document)?;
    let (projection, bytes) = (Projection::parse(&call.query), call.body.len());
    let (directory, large) = call.end().await?;
    let password = password::kept(&directory, None, password.as_ref()).await?;
    let creation = Creation { directory: Arc::clone(&directory), id: None, wanted, password };
    let account = together::join(creation, bytes, large).await?;
    // Nobody has put it into a group yet.
    let meta = meta(&directory, &account, &[]);
    Ok(answer::resource(StatusCode::CREATED, &render(&directory, &account, &[], &meta, &projection), &meta))
}

/// `PUT /Users/{id}` (RFC 7644 3.5.1)
pub async fn replace(call: ScimCall) -> ScimResult {
    let put = UserDocument::parse(&call.body, call.catalogue())?;
    let (mut call, hash) = password::hashed(call, put.password.as_ref()).await?;
    let account = for_update(&mut call).await?;
    let account = replaced(&mut call, account, put.document, hash.as_deref()).await?;
    respond(call, account).await
}

/// `PATCH /Users/{id}` (RFC 7644 3.5.2)
pub async fn patch(mut call: ScimCall) -> ScimResult {
    let operations = Patch::parse(&call.body)?;
    let mut account = for_update(&mut call).await?;
    let mut written = patched(&call, &account, &operations)?;
    let (mut call, hash) = password::hashed(call, written.password.as_ref()).await?;
    if hash.is_some() {
        // Hashing let go of the account; somebody may have changed it.
        account = for_update(&mut call).await?;
        written = patched(&call, &account, &operations)?;
    }
    let account = changed(&mut call, account, written.document, hash.as_deref()).await?;
    respond(call, account).await
}

/// `DELETE /Users/{id}` (RFC 7644 3.6)
pub async fn delete(mut call: ScimCall) -> ScimResult {
    let id = call.resource_id()?;
    lock_around(&mut call, id).await?;
    let account = for_update(&mut call).await?;
    removed(&mut call, account).await?;
    call.work.tx.commit().await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Removes the account.
pub async fn removed(work: &mut Work, account: Account) -> Result<(), Error> {
    let directory = Arc::clone(&work.directory);
    let place = Place::of(&mut work.tx, &account, false).await?;
    let plan =
        roles::guarded(&mut work.tx, directory.role_policy(), &account, rules::delete(Rule::IdentityProvider)).await?;
    if account.profile.active {
        guard::leaves(&mut work.tx, &directory).await?;
    }
    inviting::withdraw(&mut work.tx, directory.role_policy(), &account).await?;
    provisioning::carry_out(&mut work.tx, account, plan).await?;
    place.taken(&mut work.tx).await?;
    keeps_users(work).await
}

async fn for_update(call: &mut ScimCall) -> Result<Account, Error> {
    let id = call.resource_id()?;
    let account = locked(call, id).await?;
    call.check_version(account.version)?;
    Ok(account)
}

/// Takes the groups of somebody who is about to be deleted, so that nobody waits in a circle.
pub async fn lock_around(work: &mut Work, id: Uuid) -> Result<(), Error> {
    let connection = work.connection;
    Ok(groups::lock_around(&mut work.tx, connection, id).await?)
}

/// The connection's account of that id, kept from others.
pub async fn locked(work: &mut Work, id: Uuid) -> Result<Account, Error> {
    let connection = work.connection;
    accounts::for_update(&mut work.tx, connection, AccountId(id)).await?.ok_or(Error::NotFound)
}

/// New accounts of one directory, and the transaction that makes them.
pub async fn created(creations: Vec<Creation>) -> Result<(Work, Vec<Account>), Error> {
    let directory = Arc::clone(&creations.first().context("somebody is created")?.directory);
    let (connection, in_force) = (directory.connection, directory.role_policy());
    let wanted = creations.iter().map(|creation| &creation.wanted);
    let mut work = directory.open_for(Some(arrival::question(connection, in_force, wanted))).await?;
    let (mut newcomers, mut passwords) = (Vec::new(), Vec::new());
    for Creation { directory, id, wanted, password } in creations {
        let index = index(&directory, &wanted.document);
        // Nobody has put it into a group yet.
        newcomers.push(Newcomer { id, wanted, index, rule: None });
        passwords.push(password);
    }
    let accounts = arrival::arrive(&mut work.tx, connection, in_force, newcomers).await?;
    let ids: Vec<Uuid> = accounts.iter().map(|account| account.id.0).collect();
    inviting::invite(&mut work.tx, connection, in_force, &ids).await?;
    keeps_users(&mut work).await?;
    for (account, password) in accounts.iter().zip(passwords) {
        keep_password(&mut work, account, password.as_deref()).await?;
    }
    Ok((work, accounts))
}

/// From the first user that it writes SCIM keeps the connection's users, and sign-ins do not any more.
async fn keeps_users(work: &mut Work) -> Result<(), Error> {
    let directory = Arc::clone(&work.directory);
    let in_force = directory.role_policy();
    if in_force.scim_since.is_none() {
        provisioning::set_scim_live(&mut work.tx, directory.connection, in_force, true).await?;
    }
    Ok(())
}

/// Keeps the hash of a password, unless that was turned off while it was made.
async fn keep_password(work: &mut Work, account: &Account, hash: Option<&str>) -> Result<(), Error> {
    let hash = hash.filter(|_| work.password_sync);
    provisioning::set_password(&mut work.tx, account, hash).await
}

/// The account after a PUT.
pub async fn replaced(
    work: &mut Work,
    before: Account,
    put: UserDocument,
    password: Option<&str>,
) -> Result<Account, Error> {
    let document = UserDocument::from_stored(before.profile.document.clone()).replaced_by(put);
    changed(work, before, document, password).await
}

/// What a PATCH makes of the account's document.
pub fn patched(work: &Work, account: &Account, operations: &Patch) -> Result<Written, Error> {
    let before = UserDocument::from_stored(account.profile.document.clone());
    Ok(patch::apply_to_user(&before, operations, work.catalogue())?)
}

/// The account with that document.
pub async fn changed(
    work: &mut Work,
    before: Account,
    document: UserDocument,
    password: Option<&str>,
) -> Result<Account, Error> {
    let directory = Arc::clone(&work.directory);
    let rule = match directory.role_policy().heeds_groups() {
        true => store::roles::rule_of(&mut work.tx, before.id, &directory.role_policy().policy.rules).await?,
        false => None,
    };
    let wanted = demanded(work, document)?;
    let place = Place::of(&mut work.tx, &before, wanted.active).await?;
    let plan = rules::update(&before, wanted, Roles { waits: place.waits, ..roles_of(&directory, rule) });
    let plan = roles::guarded(&mut work.tx, directory.role_policy(), &before, plan).await?;
    if plan.ends_sessions.is_some() {
        guard::leaves(&mut work.tx, &directory).await?;
    }
    let index_before = index(work, &before.profile.document);
    let was_active = before.profile.active;
    let account = provisioning::carry_out(&mut work.tx, before, plan).await?;
    place.taken(&mut work.tx).await?;
    inviting::follow(&mut work.tx, directory.role_policy(), was_active, &account).await?;
    let index = index(work, &account.profile.document);
    provisioning::reindex(&mut work.tx, &account, &index_before, &index).await?;
    keep_password(work, &account, password).await?;
    keeps_users(work).await?;
    Ok(account)
}

fn roles_of(directory: &Directory, rule: Option<usize>) -> Roles<'_> {
    let InForce { catalogue, policy, .. } = directory.role_policy();
    Roles { catalogue, policy, rule, waits: None }
}

/// The rows by which the account is found.
fn index(directory: &Directory, document: &Value) -> Vec<AttributeRow> {
    rows(search::index(document, directory.catalogue().user()))
}

/// The protocol's rows in the store's words.
pub fn rows(index: Vec<search::IndexRow>) -> Vec<AttributeRow> {
    let row = |search::IndexRow { path, item, value_key, long_key, type_key, primary }| AttributeRow {
        path,
        item,
        value_key,
        long_key,
        type_key,
        is_primary: primary,
    };
    index.into_iter().map(row).collect()
}

/// The same where it has to be as the connection demands it; who goes out may be as they are.
pub fn demanded(directory: &Directory, document: UserDocument) -> Result<Wanted, Error> {
    let wanted = wanted(document)?;
    if wanted.active {
        directory.role_policy().profiles.check(&wanted.document)?;
    }
    Ok(wanted)
}

/// What the document asks for, in the words of the rules.
pub fn wanted(document: UserDocument) -> Result<Wanted, Error> {
    let user_name = UserName::parse(document.user_name())?;
    // An address that is not one is kept in the document and identifies nobody.
    let email = Email::parse(document.email().unwrap_or(user_name.as_str())).ok();
    Ok(Wanted {
        email,
        external_id: document.external_id().map(str::to_owned),
        display_name: document.display_name(),
        // RFC 7643 4.1.1 leaves the default open; an assigned user is active.
        active: document.active().unwrap_or(true),
        roles: document.roles(),
        document: document.into_value(),
        user_name,
        signed_in: None,
    })
}

/// Users as a client asked to see them, with the groups that they are in.
pub fn show(work: &Work, accounts: &[Account], memberships: &[Membership], projection: &Projection) -> Vec<Value> {
    let shown = accounts.iter().map(|account| {
        let groups = groups_of(work, account, memberships);
        render(work, account, &groups, &meta(work, account, &groups), projection)
    });
    shown.collect()
}

/// Which groups accounts are in, unless nobody asked.
pub async fn memberships(
    work: &mut Work,
    accounts: &[Account],
    projection: &Projection,
) -> Result<Vec<Membership>, Error> {
    if accounts.is_empty() || projection.excludes("groups") {
        return Ok(Vec::new());
    }
    let ids: Vec<Uuid> = accounts.iter().map(|account| account.id.0).collect();
    Ok(members::of_accounts(&mut work.tx, &ids).await?)
}

/// An account's groups, among those of others in the order of accounts.
fn groups_of(work: &Work, account: &Account, memberships: &[Membership]) -> Vec<GroupRef> {
    let start = memberships.partition_point(|membership| membership.account < account.id);
    let run = memberships[start..].iter().take_while(|membership| membership.account == account.id);
    run.map(|membership| group_ref(work, membership)).collect()
}

fn group_ref(work: &Work, membership: &Membership) -> GroupRef {
    GroupRef {
        value: membership.group.to_string(),
        display: membership.display_name.clone(),
        direct: membership.direct,
        location: format!("{}/Groups/{}", work.base_url, membership.group),
    }
}

async fn show_one(work: &mut Work, account: &Account, projection: &Projection) -> Result<(Value, Meta), Error> {
    let memberships = memberships(work, std::slice::from_ref(account), projection).await?;
    let groups = groups_of(work, account, &memberships);
    let meta = meta(work, account, &groups);
    Ok((render(work, account, &groups, &meta, projection), meta))
}

fn render(
    directory: &Directory,
    account: &Account,
    groups: &[GroupRef],
    meta: &Meta,
    projection: &Projection,
) -> Value {
    let whole = user::render(&account.id.to_string(), &account.profile.document, groups, meta);
    projection.apply(whole, directory.catalogue().user())
}

/// Where the account is, and since when.
fn meta(directory: &Directory, account: &Account, groups: &[GroupRef]) -> Meta {
    Meta {
        created: account.created_at,
        last_modified: account.updated_at,
        version: account.version,
        computed: user::fingerprint(groups),
        location: format!("{}/Users/{}", directory.base_url, account.id),
    }
}

/// The same of an account whose groups are not at hand.
pub async fn meta_of(work: &mut Work, account: &Account) -> Result<Meta, Error> {
    Ok(show_one(work, account, &Projection::default()).await?.1)
}

async fn respond(mut call: ScimCall, account: Account) -> ScimResult {
    let projection = Projection::parse(&call.query);
    let (shown, meta) = show_one(&mut call, &account, &projection).await?;
    call.work.tx.commit().await?;
    Ok(answer::resource(StatusCode::OK, &shown, &meta))
}

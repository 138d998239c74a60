//! Many changes in one request (RFC 7644 3.7): each is a transaction of its own, so one that fails undoes no other.

use super::{
    ScimResult,
    call::{BULK_OPERATIONS, Directory, ScimCall, TRIES, Work, read_id},
    conditions::check_current,
    creation::Creation,
    groups, password, users,
};
use crate::{
    error::{Error, ScimFailure, ScimOutcome, scim_json},
    failures::{self, Refused, wish::Wish},
};
use ::scim::{
    bulk::{self, Bulk, Done, Method, Operation, Resource},
    error::{ScimError, quote},
    group::{self, GroupDocument},
    patch::Patch,
    user::{Meta, Password, UserDocument, Written},
};
use anyhow::Context;
use axum::http::StatusCode;
use domain::{
    account::Account,
    ids::{AccountId, GroupId},
};
use serde_json::{Value, json};
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Instant,
};
use store::groups::Group;
use uuid::Uuid;

/// `POST /Bulk`
pub async fn post(call: ScimCall) -> ScimResult {
    let bulk = Bulk::parse(&call.body, &bulk::Limits { operations: BULK_OPERATIONS })?;
    call.app.limits.admit_scim_operations(call.tx.tenant(), bulk.operations.len())?;
    let run = Run::new(&call, &bulk);
    // Nothing that goes wrong from here on may keep the client from learning what was done.
    let (_, large) = call.end().await?;
    let (answer, first_error) = run.all(bulk).await;
    drop(large);
    let mut response = scim_json(StatusCode::OK, &answer);
    if let Some(error) = first_error {
        response.extensions_mut().insert(ScimOutcome::of(&error));
    }
    Ok(response)
}

/// A bulk request that runs.
struct Run {
    directory: Arc<Directory>,
    /// The ids of resources that POSTs create, given before anything runs.
    ids: HashMap<String, Uuid>,
    /// POSTs that have not run yet, by bulkId.
    to_come: HashSet<String>,
    /// POSTs that failed.
    failed: HashSet<String>,
    /// What resources were created without, because it did not exist yet: they name each other.
    later: Vec<Later>,
    /// What the log shows of a request of which a part failed.
    first_error: Option<ScimError>,
    started: Instant,
}

/// The references that a resource still has to get.
struct Later {
    /// The operation that created it.
    index: usize,
    target: Uuid,
    work: bulk::Work,
}

/// What a successful operation says in the answer.
struct Success {
    status: u16,
    meta: Option<Meta>,
}

impl Run {
    fn new(call: &ScimCall, bulk: &Bulk) -> Self {
        let posts = bulk.operations.iter().filter(|operation| operation.method == Method::Post);
        let names = || posts.clone().filter_map(|operation| operation.bulk_id.clone());
        Self {
            directory: Arc::clone(&call.directory),
            ids: names().map(|name| (name, call.tx.new_id())).collect(),
            to_come: names().collect(),
            failed: HashSet::new(),
            later: Vec::new(),
            first_error: None,
            started: Instant::now(),
        }
    }

    async fn all(mut self, bulk: Bulk) -> (Value, Option<ScimError>) {
        let order = bulk.order();
        let mut done: Vec<Option<Done>> = bulk.operations.iter().map(|_| None).collect();
        let mut operations: Vec<Option<Operation>> = bulk.operations.into_iter().map(Some).collect();
        let mut errors = 0;
        for index in order {
            let Some(operation) = operations[index].take() else { continue };
            let outcome = self.one(index, operation).await;
            errors += usize::from(outcome.status >= 400);
            done[index] = Some(outcome);
            // Before what comes next, which may be about the same resources.
            self.join(&mut done, false).await;
            if bulk.fail_on_errors.is_some_and(|limit| errors >= limit) {
                break;
            }
        }
        self.join(&mut done, true).await;
        (bulk::response(done.into_iter().flatten().collect()), self.first_error)
    }

    async fn one(&mut self, index: usize, operation: Operation) -> Done {
        let Operation { method, bulk_id, version, outcome_of_reading } = operation;
        let named = outcome_of_reading.as_ref().ok().and_then(|work| self.location(work));
        let outcome = match outcome_of_reading {
            Ok(work) => self.noted(index, &method, bulk_id.as_deref(), version.as_deref(), work).await,
            Err(error) => Err(error),
        };
        if let (Method::Post, Some(id)) = (&method, &bulk_id) {
            self.to_come.remove(id);
            if outcome.is_err() {
                self.failed.insert(id.clone());
            }
        }
        let (status, meta, response) = match outcome {
            Ok(Success { status, meta }) => (status, meta, None),
            Err(error) => {
                let response = error.to_json();
                let status = error.status;
                self.note(index, bulk_id.as_deref(), error);
                (status, None, Some(response))
            }
        };
        let version = meta.as_ref().map(Meta::etag);
        let method = method.as_str().to_owned();
        Done { method, bulk_id, version, location: meta.map(|meta| meta.location).or(named), status, response }
    }

    /// The address that the operation names; a POST names none (RFC 7644 3.7).
    fn location(&self, work: &bulk::Work) -> Option<String> {
        // A path may name what the request itself creates: `/Users/bulkId:x`. No id has a colon.
        let id = match work.id.as_deref()?.split_once(':') {
            Some((_, created)) => self.ids.get(created)?.to_string(),
            None => work.id.clone()?,
        };
        let endpoint = match work.resource {
            Resource::User => "Users",
            Resource::Group => "Groups",
        };
        Some(format!("{}/{endpoint}/{id}", self.directory.base_url))
    }

    /// Keeps the first error for the log, and says which operation it is about.
    fn note(&mut self, index: usize, bulk_id: Option<&str>, mut error: ScimError) {
        if self.first_error.is_none() {
            let named = bulk_id.map(|id| format!(" (bulkId {})", quote(id))).unwrap_or_default();
            error.detail = format!("Operation {}{named}: {}", index + 1, error.detail);
            self.first_error = Some(error);
        }
    }

    /// Runs an operation, and notes what becomes of the wish that it is.
    async fn noted(
        &mut self,
        index: usize,
        method: &Method,
        bulk_id: Option<&str>,
        version: Option<&str>,
        mut work: bulk::Work,
    ) -> Result<Success, ScimError> {
        self.check_time()?;
        let is_to_come = |id: &str| self.to_come.contains(id);
        let left_out = work.left_out(&is_to_come);
        work.leave_out(&is_to_come);
        let known = |id: &str| self.ids.get(id).filter(|_| !self.failed.contains(id)).map(Uuid::to_string);
        work.resolve(&known)?;
        let wish = Wish::of_bulk(method, &work);
        let outcome = self.run(index, method, (bulk_id, version), (work, left_out)).await;
        if let Some(wish) = &wish {
            let Directory { proof, trace, .. } = &*self.directory;
            let refused = outcome.as_ref().err().map(Refused::from);
            let may_end = trace.may_end_failures();
            failures::note(&proof.app, (proof.tenant, proof.connection), wish, refused.as_ref(), may_end).await;
        }
        outcome
    }

    async fn run(
        &mut self,
        index: usize,
        method: &Method,
        (bulk_id, version): (Option<&str>, Option<&str>),
        (work, left_out): (bulk::Work, Option<Value>),
    ) -> Result<Success, ScimError> {
        let target = match (method, &work.id, bulk_id) {
            (Method::Post, _, Some(id)) => self.ids.get(id).copied(),
            (_, Some(id), _) => read_id(id),
            _ => None,
        };
        let target = target.ok_or(Error::NotFound).map_err(told)?;
        let change = Change { directory: &self.directory, method, target, version };
        let success = change.carried_out(work.resource, &work.data).await.map_err(told)?;
        if let Some(data) = left_out {
            let work = bulk::Work { resource: work.resource, id: None, data };
            self.later.push(Later { index, target, work });
        }
        Ok(success)
    }

    /// Gives resources the references that they were created without, as soon as all that they name is there; at the
    /// end, those to what is there.
    async fn join(&mut self, done: &mut [Option<Done>], at_end: bool) {
        let (ready, later) = std::mem::take(&mut self.later).into_iter().partition(|later: &Later| {
            at_end || !later.work.references().into_iter().any(|id| self.to_come.contains(id))
        });
        self.later = later;
        for Later { index, target, mut work } in ready {
            work.leave_out(&|id| self.failed.contains(id) || self.to_come.contains(id));
            let Some(done) = done[index].as_mut().filter(|_| !work.references().is_empty()) else { continue };
            match self.joined(target, work).await {
                Ok(meta) => done.version = meta.map(|meta| meta.etag()),
                Err(error) => {
                    let detail = format!(
                        "The resource was created, but not what it refers to in this request: {} Send that by PATCH.",
                        error.detail
                    );
                    let error = ScimError { detail, ..error };
                    (done.status, done.response) = (error.status, Some(error.to_json()));
                    let bulk_id = done.bulk_id.clone();
                    self.note(index, bulk_id.as_deref(), error);
                }
            }
        }
    }

    /// Leaves enough of the request's time to answer.
    fn check_time(&self) -> Result<(), ScimError> {
        if self.started.elapsed() <= self.directory.app.config.server.request_timeout * 2 / 3 {
            return Ok(());
        }
        let detail = "There was no time left for this operation. Send it again with fewer others.".to_owned();
        Err(ScimError { status: 503, scim_type: None, detail })
    }

    async fn joined(&self, target: Uuid, mut work: bulk::Work) -> Result<Option<Meta>, ScimError> {
        self.check_time()?;
        work.resolve(&|id| self.ids.get(id).map(Uuid::to_string))?;
        // Adding them leaves alone what others changed meanwhile.
        let data = json!({ "Operations": [{ "op": "add", "value": work.data }] });
        let change = Change { directory: &self.directory, method: &Method::Patch, target, version: None };
        Ok(change.carried_out(work.resource, &data).await.map_err(told)?.meta)
    }
}

/// One operation in its own transaction.
struct Change<'r> {
    directory: &'r Arc<Directory>,
    method: &'r Method,
    target: Uuid,
    version: Option<&'r str>,
}

impl Change<'_> {
    /// Tries again what got in the way of another request.
    async fn carried_out(&self, resource: Resource, data: &Value) -> Result<Success, Error> {
        let mut tries = 1;
        loop {
            let outcome = match resource {
                Resource::User => self.user(data.clone()).await,
                Resource::Group => self.group(data.clone()).await,
            };
            match outcome {
                Err(error) if error.is_collision() && tries < TRIES => tries += 1,
                outcome => return outcome,
            }
        }
    }

    async fn user(&self, data: Value) -> Result<Success, Error> {
        match self.method {
            Method::Post | Method::Put => {
                let Written { document, password } = UserDocument::read(data, self.directory.catalogue())?;
                self.write_user(document, password).await
            }
            Method::Patch => self.patch_user(&Patch::read(data)?).await,
            _ => {
                let (mut work, account) = self.locked_user().await?;
                users::removed(&mut work, account).await?;
                work.tx.commit().await?;
                Ok(Success { status: 204, meta: None })
            }
        }
    }

    async fn write_user(&self, document: UserDocument, password: Option<Password>) -> Result<Success, Error> {
        let known = (*self.method != Method::Post).then_some(AccountId(self.target));
        let hash = password::kept(self.directory, known, password.as_ref()).await?;
        if known.is_none() {
            let (directory, wanted) = (Arc::clone(self.directory), users::demanded(self.directory, document)?);
            let creation = Creation { directory, id: Some(AccountId(self.target)), wanted, password: hash };
            let (work, accounts) = users::created(vec![creation]).await?;
            return user_written(work, accounts.first().context("a created user is there")?, 201).await;
        }
        let (mut work, account) = self.locked_user().await?;
        let account = users::replaced(&mut work, account, document, hash.as_deref()).await?;
        user_written(work, &account, 200).await
    }

    async fn patch_user(&self, operations: &Patch) -> Result<Success, Error> {
        let (mut work, mut account) = self.locked_user().await?;
        let mut written = users::patched(&work, &account, operations)?;
        let mut hash = None;
        if password::wanted(self.directory, written.password.as_ref()).is_some() {
            // No transaction is open while it is hashed, and no place is taken, so somebody may change the account.
            work.close().await?;
            hash = password::kept(self.directory, Some(account.id), written.password.as_ref()).await?;
            (work, account) = self.locked_user().await?;
            written = users::patched(&work, &account, operations)?;
        }
        let account = users::changed(&mut work, account, written.document, hash.as_deref()).await?;
        user_written(work, &account, 200).await
    }

    async fn locked_user(&self) -> Result<(Work, Account), Error> {
        let mut work = self.directory.open().await?;
        if *self.method == Method::Delete {
            users::lock_around(&mut work, self.target).await?;
        }
        let account = users::locked(&mut work, self.target).await?;
        check_current(self.version, account.version)?;
        Ok((work, account))
    }

    async fn group(&self, data: Value) -> Result<Success, Error> {
        let changes = match self.method {
            Method::Post => {
                let document = GroupDocument::read(data)?;
                let mut work = self.directory.open().await?;
                let group = groups::created(&mut work, GroupId(self.target), document).await?;
                return group_written(work, &group, 201).await;
            }
            Method::Put => groups::replacement(GroupDocument::read(data)?),
            Method::Patch => group::changes(&Patch::read(data)?)?,
            _ => Vec::new(),
        };
        let mut work = self.directory.open().await?;
        if *self.method == Method::Delete {
            users::lock_around(&mut work, self.target).await?;
        }
        let before = groups::locked(&mut work, self.target).await?;
        check_current(self.version, before.version)?;
        if *self.method == Method::Delete {
            groups::deleted(&mut work, &before).await?;
            work.tx.commit().await?;
            return Ok(Success { status: 204, meta: None });
        }
        let group = groups::changed(&mut work, before, &changes).await?;
        group_written(work, &group, 200).await
    }
}

/// Does what was refused once; what is created gets the id `target`.
///
/// # Errors
/// Why it is refused again.
pub async fn again(
    directory: &Arc<Directory>,
    method: &Method,
    (resource, target): (Resource, Uuid),
    data: &Value,
) -> Result<(), Error> {
    let change = Change { directory, method, target, version: None };
    change.carried_out(resource, data).await.map(drop)
}

async fn user_written(mut work: Work, account: &Account, status: u16) -> Result<Success, Error> {
    let meta = users::meta_of(&mut work, account).await?;
    work.tx.commit().await?;
    Ok(Success { status, meta: Some(meta) })
}

async fn group_written(work: Work, group: &Group, status: u16) -> Result<Success, Error> {
    let meta = groups::meta(&work, group);
    work.tx.commit().await?;
    Ok(Success { status, meta: Some(meta) })
}

fn told(error: Error) -> ScimError {
    ScimFailure::from(error).told()
}

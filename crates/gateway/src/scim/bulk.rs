//! Many changes in one request (RFC 7644 3.7): each is a transaction of its own, so one that fails undoes no other.

use super::{
    ScimResult,
    call::{BULK_OPERATIONS, Directory, ScimCall, TRIES, Work},
    groups, password, users,
};
use crate::{
    error::{Error, ScimFailure, ScimOutcome, scim_json},
    provisioning,
};
use ::scim::{
    bulk::{self, Bulk, Done, Method, Operation, Resource},
    error::ScimError,
    etag,
    group::{self, GroupDocument},
    patch::Patch,
    user::{Meta, Password, UserDocument, Written},
};
use axum::http::StatusCode;
use domain::{
    account::Account,
    ids::{AccountId, GroupId},
    provisioning as rules,
};
use serde_json::Value;
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
    let (call, (answer, first_error)) = call.without_transaction(run.all(bulk)).await?;
    call.work.tx.rollback().await?;
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
    /// Resources that were created without what did not exist yet, with their whole data: they name each other.
    later: Vec<(Uuid, bulk::Work)>,
    /// What the log shows of a request of which a part failed.
    first_error: Option<ScimError>,
    started: Instant,
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
            let outcome = self.one(operation).await;
            errors += usize::from(outcome.status >= 400);
            done[index] = Some(outcome);
            if bulk.fail_on_errors.is_some_and(|limit| errors >= limit) {
                break;
            }
        }
        let mut done: Vec<Done> = done.into_iter().flatten().collect();
        for (location, version) in self.join_later().await {
            for done in done.iter_mut().filter(|done| done.location.as_ref() == Some(&location)) {
                done.version = Some(version.clone());
            }
        }
        (bulk::response(done), self.first_error)
    }

    async fn one(&mut self, operation: Operation) -> Done {
        let Operation { method, bulk_id, version, outcome_of_reading } = operation;
        let named = outcome_of_reading.as_ref().ok().and_then(|work| self.location(work));
        let outcome = match outcome_of_reading {
            Ok(work) => self.run(&method, bulk_id.as_deref(), version.as_deref(), work).await,
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
                self.first_error.get_or_insert(error);
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

    async fn run(
        &mut self,
        method: &Method,
        bulk_id: Option<&str>,
        version: Option<&str>,
        mut work: bulk::Work,
    ) -> Result<Success, ScimError> {
        if self.started.elapsed() > self.directory.app.config.server.request_timeout * 2 / 3 {
            return Err(ScimError {
                status: 503,
                scim_type: None,
                detail: "There was no time left for this operation. Send it again with fewer others.".to_owned(),
            });
        }
        let is_to_come = |id: &str| self.to_come.contains(id);
        let whole = work.references().into_iter().any(is_to_come).then(|| work.clone());
        work.leave_out(&is_to_come);
        let known = |id: &str| self.ids.get(id).filter(|_| !self.failed.contains(id)).map(Uuid::to_string);
        work.resolve(&known)?;
        let target = match (method, &work.id, bulk_id) {
            (Method::Post, _, Some(id)) => self.ids.get(id).copied(),
            (_, Some(id), _) => Uuid::try_parse(id).ok(),
            _ => None,
        };
        let target = target.ok_or(Error::NotFound).map_err(told)?;
        let change = Change { directory: &self.directory, method, target, version };
        let success = change.carried_out(work.resource, &work.data).await.map_err(told)?;
        self.later.extend(whole.map(|whole| (target, whole)));
        Ok(success)
    }

    /// Completes what was created before what it names; answers where the resources are and their new versions.
    async fn join_later(&mut self) -> Vec<(String, String)> {
        let mut all = Vec::new();
        for (target, mut work) in std::mem::take(&mut self.later) {
            work.leave_out(&|id| self.failed.contains(id) || self.to_come.contains(id));
            let known = |id: &str| self.ids.get(id).map(Uuid::to_string);
            if work.resolve(&known).is_err() {
                continue;
            }
            let change = Change { directory: &self.directory, method: &Method::Put, target, version: None };
            match change.carried_out(work.resource, &work.data).await {
                Ok(Success { meta: Some(meta), .. }) => all.push((meta.location.clone(), meta.etag())),
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(resource.id = %target, error = %error, "What a bulk request names in a circle was not completed");
                }
            }
        }
        all
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
                provisioning::carry_out(&mut work.tx, account, rules::delete()).await?;
                work.tx.commit().await?;
                Ok(Success { status: 204, meta: None })
            }
        }
    }

    async fn write_user(&self, document: UserDocument, password: Option<Password>) -> Result<Success, Error> {
        let hash = self.hash(password.as_ref()).await?;
        if *self.method == Method::Post {
            let mut work = self.directory.open().await?;
            let account = users::created(&mut work, AccountId(self.target), document, hash.as_deref()).await?;
            return user_written(work, &account, 201).await;
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
            // No transaction is open while it is hashed, so somebody may change the account.
            work.tx.rollback().await?;
            hash = self.hash(written.password.as_ref()).await?;
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
        check_version(self.version, account.version)?;
        Ok((work, account))
    }

    async fn hash(&self, password: Option<&Password>) -> Result<Option<String>, Error> {
        match password::wanted(self.directory, password) {
            Some(password) => Ok(Some(password::hash(self.directory, password).await?)),
            None => Ok(None),
        }
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
        check_version(self.version, before.version)?;
        if *self.method == Method::Delete {
            groups::deleted(&mut work, &before).await?;
            work.tx.commit().await?;
            return Ok(Success { status: 204, meta: None });
        }
        let group = groups::changed(&mut work, before, &changes).await?;
        group_written(work, &group, 200).await
    }
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

fn check_version(expected: Option<&str>, version: i64) -> Result<(), ScimError> {
    match expected {
        Some(expected) if !etag::is_current(expected, version) => Err(ScimError::precondition_failed(
            "The resource changed since it was read. Read it again and repeat the change.",
        )),
        _ => Ok(()),
    }
}

fn told(error: Error) -> ScimError {
    ScimFailure::from(error).told()
}

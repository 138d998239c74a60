//! Many changes in one request (RFC 7644 3.7): each is a transaction of its own, so one that fails undoes no other.

use super::{
    ScimResult,
    call::{BULK_OPERATIONS, Directory, ScimCall},
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
    group::{self, GroupChange, GroupDocument, MemberRef},
    patch::Patch,
    user::{Meta, UserDocument},
};
use axum::http::StatusCode;
use domain::{
    ids::{AccountId, GroupId},
    provisioning as rules,
};
use serde_json::Value;
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Instant,
};
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
    /// Members of groups that did not exist when the group was created: groups that name each other.
    later: Vec<(Uuid, Vec<MemberRef>)>,
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
        let later: Vec<String> =
            work.references().into_iter().filter(|id| self.to_come.contains(*id)).map(str::to_owned).collect();
        let known = |id: &str| self.ids.get(id).filter(|_| !self.failed.contains(id)).map(Uuid::to_string);
        work.resolve(&known)?;
        let target = match (method, &work.id, bulk_id) {
            (Method::Post, _, Some(id)) => self.ids.get(id).copied(),
            (_, Some(id), _) => Uuid::try_parse(id).ok(),
            _ => None,
        };
        let target = target.ok_or(Error::NotFound).map_err(told)?;
        let waiting: HashSet<Uuid> = later.iter().filter_map(|id| self.ids.get(id).copied()).collect();
        let change = Change { directory: &self.directory, method, target, version, data: work.data };
        match work.resource {
            Resource::User => change.user().await.map_err(told),
            Resource::Group => {
                let (success, later) = change.group(&waiting).await.map_err(told)?;
                if !later.is_empty() {
                    self.later.push((target, later));
                }
                Ok(success)
            }
        }
    }

    /// Adds the members that came into being after their groups; answers where the groups are and their new versions.
    async fn join_later(&mut self) -> Vec<(String, String)> {
        let mut all = Vec::new();
        for (group, members) in std::mem::take(&mut self.later) {
            let joined = async {
                let mut work = self.directory.open().await?;
                let before = groups::locked(&mut work, group).await?;
                let group = groups::changed(&mut work, before, &[GroupChange::AddMembers(members)]).await?;
                let meta = groups::meta(&work, &group);
                work.tx.commit().await?;
                Ok::<_, Error>((meta.etag(), meta.location))
            };
            match joined.await {
                Ok((version, location)) => all.push((location, version)),
                Err(error) => {
                    tracing::warn!(group.id = %group, error = %error, "Groups of a bulk request that name each other were not joined");
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
    data: Value,
}

impl Change<'_> {
    async fn user(self) -> Result<Success, Error> {
        let Self { directory, method, target, version, data } = self;
        let catalogue = directory.catalogue();
        let mut operations = None;
        let written = match method {
            Method::Post | Method::Put => Some(UserDocument::read(data, catalogue)?),
            Method::Patch => {
                operations = Some(Patch::read(data)?);
                None
            }
            _ => None,
        };
        let mut password = written.as_ref().and_then(|written| written.password.clone());
        if let Some(operations) = &operations
            && directory.password_sync
        {
            let mut work = directory.open().await?;
            let account = users::locked(&mut work, target).await?;
            password = users::patched(&work, &account, operations)?.password;
            work.tx.rollback().await?;
        }
        let hash = match password::wanted(directory, password.as_ref()) {
            Some(password) => Some(password::hash(directory, password).await?),
            None => None,
        };
        let mut work = directory.open().await?;
        let document = written.map(|written| written.document);
        let account = match (method, document) {
            (Method::Post, Some(document)) => {
                let account = users::created(&mut work, AccountId(target), document, hash.as_deref()).await?;
                let meta = users::meta(&work, &account);
                work.tx.commit().await?;
                return Ok(Success { status: 201, meta: Some(meta) });
            }
            (method, document) => {
                let account = users::locked(&mut work, target).await?;
                check_version(version, account.version)?;
                match (method, document, &operations) {
                    (Method::Put, Some(put), _) => users::replaced(&mut work, account, put, hash.as_deref()).await?,
                    (_, _, Some(operations)) => {
                        let document = users::patched(&work, &account, operations)?.document;
                        users::changed(&mut work, account, document, hash.as_deref()).await?
                    }
                    _ => {
                        provisioning::carry_out(&mut work.tx, account, rules::delete()).await?;
                        work.tx.commit().await?;
                        return Ok(Success { status: 204, meta: None });
                    }
                }
            }
        };
        let meta = users::meta(&work, &account);
        work.tx.commit().await?;
        Ok(Success { status: 200, meta: Some(meta) })
    }

    /// Answers the members that are still to come as well.
    async fn group(self, waiting: &HashSet<Uuid>) -> Result<(Success, Vec<MemberRef>), Error> {
        let Self { directory, method, target, version, data } = self;
        let is_waiting = |member: &MemberRef| Uuid::try_parse(&member.value).is_ok_and(|id| waiting.contains(&id));
        let mut later = Vec::new();
        let document = match method {
            Method::Post | Method::Put => {
                let mut document = GroupDocument::read(data.clone())?;
                if let Some(members) = &mut document.members {
                    later = members.extract_if(.., |member| is_waiting(member)).collect();
                }
                Some(document)
            }
            _ => None,
        };
        let changes = match (method, document) {
            (Method::Post, Some(document)) => {
                let mut work = directory.open().await?;
                let group = groups::created(&mut work, GroupId(target), document).await?;
                let meta = groups::meta(&work, &group);
                work.tx.commit().await?;
                return Ok((Success { status: 201, meta: Some(meta) }, later));
            }
            (_, Some(document)) => groups::replacement(document),
            (Method::Patch, None) => group::changes(&Patch::read(data)?)?,
            _ => Vec::new(),
        };
        let mut work = directory.open().await?;
        let before = groups::locked(&mut work, target).await?;
        check_version(version, before.version)?;
        if *method == Method::Delete {
            groups::deleted(&mut work, &before).await?;
            work.tx.commit().await?;
            return Ok((Success { status: 204, meta: None }, later));
        }
        let group = groups::changed(&mut work, before, &changes).await?;
        let meta = groups::meta(&work, &group);
        work.tx.commit().await?;
        Ok((Success { status: 200, meta: Some(meta) }, later))
    }
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

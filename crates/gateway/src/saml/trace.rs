//! What becomes of each attempt to sign in or out, for the IT admin: written behind the requests.

use super::identity::{Identity, Mapped};
use crate::{
    app::Inner,
    error::{Error, PageFailure},
    extract::Client,
    journal::Entry,
    limits::Limits,
};
use ::saml::{code::Rejection, request, trace::Kept};
use domain::ids::{ConnectionId, TenantId};
use serde_json::{Map, Value, json};
use store::{
    journal::Edge,
    sign_in_steps::{self, Step},
    tenant::TenantTx,
};
use time::OffsetDateTime;

/// Stands for the code of a step that succeeded.
const OK: &str = "ok";

impl Entry for Step {
    const DROPPED: &'static str = "gatehouse_saml_log_dropped_total";

    fn connection(&self) -> ConnectionId {
        self.connection
    }

    async fn note(_: &mut TenantTx, _: &[Self]) -> store::error::Result<()> {
        Ok(())
    }

    async fn append(tx: &mut TenantTx, batch: &[Self]) -> store::error::Result<()> {
        sign_in_steps::append(tx, batch).await
    }

    async fn trim(
        tx: &mut TenantTx,
        connection: ConnectionId,
        keep: i64,
        last: Option<Edge>,
    ) -> store::error::Result<Option<Edge>> {
        sign_in_steps::trim(tx, connection, keep, last).await
    }
}

/// Where steps of one request are told.
pub struct Trace<'a> {
    pub app: &'a Inner,
    pub tenant: TenantId,
    pub connection: ConnectionId,
    pub client: &'a Client,
    pub at: OffsetDateTime,
}

impl Trace<'_> {
    /// A step that succeeded, with the message that was sent or came.
    pub fn done(&self, attempt: &str, step: &str, message: Option<String>, understood: Option<Value>) {
        let step = Step { message, understood, ..self.step(attempt, step, OK) };
        self.app.steps.record(self.tenant, step);
    }

    /// A message that was refused. What no signature proves may be anybody's, so only some of it is kept.
    /// And whoever has got hold of one answer can send it all day.
    pub fn refused(&self, rejection: &Rejection, message: Option<Kept>, reference: &str) {
        let limits = &self.app.limits;
        let is_logged = if rejection.is_proven { Limits::logs_refusal } else { Limits::logs_stranger };
        if !is_logged(limits, self.connection) {
            return;
        }
        let (message, attempt) = message.map_or((None, None), |kept| (Some(kept.xml), kept.in_response_to));
        // Of a stranger's own choice it would be anything, and of any length.
        let attempt = attempt.filter(|attempt| request::is_request_id(attempt)).unwrap_or_else(|| "-".to_owned());
        self.rejected(&attempt, rejection, message, reference);
    }

    /// What became of the last step.
    pub fn ended<T>(&self, attempt: &str, step: &str, outcome: &Result<T, PageFailure>) {
        let Err(PageFailure { error, reference, .. }) = outcome else { return self.done(attempt, step, None, None) };
        match error {
            Error::Saml(rejection) => self.rejected(attempt, rejection, None, reference),
            Error::Refusal(refusal) => {
                let step = self.step(attempt, "who the user is", refusal.code());
                self.app.steps.record(self.tenant, Step { reference: Some(reference.clone()), ..step });
            }
            // Ours to mend, and in the log of the process.
            _ => {}
        }
    }

    fn rejected(&self, attempt: &str, rejection: &Rejection, message: Option<String>, reference: &str) {
        let step = self.step(attempt, rejection.code.step(), rejection.code.id());
        let (expected, received) = (rejection.expected.clone(), rejection.received.clone());
        let reference = Some(reference.to_owned());
        self.app.steps.record(self.tenant, Step { expected, received, message, reference, ..step });
    }

    fn step(&self, attempt: &str, step: &str, code: &str) -> Step {
        Step {
            connection: self.connection,
            at: self.at,
            attempt: attempt.to_owned(),
            step: step.to_owned(),
            code: code.to_owned(),
            expected: None,
            received: None,
            message: None,
            understood: None,
            reference: None,
            address: self.client.address.clone(),
            agent: self.client.agent.clone(),
        }
    }
}

/// What was mapped from what: the values too while a test is on, and otherwise how many there were.
pub fn understood(identity: &Identity, contents: bool) -> Option<Value> {
    let Mapped { access_control, .. } = &identity.attributes;
    let mapped = serde_json::to_value(&identity.attributes).ok()?;
    if contents {
        return Some(mapped);
    }
    let count = |found: &Value| found["values"].as_array().map_or(0, Vec::len);
    let sources = mapped.as_object()?.iter().filter(|(name, _)| *name != "access_control");
    let mut told: Map<String, Value> =
        sources.map(|(name, found)| (name.clone(), json!({ "from": found["from"], "values": count(found) }))).collect();
    if !access_control.is_empty() {
        told.insert("access_control".to_owned(), json!(access_control.keys().collect::<Vec<_>>()));
    }
    Some(Value::Object(told))
}

//! The one way in which sessions end before their time, whoever wants that: a departure by SCIM, a logout, an operator, a
//! suspension, the identity provider's call to end everything of a user.
//!
//! With the commit they are dead on every gateway, because each use of a session or of anything that grew out of it looks
//! at the session's row. In the same transaction it is noted which applications are to be told, also of a session that another one
//! of the same browser replaced: a later departure would name only that one. [`crate::backchannel`] tells them.

use crate::{backchannel, error::Error};
use domain::{
    event::{Event, EventKind, Subject},
    ids::{ConnectionId, SessionId},
    provisioning::Rule,
    session::EndReason,
};
use metrics::{counter, histogram};
use serde_json::json;
use std::collections::BTreeMap;
use store::{
    events, logout_deliveries,
    sessions::{self, BATCH, EndedSession, Which},
    tenant::TenantTx,
};

/// How long it takes until somebody is out whom somebody else wants out, in seconds, from the beginning of the transaction:
/// `stage` is `gateway` (until it is committed) or `app` (until the application has confirmed it).
pub const SECONDS: &str = "gatehouse_deprovision_seconds";

/// Ends sessions, and says by which rule if one did it; answers which.
pub async fn end(
    tx: &mut TenantTx,
    which: Which<'_>,
    reason: EndReason,
    by: Option<Rule>,
) -> Result<Vec<EndedSession>, Error> {
    let mut all = Vec::new();
    loop {
        let batch = some(tx, which, reason, by).await?;
        let is_last = i64::try_from(batch.len()).unwrap_or(BATCH) < BATCH;
        all.extend(batch);
        if is_last {
            return Ok(all);
        }
    }
}

/// The same of so many at most as one statement ends.
pub async fn some(
    tx: &mut TenantTx,
    which: Which<'_>,
    reason: EndReason,
    by: Option<Rule>,
) -> Result<Vec<EndedSession>, Error> {
    let ended = sessions::end(tx, which, reason).await?;
    if ended.is_empty() {
        return Ok(ended);
    }
    tell(tx, &ended, reason, by).await?;
    let ids: Vec<SessionId> = ended.iter().map(|session| session.id).collect();
    let noted = logout_deliveries::note(tx, &ids, reason.is_taken_away()).await?;
    let (count, opened) = (u64::try_from(ids.len()).unwrap_or(0), tx.opened());
    tx.after_commit(move || {
        counter!("gatehouse_sessions_ended_total", "reason" => reason.as_str()).increment(count);
        if reason.is_taken_away() {
            histogram!(SECONDS, "stage" => "gateway").record(opened.elapsed().as_secs_f64());
        }
        if noted > 0 {
            backchannel::wake();
        }
    });
    Ok(ended)
}

async fn tell(tx: &mut TenantTx, ended: &[EndedSession], reason: EndReason, by: Option<Rule>) -> Result<(), Error> {
    let mut data = json!({ "reason": reason.as_str() });
    if let Some(rule) = by {
        data["rule"] = json!(rule.as_str());
    }
    let mut of: BTreeMap<ConnectionId, Vec<Event>> = BTreeMap::new();
    for session in ended {
        let event = Event::with(EventKind::SessionRevoked, Subject::Session(session.id), data.clone());
        of.entry(session.connection).or_default().push(event);
    }
    for (connection, revoked) in of {
        events::append(tx, Some(connection), &revoked).await?;
    }
    Ok(())
}

//! What an operator does with sessions: ends those of somebody, and keeps an organization from signing in.

use super::{operator, tell};
use crate::{error::Error, revocation};
use domain::{
    event::{Event, EventKind, Subject},
    ids::{ConnectionId, TenantId},
    refusal::Refusal,
    session::EndReason,
};
use serde_json::json;
use store::{
    connections, events,
    logouts::{self, Whose},
    sessions::{BATCH, Which},
    store::Store,
    tenants,
};
use time::OffsetDateTime;

/// Ends sessions, a batch in a transaction, and keeps out sign-ins that are on their way; answers how many.
///
/// # Errors
/// When the database cannot be used; those of earlier batches have ended.
pub async fn revoke(
    store: &Store,
    now: OffsetDateTime,
    tenant: TenantId,
    which: Which<'_>,
    reason: EndReason,
) -> Result<usize, Error> {
    let kept_out = match which {
        Which::User(user) => Some((None, Whose::User(user))),
        Which::Connection(connection) => Some((Some(connection), Whose::Everybody)),
        Which::Tenant => Some((None, Whose::Everybody)),
        _ => None,
    };
    if let Some((connection, whose)) = kept_out {
        let mut tx = operator(store, tenant, now).await?;
        logouts::lock_all(&mut tx, connection).await?;
        logouts::remember_end(&mut tx, connection, whose).await?;
        tx.commit().await?;
    }
    end(store, now, tenant, which, reason).await
}

async fn end(
    store: &Store,
    now: OffsetDateTime,
    tenant: TenantId,
    which: Which<'_>,
    reason: EndReason,
) -> Result<usize, Error> {
    let mut count = 0;
    loop {
        let mut tx = operator(store, tenant, now).await?;
        let batch = revocation::some(&mut tx, which, reason, None).await?.len();
        tx.commit().await?;
        count += batch;
        if i64::try_from(batch).unwrap_or(0) < BATCH {
            return Ok(count);
        }
    }
}

/// Whether somebody may sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    Suspended,
    Open,
}

async fn is_suspended(
    store: &Store,
    now: OffsetDateTime,
    tenant: TenantId,
    connection: Option<ConnectionId>,
) -> Result<bool, Error> {
    let mut tx = operator(store, tenant, now).await?;
    let since = match connection {
        Some(connection) => connections::by_id(&mut tx, connection).await?.ok_or(Error::NotFound)?.suspended_at,
        None => tenants::current(&mut tx).await?.ok_or(Error::NotFound)?.suspended_at,
    };
    tx.rollback().await?;
    Ok(since.is_some())
}

/// Keeps everybody of a tenant, or of one of its connections, from signing in, and ends their sessions; or lets them in
/// again. SCIM is heard all the same. Answers how many sessions ended.
///
/// # Errors
/// [`Error::NotFound`], or when the database cannot be used.
pub async fn suspend(
    store: &Store,
    now: OffsetDateTime,
    tenant: TenantId,
    connection: Option<ConnectionId>,
    entry: Entry,
) -> Result<usize, Error> {
    let which = connection.map_or(Which::Tenant, Which::Connection);
    if entry == Entry::Open && !is_suspended(store, now, tenant, connection).await? {
        return Ok(0);
    }
    // Who signed in while the door was being shut was kept out, but has a session that would live again.
    let early = match entry {
        Entry::Open => end(store, now, tenant, which, EndReason::Suspended).await?,
        Entry::Suspended => 0,
    };
    let mut tx = operator(store, tenant, now).await?;
    let suspends = entry == Entry::Suspended;
    match connection {
        Some(connection) => {
            let found = connections::by_id(&mut tx, connection).await?.ok_or(Error::NotFound)?;
            if found.in_shadow && !suspends {
                let problem = "the connection is in shadow; `gatehouse connection go-live` shows what happens when it goes live, and does it";
                return Err(Refusal::ChangeImpossible { problem: problem.to_owned() }.into());
            }
            if connections::suspend(&mut tx, connection, suspends).await? {
                let kind = if suspends { EventKind::ConnectionSuspended } else { EventKind::ConnectionResumed };
                let event = Event::new(kind, Subject::Connection(connection));
                events::append(&mut tx, Some(connection), &[event]).await?;
            }
        }
        None => {
            if tenants::suspend(&mut tx, suspends).await? {
                let kind = if suspends { EventKind::TenantSuspended } else { EventKind::TenantResumed };
                tell(&mut tx, kind, Subject::Tenant(tenant), json!({})).await?;
            }
        }
    }
    // From here on they are dead; what follows tells of each.
    tx.commit().await?;
    let late = match entry {
        Entry::Suspended => revoke(store, now, tenant, which, EndReason::Suspended).await?,
        Entry::Open => 0,
    };
    Ok(early + late)
}

//! Codes for when the identity provider cannot be asked: who has some, and new ones.

use super::{operator, tenant_of};
use crate::{break_glass::Printed, error::Error, password};
use anyhow::Context;
use domain::{
    event::{Event, EventKind, Subject},
    ids::{AccountId, ConnectionId},
    matching,
};
use serde_json::json;
use store::{accounts, break_glass, connections, events, store::Store, tenant::TenantTx};
use time::OffsetDateTime;

/// Codes that somebody has.
const CODES: usize = 8;

/// Codes, and what is stored of them.
pub struct Sheet {
    /// As they are printed.
    pub codes: Vec<String>,
    stored: Vec<(String, String)>,
}

impl Sheet {
    /// New codes. Hashing takes a moment, and threads of its own.
    ///
    /// # Errors
    /// When they cannot be hashed.
    pub async fn new() -> anyhow::Result<Self> {
        let made = tokio::task::spawn_blocking(|| {
            let printed: Vec<Printed> = (0..CODES).map(|_| Printed::new()).collect();
            let stored = printed.iter().map(|code| Ok((code.label.clone(), password::hash(code.secret.as_bytes())?)));
            let stored = stored.collect::<anyhow::Result<_>>()?;
            Ok(Self { codes: printed.iter().map(Printed::shown).collect(), stored })
        });
        made.await.context("codes are made")?
    }

    /// Gives them to an account, instead of those that it has.
    ///
    /// # Errors
    /// [`Error::NotFound`], or a refusal for an account that cannot sign in.
    pub async fn give(&self, tx: &mut TenantTx, connection: ConnectionId, account: AccountId) -> Result<(), Error> {
        connections::by_id(tx, connection).await?.ok_or(Error::NotFound)?;
        let found = accounts::for_update(tx, connection, account).await?.ok_or(Error::NotFound)?;
        matching::is_let_in(&found)?;
        break_glass::replace(tx, connection, account, &self.stored).await?;
        let data = json!({ "user_id": found.user_id, "account_id": account, "codes": self.stored.len() });
        let event = Event::with(EventKind::BreakGlassCreated, Subject::Connection(connection), data);
        Ok(events::append(tx, Some(connection), &[event]).await?)
    }
}

/// Makes codes for an account, instead of those that it has; answers them as they are printed, once.
///
/// # Errors
/// As [`Sheet::give`].
pub async fn create(
    store: &Store,
    now: OffsetDateTime,
    connection: ConnectionId,
    account: AccountId,
) -> Result<Vec<String>, Error> {
    let (tenant, sheet) = (tenant_of(store, now, connection).await?, Sheet::new().await?);
    let mut tx = operator(store, tenant, now).await?;
    sheet.give(&mut tx, connection, account).await?;
    tx.commit().await?;
    Ok(sheet.codes)
}

/// Ends all codes of an account; answers how many could still be used.
///
/// # Errors
/// [`Error::NotFound`] without such a connection.
pub async fn revoke(
    store: &Store,
    now: OffsetDateTime,
    connection: ConnectionId,
    account: AccountId,
) -> Result<u64, Error> {
    let mut tx = operator(store, tenant_of(store, now, connection).await?, now).await?;
    let ended = break_glass::revoke(&mut tx, account).await?;
    let data = json!({ "account_id": account, "codes": ended });
    let event = Event::with(EventKind::BreakGlassRevoked, Subject::Connection(connection), data);
    events::append(&mut tx, Some(connection), &[event]).await?;
    tx.commit().await?;
    Ok(ended)
}

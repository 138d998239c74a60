//! Deletes for good what nobody can bring back any more: connections that were removed 30 days ago, and accounts that have been out
//! for longer than their tenant wants. A little at a time; several processes may do it at once.

use crate::{
    app::App,
    error::{Error, chain},
    provisioning,
};
use domain::{
    event::{Event, EventKind, Subject},
    ids::{AccountId, ConnectionId, TenantId},
    provisioning::{self as rules, Rule},
};
use serde_json::json;
use std::time::Duration;
use store::{accounts, events, groups, removals, scope::Actor, tenant::TenantTx, tenants};
use tokio::time::{MissedTickBehavior, interval};
use tracing::{info, warn};
use uuid::Uuid;

/// How often a process looks.
const PERIOD: Duration = Duration::from_secs(600);

/// Connections that one round looks at, and tenants that it asks for at once.
const LOOKS: i64 = 100;

/// Accounts of a tenant that one round deletes at most.
const BATCH: i64 = 500;

/// Runs until dropped.
pub async fn run(app: App) {
    let mut ticks = interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Err(error) = round(&app).await {
            warn!(
                error = chain(&error),
                "It could not be asked what is to be deleted for good; the next round tries again"
            );
        }
    }
}

/// One round.
///
/// # Errors
/// When the database cannot be asked. What goes wrong with one connection or tenant is logged.
pub async fn round(app: &App) -> Result<(), Error> {
    let mut control = app.control(app.clock.now()).await?;
    let connections = removals::due(&mut control, LOOKS).await?;
    control.rollback().await?;
    for (tenant, connection) in connections {
        match purge(app, tenant, connection).await {
            Ok(()) | Err(Error::NotFound) => {}
            Err(error) => {
                warn!(%connection, error = chain(&error), "A removed connection could not be deleted; the next round tries again")
            }
        }
    }
    let mut after = TenantId(Uuid::nil());
    loop {
        let mut control = app.control(app.clock.now()).await?;
        let tenants = tenants::that_delete(&mut control, after, LOOKS).await?;
        control.rollback().await?;
        for (tenant, days) in &tenants {
            if let Err(error) = delete_old(app, *tenant, *days).await {
                warn!(tenant.id = %tenant, error = chain(&error), "Accounts that are out could not be deleted; the next round tries again");
            }
        }
        match tenants.last() {
            Some((last, _)) => after = *last,
            None => return Ok(()),
        }
    }
}

async fn purge(app: &App, tenant: TenantId, connection: ConnectionId) -> Result<(), Error> {
    loop {
        let mut tx = app.tenant(tenant, Actor::Gateway, app.clock.now()).await?;
        tx.plan_anew().await?;
        let removed = removals::for_update(&mut tx, connection).await?.ok_or(Error::NotFound)?;
        if removals::delete_accounts(&mut tx, connection, removed.fate.keeps_users()).await? > 0 {
            tx.commit().await?;
            continue;
        }
        removals::delete(&mut tx, connection).await?;
        let event = Event::with(EventKind::ConnectionDeleted, Subject::Connection(connection), json!({}));
        events::append(&mut tx, None, &[event]).await?;
        tx.commit().await?;
        info!(tenant.id = %tenant, %connection, "A connection that was removed 30 days ago is deleted");
        return Ok(());
    }
}

async fn delete_old(app: &App, tenant: TenantId, days: i32) -> Result<(), Error> {
    let now = app.clock.now();
    let before = now - time::Duration::days(i64::from(days));
    let mut tx = app.tenant(tenant, Actor::Gateway, now).await?;
    let old = accounts::out_since(&mut tx, before, BATCH).await?;
    tx.rollback().await?;
    for (connection, id) in old {
        let mut tx = app.tenant(tenant, Actor::Gateway, now).await?;
        match delete(&mut tx, connection, id, Rule::Retention).await {
            Ok(()) => tx.commit().await?,
            // Somebody brought it back meanwhile.
            Err(Error::NotFound) => tx.rollback().await?,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Deletes an account that is out, as a deletion by SCIM does.
///
/// # Errors
/// [`Error::NotFound`] where it is active, or not there.
pub async fn delete(tx: &mut TenantTx, connection: ConnectionId, id: AccountId, by: Rule) -> Result<(), Error> {
    groups::lock_around(tx, connection, id.0).await?;
    let account = accounts::for_update(tx, connection, id).await?.filter(|account| !account.profile.active);
    provisioning::carry_out(tx, account.ok_or(Error::NotFound)?, rules::delete(by)).await?;
    Ok(())
}

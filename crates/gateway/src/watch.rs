//! Looks at each connection once a day, and when one of its certificates comes nearer to its end: fetches the metadata
//! that were given by address, and tells of certificates.
//!
//! What is due stands in the database. Whoever looks puts it off first, so that of several processes one does it; if that
//! one dies, it is due again soon.

mod expiry;
mod metadata;

use crate::{
    app::App,
    config::Outbound,
    domains,
    error::{Error, chain},
    outbound::Version,
    roles, seats,
    setup::idp,
};
use domain::ids::{ConnectionId, TenantId};
use futures_util::{StreamExt, stream};
use store::{
    connections,
    scope::{Actor, Scope},
    store::Store,
    tenant::TenantTx,
    watches::{self, Watch},
};
use time::{Duration, OffsetDateTime};
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tracing::{error, warn};

/// How often a process asks what is due.
const PERIOD: std::time::Duration = std::time::Duration::from_secs(30);

/// How many connections it takes at a time, and how many of them it looks at at once.
const BATCH: i64 = 32;
const AT_ONCE: usize = 8;

/// How long it keeps a connection from others: longer than a batch takes at its slowest.
const LEASE: Duration = Duration::minutes(5);

/// When it looks again.
const DAILY: Duration = Duration::DAY;
const AFTER_A_PROBLEM: Duration = Duration::HOUR;

/// Runs until dropped. It begins a while after the start, when there is enough else to do.
pub async fn run(app: App) {
    // Neither waits for the other: strangers' servers take their time.
    tokio::join!(
        again_and_again(&app, Kind::Connections),
        again_and_again(&app, Kind::Domains),
        again_and_again(&app, Kind::Seats)
    );
}

/// What is looked at.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Connections,
    Domains,
    Seats,
}

async fn again_and_again(app: &App, kind: Kind) {
    let mut ticks = interval_at(Instant::now() + PERIOD, PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let done = match kind {
            Kind::Connections => round(app).await,
            Kind::Domains => domains::round(app).await,
            Kind::Seats => seats::round(app).await,
        };
        if let Err(error) = done {
            warn!(error = chain(&error), ?kind, "It could not be asked what to look at; the next round tries again");
        }
    }
}

/// Looks at everything that is due; answers how many connections that were.
///
/// # Errors
/// When the database cannot be asked. What goes wrong with one connection is logged.
pub async fn round(app: &App) -> Result<usize, Error> {
    let mut all = 0;
    loop {
        let mut tx = app.control(app.clock.now()).await?;
        let due = watches::take(&mut tx, BATCH, LEASE).await?;
        tx.commit().await?;
        if due.is_empty() {
            return Ok(all);
        }
        all += due.len();
        // Each in a task of its own: what makes one panic must not keep the others from being looked at.
        let looks = due.into_iter().map(|(tenant, connection)| {
            let look = tokio::spawn(look_for_round(app.clone(), tenant, connection));
            async move {
                if let Err(lost) = look.await {
                    error!(connection = %connection, error = %lost, "A connection could not be looked at");
                }
            }
        });
        stream::iter(looks).for_each_concurrent(AT_ONCE, |look| look).await;
    }
}

async fn look_for_round(app: App, tenant: TenantId, connection: ConnectionId) {
    let place = Place { store: &app.store, limits: &app.config.outbound, tenant, connection };
    match look(&place, app.clock.now(), &Asked::Daily).await {
        Ok(None) => {}
        Ok(Some(problem)) => {
            warn!(connection = %connection, problem, "The identity provider's metadata cannot be used")
        }
        // It may have been removed meanwhile.
        Err(Error::NotFound) => {}
        Err(error) => {
            warn!(connection = %connection, error = chain(&error), "A connection could not be looked at; it is due again soon");
        }
    }
}

/// Who wants to have a connection looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// Nobody: it is due.
    Daily,
    /// The operator, who takes the metadata also if they name this issuer for the first time.
    ByOperator { new_issuer: Option<String> },
}

impl Asked {
    fn actor(&self) -> Actor {
        match self {
            Self::Daily => Actor::Gateway,
            Self::ByOperator { .. } => Actor::Operator,
        }
    }
}

/// Which connection to look at, and with what.
pub struct Place<'a> {
    pub store: &'a Store,
    pub limits: &'a Outbound,
    pub tenant: TenantId,
    pub connection: ConnectionId,
}

impl Place<'_> {
    async fn tx(&self, asked: &Asked, now: OffsetDateTime) -> Result<TenantTx, Error> {
        Ok(self.store.tenant(Scope { tenant: self.tenant, actor: asked.actor(), now }).await?)
    }
}

/// Looks at one connection; answers what is wrong with its metadata.
///
/// # Errors
/// [`Error::NotFound`], or when the database cannot be used.
pub async fn look(place: &Place<'_>, now: OffsetDateTime, asked: &Asked) -> Result<Option<String>, Error> {
    let connection = place.connection;
    let (_, roles_again) = roles::settle_all(place.store, (place.tenant, connection), asked.actor(), now).await?;
    let mut tx = place.tx(asked, now).await?;
    // One that was removed is asked for no metadata.
    let is_there = connections::by_id(&mut tx, connection).await?.is_some();
    let before = if is_there { watches::of(&mut tx, connection).await? } else { Watch::default() };
    // Not held while a stranger's server takes its time.
    tx.rollback().await?;
    let answer = match &before.metadata_url {
        Some(url) => Some(idp::fetch(url, &known(&before, asked, now), place.limits, now).await),
        None => None,
    };

    let mut tx = place.tx(asked, now).await?;
    let stored = connections::for_update(&mut tx, connection).await?.ok_or(Error::NotFound)?;
    let mut watch = watches::of(&mut tx, connection).await?;
    let is_another = watch.metadata_url != before.metadata_url || watch.fetched_at != before.fetched_at;
    match answer {
        Some(_) if is_another && *asked != Asked::Daily => {
            tx.rollback().await?;
            return Ok(Some("somebody else changed it at the same moment; look at it and try again".to_owned()));
        }
        Some(answer) if !is_another => metadata::settle(&mut tx, &stored, &mut watch, answer, asked).await?,
        _ => {}
    }
    let mark = expiry::tell(&mut tx, connection, &mut watch).await?;
    let soon = if watch.problem.is_some() { AFTER_A_PROBLEM } else { DAILY };
    let due_at = [mark, roles_again].into_iter().flatten().fold(now + soon, OffsetDateTime::min);
    watches::update(&mut tx, connection, &watch, due_at).await?;
    tx.commit().await?;
    Ok(watch.problem)
}

/// The version that need not come again: none for somebody who looks, and none that is over (metadata 2.3.2).
fn known(watch: &Watch, asked: &Asked, now: OffsetDateTime) -> Version {
    if *asked != Asked::Daily || watch.valid_until.is_some_and(|until| until <= now) {
        return Version::default();
    }
    Version { etag: watch.etag.clone(), last_modified: watch.last_modified.clone() }
}

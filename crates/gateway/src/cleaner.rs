//! Removes what has run out, a little at a time, until it is told to stop.

use crate::app::App;
use std::time::Duration;
use store::expired::{self, Kind, Retention};
use tokio::time::{MissedTickBehavior, interval};
use tracing::warn;

/// How often a process looks.
const PERIOD: Duration = Duration::from_secs(60);

/// Runs until dropped. Several processes may clean at once: they remove different rows, or none.
pub async fn run(app: App) {
    let mut ticks = interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        app.limits.forget_the_quiet();
        app.store.close_unused().await;
        // Said already.
        drop(clean(&app).await);
    }
}

/// One round, of each kind in batches until one removes nothing; answers how many rows went.
///
/// # Errors
/// The first one, after every kind had its turn.
pub async fn clean(app: &App) -> store::error::Result<u64> {
    let mut outcome = Ok(0);
    for kind in Kind::ALL {
        match clean_of(app, kind).await {
            Ok(removed) => outcome = outcome.map(|all| all + removed),
            Err(error) => {
                warn!(?kind, error = %error, "Clean-up failed; the next round tries again");
                outcome = outcome.and(Err(error));
            }
        }
    }
    outcome
}

async fn clean_of(app: &App, kind: Kind) -> store::error::Result<u64> {
    let retention = Retention { exchanges: app.config.scim.log_retention, steps: app.config.saml.log_retention };
    let mut removed = 0;
    loop {
        let mut tx = app.store.control(app.clock.now()).await?;
        let batch = expired::delete(&mut tx, kind, retention).await?;
        tx.commit().await?;
        removed += batch;
        if batch == 0 {
            return Ok(removed);
        }
    }
}

//! Tells applications that sessions have ended (OpenID Connect Back-Channel Logout 1.0), until they have heard it.
//!
//! What is to be told stands in the database. Whoever tells it keeps it from others for a while first, so that of several
//! processes one does it; if that one dies, it is due again soon. An application may hear of the same session twice.

use crate::{
    app::App,
    error::{Error, chain},
    oauth::token,
    revocation,
};
use ::oidc::{keys::Algorithm, logout};
use anyhow::Context;
use domain::ids::ApplicationId;
use metrics::{counter, histogram};
use reqwest::{Client, StatusCode, redirect::Policy};
use std::{collections::HashMap, sync::Arc, time::Duration};
use store::{
    applications::{self, Application},
    logout_deliveries::{self, Delivery},
};
use tokio::{
    sync::Notify,
    task::{JoinHandle, JoinSet},
    time::timeout,
};
use tracing::{error, warn};

/// How often a process asks what is due, if nothing wakes it: other processes end sessions too.
const PERIOD: Duration = Duration::from_secs(1);

/// How many an application is told at once.
const AT_ONCE: i64 = 16;

/// How long a batch is kept from others: longer than it takes at its slowest.
const LEASE: time::Duration = time::Duration::minutes(1);

/// How long an application may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// After how many seconds it is told again; then it is given up. Fifteen hours in all: a session lasts twelve, usually.
const AGAIN: [i64; 10] = [1, 5, 15, 60, 300, 900, 3_600, 7_200, 14_400, 28_800];

/// Characters of a problem that are kept.
const TOLD: usize = 200;

static WAKE: Notify = Notify::const_new();

/// Says that something is due.
pub fn wake() {
    WAKE.notify_one();
}

/// Runs until dropped.
pub async fn run(app: App, client: Client) {
    let mut at_work: HashMap<ApplicationId, JoinHandle<()>> = HashMap::new();
    loop {
        // An error is the time that has passed.
        let _ = timeout(PERIOD, WAKE.notified()).await;
        at_work.retain(|_, task| !task.is_finished());
        match due(&app).await {
            Ok(due) => {
                for application in due {
                    let (app, client) = (app.clone(), client.clone());
                    at_work.entry(application).or_insert_with(|| tokio::spawn(tell(app, client, application)));
                }
            }
            Err(error) => warn!(error = chain(&error), "It could not be asked which applications to tell of logouts"),
        }
    }
}

/// Tells one application everything that is due, and waits for that.
///
/// # Errors
/// When nothing can be asked from this machine. What goes wrong with the application is noted.
pub async fn round(app: &App, application: ApplicationId) -> anyhow::Result<()> {
    tell(app.clone(), client()?, application).await;
    Ok(())
}

/// What asks applications: straight, where they say, and nowhere else. Their addresses are the operator's own, so private
/// networks are as good as others.
///
/// # Errors
/// When the machine has no certificates to trust, or the like.
pub fn client() -> anyhow::Result<Client> {
    let builder = Client::builder()
        .redirect(Policy::none())
        .no_proxy()
        .connect_timeout(PATIENCE)
        .timeout(PATIENCE)
        .user_agent(concat!("Gatehouse/", env!("CARGO_PKG_VERSION")));
    builder.build().context("a client could not be made")
}

async fn due(app: &App) -> Result<Vec<ApplicationId>, Error> {
    let mut tx = app.control(app.clock.now()).await?;
    let due = logout_deliveries::applications_due(&mut tx).await?;
    tx.rollback().await?;
    Ok(due)
}

/// Tells one application all that is due; a slow one keeps no other waiting, and a slow answer not the next one.
async fn tell(app: App, client: Client, application: ApplicationId) {
    // Tasks, because each has to go on while this one waits for a connection to the database.
    let mut under_way = JoinSet::new();
    let mut found = None;
    loop {
        let free = AT_ONCE - i64::try_from(under_way.len()).unwrap_or(AT_ONCE);
        match take(&app, application, free).await {
            Ok((known, taken)) => {
                let known = Arc::new(known);
                found = Some(Arc::clone(&known));
                for delivery in taken {
                    under_way.spawn(deliver(app.clone(), client.clone(), Arc::clone(&known), delivery));
                }
            }
            Err(error) => {
                warn!(application = %application, error = %error, "It could not be asked what to tell an application")
            }
        }
        // What falls due while an answer is awaited is told meanwhile.
        let Ok(done) = timeout(PERIOD, under_way.join_next()).await else { continue };
        let Some(done) = done else { return };
        if let Err(error) = done.context("a logout is told").flatten() {
            let application = found.as_ref().map_or("", |found: &Arc<Application>| found.slug.as_str());
            warn!(application, error = %error, "A logout could not be noted as told; it is told again");
        }
    }
}

async fn take(app: &App, application: ApplicationId, most: i64) -> anyhow::Result<(Application, Vec<Delivery>)> {
    let mut tx = app.control(app.clock.now()).await?;
    let found = applications::find(&mut tx, application).await?.context("an application with deliveries is there")?;
    let taken = logout_deliveries::take(&mut tx, application, most, LEASE).await?;
    tx.commit().await?;
    Ok((found, taken))
}

async fn deliver(app: App, client: Client, application: Arc<Application>, delivery: Delivery) -> anyhow::Result<()> {
    let heard = match &application.backchannel_logout_uri {
        Some(uri) => post(&app, &client, &application, uri, &delivery).await?,
        None => Err("the application has no address for it any more".to_owned()),
    };
    let now = app.clock.now();
    let mut tx = app.control(now).await?;
    let result = match heard {
        Ok(()) => {
            if delivery.is_departure {
                let seconds = (now - delivery.ended_at).as_seconds_f64();
                histogram!(revocation::SECONDS, "stage" => "app").record(seconds);
            }
            logout_deliveries::delivered(&mut tx, &delivery).await?;
            "delivered"
        }
        Err(problem) => {
            let wait = usize::try_from(delivery.attempts - 1).ok().and_then(|tried| AGAIN.get(tried));
            let again = wait.map(|seconds| now + time::Duration::seconds(*seconds));
            let again = again.filter(|_| application.backchannel_logout_uri.is_some());
            logout_deliveries::failed(&mut tx, &delivery, &problem, again).await?;
            let (session, attempts) = (delivery.session, delivery.attempts);
            if again.is_some() {
                warn!(application = application.slug, %session, attempts, problem, "An application did not take a logout; it is told again");
                "failed"
            } else {
                error!(application = application.slug, %session, attempts, problem, "An application was never told of a logout");
                "given_up"
            }
        }
    };
    tx.commit().await?;
    counter!("gatehouse_backchannel_logouts_total", "result" => result).increment(1);
    Ok(())
}

/// Why it was not heard, in the operator's words.
async fn post(
    app: &App,
    client: &Client,
    application: &Application,
    uri: &str,
    delivery: &Delivery,
) -> anyhow::Result<Result<(), String>> {
    let now = app.clock.now();
    let algorithm: Algorithm = application.id_token_alg.parse().ok().context("a stored algorithm is known")?;
    let key = app.keys.signer(algorithm, now).context("there is a key of every algorithm")?;
    // A name of its own each time: whoever remembers names would refuse an attempt whose first answer was lost.
    let (client_id, jti) = (delivery.client_id.clone(), format!("{}-{}", delivery.id, delivery.attempts));
    let (issuer, user, session) = (app.issuer().to_owned(), delivery.user.0, delivery.session.0);
    let sign = move || logout::logout_token(&key, &issuer, &client_id, user, session, &jti, now);
    let token = token::signed(sign).await?;
    Ok(match client.post(uri).form(&[("logout_token", token)]).send().await {
        Ok(response) if response.status().is_success() => Ok(()),
        Ok(response) => Err(refused(response.status())),
        Err(error) => {
            let text = chain(&error.without_url());
            Err(text.chars().take(TOLD).collect())
        }
    })
}

fn refused(status: StatusCode) -> String {
    if status.is_redirection() {
        return format!("the application answered {status}; give the address that it redirects to");
    }
    format!("the application answered {status}")
}

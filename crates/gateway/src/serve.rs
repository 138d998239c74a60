//! `gatehouse serve`: checks that it is fit to serve, serves, and stops without cutting anybody off.

mod connections;

use self::connections::BOUNDS;
use crate::{
    app::App, backchannel, cleaner, clock::Clock, config::Config, invitation_mail, keys, mail::Mail, operations,
    password, purge, router, telemetry, watch,
};
use anyhow::{Context, bail};
use std::{net::SocketAddr, time::Duration};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    sync::watch::channel,
    task::{JoinHandle, JoinSet},
};
use tracing::{info, warn};

/// How long the database may take to say good-bye.
const CLOSING: Duration = Duration::from_secs(1);

/// Serves until SIGTERM or SIGINT.
///
/// # Errors
/// What keeps it from serving, in the operator's words.
pub async fn run(config: Config) -> anyhow::Result<()> {
    telemetry::start_logging(&config.log)?;
    telemetry::metrics()?;
    ::saml::self_test::self_test()
        .context("the SAML verifier accepts what it must refuse; this build must not serve")?;
    let (listen, operations_listen) = (config.server.listen, config.operations_listen);
    let grace = config.server.shutdown_grace;
    let app = App::start(config, Clock::System).await?;
    refuse_unfit(&app).await?;

    let (stop, stopped) = channel(false);
    let (public, operations) =
        (bind("server.listen", listen).await?, bind("operations.listen", operations_listen).await?);
    let public = connections::serve(public, router::router(app.clone()), BOUNDS, stopped.clone());
    let operations = connections::serve(operations, operations::router(app.clone()), BOUNDS, stopped);
    let servers = tokio::spawn(async move { tokio::join!(public, operations) });
    tokio::task::spawn_blocking(password::prepare).await.context("a password hash is made")?;
    let mut behind = JoinSet::new();
    behind.spawn(cleaner::run(app.clone()));
    behind.spawn(watch::run(app.clone()));
    behind.spawn(purge::run(app.clone()));
    behind.spawn(keys::run(app.clone()));
    match &app.config.mail {
        Some(settings) => drop(behind.spawn(invitation_mail::run(app.clone(), Mail::new(settings)?))),
        None => info!("No mail goes out: mail.smtp_url is not set"),
    }
    behind.spawn(backchannel::run(app.clone(), backchannel::client()?));
    info!(listen = %listen, operations = %operations_listen, public_url = app.issuer(), "Gatehouse serves");

    wait_for_signal().await?;
    info!("Stopping: no new connections, running requests may finish");
    stop.send_replace(true);
    finish(servers, grace).await?;
    behind.shutdown().await;
    app.log.flush().await;
    app.steps.flush().await;
    if tokio::time::timeout(CLOSING, app.store.close()).await.is_err() {
        warn!("The database connections did not close in time");
    }
    info!("Stopped");
    Ok(())
}

async fn refuse_unfit(app: &App) -> anyhow::Result<()> {
    let problems = app.store.unfit_logins().await.context("the database cannot be reached")?;
    if !problems.is_empty() {
        bail!("{}", problems.join("; "));
    }
    Ok(())
}

async fn bind(key: &str, address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("{key} = \"{address}\" cannot be listened on"))
}

async fn wait_for_signal() -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

async fn finish(mut servers: JoinHandle<((), ())>, grace: Duration) -> anyhow::Result<()> {
    match tokio::time::timeout(grace, &mut servers).await {
        Ok(served) => served.map(|_| ()).context("a server task failed"),
        Err(_) => {
            servers.abort();
            warn!("Some requests did not finish in time and were cut off");
            Ok(())
        }
    }
}

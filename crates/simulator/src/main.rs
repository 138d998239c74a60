//! `gatehouse-sim`: the command line of the simulator.
#![forbid(unsafe_code)]

mod cli;
mod provisioning;
mod smoke;

use std::io::IsTerminal;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use simulator::app::{AppOptions, DemoApp};
use simulator::clock;
use simulator::entra::Entra;
use simulator::idp::keys::IdpKey;
use simulator::idp::{Idp, IdpOptions, metadata};
use simulator::jumpcloud::JumpCloud;
use simulator::okta::Okta;
use simulator::onelogin::OneLogin;
use simulator::ping::Ping;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use cli::{
    AppArguments, Cli, Command, EntraArguments, IdpArguments, JumpCloudArguments, OktaArguments, OneLoginArguments,
    PingArguments,
};

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into()))
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    let outcome = match Cli::parse().command {
        Command::Idp(arguments) => idp(arguments).await,
        Command::Okta(OktaArguments { target, style, action }) => {
            provisioning::run_okta(&target, style.into(), action).await
        }
        Command::Entra(EntraArguments { target, matching, action }) => {
            let entra = Entra { matching: matching.into(), ..Entra::of(&target.base_url) };
            provisioning::run(&target, entra, action).await
        }
        Command::Jumpcloud(JumpCloudArguments { target, test_user, action }) => {
            provisioning::run(&target, JumpCloud { test_user }, action).await
        }
        Command::Onelogin(OneLoginArguments { target, action }) => provisioning::run(&target, OneLogin, action).await,
        Command::Ping(PingArguments { target, filter, probe, action }) => {
            provisioning::run(&target, Ping { filter, probes: probe }, action).await
        }
        Command::App(arguments) => app(arguments).await,
        Command::Smoke(arguments) => smoke::run(arguments).await,
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("gatehouse-sim: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn idp(arguments: IdpArguments) -> anyhow::Result<()> {
    let base_url = arguments.base_url.unwrap_or_else(|| format!("http://{}", arguments.listen));
    if arguments.print_metadata {
        let key = IdpKey::load_or_generate(&arguments.data, clock::system()())?;
        print!("{}", metadata::of_idp(&base_url, &key));
        return Ok(());
    }
    let provisioning = match (&arguments.scim_url, &arguments.scim_token_file) {
        (Some(url), Some(file)) => Some(Okta::new(url, &secret(file)?, arguments.style.into())?),
        _ => None,
    };
    let options = IdpOptions {
        base_url: Some(base_url),
        data: Some(arguments.data),
        service_providers: arguments.sp_metadata,
        provisioning,
        clock: clock::system(),
    };
    let mut idp = Idp::start(listen(&arguments.listen).await?, options).await?;
    println!("Identity provider at {}/, metadata at {}", idp.base_url(), idp.entity_id());
    tokio::select! {
        () = idp.finished() => Ok(()),
        stopped = stop() => stopped,
    }
}

async fn app(arguments: AppArguments) -> anyhow::Result<()> {
    let options = AppOptions {
        base_url: Some(arguments.base_url.unwrap_or_else(|| format!("http://{}", arguments.listen))),
        issuer: arguments.issuer,
        client_id: arguments.client_id,
        client_secret: arguments.client_secret_file.as_deref().map(secret).transpose()?,
        tenant: arguments.tenant,
    };
    let mut app = DemoApp::start(listen(&arguments.listen).await?, options).await?;
    println!("Demo app at {}/, redirect URI {}", app.base_url(), app.redirect_uri());
    tokio::select! {
        () = app.finished() => Ok(()),
        stopped = stop() => stopped,
    }
}

async fn listen(address: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("could not listen at {address}"))
}

async fn stop() -> anyhow::Result<()> {
    let mut terminated = signal(SignalKind::terminate()).context("could not wait for signals")?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted.context("could not wait for signals"),
        _ = terminated.recv() => Ok(()),
    }
}

/// A secret that somebody put into a file, without the line break at its end.
fn secret(file: &Path) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(file).with_context(|| format!("could not read {}", file.display()))?;
    Ok(text.trim().to_owned())
}

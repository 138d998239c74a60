//! `gatehouse token …`

use super::{
    Desk,
    output::{Output, moment},
};
use crate::{
    error::Error,
    setup::directory::{self, TokenSpec},
};
use anyhow::bail;
use clap::{Args, Subcommand};
use domain::ids::{ConnectionId, TokenId};
use serde_json::json;
use store::scim_tokens::{self, TokenKind};
use time::Duration;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a token; it is shown once. Others of the connection stay valid.
    Create(Create),
    /// List a connection's tokens; the secrets are stored nowhere.
    List {
        /// The connection's id.
        connection: ConnectionId,
    },
    /// End a token, at once and everywhere.
    Revoke {
        /// The connection's id.
        connection: ConnectionId,
        /// The token's id, from `token list`.
        id: TokenId,
    },
}

#[derive(Debug, Args)]
pub struct Create {
    /// The connection's id.
    connection: ConnectionId,
    /// Make OAuth 2 client credentials instead: an identity provider trades them for tokens of one hour.
    #[arg(long)]
    client: bool,
    /// It may read the directory and change nothing.
    #[arg(long)]
    read_only: bool,
    /// Days until it ends by itself; without, it lasts until it is revoked.
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u16).range(1..=3650))]
    expires_in: Option<u16>,
}

pub async fn run(command: Command, desk: &Desk, output: &Output) -> anyhow::Result<()> {
    match command {
        Command::Create(new) => create(desk, new, output).await,
        Command::List { connection } => list(desk, connection, output).await,
        Command::Revoke { connection, id } => revoke(desk, connection, id, output).await,
    }
}

async fn create(desk: &Desk, new: Create, output: &Output) -> anyhow::Result<()> {
    let Create { connection, client, read_only, expires_in } = new;
    desk.tenant_of(connection).await?;
    let kind = if client { TokenKind::Client } else { TokenKind::Token };
    let expires_at = expires_in.map(|days| desk.now() + Duration::days(days.into()));
    let spec = TokenSpec { kind, read_only, expires_at };
    let (id, secret) = directory::create_token(&desk.store, desk.now(), connection, spec).await?;
    let mut shown = if client {
        output.line(
            "Keep the client secret now; it is not shown again. For PingFederate: Provisioning > Target > OAuth 2.",
        );
        let url = format!("{}/c/{connection}/oauth2/token", desk.config.server.public_url);
        vec![("token_url", json!(url)), ("client_id", json!(id)), ("client_secret", json!(secret.reveal()))]
    } else {
        output.line("Keep the token now; it is not shown again. In Okta: Provisioning > Integration > Authorization.");
        vec![("id", json!(id)), ("token", json!(secret.reveal()))]
    };
    shown.extend(expires_at.map(|end| ("expires_at", json!(moment(end)))));
    output.record(&shown)
}

async fn list(desk: &Desk, connection: ConnectionId, output: &Output) -> anyhow::Result<()> {
    let mut tx = desk.tenant(desk.tenant_of(connection).await?).await?;
    let tokens = scim_tokens::list(&mut tx, connection).await?;
    tx.rollback().await?;
    let records = tokens.iter().map(|token| {
        let last = token.last_use.as_ref();
        vec![
            ("id", json!(token.id)),
            ("kind", json!(token.kind)),
            ("read_only", json!(token.read_only)),
            ("created_at", json!(moment(token.created_at))),
            ("expires_at", json!(token.expires_at.map(moment))),
            ("revoked_at", json!(token.revoked_at.map(moment))),
            ("last_used_at", json!(last.map(|last| moment(last.at)))),
            ("last_used_from", json!(last.map(|last| &last.address))),
            ("last_used_by", json!(last.map(|last| &last.agent))),
        ]
    });
    output.list(&records.collect::<Vec<_>>())
}

async fn revoke(desk: &Desk, connection: ConnectionId, id: TokenId, output: &Output) -> anyhow::Result<()> {
    desk.tenant_of(connection).await?;
    match directory::revoke_token(&desk.store, desk.now(), connection, id).await {
        Ok(()) => {
            output.line("The token is revoked. Requests with it are refused from now on.");
            Ok(())
        }
        Err(Error::NotFound) => {
            bail!("the connection has no live token {id}; `gatehouse token list {connection}` shows them")
        }
        Err(error) => Err(error.into()),
    }
}

//! `gatehouse token …`

use super::{Desk, output::Output};
use crate::{error::Error, setup};
use anyhow::bail;
use clap::Subcommand;
use domain::ids::{ConnectionId, TokenId};
use serde_json::json;
use store::scim_tokens;
use time::format_description::well_known::Rfc3339;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a token; it is shown once. Others of the connection stay valid.
    Create {
        /// The connection's id.
        connection: ConnectionId,
    },
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

pub async fn run(command: Command, desk: &Desk, output: &Output) -> anyhow::Result<()> {
    match command {
        Command::Create { connection } => create(desk, connection, output).await,
        Command::List { connection } => list(desk, connection, output).await,
        Command::Revoke { connection, id } => revoke(desk, connection, id, output).await,
    }
}

async fn create(desk: &Desk, connection: ConnectionId, output: &Output) -> anyhow::Result<()> {
    desk.tenant_of(connection).await?;
    let (id, token) = setup::create_token(&desk.store, desk.now(), connection).await?;
    output.line("Keep the token now; it is not shown again. In Okta: Provisioning > Integration > Authorization.");
    output.record(&[("id", json!(id)), ("token", json!(token.reveal()))])
}

async fn list(desk: &Desk, connection: ConnectionId, output: &Output) -> anyhow::Result<()> {
    let mut tx = desk.tenant(desk.tenant_of(connection).await?).await?;
    let tokens = scim_tokens::list(&mut tx, connection).await?;
    tx.rollback().await?;
    let day = |time: time::OffsetDateTime| time.format(&Rfc3339).unwrap_or_default();
    let records = tokens.iter().map(|token| {
        vec![
            ("id", json!(token.id)),
            ("created_at", json!(day(token.created_at))),
            ("revoked_at", json!(token.revoked_at.map(day))),
        ]
    });
    output.list(&records.collect::<Vec<_>>())
}

async fn revoke(desk: &Desk, connection: ConnectionId, id: TokenId, output: &Output) -> anyhow::Result<()> {
    desk.tenant_of(connection).await?;
    match setup::revoke_token(&desk.store, desk.now(), connection, id).await {
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

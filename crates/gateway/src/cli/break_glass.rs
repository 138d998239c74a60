//! `gatehouse break-glass …`

use super::{
    Desk,
    output::{Output, moment},
};
use crate::{error::Error, setup::break_glass as setup};
use anyhow::{anyhow, bail};
use clap::Subcommand;
use domain::{
    account::Account,
    email::Email,
    ids::{AccountId, ConnectionId},
    names::fold,
};
use serde_json::json;
use store::{accounts, break_glass};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make eight codes for somebody, shown once. Those that were not used before do not work any more.
    Create {
        /// The connection's id.
        connection: ConnectionId,
        /// The account's id, user name or address there.
        who: String,
    },
    /// Who has codes, and when one was used last.
    List {
        /// The tenant's short name.
        #[arg(long)]
        tenant: String,
    },
    /// End all codes of somebody.
    Revoke {
        /// The connection's id.
        connection: ConnectionId,
        /// The account's id, user name or address there.
        who: String,
    },
}

pub async fn run(command: Command, desk: &Desk, output: &Output) -> anyhow::Result<()> {
    let (store, now) = (&desk.store, desk.now());
    match command {
        Command::Create { connection, who } => {
            let account = find(desk, connection, &who).await?;
            let codes = setup::create(store, now, connection, account.id).await.map_err(|error| match error {
                Error::NotFound => anyhow!("the account is gone"),
                error => error.into(),
            })?;
            show(desk, connection, account.profile.user_name.as_str(), &codes, output)
        }
        Command::Revoke { connection, who } => {
            let account = find(desk, connection, &who).await?;
            let ended = setup::revoke(store, now, connection, account.id).await?;
            output.line(&format!("Ended {ended} code(s)."));
            Ok(())
        }
        Command::List { tenant } => {
            let mut tx = desk.tenant(desk.tenant_by_slug(&tenant).await?.id).await?;
            let sheets = break_glass::list(&mut tx).await?;
            tx.rollback().await?;
            let records = sheets.iter().map(|sheet| {
                vec![
                    ("connection", json!(sheet.connection)),
                    ("account", json!(sheet.account)),
                    ("user_name", json!(sheet.user_name)),
                    ("left", json!(sheet.left)),
                    ("used", json!(sheet.used)),
                    ("last_used_at", json!(sheet.last_used_at.map(moment))),
                    ("last_used_from", json!(sheet.last_address)),
                ]
            });
            output.list(&records.collect::<Vec<_>>())
        }
    }
}

/// Prints codes with the address at which they work.
pub fn show(
    desk: &Desk,
    connection: ConnectionId,
    user_name: &str,
    codes: &[String],
    output: &Output,
) -> anyhow::Result<()> {
    output.line("Print these now, and keep them locked up; they are not shown again. Each works once, for an hour:");
    let url = format!("{}/c/{connection}/break-glass", desk.config.server.public_url);
    output.record(&[("url", json!(url)), ("user_name", json!(user_name)), ("codes", json!(codes))])
}

async fn find(desk: &Desk, connection: ConnectionId, who: &str) -> anyhow::Result<Account> {
    let mut tx = desk.tenant(desk.tenant_of(connection).await?).await?;
    let mut found = match who.parse::<AccountId>() {
        Ok(id) => accounts::by_ids(&mut tx, connection, &[id.0]).await?,
        Err(_) => accounts::by_user_name(&mut tx, connection, &fold(who)).await?.into_iter().collect(),
    };
    if let (true, Ok(email)) = (found.is_empty(), Email::parse(who)) {
        found = accounts::by_email(&mut tx, connection, email.key(), 2).await?;
    }
    tx.rollback().await?;
    match (found.pop(), found.is_empty()) {
        (Some(account), true) => Ok(account),
        (None, _) => {
            bail!("the connection has no account {who}; `gatehouse user list --connection {connection}` shows them")
        }
        (Some(_), false) => bail!("several accounts have the address {who}; name one by its id"),
    }
}

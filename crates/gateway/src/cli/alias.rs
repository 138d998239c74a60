//! `gatehouse alias …`: other names by which organizations and connections are asked for.

use super::{Desk, output::Output};
use crate::{error::Error, setup::aliases as setup};
use anyhow::bail;
use clap::Subcommand;
use domain::ids::ConnectionId;
use serde_json::json;
use store::aliases;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Give an organization, or one of its connections, another name: the id or provider name of a system before this one.
    Add {
        /// The other name, as applications and bookmarks send it.
        name: String,
        /// The organization's short name.
        #[arg(long)]
        tenant: String,
        /// The connection that is meant; without it, the organization.
        #[arg(long, value_name = "ID")]
        connection: Option<ConnectionId>,
    },
    /// List an organization's other names.
    List {
        /// The organization's short name.
        #[arg(long)]
        tenant: String,
    },
    /// Take a name away.
    Remove {
        /// The other name.
        name: String,
        /// The organization's short name.
        #[arg(long)]
        tenant: String,
    },
}

pub async fn run(command: Command, desk: &Desk, output: &Output) -> anyhow::Result<()> {
    let (store, now) = (&desk.store, desk.now());
    let tenant = match command {
        Command::Add { name, tenant, connection } => {
            let id = desk.tenant_by_slug(&tenant).await?.id;
            match setup::add(store, now, id, connection, &name).await {
                Err(Error::NotFound) => {
                    bail!("{tenant} has no such connection; `gatehouse connection list --tenant {tenant}` shows them")
                }
                done => done?,
            }
            tenant
        }
        Command::Remove { name, tenant } => {
            let id = desk.tenant_by_slug(&tenant).await?.id;
            match setup::remove(store, now, id, &name).await {
                Err(Error::NotFound) => {
                    bail!("{tenant} has no other name {name}; `gatehouse alias list --tenant {tenant}` shows them")
                }
                done => done?,
            }
            tenant
        }
        Command::List { tenant } => tenant,
    };
    let mut tx = desk.tenant(desk.tenant_by_slug(&tenant).await?.id).await?;
    let all = aliases::list(&mut tx).await?;
    tx.rollback().await?;
    let fields = all.iter().map(|(name, connection)| vec![("name", json!(name)), ("connection_id", json!(connection))]);
    output.list(&fields.collect::<Vec<_>>())
}

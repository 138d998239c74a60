//! `gatehouse connection remove`, `restore`, `list --removed`.

use crate::{
    cli::{
        Desk, named,
        output::{Output, moment},
    },
    error::Error,
    setup::removal,
};
use anyhow::bail;
use clap::Args;
use domain::{
    ids::ConnectionId,
    removal::{Fate, undo_until},
};
use serde_json::json;
use store::removals;

#[derive(Debug, Args)]
pub struct Remove {
    /// The connection's id.
    id: ConnectionId,
    /// What becomes of its users: they stay known to the application (keep), are invited into another connection as well (invite), are
    /// out (deactivate), or are out and deleted after 30 days (delete).
    #[arg(long, value_name = "FATE", value_parser = named(Fate::ALL.map(Fate::as_str), Fate::read))]
    users: Fate,
    /// The connection into which they are invited.
    #[arg(long, value_name = "CONNECTION", required_if_eq("users", "invite"))]
    into: Option<ConnectionId>,
    /// Do it; without this it is only shown what would go.
    #[arg(long)]
    yes: bool,
}

pub async fn remove(arguments: Remove, desk: &Desk, output: &Output) -> anyhow::Result<()> {
    let Remove { id, users, into, yes } = arguments;
    desk.tenant_of(id).await?;
    let (store, now) = (&desk.store, desk.now());
    let gone = "the connection was removed already; `gatehouse connection list --removed --tenant NAME` shows it";
    let (name, holdings) = match removal::preview(store, now, id, users, into).await {
        Err(Error::NotFound) => bail!("{gone}"),
        found => found?,
    };
    let holdings = if yes { removal::remove(store, now, id, users, into).await? } else { holdings };
    if yes {
        output.line("Removed. To have it back as it was: gatehouse connection restore ID");
    } else {
        output.line("This would go, and nothing has yet. Add --yes to remove it:");
    }
    output.record(&[
        ("id", json!(id)),
        ("name", json!(name)),
        ("is_removed", json!(yes)),
        ("users", json!(users.as_str())),
        ("active", json!(holdings.active)),
        ("waiting", json!(holdings.parked)),
        ("deactivated", json!(holdings.deactivated)),
        ("users_without_another_account", json!(holdings.only_here)),
        ("groups", json!(holdings.groups)),
        ("sessions_that_end", json!(holdings.live_sessions)),
        ("scim_tokens", json!(holdings.tokens)),
        ("open_invitations", json!(holdings.invitations)),
        ("restore_until", json!(moment(undo_until(now)))),
    ])
}

pub async fn restore(desk: &Desk, id: ConnectionId) -> anyhow::Result<()> {
    desk.tenant_of(id).await?;
    match removal::restore(&desk.store, desk.now(), id).await {
        Err(Error::NotFound) => bail!("the connection {id} was not removed"),
        done => Ok(done.map(drop)?),
    }
}

pub async fn list(tenant: &str, desk: &Desk, output: &Output) -> anyhow::Result<()> {
    let mut tx = desk.tenant(desk.tenant_by_slug(tenant).await?.id).await?;
    let all = removals::list(&mut tx).await?;
    tx.rollback().await?;
    let records = all.iter().map(|removed| {
        vec![
            ("id", json!(removed.id)),
            ("name", json!(removed.display_name)),
            ("removed_at", json!(moment(removed.at))),
            ("users", json!(removed.fate.as_str())),
            ("restore_until", json!(moment(undo_until(removed.at)))),
        ]
    });
    output.list(&records.collect::<Vec<_>>())
}

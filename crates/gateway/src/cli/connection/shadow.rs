//! `gatehouse connection go-live`.

use crate::{
    cli::{Desk, output::Output},
    error::Error,
    setup::shadow::{self, Becomes, Change, Entry},
};
use anyhow::bail;
use clap::Args;
use domain::{ids::ConnectionId, provisioning::Waiting, role::RoleReason};
use serde_json::{Value, json};

#[derive(Debug, Args)]
pub struct GoLive {
    /// The connection's id.
    id: ConnectionId,
    /// Do it; without this it is only shown what would happen.
    #[arg(long)]
    yes: bool,
    /// Tell of each user, not how many there are of each kind.
    #[arg(long)]
    each: bool,
}

pub async fn go_live(GoLive { id, yes, each }: GoLive, desk: &Desk, output: &Output) -> anyhow::Result<()> {
    desk.tenant_of(id).await?;
    let change = match shadow::go_live(&desk.store, desk.now(), id, yes).await {
        Err(Error::NotFound) => bail!("the connection was removed; `gatehouse connection restore {id}` brings it back"),
        change => change?,
    };
    if yes {
        output.line("The connection is live.");
    } else {
        output.line("This would happen, and nothing has yet. Add --yes to go live:");
    }
    if each {
        return output.list(&change.entries.iter().map(told).collect::<Vec<_>>());
    }
    output.record(&counted(&change, yes))
}

fn told(entry: &Entry) -> Vec<(&'static str, Value)> {
    let (becomes, user) = match entry.becomes {
        Becomes::New => ("new", None),
        Becomes::Linked(user) => ("linked", Some(user)),
        Becomes::Asked(user) => ("asked", Some(user)),
    };
    vec![
        ("account", json!(entry.account)),
        ("user_name", json!(entry.user_name)),
        ("becomes", json!(becomes)),
        ("user", json!(user)),
        ("state", json!(state(entry))),
        ("role", json!(entry.role)),
        ("why", json!(format!("{}, {}", entry.role, entry.reason))),
        ("is_of_proven_domain", json!(!entry.is_outside)),
    ]
}

fn state(entry: &Entry) -> &'static str {
    match (entry.active, entry.becomes, entry.waits) {
        (false, ..) => "deactivated",
        (true, Becomes::Asked(_), _) => "waits for somebody to say whose it is",
        (true, _, Some(Waiting::Outside)) => "waits for a seat",
        (true, _, Some(Waiting::Inside)) => "active, with a lower role until a seat is free",
        (true, _, None) => "active",
    }
}

fn counted(change: &Change, is_live: bool) -> Vec<(&'static str, Value)> {
    let all = &change.entries;
    let count = |which: fn(&Entry) -> bool| json!(all.iter().filter(|entry| which(entry)).count());
    vec![
        ("is_live", json!(is_live)),
        ("users", json!(all.len())),
        ("new", count(|entry| entry.becomes == Becomes::New)),
        ("linked_to_known_users", count(|entry| matches!(entry.becomes, Becomes::Linked(_)))),
        ("waiting_for_whose_they_are", count(|entry| matches!(entry.becomes, Becomes::Asked(_)))),
        ("waiting_for_a_seat", count(|entry| entry.active && entry.waits.is_some())),
        ("deactivated", count(|entry| !entry.active)),
        ("with_an_unknown_role", count(|entry| matches!(entry.reason, RoleReason::Unknown { .. }))),
        ("outside_of_proven_domains", count(|entry| entry.is_outside)),
        ("groups", json!(change.groups)),
        ("seats_taken_then", json!(change.seats.map(|(taken, _)| taken))),
        ("seats", json!(change.seats.map(|(_, limit)| limit))),
        ("known_users_without_an_account", json!(change.known_alone)),
    ]
}

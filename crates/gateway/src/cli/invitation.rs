//! `gatehouse invitation …`: who may come by signing in where only those may who are invited.

use super::{
    Desk,
    output::{Output, moment},
};
use crate::{error::Error, setup::invitations as setup};
use anyhow::bail;
use clap::Subcommand;
use domain::{
    email::Email,
    ids::{ConnectionId, InvitationId},
    invitation::Step,
};
use serde_json::{Value, json};
use store::invitations::{self, Invited};
use time::OffsetDateTime;

/// Invitations that are listed.
const PAGE: i64 = 1_000;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Invite an address into a connection for 14 days; whatever stood for it before is superseded. No mail is sent: the link is shown once.
    Create {
        /// The connection's id.
        connection: ConnectionId,
        /// The address that the identity provider will name.
        email: String,
    },
    /// List the invitations of a connection, newest first.
    List {
        /// The connection's id.
        connection: ConnectionId,
    },
    /// Withdraw an invitation.
    Revoke {
        /// The connection's id.
        connection: ConnectionId,
        /// The invitation's id.
        id: InvitationId,
    },
}

pub async fn run(command: Command, desk: &Desk, output: &Output) -> anyhow::Result<()> {
    let (store, now) = (&desk.store, desk.now());
    match command {
        Command::Create { connection, email } => {
            desk.tenant_of(connection).await?;
            let email = Email::parse(&email)?;
            let (id, code) = setup::invite(store, now, connection, &email).await?;
            let all = list(desk, connection).await?;
            let made = all.iter().find(|invited| invited.invitation.id == id);
            let mut shown = made.map(|invited| fields(invited, now)).unwrap_or_default();
            let link = format!("{}/invite/{}", desk.config.server.public_url, code.reveal());
            shown.push(("link", json!(link)));
            output.line("Send the link to the person now; it is not shown again.");
            output.record(&shown)
        }
        Command::List { connection } => {
            let all = list(desk, connection).await?;
            output.list(&all.iter().map(|invited| fields(invited, now)).collect::<Vec<_>>())
        }
        Command::Revoke { connection, id } => {
            desk.tenant_of(connection).await?;
            match setup::revoke(store, now, connection, id).await {
                Err(Error::NotFound) => {
                    bail!("the connection has no invitation {id}; `gatehouse invitation list {connection}` shows them")
                }
                done if done.as_ref().is_ok_and(|after| after.step == Step::Accepted) => bail!(
                    "it was accepted, so there is nothing to withdraw; have the person unassigned in the identity provider"
                ),
                done => {
                    done?;
                    Ok(())
                }
            }
        }
    }
}

async fn list(desk: &Desk, connection: ConnectionId) -> anyhow::Result<Vec<Invited>> {
    let mut tx = desk.tenant(desk.tenant_of(connection).await?).await?;
    let all = invitations::list(&mut tx, connection, PAGE).await?;
    tx.rollback().await?;
    Ok(all)
}

fn fields(invited: &Invited, now: OffsetDateTime) -> Vec<(&'static str, Value)> {
    let Invited { email, invitation } = invited;
    vec![
        ("id", json!(invitation.id)),
        ("email", json!(email)),
        ("status", json!(invitation.status(now).as_str())),
        ("created_at", json!(moment(invitation.created_at))),
        ("expires_at", json!(moment(invitation.expires_at()))),
    ]
}

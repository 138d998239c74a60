//! `gatehouse invitation …`: who may come by signing in where only those may who are invited.

use super::{
    Desk,
    output::{Output, moment},
};
use crate::{error::Error, secret::Secret, setup::invitations as setup};
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
    /// Invite an address into a connection; whatever stood for it before is superseded. Where the application invites by mail, a
    /// mail is on its way; elsewhere the link is shown once.
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
    /// Make another invitation instead of one that has run out, came back, or got lost.
    Resend {
        /// The connection's id.
        connection: ConnectionId,
        /// The invitation's id.
        id: InvitationId,
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
            let made = setup::invite(store, now, connection, &email).await?;
            show(desk, connection, made, output).await
        }
        Command::Resend { connection, id } => {
            desk.tenant_of(connection).await?;
            let made = known(setup::resend(store, now, connection, id).await, connection, id)?;
            show(desk, connection, made, output).await
        }
        Command::List { connection } => {
            let all = list(desk, connection).await?;
            output.list(&all.iter().map(|invited| fields(invited, now)).collect::<Vec<_>>())
        }
        Command::Revoke { connection, id } => {
            desk.tenant_of(connection).await?;
            let after = known(setup::revoke(store, now, connection, id).await, connection, id)?;
            if after.step == Step::Accepted {
                bail!(
                    "it was accepted, so there is nothing to withdraw; have the person unassigned in the identity provider"
                );
            }
            Ok(())
        }
    }
}

fn known<T>(outcome: Result<T, Error>, connection: ConnectionId, id: InvitationId) -> anyhow::Result<T> {
    match outcome {
        Err(Error::NotFound) => {
            bail!("the connection has no invitation {id}; `gatehouse invitation list {connection}` shows them")
        }
        outcome => Ok(outcome?),
    }
}

async fn show(
    desk: &Desk,
    connection: ConnectionId,
    (id, code): (InvitationId, Option<Secret>),
    output: &Output,
) -> anyhow::Result<()> {
    let all = list(desk, connection).await?;
    let made = all.iter().find(|invited| invited.invitation.id == id);
    let mut shown = made.map(|invited| fields(invited, desk.now())).unwrap_or_default();
    match code {
        Some(code) => {
            let link = format!("{}/invite/{}", desk.config.server.public_url, code.reveal());
            shown.push(("link", json!(link)));
            output.line("Send the link to the person now; it is not shown again.");
        }
        None if desk.config.mail.is_none() => {
            output.line("No mail goes out: mail.smtp_url is not set. It waits until it is.");
        }
        None => output.line("A mail is on its way."),
    }
    output.record(&shown)
}

async fn list(desk: &Desk, connection: ConnectionId) -> anyhow::Result<Vec<Invited>> {
    let mut tx = desk.tenant(desk.tenant_of(connection).await?).await?;
    let all = invitations::list(&mut tx, connection, PAGE).await?;
    tx.rollback().await?;
    Ok(all)
}

fn fields(invited: &Invited, now: OffsetDateTime) -> Vec<(&'static str, Value)> {
    let Invited { email, invitation, account, problem, .. } = invited;
    vec![
        ("id", json!(invitation.id)),
        ("email", json!(email)),
        ("status", json!(invitation.status(now).as_str())),
        ("created_at", json!(moment(invitation.created_at))),
        ("expires_at", json!(moment(invitation.expires_at()))),
        ("account", json!(account)),
        ("problem", json!(problem)),
    ]
}

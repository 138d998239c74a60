//! `gatehouse session …`: who is signed in, and who is not any more.

use super::{
    Desk,
    output::{Output, moment},
};
use crate::setup::sessions as setup;
use anyhow::bail;
use clap::{Args, Subcommand};
use domain::{
    ids::{ConnectionId, SessionId, UserId},
    session::EndReason,
};
use serde_json::{Value, json};
use store::sessions::{self, Listed, Which};

/// Sessions that are listed at a time.
const PAGE: i64 = 1_000;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// List who is signed in, the oldest session first, 1000 at a time.
    List {
        /// The organization's short name.
        #[arg(long)]
        tenant: String,
        /// Only those of this user.
        #[arg(long, value_name = "ID")]
        user: Option<UserId>,
        /// Start behind this session.
        #[arg(long, value_name = "ID")]
        after: Option<SessionId>,
    },
    /// End sessions: on every gateway at once, with all tokens; applications are told.
    Revoke(Revoke),
}

#[derive(Debug, Args)]
pub struct Revoke {
    /// The organization's short name.
    #[arg(long)]
    tenant: String,
    #[command(flatten)]
    which: Chosen,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Chosen {
    /// This one.
    #[arg(long, value_name = "ID")]
    session: Option<SessionId>,
    /// All of this user.
    #[arg(long, value_name = "ID")]
    user: Option<UserId>,
    /// All that began through this connection.
    #[arg(long, value_name = "ID")]
    connection: Option<ConnectionId>,
    /// All of the organization.
    #[arg(long)]
    all: bool,
}

pub async fn run(command: Command, desk: &Desk, output: &Output) -> anyhow::Result<()> {
    match command {
        Command::List { tenant, user, after } => {
            let tenant = desk.tenant_by_slug(&tenant).await?;
            let mut tx = desk.tenant(tenant.id).await?;
            let page = sessions::list(&mut tx, user, after, PAGE).await?;
            tx.rollback().await?;
            output.list(&page.iter().map(fields).collect::<Vec<_>>())?;
            if let Some(last) = page.last().filter(|_| i64::try_from(page.len()).unwrap_or(PAGE) == PAGE) {
                output.line(&format!("There may be more: go on with --after {}", last.id));
            }
            Ok(())
        }
        Command::Revoke(Revoke { tenant, which }) => {
            let name = tenant;
            let tenant = desk.tenant_by_slug(&name).await?;
            let which = match which {
                Chosen { session: Some(id), .. } => Which::One(id),
                Chosen { user: Some(id), .. } => Which::User(id),
                Chosen { connection: Some(id), .. } => Which::Connection(id),
                _ => Which::Tenant,
            };
            let count = setup::revoke(&desk.store, desk.now(), tenant.id, which, EndReason::Revoked).await?;
            if count == 0 && matches!(which, Which::One(_)) {
                bail!("that session is not there or has ended; `gatehouse session list --tenant {name}` shows them");
            }
            output.line(&format!("Ended {count} session(s)."));
            Ok(())
        }
    }
}

fn fields(session: &Listed) -> Vec<(&'static str, Value)> {
    vec![
        ("id", json!(session.id)),
        ("user_id", json!(session.user)),
        ("user_name", json!(session.user_name)),
        ("connection_id", json!(session.connection)),
        ("proof", json!(proof(session))),
        ("created_at", json!(moment(session.created_at))),
        ("idle_until", json!(moment(session.idle_until))),
        ("expires_at", json!(moment(session.expires_at))),
    ]
}

fn proof(session: &Listed) -> &'static str {
    match (session.by_break_glass, session.by_password) {
        (true, _) => "emergency code",
        (false, true) => "password",
        (false, false) => "assertion",
    }
}

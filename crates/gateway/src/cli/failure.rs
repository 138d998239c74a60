//! `gatehouse failure …`: what identity providers wanted and did not get.

use super::{
    Desk,
    output::{Output, moment},
};
use crate::{
    app::App,
    clock::Clock,
    error::Error,
    failures::{self, MASS_CHANGE, replay::Outcome},
    guard,
};
use anyhow::bail;
use clap::{Args, Subcommand};
use domain::{
    guard::APPROVAL,
    ids::{ConnectionId, FailureId, TenantId},
};
use serde_json::{Value, json};
use store::{
    connections, departures,
    failures::{self as rows, End, Failure, Half, State},
    tenants,
};

/// Failures of each kind that are listed.
const PAGE: i64 = 10_000;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// List who did not get in, or not as the identity provider wants it: why, and what to do. `-o csv` or `-o json` for a file.
    List(List),
    /// Do again what was refused, after its cause is gone. The identity provider is not asked.
    Replay(Replay),
    /// Show whether a sync is paused that takes out too many people, and say whether it is meant.
    Guard(Guard),
    /// Say that a failure is no matter: it leaves the list.
    Dismiss {
        /// The tenant's short name.
        #[arg(long)]
        tenant: String,
        /// The failure's id.
        id: FailureId,
    },
}

#[derive(Debug, Args)]
pub struct List {
    /// The tenant's short name.
    #[arg(long)]
    tenant: String,
    /// Only of this connection.
    #[arg(long)]
    connection: Option<ConnectionId>,
    /// Those that are over, too.
    #[arg(long)]
    all: bool,
}

#[derive(Debug, Args)]
pub struct Replay {
    /// The tenant's short name.
    #[arg(long)]
    tenant: String,
    /// Only these failures; without one, all that are open.
    ids: Vec<FailureId>,
}

#[derive(Debug, Args)]
pub struct Guard {
    /// The connection's id.
    connection: ConnectionId,
    /// It is meant: who was to go goes now, and everybody may within 24 hours.
    #[arg(long, conflicts_with = "resume")]
    approve: bool,
    /// It was not meant, and is over: counting begins anew. Who was to go stays until the identity provider says so again.
    #[arg(long)]
    resume: bool,
}

pub async fn run(command: Command, desk: Desk, output: &Output) -> anyhow::Result<()> {
    match command {
        Command::List(List { tenant, connection, all }) => {
            let tenant = desk.tenant_by_slug(&tenant).await?.id;
            output.list(&report(&desk, tenant, connection, all).await?)
        }
        Command::Replay(Replay { tenant, ids }) => {
            let tenant = desk.tenant_by_slug(&tenant).await?.id;
            again(desk, tenant, (ids, false), output).await
        }
        Command::Guard(Guard { connection, approve, resume }) => {
            let tenant = desk.tenant_of(connection).await?;
            if approve || resume {
                let until = approve.then(|| desk.now() + APPROVAL);
                guard::resume(&desk.store, desk.now(), (tenant, connection), until).await?;
            }
            if approve {
                let ids = of_guard(&desk, tenant, connection).await?;
                return again(desk, tenant, (ids, true), output).await;
            }
            show_guard(&desk, tenant, connection, output).await
        }
        Command::Dismiss { tenant, id } => {
            let mut tx = desk.tenant(desk.tenant_by_slug(&tenant).await?.id).await?;
            let Some(connection) = rows::end(&mut tx, id, End::Dismissed).await? else {
                bail!("the tenant has no open failure {id}; `gatehouse failure list --tenant {tenant}` shows them")
            };
            failures::recovered(&mut tx, connection, id, End::Dismissed).await?;
            Ok(tx.commit().await?)
        }
    }
}

type Line = Vec<(&'static str, Value)>;

async fn report(
    desk: &Desk,
    tenant: TenantId,
    only: Option<ConnectionId>,
    with_ended: bool,
) -> anyhow::Result<Vec<Line>> {
    let mut tx = desk.tenant(tenant).await?;
    let connections = connections::list(&mut tx).await?;
    let mut lines = Vec::new();
    for connection in connections.iter().filter(|known| only.is_none_or(|only| only == known.id)) {
        let mut found = rows::open(&mut tx, connection.id, PAGE).await?;
        if with_ended {
            found.extend(rows::ended(&mut tx, connection.id, PAGE).await?);
        }
        lines.extend(found.iter().map(|failure| line(&connection.display_name, failure)));
        let halves = rows::halves(&mut tx, connection.id, PAGE).await?;
        lines.extend(halves.iter().map(|half| half_line(&connection.display_name, connection.id, half)));
    }
    tx.rollback().await?;
    if let Some(only) = only.filter(|only| connections.iter().all(|known| known.id != *only)) {
        bail!("the tenant has no connection {only}; `gatehouse connection list` shows them");
    }
    Ok(lines)
}

fn line(name: &str, failure: &Failure) -> Line {
    let Failure { who, what, code, detail, source, count, .. } = failure;
    let (why, to_do) = sentences(detail, code);
    vec![
        ("id", json!(failure.id)),
        ("connection", json!(name)),
        ("source", json!(source)),
        ("who", json!(who)),
        ("what", json!(what)),
        ("code", json!(code)),
        ("why", json!(why)),
        ("what_to_do", json!(to_do)),
        ("first_seen", json!(moment(failure.first_at))),
        ("last_seen", json!(moment(failure.last_at))),
        ("count", json!(count)),
        ("can_be_replayed", json!(failure.wish.is_some() && failure.ended.is_none())),
        ("ended", json!(failure.ended.as_ref().map(|(at, by)| format!("{by} at {}", moment(*at))))),
    ]
}

fn half_line(name: &str, connection: ConnectionId, half: &Half) -> Line {
    let (source, what, code, why, to_do) = match &half.state {
        State::Link => (
            "link",
            "sign in",
            "GH-USR-008",
            "Somebody has to say whether the account belongs to the user with the same address.".to_owned(),
            format!("gatehouse user confirm: account {}", half.id),
        ),
        State::Seat => (
            "seat",
            "sign in",
            "GH-SEA-002",
            "All seats are taken; the user is in line.".to_owned(),
            "Have somebody else unassigned, or raise the limit: gatehouse tenant seats".to_owned(),
        ),
        State::Role(role) => (
            "role",
            "have a role",
            "GH-ROL-001",
            format!("The role that was sent is none of the application's; the user has {role}."),
            "Correct the role in the identity provider, or add it: gatehouse application set --role. Then replay."
                .to_owned(),
        ),
        State::Invitation(problem) => (
            "invitation",
            "be invited",
            "GH-INV-005",
            format!("The mail came back: {problem}"),
            format!(
                "Correct the address in the identity provider, or: gatehouse invitation resend {connection} {}",
                half.id
            ),
        ),
    };
    vec![
        ("id", json!(half.id)),
        ("connection", json!(name)),
        ("source", json!(source)),
        ("who", json!(half.who)),
        ("what", json!(what)),
        ("code", json!(code)),
        ("why", json!(why)),
        ("what_to_do", json!(to_do)),
        ("first_seen", json!(moment(half.since))),
        ("last_seen", json!(moment(half.since))),
        ("count", json!(1)),
        ("can_be_replayed", json!(half.state == State::Seat || matches!(half.state, State::Role(_)))),
        ("ended", Value::Null),
    ]
}

/// Why, and what to do: our sentences say both, in this order.
fn sentences(detail: &str, code: &str) -> (String, String) {
    let detail = detail.trim_end().strip_suffix(&format!("({code})")).unwrap_or(detail).trim_end();
    let parted = detail.split_once("; ").or_else(|| detail.split_once(". "));
    match parted {
        Some((why, to_do)) => (capital(why), capital(to_do)),
        None if detail.is_empty() => ("The request was not answered.".to_owned(), more(code)),
        None => (capital(detail), more(code)),
    }
}

fn more(code: &str) -> String {
    format!("docs/ERRORS.md has more about {code}.")
}

fn capital(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map(|first| first.to_uppercase().chain(characters).collect()).unwrap_or_default()
}

/// Departures that wait for somebody to say that they are meant.
async fn of_guard(desk: &Desk, tenant: TenantId, connection: ConnectionId) -> anyhow::Result<Vec<FailureId>> {
    let mut tx = desk.tenant(tenant).await?;
    let open = rows::open(&mut tx, connection, PAGE).await?;
    tx.rollback().await?;
    Ok(open.into_iter().filter(|failure| failure.code == MASS_CHANGE).map(|failure| failure.id).collect())
}

async fn show_guard(desk: &Desk, tenant: TenantId, connection: ConnectionId, output: &Output) -> anyhow::Result<()> {
    let waiting = of_guard(desk, tenant, connection).await?.len();
    let mut tx = desk.tenant(tenant).await?;
    let percent = tenants::wishes(&mut tx).await?.map_or(0, |wishes| wishes.mass_change_percent);
    let guard = departures::guard(&mut tx, connection).await?;
    tx.rollback().await?;
    let (gone, there) = guard.map_or((0, 0), |guard| (guard.departures.gone, guard.departures.there));
    output.record(&[
        ("mass_change_percent", json!(percent)),
        ("paused_at", json!(guard.and_then(|guard| guard.paused_at).map(moment))),
        ("waiting_to_go", json!(waiting)),
        ("gone", json!(gone)),
        ("of_users", json!(there)),
        ("since", json!(guard.map(|guard| moment(guard.since)))),
        ("approved_until", json!(guard.and_then(|guard| guard.approved_until).map(moment))),
    ])
}

async fn again(
    desk: Desk,
    tenant: TenantId,
    (ids, is_of_guard): (Vec<FailureId>, bool),
    output: &Output,
) -> anyhow::Result<()> {
    let Desk { config, store, .. } = desk;
    store.close().await;
    let app = App::start(config, Clock::System).await?;
    let mut wanted = ids.clone();
    if ids.is_empty() && !is_of_guard {
        let mut tx = app.tenant(tenant, store::scope::Actor::Operator, app.clock.now()).await?;
        let connections = connections::list(&mut tx).await?;
        for connection in &connections {
            let open = rows::open(&mut tx, connection.id, PAGE).await?;
            // Those wait for `failure guard --approve`.
            wanted.extend(open.iter().filter(|failure| failure.code != MASS_CHANGE).map(|failure| failure.id));
        }
        tx.rollback().await?;
        for connection in &connections {
            failures::replay::look_again(&app, tenant, connection.id).await?;
        }
    }
    let mut lines = Vec::new();
    for id in wanted {
        let (failure, outcome) = match failures::replay::one(&app, tenant, id).await {
            Err(Error::NotFound) => bail!("the tenant has no failure {id}; `gatehouse failure list` shows them"),
            done => done?,
        };
        let (outcome, why) = match outcome {
            Outcome::Done => ("done", None),
            Outcome::Over => ("over already", None),
            Outcome::NotKept => {
                ("not kept", Some("What was wanted is not kept; push it again from the identity provider.".to_owned()))
            }
            Outcome::Refused(refused) => ("refused", Some(refused.detail)),
        };
        lines.push(vec![
            ("id", json!(id)),
            ("who", json!(failure.who)),
            ("what", json!(failure.what)),
            ("outcome", json!(outcome)),
            ("why", json!(why)),
        ]);
    }
    output.list(&lines)
}

//! `gatehouse user …`

use super::{
    Desk,
    output::{Output, moment},
};
use crate::{
    access_control,
    error::Error,
    roles::InForce,
    saml::settings::Settings,
    scim::schemas,
    setup::{
        erasure::{self, Erased, Who},
        invitations,
        people::{self, Imported, Known},
    },
};
use anyhow::{Context, anyhow, bail};
use clap::{Args, Subcommand, ValueEnum};
use domain::{
    account::{Account, Parked},
    email::Email,
    ids::{AccountId, ConnectionId, TenantId, UserId},
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use store::{
    accounts,
    connections::{self, Connection},
    sessions,
    tenant::TenantTx,
    users,
};
use uuid::Uuid;

/// Users that one file may bring.
const MOST: usize = 100_000;

/// Users whom one address finds.
const PAGE: i64 = 100;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Bring in users whom the application knows, from CSV or JSON; accounts are linked to them by address.
    Import(Import),
    /// Show a user with all accounts: why each has its role, and how it came to the user.
    Show {
        #[command(flatten)]
        tenant: Of,
        /// The user's id or address.
        who: String,
    },
    /// List the accounts of a connection: whose each is, why it has its role, and how it came to the user.
    List {
        /// The connection's id.
        #[arg(long)]
        connection: ConnectionId,
        /// Those behind this account, the last one of the page before.
        #[arg(long, value_name = "ACCOUNT")]
        after: Option<AccountId>,
        /// How many.
        #[arg(short = 'n', long, default_value_t = 100, value_parser = clap::value_parser!(i64).range(1..=1000))]
        limit: i64,
    },
    /// Delete a user all of whose accounts are deactivated, for good.
    Delete {
        #[command(flatten)]
        tenant: Of,
        /// The user's id.
        user: UserId,
    },
    /// Erase a person for good, everywhere in the tenant: accounts, also of removed connections, invitations, logs. Shows what would go.
    Erase {
        #[command(flatten)]
        tenant: Of,
        /// The user's id or address; also the address of somebody who is gone already.
        who: String,
        /// Do it; there is no way back.
        #[arg(long)]
        yes: bool,
    },
    /// Make a link by which a user whom the application knows ties their account at the identity provider to themselves; shown once, for
    /// a day.
    Link {
        #[command(flatten)]
        tenant: Of,
        /// The user's id.
        user: UserId,
        /// The connection through which they come from then on.
        #[arg(long)]
        connection: ConnectionId,
    },
    /// Make two users one: the accounts of the first are the second one's.
    Merge {
        #[command(flatten)]
        tenant: Of,
        /// The id of the user who goes.
        user: UserId,
        /// The id of the user who stays.
        #[arg(long)]
        into: UserId,
    },
    /// Give an account a user of its own.
    Split {
        #[command(flatten)]
        tenant: Of,
        /// The account's id, which is that of the SCIM user.
        account: AccountId,
    },
    /// Undo a merge or a split.
    Undo {
        #[command(flatten)]
        tenant: Of,
        /// The change's id, as it was told.
        change: Uuid,
    },
    /// Say of a parked account whether it is the user's whose address it has.
    Confirm {
        #[command(flatten)]
        tenant: Of,
        /// The account's id.
        account: AccountId,
        /// `yes` links it; `no` leaves it a user of its own.
        answer: Answer,
    },
}

#[derive(Debug, Args)]
pub struct Of {
    /// The tenant's short name.
    #[arg(long)]
    tenant: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Answer {
    Yes,
    No,
}

#[derive(Debug, Args)]
pub struct Import {
    #[command(flatten)]
    tenant: Of,
    /// A file with the columns, or the fields of each object, `email`, and if you like `id` (a UUID, which tokens will
    /// carry as `sub`), `name`, and `method`: how they sign in until now, such as password or google. Its name ends with .csv or .json.
    file: PathBuf,
}

/// A line of the file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    #[serde(default)]
    id: Option<String>,
    email: String,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    method: Option<String>,
}

impl Of {
    async fn find(&self, desk: &Desk) -> anyhow::Result<TenantId> {
        Ok(desk.tenant_by_slug(&self.tenant).await?.id)
    }
}

pub async fn run(command: Command, desk: &Desk, output: &Output) -> anyhow::Result<()> {
    let (store, now) = (&desk.store, desk.now());
    match command {
        Command::Import(import) => bring_in(&import, desk, output).await,
        Command::Show { tenant, who } => show(desk, tenant.find(desk).await?, &who, output).await,
        Command::List { connection, after, limit } => list(desk, connection, after, limit, output).await,
        Command::Delete { tenant, user } => {
            people::delete(store, now, tenant.find(desk).await?, user).await.map_err(explained)?;
            output.line("Deleted.");
            Ok(())
        }
        Command::Erase { tenant, who, yes } => erase(desk, tenant.find(desk).await?, &who, yes, output).await,
        Command::Link { tenant, user, connection } => {
            link(desk, tenant.find(desk).await?, user, connection, output).await
        }
        Command::Merge { tenant, user, into } => {
            let change = people::merge(store, now, tenant.find(desk).await?, user, into).await.map_err(explained)?;
            told(change, output)
        }
        Command::Split { tenant, account } => {
            let change = people::split(store, now, tenant.find(desk).await?, account).await.map_err(explained)?;
            told(change, output)
        }
        Command::Undo { tenant, change } => {
            people::undo(store, now, tenant.find(desk).await?, change).await.map_err(explained)?;
            output.line("Undone.");
            Ok(())
        }
        Command::Confirm { tenant, account, answer } => {
            let tenant = tenant.find(desk).await?;
            match people::confirm(store, now, tenant, account, answer == Answer::Yes).await.map_err(explained)? {
                Some(change) => told(change, output),
                None => {
                    output.line("The account is a user of its own.");
                    Ok(())
                }
            }
        }
    }
}

fn explained(error: Error) -> anyhow::Error {
    match error {
        Error::NotFound => anyhow!(
            "this tenant has no such user, or no account of that id that waits, or the change was undone before; \
             `gatehouse user show --tenant NAME WHO` tells how it is"
        ),
        error => error.into(),
    }
}

fn told(change: Uuid, output: &Output) -> anyhow::Result<()> {
    output.line("Done. To undo it: gatehouse user undo --tenant NAME CHANGE, with this change:");
    output.record(&[("change", json!(change))])
}

async fn link(
    desk: &Desk,
    tenant: TenantId,
    user: UserId,
    connection: ConnectionId,
    output: &Output,
) -> anyhow::Result<()> {
    if desk.tenant_of(connection).await? != tenant {
        bail!(
            "the connection {connection} is another tenant's; `gatehouse connection list --tenant NAME` shows this one's"
        );
    }
    let (id, code) = invitations::link(&desk.store, desk.now(), connection, user).await.map_err(explained)?;
    output
        .line("Give the link to that person only: whoever opens it and signs in becomes them. It is not shown again.");
    let link = format!("{}/invite/{}", desk.config.server.public_url, code.reveal());
    output.record(&[("invitation", json!(id)), ("user", json!(user)), ("link", json!(link))])
}

async fn erase(desk: &Desk, tenant: TenantId, who: &str, yes: bool, output: &Output) -> anyhow::Result<()> {
    let erased = erasure::erase(&desk.store, desk.vault()?, desk.now(), tenant, &Who::parse(who)?, yes).await;
    let Erased { user, accounts, gone, named_by_others } = erased.map_err(explained)?;
    if yes {
        output.line("Erased. Backups, and whoever was told of the person, still know them: the application, the identity provider.");
    } else {
        output.line("This would go, and nothing has yet. Add --yes to erase it; there is no way back:");
    }
    if named_by_others > 0 {
        output.line("Users or groups of others still name the person, as a manager or in a name: change that in the identity provider.");
    }
    output.record(&[
        ("user", json!(user)),
        ("is_erased", json!(yes)),
        ("accounts", json!(accounts)),
        ("invitations", json!(gone.invitations)),
        ("failures", json!(gone.failures)),
        ("failures_of_others_cut", json!(gone.wishes)),
        ("scim_exchanges", json!(gone.scim_exchanges)),
        ("sign_in_steps", json!(gone.sign_in_steps)),
        ("sign_in_requests", json!(gone.sign_in_requests)),
        ("logouts", json!(gone.logouts)),
        ("merges_and_splits", json!(gone.user_changes)),
        ("still_named_by_others", json!(named_by_others)),
    ])
}

async fn bring_in(import: &Import, desk: &Desk, output: &Output) -> anyhow::Result<()> {
    let tenant = import.tenant.find(desk).await?;
    let known = read(&import.file)?;
    let Imported { new, clashes } = people::import(&desk.store, desk.now(), tenant, &known).await?;
    if !clashes.is_empty() {
        output.line(
            "These were left out, because another user has the address. Tokens carry that other's id: use it in the \
             application, or correct one of the addresses and bring them in again:",
        );
    }
    let told: Vec<Value> = clashes.iter().map(|(id, other)| json!({ "id": id, "other": other })).collect();
    let known_already = known.len() - new - clashes.len();
    output.record(&[("new", json!(new)), ("known_already", json!(known_already)), ("clashes", json!(told))])
}

/// The users of a file; the first line that cannot be used is told with its place, and then none is brought in.
fn read(file: &Path) -> anyhow::Result<Vec<Known>> {
    let name = file.display();
    let text = std::fs::read_to_string(file).with_context(|| format!("{name} cannot be read"))?;
    let lines: Vec<Line> = match file.extension().and_then(|extension| extension.to_str()) {
        Some("json") => serde_json::from_str(&text).with_context(|| format!("{name} is not a list of users"))?,
        Some("csv") => csv::ReaderBuilder::new()
            .trim(csv::Trim::All)
            .from_reader(text.trim_start_matches('\u{feff}').as_bytes())
            .into_deserialize()
            .collect::<Result<_, _>>()
            .with_context(|| {
                format!("{name} does not have the columns email, id, name and method, or only some of them")
            })?,
        _ => bail!("{name} is neither .csv nor .json"),
    };
    if lines.len() > MOST {
        bail!("{name} has {} users; bring in {MOST} at a time", lines.len());
    }
    let known = |(place, line): (usize, Line)| known(line).with_context(|| format!("user {} of {name}", place + 1));
    lines.into_iter().enumerate().map(known).collect()
}

fn known(line: Line) -> anyhow::Result<Known> {
    let filled = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
    let id = filled(line.id).map(|id| id.trim().parse::<UserId>()).transpose();
    let id = id.ok().context("the id is no UUID; leave it out, and keep your own beside the one that is made")?;
    let method = filled(line.method).map(|method| method.trim().to_lowercase());
    let is_word = |method: &String| {
        method.len() <= 32
            && method.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(&byte))
    };
    if let Some(method) = method.as_ref().filter(|method| !is_word(method) || *method == users::SSO) {
        bail!(
            "the method {method} is no word of a-z, 0-9, _ and -, or it is sso, which is for those who have come by it"
        );
    }
    Ok(Known { id, email: Email::parse(line.email.trim())?, display_name: filled(line.name), method })
}

async fn show(desk: &Desk, tenant: TenantId, who: &str, output: &Output) -> anyhow::Result<()> {
    let mut tx = desk.tenant(tenant).await?;
    let found = match who.parse::<UserId>() {
        Ok(id) => vec![id],
        Err(_) => users::by_email(&mut tx, Email::parse(who)?.key(), PAGE).await?,
    };
    let all = connections::list(&mut tx).await?;
    let mut records = Vec::new();
    for id in found {
        let Some(row) = users::row(&mut tx, id).await? else { continue };
        let accounts = accounts::of_user(&mut tx, id).await?;
        let named = |account: &Account| {
            let connection = all.iter().find(|known| known.id == account.connection_id);
            connection.map_or("a connection", |known| known.display_name.as_str()).to_owned()
        };
        let mut told = Vec::new();
        for (account, linked_by) in &accounts {
            let connection = all.iter().find(|known| known.id == account.connection_id);
            let mut one = told_of(&named(account), account, linked_by);
            one["access_control"] = match connection {
                Some(connection) => attributes(&mut tx, connection, account).await?,
                None => Value::Null,
            };
            told.push(one);
        }
        records.push(vec![
            ("id", json!(id)),
            ("email", row["email"].clone()),
            ("name", row["display_name"].clone()),
            ("imported", row["imported"].clone()),
            ("sign_in_method", row["sign_in_method"].clone()),
            ("accounts", json!(told)),
        ]);
    }
    tx.rollback().await?;
    if records.is_empty() {
        let erased = match desk.vault() {
            Ok(vault) => erasure::find(&desk.store, vault, desk.now(), tenant, &Who::parse(who)?).await?,
            // Without the key nobody can tell.
            Err(_) => Vec::new(),
        };
        match erased.first() {
            Some(tombstone) => bail!("{who} was erased at {}", moment(tombstone.erased_at)),
            None => bail!("the tenant has no user {who}"),
        }
    }
    output.list(&records)
}

async fn list(
    desk: &Desk,
    connection: ConnectionId,
    after: Option<AccountId>,
    limit: i64,
    output: &Output,
) -> anyhow::Result<()> {
    let mut tx = desk.tenant(desk.tenant_of(connection).await?).await?;
    let page = accounts::page(&mut tx, connection, after.unwrap_or(AccountId(Uuid::nil())), limit).await?;
    tx.rollback().await?;
    let fields = |(account, linked_by): &(Account, String)| {
        let told = told_of("", account, linked_by);
        let told = |name: &'static str| (name, told[name].clone());
        let mut fields = vec![("id", json!(account.id)), ("user", json!(account.user_id))];
        fields.extend(["user_name", "state", "role", "why", "link", "since"].map(told));
        fields
    };
    output.list(&page.iter().map(fields).collect::<Vec<_>>())
}

/// What the application is told for access control, and from which source.
async fn attributes(tx: &mut TenantTx, connection: &Connection, account: &Account) -> anyhow::Result<Value> {
    let in_force = InForce::of(tx, connection.id).await?;
    let catalogue = schemas::catalogue(tx, connection.id, &in_force.catalogue).await?;
    let session = sessions::last_attributes(tx, connection.id, account.id).await?;
    let settings = Settings::of(connection)?.access_control;
    Ok(json!(access_control::of(&settings, &catalogue, &account.profile.document, session.as_ref())?))
}

/// An account in a sentence for people, field by field for programs.
fn told_of(connection: &str, account: &Account, linked_by: &str) -> Value {
    let profile = &account.profile;
    let link = match linked_by {
        "address" => "linked by its address",
        "operator" => "given to this user by the operator",
        _ => "came with this user",
    };
    let state = match (profile.active, account.parked) {
        (false, _) => "deactivated".to_owned(),
        (true, Some(Parked::Link(user))) => format!("waits: is it user {user}?"),
        (true, Some(Parked::Seat)) => "waits for a seat".to_owned(),
        (true, Some(Parked::Shadow)) => "waits for its connection to go live".to_owned(),
        (true, None) => "active".to_owned(),
    };
    json!({
        "id": account.id, "connection": connection, "user_name": profile.user_name.as_str(), "state": state,
        "role": profile.role, "why": format!("{}, {}", profile.role, profile.role_basis.reason), "link": link,
        "since": moment(account.created_at),
    })
}

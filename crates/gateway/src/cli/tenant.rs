//! `gatehouse tenant …`

use super::{
    Desk, application, break_glass,
    connection::Switch,
    named,
    output::{Output, moment},
};
use crate::{
    roles,
    setup::{
        self, export, moving,
        sessions::{self, Entry},
    },
};
use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use domain::{
    email::Email,
    ids::{ApplicationId, TenantId, UserId},
    linking::{Linking, PlusAddresses},
    names::Slug,
    seats::SeatPolicy,
};
use serde_json::{Map, Value, json};
use std::{collections::HashMap, io::BufWriter};
use store::{
    accounts::{self, Tally},
    applications, connections, domains, invitations,
    scope::Actor,
    seats::{self, Counted},
    tenant::TenantTx,
    tenants::{self, Tenant, Wishes},
    users,
};

/// Tenants that one `list` prints.
const PAGE: i64 = 1_000;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Add a customer organization.
    Create(Create),
    /// Set what an organization asked for.
    Set(Set),
    /// Set how many of an organization's users an application lets in, and what becomes of more.
    Seats(Seats),
    /// Keep everybody of an organization from signing in, and end their sessions. SCIM is heard all the same.
    Suspend {
        /// Its short name.
        name: String,
    },
    /// Let a suspended organization in again.
    Resume {
        /// Its short name.
        name: String,
    },
    /// Let people choose on the login page between the identity provider and the application's own way, while their organization is
    /// moving. The application has to have an own login address (`application set --own-login-uri`).
    BothWays {
        /// Its short name.
        name: String,
    },
    /// Have everybody come by the identity provider, once an administrator has signed in through it in the last 15 minutes; who has no
    /// emergency codes gets some.
    SsoOnly {
        /// Its short name.
        name: String,
        /// The administrator's user id or address.
        #[arg(long, value_name = "USER")]
        by: String,
    },
    /// Show an organization, its mail domains, its seats and its members.
    Show {
        /// Its short name.
        name: String,
    },
    /// Write everything of an organization to standard output, a JSON object a line, without secrets. The last line has `counts`.
    Export {
        /// Its short name.
        name: String,
    },
    /// List organizations by name.
    List {
        /// Start behind this name.
        #[arg(long, default_value = "", value_name = "NAME")]
        after: String,
    },
}

#[derive(Debug, Args)]
pub struct Create {
    /// Short name, part of the sign-in link /t/NAME: a-z, 0-9 and hyphens.
    name: String,
    /// The name that people see.
    #[arg(long = "name", value_name = "TEXT")]
    display_name: Option<String>,
    /// A mail domain that you vouch for: addresses in it count as verified. Repeat for several.
    #[arg(long = "domain", value_name = "DOMAIN")]
    domains: Vec<String>,
}

#[derive(Debug, Args)]
pub struct Seats {
    /// The organization's short name.
    name: String,
    /// The application's short name.
    #[arg(long)]
    application: String,
    /// How many users may have an active account. Who has a seat keeps it, also when there are fewer seats.
    #[arg(long, value_name = "NUMBER", required_unless_present = "unlimited")]
    limit: Option<u32>,
    /// What becomes of who comes when all seats are taken: the identity provider is refused; they wait outside until a seat
    /// is free; they have a lower role until then; or they get in all the same, and an event tells. Without it, as before, at
    /// first `refuse`.
    #[arg(long, value_name = "POLICY", value_parser = SeatPolicy::NAMES)]
    policy: Option<String>,
    /// The role of who waits, for the policy of that name.
    #[arg(long, value_name = "ROLE")]
    fallback_role: Option<String>,
    /// Count no more; who waits comes in.
    #[arg(long, conflicts_with_all = ["limit", "fallback_role"])]
    unlimited: bool,
}

#[derive(Debug, Args)]
pub struct Set {
    /// Its short name.
    name: String,
    /// Whether the last active administrator of an application is kept from deactivation and from another role.
    #[arg(long, value_name = "on|off")]
    keep_administrator: Option<Switch>,
    /// What becomes of an account whose address, in a domain of the organization, somebody has: it is that person's, it
    /// waits until you say whose it is, or it is refused.
    #[arg(long, value_name = "POLICY", value_parser = named(Linking::ALL.map(Linking::as_str), Linking::read))]
    linking: Option<Linking>,
    /// Whether ann+test@acme.com is ann@acme.com when accounts are linked.
    #[arg(long, value_name = "RULE", value_parser = named(PlusAddresses::ALL.map(PlusAddresses::as_str), PlusAddresses::read))]
    plus_addresses: Option<PlusAddresses>,
    /// Above which share of a connection's users a sync that takes them out within an hour is paused until you say that it is meant: 1
    /// to 100 (50), 0 for never. Twenty may always go.
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    mass_change_percent: Option<u8>,
    /// After how many days an account that is out is deleted for good: 1 to 3650, 0 for never.
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(i32).range(0..=3650))]
    delete_after_days: Option<i32>,
}

async fn set(set: Set, desk: &Desk) -> anyhow::Result<()> {
    let Set { name, keep_administrator, linking, plus_addresses, mass_change_percent, delete_after_days } = set;
    let tenant = desk.tenant_by_slug(&name).await?;
    let change = |wishes: &mut Wishes| {
        wishes.keeps_administrator = keep_administrator.map_or(wishes.keeps_administrator, Switch::is_on);
        wishes.linking = linking.unwrap_or(wishes.linking);
        wishes.plus_addresses = plus_addresses.unwrap_or(wishes.plus_addresses);
        wishes.mass_change_percent = mass_change_percent.unwrap_or(wishes.mass_change_percent);
        if let Some(days) = delete_after_days {
            wishes.delete_after_days = Some(days).filter(|days| *days > 0);
        }
    };
    Ok(setup::people::wish(&desk.store, desk.now(), tenant.id, change).await?)
}

async fn set_seats(arguments: Seats, desk: &Desk, output: &Output) -> anyhow::Result<()> {
    let Seats { name, application, limit, policy, fallback_role, .. } = arguments;
    let (store, now) = (&desk.store, desk.now());
    let tenant = desk.tenant_by_slug(&name).await?;
    let application = application::find(desk, &application).await?;
    let connections = match limit {
        None => setup::seats::remove(store, now, tenant.id, application.id).await?,
        Some(limit) => {
            let catalogue = &application.catalogue;
            let role = match &fallback_role {
                None => None,
                Some(role) => Some(catalogue.find(role).with_context(|| {
                    format!("{} has no role \"{role}\"; it has {}", application.slug, catalogue.roles().join(", "))
                })?),
            };
            let policy = match &policy {
                Some(policy) => SeatPolicy::read(policy, role)
                    .context("--fallback-role belongs to --policy fallback-role, and to no other")?,
                None if role.is_some() => bail!("--fallback-role belongs to --policy fallback-role; give that too"),
                None => policy_of(desk, tenant.id, application.id).await?.unwrap_or(SeatPolicy::Refuse),
            };
            setup::seats::set(store, now, tenant.id, application.id, (limit, &policy)).await?
        }
    };
    for connection in connections {
        roles::settle_all(store, (tenant.id, connection), Actor::Operator, now).await?;
    }
    let mut tx = desk.tenant(tenant.id).await?;
    let counted = seats::list(&mut tx).await?;
    let counted = counted.iter().find(|counted| counted.held.application == application.id);
    let record = match counted {
        Some(counted) => counted_fields(&application.slug, counted),
        None => vec![("application", json!(application.slug)), ("limit", Value::Null)],
    };
    tx.rollback().await?;
    output.record(&record)
}

async fn policy_of(desk: &Desk, tenant: TenantId, application: ApplicationId) -> anyhow::Result<Option<SeatPolicy>> {
    let mut tx = desk.tenant(tenant).await?;
    let counted = seats::list(&mut tx).await?;
    tx.rollback().await?;
    let counted = counted.into_iter().find(|counted| counted.held.application == application);
    Ok(counted.map(|counted| counted.held.seats.policy))
}

fn counted_fields(application: &str, counted: &Counted) -> Vec<(&'static str, Value)> {
    let seats = &counted.held.seats;
    vec![
        ("application", json!(application)),
        ("limit", json!(seats.limit)),
        ("taken", json!(seats.taken)),
        ("waiting", json!(counted.waiting)),
        ("policy", json!(seats.policy.as_str())),
        ("fallback_role", json!(seats.policy.fallback())),
    ]
}

pub async fn run(command: Command, desk: &Desk, output: &Output) -> anyhow::Result<()> {
    match command {
        Command::Create(create) => add(create, desk, output).await,
        Command::Set(arguments) => {
            let name = arguments.name.clone();
            set(arguments, desk).await?;
            show(desk, &name, output).await
        }
        Command::Seats(arguments) => set_seats(arguments, desk, output).await,
        Command::Suspend { name } => suspend(desk, &name, Entry::Suspended, output).await,
        Command::Resume { name } => suspend(desk, &name, Entry::Open, output).await,
        Command::Show { name } => show(desk, &name, output).await,
        Command::BothWays { name } => {
            let tenant = desk.tenant_by_slug(&name).await?.id;
            moving::both(&desk.store, desk.now(), tenant).await?;
            show(desk, &name, output).await
        }
        Command::SsoOnly { name, by } => sso_only(desk, &name, &by, output).await,
        Command::Export { name } => {
            let tenant = desk.tenant_by_slug(&name).await?.id;
            let mut out = BufWriter::new(std::io::stdout().lock());
            export::write(&desk.store, desk.now(), tenant, &mut out).await?;
            Ok(())
        }
        Command::List { after } => {
            let mut tx = desk.store.control(desk.now()).await?;
            let all = tenants::list(&mut tx, &after, PAGE).await?;
            tx.rollback().await?;
            output.list(&all.iter().map(fields).collect::<Vec<_>>())
        }
    }
}

async fn sso_only(desk: &Desk, name: &str, by: &str, output: &Output) -> anyhow::Result<()> {
    let tenant = desk.tenant_by_slug(name).await?.id;
    let mut tx = desk.tenant(tenant).await?;
    let found = match by.parse::<UserId>() {
        Ok(id) => vec![id],
        Err(_) => users::by_email(&mut tx, Email::parse(by)?.key(), 2).await?,
    };
    tx.rollback().await?;
    let [by] = found[..] else {
        bail!("the tenant has nobody, or more than one, of the address {by}; `gatehouse user show` tells their ids");
    };
    let switched = moving::sso_only(&desk.store, desk.now(), tenant, by).await?;
    if switched.codes.is_empty() {
        return show(desk, name, output).await;
    }
    let mut tx = desk.tenant(tenant).await?;
    let account = accounts::by_id(&mut tx, switched.account).await?.context("the account is gone")?;
    tx.rollback().await?;
    break_glass::show(desk, switched.connection, account.profile.user_name.as_str(), &switched.codes, output)
}

async fn add(create: Create, desk: &Desk, output: &Output) -> anyhow::Result<()> {
    let Create { name, display_name, domains } = create;
    let slug = Slug::parse(&name)?;
    let display_name = display_name.as_deref().unwrap_or(&name);
    setup::create_tenant(&desk.store, desk.now(), &slug, display_name, &domains).await?;
    show(desk, &name, output).await
}

async fn suspend(desk: &Desk, name: &str, entry: Entry, output: &Output) -> anyhow::Result<()> {
    let tenant = desk.tenant_by_slug(name).await?;
    let ended = sessions::suspend(&desk.store, desk.now(), tenant.id, None, entry).await?;
    output.line(&format!("Ended {ended} session(s)."));
    show(desk, name, output).await
}

async fn show(desk: &Desk, name: &str, output: &Output) -> anyhow::Result<()> {
    let tenant = desk.tenant_by_slug(name).await?;
    let mut tx = desk.tenant(tenant.id).await?;
    let domains: Vec<String> = domains::list(&mut tx).await?.into_iter().map(|proven| proven.domain).collect();
    let wishes = tenants::wishes(&mut tx).await?.context("the tenant is gone")?;
    let sign_in = tenants::sign_in(&mut tx).await?;
    let methods: Map<String, Value> =
        users::count_methods(&mut tx).await?.into_iter().map(|(method, count)| (method, json!(count))).collect();
    let members = members(&mut tx).await?;
    let seats = seats::list(&mut tx).await?;
    tx.rollback().await?;
    let mut control = desk.store.control(desk.now()).await?;
    let applications = applications::list(&mut control).await?;
    control.rollback().await?;
    let named = |counted: &Counted| {
        let known = applications.iter().find(|known| known.id == counted.held.application);
        known.map_or("?", |known| known.slug.as_str()).to_owned()
    };
    let seats: Vec<Value> = seats
        .iter()
        .map(|counted| {
            let fields = counted_fields(&named(counted), counted);
            fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>().into()
        })
        .collect();
    let mut shown = fields(&tenant);
    shown.push(("domains", json!(domains)));
    shown.push(("keeps_administrator", json!(wishes.keeps_administrator)));
    shown.push(("linking", json!(wishes.linking.as_str())));
    shown.push(("delete_after_days", json!(wishes.delete_after_days)));
    shown.push(("mass_change_percent", json!(wishes.mass_change_percent)));
    shown.push(("plus_addresses", json!(wishes.plus_addresses.as_str())));
    shown.push(("sign_in", json!(sign_in.as_str())));
    shown.push(("sign_in_methods", json!(methods)));
    shown.push(("seats", json!(seats)));
    shown.push(("members", json!(members)));
    shown.push(("sign_in_url", json!(format!("{}/t/{}", desk.config.server.public_url, tenant.slug))));
    output.record(&shown)
}

/// How the accounts of each connection stand.
async fn members(tx: &mut TenantTx) -> anyhow::Result<Vec<Value>> {
    let connections = connections::list(tx).await?;
    let named = |id| connections.iter().find(|known| known.id == id).map(|known| known.display_name.as_str());
    let invited: HashMap<_, _> = invitations::tally(tx).await?.into_iter().collect();
    let tallies = accounts::tally(tx).await?;
    let member = |tally: &Tally| {
        json!({
            "connection": tally.connection, "name": named(tally.connection), "active": tally.active,
            "invited": invited.get(&tally.connection).copied().unwrap_or_default(), "unlinked": tally.unlinked,
            "parked": tally.parked, "deactivated": tally.deactivated,
        })
    };
    Ok(tallies.iter().map(member).collect())
}

fn fields(tenant: &Tenant) -> Vec<(&'static str, Value)> {
    vec![
        ("name", json!(tenant.slug)),
        ("display_name", json!(tenant.display_name)),
        ("id", json!(tenant.id)),
        ("suspended_at", json!(tenant.suspended_at.map(moment))),
    ]
}

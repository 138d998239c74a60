//! `gatehouse tenant …`

use super::{Desk, connection::Switch, named, output::Output};
use crate::setup;
use anyhow::Context;
use clap::{Args, Subcommand};
use domain::{
    linking::{Linking, PlusAddresses},
    names::Slug,
};
use serde_json::{Value, json};
use store::{
    domains,
    tenants::{self, Tenant},
};

/// Tenants that one `list` prints.
const PAGE: i64 = 1_000;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Add a customer organization.
    Create(Create),
    /// Set what an organization asked for.
    Set(Set),
    /// Show an organization and its mail domains.
    Show {
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
}

async fn set(set: Set, desk: &Desk) -> anyhow::Result<()> {
    let Set { name, keep_administrator, linking, plus_addresses } = set;
    let tenant = desk.tenant_by_slug(&name).await?;
    let mut tx = desk.tenant(tenant.id).await?;
    let mut wishes = tenants::wishes(&mut tx).await?.context("the tenant is gone")?;
    tx.rollback().await?;
    if let Some(keeps) = keep_administrator {
        wishes.keeps_administrator = keeps.is_on();
    }
    wishes.linking = linking.unwrap_or(wishes.linking);
    wishes.plus_addresses = plus_addresses.unwrap_or(wishes.plus_addresses);
    Ok(setup::people::wish(&desk.store, desk.now(), tenant.id, &wishes).await?)
}

pub async fn run(command: Command, desk: &Desk, output: &Output) -> anyhow::Result<()> {
    match command {
        Command::Create(create) => add(create, desk, output).await,
        Command::Set(arguments) => {
            let name = arguments.name.clone();
            set(arguments, desk).await?;
            show(desk, &name, output).await
        }
        Command::Show { name } => show(desk, &name, output).await,
        Command::List { after } => {
            let mut tx = desk.store.control(desk.now()).await?;
            let all = tenants::list(&mut tx, &after, PAGE).await?;
            tx.rollback().await?;
            output.list(&all.iter().map(fields).collect::<Vec<_>>())
        }
    }
}

async fn add(create: Create, desk: &Desk, output: &Output) -> anyhow::Result<()> {
    let Create { name, display_name, domains } = create;
    let slug = Slug::parse(&name)?;
    let display_name = display_name.as_deref().unwrap_or(&name);
    setup::create_tenant(&desk.store, desk.now(), &slug, display_name, &domains).await?;
    show(desk, &name, output).await
}

async fn show(desk: &Desk, name: &str, output: &Output) -> anyhow::Result<()> {
    let tenant = desk.tenant_by_slug(name).await?;
    let mut tx = desk.tenant(tenant.id).await?;
    let domains = domains::list(&mut tx).await?;
    let wishes = tenants::wishes(&mut tx).await?.context("the tenant is gone")?;
    tx.rollback().await?;
    let mut shown = fields(&tenant);
    shown.push(("domains", json!(domains)));
    shown.push(("keeps_administrator", json!(wishes.keeps_administrator)));
    shown.push(("linking", json!(wishes.linking.as_str())));
    shown.push(("plus_addresses", json!(wishes.plus_addresses.as_str())));
    shown.push(("sign_in_url", json!(format!("{}/t/{}", desk.config.server.public_url, tenant.slug))));
    output.record(&shown)
}

fn fields(tenant: &Tenant) -> Vec<(&'static str, Value)> {
    vec![("name", json!(tenant.slug)), ("display_name", json!(tenant.display_name)), ("id", json!(tenant.id))]
}

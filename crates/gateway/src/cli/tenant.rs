//! `gatehouse tenant …`

use super::{Desk, output::Output};
use crate::setup;
use clap::{Args, Subcommand};
use domain::names::Slug;
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

pub async fn run(command: Command, desk: &Desk, output: &Output) -> anyhow::Result<()> {
    match command {
        Command::Create(create) => add(create, desk, output).await,
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
    tx.rollback().await?;
    let mut shown = fields(&tenant);
    shown.push(("domains", json!(domains)));
    shown.push(("sign_in_url", json!(format!("{}/t/{}", desk.config.server.public_url, tenant.slug))));
    output.record(&shown)
}

fn fields(tenant: &Tenant) -> Vec<(&'static str, Value)> {
    vec![("name", json!(tenant.slug)), ("display_name", json!(tenant.display_name)), ("id", json!(tenant.id))]
}

//! `gatehouse tenant …`

use super::{Desk, output::Output};
use anyhow::bail;
use clap::{Args, Subcommand};
use domain::{
    email::is_domain,
    event::{Event, EventKind, Subject},
    ids::TenantId,
    names::{Slug, fold},
    refusal::Refusal,
};
use serde_json::{Value, json};
use store::{
    domains,
    error::{Constraint, Error as StoreError},
    events,
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
    let Create { name, display_name, domains: wanted } = create;
    let slug = Slug::parse(&name)?;
    let mut wanted: Vec<String> = wanted.iter().map(|domain| fold(domain)).collect();
    wanted.sort();
    wanted.dedup();
    if let Some(domain) = wanted.iter().find(|domain| !is_domain(domain)) {
        bail!(Refusal::DomainInvalid { domain: domain.clone() });
    }
    // The id is made outside, because the transaction needs to know whose it is.
    let id = TenantId(uuid::Uuid::new_v7(timestamp(desk)));
    let mut tx = desk.tenant(id).await?;
    match tenants::insert(&mut tx, slug.as_str(), display_name.as_deref().unwrap_or(slug.as_str())).await {
        Ok(()) => {}
        Err(StoreError::Conflict(Constraint::TenantSlug)) => bail!(Refusal::NameTaken { name }),
        Err(error) => return Err(error.into()),
    }
    let mut told = vec![Event::new(EventKind::TenantCreated, Subject::Tenant(id))];
    for domain in &wanted {
        match domains::insert_verified(&mut tx, domain).await {
            Ok(()) => {
                told.push(Event::with(EventKind::DomainVerified, Subject::Tenant(id), json!({ "domain": domain })))
            }
            Err(StoreError::Conflict(Constraint::DomainOwner)) => bail!(Refusal::NameTaken { name: domain.clone() }),
            Err(error) => return Err(error.into()),
        }
    }
    events::append(&mut tx, None, &told).await?;
    tx.commit().await?;
    show(desk, slug.as_str(), output).await
}

fn timestamp(desk: &Desk) -> uuid::Timestamp {
    let now = desk.now();
    uuid::Timestamp::from_unix(uuid::NoContext, u64::try_from(now.unix_timestamp()).unwrap_or(0), now.nanosecond())
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

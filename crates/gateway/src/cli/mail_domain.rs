//! `gatehouse domain …`

use super::{
    Desk, application,
    output::{Output, moment},
};
use crate::{dns, domains, error::Error, setup};
use anyhow::{Context, anyhow};
use clap::{Args, Subcommand};
use domain::{email::Email, names::fold};
use serde_json::{Value, json};
use store::{
    connections,
    domains::{self as rows, Claim, Proven},
};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Note that an organization wants to own a mail domain, and get the DNS record that proves it.
    Claim {
        #[command(flatten)]
        of: Of,
        /// Have it owned at once, because you know that it is theirs.
        #[arg(long)]
        vouch: bool,
    },
    /// Look for the record now. It is looked at again every day.
    Verify(Of),
    /// List the mail domains of an organization, and those that it claims.
    List {
        /// The organization's short name.
        #[arg(long)]
        tenant: String,
    },
    /// Take a domain, or a claim, from an organization.
    Remove(Of),
    /// Give an organization the domain of another, because you know that it is theirs now.
    Transfer {
        domain: String,
        /// The short name of the organization that has it.
        #[arg(long)]
        from: String,
        /// The short name of the organization that gets it.
        #[arg(long)]
        to: String,
    },
    /// Tell where somebody with an address signs in, and why.
    Route {
        address: String,
        /// The application's short name.
        #[arg(long)]
        application: String,
    },
}

#[derive(Debug, Args)]
pub struct Of {
    /// The organization's short name.
    #[arg(long)]
    tenant: String,
    /// Such as example.com.
    domain: String,
}

pub async fn run(command: Command, desk: &Desk, output: &Output) -> anyhow::Result<()> {
    let (store, now) = (&desk.store, desk.now());
    match command {
        Command::Claim { of, vouch: true } => {
            let tenant = desk.tenant_by_slug(&of.tenant).await?;
            setup::domains::vouch(store, now, tenant.id, &of.domain).await?;
            list(desk, &of.tenant, output).await
        }
        Command::Claim { of, vouch: false } => {
            let tenant = desk.tenant_by_slug(&of.tenant).await?;
            let token = setup::domains::claim(store, now, tenant.id, &of.domain).await?;
            output.line("Publish this record, then run `gatehouse domain verify`:");
            output.record(&record(&key(&of.domain), &token))
        }
        Command::Verify(of) => {
            let tenant = desk.tenant_by_slug(&of.tenant).await?;
            let domain = key(&of.domain);
            let verified = domains::verify(store, &desk.config.dns, now, (tenant.id, &domain)).await;
            verified.map_err(|error| explained(error, "claims no such domain; `gatehouse domain claim` does"))?;
            list(desk, &of.tenant, output).await
        }
        Command::List { tenant } => list(desk, &tenant, output).await,
        Command::Remove(of) => {
            let tenant = desk.tenant_by_slug(&of.tenant).await?;
            let removed = setup::domains::remove(store, now, tenant.id, &key(&of.domain)).await;
            removed
                .map_err(|error| explained(error, "has no such domain; `gatehouse domain list` shows what it has"))?;
            list(desk, &of.tenant, output).await
        }
        Command::Transfer { domain, from, to } => {
            let (from, other) = (desk.tenant_by_slug(&from).await?, desk.tenant_by_slug(&to).await?);
            let given = setup::domains::transfer(store, now, (from.id, other.id), &key(&domain)).await;
            given.map_err(|error| explained(error, "has no such domain; `gatehouse domain list` shows what it has"))?;
            list(desk, &to, output).await
        }
        Command::Route { address, application } => route(desk, &address, &application, output).await,
    }
}

fn key(domain: &str) -> String {
    fold(domain.trim().trim_end_matches('.'))
}

fn explained(error: Error, problem: &str) -> anyhow::Error {
    match error {
        Error::NotFound => anyhow!("the tenant {problem}"),
        error => error.into(),
    }
}

fn record(domain: &str, token: &str) -> Vec<(&'static str, Value)> {
    vec![
        ("domain", json!(domain)),
        ("type", json!("TXT")),
        ("record_name", json!(dns::record_name(domain))),
        ("record_value", json!(dns::record_value(token))),
    ]
}

async fn list(desk: &Desk, tenant: &str, output: &Output) -> anyhow::Result<()> {
    let tenant = desk.tenant_by_slug(tenant).await?;
    let mut tx = desk.tenant(tenant.id).await?;
    let (owned, claims) = (rows::list(&mut tx).await?, rows::claims(&mut tx).await?);
    tx.rollback().await?;
    let mut records: Vec<_> = owned.iter().map(owned_fields).collect();
    records.extend(claims.iter().map(|Claim { domain, token }| {
        let mut fields = record(domain, token);
        fields.insert(1, ("state", json!("claimed")));
        fields
    }));
    output.list(&records)
}

fn owned_fields(proven: &Proven) -> Vec<(&'static str, Value)> {
    let Proven { domain, token, verified_at, checked_at, failing_since, problem, .. } = proven;
    let state = match (token, failing_since) {
        (None, _) => "vouched for",
        (Some(_), None) => "verified",
        (Some(_), Some(_)) => "verified, but the record is not there any more",
    };
    let mut fields = record(domain, token.as_deref().unwrap_or_default());
    if token.is_none() {
        fields.truncate(1);
    }
    fields.insert(1, ("state", json!(state)));
    fields.push(("since", json!(moment(*verified_at))));
    fields.push(("checked", json!(checked_at.map(moment))));
    fields.push(("failing_since", json!(failing_since.map(moment))));
    fields.push(("problem", json!(problem)));
    fields
}

async fn route(desk: &Desk, address: &str, application: &str, output: &Output) -> anyhow::Result<()> {
    let address = Email::parse(address)?;
    let application = application::find(desk, application).await?;
    let route = domains::route(&desk.store, desk.now(), &address, application.id).await?;
    let (mut tenant, mut name) = (None, None);
    if let Some((owner, connection)) = route.to {
        let mut tx = desk.tenant(owner).await?;
        tenant = Some(store::tenants::current(&mut tx).await?.context("the tenant is gone")?.slug);
        name = connections::by_id(&mut tx, connection).await?.map(|connection| connection.display_name);
        tx.rollback().await?;
    }
    output.record(&[
        ("address", json!(address.as_str())),
        ("tenant", json!(tenant)),
        ("connection", json!(route.to.map(|(_, connection)| connection))),
        ("name", json!(name)),
        ("why", json!(route.why)),
    ])
}

//! `gatehouse connection set | attribute | log`: the SCIM side of a connection.

use super::Switch;
use crate::{
    cli::{
        Desk,
        output::{Output, moment},
    },
    error::Error,
    setup::directory as setup,
};
use anyhow::bail;
use clap::{Args, Subcommand};
use domain::ids::ConnectionId;
use scim::schema::{CustomAttribute, Kind, USER};
use serde_json::json;
use store::{
    exchanges::{self, Show},
    schema_attributes,
};

#[derive(Debug, Args)]
pub struct Set {
    /// The connection's id.
    id: ConnectionId,
    /// Keep the passwords that the identity provider sends, as Argon2id (Okta: "Sync Password"). Off drops them.
    #[arg(long, value_name = "on|off")]
    password_sync: Option<Switch>,
    /// Announce the application's roles as resources under /Roles, for Okta Identity Governance.
    #[arg(long, value_name = "on|off")]
    entitlements: Option<Switch>,
    /// Put a sample user into the directory: Okta's SPEC test of a SCIM server wants to find one.
    #[arg(long)]
    sample_user: bool,
}

#[derive(Debug, Subcommand)]
pub enum AttributeCommand {
    /// Define an attribute; it is in /Schemas from then on.
    Add(Add),
    /// List the attributes that were defined.
    List {
        /// The connection's id.
        connection: ConnectionId,
    },
    /// Remove an attribute that no user has a value of.
    Remove {
        /// The connection's id.
        connection: ConnectionId,
        /// The attribute's name (Okta: "External name").
        name: String,
        /// The schema that it belongs to (Okta: "External namespace").
        #[arg(long, value_name = "URN", default_value = USER)]
        namespace: String,
    },
}

#[derive(Debug, Args)]
pub struct Add {
    /// The connection's id.
    connection: ConnectionId,
    /// The attribute's name (Okta: "External name").
    name: String,
    /// The schema that it belongs to (Okta: "External namespace"); without, the core User schema.
    #[arg(long, value_name = "URN", default_value = USER)]
    namespace: String,
    /// string, boolean, decimal, integer, dateTime or reference.
    #[arg(long = "type", value_name = "TYPE", default_value = "string")]
    kind: String,
    /// It may have several values (Okta: "Data type" with "array").
    #[arg(long)]
    multi_valued: bool,
    /// Upper and lower case differ.
    #[arg(long)]
    case_exact: bool,
    /// A value that is offered (Okta: "Enum"); repeat for several. Others are taken as well.
    #[arg(long = "value", value_name = "TEXT")]
    values: Vec<String>,
    /// What it is for.
    #[arg(long, default_value = "", value_name = "TEXT")]
    description: String,
}

#[derive(Debug, Args)]
pub struct LogArguments {
    /// The connection's id.
    id: ConnectionId,
    /// Only what was refused or failed.
    #[arg(long)]
    failed: bool,
    /// How many exchanges.
    #[arg(short = 'n', long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1000))]
    limit: u16,
}

impl Set {
    /// Which connection.
    pub fn connection(&self) -> ConnectionId {
        self.id
    }
}

pub async fn set(set: Set, desk: &Desk) -> anyhow::Result<()> {
    let Set { id, password_sync, entitlements, sample_user } = set;
    if password_sync.is_none() && entitlements.is_none() && !sample_user {
        bail!("nothing to set; give --password-sync, --entitlements or --sample-user");
    }
    desk.tenant_of(id).await?;
    if password_sync.is_some() || entitlements.is_some() {
        setup::set_provisioning(&desk.store, desk.now(), id, |settings| {
            settings.password_sync = password_sync.map_or(settings.password_sync, Switch::is_on);
            settings.entitlements = entitlements.map_or(settings.entitlements, Switch::is_on);
        })
        .await?;
    }
    if sample_user {
        setup::create_sample_user(&desk.store, desk.now(), id).await?;
    }
    Ok(())
}

pub async fn attribute(command: AttributeCommand, desk: &Desk, output: &Output) -> anyhow::Result<()> {
    match command {
        AttributeCommand::Add(new) => add(new, desk, output).await,
        AttributeCommand::List { connection } => list(connection, desk, output).await,
        AttributeCommand::Remove { connection, name, namespace } => {
            desk.tenant_of(connection).await?;
            match setup::remove_attribute(&desk.store, desk.now(), connection, &namespace, &name).await {
                Err(Error::NotFound) => bail!(
                    "{namespace} has no attribute \"{name}\" of your own; `gatehouse connection attribute list {connection}` shows them"
                ),
                done => Ok(done?),
            }
        }
    }
}

async fn add(new: Add, desk: &Desk, output: &Output) -> anyhow::Result<()> {
    let Add { connection, name, namespace, kind, multi_valued, case_exact, values, description } = new;
    desk.tenant_of(connection).await?;
    let Some(kind) = Kind::read(&kind) else {
        bail!("\"{kind}\" is not a type; use string, boolean, decimal, integer, dateTime or reference");
    };
    let attribute =
        CustomAttribute { urn: namespace, name, description, kind, multi_valued, case_exact, canonical_values: values };
    setup::add_attribute(&desk.store, desk.now(), connection, attribute).await?;
    list(connection, desk, output).await
}

async fn list(connection: ConnectionId, desk: &Desk, output: &Output) -> anyhow::Result<()> {
    let mut tx = desk.tenant(desk.tenant_of(connection).await?).await?;
    let all = schema_attributes::list(&mut tx, connection).await?;
    tx.rollback().await?;
    let records = all.iter().map(|attribute| {
        vec![
            ("name", json!(attribute.name)),
            ("namespace", json!(attribute.urn)),
            ("type", json!(attribute.kind)),
            ("multi_valued", json!(attribute.multi_valued)),
            ("case_exact", json!(attribute.case_exact)),
            ("values", json!(attribute.canonical_values)),
            ("description", json!(attribute.description)),
        ]
    });
    output.list(&records.collect::<Vec<_>>())
}

pub async fn log(arguments: &LogArguments, desk: &Desk, output: &Output) -> anyhow::Result<()> {
    let LogArguments { id, failed, limit } = *arguments;
    let mut tx = desk.tenant(desk.tenant_of(id).await?).await?;
    let show = if failed { Show::Failed } else { Show::All };
    let all = exchanges::list(&mut tx, id, show, limit.into()).await?;
    tx.rollback().await?;
    if all.is_empty() {
        output.line("Nothing yet. In Okta: Provisioning > Integration > Test API Credentials.");
    }
    let records = all.iter().map(|exchange| {
        vec![
            ("at", json!(moment(exchange.at))),
            ("request", json!(format!("{} {}", exchange.method, exchange.target))),
            ("status", json!(exchange.status)),
            ("code", json!(exchange.code)),
            ("detail", json!(exchange.detail)),
            ("body", json!(exchange.body)),
            ("token_id", json!(exchange.token)),
            ("from", json!(exchange.address)),
            ("agent", json!(exchange.agent)),
            ("milliseconds", json!(exchange.milliseconds)),
        ]
    });
    output.list(&records.collect::<Vec<_>>())
}

//! `gatehouse connection access-control`

use crate::{
    access_control,
    cli::{Desk, named, output::Output},
    roles::InForce,
    saml::settings::Settings,
    scim::schemas,
    setup,
};
use anyhow::{Context, bail};
use clap::Args;
use domain::{
    access_control::{First, LONGEST_KEY, MOST},
    ids::ConnectionId,
};
use serde_json::json;
use std::collections::BTreeMap;
use store::connections;

#[derive(Debug, Args)]
pub struct AccessControl {
    /// The connection's id.
    id: ConnectionId,
    /// What an application is told under a key, from an attribute of the SCIM user, such as
    /// CostCenter=urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:costCenter; repeat for several. They take the
    /// place of all before.
    #[arg(long = "from-scim", value_name = "KEY=ATTRIBUTE", value_parser = pair)]
    pairs: Vec<(String, String)>,
    /// Take nothing from SCIM any more.
    #[arg(long, conflicts_with = "pairs")]
    from_scim_nothing: bool,
    /// Which source decides where both have a value: assertions (usual), or SCIM.
    #[arg(long, value_name = "SOURCE", value_parser = named(First::ALL.map(First::as_str), First::read))]
    first: Option<First>,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (key, path) = text.split_once('=').ok_or("there is no equals sign; write Department=department")?;
    let (key, path) = (key.trim(), path.trim());
    if !(1..=LONGEST_KEY).contains(&key.chars().count()) || key.chars().any(char::is_control) {
        return Err(format!("a key has 1 to {LONGEST_KEY} characters"));
    }
    Ok((key.to_owned(), path.to_owned()))
}

pub async fn run(arguments: AccessControl, desk: &Desk, output: &Output) -> anyhow::Result<()> {
    let AccessControl { id, pairs, from_scim_nothing, first } = arguments;
    let mut tx = desk.tenant(desk.tenant_of(id).await?).await?;
    let in_force = InForce::of(&mut tx, id).await?;
    let catalogue = schemas::catalogue(&mut tx, id, &in_force.catalogue).await?;
    tx.rollback().await?;
    if let Some((_, path)) = pairs.iter().find(|(_, path)| !access_control::is_known(&catalogue, path)) {
        bail!(
            "users of this connection have no attribute \"{path}\"; `gatehouse connection attribute list` shows what was \
             added to the standard's"
        );
    }
    let scim: BTreeMap<String, String> = pairs.into_iter().collect();
    if scim.len() > MOST {
        bail!("{} attributes are too many; {MOST} at most", scim.len());
    }
    let is_asked = !scim.is_empty() || from_scim_nothing || first.is_some();
    let change = |settings: &mut Settings, _: &mut bool| {
        if !scim.is_empty() || from_scim_nothing {
            settings.access_control.scim = scim;
        }
        settings.access_control.first = first.unwrap_or(settings.access_control.first);
    };
    if is_asked {
        setup::sign_in::set(&desk.store, desk.now(), id, change).await?;
    }
    let mut tx = desk.tenant(desk.tenant_of(id).await?).await?;
    let connection = connections::by_id(&mut tx, id).await?.context("the connection is gone")?;
    tx.rollback().await?;
    let stored = Settings::of(&connection)?.access_control;
    output.record(&[("from_scim", json!(stored.scim)), ("first", json!(stored.first.as_str()))])
}

//! `gatehouse connection profiles`

use crate::{
    cli::{Desk, named, output::Output},
    roles::InForce,
    setup,
};
use clap::Args;
use domain::{
    ids::ConnectionId,
    profile_policy::{ProfilePolicy, Required},
};
use serde_json::json;

#[derive(Debug, Args)]
pub struct Profiles {
    /// The connection's id.
    id: ConnectionId,
    /// What a user has to have; repeat for several. They take the place of all before.
    #[arg(long = "require", value_name = "ATTRIBUTE", value_parser = named(Required::ALL.map(Required::as_str), Required::read))]
    required: Vec<Required>,
    /// Require nothing any more.
    #[arg(long, conflicts_with = "required")]
    require_nothing: bool,
    /// Characters that may not stand in userName and names, such as "<>;:%"; an empty text forbids none.
    #[arg(long, value_name = "CHARACTERS")]
    forbid: Option<String>,
}

pub async fn run(arguments: Profiles, desk: &Desk, output: &Output) -> anyhow::Result<()> {
    let Profiles { id, required, require_nothing, forbid } = arguments;
    let mut tx = desk.tenant(desk.tenant_of(id).await?).await?;
    let before = InForce::of(&mut tx, id).await?.profiles;
    tx.rollback().await?;
    let is_asked = !required.is_empty() || require_nothing || forbid.is_some();
    let required = if required.is_empty() && !require_nothing { before.required } else { required };
    let policy = ProfilePolicy { required, forbidden: forbid.unwrap_or(before.forbidden) };
    if is_asked {
        setup::directory::set_profile_policy(&desk.store, desk.now(), id, &policy).await?;
    }
    let names: Vec<&str> = policy.required.iter().map(|required| required.as_str()).collect();
    output.record(&[("required", json!(names)), ("forbidden", json!(policy.forbidden))])
}

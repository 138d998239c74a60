//! New accounts of a connection, by whatever way they come: whose they are, on which seat, with which role.

use crate::{
    error::Error,
    provisioning::{self, New},
    roles::InForce,
    seats::Line,
};
use domain::{
    account::Account,
    ids::{AccountId, ConnectionId, UserId},
    linking::Holder,
    provisioning::{self as rules, Facts, Roles, Wanted},
    refusal::Refusal,
};
use std::collections::HashMap;
use store::{
    accounts,
    attributes::AttributeRow,
    seats,
    tenant::TenantTx,
    users::{self, Linkable, Met},
};

/// Somebody who comes.
pub struct Newcomer {
    /// Of an account whose id is known already.
    pub id: Option<AccountId>,
    pub wanted: Wanted,
    /// What the account is found by.
    pub index: Vec<AttributeRow>,
}

/// What has to be asked before they come.
pub fn question<'w>(
    connection: ConnectionId,
    in_force: &InForce,
    wanted: impl Iterator<Item = &'w Wanted>,
) -> Linkable {
    Linkable::new(connection, in_force.tenant.plus_addresses, wanted.filter_map(|wanted| wanted.email.as_ref()))
}

/// Creates the accounts, all or none.
///
/// # Errors
/// As [`rules::create`], or when a name is taken.
pub async fn arrive(
    tx: &mut TenantTx,
    connection: ConnectionId,
    in_force: &InForce,
    newcomers: Vec<Newcomer>,
) -> Result<Vec<Account>, Error> {
    let plus = in_force.tenant.plus_addresses;
    let question = question(connection, in_force, newcomers.iter().map(|newcomer| &newcomer.wanted));
    let Met { mut holders, seats } = users::meet(tx, question).await?;
    let mut line = Line::met(tx, seats).await?;
    let seatings = match &line {
        Some(line) => seats::seatings(tx, line.held.application, &known(&holders), None).await?,
        None => HashMap::new(),
    };
    let mut new = Vec::new();
    for Newcomer { id, wanted, index } in newcomers {
        // The first one has the user; the next one finds nobody without an account here.
        let holder = wanted.email.as_ref().and_then(|email| holders.remove(&Linkable::key(plus, email)));
        let seating = holder.and_then(|holder| seatings.get(&holder.user()).copied());
        // Nobody has put it into a group yet.
        let roles = Roles { catalogue: &in_force.catalogue, policy: &in_force.policy, rule: None, waits: None };
        let facts = Facts { roles, linking: in_force.tenant.linking, holder, seating };
        let name = wanted.user_name.clone();
        let plan = match rules::create(wanted, &facts, line.as_mut().map(|line| &mut line.held.seats)) {
            Err(Refusal::SeatsTaken { .. } | Refusal::AddressTaken { .. })
                if accounts::by_user_name(tx, connection, name.key()).await?.is_some() =>
            {
                // Neither a seat nor a link would help who is there already.
                return Err(Refusal::UserNameTaken { user_name: name.as_str().chars().take(100).collect() }.into());
            }
            plan => plan?,
        };
        new.push(New { id: id.unwrap_or_else(|| AccountId(tx.new_id())), plan, index });
    }
    let accounts = provisioning::create(tx, connection, new).await?;
    if let Some(line) = line {
        line.close(tx).await?;
    }
    Ok(accounts)
}

fn known(holders: &HashMap<String, Holder>) -> Vec<UserId> {
    holders.values().map(|holder| holder.user()).collect()
}

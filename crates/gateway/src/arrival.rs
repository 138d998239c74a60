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
    linking::{Holder, Linking},
    provisioning::{self as rules, Facts, Roles, Wanted},
    refusal::Refusal,
};
use std::collections::HashMap;
use store::{
    accounts,
    arrivals::NewAccount,
    attributes::AttributeRow,
    seats,
    shadows::placeholder,
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
    /// The place of the first rule for one of the account's groups; who is new is in none yet.
    pub rule: Option<usize>,
}

/// Whether somebody who comes may be refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Entry {
    Asked,
    /// The identity provider was told already that they are in: who would be refused waits.
    Granted,
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
    if in_force.in_shadow {
        let new = newcomers.into_iter().map(|newcomer| unplaced(tx, in_force, newcomer)).collect::<Result<_, _>>()?;
        return provisioning::create(tx, connection, Some(placeholder(connection)), new).await;
    }
    let (new, line) = placed(tx, connection, in_force, newcomers, Entry::Asked).await?;
    let accounts = provisioning::create(tx, connection, None, new).await?;
    if let Some(line) = line {
        line.close(tx).await?;
    }
    Ok(accounts)
}

/// Gives accounts of a connection in shadow to whom they belong, as if they came now; nobody is refused. Under
/// [`seats::close_all_lines`].
///
/// # Errors
/// When the database cannot be used.
pub async fn adopt(
    tx: &mut TenantTx,
    connection: ConnectionId,
    in_force: &InForce,
    newcomers: Vec<Newcomer>,
) -> Result<Vec<NewAccount>, Error> {
    let (new, line) = placed(tx, connection, in_force, newcomers, Entry::Granted).await?;
    let adopted = provisioning::adopt(tx, connection, new).await?;
    if let Some(line) = line {
        line.close(tx).await?;
    }
    Ok(adopted)
}

/// An account that is nobody's for now.
fn unplaced(tx: &TenantTx, in_force: &InForce, Newcomer { id, wanted, index, rule }: Newcomer) -> Result<New, Refusal> {
    let roles = Roles { catalogue: &in_force.catalogue, policy: &in_force.policy, rule, waits: None };
    let facts = Facts { roles, linking: in_force.tenant.linking, holder: None, seating: None };
    let plan = rules::create(wanted, &facts, None)?;
    Ok(New { id: id.unwrap_or_else(|| AccountId(tx.new_id())), plan, index })
}

/// Whose the accounts are, and on which seats, which are held.
async fn placed(
    tx: &mut TenantTx,
    connection: ConnectionId,
    in_force: &InForce,
    newcomers: Vec<Newcomer>,
    entry: Entry,
) -> Result<(Vec<New>, Option<Line>), Error> {
    let plus = in_force.tenant.plus_addresses;
    let mut question = question(connection, in_force, newcomers.iter().map(|newcomer| &newcomer.wanted));
    if entry == Entry::Granted {
        question = question.alone();
    }
    let Met { mut holders, seats } = users::meet(tx, question).await?;
    let mut line = Line::met(tx, seats).await?;
    let mut linking = in_force.tenant.linking;
    if entry == Entry::Granted {
        line.iter_mut().for_each(Line::refuses_nobody);
        linking = if linking == Linking::Reject { Linking::Ask } else { linking };
    }
    let seatings = match &line {
        Some(line) => seats::seatings(tx, line.held.application, &known(&holders), None).await?,
        None => HashMap::new(),
    };
    let mut new = Vec::new();
    for Newcomer { id, wanted, index, rule } in newcomers {
        // The first one has the user; the next one finds nobody without an account here.
        let holder = wanted.email.as_ref().and_then(|email| holders.remove(&Linkable::key(plus, email)));
        let seating = holder.and_then(|holder| seatings.get(&holder.user()).copied());
        let roles = Roles { catalogue: &in_force.catalogue, policy: &in_force.policy, rule, waits: None };
        let facts = Facts { roles, linking, holder, seating };
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
    Ok((new, line))
}

fn known(holders: &HashMap<String, Holder>) -> Vec<UserId> {
    holders.values().map(|holder| holder.user()).collect()
}

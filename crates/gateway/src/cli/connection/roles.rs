//! `gatehouse connection roles`

use crate::{
    cli::{Desk, named, output::Output},
    roles::{self, Beside, InForce},
    setup,
};
use clap::Args;
use domain::{
    ids::ConnectionId,
    reassignment::{Change, Reassignment},
    role::{GroupRule, RolePolicy, RoleSource},
};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use store::{accounts, roles as rows, scope::Actor, tenant::TenantTx};
use uuid::Uuid;

/// People who are named.
const NAMED: usize = 20;

#[derive(Debug, Args)]
pub struct Roles {
    /// The connection's id.
    id: ConnectionId,
    /// What decides, the first that says anything before the others; give all that count, in their order: `role` or `roles`
    /// of the SCIM user, groups that have a rule, what the last sign-in said: its role attribute, and until SCIM keeps the
    /// users also its groups.
    #[arg(long = "source", value_name = "SOURCE", value_parser = named(RoleSource::ALL.map(RoleSource::as_str), RoleSource::read))]
    sources: Vec<RoleSource>,
    /// Members of a group of the identity provider have a role; among several the first rule. The rules given take the
    /// place of all before.
    #[arg(long = "rule", value_name = "GROUP=ROLE", value_parser = rule)]
    rules: Vec<GroupRule>,
    /// Have no rules for groups any more.
    #[arg(long, conflicts_with = "rules")]
    no_rules: bool,
    /// Change nothing; tell who would get another role.
    #[arg(long)]
    dry_run: bool,
}

fn rule(text: &str) -> Result<GroupRule, String> {
    let (group, role) = text.rsplit_once('=').ok_or("there is no equals sign; write Engineering=DEVELOPER")?;
    Ok(GroupRule { group: group.trim().to_owned(), role: role.trim().to_owned() })
}

pub async fn run(arguments: Roles, desk: &Desk, output: &Output) -> anyhow::Result<()> {
    let Roles { id, sources, rules, no_rules, dry_run } = arguments;
    let tenant = desk.tenant_of(id).await?;
    let mut tx = desk.tenant(tenant).await?;
    let stored = InForce::of(&mut tx, id).await?;
    let is_asked = !sources.is_empty() || !rules.is_empty() || no_rules;
    let sources = if sources.is_empty() { stored.policy.sources.clone() } else { sources };
    let rules = if rules.is_empty() && !no_rules { stored.policy.rules.clone() } else { rules };
    let fallback = stored.policy.fallback.clone();
    let heeds_asserted_groups = stored.policy.heeds_asserted_groups;
    let policy = RolePolicy { fallback, heeds_asserted_groups, ..RolePolicy::new(sources, rules, &stored.catalogue)? };
    let wanted = InForce { policy, ..stored };
    let unknown = rows::unknown_groups(&mut tx, id, &wanted.policy.rules).await?;
    let foreseen = if dry_run { Some(tell(&mut tx, id, &wanted, output).await?) } else { None };
    tx.rollback().await?;
    if is_asked && !dry_run {
        setup::roles::set(&desk.store, desk.now(), id, &wanted.policy).await?;
        let (changed, _) = roles::settle_all(&desk.store, (tenant, id), Actor::Operator, desk.now()).await?;
        output.line(&format!("Saved. {changed} account(s) have another role, or the same for another reason."));
    }
    for group in &unknown {
        output.line(&format!(
            "No group is called \"{group}\" yet: its rule counts from when the identity provider pushes it."
        ));
    }
    show(&wanted.policy, foreseen, output)
}

fn show(policy: &RolePolicy, foreseen: Option<Value>, output: &Output) -> anyhow::Result<()> {
    let order: Vec<&str> = policy.sources.iter().map(|source| source.as_str()).collect();
    let rules: Vec<String> = policy
        .rules
        .iter()
        .enumerate()
        .map(|(place, rule)| format!("{}. {} = {}", place + 1, rule.group, rule.role))
        .collect();
    let mut fields = vec![("sources", json!(order)), ("rules", json!(rules))];
    fields.extend(foreseen.filter(|_| !output.is_for_people()).map(|foreseen| ("foreseen", foreseen)));
    output.record(&fields)
}

/// Who would get another role: how many from which to which, and the first by name.
async fn tell(tx: &mut TenantTx, connection: ConnectionId, wanted: &InForce, output: &Output) -> anyhow::Result<Value> {
    let (mut counts, mut first, mut after) = (BTreeMap::<(String, String), u64>::new(), Vec::new(), Uuid::nil());
    let mut beside = Beside::default();
    loop {
        let ids = rows::page(tx, connection, after, roles::PAGE).await?;
        let Some(last) = ids.last() else { break };
        after = *last;
        for change in roles::foreseen(tx, connection, wanted, &ids, &mut beside).await? {
            let Change { before, after, .. } = &*change.change;
            if *before != after.role {
                *counts.entry((before.clone(), after.role.clone())).or_default() += 1;
                if first.len() < NAMED {
                    first.push(change);
                }
            }
        }
    }
    let ids: Vec<Uuid> = first.iter().map(|change| change.account.0).collect();
    let names = accounts::by_ids(tx, connection, &ids).await?;
    if counts.is_empty() {
        output.line("Nobody would get another role.");
    }
    for ((from, to), count) in &counts {
        output.line(&format!("{count} account(s) from {from} to {to}"));
    }
    let mut told = Vec::new();
    for Reassignment { account, change, .. } in &first {
        let Change { before, after, .. } = &**change;
        let name =
            names.iter().find(|known| known.id == *account).map_or("?", |known| known.profile.user_name.as_str());
        output.line(&format!(
            "  {}: {before} -> {}, {}",
            output.printable(name),
            after.role,
            output.printable(&after.reason.to_string())
        ));
        told.push(json!({ "user_name": name, "from": before, "to": after.role, "why": after.reason.to_string() }));
    }
    let counts = counts.iter().map(|((from, to), count)| json!({ "from": from, "to": to, "accounts": count }));
    Ok(json!({ "changes": counts.collect::<Vec<_>>(), "first": told }))
}

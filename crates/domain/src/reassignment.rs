//! What becomes of the roles of a set of accounts whose groups, or whose connection's policy, changed.

use crate::{
    ids::{AccountId, UserId},
    provisioning::{PlannedEvent, kept, role_changed, unknown_role},
    role::{Assignment, Claims, RoleCatalogue, RolePolicy, RoleReason},
};
use serde_json::Value;
use std::{collections::HashMap, sync::Arc};

/// An account as the sources of roles see it.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    pub account: AccountId,
    pub user: UserId,
    pub active: bool,
    pub role: String,
    pub reason: RoleReason,
    pub claims: Claims,
}

/// An account that gets another role, or another reason for the same one.
#[derive(Debug, Clone, PartialEq)]
pub struct Reassignment {
    pub account: AccountId,
    pub user: UserId,
    pub active: bool,
    /// Whether it has been kept already from what would change, for the tenant's sake.
    pub is_kept: bool,
    /// Shared by all for whom the same changes.
    pub change: Arc<Change>,
}

/// What changes.
#[derive(Debug, PartialEq)]
pub struct Change {
    pub before: String,
    pub after: Assignment,
    /// What is stored beside the word for the reason.
    pub detail: Value,
    pub events: Vec<PlannedEvent>,
}

impl Change {
    fn new(before: String, after: Assignment, events: Vec<PlannedEvent>) -> Arc<Self> {
        Arc::new(Self { before, detail: after.reason.detail(), after, events })
    }
}

/// Looks at accounts one by one, however many there are, and keeps those for whom something changes.
#[derive(Debug)]
pub struct Reassigning<'r> {
    catalogue: &'r RoleCatalogue,
    policy: &'r RolePolicy,
    known: HashMap<(String, Assignment), Arc<Change>>,
    changes: Vec<Reassignment>,
}

impl Reassignment {
    /// The same for all that share the change, while one of them is there.
    pub fn change_number(&self) -> usize {
        Arc::as_ptr(&self.change).addr()
    }

    /// Whether somebody stops to be an active administrator by it.
    pub fn loses_administrator(&self, catalogue: &RoleCatalogue) -> bool {
        let Change { before, after, .. } = &*self.change;
        self.active && catalogue.is_highest(before) && !catalogue.is_highest(&after.role)
    }
}

impl<'r> Reassigning<'r> {
    /// Nobody has been looked at.
    pub fn new(catalogue: &'r RoleCatalogue, policy: &'r RolePolicy) -> Self {
        Self { catalogue, policy, known: HashMap::new(), changes: Vec::new() }
    }

    /// Looks at one.
    pub fn look(&mut self, standing: Standing) {
        let Standing { account, user, active, role, reason, claims } = standing;
        let after = self.catalogue.assign(self.policy, &claims);
        if role == after.role && reason == after.reason {
            return;
        }
        let is_kept = reason == RoleReason::LastAdministrator { instead: after.role.clone() };
        let change = self.known.entry((role, after)).or_insert_with_key(|(before, after)| {
            let mut events = Vec::new();
            if *before != after.role {
                events.push(role_changed(before, &after.role, &after.reason));
            }
            events.extend(unknown_role(after));
            Change::new(before.clone(), after.clone(), events)
        });
        self.changes.push(Reassignment { account, user, active, is_kept, change: Arc::clone(change) });
    }

    /// Those for whom something changes, in the order in which they were looked at.
    pub fn done(self) -> Vec<Reassignment> {
        self.changes
    }
}

/// Keeps one of those who would all stop to be administrators: who has been kept before, for whom nothing changes then, or the
/// first.
pub fn keep_one(changes: &mut Vec<Reassignment>, catalogue: &RoleCatalogue) {
    let loses = |change: &Reassignment| change.loses_administrator(catalogue);
    if let Some(place) = changes.iter().position(|change| change.is_kept && loses(change)) {
        changes.remove(place);
        return;
    }
    let Some(first) = changes.iter_mut().find(|change| loses(change)) else { return };
    let Change { before, after, .. } = &*first.change;
    let reason = RoleReason::LastAdministrator { instead: after.role.clone() };
    let events = vec![kept(before, &reason)];
    first.change = Change::new(before.clone(), Assignment { role: before.clone(), reason }, events);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provisioning::tests::catalogue;
    use uuid::Uuid;

    #[test]
    fn of_many_who_stop_to_be_administrators_one_stays() {
        let standing = |n: u128, role: &str| Standing {
            account: AccountId(Uuid::from_u128(n)),
            user: UserId(Uuid::from_u128(n)),
            active: true,
            role: role.to_owned(),
            reason: RoleReason::Missing,
            claims: Claims::default(),
        };
        let all = ["MANAGER", "ADMINISTRATOR", "ADMINISTRATOR"].into_iter().zip(1..);
        let (catalogue, policy) = (catalogue(), RolePolicy::default());
        let mut looking = Reassigning::new(&catalogue, &policy);
        all.for_each(|(role, n)| looking.look(standing(n, role)));
        let mut changes = looking.done();
        assert!(Arc::ptr_eq(&changes[1].change, &changes[2].change), "what is the same is kept once");
        keep_one(&mut changes, &catalogue);
        let roles: Vec<&str> = changes.iter().map(|one| one.change.after.role.as_str()).collect();
        assert_eq!(roles, ["ANALYST", "ADMINISTRATOR", "ANALYST"]);

        // The next look tells nothing of who was kept.
        let again = |n: u128, reason: RoleReason| Standing { reason, ..standing(n, "ADMINISTRATOR") };
        let kept = RoleReason::LastAdministrator { instead: "ANALYST".to_owned() };
        let mut looking = Reassigning::new(&catalogue, &policy);
        [again(1, RoleReason::Missing), again(2, kept)].into_iter().for_each(|one| looking.look(one));
        let mut changes = looking.done();
        keep_one(&mut changes, &catalogue);
        assert_eq!(changes.iter().map(|one| one.account.0.as_u128()).collect::<Vec<_>>(), [1]);
    }
}

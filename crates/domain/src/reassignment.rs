//! What becomes of the roles of a set of accounts whose groups, or whose connection's policy, changed.

use crate::{
    ids::{AccountId, UserId},
    provisioning::{PlannedEvent, kept, role_changed, unknown_role},
    role::{Assignment, Claims, RoleCatalogue, RolePolicy, RoleReason},
};

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

/// Another role, or another reason for the same one.
#[derive(Debug, PartialEq)]
pub struct Reassignment {
    pub account: AccountId,
    pub user: UserId,
    pub active: bool,
    pub before: String,
    pub after: Assignment,
    pub events: Vec<PlannedEvent>,
}

impl Reassignment {
    /// Whether somebody stops to be an active administrator by it.
    pub fn loses_administrator(&self, catalogue: &RoleCatalogue) -> bool {
        self.active && catalogue.is_highest(&self.before) && !catalogue.is_highest(&self.after.role)
    }
}

/// What becomes of the roles of a set of accounts: those for whom something changes.
pub fn reassign(standings: Vec<Standing>, catalogue: &RoleCatalogue, policy: &RolePolicy) -> Vec<Reassignment> {
    let reassigned = |Standing { account, user, active, role, reason, claims }| {
        let after = catalogue.assign(policy, &claims);
        let is_same_role = role == after.role;
        if is_same_role && reason == after.reason {
            return None;
        }
        let mut events = Vec::new();
        if !is_same_role {
            events.push(role_changed(&role, &after.role, &after.reason));
        }
        events.extend(unknown_role(&after));
        Some(Reassignment { account, user, active, before: role, after, events })
    };
    standings.into_iter().filter_map(reassigned).collect()
}

/// Keeps the first of those who would all stop to be administrators.
pub fn keep_one(changes: &mut [Reassignment], catalogue: &RoleCatalogue) {
    let Some(first) = changes.iter_mut().find(|change| change.loses_administrator(catalogue)) else { return };
    let reason = RoleReason::LastAdministrator { instead: first.after.role.clone() };
    first.events = vec![kept(&first.before, &reason)];
    first.after = Assignment { role: first.before.clone(), reason };
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
        let all = all.map(|(role, n)| standing(n, role)).collect();
        let mut changes = reassign(all, &catalogue(), &RolePolicy::default());
        keep_one(&mut changes, &catalogue());
        let roles: Vec<&str> = changes.iter().map(|change| change.after.role.as_str()).collect();
        assert_eq!(roles, ["ANALYST", "ADMINISTRATOR", "ANALYST"]);
    }
}

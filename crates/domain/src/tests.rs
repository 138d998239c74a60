//! What holds for all sets of people, whatever is stored and whatever is wanted.

use crate::{
    account::{Account, Parked},
    ids::{AccountId, UserId},
    linking::{self, Holder, Linking, Ownership},
    matching::{self, Candidates},
    provisioning::{self, AccountEffect, Roles, SignedIn, Wanted, tests as people},
    reassignment::{Reassigning, Standing, keep_one},
    role::{Asserted, Claims, RolePolicy, RoleReason},
    seats::{SeatPolicy, Seating, Seats},
};
use proptest::prelude::*;
use uuid::Uuid;

fn policy() -> impl Strategy<Value = SeatPolicy> {
    let fallback = Just(SeatPolicy::FallbackRole("ANALYST".to_owned()));
    prop_oneof![Just(SeatPolicy::Refuse), Just(SeatPolicy::Park), Just(SeatPolicy::Soft), fallback]
}

fn account() -> impl Strategy<Value = Account> {
    let state = (any::<bool>(), prop::option::of(any::<bool>()), prop::option::of("ann|ben|n|00u"), "ann|ben");
    state.prop_map(|(active, parked, name_id, name)| {
        let mut account = people::account(&name);
        account.profile.active = active;
        account.profile.name_id = name_id;
        account.parked = parked.map(|link| if link { Parked::Link(UserId(Uuid::nil())) } else { Parked::Seat });
        account
    })
}

proptest! {
    /// Nobody gets a seat that there is not, unless the limit is soft; and a free one is never refused.
    #[test]
    fn seats_are_given_up_to_the_limit(limit in 0u32..6, taken in 0u32..8, policy in policy(), comes in prop::collection::vec(any::<bool>(), 0..20)) {
        let mut seats = Seats { limit, taken, policy };
        for comes in comes {
            let (before, free) = (seats.taken, seats.free());
            if !comes {
                seats.give_back();
                prop_assert_eq!(seats.taken, before.saturating_sub(1));
                continue;
            }
            match seats.take() {
                Ok(Seating::Seated) => prop_assert!(free > 0 && seats.taken == before + 1),
                Ok(Seating::Waits) | Err(_) => prop_assert!(free == 0 && seats.taken == before),
            }
            prop_assert!(seats.policy == SeatPolicy::Soft || seats.taken <= limit.max(before));
        }
    }

    /// An account is an existing person's only where exactly one can be meant, who has none there, and the tenant wants it.
    #[test]
    fn only_who_alone_can_be_meant_is_linked(linking in prop::sample::select(Linking::ALL.to_vec()), kind in 0u8..4) {
        let ann = UserId(Uuid::from_u128(1));
        let holder = [None, Some(Holder::One(ann)), Some(Holder::Here(ann)), Some(Holder::Several(ann))][usize::from(kind)];
        let owner = linking::owner(linking, holder, "ann@acme.test");
        let may_link = linking == Linking::LinkVerifiedDomain && holder == Some(Holder::One(ann));
        prop_assert_eq!(owner == Ok(Ownership::Existing(ann)), may_link);
        prop_assert_eq!(owner.is_err(), linking == Linking::Reject && holder.is_some());
    }

    /// Whoever signs in is active, waits for nothing, and is not somebody else's account.
    #[test]
    fn nobody_signs_in_who_is_out_or_somebody_else(
        [bound, user_name, external_id, verified_email] in prop::array::uniform4(prop::option::of(account())),
        name_id in prop::option::of("ann|ben|n|00u"),
    ) {
        let bound = bound.filter(|account| name_id.is_some() && account.profile.name_id == name_id);
        let candidates = Candidates { bound, user_name, external_id, verified_email };
        if let Ok(found) = matching::sign_in(candidates, name_id.as_deref()) {
            let account = found.account;
            prop_assert!(account.profile.active && account.parked.is_none());
            let binding = account.profile.name_id.as_deref();
            let is_own = |name: &str| name == account.profile.user_name.key() || name == "ann@acme.test";
            prop_assert!(binding.is_none_or(|binding| Some(binding) == name_id.as_deref() || is_own(binding)));
        }
    }

    /// The same sign-in twice changes an account once.
    #[test]
    fn the_second_of_two_same_sign_ins_leaves_no_trace(before in account(), name_id in prop::option::of("ann|ben|n|00u"), role in "MANAGER|ROOT|ANALYST") {
        let (catalogue, policy) = (people::catalogue(), RolePolicy::default());
        let signs_in = |account: &Account| {
            let asserted = Asserted { roles: vec![role.clone()], ..Asserted::default() };
            let sent = account.profile.role_basis.attribute.clone().unwrap_or_default();
            let wanted = Wanted::unchanged(&account.profile, sent, SignedIn { name_id: name_id.clone(), asserted });
            provisioning::update(account, wanted, Roles { catalogue: &catalogue, policy: &policy, rule: None, waits: None })
        };
        if let AccountEffect::Update(profile) = signs_in(&before).account {
            let again = signs_in(&Account { profile, ..before });
            prop_assert_eq!((again.account, again.events), (AccountEffect::Keep, vec![]));
        }
    }

    /// A set gets the roles that each would get alone, and somebody stays who administers.
    #[test]
    fn a_set_is_looked_at_as_each_of_it(
        set in prop::collection::vec(("ADMINISTRATOR|MANAGER|ANALYST", prop::option::of("ADMINISTRATOR|MANAGER|ROOT"), any::<bool>()), 0..12),
    ) {
        let (catalogue, policy) = (people::catalogue(), RolePolicy::default());
        let mut looking = Reassigning::new(&catalogue, &policy);
        let claims = |sent: &Option<String>| Claims { attribute: sent.clone().into_iter().collect(), ..Claims::default() };
        for (number, (role, sent, active)) in set.iter().enumerate() {
            let id = Uuid::from_u128(number as u128);
            let (account, user, reason) = (AccountId(id), UserId(id), RoleReason::Missing);
            looking.look(Standing { account, user, active: *active, role: role.clone(), reason, claims: claims(sent) });
        }
        let mut changes = looking.done();
        for change in &changes {
            let (_, sent, _) = &set[usize::try_from(change.account.0.as_u128()).unwrap()];
            prop_assert_eq!(&change.change.after, &catalogue.assign(&policy, &claims(sent)));
        }
        keep_one(&mut changes, &catalogue);
        let administers = |number: usize, role: &str| set[number].2 && catalogue.is_highest(role);
        let after = |number: usize| {
            let change = changes.iter().find(|change| change.account.0.as_u128() == number as u128);
            change.map_or(set[number].0.clone(), |change| change.change.after.role.clone())
        };
        let had_one = (0..set.len()).any(|number| administers(number, &set[number].0));
        prop_assert!(!had_one || (0..set.len()).any(|number| administers(number, &after(number))));
    }
}

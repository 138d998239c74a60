//! Which account an identity provider's assertion means: bound NameID, userName, externalId, then verified e-mail.

use crate::{
    account::{Account, Parked, Profile},
    names::fold,
    refusal::Refusal,
};

/// The accounts of one connection that could be meant, one per way of finding them.
#[derive(Debug, Default)]
pub struct Candidates {
    /// Bound to exactly this NameID.
    pub bound: Option<Account>,
    /// Whose userName is the NameID.
    pub user_name: Option<Account>,
    /// Whose externalId is the NameID.
    pub external_id: Option<Account>,
    /// The only account with the asserted address, given only when the tenant owns its domain.
    pub verified_email: Option<Account>,
}

/// The account that signs in, and whether this sign-in binds it to the NameID.
#[derive(Debug, PartialEq)]
pub struct SignIn {
    pub account: Account,
    pub binds: bool,
}

/// Picks the account; the first way that finds one decides, and a bound account is never taken over.
///
/// `name_id` is `None` for a transient NameID, which names nobody twice and therefore binds nothing. A NameID that
/// differs from the bound one in case only is the same person, spelled anew by the identity provider; and an account
/// bound to its own userName or address may be bound anew, for nobody else has these. Who is found by the address, which
/// several may share, only where that very address is the binding.
pub fn sign_in(candidates: Candidates, name_id: Option<&str>) -> Result<SignIn, Refusal> {
    let Candidates { bound, user_name, external_id, verified_email } = candidates;
    if let Some(account) = bound {
        return admit(account, false);
    }
    let named = user_name.or(external_id);
    let is_named = named.is_some();
    let account = named.or(verified_email).ok_or(Refusal::UserUnknown)?;
    let binding = account.profile.name_id.as_deref().map(fold);
    let is_own = |key: &String| {
        let Profile { user_name, email, .. } = &account.profile;
        (is_named && user_name.key() == key) || email.as_ref().is_some_and(|email| email.key() == key)
    };
    if binding.as_ref().is_some_and(|key| Some(key) != name_id.map(fold).as_ref() && !is_own(key)) {
        return Err(Refusal::AccountBound);
    }
    admit(account, name_id.is_some())
}

fn admit(account: Account, binds: bool) -> Result<SignIn, Refusal> {
    is_let_in(&account)?;
    Ok(SignIn { account, binds })
}

/// Whether sign-ins of the account may succeed.
///
/// # Errors
/// What keeps it outside.
pub fn is_let_in(account: &Account) -> Result<(), Refusal> {
    match account {
        Account { profile: Profile { active: false, .. }, .. } => Err(Refusal::UserDeactivated),
        Account { parked: Some(Parked::Link(_) | Parked::Shadow), .. } => Err(Refusal::UserParked),
        Account { parked: Some(Parked::Seat), .. } => Err(Refusal::SeatAwaited),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ids::UserId, provisioning::tests::account};
    use uuid::Uuid;

    fn named(name: &str, bound: Option<&str>, active: bool) -> Account {
        let mut account = account(name);
        account.profile.name_id = bound.map(str::to_owned);
        account.profile.active = active;
        account
    }

    #[test]
    fn the_order_is_bound_then_user_name_then_external_id_then_verified_email() {
        let all = || Candidates {
            bound: Some(named("bound", Some("n"), true)),
            user_name: Some(named("name", None, true)),
            external_id: Some(named("external", None, true)),
            verified_email: Some(named("email", None, true)),
        };
        let who =
            |candidates| sign_in(candidates, Some("n")).map(|s| (s.account.profile.user_name.to_string(), s.binds));
        assert_eq!(who(all()), Ok(("bound".into(), false)));
        assert_eq!(who(Candidates { bound: None, ..all() }), Ok(("name".into(), true)));
        assert_eq!(who(Candidates { bound: None, user_name: None, ..all() }), Ok(("external".into(), true)));
        let by_email = Candidates { bound: None, user_name: None, external_id: None, ..all() };
        assert_eq!(who(by_email), Ok(("email".into(), true)));
        assert_eq!(who(Candidates::default()), Err(Refusal::UserUnknown));
    }

    #[test]
    fn a_bound_account_is_never_taken_over_by_a_reused_address() {
        for candidates in [
            Candidates { user_name: Some(named("ann", Some("old"), true)), ..Candidates::default() },
            Candidates { external_id: Some(named("ann", Some("old"), true)), ..Candidates::default() },
            Candidates { verified_email: Some(named("ann", Some("old"), true)), ..Candidates::default() },
        ] {
            assert_eq!(sign_in(candidates, Some("n")), Err(Refusal::AccountBound));
        }
    }

    #[test]
    fn a_deactivated_account_stays_out_by_every_way() {
        for candidates in [
            Candidates { bound: Some(named("ann", Some("n"), false)), ..Candidates::default() },
            Candidates { user_name: Some(named("ann", None, false)), ..Candidates::default() },
            Candidates { verified_email: Some(named("ann", None, false)), ..Candidates::default() },
        ] {
            assert_eq!(sign_in(candidates, Some("n")), Err(Refusal::UserDeactivated));
        }
    }

    #[test]
    fn a_parked_account_waits_outside() {
        let why = [(Parked::Link(UserId(Uuid::nil())), Refusal::UserParked), (Parked::Seat, Refusal::SeatAwaited)];
        for (parked, refusal) in why {
            let parked = Account { parked: Some(parked), ..named("ann", Some("n"), true) };
            let candidates = Candidates { bound: Some(parked), ..Candidates::default() };
            assert_eq!(sign_in(candidates, Some("n")), Err(refusal));
        }
    }

    #[test]
    fn a_name_id_spelled_anew_is_the_same_person() {
        let candidates = Candidates { user_name: Some(named("ann", Some("N"), true)), ..Candidates::default() };
        assert_eq!(sign_in(candidates, Some("n")).map(|sign_in| sign_in.binds), Ok(true));
    }

    #[test]
    fn an_account_bound_to_its_own_name_or_address_may_be_bound_anew() {
        for own in ["ann", "Ann@Acme.test"] {
            let candidates = Candidates { user_name: Some(named("ann", Some(own), true)), ..Candidates::default() };
            assert_eq!(sign_in(candidates, Some("00u-persistent")).map(|sign_in| sign_in.binds), Ok(true), "{own}");
        }
    }

    #[test]
    fn a_transient_name_id_binds_nothing_and_enters_no_bound_account() {
        let by_email = |bound| Candidates { verified_email: Some(named("ann", bound, true)), ..Candidates::default() };
        assert_eq!(sign_in(by_email(None), None).map(|sign_in| sign_in.binds), Ok(false));
        assert_eq!(sign_in(by_email(Some("old")), None), Err(Refusal::AccountBound));
    }
}

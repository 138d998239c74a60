//! Whose a new account is, where the tenant already has somebody with its address.

use crate::{ids::UserId, refusal::Refusal};

/// What a tenant wants to become of accounts whose address somebody has. An address counts only in a domain that the
/// tenant owns, and only if exactly one user has it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Linking {
    /// They are that person's.
    #[default]
    LinkVerifiedDomain,
    /// They wait until an administrator says whose they are.
    Ask,
    /// They are refused.
    Reject,
}

/// Whether `ann+test@acme.com` is `ann@acme.com`; case never makes a difference.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PlusAddresses {
    /// They are two people.
    #[default]
    Distinct,
    /// They are one.
    Same,
}

/// Whose a new account is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ownership {
    /// A person's whom the tenant did not have.
    New,
    Existing(UserId),
    /// A new person's, until somebody says whether it is this one.
    Asked(UserId),
}

/// Who has an address, of those who can sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder {
    /// Exactly this user, who has no account in the connection.
    One(UserId),
    /// This user, who has an account in the connection already.
    Here(UserId),
    /// This user and others.
    Several(UserId),
}

impl Holder {
    /// The user, or the first of them.
    pub fn user(self) -> UserId {
        let (Self::One(user) | Self::Here(user) | Self::Several(user)) = self;
        user
    }
}

/// Whose the account with this address is.
///
/// # Errors
/// [`Refusal::AddressTaken`] where the tenant wants that.
pub fn owner(linking: Linking, holder: Option<Holder>, address: &str) -> Result<Ownership, Refusal> {
    let Some(holder) = holder else { return Ok(Ownership::New) };
    match (linking, holder) {
        (Linking::Reject, _) => Err(Refusal::AddressTaken { address: address.to_owned(), user: holder.user() }),
        (Linking::LinkVerifiedDomain, Holder::One(user)) => Ok(Ownership::Existing(user)),
        (Linking::Ask, Holder::One(user) | Holder::Several(user)) => Ok(Ownership::Asked(user)),
        // Two people share an address, or nobody can say whom it means.
        (Linking::LinkVerifiedDomain | Linking::Ask, _) => Ok(Ownership::New),
    }
}

impl Linking {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::LinkVerifiedDomain, Self::Ask, Self::Reject];

    /// The policy as it is stored and given.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LinkVerifiedDomain => "link-verified-domain",
            Self::Ask => "ask",
            Self::Reject => "reject",
        }
    }

    /// The policy of that name.
    pub fn read(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|policy| policy.as_str() == name)
    }
}

impl PlusAddresses {
    /// Both of them.
    pub const ALL: [Self; 2] = [Self::Distinct, Self::Same];

    /// The rule as it is stored and given.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Distinct => "distinct",
            Self::Same => "same",
        }
    }

    /// The rule of that name.
    pub fn read(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rule| rule.as_str() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn an_address_that_somebody_has_links_asks_or_is_refused() {
        let ann = UserId(Uuid::from_u128(1));
        let all = Linking::ALL;
        for policy in all {
            assert_eq!(owner(policy, None, "a@x.test"), Ok(Ownership::New));
            assert_eq!(Linking::read(policy.as_str()), Some(policy));
        }
        let refused = || Err(Refusal::AddressTaken { address: "a@x.test".to_owned(), user: ann });
        let (linked, asked, new) = (Ok(Ownership::Existing(ann)), Ok(Ownership::Asked(ann)), Ok(Ownership::New));
        let table = [
            (Holder::One(ann), [linked, asked.clone(), refused()]),
            (Holder::Here(ann), [new.clone(), new.clone(), refused()]),
            (Holder::Several(ann), [new, asked, refused()]),
        ];
        for (holder, expected) in table {
            assert_eq!(all.map(|policy| owner(policy, Some(holder), "a@x.test")), expected, "{holder:?}");
        }
    }
}

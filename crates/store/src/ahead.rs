//! What goes along with the message that proves who asks, where it is known before that.

use crate::{
    search::{ByName, Search, Start},
    users::Linkable,
};

/// What will be asked first once the asker is proven. It is nobody's answer unless there is such a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ahead {
    /// Nothing: what there is to do is done in another transaction.
    Nothing,
    /// Which account has a name.
    Account(ByName),
    /// Whose a new account would be, for a transaction that makes it.
    Owner(Linkable),
}

impl Ahead {
    /// The search of accounts, if it is one that may go ahead.
    pub fn search(search: &Search, start: &Start, limit: i64, with_groups: bool) -> Option<Self> {
        ByName::of(search, start, limit, with_groups).map(Self::Account)
    }

    /// Whether the transaction is over with it.
    pub(crate) fn is_all(&self) -> bool {
        !matches!(self, Self::Owner(_))
    }

    pub(crate) fn calls(&self) -> Vec<String> {
        match self {
            Self::Nothing => Vec::new(),
            Self::Account(search) => vec![search.call()],
            Self::Owner(question) => question.calls(),
        }
    }
}

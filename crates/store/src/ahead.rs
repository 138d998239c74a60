//! What goes along with the message that proves who asks, where it is known before that.

use crate::{
    search::{ByName, Search, Start},
    users::Linkable,
};

/// What needs no transaction of its own, so that several who come with one token may ask it in one message. It is
/// nobody's answer unless there is such a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Glance {
    /// Nothing but the token: what there is to do is done elsewhere.
    Token,
    /// Which account has a name.
    Account(ByName),
}

impl Glance {
    /// The search of accounts, if it is one that may go ahead.
    pub fn search(search: &Search, start: &Start, limit: i64, with_groups: bool) -> Option<Self> {
        ByName::of(search, start, limit, with_groups).map(Self::Account)
    }

    pub(crate) fn question(self) -> Option<Question> {
        match self {
            Self::Token => None,
            Self::Account(search) => Some(Question::Account(search)),
        }
    }

    /// Asks all of these. The rows of each have its place among them as `number`.
    pub(crate) fn calls(glances: &[Self]) -> Vec<String> {
        let searches = (0..).zip(glances).filter_map(|(number, glance)| match glance {
            Self::Token => None,
            Self::Account(search) => Some((number, search)),
        });
        ByName::calls(&searches.collect::<Vec<_>>())
    }
}

/// What a transaction has been told before it asked.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Question {
    Account(ByName),
    Owner(Linkable),
}

//! Which members a filter in brackets names (RFC 7644 3.5.2.2): a set of ids of each kind, known without the group.

use std::collections::BTreeSet;

use serde_json::Value;

use super::MemberKind;
use crate::error::{ScimError, ScimType};
use crate::filter::{Filter, Operator};

/// Members of a group, whoever is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    pub users: Ids,
    pub groups: Ids,
}

/// A set of ids, or all others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ids {
    Only(BTreeSet<String>),
    AllBut(BTreeSet<String>),
}

impl Selection {
    /// What `members[filter]` selects; filters by `value` and `type`, joined in any way.
    pub fn of(filter: &Filter) -> Result<Self, ScimError> {
        match filter {
            Filter::And(branches) => Self::joined(branches, Self::both),
            Filter::Or(branches) => Self::joined(branches, Self::either),
            Filter::Not(inner) => Ok(Self::of(inner)?.others()),
            Filter::Present(path) if path.is_core("value") || path.is_core("type") => Ok(Self::everybody()),
            Filter::Compare { path, operator, value: Value::String(text) } if path.sub.is_none() => {
                let equal = if path.is_core("value") {
                    Self::id(text)
                } else if path.is_core("type") {
                    Self::kind(MemberKind::read(text))
                } else {
                    return Err(unsupported());
                };
                match operator {
                    Operator::Equal => Ok(equal),
                    Operator::NotEqual => Ok(equal.others()),
                    _ => Err(unsupported()),
                }
            }
            _ => Err(unsupported()),
        }
    }

    /// The ids, when it is these and nobody else, of whatever kind.
    pub(super) fn into_ids(self) -> Result<Vec<String>, Self> {
        match self {
            Self { users: Ids::Only(users), groups: Ids::Only(groups) } if users == groups => {
                Ok(users.into_iter().collect())
            }
            other => Err(other),
        }
    }

    /// Whoever is in one of two selections.
    pub(super) fn either(self, other: Self) -> Self {
        Self { users: self.users.either(other.users), groups: self.groups.either(other.groups) }
    }

    fn both(self, other: Self) -> Self {
        self.others().either(other.others()).others()
    }

    fn others(self) -> Self {
        Self { users: self.users.others(), groups: self.groups.others() }
    }

    fn everybody() -> Self {
        Self { users: Ids::all(), groups: Ids::all() }
    }

    fn id(id: &str) -> Self {
        let only = Ids::Only(BTreeSet::from([id.to_owned()]));
        Self { users: only.clone(), groups: only }
    }

    fn kind(kind: Option<MemberKind>) -> Self {
        let of = |this| if kind == Some(this) { Ids::all() } else { Ids::none() };
        Self { users: of(MemberKind::User), groups: of(MemberKind::Group) }
    }

    fn joined(branches: &[Filter], join: fn(Self, Self) -> Self) -> Result<Self, ScimError> {
        let mut all = branches.iter().map(Self::of);
        let first = all.next().unwrap_or_else(|| Err(unsupported()))?;
        all.try_fold(first, |so_far, next| Ok(join(so_far, next?)))
    }
}

impl Ids {
    fn all() -> Self {
        Self::AllBut(BTreeSet::new())
    }

    fn none() -> Self {
        Self::Only(BTreeSet::new())
    }

    fn others(self) -> Self {
        match self {
            Self::Only(ids) => Self::AllBut(ids),
            Self::AllBut(ids) => Self::Only(ids),
        }
    }

    fn either(self, other: Self) -> Self {
        match (self, other) {
            (Self::Only(mut these), Self::Only(those)) => {
                these.extend(those);
                Self::Only(these)
            }
            (Self::AllBut(these), Self::AllBut(those)) => Self::AllBut(these.intersection(&those).cloned().collect()),
            (Self::Only(these), Self::AllBut(those)) | (Self::AllBut(those), Self::Only(these)) => {
                Self::AllBut(those.difference(&these).cloned().collect())
            }
        }
    }
}

pub(super) fn unsupported() -> ScimError {
    ScimError::bad_request(
        ScimType::InvalidFilter,
        "members are removed by their ids or their type. Write the path as members[value eq \"the id\"].",
    )
}

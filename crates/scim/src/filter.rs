//! Filters (RFC 7644 3.4.2.2) as a tree: read from text, printed back, and tried on values in memory.
//! Translating one to SQL is the store's work.

mod evaluate;
pub(crate) mod parser;

use std::fmt;

use serde_json::Value;

use crate::error::ScimError;
use crate::path::AttributePath;
use crate::schema::{Attribute, ResourceType};

/// A filter (RFC 7644 3.4.2.2). `And` and `Or` have two branches or more.
#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    And(Vec<Filter>),
    Or(Vec<Filter>),
    Not(Box<Filter>),
    /// `attribute pr`
    Present(AttributePath),
    Compare {
        path: AttributePath,
        operator: Operator,
        value: Value,
    },
    /// `attribute[filter]`: one and the same value of the attribute satisfies all of `filter`. Entra's
    /// `emails[type eq "work"].value eq "x"` is read as `emails[type eq "work" and value eq "x"]`.
    Values {
        path: AttributePath,
        filter: Box<Filter>,
    },
}

/// How two values are compared (RFC 7644 3.4.2.2, table 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    Equal,
    NotEqual,
    Contains,
    StartsWith,
    EndsWith,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

/// Reads a filter; the error says where it stopped being one (RFC 7644 3.4.2.2).
pub fn parse(text: &str) -> Result<Filter, ScimError> {
    parser::filter(text)
}

/// The values that a path leads to, in their order, those that can be compared; a complex one stands for its `value`
/// (RFC 7643 2.3.8).
pub fn values(path: &AttributePath, resource: &Value, kind: &ResourceType) -> Vec<Value> {
    evaluate::values(path, resource, kind)
}

/// Whether a resource satisfies the filter, extensions and all (RFC 7644 3.4.2.2); a name that the resource's schemas
/// do not have stands for no value.
pub fn matches(filter: &Filter, resource: &Value, kind: &ResourceType) -> bool {
    evaluate::matches(filter, resource, evaluate::Scope::Resource(kind))
}

/// The same of one value of an attribute.
pub(crate) fn matches_value(filter: &Filter, value: &Value, attribute: &Attribute) -> bool {
    evaluate::matches(filter, value, evaluate::Scope::Value(attribute))
}

impl Filter {
    /// How many comparisons it makes at most.
    pub(crate) fn terms(&self) -> usize {
        match self {
            Self::And(branches) | Self::Or(branches) => branches.iter().map(Self::terms).sum(),
            Self::Not(inner) | Self::Values { filter: inner, .. } => inner.terms(),
            Self::Present(_) | Self::Compare { .. } => 1,
        }
    }
}

impl Operator {
    const ALL: [Self; 9] = [
        Self::Equal,
        Self::NotEqual,
        Self::Contains,
        Self::StartsWith,
        Self::EndsWith,
        Self::Greater,
        Self::GreaterOrEqual,
        Self::Less,
        Self::LessOrEqual,
    ];

    /// The spelling on the wire (RFC 7644 3.4.2.2, table 3).
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "eq",
            Self::NotEqual => "ne",
            Self::Contains => "co",
            Self::StartsWith => "sw",
            Self::EndsWith => "ew",
            Self::Greater => "gt",
            Self::GreaterOrEqual => "ge",
            Self::Less => "lt",
            Self::LessOrEqual => "le",
        }
    }

    pub(crate) fn read(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|operator| operator.as_str().eq_ignore_ascii_case(text))
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::And(branches) => join(f, branches, " and ", |branch| matches!(branch, Self::And(_) | Self::Or(_))),
            Self::Or(branches) => join(f, branches, " or ", |branch| matches!(branch, Self::Or(_))),
            Self::Not(inner) => write!(f, "not ({inner})"),
            Self::Present(path) => write!(f, "{path} pr"),
            Self::Compare { path, operator, value } => write!(f, "{path} {} {value}", operator.as_str()),
            Self::Values { path, filter } => write!(f, "{path}[{filter}]"),
        }
    }
}

/// Prints the branches of `and` or `or`, with parentheses where the grammar would group them otherwise.
fn join(
    f: &mut fmt::Formatter<'_>,
    branches: &[Filter],
    word: &str,
    needs_parentheses: fn(&Filter) -> bool,
) -> fmt::Result {
    for (index, branch) in branches.iter().enumerate() {
        if index > 0 {
            f.write_str(word)?;
        }
        if needs_parentheses(branch) {
            write!(f, "({branch})")?;
        } else {
            write!(f, "{branch}")?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;

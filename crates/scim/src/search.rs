//! Filters and orders with every name resolved, ready to be translated into SQL by somebody else, and the rows of a
//! resource in the index that they search. Filters and rows agree because one function makes their keys.

mod keys;
mod number;
mod resolve;
mod rows;

use serde_json::Value;

use crate::error::ScimError;
use crate::filter::{Filter, Operator};
use crate::path::AttributePath;
use crate::schema::{Kind, ResourceType};

/// The longest key, in bytes, that an index row holds whole and that a filter may compare with.
pub(crate) const MAX_KEY_BYTES: usize = 1000;

/// A filter (RFC 7644 3.4.2.2) over the index of a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Not(Box<Condition>),
    Constant(bool),
    /// Some value at this place passes the test.
    Test {
        leaf: Leaf,
        test: Test,
    },
    /// One and the same value of the multi-valued attribute `path` satisfies the condition; every leaf inside lies in
    /// that value.
    Element {
        path: String,
        condition: Box<Condition>,
    },
}

/// A place in the index of a resource.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Leaf {
    /// In lower case, as in `name.familyname` or `emails`.
    pub path: String,
    pub field: Field,
    pub kind: Kind,
}

/// Which column of a row (RFC 7643 2.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Field {
    Value,
    Type,
    Primary,
}

/// What is asked of a value (RFC 7644 3.4.2.2, table 3). The texts are keys, at most 1,000 bytes long, and are compared
/// byte by byte; of `Field::Primary` they are `true` or `false`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Test {
    Present,
    Equal(String),
    Contains(String),
    StartsWith(String),
    EndsWith(String),
    Greater(String),
    GreaterOrEqual(String),
    Less(String),
    LessOrEqual(String),
}

/// An order of resources (RFC 7644 3.4.2.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sort {
    pub leaf: Leaf,
    pub descending: bool,
}

/// What a filter means that names an attribute which the resource does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unknown {
    /// A mistake: answering "nobody" would make a provider create everybody again.
    Refuse,
    /// The attribute has no value: a search over all types names attributes of one of them (RFC 7644 3.4.2.1).
    MatchesNothing,
}

/// One row of the search index of a resource: a value of an attribute.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct IndexRow {
    pub path: String,
    /// Which value of a multi-valued attribute, from 0.
    pub item: i32,
    /// The key of the value, or the beginning of a long one; never empty.
    pub value_key: Option<String>,
    /// The whole key, where `value_key` holds only its beginning.
    pub long_key: Option<String>,
    /// The key of `type`; never empty.
    pub type_key: Option<String>,
    pub primary: Option<bool>,
}

impl Test {
    /// Whether a key passes; an absent value has none and passes no test.
    pub fn passes(&self, key: &str) -> bool {
        match self {
            Self::Present => true,
            Self::Equal(other) => key == other,
            Self::Contains(other) => key.contains(other),
            Self::StartsWith(other) => key.starts_with(other),
            Self::EndsWith(other) => key.ends_with(other),
            Self::Greater(other) => key > other.as_str(),
            Self::GreaterOrEqual(other) => key >= other.as_str(),
            Self::Less(other) => key < other.as_str(),
            Self::LessOrEqual(other) => key <= other.as_str(),
        }
    }
}

/// Resolves the names of a filter and checks that its values fit them (RFC 7644 3.4.2.2).
pub fn resolve(filter: &Filter, kind: &ResourceType, unknown: Unknown) -> Result<Condition, ScimError> {
    resolve::condition(filter, kind, unknown)
}

/// Resolves `sortBy` (RFC 7644 3.4.2.3); `None` for an attribute by which nothing can be put into another order.
pub fn resolve_sort(by: &AttributePath, descending: bool, kind: &ResourceType) -> Result<Option<Sort>, ScimError> {
    resolve::sort(by, descending, kind)
}

/// The form in which a value is compared with others of its kind; `None` for what is not a value of the kind.
pub fn key(kind: Kind, case_exact: bool, value: &Value) -> Option<String> {
    keys::key(kind, case_exact, value)
}

/// The rows of a user's stored document, sorted by path and item, one for each of the two. `userName`, `externalId`
/// and `active` are not among them: the store has columns for these.
pub fn index(document: &Value, kind: &ResourceType) -> Vec<IndexRow> {
    rows::index(document, kind)
}

/// Lower-casing makes a capital sigma one of two letters by its place in the word; here they are one, so that the
/// key of a part of a text is a part of the text's key. Ohm, Kelvin, Angstrom and U+03F4 are signs and no letters: folded to these,
/// a search for one person would find another.
pub(crate) fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            'ς' => folded.push('σ'),
            '\u{3f4}' | '\u{2126}' | '\u{212a}' | '\u{212b}' => folded.push(character),
            _ => folded.extend(character.to_lowercase()),
        }
    }
    folded
}

/// Whether values of this kind can be compared so (RFC 7644 3.4.2.2, table 3).
pub(crate) fn takes(kind: Kind, operator: Operator) -> bool {
    match operator {
        Operator::Equal | Operator::NotEqual => true,
        Operator::Contains | Operator::StartsWith | Operator::EndsWith => {
            matches!(kind, Kind::String | Kind::Reference | Kind::Binary)
        }
        Operator::Greater | Operator::GreaterOrEqual | Operator::Less | Operator::LessOrEqual => {
            matches!(kind, Kind::String | Kind::Reference | Kind::DateTime | Kind::Integer | Kind::Decimal)
        }
    }
}

#[cfg(test)]
mod tests;

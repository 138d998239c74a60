//! Attributes for access control: what an application is told of a user beside the roles. An assertion names them, or the
//! SCIM user has them, or both.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// Attributes of one user, and characters of a key.
pub const MOST: usize = 50;
pub const LONGEST_KEY: usize = 128;

/// Which source decides where both say something.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum First {
    /// The assertion of the sign-in.
    #[default]
    Saml,
    Scim,
}

/// Where an attribute's values come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Decided {
    pub values: Vec<Value>,
    pub from: First,
}

impl First {
    /// Both of them.
    pub const ALL: [Self; 2] = [Self::Saml, Self::Scim];

    /// The source as it is stored and given.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Saml => "saml",
            Self::Scim => "scim",
        }
    }

    /// The source of that name.
    pub fn read(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|source| source.as_str() == name)
    }
}

/// The attributes by key. Each has all its values from one source: the first that has any.
pub fn decide(
    asserted: &BTreeMap<String, Vec<Value>>,
    scim: &BTreeMap<String, Vec<Value>>,
    first: First,
) -> BTreeMap<String, Decided> {
    let sources = match first {
        First::Saml => [(scim, First::Scim), (asserted, First::Saml)],
        First::Scim => [(asserted, First::Saml), (scim, First::Scim)],
    };
    let all =
        sources.into_iter().flat_map(|(source, from)| source.iter().map(move |(key, values)| (key, values, from)));
    let filled = all.filter(|(_, values, _)| !values.is_empty());
    let decided = filled.map(|(key, values, from)| (key.clone(), Decided { values: values.clone(), from }));
    // The later of two takes the place of the earlier.
    decided.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_first_source_that_has_a_value_decides_and_none_are_mixed() {
        let source = |pairs: &[(&str, &[i64])]| {
            let values = |values: &[i64]| values.iter().map(|value| json!(value)).collect();
            pairs.iter().map(|(key, all)| ((*key).to_owned(), values(all))).collect::<BTreeMap<String, Vec<Value>>>()
        };
        let asserted = source(&[("Both", &[1]), ("Saml", &[2, 3]), ("Empty", &[])]);
        let scim = source(&[("Both", &[4, 5]), ("Scim", &[6]), ("Empty", &[7])]);
        let told = |first| {
            let decided = decide(&asserted, &scim, first);
            let one = |(key, Decided { values, from }): (String, Decided)| {
                format!("{key} {} {}", json!(values), from.as_str())
            };
            decided.into_iter().map(one).collect::<Vec<_>>()
        };
        assert_eq!(told(First::Saml), ["Both [1] saml", "Empty [7] scim", "Saml [2,3] saml", "Scim [6] scim"]);
        assert_eq!(told(First::Scim), ["Both [4,5] scim", "Empty [7] scim", "Saml [2,3] saml", "Scim [6] scim"]);
    }
}

//! What a connection demands of the profiles of its users, where somebody asked for that: by itself it takes any.

use crate::refusal::Refusal;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Characters that may be forbidden.
pub const MOST_FORBIDDEN: usize = 32;

/// Something that a profile may have to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Required {
    GivenName,
    FamilyName,
    DisplayName,
    Email,
    ExternalId,
}

/// What is demanded.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProfilePolicy {
    pub required: Vec<Required>,
    /// In `userName` and the names of a person.
    pub forbidden: String,
}

impl Required {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::GivenName, Self::FamilyName, Self::DisplayName, Self::Email, Self::ExternalId];

    /// The name as it is given.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::GivenName => "givenName",
            Self::FamilyName => "familyName",
            Self::DisplayName => "displayName",
            Self::Email => "email",
            Self::ExternalId => "externalId",
        }
    }

    /// That of this name.
    pub fn read(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|required| required.as_str() == name)
    }

    /// Okta's label, and the SCIM attribute.
    fn label(self) -> (&'static str, &'static str) {
        match self {
            Self::GivenName => ("First name", "name.givenName"),
            Self::FamilyName => ("Last name", "name.familyName"),
            Self::DisplayName => ("Display name", "displayName"),
            Self::Email => ("Primary email", "emails"),
            Self::ExternalId => ("External ID", "externalId"),
        }
    }

    fn is_in(self, document: &Value) -> bool {
        let filled = |value: &Value| value.as_str().is_some_and(|text| !text.trim().is_empty());
        match self {
            Self::GivenName => filled(&document["name"]["givenName"]),
            Self::FamilyName => filled(&document["name"]["familyName"]),
            Self::DisplayName => filled(&document["displayName"]),
            Self::ExternalId => filled(&document["externalId"]),
            Self::Email => {
                document["emails"].as_array().is_some_and(|all| all.iter().any(|email| filled(&email["value"])))
            }
        }
    }
}

impl ProfilePolicy {
    /// Whether a SCIM user is as demanded.
    ///
    /// # Errors
    /// [`Refusal::AttributeMissing`], [`Refusal::CharacterForbidden`]
    pub fn check(&self, document: &Value) -> Result<(), Refusal> {
        if let Some(missing) = self.required.iter().find(|required| !required.is_in(document)) {
            let (label, attribute) = missing.label();
            return Err(Refusal::AttributeMissing { label, attribute });
        }
        let name = &document["name"];
        let texts = [
            ("userName", &document["userName"]),
            ("name.givenName", &name["givenName"]),
            ("name.familyName", &name["familyName"]),
            ("displayName", &document["displayName"]),
        ];
        for (attribute, value) in texts {
            let found = value.as_str().and_then(|text| text.chars().find(|c| self.forbidden.contains(*c)));
            if let Some(character) = found {
                return Err(Refusal::CharacterForbidden { attribute, character });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn everything_is_taken_unless_it_is_demanded_otherwise() {
        let ann =
            json!({ "userName": "ann;<x>%", "name": { "givenName": " " }, "emails": [{ "value": "ann@acme.test" }] });
        assert_eq!(ProfilePolicy::default().check(&ann), Ok(()));
        let demanded = |required: &[Required], forbidden: &str| {
            let policy = ProfilePolicy { required: required.to_vec(), forbidden: forbidden.to_owned() };
            policy.check(&ann).map_err(|refusal| refusal.to_string())
        };
        assert_eq!(demanded(&[Required::Email], ":"), Ok(()));
        for (required, attribute) in [
            (Required::GivenName, "name.givenName"),
            (Required::FamilyName, "name.familyName"),
            (Required::DisplayName, "displayName"),
            (Required::ExternalId, "externalId"),
        ] {
            let refused = demanded(&[Required::Email, required], "").unwrap_err();
            assert!(refused.contains(attribute), "{refused}");
            assert_eq!(Required::read(required.as_str()), Some(required));
        }
        let refused = demanded(&[], "<>;:%").unwrap_err();
        assert!(refused.contains("userName has the character \";\""), "{refused}");
    }
}

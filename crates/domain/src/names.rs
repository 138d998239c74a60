//! Names that people type: kept as typed, compared by a key that is folded once, here.
//! Postgres folds Greek and Turkish letters differently, so no comparison is left to it.

use crate::refusal::Refusal;
use std::fmt;

/// The longest name accepted, in characters.
pub const MAX_NAME_CHARS: usize = 256;

/// Folds a name to the form in which two spellings of it are equal: without spaces around it, and in lower case. The two
/// small sigmas are one letter. Ohm, Kelvin, Angstrom and U+03F4 are signs and no letters: folded to these, a name with one of them
/// would be somebody else's, and so would one with a no-break space at its end.
pub fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for character in text.trim_matches([' ', '\t', '\r', '\n']).chars() {
        match character {
            'ς' => folded.push('σ'),
            '\u{3f4}' | '\u{2126}' | '\u{212a}' | '\u{212b}' => folded.push(character),
            _ => folded.extend(character.to_lowercase()),
        }
    }
    folded
}

/// A SCIM `userName`: shown as sent, unique per connection without regard to case (RFC 7643 4.1.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserName {
    text: String,
    key: String,
}

impl UserName {
    /// Accepts 1 to 256 characters without control characters.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let fits = !text.trim().is_empty() && text.chars().count() <= MAX_NAME_CHARS;
        if !fits || text.chars().any(char::is_control) {
            return Err(Refusal::UserNameInvalid);
        }
        Ok(Self { text: text.to_owned(), key: fold(text) })
    }

    /// The name as it was sent.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The name as it is compared.
    pub fn key(&self) -> &str {
        &self.key
    }
}

impl fmt::Display for UserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The short name of a tenant or an application in URLs: `a-z`, `0-9` and inner hyphens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slug(String);

impl Slug {
    /// Accepts 1 to 63 characters; they are the labels of host names.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let edges = text.starts_with('-') || text.ends_with('-');
        if text.is_empty() || text.len() > 63 || edges || !text.chars().all(allowed) {
            return Err(Refusal::SlugInvalid { slug: text.chars().take(80).collect() });
        }
        Ok(Self(text.to_owned()))
    }

    /// The slug as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_kept_as_sent_and_compared_folded() {
        let name = UserName::parse("Ann.LEE@Acme.test").unwrap();
        assert_eq!(name.as_str(), "Ann.LEE@Acme.test");
        assert_eq!(name.key(), "ann.lee@acme.test");
        assert_eq!(UserName::parse("ΣΊΣΥΦΟΣ").unwrap().key(), UserName::parse("σίσυφος").unwrap().key());
        assert_eq!(fold("Παπάς@acme.test"), fold("ΠΑΠΆΣ@ACME.TEST"));
    }

    #[test]
    fn names_that_only_look_alike_are_two() {
        assert_eq!(fold(" Mark\r\n"), "mark");
        for other in ["mar\u{212a}", "\u{a0}mark", "mark\u{3000}", "m\u{e5}rk"] {
            assert_ne!(fold(other), "mark", "{other:?}");
        }
        assert_ne!(fold("\u{212b}"), fold("\u{c5}"));
        assert_ne!(fold("\u{2126}"), fold("\u{3a9}"));
        assert_ne!(fold("\u{3f4}"), fold("\u{398}"));
    }

    #[test]
    fn blank_long_and_control_names_are_refused() {
        for bad in ["", "  ", "a\u{0}b", "a\nb", &"x".repeat(257)] {
            assert_eq!(UserName::parse(bad), Err(Refusal::UserNameInvalid), "{bad:?}");
        }
        assert!(UserName::parse(&"x".repeat(256)).is_ok());
    }

    #[test]
    fn slugs_are_host_labels() {
        for good in ["acme", "a", "acme-2"] {
            assert!(Slug::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "-a", "a-", "Acme", "a b", "a.b", "ä", &"x".repeat(64)] {
            assert!(Slug::parse(bad).is_err(), "{bad}");
        }
    }
}

//! E-mail addresses as identity: one local part, one domain, no display name, no quoting.
//! Stricter than RFC 5322 on purpose: an address that two programs read differently is an attack.

use crate::{names::fold, refusal::Refusal};
use std::fmt;

/// An e-mail address; equal addresses have equal keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Email {
    text: String,
    key: String,
}

impl Email {
    /// Accepts `local@domain.tld`: one `@`, no white space, quotes, comments or control characters.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let invalid = || Refusal::EmailInvalid { value: text.chars().take(100).collect() };
        let (local, domain) = text.split_once('@').ok_or_else(invalid)?;
        if text.len() > 254 || !is_local(local) || !is_domain(domain) {
            return Err(invalid());
        }
        Ok(Self { text: text.to_owned(), key: fold(text) })
    }

    /// The address as it was sent.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The address as it is compared.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The address as it is compared where what follows a plus makes no difference.
    pub fn plain_key(&self) -> String {
        let (local, domain) = self.key.split_once('@').unwrap_or((&self.key, ""));
        let base = local.split_once('+').map_or(local, |(base, _)| base);
        // Who has nothing in front of the plus is nobody else.
        if base.is_empty() { self.key.clone() } else { format!("{base}@{domain}") }
    }

    /// The folded domain behind the `@`.
    pub fn domain(&self) -> &str {
        self.key.split_once('@').map_or("", |(_, domain)| domain)
    }
}

impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Whether `text` is a host name with at least one dot (RFC 1123 labels; U-labels are allowed).
pub fn is_domain(text: &str) -> bool {
    let label = |label: &str| {
        let inside = label.chars().all(|c| c == '-' || c.is_alphanumeric());
        (1..=63).contains(&label.len()) && inside && !label.starts_with('-') && !label.ends_with('-')
    };
    text.contains('.') && text.len() <= 253 && text.split('.').all(label)
}

fn is_local(text: &str) -> bool {
    let special = |c: char| "\"(),:;<>@[\\]".contains(c);
    let dots = text.starts_with('.') || text.ends_with('.') || text.contains("..");
    let clean = !text.chars().any(|c| c.is_whitespace() || c.is_control() || special(c) || is_invisible(c));
    (1..=64).contains(&text.len()) && !dots && clean
}

/// Characters that do not show, so that two addresses would look the same.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_addresses_are_accepted_and_folded() {
        let email = Email::parse("Ann.Lee+app@Acme.Test").unwrap();
        assert_eq!((email.key(), email.domain()), ("ann.lee+app@acme.test", "acme.test"));
        assert!(Email::parse("o'hara@acme.test").is_ok());
        let plain = |text: &str| Email::parse(text).unwrap().plain_key();
        assert_eq!([plain("Ann+a+b@acme.test"), plain("ann@acme.test")], ["ann@acme.test"; 2].map(str::to_owned));
        assert_eq!(plain("+a@acme.test"), "+a@acme.test");
        assert!(Email::parse("jörg@bücher.example").is_ok());
    }

    #[test]
    fn addresses_that_could_be_read_in_two_ways_are_refused() {
        let bad = [
            "",
            "ann",
            "@acme.test",
            "ann@",
            "ann@acme",
            "ann@@acme.test",
            "ann@acme.test@evil.test",
            "ann@acme.test\u{0}",
            " ann@acme.test",
            "ann@acme.test ",
            "ann@acme.test\n",
            "\"ann\"@acme.test",
            "ann@[127.0.0.1]",
            "Ann <ann@acme.test>",
            "ann@acme..test",
            ".ann@acme.test",
            "ann.@acme.test",
            "ann@-acme.test",
            "ann@acme.test.",
            "ann(x)@acme.test",
            "an\u{200b}n@acme.test",
            "ann,bob@acme.test",
        ];
        for text in bad {
            assert!(Email::parse(text).is_err(), "{text:?}");
        }
    }
}

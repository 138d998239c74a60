//! What is another in an identity provider that was known already, for people who decide about it.

use crate::code;
use crate::idp::{IdentityProvider, IdpCertificate};
use crate::outgoing::{Binding, Endpoint};
use std::fmt;

/// One value before and after; none where there was or is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replaced {
    /// What it is called.
    pub what: &'static str,
    /// What it was.
    pub before: Option<String>,
    /// What it is.
    pub after: Option<String>,
}

/// The difference between two states of an identity provider.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Change {
    /// Issuer and addresses.
    pub replaced: Vec<Replaced>,
    /// Fingerprints of certificates that come.
    pub added: Vec<String>,
    /// Fingerprints of certificates that go.
    pub removed: Vec<String>,
}

impl Change {
    /// What is another in `after`.
    pub fn between(before: &IdentityProvider, after: &IdentityProvider) -> Self {
        let slo = |provider: &IdentityProvider| provider.slo.as_ref().map(|slo| shown(&slo.endpoint));
        let answers = |provider: &IdentityProvider| provider.slo.as_ref().map(|slo| shown(&slo.answers()));
        let values = [
            ("issuer", Some(before.entity_id.clone()), Some(after.entity_id.clone())),
            ("sign-on URL", Some(shown(&before.sso)), Some(shown(&after.sso))),
            ("logout URL", slo(before), slo(after)),
            ("logout response URL", answers(before), answers(after)),
        ];
        let replaced = values.into_iter().filter(|(_, before, after)| before != after);
        Self {
            replaced: replaced.map(|(what, before, after)| Replaced { what, before, after }).collect(),
            added: missing(&after.certificates, &before.certificates),
            removed: missing(&before.certificates, &after.certificates),
        }
    }

    /// Whether both are the same.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// A line for each difference, whatever stands in it: somebody decides by them.
impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let or_none = |value: &Option<String>| value.as_deref().map_or_else(|| "none".to_owned(), code::shown);
        let replaced = self.replaced.iter();
        let mut lines: Vec<String> = replaced
            .map(|Replaced { what, before, after }| format!("{what}: {} becomes {}", or_none(before), or_none(after)))
            .collect();
        lines.extend(self.added.iter().map(|fingerprint| format!("certificate SHA-256 {fingerprint} comes")));
        lines.extend(self.removed.iter().map(|fingerprint| format!("certificate SHA-256 {fingerprint} goes")));
        f.write_str(&lines.join("\n"))
    }
}

fn shown(endpoint: &Endpoint) -> String {
    match endpoint.binding {
        Binding::Redirect => endpoint.url.to_string(),
        Binding::Post => format!("{} (by HTTP-POST)", endpoint.url),
    }
}

/// Those of the first that the second lacks.
fn missing(these: &[IdpCertificate], those: &[IdpCertificate]) -> Vec<String> {
    let lacking = these.iter().filter(|certificate| !those.contains(certificate));
    lacking.map(|certificate| certificate.fingerprint().to_owned()).collect()
}

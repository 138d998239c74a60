//! Opaque secrets: shown once, stored as SHA-256. Some carry their tenant, so that nothing is looked up across tenants.

use crate::entropy;
use aws_lc_rs::digest;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::ids::TenantId;
use std::fmt;
use uuid::Uuid;

/// What a secret is for; its prefix tells secret scanners and people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Bearer token of a SCIM client.
    Scim,
    /// Secret of an OAuth client.
    Client,
    /// Authorization code.
    Code,
    /// Refresh token.
    Refresh,
    /// Code of an invitation.
    Invitation,
}

impl Kind {
    fn prefix(self) -> &'static str {
        match self {
            Self::Scim => "ghscim_",
            Self::Client => "ghsec_",
            Self::Code => "ghcode_",
            Self::Refresh => "ghref_",
            Self::Invitation => "ghinv_",
        }
    }
}

/// What our secrets begin with, the root key's too.
const PREFIXES: [&str; 6] = ["ghscim_", "ghsec_", "ghcode_", "ghref_", "ghinv_", "ghroot_"];

/// A secret in the clear, on its way to its owner. Its Debug form hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// A new secret of 256 random bits.
    pub fn new(kind: Kind) -> Self {
        Self(format!("{}{}", kind.prefix(), URL_SAFE_NO_PAD.encode(entropy::bytes::<32>())))
    }

    /// A new secret that says whose it is.
    pub fn of_tenant(kind: Kind, tenant: TenantId) -> Self {
        Self::from_bytes(kind, tenant, entropy::bytes::<32>())
    }

    /// The same of bits that nobody else can know.
    pub fn from_bytes(kind: Kind, tenant: TenantId, secret: [u8; 32]) -> Self {
        let mut bytes = tenant.0.as_bytes().to_vec();
        bytes.extend(secret);
        Self(format!("{}{}", kind.prefix(), URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// A new secret without a prefix, for cookies and tickets.
    pub fn plain() -> Self {
        Self(URL_SAFE_NO_PAD.encode(entropy::bytes::<32>()))
    }

    /// The secret itself, to hand to its owner.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What is stored of it.
    pub fn hash(&self) -> [u8; 32] {
        hash(&self.0)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// SHA-256 of a presented secret. A secret of 256 random bits needs no salt and no slow hash, and comparing
/// hashes tells a stopwatch nothing about the secret.
pub fn hash(presented: &str) -> [u8; 32] {
    let digest = digest::digest(&digest::SHA256, presented.as_bytes());
    let mut hash = [0; 32];
    hash.copy_from_slice(digest.as_ref());
    hash
}

/// Whether a presented text has the form of a secret of that kind.
pub fn looks_like(kind: Kind, presented: &str) -> bool {
    presented.strip_prefix(kind.prefix()).and_then(decode).is_some_and(|bytes| bytes.len() == 32)
}

/// The tenant that a presented secret claims; the lookup inside that tenant decides.
pub fn claimed_tenant(kind: Kind, presented: &str) -> Option<TenantId> {
    let bytes = presented.strip_prefix(kind.prefix()).and_then(decode)?;
    let (tenant, secret) = bytes.split_at_checked(16)?;
    let tenant = Uuid::from_slice(tenant).ok()?;
    (secret.len() == 32).then_some(TenantId(tenant))
}

/// The text with `instead` for everything in it that begins like a secret of ours.
pub fn replaced(text: &str, instead: &str) -> String {
    // ASCII only, so that positions are the same.
    let lower = text.to_ascii_lowercase();
    let (mut result, mut done) = (String::new(), 0);
    while let Some(start) = PREFIXES.iter().filter_map(|prefix| Some(done + lower[done..].find(prefix)?)).min() {
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        let length = text[start..].find(|c| !is_part(c)).unwrap_or(text.len() - start);
        result.push_str(&text[done..start]);
        result.push_str(instead);
        done = start + length;
    }
    result.push_str(&text[done..]);
    result
}

fn decode(text: &str) -> Option<Vec<u8>> {
    (text.len() <= 128).then(|| URL_SAFE_NO_PAD.decode(text).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_tell_their_kind_and_tenant_and_hide_themselves() {
        let tenant = TenantId(Uuid::from_u128(7));
        let code = Secret::of_tenant(Kind::Code, tenant);
        assert_eq!(claimed_tenant(Kind::Code, code.reveal()), Some(tenant));
        assert_eq!(claimed_tenant(Kind::Refresh, code.reveal()), None);
        assert_eq!(format!("{code:?}"), "[secret]");
        assert!(looks_like(Kind::Scim, Secret::new(Kind::Scim).reveal()));
        for bad in ["", "ghscim_", "ghscim_x", "ghscim_====", &"x".repeat(500)] {
            assert!(!looks_like(Kind::Scim, bad) && claimed_tenant(Kind::Code, bad).is_none(), "{bad}");
        }
    }
}

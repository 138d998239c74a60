//! Seals key material with AES-256-GCM under a root key. The first root key seals, all open.
//! A sealed value opens only for the purpose and the row it was sealed for.

use crate::entropy;
use anyhow::{Context, Result, anyhow, bail};
use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    hkdf::{HKDF_SHA256, Prk, Salt},
    hmac,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use std::fmt;
use uuid::Uuid;

const PREFIX: &str = "ghroot_";

/// What a sealed value is for; part of what is authenticated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    SpKey,
    SigningKey,
}

impl Purpose {
    fn label(self) -> &'static str {
        match self {
            Self::SpKey => "sp_keys.sealed",
            Self::SigningKey => "signing_keys.sealed",
        }
    }
}

/// What a derived secret is for; each purpose has others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Derived {
    InvitationCode,
    /// What shows that a mail which came back was ours.
    MailTag,
    /// By which an address is known again that is not kept.
    Tombstone,
}

impl Derived {
    fn label(self) -> &'static str {
        match self {
            Self::InvitationCode => "invitations.code",
            Self::MailTag => "invitations.mail",
            Self::Tombstone => "tombstones.addresses",
        }
    }
}

/// The root keys.
pub struct Vault {
    keys: Vec<RootKey>,
}

struct RootKey {
    id: String,
    key: LessSafeKey,
    /// What secrets are derived from.
    seed: Prk,
}

/// A sealed value and the root key it needs.
#[derive(Debug, Clone)]
pub struct Sealed {
    pub root_key_id: String,
    pub bytes: Vec<u8>,
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault").field("keys", &self.key_ids().collect::<Vec<_>>()).finish()
    }
}

/// A new root key, as one line for the key file.
pub fn generate_root_key() -> String {
    let id = Uuid::from_bytes(entropy::bytes()).simple().to_string();
    let id: String = id.chars().take(8).collect();
    format!("{PREFIX}{id}_{}", URL_SAFE_NO_PAD.encode(entropy::bytes::<32>()))
}

impl Vault {
    /// Reads root keys, one a line; blank lines and lines that start with `#` are skipped.
    ///
    /// # Errors
    /// When there is none, one is malformed (it is named by line, never shown), or two share an id.
    pub fn parse(text: &str) -> Result<Self> {
        let mut keys: Vec<RootKey> = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let key = RootKey::parse(line)
                .with_context(|| format!("line {} is not a root key made by `gatehouse key generate`", number + 1))?;
            if keys.iter().any(|other| other.id == key.id) {
                bail!("line {} repeats the root key {}", number + 1, key.id);
            }
            keys.push(key);
        }
        if keys.is_empty() {
            bail!(
                "there is no root key; make one with `gatehouse key generate` and keep a copy: without it, sealed keys are lost"
            );
        }
        Ok(Self { keys })
    }

    /// The id of the key that seals.
    pub fn sealing_key_id(&self) -> &str {
        self.keys.first().map_or("", |key| key.id.as_str())
    }

    /// The ids of all keys.
    pub fn key_ids(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(|key| key.id.as_str())
    }

    /// Seals `plain` for one purpose and one row.
    pub fn seal(&self, purpose: Purpose, row: Uuid, plain: &[u8]) -> Result<Sealed> {
        let root = self.keys.first().ok_or_else(|| anyhow!("there is no root key"))?;
        let nonce = entropy::bytes::<NONCE_LEN>();
        let mut bytes = nonce.to_vec();
        let mut sealed = plain.to_vec();
        root.key
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad(purpose, row), &mut sealed)
            .map_err(|_| anyhow!("a key could not be sealed"))?;
        bytes.append(&mut sealed);
        Ok(Sealed { root_key_id: root.id.clone(), bytes })
    }

    /// The secret of one row (HKDF, RFC 5869), by the root key that seals; the same each time, so that it need not be stored.
    ///
    /// # Errors
    /// Without a root key.
    pub fn derive(&self, derived: Derived, row: Uuid) -> Result<[u8; 32]> {
        self.derive_all(derived, row).next().context("there is no root key")?
    }

    /// The same by each root key: by one of them it was made.
    pub fn derive_all(&self, derived: Derived, row: Uuid) -> impl Iterator<Item = Result<[u8; 32]>> {
        let label = format!("gatehouse:{}:{row}", derived.label());
        self.keys.iter().map(move |key| {
            let mut secret = [0; 32];
            let filled = key.seed.expand(&[label.as_bytes()], HKDF_SHA256).and_then(|okm| okm.fill(&mut secret));
            filled.map(|()| secret).map_err(|_| anyhow!("a secret could not be derived"))
        })
    }

    /// A keyed hash (HMAC-SHA-256) of a text by the secret of a row, by each root key; the one that seals comes first.
    ///
    /// # Errors
    /// Without a root key.
    pub fn tags(&self, derived: Derived, row: Uuid, text: &str) -> Result<Vec<Vec<u8>>> {
        let tag = |secret: Result<[u8; 32]>| {
            let key = hmac::Key::new(hmac::HMAC_SHA256, &secret?);
            Ok(hmac::sign(&key, text.as_bytes()).as_ref().to_vec())
        };
        self.derive_all(derived, row).map(tag).collect()
    }

    /// Opens what was sealed for the same purpose and row.
    pub fn open(&self, purpose: Purpose, row: Uuid, root_key_id: &str, sealed: &[u8]) -> Result<Vec<u8>> {
        let root = self.keys.iter().find(|key| key.id == root_key_id);
        let root =
            root.with_context(|| format!("the root key {root_key_id} is missing; add its line to the key file"))?;
        let damaged = || anyhow!("a sealed key does not open; it was changed, or moved from another row");
        let (nonce, rest) = sealed.split_at_checked(NONCE_LEN).ok_or_else(damaged)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| damaged())?;
        let mut plain = rest.to_vec();
        let length = root.key.open_in_place(nonce, aad(purpose, row), &mut plain).map_err(|_| damaged())?.len();
        plain.truncate(length);
        Ok(plain)
    }
}

impl RootKey {
    fn parse(line: &str) -> Result<Self> {
        let (id, key) = line.strip_prefix(PREFIX).and_then(|rest| rest.split_once('_')).context("no ghroot_ prefix")?;
        let bytes = URL_SAFE_NO_PAD.decode(key).context("not base64url")?;
        let key = UnboundKey::new(&AES_256_GCM, &bytes).map_err(|_| anyhow!("not 32 bytes"))?;
        if id.len() != 8 || !id.chars().all(|c| c.is_ascii_hexdigit()) {
            bail!("no key id");
        }
        let seed = Salt::new(HKDF_SHA256, b"gatehouse").extract(&bytes);
        Ok(Self { id: id.to_owned(), key: LessSafeKey::new(key), seed })
    }
}

fn aad(purpose: Purpose, row: Uuid) -> Aad<Vec<u8>> {
    Aad::from(format!("gatehouse:{}:{row}", purpose.label()).into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_key_seals_and_all_open() {
        let (old, new) = (generate_root_key(), generate_root_key());
        let before = Vault::parse(&old).unwrap();
        let row = Uuid::from_u128(1);
        let sealed = before.seal(Purpose::SpKey, row, b"key").unwrap();
        let after = Vault::parse(&format!("# newest first\n{new}\n\n{old}\n")).unwrap();
        let open = |vault: &Vault, purpose, row| vault.open(purpose, row, &sealed.root_key_id, &sealed.bytes).ok();
        assert_eq!(open(&after, Purpose::SpKey, row).as_deref(), Some(&b"key"[..]));
        assert_ne!(after.seal(Purpose::SpKey, row, b"key").unwrap().root_key_id, sealed.root_key_id);
        assert_eq!(open(&after, Purpose::SigningKey, row), None, "another purpose");
        assert_eq!(open(&after, Purpose::SpKey, Uuid::from_u128(2)), None, "another row");
        assert_eq!(open(&Vault::parse(&new).unwrap(), Purpose::SpKey, row), None, "another root key");
    }

    #[test]
    fn each_row_and_purpose_has_a_secret_of_its_own_by_each_root_key() {
        let (old, new) = (generate_root_key(), generate_root_key());
        let (before, after) = (Vault::parse(&old).unwrap(), Vault::parse(&format!("{new}\n{old}")).unwrap());
        let row = Uuid::from_u128(1);
        let code = before.derive(Derived::InvitationCode, row).unwrap();
        assert_eq!(before.derive(Derived::InvitationCode, row).unwrap(), code, "the same each time");
        assert_ne!(before.derive(Derived::InvitationCode, Uuid::from_u128(2)).unwrap(), code);
        assert_ne!(before.derive(Derived::MailTag, row).unwrap(), code);
        assert_ne!(after.derive(Derived::InvitationCode, row).unwrap(), code, "the newest key");
        assert!(after.derive_all(Derived::InvitationCode, row).any(|other| other.unwrap() == code));
    }

    #[test]
    fn a_malformed_key_is_named_by_line_and_never_shown() {
        let key = generate_root_key();
        for bad in ["", "# only a comment", "secretsecret", &format!("{key}x"), &format!("{key}\n{key}")] {
            let error = format!("{:#}", Vault::parse(bad).unwrap_err());
            assert!(!error.contains("secretsecret") && !error.contains(&key), "{error}");
        }
    }
}

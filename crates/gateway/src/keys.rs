//! The keys that sign tokens: made at the first start and again on a schedule, sealed at rest, held in memory.

use crate::{
    app::App,
    vault::{Purpose, Vault},
};
use anyhow::{Context, bail};
use oidc::keys::{Algorithm, SigningKey};
use std::sync::{Arc, PoisonError, RwLock};
use store::{
    control::ControlTx,
    signing_keys::{self, SealedSigningKey},
    sp_keys,
    store::Store,
};
use time::{Duration, OffsetDateTime};
use tokio::time::{MissedTickBehavior, interval};
use tracing::{info, warn};
use uuid::Uuid;

/// How often a process looks whether there are other keys.
const PERIOD: std::time::Duration = std::time::Duration::from_secs(60);

/// How long a key is published before it signs: longer than any client keeps the JWKS, and any gateway its keys.
const PUBLISHED_BEFORE: Duration = Duration::days(1);

/// How long one is published after another has taken its place: longer than any token lives.
const PUBLISHED_AFTER: Duration = Duration::days(1);

/// All keys, in the order in which they sign.
pub struct TokenKeys {
    held: RwLock<Arc<Held>>,
}

/// The keys of one moment.
struct Held {
    keys: Vec<SigningKey>,
    /// From when on each of them signs.
    from: Vec<OffsetDateTime>,
}

/// Where a key stands in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// It is published and does not sign yet.
    Next,
    /// It signs.
    Current,
    /// Another has taken its place; what it signed is still believed.
    Retired,
}

impl Stage {
    /// The stage as it is shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Next => "next",
            Self::Current => "current",
            Self::Retired => "retired",
        }
    }
}

/// Where a key stands that signs from then on, among keys of its algorithm in the order in which they sign.
pub fn stage(from: OffsetDateTime, of_algorithm: &[OffsetDateTime], now: OffsetDateTime) -> Stage {
    let current = of_algorithm.iter().rfind(|from| **from <= now);
    match current {
        _ if from > now => Stage::Next,
        Some(current) if *current > from => Stage::Retired,
        _ => Stage::Current,
    }
}

impl TokenKeys {
    /// Opens the stored keys; makes one of each algorithm that has none, under a lock that other processes wait for.
    ///
    /// # Errors
    /// When the database cannot be used, or keys are sealed under a root key that is not here.
    pub async fn load_or_create(store: &Store, vault: &Vault, now: OffsetDateTime) -> anyhow::Result<Self> {
        let mut tx = store.control(now).await.context("the database cannot be reached")?;
        refuse_unknown_root_keys(&mut tx, vault).await?;
        signing_keys::lock(&mut tx).await?;
        let mut stored = signing_keys::list(&mut tx).await?;
        for algorithm in ALGORITHMS {
            if !stored.iter().any(|key| key.algorithm == algorithm.as_str()) {
                let key = new_key(tx.new_id(), algorithm, vault, now)?;
                signing_keys::insert(&mut tx, &key).await?;
                stored.push(key);
            }
        }
        tx.commit().await?;
        Ok(Self { held: RwLock::new(Arc::new(opened(&stored, &[], vault)?)) })
    }

    /// The key that signs with that algorithm.
    pub fn signer(&self, algorithm: Algorithm, now: OffsetDateTime) -> Option<SigningKey> {
        let held = self.held();
        let all = || held.keys.iter().zip(&held.from).filter(|(key, _)| key.algorithm() == algorithm);
        // A clock that is behind those of others has one all the same.
        let current = all().rfind(|(_, from)| **from <= now).or_else(|| all().next());
        current.map(|(key, _)| key.clone())
    }

    /// All keys, for verification and the JWKS.
    pub fn all(&self) -> Vec<SigningKey> {
        self.held().keys.clone()
    }

    fn held(&self) -> Arc<Held> {
        Arc::clone(&self.held.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Makes the next keys and removes the old ones if it is time for that, and takes over what other processes did.
    ///
    /// # Errors
    /// When the database cannot be used, or a key does not open.
    pub async fn keep(
        &self,
        store: &Store,
        vault: &Vault,
        period: Duration,
        now: OffsetDateTime,
    ) -> anyhow::Result<()> {
        let mut tx = store.control(now).await?;
        let mut stored = signing_keys::list(&mut tx).await?;
        if ALGORITHMS.into_iter().any(|algorithm| !due(&stored, algorithm, period, now).is_nothing()) {
            signing_keys::lock(&mut tx).await?;
            stored = signing_keys::list(&mut tx).await?;
            for algorithm in ALGORITHMS {
                let due = due(&stored, algorithm, period, now);
                if due.next {
                    let key = new_key(tx.new_id(), algorithm, vault, now + PUBLISHED_BEFORE)?;
                    signing_keys::insert(&mut tx, &key).await?;
                    info!(kid = %key.id, algorithm = algorithm.as_str(), "The next token key is published; it signs from tomorrow");
                }
                for id in due.gone {
                    signing_keys::delete(&mut tx, id).await?;
                    info!(kid = %id, algorithm = algorithm.as_str(), "A retired token key is gone");
                }
            }
            stored = signing_keys::list(&mut tx).await?;
        }
        tx.commit().await?;
        let held = self.held();
        let is_same = held.keys.len() == stored.len()
            && held.keys.iter().zip(&stored).all(|(key, stored)| key.kid() == stored.id.to_string());
        if !is_same {
            let opened = Arc::new(opened(&stored, &held.keys, vault)?);
            *self.held.write().unwrap_or_else(PoisonError::into_inner) = opened;
        }
        Ok(())
    }
}

const ALGORITHMS: [Algorithm; 2] = [Algorithm::Rs256, Algorithm::Es256];

/// What is to be done about the keys of one algorithm.
#[derive(Debug, Default, PartialEq, Eq)]
struct Due {
    /// Whether the next key is to be made.
    next: bool,
    /// Keys that nobody needs any more.
    gone: Vec<Uuid>,
}

impl Due {
    fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

/// A period of zero makes no keys.
fn due(stored: &[SealedSigningKey], algorithm: Algorithm, period: Duration, now: OffsetDateTime) -> Due {
    let of: Vec<&SealedSigningKey> = stored.iter().filter(|key| key.algorithm == algorithm.as_str()).collect();
    let next = !period.is_zero() && of.last().is_some_and(|last| last.signs_from + period - PUBLISHED_BEFORE <= now);
    let replaced = of.windows(2).filter(|pair| pair[1].signs_from + PUBLISHED_AFTER <= now);
    Due { next, gone: replaced.map(|pair| pair[0].id).collect() }
}

/// Looks after the token keys until dropped.
pub async fn run(app: App) {
    let mut ticks = interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let (store, vault, period) = (&app.store, &app.vault, app.config.token_key_period);
        if let Err(error) = app.keys.keep(store, vault, period, app.clock.now()).await {
            warn!(error = format!("{error:#}"), "The token keys could not be looked after; the next round tries again");
        }
    }
}

/// Makes new token keys: they sign from tomorrow, or at once, and then what the others signed is not believed any more.
///
/// # Errors
/// When the database cannot be used.
pub async fn replace(store: &Store, vault: &Vault, at_once: bool, now: OffsetDateTime) -> anyhow::Result<()> {
    let mut tx = store.control(now).await?;
    refuse_unknown_root_keys(&mut tx, vault).await?;
    signing_keys::lock(&mut tx).await?;
    let old = signing_keys::list(&mut tx).await?;
    for algorithm in ALGORITHMS {
        let from = if at_once { now } else { now + PUBLISHED_BEFORE };
        let key = new_key(tx.new_id(), algorithm, vault, from)?;
        signing_keys::insert(&mut tx, &key).await?;
    }
    if at_once {
        for key in old {
            signing_keys::delete(&mut tx, key.id).await?;
        }
    }
    Ok(tx.commit().await?)
}

/// Opens keys, but for those that are open already.
fn opened(stored: &[SealedSigningKey], known: &[SigningKey], vault: &Vault) -> anyhow::Result<Held> {
    let key = |key: &SealedSigningKey| {
        let kid = key.id.to_string();
        known.iter().find(|known| known.kid() == kid).map_or_else(|| open(key, vault), |known| Ok(known.clone()))
    };
    let keys = stored.iter().map(key).collect::<anyhow::Result<Vec<_>>>()?;
    Ok(Held { keys, from: stored.iter().map(|key| key.signs_from).collect() })
}

/// Opens every stored token key, and makes none.
///
/// # Errors
/// As [`TokenKeys::load_or_create`].
pub async fn check(store: &Store, vault: &Vault, now: OffsetDateTime) -> anyhow::Result<()> {
    let mut tx = store.control(now).await.context("the database cannot be reached")?;
    refuse_unknown_root_keys(&mut tx, vault).await?;
    let stored = signing_keys::list(&mut tx).await?;
    tx.rollback().await?;
    stored.iter().try_for_each(|key| open(key, vault).map(drop))
}

/// Seals every stored key again that is not sealed under the newest root key; answers how many.
///
/// # Errors
/// When a key does not open or cannot be stored; what was done so far in this call is undone.
pub async fn reseal(store: &Store, vault: &Vault, now: OffsetDateTime) -> anyhow::Result<usize> {
    let mut tx = store.control(now).await?;
    refuse_unknown_root_keys(&mut tx, vault).await?;
    let mut count = 0;
    for key in signing_keys::list(&mut tx).await? {
        if key.root_key_id != vault.sealing_key_id() {
            let plain = vault.open(Purpose::SigningKey, key.id, &key.root_key_id, &key.sealed)?;
            let sealed = vault.seal(Purpose::SigningKey, key.id, &plain)?;
            let key = SealedSigningKey { root_key_id: sealed.root_key_id, sealed: sealed.bytes, ..key };
            signing_keys::reseal(&mut tx, &key).await?;
            count += 1;
        }
    }
    loop {
        let batch = sp_keys::sealed_otherwise(&mut tx, vault.sealing_key_id()).await?;
        if batch.is_empty() {
            break;
        }
        for (tenant, mut key) in batch {
            let plain = vault.open(Purpose::SpKey, key.id, &key.root_key_id, &key.sealed)?;
            let sealed = vault.seal(Purpose::SpKey, key.id, &plain)?;
            (key.root_key_id, key.sealed) = (sealed.root_key_id, sealed.bytes);
            sp_keys::reseal(&mut tx, tenant, &key).await?;
            count += 1;
        }
    }
    tx.commit().await?;
    Ok(count)
}

async fn refuse_unknown_root_keys(tx: &mut ControlTx, vault: &Vault) -> anyhow::Result<()> {
    let needed = sp_keys::root_key_ids(tx).await?;
    let missing: Vec<String> = needed.into_iter().filter(|id| !vault.key_ids().any(|have| have == id)).collect();
    if !missing.is_empty() {
        bail!(
            "stored keys are sealed under the root key {}, which is not in keys.root; add its line to the key file",
            missing.join(", ")
        );
    }
    Ok(())
}

fn new_key(
    id: Uuid,
    algorithm: Algorithm,
    vault: &Vault,
    signs_from: OffsetDateTime,
) -> anyhow::Result<SealedSigningKey> {
    let der = SigningKey::generate(algorithm)?;
    let sealed = vault.seal(Purpose::SigningKey, id, &der)?;
    let (root_key_id, sealed) = (sealed.root_key_id, sealed.bytes);
    Ok(SealedSigningKey { id, algorithm: algorithm.to_string(), root_key_id, sealed, signs_from })
}

fn open(key: &SealedSigningKey, vault: &Vault) -> anyhow::Result<SigningKey> {
    let der = vault.open(Purpose::SigningKey, key.id, &key.root_key_id, &key.sealed)?;
    let algorithm: Algorithm = key.algorithm.parse().ok().context("a stored key has an unknown algorithm")?;
    Ok(SigningKey::from_pkcs8(&key.id.to_string(), algorithm, &der)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: OffsetDateTime = time::macros::datetime!(2026-11-22 12:00 UTC);
    const PERIOD: Duration = Duration::days(90);

    fn key(number: u128, signs_from: OffsetDateTime) -> SealedSigningKey {
        let (algorithm, root_key_id) = ("RS256".to_owned(), String::new());
        SealedSigningKey { id: Uuid::from_u128(number), algorithm, root_key_id, sealed: Vec::new(), signs_from }
    }

    #[test]
    fn a_key_is_published_a_day_before_it_signs_and_a_day_after_it_signed() {
        let first = key(1, NOW);
        let at = |keys: &[SealedSigningKey], now| due(keys, Algorithm::Rs256, PERIOD, now);
        assert!(at(std::slice::from_ref(&first), NOW + Duration::days(88)).is_nothing());
        let made = NOW + Duration::days(89);
        assert_eq!(at(std::slice::from_ref(&first), made), Due { next: true, gone: vec![] });
        let both = [first, key(2, made + PUBLISHED_BEFORE)];
        assert!(at(&both, made).is_nothing(), "one is enough");
        assert!(at(&both, NOW + Duration::days(91) - Duration::SECOND).is_nothing());
        let gone = Due { next: false, gone: vec![Uuid::from_u128(1)] };
        assert_eq!(at(&both, NOW + Duration::days(91)), gone);
        assert_eq!(due(&both[..1], Algorithm::Rs256, Duration::ZERO, NOW + Duration::days(999)), Due::default());
        assert_eq!(due(&both, Algorithm::Es256, PERIOD, NOW), Due::default(), "of the other algorithm there are none");
    }

    #[test]
    fn a_key_is_next_then_current_then_retired() {
        let all = [NOW, NOW + PERIOD];
        let stages = |now| all.map(|from| stage(from, &all, now));
        assert_eq!(stages(NOW), [Stage::Current, Stage::Next]);
        assert_eq!(stages(NOW + PERIOD), [Stage::Retired, Stage::Current]);
    }
}

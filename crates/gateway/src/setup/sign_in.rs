//! How sign-in behaves in a connection.

use super::{changed, operator, tenant_of};
use crate::{error::Error, provisioning, roles::InForce, saml::settings::Settings};
use anyhow::Context;
use domain::{email::is_domain, ids::ConnectionId, names::fold, refusal::Refusal};
use store::{connections, roles, store::Store};
use time::OffsetDateTime;
use url::Url;

/// Characters of an entity ID (core 8.3.6).
const LONGEST: usize = 1_024;

/// Changes the settings of sign-in, and whether SHA-1 is accepted.
///
/// # Errors
/// [`Refusal::DomainInvalid`] for what is no mail domain.
pub async fn set(
    store: &Store,
    now: OffsetDateTime,
    connection: ConnectionId,
    change: impl FnOnce(&mut Settings, &mut bool),
) -> Result<(), Error> {
    let mut tx = operator(store, tenant_of(store, now, connection).await?, now).await?;
    let stored = connections::for_update(&mut tx, connection).await?.ok_or(Error::NotFound)?;
    let (mut settings, mut allow_sha1) = (Settings::of(&stored)?, stored.allow_sha1);
    change(&mut settings, &mut allow_sha1);
    for domain in &mut settings.email_domains {
        *domain = fold(domain);
        if !is_domain(domain) {
            return Err(Refusal::DomainInvalid { domain: domain.clone() }.into());
        }
    }
    if settings
        .former_entity_id
        .as_ref()
        .is_some_and(|id| id.len() > LONGEST || !id.bytes().all(|b| b.is_ascii_graphic()))
    {
        let problem = format!("an entity ID has at most {LONGEST} characters, and no spaces");
        return Err(Refusal::ChangeImpossible { problem }.into());
    }
    if let Some(wanted) = &settings.universal_logout {
        for (what, url) in [("issuer", wanted.issuer.clone()), ("address of keys", wanted.jwks_url())] {
            let is_whole = Url::parse(&url).is_ok_and(|url| matches!(url.scheme(), "https" | "http") && url.has_host());
            if !is_whole {
                return Err(Refusal::UriInvalid { what, problem: format!("{url} is not an https:// address") }.into());
            }
        }
    }
    let document = serde_json::to_value(&settings).context("settings serialize")?;
    connections::set_sign_in(&mut tx, connection, allow_sha1, &document).await?;
    changed(&mut tx, connection, "sign-in").await?;
    Ok(tx.commit().await?)
}

/// Notes that SCIM does not keep the users any more, until it writes the next one.
///
/// # Errors
/// [`Error::NotFound`] without such a connection.
pub async fn forget_scim(store: &Store, now: OffsetDateTime, connection: ConnectionId) -> Result<(), Error> {
    let mut tx = operator(store, tenant_of(store, now, connection).await?, now).await?;
    if connections::terms(&mut tx, connection).await?.scim_since.is_none() {
        return Ok(tx.rollback().await?);
    }
    // Those from before are nobody's any more.
    roles::forget_asserted_groups(&mut tx, connection).await?;
    let in_force = InForce::of(&mut tx, connection).await?;
    provisioning::set_scim_live(&mut tx, connection, &in_force, false).await?;
    Ok(tx.commit().await?)
}

//! The SAML service provider's side of HTTP: metadata, requests out, responses in, sign-ins collected.

pub mod acs;
pub mod finish;
pub mod identity;
pub mod login;
pub mod metadata;

use crate::{app::Inner, error::Error, vault::Purpose};
use ::saml::{
    decryption::DecryptionKey,
    idp::IdentityProvider,
    sp::{ServiceProvider, SpKey},
};
use anyhow::Context;
use domain::ids::ConnectionId;
use store::{
    connections::Connection,
    sp_keys::{self, SealedSpKey},
    tenant::TenantTx,
};

/// The gateway as the identity provider of that connection knows it.
pub fn service_provider(app: &Inner, connection: ConnectionId) -> ServiceProvider {
    let entity_id = app.connection_url(connection);
    ServiceProvider { acs_url: format!("{entity_id}/saml/acs"), entity_id }
}

/// The identity provider of a connection that has one.
fn identity_provider(connection: &Connection) -> Result<IdentityProvider, Error> {
    let idp = connection.idp.as_ref().ok_or(Error::NotSetUp)?;
    let read = IdentityProvider::from_parts(&idp.entity_id, &idp.sso_url, &idp.certificates, true);
    Ok(read.context("a stored identity provider does not read any more")?)
}

/// The keys for what is encrypted for the connection: all that its metadata has named.
async fn decryption_keys(
    app: &Inner,
    tx: &mut TenantTx,
    connection: ConnectionId,
) -> Result<Vec<DecryptionKey>, Error> {
    let open = |key: SealedSpKey| {
        let der = app.vault.open(Purpose::SpKey, key.id, &key.root_key_id, &key.sealed)?;
        Ok(DecryptionKey::from_pkcs8(&der).context("a stored key does not read any more")?)
    };
    sp_keys::list(tx, connection).await?.into_iter().map(open).collect()
}

/// The key that signs the connection's requests: its newest.
async fn signing_key(app: &Inner, tx: &mut TenantTx, connection: ConnectionId) -> Result<SpKey, Error> {
    let keys = sp_keys::list(tx, connection).await?;
    let key = keys.first().context("a connection has no key of its own")?;
    let der = app.vault.open(Purpose::SpKey, key.id, &key.root_key_id, &key.sealed)?;
    Ok(SpKey::from_parts(&der, &key.certificate).context("a stored key does not read any more")?)
}

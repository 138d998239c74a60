//! Passwords that an identity provider sends: dropped, unless the connection synchronizes them; then only their
//! Argon2id is kept.

use super::call::{Directory, ScimCall};
use crate::{entropy, error::Error};
use ::scim::user::Password;
use anyhow::{Context, anyhow};
use argon2::{Argon2, PasswordHasher, password_hash::SaltString};

/// The call with the password's hash, where the connection wants it. No transaction is open while it is made, so what
/// was read before must be read again.
pub async fn hashed(call: ScimCall, password: Option<&Password>) -> Result<(ScimCall, Option<String>), Error> {
    let Some(password) = wanted(&call.directory, password) else { return Ok((call, None)) };
    let directory = call.directory.clone();
    let (call, hash) = call.without_transaction(hash(&directory, password)).await?;
    Ok((call, Some(hash?)))
}

/// The password, if this directory keeps it.
pub fn wanted<'p>(directory: &Directory, password: Option<&'p Password>) -> Option<&'p Password> {
    password.filter(|_| directory.password_sync)
}

/// The password's hash, if this directory keeps it. Nothing may be open or locked while it is made.
pub async fn kept(directory: &Directory, password: Option<&Password>) -> Result<Option<String>, Error> {
    match wanted(directory, password) {
        Some(password) => Ok(Some(hash(directory, password).await?)),
        None => Ok(None),
    }
}

/// Argon2id with the parameters that RFC 9106 and OWASP give for 19 MiB, in PHC form.
async fn hash(directory: &Directory, password: &Password) -> Result<String, Error> {
    let permit = directory.app.limits.hash(directory.tenant).await;
    let password = password.clone();
    // The place is given back when the hash is made, also if nobody waits for it any more.
    let hashed = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        let salt = SaltString::encode_b64(&entropy::bytes::<16>()).map_err(|error| anyhow!("a salt: {error}"))?;
        let hash = Argon2::default().hash_password(password.reveal().as_bytes(), &salt);
        Ok::<_, anyhow::Error>(hash.map_err(|error| anyhow!("a password hash: {error}"))?.to_string())
    });
    Ok(hashed.await.context("a password is hashed")??)
}

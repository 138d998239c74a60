//! Passwords that an identity provider sends: dropped, unless the connection synchronizes them; then only their
//! Argon2id is kept.

use super::call::{Directory, ScimCall};
use crate::{
    error::Error,
    password::{self, belongs},
};
use ::scim::user::Password;
use anyhow::Context;
use domain::ids::AccountId;
use std::sync::Arc;
use store::passwords;

/// The call with the password's hash, where the connection wants it. No transaction is open while it is made, so what
/// was read before must be read again.
pub async fn hashed(call: ScimCall, password: Option<&Password>) -> Result<(ScimCall, Option<String>), Error> {
    let Some(password) = wanted(&call.directory, password) else { return Ok((call, None)) };
    let (directory, account) = (call.directory.clone(), AccountId(call.resource_id()?));
    let (call, hash) = call.without_transaction(hash(&directory, Some(account), password)).await?;
    Ok((call, Some(hash?)))
}

/// The password, if this directory keeps it.
pub fn wanted<'p>(directory: &Directory, password: Option<&'p Password>) -> Option<&'p Password> {
    password.filter(|_| directory.password_sync)
}

/// The password's hash, if this directory keeps it, for an account if there is one. Nothing may be open or locked while it is made.
pub async fn kept(
    directory: &Arc<Directory>,
    account: Option<AccountId>,
    password: Option<&Password>,
) -> Result<Option<String>, Error> {
    match wanted(directory, password) {
        Some(password) => Ok(Some(hash(directory, account, password).await?)),
        None => Ok(None),
    }
}

/// Argon2id with the parameters that RFC 9106 and OWASP give for 19 MiB, in PHC form. For the password that the account has already
/// it is the hash that is kept: identity providers send it again and again, and nothing has changed then.
async fn hash(directory: &Arc<Directory>, account: Option<AccountId>, password: &Password) -> Result<String, Error> {
    let before = match account {
        Some(account) => {
            let mut work = directory.open().await?;
            let before = passwords::of(&mut work.tx, account).await?;
            work.close().await?;
            before
        }
        None => None,
    };
    let permit = directory.app.limits.hash(directory.tenant).await;
    let password = password.clone();
    // The place is given back when the hash is made, also if nobody waits for it any more.
    let hashed = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        let text = password.reveal().as_bytes();
        if let Some(before) = before.filter(|hash| belongs(text, hash)) {
            return Ok(before);
        }
        password::hash(text)
    });
    Ok(hashed.await.context("a password is hashed")??)
}

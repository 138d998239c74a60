//! How a tenant is moved over to its identity provider: both ways for a while, then that one only, and nobody is locked out.

use super::{break_glass::Sheet, operator, tell};
use crate::error::Error;
use domain::{
    event::{EventKind, Subject},
    ids::{AccountId, ConnectionId, TenantId, UserId},
    refusal::Refusal,
};
use serde_json::json;
use store::{
    break_glass,
    sessions::{self, Proven},
    store::Store,
    tenants::{self, SignIn},
};
use time::{Duration, OffsetDateTime};

/// How lately an administrator has to have come by the identity provider.
pub const LATELY: Duration = Duration::minutes(15);

/// Who has proven that the identity provider works, and new codes, if they had none.
#[derive(Debug)]
pub struct Switched {
    pub connection: ConnectionId,
    pub account: AccountId,
    pub codes: Vec<String>,
}

/// Lets people choose between the identity provider and the application's own way.
///
/// # Errors
/// [`Error::NotFound`]
pub async fn both(store: &Store, now: OffsetDateTime, tenant: TenantId) -> Result<(), Error> {
    let mut tx = operator(store, tenant, now).await?;
    tenants::set_sign_in(&mut tx, SignIn::Both).await?;
    tell(&mut tx, EventKind::TenantSignInChanged, Subject::Tenant(tenant), json!({ "to": SignIn::Both.as_str() }))
        .await?;
    Ok(tx.commit().await?)
}

/// Has everybody come by the identity provider, once an administrator has done so lately; who has no code for when it cannot be asked
/// gets some.
///
/// # Errors
/// [`Refusal::ChangeImpossible`] where that administrator has not.
pub async fn sso_only(store: &Store, now: OffsetDateTime, tenant: TenantId, by: UserId) -> Result<Switched, Error> {
    let sheet = Sheet::new().await?;
    let mut tx = operator(store, tenant, now).await?;
    let proven = sessions::proven_since(&mut tx, by, now - LATELY).await?;
    let unproven = |one: &&Proven| one.has_own_login && one.by.is_none();
    let open: Vec<&str> = proven.iter().filter(unproven).map(|one| one.application.as_str()).collect();
    let Some((connection, account)) = proven.iter().find_map(|one| one.by).filter(|_| open.is_empty()) else {
        let to = if open.is_empty() { "an application".to_owned() } else { open.join(", ") };
        let problem = format!(
            "nobody can say yet that the identity provider lets them in: have that user, with the highest role, sign in through it to {to}, then repeat this within 15 minutes"
        );
        return Err(Refusal::ChangeImpossible { problem }.into());
    };
    tenants::set_sign_in(&mut tx, SignIn::Sso).await?;
    let codes = match break_glass::left(&mut tx, account).await? {
        0 => {
            sheet.give(&mut tx, connection, account).await?;
            sheet.codes
        }
        _ => Vec::new(),
    };
    let data = json!({ "to": SignIn::Sso.as_str(), "by_user_id": by });
    tell(&mut tx, EventKind::TenantSignInChanged, Subject::Tenant(tenant), data).await?;
    tx.commit().await?;
    Ok(Switched { connection, account, codes })
}

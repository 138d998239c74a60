//! Whose sign-in it is: the account that an identity means, bound to it, with the role that it has by now.

use super::{identity::Identity, jit};
use crate::{
    error::Error,
    provisioning,
    roles::{self, InForce},
    seats::Place,
};
use ::saml::code::Code;
use ::scim::user::UserDocument;
use domain::{
    account::{Account, Profile},
    email::Email,
    ids::ConnectionId,
    matching::{self, Candidates},
    names::fold,
    provisioning::{self as rules, Roles, SignedIn, Wanted},
    refusal::Refusal,
    role::Asserted,
};
use store::{accounts, domains, roles as rows, tenant::TenantTx};

/// How often an account is looked up anew when it changes at the same moment.
const LOOKS: usize = 3;

/// The account that the identity means, bound to it from now on and locked: a deactivation or a new name that is committed
/// meanwhile must win, or a session would outlive it. A new one may have to wait outside.
pub async fn signs_in(tx: &mut TenantTx, connection: ConnectionId, identity: &Identity) -> Result<Account, Error> {
    let name_id = identity.lasting_name();
    for look in 0..LOOKS {
        let found = match matching::sign_in(candidates(tx, connection, identity).await?, name_id) {
            Err(Refusal::UserUnknown) => match jit::arrives(tx, connection, identity).await {
                // SCIM may have brought them, and begun to keep the users, between the two looks.
                Err(Error::Saml(rejection)) if look == 0 && rejection.code == Code::UserUnknown => continue,
                outcome => return outcome,
            },
            found => found?,
        };
        let locked = accounts::for_update(tx, connection, found.account.id).await?;
        if locked.as_ref() != Some(&found.account) {
            // Somebody changed it between the two statements: look again.
            continue;
        }
        let name_id = name_id.filter(|_| found.binds).map(str::to_owned);
        return heeded(tx, found.account, name_id, identity).await;
    }
    Err(anyhow::anyhow!("an account changed {LOOKS} times while somebody signed in").into())
}

/// The account with what this sign-in says of it.
async fn heeded(
    tx: &mut TenantTx,
    account: Account,
    name_id: Option<String>,
    identity: &Identity,
) -> Result<Account, Error> {
    let Profile { role_basis, document, .. } = &account.profile;
    let is_new = role_basis.assertion.roles != identity.role_names() || name_id.is_some();
    let may_be_new = role_basis.assertion.groups != identity.group_names() || jit::differs(&account, identity);
    if !is_new && !may_be_new {
        return Ok(account);
    }
    let in_force = InForce::of(tx, account.connection_id).await?;
    let asserted = Asserted {
        roles: identity.role_names(),
        groups: if in_force.scim_since.is_some() {
            role_basis.assertion.groups.clone()
        } else {
            identity.group_names()
        },
    };
    let sent = role_basis.attribute.clone();
    let sent = sent.unwrap_or_else(|| UserDocument::from_stored(document.clone()).roles());
    let mut wanted = Wanted::unchanged(&account.profile, sent, SignedIn { name_id, asserted });
    jit::follows(tx, &in_force, &account, identity, &mut wanted).await?;
    let rule = rows::rule_of(tx, account.id, &in_force.policy.rules).await?;
    let Place { waits, .. } = Place::of(tx, &account, wanted.active).await?;
    let is_profile_new = wanted.document != account.profile.document;
    let InForce { catalogue, policy, .. } = &in_force;
    let plan = rules::update(&account, wanted, Roles { catalogue, policy, rule, waits });
    let plan = roles::guarded(tx, &in_force, &account, plan).await?;
    let before = account.profile.document.clone();
    let account = provisioning::carry_out(tx, account, plan).await?;
    if is_profile_new {
        jit::reindex(tx, &in_force, &account, &before).await?;
    }
    Ok(account)
}

async fn candidates(tx: &mut TenantTx, connection: ConnectionId, identity: &Identity) -> Result<Candidates, Error> {
    let mut candidates = Candidates::default();
    let name_id = identity.lasting_name();
    if let Some(name_id) = name_id {
        candidates.bound = accounts::by_name_id(tx, connection, name_id).await?;
        candidates.user_name = accounts::by_user_name(tx, connection, &fold(name_id)).await?;
    }
    for id in [identity.external_id(), name_id].into_iter().flatten() {
        if candidates.external_id.is_none() {
            candidates.external_id = only(accounts::by_external_id(tx, connection, id, 2).await?);
        }
    }
    if let Some(email) = identity.email.as_deref().and_then(|email| Email::parse(email).ok())
        && domains::is_verified(tx, email.domain()).await?
    {
        candidates.verified_email = only(accounts::by_email(tx, connection, email.key(), 2).await?);
    }
    Ok(candidates)
}

/// The one that was meant; two are none.
fn only(mut accounts: Vec<Account>) -> Option<Account> {
    if accounts.len() == 1 { accounts.pop() } else { None }
}

//! Whose sign-in it is: the account that an identity means, bound to it, with what this sign-in says of it.

use super::{identity::Identity, jit, settings::Jit};
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
    matching::{self, Candidates, SignIn},
    names::fold,
    provisioning::{self as rules, Roles, SignedIn, Wanted},
    refusal::Refusal,
    role::Asserted,
};
use store::{accounts, connections, domains, roles as rows, tenant::TenantTx, users};

/// How often an account is looked up anew when it changes at the same moment.
const LOOKS: usize = 3;

/// The account that the identity means, bound to it from now on and locked: a deactivation or a new name that is committed
/// meanwhile must win, or a session would outlive it. A new one may have to wait outside.
/// Whoever comes by a link of their own is invited with it.
pub async fn signs_in(
    tx: &mut TenantTx,
    connection: ConnectionId,
    identity: &Identity,
    by_link: bool,
) -> Result<Account, Error> {
    for look in 0..LOOKS {
        let candidates = candidates(tx, connection, identity).await?;
        let found = match matching::sign_in(candidates, identity.lasting_name()) {
            Err(Refusal::UserUnknown) => match jit::arrives(tx, connection, identity, by_link).await {
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
        return heeded(tx, found, identity).await;
    }
    Err(anyhow::anyhow!("an account changed {LOOKS} times while somebody signed in").into())
}

/// The account with what this sign-in says of it.
async fn heeded(tx: &mut TenantTx, found: SignIn, identity: &Identity) -> Result<Account, Error> {
    let SignIn { account, binds } = found;
    let Profile { role_basis, document, .. } = &account.profile;
    let was = &role_basis.assertion;
    let id = identity.asserted_id().or_else(|| was.id.clone());
    let is_new = binds || was.roles != identity.role_names();
    let is_other = was.groups != identity.group_names() || was.id != id || jit::differs(&account, identity);
    if !is_new && (!is_other || is_kept_by_scim(tx, account.connection_id).await?) {
        return Ok(account);
    }
    let in_force = InForce::of(tx, account.connection_id).await?;
    let is_contradicted = was.id.as_ref().zip(id.as_ref()).is_some_and(|(was, is)| was.contradicts(is));
    if is_contradicted && in_force.jit() != Jit::Off {
        // Somebody else has got the name.
        return Err(Refusal::AccountBound.into());
    }
    let mut asserted = Asserted { roles: identity.role_names(), ..was.clone() };
    if in_force.scim_since.is_none() {
        (asserted.groups, asserted.id) = (in_force.policy.kept_groups(identity.group_names()), id);
    }
    let sent = role_basis.attribute.clone();
    let sent = sent.unwrap_or_else(|| UserDocument::from_stored(document.clone()).roles());
    // A name for one time says nothing about the one to which it is bound.
    let signed_in = SignedIn { name_id: identity.lasting_name().map(str::to_owned), asserted };
    let wanted = Wanted::unchanged(&account.profile, sent, signed_in);
    let wanted = jit::followed(tx, &in_force, &account, identity, wanted).await?;
    carried_out(tx, &in_force, account, wanted).await
}

async fn carried_out(
    tx: &mut TenantTx,
    in_force: &InForce,
    account: Account,
    wanted: Wanted,
) -> Result<Account, Error> {
    let rule = rows::rule_of(tx, account.id, &in_force.policy.rules).await?;
    let Place { waits, .. } = Place::of(tx, &account, wanted.active).await?;
    let InForce { catalogue, policy, .. } = in_force;
    let plan = rules::update(&account, wanted, Roles { catalogue, policy, rule, waits });
    let mut plan = roles::guarded(tx, in_force, &account, plan).await?;
    // Whom SCIM keeps by another connection is called what that one says.
    plan.user_follows = plan.user_follows && !users::is_kept_elsewhere(tx, account.user_id, account.id).await?;
    let before = account.profile.document.clone();
    let account = provisioning::carry_out(tx, account, plan).await?;
    if account.profile.document != before {
        jit::reindex(tx, in_force, &account, &before).await?;
    }
    Ok(account)
}

async fn is_kept_by_scim(tx: &mut TenantTx, connection: ConnectionId) -> Result<bool, Error> {
    Ok(connections::terms(tx, connection).await?.scim_since.is_some())
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

//! Accounts that come by signing in ("just in time"), and profiles that follow what sign-ins say: until SCIM keeps the
//! connection's users, who are its own from then on.

use super::{identity::Identity, settings::Jit};
use crate::{
    arrival::{self, Newcomer},
    error::Error,
    provisioning,
    roles::InForce,
    scim::{schemas, users},
};
use ::saml::code::{Code, Rejection};
use ::scim::{search, user::UserDocument};
use anyhow::Context;
use domain::{
    account::Account,
    email::Email,
    ids::ConnectionId,
    invitation::Status,
    names::fold,
    provisioning::{SignedIn, Wanted},
    role::Asserted,
};
use serde_json::{Map, Value, json};
use store::{accounts, domains, invitations, tenant::TenantTx, users as people};

/// The longest text of a profile that a sign-in brings, in characters.
const LONGEST: usize = 256;

/// The account of somebody whom the connection does not know, where it takes them; they may have to wait outside.
///
/// # Errors
/// [`Code::UserUnknown`] where it does not, and as [`arrival::arrive`].
pub async fn arrives(
    tx: &mut TenantTx,
    connection: ConnectionId,
    identity: &Identity,
    by_link: bool,
) -> Result<Account, Error> {
    let in_force = InForce::of(tx, connection).await?;
    if in_force.jit() == Jit::Off {
        let expected = match in_force.scim_since {
            Some(_) => {
                "a user whom SCIM brought, for it keeps the users of this connection (Okta: Assignments > Provision User)"
            }
            None => "a user who is there already: this connection creates nobody who signs in (--jit off)",
        };
        return Err(unknown(expected));
    }
    let user_name = identity.user_name().ok_or_else(|| {
        unknown("a lasting NameID, such as the e-mail address: nobody is created for a transient one")
    })?;
    if accounts::by_user_name(tx, connection, &fold(user_name)).await?.is_some() {
        return Err(unknown("an address that is not somebody else's userName in this connection already"));
    }
    let catalogue = schemas::catalogue(tx, connection, &in_force.catalogue).await?;
    let body = profile(json!({ "active": true }), identity);
    let mut wanted = users::wanted(UserDocument::read(body, &catalogue)?.document)?;
    in_force.profiles.check(&wanted.document)?;
    let email = wanted.email.as_ref();
    if in_force.jit() == Jit::Invited
        && !by_link
        && !is_invited(tx, connection, email).await?
        && !is_known(tx, &in_force, email).await?
    {
        return Err(unknown("somebody who is invited, or whom the application knows (--jit invited)"));
    }
    let groups = in_force.policy.kept_groups(identity.group_names());
    let asserted = Asserted { roles: identity.role_names(), groups, id: identity.asserted_id() };
    wanted.signed_in = Some(SignedIn { name_id: identity.lasting_name().map(str::to_owned), asserted });
    let index = users::rows(search::index(&wanted.document, catalogue.user()));
    let newcomers = vec![Newcomer { id: None, wanted, index, rule: None }];
    // The session that begins now accepts the invitation.
    Ok(arrival::arrive(tx, connection, &in_force, newcomers).await?.pop().context("one came")?)
}

fn unknown(expected: &str) -> Error {
    Rejection { expected: Some(expected.to_owned()), ..Rejection::new(Code::UserUnknown) }.into()
}

/// Whether there is an invitation to this address that works now; it is kept from others.
async fn is_invited(tx: &mut TenantTx, connection: ConnectionId, email: Option<&Email>) -> Result<bool, Error> {
    let Some(email) = email else { return Ok(false) };
    let now = tx.now();
    let open = invitations::open(tx, connection, email).await?;
    Ok(open.is_some_and(|invitation| invitation.status(now) != Status::Stale))
}

/// Whether the application knows somebody of that address, in a domain that the tenant owns.
async fn is_known(tx: &mut TenantTx, in_force: &InForce, email: Option<&Email>) -> Result<bool, Error> {
    let Some(email) = email else { return Ok(false) };
    let plus = in_force.tenant.plus_addresses;
    Ok(domains::is_verified(tx, email.domain()).await? && people::is_imported_at(tx, plus, email).await?)
}

/// Whether the sign-in says something else of the profile.
pub fn differs(account: &Account, identity: &Identity) -> bool {
    profile(account.profile.document.clone(), identity) != account.profile.document
}

/// The wanted account with the profile that the sign-in says, where sign-ins keep profiles. Of one that the connection would not
/// take only what identifies the person is taken: whoever gets an old name next must not find this account, and nobody stays
/// outside for what they are called.
pub async fn followed(
    tx: &mut TenantTx,
    in_force: &InForce,
    account: &Account,
    identity: &Identity,
    wanted: Wanted,
) -> Result<Wanted, Error> {
    let stored = &account.profile.document;
    let mut body = profile(stored.clone(), identity);
    if in_force.jit() == Jit::Off || body == *stored {
        return Ok(wanted);
    }
    let name = fold(body["userName"].as_str().unwrap_or_default());
    if name != account.profile.user_name.key()
        && accounts::by_user_name(tx, account.connection_id, &name).await?.is_some()
    {
        body["userName"] = stored["userName"].clone();
    }
    let mut names = stored.clone();
    for name in ["userName", "externalId", "emails"] {
        match (names.as_object_mut(), body.get(name)) {
            (Some(names), Some(value)) => drop(names.insert(name.to_owned(), value.clone())),
            _ => continue,
        }
    }
    let catalogue = schemas::catalogue(tx, account.connection_id, &in_force.catalogue).await?;
    let read = |body: Value| users::wanted(UserDocument::read(body, &catalogue).ok()?.document).ok();
    let whole = read(body).filter(|wanted| in_force.profiles.check(&wanted.document).is_ok());
    let Some(changed) = whole.or_else(|| read(names)) else { return Ok(wanted) };
    Ok(Wanted { roles: wanted.roles, signed_in: wanted.signed_in, ..changed })
}

/// Makes the search index what the account says.
pub async fn reindex(tx: &mut TenantTx, in_force: &InForce, account: &Account, before: &Value) -> Result<(), Error> {
    let catalogue = schemas::catalogue(tx, account.connection_id, &in_force.catalogue).await?;
    let index = |document: &Value| users::rows(search::index(document, catalogue.user()));
    provisioning::reindex(tx, account, &index(before), &index(&account.profile.document)).await
}

/// The document with what the assertion says; what it does not say stays.
fn profile(mut document: Value, identity: &Identity) -> Value {
    let attributes = &identity.attributes;
    let said = |found: &Option<super::identity::Found>| {
        let value = found.as_ref()?.only()?.trim();
        (!value.is_empty()).then(|| value.chars().take(LONGEST).collect::<String>())
    };
    let Some(members) = document.as_object_mut() else { return document };
    if let Some(name) = identity.user_name() {
        members.insert("userName".to_owned(), json!(name));
    }
    if let Some(id) = identity.external_id() {
        members.insert("externalId".to_owned(), json!(id));
    }
    if let Some(name) = said(&attributes.display_name) {
        members.insert("displayName".to_owned(), json!(name));
    }
    let parts = [("givenName", said(&attributes.given_name)), ("familyName", said(&attributes.family_name))];
    if let Some(name) = members.entry("name").or_insert_with(|| json!({})).as_object_mut() {
        for (part, value) in parts {
            let Some(value) = value.map(Value::from).filter(|value| name.get(part) != Some(value)) else { continue };
            name.insert(part.to_owned(), value);
            // It would tell the old one.
            name.remove("formatted");
        }
    }
    members.retain(|name, value| name != "name" || value.as_object().is_none_or(|parts| !parts.is_empty()));
    if let Some(email) = &identity.email {
        set_email(members, email);
    }
    document
}

fn set_email(members: &mut Map<String, Value>, email: &str) {
    let emails = members.entry("emails").or_insert_with(|| json!([]));
    let Some(emails) = emails.as_array_mut() else { return };
    let main = emails.iter().position(|item| item["primary"] == true).unwrap_or_default();
    match emails.get_mut(main) {
        Some(item) => item["value"] = json!(email),
        None => emails.push(json!({ "value": email, "type": "work", "primary": true })),
    }
}

//! What an operator sets up of a connection's SCIM side: credentials, attributes, settings, a sample user.

use super::{changed, operator, sessions, taken, tenant_of};
use crate::{
    arrival::{self, Newcomer},
    error::Error,
    roles::InForce,
    scim::{schemas, users},
    secret::{Kind, Secret},
    shadow,
};
use ::scim::{
    path::AttributePath,
    schema::{self, CustomAttribute},
    search,
    user::UserDocument,
};
use anyhow::Context;
use domain::{
    event::{Event, EventKind, Subject},
    ids::{ConnectionId, TokenId},
    profile_policy::{MOST_FORBIDDEN, ProfilePolicy},
    refusal::Refusal,
    session::EndReason,
};
use serde_json::json;
use store::{
    accounts,
    connections::{self, Provisioning},
    events, passwords, schema_attributes,
    schema_attributes::SchemaAttribute,
    scim_tokens::{self, NewToken, TokenKind},
    sessions::Which,
    store::Store,
};
use time::OffsetDateTime;

/// The user that Okta's test of a SCIM server wants to find.
const SAMPLE_USER: &str = "sample.user@example.com";

/// A credential to be made.
#[derive(Debug, Clone, Copy)]
pub struct TokenSpec {
    pub kind: TokenKind,
    /// It may look and not change.
    pub read_only: bool,
    pub expires_at: Option<OffsetDateTime>,
}

impl Default for TokenSpec {
    fn default() -> Self {
        Self { kind: TokenKind::Token, read_only: false, expires_at: None }
    }
}

/// Makes a SCIM credential, answered once; others of the connection stay valid.
pub async fn create_token(
    store: &Store,
    now: OffsetDateTime,
    connection: ConnectionId,
    spec: TokenSpec,
) -> Result<(TokenId, Secret), Error> {
    let TokenSpec { kind, read_only, expires_at } = spec;
    let mut tx = operator(store, tenant_of(store, now, connection).await?, now).await?;
    connections::by_id(&mut tx, connection).await?.ok_or(Error::NotFound)?;
    let secret = Secret::new(if kind == TokenKind::Client { Kind::Client } else { Kind::Scim });
    let new = NewToken { kind, hash: &secret.hash(), parent: None, read_only, expires_at };
    let id = scim_tokens::insert(&mut tx, connection, &new).await?;
    let data = json!({ "kind": kind.as_str(), "read_only": read_only });
    let event = Event::with(EventKind::TokenCreated, Subject::Token(id), data);
    events::append(&mut tx, Some(connection), &[event]).await?;
    tx.commit().await?;
    Ok((id, secret))
}

/// Ends a SCIM credential; an unknown or ended one is [`Error::NotFound`].
pub async fn revoke_token(
    store: &Store,
    now: OffsetDateTime,
    connection: ConnectionId,
    token: TokenId,
) -> Result<(), Error> {
    let mut tx = operator(store, tenant_of(store, now, connection).await?, now).await?;
    if !scim_tokens::revoke(&mut tx, connection, token).await? {
        tx.rollback().await?;
        return Err(Error::NotFound);
    }
    let event = Event::new(EventKind::TokenRevoked, Subject::Token(token));
    events::append(&mut tx, Some(connection), &[event]).await?;
    Ok(tx.commit().await?)
}

/// Sets how the connection's SCIM side behaves. Passwords that are no longer synchronized are not kept either.
pub async fn set_provisioning(
    store: &Store,
    now: OffsetDateTime,
    connection: ConnectionId,
    change: impl FnOnce(&mut Provisioning),
) -> Result<(), Error> {
    let mut tx = operator(store, tenant_of(store, now, connection).await?, now).await?;
    let stored = connections::by_id(&mut tx, connection).await?.ok_or(Error::NotFound)?;
    let (mut settings, tenant) = (stored.provisioning, tx.tenant());
    change(&mut settings);
    connections::set_provisioning(&mut tx, connection, settings).await?;
    let Provisioning { password_sync, entitlements } = settings;
    let forgotten = if password_sync { 0 } else { passwords::delete_all(&mut tx, connection).await? };
    let data = json!({
        "changed": "provisioning",
        "password_sync": password_sync,
        "passwords_deleted": forgotten,
        "entitlements": entitlements,
    });
    let event = Event::with(EventKind::ConnectionUpdated, Subject::Connection(connection), data);
    events::append(&mut tx, Some(connection), &[event]).await?;
    tx.commit().await?;
    // Without an identity provider a password had proven every session.
    if !password_sync && stored.provisioning.password_sync && stored.idp.is_none() {
        sessions::revoke(store, now, tenant, Which::Connection(connection), EndReason::PasswordChanged).await?;
    }
    Ok(())
}

/// Sets what is demanded of profiles, from the next request on.
///
/// # Errors
/// [`Error::NotFound`], or [`Refusal::ChangeImpossible`] when it forbids too much.
pub async fn set_profile_policy(
    store: &Store,
    now: OffsetDateTime,
    connection: ConnectionId,
    policy: &ProfilePolicy,
) -> Result<(), Error> {
    let many = policy.forbidden.chars().count();
    if many > MOST_FORBIDDEN || policy.forbidden.chars().any(char::is_alphanumeric) {
        let problem = format!("forbid up to {MOST_FORBIDDEN} characters, and none that names are made of");
        return Err(Refusal::ChangeImpossible { problem }.into());
    }
    let mut tx = operator(store, tenant_of(store, now, connection).await?, now).await?;
    let value = serde_json::to_value(policy).context("demands serialize")?;
    connections::set_profile_policy(&mut tx, connection, &value).await?;
    changed(&mut tx, connection, "profiles").await?;
    Ok(tx.commit().await?)
}

/// Defines one more attribute of the connection's users; it is in `/Schemas` from then on.
pub async fn add_attribute(
    store: &Store,
    now: OffsetDateTime,
    connection: ConnectionId,
    attribute: CustomAttribute,
) -> Result<(), Error> {
    attribute.check().map_err(|problem| Refusal::AttributeInvalid { problem })?;
    let attribute = CustomAttribute { urn: place_of(&attribute.urn, &attribute.name)?.0, ..attribute };
    let mut tx = operator(store, tenant_of(store, now, connection).await?, now).await?;
    let CustomAttribute { urn, name, description, kind, multi_valued, case_exact, canonical_values } = attribute;
    let kind = kind.as_str().to_owned();
    let new = SchemaAttribute { urn, name, description, kind, multi_valued, case_exact, canonical_values };
    schema_attributes::insert(&mut tx, connection, &new).await.map_err(|error| taken(error, &new.name))?;
    let data = json!({ "changed": "schema", "added": new.name });
    let event = Event::with(EventKind::ConnectionUpdated, Subject::Connection(connection), data);
    events::append(&mut tx, Some(connection), &[event]).await?;
    Ok(tx.commit().await?)
}

/// Removes the definition of an attribute that no user has a value of; an unknown one is [`Error::NotFound`].
pub async fn remove_attribute(
    store: &Store,
    now: OffsetDateTime,
    connection: ConnectionId,
    urn: &str,
    name: &str,
) -> Result<(), Error> {
    let mut tx = operator(store, tenant_of(store, now, connection).await?, now).await?;
    let (urn, path) = place_of(urn, name)?;
    if schema_attributes::is_used(&mut tx, connection, &path).await? {
        return Err(Refusal::AttributeUsed { name: name.to_owned() }.into());
    }
    if !schema_attributes::delete(&mut tx, connection, &urn, name).await? {
        return Err(Error::NotFound);
    }
    let data = json!({ "changed": "schema", "removed": name });
    let event = Event::with(EventKind::ConnectionUpdated, Subject::Connection(connection), data);
    events::append(&mut tx, Some(connection), &[event]).await?;
    Ok(tx.commit().await?)
}

/// The schema as the standard spells it, and where the attribute's values are in the index: one that joined the core
/// schema has no URN there.
fn place_of(urn: &str, name: &str) -> Result<(String, String), Error> {
    let path = AttributePath::parse(&format!("{urn}:{name}"))?;
    let key = path.key();
    Ok((path.schema.unwrap_or_else(|| schema::USER.to_owned()), key))
}

/// Makes the sample user, unless there is one: Okta's test of a SCIM server wants to find somebody.
pub async fn create_sample_user(store: &Store, now: OffsetDateTime, connection: ConnectionId) -> Result<(), Error> {
    let mut tx = operator(store, tenant_of(store, now, connection).await?, now).await?;
    if accounts::by_user_name(&mut tx, connection, SAMPLE_USER).await?.is_some() {
        return Ok(tx.rollback().await?);
    }
    let in_force = InForce::of(&mut tx, connection).await?;
    let catalogue = schemas::catalogue(&mut tx, connection, &in_force.catalogue).await?;
    let body = json!({
        "userName": SAMPLE_USER,
        "name": { "givenName": "Sample", "familyName": "User" },
        "displayName": "Sample User",
        "emails": [{ "value": SAMPLE_USER, "type": "work", "primary": true }],
        "active": true,
    });
    let document = UserDocument::read(body, &catalogue)?.document;
    let wanted = users::wanted(document)?;
    let index = users::rows(search::index(&wanted.document, catalogue.user()));
    shadow::enter(&mut tx, connection, &in_force).await?;
    let newcomer = Newcomer { id: None, wanted, index, rule: None };
    arrival::arrive(&mut tx, connection, &in_force, vec![newcomer]).await?;
    Ok(tx.commit().await?)
}

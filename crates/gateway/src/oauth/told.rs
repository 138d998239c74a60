//! What an application is told of a person: by the session, the account behind it and its groups.

use crate::{
    access_control,
    error::Error,
    roles::InForce,
    saml::{
        identity::Mapped,
        settings::{AccessControl, Settings},
    },
    scim::schemas,
};
use ::oidc::{
    claims::{Groups, Subject, methods},
    scope::{Scope, Scopes},
};
use anyhow::Context;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use store::{
    members,
    sessions::{self, Behind, LiveSession},
    tenant::TenantTx,
};

/// Names of groups that an ID token tells, and the userinfo endpoint; whoever has more is told so.
pub const GROUPS_IN_TOKEN: usize = 100;
pub const GROUPS_IN_USERINFO: usize = 999;

/// Characters of a name that is told.
const LONGEST: usize = 200;

/// Bytes of all groups in a token, and of all attributes: a token has to fit into an address when the user signs out.
const GROUPS_BYTES: usize = 3_072;
const ATTRS_BYTES: usize = 2_048;

/// What there is to tell, read once.
pub struct Told {
    behind: Behind,
    groups: Option<Groups>,
    attrs: BTreeMap<String, Value>,
}

impl Told {
    /// Reads what the scope asks for.
    ///
    /// # Errors
    /// When the database cannot be used.
    pub async fn of(tx: &mut TenantTx, session: &LiveSession, scope: Scopes, most: usize) -> Result<Self, Error> {
        let behind = sessions::behind(tx, session.id).await?.ok_or(Error::NotFound)?;
        let mapped = Mapped::deserialize(&behind.attributes).unwrap_or_default();
        let groups = match scope.contains(Scope::Groups) {
            true if behind.scim_live => {
                let of = members::of_accounts(tx, &[behind.account.0]).await?;
                Some(at_most(of.into_iter().map(|membership| membership.display_name).collect(), most))
            }
            true => Some(at_most(mapped.groups.map(|found| found.values).unwrap_or_default(), most)),
            false => None,
        };
        let mut attrs = match scope.contains(Scope::Profile) {
            true => attributes(tx, session, &behind).await?,
            false => BTreeMap::new(),
        };
        if most == GROUPS_IN_TOKEN && serde_json::to_string(&attrs).is_ok_and(|text| text.len() > ATTRS_BYTES) {
            // The userinfo endpoint tells them.
            attrs.clear();
        }
        Ok(Self { behind, groups, attrs })
    }

    /// How the person was proven (RFC 8176).
    fn methods(&self) -> Vec<&'static str> {
        match self.behind.authn_context.as_deref() {
            Some(sessions::BREAK_GLASS) => vec!["otp"],
            _ if self.behind.by_password => vec!["pwd"],
            class => class.map(methods).unwrap_or_default(),
        }
    }

    /// The same as claims.
    pub fn subject<'a>(&'a self, tx: &TenantTx, session: &'a LiveSession) -> Subject<'a> {
        let name = |path: &str| text(self.behind.document.pointer(path));
        let acr = self.behind.authn_context.as_deref();
        Subject {
            user_id: session.user.0,
            email: session.email.as_deref(),
            email_verified: session.email_verified,
            name: session.display_name.as_deref(),
            given_name: name("/name/givenName"),
            family_name: name("/name/familyName"),
            locale: name("/locale"),
            tenant_id: tx.tenant().0,
            connection_id: Some(session.connection.0),
            idp: self.behind.idp.as_deref(),
            acr,
            amr: self.methods(),
            roles: std::slice::from_ref(&session.role),
            groups: self.groups.clone(),
            attrs: self.attrs.clone(),
            session_id: session.id.0,
            auth_time: Some(session.auth_time),
            session_expiry: Some(session.expires_at),
        }
    }
}

fn at_most(mut names: Vec<String>, most: usize) -> Groups {
    let all = names.len();
    names.truncate(most);
    if most == GROUPS_IN_TOKEN {
        let mut bytes = 0;
        let fits = |name: &String| {
            bytes += name.len() + 3;
            bytes <= GROUPS_BYTES
        };
        let fitting = names.iter().map(fits).take_while(|fits| *fits).count();
        names.truncate(fitting);
    }
    Groups { more: names.len() < all, names }
}

fn text(value: Option<&Value>) -> Option<String> {
    value.and_then(Value::as_str).filter(|text| !text.is_empty()).map(|text| text.chars().take(LONGEST).collect())
}

/// The attributes for access control: one value as it is, several as a list.
async fn attributes(
    tx: &mut TenantTx,
    session: &LiveSession,
    behind: &Behind,
) -> Result<BTreeMap<String, Value>, Error> {
    let settings = Settings::deserialize(&behind.sign_in_settings).context("a connection's settings read")?;
    let asserted = behind.attributes.get("access_control").is_some();
    if settings.access_control == AccessControl::default() && !asserted {
        return Ok(BTreeMap::new());
    }
    let in_force = InForce::of(tx, session.connection).await?;
    let catalogue = schemas::catalogue(tx, session.connection, &in_force.catalogue).await?;
    let session = Some(&behind.attributes);
    let decided = access_control::of(&settings.access_control, &catalogue, &behind.document, session)?;
    let one = |mut values: Vec<Value>| if values.len() == 1 { values.remove(0) } else { Value::Array(values) };
    Ok(decided.into_iter().map(|(key, decided)| (key, one(decided.values))).collect())
}

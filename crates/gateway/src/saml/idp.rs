//! The identity provider of a connection, in and out of the store.

use crate::error::Error;
use ::saml::{
    idp::{IdentityProvider, LogoutService},
    outgoing::Binding,
};
use anyhow::{Context, anyhow};
use store::connections::{Connection, StoredIdp, StoredSlo};

/// The identity provider of a connection that has one.
///
/// # Errors
/// [`Error::NotSetUp`] while there is none.
pub fn of(connection: &Connection) -> Result<IdentityProvider, Error> {
    let stored = connection.idp.as_ref().ok_or(Error::NotSetUp)?;
    Ok(read(stored).context("a stored identity provider does not read any more")?)
}

fn read(stored: &StoredIdp) -> anyhow::Result<IdentityProvider> {
    let sso = (stored.sso_url.as_str(), binding(&stored.sso_binding)?);
    let provider = IdentityProvider::from_parts(&stored.entity_id, sso, &stored.certificates)?;
    let service = |slo: &StoredSlo| {
        let service = LogoutService::new(&slo.url, slo.response_url.as_deref(), binding(&slo.binding)?);
        anyhow::Ok(service?)
    };
    Ok(IdentityProvider { slo: stored.slo.as_ref().map(service).transpose()?, ..provider })
}

/// The form in which it is stored.
pub fn to_store(provider: &IdentityProvider) -> StoredIdp {
    StoredIdp {
        entity_id: provider.entity_id.clone(),
        sso_url: provider.sso.url.to_string(),
        sso_binding: name(provider.sso.binding).to_owned(),
        slo: provider.slo.as_ref().map(|slo| StoredSlo {
            url: slo.endpoint.url.to_string(),
            response_url: slo.response_url.as_ref().map(ToString::to_string),
            binding: name(slo.endpoint.binding).to_owned(),
        }),
        certificates: provider.certificates.iter().map(|certificate| certificate.der().to_vec()).collect(),
    }
}

fn name(binding: Binding) -> &'static str {
    match binding {
        Binding::Redirect => "redirect",
        Binding::Post => "post",
    }
}

fn binding(name: &str) -> anyhow::Result<Binding> {
    match name {
        "redirect" => Ok(Binding::Redirect),
        "post" => Ok(Binding::Post),
        other => Err(anyhow!("there is no binding \"{other}\"")),
    }
}

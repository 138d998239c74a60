//! Attributes for access control of an account; `domain::access_control` has the rules.

use crate::{
    error::Error,
    saml::{identity::Mapped, settings::AccessControl},
};
use ::scim::{filter, path::AttributePath, schema::Catalogue};
use anyhow::Context;
use domain::access_control::{Decided, decide};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// What an application is told of an account: by the assertion of its last sign-in, which its session keeps, and by its SCIM
/// document.
///
/// # Errors
/// When what is stored does not read.
pub fn of(
    settings: &AccessControl,
    catalogue: &Catalogue,
    document: &Value,
    session: Option<&Value>,
) -> Result<BTreeMap<String, Decided>, Error> {
    let asserted = session.map(Mapped::deserialize).transpose().context("a session's attributes read")?;
    let mut scim = BTreeMap::new();
    for (key, path) in &settings.scim {
        scim.insert(key.clone(), filter::values(&AttributePath::parse(path)?, document, catalogue.user()));
    }
    Ok(decide(&asserted.unwrap_or_default().access_control, &scim, settings.first))
}

/// Whether the catalogue has such an attribute, with values that can be told.
pub fn is_known(catalogue: &Catalogue, path: &str) -> bool {
    AttributePath::parse(path).is_ok_and(|path| catalogue.user().has(&path))
}

//! The schemas of a connection: the standard's, the application's roles, and what the IT admin added; and what decides about
//! roles. Built once and remembered until a request finds that they changed.

use crate::{app::App, error::Error, roles::InForce};
use ::scim::schema::{Catalogue, CustomAttribute, Kind};
use domain::{ids::ConnectionId, role::RoleCatalogue};
use std::sync::Arc;
use store::{
    schema_attributes::{self, SchemaAttribute},
    scim_tokens::Bearer,
    tenant::TenantTx,
};

/// What a connection's requests are read by.
#[derive(Debug)]
pub struct Schemas {
    version: i64,
    pub roles: InForce,
    pub catalogue: Catalogue,
}

/// The schemas in force, as the proven credential says; `known` are those that were remembered.
pub async fn in_force(
    app: &App,
    tx: &mut TenantTx,
    connection: ConnectionId,
    bearer: &Bearer,
    known: Option<Arc<Schemas>>,
) -> Result<Arc<Schemas>, Error> {
    if let Some(known) = known.filter(|known| known.version == bearer.schema_version) {
        return Ok(known);
    }
    let roles = InForce::of(tx, connection).await?;
    let catalogue = catalogue(tx, connection, &roles.catalogue).await?;
    let built = Arc::new(Schemas { version: bearer.schema_version, catalogue, roles });
    app.schemas.insert(connection, Arc::clone(&built)).await;
    Ok(built)
}

/// The catalogue of a connection as it is stored now.
pub async fn catalogue(tx: &mut TenantTx, connection: ConnectionId, roles: &RoleCatalogue) -> Result<Catalogue, Error> {
    let defined = schema_attributes::list(tx, connection).await?;
    let custom: Vec<CustomAttribute> = defined.into_iter().filter_map(custom).collect();
    Ok(Catalogue::new(roles.roles(), &custom))
}

/// A stored definition in the protocol's words; the kind was checked when it was stored.
fn custom(stored: SchemaAttribute) -> Option<CustomAttribute> {
    let SchemaAttribute { urn, name, description, kind, multi_valued, case_exact, canonical_values } = stored;
    let kind = Kind::read(&kind)?;
    Some(CustomAttribute { urn, name, description, kind, multi_valued, case_exact, canonical_values })
}

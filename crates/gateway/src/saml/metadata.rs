//! What the IT admin or the identity provider downloads to know this connection.

use super::service_provider;
use crate::{
    app::{App, Inner},
    error::{Error, PageFailure},
    extract::ConnectionPath,
};
use anyhow::Context;
use axum::{
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use domain::ids::ConnectionId;
use store::{
    connections,
    scope::Actor,
    sp_keys::{self, SealedSpKey},
};

/// `GET /c/{cid}` and `GET /c/{cid}/saml/metadata` (SAML 2.0 Metadata 2.4.4)
pub async fn get(State(app): State<App>, ConnectionPath(connection): ConnectionPath) -> Result<Response, PageFailure> {
    let keys = keys(&app, connection).await?;
    let certificates: Vec<&[u8]> = keys.iter().map(|key| key.certificate.as_slice()).collect();
    let xml = ::saml::sp::metadata(&service_provider(&app, connection), &certificates);
    let headers = [
        (header::CONTENT_TYPE, "application/samlmetadata+xml"),
        (header::CONTENT_DISPOSITION, "inline; filename=\"gatehouse-metadata.xml\""),
    ];
    Ok((headers, xml).into_response())
}

/// `GET /c/{cid}/saml/certificate`: the newest certificate, for identity providers that take a file (Okta: "Encryption
/// Certificate") instead of the metadata.
pub async fn certificate(
    State(app): State<App>,
    ConnectionPath(connection): ConnectionPath,
) -> Result<Response, PageFailure> {
    let keys = keys(&app, connection).await?;
    let newest = keys.first().context("a connection has no key of its own").map_err(Error::from)?;
    let headers = [
        (header::CONTENT_TYPE, "application/x-pem-file"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"gatehouse.crt\""),
    ];
    Ok((headers, ::saml::sp::pem(&newest.certificate)).into_response())
}

/// The connection's keys, newest first.
async fn keys(app: &Inner, connection: ConnectionId) -> Result<Vec<SealedSpKey>, Error> {
    let now = app.clock.now();
    let tenant = app.tenant_of(connection, now).await?;
    let mut tx = app.tenant(tenant, Actor::Browser, now).await?;
    let connection = connections::by_id(&mut tx, connection).await?.ok_or(Error::NotFound)?;
    let keys = sp_keys::list(&mut tx, connection.id).await?;
    tx.rollback().await?;
    Ok(keys)
}

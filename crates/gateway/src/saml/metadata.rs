//! What the IT admin or the identity provider downloads to know this connection.

use super::{keys::Keys, service_provider, settings::Settings};
use crate::{
    app::{App, Inner},
    error::{Error, PageFailure},
    extract::{ConnectionPath, parameter},
};
use ::saml::sp::Metadata;
use anyhow::Context;
use axum::{
    extract::{RawQuery, State},
    http::header,
    response::{IntoResponse, Response},
};
use domain::ids::ConnectionId;
use store::{connections, scope::Actor};

/// `GET /c/{cid}` and `GET /c/{cid}/saml/metadata` (SAML 2.0 Metadata 2.4.4)
pub async fn get(State(app): State<App>, ConnectionPath(connection): ConnectionPath) -> Result<Response, PageFailure> {
    let (keys, settings) = public(&app, connection).await?;
    let signer = if settings.sign_metadata { Some(keys.signer(&app)?) } else { None };
    let (sp, id) = (service_provider(&app, connection, &settings), format!("_{}", connection.0.simple()));
    let metadata = Metadata {
        sp: &sp,
        signing: keys.signing_certificates(),
        encryption: keys.encryption().map(|key| key.certificate.as_slice()),
        id: &id,
        // Some identity providers take a copy once, and would stop at an earlier end.
        valid_until: keys.end().context("a connection has no key of its own").map_err(Error::from)?,
        signer: signer.as_ref(),
    };
    let xml = metadata.document().context("metadata could not be written").map_err(Error::from)?;
    let headers = [
        (header::CONTENT_TYPE, "application/samlmetadata+xml"),
        (header::CONTENT_DISPOSITION, "inline; filename=\"gatehouse-metadata.xml\""),
    ];
    Ok((headers, xml).into_response())
}

/// `GET /c/{cid}/saml/certificate`: the certificate to encrypt for, or with `?use=signing` the one that verifies now, for identity providers that take a file (Okta: "Encryption
/// Certificate") instead of the metadata.
pub async fn certificate(
    State(app): State<App>,
    ConnectionPath(connection): ConnectionPath,
    RawQuery(query): RawQuery,
) -> Result<Response, PageFailure> {
    let (keys, _) = public(&app, connection).await?;
    let signs = parameter(query.as_deref().unwrap_or_default(), "use").as_deref() == Some("signing");
    let wanted = if signs { keys.signing() } else { keys.encryption() };
    let newest = wanted.context("a connection has no key of its own").map_err(Error::from)?;
    let headers = [
        (header::CONTENT_TYPE, "application/x-pem-file"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"gatehouse.crt\""),
    ];
    Ok((headers, ::saml::sp::pem(&newest.certificate)).into_response())
}

/// The connection's keys and settings.
async fn public(app: &Inner, connection: ConnectionId) -> Result<(Keys, Settings), Error> {
    let now = app.clock.now();
    let tenant = app.tenant_of(connection, now).await?;
    let mut tx = app.tenant(tenant, Actor::Browser, now).await?;
    let connection = connections::by_id(&mut tx, connection).await?.ok_or(Error::NotFound)?;
    let keys = Keys::of(&mut tx, connection.id).await?;
    tx.rollback().await?;
    Ok((keys, Settings::of(&connection)?))
}

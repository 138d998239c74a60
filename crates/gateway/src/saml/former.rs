//! The assertion consumer service at the address of a system before this one, which is the same for all connections: whoever
//! has pasted that into an identity provider changes nothing.
//!
//! Which connection is meant stands in RelayState: we put its id there, and bookmarks of Cognito's the name of its provider.
//! Anybody can write another one there, and gains nothing: that connection has other keys, another audience and other requests.

use super::acs;
use crate::{
    app::{App, Inner},
    error::{Error, PageFailure},
    extract::{Client, parameter},
    oauth::{
        client,
        way_in::{self, Named},
    },
};
use ::oidc::authorize::Parameters;
use ::saml::code::{Code, Rejection};
use axum::{
    body::Bytes,
    extract::{State, rejection::BytesRejection},
    http::HeaderMap,
    response::Response,
};
use domain::ids::ConnectionId;

/// `POST /saml2/idpresponse`
pub async fn post(
    State(app): State<App>,
    client: Client,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, PageFailure> {
    let form = body.as_ref().map(|body| std::str::from_utf8(body).unwrap_or_default()).unwrap_or_default();
    let relay_state = parameter(form, "RelayState").unwrap_or_default().into_owned();
    match connection(&app, &relay_state).await? {
        Some(connection) => acs::answered(&app, connection, &client, &headers, body).await,
        None => Err(Rejection::new(Code::Unsolicited).into()),
    }
}

async fn connection(app: &Inner, relay_state: &str) -> Result<Option<ConnectionId>, Error> {
    if let Ok(id) = relay_state.parse() {
        return Ok(Some(ConnectionId(id)));
    }
    // As Cognito's bookmarks for a start at the identity provider say it.
    let Ok(parameters) = Parameters::parse(relay_state) else { return Ok(None) };
    let (Some(id), true) = (&parameters.client_id, parameters.connection.is_some()) else { return Ok(None) };
    let now = app.clock.now();
    let mut tx = app.control(now).await?;
    let found = client::named(&mut tx, id).await?;
    tx.rollback().await?;
    let Some((application, _)) = found else { return Ok(None) };
    let way = way_in::find(app, Some(application.id), Named::by(&parameters), now).await?;
    Ok(way.map(|(_, connection)| connection))
}

//! What a client library reads first (OpenID Connect Discovery 1.0, RFC 8414, RFC 7517).

use crate::{app::App, pages::words::LOCALES};
use ::oidc::{
    discovery,
    keys::{self, Algorithm},
};
use axum::{
    Json,
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};

/// How long a client may keep the documents.
const CACHE: (header::HeaderName, &str) = (header::CACHE_CONTROL, "public, max-age=300");

/// `GET /.well-known/openid-configuration` and `GET /.well-known/oauth-authorization-server`
pub async fn configuration(State(app): State<App>) -> Response {
    ([CACHE], Json(discovery::document(app.issuer(), &[Algorithm::Rs256, Algorithm::Es256], &LOCALES))).into_response()
}

/// `GET /oauth2/jwks`
pub async fn jwks(State(app): State<App>) -> Response {
    ([CACHE], Json(keys::key_set(&app.keys.all()))).into_response()
}

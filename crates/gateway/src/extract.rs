//! What handlers take from a path, with our own words when it is not there.

use crate::error::{Error, PageFailure};
use axum::{
    extract::{FromRequestParts, RawPathParams},
    http::request::Parts,
};
use domain::ids::ConnectionId;

/// The connection that a path names; anything else is a page that does not exist.
pub struct ConnectionPath(pub ConnectionId);

impl<S: Send + Sync> FromRequestParts<S> for ConnectionPath {
    type Rejection = PageFailure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, PageFailure> {
        let parameters = RawPathParams::from_request_parts(parts, state).await.map_err(|_| Error::NotFound)?;
        Ok(Self(connection(&parameters).ok_or(Error::NotFound)?))
    }
}

/// The connection among a path's parameters.
pub fn connection(parameters: &RawPathParams) -> Option<ConnectionId> {
    parameters.iter().find(|(name, _)| *name == "cid").and_then(|(_, cid)| cid.parse().ok())
}

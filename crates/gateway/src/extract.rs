//! What handlers take from a path, with our own words when it is not there.

use crate::error::{Error, PageFailure};
use axum::{
    extract::{FromRequestParts, RawPathParams},
    http::{HeaderMap, request::Parts},
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

/// The address that the outermost of so many trusted proxies saw: each appends whom it saw to X-Forwarded-For, so only
/// the last ones are to be believed.
pub fn forwarded_for(headers: &HeaderMap, trusted_proxies: usize) -> Option<String> {
    let values = headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok());
    let seen: Vec<&str> = values.flat_map(|value| value.split(',')).map(str::trim).collect();
    let address = seen.iter().rev().nth(trusted_proxies.checked_sub(1)?)?;
    address.parse::<std::net::IpAddr>().ok().map(|address| address.to_string())
}

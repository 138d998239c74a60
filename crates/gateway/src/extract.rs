//! What handlers take from a path, with our own words when it is not there.

use crate::{
    app::App,
    error::{Error, PageFailure},
};
use axum::{
    extract::{ConnectInfo, FromRequestParts, RawPathParams},
    http::{Extensions, HeaderMap, header, request::Parts},
};
use domain::ids::ConnectionId;
use std::{borrow::Cow, convert::Infallible, net::SocketAddr};
use url::form_urlencoded;

/// The longest name of a browser that is kept, in characters.
const MAX_AGENT: usize = 500;

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

/// The first parameter of that name in a query.
pub fn parameter<'q>(query: &'q str, wanted: &str) -> Option<Cow<'q, str>> {
    form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == wanted).map(|(_, value)| value)
}

/// Whoever connects, or whom the outermost trusted proxy saw; empty where nobody knows.
pub fn client_address(headers: &HeaderMap, extensions: &Extensions, trusted_proxies: usize) -> String {
    let peer = || extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip().to_string());
    forwarded_for(headers, trusted_proxies).or_else(peer).unwrap_or_default()
}

/// Whose browser a request comes from.
#[derive(Debug, Clone)]
pub struct Client {
    pub address: String,
    pub agent: String,
}

impl FromRequestParts<App> for Client {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Infallible> {
        let agent = parts.headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
        Ok(Self {
            address: client_address(&parts.headers, &parts.extensions, app.config.server.trusted_proxies),
            agent: agent.chars().take(MAX_AGENT).collect(),
        })
    }
}

/// The address that the outermost of so many trusted proxies saw: each appends whom it saw to X-Forwarded-For, so only
/// the last ones are to be believed.
fn forwarded_for(headers: &HeaderMap, trusted_proxies: usize) -> Option<String> {
    let values = headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok());
    let seen: Vec<&str> = values.flat_map(|value| value.split(',')).map(str::trim).collect();
    let address = seen.iter().rev().nth(trusted_proxies.checked_sub(1)?)?;
    address.parse::<std::net::IpAddr>().ok().map(|address| address.to_string())
}

/// The token of `Authorization: Bearer` (RFC 6750 2.1).
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

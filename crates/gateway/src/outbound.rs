//! Fetches a document from an address that a customer named, without becoming their hand in the operator's network.
//!
//! The name is looked up here, every address it has must be allowed, and the connection goes to those addresses and no
//! others: a name that means something else a moment later changes nothing. Redirects and proxies are not followed.

mod addresses;

use crate::{config::Outbound, error::chain};
use reqwest::{
    Client, Response, StatusCode,
    header::{ACCEPT, ETAG, HeaderMap, HeaderName, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED},
    redirect::Policy,
};
use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};
use thiserror::Error;
use tokio::{net::lookup_host, time::timeout};
use url::{Host, Url};

/// How long it may take to connect.
const CONNECTING: Duration = Duration::from_secs(5);

/// Bytes of a document.
const MOST: usize = 1024 * 1024;

/// Characters of a server's word for a version of the document; a longer one is not repeated.
const VALIDATOR: usize = 256;

/// The longest cause that is told.
const TOLD: usize = 200;

const WANTED: &str = "application/samlmetadata+xml, application/xml;q=0.9, text/xml;q=0.9, */*;q=0.1";

/// Why there is no document; for the operator and the IT admin, who may not see what stands in our network.
#[derive(Debug, Error)]
pub enum FetchError {
    #[error("the address is not a URL ({0}); copy the whole of it from the identity provider")]
    NotUrl(#[from] url::ParseError),
    #[error("the address must begin with https:// and hold no user name or password")]
    NotHttps,
    #[error("the name {host} could not be looked up ({cause}); check the address for a typing error")]
    NameUnknown { host: String, cause: String },
    #[error(
        "the address leads into a private network, where Gatehouse does not go; if the identity provider stands there, the operator names the network in outbound.private_networks"
    )]
    Private,
    #[error("there was no whole answer within {0:?}")]
    Slow(Duration),
    #[error("the server could not be asked ({0})")]
    Unreachable(String),
    #[error("the server redirects to another address; give the address that it redirects to")]
    Redirected,
    #[error(
        "the server answered {0}; open the address in a browser, where it must show the metadata without a sign-in"
    )]
    Refused(StatusCode),
    #[error("the document is larger than 1 MB; give the address of the metadata of this one application")]
    TooLarge,
    #[error("the document is not UTF-8; give the address of the metadata")]
    NotText,
    #[error("the connection could not be prepared ({0})")]
    Internal(String),
}

/// A server's words for a version of a document (RFC 9110 8.8).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Version {
    pub etag: Option<String>,
    pub last_modified: Option<String>,
}

/// What a server answered.
#[derive(Debug, PartialEq, Eq)]
pub enum Fetched {
    /// It is still the version that was named.
    Unchanged,
    Document {
        text: String,
        version: Version,
    },
}

/// Fetches what is not the known version.
///
/// # Errors
/// Why there is no document, in the reader's words.
pub async fn fetch(address: &str, known: &Version, limits: &Outbound) -> Result<Fetched, FetchError> {
    let asked = ask(address, known, limits);
    timeout(limits.timeout, asked).await.unwrap_or(Err(FetchError::Slow(limits.timeout)))
}

async fn ask(address: &str, known: &Version, limits: &Outbound) -> Result<Fetched, FetchError> {
    let url = Url::parse(address.trim())?;
    let (host, addresses) = allowed(&url, limits).await?;
    let mut request = client(&host, &addresses)?.get(url).header(ACCEPT, WANTED);
    for (name, value) in [(IF_NONE_MATCH, &known.etag), (IF_MODIFIED_SINCE, &known.last_modified)] {
        if let Some(value) = value {
            request = request.header(name, value);
        }
    }
    let response = request.send().await.map_err(unreachable)?;
    match response.status() {
        StatusCode::NOT_MODIFIED => Ok(Fetched::Unchanged),
        StatusCode::OK => {
            let version = version(response.headers());
            Ok(Fetched::Document { text: text(response).await?, version })
        }
        status if status.is_redirection() => Err(FetchError::Redirected),
        status => Err(FetchError::Refused(status)),
    }
}

/// The host and where it is, if all of that is allowed.
async fn allowed(url: &Url, limits: &Outbound) -> Result<(String, Vec<SocketAddr>), FetchError> {
    let plain = url.username().is_empty() && url.password().is_none() && matches!(url.scheme(), "https" | "http");
    let (Some(host), Some(port), true) = (url.host(), url.port_or_known_default(), plain) else {
        return Err(FetchError::NotHttps);
    };
    let addresses: Vec<SocketAddr> = match &host {
        Host::Ipv4(address) => vec![SocketAddr::from((*address, port))],
        Host::Ipv6(address) => vec![SocketAddr::from((*address, port))],
        Host::Domain(name) => {
            let found = lookup_host((*name, port)).await;
            found.map_err(|error| unknown(name, &error.to_string()))?.collect()
        }
    };
    if addresses.is_empty() {
        return Err(unknown(&host.to_string(), "it has no address"));
    }
    let all = |is: fn(IpAddr, &Outbound) -> bool| addresses.iter().all(|address| is(address.ip(), limits));
    // Without TLS, only the operator can say that the way there is safe.
    if url.scheme() == "http" && !all(addresses::is_named) {
        return Err(FetchError::NotHttps);
    }
    if !all(addresses::is_allowed) {
        return Err(FetchError::Private);
    }
    Ok((host.to_string(), addresses))
}

fn unknown(host: &str, cause: &str) -> FetchError {
    FetchError::NameUnknown { host: host.to_owned(), cause: cause.to_owned() }
}

/// For one request: it knows no other way to the host, and keeps no connection that a next one could find.
fn client(host: &str, addresses: &[SocketAddr]) -> Result<Client, FetchError> {
    let builder = Client::builder()
        .resolve_to_addrs(host, addresses)
        .no_proxy()
        .redirect(Policy::none())
        .connect_timeout(CONNECTING)
        .pool_max_idle_per_host(0)
        .user_agent(concat!("Gatehouse/", env!("CARGO_PKG_VERSION")));
    builder.build().map_err(|error| FetchError::Internal(chain(&error)))
}

/// The innermost cause says what happened, the others only that something did.
fn unreachable(error: reqwest::Error) -> FetchError {
    let text = chain(&error.without_url());
    let cause = text.rsplit(": ").next().unwrap_or_default();
    FetchError::Unreachable(cause.chars().take(TOLD).collect())
}

fn version(headers: &HeaderMap) -> Version {
    let value = |name: HeaderName| {
        let text = headers.get(name)?.to_str().ok()?;
        (text.len() <= VALIDATOR).then(|| text.to_owned())
    };
    Version { etag: value(ETAG), last_modified: value(LAST_MODIFIED) }
}

/// Reads no more than the limit, whatever the server says of the length.
async fn text(mut response: Response) -> Result<String, FetchError> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
        if bytes.len() + chunk.len() > MOST {
            return Err(FetchError::TooLarge);
        }
        bytes.extend_from_slice(&chunk);
    }
    String::from_utf8(bytes).map_err(|_| FetchError::NotText)
}

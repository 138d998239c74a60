//! The records by which tenants show that a mail domain is theirs.

use crate::{config::Dns, error::chain};
use domain::mail_domain::{Found, LABEL, PREFIX};
use hickory_resolver::{
    TokioResolver,
    config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig},
    net::{DnsError, NetError, runtime::TokioRuntimeProvider},
    proto::{
        op::ResponseCode,
        rr::{Name, RData},
    },
};
use thiserror::Error;
use tokio::time::timeout;

/// Records of one name that are looked at.
const RECORDS: usize = 50;

/// Why nobody could be asked.
#[derive(Debug, Error)]
pub enum Silence {
    #[error("the name server did not answer in time; try again in a minute")]
    Slow,
    #[error(
        "the name server answered {0}; if it goes on, the domain's zone is broken, or the operator's dns.server does not look names up for Gatehouse"
    )]
    Refused(ResponseCode),
    #[error("the name server only named others to ask; the operator sets dns.server to one that looks names up")]
    Referred,
    #[error("the name server could not be asked ({0}); the operator checks dns.server, or /etc/resolv.conf")]
    Unreachable(String),
}

/// Where the record of a domain stands.
pub fn record_name(domain: &str) -> String {
    format!("{LABEL}.{domain}")
}

/// What it says.
pub fn record_value(token: &str) -> String {
    format!("{PREFIX}{token}")
}

/// The texts at the place of the record; none if there are none.
///
/// # Errors
/// When nobody could be asked, which says nothing about who owns the domain.
pub async fn texts(domain: &str, settings: &Dns) -> Result<Vec<String>, Silence> {
    let broken = |error: &NetError| Silence::Unreachable(chain(error));
    let resolver = resolver(settings).map_err(|error| broken(&error))?;
    let mut name = Name::from_utf8(record_name(domain)).map_err(|error| Silence::Unreachable(chain(&error)))?;
    // Not with what resolv.conf would append.
    name.set_fqdn(true);
    let lookup = match timeout(settings.timeout, resolver.txt_lookup(name.clone())).await {
        Err(_) | Ok(Err(NetError::Timeout)) => return Err(Silence::Slow),
        Ok(Ok(lookup)) => lookup,
        Ok(Err(NetError::Dns(DnsError::NoRecordsFound(none)))) => {
            // A server that only names others to ask knows nothing of the record.
            let is_referral = none.response_code == ResponseCode::NoError && none.soa.is_none() && none.ns.is_some();
            return if is_referral { Err(Silence::Referred) } else { Ok(Vec::new()) };
        }
        Ok(Err(NetError::Dns(DnsError::ResponseCode(code)))) => return Err(Silence::Refused(code)),
        Ok(Err(error)) => return Err(broken(&error)),
    };
    let texts = lookup.answers().iter().filter_map(|record| match &record.data {
        // Of the name itself: at the end of an alias stands what somebody else publishes. One text comes in pieces of 255 bytes
        // (RFC 1035 3.3.14).
        RData::TXT(text) if record.name == name => String::from_utf8(text.txt_data.concat()).ok(),
        _ => None,
    });
    Ok(texts.take(RECORDS).collect())
}

/// What the answer says of a domain with that token, and in words if it is no proof.
pub fn judge(domain: &str, token: &str, answer: &Result<Vec<String>, Silence>) -> (Found, String) {
    let name = record_name(domain);
    match answer {
        Ok(texts) if shows(texts, token) => (Found::Proof, String::new()),
        Ok(texts) if texts.is_empty() => (Found::NoProof, format!("there is no TXT record at {name}")),
        Ok(texts) => {
            let told: Vec<String> = texts.iter().take(3).map(|text| printable(text)).collect();
            (Found::NoProof, format!("the TXT record at {name} is \"{}\"", told.join("\", \"")))
        }
        Err(silence) => (Found::Silence, format!("{name}: {silence}")),
    }
}

/// The beginning of a stranger's text, without what a terminal would obey or a database refuse.
fn printable(text: &str) -> String {
    let is_plain = |c: char| !c.is_control() && (c.is_ascii() || c.is_alphanumeric());
    text.chars().take(100).map(|c| if is_plain(c) { c } else { char::REPLACEMENT_CHARACTER }).collect()
}

/// Whether one of the texts is the record with that token.
pub fn shows(texts: &[String], token: &str) -> bool {
    let value = record_value(token);
    texts.iter().any(|text| text.trim() == value)
}

/// For one question: daily ones need no memory, and who waits for a record wants to see it at once.
fn resolver(settings: &Dns) -> Result<TokioResolver, NetError> {
    let mut builder = match settings.server {
        None => TokioResolver::builder_tokio()?,
        Some(address) => {
            let (mut udp, mut tcp) = (ConnectionConfig::udp(), ConnectionConfig::tcp());
            (udp.port, tcp.port) = (address.port(), address.port());
            let server = NameServerConfig::new(address.ip(), true, vec![udp, tcp]);
            let config = ResolverConfig::from_name_servers(vec![server]);
            TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
        }
    };
    let options = builder.options_mut();
    options.timeout = settings.timeout / 3;
    options.attempts = 2;
    options.cache_size = 0;
    options.edns0 = true;
    options.use_hosts_file = ResolveHosts::Never;
    builder.build()
}

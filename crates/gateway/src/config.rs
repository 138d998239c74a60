//! Configuration: built-in defaults, then a file, then the environment. Every mistake is told at once.

mod reader;

use crate::{mail, vault::Vault};
use ipnet::IpNet;
use reader::Reader;
use std::{net::SocketAddr, path::Path, time::Duration};
use url::Url;

/// The defaults, which are also the reference: `config/gatehouse.toml`.
pub const DEFAULTS: &str = include_str!("../../../config/gatehouse.toml");

/// Everything that an operator may set.
#[derive(Debug)]
pub struct Config {
    pub server: Server,
    /// Where health and metrics are served; not for the public.
    pub operations_listen: SocketAddr,
    pub database: Database,
    pub vault: Option<Vault>,
    /// How long a token key signs; zero for ever.
    pub token_key_period: time::Duration,
    pub log: Log,
    pub limits: Limits,
    pub scim: Scim,
    pub saml: Saml,
    pub outbound: Outbound,
    pub dns: Dns,
    pub mail: Option<mail::Settings>,
    printed: Vec<(String, String)>,
}

/// The public side.
#[derive(Debug)]
pub struct Server {
    pub listen: SocketAddr,
    /// The origin that browsers and identity providers see; no path, no trailing slash.
    pub public_url: String,
    /// What the operator tells everybody on the start page.
    pub notice: Option<String>,
    pub request_timeout: Duration,
    pub shutdown_grace: Duration,
    /// How many proxies in front append to X-Forwarded-For; 0 takes the address of whoever connects.
    pub trusted_proxies: usize,
}

/// How to reach Postgres. A URL is absent when the command at hand may not need it.
#[derive(Debug)]
pub struct Database {
    pub url: Option<Hidden>,
    pub control_url: Option<Hidden>,
    pub owner_url: Option<Hidden>,
    pub max_connections: u32,
    pub acquire_timeout: Duration,
}

/// Sign-in over SAML.
#[derive(Debug)]
pub struct Saml {
    /// How far a clock of an identity provider may be off.
    pub clock_skew: time::Duration,
    /// How long the steps of sign-ins are kept.
    pub log_retention: time::Duration,
    /// How many steps of a connection are kept.
    pub log_steps: u32,
}

/// What the gateway fetches from others.
#[derive(Debug, Clone)]
pub struct Outbound {
    /// Networks that are not public and may be asked all the same.
    pub private_networks: Vec<IpNet>,
    /// Networks that are public and must not be asked all the same.
    pub refused_networks: Vec<IpNet>,
    /// How long one document may take.
    pub timeout: Duration,
}

/// How names are looked up that show whose a mail domain is.
#[derive(Debug)]
pub struct Dns {
    /// The server that is asked; the machine's own without one.
    pub server: Option<SocketAddr>,
    /// How long an answer may take.
    pub timeout: Duration,
}

/// A value that is not printed.
#[derive(Clone)]
pub struct Hidden(pub String);

impl std::fmt::Debug for Hidden {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[secret]")
    }
}

/// What is logged and how.
#[derive(Debug, Clone)]
pub struct Log {
    /// A filter such as `info` or `info,gateway=debug`.
    pub filter: String,
    pub json: bool,
}

/// The provisioning side.
#[derive(Debug, Clone, Copy)]
pub struct Scim {
    /// How long exchanges with identity providers are kept.
    pub log_retention: time::Duration,
    /// How many are kept of one connection; 0 keeps none.
    pub log_exchanges: u32,
}

/// What one client may ask for.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of a SCIM request body.
    pub scim_body: usize,
    /// SCIM requests per second and tenant.
    pub scim_requests: u32,
    /// SCIM requests of a tenant that may come at once after a quiet time.
    pub scim_requests_burst: u32,
    /// SAML responses per second and connection.
    pub saml_responses: u32,
}

impl Config {
    /// Reads the configuration; the `needed` settings must be set.
    ///
    /// # Errors
    /// Every mistake, one sentence each.
    pub fn load(file: Option<&Path>, needed: &[&str]) -> Result<Self, Vec<String>> {
        let mut reader = Reader::load(file, needed)?;
        let config = Self {
            server: Server {
                listen: reader.parsed("server.listen", "an address and port like 0.0.0.0:8080"),
                public_url: reader.origin("server.public_url"),
                notice: reader.file("server.notice_file"),
                // Shorter than after how long a policy is looked at again.
                request_timeout: Duration::from_secs(reader.number("server.request_timeout_seconds", 1..=60)),
                shutdown_grace: reader.seconds("server.shutdown_grace_seconds"),
                trusted_proxies: reader.number("server.trusted_proxies", 0..=10),
            },
            operations_listen: reader.parsed("operations.listen", "an address and port like 127.0.0.1:8081"),
            database: Database {
                url: reader.database_url("database.url").map(Hidden),
                control_url: reader.database_url("database.control_url").map(Hidden),
                owner_url: reader.database_url("database.owner_url").map(Hidden),
                max_connections: reader.number("database.max_connections", 1..=1000),
                acquire_timeout: reader.seconds("database.acquire_timeout_seconds"),
            },
            vault: reader.secret("keys.root").and_then(|text| reader.checked("keys.root", Vault::parse(&text))),
            token_key_period: time::Duration::days(reader.number("keys.token_key_days", 0..=3_650)),
            log: Log {
                filter: reader.filter("log.filter"),
                json: reader.one_of("log.format", &["json", "text"]) == "json",
            },
            limits: Limits {
                scim_body: reader.number::<usize>("limits.scim_body_bytes", 1_024..=104_857_600),
                scim_requests: reader.number("limits.scim_requests_per_second", 1..=100_000),
                scim_requests_burst: reader.number("limits.scim_requests_burst", 1..=1_000_000),
                saml_responses: reader.number("limits.saml_responses_per_second", 1..=100_000),
            },
            scim: Scim {
                log_retention: time::Duration::days(reader.number("scim.log_retention_days", 1..=3_650)),
                log_exchanges: reader.number("scim.log_exchanges_per_connection", 0..=1_000_000),
            },
            saml: Saml {
                clock_skew: time::Duration::seconds(reader.number("saml.clock_skew_seconds", 0..=600)),
                log_retention: time::Duration::days(reader.number("saml.log_retention_days", 1..=3_650)),
                log_steps: reader.number("saml.log_steps_per_connection", 0..=1_000_000),
            },
            outbound: Outbound {
                private_networks: reader.networks("outbound.private_networks"),
                refused_networks: reader.networks("outbound.refused_networks"),
                timeout: Duration::from_secs(reader.number("outbound.timeout_seconds", 1..=60)),
            },
            dns: Dns {
                server: reader.address("dns.server"),
                timeout: Duration::from_secs(reader.number("dns.timeout_seconds", 1..=60)),
            },
            mail: reader.mail(),
            printed: Vec::new(),
        };
        let printed = reader.finish()?;
        Ok(Self { printed, ..config })
    }

    /// The configuration in force, secrets hidden, a line each.
    pub fn printed(&self) -> &[(String, String)] {
        &self.printed
    }
}

/// Whether `text` is an origin: scheme, host and port only.
pub(crate) fn origin(text: &str) -> Result<String, &'static str> {
    let url = Url::parse(text).map_err(|_| "is not a URL")?;
    let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
    if !matches!(url.scheme(), "http" | "https") || !bare || url.password().is_some() {
        return Err("must be scheme, host and port only, like https://sso.example.com");
    }
    let local = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    if url.scheme() == "http" && !local {
        return Err("must start with https:// (http is for localhost only): identity providers and cookies need it");
    }
    Ok(url.origin().ascii_serialization())
}

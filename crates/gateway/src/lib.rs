//! The gateway: binds the protocols to the database. Routers, use cases, configuration, pages and the command line.

pub mod app;
pub mod browser;
pub mod cleaner;
pub mod cli;
pub mod clock;
pub mod config;
pub mod entropy;
pub mod error;
pub mod extract;
pub mod journal;
pub mod keys;
pub mod limits;
pub mod oauth;
pub mod operations;
pub mod outbound;
pub mod pages;
pub mod provisioning;
pub mod router;
pub mod saml;
pub mod scim;
pub mod secret;
pub mod serve;
pub mod setup;
pub mod telemetry;
pub mod vault;
pub mod watch;

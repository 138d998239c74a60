//! One integration binary: the gateway through its front door, on a real Postgres.

mod cli;
mod deactivation;
mod directory;
mod groups;
mod isolation;
mod oidc;
mod operations;
mod saml;
mod scim;
mod serve;
mod tidy;
mod transactions;

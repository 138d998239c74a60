//! One integration binary: the gateway through its front door, on a real Postgres.

mod cli;
mod deactivation;
mod directory;
mod dialects;
mod groups;
mod isolation;
mod migrations;
mod oidc;
mod operations;
mod saml;
mod scim;
mod serve;
mod tidy;
mod transactions;
mod transcripts;

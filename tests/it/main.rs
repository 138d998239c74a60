//! One integration binary: the gateway through its front door, on a real Postgres.

mod cli;
mod deactivation;
mod dialects;
mod directory;
mod domains;
mod failures;
mod groups;
mod invitations;
mod isolation;
mod jit;
mod links;
mod migrations;
mod mutation;
mod oidc;
mod operations;
mod pages;
mod people;
mod removal;
mod roles;
mod saml;
mod scim;
mod seats;
mod serve;
mod tidy;
mod transactions;
mod transcripts;

//! Postgres. The only crate that names sqlx; it gives out transactions, never a pool or a connection.
//! One file per table family, flat functions, no rules: those are `domain`'s.

pub mod accounts;
pub mod ahead;
pub mod applications;
pub mod attributes;
pub mod connections;
pub mod control;
pub mod domains;
pub mod error;
pub mod events;
pub mod exchanges;
pub mod expired;
pub mod grants;
pub mod groups;
pub mod journal;
pub mod logouts;
pub mod members;
pub mod migrate;
mod moment;
pub mod passwords;
mod pool;
mod pooled;
pub mod prepared;
pub mod schema_attributes;
pub mod scim_tokens;
pub mod scope;
pub mod search;
pub mod sessions;
pub mod sign_in_requests;
pub mod sign_in_steps;
pub mod signing_keys;
pub mod sp_keys;
pub mod store;
pub mod tenant;
pub mod tenants;
pub mod unindexed;
pub mod users;

//! The SCIM 2.0 protocol (RFC 7643, RFC 7644) and the spellings that identity providers really send.
//! Knows no tenants, no SQL and no HTTP: bytes and values go in, values and errors come out.

#[cfg(test)]
mod dialects;
pub mod discovery;
mod document;
pub mod error;
pub mod filter;
pub mod group;
mod json;
pub mod list;
pub mod patch;
pub mod path;
pub mod schema;
pub mod user;
mod value;

//! The SCIM 2.0 protocol (RFC 7643, RFC 7644) and the spellings that identity providers really send.
//! Knows no tenants, no SQL and no HTTP: bytes and values go in, values and errors come out.

pub mod bulk;
#[cfg(test)]
#[path = "tests/dialects.rs"]
mod dialects;
pub mod discovery;
mod document;
pub mod error;
pub mod etag;
pub mod filter;
pub mod group;
pub mod ignored;
mod json;
pub mod list;
pub mod patch;
pub mod path;
#[cfg(test)]
#[path = "testing/random.rs"]
mod random;
pub mod schema;
pub mod search;
pub mod user;
mod value;

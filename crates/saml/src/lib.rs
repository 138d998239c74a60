//! The SAML 2.0 service provider protocol: requests out, responses verified, identity providers set up.
//! It knows no tenant, no SQL and no HTTP; the clock and all entropy except key generation are arguments.

#![forbid(unsafe_code)]
#![warn(missing_docs)]
// A hostile response must never panic the process, so nothing outside tests may slice or index unchecked.
#![cfg_attr(not(test), warn(clippy::indexing_slicing, clippy::string_slice, clippy::panic, clippy::expect_used))]

pub mod code;
pub mod decryption;
pub mod idp;
pub mod idp_change;
pub mod logout;
pub mod outgoing;
pub mod request;
pub mod response;
pub mod self_test;
pub mod sp;
pub mod sp_key;
pub mod trace;

mod algorithm;
mod bytes;
mod encrypted;
mod enveloped;
mod idp_metadata;
mod instant;
mod logout_message;
mod meaning;
mod oaep;
mod read;
mod redirect;
mod shape;
mod signature;
mod signature_shape;
mod structure;
mod text;
mod transport;
mod xml;

#[cfg(test)]
mod tests;

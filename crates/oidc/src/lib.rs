//! The OpenID provider's protocol: requests are read and judged, keys sign, tokens are written and read.
//! Pure: no HTTP, no SQL, no clock. It knows no tenant and no session beyond the ids it puts into claims.
#![forbid(unsafe_code)]

pub mod authorize;
pub mod claims;
pub mod client;
pub mod client_assertion;
pub mod discovery;
pub mod error;
pub mod form;
pub mod global_revocation;
pub mod jwk;
pub mod keys;
pub mod logout;
pub mod pkce;
pub mod scope;
pub mod token_request;

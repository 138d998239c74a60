//! Actors for the tests: a running gateway, a customer with a real (simulated) identity provider, a browser.
//! Everything goes through the front door; only the set-up uses the operator's own use cases.

pub mod back_door;
pub mod browser;
pub mod customer;
pub mod gateway_process;
pub mod sign_in;
pub mod signer;
pub mod smtp;

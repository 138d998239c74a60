//! A stand-in for everything around Gatehouse: an identity provider (SAML), the provisioning of five providers (SCIM),
//! and the vendor's app (OpenID Connect). It shares no code with the product, so that both can be wrong only independently.
#![forbid(unsafe_code)]

pub mod app;
pub mod attack;
pub mod client;
pub mod clock;
pub mod directory;
pub mod entra;
pub mod idp;
pub mod jumpcloud;
pub mod okta;
pub mod onelogin;
pub mod ping;
mod web;

//! A stand-in for everything around Gatehouse: an identity provider (SAML), Okta's provisioning (SCIM), and the
//! vendor's app (OpenID Connect). It shares no code with the product, so that both can be wrong only independently.
#![forbid(unsafe_code)]

pub mod app;
pub mod clock;
pub mod directory;
pub mod idp;
pub mod okta;
mod web;

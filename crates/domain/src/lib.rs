//! The words and rules of Gatehouse: who is who, with which role, and when somebody is out.
//! Knows no database, no protocol and no clock; everything a rule needs is an argument.

pub mod access_control;
pub mod account;
pub mod email;
pub mod event;
pub mod expiry;
pub mod guard;
pub mod ids;
pub mod invitation;
pub mod linking;
pub mod mail_domain;
pub mod matching;
pub mod names;
pub mod profile_policy;
pub mod provisioning;
pub mod reassignment;
pub mod refusal;
pub mod removal;
pub mod role;
pub mod seats;
pub mod session;

#[cfg(test)]
mod tests;

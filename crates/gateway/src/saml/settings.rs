//! How sign-in behaves in one connection, where that is not as usual: a document in the connection's row.

use crate::error::Error;
use ::saml::request::{Comparison, RequestedAuthnContext, Wishes};
use anyhow::Context;
use clap::ValueEnum;
use domain::access_control::First;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use store::connections::Connection;
use time::{Duration, OffsetDateTime};

/// Everything that may be set; what is missing is as usual.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// What becomes of an answer that nobody asked for.
    pub idp_initiated: IdpInitiated,
    /// Who may come by signing in.
    pub jit: Jit,
    /// The RelayStates that lead somewhere when the identity provider sends them on its own, to the letter.
    pub relay_states: Vec<String>,
    /// Whether everybody must sign in again even with a session at the identity provider.
    pub force_authn: bool,
    /// Whether the identity provider may not show anything to the user.
    pub is_passive: bool,
    /// The kind of NameID that is asked for, as a URI.
    pub name_id_format: Option<String>,
    /// How everybody must sign in.
    pub authn_context: Option<AuthnContext>,
    /// How far the identity provider's clock may be off; as configured for the gateway where it is missing.
    pub clock_skew_seconds: Option<u16>,
    /// The mail domains of users; any if there is none.
    pub email_domains: Vec<String>,
    /// Whether the metadata is signed.
    pub sign_metadata: bool,
    /// Where a user's values come from.
    pub mapping: Mapping,
    /// Where attributes for access control come from beside assertions.
    pub access_control: AccessControl,
    /// The entity ID under which the identity provider knows this connection from a system before; it posts to that system's
    /// address then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub former_entity_id: Option<String>,
    /// Who may have everything of a user end; nobody where it is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub universal_logout: Option<UniversalLogout>,
    /// Until when a test is on, in which the contents of assertions are kept in the log.
    #[serde(with = "time::serde::rfc3339::option")]
    pub test_until: Option<OffsetDateTime>,
}

/// Whose calls for Universal Logout are heeded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UniversalLogout {
    /// The address of the organization at the identity provider, such as `https://acme.okta.com`.
    pub issuer: String,
    /// Where its keys are; Okta's usual place where it is missing.
    pub jwks_url: Option<String>,
    /// The app integration there; any where it is missing.
    pub subject: Option<String>,
}

impl UniversalLogout {
    /// Where its keys are.
    pub fn jwks_url(&self) -> String {
        let usual = || format!("{}/oauth2/v1/keys", self.issuer.trim_end_matches('/'));
        self.jwks_url.clone().unwrap_or_else(usual)
    }
}

/// What becomes of an answer that nobody asked for (profiles 4.1.5).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum IdpInitiated {
    /// It is refused.
    Off,
    /// It is not trusted: the browser is sent back with a request of ours.
    #[default]
    Restart,
    /// It signs in, whichever browser brings it.
    Accept,
}

/// What becomes of somebody whom the connection does not know, until SCIM keeps its users.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Jit {
    /// They stay out.
    #[default]
    Off,
    /// They are created.
    Create,
    /// The same, for those who are invited or known to the application.
    Invited,
}

/// The way of signing in that is asked for (core 3.3.2.2.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthnContext {
    /// Class URIs, the best first.
    pub classes: Vec<String>,
    pub comparison: AuthnComparison,
}

/// How the class that is used must compare to those that were asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum AuthnComparison {
    Exact,
    Minimum,
    Better,
    Maximum,
}

/// The attributes that are looked at for each value of a user, in this order; none means the usual ones. `NameID` stands
/// for the subject's name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Mapping {
    /// What SCIM sends as `externalId`.
    pub id: Vec<String>,
    pub email: Vec<String>,
    pub given_name: Vec<String>,
    pub family_name: Vec<String>,
    pub display_name: Vec<String>,
    pub groups: Vec<String>,
    pub role: Vec<String>,
}

/// Attributes for access control, as AWS IAM Identity Center names them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AccessControl {
    /// By the key under which the application is told it: the attribute of the SCIM user.
    pub scim: BTreeMap<String, String>,
    /// Which source decides where both have a value.
    pub first: First,
}

impl Settings {
    /// The settings of a connection.
    ///
    /// # Errors
    /// [`Error::Internal`] when they do not read.
    pub fn of(connection: &Connection) -> Result<Self, Error> {
        Self::read(&connection.sign_in_settings)
    }

    /// The settings as they are stored.
    ///
    /// # Errors
    /// [`Error::Internal`] when they do not read.
    pub fn read(stored: &Value) -> Result<Self, Error> {
        let read = Self::deserialize(stored);
        Ok(read.context("stored settings of sign-in do not read any more")?)
    }

    /// What a request asks for; `force` is the application's own wish.
    pub fn wishes(&self, force: bool) -> Wishes {
        Wishes {
            force_authn: self.force_authn || force,
            is_passive: self.is_passive,
            name_id_format: self.name_id_format.clone(),
            authn_context: self.requested_context(),
        }
    }

    /// The way of signing in that an answer must name.
    pub fn requested_context(&self) -> Option<RequestedAuthnContext> {
        self.authn_context.as_ref().map(|context| RequestedAuthnContext {
            classes: context.classes.clone(),
            comparison: match context.comparison {
                AuthnComparison::Exact => Comparison::Exact,
                AuthnComparison::Minimum => Comparison::Minimum,
                AuthnComparison::Better => Comparison::Better,
                AuthnComparison::Maximum => Comparison::Maximum,
            },
        })
    }

    /// How far the identity provider's clock may be off.
    pub fn clock_skew(&self, usual: Duration) -> Duration {
        self.clock_skew_seconds.map_or(usual, |seconds| Duration::seconds(seconds.into()))
    }

    /// Whether the contents of assertions may be kept in the log.
    pub fn is_under_test(&self, now: OffsetDateTime) -> bool {
        self.test_until.is_some_and(|until| now < until)
    }

    /// Where a RelayState of the identity provider's own leads, if it is on the list.
    pub fn target<'a>(&self, relay_state: Option<&'a str>) -> Option<&'a str> {
        relay_state.filter(|state| self.relay_states.iter().any(|known| known == state))
    }
}

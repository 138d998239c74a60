//! What an application may set beside its addresses: a document in its row.

use ::oidc::jwk::KeySet;
use anyhow::Context;
use domain::{invitation, refusal::Refusal, session};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::applications::Application;
use time::Duration;

/// Everything that may be set; what is missing is as usual.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// How long access and ID tokens live. One that nobody introspects works this long after its user is out.
    pub access_token_seconds: u32,
    /// How long a session lasts at most, and how long unused.
    pub session_seconds: u32,
    pub idle_seconds: u32,
    /// Where a browser may be sent after a logout, to the letter.
    pub post_logout_redirect_uris: Vec<String>,
    /// The public keys with which the application proves itself, instead of a secret (RFC 7523).
    pub jwks: Option<Value>,
    /// Whether it gets tokens of its own, without a user (RFC 6749 4.4).
    pub client_credentials: bool,
    /// Whether every authorization request must be sent ahead (RFC 9126).
    pub require_par: bool,
    /// The audiences that it may ask for (RFC 8707), beside the gateway itself.
    pub resources: Vec<String>,
    /// Whether new users are invited by mail, and for how many days such an invitation works.
    pub invitations: Invitations,
    pub invitation_days: u16,
    /// Where people sign in to it who do not come by an identity provider.
    pub own_login_uri: Option<String>,
    /// The colour of its pages, as `#rrggbb`.
    pub colour: Option<String>,
    /// Which logo it has, if it has one; the image itself is stored apart.
    pub logo: Option<String>,
}

/// How an application has its new users invited.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Invitations {
    /// An account is simply there.
    #[default]
    None,
    Mail,
}

impl Default for Settings {
    fn default() -> Self {
        let limits = session::Limits::default();
        let seconds = |duration: Duration| u32::try_from(duration.whole_seconds()).unwrap_or(u32::MAX);
        Self {
            access_token_seconds: 300,
            session_seconds: seconds(limits.absolute),
            idle_seconds: seconds(limits.idle),
            post_logout_redirect_uris: Vec::new(),
            jwks: None,
            client_credentials: false,
            require_par: false,
            resources: Vec::new(),
            invitations: Invitations::None,
            invitation_days: u16::try_from(invitation::LIFETIME.whole_days()).unwrap_or_default(),
            own_login_uri: None,
            colour: None,
            logo: None,
        }
    }
}

impl Settings {
    /// The settings of an application.
    ///
    /// # Errors
    /// When what is stored does not read.
    pub fn of(application: &Application) -> anyhow::Result<Self> {
        Self::deserialize(&application.settings).context("an application's settings read")
    }

    /// For how many days whom SCIM brings is invited by mail; nothing where nobody is.
    pub fn mailed_for(&self) -> Option<i32> {
        (self.invitations == Invitations::Mail).then_some(i32::from(self.invitation_days))
    }

    /// How long its sessions last.
    pub fn session_limits(&self) -> session::Limits {
        let seconds = |seconds: u32| Duration::seconds(i64::from(seconds));
        session::Limits { absolute: seconds(self.session_seconds), idle: seconds(self.idle_seconds) }
    }

    /// How long its tokens live.
    pub fn token_lifetime(&self) -> Duration {
        Duration::seconds(i64::from(self.access_token_seconds))
    }

    /// The keys with which it proves itself, if it does so.
    ///
    /// # Errors
    /// When what is stored does not read.
    pub fn keys(&self) -> anyhow::Result<Option<KeySet>> {
        let keys = self.jwks.as_ref().map(KeySet::parse).transpose();
        keys.map_err(anyhow::Error::msg).context("an application's keys read")
    }

    /// Refuses what cannot be meant.
    ///
    /// # Errors
    /// [`Refusal::ChangeImpossible`] with what may be given.
    pub fn check(&self) -> Result<(), Refusal> {
        let invalid = |problem: String| Err(Refusal::ChangeImpossible { problem });
        if !(60..=3_600).contains(&self.access_token_seconds) {
            return invalid("access tokens live 60 to 3600 seconds".to_owned());
        }
        if !(300..=2_592_000).contains(&self.session_seconds) {
            return invalid("sessions last 300 to 2592000 seconds (30 days)".to_owned());
        }
        if self.idle_seconds < 60 || self.idle_seconds > self.session_seconds {
            return invalid(
                "unused sessions last 60 seconds at least, and as long as sessions last at most".to_owned(),
            );
        }
        if !(1..=90).contains(&self.invitation_days) {
            return invalid("an invitation works for 1 to 90 days".to_owned());
        }
        if let Some(jwks) = &self.jwks
            && let Err(problem) = KeySet::parse(jwks)
        {
            return invalid(format!("the key set cannot be used: it {problem}"));
        }
        let is_colour = |text: &str| {
            text.len() == 7 && text.starts_with('#') && text[1..].bytes().all(|byte| byte.is_ascii_hexdigit())
        };
        if self.colour.as_deref().is_some_and(|colour| !is_colour(colour)) {
            return invalid("a colour is written #rrggbb, such as #0b5cad".to_owned());
        }
        if self.resources.len() > 20 || self.resources.iter().any(|resource| !is_resource(resource)) {
            return invalid("resources are absolute URIs without a fragment, 20 at most".to_owned());
        }
        Ok(())
    }
}

/// RFC 8707 2: an absolute URI without a fragment.
fn is_resource(text: &str) -> bool {
    text.len() <= 300 && url::Url::parse(text).is_ok_and(|url| url.fragment().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_as_usual_and_what_is_wrong_is_refused() {
        let usual: Settings = serde_json::from_value(serde_json::json!({})).unwrap();
        assert_eq!(usual, Settings::default());
        assert!(usual.check().is_ok());
        let wrong = [
            Settings { access_token_seconds: 59, ..Settings::default() },
            Settings { access_token_seconds: 3_601, ..Settings::default() },
            Settings { session_seconds: 299, idle_seconds: 60, ..Settings::default() },
            Settings { idle_seconds: 43_201, ..Settings::default() },
            Settings { invitation_days: 0, ..Settings::default() },
            Settings { invitation_days: 91, ..Settings::default() },
            Settings { colour: Some("red".to_owned()), ..Settings::default() },
            Settings { colour: Some("#ääa".to_owned()), ..Settings::default() },
            Settings { resources: vec!["api".to_owned()], ..Settings::default() },
            Settings { resources: vec!["https://api.test/#x".to_owned()], ..Settings::default() },
            Settings { jwks: Some(serde_json::json!({ "keys": [] })), ..Settings::default() },
        ];
        for settings in wrong {
            assert!(settings.check().is_err(), "{settings:?}");
        }
    }
}

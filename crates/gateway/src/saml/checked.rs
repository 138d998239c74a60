//! What acs and logout have in common: a form is read, and what a message must fit is gathered.

use super::{idp, service_provider, settings::Settings};
use crate::{app::Inner, error::Error};
use ::saml::{
    code::{Code, Rejection},
    decryption::DecryptionKey,
    idp::IdentityProvider,
    response::Expected,
    sp::ServiceProvider,
};
use anyhow::Context;
use axum::http::{HeaderMap, header};
use std::pin::pin;
use store::connections::Connection;
use time::{Duration, OffsetDateTime};
use tokio::task::spawn_blocking;
use url::form_urlencoded;

/// How long it takes to refuse what could not be decrypted, whatever was wrong with it: more than any of the steps.
const REFUSAL_TAKES: std::time::Duration = std::time::Duration::from_millis(100);

/// How long a RelayState may be; the standard says 80 bytes (bindings 3.4.3), and some send more.
const MAX_RELAY_STATE: usize = 1_024;

/// A message that came in a form (bindings 3.5.4).
#[derive(Debug)]
pub struct Form {
    pub message: String,
    /// As it came; one that is too long or repeated is none.
    pub relay_state: Option<String>,
}

impl Form {
    /// Reads the form with exactly one field of that name.
    ///
    /// # Errors
    /// The refusal of another kind of body, or of another number of fields.
    pub fn read(headers: &HeaderMap, body: &[u8], field: &str) -> Result<Self, Rejection> {
        let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        if !kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return Err(Rejection::new(Code::WrongBinding).received(kind));
        }
        let all = |wanted: &str| {
            let wanted = wanted.to_owned();
            form_urlencoded::parse(body).filter(move |(name, _)| *name == wanted).map(|(_, value)| value)
        };
        let (mut messages, mut states) = (all(field), all("RelayState"));
        let message = match (messages.next(), messages.next()) {
            (Some(message), None) => message.into_owned(),
            (None, _) => return Err(Code::ResponseMissing.into()),
            (Some(_), Some(_)) => return Err(Code::ResponseRepeated.into()),
        };
        let relay_state = match (states.next(), states.next()) {
            (Some(state), None) if !state.is_empty() && state.len() <= MAX_RELAY_STATE => Some(state.into_owned()),
            _ => None,
        };
        Ok(Self { message, relay_state })
    }
}

/// What a message must fit, for a thread of its own.
pub struct Checked {
    sp: ServiceProvider,
    idp: IdentityProvider,
    now: OffsetDateTime,
    skew: Duration,
    allow_sha1: bool,
    keys: Vec<DecryptionKey>,
}

impl Checked {
    /// Gathers it from the connection.
    ///
    /// # Errors
    /// [`Error::NotSetUp`] while there is no identity provider.
    pub fn new(
        app: &Inner,
        connection: &Connection,
        settings: &Settings,
        keys: Vec<DecryptionKey>,
        now: OffsetDateTime,
    ) -> Result<Self, Error> {
        Ok(Self {
            sp: service_provider(app, connection.id, settings),
            idp: idp::of(connection)?,
            now,
            skew: settings.clock_skew(app.config.saml.clock_skew),
            allow_sha1: connection.allow_sha1,
            keys,
        })
    }

    /// Judges a message in a thread of its own: it may cost RSA operations, and other requests must not wait for those of a
    /// stranger. What cannot be decrypted is refused after the same time, whatever is wrong with it. Also answers what was
    /// found beside the verdict.
    ///
    /// # Errors
    /// [`Error::Internal`] when the thread is lost; the verdict is inside.
    pub async fn judge<T: Send + 'static, B: Send + 'static>(
        self,
        judge: impl FnOnce(&Expected<'_>) -> (Result<T, Rejection>, B) + Send + 'static,
    ) -> Result<(Result<T, Rejection>, B), Error> {
        // Begins here, so that the time that goes by until it is needed counts.
        let uniform = pin!(tokio::time::sleep(REFUSAL_TAKES));
        let judged = spawn_blocking(move || judge(&self.expected())).await.context("a message is verified")?;
        if matches!(&judged.0, Err(rejection) if rejection.code == Code::Undecryptable) {
            uniform.await;
        }
        Ok(judged)
    }

    /// The same, as the protocol's crate wants it.
    fn expected(&self) -> Expected<'_> {
        Expected {
            sp: &self.sp,
            idp: &self.idp,
            now: self.now,
            skew: self.skew,
            allow_sha1: self.allow_sha1,
            decryption_keys: &self.keys,
        }
    }
}

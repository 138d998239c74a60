//! The vendor's app, reduced to its door: it knows OpenID Connect and nothing of SAML, SCIM or Gatehouse's insides.

mod pages;
mod provider;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use openidconnect::{AccessToken, Nonce, PkceCodeVerifier, RefreshToken};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tracing::{info, warn};

use provider::{Arrival, Provider, Standing};

const MAX_DEPARTURES: usize = 1000;
const DEPARTURE_LIFETIME: Duration = Duration::from_secs(600);

/// How the app is set up: what a developer of the vendor would put into its configuration.
pub struct AppOptions {
    /// Its address as browsers see it; by default `http://localhost` with the listener's port.
    pub base_url: Option<String>,
    /// Gatehouse's address.
    pub issuer: String,
    /// The client's id.
    pub client_id: String,
    /// The client's secret; none for a public client.
    pub client_secret: Option<String>,
    /// Whose users sign in at the start page.
    pub tenant: String,
}

/// A running app; it ends when this is dropped.
pub struct DemoApp {
    base_url: String,
    server: JoinHandle<()>,
}

struct Inner {
    provider: Provider,
    tenant: String,
    departures: Mutex<HashMap<String, Pending>>,
    sessions: Mutex<HashMap<String, Arc<tokio::sync::Mutex<Session>>>>,
}

struct Pending {
    nonce: Nonce,
    verifier: PkceCodeVerifier,
    since: Instant,
}

#[derive(Clone)]
struct Session {
    person: Arc<Person>,
    access_token: AccessToken,
    refresh_token: Option<RefreshToken>,
}

/// What the signed-in page shows.
struct Person {
    name: String,
    email: String,
    roles: String,
    tenant_id: String,
    subject: String,
    claims: String,
}

/// Whether a session may go on.
enum Access {
    Active(Arc<Person>),
    Ended,
    /// There is no such session.
    None,
    /// The provider could not be asked.
    Unknown(Arc<Person>),
}

impl DemoApp {
    /// Serves on this listener. The provider need not be up yet.
    pub async fn start(listener: TcpListener, options: AppOptions) -> anyhow::Result<Self> {
        let port = listener.local_addr().context("the listener has no address")?.port();
        let base_url = options.base_url.unwrap_or_else(|| format!("http://localhost:{port}"));
        let base_url = base_url.trim_end_matches('/').to_owned();
        let provider = Provider::new(
            &options.issuer,
            &options.client_id,
            options.client_secret.as_deref(),
            format!("{base_url}/callback"),
        )?;
        let inner =
            Inner { provider, tenant: options.tenant, departures: Mutex::default(), sessions: Mutex::default() };
        let router = pages::router(Arc::new(inner));
        let server = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                warn!("The demo app stopped: {error}");
            }
        });
        Ok(Self { base_url, server })
    }

    /// Its address.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// Where the provider may send people back to; register exactly this.
    pub fn redirect_uri(&self) -> String {
        format!("{}/callback", self.base_url)
    }

    /// Where a sign-in that begins elsewhere enters (OpenID Connect Core 4).
    pub fn initiate_login_uri(&self) -> String {
        format!("{}/start", self.base_url)
    }

    /// Runs until the server ends, which it does not by itself.
    pub async fn finished(&mut self) {
        if let Err(error) = (&mut self.server).await {
            warn!("The demo app ended: {error}");
        }
    }
}

impl Drop for DemoApp {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Inner {
    fn remember(&self, state: String, nonce: Nonce, verifier: PkceCodeVerifier) {
        let mut departures = lock(&self.departures);
        departures.retain(|_, pending| pending.since.elapsed() < DEPARTURE_LIFETIME);
        if departures.len() < MAX_DEPARTURES {
            departures.insert(state, Pending { nonce, verifier, since: Instant::now() });
        }
    }

    fn recall(&self, state: &str) -> Option<Pending> {
        lock(&self.departures).remove(state).filter(|pending| pending.since.elapsed() < DEPARTURE_LIFETIME)
    }

    fn begin(&self, arrival: Arrival) -> anyhow::Result<String> {
        let person = Arc::new(person(&arrival)?);
        info!(subject = person.subject, "Somebody signed in");
        let session = Session { person, access_token: arrival.access_token, refresh_token: arrival.refresh_token };
        let id = uuid::Uuid::new_v4().to_string();
        lock(&self.sessions).insert(id.clone(), Arc::new(tokio::sync::Mutex::new(session)));
        Ok(id)
    }

    /// Asks the provider, every time: what is not cached cannot be stale.
    async fn access(&self, session_id: &str) -> Access {
        let Some(session) = lock(&self.sessions).get(session_id).cloned() else { return Access::None };
        // Held while the provider is asked: two pages of one browser must not spend one refresh token twice.
        let mut session = session.lock().await;
        let person = Arc::clone(&session.person);
        match self.provider.standing(&session.access_token, session.refresh_token.as_ref()).await {
            Ok(Standing::Active) => Access::Active(person),
            Ok(Standing::Renewed(access_token, refresh_token)) => {
                session.access_token = access_token;
                session.refresh_token = refresh_token.or_else(|| session.refresh_token.take());
                Access::Active(person)
            }
            Ok(Standing::Ended) => {
                lock(&self.sessions).remove(session_id);
                info!(subject = person.subject, "Access ended");
                Access::Ended
            }
            Err(error) => {
                warn!("Whether access still holds is not known: {error:#}");
                Access::Unknown(person)
            }
        }
    }

    async fn sign_out(&self, session_id: &str) {
        let Some(session) = lock(&self.sessions).remove(session_id) else { return };
        let refresh_token = session.lock().await.refresh_token.take();
        if let Some(refresh_token) = refresh_token
            && let Err(error) = self.provider.revoke(refresh_token).await
        {
            warn!("The refresh token could not be given back: {error:#}");
        }
    }
}

fn person(arrival: &Arrival) -> anyhow::Result<Person> {
    let claims = &arrival.claims;
    let name = claims.name().and_then(|name| name.get(None)).map(|name| name.to_string());
    let email = claims.email().map(|email| email.to_string());
    let more = claims.additional_claims();
    Ok(Person {
        name: name.or_else(|| email.clone()).unwrap_or_else(|| "Somebody".to_owned()),
        email: email.unwrap_or_default(),
        roles: more.roles.join(", "),
        tenant_id: more.tenant_id.clone(),
        subject: claims.subject().to_string(),
        claims: format!("{:#}", payload(&arrival.id_token)?),
    })
}

// The library has verified this very token; here its claims are only made readable.
fn payload(id_token: &str) -> anyhow::Result<Value> {
    let part = id_token.split('.').nth(1).context("the ID token has no claims")?;
    let bytes = URL_SAFE_NO_PAD.decode(part).context("the ID token's claims are not base64url")?;
    serde_json::from_slice(&bytes).context("the ID token's claims are not JSON")
}

// Nothing panics while it holds one of these locks; if it did, the data would still be whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

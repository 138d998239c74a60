//! The identity provider: a directory of people, a page to sign in as one of them, and their provisioning.

pub mod authn_request;
pub(crate) mod encryption;
pub mod keys;
pub mod logout;
pub mod metadata;
mod pages;
pub mod response;
pub(crate) mod signed_query;

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tracing::warn;
use url::Url;

use crate::client::{Failure, exchange::Exchange};
use crate::clock::{self, Clock};
use crate::directory::{Directory, DirectoryUser, Status};
use crate::okta::Okta;
use authn_request::AuthnRequest;
use keys::IdpKey;
use logout::LogoutMessage;
use metadata::ServiceProvider;
use response::ResponseBuilder;

const MAX_PENDING: usize = 200;
const FETCH_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(10);

/// How an identity provider is set up.
pub struct IdpOptions {
    /// Its address as browsers see it; by default that of the listener.
    pub base_url: Option<String>,
    /// Keeps key and directory; without it both are new at each start.
    pub data: Option<PathBuf>,
    /// Addresses or files of service providers' metadata, read when they are first needed.
    pub service_providers: Vec<String>,
    /// Where people are provisioned to.
    pub provisioning: Option<Okta>,
    /// Tells the time.
    pub clock: Clock,
}

impl Default for IdpOptions {
    fn default() -> Self {
        Self { base_url: None, data: None, service_providers: Vec::new(), provisioning: None, clock: clock::system() }
    }
}

/// A running identity provider; it ends when this is dropped.
pub struct Idp {
    inner: Arc<Inner>,
    server: JoinHandle<()>,
}

/// What a browser would post to the service provider.
#[derive(Clone, Debug)]
pub struct PostedResponse {
    /// Where to.
    pub acs_url: String,
    /// The form field `SAMLResponse`.
    pub saml_response: String,
    /// The form field `RelayState`.
    pub relay_state: Option<String>,
}

/// The last provisioning, as the page shows it.
struct Report {
    title: String,
    failure: Option<String>,
    exchanges: Vec<Exchange>,
}

struct Inner {
    base_url: String,
    key: IdpKey,
    data: Option<PathBuf>,
    sources: Vec<String>,
    clock: Clock,
    client: reqwest::Client,
    directory: Mutex<Directory>,
    providers: Mutex<Vec<ServiceProvider>>,
    pending: Mutex<VecDeque<(String, AuthnRequest)>>,
    okta: Option<tokio::sync::Mutex<Okta>>,
    report: Mutex<Option<Report>>,
}

impl Idp {
    /// Serves on this listener.
    pub async fn start(listener: TcpListener, options: IdpOptions) -> anyhow::Result<Self> {
        let address = listener.local_addr().context("the listener has no address")?;
        let now = (options.clock)();
        let (key, directory) = match &options.data {
            Some(folder) => (IdpKey::load_or_generate(folder, now)?, Directory::load_or_demo(folder)?),
            None => (IdpKey::generate(now)?, Directory::demo()),
        };
        let base_url = options.base_url.unwrap_or_else(|| format!("http://{address}"));
        let inner = Arc::new(Inner {
            base_url: base_url.trim_end_matches('/').to_owned(),
            key,
            data: options.data,
            sources: options.service_providers,
            clock: options.clock,
            client: reqwest::Client::builder().timeout(FETCH_TIMEOUT).build().context("no HTTP client")?,
            directory: Mutex::new(directory),
            providers: Mutex::default(),
            pending: Mutex::default(),
            okta: options.provisioning.map(tokio::sync::Mutex::new),
            report: Mutex::default(),
        });
        let router = pages::router(Arc::clone(&inner));
        let server = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                warn!("The identity provider stopped: {error}");
            }
        });
        Ok(Self { inner, server })
    }

    /// Its address.
    pub fn base_url(&self) -> &str {
        &self.inner.base_url
    }

    /// Who it is; its metadata is there, too.
    pub fn entity_id(&self) -> String {
        self.inner.entity_id()
    }

    /// Where AuthnRequests go.
    pub fn sso_url(&self) -> String {
        self.inner.sso_url()
    }

    /// Where messages about logout go.
    pub fn slo_url(&self) -> String {
        metadata::slo_url(&self.inner.base_url)
    }

    /// Its metadata.
    pub fn metadata(&self) -> String {
        self.inner.metadata()
    }

    /// Its key, to build responses of one's own.
    pub fn key(&self) -> &IdpKey {
        &self.inner.key
    }

    /// Trusts a service provider from now on, in place of an older version of the same.
    pub fn trust(&self, metadata: &str) -> anyhow::Result<()> {
        self.inner.trust(ServiceProvider::parse(metadata)?);
        Ok(())
    }

    /// Somebody of the directory.
    pub fn user(&self, name: &str) -> Option<DirectoryUser> {
        lock(&self.inner.directory).find(name).cloned()
    }

    /// Adds somebody to the directory.
    pub fn add_user(&self, user: DirectoryUser) {
        lock(&self.inner.directory).users.push(user);
    }

    /// Reads and verifies the request in the address that a service provider redirected the browser to.
    pub async fn read_request(&self, location: &str) -> anyhow::Result<AuthnRequest> {
        let location = Url::parse(location).context("not an address")?;
        self.inner.verified(location.query().unwrap_or_default()).await
    }

    /// Reads and verifies the message about logout in the address that a service provider redirected the browser to.
    pub fn read_logout(&self, location: &str, field: &str) -> anyhow::Result<logout::Asked> {
        let location = Url::parse(location).context("not an address")?;
        self.inner.asked_to_log_out(location.query().unwrap_or_default(), field)
    }

    /// The address with the answer to a request for logout.
    pub fn answer_logout(&self, asked: &logout::Asked) -> anyhow::Result<String> {
        self.inner.logged_out(asked)
    }

    /// A response to a request about somebody, still to be signed and encoded.
    pub fn response_to(&self, request: &AuthnRequest, user: &DirectoryUser) -> ResponseBuilder {
        self.inner.response_to(request, user)
    }

    /// All that a person does here: follow the redirect, pick oneself, and be sent back.
    pub async fn sign_in(&self, location: &str, name: &str) -> anyhow::Result<PostedResponse> {
        let request = self.read_request(location).await?;
        let user = self.user(name).with_context(|| format!("nobody is called {name}"))?;
        self.inner.answer(&request, &user)
    }

    /// Runs until the server ends, which it does not by itself.
    pub async fn finished(&mut self) {
        // The task ends in no other way than by itself or by `abort`.
        if let Err(error) = (&mut self.server).await {
            warn!("The identity provider ended: {error}");
        }
    }
}

impl Drop for Idp {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Inner {
    fn entity_id(&self) -> String {
        metadata::entity_id(&self.base_url)
    }

    fn sso_url(&self) -> String {
        metadata::sso_url(&self.base_url)
    }

    fn metadata(&self) -> String {
        metadata::of_idp(&self.base_url, &self.key)
    }

    fn asked_to_log_out(&self, raw_query: &str, field: &str) -> anyhow::Result<logout::Asked> {
        let issuer = logout::issuer_of(raw_query, field)?;
        let provider = self.provider(&issuer).with_context(|| format!("{issuer} is not known here."))?;
        logout::read(raw_query, field, &metadata::slo_url(&self.base_url), &provider)
    }

    /// We keep no sessions, so everybody is out at once.
    fn logged_out(&self, asked: &logout::Asked) -> anyhow::Result<String> {
        let provider = self.provider(&asked.issuer).context("The service provider is not known here.")?;
        let destination = provider.slo_url.context("The service provider takes no part in logout.")?;
        let content = logout::Content::Response { in_response_to: asked.id.clone(), status: "Success".to_owned() };
        let message = LogoutMessage::new(&self.entity_id(), &destination, (self.clock)(), content);
        message.url(asked.relay_state.as_deref(), &self.key)
    }

    fn trust(&self, provider: ServiceProvider) {
        let mut providers = lock(&self.providers);
        providers.retain(|known| known.entity_id != provider.entity_id);
        providers.push(provider);
    }

    async fn verified(&self, raw_query: &str) -> anyhow::Result<AuthnRequest> {
        let read = || authn_request::read(raw_query, &self.sso_url());
        let request = read()?;
        let known = self.provider(&request.issuer);
        if let Some(provider) = known
            && let Ok(request) = request.verify(&provider)
        {
            return Ok(request);
        }
        // Unknown, or its key is new: what the sources say now decides.
        let problems = self.read_sources().await;
        let request = read()?;
        let provider = self.provider(&request.issuer).with_context(|| {
            format!("The service provider {} is not known here. {}", request.issuer, problems.join(" "))
        })?;
        request.verify(&provider)
    }

    fn provider(&self, entity_id: &str) -> Option<ServiceProvider> {
        lock(&self.providers).iter().find(|provider| provider.entity_id == entity_id).cloned()
    }

    async fn read_sources(&self) -> Vec<String> {
        let mut problems = Vec::new();
        for source in &self.sources {
            match self.read_source(source).await {
                Ok(provider) => self.trust(provider),
                Err(error) => problems.push(format!("The metadata at {source} could not be used: {error:#}.")),
            }
        }
        problems
    }

    async fn read_source(&self, source: &str) -> anyhow::Result<ServiceProvider> {
        let xml = if source.starts_with("http://") || source.starts_with("https://") {
            self.client.get(source).send().await?.error_for_status()?.text().await?
        } else {
            std::fs::read_to_string(source)?
        };
        ServiceProvider::parse(&xml)
    }

    fn response_to(&self, request: &AuthnRequest, user: &DirectoryUser) -> ResponseBuilder {
        let now = (self.clock)();
        let response =
            ResponseBuilder::new(&self.entity_id(), &request.entity_id, &request.acs_url, &user.user_name, now)
                .in_response_to(&request.id)
                .attribute("email", &user.email)
                .attribute("firstName", &user.first_name)
                .attribute("lastName", &user.last_name);
        match &user.role {
            Some(role) => response.attribute("role", role),
            None => response,
        }
    }

    fn answer(&self, request: &AuthnRequest, user: &DirectoryUser) -> anyhow::Result<PostedResponse> {
        Ok(PostedResponse {
            acs_url: request.acs_url.clone(),
            saml_response: self.response_to(request, user).encode(&self.key)?,
            relay_state: request.relay_state.clone(),
        })
    }

    fn remember(&self, request: AuthnRequest) -> String {
        let handle = uuid::Uuid::new_v4().to_string();
        let mut pending = lock(&self.pending);
        if pending.len() >= MAX_PENDING {
            pending.pop_front();
        }
        pending.push_back((handle.clone(), request));
        handle
    }

    // Kept, so that "back" works; it is the service provider's task to refuse a second answer.
    fn pending(&self, handle: &str) -> Option<AuthnRequest> {
        lock(&self.pending).iter().find(|(known, _)| known == handle).map(|(_, request)| request.clone())
    }

    fn record(&self, user: &DirectoryUser, outcome: Result<(Status, Option<String>), Failure>, report: Report) {
        let failure = outcome.as_ref().err().map(|failure| failure.sentence.clone());
        if let Ok((status, remote_id)) = outcome {
            let mut directory = lock(&self.directory);
            if let Some(user) = directory.find_mut(&user.id) {
                user.status = status;
                user.remote_id = remote_id.or_else(|| user.remote_id.take());
            }
            if let Some(folder) = &self.data
                && let Err(error) = directory.save(folder)
            {
                warn!("The directory could not be kept: {error:#}");
            }
        }
        *lock(&self.report) = Some(Report { failure, ..report });
    }
}

// Nothing panics while it holds one of these locks; if it did, the data would still be whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

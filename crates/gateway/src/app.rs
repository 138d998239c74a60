//! What every request shares: the database, keys, clock and the names under which the world knows us.

use crate::{
    clock::Clock,
    config::Config,
    error::Error,
    journal::Journal,
    keys::TokenKeys,
    limits::Limits,
    scim::{creation::Creation, proof::Look, schemas::Schemas, together::Together},
    universal_logout::KnownKeys,
    vault::Vault,
};
use anyhow::{Context, bail};
use domain::ids::{ConnectionId, TenantId};
use moka::future::Cache;
use std::{ops::Deref, sync::Arc, time::Duration};
use store::{
    control::{self, ControlTx},
    exchanges::Exchange,
    migrate::{self, Schema},
    scope::{Actor, Scope},
    sign_in_steps::Step,
    store::{Store, StoreConfig},
    tenant::TenantTx,
};
use time::OffsetDateTime;

/// Connections whose tenant is remembered; the pair never changes.
const REMEMBERED_CONNECTIONS: u64 = 100_000;

/// Connections whose schemas are remembered; each request says whether they are still in force.
const REMEMBERED_SCHEMAS: u64 = 1_000;

/// Identity providers whose keys are remembered, and how long at most.
const REMEMBERED_KEYS: u64 = 1_000;
const FORGOTTEN: Duration = Duration::from_secs(3_600);

/// The running gateway.
#[derive(Clone)]
pub struct App(Arc<Inner>);

/// The parts of [`App`].
pub struct Inner {
    pub store: Store,
    pub config: Config,
    pub vault: Vault,
    pub keys: TokenKeys,
    pub clock: Clock,
    pub limits: Limits,
    /// Takes what SCIM clients asked and were told.
    pub log: Journal<Exchange>,
    /// Takes the steps of sign-ins.
    pub steps: Journal<Step>,
    /// Users who are being created.
    pub(crate) creations: Together<Creation>,
    /// Tokens that are being looked up.
    pub(crate) looks: Together<Look>,
    /// Keys with which identity providers sign calls for Universal Logout.
    pub(crate) provider_keys: Cache<ConnectionId, KnownKeys>,
    pub(crate) schemas: Cache<ConnectionId, Arc<Schemas>>,
    tenants: Cache<ConnectionId, TenantId>,
}

impl Deref for App {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl App {
    /// Opens the database, checks the root keys against what is stored, and makes token keys if there are none.
    ///
    /// # Errors
    /// What an operator must set or mend.
    pub async fn start(mut config: Config, clock: Clock) -> anyhow::Result<Self> {
        let store = open_store(&config)?;
        require_current_schema(&store, clock.now()).await?;
        let vault = config
            .vault
            .take()
            .context("keys.root or keys.root_file is not set; `gatehouse key generate` makes one")?;
        let keys = TokenKeys::load_or_create(&store, &vault, clock.now()).await?;
        let limits = Limits::new(&config.limits, &config.database);
        let log = Journal::start(store.clone(), clock.clone(), config.scim.log_exchanges);
        let steps = Journal::start(store.clone(), clock.clone(), config.saml.log_steps);
        let (schemas, tenants) = (Cache::new(REMEMBERED_SCHEMAS), Cache::new(REMEMBERED_CONNECTIONS));
        let provider_keys = Cache::builder().max_capacity(REMEMBERED_KEYS).time_to_live(FORGOTTEN).build();
        let (creations, looks) = (Together::default(), Together::default());
        Ok(Self(Arc::new(Inner {
            store,
            config,
            vault,
            keys,
            clock,
            limits,
            log,
            steps,
            creations,
            looks,
            provider_keys,
            schemas,
            tenants,
        })))
    }
}

/// Refuses a database that lacks migrations of this version.
///
/// # Errors
/// What to run, or that the database cannot be reached.
pub async fn require_current_schema(store: &Store, now: OffsetDateTime) -> anyhow::Result<()> {
    let mut tx = store.control(now).await.context("the database cannot be reached")?;
    let schema = migrate::schema(&mut tx).await.context("the database cannot be asked")?;
    tx.rollback().await?;
    match schema {
        Schema::Current => Ok(()),
        Schema::Behind => bail!("the database lacks migrations of this version; run `gatehouse migrate`"),
    }
}

/// Prepares the database pools of a configuration.
///
/// # Errors
/// Which login is missing.
pub fn open_store(config: &Config) -> anyhow::Result<Store> {
    let database = &config.database;
    let url = database.url.as_ref().context("database.url (or database.url_file) is not set")?;
    let control_url =
        database.control_url.as_ref().context("database.control_url (or database.control_url_file) is not set")?;
    let store = Store::new(&StoreConfig {
        url: &url.0,
        control_url: &control_url.0,
        max_connections: database.max_connections,
        acquire_timeout: database.acquire_timeout,
    });
    store.context("a database URL does not parse; write postgres://user:password@host:5432/gatehouse")
}

impl Inner {
    /// The OpenID Connect issuer: the public origin.
    pub fn issuer(&self) -> &str {
        &self.config.server.public_url
    }

    /// The base of a connection's URLs, and its SAML entity ID.
    pub fn connection_url(&self, connection: ConnectionId) -> String {
        format!("{}/c/{connection}", self.issuer())
    }

    /// Whether cookies can be kept to encrypted connections.
    pub fn is_https(&self) -> bool {
        self.issuer().starts_with("https://")
    }

    /// A tenant's transaction at `now`.
    pub async fn tenant(&self, tenant: TenantId, actor: Actor, now: OffsetDateTime) -> Result<TenantTx, Error> {
        Ok(self.store.tenant(Scope { tenant, actor, now }).await?)
    }

    /// A transaction across tenants.
    pub async fn control(&self, now: OffsetDateTime) -> Result<ControlTx, Error> {
        Ok(self.store.control(now).await?)
    }

    /// The tenant that owns a connection.
    pub async fn tenant_of(&self, connection: ConnectionId, now: OffsetDateTime) -> Result<TenantId, Error> {
        if let Some(tenant) = self.tenants.get(&connection).await {
            return Ok(tenant);
        }
        let mut tx = self.control(now).await?;
        let tenant = self.tenant_within(&mut tx, connection).await?;
        tx.rollback().await?;
        tenant.ok_or(Error::NotFound)
    }

    /// The same in a transaction that is open: who has a connection to the database and waits for another may wait for ever.
    pub async fn tenant_within(&self, tx: &mut ControlTx, connection: ConnectionId) -> Result<Option<TenantId>, Error> {
        if let Some(tenant) = self.tenants.get(&connection).await {
            return Ok(Some(tenant));
        }
        let tenant = control::tenant_of_connection(tx, connection).await?;
        if let Some(tenant) = tenant {
            self.tenants.insert(connection, tenant).await;
        }
        Ok(tenant)
    }
}

//! A gateway that runs in this process, on a port of its own, on the shared database.

use domain::names::Slug;
use gateway::{
    app::App,
    clock::Clock,
    config::{Config, Hidden},
    router,
    setup::applications::{self, ApplicationSpec},
    vault::Vault,
};
use oidc::keys::Algorithm;
use std::{sync::Arc, time::Duration};
use tokio::{net::TcpListener, sync::OnceCell, task::JoinHandle};

/// A root key that is no secret: the test database dies with the test run.
const ROOT_KEY: &str = "ghroot_7e577e57_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";

pub const ROLES: [&str; 6] = ["ADMINISTRATOR", "MANAGER", "DEVELOPER", "DESIGNER", "SUPPORT_SPECIALIST", "ANALYST"];

/// A running gateway with one application.
pub struct Gateway {
    pub app: App,
    /// `http://localhost:PORT`
    pub url: String,
    pub clock: Clock,
    pub application: Application,
    server: JoinHandle<()>,
}

/// An OAuth client.
#[derive(Clone)]
pub struct Application {
    pub slug: String,
    pub client_id: String,
    pub client_secret: Option<String>,
    pub redirect_uri: String,
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// A setting of the environment that `bin/test` makes.
pub fn setting(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set; run the tests with bin/test"))
}

/// A name that no other test uses.
pub fn unique(prefix: &str) -> String {
    let id = uuid::Uuid::new_v4().simple().to_string();
    format!("{prefix}-{}", &id[..12])
}

/// The settings of a gateway on the test database.
pub fn config(public_url: &str) -> Config {
    let mut config = Config::load(None, &[]).expect("the test settings have no mistakes");
    config.server.public_url = public_url.to_owned();
    config.vault = Some(Vault::parse(ROOT_KEY).expect("the test root key is one"));
    config.database.url = Some(Hidden(setting("GATEHOUSE__DATABASE__URL")));
    config.database.control_url = Some(Hidden(setting("GATEHOUSE__DATABASE__CONTROL_URL")));
    // The tests of one binary share few tenants' worth of patience; limits have tests of their own.
    config.limits.scim_requests = 100_000;
    config.limits.scim_requests_burst = 1_000_000;
    config.database.max_connections = 10;
    config.database.acquire_timeout = Duration::from_secs(20);
    config
}

/// The test database with all rights, to look behind the curtain.
pub async fn superuser() -> sqlx::PgConnection {
    migrated().await;
    let owner = url::Url::parse(&setting("GATEHOUSE__DATABASE__OWNER_URL")).unwrap();
    superuser_of(owner.path()).await
}

/// The same of another database.
pub async fn superuser_of(database: &str) -> sqlx::PgConnection {
    let url = in_database("GATEHOUSE_TEST_SUPERUSER_URL", database);
    <sqlx::PgConnection as sqlx::Connection>::connect(&url).await.unwrap()
}

/// The address in that setting, of another database.
pub fn in_database(variable: &str, database: &str) -> String {
    let mut url = url::Url::parse(&setting(variable)).unwrap();
    url.set_path(database);
    url.into()
}

/// A new database with our tables, for what looks at everybody's.
pub async fn own_database() -> String {
    static TEMPLATE: OnceCell<String> = OnceCell::const_new();
    let create = async |template: &str| {
        let name = unique("own").replace('-', "_");
        let create = format!("CREATE DATABASE {name} TEMPLATE {template} OWNER gate_owner");
        sqlx::query(sqlx::AssertSqlSafe(create)).execute(&mut superuser().await).await.unwrap();
        name
    };
    let migrated = async || {
        let name = create("template0").await;
        store::migrate::run(&in_database("GATEHOUSE__DATABASE__OWNER_URL", &name)).await.unwrap();
        name
    };
    create(TEMPLATE.get_or_init(migrated).await).await
}

/// What a page of metrics says of that series, given by its name with all labels.
pub fn measured(metrics: &str, series: &str) -> Option<f64> {
    metrics.lines().find_map(|line| line.strip_prefix(series)?.trim().parse().ok())
}

/// Applies the migrations once per test program.
pub async fn migrated() {
    static ONCE: OnceCell<usize> = OnceCell::const_new();
    let migrate = async { store::migrate::run(&setting("GATEHOUSE__DATABASE__OWNER_URL")).await.unwrap() };
    ONCE.get_or_init(|| migrate).await;
}

impl Gateway {
    /// Starts one with a clock that stands still until it is moved.
    pub async fn start() -> Arc<Self> {
        Self::start_with(Clock::manual(), |_| {}).await
    }

    /// Starts one with other settings.
    pub async fn start_with(clock: Clock, change: impl FnOnce(&mut Config)) -> Arc<Self> {
        migrated().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://localhost:{}", listener.local_addr().unwrap().port());
        let mut config = config(&url);
        change(&mut config);
        let app = App::start(config, clock.clone()).await.unwrap();
        let router = router::router(app.clone());
        let server = tokio::spawn(async move {
            axum::serve(listener, router.into_make_service_with_connect_info::<std::net::SocketAddr>()).await.unwrap()
        });
        let application = application(&app, "https://app.test/callback", |_| {}).await;
        Arc::new(Self { app, url, clock, application, server })
    }

    /// Starts one on that database.
    pub async fn on(database: &str, clock: Clock, change: impl FnOnce(&mut Config)) -> Arc<Self> {
        let there = |config: &mut Config| {
            config.database.url = Some(Hidden(in_database("GATEHOUSE__DATABASE__URL", database)));
            config.database.control_url = Some(Hidden(in_database("GATEHOUSE__DATABASE__CONTROL_URL", database)));
            change(config);
        };
        Self::start_with(clock, there).await
    }

    /// Registers one more application.
    pub async fn application(&self, redirect_uri: &str, change: impl FnOnce(&mut ApplicationSpec)) -> Application {
        application(&self.app, redirect_uri, change).await
    }
}

async fn application(app: &App, redirect_uri: &str, change: impl FnOnce(&mut ApplicationSpec)) -> Application {
    let slug = unique("app");
    let mut spec = ApplicationSpec {
        name: Slug::parse(&slug).unwrap(),
        display_name: "Test app".to_owned(),
        redirect_uris: vec![redirect_uri.to_owned()],
        initiate_login_uri: None,
        backchannel_logout_uri: None,
        roles: ROLES.map(str::to_owned).to_vec(),
        id_token_alg: Algorithm::Rs256,
        public: false,
        settings: Default::default(),
    };
    change(&mut spec);
    let (id, secret) = applications::create(&app.store, app.clock.now(), spec).await.unwrap();
    let client_secret = secret.map(|secret| secret.reveal().to_owned());
    Application { slug, client_id: id.to_string(), client_secret, redirect_uri: redirect_uri.to_owned() }
}

//! A customer organization: tenant, connection, SCIM token, and an identity provider of its own.

use crate::gateway_process::{Application, Gateway, setting, unique};
use domain::{
    ids::{ConnectionId, TenantId, TokenId},
    names::Slug,
};
use gateway::{
    backchannel,
    clock::Clock,
    setup::{self, directory::TokenSpec},
};
use reqwest::{Method, StatusCode};
use saml::idp::IdentityProvider;
use serde_json::Value;
use simulator::{
    directory::DirectoryUser,
    idp::{Idp, IdpOptions},
    okta::{Okta, Style},
};
use sqlx::{ConnectOptions, Connection, PgConnection, postgres::PgConnectOptions};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::net::TcpListener;

/// A customer of one gateway.
pub struct Customer {
    pub gateway: Arc<Gateway>,
    pub application: Application,
    pub tenant: TenantId,
    pub slug: String,
    /// The verified mail domain.
    pub domain: String,
    pub connection: ConnectionId,
    pub token_id: TokenId,
    pub token: String,
    pub idp: Idp,
    pub(crate) http: reqwest::Client,
}

/// How a connection is set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Okta,
    /// Without an identity provider to ask.
    Passwords,
    /// Okta, and nothing takes effect yet.
    Shadow,
}

/// An answer of the SCIM server.
#[derive(Debug)]
pub struct ScimAnswer {
    pub status: StatusCode,
    pub content_type: String,
    pub headers: reqwest::header::HeaderMap,
    pub body: Value,
}

impl Customer {
    /// A new tenant in a gateway of its own.
    pub async fn new() -> Self {
        Self::of(&Gateway::start().await).await
    }

    /// A new tenant in that gateway, for its application.
    pub async fn of(gateway: &Arc<Gateway>) -> Self {
        Self::entering(gateway, gateway.application.clone()).await
    }

    /// A new tenant in that gateway, for that application.
    pub async fn entering(gateway: &Arc<Gateway>, application: Application) -> Self {
        let (app, now) = (&gateway.app, gateway.clock.now());
        let slug = unique("acme");
        let domain = format!("{slug}.test");
        let name = Slug::parse(&slug).unwrap();
        let tenant = setup::create_tenant(&app.store, now, &name, "Acme", std::slice::from_ref(&domain)).await.unwrap();
        Self::connected(gateway, application, tenant, (slug, domain), "Okta", Kind::Okta).await
    }

    /// A new tenant whose only connection has no identity provider to ask: its directory synchronizes passwords.
    pub async fn with_passwords(gateway: &Arc<Gateway>, application: Application) -> Self {
        let (app, now) = (&gateway.app, gateway.clock.now());
        let slug = unique("acme");
        let domain = format!("{slug}.test");
        let name = Slug::parse(&slug).unwrap();
        let tenant = setup::create_tenant(&app.store, now, &name, "Acme", std::slice::from_ref(&domain)).await.unwrap();
        let customer =
            Self::connected(gateway, application, tenant, (slug, domain), "Directory", Kind::Passwords).await;
        let on = |settings: &mut store::connections::Provisioning| settings.password_sync = true;
        setup::directory::set_provisioning(&app.store, now, customer.connection, on).await.unwrap();
        customer
    }

    /// Pushes a user with a password.
    pub async fn assign_with_password(&self, user: &DirectoryUser, password: &str) -> String {
        let name = serde_json::json!({ "givenName": user.first_name, "familyName": user.last_name });
        let document = serde_json::json!({
            "userName": user.user_name, "externalId": user.id, "active": true, "password": password, "name": name,
            "emails": [{ "value": user.email, "primary": true }],
        });
        self.scim(Method::POST, "/Users", Some(document)).await.document(201)["id"].as_str().unwrap().to_owned()
    }

    /// Has nobody asked however many of its people go at once.
    pub async fn lets_everybody_go(&self) {
        let (store, now) = (&self.gateway.app.store, self.gateway.clock.now());
        let never = |wishes: &mut store::tenants::Wishes| wishes.mass_change_percent = 0;
        setup::people::wish(store, now, self.tenant, never).await.unwrap();
    }

    /// One more connection of the same tenant, to that application.
    pub async fn sibling(&self, application: &Application) -> Self {
        let (tenant, slug, domain) = (self.tenant, self.slug.clone(), self.domain.clone());
        Self::connected(&self.gateway, application.clone(), tenant, (slug, domain), &unique("Okta"), Kind::Okta).await
    }

    /// The same in shadow.
    pub async fn shadow(&self, application: &Application) -> Self {
        let (tenant, slug, domain) = (self.tenant, self.slug.clone(), self.domain.clone());
        Self::connected(&self.gateway, application.clone(), tenant, (slug, domain), &unique("Okta"), Kind::Shadow).await
    }

    async fn connected(
        gateway: &Arc<Gateway>,
        application: Application,
        tenant: TenantId,
        (slug, domain): (String, String),
        name: &str,
        kind: Kind,
    ) -> Self {
        let (app, now) = (&gateway.app, gateway.clock.now());
        let client = application.client_id.parse().unwrap();
        let connection = setup::create_connection(&app.store, now, &app.vault, tenant, client, name).await.unwrap();
        let idp = identity_provider(&gateway.clock).await;
        let provider = IdentityProvider::from_metadata(&idp.metadata()).unwrap();
        if kind == Kind::Shadow {
            setup::shadow::begin(&app.store, now, connection).await.unwrap();
        }
        if kind != Kind::Passwords {
            setup::idp::set(&app.store, now, connection, &provider).await.unwrap();
        }
        let (token_id, token) =
            setup::directory::create_token(&app.store, now, connection, TokenSpec::default()).await.unwrap();
        let token = token.reveal().to_owned();
        let http = reqwest::Client::new();
        let gateway = Arc::clone(gateway);
        let customer = Self { gateway, application, tenant, slug, domain, connection, token_id, token, idp, http };
        let metadata = customer.http.get(customer.url("/saml/metadata")).send().await.unwrap().text().await.unwrap();
        customer.idp.trust(&metadata).unwrap();
        customer
    }

    /// An address of this customer's connection.
    pub fn url(&self, rest: &str) -> String {
        format!("{}/c/{}{rest}", self.gateway.url, self.connection)
    }

    /// The base URL to paste into Okta.
    pub fn scim_base(&self) -> String {
        self.url("/scim/v2")
    }

    /// Okta's provisioning of this connection.
    pub fn okta(&self, style: Style) -> Okta {
        Okta::new(&self.scim_base(), &self.token, style).unwrap()
    }

    /// A user of this customer's directory; the address is in its domain.
    pub fn user(&self, name: &str) -> DirectoryUser {
        DirectoryUser::new(&format!("{name}@{}", self.domain), name, "Tester")
    }

    /// Puts a user into the identity provider and provisions it; answers the account's id.
    pub async fn assign(&self, user: &DirectoryUser) -> String {
        self.idp.add_user(user.clone());
        self.okta(Style::Custom).push_user(user).await.unwrap()
    }

    /// Has a gateway tell this customer's application of logouts that are due.
    pub async fn hears_of_logouts(&self, gateway: &Gateway) {
        backchannel::round(&gateway.app, self.application.client_id.parse().unwrap()).await.unwrap();
    }

    /// A SCIM request with this customer's token.
    pub async fn scim(&self, method: Method, path: &str, body: Option<Value>) -> ScimAnswer {
        self.scim_as(&self.token, method, path, body).await
    }

    /// A SCIM request with another token.
    pub async fn scim_as(&self, token: &str, method: Method, path: &str, body: Option<Value>) -> ScimAnswer {
        let mut request = self.http.request(method, format!("{}{path}", self.scim_base())).bearer_auth(token);
        if let Some(body) = body {
            request = request.header("content-type", "application/scim+json").body(body.to_string());
        }
        ScimAnswer::read(request.send().await.unwrap()).await
    }

    /// A SCIM request with the headers that Okta sends, body and query as they stand.
    pub async fn okta_sends(&self, method: Method, path: &str, body: Option<&str>) -> ScimAnswer {
        let authorization = format!("Bearer {}", self.token);
        let headers = [
            ("accept", "application/scim+json"),
            ("accept-charset", "utf-8"),
            ("accept-encoding", "gzip,deflate"),
            ("authorization", authorization.as_str()),
            ("connection", "close"),
            ("content-type", "application/scim+json; charset=utf-8"),
        ];
        let sent = headers.len() - usize::from(body.is_none());
        self.sends(method, path, &headers[..sent], body.unwrap_or_default()).await
    }

    /// A SCIM request with these headers and no others of ours.
    pub async fn sends(&self, method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> ScimAnswer {
        let request = self.http.request(method, format!("{}{path}", self.scim_base())).body(body.to_owned());
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        ScimAnswer::read(request.send().await.unwrap()).await
    }

    /// What the connection's outbox says of one kind, oldest first: there is no other way to read it yet.
    pub async fn events(&self, kind: &str) -> Vec<Value> {
        let query =
            "SELECT jsonb_build_object('subject', subject, 'subject_id', subject_id, 'actor', actor, 'data', data)
                     FROM events WHERE connection_id = $1 AND kind = $2 ORDER BY xid, position";
        let mut database = superuser().await;
        let events = sqlx::query_scalar(query).bind(self.connection.0).bind(kind).fetch_all(&mut database).await;
        database.close().await.unwrap();
        events.unwrap()
    }
}

/// The test database with all rights, for what no front door shows.
pub async fn superuser() -> PgConnection {
    let owner: PgConnectOptions = setting("GATEHOUSE__DATABASE__OWNER_URL").parse().unwrap();
    let options: PgConnectOptions = setting("GATEHOUSE_TEST_SUPERUSER_URL").parse().unwrap();
    options.database(owner.get_database().unwrap()).connect().await.unwrap()
}

/// Returns when so many other transactions wait for this one, directly or behind each other.
pub async fn until_waiting(transaction: &mut PgConnection, count: i64) {
    let query = "WITH RECURSIVE waiting AS (
            SELECT pid FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid))
            UNION SELECT l.pid FROM pg_locks l JOIN waiting w ON w.pid = ANY (pg_blocking_pids(l.pid)) WHERE NOT l.granted
        ) SELECT count(*) FROM waiting";
    let patience = Instant::now() + Duration::from_secs(20);
    loop {
        let waiting: i64 = sqlx::query_scalar(query).fetch_one(&mut *transaction).await.unwrap();
        if waiting >= count {
            return;
        }
        assert!(Instant::now() < patience, "{waiting} of {count} wait");
        tokio::task::yield_now().await;
    }
}

impl ScimAnswer {
    /// The document of an answer with that status, and with SCIM's media type to the letter.
    #[track_caller]
    pub fn document(self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.body);
        let media_type = if status == 204 { "" } else { "application/scim+json" };
        assert_eq!(self.content_type, media_type, "{}", self.body);
        self.body
    }

    pub async fn read(response: reqwest::Response) -> Self {
        let (status, headers) = (response.status(), response.headers().clone());
        let content_type = headers.get("content-type").map_or("", |value| value.to_str().unwrap()).to_owned();
        let text = response.text().await.unwrap();
        let body =
            if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap_or(Value::String(text)) };
        Self { status, content_type, headers, body }
    }
}

async fn identity_provider(clock: &Clock) -> Idp {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let clock = clock.clone();
    let options = IdpOptions { clock: Arc::new(move || clock.now()), ..IdpOptions::default() };
    Idp::start(listener, options).await.unwrap()
}

//! Nobody reaches what is another's: the router's own table is walked with real ids of the other side, and so is the
//! database's catalogue.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use gateway::{
    clock::Clock,
    config::Config,
    router::{self, Access},
    saml::settings::{Settings, UniversalLogout},
    setup::{
        directory::{self, TokenSpec},
        sign_in as sign_in_settings,
    },
};
use harness::{
    browser::Browser,
    customer::{Customer, ScimAnswer, superuser},
    gateway_process::{Gateway, setting, unique},
    sign_in::{CHALLENGE, TokenAnswer, VERIFIER, code_of, parameter},
    signer::OktaOrg,
};
use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};
use simulator::directory::DirectoryUser;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection, postgres::PgConnectOptions};
use std::{collections::BTreeSet, sync::Arc};
use store::scim_tokens::TokenKind;

/// What answers anybody. A route that is not here needs a credential.
const PUBLIC: [(&str, &str, Access); 27] = [
    ("get", "/", Access::Public),
    ("get", "/login", Access::Public),
    ("post", "/login", Access::Public),
    // The code in the address is the credential; it is looked up in the tenant that it names.
    ("get", "/invite/{code}", Access::Public),
    ("post", "/invite/{code}", Access::Public),
    ("get", "/brand/{client_id}/logo", Access::Public),
    ("get", "/t/{slug}", Access::Public),
    ("get", "/c/{cid}", Access::Public),
    ("get", "/c/{cid}/saml/metadata", Access::Public),
    ("get", "/c/{cid}/saml/certificate", Access::Public),
    ("get", "/c/{cid}/saml/login", Access::Public),
    ("get", "/c/{cid}/saml/restart", Access::Public),
    ("post", "/c/{cid}/saml/acs", Access::PublicCrossSite),
    ("post", "/saml2/idpresponse", Access::PublicCrossSite),
    ("get", "/c/{cid}/saml/slo", Access::Public),
    ("post", "/c/{cid}/saml/slo", Access::PublicCrossSite),
    ("get", "/c/{cid}/saml/logout", Access::Public),
    ("post", "/c/{cid}/saml/logout", Access::Public),
    ("get", "/.well-known/openid-configuration", Access::Public),
    ("get", "/.well-known/oauth-authorization-server", Access::Public),
    ("get", "/oauth2/jwks", Access::Public),
    ("get", "/oauth2/authorize", Access::Public),
    ("post", "/oauth2/authorize", Access::PublicCrossSite),
    ("get", "/oauth2/logout", Access::Public),
    ("post", "/oauth2/logout", Access::PublicCrossSite),
    ("post", "/oauth2/logout/confirm", Access::Public),
    ("get", "/logout", Access::Public),
];

/// How to call a route of the SCIM server: method, route, address, body, and the status that the owner gets.
/// USER and GROUP are ids, MINE is a name with the owner's canary in it.
const SCIM: [(&str, &str, &str, &str, u16); 25] = [
    ("get", "/ServiceProviderConfig", "/ServiceProviderConfig", "", 200),
    ("get", "/ResourceTypes", "/ResourceTypes", "", 200),
    ("get", "/ResourceTypes/{id}", "/ResourceTypes/User", "", 200),
    ("get", "/Schemas", "/Schemas", "", 200),
    ("get", "/Schemas/{id}", "/Schemas/urn:ietf:params:scim:schemas:core:2.0:User", "", 200),
    ("get", "/Me", "/Me", "", 501),
    ("get", "", "?count=500", "", 200),
    ("post", "/.search", "/.search", r#"{"count":500}"#, 200),
    (
        "post",
        "/Bulk",
        "/Bulk",
        r#"{"Operations":[{"method":"PATCH","path":"/Users/USER","data":{"Operations":[{"op":"replace","value":{"active":false}}]}},{"method":"DELETE","path":"/Groups/GROUP"}]}"#,
        200,
    ),
    ("get", "/Roles", "/Roles", "", 200),
    ("get", "/Roles/{id}", "/Roles/ANALYST", "", 200),
    ("get", "/Users", "/Users?count=500", "", 200),
    ("post", "/Users", "/Users", r#"{"userName":"MINE"}"#, 201),
    ("post", "/Users/.search", "/Users/.search", r#"{"filter":"id eq \"USER\""}"#, 200),
    ("get", "/Users/{id}", "/Users/USER", "", 200),
    ("put", "/Users/{id}", "/Users/USER", r#"{"userName":"MINE","title":"x"}"#, 200),
    ("patch", "/Users/{id}", "/Users/USER", r#"{"Operations":[{"op":"replace","value":{"active":false}}]}"#, 200),
    ("delete", "/Users/{id}", "/Users/USER", "", 204),
    ("get", "/Groups", "/Groups?count=500", "", 200),
    ("post", "/Groups", "/Groups", r#"{"displayName":"MINE","members":[{"value":"USER"}]}"#, 201),
    ("post", "/Groups/.search", "/Groups/.search", r#"{"filter":"members eq \"USER\""}"#, 200),
    ("get", "/Groups/{id}", "/Groups/GROUP", "", 200),
    ("put", "/Groups/{id}", "/Groups/GROUP", r#"{"displayName":"MINE","members":[]}"#, 200),
    ("patch", "/Groups/{id}", "/Groups/GROUP", r#"{"Operations":[{"op":"remove","path":"members"}]}"#, 200),
    ("delete", "/Groups/{id}", "/Groups/GROUP", "", 204),
];

/// How a route is called, by whom it should not be and by its owner.
#[derive(Clone, Copy)]
enum Way {
    Scim { method: &'static str, path: &'static str, body: &'static str, status: u16 },
    ScimClient,
    Token,
    Introspect,
    Revoke,
    UserInfo { method: &'static str },
    Finish,
    Par,
    Password { method: &'static str },
    BreakGlass { method: &'static str },
    UniversalLogout,
}

/// How to call a route that is not public.
fn way(method: &str, path: &str) -> Result<Way, String> {
    if let Some(path) = path.strip_prefix("/c/{cid}/scim/v2") {
        let row = SCIM.into_iter().find(|row| (row.0, row.1) == (method, path));
        let way = row.map(|(method, _, path, body, status)| Way::Scim { method, path, body, status });
        return way.ok_or_else(|| unknown(method, path));
    }
    match (method, path) {
        ("post", "/c/{cid}/oauth2/token") => Ok(Way::ScimClient),
        ("post", "/oauth2/token") => Ok(Way::Token),
        ("post", "/oauth2/introspect") => Ok(Way::Introspect),
        ("post", "/oauth2/revoke") => Ok(Way::Revoke),
        ("get", "/oauth2/userInfo") => Ok(Way::UserInfo { method: "get" }),
        ("post", "/oauth2/userInfo") => Ok(Way::UserInfo { method: "post" }),
        ("get", "/c/{cid}/saml/finish") => Ok(Way::Finish),
        ("post", "/oauth2/par") => Ok(Way::Par),
        ("get", "/c/{cid}/password") => Ok(Way::Password { method: "get" }),
        ("post", "/c/{cid}/password") => Ok(Way::Password { method: "post" }),
        ("get", "/c/{cid}/break-glass") => Ok(Way::BreakGlass { method: "get" }),
        ("post", "/c/{cid}/break-glass") => Ok(Way::BreakGlass { method: "post" }),
        ("post", "/c/{cid}/global-token-revocation") => Ok(Way::UniversalLogout),
        _ => Err(unknown(method, path)),
    }
}

fn unknown(method: &str, path: &str) -> String {
    format!(
        "{method} {path} is a new route: say in tests/it/isolation.rs how one tenant calls it with another's ids, or that it is public."
    )
}

/// One side: a connection with a user who is signed in, all of whose names have a canary in them.
struct Party {
    customer: Customer,
    user: DirectoryUser,
    canary: String,
    browser: Browser,
    /// The secret of the browser's session.
    session: String,
    tokens: TokenAnswer,
}

impl Party {
    async fn new(customer: Customer) -> Self {
        let canary = unique("canary");
        let user = customer.user(&canary);
        customer.assign(&user).await;
        let browser = Browser::new();
        let (code, session) = sign_in(&customer, &user, &browser).await;
        let tokens = customer.redeem(&code).await;
        assert!(tokens.status.is_success(), "{}", tokens.body);
        Self { customer, user, canary, browser, session, tokens }
    }

    /// A code that nobody has used.
    async fn code(&self) -> String {
        sign_in(&self.customer, &self.user, &Browser::new()).await.0
    }

    /// Tokens that no other test of a route has spent.
    async fn fresh_tokens(&self) -> TokenAnswer {
        let tokens = self.customer.redeem(&self.code().await).await;
        assert!(tokens.status.is_success(), "{}", tokens.body);
        tokens
    }

    async fn scim(&self, token: Option<&str>, method: &str, path: &str, body: &str) -> ScimAnswer {
        let authorization = token.map(|token| format!("Bearer {token}"));
        let mut headers = vec![("content-type", "application/scim+json")];
        headers.extend(authorization.as_deref().map(|value| ("authorization", value)));
        let method = method.to_uppercase().parse().unwrap();
        self.customer.sends(method, path, &headers, body).await
    }

    async fn oauth(&self, path: &str, form: &[(&str, &str)]) -> TokenAnswer {
        self.customer.post_as(&self.customer.application, path, form).await
    }

    fn same_application(&self, other: &Self) -> bool {
        self.customer.application.client_id == other.customer.application.client_id
    }

    /// The other's secret as if it had been issued in this tenant; none where that would be the secret itself.
    fn claims(&self, secret: &str) -> Option<String> {
        let (prefix, encoded) = secret.split_once('_').unwrap();
        let mut bytes = URL_SAFE_NO_PAD.decode(encoded).unwrap();
        let tenant = self.customer.tenant.0.into_bytes();
        if bytes[..16] == tenant {
            return None;
        }
        bytes[..16].copy_from_slice(&tenant);
        Some(format!("{prefix}_{}", URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// What this side's application may try with a secret of the other: the secret itself unless it is the same
    /// application's, and the secret with this tenant's name on it.
    fn tries(&self, other: &Self, secret: &str) -> Vec<String> {
        let itself = (!self.same_application(other)).then(|| secret.to_owned());
        itself.into_iter().chain(self.claims(secret)).collect()
    }

    #[track_caller]
    fn is_not_in(&self, what: &str, text: &str) {
        assert!(!text.contains(&self.canary), "{what} shows the other side: {text}");
    }
}

/// Signs in through exactly this connection; answers the code and the session's secret.
async fn sign_in(customer: &Customer, user: &DirectoryUser, browser: &Browser) -> (String, String) {
    let page = browser.get(&ticket(customer, user, browser).await).await;
    let name = session_cookie(customer);
    let cookie = page.cookies().into_iter().find_map(|cookie| cookie.strip_prefix(&format!("{name}=")));
    let secret = cookie.unwrap_or_else(|| panic!("no {name} in {:?}", page.cookies())).split(';').next();
    (code_of(page.redirect()), secret.unwrap().to_owned())
}

fn session_cookie(customer: &Customer) -> String {
    format!("gatehouse_session_{}", customer.connection.0.simple())
}

async fn ticket(customer: &Customer, user: &DirectoryUser, browser: &Browser) -> String {
    let connection = customer.connection.to_string();
    let page =
        browser.get(&customer.authorize_url(&[("connection", Some(&connection)), ("prompt", Some("login"))])).await;
    let posted = customer.idp.sign_in(page.redirect(), &user.email).await.unwrap();
    customer.post_response(browser, &posted.saml_response).await.redirect().to_owned()
}

/// Every pair of strangers: what is between them, this side, the other side.
async fn pairs(gateway: &Arc<Gateway>) -> Vec<(&'static str, Party, Party)> {
    let other = gateway.application("https://other.test/callback", |_| {}).await;
    let a = Customer::of(gateway).await;
    let (connection, application) = (a.sibling(&a.application).await, a.sibling(&other).await);
    let pairs = [
        ("tenants of one application", Customer::of(gateway).await, Customer::of(gateway).await),
        ("tenants of two applications", Customer::of(gateway).await, Customer::entering(gateway, other).await),
        ("connections of one tenant", a.sibling(&a.application).await, connection),
        ("applications of one tenant", a, application),
    ];
    let mut parties = Vec::new();
    for (between, mine, other) in pairs {
        parties.push((between, Party::new(mine).await, Party::new(other).await));
    }
    parties
}

#[tokio::test]
async fn no_route_shows_or_changes_what_is_anothers() {
    let local = |config: &mut Config| config.outbound.private_networks = vec!["127.0.0.0/8".parse().unwrap()];
    let gateway = Gateway::start_with(Clock::manual(), local).await;
    let mut tried = BTreeSet::new();
    let routes: Vec<_> = router::routes().into_iter().filter(|route| !is_public(route.access)).collect();
    for (between, a, b) in pairs(&gateway).await {
        for route in &routes {
            let way = way(route.method, route.path).unwrap_or_else(|sentence| panic!("{sentence}"));
            println!("{between}: {} {}", route.method, route.path);
            for (mine, other) in [(&a, &b), (&b, &a)] {
                if tries(way, mine, other).await > 0 {
                    tried.insert((route.method, route.path));
                }
            }
        }
    }
    let untried = routes.iter().find(|route| !tried.contains(&(route.method, route.path)));
    assert!(untried.is_none(), "no pair tried {untried:?}");
}

/// Calls a route with `a`'s credentials for what is `b`'s, then as `b`; answers how often `a` tried.
async fn tries(way: Way, a: &Party, b: &Party) -> usize {
    match way {
        Way::Scim { method, path, body, status } => scim(a, b, method, path, body, status).await,
        Way::ScimClient => scim_client(a, b).await,
        Way::Token => token(a, b).await,
        Way::Introspect => introspect(a, b).await,
        Way::Revoke => revoke(a, b).await,
        Way::UserInfo { method } => user_info(a, b, method).await,
        Way::Finish => finish(a, b).await,
        Way::Par => par(a, b).await,
        Way::Password { method } => password(a, b, method).await,
        Way::BreakGlass { method } => break_glass(a, b, method).await,
        Way::UniversalLogout => universal_logout(a, b).await,
    }
}

async fn scim(a: &Party, b: &Party, method: &str, path: &str, body: &str, status: u16) -> usize {
    let (own, mine) = (Some(b.customer.token.as_str()), format!("{}-{}", b.canary, unique("new")));
    let create = async |resource: &str, body: Value| {
        let created = b.scim(own, "post", resource, &body.to_string()).await.document(201);
        created["id"].as_str().unwrap().to_owned()
    };
    let user = create("/Users", json!({ "userName": format!("{}-{}", b.canary, unique("user")) })).await;
    let name = format!("{}-{}", b.canary, unique("group"));
    let group = create("/Groups", json!({ "displayName": name, "members": [{ "value": user }] })).await;
    let filled = |text: &str| text.replace("USER", &user).replace("GROUP", &group).replace("MINE", &mine);
    let (filled_path, filled_body) = (filled(path), filled(body));
    let state = async || {
        let (user, group) = (format!("/Users/{user}"), format!("/Groups/{group}"));
        (b.scim(own, "get", &user, "").await.document(200), b.scim(own, "get", &group, "").await.document(200))
    };
    let before = state().await;

    let strangers = [None, Some(a.customer.token.as_str()), Some(a.tokens.text("access_token"))];
    for token in strangers {
        let answer = b.scim(token, method, &filled_path, &filled_body).await;
        assert_eq!(answer.status, 401, "{method} {path}: {}", answer.body);
        b.is_not_in(path, &answer.body.to_string());
    }
    let mut count = strangers.len();
    let at_home = Some(a.customer.token.as_str());
    if path.contains("/USER") || path.contains("/GROUP") {
        let answer = a.scim(at_home, method, &filled_path, &filled_body).await;
        assert_eq!(answer.status, 404, "{method} {path}: {}", answer.body);
        b.is_not_in(path, &answer.body.to_string());
        count += 1;
    } else if method == "get" {
        let name = before.0["userName"].as_str().unwrap();
        let answers = [
            a.scim(at_home, method, &filled_path, "").await,
            a.scim(at_home, method, &format!("/Users?filter=userName%20eq%20%22{name}%22"), "").await,
            a.scim(at_home, method, &format!("/Groups?filter=id%20eq%20%22{group}%22"), "").await,
        ];
        answers.iter().for_each(|answer| b.is_not_in(path, &answer.body.to_string()));
        count += answers.len();
    } else if path.ends_with("/.search") || path == "/Bulk" {
        let answer = a.scim(at_home, method, path, &filled_body).await.document(200);
        b.is_not_in(path, &answer.to_string());
        for operation in answer["Operations"].as_array().into_iter().flatten() {
            assert_eq!(operation["status"], "404", "{operation}");
        }
        count += 1;
    }
    assert_eq!(state().await, before, "{method} {path} by a stranger changed something");

    let answer = b.scim(own, method, &filled_path, &filled_body).await;
    assert_eq!(answer.status, status, "{method} {path} by the owner: {}", answer.body);
    let shows = (path.starts_with("/Users") || path.starts_with("/Groups")) && status != 204;
    assert!(!shows || answer.body.to_string().contains(&b.canary), "the owner's answer has no canary: {}", answer.body);
    count
}

/// A client of the other connection gets no token here, and its token opens nothing.
async fn scim_client(a: &Party, b: &Party) -> usize {
    let spec = TokenSpec { kind: TokenKind::Client, ..TokenSpec::default() };
    let (store, now) = (&b.customer.gateway.app.store, b.customer.gateway.clock.now());
    let mut clients = Vec::new();
    for party in [a, b] {
        let (id, secret) = directory::create_token(store, now, party.customer.connection, spec).await.unwrap();
        clients.push((id.to_string(), secret.reveal().to_owned()));
    }
    let ask = async |party: &Party, id: &str, secret: &str| {
        let form = [("grant_type", "client_credentials"), ("client_id", id), ("client_secret", secret)];
        party.customer.post_form("/oauth2/token", &form).await
    };
    let ((a_id, a_secret), (b_id, b_secret)) = (&clients[0], &clients[1]);
    for (id, secret) in [(a_id, a_secret), (b_id, a_secret), (a_id, b_secret)] {
        let answer = ask(b, id, secret).await;
        assert_eq!(answer.status, 401, "{}", answer.body);
    }
    let own = ask(b, b_id, b_secret).await;
    assert_eq!(own.status, 200, "{}", own.body);
    let token = own.text("access_token");
    b.scim(Some(token), "get", "/Users", "").await.document(200);
    assert_eq!(a.scim(Some(token), "get", "/Users", "").await.status, 401);
    4
}

async fn token(a: &Party, b: &Party) -> usize {
    let (code, refresh_token) = (b.code().await, b.fresh_tokens().await.text("refresh_token").to_owned());
    let mut count = 0;
    for code in a.tries(b, &code) {
        for party in [a, b] {
            let redirect_uri = party.customer.application.redirect_uri.as_str();
            let form = [
                ("grant_type", "authorization_code"),
                ("code", &code),
                ("redirect_uri", redirect_uri),
                ("code_verifier", VERIFIER),
            ];
            refused(b, &a.oauth("/oauth2/token", &form).await);
            count += 1;
        }
    }
    for token in a.tries(b, &refresh_token) {
        let form = [("grant_type", "refresh_token"), ("refresh_token", token.as_str())];
        refused(b, &a.oauth("/oauth2/token", &form).await);
        count += 1;
    }
    if !a.same_application(b) {
        let mut mixed = b.customer.application.clone();
        mixed.client_secret.clone_from(&a.customer.application.client_secret);
        let form = [("grant_type", "refresh_token"), ("refresh_token", refresh_token.as_str())];
        refused(b, &a.customer.post_as(&mixed, "/oauth2/token", &form).await);
        count += 1;
    }
    let redeemed = b.customer.redeem(&code).await;
    assert_eq!(redeemed.status, 200, "the owner's code still works: {}", redeemed.body);
    let refreshed = b.customer.refresh(&refresh_token).await;
    assert_eq!(refreshed.status, 200, "the owner's refresh token still works: {}", refreshed.body);
    assert_eq!(refreshed.id_claims()["tenant_id"], json!(b.customer.tenant));
    count
}

#[track_caller]
fn refused(b: &Party, answer: &TokenAnswer) {
    assert!(matches!(answer.status.as_u16(), 400 | 401), "{} {}", answer.status, answer.body);
    assert!(answer.body["error"].is_string(), "{}", answer.body);
    b.is_not_in("the token endpoint", &answer.body.to_string());
}

/// B's tokens as A may present them: as they are, relabelled, and with a signature of A's.
fn strange_tokens(a: &Party, b: &Party, access: &str, refresh: &str) -> Vec<String> {
    let mut strange = a.tries(b, refresh);
    strange.extend((!a.same_application(b)).then(|| access.to_owned()));
    strange.push(with_payload_of(a.tokens.text("access_token"), access));
    strange
}

async fn introspect(a: &Party, b: &Party) -> usize {
    let tokens = b.fresh_tokens().await;
    let (access, refresh) = (tokens.text("access_token"), tokens.text("refresh_token"));
    let strange = strange_tokens(a, b, access, refresh);
    for token in &strange {
        let answer = a.oauth("/oauth2/introspect", &[("token", token)]).await;
        assert_eq!((answer.status.as_u16(), &answer.body), (200, &json!({ "active": false })));
    }
    for token in [access, refresh] {
        assert!(b.customer.is_active(token).await, "the owner's is");
    }
    let own = b.oauth("/oauth2/introspect", &[("token", access)]).await;
    assert_eq!(own.body["tenant_id"], json!(b.customer.tenant));
    strange.len()
}

/// What one application sent ahead, another cannot use; organizations have no part in it.
async fn par(a: &Party, b: &Party) -> usize {
    if a.same_application(b) {
        return 0;
    }
    let application = &b.customer.application;
    let form = [
        ("response_type", "code"),
        ("redirect_uri", &application.redirect_uri),
        ("scope", "openid"),
        ("state", &b.canary),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    let pushed = b.oauth("/oauth2/par", &form).await;
    assert_eq!(pushed.status.as_u16(), 201, "{}", pushed.body);
    let reference = pushed.text("request_uri");
    let url = |party: &Party| {
        let client = &party.customer.application.client_id;
        format!("{}/oauth2/authorize?client_id={client}&request_uri={reference}", party.customer.gateway.url)
    };
    let refused = a.browser.get(&url(a)).await;
    assert_eq!(refused.status.as_u16(), 400, "{}", refused.text);
    b.is_not_in("a request sent ahead", &refused.text);
    let own = Browser::new().get(&url(b)).await;
    assert_eq!(own.status.as_u16(), 200, "the owner's leads on: {}", own.text);
    1
}

/// The identity provider of one connection ends nothing in another, whomever it names.
async fn universal_logout(a: &Party, b: &Party) -> usize {
    let (mine, theirs) = (heeded(a).await, heeded(b).await);
    // Somebody of the other side whose end no other route minds.
    let user = b.customer.user(&format!("{}-{}", b.canary, unique("user")));
    b.customer.assign(&user).await;
    let (code, _) = sign_in(&b.customer, &user, &Browser::new()).await;
    let tokens = b.customer.redeem(&code).await;
    let email = json!({ "format": "email", "email": user.email });
    let by_id = json!({ "format": "iss_sub", "iss": mine.issuer, "sub": user.id });
    for subject in [&email, &by_id] {
        // Its own token at its own address, naming the other's user; and its token at the other's address.
        let own = mine.calls(&a.customer, &mine.token(&a.customer), subject.clone()).await;
        if a.customer.tenant != b.customer.tenant {
            assert_eq!(own.status.as_u16(), 404, "{}", own.body);
        }
        let forged = mine.calls(&b.customer, &mine.token(&b.customer), subject.clone()).await;
        assert_eq!(forged.status.as_u16(), 401, "{}", forged.body);
        b.is_not_in("Universal Logout", &format!("{} {}", own.body, forged.body));
    }
    assert!(b.customer.is_active(tokens.text("access_token")).await, "nothing has ended");
    let done = theirs.calls(&b.customer, &theirs.token(&b.customer), email).await;
    assert_eq!(done.status.as_u16(), 204, "{}", done.body);
    assert!(!b.customer.is_active(tokens.text("access_token")).await, "the owner's ends it");
    4
}

/// A code for when the identity provider cannot be asked opens the connection of its account and no other.
async fn break_glass(a: &Party, b: &Party, method: &str) -> usize {
    let url = |party: &Party| party.customer.url("/break-glass");
    if method == "get" {
        // The form is for everybody, and says nothing of anybody.
        let page = Browser::new().get(&url(b)).await;
        assert_eq!(page.status, 200);
        assert!(!page.text.contains(&b.canary), "{}", page.text);
        return 1;
    }
    let (store, now) = (&b.customer.gateway.app.store, b.customer.gateway.clock.now());
    let user = b.customer.user(&unique("glass"));
    let account = b.customer.assign(&user).await.parse().unwrap();
    let codes = gateway::setup::break_glass::create(store, now, b.customer.connection, account).await.unwrap();
    let form = [("email", user.email.as_str()), ("code", codes[0].as_str())];
    let refused = Browser::new().post(&url(a), &form).await;
    assert!(refused.status == 200 && refused.text.contains("do not belong together"), "{}", refused.text);
    let entered = Browser::new().post(&url(b), &form).await;
    assert!(entered.status.is_redirection() || !entered.text.contains("do not belong together"), "{}", entered.text);
    2
}

/// A sign-in by password belongs to the browser that began it, and to its connection.
async fn password(a: &Party, b: &Party, method: &str) -> usize {
    let gateway = &b.customer.gateway;
    let [mine, theirs] = [a, b].map(|party| Customer::with_passwords(gateway, party.customer.application.clone()));
    let (mine, theirs) = (mine.await, theirs.await);
    let user = theirs.user(&format!("{}-{}", b.canary, unique("user")));
    theirs.assign_with_password(&user, "correct horse").await;
    let begin = async |customer: &Customer, browser: &Browser| {
        let page = browser.get(&customer.url("/saml/login")).await;
        parameter(page.redirect(), "request").unwrap()
    };
    let (stranger, owner) = (Browser::new(), Browser::new());
    let (strange, own) = (begin(&mine, &stranger).await, begin(&theirs, &owner).await);
    let call = async |browser: &Browser, request: &str| match method {
        "get" => browser.get(&format!("{}?request={request}", theirs.url("/password"))).await,
        _ => {
            let form = [("request", request), ("email", user.email.as_str()), ("password", "correct horse")];
            browser.post(&theirs.url("/password"), &form).await
        }
    };
    for (browser, request) in [(&stranger, &own), (&stranger, &strange), (&owner, &strange)] {
        let page = call(browser, request).await;
        assert!(page.location.is_none() && page.text.contains("took too long"), "{}", page.shown());
        assert!(!page.cookies().iter().any(|cookie| cookie.contains("session_")), "{:?}", page.cookies());
    }
    let page = call(&owner, &own).await;
    match method {
        "get" => assert!(page.text.contains(&own), "{}", page.shown()),
        _ => assert!(page.cookies().iter().any(|cookie| cookie.contains("session_")), "{}", page.shown()),
    }
    3
}

/// An organization whose calls the party's connection heeds.
async fn heeded(party: &Party) -> OktaOrg {
    let org = OktaOrg::start().await;
    let (app, now) = (&party.customer.gateway.app, party.customer.gateway.clock.now());
    let wanted = UniversalLogout { issuer: org.issuer.clone(), jwks_url: None, subject: None };
    let change = |settings: &mut Settings, _: &mut bool| settings.universal_logout = Some(wanted);
    sign_in_settings::set(&app.store, now, party.customer.connection, change).await.unwrap();
    org
}

async fn revoke(a: &Party, b: &Party) -> usize {
    let tokens = b.fresh_tokens().await;
    let (access, refresh) = (tokens.text("access_token"), tokens.text("refresh_token"));
    let strange = strange_tokens(a, b, access, refresh);
    for token in &strange {
        // RFC 7009 2.2: a token that is not the client's own is answered as one that is gone.
        let answer = a.oauth("/oauth2/revoke", &[("token", token)]).await;
        assert!(matches!(answer.status.as_u16(), 200 | 400 | 401), "{} {}", answer.status, answer.body);
        b.is_not_in("revocation", &answer.body.to_string());
    }
    for token in [access, refresh] {
        assert!(b.customer.is_active(token).await, "what a stranger revoked stands");
    }
    assert_eq!(b.oauth("/oauth2/revoke", &[("token", refresh)]).await.status, 200);
    for token in [access, refresh] {
        assert!(!b.customer.is_active(token).await, "what its owner revoked does not");
    }
    strange.len()
}

/// A token of this side that says what the other's says.
fn with_payload_of(own: &str, other: &str) -> String {
    let mut parts: Vec<&str> = own.split('.').collect();
    parts[1] = other.split('.').nth(1).unwrap();
    parts.join(".")
}

async fn user_info(a: &Party, b: &Party, method: &str) -> usize {
    let tokens = b.fresh_tokens().await;
    let code = b.code().await;
    let ask = async |token: &str| {
        let method = method.to_uppercase().parse().unwrap();
        let request = Client::new().request(method, format!("{}/oauth2/userInfo", b.customer.gateway.url));
        ScimAnswer::read(request.bearer_auth(token).send().await.unwrap()).await
    };
    let forged = with_payload_of(a.tokens.text("access_token"), tokens.text("access_token"));
    let strange = [forged.as_str(), tokens.text("refresh_token"), tokens.text("id_token"), &code, &a.customer.token];
    for token in strange {
        let answer = ask(token).await;
        assert_eq!(answer.status, 401, "{}", answer.body);
        b.is_not_in("userInfo", &answer.body.to_string());
    }
    for (party, other, tokens) in [(a, b, &a.tokens), (b, a, &tokens)] {
        let answer = ask(tokens.text("access_token")).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert!(answer.body.to_string().contains(&party.canary), "{}", answer.body);
        other.is_not_in("userInfo", &answer.body.to_string());
    }
    strange.len()
}

async fn finish(a: &Party, b: &Party) -> usize {
    let (here, there) = (a.customer.connection.to_string(), b.customer.connection.to_string());
    let browser = Browser::new();
    let ticket = ticket(&b.customer, &b.user, &browser).await;
    let moved = ticket.replace(&there, &here);
    assert_ne!(moved, ticket);
    let page = browser.get(&moved).await;
    assert!(matches!(page.status.as_u16(), 401 | 403 | 404), "the ticket at another connection: {}", page.status);
    b.is_not_in("finish", &page.text);
    let page = browser.get(&ticket).await;
    assert!(page.status.is_redirection(), "the owner at his own: {} {}", page.status, page.text);

    let ticket = self::ticket(&b.customer, &b.user, &browser).await;
    let page = a.browser.get(&ticket).await;
    assert!(matches!(page.status.as_u16(), 401 | 403 | 404), "another's browser: {}", page.status);
    b.is_not_in("finish", &page.text);
    assert_eq!(page.cookies(), Vec::<&str>::new(), "no session begins");
    2
}

#[tokio::test]
async fn a_session_opens_no_other_connection() {
    let gateway = Gateway::start().await;
    for (between, a, b) in pairs(&gateway).await {
        for (mine, other) in [(&a, &b), (&b, &a)] {
            let at = |party: &Party| {
                let connection = party.customer.connection.to_string();
                party.customer.authorize_url(&[("connection", Some(&connection)), ("prompt", Some("none"))])
            };
            // The secret itself under the other's name, too: a browser keeps what it is told.
            let stolen = format!("{}={}", session_cookie(&other.customer), mine.session);
            let strangers = [
                mine.browser.get(&at(other)).await,
                Browser::new().send(|http| with_cookie(http.get(at(other)), &stolen)).await,
            ];
            for page in strangers {
                assert!(page.redirect().contains("error=login_required"), "{between}: {}", page.redirect());
            }
            let own = format!("{}={}", session_cookie(&mine.customer), mine.session);
            for page in [
                mine.browser.get(&at(mine)).await,
                Browser::new().send(|http| with_cookie(http.get(at(mine)), &own)).await,
            ] {
                code_of(page.redirect());
            }
        }
    }
}

fn with_cookie(request: RequestBuilder, cookie: &str) -> RequestBuilder {
    request.header("cookie", cookie)
}

fn is_public(access: Access) -> bool {
    match access {
        Access::Public | Access::PublicCrossSite => true,
        Access::Browser | Access::ScimToken | Access::Client | Access::AccessToken | Access::IdentityProvider => false,
    }
}

#[test]
fn nothing_is_public_but_what_is_listed() {
    let public: Vec<_> = router::routes().into_iter().filter(|route| is_public(route.access)).collect();
    let public: BTreeSet<_> =
        public.iter().map(|route| (route.method, route.path, format!("{:?}", route.access))).collect();
    let listed: BTreeSet<_> =
        PUBLIC.iter().map(|(method, path, access)| (*method, *path, format!("{access:?}"))).collect();
    assert_eq!(public, listed, "a public route stands in PUBLIC of tests/it/isolation.rs, with a reason in its review");
}

#[test]
fn a_route_that_the_tests_do_not_know_is_told() {
    for (method, path) in [
        ("delete", "/oauth2/token"),
        ("get", "/admin/v1/users"),
        ("get", "/c/{cid}/scim/v2/Devices"),
        ("post", "/c/{cid}/scim/v2/Me"),
    ] {
        let sentence = way(method, path).err().unwrap_or_default();
        assert!(sentence.contains("is a new route"), "{method} {path}: {sentence:?}");
    }
}

// ---- the database's catalogue ----

/// Tables that no single tenant owns.
const SHARED: [&str; 8] = [
    "_sqlx_migrations",
    "application_aliases",
    "application_logos",
    "applications",
    "client_assertions",
    "pushed_requests",
    "signing_keys",
    "tenants",
];

/// What each role may do where row-level security does not decide alone: all of these and no others.
const GATE_TENANT: [&str; 4] = [
    "applications: SELECT (backchannel_logout_uri, display_name, id, id_token_alg, initiate_login_uri, redirect_uris, roles, settings, slug)",
    "tenants: INSERT",
    "tenants: SELECT",
    "tenants: UPDATE (delete_after_days, keeps_administrator, linking, mass_change_percent, plus_addresses, sign_in, suspended_at)",
];
const GATE_CONTROL: [&str; 62] = [
    "_sqlx_migrations: SELECT",
    "aliases: SELECT (connection_id, name, tenant_id)",
    "application_aliases: DELETE",
    "application_aliases: INSERT",
    "application_aliases: SELECT",
    "application_logos: DELETE",
    "application_logos: INSERT",
    "application_logos: SELECT",
    "application_logos: UPDATE",
    "applications: INSERT",
    "applications: SELECT",
    "applications: UPDATE (backchannel_logout_uri, client_secret_hash, display_name, id_token_alg, initiate_login_uri, redirect_uris, roles, settings)",
    "assertions: DELETE",
    "assertions: SELECT (assertion_id, connection_id, expires_at, tenant_id)",
    "client_assertions: DELETE",
    "client_assertions: INSERT",
    "client_assertions: SELECT",
    "connections: SELECT (application_id, id, removed_at, schema_version, tenant_id)",
    "connections: UPDATE (schema_version)",
    "domains: SELECT (domain, due_at, proof, tenant_id, token)",
    "domains: UPDATE (due_at)",
    "failures: DELETE",
    "failures: SELECT (closed_at, code, id, last_at, tenant_id)",
    "grants: DELETE",
    "grants: SELECT (id, session_id, tenant_id)",
    "invitations: DELETE",
    "invitations: SELECT (attempts, due_at, id, step_at, tenant_id)",
    "invitations: UPDATE (attempts, due_at)",
    "logout_deliveries: DELETE",
    "logout_deliveries: SELECT",
    "logout_deliveries: UPDATE (attempts, due_at, given_up_at, problem)",
    "logout_requests: DELETE",
    "logout_requests: SELECT (expires_at, id, tenant_id)",
    "logouts: DELETE",
    "logouts: SELECT (connection_id, expires_at, id, tenant_id)",
    "pushed_requests: DELETE",
    "pushed_requests: INSERT",
    "pushed_requests: SELECT",
    "refresh_tokens: DELETE",
    "refresh_tokens: SELECT (grant_id, tenant_id, token_hash)",
    "scim_exchanges: DELETE",
    "scim_exchanges: SELECT (connection_id, id, occurred_at, tenant_id)",
    "scim_tokens: DELETE",
    "scim_tokens: SELECT (expires_at, id, kind, tenant_id)",
    "seats: SELECT (is_due, tenant_id)",
    "seen_certificates: DELETE",
    "seen_certificates: SELECT (connection_id, fingerprint, last_seen_at, tenant_id)",
    "sessions: DELETE",
    "sessions: SELECT (expires_at, id, tenant_id)",
    "sign_in_requests: DELETE",
    "sign_in_requests: SELECT (expires_at, id, tenant_id)",
    "sign_in_steps: DELETE",
    "sign_in_steps: SELECT (connection_id, id, occurred_at, tenant_id)",
    "signing_keys: DELETE",
    "signing_keys: INSERT",
    "signing_keys: SELECT",
    "signing_keys: UPDATE (root_key_id, sealed)",
    "sp_keys: SELECT",
    "sp_keys: UPDATE (root_key_id, sealed)",
    "tenants: SELECT",
    "watches: SELECT (connection_id, due_at, tenant_id)",
    "watches: UPDATE (asked_at, due_at, roles_since)",
];

/// Each row is a sentence about what is wrong with a table.
const WALK: &str = "
WITH RECURSIVE tables AS (
    SELECT c.oid, c.relname::text AS name, c.relkind, c.relrowsecurity, c.relforcerowsecurity, a.attnum AS tenant_id, a.attnotnull,
        a.atttypid, pg_get_expr(d.adbin, d.adrelid) AS is_by_default
    FROM pg_class c
    LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped
    LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind NOT IN ('i', 'I', 'S', 'c', 't')
), owned AS (SELECT * FROM tables WHERE tenant_id IS NOT NULL
), tied AS (
    SELECT t.oid FROM owned t JOIN pg_constraint k ON k.conrelid = t.oid AND k.contype = 'f'
        AND k.confrelid = 'tenants'::regclass AND k.conkey = ARRAY[t.tenant_id]
    UNION SELECT k.conrelid FROM tied t JOIN pg_constraint k ON k.confrelid = t.oid AND k.contype = 'f' AND k.confdeltype = 'c'
)
SELECT name || ' is neither a table with tenant_id nor in SHARED' FROM tables WHERE tenant_id IS NULL AND name <> ALL ($1)
UNION ALL SELECT name || ' is no plain table: it would answer with its owner''s rights' FROM tables WHERE relkind NOT IN ('r', 'p')
UNION ALL SELECT name || ' is FORCEd: the owner''s data migrations would see nothing' FROM tables WHERE relforcerowsecurity
UNION ALL SELECT name || ' has a tenant_id that may be NULL or is no uuid' FROM owned WHERE NOT attnotnull OR atttypid <> 'uuid'::regtype
UNION ALL SELECT name || ' has a tenant_id that is not the transaction''s by default' FROM owned
    WHERE is_by_default IS DISTINCT FROM '(current_setting(''app.tenant_id''::text))::uuid'
UNION ALL SELECT name || ' has a primary key that does not start with tenant_id' FROM owned t
    WHERE NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conrelid = t.oid AND k.contype = 'p' AND k.conkey[1] = t.tenant_id)
UNION ALL SELECT name || ' does not refer to tenants' FROM owned WHERE oid NOT IN (SELECT oid FROM tied)
UNION ALL SELECT o.name || ' has a foreign key that does not start with tenant_id: ' || k.conname
    FROM owned o JOIN pg_constraint k ON k.conrelid = o.oid AND k.contype = 'f' JOIN owned r ON r.oid = k.confrelid
    WHERE k.conkey[1] <> o.tenant_id OR k.confkey[1] <> r.tenant_id
UNION ALL SELECT t.name || ' refers to a tenant''s table and has no tenant_id: ' || k.conname
    FROM tables t JOIN pg_constraint k ON k.conrelid = t.oid AND k.contype = 'f' JOIN owned r ON r.oid = k.confrelid
    WHERE t.tenant_id IS NULL
UNION ALL SELECT name || ' has row-level security off' FROM tables WHERE NOT relrowsecurity AND (tenant_id IS NOT NULL OR name = 'tenants')
UNION ALL SELECT name || ' has no policy tenant_isolation as it must be' FROM tables t
    WHERE (tenant_id IS NOT NULL OR name = 'tenants') AND NOT EXISTS (
        SELECT FROM pg_policy p WHERE p.polrelid = t.oid AND p.polname = 'tenant_isolation' AND p.polcmd = '*' AND p.polpermissive
        AND p.polroles = ARRAY['gate_tenant'::regrole::oid] AND p.polwithcheck IS NULL
        AND pg_get_expr(p.polqual, p.polrelid)
            = format('(%s = (current_setting(''app.tenant_id''::text))::uuid)', CASE name WHEN 'tenants' THEN 'id' ELSE 'tenant_id' END))
UNION ALL SELECT t.name || ' has one more policy for gate_tenant: ' || p.polname FROM tables t JOIN pg_policy p ON p.polrelid = t.oid
    WHERE p.polname <> 'tenant_isolation' AND p.polpermissive AND p.polroles && ARRAY[0::oid, 'gate_tenant'::regrole::oid]
ORDER BY 1";

/// Functions and triggers that run with other rights than their caller's.
const ELEVATED: &str =
    "SELECT proname::text FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND prosecdef ORDER BY 1";

/// What a role, or everybody, was given on tables and columns.
const PRIVILEGES: &str = "
WITH given AS (
    SELECT c.relname::text AS name, a.privilege_type AS privilege, a.grantee, a.is_grantable, NULL::text AS part
    FROM pg_class c, aclexplode(c.relacl) a WHERE c.relnamespace = 'public'::regnamespace
    UNION ALL
    SELECT c.relname, a.privilege_type, a.grantee, a.is_grantable, t.attname FROM pg_class c JOIN pg_attribute t ON t.attrelid = c.oid, aclexplode(t.attacl) a
    WHERE c.relnamespace = 'public'::regnamespace
)
SELECT name || ': ' || privilege || coalesce(' (' || string_agg(part, ', ' ORDER BY part) || ')', '') || CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END
FROM given WHERE grantee = coalesce(to_regrole($1)::oid, 0) AND ($2 OR name = ANY ($3))
GROUP BY name, privilege, is_grantable, part IS NULL ORDER BY 1";

async fn sentences(database: &mut PgConnection) -> Vec<String> {
    sqlx::query_scalar(WALK).bind(SHARED.as_slice()).fetch_all(database).await.unwrap()
}

/// A connection of one of the gateway's logins.
async fn login(url: &str) -> PgConnection {
    setting(url).parse::<PgConnectOptions>().unwrap().connect().await.unwrap()
}

async fn migrated() -> PgConnection {
    harness::gateway_process::migrated().await;
    superuser().await
}

async fn run(database: &mut PgConnection, statements: &str) {
    sqlx::raw_sql(AssertSqlSafe(statements.to_owned())).execute(database).await.unwrap();
}

/// Why Postgres refuses a statement; its effect, if it does not, is undone.
async fn refusal(database: &mut PgConnection, statement: &str) -> String {
    let mut tx = database.begin().await.unwrap();
    let outcome = sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(&mut *tx).await;
    tx.rollback().await.unwrap();
    match outcome {
        Ok(_) => format!("{statement} was carried out"),
        Err(error) => error.as_database_error().and_then(|error| error.code()).unwrap_or_default().into_owned(),
    }
}

pub async fn owned_tables(database: &mut PgConnection) -> Vec<String> {
    let query = "SELECT table_name::text FROM information_schema.columns WHERE table_schema = 'public' AND column_name = 'tenant_id' ORDER BY 1";
    let tables: Vec<String> = sqlx::query_scalar(query).fetch_all(database).await.unwrap();
    assert!(tables.len() >= 14, "{tables:?}");
    tables
}

#[tokio::test]
async fn every_table_of_a_tenant_is_closed_to_the_others() {
    let mut database = migrated().await;
    assert_eq!(sentences(&mut database).await, Vec::<String>::new());
    let elevated: Vec<String> = sqlx::query_scalar(ELEVATED).fetch_all(&mut database).await.unwrap();
    assert_eq!(elevated, Vec::<String>::new(), "a SECURITY DEFINER function");
    let shared: Vec<String> =
        sqlx::query_scalar("SELECT name FROM unnest($1::text[]) AS name WHERE to_regclass(name) IS NULL")
            .bind(SHARED.as_slice())
            .fetch_all(&mut database)
            .await
            .unwrap();
    assert_eq!(shared, Vec::<String>::new(), "SHARED names tables that are not there");
}

#[tokio::test]
async fn the_walk_finds_every_fault_of_a_planted_table() {
    let mut database = migrated().await;
    let good = "
        CREATE TABLE parent (tenant_id uuid DEFAULT current_setting('app.tenant_id')::uuid REFERENCES tenants (id), id uuid UNIQUE, PRIMARY KEY (tenant_id, id));
        CREATE TABLE planted (
            tenant_id uuid DEFAULT current_setting('app.tenant_id')::uuid CONSTRAINT tenant REFERENCES tenants (id),
            id uuid UNIQUE, parent_id uuid, CONSTRAINT pk PRIMARY KEY (tenant_id, id), CONSTRAINT fk FOREIGN KEY (tenant_id, parent_id) REFERENCES parent);
        ALTER TABLE parent ENABLE ROW LEVEL SECURITY;
        ALTER TABLE planted ENABLE ROW LEVEL SECURITY;
        CREATE POLICY tenant_isolation ON parent TO gate_tenant USING (tenant_id = current_setting('app.tenant_id')::uuid);
        CREATE POLICY tenant_isolation ON planted TO gate_tenant USING (tenant_id = current_setting('app.tenant_id')::uuid);";
    let again = |policy: &str| format!("DROP POLICY tenant_isolation ON planted; CREATE POLICY {policy}");
    let own = "USING (tenant_id = current_setting('app.tenant_id')::uuid)";
    let no_policy = "planted has no policy tenant_isolation as it must be";
    let faults = [
        (String::new(), None),
        ("ALTER TABLE planted DISABLE ROW LEVEL SECURITY".into(), Some("planted has row-level security off")),
        (
            "ALTER TABLE planted FORCE ROW LEVEL SECURITY".into(),
            Some("planted is FORCEd: the owner's data migrations would see nothing"),
        ),
        ("DROP POLICY tenant_isolation ON planted".into(), Some(no_policy)),
        (again(&format!("tenant_isolation ON planted {own}")), Some(no_policy)),
        (again(&format!("tenant_isolation ON planted TO gate_app {own}")), Some(no_policy)),
        (again(&format!("tenant_isolation ON planted FOR SELECT TO gate_tenant {own}")), Some(no_policy)),
        (again(&format!("tenant_isolation ON planted AS RESTRICTIVE TO gate_tenant {own}")), Some(no_policy)),
        (again("tenant_isolation ON planted TO gate_tenant USING (true)"), Some(no_policy)),
        (
            again(
                "tenant_isolation ON planted TO gate_tenant USING (tenant_id = current_setting('app.tenant_id', true)::uuid)",
            ),
            Some(no_policy),
        ),
        (again(&format!("tenant_isolation ON planted TO gate_tenant {own} WITH CHECK (true)")), Some(no_policy)),
        (
            "CREATE POLICY more ON planted USING (true)".into(),
            Some("planted has one more policy for gate_tenant: more"),
        ),
        (
            "ALTER TABLE planted DROP CONSTRAINT pk, ADD PRIMARY KEY (id, tenant_id)".into(),
            Some("planted has a primary key that does not start with tenant_id"),
        ),
        ("ALTER TABLE planted DROP CONSTRAINT tenant".into(), Some("planted does not refer to tenants")),
        (
            "ALTER TABLE planted ALTER tenant_id DROP DEFAULT".into(),
            Some("planted has a tenant_id that is not the transaction's by default"),
        ),
        (
            "ALTER TABLE planted DROP CONSTRAINT fk, ADD CONSTRAINT fk FOREIGN KEY (parent_id) REFERENCES parent (id)"
                .into(),
            Some("planted has a foreign key that does not start with tenant_id: fk"),
        ),
        (
            "CREATE TABLE loose (id uuid PRIMARY KEY)".into(),
            Some("loose is neither a table with tenant_id nor in SHARED"),
        ),
        (
            "ALTER TABLE tenants ADD parent_id uuid CONSTRAINT loose REFERENCES parent (id)".into(),
            Some("tenants refers to a tenant's table and has no tenant_id: loose"),
        ),
        (
            "CREATE VIEW seen AS SELECT * FROM planted".into(),
            Some("seen is no plain table: it would answer with its owner's rights"),
        ),
        (
            "CREATE MATERIALIZED VIEW seen AS SELECT 1 AS one".into(),
            Some("seen is neither a table with tenant_id nor in SHARED"),
        ),
    ];
    for (fault, sentence) in faults {
        let mut tx = database.begin().await.unwrap();
        run(&mut tx, good).await;
        run(&mut tx, &fault).await;
        let found = sentences(&mut tx).await;
        tx.rollback().await.unwrap();
        match sentence {
            Some(sentence) => assert!(found.iter().any(|found| found == sentence), "{fault}: {found:?}"),
            None => assert_eq!(found, Vec::<String>::new()),
        }
    }
}

#[tokio::test]
async fn each_role_has_the_listed_privileges_and_no_others() {
    let mut database = migrated().await;
    let mut given = async |role: &str, everywhere: bool| -> Vec<String> {
        let query = sqlx::query_scalar(PRIVILEGES).bind(role).bind(everywhere).bind(SHARED.as_slice());
        query.fetch_all(&mut database).await.unwrap()
    };
    assert_eq!(given("gate_tenant", false).await, GATE_TENANT, "gate_tenant on what no tenant owns");
    assert_eq!(given("gate_control", true).await, GATE_CONTROL);
    for role in ["gate_app", "PUBLIC"] {
        assert_eq!(given(role, true).await, Vec::<String>::new(), "{role}");
    }
    let whole = given("gate_tenant", true).await;
    let bad = whole.iter().find(|line| {
        line.ends_with("TRUNCATE") || line.contains("REFERENCES") || line.contains("TRIGGER") || line.contains("GRANT")
    });
    assert!(bad.is_none() && whole.contains(&"users: SELECT".to_owned()), "{whole:?}");
    assert_eq!(
        whole.iter().filter(|line| line.starts_with("events: ")).collect::<Vec<_>>(),
        ["events: INSERT", "events: SELECT"],
        "facts are not changed"
    );

    let roles = "SELECT rolname || ' may ' || concat_ws(' ', CASE WHEN rolcanlogin THEN 'LOGIN' END, CASE WHEN rolinherit THEN 'INHERIT' END,
            CASE WHEN rolsuper THEN 'SUPERUSER' END, CASE WHEN rolbypassrls THEN 'BYPASSRLS' END, CASE WHEN rolcreaterole THEN 'CREATEROLE' END,
            CASE WHEN rolcreatedb THEN 'CREATEDB' END, CASE WHEN rolreplication THEN 'REPLICATION' END)
        FROM pg_roles WHERE rolname IN ('gate_app', 'gate_control') ORDER BY 1";
    let roles: Vec<String> = sqlx::query_scalar(roles).fetch_all(&mut database).await.unwrap();
    assert_eq!(roles, ["gate_app may LOGIN", "gate_control may LOGIN"]);
    let members = "SELECT member::regrole || ' may become ' || roleid::regrole FROM pg_auth_members
        WHERE member IN ('gate_app'::regrole, 'gate_control'::regrole, 'gate_tenant'::regrole) ORDER BY 1";
    let members: Vec<String> = sqlx::query_scalar(members).fetch_all(&mut database).await.unwrap();
    assert_eq!(members, ["gate_app may become gate_tenant"]);
}

#[tokio::test]
async fn a_query_outside_a_tenants_transaction_is_an_error_and_not_an_empty_answer() {
    const DENIED: &str = "42501";
    // Rows in most tables: an error must not depend on them, but zero rows would not be noticed without.
    let acme = Party::new(Customer::new().await).await;
    let tables = owned_tables(&mut superuser().await).await;
    let mut app = login("GATEHOUSE__DATABASE__URL").await;
    for table in tables.iter().map(String::as_str).chain(SHARED) {
        assert_eq!(refusal(&mut app, &format!("SELECT count(*) FROM {table}")).await, DENIED, "gate_app on {table}");
    }
    let mut tenant = login("GATEHOUSE__DATABASE__URL").await;
    run(&mut tenant, "SET ROLE gate_tenant").await;
    // Never set: unknown parameter. Set before on this connection: empty, which is no uuid.
    for (setting, code) in [("", "42704"), ("SET app.tenant_id = ''", "22P02")] {
        run(&mut tenant, setting).await;
        for table in tables.iter().map(String::as_str).chain(["tenants"]) {
            assert_eq!(refusal(&mut tenant, &format!("SELECT count(*) FROM {table}")).await, code, "{table}");
        }
        let insert = "INSERT INTO domains (domain, verified_at) VALUES ('nobody.test', '2026-01-01')";
        assert_eq!(refusal(&mut tenant, insert).await, code);
    }
    for table in ["signing_keys", "_sqlx_migrations"] {
        assert_eq!(
            refusal(&mut tenant, &format!("SELECT count(*) FROM {table}")).await,
            DENIED,
            "gate_tenant on {table}"
        );
    }
    assert_eq!(refusal(&mut tenant, "SELECT client_secret_hash FROM applications").await, DENIED);
    let mut control = login("GATEHOUSE__DATABASE__CONTROL_URL").await;
    for table in ["users", "accounts", "groups", "group_members", "account_attributes", "events", "domain_claims"] {
        assert_eq!(
            refusal(&mut control, &format!("SELECT count(*) FROM {table}")).await,
            DENIED,
            "gate_control on {table}"
        );
    }
    // It cleans away what it cannot read.
    for column in ["request FROM grants", "code_hash FROM grants", "used_at FROM refresh_tokens"] {
        assert_eq!(refusal(&mut control, &format!("SELECT {column}")).await, DENIED, "gate_control on {column}");
    }
    drop(acme);
}

#[tokio::test]
async fn a_tenants_transaction_reads_and_writes_its_own_rows_only() {
    let gateway = Gateway::start().await;
    let (a, b) = (Party::new(Customer::of(&gateway).await).await, Party::new(Customer::of(&gateway).await).await);
    let tables = owned_tables(&mut superuser().await).await;
    let mut tenant = login("GATEHOUSE__DATABASE__URL").await;
    let (own, other) = (a.customer.tenant, b.customer.tenant);
    run(&mut tenant, &format!("SET ROLE gate_tenant; SET app.tenant_id = '{own}'")).await;
    let mut with_rows = Vec::new();
    for table in &tables {
        let query = format!(
            "SELECT count(*) FILTER (WHERE tenant_id = $1), count(*) FILTER (WHERE tenant_id <> $1) FROM {table}"
        );
        let counts: (i64, i64) = sqlx::query_as(AssertSqlSafe(query)).bind(own.0).fetch_one(&mut tenant).await.unwrap();
        assert_eq!(counts.1, 0, "{table}");
        with_rows.extend((counts.0 > 0).then_some(table.as_str()));
    }
    assert!(with_rows.len() >= 11, "the tenant has rows of its own: {with_rows:?}");
    let insert =
        format!("INSERT INTO domains (tenant_id, domain, verified_at) VALUES ('{other}', 'x.test', '2026-01-01')");
    assert_eq!(refusal(&mut tenant, &insert).await, "42501", "a row for another");
    let give_away = format!("UPDATE users SET tenant_id = '{other}'");
    assert_eq!(refusal(&mut tenant, &give_away).await, "42501", "a row given away");
    let mut tx = tenant.begin().await.unwrap();
    for statement in
        ["UPDATE users SET display_name = 'x' WHERE tenant_id = $1", "DELETE FROM accounts WHERE tenant_id = $1"]
    {
        let of = async |tx: &mut PgConnection, id: uuid::Uuid| {
            sqlx::query(statement).bind(id).execute(tx).await.unwrap().rows_affected()
        };
        assert_eq!((of(&mut tx, other.0).await, of(&mut tx, own.0).await), (0, 1), "{statement}");
    }
    tx.rollback().await.unwrap();
}

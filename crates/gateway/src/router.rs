//! The one table of routes: what answers where, and what it takes to be answered.
//! The tests walk it, so a new route cannot be forgotten.

use crate::{
    app::App,
    break_glass,
    error::{self, Error, PageFailure, SCIM_JSON, ScimFailure},
    invite, login as front,
    oauth::{authorize, brand, discovery as openid, introspect, logout as sign_out, par, revoke, token, userinfo},
    pages::{self, StartPage, Words, words},
    password,
    saml::{acs, finish, former, login, logout, metadata},
    scim::{self, bulk, call::retried, discovery, groups, roles, root, users},
    telemetry, universal_logout,
};
use ::scim::error::ScimError;
use axum::{
    Router,
    extract::{DefaultBodyLimit, MatchedPath, Request, State},
    http::{HeaderName, HeaderValue, Method, StatusCode, Uri, header},
    middleware,
    response::{IntoResponse, Response},
    routing::{MethodRouter, delete, get, patch, post, put},
};
use std::{collections::BTreeSet, sync::LazyLock};
use tower::ServiceBuilder;
use tower_http::{
    catch_panic::CatchPanicLayer, csrf::CsrfLayer, sensitive_headers::SetSensitiveRequestHeadersLayer,
    set_header::SetResponseHeaderLayer, timeout::TimeoutLayer,
};

/// The largest body outside SCIM: a SAML message of 256 KB, form-encoded; and the largest where none is posted.
const MAX_BODY: usize = 524_288;
const MAX_FORM: usize = 65_536;

/// What a route asks of its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Answers anybody.
    Public,
    /// Answers anybody, and other sites may post to it: it proves what it accepts by other means than cookies.
    PublicCrossSite,
    /// Answers only the browser that started a sign-in in this connection.
    Browser,
    /// A SCIM token of the connection in the path.
    ScimToken,
    /// A token that the connection's identity provider signed for this call.
    IdentityProvider,
    /// An application's client credentials.
    Client,
    /// An access token.
    AccessToken,
}

impl Access {
    /// Other sites post here on purpose: identity providers, applications, and apps in a browser at the token
    /// endpoint and the SCIM server. What is accepted is proven by other means than cookies.
    fn takes_cross_site_posts(self) -> bool {
        matches!(self, Self::PublicCrossSite | Self::Client | Self::ScimToken | Self::IdentityProvider)
    }
}

/// A route as it is listed.
#[derive(Debug, Clone, Copy)]
pub struct Route {
    pub method: &'static str,
    pub path: &'static str,
    pub access: Access,
}

type Entry = (Route, MethodRouter<App>);

macro_rules! route {
    ($method:ident $path:literal $access:ident => $handler:expr) => {
        (Route { method: stringify!($method), path: $path, access: Access::$access }, $method($handler))
    };
}

fn table() -> Vec<Entry> {
    let mut table = vec![
        route!(get "/" Public => start),
        route!(get "/login" Public => front::get),
        route!(post "/login" Public => front::post),
        route!(get "/invite/{code}" Public => invite::get),
        route!(post "/invite/{code}" Public => invite::accept),
        route!(get "/brand/{client_id}/logo" Public => brand::logo),
        route!(get "/t/{slug}" Public => login::tenant),
        route!(get "/c/{cid}/password" Browser => password::get),
        route!(post "/c/{cid}/password" Browser => password::post),
        route!(get "/c/{cid}/break-glass" Browser => break_glass::get),
        route!(post "/c/{cid}/break-glass" Browser => break_glass::post),
        route!(get "/c/{cid}" Public => metadata::get),
        route!(get "/c/{cid}/saml/metadata" Public => metadata::get),
        route!(get "/c/{cid}/saml/certificate" Public => metadata::certificate),
        route!(get "/c/{cid}/saml/login" Public => login::get),
        route!(get "/c/{cid}/saml/restart" Public => login::restart),
        route!(post "/c/{cid}/saml/acs" PublicCrossSite => acs::post),
        route!(post "/saml2/idpresponse" PublicCrossSite => former::post),
        route!(get "/c/{cid}/saml/finish" Browser => finish::get),
        route!(get "/c/{cid}/saml/slo" Public => logout::by_query),
        route!(post "/c/{cid}/saml/slo" PublicCrossSite => logout::by_form),
        route!(get "/c/{cid}/saml/logout" Public => logout::ask),
        route!(post "/c/{cid}/saml/logout" Public => logout::leave),
        route!(post "/c/{cid}/global-token-revocation" IdentityProvider => universal_logout::post),
        route!(get "/.well-known/openid-configuration" Public => openid::configuration),
        route!(get "/.well-known/oauth-authorization-server" Public => openid::configuration),
        route!(get "/oauth2/jwks" Public => openid::jwks),
        route!(get "/oauth2/authorize" Public => authorize::get),
        route!(post "/oauth2/authorize" PublicCrossSite => authorize::post),
        route!(get "/oauth2/logout" Public => sign_out::get),
        route!(post "/oauth2/logout" PublicCrossSite => sign_out::post),
        route!(post "/oauth2/logout/confirm" Public => sign_out::confirm),
        route!(get "/logout" Public => sign_out::get),
        route!(post "/oauth2/par" Client => par::post),
        route!(post "/oauth2/token" Client => token::post),
        route!(post "/oauth2/introspect" Client => introspect::post),
        route!(post "/oauth2/revoke" Client => revoke::post),
        route!(post "/c/{cid}/oauth2/token" Client => scim::token::post),
        route!(get "/oauth2/userInfo" AccessToken => userinfo::get),
        route!(post "/oauth2/userInfo" AccessToken => userinfo::get),
    ];
    table.extend(scim_table());
    table
}

fn scim_table() -> Vec<Entry> {
    vec![
        route!(get "/c/{cid}/scim/v2/ServiceProviderConfig" ScimToken => discovery::service_provider_config),
        route!(get "/c/{cid}/scim/v2/ResourceTypes" ScimToken => discovery::resource_types),
        route!(get "/c/{cid}/scim/v2/ResourceTypes/{id}" ScimToken => discovery::resource_type),
        route!(get "/c/{cid}/scim/v2/Schemas" ScimToken => discovery::schemas),
        route!(get "/c/{cid}/scim/v2/Schemas/{id}" ScimToken => discovery::schema),
        route!(get "/c/{cid}/scim/v2/Me" ScimToken => scim::me),
        route!(get "/c/{cid}/scim/v2" ScimToken => root::get),
        route!(post "/c/{cid}/scim/v2/.search" ScimToken => root::search),
        route!(post "/c/{cid}/scim/v2/Bulk" ScimToken => bulk::post),
        route!(get "/c/{cid}/scim/v2/Roles" ScimToken => roles::list),
        route!(get "/c/{cid}/scim/v2/Roles/{id}" ScimToken => roles::get),
        route!(get "/c/{cid}/scim/v2/Users" ScimToken => users::list),
        route!(post "/c/{cid}/scim/v2/Users" ScimToken => retried(users::create)),
        route!(post "/c/{cid}/scim/v2/Users/.search" ScimToken => users::search),
        route!(get "/c/{cid}/scim/v2/Users/{id}" ScimToken => users::get),
        route!(put "/c/{cid}/scim/v2/Users/{id}" ScimToken => retried(users::replace)),
        route!(patch "/c/{cid}/scim/v2/Users/{id}" ScimToken => retried(users::patch)),
        route!(delete "/c/{cid}/scim/v2/Users/{id}" ScimToken => retried(users::delete)),
        route!(get "/c/{cid}/scim/v2/Groups" ScimToken => groups::list),
        route!(post "/c/{cid}/scim/v2/Groups" ScimToken => retried(groups::create)),
        route!(post "/c/{cid}/scim/v2/Groups/.search" ScimToken => groups::search),
        route!(get "/c/{cid}/scim/v2/Groups/{id}" ScimToken => groups::get),
        route!(put "/c/{cid}/scim/v2/Groups/{id}" ScimToken => retried(groups::replace)),
        route!(patch "/c/{cid}/scim/v2/Groups/{id}" ScimToken => retried(groups::patch)),
        route!(delete "/c/{cid}/scim/v2/Groups/{id}" ScimToken => retried(groups::delete)),
    ]
}

/// Every route, for those who check them.
pub fn routes() -> Vec<Route> {
    table().into_iter().map(|(route, _)| route).collect()
}

/// The public side of the gateway.
pub fn router(app: App) -> Router {
    let timeout = app.config.server.request_timeout;
    let hsts = app.is_https().then_some("max-age=31536000");
    let set = |name: HeaderName, value: Option<&'static str>| {
        SetResponseHeaderLayer::if_not_present(name, value.map(HeaderValue::from_static))
    };
    let table = table().into_iter().fold(Router::new(), |router, (route, handler)| {
        let guarded = if route.access.takes_cross_site_posts() { handler } else { handler.layer(CsrfLayer::new()) };
        let takes_saml = ["/saml/acs", "/saml/slo", "/saml2/idpresponse"].iter().any(|end| route.path.ends_with(end));
        let largest = if takes_saml || is_scim(route.path) { MAX_BODY } else { MAX_FORM };
        router.route(route.path, guarded.layer(DefaultBodyLimit::max(largest)))
    });
    let routed = table
        .fallback(nothing_here)
        .method_not_allowed_fallback(wrong_method)
        .layer(
            ServiceBuilder::new()
                .layer(middleware::from_fn(telemetry::observe))
                .layer(middleware::from_fn(words::heed))
                .layer(set(header::X_CONTENT_TYPE_OPTIONS, Some("nosniff")))
                // Not `no-referrer`, with which browsers hide also from us where a form of ours came from.
                .layer(set(header::REFERRER_POLICY, Some("same-origin")))
                .layer(set(header::STRICT_TRANSPORT_SECURITY, hsts))
                .layer(middleware::from_fn(page_form))
                .layer(middleware::from_fn_with_state(app.clone(), scim::log::observe))
                .layer(middleware::from_fn(scim_form))
                .layer(SetSensitiveRequestHeadersLayer::new([header::AUTHORIZATION, header::COOKIE]))
                .layer(CatchPanicLayer::new())
                .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, timeout)),
        )
        .with_state(app);
    // Before routing, so that it sees the path first: a layer of a Router would run after it.
    Router::new().fallback_service(ServiceBuilder::new().map_request(tidy_scim_path).service(routed))
}

async fn start(State(app): State<App>) -> Response {
    let notice = app.config.server.notice.as_deref().map(pages::words_of).unwrap_or_default();
    pages::html(StatusCode::OK, &StartPage { words: Words::here(), issuer: app.issuer(), notice })
}

/// Identity providers join base URL and path carelessly: `//Users`, `/Users/`.
fn tidy_scim_path<B>(mut request: axum::http::Request<B>) -> axum::http::Request<B> {
    let path = request.uri().path();
    if !is_scim(path) || !(path.contains("//") || path.ends_with('/')) {
        return request;
    }
    let tidy: String = path.split('/').filter(|part| !part.is_empty()).flat_map(|part| ["/", part]).collect();
    let whole = request.uri().query().map_or_else(|| tidy.clone(), |query| format!("{tidy}?{query}"));
    if let Ok(uri) = whole.parse::<Uri>() {
        *request.uri_mut() = uri;
    }
    request
}

fn is_scim(path: &str) -> bool {
    path.starts_with("/c/") && path.contains("/scim/v2")
}

/// Every error under a SCIM base is in SCIM's form, also those that no handler made (RFC 7644 3.12).
async fn scim_form(request: Request, next: middleware::Next) -> Response {
    let scim = is_scim(request.uri().path());
    let response = next.run(request).await;
    let status = response.status();
    let formed = response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == SCIM_JSON);
    if !scim || formed || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let detail = if status.is_server_error() {
        "The directory could not answer in time. The identity provider may try again in a few seconds."
    } else {
        "The request cannot be served. Check the settings of the connection in the identity provider."
    };
    ScimFailure::from(ScimError { status: status.as_u16(), scim_type: None, detail: detail.to_owned() }).into_response()
}

/// Routes that no browser goes to by itself.
static FOR_PROGRAMS: LazyLock<BTreeSet<&str>> = LazyLock::new(|| {
    let of_programs = [Access::ScimToken, Access::IdentityProvider, Access::Client, Access::AccessToken];
    routes().into_iter().filter(|route| of_programs.contains(&route.access)).map(|route| route.path).collect()
});

/// An error that a person sees is a page, also one that no handler made.
async fn page_form(request: Request, next: middleware::Next) -> Response {
    let accepted = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok());
    let route = request.extensions().get::<MatchedPath>();
    let is_for_programs = route.is_some_and(|route| FOR_PROGRAMS.contains(route.as_str()));
    let is_seen = accepted.is_some_and(|kinds| kinds.contains("text/html")) && !is_for_programs;
    let response = next.run(request).await;
    let status = response.status();
    let is_plain =
        response.headers().get(header::CONTENT_TYPE).is_none_or(|kind| kind.as_bytes().starts_with(b"text/plain"));
    if is_seen && is_plain && (status.is_client_error() || status.is_server_error()) {
        return error::of_status(status);
    }
    response
}

async fn nothing_here(request: Request) -> Response {
    if is_scim(request.uri().path()) {
        let detail = "There is no such endpoint. The base URL ends with /scim/v2; users are under /Users and groups under /Groups.";
        return ScimFailure::from(ScimError::not_found(detail)).into_response();
    }
    PageFailure::from(Error::NotFound).into_response()
}

async fn wrong_method(method: Method, request: Request) -> Response {
    if is_scim(request.uri().path()) && request.uri().path().ends_with("/scim/v2/Me") {
        // RFC 7644 3.11: whatever is asked of it.
        return scim::not_offered().into_response();
    }
    if is_scim(request.uri().path()) {
        let detail = format!("{method} is not possible here.");
        return ScimFailure::from(ScimError::method_not_allowed(detail)).into_response();
    }
    if request.uri().path().starts_with("/c/") && request.uri().path().ends_with("/oauth2/token") {
        return scim::token::wrong_method();
    }
    StatusCode::METHOD_NOT_ALLOWED.into_response()
}

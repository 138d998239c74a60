//! The OpenID provider's side of HTTP. The vendor's app sees only this.

pub mod authorize;
pub mod client;
pub mod discovery;
pub mod introspect;
pub mod revoke;
pub mod token;
pub mod userinfo;

use crate::{app::Inner, pages};
use ::oidc::claims::Subject;
use axum::{
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
};
use store::{applications::Application, sessions::LiveSession, tenant::TenantTx};
use url::Url;

/// Sends a signed-in browser into the application, which then asks for its tokens itself
/// (OpenID Connect Core 4), and may be told where to go then. No token ever stands in this URL.
pub fn enter(app: &Inner, application: &Application, tenant_slug: &str, target: Option<&str>) -> Response {
    let entry = application.initiate_login_uri.as_deref().and_then(|uri| Url::parse(uri).ok());
    match entry {
        Some(mut url) => {
            url.query_pairs_mut().append_pair("iss", app.issuer()).append_pair("tenant", tenant_slug);
            if let Some(target) = target {
                url.query_pairs_mut().append_pair("target_link_uri", target);
            }
            Redirect::to(url.as_str()).into_response()
        }
        None => pages::html(StatusCode::OK, &pages::SignedInPage { application: &application.display_name }),
    }
}

/// The claims of a live session.
fn subject<'a>(tx: &TenantTx, session: &'a LiveSession) -> Subject<'a> {
    Subject {
        user_id: session.user.0,
        email: session.email.as_deref(),
        email_verified: session.email_verified,
        name: session.display_name.as_deref(),
        tenant_id: tx.tenant().0,
        connection_id: Some(session.connection.0),
        roles: std::slice::from_ref(&session.role),
        session_id: session.id.0,
        auth_time: session.auth_time,
    }
}

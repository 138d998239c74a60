//! The OpenID provider's side of HTTP. The vendor's app sees only this.

pub mod authorize;
pub mod brand;
pub mod client;
pub mod discovery;
pub(crate) mod form;
pub mod introspect;
pub mod logout;
pub mod par;
pub mod revoke;
pub mod settings;
pub mod token;
pub mod told;
pub mod userinfo;
pub mod way_in;

use self::settings::Settings;
use crate::{
    app::Inner,
    pages::{self, Brand, PostPage, PostedTo, Words},
};
use ::oidc::authorize::{Answer, ResponseMode};
use axum::{
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
};
use store::applications::Application;
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
        None => {
            let brand = Brand::of(application, &Settings::of(application).unwrap_or_default());
            pages::html(StatusCode::OK, &pages::SignedInPage { words: Words::here(), brand: &brand })
        }
    }
}

/// Sends the browser back to the application with an answer.
pub fn answered(answer: &Answer) -> Response {
    match answer.mode {
        ResponseMode::Query => Redirect::to(&answer.url()).into_response(),
        ResponseMode::FormPost => {
            let fields = answer.parameters.iter().map(|(name, value)| (*name, value.as_str())).collect();
            pages::posting(
                &PostPage { words: Words::here(), action: &answer.redirect_uri, fields, to: PostedTo::Application },
                None,
            )
        }
    }
}

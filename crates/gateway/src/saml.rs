//! The SAML service provider's side of HTTP: metadata, requests out, responses in, sign-ins collected, logout.

pub mod acs;
mod checked;
pub mod finish;
pub mod former;
pub mod identity;
pub mod idp;
pub(crate) mod jit;
pub mod keys;
pub mod login;
pub mod logout;
pub mod metadata;
pub mod seen;
pub mod settings;
pub mod trace;
mod who;

use self::settings::Settings;
use crate::{
    app::Inner,
    pages::{self, PostPage, PostedTo, Words},
};
use ::saml::{outgoing::Outgoing, sp::ServiceProvider};
use axum::response::{IntoResponse, Redirect, Response};
use domain::ids::ConnectionId;

/// The gateway as the identity provider of that connection knows it: by the connection's own names, or by those of a system
/// before this one.
pub fn service_provider(app: &Inner, connection: ConnectionId, settings: &Settings) -> ServiceProvider {
    let own = app.connection_url(connection);
    let slo_url = format!("{own}/saml/slo");
    match &settings.former_entity_id {
        Some(former) => {
            ServiceProvider { entity_id: former.clone(), acs_url: format!("{}{FORMER_ACS}", app.issuer()), slo_url }
        }
        None => ServiceProvider { acs_url: format!("{own}/saml/acs"), slo_url, entity_id: own },
    }
}

/// Where identity providers post to Cognito, whatever connection that is for.
pub const FORMER_ACS: &str = "/saml2/idpresponse";

/// Makes the browser carry a message.
fn carried(message: Outgoing) -> Response {
    carried_in_frame_of(message, None)
}

/// The same where the page of that origin may have us in a frame.
fn carried_in_frame_of(message: Outgoing, origin: Option<&str>) -> Response {
    match message {
        Outgoing::Redirect(url) => Redirect::to(url.as_str()).into_response(),
        Outgoing::Post(form) => {
            let mut fields = vec![(form.field, form.message.as_str())];
            if !form.relay_state.is_empty() {
                fields.push(("RelayState", &form.relay_state));
            }
            let page =
                PostPage { words: Words::here(), action: form.action.as_str(), fields, to: PostedTo::IdentityProvider };
            pages::posting(&page, origin)
        }
    }
}

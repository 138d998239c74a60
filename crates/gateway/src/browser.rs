//! Cookies: what ties a sign-in to the browser that started it, and a session to the browser that has it.

use crate::{app::Inner, secret::Secret};
use axum::http::HeaderMap;
use axum_extra::extract::cookie::{Cookie, CookieJar, SameSite};
use domain::ids::ConnectionId;

/// The browser's own secret, if it has one.
pub fn binding(app: &Inner, jar: &CookieJar) -> Option<String> {
    jar.get(&name(app, "browser")).map(|cookie| cookie.value().to_owned())
}

/// Gives the browser a secret; several sign-ins at once share it, as tabs do.
pub fn bind(app: &Inner, jar: CookieJar) -> (CookieJar, String) {
    if let Some(secret) = binding(app, &jar).filter(|secret| secret.len() == 43) {
        return (jar, secret);
    }
    let secret = Secret::plain().reveal().to_owned();
    let cookie = cookie(app, name(app, "browser"), secret.clone());
    (jar.add(cookie), secret)
}

/// The browser's session secret for one connection; one of another connection is never looked at.
pub fn session(app: &Inner, jar: &CookieJar, connection: ConnectionId) -> Option<String> {
    jar.get(&session_name(app, connection)).map(|cookie| cookie.value().to_owned())
}

/// Gives the browser its session.
pub fn keep_session(app: &Inner, jar: CookieJar, connection: ConnectionId, secret: &Secret) -> CookieJar {
    jar.add(cookie(app, session_name(app, connection), secret.reveal().to_owned()))
}

/// The cookies of a request.
pub fn jar(headers: &HeaderMap) -> CookieJar {
    CookieJar::from_headers(headers)
}

fn session_name(app: &Inner, connection: ConnectionId) -> String {
    name(app, &format!("session_{}", connection.0.simple()))
}

/// `__Host-` keeps other hosts from planting the cookie; browsers allow it on encrypted connections only.
fn name(app: &Inner, what: &str) -> String {
    let prefix = if app.is_https() { "__Host-" } else { "" };
    format!("{prefix}gatehouse_{what}")
}

/// Lax: sent when a person follows a link or a redirect here, not when another site posts.
fn cookie(app: &Inner, name: String, value: String) -> Cookie<'static> {
    Cookie::build((name, value)).path("/").http_only(true).secure(app.is_https()).same_site(SameSite::Lax).build()
}

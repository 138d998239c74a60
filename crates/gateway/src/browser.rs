//! Cookies: what ties a sign-in to the browser that started it, and a session to the browser that has it.

use crate::{
    app::Inner,
    pages::Words,
    secret::{self, Secret},
};
use axum::http::HeaderMap;
use axum_extra::extract::cookie::{Cookie, CookieJar, SameSite};
use domain::{email::is_domain, ids::ConnectionId};

/// How long an identity provider that cannot answer requests may take to send the browser back.
const RESTART_MEMORY: time::Duration = time::Duration::minutes(10);

/// How long the domain is remembered.
const DOMAIN_MEMORY: time::Duration = time::Duration::days(365);

/// How long a sign-in may take, and its language is kept.
const LANGUAGE_MEMORY: time::Duration = time::Duration::minutes(15);

/// Sessions that one browser has.
const MOST_SESSIONS: usize = 20;

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

/// The hashes of the browser's session secrets, of whatever connection.
pub fn sessions(app: &Inner, jar: &CookieJar) -> Vec<Vec<u8>> {
    let prefix = name(app, "session_");
    let known = jar.iter().filter(|cookie| cookie.name().starts_with(&prefix));
    known.take(MOST_SESSIONS).map(|cookie| secret::hash(cookie.value()).to_vec()).collect()
}

/// The connections in which the browser may have sessions.
pub fn connections(app: &Inner, jar: &CookieJar) -> Vec<ConnectionId> {
    let prefix = name(app, "session_");
    jar.iter().filter_map(|cookie| cookie.name().strip_prefix(&prefix)?.parse().ok()).take(MOST_SESSIONS).collect()
}

/// Gives the browser its session; one too many goes, so that its cookies still fit into a request.
pub fn keep_session(app: &Inner, jar: CookieJar, connection: ConnectionId, secret: &Secret) -> CookieJar {
    let others: Vec<_> = connections(app, &jar).into_iter().filter(|other| *other != connection).collect();
    let jar = others.iter().skip(MOST_SESSIONS - 1).fold(jar, |jar, other| forget_session(app, jar, *other));
    jar.add(cookie(app, session_name(app, connection), secret.reveal().to_owned()))
}

/// The mail domain with which somebody signed in here last.
pub fn domain(app: &Inner, jar: &CookieJar) -> Option<String> {
    let domain = jar.get(&name(app, "domain"))?.value().to_owned();
    is_domain(&domain).then_some(domain)
}

/// Remembers that, and nothing of who it was.
pub fn keep_domain(app: &Inner, jar: CookieJar, domain: &str) -> CookieJar {
    let mut cookie = cookie(app, name(app, "domain"), domain.to_owned());
    cookie.set_max_age(DOMAIN_MEMORY);
    jar.add(cookie)
}

/// Has the pages of a sign-in speak the language that the application wishes for.
pub fn keep_language(app: &Inner, jar: CookieJar, words: &Words) -> CookieJar {
    let mut cookie = cookie(app, name(app, "language"), words.language());
    cookie.set_max_age(LANGUAGE_MEMORY);
    jar.add(cookie)
}

/// Whether an answer that nobody asked for has just sent this browser back to the identity provider.
pub fn was_restarted(app: &Inner, jar: &CookieJar, connection: ConnectionId) -> bool {
    jar.get(&restart_name(app, connection)).is_some()
}

/// Remembers that, for as long as a person may take for one turn of a circle.
pub fn note_restart(app: &Inner, jar: CookieJar, connection: ConnectionId) -> CookieJar {
    let mut cookie = cookie(app, restart_name(app, connection), "1".to_owned());
    cookie.set_max_age(RESTART_MEMORY);
    jar.add(cookie)
}

/// Forgets that, because the sign-in succeeded, or the circle was found.
pub fn forget_restart(app: &Inner, jar: CookieJar, connection: ConnectionId) -> CookieJar {
    if was_restarted(app, &jar, connection) {
        return jar.remove(cookie(app, restart_name(app, connection), String::new()));
    }
    jar
}

/// Ends what the browser knows of its session.
pub fn forget_session(app: &Inner, jar: CookieJar, connection: ConnectionId) -> CookieJar {
    jar.remove(cookie(app, session_name(app, connection), String::new()))
}

/// The cookies of a request.
pub fn jar(headers: &HeaderMap) -> CookieJar {
    CookieJar::from_headers(headers)
}

fn restart_name(app: &Inner, connection: ConnectionId) -> String {
    name(app, &format!("restart_{}", connection.0.simple()))
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

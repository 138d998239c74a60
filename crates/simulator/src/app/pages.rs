//! The app's pages.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Json, Router, middleware};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Access, Inner, Person};
use crate::web::{self, Failure, cookie};

// Cookies do not know ports: these names must not meet those of the gateway on another port of localhost.
const SESSION: &str = "demo_app_session";
const DEPARTURE: &str = "demo_app_departure";

pub(super) fn router(app: Arc<Inner>) -> Router {
    Router::new()
        .route("/", get(index))
        .route("/start", get(start))
        .route("/callback", get(callback))
        .route("/status", get(status))
        .route("/sign-out", post(sign_out))
        .layer(middleware::from_fn(web::own_forms_only))
        .with_state(app)
}

#[derive(Template)]
#[template(path = "app_start.html")]
struct StartPage<'a> {
    tenant: &'a str,
    ended: bool,
}

#[derive(Template)]
#[template(path = "app_home.html")]
struct HomePage<'a> {
    person: &'a Person,
    tenant: &'a str,
    is_certain: bool,
}

async fn index(State(app): State<Arc<Inner>>, headers: HeaderMap) -> Response {
    let access = match cookie(&headers, SESSION) {
        Some(session) => app.access(session).await,
        None => Access::None,
    };
    let tenant = &app.tenant;
    match access {
        Access::Active(person) => web::page(&HomePage { person: &person, tenant, is_certain: true }),
        Access::Unknown(person) => web::page(&HomePage { person: &person, tenant, is_certain: false }),
        Access::Ended => forget_session(web::page(&StartPage { tenant, ended: true })),
        Access::None => web::page(&StartPage { tenant, ended: false }),
    }
}

/// What a sign-in that begins elsewhere brings along (OpenID Connect Core 4).
#[derive(Deserialize)]
struct Initiation {
    iss: Option<String>,
    login_hint: Option<String>,
    tenant: Option<String>,
}

async fn start(State(app): State<Arc<Inner>>, Query(initiation): Query<Initiation>) -> Result<Response, Failure> {
    if initiation.iss.is_some_and(|issuer| issuer != app.provider.issuer()) {
        return Err(Failure::bad_request("This app does not sign in with that issuer."));
    }
    let tenant = initiation.tenant.as_deref().unwrap_or(&app.tenant);
    let departure = app
        .provider
        .depart(tenant, initiation.login_hint.as_deref())
        .await
        .map_err(|error| Failure::unavailable(format!("{error:#}")))?;
    let cookie = set_cookie(DEPARTURE, &departure.state, "Max-Age=600");
    app.remember(departure.state, departure.nonce, departure.verifier);
    Ok(([(header::SET_COOKIE, cookie)], Redirect::to(&departure.url)).into_response())
}

#[derive(Deserialize)]
struct Callback {
    code: Option<String>,
    state: Option<String>,
    iss: Option<String>,
    error: Option<String>,
    error_description: Option<String>,
}

async fn callback(
    State(app): State<Arc<Inner>>,
    headers: HeaderMap,
    Query(callback): Query<Callback>,
) -> Result<Response, Failure> {
    let state = callback.state.unwrap_or_default();
    // RFC 6749 10.12: only the browser that set out may come back.
    if state.is_empty() || cookie(&headers, DEPARTURE) != Some(state.as_str()) {
        return Err(Failure::bad_request("This browser did not start that sign-in. Start again from the app."));
    }
    // RFC 9207 2.4: the answer must be from whom we asked.
    if callback.iss.as_deref() != Some(app.provider.issuer()) {
        return Err(Failure::bad_request("This answer is from another issuer."));
    }
    let pending = app.recall(&state).ok_or_else(|| Failure::bad_request("This sign-in is too old or was used."))?;
    if let Some(error) = callback.error {
        let description = callback.error_description.unwrap_or_default();
        return Err(Failure::bad_request(format!("The sign-in was refused ({error}). {description}")));
    }
    let code = callback.code.ok_or_else(|| Failure::bad_request("The answer has neither code nor error."))?;
    let arrival = app.provider.arrive(&code, pending.verifier, &pending.nonce).await?;
    let session = app.begin(arrival)?;
    let cookies = [
        (header::SET_COOKIE, set_cookie(SESSION, &session, "")),
        (header::SET_COOKIE, set_cookie(DEPARTURE, "", "Max-Age=0")),
    ];
    Ok((axum::response::AppendHeaders(cookies), Redirect::to("/")).into_response())
}

async fn status(State(app): State<Arc<Inner>>, headers: HeaderMap) -> Response {
    let access = match cookie(&headers, SESSION) {
        Some(session) => app.access(session).await,
        None => Access::None,
    };
    match access {
        Access::Active(_) => answer("active"),
        Access::Unknown(_) => answer("unknown"),
        Access::None => answer("none"),
        Access::Ended => forget_session(answer("ended")),
    }
}

fn answer(access: &str) -> Response {
    let body: Json<Value> = Json(json!({ "access": access }));
    ([(header::CACHE_CONTROL, "no-store")], body).into_response()
}

async fn sign_out(State(app): State<Arc<Inner>>, headers: HeaderMap) -> Response {
    if let Some(session) = cookie(&headers, SESSION) {
        app.sign_out(session).await;
    }
    forget_session(Redirect::to("/").into_response())
}

fn set_cookie(name: &str, value: &str, more: &str) -> String {
    let separator = if more.is_empty() { "" } else { "; " };
    format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax{separator}{more}")
}

fn forget_session(response: Response) -> Response {
    ([(header::SET_COOKIE, set_cookie(SESSION, "", "Max-Age=0"))], response).into_response()
}

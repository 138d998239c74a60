//! The identity provider's pages.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Form, RawQuery, State};
use axum::http::header;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Router, middleware};
use serde::Deserialize;

use super::{Inner, PostedResponse, Report, lock};
use crate::directory::{DirectoryUser, Status};
use crate::web::{self, Failure};

pub(super) fn router(idp: Arc<Inner>) -> Router {
    Router::new()
        .route("/", get(index))
        .route("/metadata", get(metadata))
        .route("/certificate", get(certificate))
        .route("/sso", get(pick))
        .route("/sign-in", post(sign_in))
        .route("/slo", get(log_out))
        .route("/provision", post(provision))
        .layer(middleware::from_fn(web::own_forms_only))
        .with_state(idp)
}

struct Row {
    user: DirectoryUser,
    may_assign: bool,
    may_deactivate: bool,
    may_reactivate: bool,
}

impl From<DirectoryUser> for Row {
    fn from(user: DirectoryUser) -> Self {
        Self {
            may_assign: user.status == Status::Unassigned,
            may_deactivate: user.status == Status::Assigned,
            may_reactivate: user.status == Status::Deactivated,
            user,
        }
    }
}

#[derive(Template)]
#[template(path = "idp_index.html")]
struct IndexPage<'a> {
    entity_id: &'a str,
    sso_url: &'a str,
    rows: Vec<Row>,
    provisions: bool,
    report: Option<&'a Report>,
}

async fn index(State(idp): State<Arc<Inner>>) -> Response {
    let rows = lock(&idp.directory).users.iter().cloned().map(Row::from).collect();
    let report = lock(&idp.report);
    web::page(&IndexPage {
        entity_id: &idp.entity_id(),
        sso_url: &idp.sso_url(),
        rows,
        provisions: idp.okta.is_some(),
        report: report.as_ref(),
    })
}

async fn metadata(State(idp): State<Arc<Inner>>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/samlmetadata+xml")], idp.metadata())
}

async fn certificate(State(idp): State<Arc<Inner>>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/x-pem-file")], idp.key.certificate_pem().to_owned())
}

#[derive(Template)]
#[template(path = "idp_pick.html")]
struct PickPage<'a> {
    service_provider: &'a str,
    request: &'a str,
    users: Vec<DirectoryUser>,
}

async fn pick(State(idp): State<Arc<Inner>>, RawQuery(query): RawQuery) -> Result<Response, Failure> {
    let request = idp.verified(&query.unwrap_or_default()).await?;
    let service_provider = request.entity_id.clone();
    let handle = idp.remember(request);
    let users = lock(&idp.directory).users.clone();
    Ok(web::page(&PickPage { service_provider: &service_provider, request: &handle, users }))
}

#[derive(Deserialize)]
struct Choice {
    request: String,
    user: String,
}

#[derive(Template)]
#[template(path = "idp_post.html")]
struct PostPage<'a> {
    posted: &'a PostedResponse,
}

async fn sign_in(State(idp): State<Arc<Inner>>, Form(choice): Form<Choice>) -> Result<Response, Failure> {
    let request = idp
        .pending(&choice.request)
        .ok_or_else(|| Failure::bad_request("This sign-in is too old. Go back to the app and start again."))?;
    let user = find(&idp, &choice.user)?;
    let posted = idp.answer(&request, &user)?;
    Ok(web::page(&PostPage { posted: &posted }))
}

async fn log_out(State(idp): State<Arc<Inner>>, RawQuery(query): RawQuery) -> Result<Redirect, Failure> {
    let asked = idp.asked_to_log_out(&query.unwrap_or_default(), "SAMLRequest")?;
    Ok(Redirect::to(&idp.logged_out(&asked)?))
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Action {
    Assign,
    Deactivate,
    Reactivate,
}

#[derive(Deserialize)]
struct Order {
    user: String,
    action: Action,
}

async fn provision(State(idp): State<Arc<Inner>>, Form(order): Form<Order>) -> Result<Redirect, Failure> {
    let user = find(&idp, &order.user)?;
    let okta = idp.okta.as_ref().ok_or_else(|| Failure::bad_request("No SCIM connection is set up."))?;
    let mut okta = okta.lock().await;
    okta.exchanges.clear();
    let (verb, outcome) = match order.action {
        Action::Assign => ("Assign", okta.push_user(&user).await.map(|id| (Status::Assigned, Some(id)))),
        Action::Deactivate => ("Deactivate", okta.deactivate(&user).await.map(|()| (Status::Deactivated, None))),
        Action::Reactivate => ("Reactivate", okta.reactivate(&user).await.map(|()| (Status::Assigned, None))),
    };
    let title = format!("{verb} {}", user.display_name());
    let exchanges = std::mem::take(&mut okta.exchanges);
    idp.record(&user, outcome, Report { title, failure: None, exchanges });
    Ok(Redirect::to("/#exchanges"))
}

fn find(idp: &Inner, name: &str) -> Result<DirectoryUser, Failure> {
    lock(&idp.directory).find(name).cloned().ok_or_else(|| Failure::bad_request("Nobody here is called that."))
}

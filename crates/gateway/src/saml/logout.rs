//! Single logout (profiles 4.4): the identity provider ends sessions here, or the user ends one here and there.

use super::{
    carried, carried_in_frame_of,
    checked::{Checked, Form},
    idp,
    keys::Keys,
    service_provider,
    settings::Settings,
    trace::Trace,
};
use crate::{
    app::{App, Inner},
    browser, entropy,
    error::{Error, PageFailure},
    extract::{Client, ConnectionPath},
    oauth::settings as app_settings,
    pages::{self, Brand, SignOut, SignOutPage, Words},
    revocation, secret,
};
use ::saml::{
    code::{Code, Rejection},
    logout::{self, LogoutRequest, LogoutResponse, Message, OwnRequest, OwnResponse, Received},
    request,
    response::{Expected, NameId},
};
use anyhow::Context;
use axum::{
    body::Bytes,
    extract::{RawQuery, State, rejection::BytesRejection},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Redirect, Response},
};
use domain::{
    ids::{ConnectionId, TenantId},
    session::EndReason,
};
use metrics::counter;
use serde_json::json;
use store::{
    applications,
    connections::{self, Connection},
    logouts::{self, NewLogout},
    scope::Actor,
    sessions::{self, EndedSession, Which},
    tenant::TenantTx,
};
use time::OffsetDateTime;

/// How long the identity provider may take to end everybody else's sessions.
const PATIENCE: time::Duration = time::Duration::minutes(15);

/// How a message came.
enum Came {
    Query(String),
    Form { form: Form, is_request: bool },
}

/// `GET /c/{cid}/saml/slo` (bindings 3.4)
pub async fn by_query(
    State(app): State<App>,
    ConnectionPath(connection): ConnectionPath,
    RawQuery(query): RawQuery,
    client: Client,
) -> Result<Response, PageFailure> {
    receive(&app, connection, &client, Came::Query(query.unwrap_or_default())).await
}

/// `POST /c/{cid}/saml/slo` (bindings 3.5)
pub async fn by_form(
    State(app): State<App>,
    ConnectionPath(connection): ConnectionPath,
    client: Client,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, PageFailure> {
    let body = body.map_err(|_| Rejection::new(Code::ResponseTooLarge))?;
    let request = Form::read(&headers, &body, "SAMLRequest");
    let came = match request {
        Err(Rejection { code: Code::ResponseMissing, .. }) => {
            Came::Form { form: Form::read(&headers, &body, "SAMLResponse")?, is_request: false }
        }
        form => Came::Form { form: form?, is_request: true },
    };
    receive(&app, connection, &client, came).await
}

async fn receive(app: &Inner, connection: ConnectionId, client: &Client, came: Came) -> Result<Response, PageFailure> {
    let now = app.clock.now();
    let tenant = app.tenant_of(connection, now).await?;
    let trace = Trace { app, tenant, connection, client, at: now };
    let outcome = heed(app, tenant, connection, came, &trace).await.map_err(PageFailure::from);
    if let Err(PageFailure { error: Error::Saml(rejection), reference, .. }) = &outcome {
        trace.refused(rejection, None, reference);
    }
    outcome
}

async fn heed(
    app: &Inner,
    tenant: TenantId,
    connection: ConnectionId,
    came: Came,
    trace: &Trace<'_>,
) -> Result<Response, Error> {
    let now = trace.at;
    if !app.limits.admits_saml_response(connection) {
        return Err(Rejection::new(Code::RateLimited).into());
    }
    let mut tx = app.tenant(tenant, Actor::Browser, now).await?;
    let stored = connections::by_id(&mut tx, connection).await?.ok_or(Error::NotFound)?;
    let own_keys = Keys::of(&mut tx, connection).await?;
    tx.rollback().await?;
    let checked = Checked::new(app, &stored, &Settings::of(&stored)?, own_keys.decryption(app)?, now)?;
    let judge = move |expected: &Expected<'_>| match came {
        Came::Query(query) => (logout::from_query(&query, expected), ()),
        Came::Form { form: Form { message, relay_state }, is_request } => {
            (logout::from_form(&message, is_request, relay_state, expected), ())
        }
    };
    let (verified, ()) = checked.judge(judge).await?;
    let Received { message, relay_state } = verified?;
    match message {
        Message::Request(request) => {
            let ended = obey(app, tenant, connection, &request, now).await?;
            // One that came before does nothing, and whoever has got hold of it can send it all day.
            if ended > 0 || app.limits.logs_repeat(connection) {
                let understood = json!({ "sessions": ended, "session_indexes": request.session_indexes });
                trace.done(&request.id, "logged out by the identity provider", None, Some(understood));
            }
            answer(app, &stored, &own_keys, &request, relay_state.as_deref(), now)
        }
        Message::Response(response) => {
            let page = conclude(app, tenant, connection, &response, now).await?;
            if app.limits.logs_repeat(connection) {
                trace.done(&response.in_response_to, "logout answered", None, None);
            }
            Ok(page)
        }
    }
}

/// The identity provider wants sessions to end; answers how many did.
async fn obey(
    app: &Inner,
    tenant: TenantId,
    connection: ConnectionId,
    request: &LogoutRequest,
    now: OffsetDateTime,
) -> Result<usize, Error> {
    let LogoutRequest { id, issue_instant, name_id, session_indexes } = request;
    let mut tx = app.tenant(tenant, Actor::Browser, now).await?;
    logouts::lock(&mut tx, connection, &name_id.value).await?;
    let new = NewLogout { connection, id, name_id: &name_id.value, session_indexes, issued_at: *issue_instant };
    // Who sends a request again must not end what began since.
    if !logouts::remember(&mut tx, &new).await? {
        tx.rollback().await?;
        return Ok(0);
    }
    let reason = EndReason::LoggedOut;
    let which = Which::Name { connection, name_id: &name_id.value, session_indexes };
    let ended = revocation::end(&mut tx, which, reason, None).await?;
    tx.commit().await?;
    counter!("gatehouse_saml_logouts_total", "from" => "idp").increment(1);
    Ok(ended.len())
}

/// Tells the identity provider that they have ended, which they have, whether it can be told or not.
fn answer(
    app: &Inner,
    connection: &Connection,
    keys: &Keys,
    request: &LogoutRequest,
    relay_state: Option<&str>,
    now: OffsetDateTime,
) -> Result<Response, Error> {
    let id = request::request_id(entropy::bytes());
    let response = OwnResponse { id: &id, issue_instant: now, in_response_to: &request.id };
    let (sp, signer) = (service_provider(app, connection.id, &Settings::of(connection)?), keys.signer(app)?);
    let provider = idp::of(connection)?;
    let message = response.send(&sp, &provider, &signer, relay_state.unwrap_or_default());
    match message.context("an answer about logout could not be signed")? {
        Some(message) => {
            // It ends in the identity provider's own page, so that one may have it in a frame.
            let origin = provider.slo.as_ref().map(|slo| slo.endpoint.url.origin().ascii_serialization());
            Ok(carried_in_frame_of(message, origin.as_deref()))
        }
        None => Err(Rejection::new(Code::LogoutUnsupported).of_proven().into()),
    }
}

/// The identity provider answers a request of ours.
async fn conclude(
    app: &Inner,
    tenant: TenantId,
    connection: ConnectionId,
    response: &LogoutResponse,
    now: OffsetDateTime,
) -> Result<Response, Error> {
    let mut tx = app.tenant(tenant, Actor::Browser, now).await?;
    let answered = logouts::answer_request(&mut tx, connection, &response.in_response_to).await?;
    let Some(answered) = answered else {
        return Err(Rejection::new(Code::LogoutUnknown).received(&response.in_response_to).of_proven().into());
    };
    let state = if response.is_complete { SignOut::Done } else { SignOut::Partly };
    let page = match answered.return_url {
        Some(url) => Redirect::to(&url).into_response(),
        None => page(&mut tx, connection, state).await?,
    };
    tx.commit().await?;
    Ok(page)
}

/// `GET /c/{cid}/saml/logout`: asks first, because any page may send a browser here.
pub async fn ask(
    State(app): State<App>,
    ConnectionPath(connection): ConnectionPath,
    headers: HeaderMap,
) -> Result<Response, PageFailure> {
    let now = app.clock.now();
    let tenant = app.tenant_of(connection, now).await?;
    let mut tx = app.tenant(tenant, Actor::Browser, now).await?;
    let live = match browser::session(&app, &browser::jar(&headers), connection) {
        Some(session) => sessions::by_token(&mut tx, connection, &secret::hash(&session)).await?,
        None => None,
    };
    let state = if live.is_some() { SignOut::Asked } else { SignOut::Done };
    let page = page(&mut tx, connection, state).await?;
    tx.rollback().await?;
    Ok(page)
}

/// `POST /c/{cid}/saml/logout`: the user signs out, here and at the identity provider.
pub async fn leave(
    State(app): State<App>,
    ConnectionPath(connection): ConnectionPath,
    headers: HeaderMap,
) -> Result<Response, PageFailure> {
    let now = app.clock.now();
    let tenant = app.tenant_of(connection, now).await?;
    let jar = browser::jar(&headers);
    let mut tx = app.tenant(tenant, Actor::Browser, now).await?;
    let ended = match browser::session(&app, &jar, connection) {
        Some(session) => end(&mut tx, connection, &session).await?,
        None => None,
    };
    // Here it has ended, whatever becomes of the rest.
    tx.commit().await?;
    let mut tx = app.tenant(tenant, Actor::Browser, now).await?;
    let response = match ended {
        Some(ended) => match ask_the_identity_provider(&app, &mut tx, &ended, None).await? {
            Some(asked) => asked,
            None => page(&mut tx, connection, SignOut::Here).await?,
        },
        None => page(&mut tx, connection, SignOut::Done).await?,
    };
    tx.commit().await?;
    Ok((browser::forget_session(&app, jar, connection), response).into_response())
}

/// Ends the browser's session, and those of the same session at the identity provider.
pub(crate) async fn end(
    tx: &mut TenantTx,
    connection: ConnectionId,
    session: &str,
) -> Result<Option<EndedSession>, Error> {
    let (hash, reason) = (secret::hash(session), EndReason::SignedOut);
    let Some(name) = sessions::name_by_token(tx, connection, &hash).await? else { return Ok(None) };
    logouts::lock(tx, connection, &name).await?;
    let which = Which::Browser { connection, hash: &hash };
    let Some(ended) = revocation::end(tx, which, reason, None).await?.pop() else { return Ok(None) };
    if let Some(index) = &ended.session_index {
        let session_indexes = std::slice::from_ref(index);
        let which = Which::Name { connection, name_id: &ended.name_id, session_indexes };
        revocation::end(tx, which, reason, None).await?;
    }
    counter!("gatehouse_saml_logouts_total", "from" => "user").increment(1);
    Ok(Some(ended))
}

/// Sends the browser to the identity provider with a request to end its session there; nothing where it takes no part in
/// that. Afterwards the browser goes to that address, or sees a page.
pub(crate) async fn ask_the_identity_provider(
    app: &Inner,
    tx: &mut TenantTx,
    ended: &EndedSession,
    return_url: Option<&str>,
) -> Result<Option<Response>, Error> {
    let connection = ended.connection;
    let stored = connections::by_id(tx, connection).await?.ok_or(Error::NotFound)?;
    let (id, now) = (request::request_id(entropy::bytes()), tx.now());
    let name_id = NameId {
        value: ended.name_id.clone(),
        format: ended.name_id_format.clone(),
        name_qualifier: ended.name_qualifier.clone(),
        sp_name_qualifier: ended.sp_name_qualifier.clone(),
    };
    let session_indexes: Vec<String> = ended.session_index.iter().cloned().collect();
    let request = OwnRequest { id: &id, issue_instant: now, name_id: &name_id, session_indexes: &session_indexes };
    if stored.idp.is_none() {
        return Ok(None);
    }
    let signer = Keys::of(tx, connection).await?.signer(app)?;
    let sp = service_provider(app, connection, &Settings::of(&stored)?);
    let message = request.send(&sp, &idp::of(&stored)?, &signer, id.trim_start_matches('_'));
    match message.context("a logout request could not be signed")? {
        Some(message) => {
            logouts::insert_request(tx, connection, &id, now + PATIENCE, return_url).await?;
            Ok(Some(carried(message)))
        }
        None => Ok(None),
    }
}

async fn page(tx: &mut TenantTx, connection: ConnectionId, state: SignOut) -> Result<Response, Error> {
    let application = applications::of_connection(tx, connection).await?.ok_or(Error::NotFound)?;
    let brand = Brand::of(&application, &app_settings::Settings::of(&application)?);
    let page = SignOutPage { words: Words::here(), brand: Some(&brand), state, action: "", asked: Vec::new() };
    Ok(pages::html(StatusCode::OK, &page))
}

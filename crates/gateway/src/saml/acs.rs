//! The assertion consumer service: a response is verified and kept for the browser that asked for it.
//!
//! The identity provider posts from another site, where this site's Lax cookies are not sent. So no session begins
//! here: the browser comes back by a redirect, with its cookie, to collect the result.

use super::{decryption_keys, identity::Identity, identity_provider, service_provider};
use crate::{
    app::{App, Inner},
    error::{Error, PageFailure},
    extract::ConnectionPath,
    secret::Secret,
};
use ::saml::{
    code::{Code, Rejection},
    response::{self, Expected, VerifiedAssertion},
};
use anyhow::Context;
use axum::{
    body::Bytes,
    extract::{State, rejection::BytesRejection},
    http::{HeaderMap, header},
    response::{IntoResponse, Redirect, Response},
};
use domain::{
    event::{Event, EventKind, Subject},
    ids::{ConnectionId, TenantId},
};
use metrics::counter;
use serde_json::json;
use std::{pin::pin, time::Duration};
use store::{
    connections,
    error::{Constraint, Error as StoreError},
    events,
    scope::Actor,
    sign_in_requests,
};
use time::OffsetDateTime;
use tokio::task::spawn_blocking;
use url::form_urlencoded;

/// How long it takes to refuse what could not be decrypted, whatever was wrong with it: more than any of the steps.
const REFUSAL_TAKES: Duration = Duration::from_millis(100);

/// `POST /c/{cid}/saml/acs` (bindings 3.5)
pub async fn post(
    State(app): State<App>,
    ConnectionPath(connection): ConnectionPath,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, PageFailure> {
    let now = app.clock.now();
    let tenant = app.tenant_of(connection, now).await?;
    let outcome = match body {
        Ok(body) => receive(&app, tenant, connection, &headers, &body, now).await,
        Err(_) => Err(Rejection::new(Code::ResponseTooLarge).into()),
    };
    if let Err(Error::Saml(rejection)) = &outcome {
        counter!("gatehouse_saml_responses_total", "result" => "refused", "code" => rejection.code.id()).increment(1);
        record(&app, tenant, connection, rejection, now).await?;
    }
    let ticket = outcome?;
    counter!("gatehouse_saml_responses_total", "result" => "accepted", "code" => "").increment(1);
    let finish = format!("{}/saml/finish?ticket={}", app.connection_url(connection), ticket.reveal());
    Ok(Redirect::to(&finish).into_response())
}

async fn receive(
    app: &Inner,
    tenant: TenantId,
    connection: ConnectionId,
    headers: &HeaderMap,
    body: &[u8],
    now: OffsetDateTime,
) -> Result<Secret, Error> {
    if !app.limits.admits_saml_response(connection) {
        return Err(Rejection::new(Code::RateLimited).into());
    }
    let saml_response = form_field(headers, body)?;
    let mut tx = app.tenant(tenant, Actor::Browser, now).await?;
    let stored = connections::by_id(&mut tx, connection).await?.ok_or(Error::NotFound)?;
    let keys = decryption_keys(app, &mut tx, connection).await?;
    tx.rollback().await?;
    let (sp, idp) = (service_provider(app, connection), identity_provider(&stored)?);
    let (skew, allow_sha1) = (app.config.saml_clock_skew, stored.allow_sha1);
    // Begins here, so that the time that went by until it is needed counts.
    let uniform = pin!(tokio::time::sleep(REFUSAL_TAKES));
    // A message may cost RSA operations, and other requests must not wait for those of a stranger.
    let verified = spawn_blocking(move || {
        let expected = Expected { sp: &sp, idp: &idp, now, skew, allow_sha1, decryption_keys: &keys };
        response::verify(&saml_response, &expected)
    });
    let assertion = match verified.await.context("a response is verified")? {
        Err(rejection) if rejection.code == Code::Undecryptable => {
            uniform.await;
            return Err(rejection.into());
        }
        verified => verified?,
    };
    keep(app, tenant, connection, &assertion, now).await
}

/// Exactly one SAMLResponse in a form; RelayState is ours, opaque, and not needed back.
fn form_field(headers: &HeaderMap, body: &[u8]) -> Result<String, Error> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err(Rejection::new(Code::WrongBinding).received(kind).into());
    }
    let mut values = form_urlencoded::parse(body).filter(|(name, _)| name == "SAMLResponse").map(|(_, value)| value);
    match (values.next(), values.next()) {
        (Some(value), None) => Ok(value.into_owned()),
        (None, _) => Err(Rejection::new(Code::ResponseMissing).into()),
        (Some(_), Some(_)) => Err(Rejection::new(Code::ResponseRepeated).into()),
    }
}

/// One assertion, one request, one answer: all in one transaction.
async fn keep(
    app: &Inner,
    tenant: TenantId,
    connection: ConnectionId,
    assertion: &VerifiedAssertion,
    now: OffsetDateTime,
) -> Result<Secret, Error> {
    let request_id = assertion.in_response_to().ok_or_else(|| Rejection::new(Code::Unsolicited).of_proven())?;
    let mut tx = app.tenant(tenant, Actor::Browser, now).await?;
    sign_in_requests::remember_assertion(&mut tx, connection, assertion.assertion_id(), assertion.valid_until())
        .await
        .map_err(|error| match error {
            StoreError::Conflict(Constraint::Assertion) => Rejection::new(Code::AssertionReplayed).of_proven().into(),
            error => Error::from(error),
        })?;
    let request = sign_in_requests::for_update(&mut tx, request_id).await?;
    let refused = match request {
        None => Some(Code::RequestUnknown),
        Some(request) if request.connection != connection => Some(Code::RequestOtherConnection),
        Some(request) if request.answered_at.is_some() => Some(Code::RequestUsed),
        Some(request) if request.expires_at <= now => Some(Code::RequestExpired),
        Some(_) => None,
    };
    if let Some(code) = refused {
        tx.rollback().await?;
        return Err(Rejection::new(code).received(request_id).of_proven().into());
    }
    let ticket = Secret::plain();
    let identity = serde_json::to_value(Identity::from(assertion)).context("an identity serializes")?;
    sign_in_requests::answer(&mut tx, request_id, &ticket.hash(), &identity).await?;
    tx.commit().await?;
    Ok(ticket)
}

/// Only what the identity provider really signed is worth an event; anybody can post rubbish.
async fn record(
    app: &Inner,
    tenant: TenantId,
    connection: ConnectionId,
    rejection: &Rejection,
    now: OffsetDateTime,
) -> Result<(), Error> {
    if !rejection.is_proven {
        return Ok(());
    }
    let mut tx = app.tenant(tenant, Actor::Browser, now).await?;
    let data = json!({ "code": rejection.code.id() });
    let event = Event::with(EventKind::LoginFailed, Subject::Connection(connection), data);
    events::append(&mut tx, Some(connection), &[event]).await?;
    Ok(tx.commit().await?)
}

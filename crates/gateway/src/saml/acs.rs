//! The assertion consumer service: a response is verified and kept for the browser that asked for it.
//!
//! The identity provider posts from another site, where this site's Lax cookies are not sent. So no session begins
//! here: the browser comes back by a redirect, with its cookie, to collect the result.

use super::{
    checked::{Checked, Form},
    identity::Identity,
    keys::Keys,
    seen,
    settings::{IdpInitiated, Settings},
    trace::{Trace, understood},
};
use crate::{
    app::{App, Inner},
    entropy,
    error::{Error, PageFailure},
    extract::{Client, ConnectionPath},
    secret::Secret,
};
use ::saml::{
    code::{Code, Rejection},
    request,
    response::{self, Expected, VerifiedAssertion},
    trace::{self, Kept},
};
use anyhow::Context;
use axum::{
    body::Bytes,
    extract::{State, rejection::BytesRejection},
    http::HeaderMap,
    response::{IntoResponse, Redirect, Response},
};
use domain::{
    email::Email,
    event::{Event, EventKind, Subject},
    ids::{ConnectionId, TenantId},
    names::fold,
};
use metrics::counter;
use serde_json::{Value, json};
use store::{
    connections,
    error::{Constraint, Error as StoreError},
    events,
    scope::Actor,
    sign_in_requests::{self, Unsolicited},
};
use time::OffsetDateTime;
use url::Url;

/// How long a browser may take to collect what nobody asked for.
const COLLECTED_WITHIN: time::Duration = time::Duration::minutes(5);

/// `POST /c/{cid}/saml/acs` (bindings 3.5)
pub async fn post(
    State(app): State<App>,
    ConnectionPath(connection): ConnectionPath,
    client: Client,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, PageFailure> {
    let now = app.clock.now();
    let tenant = app.tenant_of(connection, now).await?;
    let trace = Trace { app: &app, tenant, connection, client: &client, at: now };
    let mut seen = Seen::default();
    let outcome = match body {
        Ok(body) => receive(&app, tenant, connection, &headers, &body, &mut seen, now).await,
        Err(_) => Err(Rejection::new(Code::ResponseTooLarge).into()),
    };
    if let Err(Error::Saml(rejection)) = &outcome {
        counter!("gatehouse_saml_responses_total", "result" => "refused", "code" => rejection.code.id()).increment(1);
        record(&app, tenant, connection, rejection, now).await?;
        if let Some(certificate) = &rejection.claimed {
            seen::note(&app, tenant, connection, certificate, now).await?;
        }
        trace.refused(rejection, seen.message.take());
    }
    let accepted = outcome?;
    let (result, step) = match &accepted {
        Accepted::Ticket { .. } => ("accepted", "answered"),
        Accepted::Restart { .. } => ("restarted", "answered without a request, and sent back with one"),
    };
    counter!("gatehouse_saml_responses_total", "result" => result, "code" => "").increment(1);
    let (attempt, path, query) = match &accepted {
        Accepted::Ticket { attempt, ticket } => (attempt.as_str(), "finish", Some(("ticket", ticket.reveal()))),
        Accepted::Restart { target } => ("-", "restart", target.as_deref().map(|target| ("target", target))),
    };
    trace.done(attempt, step, seen.message.map(|kept| kept.xml), seen.understood);
    let mut next = Url::parse(&format!("{}/saml/{path}", app.connection_url(connection))).context("an address")?;
    if let Some((name, value)) = query {
        next.query_pairs_mut().append_pair(name, value);
    }
    Ok(Redirect::to(next.as_str()).into_response())
}

/// What becomes of an answer that was accepted.
enum Accepted {
    /// The browser collects it with this.
    Ticket { attempt: String, ticket: Secret },
    /// Nobody asked for it: the browser goes back with a request of ours, and then on to that place.
    Restart { target: Option<String> },
}

/// What the trace is told of an answer, whatever becomes of it.
#[derive(Default)]
struct Seen {
    message: Option<Kept>,
    understood: Option<Value>,
}

async fn receive(
    app: &Inner,
    tenant: TenantId,
    connection: ConnectionId,
    headers: &HeaderMap,
    body: &[u8],
    seen: &mut Seen,
    now: OffsetDateTime,
) -> Result<Accepted, Error> {
    if !app.limits.admits_saml_response(connection) {
        return Err(Rejection::new(Code::RateLimited).into());
    }
    let form = Form::read(headers, body, "SAMLResponse")?;
    let mut tx = app.tenant(tenant, Actor::Browser, now).await?;
    let stored = connections::by_id(&mut tx, connection).await?.ok_or(Error::NotFound)?;
    let keys = Keys::of(&mut tx, connection).await?.decryption(app)?;
    tx.rollback().await?;
    let settings = Settings::of(&stored)?;
    let saml_response = form.message;
    let checked = Checked::new(app, &stored, &settings, keys, now)?;
    let contents = settings.is_under_test(now);
    let judge = move |expected: &Expected<'_>| {
        (response::verify(&saml_response, expected), trace::kept(&saml_response, contents))
    };
    let (verified, message) = checked.judge(judge).await?;
    seen.message = message;
    let assertion = verified?;
    let identity = Identity::new(&assertion, &settings.mapping);
    seen.understood = understood(&identity, contents);
    guard_domain(&settings, &identity).map_err(Rejection::of_proven)?;
    let target = settings.target(form.relay_state.as_deref());
    if assertion.in_response_to().is_none() {
        match settings.idp_initiated {
            IdpInitiated::Off => return Err(Rejection::new(Code::Unsolicited).of_proven().into()),
            IdpInitiated::Restart => return Ok(Accepted::Restart { target: target.map(str::to_owned) }),
            IdpInitiated::Accept => {}
        }
    }
    if let Some(wanted) = settings.requested_context() {
        assertion.meets(&wanted)?;
    }
    let new = request::request_id(entropy::bytes());
    let attempt = assertion.in_response_to().unwrap_or(&new).to_owned();
    let ticket = keep(app, tenant, connection, &assertion, (&attempt, &identity, target), now).await?;
    Ok(Accepted::Ticket { attempt, ticket })
}

/// The connection's own list of mail domains.
fn guard_domain(settings: &Settings, identity: &Identity) -> Result<(), Rejection> {
    if settings.email_domains.is_empty() {
        return Ok(());
    }
    let Some(email) = identity.email.as_deref().and_then(|email| Email::parse(email).ok()) else {
        return Err(Code::EmailMissing.into());
    };
    if settings.email_domains.iter().any(|domain| fold(domain) == email.domain()) {
        return Ok(());
    }
    Err(Rejection::new(Code::EmailDomainForeign)
        .expected(&settings.email_domains.join(" or "))
        .received(email.domain()))
}

/// One assertion, one request, one answer: all in one transaction.
async fn keep(
    app: &Inner,
    tenant: TenantId,
    connection: ConnectionId,
    assertion: &VerifiedAssertion,
    (request_id, identity, target): (&str, &Identity, Option<&str>),
    now: OffsetDateTime,
) -> Result<Secret, Error> {
    let mut tx = app.tenant(tenant, Actor::Browser, now).await?;
    sign_in_requests::remember_assertion(&mut tx, connection, assertion.assertion_id(), assertion.valid_until())
        .await
        .map_err(|error| match error {
            StoreError::Conflict(Constraint::Assertion) => Rejection::new(Code::AssertionReplayed).of_proven().into(),
            error => Error::from(error),
        })?;
    let ticket = Secret::plain();
    let identity = serde_json::to_value(identity).context("an identity serializes")?;
    if assertion.in_response_to().is_none() {
        let unsolicited = Unsolicited {
            id: request_id,
            connection,
            target,
            ticket_hash: &ticket.hash(),
            identity: &identity,
            expires_at: now + COLLECTED_WITHIN,
        };
        sign_in_requests::insert_unsolicited(&mut tx, &unsolicited).await?;
        tx.commit().await?;
        return Ok(ticket);
    }
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

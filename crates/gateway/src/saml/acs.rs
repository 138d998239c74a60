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
    error::{Error, PageFailure, chain},
    extract::{Client, ConnectionPath},
    secret::Secret,
};
use ::saml::{
    code::{Code, Rejection},
    request,
    response::{self, Expected, VerifiedAssertion},
    trace::Kept,
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
    error::{Constraint, Error as StoreError},
    events,
    responses::{self, Answer, Settled},
    scope::{Actor, Scope},
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
        trace.refused(rejection, seen.message.take());
        // A note is not worth another answer than the refusal.
        if let Err(error) = seen::note(&app, tenant, connection, rejection, now).await {
            tracing::warn!(error = chain(&error), "A certificate that is not trusted could not be noted");
        }
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
    let scope = Scope { tenant, actor: Actor::Browser, now };
    let (stored, keys) = responses::receiver(&app.store, scope, connection).await?.ok_or(Error::NotFound)?;
    let keys = Keys::from_stored(keys, now).decryption(app)?;
    let settings = Settings::of(&stored)?;
    let saml_response = form.message;
    let checked = Checked::new(app, &stored, &settings, keys, now)?;
    let contents = settings.is_under_test(now);
    let judge = move |expected: &Expected<'_>| response::verify_and_keep(&saml_response, expected, contents);
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
    let ticket = keep(app, scope, connection, &assertion, (&attempt, &identity, target)).await?;
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
    scope: Scope,
    connection: ConnectionId,
    assertion: &VerifiedAssertion,
    (attempt, identity, target): (&str, &Identity, Option<&str>),
) -> Result<Secret, Error> {
    let ticket = Secret::plain();
    let identity = serde_json::to_value(identity).context("an identity serializes")?;
    let Some(request_id) = assertion.in_response_to() else {
        let unsolicited = Unsolicited {
            id: attempt,
            connection,
            target,
            ticket_hash: &ticket.hash(),
            identity: &identity,
            expires_at: scope.now + COLLECTED_WITHIN,
        };
        keep_unsolicited(app, scope, assertion, &unsolicited).await?;
        return Ok(ticket);
    };
    let answer = Answer {
        connection,
        request_id,
        assertion_id: assertion.assertion_id(),
        assertion_until: assertion.valid_until(),
        ticket_hash: &ticket.hash(),
        identity: &identity,
    };
    let code = match responses::settle(&app.store, scope, &answer).await? {
        Settled::Taken => return Ok(ticket),
        Settled::Replayed => return Err(Rejection::new(Code::AssertionReplayed).of_proven().into()),
        Settled::NotWaiting(None) => Code::RequestUnknown,
        Settled::NotWaiting(Some(request)) if request.connection != connection => Code::RequestOtherConnection,
        Settled::NotWaiting(Some(request)) if request.answered_at.is_some() => Code::RequestUsed,
        Settled::NotWaiting(Some(_)) => Code::RequestExpired,
    };
    Err(Rejection::new(code).received(request_id).of_proven().into())
}

async fn keep_unsolicited(
    app: &Inner,
    scope: Scope,
    assertion: &VerifiedAssertion,
    new: &Unsolicited<'_>,
) -> Result<(), Error> {
    let mut tx = app.store.tenant(scope).await?;
    sign_in_requests::remember_assertion(&mut tx, new.connection, assertion.assertion_id(), assertion.valid_until())
        .await
        .map_err(|error| match error {
            StoreError::Conflict(Constraint::Assertion) => Rejection::new(Code::AssertionReplayed).of_proven().into(),
            error => Error::from(error),
        })?;
    sign_in_requests::insert_unsolicited(&mut tx, new).await?;
    Ok(tx.commit().await?)
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

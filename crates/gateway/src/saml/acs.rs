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
    secret::{self, Secret},
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
    responses::{self, Answer, Unsettled},
    scope::{Actor, Scope},
    sign_in_requests::{self, Unsolicited},
};
use time::OffsetDateTime;
use url::Url;
use uuid::{Builder, Uuid};

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
    answered(&app, connection, &client, &headers, body).await
}

/// An answer for that connection.
pub(super) async fn answered(
    app: &Inner,
    connection: ConnectionId,
    client: &Client,
    headers: &HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, PageFailure> {
    let now = app.clock.now();
    let tenant = app.tenant_of(connection, now).await?;
    let trace = Trace { app, tenant, connection, client, at: now };
    let mut seen = Seen::default();
    let outcome = match body {
        Ok(body) => receive(app, tenant, connection, headers, &body, &mut seen, now).await,
        Err(_) => Err(Rejection::new(Code::ResponseTooLarge).into()),
    };
    let outcome = outcome.map_err(|error| PageFailure::from(error).in_full(seen.is_test));
    if let Err(PageFailure { error: Error::Saml(rejection), reference, .. }) = &outcome {
        counter!("gatehouse_saml_responses_total", "result" => "refused", "code" => rejection.code.id()).increment(1);
        if !seen.told {
            record(app, tenant, connection, (rejection, seen.assertion.as_deref()), now).await?;
        }
        trace.refused(rejection, seen.message.take(), reference);
        // A note is not worth another answer than the refusal.
        if let Err(error) = seen::note(app, tenant, connection, rejection, now).await {
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
    // Without a request the same answer is sent back with one whenever it comes.
    if !matches!(accepted, Accepted::Restart { .. }) || app.limits.logs_repeat(connection) {
        trace.done(attempt, step, seen.message.map(|kept| kept.xml), seen.understood);
    }
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
    /// The ID of an assertion that was verified.
    assertion: Option<String>,
    /// Whether a test is on.
    is_test: bool,
    /// Whether the refusal has its event already.
    told: bool,
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
    seen.is_test = contents;
    let judge = move |expected: &Expected<'_>| response::verify_and_keep(&saml_response, expected, contents);
    let (verified, message) = checked.judge(judge).await?;
    seen.message = message;
    let assertion = verified?;
    seen.assertion = Some(assertion.assertion_id().to_owned());
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
    let ticket = keep(app, scope, connection, &assertion, (&attempt, &identity, target), &mut seen.told).await?;
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
    told: &mut bool,
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
        event: once(connection, assertion.assertion_id(), "unsettled"),
    };
    let Some(unsettled) = responses::settle(&app.store, scope, &answer, |reason| code(reason).id()).await? else {
        return Ok(ticket);
    };
    *told = true;
    Err(Rejection::new(code(unsettled)).received(request_id).of_proven().into())
}

fn code(unsettled: Unsettled) -> Code {
    match unsettled {
        Unsettled::Replayed => Code::AssertionReplayed,
        Unsettled::Unknown => Code::RequestUnknown,
        Unsettled::OtherConnection => Code::RequestOtherConnection,
        Unsettled::Answered => Code::RequestUsed,
        Unsettled::Expired => Code::RequestExpired,
    }
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

/// Only what the identity provider really signed is worth an event; anybody can post rubbish. And it is worth one only,
/// whoever posts it again.
async fn record(
    app: &Inner,
    tenant: TenantId,
    connection: ConnectionId,
    (rejection, verified): (&Rejection, Option<&str>),
    now: OffsetDateTime,
) -> Result<(), Error> {
    let Some(assertion) = rejection.assertion.as_deref().or(verified).filter(|_| rejection.is_proven) else {
        return Ok(());
    };
    let data = json!({ "code": rejection.code.id() });
    let event = Event::with(EventKind::LoginFailed, Subject::Connection(connection), data);
    let scope = Scope { tenant, actor: Actor::Browser, now };
    let once = once(connection, assertion, rejection.code.id());
    Ok(events::tell(&app.store, scope, connection, (once, &event)).await?)
}

/// The id of the event that tells of an assertion for one reason.
fn once(connection: ConnectionId, assertion: &str, reason: &str) -> Uuid {
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, ..] =
        secret::hash(&format!("{connection} {reason} {assertion}"));
    Builder::from_random_bytes([a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p]).into_uuid()
}

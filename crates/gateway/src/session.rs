//! Where a session begins, whatever proved who it is, and what the browser is answered then.

use crate::{
    app::Inner,
    error::Error,
    inviting,
    oauth::{self, settings::Settings},
    revocation,
    secret::{self, Secret},
};
use ::oidc::{authorize::AuthorizeRequest, error::ErrorCode};
use anyhow::Context;
use axum::response::Response;
use domain::{
    account::Account,
    event::{Event, EventKind, Subject},
    ids::ConnectionId,
    session::{self, EndReason},
};
use serde_json::{Value, json};
use store::{
    applications::{self, Application},
    events,
    sessions::{self, Begun, LiveSession, Name, NewSession, Proof, Which},
    tenant::TenantTx,
    tenants, users,
};
use time::{Duration, OffsetDateTime};

/// What proved who somebody is.
pub struct Proven<'a> {
    pub name: Name<'a>,
    pub session_index: Option<&'a str>,
    /// What the assertion said, as it was mapped.
    pub attributes: &'a Value,
    pub auth_time: OffsetDateTime,
    /// When the identity provider wants the session to end.
    pub not_on_or_after: Option<OffsetDateTime>,
    pub proof: Proof<'a>,
}

/// What a browser came for.
pub struct Came<'a> {
    /// The application's request.
    pub authorize: Option<Value>,
    /// The place in the application that the identity provider names.
    pub target: Option<&'a str>,
}

/// Begins a session for an account that is let in, which an application may have asked for.
///
/// # Errors
/// [`Error::Suspended`]
pub async fn begin(
    tx: &mut TenantTx,
    account: &Account,
    proven: &Proven<'_>,
    secret: &Secret,
    came: &Came<'_>,
) -> Result<(LiveSession, Application), Error> {
    let connection = account.connection_id;
    let application = applications::of_connection(tx, connection).await?.ok_or(Error::NotFound)?;
    let (limits, now) = (Settings::of(&application)?.session_limits(), tx.now());
    let new = NewSession {
        token_hash: &secret.hash(),
        connection,
        account: account.id,
        user: account.user_id,
        name: proven.name,
        session_index: proven.session_index,
        attributes: proven.attributes,
        auth_time: proven.auth_time,
        expires_at: session::expires_at(now, limits, proven.not_on_or_after),
        idle_until: now + limits.idle,
        proof: proven.proof,
        client_id: came.authorize.as_ref().and_then(|request| request["client_id"].as_str()),
    };
    let Begun { id, is_one_too_many, method } = sessions::insert(tx, &new).await?;
    let data = json!({ "user_id": account.user_id, "account_id": account.id });
    let event = Event::with(EventKind::SessionCreated, Subject::Session(id), data);
    events::append(tx, Some(connection), &[event]).await?;
    inviting::arrived(tx, account).await?;
    if let (Proof::Assertion { .. }, Some(method)) = (proven.proof, method) {
        moved(tx, account, &method).await?;
    }
    if is_one_too_many {
        revocation::end(tx, Which::Surplus { account: account.id, new: id }, EndReason::Replaced, None).await?;
    }
    // Everything else that keeps a session from living was looked at before.
    let live = sessions::live(tx, id).await?.ok_or(Error::Suspended)?;
    Ok((live, application))
}

/// Tells once that somebody who signed in otherwise comes by the identity provider now.
async fn moved(tx: &mut TenantTx, account: &Account, method: &str) -> Result<(), Error> {
    if method == users::SSO || !users::set_method(tx, account.user_id, method, users::SSO).await? {
        return Ok(());
    }
    let data = json!({ "account_id": account.id, "from": method, "to": users::SSO });
    let event = Event::with(EventKind::UserSignInMoved, Subject::User(account.user_id), data);
    Ok(events::append(tx, Some(account.connection_id), &[event]).await?)
}

/// Ends the session that a browser had before it began another.
pub async fn end_before(tx: &mut TenantTx, connection: ConnectionId, old: &str) -> Result<(), Error> {
    let which = Which::Browser { connection, hash: &secret::hash(old) };
    revocation::end(tx, which, EndReason::Replaced, None).await?;
    Ok(())
}

/// Notes that a session is used, now and then.
pub async fn used(tx: &mut TenantTx, session: &LiveSession, settings: &Settings) -> Result<(), Error> {
    if let Some(until) = session::idle_until(tx.now(), settings.session_limits(), session.idle_until) {
        sessions::touch(tx, session.id, until).await?;
    }
    Ok(())
}

/// What the browser is answered: the application's request, or the way into it.
pub async fn answer(
    app: &Inner,
    tx: &mut TenantTx,
    (session, application): (LiveSession, Application),
    came: Came<'_>,
) -> Result<Response, Error> {
    let Some(request) = came.authorize else {
        let tenant = tenants::current(tx).await?.ok_or(Error::NotFound)?;
        return Ok(oauth::enter(app, &application, &tenant.slug, came.target));
    };
    let request: AuthorizeRequest = serde_json::from_value(request).context("a kept authorize request reads")?;
    let is_other = request.hinted_user.is_some_and(|hinted| hinted != session.user.0);
    let answer = if is_other {
        request.error(
            ErrorCode::LoginRequired,
            "Another user has signed in than the id_token_hint names.",
            app.issuer(),
        )
    } else if is_proof_old(&request, &session, app.config.saml.clock_skew, tx.now()) {
        request.error(ErrorCode::LoginRequired, "The identity provider did not ask anew.", app.issuer())
    } else {
        oauth::authorize::grant(app, tx, session, &request).await?
    };
    Ok(oauth::answered(&answer))
}

/// Whether the proof is older than the application allows (OpenID Connect Core 3.1.2.1, `max_age`).
fn is_proof_old(request: &AuthorizeRequest, session: &LiveSession, skew: Duration, now: OffsetDateTime) -> bool {
    let oldest = request.max_age.map(|seconds| now - Duration::seconds(i64::from(seconds)) - skew);
    oldest.is_some_and(|oldest| session.auth_time < oldest)
}

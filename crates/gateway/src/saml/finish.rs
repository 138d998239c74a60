//! The browser collects its sign-in: only the one that started it, only once. Here the session begins.

use super::{identity::Identity, trace::Trace, who};
use crate::{
    app::{App, Inner},
    browser,
    error::{Error, PageFailure},
    extract::{Client, ConnectionPath, parameter},
    failures,
    secret::{self, Secret},
    session::{self, Came, Proven},
    setup::people,
};
use ::saml::code::{Code, Rejection};
use anyhow::Context;
use axum::{
    extract::{RawQuery, State},
    http::HeaderMap,
    response::{IntoResponse, Response},
};
use axum_extra::extract::CookieJar;
use domain::{
    account::{Account, Profile},
    event::{Event, EventKind, Subject},
    ids::{ConnectionId, InvitationId, TenantId},
    invitation::Action,
    matching,
    names::fold,
    refusal::Refusal,
};
use metrics::counter;
use serde::Deserialize;
use serde_json::{Value, json};
use store::{
    events, invitations, logouts,
    scope::Actor,
    sessions::{Name, Proof},
    sign_in_requests::{self, AnsweredRequest},
    tenant::TenantTx,
};
use subtle::ConstantTimeEq;
use time::OffsetDateTime;

/// `GET /c/{cid}/saml/finish`
pub async fn get(
    State(app): State<App>,
    ConnectionPath(connection): ConnectionPath,
    RawQuery(query): RawQuery,
    client: Client,
    headers: HeaderMap,
) -> Result<Response, PageFailure> {
    let now = app.clock.now();
    let tenant = app.tenant_of(connection, now).await?;
    // Who is refused may begin again at the tile when that is mended.
    let jar = browser::forget_restart(&app, browser::jar(&headers), connection);
    let ticket = parameter(query.as_deref().unwrap_or_default(), "ticket").unwrap_or_default();
    let ticket = Ticket { tenant, connection, hash: secret::hash(&ticket) };
    let (tx, answered) = ticket.collect(&app, now).await?;
    let attempt = answered.id.clone();
    let outcome = match enter_with(&app, tx, connection, jar.clone(), answered).await {
        // Somebody else made the account at this moment: it is there now.
        Err(Error::Refusal(Refusal::UserNameTaken { .. })) => {
            let (tx, answered) = ticket.collect(&app, now).await?;
            enter_with(&app, tx, connection, jar.clone(), answered).await
        }
        outcome => outcome,
    };
    let outcome = match outcome {
        Ok(response) => Ok(response),
        Err(error) => Err(PageFailure::from(ticket.refuse(&app, now, error).await?)),
    };
    Trace { app: &app, tenant, connection, client: &client, at: now }.ended(&attempt, "signed in", &outcome);
    Ok(outcome.unwrap_or_else(|failure| (jar, failure).into_response()))
}

/// What an answer is collected with, once.
struct Ticket {
    tenant: TenantId,
    connection: ConnectionId,
    hash: [u8; 32],
}

impl Ticket {
    /// The answer, which nobody collects a second time if the transaction is committed.
    async fn collect(&self, app: &Inner, now: OffsetDateTime) -> Result<(TenantTx, AnsweredRequest), Error> {
        let mut tx = app.tenant(self.tenant, Actor::Browser, now).await?;
        let answered = sign_in_requests::collect(&mut tx, self.connection, &self.hash).await?;
        Ok((tx, answered.ok_or_else(|| Rejection::new(Code::TicketUnknown))?))
    }

    /// Tells a "no", with the ticket used up; of what was tried nothing is left. Other errors leave the ticket as well.
    async fn refuse(&self, app: &Inner, now: OffsetDateTime, error: Error) -> Result<Error, Error> {
        let error = match error {
            Error::Refusal(Refusal::UserUnknown) => Rejection::new(Code::UserUnknown).into(),
            Error::Refusal(Refusal::UserDeactivated) => Rejection::new(Code::UserDeactivated).into(),
            error => error,
        };
        let code = match &error {
            Error::Refusal(refusal) => refusal.code(),
            Error::Saml(rejection) => rejection.code.id(),
            _ => return Ok(error),
        };
        let mut tx = app.tenant(self.tenant, Actor::Browser, now).await?;
        // Where it is used up already, that was told with it.
        if let Some(answered) = sign_in_requests::collect(&mut tx, self.connection, &self.hash).await? {
            failed(&mut tx, self.connection, code).await?;
            report(&mut tx, self.connection, &answered.identity, &error).await?;
        }
        tx.commit().await?;
        Ok(error)
    }
}

/// Notes who was kept out for a reason that can be mended.
async fn report(tx: &mut TenantTx, connection: ConnectionId, identity: &Value, error: &Error) -> Result<(), Error> {
    let (code, detail) = match error {
        Error::Refusal(refusal) => (refusal.code(), refusal.to_string()),
        Error::Saml(rejection) if matches!(rejection.code, Code::UserUnknown | Code::UserDeactivated) => {
            (rejection.code.id(), format!("{}. {}", rejection.code.title(), rejection.code.fix()))
        }
        _ => return Ok(()),
    };
    failures::kept_out(tx, connection, identity, (code, &detail)).await
}

async fn failed(tx: &mut TenantTx, connection: ConnectionId, code: &str) -> Result<(), Error> {
    let event = Event::with(EventKind::LoginFailed, Subject::Connection(connection), json!({ "code": code }));
    Ok(events::append(tx, Some(connection), &[event]).await?)
}

/// A session for who the answer is about, and where the browser goes with it.
async fn enter_with(
    app: &Inner,
    mut tx: TenantTx,
    connection: ConnectionId,
    jar: CookieJar,
    answered: AnsweredRequest,
) -> Result<Response, Error> {
    let now = tx.now();
    if answered.is_shut {
        tx.rollback().await?;
        return Err(Error::Suspended);
    }
    let identity = Identity::deserialize(&answered.identity).context("a kept identity reads")?;
    let refused = if answered.expires_at <= now {
        Some(Code::RequestExpired)
    } else if answered.browser_hash.is_some() && !is_same_browser(&answered, browser::binding(app, &jar).as_deref()) {
        Some(Code::RequestOtherBrowser)
    } else if was_logged_out(&mut tx, connection, &identity).await? {
        Some(Code::LoggedOut)
    } else {
        None
    };
    if let Some(code) = refused {
        tx.rollback().await?;
        return Err(Rejection::new(code).into());
    }
    let by_link = answered.invitation.is_some();
    let account = match who::signs_in(&mut tx, connection, &identity, by_link).await {
        Ok(account) => account,
        Err(error) => {
            tx.rollback().await?;
            return Err(error);
        }
    };
    if let Err(refusal) = matching::is_let_in(&account) {
        // Whoever comes is in line from now on.
        failed(&mut tx, connection, refusal.code()).await?;
        tx.commit().await?;
        return Err(refusal.into());
    }
    // Whoever ended everything of this account meant this sign-in, too.
    let began_at = match answered.browser_hash {
        Some(_) => answered.created_at,
        None => answered.created_at.min(identity.issued_at),
    };
    let names = names(&account, &identity);
    if logouts::covers_account(&mut tx, connection, account.id, &names, began_at).await? {
        tx.rollback().await?;
        return Err(Rejection::new(Code::LoggedOut).into());
    }
    let account = match answered.invitation {
        Some(link) => match linked(&mut tx, link, account).await {
            Ok(account) => account,
            Err(error) => {
                tx.rollback().await?;
                return Err(error);
            }
        },
        None => account,
    };
    if let Some(old) = browser::session(app, &jar, connection) {
        session::end_before(&mut tx, connection, &old).await?;
    }
    let secret = Secret::plain();
    let attributes = serde_json::to_value(&identity.attributes).context("attributes serialize")?;
    let came = Came { authorize: answered.authorize, target: answered.target.as_deref() };
    let begun = session::begin(&mut tx, &account, &proven(&identity, &attributes), &secret, &came).await?;
    let response = session::answer(app, &mut tx, begun, came).await?;
    tx.commit().await?;
    counter!("gatehouse_sign_ins_total").increment(1);
    Ok((browser::keep_session(app, jar, connection, &secret), response).into_response())
}

/// Ties the account to whom a link is for.
async fn linked(tx: &mut TenantTx, link: InvitationId, account: Account) -> Result<Account, Error> {
    let invited = invitations::for_update(tx, link).await?.ok_or(Error::NotFound)?;
    let user = invited.user.ok_or(Error::NotFound)?;
    let accepted = invited.invitation.after(Action::Accept, tx.now())?;
    invitations::set_step(tx, link, accepted.step).await?;
    let data = json!({ "user_id": user, "account_id": account.id, "rule": "link" });
    let event = Event::with(EventKind::InvitationAccepted, Subject::Invitation(link), data);
    events::append(tx, Some(account.connection_id), &[event]).await?;
    people::link(tx, account, user).await
}

/// By which somebody may have meant this one without knowing of the account.
fn names(account: &Account, identity: &Identity) -> Vec<String> {
    let Profile { user_name, email, external_id, .. } = &account.profile;
    let own = [Some(identity.name_id.as_str()), identity.email.as_deref(), external_id.as_deref()];
    let kept = [Some(user_name.to_string()), email.as_ref().map(|email| email.key().to_owned())];
    let names = own.into_iter().flatten().map(fold).chain(kept.iter().flatten().map(|name| fold(name)));
    names.chain([logouts::subject_of(account.user_id)]).collect()
}

/// What the assertion proves.
fn proven<'a>(identity: &'a Identity, attributes: &'a Value) -> Proven<'a> {
    Proven {
        name: Name {
            value: &identity.name_id,
            format: identity.name_id_format.as_deref(),
            qualifier: identity.name_qualifier.as_deref(),
            sp_qualifier: identity.sp_name_qualifier.as_deref(),
        },
        session_index: identity.session_index.as_deref(),
        attributes,
        auth_time: identity.auth_time,
        not_on_or_after: identity.session_not_on_or_after,
        proof: Proof::Assertion { context: identity.authn_context.as_deref() },
    }
}

fn is_same_browser(answered: &AnsweredRequest, binding: Option<&str>) -> bool {
    let both = answered.browser_hash.as_deref().zip(binding);
    both.is_some_and(|(hash, binding)| secret::hash(binding).ct_eq(hash).into())
}

/// Whether the identity provider has ended this very session since it began (core 3.7.3.1).
async fn was_logged_out(tx: &mut TenantTx, connection: ConnectionId, identity: &Identity) -> Result<bool, Error> {
    let Identity { name_id, session_index, issued_at, .. } = identity;
    logouts::lock_sign_in(tx, connection, name_id).await?;
    Ok(logouts::covers(tx, connection, name_id, session_index.as_deref(), *issued_at).await?)
}

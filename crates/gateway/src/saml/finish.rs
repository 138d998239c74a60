//! The browser collects its sign-in: only the one that started it, only once. Here the session begins.

use super::{identity::Identity, trace::Trace};
use crate::{
    app::{App, Inner},
    browser,
    error::{Error, PageFailure},
    extract::{Client, ConnectionPath, parameter},
    oauth, provisioning,
    roles::InForce,
    secret::{self, Secret},
};
use ::oidc::{authorize::AuthorizeRequest, error::ErrorCode};
use ::saml::code::{Code, Rejection};
use ::scim::user::UserDocument;
use anyhow::Context;
use axum::{
    extract::{RawQuery, State},
    http::HeaderMap,
    response::{IntoResponse, Redirect, Response},
};
use axum_extra::extract::CookieJar;
use domain::{
    account::{Account, Profile},
    email::Email,
    event::{Event, EventKind, Subject},
    ids::ConnectionId,
    matching::{self, Candidates},
    names::fold,
    provisioning::{self as rules, Roles},
    refusal::Refusal,
    session::{self, EndReason},
};
use metrics::counter;
use serde::Deserialize;
use serde_json::json;
use store::{
    accounts, applications, connections, domains, events, logouts, roles,
    scope::Actor,
    sessions::{self, LiveSession, NewSession},
    sign_in_requests::{self, AnsweredRequest},
    tenant::TenantTx,
    tenants,
};
use subtle::ConstantTimeEq;
use time::{Duration, OffsetDateTime};

/// How often an account is looked up anew when it changes at the same moment.
const LOOKS: usize = 3;

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
    let mut tx = app.tenant(tenant, Actor::Browser, now).await?;
    let ticket = parameter(query.as_deref().unwrap_or_default(), "ticket").unwrap_or_default();
    let answered = sign_in_requests::collect(&mut tx, connection, &secret::hash(&ticket)).await?;
    let answered = answered.ok_or_else(|| Rejection::new(Code::TicketUnknown))?;
    let attempt = answered.id.clone();
    let outcome = enter_with(&app, tx, connection, jar.clone(), answered).await.map_err(PageFailure::from);
    Trace { app: &app, tenant, connection, client: &client, at: now }.ended(&attempt, "signed in", &outcome);
    Ok(outcome.unwrap_or_else(|failure| (jar, failure).into_response()))
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
        let event = Event::with(EventKind::LoginFailed, Subject::Connection(connection), json!({ "code": code.id() }));
        events::append(&mut tx, Some(connection), &[event]).await?;
        // The ticket stays used up.
        tx.commit().await?;
        return Err(Rejection::new(code).into());
    }
    let account = match sign_in(&mut tx, connection, &identity).await {
        Ok(account) => heed_roles(&mut tx, account, &identity).await?,
        Err(error) => return Err(refuse(tx, connection, error).await?),
    };
    if let Some(old) = browser::session(app, &jar, connection) {
        end_replaced(&mut tx, connection, &old).await?;
    }
    let secret = Secret::plain();
    let session = begin(&mut tx, &account, &identity, &secret).await?;
    let response = match answered.authorize {
        Some(request) => {
            let request: AuthorizeRequest =
                serde_json::from_value(request).context("a kept authorize request reads")?;
            let url = if is_proof_old(&request, &session, app.config.saml.clock_skew, now) {
                request.error_url(ErrorCode::LoginRequired, "The identity provider did not ask anew.", app.issuer())
            } else {
                oauth::authorize::grant(app, &mut tx, session, &request).await?
            };
            Redirect::to(&url).into_response()
        }
        None => enter(app, &mut tx, connection, answered.target.as_deref()).await?,
    };
    tx.commit().await?;
    counter!("gatehouse_sign_ins_total").increment(1);
    Ok((browser::keep_session(app, jar, connection, &secret), response).into_response())
}

/// Whether the proof is older than the application allows (OpenID Connect Core 3.1.2.1, `max_age`).
fn is_proof_old(request: &AuthorizeRequest, session: &LiveSession, skew: Duration, now: OffsetDateTime) -> bool {
    let oldest = request.max_age.map(|seconds| now - Duration::seconds(i64::from(seconds)) - skew);
    oldest.is_some_and(|oldest| session.auth_time < oldest)
}

fn is_same_browser(answered: &AnsweredRequest, binding: Option<&str>) -> bool {
    let both = answered.browser_hash.as_deref().zip(binding);
    both.is_some_and(|(hash, binding)| secret::hash(binding).ct_eq(hash).into())
}

/// The account that the identity means, bound to it from now on and locked: a deactivation or a new name that is
/// committed meanwhile must win, or a session would outlive it.
async fn sign_in(tx: &mut TenantTx, connection: ConnectionId, identity: &Identity) -> Result<Account, Error> {
    let name_id = (!identity.transient).then_some(identity.name_id.as_str());
    for _ in 0..LOOKS {
        let found = matching::sign_in(candidates(tx, connection, identity, name_id).await?, name_id)?;
        let locked = accounts::for_update(tx, connection, found.account.id).await?;
        if locked.as_ref() != Some(&found.account) {
            // Somebody changed it between the two statements: look again.
            continue;
        }
        let Some(name_id) = name_id.filter(|_| found.binds) else { return Ok(found.account) };
        let plan = rules::bind(&found.account, name_id);
        return provisioning::carry_out(tx, found.account, plan).await;
    }
    Err(anyhow::anyhow!("an account changed {LOOKS} times while somebody signed in").into())
}

/// The account with the role that it has now that this sign-in has named some.
async fn heed_roles(tx: &mut TenantTx, mut account: Account, identity: &Identity) -> Result<Account, Error> {
    let named = identity.role_names();
    if account.profile.role_basis.assertion == named {
        return Ok(account);
    }
    let in_force = InForce::of(tx, account.connection_id).await?;
    let InForce { catalogue, policy, .. } = &in_force;
    let rule = roles::rule_of(tx, account.id, &policy.rules).await?;
    let Profile { role_basis, document, .. } = &mut account.profile;
    role_basis.attribute.get_or_insert_with(|| UserDocument::from_stored(document.clone()).roles());
    match rules::assert_roles(&account, named, Roles { catalogue, policy, rule, waits: None }) {
        Some(plan) => {
            let plan = crate::roles::guarded(tx, &in_force, &account, plan).await?;
            provisioning::carry_out(tx, account, plan).await
        }
        None => Ok(account),
    }
}

/// Whether the identity provider has ended this very session since it began (core 3.7.3.1).
async fn was_logged_out(tx: &mut TenantTx, connection: ConnectionId, identity: &Identity) -> Result<bool, Error> {
    let Identity { name_id, session_index, issued_at, .. } = identity;
    logouts::lock(tx, connection, name_id).await?;
    Ok(logouts::covers(tx, connection, name_id, session_index.as_deref(), *issued_at).await?)
}

async fn candidates(
    tx: &mut TenantTx,
    connection: ConnectionId,
    identity: &Identity,
    name_id: Option<&str>,
) -> Result<Candidates, Error> {
    let mut candidates = Candidates::default();
    if let Some(name_id) = name_id {
        candidates.bound = accounts::by_name_id(tx, connection, name_id).await?;
        candidates.user_name = accounts::by_user_name(tx, connection, &fold(name_id)).await?;
        candidates.external_id = only(accounts::by_external_id(tx, connection, name_id, 2).await?);
    }
    if let Some(email) = identity.email.as_deref().and_then(|email| Email::parse(email).ok())
        && domains::is_verified(tx, email.domain()).await?
    {
        candidates.verified_email = only(accounts::by_email(tx, connection, email.key(), 2).await?);
    }
    Ok(candidates)
}

/// The one that was meant; two are none.
fn only(mut accounts: Vec<Account>) -> Option<Account> {
    if accounts.len() == 1 { accounts.pop() } else { None }
}

/// Records a business "no" with the ticket used up; other errors leave nothing behind.
async fn refuse(mut tx: TenantTx, connection: ConnectionId, error: Error) -> Result<Error, Error> {
    let Error::Refusal(refusal) = error else { return Ok(error) };
    let (code, error) = match refusal {
        Refusal::UserUnknown => (Code::UserUnknown.id(), Rejection::new(Code::UserUnknown).into()),
        Refusal::UserDeactivated => (Code::UserDeactivated.id(), Rejection::new(Code::UserDeactivated).into()),
        refusal => (refusal.code(), refusal.into()),
    };
    let event = Event::with(EventKind::LoginFailed, Subject::Connection(connection), json!({ "code": code }));
    events::append(&mut tx, Some(connection), &[event]).await?;
    tx.commit().await?;
    Ok(error)
}

async fn end_replaced(tx: &mut TenantTx, connection: ConnectionId, old: &str) -> Result<(), Error> {
    let reason = EndReason::Replaced;
    if let Some(ended) = sessions::end_by_token(tx, connection, &secret::hash(old), reason).await? {
        provisioning::sessions_ended(tx, connection, &[ended.id], reason).await?;
    }
    Ok(())
}

async fn begin(
    tx: &mut TenantTx,
    account: &Account,
    identity: &Identity,
    secret: &Secret,
) -> Result<LiveSession, Error> {
    let attributes = serde_json::to_value(&identity.attributes).context("attributes serialize")?;
    let new = NewSession {
        token_hash: &secret.hash(),
        connection: account.connection_id,
        account: account.id,
        user: account.user_id,
        name: sessions::Name {
            value: &identity.name_id,
            format: identity.name_id_format.as_deref(),
            qualifier: identity.name_qualifier.as_deref(),
            sp_qualifier: identity.sp_name_qualifier.as_deref(),
        },
        session_index: identity.session_index.as_deref(),
        attributes: &attributes,
        auth_time: identity.auth_time,
        expires_at: session::expires_at(tx.now(), identity.session_not_on_or_after),
    };
    let id = sessions::insert(tx, &new).await?;
    let data = json!({ "user_id": account.user_id, "account_id": account.id });
    let event = Event::with(EventKind::SessionCreated, Subject::Session(id), data);
    events::append(tx, Some(account.connection_id), &[event]).await?;
    Ok(sessions::live(tx, id).await?.context("a session that just began is live")?)
}

async fn enter(
    app: &Inner,
    tx: &mut TenantTx,
    connection: ConnectionId,
    target: Option<&str>,
) -> Result<Response, Error> {
    let connection = connections::by_id(tx, connection).await?.ok_or(Error::NotFound)?;
    let application = applications::by_id(tx, connection.application_id).await?.ok_or(Error::NotFound)?;
    let tenant = tenants::current(tx).await?.ok_or(Error::NotFound)?;
    Ok(oauth::enter(app, &application, &tenant.slug, target))
}

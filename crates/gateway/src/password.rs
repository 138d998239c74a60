//! Signing in by a password that the directory synchronizes: for connections that have no identity provider to ask.
//! Whether somebody is unknown, has no password, is deactivated or mistyped is answered alike, and takes as long.

use crate::{
    app::{App, Inner},
    browser, entropy,
    error::{Error, PageFailure},
    extract::{Client, ConnectionPath},
    oauth::settings::Settings,
    pages::{self, Brand, PasswordPage, Words},
    secret::{self, Secret},
    session::{self, Came, Proven},
};
use ::oidc::form::Form;
use ::saml::code::{Code, Rejection};
use anyhow::{Context, anyhow};
use argon2::{Argon2, PasswordHash, PasswordHasher, PasswordVerifier, password_hash::SaltString};
use axum::{
    body::Bytes,
    extract::{RawQuery, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use axum_extra::extract::CookieJar;
use domain::{
    account::Account,
    email::Email,
    event::{Event, EventKind, Subject},
    ids::{ConnectionId, TenantId},
    matching,
    names::fold,
};
use metrics::counter;
use serde_json::json;
use std::sync::LazyLock;
use store::{
    accounts, applications, connections, events, logouts, passwords,
    scope::Actor,
    sessions::{Name, Proof},
    sign_in_requests::{self, WaitingRequest},
    tenant::TenantTx,
};
use time::OffsetDateTime;

/// What somebody who is not there is compared with, so that it takes as long.
static NOBODY: LazyLock<String> = LazyLock::new(|| hash(&entropy::bytes::<32>()).unwrap_or_default());

/// Makes the hash of nobody, so that the first one who is unknown does not wait for it.
pub fn prepare() {
    LazyLock::force(&NOBODY);
}

/// `GET /c/{cid}/password`: the form, for a browser with a sign-in on its way.
pub async fn get(
    State(app): State<App>,
    ConnectionPath(connection): ConnectionPath,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, PageFailure> {
    let query = query.unwrap_or_default();
    let form = Form::parse(&query)?;
    let (request, email) = (form.get("request")?.unwrap_or_default(), form.get("email")?.unwrap_or_default());
    let attempt = Attempt::of(&app, connection, &browser::jar(&headers), app.clock.now()).await?;
    let (tx, waiting) = attempt.waiting(request).await?;
    tx.rollback().await?;
    let problem = if waiting.is_some() { None } else { Some("password-over") };
    Ok(attempt.page(request, email, problem).await?)
}

/// `POST /c/{cid}/password`
pub async fn post(
    State(app): State<App>,
    ConnectionPath(connection): ConnectionPath,
    client: Client,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, PageFailure> {
    let text = std::str::from_utf8(&body).unwrap_or_default();
    let form = Form::parse(text)?;
    let (request, name) = (form.get("request")?.unwrap_or_default(), form.get("email")?.unwrap_or_default());
    let password = form.get("password")?.unwrap_or_default();
    let attempt = Attempt::of(&app, connection, &browser::jar(&headers), app.clock.now()).await?;
    let (mut tx, waiting) = attempt.waiting(request).await?;
    if waiting.is_none() {
        tx.rollback().await?;
        return Ok(attempt.page(request, name, Some("password-over")).await?);
    }
    let Some(tried) = app.limits.admits_password(connection, &fold(name), &client.address) else {
        tx.rollback().await?;
        return Ok(attempt.page(request, name, Some("password-busy")).await?);
    };
    let found = attempt.account(&mut tx, name).await?;
    tx.rollback().await?;
    let (account, hash) = found.map_or((None, None), |(account, hash)| (Some(account), hash));
    let matches = match is_right(&app, attempt.tenant, password, hash.clone()).await {
        Err(Error::TooManyRequests { .. }) => {
            tried.was_right();
            return Ok(attempt.page(request, name, Some("password-busy")).await?);
        }
        matches => matches?,
    };
    let Some((account, hash)) = account.zip(hash).filter(|_| matches) else {
        return Ok(attempt.refuse(request, name).await?);
    };
    match attempt.enter(request, &account, &hash).await? {
        Some(response) => {
            tried.was_right();
            Ok(response)
        }
        None => Ok(attempt.refuse(request, name).await?),
    }
}

/// Argon2id with the parameters that RFC 9106 and OWASP give for 19 MiB, in PHC form; it takes its time: to be made where nobody waits.
///
/// # Errors
/// When the system gives no memory.
pub(crate) fn hash(password: &[u8]) -> anyhow::Result<String> {
    let salt = SaltString::encode_b64(&entropy::bytes::<16>()).map_err(|error| anyhow!("a salt: {error}"))?;
    let hash = Argon2::default().hash_password(password, &salt);
    Ok(hash.map_err(|error| anyhow!("a password hash: {error}"))?.to_string())
}

/// Whether the password belongs to the hash, which takes its time: to be asked where nobody waits.
pub(crate) fn belongs(password: &[u8], hash: &str) -> bool {
    PasswordHash::new(hash).is_ok_and(|hash| Argon2::default().verify_password(password, &hash).is_ok())
}

/// Whether the password belongs to the hash; without one it is compared with nobody's. Hashing has threads of its own and so
/// many places.
///
/// # Errors
/// [`Error::TooManyRequests`] when no place becomes free in time.
pub(crate) async fn is_right(
    app: &Inner,
    tenant: TenantId,
    password: &str,
    hash: Option<String>,
) -> Result<bool, Error> {
    let permit = app.limits.hash_in_time(tenant).await?;
    let password = password.as_bytes().to_vec();
    // The place is given back when the hash is made, also if nobody waits for it any more.
    let checked = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        let is_known = hash.is_some();
        let hash = hash.unwrap_or_else(|| NOBODY.clone());
        belongs(&password, &hash) && is_known
    });
    Ok(checked.await.context("a password is checked")?)
}

/// Who is called that: by the user name, else by the address if only one has it.
pub(crate) async fn called(tx: &mut TenantTx, connection: ConnectionId, name: &str) -> Result<Option<Account>, Error> {
    let found = accounts::by_user_name(tx, connection, &fold(name)).await?;
    let (None, Ok(email)) = (&found, Email::parse(name)) else { return Ok(found) };
    let mut of = accounts::by_email(tx, connection, email.key(), 2).await?;
    Ok(if of.len() == 1 { of.pop() } else { None })
}

/// One try of one browser.
struct Attempt<'a> {
    app: &'a Inner,
    tenant: TenantId,
    connection: ConnectionId,
    jar: CookieJar,
    now: OffsetDateTime,
}

impl<'a> Attempt<'a> {
    async fn of(app: &'a Inner, connection: ConnectionId, jar: &CookieJar, now: OffsetDateTime) -> Result<Self, Error> {
        let tenant = app.tenant_of(connection, now).await?;
        let attempt = Self { app, tenant, connection, jar: jar.clone(), now };
        let mut tx = attempt.tx().await?;
        let stored = connections::by_id(&mut tx, connection).await?.ok_or(Error::NotFound)?;
        tx.rollback().await?;
        if stored.suspended_at.is_some() {
            return Err(Error::Suspended);
        }
        // Where there is an identity provider, nobody gets past it.
        if stored.idp.is_some() || !stored.provisioning.password_sync {
            return Err(Error::NotFound);
        }
        Ok(attempt)
    }

    async fn tx(&self) -> Result<TenantTx, Error> {
        self.app.tenant(self.tenant, Actor::Browser, self.now).await
    }

    /// The sign-in that this browser began and has not finished.
    async fn waiting(&self, request: &str) -> Result<(TenantTx, Option<WaitingRequest>), Error> {
        let mut tx = self.tx().await?;
        let binding = browser::binding(self.app, &self.jar).map(|binding| secret::hash(&binding));
        let waiting = match binding {
            Some(hash) => sign_in_requests::waiting(&mut tx, self.connection, request, &hash).await?,
            None => None,
        };
        Ok((tx, waiting))
    }

    /// Who is called that, and the hash of their password.
    async fn account(&self, tx: &mut TenantTx, name: &str) -> Result<Option<(Account, Option<String>)>, Error> {
        match called(tx, self.connection, name).await? {
            Some(account) => {
                let hash = passwords::of(tx, account.id).await?;
                Ok(Some((account, hash)))
            }
            None => Ok(None),
        }
    }

    /// Lets somebody in whose password was right, if nothing has changed since.
    async fn enter(&self, request: &str, account: &Account, hash: &str) -> Result<Option<Response>, Error> {
        let (mut tx, _) = self.waiting(request).await?;
        logouts::lock_sign_in(&mut tx, self.connection, &account.profile.user_name.to_string()).await?;
        let locked = accounts::for_update(&mut tx, self.connection, account.id).await?;
        let is_same = passwords::of(&mut tx, account.id).await?.as_deref() == Some(hash);
        let locked = locked.filter(|locked| is_same && matching::is_let_in(locked).is_ok());
        let binding = browser::binding(self.app, &self.jar).map(|binding| secret::hash(&binding)).unwrap_or_default();
        let taken = sign_in_requests::answer_waiting(&mut tx, self.connection, request, &binding).await?;
        let Some((account, waiting)) = locked.zip(taken) else {
            tx.rollback().await?;
            return Ok(None);
        };
        // Whoever ended everything of somebody without an account did not mean one whom the directory had brought.
        let names = [logouts::subject_of(account.user_id)];
        if logouts::covers_account(&mut tx, self.connection, account.id, &names, waiting.created_at).await? {
            tx.rollback().await?;
            return Err(Rejection::new(Code::LoggedOut).into());
        }
        if let Some(old) = browser::session(self.app, &self.jar, self.connection) {
            session::end_before(&mut tx, self.connection, &old).await?;
        }
        let (secret, user_name) = (Secret::plain(), account.profile.user_name.to_string());
        let proven = Proven {
            name: Name { value: &user_name, format: None, qualifier: None, sp_qualifier: None },
            session_index: None,
            attributes: &json!({}),
            auth_time: self.now,
            not_on_or_after: None,
            proof: Proof::Password,
        };
        let came = Came { authorize: waiting.authorize, target: waiting.target.as_deref() };
        let begun = session::begin(&mut tx, &account, &proven, &secret, &came).await?;
        let response = session::answer(self.app, &mut tx, begun, came).await?;
        tx.commit().await?;
        counter!("gatehouse_sign_ins_total").increment(1);
        let jar = browser::keep_session(self.app, self.jar.clone(), self.connection, &secret);
        Ok(Some((jar, response).into_response()))
    }

    /// Says no, in the same way to everybody.
    async fn refuse(&self, request: &str, name: &str) -> Result<Response, Error> {
        counter!("gatehouse_wrong_passwords_total").increment(1);
        // Anybody can have one told of, and events stay.
        if self.app.limits.tells_of_wrong_password(self.connection) {
            let mut tx = self.tx().await?;
            let data = json!({ "code": "GH-PWD-001" });
            let event = Event::with(EventKind::LoginFailed, Subject::Connection(self.connection), data);
            events::append(&mut tx, Some(self.connection), &[event]).await?;
            tx.commit().await?;
        }
        self.page(request, name, Some("password-wrong")).await
    }

    async fn page(&self, request: &str, email: &str, problem: Option<&'static str>) -> Result<Response, Error> {
        let mut tx = self.tx().await?;
        let application = applications::of_connection(&mut tx, self.connection).await?.ok_or(Error::NotFound)?;
        tx.rollback().await?;
        let brand = Brand::of(&application, &Settings::of(&application)?);
        let page = PasswordPage { words: Words::here(), brand: &brand, request, email, problem };
        Ok(pages::html(StatusCode::OK, &page))
    }
}

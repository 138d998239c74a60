//! Signing in when the identity provider cannot be asked: by a code that was printed before. Each works once, for one person and for
//! an hour, and everybody who watches hears of it.

use crate::{
    app::{App, Inner},
    browser, entropy,
    error::{Error, PageFailure},
    extract::{Client, ConnectionPath},
    oauth::settings::Settings,
    pages::{self, Brand, BreakGlassPage, Words},
    password,
    secret::Secret,
    session::{self, Came, Proven},
};
use ::oidc::form::Form;
use axum::{
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use axum_extra::extract::CookieJar;
use domain::{
    account::Account,
    event::{Event, EventKind, Subject},
    ids::{ConnectionId, TenantId},
    matching,
    names::fold,
};
use metrics::counter;
use serde_json::json;
use store::{
    accounts, applications,
    break_glass::{self, Code},
    connections, events,
    scope::Actor,
    sessions::{Name, Proof},
    tenant::TenantTx,
};
use time::{Duration, OffsetDateTime};
use tracing::error;

/// How long such a session lasts at most: until somebody has mended the identity provider, or uses the next code.
const LIFETIME: Duration = Duration::hours(1);

/// Characters of a code that are its label, and all of them. The rest is 80 bits.
const LABEL: usize = 4;
const LENGTH: usize = 20;

/// What cannot be mistaken for each other (Crockford's base 32).
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// A code as it is printed, and in its parts.
pub struct Printed {
    pub label: String,
    pub secret: String,
}

impl Printed {
    /// A new one.
    pub fn new() -> Self {
        let characters = entropy::bytes::<LENGTH>().map(|byte| char::from(ALPHABET[usize::from(byte % 32)]));
        let (label, secret) = characters.split_at(LABEL);
        Self { label: label.iter().collect(), secret: secret.iter().collect() }
    }

    /// What somebody typed from paper; `None` if it cannot be a code.
    pub fn read(typed: &str) -> Option<Self> {
        let meant = |character: char| match character.to_ascii_uppercase() {
            'O' => '0',
            'I' | 'L' => '1',
            other => other,
        };
        let typed: String = typed.chars().filter(|character| !matches!(character, '-' | ' ')).map(meant).collect();
        let is_code = typed.len() == LENGTH && typed.bytes().all(|byte| ALPHABET.contains(&byte));
        is_code.then(|| Self { label: typed[..LABEL].to_owned(), secret: typed[LABEL..].to_owned() })
    }

    /// In groups of four.
    pub fn shown(&self) -> String {
        let whole: Vec<char> = self.label.chars().chain(self.secret.chars()).collect();
        whole.chunks(4).map(|group| group.iter().collect::<String>()).collect::<Vec<_>>().join("-")
    }
}

impl Default for Printed {
    fn default() -> Self {
        Self::new()
    }
}

/// `GET /c/{cid}/break-glass`
pub async fn get(
    State(app): State<App>,
    ConnectionPath(connection): ConnectionPath,
    headers: HeaderMap,
) -> Result<Response, PageFailure> {
    let attempt = Attempt::of(&app, connection, &browser::jar(&headers), app.clock.now()).await?;
    Ok(attempt.page("", None).await?)
}

/// `POST /c/{cid}/break-glass`
pub async fn post(
    State(app): State<App>,
    ConnectionPath(connection): ConnectionPath,
    client: Client,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, PageFailure> {
    let text = std::str::from_utf8(&body).unwrap_or_default();
    let form = Form::parse(text)?;
    let (name, typed) = (form.get("email")?.unwrap_or_default(), form.get("code")?.unwrap_or_default());
    let attempt = Attempt::of(&app, connection, &browser::jar(&headers), app.clock.now()).await?;
    let Some(tried) = app.limits.admits_code(connection, &fold(name), &client.address) else {
        return Ok(attempt.page(name, Some("password-busy")).await?);
    };
    let typed = Printed::read(typed).unwrap_or_default();
    let found = attempt.find(name, &typed.label).await?;
    let hash = found.as_ref().map(|(_, code)| code.hash.clone());
    let matches = match password::is_right(&app, attempt.tenant, &typed.secret, hash).await {
        Err(Error::TooManyRequests { .. }) => {
            tried.was_right();
            return Ok(attempt.page(name, Some("password-busy")).await?);
        }
        matches => matches?,
    };
    let entered = match found.filter(|_| matches) {
        Some((account, code)) => attempt.enter(&account, &code, &client.address).await?,
        None => None,
    };
    match entered {
        Some(response) => {
            tried.was_right();
            Ok(response)
        }
        None => {
            attempt.note_refusal().await?;
            Ok(attempt.page(name, Some("break-glass-wrong")).await?)
        }
    }
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
        if stored.suspended_at.is_some() { Err(Error::Suspended) } else { Ok(attempt) }
    }

    async fn tx(&self) -> Result<TenantTx, Error> {
        self.app.tenant(self.tenant, Actor::Browser, self.now).await
    }

    /// Who is called that, and the code of that label.
    async fn find(&self, name: &str, label: &str) -> Result<Option<(Account, Code)>, Error> {
        let mut tx = self.tx().await?;
        let account = password::called(&mut tx, self.connection, name).await?;
        let code = match &account {
            Some(account) => break_glass::find(&mut tx, account.id, label).await?,
            None => None,
        };
        tx.rollback().await?;
        Ok(account.zip(code))
    }

    /// Lets somebody in whose code was right, if it was not used meanwhile.
    async fn enter(&self, account: &Account, code: &Code, address: &str) -> Result<Option<Response>, Error> {
        let mut tx = self.tx().await?;
        let locked = accounts::for_update(&mut tx, self.connection, account.id).await?;
        let locked = locked.filter(|locked| matching::is_let_in(locked).is_ok());
        let is_spent = locked.is_some() && break_glass::spend(&mut tx, code.id, address).await?;
        let Some(account) = locked.filter(|_| is_spent) else {
            tx.rollback().await?;
            return Ok(None);
        };
        if let Some(old) = browser::session(self.app, &self.jar, self.connection) {
            session::end_before(&mut tx, self.connection, &old).await?;
        }
        let (secret, user_name) = (Secret::plain(), account.profile.user_name.to_string());
        let proven = Proven {
            name: Name { value: &user_name, format: None, qualifier: None, sp_qualifier: None },
            session_index: None,
            attributes: &json!({}),
            auth_time: self.now,
            not_on_or_after: Some(self.now + LIFETIME),
            proof: Proof::BreakGlass,
        };
        let came = Came { authorize: None, target: None };
        let begun = session::begin(&mut tx, &account, &proven, &secret, &came).await?;
        let left = break_glass::left(&mut tx, account.id).await?;
        let data = json!({ "user_id": account.user_id, "account_id": account.id, "codes_left": left });
        let event = Event::with(EventKind::BreakGlassUsed, Subject::Connection(self.connection), data);
        events::append(&mut tx, Some(self.connection), &[event]).await?;
        let response = session::answer(self.app, &mut tx, begun, came).await?;
        tx.commit().await?;
        counter!("gatehouse_break_glass_total", "result" => "used").increment(1);
        error!(
            tenant.id = %self.tenant, connection = %self.connection, user = %account.user_id, codes_left = left,
            "Somebody got past the identity provider with an emergency code; if it was not meant, end it: gatehouse session revoke, gatehouse break-glass revoke"
        );
        let jar = browser::keep_session(self.app, self.jar.clone(), self.connection, &secret);
        Ok(Some((jar, response).into_response()))
    }

    async fn note_refusal(&self) -> Result<(), Error> {
        counter!("gatehouse_break_glass_total", "result" => "refused").increment(1);
        // Anybody can have one told of, and events stay.
        if self.app.limits.tells_of_wrong_password(self.connection) {
            let mut tx = self.tx().await?;
            let data = json!({ "code": "GH-PWD-002" });
            let event = Event::with(EventKind::LoginFailed, Subject::Connection(self.connection), data);
            events::append(&mut tx, Some(self.connection), &[event]).await?;
            tx.commit().await?;
        }
        Ok(())
    }

    async fn page(&self, email: &str, problem: Option<&'static str>) -> Result<Response, Error> {
        let mut tx = self.tx().await?;
        let application = applications::of_connection(&mut tx, self.connection).await?.ok_or(Error::NotFound)?;
        tx.rollback().await?;
        let brand = Brand::of(&application, &Settings::of(&application)?);
        let page = BreakGlassPage { words: Words::here(), brand: &brand, email, problem };
        Ok(pages::html(StatusCode::OK, &page))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_as_it_was_printed_and_as_people_type_it() {
        let printed = Printed::new();
        let shown = printed.shown();
        assert_eq!((shown.len(), shown.split('-').count()), (24, 5));
        let same = |typed: &str| {
            Printed::read(typed)
                .is_some_and(|read| (read.label, read.secret) == (printed.label.clone(), printed.secret.clone()))
        };
        assert!(same(&shown) && same(&shown.to_lowercase()) && same(&shown.replace('-', " ")));
        assert!(same(&shown.replace('0', "o").replace('1', "l")));
        for bad in ["", "0123", &format!("{shown}0"), &"U".repeat(LENGTH), &"\u{e4}".repeat(LENGTH / 2)] {
            assert!(Printed::read(bad).is_none(), "{bad}");
        }
        assert_ne!(Printed::new().shown(), shown);
    }
}

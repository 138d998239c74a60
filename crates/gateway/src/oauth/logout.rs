//! An application signs its user out (OpenID Connect RP-Initiated Logout 1.0): of the session here, of everything that
//! grew out of it, and at the identity provider.

use super::{
    client,
    form::{read_browser_form, wrong},
    settings::Settings,
};
use crate::{
    app::{App, Inner},
    browser,
    error::{Error, PageFailure},
    pages::{self, Brand, PostPage, PostedTo, SignOut, SignOutPage, Words},
    revocation,
    saml::logout as single,
    secret,
};
use ::oidc::logout::{self, Hint, LogoutRequest};
use axum::{
    body::Bytes,
    extract::{RawQuery, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Redirect, Response},
};
use axum_extra::extract::CookieJar;
use domain::{
    ids::{ConnectionId, SessionId, TenantId},
    session::EndReason,
};
use store::{
    applications::Application,
    scope::Actor,
    sessions::{self, EndedSession, LiveSession, Which},
    tenant::TenantTx,
};
use time::OffsetDateTime;
use url::form_urlencoded;

/// Says that a form comes from a page of ours.
const AGAIN: &str = "again";

/// `GET /oauth2/logout`
pub async fn get(
    State(app): State<App>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, PageFailure> {
    answer(&app, &query.unwrap_or_default(), &headers).await
}

async fn answer(app: &Inner, encoded: &str, headers: &HeaderMap) -> Result<Response, PageFailure> {
    let leaving = Leaving::read(app, encoded, browser::jar(headers)).await?;
    let here = leaving.sessions().await?;
    // Whoever holds the ID token of this browser's own session is its application.
    let is_sure = leaving.hint.as_ref().is_some_and(|hint| here.iter().all(|session| session.id.0 == hint.session_id));
    let has_more = here.is_empty() && leaving.lives_elsewhere().await?;
    if (is_sure || here.is_empty()) && !has_more {
        return Ok(leaving.leave(here).await?);
    }
    Ok(leaving.ask())
}

/// `POST /oauth2/logout`: other sites post here, and a browser shows no cookie of ours to that; so a page of ours posts it again,
/// and no ID token stands in an address.
pub async fn post(State(app): State<App>, headers: HeaderMap, body: Bytes) -> Result<Response, PageFailure> {
    let encoded = read_browser_form(&body)?;
    let fields: Vec<_> = form_urlencoded::parse(encoded.as_bytes()).collect();
    if fields.iter().any(|(name, _)| name == AGAIN) {
        return answer(&app, encoded, &headers).await;
    }
    LogoutRequest::parse(encoded).map_err(Error::from)?;
    let known = fields.iter().filter(|(name, _)| LogoutRequest::NAMES.contains(&name.as_ref()));
    let mut fields: Vec<_> = known.map(|(name, value)| (name.as_ref(), value.as_ref())).collect();
    fields.push((AGAIN, "1"));
    let page = PostPage { words: Words::here(), action: "/oauth2/logout", fields, to: PostedTo::Ourselves };
    Ok(pages::posting(&page, None))
}

/// `POST /oauth2/logout/confirm`: the user says so.
pub async fn confirm(State(app): State<App>, headers: HeaderMap, body: Bytes) -> Result<Response, PageFailure> {
    let leaving = Leaving::read(&app, read_browser_form(&body)?, browser::jar(&headers)).await?;
    let here = leaving.sessions().await?;
    Ok(leaving.leave(here).await?)
}

/// A browser on its way out.
struct Leaving<'a> {
    app: &'a Inner,
    jar: CookieJar,
    now: OffsetDateTime,
    request: LogoutRequest,
    /// What an ID token of ours says.
    hint: Option<Hint>,
    /// Of which application; of all where the request names none.
    application: Option<Application>,
}

/// A live session of this browser.
struct Here {
    id: SessionId,
    tenant: TenantId,
    connection: ConnectionId,
    secret: String,
}

impl<'a> Leaving<'a> {
    async fn read(app: &'a Inner, encoded: &str, jar: CookieJar) -> Result<Self, Error> {
        let (now, request) = (app.clock.now(), LogoutRequest::parse(encoded)?);
        let sent = request.id_token_hint.as_deref();
        let hint = sent.and_then(|sent| logout::read_hint(sent, &app.keys.all(), app.issuer()));
        // One whose key is gone still says where somebody wants to go back to; then they are asked.
        let hinted = match &hint {
            Some(hint) => Some(hint.client_id.clone()),
            None => sent.and_then(logout::claimed_client),
        };
        let id = match (request.client_id.clone(), hinted) {
            (Some(id), Some(hinted)) if id != hinted => {
                return Err(wrong("The client_id is not the one that the id_token_hint was issued for."));
            }
            (id, hinted) => id.or(hinted),
        };
        let application = match id {
            Some(id) => Some(client::of_browser(app, &id, now).await?),
            None => None,
        };
        let leaving = Self { app, jar, now, request, hint, application };
        leaving.check_return()?;
        Ok(leaving)
    }

    /// Refuses an address that the application did not register: a browser is never sent anywhere else.
    fn check_return(&self) -> Result<(), Error> {
        let Some(uri) = &self.request.post_logout_redirect_uri else { return Ok(()) };
        let Some(application) = &self.application else {
            return Err(wrong("Send client_id or id_token_hint with a post_logout_redirect_uri."));
        };
        if Settings::of(application)?.post_logout_redirect_uris.contains(uri) {
            return Ok(());
        }
        Err(wrong("The post_logout_redirect_uri is not registered for this client; it must match exactly."))
    }

    /// The browser's live sessions in the application.
    async fn sessions(&self) -> Result<Vec<Here>, Error> {
        let mut found = Vec::new();
        for connection in browser::connections(self.app, &self.jar) {
            let Some(cookie) = browser::session(self.app, &self.jar, connection) else { continue };
            let tenant = match self.app.tenant_of(connection, self.now).await {
                Ok(tenant) => tenant,
                Err(Error::NotFound) => continue,
                Err(error) => return Err(error),
            };
            let mut tx = self.app.tenant(tenant, Actor::Browser, self.now).await?;
            let live = sessions::by_token(&mut tx, connection, &secret::hash(&cookie)).await?;
            tx.rollback().await?;
            let wanted = self.application.as_ref().map(|application| application.id);
            let live = live.filter(|session| wanted.is_none_or(|wanted| session.application == wanted));
            found.extend(live.map(|session| Here { id: session.id, tenant, connection, secret: cookie }));
        }
        Ok(found)
    }

    /// Whether the session that the hint is about is alive, though this browser does not have it.
    async fn lives_elsewhere(&self) -> Result<bool, Error> {
        let Some(hint) = &self.hint else { return Ok(false) };
        let mut tx = self.app.tenant(TenantId(hint.tenant_id), Actor::Browser, self.now).await?;
        let live = hinted(&mut tx, hint).await?;
        tx.rollback().await?;
        Ok(live.is_some())
    }

    fn ask(&self) -> Response {
        let LogoutRequest { id_token_hint, client_id, post_logout_redirect_uri, state, sign_in } = &self.request;
        let asked = [
            ("id_token_hint", id_token_hint.clone()),
            ("client_id", client_id.clone()),
            ("post_logout_redirect_uri", post_logout_redirect_uri.clone()),
            ("state", state.clone()),
            ("sign_in", sign_in.clone()),
        ];
        let asked = asked.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
        self.page(SignOut::Asked, asked)
    }

    /// Ends the sessions here, then at the identity provider, and goes where the application wants.
    async fn leave(mut self, here: Vec<Here>) -> Result<Response, Error> {
        let mut ended: Vec<(TenantId, EndedSession)> = Vec::new();
        for session in here {
            let mut tx = self.app.tenant(session.tenant, Actor::Browser, self.now).await?;
            let gone = single::end(&mut tx, session.connection, &session.secret).await?;
            // Here it has ended, whatever becomes of the rest.
            tx.commit().await?;
            ended.extend(gone.map(|gone| (session.tenant, gone)));
            self.jar = browser::forget_session(self.app, self.jar, session.connection);
        }
        if let Some(hint) = &self.hint {
            let tenant = TenantId(hint.tenant_id);
            let mut tx = self.app.tenant(tenant, Actor::Browser, self.now).await?;
            // Of one that is elsewhere, this browser learns nothing, and has nothing to ask the identity provider.
            if let Some(session) = hinted(&mut tx, hint).await? {
                revocation::end(&mut tx, Which::One(session.id), EndReason::SignedOut, None).await?;
            }
            tx.commit().await?;
        }
        let LogoutRequest { post_logout_redirect_uri, state, sign_in, .. } = &self.request;
        let sign_in = sign_in.as_ref().map(|query| format!("{}/oauth2/authorize?{query}", self.app.issuer()));
        let back = post_logout_redirect_uri.as_deref().map(|uri| logout::return_url(uri, state.as_deref()));
        let back = back.or(sign_in);
        for (tenant, session) in &ended {
            let mut tx = self.app.tenant(*tenant, Actor::Browser, self.now).await?;
            let asked = single::ask_the_identity_provider(self.app, &mut tx, session, back.as_deref()).await?;
            tx.commit().await?;
            // A browser can be sent to one place only.
            if let Some(asked) = asked {
                return Ok((self.jar, asked).into_response());
            }
        }
        let response = match back {
            Some(url) => Redirect::to(&url).into_response(),
            None if ended.is_empty() => self.page(SignOut::Done, Vec::new()),
            None => self.page(SignOut::Here, Vec::new()),
        };
        Ok((self.jar, response).into_response())
    }

    fn page(&self, state: SignOut, asked: Vec<(&'static str, String)>) -> Response {
        let looks = |found| Brand::of(found, &Settings::of(found).unwrap_or_default());
        let brand = self.application.as_ref().map(looks);
        let (words, action) = (Words::here(), "/oauth2/logout/confirm");
        pages::html(StatusCode::OK, &SignOutPage { words, brand: brand.as_ref(), state, action, asked })
    }
}

/// The live session that an ID token was written for.
async fn hinted(tx: &mut TenantTx, hint: &Hint) -> Result<Option<LiveSession>, Error> {
    let live = sessions::live(tx, SessionId(hint.session_id)).await?;
    Ok(live.filter(|session| session.user.0 == hint.user_id))
}

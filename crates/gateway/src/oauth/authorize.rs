//! The authorization endpoint (RFC 6749 3.1, OpenID Connect Core 3.1.2): finds the way in, and answers with a code.

use super::{
    client,
    form::by_get,
    par,
    settings::Settings,
    way_in::{self, Named},
};
use crate::{
    app::{App, Inner},
    browser,
    error::{Error, PageFailure},
    extract,
    pages::{Brand, Unknown, Words, words},
    saml::login,
    secret::{self, Kind, Secret},
    session,
};
use ::oidc::{
    authorize::{self, Answer, AuthorizeFailure, AuthorizeRequest, Parameters, Prompt},
    client::Client,
    error::{ErrorCode, OAuthError},
    logout,
};
use anyhow::Context;
use axum::{
    body::Bytes,
    extract::{RawQuery, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use axum_extra::extract::CookieJar;
use domain::ids::{ConnectionId, TenantId};
use store::{
    applications::Application,
    grants,
    scope::Actor,
    sessions::{self, LiveSession, MOST_CLIENT_IDS},
    tenant::TenantTx,
};
use time::{Duration, OffsetDateTime};
use url::form_urlencoded;
use uuid::Uuid;

/// How long a code may be traded for tokens (RFC 6749 4.1.2 allows ten minutes; a redirect needs seconds).
const CODE_LIFETIME: Duration = Duration::seconds(60);

/// `GET /oauth2/authorize`
pub async fn get(
    State(app): State<App>,
    RawQuery(query): RawQuery,
    visitor: extract::Client,
    headers: HeaderMap,
) -> Result<Response, PageFailure> {
    Ok(answer(&app, &query.unwrap_or_default(), &visitor, &headers).await?)
}

/// `POST /oauth2/authorize` (OpenID Connect Core 3.1.2.1)
pub async fn post(State(app): State<App>, body: Bytes) -> Result<Response, PageFailure> {
    Ok(by_get(&app, "/oauth2/authorize", &body)?)
}

/// What one request is answered with.
struct Asked<'a> {
    app: &'a Inner,
    visitor: &'a extract::Client,
    jar: CookieJar,
    now: OffsetDateTime,
    application: Application,
    settings: Settings,
    parameters: Parameters,
    /// What the browser says of the way, where a request that was sent ahead says something that leads nowhere.
    beside: Option<Parameters>,
    /// The query as it came; what was sent ahead is behind its reference.
    encoded: &'a str,
}

async fn answer(app: &Inner, encoded: &str, visitor: &extract::Client, headers: &HeaderMap) -> Result<Response, Error> {
    let now = app.clock.now();
    let sent = Parameters::parse(encoded)?;
    let mut tx = app.control(now).await?;
    let id = sent.client_id.as_deref().ok_or_else(client::unknown)?;
    let (application, _) = client::named(&mut tx, id).await?.ok_or_else(client::unknown)?;
    let ahead = par::sent_ahead(&mut tx, &application, &sent).await?;
    tx.rollback().await?;
    let settings = Settings::of(&application)?;
    let (parameters, beside) = match &ahead {
        Some(parameters) => (Parameters::parse(parameters)?.by_way_of(sent.clone()), Some(sent)),
        None => (sent, None),
    };
    let wish = parameters.ui_locales.as_deref().and_then(Words::wished);
    let kept = wish.as_ref().map(|words| browser::keep_language(app, CookieJar::new(), words));
    let jar = browser::jar(headers);
    let asked = Asked { app, visitor, jar, now, application, settings, parameters, beside, encoded };
    let answer = async {
        if asked.parameters.is_entry_link() { asked.enter().await } else { asked.answer(ahead.is_some()).await }
    };
    // Every page until the sign-in is over speaks the language that is wished for.
    Ok((kept, words::within(wish, answer).await?).into_response())
}

impl Asked<'_> {
    async fn answer(self, was_sent_ahead: bool) -> Result<Response, Error> {
        let app = self.app;
        let request = match authorize::validate(&self.parameters, &self.registered(), app.issuer()) {
            Ok(request) => AuthorizeRequest { hinted_user: self.hinted_user(), ..request },
            Err(AuthorizeFailure::Tell { answer, .. }) => return Ok(super::answered(&answer)),
            Err(AuthorizeFailure::ShowToUser(error)) => return Err(error.into()),
        };
        if self.settings.require_par && !was_sent_ahead {
            let sentence = "This client has to send its requests ahead, to /oauth2/par.";
            return Ok(super::answered(&request.error(ErrorCode::InvalidRequest, sentence, app.issuer())));
        }
        let Some((tenant, connection)) = self.way().await? else {
            return Ok(self.ask_for_organization(Some(&request)));
        };
        let mut tx = app.tenant(tenant, Actor::Browser, self.now).await?;
        if let Some(session) = self.fresh_session(&mut tx, connection, &request).await? {
            session::used(&mut tx, &session, &self.settings).await?;
            let answer = grant(app, &mut tx, session, &request).await?;
            tx.commit().await?;
            return Ok(super::answered(&answer));
        }
        if request.prompt == Prompt::None {
            tx.rollback().await?;
            let answer = request.error(ErrorCode::LoginRequired, "The user has to sign in.", app.issuer());
            return Ok(super::answered(&answer));
        }
        login::start(app, tx, connection, self.visitor, self.jar, login::Purpose::Authorize(&request)).await
    }

    /// Brings whoever follows a bookmark into the application, which asks for its tokens itself then.
    async fn enter(self) -> Result<Response, Error> {
        let Some((tenant, connection)) = self.way().await? else {
            return Ok(self.ask_for_organization(None));
        };
        let hint = self.parameters.login_hint.as_deref();
        login::bookmark(self.app, tenant, connection, self.visitor, self.jar, hint).await
    }

    /// The user of an ID token of ours. What is none of ours names nobody, and so does one whose key is gone.
    fn hinted_user(&self) -> Option<Uuid> {
        let hint = self.parameters.id_token_hint.as_ref()?;
        logout::read_hint(hint, &self.app.keys.all(), self.app.issuer()).map(|hint| hint.user_id)
    }

    async fn way(&self) -> Result<Option<(TenantId, ConnectionId)>, Error> {
        // Who is signed in through one of several connections goes on there.
        let known = browser::sessions(self.app, &self.jar);
        let find =
            |named| way_in::find(self.app, Some(self.application.id), Named { known: &known, ..named }, self.now);
        let ahead = Named::by(&self.parameters);
        match (find(ahead).await?, self.beside.as_ref().map(Named::by)) {
            // Not out of the tenant that was named ahead, if there is one of that name.
            (None, Some(beside)) if beside.connection.is_some() => {
                find(Named { tenant: ahead.tenant.or(ahead.connection), ..beside }).await
            }
            (found, _) => Ok(found),
        }
    }

    /// The application as the protocol sees it, under the name by which it calls itself.
    fn registered(&self) -> Client {
        registered(&self.application, &self.settings, self.parameters.client_id.as_deref().unwrap_or_default())
    }

    fn ask_for_organization(&self, request: Option<&AuthorizeRequest>) -> Response {
        if let Some(request) = request.filter(|request| request.prompt == Prompt::None) {
            let sentence = "The user has to say which organization.";
            return super::answered(&request.error(ErrorCode::LoginRequired, sentence, self.app.issuer()));
        }
        let parameters = &self.parameters;
        let kept = form_urlencoded::parse(self.encoded.as_bytes())
            .filter(|(name, _)| !is_way(name) && !matches!(&**name, "client_id" | "product"));
        // As it was read: what stood beside it may be gone.
        let mut asked = form_urlencoded::Serializer::new(String::new());
        asked.extend_pairs(kept).extend_pairs(parameters.client_id.iter().map(|id| ("client_id", id)));
        let asked = asked.finish();
        let unknown = match (parameters.tenant.as_deref().or(parameters.connection.as_deref()), &parameters.login_hint)
        {
            (Some(name), _) => Some(Unknown::Organization(name)),
            (None, Some(address)) => Some(Unknown::Address(address)),
            (None, None) => None,
        };
        let status = if Named::by(parameters).insists() { StatusCode::NOT_FOUND } else { StatusCode::OK };
        let brand = Brand::of(&self.application, &self.settings);
        let remembered = browser::domain(self.app, &self.jar).filter(|_| unknown.is_none());
        crate::login::page(status, Some(&brand), &asked, remembered.as_deref(), unknown)
    }

    /// The browser's session in that connection, unless the request wants a newer proof.
    async fn fresh_session(
        &self,
        tx: &mut TenantTx,
        connection: ConnectionId,
        request: &AuthorizeRequest,
    ) -> Result<Option<LiveSession>, Error> {
        let Some(cookie) = browser::session(self.app, &self.jar, connection) else { return Ok(None) };
        if request.prompt == Prompt::Login {
            return Ok(None);
        }
        let live = sessions::by_token(tx, connection, &secret::hash(&cookie)).await?;
        let oldest = request.max_age.map(|seconds| tx.now() - Duration::seconds(i64::from(seconds)));
        let is_young = |session: &LiveSession| oldest.is_none_or(|oldest| session.auth_time >= oldest);
        let is_meant = |session: &LiveSession| request.hinted_user.is_none_or(|user| session.user.0 == user);
        Ok(live.filter(|session| is_young(session) && is_meant(session)))
    }
}

/// Whether a parameter says by which way somebody comes.
pub fn is_way(name: &str) -> bool {
    authorize::TENANT.contains(&name)
        || authorize::CONNECTION.contains(&name)
        || matches!(name, "domain_hint" | "login_hint")
}

/// An application as the protocol sees it.
pub(super) fn registered(application: &Application, settings: &Settings, id: &str) -> Client {
    Client {
        id: id.to_owned(),
        redirect_uris: application.redirect_uris.clone(),
        resources: settings.resources.clone(),
    }
}

/// Answers an authorize request with a code for this session.
pub async fn grant(
    app: &Inner,
    tx: &mut TenantTx,
    session: LiveSession,
    request: &AuthorizeRequest,
) -> Result<Answer, Error> {
    app.limits.admit_grant(session.user)?;
    let is_known = session.client_ids.contains(&request.client_id);
    if !is_known && session.client_ids.len() >= MOST_CLIENT_IDS {
        let sentence = "The application asks under too many names in one session.";
        return Err(OAuthError::new(ErrorCode::InvalidRequest, sentence).into());
    }
    // Before the grant: whoever ends the session locks it first.
    if !is_known && !sessions::asked_as(tx, session.id, &request.client_id).await? {
        return Ok(request.error(ErrorCode::LoginRequired, "The user has to sign in.", app.issuer()));
    }
    let code = Secret::of_tenant(Kind::Code, tx.tenant());
    let expires_at = tx.now() + CODE_LIFETIME;
    let kept = serde_json::to_value(request).context("an authorize request serializes")?;
    grants::insert(tx, session.application, session.id, &kept, &code.hash(), expires_at).await?;
    Ok(request.success(code.reveal(), app.issuer()))
}

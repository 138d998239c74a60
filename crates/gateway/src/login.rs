//! The login page: an address, or an organization's name, leads to the right sign-in. Nothing is said of single addresses:
//! only the domain decides where one leads.

use crate::{
    app::{App, Inner},
    browser,
    error::{Error, PageFailure},
    oauth::{
        authorize::is_way,
        client,
        form::{read_browser_form, wrong},
        settings::Settings,
        way_in::{self, Named},
    },
    pages::{self, Brand, LoginPage, Unknown, WaysPage, Words},
};
use ::oidc::{authorize::Parameters, form::Form};
use axum::{
    body::Bytes,
    extract::{RawQuery, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Redirect, Response},
};
use axum_extra::extract::CookieJar;
use domain::{
    email::Email,
    ids::{ConnectionId, TenantId},
};
use store::{
    applications::Application,
    scope::Actor,
    tenants::{self, SignIn},
};
use time::OffsetDateTime;
use url::form_urlencoded;

/// `GET /login`; with an application's request it is the authorization endpoint, as it is at Cognito.
pub async fn get(State(app): State<App>, RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    let query = query.unwrap_or_default();
    if form_urlencoded::parse(query.as_bytes()).any(|(name, _)| name == "client_id") {
        return Redirect::to(&format!("{}/oauth2/authorize?{query}", app.issuer())).into_response();
    }
    let remembered = browser::domain(&app, &browser::jar(&headers));
    page(StatusCode::OK, None, "", remembered.as_deref(), None)
}

/// The login page of an application, with the request that is answered in the end.
pub fn page(
    status: StatusCode,
    brand: Option<&Brand>,
    asked: &str,
    remembered: Option<&str>,
    unknown: Option<Unknown<'_>>,
) -> Response {
    pages::html(status, &LoginPage { words: Words::here(), brand, asked, remembered, unknown })
}

/// `POST /login`
pub async fn post(State(app): State<App>, headers: HeaderMap, body: Bytes) -> Result<Response, PageFailure> {
    let now = app.clock.now();
    let text = read_browser_form(&body)?;
    let asked = Asked::read(&app, text, now).await?;
    let form = Form::parse(text)?;
    let (email, tenant, domain) = (form.get("email")?, form.get("tenant")?, form.get("domain")?);
    let (named, unknown) = match (email, tenant) {
        (Some(typed), _) => (Named { login_hint: Some(typed), ..Named::default() }, Unknown::Address(typed)),
        (None, Some(typed)) => (Named { tenant: Some(typed), ..Named::default() }, Unknown::Organization(typed)),
        (None, None) => (Named { domain_hint: domain, ..Named::default() }, Unknown::Address("")),
    };
    let application = asked.application.as_ref().map(|application| application.id);
    let Some((tenant, connection)) = way_in::find(&app, application, named, now).await? else {
        let brand = asked.brand()?;
        return Ok(page(StatusCode::OK, brand.as_ref(), &asked.query, None, Some(unknown)));
    };
    let (jar, sso) = (remembered(&app, browser::jar(&headers), email, domain), asked.onward(&app, connection, email));
    match asked.own_way(&app, tenant, now).await? {
        Some((brand, own)) => {
            let page = WaysPage { words: Words::here(), brand: &brand, sso: &sso, own: &own };
            Ok((jar, pages::html(StatusCode::OK, &page)).into_response())
        }
        None => Ok((jar, Redirect::to(&sso)).into_response()),
    }
}

/// The domain is kept for the next time, never the address.
fn remembered(app: &Inner, jar: CookieJar, email: Option<&str>, domain: Option<&str>) -> CookieJar {
    let parsed = email.and_then(|email| Email::parse(email).ok());
    match parsed.as_ref().map(Email::domain).or(domain) {
        Some(domain) => browser::keep_domain(app, jar, domain),
        None => jar,
    }
}

/// What the login is for.
struct Asked {
    /// The application's request as a query; empty where nobody asked.
    query: String,
    application: Option<Application>,
}

impl Asked {
    async fn read(app: &Inner, form: &str, now: OffsetDateTime) -> Result<Self, Error> {
        // Longer than any other parameter may be.
        let mut found = form_urlencoded::parse(form.as_bytes()).filter(|(name, _)| name == "asked");
        let query = found.next().map(|(_, value)| value.into_owned()).unwrap_or_default();
        if found.next().is_some() {
            return Err(wrong("The request of the application is sent more than once."));
        }
        let application = match Parameters::parse(&query)?.client_id {
            Some(id) => Some(client::of_browser(app, &id, now).await?),
            None => None,
        };
        Ok(Self { query, application })
    }

    fn brand(&self) -> Result<Option<Brand>, Error> {
        let brand = |application| Ok(Brand::of(application, &Settings::of(application)?));
        self.application.as_ref().map(brand).transpose()
    }

    /// Where somebody of that tenant may sign in otherwise for now.
    async fn own_way(
        &self,
        app: &Inner,
        tenant: TenantId,
        now: OffsetDateTime,
    ) -> Result<Option<(Brand, String)>, Error> {
        let Some(application) = &self.application else { return Ok(None) };
        let settings = Settings::of(application)?;
        let Some(own) = &settings.own_login_uri else { return Ok(None) };
        let mut tx = app.tenant(tenant, Actor::Browser, now).await?;
        let sign_in = tenants::sign_in(&mut tx).await?;
        tx.rollback().await?;
        Ok((sign_in == SignIn::Both).then(|| (Brand::of(application, &settings), own.clone())))
    }

    /// Where it goes on: the application's request with the way in it, or the bookmark of the connection.
    fn onward(&self, app: &Inner, connection: ConnectionId, email: Option<&str>) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        if self.application.is_none() {
            query.extend_pairs(email.map(|email| ("login_hint", email)));
            return format!("{}/saml/login?{}", app.connection_url(connection), query.finish());
        }
        let kept = form_urlencoded::parse(self.query.as_bytes()).filter(|(name, _)| !is_way(name));
        query.extend_pairs(kept).append_pair("connection", &connection.to_string());
        query.extend_pairs(email.map(|email| ("login_hint", email)));
        format!("{}/oauth2/authorize?{}", app.issuer(), query.finish())
    }
}

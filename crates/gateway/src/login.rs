//! The login page: an address, or an organization's name, leads to the right sign-in. Nothing is said of single addresses:
//! only the domain decides where one leads.

use crate::{
    app::{App, Inner},
    browser, domains,
    error::{Error, PageFailure},
    oauth::{
        authorize::WAYS,
        client,
        settings::Settings,
        way_in::{self, Named},
    },
    pages::{self, Brand, LoginPage, Unknown, Words},
};
use ::oidc::{
    authorize::Parameters,
    error::{ErrorCode, OAuthError},
    form::Form,
};
use axum::{
    body::Bytes,
    extract::{RawQuery, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Redirect, Response},
};
use axum_extra::extract::CookieJar;
use domain::{
    email::Email,
    ids::{ApplicationId, ConnectionId, TenantId},
};
use store::{applications::Application, connections, domains as owned, scope::Actor};
use time::OffsetDateTime;
use url::form_urlencoded;

/// The longest request that goes along.
const MAX_ASKED: usize = 16_384;

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
    let text = std::str::from_utf8(&body).ok().filter(|text| text.len() <= 2 * MAX_ASKED);
    let text = text.ok_or_else(|| wrong("The form is too long or not UTF-8."))?;
    let asked = Asked::read(&app, text, now).await?;
    let form = Form::parse(text)?;
    let (email, tenant, domain) = (form.get("email")?, form.get("tenant")?, form.get("domain")?);
    let (way, unknown) = match (email, tenant, domain) {
        (Some(typed), ..) => (asked.by_address(&app, typed, now).await?, Unknown::Address(typed)),
        (None, Some(typed), _) => (asked.by_name(&app, typed, now).await?, Unknown::Organization(typed)),
        (None, None, Some(domain)) => {
            let somebody = format!("somebody@{domain}");
            (asked.by_address(&app, &somebody, now).await?, Unknown::Address(""))
        }
        (None, None, None) => (None, Unknown::Address("")),
    };
    let jar = browser::jar(&headers);
    let Some((_, connection)) = way else {
        let brand = asked.brand()?;
        return Ok(page(StatusCode::OK, brand.as_ref(), &asked.query, None, Some(unknown)));
    };
    let jar = remembered(&app, jar, email, domain);
    Ok((jar, Redirect::to(&asked.onward(&app, connection, email))).into_response())
}

/// The domain is kept for the next time, never the address.
fn remembered(app: &Inner, jar: CookieJar, email: Option<&str>, domain: Option<&str>) -> CookieJar {
    let parsed = email.and_then(|email| Email::parse(email).ok());
    match parsed.as_ref().map(Email::domain).or(domain) {
        Some(domain) => browser::keep_domain(app, jar, domain),
        None => jar,
    }
}

fn wrong(sentence: &str) -> Error {
    OAuthError::new(ErrorCode::InvalidRequest, sentence).into()
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
        if query.len() > MAX_ASKED || found.next().is_some() {
            return Err(wrong("The request of the application is too long."));
        }
        let id = Parameters::parse(&query)?.client_id;
        let application = match id {
            Some(id) => {
                let mut tx = app.control(now).await?;
                let named = client::named(&mut tx, &id).await?;
                tx.rollback().await?;
                Some(named.ok_or_else(|| wrong("The parameter client_id names no application here."))?.0)
            }
            None => None,
        };
        Ok(Self { query, application })
    }

    fn brand(&self) -> Result<Option<Brand>, Error> {
        let brand = |application| Ok(Brand::of(application, &Settings::of(application)?));
        self.application.as_ref().map(brand).transpose()
    }

    async fn by_address(
        &self,
        app: &Inner,
        typed: &str,
        now: OffsetDateTime,
    ) -> Result<Option<(TenantId, ConnectionId)>, Error> {
        let Ok(email) = Email::parse(typed) else { return Ok(None) };
        if let Some(application) = &self.application {
            return Ok(domains::route(&app.store, now, &email, application.id).await?.to);
        }
        // Nobody asked, so any application of the organization will do: that of its oldest connection.
        let mut tx = app.control(now).await?;
        let owner = owned::owner(&mut tx, email.domain()).await?;
        tx.rollback().await?;
        match owner {
            Some((tenant, _)) => Ok(oldest(app, tenant, now).await?.map(|(connection, _)| (tenant, connection))),
            None => Ok(None),
        }
    }

    async fn by_name(
        &self,
        app: &Inner,
        typed: &str,
        now: OffsetDateTime,
    ) -> Result<Option<(TenantId, ConnectionId)>, Error> {
        let named = Named { tenant: Some(typed), ..Named::default() };
        if let Some(application) = &self.application {
            return way_in::find(app, application.id, named, now).await;
        }
        let Some(tenant) = way_in::tenant(app, typed, now).await? else { return Ok(None) };
        Ok(oldest(app, tenant, now).await?.map(|(connection, _)| (tenant, connection)))
    }

    /// Where it goes on: the application's request with the way in it, or the bookmark of the connection.
    fn onward(&self, app: &Inner, connection: ConnectionId, email: Option<&str>) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        if self.application.is_none() {
            query.extend_pairs(email.map(|email| ("login_hint", email)));
            return format!("{}/saml/login?{}", app.connection_url(connection), query.finish());
        }
        let kept = form_urlencoded::parse(self.query.as_bytes()).filter(|(name, _)| !WAYS.contains(&name.as_ref()));
        query.extend_pairs(kept).append_pair("connection", &connection.to_string());
        query.extend_pairs(email.map(|email| ("login_hint", email)));
        format!("{}/oauth2/authorize?{}", app.issuer(), query.finish())
    }
}

/// The oldest connection of a tenant through which somebody can sign in.
async fn oldest(
    app: &Inner,
    tenant: TenantId,
    now: OffsetDateTime,
) -> Result<Option<(ConnectionId, ApplicationId)>, Error> {
    let mut tx = app.tenant(tenant, Actor::Browser, now).await?;
    let all = connections::list(&mut tx).await?;
    tx.rollback().await?;
    let open = all.into_iter().find(way_in::is_open);
    Ok(open.map(|connection| (connection.id, connection.application_id)))
}

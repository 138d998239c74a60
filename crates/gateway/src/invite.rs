//! The page of an invitation. To look at it changes nothing: mail scanners follow links. Signing in accepts it.

use crate::{
    app::{App, Inner},
    browser,
    error::{Error, PageFailure},
    extract::Client,
    oauth::settings::Settings,
    pages::{self, Brand, InvitationPage, Words},
    saml::login::{self, Purpose},
    secret::{self, Kind},
};
use axum::{
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::Response,
};
use domain::invitation::Action;
use store::{
    applications,
    invitations::{self, Invited},
    scope::Actor,
    tenant::TenantTx,
    tenants,
};
use time::OffsetDateTime;

/// `GET /invite/{code}`
pub async fn get(State(app): State<App>, Path(code): Path<String>) -> Result<Response, PageFailure> {
    let (mut tx, invited) = find(&app, &code, app.clock.now()).await?;
    let application = applications::of_connection(&mut tx, invited.connection).await.map_err(Error::from)?;
    let tenant = tenants::current(&mut tx).await.map_err(Error::from)?.ok_or(Error::NotFound)?;
    tx.rollback().await.map_err(Error::from)?;
    let application = application.ok_or(Error::NotFound)?;
    let brand = Brand::of(&application, &Settings::of(&application).map_err(Error::from)?);
    let (words, tenant, email) = (Words::here(), tenant.display_name.as_str(), invited.email.as_str());
    let links = invited.user.is_some();
    Ok(pages::html(StatusCode::OK, &InvitationPage { words, brand: &brand, tenant, email, links }))
}

/// `POST /invite/{code}`: on to the sign-in of the connection, which accepts it.
pub async fn accept(
    State(app): State<App>,
    Path(code): Path<String>,
    client: Client,
    headers: HeaderMap,
) -> Result<Response, PageFailure> {
    let (tx, invited) = find(&app, &code, app.clock.now()).await?;
    let purpose = match invited.user {
        Some(_) => Purpose::Link { invitation: invited.invitation.id, hint: &invited.email },
        None => Purpose::Enter { target: None, hint: Some(&invited.email) },
    };
    Ok(login::start(&app, tx, invited.connection, &client, browser::jar(&headers), purpose).await?)
}

/// The invitation of a code, if it can be accepted.
async fn find(app: &Inner, code: &str, now: OffsetDateTime) -> Result<(TenantTx, Invited), Error> {
    let tenant = secret::claimed_tenant(Kind::Invitation, code).ok_or(Error::NotFound)?;
    let mut tx = app.tenant(tenant, Actor::Browser, now).await?;
    let Some(invited) = invitations::by_code(&mut tx, &secret::hash(code)).await? else {
        tx.rollback().await?;
        return Err(Error::NotFound);
    };
    // Why it cannot, if it cannot; nothing is written down here.
    match invited.invitation.after(Action::Accept, now) {
        Ok(_) => Ok((tx, invited)),
        Err(refusal) => {
            tx.rollback().await?;
            Err(refusal.into())
        }
    }
}

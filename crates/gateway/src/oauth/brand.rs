//! The logo of an application, for pages.

use crate::{
    app::App,
    error::{Error, PageFailure},
};
use axum::{
    extract::{Path, State},
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use domain::ids::ApplicationId;
use store::logos;

/// Every logo has an address of its own: another version is another address.
const CACHE: &str = "public, max-age=86400";

/// A drawing must not run or load anything, also when it is looked at alone.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; sandbox";

/// `GET /brand/{client_id}/logo`
pub async fn logo(State(app): State<App>, Path(id): Path<String>) -> Result<Response, PageFailure> {
    let id: ApplicationId = id.parse().map_err(|_| Error::NotFound)?;
    let mut tx = app.control(app.clock.now()).await?;
    let logo = logos::find(&mut tx, id).await.map_err(Error::from)?;
    tx.rollback().await.map_err(Error::from)?;
    let logo = logo.ok_or(Error::NotFound)?;
    let kind = HeaderValue::from_str(&logo.media_type).map_err(|_| Error::NotFound)?;
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, HeaderValue::from_static(CACHE)),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
    ];
    Ok((headers, logo.image).into_response())
}

//! Logos of applications, for pages.

use crate::{control::ControlTx, error::Result};
use domain::ids::ApplicationId;

/// An image.
#[derive(Debug)]
pub struct Logo {
    pub media_type: String,
    pub image: Vec<u8>,
}

/// The application's logo.
pub async fn find(tx: &mut ControlTx, application: ApplicationId) -> Result<Option<Logo>> {
    let logo = sqlx::query_as!(
        Logo,
        "-- logos::find
         SELECT media_type, image FROM application_logos WHERE application_id = $1",
        application.0
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(logo)
}

/// Gives the application a logo, in place of the one before.
pub async fn set(tx: &mut ControlTx, application: ApplicationId, logo: &Logo) -> Result<()> {
    let now = tx.now();
    sqlx::query!(
        "-- logos::set
         INSERT INTO application_logos (application_id, media_type, image, updated_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (application_id) DO UPDATE
             SET media_type = excluded.media_type, image = excluded.image, updated_at = excluded.updated_at",
        application.0,
        logo.media_type,
        logo.image,
        now
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Takes the logo from the application.
pub async fn remove(tx: &mut ControlTx, application: ApplicationId) -> Result<()> {
    sqlx::query!("-- logos::remove\n DELETE FROM application_logos WHERE application_id = $1", application.0)
        .execute(tx.conn())
        .await?;
    Ok(())
}

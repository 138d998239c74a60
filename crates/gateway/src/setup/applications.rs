//! What an operator does with applications.

use super::taken;
use crate::{
    error::Error,
    oauth::settings::Settings,
    secret::{Kind, Secret},
};
use ::oidc::{client, keys::Algorithm, logout};
use anyhow::Context;
use domain::{ids::ApplicationId, names::Slug, refusal::Refusal, role::RoleCatalogue};
use store::{
    aliases,
    applications::{self, Application, NewApplication},
    logos::{self, Logo},
    store::Store,
};
use time::OffsetDateTime;

/// An application to be registered.
#[derive(Debug)]
pub struct ApplicationSpec {
    pub name: Slug,
    pub display_name: String,
    pub redirect_uris: Vec<String>,
    pub initiate_login_uri: Option<String>,
    pub backchannel_logout_uri: Option<String>,
    /// Highest first; the last is the default.
    pub roles: Vec<String>,
    pub id_token_alg: Algorithm,
    /// A public client has no secret.
    pub public: bool,
    pub settings: Settings,
}

/// Registers an application; the secret of a confidential one is answered once.
///
/// # Errors
/// [`Refusal`] with what cannot be meant.
pub async fn create(
    store: &Store,
    now: OffsetDateTime,
    spec: ApplicationSpec,
) -> Result<(ApplicationId, Option<Secret>), Error> {
    let catalogue = RoleCatalogue::new(spec.roles)?;
    let addresses = Addresses {
        redirect: &spec.redirect_uris,
        initiate: spec.initiate_login_uri.as_deref(),
        backchannel: spec.backchannel_logout_uri.as_deref(),
    };
    check(&addresses, &spec.settings, !spec.public)?;
    let secret = (!spec.public).then(|| Secret::new(Kind::Client));
    let hash = secret.as_ref().map(Secret::hash);
    let settings = serde_json::to_value(&spec.settings).context("settings serialize")?;
    let new = NewApplication {
        slug: spec.name.as_str(),
        display_name: &spec.display_name,
        client_secret_hash: hash.as_ref().map(<[u8; 32]>::as_slice),
        redirect_uris: &spec.redirect_uris,
        initiate_login_uri: spec.initiate_login_uri.as_deref(),
        backchannel_logout_uri: spec.backchannel_logout_uri.as_deref(),
        catalogue: &catalogue,
        id_token_alg: spec.id_token_alg.as_str(),
        settings: &settings,
    };
    let mut tx = store.control(now).await?;
    let id = applications::insert(&mut tx, &new).await.map_err(|error| taken(error, spec.name.as_str()))?;
    tx.commit().await?;
    Ok((id, secret))
}

/// Changes what may change of an application.
///
/// # Errors
/// [`Error::NotFound`], or a [`Refusal`] with what cannot be meant.
pub async fn change(
    store: &Store,
    now: OffsetDateTime,
    name: &str,
    change: impl FnOnce(&mut Application, &mut Settings),
) -> Result<Application, Error> {
    let mut tx = store.control(now).await?;
    let mut application = applications::for_update(&mut tx, name).await?.ok_or(Error::NotFound)?;
    let has_secret = applications::client(&mut tx, application.id).await?.is_some_and(|(_, secret)| secret.is_some());
    let mut settings = Settings::of(&application)?;
    let (had_keys, invited_for) = (settings.jwks.is_some(), settings.mailed_for());
    change(&mut application, &mut settings);
    if had_keys && settings.jwks.is_none() && !has_secret {
        let problem =
            "it has no secret, so without keys anybody could call himself this application; give another key set";
        return Err(Refusal::ChangeImpossible { problem: problem.to_owned() }.into());
    }
    let addresses = Addresses {
        redirect: &application.redirect_uris,
        initiate: application.initiate_login_uri.as_deref(),
        backchannel: application.backchannel_logout_uri.as_deref(),
    };
    check(&addresses, &settings, has_secret)?;
    application.settings = serde_json::to_value(&settings).context("settings serialize")?;
    applications::update(&mut tx, &application).await?;
    if settings.mailed_for() != invited_for {
        applications::forget_what_is_remembered(&mut tx, application.id).await?;
    }
    tx.commit().await?;
    Ok(application)
}

/// Gives an application more roles. Those that it has stay, and the highest and the default stay where they are.
///
/// # Errors
/// [`Error::NotFound`], [`Refusal::RolesInvalid`], or [`Refusal::ChangeImpossible`].
pub async fn add_roles(store: &Store, now: OffsetDateTime, name: &str, roles: Vec<String>) -> Result<(), Error> {
    let catalogue = RoleCatalogue::new(roles)?;
    let mut tx = store.control(now).await?;
    let application = applications::for_update(&mut tx, name).await?.ok_or(Error::NotFound)?;
    let (old, new) = (application.catalogue.roles(), catalogue.roles());
    let is_more = old.iter().all(|role| new.contains(role)) && old.first() == new.first() && old.last() == new.last();
    if !is_more {
        let problem = format!(
            "roles can only be added: give all of {} as well, the first and the last in their places",
            old.join(", ")
        );
        return Err(Refusal::ChangeImpossible { problem }.into());
    }
    applications::set_roles(&mut tx, application.id, &catalogue).await?;
    Ok(tx.commit().await?)
}

/// Gives a confidential application another secret; the one before stops to work.
///
/// # Errors
/// [`Error::NotFound`], or [`Refusal::ChangeImpossible`] for a public client.
pub async fn rotate_secret(store: &Store, now: OffsetDateTime, name: &str) -> Result<Secret, Error> {
    let mut tx = store.control(now).await?;
    let application = applications::for_update(&mut tx, name).await?.ok_or(Error::NotFound)?;
    let (_, secret) = applications::client(&mut tx, application.id).await?.ok_or(Error::NotFound)?;
    if secret.is_none() {
        let problem = "a public client has no secret; its codes are bound by PKCE".to_owned();
        return Err(Refusal::ChangeImpossible { problem }.into());
    }
    let secret = Secret::new(Kind::Client);
    applications::set_secret(&mut tx, application.id, &secret.hash()).await?;
    tx.commit().await?;
    Ok(secret)
}

/// Bytes of a logo.
const LARGEST_LOGO: usize = 65_536;

/// Gives an application a logo, or takes it away.
///
/// # Errors
/// [`Error::NotFound`], or [`Refusal::ChangeImpossible`] for what is no image for a page.
pub async fn set_logo(store: &Store, now: OffsetDateTime, name: &str, image: Option<Vec<u8>>) -> Result<(), Error> {
    let logo = match image {
        Some(image) if image.len() > LARGEST_LOGO => {
            let problem = "the logo is larger than 64 KB; make it smaller, 40 pixels high are shown".to_owned();
            return Err(Refusal::ChangeImpossible { problem }.into());
        }
        Some(image) => {
            let kind = media_type(&image).ok_or_else(|| Refusal::ChangeImpossible {
                problem: "the logo is no PNG, JPEG, WebP or SVG image".to_owned(),
            })?;
            Some(Logo { media_type: kind.to_owned(), image })
        }
        None => None,
    };
    let mut tx = store.control(now).await?;
    let mut application = applications::for_update(&mut tx, name).await?.ok_or(Error::NotFound)?;
    let mut settings = Settings::of(&application)?;
    settings.logo = logo.as_ref().map(|_| tx.new_id().simple().to_string());
    application.settings = serde_json::to_value(&settings).context("settings serialize")?;
    applications::update(&mut tx, &application).await?;
    match &logo {
        Some(logo) => logos::set(&mut tx, application.id, logo).await?,
        None => logos::remove(&mut tx, application.id).await?,
    }
    Ok(tx.commit().await?)
}

/// By its first bytes, whatever the file is called.
fn media_type(image: &[u8]) -> Option<&'static str> {
    match image {
        [0x89, b'P', b'N', b'G', ..] => Some("image/png"),
        [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some("image/webp"),
        _ => {
            let text = std::str::from_utf8(image).ok()?.trim_start();
            (text.starts_with("<svg") || (text.starts_with("<?xml") && text.contains("<svg")))
                .then_some("image/svg+xml")
        }
    }
}

/// Gives an application another client_id, from a system before this one, or takes it away.
///
/// # Errors
/// [`Error::NotFound`], [`Refusal::NameTaken`]
pub async fn alias(store: &Store, now: OffsetDateTime, name: &str, alias: &str, remove: bool) -> Result<(), Error> {
    super::aliases::check(alias)?;
    let mut tx = store.control(now).await?;
    let application = applications::by_slug(&mut tx, name).await?.ok_or(Error::NotFound)?;
    if remove {
        if !aliases::remove_of_application(&mut tx, alias, application.id).await? {
            return Err(Error::NotFound);
        }
    } else {
        // A short name or an id of ours leads to what it names.
        let is_ours = applications::by_slug(&mut tx, alias).await?.is_some();
        if is_ours || super::aliases::is_own_id(&mut tx, alias).await? {
            return Err(Refusal::NameTaken { name: alias.to_owned() }.into());
        }
        let added = aliases::insert_application(&mut tx, alias, application.id).await;
        added.map_err(|error| taken(error, alias))?;
    }
    Ok(tx.commit().await?)
}

struct Addresses<'a> {
    redirect: &'a [String],
    initiate: Option<&'a str>,
    backchannel: Option<&'a str>,
}

fn check(addresses: &Addresses<'_>, settings: &Settings, has_secret: bool) -> Result<(), Refusal> {
    let is_confidential = has_secret || settings.jwks.is_some();
    if settings.client_credentials && !is_confidential {
        let problem = "a public client has no tokens of its own: it cannot prove that it is itself. Give it a key set, or register it with a secret";
        return Err(Refusal::ChangeImpossible { problem: problem.to_owned() });
    }
    let invalid = |what, problem| Refusal::UriInvalid { what, problem };
    let uris = |what, uris: &[String]| client::check_redirect_uris(uris).map_err(|problem| invalid(what, problem));
    uris("redirect URI", addresses.redirect)?;
    if let Some(uri) = addresses.initiate {
        uris("initiate_login_uri", &[uri.to_owned()])?;
    }
    if let Some(uri) = addresses.backchannel {
        let checked = logout::check_backchannel_uri(uri, is_confidential);
        checked.map_err(|problem| invalid("backchannel_logout_uri", problem))?;
    }
    if let Some(uri) = &settings.own_login_uri {
        uris("own_login_uri", std::slice::from_ref(uri))?;
    }
    if !settings.post_logout_redirect_uris.is_empty() {
        uris("post_logout_redirect_uri", &settings.post_logout_redirect_uris)?;
    }
    settings.check()
}

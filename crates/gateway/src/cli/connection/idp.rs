//! `gatehouse connection idp` and `refresh`: who the identity provider is.

use super::Field;
use crate::{
    cli::{Desk, output::moment},
    outbound::Version,
    saml::idp,
    setup::{
        self,
        idp::{Found, Metadata, fetch},
    },
    watch::{self, Asked, Place},
};
use anyhow::{Context, anyhow, bail};
use clap::{Args, ValueEnum};
use domain::ids::ConnectionId;
use saml::idp::{IdentityProvider, IdpCertificate, LogoutService};
use serde_json::json;
use std::path::PathBuf;
use store::{
    connections::{self, Connection},
    seen_certificates,
    tenant::TenantTx,
    watches,
};
use time::OffsetDateTime;

/// Days before the end of a certificate from which it is mentioned here.
const SOON: i64 = 30;

#[derive(Debug, Args)]
pub struct Idp {
    /// The connection's id.
    pub id: ConnectionId,
    #[command(flatten)]
    given: Given,
    /// Okta: "Identity Provider Issuer".
    #[arg(long, value_name = "ID", requires = "sso_url")]
    issuer: Option<String>,
    /// Okta: "X.509 Certificate".
    #[arg(long, value_name = "FILE", requires = "sso_url")]
    certificate_file: Option<PathBuf>,
    /// Okta: "Identity Provider Single Logout URL", with the three fields; without it there is no single logout.
    #[arg(long, value_name = "URL", requires = "sso_url")]
    slo_url: Option<String>,
    /// How it wants to be asked, with the three fields.
    #[arg(long, value_name = "redirect|post", requires = "sso_url", default_value = "redirect")]
    binding: Binding,
    /// Take it although its issuer is this one and not the one before: another system speaks for the tenant's users then.
    #[arg(long, value_name = "ISSUER")]
    new_issuer: Option<String>,
}

/// One way of saying who it is.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Given {
    /// Where the identity provider publishes its metadata (Okta: "Metadata URL"); they are followed from now on.
    #[arg(long, value_name = "URL")]
    metadata_url: Option<String>,
    /// The metadata that the identity provider offers for download (Okta: "Identity Provider metadata"); no address is
    /// followed from now on.
    #[arg(long, value_name = "FILE")]
    metadata_file: Option<PathBuf>,
    /// Okta: "Identity Provider Single Sign-On URL", with --issuer and --certificate-file.
    #[arg(long, value_name = "URL", requires_all = ["issuer", "certificate_file"])]
    sso_url: Option<String>,
    /// Keep it as it is known, and follow its metadata no more.
    #[arg(long)]
    unfollow: bool,
}

#[derive(Debug, Args)]
pub struct Refresh {
    /// The connection's id.
    pub id: ConnectionId,
    /// Take the metadata although they name this issuer and not the one before: another system speaks for the tenant's users
    /// then.
    #[arg(long, value_name = "ISSUER")]
    new_issuer: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Binding {
    Redirect,
    Post,
}

impl From<Binding> for saml::outgoing::Binding {
    fn from(binding: Binding) -> Self {
        match binding {
            Binding::Redirect => Self::Redirect,
            Binding::Post => Self::Post,
        }
    }
}

/// What was given.
enum Told {
    ByHand(IdentityProvider),
    ByAddress(String, Metadata),
}

/// Makes it the connection's identity provider.
pub async fn give(idp: Idp, desk: &Desk) -> anyhow::Result<()> {
    let (id, now, new_issuer) = (idp.id, desk.now(), idp.new_issuer.clone());
    let mut tx = desk.tenant(desk.tenant_of(id).await?).await?;
    let before = connections::by_id(&mut tx, id).await?.context("the connection is gone")?;
    let followed = watches::of(&mut tx, id).await?.metadata_url;
    tx.rollback().await?;
    if idp.given.unfollow {
        setup::idp::unfollow(&desk.store, now, id).await?;
        return Ok(());
    }
    let told = read(idp, desk).await.context("nothing was changed")?;
    let provider = match &told {
        Told::ByHand(provider) => provider,
        Told::ByAddress(_, metadata) => &metadata.provider,
    };
    refuse_stranger(&before, provider, new_issuer.as_deref())?;
    for certificate in &provider.certificates {
        warn_of_expiry(certificate, now);
    }
    match told {
        Told::ByHand(provider) => {
            if let Some(url) = followed {
                eprintln!("gatehouse: the metadata at {url} are not followed any more");
            }
            setup::idp::set(&desk.store, now, id, &provider).await?;
        }
        Told::ByAddress(url, metadata) => setup::idp::follow(&desk.store, now, id, &url, metadata).await?,
    }
    Ok(())
}

/// Refuses another identity provider than the connection has, unless the operator named its issuer.
fn refuse_stranger(before: &Connection, provider: &IdentityProvider, new_issuer: Option<&str>) -> anyhow::Result<()> {
    if let Some(change) = setup::idp::stranger(before, provider, new_issuer) {
        bail!(
            "this is another identity provider than the connection has:\n{change}\n\
             Nothing was changed. If it was really replaced, say so with --new-issuer ISSUER"
        );
    }
    if provider.slo.is_none() && before.idp.as_ref().is_some_and(|before| before.slo.is_some()) {
        eprintln!("gatehouse: there is no single logout any more; give metadata that name its address, or --slo-url");
    }
    Ok(())
}

async fn read(idp: Idp, desk: &Desk) -> anyhow::Result<Told> {
    let Idp { given, issuer, certificate_file, slo_url, binding, .. } = idp;
    let Given { metadata_url, metadata_file, sso_url, unfollow: _ } = given;
    let text =
        |path: &PathBuf| std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()));
    match (metadata_url, metadata_file, (sso_url, issuer, certificate_file)) {
        (Some(url), ..) => {
            let found = fetch(&url, &Version::default(), &desk.config.outbound, desk.now()).await;
            match found.map_err(|problem| anyhow!("{url}: {problem}"))? {
                Found::Other(metadata) => Ok(Told::ByAddress(url, *metadata)),
                Found::Same => bail!("{url}: the server says that nothing changed although it was not asked that"),
            }
        }
        (None, Some(file), _) => Ok(Told::ByHand(IdentityProvider::from_metadata(&text(&file)?)?)),
        (None, None, (Some(sso_url), Some(issuer), Some(file))) => {
            let mut provider = IdentityProvider::from_fields(&sso_url, &issuer, &text(&file)?)?;
            provider.sso.binding = binding.into();
            let slo = slo_url.map(|url| LogoutService::new(&url, None, binding.into())).transpose();
            provider.slo = slo.context("--slo-url")?;
            Ok(Told::ByHand(provider))
        }
        _ => bail!("give --metadata-url, --metadata-file, or --sso-url with --issuer and --certificate-file"),
    }
}

/// Looks at the metadata now instead of within the day.
pub async fn refresh(refresh: Refresh, desk: &Desk) -> anyhow::Result<()> {
    let Refresh { id: connection, new_issuer } = refresh;
    let tenant = desk.tenant_of(connection).await?;
    let mut tx = desk.tenant(tenant).await?;
    let watch = watches::of(&mut tx, connection).await?;
    tx.rollback().await?;
    if watch.metadata_url.is_none() {
        bail!(
            "the identity provider was given by hand; `gatehouse connection idp {connection} --metadata-url URL` follows its metadata"
        );
    }
    let place = Place { store: &desk.store, limits: &desk.config.outbound, tenant, connection };
    match watch::look(&place, desk.now(), &Asked::ByOperator { new_issuer }).await? {
        Some(problem) => bail!("{problem}"),
        None => Ok(()),
    }
}

fn warn_of_expiry(certificate: &IdpCertificate, now: OffsetDateTime) {
    let days = (certificate.not_after() - now).whole_days();
    if days < SOON {
        let subject = certificate.subject();
        eprintln!(
            "gatehouse: the signing certificate {subject} ends in {days} day(s); ask the IT admin for the next one"
        );
    }
}

/// What is known of it beyond what is trusted.
pub async fn watched(tx: &mut TenantTx, connection: &Connection) -> anyhow::Result<Vec<Field>> {
    let watch = watches::of(tx, connection.id).await?;
    let trusted: Vec<String> = idp::of(connection).ok().map_or_else(Vec::new, |provider| {
        provider.certificates.iter().map(|certificate| certificate.fingerprint().to_owned()).collect()
    });
    let seen = seen_certificates::list(tx, connection.id).await?;
    let seen = seen.iter().filter(|seen| !trusted.contains(&seen.fingerprint)).map(|seen| {
        let (last, end) = (moment(seen.last_seen_at), moment(seen.ends_at));
        format!("SHA-256 {} ({}) until {end}, seen last {last}", seen.fingerprint, seen.subject)
    });
    Ok(vec![
        ("idp_metadata_url", "Metadata URL", json!(watch.metadata_url)),
        ("idp_metadata_fetched_at", "Metadata fetched", json!(watch.fetched_at.map(moment))),
        ("idp_metadata_problem", "Metadata problem", json!(watch.problem)),
        ("untrusted_certificates", "Certificates seen, NOT trusted", json!(seen.collect::<Vec<_>>())),
    ])
}

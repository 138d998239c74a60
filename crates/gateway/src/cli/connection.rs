//! `gatehouse connection …`: the values that go into Okta, and those that come from there.

mod directory;
mod key;
mod sign_in;

use super::{
    Desk, application,
    output::{Output, moment},
};
use crate::{keys, saml::settings::Settings, setup};
use anyhow::{Context, bail};
use clap::{Args, Subcommand, ValueEnum};
use domain::ids::ConnectionId;
use saml::idp::{IdentityProvider, IdpCertificate, LogoutService};
use serde_json::{Value, json};
use std::path::PathBuf;
use store::connections::{self, Connection};
use time::OffsetDateTime;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Link a tenant to an application, and get the values to paste into the identity provider.
    Create {
        /// The tenant's short name.
        #[arg(long)]
        tenant: String,
        /// The application's short name.
        #[arg(long)]
        application: String,
        /// What to call it, such as Okta.
        #[arg(long, default_value = "Okta")]
        name: String,
        /// Put a sample user into the directory: Okta's SPEC test of a SCIM server wants to find one.
        #[arg(long)]
        sample_user: bool,
    },
    /// Tell what the identity provider is: by its metadata, or by three fields.
    Idp(Idp),
    /// Set how sign-in behaves.
    SignIn(sign_in::SignIn),
    /// Show the steps of sign-ins and logouts, newest first, and why they were refused.
    Attempts(sign_in::Attempts),
    /// The keys with which the connection signs requests and decrypts answers.
    #[command(subcommand)]
    Key(key::Command),
    /// Set how the SCIM side behaves.
    Set(directory::Set),
    /// Attributes of users beyond the standard's (Okta: Profile Editor > Add Attribute).
    #[command(subcommand)]
    Attribute(directory::AttributeCommand),
    /// Show what the identity provider asked by SCIM and what it was told, newest first.
    Log(directory::LogArguments),
    /// Show every value to paste, under the label that Okta gives its field.
    Show {
        /// The connection's id.
        id: ConnectionId,
    },
    /// List a tenant's connections.
    List {
        /// The tenant's short name.
        #[arg(long)]
        tenant: String,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Switch {
    On,
    Off,
}

impl Switch {
    fn is_on(self) -> bool {
        self == Self::On
    }
}

#[derive(Debug, Args)]
pub struct Idp {
    /// The connection's id.
    id: ConnectionId,
    /// The metadata that the identity provider offers for download (Okta: "Identity Provider metadata").
    #[arg(long, value_name = "FILE", conflicts_with_all = ["sso_url", "issuer", "certificate_file"], required_unless_present = "sso_url")]
    metadata_file: Option<PathBuf>,
    /// Okta: "Identity Provider Single Sign-On URL".
    #[arg(long, value_name = "URL", requires_all = ["issuer", "certificate_file"])]
    sso_url: Option<String>,
    /// Okta: "Identity Provider Issuer".
    #[arg(long, value_name = "ID")]
    issuer: Option<String>,
    /// Okta: "X.509 Certificate".
    #[arg(long, value_name = "FILE")]
    certificate_file: Option<PathBuf>,
    /// Okta: "Identity Provider Single Logout URL", with the three fields; without it there is no single logout.
    #[arg(long, value_name = "URL", requires = "sso_url")]
    slo_url: Option<String>,
    /// How it wants to be asked, with the three fields.
    #[arg(long, value_name = "redirect|post", requires = "sso_url", default_value = "redirect")]
    binding: Binding,
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

impl Command {
    /// Whether it makes a key, which has to be sealed.
    pub fn makes_a_key(&self) -> bool {
        match self {
            Self::Create { .. } => true,
            Self::Key(command) => command.makes_a_key(),
            _ => false,
        }
    }
}

pub async fn run(command: Command, desk: &Desk, output: &Output) -> anyhow::Result<()> {
    match command {
        Command::Create { tenant, application, name, sample_user } => {
            create(desk, &tenant, &application, &name, sample_user, output).await
        }
        Command::Set(set) => {
            let id = set.connection();
            directory::set(set, desk).await?;
            show(desk, id, output).await
        }
        Command::SignIn(arguments) => {
            let id = arguments.id;
            sign_in::set(arguments, desk).await?;
            show(desk, id, output).await
        }
        Command::Attempts(arguments) => sign_in::attempts(&arguments, desk, output).await,
        Command::Key(command) => key::run(command, desk, output).await,
        Command::Attribute(command) => directory::attribute(command, desk, output).await,
        Command::Log(arguments) => directory::log(&arguments, desk, output).await,
        Command::Idp(idp) => set_idp(desk, idp, output).await,
        Command::Show { id } => show(desk, id, output).await,
        Command::List { tenant } => {
            let tenant = desk.tenant_by_slug(&tenant).await?;
            let mut tx = desk.tenant(tenant.id).await?;
            let all = connections::list(&mut tx).await?;
            tx.rollback().await?;
            let records = all.iter().map(|connection| fields(desk, connection, output));
            output.list(&records.collect::<anyhow::Result<Vec<_>>>()?)
        }
    }
}

async fn create(
    desk: &Desk,
    tenant: &str,
    application: &str,
    name: &str,
    sample_user: bool,
    output: &Output,
) -> anyhow::Result<()> {
    let vault = desk.vault()?;
    // A key sealed under a root key that the gateways do not have would keep them from starting.
    keys::check(&desk.store, vault, desk.now()).await?;
    let tenant = desk.tenant_by_slug(tenant).await?;
    let application = application::find(desk, application).await?;
    let (store, now) = (&desk.store, desk.now());
    let id = setup::create_connection(store, now, vault, tenant.id, application.id, name).await?;
    if sample_user {
        setup::directory::create_sample_user(store, now, id).await?;
    }
    show(desk, id, output).await
}

async fn set_idp(desk: &Desk, idp: Idp, output: &Output) -> anyhow::Result<()> {
    let Idp { id, metadata_file, sso_url, issuer, certificate_file, slo_url, binding } = idp;
    let read =
        |path: &PathBuf| std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()));
    let provider = match (metadata_file, sso_url, issuer, certificate_file) {
        (Some(file), ..) => IdentityProvider::from_metadata(&read(&file)?)?,
        (None, Some(sso_url), Some(issuer), Some(file)) => {
            let mut provider = IdentityProvider::from_fields(&sso_url, &issuer, &read(&file)?)?;
            provider.sso.binding = binding.into();
            let slo = slo_url.map(|url| LogoutService::new(&url, None, binding.into())).transpose();
            provider.slo = slo.context("--slo-url")?;
            provider
        }
        _ => bail!("give --metadata-file, or --sso-url with --issuer and --certificate-file"),
    };
    let mut tx = desk.tenant(desk.tenant_of(id).await?).await?;
    let before = connections::by_id(&mut tx, id).await?.and_then(|connection| connection.idp);
    tx.rollback().await?;
    if provider.slo.is_none() && before.is_some_and(|before| before.slo.is_some()) {
        eprintln!("gatehouse: there is no single logout any more; give metadata that name its address, or --slo-url");
    }
    setup::set_idp(&desk.store, desk.now(), id, &provider).await?;
    for certificate in &provider.certificates {
        warn_of_expiry(certificate, desk.now());
    }
    show(desk, id, output).await
}

fn warn_of_expiry(certificate: &IdpCertificate, now: OffsetDateTime) {
    let days = (certificate.not_after() - now).whole_days();
    if days < 30 {
        let subject = certificate.subject();
        eprintln!(
            "gatehouse: the signing certificate {subject} ends in {days} day(s); ask the IT admin for the next one"
        );
    }
}

async fn show(desk: &Desk, id: ConnectionId, output: &Output) -> anyhow::Result<()> {
    let tenant = desk.tenant_of(id).await?;
    let mut tx = desk.tenant(tenant).await?;
    let connection = connections::by_id(&mut tx, id).await?.context("the connection is gone")?;
    tx.rollback().await?;
    if let Some(idp) = &connection.idp {
        output.line(&format!("Paste into {}; it is already known here as {}:", connection.display_name, idp.entity_id));
    } else {
        output.line("Paste into Okta, then tell what Okta shows with `gatehouse connection idp`:");
    }
    output.record(&fields(desk, &connection, output)?)
}

/// Programs get field names, people get Okta's labels.
fn fields(desk: &Desk, connection: &Connection, output: &Output) -> anyhow::Result<Vec<(&'static str, Value)>> {
    let base = format!("{}/c/{}", desk.config.server.public_url, connection.id);
    let idp = connection.idp.as_ref();
    let certificates: Vec<String> = idp.iter().flat_map(|idp| &idp.certificates).map(|der| describe(der)).collect();
    let mut fields = vec![
        ("id", "Connection", json!(connection.id)),
        ("name", "Name", json!(connection.display_name)),
        ("acs_url", "Single sign-on URL", json!(format!("{base}/saml/acs"))),
        ("slo_url", "Single Logout URL", json!(format!("{base}/saml/slo"))),
        ("entity_id", "Audience URI (SP Entity ID)", json!(base)),
        ("name_id_format", "Name ID format", json!("EmailAddress")),
        ("application_username", "Application username", json!("Email")),
        ("metadata_url", "Service provider metadata", json!(format!("{base}/saml/metadata"))),
        ("certificate_url", "Encryption Certificate", json!(format!("{base}/saml/certificate"))),
        ("scim_base_url", "SCIM connector base URL", json!(format!("{base}/scim/v2"))),
        ("scim_token_url", "OAuth 2 token endpoint", json!(format!("{base}/oauth2/token"))),
        ("scim_unique_identifier", "Unique identifier field for users", json!("userName")),
        ("password_sync", "Sync Password", json!(connection.provisioning.password_sync)),
        ("entitlements", "Roles as entitlements", json!(connection.provisioning.entitlements)),
        ("login_url", "Sign-in link (bookmark)", json!(format!("{base}/saml/login"))),
        ("idp_issuer", "Identity Provider Issuer", json!(idp.map(|idp| &idp.entity_id))),
        ("idp_sso_url", "Identity Provider Single Sign-On URL", json!(idp.map(|idp| &idp.sso_url))),
        ("idp_certificates", "X.509 Certificate", json!(certificates)),
        (
            "idp_slo_url",
            "Identity Provider Single Logout URL",
            json!(idp.and_then(|idp| idp.slo.as_ref()).map(|slo| &slo.url)),
        ),
    ];
    fields.extend(sign_in::fields(&Settings::of(connection)?, connection.allow_sha1));
    let for_people = output.is_for_people();
    Ok(fields.into_iter().map(|(name, label, value)| (if for_people { label } else { name }, value)).collect())
}

fn describe(der: &[u8]) -> String {
    match IdpCertificate::from_der(der) {
        Ok(certificate) => {
            let until = moment(certificate.not_after());
            format!("SHA-256 {} until {until}", certificate.fingerprint())
        }
        Err(_) => "unreadable".to_owned(),
    }
}

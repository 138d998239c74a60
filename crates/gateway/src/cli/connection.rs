//! `gatehouse connection …`: the values that go into Okta, and those that come from there.

mod access_control;
mod directory;
mod idp;
mod key;
mod profiles;
mod removal;
mod roles;
mod shadow;
mod sign_in;

use super::{
    Desk, application,
    output::{Output, moment},
};
use crate::{
    keys,
    saml::{FORMER_ACS, settings::Settings},
    setup::{
        self,
        sessions::{self, Entry},
    },
};
use anyhow::Context;
use clap::{Subcommand, ValueEnum};
use domain::ids::ConnectionId;
use saml::idp::IdpCertificate;
use serde_json::{Value, json};
use store::connections::{self, Connection};

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
        /// Only fill its directory at first: what the identity provider sends has no effect, and nobody signs in, until `go-live`.
        #[arg(long)]
        shadow: bool,
    },
    /// Show what would happen if a connection in shadow went live, or have it go live.
    GoLive(shadow::GoLive),
    /// Tell what the identity provider is: by the address of its metadata, by its metadata, or by three fields.
    Idp(idp::Idp),
    /// Fetch the identity provider's metadata now; without this they are fetched once a day.
    Refresh(idp::Refresh),
    /// Set how sign-in behaves.
    SignIn(sign_in::SignIn),
    /// Show the steps of sign-ins and logouts, newest first, and why they were refused.
    Attempts(sign_in::Attempts),
    /// The keys with which the connection signs requests and decrypts answers.
    #[command(subcommand)]
    Key(key::Command),
    /// Show what decides about roles, or set it; --dry-run tells who would get another role.
    Roles(roles::Roles),
    /// Show what is demanded of users' profiles, or set it; by itself everything is taken.
    Profiles(profiles::Profiles),
    /// Show where attributes for access control come from beside assertions, or set it.
    AccessControl(access_control::AccessControl),
    /// Set how the SCIM side behaves.
    Set(directory::Set),
    /// Attributes of users beyond the standard's (Okta: Profile Editor > Add Attribute).
    #[command(subcommand)]
    Attribute(directory::AttributeCommand),
    /// Show what the identity provider asked by SCIM and what it was told, newest first.
    Log(directory::LogArguments),
    /// Keep everybody from signing in through a connection, and end their sessions. SCIM is heard all the same.
    Suspend {
        /// The connection's id.
        id: ConnectionId,
    },
    /// Let them in again.
    Resume {
        /// The connection's id.
        id: ConnectionId,
    },
    /// Remove a connection, after a look at what goes with it. Nothing is deleted for 30 days, in which `restore` brings all of it back.
    Remove(removal::Remove),
    /// Bring back a connection that was removed: ids, addresses, tokens, users, groups.
    Restore {
        /// The connection's id.
        id: ConnectionId,
    },
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
        /// Those that were removed, and until when they can be restored.
        #[arg(long)]
        removed: bool,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Switch {
    On,
    Off,
}

impl Switch {
    pub fn is_on(self) -> bool {
        self == Self::On
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
        Command::Create { tenant, application, name, sample_user, shadow } => {
            let id = create(desk, &tenant, &application, &name, shadow).await?;
            if sample_user {
                setup::directory::create_sample_user(&desk.store, desk.now(), id).await?;
            }
            show(desk, id, output).await
        }
        Command::GoLive(arguments) => shadow::go_live(arguments, desk, output).await,
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
        Command::AccessControl(arguments) => access_control::run(arguments, desk, output).await,
        Command::Profiles(arguments) => profiles::run(arguments, desk, output).await,
        Command::Roles(arguments) => roles::run(arguments, desk, output).await,
        Command::Attribute(command) => directory::attribute(command, desk, output).await,
        Command::Log(arguments) => directory::log(&arguments, desk, output).await,
        Command::Idp(idp) => {
            let id = idp.id;
            idp::give(idp, desk).await?;
            show(desk, id, output).await
        }
        Command::Refresh(refresh) => {
            let id = refresh.id;
            idp::refresh(refresh, desk).await?;
            show(desk, id, output).await
        }
        Command::Suspend { id } => suspend(desk, id, Entry::Suspended, output).await,
        Command::Resume { id } => suspend(desk, id, Entry::Open, output).await,
        Command::Remove(arguments) => removal::remove(arguments, desk, output).await,
        Command::Restore { id } => {
            removal::restore(desk, id).await?;
            show(desk, id, output).await
        }
        Command::Show { id } => show(desk, id, output).await,
        Command::List { tenant, removed: true } => removal::list(&tenant, desk, output).await,
        Command::List { tenant, .. } => {
            let tenant = desk.tenant_by_slug(&tenant).await?;
            let mut tx = desk.tenant(tenant.id).await?;
            let all = connections::list(&mut tx).await?;
            tx.rollback().await?;
            let records = all.iter().map(|connection| Ok(labelled(fields(desk, connection)?, output)));
            output.list(&records.collect::<anyhow::Result<Vec<_>>>()?)
        }
    }
}

async fn create(
    desk: &Desk,
    tenant: &str,
    application: &str,
    name: &str,
    shadow: bool,
) -> anyhow::Result<ConnectionId> {
    let vault = desk.vault()?;
    // A key sealed under a root key that the gateways do not have would keep them from starting.
    keys::check(&desk.store, vault, desk.now()).await?;
    let tenant = desk.tenant_by_slug(tenant).await?;
    let application = application::find(desk, application).await?;
    let (store, now) = (&desk.store, desk.now());
    let id = setup::create_connection(store, now, vault, tenant.id, application.id, name).await?;
    if shadow {
        setup::shadow::begin(store, now, id).await?;
    }
    Ok(id)
}

async fn suspend(desk: &Desk, id: ConnectionId, entry: Entry, output: &Output) -> anyhow::Result<()> {
    let tenant = desk.tenant_of(id).await?;
    let ended = sessions::suspend(&desk.store, desk.now(), tenant, Some(id), entry).await?;
    output.line(&format!("Ended {ended} session(s)."));
    show(desk, id, output).await
}

async fn show(desk: &Desk, id: ConnectionId, output: &Output) -> anyhow::Result<()> {
    let tenant = desk.tenant_of(id).await?;
    let mut tx = desk.tenant(tenant).await?;
    let connection = connections::by_id(&mut tx, id).await?.context("the connection is gone")?;
    let mut fields = fields(desk, &connection)?;
    let since = connections::terms(&mut tx, id).await?.scim_since;
    fields.push(("scim_since", "SCIM keeps the users since", json!(since.map(moment))));
    fields.push(("in_shadow", "Nothing takes effect until it goes live", json!(connection.in_shadow)));
    fields.push(("suspended_at", "Nobody signs in since", json!(connection.suspended_at.map(moment))));
    fields.extend(idp::watched(&mut tx, &connection).await?);
    tx.rollback().await?;
    if let Some(idp) = &connection.idp {
        output.line(&format!("Paste into {}; it is already known here as {}:", connection.display_name, idp.entity_id));
    } else {
        output.line("Paste into Okta, then tell what Okta shows with `gatehouse connection idp`:");
    }
    output.record(&labelled(fields, output))
}

/// A value under its name for programs, and under Okta's label for people.
type Field = (&'static str, &'static str, Value);

fn labelled(fields: Vec<Field>, output: &Output) -> Vec<(&'static str, Value)> {
    let for_people = output.is_for_people();
    fields.into_iter().map(|(name, label, value)| (if for_people { label } else { name }, value)).collect()
}

fn fields(desk: &Desk, connection: &Connection) -> anyhow::Result<Vec<Field>> {
    let (public_url, settings) = (&desk.config.server.public_url, Settings::of(connection)?);
    let base = format!("{public_url}/c/{}", connection.id);
    let (entity_id, acs_url) = match &settings.former_entity_id {
        Some(former) => (former.clone(), format!("{public_url}{FORMER_ACS}")),
        None => (base.clone(), format!("{base}/saml/acs")),
    };
    let idp = connection.idp.as_ref();
    let certificates: Vec<String> = idp.iter().flat_map(|idp| &idp.certificates).map(|der| describe(der)).collect();
    let mut fields = vec![
        ("id", "Connection", json!(connection.id)),
        ("name", "Name", json!(connection.display_name)),
        ("acs_url", "Single sign-on URL", json!(acs_url)),
        ("slo_url", "Single Logout URL", json!(format!("{base}/saml/slo"))),
        ("entity_id", "Audience URI (SP Entity ID)", json!(entity_id)),
        ("name_id_format", "Name ID format", json!("EmailAddress")),
        ("application_username", "Application username", json!("Email")),
        ("metadata_url", "Service provider metadata", json!(format!("{base}/saml/metadata"))),
        ("certificate_url", "Encryption Certificate", json!(format!("{base}/saml/certificate"))),
        (
            "universal_logout_url",
            "Logout endpoint URL (Universal Logout)",
            json!(format!("{base}/global-token-revocation")),
        ),
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
    fields.extend(sign_in::fields(&settings, connection.allow_sha1));
    Ok(fields)
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

//! `gatehouse application …`

use super::{Desk, output::Output};
use crate::{
    error::Error,
    oauth::settings::{Invitations, Settings},
    setup::applications::{self as setup, ApplicationSpec},
};
use ::oidc::{jwk::KeySet, keys::Algorithm};
use anyhow::{Context, bail};
use clap::{Args, Subcommand, ValueEnum};
use domain::{ids::ApplicationId, names::Slug, role::RoleCatalogue};
use serde_json::{Value, json};
use std::fs;
use store::{
    aliases,
    applications::{self, Application},
    logout_deliveries,
};
use uuid::Uuid;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Register an application; its client secret is shown once.
    Create(Create),
    /// Change an application. What is not given stays; a list that is given replaces the one before.
    Set(Set),
    /// Make another client secret, shown once; the one before stops to work at once.
    RotateSecret {
        /// The application's short name.
        name: String,
    },
    /// Let the application call itself by the client_id of a system before this one too.
    Alias(Alias),
    /// Show an application.
    Show {
        /// Its short name.
        name: String,
    },
    /// List all applications.
    List,
}

#[derive(Debug, Args)]
pub struct Create {
    /// Short name: a-z, 0-9 and hyphens.
    name: String,
    /// A role, highest first; repeat for several. The last one is the default.
    #[arg(long = "role", required = true, value_name = "NAME")]
    roles: Vec<String>,
    /// A public client: an app that cannot keep a secret. It proves itself by PKCE alone.
    #[arg(long)]
    public: bool,
    #[command(flatten)]
    wishes: Wishes,
}

#[derive(Debug, Args)]
pub struct Set {
    /// The application's short name.
    name: String,
    /// A role, highest first; repeat for all, those that are there and new ones between them.
    #[arg(long = "role", value_name = "NAME")]
    roles: Vec<String>,
    #[command(flatten)]
    wishes: Wishes,
}

#[derive(Debug, Args)]
pub struct Alias {
    /// The application's short name.
    name: String,
    /// The other client_id.
    client_id: String,
    /// Take it away.
    #[arg(long)]
    remove: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum YesNo {
    Yes,
    No,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Mailing {
    None,
    Mail,
}

/// What may be given at first and changed later; an empty text unsets.
#[derive(Debug, Args)]
struct Wishes {
    /// The name that people see.
    #[arg(long = "name", value_name = "TEXT")]
    display_name: Option<String>,
    /// Where codes may be sent; repeat for several. Compared exactly.
    #[arg(long = "redirect-uri", value_name = "URL")]
    redirect_uris: Vec<String>,
    /// Where a browser that is already signed in enters the application (OpenID Connect Core 4).
    #[arg(long, value_name = "URL")]
    initiate_login_uri: Option<String>,
    /// Where people sign in to it who do not come by an identity provider: offered on the login page while their organization is moving.
    #[arg(long, value_name = "URL")]
    own_login_uri: Option<String>,
    /// What signs ID tokens: RS256 or ES256.
    #[arg(long, value_name = "ALGORITHM")]
    id_token_alg: Option<Algorithm>,
    /// Told when a session ends (OpenID Connect Back-Channel Logout).
    #[arg(long, value_name = "URL")]
    backchannel_logout_uri: Option<String>,
    /// Where a browser may be sent after a logout; repeat for several. Compared exactly.
    #[arg(long = "post-logout-redirect-uri", value_name = "URL")]
    post_logout_redirect_uris: Vec<String>,
    /// How long access and ID tokens live: 60 to 3600 (300).
    #[arg(long, value_name = "SECONDS")]
    access_token_seconds: Option<u32>,
    /// How long a session lasts at most, if the identity provider sets no earlier end: 300 to 2592000 (43200).
    #[arg(long, value_name = "SECONDS")]
    session_seconds: Option<u32>,
    /// How long a session lasts that nobody uses (7200).
    #[arg(long, value_name = "SECONDS")]
    idle_seconds: Option<u32>,
    /// A file with the public keys (JWK Set) by which the application proves itself instead of a secret (private_key_jwt);
    /// empty goes back to the secret.
    #[arg(long, value_name = "FILE")]
    jwks: Option<String>,
    /// Whether it may have tokens of its own, without a user.
    #[arg(long, value_name = "YES|NO")]
    client_credentials: Option<YesNo>,
    /// Whether it has to send every authorization request ahead (PAR).
    #[arg(long, value_name = "YES|NO")]
    require_par: Option<YesNo>,
    /// An audience that it may ask for with the parameter resource; repeat for several.
    #[arg(long = "resource", value_name = "URI")]
    resources: Vec<String>,
    /// Whether whom SCIM brings is invited by mail (none).
    #[arg(long, value_name = "NONE|MAIL")]
    invitations: Option<Mailing>,
    /// For how many days an invitation works: 1 to 90 (14).
    #[arg(long, value_name = "DAYS")]
    invitation_days: Option<u16>,
    /// The colour of its pages, such as #0b5cad.
    #[arg(long, value_name = "#RRGGBB")]
    colour: Option<String>,
    /// A file with the logo of its pages: PNG, JPEG, WebP or SVG, 64 KB at most; empty for none.
    #[arg(long, value_name = "FILE")]
    logo: Option<String>,
}

impl Wishes {
    /// Changes what is given.
    fn heed(self, application: &mut Application, settings: &mut Settings, jwks: Option<Option<Value>>) {
        let unset = |text: String| Some(text).filter(|text| !text.is_empty());
        let list = |given: Vec<String>, into: &mut Vec<String>| {
            if !given.is_empty() {
                *into = given.into_iter().filter(|text| !text.is_empty()).collect();
            }
        };
        if let Some(name) = self.display_name.and_then(unset) {
            application.display_name = name;
        }
        list(self.redirect_uris, &mut application.redirect_uris);
        if let Some(uri) = self.initiate_login_uri {
            application.initiate_login_uri = unset(uri);
        }
        if let Some(uri) = self.own_login_uri {
            settings.own_login_uri = unset(uri);
        }
        if let Some(algorithm) = self.id_token_alg {
            application.id_token_alg = algorithm.to_string();
        }
        if let Some(uri) = self.backchannel_logout_uri {
            application.backchannel_logout_uri = unset(uri);
        }
        list(self.post_logout_redirect_uris, &mut settings.post_logout_redirect_uris);
        list(self.resources, &mut settings.resources);
        if let Some(colour) = self.colour {
            settings.colour = unset(colour);
        }
        settings.access_token_seconds = self.access_token_seconds.unwrap_or(settings.access_token_seconds);
        settings.session_seconds = self.session_seconds.unwrap_or(settings.session_seconds);
        settings.idle_seconds = self.idle_seconds.unwrap_or(settings.idle_seconds.min(settings.session_seconds));
        settings.client_credentials =
            self.client_credentials.map_or(settings.client_credentials, |answer| answer == YesNo::Yes);
        settings.require_par = self.require_par.map_or(settings.require_par, |answer| answer == YesNo::Yes);
        settings.invitation_days = self.invitation_days.unwrap_or(settings.invitation_days);
        match self.invitations {
            Some(Mailing::None) => settings.invitations = Invitations::None,
            Some(Mailing::Mail) => settings.invitations = Invitations::Mail,
            None => {}
        }
        if let Some(jwks) = jwks {
            settings.jwks = jwks;
        }
    }

    /// The image of the file; nothing for an empty name.
    fn image(&self) -> anyhow::Result<Option<Option<Vec<u8>>>> {
        let Some(file) = &self.logo else { return Ok(None) };
        if file.is_empty() {
            return Ok(Some(None));
        }
        Ok(Some(Some(fs::read(file).with_context(|| format!("{file} cannot be read"))?)))
    }

    /// The key set of the file; nothing for an empty name.
    fn keys(&self) -> anyhow::Result<Option<Option<Value>>> {
        let Some(file) = &self.jwks else { return Ok(None) };
        if file.is_empty() {
            return Ok(Some(None));
        }
        let text = fs::read_to_string(file).with_context(|| format!("{file} cannot be read"))?;
        let set = serde_json::from_str(&text).with_context(|| format!("{file} is not JSON"))?;
        // Only the public members of keys that can be used are kept.
        let keys = KeySet::parse(&set).map_err(anyhow::Error::msg)?;
        Ok(Some(Some(keys.to_json())))
    }
}

pub async fn run(command: Command, desk: &Desk, output: &Output) -> anyhow::Result<()> {
    let (store, now) = (&desk.store, desk.now());
    match command {
        Command::Create(create) => register(create, desk, output).await,
        Command::Set(Set { name, roles, wishes }) => {
            let (jwks, image) = (wishes.keys()?, wishes.image()?);
            let changed = setup::change(store, now, &name, |application, settings| {
                wishes.heed(application, settings, jwks);
            });
            known(changed.await, &name)?;
            if !roles.is_empty() {
                setup::add_roles(store, now, &name, roles).await?;
            }
            if let Some(image) = image {
                setup::set_logo(store, now, &name, image).await?;
            }
            if desk.config.mail.is_none() && Settings::of(&find(desk, &name).await?)?.mailed_for().is_some() {
                output.line("No mail goes out: mail.smtp_url is not set here. Invitations wait until it is.");
            }
            show(desk, &name, output).await
        }
        Command::RotateSecret { name } => {
            let secret = known(setup::rotate_secret(store, now, &name).await, &name)?;
            output.line("Keep the client secret now; it is not shown again.");
            output.record(&[("name", json!(name)), ("client_secret", json!(secret.reveal()))])
        }
        Command::Alias(Alias { name, client_id, remove }) => {
            find(desk, &name).await?;
            match setup::alias(store, now, &name, &client_id, remove).await {
                Err(Error::NotFound) => bail!("the application {name} has no other name {client_id}"),
                done => done?,
            }
            show(desk, &name, output).await
        }
        Command::Show { name } => show(desk, &name, output).await,
        Command::List => {
            let mut tx = store.control(now).await?;
            let all = applications::list(&mut tx).await?;
            tx.rollback().await?;
            output.list(&all.iter().map(brief).collect::<Vec<_>>())
        }
    }
}

fn known<T>(outcome: Result<T, Error>, name: &str) -> anyhow::Result<T> {
    match outcome {
        Err(Error::NotFound) => bail!("there is no application \"{name}\"; `gatehouse application list` shows them"),
        outcome => Ok(outcome?),
    }
}

/// The application with that short name.
pub async fn find(desk: &Desk, name: &str) -> anyhow::Result<Application> {
    let mut tx = desk.store.control(desk.now()).await?;
    let found = applications::by_slug(&mut tx, name).await?;
    tx.rollback().await?;
    found.with_context(|| format!("there is no application \"{name}\"; `gatehouse application list` shows them"))
}

async fn register(create: Create, desk: &Desk, output: &Output) -> anyhow::Result<()> {
    let Create { name, roles, public, wishes } = create;
    let slug = Slug::parse(&name)?;
    let (jwks, image) = (wishes.keys()?, wishes.image()?);
    // The rules for what may be changed are those for what may be given.
    let mut draft = draft(&name, roles.clone())?;
    let mut settings = Settings::default();
    wishes.heed(&mut draft, &mut settings, jwks);
    let spec = ApplicationSpec {
        name: slug,
        display_name: draft.display_name,
        redirect_uris: draft.redirect_uris,
        initiate_login_uri: draft.initiate_login_uri,
        backchannel_logout_uri: draft.backchannel_logout_uri,
        roles,
        id_token_alg: draft.id_token_alg.parse()?,
        public,
        settings,
    };
    let (_, secret) = setup::create(&desk.store, desk.now(), spec).await?;
    if let Some(image) = image {
        setup::set_logo(&desk.store, desk.now(), &name, image).await?;
    }
    let mut shown = fields(desk, &find(desk, &name).await?).await?;
    if let Some(secret) = &secret {
        shown.push(("client_secret", json!(secret.reveal())));
        output.line("Keep the client secret now; it is not shown again.");
    }
    output.record(&shown)
}

fn draft(name: &str, roles: Vec<String>) -> anyhow::Result<Application> {
    Ok(Application {
        id: ApplicationId(Uuid::nil()),
        slug: name.to_owned(),
        display_name: name.to_owned(),
        redirect_uris: Vec::new(),
        initiate_login_uri: None,
        backchannel_logout_uri: None,
        catalogue: RoleCatalogue::new(roles)?,
        id_token_alg: Algorithm::Rs256.to_string(),
        settings: json!({}),
    })
}

async fn show(desk: &Desk, name: &str, output: &Output) -> anyhow::Result<()> {
    output.record(&fields(desk, &find(desk, name).await?).await?)
}

fn brief(application: &Application) -> Vec<(&'static str, Value)> {
    vec![
        ("name", json!(application.slug)),
        ("display_name", json!(application.display_name)),
        ("client_id", json!(application.id)),
        ("redirect_uris", json!(application.redirect_uris)),
        ("initiate_login_uri", json!(application.initiate_login_uri)),
        ("roles", json!(application.catalogue.roles())),
        ("id_token_alg", json!(application.id_token_alg)),
    ]
}

async fn fields(desk: &Desk, application: &Application) -> anyhow::Result<Vec<(&'static str, Value)>> {
    let settings = Settings::of(application)?;
    let mut tx = desk.store.control(desk.now()).await?;
    let aliases = aliases::of_application(&mut tx, application.id).await?;
    let logouts = logout_deliveries::standing(&mut tx, application.id).await?;
    tx.rollback().await?;
    let mut fields = brief(application);
    fields.extend([
        ("aliases", json!(aliases)),
        ("own_login_uri", json!(settings.own_login_uri)),
        ("backchannel_logout_uri", json!(application.backchannel_logout_uri)),
        ("logouts_waiting", json!(logouts.waiting)),
        ("logouts_given_up", json!(logouts.given_up)),
        ("logout_problem", json!(logouts.problem)),
        ("post_logout_redirect_uris", json!(settings.post_logout_redirect_uris)),
        ("access_token_seconds", json!(settings.access_token_seconds)),
        ("session_seconds", json!(settings.session_seconds)),
        ("idle_seconds", json!(settings.idle_seconds)),
        ("proves_itself_by", json!(if settings.jwks.is_some() { "private_key_jwt" } else { "client secret or PKCE" })),
        ("client_credentials", json!(settings.client_credentials)),
        ("require_par", json!(settings.require_par)),
        ("resources", json!(settings.resources)),
        ("invitations", json!(settings.invitations)),
        ("invitation_days", json!(settings.invitation_days)),
        ("colour", json!(settings.colour)),
        ("has_logo", json!(settings.logo.is_some())),
    ]);
    Ok(fields)
}

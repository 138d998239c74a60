//! `gatehouse application …`

use super::{Desk, output::Output};
use crate::setup::{self, ApplicationSpec};
use anyhow::Context;
use clap::{Args, Subcommand};
use domain::names::Slug;
use oidc::keys::Algorithm;
use serde_json::{Value, json};
use store::applications::{self, Application};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Register an application; its client secret is shown once.
    Create(Create),
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
    /// The name that people see.
    #[arg(long = "name", value_name = "TEXT")]
    display_name: Option<String>,
    /// Where codes may be sent; repeat for several. Compared exactly.
    #[arg(long = "redirect-uri", required = true, value_name = "URL")]
    redirect_uris: Vec<String>,
    /// Where a browser that is already signed in enters the application (OpenID Connect Core 4).
    #[arg(long, value_name = "URL")]
    initiate_login_uri: Option<String>,
    /// A role, highest first; repeat for several. The last one is the default.
    #[arg(long = "role", required = true, value_name = "NAME")]
    roles: Vec<String>,
    /// What signs ID tokens: RS256 or ES256.
    #[arg(long, default_value = "RS256")]
    id_token_alg: Algorithm,
    /// A public client: an app that cannot keep a secret. It proves itself by PKCE alone.
    #[arg(long)]
    public: bool,
}

pub async fn run(command: Command, desk: &Desk, output: &Output) -> anyhow::Result<()> {
    match command {
        Command::Create(create) => register(create, desk, output).await,
        Command::Show { name } => output.record(&fields(&find(desk, &name).await?)),
        Command::List => {
            let mut tx = desk.store.control(desk.now()).await?;
            let all = applications::list(&mut tx).await?;
            tx.rollback().await?;
            output.list(&all.iter().map(fields).collect::<Vec<_>>())
        }
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
    let Create { name, display_name, redirect_uris, initiate_login_uri, roles, id_token_alg, public } = create;
    let slug = Slug::parse(&name)?;
    let spec = ApplicationSpec {
        name: slug,
        display_name: display_name.unwrap_or_else(|| name.clone()),
        redirect_uris,
        initiate_login_uri,
        roles,
        id_token_alg,
        public,
    };
    let (_, secret) = setup::create_application(&desk.store, desk.now(), spec).await?;
    let mut shown = fields(&find(desk, &name).await?);
    if let Some(secret) = &secret {
        shown.push(("client_secret", json!(secret.reveal())));
        output.line("Keep the client secret now; it is not shown again.");
    }
    output.record(&shown)
}

fn fields(application: &Application) -> Vec<(&'static str, Value)> {
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

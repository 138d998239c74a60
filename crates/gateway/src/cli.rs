//! The command line: what an operator does, each in one command.

mod alias;
mod application;
mod break_glass;
mod connection;
mod failure;
mod invitation;
mod key;
mod mail;
mod mail_domain;
mod output;
mod session;
mod tenant;
mod token;
mod user;

use crate::{app, clock::Clock, config::Config, error::Error, keys, scim::users, serve, setup, vault::Vault};
use ::scim::{schema::Catalogue, search};
use anyhow::{Context, bail};
use clap::{
    Args, Parser, Subcommand,
    builder::{PossibleValuesParser, TypedValueParser},
};
use domain::ids::{ConnectionId, TenantId};
use output::Output;
use serde_json::Value;
use std::{path::PathBuf, process::ExitCode};
use store::{
    migrate,
    scope::{Actor, Scope},
    store::Store,
    tenant::TenantTx,
    unindexed,
};
use time::OffsetDateTime;

/// Gatehouse, a multi-tenant identity gateway: SAML and SCIM in, OpenID Connect out.
#[derive(Debug, Parser)]
#[command(name = "gatehouse", version, propagate_version = true)]
pub struct Cli {
    /// A settings file; without it the defaults and the environment (GATEHOUSE__SERVER__LISTEN, ...) are used.
    #[arg(long, global = true, env = "GATEHOUSE_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    format: Format,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Args)]
struct Format {
    /// How to print the result.
    #[arg(short = 'o', long = "output", global = true, value_enum, default_value_t = output::Kind::Text)]
    output: output::Kind,
    /// Print only this field of the result.
    #[arg(long, global = true, value_name = "NAME")]
    field: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve browsers, identity providers and applications until stopped.
    Serve,
    /// Bring the database up to this version (uses database.owner_url).
    Migrate,
    /// Check the settings, the database logins, the migrations and the root keys, and print the settings.
    Check,
    /// Ask a running gateway on this machine whether it is ready; for container health checks.
    Healthcheck,
    /// The vendor's products that users sign in to.
    #[command(subcommand)]
    Application(application::Command),
    /// Customer organizations.
    #[command(subcommand)]
    Tenant(tenant::Command),
    /// Mail domains: whose they are, how that is proven, and where addresses in them lead.
    #[command(subcommand)]
    Domain(mail_domain::Command),
    /// A tenant's links to its identity provider.
    #[command(subcommand)]
    Connection(connection::Command),
    /// Other names by which organizations and connections are asked for.
    #[command(subcommand)]
    Alias(alias::Command),
    /// Who is signed in, and who is not any more.
    #[command(subcommand)]
    Session(session::Command),
    /// A tenant's users: whose accounts are whose, and why they have their roles.
    #[command(subcommand)]
    User(user::Command),
    /// Codes with which administrators get in when their identity provider cannot be asked.
    #[command(subcommand)]
    BreakGlass(break_glass::Command),
    /// Who is invited: by hand, or because SCIM brought them.
    #[command(subcommand)]
    Invitation(invitation::Command),
    /// Who did not get in, or not as the identity provider wants it, and how to mend that.
    #[command(subcommand)]
    Failure(failure::Command),
    /// Mail that goes out, and mail that comes back.
    #[command(subcommand)]
    Mail(mail::Command),
    /// Tokens with which an identity provider provisions over SCIM.
    #[command(subcommand)]
    Token(token::Command),
    /// Root keys, which seal all other keys.
    #[command(subcommand)]
    Key(key::Command),
}

impl Command {
    /// The settings without which the command cannot work.
    fn needs(&self) -> &'static [&'static str] {
        match self {
            Self::Serve | Self::Check | Self::Key(_) => &["database.url", "database.control_url", "keys.root"],
            Self::Migrate => &["database.owner_url"],
            Self::Healthcheck => &[],
            Self::Connection(connection) if connection.makes_a_key() => {
                &["database.url", "database.control_url", "keys.root"]
            }
            Self::User(user::Command::Erase { .. }) | Self::Failure(_) => {
                &["database.url", "database.control_url", "keys.root"]
            }
            Self::Mail(mail) if mail.needs_keys() => &["database.url", "database.control_url", "keys.root"],
            Self::Mail(_) => &["database.url", "database.control_url", "mail.smtp_url"],
            Self::Application(_)
            | Self::Tenant(_)
            | Self::Domain(_)
            | Self::Connection(_)
            | Self::Alias(_)
            | Self::Session(_)
            | Self::User(_)
            | Self::BreakGlass(_)
            | Self::Invitation(_)
            | Self::Token(_) => &["database.url", "database.control_url"],
        }
    }
}

/// Runs one command; errors go to standard error, as sentences.
pub fn run(cli: Cli) -> ExitCode {
    let Cli { config, format, command } = cli;
    let outcome = if let Command::Key(key::Command::Generate) = command {
        key::generate();
        Ok(())
    } else {
        load(config.as_deref(), command.needs()).and_then(|config| {
            let runtime = tokio::runtime::Runtime::new().context("the runtime cannot be started")?;
            runtime.block_on(carry_out(command, config, &Output::new(format.output, format.field)))
        })
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("gatehouse: {}", told(&error));
            ExitCode::FAILURE
        }
    }
}

/// The chain of causes, without those that only repeat what was said.
fn told(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if !text.contains(&cause) {
            let separator = if text.is_empty() { "" } else { ": " };
            text.push_str(separator);
            text.push_str(&cause);
        }
    }
    text
}

fn load(file: Option<&std::path::Path>, needed: &[&str]) -> anyhow::Result<Config> {
    Config::load(file, needed).map_err(|problems| {
        let list: Vec<String> = problems.iter().map(|problem| format!("\n  - {problem}")).collect();
        anyhow::anyhow!("the settings have {} mistake(s):{}", list.len(), list.concat())
    })
}

async fn carry_out(command: Command, config: Config, output: &Output) -> anyhow::Result<()> {
    match command {
        Command::Serve => serve::run(config).await,
        Command::Migrate => migrate(&config, output).await,
        Command::Check => check(config, output).await,
        Command::Healthcheck => healthcheck(&config).await,
        Command::Application(command) => application::run(command, &Desk::open(config)?, output).await,
        Command::Tenant(command) => tenant::run(command, &Desk::open(config)?, output).await,
        Command::Domain(command) => mail_domain::run(command, &Desk::open(config)?, output).await,
        Command::Connection(command) => connection::run(command, &Desk::open(config)?, output).await,
        Command::Alias(command) => alias::run(command, &Desk::open(config)?, output).await,
        Command::Session(command) => session::run(command, &Desk::open(config)?, output).await,
        Command::User(command) => user::run(command, &Desk::open(config)?, output).await,
        Command::BreakGlass(command) => break_glass::run(command, &Desk::open(config)?, output).await,
        Command::Invitation(command) => invitation::run(command, &Desk::open(config)?, output).await,
        Command::Failure(command) => failure::run(command, Desk::open(config)?, output).await,
        Command::Mail(command) => mail::run(command, &Desk::open(config)?, output).await,
        Command::Token(command) => token::run(command, &Desk::open(config)?, output).await,
        Command::Key(command) => key::run(command, Desk::open(config)?, output).await,
    }
}

async fn migrate(config: &Config, output: &Output) -> anyhow::Result<()> {
    let url =
        config.database.owner_url.as_ref().context("database.owner_url (or database.owner_url_file) is not set")?;
    let count = migrate::run(&url.0).await.context("the database could not be migrated")?;
    // Before there was an index there were no attributes but the standard's.
    let catalogue = Catalogue::new(&[], &[]);
    let index = |document: &Value| users::rows(search::index(document, catalogue.user()));
    let indexed = unindexed::index_all(&url.0, index).await.context("the directory could not be indexed")?;
    if indexed > 0 {
        output.line(&format!("Indexed {indexed} user(s) for SCIM's filters."));
    }
    output.line(&format!("The database is up to date: {count} migration(s)."));
    Ok(())
}

async fn check(config: Config, output: &Output) -> anyhow::Result<()> {
    let settings: Vec<(&str, Value)> =
        config.printed().iter().map(|(key, value)| (key.as_str(), Value::String(value.clone()))).collect();
    output.record(&settings)?;
    ::saml::self_test::self_test()?;
    let desk = Desk::open(config)?;
    let problems = desk.store.unfit_logins().await.context("the database cannot be reached")?;
    if !problems.is_empty() {
        bail!("{}", problems.join("; "));
    }
    app::require_current_schema(&desk.store, desk.now()).await?;
    keys::check(&desk.store, desk.vault()?, desk.now()).await?;
    output.line("Everything fits: settings, logins, migrations, root keys.");
    Ok(())
}

async fn healthcheck(config: &Config) -> anyhow::Result<()> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let address = config.operations_listen;
    let mut stream =
        tokio::net::TcpStream::connect(address).await.with_context(|| format!("nothing answers on {address}"))?;
    stream.write_all(b"GET /readyz HTTP/1.0\r\nHost: localhost\r\n\r\n").await?;
    let mut answer = String::new();
    stream.take(4_096).read_to_string(&mut answer).await?;
    if answer.starts_with("HTTP/1.0 200") || answer.starts_with("HTTP/1.1 200") {
        return Ok(());
    }
    bail!("{}", answer.lines().last().unwrap_or("no answer"))
}

/// Reads one of these names as what it stands for.
fn named<T: Clone + Send + Sync + 'static, const N: usize>(
    names: [&'static str; N],
    read: fn(&str) -> Option<T>,
) -> impl TypedValueParser<Value = T> {
    PossibleValuesParser::new(names).try_map(move |name| read(&name).ok_or("there is no such name"))
}

/// What a command works with.
struct Desk {
    config: Config,
    store: Store,
    clock: Clock,
}

impl Desk {
    fn open(config: Config) -> anyhow::Result<Self> {
        Ok(Self { store: app::open_store(&config)?, config, clock: Clock::System })
    }

    fn vault(&self) -> anyhow::Result<&Vault> {
        self.config.vault.as_ref().context("keys.root or keys.root_file is not set; `gatehouse key generate` makes one")
    }

    fn now(&self) -> OffsetDateTime {
        self.clock.now()
    }

    async fn tenant(&self, tenant: TenantId) -> anyhow::Result<TenantTx> {
        let scope = Scope { tenant, actor: Actor::Operator, now: self.now() };
        Ok(self.store.tenant(scope).await?)
    }

    async fn tenant_by_slug(&self, slug: &str) -> anyhow::Result<store::tenants::Tenant> {
        let mut tx = self.store.control(self.now()).await?;
        let tenant = store::tenants::by_slug(&mut tx, slug).await?;
        tx.rollback().await?;
        tenant.with_context(|| format!("there is no tenant \"{slug}\"; `gatehouse tenant list` shows them"))
    }

    async fn tenant_of(&self, connection: ConnectionId) -> anyhow::Result<TenantId> {
        match setup::tenant_of(&self.store, self.now(), connection).await {
            Err(Error::NotFound) => {
                bail!("there is no connection {connection}; `gatehouse connection list --tenant NAME` shows them")
            }
            found => Ok(found?),
        }
    }
}

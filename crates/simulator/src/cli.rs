//! The arguments, with the help that they print.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use simulator::okta::Style;

/// Plays everything around Gatehouse: the customer's identity provider, Okta's provisioning, and the vendor's app.
#[derive(Parser)]
#[command(version, about, propagate_version = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// A SAML identity provider: pick a person and sign in; assign and deactivate people.
    Idp(IdpArguments),
    /// Okta's provisioning against any SCIM server; prints each exchange, exits 1 where Okta would fail.
    Okta(OktaArguments),
    /// The vendor's app: an OpenID Connect client that asks twice a second whether access still holds.
    App(AppArguments),
    /// Tries a running demo: signs somebody in, deactivates and reactivates them. Exits 1 when anything is not right.
    Smoke(SmokeArguments),
}

#[derive(Args)]
pub(crate) struct IdpArguments {
    /// Where to listen. Keep it on another site than the gateway, as a real identity provider is.
    #[arg(long, default_value = "127.0.0.1:8090")]
    pub(crate) listen: String,
    /// Its address as browsers see it [default: http:// and the listening address].
    #[arg(long, value_name = "URL")]
    pub(crate) base_url: Option<String>,
    /// Folder for its key, certificate and directory; made if missing.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: PathBuf,
    /// A service provider to trust: the URL or file of its metadata, read when a request of it arrives. Repeatable.
    #[arg(long, value_name = "URL|FILE")]
    pub(crate) sp_metadata: Vec<String>,
    /// SCIM base URL to provision people to.
    #[arg(long, value_name = "URL", requires = "scim_token_file")]
    pub(crate) scim_url: Option<String>,
    /// File with the SCIM token.
    #[arg(long, value_name = "FILE", requires = "scim_url")]
    pub(crate) scim_token_file: Option<PathBuf>,
    /// Which of Okta's two dialects provisions.
    #[arg(long, value_enum, default_value_t = StyleArgument::Custom)]
    pub(crate) style: StyleArgument,
    /// Print the metadata and exit.
    #[arg(long)]
    pub(crate) print_metadata: bool,
}

#[derive(Args)]
pub(crate) struct OktaArguments {
    /// SCIM base URL, as pasted into Okta.
    #[arg(long, value_name = "URL")]
    pub(crate) base_url: String,
    /// The token itself; a file keeps it out of the process list.
    #[arg(long, required_unless_present = "token_file", conflicts_with = "token_file")]
    pub(crate) token: Option<String>,
    /// File with the token.
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// `custom`: a custom app, everything by PUT. `catalogue`: an app of Okta's catalogue, PATCH.
    #[arg(long, value_enum, default_value_t = StyleArgument::Custom)]
    pub(crate) style: StyleArgument,
    /// Folder of the identity provider, to share its directory; otherwise the demo's people, known only to this run.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) action: Action,
}

#[derive(Subcommand)]
pub(crate) enum Action {
    /// "Test Connector Configuration".
    Test,
    /// Assign a person: look for them, then create or take over.
    Push {
        /// Login of the person; an address that the directory lacks is added to it.
        user: String,
    },
    /// Change a person's profile and send it.
    Update {
        /// Login of the person.
        user: String,
        /// firstName, lastName, email, role, or any SCIM attribute. Repeatable.
        #[arg(long, value_name = "KEY=VALUE", required = true, value_parser = key_value)]
        set: Vec<(String, String)>,
    },
    /// Unassign a person.
    Deactivate {
        /// Login of the person.
        user: String,
    },
    /// Assign a person again.
    Reactivate {
        /// Login of the person.
        user: String,
    },
    /// "Import now": read every page of users and groups.
    Import,
    /// Push a group and exactly these members.
    PushGroup {
        /// Name of the group.
        group: String,
        /// Login of a member that was pushed before. Repeatable.
        #[arg(long = "member", value_name = "USER")]
        members: Vec<String>,
    },
    /// Take one member out of a group that was pushed.
    RemoveMember {
        /// Name of the group.
        group: String,
        /// Login of the member.
        user: String,
    },
    /// All of the above, one after the other.
    All,
}

#[derive(Args)]
pub(crate) struct AppArguments {
    /// Where to listen.
    #[arg(long, default_value = "localhost:8091")]
    pub(crate) listen: String,
    /// Its address as browsers see it [default: http:// and the listening address].
    #[arg(long, value_name = "URL")]
    pub(crate) base_url: Option<String>,
    /// Gatehouse's address; it need not be up yet.
    #[arg(long, value_name = "URL", default_value = "http://localhost:8080")]
    pub(crate) issuer: String,
    /// The client's id at Gatehouse.
    #[arg(long, value_name = "ID")]
    pub(crate) client_id: String,
    /// File with the client's secret; a public client has none.
    #[arg(long, value_name = "FILE")]
    pub(crate) client_secret_file: Option<PathBuf>,
    /// The tenant whose people sign in at the start page.
    #[arg(long, default_value = "acme")]
    pub(crate) tenant: String,
}

#[derive(Args)]
pub(crate) struct SmokeArguments {
    /// The demo app's address.
    #[arg(long, value_name = "URL", default_value = "http://localhost:8091")]
    pub(crate) app: String,
    /// The simulated identity provider's address; it has to be able to provision.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8090")]
    pub(crate) idp: String,
    /// Login of the person.
    #[arg(long, value_name = "NAME", default_value = "ann@acme.test")]
    pub(crate) user: String,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum StyleArgument {
    Custom,
    Catalogue,
}

impl From<StyleArgument> for Style {
    fn from(style: StyleArgument) -> Self {
        match style {
            StyleArgument::Custom => Self::Custom,
            StyleArgument::Catalogue => Self::Catalogue,
        }
    }
}

fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("write it as KEY=VALUE".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_arguments_fit_together() {
        Cli::command().debug_assert();
        let line =
            "gatehouse-sim okta --base-url http://x --token t update ann@acme.test --set role=MANAGER --set title=";
        assert!(Cli::try_parse_from(line.split(' ')).is_ok());
        for wrong in [
            "gatehouse-sim okta --base-url http://x test",
            "gatehouse-sim okta --base-url http://x --token t --token-file f test",
            "gatehouse-sim okta --base-url http://x --token t update ann --set role",
            "gatehouse-sim idp --data d --scim-url http://x",
        ] {
            assert!(Cli::try_parse_from(wrong.split(' ')).is_err(), "{wrong}");
        }
    }
}

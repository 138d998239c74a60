//! The arguments, with the help that they print.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use simulator::entra::Matching;
use simulator::okta::Style;

/// Plays everything around Gatehouse: the customer's sign-in, the provisioning of five providers, and the vendor's app.
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
    /// Provisions to any SCIM server as Okta does it; prints each exchange, exits 1 where Okta would fail.
    Okta(OktaArguments),
    /// Provisions as Microsoft Entra ID does it; a URL that ends in ?aadOptscim062020 sets that flag.
    Entra(EntraArguments),
    /// Provisions as JumpCloud does it, whose test makes and deletes a user and a group.
    Jumpcloud(JumpCloudArguments),
    /// Provisions as OneLogin does it.
    Onelogin(OneLoginArguments),
    /// Provisions as PingFederate and PingOne do it.
    Ping(PingArguments),
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

/// Where to, and for whom.
#[derive(Args)]
pub(crate) struct Target {
    /// SCIM base URL, as pasted into the identity provider.
    #[arg(long, value_name = "URL")]
    pub(crate) base_url: String,
    /// The token itself; a file keeps it out of the process list.
    #[arg(long, required_unless_present = "token_file", conflicts_with = "token_file")]
    pub(crate) token: Option<String>,
    /// File with the token.
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// Folder of the identity provider, to share its directory; otherwise the demo's people, known only to this run.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct OktaArguments {
    #[command(flatten)]
    pub(crate) target: Target,
    /// `custom`: a custom app, everything by PUT. `catalogue`: an app of Okta's catalogue, PATCH.
    #[arg(long, value_enum, default_value_t = StyleArgument::Custom)]
    pub(crate) style: StyleArgument,
    #[command(subcommand)]
    pub(crate) action: OktaAction,
}

#[derive(Args)]
pub(crate) struct EntraArguments {
    #[command(flatten)]
    pub(crate) target: Target,
    /// The attribute that users are matched on.
    #[arg(long = "match", value_enum, default_value_t = MatchArgument::UserName)]
    pub(crate) matching: MatchArgument,
    #[command(subcommand)]
    pub(crate) action: Action,
}

#[derive(Args)]
pub(crate) struct JumpCloudArguments {
    #[command(flatten)]
    pub(crate) target: Target,
    /// "Test User Email": the user whom `test` makes.
    #[arg(long, value_name = "EMAIL", default_value = "scim.test@acme.test")]
    pub(crate) test_user: String,
    #[command(subcommand)]
    pub(crate) action: Action,
}

#[derive(Args)]
pub(crate) struct OneLoginArguments {
    #[command(flatten)]
    pub(crate) target: Target,
    #[command(subcommand)]
    pub(crate) action: Action,
}

#[derive(Args)]
pub(crate) struct PingArguments {
    #[command(flatten)]
    pub(crate) target: Target,
    /// "Filter Expression": how users are found; %s is the login, or the address in an expression about e-mail.
    #[arg(long, value_name = "EXPRESSION", default_value = "username Eq \"%s\"")]
    pub(crate) filter: String,
    /// Ask for /Users/0 before everything else, as the connector for GitHub does.
    #[arg(long)]
    pub(crate) probe: bool,
    #[command(subcommand)]
    pub(crate) action: Action,
}

#[derive(Subcommand)]
pub(crate) enum Action {
    /// Test the connection, and do what saving it does.
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
    /// Delete a person for good. Okta never does.
    Delete {
        /// Login of the person.
        user: String,
    },
    /// Push a group and these members; Okta makes them its only ones.
    PushGroup {
        /// Name of the group.
        group: String,
        /// Login of a member that was pushed before. Repeatable.
        #[arg(long = "member", value_name = "USER")]
        members: Vec<String>,
    },
    /// Give a group that was pushed another name.
    RenameGroup {
        /// Name of the group.
        group: String,
        /// Its name from now on.
        name: String,
    },
    /// Put one more member into a group that was pushed.
    AddMember {
        /// Name of the group.
        group: String,
        /// Login of the member.
        user: String,
    },
    /// Take one member out of a group that was pushed.
    RemoveMember {
        /// Name of the group.
        group: String,
        /// Login of the member.
        user: String,
    },
    /// Delete a group that was pushed.
    DeleteGroup {
        /// Name of the group.
        group: String,
    },
    /// A story of two people and a group with nearly all of the above.
    All,
}

#[derive(Subcommand)]
pub(crate) enum OktaAction {
    #[command(flatten)]
    Common(Action),
    /// "Import now": read every page of users and groups.
    Import,
    /// "Link Group": take over a group that the app has already, and make these its members.
    LinkGroup {
        /// Name of the group.
        group: String,
        /// Login of a member that was pushed before. Repeatable.
        #[arg(long = "member", value_name = "USER")]
        members: Vec<String>,
    },
    /// "Unlink pushed group", which deletes it unless it is to be left.
    UnlinkGroup {
        /// Name of the group.
        group: String,
        /// "Leave the group in the target app".
        #[arg(long)]
        leave: bool,
    },
    /// "Sync Password": send a person's new password.
    Password {
        /// Login of the person.
        user: String,
        /// The password.
        password: String,
    },
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

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum MatchArgument {
    UserName,
    WorkEmail,
    ExternalId,
}

impl From<MatchArgument> for Matching {
    fn from(matching: MatchArgument) -> Self {
        match matching {
            MatchArgument::UserName => Self::UserName,
            MatchArgument::WorkEmail => Self::WorkEmail,
            MatchArgument::ExternalId => Self::ExternalId,
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
        for provider in ["okta", "entra", "jumpcloud", "onelogin", "ping"] {
            for action in ["test", "push ann", "delete ann", "push-group G --member ann", "rename-group G H", "all"] {
                let line = format!("gatehouse-sim {provider} --base-url http://x --token t {action}");
                assert!(Cli::try_parse_from(line.split(' ')).is_ok(), "{line}");
            }
        }
        for wrong in [
            "gatehouse-sim okta --base-url http://x test",
            "gatehouse-sim okta --base-url http://x --token t --token-file f test",
            "gatehouse-sim okta --base-url http://x --token t update ann --set role",
            "gatehouse-sim entra --base-url http://x --token t import",
            "gatehouse-sim onelogin --token t test",
            "gatehouse-sim idp --data d --scim-url http://x",
        ] {
            assert!(Cli::try_parse_from(wrong.split(' ')).is_err(), "{wrong}");
        }
    }
}

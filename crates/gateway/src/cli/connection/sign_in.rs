//! `gatehouse connection sign-in`: how sign-in behaves.

use super::Switch;
use crate::{
    cli::{
        Desk,
        output::{Output, moment},
    },
    saml::settings::{AuthnComparison, AuthnContext, IdpInitiated, Jit, Mapping, Settings, UniversalLogout},
    setup::sign_in as setup,
};
use anyhow::bail;
use clap::Args;
use domain::ids::ConnectionId;
use serde_json::{Value, json};
use store::sign_in_steps::{self, Show};
use time::{Duration, OffsetDateTime};

/// What a list or a text that is given empty means: as usual.
#[derive(Debug, Args)]
pub struct SignIn {
    /// The connection's id.
    pub id: ConnectionId,
    /// When the identity provider begins (a tile): refuse it, send the browser back with a request of ours, or accept it.
    #[arg(long, value_name = "MODE")]
    idp_initiated: Option<IdpInitiated>,
    /// What becomes of somebody who signs in and is not there yet: they stay out, they are created, or those who are invited
    /// or known to the application are. From the first user that SCIM writes nobody is.
    #[arg(long, value_name = "WHO")]
    jit: Option<Jit>,
    /// SCIM is over for good and does not keep the users any more: sign-ins may bring them again, until it writes the next one.
    #[arg(long)]
    scim_is_over: bool,
    /// A RelayState of the identity provider's that leads on, to the letter, as the application's target_link_uri; repeat
    /// for several, give it empty for none.
    #[arg(long = "relay-state", value_name = "TEXT")]
    relay_states: Vec<String>,
    /// Ask for a new sign-in each time (SAML: ForceAuthn).
    #[arg(long, value_name = "on|off")]
    force_authn: Option<Switch>,
    /// Forbid the identity provider to show anything (SAML: IsPassive).
    #[arg(long, value_name = "on|off")]
    passive: Option<Switch>,
    /// The NameID format to ask for: email, persistent, transient, unspecified or a URI; empty for none.
    #[arg(long, value_name = "FORMAT", value_parser = name_id_format)]
    name_id_format: Option<String>,
    /// A way of signing in to ask for (SAML: AuthnContextClassRef); repeat for several, give it empty for none.
    #[arg(long = "authn-context", value_name = "URI")]
    authn_contexts: Vec<String>,
    /// How the way that is used must compare to those. Only exact can be checked in the answer: no standard says which way is
    /// stronger than another.
    #[arg(long, value_name = "HOW", requires = "authn_contexts", default_value = "exact")]
    authn_comparison: AuthnComparison,
    /// How many seconds the identity provider's clock may be off.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u16).range(0..=600))]
    clock_skew: Option<u16>,
    /// A mail domain that users must be of; repeat for several, give it empty for any.
    #[arg(long = "email-domain", value_name = "DOMAIN")]
    email_domains: Vec<String>,
    /// Sign the metadata.
    #[arg(long, value_name = "on|off")]
    sign_metadata: Option<Switch>,
    /// Accept signatures with SHA-1, which are not safe.
    #[arg(long, value_name = "on|off")]
    allow_sha1: Option<Switch>,
    /// The identity provider knows this connection from a system before, by this entity ID (Cognito:
    /// urn:amazon:cognito:sp:POOL), and posts to /saml2/idpresponse; empty for this connection's own names.
    #[arg(long, value_name = "ENTITY_ID")]
    former_entity_id: Option<String>,
    /// Heed Okta's Universal Logout of this organization (Okta: https://acme.okta.com, the Okta domain); empty for none.
    #[arg(long, value_name = "ISSUER")]
    universal_logout: Option<String>,
    /// Where the organization's keys are, if not at Okta's usual place.
    #[arg(long, value_name = "URL", requires = "universal_logout")]
    universal_logout_jwks: Option<String>,
    /// The app integration that may call (Okta: sub of its tokens).
    #[arg(long, value_name = "ID", requires = "universal_logout")]
    universal_logout_subject: Option<String>,
    /// Keep the contents of assertions in the log for so many minutes, for a test; 0 ends it.
    #[arg(long, value_name = "MINUTES", value_parser = clap::value_parser!(u16).range(0..=1440))]
    test: Option<u16>,
    /// Where a value comes from: id (SCIM: externalId), email, given_name, family_name, display_name, groups or role, and
    /// attribute names in the order in which they are tried (NameID for the subject); nothing behind the equals sign for the
    /// usual ones.
    #[arg(long = "map", value_name = "FIELD=ATTRIBUTE[,ATTRIBUTE]", value_parser = mapped)]
    mappings: Vec<Mapped>,
}

/// A value of the user, and the attributes it comes from.
#[derive(Debug, Clone)]
struct Mapped {
    field: &'static str,
    attributes: Vec<String>,
}

const FIELDS: [&str; 7] = ["id", "email", "given_name", "family_name", "display_name", "groups", "role"];

impl SignIn {
    fn is_empty(&self) -> bool {
        let lists = [&self.relay_states, &self.authn_contexts, &self.email_domains];
        let switches = [self.force_authn, self.passive, self.sign_metadata, self.allow_sha1];
        lists.iter().all(|list| list.is_empty())
            && switches.iter().all(Option::is_none)
            && self.mappings.is_empty()
            && self.idp_initiated.is_none()
            && self.jit.is_none()
            && !self.scim_is_over
            && self.name_id_format.is_none()
            && self.clock_skew.is_none()
            && self.former_entity_id.is_none()
            && self.universal_logout.is_none()
            && self.test.is_none()
    }

    fn change(self, settings: &mut Settings, allow_sha1: &mut bool, now: OffsetDateTime) {
        let set = |switch: Option<Switch>, value: &mut bool| *value = switch.map_or(*value, Switch::is_on);
        set(self.force_authn, &mut settings.force_authn);
        set(self.passive, &mut settings.is_passive);
        set(self.sign_metadata, &mut settings.sign_metadata);
        set(self.allow_sha1, allow_sha1);
        replace(self.relay_states, &mut settings.relay_states);
        replace(self.email_domains, &mut settings.email_domains);
        settings.idp_initiated = self.idp_initiated.unwrap_or(settings.idp_initiated);
        settings.jit = self.jit.unwrap_or(settings.jit);
        settings.clock_skew_seconds = self.clock_skew.or(settings.clock_skew_seconds);
        if let Some(former) = self.former_entity_id {
            settings.former_entity_id = Some(former).filter(|former| !former.is_empty());
        }
        if let Some(issuer) = self.universal_logout {
            let (jwks_url, subject) = (self.universal_logout_jwks, self.universal_logout_subject);
            let issuer = issuer.trim_end_matches('/').to_owned();
            settings.universal_logout = (!issuer.is_empty()).then_some(UniversalLogout { issuer, jwks_url, subject });
        }
        if let Some(minutes) = self.test {
            settings.test_until = (minutes > 0).then(|| now + Duration::minutes(minutes.into()));
        }
        if let Some(format) = self.name_id_format {
            settings.name_id_format = Some(format).filter(|format| !format.is_empty());
        }
        if !self.authn_contexts.is_empty() {
            let classes = given(self.authn_contexts);
            let comparison = self.authn_comparison;
            settings.authn_context = (!classes.is_empty()).then_some(AuthnContext { classes, comparison });
        }
        for Mapped { field, attributes } in self.mappings {
            *place(&mut settings.mapping, field) = attributes;
        }
    }
}

pub async fn set(arguments: SignIn, desk: &Desk) -> anyhow::Result<()> {
    if arguments.is_empty() {
        bail!("nothing to set; `gatehouse connection sign-in --help` lists what can be set");
    }
    let (id, is_over) = (arguments.id, arguments.scim_is_over);
    desk.tenant_of(id).await?;
    let now = desk.now();
    let change = |settings: &mut Settings, allow_sha1: &mut bool| arguments.change(settings, allow_sha1, now);
    setup::set(&desk.store, now, id, change).await?;
    if is_over {
        setup::forget_scim(&desk.store, now, id).await?;
    }
    Ok(())
}

#[derive(Debug, Args)]
pub struct Attempts {
    /// The connection's id.
    id: ConnectionId,
    /// Only what was refused.
    #[arg(long)]
    refused: bool,
    /// Only this attempt, with its messages.
    #[arg(long, value_name = "ID", conflicts_with = "refused")]
    attempt: Option<String>,
    /// How many steps.
    #[arg(short = 'n', long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1000))]
    limit: u16,
}

pub async fn attempts(arguments: &Attempts, desk: &Desk, output: &Output) -> anyhow::Result<()> {
    let Attempts { id, refused, attempt, limit } = arguments;
    let mut tx = desk.tenant(desk.tenant_of(*id).await?).await?;
    let show = match attempt {
        Some(attempt) => Show::Attempt(attempt),
        None if *refused => Show::Refused,
        None => Show::All,
    };
    let steps = sign_in_steps::list(&mut tx, *id, show, (*limit).into()).await?;
    tx.rollback().await?;
    if steps.is_empty() {
        output.line("Nothing yet. Open the connection's sign-in link in a browser.");
    }
    let records = steps.iter().map(|step| {
        let mut fields = vec![
            ("at", json!(moment(step.at))),
            ("attempt", json!(step.attempt)),
            ("step", json!(step.step)),
            ("code", json!(step.code)),
            ("expected", json!(step.expected)),
            ("received", json!(step.received)),
            ("understood", json!(step.understood)),
            ("reference", json!(step.reference)),
            ("from", json!(step.address)),
            ("agent", json!(step.agent)),
        ];
        if attempt.is_some() {
            fields.push(("message", json!(step.message)));
        }
        fields
    });
    output.list(&records.collect::<Vec<_>>())
}

fn replace(given_values: Vec<String>, values: &mut Vec<String>) {
    if !given_values.is_empty() {
        *values = given(given_values);
    }
}

fn given(values: Vec<String>) -> Vec<String> {
    values.into_iter().map(|value| value.trim().to_owned()).filter(|value| !value.is_empty()).collect()
}

/// The URI of a format; empty for none.
fn name_id_format(text: &str) -> Result<String, String> {
    let format = match text {
        "email" => "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress",
        "persistent" => "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent",
        "transient" => "urn:oasis:names:tc:SAML:2.0:nameid-format:transient",
        "unspecified" => "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified",
        uri if uri.is_empty() || uri.contains(':') => uri,
        _ => return Err("give email, persistent, transient, unspecified or a URI".to_owned()),
    };
    Ok(format.to_owned())
}

fn mapped(text: &str) -> Result<Mapped, String> {
    let (field, attributes) = text.split_once('=').ok_or("there is no equals sign; write email=mail,NameID")?;
    let known = FIELDS.into_iter().find(|known| *known == field);
    let field = known.ok_or_else(|| format!("there is no such value; there are {}", FIELDS.join(", ")))?;
    Ok(Mapped { field, attributes: given(attributes.split(',').map(str::to_owned).collect()) })
}

fn place<'m>(mapping: &'m mut Mapping, field: &str) -> &'m mut Vec<String> {
    match field {
        "id" => &mut mapping.id,
        "email" => &mut mapping.email,
        "given_name" => &mut mapping.given_name,
        "family_name" => &mut mapping.family_name,
        "display_name" => &mut mapping.display_name,
        "groups" => &mut mapping.groups,
        _ => &mut mapping.role,
    }
}

/// What is set, under its name for programs and for people.
pub fn fields(settings: &Settings, allow_sha1: bool) -> Vec<(&'static str, &'static str, Value)> {
    let sha1 = if allow_sha1 { "ALLOWED, although it is not safe" } else { "refused" };
    vec![
        ("sha1", "Signatures with SHA-1", json!(sha1)),
        ("idp_initiated", "When the identity provider begins", json!(settings.idp_initiated)),
        ("jit", "Who may come by signing in", json!(settings.jit)),
        ("relay_states", "RelayStates that lead on", json!(settings.relay_states)),
        ("email_domains", "Mail domains of users", json!(settings.email_domains)),
        ("force_authn", "Ask for a new sign-in each time", json!(settings.force_authn)),
        ("is_passive", "Forbid the identity provider to show anything", json!(settings.is_passive)),
        ("name_id_format", "Name ID format to ask for", json!(settings.name_id_format)),
        ("authn_context", "Way of signing in to ask for", json!(settings.authn_context)),
        ("clock_skew_seconds", "Seconds that clocks may differ", json!(settings.clock_skew_seconds)),
        ("sign_metadata", "Sign the metadata", json!(settings.sign_metadata)),
        ("mapping", "Attributes", json!(settings.mapping)),
        ("former_entity_id", "Entity ID of a system before this one", json!(settings.former_entity_id)),
        ("universal_logout", "Universal Logout", json!(settings.universal_logout)),
        ("test_until", "A test is on until", json!(settings.test_until.map(moment))),
    ]
}

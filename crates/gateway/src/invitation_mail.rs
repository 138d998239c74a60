//! Sends the invitations that are due. Any gateway does, and keeps what it takes from the others for a while; of one that dies, it is
//! due again soon.
//!
//! The code is derived from the root key and the invitation's id, so nothing readable is stored, and a mail of which nobody knows
//! whether it went is sent once more with the same code under the same Message-ID: mail systems show it once.

use crate::{
    app::{App, Inner},
    error::{Error, chain},
    mail::{Letter, Mail, Problem, Returned},
    oauth::settings::Settings,
    pages::{Brand, InvitationMail, Words},
    secret::{Kind, Secret},
    vault::{Derived, Vault},
};
use anyhow::Context;
use askama::Template;
use domain::{
    event::{Event, EventKind, Subject},
    ids::{InvitationId, TenantId},
    invitation::{Action, Invitation, Status, Step},
    refusal::Refusal,
};
use futures_util::future::join_all;
use metrics::counter;
use serde_json::json;
use std::time::Duration;
use store::{
    accounts, applications, connections, events,
    invitation_mails::{self, Due},
    invitations::{self, Invited},
    scope::{Actor, Scope},
    store::Store,
    tenant::TenantTx,
    tenants,
};
use subtle::ConstantTimeEq;
use time::{OffsetDateTime, macros::format_description};
use tokio::time::sleep;
use tracing::{info, warn};
use uuid::Uuid;

/// How often a process asks what is due.
const PERIOD: Duration = Duration::from_secs(1);

/// How long a mail is kept from other processes: longer than one takes at its slowest.
const LEASE: time::Duration = time::Duration::minutes(3);

/// After how many seconds a mail is tried again; the last one goes for all further times, until the invitation has run out.
const AGAIN: [i64; 6] = [60, 300, 900, 3_600, 14_400, 28_800];

/// After which time it is looked again whether nobody is kept from signing in.
const SUSPENDED: time::Duration = time::Duration::hours(1);

/// Runs until dropped.
pub async fn run(app: App, mail: Mail) {
    let mut after = TenantId(Uuid::nil());
    loop {
        match some(&app, &mail, &mut after).await {
            Ok(0) => sleep(PERIOD).await,
            Ok(_) => {}
            Err(error) => {
                warn!(error = chain(&error), "It could not be asked which invitations are to be sent");
                sleep(PERIOD).await;
            }
        }
    }
}

/// Sends all that is due; answers how many mails were tried.
///
/// # Errors
/// When the database cannot be asked. What goes wrong with one mail is noted.
pub async fn round(app: &App, mail: &Mail) -> Result<usize, Error> {
    let (mut all, mut after) = (0, TenantId(Uuid::nil()));
    loop {
        match some(app, mail, &mut after).await? {
            0 => return Ok(all),
            tried => all += tried,
        }
    }
}

/// Sends some of it, of the tenants behind `after` first.
async fn some(app: &App, mail: &Mail, after: &mut TenantId) -> Result<usize, Error> {
    let most = i64::from(crate::mail::AT_ONCE);
    let mut due = take(app, *after, most).await?;
    if due.is_empty() && after.0 != Uuid::nil() {
        // From the first one again.
        due = take(app, TenantId(Uuid::nil()), most).await?;
    }
    let Some(last) = due.iter().map(|due| due.tenant).max_by_key(|tenant| tenant.0) else { return Ok(0) };
    *after = last;
    let sent = join_all(due.iter().map(|due| send(app, mail, *due))).await;
    for (due, sent) in due.iter().zip(sent) {
        if let Err(error) = sent {
            warn!(tenant.id = %due.tenant, invitation = %due.id, error = chain(&error), "An invitation could not be sent; it is tried again");
        }
    }
    Ok(due.len())
}

async fn take(app: &App, after: TenantId, most: i64) -> Result<Vec<Due>, Error> {
    let mut tx = app.control(app.clock.now()).await?;
    let due = invitation_mails::take(&mut tx, after, most, LEASE).await?;
    tx.commit().await?;
    Ok(due)
}

async fn send(app: &Inner, mail: &Mail, due: Due) -> Result<(), Error> {
    let mut tx = app.tenant(due.tenant, Actor::Gateway, app.clock.now()).await?;
    let letter = written(app, &mut tx, due).await?;
    tx.commit().await?;
    let Some(letter) = letter else { return Ok(()) };
    let outcome = mail.send(letter).await;
    let mut tx = app.tenant(due.tenant, Actor::Gateway, app.clock.now()).await?;
    let result = note(&mut tx, due, outcome).await?;
    tx.commit().await?;
    counter!("gatehouse_invitation_mails_total", "result" => result).increment(1);
    Ok(())
}

/// The mail, unless it is not worth sending any more.
async fn written(app: &Inner, tx: &mut TenantTx, due: Due) -> Result<Option<Letter>, Error> {
    let Some(invited) = invitations::for_update(tx, due.id).await? else { return Ok(None) };
    let now = tx.now();
    if !matches!(invited.invitation.status(now), Status::Pending) {
        invitation_mails::forget(tx, due.id).await?;
        return Ok(None);
    }
    let Ok(to) = invited.email.parse() else {
        let problem = "the address cannot be written into a mail".to_owned();
        note(tx, due, Err(Problem::Recipient(problem))).await?;
        return Ok(None);
    };
    let closed = match connections::by_id(tx, invited.connection).await? {
        None => Some("the connection was removed"),
        Some(connection) => connection.suspended_at.map(|_| "the connection or its tenant is suspended"),
    };
    if let Some(problem) = closed {
        invitation_mails::failed(tx, due.id, problem, Some(now + SUSPENDED)).await?;
        return Ok(None);
    }
    let code = app.vault.derive(Derived::InvitationCode, due.id.0)?;
    let code = Secret::from_bytes(Kind::Invitation, due.tenant, code);
    invitation_mails::set_code(tx, due.id, &code.hash()).await?;
    let application = applications::of_connection(tx, invited.connection).await?.ok_or(Error::NotFound)?;
    let tenant = tenants::current(tx).await?.ok_or(Error::NotFound)?;
    let brand = Brand::of(&application, &Settings::of(&application)?);
    let words = language(tx, &invited).await?;
    let link = format!("{}/invite/{}", app.issuer(), code.reveal());
    let until = date(Invitation { step: Step::Sent { at: now }, ..invited.invitation }.expires_at())?;
    let page = InvitationMail {
        words,
        brand: &brand,
        issuer: app.issuer(),
        tenant: &tenant.display_name,
        email: &invited.email,
        link: &link,
        until: &until,
    };
    Ok(Some(Letter {
        to,
        subject: page.title(),
        text: page.text().render().context("a mail renders")?,
        html: page.render().context("a mail renders")?,
        name: name(&app.vault, due.tenant, due.id)?,
        at: now,
    }))
}

/// The language of the person's account (RFC 7643 4.1.1), where it has one that we have.
async fn language(tx: &mut TenantTx, invited: &Invited) -> Result<Words, Error> {
    let account = match invited.account {
        Some(id) => accounts::by_id(tx, id).await?,
        None => None,
    };
    let document = account.map(|account| account.profile.document).unwrap_or_default();
    let wishes = ["preferredLanguage", "locale"].into_iter().filter_map(|name| document[name].as_str());
    let found = wishes.filter_map(|wish| Words::wished(&wish.replace('_', "-"))).next();
    Ok(found.unwrap_or_default())
}

fn date(at: OffsetDateTime) -> anyhow::Result<String> {
    at.date().format(format_description!("[year]-[month]-[day]")).context("a date is written")
}

/// What became of the mail.
async fn note(tx: &mut TenantTx, due: Due, outcome: Result<(), Problem>) -> Result<&'static str, Error> {
    let Some(invited) = invitations::for_update(tx, due.id).await? else { return Ok("gone") };
    match outcome {
        Ok(()) => {
            step(tx, &invited, Action::Send, EventKind::InvitationSent).await?;
            Ok("sent")
        }
        Err(Problem::Recipient(problem)) => {
            bounced(tx, &invited, &problem).await?;
            Ok("bounced")
        }
        Err(Problem::Other(problem)) => {
            let wait = usize::try_from(due.attempts - 1).ok().and_then(|tried| AGAIN.get(tried)).or(AGAIN.last());
            let again = tx.now() + time::Duration::seconds(wait.copied().unwrap_or_default());
            invitation_mails::failed(tx, due.id, &problem, Some(again)).await?;
            let attempts = due.attempts;
            warn!(tenant.id = %due.tenant, invitation = %due.id, attempts, problem, "The mail server did not take an invitation; it is tried again");
            Ok("failed")
        }
    }
}

async fn bounced(tx: &mut TenantTx, invited: &Invited, problem: &str) -> Result<(), Error> {
    invitation_mails::failed(tx, invited.invitation.id, problem, None).await?;
    info!(tenant.id = %tx.tenant(), invitation = %invited.invitation.id, problem, "An invitation came back");
    step(tx, invited, Action::Bounce, EventKind::InvitationBounced).await
}

async fn step(tx: &mut TenantTx, invited: &Invited, action: Action, kind: EventKind) -> Result<(), Error> {
    let before = invited.invitation;
    let after = match before.after(action, tx.now()) {
        // It took 14 days to be taken.
        Err(Refusal::InvitationExpired) => before,
        after => after?,
    };
    if after == before {
        return Ok(invitation_mails::forget(tx, before.id).await?);
    }
    invitations::set_step(tx, before.id, after.step).await?;
    let event = Event::with(kind, Subject::Invitation(before.id), json!({ "account_id": invited.account }));
    Ok(events::append(tx, Some(invited.connection), &[event]).await?)
}

/// What a mail is called: whose invitation it is, and a proof that we said so.
fn name(vault: &Vault, tenant: TenantId, id: InvitationId) -> anyhow::Result<String> {
    Ok(format!("{}.{}.{}", tenant.0.simple(), id.0.simple(), tag(&vault.derive(Derived::MailTag, id.0)?)))
}

fn tag(secret: &[u8; 32]) -> String {
    secret[..16].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Notes that a mail came back. Answers the invitation, or nothing where the mail was none of ours.
///
/// # Errors
/// When the database cannot be used.
pub async fn came_back(
    store: &Store,
    vault: &Vault,
    now: OffsetDateTime,
    returned: &Returned,
) -> Result<Option<InvitationId>, Error> {
    let mut parts = returned.name.split('.');
    let (Some(tenant), Some(id), Some(given), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
        return Ok(None);
    };
    let (Ok(tenant), Ok(id)) = (tenant.parse(), id.parse()) else { return Ok(None) };
    let is_ours = |secret: [u8; 32]| bool::from(tag(&secret).as_bytes().ct_eq(given.as_bytes()));
    let secrets: Vec<[u8; 32]> = vault.derive_all(Derived::MailTag, id).collect::<anyhow::Result<_>>()?;
    if !secrets.into_iter().any(is_ours) {
        return Ok(None);
    }
    let mut tx = store.tenant(Scope { tenant: TenantId(tenant), actor: Actor::Gateway, now }).await?;
    let found = invitations::for_update(&mut tx, InvitationId(id)).await?;
    if let Some(invited) = &found {
        bounced(&mut tx, invited, &returned.why).await?;
    }
    tx.commit().await?;
    Ok(found.map(|invited| invited.invitation.id))
}

//! What identity providers wanted and did not get: noted before they are told so, over as soon as they get it, and done again by an
//! operator when the cause is gone, without a request from them.

pub mod replay;
pub mod wish;

use crate::{
    app::Inner,
    error::{Error, ScimOutcome, chain},
    guard,
    saml::identity::Identity,
};
use ::scim::error::ScimError;
use anyhow::Context;
use domain::{
    event::{Event, EventKind, Subject},
    ids::{AccountId, ConnectionId, FailureId, GroupId, TenantId},
    names::fold,
};
use metrics::counter;
use serde::Deserialize;
use serde_json::{Value, json};
use store::{
    accounts, events,
    failures::{self as rows, End, NewFailure},
    groups,
    scope::Actor,
    shadows,
    tenant::TenantTx,
};
use tracing::warn;
use uuid::Uuid;
use wish::Wish;

/// Characters of a sentence that are kept.
const LONGEST: usize = 1_000;

/// Statuses that say nothing about the wish: the client waits, or looks again, and sends it anew.
const PASSING: [u16; 3] = [401, 412, 429];

/// The code of departures that wait for somebody to say that they are meant.
pub const MASS_CHANGE: &str = "GH-GRD-001";

/// A "no", as it was told.
#[derive(Debug, Clone)]
pub struct Refused {
    pub status: u16,
    pub code: String,
    pub detail: String,
}

impl Refused {
    /// What a client was told.
    pub fn told(status: u16, outcome: Option<&ScimOutcome>) -> Self {
        let code = outcome.map_or_else(|| ScimOutcome::code_of(status), |outcome| outcome.code);
        let detail = outcome.map(|outcome| outcome.detail.clone()).unwrap_or_default();
        Self { status, code: code.to_owned(), detail }
    }
}

impl From<&ScimError> for Refused {
    fn from(error: &ScimError) -> Self {
        let ScimOutcome { code, detail } = ScimOutcome::of(error);
        Self { status: error.status, code: own_code(&detail).unwrap_or(code).to_owned(), detail }
    }
}

/// The code that stands at the end of a sentence.
fn own_code(detail: &str) -> Option<&str> {
    let code = detail.strip_suffix(')')?.rsplit_once('(')?.1;
    code.starts_with("GH-").then_some(code)
}

/// Notes what became of a wish, before whoever has it hears of that. Nobody is told otherwise when that cannot be noted.
pub async fn note(
    app: &Inner,
    (tenant, connection): (TenantId, ConnectionId),
    wish: &Wish,
    refused: Option<&Refused>,
    may_end: bool,
) {
    let noted = match refused {
        Some(refused) => {
            let is_gone = wish.method == "DELETE" && refused.status == 404;
            if PASSING.contains(&refused.status) || is_gone {
                return;
            }
            failed(app, (tenant, connection), wish, refused).await
        }
        None if may_end => granted(app, (tenant, connection), wish).await,
        None => return,
    };
    if let Err(error) = noted {
        counter!("gatehouse_failures_dropped_total").increment(1);
        warn!(tenant.id = %tenant, error = chain(&error), "What became of a request could not be noted in the report of failures");
    }
}

async fn failed(
    app: &Inner,
    (tenant, connection): (TenantId, ConnectionId),
    wish: &Wish,
    refused: &Refused,
) -> Result<(), Error> {
    let mut tx = app.tenant(tenant, Actor::Gateway, app.clock.now()).await?;
    // In shadow it is noted, and nobody is told.
    shadows::enter(&mut tx, connection).await?;
    let who = match wish.name() {
        Some(name) => name,
        None => named(&mut tx, connection, wish).await?,
    };
    let kept = wish.kept();
    let new = NewFailure {
        source: "scim",
        key: &wish.key(),
        who: &who,
        who_key: &fold(&who),
        subject: wish.id,
        what: wish.what(),
        code: &refused.code,
        detail: &cut(&refused.detail),
        wish: kept.as_ref(),
    };
    noted(&mut tx, connection, &new).await?;
    if refused.code == MASS_CHANGE {
        guard::pause(&mut tx, connection).await?;
    }
    Ok(tx.commit().await?)
}

/// Whom an id means.
async fn named(tx: &mut TenantTx, connection: ConnectionId, wish: &Wish) -> Result<String, Error> {
    let Some(id) = wish.id else { return Ok(String::new()) };
    let name = if wish.is_group {
        groups::by_id(tx, connection, GroupId(id)).await?.map(|group| group.display_name)
    } else {
        let account = accounts::by_id(tx, AccountId(id)).await?.filter(|account| account.connection_id == connection);
        account.map(|account| account.profile.user_name.to_string())
    };
    Ok(name.unwrap_or_else(|| id.to_string()))
}

/// Stores a failure, and tells of a new one.
async fn noted(tx: &mut TenantTx, connection: ConnectionId, new: &NewFailure<'_>) -> Result<(), Error> {
    match rows::note(tx, connection, new).await? {
        Some((id, true)) => {
            let data = json!({ "failure_id": id, "code": new.code, "source": new.source, "problem": new.what });
            tell(tx, connection, EventKind::ProvisioningFailed, data).await
        }
        Some((_, false)) => Ok(()),
        None => {
            counter!("gatehouse_failures_dropped_total").increment(1);
            Ok(())
        }
    }
}

/// Ends what the wish was refused before, and what it makes pointless.
async fn granted(app: &Inner, (tenant, connection): (TenantId, ConnectionId), wish: &Wish) -> Result<(), Error> {
    let mut tx = app.tenant(tenant, Actor::Gateway, app.clock.now()).await?;
    shadows::enter(&mut tx, connection).await?;
    for id in rows::end_key(&mut tx, connection, &wish.key(), End::Granted).await? {
        recovered(&mut tx, connection, id, End::Granted).await?;
    }
    // Nothing from before may come back after it.
    let is_whole = wish.method != "PATCH" || wish.takes_out();
    match wish.id {
        Some(id) if is_whole => {
            for id in rows::end_subject(&mut tx, connection, id, End::Overtaken).await? {
                recovered(&mut tx, connection, id, End::Overtaken).await?;
            }
        }
        Some(id) => overtake(&mut tx, connection, id, wish).await?,
        None => {}
    }
    Ok(tx.commit().await?)
}

/// Takes out of what was refused before what the wish has said otherwise.
async fn overtake(tx: &mut TenantTx, connection: ConnectionId, subject: Uuid, wish: &Wish) -> Result<(), Error> {
    for (id, stored) in rows::wishes(tx, connection, subject).await? {
        let Ok(before) = Wish::deserialize(&stored) else { continue };
        match before.after(wish).map(|after| json!(after)) {
            Some(after) if after == stored => {}
            Some(after) => rows::set_wish(tx, id, &after).await?,
            None => {
                if rows::end(tx, id, End::Overtaken).await?.is_some() {
                    recovered(tx, connection, id, End::Overtaken).await?;
                }
            }
        }
    }
    Ok(())
}

/// Notes that a group was changed without these members; the event was told with the group.
pub async fn left_out(
    tx: &mut TenantTx,
    connection: ConnectionId,
    group: GroupId,
    members: &[Uuid],
    note: &str,
) -> Result<(), Error> {
    let Some(who) = groups::by_id(tx, connection, group).await?.map(|group| group.display_name) else { return Ok(()) };
    let kept = json!(Wish::to_add(group.0, members));
    let new = NewFailure {
        source: "scim",
        key: &Wish::key_of_members(group.0),
        who: &who,
        who_key: &fold(&who),
        subject: Some(group.0),
        what: "add members",
        code: "GH-GRP-003",
        detail: &cut(note),
        wish: Some(&kept).filter(|_| !members.is_empty()),
    };
    rows::note(tx, connection, &new).await?;
    Ok(())
}

/// The identity provider says anew who is in a group.
pub async fn members_are_new(tx: &mut TenantTx, connection: ConnectionId, group: GroupId) -> Result<(), Error> {
    for id in rows::end_key(tx, connection, &Wish::key_of_members(group.0), End::Overtaken).await? {
        recovered(tx, connection, id, End::Overtaken).await?;
    }
    Ok(())
}

/// Notes that somebody who signed in was kept out for a reason that can be mended.
pub async fn kept_out(
    tx: &mut TenantTx,
    connection: ConnectionId,
    raw: &Value,
    (code, detail): (&str, &str),
) -> Result<(), Error> {
    let identity = Identity::deserialize(raw).context("a kept identity reads")?;
    let who = identity.user_name().unwrap_or(&identity.name_id).chars().take(256).collect::<String>();
    // Nobody else's account, and none that was deactivated, is there for the asking.
    let is_new =
        !matches!(code, "GH-SAML-1005" | "GH-USR-006" | "GH-USR-013" | "GH-INV-001" | "GH-INV-002" | "GH-INV-003")
            && !identity.transient;
    let kept = (is_new && raw.to_string().len() <= wish::LARGEST).then(|| json!({ "identity": raw }));
    let new = NewFailure {
        source: "sign_in",
        key: &wish::hash(&format!("sign_in:{}", fold(&who))),
        who: &who,
        who_key: &fold(&who),
        subject: None,
        what: "sign in",
        code,
        detail: &cut(detail),
        wish: kept.as_ref(),
    };
    noted(tx, connection, &new).await
}

/// Ends a failure that is done again in this transaction: it is done once, whoever else wants that at the same moment.
///
/// # Errors
/// [`Error::NotFound`] where it is over.
pub async fn replayed(tx: &mut TenantTx, id: FailureId) -> Result<ConnectionId, Error> {
    let connection = rows::end(tx, id, End::Replayed).await?.ok_or(Error::NotFound)?;
    recovered(tx, connection, id, End::Replayed).await?;
    Ok(connection)
}

/// Tells that a failure is over.
pub async fn recovered(tx: &mut TenantTx, connection: ConnectionId, id: FailureId, by: End) -> Result<(), Error> {
    let data = json!({ "failure_id": id, "by": by.as_str() });
    tell(tx, connection, EventKind::ProvisioningRecovered, data).await
}

async fn tell(tx: &mut TenantTx, connection: ConnectionId, kind: EventKind, data: Value) -> Result<(), Error> {
    let event = Event::with(kind, Subject::Connection(connection), data);
    Ok(events::append(tx, Some(connection), &[event]).await?)
}

fn cut(text: &str) -> String {
    text.chars().take(LONGEST).collect()
}

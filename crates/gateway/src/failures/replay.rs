//! Does again what was refused, when the cause is gone: each failure in a transaction that ends it, so that it is done once.

use super::{Refused, replayed, wish::Wish};
use crate::{
    app::App,
    error::{Error, ScimFailure},
    roles::{self, Groups, InForce, PAGE},
    saml::{identity::Identity, jit},
    scim::{bulk, call::Directory},
    seats, shadow,
};
use ::scim::error::{ScimError, ScimType};
use anyhow::Context;
use domain::ids::{ConnectionId, FailureId, TenantId};
use serde::Deserialize;
use serde_json::Value;
use store::{
    failures::{self as rows, Failure},
    scope::{Actor, Scope},
    tenant::TenantTx,
};
use uuid::Uuid;

/// What became of it.
#[derive(Debug, Clone)]
pub enum Outcome {
    Done,
    /// The cause is still there, or another one is.
    Refused(Refused),
    /// It was over already.
    Over,
    /// What was wanted is not kept: it had a secret in it, or was too large.
    NotKept,
}

/// Does one failure again.
///
/// # Errors
/// [`Error::NotFound`] without such a failure, and what is ours to mend.
pub async fn one(app: &App, tenant: TenantId, id: FailureId) -> Result<(Failure, Outcome), Error> {
    let mut tx = operator(app, tenant).await?;
    let failure = rows::find(&mut tx, id).await?.ok_or(Error::NotFound)?;
    let done = match &failure.wish {
        _ if failure.ended.is_some() => return Ok((failure, Outcome::Over)),
        None => return Ok((failure, Outcome::NotKept)),
        Some(wish) if failure.source == "sign_in" => signed_in(tx, id, wish).await,
        Some(wish) => provisioned(app, tx, &failure, wish).await,
    };
    let outcome = settled(app, tenant, &failure, done).await?;
    Ok((failure, outcome))
}

/// Somebody who signed in and was kept out, let in as far as an account goes.
async fn signed_in(mut tx: TenantTx, id: FailureId, wish: &Value) -> Result<(), Error> {
    let connection = replayed(&mut tx, id).await?;
    let identity = Identity::deserialize(&wish["identity"]).context("a kept identity reads")?;
    jit::arrives(&mut tx, connection, &identity, false).await?;
    Ok(tx.commit().await?)
}

/// What SCIM asked for.
async fn provisioned(app: &App, mut tx: TenantTx, failure: &Failure, wish: &Value) -> Result<(), Error> {
    let wish = Wish::deserialize(wish).context("a kept wish reads")?;
    let method = wish.method().context("a kept method is known")?;
    let target = wish.id.unwrap_or_else(|| tx.new_id());
    let directory = Directory::for_replay(app, &mut tx, failure.connection, failure.id).await?;
    tx.rollback().await?;
    bulk::again(&directory, &method, (wish.resource(), target), &wish.body).await?;
    match directory.trace.noted() {
        // The others are in; that these are not was noted anew.
        Some(note) => Err(ScimError::bad_request(ScimType::InvalidValue, note).into()),
        None => Ok(()),
    }
}

/// What became of it, with why it was refused once more noted.
async fn settled(app: &App, tenant: TenantId, failure: &Failure, outcome: Result<(), Error>) -> Result<Outcome, Error> {
    let error = match outcome {
        Ok(()) => return Ok(Outcome::Done),
        Err(error @ (Error::Internal(_) | Error::Unavailable(_))) => return Err(error),
        Err(error) => error,
    };
    let mut tx = operator(app, tenant).await?;
    let is_over = rows::find(&mut tx, failure.id).await?.is_none_or(|now| now.ended.is_some());
    if is_over && matches!(error, Error::NotFound) {
        tx.rollback().await?;
        return Ok(Outcome::Over);
    }
    let refused = match error {
        Error::Saml(rejection) => Refused {
            status: 403,
            code: rejection.code.id().to_owned(),
            detail: format!("{}. {}", rejection.code.title(), rejection.code.fix()),
        },
        error => Refused::from(&ScimFailure::from(error).told()),
    };
    rows::tried(&mut tx, failure.id, &refused.code, &refused.detail).await?;
    tx.commit().await?;
    Ok(Outcome::Refused(refused))
}

/// Looks again at who has another role than was sent, and at who waits for a seat; answers how many roles changed.
///
/// # Errors
/// When the database cannot be used.
pub async fn look_again(app: &App, tenant: TenantId, connection: ConnectionId) -> Result<usize, Error> {
    seats::look(app, Scope { tenant, actor: Actor::Operator, now: app.clock.now() }).await?;
    let (mut changed, mut after) = (0, Uuid::nil());
    loop {
        let mut tx = operator(app, tenant).await?;
        let accounts = rows::with_unknown_role(&mut tx, connection, after, PAGE).await?;
        let Some(last) = accounts.last() else {
            tx.rollback().await?;
            return Ok(changed);
        };
        after = *last;
        store::roles::lock_groups(&mut tx, connection).await?;
        let in_force = InForce::of(&mut tx, connection).await?;
        shadow::enter(&mut tx, connection, &in_force).await?;
        changed += roles::settle(&mut tx, connection, &in_force, &accounts, Groups::Kept).await?;
        tx.commit().await?;
    }
}

async fn operator(app: &App, tenant: TenantId) -> Result<TenantTx, Error> {
    app.tenant(tenant, Actor::Operator, app.clock.now()).await
}

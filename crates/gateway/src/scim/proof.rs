//! Whose token a request came with: looked up for each request, so that a revocation holds at once.

use super::together::{self, Task, Together, Token};
use crate::{app::App, config::Config, error::Error};
use domain::ids::{ConnectionId, TenantId};
use std::{iter::repeat, time::Duration};
use store::{
    ahead::Glance,
    scim_tokens::{self, Bearer},
    scope::{Actor, Scope},
    tenant::TenantTx,
    users::Linkable,
};

/// What a request proves itself with: a connection's token.
#[derive(Clone)]
pub struct Proof {
    pub app: App,
    pub tenant: TenantId,
    pub connection: ConnectionId,
    /// The token's SHA-256.
    pub token_hash: [u8; 32],
}

impl Proof {
    /// What the token opens, and the transaction that saw it, with what will be asked next if that is known. Whoever
    /// opens one has a place among the tenant's.
    pub async fn begin(&self, ahead: Option<Linkable>) -> Result<(Bearer, TenantTx), Error> {
        let proven =
            scim_tokens::prove(&self.app.store, self.scope(), self.connection, &self.token_hash, ahead).await?;
        proven.ok_or(Error::Unauthorized)
    }

    /// What the token opens, seen after this was asked, and a transaction that is not open but knows what the glance
    /// saw. Requests that come at the same time are proven by one look.
    pub async fn glance(self, glance: Glance) -> Result<(Bearer, TenantTx), Error> {
        together::join(Look { proof: self, glance }, 0, None).await
    }

    /// Those who come with the same token have the same.
    pub fn token(&self) -> Token {
        (self.connection, self.token_hash)
    }

    fn scope(&self) -> Scope {
        Scope { tenant: self.tenant, actor: Actor::Unproven, now: self.app.clock.now() }
    }
}

/// A token to be looked up together with others.
#[derive(Clone)]
pub struct Look {
    proof: Proof,
    glance: Glance,
}

impl Task for Look {
    type Done = (Bearer, TenantTx);

    fn proof(&self) -> &Proof {
        &self.proof
    }

    fn others(app: &App) -> &Together<Self> {
        &app.looks
    }

    fn order(&self) -> &str {
        ""
    }

    /// A connection that does not answer must not keep everybody with the token waiting until their requests are over.
    fn patience(config: &Config) -> Duration {
        config.database.acquire_timeout
    }

    async fn all(looks: Vec<Self>) -> Result<Vec<(Bearer, TenantTx)>, Error> {
        let Some(Look { proof, .. }) = looks.first() else { return Ok(Vec::new()) };
        let Proof { app, connection, token_hash, .. } = proof.clone();
        let _place = app.limits.place(proof.tenant).await?;
        let scope = proof.scope();
        let glances = looks.into_iter().map(|look| look.glance).collect();
        let proven = scim_tokens::prove_at_a_glance(&app.store, scope, connection, &token_hash, glances).await?;
        let (bearer, transactions) = proven.ok_or(Error::Unauthorized)?;
        Ok(repeat(bearer).zip(transactions).collect())
    }
}

//! Whose token a request came with: looked up for each request, so that a revocation holds at once.

use super::together::{self, Task, Together, Token};
use crate::{app::App, config::Config, error::Error, failures};
use domain::ids::{ConnectionId, FailureId, TenantId, TokenId};
use std::{iter::repeat, time::Duration};
use store::{
    ahead::Glance,
    scim_tokens::{self, Bearer},
    scope::{Actor, Scope},
    tenant::TenantTx,
    users::Linkable,
};

/// What opens a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// A connection's token, by its SHA-256.
    Token([u8; 32]),
    /// An operator has done what was refused once; it is over with that.
    Replay(FailureId),
}

/// What a request proves itself with.
#[derive(Clone)]
pub struct Proof {
    pub app: App,
    pub tenant: TenantId,
    pub connection: ConnectionId,
    pub key: Key,
}

impl Proof {
    /// What the token opens, and the transaction that saw it, with what will be asked next if that is known. Whoever
    /// opens one has a place among the tenant's.
    pub async fn begin(&self, ahead: Option<Linkable>) -> Result<(Bearer, TenantTx), Error> {
        let Self { app, connection, .. } = self;
        match &self.key {
            Key::Token(hash) => {
                let proven = scim_tokens::prove(&app.store, self.scope(), *connection, hash, ahead).await?;
                proven.ok_or(Error::Unauthorized)
            }
            Key::Replay(failure) => {
                let mut tx = app.store.tenant(Scope { actor: Actor::Operator, ..self.scope() }).await?;
                failures::replayed(&mut tx, *failure).await?;
                let bearer = scim_tokens::of_operator(&mut tx, *connection).await?.ok_or(Error::NotFound)?;
                Ok((bearer, tx))
            }
        }
    }

    /// Who acts, with that credential.
    pub fn actor(&self, credential: TokenId) -> Actor {
        match self.key {
            Key::Token(_) => Actor::Scim(credential),
            Key::Replay(_) => Actor::Operator,
        }
    }

    /// What the token opens, seen after this was asked, and a transaction that is not open but knows what the glance
    /// saw. Requests that come at the same time are proven by one look.
    pub async fn glance(self, glance: Glance) -> Result<(Bearer, TenantTx), Error> {
        together::join(Look { proof: self, glance }, 0, None).await
    }

    /// Those who come with the same token have the same.
    pub fn token(&self) -> Token {
        (self.connection, self.hash())
    }

    /// Nobody's, without a token: that opens nothing.
    fn hash(&self) -> [u8; 32] {
        match self.key {
            Key::Token(hash) => hash,
            Key::Replay(_) => [0; 32],
        }
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
        let (Proof { app, connection, .. }, hash) = (proof.clone(), proof.hash());
        let _place = app.limits.place(proof.tenant).await?;
        let scope = proof.scope();
        let glances = looks.into_iter().map(|look| look.glance).collect();
        let proven = scim_tokens::prove_at_a_glance(&app.store, scope, connection, &hash, glances).await?;
        let (bearer, transactions) = proven.ok_or(Error::Unauthorized)?;
        Ok(repeat(bearer).zip(transactions).collect())
    }
}

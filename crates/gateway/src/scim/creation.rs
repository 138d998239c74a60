//! New users. Those who are created at the same time by one token share a transaction.

use super::{
    call::Directory,
    proof::Proof,
    together::{Task, Together},
    users,
};
use crate::{app::App, config::Config, error::Error};
use domain::{account::Account, ids::AccountId, provisioning::Wanted};
use std::{sync::Arc, time::Duration};

/// A user to be created.
#[derive(Clone)]
pub struct Creation {
    pub directory: Arc<Directory>,
    /// Of an account whose id is known already.
    pub id: Option<AccountId>,
    pub wanted: Wanted,
    /// The hash of a password that is kept.
    pub password: Option<String>,
}

impl Task for Creation {
    type Done = Account;

    fn proof(&self) -> &Proof {
        &self.directory.proof
    }

    fn others(app: &App) -> &Together<Self> {
        &app.creations
    }

    fn order(&self) -> &str {
        self.wanted.user_name.key()
    }

    fn patience(config: &Config) -> Duration {
        config.server.request_timeout
    }

    async fn all(creations: Vec<Self>) -> Result<Vec<Account>, Error> {
        let (work, accounts) = users::created(creations).await?;
        work.tx.commit().await?;
        Ok(accounts)
    }
}

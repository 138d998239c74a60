//! The pools, behind doors: a tenant's transaction, a control transaction, and the questions of an operator.

use crate::{
    ahead::Glance,
    control::ControlTx,
    error::Result,
    pool::{self, Pool},
    pooled::{Pooled, Results},
    prepared,
    scope::{Actor, Scope},
    tenant::TenantTx,
    users::Linkable,
};
use domain::ids::TenantId;
use sqlx::postgres::{PgConnectOptions, PgRow};
use std::{str::FromStr, time::Duration};
use time::OffsetDateTime;
use uuid::Uuid;

/// How to reach Postgres.
#[derive(Debug, Clone)]
pub struct StoreConfig<'a> {
    /// Login `gate_app`.
    pub url: &'a str,
    /// Login `gate_control`.
    pub control_url: &'a str,
    /// Connections of one process for tenants' work.
    pub max_connections: u32,
    /// How long a request waits for a connection.
    pub acquire_timeout: Duration,
}

/// Connections of one process for work across tenants.
const CONTROL_CONNECTIONS: u32 = 4;

/// The database.
#[derive(Clone)]
pub struct Store {
    tenants: Pool,
    control: Pool,
}

impl Store {
    /// Prepares the pools; nothing is dialed before the first transaction.
    ///
    /// # Errors
    /// When a URL does not parse.
    pub fn new(config: &StoreConfig<'_>) -> Result<Self> {
        let pool = |url: &str, greeting, most: u32| {
            let options = PgConnectOptions::from_str(url)?;
            let name = options.get_application_name().unwrap_or("gatehouse").to_owned();
            pool::new(options.application_name(&name), greeting, most, config.acquire_timeout)
        };
        Ok(Self {
            tenants: pool(config.url, Some(prepared::greeting()), config.max_connections)?,
            control: pool(config.control_url, None, CONTROL_CONNECTIONS)?,
        })
    }

    /// Opens a tenant's transaction.
    pub async fn tenant(&self, scope: Scope) -> Result<TenantTx> {
        TenantTx::begin(&self.tenants, scope).await
    }

    /// The same with a first statement, and what will be asked next if that is known, in one message.
    pub(crate) async fn tenant_with(
        &self,
        scope: Scope,
        first: String,
        ahead: Option<Linkable>,
    ) -> Result<(TenantTx, Vec<PgRow>)> {
        TenantTx::begin_with(&self.tenants, scope, first, ahead).await
    }

    /// A first statement and these glances in one message, and for each glance a transaction, which opens when something
    /// else is asked.
    pub(crate) async fn glance(
        &self,
        scope: Scope,
        first: String,
        glances: Vec<Glance>,
    ) -> Result<(Vec<TenantTx>, Vec<PgRow>)> {
        TenantTx::glance(&self.tenants, scope, first, glances).await
    }

    /// Calls prepared statements of a tenant in one message, which is a transaction of its own; the rows of each.
    pub(crate) async fn ask(&self, scope: Scope, calls: &[String]) -> Result<Results> {
        TenantTx::ask(&self.tenants, scope, calls).await
    }

    /// Opens a transaction across tenants.
    pub async fn control(&self, now: OffsetDateTime) -> Result<ControlTx> {
        ControlTx::begin(&self.control, now).await
    }

    /// Connections in use and idle, tenants' and control pool together.
    pub fn connections(&self) -> (usize, usize) {
        let (tenants, control) = (self.tenants.status(), self.control.status());
        let (all, idle) = (tenants.size + control.size, tenants.available + control.available);
        (all.saturating_sub(idle), idle)
    }

    /// Closes connections that nobody needed for ten minutes.
    pub async fn close_unused(&self) {
        pool::close_unused(&self.tenants).await;
        pool::close_unused(&self.control).await;
    }

    /// Closes the pools after the last request.
    pub async fn close(&self) {
        pool::close(&self.tenants).await;
        pool::close(&self.control).await;
    }

    /// Whether a tenant's transaction can be opened right now.
    ///
    /// # Errors
    /// When it cannot.
    pub async fn try_tenant(&self, now: OffsetDateTime) -> Result<()> {
        let nobody = Scope { tenant: TenantId(Uuid::nil()), actor: Actor::Unproven, now };
        self.tenant(nobody).await?.rollback().await
    }

    /// What makes the logins unfit to serve: each in a sentence for the operator.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn unfit_logins(&self) -> Result<Vec<String>> {
        let mut problems = Vec::new();
        for (pool, expected, may_enter) in [(&self.tenants, "gate_app", true), (&self.control, "gate_control", false)] {
            let (mut pooled, _) = Pooled::begin(pool, &["BEGIN".to_owned()]).await?;
            problems.extend(unfit(pooled.connection(), expected, may_enter).await?);
            pooled.rollback().await?;
        }
        Ok(problems)
    }
}

async fn unfit(connection: &mut sqlx::PgConnection, expected: &str, may_enter: bool) -> Result<Vec<String>> {
    let row = sqlx::query!(
        r#"-- store::unfit
        SELECT r.rolname AS "name!", r.rolsuper AS "superuser!", r.rolbypassrls AS "bypasses!",
               r.rolinherit AS "inherits!",
               EXISTS (SELECT FROM pg_class c WHERE c.relowner = r.oid AND c.relkind = 'r') AS "owns!",
               pg_has_role(r.oid, 'gate_tenant', 'MEMBER') AS "enters_tenants!",
               pg_has_role(r.oid, 'gate_owner', 'MEMBER') AS "becomes_owner!"
        FROM pg_roles r WHERE r.rolname = session_user"#
    )
    .fetch_one(connection)
    .await?;
    let checks = [
        (row.superuser, "is a superuser"),
        (row.bypasses, "has BYPASSRLS"),
        (row.inherits, "is INHERIT"),
        (row.owns, "owns tables"),
        (row.becomes_owner, "may become gate_owner"),
        (!may_enter && row.enters_tenants, "may become gate_tenant"),
    ];
    let sentence = |what: &str| {
        format!("the login \"{}\" {what}, so tenants would not be kept apart; use the login {expected}", row.name)
    };
    let mut problems: Vec<String> =
        checks.into_iter().filter(|(unfit, _)| *unfit).map(|(_, what)| sentence(what)).collect();
    if may_enter && !row.enters_tenants {
        problems.push(format!("the login \"{}\" may not become gate_tenant; use the login {expected}", row.name));
    }
    Ok(problems)
}

//! What can go wrong in the database, by kind.

use thiserror::Error;

/// The result of everything here.
pub type Result<T> = std::result::Result<T, Error>;

/// A failed piece of work; its transaction is over.
#[derive(Debug, Error)]
pub enum Error {
    /// A unique constraint spoke: somebody else has it already.
    #[error("conflict on {0:?}")]
    Conflict(Constraint),
    /// No connection could be had in time, it broke, or somebody else was in the way for too long.
    #[error("the database cannot be reached")]
    Unavailable(#[source] sqlx::Error),
    /// Two transactions got in each other's way, and this one gave way; the same again may succeed.
    #[error("two transactions got in each other's way")]
    Collision(#[source] sqlx::Error),
    /// A search that was given only so much time took longer.
    #[error("a search took too long")]
    TooSlow,
    /// Everything else.
    #[error("a database statement failed")]
    Database(#[source] sqlx::Error),
    /// A migration failed.
    #[error("a migration failed")]
    Migration(#[source] sqlx::migrate::MigrateError),
    /// A stored value does not parse; somebody changed it by hand.
    #[error("a stored value is damaged: {0}")]
    Damaged(&'static str),
}

/// The unique constraints that a caller can meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Constraint {
    UserName,
    NameId,
    GroupName,
    TenantSlug,
    ApplicationSlug,
    ConnectionName,
    DomainOwner,
    Assertion,
    SchemaAttribute,
    Alias,
}

impl Error {
    /// Nothing was heard of the database for as long as somebody was ready to wait.
    pub fn no_answer() -> Self {
        Self::Unavailable(sqlx::Error::PoolTimedOut)
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        let constraint = error.as_database_error().filter(|e| e.is_unique_violation()).and_then(|e| e.constraint());
        if let Some(constraint) = constraint.and_then(by_name) {
            return Self::Conflict(constraint);
        }
        match error {
            sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::Io(_) | sqlx::Error::WorkerCrashed => {
                Self::Unavailable(error)
            }
            sqlx::Error::Database(ref e) if e.code().is_some_and(|code| collides(&code)) => Self::Collision(error),
            sqlx::Error::Database(ref e) if e.code().is_some_and(|code| passes(&code)) => Self::Unavailable(error),
            _ => Self::Database(error),
        }
    }
}

/// Whether trying again later may help: the connection was lost (class 08), the server stops (57P), or a lock or a
/// statement took too long (55P03, 57014).
fn passes(code: &str) -> bool {
    code.starts_with("08") || code.starts_with("57P") || waited_long(code)
}

fn waited_long(code: &str) -> bool {
    matches!(code, "55P03" | "57014")
}

/// Whether a connection was no good, so that another one may be.
pub(crate) fn is_lost(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => false,
        sqlx::Error::Database(error) => !error.code().is_some_and(|code| waited_long(&code)),
        _ => true,
    }
}

/// A deadlock was found, or an order of transactions that cannot be (40P01, 40001).
fn collides(code: &str) -> bool {
    matches!(code, "40001" | "40P01")
}

fn by_name(constraint: &str) -> Option<Constraint> {
    Some(match constraint {
        "accounts_user_name_key" => Constraint::UserName,
        "accounts_name_id_key" => Constraint::NameId,
        "groups_display_name_key" => Constraint::GroupName,
        "tenants_slug_key" => Constraint::TenantSlug,
        "applications_slug_key" => Constraint::ApplicationSlug,
        "connections_name_key" => Constraint::ConnectionName,
        "domains_owner_key" | "domains_pkey" => Constraint::DomainOwner,
        "schema_attributes_name_key" => Constraint::SchemaAttribute,
        "aliases_name_key" | "aliases_pkey" | "application_aliases_pkey" => Constraint::Alias,
        "assertions_pkey" => Constraint::Assertion,
        _ => return None,
    })
}

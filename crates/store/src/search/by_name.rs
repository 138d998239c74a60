//! Searches that identity providers make all day: one account by a name. Each connection prepares them.

use super::{
    Column, Condition, Search, Start, Test,
    sql::{self, Resource},
};
use crate::prepared::{self, Argument};
use domain::ids::ConnectionId;
use uuid::Uuid;

/// What of an account is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Name {
    Id(Uuid),
    User(String),
    External(String),
}

/// A search by a name, from the beginning and with groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ByName {
    connection: ConnectionId,
    name: Name,
    limit: i64,
}

impl ByName {
    /// The search of accounts, if it is such a one.
    pub fn of(search: &Search, start: &Start, limit: i64, with_groups: bool) -> Option<Self> {
        let Search { connection, condition: Some(Condition::Column(column, Test::Equal(key))), order: None } = search
        else {
            return None;
        };
        if *start != Start::Offset(0) || !with_groups {
            return None;
        }
        let name = match column {
            Column::Id => Name::Id(Uuid::try_parse(key).ok().filter(|id| id.to_string() == *key)?),
            // No stored text has a NUL, and none can be decoded.
            _ if key.contains('\0') => return None,
            Column::UserName => Name::User(key.clone()),
            Column::ExternalId => Name::External(key.clone()),
            _ => return None,
        };
        Some(Self { connection: *connection, name, limit })
    }

    pub(crate) fn call(&self) -> String {
        let (name, key) = match &self.name {
            Name::Id(id) => ("account_by_id", Argument::Id(*id)),
            Name::User(key) => ("account_by_user_name", Argument::Text(key)),
            Name::External(key) => ("account_by_external_id", Argument::Text(key)),
        };
        prepared::call(name, &[Argument::Id(self.connection.0), key, Argument::Number(self.limit)])
    }

    /// The statements that `call` names, with the texts that the same searches have elsewhere.
    pub(crate) fn statements() -> Vec<(&'static str, &'static str, String)> {
        let page = |column| {
            let condition = Some(Condition::Column(column, Test::Equal(Uuid::nil().to_string())));
            let search = Search { connection: ConnectionId(Uuid::nil()), condition, order: None };
            sql::page(Resource::Account, &search, &Start::Offset(0), 1, true).into_string()
        };
        vec![
            ("account_by_id", "uuid, uuid, bigint", page(Column::Id)),
            ("account_by_user_name", "uuid, text, bigint", page(Column::UserName)),
            ("account_by_external_id", "uuid, text, bigint", page(Column::ExternalId)),
        ]
    }
}

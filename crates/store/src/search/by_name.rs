//! Searches that identity providers make all day: one account by a name. Each connection prepares them, for several at a
//! time.

use super::{
    Column, Condition, Search, Start, Test,
    sql::{self, Resource},
};
use crate::prepared::{self, Argument};
use domain::ids::ConnectionId;
use uuid::Uuid;

/// What names an account, the statement that asks for it, and how that reads a key.
const NAMES: [(Column, &str, &str); 3] = [
    (Column::Id, "accounts_by_id", "q.key::uuid"),
    (Column::UserName, "accounts_by_user_name", "q.key"),
    (Column::ExternalId, "accounts_by_external_id", "q.key"),
];

/// A search by a name, from the beginning and with groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ByName {
    connection: ConnectionId,
    column: Column,
    key: String,
    limit: i64,
}

impl ByName {
    /// The search of accounts, if it is such a one.
    pub fn of(search: &Search, start: &Start, limit: i64, with_groups: bool) -> Option<Self> {
        let Search { connection, condition: Some(Condition::Column(column, Test::Equal(key))), order: None } = search
        else {
            return None;
        };
        if *start != Start::Offset(0) || !with_groups || NAMES.iter().all(|(named, ..)| named != column) {
            return None;
        }
        // Not every text is an id; no stored text has a NUL, and none can be decoded.
        let fits = match column {
            Column::Id => Uuid::try_parse(key).is_ok_and(|id| id.to_string() == *key),
            _ => !key.contains('\0'),
        };
        fits.then(|| Self { connection: *connection, column: *column, key: key.clone(), limit })
    }

    /// Makes these searches, in one call for each kind of name. The rows of a search have its number as `number`, and
    /// are in its order.
    pub(crate) fn calls(numbered: &[(i64, &Self)]) -> Vec<String> {
        let call = |&(column, name, _): &(Column, &str, &str)| {
            let these = || numbered.iter().filter(|(_, search)| search.column == column);
            let arguments = [
                Argument::Ids(these().map(|(_, search)| search.connection.0).collect()),
                Argument::Texts(these().map(|(_, search)| search.key.as_str()).collect()),
                Argument::Numbers(these().map(|(_, search)| search.limit).collect()),
                Argument::Numbers(these().map(|(number, _)| *number).collect()),
            ];
            these().next().map(|_| prepared::call(name, &arguments))
        };
        NAMES.iter().filter_map(call).collect()
    }

    /// The statements that `calls` names, around the texts that the same searches have elsewhere.
    pub(crate) fn statements() -> impl Iterator<Item = (&'static str, &'static str, String)> {
        NAMES.into_iter().map(|(column, name, key)| {
            let condition = Some(Condition::Column(column, Test::Equal(Uuid::nil().to_string())));
            let search = Search { connection: ConnectionId(Uuid::nil()), condition, order: None };
            let page = sql::page(Resource::Account, &search, &Start::Offset(0), 1, true).into_string();
            let page = page.replace("$1", "q.connection_id").replace("$2", key).replace("$3", "q.most");
            let statement = format!(
                "SELECT page.*, q.number FROM unnest($1, $2, $3, $4) AS q (connection_id, key, most, number)\n\
                 CROSS JOIN LATERAL ({page}) AS page"
            );
            (name, "uuid[], text[], bigint[], bigint[]", statement)
        })
    }
}

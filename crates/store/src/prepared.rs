//! Statements that go along with the message that opens a transaction, where nothing can be bound: each connection
//! prepares them, and a call's arguments are made of digits and nothing else.

use crate::{events, responses, search::ByName, seats, users};
use std::sync::LazyLock;
use time::OffsetDateTime;
use uuid::Uuid;

/// What each connection says first. Settings end with the transaction. Statements are planned once for each
/// connection: left to itself, Postgres plans those that take lists anew each time, which costs more than running them;
/// `search::bound` asks for the opposite where values decide.
pub fn greeting() -> &'static str {
    static GREETING: LazyLock<String> = LazyLock::new(|| {
        let prepare = |(name, types, sql): &(&str, &str, String)| format!("PREPARE {name} ({types}) AS {sql};\n");
        let prepared: String = statements().iter().map(prepare).collect();
        format!("{SETTINGS};\n{prepared}")
    });
    &GREETING
}

/// A plan that is kept knows no LIMIT's value, so a page of 1,000,000 users looks expensive enough to be compiled, which
/// took a quarter of a second each time. And it is kept while tables grow: none may read the whole of a table because it
/// was small once. That did not even pay while it was small, since each row is asked whether it is the tenant's: a page
/// of users took three times as long with 64 groups in the database.
pub const SETTINGS: &str = "SET jit = off; SET enable_seqscan = off";

/// Name, types of the parameters and text of each.
pub fn statements() -> Vec<(&'static str, &'static str, String)> {
    let mut statements =
        vec![("enter", "uuid", ENTER.to_owned()), ("bearer", "uuid, bytea, bigint", BEARER.to_owned())];
    statements.extend(ByName::statements());
    let people = seats::STATEMENTS.into_iter().chain(users::STATEMENTS);
    let texts = people.chain(responses::STATEMENTS).chain(events::STATEMENTS);
    statements.extend(texts.map(|(name, types, sql)| (name, types, sql.to_owned())));
    statements
}

const ENTER: &str = "SELECT set_config('role', 'gate_tenant', true), set_config('app.tenant_id', $1::text, true), \
                     set_config('plan_cache_mode', 'force_generic_plan', true)";

const BEARER: &str = "SELECT coalesce(t.parent_id, t.id) AS credential, t.read_only, c.schema_version, \
                      c.password_sync, c.entitlements, \
                      EXISTS (SELECT FROM failures f WHERE f.connection_id = $1 AND f.closed_at IS NULL) AS has_failures \
                      FROM scim_tokens t JOIN connections c ON c.id = t.connection_id \
                      WHERE t.connection_id = $1 AND t.token_hash = $2 AND t.kind <> 'client' \
                      AND t.revoked_at IS NULL \
                      AND (t.expires_at IS NULL OR t.expires_at > 'epoch'::timestamptz + $3 * '1 microsecond'::interval)";

/// An argument of a call.
pub(crate) enum Argument<'a> {
    Id(Uuid),
    Ids(Vec<Uuid>),
    /// In microseconds since 1970.
    Moment(OffsetDateTime),
    Numbers(Vec<i64>),
    /// In hexadecimal digits, which the call decodes: so nothing in it can end it.
    Bytes(&'a [u8]),
    /// In the same way.
    Text(&'a str),
    /// Each in the same way.
    Texts(Vec<&'a str>),
}

/// Calls a prepared statement.
pub(crate) fn call(name: &str, arguments: &[Argument<'_>]) -> String {
    let mut text = format!("EXECUTE {name}(");
    for (index, argument) in arguments.iter().enumerate() {
        text.push_str(if index > 0 { ", " } else { "" });
        match argument {
            Argument::Id(id) => text.push_str(&format!("'{id}'")),
            Argument::Ids(ids) => text.push_str(&format!("'{{{}}}'", list(ids))),
            Argument::Moment(time) => text.push_str(&(time.unix_timestamp_nanos() / 1_000).to_string()),
            Argument::Numbers(numbers) => text.push_str(&format!("'{{{}}}'", list(numbers))),
            Argument::Bytes(bytes) => push_decoded(&mut text, bytes),
            Argument::Text(value) => push_text(&mut text, value),
            Argument::Texts(values) => {
                for (index, value) in values.iter().enumerate() {
                    text.push_str(if index > 0 { ", " } else { "ARRAY[" });
                    push_text(&mut text, value);
                }
                text.push_str(if values.is_empty() { "'{}'" } else { "]" });
            }
        }
    }
    text.push(')');
    text
}

fn list(items: &[impl ToString]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

fn push_text(text: &mut String, value: &str) {
    text.push_str("convert_from(");
    push_decoded(text, value.as_bytes());
    text.push_str(",'UTF8')");
}

fn push_decoded(text: &mut String, bytes: &[u8]) {
    let digit = |value: u8| char::from(b"0123456789abcdef"[usize::from(value & 15)]);
    text.push_str("decode('");
    text.extend(bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(*byte)]));
    text.push_str("','hex')");
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::Duration;

    #[test]
    fn no_argument_can_end_the_call() {
        let arguments = [
            Argument::Id(Uuid::nil()),
            Argument::Ids(vec![Uuid::nil(), Uuid::max()]),
            Argument::Moment(OffsetDateTime::UNIX_EPOCH - Duration::MICROSECOND),
            Argument::Numbers(vec![1, -2]),
            Argument::Bytes(b"\'"),
            Argument::Text("'"),
            Argument::Texts(vec!["'); DROP TABLE accounts; -- \u{e9}", "]"]),
            Argument::Texts(Vec::new()),
        ];
        assert_eq!(
            call("name", &arguments),
            "EXECUTE name('00000000-0000-0000-0000-000000000000', \
             '{00000000-0000-0000-0000-000000000000,ffffffff-ffff-ffff-ffff-ffffffffffff}', -1, '{1,-2}', \
             decode('27','hex'), convert_from(decode('27','hex'),'UTF8'), \
             ARRAY[convert_from(decode('27293b2044524f50205441424c45206163636f756e74733b202d2d20c3a9','hex'),'UTF8'), \
             convert_from(decode('5d','hex'),'UTF8')], '{}')"
        );
    }
}

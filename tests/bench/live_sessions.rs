//! What 100,000 live sessions take: memory of a gateway, and room in PostgreSQL. Some thousands are real sign-ins; the others
//! are copies of the rows of one of them, each of another user. Copies will do because a gateway keeps nothing of a session:
//! it looks at the row whenever one is used, and each copy can be used, by a cookie of its own.

use crate::{
    CLIENTS, MEASURED, WARM_UP,
    http::Http,
    load::{Figures, Scenario, Step},
    places::{ACCOUNT, Place, USER, columns, digits, id_in_sql, rights},
    processes::Usage,
    sign_in::Provider,
};
use harness::gateway_process::superuser;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Executor, PgConnection, Row};
use std::{io::Write, ops::Range};
use uuid::Uuid;

/// What ids of copies are made of behind their moment.
const SESSION: &str = "70008000000000000003";
const GRANT: &str = "70008000000000000004";

/// Tables of which a sign-in has one row, each before those that refer to it.
const TABLES: [&str; 3] = ["sessions", "grants", "refresh_tokens"];

/// What one table takes, with its indexes.
pub struct Room {
    table: &'static str,
    rows: i64,
    bytes: i64,
}

/// Removes every session, grant and refresh token of the benchmark.
pub async fn forget() {
    superuser().await.execute("TRUNCATE refresh_tokens, grants, sessions").await.unwrap();
}

/// Adds copies for users of these numbers, one each.
pub async fn copy(place: &Place, users: &Range<u64>) {
    let mut database = rights().await;
    let pattern = Pattern::newest(place, &mut database).await;
    for table in TABLES {
        pattern.copy(&mut database, table, users).await;
    }
    drop(database);
    sqlx::query("VACUUM ANALYZE sessions, grants, refresh_tokens").execute(&mut superuser().await).await.unwrap();
}

/// Live sessions that there are.
pub async fn count() -> i64 {
    let query = "SELECT count(*) FROM sessions WHERE ended_at IS NULL AND expires_at > now() AND idle_until > now()";
    sqlx::query_scalar(query).fetch_one(&mut superuser().await).await.unwrap()
}

/// What all of them take, table by table.
pub async fn room() -> Vec<Room> {
    let mut database = superuser().await;
    let mut all = Vec::new();
    for table in TABLES {
        let query = format!("SELECT count(*), pg_total_relation_size('{table}') FROM {table}");
        let row = sqlx::query(AssertSqlSafe(query)).fetch_one(&mut database).await.unwrap();
        all.push(Room { table, rows: row.get(0), bytes: row.get(1) });
    }
    all
}

/// Prints the table, and tells the same as JSON.
pub fn print(room: &[Room], sessions: i64) -> Value {
    let each = |bytes: i64| bytes as f64 / sessions as f64;
    println!("\n| {sessions} live sessions | rows | MiB | bytes per session |\n|---|---:|---:|---:|");
    let line = |name: &str, rows: &str, bytes: i64| {
        println!("| {name} | {rows} | {:.1} | {:.0} |", bytes as f64 / 1_048_576.0, each(bytes));
    };
    for Room { table, rows, bytes } in room {
        line(table, &rows.to_string(), *bytes);
    }
    let bytes = room.iter().map(|room| room.bytes).sum();
    line("together", "", bytes);
    json!({ "sessions": sessions, "bytes_per_session": each(bytes) })
}

/// Uses copies of those users: the browser comes back with its cookie and gets a code at once.
pub fn used(place: &Place, ours: &Provider, users: Range<u64>, usage: &dyn Fn() -> Usage) -> Figures {
    let (cookie, port) = (format!("gatehouse_session_{}", place.connection.simple()), ours.port);
    let request = |user: u64, into: &mut Vec<u8>| {
        let (target, value) = (&ours.authorize, value(user));
        write!(into, "GET {target} HTTP/1.1\r\nhost: localhost:{port}\r\ncookie: {cookie}={value}\r\n\r\n").unwrap();
    };
    // Whoever has no session is redirected as well, to the identity provider; `is_alive` tells them apart.
    let step =
        Step { label: "known browser", status: 303, request: Box::new(move |draw, into| request(draw.user, into)) };
    let scenario = Scenario { name: "known browser", steps: vec![step], users, supply: usize::MAX, clients: CLIENTS };
    scenario.run(port, CLIENTS, WARM_UP, MEASURED, usage)
}

/// Whether the browser of that copy is signed in.
pub fn is_alive(place: &Place, ours: &Provider, user: u64) -> bool {
    let mut http = Http::connect(ours.port);
    let (target, port) = (&ours.authorize, ours.port);
    let cookie = format!("gatehouse_session_{}={}", place.connection.simple(), value(user));
    let request = format!("GET {target} HTTP/1.1\r\nhost: localhost:{port}\r\ncookie: {cookie}\r\n\r\n");
    assert_eq!(http.exchange(request.as_bytes()), 303, "{}", http.text());
    http.header("location").is_some_and(|location| location.starts_with(&ours.redirect_uri))
}

/// The cookie of a copy.
fn value(user: u64) -> String {
    format!("session-of-{}", digits(user))
}

/// The session of which the others are copies, with what grew out of it.
struct Pattern {
    tenant: Uuid,
    session: Uuid,
    grant: Uuid,
    /// The number of its user, as it stands in names.
    digits: String,
}

impl Pattern {
    async fn newest(place: &Place, database: &mut PgConnection) -> Self {
        let query = "SELECT s.id, g.id, s.name_id FROM sessions s JOIN grants g ON g.session_id = s.id
                     JOIN refresh_tokens r ON r.grant_id = g.id WHERE s.tenant_id = $1 ORDER BY s.id DESC LIMIT 1";
        let row = sqlx::query(query).bind(place.tenant).fetch_one(database).await.unwrap();
        let name: String = row.get(2);
        let digits = name.trim_start_matches("user.").split('@').next().unwrap().to_owned();
        Self { tenant: place.tenant, session: row.get(0), grant: row.get(1), digits }
    }

    async fn copy(&self, database: &mut PgConnection, table: &str, users: &Range<u64>) {
        let columns = columns(database, table).await;
        let names: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
        let values: Vec<String> = columns.iter().map(|(name, kind)| self.value(table, name, kind)).collect();
        let (column, id) = match table {
            "sessions" => ("id", self.session),
            "grants" => ("id", self.grant),
            _ => ("grant_id", self.grant),
        };
        let insert = format!(
            "INSERT INTO {table} ({}) SELECT {} FROM generate_series({}::bigint, {}) AS g (i)
             CROSS JOIN (SELECT * FROM {table} WHERE tenant_id = '{}' AND {column} = '{id}') AS t ORDER BY g.i",
            names.join(", "),
            values.join(", "),
            users.start,
            users.end - 1,
            self.tenant,
        );
        let copied = sqlx::query(AssertSqlSafe(insert)).execute(database).await.unwrap().rows_affected();
        assert_eq!(copied, users.end - users.start, "{table}");
    }

    /// What stands in a column of the copy for user g.i.
    fn value(&self, table: &str, column: &str, kind: &str) -> String {
        let number = "lpad(g.i::text, 9, '0')";
        match (table, column, kind) {
            ("sessions", "id", _) | (_, "session_id", _) => id_in_sql(SESSION, "g.i"),
            ("grants", "id", _) | (_, "grant_id", _) => id_in_sql(GRANT, "g.i"),
            (_, "account_id", _) => id_in_sql(ACCOUNT, "g.i"),
            (_, "user_id", _) => id_in_sql(USER, "g.i"),
            ("sessions", "token_hash", _) => format!("sha256(convert_to('session-of-' || {number}, 'UTF8'))"),
            (_, _, "bytea") => format!("sha256(convert_to('{table} of ' || {number}, 'UTF8'))"),
            (_, "session_index", _) => format!("'id' || md5({number})"),
            (_, _, "text") => format!("replace(t.{column}, '{}', {number})", self.digits),
            (_, _, "jsonb") => format!("replace(t.{column}::text, '{}', {number})::jsonb", self.digits),
            _ => format!("t.{column}"),
        }
    }
}

//! Tenants with 1,000, 100,000 and 1,000,000 users in one database. One user of each is created by the gateway; the
//! others are copies of its rows, so they are what the gateway would have written. They stay between runs.

use crate::{http::Http, processes::Gatehouse, scenarios};
use harness::{
    customer::Customer,
    gateway_process::{Gateway, superuser},
};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, PgConnection, Row};
use std::{fs, ops::Range, path::PathBuf, sync::Arc, time::Instant};
use uuid::Uuid;

/// Groups of each kind: one for each client, so that none waits for another.
pub const GROUPS: usize = crate::CLIENTS;

/// Members of a small group and of a large one; only a tenant with users beside them has large ones.
const SMALL: u64 = 10;
pub const LARGE: u64 = 100_000;

/// The first users, who fill a page in each tenant, are in one small group each, or in none.
const IN_SMALL: u64 = SMALL * GROUPS as u64;

/// The moment, in milliseconds since 1970, in which user 0 might have been created; each next one came a millisecond later.
const FIRST_MOMENT: u64 = 1_750_000_000_000;

/// What ids are made of behind their moment: of accounts, of users, of events.
pub const ACCOUNT: &str = "70008000000000000000";
pub const USER: &str = "70008000000000000001";
const EVENT: &str = "70008000000000000002";

/// The number of the user of whom the others are copies.
const PATTERN: &str = "000000000";

/// Users of one statement.
const CHUNK: u64 = 10_000;

/// Tables of which a user has rows.
const TABLES: [&str; 4] = ["users", "accounts", "account_attributes", "events"];

/// A tenant with a connection.
#[derive(Debug, Clone)]
pub struct Place {
    pub size: u64,
    pub port: u16,
    pub tenant: Uuid,
    pub connection: Uuid,
    pub token: String,
    /// Ids that are the same in all requests.
    pub constants: Vec<String>,
    pub domain: String,
    pub small: Vec<Uuid>,
    pub large: Vec<Uuid>,
}

/// An id of that kind of the user of that number.
pub fn id(kind: &str, number: u64) -> Uuid {
    Uuid::parse_str(&format!("{:012x}{kind}", FIRST_MOMENT + number)).unwrap()
}

/// The same in SQL, of an expression.
pub fn id_in_sql(kind: &str, number: &str) -> String {
    format!("(lpad(to_hex({FIRST_MOMENT} + {number}), 12, '0') || '{kind}')::uuid")
}

/// A user's number as it stands in names.
pub fn digits(number: u64) -> String {
    format!("{number:09}")
}

/// Reads all tables and indexes into PostgreSQL's memory, where a database that is in use has them; tells how many MiB.
pub async fn warm() -> i64 {
    let mut database = superuser().await;
    sqlx::query("CREATE EXTENSION IF NOT EXISTS pg_prewarm").execute(&mut database).await.unwrap();
    let query = "SELECT (sum(pg_prewarm(oid)) / 128)::bigint FROM pg_class
                 WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'i')";
    sqlx::query_scalar(query).fetch_one(&mut database).await.unwrap()
}

impl Place {
    /// Users who are in no group.
    pub fn outsiders(&self) -> Range<u64> {
        let in_large = if self.large.is_empty() { 0 } else { LARGE };
        IN_SMALL + in_large + 1..self.size + 1
    }

    /// Undoes what scenarios left behind: users, events and members that were not there at first.
    pub async fn restore(&self) {
        let mut database = rights().await;
        let last = id(EVENT, self.size);
        for (table, column) in
            [("accounts", "id"), ("users", "id"), ("account_attributes", "account_id"), ("events", "id")]
        {
            let delete = format!("DELETE FROM {table} WHERE tenant_id = $1 AND {column} > $2");
            sqlx::query(AssertSqlSafe(delete)).bind(self.tenant).bind(last).execute(&mut database).await.unwrap();
        }
        let delete = "DELETE FROM group_members WHERE tenant_id = $1 AND account_id >= $2";
        let first = id(ACCOUNT, self.outsiders().start);
        sqlx::query(delete).bind(self.tenant).bind(first).execute(&mut database).await.unwrap();
        self.count(&mut database).await;
    }

    /// Counts the users, which no trigger did.
    async fn count(&self, database: &mut PgConnection) {
        let delete = "DELETE FROM account_counts WHERE tenant_id = $1";
        sqlx::query(delete).bind(self.tenant).execute(&mut *database).await.unwrap();
        let insert = "INSERT INTO account_counts (tenant_id, connection_id, accounts)
                      SELECT tenant_id, connection_id, count(*) FROM accounts WHERE tenant_id = $1 GROUP BY 1, 2";
        sqlx::query(insert).bind(self.tenant).execute(database).await.unwrap();
    }
}

/// A session that no trigger, key or policy stops.
pub async fn rights() -> PgConnection {
    let mut database = superuser().await;
    sqlx::query("SET session_replication_role = replica").execute(&mut database).await.unwrap();
    database
}

/// The tenants of these sizes: those of earlier runs, and new ones where there are none.
pub async fn of_sizes(desk: &Arc<Gateway>, gatehouse: &Gatehouse, state: PathBuf, sizes: &[u64]) -> Vec<Place> {
    let file = state.join("places.json");
    let mut known: Value =
        fs::read_to_string(&file).map_or_else(|_| json!({}), |text| serde_json::from_str(&text).unwrap());
    let mut places = Vec::new();
    for size in sizes {
        let key = size.to_string();
        if known[&key].is_null() {
            let began = Instant::now();
            eprintln!("Filling a tenant with {size} users");
            let place = filled(desk, gatehouse, *size).await;
            known[&key] = place.to_json();
            fs::write(&file, known.to_string()).unwrap();
            eprintln!("Filled in {:.0} s", began.elapsed().as_secs_f64());
        }
        let place = Place::from_json(*size, gatehouse.port, &known[&key]);
        place.restore().await;
        places.push(place);
    }
    places
}

impl Place {
    fn to_json(&self) -> Value {
        let Self { tenant, connection, token, constants, domain, small, large, size: _, port: _ } = self;
        json!({ "tenant": tenant, "connection": connection, "token": token, "constants": constants, "domain": domain,
                "small": small, "large": large })
    }

    fn from_json(size: u64, port: u16, known: &Value) -> Self {
        let text = |name: &str| known[name].as_str().unwrap().to_owned();
        let id = |value: &Value| value.as_str().unwrap().parse::<Uuid>().unwrap();
        let ids = |name: &str| known[name].as_array().unwrap().iter().map(id).collect();
        Self {
            size,
            port,
            tenant: id(&known["tenant"]),
            connection: id(&known["connection"]),
            token: text("token"),
            constants: known["constants"]
                .as_array()
                .unwrap()
                .iter()
                .map(|id| id.as_str().unwrap().to_owned())
                .collect(),
            domain: text("domain"),
            small: ids("small"),
            large: ids("large"),
        }
    }

    /// Sends one request and reads the JSON of its answer.
    pub fn ask(&self, status: u16, request: impl FnOnce(&mut Vec<u8>)) -> Value {
        let (mut http, mut bytes) = (Http::connect(self.port), Vec::new());
        request(&mut bytes);
        assert_eq!(http.exchange(&bytes), status, "{}", http.text());
        serde_json::from_slice(&http.body()).unwrap_or(Value::Null)
    }
}

async fn filled(desk: &Arc<Gateway>, gatehouse: &Gatehouse, size: u64) -> Place {
    let customer = Customer::of(desk).await;
    // Everybody goes and comes back here, again and again.
    let all_may_go = |wishes: &mut store::tenants::Wishes| wishes.mass_change_percent = 0;
    let (store, now) = (&desk.app.store, desk.clock.now());
    gateway::setup::people::wish(store, now, customer.tenant, all_may_go).await.unwrap();
    let constants = [customer.tenant.0, customer.connection.0, customer.token_id.0].map(|id| id.to_string());
    let mut place = Place {
        size,
        port: gatehouse.port,
        tenant: customer.tenant.0,
        connection: customer.connection.0,
        token: customer.token.clone(),
        constants: constants.to_vec(),
        domain: customer.domain.clone(),
        small: Vec::new(),
        large: Vec::new(),
    };
    let mut database = rights().await;
    let pattern = Pattern::create(&place, &mut database, PATTERN).await;
    let mut first = 1;
    while first <= size {
        let last = (first + CHUNK - 1).min(size);
        for table in TABLES {
            pattern.copy(&mut database, table, first, last).await;
        }
        first = last + 1;
    }
    check(&place, &mut database).await;
    place.small = groups(&place, &mut database, "Small", SMALL, |group| 1 + group * SMALL).await;
    if size >= 2 * LARGE {
        place.large = groups(&place, &mut database, "Large", LARGE, |_| IN_SMALL + 1).await;
    }
    place.count(&mut database).await;
    sqlx::query("VACUUM ANALYZE").execute(&mut superuser().await).await.unwrap();
    place
}

/// The user of whom the others are copies.
struct Pattern<'p> {
    place: &'p Place,
    account: Uuid,
    user: Uuid,
}

impl<'p> Pattern<'p> {
    /// Creates a user of that number as Okta does.
    async fn create(place: &'p Place, database: &mut PgConnection, number: &str) -> Self {
        let created = place.ask(201, |request| scenarios::create(place, number, request));
        let account: Uuid = created["id"].as_str().unwrap().parse().unwrap();
        let query = "SELECT user_id FROM accounts WHERE tenant_id = $1 AND id = $2";
        let user = sqlx::query_scalar(query).bind(place.tenant).bind(account).fetch_one(database).await.unwrap();
        Self { place, account, user }
    }

    /// The rows of that user in a table, as a condition.
    fn condition(&self, table: &str) -> String {
        let (column, id) = match table {
            "users" => ("id", self.user),
            "accounts" => ("id", self.account),
            "account_attributes" => ("account_id", self.account),
            _ => ("subject_id", self.user),
        };
        format!("tenant_id = '{}' AND {column} = '{id}'", self.place.tenant)
    }

    /// Copies the rows in a table for all users of these numbers, user by user.
    async fn copy(&self, database: &mut PgConnection, table: &str, first: u64, last: u64) {
        let columns = columns(database, table).await;
        let names: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
        let values: Vec<String> = columns.iter().map(|(name, kind)| self.value(table, name, kind)).collect();
        let insert = format!(
            "INSERT INTO {table} ({}) SELECT {} FROM generate_series({first}::bigint, {last}) AS g (i)
             CROSS JOIN (SELECT * FROM {table} WHERE {}) AS t ORDER BY g.i",
            names.join(", "),
            values.join(", "),
            self.condition(table)
        );
        sqlx::query(AssertSqlSafe(insert)).execute(database).await.unwrap();
    }

    /// What stands in a column of user g.i.
    fn value(&self, table: &str, column: &str, kind: &str) -> String {
        let [account, user, event] = [ACCOUNT, USER, EVENT].map(|kind| id_in_sql(kind, "g.i"));
        let number = "lpad(g.i::text, 9, '0')";
        match kind {
            "uuid" if (table, column) == ("events", "id") => event,
            "uuid" => {
                let Self { account: of_account, user: of_user, .. } = self;
                format!(
                    "CASE t.{column} WHEN '{of_account}' THEN {account} WHEN '{of_user}' THEN {user} ELSE t.{column} END"
                )
            }
            "text" => format!("replace(t.{column}, '{PATTERN}', {number})"),
            "jsonb" => format!(
                "replace(replace(t.{column}::text, '{PATTERN}', {number}), '{}', {account}::text)::jsonb",
                self.account
            ),
            "timestamp with time zone" => {
                format!("CASE WHEN t.{column} IS NOT NULL THEN to_timestamp(({FIRST_MOMENT} + g.i) / 1000.0) END")
            }
            _ => format!("t.{column}"),
        }
    }

    /// The rows of that user in a table, without what differs between users.
    async fn normalized(&self, database: &mut PgConnection, table: &str, number: &str) -> Vec<String> {
        let query = format!("SELECT to_jsonb(t)::text FROM {table} t WHERE {} ORDER BY 1", self.condition(table));
        let rows = sqlx::query_scalar::<_, String>(AssertSqlSafe(query)).fetch_all(database).await.unwrap();
        let told = |row: &String| {
            let text =
                row.replace(number, "N").replace(&self.account.to_string(), "A").replace(&self.user.to_string(), "U");
            let mut row: Value = serde_json::from_str(&text).unwrap();
            let members = row.as_object_mut().unwrap();
            members.retain(|name, _| {
                !matches!(name.as_str(), "created_at" | "updated_at" | "occurred_at" | "position" | "xid")
            });
            if table == "events" {
                members.remove("id");
            }
            row.to_string()
        };
        rows.iter().map(told).collect()
    }
}

/// Columns that are written, and their types; the others number themselves.
pub async fn columns(database: &mut PgConnection, table: &str) -> Vec<(String, String)> {
    let query = "SELECT column_name::text, data_type::text FROM information_schema.columns
                 WHERE table_name = $1 AND is_identity = 'NO' AND is_generated = 'NEVER' AND data_type <> 'xid8' ORDER BY ordinal_position";
    let rows = sqlx::query(query).bind(table).fetch_all(database).await.unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

/// The last copy is what the gateway writes for such a user.
async fn check(place: &Place, database: &mut PgConnection) {
    let number = digits(place.size + 1);
    let created = Pattern::create(place, database, &number).await;
    let last = place.size;
    let copied = Pattern { place, account: id(ACCOUNT, last), user: id(USER, last) };
    for table in TABLES {
        let expected = created.normalized(database, table, &number).await;
        assert!(!expected.is_empty(), "the gateway wrote nothing into {table}");
        assert_eq!(copied.normalized(database, table, &digits(last)).await, expected, "{table} is filled wrongly");
    }
    place.ask(204, |request| {
        scenarios::request(place, request, "DELETE", &format!("/Users/{}", created.account), "");
    });
}

/// Groups that the gateway creates, with members from `first` of each on.
async fn groups(
    place: &Place,
    database: &mut PgConnection,
    name: &str,
    members: u64,
    first: impl Fn(u64) -> u64,
) -> Vec<Uuid> {
    let mut groups = Vec::new();
    for number in 0..GROUPS as u64 {
        let created = place.ask(201, |request| {
            let schemas = ["urn:ietf:params:scim:schemas:core:2.0:Group"];
            let body = json!({ "schemas": schemas, "displayName": format!("{name} {number}"), "members": [] });
            scenarios::request(place, request, "POST", "/Groups", &body.to_string());
        });
        let group: Uuid = created["id"].as_str().unwrap().parse().unwrap();
        let insert = format!(
            "INSERT INTO group_members (tenant_id, connection_id, group_id, account_id)
             SELECT $1, $2, $3, {} FROM generate_series($4::bigint, $5) AS g (i)",
            id_in_sql(ACCOUNT, "g.i")
        );
        let first = first(number).cast_signed();
        let query = sqlx::query(AssertSqlSafe(insert)).bind(place.tenant).bind(place.connection).bind(group);
        query.bind(first).bind(first + members.cast_signed() - 1).execute(&mut *database).await.unwrap();
        groups.push(group);
    }
    groups
}

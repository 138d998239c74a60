//! What the gateway asks the database for one request, read from the server's own log, and the same for pgbench: each
//! parameter as it was, but for what differs between requests, which pgbench draws as the load does. Nothing of it is
//! kept between runs, so it cannot be out of date.

use crate::{
    http::Http,
    load::{Draw, Scenario},
    places::{ACCOUNT, Place, USER, digits, id, id_in_sql},
    scenarios::{self, MANY, STRIDE},
};
use harness::gateway_process::superuser;
use sqlx::{AssertSqlSafe, Either, Executor, PgConnection, SqlSafeStr, Statement as _, TypeInfo};
use std::{
    collections::HashMap,
    fmt::Write,
    thread,
    time::{Duration, Instant},
};
use store::prepared;
use uuid::Uuid;

/// Begins each entry of the log.
const MARK: &str = "@@";

/// What the gateway writes behind requests, and not for one.
const BEHIND: [&str; 2] = ["-- scim_tokens::used", "-- exchanges::append"];

/// One message to the database.
#[derive(Debug, Clone)]
pub struct Statement {
    pub sql: String,
    parameters: Vec<Option<String>>,
}

/// The database's log, switched on.
pub struct Recorder {
    database: PgConnection,
    log: String,
}

/// What each step of a scenario asked, in order.
pub type Recording = Vec<Vec<Statement>>;

impl Recorder {
    /// Lets the server log every statement.
    pub async fn start() -> Self {
        let mut database = superuser().await;
        let log = sqlx::query_scalar("SELECT current_setting('data_directory') || '/../log'");
        let log = log.fetch_one(&mut database).await.unwrap();
        for setting in ["log_statement = 'all'", &format!("log_line_prefix = '{MARK}%a {MARK}%p {MARK}'")] {
            database.execute(AssertSqlSafe(format!("ALTER SYSTEM SET {setting}"))).await.unwrap();
        }
        let mut recorder = Self { database, log };
        recorder.reload().await;
        recorder
    }

    /// Lets it be silent again.
    pub async fn stop(mut self) {
        for setting in ["log_statement", "log_line_prefix"] {
            self.database.execute(AssertSqlSafe(format!("ALTER SYSTEM RESET {setting}"))).await.unwrap();
        }
        self.reload().await;
    }

    async fn reload(&mut self) {
        self.database.execute("SELECT pg_reload_conf()").await.unwrap();
        // Each process of the server takes notice when it gets round to it.
        thread::sleep(Duration::from_millis(500));
    }

    /// Runs one cycle of a scenario with `draw` and tells what its steps asked.
    pub async fn record(&mut self, scenario: &Scenario<'_>, port: u16, draw: &Draw) -> Recording {
        let (mut http, mut recording) = (Http::connect(port), Vec::new());
        for step in &scenario.steps {
            let before: i64 = self.size().await;
            let mut request = Vec::new();
            (step.request)(draw, &mut request);
            assert_eq!(http.exchange(&request), step.status, "{}: {}", step.label, http.text());
            recording.push(self.asked_since(before).await);
        }
        recording
    }

    /// What was asked since the log was so long; a transaction may end behind its answer.
    async fn asked_since(&mut self, before: i64) -> Vec<Statement> {
        let patience = Instant::now() + Duration::from_secs(10);
        loop {
            thread::sleep(Duration::from_millis(50));
            let query = "SELECT pg_read_file($1, $2, (pg_stat_file($1)).size - $2)";
            let query = sqlx::query_scalar::<_, String>(query).bind(&self.log).bind(before);
            let transactions = transactions(&query.fetch_one(&mut self.database).await.unwrap());
            let ended = |transaction: &Vec<Statement>| transaction.last().is_some_and(Statement::ends);
            if !transactions.is_empty() && transactions.iter().all(ended) {
                return transactions.into_iter().flatten().collect();
            }
            assert!(Instant::now() < patience, "the request's transaction does not end: {transactions:?}");
        }
    }

    async fn size(&mut self) -> i64 {
        let query = sqlx::query_scalar("SELECT (pg_stat_file($1)).size").bind(&self.log);
        query.fetch_one(&mut self.database).await.unwrap()
    }
}

impl Statement {
    /// Whether no transaction is open behind it.
    fn ends(&self) -> bool {
        self.sql.ends_with("COMMIT") || self.sql.ends_with("ROLLBACK") || self.sql.starts_with("EXECUTE enter")
    }
}

/// The gateway's transactions in a piece of log, without those behind requests.
fn transactions(log: &str) -> Vec<Vec<Statement>> {
    let mut open: HashMap<String, Vec<Statement>> = HashMap::new();
    let mut order: Vec<Vec<Statement>> = Vec::new();
    for entry in log.split(&format!("\n{MARK}")) {
        let entry = entry.strip_prefix(MARK).unwrap_or(entry).replace("\n\t", "\n");
        let mut parts = entry.splitn(3, MARK);
        let (Some(program), Some(process), Some(message)) = (parts.next(), parts.next(), parts.next()) else {
            continue;
        };
        if program.trim() != "gatehouse" {
            continue;
        }
        let transaction = open.entry(process.to_owned()).or_default();
        if let Some(parameters) = message.strip_prefix("DETAIL:  parameters: ") {
            transaction.last_mut().unwrap().parameters = read_parameters(parameters.trim_end());
        } else if let Some(sql) = sql_of(message) {
            let sql = sql.trim_end().to_owned();
            let statement = Statement { sql, parameters: Vec::new() };
            let ends = statement.ends();
            transaction.push(statement);
            if ends {
                order.push(std::mem::take(transaction));
            }
        }
    }
    order.extend(open.into_values().filter(|transaction| !transaction.is_empty()));
    let behind = |statement: &Statement| BEHIND.iter().any(|name| statement.sql.starts_with(name));
    order.retain(|transaction| !transaction.iter().any(behind));
    order
}

fn sql_of(message: &str) -> Option<&str> {
    let message = message.strip_prefix("LOG:  ")?;
    if let Some(sql) = message.strip_prefix("statement: ") {
        return Some(sql);
    }
    message.strip_prefix("execute ")?.split_once(": ").map(|(_, sql)| sql)
}

/// Reads `$1 = 'a''b', $2 = NULL`.
fn read_parameters(text: &str) -> Vec<Option<String>> {
    let (mut parameters, mut rest) = (Vec::new(), text);
    while let Some((_, value)) = rest.split_once(" = ") {
        if let Some(behind) = value.strip_prefix("NULL") {
            parameters.push(None);
            rest = behind;
            continue;
        }
        let (mut parameter, mut behind) = (String::new(), value.strip_prefix('\'').unwrap());
        loop {
            let (part, next) = behind.split_once('\'').unwrap();
            parameter.push_str(part);
            match next.strip_prefix('\'') {
                Some(more) => {
                    parameter.push('\'');
                    behind = more;
                }
                None => {
                    rest = next;
                    break;
                }
            }
        }
        parameters.push(Some(parameter));
    }
    parameters
}

/// A script for pgbench and the values of its variables.
pub struct Script {
    pub text: String,
    pub variables: Vec<(String, String)>,
    pub protocol: Protocol,
}

/// How pgbench sends statements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// As texts, several in one message.
    Simple,
    /// Prepared, one by one.
    Prepared,
}

impl Protocol {
    /// As pgbench's option names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Simple => "simple",
            Self::Prepared => "prepared",
        }
    }
}

/// The recording as a script that draws what `draw` was.
pub async fn script(place: &Place, recording: &Recording, draw: &Draw) -> Script {
    let users = place.outsiders();
    // What the gateway asks in messages of its prepared statements only, pgbench asks in the same.
    let only_calls = recording.iter().flatten().all(|statement| statement.sql.starts_with("EXECUTE "));
    let protocol = if only_calls { Protocol::Simple } else { Protocol::Prepared };
    let mut writer = Writer { place, rules: rules(place, draw), fresh: Vec::new(), variables: Vec::new(), protocol };
    // The first command must not be in a pipeline, because pgbench prepares the others before it.
    let first = if only_calls { prepared::greeting().to_owned() } else { format!("{};\n", prepared::SETTINGS) };
    let mut text = format!("\\if :first\n{first}\\set first 0\n\\endif\n");
    writeln!(text, "\\set i random({}, {})", users.start, users.end - 1).unwrap();
    text.push_str("\\set n random(100000000000000000, 999999999999999999)\n");
    let mut database = superuser().await;
    for statement in recording.iter().flatten() {
        match statement.sql.split("; ").collect::<Vec<_>>()[..] {
            [_] => writeln!(text, "{};", writer.statement(&mut database, statement).await).unwrap(),
            // Several in one message are one round trip.
            ref several => {
                let several: Vec<String> = several.iter().map(|one| writer.called(one)).collect();
                match protocol {
                    Protocol::Simple => writeln!(text, "{};", several.join("\\; ")).unwrap(),
                    Protocol::Prepared => {
                        writeln!(text, "\\startpipeline\n{};\n\\endpipeline", several.join(";\n")).unwrap();
                    }
                }
            }
        }
    }
    writer.variables.push(("first".to_owned(), "1".to_owned()));
    let groups = place.small.iter().chain(&place.large).map(Uuid::to_string).collect::<Vec<_>>();
    writer.variables.push(("groups".to_owned(), format!("{{{}}}", groups.join(","))));
    Script { text, variables: writer.variables, protocol }
}

/// The value of an argument as the gateway writes it.
fn value(argument: &str) -> String {
    match argument.split('\'').collect::<Vec<_>>()[..] {
        [number] => number.to_owned(),
        ["", id, ""] => id.to_owned(),
        ["decode(", hex, ..] => format!("\\x{hex}"),
        ["convert_from(decode(", hex, ..] => decoded(hex),
        // One user is created alone, with one address.
        ["ARRAY[convert_from(decode(", hex, _, "hex", _, "UTF8", ")]"] => format!("{{\"{}\"}}", decoded(hex)),
        _ => panic!("an argument of an unknown form: {argument}"),
    }
}

fn decoded(hex: &str) -> String {
    let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    String::from_utf8((0..hex.len()).step_by(2).map(byte).collect()).unwrap()
}

/// Which text of a request stands for what pgbench draws, as an expression that is a text.
fn rules(place: &Place, draw: &Draw) -> Vec<(String, String)> {
    let users = place.outsiders();
    let mut rules = vec![
        (digits(draw.user), "lpad((:i)::text, 9, '0')".to_owned()),
        (draw.fresh.to_string(), "(:n)::text".to_owned()),
    ];
    for kind in [ACCOUNT, USER] {
        rules.push((id(kind, draw.user).to_string(), format!("{}::text", id_in_sql(kind, ":i"))));
    }
    for (groups, skipped) in [(&place.small, 0), (&place.large, place.small.len())] {
        if let Some(group) = groups.get(draw.client) {
            rules.push((group.to_string(), format!("((:groups)::uuid[])[:client_id + {}]::text", skipped + 1)));
        }
    }
    // Each client has groups of its own, whose names are written again with a new version.
    for name in ["Small", "small", "Large", "large"] {
        rules.push((format!("{name} {}", draw.client), format!("('{name} ' || (:client_id)::text)")));
    }
    let many: Vec<String> = scenarios::many(place, draw.user, MANY).iter().map(Uuid::to_string).collect();
    let (start, span) = (users.start, users.end - users.start);
    let member = id_in_sql(ACCOUNT, &format!("({start} + (:i - {start} + k * {STRIDE}) % {span})"));
    let all = format!("(SELECT array_agg({member} ORDER BY k)::text FROM generate_series(0, {}) AS k)", MANY - 1);
    rules.push((format!("{{{}}}", many.join(",")), all));
    // The longest first: a list holds ids, and ids hold digits.
    rules.sort_by_key(|(text, _)| std::cmp::Reverse(text.len()));
    rules
}

struct Writer<'p> {
    place: &'p Place,
    rules: Vec<(String, String)>,
    /// Ids that the gateway made for this request.
    fresh: Vec<String>,
    variables: Vec<(String, String)>,
    protocol: Protocol,
}

impl Writer<'_> {
    /// The statement with expressions for its parameters.
    async fn statement(&mut self, database: &mut PgConnection, statement: &Statement) -> String {
        let sql = match statement.sql.strip_prefix("-- ").and_then(|sql| sql.split_once('\n')) {
            Some((_, sql)) => sql,
            None => &statement.sql,
        };
        if statement.parameters.is_empty() {
            return sql.to_owned();
        }
        let prepared = database.prepare(AssertSqlSafe(sql.to_owned()).into_sql_str()).await.unwrap();
        let Some(Either::Left(types)) = prepared.parameters() else { unreachable!("Postgres tells types") };
        let types: Vec<&str> = types.iter().map(|kind| kind.name()).collect();
        self.filled(sql, &types, &statement.parameters)
    }

    /// A statement of a message of several: what it calls, if it calls something prepared.
    fn called(&mut self, statement: &str) -> String {
        let Some((name, arguments)) = statement.strip_prefix("EXECUTE ").and_then(|call| call.split_once('(')) else {
            return statement.to_owned();
        };
        let (_, types, sql) = prepared::statements().into_iter().find(|(known, ..)| *known == name).unwrap();
        let (arguments, types) = (arguments.strip_suffix(')').unwrap().split(", "), types.split(", "));
        if self.protocol == Protocol::Simple {
            let argument = |(argument, kind): (&str, &str)| self.drawn(argument, kind);
            let arguments: Vec<String> = arguments.zip(types).map(argument).collect();
            return format!("EXECUTE {name}({})", arguments.join(", "));
        }
        let arguments: Vec<_> = arguments.map(|argument| Some(value(argument))).collect();
        self.filled(&sql, &types.collect::<Vec<_>>(), &arguments)
    }

    /// An argument of a call as it stands, unless pgbench draws something of it.
    fn drawn(&mut self, argument: &str, kind: &str) -> String {
        let value = value(argument);
        if !self.is_drawn(&value) {
            return argument.to_owned();
        }
        let mut parts = Vec::new();
        self.parts(&value, &mut parts);
        format!("({})::{kind}", parts.join(" || "))
    }

    fn filled(&mut self, sql: &str, types: &[&str], parameters: &[Option<String>]) -> String {
        let (mut written, mut rest) = (String::new(), sql);
        while let Some((before, behind)) = rest.split_once('$') {
            let digits = behind.len() - behind.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            let index: usize = behind[..digits].parse().unwrap();
            let value = self.argument(parameters[index - 1].as_deref(), types[index - 1]);
            write!(written, "{before}{value}").unwrap();
            rest = &behind[digits..];
        }
        written + rest
    }

    fn is_drawn(&self, value: &str) -> bool {
        self.rules.iter().any(|(text, _)| value.contains(text))
    }

    fn argument(&mut self, value: Option<&str>, kind: &str) -> String {
        let Some(value) = value else { return format!("NULL::{kind}") };
        if !self.is_drawn(value) && self.made_id(value).is_none() {
            // The same in all requests; a parameter of the right type costs nothing to convert.
            return format!("(:{})::{kind}", self.variable(value));
        }
        let mut parts = Vec::new();
        self.parts(value, &mut parts);
        match &parts[..] {
            [] => format!("''::{kind}"),
            parts => format!("({})::{kind}", parts.join(" || ")),
        }
    }

    /// The value as texts that are put together.
    fn parts(&mut self, value: &str, into: &mut Vec<String>) {
        if value.is_empty() {
            return;
        }
        let found =
            self.rules.iter().find_map(|(text, sql)| value.find(text.as_str()).map(|at| (at, text.len(), sql.clone())));
        let found = found.or_else(|| self.made_id(value));
        match found {
            Some((at, length, sql)) => {
                self.parts(&value[..at], into);
                into.push(sql);
                self.parts(&value[at + length..], into);
            }
            None if self.protocol == Protocol::Simple => into.push(format!("'{}'", value.replace('\'', "''"))),
            None => {
                let name = self.variable(value);
                into.push(format!("(:{name})::text"));
            }
        }
    }

    /// An id in the value that no other request has.
    fn made_id(&mut self, value: &str) -> Option<(usize, usize, String)> {
        let last = value.len().checked_sub(36)?;
        for at in 0..=last {
            let Some(text) =
                value.get(at..at + 36).filter(|text| text.bytes().filter(|byte| *byte == b'-').count() == 4)
            else {
                continue;
            };
            let filled = text.replace('-', "").ends_with(ACCOUNT);
            if Uuid::try_parse(text).is_err() || filled || self.place.constants.iter().any(|constant| constant == text)
            {
                continue;
            }
            let place = self.fresh.iter().position(|known| known == text).unwrap_or_else(|| {
                self.fresh.push(text.to_owned());
                self.fresh.len() - 1
            });
            // Of the transaction's moment, as the gateway's are.
            let sql = format!(
                "(lpad(to_hex((extract(epoch FROM now()) * 1000)::bigint), 12, '0') || '7{place:03x}' || \
                 lpad(to_hex((:n)::bigint), 16, '0'))::uuid::text"
            );
            return Some((at, 36, sql));
        }
        None
    }

    fn variable(&mut self, value: &str) -> String {
        if let Some((name, _)) = self.variables.iter().find(|(_, known)| known == value) {
            return name.clone();
        }
        let name = format!("v{}", self.variables.len());
        self.variables.push((name.clone(), value.to_owned()));
        name
    }
}

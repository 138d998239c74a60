//! Valid requests of every kind, and what makes them invalid.

use super::{chance::Chance, connection::Answer, json, text};
use gateway::router;
use harness::customer::Customer;
use std::{fmt::Write, sync::Mutex};

/// Longer ones are HTTP's matter and not SCIM's.
const LONGEST_PATH: usize = 8000;
/// Ids that are remembered of one kind.
const REMEMBERED: usize = 40;
const NAMES: usize = 30;

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

/// What the workers of one directory know of it.
pub struct Directory {
    /// Where to connect to.
    pub host: String,
    /// The path of the SCIM base.
    base: String,
    token: String,
    users: Mutex<Vec<String>>,
    groups: Mutex<Vec<String>>,
    seeds: Vec<Seed>,
}

/// A valid request with places to fill: `{user}`, `{group}`, `{name}`, `{title}`.
struct Seed {
    method: &'static str,
    path: String,
    query: Vec<(&'static str, String)>,
    body: String,
}

/// A request on its way to be sent.
#[derive(Clone)]
pub struct Request {
    pub method: String,
    /// After the SCIM base, encoded.
    path: String,
    query: Vec<(String, String)>,
    /// Put behind the query as it stands.
    raw_query: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    chunked: bool,
}

impl Directory {
    pub fn of(customer: &Customer) -> Self {
        let (host, path) = customer
            .scim_base()
            .split_once("://")
            .and_then(|(_, rest)| rest.split_once('/'))
            .map(|(host, path)| (host.to_owned(), format!("/{path}")))
            .unwrap();
        Self {
            host,
            base: path,
            token: customer.token.clone(),
            users: Mutex::default(),
            groups: Mutex::default(),
            seeds: seeds(),
        }
    }

    /// Remembers who was created and forgets who was deleted.
    pub fn learn(&self, request: &Request, answer: &Answer) {
        let ids = if request.path.starts_with("/Groups") { &self.groups } else { &self.users };
        match answer.status {
            201 => {
                let body = String::from_utf8_lossy(&answer.body);
                let id = body.split_once("\"id\":\"").and_then(|(_, rest)| rest.split_once('"'));
                let mut ids = ids.lock().unwrap();
                if ids.len() >= REMEMBERED {
                    ids.remove(0);
                }
                ids.extend(id.map(|(id, _)| id.to_owned()));
            }
            204 => ids.lock().unwrap().retain(|id| !request.path.contains(id.as_str())),
            _ => {}
        }
    }

    fn id(&self, ids: &Mutex<Vec<String>>, chance: &mut Chance) -> String {
        let ids = ids.lock().unwrap();
        if ids.is_empty() {
            "01a201b3-1871-72a8-b080-b508493ff34f".to_owned()
        } else {
            ids[chance.below(ids.len())].clone()
        }
    }

    fn fill(&self, text: &str, chance: &mut Chance) -> String {
        if !text.contains('{') {
            return text.to_owned();
        }
        // Names are few, so that they meet.
        text.replace("{user}", &self.id(&self.users, chance))
            .replace("{group}", &self.id(&self.groups, chance))
            .replace("{name}", &format!("user{}@mutation.test", chance.below(NAMES)))
            .replace("{title}", &format!("Group {}", chance.below(NAMES)))
    }
}

/// A request that should succeed, if whom it names is there.
pub fn valid(directory: &Directory, chance: &mut Chance) -> Request {
    let seed = &directory.seeds[chance.below(directory.seeds.len())];
    let fill = |text: &str, chance: &mut Chance| directory.fill(text, chance);
    Request {
        method: seed.method.to_owned(),
        path: fill(&seed.path, chance),
        query: seed.query.iter().map(|(name, value)| ((*name).to_owned(), fill(value, chance))).collect(),
        raw_query: String::new(),
        headers: vec![
            ("authorization".to_owned(), format!("Bearer {}", directory.token)),
            ("content-type".to_owned(), "application/scim+json".to_owned()),
        ],
        body: fill(&seed.body, chance).into_bytes(),
        chunked: false,
    }
}

fn seeds() -> Vec<Seed> {
    let mut seeds = Vec::new();
    let mut add = |times: usize, method: &'static str, path: &str, body: &str| {
        for _ in 0..times {
            seeds.push(Seed { method, path: path.to_owned(), query: Vec::new(), body: body.to_owned() });
        }
    };
    for body in USERS {
        add(3, "POST", "/Users", body);
        add(2, "PUT", "/Users/{user}", body);
    }
    for body in GROUPS {
        add(3, "POST", "/Groups", body);
        add(2, "PUT", "/Groups/{group}", body);
    }
    for operations in USER_OPERATIONS {
        add(2, "PATCH", "/Users/{user}", &patch(operations));
    }
    for operations in GROUP_OPERATIONS {
        add(2, "PATCH", "/Groups/{group}", &patch(operations));
    }
    for body in SEARCHES {
        add(1, "POST", "/.search", body);
        add(1, "POST", "/Users/.search", body);
        add(1, "POST", "/Groups/.search", body);
    }
    for body in BULKS {
        add(3, "POST", "/Bulk", body);
    }
    add(2, "DELETE", "/Users/{user}", "");
    add(1, "DELETE", "/Groups/{group}", "");
    add(4, "GET", "/Users/{user}", "");
    add(4, "GET", "/Groups/{group}", "");
    // Every route there is, so that none is forgotten.
    for route in router::routes() {
        if let Some(path) = route.path.strip_prefix("/c/{cid}/scim/v2") {
            let id = if path.starts_with("/Groups") { "{group}" } else { "{user}" };
            add(1, upper(route.method), &path.replace("{id}", id), if route.method == "get" { "" } else { USERS[0] });
        }
    }
    for filter in FILTERS {
        for path in ["/Users", "/Groups"] {
            let query = vec![("filter", filter.to_owned()), ("count", "3".to_owned())];
            seeds.push(Seed { method: "GET", path: path.to_owned(), query, body: String::new() });
        }
    }
    for (name, value) in PARAMETERS {
        for path in ["/Users", "/Groups", "/Users/{user}", "/Groups/{group}"] {
            let query = vec![(name, value.to_owned()), ("count", "2".to_owned())];
            seeds.push(Seed { method: "GET", path: path.to_owned(), query, body: String::new() });
        }
    }
    seeds
}

fn patch(operations: &str) -> String {
    format!(r#"{{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{operations}]}}"#)
}

fn upper(method: &str) -> &'static str {
    match method {
        "get" => "GET",
        "post" => "POST",
        "put" => "PUT",
        "patch" => "PATCH",
        "delete" => "DELETE",
        other => panic!("a route with the method {other}, which has no requests here"),
    }
}

const USERS: [&str; 4] = [
    r#"{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"{name}","name":{"givenName":"Test","familyName":"User"},"emails":[{"primary":true,"value":"{name}","type":"work"}],"displayName":"Test User","locale":"en-US","externalId":"{name}","groups":[],"password":"1mz050nq","active":true}"#,
    r#"{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],"externalId":"0a21f0f2","userName":"{name}","active":true,"displayName":null,"emails":[{"primary":true,"type":"work","value":"{name}"}],"meta":{"resourceType":"User"},"name":{"formatted":"given family","familyName":"family","givenName":"given"},"roles":[],"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"Sales","manager":{"value":"{user}"}}}"#,
    r#"{"schemas":["urn:scim:schemas:core:2.0","urn:scim:schemas:extension:enterprise:2.0"],"userName":"{name}","name":{"givenName":"Ann","familyName":"Lee"},"title":null,"active":"True","emails":[{"value":"ann@example.com","type":"work","primary":"True"},{"value":"ann@home.test","type":"home"}],"phoneNumbers":[{"value":"1","type":"mobile"}],"addresses":[{"type":"work","locality":"Bern"}],"role":"ANALYST"}"#,
    r#"{"userName":"{name}"}"#,
];

const GROUPS: [&str; 3] = [
    r#"{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"{title}","members":[{"value":"{user}","display":"x"}]}"#,
    r#"{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group","http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"],"externalId":"8aa1a0c0","displayName":"{title}","meta":{"resourceType":"Group"}}"#,
    r#"{"displayName":"{title}","members":[{"value":"{user}","type":"User"},{"value":"{group}","type":"Group"},{"value":"{user}"}]}"#,
];

const USER_OPERATIONS: [&str; 12] = [
    r#"{"op":"replace","value":{"active":false}}"#,
    r#"{"op":"replace","value":{"active":true}}"#,
    r#"{"op":"replace","value":{"password":"s3cret"}}"#,
    r#"{"op":"replace","path":"userName","value":"{name}"}"#,
    r#"{"op":"Replace","path":"emails[type eq \"work\"].value","value":"{name}"}"#,
    r#"{"op":"Add","path":"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department","value":"Retail"},{"op":"Replace","path":"active","value":"False"}"#,
    r#"{"op":"Add","path":"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager","value":"{user}"}"#,
    r#"{"op":"replace","value":{"displayName":"B","name.givenName":"Kim","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber":"12"}}"#,
    r#"{"op":"Add","path":"roles","value":[{"value":"{\"id\":\"1\",\"value\":\"ANALYST\"}","primary":"True"}]}"#,
    r#"{"op":"add","path":"emails","value":[{"value":"{name}","type":"other","primary":true}]},{"op":"remove","path":"emails[type eq \"home\"]"}"#,
    r#"{"op":"remove","path":"title"},{"op":"remove","path":"externalId"},{"op":"remove","path":"active"}"#,
    r#"{"op":"add","path":"x509Certificates","value":[{"value":"oXm0a8PRSUKaX0fngYGVEw=="}]}"#,
];

const GROUP_OPERATIONS: [&str; 8] = [
    r#"{"op":"replace","value":{"id":"{group}","displayName":"{title}"}}"#,
    r#"{"op":"remove","path":"members[value eq \"{user}\"]"},{"op":"add","path":"members","value":[{"value":"{user}","display":"x"}]}"#,
    r#"{"op":"replace","path":"members","value":[{"value":"{user}"},{"value":"{user}"}]}"#,
    r#"{"op":"replace","value":{"members":[],"displayName":"{title}"}}"#,
    r#"{"op":"Remove","path":"members","value":[{"$ref":null,"value":"{user}"}]}"#,
    r#"{"op":"Add","path":"members","value":[{"$ref":null,"value":"nobody"},{"value":"{group}"}]}"#,
    r#"{"op":"remove","path":"members"}"#,
    r#"{"op":"replace","path":"externalId","value":"{name}"}"#,
];

const SEARCHES: [&str; 3] = [
    r#"{"schemas":["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],"filter":"userName eq \"{name}\" or displayName sw \"G\"","startIndex":1,"count":3}"#,
    r#"{"schemas":["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],"attributes":["externalId","name.givenName"],"sortBy":"meta.created","sortOrder":"descending","count":2}"#,
    r#"{"excludedAttributes":["members","groups"],"cursor":"","count":2}"#,
];

const BULKS: [&str; 2] = [
    r#"{"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],"failOnErrors":1,"Operations":[{"method":"POST","path":"/Users","bulkId":"q1","data":{"userName":"{name}"}},{"method":"POST","path":"/Groups","bulkId":"q2","data":{"displayName":"{title}","members":[{"value":"bulkId:q1"}]}}]}"#,
    r#"{"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],"Operations":[{"method":"PATCH","path":"/Users/{user}","version":"W/\"1\"","data":{"Operations":[{"op":"replace","path":"title","value":"Dr"}]}},{"method":"PUT","path":"/Groups/{group}","data":{"displayName":"{title}"}},{"method":"DELETE","path":"/Users/{user}"}]}"#,
];

const FILTERS: [&str; 12] = [
    r#"userName eq "{name}""#,
    r#"username Eq "{name}""#,
    r#"externalId eq "{name}""#,
    r#"id eq "{user}""#,
    r#"emails.value eq "{name}""#,
    r#"emails[type eq "work"].value eq "{name}""#,
    r#"displayName eq "{title}""#,
    r#"id eq "{user}" and manager eq "{user}""#,
    r#"active eq true and not (title pr or userName co "7")"#,
    r#"meta.lastModified gt "2011-05-13T04:42:34Z""#,
    r#"members[value eq "{user}"]"#,
    r#"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department sw "S""#,
];

const PARAMETERS: [(&str, &str); 7] = [
    ("attributes", "userName,emails.value,displayName"),
    ("attributes", ENTERPRISE),
    ("excludedAttributes", "members,groups,name.givenName"),
    ("startIndex", "2"),
    ("sortBy", "userName"),
    ("sortOrder", "descending"),
    ("cursor", ""),
];

impl Request {
    /// Makes one thing other than it should be.
    pub fn mutate(&mut self, directory: &Directory, chance: &mut Chance) {
        match chance.below(if self.body.is_empty() { 8 } else { 16 }) {
            0..=2 => self.mutate_query(chance),
            3 => self.mutate_path(directory, chance),
            4 => self.mutate_headers(chance),
            5 => {
                let methods = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "get", "SEARCH"];
                self.method = chance.of(&methods).to_owned();
            }
            6 => self.body = valid(directory, chance).body,
            7 => self.chunked = !self.chunked,
            8..=12 => {
                let changed = str::from_utf8(&self.body).ok().and_then(|body| json::changed(body, chance));
                match changed {
                    Some(changed) => self.body = changed.into_bytes(),
                    None => self.mutate_bytes(chance),
                }
            }
            _ => self.mutate_bytes(chance),
        }
    }

    fn mutate_bytes(&mut self, chance: &mut Chance) {
        const PIECES: [&[u8]; 16] = [
            b"\0",
            b"\\u0000",
            b"\\ud800",
            b"\xff\xfe",
            b"\xef\xbb\xbf",
            b"\"",
            b"\\",
            b"{",
            b"}",
            b"[",
            b"]",
            b",",
            b":",
            b"1e999",
            b"null",
            b"99999999999999999999",
        ];
        let (from, to) = (chance.below(self.body.len() + 1), chance.below(self.body.len() + 1));
        let (from, to) = (from.min(to), from.max(to));
        match chance.below(5) {
            0 => drop(self.body.splice(from..from, PIECES[chance.below(PIECES.len())].iter().copied())),
            1 => drop(self.body.drain(from..to.min(from + 4))),
            2 => self.body.truncate(from),
            3 if from < self.body.len() => self.body[from] ^= 1 << chance.below(8),
            _ => {
                let part = self.body[from..to.min(from + 200)].repeat(1 + chance.below(5));
                drop(self.body.splice(from..from, part));
            }
        }
    }

    fn mutate_query(&mut self, chance: &mut Chance) {
        let names = [
            "filter",
            "count",
            "startIndex",
            "attributes",
            "excludedAttributes",
            "sortBy",
            "sortOrder",
            "cursor",
            "Filter",
        ];
        let values = [
            "",
            "-1",
            "0",
            "1",
            "500",
            "9223372036854775807",
            "99999999999999999999",
            "x",
            "\0",
            "ascending",
            "meta.created",
            "é\u{1f600}",
            "urn:x:y",
        ];
        let at = chance.below(self.query.len() + 1);
        match (self.query.get_mut(at), chance.below(4)) {
            (Some((name, value)), 0 | 1) if name == "filter" => {
                *value = text::changed(value, chance).unwrap_or_default()
            }
            (Some((_, value)), 0 | 1) => *value = chance.of(&values).to_owned(),
            (Some((name, _)), 2) => *name = chance.of(&names).to_owned(),
            (_, 3) => chance
                .of(&["%", "%zz", "%00", "%ff=%fe", "&&&", "filter", "=", "filter=%", "count=1&count=2", "+"])
                .clone_into(&mut self.raw_query),
            _ => self.query.push((chance.of(&names).to_owned(), chance.of(&values).to_owned())),
        }
    }

    fn mutate_path(&mut self, directory: &Directory, chance: &mut Chance) {
        let pieces = [
            "/", "//", "/..", "/.", "/Users", "/Groups", "/.search", "/Bulk", "/Me", "/%00", "/%ff", "/%2e%2e", "%",
            "/x", ";v=1", "/%C0%80",
        ];
        match chance.below(4) {
            0 => self.path.push_str(chance.of(&pieces)),
            1 => self.path = valid(directory, chance).path,
            2 => {
                let parent = self.path.rfind('/').unwrap_or(0);
                self.path.truncate(parent);
                self.path.push_str(chance.of(&[
                    "/0",
                    "/00000000-0000-0000-0000-000000000000",
                    "/%7Buser%7D",
                    "/x",
                    "",
                ]));
            }
            _ => {
                let at = self
                    .path
                    .char_indices()
                    .map(|(at, _)| at)
                    .nth(chance.below(self.path.len() + 1))
                    .unwrap_or(self.path.len());
                self.path.insert_str(at, chance.of(&pieces));
            }
        }
    }

    fn mutate_headers(&mut self, chance: &mut Chance) {
        let (name, value) = chance.of(&[
            ("authorization", "Bearer nobody"),
            ("authorization", "Basic eDp5"),
            ("authorization", ""),
            ("content-type", "text/plain"),
            ("content-type", "application/json; charset=utf-8"),
            ("content-type", ";"),
            ("accept", "text/html"),
            ("if-match", "W/\"1\""),
            ("if-match", "*"),
            ("if-match", "nonsense"),
            ("if-none-match", "W/\"1\""),
            ("if-none-match", "*"),
            ("prefer", "return=minimal"),
            ("content-encoding", "gzip"),
            ("origin", "https://elsewhere.test"),
            ("sec-fetch-site", "cross-site"),
        ]);
        self.headers.retain(|(own, _)| own != name);
        if !value.is_empty() {
            self.headers.push((name.to_owned(), value.to_owned()));
        }
    }

    /// The request as it is sent.
    pub fn bytes(&self, directory: &Directory) -> Vec<u8> {
        let path = &self.path[..self.path.len().min(LONGEST_PATH)];
        let mut head = format!("{} {}{path}", self.method, directory.base);
        let mut mark = '?';
        for (name, value) in &self.query {
            write!(head, "{mark}{name}={}", encoded(value)).unwrap();
            mark = '&';
        }
        if !self.raw_query.is_empty() {
            write!(head, "{mark}{}", self.raw_query).unwrap();
        }
        write!(head, " HTTP/1.1\r\nhost: {}\r\n", directory.host).unwrap();
        for (name, value) in &self.headers {
            write!(head, "{name}: {value}\r\n").unwrap();
        }
        if self.chunked {
            let mut bytes = format!("{head}transfer-encoding: chunked\r\n\r\n").into_bytes();
            for piece in self.body.chunks(100) {
                bytes.extend(format!("{:x}\r\n", piece.len()).into_bytes());
                bytes.extend([piece, b"\r\n"].concat());
            }
            bytes.extend(b"0\r\n\r\n");
            return bytes;
        }
        [format!("{head}content-length: {}\r\n\r\n", self.body.len()).as_bytes(), &self.body].concat()
    }
}

fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            write!(encoded, "%{byte:02X}").unwrap();
        }
        encoded
    })
}

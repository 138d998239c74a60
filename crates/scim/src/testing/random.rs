//! Random users and random filters over them, the same for the same seed: to compare a search in a database with one
//! in memory. Names nothing of this crate, so that other packages' tests may include the file.

use serde_json::{Map, Value, json};

/// The customer's own extension.
pub const ACME: &str = "urn:ietf:params:scim:schemas:extension:acme:2.0:User";
const CORE: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

/// Attributes that the customer defined: URN, name, kind, and whether multi-valued and case-exact.
pub const CUSTOM: [(&str, &str, &str, bool, bool); 15] = [
    (CORE, "badge", "string", false, true),
    (CORE, "shoeSize", "integer", false, false),
    (ENTERPRISE, "floor", "integer", false, false),
    (ENTERPRISE, "hobbies", "string", true, false),
    (ACME, "motto", "string", false, false),
    (ACME, "tags", "string", true, true),
    (ACME, "remote", "boolean", false, false),
    (ACME, "answers", "boolean", true, false),
    (ACME, "ratio", "decimal", false, false),
    (ACME, "ratios", "decimal", true, false),
    (ACME, "levels", "integer", true, false),
    (ACME, "since", "dateTime", false, false),
    (ACME, "holidays", "dateTime", true, false),
    (ACME, "link", "reference", false, false),
    (ACME, "links", "reference", true, false),
];

const TEXTS: [&str; 15] = [
    "",
    "ann",
    "Ann",
    "Annie",
    "ÁNN",
    "ánn b",
    "σας",
    "ΣΑΣ",
    "σασ",
    "straße",
    "STRASSE",
    "İstanbul",
    "istanbul",
    "a\\\"%_b",
    "\u{1F600}z",
];
const ADDRESSES: [&str; 6] =
    ["https://a.test/1", "https://a.test/2", "https://A.test/1", "urn:a", "../Users/7", "https://a.test/ß"];
const TYPES: [&str; 5] = ["work", "Work", "home", "other", "ΣΑΣ"];
const DATES: [&str; 9] = [
    "2026-01-01T00:00:00Z",
    "2026-01-01T01:00:00+01:00",
    "2026-01-01T00:00:00.000000001Z",
    "2026-01-01T00:00:00.5Z",
    "2025-12-31T23:59:59.999999999Z",
    "2026-01-01T00:00:00",
    "1969-07-20T20:17:40Z",
    "0001-01-01T00:00:00Z",
    "2026-01-01T00:30:00-12:00",
];
const INTEGERS: [&str; 11] = [
    "0",
    "1",
    "-1",
    "2",
    "10",
    "-10",
    "9007199254740992",
    "9007199254740993",
    "9223372036854775807",
    "-9223372036854775808",
    "18446744073709551615",
];
const DECIMALS: [&str; 9] =
    ["2.0", "2.5", "-2.5", "0.1", "1e300", "-1e300", "5e-324", "9007199254740992.0", "9223372036854775808.0"];

/// Multi-valued attributes with the usual parts, and the kind of their `value`.
const PLURALS: [(&str, Kind); 7] = [
    ("emails", Kind::Short),
    ("phoneNumbers", Kind::Text),
    ("ims", Kind::Text),
    ("entitlements", Kind::Text),
    ("roles", Kind::Text),
    ("photos", Kind::Address),
    ("x509Certificates", Kind::Binary),
];
const PROFILE: [&str; 8] =
    ["displayName", "nickName", "title", "userType", "preferredLanguage", "locale", "timezone", "role"];
const NAMES: [&str; 6] = ["formatted", "familyName", "givenName", "middleName", "honorificPrefix", "honorificSuffix"];
const PLACES: [&str; 6] = ["formatted", "streetAddress", "locality", "region", "postalCode", "country"];
const EMPLOYMENT: [&str; 5] = ["employeeNumber", "costCenter", "organization", "division", "department"];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    /// A text that is never longer than an e-mail address.
    Short,
    Boolean,
    Decimal,
    Integer,
    Date,
    Address,
    Binary,
}

/// A generator of numbers (splitmix64): small, and good enough for tests.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number less than `end`.
    fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).unwrap_or(u64::MAX);
        usize::try_from(self.next() % end).unwrap_or_default()
    }

    /// True once in `times`.
    fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    fn value(&mut self, kind: Kind) -> Value {
        match kind {
            // Two that differ only where an index may have cut them off.
            Kind::Text if self.once_in(20) => json!("ö".repeat(600) + self.pick(&["ann", "bob"])),
            Kind::Text | Kind::Short => json!(self.pick(&TEXTS)),
            Kind::Boolean => json!(self.once_in(2)),
            Kind::Date if self.once_in(10) => json!("No Date"),
            Kind::Date => json!(self.pick(&DATES)),
            Kind::Integer => number(self.pick(&INTEGERS)),
            Kind::Decimal if self.once_in(2) => number(self.pick(&INTEGERS)),
            Kind::Decimal => number(self.pick(&DECIMALS)),
            Kind::Address => json!(self.pick(&ADDRESSES)),
            Kind::Binary => json!(self.pick(&["YW5u", "YW5U", "Ym9i"])),
        }
    }

    /// Some of the named texts.
    fn texts(&mut self, names: &[&str]) -> Map<String, Value> {
        let mut members = Map::new();
        for name in names {
            if self.once_in(2) {
                members.insert((*name).to_owned(), self.value(Kind::Text));
            }
        }
        members
    }

    /// One value of a multi-valued attribute with the usual parts.
    fn element(&mut self, value: Option<Kind>, parts: &[&str]) -> Value {
        let mut element = self.texts(parts);
        if let Some(kind) = value.filter(|_| !self.once_in(6)) {
            element.insert("value".to_owned(), self.value(kind));
        }
        if !self.once_in(4) {
            element.insert("type".to_owned(), json!(self.pick(&TYPES)));
        }
        if self.once_in(3) {
            element.insert("primary".to_owned(), self.value(Kind::Boolean));
        }
        Value::Object(element)
    }
}

fn number(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_default()
}

fn kind(name: &str) -> Kind {
    match name {
        "boolean" => Kind::Boolean,
        "decimal" => Kind::Decimal,
        "integer" => Kind::Integer,
        "dateTime" => Kind::Date,
        "reference" => Kind::Address,
        _ => Kind::Text,
    }
}

/// The body of a user: always with `userName`, which no other seed gives, and `active`; anything else may be missing.
pub fn document(seed: u64) -> Value {
    let random = &mut Random(seed);
    let mut user = random.texts(&PROFILE);
    user.insert("userName".to_owned(), json!(format!("{}-{seed:x}", random.pick(&["ann", "Ann", "ΣΑΣ", "bob"]))));
    user.insert("active".to_owned(), random.value(Kind::Boolean));
    if random.once_in(2) {
        user.insert("externalId".to_owned(), json!(random.pick(&["x1", "X1", "x2"])));
    }
    if random.once_in(2) {
        user.insert("profileUrl".to_owned(), random.value(Kind::Address));
    }
    user.insert("name".to_owned(), Value::Object(random.texts(&NAMES)));
    for (name, kind) in PLURALS {
        let items: Vec<Value> = (0..random.below(4)).map(|_| random.element(Some(kind), &["display"])).collect();
        user.insert(name.to_owned(), Value::Array(items));
    }
    let addresses: Vec<Value> = (0..random.below(3)).map(|_| random.element(None, &PLACES)).collect();
    user.insert("addresses".to_owned(), Value::Array(addresses));
    let mut enterprise = random.texts(&EMPLOYMENT);
    if random.once_in(2) {
        enterprise.insert("manager".to_owned(), json!({"value": random.pick(&["7", "8", "aB"]), "$ref": "../Users/7"}));
    }
    let mut acme = Map::new();
    for (urn, name, of, multi_valued, _) in CUSTOM {
        if random.once_in(2) {
            let value = match multi_valued {
                false => random.value(kind(of)),
                true => (0..random.below(4)).map(|_| random.value(kind(of))).collect(),
            };
            let schema = match urn {
                CORE => &mut user,
                ENTERPRISE => &mut enterprise,
                _ => &mut acme,
            };
            schema.insert(name.to_owned(), value);
        }
    }
    user.insert(ENTERPRISE.to_owned(), Value::Object(enterprise));
    user.insert(ACME.to_owned(), Value::Object(acme));
    Value::Object(user)
}

/// A filter over the attributes of `document`. A few ask what cannot be asked, such as whether a text is less than a
/// number.
pub fn filter(seed: u64) -> String {
    let random = &mut Random(seed ^ 0x5ca1_ab1e);
    random.condition(3)
}

impl Random {
    fn condition(&mut self, depth: usize) -> String {
        match self.below(if depth == 0 { 6 } else { 10 }) {
            0..=4 => self.comparison_of_attribute(),
            5 => self.value_path(),
            6 => format!("not ({})", self.condition(depth - 1)),
            7 | 8 => format!("({} and {})", self.condition(depth - 1), self.condition(depth - 1)),
            _ => format!("({} or {})", self.condition(depth - 1), self.condition(depth - 1)),
        }
    }

    fn comparison_of_attribute(&mut self) -> String {
        let (name, kind) = self.attribute();
        self.comparison(&name, kind)
    }

    /// Any attribute or part of one, and its kind.
    fn attribute(&mut self) -> (String, Kind) {
        let core = |name: String| format!("{CORE}:{name}");
        let (name, kind) = match self.below(10) {
            0 => (self.pick(&["userName", "externalId"]).to_owned(), Kind::Text),
            1 => ("active".to_owned(), Kind::Boolean),
            2 => (self.pick(&PROFILE).to_owned(), Kind::Text),
            3 => (format!("name.{}", self.pick(&NAMES)), Kind::Text),
            4 => return self.employment(),
            5 => (format!("addresses.{}", self.pick(&PLACES)), Kind::Text),
            6 => (self.pick(&["name", "addresses", "emails", "profileUrl"]).to_owned(), Kind::Address),
            7 => {
                let (urn, name, of, ..) = self.pick(&CUSTOM);
                let name = if urn == CORE { name.to_owned() } else { format!("{urn}:{name}") };
                return (self.respelled(name), kind(of));
            }
            _ => {
                let (name, value) = self.pick(&PLURALS);
                let (part, kind) = self.part(value);
                (format!("{name}{part}"), kind)
            }
        };
        let name = if self.once_in(8) { core(name) } else { name };
        (self.respelled(name), kind)
    }

    fn employment(&mut self) -> (String, Kind) {
        let name = match self.below(3) {
            0 => self.pick(&["manager", "manager.value", "manager.$ref"]),
            _ => self.pick(&EMPLOYMENT),
        };
        (self.respelled(format!("{ENTERPRISE}:{name}")), Kind::Text)
    }

    /// A part of a multi-valued attribute, with its dot; none stands for the value.
    fn part(&mut self, value: Kind) -> (&'static str, Kind) {
        match self.below(6) {
            0 => (".type", Kind::Text),
            1 => (".primary", Kind::Boolean),
            2 => (".display", Kind::Text),
            3 => ("", value),
            _ => (".value", value),
        }
    }

    /// `emails[type eq "work" and value co "x"]`, and what Entra puts behind the bracket.
    fn value_path(&mut self) -> String {
        if self.once_in(4) {
            let lists: Vec<_> = CUSTOM.iter().copied().filter(|(.., multi_valued, _)| *multi_valued).collect();
            let (urn, name, of, ..) = self.pick(&lists);
            let test = self.comparison("value", kind(of));
            return if self.once_in(3) {
                format!("{urn}:{name}[not ({test})]")
            } else {
                format!("{urn}:{name}[{test}]")
            };
        }
        let (name, value) = self.pick(&PLURALS);
        let test = |random: &mut Self| {
            let (part, kind) = random.part(value);
            let part = if part.is_empty() { ".value" } else { part };
            random.comparison(&part[1..], kind)
        };
        let (first, second) = (test(self), test(self));
        match self.below(5) {
            0 => format!("{name}[{first}]"),
            1 => format!("{name}[not ({first})]"),
            2 => format!("{name}[{first} or {second}]"),
            3 => format!("{name}[{first}].{second}"),
            _ => format!("{name}[{first} and {second}]"),
        }
    }

    fn comparison(&mut self, name: &str, kind: Kind) -> String {
        let operators: &[&str] = match kind {
            Kind::Boolean => &["eq", "ne"],
            Kind::Binary => &["eq", "ne", "co", "sw", "ew"],
            Kind::Integer | Kind::Decimal | Kind::Date => &["eq", "ne", "gt", "ge", "lt", "le"],
            Kind::Text | Kind::Short | Kind::Address => &["eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le"],
        };
        let operator = match self.below(40) {
            0 => self.pick(&["co", "gt", "EQ"]),
            1..=5 => return format!("{name} pr"),
            _ => self.pick(operators),
        };
        let value = match self.below(40) {
            0 => Value::Null,
            1 => self.value(Kind::Integer),
            _ => self.value(kind),
        };
        let piece = matches!(operator, "co" | "sw" | "ew") && self.once_in(2);
        let value = match value {
            Value::String(text) if piece => json!(self.piece(&text)),
            other => other,
        };
        format!("{name} {operator} {value}")
    }

    /// Some neighboring characters from the beginning or the end of a text.
    fn piece(&mut self, text: &str) -> String {
        let start = match self.below(4) {
            0 | 1 => 0,
            2 => 1,
            _ => text.chars().count().saturating_sub(3),
        };
        let length = self.below(4);
        text.chars().skip(start).take(length).collect()
    }

    fn respelled(&mut self, name: String) -> String {
        match self.below(8) {
            0 => name.to_ascii_uppercase(),
            1 => name.to_ascii_lowercase(),
            _ => name,
        }
    }
}

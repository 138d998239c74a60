//! Takes settings one by one and remembers every mistake, so that an operator mends all of them in one go.

use super::{DEFAULTS, Hidden, origin};
use crate::mail;
use config::{Environment, File, FileFormat, Source, Value, ValueKind};
use ipnet::IpNet;
use std::{
    collections::BTreeMap, fmt::Display, net::SocketAddr, ops::RangeInclusive, path::Path, str::FromStr, time::Duration,
};
use tracing_subscriber::EnvFilter;

/// Settings that must not be printed, and may stand in a file of their own as `<key>_file`.
const SECRETS: [&str; 5] = ["database.url", "database.control_url", "database.owner_url", "keys.root", "mail.smtp_url"];

pub(super) struct Reader {
    values: BTreeMap<String, String>,
    known: Vec<String>,
    problems: Vec<String>,
    printed: Vec<(String, String)>,
    needed: Vec<String>,
}

impl Reader {
    pub(super) fn load(file: Option<&Path>, needed: &[&str]) -> Result<Self, Vec<String>> {
        let mut sources = config::Config::builder().add_source(File::from_str(DEFAULTS, FileFormat::Toml));
        if let Some(file) = file {
            sources = sources.add_source(File::from(file).format(FileFormat::Toml));
        }
        let environment = Environment::with_prefix("GATEHOUSE").prefix_separator("__").separator("__");
        let config = sources.add_source(environment).build().map_err(|error| vec![error.to_string()])?;
        let mut values = BTreeMap::new();
        let table = config.collect().map_err(|error| vec![error.to_string()])?;
        for (key, value) in table {
            flatten(key, value, &mut values);
        }
        let known = SECRETS.iter().flat_map(|key| [(*key).to_owned(), format!("{key}_file")]).collect();
        let needed = needed.iter().map(|key| (*key).to_owned()).collect();
        Ok(Self { values, known, problems: Vec::new(), printed: Vec::new(), needed })
    }

    pub(super) fn text(&mut self, key: &str) -> String {
        self.known.push(key.to_owned());
        let value = self.values.remove(key).unwrap_or_default();
        self.printed.push((key.to_owned(), value.clone()));
        value
    }

    /// A setting of a type that parses; its default in the reference does, so a stand-in is never used.
    pub(super) fn parsed<T: FromStr + Fallback>(&mut self, key: &str, like: &str) -> T {
        let text = self.text(key);
        text.parse().unwrap_or_else(|_| {
            self.problems.push(format!("{key} = \"{text}\" is not {like}"));
            T::fallback()
        })
    }

    pub(super) fn number<T: FromStr + PartialOrd + Display + Copy>(
        &mut self,
        key: &str,
        range: RangeInclusive<T>,
    ) -> T {
        let text = self.text(key);
        match text.parse() {
            Ok(number) if range.contains(&number) => number,
            _ => {
                let (low, high) = (range.start(), range.end());
                self.problems.push(format!("{key} = \"{text}\" is not a whole number from {low} to {high}"));
                *range.start()
            }
        }
    }

    pub(super) fn seconds(&mut self, key: &str) -> Duration {
        Duration::from_secs(self.number(key, 1..=3_600))
    }

    pub(super) fn one_of(&mut self, key: &str, choices: &[&str]) -> String {
        let text = self.text(key);
        if !choices.contains(&text.as_str()) {
            self.problems.push(format!("{key} = \"{text}\" is not one of: {}", choices.join(", ")));
        }
        text
    }

    pub(super) fn origin(&mut self, key: &str) -> String {
        let text = self.text(key);
        origin(&text).unwrap_or_else(|what| {
            // Somebody may have put a password into it.
            let shown = if text.contains('@') { "[hidden]" } else { &text };
            self.problems.push(format!("{key} = \"{shown}\" {what}"));
            String::new()
        })
    }

    /// A secret, from its own key or from the file that `<key>_file` names. Empty means not set.
    pub(super) fn secret(&mut self, key: &str) -> Option<String> {
        let file_key = format!("{key}_file");
        let take =
            |values: &mut BTreeMap<String, String>, key: &str| values.remove(key).filter(|text| !text.is_empty());
        let (value, file) = (take(&mut self.values, key), take(&mut self.values, &file_key));
        let shown = match (&value, &file) {
            (None, None) => {
                if self.needed.iter().any(|needed| needed == key) {
                    self.problems.push(format!("{key} is not set; set it or {file_key}"));
                }
                "(not set)".to_owned()
            }
            (_, Some(file)) => format!("[secret, from {file}]"),
            _ => "[secret]".to_owned(),
        };
        self.printed.push((key.to_owned(), shown));
        match (value, file) {
            (Some(_), Some(_)) => {
                self.problems.push(format!("{key} and {file_key} are both set; keep one"));
                None
            }
            (value, None) => value,
            (None, Some(file)) => self.read(&file_key, &file),
        }
    }

    /// The text of a file that a setting names. Empty means none.
    pub(super) fn file(&mut self, key: &str) -> Option<String> {
        let file = self.text(key);
        if file.is_empty() { None } else { self.read(key, &file) }
    }

    fn read(&mut self, key: &str, file: &str) -> Option<String> {
        match std::fs::read_to_string(file) {
            Ok(text) => Some(text.trim().to_owned()),
            Err(error) => {
                self.problems.push(format!("{key} = \"{file}\" cannot be read: {error}"));
                None
            }
        }
    }

    pub(super) fn database_url(&mut self, key: &str) -> Option<String> {
        let url = self.secret(key)?;
        let scheme = url::Url::parse(&url).map(|url| url.scheme().to_owned());
        if !matches!(scheme.as_deref(), Ok("postgres" | "postgresql")) {
            self.problems.push(format!("{key} is not like postgres://user:password@host:5432/gatehouse"));
        }
        Some(url)
    }

    pub(super) fn filter(&mut self, key: &str) -> String {
        let text = self.text(key);
        if let Err(error) = EnvFilter::try_new(&text) {
            self.problems
                .push(format!("{key} = \"{text}\" is not a filter such as info or info,gateway=debug: {error}"));
        }
        text
    }

    /// An address with its port, or nothing.
    pub(super) fn address(&mut self, key: &str) -> Option<SocketAddr> {
        let text = self.text(key);
        let address = text.parse().ok();
        if address.is_none() && !text.is_empty() {
            self.problems.push(format!("{key} = \"{text}\" is not an address with a port, such as 10.0.0.2:53"));
        }
        address
    }

    /// Networks such as 10.0.0.0/8, with commas between them.
    pub(super) fn networks(&mut self, key: &str) -> Vec<IpNet> {
        let text = self.text(key);
        let (mut networks, words) = (Vec::new(), text.split(',').map(str::trim).filter(|word| !word.is_empty()));
        for word in words {
            match word.parse() {
                Ok(network) => networks.push(network),
                Err(_) => self.problems.push(format!("{key}: \"{word}\" is not a network such as 10.0.0.0/8")),
            }
        }
        networks
    }

    /// How mail goes out, if it does.
    pub(super) fn mail(&mut self) -> Option<mail::Settings> {
        let url = self.secret("mail.smtp_url");
        let [from, reply_to, return_path] =
            ["mail.from", "mail.reply_to", "mail.return_path"].map(|key| (key, self.text(key)));
        let url = url?;
        if from.1.is_empty() {
            self.problems.push("mail.from is not set; mail.smtp_url is, and mail comes from somebody".to_owned());
            return None;
        }
        let mut read = |(key, text): (&str, String)| {
            let read = if text.is_empty() { None } else { Some(mail::mailbox(&text)) };
            read.map(|read| self.checked(key, read)).unwrap_or_default()
        };
        let (from, reply_to, return_path) = (read(from), read(reply_to), read(return_path));
        self.checked("mail.smtp_url", mail::server(&url).map(drop))?;
        Some(mail::Settings { url: Hidden(url), from: from?, reply_to, return_path })
    }

    pub(super) fn checked<T>(&mut self, key: &str, result: anyhow::Result<T>) -> Option<T> {
        result.map_err(|error| self.problems.push(format!("{key}: {error}"))).ok()
    }

    /// What to print, or all mistakes, unknown keys included.
    pub(super) fn finish(mut self) -> Result<Vec<(String, String)>, Vec<String>> {
        for key in self.values.keys() {
            let near = self.known.iter().find(|known| known.rsplit('.').next() == key.rsplit('.').next());
            let hint = near.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
            self.problems.push(format!("{key} is not a setting{hint}"));
        }
        self.printed.sort();
        if self.problems.is_empty() { Ok(self.printed) } else { Err(self.problems) }
    }
}

/// What stands for a value that did not parse, until the mistakes are told.
pub(super) trait Fallback {
    fn fallback() -> Self;
}

impl Fallback for std::net::SocketAddr {
    fn fallback() -> Self {
        Self::from(([127, 0, 0, 1], 0))
    }
}

fn flatten(key: String, value: Value, into: &mut BTreeMap<String, String>) {
    match value.kind {
        ValueKind::Table(table) => {
            for (inner, value) in table {
                flatten(format!("{key}.{inner}"), value, into);
            }
        }
        _ => {
            into.insert(key, value.to_string());
        }
    }
}

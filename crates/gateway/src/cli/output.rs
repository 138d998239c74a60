//! Results as text for people, or as JSON for programs.

use serde_json::Value;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// How to print.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    Text,
    Json,
}

/// Where results go.
pub struct Output {
    kind: Kind,
    field: Option<String>,
}

impl Output {
    pub fn new(kind: Kind, field: Option<String>) -> Self {
        Self { kind, field }
    }

    /// A sentence for people; programs get none.
    pub fn line(&self, text: &str) {
        if self.is_for_people() {
            println!("{text}");
        }
    }

    /// Somebody else's text for a sentence.
    pub fn printable(&self, text: &str) -> String {
        printable(text).replace('\n', " ")
    }

    /// Whether the whole result goes to a person.
    pub fn is_for_people(&self) -> bool {
        self.kind == Kind::Text && self.field.is_none()
    }

    /// One thing, with its fields in order.
    ///
    /// # Errors
    /// When the wanted field is not one of them.
    pub fn record(&self, fields: &[(&str, Value)]) -> anyhow::Result<()> {
        if let Some(wanted) = &self.field {
            let found = fields.iter().find(|(name, _)| name == wanted);
            let names: Vec<&str> = fields.iter().map(|(name, _)| *name).collect();
            let (_, value) =
                found.ok_or_else(|| anyhow::anyhow!("there is no field {wanted}; there are: {}", names.join(", ")))?;
            println!("{}", printable(&plain(value)));
            return Ok(());
        }
        match self.kind {
            Kind::Json => println!("{:#}", object(fields)),
            Kind::Text => {
                let width = fields.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
                for (name, value) in fields {
                    // A line of a value never begins where a name would.
                    let value = printable(&plain(value)).replace('\n', &format!("\n{:width$}  ", ""));
                    println!("{name:width$}  {value}");
                }
            }
        }
        Ok(())
    }

    /// Several things of one kind.
    ///
    /// # Errors
    /// As [`Output::record`].
    pub fn list(&self, records: &[Vec<(&str, Value)>]) -> anyhow::Result<()> {
        if self.kind == Kind::Json && self.field.is_none() {
            println!("{:#}", Value::Array(records.iter().map(|fields| object(fields)).collect()));
            return Ok(());
        }
        for (index, fields) in records.iter().enumerate() {
            if index > 0 && self.field.is_none() {
                println!();
            }
            self.record(fields)?;
        }
        Ok(())
    }
}

/// A time as everybody reads it (RFC 3339).
pub fn moment(time: OffsetDateTime) -> String {
    time.format(&Rfc3339).unwrap_or_default()
}

fn object(fields: &[(&str, Value)]) -> Value {
    Value::Object(fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect())
}

/// Somebody else's text, with what a terminal would obey, or not show, spelled out.
fn printable(text: &str) -> String {
    let is_hidden =
        |c: char| matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    let spelled = |c: char| match c {
        '\n' => c.to_string(),
        c if c.is_control() || is_hidden(c) => c.escape_unicode().to_string(),
        c => c.to_string(),
    };
    text.chars().map(spelled).collect()
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "-".to_owned(),
        Value::Array(items) if items.is_empty() => "-".to_owned(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

//! Results as text for people, as JSON for programs, or as CSV for spreadsheets.

use serde_json::Value;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// How to print.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    Text,
    Json,
    /// A table, for spreadsheets: nothing in it is a formula.
    Csv,
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
            Kind::Csv => print!("{}", table(&[fields.to_vec()])?),
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
        if self.kind == Kind::Csv && self.field.is_none() {
            print!("{}", table(records)?);
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

/// A line for each thing below one with the names of fields (RFC 4180).
fn table(records: &[Vec<(&str, Value)>]) -> anyhow::Result<String> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    if let Some(first) = records.first() {
        writer.write_record(first.iter().map(|(name, _)| *name))?;
    }
    for fields in records {
        let cells = fields.iter().map(|(_, value)| match value {
            Value::Null => String::new(),
            value => cell(&printable(&plain(value))),
        });
        writer.write_record(cells)?;
    }
    let bytes = writer.into_inner().map_err(|error| anyhow::anyhow!("a table is written: {error}"))?;
    Ok(String::from_utf8(bytes)?)
}

/// A cell that no spreadsheet takes for a formula (OWASP, CSV Injection): what begins like one has an apostrophe in front.
fn cell(text: &str) -> String {
    // What a terminal would obey is spelled out already.
    let begins = ['=', '+', '-', '@', '\n', '＝', '＋', '－', '＠'];
    let is_formula = text.trim_start_matches([' ', '\'', '"']).starts_with(begins) || text.starts_with(begins);
    if is_formula { format!("'{text}") } else { text.to_owned() }
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn nothing_in_a_table_is_a_formula() {
        for text in ["=1+1", "+1", "-1", "@SUM(A1)", "\n=1", " =1", "\"=1", "＝1", "=cmd|' /C calc'!A0"] {
            let table = table(&[vec![("who", json!(text))]]).unwrap();
            let mut reader = csv::Reader::from_reader(table.as_bytes());
            let row = reader.records().next().unwrap().unwrap();
            assert!(row[0].starts_with('\''), "{text:?} became {:?}", &row[0]);
        }
        let table =
            table(&[vec![("who", json!("Ann, \"the\" one")), ("count", json!(3)), ("ended", Value::Null)]]).unwrap();
        assert_eq!(table, "who,count,ended\r\n\"Ann, \"\"the\"\" one\",3,\r\n");
    }
}

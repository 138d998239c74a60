//! Keys: texts whose byte order is the order of the values, equal when the values are.

use serde_json::Value;
use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, UtcOffset};

use super::{fold, number};
use crate::schema::Kind;

pub(super) fn key(kind: Kind, case_exact: bool, value: &Value) -> Option<String> {
    match (kind, value) {
        (Kind::String, Value::String(text)) if !case_exact => Some(fold(text)),
        (Kind::String | Kind::Reference | Kind::Binary, Value::String(text)) => Some(text.clone()),
        (Kind::DateTime, Value::String(text)) => Some(moment(text).unwrap_or_else(|| fold(text))),
        (Kind::Boolean, Value::Bool(boolean)) => Some(boolean.to_string()),
        // Entra's default dialect writes booleans as "True" and "False".
        (Kind::Boolean, Value::String(text)) => {
            let folded = text.to_ascii_lowercase();
            matches!(folded.as_str(), "true" | "false").then_some(folded)
        }
        (Kind::Integer | Kind::Decimal, Value::Number(number)) => number::key(number),
        _ => None,
    }
}

/// A date and time in UTC with nine fractional digits (RFC 7643 2.3.5). XML Schema allows leaving the offset out;
/// that is read as UTC. Years that four digits cannot hold are none.
pub(super) fn moment(text: &str) -> Option<String> {
    let parse = |text: &str| OffsetDateTime::parse(text, &Rfc3339).ok();
    let time = parse(text).or_else(|| parse(&format!("{text}Z")))?.checked_to_offset(UtcOffset::UTC)?;
    (0..=9999).contains(&time.year()).then(|| {
        format!(
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:09}Z",
            time.year(),
            u8::from(time.month()),
            time.day(),
            time.hour(),
            time.minute(),
            time.second(),
            time.nanosecond()
        )
    })
}

//! One request and its answer, kept to be shown.

use std::fmt;
use std::time::Duration;

use serde_json::Value;

/// What was sent and what came back.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// The HTTP method.
    pub method: String,
    /// Path and query as sent, percent-encoding included.
    pub path: String,
    /// The body as sent.
    pub request: Option<Value>,
    /// The status of the answer; 0 if there was none.
    pub status: u16,
    /// The body of the answer as received, or why there was none.
    pub response: String,
    /// How long the answer took.
    pub took: Duration,
}

impl Exchange {
    /// The sent body for people; empty if none was sent.
    pub fn request_text(&self) -> String {
        self.request.as_ref().map(pretty).unwrap_or_default()
    }

    /// The answer's body for people: indented if it is JSON.
    pub fn response_text(&self) -> String {
        match serde_json::from_str::<Value>(&self.response) {
            Ok(value) => pretty(&value),
            Err(_) => self.response.clone(),
        }
    }
}

fn pretty(value: &Value) -> String {
    // `{:#}` of a JSON value is its indented form.
    format!("{value:#}")
}

impl fmt::Display for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "> {} {}", self.method, self.path)?;
        if let Some(request) = &self.request {
            writeln!(f, "{}", pretty(request))?;
        }
        let status = if self.status == 0 { "no answer".to_owned() } else { self.status.to_string() };
        writeln!(f, "< {status} ({} ms)", self.took.as_millis())?;
        let response = self.response_text();
        if response.is_empty() { Ok(()) } else { writeln!(f, "{response}") }
    }
}

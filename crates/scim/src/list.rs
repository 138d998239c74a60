//! Lists (RFC 7644 3.4.2): what a query asks for, and the page that answers it.

mod cursor;
mod projection;

use serde_json::{Map, Value, json};

use crate::error::{ScimError, ScimType, invalid_value, quote};
use crate::filter::{self, Filter};
use crate::json::{self, describe};
use crate::path::AttributePath;
use crate::schema;

/// The page size when the client does not say.
pub const DEFAULT_COUNT: usize = 100;
/// The largest page.
pub const MAX_COUNT: usize = 500;

/// The query of a list (RFC 7644 3.4.2).
#[derive(Debug, Clone, PartialEq)]
pub struct ListQuery {
    pub filter: Option<Filter>,
    pub sort: Option<SortBy>,
    pub start: Start,
    /// The most results of this page; 0 asks for the total only.
    pub count: usize,
    pub projection: Projection,
}

/// The order that a client asks for (RFC 7644 3.4.2.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SortBy {
    pub by: AttributePath,
    pub descending: bool,
}

/// Where a page starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// The position of the first result, from 1 (RFC 7644 3.4.2.4).
    Index(i64),
    /// Behind the last page's end, or, with `None`, at the first result (RFC 9865 2).
    Cursor(Option<Cursor>),
}

/// Where the next page starts: behind this resource (RFC 9865 2). Opaque and URL-safe on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// Ties it to a filter and an order.
    pub query: u64,
    /// The sort key of the last resource shown; `None` when it had none.
    pub sort_key: Option<String>,
    /// The id of the last resource shown.
    pub id: String,
}

/// Which attributes a response shows (RFC 7644 3.9).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Projection {
    attributes: Vec<AttributePath>,
    excluded: Vec<AttributePath>,
}

/// What a client gave, before it is understood; `None` also for a blank text.
#[derive(Default)]
struct Parameters {
    filter: Option<String>,
    sort_by: Option<String>,
    sort_order: Option<String>,
    start_index: Option<String>,
    count: Option<String>,
    /// A blank one asks for the first page (RFC 9865 2).
    cursor: Option<String>,
}

impl ListQuery {
    /// Reads a query string (RFC 7644 3.4.2). Names in any case; parameters that mean nothing here are ignored.
    pub fn parse(raw_query: &str) -> Result<Self, ScimError> {
        let mut parameters = Parameters::default();
        for (name, value) in form_urlencoded::parse(raw_query.as_bytes()) {
            parameters.set(&name, value.trim());
        }
        parameters.understand(Projection::parse(raw_query))
    }

    /// Reads the body of `POST /.search` (RFC 7644 3.4.3): the same parameters as members of an object.
    pub fn from_search_request(body: &[u8]) -> Result<Self, ScimError> {
        let body = json::object(body)?;
        let mut parameters = Parameters::default();
        for (name, value) in &body {
            match value {
                Value::String(text) => parameters.set(name, text.trim()),
                Value::Number(number) => parameters.set(name, &number.to_string()),
                Value::Null => {}
                other if Parameters::default().slot(name).is_some() => {
                    let given = describe(other);
                    return Err(invalid_value(format!(
                        "{name} must be a text or a number, but the request has {given}. Send it as in a query string."
                    )));
                }
                _ => {}
            }
        }
        let attributes = names_of(&body, "attributes")?;
        let excluded = names_of(&body, "excludedAttributes")?;
        parameters.understand(Projection::from_names(attributes, excluded))
    }

    /// What a cursor is tied to: the endpoint, the filter and the order, and not the size of the page. The same in
    /// every build, so that a cursor outlives an upgrade (FNV-1a).
    pub fn fingerprint(&self, endpoint: &str) -> u64 {
        let filter = self.filter.as_ref().map(Filter::to_string).unwrap_or_default();
        let by = self.sort.as_ref().map(|sort| sort.by.key()).unwrap_or_default();
        let descending = if self.sort.as_ref().is_some_and(|sort| sort.descending) { "descending" } else { "" };
        // No part contains a NUL, so no two queries run together.
        let text = [endpoint, &filter, &by, descending].join("\0");
        text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
    }
}

impl Parameters {
    fn set(&mut self, name: &str, value: &str) {
        let may_be_blank = name.eq_ignore_ascii_case("cursor");
        if let Some(slot) = self.slot(name)
            && (may_be_blank || !value.is_empty())
        {
            *slot = Some(value.to_owned());
        }
    }

    fn slot(&mut self, name: &str) -> Option<&mut Option<String>> {
        match name.to_ascii_lowercase().as_str() {
            "filter" => Some(&mut self.filter),
            "sortby" => Some(&mut self.sort_by),
            "sortorder" => Some(&mut self.sort_order),
            "startindex" => Some(&mut self.start_index),
            "count" => Some(&mut self.count),
            "cursor" => Some(&mut self.cursor),
            _ => None,
        }
    }

    fn understand(self, projection: Projection) -> Result<ListQuery, ScimError> {
        let descending = descending(self.sort_order.as_deref())?;
        let by = self.sort_by.as_deref().map(AttributePath::parse).transpose()?;
        let count = count(self.count.as_deref(), self.cursor.is_some())?;
        let start = match (self.cursor, self.start_index) {
            // RFC 9865 2: with a cursor, positions mean nothing.
            (Some(cursor), _) if cursor.is_empty() => Start::Cursor(None),
            (Some(cursor), _) => Start::Cursor(Some(Cursor::decode(&cursor)?)),
            (None, Some(index)) => Start::Index(whole_number("startIndex", &index)?.max(1)),
            (None, None) => Start::Index(1),
        };
        Ok(ListQuery {
            filter: self.filter.as_deref().map(filter::parse).transpose()?,
            sort: by.map(|by| SortBy { by, descending }),
            start,
            count,
            projection,
        })
    }
}

/// One page of a list (RFC 7644 3.4.2, figure 3).
pub fn list_response(total: i64, start_index: i64, resources: Vec<Value>) -> Value {
    json!({
        "schemas": [schema::LIST_RESPONSE],
        "totalResults": total,
        "startIndex": start_index,
        "itemsPerPage": resources.len(),
        "Resources": Value::Array(resources),
    })
}

/// The beginning of a page as text, up to the bracket behind which its resources come one by one with commas between
/// them; `closing` comes last and counts them.
pub fn opening(total: Option<i64>, start_index: Option<i64>) -> String {
    let number = |name: &str, value: Option<i64>| value.map(|value| format!("\"{name}\":{value},")).unwrap_or_default();
    let (total, start_index) = (number("totalResults", total), number("startIndex", start_index));
    format!("{{\"schemas\":[\"{}\"],{total}{start_index}\"Resources\":[", schema::LIST_RESPONSE)
}

/// What comes after the last resource of a page; without a cursor it was the last page (RFC 9865 2).
pub fn closing(items: usize, next_cursor: Option<&str>) -> String {
    let next = next_cursor.map(|cursor| format!(",\"nextCursor\":{}", json!(cursor))).unwrap_or_default();
    format!("],\"itemsPerPage\":{items}{next}}}")
}

/// The names under a member that is a list of texts, or one text.
fn names_of<'b>(body: &'b Map<String, Value>, member: &str) -> Result<Vec<&'b str>, ScimError> {
    let names = match json::get(body, member) {
        None | Some(Value::Null) => &[][..],
        Some(Value::Array(names)) => names,
        Some(single) => std::slice::from_ref(single),
    };
    let name = |name: &'b Value| {
        name.as_str().ok_or_else(|| {
            let given = describe(name);
            invalid_value(format!("{member} must be a list of names, but the request has {given} in it. Send texts."))
        })
    };
    names.iter().map(name).collect()
}

fn descending(order: Option<&str>) -> Result<bool, ScimError> {
    match order {
        None => Ok(false),
        Some(order) if order.eq_ignore_ascii_case("ascending") => Ok(false),
        Some(order) if order.eq_ignore_ascii_case("descending") => Ok(true),
        Some(other) => {
            Err(invalid_value(format!("sortOrder must be ascending or descending, but it is {}.", quote(other))))
        }
    }
}

/// RFC 7644 3.4.2.4 reads a negative count as 0; with a cursor, RFC 9865 2.1 wants one or more. More than a page holds
/// is always as much as it holds.
fn count(given: Option<&str>, with_cursor: bool) -> Result<usize, ScimError> {
    let Some(text) = given else { return Ok(DEFAULT_COUNT) };
    let invalid = || {
        let detail = format!(
            "count must be a whole number from 1 to {MAX_COUNT} with a cursor, but it is {}. Send it as in count=100.",
            quote(text)
        );
        ScimError::bad_request(ScimType::InvalidCount, detail)
    };
    match whole_number("count", text) {
        Err(_) if with_cursor => Err(invalid()),
        Ok(count) if with_cursor && count < 1 => Err(invalid()),
        number => number.map(|count| usize::try_from(count).unwrap_or(0).min(MAX_COUNT)),
    }
}

/// A number of any length; one too large to hold means "as many as possible".
fn whole_number(name: &str, text: &str) -> Result<i64, ScimError> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        let given = quote(text);
        return Err(invalid_value(format!(
            "{name} must be a whole number, but it is {given}. Send it as in {name}=1."
        )));
    }
    Ok(text.parse().unwrap_or(if text.starts_with('-') { i64::MIN } else { i64::MAX }))
}

#[cfg(test)]
mod tests;

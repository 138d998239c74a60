//! Lists (RFC 7644 3.4.2): what a query asks for, the page that answers it, and which attributes it shows.

use serde_json::{Map, Value, json};

use crate::error::{ScimError, invalid_value, quote};
use crate::filter::{self, Filter};
use crate::path::AttributePath;
use crate::schema::{self, ResourceType, Returned};

/// The page size when the client does not say.
const DEFAULT_COUNT: usize = 100;
/// The largest page.
pub(crate) const MAX_COUNT: usize = 500;

/// The query of a list (RFC 7644 3.4.2).
#[derive(Debug, Clone, PartialEq)]
pub struct ListQuery {
    pub filter: Option<Filter>,
    /// The position of the first result, from 1.
    pub start_index: i64,
    /// The most results of this page; 0 asks for the total only.
    pub count: usize,
    pub projection: Projection,
}

/// Which attributes a response shows (RFC 7644 3.9).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Projection {
    attributes: Vec<AttributePath>,
    excluded: Vec<AttributePath>,
}

impl ListQuery {
    /// Reads a query string (RFC 7644 3.4.2). Names in any case; parameters that mean nothing here are ignored.
    pub fn parse(raw_query: &str) -> Result<Self, ScimError> {
        let mut query =
            Self { filter: None, start_index: 1, count: DEFAULT_COUNT, projection: Projection::parse(raw_query) };
        for (name, value) in form_urlencoded::parse(raw_query.as_bytes()) {
            let value = value.trim();
            if value.is_empty() {
                continue;
            }
            if name.eq_ignore_ascii_case("filter") {
                query.filter = Some(filter::parse(value)?);
            } else if name.eq_ignore_ascii_case("startIndex") {
                query.start_index = whole_number("startIndex", value)?.max(1);
            } else if name.eq_ignore_ascii_case("count") {
                let count = usize::try_from(whole_number("count", value)?).unwrap_or(0);
                query.count = count.min(MAX_COUNT);
            }
        }
        Ok(query)
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

impl Projection {
    /// Reads `attributes` and `excludedAttributes` of a query string (RFC 7644 3.9); what is no name is ignored.
    pub fn parse(raw_query: &str) -> Self {
        let mut projection = Self::default();
        for (name, value) in form_urlencoded::parse(raw_query.as_bytes()) {
            let names = || value.split(',').filter_map(|name| AttributePath::read(name.trim()));
            if name.eq_ignore_ascii_case("attributes") {
                projection.attributes.extend(names());
            } else if name.eq_ignore_ascii_case("excludedAttributes") {
                projection.excluded.extend(names());
            }
        }
        projection
    }

    /// Whether the response will not show this core attribute, so that it need not be read.
    pub fn excludes(&self, attribute: &str) -> bool {
        let whole = |path: &AttributePath| path.is_core(attribute) && path.sub.is_none();
        let wanted = |path: &AttributePath| path.is_core(attribute) || is_core_schema(path);
        self.excluded.iter().any(whole) || (!self.attributes.is_empty() && !self.attributes.iter().any(wanted))
    }

    /// The resource with the attributes that are asked for; those that are always returned stay (RFC 7644 3.9).
    pub fn apply(&self, resource: Value, kind: &ResourceType) -> Value {
        let Value::Object(members) = resource else { return resource };
        let mut shown = members;
        if !self.attributes.is_empty() {
            shown = shown.into_iter().filter_map(|(name, value)| self.keep(kind, name, value)).collect();
        }
        for path in &self.excluded {
            exclude(&mut shown, kind, path);
        }
        Value::Object(shown)
    }

    /// What `attributes` leaves of one member of a resource.
    fn keep(&self, kind: &ResourceType, name: String, value: Value) -> Option<(String, Value)> {
        if is_always_returned(kind, &name) {
            return Some((name, value));
        }
        if !name.contains(':') {
            let paths = || self.attributes.iter().filter(|path| path.is_core(&name));
            let whole = self.attributes.iter().any(is_core_schema) || paths().any(|path| path.sub.is_none());
            let value = if whole { Some(value) } else { subs(value, paths()) };
            return value.map(|value| (name, value));
        }
        if self.attributes.iter().any(|path| path.is_schema(&name)) {
            return Some((name, value));
        }
        let Value::Object(members) = value else { return None };
        let own = |path: &&AttributePath| path.schema.as_deref().is_some_and(|urn| urn.eq_ignore_ascii_case(&name));
        let mut kept = Map::new();
        for (attribute, value) in members {
            let paths =
                || self.attributes.iter().filter(own).filter(|path| path.attribute.eq_ignore_ascii_case(&attribute));
            let value = if paths().any(|path| path.sub.is_none()) { Some(value) } else { subs(value, paths()) };
            if let Some(value) = value {
                kept.insert(attribute, value);
            }
        }
        (!kept.is_empty()).then_some((name, Value::Object(kept)))
    }
}

/// The parts of a complex value, or of each of its values, that the paths name.
fn subs<'p>(value: Value, paths: impl Iterator<Item = &'p AttributePath> + Clone) -> Option<Value> {
    match value {
        Value::Object(members) => {
            let wanted = |name: &str| {
                paths.clone().any(|path| path.sub.as_deref().is_some_and(|sub| sub.eq_ignore_ascii_case(name)))
            };
            let kept: Map<_, _> = members.into_iter().filter(|(name, _)| wanted(name)).collect();
            (!kept.is_empty()).then_some(Value::Object(kept))
        }
        Value::Array(items) => {
            let kept: Vec<_> = items.into_iter().filter_map(|item| subs(item, paths.clone())).collect();
            (!kept.is_empty()).then_some(Value::Array(kept))
        }
        _ => None,
    }
}

fn exclude(resource: &mut Map<String, Value>, kind: &ResourceType, path: &AttributePath) {
    let Some(urn) = path.schema.as_deref() else {
        if !is_always_returned(kind, &path.attribute) {
            remove(resource, path);
        }
        return;
    };
    resource.retain(|name, _| !path.is_schema(name));
    let extension = resource.iter_mut().find(|(name, _)| name.eq_ignore_ascii_case(urn));
    if let Some((_, Value::Object(members))) = extension {
        remove(members, path);
    }
}

/// Removes an attribute, or one part of it.
fn remove(members: &mut Map<String, Value>, path: &AttributePath) {
    let Some(sub) = &path.sub else {
        members.retain(|name, _| !name.eq_ignore_ascii_case(&path.attribute));
        return;
    };
    let Some((_, value)) = members.iter_mut().find(|(name, _)| name.eq_ignore_ascii_case(&path.attribute)) else {
        return;
    };
    let items = match value {
        Value::Array(items) => items.as_mut_slice(),
        single => std::slice::from_mut(single),
    };
    for item in items.iter_mut().filter_map(Value::as_object_mut) {
        item.retain(|name, _| !name.eq_ignore_ascii_case(sub));
    }
}

fn is_always_returned(kind: &ResourceType, name: &str) -> bool {
    kind.attribute(name).is_some_and(|attribute| attribute.returned == Returned::Always)
}

fn is_core_schema(path: &AttributePath) -> bool {
    path.is_schema(schema::USER) || path.is_schema(schema::GROUP)
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

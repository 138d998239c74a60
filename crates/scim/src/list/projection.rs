//! Which attributes of a resource a response shows (RFC 7644 3.9).

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::Projection;
use crate::path::AttributePath;
use crate::schema::{self, ResourceType, Returned, Target};

/// Names of attributes that one request may list.
const MOST_NAMES: usize = 1_000;

impl Projection {
    /// Reads `attributes` and `excludedAttributes` of a query string (RFC 7644 3.9); what is no name is ignored.
    pub fn parse(raw_query: &str) -> Self {
        let mut projection = Self::default();
        for (name, value) in form_urlencoded::parse(raw_query.as_bytes()) {
            if name.eq_ignore_ascii_case("attributes") {
                projection.attributes.extend(names([&*value]));
            } else if name.eq_ignore_ascii_case("excludedAttributes") {
                projection.excluded.extend(names([&*value]));
            }
        }
        projection
    }

    /// The same of names that are read already; each text may hold several with commas between them.
    pub fn from_names<'n>(
        attributes: impl IntoIterator<Item = &'n str>,
        excluded: impl IntoIterator<Item = &'n str>,
    ) -> Self {
        Self { attributes: names(attributes).collect(), excluded: names(excluded).collect() }
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
            let wanted: Vec<_> = self.attributes.iter().filter(|path| exists(kind, path)).collect();
            shown = shown.into_iter().filter_map(|(name, value)| keep(&wanted, kind, name, value)).collect();
        }
        for path in self.excluded.iter().filter(|path| exists(kind, path)) {
            exclude(&mut shown, kind, path);
        }
        Value::Object(shown)
    }
}

/// Whether a resource of this kind can have it; what it cannot have must cost nothing for each of its values.
fn exists(kind: &ResourceType, path: &AttributePath) -> bool {
    match (kind.resolve(path), &path.sub) {
        (Some(Target::Attribute(_, attribute)), Some(sub)) => attribute.sub(sub).is_some(),
        (target, _) => target.is_some(),
    }
}

/// What `attributes` leaves of one member of a resource.
fn keep(wanted: &[&AttributePath], kind: &ResourceType, name: String, value: Value) -> Option<(String, Value)> {
    if is_always_returned(kind, &name) {
        return Some((name, value));
    }
    let wanted = || wanted.iter().copied();
    if !name.contains(':') {
        let paths = || wanted().filter(|path| path.is_core(&name));
        let whole = wanted().any(is_core_schema) || paths().any(|path| path.sub.is_none());
        let value = if whole { Some(value) } else { subs(value, &paths().collect::<Vec<_>>()) };
        return value.map(|value| (name, value));
    }
    if wanted().any(|path| path.is_schema(&name)) {
        return Some((name, value));
    }
    let Value::Object(members) = value else { return None };
    let own = |path: &&AttributePath| path.schema.as_deref().is_some_and(|urn| urn.eq_ignore_ascii_case(&name));
    let mut kept = Map::new();
    for (attribute, value) in members {
        let paths = || wanted().filter(own).filter(|path| path.attribute.eq_ignore_ascii_case(&attribute));
        let whole = paths().any(|path| path.sub.is_none());
        let value = if whole { Some(value) } else { subs(value, &paths().collect::<Vec<_>>()) };
        if let Some(value) = value {
            kept.insert(attribute, value);
        }
    }
    (!kept.is_empty()).then_some((name, Value::Object(kept)))
}

/// The names in these texts, each once; no schema has more of them than are read.
fn names<'n>(texts: impl IntoIterator<Item = &'n str>) -> impl Iterator<Item = AttributePath> {
    let mut seen = HashSet::new();
    let distinct = move |name: &&str| !name.is_empty() && seen.insert(name.to_ascii_lowercase());
    let names = texts.into_iter().flat_map(|text| text.split(',')).map(str::trim).filter(distinct);
    names.take(MOST_NAMES).filter_map(AttributePath::read)
}

/// The parts of a complex value, or of each of its values, that the paths name.
fn subs(value: Value, paths: &[&AttributePath]) -> Option<Value> {
    match value {
        Value::Object(members) => {
            let wanted = |name: &str| {
                paths.iter().any(|path| path.sub.as_deref().is_some_and(|sub| sub.eq_ignore_ascii_case(name)))
            };
            let kept: Map<_, _> = members.into_iter().filter(|(name, _)| wanted(name)).collect();
            (!kept.is_empty()).then_some(Value::Object(kept))
        }
        Value::Array(items) => {
            let kept: Vec<_> = items.into_iter().filter_map(|item| subs(item, paths)).collect();
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

//! Trying a filter on a value in memory, by the rules of RFC 7644 3.4.2.2: a plain walk over the JSON, against which
//! the translation to SQL is tested. Values are compared by their keys, as everywhere.

use serde_json::Value;

use super::{Filter, Operator};
use crate::json;
use crate::path::AttributePath;
use crate::schema::{Attribute, Kind, ResourceType, Target};
use crate::search;

/// What defines the names in a filter: a resource's schemas, or an attribute one of whose values is looked at.
#[derive(Clone, Copy)]
pub(super) enum Scope<'d> {
    Resource(&'d ResourceType),
    Value(&'d Attribute),
}

/// A value and its definition.
type Defined<'v, 'd> = (&'v Value, &'d Attribute);

pub(super) fn matches(filter: &Filter, element: &Value, scope: Scope<'_>) -> bool {
    match filter {
        Filter::And(branches) => branches.iter().all(|branch| matches(branch, element, scope)),
        Filter::Or(branches) => branches.iter().any(|branch| matches(branch, element, scope)),
        Filter::Not(inner) => !matches(inner, element, scope),
        Filter::Present(path) => any_value(path, element, scope, is_present),
        Filter::Compare { path, operator, value } => compare(path, *operator, value, element, scope),
        Filter::Values { path, filter } => match member(path, element, scope) {
            Some((value, attribute)) => each(value).iter().any(|item| matches(filter, item, Scope::Value(attribute))),
            None => false,
        },
    }
}

fn compare(path: &AttributePath, operator: Operator, expected: &Value, element: &Value, scope: Scope<'_>) -> bool {
    let any = |test: &dyn Fn(Defined<'_, '_>) -> bool| any_value(path, element, scope, test);
    match (expected, operator) {
        (Value::Null, Operator::Equal) => !any(&is_present),
        (Value::Null, Operator::NotEqual) => any(&is_present),
        (Value::Null, _) => false,
        // An empty text is no value: equal to it is what has none.
        (Value::String(text), Operator::Equal) if text.is_empty() => !any(&has_key),
        (Value::String(text), Operator::NotEqual) if text.is_empty() => any(&has_key),
        // Of an attribute with several values, none may be equal; of an absent one, none is.
        (_, Operator::NotEqual) => !any(&|value| satisfies(value, Operator::Equal, expected)),
        _ => any(&|value| satisfies(value, operator, expected)),
    }
}

/// Whether one of the values that a path leads to passes the test.
fn any_value(path: &AttributePath, element: &Value, scope: Scope<'_>, test: impl Fn(Defined<'_, '_>) -> bool) -> bool {
    let Some((value, attribute)) = member(path, element, scope) else { return false };
    each(value).iter().any(|item| match &path.sub {
        Some(sub) => part(item, attribute, sub).is_some_and(&test),
        None => test((item, attribute)),
    })
}

pub(super) fn values(path: &AttributePath, resource: &Value, kind: &ResourceType) -> Vec<Value> {
    let Some((value, attribute)) = member(path, resource, Scope::Resource(kind)) else { return Vec::new() };
    let parts = each(value).iter().filter_map(|item| match &path.sub {
        Some(sub) => part(item, attribute, sub),
        None => Some((item, attribute)),
    });
    parts.filter_map(own_value).filter(|value| key(*value).is_some()).map(|(value, _)| value.clone()).collect()
}

/// The member that a path names.
fn member<'v, 'd>(path: &AttributePath, element: &'v Value, scope: Scope<'d>) -> Option<Defined<'v, 'd>> {
    match scope {
        Scope::Resource(kind) => {
            let Some(Target::Attribute(schema, attribute)) = kind.resolve(path) else { return None };
            let container = schema.map_or(Some(element), |schema| get(element, &schema.id))?;
            Some((get(container, &attribute.name)?, attribute))
        }
        Scope::Value(attribute) if path.schema.is_none() && path.sub.is_none() => {
            part(element, attribute, &path.attribute)
        }
        Scope::Value(_) => None,
    }
}

/// A part of a value; the `value` of one that is no object is itself.
fn part<'v, 'd>(value: &'v Value, attribute: &'d Attribute, name: &str) -> Option<Defined<'v, 'd>> {
    match (value, attribute.sub(name)) {
        (Value::Object(_), Some(sub)) => Some((get(value, &sub.name)?, sub)),
        (Value::Object(_), None) => None,
        (simple, Some(sub)) => (sub.name == "value").then_some((simple, sub)),
        (simple, None) => {
            let is_itself = attribute.kind != Kind::Complex && attribute.multi_valued;
            (is_itself && name.eq_ignore_ascii_case("value")).then_some((simple, attribute))
        }
    }
}

fn get<'v>(value: &'v Value, name: &str) -> Option<&'v Value> {
    json::get(value.as_object()?, name)
}

fn each(value: &Value) -> &[Value] {
    match value {
        Value::Array(items) => items,
        single => std::slice::from_ref(single),
    }
}

/// RFC 7644 3.4.2.2: present is a value that is not empty, and a complex one with such a part.
fn is_present((value, attribute): Defined<'_, '_>) -> bool {
    match attribute.kind {
        Kind::Complex => {
            attribute.sub_attributes.iter().filter_map(|sub| part(value, attribute, &sub.name)).any(has_key)
        }
        _ => has_key((value, attribute)),
    }
}

/// Whether a value can be compared with another one.
fn has_key(value: Defined<'_, '_>) -> bool {
    own_value(value).is_some_and(|value| key(value).is_some())
}

/// Entra asks `manager eq "x"`: a complex value stands for its `value`.
fn own_value<'v, 'd>((value, attribute): Defined<'v, 'd>) -> Option<Defined<'v, 'd>> {
    match attribute.kind {
        Kind::Complex => part(value, attribute, "value"),
        _ => Some((value, attribute)),
    }
}

fn key((value, attribute): Defined<'_, '_>) -> Option<String> {
    search::key(attribute.kind, attribute.case_exact, value).filter(|key| !key.is_empty())
}

fn satisfies(value: Defined<'_, '_>, operator: Operator, expected: &Value) -> bool {
    let Some((actual, attribute)) = own_value(value) else { return false };
    if let (Kind::String, Operator::Equal, Value::String(a), Value::String(b)) =
        (attribute.kind, operator, actual, expected)
        && a.is_ascii()
        && b.is_ascii()
    {
        // What keys would say, without making any: PATCH compares each value with each.
        return if attribute.case_exact { a == b } else { a.eq_ignore_ascii_case(b) };
    }
    match (key((actual, attribute)), search::key(attribute.kind, attribute.case_exact, expected)) {
        (Some(actual), Some(expected)) => {
            search::takes(attribute.kind, operator) && holds(&actual, operator, &expected)
        }
        _ => false,
    }
}

fn holds(actual: &str, operator: Operator, expected: &str) -> bool {
    match operator {
        Operator::Equal => actual == expected,
        Operator::NotEqual => actual != expected,
        Operator::Contains => actual.contains(expected),
        Operator::StartsWith => actual.starts_with(expected),
        Operator::EndsWith => actual.ends_with(expected),
        Operator::Greater => actual > expected,
        Operator::GreaterOrEqual => actual >= expected,
        Operator::Less => actual < expected,
        Operator::LessOrEqual => actual <= expected,
    }
}

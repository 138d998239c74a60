//! Trying a filter on a value in memory, by the rules of RFC 7644 3.4.2.2.

use std::cmp::Ordering;

use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{Filter, Operator};
use crate::json;
use crate::path::AttributePath;
use crate::schema::{self, Attribute, Kind};

pub(super) fn matches(filter: &Filter, element: &Value, attributes: &[Attribute]) -> bool {
    match filter {
        Filter::And(branches) => branches.iter().all(|branch| matches(branch, element, attributes)),
        Filter::Or(branches) => branches.iter().any(|branch| matches(branch, element, attributes)),
        Filter::Not(inner) => !matches(inner, element, attributes),
        Filter::Present(path) => any_value(path, element, attributes, |value, _| is_present(value)),
        Filter::Compare { path, operator, value } => compare(path, *operator, value, element, attributes),
        Filter::Values { path, filter } => {
            let (value, definition) = member(path, element, attributes);
            let subs = definition.map_or(&[][..], |attribute| &attribute.sub_attributes);
            each(value).iter().any(|item| matches(filter, item, subs))
        }
    }
}

fn compare(
    path: &AttributePath,
    operator: Operator,
    expected: &Value,
    element: &Value,
    attributes: &[Attribute],
) -> bool {
    if expected.is_null() {
        let present = any_value(path, element, attributes, |value, _| is_present(value));
        return match operator {
            Operator::Equal => !present,
            Operator::NotEqual => present,
            _ => false,
        };
    }
    let any = |operator| {
        any_value(path, element, attributes, |value, definition| satisfies(value, operator, expected, definition))
    };
    match operator {
        // Of an attribute with several values, none may be equal; of an absent one, none is.
        Operator::NotEqual => !any(Operator::Equal),
        operator => any(operator),
    }
}

/// Whether one of the values that a path leads to passes the test.
fn any_value(
    path: &AttributePath,
    element: &Value,
    attributes: &[Attribute],
    test: impl Fn(&Value, Option<&Attribute>) -> bool,
) -> bool {
    let (value, definition) = member(path, element, attributes);
    each(value).iter().any(|item| match (&path.sub, item) {
        (Some(sub), Value::Object(members)) => {
            let definition = definition.and_then(|attribute| attribute.sub(sub));
            each(json::get(members, sub)).iter().any(|value| test(value, definition))
        }
        (Some(_), _) => false,
        (None, item) => test(item, definition),
    })
}

/// The member that a path names. Of a value that is no object, `value` is the value itself.
fn member<'v, 'd>(
    path: &AttributePath,
    element: &'v Value,
    attributes: &'d [Attribute],
) -> (Option<&'v Value>, Option<&'d Attribute>) {
    let definition = if path.schema.is_none() { schema::find(attributes, &path.attribute) } else { None };
    let value = match (element, path.schema.as_deref()) {
        (Value::Object(members), None) => json::get(members, &path.attribute),
        (Value::Object(members), Some(urn)) => {
            json::get(members, urn).and_then(Value::as_object).and_then(|members| json::get(members, &path.attribute))
        }
        (simple, None) if path.attribute.eq_ignore_ascii_case("value") => Some(simple),
        _ => None,
    };
    (value, definition)
}

fn each(value: Option<&Value>) -> &[Value] {
    match value {
        None => &[],
        Some(Value::Array(items)) => items,
        Some(single) => std::slice::from_ref(single),
    }
}

/// RFC 7644 3.4.2.2: present is a value that is neither null nor empty.
fn is_present(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => items.iter().any(is_present),
        Value::Object(members) => members.values().any(is_present),
        Value::Bool(_) | Value::Number(_) => true,
    }
}

fn satisfies(actual: &Value, operator: Operator, expected: &Value, definition: Option<&Attribute>) -> bool {
    match (actual, expected) {
        // Entra asks `manager eq "x"`: a complex attribute stands for its `value`.
        (Value::Object(members), _) => json::get(members, "value").is_some_and(|value| {
            let definition = definition.and_then(|attribute| attribute.sub("value"));
            !value.is_object() && satisfies(value, operator, expected, definition)
        }),
        (Value::Bool(actual), Value::Bool(expected)) => operator == Operator::Equal && actual == expected,
        (Value::Bool(actual), Value::String(text)) => {
            operator == Operator::Equal && text.eq_ignore_ascii_case(if *actual { "true" } else { "false" })
        }
        (Value::Number(actual), Value::Number(expected)) => {
            let order = match (actual.as_i64(), expected.as_i64()) {
                (Some(actual), Some(expected)) => Some(actual.cmp(&expected)),
                _ => actual.as_f64().partial_cmp(&expected.as_f64()),
            };
            ordered(order, operator)
        }
        (Value::String(actual), Value::String(expected)) => text(actual, operator, expected, definition),
        _ => false,
    }
}

fn text(actual: &str, operator: Operator, expected: &str, definition: Option<&Attribute>) -> bool {
    if definition.is_some_and(|attribute| attribute.kind == Kind::DateTime) {
        let dates = (OffsetDateTime::parse(actual, &Rfc3339), OffsetDateTime::parse(expected, &Rfc3339));
        if let (Ok(actual), Ok(expected)) = dates {
            return ordered(Some(actual.cmp(&expected)), operator);
        }
    }
    let exact = definition.is_some_and(|attribute| attribute.case_exact);
    if operator == Operator::Equal && !exact && actual.eq_ignore_ascii_case(expected) {
        return true;
    }
    if exact || (actual.is_ascii() && expected.is_ascii() && operator == Operator::Equal) {
        return text_as_is(actual, operator, expected);
    }
    text_as_is(&actual.to_lowercase(), operator, &expected.to_lowercase())
}

fn text_as_is(actual: &str, operator: Operator, expected: &str) -> bool {
    match operator {
        Operator::Contains => actual.contains(expected),
        Operator::StartsWith => actual.starts_with(expected),
        Operator::EndsWith => actual.ends_with(expected),
        operator => ordered(Some(actual.cmp(expected)), operator),
    }
}

fn ordered(order: Option<Ordering>, operator: Operator) -> bool {
    let Some(order) = order else { return false };
    match operator {
        Operator::Equal => order.is_eq(),
        Operator::NotEqual => order.is_ne(),
        Operator::Greater => order.is_gt(),
        Operator::GreaterOrEqual => order.is_ge(),
        Operator::Less => order.is_lt(),
        Operator::LessOrEqual => order.is_le(),
        Operator::Contains | Operator::StartsWith | Operator::EndsWith => false,
    }
}

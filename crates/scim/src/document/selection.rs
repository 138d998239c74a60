//! Some values of a multi-valued attribute (RFC 7644 3.5.2): those that a filter in brackets picks, or the main one.

use serde_json::{Map, Value};

use super::{Write, add_values, clears, put_items, take_items};
use crate::error::{ScimError, ScimType};
use crate::filter::{self, Filter, Operator};
use crate::path::AttributePath;
use crate::schema::Attribute;
use crate::value::{is_primary, keep_one_primary, normalize_element, normalize_sub};

/// Writes into the values that a filter picks, or into the main one when a path has a sub-attribute but no filter.
pub(super) fn write_selected(
    container: &mut Map<String, Value>,
    attribute: &Attribute,
    filter: Option<&Filter>,
    sub: Option<&Attribute>,
    write: Write,
    value: Value,
) -> Result<(), ScimError> {
    let new = match sub {
        None => normalize_element(attribute, value)?,
        Some(sub) => normalize_sub(attribute, sub, value)?.filter(|value| !clears(sub, value)),
    };
    let Some(new) = new else {
        if write == Write::Replace {
            remove_selected(container, attribute, filter, sub);
        }
        return Ok(());
    };
    let implied = filter.map(|filter| implied_members(attribute, filter)).unwrap_or_default();
    let existing = container.get(attribute.name.as_ref()).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let selected = select(attribute, filter, existing);
    if selected.is_empty() {
        let may_create = filter.map_or(existing.is_empty(), |_| is_creatable(attribute, &implied));
        if !may_create {
            return Err(no_target(attribute));
        }
        let created = written(Value::Object(Map::new()), &implied, sub, Write::Add, new);
        return add_values(container, attribute, vec![created]);
    }
    let mut items = take_items(container, attribute);
    for &index in &selected {
        let item = std::mem::take(&mut items[index]);
        items[index] = written(item, &implied, sub, write, new.clone());
    }
    // All got the same value, so if it says "primary" the last one has it.
    keep_one_primary(&mut items, selected.last().copied().unwrap_or_default());
    put_items(container, attribute, items);
    Ok(())
}

/// One value after writing. What the filter demands of it stays, unless the new value says otherwise: a client
/// that replaces `emails[type eq "work"]` need not repeat the type.
fn written(item: Value, implied: &Map<String, Value>, sub: Option<&Attribute>, write: Write, new: Value) -> Value {
    let mut members = match (item, sub, write) {
        (Value::Object(members), Some(_), _) | (Value::Object(members), None, Write::Add) => members,
        _ => Map::new(),
    };
    for (name, value) in implied {
        members.entry(name.as_str()).or_insert_with(|| value.clone());
    }
    match (sub, new) {
        (Some(sub), value) => {
            members.insert(sub.name.clone().into_owned(), value);
        }
        (None, Value::Object(new)) => members.extend(new),
        (None, simple) => return simple,
    }
    Value::Object(members)
}

/// Removes values, or one part of them. A value without its `value` says nothing and goes whole. Without a filter all are meant (RFC
/// 7644 3.5.2.2): if it were the main one, the same request once more would remove the next.
pub(super) fn remove_selected(
    container: &mut Map<String, Value>,
    attribute: &Attribute,
    filter: Option<&Filter>,
    sub: Option<&Attribute>,
) {
    let whole = sub.is_none_or(|sub| sub.name == "value");
    let strip = |item: &mut Value| {
        if let (Value::Object(members), Some(sub)) = (item, sub) {
            members.remove(sub.name.as_ref());
        }
    };
    if !attribute.multi_valued {
        let Some(item) = container.get_mut(attribute.name.as_ref()) else { return };
        strip(item);
        if whole || item.as_object().is_some_and(Map::is_empty) {
            container.remove(attribute.name.as_ref());
        }
        return;
    }
    let mut items = take_items(container, attribute);
    let mut selected = match filter {
        Some(_) => select(attribute, filter, &items),
        None => (0..items.len()).collect(),
    };
    for index in selected.drain(..).rev() {
        strip(&mut items[index]);
        if whole || items[index].as_object().is_some_and(Map::is_empty) {
            items.remove(index);
        }
    }
    put_items(container, attribute, items);
}

/// The positions of the values that a filter picks; without one, of the main value if it is clear which that is.
fn select(attribute: &Attribute, filter: Option<&Filter>, items: &[Value]) -> Vec<usize> {
    let Some(filter) = filter else {
        let main = items.iter().position(is_primary).or((items.len() == 1).then_some(0));
        return main.into_iter().collect();
    };
    let matching = items.iter().enumerate();
    matching.filter(|(_, item)| filter::matches_value(filter, item, attribute)).map(|(i, _)| i).collect()
}

/// The members that every value picked by the filter has: those of `a eq x and b eq y`.
fn implied_members(attribute: &Attribute, filter: &Filter) -> Map<String, Value> {
    let terms = match filter {
        Filter::And(terms) => terms.as_slice(),
        single => std::slice::from_ref(single),
    };
    let mut implied = Map::new();
    for term in terms {
        let Filter::Compare { path: AttributePath { attribute: name, .. }, operator: Operator::Equal, value } = term
        else {
            return Map::new();
        };
        let Some(sub) = attribute.sub(name) else { return Map::new() };
        if let Ok(Some(value)) = normalize_sub(attribute, sub, value.clone()) {
            implied.insert(sub.name.clone().into_owned(), value);
        }
    }
    implied
}

/// Entra expects that `emails[type eq "work"].value` makes the value when there is none; the standard wants
/// `noTarget`. So a canonical type, or "the main one", may be made, and nothing else.
fn is_creatable(attribute: &Attribute, implied: &Map<String, Value>) -> bool {
    let allowed = |(name, value): (&String, &Value)| match (name.as_str(), value) {
        ("primary", Value::Bool(primary)) => *primary,
        ("type", Value::String(text)) => attribute
            .sub("type")
            .is_some_and(|sub| sub.canonical_values.iter().any(|canonical| canonical.eq_ignore_ascii_case(text))),
        _ => false,
    };
    !implied.is_empty() && implied.iter().all(allowed)
}

fn no_target(attribute: &Attribute) -> ScimError {
    ScimError::bad_request(
        ScimType::NoTarget,
        format!(
            "The user has no value of {0} that the path describes. Add the value first, or name it by a type from the \
             standard such as {0}[type eq \"work\"].",
            attribute.name
        ),
    )
}

//! Changing a resource in place, one attribute path at a time. POST and PUT merge a whole body into an empty
//! document; PATCH (RFC 7644 3.5.2) comes here once per operation. Nothing here knows which provider sent it.

mod selection;

use serde_json::{Map, Value};

use self::selection::{remove_selected, write_selected};
use crate::error::{ScimError, ScimType, invalid_value};
use crate::json::describe;
use crate::path::Path;
use crate::schema::{Attribute, Kind, ResourceType, Schema, Target};
use crate::value::{Distinct, is_equal, normalize, normalize_element, normalize_sub};

/// The most bytes that a request may make the server go through: well under a second's work.
const MAX_WORK: usize = 64 * 1024 * 1024;
/// The shortest comparison of a filter with the word that joins it, as in `a pr or `.
const MIN_TERM_BYTES: usize = 8;

/// What to do with a value (RFC 7644 3.5.2.1 and 3.5.2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Write {
    Add,
    Replace,
}

/// Writes the members of an object, each at the path that its name is: Entra sends `name.givenName` and
/// `urn:…:User:department` as names. Names that the resource does not have are skipped.
pub(crate) fn merge(
    document: &mut Map<String, Value>,
    kind: &ResourceType,
    write: Write,
    members: Map<String, Value>,
) -> Result<(), ScimError> {
    for (name, value) in members {
        if let Some(attribute) = kind.attribute(&name) {
            write_whole(document, attribute, write, value)?;
        } else if let Ok(path) = Path::parse(&name) {
            write_at(document, kind, &path, write, value)?;
        }
    }
    Ok(())
}

/// Adds or replaces what a path points at (RFC 7644 3.5.2.1, 3.5.2.3). What the resource does not have is skipped.
pub(crate) fn write_at(
    document: &mut Map<String, Value>,
    kind: &ResourceType,
    path: &Path,
    write: Write,
    value: Value,
) -> Result<(), ScimError> {
    match kind.resolve(&path.attribute) {
        None => Ok(()),
        Some(Target::Schema(schema)) => write_schema(document, kind, schema, write, value),
        Some(Target::Attribute(schema, attribute)) => in_schema(document, schema, |container| {
            let value = unwrap(attribute, path, value);
            write_attribute(container, attribute, path, write, value)
        }),
    }
}

/// Removes what a path points at (RFC 7644 3.5.2.2). Entra and JumpCloud name the values to remove in `value`.
pub(crate) fn remove_at(
    document: &mut Map<String, Value>,
    kind: &ResourceType,
    path: &Path,
    value: Option<&Value>,
) -> Result<(), ScimError> {
    match kind.resolve(&path.attribute) {
        Some(Target::Schema(Some(schema))) => {
            document.remove(schema.id.as_ref());
            Ok(())
        }
        Some(Target::Attribute(schema, attribute)) => {
            in_schema(document, schema, |container| remove_attribute(container, attribute, path, value))
        }
        Some(Target::Schema(None)) | None => Ok(()),
    }
}

/// Refuses a request that would keep the server busy: so many times it goes through values of so many bytes.
pub(crate) fn check_work(passes: usize, bytes: usize) -> Result<(), ScimError> {
    if passes.saturating_mul(bytes) <= MAX_WORK {
        return Ok(());
    }
    Err(ScimError::too_large(
        "The request compares too much with too many or too long values of one user. Send fewer changes at a time.",
    ))
}

/// How often the names in a value make one go through what is there already: those that are paths.
pub(crate) fn passes(value: &Value) -> usize {
    match value {
        Value::Array(items) => items.iter().map(passes).sum(),
        Value::Object(members) => passes_of_members(members),
        _ => 0,
    }
}

/// The same of an object's members.
pub(crate) fn passes_of_members(members: &Map<String, Value>) -> usize {
    let of_name = |name: &str| match (name.contains('['), name.contains('.')) {
        (true, _) => 1 + name.len() / MIN_TERM_BYTES,
        (false, is_path) => usize::from(is_path),
    };
    members.iter().map(|(name, value)| of_name(name) + passes(value)).sum()
}

/// About how many bytes a value has.
pub(crate) fn bytes(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len() + 8,
        Value::Array(items) => 8 + items.iter().map(bytes).sum::<usize>(),
        Value::Object(members) => bytes_of_members(members),
        _ => 8,
    }
}

/// The same of an object's members.
pub(crate) fn bytes_of_members(members: &Map<String, Value>) -> usize {
    8 + members.iter().map(|(name, value)| name.len() + bytes(value)).sum::<usize>()
}

/// Makes one value of those that operations made equal, once for all of a request.
pub(crate) fn settle(document: &mut Map<String, Value>, kind: &ResourceType) -> Result<(), ScimError> {
    merge_equal_values(document, &kind.schema)?;
    for schema in &kind.extensions {
        if let Some(Value::Object(container)) = document.get_mut(schema.id.as_ref()) {
            merge_equal_values(container, schema)?;
        }
    }
    Ok(())
}

fn merge_equal_values(container: &mut Map<String, Value>, schema: &Schema) -> Result<(), ScimError> {
    for attribute in schema.attributes.iter().filter(|attribute| attribute.multi_valued) {
        if let Some(Value::Array(items)) = container.get_mut(attribute.name.as_ref()) {
            let mut distinct = Distinct::of(attribute, Vec::with_capacity(items.len()));
            for item in std::mem::take(items) {
                distinct.add(item)?;
            }
            *items = distinct.into_items();
        }
    }
    Ok(())
}

/// Runs a change on the object that holds a schema's attributes, and leaves no empty one behind.
fn in_schema(
    document: &mut Map<String, Value>,
    schema: Option<&Schema>,
    change: impl FnOnce(&mut Map<String, Value>) -> Result<(), ScimError>,
) -> Result<(), ScimError> {
    let Some(schema) = schema else {
        return change(document);
    };
    let mut container = match document.remove(schema.id.as_ref()) {
        Some(Value::Object(members)) => members,
        _ => Map::new(),
    };
    let outcome = change(&mut container);
    if !container.is_empty() {
        document.insert(schema.id.clone().into_owned(), Value::Object(container));
    }
    outcome
}

fn write_schema(
    document: &mut Map<String, Value>,
    kind: &ResourceType,
    schema: Option<&Schema>,
    write: Write,
    value: Value,
) -> Result<(), ScimError> {
    let members = match (value, schema) {
        (Value::Object(members), None) => return merge(document, kind, write, members),
        (Value::Object(members), Some(_)) => members,
        (Value::Null, Some(schema)) if write == Write::Replace => {
            document.remove(schema.id.as_ref());
            return Ok(());
        }
        (Value::Null, _) => return Ok(()),
        (other, _) => {
            let name = schema.map_or(&kind.schema.id, |schema| &schema.id);
            return Err(invalid_value(format!("{name} must be an object, but the request has {}.", describe(&other))));
        }
    };
    let Some(schema) = schema else { return Ok(()) };
    in_schema(document, Some(schema), |container| {
        for (name, value) in members {
            if let Some(attribute) = schema.attribute(&name) {
                write_whole(container, attribute, write, value)?;
            } else if let Ok(path) = Path::parse(&name)
                && let Some(attribute) = schema.attribute(&path.attribute.attribute)
            {
                write_attribute(container, attribute, &path, write, value)?;
            }
        }
        Ok(())
    })
}

/// Clients wrap a single value as `[{"value": …}]` and leave a single element of a list unwrapped.
fn unwrap(attribute: &Attribute, path: &Path, value: Value) -> Value {
    let narrowed = path.filter.is_some() || path.attribute.sub.is_some();
    if attribute.multi_valued && !narrowed {
        return match value {
            Value::Array(_) | Value::Null => value,
            Value::String(text) if text.is_empty() => Value::Null,
            other => Value::Array(vec![other]),
        };
    }
    let mut value = value;
    if let Value::Array(items) = &mut value
        && items.len() == 1
    {
        value = items.swap_remove(0);
    }
    let simple = attribute.kind != Kind::Complex || path.attribute.sub.is_some();
    match value {
        Value::Object(mut members) if simple && members.contains_key("value") => {
            members.remove("value").unwrap_or(Value::Null)
        }
        other => other,
    }
}

fn write_attribute(
    container: &mut Map<String, Value>,
    attribute: &Attribute,
    path: &Path,
    write: Write,
    value: Value,
) -> Result<(), ScimError> {
    if attribute.is_write_only() && path.filter.is_none() && path.attribute.sub.is_none() {
        return write_whole(container, attribute, write, value);
    }
    if !attribute.is_stored() {
        return Ok(());
    }
    let sub = match &path.attribute.sub {
        None => None,
        Some(name) => match attribute.sub(name).filter(|sub| sub.is_stored()) {
            None => return Ok(()),
            known => known,
        },
    };
    match (&path.filter, sub) {
        (Some(_), _) if !attribute.multi_valued => Err(takes_no_filter(attribute)),
        (None, None) => write_whole(container, attribute, write, value),
        (None, Some(sub)) if !attribute.multi_valued => write_sub(container, attribute, sub, write, value),
        (filter, sub) => write_selected(container, attribute, filter.as_ref(), sub, write, value),
    }
}

fn remove_attribute(
    container: &mut Map<String, Value>,
    attribute: &Attribute,
    path: &Path,
    value: Option<&Value>,
) -> Result<(), ScimError> {
    if !attribute.is_stored() {
        if attribute.is_write_only() {
            container.remove(attribute.name.as_ref());
        }
        return Ok(());
    }
    let sub = path.attribute.sub.as_deref();
    match (&path.filter, sub, value) {
        (Some(_), _, _) if !attribute.multi_valued => Err(takes_no_filter(attribute)),
        (None, None, Some(value)) if attribute.multi_valued && !value.is_null() => {
            remove_values(container, attribute, value)
        }
        (None, None, _) => remove_whole(container, attribute),
        (filter, sub, _) => {
            let sub = sub.map(|name| attribute.sub(name).filter(|sub| sub.is_stored()));
            // A part that does not exist or may not be written is skipped, as a whole attribute is.
            let Some(sub) = sub.map_or(Some(None), |sub| sub.map(Some)) else { return Ok(()) };
            remove_selected(container, attribute, filter.as_ref(), sub);
            Ok(())
        }
    }
}

/// Writes a whole attribute. One that is write-only stays in the document, as it came, until the whole request has
/// been read: `Written` takes it out.
fn write_whole(
    container: &mut Map<String, Value>,
    attribute: &Attribute,
    write: Write,
    value: Value,
) -> Result<(), ScimError> {
    if attribute.is_write_only() {
        container.insert(attribute.name.clone().into_owned(), value);
        return Ok(());
    }
    if !attribute.is_stored() {
        return Ok(());
    }
    let is_structure = attribute.kind == Kind::Complex && !attribute.is_identified_by_value();
    if is_structure && !attribute.multi_valued && value.is_object() {
        return write_structure(container, attribute, write, value);
    }
    match (normalize(attribute, value)?, write) {
        // Entra says `Add` with nothing for a manager who is gone.
        (None, Write::Add) if attribute.multi_valued || !attribute.is_identified_by_value() => Ok(()),
        (None, _) => remove_whole(container, attribute),
        (Some(Value::Array(added)), Write::Add) => add_values(container, attribute, added),
        (Some(value), _) => {
            container.insert(attribute.name.clone().into_owned(), value);
            Ok(())
        }
    }
}

/// RFC 7644 3.5.2.3: of a complex attribute such as `name`, the sub-attributes that are given are replaced.
fn write_structure(
    container: &mut Map<String, Value>,
    attribute: &Attribute,
    write: Write,
    value: Value,
) -> Result<(), ScimError> {
    let Value::Object(members) = value else { return Ok(()) };
    for (name, value) in members {
        if let Some(sub) = attribute.sub(&name).filter(|sub| sub.is_stored()) {
            write_sub(container, attribute, sub, write, value)?;
        }
    }
    Ok(())
}

fn write_sub(
    container: &mut Map<String, Value>,
    attribute: &Attribute,
    sub: &Attribute,
    write: Write,
    value: Value,
) -> Result<(), ScimError> {
    match normalize_sub(attribute, sub, value)? {
        Some(value) if !clears(sub, &value) => {
            let whole = container.entry(attribute.name.as_ref()).or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(members) = whole {
                members.insert(sub.name.clone().into_owned(), value);
            }
        }
        None if write == Write::Add => {}
        _ => remove_selected(container, attribute, None, Some(sub)),
    }
    Ok(())
}

fn add_values(container: &mut Map<String, Value>, attribute: &Attribute, added: Vec<Value>) -> Result<(), ScimError> {
    let mut distinct = Distinct::of(attribute, take_items(container, attribute));
    for item in added {
        distinct.add(item)?;
    }
    put_items(container, attribute, distinct.into_items());
    Ok(())
}

fn remove_whole(container: &mut Map<String, Value>, attribute: &Attribute) -> Result<(), ScimError> {
    if attribute.required {
        return Err(ScimError::bad_request(
            ScimType::Mutability,
            format!(
                "{0} cannot be removed. Send a new value for it; in Okta, check the mapping of {0}.",
                attribute.name
            ),
        ));
    }
    container.remove(attribute.name.as_ref());
    Ok(())
}

fn remove_values(container: &mut Map<String, Value>, attribute: &Attribute, value: &Value) -> Result<(), ScimError> {
    let mut items = take_items(container, attribute);
    for unwanted in value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice) {
        if let Some(unwanted) = normalize_element(attribute, unwanted.clone())? {
            items.retain(|item| !is_described_by(attribute, item, &unwanted));
        }
    }
    put_items(container, attribute, items);
    Ok(())
}

/// Whether `item` is the value that a client describes: by `value` and `type`, or, without `value`, by all it says.
fn is_described_by(attribute: &Attribute, item: &Value, description: &Value) -> bool {
    let Value::Object(members) = description else {
        return is_equal(Some(attribute), item, description);
    };
    let by_value = members.contains_key("value");
    members
        .iter()
        .filter(|(name, _)| !by_value || matches!(name.as_str(), "value" | "type"))
        .all(|(name, wanted)| item.get(name).is_some_and(|own| is_equal(attribute.sub(name), own, wanted)))
}

/// Whether writing this sub-attribute means removing the value: a blank `value` says that there is none.
fn clears(sub: &Attribute, value: &Value) -> bool {
    sub.name == "value" && value.as_str() == Some("")
}

fn take_items(container: &mut Map<String, Value>, attribute: &Attribute) -> Vec<Value> {
    match container.remove(attribute.name.as_ref()) {
        Some(Value::Array(items)) => items,
        _ => Vec::new(),
    }
}

fn put_items(container: &mut Map<String, Value>, attribute: &Attribute, items: Vec<Value>) {
    if !items.is_empty() {
        container.insert(attribute.name.clone().into_owned(), Value::Array(items));
    }
}

fn takes_no_filter(attribute: &Attribute) -> ScimError {
    ScimError::bad_request(
        ScimType::InvalidPath,
        format!("{} has one value only, so its path takes no filter. Remove the part in brackets.", attribute.name),
    )
}

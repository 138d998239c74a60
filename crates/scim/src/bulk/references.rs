//! References between the operations of a bulk request (RFC 7644 3.7.2): `bulkId:x` stands for the id of the resource
//! that the POST with the bulkId x creates. It stands where an id may stand, and is a plain text elsewhere.

use serde_json::{Map, Value};

use super::Work;
use crate::error::{ScimError, quote};

const PREFIX: &str = "bulkId:";

impl Work {
    /// The bulkIds that it refers to, in its path and in its data.
    pub fn references(&self) -> Vec<&str> {
        let mut found: Vec<&str> = self.id.as_deref().and_then(bulk_id).into_iter().collect();
        collect(&self.data, Place::Elsewhere, &mut found);
        found
    }

    /// Puts ids in the place of `bulkId:…`. One for which there is no id, because its POST failed, is a 409
    /// (RFC 7644 3.7.1).
    pub fn resolve(&mut self, ids: &dyn Fn(&str) -> Option<String>) -> Result<(), ScimError> {
        let lookup = |bulk_id: &str| {
            ids(bulk_id).ok_or_else(|| ScimError {
                status: 409,
                scim_type: None,
                detail: format!(
                    "The operation refers to the bulkId {}, but that operation failed. Correct it and send both again.",
                    quote(bulk_id)
                ),
            })
        };
        if let Some(id) = &mut self.id
            && let Some(bulk_id) = bulk_id(id)
        {
            *id = lookup(bulk_id)?;
        }
        replace(&mut self.data, Place::Elsewhere, &lookup)
    }

    /// Leaves out of the data what refers to these bulkIds: with a `value` or `$ref` goes what it is the value of.
    pub fn leave_out(&mut self, these: &dyn Fn(&str) -> bool) {
        strip(&mut self.data, Place::Elsewhere, these);
    }

    /// What `leave_out` would leave out, as data of its own.
    pub fn left_out(&self, these: &dyn Fn(&str) -> bool) -> Option<Value> {
        part(&self.data, Place::Elsewhere, these)
    }
}

/// What a text may be where it stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// An id.
    Id,
    /// An address, which ends with an id.
    Address,
    Elsewhere,
}

impl Place {
    /// Of the member of that name; a password may be any text, and nothing below it names anybody.
    fn below(name: &str) -> Option<Self> {
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        if is("password") {
            return None;
        }
        Some(if is("$ref") {
            Self::Address
        } else if ["value", "members", "manager"].into_iter().any(is) {
            Self::Id
        } else {
            Self::Elsewhere
        })
    }

    /// The bulkId that a text here refers to, and where the reference begins.
    fn reference(self, text: &str) -> Option<(usize, &str)> {
        let start = match self {
            Self::Id => 0,
            Self::Address => text.rfind('/').map_or(0, |slash| slash + 1),
            Self::Elsewhere => return None,
        };
        bulk_id(&text[start..]).map(|id| (start, id))
    }

    /// Whether a member of that name is what the object around it is about.
    fn is_all(name: &str) -> bool {
        name.eq_ignore_ascii_case("value") || name.eq_ignore_ascii_case("$ref")
    }
}

/// What a text refers to, if it is a reference.
fn bulk_id(text: &str) -> Option<&str> {
    let head = text.get(..PREFIX.len())?;
    head.eq_ignore_ascii_case(PREFIX).then(|| &text[PREFIX.len()..])
}

fn collect<'v>(value: &'v Value, place: Place, found: &mut Vec<&'v str>) {
    match value {
        Value::String(text) => found.extend(place.reference(text).map(|(_, id)| id)),
        Value::Array(items) => items.iter().for_each(|item| collect(item, place, found)),
        Value::Object(members) => {
            for (name, value) in members {
                if let Some(place) = Place::below(name) {
                    collect(value, place, found);
                }
            }
        }
        _ => {}
    }
}

/// Removes references from a value; answers whether the value itself is, or was about, one.
fn strip(value: &mut Value, place: Place, these: &dyn Fn(&str) -> bool) -> bool {
    match value {
        Value::String(text) => place.reference(text).is_some_and(|(_, id)| these(id)),
        Value::Array(items) => {
            items.retain_mut(|item| !strip(item, place, these));
            false
        }
        Value::Object(members) => {
            let mut about_one = false;
            members.retain(|name, member| {
                let goes = Place::below(name).is_some_and(|place| strip(member, place, these));
                about_one |= goes && Place::is_all(name);
                !goes
            });
            about_one
        }
        _ => false,
    }
}

/// Of a value only what `strip` removes, with the names around it.
fn part(value: &Value, place: Place, these: &dyn Fn(&str) -> bool) -> Option<Value> {
    match value {
        Value::String(text) => place.reference(text).filter(|(_, id)| these(id)).map(|_| value.clone()),
        Value::Array(items) => {
            let parts: Vec<Value> = items.iter().filter_map(|item| part(item, place, these)).collect();
            (!parts.is_empty()).then_some(Value::Array(parts))
        }
        Value::Object(members) => {
            let of = |(name, member): (&String, &Value)| {
                let part = part(member, Place::below(name)?, these)?;
                Some((name.clone(), part))
            };
            let parts: Map<String, Value> = members.iter().filter_map(of).collect();
            if parts.keys().any(|name| Place::is_all(name)) {
                return Some(value.clone());
            }
            (!parts.is_empty()).then_some(Value::Object(parts))
        }
        _ => None,
    }
}

fn replace(
    value: &mut Value,
    place: Place,
    lookup: &dyn Fn(&str) -> Result<String, ScimError>,
) -> Result<(), ScimError> {
    match value {
        Value::String(text) => {
            if let Some((start, bulk_id)) = place.reference(text) {
                let id = lookup(bulk_id)?;
                text.replace_range(start.., &id);
            }
            Ok(())
        }
        Value::Array(items) => items.iter_mut().try_for_each(|item| replace(item, place, lookup)),
        Value::Object(members) => members.iter_mut().try_for_each(|(name, value)| match Place::below(name) {
            Some(place) => replace(value, place, lookup),
            None => Ok(()),
        }),
        _ => Ok(()),
    }
}

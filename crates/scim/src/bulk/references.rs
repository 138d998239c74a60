//! References between the operations of a bulk request (RFC 7644 3.7.2): `bulkId:x` stands for the id of the resource
//! that the POST with the bulkId x creates.

use serde_json::Value;

use super::Work;
use crate::error::{ScimError, quote};

const PREFIX: &str = "bulkId:";

impl Work {
    /// The bulkIds that it refers to, in its path and in its data.
    pub fn references(&self) -> Vec<&str> {
        let mut found: Vec<&str> = self.id.as_deref().and_then(bulk_id).into_iter().collect();
        collect(&self.data, false, &mut found);
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
        replace(&mut self.data, false, &lookup)
    }

    /// Leaves out of the data what refers to these bulkIds: with a `value` or `$ref` goes what it is the value of.
    pub fn leave_out(&mut self, these: &dyn Fn(&str) -> bool) {
        strip(&mut self.data, false, these);
    }
}

/// What a text refers to, if it is a reference.
fn bulk_id(text: &str) -> Option<&str> {
    let head = text.get(..PREFIX.len())?;
    head.eq_ignore_ascii_case(PREFIX).then(|| &text[PREFIX.len()..])
}

/// Where in a text the reference begins: an address (`$ref`) ends with it.
fn start(text: &str, is_address: bool) -> Option<usize> {
    let start = if is_address { text.rfind('/').map_or(0, |slash| slash + 1) } else { 0 };
    bulk_id(&text[start..]).map(|_| start)
}

fn collect<'v>(value: &'v Value, is_address: bool, found: &mut Vec<&'v str>) {
    match value {
        Value::String(text) => found.extend(start(text, is_address).and_then(|start| bulk_id(&text[start..]))),
        Value::Array(items) => items.iter().for_each(|item| collect(item, is_address, found)),
        Value::Object(members) => {
            for (name, value) in members.iter().filter(|(name, _)| may_refer(name)) {
                collect(value, is_address_name(name), found);
            }
        }
        _ => {}
    }
}

/// Removes references from a value; answers whether the value itself is, or was about, one.
fn strip(value: &mut Value, is_address: bool, these: &dyn Fn(&str) -> bool) -> bool {
    match value {
        Value::String(text) => start(text, is_address).and_then(|start| bulk_id(&text[start..])).is_some_and(these),
        Value::Array(items) => {
            items.retain_mut(|item| !strip(item, is_address, these));
            false
        }
        Value::Object(members) => {
            let mut about_one = false;
            members.retain(|name, member| {
                let goes = may_refer(name) && strip(member, is_address_name(name), these);
                about_one |= goes && (name.eq_ignore_ascii_case("value") || is_address_name(name));
                !goes
            });
            about_one
        }
        _ => false,
    }
}

fn replace(
    value: &mut Value,
    is_address: bool,
    lookup: &dyn Fn(&str) -> Result<String, ScimError>,
) -> Result<(), ScimError> {
    match value {
        Value::String(text) => {
            if let Some(start) = start(text, is_address)
                && let Some(bulk_id) = bulk_id(&text[start..])
            {
                let id = lookup(bulk_id)?;
                text.replace_range(start.., &id);
            }
            Ok(())
        }
        Value::Array(items) => items.iter_mut().try_for_each(|item| replace(item, is_address, lookup)),
        Value::Object(members) => members
            .iter_mut()
            .filter(|(name, _)| may_refer(name))
            .try_for_each(|(name, value)| replace(value, is_address_name(name), lookup)),
        _ => Ok(()),
    }
}

/// A password may be any text, and names nobody.
fn may_refer(name: &str) -> bool {
    !name.eq_ignore_ascii_case("password")
}

fn is_address_name(name: &str) -> bool {
    name.eq_ignore_ascii_case("$ref")
}

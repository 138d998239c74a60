//! PATCH (RFC 7644 3.5.2): a list of operations, read tolerantly and applied all or not at all.

use std::fmt;

use serde_json::{Map, Value};

use crate::document::{self, Write};
use crate::error::{ScimError, ScimType, invalid_value, quote};
use crate::filter::Filter;
use crate::json::{self, describe, invalid_syntax};
use crate::path::Path;
use crate::schema::Catalogue;
use crate::user::{UserDocument, Written};

/// The most operations of one request.
const MAX_OPERATIONS: usize = 1000;
/// The operations of one PATCH request, in order.
#[derive(Clone, PartialEq)]
pub struct Patch {
    pub(crate) operations: Vec<Operation>,
}

/// One operation (RFC 7644 3.5.2), in the only forms that make sense.
#[derive(Clone, PartialEq)]
pub(crate) enum Operation {
    /// Writes a value at a path.
    At(Write, Path, Value),
    /// Writes the members of an object, each under its own name: the form without a path.
    Members(Write, Map<String, Value>),
    /// Removes what is at a path, or of it only the values that are given.
    Remove(Path, Option<Value>),
}

impl Patch {
    /// Reads the body of a PATCH request (RFC 7644 3.5.2); operations in any case, `schemas` may be missing.
    pub fn parse(body: &[u8]) -> Result<Self, ScimError> {
        Self::from_members(json::object(body)?)
    }

    /// The same of a body that is JSON already, as the `data` of a bulk operation; there it may also be the bare list of
    /// operations, as an example of the standard had it (RFC 7644 3.7.3, erratum 5050).
    pub fn read(body: Value) -> Result<Self, ScimError> {
        match body {
            Value::Array(_) => {
                json::check_depth(&body)?;
                Self::from_operations(Some(body))
            }
            body => Self::from_members(json::members(body)?),
        }
    }

    fn from_members(mut body: Map<String, Value>) -> Result<Self, ScimError> {
        Self::from_operations(json::take(&mut body, "Operations"))
    }

    fn from_operations(operations: Option<Value>) -> Result<Self, ScimError> {
        let operations = match operations {
            Some(Value::Array(operations)) if !operations.is_empty() => operations,
            Some(single @ Value::Object(_)) => vec![single],
            _ => {
                return Err(invalid_syntax(
                    "The PATCH request has no operations. Send them as a list under \"Operations\".",
                ));
            }
        };
        check_count(operations.len())?;
        let mut read = Vec::with_capacity(operations.len());
        for (index, operation) in operations.into_iter().enumerate() {
            Operation::read(operation, &mut read).map_err(|error| error.in_operation(index + 1))?;
            // One without a path may stand for many.
            check_count(read.len())?;
        }
        Ok(Self { operations: read })
    }
}

/// Applies a patch to a user (RFC 7644 3.5.2): the whole result, or an error and no change. A document equal to the
/// input means that nothing changed but perhaps the password.
pub fn apply_to_user(document: &UserDocument, patch: &Patch, catalogue: &Catalogue) -> Result<Written, ScimError> {
    let bytes = document::bytes(document.as_value()) + patch.operations.iter().map(Operation::bytes).sum::<usize>();
    document::check_work(patch.operations.iter().map(Operation::passes).sum(), bytes)?;
    let mut result = document.as_value().as_object().cloned().unwrap_or_default();
    let kind = catalogue.user();
    for (index, operation) in patch.operations.iter().enumerate() {
        let outcome = match operation {
            Operation::At(write, path, value) => document::write_at(&mut result, kind, path, *write, value.clone()),
            Operation::Members(write, members) => document::merge(&mut result, kind, *write, members.clone()),
            Operation::Remove(path, value) => document::remove_at(&mut result, kind, path, value.as_ref()),
        };
        outcome.map_err(|error| error.in_operation(index + 1))?;
    }
    document::settle(&mut result, kind)?;
    Written::from_members(result)
}

impl Operation {
    /// Reads one operation; a path-less list of objects becomes one operation for each.
    fn read(operation: Value, into: &mut Vec<Self>) -> Result<(), ScimError> {
        let Value::Object(mut members) = operation else {
            return Err(invalid_syntax(format!("it must be an object, but it is {}.", describe(&operation))));
        };
        let path = match json::take(&mut members, "path") {
            None | Some(Value::Null) => None,
            Some(Value::String(path)) if path.trim().is_empty() => None,
            Some(Value::String(path)) => Some(Path::parse(&path)?),
            Some(other) => {
                let detail = format!("\"path\" must be a text, but it is {}.", describe(&other));
                return Err(ScimError::bad_request(ScimType::InvalidPath, detail));
            }
        };
        let value = json::take(&mut members, "value");
        match (Verb::read(json::take(&mut members, "op"))?, path, value) {
            (Verb::Remove, Some(path), value) => into.push(Self::Remove(path, value)),
            (Verb::Remove, None, _) => {
                return Err(ScimError::bad_request(
                    ScimType::NoTarget,
                    "\"remove\" needs a \"path\" that names the attribute to remove.",
                ));
            }
            (Verb::Write(_), _, None) => return Err(invalid_value("it has no \"value\". Send the value to write.")),
            (Verb::Write(write), Some(path), Some(value)) => into.push(Self::At(write, path, value)),
            (Verb::Write(write), None, Some(value)) => Self::read_members(write, value, into)?,
        }
        Ok(())
    }

    fn read_members(write: Write, value: Value, into: &mut Vec<Self>) -> Result<(), ScimError> {
        let objects = match value {
            Value::Array(objects) => objects,
            single => vec![single],
        };
        for object in objects {
            let Value::Object(members) = object else {
                return Err(invalid_value(format!(
                    "without a \"path\", \"value\" must be an object of attributes, but it has {}.",
                    describe(&object)
                )));
            };
            into.push(Self::Members(write, members));
        }
        Ok(())
    }

    /// How often applying it to a user goes through what the user has.
    fn passes(&self) -> usize {
        let of_path = |path: &Path| 1 + path.filter.as_ref().map_or(0, Filter::terms);
        match self {
            Self::At(_, path, value) => of_path(path) + document::passes(value),
            Self::Members(_, members) => members.len() + document::passes_of_members(members),
            // Each value to remove is compared with each that is there.
            Self::Remove(path, value) => of_path(path) + value.as_ref().and_then(Value::as_array).map_or(0, Vec::len),
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::At(_, _, value) | Self::Remove(_, Some(value)) => document::bytes(value),
            Self::Members(_, members) => document::bytes_of_members(members),
            Self::Remove(_, None) => 0,
        }
    }
}

fn check_count(operations: usize) -> Result<(), ScimError> {
    if operations <= MAX_OPERATIONS {
        return Ok(());
    }
    Err(ScimError::too_large(format!(
        "The PATCH request has more than {MAX_OPERATIONS} operations. Send them in several requests."
    )))
}

/// What an operation does.
enum Verb {
    Write(Write),
    Remove,
}

impl Verb {
    fn read(op: Option<Value>) -> Result<Self, ScimError> {
        let name = op.as_ref().and_then(Value::as_str).unwrap_or_default();
        let verbs =
            [("add", Self::Write(Write::Add)), ("replace", Self::Write(Write::Replace)), ("remove", Self::Remove)];
        let known = verbs.into_iter().find(|(spelling, _)| spelling.eq_ignore_ascii_case(name.trim()));
        known.map(|(_, verb)| verb).ok_or_else(|| {
            invalid_syntax(format!(
                "{} is not an operation. Use \"add\", \"replace\" or \"remove\" as \"op\".",
                quote(name)
            ))
        })
    }
}

impl fmt::Debug for Patch {
    /// Values may be passwords and stay out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Patch of {} operations", self.operations.len())
    }
}

#[cfg(test)]
mod tests;

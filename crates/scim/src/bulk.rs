//! Bulk requests (RFC 7644 3.7): many operations in one body, which may refer to what others of them create.

mod references;

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value, json};

use crate::error::{ScimError, ScimType, invalid_value, quote};
use crate::json::{self, describe, invalid_syntax};
use crate::schema;

/// What one request may ask for; how many bytes it has is counted where it arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub operations: usize,
}

/// A bulk request (RFC 7644 3.7).
#[derive(Debug, Clone, PartialEq)]
pub struct Bulk {
    /// After how many errors the rest is not tried; at least 1.
    pub fail_on_errors: Option<usize>,
    pub operations: Vec<Operation>,
}

/// One operation: what of it goes into the answer in any case, and the work, or why there is none.
#[derive(Debug, Clone, PartialEq)]
pub struct Operation {
    pub method: Method,
    pub bulk_id: Option<String>,
    /// The entity tag that the resource must have (RFC 7644 3.14).
    pub version: Option<String>,
    pub outcome_of_reading: Result<Work, ScimError>,
}

/// The method of an operation (RFC 7644 3.7).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Method {
    Post,
    Put,
    Patch,
    Delete,
    /// None of these, as it came; such an operation has no work.
    Other(String),
}

/// The kind of resource that an operation is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Resource {
    User,
    Group,
}

/// What an operation asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct Work {
    pub resource: Resource,
    /// The resource; `None` for a POST. Until `resolve`, it may be `bulkId:…`.
    pub id: Option<String>,
    /// The body that a request of its own would have; null for a DELETE.
    pub data: Value,
}

/// What became of an operation (RFC 7644 3.7).
#[derive(Debug, Clone, PartialEq)]
pub struct Done {
    pub method: String,
    pub bulk_id: Option<String>,
    pub version: Option<String>,
    pub location: Option<String>,
    pub status: u16,
    /// The error; what succeeded is read at its location.
    pub response: Option<Value>,
}

impl Bulk {
    /// Reads a bulk request. The error is about the request as a whole; what is wrong with one operation stands there.
    pub fn parse(body: &[u8], limits: &Limits) -> Result<Self, ScimError> {
        let mut body = json::object(body)?;
        let operations = match json::take(&mut body, "Operations") {
            Some(Value::Array(operations)) if !operations.is_empty() => operations,
            _ => {
                return Err(invalid_syntax("The request has no operations. Send them as a list under \"Operations\"."));
            }
        };
        if operations.len() > limits.operations {
            return Err(ScimError::too_large(format!(
                "The request has {} operations, and this server takes {} at a time. Send them in several requests.",
                operations.len(),
                limits.operations
            )));
        }
        let fail_on_errors = fail_on_errors(json::take(&mut body, "failOnErrors"))?;
        let mut bulk = Self { fail_on_errors, operations: operations.into_iter().map(Operation::read).collect() };
        let mut bulk_ids = HashSet::new();
        for id in bulk.operations.iter().filter_map(|operation| operation.bulk_id.as_deref()) {
            if !bulk_ids.insert(id) {
                return Err(invalid_value(format!(
                    "Two operations have the bulkId {}. Give each one of its own.",
                    quote(id)
                )));
            }
        }
        bulk.refuse_unknown_references();
        Ok(bulk)
    }

    /// The order in which to run: what is referenced runs before what refers to it, otherwise as the client sent it;
    /// cycles are broken at the later reference.
    pub fn order(&self) -> Vec<usize> {
        let creators = self.creators();
        let wanted: Vec<Vec<usize>> = self
            .operations
            .iter()
            .map(|operation| {
                let references = operation.outcome_of_reading.as_ref().map(Work::references).unwrap_or_default();
                references.into_iter().filter_map(|id| creators.get(id).copied()).collect()
            })
            .collect();
        let mut order = Vec::with_capacity(wanted.len());
        let mut seen = vec![false; wanted.len()];
        for first in 0..wanted.len() {
            // A chain may be as long as the request, so it is kept here and not on the stack.
            let mut chain = if std::mem::replace(&mut seen[first], true) { Vec::new() } else { vec![(first, 0)] };
            while let Some((index, next)) = chain.last_mut() {
                match wanted[*index].get(*next) {
                    Some(&earlier) => {
                        *next += 1;
                        if !std::mem::replace(&mut seen[earlier], true) {
                            chain.push((earlier, 0));
                        }
                    }
                    None => {
                        order.push(*index);
                        chain.pop();
                    }
                }
            }
        }
        order
    }

    /// Which operation creates the resource that a bulkId stands for.
    fn creators(&self) -> HashMap<&str, usize> {
        let posts = self.operations.iter().enumerate().filter(|(_, operation)| operation.method == Method::Post);
        posts.filter_map(|(index, operation)| Some((operation.bulk_id.as_deref()?, index))).collect()
    }

    fn refuse_unknown_references(&mut self) {
        let creators: HashSet<String> = self.creators().into_keys().map(str::to_owned).collect();
        for operation in &mut self.operations {
            let Ok(work) = &operation.outcome_of_reading else { continue };
            let unknown = work.references().into_iter().find(|id| !creators.contains(*id)).map(quote);
            if let Some(id) = unknown {
                operation.outcome_of_reading = Err(invalid_value(format!(
                    "The operation refers to the bulkId {id}, but no POST of the request has it. Add the POST, or refer to \
                     the resource by its id."
                )));
            }
        }
    }
}

/// The answer to a bulk request (RFC 7644 3.7): the status as a text, and a response only for errors.
pub fn response(done: Vec<Done>) -> Value {
    let operations: Vec<Value> = done.into_iter().map(Done::into_json).collect();
    json!({"schemas": [schema::BULK_RESPONSE], "Operations": operations})
}

impl Done {
    fn into_json(self) -> Value {
        let Self { method, bulk_id, version, location, status, response } = self;
        let mut json = json!({"method": method, "status": status.to_string()});
        let texts = [("bulkId", bulk_id), ("version", version), ("location", location)];
        for (name, text) in texts.into_iter().filter_map(|(name, text)| Some((name, text?))) {
            json[name] = Value::String(text);
        }
        if let Some(response) = response.filter(|_| status >= 400) {
            json["response"] = response;
        }
        json
    }
}

impl Method {
    /// The spelling on the wire.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
            Self::Other(text) => text,
        }
    }

    fn read(text: &str) -> Self {
        let methods = [Self::Post, Self::Put, Self::Patch, Self::Delete];
        let known = methods.into_iter().find(|method| method.as_str().eq_ignore_ascii_case(text.trim()));
        known.unwrap_or_else(|| Self::Other(text.to_owned()))
    }
}

impl Operation {
    fn read(operation: Value) -> Self {
        let mut members = match operation {
            Value::Object(members) => members,
            other => {
                let detail = format!("An operation must be an object, but it is {}.", describe(&other));
                let outcome_of_reading = Err(invalid_syntax(detail));
                return Self { method: Method::Other(String::new()), bulk_id: None, version: None, outcome_of_reading };
            }
        };
        let mut text = |name: &str| match json::take(&mut members, name) {
            Some(Value::String(text)) if !text.trim().is_empty() => Some(text),
            _ => None,
        };
        let method = Method::read(&text("method").unwrap_or_default());
        let (bulk_id, version, path) = (text("bulkId"), text("version"), text("path"));
        let outcome_of_reading = Work::read(&method, path.as_deref(), bulk_id.as_deref(), &mut members);
        Self { method, bulk_id, version, outcome_of_reading }
    }
}

impl Work {
    fn read(
        method: &Method,
        path: Option<&str>,
        bulk_id: Option<&str>,
        members: &mut Map<String, Value>,
    ) -> Result<Self, ScimError> {
        if let Method::Other(text) = method {
            let given = quote(text);
            return Err(invalid_syntax(format!("{given} is not a method. Use POST, PUT, PATCH or DELETE.")));
        }
        let (resource, id) = read_path(path.unwrap_or_default())?;
        let is_post = *method == Method::Post;
        match &id {
            Some(_) if is_post => {
                return Err(invalid_path(
                    "A POST creates a resource, so its path ends with /Users or /Groups and no id.",
                ));
            }
            None if !is_post => {
                return Err(invalid_path(format!(
                    "The path of a {} names one resource. Add its id, as in /Users/2819c223.",
                    method.as_str()
                )));
            }
            _ => {}
        }
        if is_post && bulk_id.is_none() {
            return Err(invalid_syntax("A POST needs a bulkId, a text of your choice by which the answer names it."));
        }
        let data = match (method, json::take(members, "data")) {
            (Method::Delete, _) => Value::Null,
            (_, Some(data @ Value::Object(_))) | (Method::Patch, Some(data @ Value::Array(_))) => data,
            (_, data) => {
                let given = data.as_ref().map_or("nothing", describe);
                return Err(invalid_syntax(format!(
                    "\"data\" must be the object that the request of its own would carry, but it is {given}."
                )));
            }
        };
        Ok(Self { resource, id, data })
    }
}

/// Reads `/Users`, `Users/{id}`, `/v2/Groups/bulkId:x` or a whole address that ends so.
fn read_path(path: &str) -> Result<(Resource, Option<String>), ScimError> {
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let parts: Vec<&str> = path.trim().split('/').filter(|part| !part.is_empty()).collect();
    let resource = |part: &str| match part.to_ascii_lowercase().as_str() {
        "users" => Some(Resource::User),
        "groups" => Some(Resource::Group),
        _ => None,
    };
    let found = match parts.as_slice() {
        [.., last] if resource(last).is_some() => resource(last).map(|resource| (resource, None)),
        [.., kind, id] => resource(kind).map(|resource| (resource, Some((*id).to_owned()))),
        _ => None,
    };
    found.ok_or_else(|| {
        invalid_path(format!(
            "The path {} names no resource of this server. Write it as in /Users, /Users/2819c223 or /Groups/bulkId:x.",
            quote(path)
        ))
    })
}

fn fail_on_errors(given: Option<Value>) -> Result<Option<usize>, ScimError> {
    match given {
        None | Some(Value::Null) => Ok(None),
        // None accepted means that the first one ends it, as with 1.
        Some(value) => match value.as_u64().map(|number| usize::try_from(number).unwrap_or(usize::MAX).max(1)) {
            Some(number) => Ok(Some(number)),
            None => Err(invalid_value(
                "failOnErrors must be a whole number, such as 1. Send it as a number, or leave it out.",
            )),
        },
    }
}

fn invalid_path(detail: impl Into<String>) -> ScimError {
    ScimError::bad_request(ScimType::InvalidPath, detail)
}

#[cfg(test)]
mod tests;

//! The group resource (RFC 7643 4.2). A change of members is a set of ids to add or remove and never needs the
//! members there are, so that it costs the same in a group of ten and of a hundred thousand.

mod selection;

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value, json};

use crate::document::Write;
use crate::error::{ScimError, ScimType, invalid_value};
use crate::json::{self, describe};
use crate::patch::{Operation, Patch};
use crate::path::Path;
use crate::schema;
use crate::user::Meta;

use self::selection::unsupported;
pub use self::selection::{Ids, Selection};

/// The longest name or id, in characters; the store's indexes hold no longer ones.
const MAX_CHARS: usize = 256;

/// What a member is (RFC 7643 4.2, `members.type`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MemberKind {
    User,
    Group,
}

/// A member as a client names it: an id, and perhaps what it is the id of.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MemberRef {
    pub value: String,
    pub kind: Option<MemberKind>,
}

/// A member as responses show it; exactly what `/Schemas` advertises.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberView {
    pub value: String,
    pub kind: MemberKind,
    pub location: String,
}

/// The body of a POST or PUT of a group (RFC 7643 4.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupDocument {
    pub display_name: String,
    pub external_id: Option<String>,
    /// `None` when the body says nothing about members.
    pub members: Option<Vec<MemberRef>>,
}

/// One step of a PATCH of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupChange {
    Rename(String),
    SetExternalId(Option<String>),
    AddMembers(Vec<MemberRef>),
    /// By their ids.
    RemoveMembers(Vec<String>),
    /// By other marks.
    RemoveSelected(Selection),
    /// These are all.
    ReplaceMembers(Vec<MemberRef>),
}

impl GroupDocument {
    /// Reads the body of a POST or PUT (RFC 7644 3.3, 3.5.1); Okta's PUT has no `id`, Entra's POST no members.
    pub fn parse(body: &[u8]) -> Result<Self, ScimError> {
        Self::from_members(json::object(body)?)
    }

    /// The same of a body that is JSON already, as the `data` of a bulk operation.
    pub fn read(body: Value) -> Result<Self, ScimError> {
        Self::from_members(json::members(body)?)
    }

    fn from_members(mut body: Map<String, Value>) -> Result<Self, ScimError> {
        let members = match json::take(&mut body, "members") {
            None | Some(Value::Null) => None,
            Some(value) => {
                let mut members = members(&value)?;
                keep_distinct(&mut members, |member| &member.value);
                Some(members)
            }
        };
        Ok(Self {
            display_name: display_name(json::get(&body, "displayName").unwrap_or(&Value::Null))?,
            external_id: external_id(json::get(&body, "externalId").unwrap_or(&Value::Null))?,
            members,
        })
    }
}

/// What a PATCH does to a group (RFC 7644 3.5.2): names in order, then what all its operations together do to the
/// members, in a few sets however many operations there are. Neither has a say in the other.
pub fn changes(patch: &Patch) -> Result<Vec<GroupChange>, ScimError> {
    let mut all = Vec::new();
    for (index, operation) in patch.operations.iter().enumerate() {
        read(operation, &mut all).map_err(|error| error.in_operation(index + 1))?;
    }
    let (mut changes, mut members, mut moves) = (Vec::new(), Vec::new(), Moves::default());
    for change in all {
        match change {
            GroupChange::Rename(_) | GroupChange::SetExternalId(_) => changes.push(change),
            GroupChange::AddMembers(added) => added.into_iter().for_each(|member| moves.push(Move::In(member))),
            GroupChange::RemoveMembers(removed) => removed.into_iter().for_each(|id| moves.push(Move::Out(id))),
            GroupChange::RemoveSelected(selection) => {
                moves.settle(&mut members);
                match members.pop() {
                    Some(GroupChange::RemoveSelected(others)) => {
                        members.push(GroupChange::RemoveSelected(others.either(selection)));
                    }
                    other => members.extend(other.into_iter().chain([GroupChange::RemoveSelected(selection)])),
                }
            }
            GroupChange::ReplaceMembers(mut these) => {
                // Who came and went before does not matter any more.
                moves = Moves::default();
                keep_distinct(&mut these, |member| &member.value);
                members = vec![GroupChange::ReplaceMembers(these)];
            }
        }
    }
    moves.settle(&mut members);
    changes.append(&mut members);
    Ok(changes)
}

/// Who comes and who goes, of each what was said last.
#[derive(Default)]
struct Moves {
    last: HashMap<String, usize>,
    all: Vec<Option<Move>>,
}

enum Move {
    In(MemberRef),
    Out(String),
}

impl Move {
    /// Of whom; an id may come in capitals.
    fn key(&self) -> String {
        let (Self::In(MemberRef { value: id, .. }) | Self::Out(id)) = self;
        id.to_ascii_lowercase()
    }
}

impl Moves {
    fn push(&mut self, one: Move) {
        let key = one.key();
        let before = self.last.get(&key).copied();
        // Whoever comes twice came the first time.
        let stays = before.is_some_and(|index| matches!((&self.all[index], &one), (Some(Move::In(_)), Move::In(_))));
        if stays {
            return;
        }
        if let Some(before) = before {
            self.all[before] = None;
        }
        self.last.insert(key, self.all.len());
        self.all.push(Some(one));
    }

    /// Appends them as two sets: nobody is in both, so their order does not matter.
    fn settle(&mut self, into: &mut Vec<GroupChange>) {
        let (mut added, mut removed) = (Vec::new(), Vec::new());
        for one in std::mem::take(self).all.into_iter().flatten() {
            match one {
                Move::In(member) => added.push(member),
                Move::Out(id) => removed.push(id),
            }
        }
        if !removed.is_empty() {
            into.push(GroupChange::RemoveMembers(removed));
        }
        if !added.is_empty() {
            into.push(GroupChange::AddMembers(added));
        }
    }
}

/// Shows a group (RFC 7643 4.2); `members` are `None` when the client excluded them or they are too many.
pub fn render(
    id: &str,
    display_name: &str,
    external_id: Option<&str>,
    members: Option<&[MemberView]>,
    meta: &Meta,
) -> Value {
    let mut resource = json!({
        "schemas": [schema::GROUP],
        "id": id,
        "displayName": display_name,
        "meta": meta.to_json("Group"),
    });
    if let Some(external_id) = external_id {
        resource["externalId"] = json!(external_id);
    }
    if let Some(members) = members {
        resource["members"] = members.iter().map(MemberView::to_json).collect();
    }
    resource
}

impl MemberView {
    /// The member as responses show it (RFC 7643 4.2).
    pub fn to_json(&self) -> Value {
        json!({"value": self.value, "$ref": self.location, "type": self.kind.as_str()})
    }
}

impl MemberKind {
    /// The spelling on the wire (RFC 7643 4.2).
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "User",
            Self::Group => "Group",
        }
    }

    fn read(text: &str) -> Option<Self> {
        [Self::User, Self::Group].into_iter().find(|kind| kind.as_str().eq_ignore_ascii_case(text))
    }
}

fn read(operation: &Operation, into: &mut Vec<GroupChange>) -> Result<(), ScimError> {
    match operation {
        Operation::At(write, path, value) => write_at(*write, path, value, into),
        Operation::Members(write, members) => members.iter().try_for_each(|(name, value)| {
            // Okta may send `"members": null` for "nothing to say"; emptying the group by it would be a disaster.
            match Path::parse(name) {
                Ok(path) if !(value.is_null() && path.attribute.is_core("members")) => {
                    write_at(*write, &path, value, into)
                }
                _ => Ok(()),
            }
        }),
        Operation::Remove(path, value) => remove_at(path, value.as_ref(), into),
    }
}

/// Add and replace. `id` and attributes that groups do not have are skipped.
fn write_at(write: Write, path: &Path, value: &Value, into: &mut Vec<GroupChange>) -> Result<(), ScimError> {
    let attribute = &path.attribute;
    if attribute.is_schema(schema::GROUP) {
        let members = value.as_object().into_iter().flatten();
        return members.into_iter().try_for_each(|(name, value)| match Path::parse(name) {
            Ok(path) if path.attribute.schema.is_none() => write_at(write, &path, value, into),
            _ => Ok(()),
        });
    }
    if attribute.is_core("displayName") {
        into.push(GroupChange::Rename(display_name(unwrap(value))?));
    } else if attribute.is_core("externalId") {
        into.push(GroupChange::SetExternalId(external_id(unwrap(value))?));
    } else if attribute.is_core("members") {
        match (&path.filter, attribute.sub.as_deref(), write) {
            (None, None, Write::Add) => into.push(GroupChange::AddMembers(members(value)?)),
            (None, None, Write::Replace) => into.push(GroupChange::ReplaceMembers(members(value)?)),
            // Responses show no `display`, so there is nothing to keep of it.
            (_, Some(sub), _) if sub.eq_ignore_ascii_case("display") => {}
            _ => {
                return Err(ScimError::bad_request(
                    ScimType::Mutability,
                    "a member cannot be changed. Remove it and add another one.",
                ));
            }
        }
    }
    Ok(())
}

fn remove_at(path: &Path, value: Option<&Value>, into: &mut Vec<GroupChange>) -> Result<(), ScimError> {
    let attribute = &path.attribute;
    if attribute.is_core("displayName") {
        return Err(ScimError::bad_request(
            ScimType::Mutability,
            "displayName cannot be removed, since every group has a name. Send the new name with \"replace\".",
        ));
    }
    if attribute.is_core("externalId") {
        into.push(GroupChange::SetExternalId(None));
    }
    if !attribute.is_core("members") {
        return Ok(());
    }
    match (&path.filter, attribute.sub.as_deref(), value) {
        (_, Some(sub), _) if !sub.eq_ignore_ascii_case("value") => {}
        (Some(filter), _, _) => into.push(match Selection::of(filter)?.into_ids() {
            Ok(ids) => GroupChange::RemoveMembers(ids),
            Err(selection) => GroupChange::RemoveSelected(selection),
        }),
        // Entra and JumpCloud name the members in `value`; by the standard alone this would empty the group.
        (None, _, Some(value)) if !value.is_null() => {
            let ids = members(value)?.into_iter().map(|member| member.value);
            into.push(GroupChange::RemoveMembers(ids.collect()));
        }
        (None, Some(_), _) => return Err(unsupported()),
        (None, None, _) => into.push(GroupChange::ReplaceMembers(Vec::new())),
    }
    Ok(())
}

/// Members as objects, as bare ids, or one without a list around it.
fn members(value: &Value) -> Result<Vec<MemberRef>, ScimError> {
    match value {
        Value::Array(items) => items.iter().map(member).collect(),
        Value::Null => Ok(Vec::new()),
        single => Ok(vec![member(single)?]),
    }
}

fn member(item: &Value) -> Result<MemberRef, ScimError> {
    let (value, kind) = match item {
        Value::Object(members) => {
            let kind = json::get(members, "type").and_then(Value::as_str).and_then(MemberKind::read);
            (json::get(members, "value").unwrap_or(&Value::Null), kind)
        }
        bare => (bare, None),
    };
    let value = text("members.value", value)?;
    if value.is_empty() {
        return Err(invalid_value("A member has no id. Send the id that this server gave to the user as \"value\"."));
    }
    Ok(MemberRef { value: value.to_owned(), kind })
}

fn display_name(value: &Value) -> Result<String, ScimError> {
    let name = text("displayName", value)?;
    if name.trim().is_empty() {
        return Err(invalid_value("The group has no displayName. Give the group a name in Okta and push it again."));
    }
    Ok(name.to_owned())
}

fn external_id(value: &Value) -> Result<Option<String>, ScimError> {
    let id = text("externalId", value)?;
    Ok((!id.is_empty()).then(|| id.to_owned()))
}

/// A text of bounded length on one line; empty for null.
fn text<'v>(name: &str, value: &'v Value) -> Result<&'v str, ScimError> {
    let text = match value {
        Value::String(text) => text.as_str(),
        Value::Null => "",
        other => {
            let given = describe(other);
            return Err(invalid_value(format!(
                "{name} must be a text, but the request has {given}. Send it as a text."
            )));
        }
    };
    if text.len() > MAX_CHARS && text.chars().count() > MAX_CHARS {
        return Err(invalid_value(format!("{name} is longer than {MAX_CHARS} characters. Shorten it and push again.")));
    }
    if text.chars().any(char::is_control) {
        return Err(invalid_value(format!("{name} contains control characters. Remove them and push again.")));
    }
    Ok(text)
}

/// Some clients wrap a single value as `[{"value": …}]`.
fn unwrap(value: &Value) -> &Value {
    let value = match value.as_array().map(Vec::as_slice) {
        Some([single]) => single,
        _ => value,
    };
    value.get("value").unwrap_or(value)
}

/// Keeps the first of those with the same id.
fn keep_distinct<T>(items: &mut Vec<T>, id: impl Fn(&T) -> &String) {
    let mut seen = HashSet::with_capacity(items.len());
    let first: Vec<bool> = items.iter().map(|item| seen.insert(id(item).as_str())).collect();
    let mut first = first.into_iter();
    items.retain(|_| first.next().unwrap_or(true));
}

#[cfg(test)]
mod tests;

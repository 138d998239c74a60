//! One attribute's value: checked against its definition, spelled as the schema spells it, and free of what
//! providers add to it (text for booleans, one-element lists, null for "none").

use std::collections::{HashMap, hash_map::Entry};

use serde_json::{Map, Value};

use crate::error::{ScimError, invalid_value};
use crate::json::describe;
use crate::schema::{Attribute, Kind};
use crate::search::fold;

/// The most values of one attribute.
const MAX_VALUES: usize = 1000;

/// The value to store for what a client sent; `None` when it means "no value" (RFC 7643 2.5).
pub(crate) fn normalize(attribute: &Attribute, value: Value) -> Result<Option<Value>, ScimError> {
    Reader { attribute, parent: None }.read(value)
}

/// One element of a multi-valued attribute, by the same rules.
pub(crate) fn normalize_element(attribute: &Attribute, value: Value) -> Result<Option<Value>, ScimError> {
    Reader { attribute, parent: None }.single(value)
}

/// A sub-attribute's value, by the same rules.
pub(crate) fn normalize_sub(parent: &Attribute, sub: &Attribute, value: Value) -> Result<Option<Value>, ScimError> {
    Reader { attribute: sub, parent: Some(parent) }.read(value)
}

/// The values of an attribute, no two of them the same: the newer of two with the same value and type wins
/// (RFC 7643 2.4). Elements without `value` are the same when all of them is.
pub(crate) struct Distinct<'a> {
    attribute: &'a Attribute,
    items: Vec<Value>,
    places: HashMap<String, usize>,
}

impl<'a> Distinct<'a> {
    /// Those that are there already.
    pub(crate) fn of(attribute: &'a Attribute, items: Vec<Value>) -> Self {
        let mut places = HashMap::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            places.entry(identity(attribute, item)).or_insert(index);
        }
        Self { attribute, items, places }
    }

    /// Adds an element, or writes it over the one that it is.
    pub(crate) fn add(&mut self, item: Value) -> Result<(), ScimError> {
        let full = self.items.len() >= MAX_VALUES;
        let index = match self.places.entry(identity(self.attribute, &item)) {
            Entry::Occupied(place) => {
                self.items[*place.get()] = item;
                *place.get()
            }
            Entry::Vacant(_) if full => return Err(too_many(self.attribute)),
            Entry::Vacant(place) => {
                self.items.push(item);
                *place.insert(self.items.len() - 1)
            }
        };
        keep_one_primary(&mut self.items, index);
        Ok(())
    }

    pub(crate) fn into_items(self) -> Vec<Value> {
        self.items
    }
}

/// What makes an element the same as another.
fn identity(attribute: &Attribute, item: &Value) -> String {
    let part = |name: &str| match (item.get(name), attribute.sub(name)) {
        (None, _) => String::new(),
        (Some(Value::String(text)), Some(sub)) if !sub.case_exact => format!("={}", fold(text)),
        (Some(other), _) => other.to_string(),
    };
    match item.get("value") {
        None => item.to_string(),
        // No text of a document has a control character of this kind.
        Some(_) => format!("{}\0{}", part("value"), part("type")),
    }
}

/// RFC 7643 2.4: "the primary attribute value 'true' MUST appear no more than once". The latest one written keeps it.
pub(crate) fn keep_one_primary(items: &mut [Value], latest: usize) {
    if !items.get(latest).is_some_and(is_primary) {
        return;
    }
    for (index, item) in items.iter_mut().enumerate() {
        if index != latest && is_primary(item) {
            item["primary"] = Value::Bool(false);
        }
    }
}

/// Whether an element is marked as the main one.
pub(crate) fn is_primary(item: &Value) -> bool {
    item.get("primary") == Some(&Value::Bool(true))
}

/// Whether two values are equal for an attribute, by its `caseExact` (RFC 7643 2.2).
pub(crate) fn is_equal(attribute: Option<&Attribute>, a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::String(a), Value::String(b)) if !attribute.is_some_and(|attribute| attribute.case_exact) => {
            a.eq_ignore_ascii_case(b) || (!(a.is_ascii() && b.is_ascii()) && fold(a) == fold(b))
        }
        _ => a == b,
    }
}

fn too_many(attribute: &Attribute) -> ScimError {
    invalid_value(format!("{} has more than {MAX_VALUES} values. Send fewer of them.", attribute.name))
}

/// An attribute to read a value for, and where it belongs.
struct Reader<'a> {
    attribute: &'a Attribute,
    parent: Option<&'a Attribute>,
}

impl Reader<'_> {
    fn read(&self, value: Value) -> Result<Option<Value>, ScimError> {
        if self.attribute.multi_valued { self.list(value) } else { self.single(value) }
    }

    fn list(&self, value: Value) -> Result<Option<Value>, ScimError> {
        let given = match value {
            Value::Array(items) => items,
            Value::Object(_) => vec![value],
            Value::Null => return Ok(None),
            Value::String(text) if text.is_empty() => return Ok(None),
            other => return Err(self.wrong_type("a list", &other)),
        };
        if given.len() > MAX_VALUES {
            return Err(too_many(self.attribute));
        }
        let mut distinct = Distinct::of(self.attribute, Vec::with_capacity(given.len()));
        for value in given {
            if let Some(item) = self.single(value)? {
                distinct.add(item)?;
            }
        }
        let items = distinct.into_items();
        Ok((!items.is_empty()).then_some(Value::Array(items)))
    }

    fn single(&self, value: Value) -> Result<Option<Value>, ScimError> {
        match self.attribute.kind {
            _ if value.is_null() => Ok(None),
            Kind::Complex => self.complex(value),
            Kind::String | Kind::Reference | Kind::Binary | Kind::DateTime => self.text(value).map(Some),
            // An empty text can only mean "none" where text is not a value.
            _ if value.as_str() == Some("") => Ok(None),
            Kind::Boolean => self.boolean(&value).map(Some),
            Kind::Integer | Kind::Decimal => self.number(value).map(Some),
        }
    }

    fn complex(&self, value: Value) -> Result<Option<Value>, ScimError> {
        let by_value = self.attribute.is_identified_by_value();
        match value {
            Value::Object(members) => self.members(members),
            Value::String(text) if text.is_empty() => Ok(None),
            Value::String(_) if by_value => self.members(Map::from_iter([("value".to_owned(), value)])),
            // Entra sends the one manager as a list.
            Value::Array(mut items) if items.len() < 2 && !self.attribute.multi_valued => match items.pop() {
                Some(item @ (Value::Object(_) | Value::String(_) | Value::Null)) => self.single(item),
                Some(other) => Err(self.wrong_type("an object", &other)),
                None => Ok(None),
            },
            other => Err(self.wrong_type("an object", &other)),
        }
    }

    fn members(&self, members: Map<String, Value>) -> Result<Option<Value>, ScimError> {
        let mut kept = Map::new();
        for (name, value) in members {
            let Some(sub) = self.attribute.sub(&name).filter(|sub| sub.is_stored()) else { continue };
            if let Some(value) = normalize_sub(self.attribute, sub, value)? {
                kept.insert(sub.name.clone().into_owned(), value);
            }
        }
        let says_nothing = kept.is_empty() || kept.get("value").and_then(Value::as_str) == Some("");
        Ok((!says_nothing).then_some(Value::Object(kept)))
    }

    fn text(&self, value: Value) -> Result<Value, ScimError> {
        let Value::String(text) = &value else {
            return Err(self.wrong_type("a text", &value));
        };
        // Line breaks belong to postal addresses (RFC 7643 4.1.2); a name that identifies has none.
        let breaks = if self.attribute.max_chars.is_some() { "" } else { "\n\r\t" };
        if text.chars().any(|c| c.is_control() && !breaks.contains(c)) {
            return Err(invalid_value(format!(
                "{} contains control characters. Remove them from the user's profile in Okta and push again.",
                self.name()
            )));
        }
        match self.attribute.max_chars {
            Some(limit) if text.len() > limit && text.chars().count() > limit => Err(invalid_value(format!(
                "{} is longer than {limit} characters. Shorten it in Okta and push again.",
                self.name()
            ))),
            _ => Ok(value),
        }
    }

    /// Entra's default dialect writes booleans as "True" and "False".
    fn boolean(&self, value: &Value) -> Result<Value, ScimError> {
        match value {
            Value::Bool(boolean) => Ok(Value::Bool(*boolean)),
            Value::String(text) if text.eq_ignore_ascii_case("true") => Ok(Value::Bool(true)),
            Value::String(text) if text.eq_ignore_ascii_case("false") => Ok(Value::Bool(false)),
            other => Err(self.wrong_type("true or false", other)),
        }
    }

    fn number(&self, value: Value) -> Result<Value, ScimError> {
        let integer = self.attribute.kind == Kind::Integer;
        let number = match &value {
            Value::String(text) => serde_json::from_str(text).ok().filter(Value::is_number),
            Value::Number(_) => Some(value.clone()),
            _ => None,
        };
        match number {
            Some(number) if !integer || number.is_i64() || number.is_u64() => Ok(number),
            _ => Err(self.wrong_type(if integer { "a whole number" } else { "a number" }, &value)),
        }
    }

    fn wrong_type(&self, wanted: &str, value: &Value) -> ScimError {
        invalid_value(format!(
            "{} must be {wanted}, but the request has {}. In Okta, check the attribute's data type and its mapping in the \
             Profile Editor.",
            self.name(),
            describe(value)
        ))
    }

    fn name(&self) -> String {
        match self.parent {
            Some(parent) => format!("{}.{}", parent.name, self.attribute.name),
            None => self.attribute.name.to_string(),
        }
    }
}

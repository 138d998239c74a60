//! Resolving the names of a filter: from what a client wrote to places in the index, or to a sentence that says what
//! is wrong with it.

use serde_json::Value;

use super::rows::{field, place, place_of_sub};
use super::{Condition, Field, Leaf, MAX_KEY_BYTES, Sort, Test, Unknown, keys, takes};
use crate::error::{ScimError, ScimType, quote};
use crate::filter::{Filter, Operator};
use crate::json::describe;
use crate::path::AttributePath;
use crate::schema::{Attribute, Kind, ResourceType, Returned, Schema, Target};

/// Answered here, since the type alone decides it.
const RESOURCE_TYPE: &str = "meta.resourcetype";
/// Answered here, since the attributes that a resource has decide it.
const SCHEMAS: &str = "schemas";
/// What Semaphore's guide and PingFederate's default filter call the addresses (RFC 7643 4.1.2, `emails`).
const EMAIL: &str = "email";
const EMAILS: &str = "emails";
/// Not in documents but in tables of their own, and never without a `value`.
const MEMBERSHIPS: [&str; 2] = ["groups", "members"];

pub(super) fn condition(filter: &Filter, kind: &ResourceType, unknown: Unknown) -> Result<Condition, ScimError> {
    Resolver { scope: Scope::Resource(kind), unknown }.condition(filter)
}

pub(super) fn sort(by: &AttributePath, descending: bool, kind: &ResourceType) -> Result<Option<Sort>, ScimError> {
    let refused = |detail: String| ScimError::bad_request(ScimType::InvalidPath, detail);
    let resolver = Resolver { scope: Scope::Resource(kind), unknown: Unknown::Refuse };
    let place = match resolver.find(by) {
        Found::Place(place) => place,
        _ => return Err(refused(format!("sortBy names {}, which {}", named(by), unknown_attribute(kind)))),
    };
    if place.is_secret() {
        return Err(refused(format!("{} cannot be sorted by. Sort by userName.", named(by))));
    }
    let Some((leaf, _)) = place.comparable() else {
        return Err(refused(format!(
            "sortBy names {}, which has several parts. Name one of them, as in {}.",
            named(by),
            place.example()
        )));
    };
    // The same for all resources of a type, or a list with no first value: there is no order to make of it.
    let orders =
        ![SCHEMAS, RESOURCE_TYPE].iter().chain(&MEMBERSHIPS).any(|path| place.path == *path || leaf.path == *path);
    Ok(orders.then_some(Sort { leaf, descending }))
}

/// Where names are looked up: on a resource, or inside brackets on one value of an attribute.
enum Scope<'k> {
    Resource(&'k ResourceType),
    Element(Place<'k>),
}

struct Resolver<'k> {
    scope: Scope<'k>,
    unknown: Unknown,
}

/// An attribute or sub-attribute that a path names, and the path of its rows.
struct Place<'k> {
    kind: &'k ResourceType,
    path: String,
    attribute: &'k Attribute,
    sub: Option<&'k Attribute>,
}

enum Found<'k> {
    Place(Place<'k>),
    Schema,
    Nothing,
}

impl<'k> Resolver<'k> {
    fn condition(&self, filter: &Filter) -> Result<Condition, ScimError> {
        let all = |branches: &[Filter]| branches.iter().map(|branch| self.condition(branch)).collect::<Result<_, _>>();
        Ok(match filter {
            Filter::And(branches) => Condition::All(all(branches)?),
            Filter::Or(branches) => Condition::Any(all(branches)?),
            Filter::Not(inner) => not(self.condition(inner)?),
            Filter::Present(path) => self.place(path)?.map_or(Condition::Constant(false), |place| place.present()),
            Filter::Compare { path, operator, value } => match self.place(path)? {
                Some(place) => place.compare(path, *operator, value)?,
                None => of_no_value(*operator, value),
            },
            Filter::Values { path, filter } => match self.place(path)? {
                Some(place) => self.element(path, place, filter)?,
                None => Condition::Constant(false),
            },
        })
    }

    fn element(&self, path: &AttributePath, place: Place<'k>, filter: &Filter) -> Result<Condition, ScimError> {
        if place.path == SCHEMAS {
            return Err(invalid("schemas takes no brackets. Write the filter as in schemas eq \"urn:…\".".to_owned()));
        }
        if !place.attribute.multi_valued {
            return Err(invalid(format!(
                "{} has one value only, so it takes no brackets. Write the filter as in {} eq \"x\".",
                named(path),
                place.example()
            )));
        }
        let path = place.path.clone();
        let inner = Resolver { scope: Scope::Element(place), unknown: self.unknown };
        Ok(Condition::Element { path, condition: Box::new(inner.condition(filter)?) })
    }

    /// The place that a name stands for; `None` where an attribute that is not there has no value.
    fn place(&self, path: &AttributePath) -> Result<Option<Place<'k>>, ScimError> {
        match self.find(path) {
            Found::Place(place) if place.is_secret() => Err(invalid(format!(
                "{} cannot be searched for, since it is never shown. Remove it from the filter.",
                named(path)
            ))),
            Found::Place(place) => Ok(Some(place)),
            Found::Schema => Err(invalid(format!(
                "{} is a schema. Name one of its attributes, with a colon between the two.",
                named(path)
            ))),
            Found::Nothing if self.unknown == Unknown::MatchesNothing => Ok(None),
            Found::Nothing => Err(invalid(match &self.scope {
                Scope::Resource(kind) => format!("The filter names {}, which {}", named(path), unknown_attribute(kind)),
                Scope::Element(place) => format!(
                    "The filter names {} in brackets, which values of {} do not have. Name a part that they have, as in {}.",
                    named(path),
                    place.attribute.name,
                    place.example()
                ),
            })),
        }
    }

    fn find(&self, path: &AttributePath) -> Found<'k> {
        match &self.scope {
            Scope::Resource(kind) => match kind.resolve(path) {
                None => match in_other_words(path, kind) {
                    Some(known) => self.find(&known),
                    None => Found::Nothing,
                },
                Some(Target::Schema(_)) => Found::Schema,
                Some(Target::Attribute(schema, attribute)) => {
                    let urn = schema.map(|schema| schema.id.as_ref());
                    let whole = Place { kind, path: place(urn, attribute), attribute, sub: None };
                    match &path.sub {
                        None => Found::Place(whole),
                        Some(name) => whole.part(name),
                    }
                }
            },
            Scope::Element(whole) if path.schema.is_none() && path.sub.is_none() => whole.part(&path.attribute),
            Scope::Element(_) => Found::Nothing,
        }
    }
}

/// The name of an attribute that clients call otherwise: Entra asks for `manager` without the URN of its extension.
fn in_other_words(path: &AttributePath, kind: &ResourceType) -> Option<AttributePath> {
    if path.schema.is_some() {
        return None;
    }
    if let Some(extension) = kind.extensions.iter().find(|extension| extension.attribute(&path.attribute).is_some()) {
        return Some(AttributePath { schema: Some(extension.id.to_string()), ..path.clone() });
    }
    let addresses = path.is_core(EMAIL) && path.sub.is_none() && kind.attribute(EMAILS).is_some();
    addresses.then(|| AttributePath { schema: None, attribute: EMAILS.to_owned(), sub: None })
}

impl<'k> Place<'k> {
    /// The part with this name. A simple value of a list is its own `value`.
    fn part(&self, name: &str) -> Found<'k> {
        let Self { kind, attribute, .. } = *self;
        let sub = attribute.sub(name);
        let is_itself = attribute.multi_valued && attribute.kind != Kind::Complex && name.eq_ignore_ascii_case("value");
        if sub.is_none() && !is_itself {
            return Found::Nothing;
        }
        Found::Place(Self { kind, path: self.path.clone(), attribute, sub })
    }

    fn is_secret(&self) -> bool {
        self.attribute.returned == Returned::Never
    }

    /// Where the value lies that comparisons are about, and how it is defined: a complex attribute stands for its
    /// `value` (Entra asks `manager eq "x"`), where it has one.
    fn comparable(&self) -> Option<(Leaf, &'k Attribute)> {
        match (self.sub, self.attribute.kind) {
            (Some(sub), _) => Some((self.leaf(Some(sub)), sub)),
            (None, Kind::Complex) => self.attribute.sub("value").map(|sub| (self.leaf(Some(sub)), sub)),
            (None, _) => Some((self.leaf(None), self.attribute)),
        }
    }

    fn leaf(&self, sub: Option<&Attribute>) -> Leaf {
        let kind = sub.unwrap_or(self.attribute).kind;
        let path = || self.path.clone();
        match sub.map(|sub| (sub, field(sub))) {
            Some((_, Some(field))) if self.attribute.multi_valued => Leaf { path: path(), field, kind },
            Some((sub, _)) => Leaf { path: place_of_sub(&self.path, sub), field: Field::Value, kind },
            None => Leaf { path: path(), field: Field::Value, kind },
        }
    }

    /// RFC 7644 3.4.2.2, `pr`: a complex attribute is present when a part of it is.
    fn present(&self) -> Condition {
        let present = |sub| self.test(self.leaf(sub), Test::Present);
        match self.sub {
            None if MEMBERSHIPS.contains(&self.path.as_str()) => present(self.attribute.sub("value")),
            None if self.attribute.kind == Kind::Complex => {
                Condition::Any(self.attribute.sub_attributes.iter().map(|sub| present(Some(sub))).collect())
            }
            sub => present(sub),
        }
    }

    fn compare(&self, path: &AttributePath, operator: Operator, value: &Value) -> Result<Condition, ScimError> {
        match (value, operator) {
            (Value::Null, Operator::Equal) => return Ok(not(self.present())),
            (Value::Null, Operator::NotEqual) => return Ok(self.present()),
            (Value::Null, _) => return Ok(Condition::Constant(false)),
            _ => {}
        }
        let Some((leaf, definition)) = self.comparable() else {
            return Err(invalid(format!(
                "{} has several parts and cannot be compared as a whole. Compare one of them, as in {} eq \"x\".",
                named(path),
                self.example()
            )));
        };
        let key = comparable_key(path, operator, value, definition)?;
        let test = |test| self.test(leaf, test);
        Ok(match operator {
            // An empty text is no value: equal to it is what has none.
            Operator::Equal if key.is_empty() => not(test(Test::Present)),
            Operator::NotEqual if key.is_empty() => test(Test::Present),
            Operator::Equal => test(Test::Equal(key)),
            // Of an attribute with several values, none may be equal; of an absent one, none is.
            Operator::NotEqual => not(test(Test::Equal(key))),
            Operator::Contains => test(Test::Contains(key)),
            Operator::StartsWith => test(Test::StartsWith(key)),
            Operator::EndsWith => test(Test::EndsWith(key)),
            Operator::Greater => test(Test::Greater(key)),
            Operator::GreaterOrEqual => test(Test::GreaterOrEqual(key)),
            Operator::Less => test(Test::Less(key)),
            Operator::LessOrEqual => test(Test::LessOrEqual(key)),
        })
    }

    fn test(&self, leaf: Leaf, test: Test) -> Condition {
        match leaf.path.as_str() {
            RESOURCE_TYPE => Condition::Constant(test.passes(self.kind.name)),
            SCHEMAS => self.has_schema(&test),
            _ => Condition::Test { leaf, test },
        }
    }

    /// Whether one of the resource's schemas passes the test: its core schema, or an extension of which it has a value.
    fn has_schema(&self, test: &Test) -> Condition {
        if test.passes(&self.kind.schema.id) {
            return Condition::Constant(true);
        }
        let in_use = |extension: &'k Schema| {
            extension.attributes.iter().map(move |attribute| {
                let path = place(Some(&extension.id), attribute);
                Place { kind: self.kind, path, attribute, sub: None }.present()
            })
        };
        let passing = self.kind.extensions.iter().filter(|extension| test.passes(&extension.id));
        Condition::Any(passing.flat_map(in_use).collect())
    }

    /// A name that would do, for an error message: a part of the attribute.
    fn example(&self) -> String {
        match self.attribute.sub("value").or(self.attribute.sub_attributes.first()) {
            Some(sub) => format!("{}.{}", self.attribute.name, sub.name),
            None if self.attribute.multi_valued => format!("{}.value", self.attribute.name),
            None => self.attribute.name.to_string(),
        }
    }
}

/// The key of a filter's value, if the attribute can be compared with it.
fn comparable_key(
    path: &AttributePath,
    operator: Operator,
    value: &Value,
    definition: &Attribute,
) -> Result<String, ScimError> {
    let kind = definition.kind;
    if !takes(kind, operator) {
        return Err(invalid(format!(
            "{} is of the type {}, which cannot be compared with {}. {}",
            named(path),
            kind.as_str(),
            operator.as_str(),
            match kind {
                Kind::Boolean | Kind::Binary => "Use eq, ne or pr.",
                _ => "Use eq, ne, gt, ge, lt, le or pr.",
            }
        )));
    }
    let is_date = || value.as_str().is_some_and(|text| keys::moment(text).is_some());
    let key = keys::key(kind, definition.case_exact, value).filter(|_| kind != Kind::DateTime || is_date());
    let Some(key) = key else {
        return Err(invalid(format!(
            "{} is compared with {}, but the filter has {}{}.",
            named(path),
            match kind {
                Kind::Boolean => "true or false",
                Kind::Integer | Kind::Decimal => "a number without quotation marks",
                Kind::DateTime => "a date and time such as \"2026-01-31T12:00:00Z\"",
                _ => "a text in double quotes",
            },
            describe(value),
            value.as_str().map(|text| format!(", {}", quote(text))).unwrap_or_default()
        )));
    };
    if key.len() > MAX_KEY_BYTES {
        return Err(invalid(format!(
            "The text that {} is compared with is longer than {MAX_KEY_BYTES} bytes. Shorten it.",
            named(path)
        )));
    }
    Ok(key)
}

/// What a comparison says of an attribute without a value.
fn of_no_value(operator: Operator, value: &Value) -> Condition {
    let with_nothing = value.is_null() || value.as_str() == Some("");
    Condition::Constant(match operator {
        Operator::Equal => with_nothing,
        Operator::NotEqual => !with_nothing,
        _ => false,
    })
}

fn not(condition: Condition) -> Condition {
    Condition::Not(Box::new(condition))
}

fn named(path: &AttributePath) -> String {
    quote(&path.to_string())
}

fn unknown_attribute(kind: &ResourceType) -> String {
    format!(
        "resources of the type {} do not have. Compare with the names under /Schemas; for an attribute of your own, define \
         it for this connection first.",
        kind.name
    )
}

fn invalid(detail: String) -> ScimError {
    ScimError::bad_request(ScimType::InvalidFilter, detail)
}

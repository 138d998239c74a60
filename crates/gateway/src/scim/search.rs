//! A SCIM search in the store's words: which attribute is which column, and what cannot be asked.

use super::call::{Directory, Work};
use crate::error::Error;
use ::scim::{
    error::{ScimError, ScimType},
    list::{Cursor, ListQuery, SortBy, Start as QueryStart},
    schema::{Catalogue, ResourceType},
    search::{self, Condition, Field, Leaf, Sort, Test, Unknown},
};
use domain::{ids::ConnectionId, names::fold};
use std::{sync::Arc, time::Duration};
use store::search as stored;
use uuid::Uuid;

/// How long a search may take that no index leads.
const PATIENCE: Duration = Duration::from_secs(5);

/// Which kind of resource is searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resource {
    User,
    Group,
}

impl Resource {
    /// The endpoint's name.
    pub fn endpoint(self) -> &'static str {
        match self {
            Self::User => "Users",
            Self::Group => "Groups",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Group => "group",
        }
    }

    fn kind(self, catalogue: &Catalogue) -> &ResourceType {
        match self {
            Self::User => catalogue.user(),
            Self::Group => catalogue.group(),
        }
    }
}

/// What to ask the store, and where to start.
pub struct Prepared {
    pub search: stored::Search,
    pub start: stored::Start,
    /// What cursors of this search carry; `None` for paging by index.
    pub cursor: Option<u64>,
    /// Whether an index leads to what is asked for, so that no time needs to be set.
    pub narrow: bool,
}

/// Prepares a list of one resource type.
pub async fn prepare(work: &mut Work, resource: Resource, query: &ListQuery) -> Result<Prepared, Error> {
    let search = of_type(work, resource, query, Unknown::Refuse)?;
    let (start, cursor) = start(work, query, resource)?;
    let narrow = search.condition.as_ref().is_none_or(stored::Condition::is_narrow) && search.order.is_none();
    if !narrow {
        stored::bound(&mut work.tx, PATIENCE).await?;
    }
    Ok(Prepared { search, start, cursor, narrow })
}

/// One more transaction of a list, as patient as the first.
pub async fn go_on(directory: &Arc<Directory>, narrow: bool) -> Result<Work, Error> {
    let mut work = directory.open().await?;
    if !narrow {
        stored::bound(&mut work.tx, PATIENCE).await?;
    }
    Ok(work)
}

/// The search of one type for a filter that may be meant for several.
pub fn of_type(
    work: &Work,
    resource: Resource,
    query: &ListQuery,
    unknown: Unknown,
) -> Result<stored::Search, ScimError> {
    Translator { resource, base_url: &work.base_url }.search(work.connection, work.catalogue(), query, unknown)
}

fn start(work: &Work, query: &ListQuery, resource: Resource) -> Result<(stored::Start, Option<u64>), ScimError> {
    let fingerprint = fingerprint(work, query, resource.endpoint());
    match &query.start {
        QueryStart::Index(index) => Ok((stored::Start::Offset(index.saturating_sub(1)), None)),
        QueryStart::Cursor(None) => Ok((stored::Start::Offset(0), Some(fingerprint))),
        QueryStart::Cursor(Some(cursor)) => match Uuid::try_parse(&cursor.id) {
            Ok(id) if cursor.query == fingerprint => {
                let place = stored::Place { key: cursor.sort_key.clone(), id };
                Ok((stored::Start::After(place), Some(fingerprint)))
            }
            _ => Err(foreign_cursor()),
        },
    }
}

/// What the cursors of a query carry: one of another connection is one of another search.
pub fn fingerprint(work: &Work, query: &ListQuery, endpoint: &str) -> u64 {
    query.fingerprint(&format!("{}/{endpoint}", work.connection))
}

/// A cursor that belongs to another search.
pub fn foreign_cursor() -> ScimError {
    ScimError::bad_request(
        ScimType::InvalidCursor,
        "The cursor belongs to another search. Start again with an empty cursor, and keep filter and sort order.",
    )
}

/// The cursor of the page behind a resource (RFC 9865).
pub fn cursor(query: u64, place: &stored::Place) -> String {
    Cursor { query, sort_key: place.key.clone(), id: place.id.to_string() }.encode()
}

/// Puts searches of one connection into the store's words.
pub struct Translator<'a> {
    pub resource: Resource,
    pub base_url: &'a str,
}

impl Translator<'_> {
    /// The search that a query asks for.
    pub fn search(
        &self,
        connection: ConnectionId,
        catalogue: &Catalogue,
        query: &ListQuery,
        unknown: Unknown,
    ) -> Result<stored::Search, ScimError> {
        let kind = self.resource.kind(catalogue);
        let condition = match &query.filter {
            Some(filter) => Some(self.condition(search::resolve(filter, kind, unknown)?)?),
            None => None,
        };
        let order = match &query.sort {
            Some(SortBy { by, descending }) => match search::resolve_sort(by, *descending, kind)? {
                Some(sort) => self.order(sort)?,
                None => None,
            },
            None => None,
        };
        Ok(stored::Search { connection, condition, order })
    }

    fn condition(&self, condition: Condition) -> Result<stored::Condition, ScimError> {
        let each =
            |all: Vec<Condition>| -> Result<Vec<_>, _> { all.into_iter().map(|one| self.condition(one)).collect() };
        Ok(match condition {
            Condition::All(all) => stored::Condition::All(each(all)?),
            Condition::Any(any) => stored::Condition::Any(each(any)?),
            Condition::Not(inner) => stored::Condition::Not(Box::new(self.condition(*inner)?)),
            Condition::Constant(holds) => stored::Condition::Constant(holds),
            Condition::Test { leaf, test } => self.test(leaf, test)?,
            Condition::Element { path, condition } => match (path.as_str(), *condition) {
                ("groups", inner) => in_group(inner)?,
                ("members", inner) => stored::Condition::OneMember(Box::new(self.condition(inner)?)),
                (_, inner) => stored::Condition::Element(path, Box::new(self.condition(inner)?)),
            },
        })
    }

    fn test(&self, leaf: Leaf, test: Test) -> Result<stored::Condition, ScimError> {
        if (self.resource, leaf.path.as_str()) == (Resource::User, "meta.version") {
            return match test {
                Test::Present => Ok(stored::Condition::Constant(true)),
                // It says which groups the user is in, also indirectly, and no column does.
                _ => Err(refused("meta.version of users")),
            };
        }
        if let Some(column) = self.column(&leaf.path) {
            let test = match column {
                // The store's key of a name is trimmed as well.
                stored::Column::UserName | stored::Column::DisplayName => trimmed(test),
                _ => test,
            };
            return Ok(stored::Condition::Column(column, stored_test(test)));
        }
        Ok(match (self.resource, leaf.path.as_str()) {
            (_, "meta.resourcetype") => stored::Condition::Constant(holds(&test, self.resource.name())),
            (_, "meta.location") => self.location(&test)?,
            (_, "schemas") => return Err(refused("schemas")),
            (Resource::User, "groups" | "groups.display") => in_group(Condition::Test { leaf, test })?,
            (Resource::Group, "members") if leaf.field == Field::Value => {
                stored::Condition::Member(stored::Member::Id, stored_test(test))
            }
            (Resource::Group, "members") if leaf.field == Field::Type => {
                stored::Condition::Member(stored::Member::Kind, stored_test(test))
            }
            (Resource::Group, _) | (_, "groups.$ref") => return Err(refused(&leaf.path)),
            (Resource::User, _) => stored::Condition::Attribute(stored_leaf(leaf), stored_test(test)),
        })
    }

    fn column(&self, path: &str) -> Option<stored::Column> {
        Some(match (self.resource, path) {
            (_, "id") => stored::Column::Id,
            (_, "externalid") => stored::Column::ExternalId,
            (_, "meta.created") => stored::Column::CreatedAt,
            (_, "meta.lastmodified") => stored::Column::UpdatedAt,
            (_, "meta.version") => stored::Column::Version,
            (Resource::User, "username") => stored::Column::UserName,
            (Resource::User, "active") => stored::Column::Active,
            (Resource::Group, "displayname") => stored::Column::DisplayName,
            _ => return None,
        })
    }

    /// An address says the id; nothing else of it differs between resources.
    fn location(&self, test: &Test) -> Result<stored::Condition, ScimError> {
        match test {
            Test::Present => Ok(stored::Condition::Constant(true)),
            Test::Equal(url) => {
                let start = format!("{}/{}/", self.base_url, self.resource.endpoint());
                Ok(match url.strip_prefix(&start) {
                    Some(id) => stored::Condition::Column(stored::Column::Id, stored::Test::Equal(id.to_owned())),
                    None => stored::Condition::Constant(false),
                })
            }
            _ => Err(refused("meta.location other than with eq")),
        }
    }

    fn order(&self, sort: Sort) -> Result<Option<stored::Order>, ScimError> {
        let Sort { leaf, descending } = sort;
        let by = match self.column(&leaf.path) {
            Some(column) => stored::OrderBy::Column(column),
            None if matches!(leaf.path.as_str(), "meta.resourcetype" | "schemas") => return Ok(None),
            None if leaf.path == "meta.location" => stored::OrderBy::Column(stored::Column::Id),
            None if self.resource == Resource::Group || leaf.path.starts_with("groups") => {
                let detail = format!("The directory cannot sort by {}. Sort by a name or a date.", leaf.path);
                return Err(ScimError::bad_request(ScimType::InvalidPath, detail));
            }
            None => stored::OrderBy::Attribute(stored_leaf(leaf)),
        };
        Ok(Some(stored::Order { by, descending }))
    }
}

/// What holds of one of the groups that the user is in, directly or through others.
fn in_group(condition: Condition) -> Result<stored::Condition, ScimError> {
    fn of_group(condition: Condition) -> Result<stored::Condition, ScimError> {
        let each = |all: Vec<Condition>| -> Result<Vec<_>, _> { all.into_iter().map(of_group).collect() };
        Ok(match condition {
            Condition::All(all) => stored::Condition::All(each(all)?),
            Condition::Any(any) => stored::Condition::Any(each(any)?),
            Condition::Not(inner) => stored::Condition::Not(Box::new(of_group(*inner)?)),
            Condition::Constant(holds) => stored::Condition::Constant(holds),
            Condition::Test { leaf, test } => match (leaf.path.as_str(), leaf.field) {
                ("groups", Field::Value) => stored::Condition::Column(stored::Column::Id, stored_test(test)),
                ("groups.display", _) => {
                    stored::Condition::Column(stored::Column::DisplayName, stored_test(trimmed(test)))
                }
                _ => return Err(refused("groups by anything but value and display")),
            },
            Condition::Element { .. } => return Err(refused("brackets inside brackets")),
        })
    }
    Ok(stored::Condition::InGroup(Box::new(of_group(condition)?)))
}

fn stored_leaf(leaf: Leaf) -> stored::Leaf {
    let field = match leaf.field {
        Field::Value => stored::Field::Value,
        Field::Type => stored::Field::Type,
        Field::Primary => stored::Field::Primary,
    };
    stored::Leaf { path: leaf.path, field }
}

fn stored_test(test: Test) -> stored::Test {
    match test {
        Test::Present => stored::Test::Present,
        Test::Equal(key) => stored::Test::Equal(key),
        Test::Contains(key) => stored::Test::Contains(key),
        Test::StartsWith(key) => stored::Test::StartsWith(key),
        Test::EndsWith(key) => stored::Test::EndsWith(key),
        Test::Greater(key) => stored::Test::Greater(key),
        Test::GreaterOrEqual(key) => stored::Test::GreaterOrEqual(key),
        Test::Less(key) => stored::Test::Less(key),
        Test::LessOrEqual(key) => stored::Test::LessOrEqual(key),
    }
}

fn trimmed(test: Test) -> Test {
    match test {
        Test::Equal(key) => Test::Equal(fold(&key)),
        other => other,
    }
}

/// The test on a value that is the same for all resources of a type.
fn holds(test: &Test, value: &str) -> bool {
    let folded = |key: &String| key.to_lowercase();
    match test {
        Test::Present => true,
        Test::Equal(key) => value == folded(key),
        Test::Contains(key) => value.contains(&folded(key)),
        Test::StartsWith(key) => value.starts_with(&folded(key)),
        Test::EndsWith(key) => value.ends_with(&folded(key)),
        Test::Greater(key) => value > folded(key).as_str(),
        Test::GreaterOrEqual(key) => value >= folded(key).as_str(),
        Test::Less(key) => value < folded(key).as_str(),
        Test::LessOrEqual(key) => value <= folded(key).as_str(),
    }
}

fn refused(what: &str) -> ScimError {
    ScimError::bad_request(
        ScimType::InvalidFilter,
        format!("The directory cannot filter by {what}. Filter by another attribute, such as userName or displayName."),
    )
}

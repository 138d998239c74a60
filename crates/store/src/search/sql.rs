//! The statements of a search. Every name below is written here; every value is a parameter.

use super::{Column, Condition, Field, Leaf, Member, Order, OrderBy, Place, Search, Start, Test, moment};
use sqlx::{Postgres, QueryBuilder};
use uuid::Uuid;

/// Questions about attributes that the planner may turn into joins.
const MOST_JOINS: usize = 4;

type Query = QueryBuilder<Postgres>;

/// Which table is searched; it is `r` in every statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Resource {
    Account,
    Group,
}

/// A page of resources with their sort keys; of accounts also, if wanted, the groups that each is in.
pub(super) fn page(resource: Resource, search: &Search, start: &Start, limit: i64, with_groups: bool) -> Query {
    let mut query = Query::new("-- search::page\nSELECT ");
    query.push(match resource {
        Resource::Account => {
            "r.id, r.connection_id, r.user_id, r.user_name, r.external_id, r.email, r.display_name, r.active, r.role, \
             r.role_reason, r.role_basis, r.is_highest, r.parked, r.parked_user, r.waits_since, r.name_id, r.document, r.version, r.created_at, r.updated_at, "
        }
        Resource::Group => "r.id, r.display_name, r.external_id, r.version, r.created_at, r.updated_at, ",
    });
    if with_groups {
        query.push("m.ids, m.names, m.nested, ");
    } else if resource == Resource::Account {
        query.push("NULL::uuid[] AS ids, NULL::json AS names, NULL::boolean AS nested, ");
    }
    sort_key(&mut query, search.order.as_ref());
    query.push(" AS sort_key");
    from(&mut query, resource, search, with_groups);
    in_order(&mut query, search.order.as_ref(), Key::Computed, start, limit);
    query
}

/// Whether the sort key is a column of what is selected from.
#[derive(Clone, Copy)]
enum Key {
    Known,
    Computed,
}

impl Key {
    fn push(self, query: &mut Query, order: &Order) {
        match self {
            Self::Known => drop(query.push("r.sort_key")),
            Self::Computed => sort_key(query, Some(order)),
        }
    }
}

/// What follows the conditions: where the page starts, in which order, and how long it is.
fn in_order(query: &mut Query, order: Option<&Order>, key: Key, start: &Start, limit: i64) {
    if let Some(Order { by: OrderBy::Column(column @ (Column::UserName | Column::DisplayName)), .. }) = order {
        // It always is; but without being told, the planner takes no index that has only such rows.
        query.push(" AND ").push(text(*column)).push(" IS NOT NULL");
    }
    if let Start::After(place) = start {
        query.push(" AND ");
        behind(query, order, key, place);
    }
    query.push(" ORDER BY ");
    if let Some(order) = order {
        key.push(query, order);
        query.push(if order.descending { " DESC NULLS FIRST, " } else { " ASC NULLS LAST, " });
    }
    query.push("r.id LIMIT ").push_bind(limit);
    if let Start::Offset(offset) = start
        && *offset > 0
    {
        query.push(" OFFSET ").push_bind(*offset);
    }
}

/// A page as places only, for what no index leads to: it is searched once, however many pieces it is read in. What is
/// ordered by an attribute has its key looked up once for each resource, behind a fence that the planner respects.
pub(super) fn places(resource: Resource, search: &Search, start: &Start, limit: i64) -> Query {
    let order = search.order.as_ref();
    let fenced = matches!(order, Some(Order { by: OrderBy::Attribute(_), .. }));
    let mut query = Query::new("-- search::places\nSELECT r.id, ");
    if fenced {
        query.push("r.sort_key FROM (SELECT r.id, ");
        sort_key(&mut query, order);
        query.push(" AS sort_key");
        from(&mut query, resource, search, false);
        query.push(" OFFSET 0) AS r WHERE true");
    } else {
        sort_key(&mut query, order);
        query.push(" AS sort_key");
        from(&mut query, resource, search, false);
    }
    let key = if fenced { Key::Known } else { Key::Computed };
    in_order(&mut query, order, key, start, limit);
    query
}

/// How many there are.
pub(super) fn count(resource: Resource, search: &Search) -> Query {
    let mut query = Query::new("-- search::count\nSELECT count(*)");
    from(&mut query, resource, search, false);
    query
}

fn from(query: &mut Query, resource: Resource, search: &Search, with_groups: bool) {
    query.push(match resource {
        Resource::Account => " FROM accounts r",
        Resource::Group => " FROM groups r",
    });
    if with_groups {
        query.push(
            " CROSS JOIN LATERAL (
               SELECT array_agg(g.id ORDER BY g.id) AS ids, json_agg(g.display_name ORDER BY g.id) AS names,
                      bool_or(EXISTS (SELECT FROM group_groups n WHERE n.member_id = g.id)) AS nested
               FROM (SELECT group_id FROM group_members WHERE account_id = r.id ORDER BY group_id LIMIT 1000) AS d
               CROSS JOIN LATERAL (SELECT id, display_name FROM groups WHERE id = d.group_id LIMIT 1) AS g) AS m",
        );
    }
    query.push(" WHERE r.connection_id = ");
    query.push_bind(search.connection.0);
    if let Some(condition) = &search.condition {
        query.push(" AND ");
        Writer { query, connection: search.connection.0, element: None, member: None, joins: MOST_JOINS }
            .condition(condition);
    }
}

/// What resources are ordered by, as text; NULL for the order of ids.
fn sort_key(query: &mut Query, order: Option<&Order>) {
    match order.map(|order| &order.by) {
        None => query.push("NULL::text"),
        Some(OrderBy::Column(column)) => query.push(text(*column)),
        Some(OrderBy::Attribute(leaf)) => {
            // A long value is put into order by its beginning, so that a cursor stays short.
            let column = match leaf.field {
                Field::Value => "k.value_key",
                Field::Type => "k.type_key",
                Field::Primary => "k.is_primary::text",
            };
            query
                .push("(SELECT ")
                .push(column)
                .push(" COLLATE \"C\" FROM account_attributes k WHERE k.account_id = r.id AND k.path = ");
            query.push_bind(&leaf.path);
            // RFC 7644 3.4.2.3: the primary value, else the first; `false` and nothing say the same of a value.
            query.push(" ORDER BY (k.is_primary IS TRUE) DESC, k.item LIMIT 1)")
        }
    };
}

/// Behind a place, in the order of `page`.
fn behind(query: &mut Query, order: Option<&Order>, by: Key, place: &Place) {
    let Some(order) = order else {
        query.push("r.id > ").push_bind(place.id);
        return;
    };
    query.push("(");
    match &place.key {
        Some(key) => {
            by.push(query, order);
            query.push(if order.descending { " < " } else { " > " }).push_bind(key).push(" COLLATE \"C\" OR (");
            by.push(query, order);
            query.push(" = ").push_bind(key).push(" AND r.id > ").push_bind(place.id).push(")");
            if !order.descending {
                query.push(" OR ");
                by.push(query, order);
                query.push(" IS NULL");
            }
        }
        None => {
            query.push("(");
            by.push(query, order);
            query.push(" IS NULL AND r.id > ").push_bind(place.id).push(")");
            if order.descending {
                query.push(" OR ");
                by.push(query, order);
                query.push(" IS NOT NULL");
            }
        }
    }
    query.push(")");
}

/// A column as a text that is ordered and compared byte by byte. Times are as responses show them, in milliseconds.
fn text(column: Column) -> &'static str {
    match column {
        Column::Id => "r.id::text COLLATE \"C\"",
        Column::ExternalId => "r.external_id",
        Column::UserName => "r.user_name_key",
        Column::DisplayName => "r.display_name_key",
        Column::Active => "r.active::text COLLATE \"C\"",
        Column::CreatedAt => {
            "to_char(r.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"000000Z\"') COLLATE \"C\""
        }
        Column::UpdatedAt => {
            "to_char(r.updated_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"000000Z\"') COLLATE \"C\""
        }
        Column::Version => "('W/\"' || r.version || '\"') COLLATE \"C\"",
    }
}

/// Which table `m` is.
#[derive(Clone, Copy)]
enum MemberRow {
    Account,
    Group,
}

/// Writes conditions; inside an element, `e` is its row, and inside a member, `m`.
struct Writer<'w> {
    query: &'w mut Query,
    connection: Uuid,
    element: Option<&'w str>,
    member: Option<MemberRow>,
    /// How many more questions the planner may turn into joins.
    joins: usize,
}

impl Writer<'_> {
    fn condition(&mut self, condition: &Condition) {
        match condition {
            Condition::All(all) => self.joined(all, " AND ", "true"),
            Condition::Any(any) => self.joined(any, " OR ", "false"),
            Condition::Not(inner) => {
                // What is unknown does not hold, and then its opposite does.
                self.query.push("NOT coalesce(");
                self.condition(inner);
                self.query.push(", false)");
            }
            Condition::Constant(holds) => {
                self.query.push(if *holds { "true" } else { "false" });
            }
            Condition::Column(column, test) => self.column(*column, test),
            Condition::Attribute(leaf, test) => self.attribute(leaf, test),
            Condition::Element(path, inner) => self.one_element(path, inner),
            Condition::InGroup(inner) => self.in_group(inner),
            Condition::OneMember(inner) => self.one_member(inner),
            Condition::Member(member, test) => self.member(*member, test),
        }
    }

    fn joined(&mut self, conditions: &[Condition], word: &str, none: &str) {
        self.query.push("(");
        for (index, condition) in conditions.iter().enumerate() {
            if index > 0 {
                self.query.push(word);
            }
            self.condition(condition);
        }
        if conditions.is_empty() {
            self.query.push(none);
        }
        self.query.push(")");
    }

    fn column(&mut self, column: Column, test: &Test) {
        match (column, test) {
            (Column::Id, Test::Equal(id)) => match Uuid::try_parse(id) {
                // The text of an id is in lower case, and comparing it minds the case.
                Ok(uuid) if uuid.to_string() == *id => {
                    self.query.push("r.id = ").push_bind(uuid);
                }
                _ => {
                    self.query.push("false");
                }
            },
            (Column::CreatedAt | Column::UpdatedAt, test) if key(test).and_then(moment).is_some() => {
                self.time(column, test);
            }
            (column, test) => self.test(text(column), text(column), test),
        }
    }

    /// Responses show milliseconds, so that is what is compared.
    fn time(&mut self, column: Column, test: &Test) {
        let at = key(test).and_then(moment);
        let operator = match test {
            Test::Greater(_) => " > ",
            Test::GreaterOrEqual(_) => " >= ",
            Test::Less(_) => " < ",
            Test::LessOrEqual(_) => " <= ",
            _ => " = ",
        };
        let column = if column == Column::CreatedAt { "r.created_at" } else { "r.updated_at" };
        self.query.push("date_trunc('milliseconds', ").push(column).push(")").push(operator).push_bind(at);
    }

    fn attribute(&mut self, leaf: &Leaf, test: &Test) {
        match self.element {
            Some(element) if element == leaf.path => self.field("e", leaf.field, test),
            Some(_) => {
                self.query.push("(EXISTS (SELECT FROM account_attributes s WHERE s.account_id = e.account_id AND s.item = e.item AND s.path = ");
                self.query.push_bind(&leaf.path).push(" AND ");
                self.field("s", leaf.field, test);
                self.query.push(")) IS TRUE");
            }
            None => {
                let end = self.rows_of("s", &leaf.path);
                self.field("s", leaf.field, test);
                self.query.push(end);
            }
        }
    }

    fn one_element(&mut self, path: &str, inner: &Condition) {
        let end = self.rows_of("e", path);
        self.inside(Some(path)).condition(inner);
        self.query.push(end);
    }

    fn inside<'i>(&'i mut self, element: Option<&'i str>) -> Writer<'i> {
        Writer { query: self.query, connection: self.connection, element, member: None, joins: 0 }
    }

    /// Begins "the resource is one of these"; answers how to end it. The planner tries all orders of what it may join,
    /// and took two seconds for 64 of them; what stands behind IS TRUE it leaves where it is.
    fn one_of(&mut self) -> &'static str {
        if self.joins == 0 {
            self.query.push("(r.id IN (");
            return ")) IS TRUE";
        }
        self.joins -= 1;
        self.query.push("r.id IN (");
        ")"
    }

    /// Begins "the account is one with such a row", by the connection's index, so that a value leads to it; answers how
    /// to end it.
    fn rows_of(&mut self, alias: &'static str, path: &str) -> &'static str {
        let end = self.one_of();
        self.query.push("SELECT ").push(alias).push(".account_id FROM account_attributes ").push(alias);
        self.query.push(" WHERE ").push(alias).push(".connection_id = ").push_bind(self.connection);
        self.query.push(" AND ").push(alias).push(".path = ").push_bind(path).push(" AND ");
        end
    }

    fn field(&mut self, alias: &'static str, field: Field, test: &Test) {
        let (column, whole) = match (alias, field) {
            ("e", Field::Value) => ("e.value_key", "coalesce(e.long_key, e.value_key)"),
            ("e", Field::Type) => ("e.type_key", "e.type_key"),
            ("e", Field::Primary) => ("e.is_primary::text", "e.is_primary::text"),
            (_, Field::Value) => ("s.value_key", "coalesce(s.long_key, s.value_key)"),
            (_, Field::Type) => ("s.type_key", "s.type_key"),
            (_, Field::Primary) => ("s.is_primary::text", "s.is_primary::text"),
        };
        self.test(column, whole, test);
    }

    /// `column` may be cut and is in an index; `whole` is all of it.
    fn test(&mut self, column: &str, whole: &str, test: &Test) {
        let query = &mut *self.query;
        match test {
            Test::Present => query.push(column).push(" <> ''"),
            Test::Equal(key) => query.push(column).push(" = ").push_bind(key),
            Test::Contains(key) => query.push("strpos(").push(whole).push(", ").push_bind(key).push(") > 0"),
            Test::StartsWith(key) => query.push(column).push(" ^@ ").push_bind(key),
            Test::EndsWith(key) => {
                query.push("right(").push(whole).push(", char_length(").push_bind(key).push(")) = ").push_bind(key)
            }
            Test::Greater(key) => query.push(whole).push(" > ").push_bind(key).push(" COLLATE \"C\""),
            Test::GreaterOrEqual(key) => query.push(whole).push(" >= ").push_bind(key).push(" COLLATE \"C\""),
            Test::Less(key) => query.push(whole).push(" < ").push_bind(key).push(" COLLATE \"C\""),
            Test::LessOrEqual(key) => query.push(whole).push(" <= ").push_bind(key).push(" COLLATE \"C\""),
        };
    }

    /// From the groups of which the condition holds down through the groups in them to the accounts.
    fn in_group(&mut self, inner: &Condition) {
        let end = self.one_of();
        self.query.push("WITH RECURSIVE below (id) AS (SELECT r.id FROM groups r WHERE r.connection_id = ");
        self.query.push_bind(self.connection).push(" AND ");
        self.inside(None).condition(inner);
        self.query.push(
            " UNION SELECT n.member_id FROM group_groups n JOIN below b ON b.id = n.group_id) \
             SELECT m.account_id FROM group_members m JOIN below b ON b.id = m.group_id",
        );
        self.query.push(end);
    }

    /// Some member, be it an account or a group, of which the condition holds.
    fn one_member(&mut self, inner: &Condition) {
        let kinds = [
            ("EXISTS (SELECT FROM group_members m WHERE m.group_id = r.id AND ", MemberRow::Account),
            (" OR EXISTS (SELECT FROM group_groups m WHERE m.group_id = r.id AND ", MemberRow::Group),
        ];
        self.query.push("(");
        for (exists, row) in kinds {
            self.query.push(exists);
            let mut inside = self.inside(None);
            inside.member = Some(row);
            inside.condition(inner);
            self.query.push(")");
        }
        self.query.push(")");
    }

    fn member(&mut self, member: Member, test: &Test) {
        let (id, kind) = match self.member {
            Some(MemberRow::Account) => ("m.account_id", "'user'::text COLLATE \"C\""),
            Some(MemberRow::Group) => ("m.member_id", "'group'::text COLLATE \"C\""),
            None => return self.one_member(&Condition::Member(member, test.clone())),
        };
        match (member, test) {
            (Member::Id, Test::Equal(key)) => {
                let wanted = Uuid::try_parse(key).ok().filter(|uuid| uuid.to_string() == *key);
                self.query.push(id).push(" = ").push_bind(wanted);
            }
            (Member::Id, test) => {
                let as_text = format!("{id}::text COLLATE \"C\"");
                self.test(&as_text, &as_text, test);
            }
            (Member::Kind, test) => self.test(kind, kind, test),
        }
    }
}

/// The key that a test compares with.
fn key(test: &Test) -> Option<&str> {
    match test {
        Test::Present => None,
        Test::Equal(key)
        | Test::Contains(key)
        | Test::StartsWith(key)
        | Test::EndsWith(key)
        | Test::Greater(key)
        | Test::GreaterOrEqual(key)
        | Test::Less(key)
        | Test::LessOrEqual(key) => Some(key),
    }
}

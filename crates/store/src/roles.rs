//! Roles: what a connection decides them by, and what that says of its accounts. Everything is done to sets, with as many
//! statements for a hundred thousand accounts as for one.

use crate::{
    error::{Error, Result},
    pooled::one_row,
    seats,
    tenant::TenantTx,
};
use domain::{
    account::RoleBasis,
    ids::{AccountId, ApplicationId, ConnectionId, UserId},
    reassignment::{Reassignment, Standing},
    role::{Asserted, AssertedId, GroupRule, RoleCatalogue, RolePolicy, RoleReason, RoleSource},
};
use futures_util::{Stream, TryStreamExt};
use serde_json::{Value, json};
use time::OffsetDateTime;
use uuid::Uuid;

/// A basis as it is stored beside the word for the reason; `version` of the account says which state it is of, because a process
/// of an older version changes accounts without it.
pub(crate) fn stored(basis: &RoleBasis, version: i64) -> Value {
    let Asserted { roles, groups, id } = &basis.assertion;
    let mut stored = json!({ "saml": roles, "detail": basis.reason.detail(), "version": version });
    if !groups.is_empty() {
        stored["groups"] = json!(groups);
    }
    if let Some(AssertedId { source, value }) = id {
        stored["id"] = json!({ "source": source, "value": value });
    }
    if let Some(attribute) = &basis.attribute {
        stored["scim"] = json!(attribute);
    }
    stored
}

/// The basis from its columns; older versions stored the word alone, or changed the account without it.
pub(crate) fn basis((word, is_highest): (&str, bool), stored: Option<&Value>, version: i64) -> RoleBasis {
    let texts =
        |value: &Value| value.as_array().map(|all| all.iter().filter_map(Value::as_str).map(str::to_owned).collect());
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let stored = stored.unwrap_or(&Value::Null);
    RoleBasis {
        reason: RoleReason::stored(word, &stored["detail"]),
        attribute: texts(&stored["scim"]).filter(|_| stored["version"] == version),
        assertion: Asserted {
            roles: texts(&stored["saml"]).unwrap_or_default(),
            groups: texts(&stored["groups"]).unwrap_or_default(),
            id: text(&stored["id"]["source"])
                .zip(text(&stored["id"]["value"]))
                .map(|(source, value)| AssertedId { source, value }),
        },
        is_highest,
    }
}

/// What the connection decides roles by.
///
/// # Errors
/// [`Error::Damaged`] when what is stored does not fit the application's roles any more.
pub async fn policy(tx: &mut TenantTx, connection: ConnectionId, catalogue: &RoleCatalogue) -> Result<RolePolicy> {
    let sources = sqlx::query_scalar!(
        "-- roles::sources
         SELECT role_sources FROM connections WHERE id = $1",
        connection.0
    )
    .fetch_one(tx.conn().await?)
    .await?;
    let rules = sqlx::query!(
        "-- roles::rules
         SELECT group_name, role FROM role_rules WHERE connection_id = $1 ORDER BY place LIMIT 1000",
        connection.0
    )
    .fetch_all(tx.conn().await?)
    .await?;
    let sources = sources.iter().filter_map(|name| RoleSource::read(name)).collect();
    let rules = rules.into_iter().map(|row| GroupRule { group: row.group_name, role: row.role }).collect();
    let policy = RolePolicy::new(sources, rules, catalogue).map_err(|_| Error::Damaged("role_rules"))?;
    Ok(RolePolicy { fallback: seats::fallback(tx, connection).await?, ..policy })
}

/// Stores what the connection decides roles by from now on. What gateways remember of the connection is old then, and the
/// roles of its accounts have to be looked at.
pub async fn save(tx: &mut TenantTx, connection: ConnectionId, policy: &RolePolicy) -> Result<()> {
    let now = tx.now();
    let sources: Vec<String> = policy.sources.iter().map(|source| source.as_str().to_owned()).collect();
    let done = sqlx::query!(
        "-- roles::save_sources
         UPDATE connections SET role_sources = $2, schema_version = schema_version + 1, updated_at = $3 WHERE id = $1",
        connection.0,
        &sources,
        now
    )
    .execute(tx.conn().await?)
    .await?;
    one_row(&done)?;
    sqlx::query!("-- roles::forget_rules\n DELETE FROM role_rules WHERE connection_id = $1", connection.0)
        .execute(tx.conn().await?)
        .await?;
    let keys: Vec<String> = policy.rules.iter().map(GroupRule::key).collect();
    let column =
        |text: fn(&GroupRule) -> &str| policy.rules.iter().map(|rule| text(rule).to_owned()).collect::<Vec<_>>();
    sqlx::query!(
        "-- roles::save_rules
         INSERT INTO role_rules (connection_id, place, group_name, group_key, role)
         SELECT $1, place - 1, group_name, group_key, role
         FROM unnest($2::text[], $3::text[], $4::text[]) WITH ORDINALITY AS r (group_name, group_key, role, place)",
        connection.0,
        &column(|rule| &rule.group),
        &keys,
        &column(|rule| &rule.role)
    )
    .execute(tx.conn().await?)
    .await?;
    remember_to_look(tx, connection).await
}

/// Notes that the roles of all accounts of the connection have to be looked at.
pub async fn remember_to_look(tx: &mut TenantTx, connection: ConnectionId) -> Result<()> {
    let now = tx.now();
    sqlx::query!(
        "-- roles::set_mark
         INSERT INTO watches (connection_id, due_at, roles_since) VALUES ($1, $2, $2)
         ON CONFLICT (tenant_id, connection_id) DO UPDATE SET due_at = $2, roles_since = $2",
        connection.0,
        now
    )
    .execute(tx.conn().await?)
    .await?;
    Ok(())
}

/// Forgets the groups that sign-ins named.
pub async fn forget_asserted_groups(tx: &mut TenantTx, connection: ConnectionId) -> Result<()> {
    sqlx::query!(
        "-- roles::forget_asserted_groups
         UPDATE accounts SET role_basis = role_basis - 'groups' WHERE connection_id = $1 AND role_basis ? 'groups'",
        connection.0
    )
    .execute(tx.conn().await?)
    .await?;
    Ok(())
}

/// The same of all connections of an application, which are answered; and what gateways remember of them is old.
pub async fn look_again(tx: &mut TenantTx, application: ApplicationId) -> Result<Vec<ConnectionId>> {
    let now = tx.now();
    let ids = sqlx::query_scalar!(
        "-- roles::look_again
         UPDATE connections SET schema_version = schema_version + 1, updated_at = $2 WHERE application_id = $1 RETURNING id",
        application.0,
        now
    )
    .fetch_all(tx.conn().await?)
    .await?;
    for id in &ids {
        remember_to_look(tx, ConnectionId(*id)).await?;
    }
    Ok(ids.into_iter().map(ConnectionId).collect())
}

/// The place among `rules` of the first that is for a group of the account, direct or through other groups.
pub async fn rule_of(tx: &mut TenantTx, account: AccountId, rules: &[GroupRule]) -> Result<Option<usize>> {
    let keys: Vec<String> = rules.iter().map(GroupRule::key).collect();
    let place = sqlx::query_scalar!(
        "-- roles::rule_of
         WITH RECURSIVE up (id) AS (
             SELECT group_id FROM group_members WHERE account_id = $1
             UNION
             SELECT n.group_id FROM up CROSS JOIN LATERAL (SELECT group_id FROM group_groups WHERE member_id = up.id) AS n
         )
         SELECT min(r.place) FROM up
         CROSS JOIN LATERAL (SELECT display_name_key FROM groups WHERE id = up.id LIMIT 1) AS g
         JOIN unnest($2::text[]) WITH ORDINALITY AS r (group_key, place) ON r.group_key = g.display_name_key",
        account.0,
        &keys
    )
    .fetch_one(tx.conn().await?)
    .await?;
    Ok(place.and_then(|place| usize::try_from(place - 1).ok()))
}

/// Has those wait who would change groups of the connection at the same time, where groups have a say about roles: who is
/// below a group could be another set for each of them.
pub async fn lock_groups(tx: &mut TenantTx, connection: ConnectionId) -> Result<()> {
    wait_in_line(tx, &format!("groups:{connection}")).await
}

/// Until this transaction ends, others wait in the same line.
async fn wait_in_line(tx: &mut TenantTx, line: &str) -> Result<()> {
    sqlx::query!("-- roles::wait_in_line\n SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", line)
        .execute(tx.conn().await?)
        .await?;
    Ok(())
}

/// These, and who is in the groups among these, at any depth: whoever looks them up finds that some are no accounts.
pub async fn all_below(tx: &mut TenantTx, members: &[Uuid]) -> Result<Vec<Uuid>> {
    let ids = sqlx::query_scalar!(
        r#"-- roles::all_below
        WITH RECURSIVE down (id) AS (
            SELECT m.id FROM unnest($1::uuid[]) AS m (id)
            UNION
            SELECT n.member_id FROM down CROSS JOIN LATERAL (SELECT member_id FROM group_groups WHERE group_id = down.id) AS n
        )
        SELECT id AS "id!" FROM down
        UNION
        SELECT n.account_id FROM down
        CROSS JOIN LATERAL (SELECT account_id FROM group_members WHERE group_id = down.id) AS n"#,
        members
    )
    .fetch_all(tx.conn().await?)
    .await?;
    Ok(ids)
}

/// The accounts of the connection behind `after`, in order, `limit` at most.
pub async fn page(tx: &mut TenantTx, connection: ConnectionId, after: Uuid, limit: i64) -> Result<Vec<Uuid>> {
    let ids = sqlx::query_scalar!(
        "-- roles::page
         SELECT id FROM accounts WHERE connection_id = $1 AND id > $2 ORDER BY id LIMIT $3",
        connection.0,
        after,
        limit
    )
    .fetch_all(tx.conn().await?)
    .await?;
    Ok(ids)
}

/// Keeps these accounts from other changes until this transaction ends. A statement of its own, so that the next one sees
/// what those did for whom it waited.
pub async fn lock(tx: &mut TenantTx, connection: ConnectionId, accounts: &[Uuid]) -> Result<()> {
    sqlx::query!(
        "-- roles::lock
         SELECT count(*) FROM (SELECT w.id FROM unnest($2::uuid[]) AS w (id) ORDER BY 1) AS w
         CROSS JOIN LATERAL (
             SELECT id FROM accounts WHERE connection_id = $1 AND id = w.id LIMIT 1 FOR NO KEY UPDATE) AS a",
        connection.0,
        accounts
    )
    .fetch_one(tx.conn().await?)
    .await?;
    Ok(())
}

/// What is said of an account's role, as it is stored.
struct Said {
    id: Uuid,
    user_id: Uuid,
    active: bool,
    waits: bool,
    is_highest: bool,
    role: String,
    role_reason: String,
    role_basis: Option<Value>,
    version: i64,
    document: Option<Value>,
    place: Option<i64>,
}

impl Said {
    fn standing(self) -> (Standing, Option<Value>) {
        let basis = basis((&self.role_reason, self.is_highest), self.role_basis.as_ref(), self.version);
        let rule = self.place.and_then(|place| usize::try_from(place - 1).ok());
        let claims = basis.claims(rule, self.waits);
        let (account, user) = (AccountId(self.id), UserId(self.user_id));
        let Self { active, role, document, .. } = self;
        (Standing { account, user, active, role, reason: basis.reason, claims }, document)
    }
}

/// Asks what is said of roles; `lock` is what becomes of the rows.
macro_rules! said {
    ($name:literal, $lock:literal, $($argument:expr),*) => {
        sqlx::query_as!(
            Said,
            "-- roles::" + $name + r#"
        WITH RECURSIVE reached (id, place) AS (
            SELECT g.id, r.place FROM unnest($3::text[]) WITH ORDINALITY AS r (group_key, place)
            CROSS JOIN LATERAL (
                SELECT id FROM groups WHERE connection_id = $1 AND display_name_key = r.group_key LIMIT 1) AS g
            UNION
            SELECT n.member_id, reached.place FROM reached
            CROSS JOIN LATERAL (SELECT member_id FROM group_groups WHERE group_id = reached.id) AS n
        ), best AS MATERIALIZED (
            SELECT coalesce(jsonb_object_agg(r.id, r.place), '{}') AS places FROM (SELECT id, min(place) AS place FROM reached GROUP BY id) AS r
        )
        SELECT a.id AS "id!", a.user_id AS "user_id!", a.active AS "active!", a.waits AS "waits!", a.is_highest AS "is_highest!",
               a.role AS "role!", a.role_reason AS "role_reason!", a.role_basis, a.version AS "version!", a.document,
               (SELECT min((best.places ->> m.group_id::text)::bigint) FROM group_members m WHERE m.account_id = a.id) AS place
        FROM best CROSS JOIN (SELECT w.id FROM unnest($2::uuid[]) AS w (id) ORDER BY 1) AS w
        CROSS JOIN LATERAL (
            SELECT id, user_id, active AND parked IS NULL AS active, waits_since IS NOT NULL AS waits, is_highest, role, role_reason, role_basis, version,
                   CASE WHEN role_basis ? 'scim' AND role_basis -> 'version' = to_jsonb(version) THEN NULL ELSE document END AS document
            FROM accounts WHERE connection_id = $1 AND id = w.id LIMIT 1"# + $lock + r#") AS a"#
            $(, $argument)*
        )
    };
}

/// Tells what is said of the roles of these accounts, one by one in the order of their ids; with the document where an older
/// version wrote the row. `rules` are looked at in the place of those that are stored.
pub async fn standings(
    tx: &mut TenantTx,
    connection: ConnectionId,
    accounts: &[Uuid],
    rules: &[GroupRule],
    each: impl FnMut(Standing, Option<Value>),
) -> Result<()> {
    let keys: Vec<String> = rules.iter().map(GroupRule::key).collect();
    tell(said!("standings", "", connection.0, accounts, &keys).fetch(tx.conn().await?), each).await
}

/// The same of accounts that others may not change until this transaction ends. For those for whom it waited what is told of
/// groups is what it was before: whoever does not hold [`lock_groups`] locks them first.
pub async fn locked_standings(
    tx: &mut TenantTx,
    connection: ConnectionId,
    accounts: &[Uuid],
    rules: &[GroupRule],
    each: impl FnMut(Standing, Option<Value>),
) -> Result<()> {
    let keys: Vec<String> = rules.iter().map(GroupRule::key).collect();
    tell(said!("locked_standings", " FOR NO KEY UPDATE", connection.0, accounts, &keys).fetch(tx.conn().await?), each)
        .await
}

/// One by one as they come, so that none is kept.
async fn tell(
    mut rows: impl Stream<Item = sqlx::Result<Said>> + Unpin,
    mut each: impl FnMut(Standing, Option<Value>),
) -> Result<()> {
    while let Some(said) = rows.try_next().await? {
        let (standing, document) = said.standing();
        each(standing, document);
    }
    Ok(())
}

/// Gives accounts other roles, or other reasons for the same ones; their SCIM resources stay as they are. They are locked, so each
/// is where it was found: a join by address, because one by key reads the whole tenant wherever statistics take it for small.
pub async fn reassign(
    tx: &mut TenantTx,
    connection: ConnectionId,
    catalogue: &RoleCatalogue,
    changes: &[Reassignment],
) -> Result<()> {
    if changes.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = changes.iter().map(|one| one.account.0).collect();
    let roles: Vec<&str> = changes.iter().map(|one| one.change.after.role.as_str()).collect();
    let words: Vec<&str> = changes.iter().map(|one| one.change.after.reason.word()).collect();
    let details: Vec<&Value> = changes.iter().map(|one| &one.change.detail).collect();
    let highest: Vec<bool> = changes.iter().map(|one| catalogue.is_highest(&one.change.after.role)).collect();
    sqlx::query!(
        "-- roles::reassign
         UPDATE accounts a SET role = s.role, role_reason = s.word, is_highest = s.is_highest,
             role_basis = coalesce(a.role_basis, '{}') || jsonb_build_object('detail', s.detail)
         FROM (
             SELECT c.role, c.word, c.detail, c.is_highest, l.at
             FROM unnest($2::uuid[], $3::text[], $4::text[], $5::jsonb[], $6::boolean[])
                  AS c (id, role, word, detail, is_highest)
             CROSS JOIN LATERAL (SELECT ctid AS at FROM accounts WHERE connection_id = $1 AND id = c.id LIMIT 1) AS l
         ) AS s
         WHERE a.ctid = s.at",
        connection.0,
        &ids,
        &roles as &[&str],
        &words as &[&str],
        &details as &[&Value],
        &highest
    )
    .execute(tx.conn().await?)
    .await?;
    Ok(())
}

/// That the roles of all accounts have to be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    pub since: OffsetDateTime,
    /// Of what decides about them.
    pub version: i64,
}

/// Whether the roles of all accounts have to be looked at.
pub async fn mark(tx: &mut TenantTx, connection: ConnectionId) -> Result<Option<Mark>> {
    let row = sqlx::query!(
        r#"-- roles::mark
        SELECT w.roles_since AS "since!", c.schema_version AS version FROM watches w JOIN connections c ON c.id = w.connection_id
        WHERE w.connection_id = $1 AND w.roles_since IS NOT NULL"#,
        connection.0
    )
    .fetch_optional(tx.conn().await?)
    .await?;
    Ok(row.map(|row| Mark { since: row.since, version: row.version }))
}

/// Notes that they have been, unless they have to be once more.
pub async fn unmark(tx: &mut TenantTx, connection: ConnectionId, mark: Mark) -> Result<()> {
    sqlx::query!(
        "-- roles::unmark
         UPDATE watches SET roles_since = NULL WHERE connection_id = $1 AND roles_since = $2",
        connection.0,
        mark.since
    )
    .execute(tx.conn().await?)
    .await?;
    Ok(())
}

/// The groups of these names, in any case.
pub async fn unknown_groups(tx: &mut TenantTx, connection: ConnectionId, rules: &[GroupRule]) -> Result<Vec<String>> {
    let keys: Vec<String> = rules.iter().map(GroupRule::key).collect();
    let names: Vec<String> = rules.iter().map(|rule| rule.group.clone()).collect();
    let unknown = sqlx::query_scalar!(
        r#"-- roles::unknown_groups
        SELECT r.name AS "name!" FROM unnest($2::text[], $3::text[]) AS r (group_key, name)
        WHERE NOT EXISTS (SELECT FROM groups g WHERE g.connection_id = $1 AND g.display_name_key = r.group_key)"#,
        connection.0,
        &keys,
        &names
    )
    .fetch_all(tx.conn().await?)
    .await?;
    Ok(unknown)
}

/// Has those wait who would take an administrator of the tenant away at the same time, until this transaction ends.
pub async fn lock_administrators(tx: &mut TenantTx) -> Result<()> {
    let line = format!("administrators:{}", tx.tenant());
    wait_in_line(tx, &line).await
}

/// Whether the connection's application has an active administrator in this tenant beside these accounts.
pub async fn has_administrator_beside(tx: &mut TenantTx, connection: ConnectionId, accounts: &[Uuid]) -> Result<bool> {
    let found = sqlx::query_scalar!(
        r#"-- roles::has_administrator_beside
        SELECT EXISTS (
            SELECT FROM connections own JOIN connections c ON c.application_id = own.application_id
            JOIN accounts a ON a.connection_id = c.id
            WHERE own.id = $1 AND a.is_highest AND a.active AND a.parked IS NULL AND a.id <> ALL($2)
        ) AS "found!""#,
        connection.0,
        accounts
    )
    .fetch_one(tx.conn().await?)
    .await?;
    Ok(found)
}

/// The accounts of the connection whose role was kept because nobody else was an administrator.
pub async fn kept(tx: &mut TenantTx, connection: ConnectionId) -> Result<Vec<Uuid>> {
    let ids = sqlx::query_scalar!(
        "-- roles::kept
         SELECT id FROM accounts
         WHERE connection_id = $1 AND is_highest AND active AND role_reason = 'last_administrator' ORDER BY id LIMIT 1000",
        connection.0
    )
    .fetch_all(tx.conn().await?)
    .await?;
    Ok(ids)
}

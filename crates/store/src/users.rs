//! Users: the persons of a tenant.

use crate::{
    ahead::Question,
    error::Result,
    pooled::one_row,
    prepared::{self, Argument},
    seats::{self, Held},
    tenant::TenantTx,
};
use domain::{
    email::Email,
    ids::{AccountId, ConnectionId, UserId},
    linking::{Holder, PlusAddresses},
};
use serde_json::Value;
use sqlx::Row;
use std::collections::{HashMap, HashSet};

/// The way of signing in of whoever came by the identity provider.
pub const SSO: &str = "sso";

/// Stores a user's shown name and address.
pub async fn update(tx: &mut TenantTx, id: UserId, email: Option<&Email>, display_name: Option<&str>) -> Result<()> {
    let now = tx.now();
    let done = sqlx::query!(
        "-- users::update
         UPDATE users SET email = $2, email_key = $3, display_name = $4, updated_at = $5 WHERE id = $1",
        id.0,
        email.map(Email::as_str),
        email.map(Email::key),
        display_name,
        now
    )
    .execute(tx.conn().await?)
    .await?;
    one_row(&done)
}

/// Keeps others from joining or removing the user until this transaction ends.
pub async fn lock(tx: &mut TenantTx, id: UserId) -> Result<()> {
    sqlx::query!("-- users::lock\n SELECT id FROM users WHERE id = $1 FOR UPDATE", id.0)
        .fetch_optional(tx.conn().await?)
        .await?;
    Ok(())
}

/// Removes a user who has no account left, unless the application knew that user before, or an account waits for somebody to say
/// whether it is this one's.
pub async fn delete_if_alone(tx: &mut TenantTx, id: UserId) -> Result<()> {
    sqlx::query!(
        "-- users::delete_if_alone
         DELETE FROM users WHERE id = $1 AND NOT imported AND NOT EXISTS (SELECT FROM accounts WHERE user_id = $1)
           AND NOT EXISTS (SELECT FROM accounts WHERE parked_user = $1)",
        id.0
    )
    .execute(tx.conn().await?)
    .await?;
    Ok(())
}

/// Removes a user who has no account, also one whom the application knew before; not one who may be somebody who waits.
pub async fn forget(tx: &mut TenantTx, id: UserId) -> Result<()> {
    sqlx::query!(
        "-- users::forget
         DELETE FROM users WHERE id = $1 AND NOT EXISTS (SELECT FROM accounts WHERE user_id = $1)
           AND NOT EXISTS (SELECT FROM accounts WHERE parked_user = $1)",
        id.0
    )
    .execute(tx.conn().await?)
    .await?;
    Ok(())
}

/// Whose accounts new ones with these addresses would be, and on which seats.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Linkable {
    connection: ConnectionId,
    addresses: Vec<Email>,
    plus: PlusAddresses,
    /// Whether nobody else creates accounts of the tenant anyway.
    is_alone: bool,
}

impl Linkable {
    /// The question for new accounts of the connection.
    pub fn new<'e>(
        connection: ConnectionId,
        plus: PlusAddresses,
        addresses: impl IntoIterator<Item = &'e Email>,
    ) -> Self {
        Self { connection, plus, addresses: addresses.into_iter().cloned().collect(), is_alone: false }
    }

    /// The same under [`seats::close_all_lines`]: a lock for each of many addresses would be more than the database has.
    #[must_use]
    pub fn alone(self) -> Self {
        Self { is_alone: true, ..self }
    }

    /// What an address is looked up by.
    pub fn key(plus: PlusAddresses, address: &Email) -> String {
        match plus {
            PlusAddresses::Distinct => address.key().to_owned(),
            PlusAddresses::Same => address.plain_key(),
        }
    }

    pub(crate) fn calls(&self) -> Vec<String> {
        let mut calls = seats::calls(self.connection).to_vec();
        if self.addresses.is_empty() {
            return calls;
        }
        let keys: Vec<String> = self.addresses.iter().map(|address| Self::key(self.plus, address)).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let domains = self.addresses.iter().map(Email::domain).collect();
        let lock = if self.is_alone { "own_addresses" } else { "lock_addresses" };
        let lock = prepared::call(lock, &[Argument::Texts(keys.clone()), Argument::Texts(domains)]);
        // A statement of its own: it sees what those did for whom the first one waited.
        let name = match self.plus {
            PlusAddresses::Distinct => "linkable",
            PlusAddresses::Same => "linkable_plain",
        };
        let look = prepared::call(name, &[Argument::Id(self.connection.0), Argument::Texts(keys)]);
        calls.extend([lock, look]);
        calls
    }
}

/// What new accounts meet.
#[derive(Debug)]
pub struct Met {
    /// By the key of an address.
    pub holders: HashMap<String, Holder>,
    pub seats: Option<Held>,
}

/// The seats of the application, held; and who has an address, kept from removal until this transaction ends; nobody where the tenant does not own
/// the domain. If it does, others of this tenant wait with creating accounts with that address until this transaction ends.
/// Who waits for somebody to say who they are counts for nobody.
pub async fn meet(tx: &mut TenantTx, question: Linkable) -> Result<Met> {
    let answers = match tx.answered(&Question::Owner(question.clone())) {
        Some(answers) => answers,
        None => tx.say(question.calls()).await?,
    };
    let seats = seats::read(&answers)?;
    let [_, _, owned, candidates] = &answers[..] else { return Ok(Met { holders: HashMap::new(), seats }) };
    let owned = owned.iter().map(|row| row.try_get("key")).collect::<std::result::Result<HashSet<String>, _>>()?;
    let mut found: HashMap<String, Vec<(UserId, bool)>> = HashMap::new();
    for row in candidates {
        found.entry(row.try_get("key")?).or_default().push((UserId(row.try_get("id")?), row.try_get("is_here")?));
    }
    let holder = |(key, users): (String, Vec<(UserId, bool)>)| {
        let holder = match users[..] {
            [(user, false)] => Holder::One(user),
            [(user, true)] => Holder::Here(user),
            [(user, _), ..] => Holder::Several(user),
            [] => return None,
        };
        owned.contains(&key).then_some((key, holder))
    };
    Ok(Met { holders: found.into_iter().filter_map(holder).collect(), seats })
}

/// The statements of `meet`. Addresses are locked in one order, so that nobody waits in a circle.
pub(crate) const STATEMENTS: [(&str, &str, &str); 4] = [
    (
        "lock_addresses",
        "text[], text[]",
        "SELECT key, pg_advisory_xact_lock(hashtextextended(current_setting('app.tenant_id') || ':' || key, 0))
         FROM (SELECT DISTINCT a.key FROM unnest($1, $2) AS a (key, domain) JOIN domains d ON d.domain = a.domain
               ORDER BY a.key) AS owned",
    ),
    (
        "own_addresses",
        "text[], text[]",
        "SELECT DISTINCT a.key FROM unnest($1, $2) AS a (key, domain) JOIN domains d ON d.domain = a.domain",
    ),
    (
        "linkable",
        "uuid, text[]",
        "SELECT a.key, u.id, EXISTS (SELECT FROM accounts o WHERE o.user_id = u.id AND o.connection_id = $1) AS is_here
         FROM (SELECT DISTINCT key FROM unnest($2) AS a (key) ORDER BY key) AS a
         CROSS JOIN LATERAL (
             SELECT id FROM (SELECT u.id FROM users u WHERE u.email_key = a.key ORDER BY u.email_key OFFSET 0) AS u
             WHERE NOT EXISTS (SELECT FROM accounts o WHERE o.user_id = u.id AND o.parked = 'link')
             ORDER BY id LIMIT 2
         ) AS w
         CROSS JOIN LATERAL (SELECT u.id FROM users u WHERE u.id = w.id LIMIT 1 FOR KEY SHARE OF u) AS u",
    ),
    // The same where what follows a plus makes no other person. Found first and then locked: whoever sorts by the id is led through all
    // users of the tenant while statistics take it for small, and rows of a UNION cannot be locked.
    (
        "linkable_plain",
        "uuid, text[]",
        "SELECT a.key, u.id, EXISTS (SELECT FROM accounts o WHERE o.user_id = u.id AND o.connection_id = $1) AS is_here
         FROM (SELECT DISTINCT key FROM unnest($2) AS a (key) ORDER BY key) AS a
         CROSS JOIN LATERAL (
             SELECT id FROM (
                 SELECT u.id FROM users u WHERE u.email_key = a.key
                 UNION SELECT u.id FROM users u WHERE u.plain_key = a.key
             ) AS u WHERE NOT EXISTS (SELECT FROM accounts o WHERE o.user_id = u.id AND o.parked = 'link')
             ORDER BY id LIMIT 2
         ) AS w
         CROSS JOIN LATERAL (SELECT u.id FROM users u WHERE u.id = w.id LIMIT 1 FOR KEY SHARE OF u) AS u",
    ),
];

/// Whether SCIM keeps another account of the user.
pub async fn is_kept_elsewhere(tx: &mut TenantTx, id: UserId, account: AccountId) -> Result<bool> {
    let found = sqlx::query_scalar!(
        r#"-- users::is_kept_elsewhere
        SELECT EXISTS (
            SELECT FROM accounts a JOIN connections c ON c.id = a.connection_id
            WHERE a.user_id = $1 AND a.id <> $2 AND c.scim_since IS NOT NULL
        ) AS "found!""#,
        id.0,
        account.0
    )
    .fetch_one(tx.conn().await?)
    .await?;
    Ok(found)
}

/// Whether the application knows somebody of that address.
pub async fn is_imported_at(tx: &mut TenantTx, plus: PlusAddresses, email: &Email) -> Result<bool> {
    let found = sqlx::query_scalar!(
        r#"-- users::is_imported_at
        SELECT EXISTS (SELECT FROM users WHERE email_key = $1 AND imported)
            OR $2 AND EXISTS (SELECT FROM users WHERE plain_key = $1 AND imported) AS "found!""#,
        Linkable::key(plus, email),
        plus == PlusAddresses::Same
    )
    .fetch_one(tx.conn().await?)
    .await?;
    Ok(found)
}

/// A user whom the application knows.
#[derive(Debug)]
pub struct NewUser<'a> {
    pub id: UserId,
    pub email: &'a Email,
    pub display_name: Option<&'a str>,
    /// How the user signs in to the application until now, in the vendor's word.
    pub method: Option<&'a str>,
    /// Whether the application gave the id; otherwise the address says whether the user is there.
    pub is_named: bool,
}

/// Of users with an id of their own, those whose address another user has; and who that is.
pub async fn clashes(tx: &mut TenantTx, new: &[NewUser<'_>]) -> Result<Vec<(UserId, UserId)>> {
    let named = || new.iter().filter(|user| user.is_named);
    let rows = sqlx::query!(
        r#"-- users::clashes
        SELECT n.id AS "id!", u.id AS "other!" FROM unnest($1::uuid[], $2::text[]) AS n (id, email_key)
        CROSS JOIN LATERAL (SELECT id FROM users WHERE email_key = n.email_key ORDER BY id LIMIT 1) AS u
        WHERE u.id <> n.id AND NOT EXISTS (SELECT FROM users k WHERE k.id = n.id)"#,
        &named().map(|user| user.id.0).collect::<Vec<_>>(),
        &named().map(|user| user.email.key().to_owned()).collect::<Vec<_>>()
    )
    .fetch_all(tx.conn().await?)
    .await?;
    Ok(rows.into_iter().map(|row| (UserId(row.id), UserId(row.other))).collect())
}

/// Stores those who are not there yet; answers their ids. The application knows the others from now on.
pub async fn import(tx: &mut TenantTx, new: &[NewUser<'_>]) -> Result<Vec<UserId>> {
    let now = tx.now();
    let (named, others): (Vec<&NewUser<'_>>, Vec<&NewUser<'_>>) = new.iter().partition(|user| user.is_named);
    sqlx::query!(
        "-- users::are_known_by_id
         UPDATE users u SET imported = true FROM unnest($1::uuid[]) AS n (id) WHERE NOT u.imported AND u.id = n.id",
        &named.iter().map(|user| user.id.0).collect::<Vec<_>>()
    )
    .execute(tx.conn().await?)
    .await?;
    sqlx::query!(
        "-- users::are_known
         UPDATE users u SET imported = true FROM unnest($1::text[]) AS n (email_key)
         WHERE NOT u.imported AND u.email_key = n.email_key",
        &others.iter().map(|user| user.email.key().to_owned()).collect::<Vec<_>>()
    )
    .execute(tx.conn().await?)
    .await?;
    let ids = sqlx::query_scalar!(
        "-- users::import
         INSERT INTO users (id, email, email_key, display_name, created_at, updated_at, imported)
         SELECT DISTINCT ON (n.email_key, CASE WHEN n.is_named THEN n.id END) n.id, n.email, n.email_key, n.display_name,
                $6, $6, true
         FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::boolean[])
              AS n (id, email, email_key, display_name, is_named)
         WHERE NOT EXISTS (SELECT FROM users u WHERE u.email_key = n.email_key)
         ON CONFLICT DO NOTHING RETURNING id",
        &new.iter().map(|user| user.id.0).collect::<Vec<_>>(),
        &new.iter().map(|user| user.email.as_str().to_owned()).collect::<Vec<_>>(),
        &new.iter().map(|user| user.email.key().to_owned()).collect::<Vec<_>>(),
        &new.iter().map(|user| user.display_name.map(str::to_owned)).collect::<Vec<_>>() as &[Option<String>],
        &new.iter().map(|user| user.is_named).collect::<Vec<_>>(),
        now
    )
    .fetch_all(tx.conn().await?)
    .await?;
    note_methods(tx, new).await?;
    Ok(ids.into_iter().map(UserId).collect())
}

/// Notes how users sign in until now, but for those who have come by the identity provider.
async fn note_methods(tx: &mut TenantTx, new: &[NewUser<'_>]) -> Result<()> {
    let told: Vec<(&NewUser<'_>, &str)> = new.iter().filter_map(|user| Some((user, user.method?))).collect();
    let (named, others): (Vec<_>, Vec<_>) = told.into_iter().partition(|(user, _)| user.is_named);
    sqlx::query!(
        "-- users::note_methods_by_id
         UPDATE users u SET sign_in_method = n.method FROM unnest($1::uuid[], $2::text[]) AS n (id, method)
         WHERE u.id = n.id AND u.sign_in_method IS DISTINCT FROM 'sso'",
        &named.iter().map(|(user, _)| user.id.0).collect::<Vec<_>>(),
        &named.iter().map(|(_, method)| (*method).to_owned()).collect::<Vec<_>>()
    )
    .execute(tx.conn().await?)
    .await?;
    sqlx::query!(
        "-- users::note_methods
         UPDATE users u SET sign_in_method = n.method FROM unnest($1::text[], $2::text[]) AS n (email_key, method)
         WHERE u.email_key = n.email_key AND u.sign_in_method IS DISTINCT FROM 'sso'",
        &others.iter().map(|(user, _)| user.email.key().to_owned()).collect::<Vec<_>>(),
        &others.iter().map(|(_, method)| (*method).to_owned()).collect::<Vec<_>>()
    )
    .execute(tx.conn().await?)
    .await?;
    Ok(())
}

/// Notes that the user signs in otherwise from now on; answers whether that is news.
pub async fn set_method(tx: &mut TenantTx, id: UserId, from: &str, to: &str) -> Result<bool> {
    let done = sqlx::query!(
        "-- users::set_method\n UPDATE users SET sign_in_method = $3 WHERE id = $1 AND sign_in_method = $2",
        id.0,
        from,
        to
    )
    .execute(tx.conn().await?)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// How many users sign in how, as far as somebody said.
pub async fn count_methods(tx: &mut TenantTx) -> Result<Vec<(String, i64)>> {
    let rows = sqlx::query!(
        r#"-- users::count_methods
        SELECT sign_in_method AS "method!", count(*) AS "count!" FROM users WHERE sign_in_method IS NOT NULL GROUP BY 1 ORDER BY 1"#
    )
    .fetch_all(tx.conn().await?)
    .await?;
    Ok(rows.into_iter().map(|row| (row.method, row.count)).collect())
}

/// The user's row, to be put back as it was; a placeholder is nobody.
pub async fn row(tx: &mut TenantTx, id: UserId) -> Result<Option<Value>> {
    let row = sqlx::query_scalar!(
        r#"-- users::row
        SELECT to_jsonb(u) AS "row!" FROM users u WHERE id = $1 AND NOT placeholder"#,
        id.0
    )
    .fetch_optional(tx.conn().await?)
    .await?;
    Ok(row)
}

/// Puts a user back.
pub async fn put_back(tx: &mut TenantTx, id: UserId, row: &Value) -> Result<()> {
    sqlx::query!(
        "-- users::put_back
         INSERT INTO users (id, email, email_key, display_name, created_at, updated_at, imported, sign_in_method)
         SELECT $1, r.email, r.email_key, r.display_name, r.created_at, r.updated_at, r.imported, r.sign_in_method
         FROM jsonb_to_record($2) AS r (email text, email_key text, display_name text, created_at timestamptz,
                                        updated_at timestamptz, imported boolean, sign_in_method text)",
        id.0,
        row
    )
    .execute(tx.conn().await?)
    .await?;
    Ok(())
}

/// Removes a user who has no account.
pub async fn remove(tx: &mut TenantTx, id: UserId) -> Result<()> {
    let done =
        sqlx::query!("-- users::remove\n DELETE FROM users WHERE id = $1", id.0).execute(tx.conn().await?).await?;
    one_row(&done)
}

/// Whether the application knew the user before.
pub async fn is_imported(tx: &mut TenantTx, id: UserId) -> Result<bool> {
    let imported = sqlx::query_scalar!("-- users::is_imported\n SELECT imported FROM users WHERE id = $1", id.0)
        .fetch_optional(tx.conn().await?)
        .await?;
    Ok(imported.unwrap_or(false))
}

/// A new user with the name and the address of an account.
pub async fn copy_of_account(tx: &mut TenantTx, id: UserId, account: AccountId) -> Result<()> {
    let now = tx.now();
    let done = sqlx::query!(
        "-- users::copy_of_account
         INSERT INTO users (id, email, email_key, display_name, created_at, updated_at)
         SELECT $1, email, email_key, display_name, $3, $3 FROM accounts WHERE id = $2",
        id.0,
        account.0,
        now
    )
    .execute(tx.conn().await?)
    .await?;
    one_row(&done)
}

/// Users with that address, oldest first, `limit` at most.
pub async fn by_email(tx: &mut TenantTx, key: &str, limit: i64) -> Result<Vec<UserId>> {
    let ids = sqlx::query_scalar!(
        "-- users::by_email
         SELECT id FROM users WHERE email_key = $1 ORDER BY id LIMIT $2",
        key,
        limit
    )
    .fetch_all(tx.conn().await?)
    .await?;
    Ok(ids.into_iter().map(UserId).collect())
}

//! Invitations: who is expected in a connection.

use crate::{error::Error, error::Result, moment::Moment, pooled::one_row, tenant::TenantTx};
use domain::{
    email::Email,
    ids::{AccountId, ConnectionId, InvitationId, UserId},
    invitation::{Invitation, Step},
};
use time::Duration;
use uuid::Uuid;

/// An invitation and whom it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invited {
    pub connection: ConnectionId,
    /// Whose it is, where there is an account already.
    pub account: Option<AccountId>,
    /// Whom the application knows, where the link ties an account to somebody.
    pub user: Option<UserId>,
    pub email: String,
    pub email_key: String,
    pub invitation: Invitation,
    /// Why its mail was not taken, or came back.
    pub problem: Option<String>,
}

struct Row {
    id: Uuid,
    connection_id: Uuid,
    account_id: Option<Uuid>,
    user_id: Option<Uuid>,
    email: String,
    email_key: String,
    step: String,
    step_at: Moment,
    created_at: Moment,
    lifetime_days: i32,
    problem: Option<String>,
}

impl TryFrom<Row> for Invited {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        let step = match row.step.as_str() {
            "created" => Step::Created,
            "sent" => Step::Sent { at: row.step_at.0 },
            "bounced" => Step::Bounced,
            "accepted" => Step::Accepted,
            "revoked" => Step::Revoked,
            "superseded" => Step::Superseded,
            _ => return Err(Error::Damaged("invitations.step")),
        };
        let lifetime = Duration::days(i64::from(row.lifetime_days));
        let invitation = Invitation { id: InvitationId(row.id), created_at: row.created_at.0, lifetime, step };
        let (connection, account) = (ConnectionId(row.connection_id), row.account_id.map(AccountId));
        let user = row.user_id.map(UserId);
        let Row { email, email_key, problem, .. } = row;
        Ok(Self { connection, account, user, email, email_key, invitation, problem })
    }
}

/// Selects invitations; the columns are named once, here.
macro_rules! invitations {
    ($name:literal, $tail:literal $(, $argument:expr)* $(,)?) => {
        sqlx::query_as!(
            Row,
            "-- invitations::" + $name + "
             SELECT id, connection_id, account_id, user_id, email, email_key, step, step_at AS \"step_at: Moment\",
                    created_at AS \"created_at: Moment\", lifetime_days, problem
             FROM invitations " + $tail
            $(, $argument)*
        )
    };
}

/// An invitation to be stored.
#[derive(Debug)]
pub struct NewInvitation<'a> {
    pub account: Option<AccountId>,
    /// Somebody to whom the link ties an account.
    pub user: Option<UserId>,
    pub email: &'a Email,
    /// In days.
    pub lifetime: i32,
    pub proof: Proof<'a>,
}

/// How the person comes to the code.
#[derive(Debug)]
pub enum Proof<'a> {
    /// The operator hands it on; this is its SHA-256.
    Link(&'a [u8]),
    /// By mail.
    Mail,
}

/// Stores an invitation; the one before, for the same address or account, has to be over.
pub async fn insert(tx: &mut TenantTx, connection: ConnectionId, new: &NewInvitation<'_>) -> Result<InvitationId> {
    let (id, now) = (tx.new_id(), tx.now());
    let (code_hash, due_at) = match new.proof {
        Proof::Link(hash) => (Some(hash), None),
        Proof::Mail => (None, Some(now)),
    };
    sqlx::query!(
        "-- invitations::insert
         INSERT INTO invitations
             (id, connection_id, account_id, email, email_key, step, step_at, created_at, lifetime_days, code_hash, due_at, user_id)
         VALUES ($1, $2, $3, $4, $5, 'created', $6, $6, $7, $8, $9, $10)",
        id,
        connection.0,
        new.account.map(|account| account.0),
        new.email.as_str(),
        new.email.key(),
        now,
        new.lifetime,
        code_hash,
        due_at,
        new.user.map(|user| user.0)
    )
    .execute(tx.conn().await?)
    .await?;
    Ok(InvitationId(id))
}

/// Has accounts that can sign in invited by mail, as many statements for all as for one; whatever stood for them or their addresses
/// is superseded. Answers what was superseded and what is new, with its account. Of several with one address, the first is invited.
pub async fn invite(
    tx: &mut TenantTx,
    connection: ConnectionId,
    accounts: &[Uuid],
    lifetime: i32,
) -> Result<(Vec<InvitationId>, Vec<(InvitationId, AccountId)>)> {
    let (now, ids) = (tx.now(), tx.new_ids(accounts.len()));
    let superseded = sqlx::query_scalar!(
        r#"-- invitations::supersede
        UPDATE invitations i SET step = 'superseded', step_at = $3, due_at = NULL
        FROM (
            SELECT o.id FROM unnest($2::uuid[]) AS w (id)
            CROSS JOIN LATERAL (SELECT id, email_key FROM accounts a WHERE a.connection_id = $1 AND a.id = w.id LIMIT 1) AS a
            CROSS JOIN LATERAL (
                SELECT id FROM invitations o WHERE o.connection_id = $1 AND o.email_key = a.email_key
                    AND o.step IN ('created', 'sent', 'bounced')
                UNION
                SELECT id FROM invitations o WHERE o.account_id = a.id AND o.step IN ('created', 'sent', 'bounced')
            ) AS o
            ORDER BY o.id
        ) AS open
        WHERE i.id = open.id RETURNING i.id"#,
        connection.0,
        accounts,
        now
    )
    .fetch_all(tx.conn().await?)
    .await?;
    let new = sqlx::query!(
        r#"-- invitations::invite
        INSERT INTO invitations
            (id, connection_id, account_id, email, email_key, step, step_at, created_at, lifetime_days, due_at)
        SELECT new.id, $1, new.account_id, new.email, new.email_key, 'created', $3, $3, $5, $3
        FROM (
            SELECT DISTINCT ON (a.email_key) w.id, a.id AS account_id, a.email, a.email_key
            FROM unnest($2::uuid[], $4::uuid[]) AS w (account_id, id)
            CROSS JOIN LATERAL (
                SELECT * FROM accounts a WHERE a.connection_id = $1 AND a.id = w.account_id LIMIT 1
            ) AS a
            WHERE a.active AND a.parked IS NULL AND a.email_key IS NOT NULL
            ORDER BY a.email_key, w.id
        ) AS new
        -- Somebody else of that address is being invited at this moment.
        ON CONFLICT DO NOTHING
        RETURNING id, account_id AS "account_id!""#,
        connection.0,
        accounts,
        now,
        &ids,
        lifetime
    )
    .fetch_all(tx.conn().await?)
    .await?;
    let new = new.into_iter().map(|row| (InvitationId(row.id), AccountId(row.account_id)));
    Ok((superseded.into_iter().map(InvitationId).collect(), new.collect()))
}

/// Stores what happened to an invitation now; its mail is over with that.
pub async fn set_step(tx: &mut TenantTx, id: InvitationId, step: Step) -> Result<()> {
    let now = tx.now();
    let done = sqlx::query!(
        "-- invitations::set_step\n UPDATE invitations SET step = $2, step_at = $3, due_at = NULL WHERE id = $1",
        id.0,
        step.as_str(),
        now
    )
    .execute(tx.conn().await?)
    .await?;
    one_row(&done)
}

/// What ends the invitations of people who are in, or out: open ones, to the account or to its address, become `step`. Answers
/// which.
pub async fn end(
    tx: &mut TenantTx,
    connection: ConnectionId,
    account: AccountId,
    email: Option<&Email>,
    step: Step,
) -> Result<Vec<InvitationId>> {
    let now = tx.now();
    let ended = sqlx::query_scalar!(
        "-- invitations::end
         UPDATE invitations i SET step = $4, step_at = $5, due_at = NULL
         FROM (
             SELECT id FROM invitations WHERE account_id = $2 AND step IN ('created', 'sent', 'bounced')
             UNION
             SELECT id FROM invitations WHERE connection_id = $1 AND email_key = $3 AND step IN ('created', 'sent', 'bounced')
         ) AS open
         WHERE i.id = open.id AND i.step IN ('created', 'sent', 'bounced') RETURNING i.id",
        connection.0,
        account.0,
        email.map(Email::key),
        step.as_str(),
        now
    )
    .fetch_all(tx.conn().await?)
    .await?;
    Ok(ended.into_iter().map(InvitationId).collect())
}

/// The one to this address that is not over, kept from others until this transaction ends.
pub async fn open(tx: &mut TenantTx, connection: ConnectionId, email: &Email) -> Result<Option<Invitation>> {
    let row = invitations!(
        "open",
        "WHERE connection_id = $1 AND email_key = $2 AND step IN ('created', 'sent', 'bounced') FOR UPDATE",
        connection.0,
        email.key()
    )
    .fetch_optional(tx.conn().await?)
    .await?;
    row.map(|row| Ok(Invited::try_from(row)?.invitation)).transpose()
}

/// The last one of an account.
pub async fn last_of(tx: &mut TenantTx, account: AccountId) -> Result<Option<Invited>> {
    let row = invitations!("last_of", "WHERE account_id = $1 ORDER BY created_at DESC, id DESC LIMIT 1", account.0)
        .fetch_optional(tx.conn().await?)
        .await?;
    row.map(Invited::try_from).transpose()
}

/// The invitation of that id, kept from others until this transaction ends.
pub async fn for_update(tx: &mut TenantTx, id: InvitationId) -> Result<Option<Invited>> {
    let row = invitations!("for_update", "WHERE id = $1 FOR UPDATE", id.0).fetch_optional(tx.conn().await?).await?;
    row.map(Invited::try_from).transpose()
}

/// The invitation of a code.
pub async fn by_code(tx: &mut TenantTx, code_hash: &[u8]) -> Result<Option<Invited>> {
    let row = invitations!("by_code", "WHERE code_hash = $1", code_hash).fetch_optional(tx.conn().await?).await?;
    row.map(Invited::try_from).transpose()
}

/// The connection's invitations, newest first, `limit` at most.
pub async fn list(tx: &mut TenantTx, connection: ConnectionId, limit: i64) -> Result<Vec<Invited>> {
    let rows = invitations!(
        "list",
        "WHERE connection_id = $1 ORDER BY created_at DESC, id DESC LIMIT $2",
        connection.0,
        limit
    )
    .fetch_all(tx.conn().await?)
    .await?;
    rows.into_iter().map(Invited::try_from).collect()
}

/// How many people each connection of the tenant expects by invitations that still work: who has an account is there.
pub async fn tally(tx: &mut TenantTx) -> Result<Vec<(ConnectionId, i64)>> {
    let now = tx.now();
    let rows = sqlx::query!(
        r#"-- invitations::tally
        SELECT connection_id, count(*) AS "standing!" FROM invitations i
        WHERE NOT EXISTS (SELECT FROM accounts a WHERE a.connection_id = i.connection_id AND a.email_key = i.email_key)
          AND step IN ('created', 'sent', 'bounced')
          AND CASE WHEN step = 'sent' THEN step_at ELSE created_at END + lifetime_days * interval '24 hours' > $1
        GROUP BY connection_id"#,
        now
    )
    .fetch_all(tx.conn().await?)
    .await?;
    Ok(rows.into_iter().map(|row| (ConnectionId(row.connection_id), row.standing)).collect())
}

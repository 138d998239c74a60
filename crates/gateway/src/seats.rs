//! Who takes a seat and who frees one, and whose turn it is then; `domain::seats` has the rules.

use crate::{
    app::App,
    error::{Error, chain},
    inviting,
    provisioning::told,
    roles::{self, Groups, InForce},
};
use domain::{
    account::{Account, Parked},
    event::{Event, EventKind, Subject},
    ids::{AccountId, ApplicationId, ConnectionId, UserId},
    provisioning::{self as rules, PlannedEvent, Rule, Waiting},
    seats::{SeatPolicy, Seating},
};
use serde_json::json;
use std::collections::{BTreeMap, HashMap, HashSet};
use store::{
    accounts, events,
    scope::{Actor, Scope},
    seats::{self, Held, InLine},
    tenant::TenantTx,
    user_changes,
};
use tracing::warn;
use uuid::Uuid;

/// Tenants that one round looks at.
const LOOKS: i64 = 100;

/// Seats that are held, and how many were taken when that began.
pub struct Line {
    pub held: Held,
    before: u32,
}

impl Line {
    /// Seats as somebody meets them who is about to change something: whoever can be let in before, is.
    pub async fn met(tx: &mut TenantTx, held: Option<Held>) -> Result<Option<Self>, Error> {
        let Some(held) = held else { return Ok(None) };
        let mut line = Self { before: held.seats.taken, held };
        line.let_in(tx).await?;
        Ok(Some(line))
    }

    /// Who would be refused for want of a seat waits outside.
    pub fn refuses_nobody(&mut self) {
        if self.held.seats.policy == SeatPolicy::Refuse {
            self.held.seats.policy = SeatPolicy::Park;
        }
    }

    /// Lets in whose turn it is, and keeps the count.
    pub async fn close(mut self, tx: &mut TenantTx) -> Result<(), Error> {
        self.let_in(tx).await?;
        let Self { held, before } = self;
        let is_passed_over = held.seats.free() > 0 && seats::is_awaited(tx, held.application).await?;
        if is_passed_over {
            seats::set_due(tx, held.application, true).await?;
        }
        if held.seats.taken == before {
            return Ok(());
        }
        seats::count(tx, &held).await?;
        Ok(events::append(tx, None, &limit_told(tx, &held, before)).await?)
    }

    async fn let_in(&mut self, tx: &mut TenantTx) -> Result<(), Error> {
        loop {
            let free = self.held.seats.free();
            let first = if free == 0 { Vec::new() } else { seats::first(tx, self.held.application, free).await? };
            let first = self.whole(tx, first).await?;
            if first.is_empty() {
                return Ok(());
            }
            let users = users(&first);
            let held = seats::seatings(tx, self.held.application, &users, None).await?;
            for user in users.iter().filter(|user| held.get(user) != Some(&Seating::Seated)) {
                let seating = self.held.seats.take()?;
                debug_assert_eq!(seating, Seating::Seated, "there was a free seat for user {user}");
            }
            admit(tx, &first).await?;
        }
    }

    /// Only those of whom no account is being changed: a user comes in by all of them.
    async fn whole(&self, tx: &mut TenantTx, first: Vec<InLine>) -> Result<Vec<InLine>, Error> {
        if first.is_empty() {
            return Ok(first);
        }
        let all = seats::waiting_of(tx, self.held.application, &users(&first)).await?;
        let passed: HashSet<UserId> =
            all.iter().filter(|waiting| !first.contains(waiting)).map(|waiting| waiting.user).collect();
        Ok(first.into_iter().filter(|waiting| !passed.contains(&waiting.user)).collect())
    }
}

/// Looks again at lines in which somebody was passed over; answers how many tenants have such.
///
/// # Errors
/// When the database cannot be asked. What goes wrong with one tenant is logged.
pub async fn round(app: &App) -> Result<usize, Error> {
    let now = app.clock.now();
    let mut control = app.control(now).await?;
    let due = seats::due(&mut control, LOOKS).await?;
    control.rollback().await?;
    let count = due.len();
    for tenant in due {
        if let Err(error) = look(app, Scope { tenant, actor: Actor::Gateway, now }).await {
            warn!(%tenant, error = chain(&error), "A line for seats could not be looked at; the next round tries again");
        }
    }
    Ok(count)
}

pub async fn look(app: &App, scope: Scope) -> Result<(), Error> {
    let mut tx = app.store.tenant(scope).await?;
    for held in seats::hold_all(&mut tx).await? {
        seats::set_due(&mut tx, held.application, false).await?;
        Line { before: held.seats.taken, held }.close(&mut tx).await?;
    }
    Ok(tx.commit().await?)
}

/// Takes these out of the line, tells it, and gives them the roles that they have with a seat.
async fn admit(tx: &mut TenantTx, first: &[InLine]) -> Result<(), Error> {
    seats::admit(tx, &first.iter().map(|waiting| waiting.account.0).collect::<Vec<_>>()).await?;
    let (outside, inside): (Vec<InLine>, Vec<InLine>) = first.iter().partition(|waiting| waiting.is_outside);
    let mut told: BTreeMap<ConnectionId, Vec<Event>> = BTreeMap::new();
    for waiting in &outside {
        told.entry(waiting.connection).or_default().extend(unparked(waiting));
    }
    for (connection, events) in told {
        events::append(tx, Some(connection), &events).await?;
    }
    for (connection, accounts) in by_connection(&outside) {
        let in_force = InForce::of(tx, connection).await?;
        inviting::invite(tx, connection, &in_force, &accounts).await?;
    }
    for (connection, accounts) in by_connection(&inside) {
        let in_force = InForce::of(tx, connection).await?;
        roles::settle(tx, connection, &in_force, &accounts, Groups::Free).await?;
    }
    Ok(())
}

fn users(waiting: &[InLine]) -> Vec<UserId> {
    let users: HashSet<UserId> = waiting.iter().map(|waiting| waiting.user).collect();
    users.into_iter().collect()
}

/// Their accounts, by connection.
pub fn by_connection(waiting: &[InLine]) -> BTreeMap<ConnectionId, Vec<Uuid>> {
    let mut all: BTreeMap<ConnectionId, Vec<Uuid>> = BTreeMap::new();
    for waiting in waiting {
        all.entry(waiting.connection).or_default().push(waiting.account.0);
    }
    all
}

fn unparked(waiting: &InLine) -> Vec<Event> {
    let (kind, rule, data) = (EventKind::UserUnparked, Rule::SeatFree, json!({ "why": "seat" }));
    told(waiting.account, waiting.user, vec![PlannedEvent { kind, rule, data }])
}

/// That the limit is reached, or passed.
fn limit_told(tx: &TenantTx, held: &Held, before: u32) -> Vec<Event> {
    let (limit, taken) = (held.seats.limit, held.seats.taken);
    let kind = match taken {
        _ if taken <= before || taken < limit => return Vec::new(),
        _ if taken > limit => EventKind::SeatLimitExceeded,
        _ => EventKind::SeatLimitReached,
    };
    let data = json!({ "application_id": held.application, "limit": limit, "taken": taken });
    vec![Event::with(kind, Subject::Tenant(tx.tenant()), data)]
}

/// What becomes of an account's place when its activity changes.
pub struct Place {
    pub waits: Option<Waiting>,
    line: Option<Line>,
}

impl Place {
    /// Where the account stands when it is active, or not, from now on; `None` when it goes.
    ///
    /// # Errors
    /// [`domain::refusal::Refusal::SeatsTaken`]
    pub async fn of(tx: &mut TenantTx, account: &Account, is_active: bool) -> Result<Self, Error> {
        let is_nobodys = matches!(account.parked, Some(Parked::Link(_) | Parked::Shadow));
        if account.profile.active == is_active || is_nobodys {
            let how = if account.parked == Some(Parked::Seat) { Waiting::Outside } else { Waiting::Inside };
            return Ok(Self { waits: account.waits_since.map(|_| how), line: None });
        }
        if is_active { Self::coming(tx, account).await } else { Self::going(tx, account).await }
    }

    /// The place of somebody who comes.
    ///
    /// # Errors
    /// [`domain::refusal::Refusal::SeatsTaken`]
    pub async fn coming(tx: &mut TenantTx, account: &Account) -> Result<Self, Error> {
        let held = seats::hold(tx, account.connection_id).await?;
        let Some(mut line) = Line::met(tx, held).await? else { return Ok(Self { waits: None, line: None }) };
        let elsewhere = elsewhere(tx, line.held.application, account).await?;
        Ok(Self { waits: rules::seated(&mut line.held.seats, elsewhere)?, line: Some(line) })
    }

    async fn going(tx: &mut TenantTx, account: &Account) -> Result<Self, Error> {
        let held = seats::hold(tx, account.connection_id).await?;
        let Some(held) = held.filter(|_| account.waits_since.is_none()) else {
            return Ok(Self { waits: None, line: None });
        };
        let mut line = Line { before: held.seats.taken, held };
        if elsewhere(tx, line.held.application, account).await? != Some(Seating::Seated) {
            line.held.seats.give_back();
        }
        Ok(Self { waits: None, line: Some(line) })
    }

    /// Lets in whose turn it is now that the account is changed.
    pub async fn taken(self, tx: &mut TenantTx) -> Result<(), Error> {
        match self.line {
            Some(line) => line.close(tx).await,
            None => Ok(()),
        }
    }
}

/// Where the account's user stands by other accounts.
async fn elsewhere(tx: &mut TenantTx, application: ApplicationId, account: &Account) -> Result<Option<Seating>, Error> {
    let user = account.user_id;
    Ok(seats::seatings(tx, application, &[user], Some(account.id)).await?.remove(&user))
}

/// All seats of the tenant, held while users become other users.
pub struct All {
    lines: Vec<Line>,
    users: Vec<UserId>,
    seated: Vec<u32>,
}

impl All {
    /// Before users become one, or two; these are all who lose or get accounts.
    pub async fn of(tx: &mut TenantTx, users: &[UserId]) -> Result<Self, Error> {
        // Accounts come before seats, as in every request about an account.
        user_changes::lock_accounts(tx, users).await?;
        let held = seats::hold_all(tx).await?;
        let lines: Vec<Line> = held.into_iter().map(|held| Line { before: held.seats.taken, held }).collect();
        let mut all = Self { lines, users: users.to_vec(), seated: Vec::new() };
        for line in &all.lines {
            let seatings = seats::seatings(tx, line.held.application, users, None).await?;
            all.seated.push(seated(&seatings));
        }
        Ok(all)
    }

    /// Has an account that was parked wait for a seat now, unless there is one.
    ///
    /// # Errors
    /// [`domain::refusal::Refusal::SeatsTaken`]
    pub async fn seat(&self, tx: &mut TenantTx, account: AccountId) -> Result<Option<Waiting>, Error> {
        let account = accounts::by_id(tx, account).await?.filter(|account| account.profile.active);
        let Some(account) = account else { return Ok(None) };
        let Some(mut held) = seats::hold(tx, account.connection_id).await? else { return Ok(None) };
        let elsewhere = elsewhere(tx, held.application, &account).await?;
        // Who is counted is found out when the lines close.
        let waiting = rules::seated(&mut held.seats, elsewhere)?;
        seats::wait(tx, account.id, waiting).await?;
        let in_force = InForce::of(tx, account.connection_id).await?;
        roles::settle(tx, account.connection_id, &in_force, &[account.id.0], Groups::Free).await?;
        Ok(waiting)
    }

    /// After that. An operator may give one person's seat to two, whatever the limit is; two who become one free a seat, and
    /// who waited for one is let in with the other.
    pub async fn close(self, tx: &mut TenantTx) -> Result<(), Error> {
        for (mut line, before) in self.lines.into_iter().zip(self.seated) {
            let application = line.held.application;
            let seatings = seats::seatings(tx, application, &self.users, None).await?;
            let with_seat = |user: &&UserId| seatings.get(user) == Some(&Seating::Seated);
            let with_seat: Vec<UserId> = self.users.iter().filter(with_seat).copied().collect();
            let waiting = seats::waiting_of(tx, application, &with_seat).await?;
            if !waiting.is_empty() {
                admit(tx, &waiting).await?;
            }
            line.held.seats.taken = (line.held.seats.taken + seated(&seatings)).saturating_sub(before);
            line.close(tx).await?;
        }
        Ok(())
    }
}

fn seated(seatings: &HashMap<UserId, Seating>) -> u32 {
    let seated = seatings.values().filter(|seating| **seating == Seating::Seated).count();
    u32::try_from(seated).unwrap_or(u32::MAX)
}

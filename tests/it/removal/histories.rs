//! What becomes of people after any history of removals, by a clock that moves: what was told adds up to what is.

use super::Place;
use domain::removal::Fate;
use proptest::{
    prelude::*,
    strategy::ValueTree,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use reqwest::Method;
use serde_json::json;
use sqlx::{Connection, Row};
use std::collections::HashMap;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

const PEOPLE: usize = 3;

/// The days after which who is out is deleted, where the tenant wants that.
const RETENTION: i32 = 20;

#[derive(Debug, Clone, Copy)]
enum Step {
    Push(usize),
    Turn(usize, bool),
    Delete(usize),
    Remove(Fate),
    Restore,
    Purge,
}

#[derive(Debug, Clone, PartialEq)]
struct Account {
    id: String,
    active: bool,
    out_since: Option<OffsetDateTime>,
}

#[derive(Debug, Clone)]
enum State {
    Live,
    Removed { at: OffsetDateTime, fate: Fate, before: Vec<Vec<String>> },
    Gone { fate: Fate },
}

/// How the application was told that an account stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    In,
    Out,
    Deleted,
}

fn step() -> impl Strategy<Value = (Step, i64)> {
    let who = || 0..PEOPLE;
    let fate = prop::sample::select(vec![Fate::Keep, Fate::Deactivate, Fate::Delete]);
    let step = prop_oneof![
        4 => who().prop_map(Step::Push),
        4 => (who(), prop::bool::ANY).prop_map(|(who, on)| Step::Turn(who, on)),
        1 => who().prop_map(Step::Delete),
        2 => fate.prop_map(Step::Remove),
        4 => Just(Step::Restore),
        4 => Just(Step::Purge),
    ];
    (step, prop_oneof![2 => 1i64..3_600, 1 => 86_400i64..900_000])
}

struct History {
    place: Place,
    has_retention: bool,
    accounts: Vec<Option<Account>>,
    /// Everybody who ever was, and went for good.
    deleted: Vec<String>,
    state: State,
}

impl History {
    async fn new(has_retention: bool) -> Self {
        let place = Place::new().await;
        if has_retention {
            let (store, now) = (&place.acme.gateway.app.store, place.acme.gateway.clock.now());
            let after = |wishes: &mut store::tenants::Wishes| wishes.delete_after_days = Some(RETENTION);
            gateway::setup::people::wish(store, now, place.acme.tenant, after).await.unwrap();
        }
        Self { place, has_retention, accounts: vec![None; PEOPLE], deleted: Vec::new(), state: State::Live }
    }

    fn now(&self) -> OffsetDateTime {
        self.place.acme.gateway.clock.now()
    }

    async fn take(&mut self, step: Step, at: &str) {
        let (now, acme) = (self.now(), &self.place.acme);
        match (step, self.state.clone()) {
            (Step::Push(who), State::Live) if self.accounts[who].is_none() => {
                let body = json!({ "userName": format!("user{who}@{}", acme.domain) });
                let made = acme.scim(Method::POST, "/Users", Some(body)).await.document(201);
                let id = made["id"].as_str().unwrap().to_owned();
                self.accounts[who] = Some(Account { id, active: true, out_since: None });
            }
            (Step::Turn(who, active), State::Live) => {
                let Some(account) = &mut self.accounts[who] else { return };
                let body = json!({ "Operations": [{ "op": "replace", "value": { "active": active } }] });
                acme.scim(Method::PATCH, &format!("/Users/{}", account.id), Some(body)).await.document(200);
                account.out_since = if active { None } else { account.out_since.or(Some(now)) };
                account.active = active;
            }
            (Step::Delete(who), State::Live) => {
                let Some(account) = self.accounts[who].take() else { return };
                acme.scim(Method::DELETE, &format!("/Users/{}", account.id), None).await.document(204);
                self.deleted.push(account.id);
            }
            (Step::Remove(fate), State::Live) => {
                let before = self.place.snapshot().await;
                self.place.remove(fate).await;
                self.state = State::Removed { at: now, fate, before };
            }
            (Step::Restore, State::Removed { at: removed_at, before, .. }) => {
                let done = self.place.restore().await;
                assert_eq!(done.is_ok(), now < removed_at + Duration::days(30), "{at}: {done:?}");
                if done.is_ok() {
                    assert_eq!(self.place.snapshot().await, before, "{at}");
                    self.state = State::Live;
                }
            }
            (Step::Restore, _) => assert!(self.place.restore().await.is_err(), "{at}"),
            (Step::Purge, state) => {
                self.place.purge().await;
                match state {
                    State::Live if self.has_retention => self.forget_who_is_out(now),
                    State::Removed { at: removed_at, fate, .. } if now >= removed_at + Duration::days(30) => {
                        self.state = State::Gone { fate };
                    }
                    _ => {}
                }
            }
            _ => {}
        }
    }

    fn forget_who_is_out(&mut self, now: OffsetDateTime) {
        let retention = Duration::days(i64::from(RETENTION));
        for account in &mut self.accounts {
            if account.as_ref().and_then(|account| account.out_since).is_some_and(|since| since + retention <= now) {
                self.deleted.extend(account.take().map(|account| account.id));
            }
        }
    }

    /// How each account was told to stand, by everything that was told.
    async fn told(&self) -> HashMap<String, Told> {
        let query = "SELECT kind, data->>'account_id' AS id, coalesce((data->>'active')::boolean, true) AS active FROM events
            WHERE tenant_id = $1 AND kind IN ('user.created', 'user.linked', 'user.deactivated', 'user.reactivated', 'user.deleted')
            ORDER BY xid, position";
        let mut database = harness::gateway_process::superuser_of(&self.place.database).await;
        let rows = sqlx::query(query).bind(self.place.acme.tenant.0).fetch_all(&mut database).await.unwrap();
        database.close().await.unwrap();
        let mut told = HashMap::new();
        for row in rows {
            let (kind, id, active): (String, String, bool) = (row.get("kind"), row.get("id"), row.get("active"));
            let before = told.get(&id).copied();
            let now = match kind.as_str() {
                "user.deactivated" => Told::Out,
                "user.reactivated" => Told::In,
                "user.deleted" => Told::Deleted,
                _ if active => Told::In,
                _ => Told::Out,
            };
            assert_ne!(before, Some(Told::Deleted), "{id} is told after it was deleted");
            assert!(before != Some(now), "{id} is told twice to be {now:?}");
            told.insert(id, now);
        }
        told
    }

    async fn check(&self, at: &str) {
        let (told, acme) = (self.told().await, &self.place.acme);
        let listed = acme.scim(Method::GET, "/Users", None).await;
        let there: Vec<&Account> = self.accounts.iter().flatten().collect();
        let expected = |account: &Account| match (&self.state, account.active) {
            (State::Gone { fate: Fate::Delete }, _) => Told::Deleted,
            (State::Removed { fate, .. } | State::Gone { fate }, true) if fate.takes_out() => Told::Out,
            (_, true) => Told::In,
            (_, false) => Told::Out,
        };
        for account in &there {
            assert_eq!(told[&account.id], expected(account), "{account:?}: {at}");
        }
        for id in &self.deleted {
            assert_eq!(told[id], Told::Deleted, "{at}");
        }
        assert_eq!(told.len(), there.len() + self.deleted.len(), "{at}");
        match self.state {
            State::Live => assert_eq!(listed.document(200)["totalResults"], there.len(), "{at}"),
            _ => assert!([401, 404].contains(&listed.status.as_u16()), "{at}: {listed:?}"),
        }
        let users = self.place.rows("SELECT id::text FROM users WHERE tenant_id = $1").await.len();
        let kept = !matches!(self.state, State::Gone { fate: Fate::Delete });
        assert_eq!(users, if kept { there.len() } else { 0 }, "{at}");
    }
}

#[tokio::test]
async fn after_any_history_what_was_told_adds_up_to_what_is() {
    let seed = *Uuid::new_v4().as_bytes();
    println!("These histories come again with the seed {seed:?}.");
    let seed = [seed, seed].concat();
    let mut runner = TestRunner::new_with_rng(Config::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &seed));
    for number in 0..4 {
        let steps = prop::collection::vec(step(), 60).new_tree(&mut runner).unwrap().current();
        let mut history = History::new(number % 2 == 0).await;
        for (number, (step, seconds)) in steps.into_iter().enumerate() {
            history.place.passes(Duration::seconds(seconds));
            let at = format!("step {number}, {step:?} of {:?} {:?}", history.state, history.accounts);
            history.take(step, &at).await;
            history.check(&at).await;
        }
    }
}

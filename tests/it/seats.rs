//! How many users an application lets in: refusals, lines, lower roles, and that nobody gets in too many or stays out too long.

use crate::{cli::Operator, scim::assert_says};
use domain::{ids::ApplicationId, seats::SeatPolicy};
use gateway::{roles, setup};
use harness::{
    browser::Browser,
    customer::{Customer, superuser},
};
use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection};
use std::collections::BTreeSet;
use store::scope::Actor;
use time::Duration;

async fn seats(acme: &Customer, limit: &str, policy: &[&str]) -> Value {
    let (operator, tenant) = (Operator::new().await, &acme.slug);
    let application = superuser_text(acme, "SELECT slug FROM applications WHERE id = $1::uuid").await;
    let command = ["tenant", "seats", tenant, "--application", &application, "--limit", limit, "--policy"];
    operator.json(&[&command[..], policy].concat())
}

async fn operator_sets(acme: &Customer, arguments: &[&str]) -> Value {
    let application = superuser_text(acme, "SELECT slug FROM applications WHERE id = $1::uuid").await;
    let command = ["tenant", "seats", &acme.slug, "--application", &application];
    Operator::new().await.json(&[&command[..], arguments].concat())
}

async fn superuser_text(acme: &Customer, query: &'static str) -> String {
    sqlx::query_scalar(query).bind(&acme.application.client_id).fetch_one(&mut superuser().await).await.unwrap()
}

async fn push(acme: &Customer, name: &str, active: bool) -> harness::customer::ScimAnswer {
    let body = json!({ "userName": format!("{name}@{}", acme.domain), "active": active, "role": "MANAGER" });
    acme.scim(Method::POST, "/Users", Some(body)).await
}

async fn create(acme: &Customer, name: &str) -> String {
    push(acme, name, true).await.document(201)["id"].as_str().unwrap().to_owned()
}

async fn set_active(acme: &Customer, id: &str, active: bool) -> harness::customer::ScimAnswer {
    let body = json!({ "Operations": [{ "op": "replace", "value": { "active": active } }] });
    acme.scim(Method::PATCH, &format!("/Users/{id}"), Some(body)).await
}

/// `in`, `waits` or `out`, and the role.
async fn stands(id: &str) -> String {
    let query =
        "SELECT concat_ws(' ', CASE WHEN NOT active THEN 'out' WHEN parked = 'seat' THEN 'waits' ELSE 'in' END, role)
                 FROM accounts WHERE id = $1::uuid";
    sqlx::query_scalar(query).bind(id).fetch_one(&mut superuser().await).await.unwrap()
}

/// What is counted, and what there is.
async fn counts(acme: &Customer) -> (i64, i64) {
    let query =
        "SELECT (SELECT taken FROM seats s WHERE s.tenant_id = $1)::bigint, count(DISTINCT user_id) FROM accounts
                 WHERE tenant_id = $1 AND active AND parked IS NULL AND waits_since IS NULL";
    sqlx::query_as(query).bind(acme.tenant.0).fetch_one(&mut superuser().await).await.unwrap()
}

#[tokio::test]
async fn without_a_free_seat_the_identity_provider_is_told_what_to_do() {
    let acme = Customer::new().await;
    let ann = create(&acme, "ann").await;
    assert_says(&seats(&acme, "2", &["refuse"]).await, &json!({ "limit": 2, "taken": 1, "waiting": 0 }));
    create(&acme, "ben").await;
    let refused = push(&acme, "cid", true).await.document(409);
    let detail = refused["detail"].as_str().unwrap();
    assert!(detail.starts_with("all 2 seats of your organization are taken; deactivate or unassign"), "{detail}");
    assert!(detail.ends_with("(GH-SEA-001)") && refused["scimType"].is_null(), "{refused}");
    let out = push(&acme, "dan", false).await.document(201)["id"].as_str().unwrap().to_owned();
    assert_eq!(set_active(&acme, &out, true).await.document(409)["detail"], refused["detail"]);
    set_active(&acme, &ann, false).await.document(200);
    set_active(&acme, &out, true).await.document(200);
    assert_eq!(set_active(&acme, &ann, true).await.status, 409);
    acme.scim(Method::DELETE, &format!("/Users/{out}"), None).await;
    set_active(&acme, &ann, true).await.document(200);
    assert_eq!(counts(&acme).await, (2, 2));
    // Fewer seats take nobody's away.
    let fewer = operator_sets(&acme, &["--limit", "1"]).await;
    assert_says(&fewer, &json!({ "limit": 1, "taken": 2, "policy": "refuse" }));
    // Who is there already is no question of seats.
    let again = push(&acme, "ann", true).await.document(409);
    assert_eq!(again["scimType"], "uniqueness", "{again}");
    assert_eq!(stands(&ann).await, "in MANAGER");
    let reached = "SELECT count(*) FROM events WHERE tenant_id = $1 AND kind = 'seat.limit_reached'";
    let told: i64 = sqlx::query_scalar(reached).bind(acme.tenant.0).fetch_one(&mut superuser().await).await.unwrap();
    assert_eq!(told, 3, "each time when the last seat was taken");
}

#[tokio::test]
async fn who_waits_outside_comes_in_when_it_is_their_turn() {
    let acme = Customer::new().await;
    seats(&acme, "1", &["park"]).await;
    let ann = create(&acme, "ann").await;
    let mut waiting = Vec::new();
    for name in ["ben", "cid", "dan"] {
        acme.gateway.clock.advance(Duration::seconds(1));
        let user = acme.user(name);
        acme.idp.add_user(user.clone());
        waiting.push((user, create(&acme, name).await));
    }
    let [(ben, ben_id), (_, cid), (_, dan)] = &waiting[..] else { panic!("three wait") };
    assert_eq!(stands(ben_id).await, "waits MANAGER");
    let shown = acme.scim(Method::GET, &format!("/Users/{ben_id}"), None).await.document(200);
    assert_eq!(shown["active"], true, "the identity provider has done its part");
    let sign_in = acme.waiting(ben).await;
    sign_in.is_refused_at_finish(&sign_in.signed(&sign_in.honest()), "GH-SEA-002").await;
    // Who leaves the line loses the place in it.
    acme.gateway.clock.advance(Duration::seconds(1));
    set_active(&acme, cid, false).await;
    set_active(&acme, cid, true).await;
    set_active(&acme, &ann, false).await;
    let shown = Operator::new().await.json(&["tenant", "show", &acme.slug]);
    assert_says(&shown["members"][0], &json!({ "active": 1, "unlinked": 1, "parked": 2, "deactivated": 1 }));
    assert_says(&shown["seats"][0], &json!({ "limit": 1, "taken": 1, "waiting": 2, "policy": "park" }));
    assert_eq!((stands(ben_id).await, stands(cid).await), ("in MANAGER".to_owned(), "waits MANAGER".to_owned()));
    let sign_in = acme.waiting(ben).await;
    sign_in.gets_in(&sign_in.signed(&sign_in.honest())).await;
    let unparked = acme.events("user.unparked").await;
    assert_says(&unparked[0]["data"], &json!({ "account_id": ben_id, "why": "seat", "rule": "seat_free" }));
    assert_says(&seats(&acme, "2", &["park"]).await, &json!({ "taken": 2, "waiting": 1 }));
    assert_eq!((stands(dan).await, stands(cid).await), ("in MANAGER".to_owned(), "waits MANAGER".to_owned()));
    assert_says(&seats(&acme, "2", &["soft"]).await, &json!({ "taken": 3, "waiting": 0 }));
    create(&acme, "eve").await;
    let query =
        "SELECT data FROM events WHERE tenant_id = $1 AND kind = 'seat.limit_exceeded' ORDER BY position DESC LIMIT 1";
    let told: Value = sqlx::query_scalar(query).bind(acme.tenant.0).fetch_one(&mut superuser().await).await.unwrap();
    assert_says(&told, &json!({ "limit": 2, "taken": 4 }));
}

#[tokio::test]
async fn who_waits_inside_has_a_lower_role_until_then() {
    let acme = Customer::new().await;
    seats(&acme, "1", &["fallback-role", "--fallback-role", "designer"]).await;
    let (ann, ben) = (create(&acme, "ann").await, create(&acme, "ben").await);
    assert_eq!((stands(&ann).await, stands(&ben).await), ("in MANAGER".to_owned(), "in DESIGNER".to_owned()));
    let shown = Operator::new().await.json(&["user", "show", "--tenant", &acme.slug, &format!("ben@{}", acme.domain)]);
    assert_eq!(shown[0]["accounts"][0]["why"], "DESIGNER, because all seats are taken; with a seat it is MANAGER");
    // Nothing that is said of the role lifts it, and a lower one stays.
    let as_role = |role: &str| json!({ "Operations": [{ "op": "replace", "value": { "role": role } }] });
    for (role, stands_as) in [("ADMINISTRATOR", "in DESIGNER"), ("ANALYST", "in ANALYST"), ("MANAGER", "in DESIGNER")] {
        acme.scim(Method::PATCH, &format!("/Users/{ben}"), Some(as_role(role))).await.document(200);
        assert_eq!(stands(&ben).await, stands_as, "{role}");
    }
    set_active(&acme, &ann, false).await;
    assert_eq!(stands(&ben).await, "in MANAGER");
    set_active(&acme, &ann, true).await.document(200);
    assert_eq!(stands(&ann).await, "in DESIGNER");
    let user = acme.user("ann");
    acme.idp.add_user(user.clone());
    let tokens = acme.sign_in(&Browser::new(), &user.email).await;
    assert!(acme.is_active(tokens.text("access_token")).await);
    assert_says(&operator_sets(&acme, &["--limit", "1"]).await, &json!({ "policy": "fallback-role", "waiting": 1 }));
    assert!(acme.is_active(tokens.text("access_token")).await, "a number changes no policy");
    seats(&acme, "1", &["park"]).await;
    assert_eq!(stands(&ann).await, "waits MANAGER");
    assert!(!acme.is_active(tokens.text("access_token")).await, "who has to wait outside is out");
    assert_eq!(acme.events("user.parked").await.len(), 1);
    seats(&acme, "1", &["fallback-role", "--fallback-role", "ANALYST"]).await;
    assert_eq!(stands(&ann).await, "in ANALYST");
    let (operator, tenant) = (Operator::new().await, &acme.slug);
    let application = superuser_text(&acme, "SELECT slug FROM applications WHERE id = $1::uuid").await;
    let command = ["tenant", "seats", tenant, "--application", &application];
    for (arguments, problem) in [
        (&["--limit", "1", "--policy", "fallback-role", "--fallback-role", "ROOT"][..], "has no role \"ROOT\""),
        (&["--limit", "1", "--policy", "park", "--fallback-role", "ANALYST"], "belongs to --policy fallback-role"),
        (&["--limit", "1", "--policy", "fallback-role"], "belongs to --policy fallback-role"),
        (&["--limit", "99999999"], "more than the 10000000"),
    ] {
        let refused = operator.refusal(&[&command[..], arguments].concat());
        assert!(refused.contains(problem), "{refused}");
    }
    operator.json(&[&command[..], &["--unlimited"]].concat());
    assert_eq!(stands(&ann).await, "in MANAGER");
}

#[tokio::test]
async fn a_person_has_one_seat_in_an_application_and_one_in_each_other() {
    let acme = Customer::new().await;
    let (second, board) = (
        acme.sibling(&acme.application).await,
        acme.sibling(&acme.gateway.application("https://board.test/callback", |_| {}).await).await,
    );
    seats(&acme, "1", &["refuse"]).await;
    let (here, there) = (create(&acme, "ann").await, create(&second, "ann").await);
    create(&board, "ann").await;
    create(&board, "ben").await;
    assert_eq!(push(&second, "ben", true).await.status, 409);
    set_active(&acme, &here, false).await;
    assert_eq!(push(&second, "ben", true).await.status, 409, "she is still in by the other");
    set_active(&second, &there, false).await;
    push(&second, "ben", true).await.document(201);
    // Two who become one need one.
    seats(&acme, "2", &["park"]).await;
    let cid = push(&acme, "cid", true).await.document(201)["id"].as_str().unwrap().to_owned();
    let dan = push(&second, "dan", true).await.document(201)["id"].as_str().unwrap().to_owned();
    assert_eq!(stands(&dan).await, "waits MANAGER");
    let user = |id: String| async move {
        let query = "SELECT user_id::text FROM accounts WHERE id = $1::uuid";
        sqlx::query_scalar::<_, String>(query).bind(id).fetch_one(&mut superuser().await).await.unwrap()
    };
    let (operator, tenant) = (Operator::new().await, &acme.slug);
    let (from, into) = (user(dan.clone()).await, user(cid).await);
    let change = operator.json(&["user", "merge", "--tenant", tenant, &from, "--into", &into]);
    assert_eq!(stands(&dan).await, "in MANAGER");
    let change = change["change"].as_str().unwrap();
    let undone = operator.run(&["user", "undo", "--tenant", tenant, change]);
    assert!(undone.status.success());
    let query = "SELECT (SELECT taken FROM seats WHERE application_id = $2::uuid AND tenant_id = $1)::bigint,
                 count(DISTINCT user_id) FROM accounts a JOIN connections c ON c.id = a.connection_id
                 WHERE a.tenant_id = $1 AND c.application_id = $2::uuid AND active AND parked IS NULL AND waits_since IS NULL";
    let (taken, there): (i64, i64) = sqlx::query_as(query)
        .bind(acme.tenant.0)
        .bind(&acme.application.client_id)
        .fetch_one(&mut superuser().await)
        .await
        .unwrap();
    assert_eq!((taken, there), (3, 3), "the operator may give one person's seat to two");
}

/// Who is being changed when it is their turn is passed over, and let in soon.
#[tokio::test]
async fn nobody_stays_outside_because_of_a_change_at_the_wrong_moment() {
    let acme = Customer::new().await;
    seats(&acme, "1", &["park"]).await;
    let ann = create(&acme, "ann").await;
    let ben = create(&acme, "ben").await;
    let mut database = superuser().await;
    for (lock, stands_as) in [("FOR KEY SHARE", "in MANAGER"), ("FOR UPDATE", "waits MANAGER")] {
        set_active(&acme, &ann, true).await;
        let mut other = database.begin().await.unwrap();
        let query = format!("SELECT id FROM accounts WHERE id = $1::uuid {lock}");
        sqlx::query(AssertSqlSafe(query)).bind(&ben).execute(&mut *other).await.unwrap();
        set_active(&acme, &ann, false).await.document(200);
        assert_eq!(stands(&ben).await, stands_as, "{lock}");
        other.rollback().await.unwrap();
        if stands_as == "in MANAGER" {
            set_active(&acme, &ben, false).await;
            set_active(&acme, &ann, true).await;
            set_active(&acme, &ben, true).await;
        }
    }
    gateway::seats::round(&acme.gateway.app).await.unwrap();
    assert_eq!(stands(&ben).await, "in MANAGER");
    assert_eq!(counts(&acme).await, (1, 1));
}

#[tokio::test]
async fn of_five_hundred_who_come_at_once_exactly_one_hundred_get_a_seat() {
    let acme = Customer::new().await;
    let second = acme.sibling(&acme.application).await;
    seats(&acme, "100", &["refuse"]).await;
    let both = [&acme, &second];
    let pushes = (0..500).map(|n| async move { push(both[n % 2], &format!("user{n}"), true).await.status.as_u16() });
    let statuses = futures_util::future::join_all(pushes).await;
    let of = |status: u16| statuses.iter().filter(|one| **one == status).count();
    assert_eq!((of(201), of(409)), (100, 400), "{statuses:?}");
    assert_eq!(counts(&acme).await, (100, 100));
}

/// Somebody whom the model knows.
#[derive(Debug, Clone)]
struct Known {
    id: String,
    user: usize,
    place: usize,
    active: bool,
    /// The number in the line.
    waits: Option<u64>,
}

/// What the rules say in the simplest words: everybody is looked at each time.
#[derive(Debug)]
struct Model {
    limit: u32,
    policy: SeatPolicy,
    accounts: Vec<Known>,
    next: u64,
}

impl Model {
    fn has_seat(&self, user: usize) -> bool {
        self.accounts.iter().any(|known| known.user == user && known.active && known.waits.is_none())
    }

    fn taken(&self) -> usize {
        let seated = |known: &&Known| known.active && known.waits.is_none();
        self.accounts.iter().filter(seated).map(|known| known.user).collect::<BTreeSet<_>>().len()
    }

    fn is_full(&self) -> bool {
        self.policy != SeatPolicy::Soft && self.taken() >= usize::try_from(self.limit).unwrap()
    }

    /// Where somebody stands who comes; nothing for who is refused.
    fn comes(&mut self, user: usize) -> Option<Option<u64>> {
        if self.has_seat(user) {
            return Some(None);
        }
        let is_in_line = self.accounts.iter().any(|known| known.user == user && known.active && known.waits.is_some());
        self.next += 1;
        match () {
            () if is_in_line => Some(Some(self.next)),
            () if !self.is_full() => Some(None),
            () if self.policy == SeatPolicy::Refuse => None,
            () => Some(Some(self.next)),
        }
    }

    fn let_in(&mut self) {
        while !self.is_full() {
            let first =
                self.accounts.iter().filter(|known| known.active).filter_map(|known| known.waits.zip(Some(known.user)));
            let Some((_, user)) = first.min() else { return };
            self.accounts.iter_mut().filter(|known| known.user == user).for_each(|known| known.waits = None);
        }
    }
}

/// What happens in a history.
#[derive(Debug, Clone)]
enum Step {
    Set(u32, SeatPolicy),
    Push { user: usize, place: usize, active: bool },
    Turn(usize),
    Delete(usize),
}

fn step() -> impl Strategy<Value = (Step, i64)> {
    let policy = prop_oneof![
        Just(SeatPolicy::Refuse),
        Just(SeatPolicy::Park),
        Just(SeatPolicy::Soft),
        Just(SeatPolicy::FallbackRole("ANALYST".to_owned())),
    ];
    let push = (0usize..9, 0usize..2, prop::bool::weighted(0.8));
    let step = prop_oneof![
        1 => (0u32..6, policy).prop_map(|(limit, policy)| Step::Set(limit, policy)),
        4 => push.prop_map(|(user, place, active)| Step::Push { user, place, active }),
        4 => (0usize..100).prop_map(Step::Turn),
        1 => (0usize..100).prop_map(Step::Delete),
    ];
    (step, 1i64..100_000)
}

/// Nobody who should be in is out, nobody who should be out is in, whatever happened before and whenever.
#[tokio::test]
async fn after_any_history_those_are_in_who_should_be() {
    let mut runner = TestRunner::deterministic();
    for _ in 0..3 {
        let steps = prop::collection::vec(step(), 120).new_tree(&mut runner).unwrap().current();
        history(steps).await;
    }
}

async fn history(steps: Vec<(Step, i64)>) {
    let acme = Customer::new().await;
    let both = [&acme, &acme.sibling(&acme.application).await];
    let mut model = Model { limit: 0, policy: SeatPolicy::Soft, accounts: Vec::new(), next: 0 };
    for (number, (step, seconds)) in steps.into_iter().enumerate() {
        acme.gateway.clock.advance(Duration::seconds(seconds));
        let at = format!("step {number}, {step:?}: {model:?}");
        match step {
            Step::Set(limit, policy) => {
                set(&acme, limit, &policy).await;
                (model.limit, model.policy) = (limit, policy);
            }
            Step::Push { user, place, active } => {
                if model.accounts.iter().any(|known| (known.user, known.place) == (user, place)) {
                    continue;
                }
                let answer = push(both[place], &format!("user{user}"), active).await;
                let stands = if active { model.comes(user) } else { Some(None) };
                assert_eq!(answer.status.as_u16() == 201, stands.is_some(), "{at}");
                if let Some(waits) = stands {
                    let id = answer.document(201)["id"].as_str().unwrap().to_owned();
                    model.accounts.push(Known { id, user, place, active, waits });
                }
            }
            Step::Turn(chosen) if chosen < model.accounts.len() => {
                let Known { id, user, place, active, .. } = model.accounts[chosen].clone();
                let answer = set_active(both[place], &id, !active).await;
                let stands = if active { Some(None) } else { model.comes(user) };
                assert_eq!(answer.status.as_u16() == 200, stands.is_some(), "{at}");
                if let Some(waits) = stands {
                    (model.accounts[chosen].active, model.accounts[chosen].waits) = (!active, waits);
                }
            }
            Step::Delete(chosen) if chosen < model.accounts.len() => {
                let Known { id, place, .. } = model.accounts.remove(chosen);
                both[place].scim(Method::DELETE, &format!("/Users/{id}"), None).await;
            }
            Step::Turn(_) | Step::Delete(_) => {}
        }
        model.let_in();
        is_as(&acme, &model, &at).await;
    }
}

async fn set(acme: &Customer, limit: u32, policy: &SeatPolicy) {
    let (store, now) = (&acme.gateway.app.store, acme.gateway.clock.now());
    let application = acme.application.client_id.parse::<ApplicationId>().unwrap();
    for connection in setup::seats::set(store, now, acme.tenant, application, (limit, policy)).await.unwrap() {
        roles::settle_all(store, (acme.tenant, connection), Actor::Operator, now).await.unwrap();
    }
}

async fn is_as(acme: &Customer, model: &Model, at: &str) {
    let query = "SELECT id::text, active, waits_since IS NOT NULL, parked = 'seat' FROM accounts WHERE tenant_id = $1 ORDER BY id";
    let rows: Vec<(String, bool, bool, Option<bool>)> =
        sqlx::query_as(query).bind(acme.tenant.0).fetch_all(&mut superuser().await).await.unwrap();
    let stays_out = !matches!(model.policy, SeatPolicy::FallbackRole(_));
    let mut expected: Vec<_> = model.accounts.clone();
    expected.sort_by(|a, b| a.id.cmp(&b.id));
    let expected: Vec<_> = expected
        .into_iter()
        .map(|known| {
            (known.id, known.active, known.waits.is_some(), (known.waits.is_some() && stays_out).then_some(true))
        })
        .collect();
    assert_eq!(rows, expected, "{at}: {model:?}");
    let query = "SELECT taken FROM seats WHERE tenant_id = $1";
    let taken: Option<i32> =
        sqlx::query_scalar(query).bind(acme.tenant.0).fetch_optional(&mut superuser().await).await.unwrap();
    if let Some(taken) = taken {
        assert_eq!(usize::try_from(taken).unwrap(), model.taken(), "{at}: {model:?}");
    }
}

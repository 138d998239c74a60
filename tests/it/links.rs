//! Whose accounts are whose, after any history: against a model that looks at everybody each time.

use domain::{
    email::Email,
    ids::{AccountId, UserId},
    linking::Linking,
};
use gateway::setup::people;
use harness::{
    customer::{Customer, superuser},
    gateway_process::Gateway,
};
use proptest::{
    prelude::*,
    strategy::ValueTree,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use time::Duration;
use uuid::Uuid;

/// Connections of the tenant.
const PLACES: usize = 3;

type User = String;

#[derive(Debug, Clone)]
struct Account {
    id: String,
    place: usize,
    name: usize,
    user: User,
    email: String,
    active: bool,
    asked: Option<User>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Person {
    email: String,
    imported: bool,
}

/// What an operator did, and what undoes it.
#[derive(Debug, Clone)]
struct Done {
    id: Uuid,
    from: User,
    to: User,
    accounts: Vec<String>,
    removed: Option<Person>,
    /// The account that waited, where it was the answer to a question.
    answered: Option<String>,
}

#[derive(Debug)]
struct Model {
    linking: Linking,
    people: BTreeMap<User, Person>,
    accounts: Vec<Account>,
    done: Vec<Done>,
}

#[derive(Debug, Clone)]
enum Step {
    Policy(Linking),
    Import(usize),
    Push { name: usize, address: usize, place: usize },
    Address(usize, usize),
    Turn(usize),
    Delete(usize),
    Merge(usize, usize),
    Split(usize),
    Undo(usize),
    Answer(usize, bool),
}

fn step() -> impl Strategy<Value = (Step, i64)> {
    let any = || 0usize..64;
    let step = prop_oneof![
        2 => prop::sample::select(Linking::ALL.to_vec()).prop_map(Step::Policy),
        1 => (0usize..6).prop_map(Step::Import),
        8 => (0usize..9, 0usize..6, 0..PLACES).prop_map(|(name, address, place)| Step::Push { name, address, place }),
        2 => (any(), 0usize..6).prop_map(|(account, address)| Step::Address(account, address)),
        2 => any().prop_map(Step::Turn),
        2 => any().prop_map(Step::Delete),
        2 => (any(), any()).prop_map(|(user, into)| Step::Merge(user, into)),
        1 => any().prop_map(Step::Split),
        2 => any().prop_map(Step::Undo),
        3 => (any(), prop::bool::ANY).prop_map(|(account, yes)| Step::Answer(account, yes)),
    ];
    (step, 1i64..100_000)
}

impl Model {
    fn waits(&self, user: &str) -> bool {
        self.accounts.iter().any(|account| account.user == user && account.asked.is_some())
    }

    fn is_asked_about(&self, user: &str) -> bool {
        self.waits(user) || self.accounts.iter().any(|account| account.asked.as_deref() == Some(user))
    }

    /// Who has an address that counts, oldest first.
    fn holders(&self, email: &str) -> Vec<User> {
        let counts = |(user, person): &(&User, &Person)| person.email == email && !self.waits(user);
        let all = self.people.iter().filter(counts).map(|(user, _)| user.clone());
        if is_owned(email) { all.collect() } else { Vec::new() }
    }

    fn places(&self, user: &str) -> BTreeSet<usize> {
        self.accounts.iter().filter(|account| account.user == user).map(|account| account.place).collect()
    }

    /// Whose a new account is: nobody's when it is refused; a new person's; an existing one's; or that is asked.
    fn owner(&self, email: &str, place: usize) -> Option<(Option<User>, Option<User>)> {
        let holders = self.holders(email);
        let Some(first) = holders.first() else { return Some((None, None)) };
        let is_here = holders.len() == 1 && self.places(first).contains(&place);
        match self.linking {
            Linking::Reject => None,
            Linking::LinkVerifiedDomain if holders.len() == 1 && !is_here => Some((Some(first.clone()), None)),
            Linking::Ask if !is_here => Some((None, Some(first.clone()))),
            Linking::LinkVerifiedDomain | Linking::Ask => Some((None, None)),
        }
    }

    /// People without an account go, unless the application knows them or somebody may be them.
    fn tidied(&mut self) {
        let kept = |user: &User, person: &Person, model: &Self| {
            person.imported || model.accounts.iter().any(|account| &account.user == user) || model.is_asked_about(user)
        };
        let gone: Vec<User> = self
            .people
            .iter()
            .filter(|(user, person)| !kept(user, person, self))
            .map(|(user, _)| user.clone())
            .collect();
        gone.iter().for_each(|user| drop(self.people.remove(user)));
    }

    fn give(&mut self, accounts: &[String], to: &str) {
        for account in self.accounts.iter_mut().filter(|account| accounts.contains(&account.id)) {
            account.user = to.to_owned();
            if account.asked.as_deref() == Some(to) {
                account.asked = None;
            }
        }
    }

    fn accounts_of(&self, user: &str) -> Vec<String> {
        self.accounts.iter().filter(|account| account.user == user).map(|account| account.id.clone()).collect()
    }

    fn nth_user(&self, chosen: usize) -> Option<User> {
        self.people.keys().nth(chosen % self.people.len().max(1)).cloned()
    }

    fn nth_account(&self, chosen: usize) -> Option<Account> {
        self.accounts.get(chosen % self.accounts.len().max(1)).cloned()
    }
}

fn is_owned(email: &str) -> bool {
    !email.ends_with("@elsewhere.test")
}

#[tokio::test]
async fn after_any_history_everybody_is_who_they_are_and_gets_in_as_that() {
    let seed = *Uuid::new_v4().as_bytes();
    println!("These histories come again with the seed {seed:?}.");
    let seed = [seed, seed].concat();
    let mut runner = TestRunner::new_with_rng(Config::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &seed));
    for _ in 0..6 {
        let steps = prop::collection::vec(step(), 70).new_tree(&mut runner).unwrap().current();
        history(steps).await;
    }
}

async fn history(steps: Vec<(Step, i64)>) {
    let gateway = Gateway::start().await;
    let acme = Customer::of(&gateway).await;
    let mut places = vec![acme];
    for redirect_uri in ["https://board.test/callback", "https://shop.test/callback"] {
        let application = gateway.application(redirect_uri, |_| {}).await;
        places.push(places[0].sibling(&application).await);
    }
    let mut model =
        Model { linking: Linking::default(), people: BTreeMap::new(), accounts: Vec::new(), done: Vec::new() };
    let (mut signed_in, mut kept_out) = (0, 0);
    for (number, (step, seconds)) in steps.into_iter().enumerate() {
        gateway.clock.advance(Duration::seconds(seconds));
        let at = format!("step {number}, {step:?} of {model:#?}");
        take(&places, &mut model, step, &at).await;
        model.tidied();
        is_as(&places[0], &model, &at).await;
        if let Some(account) = model.nth_account(number * 7) {
            match enters(&places[account.place], &account).await {
                true => signed_in += 1,
                false => kept_out += 1,
            }
        }
    }
    assert!(signed_in + kept_out > 30, "{signed_in} {kept_out}");
}

fn address(acme: &Customer, number: usize) -> String {
    match number {
        0 => "ann@elsewhere.test".to_owned(),
        number => format!("person{number}@{}", acme.domain),
    }
}

async fn take(places: &[Customer], model: &mut Model, step: Step, at: &str) {
    let acme = &places[0];
    let (store, now, tenant) = (&acme.gateway.app.store, acme.gateway.clock.now(), acme.tenant);
    match step {
        Step::Policy(linking) => {
            people::wish(store, now, tenant, |wishes| wishes.linking = linking).await.unwrap();
            model.linking = linking;
        }
        Step::Import(number) => {
            let email = address(acme, number);
            let known =
                people::Known { id: None, email: Email::parse(&email).unwrap(), display_name: None, method: None };
            let imported = people::import(store, now, tenant, &[known]).await.unwrap();
            let same: Vec<&mut Person> = model.people.values_mut().filter(|person| person.email == email).collect();
            assert_eq!(imported.new, usize::from(same.is_empty()), "{at}");
            if same.is_empty() {
                model.people.insert(user_at(acme, &email).await, Person { email, imported: true });
            } else {
                same.into_iter().for_each(|person| person.imported = true);
            }
        }
        Step::Push { name, address: number, place } => {
            push(places, model, (name, number, place), at).await;
        }
        Step::Address(chosen, number) => {
            let Some(account) = model.nth_account(chosen) else { return };
            let email = address(acme, number);
            let value = json!([{ "value": email, "primary": true }]);
            patch(&places[account.place], &account.id, "emails", value).await;
            if account.email != email {
                model.people.get_mut(&account.user).unwrap().email.clone_from(&email);
            }
            of(model, &account.id).email = email;
        }
        Step::Turn(chosen) => {
            let Some(account) = model.nth_account(chosen) else { return };
            patch(&places[account.place], &account.id, "active", json!(!account.active)).await;
            of(model, &account.id).active = !account.active;
        }
        Step::Delete(chosen) => {
            let Some(account) = model.nth_account(chosen) else { return };
            let at = format!("/Users/{}", account.id);
            assert_eq!(places[account.place].scim(Method::DELETE, &at, None).await.status, 204);
            model.accounts.retain(|known| known.id != account.id);
        }
        Step::Merge(user, into) => merge(acme, model, (user, into), at).await,
        Step::Split(chosen) => split(acme, model, chosen, at).await,
        Step::Undo(chosen) => undo(acme, model, chosen, at).await,
        Step::Answer(chosen, yes) => answer(acme, model, (chosen, yes), at).await,
    }
}

fn of<'m>(model: &'m mut Model, id: &str) -> &'m mut Account {
    model.accounts.iter_mut().find(|account| account.id == id).unwrap()
}

async fn patch(acme: &Customer, id: &str, path: &str, value: Value) {
    let body = json!({ "Operations": [{ "op": "replace", "path": path, "value": value }] });
    acme.scim(Method::PATCH, &format!("/Users/{id}"), Some(body)).await.document(200);
}

async fn push(places: &[Customer], model: &mut Model, (name, number, place): (usize, usize, usize), at: &str) {
    if model.accounts.iter().any(|account| (account.name, account.place) == (name, place)) {
        return;
    }
    let (acme, email) = (&places[place], address(&places[0], number));
    let body = json!({ "userName": user_name(acme, name), "emails": [{ "value": email, "primary": true }] });
    let answer = acme.scim(Method::POST, "/Users", Some(body)).await;
    let Some((owner, asked)) = model.owner(&email, place) else {
        assert_eq!(answer.document(409)["scimType"], "uniqueness", "{at}");
        return;
    };
    let id = answer.document(201)["id"].as_str().unwrap().to_owned();
    let user = user_of(&id).await;
    match &owner {
        Some(owner) => assert_eq!(&user, owner, "{at}"),
        None => {
            let person = Person { email: email.clone(), imported: false };
            assert!(model.people.insert(user.clone(), person).is_none(), "a new person: {at}");
        }
    }
    model.accounts.push(Account { id, place, name, user, email, active: true, asked });
}

async fn merge(acme: &Customer, model: &mut Model, (user, into): (usize, usize), at: &str) {
    let (Some(user), Some(into)) = (model.nth_user(user), model.nth_user(into)) else { return };
    let (store, now) = (&acme.gateway.app.store, acme.gateway.clock.now());
    let merged = people::merge(store, now, acme.tenant, id_of(&user), id_of(&into)).await;
    let may = user != into && !model.is_asked_about(&user) && model.places(&user).is_disjoint(&model.places(&into));
    assert_eq!(merged.is_ok(), may, "{merged:?} {at}");
    let Ok(id) = merged else { return };
    let accounts = model.accounts_of(&user);
    model.give(&accounts, &into);
    let removed = model.people.remove(&user);
    model.done.push(Done { id, from: into, to: user, accounts, removed, answered: None });
}

async fn split(acme: &Customer, model: &mut Model, chosen: usize, at: &str) {
    let Some(account) = model.nth_account(chosen) else { return };
    let (store, now) = (&acme.gateway.app.store, acme.gateway.clock.now());
    let done = people::split(store, now, acme.tenant, AccountId(account.id.parse().unwrap())).await;
    let is_alone = model.accounts_of(&account.user).len() == 1 && !model.people[&account.user].imported;
    assert_eq!(done.is_ok(), !is_alone, "{done:?} {at}");
    let Ok(id) = done else { return };
    let new = user_of(&account.id).await;
    model.people.insert(new.clone(), Person { email: account.email.clone(), imported: false });
    model.give(std::slice::from_ref(&account.id), &new);
    let (from, accounts) = (new, vec![account.id]);
    model.done.push(Done { id, from, to: account.user, accounts, removed: None, answered: None });
}

async fn undo(acme: &Customer, model: &mut Model, chosen: usize, at: &str) {
    if model.done.is_empty() {
        return;
    }
    let chosen = chosen % model.done.len();
    let done = model.done[chosen].clone();
    let (store, now) = (&acme.gateway.app.store, acme.gateway.clock.now());
    let undone = people::undo(store, now, acme.tenant, done.id).await;
    let back: Vec<String> = model.accounts_of(&done.from).into_iter().filter(|id| done.accounts.contains(id)).collect();
    let moving: BTreeSet<usize> =
        model.accounts.iter().filter(|account| back.contains(&account.id)).map(|account| account.place).collect();
    let is_there = model.people.contains_key(&done.to);
    let may = is_there != done.removed.is_some()
        && (!back.is_empty() || done.accounts.is_empty())
        && moving.is_disjoint(&model.places(&done.to));
    assert_eq!(undone.is_ok(), may, "{undone:?} {at}");
    if undone.is_err() {
        return;
    }
    model.done.remove(chosen);
    if let Some(person) = done.removed {
        model.people.insert(done.to.clone(), person);
    }
    model.give(&back, &done.to);
    if let Some(id) = done.answered.filter(|id| back.contains(id)) {
        of(model, &id).asked = Some(done.from.clone());
    }
}

async fn answer(acme: &Customer, model: &mut Model, (chosen, yes): (usize, bool), at: &str) {
    let waiting: Vec<Account> = model.accounts.iter().filter(|account| account.asked.is_some()).cloned().collect();
    let Some(account) = waiting.get(chosen % waiting.len().max(1)) else { return };
    let asked = account.asked.clone().unwrap();
    let (store, now) = (&acme.gateway.app.store, acme.gateway.clock.now());
    let id = AccountId(account.id.parse().unwrap());
    let answered = people::confirm(store, now, acme.tenant, id, yes).await;
    let may = !yes || model.places(&account.user).is_disjoint(&model.places(&asked));
    assert_eq!(answered.is_ok(), may, "{answered:?} {at}");
    let Ok(change) = answered else { return };
    of(model, &account.id).asked = None;
    if let Some(id) = change {
        let accounts = model.accounts_of(&account.user);
        model.give(&accounts, &asked);
        let removed = model.people.remove(&account.user);
        model.done.push(Done {
            id,
            from: asked,
            to: account.user.clone(),
            accounts,
            removed,
            answered: Some(account.id.clone()),
        });
    }
}

fn id_of(user: &str) -> UserId {
    UserId(user.parse().unwrap())
}

fn user_name(acme: &Customer, name: usize) -> String {
    format!("login{name}@{}", acme.domain)
}

async fn user_of(account: &str) -> User {
    let query = "SELECT user_id::text FROM accounts WHERE id = $1::uuid";
    sqlx::query_scalar(query).bind(account).fetch_one(&mut superuser().await).await.unwrap()
}

async fn user_at(acme: &Customer, email: &str) -> User {
    let query = "SELECT id::text FROM users WHERE tenant_id = $1 AND email = $2";
    sqlx::query_scalar(query).bind(acme.tenant.0).bind(email).fetch_one(&mut superuser().await).await.unwrap()
}

/// The account signs in as its user, or is told why it does not.
async fn enters(acme: &Customer, account: &Account) -> bool {
    let mut user = acme.user("any");
    user.user_name = user_name(acme, account.name);
    user.email.clone_from(&account.email);
    let waiting = acme.waiting(&user).await;
    let answer = waiting.signed(&waiting.honest());
    let code = match account {
        Account { active: false, .. } => "GH-SAML-1005",
        Account { asked: Some(_), .. } => "GH-USR-008",
        _ => {
            assert_eq!(waiting.gets_in(&answer).await.id_claims()["sub"], account.user);
            return true;
        }
    };
    waiting.is_refused_at_finish(&answer, code).await;
    false
}

async fn is_as(acme: &Customer, model: &Model, at: &str) {
    let mut database = superuser().await;
    let query =
        "SELECT id::text, user_id::text, active, parked_user::text FROM accounts WHERE tenant_id = $1 ORDER BY id";
    let rows: Vec<(String, String, bool, Option<String>)> =
        sqlx::query_as(query).bind(acme.tenant.0).fetch_all(&mut database).await.unwrap();
    let mut expected: Vec<_> = model.accounts.clone();
    expected.sort_by(|a, b| a.id.cmp(&b.id));
    let expected: Vec<_> =
        expected.into_iter().map(|account| (account.id, account.user, account.active, account.asked)).collect();
    assert_eq!(rows, expected, "{at}");
    let query = "SELECT id::text, email, imported FROM users WHERE tenant_id = $1";
    let rows: Vec<(String, String, bool)> =
        sqlx::query_as(query).bind(acme.tenant.0).fetch_all(&mut database).await.unwrap();
    let people: BTreeMap<User, Person> =
        rows.into_iter().map(|(id, email, imported)| (id, Person { email, imported })).collect();
    assert_eq!(people, model.people, "{at}");
    // Nobody has two accounts in one connection by a link.
    let mut seen = BTreeSet::new();
    for account in &model.accounts {
        assert!(seen.insert((&account.user, account.place)), "{at}");
    }
}

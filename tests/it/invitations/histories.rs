//! What becomes of invitations after any history, by a clock that moves: against a model of one person's.

use super::{Inviting, looks};
use domain::invitation::{LIFETIME, Status};
use gateway::{invitation_mail, mail::Returned, setup};
use harness::browser::Browser;
use proptest::{
    prelude::*,
    strategy::ValueTree,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use reqwest::Method;
use simulator::directory::DirectoryUser;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

const PEOPLE: usize = 3;

#[derive(Debug, Clone)]
enum Step {
    Push(usize),
    /// The whole profile, active.
    Put(usize),
    Turn(usize, bool),
    Delete(usize),
    SignIn(usize),
    Resend(usize),
    Revoke(usize),
    Bounce(usize),
    Post,
}

/// One person, and the newest invitation.
#[derive(Debug, Clone, Default)]
struct Person {
    account: Option<String>,
    active: bool,
    newest: Option<Newest>,
    /// Mails so far, and whether the last of them is the newest invitation's.
    mails: usize,
    is_last: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Newest {
    status: Status,
    since: OffsetDateTime,
    created: OffsetDateTime,
}

fn step() -> impl Strategy<Value = (Step, i64)> {
    let who = || 0..PEOPLE;
    let step = prop_oneof![
        3 => who().prop_map(Step::Push),
        3 => who().prop_map(Step::Put),
        4 => (who(), prop::bool::ANY).prop_map(|(who, on)| Step::Turn(who, on)),
        1 => who().prop_map(Step::Delete),
        2 => who().prop_map(Step::SignIn),
        2 => who().prop_map(Step::Resend),
        1 => who().prop_map(Step::Revoke),
        2 => who().prop_map(Step::Bounce),
        6 => Just(Step::Post),
    ];
    // From seconds to more than the life of an invitation.
    (step, prop_oneof![4 => 1i64..3_600, 1 => 86_400i64..1_500_000])
}

impl Newest {
    fn at(self, now: OffsetDateTime) -> Status {
        let begins = if self.status == Status::Live { self.since } else { self.created };
        let is_open = matches!(self.status, Status::Pending | Status::Live | Status::Bounced);
        if is_open && begins + LIFETIME <= now { Status::Stale } else { self.status }
    }

    fn is_open(self) -> bool {
        matches!(self.status, Status::Pending | Status::Live | Status::Bounced)
    }
}

impl Person {
    fn invited(&mut self, now: OffsetDateTime) {
        self.newest = Some(Newest { status: Status::Pending, since: now, created: now });
        self.is_last = false;
    }

    /// What ends the one that stands.
    fn ended(&mut self, status: Status, now: OffsetDateTime) {
        if let Some(newest) = self.newest.as_mut().filter(|newest| newest.is_open()) {
            (newest.status, newest.since) = (status, now);
        }
    }

    /// Somebody assigns, or sends the profile again.
    fn pushed(&mut self, now: OffsetDateTime) {
        let is_stale = self.newest.is_some_and(|newest| newest.at(now) == Status::Stale);
        if !self.active || is_stale {
            self.invited(now);
        }
        self.active = true;
    }
}

#[tokio::test]
async fn after_any_history_who_is_assigned_has_one_invitation_that_works() {
    let seed = *Uuid::new_v4().as_bytes();
    println!("These histories come again with the seed {seed:?}.");
    let seed = [seed, seed].concat();
    let mut runner = TestRunner::new_with_rng(Config::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &seed));
    for _ in 0..4 {
        let steps = prop::collection::vec(step(), 60).new_tree(&mut runner).unwrap().current();
        history(steps).await;
    }
}

async fn history(steps: Vec<(Step, i64)>) {
    let all = Inviting::new().await;
    let users: Vec<DirectoryUser> = ["ann", "ben", "cid"].map(|name| all.acme.user(name)).to_vec();
    users.iter().for_each(|user| all.acme.idp.add_user(user.clone()));
    let mut people = vec![Person::default(); PEOPLE];
    let mut works = 0;
    for (number, (step, seconds)) in steps.into_iter().enumerate() {
        all.passes(Duration::seconds(seconds));
        let at = format!("step {number}, {step:?} of {people:#?}");
        take(&all, &users, &mut people, step, &at).await;
        let (now, stored) = (all.gateway().clock.now(), all.all().await);
        for (user, person) in users.iter().zip(&people) {
            let own: Vec<_> = stored.iter().filter(|invited| invited.email == user.email).collect();
            let status = own.first().map(|invited| invited.invitation.status(now));
            assert_eq!(status, person.newest.map(|newest| newest.at(now)), "{}: {at}", user.email);
            assert!(own.iter().filter(|invited| invited.invitation.step.is_open()).count() <= 1, "{at}");
            let mails = all.server.to(&user.email);
            assert_eq!(mails.len(), person.mails, "{at}");
            for (place, mail) in mails.iter().enumerate() {
                let is_newest = place + 1 == person.mails && person.is_last;
                let is_good = matches!(status, Some(Status::Live | Status::Bounced));
                assert_eq!(looks(mail).await.0 == 200, is_newest && is_good, "mail {place} to {}: {at}", user.email);
                works += usize::from(is_newest && is_good);
            }
        }
    }
    assert!(works > 0, "invitations that work");
}

async fn take(all: &Inviting, users: &[DirectoryUser], people: &mut [Person], step: Step, at: &str) {
    let now = all.gateway().clock.now();
    let store = &all.gateway().app.store;
    match step {
        Step::Push(who) if people[who].account.is_none() => {
            people[who].account = Some(all.acme.assign(&users[who]).await);
            people[who].active = false;
            people[who].pushed(now);
        }
        Step::Push(who) | Step::Put(who) => {
            let Some(id) = people[who].account.clone() else { return };
            all.put(&id, &users[who]).await;
            people[who].pushed(now);
        }
        Step::Turn(who, active) => {
            let Some(id) = people[who].account.clone() else { return };
            all.turn(&id, active).await;
            if active {
                people[who].pushed(now);
            } else {
                if people[who].active {
                    people[who].ended(Status::Revoked, now);
                }
                people[who].active = false;
            }
        }
        Step::Delete(who) => {
            let Some(id) = people[who].account.take() else { return };
            all.acme.scim(Method::DELETE, &format!("/Users/{id}"), None).await.document(204);
            people[who].ended(Status::Revoked, now);
            people[who].active = false;
        }
        Step::SignIn(who) if people[who].active => {
            all.acme.sign_in(&Browser::new(), &users[who].email).await;
            people[who].ended(Status::Accepted, now);
        }
        Step::SignIn(_) => {}
        Step::Resend(who) => {
            let Some(id) = newest(all, &users[who]).await else { return };
            let is_accepted = people[who].newest.is_some_and(|newest| newest.status == Status::Accepted);
            // It may be that of an account which is gone.
            let is_own = all.all().await.into_iter().find(|invited| invited.invitation.id == id).unwrap().account;
            let is_own = is_own.map(|id| id.to_string()) == people[who].account;
            let can = !is_accepted && people[who].active && is_own;
            assert_eq!(all.resend(id).await.is_ok(), can, "{at}");
            if can {
                people[who].invited(now);
            }
        }
        Step::Revoke(who) => {
            let Some(id) = newest(all, &users[who]).await else { return };
            setup::invitations::revoke(store, now, all.acme.connection, id).await.unwrap();
            people[who].ended(Status::Revoked, now);
        }
        Step::Bounce(who) => {
            let Some(mail) = all.server.to(&users[who].email).pop() else { return };
            let name = mail.name().split_once('@').unwrap().0.to_owned();
            let returned = Returned { name, why: "5.1.1".to_owned() };
            invitation_mail::came_back(store, &all.gateway().app.vault, now, &returned).await.unwrap().unwrap();
            if people[who].is_last {
                people[who].ended(Status::Bounced, now);
            }
        }
        Step::Post => {
            all.post().await;
            for person in people.iter_mut() {
                if let Some(newest) = person.newest.as_mut().filter(|newest| newest.at(now) == Status::Pending) {
                    (newest.status, newest.since) = (Status::Live, now);
                    (person.mails, person.is_last) = (person.mails + 1, true);
                }
            }
        }
    }
}

async fn newest(all: &Inviting, user: &DirectoryUser) -> Option<domain::ids::InvitationId> {
    all.all().await.into_iter().find(|invited| invited.email == user.email).map(|invited| invited.invitation.id)
}

//! A group of 100,000 that gains a role, and loses it: by SCIM, where it gets a name that a rule is for, and by the operator, who
//! saves a rule. Beside it a group of 10, for the number of statements.

use crate::{
    CLIENTS,
    http::Http,
    load::{Draw, Scenario, Step},
    places::{self, LARGE, Place},
    processes::{Gatehouse, Usage},
    scenarios,
    statements::Recorder,
};
use domain::{
    ids::{ConnectionId, TenantId},
    role::{GroupRule, RoleCatalogue, RolePolicy},
};
use gateway::{clock::Clock, roles, setup};
use harness::gateway_process::{Gateway, superuser};
use serde_json::json;
use std::{path::Path, sync::Arc, time::Instant};
use store::scope::Actor;
use uuid::Uuid;

/// Seconds that it may take.
const GOAL: f64 = 5.0;

/// What a group is called whose members are administrators by rule.
const CHOSEN: [&str; 2] = ["Chosen 10", "Chosen 100000"];

pub async fn measure(desk: &Arc<Gateway>, gatehouse: &Gatehouse, state: &Path, usage: &dyn Fn() -> Usage) {
    let place = places::of_sizes(desk, gatehouse, state.to_owned(), &[2 * LARGE]).await.remove(0);
    let groups = [place.small[0], place.large[0]];
    leave_others(&place).await;
    save(desk, &place, &CHOSEN).await;
    settle(desk, &place).await;
    println!("\nA group's members gain a role, and lose it ({} users in the tenant):\n", place.size);
    println!("| what | members | seconds | gateway s | postgres s | statements |\n|---|---:|---:|---:|---:|---:|");
    let mut worst = 0.0_f64;
    for (group, chosen) in groups.into_iter().zip(CHOSEN) {
        let members = if group == place.small[0] { 10 } else { LARGE };
        let other = format!("Other {members}");
        let statements = statements(&place, group, [&other, chosen]).await;
        for (what, name, expected) in [("SCIM: gains", chosen, members), ("SCIM: loses", &other, 0)] {
            let mut best: Option<(f64, Usage)> = None;
            for _ in 0..crate::ROUNDS {
                rename(&place, group, if expected == 0 { chosen } else { &other });
                let (began, before) = (Instant::now(), usage());
                rename(&place, group, name);
                let seconds = began.elapsed().as_secs_f64();
                let spent = usage() - before;
                if best.as_ref().is_none_or(|(known, _)| seconds < *known) {
                    best = Some((seconds, spent));
                }
                assert_eq!(managers(&place).await, expected, "{what}");
            }
            let (seconds, spent) = best.unwrap();
            worst = worst.max(seconds);
            let Usage { server, postgres } = spent;
            println!("| {what} | {members} | {seconds:.3} | {server:.2} | {postgres:.2} | {statements} |");
        }
    }
    for (what, rules, expected) in [("rule: gains", &["Large 1"][..], LARGE), ("rule: loses", &[], 0)] {
        let (began, before) = (Instant::now(), usage());
        save(desk, &place, rules).await;
        settle(desk, &place).await;
        let (seconds, spent) = (began.elapsed().as_secs_f64(), usage() - before);
        assert_eq!(managers(&place).await, expected, "{what}");
        println!("| {what} | {LARGE} | {seconds:.3} | - | {:.2} | in pieces of {} |", spent.postgres, roles::PAGE);
    }
    let peak = gatehouse.program.peak();
    println!("\nThe gateway had {peak:.0} MiB at most. Under {GOAL} s: {}", if worst < GOAL { "yes" } else { "NO" });
}

/// Members of the large groups stay in two of them, as people are in few groups.
async fn leave_others(place: &Place) {
    let mut database = superuser().await;
    let delete = "DELETE FROM group_members WHERE tenant_id = $1 AND group_id = ANY($2)";
    sqlx::query(delete).bind(place.tenant).bind(&place.large[2..]).execute(&mut database).await.unwrap();
    sqlx::query("VACUUM ANALYZE accounts, group_members, events").execute(&mut database).await.unwrap();
}

async fn save(desk: &Gateway, place: &Place, groups: &[&str]) {
    let catalogue = RoleCatalogue::new(vec!["MANAGER".to_owned(), "ANALYST".to_owned()]).unwrap();
    let rule = |group: &&str| GroupRule { group: (*group).to_owned(), role: "MANAGER".to_owned() };
    let policy = RolePolicy::new(RolePolicy::default().sources, groups.iter().map(rule).collect(), &catalogue).unwrap();
    let now = Clock::System.now();
    setup::roles::set(&desk.app.store, now, ConnectionId(place.connection), &policy).await.unwrap();
}

async fn settle(desk: &Gateway, place: &Place) {
    let of = (TenantId(place.tenant), ConnectionId(place.connection));
    roles::settle_all(&desk.app.store, of, Actor::Operator, Clock::System.now()).await.unwrap();
}

async fn managers(place: &Place) -> u64 {
    let query = "SELECT count(*) FROM accounts WHERE connection_id = $1 AND role = 'MANAGER'";
    let count: i64 = sqlx::query_scalar(query).bind(place.connection).fetch_one(&mut superuser().await).await.unwrap();
    count.unsigned_abs()
}

fn rename(place: &Place, group: Uuid, name: &str) {
    let (mut http, mut bytes) = (Http::connect(place.port), Vec::new());
    patch(place, group, name, &mut bytes);
    assert_eq!(http.exchange(&bytes), 200, "{}", http.text());
}

fn patch(place: &Place, group: Uuid, name: &str, into: &mut Vec<u8>) {
    let body = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [{ "op": "replace", "path": "displayName", "value": name }],
    });
    let target = format!("/Groups/{group}?excludedAttributes=members");
    scenarios::request(place, into, "PATCH", &target, &body.to_string());
}

/// How many messages the database gets in the transaction of one such request.
async fn statements(place: &Place, group: Uuid, names: [&str; 2]) -> usize {
    let step =
        |name| Step { label: "rename", status: 200, request: Box::new(move |_, into| patch(place, group, name, into)) };
    let steps = names.into_iter().map(step).collect();
    let scenario = Scenario { name: "rename", steps, users: 0..1, supply: usize::MAX, clients: CLIENTS };
    let mut recorder = Recorder::start().await;
    let draw = Draw { client: 0, number: 0, user: 0, fresh: 0 };
    let recording = recorder.record(&scenario, place.port, &draw).await;
    recorder.stop().await;
    let asked: Vec<&str> =
        recording[1].iter().map(|statement| statement.sql.lines().next().unwrap_or_default()).collect();
    // What goes on behind requests has transactions of its own.
    let ends = |statement: &&str| statement.ends_with("COMMIT") || statement.ends_with("ROLLBACK");
    let mut transactions = asked.split_inclusive(ends);
    let own = transactions.find(|statements| statements.contains(&"-- roles::reassign"));
    own.expect("the request's transaction").len()
}

//! The SAML benchmark: verification alone, posts to the assertion consumer service, and hostile ones.

use crate::{
    acs, hostile,
    load::{Figures, best},
    processes::{Gatehouse, Usage},
    report::micro,
    verify,
};
use harness::{customer::Customer, gateway_process::Gateway};
use std::{path::Path, sync::Arc};

/// Milliseconds of one processor for a signed response, and honest posts in a second.
const VERIFIED: f64 = 0.25;
const POSTED: f64 = 1_500.0;

/// Responses for a round, each of which is posted once, and how often; the best counts.
const SUPPLY: usize = 9_000;
const ROUNDS: usize = 3;

/// Responses as large as they may be, by long names of groups.
const LARGE_SUPPLY: usize = 1_500;
const LARGE_GROUPS: usize = 60;
const LARGE_GROUP: usize = 3_000;

/// MiB by which the gateway may grow under hostile posts.
const GROWTH: f64 = 32.0;

/// Measures all of it and prints tables and goals.
pub async fn measure(desk: &Arc<Gateway>, gatehouse: &Gatehouse, state: &Path, usage: &dyn Fn() -> Usage) {
    let signed = verify::measure(state);
    let acme = Customer::of(desk).await;
    let supply = acs::prepared(&acme, &gatehouse.url, "usual", ROUNDS * SUPPLY, &["Everyone", "Engineering"]).await;
    let round = |number: usize| [acs::post(&acme, gatehouse.port, &supply[number * SUPPLY..][..SUPPLY], usage)];
    let [ours] = (1..ROUNDS).fold(round(0), |before, number| best(before, round(number)));
    let group = "g".repeat(LARGE_GROUP);
    let groups = [group.as_str(); LARGE_GROUPS];
    let supply = acs::prepared(&acme, &gatehouse.url, "large", LARGE_SUPPLY, &groups).await;
    let large = acs::post(&acme, gatehouse.port, &supply, usage);
    println!(
        "\n| posted | rate (1/s) | p50 (ms) | p99 (ms) | gateway µs | postgres µs |\n|---|---:|---:|---:|---:|---:|"
    );
    row("honest", &ours);
    row("honest, 190 KB", &large);
    let kinds = hostile::kinds(&acme, &gatehouse.url);
    let cost = |figures: &Figures| figures.usage.server + figures.usage.postgres;
    let mut shares = Vec::new();
    for kind in &kinds {
        let figures = hostile::post(&acme, gatehouse.port, kind, usage);
        let honest = if kind.is_large() { &large } else { &ours };
        shares.push((cost(&figures) / cost(honest), kind.name));
        row(kind.name, &figures);
    }
    shares.sort_by(|one, other| one.0.total_cmp(&other.0));
    let (share, dearest) = shares[shares.len() - 1];
    let memory = hostile::memory(&acme, gatehouse.port, &kinds, &gatehouse.program);
    let hostile::Memory { before, after, peak } = memory;
    println!("\nMemory under 10,000 hostile posts: {before:.0} MiB before, {after:.0} after, {peak:.0} at most.");
    println!("The dearest hostile post is \"{dearest}\": {share:.2} of an honest one of its size.\n");
    goal("a signed response verified in at most 0.25 ms", signed <= VERIFIED);
    goal("1,500 posts a second", ours.rate >= POSTED);
    goal("no hostile post costs more than an honest one of its size", share <= 1.0);
    goal("flat memory under hostile posts", after - before <= GROWTH);
}

fn row(name: &str, figures: &Figures) {
    let Figures { rate, times, usage } = figures;
    let (p50, p99) = (times[0].p50, times[0].p99);
    println!(
        "| {name} | {rate:.0} | {p50:.2} | {p99:.2} | {:.0} | {:.0} |",
        micro(usage.server),
        micro(usage.postgres)
    );
}

fn goal(what: &str, is_met: bool) {
    println!("{}: {what}", if is_met { "met" } else { "NOT MET" });
}

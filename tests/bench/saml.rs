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

/// MiB by which the gateway may grow under hostile posts.
const GROWTH: f64 = 32.0;

/// Measures all of it and prints tables and goals.
pub async fn measure(desk: &Arc<Gateway>, gatehouse: &Gatehouse, state: &Path, usage: &dyn Fn() -> Usage) {
    let signed = verify::measure(state);
    let acme = Customer::of(desk).await;
    let supply = acs::prepared(&acme, &gatehouse.url).await;
    let round = |number| [acs::post(&acme, gatehouse.port, &supply, number, usage)];
    let [ours] = (1..acs::ROUNDS).fold(round(0), |before, number| best(before, round(number)));
    println!(
        "\n| posted | rate (1/s) | p50 (ms) | p99 (ms) | gateway µs | postgres µs |\n|---|---:|---:|---:|---:|---:|"
    );
    row("honest", &ours);
    let kinds = hostile::kinds(&acme, &gatehouse.url);
    let mut dearest = ("", 0.0);
    for kind in &kinds {
        let figures = hostile::post(&acme, gatehouse.port, kind, usage);
        let cost = figures.usage.server + figures.usage.postgres;
        if cost > dearest.1 {
            dearest = (kind.name, cost);
        }
        row(kind.name, &figures);
    }
    let memory = hostile::memory(&acme, gatehouse.port, &kinds, &gatehouse.program);
    let hostile::Memory { before, after, peak } = memory;
    println!("\nMemory under 10,000 hostile posts: {before:.0} MiB before, {after:.0} after, {peak:.0} at most.");
    let honest = ours.usage.server + ours.usage.postgres;
    println!("The dearest hostile post is \"{}\": {:.2} of an honest one.\n", dearest.0, dearest.1 / honest);
    goal("a signed response verified in at most 0.25 ms", signed <= VERIFIED);
    goal("1,500 posts a second", ours.rate >= POSTED);
    goal("no hostile post costs more than an honest one", dearest.1 <= honest);
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

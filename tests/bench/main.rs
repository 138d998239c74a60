//! Load on a gateway in this process, over TCP, beside pgbench running the same statements with the same role and
//! policies. Both share the machine with their own load generator. `bin/bench` starts it with a database.

mod acs;
mod load;
mod pgbench;
mod scim;

use harness::{customer::Customer, gateway_process::Gateway};
use load::Figures;
use std::time::Duration;

/// Requests in flight.
pub const CLIENTS: usize = 16;

/// How long each kind is measured, after a second of warming up.
pub const MEASURED: Duration = Duration::from_secs(10);

fn main() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(run());
}

async fn run() {
    let gateway = Gateway::start_with(gateway::clock::Clock::System, |config| {
        config.database.max_connections = u32::try_from(CLIENTS).unwrap();
        config.limits.saml_responses = 100_000;
    })
    .await;
    let acme = Customer::of(&gateway).await;
    println!("| what | rate (1/s) | p50 (ms) | p99 (ms) |\n|---|---:|---:|---:|");
    let mut rows: Vec<(String, Figures)> = Vec::new();
    let mut told = |name: &str, figures: Figures| {
        println!("| {name} | {:.0} | {:.2} | {:.2} |", figures.rate, figures.p50, figures.p99);
        rows.push((name.to_owned(), figures));
    };
    told("SCIM create, gateway", scim::create(&acme).await);
    told("SCIM create, pgbench", pgbench::scim_create(&acme));
    let ids = scim::some_users(&acme, 1_000).await;
    told("SCIM GET, gateway", scim::get(&acme, &ids).await);
    told("SCIM GET, pgbench", pgbench::scim_get(&acme, &ids));
    told("ACS post, gateway", acs::post(&acme).await);
    told("ACS post, pgbench", pgbench::acs(&acme));
    for pair in rows.chunks(2) {
        if let [(name, ours), (_, theirs)] = pair {
            let what = name.split(',').next().unwrap();
            println!("{what}: {:.2} of pgbench's rate", ours.rate / theirs.rate);
        }
    }
}

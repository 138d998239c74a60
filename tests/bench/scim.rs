//! The SCIM server under load in tenants of three sizes.

use crate::{
    MEASURED, Options, WARM_UP, jackson,
    load::{Draw, Scenario, best_of_rounds},
    pgbench,
    places::{self, Place},
    processes::{Gatehouse, Usage},
    report::{HEADER, Memory, Pgbench, Report, Row, micro},
    statements::{self, Recorder, Recording},
};
use harness::gateway_process::Gateway;
use std::{path::Path, sync::Arc, time::Duration};

/// How long a client is alone, first of all.
const ALONE: Duration = Duration::from_secs(1);

pub async fn measure(
    desk: &Arc<Gateway>,
    gatehouse: &Gatehouse,
    state: &Path,
    options: &Options,
    postmaster: u32,
    usage: &dyn Fn() -> Usage,
) {
    let places = places::of_sizes(desk, gatehouse, state.to_owned(), &options.sizes).await;
    let mut report =
        Report { rows: Vec::new(), memory: vec![memory(gatehouse, "at the beginning".to_owned())], jackson: None };
    println!("\n{HEADER}");
    for place in &places {
        for scenario in crate::scenarios::of(place).iter().filter(|scenario| options.wants(scenario.name)) {
            let rows = rows(place, scenario, usage).await;
            rows.iter().for_each(|row| println!("{}", row.line()));
            report.rows.extend(rows);
            if scenario.name == "create" {
                place.restore().await;
            }
        }
        place.restore().await;
        report.memory.push(memory(gatehouse, format!("after {} users", place.size)));
    }
    if options.wants("jackson") {
        let smallest = places.first().unwrap();
        report.jackson = jackson::measure(state, postmaster, smallest, usage).await;
        smallest.restore().await;
    }
    report.print();
}

/// Prints what each request of the scenarios asks the database.
pub async fn print_statements(desk: &Arc<Gateway>, gatehouse: &Gatehouse, state: &Path, options: &Options) {
    let places = places::of_sizes(desk, gatehouse, state.to_owned(), &options.sizes).await;
    let Some(place) = places.last() else { return };
    for scenario in crate::scenarios::of(place).iter().filter(|scenario| options.wants(scenario.name)) {
        for (step, asked) in scenario.steps.iter().zip(recorded(place, scenario).await.0) {
            println!("-- {}: {} messages to the database", step.label, asked.len());
            asked.iter().for_each(|statement| println!("{};", statement.sql));
            println!();
        }
    }
}

async fn rows(place: &Place, scenario: &Scenario<'_>, usage: &dyn Fn() -> Usage) -> Vec<Row> {
    let (recording, script) = recorded(place, scenario).await;
    let alone = scenario.run(place.port, 1, WARM_UP / 4, ALONE, usage);
    let round = || {
        let all = scenario.run(place.port, scenario.clients, WARM_UP, MEASURED, usage);
        (all, pgbench::run(&script, scenario.clients, scenario.steps.len(), MEASURED, usage))
    };
    let (all, beside) = best_of_rounds(round);
    let row = |index: usize| Row {
        size: place.size,
        label: scenario.steps[index].label,
        alone: alone.times[index].p50,
        rate: all.rate,
        p50: all.times[index].p50,
        p99: all.times[index].p99,
        gateway: micro(all.usage.server),
        postgres: micro(all.usage.postgres),
        statements: recording[index].len(),
        pgbench: Some(Pgbench {
            rate: beside.rate,
            p50: beside.times[index].p50,
            postgres: micro(beside.usage.postgres),
        }),
    };
    (0..scenario.steps.len()).map(row).collect()
}

/// What one cycle asks the database, and the script that does the same.
async fn recorded(place: &Place, scenario: &Scenario<'_>) -> (Recording, statements::Script) {
    let users = &scenario.users;
    let first = Draw { client: 0, number: 0, user: users.start, fresh: 987_654_321_012_345_677 };
    let draw = Draw { user: users.start + (users.end - users.start) / 2, fresh: 987_654_321_012_345_678, ..first };
    let mut recorder = Recorder::start().await;
    // The gateway remembers what it asks once only.
    recorder.record(scenario, place.port, &first).await;
    let recording = recorder.record(scenario, place.port, &draw).await;
    recorder.stop().await;
    place.restore().await;
    let script = statements::script(place, &recording, &draw).await;
    (recording, script)
}

fn memory(gatehouse: &Gatehouse, when: String) -> Memory {
    Memory { when, now: gatehouse.program.memory(), peak: gatehouse.program.peak() }
}

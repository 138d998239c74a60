//! The SCIM server under load in tenants of three sizes.

use crate::{
    MEASURED, Options, ROUNDS, WARM_UP, jackson,
    load::{Draw, Figures, Scenario, best},
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
    println!("{} MiB of tables and indexes are in PostgreSQL's memory", places::warm().await);
    let mut report =
        Report { rows: Vec::new(), memory: vec![memory(gatehouse, "at the beginning".to_owned())], jackson: None };
    println!("\n{HEADER}");
    let scenarios: Vec<_> = places.iter().map(crate::scenarios::of).collect();
    // The largest tenant has all of them.
    for name in scenarios.last().into_iter().flatten().map(|scenario| scenario.name) {
        if !options.wants(name) {
            continue;
        }
        let mut contests = Vec::new();
        for (place, scenarios) in places.iter().zip(&scenarios) {
            if let Some(scenario) = scenarios.iter().find(|scenario| scenario.name == name) {
                contests.push(Contest::new(place, scenario).await);
            }
        }
        // Sizes take turns, so that they meet the same machine: what others take of it changes by the minute.
        for _ in 0..ROUNDS {
            contests.iter_mut().for_each(|contest| contest.round(usage));
        }
        for contest in contests {
            let rows = contest.rows();
            rows.iter().for_each(|row| println!("{}", row.line()));
            report.rows.extend(rows);
            contest.place.restore().await;
        }
        report.memory.push(memory(gatehouse, format!("after {name}")));
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

/// A scenario in one tenant, and pgbench beside it: the best of the rounds so far.
struct Contest<'p> {
    place: &'p Place,
    scenario: &'p Scenario<'p>,
    recording: Recording,
    script: statements::Script,
    best: Option<[Figures; 3]>,
}

impl<'p> Contest<'p> {
    async fn new(place: &'p Place, scenario: &'p Scenario<'p>) -> Self {
        let (recording, script) = recorded(place, scenario).await;
        Self { place, scenario, recording, script, best: None }
    }

    /// One client alone, then all, then pgbench.
    fn round(&mut self, usage: &dyn Fn() -> Usage) {
        let Self { place, scenario, script, .. } = self;
        let alone = scenario.run(place.port, 1, WARM_UP / 4, ALONE, usage);
        let all = scenario.run(place.port, scenario.clients, WARM_UP, MEASURED, usage);
        let beside = pgbench::run(script, scenario.clients, scenario.steps.len(), MEASURED, usage);
        let round = [alone, all, beside];
        self.best = Some(match self.best.take() {
            None => round,
            Some(before) => best(before, round),
        });
    }

    fn rows(&self) -> Vec<Row> {
        let [alone, all, beside] = self.best.as_ref().unwrap();
        let row = |index: usize| Row {
            size: self.place.size,
            label: self.scenario.steps[index].label,
            alone: alone.times[index].p50,
            rate: all.rate,
            p50: all.times[index].p50,
            p99: all.times[index].p99,
            gateway: micro(all.usage.server),
            postgres: micro(all.usage.postgres),
            statements: self.recording[index].len(),
            pgbench: Some(Pgbench {
                rate: beside.rate,
                p50: beside.times[index].p50,
                postgres: micro(beside.usage.postgres),
            }),
        };
        (0..self.scenario.steps.len()).map(row).collect()
    }
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

//! The table of the SCIM benchmark, and whether its goals were met.

use crate::{jackson, load::Figures};

/// One kind of request in one tenant.
pub struct Row {
    pub size: u64,
    pub label: &'static str,
    /// Milliseconds for a client that is alone.
    pub alone: f64,
    pub rate: f64,
    pub p50: f64,
    pub p99: f64,
    /// Microseconds of processor time.
    pub gateway: f64,
    pub postgres: f64,
    /// Messages to the database.
    pub statements: usize,
    pub pgbench: Option<Pgbench>,
}

/// The same statements without us.
pub struct Pgbench {
    pub rate: f64,
    pub p50: f64,
    pub postgres: f64,
}

/// The gateway's memory in MiB.
pub struct Memory {
    pub when: String,
    pub now: f64,
    pub peak: f64,
}

/// MiB by which the gateway may grow between the first tenant and the last.
const GROWTH: f64 = 32.0;

pub const HEADER: &str = "| users | request | alone ms | rate 1/s | p50 ms | p99 ms | gateway µs | postgres µs | statements \
                          | pgbench 1/s | p50 ms | postgres µs | rate to pgbench's |\n\
                          |---:|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|";

impl Row {
    /// The row as a line of the table.
    pub fn line(&self) -> String {
        let Self { size, label, alone, rate, p50, p99, gateway, postgres, statements, pgbench } = self;
        let beside = match pgbench {
            Some(beside) => {
                let Pgbench { rate: of_pgbench, p50, postgres } = beside;
                format!("{of_pgbench:.0} | {p50:.2} | {postgres:.0} | {:.2}", rate / of_pgbench)
            }
            None => "- | - | - | -".to_owned(),
        };
        format!(
            "| {size} | {label} | {alone:.2} | {rate:.0} | {p50:.2} | {p99:.2} | {gateway:.0} | {postgres:.0} | {statements} | {beside} |"
        )
    }
}

/// Microseconds.
pub fn micro(seconds: f64) -> f64 {
    seconds * 1e6
}

/// All that was measured.
pub struct Report {
    pub rows: Vec<Row>,
    pub memory: Vec<Memory>,
    pub jackson: Option<jackson::Beside>,
}

impl Report {
    /// Prints what the table left out, and the goals.
    pub fn print(&self) {
        if let Some(jackson) = &self.jackson {
            println!("\n@boxyhq/saml-jackson {}, {:.0} MiB at the end:\n", jackson.version, jackson.memory);
            println!(
                "| request | rate 1/s | p50 ms | p99 ms | node µs | postgres µs | we in turn 1/s |\n|---|---:|---:|---:|---:|---:|---:|"
            );
            for (label, Figures { rate, times, usage }, Figures { rate: ours, .. }) in &jackson.rows {
                let (p50, p99) = (times[0].p50, times[0].p99);
                let (node, postgres) = (micro(usage.server), micro(usage.postgres));
                println!("| {label} | {rate:.0} | {p50:.2} | {p99:.2} | {node:.0} | {postgres:.0} | {ours:.0} |");
            }
        }
        println!("\n| gateway's memory | MiB | most until then |\n|---|---:|---:|");
        for Memory { when, now, peak } in &self.memory {
            println!("| {when} | {now:.0} | {peak:.0} |");
        }
        println!("\nGoals:");
        self.beside_pgbench();
        self.beside_jackson();
        self.same_at_every_size();
        self.fast_alone();
        self.flat_memory();
    }

    fn of(&self, label: &str) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(move |row| row.label == label)
    }

    fn beside_pgbench(&self) {
        for label in ["create", "get by id", "filter userName"] {
            for row in self.of(label) {
                if let Some(pgbench) = &row.pgbench {
                    let share = row.rate / pgbench.rate;
                    goal(
                        share >= 0.4,
                        &format!("{label}, {} users: {share:.2} of pgbench's rate, at least 0.40", row.size),
                    );
                }
            }
        }
    }

    fn beside_jackson(&self) {
        let Some(jackson) = &self.jackson else { return };
        for (label, wanted) in [("create", 10.0), ("get by id", 5.0), ("filter userName", 5.0)] {
            for (_, theirs, ours) in jackson.rows.iter().filter(|(name, ..)| *name == label) {
                let times = ours.rate / theirs.rate;
                goal(times >= wanted, &format!("{label}: {times:.1} times Jackson's rate, at least {wanted:.0}"));
            }
        }
    }

    fn same_at_every_size(&self) {
        let sizes = || self.rows.iter().map(|row| row.size);
        let (Some(least), Some(most)) = (sizes().min(), sizes().max()) else { return };
        for large in self.rows.iter().filter(|row| row.size == most && most > least) {
            // The exact total of a first page by index costs a count.
            if large.label == "first page by index" {
                continue;
            }
            // A large group is in the largest tenant only; it is compared with a small one.
            let like = large.label.replace("100k", "10");
            if let Some(small) = self.of(&like).find(|row| row.size == least) {
                let times = large.p50 / small.p50;
                let text = format!(
                    "{}: p50 {:.2} ms with {most} users, {times:.2} times that with {least}, at most 1.30",
                    large.label, large.p50
                );
                goal(times <= 1.3, &text);
            }
        }
    }

    fn fast_alone(&self) {
        for row in &self.rows {
            let most = match row.label {
                "first page by index" => 100.0,
                "add 256 members" | "remove 256 members" => 20.0,
                "remove from 100k" => 5.0,
                label if label.starts_with("filter") && row.size >= 1_000_000 => 5.0,
                _ => continue,
            };
            let text = format!("{}, {} users: {:.2} ms alone, less than {most:.0}", row.label, row.size, row.alone);
            goal(row.alone < most, &text);
        }
    }

    fn flat_memory(&self) {
        if let [_, first, .., last] = &self.memory[..] {
            let grown = last.now - first.now;
            goal(
                grown < GROWTH,
                &format!("memory: {grown:.0} MiB more {} than {}, less than {GROWTH:.0}", last.when, first.when),
            );
        }
    }
}

fn goal(met: bool, text: &str) {
    println!("  {} {text}", if met { "PASS" } else { "FAIL" });
}

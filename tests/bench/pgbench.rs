//! The same statements in the same order by pgbench, as the login of the gateway: what the database alone can do.

use crate::{CLIENTS, MEASURED, load::Figures};
use harness::{
    customer::Customer,
    gateway_process::{setting, unique},
};
use std::{fs, process::Command};

pub fn scim_create(acme: &Customer) -> Figures {
    run(acme, include_str!("scim_create.sql"))
}

pub fn scim_get(acme: &Customer, ids: &[String]) -> Figures {
    let id = ids.first().unwrap();
    run(acme, &include_str!("scim_get.sql").replace("ACCOUNT", id))
}

pub fn acs(acme: &Customer) -> Figures {
    run(acme, include_str!("acs.sql"))
}

fn run(acme: &Customer, script: &str) -> Figures {
    let file = std::env::temp_dir().join(unique("pgbench"));
    let client: uuid::Uuid = acme.application.client_id.parse().unwrap();
    let script = script
        .replace("TENANT", &acme.tenant.to_string())
        .replace("CONNECTION", &acme.connection.to_string())
        .replace("APPLICATION", &client.to_string());
    fs::write(&file, script).unwrap();
    let seconds = MEASURED.as_secs();
    let log = std::env::temp_dir().join(unique("pgbench-log"));
    let output = Command::new("pgbench")
        .args(["--no-vacuum", "--protocol=prepared", "--client", &CLIENTS.to_string(), "--jobs", "2"])
        .args(["--time", &seconds.to_string(), "--log", "--log-prefix"])
        .arg(&log)
        .arg("--file")
        .arg(&file)
        .arg(setting("GATEHOUSE__DATABASE__URL"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut times = times(&log);
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    Figures { rate: times.len() as f64 / MEASURED.as_secs_f64(), p50: at(0.5), p99: at(0.99) }
}

/// Milliseconds of each transaction, from pgbench's logs; its third column is in microseconds.
fn times(log: &std::path::Path) -> Vec<f64> {
    let name = log.file_name().unwrap().to_str().unwrap();
    let mut times = Vec::new();
    for entry in fs::read_dir(log.parent().unwrap()).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().unwrap().to_str().unwrap().starts_with(name) {
            let text = fs::read_to_string(&path).unwrap();
            times.extend(text.lines().map(|line| line.split(' ').nth(2).unwrap().parse::<f64>().unwrap() / 1e3));
            fs::remove_file(path).unwrap();
        }
    }
    times
}

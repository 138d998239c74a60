//! The same statements in the same order by pgbench, as the login of the gateway: what the database alone can do.

use crate::{
    load::{Figures, Times},
    processes::Usage,
    statements::Script,
};
use harness::gateway_process::{setting, unique};
use std::{env::temp_dir, fs, path::Path, process::Command, time::Duration};

/// Runs a script of so many requests in so many clients for so long.
pub fn run(script: &Script, clients: usize, requests: usize, measured: Duration, usage: &dyn Fn() -> Usage) -> Figures {
    let file = temp_dir().join(unique("pgbench"));
    fs::write(&file, &script.text).unwrap();
    let log = temp_dir().join(unique("pgbench-log"));
    let mut command = Command::new("pgbench");
    command.args([
        "--no-vacuum",
        "--protocol",
        script.protocol.name(),
        "--client",
        &clients.to_string(),
        "--jobs",
        "2",
    ]);
    command.args(["--time", &measured.as_secs().max(1).to_string(), "--log", "--log-prefix"]).arg(&log);
    for (name, value) in &script.variables {
        command.arg("--define").arg(format!("{name}={value}"));
    }
    let before = usage();
    let output = command.arg("--file").arg(&file).arg(setting("GATEHOUSE__DATABASE__URL")).output().unwrap();
    let used = usage() - before;
    assert!(output.status.success(), "{}\n{}", String::from_utf8_lossy(&output.stderr), script.text);
    fs::remove_file(file).unwrap();
    // A script of two requests tells the time of both together.
    let times: Vec<f64> = times(&log).into_iter().map(|time| time / requests as f64).collect();
    let count = (times.len() * requests) as f64;
    Figures { rate: count / measured.as_secs_f64(), times: vec![Times::of(times); requests], usage: used / count }
}

/// Milliseconds of each transaction, from pgbench's logs; its third column is in microseconds.
fn times(log: &Path) -> Vec<f64> {
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

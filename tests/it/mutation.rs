//! A hundred thousand SCIM requests that are almost right, over real connections: none is answered by a fault of the
//! server, and every refusal is a SCIM error document. `MUTATIONS` asks for another number of them.

#[path = "../../fuzz/src/chance.rs"]
mod chance;
mod connection;
#[path = "../../fuzz/src/json.rs"]
mod json;
mod requests;
#[path = "../../fuzz/src/text.rs"]
mod text;

use chance::Chance;
use connection::{Answer, Connection};
use gateway::clock::Clock;
use harness::{customer::Customer, gateway_process::Gateway};
use requests::{Directory, Request, valid};
use serde_json::Value;
use std::{collections::BTreeMap, sync::Arc, time::Instant};

const SEED: u32 = 20_261_122;
const MUTATIONS: usize = 100_000;
const WORKERS: u32 = 8;
/// How many faults of a worker are told.
const TOLD: usize = 10;

/// What a worker saw.
#[derive(Default)]
struct Report {
    statuses: BTreeMap<u16, usize>,
    faults: Vec<String>,
}

#[tokio::test(flavor = "multi_thread")]
async fn mutated_requests_meet_no_fault_and_are_refused_by_scim_errors() {
    let count = std::env::var("MUTATIONS").map_or(MUTATIONS, |count| count.parse().expect("MUTATIONS is a number"));
    let gateway = Gateway::start_with(Clock::System, |_| {}).await;
    // Two, so that workers meet in a directory, and ids of the one are tried on the other.
    let (acme, umbrella) = (Customer::of(&gateway).await, Customer::of(&gateway).await);
    let directories = [&acme, &umbrella].map(|customer| Arc::new(Directory::of(customer)));
    let began = Instant::now();
    let workers = (0..WORKERS).map(|worker| {
        let directory = Arc::clone(&directories[worker as usize % directories.len()]);
        let share = count / WORKERS as usize;
        tokio::task::spawn_blocking(move || work(&directory, SEED + worker, share))
    });
    let mut total = Report::default();
    for worker in workers.collect::<Vec<_>>() {
        let report = worker.await.unwrap();
        report.statuses.into_iter().for_each(|(status, times)| *total.statuses.entry(status).or_default() += times);
        total.faults.extend(report.faults);
    }
    let (sent, seconds) = (total.statuses.values().sum::<usize>(), began.elapsed().as_secs_f64());
    let done: usize = [200, 201, 204, 304, 409, 412].iter().filter_map(|status| total.statuses.get(status)).sum();
    println!("mutation: seed {SEED}, {sent} requests in {seconds:.1} s, answers by status {:?}", total.statuses);
    println!("mutation: {} % were answered from the database", done * 100 / sent);
    assert!(total.faults.is_empty(), "{} faults:\n{}", total.faults.len(), total.faults.join("\n\n"));
    assert!(done * 5 >= sent, "most requests were refused before they reached the database");
}

/// Sends so many requests over one connection at a time.
fn work(directory: &Directory, seed: u32, count: usize) -> Report {
    let mut chance = Chance::new(seed);
    let mut connection = Connection::to(&directory.host);
    let mut report = Report::default();
    for _ in 0..count {
        let mut request = valid(directory, &mut chance);
        for _ in 0..chance.below(4) {
            request.mutate(directory, &mut chance);
        }
        let bytes = request.bytes(directory);
        match connection.send(&bytes) {
            Ok(answer) => {
                *report.statuses.entry(answer.status).or_default() += 1;
                directory.learn(&request, &answer);
                report.judge(&request, &bytes, &answer);
            }
            Err(error) => report.tell(format!("no answer ({error}) to {}", shown(&bytes))),
        }
    }
    report
}

impl Report {
    fn judge(&mut self, request: &Request, bytes: &[u8], answer: &Answer) {
        if let Err(fault) = check(request, answer) {
            self.tell(format!("{fault}: {} {} to {}", answer.status, shown(&answer.body), shown(bytes)));
        }
    }

    fn tell(&mut self, fault: String) {
        if self.faults.len() < TOLD {
            self.faults.push(fault);
        }
    }
}

/// What is wrong with the answer, whatever the request was.
fn check(request: &Request, answer: &Answer) -> Result<(), &'static str> {
    if answer.status == 500 || answer.status == 503 {
        return Err("a fault of the server");
    }
    let empty = answer.body.is_empty();
    if !empty && answer.content_type != "application/scim+json" {
        return Err("another media type");
    }
    if answer.status < 400 || request.method == "HEAD" {
        return Ok(());
    }
    let Ok(Value::Object(error)) = serde_json::from_slice(&answer.body) else { return Err("no SCIM error") };
    let known = ["schemas", "status", "scimType", "detail"];
    let told = error.get("detail").and_then(Value::as_str).is_some_and(|detail| !detail.is_empty());
    if error.keys().any(|name| !known.contains(&name.as_str())) || !told {
        return Err("not the members of a SCIM error");
    }
    if error.get("schemas") != Some(&serde_json::json!(["urn:ietf:params:scim:api:messages:2.0:Error"])) {
        return Err("not the schema of a SCIM error");
    }
    if error.get("status").and_then(Value::as_str) != Some(&answer.status.to_string()) {
        return Err("another status in the body");
    }
    Ok(())
}

/// Enough of a request or an answer to send it again.
fn shown(bytes: &[u8]) -> String {
    let text: String = bytes.escape_ascii().to_string().replace("\\r\\n", "\n").replace("\\\"", "\"");
    text.chars().take(3000).collect()
}

//! Suites that others wrote for SCIM servers, each against a gateway and a tenant of its own: scim2-tester, scim-sanity and,
//! where they lie beside the repository, Okta's tests. `bin/venv` brings the Python packages.

use gateway::{clock::Clock, setup::directory};
use harness::{customer::Customer, gateway_process::Gateway};
use serde_json::Value;
use std::{
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
};
use tokio::process::Command;

/// A suite that has ended.
struct Outcome {
    status: ExitStatus,
    /// What it printed on standard output.
    said: String,
}

async fn customer() -> Customer {
    let acme = Customer::of(&Gateway::start_with(Clock::System, |_| {}).await).await;
    acme.lets_everybody_go().await;
    acme
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// Runs a program among the suites' packages, with the customer's token in `TOKEN`.
async fn run(acme: &Customer, program: &str, arguments: &[&str]) -> Outcome {
    let mut command = Command::new(repository().join("bin/venv"));
    command.arg(program).args(arguments).current_dir(repository().join("tests/e2e/suites"));
    command.env("TOKEN", &acme.token).env("PYTHONDONTWRITEBYTECODE", "1");
    // The gateway is on this machine, whatever proxy leads out of it.
    command.env("no_proxy", "localhost").kill_on_drop(true);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit());
    let output = command.spawn().unwrap().wait_with_output().await.unwrap();
    Outcome { status: output.status, said: String::from_utf8_lossy(&output.stdout).into_owned() }
}

#[tokio::test(flavor = "multi_thread")]
async fn scim2_tester_finds_nothing_to_complain_about() {
    let acme = customer().await;
    let outcome = run(&acme, "python", &["run_scim2_tester.py", &acme.scim_base()]).await;
    println!("{}", outcome.said);
    assert!(outcome.status.success(), "scim2-tester found faults, or did not start");
}

/// What scim-sanity skips because this directory has no agents, which are a draft and not a standard.
const NOT_OFFERED: [&str; 3] = ["Agent CRUD Lifecycle", "AgenticApplication CRUD Lifecycle", "Agent Rapid Lifecycle"];

#[tokio::test(flavor = "multi_thread")]
async fn scim_sanity_finds_nothing_to_complain_about() {
    let acme = customer().await;
    let base = acme.scim_base();
    let arguments = ["probe", &base, "--token", &acme.token, "--strict", "--i-accept-side-effects", "--json-output"];
    let outcome = run(&acme, "scim-sanity", &arguments).await;
    let report: Value = serde_json::from_str(&outcome.said)
        .unwrap_or_else(|error| panic!("scim-sanity has no report ({error}): {}", outcome.said));
    let results = report["results"].as_array().unwrap();
    let of = |status: &str| results.iter().filter(|result| result["status"] == status).collect::<Vec<_>>();
    for result in results {
        println!("{} {} {}: {}", result["status"], result["phase"], result["name"], result["message"]);
    }
    let skipped = of("skip");
    let failed = results.len() - of("pass").len() - skipped.len();
    println!("scim-sanity: {} checks, {failed} failed, {} skipped", results.len(), skipped.len());
    assert_eq!(failed, 0, "scim-sanity found faults");
    let unexpected: Vec<_> =
        skipped.iter().filter(|result| !NOT_OFFERED.iter().any(|name| result["name"] == *name)).collect();
    assert!(unexpected.is_empty(), "scim-sanity left out {unexpected:?}");
    assert!(outcome.status.success() && results.len() > 30, "scim-sanity ended early");
}

/// Where Okta's suites are: beside the repository, or where `OKTA_SUITES` says.
fn okta() -> Option<PathBuf> {
    if let Some(folder) = std::env::var_os("OKTA_SUITES") {
        return Some(PathBuf::from(folder));
    }
    let folder = repository().parent().unwrap().join("shared/suites/okta");
    if !folder.is_dir() {
        println!("skipped: no suites of Okta beside the repository");
        return None;
    }
    Some(folder)
}

/// Runs one of Okta's suites. How long an answer took is printed and not judged: this build and this machine are slow.
async fn okta_passes(edition: &str, arguments: &[&str]) {
    let Some(folder) = okta() else { return };
    let acme = customer().await;
    // What the guide tells the IT admin to have made: Okta's SPEC tests want to find somebody.
    let app = &acme.gateway.app;
    directory::create_sample_user(&app.store, app.clock.now(), acme.connection).await.unwrap();
    let base = acme.scim_base();
    let runner = folder.join("okta_runscope_runner.py").display().to_string();
    let suite = folder.join(format!("{edition}.json")).display().to_string();
    let arguments = [&[runner.as_str(), &suite, &base, &acme.token], arguments].concat();
    let outcome = run(&acme, "python", &arguments).await;
    println!("{}", outcome.said);
    let counts = outcome.said.lines().last().unwrap_or("it did not start");
    println!("{edition}: {counts}");
    assert!(outcome.status.success(), "{edition}: {counts}");
}

#[tokio::test(flavor = "multi_thread")]
async fn oktas_spec_test_passes() {
    okta_passes("Okta-SCIM-20-SPEC-Test", &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn oktas_older_spec_test_passes() {
    okta_passes("Okta-SCIM-20-SPEC-Test-old", &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn oktas_spec_test_of_2016_passes() {
    okta_passes("Okta-SCIM-20-SPEC-Test-2016", &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn oktas_entitlements_test_passes() {
    okta_passes("Okta-SCIM-20-Entitlements-Test", &["--entitlement-endpoint", "/Roles"]).await;
}

//! Load on a gateway in a process of its own, over TCP, beside pgbench running the same statements with the same role
//! and policies. All share the machine. `bin/bench` starts it with a database and says in which folder it keeps what.

mod acs;
mod departures;
mod hostile;
mod http;
mod jackson;
mod live_sessions;
mod load;
mod login;
mod oidc;
mod pgbench;
mod places;
mod processes;
mod report;
mod roles;
mod saml;
mod scenarios;
mod scim;
mod sign_in;
mod statements;
mod verify;

use gateway::{clock::Clock, vault::Vault};
use harness::gateway_process::{Gateway, setting, superuser};
use processes::{Gatehouse, ROOT_KEY, Usage, free_ports, parent, postgres_time, settings, url};
use std::{path::PathBuf, time::Duration};

/// Requests in flight, and while users are created, as when a directory is pushed for the first time.
pub const CLIENTS: usize = 16;
pub const CREATORS: usize = 64;

/// How long each kind is measured, after it warmed up.
pub const MEASURED: Duration = Duration::from_secs(2);
pub const WARM_UP: Duration = Duration::from_secs(1);

/// How often; the best round counts.
pub const ROUNDS: usize = 3;

/// What to do.
pub struct Options {
    /// `scim`, `saml`, `roles` or `oidc`; all without.
    what: Option<String>,
    /// Users of the tenants.
    pub sizes: Vec<u64>,
    /// Scenarios of these names only.
    pub only: Option<Vec<String>>,
    /// Print what the scenarios ask the database, and measure nothing.
    statements: bool,
}

impl Options {
    fn read() -> Self {
        let mut options = Self { what: None, sizes: vec![1_000, 100_000, 1_000_000], only: None, statements: false };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let mut list = || arguments.next().unwrap_or_default().split(',').map(str::to_owned).collect::<Vec<_>>();
            match argument.as_str() {
                "--bench" => {} // cargo says so
                "--sizes" => {
                    options.sizes = list().iter().map(|size| size.parse().expect("--sizes 1000,100000")).collect()
                }
                "--only" => options.only = Some(list()),
                "--statements" => options.statements = true,
                _ => options.what = Some(argument),
            }
        }
        options
    }

    /// Whether a scenario is to be run.
    pub fn wants(&self, scenario: &str) -> bool {
        self.only.as_ref().is_none_or(|only| only.iter().any(|name| name == scenario))
    }

    fn includes(&self, what: &str) -> bool {
        self.what.as_ref().is_none_or(|wanted| wanted == what)
    }
}

fn main() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(run(Options::read()));
}

async fn run(options: Options) {
    let state = PathBuf::from(setting("BENCH_FOLDER"));
    let ports = free_ports();
    // The one in this process is the operator's desk: it makes customers for the other, which is measured.
    let desk = Gateway::start_with(Clock::System, |config| {
        config.server.public_url = url(ports[0]);
        config.vault = Some(Vault::parse(ROOT_KEY).unwrap());
    })
    .await;
    let gatehouse = Gatehouse::start(ports, &state);
    let mut database = superuser().await;
    let backend: i32 = sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut database).await.unwrap();
    let postmaster = parent(backend.unsigned_abs());
    let usage = || Usage { server: gatehouse.program.time(), postgres: postgres_time(postmaster) };
    println!("The gateway is process {}; settings that differ: {}", gatehouse.program.pid(), settings());
    if options.statements {
        scim::print_statements(&desk, &gatehouse, &state, &options).await;
        return;
    }
    if options.includes("saml") {
        saml::measure(&desk, &gatehouse, &state, &usage).await;
    }
    if options.includes("roles") {
        roles::measure(&desk, &gatehouse, &state, &usage).await;
    }
    if options.includes("scim") {
        scim::measure(&desk, &gatehouse, &state, &options, postmaster, &usage).await;
    }
    if options.includes("oidc") {
        oidc::measure(&desk, &gatehouse, &state, postmaster, &usage).await;
    }
}

//! Programs that are measured from outside: the gateway, Jackson, PostgreSQL. /proc tells their time and memory.

use crate::http::Http;
use harness::gateway_process::setting;
use std::{
    fs,
    net::TcpListener,
    ops::{Div, Sub},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// A root key that is no secret: the database of the benchmark holds nothing of anybody.
pub const ROOT_KEY: &str = "ghroot_be7c4b6e_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";

/// How the gateway's settings differ from the built-in ones.
const SETTINGS: [(&str, &str); 4] = [
    ("GATEHOUSE__LOG__FILTER", "warn"),
    ("GATEHOUSE__LIMITS__SCIM_REQUESTS_PER_SECOND", "100000"),
    ("GATEHOUSE__LIMITS__SCIM_REQUESTS_BURST", "1000000"),
    ("GATEHOUSE__LIMITS__SAML_RESPONSES_PER_SECOND", "100000"),
];

/// Linux counts a process' time in hundredths of a second.
const TICKS: f64 = 100.0;

/// Seconds of processor time, or what one request takes of it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Usage {
    /// Of the gateway, or of whoever is measured in its place.
    pub server: f64,
    pub postgres: f64,
}

impl Sub for Usage {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self { server: self.server - before.server, postgres: self.postgres - before.postgres }
    }
}

impl Div<f64> for Usage {
    type Output = Self;

    fn div(self, requests: f64) -> Self {
        Self { server: self.server / requests, postgres: self.postgres / requests }
    }
}

/// A program that ends with this one.
pub struct Program {
    child: Child,
}

impl Program {
    pub fn start(command: &mut Command) -> Self {
        Self { child: command.stdin(Stdio::null()).spawn().unwrap() }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Seconds of processor time since its start.
    pub fn time(&self) -> f64 {
        let [own, _] = times(&stat(self.pid()).unwrap());
        own
    }

    /// MiB in memory now.
    pub fn memory(&self) -> f64 {
        self.status("VmRSS:")
    }

    /// MiB in memory when it was most.
    pub fn peak(&self) -> f64 {
        self.status("VmHWM:")
    }

    fn status(&self, name: &str) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1024.0
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let pid = self.pid().to_string();
        Command::new("kill").args(["-TERM", &pid]).status().unwrap();
        self.child.wait().unwrap();
    }
}

/// `gatehouse serve`, the program that was built.
pub struct Gatehouse {
    pub program: Program,
    pub port: u16,
    /// What it is called: `http://localhost:PORT`, of the first where there are several.
    pub url: String,
}

/// A port that nobody has; two of them differ.
pub fn free_ports<const COUNT: usize>() -> [u16; COUNT] {
    let listeners = [(); COUNT].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port())
}

impl Gatehouse {
    /// Starts it on these ports and waits until it is ready; it logs into the folder.
    pub fn start(ports: [u16; 2], state: &Path) -> Self {
        Self::called(url(ports[0]), ports, &state.join("gateway.log"), &[])
    }

    /// One more on the same database, called the same, as behind a load balancer, which says for whom it asks.
    pub fn beside(&self, state: &Path) -> Self {
        let proxies = [("GATEHOUSE__SERVER__TRUSTED_PROXIES", "1")];
        Self::called(self.url.clone(), free_ports(), &state.join("gateway-beside.log"), &proxies)
    }

    fn called(url: String, [port, operations]: [u16; 2], log: &Path, settings: &[(&str, &str)]) -> Self {
        let log = fs::File::create(log).unwrap();
        let mut command = Command::new(setting("GATEHOUSE_PROGRAM"));
        command.arg("serve").envs(SETTINGS).envs(settings.iter().copied()).stdout(log.try_clone().unwrap()).stderr(log);
        command
            .env("GATEHOUSE__SERVER__LISTEN", format!("127.0.0.1:{port}"))
            .env("GATEHOUSE__SERVER__PUBLIC_URL", &url);
        command.env("GATEHOUSE__OPERATIONS__LISTEN", format!("127.0.0.1:{operations}"));
        command.env("GATEHOUSE__KEYS__ROOT", ROOT_KEY);
        let program = Program::start(&mut command);
        until_listening(operations);
        let request = format!("GET /readyz HTTP/1.1\r\nhost: localhost:{operations}\r\n\r\n");
        assert_eq!(
            Http::connect(operations).exchange(request.as_bytes()),
            200,
            "the gateway is not ready; see its log"
        );
        Self { program, port, url }
    }
}

/// The origin under which a port of this machine is called.
pub fn url(port: u16) -> String {
    format!("http://localhost:{port}")
}

/// Returns when somebody listens on the port.
pub fn until_listening(port: u16) {
    let patience = Instant::now() + Duration::from_secs(60);
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(Instant::now() < patience, "nobody listens on port {port}; see the log of what should");
        thread::sleep(Duration::from_millis(50));
    }
}

/// Seconds of processor time of a server and all its processes, also of those that ended.
pub fn postgres_time(postmaster: u32) -> f64 {
    let [own, ended] = times(&stat(postmaster).unwrap());
    let parent = postmaster.to_string();
    let processes =
        fs::read_dir("/proc").unwrap().filter_map(|entry| entry.unwrap().file_name().to_str()?.parse::<u32>().ok());
    let children = processes.filter_map(stat).filter(|stat| stat[1] == parent);
    own + ended + children.map(|stat| times(&stat)[0]).sum::<f64>()
}

/// The process whose child a process is.
pub fn parent(pid: u32) -> u32 {
    stat(pid).unwrap()[1].parse().unwrap()
}

/// The fields of /proc/PID/stat behind the name, which may have spaces.
fn stat(pid: u32) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = text.rsplit_once(") ")?;
    Some(fields.split(' ').map(str::to_owned).collect())
}

/// Seconds of the process itself, and of its children that ended.
fn times(stat: &[String]) -> [f64; 2] {
    let tick = |field: usize| stat[field].trim().parse::<f64>().unwrap() / TICKS;
    [tick(11) + tick(12), tick(13) + tick(14)]
}

/// The settings that differ, for the report.
pub fn settings() -> String {
    SETTINGS.map(|(name, value)| format!("{name}={value}")).join(", ")
}

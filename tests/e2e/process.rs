//! Programs that a test starts, and folders that it makes: both are gone when the test is over.

use std::{
    io::{BufRead, BufReader, Read, Write},
    path::{Path, PathBuf},
    process::{Child, Command},
    sync::mpsc::{Receiver, channel},
    thread,
    time::Duration,
};

const PATIENCE: Duration = Duration::from_secs(60);

/// The first answer may have to wait until packages are installed.
const LONG_PATIENCE: Duration = Duration::from_secs(300);

/// A running program; it is killed when this is dropped.
pub struct Program {
    name: String,
    child: Child,
    lines: Receiver<String>,
}

/// A folder for one test.
pub struct Folder(PathBuf);

impl Program {
    /// Starts one whose words are heard: those that `ears` takes from it, standard output or error.
    pub fn start(mut command: Command, package: &str, ears: fn(&mut Child) -> Box<dyn Read + Send>) -> Self {
        let name = command.get_program().to_string_lossy().into_owned();
        let mut child = command.spawn().unwrap_or_else(|error| {
            panic!("{name} cannot be started: {error}. Run bin/setup test, or apt-get install {package}.")
        });
        let (sender, lines) = channel();
        let reader = BufReader::new(ears(&mut child));
        // Reads to the end, so that the program never waits for somebody to listen.
        thread::spawn(move || reader.lines().map_while(Result::ok).for_each(|line| drop(sender.send(line))));
        Self { name, child, lines }
    }

    /// Waits for the line that tells the port: the number between these words.
    pub fn port(&self, before: &str, after: &str) -> u16 {
        self.said_port(before, after)
            .unwrap_or_else(|said| panic!("{} did not start listening. It said: {said}", self.name))
    }

    /// The same, or what it said before it ended.
    pub fn said_port(&self, before: &str, after: &str) -> Result<u16, String> {
        let mut said = Vec::new();
        while let Ok(line) = self.lines.recv_timeout(PATIENCE) {
            let number = line.split_once(before).and_then(|(_, rest)| rest.split_once(after)?.0.parse().ok());
            if let Some(port) = number {
                return Ok(port);
            }
            said.push(line);
        }
        Err(said.join("\n"))
    }

    /// Says a line to it, and waits for the line that it answers.
    pub fn answer(&mut self, line: &str) -> String {
        let ears = self.child.stdin.as_mut().expect("is piped");
        writeln!(ears, "{line}").unwrap_or_else(|error| panic!("{} does not listen: {error}", self.name));
        let answer = self.lines.recv_timeout(LONG_PATIENCE);
        answer.unwrap_or_else(|error| panic!("{} does not answer {line}: {error}", self.name))
    }

    /// What it said since it was last asked.
    pub fn words(&self) -> String {
        self.lines.try_iter().collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Both fail only for a program that has ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Folder {
    pub fn new() -> Self {
        let path = std::env::temp_dir().join(harness::gateway_process::unique("gatehouse-e2e"));
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Makes a folder in it.
    pub fn folder(&self, name: &str) -> PathBuf {
        let path = self.0.join(name);
        std::fs::create_dir_all(&path).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A browser that is just ending may still write here; what stays is in the system's temporary folder.
        drop(std::fs::remove_dir_all(&self.0));
    }
}

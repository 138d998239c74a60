//! The `gatehouse` binary.

use clap::Parser;
use gateway::cli::Cli;
use std::process::ExitCode;

fn main() -> ExitCode {
    gateway::cli::run(Cli::parse())
}

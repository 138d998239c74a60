//! `gatehouse key …`

use super::{Desk, output::Output};
use crate::{keys, vault};
use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Print a new root key, a line for the key file. KEEP A COPY: without it, all sealed keys are lost.
    Generate,
    /// Seal every stored key under the first root key of the file. Put a new key on the first line before,
    /// and remove the old ones after.
    Rotate,
}

pub fn generate() {
    println!("{}", vault::generate_root_key());
}

pub async fn run(command: Command, desk: Desk, output: &Output) -> anyhow::Result<()> {
    match command {
        Command::Generate => generate(),
        Command::Rotate => {
            let vault = desk.vault()?;
            let count = keys::reseal(&desk.store, vault, desk.now()).await?;
            output.line(&format!("Sealed {count} key(s) under the root key {}.", vault.sealing_key_id()));
        }
    }
    Ok(())
}

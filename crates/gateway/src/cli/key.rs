//! `gatehouse key …`

use super::{
    Desk,
    output::{Output, moment},
};
use crate::{keys, vault};
use clap::Subcommand;
use serde_json::json;
use store::signing_keys::{self, SealedSigningKey};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Print a new root key, a line for the key file. KEEP A COPY: without it, all sealed keys are lost.
    Generate,
    /// Seal every stored key under the first root key of the file. Put a new key on the first line before,
    /// and remove the old ones after.
    Rotate,
    /// Show the keys that sign tokens: the next, the current and the retired ones.
    Tokens,
    /// Make new keys that sign tokens. They are published at once and sign from tomorrow; without this that is done on a
    /// schedule (keys.token_key_days).
    RotateTokens {
        /// When a key was stolen: the new ones sign at once, and nothing is believed that the others signed. Gateways take
        /// that over within a minute, applications when they fetch the key set again.
        #[arg(long)]
        at_once: bool,
    },
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
        Command::Tokens => return tokens(&desk, output).await,
        Command::RotateTokens { at_once } => {
            keys::replace(&desk.store, desk.vault()?, at_once, desk.now()).await?;
            return tokens(&desk, output).await;
        }
    }
    Ok(())
}

async fn tokens(desk: &Desk, output: &Output) -> anyhow::Result<()> {
    let now = desk.now();
    let mut tx = desk.store.control(now).await?;
    let all = signing_keys::list(&mut tx).await?;
    tx.rollback().await?;
    let fields = |key: &SealedSigningKey| {
        let of: Vec<_> = all.iter().filter(|other| other.algorithm == key.algorithm).collect();
        let from: Vec<_> = of.iter().map(|key| key.signs_from).collect();
        vec![
            ("kid", json!(key.id)),
            ("algorithm", json!(key.algorithm)),
            ("stage", json!(keys::stage(key.signs_from, &from, now).as_str())),
            ("signs_from", json!(moment(key.signs_from))),
        ]
    };
    output.list(&all.iter().map(fields).collect::<Vec<_>>())
}

//! `gatehouse connection key …`: the keys with which a connection signs and decrypts.

use crate::{
    cli::{
        Desk,
        output::{Output, moment},
    },
    error::Error,
    keys,
    saml::keys::Keys,
    setup::sp_keys::{self as setup, Signing},
};
use anyhow::bail;
use clap::{Subcommand, ValueEnum};
use domain::ids::ConnectionId;
use saml::{idp::IdpCertificate, sp, sp_key::KeyAlgorithm};
use serde_json::json;
use time::Duration;
use uuid::Uuid;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make the key that follows. The metadata shows it at once, so that identity providers learn of it before it signs;
    /// older keys go on to decrypt until they are retired.
    Rotate {
        /// The connection's id.
        connection: ConnectionId,
        /// rsa signs and decrypts; ec only signs, and the newest rsa key goes on to decrypt.
        #[arg(long, value_enum, default_value_t = Algorithm::Rsa)]
        algorithm: Algorithm,
        /// In how many days it begins to sign.
        #[arg(long, value_name = "DAYS", default_value_t = 7, value_parser = clap::value_parser!(u16).range(0..=365))]
        after: u16,
        /// It shall only decrypt.
        #[arg(long, conflicts_with = "after")]
        decrypt_only: bool,
    },
    /// List the keys and what each does.
    List {
        /// The connection's id.
        connection: ConnectionId,
    },
    /// Print the certificate of a key, for identity providers that take a file.
    Export {
        /// The connection's id.
        connection: ConnectionId,
        /// The key's id.
        key: Uuid,
    },
    /// Take a key out of use that neither signs nor is the one to encrypt for.
    Retire {
        /// The connection's id.
        connection: ConnectionId,
        /// The key's id.
        key: Uuid,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Algorithm {
    Rsa,
    Ec,
}

impl From<Algorithm> for KeyAlgorithm {
    fn from(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Rsa => Self::Rsa3072,
            Algorithm::Ec => Self::EcP256,
        }
    }
}

impl Command {
    /// Whether it makes a key, which has to be sealed.
    pub fn makes_a_key(&self) -> bool {
        matches!(self, Self::Rotate { .. })
    }
}

pub async fn run(command: Command, desk: &Desk, output: &Output) -> anyhow::Result<()> {
    match command {
        Command::Rotate { connection, algorithm, after, decrypt_only } => {
            if decrypt_only && algorithm == Algorithm::Ec {
                bail!("an ec key cannot decrypt; leave out --decrypt-only or --algorithm ec");
            }
            let signing = match after {
                _ if decrypt_only => Signing::Never,
                0 => Signing::AtOnce,
                days => Signing::From(desk.now() + Duration::days(days.into())),
            };
            rotate(desk, connection, algorithm.into(), signing, output).await
        }
        Command::List { connection } => list(desk, connection, output).await,
        Command::Export { connection, key } => export(desk, connection, key).await,
        Command::Retire { connection, key } => {
            desk.tenant_of(connection).await?;
            match setup::retire(&desk.store, desk.now(), connection, key).await {
                Err(Error::NotFound) => bail!("{}", unknown(connection, key)),
                done => done?,
            }
            output.line("The key is out of use. Remove its certificate from the identity provider.");
            Ok(())
        }
    }
}

fn unknown(connection: ConnectionId, key: Uuid) -> String {
    format!("the connection has no key {key}; `gatehouse connection key list {connection}` shows them")
}

async fn rotate(
    desk: &Desk,
    connection: ConnectionId,
    algorithm: KeyAlgorithm,
    signing: Signing,
    output: &Output,
) -> anyhow::Result<()> {
    let vault = desk.vault()?;
    // A key sealed under a root key that the gateways do not have would keep them from starting.
    keys::check(&desk.store, vault, desk.now()).await?;
    desk.tenant_of(connection).await?;
    let id = setup::rotate(&desk.store, desk.now(), vault, connection, algorithm, signing).await?;
    output.line("Give the new certificate to identity providers that do not read the metadata by themselves:");
    output.line(&format!("  gatehouse connection key export {connection} {id}"));
    output.record(&[("id", json!(id))])
}

async fn all(desk: &Desk, connection: ConnectionId) -> anyhow::Result<Keys> {
    let mut tx = desk.tenant(desk.tenant_of(connection).await?).await?;
    let keys = Keys::of(&mut tx, connection).await?;
    tx.rollback().await?;
    Ok(keys)
}

async fn list(desk: &Desk, connection: ConnectionId, output: &Output) -> anyhow::Result<()> {
    let keys = all(desk, connection).await?;
    let is = |key: Option<&store::sp_keys::SealedSpKey>, id| key.is_some_and(|key| key.id == id);
    let records = keys.all().iter().map(|key| {
        let mut does = Vec::new();
        if is(keys.signing(), key.id) {
            does.push("signs".to_owned());
        }
        if let Some(begin) = key.signs_from.filter(|_| keys.is_pending(key)) {
            does.push(format!("will sign from {}", moment(begin)));
        }
        if is(keys.encryption(), key.id) {
            does.push("to encrypt for".to_owned());
        }
        if does.is_empty() {
            does.push("may be retired when no identity provider uses it".to_owned());
        }
        let certificate = IdpCertificate::from_der(&key.certificate).ok();
        vec![
            ("id", json!(key.id)),
            ("algorithm", json!(key.algorithm)),
            ("does", json!(does.join("; "))),
            ("certificate", json!(certificate.as_ref().map(|known| format!("SHA-256 {}", known.fingerprint())))),
            ("certificate_ends_at", json!(certificate.map(|known| moment(known.not_after())))),
        ]
    });
    output.list(&records.collect::<Vec<_>>())
}

async fn export(desk: &Desk, connection: ConnectionId, key: Uuid) -> anyhow::Result<()> {
    let keys = all(desk, connection).await?;
    let Some(found) = keys.all().iter().find(|known| known.id == key) else { bail!("{}", unknown(connection, key)) };
    print!("{}", sp::pem(&found.certificate));
    Ok(())
}

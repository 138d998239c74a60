//! `gatehouse mail …`

use super::{Desk, output::Output};
use crate::{
    entropy, invitation_mail,
    mail::{self, Letter, Mail, Problem},
};
use anyhow::{Context, bail};
use clap::Subcommand;
use serde_json::json;
use std::io::{Read, stdin};
use uuid::Uuid;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Send a mail that says only that mail arrives.
    Test {
        /// To whom.
        address: String,
    },
    /// Read a mail that came back from standard input, and note which invitation did not arrive. Let the mail server pipe what
    /// arrives at mail.return_path into it; a mail that is none of that kind changes nothing.
    Bounced,
}

impl Command {
    /// Whether root keys are needed.
    pub fn needs_keys(&self) -> bool {
        matches!(self, Self::Bounced)
    }
}

pub async fn run(command: Command, desk: &Desk, output: &Output) -> anyhow::Result<()> {
    match command {
        Command::Test { address } => {
            let settings = desk.config.mail.as_ref().context("mail.smtp_url is not set, so no mail goes out")?;
            let to = mail::mailbox(&address)?.email;
            let text = format!("Mail of {} arrives.\n", desk.config.server.public_url);
            let html = format!("<p>{}</p>\n", text.trim());
            let (subject, name) = ("Mail arrives".to_owned(), Uuid::from_bytes(entropy::bytes()).simple().to_string());
            let letter = Letter { to, subject, text, html, name, at: desk.now() };
            match Mail::new(settings)?.send(letter).await {
                Ok(()) => output.line("The mail server took it."),
                Err(Problem::Recipient(problem) | Problem::Other(problem)) => {
                    bail!("the mail server did not take it: {problem}")
                }
            }
            Ok(())
        }
        Command::Bounced => {
            let mut message = Vec::new();
            stdin().take(mail::LARGEST).read_to_end(&mut message).context("standard input cannot be read")?;
            let Some(returned) = mail::returned(&message) else {
                output.line("This does not say that a mail failed for good; nothing was noted.");
                return Ok(());
            };
            match invitation_mail::came_back(&desk.store, desk.vault()?, desk.now(), &returned).await? {
                Some(id) => output.record(&[("invitation", json!(id)), ("problem", json!(returned.why))]),
                None => {
                    output.line("The mail that came back was no invitation of ours; nothing was noted.");
                    Ok(())
                }
            }
        }
    }
}

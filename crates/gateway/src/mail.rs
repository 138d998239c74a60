//! Mail that goes out by SMTP, and what comes back of it (RFC 3464).

use crate::{config::Hidden, error::chain};
use anyhow::{Context, bail};
use lettre::{
    Address, AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    address::Envelope,
    message::{Mailbox, MultiPart, header::HeaderName, header::HeaderValue},
    transport::smtp::{AsyncSmtpTransportBuilder, Error as SmtpError},
};
use mail_parser::{MessageParser, MimeHeaders};
use std::{fmt, time::Duration};
use time::OffsetDateTime;
use tokio::time::timeout;
use url::Url;

/// How long a mail server may take for one answer, and for one mail.
const PATIENCE: Duration = Duration::from_secs(20);
const PATIENCE_IN_ALL: Duration = Duration::from_secs(60);

/// Mails that are on their way at once, at most.
pub const AT_ONCE: u32 = 8;

/// Characters of a problem that are kept.
const TOLD: usize = 300;

/// Bytes of a mail that came back, of which the rest is not read.
pub const LARGEST: u64 = 1_048_576;

/// How mail goes out, and from whom.
#[derive(Debug, Clone)]
pub struct Settings {
    pub url: Hidden,
    pub from: Mailbox,
    pub reply_to: Option<Mailbox>,
    pub return_path: Option<Mailbox>,
}

/// A mail as it is to be sent.
#[derive(Debug)]
pub struct Letter {
    pub to: Address,
    pub subject: String,
    pub text: String,
    pub html: String,
    /// The part of the Message-ID in front of the `@` (RFC 5322 3.6.4): the same each time that the same is sent.
    pub name: String,
    pub at: OffsetDateTime,
}

/// Why a mail server did not take a mail.
#[derive(Debug, PartialEq, Eq)]
pub enum Problem {
    /// There is no such mailbox, or it takes nothing: another try changes nothing.
    Recipient(String),
    /// Anything else; it may be mended.
    Other(String),
}

/// Sends mail.
#[derive(Clone)]
pub struct Mail {
    settings: Settings,
    transport: AsyncSmtpTransport<Tokio1Executor>,
}

impl fmt::Debug for Mail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mail").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// An address that an operator gives: `ops@example.com` or `Example <ops@example.com>`.
///
/// # Errors
/// When it is none.
pub fn mailbox(text: &str) -> anyhow::Result<Mailbox> {
    text.parse().ok().with_context(|| format!("\"{text}\" is not an address such as Example <no-reply@example.com>"))
}

/// The server of a URL. One that is not this machine is not spoken to in the clear unless somebody says so.
///
/// # Errors
/// What is wrong with it; never the URL itself, which may hold a password.
pub fn server(text: &str) -> anyhow::Result<AsyncSmtpTransportBuilder> {
    let url = Url::parse(text).ok().context("it is not a URL such as smtps://USER:PASSWORD@smtp.example.com")?;
    let wish = url.query_pairs().find(|(name, _)| name == "tls").map(|(_, wish)| wish.into_owned());
    let is_here = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    match (url.scheme(), wish.as_deref()) {
        ("smtps", None) | ("smtp", Some("required" | "opportunistic")) => {}
        ("smtp", None) if is_here => {}
        ("smtp", None) => bail!(
            "mail would go out in the clear; write smtps://, or add ?tls=required (or ?tls=opportunistic for a relay of your own)"
        ),
        ("smtp", Some(_)) => bail!("tls is required or opportunistic"),
        ("smtps", Some(_)) => bail!("smtps:// is encrypted from the start; leave tls away"),
        _ => bail!("it starts with smtps:// or smtp://"),
    }
    let builder = AsyncSmtpTransport::<Tokio1Executor>::from_url(text);
    // What lettre says may name the URL.
    builder.ok().context("it is not a URL such as smtps://USER:PASSWORD@smtp.example.com")
}

impl Mail {
    /// Prepares to send; nothing is asked yet.
    ///
    /// # Errors
    /// As [`server`].
    pub fn new(settings: &Settings) -> anyhow::Result<Self> {
        let pool = lettre::transport::smtp::PoolConfig::new().max_size(AT_ONCE);
        let transport = server(&settings.url.0)?.timeout(Some(PATIENCE)).pool_config(pool).build();
        Ok(Self { settings: settings.clone(), transport })
    }

    /// Whether the server answers, and lets us in.
    ///
    /// # Errors
    /// Why it does not.
    pub async fn check(&self) -> anyhow::Result<()> {
        let is_there = timeout(PATIENCE_IN_ALL, self.transport.test_connection()).await;
        match is_there.context("the mail server does not answer")? {
            Ok(true) => Ok(()),
            Ok(false) => bail!("the mail server is there and takes nothing"),
            Err(error) => bail!("the mail server says no: {}", chain(&error)),
        }
    }

    /// Has the server take a mail.
    ///
    /// # Errors
    /// Why it did not.
    pub async fn send(&self, letter: Letter) -> Result<(), Problem> {
        let (envelope, message) = self.written(letter).map_err(|error| Problem::Other(format!("{error:#}")))?;
        match timeout(PATIENCE_IN_ALL, self.transport.send_raw(&envelope, &message.formatted())).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(problem(&error)),
            Err(_) => Err(Problem::Other("the mail server took too long".to_owned())),
        }
    }

    fn written(&self, letter: Letter) -> anyhow::Result<(Envelope, Message)> {
        let Letter { to, subject, text, html, name, at } = letter;
        let Settings { from, reply_to, return_path, .. } = &self.settings;
        let sender = return_path.as_ref().unwrap_or(from).email.clone();
        let envelope = Envelope::new(Some(sender), vec![to.clone()])?;
        let mut builder = Message::builder()
            .from(from.clone())
            .to(Mailbox::new(None, to))
            .subject(subject)
            .date(at.into())
            .message_id(Some(format!("<{name}@{}>", from.email.domain())))
            // Nobody's holiday notice answers it (RFC 3834 5).
            .raw_header(HeaderValue::new(
                HeaderName::new_from_ascii_str("Auto-Submitted"),
                "auto-generated".to_owned(),
            ));
        if let Some(reply_to) = reply_to {
            builder = builder.reply_to(reply_to.clone());
        }
        Ok((envelope, builder.multipart(MultiPart::alternative_plain_html(text, html))?))
    }
}

/// What the server said, and of whom. Enhanced codes (RFC 3463) tell it, where there is one: X.1.7, X.1.8 and X.7 are about us.
fn problem(error: &SmtpError) -> Problem {
    let text: String = chain(error).chars().take(TOLD).collect();
    let code = error.status().filter(|_| error.is_permanent()).map(|code| code.to_string());
    let is_of_mailbox = code.is_some_and(|code| matches!(code.as_str(), "550" | "551" | "553" | "556"));
    let is_of_us = ["5.7.", "5.1.7", "5.1.8"].iter().any(|enhanced| text.contains(enhanced));
    if is_of_mailbox && !is_of_us { Problem::Recipient(text) } else { Problem::Other(text) }
}

/// A mail of ours that came back for good.
#[derive(Debug, PartialEq, Eq)]
pub struct Returned {
    /// The part of its Message-ID in front of the `@`.
    pub name: String,
    /// What the server said that did not take it.
    pub why: String,
}

/// Reads a delivery status notification; nothing for one that says anything else than that a mail failed for good, or names none.
pub fn returned(message: &[u8]) -> Option<Returned> {
    let report = MessageParser::default().parse(message)?;
    let is_status = |part: &&mail_parser::MessagePart<'_>| {
        part.content_type().is_some_and(|kind| kind.ctype() == "message" && kind.subtype() == Some("delivery-status"))
    };
    let status = String::from_utf8_lossy(report.parts.iter().find(is_status)?.contents()).replace("\r\n", "\n");
    // Long fields are folded (RFC 5322 2.2.3).
    let status = status.replace("\n ", " ").replace("\n\t", " ");
    let field = |name: &str| {
        let line = status.lines().find(|line| line.to_ascii_lowercase().starts_with(name))?;
        line.split_once(':').map(|(_, value)| value.trim().to_owned())
    };
    let is_failed = field("action:").is_some_and(|action| action.eq_ignore_ascii_case("failed"));
    let code = field("status:").unwrap_or_default();
    if !is_failed || !code.starts_with('5') {
        return None;
    }
    let said = field("diagnostic-code:").unwrap_or_default();
    let said = said.split_once(';').map_or(said.as_str(), |(_, said)| said.trim());
    let why: String = format!("{code} {said}").trim().chars().take(TOLD).collect();
    let name = report.parts.iter().find_map(|part| match &part.body {
        mail_parser::PartType::Message(original) => original.message_id().map(str::to_owned),
        // Only the headers came back.
        mail_parser::PartType::Text(headers) if part.content_type()?.subtype() == Some("rfc822-headers") => {
            MessageParser::default().parse_headers(headers.as_bytes())?.message_id().map(str::to_owned)
        }
        _ => None,
    })?;
    let name = name.trim_matches(['<', '>']).split_once('@').map(|(name, _)| name.to_owned())?;
    Some(Returned { name, why })
}

//! A mail server that nobody here wrote (aiosmtpd), and what it took.

use crate::gateway_process::unique;
use gateway::{
    config::Hidden,
    mail::{self, Mail, Settings},
};
use mail_parser::{Message, MessageParser};
use serde_json::Value;
use std::{fs, path::PathBuf, process::Stdio};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

/// It takes mail until it is dropped.
pub struct MailServer {
    pub port: u16,
    folder: PathBuf,
    _child: Child,
}

/// A mail that it took.
#[derive(Debug, Clone)]
pub struct Taken {
    pub from: String,
    pub to: Vec<String>,
    /// As it came.
    pub raw: String,
    pub is_encrypted: bool,
    pub is_authenticated: bool,
}

impl Drop for MailServer {
    fn drop(&mut self) {
        // What is left lies in the folder for such things.
        fs::remove_dir_all(&self.folder).unwrap_or_default();
    }
}

impl MailServer {
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// One that takes mail only by STARTTLS, with this certificate, from who knows the password.
    pub async fn start_encrypted(certificate: &str, key: &str) -> Self {
        Self::start_with(&[certificate, key]).await
    }

    async fn start_with(arguments: &[&str]) -> Self {
        let folder = std::env::temp_dir().join(unique("mail"));
        fs::create_dir_all(&folder).unwrap();
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/harness/smtp.py");
        // Debian's Python: it has the package.
        let mut command = Command::new("/usr/bin/python3");
        command.arg(script).arg(&folder).args(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let port = lines.next_line().await.unwrap().expect("python3-aiosmtpd is installed; `bin/setup test` does that");
        Self { port: port.parse().unwrap(), folder, _child: child }
    }

    pub fn url(&self) -> String {
        format!("smtp://localhost:{}", self.port)
    }

    /// What sends to it.
    pub fn sender(&self) -> Mail {
        Mail::new(&self.settings(&self.url())).unwrap()
    }

    pub fn settings(&self, url: &str) -> Settings {
        Settings {
            url: Hidden(url.to_owned()),
            from: mail::mailbox("Test app <no-reply@app.test>").unwrap(),
            reply_to: None,
            return_path: Some(mail::mailbox("bounces@app.test").unwrap()),
        }
    }

    /// Has it behave otherwise, or as before: `mended`, `mute`.
    pub fn is(&self, what: &str, on: bool) {
        let file = self.folder.join(what);
        if on { fs::write(file, "").unwrap() } else { fs::remove_file(file).unwrap_or_default() }
    }

    /// What it took, oldest first.
    pub fn all(&self) -> Vec<Taken> {
        let files = fs::read_dir(&self.folder).unwrap().map(|file| file.unwrap().path());
        let mut files: Vec<PathBuf> =
            files.filter(|file| file.extension().is_some_and(|extension| extension == "json")).collect();
        files.sort();
        files.iter().map(|file| Taken::read(&fs::read_to_string(file).unwrap())).collect()
    }

    /// The same, to that address.
    pub fn to(&self, address: &str) -> Vec<Taken> {
        self.all().into_iter().filter(|mail| mail.to.iter().any(|to| to == address)).collect()
    }
}

impl Taken {
    fn read(text: &str) -> Self {
        let value: Value = serde_json::from_str(text).unwrap();
        let text = |name: &str| value[name].as_str().unwrap().to_owned();
        Self {
            from: text("from"),
            to: value["to"].as_array().unwrap().iter().map(|to| to.as_str().unwrap().to_owned()).collect(),
            raw: text("text"),
            is_encrypted: value["is_encrypted"] == true,
            is_authenticated: value["is_authenticated"] == true,
        }
    }

    pub fn message(&self) -> Message<'_> {
        MessageParser::default().parse(self.raw.as_bytes()).unwrap()
    }

    pub fn text(&self) -> String {
        self.message().body_text(0).unwrap().into_owned()
    }

    pub fn html(&self) -> String {
        self.message().body_html(0).unwrap().into_owned()
    }

    pub fn subject(&self) -> String {
        self.message().subject().unwrap().to_owned()
    }

    pub fn name(&self) -> String {
        self.message().message_id().unwrap().to_owned()
    }

    /// The link of an invitation.
    pub fn link(&self) -> String {
        let text = self.text();
        text.split_whitespace().find(|word| word.contains("/invite/")).expect("a link").to_owned()
    }
}

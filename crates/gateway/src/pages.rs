//! Pages for people: small, without scripts, safe to show anywhere.

use crate::entropy;
use askama::Template;
use aws_lc_rs::digest;
use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use std::sync::LazyLock;
use uuid::Uuid;

/// The one style sheet, written into each page and named by its digest in the content security policy.
pub const STYLE: &str = include_str!("../templates/style.css");

/// The one script, which sends a form on its way.
pub const SUBMIT: &str = "document.forms[0].submit()";

static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| policy("", "'none'"));

/// What a page may do, and who may frame it; `more` ends with a semicolon.
fn policy(more: &str, framed_by: &str) -> HeaderValue {
    let style = source(STYLE);
    let policy = format!("default-src 'none'; {more}style-src {style}; base-uri 'none'; frame-ancestors {framed_by}");
    HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static("default-src 'none'"))
}

/// A script or style sheet that stands in the page, by its digest (CSP 3 2.3.1).
fn source(text: &str) -> String {
    format!("'sha256-{}'", STANDARD.encode(digest::digest(&digest::SHA256, text.as_bytes())))
}

/// The start page.
#[derive(Template)]
#[template(path = "start.html")]
pub struct StartPage<'a> {
    pub issuer: &'a str,
    /// The operator's words.
    pub notice: Vec<Word<'a>>,
}

/// A piece of the operator's words.
pub enum Word<'a> {
    Text(&'a str),
    Link(&'a str),
}

/// Finds the links in a text.
pub fn words(text: &str) -> Vec<Word<'_>> {
    let is_link = |word: &str| word.starts_with("http") && word.is_ascii() && word.contains("://");
    text.split_inclusive(char::is_whitespace)
        .flat_map(|piece| {
            let (word, space) = piece.split_at(piece.trim_end().len());
            [if is_link(word) { Word::Link(word) } else { Word::Text(word) }, Word::Text(space)]
        })
        .collect()
}

/// Asks which organization somebody belongs to; everything asked so far goes along.
#[derive(Template)]
#[template(path = "organization.html")]
pub struct OrganizationPage {
    pub asked: Vec<(String, String)>,
    /// A name that leads nowhere, as it was typed.
    pub unknown: Option<String>,
}

/// The end of a sign-in for an application that has no page to begin at.
#[derive(Template)]
#[template(path = "signed_in.html")]
pub struct SignedInPage<'a> {
    pub application: &'a str,
}

/// Carries a message in a form: to the identity provider (SAML bindings 3.5), or to the application (OAuth 2.0 Form Post
/// Response Mode).
#[derive(Template)]
#[template(path = "post.html")]
pub struct PostPage<'a> {
    pub action: &'a str,
    pub fields: Vec<(&'a str, &'a str)>,
    pub to_identity_provider: bool,
}

/// Asks whether somebody means to sign out, and tells that it is done.
#[derive(Template)]
#[template(path = "sign_out.html")]
pub struct SignOutPage<'a> {
    pub application: &'a str,
    pub state: SignOut,
    /// Where the answer is posted, and what goes along; nowhere else than here if it is empty.
    pub action: &'a str,
    pub asked: Vec<(&'static str, String)>,
}

/// How far somebody is out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignOut {
    /// Still in.
    Asked,
    /// Out of the application.
    Done,
    /// Out of the application, but not everywhere.
    Partly,
    /// Out of the application only: the identity provider was not asked.
    Here,
}

/// Something did not work.
#[derive(Template)]
#[template(path = "error.html")]
pub struct ErrorPage {
    title: String,
    next: String,
    code: String,
    reference: String,
    admin: Option<Diagnosis>,
}

struct Diagnosis {
    fix: String,
    expected: Option<String>,
    received: Option<String>,
}

/// What a person can read out, and nobody guesses.
pub fn reference() -> String {
    Uuid::from_bytes(entropy::bytes()).simple().to_string().chars().take(12).collect()
}

impl ErrorPage {
    /// What happened, what to do next, and the code.
    pub fn new(title: &str, next: &str, code: &str) -> Self {
        let reference = String::new();
        Self { title: title.to_owned(), next: next.to_owned(), code: code.to_owned(), reference, admin: None }
    }

    /// Adds what ties the page to the logs.
    #[must_use]
    pub fn with(self, reference: String) -> Self {
        tracing::info!(reference, code = self.code, "Showed an error page");
        Self { reference, ..self }
    }

    /// Adds what the IT admin needs to mend it.
    #[must_use]
    pub fn for_admin(self, fix: &str, expected: Option<String>, received: Option<String>) -> Self {
        Self { admin: Some(Diagnosis { fix: fix.to_owned(), expected, received }), ..self }
    }
}

/// A page as an answer, with the headers that every page has.
pub fn html(status: StatusCode, page: &impl Template) -> Response {
    under(&POLICY, status, page)
}

/// The page that sends itself on. An identity provider that ends everybody's sessions does so in hidden frames, so its
/// origin may be given.
pub fn posting(page: &PostPage<'_>, framed_by: Option<&str>) -> Response {
    let script = format!("script-src {}; ", source(SUBMIT));
    under(&policy(&script, framed_by.unwrap_or("'none'")), StatusCode::OK, page)
}

fn under(policy: &HeaderValue, status: StatusCode, page: &impl Template) -> Response {
    let Ok(body) = page.render() else {
        tracing::error!("A page could not be rendered");
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::CONTENT_SECURITY_POLICY, policy.clone()),
    ];
    (status, headers, body).into_response()
}

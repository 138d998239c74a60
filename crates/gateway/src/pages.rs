//! Pages for people: small, without scripts but for one that sends a form on its way, safe to show anywhere.

mod brand;
pub mod words;

pub use self::{brand::Brand, words::Words};

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

/// A page, and whose it is.
pub trait Page: Template {
    /// The application whose looks it has.
    fn brand(&self) -> Option<&Brand> {
        None
    }
}

/// What a page may do, and who may frame it; `more` ends with a semicolon.
fn policy(brand: Option<&Brand>, more: &str, framed_by: &str) -> HeaderValue {
    static STYLE_SOURCE: LazyLock<String> = LazyLock::new(|| source(STYLE));
    let own = brand.and_then(|brand| brand.style.as_deref()).map(|style| format!(" {}", source(style)));
    let (style, own) = (STYLE_SOURCE.as_str(), own.unwrap_or_default());
    let images = if brand.is_some_and(|brand| brand.logo.is_some()) { "img-src 'self'; " } else { "" };
    let policy = format!(
        "default-src 'none'; {more}{images}style-src {style}{own}; base-uri 'none'; frame-ancestors {framed_by}"
    );
    HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static("default-src 'none'"))
}

/// A script or style sheet that stands in the page, by its digest (CSP 3 2.3.1).
fn source(text: &str) -> String {
    format!("'sha256-{}'", STANDARD.encode(digest::digest(&digest::SHA256, text.as_bytes())))
}

macro_rules! page {
    ($page:ident) => {
        impl Page for $page<'_> {}
    };
    ($page:ident of brand) => {
        impl Page for $page<'_> {
            fn brand(&self) -> Option<&Brand> {
                Some(self.brand)
            }
        }
    };
}

/// The start page.
#[derive(Template)]
#[template(path = "start.html")]
pub struct StartPage<'a> {
    pub words: Words,
    pub issuer: &'a str,
    /// The operator's words.
    pub notice: Vec<Word<'a>>,
}

page!(StartPage);

impl StartPage<'_> {
    fn link(&self) -> String {
        format!("{}/t/your-company", self.issuer)
    }
}

/// A piece of the operator's words.
pub enum Word<'a> {
    Text(&'a str),
    Link(&'a str),
}

/// Finds the links in a text.
pub fn words_of(text: &str) -> Vec<Word<'_>> {
    let is_link = |word: &str| word.starts_with("http") && word.is_ascii() && word.contains("://");
    text.split_inclusive(char::is_whitespace)
        .flat_map(|piece| {
            let (word, space) = piece.split_at(piece.trim_end().len());
            [if is_link(word) { Word::Link(word) } else { Word::Text(word) }, Word::Text(space)]
        })
        .collect()
}

/// Asks for the address, or for the organization; everything asked so far goes along.
#[derive(Template)]
#[template(path = "login.html")]
pub struct LoginPage<'a> {
    pub words: Words,
    /// The application, if it is known which one.
    pub brand: Option<&'a Brand>,
    /// The request that is answered in the end, as a query.
    pub asked: &'a str,
    /// The mail domain with which somebody signed in here last.
    pub remembered: Option<&'a str>,
    /// What leads nowhere.
    pub unknown: Option<Unknown<'a>>,
}

/// What leads nowhere, as it was typed.
#[derive(Debug, Clone, Copy)]
pub enum Unknown<'a> {
    Address(&'a str),
    Organization(&'a str),
}

impl<'a> LoginPage<'a> {
    fn typed_address(&self) -> Option<&'a str> {
        match self.unknown {
            Some(Unknown::Address(typed)) => Some(typed),
            _ => None,
        }
    }

    fn typed_organization(&self) -> Option<&'a str> {
        match self.unknown {
            Some(Unknown::Organization(typed)) => Some(typed),
            _ => None,
        }
    }

    fn title(&self) -> String {
        match self.brand {
            Some(brand) => self.words.with("login-title-to", "application", &brand.name),
            None => self.words.say("login-title"),
        }
    }
}

impl Page for LoginPage<'_> {
    fn brand(&self) -> Option<&Brand> {
        self.brand
    }
}

/// Asks for a password.
#[derive(Template)]
#[template(path = "password.html")]
pub struct PasswordPage<'a> {
    pub words: Words,
    pub brand: &'a Brand,
    /// The sign-in that it is for.
    pub request: &'a str,
    pub email: &'a str,
    /// Why the last one did not do, as a message.
    pub problem: Option<&'static str>,
}

page!(PasswordPage of brand);

/// Asks for an emergency code.
#[derive(Template)]
#[template(path = "break_glass.html")]
pub struct BreakGlassPage<'a> {
    pub words: Words,
    pub brand: &'a Brand,
    pub email: &'a str,
    /// Why the last one did not do, as a message.
    pub problem: Option<&'static str>,
}

page!(BreakGlassPage of brand);

/// Offers the identity provider, and the application's own way as it was before.
#[derive(Template)]
#[template(path = "ways.html")]
pub struct WaysPage<'a> {
    pub words: Words,
    pub brand: &'a Brand,
    /// Addresses of both ways.
    pub sso: &'a str,
    pub own: &'a str,
}

page!(WaysPage of brand);

/// Shows an invitation.
#[derive(Template)]
#[template(path = "invitation.html")]
pub struct InvitationPage<'a> {
    pub words: Words,
    pub brand: &'a Brand,
    pub tenant: &'a str,
    pub email: &'a str,
    /// Whether it ties an account to somebody whom the application knows.
    pub links: bool,
}

page!(InvitationPage of brand);

impl InvitationPage<'_> {
    fn title(&self) -> String {
        if self.links {
            return self.words.say("link-title");
        }
        self.words.with("invitation-title", "application", &self.brand.name)
    }

    fn text(&self) -> String {
        let Self { tenant, email, brand, .. } = self;
        if self.links {
            return self.words.all("link-text", &[("tenant", tenant), ("email", email), ("application", &brand.name)]);
        }
        self.words.all("invitation-text", &[("tenant", tenant), ("email", email)])
    }

    fn button(&self) -> String {
        self.words.say(if self.links { "link-button" } else { "invitation-button" })
    }
}

/// The mail of an invitation.
#[derive(Template)]
#[template(path = "mail_invitation.html")]
pub struct InvitationMail<'a> {
    pub words: Words,
    pub brand: &'a Brand,
    pub issuer: &'a str,
    pub tenant: &'a str,
    pub email: &'a str,
    pub link: &'a str,
    /// The day on which the link stops to work.
    pub until: &'a str,
}

/// The same without looks.
#[derive(Template)]
#[template(path = "mail_invitation.txt")]
pub struct InvitationText<'a> {
    mail: &'a InvitationMail<'a>,
}

impl<'a> InvitationMail<'a> {
    /// The mail without looks.
    pub fn text(&'a self) -> InvitationText<'a> {
        InvitationText { mail: self }
    }

    /// The subject, and what stands on top.
    pub fn title(&self) -> String {
        self.words.with("invitation-title", "application", &self.brand.name)
    }

    fn say(&self, id: &str) -> String {
        let Self { tenant, email, brand, .. } = self;
        self.words.all(id, &[("tenant", tenant), ("email", email), ("application", &brand.name)])
    }
}

/// The end of a sign-in for an application that has no page to begin at.
#[derive(Template)]
#[template(path = "signed_in.html")]
pub struct SignedInPage<'a> {
    pub words: Words,
    pub brand: &'a Brand,
}

page!(SignedInPage of brand);

/// Carries a message in a form: to the identity provider (SAML bindings 3.5), or to the application (OAuth 2.0 Form Post
/// Response Mode).
#[derive(Template)]
#[template(path = "post.html")]
pub struct PostPage<'a> {
    pub words: Words,
    pub action: &'a str,
    pub fields: Vec<(&'a str, &'a str)>,
    pub to: PostedTo,
}

/// Who gets what a page posts by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PostedTo {
    IdentityProvider,
    Application,
    Ourselves,
}

page!(PostPage);

/// Asks whether somebody means to sign out, and tells that it is done.
#[derive(Template)]
#[template(path = "sign_out.html")]
pub struct SignOutPage<'a> {
    pub words: Words,
    /// The application; all of them where none is known.
    pub brand: Option<&'a Brand>,
    pub state: SignOut,
    /// Where the answer is posted, and what goes along; nowhere else than here if it is empty.
    pub action: &'a str,
    pub asked: Vec<(&'static str, String)>,
}

impl SignOutPage<'_> {
    fn question(&self) -> String {
        match self.brand {
            Some(brand) => self.words.with("sign-out-asked", "application", &brand.name),
            None => self.words.say("sign-out-asked-all"),
        }
    }
}

impl Page for SignOutPage<'_> {
    fn brand(&self) -> Option<&Brand> {
        self.brand
    }
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
    words: Words,
    title: String,
    next: String,
    code: String,
    reference: String,
    admin: Option<Diagnosis>,
}

impl Page for ErrorPage {}

struct Diagnosis {
    /// What happened, where the page itself does not say it in English.
    what: Option<String>,
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
    pub fn new(words: Words, title: String, next: String, code: &str) -> Self {
        Self { words, title, next, code: code.to_owned(), reference: String::new(), admin: None }
    }

    /// Adds what ties the page to the logs.
    #[must_use]
    pub fn with(self, reference: String) -> Self {
        tracing::info!(reference, code = self.code, "Showed an error page");
        Self { reference, ..self }
    }

    /// Adds what the IT admin needs to mend it, in English as all of the documentation.
    #[must_use]
    pub fn for_admin(self, what: &str, fix: &str, expected: Option<String>, received: Option<String>) -> Self {
        let what = (self.title != what && self.next != what && !what.is_empty()).then(|| what.to_owned());
        Self { admin: Some(Diagnosis { what, fix: fix.to_owned(), expected, received }), ..self }
    }
}

/// A page as an answer, with the headers that every page has.
pub fn html(status: StatusCode, page: &impl Page) -> Response {
    under(&policy(page.brand(), "", "'none'"), status, page)
}

/// The page that sends itself on. An identity provider that ends everybody's sessions does so in hidden frames, so its
/// origin may be given.
pub fn posting(page: &PostPage<'_>, framed_by: Option<&str>) -> Response {
    let script = format!("script-src {}; ", source(SUBMIT));
    under(&policy(None, &script, framed_by.unwrap_or("'none'")), StatusCode::OK, page)
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

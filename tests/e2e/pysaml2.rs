//! Sign-in by pysaml2, another identity provider that nobody here wrote.

use crate::process::{Folder, Program};
use gateway::{clock::Clock, saml::settings::IdpInitiated, setup};
use harness::{
    browser::{Browser, Page},
    customer::Customer,
    gateway_process::Gateway,
};
use reqwest::StatusCode;
use saml::{idp::IdentityProvider, outgoing::Binding};
use simulator::{directory::DirectoryUser, idp::keys::IdpKey};
use std::{
    path::Path,
    process::{Command, Stdio},
};
use time::OffsetDateTime;

struct PySaml2 {
    base_url: String,
    _program: Program,
    _folder: Folder,
}

/// A customer whose identity provider is pysaml2, and Sue, whom both know.
async fn stage() -> (Customer, DirectoryUser, PySaml2) {
    let acme = Customer::of(&Gateway::start_with(Clock::System, |_| {}).await).await;
    let folder = Folder::new();
    let metadata = Browser::new().get(&acme.url("/saml/metadata")).await.text;
    std::fs::write(folder.path().join("sp.xml"), metadata).unwrap();
    IdpKey::load_or_generate(folder.path(), OffsetDateTime::now_utc()).unwrap();
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap();
    let mut command = Command::new(repository.join("bin/venv"));
    command.args(["python", "pysaml2_idp.py"]).arg(folder.path()).current_dir(repository.join("tests/e2e/suites"));
    command.env("PYTHONDONTWRITEBYTECODE", "1").stdin(Stdio::null()).stdout(Stdio::piped());
    let program = Program::start(command, "python3-venv", |child| Box::new(child.stdout.take().expect("is piped")));
    let base_url = format!("http://127.0.0.1:{}", program.port("listens on http://127.0.0.1:", "/"));
    let idp = PySaml2 { base_url, _program: program, _folder: folder };
    let sue = acme.user("sue");
    acme.assign(&sue).await;
    idp.set("user", &sue.email).await;
    let provider = idp.provider().await;
    acme.takes(&provider).await;
    (acme, sue, idp)
}

trait Takes {
    async fn takes(&self, provider: &IdentityProvider);
}

impl Takes for Customer {
    async fn takes(&self, provider: &IdentityProvider) {
        let (store, now) = (&self.gateway.app.store, self.gateway.clock.now());
        setup::idp::set(store, now, self.connection, provider).await.unwrap();
    }
}

impl PySaml2 {
    async fn provider(&self) -> IdentityProvider {
        let metadata = Browser::new().get(&format!("{}/metadata", self.base_url)).await;
        IdentityProvider::from_metadata(&metadata.text).unwrap_or_else(|error| panic!("{error}: {}", metadata.text))
    }

    async fn set(&self, name: &str, value: &str) {
        let url = url::Url::parse_with_params(&format!("{}/set", self.base_url), [(name, value)]).unwrap();
        assert_eq!(Browser::new().get(url.as_str()).await.text, "set");
    }

    fn page(&self, path: &str, parameters: &[(&str, &str)]) -> String {
        url::Url::parse_with_params(&format!("{}{path}", self.base_url), parameters).unwrap().into()
    }
}

/// Follows what a page tells the browser, a redirect or a form that posts itself, until it is told nothing more.
async fn followed(browser: &Browser, mut page: Page, end: &str) -> Page {
    for _ in 0..8 {
        if let Some(location) = &page.location {
            if location.starts_with(end) {
                return page;
            }
            page = browser.get(&location.clone()).await;
        } else if let Some((_, form)) = page.text.split_once("<form") {
            let value_of = |text: &str, name: &str| {
                let (_, rest) = text.split_once(&format!("{name}=\""))?;
                Some(unescaped(rest.split_once('"')?.0))
            };
            let action = value_of(form, "action").expect("an action");
            let inputs: Vec<(String, String)> = form
                .split("<input")
                .skip(1)
                .filter_map(|input| Some((value_of(input, "name")?, value_of(input, "value")?)))
                .collect();
            let fields: Vec<(&str, &str)> = inputs.iter().map(|(name, value)| (&**name, &**value)).collect();
            page = browser.post(&action, &fields).await;
        } else {
            return page;
        }
    }
    panic!("it does not end: {:?}", page.location);
}

fn unescaped(text: &str) -> String {
    let named = text.replace("&quot;", "\"").replace("&#x27;", "'").replace("&lt;", "<").replace("&gt;", ">");
    named.replace("&#43;", "+").replace("&#61;", "=").replace("&#x2B;", "+").replace("&amp;", "&")
}

async fn gets_in(acme: &Customer, browser: &Browser) {
    let page = browser.get(&acme.authorize_url(&[])).await;
    let page = followed(browser, page, "https://app.test/callback").await;
    assert!(page.redirect().contains("code="), "{}", page.redirect());
    assert!(acme.knows(browser).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn pysaml2_signs_in_by_both_bindings_and_in_every_style() {
    let (acme, sue, idp) = stage().await;
    let by_redirect = idp.provider().await;
    let mut by_form = by_redirect.clone();
    by_form.sso.binding = Binding::Post;
    for provider in [&by_redirect, &by_form] {
        acme.takes(provider).await;
        for sign in ["response", "assertion", "response assertion"] {
            idp.set("sign", sign).await;
            gets_in(&acme, &Browser::new()).await;
        }
    }
    idp.set("sign", "nothing").await;
    let browser = Browser::new();
    let page = browser.get(&acme.authorize_url(&[])).await;
    let page = followed(&browser, page, "https://app.test/callback").await;
    assert_eq!((page.status, page.code()), (StatusCode::FORBIDDEN, Some("GH-SAML-501")), "{}", page.shown());
    assert!(!acme.knows(&browser).await, "{}", sue.email);
}

#[tokio::test(flavor = "multi_thread")]
async fn pysaml2_begins_and_signs_out_from_both_sides() {
    let (acme, _, idp) = stage().await;
    let entity_id = acme.url("");
    let browser = Browser::new();
    let page = browser.get(&idp.page("/tile", &[("sp", &entity_id)])).await;
    let page = followed(&browser, page, "https://app.test/").await;
    assert!(acme.knows(&browser).await, "restart: {}", page.shown());
    let (store, now) = (&acme.gateway.app.store, acme.gateway.clock.now());
    let accept =
        |settings: &mut gateway::saml::settings::Settings, _: &mut bool| settings.idp_initiated = IdpInitiated::Accept;
    setup::sign_in::set(store, now, acme.connection, accept).await.unwrap();
    let browser = Browser::new();
    let page = browser.get(&idp.page("/tile", &[("sp", &entity_id)])).await;
    followed(&browser, page, "https://app.test/").await;
    assert!(acme.knows(&browser).await, "accept");

    // From here.
    let page = browser.send(|http| http.post(acme.url("/saml/logout"))).await;
    let page = followed(&browser, page, "https://app.test/").await;
    assert!(page.text.contains("You are signed out."), "{}", page.shown());
    assert!(!acme.knows(&browser).await);
    // From there.
    gets_in(&acme, &browser).await;
    let page = browser.get(&idp.page("/leave", &[("sp", &entity_id)])).await;
    let page = followed(&browser, page, "https://app.test/").await;
    assert!(page.text.starts_with("signed out: "), "{}", page.text);
    assert!(!acme.knows(&browser).await);
}

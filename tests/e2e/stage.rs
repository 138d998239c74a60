//! The set of the stories: a gateway on the machine's clock, a customer, and the vendor's app as the customer's app.

use crate::{
    chromium::Chromium,
    simplesaml::{PASSWORD, Signs, SimpleSaml},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use gateway::{clock::Clock, setup};
use harness::{customer::Customer, gateway_process::Gateway};
use saml::idp::IdentityProvider;
use serde_json::Value;
use simulator::{
    app::{AppOptions, DemoApp},
    directory::DirectoryUser,
};
use tokio::net::TcpListener;

pub struct Stage {
    pub acme: Customer,
    pub app: DemoApp,
}

/// An identity provider's answer, taken from its page before the browser could post it.
pub struct Answer {
    pub acs_url: String,
    pub saml_response: String,
}

impl Stage {
    /// The customer's identity provider is the simulator's.
    pub async fn new() -> Self {
        let gateway = Gateway::start_with(Clock::System, |config| {
            config.outbound.private_networks = vec!["127.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()];
        })
        .await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://localhost:{}", listener.local_addr().unwrap().port());
        let start = format!("{base_url}/start");
        let application =
            gateway.application(&format!("{base_url}/callback"), |spec| spec.initiate_login_uri = Some(start)).await;
        let acme = Customer::entering(&gateway, application).await;
        let options = AppOptions {
            base_url: None,
            issuer: gateway.url.clone(),
            client_id: acme.application.client_id.clone(),
            client_secret: acme.application.client_secret.clone(),
            tenant: acme.slug.clone(),
        };
        let app = DemoApp::start(listener, options).await.unwrap();
        Self { acme, app }
    }

    /// The customer's identity provider is SimpleSAMLphp, which knows Sue, who is provisioned.
    pub async fn with_simplesaml(signs: Signs) -> (Self, SimpleSaml) {
        let stage = Self::new().await;
        let sue = stage.sue();
        let idp = SimpleSaml::start(signs, "sue", &sue.email, "ADMINISTRATOR");
        let gateway = &stage.acme.gateway;
        let provider = IdentityProvider::from_metadata(&idp.metadata().await).unwrap();
        setup::idp::set(&gateway.app.store, gateway.clock.now(), stage.acme.connection, &provider).await.unwrap();
        let metadata = reqwest::get(stage.acme.url("/saml/metadata")).await.unwrap().text().await.unwrap();
        idp.trust(&metadata);
        stage.acme.assign(&sue).await;
        (stage, idp)
    }

    pub fn sue(&self) -> DirectoryUser {
        DirectoryUser::new(&format!("sue@{}", self.acme.domain), "Sue", "Summers").with_role("DEVELOPER")
    }

    pub fn bookmark(&self) -> String {
        format!("{}/t/{}", self.acme.gateway.url, self.acme.slug)
    }

    /// The app's page says who this is.
    pub async fn sees_app_of(&self, browser: &Chromium, user: &DirectoryUser) {
        browser.reads("#name", &user.display_name()).await;
        assert_eq!(browser.read("#email").await, user.email);
        assert_eq!(Some(browser.read("#role").await), user.role);
        assert_eq!(browser.read("#tenant").await, self.acme.tenant.to_string());
        assert_eq!(browser.url().await, format!("{}/", self.app.base_url()));
    }

    /// Picks somebody on the simulator's page.
    pub async fn pick(&self, browser: &Chromium, user: &DirectoryUser) {
        browser.click_xpath(&format!("//li[contains(., '{}')]//button", user.email)).await;
    }
}

/// Types name and password at SimpleSAMLphp.
pub async fn fill_in(browser: &Chromium, password: &str) {
    browser.type_into("#username", "sue").await;
    browser.type_into("#password", password).await;
}

/// Fills in SimpleSAMLphp's form and sends it; the page with the answer is fetched and not opened, so nothing is posted.
pub async fn answer_of(browser: &Chromium) -> Answer {
    fill_in(browser, PASSWORD).await;
    let sent = "fetch(document.forms.f.action, \
                { method: 'POST', body: new URLSearchParams(new FormData(document.forms.f)) })";
    Answer::read(browser, sent, "").await
}

/// As [`answer_of`], for a request that is answered without a form because the browser has been there before.
pub async fn answer_to(browser: &Chromium, request: &str) -> Answer {
    Answer::read(browser, "fetch(arguments[0])", request).await
}

impl Answer {
    async fn read(browser: &Chromium, fetch: &str, argument: &str) -> Self {
        let script = format!(
            "const text = await (await {fetch}).text();
             const form = new DOMParser().parseFromString(text, 'text/html').forms[0];
             return [form.getAttribute('action'), form.elements.SAMLResponse.value];"
        );
        let found = browser.run_async(&script, &[argument]).await;
        let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("no answer but {found}")).to_owned();
        Self { acs_url: text(&found[0]), saml_response: text(&found[1]) }
    }

    pub fn xml(&self) -> String {
        String::from_utf8(STANDARD.decode(&self.saml_response).unwrap()).unwrap()
    }
}

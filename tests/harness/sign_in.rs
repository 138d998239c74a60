//! The whole way of a sign-in, step by step, as application, browser and identity provider take it.

use crate::{
    browser::{Browser, Page},
    customer::Customer,
    gateway_process::Application,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use reqwest::StatusCode;
use serde_json::Value;
use simulator::{
    directory::DirectoryUser,
    idp::{Idp, PostedResponse, authn_request::AuthnRequest, response::ResponseBuilder},
};
use url::Url;

/// A PKCE pair that every test may know (RFC 7636 appendix B).
pub const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// What the token endpoint answered.
#[derive(Debug)]
pub struct TokenAnswer {
    pub status: StatusCode,
    pub headers: reqwest::header::HeaderMap,
    pub body: Value,
}

impl TokenAnswer {
    pub(crate) async fn read(response: reqwest::Response) -> Self {
        let (status, headers) = (response.status(), response.headers().clone());
        let text = response.text().await.unwrap();
        let body =
            if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap_or(Value::String(text)) };
        Self { status, headers, body }
    }

    /// The status and the OAuth error.
    pub fn error(&self) -> (u16, &str) {
        (self.status.as_u16(), self.body["error"].as_str().unwrap_or_default())
    }

    pub fn text(&self, name: &str) -> &str {
        self.body[name].as_str().unwrap_or_else(|| panic!("no {name} in {}", self.body))
    }

    /// The claims of the ID token; its signature is judged by the tests that are about it.
    pub fn id_claims(&self) -> Value {
        claims(self.text("id_token"))
    }
}

impl Customer {
    /// The authorize request of the customer's application, with changes: a new value, or `None` to leave one out.
    pub fn authorize_url(&self, changes: &[(&str, Option<&str>)]) -> String {
        let application = &self.application;
        let base = [
            ("response_type", "code"),
            ("client_id", &application.client_id),
            ("redirect_uri", &application.redirect_uri),
            ("scope", "openid profile email roles offline_access"),
            ("state", "the-state"),
            ("nonce", "the-nonce"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
            ("tenant", &self.slug),
        ];
        let mut url = Url::parse(&format!("{}/oauth2/authorize", self.gateway.url)).unwrap();
        for (name, value) in base {
            if !changes.iter().any(|(changed, _)| *changed == name) {
                url.query_pairs_mut().append_pair(name, value);
            }
        }
        for (name, value) in changes {
            if let Some(value) = value {
                url.query_pairs_mut().append_pair(name, value);
            }
        }
        url.into()
    }

    /// From the application to the identity provider and its answer; the browser still holds it.
    pub async fn to_idp(&self, browser: &Browser, email: &str) -> PostedResponse {
        let page = browser.get(&self.authorize_url(&[])).await;
        self.idp.sign_in(page.redirect(), email).await.unwrap()
    }

    /// Posts a response as the identity provider's page does.
    pub async fn post_response(&self, browser: &Browser, saml_response: &str) -> Page {
        browser.post(&self.url("/saml/acs"), &[("SAMLResponse", saml_response)]).await
    }

    /// From the identity provider's answer to the code at the application's door.
    pub async fn finish(&self, browser: &Browser, saml_response: &str) -> String {
        let page = self.post_response(browser, saml_response).await;
        let page = browser.get(page.redirect()).await;
        code_of(page.redirect())
    }

    /// The whole way; answers the code.
    pub async fn sign_in_for_code(&self, browser: &Browser, email: &str) -> String {
        let posted = self.to_idp(browser, email).await;
        self.finish(browser, &posted.saml_response).await
    }

    /// The whole way; answers the tokens.
    pub async fn sign_in(&self, browser: &Browser, email: &str) -> TokenAnswer {
        let code = self.sign_in_for_code(browser, email).await;
        let answer = self.redeem(&code).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        answer
    }

    /// Trades a code for tokens.
    pub async fn redeem(&self, code: &str) -> TokenAnswer {
        self.redeem_as(&self.application, code).await
    }

    /// The same by an application, or by one under another name.
    pub async fn redeem_as(&self, application: &Application, code: &str) -> TokenAnswer {
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", &application.redirect_uri),
            ("code_verifier", VERIFIER),
        ];
        self.post_as(application, "/oauth2/token", &form).await
    }

    /// Trades a refresh token for the next tokens.
    pub async fn refresh(&self, refresh_token: &str) -> TokenAnswer {
        let form = [("grant_type", "refresh_token"), ("refresh_token", refresh_token)];
        self.post_as(&self.application, "/oauth2/token", &form).await
    }

    /// Whether the gateway says that a token stands.
    pub async fn is_active(&self, token: &str) -> bool {
        let answer = self.post_as(&self.application, "/oauth2/introspect", &[("token", token)]).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        answer.body["active"].as_bool().unwrap()
    }

    /// A form post to an OAuth endpoint as that application.
    pub async fn post_as(&self, application: &Application, path: &str, form: &[(&str, &str)]) -> TokenAnswer {
        let request = self.http.post(format!("{}{path}", self.gateway.url)).form(form);
        let request = match &application.client_secret {
            Some(secret) => request.basic_auth(&application.client_id, Some(secret)),
            None => request.form(&[form, &[("client_id", application.client_id.as_str())]].concat()),
        };
        TokenAnswer::read(request.send().await.unwrap()).await
    }

    /// A form post to an address of this customer's connection.
    pub async fn post_form(&self, path: &str, form: &[(&str, &str)]) -> TokenAnswer {
        TokenAnswer::read(reqwest::Client::new().post(self.url(path)).form(form).send().await.unwrap()).await
    }

    /// What the gateway says about the bearer of an access token.
    pub async fn userinfo(&self, access_token: &str) -> TokenAnswer {
        let request = reqwest::Client::new().get(format!("{}/oauth2/userInfo", self.gateway.url));
        TokenAnswer::read(request.bearer_auth(access_token).send().await.unwrap()).await
    }

    /// Whether the gateway has a session for this browser.
    pub async fn knows(&self, browser: &Browser) -> bool {
        let page = browser.get(&self.authorize_url(&[("prompt", Some("none"))])).await;
        let error = parameter(page.redirect(), "error");
        assert!(error.is_none() || error.as_deref() == Some("login_required"), "{:?}", page.location);
        error.is_none()
    }

    /// A new browser that its application has sent to the identity provider.
    pub async fn waiting<'a>(&'a self, user: &'a DirectoryUser) -> Waiting<'a> {
        self.waiting_at(&self.idp, Browser::new(), user).await
    }

    /// The same with that browser, at that identity provider.
    pub async fn waiting_at<'a>(&'a self, idp: &'a Idp, browser: Browser, user: &'a DirectoryUser) -> Waiting<'a> {
        let page = browser.get(&self.authorize_url(&[])).await;
        let request = idp.read_request(page.redirect()).await.unwrap();
        Waiting { customer: self, idp, browser, user, request }
    }
}

/// A sign-in that waits at the identity provider.
pub struct Waiting<'a> {
    pub customer: &'a Customer,
    pub idp: &'a Idp,
    pub browser: Browser,
    pub user: &'a DirectoryUser,
    pub request: AuthnRequest,
}

impl Waiting<'_> {
    /// The right answer, still to be signed, or spoiled.
    pub fn honest(&self) -> ResponseBuilder {
        self.idp.response_to(&self.request, self.user)
    }

    /// The form field of an answer.
    pub fn signed(&self, response: &ResponseBuilder) -> String {
        response.encode(self.idp.key()).unwrap()
    }

    /// The assertion consumer service refuses the answer with that code, and nobody is signed in.
    pub async fn is_refused(&self, saml_response: &str, code: &str) -> Page {
        let page = self.customer.post_response(&self.browser, saml_response).await;
        self.refused(page, code).await
    }

    /// The answer is kept, but its collection is refused with that code, and nobody is signed in.
    pub async fn is_refused_at_finish(&self, saml_response: &str, code: &str) -> Page {
        let page = self.customer.post_response(&self.browser, saml_response).await;
        let page = self.browser.get(page.redirect()).await;
        self.refused(page, code).await
    }

    async fn refused(&self, page: Page, code: &str) -> Page {
        assert_eq!((page.status, page.code()), (StatusCode::FORBIDDEN, Some(code)), "{}", page.shown());
        assert!(!self.customer.knows(&self.browser).await, "{code}, but a session began");
        page
    }

    /// The answer leads to tokens, and the browser is signed in.
    pub async fn gets_in(&self, saml_response: &str) -> TokenAnswer {
        let code = self.customer.finish(&self.browser, saml_response).await;
        let answer = self.customer.redeem(&code).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        assert!(self.customer.knows(&self.browser).await, "no session began");
        answer
    }
}

/// What a token says, believed without proof.
pub fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

/// A parameter in the query of an address.
pub fn parameter(location: &str, name: &str) -> Option<String> {
    let url = Url::parse(location).unwrap();
    url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

/// The code in a redirect to the application.
pub fn code_of(location: &str) -> String {
    parameter(location, "code").unwrap_or_else(|| panic!("no code in {location}"))
}

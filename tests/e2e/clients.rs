//! Applications made of OpenID Connect libraries that nobody here wrote. The library does all of the protocol; a test says in
//! lines of JSON what the application does next, and is the browser and the identity provider.

pub mod stories;

use crate::process::Program;
use gateway::{clock::Clock, setup::applications::ApplicationSpec};
use harness::{
    browser::{Browser, Page},
    customer::Customer,
    gateway_process::{Application, Gateway},
    sign_in::{code_of, parameter},
};
use oidc::keys::Algorithm;
use serde_json::{Value, json};
use simulator::directory::DirectoryUser;
use std::{
    path::Path,
    process::{Command, Stdio},
};

pub const CALLBACK: &str = "https://app.test/callback";
pub const BYE: &str = "https://app.test/bye";
pub const API: &str = "https://api.test/";

/// Whose application it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Library {
    OpenidClient,
    Authlib,
}

impl Library {
    /// What it says, of what each says.
    fn words(self, [openid_client, authlib]: [&'static str; 2]) -> &'static str {
        match self {
            Self::OpenidClient => openid_client,
            Self::Authlib => authlib,
        }
    }
}

/// How the application proves itself.
#[derive(Debug, Clone, Copy)]
pub enum Proof {
    Basic,
    Post,
    /// A key of that algorithm.
    Key(&'static str),
}

impl Proof {
    /// Its name in discovery documents (OpenID Connect Core 9).
    fn method(self) -> &'static str {
        match self {
            Self::Basic => "client_secret_basic",
            Self::Post => "client_secret_post",
            Self::Key(_) => "private_key_jwt",
        }
    }
}

/// The application's program.
pub struct Client(Program);

impl Client {
    fn start(library: Library) -> Self {
        let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap();
        let (bringer, arguments): (_, &[&str]) = match library {
            Library::OpenidClient => ("bin/modules", &["openid_client.mjs"]),
            Library::Authlib => ("bin/venv", &["--of", "clients", "python", "authlib_client.py"]),
        };
        let mut command = Command::new(repository.join(bringer));
        command.args(arguments).current_dir(repository.join("tests/e2e/clients"));
        // The gateway is on this machine and without TLS, whatever proxy leads out of it.
        command.env("AUTHLIB_INSECURE_TRANSPORT", "1").env("no_proxy", "localhost").env("PYTHONDONTWRITEBYTECODE", "1");
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        Self(Program::start(command, "nodejs", |child| Box::new(child.stdout.take().expect("is piped"))))
    }

    /// What the library has from it, or why it or the gateway refused.
    pub fn tries(&mut self, command: &str, mut given: Value) -> Result<Value, String> {
        given["command"] = json!(command);
        let line = self.0.answer(&given.to_string());
        let mut answer: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        match answer["refused"].as_str() {
            Some(words) => Err(words.to_owned()),
            None => Ok(answer["done"].take()),
        }
    }

    #[track_caller]
    pub fn does(&mut self, command: &str, given: Value) -> Value {
        self.tries(command, given).unwrap_or_else(|words| panic!("{command} is refused: {words}"))
    }

    /// It is refused in words that contain these.
    #[track_caller]
    pub fn refuses(&mut self, command: &str, given: Value, words: &str) {
        let outcome = self.tries(command, given);
        assert!(outcome.as_ref().is_err_and(|heard| heard.contains(words)), "{command}: {outcome:?}, not {words}");
    }
}

/// Ann of Acme, and the vendor's application that she signs in to.
pub struct Scene {
    pub acme: Customer,
    pub ann: DirectoryUser,
    pub browser: Browser,
    pub client: Client,
}

impl Scene {
    pub async fn new(
        library: Library,
        proof: Proof,
        algorithm: Algorithm,
        change: impl FnOnce(&mut ApplicationSpec),
    ) -> Self {
        let gateway = Gateway::start_with(Clock::System, |_| {}).await;
        let mut client = Client::start(library);
        let jwks = match proof {
            Proof::Key(alg) => Some(client.does("key", json!({ "alg": alg }))),
            Proof::Basic | Proof::Post => None,
        };
        let change = |spec: &mut ApplicationSpec| {
            spec.id_token_alg = algorithm;
            spec.settings.jwks = jwks;
            spec.settings.client_credentials = true;
            spec.settings.resources = vec![API.to_owned()];
            spec.settings.post_logout_redirect_uris = vec![BYE.to_owned()];
            change(spec);
        };
        let application = gateway.application(CALLBACK, change).await;
        let acme = Customer::entering(&gateway, application).await;
        let mut ann = acme.user("ann").with_role("MANAGER");
        ann.remote_id = Some(acme.assign(&ann).await);
        let mut scene = Self { acme, ann, browser: Browser::new(), client };
        let application = scene.acme.application.clone();
        scene.discovers(&application, proof, algorithm);
        scene
    }

    /// The library reads the discovery document, as that application.
    pub fn discovers(&mut self, application: &Application, proof: Proof, algorithm: Algorithm) {
        let issuer = &self.acme.gateway.url;
        let given = json!({
            "issuer": issuer, "client_id": application.client_id, "secret": application.client_secret,
            "method": proof.method(), "alg": algorithm.as_str(),
        });
        assert_eq!(self.client.does("discover", given)["issuer"], *issuer);
    }

    /// The address that the library sends the browser to, and the nonce in it.
    pub fn begins(&mut self, more: Value) -> (String, String) {
        let mut given = json!({
            "redirect_uri": CALLBACK, "scope": "openid profile email roles offline_access", "tenant": self.acme.slug,
        });
        given.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let begun = self.client.does("begin", given);
        (begun["url"].as_str().unwrap().to_owned(), begun["nonce"].as_str().unwrap_or_default().to_owned())
    }

    /// Where the browser comes back to when it is sent there; Ann signs in on the way if she has to.
    pub async fn visits(&self, url: &str) -> String {
        let page = self.browser.get(url).await;
        let known = page.redirect().starts_with(CALLBACK);
        let page = if known { page } else { self.signs_in(page.redirect()).await };
        page.redirect().to_owned()
    }

    async fn signs_in(&self, at: &str) -> Page {
        let posted = self.acme.idp.sign_in(at, &self.ann.email).await.unwrap();
        let page = self.acme.post_response(&self.browser, &posted.saml_response).await;
        self.browser.get(page.redirect()).await
    }

    /// From the library's request to the tokens that it takes.
    pub async fn tokens(&mut self, more: Value) -> Value {
        let (url, _) = self.begins(more);
        let location = self.visits(&url).await;
        assert_eq!(parameter(&location, "iss").as_ref(), Some(&self.acme.gateway.url));
        self.client.does("callback", json!({ "url": location }))
    }

    /// The library gets this token response, made for the nonce of its sign-in, in place of the gateway's.
    pub async fn is_handed(&mut self, answer: impl AsyncFnOnce(&Self, &str) -> Value) -> Result<Value, String> {
        let (url, nonce) = self.begins(json!({}));
        let location = self.visits(&url).await;
        let answer = answer(self, &nonce).await;
        self.client.tries("callback", json!({ "url": location, "answer": answer }))
    }

    /// What the token endpoint answers to a request of the application with that nonce.
    pub async fn answer(&self, nonce: &str) -> Value {
        let url = self.acme.authorize_url(&[("nonce", Some(nonce))]);
        let code = code_of(&self.visits(&url).await);
        self.acme.redeem(&code).await.body
    }
}

//! The catalog of attacks against a running gateway: each is refused with its code, opens no session and fetches nothing,
//! and the same response without the defect gets in. So no refusal is an accident.

mod logout;
mod measured;
mod stories;

use super::{acme_with_ann, modes};
use gateway::{clock::Clock, saml::settings::IdpInitiated};
use harness::{
    browser::Browser,
    customer::Customer,
    sign_in::{TokenAnswer, Waiting, code_of},
};
use saml::idp::IdpCertificate;
use simulator::{
    attack::{self, Attack, Material, Verdict},
    directory::DirectoryUser,
    idp::keys::IdpKey,
};
use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// Classes that are tried by one test, so that several run side by side.
const GROUPS: [&[&str]; 8] = [
    &["wrapping"],
    &["exclusion", "reference", "transforms", "ssrf"],
    &["keys", "hmac", "algorithms"],
    &["digest", "void c14n", "attribute pollution", "namespace confusion"],
    &["text", "xml"],
    &["semantics"],
    &["encryption"],
    &["exhaustion", "transport"],
];

/// An address that counts whoever comes.
struct Canary {
    url: String,
    visits: Arc<AtomicUsize>,
    server: JoinHandle<()>,
}

impl Canary {
    async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let visits = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&visits);
        let server = tokio::spawn(async move {
            loop {
                listener.accept().await.unwrap();
                counted.fetch_add(1, Ordering::SeqCst);
            }
        });
        Self { url, visits, server }
    }

    /// Nobody came; and it would have been seen.
    async fn sees_nobody(self) {
        assert_eq!(self.visits.load(Ordering::SeqCst), 0, "something was fetched");
        let visitor = TcpStream::connect(self.url.strip_prefix("http://").unwrap()).await.unwrap();
        while self.visits.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
        drop(visitor);
        self.server.abort();
    }
}

/// A customer with Ann, who attacks with sign-ins of her own, and Bob, who she wants to be.
struct Target {
    acme: Customer,
    ann: DirectoryUser,
    bob: DirectoryUser,
    sub: String,
    keys: Keys,
    encryption_certificate: Vec<u8>,
    canary: Canary,
}

/// The attacker's keys.
struct Keys {
    stranger: IdpKey,
    imitator: IdpKey,
}

impl Keys {
    fn new(idp: &IdpKey, clock: &Clock) -> Self {
        let now = clock.now();
        Self { stranger: IdpKey::generate(now).unwrap(), imitator: IdpKey::imitating(idp, now).unwrap() }
    }
}

impl Target {
    async fn new() -> Self {
        let (acme, ann) = acme_with_ann().await;
        let bob = acme.user("bob");
        acme.assign(&bob).await;
        modes::set(&acme, |settings| settings.idp_initiated = IdpInitiated::Off).await;
        let keys = Keys::new(acme.idp.key(), &acme.gateway.clock);
        let certificate = Browser::new().get(&acme.url("/saml/certificate")).await.text;
        let encryption_certificate = IdpCertificate::from_pem_or_base64(&certificate).unwrap().der().to_vec();
        let sub = sub(&acme.sign_in(&Browser::new(), &ann.email).await);
        Self { acme, ann, bob, sub, keys, encryption_certificate, canary: Canary::new().await }
    }

    fn material<'a>(&'a self, waiting: &'a Waiting<'_>) -> Material<'a> {
        Material {
            honest: waiting.honest(),
            idp: waiting.idp.key(),
            stranger: &self.keys.stranger,
            imitator: &self.keys.imitator,
            encryption_certificate: &self.encryption_certificate,
            canary: &self.canary.url,
            victim: &self.bob.user_name,
        }
    }

    /// The attack on a sign-in of its own, and then its control on the same one, unless that is used up.
    async fn withstands(&self, attack: &Attack) {
        let name = format!("{} {}", attack.class, attack.name);
        let mut waiting = self.acme.waiting(&self.ann).await;
        let material = self.material(&waiting);
        let (field, mut control) = (attack.field(&material).unwrap(), attack.control(&material).unwrap());
        assert_ne!(field, control, "{name} changes nothing");
        match attack.verdict {
            Verdict::Refused(code) => {
                let page = self.acme.post_response(&waiting.browser, &field).await;
                let expected = format!("GH-SAML-{code}");
                assert_eq!((page.status.as_u16(), page.code()), (403, Some(&*expected)), "{name}: {}", page.shown());
                assert!(page.cookies().is_empty() && page.location.is_none(), "{name}: {:?}", page.headers);
                assert!(!self.acme.knows(&waiting.browser).await, "{name} opened a session");
            }
            Verdict::Genuine => {
                let code = self.code(&waiting, &field, &name).await;
                assert_eq!(sub(&self.acme.redeem(&code).await), self.sub, "{name} is about somebody else");
                waiting = self.acme.waiting(&self.ann).await;
                control = attack.control(&self.material(&waiting)).unwrap();
            }
        }
        self.code(&waiting, &control, &format!("the control of {name}")).await;
    }

    /// The answer leads the browser to its application with a code.
    async fn code(&self, waiting: &Waiting<'_>, saml_response: &str, name: &str) -> String {
        let page = self.acme.post_response(&waiting.browser, saml_response).await;
        assert_eq!(page.code(), None, "{name} is refused: {}", page.shown());
        code_of(waiting.browser.get(page.redirect()).await.redirect())
    }
}

fn sub(answer: &TokenAnswer) -> String {
    answer.id_claims()["sub"].as_str().unwrap().to_owned()
}

async fn withstands_group(number: usize) {
    let target = Target::new().await;
    for attack in attack::catalog().iter().filter(|attack| GROUPS[number].contains(&attack.class)) {
        target.withstands(attack).await;
    }
    target.canary.sees_nobody().await;
}

#[test]
fn every_attack_is_in_a_group_and_has_a_name_of_its_own() {
    let catalog = attack::catalog();
    let classes: BTreeSet<&str> = catalog.iter().map(|attack| attack.class).collect();
    assert_eq!(classes, GROUPS.concat().into_iter().collect());
    let names: BTreeSet<(&str, &str)> = catalog.iter().map(|attack| (attack.class, attack.name.as_str())).collect();
    assert_eq!(names.len(), catalog.len());
    assert!(catalog.len() > 400, "{} attacks", catalog.len());
}

#[tokio::test]
async fn wrapping_is_refused() {
    withstands_group(0).await;
}

#[tokio::test]
async fn missing_signatures_and_other_references_are_refused() {
    withstands_group(1).await;
}

#[tokio::test]
async fn other_keys_and_algorithms_are_refused() {
    withstands_group(2).await;
}

#[tokio::test]
async fn documents_that_read_in_two_ways_are_refused() {
    withstands_group(3).await;
}

#[tokio::test]
async fn names_are_read_whole_and_xml_is_xml() {
    withstands_group(4).await;
}

#[tokio::test]
async fn what_is_signed_must_be_meant_for_us_now() {
    withstands_group(5).await;
}

#[tokio::test]
async fn ciphertexts_are_refused_without_a_reason() {
    withstands_group(6).await;
}

#[tokio::test]
async fn what_is_too_much_or_carried_otherwise_is_refused() {
    withstands_group(7).await;
}

//! Keys of a connection that follow each other, without a sign-in that fails.

use super::{acme_with_ann, with_ann};
use gateway::{
    clock::Clock,
    error::Error,
    setup::sp_keys::{self, Signing},
};
use harness::{browser::Browser, customer::Customer, gateway_process::Gateway};
use reqwest::StatusCode;
use saml::{idp::IdpCertificate, sp_key::KeyAlgorithm};
use simulator::{directory::DirectoryUser, idp::response::Sign};
use time::Duration;
use uuid::Uuid;

/// A moment later, because the youngest key is the one that counts.
async fn rotate(acme: &Customer, algorithm: KeyAlgorithm, signing: Signing) -> Uuid {
    acme.gateway.clock.advance(Duration::seconds(1));
    let (app, now) = (&acme.gateway.app, acme.gateway.clock.now());
    sp_keys::rotate(&app.store, now, &app.vault, acme.connection, algorithm, signing).await.unwrap()
}

async fn retire(acme: &Customer, key: Uuid) -> Result<(), Error> {
    sp_keys::retire(&acme.gateway.app.store, acme.gateway.clock.now(), acme.connection, key).await
}

async fn metadata(acme: &Customer) -> String {
    Browser::new().get(&acme.url("/saml/metadata")).await.text
}

/// The certificates of one use, in their order.
fn certificates(metadata: &str, usage: &str) -> Vec<String> {
    let start = format!("use=\"{usage}\">");
    let descriptors = metadata.split(&start).skip(1);
    descriptors
        .map(|rest| rest.split("X509Certificate>").nth(1).unwrap().trim_end_matches("</ds:").to_owned())
        .collect()
}

fn der(certificate: &str) -> Vec<u8> {
    IdpCertificate::from_pem_or_base64(certificate).unwrap().der().to_vec()
}

/// Signs in with an answer that is encrypted for that certificate.
async fn gets_in(acme: &Customer, ann: &DirectoryUser, encrypted_for: &str) {
    let waiting = acme.waiting(ann).await;
    let response = waiting.honest().sign(Sign::Both).encrypt_for(&der(encrypted_for));
    waiting.gets_in(&waiting.signed(&response)).await;
}

#[tokio::test]
async fn a_key_is_published_before_it_signs_and_the_old_one_decrypts_until_it_is_retired() {
    let (acme, ann) = with_ann(Customer::of(&Gateway::start_with(Clock::manual(), |_| {}).await).await).await;
    let before = metadata(&acme).await;
    let old = certificates(&before, "signing").remove(0);
    assert_eq!(certificates(&before, "encryption"), std::slice::from_ref(&old));
    let old_id = list(&acme).await.remove(0);

    let new_id =
        rotate(&acme, KeyAlgorithm::Rsa3072, Signing::From(acme.gateway.clock.now() + Duration::days(7))).await;
    let during = metadata(&acme).await;
    let new = certificates(&during, "encryption").remove(0);
    assert_ne!(new, old);
    assert_eq!(certificates(&during, "signing"), [new.clone(), old.clone()]);
    // An identity provider that knows the old one only, and one that has read the new metadata.
    for known in [&before, &during] {
        acme.idp.trust(known).unwrap();
        gets_in(&acme, &ann, &old).await;
    }
    gets_in(&acme, &ann, &new).await;
    for id in [old_id, new_id] {
        assert!(matches!(retire(&acme, id).await, Err(Error::Refusal(refusal)) if refusal.code() == "GH-CFG-009"));
    }

    let use_signing = Browser::new().get(&acme.url("/saml/certificate?use=signing")).await;
    assert_eq!(der(&use_signing.text), der(&old), "the one that signs now");
    acme.gateway.clock.advance(Duration::days(7) + Duration::seconds(1));
    gets_in(&acme, &ann, &old).await;
    gets_in(&acme, &ann, &new).await;
    let page = Browser::new().get(&acme.authorize_url(&[])).await;
    acme.idp.trust(&before).unwrap();
    assert!(acme.idp.read_request(page.redirect()).await.is_err(), "the new key signs now");
    acme.idp.trust(&during).unwrap();
    acme.idp.read_request(page.redirect()).await.unwrap();

    retire(&acme, old_id).await.unwrap();
    let after = metadata(&acme).await;
    assert_eq!(
        (certificates(&after, "signing"), certificates(&after, "encryption")),
        (vec![new.clone()], vec![new.clone()])
    );
    gets_in(&acme, &ann, &new).await;
    let waiting = acme.waiting(&ann).await;
    let response = waiting.honest().encrypt_for(&der(&old));
    waiting.is_refused(&waiting.signed(&response), "GH-SAML-601").await;
    assert!(matches!(retire(&acme, old_id).await, Err(Error::NotFound)));
}

async fn list(acme: &Customer) -> Vec<Uuid> {
    let query = "SELECT id FROM sp_keys WHERE connection_id = $1 ORDER BY created_at";
    let mut database = harness::customer::superuser().await;
    sqlx::query_scalar(query).bind(acme.connection.0).fetch_all(&mut database).await.unwrap()
}

#[tokio::test]
async fn an_elliptic_key_signs_while_the_rsa_key_decrypts() {
    let (acme, ann) = acme_with_ann().await;
    let rsa = certificates(&metadata(&acme).await, "encryption").remove(0);
    let elliptic = rotate(&acme, KeyAlgorithm::EcP256, Signing::AtOnce).await;
    let now = metadata(&acme).await;
    assert_eq!(certificates(&now, "signing").len(), 2);
    assert_eq!(certificates(&now, "encryption"), std::slice::from_ref(&rsa));
    acme.idp.trust(&now).unwrap();
    let page = Browser::new().get(&acme.authorize_url(&[])).await;
    assert!(page.redirect().contains("ecdsa-sha256"), "{}", page.redirect());
    gets_in(&acme, &ann, &rsa).await;
    // A key that only decrypts follows the other one for that.
    let decrypting = rotate(&acme, KeyAlgorithm::Rsa3072, Signing::Never).await;
    let now = metadata(&acme).await;
    assert_eq!(certificates(&now, "signing").len(), 2, "it is not among those that sign");
    let new = certificates(&now, "encryption").remove(0);
    assert_ne!(new, rsa);
    gets_in(&acme, &ann, &new).await;
    let page = Browser::new().get(&acme.authorize_url(&[])).await;
    assert!(page.redirect().contains("ecdsa-sha256"), "{}", page.redirect());
    for id in [elliptic, decrypting] {
        assert!(retire(&acme, id).await.is_err());
    }
    let page = Browser::new().get(&acme.url("/saml/certificate")).await;
    assert_eq!(der(&page.text), der(&new));
}

#[tokio::test]
async fn there_are_not_too_many_keys_and_each_belongs_to_its_connection() {
    let (acme, _) = acme_with_ann().await;
    let sibling = super::beside(&acme).await;
    let foreign = list(&sibling).await.remove(0);
    assert!(matches!(retire(&acme, foreign).await, Err(Error::NotFound)));
    for _ in 0..3 {
        rotate(&acme, KeyAlgorithm::EcP256, Signing::AtOnce).await;
    }
    let (app, now) = (&acme.gateway.app, acme.gateway.clock.now());
    let more =
        sp_keys::rotate(&app.store, now, &app.vault, acme.connection, KeyAlgorithm::EcP256, Signing::Never).await;
    assert!(matches!(more, Err(Error::Refusal(refusal)) if refusal.code() == "GH-CFG-008"));
    assert_eq!(Browser::new().get(&acme.url("/saml/metadata")).await.status, StatusCode::OK);
}

#[tokio::test]
async fn the_metadata_can_be_signed() {
    let (acme, _) = acme_with_ann().await;
    assert!(!metadata(&acme).await.contains("Signature"));
    super::modes::set(&acme, |settings| settings.sign_metadata = true).await;
    let signed = metadata(&acme).await;
    assert!(signed.contains("<ds:SignatureValue>"));
    acme.idp.trust(&signed).unwrap();
}

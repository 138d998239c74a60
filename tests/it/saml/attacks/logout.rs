//! Attacks on single logout: a session ends when its identity provider says so, and never otherwise.

use super::{super::acme_with_ann, Canary};
use harness::{
    browser::{Browser, Page},
    customer::Customer,
};
use simulator::{
    attack::{
        Verdict,
        logout::{self, Material, Sent},
    },
    directory::DirectoryUser,
    idp::{
        keys::IdpKey,
        logout::{Content, LogoutMessage},
    },
};

/// The identity provider's request that ends all of Ann's sessions.
fn request(acme: &Customer, ann: &DirectoryUser) -> LogoutMessage {
    let content = Content::Request { name_id: ann.user_name.clone(), session_indexes: Vec::new() };
    LogoutMessage::new(&acme.idp.entity_id(), &acme.url("/saml/slo"), acme.gateway.clock.now(), content)
}

async fn send(acme: &Customer, sent: &Sent) -> Page {
    let slo = acme.url("/saml/slo");
    match sent {
        Sent::Query(query) => Browser::new().get(&format!("{slo}?{query}")).await,
        Sent::Form(form) => {
            let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
            Browser::new().post(&slo, &form).await
        }
    }
}

async fn signed_in(acme: &Customer, ann: &DirectoryUser) -> Browser {
    // Later than the logout before, which ended everything that began until then.
    acme.gateway.clock.advance(time::Duration::SECOND);
    let browser = Browser::new();
    acme.sign_in(&browser, &ann.email).await;
    browser
}

#[tokio::test]
async fn only_the_identity_provider_ends_a_session() {
    let (acme, ann) = acme_with_ann().await;
    let (canary, stranger) = (Canary::new().await, IdpKey::generate(acme.gateway.clock.now()).unwrap());
    let mut browser = signed_in(&acme, &ann).await;
    for attack in logout::catalog() {
        let honest = request(&acme, &ann);
        let material = Material { honest, idp: acme.idp.key(), stranger: &stranger, canary: &canary.url };
        let page = send(&acme, &attack.sent(&material).unwrap()).await;
        if let Verdict::Refused(code) = attack.verdict {
            let expected = format!("GH-SAML-{code}");
            assert_eq!(
                (page.status.as_u16(), page.code()),
                (403, Some(&*expected)),
                "{}: {}",
                attack.name,
                page.shown()
            );
            assert!(acme.knows(&browser).await, "{} ended a session", attack.name);
            let page = send(&acme, &logout::control(&material).unwrap()).await;
            acme.idp.read_logout(page.redirect(), "SAMLResponse").unwrap();
        }
        assert!(!acme.knows(&browser).await, "{}", attack.name);
        browser = signed_in(&acme, &ann).await;
    }
    canary.sees_nobody().await;
}

/// A message that ended one session does not end the next, and an answer that was accepted is not accepted again.
#[tokio::test]
async fn a_logout_is_of_one_time() {
    let (acme, ann) = acme_with_ann().await;
    let stranger = IdpKey::generate(acme.gateway.clock.now()).unwrap();
    let browser = signed_in(&acme, &ann).await;
    let material = Material { honest: request(&acme, &ann), idp: acme.idp.key(), stranger: &stranger, canary: "" };
    let sent = logout::control(&material).unwrap();
    send(&acme, &sent).await;
    assert!(!acme.knows(&browser).await);
    let browser = signed_in(&acme, &ann).await;
    send(&acme, &sent).await;
    assert!(acme.knows(&browser).await, "the replay ended a session");
}

//! Single logout, from either side.

use super::{acme_with_ann, beside};
use gateway::setup;
use harness::{
    browser::{Browser, Page},
    customer::{Customer, superuser},
    sign_in::parameter,
};
use reqwest::StatusCode;
use saml::{
    idp::{IdentityProvider, LogoutService},
    outgoing::Binding,
};
use simulator::{
    directory::DirectoryUser,
    idp::{
        keys::IdpKey,
        logout::{Content, LogoutMessage},
    },
};
use time::Duration;

/// What the identity provider calls the sessions that live.
async fn indexes(acme: &Customer) -> Vec<String> {
    let query = "SELECT session_index FROM sessions WHERE connection_id = $1 AND ended_at IS NULL";
    sqlx::query_scalar(query).bind(acme.connection.0).fetch_all(&mut superuser().await).await.unwrap()
}

fn request(acme: &Customer, user: &DirectoryUser, session_indexes: Vec<String>) -> LogoutMessage {
    let content = Content::Request { name_id: user.user_name.clone(), session_indexes };
    LogoutMessage::new(&acme.idp.entity_id(), &acme.url("/saml/slo"), acme.gateway.clock.now(), content)
}

async fn by_redirect(acme: &Customer, message: &LogoutMessage, relay_state: Option<&str>) -> Page {
    Browser::new().get(&message.url(relay_state, acme.idp.key()).unwrap()).await
}

async fn signed_in(acme: &Customer, user: &DirectoryUser) -> Browser {
    let browser = Browser::new();
    acme.sign_in(&browser, &user.email).await;
    assert!(acme.knows(&browser).await);
    browser
}

#[tokio::test]
async fn the_identity_provider_ends_a_session_with_all_that_grew_from_it() {
    let (acme, ann) = acme_with_ann().await;
    for by_post in [false, true] {
        let browser = Browser::new();
        let tokens = acme.sign_in(&browser, &ann.email).await;
        let (access, refresh) = (tokens.text("access_token"), tokens.text("refresh_token"));
        assert!(acme.is_active(access).await);
        let message = request(&acme, &ann, indexes(&acme).await);
        let page = if by_post {
            let field = message.encode(acme.idp.key()).unwrap();
            let form = [("SAMLRequest", field.as_str()), ("RelayState", "their state/+")];
            Browser::new().post(&acme.url("/saml/slo"), &form).await
        } else {
            by_redirect(&acme, &message, Some("their state/+")).await
        };
        let answer = acme.idp.read_logout(page.redirect(), "SAMLResponse").unwrap();
        assert_eq!((answer.id.as_str(), answer.relay_state.as_deref()), (message.id.as_str(), Some("their state/+")));
        assert!(!acme.knows(&browser).await);
        assert!(!acme.is_active(access).await);
        assert_eq!(acme.refresh(refresh).await.error(), (400, "invalid_grant"));
        let event = acme.events("session.revoked").await.pop().unwrap();
        assert_eq!(event["data"]["reason"], "logged_out");
    }
}

#[tokio::test]
async fn only_the_sessions_that_are_named_end() {
    let (acme, ann) = acme_with_ann().await;
    let bob = acme.user("bob");
    acme.assign(&bob).await;
    let sibling = beside(&acme).await;
    sibling.assign(&ann).await;
    let first = signed_in(&acme, &ann).await;
    let first_index = indexes(&acme).await.remove(0);
    let second = signed_in(&acme, &ann).await;
    let (other_user, elsewhere) = (signed_in(&acme, &bob).await, signed_in(&sibling, &ann).await);

    by_redirect(&acme, &request(&acme, &ann, vec!["another".to_owned()]), None).await;
    assert!(acme.knows(&first).await && acme.knows(&second).await);
    by_redirect(&acme, &request(&acme, &ann, vec!["another".to_owned(), first_index]), None).await;
    assert!(!acme.knows(&first).await && acme.knows(&second).await);
    let third = signed_in(&acme, &ann).await;
    by_redirect(&acme, &request(&acme, &ann, Vec::new()), None).await;
    assert!(!acme.knows(&second).await && !acme.knows(&third).await);
    assert!(acme.knows(&other_user).await && sibling.knows(&elsewhere).await);
}

#[tokio::test]
async fn a_logout_that_is_sent_again_ends_nothing_that_began_since() {
    let (acme, ann) = acme_with_ann().await;
    let first = signed_in(&acme, &ann).await;
    let message = request(&acme, &ann, Vec::new());
    by_redirect(&acme, &message, None).await;
    assert!(!acme.knows(&first).await);
    acme.gateway.clock.advance(Duration::seconds(1));
    let second = signed_in(&acme, &ann).await;
    let page = by_redirect(&acme, &message, None).await;
    acme.idp.read_logout(page.redirect(), "SAMLResponse").expect("it is answered as the first time");
    assert!(acme.knows(&second).await);
}

/// The answer was accepted, the logout came, and only then the browser collects its session (core 3.7.3.1).
#[tokio::test]
async fn a_sign_in_that_was_on_its_way_is_logged_out_too() {
    let (acme, ann) = acme_with_ann().await;
    let waiting = acme.waiting(&ann).await;
    let page = acme.post_response(&waiting.browser, &waiting.signed(&waiting.honest())).await;
    acme.gateway.clock.advance(Duration::seconds(1));
    by_redirect(&acme, &request(&acme, &ann, vec!["of another session".to_owned()]), None).await;
    by_redirect(&acme, &request(&acme, &ann, Vec::new()), None).await;
    let page = waiting.browser.get(page.redirect()).await;
    assert_eq!((page.status, page.code()), (StatusCode::FORBIDDEN, Some("GH-SAML-909")), "{}", page.shown());
    assert!(!acme.knows(&waiting.browser).await);
    // At once again, and of the same moment as the logout.
    let waiting = acme.waiting(&ann).await;
    waiting.gets_in(&waiting.signed(&waiting.honest())).await;
    let index = indexes(&acme).await.remove(0);
    by_redirect(&acme, &request(&acme, &ann, vec![index.clone()]), None).await;
    let waiting = acme.waiting(&ann).await;
    let of_that_session = waiting.honest().session_index(&index);
    waiting.is_refused_at_finish(&waiting.signed(&of_that_session), "GH-SAML-909").await;
    // What is asserted later is another session, whose number may come again (core 2.7.2).
    acme.gateway.clock.advance(Duration::seconds(1));
    let waiting = acme.waiting(&ann).await;
    waiting.gets_in(&waiting.signed(&waiting.honest().session_index(&index))).await;
}

#[tokio::test]
async fn a_logout_with_a_defect_ends_nothing() {
    let (acme, ann) = acme_with_ann().await;
    let sibling = beside(&acme).await;
    let browser = signed_in(&acme, &ann).await;
    let (good, stranger) = (request(&acme, &ann, Vec::new()), IdpKey::generate(acme.gateway.clock.now()).unwrap());
    let url = |message: &LogoutMessage| message.url(None, acme.idp.key()).unwrap();
    let changed = |change: &dyn Fn(&mut LogoutMessage)| {
        let mut message = good.clone();
        change(&mut message);
        url(&message)
    };
    let unsigned = url(&good).split_once("&SigAlg").unwrap().0.to_owned();
    let to_sibling = url(&good).replace(&acme.url(""), &sibling.url(""));
    for (defect, url, code) in [
        ("unsigned", unsigned, "GH-SAML-1107"),
        ("a stranger's", good.url(None, &stranger).unwrap(), "GH-SAML-505"),
        ("state added", format!("{}&RelayState=x", url(&good)), "GH-SAML-505"),
        ("twice", format!("{}&SAMLRequest=x", url(&good)), "GH-SAML-107"),
        ("another's address", to_sibling, "GH-SAML-505"),
        ("destination", changed(&|message| message.destination = acme.url("/saml/slo?x=1")), "GH-SAML-1103"),
        ("issuer", changed(&|message| message.issuer = "http://evil.test".to_owned()), "GH-SAML-804"),
        ("old", changed(&|message| message.issue_instant -= Duration::minutes(9)), "GH-SAML-826"),
        ("nothing", acme.url("/saml/slo"), "GH-SAML-101"),
    ] {
        let page = Browser::new().get(&url).await;
        assert_eq!((page.status, page.code()), (StatusCode::FORBIDDEN, Some(code)), "{defect}: {}", page.shown());
        assert!(acme.knows(&browser).await, "{defect}");
    }
    let field = good.encode(&stranger).unwrap();
    let page = Browser::new().post(&acme.url("/saml/slo"), &[("SAMLRequest", &field)]).await;
    assert_eq!(page.code(), Some("GH-SAML-505"));
    let page = Browser::new().post(&acme.url("/saml/slo"), &[("x", "y")]).await;
    assert_eq!(page.code(), Some("GH-SAML-101"));
    assert!(acme.knows(&browser).await);
    Browser::new().get(&url(&good)).await;
    assert!(!acme.knows(&browser).await);
}

#[tokio::test]
async fn the_user_signs_out_here_and_at_the_identity_provider() {
    let (acme, ann) = acme_with_ann().await;
    let browser = signed_in(&acme, &ann).await;
    let index = indexes(&acme).await;
    let page = browser.get(&acme.url("/saml/logout")).await;
    assert!(page.text.contains("<form method=\"post\">"), "{}", page.shown());
    assert!(acme.knows(&browser).await, "to look is not to leave");
    // Another site cannot press the button.
    let forged = browser
        .send(|http| {
            http.post(acme.url("/saml/logout"))
                .header("sec-fetch-site", "cross-site")
                .header("origin", "https://evil.test")
        })
        .await;
    assert_eq!(forged.status, StatusCode::FORBIDDEN);
    assert!(acme.knows(&browser).await);

    let page = browser.send(|http| http.post(acme.url("/saml/logout"))).await;
    assert!(!acme.knows(&browser).await);
    assert!(page.cookies().iter().any(|cookie| cookie.contains("session_") && cookie.contains("Max-Age=0")));
    let asked = acme.idp.read_logout(page.redirect(), "SAMLRequest").unwrap();
    assert_eq!((asked.name_id.as_deref(), &asked.session_indexes), (Some(ann.user_name.as_str()), &index));
    let answer = acme.idp.answer_logout(&asked).unwrap();
    let page = browser.get(&answer).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.text.contains("You are signed out."), "{}", page.shown());
    assert!(browser.get(&answer).await.text.contains("You are signed out."), "the page may be loaded again");
    assert_eq!(acme.events("session.revoked").await.pop().unwrap()["data"]["reason"], "signed_out");
    let page = browser.send(|http| http.post(acme.url("/saml/logout"))).await;
    assert!(page.text.contains("You are signed out."), "there is nothing to end: {}", page.shown());
}

#[tokio::test]
async fn an_answer_that_others_are_still_signed_in_is_told() {
    let (acme, ann) = acme_with_ann().await;
    let browser = signed_in(&acme, &ann).await;
    let page = browser.send(|http| http.post(acme.url("/saml/logout"))).await;
    let asked = acme.idp.read_logout(page.redirect(), "SAMLRequest").unwrap();
    let content = |id: &str| Content::Response { in_response_to: id.to_owned(), status: "PartialLogout".to_owned() };
    let now = acme.gateway.clock.now();
    let answer = |id: &str| LogoutMessage::new(&acme.idp.entity_id(), &acme.url("/saml/slo"), now, content(id));
    let strange = by_redirect(&acme, &answer("_not_ours"), None).await;
    assert_eq!(strange.code(), Some("GH-SAML-1105"));
    let field = answer(&asked.id).encode(acme.idp.key()).unwrap();
    let page = browser.post(&acme.url("/saml/slo"), &[("SAMLResponse", &field)]).await;
    assert!(page.text.contains("could not sign you out everywhere"), "{}", page.shown());
}

#[tokio::test]
async fn without_a_logout_service_the_session_here_ends() {
    let (acme, ann) = acme_with_ann().await;
    let browser = signed_in(&acme, &ann).await;
    let provider = IdentityProvider::from_metadata(&acme.idp.metadata()).unwrap();
    let (store, now) = (&acme.gateway.app.store, acme.gateway.clock.now());
    let without = IdentityProvider { slo: None, ..provider.clone() };
    setup::idp::set(store, now, acme.connection, &without).await.unwrap();
    let page = browser.send(|http| http.post(acme.url("/saml/logout"))).await;
    assert!(page.text.contains("You may still be signed in at"), "{}", page.shown());
    assert!(!acme.knows(&browser).await);
    // It asks all the same, and gets no answer, but its way.
    let browser = signed_in(&acme, &ann).await;
    let page = by_redirect(&acme, &request(&acme, &ann, Vec::new()), None).await;
    assert_eq!(page.code(), Some("GH-SAML-1106"));
    assert!(!acme.knows(&browser).await);
    // By a form, to an address of its own for answers.
    let slo = LogoutService::new("http://localhost/ask", Some("http://localhost/answer"), Binding::Post).unwrap();
    setup::idp::set(store, now, acme.connection, &IdentityProvider { slo: Some(slo), ..provider }).await.unwrap();
    let page = by_redirect(&acme, &request(&acme, &ann, Vec::new()), Some("a \"state\"")).await;
    assert!(page.text.contains("action=\"http://localhost/answer\""), "{}", page.shown());
    assert!(!page.text.contains("\"a \"state"), "{}", page.shown());
    assert!(page.header("content-security-policy").ends_with("frame-ancestors http://localhost"));
    let browser = signed_in(&acme, &ann).await;
    let page = browser.send(|http| http.post(acme.url("/saml/logout"))).await;
    assert!(page.text.contains("action=\"http://localhost/ask\""), "{}", page.shown());
    assert!(page.header("content-security-policy").ends_with("frame-ancestors 'none'"));
}

/// A name that is new each time is as good for logout as any.
#[tokio::test]
async fn a_name_goes_out_as_it_came_in() {
    let (acme, ann) = acme_with_ann().await;
    let waiting = acme.waiting(&ann).await;
    let transient = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient";
    let response = waiting.honest().name_id("_4711<&>").name_id_format(transient);
    waiting.gets_in(&waiting.signed(&response)).await;
    let page = waiting.browser.send(|http| http.post(acme.url("/saml/logout"))).await;
    let asked = acme.idp.read_logout(page.redirect(), "SAMLRequest").unwrap();
    assert_eq!((asked.name_id.as_deref(), asked.name_id_format.as_deref()), (Some("_4711<&>"), Some(transient)));
    assert_eq!(parameter(page.redirect(), "RelayState").unwrap(), asked.id.trim_start_matches('_'));
}

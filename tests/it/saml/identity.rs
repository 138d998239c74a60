//! Whom a response means, and where a sign-in that no application began ends.

use super::{acme_with_ann, beside, with_ann};
use domain::names::Slug;
use gateway::{clock::Clock, setup};
use harness::{
    browser::{Browser, Page},
    customer::Customer,
    gateway_process::{Gateway, unique},
    sign_in::{TokenAnswer, parameter},
};
use reqwest::StatusCode;
use simulator::{directory::DirectoryUser, okta::Style};

const TRANSIENT: &str = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient";

async fn enters_as(acme: &Customer, user: &DirectoryUser, name_id: &str) -> TokenAnswer {
    let waiting = acme.waiting(user).await;
    waiting.gets_in(&waiting.signed(&waiting.honest().name_id(name_id))).await
}

async fn is_refused_as(acme: &Customer, user: &DirectoryUser, name_id: &str, code: &str) {
    let waiting = acme.waiting(user).await;
    waiting.is_refused_at_finish(&waiting.signed(&waiting.honest().name_id(name_id)), code).await;
}

fn sub(answer: &TokenAnswer) -> String {
    answer.id_claims()["sub"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_case_of_a_name_does_not_matter_however_often_it_changes() {
    let (acme, ann) = acme_with_ann().await;
    let first = sub(&enters_as(&acme, &ann, &ann.user_name.to_uppercase()).await);
    assert_eq!(sub(&enters_as(&acme, &ann, &ann.user_name).await), first);
    assert_eq!(sub(&enters_as(&acme, &ann, &ann.user_name.replace("ann", "Ann")).await), first);
}

#[tokio::test]
async fn an_account_answers_to_the_name_it_was_first_entered_with() {
    let (acme, ann) = acme_with_ann().await;
    let (own, foreign) = (unique("00u"), unique("00u"));
    // A NameID that only the e-mail address ties to the account, which belongs to it from then on.
    let first = sub(&enters_as(&acme, &ann, &own).await);
    for other in [&foreign, &ann.user_name, &ann.id] {
        is_refused_as(&acme, &ann, other, "GH-USR-006").await;
    }
    assert_eq!(sub(&enters_as(&acme, &ann, &own).await), first);
    let ben = acme.user("ben");
    acme.assign(&ben).await;
    assert_ne!(sub(&enters_as(&acme, &ben, &ben.id).await), first, "an external id names its own account");
}

#[tokio::test]
async fn a_name_for_one_time_binds_nothing() {
    let (acme, ann) = acme_with_ann().await;
    let mut subs = Vec::new();
    for _ in 0..2 {
        let waiting = acme.waiting(&ann).await;
        let passing = waiting.honest().name_id(&unique("t")).name_id_format(TRANSIENT);
        subs.push(sub(&waiting.gets_in(&waiting.signed(&passing)).await));
    }
    subs.push(sub(&enters_as(&acme, &ann, &ann.user_name).await));
    subs.dedup();
    assert_eq!(subs.len(), 1);
}

#[tokio::test]
async fn an_address_counts_only_in_a_domain_of_the_tenant_and_for_one_account() {
    let acme = Customer::new().await;
    let mut guest = acme.user("guest");
    guest.email = "guest@elsewhere.test".to_owned();
    let twins = ["one", "two"].map(|name| {
        let mut twin = acme.user(name);
        twin.email = format!("team@{}", acme.domain);
        twin
    });
    for user in [&guest, &twins[0], &twins[1]] {
        acme.assign(user).await;
    }
    for user in [&guest, &twins[0], &twins[1]] {
        is_refused_as(&acme, user, &unique("00u"), "GH-SAML-1004").await;
    }
    for user in [&guest, &twins[0], &twins[1]] {
        enters_as(&acme, user, &user.user_name).await;
    }
}

#[tokio::test]
async fn a_renamed_user_is_the_same_and_the_old_name_is_nobodys() {
    let (acme, ann) = acme_with_ann().await;
    let before = sub(&enters_as(&acme, &ann, &ann.user_name).await);
    let mut renamed = ann.clone();
    (renamed.user_name, renamed.email) = (acme.user("ann.smith").user_name, acme.user("ann.smith").email);
    rename(&acme, &ann, &renamed).await;
    is_refused_as(&acme, &ann, &ann.user_name, "GH-SAML-1004").await;
    assert_eq!(sub(&enters_as(&acme, &renamed, &renamed.user_name).await), before);

    // Whoever gets the old name next is somebody else.
    let mut successor = ann.clone();
    successor.id = unique("00u");
    acme.okta(Style::Custom).push_user(&successor).await.unwrap();
    assert_ne!(sub(&enters_as(&acme, &successor, &successor.user_name).await), before);
}

#[tokio::test]
async fn a_user_whose_login_changes_but_not_the_address_gets_in_with_the_new_login() {
    let (acme, ann) = acme_with_ann().await;
    let before = sub(&enters_as(&acme, &ann, &ann.user_name).await);
    let mut renamed = ann.clone();
    renamed.user_name = acme.user("ann.smith").user_name;
    rename(&acme, &ann, &renamed).await;
    assert_eq!(sub(&enters_as(&acme, &renamed, &renamed.user_name).await), before);
}

async fn rename(acme: &Customer, from: &DirectoryUser, to: &DirectoryUser) {
    let mut okta = acme.okta(Style::Custom);
    let remote_id = okta.find_user(from).await.unwrap();
    okta.update_user(&DirectoryUser { remote_id, ..to.clone() }).await.unwrap();
}

#[tokio::test]
async fn the_unknown_and_the_deactivated_are_told_apart_and_refused() {
    let (acme, ann) = acme_with_ann().await;
    let nobody = acme.user("nobody");
    is_refused_as(&acme, &nobody, &nobody.user_name, "GH-SAML-1004").await;
    acme.okta(Style::Custom).deactivate(&ann).await.unwrap();
    let waiting = acme.waiting(&ann).await;
    let page = waiting.is_refused_at_finish(&waiting.signed(&waiting.honest()), "GH-SAML-1005").await;
    assert!(page.text.contains("Assign the user to the application again"), "{}", page.text);
    assert!(!page.text.contains(&ann.email));
    acme.okta(Style::Custom).reactivate(&ann).await.unwrap();
    enters_as(&acme, &ann, &ann.user_name).await;
}

#[tokio::test]
async fn a_session_ends_when_the_same_browser_signs_in_again() {
    let (acme, ann) = acme_with_ann().await;
    let browser = Browser::new();
    let old = acme.sign_in(&browser, &ann.email).await;
    let page = browser.get(&acme.authorize_url(&[("prompt", Some("login"))])).await;
    let posted = acme.idp.sign_in(page.redirect(), &ann.email).await.unwrap();
    acme.finish(&browser, &posted.saml_response).await;
    assert!(!acme.is_active(old.text("access_token")).await);
    assert!(acme.knows(&browser).await);
}

#[tokio::test]
async fn an_unknown_organization_looks_like_one_that_is_not_connected() {
    let acme = Customer::new().await;
    let (gateway, slug) = (&acme.gateway, unique("empty"));
    let (store, now) = (&gateway.app.store, gateway.clock.now());
    let empty = setup::create_tenant(store, now, &Slug::parse(&slug).unwrap(), "Empty", &[]).await.unwrap();
    let browser = Browser::new();
    let look = async |name: &str| neutral(browser.get(&format!("{}/t/{name}", gateway.url)).await);
    let unknown = look(&unique("nobody")).await;
    assert!(unknown.2.contains("GH-CON-001") && unknown.0 == StatusCode::NOT_FOUND, "{}", unknown.2);
    assert_eq!(look(&slug).await, unknown, "no connection");
    let application = gateway.application.client_id.parse().unwrap();
    setup::create_connection(store, now, &gateway.app.vault, empty, application, "Okta").await.unwrap();
    assert_eq!(look(&slug).await, unknown, "no identity provider");
    assert_eq!(look("%00").await, unknown, "not even a name");
    assert!(look(&acme.slug).await.0.is_redirection(), "the control");
}

/// A page without what is different each time.
fn neutral(page: Page) -> (StatusCode, Vec<String>, String) {
    let mut names: Vec<_> = page.headers.keys().map(ToString::to_string).collect();
    names.sort();
    let (before, after) = page.text.split_once("<dt>Reference</dt>").unwrap_or((&page.text, ""));
    (page.status, names, format!("{before}{}", after.split_once("</dd>").map_or("", |(_, rest)| rest)))
}

#[tokio::test]
async fn a_bookmark_leads_into_the_application_without_a_token_in_the_address() {
    let gateway = Gateway::start().await;
    let entry = "https://app.test/login?from=tile";
    let change = |spec: &mut setup::applications::ApplicationSpec| spec.initiate_login_uri = Some(entry.to_owned());
    let application = gateway.application("https://app.test/callback", change).await;
    let (acme, ann) = with_ann(Customer::entering(&gateway, application).await).await;
    for bookmark in [format!("{}/t/{}", gateway.url, acme.slug), acme.url("/saml/login")] {
        let browser = Browser::new();
        let page = browser.get(&bookmark).await;
        let posted = acme.idp.sign_in(page.redirect(), &ann.email).await.unwrap();
        let page = acme.post_response(&browser, &posted.saml_response).await;
        let page = browser.get(page.redirect()).await;
        let issuer: String = url::form_urlencoded::byte_serialize(gateway.url.as_bytes()).collect();
        assert_eq!(page.redirect(), format!("{entry}&iss={issuer}&tenant={}", acme.slug));
        assert!(acme.knows(&browser).await, "the application asks for its tokens and nobody is asked again");
        assert_eq!(browser.get(&bookmark).await.location, page.location, "and so does the bookmark");
    }
}

#[tokio::test]
async fn a_bookmark_of_an_application_without_an_entry_ends_on_a_page() {
    let (acme, ann) = acme_with_ann().await;
    let (browser, bookmark) = (Browser::new(), format!("{}/t/{}", acme.gateway.url, acme.slug));
    let page = browser.get(&bookmark).await;
    let posted = acme.idp.sign_in(page.redirect(), &ann.email).await.unwrap();
    let page = acme.post_response(&browser, &posted.saml_response).await;
    for page in [browser.get(page.redirect()).await, browser.get(&bookmark).await] {
        assert_eq!(page.status, StatusCode::OK);
        assert!(page.text.contains("You are signed in") && page.text.contains("Open Test app now"), "{}", page.text);
    }
}

/// Signs in with the cookies carried by hand, as they are written; answers what was set on the way.
async fn cookies_of_a_sign_in(acme: &Customer, ann: &DirectoryUser) -> Vec<String> {
    let browser = Browser::new();
    let start = browser.get(&acme.authorize_url(&[])).await;
    let posted = acme.idp.sign_in(start.redirect(), &ann.email).await.unwrap();
    let page = acme.post_response(&browser, &posted.saml_response).await;
    assert!(page.cookies().is_empty(), "a post of another site gets no cookie");
    let finish = acme.url(&format!("/saml/finish?ticket={}", parameter(page.redirect(), "ticket").unwrap()));
    let binding = start.cookies()[0].split(';').next().unwrap().to_owned();
    let end = Browser::new().send(|http| http.get(&finish).header("cookie", &binding)).await;
    assert!(end.redirect().starts_with("https://app.test/callback?code="), "{:?}", end.location);
    [start, end].iter().flat_map(Page::cookies).map(str::to_owned).collect()
}

#[tokio::test]
async fn cookies_are_out_of_reach_of_scripts_and_other_sites() {
    let public = "https://sso.gatehouse.test".to_owned();
    let https = Gateway::start_with(Clock::manual(), |config| config.server.public_url = public).await;
    for (gateway, prefix, secure) in [(Gateway::start().await, "", ""), (https, "__Host-", "; Secure")] {
        let (acme, ann) = with_ann(Customer::of(&gateway).await).await;
        let cookies = cookies_of_a_sign_in(&acme, &ann).await;
        let names = ["gatehouse_browser".to_owned(), format!("gatehouse_session_{}", acme.connection.0.simple())];
        assert_eq!(cookies.len(), names.len(), "{cookies:?}");
        for (cookie, name) in cookies.iter().zip(names) {
            let (value, attributes) = cookie.split_once(';').unwrap();
            let secret = value.strip_prefix(&format!("{prefix}{name}=")).unwrap_or_else(|| panic!("{cookie}"));
            assert_eq!(secret.len(), 43, "256 bits");
            assert_eq!(attributes, format!(" HttpOnly; SameSite=Lax{secure}; Path=/"));
        }
        let hsts = Browser::new().get(&acme.url("")).await.header("strict-transport-security").to_owned();
        assert_eq!(hsts.is_empty(), secure.is_empty());
    }
}

#[tokio::test]
async fn a_session_of_one_connection_is_none_in_another_even_under_its_name() {
    let (acme, ann) = acme_with_ann().await;
    let sibling = beside(&acme).await;
    let beta = Customer::of(&acme.gateway).await;
    let cookies = cookies_of_a_sign_in(&acme, &ann).await;
    let secret = cookies[1].split_once(';').unwrap().0.split_once('=').unwrap().1;
    for (customer, error) in [(&acme, None), (&sibling, Some("login_required")), (&beta, Some("login_required"))] {
        let cookie = format!("gatehouse_session_{}={secret}", customer.connection.0.simple());
        let cid = customer.connection.to_string();
        let url = customer.authorize_url(&[("prompt", Some("none")), ("connection", Some(&cid))]);
        let page = Browser::new().send(|http| http.get(url).header("cookie", cookie)).await;
        assert_eq!(parameter(page.redirect(), "error").as_deref(), error);
    }
}

//! Finding the way in: by names of ours, by those of other providers, by hints.

use super::SignedIn;
use domain::{ids::ConnectionId, session::EndReason};
use gateway::{
    saml::settings::Settings,
    setup::{self, aliases, applications::ApplicationSpec},
};
use harness::{
    browser::Browser,
    customer::Customer,
    gateway_process::{Application, Gateway, unique},
    sign_in::{VERIFIER, claims, parameter},
};
use reqwest::StatusCode;
use serde_json::{Value, json};
use simulator::directory::DirectoryUser;
use store::sessions::Which;

/// Whether somebody whom the application sends with these parameters comes to the customer's identity provider.
async fn leads(acme: &Customer, parameters: &[(&str, Option<&str>)]) -> bool {
    let changes = [&[("tenant", None)], parameters].concat();
    let page = Browser::new().get(&acme.authorize_url(&changes)).await;
    page.location.is_some_and(|url| url.starts_with(&acme.idp.sso_url()))
}

#[tokio::test]
async fn the_way_in_has_our_names_and_those_of_other_providers() {
    let gateway = Gateway::start().await;
    let (acme, globex) = (Customer::of(&gateway).await, Customer::of(&gateway).await);
    let (store, now) = (&gateway.app.store, gateway.clock.now());
    let (org, provider) = (unique("org_01H"), unique("AcmeOkta"));
    aliases::add(store, now, acme.tenant, None, &org).await.unwrap();
    aliases::add(store, now, acme.tenant, Some(acme.connection), &provider).await.unwrap();
    let (cid, tenant) = (acme.connection.to_string(), acme.tenant.to_string());
    let (ann, mixed) = (format!("ann@{}", acme.domain), format!("Ann@{}", acme.domain.to_uppercase()));
    let good = [
        [("tenant", acme.slug.as_str())],
        [("tenant", tenant.as_str())],
        [("tenant", acme.domain.as_str())],
        [("organization", org.as_str())],
        [("connection", cid.as_str())],
        [("connection", provider.as_str())],
        [("identity_provider", provider.as_str())],
        [("idp_identifier", acme.domain.as_str())],
        [("kc_idp_hint", provider.as_str())],
        [("domain_hint", acme.domain.as_str())],
        [("login_hint", ann.as_str())],
        [("login_hint", mixed.as_str())],
    ];
    for parameters in good {
        let named = parameters.map(|(name, value)| (name, Some(value)));
        assert!(leads(&acme, &named).await, "{parameters:?}");
    }
    // No name of another place takes the place of one of ours.
    for own in [&globex.slug, &globex.domain] {
        let shadowing = aliases::add(store, now, acme.tenant, None, own).await.unwrap_err();
        assert!(shadowing.to_string().contains(own.as_str()), "{shadowing}");
        assert!(leads(&globex, &[("tenant", Some(own))]).await);
    }
    // Polis packs the tenant and the product into the client's id; the product is known by another name here.
    setup::applications::alias(store, now, &acme.application.slug, &org, false).await.unwrap();
    let packed = format!("tenant={}&product={org}", acme.slug);
    assert!(leads(&acme, &[("client_id", Some(&packed))]).await);
    let packed = format!("tenant={}&product={}", acme.slug, acme.application.slug);
    assert!(leads(&acme, &[("client_id", Some(&packed))]).await, "under the short name");
    // The domain that the application names counts before that of an address.
    let elsewhere = [("domain_hint", Some(acme.domain.as_str())), ("login_hint", Some("ann@gmail.com"))];
    assert!(leads(&acme, &elsewhere).await);
    // What is named counts before what is hinted.
    assert!(leads(&globex, &[("tenant", Some(&globex.slug)), ("login_hint", Some(&ann))]).await);
    for (first, second) in [
        (("tenant", globex.slug.as_str()), ("connection", cid.as_str())),
        (("organization", globex.slug.as_str()), ("identity_provider", provider.as_str())),
    ] {
        let both = [(first.0, Some(first.1)), (second.0, Some(second.1))];
        assert!(!leads(&acme, &both).await && !leads(&globex, &both).await, "{both:?}");
    }
    for nowhere in [("tenant", "nobody"), ("connection", "nothing"), ("login_hint", "ann@nowhere.test")] {
        assert!(!leads(&acme, &[(nowhere.0, Some(nowhere.1))]).await, "{nowhere:?}");
    }
    let other = gateway.application("https://other.test/callback", |_| {}).await;
    let stranger = [("client_id", Some(other.client_id.as_str())), ("redirect_uri", Some(other.redirect_uri.as_str()))];
    let through = [&stranger[..], &[("connection", Some(cid.as_str()))]].concat();
    assert!(!leads(&acme, &through).await, "another application has no way through this connection");
}

#[tokio::test]
async fn an_application_of_polis_signs_in_under_its_packed_name() {
    let story = SignedIn::new().await;
    let acme = &story.acme;
    let packed = format!("tenant={}&product={}", acme.slug, acme.application.slug);
    let code = story.code_for(&[("tenant", None), ("client_id", Some(&packed))]).await;
    let polis = Application { client_id: packed.clone(), ..acme.application.clone() };
    let form = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", &polis.redirect_uri),
        ("code_verifier", VERIFIER),
        ("client_id", &packed),
        ("client_secret", polis.client_secret.as_deref().unwrap()),
    ];
    let response = reqwest::Client::new().post(format!("{}/oauth2/token", acme.gateway.url)).form(&form).send().await;
    let tokens: Value = response.unwrap().json().await.unwrap();
    // Or side by side, for the client of anybody.
    let beside = [("client_id", Some("dummy")), ("product", Some(acme.application.slug.as_str()))];
    assert!(leads(acme, &[&beside[..], &[("tenant", Some(acme.slug.as_str()))]].concat()).await);
    assert!(!leads(acme, &beside).await && !leads(acme, &[("client_id", Some("dummy"))]).await);
    assert_eq!(claims(tokens["id_token"].as_str().unwrap_or_else(|| panic!("{tokens}")))["aud"], json!(packed));
}

/// Whoever is signed in through one of several connections goes on there, and a domain leads to the connection that is for it.
#[tokio::test]
async fn of_several_connections_the_one_is_taken_that_is_meant_or_known() {
    let gateway = Gateway::start().await;
    let first = Customer::of(&gateway).await;
    gateway.clock.advance(time::Duration::SECOND);
    let second = first.sibling(&first.application).await;
    let (store, now) = (&gateway.app.store, gateway.clock.now());
    let other = format!("{}.example", first.slug);
    setup::domains::vouch(store, now, first.tenant, &other).await.unwrap();
    let heed = |settings: &mut Settings, _: &mut bool| settings.email_domains = vec![other.clone()];
    setup::sign_in::set(store, now, second.connection, heed).await.unwrap();
    assert!(leads(&first, &[("tenant", Some(&first.slug))]).await, "the oldest, where nothing is said");
    let ann = format!("ann@{other}");
    for named in [
        vec![("domain_hint", Some(other.as_str()))],
        vec![("login_hint", Some(ann.as_str()))],
        vec![("tenant", Some(other.as_str()))],
        vec![("tenant", Some(first.slug.as_str())), ("login_hint", Some(ann.as_str()))],
        vec![("tenant", Some(first.slug.as_str())), ("domain_hint", Some(other.as_str()))],
    ] {
        assert!(leads(&second, &named).await, "{named:?}");
    }
    let bob = DirectoryUser::new(&format!("bob@{other}"), "Bob", "Tester");
    second.assign(&bob).await;
    let browser = Browser::new();
    let page = browser.get(&second.authorize_url(&[("connection", Some(&second.connection.to_string()))])).await;
    let posted = second.idp.sign_in(page.redirect(), &bob.email).await.unwrap();
    second.finish(&browser, &posted.saml_response).await;
    let page = browser.get(&first.authorize_url(&[("prompt", Some("none"))])).await;
    assert!(parameter(page.redirect(), "code").is_some(), "{}", page.redirect());
    // Of two sessions that which began last, and none that has ended.
    gateway.clock.advance(time::Duration::SECOND);
    let ann = first.user("ann");
    first.assign(&ann).await;
    let page = browser.get(&first.authorize_url(&[("connection", Some(&first.connection.to_string()))])).await;
    let posted = first.idp.sign_in(page.redirect(), &ann.email).await.unwrap();
    let code = first.finish(&browser, &posted.saml_response).await;
    let signed_in = async || {
        let page = browser.get(&first.authorize_url(&[("prompt", Some("none"))])).await;
        let code = parameter(page.redirect(), "code").unwrap_or_else(|| panic!("{}", page.redirect()));
        first.redeem(&code).await.id_claims()["connection_id"].clone()
    };
    let of = |id: ConnectionId| json!(id);
    assert_eq!(first.redeem(&code).await.id_claims()["connection_id"], of(first.connection));
    assert_eq!(signed_in().await, of(first.connection));
    // One of another application says nothing.
    gateway.clock.advance(time::Duration::SECOND);
    let board = first.sibling(&gateway.application("https://board.test/callback", |_| {}).await).await;
    board.assign(&ann).await;
    board.sign_in(&browser, &ann.email).await;
    assert_eq!(signed_in().await, of(first.connection));
    let now = gateway.clock.now();
    let which = Which::Connection(first.connection);
    setup::sessions::revoke(store, now, first.tenant, which, EndReason::Revoked).await.unwrap();
    assert_eq!(signed_in().await, of(second.connection));
    // Where one is suspended, others go on.
    let shut = Some(first.connection);
    setup::sessions::suspend(store, now, first.tenant, shut, setup::sessions::Entry::Suspended).await.unwrap();
    assert!(leads(&second, &[("tenant", Some(&first.slug))]).await);
    let page = Browser::new().get(&format!("{}/t/{}", gateway.url, first.slug)).await;
    assert!(page.redirect().starts_with(&second.idp.sso_url()), "{}", page.redirect());
}

/// Who comes by a name that leads nowhere says at the login page where to go, and gets there with the application's request.
#[tokio::test]
async fn a_name_that_leads_nowhere_is_no_dead_end() {
    let story = SignedIn::new().await;
    let acme = &story.acme;
    let packed = format!("tenant=typo&product={}", acme.application.slug);
    let beside = [("client_id", Some("dummy")), ("tenant", Some("typo")), ("product", Some(&*acme.application.slug))];
    let alone = [("client_id", None), ("tenant", Some("typo")), ("product", Some(&*acme.application.slug))];
    let form = [
        ("response_type", "code"),
        ("client_id", acme.application.client_id.as_str()),
        ("redirect_uri", &acme.application.redirect_uri),
        ("scope", "openid"),
        ("code_challenge", harness::sign_in::CHALLENGE),
        ("code_challenge_method", "S256"),
        ("tenant", "typo"),
    ];
    let pushed = acme.post_as(&acme.application, "/oauth2/par", &form).await;
    let reference = url::form_urlencoded::byte_serialize(pushed.text("request_uri").as_bytes()).collect::<String>();
    let id = &acme.application.client_id;
    let ways = [
        (packed.clone(), acme.authorize_url(&[("tenant", None), ("client_id", Some(&packed))])),
        (packed.clone(), acme.authorize_url(&beside)),
        (packed.clone(), acme.authorize_url(&alone)),
        (id.clone(), format!("{}/oauth2/authorize?client_id={id}&request_uri={reference}", acme.gateway.url)),
    ];
    for (client_id, url) in ways {
        let page = story.browser.get(&url).await;
        assert_eq!(page.status, StatusCode::NOT_FOUND, "{url}: {}", page.shown());
        let asked = super::authorize::asked_of(&page.text);
        let form = [("asked", asked.as_str()), ("email", story.ann.email.as_str())];
        let page = story.browser.post(&format!("{}/login", acme.gateway.url), &form).await;
        let page = story.browser.get(page.redirect()).await;
        let code = parameter(page.redirect(), "code").unwrap_or_else(|| panic!("{url}: {}", page.redirect()));
        let application = Application { client_id, ..acme.application.clone() };
        assert_eq!(acme.redeem_as(&application, &code).await.status, StatusCode::OK, "{url}");
    }
}

/// Who holds a connection to the database and waits for another one waits for ever, when there are no more.
#[tokio::test]
async fn no_request_needs_two_connections_to_the_database() {
    let one = |config: &mut gateway::config::Config| {
        config.database.max_connections = 1;
        config.database.acquire_timeout = std::time::Duration::from_secs(3);
    };
    let gateway = Gateway::start_with(gateway::clock::Clock::manual(), one).await;
    let acme = Customer::of(&gateway).await;
    let ann = acme.user("ann");
    acme.assign(&ann).await;
    // All but one of those for work across tenants.
    let mut held = Vec::new();
    for _ in 0..3 {
        let mut tx = gateway.app.control(gateway.clock.now()).await.unwrap();
        store::applications::by_slug(&mut tx, "none").await.unwrap();
        held.push(tx);
    }
    let browser = Browser::new();
    for named in ["tenant", "connection"] {
        let nobody = uuid::Uuid::now_v7().to_string();
        let url = acme.authorize_url(&[("tenant", None), (named, Some(&nobody))]);
        assert_eq!(browser.get(&url).await.status, StatusCode::NOT_FOUND, "{named}");
        let cold = Gateway::start_with(gateway.clock.clone(), one).await;
        let mut tx = cold.app.control(gateway.clock.now()).await.unwrap();
        store::applications::by_slug(&mut tx, "none").await.unwrap();
        let url = url.replace(&gateway.url, &cold.url).replace(&nobody, &acme.connection.to_string());
        assert!(browser.get(&url).await.status.is_redirection(), "what nobody has asked for since the start");
        tx.rollback().await.unwrap();
    }
    let tokens = acme.sign_in(&browser, &ann.email).await;
    assert!(acme.is_active(tokens.text("access_token")).await);
    assert_eq!(acme.userinfo(tokens.text("access_token")).await.status, StatusCode::OK);
    assert_eq!(acme.refresh(tokens.text("refresh_token")).await.status, StatusCode::OK);
    let form = [("email", ann.email.as_str())];
    assert!(browser.post(&format!("{}/login", gateway.url), &form).await.status.is_redirection());
    let leave = format!("{}/oauth2/logout?id_token_hint={}", gateway.url, tokens.text("id_token"));
    assert!(browser.get(&leave).await.redirect().starts_with(&acme.idp.slo_url()));
    for tx in held {
        tx.rollback().await.unwrap();
    }
}

#[tokio::test]
async fn one_name_leads_to_one_place_whoever_gives_it() {
    let gateway = Gateway::start().await;
    let (acme, globex) = (Customer::of(&gateway).await, Customer::of(&gateway).await);
    let (store, now, name) = (&gateway.app.store, gateway.clock.now(), unique("shared"));
    aliases::add(store, now, acme.tenant, None, &name).await.unwrap();
    let taken = aliases::add(store, now, globex.tenant, None, &name).await.unwrap_err();
    assert!(!taken.to_string().contains(&acme.slug), "it says nothing of the other: {taken}");
    assert!(aliases::remove(store, now, globex.tenant, &name).await.is_err(), "it is not theirs to remove");
    assert!(leads(&acme, &[("tenant", Some(&name))]).await);
    let cid = acme.connection.to_string();
    let (tenant, client) = (acme.tenant.to_string(), acme.application.client_id.clone());
    for refused in ["", "two words", &cid, &tenant, &client, "line\nbreak"] {
        assert!(aliases::add(store, now, globex.tenant, None, refused).await.is_err(), "{refused:?}");
        let slug = &globex.application.slug;
        let named = setup::applications::alias(store, now, slug, refused, false).await;
        assert!(named.is_err(), "{refused:?} of an application");
    }
    // Ids of a system from before may look like ours.
    let (theirs, product) = (uuid::Uuid::now_v7().to_string(), uuid::Uuid::now_v7().to_string());
    assert!(!leads(&globex, &[("tenant", Some(&theirs))]).await);
    aliases::add(store, now, globex.tenant, None, &theirs).await.unwrap();
    setup::applications::alias(store, now, &globex.application.slug, &product, false).await.unwrap();
    assert!(leads(&globex, &[("tenant", Some(&theirs)), ("client_id", Some(&product))]).await);
    aliases::remove(store, now, acme.tenant, &name).await.unwrap();
    assert!(!leads(&acme, &[("tenant", Some(&name))]).await);
}

#[tokio::test]
async fn the_bookmark_of_the_courier_guide_ends_in_the_application_without_a_token_in_any_address() {
    let gateway = Gateway::start().await;
    let entry =
        |spec: &mut ApplicationSpec| spec.initiate_login_uri = Some("https://app.courier.test/start".to_owned());
    let application = gateway.application("https://app.test/callback", entry).await;
    let story = SignedIn::to(Customer::entering(&gateway, application).await).await;
    let acme = &story.acme;
    let (store, now) = (&gateway.app.store, gateway.clock.now());
    let (client, provider) = (unique("5f4fmec2qnuscp89qbt8nsuftj"), unique("YOUR_PROVIDER_NAME"));
    setup::applications::alias(store, now, &acme.application.slug, &client, false).await.unwrap();
    aliases::add(store, now, acme.tenant, Some(acme.connection), &provider).await.unwrap();
    let bookmark = format!(
        "{}/oauth2/authorize?response_type=token&identity_provider={provider}&client_id={client}\
         &redirect_uri=https%3A%2F%2Fapp.courier.com%2Flogin%2Fcallback\
         &scope=aws.cognito.signin.user.admin%20email%20openid%20profile",
        gateway.url
    );
    let enters = |url: &str| {
        assert!(url.starts_with("https://app.courier.test/start?iss="), "{url}");
        assert_eq!(parameter(url, "tenant").as_deref(), Some(acme.slug.as_str()));
        assert!(!url.contains('#') && !url.contains("token") && !url.contains("code="), "{url}");
    };
    let browser = Browser::new();
    let page = browser.get(&bookmark).await;
    let posted = acme.idp.sign_in(page.redirect(), &story.ann.email).await.unwrap();
    let page = acme.post_response(&browser, &posted.saml_response).await;
    enters(browser.get(page.redirect()).await.redirect());
    // Where it does not say through which connection, the login page asks, and it ends there too.
    let asked = bookmark.split_once('?').unwrap().1.replace(&provider, "nobody");
    let elsewhere = Browser::new();
    let form = [("asked", asked.as_str()), ("email", story.ann.email.as_str())];
    let page = elsewhere.post(&format!("{}/login", gateway.url), &form).await;
    let page = elsewhere.get(page.redirect()).await;
    let posted = acme.idp.sign_in(page.redirect(), &story.ann.email).await.unwrap();
    let page = acme.post_response(&elsewhere, &posted.saml_response).await;
    enters(elsewhere.get(page.redirect()).await.redirect());
    // Who is signed in is not asked again; and then the application gets in without a prompt.
    enters(browser.get(&bookmark).await.redirect());
    let silent = browser.get(&acme.authorize_url(&[("prompt", Some("none"))])).await;
    assert!(parameter(silent.redirect(), "code").is_some(), "{}", silent.redirect());
    let unknown = bookmark.replace(&provider, "nobody");
    let page = browser.get(&unknown).await;
    assert_eq!(page.status, StatusCode::NOT_FOUND, "{}", page.shown());
}

#[tokio::test]
async fn an_identity_provider_that_was_set_up_for_cognito_changes_nothing() {
    let gateway = Gateway::start().await;
    let entry = |spec: &mut ApplicationSpec| spec.initiate_login_uri = Some("https://app.test/start".to_owned());
    let application = gateway.application("https://app.test/callback", entry).await;
    let acme = Customer::entering(&gateway, application).await;
    let ann = acme.user("ann");
    acme.assign(&ann).await;
    let (store, now) = (&gateway.app.store, gateway.clock.now());
    let (pool, provider, client) = ("urn:amazon:cognito:sp:us-east-1_abc", unique("Acme"), unique("5f4fmec2"));
    crate::saml::modes::set(&acme, |settings| settings.former_entity_id = Some(pool.to_owned())).await;
    aliases::add(store, now, acme.tenant, Some(acme.connection), &provider).await.unwrap();
    setup::applications::alias(store, now, &acme.application.slug, &client, false).await.unwrap();
    let acs = format!("{}/saml2/idpresponse", gateway.url);
    let metadata = Browser::new().get(&acme.url("/saml/metadata")).await.text;
    assert!(metadata.contains(&format!("entityID=\"{pool}\"")) && metadata.contains(&acs), "{metadata}");

    // The simulated identity provider knows the old names only, as Okta's app integration does.
    acme.idp.trust(&metadata).unwrap();
    let browser = Browser::new();
    let page = browser.get(&acme.authorize_url(&[])).await;
    let posted = acme.idp.sign_in(page.redirect(), &ann.email).await.unwrap();
    assert_eq!(posted.acs_url, acs);
    let form =
        |relay_state: &str| [("SAMLResponse", posted.saml_response.clone()), ("RelayState", relay_state.to_owned())];
    let other = Customer::of(&gateway).await;
    for (relay_state, code) in [("", "GH-SAML-907"), ("nobody", "GH-SAML-907"), ("a=b&client_id=x", "GH-SAML-907")] {
        let fields = form(relay_state);
        let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let page = browser.post(&acs, &fields).await;
        assert_eq!((page.status, page.code()), (StatusCode::FORBIDDEN, Some(code)), "{relay_state}");
    }
    // Whoever names another connection gets nowhere: its identity provider has another key.
    let fields = form(&other.connection.to_string());
    let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert_eq!(browser.post(&acs, &fields).await.status, StatusCode::FORBIDDEN);
    let fields = form(posted.relay_state.as_deref().unwrap());
    let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let page = browser.post(&acs, &fields).await;
    let page = browser.get(page.redirect()).await;
    assert!(parameter(page.redirect(), "code").is_some(), "{}", page.redirect());

    // A tile that Cognito's documentation describes: what nobody asked for starts a sign-in of ours.
    let now = gateway.clock.now();
    let unasked =
        simulator::idp::response::ResponseBuilder::new(&acme.idp.entity_id(), pool, &acs, &ann.user_name, now)
            .attribute("email", &ann.email);
    let unasked = unasked.encode(acme.idp.key()).unwrap();
    let state = format!(
        "identity_provider={provider}&client_id={client}&redirect_uri=https%3A%2F%2Fapp.test&response_type=code&scope=openid"
    );
    let page = Browser::new().post(&acs, &[("SAMLResponse", &unasked), ("RelayState", &state)]).await;
    assert!(page.redirect().starts_with(&acme.url("/saml/restart")), "{}", page.redirect());
}

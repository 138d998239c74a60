//! How sessions end, and who is told: one path for every reason.

use super::{
    SignedIn,
    telling::{is_told, with_door},
};
use domain::{ids::SessionId, session::EndReason};
use gateway::{
    app::App,
    saml::settings::{Settings, UniversalLogout},
    setup::{
        self,
        applications::ApplicationSpec,
        sessions::{self, Entry},
    },
};
use harness::{
    browser::{Browser, Page},
    customer::{Customer, superuser, until_waiting},
    gateway_process::Gateway,
    sign_in::{TokenAnswer, claims},
    signer::{OktaOrg, Signer},
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use simulator::{
    idp::logout::{Content, LogoutMessage},
    okta::Style,
};
use std::sync::Arc;
use store::sessions::Which;
use time::Duration;

/// Signs in anew and answers the tokens.
pub(super) async fn enter(story: &SignedIn, browser: &Browser) -> TokenAnswer {
    story.acme.gateway.clock.advance(Duration::SECOND);
    story.acme.sign_in(browser, &story.ann.email).await
}

/// The identity provider has its say, and the browser comes back.
async fn by_idp(acme: &Customer, browser: &Browser, page: Page) -> Page {
    let asked = acme.idp.read_logout(page.redirect(), "SAMLRequest").unwrap();
    browser.get(&acme.idp.answer_logout(&asked).unwrap()).await
}

/// Everything of these tokens is dead, on this gateway and on another.
async fn is_dead(story: &SignedIn, other: &Gateway, tokens: &TokenAnswer, why: &str) {
    let (acme, access, refresh) = (&story.acme, tokens.text("access_token"), tokens.text("refresh_token"));
    for token in [access, refresh] {
        assert!(!acme.is_active(token).await, "{why}: introspection");
        let (id, secret) = (&acme.application.client_id, acme.application.client_secret.as_ref());
        let request = reqwest::Client::new().post(format!("{}/oauth2/introspect", other.url));
        let answer = request.basic_auth(id, secret).form(&[("token", token)]).send().await.unwrap();
        assert_eq!(answer.json::<Value>().await.unwrap()["active"], false, "{why}: introspection elsewhere");
    }
    assert_eq!(acme.userinfo(access).await.error(), (401, "invalid_token"), "{why}: userinfo");
    assert_eq!(acme.refresh(refresh).await.error(), (400, "invalid_grant"), "{why}: refresh");
}

/// A second replica on the same database.
async fn replica(gateway: &Gateway) -> Arc<Gateway> {
    Gateway::start_with(gateway.clock.clone(), |config| config.server.public_url = gateway.url.clone()).await
}

#[tokio::test]
async fn whatever_ends_a_session_ends_all_of_it_everywhere_and_the_application_is_told() {
    let (mut story, door) = with_door().await;
    let gateway = Arc::clone(&story.acme.gateway);
    let other = replica(&gateway).await;
    let (store, clock) = (&gateway.app.store, &gateway.clock);
    let (tenant, connection) = (story.acme.tenant, story.acme.connection);
    let org = OktaOrg::start().await;
    let wanted = UniversalLogout { issuer: org.issuer.clone(), jwks_url: None, subject: None };
    let heed = |settings: &mut Settings, _: &mut bool| settings.universal_logout = Some(wanted);
    setup::sign_in::set(store, clock.now(), connection, heed).await.unwrap();
    story.ann.remote_id = Some(account_of(&story).await);
    let reasons = [
        EndReason::SignedOut,
        EndReason::LoggedOut,
        EndReason::Revoked,
        EndReason::UniversalLogout,
        EndReason::Suspended,
        EndReason::Suspended,
        EndReason::Deactivated,
        EndReason::Deleted,
    ];
    for (turn, reason) in reasons.into_iter().enumerate() {
        let browser = Browser::new();
        let tokens = enter(&story, &browser).await;
        let id = tokens.id_claims();
        let sid = SessionId(id["sid"].as_str().unwrap().parse().unwrap());
        let why = format!("{} ({turn})", reason.as_str());
        match (reason, turn) {
            (EndReason::SignedOut, _) => {
                let url = format!("{}/oauth2/logout?id_token_hint={}", gateway.url, tokens.text("id_token"));
                let page = by_idp(&story.acme, &browser, browser.get(&url).await).await;
                assert!(page.status == StatusCode::OK && page.text.contains("You are signed out"), "{}", page.shown());
            }
            (EndReason::LoggedOut, _) => {
                let content = Content::Request { name_id: story.ann.user_name.clone(), session_indexes: Vec::new() };
                let (issuer, url) = (story.acme.idp.entity_id(), story.acme.url("/saml/slo"));
                let message = LogoutMessage::new(&issuer, &url, clock.now(), content);
                let page = Browser::new().get(&message.url(None, story.acme.idp.key()).unwrap()).await;
                story.acme.idp.read_logout(page.redirect(), "SAMLResponse").unwrap();
            }
            (EndReason::Revoked, _) => {
                sessions::revoke(store, clock.now(), tenant, Which::One(sid), reason).await.unwrap();
            }
            (EndReason::UniversalLogout, _) => {
                let subject = json!({ "format": "email", "email": story.ann.email });
                let answer = org.calls(&story.acme, &org.token(&story.acme), subject).await;
                assert_eq!(answer.status, StatusCode::NO_CONTENT, "{}", answer.body);
            }
            (EndReason::Suspended, turn) => {
                let which = (turn == 4).then_some(connection);
                let ended = sessions::suspend(store, clock.now(), tenant, which, Entry::Suspended).await.unwrap();
                assert!(ended > 0);
                let refused = Browser::new().get(&story.acme.authorize_url(&[])).await;
                assert_eq!((refused.status, refused.code()), (StatusCode::FORBIDDEN, Some("GH-CON-002")));
                is_dead(&story, &other, &tokens, &why).await;
                sessions::suspend(store, clock.now(), tenant, which, Entry::Open).await.unwrap();
            }
            (EndReason::Deactivated, _) => {
                story.acme.okta(Style::Custom).deactivate(&story.ann).await.unwrap();
            }
            _ => {
                let path = format!("/Users/{}", story.ann.remote_id.as_deref().unwrap());
                let gone = story.acme.scim(Method::DELETE, &path, None).await;
                assert_eq!(gone.status, StatusCode::NO_CONTENT);
            }
        }
        is_dead(&story, &other, &tokens, &why).await;
        story.acme.hears_of_logouts(&other).await;
        is_told(&story.acme, &door, &id, &why);
        story.acme.hears_of_logouts(&story.acme.gateway).await;
        assert!(door.heard_of(&id["sid"]).is_empty(), "{why}: once is enough");
        if reason == EndReason::Deactivated {
            story.acme.okta(Style::Custom).reactivate(&story.ann).await.unwrap();
        }
    }
}

async fn account_of(story: &SignedIn) -> String {
    let query = "SELECT id FROM accounts WHERE connection_id = $1 AND email = $2";
    let mut database = superuser().await;
    let query = sqlx::query_scalar::<_, uuid::Uuid>(query).bind(story.acme.connection.0).bind(&story.ann.email);
    query.fetch_one(&mut database).await.unwrap().to_string()
}

#[tokio::test]
async fn who_signs_out_of_the_application_goes_where_it_wants_and_nowhere_else() {
    let (story, _door) = with_door().await;
    let (acme, browser) = (&story.acme, &story.browser);
    let url = |parameters: &[(&str, &str)]| {
        let mut url = url::Url::parse(&format!("{}/oauth2/logout", acme.gateway.url)).unwrap();
        url.query_pairs_mut().extend_pairs(parameters);
        String::from(url)
    };
    let client = acme.application.client_id.clone();
    let tokens = story.tokens().await;
    let hint = tokens.text("id_token").to_owned();
    for evil in [
        "https://evil.test/",
        "https://app.test/bye/",
        "https://app.test/bye?x",
        "https://app.test/callback",
        "//app.test/bye",
        "javascript:alert(1)",
    ] {
        for proof in [("id_token_hint", hint.as_str()), ("client_id", client.as_str())] {
            let page = browser.get(&url(&[proof, ("post_logout_redirect_uri", evil)])).await;
            assert_eq!((page.status, page.location.as_deref()), (StatusCode::BAD_REQUEST, None), "{evil}");
        }
    }
    let bare = browser.get(&url(&[("post_logout_redirect_uri", "https://app.test/bye")])).await;
    assert_eq!((bare.status, bare.location), (StatusCode::BAD_REQUEST, None), "whose address is that?");
    assert!(acme.knows(browser).await, "nothing has ended yet");

    // Without an ID token any page could have sent the browser here, so the person is asked.
    let bye = ("post_logout_redirect_uri", "https://app.test/bye");
    let asked = browser.get(&url(&[("client_id", &client), bye, ("state", "a b")])).await;
    assert!(asked.status == StatusCode::OK && asked.text.contains("/oauth2/logout/confirm"), "{}", asked.shown());
    assert!(acme.knows(browser).await);
    let confirm = format!("{}/oauth2/logout/confirm", acme.gateway.url);
    let form = [("client_id", client.as_str()), bye, ("state", "a b")];
    let forged = browser.send(|http| http.post(&confirm).form(&form).header("sec-fetch-site", "cross-site")).await;
    assert_eq!(forged.status, StatusCode::FORBIDDEN, "another site cannot press the button");
    let page = browser.send(|http| http.post(&confirm).form(&form).header("sec-fetch-site", "same-origin")).await;
    let page = by_idp(acme, browser, page).await;
    assert_eq!(page.redirect(), "https://app.test/bye?state=a+b");
    assert!(!acme.knows(browser).await && !acme.is_active(tokens.text("access_token")).await);

    // With the ID token of this very session nobody is asked; an old one says whose it was all the same.
    let tokens = enter(&story, browser).await;
    acme.gateway.clock.advance(Duration::HOUR);
    let leave = url(&[("id_token_hint", tokens.text("id_token")), bye]);
    let page = browser.get(&leave).await;
    assert!(page.redirect().contains("SAMLRequest="), "{}", page.redirect());
    assert!(!acme.is_active(tokens.text("access_token")).await, "here it has ended before");
    assert_eq!(by_idp(acme, browser, page).await.redirect(), "https://app.test/bye");
    assert!(!acme.knows(browser).await);
    assert_eq!(browser.get(&leave).await.redirect(), "https://app.test/bye", "the same again");

    // The ID token of somebody else's session ends nothing without a question.
    enter(&story, browser).await;
    let page = browser.get(&leave).await;
    assert!(page.location.is_none() && page.text.contains("confirm"), "{}", page.shown());
    assert!(acme.knows(browser).await);
    // Cognito's address and parameter lead here too.
    let cognito = format!("{}/logout?client_id={client}&logout_uri=https%3A%2F%2Fapp.test%2Fbye", acme.gateway.url);
    assert!(browser.get(&cognito).await.text.contains("confirm"));
    // Its other form goes on with a sign-in.
    let query =
        format!("client_id={client}&response_type=code&redirect_uri=https%3A%2F%2Fapp.test%2Fcallback&scope=openid");
    let asked = browser.get(&format!("{}/logout?{query}", acme.gateway.url)).await;
    assert!(asked.text.contains("confirm") && asked.text.contains("name=\"sign_in\""), "{}", asked.shown());
    let page = browser.post(&confirm, &[("client_id", &client), ("sign_in", &query)]).await;
    let page = by_idp(acme, browser, page).await;
    assert_eq!(page.redirect(), format!("{}/oauth2/authorize?{query}", acme.gateway.url));
}

/// Other sites post without our cookies, so a page of ours posts it again; and no token comes into an address.
#[tokio::test]
async fn who_is_signed_out_by_a_post_has_no_token_in_an_address() {
    let (story, _door) = with_door().await;
    let (acme, tokens) = (&story.acme, story.tokens().await);
    let endpoint = format!("{}/oauth2/logout", acme.gateway.url);
    let hint = tokens.text("id_token");
    let form = [("id_token_hint", hint), ("post_logout_redirect_uri", "https://app.test/bye"), ("x", "\"><script>")];
    let page = Browser::new().send(|http| http.post(&endpoint).form(&form).header("origin", "https://app.test")).await;
    assert!(page.status == StatusCode::OK && page.location.is_none(), "{:?}", page.location);
    assert!(page.text.contains(hint) && page.text.contains("action=\"/oauth2/logout\""), "{}", page.shown());
    assert!(!page.text.contains("\"><script>") && !page.text.contains("name=\"x\""), "{}", page.shown());
    assert!(acme.knows(&story.browser).await);
    let again = [&form[..2], &[("again", "1")]].concat();
    let page = story.browser.post(&endpoint, &again).await;
    assert_eq!(by_idp(acme, &story.browser, page).await.redirect(), "https://app.test/bye");
    assert!(!acme.knows(&story.browser).await);
}

/// A use of a session at this moment does not keep it from ending.
#[tokio::test]
async fn a_session_that_is_used_at_this_moment_ends_all_the_same() {
    let story = SignedIn::new().await;
    let (app, now) = (&story.acme.gateway.app, story.acme.gateway.clock.now());
    let tokens = story.tokens().await;
    let mut database = superuser().await;
    let mut using = sqlx::Connection::begin(&mut database).await.unwrap();
    let touch = "UPDATE sessions SET idle_until = idle_until + interval '1 minute' WHERE tenant_id = $1";
    sqlx::query(touch).bind(story.acme.tenant.0).execute(&mut *using).await.unwrap();
    let ending = sessions::revoke(&app.store, now, story.acme.tenant, Which::Tenant, EndReason::Revoked);
    let then = async {
        until_waiting(&mut using, 1).await;
        using.commit().await.unwrap();
    };
    let (ended, ()) = tokio::join!(ending, then);
    assert_eq!(ended.unwrap(), 1);
    assert!(!story.acme.is_active(tokens.text("access_token")).await);
}

#[tokio::test]
async fn a_hint_that_proves_little_is_asked_about() {
    let (story, door) = with_door().await;
    let (acme, gateway) = (&story.acme, &story.acme.gateway);
    let tokens = story.tokens().await;
    let (hint, bye) = (tokens.text("id_token"), "post_logout_redirect_uri=https%3A%2F%2Fapp.test%2Fbye");
    // The browser has lost its cookie, or it is another one: the session that the hint is about is still alive.
    let other = Browser::new();
    let page = other.get(&format!("{}/oauth2/logout?id_token_hint={hint}&{bye}", gateway.url)).await;
    assert!(page.location.is_none() && page.text.contains("/oauth2/logout/confirm"), "{}", page.shown());
    assert!(page.text.contains(hint) && acme.knows(&story.browser).await);
    let confirm = format!("{}/oauth2/logout/confirm", gateway.url);
    let form = [("id_token_hint", hint), ("post_logout_redirect_uri", "https://app.test/bye")];
    let page = other.post(&confirm, &form).await;
    assert_eq!(
        page.redirect(),
        "https://app.test/bye",
        "what the identity provider would be asked is not for this browser"
    );
    assert!(!acme.knows(&story.browser).await && !acme.is_active(tokens.text("access_token")).await);
    story.acme.hears_of_logouts(&story.acme.gateway).await;
    is_told(acme, &door, &tokens.id_claims(), "by a hint");
    // There is nothing more to ask about.
    let page = other.get(&format!("{}/oauth2/logout?id_token_hint={hint}&{bye}", gateway.url)).await;
    assert_eq!(page.redirect(), "https://app.test/bye");

    // One whose key is gone still says to which application somebody wants to go back.
    let browser = Browser::new();
    enter(&story, &browser).await;
    let unproven = Signer::default().sign("JWT", &tokens.id_claims());
    let page = browser.get(&format!("{}/oauth2/logout?id_token_hint={unproven}&{bye}", gateway.url)).await;
    assert!(page.location.is_none() && page.text.contains("/oauth2/logout/confirm"), "{}", page.shown());
    assert!(acme.knows(&browser).await);
    let form = [("id_token_hint", unproven.as_str()), ("post_logout_redirect_uri", "https://app.test/bye")];
    let page = browser.post(&confirm, &form).await;
    assert_eq!(by_idp(acme, &browser, page).await.redirect(), "https://app.test/bye");
    assert!(!acme.knows(&browser).await);
}

#[tokio::test]
async fn a_session_that_nobody_uses_is_over_and_none_lasts_longer_than_its_application_wants() {
    let gateway = Gateway::start().await;
    let short = |spec: &mut ApplicationSpec| {
        (spec.settings.session_seconds, spec.settings.idle_seconds) = (3_600, 600);
        spec.settings.access_token_seconds = 900;
    };
    let application = gateway.application("https://app.test/callback", short).await;
    let story = SignedIn::to(Customer::entering(&gateway, application).await).await;
    let begun = gateway.clock.now();
    let mut tokens = story.tokens().await;
    assert_eq!(tokens.id_claims()["session_expiry"], json!((begun + Duration::HOUR).unix_timestamp()));
    // Used every nine minutes, it lives for its hour.
    for turn in 1..=6 {
        gateway.clock.advance(Duration::minutes(9));
        tokens = story.acme.refresh(tokens.text("refresh_token")).await;
        assert_eq!(tokens.status, StatusCode::OK, "turn {turn}: {}", tokens.body);
    }
    // In the 54th minute: no token outlives the session.
    assert_eq!(tokens.body["expires_in"], json!(360));
    assert_eq!(claims(tokens.text("access_token"))["exp"], json!((begun + Duration::HOUR).unix_timestamp()));
    gateway.clock.advance(Duration::minutes(6));
    assert_eq!(story.acme.refresh(tokens.text("refresh_token")).await.error(), (400, "invalid_grant"));
    // Unused, another one is over after ten minutes.
    let tokens = enter(&story, &Browser::new()).await;
    gateway.clock.advance(Duration::minutes(10) - Duration::SECOND);
    assert!(story.acme.is_active(tokens.text("access_token")).await);
    gateway.clock.advance(Duration::SECOND);
    assert!(!story.acme.is_active(tokens.text("access_token")).await);
}

#[tokio::test]
async fn a_door_that_was_shut_and_opened_lets_nobody_in_who_slipped_through() {
    let story = SignedIn::new().await;
    let (app, clock) = (&story.acme.gateway.app, &story.acme.gateway.clock);
    let tokens = story.tokens().await;
    // As if this session had begun while the tenant was being suspended, after its sessions were looked for.
    let shut = "UPDATE tenants SET suspended_at = $2 WHERE id = $1";
    let query = sqlx::query(shut).bind(story.acme.tenant.0).bind(clock.now());
    query.execute(&mut superuser().await).await.unwrap();
    assert!(!story.acme.is_active(tokens.text("access_token")).await);
    sessions::suspend(&app.store, clock.now(), story.acme.tenant, None, Entry::Open).await.unwrap();
    assert!(!story.acme.is_active(tokens.text("access_token")).await);
    // Nothing is over where nothing was suspended.
    let tokens = enter(&story, &Browser::new()).await;
    let ended = sessions::suspend(&app.store, clock.now(), story.acme.tenant, None, Entry::Open).await.unwrap();
    assert!(ended == 0 && story.acme.is_active(tokens.text("access_token")).await);
}

#[tokio::test]
async fn a_suspended_organization_is_still_provisioned() {
    let story = SignedIn::new().await;
    let (app, now) = (&story.acme.gateway.app, story.acme.gateway.clock.now());
    sessions::suspend(&app.store, now, story.acme.tenant, None, Entry::Suspended).await.unwrap();
    let bob = story.acme.user("bob");
    story.acme.assign(&bob).await;
    for url in [story.acme.url("/saml/login"), format!("{}/t/{}", story.acme.gateway.url, story.acme.slug)] {
        let page = Browser::new().get(&url).await;
        assert_eq!((page.status, page.code()), (StatusCode::FORBIDDEN, Some("GH-CON-002")), "{url}");
    }
    sessions::suspend(&app.store, now, story.acme.tenant, None, Entry::Open).await.unwrap();
    story.acme.gateway.clock.advance(Duration::SECOND);
    story.acme.sign_in(&Browser::new(), &bob.email).await;
}

#[tokio::test]
async fn sessions_are_listed_for_a_user_and_for_the_organization() {
    let story = SignedIn::new().await;
    let (app, now) = (&story.acme.gateway.app, story.acme.gateway.clock.now());
    let bob = story.acme.user("bob");
    story.acme.assign(&bob).await;
    story.acme.sign_in(&Browser::new(), &bob.email).await;
    let ann = story.tokens().await.id_claims();
    let user = domain::ids::UserId(ann["sub"].as_str().unwrap().parse().unwrap());
    let list = async |user| {
        let mut tx = tx(app, &story).await;
        let page = store::sessions::list(&mut tx, user, None, 100).await.unwrap();
        tx.rollback().await.unwrap();
        page.into_iter().map(|session| session.user_name).collect::<Vec<_>>()
    };
    let mut all = list(None).await;
    all.sort();
    assert_eq!(all, [story.ann.user_name.clone(), bob.user_name.clone()]);
    assert_eq!(list(Some(user)).await.join(" "), story.ann.user_name);
    let ended = sessions::revoke(&app.store, now, story.acme.tenant, Which::User(user), EndReason::Revoked).await;
    assert_eq!(ended.unwrap(), 1);
    assert_eq!(list(None).await.join(" "), bob.user_name);
}

async fn tx(app: &App, story: &SignedIn) -> store::tenant::TenantTx {
    let now = story.acme.gateway.clock.now();
    app.tenant(story.acme.tenant, store::scope::Actor::Operator, now).await.unwrap()
}

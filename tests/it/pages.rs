//! What people meet before they are signed in: the login page, the password form, invitations; in their language and in the
//! vendor's colours.

use base64::{Engine, engine::general_purpose::STANDARD};
use domain::email::Email;
use gateway::{
    oauth::settings::Settings,
    pages::words::LOCALES,
    setup::{self, applications},
};
use harness::{
    browser::{Browser, Page},
    customer::{Customer, superuser},
    gateway_process::{Application, Gateway},
    sign_in::{code_of, parameter},
};
use reqwest::{Method, StatusCode};
use serde_json::json;
use std::{sync::Arc, time::Instant};
use time::Duration;

async fn log_in(gateway: &Gateway, browser: &Browser, form: &[(&str, &str)]) -> Page {
    browser.post(&format!("{}/login", gateway.url), form).await
}

/// The query of the application's request, without the way in.
fn asked(acme: &Customer) -> String {
    acme.authorize_url(&[("tenant", None)]).split_once('?').unwrap().1.to_owned()
}

#[tokio::test]
async fn an_address_leads_to_the_identity_provider_of_its_domain_and_back_to_what_was_asked() {
    let gateway = Gateway::start().await;
    let (acme, globex) = (Customer::of(&gateway).await, Customer::of(&gateway).await);
    let ann = acme.user("ann");
    acme.assign(&ann).await;
    let browser = Browser::new();
    let asked = asked(&acme);
    let page = log_in(&gateway, &browser, &[("asked", &asked), ("email", &ann.email.to_uppercase())]).await;
    assert_eq!(parameter(page.redirect(), "connection").as_deref(), Some(acme.connection.to_string().as_str()));
    let cookie = page.cookies().into_iter().find(|cookie| cookie.starts_with("gatehouse_domain=")).unwrap();
    assert!(cookie.contains(&acme.domain) && !cookie.contains("ann") && cookie.contains("HttpOnly"), "{cookie}");
    let page = browser.get(page.redirect()).await;
    let posted = acme.idp.sign_in(page.redirect(), &ann.email).await.unwrap();
    let code = acme.finish(&browser, &posted.saml_response).await;
    assert_eq!(acme.redeem(&code).await.status, StatusCode::OK);

    // The next time one button is enough, and it says only the domain.
    let page = browser.get(&acme.authorize_url(&[("tenant", None)])).await;
    assert!(page.text.contains(&format!("Continue with {}", acme.domain)), "{}", page.shown());
    let page = log_in(&gateway, &browser, &[("asked", &asked), ("domain", &acme.domain)]).await;
    code_of(browser.get(page.redirect()).await.redirect());
    // Somebody else in the same browser still has a choice.
    let other = format!("bob@{}", globex.domain);
    let page = log_in(&gateway, &browser, &[("asked", &asked), ("email", &other)]).await;
    assert_eq!(parameter(page.redirect(), "connection").as_deref(), Some(globex.connection.to_string().as_str()));
    // By itself it leads into the application of the organization.
    let page = log_in(&gateway, &Browser::new(), &[("email", &ann.email)]).await;
    assert!(page.redirect().starts_with(&acme.url("/saml/login?login_hint=")), "{}", page.redirect());
    let page = log_in(&gateway, &Browser::new(), &[("tenant", &acme.slug)]).await;
    assert!(page.redirect().starts_with(&acme.url("/saml/login")), "{}", page.redirect());
}

#[tokio::test]
async fn an_address_that_is_known_is_answered_as_one_that_is_not() {
    let gateway = Gateway::start().await;
    let acme = Customer::of(&gateway).await;
    let (ann, nobody) = (acme.user("ann"), acme.user("nobody"));
    acme.assign(&ann).await;
    let asked = asked(&acme);
    let led = async |email: &str| {
        let page = log_in(&gateway, &Browser::new(), &[("asked", &asked), ("email", email)]).await;
        (page.status, page.redirect().replace(email.split('@').next().unwrap(), "WHO"))
    };
    assert_eq!(led(&ann.email).await, led(&nobody.email).await);
    // And elsewhere every address leads nowhere in the same way, whatever it is.
    let mut answers = Vec::new();
    for email in ["ann@nowhere.test", "no@such.test", "not an address", "x@", "@x", "a@b", "ann@gmail.com"] {
        let page = log_in(&gateway, &Browser::new(), &[("asked", &asked), ("email", email)]).await;
        assert_eq!((page.status, &page.location), (StatusCode::OK, &None), "{email}");
        let typed = email.replace('&', "&#38;");
        answers.push(page.text.replace(&format!("value=\"{typed}\""), "value=\"X\""));
    }
    assert!(answers.iter().all(|answer| *answer == answers[0] && answer.contains("role=\"alert\"")), "{answers:#?}");
}

#[tokio::test]
async fn the_login_page_takes_nothing_strange() {
    let gateway = Gateway::start().await;
    let acme = Customer::of(&gateway).await;
    let browser = Browser::new();
    let own = asked(&acme);
    let hostile = "\"><script>alert(1)</script>@acme.test";
    for form in [vec![("email", hostile)], vec![("tenant", hostile)], vec![("domain", hostile)], vec![]] {
        let page = log_in(&gateway, &browser, &form).await;
        assert!(page.location.is_none() && !page.text.contains("<script"), "{form:?}: {}", page.shown());
    }
    let long = format!("client_id={}&x={}", acme.application.client_id, "y".repeat(20_000));
    for asked in ["client_id=nobody", long.as_str()] {
        let page = log_in(&gateway, &browser, &[("asked", asked), ("email", "a@b.test")]).await;
        assert_eq!((page.status, page.code()), (StatusCode::BAD_REQUEST, Some("GH-OIDC-001")), "{asked:.40}");
    }
    // The request goes along as it is: nobody is sent to an address that the application did not register.
    let evil = own.replace("app.test", "evil.test");
    let email = format!("ann@{}", acme.domain);
    let page = log_in(&gateway, &browser, &[("asked", &evil), ("email", &email)]).await;
    let page = browser.get(page.redirect()).await;
    assert_eq!((page.status, page.location), (StatusCode::BAD_REQUEST, None));
    let forged = browser
        .send(|http| {
            http.post(format!("{}/login", gateway.url)).form(&[("email", "a@b")]).header("sec-fetch-site", "cross-site")
        })
        .await;
    assert_eq!(forged.status, StatusCode::FORBIDDEN);
    let page = browser.get(&format!("{}/login?{own}", gateway.url)).await;
    assert!(page.redirect().starts_with(&format!("{}/oauth2/authorize?", gateway.url)), "as Cognito's address does");
    let page = browser.get(&format!("{}/login", gateway.url)).await;
    assert!(page.status == StatusCode::OK && page.text.contains("name=\"email\""), "{}", page.shown());
}

/// Signs in with a password; answers the page after the form.
async fn with_password(acme: &Customer, browser: &Browser, name: &str, password: &str) -> Page {
    let page = browser.get(&acme.authorize_url(&[])).await;
    let request = parameter(page.redirect(), "request").unwrap();
    assert!(browser.get(page.redirect()).await.text.contains("type=\"password\""));
    let form = [("request", request.as_str()), ("email", name), ("password", password)];
    browser.post(&acme.url("/password"), &form).await
}

#[tokio::test]
async fn a_synchronized_password_signs_in_where_there_is_no_identity_provider() {
    let gateway = Gateway::start().await;
    let acme = Customer::with_passwords(&gateway, gateway.application.clone()).await;
    let ann = acme.user("ann");
    let account = acme.assign_with_password(&ann, "correct horse").await;
    let browser = Browser::new();
    for name in [ann.email.clone(), ann.email.to_uppercase()] {
        let page = with_password(&acme, &Browser::new(), &name, "correct horse").await;
        let tokens = acme.redeem(&code_of(page.redirect())).await;
        let said = tokens.id_claims();
        assert_eq!((&said["amr"], &said["email"]), (&json!(["pwd"]), &json!(ann.email)), "{said}");
        assert!(said["acr"].is_null() && said["idp"].is_null(), "{said}");
    }
    let page = with_password(&acme, &browser, &ann.email, "correct horse").await;
    let tokens = acme.redeem(&code_of(page.redirect())).await;
    assert!(acme.knows(&browser).await, "single sign-on from then on");
    // The same once more changes nothing for whoever is signed in by it.
    let same = json!({ "Operations": [{ "op": "replace", "path": "password", "value": "correct horse" }] });
    acme.scim(Method::PATCH, &format!("/Users/{account}"), Some(same)).await.document(200);
    code_of(browser.get(&acme.authorize_url(&[("prompt", Some("none"))])).await.redirect());
    // A password that the directory changes is the only one that works.
    let change = json!({ "Operations": [{ "op": "replace", "path": "password", "value": "other horse" }] });
    acme.scim(Method::PATCH, &format!("/Users/{account}"), Some(change)).await;
    assert!(!acme.is_active(tokens.text("access_token")).await, "and what the one before had opened is shut");
    let page = with_password(&acme, &Browser::new(), &ann.email, "correct horse").await;
    assert!(page.location.is_none() && page.text.contains("do not belong together"), "{}", page.shown());
    // Who is deactivated is out, and hears no more than that the two do not belong together.
    let out = json!({ "Operations": [{ "op": "replace", "value": { "active": false } }] });
    acme.scim(Method::PATCH, &format!("/Users/{account}"), Some(out)).await;
    assert!(!acme.is_active(tokens.text("access_token")).await);
    gateway.clock.advance(Duration::minutes(1));
    let page = with_password(&acme, &Browser::new(), &ann.email, "other horse").await;
    assert!(page.location.is_none() && page.text.contains("do not belong together"), "{}", page.shown());
    let page = browser.get(&acme.url("/password?request=%00&email=%00")).await;
    assert_eq!((page.status, page.code()), (StatusCode::BAD_REQUEST, Some("GH-OIDC-001")), "{}", page.shown());
}

#[tokio::test]
async fn nobody_stays_signed_in_by_a_password_that_is_not_kept_any_more() {
    let gateway = Gateway::start().await;
    let acme = Customer::with_passwords(&gateway, gateway.application.clone()).await;
    let ann = acme.user("ann");
    acme.assign_with_password(&ann, "correct horse").await;
    let browser = Browser::new();
    let page = with_password(&acme, &browser, &ann.email, "correct horse").await;
    let tokens = acme.redeem(&code_of(page.redirect())).await;
    gateway.clock.advance(Duration::SECOND);
    let (store, now) = (&gateway.app.store, gateway.clock.now());
    setup::directory::set_provisioning(store, now, acme.connection, |to| to.entitlements = true).await.unwrap();
    assert!(acme.is_active(tokens.text("access_token")).await, "another setting is no reason");
    setup::directory::set_provisioning(store, now, acme.connection, |to| to.password_sync = false).await.unwrap();
    assert!(!acme.is_active(tokens.text("access_token")).await);
    let ended = acme.events("session.revoked").await;
    assert_eq!(ended.last().unwrap()["data"]["reason"], "password_changed");
}

#[tokio::test]
async fn whatever_goes_wrong_a_person_sees_a_page_and_a_program_does_not() {
    let acme = Customer::new().await;
    let browser = Browser::new();
    let url = |path: &str| format!("{}{path}", acme.gateway.url);
    let long = "x".repeat(70_000);
    let cases = [
        ("a form of another site", Method::POST, url("/login"), "email=a@b", 403, "GH-SYS-005"),
        ("more than any form has", Method::POST, url("/login"), &*long, 413, "GH-SYS-005"),
        ("what is only posted to", Method::GET, acme.url("/saml/acs"), "", 405, "GH-SYS-003"),
        ("nothing", Method::GET, url("/nothing"), "", 404, "GH-SYS-003"),
        ("no id of a connection", Method::GET, url("/c/x/saml/login"), "", 404, "GH-SYS-003"),
    ];
    for (what, method, url, body, status, code) in cases {
        let asked = async |kinds: &str| {
            let site = if status == 403 { "cross-site" } else { "same-origin" };
            let request = |http: &reqwest::Client| {
                let request = http.request(method.clone(), &url).header("accept", kinds).header("sec-fetch-site", site);
                request.header("content-type", "application/x-www-form-urlencoded").body(body.to_owned())
            };
            browser.send(request).await
        };
        let page = asked("text/html,application/xhtml+xml,*/*;q=0.8").await;
        assert_eq!((page.status.as_u16(), page.code()), (status, Some(code)), "{what}: {}", page.shown());
        assert!(page.reference().is_some() && page.header("content-type").starts_with("text/html"), "{what}");
        for header in ["x-content-type-options", "referrer-policy", "content-security-policy"] {
            assert!(page.headers.contains_key(header), "{what}: {header}");
        }
        let told = asked("application/json").await;
        let is_page = told.header("content-type").starts_with("text/html");
        assert_eq!((told.status.as_u16(), is_page), (status, status == 404), "{what}, asked by a program");
    }
    let token = browser
        .send(|http| http.post(url("/oauth2/token")).header("accept", "text/html, */*").body(long.clone()))
        .await;
    assert!(token.status.as_u16() == 413 && !token.text.contains('<'), "{}", token.text);
}

#[tokio::test]
async fn nothing_about_a_password_form_tells_who_is_there() {
    let gateway = Gateway::start().await;
    let acme = Customer::with_passwords(&gateway, gateway.application.clone()).await;
    let (ann, bob) = (acme.user("ann"), acme.user("bob"));
    acme.assign_with_password(&ann, "correct horse").await;
    // Bob has no password.
    acme.assign(&bob).await;
    let mut answers = Vec::new();
    for name in [ann.email.as_str(), bob.email.as_str(), "nobody@nowhere.test", "<b>", ""] {
        let page = with_password(&acme, &Browser::new(), name, "wrong").await;
        assert_eq!((page.status, &page.location), (StatusCode::OK, &None), "{name}");
        assert!(!page.text.contains("<b>"), "{}", page.shown());
        let shown = page.text.split("name=\"request\"").next().unwrap().to_owned();
        answers.push((shown, page.text.contains("do not belong together")));
    }
    assert!(answers.iter().all(|answer| *answer == answers[0] && answer.1), "{answers:#?}");
    let failed = acme.events("login.failed").await;
    assert!(failed.iter().all(|event| event["data"] == json!({ "code": "GH-PWD-001" })) && failed.len() == 5);
}

#[tokio::test]
async fn passwords_cannot_be_tried_for_long() {
    let gateway = Gateway::start().await;
    let acme = Customer::with_passwords(&gateway, gateway.application.clone()).await;
    let (ann, bob) = (acme.user("ann"), acme.user("bob"));
    for user in [&ann, &bob] {
        acme.assign_with_password(user, "correct horse").await;
    }
    for name in [&ann.email, &ann.email.to_uppercase(), &ann.email, &ann.email, &ann.email] {
        let page = with_password(&acme, &Browser::new(), name, "wrong").await;
        assert!(page.text.contains("do not belong together"), "{}", page.shown());
    }
    let page = with_password(&acme, &Browser::new(), &ann.email, "correct horse").await;
    assert!(page.location.is_none() && page.text.contains("too many attempts"), "not even the right one");
    let page = with_password(&acme, &Browser::new(), &bob.email, "correct horse").await;
    code_of(page.redirect());
}

/// Many at once are no way around the limit, and right ones count for nothing.
#[tokio::test]
async fn passwords_cannot_be_tried_at_once_either() {
    let gateway = Gateway::start().await;
    let acme = Customer::with_passwords(&gateway, gateway.application.clone()).await;
    let ann = acme.user("ann");
    acme.assign_with_password(&ann, "correct horse").await;
    for _ in 0..7 {
        code_of(with_password(&acme, &Browser::new(), &ann.email, "correct horse").await.redirect());
    }
    let browser = Browser::new();
    let page = browser.get(&acme.authorize_url(&[])).await;
    let request = parameter(page.redirect(), "request").unwrap();
    let form = [("request", request.as_str()), ("email", &ann.email), ("password", "wrong")];
    let url = acme.url("/password");
    let pages = futures_util::future::join_all((0..20).map(|_| browser.post(&url, &form))).await;
    let compared = pages.iter().filter(|page| page.text.contains("do not belong together")).count();
    assert!(pages.iter().all(|page| page.location.is_none()) && compared <= 5, "{compared} were compared");
    assert_eq!(acme.events("login.failed").await.len(), compared);
}

/// While a password is hashed, others are answered. All run on one thread here: what blocked it would stop the ticks for as long as
/// a hash takes.
#[tokio::test]
async fn a_password_that_is_hashed_keeps_nobody_waiting() {
    let gateway = Gateway::start().await;
    let acme = Customer::with_passwords(&gateway, gateway.application.clone()).await;
    let ann = acme.user("ann");
    acme.assign_with_password(&ann, "correct horse").await;
    let began = Instant::now();
    let salt = argon2::password_hash::SaltString::encode_b64(b"a salt for a test").unwrap();
    argon2::PasswordHasher::hash_password(&argon2::Argon2::default(), b"correct horse", &salt).unwrap();
    let hashing = began.elapsed();
    let mut longest = Vec::new();
    for _ in 0..5 {
        let browser = Browser::new();
        let mut signing_in = std::pin::pin!(with_password(&acme, &browser, &ann.email, "correct horse"));
        let (mut last, mut gap) = (Instant::now(), std::time::Duration::ZERO);
        let page = loop {
            tokio::select! {
                biased;
                page = &mut signing_in => break page,
                () = tokio::time::sleep(std::time::Duration::from_millis(1)) => {}
            }
            gap = gap.max(last.elapsed());
            last = Instant::now();
        };
        code_of(page.redirect());
        longest.push(gap.max(last.elapsed()));
    }
    assert!(longest.iter().any(|gap| *gap < hashing / 2), "{longest:?} of {hashing:?}");
}

#[tokio::test]
async fn a_password_is_never_asked_for_where_there_is_an_identity_provider() {
    let gateway = Gateway::start().await;
    let acme = Customer::of(&gateway).await;
    let (store, now) = (&gateway.app.store, gateway.clock.now());
    setup::directory::set_provisioning(store, now, acme.connection, |settings| settings.password_sync = true)
        .await
        .unwrap();
    let ann = acme.user("ann");
    acme.assign_with_password(&ann, "correct horse").await;
    let browser = Browser::new();
    let page = browser.get(&acme.authorize_url(&[])).await;
    assert!(page.redirect().starts_with(&acme.idp.sso_url()), "{}", page.redirect());
    let request: String = sqlx::query_scalar("SELECT id FROM sign_in_requests WHERE connection_id = $1")
        .bind(acme.connection.0)
        .fetch_one(&mut superuser().await)
        .await
        .unwrap();
    for page in [
        browser.get(&acme.url(&format!("/password?request={request}"))).await,
        browser
            .post(
                &acme.url("/password"),
                &[("request", &request), ("email", &ann.email), ("password", "correct horse")],
            )
            .await,
    ] {
        assert_eq!((page.status, page.location), (StatusCode::NOT_FOUND, None));
    }
}

#[tokio::test]
async fn an_invitation_is_shown_and_accepted_by_signing_in() {
    let gateway = Gateway::start().await;
    let acme = Customer::of(&gateway).await;
    let (store, clock) = (&gateway.app.store, &gateway.clock);
    let invited = |settings: &mut gateway::saml::settings::Settings, _: &mut bool| {
        settings.jit = gateway::saml::settings::Jit::Invited;
    };
    setup::sign_in::set(store, clock.now(), acme.connection, invited).await.unwrap();
    let ann = acme.user("ann");
    acme.idp.add_user(ann.clone());
    let email = Email::parse(&ann.email).unwrap();
    let invite = async || {
        let (id, code) = setup::invitations::invite(store, clock.now(), acme.connection, &email).await.unwrap();
        (id, code.unwrap())
    };
    let link = |code: &gateway::secret::Secret| format!("{}/invite/{}", gateway.url, code.reveal());
    let (_, first) = invite().await;
    clock.advance(Duration::SECOND);
    let (_, second) = invite().await;
    let page = Browser::new().get(&link(&first)).await;
    assert_eq!((page.status, page.code()), (StatusCode::FORBIDDEN, Some("GH-INV-003")), "{}", page.shown());
    let browser = Browser::new();
    let page = browser.get(&link(&second)).await;
    assert!(page.text.contains("Acme invites") && page.text.contains(&ann.email), "{}", page.shown());
    assert_eq!(acme.events("invitation.accepted").await.len(), 0, "to look at it is not to accept it");
    let page = browser.send(|http| http.post(link(&second))).await;
    let posted = acme.idp.sign_in(page.redirect(), &ann.email).await.unwrap();
    let page = acme.post_response(&browser, &posted.saml_response).await;
    let page = browser.get(page.redirect()).await;
    assert!(page.text.contains("You are signed in"), "{}", page.shown());
    assert_eq!(acme.events("invitation.accepted").await.len(), 1);
    let page = browser.get(&link(&second)).await;
    assert_eq!((page.status, page.code()), (StatusCode::FORBIDDEN, Some("GH-INV-002")));
    let (_, late) = invite().await;
    clock.advance(Duration::days(14));
    for page in [Browser::new().get(&link(&late)).await, Browser::new().send(|http| http.post(link(&late))).await] {
        assert_eq!((page.status, page.code()), (StatusCode::FORBIDDEN, Some("GH-INV-001")));
    }
    for wrong in ["x", "ghinv_AAAA", "../login", &late.reveal().replace("ghinv_", "ghcode_")] {
        let page = Browser::new().get(&format!("{}/invite/{wrong}", gateway.url)).await;
        assert!(matches!(page.status.as_u16(), 200 | 404), "{wrong}: {}", page.status);
        assert!(!page.text.contains(&ann.email));
    }
}

#[tokio::test]
async fn pages_speak_the_readers_language() {
    let gateway = Gateway::start().await;
    let acme = Customer::of(&gateway).await;
    let said = [
        ("en", "Sign in to"),
        ("de", "anmelden"),
        ("fr", "Se connecter"),
        ("es", "Iniciar sesión"),
        ("pt-BR", "Entrar em"),
        ("ja", "にサインイン"),
    ];
    assert_eq!(said.map(|(locale, _)| locale), LOCALES);
    let read = async |url: &str, accepts: &str| {
        Browser::new().send(|http| http.get(url).header("accept-language", accepts)).await
    };
    for (locale, sentence) in said {
        let url = acme.authorize_url(&[("tenant", None)]);
        let wished = acme.authorize_url(&[("tenant", None), ("ui_locales", Some(&format!("xx {locale}")))]);
        let cognito = acme.authorize_url(&[("tenant", None), ("lang", Some(locale))]);
        for page in [read(&url, locale).await, read(&wished, "it").await, read(&cognito, "it").await] {
            assert!(page.text.contains(&format!("<html lang=\"{locale}\">")), "{locale}: {}", page.text);
            assert!(page.shown().contains(sentence), "{locale}: {}", page.shown());
        }
        let error = read(&format!("{}/t/nobody", gateway.url), locale).await;
        assert_eq!(error.code(), Some("GH-CON-001"));
        assert!(error.text.contains(&format!("<html lang=\"{locale}\">")));
    }
    let german = read(&format!("{}/t/nobody", gateway.url), "de-CH, en;q=0.3").await;
    assert!(german.text.contains("noch keine Anmeldung"), "{}", german.shown());
    let italian = read(&format!("{}/t/nobody", gateway.url), "it").await;
    assert!(italian.text.contains("There is no single sign-on"), "{}", italian.shown());
    // What the IT admin needs stays in English, like the documentation, and says what happened.
    let refused = read(&format!("{}/oauth2/authorize?client_id=x", gateway.url), "fr").await;
    assert!(refused.text.contains("inutilisable") && refused.text.contains("client_id names no application"));
    // A request that was sent ahead says it too.
    let form = [
        ("response_type", "code"),
        ("redirect_uri", acme.application.redirect_uri.as_str()),
        ("scope", "openid"),
        ("code_challenge", harness::sign_in::CHALLENGE),
        ("code_challenge_method", "S256"),
        ("ui_locales", "ja"),
    ];
    let pushed = acme.post_as(&acme.application, "/oauth2/par", &form).await;
    let client = &acme.application.client_id;
    let url = format!("{}/oauth2/authorize?client_id={client}&request_uri={}", gateway.url, pushed.text("request_uri"));
    assert!(read(&url, "en").await.text.contains("<html lang=\"ja\">"));
    // And so do the pages that follow, until somebody is in.
    let browser = Browser::new();
    let asked = acme.authorize_url(&[("tenant", None), ("ui_locales", Some("ja"))]);
    browser.get(&asked).await;
    let form = [("asked", asked.split_once('?').unwrap().1), ("email", "ann@nowhere.test")];
    assert!(log_in(&gateway, &browser, &form).await.text.contains("<html lang=\"ja\">"));
    let error = browser.get(&format!("{}/t/nobody", gateway.url)).await;
    assert!(error.text.contains("<html lang=\"ja\">"));
    assert!(error.cookies().is_empty(), "it is not wished for again");
}

async fn brand(gateway: &Arc<Gateway>, application: &Application, colour: &str, logo: Option<Vec<u8>>) {
    let (store, now) = (&gateway.app.store, gateway.clock.now());
    let paint = |_: &mut _, settings: &mut Settings| settings.colour = Some(colour.to_owned());
    applications::change(store, now, &application.slug, paint).await.unwrap();
    applications::set_logo(store, now, &application.slug, logo).await.unwrap();
}

#[tokio::test]
async fn pages_have_the_vendors_name_colour_and_logo_under_their_policy() {
    let gateway = Gateway::start().await;
    let acme = Customer::of(&gateway).await;
    let png = STANDARD
        .decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")
        .unwrap();
    brand(&gateway, &acme.application, "#ffcc00", Some(png.clone())).await;
    let page = Browser::new().get(&acme.authorize_url(&[("tenant", None)])).await;
    let policy = page.header("content-security-policy");
    assert!(policy.contains("img-src 'self';") && policy.matches("'sha256-").count() == 2, "{policy}");
    assert!(page.text.contains("--brand: #ffcc00; --on-brand: #000;"), "{}", page.text);
    let logo = page.text.split("<img src=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let image = Browser::new().get(&format!("{}{logo}", gateway.url)).await;
    assert_eq!((image.status, image.header("content-type")), (StatusCode::OK, "image/png"));
    assert!(image.header("content-security-policy").contains("sandbox"));
    assert_eq!(image.header("x-content-type-options"), "nosniff");
    // Another logo has another address; none is none.
    let drawing = b"<svg xmlns=\"http://www.w3.org/2000/svg\"><script>alert(1)</script></svg>".to_vec();
    brand(&gateway, &acme.application, "#003366", Some(drawing)).await;
    let page = Browser::new().get(&acme.authorize_url(&[("tenant", None)])).await;
    assert!(!page.text.contains(&logo) && page.text.contains("--on-brand: #fff;"), "{}", page.text);
    brand(&gateway, &acme.application, "#003366", None).await;
    let page = Browser::new().get(&acme.authorize_url(&[("tenant", None)])).await;
    assert!(!page.text.contains("<img") && !page.header("content-security-policy").contains("img-src"));
    assert_eq!(Browser::new().get(&format!("{}{logo}", gateway.url)).await.status, StatusCode::NOT_FOUND);
    let (store, now, name) = (&gateway.app.store, gateway.clock.now(), &acme.application.slug);
    for wrong in [b"GIF89a".to_vec(), b"<html>".to_vec(), [&png[..], &[0; 70_000]].concat(), Vec::new()] {
        assert!(applications::set_logo(store, now, name, Some(wrong)).await.is_err());
    }
}

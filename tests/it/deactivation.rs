//! Deactivated means out: at once, everywhere, and not for good.

use harness::{browser::Browser, customer::Customer, sign_in::code_of};
use reqwest::{Method, StatusCode};
use simulator::okta::Style;

#[tokio::test]
async fn a_deactivated_user_is_out_everywhere_and_a_reactivated_one_is_back() {
    let acme = Customer::new().await;
    let ann = acme.user("ann").with_role("MANAGER");
    let account = acme.assign(&ann).await;
    let browser = Browser::new();
    let tokens = acme.sign_in(&browser, &ann.email).await;
    assert_eq!(tokens.id_claims()["roles"], serde_json::json!(["MANAGER"]));
    assert!(acme.is_active(tokens.text("access_token")).await);

    let mut ann_remote = ann.clone();
    ann_remote.remote_id = Some(account);
    acme.okta(Style::Custom).deactivate(&ann_remote).await.unwrap();

    assert!(!acme.is_active(tokens.text("access_token")).await, "introspection");
    assert!(!acme.is_active(tokens.text("refresh_token")).await, "introspection of the refresh token");
    let refused = acme.refresh(tokens.text("refresh_token")).await;
    assert_eq!((refused.status, refused.body["error"].as_str()), (StatusCode::BAD_REQUEST, Some("invalid_grant")));
    let silent = browser.get(&acme.authorize_url(&[("prompt", Some("none"))])).await;
    assert!(silent.redirect().contains("error=login_required"), "the session is gone: {:?}", silent.location);
    let posted = acme.to_idp(&browser, &ann.email).await;
    let page = acme.post_response(&browser, &posted.saml_response).await;
    let page = browser.get(page.redirect()).await;
    assert_eq!((page.status, page.code()), (StatusCode::FORBIDDEN, Some("GH-SAML-1005")), "a new sign-in");

    acme.okta(Style::Custom).reactivate(&ann_remote).await.unwrap();
    let again = acme.sign_in(&browser, &ann.email).await;
    assert_eq!(again.id_claims()["sub"], tokens.id_claims()["sub"], "the same user as before");
    assert!(!acme.is_active(tokens.text("access_token")).await, "what has ended stays ended");
}

#[tokio::test]
async fn a_deactivation_wins_over_a_sign_in_that_finishes_at_the_same_moment() {
    let acme = Customer::new().await;
    for round in 0..12 {
        let mut ann = acme.user(&format!("ann{round}"));
        ann.remote_id = Some(acme.assign(&ann).await);
        let browser = Browser::new();
        let posted = acme.to_idp(&browser, &ann.email).await;
        let page = acme.post_response(&browser, &posted.saml_response).await;
        let mut okta = acme.okta(if round % 2 == 0 { Style::Custom } else { Style::Catalogue });
        let (finished, deactivated) = tokio::join!(browser.get(page.redirect()), okta.deactivate(&ann));
        deactivated.unwrap();
        let account = acme.scim(Method::GET, &format!("/Users/{}", ann.remote_id.as_deref().unwrap()), None).await;
        assert_eq!(account.body["active"], false, "round {round}: the sign-in undid the deactivation");
        if finished.location.is_some() {
            let refused = acme.redeem(&code_of(finished.redirect())).await;
            assert_eq!(refused.status, StatusCode::BAD_REQUEST, "round {round}: a code of somebody who is out");
        }
        okta.reactivate(&ann).await.unwrap();
        let silent = browser.get(&acme.authorize_url(&[("prompt", Some("none"))])).await;
        assert!(silent.redirect().contains("error=login_required"), "round {round}: a session came back to life");
    }
}

#[tokio::test]
async fn one_person_pushed_through_two_connections_at_once_is_one_user() {
    let admin = Customer::new().await;
    let board = admin.sibling(&admin.gateway.application("https://board.test/callback", |_| {}).await).await;
    for round in 0..8 {
        let ann = admin.user(&format!("ann{round}"));
        tokio::join!(admin.assign(&ann), board.assign(&ann));
        let in_admin = admin.sign_in(&Browser::new(), &ann.email).await.id_claims();
        let in_board = board.sign_in(&Browser::new(), &ann.email).await.id_claims();
        assert_eq!(in_admin["sub"], in_board["sub"], "round {round}");
    }
}

#[tokio::test]
async fn deleting_somebody_in_one_connection_never_takes_the_account_of_another() {
    let admin = Customer::new().await;
    let board = admin.sibling(&admin.gateway.application("https://board.test/callback", |_| {}).await).await;
    for round in 0..12 {
        let ann = admin.user(&format!("ann{round}"));
        let old = admin.assign(&ann).await;
        let path = format!("/Users/{old}");
        let (deleted, created) = tokio::join!(admin.scim(Method::DELETE, &path, None), board.assign(&ann));
        assert_eq!(deleted.status, StatusCode::NO_CONTENT, "round {round}");
        let still = board.scim(Method::GET, &format!("/Users/{created}"), None).await;
        assert_eq!(still.status, StatusCode::OK, "round {round}: {}", still.body);
        board.sign_in(&Browser::new(), &ann.email).await;
    }
}

//! Deactivated means out: at once, everywhere, and not for good.

use harness::{browser::Browser, customer::Customer};
use reqwest::StatusCode;
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

//! openid-client, the library of Node.js applications: certified, and strict about everything that it reads.

use crate::clients::{
    Library::OpenidClient,
    stories::{gets_in_and_out, refuses_forgeries, rotates_refresh_tokens, signs_out, wants_its_own_answer},
};

#[tokio::test(flavor = "multi_thread")]
async fn openid_client_gets_in_and_out_however_it_proves_itself() {
    gets_in_and_out(OpenidClient).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn openid_client_refreshes_and_a_second_use_ends_it() {
    rotates_refresh_tokens(OpenidClient).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn openid_client_signs_its_user_out() {
    signs_out(OpenidClient).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn openid_client_takes_no_answer_with_another_state_or_issuer() {
    let wrong = [
        ("state", Some("another"), "unexpected \"state\""),
        ("state", None, "\"state\" missing"),
        ("iss", Some("https://evil.test"), "unexpected \"iss\""),
        ("iss", None, "\"iss\" (issuer) missing"),
    ];
    wants_its_own_answer(OpenidClient, &wrong).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn openid_client_refuses_forged_id_tokens() {
    refuses_forgeries(OpenidClient).await;
}

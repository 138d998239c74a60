//! Keys that sign tokens: the next, the current and the retired ones.

use super::SignedIn;
use gateway::{clock::Clock, keys};
use harness::{
    browser::Browser,
    customer::Customer,
    gateway_process::{Gateway, own_database},
    sign_in::TokenAnswer,
    signer::header,
};
use serde_json::Value;
use std::{collections::BTreeSet, sync::Arc};
use time::Duration;

async fn on(database: &str, clock: &Clock) -> Arc<Gateway> {
    Gateway::on(database, clock.clone(), |_| {}).await
}

async fn published(gateway: &Gateway) -> BTreeSet<String> {
    let page = Browser::new().get(&format!("{}/oauth2/jwks", gateway.url)).await;
    let set: Value = serde_json::from_str(&page.text).unwrap();
    set["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

fn kid(tokens: &TokenAnswer) -> String {
    header(tokens.text("id_token"))["kid"].as_str().unwrap().to_owned()
}

async fn keep(gateway: &Gateway) {
    let (app, period) = (&gateway.app, Duration::days(90));
    app.keys.keep(&app.store, &app.vault, period, gateway.clock.now()).await.unwrap();
}

#[tokio::test]
async fn keys_follow_each_other_without_a_token_that_is_not_believed() {
    // Keys are of no tenant: no other test may see those of another time.
    let (database, clock) = (own_database().await, Clock::manual());
    let story = SignedIn::to(Customer::of(&on(&database, &clock).await).await).await;
    let gateway = &story.acme.gateway;
    let first = story.tokens().await;
    let before = published(gateway).await;
    assert_eq!(before.len(), 2, "one of each algorithm");
    gateway.clock.advance(Duration::days(89) - Duration::SECOND);
    keep(gateway).await;
    assert_eq!(published(gateway).await, before);
    gateway.clock.advance(Duration::SECOND);
    // Eight at once make one.
    futures_util::future::join_all((0..8).map(|_| keep(gateway))).await;
    let with_next = published(gateway).await;
    assert!(with_next.len() == 4 && before.is_subset(&with_next), "the next ones are published: {with_next:?}");
    let other = on(&database, &clock).await;
    let tokens = enter(&story).await;
    assert_eq!(kid(&tokens), kid(&first), "they do not sign yet");
    gateway.clock.advance(Duration::days(1));
    let after = enter(&story).await;
    assert!(kid(&after) != kid(&first) && with_next.contains(&kid(&after)));
    assert_eq!(published(&other).await, with_next, "a gateway that started later has the same");
    keep(gateway).await;
    assert_eq!(published(gateway).await, with_next, "the retired ones are still published");
    gateway.clock.advance(Duration::days(1));
    keep(gateway).await;
    let rest = published(gateway).await;
    assert!(rest.len() == 2 && rest.is_disjoint(&before), "and gone a day later: {rest:?}");
    // When a key was stolen: nothing is believed that it signed.
    let tokens = enter(&story).await;
    keys::replace(&gateway.app.store, &gateway.app.vault, true, gateway.clock.now()).await.unwrap();
    keep(gateway).await;
    assert!(published(gateway).await.is_disjoint(&rest));
    assert!(!story.acme.is_active(tokens.text("access_token")).await);
    let again = story.acme.refresh(tokens.text("refresh_token")).await;
    assert!(story.acme.is_active(again.text("access_token")).await, "the session goes on with the new key");
}

async fn enter(story: &SignedIn) -> TokenAnswer {
    story.acme.gateway.clock.advance(Duration::SECOND);
    story.acme.sign_in(&Browser::new(), &story.ann.email).await
}

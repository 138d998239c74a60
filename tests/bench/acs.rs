//! A signed response to the assertion consumer service: verified, matched to its request, kept for the browser.

use crate::load::{Figures, closed_loop};
use harness::customer::Customer;
use simulator::idp::response::{ResponseBuilder, Sign};
use std::sync::Arc;
use store::{
    scope::{Actor, Scope},
    sign_in_requests::{self, NewSignInRequest},
};
use time::Duration;

/// Responses that are prepared; each is posted once.
const SUPPLY: usize = 12_000;

pub async fn post(acme: &Customer) -> Figures {
    let responses = Arc::new(prepared(acme).await);
    let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let url = acme.url("/saml/acs");
    closed_loop(SUPPLY, move |number| {
        let request = http.post(&url).form(&[("SAMLResponse", &responses[number])]);
        async move {
            let response = request.send().await.unwrap();
            assert_eq!(response.status().as_u16(), 303);
            response.bytes().await.unwrap();
        }
    })
    .await
}

/// Requests in the database and their signed answers, as sign-ins of real browsers would have left them.
async fn prepared(acme: &Customer) -> Vec<String> {
    let (app, now) = (&acme.gateway.app, acme.gateway.clock.now());
    let mut responses = Vec::with_capacity(SUPPLY);
    let mut tx = app.store.tenant(Scope { tenant: acme.tenant, actor: Actor::Browser, now }).await.unwrap();
    for number in 0..SUPPLY {
        let id = format!("_bench{number:026}");
        let new = NewSignInRequest {
            id: &id,
            connection: acme.connection,
            browser_hash: &[7; 32],
            authorize: None,
            expires_at: now + Duration::minutes(15),
        };
        sign_in_requests::insert(&mut tx, &new).await.unwrap();
        let email = format!("ann@{}", acme.domain);
        let builder = ResponseBuilder::new(&acme.idp.entity_id(), &acme.url(""), &acme.url("/saml/acs"), &email, now)
            .in_response_to(&id)
            .attribute("email", &email)
            .attribute("firstName", "Ann")
            .attribute("lastName", "Archer")
            .sign(Sign::Assertion);
        responses.push(builder.encode(acme.idp.key()).unwrap());
    }
    tx.commit().await.unwrap();
    responses
}

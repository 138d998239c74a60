//! A signed response to the assertion consumer service: verified, matched to its request, kept for the browser.

use crate::{
    CLIENTS, MEASURED, WARM_UP,
    load::{Figures, Scenario, Step},
    processes::Usage,
};
use harness::customer::Customer;
use simulator::idp::response::{ResponseBuilder, Sign};
use std::io::Write;
use store::{
    scope::{Actor, Scope},
    sign_in_requests::{self, NewSignInRequest},
};
use time::Duration;
use url::form_urlencoded;

/// Posts them to the gateway, each once.
pub fn post(acme: &Customer, port: u16, bodies: &[String], usage: &dyn Fn() -> Usage) -> Figures {
    let target = format!("/c/{}/saml/acs", acme.connection);
    let request = move |body: &str, into: &mut Vec<u8>| {
        let (length, kind) = (body.len(), "application/x-www-form-urlencoded");
        write!(into, "POST {target} HTTP/1.1\r\nhost: localhost:{port}\r\ncontent-type: {kind}\r\n").unwrap();
        write!(into, "content-length: {length}\r\n\r\n{body}").unwrap();
    };
    let step =
        Step { label: "ACS post", status: 303, request: Box::new(|draw, into| request(&bodies[draw.number], into)) };
    let scenario =
        Scenario { name: "ACS post", steps: vec![step], users: 0..1, supply: bodies.len(), clients: CLIENTS };
    scenario.run(port, CLIENTS, WARM_UP, MEASURED, usage)
}

/// Requests in the database and the forms with their signed answers, as sign-ins of real browsers would have left them.
pub async fn prepared(acme: &Customer, url: &str, name: &str, count: usize, groups: &[&str]) -> Vec<String> {
    let (app, now) = (&acme.gateway.app, acme.gateway.clock.now());
    let base = format!("{url}/c/{}", acme.connection);
    let mut bodies = Vec::with_capacity(count);
    let mut tx = app.store.tenant(Scope { tenant: acme.tenant, actor: Actor::Browser, now }).await.unwrap();
    for number in 0..count {
        let id = format!("_{name}{number:026}");
        let new = NewSignInRequest {
            id: &id,
            connection: acme.connection,
            browser_hash: &[7; 32],
            authorize: None,
            target: None,
            invitation: None,
            expires_at: now + Duration::minutes(15),
        };
        sign_in_requests::insert(&mut tx, &new).await.unwrap();
        let email = format!("ann@{}", acme.domain);
        let builder = ResponseBuilder::new(&acme.idp.entity_id(), &base, &format!("{base}/saml/acs"), &email, now)
            .in_response_to(&id)
            .attribute("email", &email)
            .attribute("firstName", "Ann")
            .attribute("lastName", "Archer")
            .attribute_values("groups", groups)
            .sign(Sign::Assertion);
        let response = builder.encode(acme.idp.key()).unwrap();
        bodies.push(form_urlencoded::Serializer::new(String::new()).append_pair("SAMLResponse", &response).finish());
    }
    tx.commit().await.unwrap();
    bodies
}

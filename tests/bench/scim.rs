//! SCIM as Okta sends it: a new user, and a user read by id.

use crate::load::{Figures, closed_loop};
use harness::{customer::Customer, gateway_process::unique};
use serde_json::json;
use std::sync::Arc;

fn body(customer: &str, number: usize) -> String {
    let name = format!("{customer}-{number}@bench.test");
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "userName": name,
        "name": { "givenName": "Test", "familyName": "User" },
        "emails": [{ "primary": true, "value": name, "type": "work" }],
        "displayName": "Test User",
        "locale": "en-US",
        "externalId": format!("00u{customer}{number}"),
        "groups": [],
        "password": "1mz050nq",
        "active": true,
    })
    .to_string()
}

pub async fn create(acme: &Customer) -> Figures {
    let (http, url, token) = (reqwest::Client::new(), format!("{}/Users", acme.scim_base()), acme.token.clone());
    let run = unique("run");
    closed_loop(usize::MAX, move |number| {
        let request = http
            .post(&url)
            .bearer_auth(&token)
            .header("content-type", "application/scim+json; charset=utf-8")
            .body(body(&run, number));
        async move {
            let response = request.send().await.unwrap();
            assert_eq!(response.status().as_u16(), 201);
            response.bytes().await.unwrap();
        }
    })
    .await
}

/// Ids of that many users of the connection.
pub async fn some_users(acme: &Customer, count: usize) -> Vec<String> {
    let mut ids = Vec::new();
    while ids.len() < count {
        let path = format!("/Users?startIndex={}&count=500", ids.len() + 1);
        let answer = acme.scim(reqwest::Method::GET, &path, None).await;
        let page = answer.body["Resources"].as_array().unwrap().iter();
        ids.extend(page.map(|user| user["id"].as_str().unwrap().to_owned()));
    }
    ids
}

pub async fn get(acme: &Customer, ids: &[String]) -> Figures {
    let (http, url, token) = (reqwest::Client::new(), format!("{}/Users", acme.scim_base()), acme.token.clone());
    let ids = Arc::new(ids.to_vec());
    closed_loop(usize::MAX, move |number| {
        let request = http.get(format!("{url}/{}", ids[number % ids.len()])).bearer_auth(&token);
        async move {
            let response = request.send().await.unwrap();
            assert_eq!(response.status().as_u16(), 200);
            response.bytes().await.unwrap();
        }
    })
    .await
}

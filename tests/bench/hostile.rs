//! What nobody honest posts to the assertion consumer service: what it costs beside an honest answer, and what it leaves in
//! memory.

use crate::{
    CLIENTS,
    load::{Figures, Scenario, Step},
    processes::{Program, Usage},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use harness::customer::Customer;
use simulator::idp::{
    keys::IdpKey,
    response::{ResponseBuilder, Sign},
};
use std::{io::Write, time::Duration};
use url::form_urlencoded;

/// How long each kind is posted, and how many of all kinds for the memory.
const MEASURED: Duration = Duration::from_secs(1);
const POSTS: usize = 10_000;

/// The most that is read of a response, which is 256 KiB in base64.
const LARGEST: usize = 190 * 1024;

/// A kind, and the form that is posted.
pub struct Kind {
    pub name: &'static str,
    body: String,
}

impl Kind {
    /// Whether it is as large as a response may be.
    pub fn is_large(&self) -> bool {
        self.body.len() > LARGEST
    }
}

/// MiB of the gateway.
pub struct Memory {
    pub before: f64,
    pub after: f64,
    pub peak: f64,
}

/// All kinds, as posts to that gateway.
pub fn kinds(acme: &Customer, url: &str) -> Vec<Kind> {
    let now = acme.gateway.clock.now();
    let base = format!("{url}/c/{}", acme.connection);
    let email = format!("ann@{}", acme.domain);
    let honest = ResponseBuilder::new(&acme.idp.entity_id(), &base, &format!("{base}/saml/acs"), &email, now)
        .in_response_to("_00000000000000000000000000000000")
        .sign(Sign::Assertion);
    let by = |key: &IdpKey, response: &ResponseBuilder| response.xml(key).unwrap();
    let key = acme.idp.key();
    let xml = by(key, &honest);
    let filled = |start: &str, part: &str, end: &str| {
        let room = LARGEST - start.len() - end.len();
        format!("{start}{}{end}", part.repeat(room / part.len()))
    };
    let response = "<samlp:Response xmlns:samlp=\"urn:oasis:names:tc:SAML:2.0:protocol\">";
    let entities = "<!DOCTYPE a [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;\">]><a>&b;</a>";
    let key_info = "<ds:KeyInfo>";
    let documents = [
        ("changed after it was signed", by(key, &honest.clone().tamper("ann@", "eve@"))),
        ("signed by a stranger", by(&IdpKey::generate(now).unwrap(), &honest)),
        ("not signed", by(key, &honest.clone().sign(Sign::Nothing))),
        ("to a request that there is not", xml.clone()),
        ("entities", entities.to_owned()),
        ("190 KB of nesting", filled(response, "<a>", "")),
        ("190 KB of elements", filled(response, "<a/>", "</samlp:Response>")),
        ("190 KB of text", filled(&format!("{response}<a>"), "x", "</a></samlp:Response>")),
        (
            "190 KB in a signed one",
            xml.replace(key_info, &format!("{}{key_info}", " ".repeat(LARGEST - xml.len() - 1))),
        ),
    ];
    let form =
        |field: &str| form_urlencoded::Serializer::new(String::new()).append_pair("SAMLResponse", field).finish();
    let mut kinds: Vec<Kind> =
        documents.into_iter().map(|(name, xml)| Kind { name, body: form(&STANDARD.encode(xml)) }).collect();
    kinds.push(Kind { name: "900 KB of no base64", body: form(&"*".repeat(300 * 1024)) });
    kinds
}

/// What one kind costs.
pub fn post(acme: &Customer, port: u16, kind: &Kind, usage: &dyn Fn() -> Usage) -> Figures {
    let scenario = scenario(acme, port, std::slice::from_ref(kind), usize::MAX);
    scenario.run(port, CLIENTS, MEASURED / 4, MEASURED, usage)
}

/// What all of them in turn leave behind.
pub fn memory(acme: &Customer, port: u16, kinds: &[Kind], gateway: &Program) -> Memory {
    let before = gateway.memory();
    let none = || Usage::default();
    // As long as it takes: the supply ends it.
    scenario(acme, port, kinds, POSTS).run(port, CLIENTS, Duration::ZERO, Duration::from_secs(120), &none);
    Memory { before, after: gateway.memory(), peak: gateway.peak() }
}

fn scenario<'k>(acme: &Customer, port: u16, kinds: &'k [Kind], supply: usize) -> Scenario<'k> {
    let target = format!("/c/{}/saml/acs", acme.connection);
    let request = move |number: usize, into: &mut Vec<u8>| {
        let Kind { body, .. } = &kinds[number % kinds.len()];
        write!(
            into,
            "POST {target} HTTP/1.1\r\nhost: localhost:{port}\r\ncontent-type: application/x-www-form-urlencoded\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
    };
    let step = Step { label: "hostile", status: 403, request: Box::new(move |draw, into| request(draw.number, into)) };
    Scenario { name: "hostile", steps: vec![step], users: 0..1, supply, clients: CLIENTS }
}

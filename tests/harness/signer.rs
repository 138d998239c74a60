//! Signs tokens as others do: an application that proves itself by a key, an organization at Okta.

use crate::customer::Customer;
use axum::{Json, Router, routing::get};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use oidc::keys::{self, SigningKey};
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};
use tokio::{net::TcpListener, task::JoinHandle};
use uuid::Uuid;

/// A private key with a name.
#[derive(Clone)]
pub struct Signer {
    pub kid: String,
    der: Vec<u8>,
}

impl Default for Signer {
    fn default() -> Self {
        let der = SigningKey::generate(keys::Algorithm::Es256).unwrap();
        Self { kid: Uuid::new_v4().simple().to_string(), der }
    }
}

impl Signer {
    /// The public half, as a JWK Set.
    pub fn jwks(&self) -> Value {
        let key = SigningKey::from_pkcs8(&self.kid, keys::Algorithm::Es256, &self.der).unwrap();
        keys::key_set([&key])
    }

    /// A signed token of that type.
    pub fn sign(&self, typ: &str, claims: &Value) -> String {
        let header = Header { typ: Some(typ.to_owned()), kid: Some(self.kid.clone()), ..Header::new(Algorithm::ES256) };
        jsonwebtoken::encode(&header, claims, &EncodingKey::from_ec_der(&self.der)).unwrap()
    }
}

/// An organization at Okta that publishes its keys and calls for Universal Logout.
pub struct OktaOrg {
    pub issuer: String,
    pub signer: Signer,
    asked: Arc<AtomicUsize>,
    fails: Arc<AtomicBool>,
    server: JoinHandle<()>,
}

impl Drop for OktaOrg {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// What Universal Logout was answered.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub body: Value,
}

impl OktaOrg {
    /// Starts one; the gateway must be allowed to ask it.
    pub async fn start() -> Self {
        let signer = Signer::default();
        let jwks = signer.jwks();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://127.0.0.1:{}", listener.local_addr().unwrap().port());
        let (asked, fails) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let (count, broken) = (Arc::clone(&asked), Arc::clone(&fails));
        let keys = move || async move {
            count.fetch_add(1, Ordering::SeqCst);
            if broken.load(Ordering::SeqCst) { Err(StatusCode::BAD_GATEWAY) } else { Ok(Json(jwks)) }
        };
        let router = Router::new().route("/oauth2/v1/keys", get(keys));
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { issuer, signer, asked, fails, server }
    }

    /// How often its keys were asked for.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// Whether it answers with an error.
    pub fn fails(&self, fails: bool) {
        self.fails.store(fails, Ordering::SeqCst);
    }

    /// The claims of a good token for that connection.
    pub fn claims(&self, customer: &Customer) -> Value {
        let now = customer.gateway.clock.now().unix_timestamp();
        json!({
            "jti": Uuid::new_v4(), "iss": self.issuer, "sub": "0oa1", "aud": customer.url("/global-token-revocation"),
            "exp": now + 300, "nbf": now, "iat": now,
        })
    }

    /// A good token for that connection.
    pub fn token(&self, customer: &Customer) -> String {
        self.signer.sign("global-token-revocation+jwt", &self.claims(customer))
    }

    /// Calls for the end of everything of somebody.
    pub async fn calls(&self, customer: &Customer, token: &str, subject: Value) -> Answer {
        let request = customer.http.post(customer.url("/global-token-revocation")).bearer_auth(token);
        let response = request.json(&json!({ "sub_id": subject })).send().await.unwrap();
        let status = response.status();
        let text = response.text().await.unwrap();
        Answer { status, body: serde_json::from_str(&text).unwrap_or(Value::Null) }
    }
}

/// The header of a signed token.
pub fn header(token: &str) -> Value {
    let part = token.split('.').next().unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

/// An RSA public key in every form in which somebody might hold it: as JWK, numbers, DER and PEM.
pub fn public_key_texts(jwk: &Value) -> Vec<Vec<u8>> {
    let number = |name: &str| URL_SAFE_NO_PAD.decode(jwk[name].as_str().unwrap()).unwrap();
    let integer = |name: &str| der(0x02, &[&[0], number(name).as_slice()].concat());
    let pkcs1 = der(0x30, &[integer("n"), der(0x02, &number("e"))].concat());
    // rsaEncryption (RFC 8017 A.1), without parameters.
    let algorithm = der(0x30, &[0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 0x05, 0]);
    let spki = der(0x30, &[algorithm, der(0x03, &[&[0], pkcs1.as_slice()].concat())].concat());
    let pem = |label: &str, der: &[u8], end: &str| {
        let text = STANDARD.encode(der);
        let lines: Vec<&str> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
        format!("-----BEGIN {label}-----\n{}\n-----END {label}-----{end}", lines.join("\n")).into_bytes()
    };
    vec![
        jwk.to_string().into_bytes(),
        jwk["n"].as_str().unwrap().as_bytes().to_vec(),
        number("n"),
        pem("PUBLIC KEY", &spki, ""),
        pem("PUBLIC KEY", &spki, "\n"),
        pem("RSA PUBLIC KEY", &pkcs1, "\n"),
        spki,
        pkcs1,
    ]
}

fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let mut encoded = vec![tag];
    match length {
        0..0x80 => encoded.push(u8::try_from(length).unwrap()),
        0x80..0x100 => encoded.extend([0x81, u8::try_from(length).unwrap()]),
        _ => encoded.extend([0x82, u8::try_from(length >> 8).unwrap(), u8::try_from(length & 0xff).unwrap()]),
    }
    encoded.extend(content);
    encoded
}

//! The back door of the vendor's app, where it hears that sessions have ended (OpenID Connect Back-Channel Logout 1.0).

use crate::sign_in::claims;
use axum::{Form, Router, extract::State, http::StatusCode, routing::post};
use serde_json::Value;
use std::{
    collections::HashMap,
    future::pending,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU16, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::net::TcpListener;

/// It answers as it is told and keeps what it heard.
pub struct BackDoor {
    pub uri: String,
    heard: Arc<Mutex<Vec<String>>>,
    answers: Arc<AtomicU16>,
}

type Door = (Arc<Mutex<Vec<String>>>, Arc<AtomicU16>);

impl BackDoor {
    pub async fn open() -> Self {
        let (heard, answers) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicU16::new(200)));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri = format!("http://127.0.0.1:{}/logout", listener.local_addr().unwrap().port());
        let hear = |State((heard, answers)): State<Door>, Form(form): Form<HashMap<String, String>>| async move {
            heard.lock().unwrap().push(form["logout_token"].clone());
            match answers.load(Ordering::SeqCst) {
                0 => pending().await,
                status => StatusCode::from_u16(status).unwrap(),
            }
        };
        let router = Router::new().route("/logout", post(hear)).with_state((Arc::clone(&heard), Arc::clone(&answers)));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { uri, heard, answers }
    }

    /// What it heard since it was asked last.
    pub fn heard(&self) -> Vec<String> {
        std::mem::take(&mut *self.heard.lock().unwrap())
    }

    /// The same, of this session.
    pub fn heard_of(&self, sid: &Value) -> Vec<String> {
        self.heard().into_iter().filter(|token| claims(token)["sid"] == *sid).collect()
    }

    /// Waits until it has heard of this session.
    pub async fn hears_of(&self, sid: &Value, who: &str) -> Vec<String> {
        let patience = Instant::now() + Duration::from_secs(20);
        loop {
            let heard = self.heard_of(sid);
            if !heard.is_empty() {
                return heard;
            }
            assert!(Instant::now() < patience, "nobody told {who}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// It answers with that status from now on, with 0 never.
    pub fn answers(&self, status: u16) {
        self.answers.store(status, Ordering::SeqCst);
    }
}

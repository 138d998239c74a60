//! The operations port: is the process alive, may it get traffic, what does it measure. Not for the public.

use crate::{app::App, telemetry};
use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use metrics::gauge;
use store::migrate::{self, Schema};

/// `/livez`, `/readyz` and `/metrics`.
pub fn router(app: App) -> Router {
    Router::new()
        .route("/livez", get(|| async { "alive\n" }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .with_state(app)
}

async fn readyz(State(app): State<App>) -> Response {
    match is_ready(&app).await {
        Ok(()) => "ready\n".into_response(),
        Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {reason}\n")).into_response(),
    }
}

async fn is_ready(app: &App) -> Result<(), &'static str> {
    let (now, unreachable) = (app.clock.now(), |_| "the database cannot be reached");
    app.store.try_tenant(now).await.map_err(unreachable)?;
    let mut tx = app.store.control(now).await.map_err(unreachable)?;
    let schema = migrate::schema(&mut tx).await.map_err(unreachable)?;
    tx.rollback().await.map_err(unreachable)?;
    if schema == Schema::Behind { Err("migrations are missing; run `gatehouse migrate`") } else { Ok(()) }
}

async fn metrics(State(app): State<App>) -> Response {
    let (busy, idle) = app.store.connections();
    gauge!("gatehouse_db_connections", "state" => "busy").set(busy as f64);
    gauge!("gatehouse_db_connections", "state" => "idle").set(idle as f64);
    gauge!("gatehouse_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    match telemetry::metrics() {
        Ok(handle) => ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], handle.render()).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

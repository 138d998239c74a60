//! Logs, request ids and request metrics. Nothing that names a person is logged: no path values, bodies or addresses.

use crate::config::Log;
use anyhow::Context;
use axum::{
    extract::{MatchedPath, Request},
    http::{HeaderName, HeaderValue, Method},
    middleware::Next,
    response::Response,
};
use metrics::{counter, histogram};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use std::{sync::OnceLock, time::Instant};
use tracing::{Instrument, info, info_span};
use tracing_subscriber::EnvFilter;
use uuid::Uuid;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Seconds; the last bucket is the request timeout's default.
const BUCKETS: [f64; 11] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0];

/// Starts logging to standard output.
///
/// # Errors
/// When the filter does not parse or logging was started before.
pub fn start_logging(log: &Log) -> anyhow::Result<()> {
    let filter =
        EnvFilter::try_new(&log.filter).with_context(|| format!("log.filter = \"{}\" is not a filter", log.filter))?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter);
    let started = if log.json {
        builder.json().flatten_event(true).with_current_span(true).with_span_list(false).try_init()
    } else {
        builder.try_init()
    };
    started.map_err(|error| anyhow::anyhow!("logging could not be started: {error}"))
}

/// The process' metrics; the first call installs the recorder.
///
/// # Errors
/// When another recorder was installed.
pub fn metrics() -> anyhow::Result<&'static PrometheusHandle> {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    if let Some(handle) = HANDLE.get() {
        return Ok(handle);
    }
    let recorder = PrometheusBuilder::new().set_buckets(&BUCKETS)?.build_recorder();
    let handle = recorder.handle();
    match ::metrics::set_global_recorder(recorder) {
        Ok(()) => Ok(HANDLE.get_or_init(|| handle)),
        // Two threads came at once; the other one won.
        Err(_) => HANDLE.get().context("metrics were started twice"),
    }
}

/// Gives each request an id, a span, a log line and its metrics. The route is logged, never the path.
pub async fn observe(request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map_or("(none)", |path| path.as_str()).to_owned();
    let method = method_name(request.method()).to_owned();
    let id = request_id(&request);
    let span = info_span!("request", request.id = %id, http.method = %method, http.route = %route);
    let started = Instant::now();
    let mut response = next.run(request).instrument(span.clone()).await;
    let (seconds, status) = (started.elapsed().as_secs_f64(), response.status().as_u16());
    span.in_scope(|| info!(http.status = status, duration_ms = seconds * 1e3, "{method} {route} answered {status}"));
    let labels = [("method", method), ("route", route), ("status", status.to_string())];
    counter!("gatehouse_http_requests_total", &labels).increment(1);
    histogram!("gatehouse_http_request_duration_seconds", &labels).record(seconds);
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}

/// A client may send any word as the method; only known ones become labels that stay for ever.
fn method_name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        _ => "OTHER",
    }
}

/// The id that a proxy in front gave, if it is a plain one; else a new one.
fn request_id(request: &Request) -> String {
    let given = request.headers().get(REQUEST_ID).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let plain = given.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    if (8..=64).contains(&given.len()) && plain {
        return given.to_owned();
    }
    Uuid::from_bytes(crate::entropy::bytes()).simple().to_string()
}

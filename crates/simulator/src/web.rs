//! What both little web sites need: pages, error pages, cookies, and a guard against foreign forms.

use askama::Template;
use axum::extract::Request;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Response};
use tracing::error;

/// Renders a page.
pub(crate) fn page(template: &impl Template) -> Response {
    match template.render() {
        Ok(html) => ([(header::CACHE_CONTROL, "no-store")], Html(html)).into_response(),
        Err(error) => {
            error!("A page could not be rendered: {error}");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// A page that says what went wrong.
#[derive(Template)]
#[template(path = "failure.html")]
struct FailurePage<'a> {
    message: &'a str,
}

/// Why a request ends in an error page.
#[derive(Debug)]
pub(crate) struct Failure {
    status: StatusCode,
    message: String,
}

impl Failure {
    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, message: message.into() }
    }

    pub(crate) fn unavailable(message: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_GATEWAY, message: message.into() }
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::bad_request(format!("{error:#}"))
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        (self.status, page(&FailurePage { message: &self.message })).into_response()
    }
}

/// The value of one of our cookies.
pub(crate) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value)
}

/// Refuses a form that another site's page posts to us.
pub(crate) async fn own_forms_only(request: Request, next: Next) -> Response {
    if request.method() == Method::POST && is_foreign(request.headers()) {
        let message = "This form comes from another site.".to_owned();
        return Failure { status: StatusCode::FORBIDDEN, message }.into_response();
    }
    next.run(request).await
}

fn is_foreign(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let Some(origin) = text(header::ORIGIN) else { return false };
    origin.split_once("://").map(|(_, authority)| authority) != text(header::HOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_are_found_by_their_whole_name() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, "a=1; session=x=y".parse().expect("a header"));
        headers.append(header::COOKIE, "other=2".parse().expect("a header"));
        assert_eq!(cookie(&headers, "session"), Some("x=y"));
        assert_eq!(cookie(&headers, "other"), Some("2"));
        assert_eq!(cookie(&headers, "sess"), None);
    }

    #[test]
    fn forms_of_other_sites_are_foreign() {
        let cases = [
            (None, false),
            (Some("http://127.0.0.1:8090"), false),
            (Some("http://localhost:8090"), true),
            (Some("http://127.0.0.1:8090.evil.test"), true),
            (Some("null"), true),
        ];
        for (origin, expected) in cases {
            let mut headers = HeaderMap::new();
            headers.append(header::HOST, "127.0.0.1:8090".parse().expect("a header"));
            if let Some(origin) = origin {
                headers.append(header::ORIGIN, origin.parse().expect("a header"));
            }
            assert_eq!(is_foreign(&headers), expected, "{origin:?}");
        }
    }
}

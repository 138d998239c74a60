//! A browser without a screen: cookies are kept, redirects are followed by hand.

use reqwest::{Client, RequestBuilder, StatusCode, redirect::Policy};

/// One browser with its cookie jar.
pub struct Browser {
    http: Client,
}

/// What a browser shows.
#[derive(Debug)]
pub struct Page {
    pub status: StatusCode,
    pub location: Option<String>,
    pub headers: reqwest::header::HeaderMap,
    pub text: String,
}

impl Default for Browser {
    fn default() -> Self {
        Self::new()
    }
}

impl Browser {
    pub fn new() -> Self {
        // It meets no TLS here; to read the machine's certificates takes longer than a sign-in.
        let plain = Client::builder().tls_certs_only([]);
        Self { http: plain.cookie_store(true).redirect(Policy::none()).build().unwrap() }
    }

    pub async fn get(&self, url: &str) -> Page {
        Page::read(self.http.get(url).send().await.unwrap()).await
    }

    /// Posts a form as another site would make the browser do.
    pub async fn post(&self, url: &str, form: &[(&str, &str)]) -> Page {
        self.send(|http| http.post(url).form(form)).await
    }

    /// Any other request, with the browser's cookies.
    pub async fn send(&self, request: impl FnOnce(&Client) -> RequestBuilder) -> Page {
        Page::read(request(&self.http).send().await.unwrap()).await
    }
}

impl Page {
    async fn read(response: reqwest::Response) -> Self {
        let (status, headers) = (response.status(), response.headers().clone());
        let location = headers.get("location").map(|value| value.to_str().unwrap().to_owned());
        Self { status, location, headers, text: response.text().await.unwrap() }
    }

    /// Where the page sends the browser.
    pub fn redirect(&self) -> &str {
        self.location.as_deref().unwrap_or_else(|| panic!("no redirect but {}: {}", self.status, self.shown()))
    }

    /// The page without its head.
    pub fn shown(&self) -> &str {
        self.text.split_once("<main>").map_or(&self.text, |(_, main)| main)
    }

    /// The named header; empty when it is missing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Every cookie that the page sets, as it is written.
    pub fn cookies(&self) -> Vec<&str> {
        self.headers.get_all("set-cookie").iter().map(|value| value.to_str().unwrap()).collect()
    }

    /// The reference that an error page shows.
    pub fn reference(&self) -> Option<&str> {
        let (_, rest) = self.text.split_once("<dt>Reference</dt><dd><code class=\"whole\">")?;
        rest.split_once('<').map(|(reference, _)| reference)
    }

    /// The first code of ours that the page shows.
    pub fn code(&self) -> Option<&str> {
        let start = self.text.find("<code>GH-")? + "<code>".len();
        let rest = &self.text[start..];
        rest.find('<').map(|end| &rest[..end])
    }
}

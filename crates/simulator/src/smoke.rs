//! `gatehouse-sim smoke`: one person's whole story at a running demo, without a browser. She is assigned, signs in,
//! loses the app, is refused, and gets it back. It reads the pages that people see and presses the buttons on them.

use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use reqwest::{Client, RequestBuilder, Url};

use crate::cli::SmokeArguments;

const TIMEOUT: Duration = Duration::from_secs(10);
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(50);
const REFUSED: &str = "GH-SAML-1005";

/// A page that was read to its end, wherever the redirects led.
struct Page {
    url: Url,
    html: String,
}

struct Smoke {
    /// Keeps cookies, as one browser does for all sites.
    http: Client,
    app: String,
    idp: String,
    user: String,
}

pub(crate) async fn run(arguments: SmokeArguments) -> anyhow::Result<()> {
    let http = Client::builder().cookie_store(true).timeout(TIMEOUT).build().context("no HTTP client")?;
    let tidy = |url: String| url.trim_end_matches('/').to_owned();
    let smoke = Smoke { http, app: tidy(arguments.app), idp: tidy(arguments.idp), user: arguments.user };
    smoke.assign().await?;
    smoke.sign_in().await?;
    smoke.deactivate().await?;
    smoke.is_refused().await?;
    smoke.press("reactivate").await?;
    smoke.sign_in().await
}

impl Smoke {
    async fn assign(&self) -> anyhow::Result<()> {
        let row = self.row().await?;
        let offers = |action: &str| row.contains(&format!("value=\"{action}\""));
        if offers("deactivate") {
            println!("{} has the app already.", self.user);
            return Ok(());
        }
        let action = if offers("assign") { "assign" } else { "reactivate" };
        ensure!(offers(action), "The page {} offers no provisioning; start it with --scim-url.", self.idp);
        self.press(action).await
    }

    async fn sign_in(&self) -> anyhow::Result<()> {
        let page = self.through_the_idp().await?;
        ensure!(page.url.as_str().starts_with(&self.app), "The sign-in did not end in the app but {page}");
        let email = between(&page.html, "id=\"email\">", "<").unwrap_or_default();
        ensure!(email.eq_ignore_ascii_case(&self.user), "The app knows somebody else: {page}");
        let name = between(&page.html, "id=\"name\">", "<").unwrap_or_default();
        let role = between(&page.html, "id=\"role\">", "<").unwrap_or_default();
        let access = self.access().await?;
        ensure!(access == "active", "The app shows {email}, but says that access is \"{access}\".");
        println!("{email} signed in; the app knows {name}, {role}.");
        Ok(())
    }

    async fn deactivate(&self) -> anyhow::Result<()> {
        self.press("deactivate").await?;
        let answered = Instant::now();
        loop {
            let access = self.access().await?;
            if access == "ended" {
                println!("The app ended the access {} ms after SCIM's answer.", answered.elapsed().as_millis());
                return Ok(());
            }
            ensure!(answered.elapsed() < PATIENCE, "Access is still \"{access}\" {PATIENCE:?} after the deactivation.");
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn is_refused(&self) -> anyhow::Result<()> {
        let page = self.through_the_idp().await?;
        ensure!(page.html.contains(REFUSED), "A new sign-in should be refused with {REFUSED}, but {page}");
        println!("A new sign-in is refused with {REFUSED}.");
        Ok(())
    }

    /// Starts at the app, picks the person at the identity provider, and posts its answer; where does that lead?
    async fn through_the_idp(&self) -> anyhow::Result<Page> {
        let start = format!("{}/start", self.app);
        let page = read(self.http.get(&start)).await?;
        ensure!(page.url.as_str().starts_with(&self.idp), "{start} should lead to the identity provider, but {page}");
        let request = between(&page.html, "name=\"request\" value=\"", "\"")
            .with_context(|| format!("The identity provider does not ask who this is, but {page}"))?;
        let choice = [("request", request.as_str()), ("user", &self.user)];
        let page = read(self.http.post(format!("{}/sign-in", self.idp)).form(&choice)).await?;
        let field = |before: &str| between(&page.html, before, "\"");
        let acs_url = field("<form method=\"post\" action=\"");
        let saml_response = field("name=\"SAMLResponse\" value=\"");
        let (Some(acs_url), Some(saml_response)) = (acs_url, saml_response) else {
            bail!("The identity provider does not sign {} in: {page}", self.user)
        };
        let mut form = vec![("SAMLResponse", saml_response)];
        form.extend(field("name=\"RelayState\" value=\"").map(|relay_state| ("RelayState", relay_state)));
        read(self.http.post(acs_url).form(&form)).await
    }

    /// Presses one of the buttons beside the person's name.
    async fn press(&self, action: &str) -> anyhow::Result<()> {
        let order = [("user", self.user.as_str()), ("action", action)];
        let page = read(self.http.post(format!("{}/provision", self.idp)).form(&order)).await?;
        if let Some(failure) = between(&page.html, "<p class=\"bad\" role=\"alert\">", "</p>") {
            bail!("SCIM: {action} of {} failed. {failure}", self.user);
        }
        ensure!(page.html.contains("id=\"exchanges\""), "SCIM: {action} of {} did nothing: {page}", self.user);
        println!("SCIM: {action} of {} succeeded.", self.user);
        Ok(())
    }

    /// The person's row in the directory.
    async fn row(&self) -> anyhow::Result<String> {
        let page = read(self.http.get(format!("{}/", self.idp))).await?;
        between(&page.html, &format!("<td>{}</td>", self.user), "</tr>")
            .with_context(|| format!("Nobody at {} has the address {}.", self.idp, self.user))
    }

    async fn access(&self) -> anyhow::Result<String> {
        let page = read(self.http.get(format!("{}/status", self.app))).await?;
        between(&page.html, "\"access\":\"", "\"").with_context(|| format!("The app does not know its access: {page}"))
    }
}

async fn read(request: RequestBuilder) -> anyhow::Result<Page> {
    let response = request.send().await?;
    let url = response.url().clone();
    let html = response.text().await.with_context(|| format!("{url} broke off"))?;
    Ok(Page { url, html })
}

impl std::fmt::Display for Page {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let words = between(&self.html, "<main>", "</main>").unwrap_or_else(|| self.html.clone());
        // The query may hold a ticket or a code.
        let mut url = self.url.clone();
        url.set_query(None);
        write!(f, "{url} says: {}", without_tags(&words))
    }
}

/// The first piece of a page between two marks, with its entities resolved.
fn between(html: &str, before: &str, after: &str) -> Option<String> {
    let (_, rest) = html.split_once(before)?;
    let (piece, _) = rest.split_once(after)?;
    Some(resolved(piece))
}

/// Only those entities that the template engine writes; the ampersand last, so that nothing is resolved twice.
fn resolved(text: &str) -> String {
    let entities = [("&#60;", "<"), ("&#62;", ">"), ("&#34;", "\""), ("&#39;", "'"), ("&#38;", "&")];
    entities.iter().fold(text.to_owned(), |text, (entity, character)| text.replace(entity, character))
}

fn without_tags(html: &str) -> String {
    let texts = html.split('<').map(|piece| piece.split_once('>').map_or(piece, |(_, text)| text));
    texts.flat_map(str::split_whitespace).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_of_pages_are_found_and_resolved() {
        let html = "<main><h1 id=\"name\">Ann &#38; Bo</h1>\n<p>Hi</p></main>";
        assert_eq!(between(html, "id=\"name\">", "<").as_deref(), Some("Ann & Bo"));
        assert_eq!(between(html, "id=\"email\">", "<"), None);
        assert_eq!(resolved("&#38;#60;"), "&#60;");
        let page = Page { url: Url::parse("http://x.test/y?code=secret").expect("a URL"), html: html.to_owned() };
        assert_eq!(page.to_string(), "http://x.test/y says: Ann & Bo Hi");
    }
}

//! The words of pages, in the reader's language.

use axum::{
    extract::Request,
    http::{HeaderMap, header},
    middleware::Next,
    response::Response,
};
use axum_extra::extract::CookieJar;
use fluent_langneg::{NegotiationStrategy, negotiate_languages};
use fluent_templates::{LanguageIdentifier, Loader, fluent_bundle::FluentValue};
use std::{borrow::Cow, cmp::Reverse, collections::HashMap, sync::LazyLock};
use tokio::task_local;

use crate::extract::parameter;

fluent_templates::static_loader! {
    static WORDS = {
        locales: "./locales",
        fallback_language: "en",
        // The marks around inserted names would be read out by some screen readers.
        customise: |bundle| bundle.set_use_isolating(false),
    };
}

/// The languages of pages; the first is that of whoever wants none of them.
pub const LOCALES: [&str; 6] = ["en", "de", "fr", "es", "pt-BR", "ja"];

static KNOWN: LazyLock<Vec<LanguageIdentifier>> =
    LazyLock::new(|| LOCALES.iter().filter_map(|locale| locale.parse().ok()).collect());

/// Characters of a wish for languages that are read.
const LONGEST: usize = 300;

/// What the name of the cookie ends in that keeps the wish of an application while somebody signs in.
pub const COOKIE: &str = "gatehouse_language";

task_local! {
    static HERE: Words;
}

/// The words of one language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words(LanguageIdentifier);

impl Default for Words {
    fn default() -> Self {
        Self(LanguageIdentifier::default()).or_first()
    }
}

impl Words {
    /// The words for whoever reads the answer to the request at hand.
    pub fn here() -> Self {
        HERE.try_with(Clone::clone).unwrap_or_default()
    }

    /// The best language for a wish in the form of Accept-Language or of `ui_locales` (RFC 9110 12.5.4, OpenID Connect Core
    /// 3.1.2.1); nothing where none of ours is wished for.
    pub fn wished(wish: &str) -> Option<Self> {
        let wish: String = wish.chars().take(LONGEST).collect();
        let asked = by_weight(&wish);
        let found = negotiate_languages(&asked, &KNOWN, None, NegotiationStrategy::Lookup);
        found.first().map(|locale| Self((*locale).clone()))
    }

    fn of(query: &str, headers: &HeaderMap) -> Self {
        let named = || ["ui_locales", "lang"].into_iter().find_map(|name| parameter(query, name));
        let kept = || CookieJar::from_headers(headers).iter().find(|cookie| cookie.name().ends_with(COOKIE)).cloned();
        let accepted = || headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
        let wished = named().and_then(|wish| Self::wished(&wish));
        let wished = wished.or_else(|| kept().and_then(|cookie| Self::wished(cookie.value())));
        wished.or_else(|| accepted().and_then(Self::wished)).unwrap_or_default()
    }

    fn or_first(self) -> Self {
        KNOWN.first().map_or(self, |first| Self(first.clone()))
    }

    /// The language, as a page names it.
    pub fn language(&self) -> String {
        self.0.to_string()
    }

    /// A message.
    pub fn say(&self, id: &str) -> String {
        WORDS.lookup(&self.0, id)
    }

    /// A message, if there is one of that name.
    pub fn find(&self, id: &str) -> Option<String> {
        WORDS.try_lookup(&self.0, id)
    }

    /// A message about something.
    pub fn with(&self, id: &str, name: &'static str, value: &str) -> String {
        self.all(id, &[(name, value)])
    }

    /// A message about several things.
    pub fn all(&self, id: &str, arguments: &[(&'static str, &str)]) -> String {
        let arguments: HashMap<Cow<'static, str>, FluentValue<'_>> =
            arguments.iter().map(|(name, value)| (Cow::Borrowed(*name), FluentValue::from(*value))).collect();
        WORDS.lookup_with_args(&self.0, id, &arguments)
    }
}

/// The languages of a wish, the most wanted first; those of the weight 0 are not wanted (RFC 9110 12.4.2). Weights are told by
/// thousandths, and what is no weight is none.
fn by_weight(wish: &str) -> Vec<LanguageIdentifier> {
    let wishes = wish.split(',').flat_map(|entry| {
        let (tags, weight) = entry.split_once(';').unwrap_or((entry, "q=1"));
        let weight = weight.trim().strip_prefix("q=").and_then(|weight| weight.parse().ok());
        let weight = weight.map_or(0, |weight: f32| (weight.clamp(0.0, 1.0) * 1000.0) as u16);
        tags.split_whitespace().map(move |tag| (weight, tag))
    });
    let mut wanted: Vec<(u16, &str)> = wishes.filter(|(weight, _)| *weight > 0).collect();
    wanted.sort_by_key(|(weight, _)| Reverse(*weight));
    wanted.iter().filter_map(|(_, tag)| tag.parse().ok()).collect()
}

/// Answers a request in the language of whoever reads it.
pub async fn heed(request: Request, next: Next) -> Response {
    let words = Words::of(request.uri().query().unwrap_or_default(), request.headers());
    HERE.scope(words, next.run(request)).await
}

/// Does something in the language that is wished for, or in that of the reader.
pub async fn within<T>(wish: Option<Words>, work: impl Future<Output = T>) -> T {
    HERE.scope(wish.unwrap_or_else(Words::here), work).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use saml::code::Code;
    use std::collections::BTreeSet;

    #[test]
    fn the_best_language_is_found_and_english_is_for_everybody_else() {
        let cases = [
            ("de", "de"),
            ("de-AT,en;q=0.5", "de"),
            ("en;q=0.1, fr-CA", "fr"),
            ("es;q=0.7,pt;q=0.8, ja; q=0.75", "pt-BR"),
            ("de;q=0, ja;q=NaN, fr;q=x, es;q=0.001", "es"),
            ("fr;q=9, de;q=-1", "fr"),
            ("pt", "pt-BR"),
            ("pt-PT ja", "pt-BR"),
            ("ja-JP de", "ja"),
            ("zh, ko;q=0.9", ""),
            ("", ""),
            ("*", ""),
            ("<script>", ""),
        ];
        for (wish, expected) in cases {
            let found = Words::wished(wish).map(|words| words.language()).unwrap_or_default();
            assert_eq!(found, expected, "{wish}");
        }
        assert_eq!(Words::here(), Words::default());
        assert_eq!(Words::default().language(), "en");
        assert!(Words::wished(&"de,".repeat(10_000)).is_some());
    }

    #[test]
    fn every_language_says_everything_with_the_same_things_in_it() {
        let files = LOCALES.map(|locale| {
            let path = format!("{}/locales/{locale}/pages.ftl", env!("CARGO_MANIFEST_DIR"));
            std::fs::read_to_string(path).unwrap()
        });
        let messages = |text: &str| -> BTreeSet<(String, BTreeSet<String>)> {
            let lines = text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once(" = "));
            let things = |line: &str| {
                line.split("{ $")
                    .skip(1)
                    .filter_map(|rest| rest.split_once(' '))
                    .map(|(name, _)| name.to_owned())
                    .collect()
            };
            lines.map(|(id, line)| (id.to_owned(), things(line))).collect()
        };
        let english = messages(&files[0]);
        assert!(english.len() > 80, "{}", english.len());
        for (locale, file) in LOCALES.iter().zip(&files) {
            assert_eq!(messages(file), english, "{locale}");
            let words = Words(locale.parse().unwrap());
            for (id, things) in &english {
                let things: Vec<(&'static str, &str)> =
                    things.iter().map(|thing| (&*Box::leak(thing.clone().into_boxed_str()), "THING")).collect();
                let said = words.all(id, &things);
                assert!(!said.contains("Unknown localization") && !said.contains('{'), "{locale} {id}: {said}");
                assert_eq!(said.matches("THING").count(), things.len(), "{locale} {id}: {said}");
            }
        }
    }

    #[test]
    fn every_refusal_of_a_sign_in_has_its_words_and_english_says_what_the_code_says() {
        for code in Code::ALL {
            assert_eq!(Words::default().find(code.topic()).as_deref(), Some(code.title()), "{}", code.id());
        }
    }

    #[test]
    fn names_are_not_read_as_messages() {
        let said = Words::default().with("login-title-to", "application", "{ $x } <b>");
        assert_eq!(said, "Sign in to { $x } <b>");
    }
}

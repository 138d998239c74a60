//! How an answer is read, and what the admin is told when it cannot be used.

use std::io::Read;

use flate2::read::{GzDecoder, ZlibDecoder};
use reqwest::Response;
use serde_json::Value;

use super::Failure;

const MAX_BODY: u64 = 64 * 1024 * 1024;

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Option<Value>,
}

pub(super) async fn read(response: Response) -> anyhow::Result<(u16, String)> {
    let status = response.status().as_u16();
    let encoding = response.headers().get("content-encoding").map(|value| value.as_bytes().to_vec());
    let bytes = response.bytes().await?;
    let mut text = String::new();
    match encoding.as_deref() {
        Some(b"gzip") => GzDecoder::new(&*bytes).take(MAX_BODY).read_to_string(&mut text)?,
        Some(b"deflate") => ZlibDecoder::new(&*bytes).take(MAX_BODY).read_to_string(&mut text)?,
        _ => (&*bytes).read_to_string(&mut text)?,
    };
    Ok((status, text))
}

pub(super) fn parse(status: u16, text: &str) -> Result<Answer, Failure> {
    if text.trim().is_empty() {
        return Ok(Answer { status, body: None });
    }
    let body = serde_json::from_str(text).map_err(|_| {
        let word: String = text.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '<').take(20).collect();
        failure(format!("Invalid JSON: Unrecognized token '{word}' (status {status})."), Some(status))
    })?;
    Ok(Answer { status, body: Some(body) })
}

pub(crate) fn expect<'a>(answer: &'a Answer, statuses: &[u16], doing: &str) -> Result<Option<&'a Value>, Failure> {
    if statuses.contains(&answer.status) {
        return Ok(answer.body.as_ref());
    }
    let reported = match answer.body.as_ref().and_then(|body| body["detail"].as_str()) {
        Some(detail) => format!(" Errors reported by remote server: {detail}"),
        None => String::new(),
    };
    let sentence = match answer.status {
        401 => format!("Error authenticating: the server did not accept the token (401).{reported}"),
        status => format!("Error while {doing}: the server answered {status}.{reported}"),
    };
    Err(failure(sentence, Some(answer.status)))
}

pub(crate) fn list<'a>(answer: &'a Answer, doing: &str) -> Result<(u64, &'a [Value]), Failure> {
    let body = expect(answer, &[200], doing)?.ok_or_else(|| empty_answer(doing, answer.status))?;
    let malformed = |what: &str| failure(format!("Error while {doing}: the list has no {what}."), Some(answer.status));
    let total = body["totalResults"].as_u64().ok_or_else(|| malformed("totalResults that is a number"))?;
    match body["Resources"].as_array() {
        Some(resources) => Ok((total, resources)),
        None if total == 0 => Ok((0, &[])),
        None => Err(malformed("Resources")),
    }
}

/// The one resource that a search found, or none.
pub(super) fn only(resources: &[Value], doing: &str) -> Result<Option<Value>, Failure> {
    match resources {
        [] => Ok(None),
        [only] => Ok(Some(only.clone())),
        _ => Err(failure(format!("Error while {doing}: the server found more than one."), Some(200))),
    }
}

pub(crate) fn id_of(resource: &Value, doing: &str) -> Result<String, Failure> {
    match resource["id"].as_str() {
        Some(id) if !id.is_empty() => Ok(id.to_owned()),
        _ => Err(failure(format!("Error while {doing}: the server's answer has no id."), None)),
    }
}

pub(crate) fn empty_answer(doing: &str, status: u16) -> Failure {
    failure(format!("Error while {doing}: the server's answer was empty."), Some(status))
}

pub(crate) fn failure(sentence: String, status: Option<u16>) -> Failure {
    Failure { sentence, status }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16, body: &str) -> String {
        let answer = parse(status, body).expect("JSON");
        expect(&answer, &[200], "creating user Ann Archer").expect_err("refused").sentence
    }

    #[test]
    fn the_admin_reads_the_servers_own_sentence() {
        assert_eq!(
            refused(409, r#"{"detail":"ann@acme.test exists already."}"#),
            "Error while creating user Ann Archer: the server answered 409. \
             Errors reported by remote server: ann@acme.test exists already."
        );
        assert!(refused(401, "{}").starts_with("Error authenticating"));
        assert!(refused(500, "").contains("answered 500."));
    }

    #[test]
    fn a_page_instead_of_json_is_named_as_okta_names_it() {
        let failure = parse(502, "<html>Bad gateway</html>").err().expect("not JSON");
        assert_eq!(failure.sentence, "Invalid JSON: Unrecognized token '<html' (status 502).");
    }

    #[test]
    fn lists_are_judged() {
        let cases = [
            (200, r#"{"totalResults":0}"#, Ok(None)),
            (200, r#"{"totalResults":0,"Resources":[]}"#, Ok(None)),
            (200, r#"{"totalResults":1,"Resources":[{"id":"7"}]}"#, Ok(Some("7"))),
            (200, r#"{"totalResults":2,"Resources":[{"id":"7"},{"id":"8"}]}"#, Err(())),
            (200, r#"{"totalResults":"1","Resources":[]}"#, Err(())),
            (200, r#"{"totalResults":1}"#, Err(())),
            (200, "", Err(())),
            (500, "{}", Err(())),
        ];
        for (status, body, expected) in cases {
            let answer = parse(status, body).expect("JSON or nothing");
            let found = list(&answer, "looking").and_then(|(_, resources)| only(resources, "looking")).map_err(|_| ());
            let id = found.map(|found| found.and_then(|user| user["id"].as_str().map(str::to_owned)));
            assert_eq!(id, expected.map(|id| id.map(str::to_owned)), "{body}");
        }
    }
}

//! The requests that identity providers were seen to send, word for word, and what each needs of the answers: one file
//! for each dialect in `transcripts/`, replayed against a fresh customer.
//!
//! A file begins with the header lines of every request, and those of requests with a body. Each step has a name, the
//! request line, header lines of its own (one without a value is left out), the body, and after `=>` the status and
//! what the answer has to say: `null` stands for a member that must not be there, and elements of a list may stand in
//! any order. `{{new x}}` takes a value out of an answer, `{{x}}` puts it into what follows; `domain` and `token` are
//! the customer's, `client` and `secret` OAuth 2 client credentials. Paths are below the SCIM base, but for the token
//! endpoint, which is above it.

use gateway::setup::directory::{self, TokenSpec};
use harness::customer::{Customer, ScimAnswer};
use serde_json::Value;
use std::{collections::BTreeMap, fmt::Write, fs, path::Path};
use store::scim_tokens::TokenKind;

const ERROR: &str = "urn:ietf:params:scim:api:messages:2.0:Error";

/// OAuth's, and so in its form and not in SCIM's.
const TOKEN_ENDPOINT: &str = "/../../oauth2/token";

macro_rules! transcripts {
    ($($test:ident: $file:literal,)*) => {
        const FILES: &[&str] = &[$($file),*];
        $(
            #[tokio::test]
            async fn $test() {
                Transcript::parse($file, include_str!(concat!("transcripts/", $file))).replay().await;
            }
        )*
    };
}

transcripts! {
    okta_custom_app: "okta-custom.http",
    okta_catalogue_app: "okta-catalogue.http",
    entra_in_its_default_dialect: "entra.http",
    entra_with_its_flag: "entra-optscim.http",
    jump_cloud: "jumpcloud.http",
    one_login: "onelogin.http",
    ping_federate: "ping.http",
}

/// What one dialect was seen to send.
struct Transcript {
    dialect: String,
    every: Headers,
    with_body: Headers,
    steps: Vec<Step>,
}

type Headers = Vec<(String, String)>;

struct Step {
    name: String,
    method: String,
    path: String,
    headers: Headers,
    body: String,
    status: u16,
    /// As text, because of the placeholders in it; empty if the answer has no body.
    answer: String,
}

#[derive(Default)]
struct Names(BTreeMap<String, String>);

impl Transcript {
    fn parse(dialect: &str, text: &str) -> Self {
        let mut parts = text.split("\n--- ");
        let head: Vec<&str> = parts.next().unwrap().lines().filter(|line| !line.starts_with('#')).collect();
        let mut blocks = head.split(|line| line.ends_with(']')).map(headers);
        let (before, every, with_body) = (blocks.next().unwrap(), blocks.next(), blocks.next());
        assert!(
            before.is_empty() && every.is_some() && with_body.is_some(),
            "{dialect} begins with two kinds of headers"
        );
        let steps =
            parts.map(|part| Step::parse(part).unwrap_or_else(|| panic!("{dialect}: no step is {part}"))).collect();
        Self { dialect: dialect.to_owned(), every: every.unwrap(), with_body: with_body.unwrap(), steps }
    }

    /// Plays every step, and then says all that was wrong.
    async fn replay(&self) {
        let acme = Customer::new().await;
        let wrong = self.play(&acme).await;
        assert!(wrong.is_empty(), "{} of {} steps fail\n\n{}", wrong.len(), self.steps.len(), wrong.join("\n"));
    }

    async fn play(&self, acme: &Customer) -> Vec<String> {
        let mut names = Names::default();
        names.0.insert("domain".to_owned(), acme.domain.clone());
        names.0.insert("token".to_owned(), acme.token.clone());
        let (store, now) = (&acme.gateway.app.store, acme.gateway.clock.now());
        let spec = TokenSpec { kind: TokenKind::Client, ..TokenSpec::default() };
        let (client, secret) = directory::create_token(store, now, acme.connection, spec).await.unwrap();
        names.0.insert("client".to_owned(), client.to_string());
        names.0.insert("secret".to_owned(), secret.reveal().to_owned());
        let mut wrong = Vec::new();
        for step in &self.steps {
            if let Err(problem) = self.play_step(step, acme, &mut names).await {
                wrong.push(format!("{}, step \"{}\"\n{problem}", self.dialect, step.name));
            }
        }
        wrong
    }

    async fn play_step(&self, step: &Step, acme: &Customer, names: &mut Names) -> Result<(), String> {
        let (path, body) = (names.fill(&step.path)?, names.fill(&step.body)?);
        let mut headers = self.every.clone();
        headers.extend(self.with_body.iter().filter(|_| !body.is_empty()).cloned());
        headers.retain(|(name, _)| step.headers.iter().all(|(own, _)| own != name));
        headers.extend(step.headers.iter().filter(|(_, value)| !value.is_empty()).cloned());
        for (_, value) in &mut headers {
            *value = names.fill(value)?;
        }
        let lines: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let answer = acme.sends(step.method.parse().unwrap(), &path, &lines, &body).await;
        step.judge(&answer, names).map_err(|problem| {
            let mut shown = format!("  {problem}\n> {} {path}\n", step.method);
            for (name, value) in lines.into_iter().filter(|(name, _)| *name != "authorization") {
                writeln!(shown, "> {name}: {value}").unwrap();
            }
            write!(shown, "{body}\n< {} {}\n{:#}\n", answer.status.as_u16(), answer.content_type, answer.body).unwrap();
            shown
        })
    }
}

impl Step {
    fn parse(text: &str) -> Option<Self> {
        let (request, answer) = text.split_once("\n=> ")?;
        let (name, request) = request.split_once('\n')?;
        let (line, rest) = request.split_once('\n').unwrap_or((request, ""));
        let (method, path) = line.split_once(' ')?;
        let own: Vec<&str> = rest.lines().take_while(|line| is_header(line)).collect();
        let body: Vec<&str> = rest.lines().skip(own.len()).collect();
        let (status, answer) = answer.split_at_checked(3)?;
        Some(Self {
            name: name.to_owned(),
            method: method.to_owned(),
            path: path.to_owned(),
            headers: headers(&own),
            body: body.join("\n"),
            status: status.parse().ok()?,
            answer: answer.trim().to_owned(),
        })
    }

    fn judge(&self, answer: &ScimAnswer, names: &mut Names) -> Result<(), String> {
        if answer.status.as_u16() != self.status {
            return Err(format!("the status should be {}", self.status));
        }
        let media_type = match self.path.as_str() {
            _ if answer.body.is_null() => "",
            TOKEN_ENDPOINT => "application/json",
            _ => "application/scim+json",
        };
        if answer.content_type != media_type {
            return Err(format!("the content type should be {media_type:?}"));
        }
        if self.status >= 400 && self.path != TOKEN_ENDPOINT {
            let error = serde_json::json!({ "schemas": [ERROR], "status": self.status.to_string() });
            names.unify(&answer.body, &error, "")?;
        }
        if self.answer.is_empty() {
            return Ok(());
        }
        let expected = serde_json::from_str(&self.answer).unwrap_or_else(|error| panic!("{}: {error}", self.name));
        names.unify(&answer.body, &expected, "")
    }
}

impl Names {
    /// The text with every placeholder replaced.
    fn fill(&self, text: &str) -> Result<String, String> {
        let mut pieces = text.split("{{");
        let mut filled = pieces.next().unwrap().to_owned();
        for piece in pieces {
            let (name, rest) = piece.split_once("}}").unwrap_or_else(|| panic!("{{{{ without }}}} in {text}"));
            let value = self.0.get(name).ok_or_else(|| format!("  not sent: {name} is of a step that failed\n"))?;
            filled.push_str(value);
            filled.push_str(rest);
        }
        Ok(filled)
    }

    /// Whether the answer says at least this; learns the new names in it.
    fn unify(&mut self, actual: &Value, expected: &Value, at: &str) -> Result<(), String> {
        match (actual, expected) {
            (Value::Object(actual), Value::Object(expected)) => expected.iter().try_for_each(|(name, expected)| {
                let at = format!("{at}/{name}");
                match actual.get(name) {
                    Some(actual) => self.unify(actual, expected, &at),
                    None if expected.is_null() => Ok(()),
                    None => Err(format!("{at} is not there, but should be {expected}")),
                }
            }),
            (Value::Array(actual), Value::Array(expected)) if actual.len() == expected.len() => {
                let mut left: Vec<&Value> = actual.iter().collect();
                expected.iter().enumerate().try_for_each(|(i, expected)| {
                    let problems: Vec<String> =
                        left.iter().map_while(|actual| self.unify(actual, expected, at).err()).collect();
                    if problems.len() == left.len() {
                        return Err(format!(
                            "{at} has nothing that is {expected} (element {i}): {}",
                            problems.join("; ")
                        ));
                    }
                    left.remove(problems.len());
                    Ok(())
                })
            }
            (Value::String(actual), Value::String(expected)) => {
                if let Some(name) = expected.strip_prefix("{{new ").and_then(|rest| rest.strip_suffix("}}")) {
                    self.0.insert(name.to_owned(), actual.clone());
                    return Ok(());
                }
                let expected = self.fill(expected)?;
                if *actual == expected {
                    Ok(())
                } else {
                    Err(format!("{at} is {actual:?}, but should be {expected:?}"))
                }
            }
            _ if actual == expected => Ok(()),
            _ => Err(format!("{at} is {actual}, but should be {expected}")),
        }
    }
}

fn headers(lines: &[&str]) -> Headers {
    let lines = lines.iter().filter(|line| is_header(line));
    let pair = |line: &&str| line.split_once(':').map(|(name, value)| (name.to_owned(), value.trim().to_owned()));
    lines.filter_map(pair).collect()
}

fn is_header(line: &str) -> bool {
    line.split_once(':').is_some_and(|(name, _)| name.chars().all(|c| c.is_ascii_lowercase() || c == '-'))
}

#[test]
fn every_transcript_is_replayed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("it/transcripts");
    let mut there: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    there.sort();
    let mut known = FILES.to_vec();
    known.sort_unstable();
    assert_eq!(there, known);
}

#[tokio::test]
async fn a_wrong_answer_is_told_with_its_step() {
    let text = r#"
[every request]
authorization: Bearer {{token}}
[with a body]
content-type: application/scim+json

--- Create
POST /Users
{"userName":"ann","title":"Dr."}
=> 201 {"id": "{{new ann}}", "title": "Dr.", "nickName": null}

--- Another status
GET /Users/{{ann}}
=> 404

--- Another value
GET /Users/{{ann}}
=> 200 {"id": "{{ann}}", "title": "Mr."}

--- A member too many
GET /Users
=> 200 {"Resources": [{"id": "{{ann}}", "title": null}]}

--- A member too few
GET /Users
=> 200 {"Resources": [{"id": "{{new other}}", "nickName": "An"}]}

--- Of a step that failed
GET /Users/{{other}}/{{group}}
=> 200

--- Without a token
GET /Users/{{ann}}
authorization:
=> 200
"#;
    let wrong = Transcript::parse("test", text).play(&Customer::new().await).await;
    let firsts: Vec<String> = wrong.iter().map(|text| text.lines().take(2).collect::<Vec<_>>().join(":")).collect();
    let expected = [
        "test, step \"Another status\":  the status should be 404",
        "test, step \"Another value\":  /title is \"Dr.\", but should be \"Mr.\"",
        "test, step \"A member too many\":  /Resources has nothing that is {\"id\":\"{{ann}}\",\"title\":null} (element 0): /Resources/title is \"Dr.\", but should be null",
        "test, step \"A member too few\":  /Resources has nothing that is {\"id\":\"{{new other}}\",\"nickName\":\"An\"} (element 0): /Resources/nickName is not there, but should be \"An\"",
        "test, step \"Of a step that failed\":  not sent: group is of a step that failed",
        "test, step \"Without a token\":  the status should be 200",
    ];
    assert_eq!(firsts, expected);
}

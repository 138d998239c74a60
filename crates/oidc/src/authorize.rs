//! The authorization request: read, judged against the client, and answered by a redirect.
//! Who signs in, and how, is not known here.

use serde::{Deserialize, Serialize};
use url::form_urlencoded;

use crate::client::Client;
use crate::error::{ErrorCode, OAuthError, invalid_request};
use crate::form::Form;
use crate::pkce;
use crate::scope::{Scope, Scopes};

/// The parameters as sent (RFC 6749 4.1.1, RFC 7636 4.3, OpenID Connect Core 3.1.2.1), and our own `tenant` and `connection`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parameters {
    /// Which client asks; look it up, then call [`validate`].
    pub client_id: Option<String>,
    /// Where the answer shall go.
    pub redirect_uri: Option<String>,
    /// Must be `code`.
    pub response_type: Option<String>,
    /// `query`, or absent.
    pub response_mode: Option<String>,
    /// What is asked for; must contain `openid`.
    pub scope: Option<String>,
    /// The client's own value, given back unchanged.
    pub state: Option<String>,
    /// Put into the ID token unchanged.
    pub nonce: Option<String>,
    /// PKCE (RFC 7636).
    pub code_challenge: Option<String>,
    /// Must be `S256`.
    pub code_challenge_method: Option<String>,
    /// `none`, `login`, ...
    pub prompt: Option<String>,
    /// The greatest age in seconds that a sign-in may have.
    pub max_age: Option<String>,
    /// Whom the client expects.
    pub login_hint: Option<String>,
    /// A domain that tells the tenant.
    pub domain_hint: Option<String>,
    /// The tenant's slug or id.
    pub tenant: Option<String>,
    /// The connection's id.
    pub connection: Option<String>,
    /// A request object; not supported.
    pub request: Option<String>,
    /// The address of a request object; not supported.
    pub request_uri: Option<String>,
}

impl Parameters {
    /// Reads a query string or form body; a parameter sent twice is an error, unknown ones are ignored (RFC 6749 3.1).
    pub fn parse(encoded: &str) -> Result<Self, OAuthError> {
        let form = Form::parse(encoded)?;
        Ok(Self {
            client_id: form.owned("client_id")?,
            redirect_uri: form.owned("redirect_uri")?,
            response_type: form.owned("response_type")?,
            response_mode: form.owned("response_mode")?,
            scope: form.owned("scope")?,
            state: form.owned("state")?,
            nonce: form.owned("nonce")?,
            code_challenge: form.owned("code_challenge")?,
            code_challenge_method: form.owned("code_challenge_method")?,
            prompt: form.owned("prompt")?,
            max_age: form.owned("max_age")?,
            login_hint: form.owned("login_hint")?,
            domain_hint: form.owned("domain_hint")?,
            tenant: form.owned("tenant")?,
            connection: form.owned("connection")?,
            request: form.owned("request")?,
            request_uri: form.owned("request_uri")?,
        })
    }
}

/// What the client wants the user to see (OpenID Connect Core 3.1.2.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Prompt {
    /// Nothing: answer at once or with `login_required`.
    None,
    /// A fresh sign-in, whatever session there is.
    Login,
    /// Whatever is needed.
    #[default]
    Default,
}

/// A request that passed every check; stored while the user is at the identity provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthorizeRequest {
    /// The client that asked.
    pub client_id: String,
    /// Where the answer goes, as sent; the token request must repeat it (RFC 6749 4.1.3).
    pub redirect_uri: String,
    /// What is granted once the user is known.
    pub scope: Scopes,
    /// Given back unchanged.
    pub state: Option<String>,
    /// Put into the ID token.
    pub nonce: Option<String>,
    /// The S256 challenge (RFC 7636 4.2).
    pub code_challenge: String,
    /// What the user may be shown.
    pub prompt: Prompt,
    /// The greatest age in seconds that a sign-in may have.
    pub max_age: Option<u32>,
    /// Whom the client expects.
    pub login_hint: Option<String>,
    /// A domain that tells the tenant.
    pub domain_hint: Option<String>,
    /// The tenant's slug or id.
    pub tenant: Option<String>,
    /// The connection's id.
    pub connection: Option<String>,
}

/// Why a request is refused, and to whom that may be said (RFC 6749 4.1.2.1).
#[derive(Debug, PartialEq, Eq)]
pub enum AuthorizeFailure {
    /// Client or redirect address is wrong: tell the user, never redirect.
    ShowToUser(OAuthError),
    /// Tell the client, by this redirect.
    Redirect {
        /// The client's address with `error`, `error_description`, `state` and `iss`.
        url: String,
    },
}

/// Judges a request: first whether an answer may be sent at all, then everything else (RFC 9700 2.1).
pub fn validate(parameters: &Parameters, client: &Client, issuer: &str) -> Result<AuthorizeRequest, AuthorizeFailure> {
    let redirect_uri = allowed_redirect(parameters, client).map_err(AuthorizeFailure::ShowToUser)?;
    let state = parameters.state.as_deref();
    check(parameters, client, redirect_uri).map_err(|error| AuthorizeFailure::Redirect {
        url: failure_url(redirect_uri, error.code, &error.description, state, issuer),
    })
}

fn allowed_redirect<'a>(parameters: &'a Parameters, client: &Client) -> Result<&'a str, OAuthError> {
    if parameters.client_id.as_deref() != Some(client.id.as_str()) {
        return Err(OAuthError::new(ErrorCode::InvalidClient, "The client_id is missing or unknown."));
    }
    let redirect_uri =
        parameters.redirect_uri.as_deref().ok_or_else(|| invalid_request("The parameter redirect_uri is missing."))?;
    if !client.may_redirect_to(redirect_uri) {
        return Err(invalid_request("The redirect_uri is not registered for this client; it must match exactly."));
    }
    Ok(redirect_uri)
}

fn check(parameters: &Parameters, client: &Client, redirect_uri: &str) -> Result<AuthorizeRequest, OAuthError> {
    if parameters.request.is_some() {
        return Err(OAuthError::new(ErrorCode::RequestNotSupported, "Send parameters, not a request object."));
    }
    if parameters.request_uri.is_some() {
        return Err(OAuthError::new(ErrorCode::RequestUriNotSupported, "Send parameters, not a request_uri."));
    }
    check_response(parameters)?;
    let code_challenge = challenge(parameters)?;
    let scope = Scopes::parse(parameters.scope.as_deref().unwrap_or_default());
    if !scope.contains(Scope::OpenId) {
        return Err(OAuthError::new(ErrorCode::InvalidScope, "The scope must contain openid."));
    }
    Ok(AuthorizeRequest {
        client_id: client.id.clone(),
        redirect_uri: redirect_uri.to_owned(),
        scope,
        state: parameters.state.clone(),
        nonce: parameters.nonce.clone(),
        code_challenge,
        prompt: prompt(parameters.prompt.as_deref())?,
        max_age: max_age(parameters.max_age.as_deref())?,
        login_hint: parameters.login_hint.clone(),
        domain_hint: parameters.domain_hint.clone(),
        tenant: parameters.tenant.clone(),
        connection: parameters.connection.clone(),
    })
}

fn check_response(parameters: &Parameters) -> Result<(), OAuthError> {
    match parameters.response_type.as_deref() {
        Some("code") => {}
        Some(_) => {
            return Err(OAuthError::new(ErrorCode::UnsupportedResponseType, "Only response_type=code is supported."));
        }
        None => return Err(invalid_request("The parameter response_type is missing.")),
    }
    match parameters.response_mode.as_deref() {
        None | Some("query") => Ok(()),
        Some(_) => Err(invalid_request("Only response_mode=query is supported.")),
    }
}

// RFC 9700 2.1.1: PKCE for every client, so that a stolen code is worth nothing and a swapped one is noticed.
fn challenge(parameters: &Parameters) -> Result<String, OAuthError> {
    let challenge = parameters
        .code_challenge
        .as_deref()
        .ok_or_else(|| invalid_request("PKCE is required: the parameter code_challenge is missing."))?;
    // RFC 7636 4.3: without a method it would be `plain`.
    if parameters.code_challenge_method.as_deref() != Some("S256") {
        return Err(invalid_request("PKCE is required with code_challenge_method=S256."));
    }
    if !pkce::is_s256_challenge(challenge) {
        return Err(invalid_request("The code_challenge is not an S256 challenge of 43 characters."));
    }
    Ok(challenge.to_owned())
}

fn prompt(list: Option<&str>) -> Result<Prompt, OAuthError> {
    let words: Vec<&str> = list.unwrap_or_default().split(' ').filter(|word| !word.is_empty()).collect();
    let mut prompt = Prompt::Default;
    for word in &words {
        match *word {
            "none" if words.len() == 1 => prompt = Prompt::None,
            "none" => return Err(invalid_request("prompt=none stands alone.")),
            // A fresh sign-in at the identity provider is where a user can choose an account.
            "login" | "select_account" => prompt = Prompt::Login,
            // There is no consent page: the vendor's app is the tenant's own.
            "consent" => {}
            _ => return Err(invalid_request("The prompt is not one of none, login, consent, select_account.")),
        }
    }
    Ok(prompt)
}

fn max_age(seconds: Option<&str>) -> Result<Option<u32>, OAuthError> {
    seconds
        .map(|seconds| seconds.parse().map_err(|_| invalid_request("The max_age is not a number of seconds.")))
        .transpose()
}

impl AuthorizeRequest {
    /// Where to send the browser with the code (RFC 6749 4.1.2, RFC 9207 2).
    pub fn success_url(&self, code: &str, issuer: &str) -> String {
        answer_url(&self.redirect_uri, &[("code", code)], self.state.as_deref(), issuer)
    }

    /// Where to send the browser with an error (RFC 6749 4.1.2.1, RFC 9207 2).
    pub fn error_url(&self, code: ErrorCode, description: &str, issuer: &str) -> String {
        failure_url(&self.redirect_uri, code, description, self.state.as_deref(), issuer)
    }
}

fn failure_url(redirect_uri: &str, code: ErrorCode, description: &str, state: Option<&str>, issuer: &str) -> String {
    let answer = [("error", code.as_str()), ("error_description", description)];
    answer_url(redirect_uri, &answer, state, issuer)
}

// Appended as text: the registered address is sent back byte for byte, its own query kept (RFC 6749 3.1.2).
fn answer_url(redirect_uri: &str, answer: &[(&str, &str)], state: Option<&str>, issuer: &str) -> String {
    let mut url = redirect_uri.to_owned();
    let query_start = match url.find('?') {
        Some(mark) => mark + 1,
        None => {
            url.push('?');
            url.len()
        }
    };
    let mut query = form_urlencoded::Serializer::for_suffix(url, query_start);
    query.extend_pairs(answer);
    if let Some(state) = state {
        query.append_pair("state", state);
    }
    query.append_pair("iss", issuer);
    query.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::Algorithm;

    const ISSUER: &str = "https://id.example.test";
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
    const GOOD: [(&str, &str); 8] = [
        ("response_type", "code"),
        ("client_id", "app"),
        ("redirect_uri", "https://app.test/cb"),
        ("scope", "openid email"),
        ("state", "s p&ce"),
        ("nonce", "n1"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];

    fn client() -> Client {
        Client {
            id: "app".into(),
            redirect_uris: vec!["https://app.test/cb".into(), "https://app.test/q?a=1".into()],
            confidential: false,
            id_token_alg: Algorithm::Rs256,
        }
    }

    /// The good request with one parameter changed, added, or (when empty) left out.
    fn with(name: &str, value: &str) -> Parameters {
        let mut pairs = GOOD.to_vec();
        pairs.retain(|(key, _)| *key != name);
        pairs.push((name, value));
        let encoded = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        Parameters::parse(&encoded).expect("well formed")
    }

    fn judge(name: &str, value: &str) -> Result<AuthorizeRequest, AuthorizeFailure> {
        validate(&with(name, value), &client(), ISSUER)
    }

    #[test]
    fn a_good_request_passes_and_is_answered() {
        let request = judge("tenant", "acme").expect("nothing is wrong with it");
        assert_eq!(request.tenant.as_deref(), Some("acme"));
        assert_eq!(request.scope, Scopes::parse("openid email"));
        assert_eq!(request.prompt, Prompt::Default);
        assert_eq!(
            request.success_url("c/1", ISSUER),
            "https://app.test/cb?code=c%2F1&state=s+p%26ce&iss=https%3A%2F%2Fid.example.test"
        );
        assert_eq!(
            request.error_url(ErrorCode::LoginRequired, "Sign in.", ISSUER),
            "https://app.test/cb?error=login_required&error_description=Sign+in.&state=s+p%26ce\
             &iss=https%3A%2F%2Fid.example.test"
        );
        let stored = serde_json::to_string(&request).expect("plain data");
        assert_eq!(serde_json::from_str::<AuthorizeRequest>(&stored).expect("the same"), request);
    }

    #[test]
    fn an_address_keeps_its_own_query() {
        let request = judge("redirect_uri", "https://app.test/q?a=1").expect("registered");
        assert!(request.success_url("c", ISSUER).starts_with("https://app.test/q?a=1&code=c&"));
    }

    #[test]
    fn a_wrong_client_or_address_never_redirects() {
        let cases = [
            ("client_id", ""),
            ("client_id", "other"),
            ("redirect_uri", ""),
            ("redirect_uri", "https://app.test/cb/"),
            ("redirect_uri", "https://app.test/cb/../../evil"),
            ("redirect_uri", "https://app.test.evil.test/cb"),
            ("redirect_uri", "https://app.test@evil.test/cb"),
            ("redirect_uri", "https://app.test/cb?extra=1"),
            ("redirect_uri", "https://app.test/cb#fragment"),
            ("redirect_uri", "//evil.test"),
        ];
        for (name, value) in cases {
            let failure = judge(name, value).expect_err(value);
            assert!(matches!(failure, AuthorizeFailure::ShowToUser(_)), "{name}={value}: {failure:?}");
        }
    }

    #[test]
    fn everything_else_is_told_to_the_client() {
        let cases = [
            ("response_type", "", "invalid_request"),
            ("response_type", "token", "unsupported_response_type"),
            ("response_type", "id_token", "unsupported_response_type"),
            ("response_type", "code id_token", "unsupported_response_type"),
            ("response_mode", "fragment", "invalid_request"),
            ("response_mode", "form_post", "invalid_request"),
            ("scope", "", "invalid_scope"),
            ("scope", "email profile", "invalid_scope"),
            ("code_challenge", "", "invalid_request"),
            ("code_challenge", "short", "invalid_request"),
            ("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw+cM", "invalid_request"),
            ("code_challenge_method", "", "invalid_request"),
            ("code_challenge_method", "plain", "invalid_request"),
            ("code_challenge_method", "s256", "invalid_request"),
            ("request", "eyJ", "request_not_supported"),
            ("request_uri", "https://app.test/r", "request_uri_not_supported"),
            ("prompt", "none login", "invalid_request"),
            ("prompt", "create", "invalid_request"),
            ("max_age", "-1", "invalid_request"),
            ("max_age", "soon", "invalid_request"),
            ("max_age", "99999999999", "invalid_request"),
        ];
        for (name, value, code) in cases {
            let Err(AuthorizeFailure::Redirect { url }) = judge(name, value) else { panic!("{name}={value}") };
            assert!(url.starts_with(&format!("https://app.test/cb?error={code}&")), "{name}={value}: {url}");
            assert!(url.ends_with("&state=s+p%26ce&iss=https%3A%2F%2Fid.example.test"), "{url}");
        }
    }

    #[test]
    fn prompts_and_ages_are_read() {
        let prompts = [
            ("", Prompt::Default),
            ("none", Prompt::None),
            ("login", Prompt::Login),
            ("consent login", Prompt::Login),
            ("select_account", Prompt::Login),
            ("consent", Prompt::Default),
        ];
        for (value, expected) in prompts {
            assert_eq!(judge("prompt", value).expect(value).prompt, expected, "{value}");
        }
        assert_eq!(judge("max_age", "0").expect("a number").max_age, Some(0));
        assert_eq!(judge("response_mode", "query").expect("the default").max_age, None);
    }

    #[test]
    fn parameters_stand_once() {
        assert!(Parameters::parse("client_id=a&client_id=a").is_err());
        assert!(Parameters::parse("redirect_uri=https://app.test&redirect%5Furi=https://evil.test").is_err());
        assert!(Parameters::parse("state=%0a").is_err());
        assert!(Parameters::parse(&format!("state={}", "x".repeat(2049))).is_err());
        assert_eq!(Parameters::parse("unknown=1&unknown=2"), Ok(Parameters::default()));
    }
}

//! The authorization request: read, judged against the client, and answered by a redirect.
//! Who signs in, and how, is not known here.

use serde::{Deserialize, Serialize};
use url::form_urlencoded;
use uuid::Uuid;

use crate::client::{self, Client, Packed};
use crate::error::{ErrorCode, OAuthError, invalid_request};
use crate::form::Form;
use crate::pkce;
use crate::scope::{Scope, Scopes};

/// The parameters as sent (RFC 6749 4.1.1, RFC 7636 4.3, RFC 8707 2, OpenID Connect Core 3.1.2.1), and those that say by
/// which way the user comes: our own `tenant` and `connection`, and the names that other providers gave them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parameters {
    /// Which client asks; look it up, then call [`validate`].
    pub client_id: Option<String>,
    /// Where the answer shall go.
    pub redirect_uri: Option<String>,
    /// Must be `code`.
    pub response_type: Option<String>,
    /// `query` or `form_post`, or absent.
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
    /// An ID token of ours: whom the client expects, and nobody else (OpenID Connect Core 3.1.2.1).
    pub id_token_hint: Option<String>,
    /// The languages of pages, best first.
    pub ui_locales: Option<String>,
    /// Whom the access token is for.
    pub resource: Option<String>,
    /// The tenant: its short name, id, domain, or another name for it.
    pub tenant: Option<String>,
    /// The connection: its id, or another name for it.
    pub connection: Option<String>,
    /// A request object; not supported.
    pub request: Option<String>,
    /// A request that was sent ahead (RFC 9126 4); others are not supported.
    pub request_uri: Option<String>,
}

/// Names of the tenant: ours; Auth0's and `WorkOS`'s.
pub const TENANT: [&str; 2] = ["tenant", "organization"];

/// Names of the connection: ours, `WorkOS`'s and Auth0's; Cognito's two; Keycloak's.
pub const CONNECTION: [&str; 4] = ["connection", "identity_provider", "idp_identifier", "kc_idp_hint"];

/// Names of the languages: the standard's; Cognito's.
const LOCALES: [&str; 2] = ["ui_locales", "lang"];

impl Parameters {
    /// Reads a query string or form body; a parameter sent twice is an error, unknown ones are ignored (RFC 6749 3.1).
    pub fn parse(encoded: &str) -> Result<Self, OAuthError> {
        let form = Form::parse(encoded)?;
        let (client_id, tenant) = client(&form)?;
        Ok(Self {
            client_id,
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
            id_token_hint: form.token("id_token_hint")?.map(str::to_owned),
            ui_locales: one_of(&form, LOCALES)?,
            resource: form.owned("resource")?,
            tenant: tenant.or(one_of(&form, TENANT)?),
            connection: one_of(&form, CONNECTION)?,
            request: form.owned("request")?,
            request_uri: form.owned("request_uri")?,
        })
    }

    /// Whether this is a bookmark that asks for a token by redirect, as Cognito's customers have them. Such a request is never
    /// answered as it asks; but the user who follows it can be signed in and brought to the application.
    pub fn is_entry_link(&self) -> bool {
        let asks_for_token = self.response_type.as_deref() == Some("token");
        asks_for_token && self.connection.is_some() && self.code_challenge.is_none()
    }

    /// What was sent ahead, by the way that the browser adds where it says none (RFC 9126 4): the login page may have been asked.
    #[must_use]
    pub fn by_way_of(self, browser: Self) -> Self {
        let names_way = self.tenant.is_some() || self.connection.is_some();
        let Self { tenant, connection, login_hint, domain_hint, .. } = if names_way { self.clone() } else { browser };
        Self {
            tenant,
            connection,
            login_hint: self.login_hint.clone().or(login_hint),
            domain_hint: self.domain_hint.clone().or(domain_hint),
            ..self
        }
    }
}

/// The client, and the tenant that Polis packs into its id; or that it names beside it with `product`, for any client (`dummy`).
fn client(form: &Form<'_>) -> Result<(Option<String>, Option<String>), OAuthError> {
    let id = form.owned("client_id")?;
    if id.as_deref().is_none_or(|id| id == client::ANY)
        && let (Some(tenant), Some(product)) = (form.owned("tenant")?, form.owned("product")?)
    {
        let packed = Packed { tenant, product };
        return Ok((Some(packed.to_string()), Some(packed.tenant)));
    }
    let packed = id.as_deref().map(client::unpacked).transpose()?.flatten();
    Ok((id, packed.map(|packed| packed.tenant)))
}

/// The value of a parameter that has several names; two that differ are a mistake.
fn one_of<const N: usize>(form: &Form<'_>, names: [&'static str; N]) -> Result<Option<String>, OAuthError> {
    let mut found: Option<(&str, String)> = None;
    for name in names {
        match (&found, form.owned(name)?) {
            (Some((first, value)), Some(other)) if *value != other => {
                return Err(invalid_request(format!("The parameters {first} and {name} mean the same and differ.")));
            }
            (None, Some(value)) => found = Some((name, value)),
            _ => {}
        }
    }
    Ok(found.map(|(_, value)| value))
}

/// How the answer travels (OAuth 2.0 Multiple Response Types 2.1, OAuth 2.0 Form Post Response Mode).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResponseMode {
    /// In the address.
    #[default]
    Query,
    /// In a form that the browser posts.
    FormPost,
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
    /// The only user for whom there may be an answer.
    #[serde(default)]
    pub hinted_user: Option<Uuid>,
    /// How the answer travels.
    #[serde(default)]
    pub response_mode: ResponseMode,
    /// Whom the access token is for, beside ourselves.
    #[serde(default)]
    pub resource: Option<String>,
}

/// An answer on its way to the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The client's address.
    pub redirect_uri: String,
    /// What it is told, in order.
    pub parameters: Vec<(&'static str, String)>,
    /// How.
    pub mode: ResponseMode,
}

impl Answer {
    /// The address with the answer in it.
    pub fn url(&self) -> String {
        // Appended as text: the registered address is sent back byte for byte, its own query kept (RFC 6749 3.1.2).
        let mut url = self.redirect_uri.clone();
        let query_start = match url.find('?') {
            Some(mark) => mark + 1,
            None => {
                url.push('?');
                url.len()
            }
        };
        form_urlencoded::Serializer::for_suffix(url, query_start).extend_pairs(&self.parameters).finish()
    }
}

/// Why a request is refused, and to whom that may be said (RFC 6749 4.1.2.1).
#[derive(Debug, PartialEq, Eq)]
pub enum AuthorizeFailure {
    /// Client or redirect address is wrong: tell the user, never redirect.
    ShowToUser(OAuthError),
    /// Tell the client.
    Tell {
        /// `error`, `error_description`, `state` and `iss`, for the browser to carry.
        answer: Answer,
        /// The same for whoever asks directly (RFC 9126 2.3).
        error: OAuthError,
    },
}

/// Judges a request: first whether an answer may be sent at all, then everything else (RFC 9700 2.1).
pub fn validate(parameters: &Parameters, client: &Client, issuer: &str) -> Result<AuthorizeRequest, AuthorizeFailure> {
    let redirect_uri = allowed_redirect(parameters, client).map_err(AuthorizeFailure::ShowToUser)?;
    let (state, mode) = (parameters.state.as_deref(), response_mode(parameters));
    let judged = mode.clone().and_then(|mode| check(parameters, client, redirect_uri, mode));
    judged.map_err(|error| {
        let asked = Asked { redirect_uri, state, mode: mode.unwrap_or_default() };
        AuthorizeFailure::Tell { answer: asked.error(error.code, &error.description, issuer), error }
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

fn check(
    parameters: &Parameters,
    client: &Client,
    redirect_uri: &str,
    response_mode: ResponseMode,
) -> Result<AuthorizeRequest, OAuthError> {
    if parameters.request.is_some() {
        return Err(OAuthError::new(ErrorCode::RequestNotSupported, "Send parameters, not a request object."));
    }
    if parameters.request_uri.is_some() {
        let sentence = "Send parameters, or a request_uri that /oauth2/par has answered less than ten minutes ago.";
        return Err(OAuthError::new(ErrorCode::RequestUriNotSupported, sentence));
    }
    check_response_type(parameters)?;
    let code_challenge = challenge(parameters)?;
    let scope = Scopes::parse(parameters.scope.as_deref().unwrap_or_default());
    if !scope.contains(Scope::OpenId) {
        return Err(OAuthError::new(ErrorCode::InvalidScope, "The scope must contain openid."));
    }
    client.check_resource(parameters.resource.as_deref())?;
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
        hinted_user: None,
        response_mode,
        resource: parameters.resource.clone(),
    })
}

fn check_response_type(parameters: &Parameters) -> Result<(), OAuthError> {
    match parameters.response_type.as_deref() {
        Some("code") => Ok(()),
        Some(_) => Err(OAuthError::new(ErrorCode::UnsupportedResponseType, "Only response_type=code is supported.")),
        None => Err(invalid_request("The parameter response_type is missing.")),
    }
}

fn response_mode(parameters: &Parameters) -> Result<ResponseMode, OAuthError> {
    match parameters.response_mode.as_deref() {
        None | Some("query") => Ok(ResponseMode::Query),
        Some("form_post") => Ok(ResponseMode::FormPost),
        Some(_) => Err(invalid_request("Only response_mode query and form_post are supported.")),
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
    /// What to send the browser back with: the code (RFC 6749 4.1.2, RFC 9207 2).
    pub fn success(&self, code: &str, issuer: &str) -> Answer {
        self.asked().answer(vec![("code", code.to_owned())], issuer)
    }

    /// What to send the browser back with: an error (RFC 6749 4.1.2.1, RFC 9207 2).
    pub fn error(&self, code: ErrorCode, description: &str, issuer: &str) -> Answer {
        self.asked().error(code, description, issuer)
    }

    fn asked(&self) -> Asked<'_> {
        Asked { redirect_uri: &self.redirect_uri, state: self.state.as_deref(), mode: self.response_mode }
    }
}

/// Where an answer goes, and how.
struct Asked<'a> {
    redirect_uri: &'a str,
    state: Option<&'a str>,
    mode: ResponseMode,
}

impl Asked<'_> {
    fn error(self, code: ErrorCode, description: &str, issuer: &str) -> Answer {
        let told = vec![("error", code.as_str().to_owned()), ("error_description", description.to_owned())];
        self.answer(told, issuer)
    }

    fn answer(self, mut parameters: Vec<(&'static str, String)>, issuer: &str) -> Answer {
        parameters.extend(self.state.map(|state| ("state", state.to_owned())));
        parameters.push(("iss", issuer.to_owned()));
        Answer { redirect_uri: self.redirect_uri.to_owned(), parameters, mode: self.mode }
    }
}

#[cfg(test)]
mod tests;

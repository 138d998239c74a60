//! The vendor's app as an OpenID Connect client, by the library `openidconnect` and nothing of Gatehouse's.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow, bail, ensure};
use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreAuthenticationFlow, CoreClaimName, CoreClaimType, CoreClientAuthMethod,
    CoreErrorResponseType, CoreGenderClaim, CoreGrantType, CoreJsonWebKey, CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm, CoreJwsSigningAlgorithm, CoreResponseMode, CoreResponseType, CoreRevocableToken,
    CoreRevocationErrorResponse, CoreSubjectIdentifierType, CoreTokenIntrospectionResponse, CoreTokenType,
};
use openidconnect::{
    AccessToken, AccessTokenHash, AdditionalClaims, AdditionalProviderMetadata, AsyncHttpClient, AuthorizationCode,
    Client, ClientId, ClientSecret, CsrfToken, EmptyExtraTokenFields, EndpointMaybeSet, EndpointNotSet, EndpointSet,
    HttpRequest, HttpResponse, IdTokenClaims, IdTokenFields, IntrospectionUrl, IssuerUrl, Nonce, OAuth2TokenResponse,
    PkceCodeChallenge, PkceCodeVerifier, ProviderMetadata, RedirectUrl, RefreshToken, RequestTokenError, RevocationUrl,
    Scope, StandardErrorResponse, StandardTokenResponse, TokenIntrospectionResponse, TokenResponse,
};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

const TIMEOUT: Duration = Duration::from_secs(5);
const SCOPES: [&str; 4] = ["profile", "email", "roles", "offline_access"];

/// The claims that Gatehouse adds to the standard ones.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct GatehouseClaims {
    pub(super) tenant_id: String,
    #[serde(default)]
    pub(super) roles: Vec<String>,
    pub(super) sid: Option<String>,
}

impl AdditionalClaims for GatehouseClaims {}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct MoreEndpoints {
    introspection_endpoint: IntrospectionUrl,
    revocation_endpoint: RevocationUrl,
}

impl AdditionalProviderMetadata for MoreEndpoints {}

type Metadata = ProviderMetadata<
    MoreEndpoints,
    CoreAuthDisplay,
    CoreClientAuthMethod,
    CoreClaimName,
    CoreClaimType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseMode,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;

type Tokens = StandardTokenResponse<
    IdTokenFields<
        GatehouseClaims,
        EmptyExtraTokenFields,
        CoreGenderClaim,
        CoreJweContentEncryptionAlgorithm,
        CoreJwsSigningAlgorithm,
    >,
    CoreTokenType,
>;

type OidcClient = Client<
    GatehouseClaims,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    StandardErrorResponse<CoreErrorResponseType>,
    Tokens,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointSet,
    EndpointSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

pub(super) type Claims = IdTokenClaims<GatehouseClaims, CoreGenderClaim>;

/// The provider, found when it is first needed, because the app may be up before it.
pub(super) struct Provider {
    issuer: String,
    client_id: String,
    client_secret: Option<String>,
    redirect_uri: String,
    http: Http,
    found: Mutex<Option<Arc<OidcClient>>>,
}

/// What has to be remembered between leaving for the provider and coming back.
pub(super) struct Departure {
    pub(super) url: String,
    pub(super) state: String,
    pub(super) nonce: Nonce,
    pub(super) verifier: PkceCodeVerifier,
}

/// Who came back, verified.
pub(super) struct Arrival {
    pub(super) claims: Claims,
    pub(super) id_token: String,
    pub(super) access_token: AccessToken,
    pub(super) refresh_token: Option<RefreshToken>,
}

/// What the provider says about an access that was once given.
pub(super) enum Standing {
    /// It still holds.
    Active,
    /// It goes on with these new tokens.
    Renewed(AccessToken, Option<RefreshToken>),
    /// It is over.
    Ended,
}

impl Provider {
    pub(super) fn new(
        issuer: &str,
        client_id: &str,
        client_secret: Option<&str>,
        redirect_uri: String,
    ) -> anyhow::Result<Self> {
        let client = reqwest::Client::builder().timeout(TIMEOUT).redirect(reqwest::redirect::Policy::none());
        Ok(Self {
            issuer: issuer.to_owned(),
            client_id: client_id.to_owned(),
            client_secret: client_secret.map(str::to_owned),
            redirect_uri,
            http: Http(client.build().context("no HTTP client")?),
            found: Mutex::new(None),
        })
    }

    pub(super) fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Prepares the way to the provider (RFC 6749 4.1.1 with PKCE and nonce).
    pub(super) async fn depart(&self, tenant: &str, login_hint: Option<&str>) -> anyhow::Result<Departure> {
        let client = self.client().await?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let flow = CoreAuthenticationFlow::AuthorizationCode;
        let mut request = client
            .authorize_url(flow, CsrfToken::new_random, Nonce::new_random)
            .add_scopes(SCOPES.map(|scope| Scope::new(scope.to_owned())))
            .set_pkce_challenge(challenge)
            .add_extra_param("tenant", tenant);
        if let Some(hint) = login_hint {
            request = request.add_extra_param("login_hint", hint);
        }
        let (url, state, nonce) = request.url();
        Ok(Departure { url: url.into(), state: state.into_secret(), nonce, verifier })
    }

    /// Exchanges the code and verifies everything that comes with it (OpenID Connect Core 3.1.3).
    pub(super) async fn arrive(
        &self,
        code: &str,
        verifier: PkceCodeVerifier,
        nonce: &Nonce,
    ) -> anyhow::Result<Arrival> {
        let client = self.client().await?;
        let tokens = client
            .exchange_code(AuthorizationCode::new(code.to_owned()))?
            .set_pkce_verifier(verifier)
            .request_async(&self.http)
            .await
            .map_err(|error| anyhow!("The provider did not exchange the code: {}", in_words(&error)))?;
        let claims = match verified(&client, &tokens, nonce) {
            Ok(claims) => claims,
            // Perhaps signed with a key that is newer than what we know: look once more.
            Err(_) => {
                *self.found.lock().await = None;
                verified(&*self.client().await?, &tokens, nonce)?
            }
        };
        Ok(Arrival {
            claims,
            id_token: tokens.id_token().map(ToString::to_string).unwrap_or_default(),
            access_token: tokens.access_token().clone(),
            refresh_token: tokens.refresh_token().cloned(),
        })
    }

    /// Asks whether the access still holds; renews it when it does not but may (RFC 7662, RFC 6749 6).
    pub(super) async fn standing(
        &self,
        access: &AccessToken,
        refresh: Option<&RefreshToken>,
    ) -> anyhow::Result<Standing> {
        let client = self.client().await?;
        let answer = client
            .introspect(access)
            .request_async(&self.http)
            .await
            .map_err(|error| anyhow!("the provider did not answer: {}", in_words(&error)))?;
        if answer.active() {
            return Ok(Standing::Active);
        }
        let Some(refresh) = refresh else { return Ok(Standing::Ended) };
        match client.exchange_refresh_token(refresh)?.request_async(&self.http).await {
            Ok(tokens) => Ok(Standing::Renewed(tokens.access_token().clone(), tokens.refresh_token().cloned())),
            // The provider refused: that is an answer. Everything else is none.
            Err(RequestTokenError::ServerResponse(_)) => Ok(Standing::Ended),
            Err(error) => bail!("the provider did not answer: {}", in_words(&error)),
        }
    }

    /// Gives the access back (RFC 7009).
    pub(super) async fn revoke(&self, refresh: RefreshToken) -> anyhow::Result<()> {
        let client = self.client().await?;
        client
            .revoke_token(CoreRevocableToken::RefreshToken(refresh))?
            .request_async(&self.http)
            .await
            .map_err(|error| anyhow!("the provider did not revoke: {}", in_words(&error)))
    }

    async fn client(&self) -> anyhow::Result<Arc<OidcClient>> {
        let mut found = self.found.lock().await;
        if let Some(client) = &*found {
            return Ok(Arc::clone(client));
        }
        let issuer = IssuerUrl::new(self.issuer.clone()).context("the issuer is not a URL")?;
        let metadata = Metadata::discover_async(issuer, &self.http)
            .await
            .with_context(|| format!("The provider at {} cannot be reached", self.issuer))?;
        let introspection = metadata.additional_metadata().introspection_endpoint.clone();
        let revocation = metadata.additional_metadata().revocation_endpoint.clone();
        let secret = self.client_secret.clone().map(ClientSecret::new);
        let redirect_uri = RedirectUrl::new(self.redirect_uri.clone()).context("the redirect address is not a URL")?;
        let client = Client::from_provider_metadata(metadata, ClientId::new(self.client_id.clone()), secret)
            .set_redirect_uri(redirect_uri)
            .set_introspection_url(introspection)
            .set_revocation_url(revocation);
        let client = Arc::new(client);
        *found = Some(Arc::clone(&client));
        Ok(client)
    }
}

fn verified(client: &OidcClient, tokens: &Tokens, nonce: &Nonce) -> anyhow::Result<Claims> {
    let id_token = tokens.id_token().context("The provider sent no ID token.")?;
    let verifier = client.id_token_verifier();
    let claims = id_token.claims(&verifier, nonce).context("The ID token is not valid")?;
    if let Some(expected) = claims.access_token_hash() {
        let algorithm = id_token.signing_alg().context("The ID token is not signed")?;
        let key = id_token.signing_key(&verifier).context("The ID token's key is unknown")?;
        let actual = AccessTokenHash::from_token(tokens.access_token(), algorithm, key)?;
        ensure!(actual == *expected, "The access token does not belong to the ID token.");
    }
    Ok(claims.clone())
}

fn in_words<E, R>(error: &RequestTokenError<E, R>) -> String
where
    E: std::error::Error + 'static,
    R: openidconnect::ErrorResponse + std::fmt::Display + 'static,
{
    match error {
        RequestTokenError::ServerResponse(response) => response.to_string(),
        RequestTokenError::Request(error) => error.to_string(),
        RequestTokenError::Parse(error, _) => error.to_string(),
        RequestTokenError::Other(error) => error.clone(),
    }
}

/// The library's view of our HTTP client.
struct Http(reqwest::Client);

impl<'c> AsyncHttpClient<'c> for Http {
    type Error = reqwest::Error;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, reqwest::Error>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async move {
            let received = self.0.execute(request.try_into()?).await?;
            let (status, headers) = (received.status(), received.headers().clone());
            let mut response = HttpResponse::new(received.bytes().await?.to_vec());
            *response.status_mut() = status;
            *response.headers_mut() = headers;
            Ok(response)
        })
    }
}

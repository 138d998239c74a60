//! Authorization requests that applications send ahead, where no browser can change or see them (RFC 9126).

use super::{
    authorize::registered,
    client,
    form::{read_form, wrong},
};
use crate::{
    app::App,
    error::{Error, OAuthFailure},
    secret::{self, Secret},
};
use ::oidc::{
    authorize::{self, AuthorizeFailure, Parameters},
    form::Form,
};
use axum::{
    Json,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use metrics::counter;
use serde_json::json;
use store::{applications::Application, control::ControlTx, pushed_requests};
use time::Duration;
use url::form_urlencoded;

const PREFIX: &str = "urn:ietf:params:oauth:request_uri:";

/// How long a request may be used: as long as a person may take to say which organization is meant. Whoever comes back by
/// the browser's button uses it again (RFC 9126 4); what it leads to is bound by PKCE.
const LIFETIME: Duration = Duration::minutes(10);

/// The longest request that is kept.
const LONGEST: usize = 8_192;

/// `POST /oauth2/par`
pub async fn post(State(app): State<App>, headers: HeaderMap, body: Bytes) -> Result<Response, OAuthFailure> {
    let now = app.clock.now();
    let text = read_form(&body)?;
    let form = Form::parse(text)?;
    let client = client::authenticate(&app, &headers, &form, "/oauth2/par", now).await?;
    // Anybody can name a public client.
    if !client.is_confidential && !app.limits.admits_pushed_request(client.application.id) {
        return Err(Error::TooManyRequests { seconds: 1 }.into());
    }
    if text.len() > LONGEST {
        return Err(wrong("The request is longer than 8 KB.").into());
    }
    let parameters: String = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(form_urlencoded::parse(text.as_bytes()).filter(|(name, _)| !is_proof(name)))
        .append_pair("client_id", &client.id)
        .finish();
    let read = Parameters::parse(&parameters)?;
    let registered = registered(&client.application, &client.settings, read.client_id.as_deref().unwrap_or_default());
    // What is wrong is told here, and not to the browser.
    match authorize::validate(&read, &registered, app.issuer()) {
        Ok(_) => {}
        Err(AuthorizeFailure::ShowToUser(error) | AuthorizeFailure::Tell { error, .. }) => return Err(error.into()),
    }
    let reference = Secret::plain();
    let mut tx = app.control(now).await.map_err(OAuthFailure::from)?;
    let (id, expires_at) = (client.application.id, now + LIFETIME);
    pushed_requests::insert(&mut tx, id, &reference.hash(), &parameters, expires_at).await?;
    tx.commit().await?;
    counter!("gatehouse_pushed_requests_total").increment(1);
    let answer =
        json!({ "request_uri": format!("{PREFIX}{}", reference.reveal()), "expires_in": LIFETIME.whole_seconds() });
    Ok((StatusCode::CREATED, [(header::CACHE_CONTROL, "no-store")], Json(answer)).into_response())
}

/// What proves the client, and its name, which is written anew.
fn is_proof(name: &str) -> bool {
    matches!(name, "client_id" | "client_secret" | "client_assertion" | "client_assertion_type")
}

/// The request that was sent ahead under the reference of this one, if it has one of ours.
///
/// # Errors
/// That it is over, or was another client's.
pub async fn sent_ahead(
    tx: &mut ControlTx,
    application: &Application,
    sent: &Parameters,
) -> Result<Option<String>, Error> {
    let Some(reference) = sent.request_uri.as_deref().and_then(|uri| uri.strip_prefix(PREFIX)) else { return Ok(None) };
    match pushed_requests::find(tx, application.id, &secret::hash(reference)).await? {
        Some(parameters) => Ok(Some(parameters)),
        None => {
            let sentence = "The request_uri is unknown, older than ten minutes, or another client's.";
            Err(wrong(sentence))
        }
    }
}

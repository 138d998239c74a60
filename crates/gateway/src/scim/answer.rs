//! Answers: a small one whole, a large one in pieces, each with a transaction of its own, so that a slow reader holds
//! neither the database nor memory.

use super::ScimResult;
use crate::error::{Error, SCIM_JSON};
use ::scim::user::Meta;
use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures_util::stream;
use serde_json::Value;

/// An answer that is made piece by piece.
pub trait Pieces: Send + 'static {
    /// The next piece; `None` after the last one.
    fn next(&mut self) -> impl Future<Output = Result<Option<String>, Error>> + Send;
}

/// Sends the first piece alone if there is no other, else all as they are made. A failure in the middle breaks the
/// connection off, so that nobody takes a part for the whole.
pub async fn in_pieces(mut pieces: impl Pieces) -> ScimResult {
    let first = pieces.next().await?.unwrap_or_default();
    let media_type = [(header::CONTENT_TYPE, SCIM_JSON)];
    let Some(second) = pieces.next().await? else {
        return Ok((StatusCode::OK, media_type, first).into_response());
    };
    let begun = vec![first, second].into_iter();
    let body = stream::try_unfold((begun, pieces), |(mut begun, mut pieces)| async move {
        let piece = match begun.next() {
            Some(piece) => Some(piece),
            None => pieces.next().await.inspect_err(|error| {
                tracing::error!(error = %error, "A large answer broke off");
            })?,
        };
        Ok::<_, Error>(piece.map(|piece| (piece, (begun, pieces))))
    });
    Ok((StatusCode::OK, media_type, Body::from_stream(body)).into_response())
}

/// A resource with its address and version (RFC 7644 3.14).
pub fn resource(status: StatusCode, body: &Value, meta: &Meta) -> Response {
    with_meta(crate::error::scim_json(status, body), meta)
}

/// The client has this version already.
pub fn not_modified(meta: &Meta) -> Response {
    with_meta(StatusCode::NOT_MODIFIED.into_response(), meta)
}

/// Says in the headers where the resource is and which version of it.
pub fn with_meta(mut response: Response, meta: &Meta) -> Response {
    if let (Ok(location), Ok(etag)) = (HeaderValue::from_str(&meta.location), HeaderValue::from_str(&meta.etag())) {
        response.headers_mut().insert(header::LOCATION, location);
        response.headers_mut().insert(header::ETAG, etag);
    }
    response
}

//! Cursors on the wire (RFC 9865 2). They are not signed: one that a client made up shows nothing that the client
//! could not ask for by a filter.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::Cursor;
use crate::error::{ScimError, ScimType};

/// The longest text that is looked at; the key of a long value may be in it.
const MAX_CHARS: usize = 64 * 1024;
/// Between the parts; no id has it, and Postgres would refuse a sort key with it.
const SEPARATOR: char = '\0';

impl Cursor {
    /// The cursor for `nextCursor`, of characters that need no escape in an address.
    pub fn encode(&self) -> String {
        let mut bytes = self.query.to_be_bytes().to_vec();
        bytes.extend(self.id.bytes());
        if let Some(key) = &self.sort_key {
            bytes.extend([0]);
            bytes.extend(key.bytes());
        }
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads a cursor that `encode` made; anything else is a 400 with `invalidCursor`.
    pub fn decode(text: &str) -> Result<Cursor, ScimError> {
        Self::read(text).ok_or_else(|| {
            ScimError::bad_request(
                ScimType::InvalidCursor,
                "The cursor is not one that this server gave. Start again at the first page with an empty cursor, and send \
                 nextCursor back as it came.",
            )
        })
    }

    fn read(text: &str) -> Option<Self> {
        if text.len() > MAX_CHARS {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (query, rest) = bytes.split_first_chunk::<8>()?;
        let rest = std::str::from_utf8(rest).ok()?;
        let (id, sort_key) = match rest.split_once(SEPARATOR) {
            None => (rest, None),
            Some((_, key)) if key.contains(SEPARATOR) => return None,
            Some((id, key)) => (id, Some(key.to_owned())),
        };
        let query = u64::from_be_bytes(*query);
        (!id.is_empty()).then(|| Self { query, sort_key, id: id.to_owned() })
    }
}

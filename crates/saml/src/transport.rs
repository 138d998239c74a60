//! Step 1: the form field becomes bytes.

use crate::code::{Code, Rejection};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Decodes standard base64 of at most `limit` characters; white space is dropped (bindings 3.5.4).
pub(crate) fn decode(field: &str, limit: usize) -> Result<Vec<u8>, Rejection> {
    if field.len() > limit {
        return Err(Rejection::new(Code::ResponseTooLarge)
            .expected(&format!("at most {limit} bytes"))
            .received(&format!("{} bytes", field.len())));
    }
    let compact: Vec<u8> = field.bytes().filter(|byte| !matches!(byte, b' ' | b'\t' | b'\r' | b'\n')).collect();
    STANDARD.decode(compact).map_err(|_| Rejection::new(Code::NotBase64))
}

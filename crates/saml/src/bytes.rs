//! Step 2: the bytes become text that can only be read in one way.

use crate::code::{Code, Rejection};

const BYTE_ORDER_MARK: char = '\u{feff}';

/// UTF-8 without NUL; one byte order mark is dropped.
pub(crate) fn text(bytes: &[u8]) -> Result<&str, Rejection> {
    let text = std::str::from_utf8(bytes).map_err(|_| Rejection::new(Code::NotUtf8))?;
    plain(text)
}

/// The same checks for text that came as text.
pub(crate) fn plain(text: &str) -> Result<&str, Rejection> {
    if text.contains('\0') {
        return Err(Code::NulCharacter.into());
    }
    let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
    if text.starts_with(BYTE_ORDER_MARK) {
        return Err(Code::ByteOrderMark.into());
    }
    Ok(text)
}

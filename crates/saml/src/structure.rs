//! Step 3, and the markup rules of step 2, in one pass over the text before any tree is built.
//! It only measures; whether the text is well-formed is for the parser that comes after.

use crate::code::{Code, Rejection};
use crate::xml::is_space;

/// How deep elements may nest.
pub(crate) const MAX_DEPTH: u32 = 32;
const MAX_ELEMENTS: u32 = 20_000;
const MAX_ATTRIBUTES: u32 = 64;
const MAX_NAMESPACES: u32 = 64;
const MAX_TEXT: usize = 64 * 1024;

/// Refuses markup that no identity provider needs and shapes that make parsers slow.
pub(crate) fn scan(text: &str) -> Result<(), Rejection> {
    let mut rest = without_declaration(text)?;
    if !rest.trim_start_matches(is_space).starts_with('<') {
        return Err(Code::NotXml.into());
    }
    let mut scan = Scan { depth: 0, elements: 0 };
    while let Some((before, markup)) = rest.split_once('<') {
        bounded(before)?;
        rest = scan.markup(markup)?;
    }
    if scan.depth != 0 {
        return Err(Code::Malformed.into());
    }
    bounded(rest)
}

struct Scan {
    depth: u32,
    elements: u32,
}

impl Scan {
    /// Passes over what follows a `<` and gives back the rest.
    fn markup<'a>(&mut self, markup: &'a str) -> Result<&'a str, Rejection> {
        if let Some(comment) = markup.strip_prefix("!--") {
            return Ok(until(comment, "-->")?.1);
        }
        if let Some(section) = markup.strip_prefix("![CDATA[") {
            let (text, rest) = until(section, "]]>")?;
            bounded(text)?;
            return Ok(rest);
        }
        match markup.as_bytes().first() {
            Some(b'!') if is_doctype(markup) => Err(Code::Doctype.into()),
            Some(b'!') => Err(Code::Declaration.into()),
            Some(b'?') => Err(Code::ProcessingInstruction.into()),
            Some(b'/') => {
                self.depth = self.depth.checked_sub(1).ok_or(Code::Malformed)?;
                Ok(until(markup, ">")?.1)
            }
            _ => self.start_tag(markup),
        }
    }

    fn start_tag<'a>(&mut self, markup: &'a str) -> Result<&'a str, Rejection> {
        self.elements += 1;
        if self.elements > MAX_ELEMENTS {
            return Err(too_many(Code::TooManyElements, MAX_ELEMENTS));
        }
        if self.depth >= MAX_DEPTH {
            return Err(too_many(Code::TooDeep, MAX_DEPTH));
        }
        qualified(markup.split(|character| is_space(character) || matches!(character, '/' | '>')).next())?;
        let (mut attributes, mut namespaces) = (0, 0);
        let mut rest = markup;
        loop {
            let at = rest.find(['"', '\'', '>', '<']).ok_or(Code::Malformed)?;
            let (before, after) = rest.split_at_checked(at).ok_or(Code::Malformed)?;
            if let Some(after) = after.strip_prefix('>') {
                if !before.ends_with('/') {
                    self.depth += 1;
                }
                return Ok(after);
            }
            let quote = if after.starts_with('"') { "\"" } else { "'" };
            let value = after.strip_prefix(quote).ok_or(Code::Malformed)?;
            let (value, after) = until(value, quote)?;
            if value.contains('<') {
                return Err(Code::Malformed.into());
            }
            bounded(value)?;
            let name = attribute_name(before);
            qualified(Some(name))?;
            if name == "xmlns" || name.starts_with("xmlns:") {
                namespaces += 1;
                absolute(value)?;
                // Namespaces in XML 1.0, 6.1: only a default namespace can be taken back.
                if value.is_empty() && name != "xmlns" {
                    return Err(Code::Malformed.into());
                }
            } else {
                attributes += 1;
            }
            if attributes > MAX_ATTRIBUTES {
                return Err(too_many(Code::TooManyAttributes, MAX_ATTRIBUTES));
            }
            if namespaces > MAX_NAMESPACES {
                return Err(too_many(Code::TooManyNamespaces, MAX_NAMESPACES));
            }
            rest = after;
        }
    }
}

/// The name of the attribute whose value comes next.
fn attribute_name(before_value: &str) -> &str {
    let name = before_value.trim_end_matches(is_space).trim_end_matches('=').trim_end_matches(is_space);
    name.rsplit(is_space).next().unwrap_or(name)
}

/// Namespaces in XML 1.0, 4: a name has one prefix at most. Parsers that pass over this disagree where to cut.
fn qualified(name: Option<&str>) -> Result<(), Rejection> {
    let colons = name.unwrap_or_default().bytes().filter(|byte| *byte == b':').count();
    if colons > 1 { Err(Code::Malformed.into()) } else { Ok(()) }
}

/// RFC 3986 3.1: a URI begins with a scheme. Canonicalization of a relative one is undefined, and libraries that
/// fail on it have been fooled into verifying the digest of nothing. Empty takes a default namespace back.
fn absolute(uri: &str) -> Result<(), Rejection> {
    let scheme = uri.split_once(':').map(|(scheme, _)| scheme);
    let valid = scheme.is_some_and(|scheme| {
        scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
    });
    if valid || uri.is_empty() {
        return Ok(());
    }
    Err(Rejection::new(Code::RelativeNamespace).received(uri))
}

/// The XML declaration, when there is one, may say 1.0 and UTF-8 only.
pub(crate) fn without_declaration(text: &str) -> Result<&str, Rejection> {
    let Some(declaration) = text.strip_prefix("<?xml").filter(|rest| rest.starts_with(is_space)) else {
        return Ok(text);
    };
    let (mut fields, rest) = until(declaration, "?>")?;
    let refused = || Rejection::new(Code::XmlDeclaration).expected("version 1.0, encoding UTF-8");
    loop {
        fields = fields.trim_matches(is_space);
        if fields.is_empty() {
            return Ok(rest);
        }
        let (name, value) = fields.split_once('=').ok_or_else(refused)?;
        let value = value.trim_start_matches(is_space);
        let quote = if value.starts_with('"') { '"' } else { '\'' };
        let (value, after) = value.strip_prefix(quote).and_then(|v| v.split_once(quote)).ok_or_else(refused)?;
        let accepted = match name.trim_end_matches(is_space) {
            "version" => value == "1.0",
            "encoding" => value.eq_ignore_ascii_case("UTF-8"),
            "standalone" => matches!(value, "yes" | "no"),
            _ => false,
        };
        if !accepted {
            return Err(refused().received(value));
        }
        fields = after;
    }
}

fn is_doctype(markup: &str) -> bool {
    markup.get(1..8).is_some_and(|word| word.eq_ignore_ascii_case("DOCTYPE"))
}

fn until<'a>(text: &'a str, end: &str) -> Result<(&'a str, &'a str), Rejection> {
    text.split_once(end).ok_or_else(|| Code::Malformed.into())
}

fn bounded(text: &str) -> Result<(), Rejection> {
    if text.len() > MAX_TEXT {
        return Err(Rejection::new(Code::TextTooLong)
            .expected(&format!("at most {MAX_TEXT} bytes"))
            .received(&format!("{} bytes", text.len())));
    }
    Ok(())
}

fn too_many(code: Code, limit: u32) -> Rejection {
    Rejection::new(code).expected(&format!("at most {limit}"))
}

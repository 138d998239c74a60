//! Changes of a document as text, because most attacks are made of what no tree can hold. What is not there to be changed
//! is an error, so that no attack is without effect.

use anyhow::{Context, ensure};

use super::Material;

/// Every occurrence.
pub(super) fn replace(xml: &str, from: &str, to: &str) -> anyhow::Result<String> {
    ensure!(xml.contains(from), "nothing to replace: {from} is not in the document");
    Ok(xml.replace(from, to))
}

/// The first occurrence only.
pub(super) fn replace_first(xml: &str, from: &str, to: &str) -> anyhow::Result<String> {
    let (before, after) = xml.split_once(from).with_context(|| format!("{from} is not in the document"))?;
    Ok(format!("{before}{to}{after}"))
}

/// The last occurrence only.
pub(super) fn replace_last(xml: &str, from: &str, to: &str) -> anyhow::Result<String> {
    let (before, after) = xml.rsplit_once(from).with_context(|| format!("{from} is not in the document"))?;
    Ok(format!("{before}{to}{after}"))
}

pub(super) fn before(xml: &str, mark: &str, more: &str) -> anyhow::Result<String> {
    replace_first(xml, mark, &format!("{more}{mark}"))
}

/// From the first `start` to the next `end`, both included.
pub(super) fn piece<'x>(xml: &'x str, start: &str, end: &str) -> anyhow::Result<&'x str> {
    let from = xml.find(start).with_context(|| format!("{start} is not in the document"))?;
    let rest = xml.get(from..).unwrap_or_default();
    let length = rest.find(end).with_context(|| format!("{end} does not follow {start}"))? + end.len();
    Ok(rest.get(..length).unwrap_or_default())
}

pub(super) fn cut(xml: &str, start: &str, end: &str) -> anyhow::Result<String> {
    replace_first(xml, piece(xml, start, end)?, "")
}

/// The start tag of the first element that opens so.
fn tag<'x>(xml: &'x str, opening: &str) -> anyhow::Result<&'x str> {
    piece(xml, opening, ">")
}

/// The value of an attribute in the start tag of the first element that opens so.
pub(super) fn value(xml: &str, opening: &str, name: &str) -> anyhow::Result<String> {
    let (_, rest) =
        tag(xml, opening)?.split_once(&format!(" {name}=\"")).with_context(|| format!("{opening} has no {name}"))?;
    let (value, _) = rest.split_once('"').context("an attribute without an end")?;
    Ok(value.to_owned())
}

/// Gives an attribute of the first element that opens so another value, or takes it away.
pub(super) fn set(xml: &str, opening: &str, name: &str, to: Option<&str>) -> anyhow::Result<String> {
    let tag = tag(xml, opening)?;
    let present = value(tag, opening, name).map(|value| format!(" {name}=\"{value}\""));
    let wanted = to.map(|to| format!(" {name}=\"{to}\"")).unwrap_or_default();
    let changed = match present {
        Ok(present) => replace_first(tag, &present, &wanted)?,
        Err(_) if tag.ends_with("/>") => replace_last(tag, "/>", &format!("{wanted}/>"))?,
        Err(_) => replace_last(tag, ">", &format!("{wanted}>"))?,
    };
    ensure!(changed != tag, "{name} of {opening} is as it was");
    replace_first(xml, tag, &changed)
}

/// Puts more behind the Issuer of the first element that opens so, or at its beginning where it has none.
pub(super) fn behind_issuer(xml: &str, opening: &str, more: &str) -> anyhow::Result<String> {
    let tag = tag(xml, opening)?;
    let (before, after) = xml.split_once(tag).context("it was there")?;
    let issuer =
        if after.starts_with("<saml2:Issuer") { piece(after, "<saml2:Issuer", "</saml2:Issuer>")? } else { "" };
    let rest = after.get(issuer.len()..).unwrap_or_default();
    Ok(format!("{before}{tag}{issuer}{more}{rest}"))
}

/// Changes the assertion and leaves what is around it.
pub(super) fn in_assertion(xml: &str, change: impl FnOnce(&str) -> anyhow::Result<String>) -> anyhow::Result<String> {
    let assertion = piece(xml, super::ASSERTION.0, super::ASSERTION.1)?;
    replace_first(xml, assertion, &change(assertion)?)
}

/// The names in braces, replaced by what they stand for in this sign-in.
pub(super) fn filled(text: &str, material: &Material<'_>) -> String {
    let honest = &material.honest;
    [
        ("{acs}", honest.recipient.as_str()),
        ("{entity}", &honest.audience),
        ("{issuer}", &honest.issuer),
        ("{request}", honest.in_response_to.as_deref().unwrap_or_default()),
        ("{name}", &honest.name_id),
        ("{victim}", material.victim),
        ("{canary}", material.canary),
    ]
    .iter()
    .fold(text.to_owned(), |text, (name, value)| text.replace(name, value))
}

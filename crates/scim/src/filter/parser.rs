//! The grammar of filters (RFC 7644 3.4.2.2, figure 1), with limits so that no text can exhaust the server.

use serde_json::{Number, Value};
use winnow::Parser;
use winnow::ascii::multispace0;
use winnow::error::ParserError;
use winnow::stream::{Stateful, Stream};
use winnow::token::{literal, take_while};

use super::{Filter, Operator};
use crate::error::{ScimError, ScimType};
use crate::path::AttributePath;

/// The longest filter, in bytes.
pub(crate) const MAX_BYTES: usize = 8 * 1024;
/// The deepest nesting of parentheses and brackets.
const MAX_DEPTH: usize = 16;
/// The most comparisons in one filter.
const MAX_TERMS: usize = 64;

/// Text that is left, and what has been used of the limits.
type Input<'t> = Stateful<&'t str, Used>;
type Result<T> = std::result::Result<T, Refused>;

#[derive(Debug, Clone, Default)]
struct Used {
    depth: usize,
    terms: usize,
    in_brackets: bool,
}

/// Where reading stopped, as the number of bytes left, and what was missing there.
#[derive(Debug)]
struct Refused {
    left: usize,
    why: &'static str,
}

/// Reads a whole filter.
pub(crate) fn filter(text: &str) -> std::result::Result<Filter, ScimError> {
    run(text, |input| {
        let filter = any_of(input)?;
        spaces(input)?;
        if input.is_empty() { Ok(filter) } else { Err(refused(input, "expected \"and\", \"or\" or the end")) }
    })
}

/// Reads `[filter]` at the start of a path's rest and gives back what follows the bracket.
pub(crate) fn value_filter(text: &str) -> std::result::Result<(Filter, &str), ScimError> {
    run(text, |input| {
        let filter = bracketed(input)?;
        Ok((filter, input.input))
    })
}

fn run<'t, T>(text: &'t str, read: impl FnOnce(&mut Input<'t>) -> Result<T>) -> std::result::Result<T, ScimError> {
    if text.len() > MAX_BYTES {
        return Err(invalid(format!("The filter is longer than {MAX_BYTES} bytes. Ask for fewer values at a time.")));
    }
    let mut input = Stateful { input: text, state: Used::default() };
    read(&mut input).map_err(|Refused { left, why }| {
        let position = text[..text.len() - left].chars().count() + 1;
        invalid(format!(
            "The filter cannot be read at character {position}: {why}. Write it as in userName eq \"ann@example.com\"."
        ))
    })
}

/// `filter or filter`: the loosest binding.
fn any_of(input: &mut Input<'_>) -> Result<Filter> {
    let mut branches = vec![all_of(input)?];
    while word(input, "or") {
        branches.push(all_of(input)?);
    }
    Ok(single_or(branches, Filter::Or))
}

/// `filter and filter`: binds tighter than `or`, looser than `not`.
fn all_of(input: &mut Input<'_>) -> Result<Filter> {
    let mut branches = vec![term(input)?];
    while word(input, "and") {
        branches.push(term(input)?);
    }
    Ok(single_or(branches, Filter::And))
}

fn single_or(mut branches: Vec<Filter>, join: fn(Vec<Filter>) -> Filter) -> Filter {
    match branches.len() {
        1 => branches.remove(0),
        _ => join(branches),
    }
}

fn term(input: &mut Input<'_>) -> Result<Filter> {
    spaces(input)?;
    if input.starts_with('(') {
        return nested(input, '(', ')');
    }
    let start = input.checkpoint();
    if word(input, "not") {
        spaces(input)?;
        if input.starts_with('(') {
            return Ok(Filter::Not(Box::new(nested(input, '(', ')')?)));
        }
        // An attribute may be called "not".
        input.reset(&start);
    }
    comparison(input)
}

/// `attribute op value`, `attribute pr`, `attribute[filter]` and Entra's `attribute[filter].sub op value`.
fn comparison(input: &mut Input<'_>) -> Result<Filter> {
    input.state.terms += 1;
    if input.state.terms > MAX_TERMS {
        return Err(refused(input, "it has more than 64 comparisons; send several smaller filters"));
    }
    let path = attribute(input)?;
    spaces(input)?;
    if !input.starts_with('[') {
        return test(input, path);
    }
    if input.state.in_brackets {
        return Err(refused(input, "brackets inside brackets are not allowed"));
    }
    if path.sub.is_some() {
        return Err(refused(input, "brackets belong to an attribute and not to a part of it"));
    }
    let filter = bracketed(input)?;
    let filter = match sub_attribute(input)? {
        None => filter,
        Some(sub) => Filter::And(vec![filter, test(input, sub)?]),
    };
    Ok(Filter::Values { path, filter: Box::new(filter) })
}

fn bracketed(input: &mut Input<'_>) -> Result<Filter> {
    input.state.in_brackets = true;
    let filter = nested(input, '[', ']')?;
    input.state.in_brackets = false;
    Ok(filter)
}

fn nested(input: &mut Input<'_>, open: char, close: char) -> Result<Filter> {
    input.state.depth += 1;
    if input.state.depth > MAX_DEPTH {
        return Err(refused(input, "it nests deeper than 16 levels; remove parentheses"));
    }
    character(input, open)?;
    let filter = any_of(input)?;
    spaces(input)?;
    character(input, close)?;
    input.state.depth -= 1;
    Ok(filter)
}

fn attribute(input: &mut Input<'_>) -> Result<AttributePath> {
    let start = input.checkpoint();
    let name: &str = take_while(1.., |c: char| !c.is_whitespace() && !"[]()\"".contains(c)).parse_next(input)?;
    match AttributePath::read(name) {
        Some(path) if !path.attribute.is_empty() => Ok(path),
        _ => {
            input.reset(&start);
            Err(refused(input, "expected the name of an attribute"))
        }
    }
}

fn sub_attribute(input: &mut Input<'_>) -> Result<Option<AttributePath>> {
    if !input.starts_with('.') {
        return Ok(None);
    }
    character(input, '.')?;
    let here = refused(input, "expected the name of a sub-attribute after the dot");
    match attribute(input)? {
        AttributePath { schema: None, attribute, sub: None } => {
            Ok(Some(AttributePath { schema: None, attribute, sub: None }))
        }
        _ => Err(here),
    }
}

/// The operator and the value after an attribute.
fn test(input: &mut Input<'_>, path: AttributePath) -> Result<Filter> {
    const OPERATORS: &str = "expected an operator: eq, ne, co, sw, ew, pr, gt, ge, lt or le";
    spaces(input)?;
    let here = refused(input, OPERATORS);
    let name: &str = take_while(1.., |c: char| c.is_ascii_alphabetic())
        .parse_next(input)
        .map_err(|Refused { left, .. }| Refused { left, why: OPERATORS })?;
    if name.eq_ignore_ascii_case("pr") {
        return Ok(Filter::Present(path));
    }
    let operator = Operator::read(name).ok_or(here)?;
    spaces(input)?;
    Ok(Filter::Compare { path, operator, value: value(input)? })
}

/// A JSON string, number, `true`, `false` or `null`; the words in any case (RFC 7644 3.4.2.2).
fn value(input: &mut Input<'_>) -> Result<Value> {
    const VALUES: &str = "expected a value: a text in double quotes, a number, true, false or null";
    let here = refused(input, VALUES);
    if input.starts_with('"') {
        let length = string_length(input.input).ok_or(here)?;
        let left = input.len();
        // No stored text has a NUL, and Postgres would refuse to compare with one.
        return match serde_json::from_str(input.next_slice(length)) {
            Ok(Value::String(text)) if !text.contains('\0') => Ok(Value::String(text)),
            _ => Err(Refused { left, why: "the text in double quotes is not valid JSON" }),
        };
    }
    let token: &str = take_while(1.., |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c))
        .parse_next(input)
        .map_err(|Refused { left, .. }| Refused { left, why: VALUES })?;
    let words = [("true", Value::Bool(true)), ("false", Value::Bool(false)), ("null", Value::Null)];
    if let Some((_, value)) = words.into_iter().find(|(word, _)| word.eq_ignore_ascii_case(token)) {
        return Ok(value);
    }
    number(token).map(Value::Number).ok_or(here)
}

/// Decides by JSON's grammar what a number is, and lets Rust read it, whose fractions round exactly.
fn number(token: &str) -> Option<Number> {
    let number: Number = serde_json::from_str(token).ok()?;
    if number.is_f64() { Number::from_f64(token.parse().ok()?) } else { Some(number) }
}

/// The length of the JSON string at the start of the text, its quotation marks included.
fn string_length(text: &str) -> Option<usize> {
    let mut escaped = false;
    for (index, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Some(index + 1),
            _ => {}
        }
    }
    None
}

/// Takes `word` in any case when it stands alone, with the space before it.
fn word(input: &mut Input<'_>, word: &str) -> bool {
    let text = input.input.trim_start();
    let stands_alone = text.get(..word.len()).is_some_and(|head| head.eq_ignore_ascii_case(word))
        && text[word.len()..].starts_with(|c: char| c.is_whitespace() || c == '(');
    if stands_alone {
        let length = input.len() - text.len() + word.len();
        input.next_slice(length);
    }
    stands_alone
}

fn spaces(input: &mut Input<'_>) -> Result<()> {
    multispace0.void().parse_next(input)
}

fn character(input: &mut Input<'_>, expected: char) -> Result<()> {
    literal(expected).void().parse_next(input).map_err(|Refused { left, .. }| {
        let why = match expected {
            ')' => "expected \")\", \"and\" or \"or\"",
            ']' => "expected \"]\", \"and\" or \"or\"",
            _ => "expected a filter in brackets",
        };
        Refused { left, why }
    })
}

fn refused(input: &Input<'_>, why: &'static str) -> Refused {
    Refused { left: input.len(), why }
}

fn invalid(detail: String) -> ScimError {
    ScimError::bad_request(ScimType::InvalidFilter, detail)
}

impl<'t> ParserError<Input<'t>> for Refused {
    type Inner = Self;

    fn from_input(input: &Input<'t>) -> Self {
        refused(input, "expected the name of an attribute")
    }

    fn into_inner(self) -> std::result::Result<Self::Inner, Self> {
        Ok(self)
    }
}

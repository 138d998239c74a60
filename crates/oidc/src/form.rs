//! `application/x-www-form-urlencoded` pairs as OAuth reads them: each known parameter at most once,
//! an empty one counts as absent, lengths bounded, no control characters.

use std::borrow::Cow;

use url::form_urlencoded;

use crate::error::{OAuthError, invalid_request};

/// The longest value that a parameter may have.
pub const MAX_VALUE: usize = 2048;
/// The longest that a signed token may have.
pub const MAX_TOKEN: usize = 8192;
const MAX_PAIRS: usize = 64;

/// The parameters of one request, from a query string or a form body (RFC 6749 3.1 and 3.2).
pub struct Form<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Form<'a> {
    /// Splits and decodes the pairs; refuses absurdly many.
    pub fn parse(encoded: &'a str) -> Result<Self, OAuthError> {
        let pairs: Vec<_> = form_urlencoded::parse(encoded.as_bytes()).take(MAX_PAIRS + 1).collect();
        if pairs.len() > MAX_PAIRS {
            return Err(invalid_request("The request has too many parameters."));
        }
        Ok(Self(pairs))
    }

    /// The one value of a parameter; sent twice is an error, sent empty is absent (RFC 6749 3.1).
    pub fn get(&self, name: &'static str) -> Result<Option<&str>, OAuthError> {
        self.get_within(name, MAX_VALUE)
    }

    /// The same of a signed token, which may be longer.
    pub fn token(&self, name: &'static str) -> Result<Option<&str>, OAuthError> {
        self.get_within(name, MAX_TOKEN)
    }

    fn get_within(&self, name: &'static str, most: usize) -> Result<Option<&str>, OAuthError> {
        let mut values = self.0.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_ref());
        let Some(value) = values.next() else { return Ok(None) };
        if values.next().is_some() {
            return Err(invalid_request(format!("The parameter {name} is sent more than once.")));
        }
        if value.len() > most {
            return Err(invalid_request(format!("The parameter {name} is longer than {most} bytes.")));
        }
        if value.chars().any(char::is_control) {
            return Err(invalid_request(format!("The parameter {name} contains a control character.")));
        }
        Ok(Some(value).filter(|value| !value.is_empty()))
    }

    /// As [`Form::get`], for a parameter that must be there.
    pub fn require(&self, name: &'static str) -> Result<&str, OAuthError> {
        self.get(name)?.ok_or_else(|| invalid_request(format!("The parameter {name} is missing.")))
    }

    pub(crate) fn owned(&self, name: &'static str) -> Result<Option<String>, OAuthError> {
        Ok(self.get(name)?.map(str::to_owned))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_read_once_and_bounded() {
        let long = format!("a={}", "x".repeat(MAX_VALUE + 1));
        let cases: [(&str, Result<Option<&str>, &str>); 9] = [
            ("a=1&b=2", Ok(Some("1"))),
            ("b=2", Ok(None)),
            ("a=&b=2", Ok(None)),
            ("a=x+y%20z%C3%A9", Ok(Some("x y zé"))),
            ("b=1&b=2&a=3", Ok(Some("3"))),
            ("a=1&a=1", Err("more than once")),
            ("a=1&%61=2", Err("more than once")),
            ("a=x%00", Err("control character")),
            (&long, Err("longer than")),
        ];
        for (encoded, expected) in cases {
            let form = Form::parse(encoded).expect("few pairs");
            match (form.get("a"), expected) {
                (Ok(value), Ok(wanted)) => assert_eq!(value, wanted, "{encoded:.40}"),
                (Err(error), Err(part)) => assert!(error.description.contains(part), "{error}"),
                (got, wanted) => panic!("{encoded:.40}: got {got:?}, wanted {wanted:?}"),
            }
        }
    }

    #[test]
    fn a_flood_of_parameters_is_refused() {
        assert!(Form::parse(&"a=1&".repeat(MAX_PAIRS)).is_ok());
        assert!(Form::parse(&"a=1&".repeat(MAX_PAIRS + 1)).is_err());
    }
}

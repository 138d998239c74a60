//! The vendor's app as an OAuth client: how it says who it is, and which addresses it may be sent back to.
//! Whether a secret is right is decided by whoever holds its hash.

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};
use url::{Host, Url, form_urlencoded};

use crate::error::{ErrorCode, OAuthError, invalid_request};
use crate::form::Form;

const LOOPBACK_ADDRESSES: [&str; 2] = ["http://127.0.0.1", "http://[::1]"];

/// A registered client (RFC 6749 2).
#[derive(Clone, Debug)]
pub struct Client {
    /// `client_id`.
    pub id: String,
    /// Where answers may go, as they passed [`check_redirect_uris`].
    pub redirect_uris: Vec<String>,
    /// The audiences that it may ask for (RFC 8707 2).
    pub resources: Vec<String>,
}

impl Client {
    /// Whether it may ask for a token for that resource (RFC 8707 2).
    pub fn check_resource(&self, resource: Option<&str>) -> Result<(), OAuthError> {
        match resource {
            Some(resource) if !self.resources.iter().any(|own| own == resource) => Err(OAuthError::new(
                ErrorCode::InvalidTarget,
                "The resource is not one of this client's. The people who run the gateway can add it to the application.",
            )),
            _ => Ok(()),
        }
    }

    /// Whether an answer may be sent to this address (RFC 9700 2.1: exact comparison; RFC 8252 7.3: any loopback port).
    pub fn may_redirect_to(&self, requested: &str) -> bool {
        self.redirect_uris.iter().any(|registered| {
            registered == requested
                || without_loopback_port(registered)
                    .is_some_and(|registered| without_loopback_port(requested) == Some(registered))
        })
    }
}

/// Address and rest of a loopback URI, its port taken out. Textual, so that no parser's leniency widens the match.
fn without_loopback_port(uri: &str) -> Option<(&str, &str)> {
    let address = LOOPBACK_ADDRESSES.into_iter().find(|address| uri.starts_with(address))?;
    let rest = &uri[address.len()..];
    let Some(after_colon) = rest.strip_prefix(':') else { return Some((address, rest)) };
    let digits = after_colon.bytes().take_while(u8::is_ascii_digit).count();
    let (port, rest) = after_colon.split_at(digits);
    port.parse::<u16>().ok().map(|_| (address, rest))
}

/// What Polis packs into a client's id: `tenant=acme&product=crm`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packed {
    /// Whose user it is.
    pub tenant: String,
    /// The client itself.
    pub product: String,
}

impl fmt::Display for Packed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut query = form_urlencoded::Serializer::new(String::new());
        f.write_str(&query.append_pair("tenant", &self.tenant).append_pair("product", &self.product).finish())
    }
}

/// The client's id that Polis takes where `tenant` and `product` stand beside it.
pub const ANY: &str = "dummy";

/// What is packed into a client's id, if it is of that form.
pub fn unpacked(id: &str) -> Result<Option<Packed>, OAuthError> {
    if !(id.contains("tenant=") && id.contains("product=")) {
        return Ok(None);
    }
    let form = Form::parse(id)?;
    let (tenant, product) = (form.require("tenant")?.to_owned(), form.require("product")?.to_owned());
    Ok(Some(Packed { tenant, product }))
}

/// What a client presented about itself; `Debug` does not print the secret.
#[derive(PartialEq, Eq)]
pub struct ClientCredentials {
    /// `client_id`.
    pub id: String,
    /// `client_secret`; none for a public client.
    pub secret: Option<String>,
}

impl fmt::Debug for ClientCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let secret = self.secret.as_ref().map(|_| "[secret]");
        f.debug_struct("ClientCredentials").field("id", &self.id).field("secret", &secret).finish()
    }
}

/// Reads who the client says it is, from the header or the form but not both (RFC 6749 2.3 and 2.3.1).
pub fn credentials(
    authorization: Option<&str>,
    form_client_id: Option<&str>,
    form_client_secret: Option<&str>,
) -> Result<ClientCredentials, OAuthError> {
    let form_client_secret = form_client_secret.filter(|secret| !secret.is_empty());
    let Some(authorization) = authorization else {
        let id = form_client_id
            .filter(|id| !id.is_empty())
            .ok_or_else(|| invalid_client("Say which client this is: by HTTP Basic or by client_id in the form."))?;
        return Ok(ClientCredentials { id: id.to_owned(), secret: form_client_secret.map(str::to_owned) });
    };
    if form_client_secret.is_some() {
        return Err(invalid_request("Authenticate once: by HTTP Basic or by client_secret in the form, not by both."));
    }
    let presented = basic(authorization)?;
    match form_client_id {
        Some(id) if id != presented.id => {
            Err(invalid_request("The client_id in the form is not the one in the Authorization header."))
        }
        _ => Ok(presented),
    }
}

fn basic(authorization: &str) -> Result<ClientCredentials, OAuthError> {
    let malformed = || invalid_client("The Authorization header is not HTTP Basic with a client id and secret.");
    let (scheme, encoded) = authorization.split_once(' ').ok_or_else(malformed)?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(malformed());
    }
    let decoded = STANDARD.decode(encoded.trim()).map_err(|_| malformed())?;
    let decoded = String::from_utf8(decoded).map_err(|_| malformed())?;
    let (id, secret) = decoded.split_once(':').ok_or_else(malformed)?;
    let id = form_decode(id).filter(|id| !id.is_empty()).ok_or_else(malformed)?;
    let secret = form_decode(secret).ok_or_else(malformed)?;
    Ok(ClientCredentials { id, secret: Some(secret).filter(|secret| !secret.is_empty()) })
}

// RFC 6749 2.3.1: both halves are form-urlencoded before they are joined. Not `form_urlencoded::parse`,
// which would cut at an unescaped `&` or `=` of a client that forgot to.
fn form_decode(encoded: &str) -> Option<String> {
    let mut decoded = Vec::with_capacity(encoded.len());
    let mut bytes = encoded.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => {
                let high = char::from(bytes.next()?).to_digit(16)?;
                let low = char::from(bytes.next()?).to_digit(16)?;
                u8::try_from(high * 16 + low).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(decoded).ok().filter(|text| !text.chars().any(char::is_control))
}

/// Whether these addresses may be registered: absolute, https (http for loopback hosts only), no fragment,
/// wildcard or user name (RFC 6749 3.1.2, RFC 9700 2.1 and 4.1).
pub fn check_redirect_uris(uris: &[String]) -> Result<(), String> {
    if uris.is_empty() {
        return Err("At least one redirect URI is needed.".to_owned());
    }
    uris.iter()
        .try_for_each(|uri| check_redirect_uri(uri).map_err(|reason| format!("The redirect URI {uri} {reason}.")))
}

fn check_redirect_uri(uri: &str) -> Result<(), &'static str> {
    // What a URI parser would quietly repair is refused, because the comparison later is by text.
    if !uri.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\') {
        return Err("contains a space, a backslash or a character that has to be percent-encoded");
    }
    if uri.contains('#') {
        return Err("has a fragment");
    }
    if uri.contains('*') {
        return Err("has a wildcard; list every address");
    }
    let parsed = Url::parse(uri).map_err(|_| "is not an absolute URI")?;
    if !parsed.username().is_empty() || parsed.password().is_some() {
        return Err("has a user name");
    }
    let is_loopback = match parsed.host() {
        None => return Err("has no host"),
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
    };
    match parsed.scheme() {
        "https" => Ok(()),
        "http" if is_loopback => Ok(()),
        _ => Err("must use https; http is for localhost only"),
    }
}

fn invalid_client(description: &str) -> OAuthError {
    OAuthError::new(ErrorCode::InvalidClient, description)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(redirect_uris: &[&str]) -> Client {
        Client {
            id: "app".into(),
            redirect_uris: redirect_uris.iter().map(|uri| (*uri).to_owned()).collect(),
            resources: Vec::new(),
        }
    }

    fn basic_header(id: &str, secret: &str) -> String {
        format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")))
    }

    #[test]
    fn credentials_come_from_one_place() {
        let header = basic_header("app", "s3cret");
        let cases = [
            (Some(header.as_str()), None, None, Ok(("app", Some("s3cret")))),
            (Some(&header), Some("app"), None, Ok(("app", Some("s3cret")))),
            (None, Some("app"), Some("s3cret"), Ok(("app", Some("s3cret")))),
            (None, Some("app"), None, Ok(("app", None))),
            (None, Some("app"), Some(""), Ok(("app", None))),
            (Some(&header), Some("app"), Some("s3cret"), Err(ErrorCode::InvalidRequest)),
            (Some(&header), Some("other"), None, Err(ErrorCode::InvalidRequest)),
            (None, None, Some("s3cret"), Err(ErrorCode::InvalidClient)),
            (None, None, None, Err(ErrorCode::InvalidClient)),
            (Some("Bearer abc"), Some("app"), None, Err(ErrorCode::InvalidClient)),
            (Some("Basic ???"), None, None, Err(ErrorCode::InvalidClient)),
            (Some("Basic"), None, None, Err(ErrorCode::InvalidClient)),
        ];
        for (authorization, id, secret, expected) in cases {
            let got = credentials(authorization, id, secret);
            match expected {
                Ok((id, secret)) => {
                    let wanted = ClientCredentials { id: id.into(), secret: secret.map(str::to_owned) };
                    assert_eq!(got, Ok(wanted));
                }
                Err(code) => assert_eq!(got.expect_err("refused").code, code, "{authorization:?} {id:?} {secret:?}"),
            }
        }
    }

    #[test]
    fn basic_is_form_urlencoded() {
        let cases = [
            (basic_header("a%3Ab", "x%2By+z%25"), Ok(("a:b", Some("x+y z%")))),
            (basic_header("app", "a&b=c:d"), Ok(("app", Some("a&b=c:d")))),
            (basic_header("app", "").replace("Basic", "bAsIc"), Ok(("app", None))),
            (basic_header("app", "%zz"), Err(())),
            (basic_header("app", "%4"), Err(())),
            (basic_header("app", "%00"), Err(())),
            (basic_header("", "x"), Err(())),
            (format!("Basic {}", STANDARD.encode("no colon")), Err(())),
            (format!("Basic {}", STANDARD.encode(b"\xff:x")), Err(())),
        ];
        for (header, expected) in cases {
            let got = credentials(Some(&header), None, None).map_err(|_| ());
            let wanted =
                expected.map(|(id, secret)| ClientCredentials { id: id.into(), secret: secret.map(str::to_owned) });
            assert_eq!(got, wanted, "{header}");
        }
    }

    #[test]
    fn a_secret_does_not_print_itself() {
        let presented = credentials(None, Some("app"), Some("s3cret")).expect("well formed");
        let printed = format!("{presented:?}");
        assert!(printed.contains("[secret]") && !printed.contains("s3cret"), "{printed}");
    }

    #[test]
    fn redirects_match_exactly() {
        let client = client(&["https://app.test/cb", "https://app.test/q?a=1", "http://localhost:8091/cb"]);
        let cases = [
            ("https://app.test/cb", true),
            ("https://app.test/q?a=1", true),
            ("http://localhost:8091/cb", true),
            ("https://app.test/cb/", false),
            ("https://app.test/cb/../evil", false),
            ("https://app.test/cb?x=1", false),
            ("https://app.test/cb#x", false),
            ("https://app.test/CB", false),
            ("https://APP.test/cb", false),
            ("https://app.test:443/cb", false),
            ("http://app.test/cb", false),
            ("https://app.test", false),
            ("https://app.test.evil.test/cb", false),
            ("https://app.test@evil.test/cb", false),
            ("https://evil.test/?https://app.test/cb", false),
            ("https://app.test/cb%0d%0aX: y", false),
            // `localhost` is a name and may resolve elsewhere: RFC 8252 8.3 frees the port of addresses only.
            ("http://localhost:9999/cb", false),
            ("javascript:alert(1)", false),
            ("", false),
        ];
        for (requested, expected) in cases {
            assert_eq!(client.may_redirect_to(requested), expected, "{requested}");
        }
    }

    #[test]
    fn loopback_addresses_may_use_any_port() {
        let client = client(&["http://127.0.0.1/cb", "http://[::1]:5000/cb", "https://127.0.0.1:7000/cb"]);
        let cases = [
            ("http://127.0.0.1/cb", true),
            ("http://127.0.0.1:1/cb", true),
            ("http://127.0.0.1:65535/cb", true),
            ("http://[::1]:6000/cb", true),
            ("http://[::1]/cb", true),
            ("https://127.0.0.1:7000/cb", true),
            ("https://127.0.0.1:7001/cb", false),
            ("http://127.0.0.1:65536/cb", false),
            ("http://127.0.0.1:/cb", false),
            ("http://127.0.0.1:8080/other", false),
            ("http://127.0.0.1:8080@evil.test/cb", false),
            ("http://127.0.0.1.evil.test/cb", false),
            ("http://127.0.0.1:80.evil.test/cb", false),
            ("http://127.0.0.2/cb", false),
            ("http://localhost/cb", false),
        ];
        for (requested, expected) in cases {
            assert_eq!(client.may_redirect_to(requested), expected, "{requested}");
        }
    }

    #[test]
    fn only_safe_redirects_are_registered() {
        let cases = [
            ("https://app.test/cb", true),
            ("https://app.test/cb?next=1", true),
            ("http://localhost:8091/callback", true),
            ("http://127.0.0.1/cb", true),
            ("http://[::1]:9/cb", true),
            ("http://app.test/cb", false),
            ("http://localhost.evil.test/cb", false),
            ("https://app.test/cb#top", false),
            ("https://*.app.test/cb", false),
            ("https://app.test/*", false),
            ("/cb", false),
            ("app.test/cb", false),
            ("https://user@app.test/cb", false),
            ("https://app.test/a b", false),
            ("https://app.test\\@evil.test/", false),
            ("https://", false),
            ("com.example.app:/cb", false),
            ("javascript:alert(1)", false),
            ("data:text/html,x", false),
        ];
        for (uri, accepted) in cases {
            assert_eq!(check_redirect_uris(&[uri.to_owned()]).is_ok(), accepted, "{uri}");
        }
        assert!(check_redirect_uris(&[]).is_err());
    }
}

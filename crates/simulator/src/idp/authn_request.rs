//! The AuthnRequest as it arrives by HTTP-Redirect: taken from the raw query, because that is what was signed.

use anyhow::{Context, bail, ensure};

use super::metadata::{ServiceProvider, parse};
use super::signed_query::SignedQuery;

const PROTOCOL: &str = "urn:oasis:names:tc:SAML:2.0:protocol";
const ASSERTION: &str = "urn:oasis:names:tc:SAML:2.0:assertion";
const POST: &str = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST";

/// A request whose query was taken apart but not yet believed.
#[derive(Debug)]
pub(super) struct Unverified {
    pub(super) issuer: String,
    id: String,
    acs_url: Option<String>,
    query: SignedQuery,
}

/// A genuine request of a service provider that we know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthnRequest {
    /// Its `ID`, for `InResponseTo`.
    pub id: String,
    /// Who asks; the audience of the answer.
    pub entity_id: String,
    /// Where to post the answer.
    pub acs_url: String,
    /// To be posted along unchanged.
    pub relay_state: Option<String>,
}

/// Takes the query of `GET /sso` apart (SAML bindings 3.4.4).
pub(super) fn read(raw_query: &str, sso_url: &str) -> anyhow::Result<Unverified> {
    let query = SignedQuery::read(raw_query, "SAMLRequest")?;
    let (id, issuer, acs_url) = read_xml(&query.xml, sso_url)?;
    Ok(Unverified { issuer, id, acs_url, query })
}

impl Unverified {
    /// Checks signature and address against the metadata of the service provider that it claims to be.
    pub(super) fn verify(self, provider: &ServiceProvider) -> anyhow::Result<AuthnRequest> {
        ensure!(self.issuer == provider.entity_id, "The request is another service provider's.");
        self.query.verify(provider)?;
        let acs_url = match self.acs_url {
            Some(url) if provider.acs_urls.contains(&url) => url,
            Some(_) => bail!("The request asks to be answered at an address that is not in the metadata."),
            None => provider.acs_urls.first().context("The metadata has no address to answer to.")?.clone(),
        };
        Ok(AuthnRequest { id: self.id, entity_id: self.issuer, acs_url, relay_state: self.query.relay_state })
    }
}

fn read_xml(xml: &str, sso_url: &str) -> anyhow::Result<(String, String, Option<String>)> {
    let document = parse(xml)?;
    let root = document.document_element().context("The SAMLRequest is empty.")?;
    let request = document.element(root).context("The SAMLRequest is empty.")?;
    ensure!(request.matches_name_ns(PROTOCOL, "AuthnRequest"), "The SAMLRequest is not an AuthnRequest.");
    ensure!(request.get_attribute("Version") == Some("2.0"), "The request's Version is not 2.0.");
    if let Some(destination) = request.get_attribute("Destination") {
        ensure!(destination == sso_url, "The request is meant for {destination}, not for us.");
    }
    if let Some(binding) = request.get_attribute("ProtocolBinding") {
        ensure!(binding == POST, "The request asks for an answer by something else than HTTP-POST.");
    }
    let id = request.get_attribute("ID").context("The request has no ID.")?.to_owned();
    let issuer = document
        .first_child_element_by_name_ns(root, ASSERTION, "Issuer")
        .map(|node| document.text_content_deep(node).trim().to_owned())
        .context("The request has no Issuer.")?;
    let acs_url = request.get_attribute("AssertionConsumerServiceURL").map(str::to_owned);
    Ok((id, issuer, acs_url))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::rsa::KeySize;
    use aws_lc_rs::signature::{KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
    use base64::{Engine, engine::general_purpose::STANDARD};
    use flate2::Compression;
    use flate2::write::DeflateEncoder;
    use url::form_urlencoded;

    use super::super::signed_query::RSA_SHA256;
    use super::*;

    const SSO: &str = "http://idp.test/sso";

    fn request(acs_url: &str) -> String {
        format!(
            "<samlp:AuthnRequest xmlns:samlp=\"{PROTOCOL}\" ID=\"_1\" Version=\"2.0\" Destination=\"{SSO}\" \
             AssertionConsumerServiceURL=\"{acs_url}\"><saml:Issuer xmlns:saml=\"{ASSERTION}\">http://sp.test/c/1\
             </saml:Issuer></samlp:AuthnRequest>"
        )
    }

    fn deflate(text: &[u8]) -> Vec<u8> {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text).expect("memory");
        encoder.finish().expect("memory")
    }

    fn encode(bytes: &[u8]) -> String {
        form_urlencoded::byte_serialize(STANDARD.encode(bytes).as_bytes()).collect()
    }

    fn signed_query(xml: &str, key: &RsaKeyPair) -> String {
        let algorithm: String = form_urlencoded::byte_serialize(RSA_SHA256.as_bytes()).collect();
        let query = format!("SAMLRequest={}&RelayState=r%201&SigAlg={algorithm}", encode(&deflate(xml.as_bytes())));
        let mut signature = vec![0; key.public_modulus_len()];
        key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), query.as_bytes(), &mut signature).expect("signs");
        format!("{query}&Signature={}", encode(&signature))
    }

    fn provider(key: &RsaKeyPair) -> ServiceProvider {
        ServiceProvider {
            entity_id: "http://sp.test/c/1".into(),
            acs_urls: vec!["http://sp.test/acs".into()],
            slo_url: None,
            signing_keys: vec![key.public_key().as_ref().to_vec()],
        }
    }

    #[test]
    fn a_signed_request_is_believed_and_nothing_else_is() {
        let key = RsaKeyPair::generate(KeySize::Rsa2048).expect("a key");
        let stranger = RsaKeyPair::generate(KeySize::Rsa2048).expect("a key");
        let good = signed_query(&request("http://sp.test/acs"), &key);
        let verified = read(&good, SSO).expect("well formed").verify(&provider(&key)).expect("genuine");
        assert_eq!((verified.id.as_str(), verified.relay_state.as_deref()), ("_1", Some("r 1")));

        let elsewhere = signed_query(&request("http://evil.test/acs"), &key);
        let (unsigned, _) = good.split_once("&SigAlg").expect("it is there");
        for query in [
            signed_query(&request("http://sp.test/acs"), &stranger),
            good.replace("r%201", "r%202"),
            elsewhere,
            unsigned.to_owned(),
        ] {
            assert!(read(&query, SSO).expect("well formed").verify(&provider(&key)).is_err(), "{query:.60}");
        }
    }

    #[test]
    fn malformed_requests_are_refused() {
        let xml = request("http://sp.test/acs");
        let encoded = encode(&deflate(xml.as_bytes()));
        let bomb = encode(&deflate(&vec![b' '; 10 * 1024 * 1024]));
        let cases = [
            String::new(),
            "SAMLRequest=".to_owned(),
            "SAMLRequest=%%%".to_owned(),
            format!("SAMLRequest={}", encode(xml.as_bytes())),
            format!("SAMLRequest={encoded}&SAMLRequest={encoded}"),
            format!("SAMLRequest={encoded}&Signature=AAAA"),
            format!(
                "SAMLRequest={encoded}&Signature=AAAA&SigAlg=http%3A%2F%2Fwww.w3.org%2F2000%2F09%2Fxmldsig%23rsa-sha1"
            ),
            format!("SAMLRequest={bomb}"),
            format!("SAMLRequest={}", encode(&deflate(b"<!DOCTYPE x><x/>"))),
            format!("SAMLRequest={}", encode(&deflate(xml.replace(SSO, "http://other.test/sso").as_bytes()))),
        ];
        for query in cases {
            assert!(read(&query, SSO).is_err(), "{query:.60}");
        }
    }
}

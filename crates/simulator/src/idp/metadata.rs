//! Metadata of both sides: our own, and what is read of the service providers'.

use anyhow::{Context, anyhow, ensure};
use base64::{Engine, engine::general_purpose::STANDARD};
use bergshamra_keys::loader;
use uppsala::{Document, NodeId, Parser};

use super::keys::IdpKey;
use super::response::escape;

const MD: &str = "urn:oasis:names:tc:SAML:2.0:metadata";
const DS: &str = "http://www.w3.org/2000/09/xmldsig#";
const REDIRECT: &str = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect";
const POST: &str = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST";

/// Who the identity provider at this address is.
pub fn entity_id(base_url: &str) -> String {
    format!("{base_url}/metadata")
}

/// Where it takes requests.
pub fn sso_url(base_url: &str) -> String {
    format!("{base_url}/sso")
}

/// Where it takes messages about logout.
pub fn slo_url(base_url: &str) -> String {
    format!("{base_url}/slo")
}

/// The metadata of the identity provider at this address.
pub fn of_idp(base_url: &str, key: &IdpKey) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <md:EntityDescriptor xmlns:md=\"{MD}\" entityID=\"{entity_id}\">\n\
         \x20 <md:IDPSSODescriptor WantAuthnRequestsSigned=\"true\" \
         protocolSupportEnumeration=\"urn:oasis:names:tc:SAML:2.0:protocol\">\n\
         \x20   <md:KeyDescriptor use=\"signing\">\n\
         \x20     <ds:KeyInfo xmlns:ds=\"{DS}\"><ds:X509Data><ds:X509Certificate>{certificate}\
         </ds:X509Certificate></ds:X509Data></ds:KeyInfo>\n\
         \x20   </md:KeyDescriptor>\n\
         \x20   <md:SingleLogoutService Binding=\"{REDIRECT}\" Location=\"{slo_url}\"/>\n\
         \x20   <md:NameIDFormat>urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress</md:NameIDFormat>\n\
         \x20   <md:SingleSignOnService Binding=\"{REDIRECT}\" Location=\"{sso_url}\"/>\n\
         \x20 </md:IDPSSODescriptor>\n\
         </md:EntityDescriptor>\n",
        entity_id = escape(&entity_id(base_url)),
        slo_url = escape(&slo_url(base_url)),
        sso_url = escape(&sso_url(base_url)),
        certificate = key.certificate_base64(),
    )
}

/// What is trusted about a service provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceProvider {
    /// Who it is; the audience of every assertion for it.
    pub entity_id: String,
    /// Where assertions may be posted, the default first.
    pub acs_urls: Vec<String>,
    /// Where it takes messages about logout by HTTP-Redirect.
    pub slo_url: Option<String>,
    /// The public keys that it signs requests with.
    pub(super) signing_keys: Vec<Vec<u8>>,
}

impl ServiceProvider {
    /// Reads the metadata of one service provider.
    pub fn parse(xml: &str) -> anyhow::Result<Self> {
        let document = parse(xml)?;
        let root = document.document_element().context("the metadata is empty")?;
        let element = document.element(root).context("the metadata is empty")?;
        ensure!(element.matches_name_ns(MD, "EntityDescriptor"), "the metadata's root is not an EntityDescriptor");
        let entity_id = element.get_attribute("entityID").context("the metadata has no entityID")?.to_owned();
        let descriptor = document
            .first_child_element_by_name_ns(root, MD, "SPSSODescriptor")
            .context("the metadata is not a service provider's: it has no SPSSODescriptor")?;
        let acs_urls = acs_urls(&document, descriptor);
        ensure!(!acs_urls.is_empty(), "the metadata has no AssertionConsumerService with the HTTP-POST binding");
        let slo_url = document
            .child_elements_by_name_ns(descriptor, MD, "SingleLogoutService")
            .into_iter()
            .find(|service| document.get_attribute(*service, "Binding") == Some(REDIRECT))
            .and_then(|service| document.get_attribute(service, "Location").map(str::to_owned));
        Ok(Self { entity_id, acs_urls, slo_url, signing_keys: signing_keys(&document, descriptor)? })
    }
}

pub(super) fn parse(xml: &str) -> anyhow::Result<Document<'_>> {
    let parser = Parser::new().with_forbid_dtd(true).with_forbid_entities(true);
    parser.parse(xml).map_err(|error| anyhow!("this is not XML: {error}"))
}

fn acs_urls(document: &Document<'_>, descriptor: NodeId) -> Vec<String> {
    let mut services: Vec<(bool, u32, String)> = document
        .child_elements_by_name_ns(descriptor, MD, "AssertionConsumerService")
        .into_iter()
        .filter(|service| document.get_attribute(*service, "Binding") == Some(POST))
        .filter_map(|service| {
            let location = document.get_attribute(service, "Location")?.to_owned();
            let is_default = matches!(document.get_attribute(service, "isDefault"), Some("true" | "1"));
            let index = document.get_attribute(service, "index").and_then(|index| index.parse().ok());
            Some((!is_default, index.unwrap_or_default(), location))
        })
        .collect();
    services.sort();
    services.into_iter().map(|(_, _, location)| location).collect()
}

fn signing_keys(document: &Document<'_>, descriptor: NodeId) -> anyhow::Result<Vec<Vec<u8>>> {
    let mut keys = Vec::new();
    for key in document.child_elements_by_name_ns(descriptor, MD, "KeyDescriptor") {
        if !matches!(document.get_attribute(key, "use"), None | Some("signing")) {
            continue;
        }
        for node in document.descendants(key) {
            if document.element(node).is_some_and(|element| element.matches_name_ns(DS, "X509Certificate")) {
                let text: String = document.text_content_deep(node).split_whitespace().collect();
                let der = STANDARD.decode(text).context("a certificate of the metadata is not base64")?;
                keys.push(public_key(&der)?);
            }
        }
    }
    Ok(keys)
}

fn public_key(certificate: &[u8]) -> anyhow::Result<Vec<u8>> {
    let key = loader::load_x509_cert_der(certificate)
        .map_err(|error| anyhow!("a certificate of the metadata cannot be read: {error}"))?;
    key.to_spki_der().context("a certificate of the metadata has no public key that we know")
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    fn metadata(services: &str) -> String {
        let key = IdpKey::generate(datetime!(2026-11-22 12:00 UTC)).expect("a key");
        format!(
            "<EntityDescriptor xmlns=\"{MD}\" entityID=\"http://sp.test/c/1\"><SPSSODescriptor \
             protocolSupportEnumeration=\"urn:oasis:names:tc:SAML:2.0:protocol\"><KeyDescriptor><KeyInfo \
             xmlns=\"{DS}\"><X509Data><X509Certificate>\n{}\n</X509Certificate></X509Data></KeyInfo></KeyDescriptor>\
             {services}</SPSSODescriptor></EntityDescriptor>",
            key.certificate_base64(),
        )
    }

    #[test]
    fn the_default_consumer_comes_first() {
        let service = |index: u32, extra: &str| {
            format!(
                "<AssertionConsumerService Binding=\"{POST}\" index=\"{index}\" Location=\"http://sp/{index}\" {extra}/>"
            )
        };
        let xml = metadata(&(service(2, "") + &service(1, "") + &service(3, "isDefault=\"true\"")));
        let provider = ServiceProvider::parse(&xml).expect("a service provider");
        assert_eq!(provider.entity_id, "http://sp.test/c/1");
        assert_eq!(provider.acs_urls, ["http://sp/3", "http://sp/1", "http://sp/2"]);
        assert_eq!(provider.signing_keys.len(), 1);
    }

    #[test]
    fn what_is_no_service_provider_is_refused() {
        let key = IdpKey::generate(datetime!(2026-11-22 12:00 UTC)).expect("a key");
        let cases = [
            String::new(),
            "<html/>".to_owned(),
            of_idp("http://idp.test", &key),
            metadata(""),
            format!("<!DOCTYPE x>{}", metadata("")),
        ];
        for xml in cases {
            assert!(ServiceProvider::parse(&xml).is_err(), "{xml:.60}");
        }
    }
}

//! Metadata are refused with a sentence, or they give an identity provider that can be stored and read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use saml::idp::IdentityProvider;

fuzz_target!(|xml: &str| {
    match IdentityProvider::from_metadata(xml) {
        Err(error) => {
            let sentence = error.to_string();
            assert!(sentence.len() > 20 && !sentence.contains(char::is_control), "{sentence:?}");
        }
        Ok(provider) => {
            assert!(!provider.entity_id.trim().is_empty() && !provider.certificates.is_empty());
            let is_safe = |url: &str| url.starts_with("https://") || url.starts_with("http://");
            assert!(is_safe(provider.sso.url.as_str()), "{}", provider.sso.url);
            assert!(provider.slo.iter().all(|slo| is_safe(slo.answers().url.as_str())));
            // Every seed has an address for a redirect.
            #[cfg(feature = "planted")]
            assert!(provider.sso.binding == saml::outgoing::Binding::Redirect, "the planted bug");
            let certificates: Vec<Vec<u8>> =
                provider.certificates.iter().map(|certificate| certificate.der().to_vec()).collect();
            let sso = (provider.sso.url.as_str(), provider.sso.binding);
            let read = IdentityProvider::from_parts(&provider.entity_id, sso, &certificates).expect("it reads again");
            assert_eq!(IdentityProvider { slo: provider.slo.clone(), ..read }, provider);
        }
    }
});

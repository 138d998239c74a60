//! A service provider, an identity provider and a moment, for which the seeds were signed by a key that is kept nowhere.

use saml::decryption::DecryptionKey;
use saml::idp::{IdentityProvider, LogoutService};
use saml::outgoing::Binding;
use saml::response::Expected;
use saml::sp::ServiceProvider;
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

/// Who every seed that is accepted is about; nobody can make another.
pub const NAME_ID: &str = "ann@acme.test";
const NOW: OffsetDateTime = datetime!(2026-01-31 12:00:00 UTC);
const CERTIFICATE: &str = include_str!("../fixtures/idp.crt");
const KEY: &[u8] = include_bytes!("../fixtures/sp.pk8");

/// What a message must fit.
pub struct Stage {
    sp: ServiceProvider,
    idp: IdentityProvider,
    keys: [DecryptionKey; 1],
}

impl Stage {
    pub fn new() -> Self {
        let idp = IdentityProvider::from_fields("https://idp.test/sso", "http://idp.test/entity", CERTIFICATE);
        let slo = LogoutService::new("https://idp.test/slo", None, Binding::Redirect).expect("logout");
        Self {
            sp: ServiceProvider {
                entity_id: "https://gate.test/c/one".to_owned(),
                acs_url: "https://gate.test/c/one/saml/acs".to_owned(),
                slo_url: "https://gate.test/c/one/saml/slo".to_owned(),
            },
            idp: IdentityProvider { slo: Some(slo), ..idp.expect("the fixture") },
            keys: [DecryptionKey::from_pkcs8(KEY.to_vec())],
        }
    }

    pub fn expected(&self) -> Expected<'_> {
        Expected {
            sp: &self.sp,
            idp: &self.idp,
            now: NOW,
            skew: Duration::minutes(3),
            allow_sha1: false,
            decryption_keys: &self.keys,
        }
    }
}

impl Default for Stage {
    fn default() -> Self {
        Self::new()
    }
}

//! Step 0: before a process serves anybody, it shows that what it links refuses what it must refuse.

pub(crate) mod forge;

use crate::code::{Code, Rejection};
use crate::response::{Expected, verify};
use forge::{ASSERTION_ID, NOW, Signer};
use time::Duration;

/// Why the process must not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SelfTestError {
    /// The test key or its signature could not be made.
    #[error("SAML self-test: could not {0}")]
    Prepare(&'static str),
    /// A good response was refused.
    #[error("SAML self-test: a good response was refused")]
    Refused(#[source] Rejection),
    /// A bad response was accepted.
    #[error("SAML self-test: a response with {0} was accepted")]
    Accepted(&'static str),
    /// A bad response was refused for another reason than the right one.
    #[error("SAML self-test: a response with {case} was refused by another check than {expected:?}")]
    OtherCheck {
        /// What was wrong with the response.
        case: &'static str,
        /// The check that should have refused it.
        expected: Code,
        /// What refused it instead.
        #[source]
        received: Rejection,
    },
}

/// Signs a response with a fresh key, sees it accepted, and sees each dangerous variant of it refused.
pub fn self_test() -> Result<(), SelfTestError> {
    let signer = Signer::generate()?;
    let stranger = Signer::generate()?;
    let unsigned = forge::response();
    let good = forge::sign(&unsigned, ASSERTION_ID, &signer)?;
    judge(&good, &signer).map_err(SelfTestError::Refused)?;

    let method = signer.method;
    let transform = "<ds:Transform Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"";
    let xslt = "<ds:Transform Algorithm=\"http://www.w3.org/TR/1999/REC-xslt-19991116\"";
    let sha256 = "http://www.w3.org/2001/04/xmlenc#sha256";
    let sha1 = "http://www.w3.org/2000/09/xmldsig#sha1";
    let hmac = "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256";
    let target = format!("URI=\"#{ASSERTION_ID}\"");
    let doctype = format!("<!DOCTYPE x [<!ENTITY e SYSTEM \"file:///etc/passwd\">]>{good}");
    let cases = [
        ("an external reference", good.replace(&target, "URI=\"http://127.0.0.1:9/\""), Code::ReferenceTarget),
        ("an XSLT transform", good.replace(transform, xslt), Code::TransformRefused),
        ("a SHA-1 signature", good.replace(method, "http://www.w3.org/2000/09/xmldsig#rsa-sha1"), Code::Sha1Refused),
        ("a SHA-1 digest", good.replace(sha256, sha1), Code::Sha1Refused),
        ("an HMAC signature", good.replace(method, hmac), Code::SignatureAlgorithm),
        ("a document type", doctype, Code::Doctype),
        ("a changed name", good.replace(forge::NAME_ID, "eve@acme.test"), Code::DigestMismatch),
        ("a stranger's signature", forge::sign(&unsigned, ASSERTION_ID, &stranger)?, Code::SignatureMismatch),
        ("no signature", unsigned, Code::Unsigned),
    ];
    for (case, xml, expected) in cases {
        match judge(&xml, &signer) {
            Err(rejection) if rejection.code == expected => {}
            Err(received) => return Err(SelfTestError::OtherCheck { case, expected, received }),
            Ok(()) => return Err(SelfTestError::Accepted(case)),
        }
    }
    Ok(())
}

fn judge(xml: &str, signer: &Signer) -> Result<(), Rejection> {
    let (sp, idp) = (forge::service_provider(), forge::identity_provider([signer]));
    let Ok(idp) = idp else { return Err(Code::CertificateMissing.into()) };
    let expected =
        Expected { sp: &sp, idp: &idp, now: NOW, skew: Duration::minutes(3), allow_sha1: false, decryption_keys: &[] };
    verify(&forge::encode(xml), &expected).map(|_| ())
}

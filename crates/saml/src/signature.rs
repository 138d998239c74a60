//! Step 5: verifies every signature with the connection's certificates, and gives back exactly the verified bytes.
//! samael's crypto is never called: built without `xmlsec` it accepts anything.

use crate::code::{Code, Rejection};
use crate::idp::{self, IdentityProvider, IdpCertificate};
use crate::signature_shape::Signed;
use crate::xml::{self, SIGNATURE};
use bergshamra_c14n::C14nMode;
use bergshamra_dsig::DsigContext;
use bergshamra_dsig::verify::{VerifyResult, verify_all_document_with_source};
use bergshamra_keys::KeysManager;
use bergshamra_xml::NodeSet;
use uppsala::{Document, NodeId};

/// Verifies these signatures, which are all that the document has; all must be good.
pub(crate) fn verify(
    document: &Document<'_>,
    source: &str,
    mut signatures: Vec<Signed>,
    idp: &IdentityProvider,
) -> Result<(), Rejection> {
    if idp.certificates.is_empty() {
        return Err(Code::CertificateMissing.into());
    }
    // The library reports in document order, which is the order of the node numbers of a parsed tree.
    signatures.sort_by_key(|signed| signed.signature.index());

    let mut attempts = Vec::new();
    for certificate in &idp.certificates {
        // One certificate at a time and only for its own kind of signature: a key of the wrong type is an error of
        // the library, not a mismatch.
        if signatures.iter().any(|signed| signed.key_family == certificate.family()) {
            attempts.push(Attempt { certificate, results: results(document, source, certificate)? });
        }
        if signatures.iter().all(|signed| is_verified(&attempts, signed)) {
            return Ok(());
        }
    }
    let failed = signatures.iter().enumerate().find(|(_, signed)| !is_verified(&attempts, signed));
    Err(match failed {
        Some((index, signed)) => explain(document, &attempts, index, signed, idp),
        None => Code::Unsigned.into(),
    })
}

/// What one certificate says about the signatures of the document, in document order.
struct Attempt<'a> {
    certificate: &'a IdpCertificate,
    results: Vec<VerifyResult>,
}

fn results(
    document: &Document<'_>,
    source: &str,
    certificate: &IdpCertificate,
) -> Result<Vec<VerifyResult>, Rejection> {
    let unprocessable = || Rejection::new(Code::SignatureUnprocessable);
    let mut keys = KeysManager::new();
    keys.add_key(certificate.verification_key().ok_or_else(unprocessable)?);
    // The defaults of `new`: only these keys, references in strict position, every digest computed here.
    verify_all_document_with_source(&DsigContext::new(keys), document, Some(source)).map_err(|_| unprocessable())
}

fn is_verified(attempts: &[Attempt<'_>], signed: &Signed) -> bool {
    attempts
        .iter()
        .filter(|attempt| attempt.certificate.family() == signed.key_family)
        .any(|attempt| attempt.results.iter().any(|result| covers(result, signed)))
}

/// Whether the result is about this signature and proves the element that holds it, and nothing else.
fn covers(result: &VerifyResult, signed: &Signed) -> bool {
    let VerifyResult::Valid { signature_node, references, key_info: _ } = result else { return false };
    let [reference] = references.as_slice() else { return false };
    *signature_node == signed.signature && reference.resolved_node == Some(signed.parent) && reference.digest_verified
}

/// Why no certificate verified the signature.
fn explain(
    document: &Document<'_>,
    attempts: &[Attempt<'_>],
    index: usize,
    signed: &Signed,
    idp: &IdentityProvider,
) -> Rejection {
    let tried: Vec<&Attempt<'_>> =
        attempts.iter().filter(|attempt| attempt.certificate.family() == signed.key_family).collect();
    if tried.is_empty() {
        let kinds: Vec<String> = idp.certificates.iter().map(|known| known.key_kind().to_string()).collect();
        let rejection = Rejection::new(Code::KeyType)
            .expected(&format!("a signature by {}", kinds.join(" or ")))
            .received(&format!("a signature by {}", signed.key_family));
        return Rejection {
            claimed: claimed_der(document, signed.signature).and_then(|der| untrusted(&der, idp)),
            ..rejection
        };
    }
    let reason = |attempt: &&Attempt<'_>| match attempt.results.get(index) {
        Some(VerifyResult::Invalid { reason }) => reason.clone(),
        _ => String::new(),
    };
    let reasons: Vec<String> = tried.iter().map(reason).collect();
    if reasons.iter().any(|reason| reason.starts_with("Reference digest failed")) {
        return Code::DigestMismatch.into();
    }
    if reasons.iter().all(|reason| !reason.starts_with("signature value verification failed")) {
        return Code::SignatureUnprocessable.into();
    }
    let known: Vec<&str> = tried.iter().map(|attempt| attempt.certificate.fingerprint()).collect();
    let rejection = Rejection::new(Code::SignatureMismatch).expected(&format!("certificate {}", known.join(" or ")));
    let Some(der) = claimed_der(document, signed.signature) else { return rejection };
    let rejection = rejection.received(&format!("certificate {}", idp::fingerprint(&der)));
    Rejection { claimed: untrusted(&der, idp), ..rejection }
}

/// A certificate, if it is one that could be trusted and is not.
fn untrusted(der: &[u8], idp: &IdentityProvider) -> Option<Box<IdpCertificate>> {
    let certificate = IdpCertificate::from_der(der).ok()?;
    (!idp.certificates.contains(&certificate)).then(|| Box::new(certificate))
}

/// The certificate that the message says it was signed with: shown to the admin, never used.
fn claimed_der(document: &Document<'_>, signature: NodeId) -> Option<Vec<u8>> {
    let key_info = xml::named(document, signature, SIGNATURE, "KeyInfo").next()?;
    let data = xml::named(document, key_info, SIGNATURE, "X509Data").next()?;
    let certificate = xml::named(document, data, SIGNATURE, "X509Certificate").next()?;
    idp::decode(document.element_text(certificate)?).ok()
}

/// Exclusive canonical form of an element that is proven, without comments and without its enveloped signature: the
/// same nodes that were digested. Only these bytes are read afterwards.
pub(crate) fn canonical(document: &Document<'_>, node: NodeId, signed: Option<&Signed>) -> Result<String, Rejection> {
    let mut nodes = NodeSet::tree_without_comments(node, document);
    if let Some(signed) = signed {
        nodes.remove_id(signed.signature);
        document.descendants(signed.signature).into_iter().for_each(|node| nodes.remove_id(node));
    }
    let bytes = bergshamra_c14n::canonicalize_doc::<&str>(document, C14nMode::Exclusive, Some(&nodes), &[]);
    bytes.ok().and_then(|bytes| String::from_utf8(bytes).ok()).ok_or(Code::SignatureUnprocessable.into())
}

//! The allow-list of XML signature algorithms; what is not named here is refused before any cryptography runs.

use crate::code::{Code, Rejection};
use bergshamra_core::algorithm as uri;

/// The kind of key that a signature algorithm needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyFamily {
    Rsa,
    EllipticCurve,
}

impl std::fmt::Display for KeyFamily {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Rsa => "RSA",
            Self::EllipticCurve => "ECDSA",
        })
    }
}

/// Whether this connection still accepts SHA-1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sha1 {
    Refused,
    Allowed,
}

/// The key family of a SignatureMethod on the list (RFC 9231 2.3.2 and 2.3.6).
pub(crate) fn signature_method(algorithm: &str, sha1: Sha1) -> Result<KeyFamily, Rejection> {
    match algorithm {
        uri::RSA_SHA256 | uri::RSA_SHA384 | uri::RSA_SHA512 => Ok(KeyFamily::Rsa),
        uri::ECDSA_SHA256 | uri::ECDSA_SHA384 | uri::ECDSA_SHA512 => Ok(KeyFamily::EllipticCurve),
        uri::RSA_SHA1 if sha1 == Sha1::Allowed => Ok(KeyFamily::Rsa),
        uri::RSA_SHA1 => Err(Rejection::new(Code::Sha1Refused).expected(uri::RSA_SHA256).received(algorithm)),
        _ => Err(Rejection::new(Code::SignatureAlgorithm).expected(uri::RSA_SHA256).received(algorithm)),
    }
}

/// Accepts a DigestMethod on the list.
pub(crate) fn digest_method(algorithm: &str, sha1: Sha1) -> Result<(), Rejection> {
    match algorithm {
        uri::SHA256 | uri::SHA384 | uri::SHA512 => Ok(()),
        uri::SHA1 if sha1 == Sha1::Allowed => Ok(()),
        uri::SHA1 => Err(Rejection::new(Code::Sha1Refused).expected(uri::SHA256).received(algorithm)),
        _ => Err(Rejection::new(Code::DigestAlgorithm).expected(uri::SHA256).received(algorithm)),
    }
}

/// Whether an algorithm is a canonicalization that may stand in a signature.
///
/// The variants with comments are the same as those without: a reference by `#id` selects no comments.
pub(crate) fn is_canonicalization(algorithm: &str) -> bool {
    is_exclusive(algorithm) || matches!(algorithm, uri::C14N | uri::C14N_WITH_COMMENTS | uri::C14N11)
}

/// Whether an algorithm is exclusive canonicalization, the only one that takes a prefix list.
pub(crate) fn is_exclusive(algorithm: &str) -> bool {
    matches!(algorithm, uri::EXC_C14N | uri::EXC_C14N_WITH_COMMENTS)
}

//! Proof Key for Code Exchange: S256 only, `plain` does not exist here (RFC 7636, RFC 9700 2.1.1).

use aws_lc_rs::digest;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use subtle::ConstantTimeEq;

const CHALLENGE_LENGTH: usize = 43;

/// Whether this is the form of an S256 challenge: 32 bytes in base64url without padding (RFC 7636 4.2).
pub fn is_s256_challenge(challenge: &str) -> bool {
    challenge.len() == CHALLENGE_LENGTH
        && challenge.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// Whether the verifier is well formed (RFC 7636 4.1) and hashes to the challenge (RFC 7636 4.6); constant time.
pub fn verify_s256(challenge: &str, verifier: &str) -> bool {
    if !is_verifier(verifier) {
        return false;
    }
    let digest = digest::digest(&digest::SHA256, verifier.as_bytes());
    let computed = URL_SAFE_NO_PAD.encode(digest);
    computed.as_bytes().ct_eq(challenge.as_bytes()).into()
}

fn is_verifier(verifier: &str) -> bool {
    (43..=128).contains(&verifier.len())
        && verifier.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~'))
}

#[cfg(test)]
mod tests {
    use super::*;

    // The pair of RFC 7636 appendix B.
    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    fn challenge_of(verifier: &str) -> String {
        URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, verifier.as_bytes()))
    }

    #[test]
    fn only_the_verifier_of_the_challenge_passes() {
        let short = "a".repeat(42);
        let long = "a".repeat(129);
        let spaced = format!("{} ", "a".repeat(43));
        let exact = "~".repeat(128);
        let cases = [
            (CHALLENGE.to_owned(), VERIFIER, true),
            (challenge_of(&exact), &exact, true),
            (CHALLENGE.to_owned(), "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXl", false),
            // `plain`: the verifier is the challenge itself.
            (VERIFIER.to_owned(), VERIFIER, false),
            (format!("{CHALLENGE}="), VERIFIER, false),
            (String::new(), VERIFIER, false),
            (challenge_of(""), "", false),
            (challenge_of(&short), &short, false),
            (challenge_of(&long), &long, false),
            (challenge_of(&spaced), &spaced, false),
        ];
        for (challenge, verifier, expected) in cases {
            assert_eq!(verify_s256(&challenge, verifier), expected, "{verifier}");
        }
    }

    #[test]
    fn the_form_of_a_challenge() {
        assert!(is_s256_challenge(CHALLENGE));
        for wrong in ["", &CHALLENGE[1..], "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw+cM", &format!("{CHALLENGE}=")] {
            assert!(!is_s256_challenge(wrong), "{wrong}");
        }
    }
}

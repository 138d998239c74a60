//! Debian's xmlsec1, a judge of signatures that nobody here wrote.

use crate::sp;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Elements whose `ID` a signature may name.
const SIGNED: [&str; 4] = [
    "urn:oasis:names:tc:SAML:2.0:protocol:Response",
    "urn:oasis:names:tc:SAML:2.0:protocol:AuthnRequest",
    "urn:oasis:names:tc:SAML:2.0:assertion:Assertion",
    "urn:oasis:names:tc:SAML:2.0:metadata:EntityDescriptor",
];

/// A folder that goes away.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("gatehouse-saml-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("folder");
        Self(folder)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, text).expect("written");
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left in the folder for temporary files harms nobody.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Whether the signature directly in that element is by one of these certificates (DER); `None` if there is none.
pub fn verifies(xml: &str, element: &str, certificates: &[Vec<u8>]) -> Option<bool> {
    let has_one = crate::xml::parse(xml).is_ok_and(|document| {
        let root = document.document_element().expect("a root");
        let below = |node, name| crate::xml::named(&document, node, crate::xml::ASSERTION, name).next();
        let holder = match element {
            "/*" => Some(root),
            element if element.contains("EncryptedAssertion") => {
                below(root, "EncryptedAssertion").and_then(|sealed| below(sealed, "Assertion"))
            }
            _ => below(root, "Assertion"),
        };
        holder.is_some_and(|holder| {
            crate::xml::named(&document, holder, crate::xml::SIGNATURE, "Signature").next().is_some()
        })
    });
    if !has_one {
        return None;
    }
    let folder = Folder::new();
    let document = folder.write("document.xml", xml);
    Some(certificates.iter().any(|certificate| {
        let certificate = folder.write("certificate.pem", &sp::pem(certificate));
        let mut command = Command::new("xmlsec1");
        command.args(["--verify", "--enabled-key-data", "rsa,ec", "--pubkey-cert-pem"]).arg(certificate);
        for name in SIGNED {
            command.args(["--id-attr:ID", name]);
        }
        command.args(["--node-xpath", &format!("{element}/*[local-name()='Signature']")]).arg(&document);
        command.output().expect("xmlsec1 is installed by bin/setup").status.success()
    }))
}

/// The document with the first thing that is encrypted in its place, opened with that key (PEM).
fn decrypted(xml: &str, key: &Path) -> String {
    let folder = Folder::new();
    let document = folder.write("document.xml", xml);
    let mut command = Command::new("xmlsec1");
    command.args(["--decrypt", "--id-attr:Id", "http://www.w3.org/2001/04/xmlenc#:EncryptedKey", "--privkey-pem"]);
    command.arg(key).arg(document);
    let output = command.output().expect("xmlsec1 is installed by bin/setup");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

/// Refuses what we accepted and xmlsec1 does not: a signature that is there and is not good, also one that was encrypted.
pub fn must_agree(xml: &str, certificates: &[Vec<u8>], key: Option<&Path>, what: &str) {
    let sealed = xml.contains("EncryptedAssertion");
    let outer = verifies(xml, "/*", certificates);
    let inside = match key.filter(|_| sealed) {
        Some(key) => verifies(
            &decrypted(xml, key),
            "/*/*[local-name()='EncryptedAssertion']/*[local-name()='Assertion']",
            certificates,
        ),
        None => verifies(xml, "/*/*[local-name()='Assertion']", certificates),
    };
    let judged: Vec<bool> = outer.into_iter().chain(inside).collect();
    assert!(judged.iter().all(|good| *good) && !judged.is_empty(), "{what}: {judged:?} {xml}");
}

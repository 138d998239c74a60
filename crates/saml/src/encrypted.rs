//! Step 6: finds what is encrypted for this connection in the one shape that is accepted, and opens it. What stands
//! there in clear may be refused with a reason; what comes out of it has one answer only: [`Code::Undecryptable`].

use crate::code::{Code, Rejection};
use crate::decryption::{CarriedKey, Cipher, DecryptionKey};
use crate::oaep::{Hash, Oaep};
use crate::response::MAX_RESPONSE_BYTES;
use crate::xml::{self, ENCRYPTION, SIGNATURE};
use crate::{bytes, structure, text, transport};
use std::collections::BTreeMap;
use uppsala::{Document, NodeId};

const ENCRYPTION_11: &str = "http://www.w3.org/2009/xmlenc11#";
/// Prefixes that serializers take for granted: where the plaintext uses one and declares it nowhere, it was declared around
/// the assertion, and canonical forms leave out what no element there uses.
const CUSTOMARY: [(&str, &str); 3] = [
    ("xs", "http://www.w3.org/2001/XMLSchema"),
    ("xsd", "http://www.w3.org/2001/XMLSchema"),
    ("xsi", "http://www.w3.org/2001/XMLSchema-instance"),
];
const ELEMENT: &str = "http://www.w3.org/2001/04/xmlenc#Element";
const RSA_OAEP_MGF1P: &str = "http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p";
const RSA_OAEP: &str = "http://www.w3.org/2009/xmlenc11#rsa-oaep";

/// Recipients that one message may be encrypted for.
const MAX_KEYS: usize = 4;

/// Opens the EncryptedData in `holder`, an EncryptedAssertion or EncryptedID (core 2.2.4). What was inside comes back
/// as the only child of a root that declares the namespaces of its former place.
pub(crate) fn open(document: &Document<'_>, holder: NodeId, keys: &[DecryptionKey]) -> Result<String, Rejection> {
    let (cipher, content, carried) = read(document, holder)?;
    if keys.is_empty() {
        return Err(Code::DecryptionKeyMissing.into());
    }
    let plain = cipher.open(&content, &carried, keys).ok_or(Code::Undecryptable)?;
    let plain = bytes::text(&plain).and_then(structure::without_declaration).map_err(|_| Code::Undecryptable)?;
    structure::scan(plain).map_err(|_| Code::Undecryptable)?;
    let mut namespaces = in_scope(document, holder);
    for (prefix, uri) in CUSTOMARY {
        if plain.contains(&format!("{prefix}:")) && !plain.contains(&format!("xmlns:{prefix}=")) {
            namespaces.entry(prefix).or_insert(uri);
        }
    }
    let namespaces: String = namespaces
        .into_iter()
        .map(|(prefix, uri)| match prefix {
            "" => format!(" xmlns=\"{}\"", xml::escape(uri)),
            prefix => format!(" xmlns:{prefix}=\"{}\"", xml::escape(uri)),
        })
        .collect();
    Ok(format!("<opened{namespaces}>{plain}</opened>"))
}

type Sealed = (Cipher, Vec<u8>, Vec<CarriedKey>);

fn read(document: &Document<'_>, holder: NodeId) -> Result<Sealed, Rejection> {
    let data = only(document, holder, ENCRYPTION, "EncryptedData")?;
    if xml::attribute(document, data, "Type").is_some_and(|kind| kind != ELEMENT) {
        return Err(refused("Type"));
    }
    known(document, holder, &["EncryptedData", "EncryptedKey"])?;
    known(document, data, &["EncryptionMethod", "KeyInfo", "CipherData", "EncryptionProperties"])?;
    let method = only(document, data, ENCRYPTION, "EncryptionMethod")?;
    let algorithm = xml::attribute(document, method, "Algorithm").unwrap_or_default();
    let cipher = Cipher::by_uri(algorithm)
        .ok_or_else(|| Rejection::new(Code::EncryptionAlgorithm).expected("AES in GCM or CBC").received(algorithm))?;
    let key_info = xml::named(document, data, SIGNATURE, "KeyInfo").next();
    let inside = key_info.into_iter().flat_map(|node| xml::named(document, node, ENCRYPTION, "EncryptedKey"));
    let beside = xml::named(document, holder, ENCRYPTION, "EncryptedKey");
    let found: Vec<NodeId> = inside.chain(beside).collect();
    if !(1..=MAX_KEYS).contains(&found.len()) {
        let expected = format!("1 to {MAX_KEYS} EncryptedKey");
        return Err(refused(&found.len().to_string()).expected(&expected));
    }
    let carried = found.into_iter().map(|node| carried_key(document, node)).collect::<Result<_, _>>()?;
    Ok((cipher, cipher_value(document, data)?, carried))
}

fn carried_key(document: &Document<'_>, node: NodeId) -> Result<CarriedKey, Rejection> {
    known(document, node, &["EncryptionMethod", "KeyInfo", "CipherData", "CarriedKeyName", "ReferenceList"])?;
    let method = only(document, node, ENCRYPTION, "EncryptionMethod")?;
    Ok(CarriedKey { oaep: transport(document, method)?, sealed: cipher_value(document, node)? })
}

/// xmlenc 1.1 5.5.2: where nothing is said, both hashes are SHA-1; `rsa-oaep-mgf1p` says so of the mask.
fn transport(document: &Document<'_>, method: NodeId) -> Result<Oaep, Rejection> {
    let said = |namespace: &str, name: &str| {
        let node = xml::named(document, method, namespace, name).next()?;
        xml::attribute(document, node, "Algorithm")?.rsplit_once('#').map(|(_, hash)| hash)
    };
    let algorithm = xml::attribute(document, method, "Algorithm").unwrap_or_default();
    let digest = said(SIGNATURE, "DigestMethod").unwrap_or("sha1");
    let mask = match algorithm {
        RSA_OAEP_MGF1P => Some("mgf1sha1"),
        RSA_OAEP => Some(said(ENCRYPTION_11, "MGF").unwrap_or("mgf1sha1")),
        _ => None,
    };
    let hashes = Hash::named(digest).zip(mask.and_then(|mask| Hash::named(mask.strip_prefix("mgf1")?)));
    let (digest, mask) = hashes.ok_or_else(|| {
        let received = format!("{algorithm} with {digest} and {}", mask.unwrap_or("no mask"));
        Rejection::new(Code::EncryptionAlgorithm).expected("RSA-OAEP with SHA-1 or SHA-2").received(&received)
    })?;
    let label = xml::named(document, method, ENCRYPTION, "OAEPparams").next();
    let label = label.map(|label| base64(document, label)).transpose()?;
    // None and an empty one are the same (RFC 8017 7.1.1).
    Ok(Oaep { digest, mask, label: label.filter(|label| !label.is_empty()) })
}

/// xmlenc 1.1 3.3.1; a CipherReference would have us fetch something.
fn cipher_value(document: &Document<'_>, node: NodeId) -> Result<Vec<u8>, Rejection> {
    let data = only(document, node, ENCRYPTION, "CipherData")?;
    known(document, data, &["CipherValue"])?;
    base64(document, only(document, data, ENCRYPTION, "CipherValue")?)
}

fn base64(document: &Document<'_>, node: NodeId) -> Result<Vec<u8>, Rejection> {
    let text = text::whole(document, node).map_err(|_| refused("markup inside base64"))?;
    transport::decode(&text, MAX_RESPONSE_BYTES).map_err(|_| refused("damaged base64"))
}

fn only(document: &Document<'_>, node: NodeId, namespace: &str, name: &str) -> Result<NodeId, Rejection> {
    let mut found = xml::named(document, node, namespace, name);
    match (found.next(), found.next()) {
        (Some(node), None) => Ok(node),
        (None, _) => Err(refused("nothing").expected(name)),
        (Some(_), Some(_)) => Err(refused(&format!("a repeated {name}"))),
    }
}

/// Whether the node has only these elements, whatever their number.
fn known(document: &Document<'_>, node: NodeId, names: &[&str]) -> Result<(), Rejection> {
    let namespace = |name: &str| if name == "KeyInfo" { SIGNATURE } else { ENCRYPTION };
    let stranger = xml::elements(document, node)
        .find(|(_, element)| !names.iter().any(|name| element.matches_name_ns(namespace(name), name)));
    stranger.map_or(Ok(()), |(_, element)| Err(refused(&xml::display_name(element))))
}

/// The namespaces that are declared where the node stands, by prefix.
fn in_scope<'d>(document: &'d Document<'_>, node: NodeId) -> BTreeMap<&'d str, &'d str> {
    let mut found = BTreeMap::new();
    let mut next = Some(node);
    while let Some(node) = next {
        for (prefix, uri) in document.element(node).into_iter().flat_map(|element| &element.namespace_declarations) {
            found.entry(&**prefix).or_insert(&**uri);
        }
        next = document.parent(node);
    }
    found
}

fn refused(received: &str) -> Rejection {
    Rejection::new(Code::EncryptionContent).received(received)
}

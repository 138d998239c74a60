//! Documents that cost their reader time or memory. Where nothing in them is wrong they must be read, and quickly.

use super::{ASSERTION, Attack, Class, SIGNATURE, Verdict, edit};
use crate::idp::response::Sign;

const STATUS_END: &str = "</saml2p:Status>";

pub(super) fn attacks() -> Vec<Attack> {
    let mut attacks = refused();
    attacks.extend(in_signatures());
    attacks.extend(accepted());
    attacks.extend(by_the_idp());
    attacks
}

/// More than fits into the field, which only the transport sees.
fn huge() -> String {
    "a".repeat(1_500_000)
}

fn refused() -> Vec<Attack> {
    let class = Class::of("exhaustion", Sign::Assertion);
    let detail = |name: &str, code: u16, content: fn() -> String| {
        class.tampered(name, code, move |xml, _| {
            edit::before(xml, STATUS_END, &format!("<saml2p:StatusDetail>{}</saml2p:StatusDetail>", content()))
        })
    };
    let attributes = |count: usize| (0..count).map(|n| format!(" a{n}=\"\"")).collect::<String>();
    vec![
        detail("deep-nesting", 301, || format!("{}{}", "<a>".repeat(20_000), "</a>".repeat(20_000))),
        detail("deep-nesting-without-end", 301, || "<a>".repeat(60_000)),
        detail("just-too-deep", 301, || format!("{}{}", "<a>".repeat(30), "</a>".repeat(30))),
        detail("many-elements", 302, || "<a/>".repeat(40_000)),
        detail("huge-text", 305, || "a".repeat(150_000)),
        detail("huge-cdata", 305, || format!("<![CDATA[{}]]>", "a".repeat(150_000))),
        detail("huge-attribute", 305, || format!("<a b=\"{}\"/>", "a".repeat(150_000))),
        detail("huge-namespace", 305, || format!("<a xmlns:b=\"urn:{}\"/>", "a".repeat(150_000))),
        detail("huge-base64", 103, huge),
        detail("pi-flood", 206, || "<?a?>".repeat(30_000)),
        detail("unfinished-tag", 307, || format!("<a {}", "b ".repeat(50_000))),
        detail("many-responses", 405, || "<saml2p:Response/>".repeat(5_000)),
        class.tampered("100k-attributes", 103, move |xml, _| {
            edit::replace_first(xml, "<saml2p:Status>", &format!("<saml2p:Status{}>", attributes(100_000)))
        }),
        class.tampered("12k-attributes", 303, move |xml, _| {
            edit::replace_first(xml, "<saml2p:Status>", &format!("<saml2p:Status{}>", attributes(12_000)))
        }),
        class.tampered("many-namespaces", 304, |xml, _| {
            let namespaces: String = (0..5_000).map(|n| format!(" xmlns:a{n}=\"urn:a{n}\"")).collect();
            edit::replace_first(xml, "<saml2p:Status>", &format!("<saml2p:Status{namespaces}>"))
        }),
        class.tampered("many-assertions", 404, |xml, _| {
            let assertions: String = (0..3_000).map(|n| format!("<saml2:Assertion ID=\"_{n}\"/>")).collect();
            let bound = "xmlns:saml2=\"urn:oasis:names:tc:SAML:2.0:assertion\"";
            let xml = edit::replace_first(xml, "<saml2p:Response ", &format!("<saml2p:Response {bound} "))?;
            edit::before(&xml, ASSERTION.0, &assertions)
        }),
        class.tampered("long-id", 408, |xml, _| edit::set(xml, ASSERTION.0, "ID", Some(&"a".repeat(60_000)))),
        class.tampered("many-same-ids", 409, |xml, _| {
            edit::before(
                xml,
                STATUS_END,
                &format!("<saml2p:StatusDetail>{}</saml2p:StatusDetail>", "<a ID=\"b\"/>".repeat(10_000)),
            )
        }),
    ]
}

fn in_signatures() -> Vec<Attack> {
    let class = Class::of("exhaustion", Sign::Assertion);
    vec![
        class.tampered("2000-references", 412, |xml, _| {
            edit::before(xml, "<ds:Reference ", &"<ds:Reference URI=\"\"/>".repeat(2_000))
        }),
        class.tampered("2000-signatures", 407, |xml, _| {
            edit::before(
                xml,
                SIGNATURE.0,
                &"<ds:Signature xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\"/>".repeat(2_000),
            )
        }),
        class.tampered("many-transforms", 414, |xml, _| {
            let transform = "<ds:Transform Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"/>";
            edit::before(xml, "</ds:Transforms>", &transform.repeat(2_000))
        }),
        class.tampered("long-prefix-list", 414, |xml, _| {
            edit::replace_first(xml, "PrefixList=\"xs\"", &format!("PrefixList=\"{}\"", "a ".repeat(30_000)))
        }),
        class.tampered("long-digest", 504, |xml, _| {
            let digest = edit::piece(xml, "<ds:DigestValue>", "</ds:DigestValue>")?;
            edit::replace_first(xml, digest, &format!("<ds:DigestValue>{}</ds:DigestValue>", "AAAA".repeat(15_000)))
        }),
        class.tampered("long-value", 505, |xml, _| {
            let value = edit::piece(xml, "<ds:SignatureValue>", "</ds:SignatureValue>")?;
            edit::replace_first(
                xml,
                value,
                &format!("<ds:SignatureValue>{}</ds:SignatureValue>", "AAAA".repeat(15_000)),
            )
        }),
        class.tampered("many-certificates", Verdict::Genuine, |xml, material| {
            let certificate =
                format!("<ds:X509Certificate>{}</ds:X509Certificate>", material.stranger.certificate_base64());
            edit::before(xml, "</ds:X509Data>", &certificate.repeat(100))
        }),
    ]
}

/// Outside of what is signed, within every limit.
fn accepted() -> Vec<Attack> {
    let class = Class::of("exhaustion", Sign::Assertion);
    let detail = |name: &str, content: fn() -> String| {
        class.tampered(name, Verdict::Genuine, move |xml, _| {
            edit::before(xml, STATUS_END, &format!("<saml2p:StatusDetail>{}</saml2p:StatusDetail>", content()))
        })
    };
    vec![
        detail("19k-elements", || "<a/>".repeat(19_000)),
        detail("many-ids", || (0..9_000).map(|n| format!("<a ID=\"_{n}\"/>")).collect()),
        detail("as-deep-as-may-be", || format!("{}{}", "<a>".repeat(29), "</a>".repeat(29))),
        detail("cdata-flood", || "<![CDATA[a]]>".repeat(10_000)),
        detail("character-references", || "&#97;".repeat(13_000)),
        class.tampered("comment-flood", Verdict::Genuine, |xml, _| {
            edit::before(xml, "<saml2p:Status>", &"<!---->".repeat(20_000))
        }),
        class.field("white-space-flood", Verdict::Genuine, |material| {
            let field = super::encode(&material.honest.clone().sign(Sign::Assertion).xml(material.idp)?);
            Ok(format!("{field}{}", " ".repeat(200_000)))
        }),
    ]
}

/// Signed, so that all of it is canonicalized, digested and read.
fn by_the_idp() -> Vec<Attack> {
    let class = Class::of("exhaustion", Sign::Both);
    let detail = |name: &str, content: fn() -> String| {
        class.signed(name, Verdict::Genuine, move |xml, _| {
            edit::before(xml, STATUS_END, &format!("<saml2p:StatusDetail>{}</saml2p:StatusDetail>", content()))
        })
    };
    let values = |count: usize| {
        (0..count).map(|n| format!("<saml2:AttributeValue>{n}</saml2:AttributeValue>")).collect::<String>()
    };
    vec![
        detail("signed-19k-elements-in-64-namespaces", || {
            let namespaces: String = (0..64).map(|n| format!(" xmlns:a{n}=\"urn:a{n}\"")).collect();
            format!("<a{namespaces}>{}</a>", "<a7:b/>".repeat(19_000))
        }),
        detail("signed-64-attributes-each", || {
            let attributes: String = (0..64).map(|n| format!(" a{n}=\"\"")).collect();
            format!("<a{attributes}/>").repeat(300)
        }),
        detail("signed-64-namespaces-each", || {
            let namespaces: String = (0..64).map(|n| format!(" xmlns:a{n}=\"urn:a\"")).collect();
            format!("<a{namespaces}/>").repeat(90)
        }),
        class.signed("many-audiences", Verdict::Genuine, |xml, _| {
            edit::before(xml, "</saml2:AudienceRestriction>", &"<saml2:Audience>x</saml2:Audience>".repeat(4_000))
        }),
        class.signed("many-other-audiences", 811, |xml, _| {
            let own = edit::piece(xml, "<saml2:Audience>", "</saml2:Audience>")?;
            edit::replace_first(xml, own, &"<saml2:Audience>x</saml2:Audience>".repeat(4_000))
        }),
        class.signed("many-attribute-values", Verdict::Genuine, move |xml, _| {
            edit::before(
                xml,
                "</saml2:AttributeStatement>",
                &format!("<saml2:Attribute Name=\"groups\">{}</saml2:Attribute>", values(2_500)),
            )
        }),
        class.signed("many-confirmations", Verdict::Genuine, |xml, _| {
            let other = "<saml2:SubjectConfirmation Method=\"urn:oasis:names:tc:SAML:2.0:cm:bearer\"/>";
            edit::before(xml, "<saml2:SubjectConfirmation ", &other.repeat(1_500))
        }),
    ]
}

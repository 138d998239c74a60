//! Names cut in two, so that one reader sees another person than the one that was signed.

use super::{Attack, Class, Verdict, edit};
use crate::idp::response::Sign;

pub(super) fn attacks() -> Vec<Attack> {
    let mut attacks = Vec::new();
    for sign in [Sign::Assertion, Sign::Response] {
        attacks.extend(comments(sign));
        attacks.extend(cut_by_the_idp(sign));
        attacks.extend(spellings(sign));
    }
    attacks.extend(entities());
    attacks
}

/// CVE-2017-11427 to 11430, CVE-2018-0489, CVE-2018-7340: canonicalization drops comments, so the signature stays good.
fn comments(sign: Sign) -> Vec<Attack> {
    let class = Class::of("text", sign);
    let in_text = |name: &str, before: &'static str, text: fn(&super::Material<'_>) -> String| {
        class.tampered(name, 701, move |xml, material| {
            let text = text(material);
            let (start, end) = text.split_at_checked(3).unwrap_or_default();
            edit::replace_last(xml, &format!("{before}{text}<"), &format!("{before}{start}<!---->{end}<"))
        })
    };
    vec![
        in_text("comment-in-nameid", "emailAddress\">", |material| material.honest.name_id.clone()),
        in_text("comment-in-attribute", "xs:string\">", |material| material.honest.name_id.clone()),
        in_text("comment-in-issuer", "entity\">", |material| material.honest.issuer.clone()),
        in_text("comment-in-audience", "<saml2:Audience>", |material| material.honest.audience.clone()),
        class.tampered("comment-at-the-end-of-nameid", 701, |xml, _| {
            edit::replace_first(xml, "</saml2:NameID>", "<!--.evil.test--></saml2:NameID>")
        }),
        class.tampered("comment-at-the-start-of-nameid", 701, |xml, _| {
            edit::replace_first(xml, "emailAddress\">", "emailAddress\"><!---->")
        }),
        class.tampered("comment-in-response-issuer", 701, |xml, _| {
            edit::replace_first(xml, "</saml2:Issuer>", "<!----></saml2:Issuer>")
        }),
        class.tampered("comment-in-context-class", 701, |xml, _| {
            edit::replace_first(xml, "</saml2:AuthnContextClassRef>", "<!--x--></saml2:AuthnContextClassRef>")
        }),
        class.tampered("pi-in-nameid", 206, |xml, _| {
            edit::replace_first(xml, "</saml2:NameID>", "<?x y?></saml2:NameID>")
        }),
    ]
}

/// Somebody got the identity provider to sign a name that another reader cuts short.
fn cut_by_the_idp(sign: Sign) -> Vec<Attack> {
    let class = Class::of("text", sign);
    let named = |name: &str, code: u16, to: &'static str| {
        class.signed(name, code, move |xml, material| {
            let name = format!("emailAddress\">{}<", material.honest.name_id);
            edit::replace(xml, &name, &format!("emailAddress\">{}<", edit::filled(to, material)))
        })
    };
    vec![
        named("signed-comment-in-nameid", 701, "{victim}<!---->.evil.test"),
        named("signed-pi-in-nameid", 206, "{victim}<?x?>.evil.test"),
        named("signed-element-in-nameid", 702, "{victim}<x/>.evil.test"),
        named("signed-element-around-nameid", 702, "<x>{victim}</x>"),
        named("signed-nameid-in-nameid", 702, "<saml2:NameID>{victim}</saml2:NameID>"),
        named("signed-line-break-in-nameid", 704, "{victim}&#10;.evil.test"),
        named("signed-control-character-in-nameid", 704, "{victim}&#x7f;"),
        class.signed("signed-element-in-audience", 702, |xml, _| {
            edit::replace_first(xml, "</saml2:Audience>", "<x/></saml2:Audience>")
        }),
        class.signed("signed-element-in-issuer", 702, |xml, _| {
            edit::replace_last(xml, "</saml2:Issuer>", "<x/></saml2:Issuer>")
        }),
        class.signed("signed-element-in-attribute", 702, |xml, _| {
            edit::replace_first(xml, "</saml2:AttributeValue>", "<x/></saml2:AttributeValue>")
        }),
        class.signed("signed-comment-in-attribute", 701, |xml, _| {
            edit::replace_first(xml, "</saml2:AttributeValue>", "<!---->.evil.test</saml2:AttributeValue>")
        }),
    ]
}

/// The same text written otherwise: all of it counts.
fn spellings(sign: Sign) -> Vec<Attack> {
    let class = Class::of("text", sign);
    let named = |name: &str, spell: fn(&str, &str) -> String| {
        class.tampered(name, Verdict::Genuine, move |xml, material| {
            let (start, end) = material.honest.name_id.split_at_checked(3).unwrap_or_default();
            edit::replace(xml, &format!(">{start}{end}<"), &format!(">{}<", spell(start, end)))
        })
    };
    vec![
        named("cdata", |start, end| format!("<![CDATA[{start}{end}]]>")),
        named("cdata-split", |start, end| format!("{start}<![CDATA[{end}]]>")),
        named("cdata-split-first", |start, end| format!("<![CDATA[{start}]]>{end}")),
        named("cdata-empty", |start, end| format!("{start}<![CDATA[]]>{end}")),
        named("numeric-references", |start, end| {
            format!("{start}{}", end.replace('@', "&#64;").replace('.', "&#x2E;"))
        }),
        class.tampered("comment-between-elements", Verdict::Genuine, |xml, _| {
            edit::before(xml, "<saml2:Conditions ", "<!-- </saml2:Assertion> -->")
        }),
        class
            .tampered("comment-in-front", Verdict::Genuine, |xml, _| edit::before(xml, "<saml2p:Response", "<!-- -->")),
        class.tampered("comment-behind", Verdict::Genuine, |xml, _| Ok(format!("{xml}<!-- -->"))),
        class.tampered("cdata-between-elements", 420, |xml, _| edit::before(xml, "<saml2:Subject>", "<![CDATA[ ]]>")),
        class.tampered("text-between-elements", 420, |xml, _| edit::before(xml, "<saml2:Subject>", "x")),
        class.tampered("cdata-closing-the-name", 504, |xml, material| {
            edit::before(
                xml,
                "</saml2:NameID>",
                &format!("<![CDATA[</saml2:NameID><saml2:NameID>{}]]>", material.victim),
            )
        }),
    ]
}

fn entities() -> Vec<Attack> {
    let class = Class::of("text", Sign::Assertion);
    let named = |name: &str, code: u16, more: &'static str| {
        class.tampered(name, code, move |xml, _| edit::before(xml, "</saml2:NameID>", more))
    };
    vec![
        named("undeclared-entity", 307, "&x;"),
        named("html-entity", 307, "&nbsp;"),
        named("unfinished-entity", 307, "&amp"),
        named("bare-ampersand", 307, "&"),
        named("reference-to-nul", 307, "&#0;"),
        named("reference-to-surrogate", 307, "&#xD800;"),
        named("reference-beyond-unicode", 307, "&#x110000;"),
        named("reference-to-backspace", 307, "&#8;"),
        named("zero-width-space", 504, "\u{200b}"),
        named("nested-cdata", 307, "<![CDATA[<![CDATA[]]>]]>"),
    ]
}

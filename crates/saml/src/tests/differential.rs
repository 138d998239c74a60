//! Whatever we accept, xmlsec1 accepts too: honest responses, and thousands that were changed after they were signed.

use super::kit::{STYLES, Style, ec, idp, judge_with, rsa, sign, signed};
use super::xmlsec1;
use crate::self_test::forge::{self, NOW};

/// A small generator, so that a failure comes again.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or(0) % end.max(1)
    }

    fn one_of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }
}

/// Pieces that a parser and a canonicalizer may read differently.
const PIECES: [&str; 30] = [
    "<!-- x -->",
    " ",
    "\n",
    "\r\n",
    "\t",
    "&#13;",
    "&#x20;",
    "&#160;",
    "<![CDATA[]]>",
    "<![CDATA[x]]>",
    "<?x y?>",
    " xmlns:q=\"urn:q\"",
    " xmlns=\"\"",
    " xmlns:ds=\"urn:other\"",
    " xmlns:saml=\"urn:other\"",
    " q=\"1\"",
    " xml:id=\"_x\"",
    " xml:lang=\"en\"",
    " xml:space=\"preserve\"",
    "<q/>",
    "<saml:Advice/>",
    "<ds:Object/>",
    "&amp;",
    "&lt;",
    "\"",
    "'",
    "x",
    "=",
    "/",
    "\u{e9}",
];

/// One change at a place of its choice, mostly at the end or beginning of a tag.
fn changed(xml: &str, random: &mut Random) -> String {
    let edges: Vec<usize> =
        xml.char_indices().filter(|(_, letter)| matches!(letter, '<' | '>' | ' ' | '"')).map(|(at, _)| at).collect();
    let mut at = *random.one_of(&edges) + random.below(2);
    while !xml.is_char_boundary(at) {
        at -= 1;
    }
    let (before, after) = xml.split_at(at);
    match random.below(6) {
        // Take a letter out, or double what is between two edges.
        0 => format!("{before}{}", after.chars().skip(1).collect::<String>()),
        1 => {
            let end = after.find('>').map_or(after.len(), |end| end + 1);
            format!("{before}{}{after}", &after[..end])
        }
        2 => {
            let between: &&str = random.one_of(&["> <", ">\n<", "><!-- --><", ">&#10;<"]);
            xml.replacen("><", between, 1 + random.below(40))
        }
        _ => format!("{before}{}{after}", random.one_of(&PIECES)),
    }
}

#[test]
fn what_was_changed_and_still_accepted_is_accepted_by_xmlsec1_too() {
    let certificates = [rsa().certificate.der().to_vec()];
    let mut random = Random(20_261_122);
    let (mut accepted, mut refused) = (0, 0);
    for number in 0..3_000 {
        let style = *random.one_of(&STYLES);
        let mut xml = signed(style);
        for _ in 0..=random.below(3) {
            xml = changed(&xml, &mut random);
        }
        if judge_with(&xml, &idp(), NOW, false).is_ok() {
            accepted += 1;
            xmlsec1::must_agree(&xml, &certificates, None, &format!("number {number}, {style:?}"));
        } else {
            refused += 1;
        }
    }
    println!("differential: {accepted} of 3000 accepted, {refused} refused");
    assert!(accepted > 50, "only {accepted} were accepted, which shows little");
}

/// The control: the judge that we compare with does refuse.
#[test]
fn xmlsec1_tells_a_good_signature_from_a_bad_one() {
    for signer in [rsa(), ec()] {
        let certificates = [signer.certificate.der().to_vec()];
        for style in STYLES {
            let xml = sign(&forge::response(), style, signer);
            xmlsec1::must_agree(&xml, &certificates, None, "genuine");
            let spoiled = xml.replace("ann@acme.test", "eve@acme.test");
            let judged =
                ["/*", "/*/*[local-name()='Assertion']"].map(|at| xmlsec1::verifies(&spoiled, at, &certificates));
            assert!(judged.contains(&Some(false)) && !judged.contains(&Some(true)), "{style:?} {judged:?}");
        }
    }
    let stranger = [ec().certificate.der().to_vec()];
    assert_eq!(xmlsec1::verifies(&signed(Style::Response), "/*", &stranger), Some(false));
}

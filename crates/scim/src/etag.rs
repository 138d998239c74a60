//! Versions of resources (RFC 7644 3.14): what `If-Match` and `If-None-Match` say about one.

/// Whether a list of entity tags names this version of what clients write (RFC 9110 8.8.3.2, weak comparison),
/// whatever was computed beside it. Our tags hold no commas, so one inside a foreign tag cannot make one of them.
pub fn is_current(header: &str, version: i64) -> bool {
    let version = version.to_string();
    let names = |own: &str| own.strip_prefix(&version).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'));
    header.split(',').map(str::trim).any(|tag| tag == "*" || opaque(tag).is_some_and(names))
}

/// Whether a list of entity tags has exactly this one of ours (RFC 9110 8.8.3.2, weak comparison).
pub fn is_same(header: &str, tag: &str) -> bool {
    header
        .split(',')
        .map(str::trim)
        .any(|given| given == "*" || (opaque(given).is_some() && opaque(given) == opaque(tag)))
}

/// What is between the quotation marks.
fn opaque(tag: &str) -> Option<&str> {
    let strong = tag.strip_prefix("W/").or_else(|| tag.strip_prefix("w/")).unwrap_or(tag);
    strong.strip_prefix('"')?.strip_suffix('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_found_in_every_spelling() {
        let table = [
            ("W/\"3\"", true),
            ("\"3\"", true),
            ("w/\"3\"", true),
            ("*", true),
            (" * ", true),
            (" W/\"2\" , W/\"3\" ", true),
            ("\"a,b\",\"3\"", true),
            ("", false),
            ("W/\"3-0a1b2c3d\"", true),
            ("W/\"4\"", false),
            ("W/\"30-0a1b2c3d\"", false),
            ("W/\"33\"", false),
            ("W/\"03\"", false),
            ("3", false),
            ("W/3", false),
            ("\"3", false),
            ("\"", false),
            ("\"*\"", false),
            ("W/", false),
            (",,", false),
        ];
        for (header, expected) in table {
            assert_eq!(is_current(header, 3), expected, "{header}");
        }
        assert!(is_current("W/\"-1\"", -1));
    }

    #[test]
    fn the_same_tag_is_the_same_to_the_letter() {
        for header in ["W/\"3-0a\"", "\"3-0a\"", "*", "W/\"2\", W/\"3-0a\""] {
            assert!(is_same(header, "W/\"3-0a\""), "{header}");
        }
        for header in ["W/\"3\"", "W/\"3-0b\"", "3-0a", ""] {
            assert!(!is_same(header, "W/\"3-0a\""), "{header}");
        }
    }
}

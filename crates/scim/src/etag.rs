//! Versions of resources (RFC 7644 3.14): what `If-Match` and `If-None-Match` say about one.

/// Whether a list of entity tags names this version (RFC 9110 8.8.3.2, weak comparison). Our tags hold digits only,
/// so a comma inside a foreign tag cannot make one of them.
pub fn is_current(header: &str, version: i64) -> bool {
    let version = version.to_string();
    header.split(',').map(str::trim).any(|tag| tag == "*" || opaque(tag) == Some(version.as_str()))
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
            ("W/\"4\"", false),
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
}

//! Attributes that a connection's administrator defined: which are allowed, and how they join the user's schemas.

use std::borrow::Cow;

use super::{
    Attribute, CustomAttribute, ENTERPRISE_USER, Kind, ROLE, ResourceType, Schema, USER, canonical_urn, core, find,
};

const MAX_URN_CHARS: usize = 256;
const MAX_NAME_CHARS: usize = 128;
const MAX_DESCRIPTION_CHARS: usize = 1000;
const MAX_CANONICAL_VALUES: usize = 200;
const MAX_CANONICAL_CHARS: usize = 256;

/// Names that mean the same under every URN, or must never be mistaken for what they are elsewhere.
const RESERVED_NAMES: [&str; 4] = ["id", "meta", "password", "schemas"];
/// URNs of the standard under which nobody else defines attributes.
const RESERVED_URNS: [&str; 3] = ["urn:ietf:params:scim:api:", "urn:ietf:params:scim:schemas:core:", ROLE];

pub(super) fn check(attribute: &CustomAttribute) -> Result<(), String> {
    check_urn(&attribute.urn)?;
    check_name(&attribute.urn, &attribute.name)?;
    let kinds = [Kind::String, Kind::Boolean, Kind::Decimal, Kind::Integer, Kind::DateTime, Kind::Reference];
    if !kinds.contains(&attribute.kind) {
        return Err(format!(
            "An attribute cannot be of the kind {}. Choose string, boolean, decimal, integer, dateTime or reference.",
            attribute.kind.as_str()
        ));
    }
    if attribute.description.chars().count() > MAX_DESCRIPTION_CHARS {
        return Err(format!("The description is longer than {MAX_DESCRIPTION_CHARS} characters. Shorten it."));
    }
    check_canonical_values(attribute)
}

/// Adds the attributes to the schemas that their URNs name. One whose name is taken is left out: `check` and the
/// store's uniqueness keep that from happening.
pub(super) fn join(user: &mut ResourceType, custom: &[CustomAttribute]) {
    for attribute in custom {
        let is_core = canonical_urn(&attribute.urn) == Some(USER);
        if is_core && user.attribute(&attribute.name).is_some() {
            continue;
        }
        let schema = if is_core { &mut user.schema } else { extension(&mut user.extensions, &attribute.urn) };
        if find(&schema.attributes, &attribute.name).is_none() {
            schema.attributes.push(definition(attribute));
        }
    }
}

/// The extension with this URN, made when it is not there.
fn extension<'s>(extensions: &'s mut Vec<Schema>, urn: &str) -> &'s mut Schema {
    let urn = canonical_urn(urn).unwrap_or(urn);
    let position = extensions.iter().position(|extension| extension.id.eq_ignore_ascii_case(urn));
    let position = position.unwrap_or_else(|| {
        extensions.push(Schema {
            id: Cow::Owned(urn.to_owned()),
            name: Cow::Owned(title(urn)),
            description: "Attributes that the administrator of this connection defined".into(),
            attributes: Vec::new(),
        });
        extensions.len() - 1
    });
    &mut extensions[position]
}

/// A name for people: the last two parts of the URN that are no version, so that `…:acme:2.0:User` is `AcmeUser`.
fn title(urn: &str) -> String {
    let parts: Vec<&str> =
        urn.split(':').skip(1).filter(|part| part.starts_with(|c: char| c.is_ascii_alphabetic())).collect();
    let capitalized = parts.iter().skip(parts.len().saturating_sub(2)).map(|part| {
        let (first, rest) = part.split_at(1);
        first.to_ascii_uppercase() + rest
    });
    let title: String = capitalized.collect();
    if title.is_empty() { urn.to_owned() } else { title }
}

fn definition(custom: &CustomAttribute) -> Attribute {
    let described = !custom.description.trim().is_empty();
    let description: &str =
        if described { &custom.description } else { "An attribute that the administrator of this connection defined." };
    let is_reference = custom.kind == Kind::Reference;
    Attribute {
        name: Cow::Owned(custom.name.clone()),
        description: Cow::Owned(description.to_owned()),
        multi_valued: custom.multi_valued,
        // RFC 7643 2.3.7: a reference is case exact.
        case_exact: custom.case_exact || is_reference,
        canonical_values: custom.canonical_values.iter().cloned().map(Cow::Owned).collect(),
        reference_types: if is_reference { vec!["external".into()] } else { Vec::new() },
        ..Attribute::new("", custom.kind, "")
    }
}

fn check_urn(urn: &str) -> Result<(), String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || ".-_:/".contains(c);
    let parts: Vec<&str> = urn.split(':').collect();
    let well_formed = parts.len() >= 3
        && parts[0].eq_ignore_ascii_case("urn")
        && parts.iter().all(|part| !part.is_empty())
        && urn.chars().all(allowed);
    if !well_formed {
        return Err("The namespace must be a URN of letters, digits and . - _ / between colons, as in \
                    urn:ietf:params:scim:schemas:extension:acme:2.0:User."
            .to_owned());
    }
    if urn.len() > MAX_URN_CHARS {
        return Err(format!("The namespace is longer than {MAX_URN_CHARS} characters. Choose a shorter URN."));
    }
    let of_users = matches!(canonical_urn(urn), Some(USER | ENTERPRISE_USER));
    let starts_with =
        |reserved: &&str| urn.get(..reserved.len()).is_some_and(|head| head.eq_ignore_ascii_case(reserved));
    if !of_users && RESERVED_URNS.iter().any(starts_with) {
        return Err(format!(
            "{urn} belongs to the standard and is not a schema of users. Choose a namespace of your own."
        ));
    }
    Ok(())
}

fn check_name(urn: &str, name: &str) -> Result<(), String> {
    let well_formed = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c));
    if !well_formed {
        return Err(
            "The name must begin with a letter and go on with letters, digits, _ and -, as in costCenter.".to_owned()
        );
    }
    if name.len() > MAX_NAME_CHARS {
        return Err(format!("The name is longer than {MAX_NAME_CHARS} characters. Choose a shorter one."));
    }
    if RESERVED_NAMES.iter().any(|reserved| reserved.eq_ignore_ascii_case(name)) {
        return Err(format!("{name} has a meaning of its own in SCIM. Choose another name."));
    }
    let standard = core::user(&[]);
    let is_taken = match canonical_urn(urn) {
        Some(USER) => standard.attribute(name).is_some(),
        Some(urn) => standard.extension(urn).is_some_and(|extension| extension.attribute(name).is_some()),
        None => false,
    };
    if is_taken {
        return Err(format!("Users have the attribute {name} already. Map to it as it is, or choose another name."));
    }
    Ok(())
}

fn check_canonical_values(attribute: &CustomAttribute) -> Result<(), String> {
    let values = &attribute.canonical_values;
    if !values.is_empty() && attribute.kind != Kind::String {
        return Err(format!(
            "Only attributes of the kind string have a list of values, but this one is of the kind {}. Leave the list empty.",
            attribute.kind.as_str()
        ));
    }
    if values.len() > MAX_CANONICAL_VALUES {
        return Err(format!("The list has more than {MAX_CANONICAL_VALUES} values. Shorten it, or leave it empty."));
    }
    if values.iter().any(|value| value.trim().is_empty() || value.chars().count() > MAX_CANONICAL_CHARS) {
        return Err(format!("Each value of the list must have 1 to {MAX_CANONICAL_CHARS} characters."));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::path::AttributePath;
    use crate::schema::Catalogue;

    const ACME: &str = "urn:ietf:params:scim:schemas:extension:acme:2.0:User";

    fn custom(urn: &str, name: &str, kind: Kind) -> CustomAttribute {
        CustomAttribute {
            urn: urn.to_owned(),
            name: name.to_owned(),
            description: String::new(),
            kind,
            multi_valued: false,
            case_exact: false,
            canonical_values: Vec::new(),
        }
    }

    #[test]
    fn what_may_be_defined_is_accepted() {
        for (urn, name) in [
            (ACME, "userName"),
            (USER, "shoe-size_2"),
            ("urn:scim:schemas:core:2.0", "badge"),
            (&ENTERPRISE_USER.to_uppercase(), "floor"),
            ("urn:acme:x", "x"),
            ("urn:ietf:params:scim:schemas:extension:ACME:2.0:User", "a"),
        ] {
            assert_eq!(custom(urn, name, Kind::String).check(), Ok(()), "{urn} {name}");
        }
        for kind in ["string", "boolean", "decimal", "integer", "dateTime", "reference"] {
            assert_eq!(custom(ACME, "a", Kind::read(kind).unwrap()).check(), Ok(()), "{kind}");
        }
        let urn = format!("urn:{}", "a:".repeat(126));
        let limits = CustomAttribute {
            description: "é".repeat(1000),
            canonical_values: vec!["é".repeat(256); 200],
            ..custom(urn.trim_end_matches(':'), &"n".repeat(128), Kind::String)
        };
        assert_eq!(limits.check(), Ok(()));
    }

    #[test]
    fn what_may_not_be_defined_is_refused_with_a_sentence() {
        let valued = |kind, value: &str, count| CustomAttribute {
            canonical_values: vec![value.to_owned(); count],
            ..custom(ACME, "a", kind)
        };
        let long_urn = format!("urn:acme:{}", "x".repeat(248));
        let table = [
            (custom("", "a", Kind::String), "The namespace must be a URN"),
            (custom("acme:2.0", "a", Kind::String), "The namespace must be a URN"),
            (custom("urn:", "a", Kind::String), "The namespace must be a URN"),
            (custom("urn:acme:", "a", Kind::String), "The namespace must be a URN"),
            (custom("urn:acme::x", "a", Kind::String), "The namespace must be a URN"),
            (custom("urn:acme:a b", "a", Kind::String), "The namespace must be a URN"),
            (custom("urn:acme:a,b", "a", Kind::String), "The namespace must be a URN"),
            (custom("urn:acme:é", "a", Kind::String), "The namespace must be a URN"),
            (custom(&long_urn, "a", Kind::String), "The namespace is longer than 256 characters."),
            (custom(super::super::GROUP, "a", Kind::String), "belongs to the standard"),
            (custom("urn:ietf:params:scim:api:messages:2.0:Error", "a", Kind::String), "belongs to the standard"),
            (custom(ROLE, "a", Kind::String), "belongs to the standard"),
            (custom(ACME, "", Kind::String), "The name must begin with a letter"),
            (custom(ACME, "1a", Kind::String), "The name must begin with a letter"),
            (custom(ACME, "a.b", Kind::String), "The name must begin with a letter"),
            (custom(ACME, "$ref", Kind::String), "The name must begin with a letter"),
            (custom(ACME, &"n".repeat(129), Kind::String), "The name is longer than 128 characters."),
            (custom(ACME, "Password", Kind::String), "Password has a meaning of its own"),
            (custom(ENTERPRISE_USER, "meta", Kind::String), "meta has a meaning of its own"),
            (custom(ACME, "ID", Kind::String), "ID has a meaning of its own"),
            (custom(ACME, "schemas", Kind::String), "schemas has a meaning of its own"),
            (custom(USER, "username", Kind::String), "Users have the attribute username already."),
            (custom(USER, "externalId", Kind::String), "Users have the attribute externalId already."),
            (custom("urn:scim:schemas:core:1.0", "role", Kind::String), "Users have the attribute role already."),
            (custom(ENTERPRISE_USER, "Manager", Kind::String), "Users have the attribute Manager already."),
            (custom(ACME, "a", Kind::Complex), "An attribute cannot be of the kind complex."),
            (custom(ACME, "a", Kind::Binary), "An attribute cannot be of the kind binary."),
            (valued(Kind::Integer, "1", 1), "Only attributes of the kind string have a list of values"),
            (valued(Kind::String, "x", 201), "The list has more than 200 values."),
            (valued(Kind::String, " ", 1), "Each value of the list must have 1 to 256 characters."),
            (valued(Kind::String, &"é".repeat(257), 1), "Each value of the list must have 1 to 256 characters."),
        ];
        for (attribute, expected) in table {
            let refused = attribute.check().unwrap_err();
            assert!(refused.contains(expected), "{attribute:?}: {refused}");
        }
        let described = CustomAttribute { description: "é".repeat(1001), ..custom(ACME, "a", Kind::String) };
        assert!(described.check().unwrap_err().contains("The description is longer than 1000 characters."));
    }

    #[test]
    fn attributes_join_the_schemas_that_their_urns_name() {
        let catalogue = Catalogue::new(
            &[],
            &[
                custom("urn:scim:schemas:core:2.0", "badge", Kind::String),
                custom(&ENTERPRISE_USER.to_lowercase(), "floor", Kind::Integer),
                custom(ACME, "link", Kind::Reference),
                custom(&ACME.to_uppercase(), "Since", Kind::DateTime),
                custom("urn:other", "link", Kind::Boolean),
                custom(ACME, "LINK", Kind::Boolean),
                custom(USER, "UserName", Kind::Boolean),
            ],
        );
        let user = catalogue.user();
        let names: Vec<&str> = user.extensions.iter().map(|extension| extension.name.as_ref()).collect();
        assert_eq!(names, ["EnterpriseUser", "AcmeUser", "Other"]);
        let kind = |text: &str| match user.resolve(&AttributePath::parse(text).unwrap()) {
            Some(crate::schema::Target::Attribute(_, attribute)) => Some((attribute.kind, attribute.case_exact)),
            _ => None,
        };
        assert_eq!(kind("BADGE"), Some((Kind::String, false)));
        assert_eq!(kind("userName"), Some((Kind::String, false)));
        assert_eq!(kind(&format!("{ENTERPRISE_USER}:Floor")), Some((Kind::Integer, false)));
        assert_eq!(kind(&format!("{ACME}:link")), Some((Kind::Reference, true)));
        assert_eq!(kind(&format!("{ACME}:since")), Some((Kind::DateTime, false)));
        assert_eq!(kind("urn:other:link"), Some((Kind::Boolean, false)));
        assert_eq!(kind("link"), None);
    }

    #[test]
    fn a_schema_is_named_after_its_urn() {
        for (urn, name) in [
            (ACME, "AcmeUser"),
            ("urn:acme", "Acme"),
            ("urn:acme:2.0", "Acme"),
            ("urn:1:2", "urn:1:2"),
            ("urn:a:b:c", "BC"),
        ] {
            assert_eq!(title(urn), name);
        }
    }
}

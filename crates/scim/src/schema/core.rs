//! The standard's attributes as tables (RFC 7643 4 and 8.7.1), and this server's own top-level `role`.

use std::borrow::Cow;

use super::{
    Attribute, ENTERPRISE_USER, GROUP, Kind, Mutability, ROLE, ResourceType, Returned, Schema, USER, Uniqueness,
};

/// Names that the store looks up by an index; longer ones would not fit into it.
const MAX_NAME_CHARS: usize = 256;
/// The longest e-mail address (RFC 5321 4.5.3.1).
const MAX_EMAIL_CHARS: usize = 320;

const PLACES: &[&str] = &["work", "home", "other"];

/// The user: core, enterprise extension, and `role`, which Okta sends under the core schema's URN when an admin
/// follows the guide of an app whose only custom attribute is the role.
pub(super) fn user(roles: &[String]) -> ResourceType {
    let mut role = text("role", "The role in the application; without one, the lowest applies.");
    role.canonical_values = roles.iter().cloned().map(Cow::Owned).collect();
    let mut attributes = profile();
    attributes.push(role);
    attributes.extend(multi_valued());
    ResourceType {
        name: "User",
        endpoint: "/Users",
        description: "People who may use the application",
        schema: Schema {
            id: USER.into(),
            name: "User".into(),
            description: "A person's account in the application".into(),
            attributes,
        },
        extensions: vec![enterprise()],
        common: common(),
    }
}

/// The group; members show exactly what responses carry.
pub(super) fn group() -> ResourceType {
    let members = complex("members", "The accounts and groups in this group.").multi().subs(vec![
        text("value", "The id of the member.").exact().mutable(Mutability::Immutable),
        reference("$ref", "The address of the member.", &["User", "Group"]).mutable(Mutability::Immutable),
        text("type", "Whether the member is a user or a group.")
            .canonical(&["User", "Group"])
            .mutable(Mutability::Immutable),
    ]);
    let display_name = text("displayName", "The name of the group, unique in this connection.")
        .required()
        .unique(Uniqueness::Server)
        .at_most(MAX_NAME_CHARS);
    ResourceType {
        name: "Group",
        endpoint: "/Groups",
        description: "Groups pushed by the identity provider",
        schema: Schema {
            id: GROUP.into(),
            name: "Group".into(),
            description: "A named set of users and groups".into(),
            attributes: vec![display_name, members],
        },
        extensions: Vec::new(),
        common: common(),
    }
}

/// The role of the application, to be read only: Okta Identity Governance lists what it can assign.
pub(super) fn role() -> ResourceType {
    let exact = |name, description| text(name, description).exact().read_only();
    ResourceType {
        name: "Role",
        endpoint: "/Roles",
        description: "Roles that a user can have in the application",
        schema: Schema {
            id: ROLE.into(),
            name: "Role".into(),
            description: "A role in the application".into(),
            attributes: vec![
                exact("id", "The value to send as the role of a user.").returned(Returned::Always),
                exact("displayName", "The name of the role."),
                exact("type", "What kind of entitlement it is."),
                text("description", "What the role is for, in 1000 characters at most.").read_only(),
            ],
        },
        extensions: Vec::new(),
        common: common(),
    }
}

fn common() -> Vec<Attribute> {
    vec![
        text("id", "The id that this server gave.").exact().read_only().returned(Returned::Always),
        text("externalId", "The id that the identity provider gave.").exact().at_most(MAX_NAME_CHARS),
        complex("meta", "When and where the resource lives.").read_only().subs(vec![
            text("resourceType", "The kind of resource.").exact().read_only(),
            Attribute::new("created", Kind::DateTime, "When the resource was made.").read_only(),
            Attribute::new("lastModified", Kind::DateTime, "When the resource was changed last.").read_only(),
            reference("location", "The address of the resource.", &["uri"]).read_only(),
            text("version", "The entity tag of the resource.").exact().read_only(),
        ]),
        text("schemas", "The schemas that the resource uses.").multi().exact().read_only().returned(Returned::Always),
    ]
}

fn profile() -> Vec<Attribute> {
    vec![
        text("userName", "The name that identifies the user; unique in this connection without regard to case.")
            .required()
            .unique(Uniqueness::Server)
            .at_most(MAX_NAME_CHARS),
        complex("name", "The parts of the user's name.").subs(vec![
            text("formatted", "The whole name as it is shown."),
            text("familyName", "The family name."),
            text("givenName", "The given name."),
            text("middleName", "The middle names."),
            text("honorificPrefix", "A title before the name."),
            text("honorificSuffix", "A suffix after the name."),
        ]),
        text("displayName", "The name that others see."),
        text("nickName", "The casual name."),
        reference("profileUrl", "A page about the user.", &["external"]),
        text("title", "The job title."),
        text("userType", "How the user relates to the organization."),
        text("preferredLanguage", "The languages that the user prefers."),
        text("locale", "The place by which dates and numbers are written."),
        text("timezone", "The time zone."),
        Attribute::new("active", Kind::Boolean, "Whether the user may sign in."),
        text("password", "Accepted, kept only where password synchronization is switched on, and never returned.")
            .mutable(Mutability::WriteOnly)
            .returned(Returned::Never),
    ]
}

fn multi_valued() -> Vec<Attribute> {
    vec![
        plural("emails", "The e-mail addresses.", text("value", "The address.").at_most(MAX_EMAIL_CHARS), PLACES),
        plural(
            "phoneNumbers",
            "The telephone numbers.",
            text("value", "The number."),
            &["work", "home", "mobile", "fax", "pager", "other"],
        ),
        plural(
            "ims",
            "The addresses for instant messages.",
            text("value", "The address."),
            &["aim", "gtalk", "icq", "xmpp", "msn", "skype", "qq", "yahoo"],
        ),
        plural(
            "photos",
            "The pictures of the user.",
            reference("value", "The address of the picture.", &["external"]),
            &["photo", "thumbnail"],
        ),
        addresses(),
        complex("groups", "The groups that the user is in.").multi().read_only().subs(vec![
            text("value", "The id of the group.").exact().read_only(),
            reference("$ref", "The address of the group.", &["Group"]).read_only(),
            text("display", "The name of the group.").read_only(),
            text("type", "Whether the user is in it directly.").canonical(&["direct", "indirect"]).read_only(),
        ]),
        plural("entitlements", "What the user is entitled to.", text("value", "The entitlement."), &[]),
        plural("roles", "The roles of the user.", text("value", "The role."), &[]),
        plural(
            "x509Certificates",
            "The certificates of the user.",
            Attribute::new("value", Kind::Binary, "The certificate in base64.").exact(),
            &[],
        ),
    ]
}

fn addresses() -> Attribute {
    complex("addresses", "The postal addresses.").multi().subs(vec![
        text("formatted", "The whole address as it is printed."),
        text("streetAddress", "The street and the number."),
        text("locality", "The city."),
        text("region", "The state or the region."),
        text("postalCode", "The postal code."),
        text("country", "The country."),
        text("type", "What the address is for.").canonical(PLACES),
        Attribute::new("primary", Kind::Boolean, "Whether it is the main one."),
    ])
}

fn enterprise() -> Schema {
    Schema {
        id: ENTERPRISE_USER.into(),
        name: "EnterpriseUser".into(),
        description: "What an employer records about a user".into(),
        attributes: vec![
            text("employeeNumber", "The number that the organization gave."),
            text("costCenter", "The cost center."),
            text("organization", "The organization."),
            text("division", "The division."),
            text("department", "The department."),
            complex("manager", "Whom the user reports to.").subs(vec![
                text("value", "The id of the manager's account.").exact(),
                reference("$ref", "The address of the manager's account.", &["User"]),
            ]),
        ],
    }
}

/// A multi-valued attribute with the usual sub-attributes (RFC 7643 2.4).
fn plural(
    name: &'static str,
    description: &'static str,
    value: Attribute,
    types: &'static [&'static str],
) -> Attribute {
    complex(name, description).multi().subs(vec![
        value,
        text("display", "How the value is shown."),
        text("type", "What the value is for.").canonical(types),
        Attribute::new("primary", Kind::Boolean, "Whether it is the main one."),
    ])
}

fn text(name: &'static str, description: &'static str) -> Attribute {
    Attribute::new(name, Kind::String, description)
}

fn complex(name: &'static str, description: &'static str) -> Attribute {
    Attribute::new(name, Kind::Complex, description)
}

fn reference(name: &'static str, description: &'static str, types: &'static [&'static str]) -> Attribute {
    let mut attribute = Attribute::new(name, Kind::Reference, description).exact();
    attribute.reference_types = types.iter().copied().map(Cow::Borrowed).collect();
    attribute
}

impl Attribute {
    pub(super) fn new(name: &'static str, kind: Kind, description: &'static str) -> Self {
        Self {
            name: name.into(),
            description: description.into(),
            kind,
            multi_valued: false,
            required: false,
            case_exact: false,
            mutability: Mutability::ReadWrite,
            returned: Returned::Default,
            uniqueness: Uniqueness::None,
            canonical_values: Vec::new(),
            reference_types: Vec::new(),
            sub_attributes: Vec::new(),
            max_chars: None,
        }
    }

    fn multi(self) -> Self {
        Self { multi_valued: true, ..self }
    }

    fn required(self) -> Self {
        Self { required: true, ..self }
    }

    fn exact(self) -> Self {
        Self { case_exact: true, ..self }
    }

    fn read_only(self) -> Self {
        self.mutable(Mutability::ReadOnly)
    }

    fn mutable(self, mutability: Mutability) -> Self {
        Self { mutability, ..self }
    }

    fn returned(self, returned: Returned) -> Self {
        Self { returned, ..self }
    }

    fn unique(self, uniqueness: Uniqueness) -> Self {
        Self { uniqueness, ..self }
    }

    fn at_most(self, chars: usize) -> Self {
        Self { max_chars: Some(chars), ..self }
    }

    fn canonical(self, values: &'static [&'static str]) -> Self {
        Self { canonical_values: values.iter().copied().map(Cow::Borrowed).collect(), ..self }
    }

    fn subs(self, sub_attributes: Vec<Attribute>) -> Self {
        Self { sub_attributes, ..self }
    }
}

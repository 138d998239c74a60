//! The documents by which a client learns what this server can do (RFC 7644 4).

use serde_json::{Value, json};

use crate::list::{DEFAULT_COUNT, MAX_COUNT};
use crate::schema::{self, Catalogue, ResourceType, Schema};

const SERVICE_PROVIDER_CONFIG: &str = "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig";
const RESOURCE_TYPE: &str = "urn:ietf:params:scim:schemas:core:2.0:ResourceType";
const SCHEMA: &str = "urn:ietf:params:scim:schemas:core:2.0:Schema";
/// The longest description of a role that Okta takes.
const MAX_ROLE_DESCRIPTION_CHARS: usize = 1000;

/// What of the protocol a connection is offered beyond what every one is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// The most operations of one bulk request.
    pub bulk_operations: usize,
    /// The most bytes of one bulk request.
    pub bulk_bytes: usize,
    /// Whether passwords that the identity provider sends are kept.
    pub password_sync: bool,
    /// The token endpoint, for OAuth 2 client credentials.
    pub token_url: String,
    /// Whether roles are announced as resources (Okta Identity Governance).
    pub entitlements: bool,
}

/// `/ServiceProviderConfig`: what of the protocol is offered (RFC 7643 5, RFC 9865 4).
pub fn service_provider_config(base_url: &str, offer: &Offer) -> Value {
    json!({
        "schemas": [SERVICE_PROVIDER_CONFIG],
        "patch": {"supported": true},
        "bulk": {"supported": true, "maxOperations": offer.bulk_operations, "maxPayloadSize": offer.bulk_bytes},
        "filter": {"supported": true, "maxResults": MAX_COUNT},
        "changePassword": {"supported": offer.password_sync},
        "sort": {"supported": true},
        "etag": {"supported": true},
        "pagination": {
            "cursor": true,
            "index": true,
            "defaultPaginationMethod": "index",
            "defaultPageSize": DEFAULT_COUNT,
            "maxPageSize": MAX_COUNT,
        },
        "authenticationSchemes": [
            {
                "type": "oauthbearertoken",
                "name": "Bearer token",
                "description": "The connection's SCIM token, sent as \"Authorization: Bearer …\"",
                "specUri": "https://www.rfc-editor.org/info/rfc6750",
                "primary": true,
            },
            {
                "type": "oauth2",
                "name": "OAuth 2 client credentials",
                "description": format!("A token that the client gets with its id and secret from {}", offer.token_url),
                "specUri": "https://www.rfc-editor.org/info/rfc6749",
                "primary": false,
            },
        ],
        "meta": {
            "resourceType": "ServiceProviderConfig",
            "location": format!("{base_url}/ServiceProviderConfig"),
        },
    })
}

/// `/ResourceTypes`: the kinds of resources and their schemas (RFC 7643 6).
pub fn resource_types(catalogue: &Catalogue, offer: &Offer, base_url: &str) -> Vec<Value> {
    let describe = |kind: &ResourceType| {
        let extensions: Vec<Value> =
            kind.extensions.iter().map(|schema| json!({"schema": schema.id, "required": false})).collect();
        json!({
            "schemas": [RESOURCE_TYPE],
            "id": kind.name,
            "name": kind.name,
            "endpoint": kind.endpoint,
            "description": kind.description,
            "schema": kind.schema.id,
            "schemaExtensions": extensions,
            "meta": {"resourceType": "ResourceType", "location": format!("{base_url}/ResourceTypes/{}", kind.name)},
        })
    };
    let mut kinds = vec![describe(catalogue.user()), describe(catalogue.group())];
    if offer.entitlements {
        kinds.push(describe(&schema::role()));
    }
    kinds
}

/// `/Schemas`: every attribute and how it behaves (RFC 7643 7).
pub fn schemas(catalogue: &Catalogue, offer: &Offer, base_url: &str) -> Vec<Value> {
    let describe = |schema: &Schema| {
        let attributes: Vec<Value> = schema.attributes.iter().map(|attribute| attribute.to_json()).collect();
        json!({
            "schemas": [SCHEMA],
            "id": schema.id,
            "name": schema.name,
            "description": schema.description,
            "attributes": attributes,
            "meta": {"resourceType": "Schema", "location": format!("{base_url}/Schemas/{}", schema.id)},
        })
    };
    let mut schemas: Vec<Value> = [catalogue.user(), catalogue.group()]
        .into_iter()
        .flat_map(|kind| std::iter::once(&kind.schema).chain(&kind.extensions))
        .map(describe)
        .collect();
    if offer.entitlements {
        schemas.push(describe(&schema::role().schema));
    }
    schemas
}

/// A role of the application as a resource, for Okta Identity Governance.
pub fn role_resource(name: &str, description: &str, base_url: &str) -> Value {
    let kind = schema::role();
    // A path wants %20 where a form has a plus sign.
    let encoded = form_urlencoded::byte_serialize(name.as_bytes()).collect::<String>().replace('+', "%20");
    json!({
        "schemas": [schema::ROLE],
        "id": name,
        "displayName": name,
        "type": kind.name,
        "description": description.chars().take(MAX_ROLE_DESCRIPTION_CHARS).collect::<String>(),
        "meta": {"resourceType": kind.name, "location": format!("{base_url}{}/{encoded}", kind.endpoint)},
    })
}

/// The document with this `id`, in any case, for `/ResourceTypes/{id}` and `/Schemas/{urn}` (RFC 7644 4).
pub fn by_id(documents: Vec<Value>, id: &str) -> Option<Value> {
    documents.into_iter().find(|document| document["id"].as_str().is_some_and(|own| own.eq_ignore_ascii_case(id)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{ENTERPRISE_USER, USER};

    const BASE: &str = "https://gate.example/c/7/scim/v2";

    fn offer(entitlements: bool) -> Offer {
        Offer {
            bulk_operations: 1000,
            bulk_bytes: 1_048_576,
            password_sync: false,
            token_url: "https://gate.example/c/7/scim/token".to_owned(),
            entitlements,
        }
    }

    #[test]
    fn the_catalogue_is_described() {
        let catalogue = Catalogue::new(&["ADMIN".to_owned()], &[]);
        let documents = schemas(&catalogue, &offer(false), BASE);
        assert_eq!(documents.len(), 3);
        let user = by_id(documents.clone(), &USER.to_lowercase()).unwrap();
        assert_eq!(user["meta"]["location"], format!("{BASE}/Schemas/{USER}"));
        let attributes = user["attributes"].as_array().unwrap();
        let named = |name: &str| attributes.iter().find(|attribute| attribute["name"] == name).unwrap();
        assert_eq!(named("role")["canonicalValues"], json!(["ADMIN"]));
        assert_eq!(named("userName")["uniqueness"], "server");
        assert_eq!(named("password")["mutability"], "writeOnly");
        assert_eq!(named("groups")["mutability"], "readOnly");
        assert!(by_id(documents, "urn:nobody").is_none());
    }

    #[test]
    fn members_advertise_what_responses_carry() {
        let documents = schemas(&Catalogue::new(&[], &[]), &offer(false), BASE);
        let group = by_id(documents, crate::schema::GROUP).unwrap();
        assert_eq!(names(&group["attributes"][1]["subAttributes"]), ["value", "$ref", "type"]);
    }

    /// The names of an attribute's parts, or of a schema's attributes.
    fn names(of: &Value) -> Vec<&str> {
        of.as_array().unwrap().iter().filter_map(|attribute| attribute["name"].as_str()).collect()
    }

    #[test]
    fn users_advertise_what_responses_carry() {
        let documents = schemas(&Catalogue::new(&[], &[]), &offer(false), BASE);
        let attribute = |urn: &str, name: &str| {
            let schema = by_id(documents.clone(), urn).unwrap();
            schema["attributes"].as_array().unwrap().iter().find(|attribute| attribute["name"] == name).unwrap().clone()
        };
        assert_eq!(names(&attribute(USER, "groups")["subAttributes"]), ["value", "$ref", "display", "type"]);
        assert_eq!(names(&attribute(ENTERPRISE_USER, "manager")["subAttributes"]), ["value", "$ref"]);
        let user = by_id(documents.clone(), USER).unwrap();
        assert!(["id", "meta", "schemas", "externalId"].iter().all(|name| !names(&user["attributes"]).contains(name)));
    }

    #[test]
    fn an_administrators_attributes_are_advertised() {
        let attribute = |urn: &str, name: &str, values: &[&str]| schema::CustomAttribute {
            urn: urn.to_owned(),
            name: name.to_owned(),
            description: String::new(),
            kind: schema::Kind::String,
            multi_valued: true,
            case_exact: true,
            canonical_values: values.iter().map(|value| (*value).to_owned()).collect(),
        };
        let catalogue = Catalogue::new(
            &[],
            &[attribute("urn:acme:2.0:User", "color", &["red", "blue"]), attribute(USER, "badge", &[])],
        );
        let documents = schemas(&catalogue, &offer(false), BASE);
        let acme = by_id(documents.clone(), "URN:ACME:2.0:user").unwrap();
        assert_eq!(
            (&acme["name"], &acme["meta"]["location"]),
            (&json!("AcmeUser"), &json!(format!("{BASE}/Schemas/urn:acme:2.0:User")))
        );
        assert_eq!(
            acme["attributes"],
            json!([{
                "name": "color", "description": "An attribute that the administrator of this connection defined.",
                "type": "string", "multiValued": true, "required": false, "mutability": "readWrite", "returned": "default",
                "uniqueness": "none", "caseExact": true, "canonicalValues": ["red", "blue"],
            }])
        );
        assert!(names(&by_id(documents, USER).unwrap()["attributes"]).contains(&"badge"));
        let types = resource_types(&catalogue, &offer(false), BASE);
        assert_eq!(types[0]["schemaExtensions"][1], json!({"schema": "urn:acme:2.0:User", "required": false}));
    }

    #[test]
    fn roles_are_announced_where_they_are_offered() {
        let catalogue = Catalogue::new(&[], &[]);
        assert_eq!(resource_types(&catalogue, &offer(false), BASE).len(), 2);
        let kind = by_id(resource_types(&catalogue, &offer(true), BASE), "Role").unwrap();
        assert_eq!((&kind["schema"], &kind["endpoint"]), (&json!(schema::ROLE), &json!("/Roles")));
        let documents = schemas(&catalogue, &offer(true), BASE);
        let role = by_id(documents, schema::ROLE).unwrap();
        assert_eq!(names(&role["attributes"]), ["id", "displayName", "type", "description"]);
        assert!(role["attributes"].as_array().unwrap().iter().all(|attribute| attribute["mutability"] == "readOnly"));
        let resource = role_resource("TEAM LEAD", &"é".repeat(1001), BASE);
        assert_eq!(resource["description"].as_str().unwrap().chars().count(), 1000);
        assert_eq!(
            role_resource("TEAM LEAD", "Leads.", BASE),
            json!({
                "schemas": [schema::ROLE], "id": "TEAM LEAD", "displayName": "TEAM LEAD", "type": "Role", "description": "Leads.",
                "meta": {"resourceType": "Role", "location": format!("{BASE}/Roles/TEAM%20LEAD")},
            })
        );
    }

    #[test]
    fn the_offer_is_told() {
        let config = service_provider_config(BASE, &offer(false));
        for feature in ["patch", "bulk", "filter", "sort", "etag"] {
            assert_eq!(config[feature]["supported"], true, "{feature}");
        }
        assert_eq!(config["bulk"], json!({"supported": true, "maxOperations": 1000, "maxPayloadSize": 1_048_576}));
        assert_eq!(config["changePassword"]["supported"], false);
        let synced = Offer { password_sync: true, ..offer(false) };
        assert_eq!(service_provider_config(BASE, &synced)["changePassword"]["supported"], true);
        assert_eq!(
            config["pagination"],
            json!({"cursor": true, "index": true, "defaultPaginationMethod": "index", "defaultPageSize": 100, "maxPageSize": 500})
        );
        let schemes = config["authenticationSchemes"].as_array().unwrap();
        let kinds: Vec<_> =
            schemes.iter().map(|scheme| (scheme["type"].as_str().unwrap(), &scheme["primary"])).collect();
        assert_eq!(kinds, [("oauthbearertoken", &json!(true)), ("oauth2", &json!(false))]);
        assert!(schemes[1]["description"].as_str().unwrap().ends_with("https://gate.example/c/7/scim/token"));
    }

    #[test]
    fn resource_types_name_their_schemas() {
        let types = resource_types(&Catalogue::new(&[], &[]), &offer(false), BASE);
        let user = by_id(types, "user").unwrap();
        assert_eq!(user["schemaExtensions"], json!([{"schema": ENTERPRISE_USER, "required": false}]));
        assert_eq!(user["endpoint"], "/Users");
    }
}

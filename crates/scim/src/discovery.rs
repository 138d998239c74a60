//! The documents by which a client learns what this server can do (RFC 7644 4).

use serde_json::{Value, json};

use crate::list::MAX_COUNT;
use crate::schema::{Catalogue, ResourceType, Schema};

const SERVICE_PROVIDER_CONFIG: &str = "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig";
const RESOURCE_TYPE: &str = "urn:ietf:params:scim:schemas:core:2.0:ResourceType";
const SCHEMA: &str = "urn:ietf:params:scim:schemas:core:2.0:Schema";

/// `/ServiceProviderConfig`: what of the protocol is offered (RFC 7643 5).
pub fn service_provider_config(base_url: &str) -> Value {
    json!({
        "schemas": [SERVICE_PROVIDER_CONFIG],
        "patch": {"supported": true},
        "bulk": {"supported": false, "maxOperations": 0, "maxPayloadSize": 0},
        "filter": {"supported": true, "maxResults": MAX_COUNT},
        "changePassword": {"supported": false},
        "sort": {"supported": false},
        "etag": {"supported": false},
        "authenticationSchemes": [{
            "type": "oauthbearertoken",
            "name": "Bearer token",
            "description": "The connection's SCIM token, sent as \"Authorization: Bearer …\"",
            "primary": true,
        }],
        "meta": {
            "resourceType": "ServiceProviderConfig",
            "location": format!("{base_url}/ServiceProviderConfig"),
        },
    })
}

/// `/ResourceTypes`: the kinds of resources and their schemas (RFC 7643 6).
pub fn resource_types(base_url: &str) -> Vec<Value> {
    let catalogue = Catalogue::new(&[]);
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
    vec![describe(catalogue.user()), describe(catalogue.group())]
}

/// `/Schemas`: every attribute and how it behaves (RFC 7643 7).
pub fn schemas(catalogue: &Catalogue, base_url: &str) -> Vec<Value> {
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
    [catalogue.user(), catalogue.group()]
        .into_iter()
        .flat_map(|kind| std::iter::once(&kind.schema).chain(&kind.extensions))
        .map(describe)
        .collect()
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

    #[test]
    fn the_catalogue_is_described() {
        let catalogue = Catalogue::new(&["ADMIN".to_owned()]);
        let documents = schemas(&catalogue, BASE);
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
        let documents = schemas(&Catalogue::new(&[]), BASE);
        let group = by_id(documents, crate::schema::GROUP).unwrap();
        let names: Vec<&str> = group["attributes"][1]["subAttributes"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|sub| sub["name"].as_str())
            .collect();
        assert_eq!(names, ["value", "$ref", "type"]);
    }

    #[test]
    fn resource_types_name_their_schemas() {
        let types = resource_types(BASE);
        let user = by_id(types, "user").unwrap();
        assert_eq!(user["schemaExtensions"], json!([{"schema": ENTERPRISE_USER, "required": false}]));
        assert_eq!(user["endpoint"], "/Users");
        assert_eq!(service_provider_config(BASE)["patch"]["supported"], true);
    }
}

//! Entra ID's requests against its documented examples.

use super::*;
use crate::client::words::ENTERPRISE_USER;

const LEGACY: Entra = Entra { flavor: Flavor::Legacy, matching: Matching::UserName };
const COMPLIANT: Entra = Entra { flavor: Flavor::Compliant, matching: Matching::UserName };

fn kim() -> DirectoryUser {
    let mut kim = DirectoryUser::new("kim@acme.test", "Kim", "Abel");
    kim.set("department", "Retail");
    kim.set("manager", "271");
    kim
}

/// What a server shows of her that knew another name and another address.
fn server() -> Value {
    json!({
        "id": "7", "userName": "kim@acme.test", "externalId": "kim", "displayName": "Kim Old", "active": true,
        "name": { "formatted": "Kim Old", "givenName": "Kim", "familyName": "Old" },
        "emails": [{ "type": "work", "value": "old@acme.test", "primary": true }],
        ENTERPRISE_USER: { "department": "Sales" },
    })
}

fn operations(requests: &[Request]) -> Value {
    let [Request { body: Some(body), .. }] = requests else { panic!("{requests:?}") };
    body["Operations"].clone()
}

#[test]
fn creation_is_the_documented_body() {
    let body = LEGACY.create_user(&kim().with_role("Admin")).body;
    let documented = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],
        "externalId": "kim", "userName": "kim@acme.test", "active": true, "displayName": "Kim Abel",
        "emails": [{ "primary": true, "type": "work", "value": "kim@acme.test" }],
        "meta": { "resourceType": "User" },
        "name": { "formatted": "Kim Abel", "familyName": "Abel", "givenName": "Kim" },
        "roles": [{ "primary": true, "type": "WindowsAzureActiveDirectoryRole", "value": "Admin" }],
        ENTERPRISE_USER: { "department": "Retail", "manager": "271" },
    });
    assert_eq!(body, Some(documented));
}

#[test]
fn the_default_dialect_has_an_operation_for_each_difference() {
    let requests = LEGACY.change_user("7", &server(), &kim(), Change::Profile);
    let expected = json!([
        { "op": "Replace", "path": "displayName", "value": "Kim Abel" },
        { "op": "Replace", "path": "name.formatted", "value": "Kim Abel" },
        { "op": "Replace", "path": "name.familyName", "value": "Abel" },
        { "op": "Replace", "path": "emails[type eq \"work\"].value", "value": "kim@acme.test" },
        { "op": "Replace", "path": format!("{ENTERPRISE_USER}:department"), "value": "Retail" },
        { "op": "Add", "path": format!("{ENTERPRISE_USER}:manager"), "value": "271" },
    ]);
    assert_eq!(operations(&requests), expected);
}

#[test]
fn the_flag_puts_replaced_values_into_one_operation() {
    let requests = COMPLIANT.change_user("7", &server(), &kim(), Change::Profile);
    let expected = json!([
        { "op": "replace", "path": "emails[type eq \"work\"].value", "value": "kim@acme.test" },
        { "op": "add", "path": format!("{ENTERPRISE_USER}:manager"), "value": "271" },
        { "op": "replace", "value": {
            "displayName": "Kim Abel", "name.formatted": "Kim Abel", "name.familyName": "Abel",
            format!("{ENTERPRISE_USER}:department"): "Retail",
        } },
    ]);
    assert_eq!(operations(&requests), expected);
}

#[test]
fn what_is_as_mapped_is_not_sent() {
    let mut server = server();
    server["emails"] = json!([{ "type": "home", "value": "x" }]);
    let user = DirectoryUser::new("kim@acme.test", "Kim", "Old");
    let requests = LEGACY.change_user("7", &server, &user, Change::Profile);
    let expected = json!([{ "op": "Add", "path": "emails[type eq \"work\"].value", "value": "kim@acme.test" }]);
    assert_eq!(operations(&requests), expected);
    server["emails"] = json!([{ "type": "work", "value": "kim@acme.test" }]);
    assert_eq!(LEGACY.change_user("7", &server, &user, Change::Profile), []);
}

#[test]
fn app_roles_are_json_as_text_unless_the_flag_is_set() {
    let user = DirectoryUser::new("kim@acme.test", "Kim", "Old").with_role("Admin");
    let mut server = server();
    server["emails"][0]["value"] = json!("kim@acme.test");
    let legacy = operations(&LEGACY.change_user("7", &server, &user, Change::Profile));
    let text = legacy[0]["value"][0]["value"].as_str().expect("a text");
    let role: Value = serde_json::from_str(text).expect("JSON inside the text");
    assert_eq!(
        (&legacy[0]["op"], &legacy[0]["path"], &role["value"]),
        (&json!("Add"), &json!("roles"), &json!("Admin"))
    );
    let compliant = operations(&COMPLIANT.change_user("7", &server, &user, Change::Profile));
    assert_eq!(compliant[0]["value"][0]["value"], "Admin");
    server["roles"] = legacy[0]["value"].clone();
    assert_eq!(LEGACY.change_user("7", &server, &user, Change::Profile), [], "it has the role");
}

#[test]
fn booleans_are_texts_unless_the_flag_is_set() {
    let active = |entra: Entra, change| operations(&entra.change_user("7", &Value::Null, &kim(), change));
    let expected = |op: &str, value: Value| json!([{ "op": op, "path": "active", "value": value }]);
    assert_eq!(active(LEGACY, Change::Deactivate), expected("Replace", json!("False")));
    assert_eq!(active(LEGACY, Change::Reactivate), expected("Replace", json!("True")));
    assert_eq!(active(COMPLIANT, Change::Deactivate), expected("replace", json!(false)));
    assert_eq!(active(COMPLIANT, Change::Reactivate), expected("replace", json!(true)));
}

#[test]
fn members_are_removed_by_value_unless_the_flag_is_set() {
    let group = Group { id: "g", name: "Staff" };
    let members = ["a", "b"].map(|id| Member { id: id.to_owned(), display: String::new() });
    let change = |entra: Entra| operations(&entra.change_members(group, &members, &[], &[]));
    let values = json!([{ "$ref": null, "value": "a" }, { "$ref": null, "value": "b" }]);
    assert_eq!(change(LEGACY), json!([{ "op": "Remove", "path": "members", "value": values }]));
    let filtered = json!([
        { "op": "remove", "path": "members[value eq \"a\"]" },
        { "op": "remove", "path": "members[value eq \"b\"]" },
    ]);
    assert_eq!(change(COMPLIANT), filtered);
}

#[test]
fn the_tenant_url_says_which_dialect_is_spoken() {
    let cases = [
        ("https://x.test/scim", Flavor::Legacy),
        ("https://x.test/scim?aadOptscim062020", Flavor::Compliant),
        ("https://x.test/scim?a=b&aadOptscim062020", Flavor::Compliant),
        ("https://x.test/scim?AzureAdScimPatch2017", Flavor::Legacy),
    ];
    for (url, flavor) in cases {
        assert_eq!(Entra::of(url).flavor, flavor, "{url}");
    }
}

#[test]
fn questions_are_form_encoded() {
    assert_eq!(LEGACY.ask("7", &kim()), ["/Users?filter=id+eq+%227%22+and+manager+eq+%22271%22"]);
    assert_eq!(LEGACY.find_group("R & D"), "/Groups?excludedAttributes=members&filter=displayName+eq+%22R+%26+D%22");
}

#[test]
fn users_are_found_by_the_attribute_that_the_admin_chose() {
    let cases = [
        (Matching::UserName, "userName+eq+%22kim%40acme.test%22"),
        (Matching::WorkEmail, "emails%5Btype+eq+%22work%22%5D.value+eq+%22kim%40acme.test%22"),
        (Matching::ExternalId, "externalId+eq+%22kim%22"),
    ];
    for (matching, filter) in cases {
        assert_eq!(Entra { matching, ..LEGACY }.find_user(&kim()), format!("/Users?filter={filter}"));
    }
}

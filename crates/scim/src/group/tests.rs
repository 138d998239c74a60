//! Reading groups and what a PATCH does to one.

use serde_json::json;
use time::macros::datetime;

use super::*;

fn member(value: &str) -> MemberRef {
    MemberRef { value: value.to_owned(), kind: None }
}

fn parse(body: Value) -> Result<GroupDocument, ScimError> {
    GroupDocument::parse(body.to_string().as_bytes())
}

fn changes_of(operations: Value) -> Result<Vec<GroupChange>, ScimError> {
    changes(&Patch::parse(json!({"Operations": operations}).to_string().as_bytes())?)
}

#[test]
fn a_group_is_read() {
    let group = parse(json!({
        "DisplayName": "G",
        "externalId": "",
        "id": "ignored",
        "members": [{"value": "1", "display": "a@x", "type": "user"}, "2", {"Value": "3", "type": "Group"}, {"value": "1"}],
    }))
    .unwrap();
    assert_eq!((group.display_name.as_str(), group.external_id), ("G", None));
    let kind = |value: &str, kind| MemberRef { value: value.to_owned(), kind: Some(kind) };
    assert_eq!(group.members.unwrap(), [kind("1", MemberKind::User), member("2"), kind("3", MemberKind::Group)]);

    assert_eq!(parse(json!({"displayName": "G", "members": null})).unwrap().members, None);
    assert_eq!(parse(json!({"displayName": "G", "members": []})).unwrap().members, Some(Vec::new()));
    assert_eq!(parse(json!({"displayName": "G", "externalId": "x"})).unwrap().external_id.as_deref(), Some("x"));
}

#[test]
fn what_is_not_a_group_is_refused() {
    let table = [
        (json!({}), "The group has no displayName"),
        (json!({"displayName": " "}), "The group has no displayName"),
        (json!({"displayName": 5}), "displayName must be a text, but the request has a number"),
        (json!({"displayName": "x".repeat(257)}), "displayName is longer than 256 characters"),
        (json!({"displayName": "a\u{0}"}), "displayName contains control characters"),
        (json!({"displayName": "G", "externalId": {}}), "externalId must be a text"),
        (json!({"displayName": "G", "members": 5}), "members.value must be a text"),
        (json!({"displayName": "G", "members": [{"display": "a"}]}), "A member has no id"),
        (json!({"displayName": "G", "members": [{"value": "\u{0}"}]}), "members.value contains control characters"),
    ];
    for (body, expected) in table {
        let error = parse(body.clone()).unwrap_err();
        assert_eq!(error.scim_type, Some(ScimType::InvalidValue), "{body}");
        assert!(error.detail.contains(expected), "{body}: {error}");
    }
}

#[test]
fn operations_become_sets() {
    use GroupChange::{AddMembers, RemoveMembers, Rename, ReplaceMembers, SetExternalId};
    let ids = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
    let members = |ids: &[&str]| ids.iter().map(|id| member(id)).collect::<Vec<_>>();
    let table = [
        (json!([{"op": "replace", "path": "displayName", "value": "N"}]), vec![Rename("N".to_owned())]),
        (json!([{"op": "replace", "path": "displayName", "value": [{"value": "N"}]}]), vec![Rename("N".to_owned())]),
        (json!([{"op": "Add", "path": "externalId", "value": "x"}]), vec![SetExternalId(Some("x".to_owned()))]),
        (json!([{"op": "remove", "path": "externalId"}]), vec![SetExternalId(None)]),
        (json!([{"op": "replace", "value": {"externalId": null}}]), vec![SetExternalId(None)]),
        (
            json!([{"op": "add", "path": "members", "value": [{"value": "1"}, {"value": "2"}]}, {"op": "Add", "path": "MEMBERS", "value": {"value": "2"}}, {"op": "add", "value": {"members": ["3"]}}]),
            vec![AddMembers(members(&["1", "2", "3"]))],
        ),
        (
            json!([{"op": "remove", "path": "members[value eq \"1\"]"}, {"op": "remove", "path": "members", "value": [{"$ref": null, "value": "2"}, {"value": "1"}]}]),
            vec![RemoveMembers(ids(&["2", "1"]))],
        ),
        (
            json!([{"op": "remove", "path": "members[value eq \"1\" or (Value Eq \"2\" or value eq \"3\")]"}]),
            vec![RemoveMembers(ids(&["1", "2", "3"]))],
        ),
        (json!([{"op": "remove", "path": "members[value eq \"1\"].value"}]), vec![RemoveMembers(ids(&["1"]))]),
        (json!([{"op": "remove", "path": "members", "value": []}]), vec![]),
        (json!([{"op": "remove", "path": "members"}]), vec![ReplaceMembers(Vec::new())]),
        (json!([{"op": "remove", "path": "members", "value": null}]), vec![ReplaceMembers(Vec::new())]),
        (
            json!([{"op": "replace", "path": "members", "value": [{"value": "1", "display": "d"}, {"value": "1"}]}]),
            vec![ReplaceMembers(members(&["1"]))],
        ),
        (json!([{"op": "replace", "path": "members", "value": null}]), vec![ReplaceMembers(Vec::new())]),
        (
            json!([{"op": "replace", "path": "urn:ietf:params:scim:schemas:core:2.0:Group:members", "value": []}]),
            vec![ReplaceMembers(Vec::new())],
        ),
        (
            json!([{"op": "replace", "value": {"members": null, "id": "x", "schemas": [], "displayName": "N"}}]),
            vec![Rename("N".to_owned())],
        ),
        (
            json!([{"op": "replace", "value": {"urn:ietf:params:scim:schemas:core:2.0:Group": {"displayName": "N"}}}]),
            vec![Rename("N".to_owned())],
        ),
        (
            json!([{"op": "add", "path": "members", "value": ["1"]}, {"op": "remove", "path": "members", "value": ["1"]}, {"op": "add", "path": "members", "value": ["1"]}]),
            vec![AddMembers(members(&["1"]))],
        ),
        (
            json!([{"op": "replace", "path": "id", "value": "x"}, {"op": "add", "path": "nonsense", "value": 1}, {"op": "remove", "path": "nonsense"}]),
            vec![],
        ),
        (
            json!([{"op": "replace", "path": "members[value eq \"1\"].display", "value": "d"}, {"op": "remove", "path": "members.display"}]),
            vec![],
        ),
    ];
    for (operations, expected) in table {
        assert_eq!(changes_of(operations.clone()).unwrap(), expected, "{operations}");
    }
}

#[test]
fn many_operations_become_few_sets() {
    let mut operations = Vec::new();
    for id in 0..250 {
        operations.push(
            json!({"op": "add", "path": "members", "value": [{"value": format!("in-{id}")}, {"value": "first"}]}),
        );
        operations.push(json!({"op": "replace", "value": {"id": "g", "displayName": format!("N{id}")}}));
        operations.push(json!({"op": "remove", "path": format!("members[value eq \"out-{id}\"]")}));
    }
    operations.push(json!({"op": "remove", "path": "members[value eq \"in-0\"]"}));
    operations.push(json!({"op": "add", "path": "members", "value": ["out-0"]}));
    let changes = changes_of(json!(operations)).unwrap();
    let (sets, names): (Vec<_>, Vec<_>) = changes.iter().partition(|change| !matches!(change, GroupChange::Rename(_)));
    assert_eq!(names.len(), 250);
    let [GroupChange::RemoveMembers(removed), GroupChange::AddMembers(added)] = sets[..] else {
        panic!("{} sets", sets.len())
    };
    assert_eq!((removed.len(), added.len()), (250, 251));
    assert!(removed.contains(&"in-0".to_owned()) && added.contains(&member("out-0")));
    assert_eq!(added.iter().filter(|one| one.value == "first").count(), 1);
    let replaced = changes_of(json!([
        {"op": "add", "path": "members", "value": ["1"]},
        {"op": "replace", "path": "members", "value": ["2", "2"]},
        {"op": "add", "path": "members", "value": ["3"]},
    ]));
    let expected = [GroupChange::ReplaceMembers(vec![member("2")]), GroupChange::AddMembers(vec![member("3")])];
    assert_eq!(replaced.unwrap(), expected);
}

#[test]
fn members_are_selected_by_id_and_type_joined_in_any_way() {
    let only = |ids: &[&str]| Ids::Only(ids.iter().map(|id| (*id).to_owned()).collect());
    let all_but = |ids: &[&str]| Ids::AllBut(ids.iter().map(|id| (*id).to_owned()).collect());
    let table = [
        (r#"type eq "User""#, all_but(&[]), only(&[])),
        (r#"type ne "user""#, only(&[]), all_but(&[])),
        (r#"value ne "1""#, all_but(&["1"]), all_but(&["1"])),
        (r#"not (value eq "1" or value eq "2")"#, all_but(&["1", "2"]), all_but(&["1", "2"])),
        (r#"value eq "1" and type eq "Group""#, only(&[]), only(&["1"])),
        (r#"value ne "1" and value ne "2" and type eq "User""#, all_but(&["1", "2"]), only(&[])),
        (r#"value pr and not (type eq "Group")"#, all_but(&[]), only(&[])),
        (r#"value ne "1" or value eq "1""#, all_but(&[]), all_but(&[])),
    ];
    for (filter, users, groups) in table {
        let path = format!("members[{filter}]");
        let selected = changes_of(json!([{"op": "remove", "path": path}])).unwrap();
        assert_eq!(selected, [GroupChange::RemoveSelected(Selection { users, groups })], "{filter}");
    }
    let both = changes_of(json!([
        {"op": "remove", "path": "members[type eq \"Group\"]"},
        {"op": "remove", "path": "members[value eq \"1\" and type eq \"User\"]"},
    ]));
    let expected = Selection { users: only(&["1"]), groups: all_but(&[]) };
    assert_eq!(both.unwrap(), [GroupChange::RemoveSelected(expected)]);
    for nobody in [r#"value eq "1" and value eq "2""#, r#"type eq "Robot""#] {
        let path = format!("members[{nobody}]");
        assert_eq!(changes_of(json!([{"op": "remove", "path": path}])).unwrap(), [], "{nobody}");
    }
}

#[test]
fn what_a_group_cannot_do_is_refused() {
    let table = [
        (json!({"op": "remove", "path": "displayName"}), ScimType::Mutability),
        (json!({"op": "replace", "path": "displayName", "value": null}), ScimType::InvalidValue),
        (json!({"op": "replace", "path": "displayName", "value": ["a", "b"]}), ScimType::InvalidValue),
        (json!({"op": "replace", "path": "members[value eq \"1\"].value", "value": "2"}), ScimType::Mutability),
        (json!({"op": "add", "path": "members[value eq \"1\"]", "value": {"value": "2"}}), ScimType::Mutability),
        (json!({"op": "remove", "path": "members[value sw \"1\"]"}), ScimType::InvalidFilter),
        (json!({"op": "remove", "path": "members[display eq \"x\"]"}), ScimType::InvalidFilter),
        (json!({"op": "remove", "path": "members[value eq 5]"}), ScimType::InvalidFilter),
        (json!({"op": "remove", "path": "members.value"}), ScimType::InvalidFilter),
        (json!({"op": "add", "path": "members", "value": [5]}), ScimType::InvalidValue),
        (json!({"op": "remove", "path": "members", "value": [{"display": "x"}]}), ScimType::InvalidValue),
    ];
    for (operation, expected) in table {
        let error = changes_of(json!([operation])).unwrap_err();
        assert_eq!((error.status, error.scim_type), (400, Some(expected)), "{operation}: {error}");
        assert!(error.detail.starts_with("Operation 1 of the PATCH request: "), "{error}");
    }
}

#[test]
fn a_body_that_is_json_already_is_read_the_same() {
    let body = json!({"displayName": "G", "members": ["1"], "urn:acme:2.0:Group": {"color": "red", "members": ["2"]}});
    assert_eq!(GroupDocument::read(body.clone()).unwrap(), parse(body).unwrap());
    for body in [json!([]), json!("G"), json!({"displayName": " "})] {
        assert_eq!(GroupDocument::read(body.clone()).unwrap_err().status, 400, "{body}");
    }
    let operations = json!([{"op": "add", "path": "urn:acme:2.0:Group:members", "value": ["2"]}, {"op": "replace", "value": {"urn:acme:2.0:Group": {"displayName": "x"}}}]);
    assert_eq!(changes_of(operations).unwrap(), []);
}

#[test]
fn a_large_set_is_read_quickly() {
    let members: Vec<Value> = (0..100_000).map(|id| json!({"value": id.to_string()})).collect();
    let changes = changes_of(json!([{"op": "add", "path": "members", "value": members}])).unwrap();
    assert!(matches!(changes.as_slice(), [GroupChange::AddMembers(members)] if members.len() == 100_000));
}

#[test]
fn a_group_is_shown() {
    let at = datetime!(2026-11-01 12:00 UTC);
    let meta = Meta { created: at, last_modified: at, version: 1, computed: 0, location: "L/Groups/1".to_owned() };
    let members = [MemberView { value: "2".to_owned(), kind: MemberKind::User, location: "L/Users/2".to_owned() }];
    let shown = render("1", "G", Some("x"), Some(&members), &meta);
    assert_eq!(
        shown,
        json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"],
            "id": "1",
            "externalId": "x",
            "displayName": "G",
            "members": [{"value": "2", "$ref": "L/Users/2", "type": "User"}],
            "meta": {"resourceType": "Group", "created": "2026-11-01T12:00:00.000Z", "lastModified": "2026-11-01T12:00:00.000Z", "location": "L/Groups/1", "version": "W/\"1\""},
        })
    );
    let bare = render("1", "G", None, None, &meta);
    assert!(bare.get("members").is_none() && bare.get("externalId").is_none());
}

/// A group's members in a test: those of a lower number are users, the others groups.
type Members = std::collections::BTreeSet<u8>;

const USERS: u8 = 6;
const ALL: u8 = 9;

fn selected(selection: &Selection, member: u8) -> bool {
    let of = |ids: &Ids| match ids {
        Ids::Only(these) => these.contains(&member.to_string()),
        Ids::AllBut(these) => !these.contains(&member.to_string()),
    };
    of(if member < USERS { &selection.users } else { &selection.groups })
}

/// What changes make of a group, as a store would carry them out.
fn carried_out(mut group: Members, changes: &[GroupChange]) -> Members {
    let ids =
        |members: &[MemberRef]| members.iter().map(|member| member.value.parse::<u8>().unwrap()).collect::<Vec<_>>();
    for change in changes {
        match change {
            GroupChange::AddMembers(members) => group.extend(ids(members)),
            GroupChange::ReplaceMembers(members) => group = ids(members).into_iter().collect(),
            GroupChange::RemoveMembers(removed) => {
                group.retain(|member| !removed.contains(&member.to_string()));
            }
            GroupChange::RemoveSelected(selection) => group.retain(|member| !selected(selection, *member)),
            GroupChange::Rename(_) | GroupChange::SetExternalId(_) => {}
        }
    }
    group
}

proptest::proptest! {
    #[test]
    fn sets_do_what_the_operations_do_one_by_one(
        start in proptest::collection::btree_set(0..ALL, 0..6),
        steps in proptest::collection::vec((0..8_u8, proptest::collection::vec(0..ALL, 0..4)), 0..12),
    ) {
        let (mut model, mut operations) = (start.clone(), Vec::new());
        for (how, ids) in steps {
            let values: Vec<String> = ids.iter().map(u8::to_string).collect();
            let first = ids.first().copied().unwrap_or(0);
            let is_user = |id: &u8| *id < USERS;
            match how {
                0 | 1 => model.extend(&ids),
                2 => model.retain(|id| !ids.contains(id)),
                3 => model.retain(|id| *id != first),
                4 => model = ids.iter().copied().collect(),
                5 => model.retain(|id| !is_user(id)),
                6 => model.retain(|id| *id == first || is_user(id)),
                _ => {}
            }
            operations.push(match how {
                0 | 1 => json!({"op": "add", "path": "members", "value": values}),
                2 => json!({"op": "remove", "path": "members", "value": values}),
                3 => json!({"op": "remove", "path": format!("members[value eq \"{first}\"]")}),
                4 => json!({"op": "replace", "value": {"members": values}}),
                5 => json!({"op": "remove", "path": "members[type eq \"User\"]"}),
                6 => json!({"op": "remove", "path": format!("members[value ne \"{first}\" and type eq \"Group\"]")}),
                _ => json!({"op": "replace", "value": {"displayName": "N"}}),
            });
        }
        if !operations.is_empty() {
            let changes = changes_of(json!(operations)).unwrap();
            proptest::prop_assert_eq!(carried_out(start, &changes), model, "{}", json!(operations));
        }
    }
}

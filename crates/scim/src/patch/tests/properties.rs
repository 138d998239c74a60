//! Random requests: they never panic, their results are normal, and what they add can be removed again.

use proptest::prelude::*;
use serde_json::json;

use super::*;

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

/// Places in a user's document that hold one text: path, and where it is shown.
const PLACES: [(&str, &str); 8] = [
    ("title", "/title"),
    ("urn:ietf:params:scim:schemas:core:2.0:User:nickName", "/nickName"),
    ("name.givenName", "/name/givenName"),
    ("NAME.familyname", "/name/familyName"),
    (
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department",
        "/urn:ietf:params:scim:schemas:extension:enterprise:2.0:User/department",
    ),
    (
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:costCenter",
        "/urn:ietf:params:scim:schemas:extension:enterprise:2.0:User/costCenter",
    ),
    ("emails[type eq \"work\"].value", "work"),
    ("emails[type eq \"home\"].value", "home"),
];

/// What a document shows at a place.
fn shown<'d>(document: &'d Value, at: &str) -> Option<&'d str> {
    if at.starts_with('/') {
        return document.pointer(at).and_then(Value::as_str);
    }
    let emails = document.get("emails").and_then(Value::as_array).into_iter().flatten();
    emails.filter(|email| email["type"] == at).find_map(|email| email["value"].as_str())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn random_requests_never_panic_and_results_are_normal(user in crate::dialects::any_user(), operations in crate::dialects::any_operations()) {
        let Ok(Written { document: before, .. }) = UserDocument::parse(user.to_string().as_bytes(), &catalogue()) else { return Ok(()) };
        let Ok(patch) = patch(operations) else { return Ok(()) };
        let _: Result<_, ScimError> = crate::group::changes(&patch);
        if let Ok(Written { document: after, .. }) = apply_to_user(&before, &patch, &catalogue()) {
            let again = UserDocument::parse(after.as_value().to_string().as_bytes(), &catalogue()).unwrap().document;
            prop_assert_eq!(&again, &after);
            let primaries = |items: &Value| items.as_array().map_or(0, |items| items.iter().filter(|item| item["primary"] == true).count());
            prop_assert!(after.as_value().as_object().unwrap().values().all(|value| primaries(value) <= 1));
        }
    }

    #[test]
    fn an_attribute_that_was_added_can_be_removed(seed in any::<u64>(), other in any::<u64>()) {
        let catalogue = customized();
        let read = |seed| UserDocument::read(crate::random::document(seed), &catalogue).unwrap().document;
        let (mut before, donor) = (read(seed).into_value(), read(other).into_value());
        let extensions = donor.as_object().unwrap().iter().filter(|(name, _)| name.contains(':'));
        let inner = extensions.flat_map(|(urn, members)| members.as_object().unwrap().iter().map(move |(name, value)| (Some(urn), name, value)));
        let outer = donor.as_object().unwrap().iter().filter(|(name, _)| !name.contains(':') && *name != "userName");
        for (urn, name, value) in inner.chain(outer.map(|(name, value)| (None, name, value))) {
            let path = urn.map_or(name.clone(), |urn| format!("{urn}:{name}"));
            let container = match urn {
                Some(urn) => before.get_mut(urn),
                None => Some(&mut before),
            };
            container.and_then(|container| container.as_object_mut()?.remove(name));
            before.as_object_mut().unwrap().retain(|_, value| value.as_object().is_none_or(|members| !members.is_empty()));
            let start = UserDocument::from_stored(before.clone());
            let change = |document: &UserDocument, operation: Value| {
                apply_to_user(document, &patch(json!([operation])).unwrap(), &catalogue).unwrap().document
            };
            let added = change(&start, json!({"op": "add", "path": path, "value": value}));
            let shown = urn.map_or(Some(added.as_value()), |urn| added.as_value().get(urn)).and_then(|container| container.get(name));
            prop_assert_eq!(shown, Some(value), "{}", path);
            prop_assert_eq!(change(&added, json!({"op": "remove", "path": path})), start, "{}", path);
        }
    }

    #[test]
    fn one_bad_operation_undoes_all(user in crate::dialects::any_user(), operations in crate::dialects::any_operations(), at in 0_usize..5) {
        let Ok(Written { document: before, .. }) = UserDocument::parse(user.to_string().as_bytes(), &catalogue()) else { return Ok(()) };
        let mut operations = operations.as_array().unwrap().clone();
        operations.insert(at.min(operations.len()), json!({"op": "replace", "path": "active", "value": "maybe"}));
        let Ok(patch) = patch(Value::Array(operations)) else { return Ok(()) };
        prop_assert_eq!(apply_to_user(&before, &patch, &catalogue()).unwrap_err().status / 100, 4);
    }

    #[test]
    fn what_was_added_can_be_removed(user in crate::dialects::any_user(), value in "[a-z]{1,8}") {
        let Ok(Written { document: before, .. }) = UserDocument::parse(user.to_string().as_bytes(), &catalogue()) else { return Ok(()) };
        let item = json!([{"value": format!("new-{value}"), "type": "other"}]);
        let add = patch(json!([{"op": "add", "path": "entitlements", "value": item}])).unwrap();
        let remove = patch(json!([{"op": "remove", "path": "entitlements", "value": item}])).unwrap();
        let Ok(Written { document: added, .. }) = apply_to_user(&before, &add, &catalogue()) else { return Ok(()) };
        prop_assert_ne!(&added, &before);
        prop_assert_eq!(apply_to_user(&added, &remove, &catalogue()).unwrap().document, before);
    }

    #[test]
    fn what_was_written_last_is_read(steps in proptest::collection::vec((0..PLACES.len(), 0..5_u8, "[a-z]{1,5}"), 1..24)) {
        let mut model: std::collections::BTreeMap<usize, String> = std::collections::BTreeMap::new();
        let mut operations = Vec::new();
        for (place, how, text) in steps {
            let (path, _) = PLACES[place];
            operations.push(match how {
                0 => json!({"op": "Add", "path": path, "value": text}),
                1 => json!({"op": "replace", "path": path, "value": text}),
                2 => json!({"op": "replace", "value": {path: text}}),
                3 => json!({"op": "remove", "path": path}),
                _ => json!({"op": "Replace", "path": path, "value": null}),
            });
            if how < 3 { model.insert(place, text) } else { model.remove(&place) };
        }
        let before = UserDocument::read(json!({"userName": "ann"}), &catalogue()).unwrap().document;
        let after = apply_to_user(&before, &patch(json!(operations)).unwrap(), &catalogue()).unwrap().document;
        for (place, (_, at)) in PLACES.iter().enumerate() {
            prop_assert_eq!(shown(after.as_value(), at), model.get(&place).map(String::as_str), "{} after {}", at, json!(operations));
        }
        prop_assert_eq!(after.as_value().get(ENTERPRISE).is_some(), model.contains_key(&4) || model.contains_key(&5));
        prop_assert_eq!(after.user_name(), "ann");
        // One by one they lead to the same.
        let one = |document: UserDocument, operation: Value| apply_to_user(&document, &patch(json!([operation])).unwrap(), &catalogue()).unwrap().document;
        prop_assert_eq!(operations.into_iter().fold(before, one), after);
    }
}

//! Random requests: they never panic, their results are normal, and what they add can be removed again.

use proptest::prelude::*;
use serde_json::json;

use super::*;

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
}

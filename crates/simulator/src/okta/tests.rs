//! Okta's addresses and its batches of members; the bodies are tested beside them.

use super::*;

fn members(count: usize) -> Vec<Member> {
    (0..count).map(|i| Member { id: format!("id-{i}"), display: format!("{i}@x.test") }).collect()
}

const GROUP: Group<'_> = Group { id: "7", name: "Engineering" };

#[test]
fn the_filter_is_encoded_as_okta_encodes_it() {
    let user = DirectoryUser::new("test.user@okta.local", "Test", "User");
    assert_eq!(
        Style::Custom.find_user(&user),
        "/Users?filter=userName%20eq%20%22test.user%40okta.local%22&startIndex=1&count=100"
    );
    assert_eq!(
        Style::Custom.find_group("R&D \"north\""),
        "/Groups?filter=displayName%20eq%20%22R%26D%20%5C%22north%5C%22%22&startIndex=1&count=100"
    );
}

/// The operations of each request, by kind and number of members; a rename is 0.
fn sizes(requests: &[Request]) -> Vec<(String, usize)> {
    let operations = |request: &Request| request.body.as_ref().map_or(Value::Null, |body| body["Operations"].clone());
    let size = |operation: &Value| match operation["op"].as_str() {
        Some("remove") => ("remove".to_owned(), 1),
        op => (op.unwrap_or_default().to_owned(), operation["value"].as_array().map_or(0, Vec::len)),
    };
    let all = requests.iter().flat_map(|request| operations(request).as_array().cloned().unwrap_or_default());
    let mut sizes: Vec<(String, usize)> = Vec::new();
    for (op, count) in all.map(|operation| size(&operation)) {
        match sizes.last_mut() {
            Some((last, sum)) if op == "remove" && *last == op => *sum += count,
            _ => sizes.push((op, count)),
        }
    }
    sizes
}

fn named(pairs: &[(&str, usize)]) -> Vec<(String, usize)> {
    pairs.iter().map(|(op, count)| ((*op).to_owned(), *count)).collect()
}

#[test]
fn a_catalogue_app_sends_members_by_the_hundred_and_the_name_each_time() {
    let requests = Style::Catalogue.fill_group(GROUP, &members(256));
    assert!(requests.iter().all(|request| request.path == "/Groups/7"));
    let expected = [("replace", 0), ("replace", 100), ("replace", 0), ("add", 100), ("replace", 0), ("add", 56)];
    assert_eq!(sizes(&requests), named(&expected));
    let requests = Style::Catalogue.change_members(GROUP, &members(130), &members(80), &[]);
    let expected =
        [("replace", 0), ("remove", 100), ("replace", 0), ("remove", 30), ("add", 70), ("replace", 0), ("add", 10)];
    assert_eq!(sizes(&requests), named(&expected));
    assert_eq!(Style::Catalogue.change_members(GROUP, &[], &[], &members(3)), []);
}

#[test]
fn a_custom_app_sends_all_members_at_once() {
    for requests in [
        Style::Custom.fill_group(GROUP, &members(256)),
        Style::Custom.change_members(GROUP, &[], &members(1), &members(256)),
        Style::Custom.rename_group(GROUP, &members(256)),
    ] {
        let [Request { method: reqwest::Method::PUT, body: Some(body), .. }] = requests.as_slice() else {
            panic!("{requests:?}")
        };
        assert_eq!(body["members"].as_array().map(Vec::len), Some(256));
        assert!(body.get("id").is_none());
    }
}

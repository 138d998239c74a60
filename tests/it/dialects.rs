//! The identity providers' own clients against the gateway: one person's and one group's whole life in each dialect.

use harness::customer::Customer;
use reqwest::Method;
use serde_json::Value;
use simulator::{
    client::{Client, Member, dialect::Dialect},
    directory::DirectoryUser,
    entra::{Entra, Matching},
    jumpcloud::JumpCloud,
    okta::Style,
    onelogin::OneLogin,
    ping::Ping,
};
use std::collections::BTreeSet;

const ENTERPRISE_USER: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

async fn read(acme: &Customer, resource: &str, id: &str) -> Value {
    acme.scim(Method::GET, &format!("/{resource}/{id}"), None).await.document(200)
}

/// The ids of a group's members, as the server has them.
async fn members(acme: &Customer, group: &str) -> BTreeSet<String> {
    let group = read(acme, "Groups", group).await;
    group["members"].as_array().unwrap().iter().map(|member| member["value"].as_str().unwrap().to_owned()).collect()
}

fn ids(members: &[&Member]) -> BTreeSet<String> {
    members.iter().map(|member| member.id.clone()).collect()
}

/// What a dialect leaves on its way, to be compared with what is known of it.
struct Seen {
    methods: BTreeSet<String>,
    requests: usize,
}

/// Pushes two people and a group, changes them, takes the app away and gives it back, and cleans up.
async fn whole_life<D: Dialect>(dialect: D) -> Seen {
    whole_life_at(dialect, "").await
}

async fn whole_life_at<D: Dialect>(dialect: D, flags: &str) -> Seen {
    let acme = Customer::new().await;
    let mut client = Client::new(&format!("{}{flags}", acme.scim_base()), &acme.token, dialect).unwrap();
    client.test_connection().await.unwrap();
    let (mut ann, ben) = (acme.user("ann").with_role("ANALYST"), acme.user("ben"));
    ann.set("title", "Engineer");
    let [ann_id, ben_id] = [client.push_user(&ann).await.unwrap(), client.push_user(&ben).await.unwrap()];
    let document = read(&acme, "Users", &ann_id).await;
    assert_eq!((&document["active"], &document["title"]), (&Value::Bool(true), &Value::from("Engineer")));
    assert_eq!(
        (&document["userName"], &document["emails"][0]["value"]),
        (&ann.email.clone().into(), &ann.email.clone().into())
    );

    change_profile(&acme, &mut client, &mut ann, &ann_id).await;
    let group = group_life(&acme, &mut client, [(&ann, &ann_id), (&ben, &ben_id)]).await;

    client.deactivate(&ann).await.unwrap();
    assert_eq!(read(&acme, "Users", &ann_id).await["active"], false);
    assert!(members(&acme, &group).await.contains(&ann_id), "a membership survives");
    client.reactivate(&ann).await.unwrap();
    let document = read(&acme, "Users", &ann_id).await;
    assert_eq!((&document["active"], &document["name"]["givenName"]), (&Value::Bool(true), &Value::from("Anna")));
    assert_eq!(client.push_user(&ann).await.unwrap(), ann_id, "pushed again, she is the same");

    client.delete_group(&group).await.unwrap();
    acme.scim(Method::GET, &format!("/Groups/{group}"), None).await.document(404);
    if D::DELETES_USERS {
        client.delete_user(&ann).await.unwrap();
        acme.scim(Method::GET, &format!("/Users/{ann_id}"), None).await.document(404);
        assert_ne!(client.push_user(&ann).await.unwrap(), ann_id, "she begins anew");
    }
    let methods = client.exchanges.iter().map(|exchange| exchange.method.clone()).collect();
    Seen { methods, requests: client.exchanges.len() }
}

async fn change_profile<D: Dialect>(acme: &Customer, client: &mut Client<D>, ann: &mut DirectoryUser, id: &str) {
    for (field, value) in [("firstName", "Anna"), ("email", &format!("anna@{}", acme.domain)), ("title", "Captain")] {
        ann.set(field, value);
    }
    client.update_user(ann).await.unwrap();
    let document = read(acme, "Users", id).await;
    assert_eq!(document["name"]["givenName"], "Anna");
    assert_eq!(document["emails"][0]["value"], ann.email.as_str());
    assert_eq!((&document["title"], &document["active"]), (&Value::from("Captain"), &Value::Bool(true)));
    let before = read(acme, "Users", id).await["meta"].clone();
    client.update_user(ann).await.unwrap();
    assert_eq!(read(acme, "Users", id).await["meta"], before, "sent again, nothing changes");
}

/// Pushes a group and changes it in every way; both are its members in the end.
async fn group_life<D: Dialect>(
    acme: &Customer,
    client: &mut Client<D>,
    people: [(&DirectoryUser, &String); 2],
) -> String {
    let [ann, ben] = people.map(|(user, id)| Member { id: id.clone(), display: user.user_name.clone() });
    let both = [ann.clone(), ben.clone()];
    let (ann_only, ben_only) = (std::slice::from_ref(&ann), std::slice::from_ref(&ben));
    let group = client.push_group("R & D", ann_only).await.unwrap();
    assert_eq!(members(acme, &group).await, ids(&[&ann]));
    client.change_members(&group, "R & D", &[], ben_only, &both).await.unwrap();
    assert_eq!(members(acme, &group).await, ids(&[&ann, &ben]));
    client.change_members(&group, "R & D", ben_only, &[], ann_only).await.unwrap();
    assert_eq!(members(acme, &group).await, ids(&[&ann]));
    client.rename_group(&group, "Research", ann_only).await.unwrap();
    let renamed = read(acme, "Groups", &group).await;
    assert_eq!((&renamed["displayName"], members(acme, &group).await), (&Value::from("Research"), ids(&[&ann])));
    assert_eq!(client.push_group("Research", &both).await.unwrap(), group, "found by its new name");
    assert_eq!(members(acme, &group).await, ids(&[&ann, &ben]));
    group
}

fn methods(seen: &Seen) -> Vec<&str> {
    seen.methods.iter().map(String::as_str).collect()
}

#[tokio::test]
async fn okta_custom_app() {
    assert_eq!(methods(&whole_life(Style::Custom).await), ["DELETE", "GET", "POST", "PUT"]);
}

#[tokio::test]
async fn okta_catalogue_app() {
    assert_eq!(methods(&whole_life(Style::Catalogue).await), ["DELETE", "GET", "PATCH", "POST", "PUT"]);
}

#[tokio::test]
async fn entra_in_its_default_dialect() {
    assert_eq!(methods(&whole_life(Entra::default()).await), ["DELETE", "GET", "PATCH", "POST"]);
}

#[tokio::test]
async fn entra_with_its_flag() {
    let flags = "?aadOptscim062020";
    assert_eq!(methods(&whole_life_at(Entra::of(flags), flags).await), ["DELETE", "GET", "PATCH", "POST"]);
}

#[tokio::test]
async fn entra_matches_by_address_and_by_external_id() {
    for matching in [Matching::WorkEmail, Matching::ExternalId] {
        whole_life(Entra { matching, ..Entra::default() }).await;
    }
}

#[tokio::test]
async fn jump_cloud_makes_and_deletes_its_test_user() {
    let cloud = JumpCloud { test_user: "scim.test@acme.test".to_owned() };
    assert_eq!(methods(&whole_life(cloud).await), ["DELETE", "GET", "PATCH", "POST"]);
}

#[tokio::test]
async fn one_login() {
    assert_eq!(methods(&whole_life(OneLogin).await), ["DELETE", "GET", "PATCH", "POST", "PUT"]);
}

#[tokio::test]
async fn ping_federate() {
    let seen = whole_life(Ping::default()).await;
    assert_eq!(methods(&seen), ["DELETE", "GET", "PATCH", "POST", "PUT"]);
    let probing = whole_life(Ping { probes: true, ..Ping::default() }).await;
    assert!(probing.requests > seen.requests, "the probe comes before every operation");
}

#[tokio::test]
async fn ping_federate_matches_by_a_part_of_the_address() {
    whole_life(Ping { filter: "emails Co \"%s\"".to_owned(), probes: false }).await;
}

#[tokio::test]
async fn okta_pushes_more_members_than_go_into_one_request() {
    let acme = Customer::new().await;
    let mut okta = acme.okta(Style::Catalogue);
    let mut everybody = Vec::new();
    for i in 0..104 {
        let user = acme.user(&format!("user-{i}"));
        everybody.push(Member { id: okta.push_user(&user).await.unwrap(), display: user.user_name });
    }
    okta.exchanges.clear();
    let group = okta.push_group("Everybody", &everybody).await.unwrap();
    let sent: Vec<&str> = okta.exchanges.iter().map(|exchange| exchange.method.as_str()).collect();
    assert_eq!(sent, ["GET", "POST", "PATCH", "PATCH", "PATCH", "PATCH"], "the name goes with each hundred");
    assert_eq!(members(&acme, &group).await.len(), 104);
    okta.change_members(&group, "Everybody", &everybody[..101], &[], &everybody[101..]).await.unwrap();
    assert_eq!(members(&acme, &group).await, ids(&everybody[101..].iter().collect::<Vec<_>>()));
}

#[tokio::test]
async fn okta_links_a_group_that_is_there_and_no_other() {
    let acme = Customer::new().await;
    let mut okta = acme.okta(Style::Catalogue);
    let ann = acme.user("ann");
    let ann = Member { id: okta.push_user(&ann).await.unwrap(), display: ann.user_name };
    let failure = okta.link_group("Staff", std::slice::from_ref(&ann)).await.unwrap_err();
    assert!(failure.sentence.contains("no group Staff"), "{failure}");
    let body = serde_json::json!({ "displayName": "staff" });
    let there = acme.scim(Method::POST, "/Groups", Some(body)).await.document(201);
    let linked = okta.link_group("Staff", std::slice::from_ref(&ann)).await.unwrap();
    assert_eq!(there["id"], linked.as_str());
    assert_eq!((members(&acme, &linked).await, okta.import_groups().await.unwrap().len()), (ids(&[&ann]), 1));
}

#[tokio::test]
async fn okta_sends_passwords_that_nobody_keeps() {
    for style in [Style::Custom, Style::Catalogue] {
        let acme = Customer::new().await;
        let mut okta = acme.okta(style);
        let id = okta.push_user(&acme.user("ann")).await.unwrap();
        let before = read(&acme, "Users", &id).await;
        okta.change_password(&acme.user("ann"), "N3w-Passw0rd").await.unwrap();
        assert_eq!(read(&acme, "Users", &id).await, before);
    }
}

#[tokio::test]
async fn entra_asks_for_the_manager_before_it_sends_one() {
    for flags in ["", "?aadOptscim062020"] {
        let acme = Customer::new().await;
        let mut entra = Client::new(&format!("{}{flags}", acme.scim_base()), &acme.token, Entra::of(flags)).unwrap();
        let mut ann = acme.user("ann").with_role("MANAGER");
        let (boss, id) = (entra.push_user(&acme.user("lee")).await.unwrap(), entra.push_user(&ann).await.unwrap());
        ann.set("manager", &boss);
        ann.set("department", "Retail");
        ann.set("role", "DEVELOPER");
        entra.update_user(&ann).await.unwrap();
        let document = read(&acme, "Users", &id).await;
        let extension = &document[ENTERPRISE_USER];
        assert_eq!(
            (&extension["manager"]["value"], &extension["department"]),
            (&Value::from(boss), &Value::from("Retail"))
        );
        let asked = entra.exchanges.iter().any(|exchange| exchange.path.contains("+and+manager+eq+"));
        assert!(asked, "{:?}", entra.exchanges);
        let sent = entra.exchanges.len();
        entra.update_user(&ann).await.unwrap();
        assert!(entra.exchanges[sent..].iter().all(|exchange| exchange.method == "GET"), "nothing is left to send");
    }
}

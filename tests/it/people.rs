//! Whose accounts are whose: users whom the application knew before, addresses that somebody has, and what an operator mends.

use crate::{cli::Operator, scim::assert_says};
use harness::{
    browser::Browser,
    customer::{Customer, superuser},
    gateway_process::unique,
};
use reqwest::Method;
use serde_json::{Value, json};

/// Runs a command that names the tenant.
async fn of_tenant(acme: &Customer, arguments: &[&str]) -> Value {
    let tenant = &acme.slug;
    Operator::new().await.json(&[arguments, &["--tenant", tenant]].concat())
}

async fn wishes(acme: &Customer, arguments: &[&str]) -> Value {
    let tenant = &acme.slug;
    Operator::new().await.json(&[&["tenant", "set", tenant][..], arguments].concat())
}

async fn create(acme: &Customer, user_name: &str, email: &str) -> Value {
    let body = json!({ "userName": user_name, "emails": [{ "value": email, "primary": true }] });
    acme.scim(Method::POST, "/Users", Some(body)).await.document(201)
}

fn id(document: &Value) -> String {
    document["id"].as_str().unwrap().to_owned()
}

async fn user_of(account: &str) -> String {
    let query = "SELECT user_id::text FROM accounts WHERE id = $1::uuid";
    sqlx::query_scalar(query).bind(account).fetch_one(&mut superuser().await).await.unwrap()
}

fn file(name: &str, content: &str) -> String {
    let path = std::env::temp_dir().join(unique("import")).with_extension(name);
    std::fs::write(&path, content).unwrap();
    path.to_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_user_whom_the_application_knows_is_linked_by_address_and_keeps_the_id() {
    let acme = Customer::new().await;
    let ann = acme.user("ann");
    let (known, new) = (uuid::Uuid::from_u128(rand_bits()), "new");
    let csv = file(
        "csv",
        &format!("email,id,name\n{},{known},Ann Known\nbob@{},,Bob\n", ann.email.to_uppercase(), acme.domain),
    );
    let told = of_tenant(&acme, &["user", "import", &csv]).await;
    assert_eq!(told, json!({ "new": 2, "known_already": 0, "clashes": [] }));
    let json_file = file("json", &format!(r#"[{{ "email": "bob@{}" }}]"#, acme.domain));
    assert_says(&of_tenant(&acme, &["user", "import", &json_file]).await, &json!({ "new": 0, "known_already": 1 }));
    assert_says(&of_tenant(&acme, &["user", "import", &csv]).await, &json!({ (new): 0 }));

    let account = acme.assign(&ann).await;
    assert_eq!(user_of(&account).await, known.to_string());
    let tokens = acme.sign_in(&Browser::new(), &ann.email).await;
    assert_eq!(tokens.id_claims()["sub"], known.to_string());
    let shown = of_tenant(&acme, &["user", "show", &ann.email.to_lowercase()]).await;
    assert_eq!(shown.as_array().unwrap().len(), 1, "nobody twice: {shown}");
    assert_says(&shown[0], &json!({ "id": known.to_string(), "imported": true }));
    assert_says(&shown[0]["accounts"][0], &json!({ "state": "active", "link": "linked by its address" }));
    let connection = acme.connection.to_string();
    let listed = Operator::new().await.json(&["user", "list", "--connection", &connection]);
    assert_says(
        &listed[0],
        &json!({ "id": account, "user": known, "state": "active", "link": "linked by its address" }),
    );
    assert!(listed[0]["why"].as_str().unwrap().contains("because"), "{listed}");
    let behind = Operator::new().await.json(&["user", "list", "--connection", &connection, "--after", &account]);
    assert_eq!(behind, json!([]));
    // Without an account the person is still known.
    acme.scim(Method::DELETE, &format!("/Users/{account}"), None).await;
    assert_eq!(of_tenant(&acme, &["user", "show", &known.to_string()]).await[0]["accounts"], json!([]));
    assert_eq!(user_of(&acme.assign(&ann).await).await, known.to_string());
}

fn rand_bits() -> u128 {
    uuid::Uuid::new_v4().as_u128()
}

#[tokio::test]
async fn an_import_makes_nobody_twice_and_keeps_who_was_there() {
    let acme = Customer::new().await;
    let account = create(&acme, "ann", &format!("ann@{}", acme.domain)).await;
    let (there, other) = (user_of(&id(&account)).await, uuid::Uuid::from_u128(rand_bits()));
    let csv = file("csv", &format!("email,id\nAnn@{},{other}\n", acme.domain));
    let told = of_tenant(&acme, &["user", "import", &csv]).await;
    assert_eq!(told, json!({ "new": 0, "known_already": 0, "clashes": [{ "id": other, "other": there }] }));
    // Without an id, or with hers, she is known, and stays without an account.
    let csv = file("csv", &format!("email,id\nann@{},\n", acme.domain));
    assert_says(&of_tenant(&acme, &["user", "import", &csv]).await, &json!({ "new": 0, "known_already": 1 }));
    acme.scim(Method::DELETE, &format!("/Users/{}", id(&account)), None).await;
    assert_says(&of_tenant(&acme, &["user", "show", &there]).await[0], &json!({ "imported": true, "accounts": [] }));
}

#[tokio::test]
async fn a_file_that_cannot_be_used_brings_in_nobody_and_says_which_line() {
    let acme = Customer::new().await;
    let tenant = &acme.slug;
    let operator = Operator::new().await;
    for (name, content, problem) in [
        ("csv", "email,id\nann@acme.test,\nno address,\n", "user 2 of"),
        ("csv", "email,id\nann@acme.test,4711\n", "the id is no UUID"),
        ("csv", "email,id\nann@acme.test,\nANN@acme.test,00000000-0000-4000-8000-000000000001\n", "stands there twice"),
        ("csv", "mail\nann@acme.test\n", "columns email, id, name and method"),
        ("json", "{}", "is not a list of users"),
        ("txt", "", "neither .csv nor .json"),
    ] {
        let file = file(name, content);
        let refused = operator.refusal(&["user", "import", &file, "--tenant", tenant]);
        assert!(refused.contains(problem), "{problem} is not in {refused}");
    }
    let refused = operator.refusal(&["user", "show", "ann@acme.test", "--tenant", tenant]);
    assert!(refused.contains("has no user ann@acme.test"), "{refused}");
}

#[tokio::test]
async fn the_tenant_says_what_becomes_of_an_address_that_somebody_has() {
    let acme = Customer::new().await;
    let board = acme.sibling(&acme.gateway.application("https://board.test/callback", |_| {}).await).await;
    let address = format!("ann@{}", acme.domain);
    let first = create(&acme, "ann", &address).await;
    assert_says(&wishes(&acme, &["--linking", "reject"]).await, &json!({ "linking": "reject" }));
    let body = json!({ "userName": "ann", "emails": [{ "value": address }] });
    let refused = board.scim(Method::POST, "/Users", Some(body.clone())).await.document(409);
    assert_eq!(refused["scimType"], "uniqueness");
    let (detail, owner) = (refused["detail"].as_str().unwrap(), user_of(&id(&first)).await);
    assert!(detail.contains(&address) && detail.contains(&owner), "{detail}");
    // Nobody can have proven an address elsewhere.
    let elsewhere = "ann@elsewhere.test";
    create(&acme, "ann2", elsewhere).await;
    create(&board, "ann2", elsewhere).await;

    let twice = json!({ "userName": "twin", "emails": [{ "value": address }] });
    acme.scim(Method::POST, "/Users", Some(twice)).await.document(409);

    wishes(&acme, &["--linking", "ask"]).await;
    let asked = id(&board.scim(Method::POST, "/Users", Some(body)).await.document(201));
    assert_ne!(user_of(&asked).await, owner);
    let shown = of_tenant(&acme, &["user", "show", &user_of(&asked).await]).await;
    assert_eq!(shown[0]["accounts"][0]["state"], format!("waits: is it user {owner}?"));
    // Who waits is nobody yet, so the next one is asked about the same person.
    let third = acme.sibling(&acme.application).await;
    let waits = create(&third, "ann", &address).await;
    let query = "SELECT parked_user::text FROM accounts WHERE id = $1::uuid";
    let about: String = sqlx::query_scalar(query).bind(id(&waits)).fetch_one(&mut superuser().await).await.unwrap();
    assert_eq!(about, owner);
    let mut ann = board.user("ann");
    ann.email.clone_from(&address);
    ann.user_name = "ann".to_owned();
    let waiting = board.waiting(&ann).await;
    waiting.is_refused_at_finish(&waiting.signed(&waiting.honest()), "GH-USR-008").await;
    let change = of_tenant(&acme, &["user", "confirm", &asked, "yes"]).await["change"].as_str().unwrap().to_owned();
    assert_eq!(user_of(&asked).await, owner);
    let waiting = board.waiting(&ann).await;
    let tokens = waiting.gets_in(&waiting.signed(&waiting.honest())).await;
    assert_eq!(tokens.id_claims()["sub"], owner);
    of_tenant_says_nothing(&acme, &["user", "undo", &change]).await;
    assert_ne!(user_of(&asked).await, owner, "whoever confirmed by mistake takes it back");
    assert!(!board.is_active(tokens.text("access_token")).await, "and whoever came in by it is out");
    let shown = of_tenant(&acme, &["user", "show", &user_of(&asked).await]).await;
    assert_eq!(shown[0]["accounts"][0]["state"], format!("waits: is it user {owner}?"), "the question stands again");
}

/// A command that tells people that it is done, and programs by its exit.
async fn of_tenant_says_nothing(acme: &Customer, arguments: &[&str]) {
    let tenant = &acme.slug;
    let output = Operator::new().await.run(&[arguments, &["--tenant", tenant]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test]
async fn what_follows_a_plus_makes_another_person_unless_the_tenant_says_otherwise() {
    let acme = Customer::new().await;
    let board = acme.sibling(&acme.application).await;
    let at = |local: &str| format!("{local}@{}", acme.domain);
    let ann = id(&create(&acme, "ann", &at("ann")).await);
    let tagged = id(&create(&board, "tagged", &at("Ann+board")).await);
    assert_ne!(user_of(&ann).await, user_of(&tagged).await);
    wishes(&acme, &["--plus-addresses", "same"]).await;
    let bob = id(&create(&acme, "bob", &at("bob+a")).await);
    let other = id(&create(&board, "bob", &at("BOB+b")).await);
    assert_eq!(user_of(&bob).await, user_of(&other).await);
    // Two could be meant, so nobody is.
    let third = acme.sibling(&acme.application).await;
    let either = id(&create(&third, "ann", &at("ann+third")).await);
    let users = [user_of(&ann).await, user_of(&tagged).await];
    assert!(!users.contains(&user_of(&either).await));
}

#[tokio::test]
async fn an_operator_makes_two_users_one_and_one_two_and_takes_it_back() {
    let acme = Customer::new().await;
    let board = acme.sibling(&acme.application).await;
    let (ann, other) = (create(&acme, "ann", "ann@one.test").await, create(&board, "ann", "ann@two.test").await);
    let (ann, other) = (id(&ann), id(&other));
    let (stays, goes) = (user_of(&ann).await, user_of(&other).await);
    let before: Value = sqlx::query_scalar("SELECT to_jsonb(u) FROM users u WHERE id = $1::uuid")
        .bind(&goes)
        .fetch_one(&mut superuser().await)
        .await
        .unwrap();
    let merged = of_tenant(&acme, &["user", "merge", &goes, "--into", &stays]).await;
    assert_eq!(user_of(&other).await, stays);
    let change = merged["change"].as_str().unwrap();
    of_tenant_says_nothing(&acme, &["user", "undo", change]).await;
    assert_eq!((user_of(&ann).await, user_of(&other).await), (stays.clone(), goes.clone()));
    let after: Value = sqlx::query_scalar("SELECT to_jsonb(u) FROM users u WHERE id = $1::uuid")
        .bind(&goes)
        .fetch_one(&mut superuser().await)
        .await
        .unwrap();
    assert_eq!(after, before, "as it was");
    let tenant = &acme.slug;
    let operator = Operator::new().await;
    let refused = operator.refusal(&["user", "undo", change, "--tenant", tenant]);
    assert!(refused.contains("the change was undone before"), "{refused}");

    of_tenant(&acme, &["user", "merge", &goes, "--into", &stays]).await;
    let split = of_tenant(&acme, &["user", "split", &other]).await;
    assert!(![&stays, &goes].contains(&&user_of(&other).await));
    of_tenant_says_nothing(&acme, &["user", "undo", split["change"].as_str().unwrap()]).await;
    assert_eq!(user_of(&other).await, stays);
    // What went on since is not undone.
    let moved = of_tenant(&acme, &["user", "split", &other]).await;
    board.scim(Method::DELETE, &format!("/Users/{other}"), None).await;
    let refused = operator.refusal(&["user", "undo", moved["change"].as_str().unwrap(), "--tenant", tenant]);
    assert!(refused.contains("not where the change put them"), "{refused}");
    let query = "SELECT data FROM events WHERE tenant_id = $1 AND kind = 'user.merged' ORDER BY position LIMIT 1";
    let told: Value = sqlx::query_scalar(query).bind(acme.tenant.0).fetch_one(&mut superuser().await).await.unwrap();
    assert_says(&told, &json!({ "account_ids": [other], "user_id": goes, "into_user_id": stays }));

    let twin = id(&create(&acme, "twin", "twin@one.test").await);
    let twin = user_of(&twin).await;
    let refused = operator.refusal(&["user", "merge", &twin, "--into", &stays, "--tenant", tenant]);
    assert!(refused.contains("accounts in the same connection"), "{refused}");
    let refused = operator.refusal(&["user", "split", &ann, "--tenant", &unique("nobody")]);
    assert!(refused.contains("there is no tenant"), "{refused}");
    let stranger = Customer::new().await;
    let foreign = &stranger.slug;
    operator.refusal(&["user", "split", &ann, "--tenant", foreign]);
    operator.refusal(&["user", "merge", &twin, "--into", &stays, "--tenant", foreign]);
}

#[tokio::test]
async fn the_last_administrator_stays_where_the_tenant_asked_for_that() {
    let acme = Customer::new().await;
    let administrator = |name: &str| json!({ "userName": name, "role": "ADMINISTRATOR" });
    let ann = id(&acme.scim(Method::POST, "/Users", Some(administrator("ann"))).await.document(201));
    let at = format!("/Users/{ann}");
    let deactivate = json!({ "userName": "ann", "role": "ADMINISTRATOR", "active": false });
    assert_eq!(wishes(&acme, &["--keep-administrator", "on"]).await["keeps_administrator"], true);
    let refused = acme.scim(Method::PUT, &at, Some(deactivate.clone())).await.document(409);
    assert!(refused["detail"].as_str().unwrap().contains("make somebody else an administrator first"), "{refused}");
    acme.scim(Method::DELETE, &at, None).await.document(409);
    let bulk = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
        "Operations": [{ "method": "DELETE", "path": at }] });
    let done = acme.scim(Method::POST, "/Bulk", Some(bulk)).await.document(200);
    assert_eq!(done["Operations"][0]["status"], "409");
    // Another role is no reason to refuse what else the request says.
    let demoted = json!({ "userName": "ann", "role": "MANAGER", "displayName": "Ann" });
    acme.scim(Method::PUT, &at, Some(demoted.clone())).await.document(200);
    let shown = of_tenant(&acme, &["user", "show", &user_of(&ann).await]).await;
    assert_eq!(shown[0]["name"], "Ann");
    let why = "ADMINISTRATOR, kept because nobody else is; the identity provider wants MANAGER";
    assert_eq!(shown[0]["accounts"][0]["why"], why);
    let told = acme.events("provisioning.failed").await.len();
    acme.scim(Method::PUT, &at, Some(demoted.clone())).await.document(200);
    assert_eq!(acme.events("provisioning.failed").await.len(), told, "told once");

    // Who cannot sign in yet administers nothing.
    let board = acme.sibling(&acme.application).await;
    wishes(&acme, &["--linking", "ask"]).await;
    let address = format!("ann@{}", acme.domain);
    let with_address = json!({ "userName": "ann", "role": "ADMINISTRATOR", "emails": [{ "value": address }] });
    acme.scim(Method::PUT, &at, Some(with_address.clone())).await.document(200);
    let parked = id(&board.scim(Method::POST, "/Users", Some(with_address)).await.document(201));
    acme.scim(Method::PUT, &at, Some(deactivate.clone())).await.document(409);
    board.scim(Method::DELETE, &format!("/Users/{parked}"), None).await;
    acme.scim(Method::PUT, &at, Some(demoted.clone())).await.document(200);

    let ben = id(&acme.scim(Method::POST, "/Users", Some(administrator("ben"))).await.document(201));
    acme.scim(Method::PUT, &at, Some(demoted)).await.document(200);
    assert_eq!(of_tenant(&acme, &["user", "show", &user_of(&ann).await]).await[0]["accounts"][0]["role"], "MANAGER");
    acme.scim(Method::PUT, &at, Some(deactivate)).await.document(200);
    // Two at once: one of them stays.
    let carl = id(&acme.scim(Method::POST, "/Users", Some(administrator("carl"))).await.document(201));
    let out = |name: &str| json!({ "userName": name, "role": "ADMINISTRATOR", "active": false });
    let (ben_at, carl_at) = (format!("/Users/{ben}"), format!("/Users/{carl}"));
    let both = tokio::join!(
        acme.scim(Method::PUT, &ben_at, Some(out("ben"))),
        acme.scim(Method::PUT, &carl_at, Some(out("carl")))
    );
    let mut statuses = [both.0.status.as_u16(), both.1.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409]);
}

/// Rules that take everybody's role away leave one.
#[tokio::test]
async fn a_group_that_loses_its_role_leaves_an_administrator() {
    let acme = Customer::new().await;
    let connection = acme.connection.to_string();
    let operator = Operator::new().await;
    operator.json(&["connection", "roles", &connection, "--rule", "Board=ADMINISTRATOR"]);
    let mut ids = Vec::new();
    for name in ["ann", "ben"] {
        ids.push(id(&create(&acme, name, &format!("{name}@{}", acme.domain)).await));
    }
    let members: Vec<Value> = ids.iter().map(|id| json!({ "value": id })).collect();
    let group = json!({ "displayName": "Board", "members": members });
    let board = id(&acme.scim(Method::POST, "/Groups", Some(group)).await.document(201));
    wishes(&acme, &["--keep-administrator", "on"]).await;
    let dry_run = ["connection", "roles", &connection, "--no-rules", "--dry-run"];
    let foreseen = String::from_utf8_lossy(&operator.run(&dry_run).stdout).into_owned();
    assert!(foreseen.contains("1 account(s) from ADMINISTRATOR to ANALYST"), "one of the two stays: {foreseen}");
    let foreseen = operator.json(&dry_run)["foreseen"].clone();
    assert_eq!(foreseen["changes"], json!([{ "from": "ADMINISTRATOR", "to": "ANALYST", "accounts": 1 }]));
    assert_eq!(foreseen["first"].as_array().unwrap().len(), 1);
    acme.scim(Method::DELETE, &format!("/Groups/{board}"), None).await;
    let query = "SELECT role FROM accounts WHERE connection_id = $1 ORDER BY id";
    let roles: Vec<String> =
        sqlx::query_scalar(query).bind(acme.connection.0).fetch_all(&mut superuser().await).await.unwrap();
    assert_eq!(roles, ["ADMINISTRATOR", "ANALYST"]);
    // Whoever is kept is told once, however often somebody looks.
    let told = acme.events("provisioning.failed").await.len();
    for _ in 0..2 {
        operator.json(&["connection", "roles", &connection, "--no-rules"]);
    }
    assert_eq!(acme.events("provisioning.failed").await.len(), told);
}

#[tokio::test]
async fn a_connection_demands_of_profiles_what_somebody_asked_for_and_nothing_else() {
    let acme = Customer::new().await;
    let (operator, id_of) = (Operator::new().await, acme.connection.to_string());
    let demand = |arguments: &[&str]| operator.json(&[&["connection", "profiles", &id_of][..], arguments].concat());
    assert_eq!(demand(&[]), json!({ "required": [], "forbidden": "" }));
    let ann = json!({ "userName": "ann<>;:%", "displayName": "Ann <>;:% Lee" });
    let made = acme.scim(Method::POST, "/Users", Some(ann.clone())).await.document(201);
    assert_eq!(made["displayName"], ann["displayName"]);

    demand(&["--require", "givenName", "--require", "displayName"]);
    let refused = acme.scim(Method::POST, "/Users", Some(json!({ "userName": "ben" }))).await.document(400);
    let detail = refused["detail"].as_str().unwrap();
    assert!(detail.contains("has no First name (name.givenName)") && detail.ends_with("(GH-USR-011)"), "{detail}");
    let whole = json!({ "userName": "ben", "displayName": "Ben", "name": { "givenName": "Ben" } });
    acme.scim(Method::POST, "/Users", Some(whole)).await.document(201);
    // Nobody stays in because of a profile.
    let path = format!("/Users/{}", id(&made));
    let active = |active: bool| json!({ "Operations": [{ "op": "replace", "value": { "active": active } }] });
    acme.scim(Method::PATCH, &path, Some(active(false))).await.document(200);
    acme.scim(Method::PATCH, &path, Some(active(true))).await.document(400);

    assert_eq!(demand(&["--require-nothing", "--forbid", "<>;:%"])["forbidden"], "<>;:%");
    let refused = acme.scim(Method::PATCH, &path, Some(active(true))).await.document(400);
    let detail = refused["detail"].as_str().unwrap();
    assert!(detail.contains("userName has the character \"<\"") && detail.ends_with("(GH-USR-012)"), "{detail}");
    let refused = operator.refusal(&["connection", "profiles", &id_of, "--forbid", "a"]);
    assert!(refused.contains("none that names are made of"), "{refused}");
    demand(&["--forbid", ""]);
    acme.scim(Method::PATCH, &path, Some(active(true))).await.document(200);
}

#[tokio::test]
async fn attributes_for_access_control_come_from_assertions_and_scim_in_a_stated_order() {
    let acme = Customer::new().await;
    let (ann, connection) = (acme.user("ann"), acme.connection.to_string());
    acme.idp.add_user(ann.clone());
    let enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
    let body = json!({
        "userName": ann.user_name, "emails": [{ "value": ann.email, "primary": true }, { "value": "second@acme.test" }],
        "roles": [{ "value": "MANAGER" }], (enterprise): { "costCenter": "green", "department": "Tools" },
    });
    let account = id(&acme.scim(Method::POST, "/Users", Some(body)).await.document(201));
    let operate = async |more: &[&str]| {
        Operator::new().await.json(&[&["connection", "access-control", &connection][..], more].concat())
    };
    let cost_center = format!("CostCenter={enterprise}:costCenter");
    let department = format!("Department={enterprise}:department");
    let set = operate(&["--from-scim", &cost_center, "--from-scim", &department, "--from-scim", "Mail=emails"]).await;
    assert_eq!((&set["first"], &set["from_scim"]["Mail"]), (&json!("saml"), &json!("emails")));
    let told =
        async || of_tenant(&acme, &["user", "show", &ann.email]).await[0]["accounts"][0]["access_control"].clone();
    let scim = |values: Value| json!({ "values": values, "from": "scim" });
    assert_eq!(told().await["CostCenter"], scim(json!(["green"])), "nobody has signed in");

    let aws = "https://aws.amazon.com/SAML/Attributes/AccessControl:";
    let waiting = acme.waiting(&ann).await;
    let response = waiting
        .honest()
        .attribute_values(&format!("{aws}CostCenter"), &["blue", "red"])
        .attribute(&format!("{aws}Level"), "7");
    waiting.gets_in(&waiting.signed(&response)).await;
    let saml = |values: Value| json!({ "values": values, "from": "saml" });
    let expected = json!({
        "CostCenter": saml(json!(["blue", "red"])), "Level": saml(json!(["7"])),
        "Department": scim(json!(["Tools"])), "Mail": scim(json!([ann.email, "second@acme.test"])),
    });
    assert_eq!(told().await, expected);
    operate(&["--first", "scim"]).await;
    assert_eq!(told().await["CostCenter"], scim(json!(["green"])));
    // What SCIM changes is told from then on.
    let change =
        json!({ "Operations": [{ "op": "replace", "path": format!("{enterprise}:costCenter"), "value": "amber" }] });
    acme.scim(Method::PATCH, &format!("/Users/{account}"), Some(change)).await.document(200);
    assert_eq!(told().await["CostCenter"], scim(json!(["amber"])));
    operate(&["--from-scim-nothing"]).await;
    assert_eq!(told().await["CostCenter"], saml(json!(["blue", "red"])));
    let refused = Operator::new().await.run(&["connection", "access-control", &connection, "--from-scim", "X=nowhere"]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("have no attribute \"nowhere\""));
}

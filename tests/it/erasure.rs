//! A person who is erased is in no table any more.

use crate::{cli::Operator, saml::modes};
use domain::{email::Email, ids::UserId, removal::Fate};
use gateway::{
    clock::Clock,
    error::Error,
    oauth::settings::Invitations,
    setup::{
        applications::ApplicationSpec,
        erasure::{self, Erased, Who},
        people, removal,
    },
};
use harness::{
    browser::Browser,
    customer::Customer,
    gateway_process::{Gateway, own_database, superuser_of},
};
use reqwest::Method;
use serde_json::json;
use simulator::directory::DirectoryUser;
use sqlx::{AssertSqlSafe, PgConnection};
use std::collections::BTreeMap;
use store::{
    logouts::{self, Whose},
    scope::Actor,
};
use time::Duration;
use uuid::Uuid;

/// What nobody else is called.
const CANARIES: [&str; 3] = ["quillon", "vexmoor", "0815471199"];

/// Rows of each table that name the person, in whatever column.
async fn found(database: &mut PgConnection) -> BTreeMap<String, i64> {
    let tables = "SELECT table_name::text FROM information_schema.tables
        WHERE table_schema = current_schema() AND table_type = 'BASE TABLE' AND table_name <> '_sqlx_migrations'";
    let tables: Vec<String> = sqlx::query_scalar(tables).fetch_all(&mut *database).await.unwrap();
    assert!(tables.len() > 40, "{tables:?}");
    let mut found = BTreeMap::new();
    for table in tables {
        let query = format!(
            "SELECT count(*) FROM {table} t WHERE EXISTS (SELECT FROM unnest($1::text[]) w WHERE t::text ILIKE '%' || w || '%')"
        );
        let count = sqlx::query_scalar(AssertSqlSafe(query)).bind(CANARIES).fetch_one(&mut *database).await.unwrap();
        if count > 0 {
            found.insert(table, count);
        }
    }
    found
}

pub struct Place {
    pub acme: Customer,
    pub database: PgConnection,
    pub person: DirectoryUser,
    /// The account, and that in a connection that was removed.
    accounts: [String; 2],
}

impl Place {
    /// A tenant in which the person is wherever one can be.
    pub async fn new() -> Self {
        let name = own_database().await;
        let gateway = Gateway::on(&name, Clock::manual(), |_| {}).await;
        let by_mail = |spec: &mut ApplicationSpec| spec.settings.invitations = Invitations::Mail;
        let application = gateway.application("https://app.test/callback", by_mail).await;
        let acme = Customer::entering(&gateway, application).await;
        let sibling = acme.sibling(&acme.application).await;
        let mut person = DirectoryUser::new(&format!("quillon.v@{}", acme.domain), "Quillon", "Vexmoor");
        person.id = "00u0815471199".to_owned();
        let (store, now) = (&gateway.app.store, gateway.clock.now());
        let known = people::Known {
            id: None,
            email: Email::parse(&person.email).unwrap(),
            display_name: Some("Quillon Vexmoor".to_owned()),
            method: None,
        };
        people::import(store, now, acme.tenant, &[known]).await.unwrap();
        let accounts = [acme.assign(&person).await, sibling.assign(&person).await];
        removal::remove(store, now, sibling.connection, Fate::Keep, None).await.unwrap();
        Self { acme, database: superuser_of(&name).await, person, accounts }
    }

    /// Requests that were refused, sign-ins, and what an operator did.
    pub async fn live(&mut self) {
        let (acme, person) = (&self.acme, &self.person);
        let more = json!({ "Operations": [{ "op": "add", "value": { "phoneNumbers": [{ "value": "0815471199" }] } }] });
        acme.scim(Method::PATCH, &format!("/Users/{}", self.accounts[0]), Some(more)).await.document(200);
        let twice = json!({ "userName": person.user_name, "displayName": "Quillon Vexmoor" });
        acme.scim(Method::POST, "/Users", Some(twice)).await.document(409);
        let group =
            json!({ "displayName": "Sales", "members": [{ "value": Uuid::nil(), "display": "Quillon Vexmoor" }] });
        acme.scim(Method::POST, "/Groups", Some(group)).await;
        let query = format!("/Users?filter=userName%20eq%20%22{}%22", person.user_name.replace('@', "%40"));
        acme.scim(Method::GET, &query, None).await.document(200);

        let until = Some(acme.gateway.clock.now() + Duration::minutes(10));
        modes::set(acme, |settings| settings.test_until = until).await;
        acme.sign_in(&Browser::new(), &person.email).await;
        let waiting = acme.waiting(person).await;
        waiting.is_refused(&waiting.signed(&waiting.honest().audience("https://other.test")), "GH-SAML-811").await;
        Browser::new().get(&acme.authorize_url(&[("login_hint", Some(&person.email))])).await;
        // As Okta's Universal Logout does for a name.
        let mut tx = acme.gateway.app.tenant(acme.tenant, Actor::Gateway, acme.gateway.clock.now()).await.unwrap();
        logouts::remember_end(&mut tx, Some(acme.connection), Whose::Subject(&person.user_name)).await.unwrap();
        tx.commit().await.unwrap();
    }

    async fn user(&mut self, account: &str) -> UserId {
        let query = sqlx::query_scalar("SELECT user_id FROM accounts WHERE id::text = $1").bind(account);
        UserId(query.fetch_one(&mut self.database).await.unwrap())
    }

    /// A user whom the application knew by another address is the same person.
    async fn is_merged(&mut self) {
        let into = self.user(&self.accounts[0].clone()).await;
        let (store, now, tenant) = (&self.acme.gateway.app.store, self.acme.gateway.clock.now(), self.acme.tenant);
        let id = UserId(Uuid::new_v4());
        let email = Email::parse(&format!("vexmoor@{}", self.acme.domain)).unwrap();
        people::import(store, now, tenant, &[people::Known { id: Some(id), email, display_name: None, method: None }])
            .await
            .unwrap();
        people::merge(store, now, tenant, id, into).await.unwrap();
    }

    async fn erase(&self, who: &Who, meant: bool) -> Result<Erased, Error> {
        let app = &self.acme.gateway.app;
        erasure::erase(&app.store, &app.vault, app.clock.now(), self.acme.tenant, who, meant).await
    }

    async fn found(&mut self) -> BTreeMap<String, i64> {
        self.acme.gateway.app.log.flush().await;
        self.acme.gateway.app.steps.flush().await;
        found(&mut self.database).await
    }
}

#[tokio::test]
async fn an_erased_person_is_in_no_table_any_more() {
    let mut place = Place::new().await;
    place.live().await;
    place.is_merged().await;
    let before = place.found().await;
    let tables: Vec<&str> = before.keys().map(String::as_str).collect();
    let everywhere = [
        "account_attributes",
        "accounts",
        "failures",
        "invitations",
        "logouts",
        "scim_exchanges",
        "sessions",
        "sign_in_requests",
        "sign_in_steps",
        "user_changes",
        "users",
    ];
    assert_eq!(tables, everywhere);
    let user = place.user(&place.accounts[0].clone()).await;
    let who = Who::User(user);
    let error = place.erase(&who, true).await.unwrap_err().to_string();
    assert!(error.contains("unassigned"), "{error}");
    let out = json!({ "Operations": [{ "op": "replace", "value": { "active": false } }] });
    place.acme.scim(Method::PATCH, &format!("/Users/{}", place.accounts[0]), Some(out)).await.document(200);
    let before = place.found().await;
    let would = place.erase(&who, false).await.unwrap();
    assert_eq!(place.found().await, before, "nothing yet");
    let bystander = place.acme.assign(&place.acme.user("bystander")).await;
    let went = place.erase(&who, true).await.unwrap();
    assert_eq!((would.accounts, would.gone), (went.accounts, went.gone), "what was shown");
    assert_eq!(went.accounts, 2, "also of the removed connection");
    assert_eq!(place.found().await, BTreeMap::new());

    // Others are untouched, and so is what is known of them.
    place.acme.scim(Method::GET, &format!("/Users/{bystander}"), None).await.document(200);
    let kept = "SELECT (SELECT count(*) FROM invitations) || ' ' || (SELECT count(*) > 0 FROM scim_exchanges)
        || ' ' || (SELECT count(*) FROM users) || ' ' || (SELECT count(*) FROM failures)";
    let kept: String = sqlx::query_scalar(kept).fetch_one(&mut place.database).await.unwrap();
    assert_eq!(kept, "1 true 1 1", "the group's failure without its wish");
    let told = "SELECT data->>'accounts' FROM events WHERE kind = 'user.erased' AND subject_id = $1";
    let told: String = sqlx::query_scalar(told).bind(user.0).fetch_one(&mut place.database).await.unwrap();
    assert_eq!(told, "2");

    // It is known that somebody was erased, and not who.
    let app = &place.acme.gateway.app;
    let (vault, now) = (&app.vault, app.clock.now());
    for who in [who.clone(), Who::parse(&place.person.email.to_uppercase()).unwrap()] {
        assert_eq!(erasure::find(&app.store, vault, now, place.acme.tenant, &who).await.unwrap().len(), 1, "{who:?}");
    }
    let stranger = Who::parse("nobody@acme.test").unwrap();
    assert_eq!(erasure::find(&app.store, vault, now, place.acme.tenant, &stranger).await.unwrap().len(), 0);
    assert!(matches!(place.erase(&who, true).await, Err(Error::NotFound)));
    // Whoever comes again is somebody new.
    let again = place.acme.assign(&place.person.clone()).await;
    assert_ne!(place.user(&again).await, user);
}

#[tokio::test]
async fn whoever_has_two_addresses_is_found_by_each_and_nobody_else_is_touched() {
    let acme = Customer::new().await;
    let app = &acme.gateway.app;
    let martin = DirectoryUser::new(&format!("martin@{}", acme.domain), "Martin", "Smithson");
    let account = acme.assign(&martin).await;
    let board = acme.gateway.application("https://board.test/callback", |_| {}).await;
    let board = acme.sibling(&board).await;
    let other_name = DirectoryUser::new(&format!("m.smithson@{}", acme.domain), "Martin", "Smithson");
    let second = board.assign(&other_name).await;
    let users: Vec<UserId> = futures_util::future::join_all([&account, &second].map(async |id: &String| {
        let query = sqlx::query_scalar("SELECT user_id FROM accounts WHERE id::text = $1").bind(id);
        UserId(query.fetch_one(&mut harness::customer::superuser().await).await.unwrap())
    }))
    .await;
    people::merge(&app.store, app.clock.now(), acme.tenant, users[1], users[0]).await.unwrap();
    // A namesake whose failure is his own, though the other's name is in it.
    let namesake = DirectoryUser::new(&format!("martin.other@{}", acme.domain), "Martin", "Other");
    let third = acme.assign(&namesake).await;
    let taken = json!({ "Operations": [{ "op": "replace", "value": { "userName": "" } }] });
    acme.scim(Method::PATCH, &format!("/Users/{third}"), Some(taken)).await.document(400);
    let erase = async |who: &str| {
        let who = Who::parse(who).unwrap();
        erasure::erase(&app.store, &app.vault, app.clock.now(), acme.tenant, &who, true).await
    };
    for address in [&martin.email, &other_name.email] {
        assert!(erase(address).await.unwrap_err().to_string().contains("unassigned"), "{address}");
    }
    for (customer, id) in [(&acme, &account), (&board, &second)] {
        let out = json!({ "Operations": [{ "op": "replace", "value": { "active": false } }] });
        customer.scim(Method::PATCH, &format!("/Users/{id}"), Some(out)).await.document(200);
    }
    let team = json!({ "displayName": "Team of Martin Smithson" });
    acme.scim(Method::POST, "/Groups", Some(team)).await.document(201);
    let erased = erase(&other_name.email).await.unwrap();
    assert_eq!((erased.accounts, erased.gone.failures, erased.named_by_others), (2, 0, 1));
    acme.scim(Method::GET, &format!("/Users/{third}"), None).await.document(200);
}

#[tokio::test]
async fn somebody_who_is_gone_is_erased_by_address_from_the_command_line() {
    let acme = Customer::new().await;
    let person = DirectoryUser::new(&format!("tamsin.orrery@{}", acme.domain), "Tamsin", "Orrery");
    let run = async |arguments: &[&str]| {
        let arguments = [&["user", "erase", "--tenant", &acme.slug, &person.email], arguments].concat();
        Operator::new().await.json(&arguments)
    };
    let refused = async || Operator::new().await.refusal(&["user", "show", "--tenant", &acme.slug, &person.email]);
    assert!(refused().await.contains("has no user"));
    let account = acme.assign(&person).await;
    let twice = json!({ "userName": person.user_name });
    acme.scim(Method::POST, "/Users", Some(twice)).await.document(409);
    acme.scim(Method::DELETE, &format!("/Users/{account}"), None).await;
    acme.gateway.app.log.flush().await;
    let would = run(&[]).await;
    assert_eq!((&would["is_erased"], &would["accounts"], &would["failures"]), (&json!(false), &json!(0), &json!(1)));
    assert!(would["scim_exchanges"].as_i64() > Some(0), "{would}");
    assert!(refused().await.contains("has no user"), "nothing yet");
    let went = run(&["--yes"]).await;
    assert_eq!((&went["is_erased"], &went["scim_exchanges"]), (&json!(true), &would["scim_exchanges"]));
    assert!(refused().await.contains("was erased at"));
    let of_another = Operator::new().await;
    let other = Customer::new().await;
    assert!(of_another.refusal(&["user", "show", "--tenant", &other.slug, &person.email]).contains("has no user"));
}

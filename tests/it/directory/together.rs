//! What one token's clients ask at the same time goes together, and nobody fares otherwise than alone.

use super::{create, encoded, find, get, group, hostile::statements, id, user};
use crate::scim::assert_refused;
use argon2::{Argon2, PasswordHash, PasswordVerifier};
use gateway::setup::directory as setup;
use harness::customer::{Customer, ScimAnswer, superuser, until_waiting};
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};
use std::{sync::Arc, time::Duration};
use tokio::task::JoinHandle;
use uuid::Uuid;

/// Users who may go in one transaction.
const MOST: i64 = 64;

/// Keeps every user of the tenant from being stored until it is dropped.
struct Hold {
    database: PgConnection,
    customer: Arc<Customer>,
}

impl Hold {
    /// Holds, and sends a first user on, who is then on the way into the database.
    async fn behind_one(customer: &Arc<Customer>) -> (Self, JoinHandle<ScimAnswer>) {
        let mut database = superuser().await;
        let hold = "BEGIN; SELECT FROM tenants WHERE slug = current_setting('app.held') FOR UPDATE";
        let name = "SELECT set_config('app.held', $1, false)";
        sqlx::query(name).bind(&customer.slug).execute(&mut database).await.unwrap();
        sqlx::raw_sql(hold).execute(&mut database).await.unwrap();
        let first = push(customer, json!({ "userName": "first" }));
        until_waiting(&mut database, 1).await;
        (Self { database, customer: Arc::clone(customer) }, first)
    }

    /// Sends these as well, and lets all go when they have had the time to line up.
    async fn then(mut self, bodies: Vec<Value>) -> Vec<ScimAnswer> {
        let pushed: Vec<_> = bodies.into_iter().map(|body| push(&self.customer, body)).collect();
        tokio::time::sleep(Duration::from_secs(1)).await;
        sqlx::raw_sql("ROLLBACK").execute(&mut self.database).await.unwrap();
        let mut answers = Vec::new();
        for push in pushed {
            answers.push(push.await.unwrap());
        }
        answers
    }
}

fn push(customer: &Arc<Customer>, body: Value) -> JoinHandle<ScimAnswer> {
    let customer = Arc::clone(customer);
    tokio::spawn(async move { customer.scim(Method::POST, "/Users", Some(body)).await })
}

/// How many users each transaction created, the most first.
async fn sizes(customer: &Customer) -> Vec<i64> {
    let query =
        "SELECT count(*) FROM events WHERE connection_id = $1 AND kind = 'user.created' GROUP BY xid ORDER BY 1 DESC";
    let mut database = superuser().await;
    let sizes = sqlx::query_scalar(query).bind(customer.connection.0).fetch_all(&mut database).await.unwrap();
    database.close().await.unwrap();
    sizes
}

#[tokio::test]
async fn who_waits_goes_together_and_each_is_told_its_own() {
    let acme = Arc::new(Customer::new().await);
    let (hold, first) = Hold::behind_one(&acme).await;
    let names: Vec<String> = (0..100).map(|number| format!("user{number}@{}", acme.domain)).collect();
    let body = |name: &String| json!({ "userName": name, "displayName": format!("D {name}"), "title": name });
    let answers = hold.then(names.iter().map(body).collect()).await;
    first.await.unwrap().document(201);
    for (name, answer) in names.iter().zip(answers) {
        let created = answer.document(201);
        assert_eq!(
            (&created["userName"], &created["displayName"], &created["title"]),
            (&json!(name), &json!(format!("D {name}")), &json!(name))
        );
        assert_eq!(get(&acme, &format!("/Users/{}", id(&created))).await, created);
        let found = find(&acme, "/Users", &format!("title eq \"{name}\"")).await.document(200);
        assert_eq!(found["Resources"], json!([created]), "indexed as its own");
    }
    assert_eq!(get(&acme, "/Users?count=0").await["totalResults"], 101);
    let sizes = sizes(&acme).await;
    assert_eq!(sizes.iter().sum::<i64>(), 101, "each was told of once");
    assert!((2..=MOST).contains(&sizes[0]), "they went together, and not too many: {sizes:?}");
}

#[tokio::test]
async fn nobody_fails_for_anothers_sake() {
    let acme = Arc::new(Customer::new().await);
    create(&acme, "/Users", json!({ "userName": "there" })).await;
    let (hold, first) = Hold::behind_one(&acme).await;
    let names = ["a", "Twin", "b", "THERE", "tWIN", "c"];
    let answers = hold.then(names.iter().map(|name| json!({ "userName": name })).collect()).await;
    first.await.unwrap().document(201);
    let (created, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 201);
    assert_eq!((created.len(), refused.len()), (4, 2));
    refused.iter().for_each(|answer| assert_refused(answer, 409, Some("uniqueness")));
    assert!(refused.iter().any(|answer| answer.body["detail"].as_str().unwrap().contains("THERE")));
    assert_eq!(get(&acme, "/Users?count=0").await["totalResults"], 6);
    assert_eq!(acme.events("user.created").await.len(), 6, "the attempt left nothing behind");
}

#[tokio::test]
async fn of_two_with_the_address_of_one_person_one_is_that_person() {
    let acme = Customer::new().await;
    let board = acme.gateway.application("https://board.test/callback", |_| {}).await;
    let board = Arc::new(acme.sibling(&board).await);
    let address = format!("ann@{}", acme.domain);
    create(&acme, "/Users", json!({ "userName": address })).await;
    let (hold, first) = Hold::behind_one(&board).await;
    let body = |name: &str| json!({ "userName": name, "emails": [{ "value": address, "primary": true }] });
    for answer in hold.then(vec![body("ann"), body("anne")]).await {
        answer.document(201);
    }
    first.await.unwrap().document(201);
    assert_eq!((board.events("user.linked").await.len(), board.events("user.created").await.len()), (1, 2));
    let mut database = superuser().await;
    let query = "SELECT count(DISTINCT user_id) FROM accounts WHERE connection_id = $1";
    let persons: i64 = sqlx::query_scalar(query).bind(board.connection.0).fetch_one(&mut database).await.unwrap();
    assert_eq!(persons, 3);
}

#[tokio::test]
async fn who_waits_with_a_token_that_is_revoked_meanwhile_is_not_created() {
    let acme = Arc::new(Customer::new().await);
    let (hold, first) = Hold::behind_one(&acme).await;
    let late: Vec<_> = (0..4).map(|number| push(&acme, json!({ "userName": format!("late{number}") }))).collect();
    tokio::time::sleep(Duration::from_secs(1)).await;
    // By hand: telling of it would wait as well.
    let mut database = superuser().await;
    let revoke = sqlx::query("UPDATE scim_tokens SET revoked_at = now() WHERE id = $1").bind(acme.token_id.0);
    revoke.execute(&mut database).await.unwrap();
    hold.then(Vec::new()).await;
    first.await.unwrap().document(201);
    for answer in late {
        assert_refused(&answer.await.unwrap(), 401, None);
    }
    assert_eq!(sizes(&acme).await, [1]);
}

#[tokio::test]
async fn each_keeps_its_own_password() {
    let acme = Arc::new(Customer::new().await);
    let (store, now) = (&acme.gateway.app.store, acme.gateway.clock.now());
    setup::set_provisioning(store, now, acme.connection, |settings| settings.password_sync = true).await.unwrap();
    let (hold, first) = Hold::behind_one(&acme).await;
    let body = |name: &str| json!({ "userName": name, "password": format!("secret of {name}") });
    let answers = hold.then(["ann", "ben", "cas"].map(body).to_vec()).await;
    first.await.unwrap().document(201);
    let mut database = superuser().await;
    for answer in answers {
        let created = answer.document(201);
        let query = sqlx::query_scalar::<_, String>("SELECT hash FROM account_passwords WHERE account_id = $1");
        let hash = query.bind(Uuid::parse_str(&id(&created)).unwrap()).fetch_one(&mut database).await.unwrap();
        let password = format!("secret of {}", created["userName"].as_str().unwrap());
        let hash = PasswordHash::new(&hash).unwrap();
        Argon2::default().verify_password(password.as_bytes(), &hash).unwrap();
    }
}

#[tokio::test]
async fn reads_that_come_together_are_proven_by_one_look_and_each_is_told_its_own() {
    let acme = Arc::new(Customer::new().await);
    let mut asked = Vec::new();
    for number in 0..8 {
        let (name, external) = (format!("user{number}'; --"), format!("E{}", number / 2));
        let body = json!({ "userName": name, "externalId": external, "title": "Ärztin" });
        let user = id(&create(&acme, "/Users", body).await);
        if number % 2 == 0 {
            group(&acme, &format!("Group {number}"), &[&user]).await;
        }
        asked.push(format!("/Users/{user}"));
        let of_external = encoded(&format!("externalId eq \"{external}\""));
        asked.push(format!("/Users?filter={}", encoded(&format!("userName eq \"{}\"", name.to_uppercase()))));
        asked.push(format!("/Users?filter={of_external}"));
        asked.push(format!("/Users?count=1&filter={of_external}"));
        asked.push(format!("/Users/{}", Uuid::now_v7()));
        asked.push(format!("/Users?filter={}", encoded(&format!("userName eq \"nobody{number}\""))));
    }
    let ask = |path: &String| {
        let (acme, path) = (Arc::clone(&acme), path.clone());
        tokio::spawn(async move {
            let answer = acme.scim(Method::GET, &path, None).await;
            (answer.status, answer.body)
        })
    };
    let mut alone = Vec::new();
    for path in &asked {
        alone.push(ask(path).await.unwrap());
    }
    assert_eq!(alone[2].1["totalResults"], 2, "an externalId that two have");
    assert_eq!(alone[0].1["groups"][0]["display"], "Group 0");
    let looks = statements(async {
        for (answer, alone) in asked.iter().map(ask).collect::<Vec<_>>().into_iter().zip(alone) {
            assert_eq!(answer.await.unwrap(), alone);
        }
    });
    let looks = looks.await;
    // Eight count the others of their externalId.
    assert!((1..8 + asked.len() / 2).contains(&looks), "{looks} messages for {} requests", asked.len());
}

#[tokio::test]
async fn tenants_who_ask_the_same_at_the_same_time_are_each_told_their_own() {
    let customers = [Arc::new(Customer::new().await), Arc::new(Customer::new().await)];
    let mut asked = Vec::new();
    for number in 0..6 {
        for customer in &customers {
            let user = user(customer, &format!("user{number}")).await;
            asked.push((Arc::clone(customer), number, user));
        }
    }
    let ask = |(customer, number, user): &(Arc<Customer>, usize, String)| {
        let (customer, number, user) = (Arc::clone(customer), *number, user.clone());
        tokio::spawn(async move {
            let found = find(&customer, "/Users", &format!("userName eq \"user{number}\"")).await.document(200);
            assert_eq!(found["Resources"][0]["id"], user);
            assert_eq!(found["totalResults"], 1);
        })
    };
    for answer in asked.iter().cycle().take(60).map(ask).collect::<Vec<_>>() {
        answer.await.unwrap();
    }
}

#[tokio::test]
async fn who_hangs_up_while_others_ask_keeps_nobody_waiting() {
    let acme = Arc::new(Customer::new().await);
    let path = format!("/Users/{}", user(&acme, "ann").await);
    for turns in 0..60 {
        let ask = |_| {
            let (acme, path) = (Arc::clone(&acme), path.clone());
            tokio::spawn(async move { get(&acme, &path).await["userName"] == "ann" })
        };
        let asked: Vec<_> = (0..6).map(ask).collect();
        for _ in 0..turns {
            tokio::task::yield_now().await;
        }
        for (number, request) in asked.into_iter().enumerate() {
            if number % 2 == 0 {
                request.abort();
            } else {
                assert!(request.await.unwrap());
            }
        }
    }
}

/// A look that began before a token was revoked is no proof for who came after.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_token_that_is_revoked_while_it_is_used_opens_nothing_more() {
    let acme = Arc::new(Customer::new().await);
    let path = format!("/Users/{}", user(&acme, "ann").await);
    let (store, now) = (&acme.gateway.app.store, acme.gateway.clock.now());
    for _ in 0..20 {
        let (token_id, token) =
            setup::create_token(store, now, acme.connection, setup::TokenSpec::default()).await.unwrap();
        let ask = |acme: Arc<Customer>, token: String, path: String| async move {
            acme.scim_as(&token, Method::GET, &path, None).await.status
        };
        let clients = (0..8).map(|_| {
            let (acme, token, path) = (Arc::clone(&acme), token.reveal().to_owned(), path.clone());
            tokio::spawn(async move { while ask(Arc::clone(&acme), token.clone(), path.clone()).await == 200 {} })
        });
        let clients: Vec<_> = clients.collect();
        tokio::time::sleep(Duration::from_millis(20)).await;
        setup::revoke_token(store, now, acme.connection, token_id).await.unwrap();
        assert_eq!(ask(Arc::clone(&acme), token.reveal().to_owned(), path.clone()).await, 401);
        for client in clients {
            client.await.unwrap();
        }
    }
}

/// A user who comes while others leave is counted, whoever asks and whenever; deleting a connection leaves no count.
#[tokio::test]
async fn totals_are_exact_while_users_come_and_go() {
    let acme = Arc::new(Customer::new().await);
    acme.lets_everybody_go().await;
    let lives = (0..8).map(|life| {
        let acme = Arc::clone(&acme);
        tokio::spawn(async move {
            for number in 0..12 {
                let user = id(&create(&acme, "/Users", json!({ "userName": format!("u{life}.{number}") })).await);
                if number % 3 == 0 {
                    acme.scim(Method::DELETE, &format!("/Users/{user}"), None).await.document(204);
                }
                check_counts().await;
            }
        })
    });
    for life in lives.collect::<Vec<_>>() {
        life.await.unwrap();
    }
    assert_eq!(get(&acme, "/Users?count=0").await["totalResults"], 64);
    let mut database = superuser().await;
    let rows = "SELECT count(*) FROM account_counts WHERE connection_id = $1";
    let mut left: i64 = 0;
    for number in 0.. {
        let before = left;
        create(&acme, "/Users", json!({ "userName": format!("more{number}") })).await;
        left = sqlx::query_scalar(rows).bind(acme.connection.0).fetch_one(&mut database).await.unwrap();
        if left < before {
            break;
        }
        assert!(number < 2_000, "{left} rows are left to add up");
    }
    check_counts().await;
    let mut tx = database.begin().await.unwrap();
    // The log is written behind the answers, in this order, and would wait for the connection in a circle.
    let lock = "LOCK TABLE scim_token_uses, scim_exchanges IN EXCLUSIVE MODE";
    sqlx::query(lock).execute(&mut *tx).await.unwrap();
    let delete = "DELETE FROM connections WHERE id = $1";
    sqlx::query(delete).bind(acme.connection.0).execute(&mut *tx).await.unwrap();
    let left: i64 = sqlx::query_scalar(rows).bind(acme.connection.0).fetch_one(&mut *tx).await.unwrap();
    assert_eq!(left, 0);
    tx.rollback().await.unwrap();
}

/// Checks that the counts of all connections are right at this moment.
async fn check_counts() {
    let query = "SELECT count(*) FROM (SELECT connection_id, count(*) AS n FROM accounts GROUP BY 1) AS a
                 FULL JOIN (SELECT connection_id, sum(accounts) AS n FROM account_counts GROUP BY 1) AS c
                 USING (connection_id) WHERE coalesce(a.n, 0) <> coalesce(c.n, 0)";
    let mut database = superuser().await;
    let wrong: i64 = sqlx::query_scalar(query).fetch_one(&mut database).await.unwrap();
    database.close().await.unwrap();
    assert_eq!(wrong, 0, "connections with a wrong count");
}

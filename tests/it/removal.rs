//! What becomes of people and connections that go, and what comes back.

mod histories;

use crate::{cli::Operator, saml::modes, scim::assert_says};
use domain::{removal::Fate, seats::SeatPolicy};
use gateway::{
    error::Error,
    invitation_mail,
    oauth::settings::Invitations,
    purge, router,
    saml::settings::Jit,
    setup::{
        self,
        directory::{self, TokenSpec},
        removal,
    },
};
use harness::{
    browser::Browser,
    customer::Customer,
    gateway_process::{Gateway, own_database, superuser_of},
    smtp::MailServer,
};
use reqwest::{Method, StatusCode};
use serde_json::json;
use sqlx::Connection;
use store::scim_tokens::TokenKind;
use time::Duration;

/// A customer on a database of its own: whoever deletes for good deletes everybody's.
struct Place {
    acme: Customer,
    database: String,
}

/// Tables that come back byte for byte.
const TABLES: [&str; 11] = [
    "connections",
    "accounts",
    "account_attributes",
    "account_counts",
    "groups",
    "group_members",
    "scim_tokens",
    "sp_keys",
    "aliases",
    "role_rules",
    "users",
];

impl Place {
    async fn new() -> Self {
        let database = own_database().await;
        let gateway = Gateway::on(&database, gateway::clock::Clock::manual(), |_| {}).await;
        Self { acme: Customer::of(&gateway).await, database }
    }

    async fn rows(&self, sql: &str) -> Vec<String> {
        let mut database = superuser_of(&self.database).await;
        let rows =
            sqlx::query_scalar(sqlx::AssertSqlSafe(sql.to_owned())).bind(self.acme.tenant.0).fetch_all(&mut database);
        let rows = rows.await.unwrap();
        database.close().await.unwrap();
        rows
    }

    async fn told(&self, kind: &str) -> usize {
        self.rows(&format!("SELECT data::text FROM events WHERE tenant_id = $1 AND kind = '{kind}'")).await.len()
    }

    /// Everything that has to come back.
    async fn snapshot(&self) -> Vec<Vec<String>> {
        let mut all = Vec::new();
        for table in TABLES {
            let sql = format!("SELECT row_to_json(t)::text AS row FROM {table} t WHERE tenant_id = $1 ORDER BY 1");
            all.push(self.rows(&sql).await);
        }
        all
    }

    async fn remove(&self, fate: Fate) {
        let (gateway, now) = (&self.acme.gateway, self.acme.gateway.clock.now());
        removal::remove(&gateway.app.store, now, self.acme.connection, fate, None).await.unwrap();
    }

    async fn restore(&self) -> Result<(), Error> {
        let (gateway, now) = (&self.acme.gateway, self.acme.gateway.clock.now());
        removal::restore(&gateway.app.store, now, self.acme.connection).await.map(drop)
    }

    fn passes(&self, time: Duration) {
        self.acme.gateway.clock.advance(time);
    }

    async fn purge(&self) {
        purge::round(&self.acme.gateway.app).await.unwrap();
    }
}

/// Two users, a group with one of them, a rule for the group.
async fn furnished(place: &Place) -> (String, String) {
    let acme = &place.acme;
    let (ann, ben) = (acme.user("ann"), acme.user("ben"));
    let (first, second) = (acme.assign(&ann).await, acme.assign(&ben).await);
    let group = json!({ "displayName": "Sales", "members": [{ "value": first }] });
    acme.scim(Method::POST, "/Groups", Some(group)).await.document(201);
    let out = json!({ "Operations": [{ "op": "replace", "value": { "active": false } }] });
    acme.scim(Method::PATCH, &format!("/Users/{second}"), Some(out)).await.document(200);
    (first, second)
}

#[tokio::test]
async fn a_removed_connection_is_not_there_and_comes_back_as_it_was() {
    let place = Place::new().await;
    let acme = &place.acme;
    let (first, _) = furnished(&place).await;
    let ann = acme.user("ann");
    let spec = TokenSpec { kind: TokenKind::Client, ..TokenSpec::default() };
    let (client, secret) =
        directory::create_token(&acme.gateway.app.store, acme.gateway.clock.now(), acme.connection, spec)
            .await
            .unwrap();
    let asks = async || {
        let (client, secret) = (client.to_string(), secret.reveal().to_owned());
        let form = [("grant_type", "client_credentials"), ("client_id", &client), ("client_secret", &secret)];
        acme.post_form("/oauth2/token", &form).await.status
    };
    assert_eq!(asks().await, 200);
    for fate in Fate::ALL.into_iter().filter(|fate| *fate != Fate::Invite) {
        let browser = Browser::new();
        let tokens = acme.sign_in(&browser, &ann.email).await;
        let sub = tokens.id_claims()["sub"].clone();
        let before = place.snapshot().await;
        let (told_out, told_in) = (place.told("user.deactivated").await, place.told("user.reactivated").await);
        place.remove(fate).await;

        assert!(!acme.is_active(tokens.text("refresh_token")).await, "nobody is in");
        assert!(!acme.knows(&browser).await);
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        for route in router::routes().iter().filter(|route| route.path.contains("{cid}")) {
            let path = route.path.replace("{cid}", &acme.connection.to_string()).replace("{id}", &first);
            let method: Method = route.method.to_uppercase().parse().unwrap();
            let request = http.request(method, format!("{}{path}", acme.gateway.url)).bearer_auth(&acme.token);
            let answer = request.header("content-type", "application/scim+json").body("{}").send().await.unwrap();
            let status = answer.status();
            assert!(status.is_client_error() && status != StatusCode::CONFLICT, "{} {path}: {status}", route.method);
            let text = answer.text().await.unwrap();
            assert!(!text.contains(&ann.user_name) && !text.contains("Sales"), "{path}: {text}");
        }
        assert_eq!(asks().await, 401, "right credentials of nothing");
        let made = directory::create_token(
            &acme.gateway.app.store,
            acme.gateway.clock.now(),
            acme.connection,
            TokenSpec::default(),
        );
        assert!(matches!(made.await, Err(Error::NotFound)));
        let entry = Browser::new().get(&format!("{}/t/{}", acme.gateway.url, acme.slug)).await;
        assert_eq!(entry.status, StatusCode::NOT_FOUND, "{}", entry.shown());
        assert!(matches!(
            removal::preview(&acme.gateway.app.store, acme.gateway.clock.now(), acme.connection, fate, None).await,
            Err(Error::NotFound)
        ));

        place.passes(Duration::days(29));
        place.purge().await;
        place.restore().await.unwrap();
        assert_eq!(place.snapshot().await, before, "{fate:?}");
        let expected = usize::from(fate.takes_out());
        assert_eq!(place.told("user.deactivated").await - told_out, expected, "{fate:?}");
        assert_eq!(place.told("user.reactivated").await - told_in, expected, "{fate:?}");
        // The same token, the same ids, the same person.
        let shown = acme.scim(Method::GET, &format!("/Users/{first}"), None).await.document(200);
        assert_eq!(shown["groups"][0]["display"], "Sales");
        assert_eq!(acme.sign_in(&Browser::new(), &ann.email).await.id_claims()["sub"], sub);
        assert!(matches!(place.restore().await, Err(Error::NotFound)), "once");
    }
    assert_eq!((place.told("connection.removed").await, place.told("connection.restored").await), (3, 3));
}

#[tokio::test]
async fn after_thirty_days_a_removal_is_for_good_and_people_are_kept_or_not() {
    for (fate, kept) in [(Fate::Keep, 2), (Fate::Deactivate, 2), (Fate::Delete, 0)] {
        let place = Place::new().await;
        furnished(&place).await;
        place.remove(fate).await;
        place.passes(Duration::days(30));
        let error = place.restore().await.unwrap_err().to_string();
        assert!(error.contains("30 days"), "{error}");
        place.purge().await;
        let again = place.restore().await;
        assert!(matches!(again, Err(Error::NotFound)), "{again:?}");
        let all = place.snapshot().await;
        let count = |table: &str| all[TABLES.iter().position(|known| *known == table).unwrap()].len();
        for table in
            ["connections", "accounts", "account_attributes", "groups", "group_members", "scim_tokens", "sp_keys"]
        {
            assert_eq!(count(table), 0, "{fate:?}: {table}");
        }
        assert_eq!(count("users"), kept, "{fate:?}");
        assert_eq!(place.told("user.deleted").await, 2 - kept, "{fate:?}");
        assert_eq!(place.told("connection.deleted").await, 1);
    }
}

#[tokio::test]
async fn an_operator_sees_what_would_go_before_it_goes() {
    let acme = Customer::new().await;
    let ann = acme.user("ann");
    acme.assign(&ann).await;
    acme.sign_in(&Browser::new(), &ann.email).await;
    let connection = acme.connection.to_string();
    let run = async |arguments: &[&str]| Operator::new().await.json(&[&["connection"], arguments].concat());
    let would = run(&["remove", &connection, "--users", "keep"]).await;
    assert_says(
        &would,
        &json!({ "is_removed": false, "active": 1, "deactivated": 0, "groups": 0, "sessions_that_end": 1, "scim_tokens": 1,
                 "users_without_another_account": 1, "users": "keep" }),
    );
    acme.scim(Method::GET, "/Users", None).await.document(200);
    run(&["remove", &connection, "--users", "keep", "--yes"]).await;
    assert_eq!(acme.scim(Method::GET, "/Users", None).await.status, 401);
    let listed = run(&["list", "--tenant", &acme.slug, "--removed"]).await;
    assert_says(&listed[0], &json!({ "id": connection, "users": "keep" }));
    assert_eq!(run(&["list", "--tenant", &acme.slug]).await, json!([]));
    let refusal = async |arguments: &[&str]| Operator::new().await.refusal(&[&["connection"], arguments].concat());
    assert!(refusal(&["remove", &connection, "--users", "keep", "--yes"]).await.contains("was removed already"));
    // Its name is free meanwhile; whoever takes it has to give it back.
    let (store, now) = (&acme.gateway.app.store, acme.gateway.clock.now());
    let client = acme.application.client_id.parse().unwrap();
    let other =
        setup::create_connection(store, now, &acme.gateway.app.vault, acme.tenant, client, "Okta").await.unwrap();
    assert!(refusal(&["restore", &connection]).await.contains("is taken"));
    run(&["remove", &other.to_string(), "--users", "delete", "--yes"]).await;
    run(&["restore", &connection]).await;
    acme.scim(Method::GET, "/Users", None).await.document(200);
    assert!(refusal(&["restore", &connection]).await.contains("was not removed"));
}

#[tokio::test]
async fn people_of_a_removed_connection_are_invited_into_another_one() {
    let place = Place::new().await;
    let acme = &place.acme;
    furnished(&place).await;
    let by_mail = |spec: &mut setup::applications::ApplicationSpec| spec.settings.invitations = Invitations::Mail;
    let board = acme.gateway.application("https://board.test/callback", by_mail).await;
    let board = acme.sibling(&board).await;
    let (store, now) = (&acme.gateway.app.store, acme.gateway.clock.now());
    for into in [None, Some(acme.connection), Some(Customer::of(&acme.gateway).await.connection)] {
        assert!(removal::remove(store, now, acme.connection, Fate::Invite, into).await.is_err(), "{into:?}");
    }
    let refused = async || {
        let would = removal::preview(store, now, acme.connection, Fate::Invite, Some(board.connection)).await;
        would.unwrap_err().to_string()
    };
    assert!(refused().await.contains("--jit invited"), "they could not come");
    modes::set(&board, |settings| settings.jit = Jit::Invited).await;
    let door = async |entry| {
        setup::sessions::suspend(store, now, acme.tenant, Some(board.connection), entry).await.unwrap();
    };
    door(setup::sessions::Entry::Suspended).await;
    assert!(refused().await.contains("suspended"));
    door(setup::sessions::Entry::Open).await;
    removal::preview(store, now, acme.connection, Fate::Invite, Some(board.connection)).await.unwrap();
    removal::remove(store, now, acme.connection, Fate::Invite, Some(board.connection)).await.unwrap();
    let invited = place.rows("SELECT email FROM invitations WHERE tenant_id = $1 AND due_at IS NOT NULL").await;
    assert_eq!(invited, [acme.user("ann").email], "who was active");
    assert_eq!(
        (place.told("invitation.created").await, place.told("user.deactivated").await),
        (1, 1),
        "ben's was before"
    );
    // Nobody is mailed for a connection that is not there.
    removal::remove(store, now, board.connection, Fate::Keep, None).await.unwrap();
    let server = MailServer::start().await;
    let mail = server.sender();
    invitation_mail::round(&acme.gateway.app, &mail).await.unwrap();
    assert_eq!(server.all().len(), 0);
    removal::restore(store, now, board.connection).await.unwrap();
    place.passes(Duration::hours(1));
    invitation_mail::round(&acme.gateway.app, &mail).await.unwrap();
    let mails = server.all();
    assert_eq!(mails.len(), 1);
    // The link works.
    let ann = board.user("ann");
    board.idp.add_user(ann.clone());
    let code = mails[0].link().rsplit('/').next().unwrap().to_owned();
    let browser = Browser::new();
    let page = browser.send(|http| http.post(format!("{}/invite/{code}", acme.gateway.url))).await;
    let posted = board.idp.sign_in(page.redirect(), &ann.email).await.unwrap();
    let page = board.post_response(&browser, &posted.saml_response).await;
    let page = browser.get(page.redirect()).await;
    assert!(page.status.is_redirection() || page.shown().contains("You are signed in"), "{}", page.shown());
}

#[tokio::test]
async fn seats_of_a_removed_connection_are_free() {
    let place = Place::new().await;
    let acme = &place.acme;
    furnished(&place).await;
    let sibling = acme.sibling(&acme.application).await;
    let application = acme.application.client_id.parse().unwrap();
    let (store, clock) = (&acme.gateway.app.store, &acme.gateway.clock);
    setup::seats::set(store, clock.now(), acme.tenant, application, (1, &SeatPolicy::Park)).await.unwrap();
    let eve = sibling.user("eve");
    sibling.assign(&eve).await;
    let parked = "SELECT id::text FROM accounts WHERE tenant_id = $1 AND parked = 'seat'";
    assert_eq!(place.rows(parked).await.len(), 1);
    place.remove(Fate::Keep).await;
    assert_eq!(place.rows(parked).await.len(), 0, "the seat is hers");
    place.restore().await.unwrap();
    let taken = place.rows("SELECT taken::text FROM seats WHERE tenant_id = $1").await;
    assert_eq!(taken, ["2"], "nobody who is in goes out");
}

#[tokio::test]
async fn who_is_out_is_deleted_by_rule_or_by_hand() {
    let place = Place::new().await;
    let acme = &place.acme;
    let (first, second) = furnished(&place).await;
    let (store, clock) = (&acme.gateway.app.store, &acme.gateway.clock);
    let is_there = async |id: &str| acme.scim(Method::GET, &format!("/Users/{id}"), None).await.status == 200;
    place.passes(Duration::days(400));
    place.purge().await;
    assert!(is_there(&second).await, "nobody wants that");
    let after = |days| move |wishes: &mut store::tenants::Wishes| wishes.delete_after_days = Some(days);
    setup::people::wish(store, clock.now(), acme.tenant, after(401)).await.unwrap();
    place.purge().await;
    assert!(is_there(&second).await);
    place.passes(Duration::days(1));
    place.purge().await;
    assert!(is_there(&first).await && !is_there(&second).await);
    let told = place.rows("SELECT data::text FROM events WHERE tenant_id = $1 AND kind = 'user.deleted'").await;
    assert!(told.len() == 1 && told[0].contains("\"retention\""), "{told:?}");

    // By hand, and not while an account is active; who comes back begins anew.
    let user = place.rows("SELECT id::text FROM users WHERE tenant_id = $1").await.remove(0).parse().unwrap();
    let delete = async || setup::people::delete(store, clock.now(), acme.tenant, user).await;
    assert!(delete().await.unwrap_err().to_string().contains("unassigned"));
    let turn = async |active: bool| {
        let body = json!({ "Operations": [{ "op": "replace", "value": { "active": active } }] });
        acme.scim(Method::PATCH, &format!("/Users/{first}"), Some(body)).await.document(200);
    };
    turn(false).await;
    place.passes(Duration::days(400));
    turn(true).await;
    turn(false).await;
    place.purge().await;
    assert!(is_there(&first).await, "the days begin when somebody goes");
    // An account that nobody sees keeps the user.
    let hidden = acme.sibling(&acme.application).await;
    hidden.assign(&hidden.user("ann")).await;
    removal::remove(store, clock.now(), hidden.connection, Fate::Keep, None).await.unwrap();
    assert!(delete().await.unwrap_err().to_string().contains("removed connection"));
    place.passes(Duration::days(30));
    place.purge().await;
    delete().await.unwrap();
    assert_eq!(place.rows("SELECT id::text FROM users WHERE tenant_id = $1").await, Vec::<String>::new());
    assert!(matches!(delete().await, Err(Error::NotFound)));
}

//! The operations port, and a process that starts, stops and is cut off.

use gateway::{cleaner, clock::Clock, operations};
use harness::{
    browser::Browser,
    customer::Customer,
    gateway_process::{Gateway, own_database, superuser_of},
};
use sqlx::AssertSqlSafe;
use time::Duration;

pub(crate) async fn get(gateway: &Gateway, path: &str) -> (u16, String) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}{path}", listener.local_addr().unwrap());
    let router = operations::router(gateway.app.clone());
    let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    let response = reqwest::get(url).await.unwrap();
    let answer = (response.status().as_u16(), response.text().await.unwrap());
    server.abort();
    answer
}

#[tokio::test]
async fn a_gateway_tells_that_it_lives_is_ready_and_what_it_measures() {
    gateway::telemetry::metrics().unwrap();
    let acme = Customer::new().await;
    assert_eq!(get(&acme.gateway, "/livez").await, (200, "alive\n".to_owned()));
    assert_eq!(get(&acme.gateway, "/readyz").await, (200, "ready\n".to_owned()));
    acme.scim(reqwest::Method::GET, "/Users?filter=userName eq \"canary@acme.test\"", None).await;
    let (status, text) = get(&acme.gateway, "/metrics").await;
    assert_eq!(status, 200);
    assert!(text.contains("gatehouse_http_request_duration_seconds"), "{text}");
    assert!(text.contains("route=\"/c/{cid}/scim/v2/Users\""), "routes, not paths: {text}");
    assert!(
        !text.contains("canary") && !text.contains(&acme.connection.to_string()),
        "no person and no tenant: {text}"
    );
}

#[tokio::test]
async fn a_gateway_without_its_database_lives_but_is_not_ready() {
    let gateway = Gateway::start().await;
    gateway.app.store.close().await;
    assert_eq!(get(&gateway, "/livez").await.0, 200);
    assert_eq!(get(&gateway, "/readyz").await, (503, "not ready: the database cannot be reached\n".to_owned()));
    let page = Browser::new().get(&format!("{}/t/acme", gateway.url)).await;
    assert_eq!((page.status.as_u16(), page.code()), (503, Some("GH-SYS-001")));
}

#[tokio::test]
async fn each_answer_carries_the_request_id_that_came_or_a_new_one() {
    let gateway = Gateway::start().await;
    let http = reqwest::Client::new();
    let id = async |sent: Option<&str>| {
        let mut request = http.get(&gateway.url);
        if let Some(sent) = sent {
            request = request.header("x-request-id", sent);
        }
        let response = request.send().await.unwrap();
        response.headers()["x-request-id"].to_str().unwrap().to_owned()
    };
    assert_eq!(id(Some("abcdef-0123456789")).await, "abcdef-0123456789");
    assert_ne!(id(Some("\"quoted\", and long")).await, "\"quoted\", and long");
    assert_ne!(id(None).await, id(None).await);
}

#[tokio::test]
async fn clean_up_removes_what_has_run_out_and_nothing_else() {
    // Everybody's is removed, so not where others test.
    let database = own_database().await;
    let acme = Customer::of(&Gateway::on(&database, Clock::manual(), |_| {}).await).await;
    let ann = acme.user("ann");
    acme.assign(&ann).await;
    let tokens = acme.sign_in(&Browser::new(), &ann.email).await;
    let waiting = Browser::new();
    let posted = acme.to_idp(&waiting, &ann.email).await;
    let now = acme.gateway.clock.now();
    for days in [89, 91] {
        let insert =
            "INSERT INTO invitations (tenant_id, id, connection_id, email, email_key, step, step_at, created_at)
                      VALUES ($1, gen_random_uuid(), $2, '', '', 'accepted', $3, $3)";
        let insert = sqlx::query(insert).bind(acme.tenant.0).bind(acme.connection.0).bind(now - Duration::days(days));
        insert.execute(&mut superuser_of(&database).await).await.unwrap();
    }
    cleaner::clean(&acme.gateway.app).await.unwrap();
    let left =
        sqlx::query_scalar::<_, i64>("SELECT count(*) FROM invitations WHERE tenant_id = $1").bind(acme.tenant.0);
    assert_eq!(
        left.fetch_one(&mut superuser_of(&database).await).await.unwrap(),
        1,
        "an invitation of 90 days ago goes"
    );
    assert!(acme.is_active(tokens.text("access_token")).await, "a live session stays");
    acme.finish(&waiting, &posted.saml_response).await;

    // More than goes with a session at once.
    let grown = "INSERT INTO refresh_tokens (tenant_id, token_hash, grant_id, created_at)
        SELECT g.tenant_id, sha256(n::text::bytea), g.id, g.created_at
        FROM (SELECT * FROM grants LIMIT 1) AS g, generate_series(1, 6000) AS n";
    sqlx::query(grown).execute(&mut superuser_of(&database).await).await.unwrap();
    acme.gateway.clock.advance(Duration::days(2));
    // What cannot go keeps nothing else.
    let mut database = superuser_of(&database).await;
    sqlx::query("REVOKE DELETE ON sign_in_requests FROM gate_control").execute(&mut database).await.unwrap();
    cleaner::clean(&acme.gateway.app).await.unwrap_err();
    for table in ["sessions", "grants", "refresh_tokens"] {
        let left = sqlx::query_scalar::<_, i64>(AssertSqlSafe(format!("SELECT count(*) FROM {table}")));
        assert_eq!(left.fetch_one(&mut database).await.unwrap(), 0, "{table}");
    }
    sqlx::query("GRANT DELETE ON sign_in_requests TO gate_control").execute(&mut database).await.unwrap();
    assert!(cleaner::clean(&acme.gateway.app).await.unwrap() >= 2, "requests and assertions of two days ago");
    let page = acme.post_response(&waiting, &posted.saml_response).await;
    assert_eq!(page.status.as_u16(), 403, "what was forgotten is refused for its age");
    assert_eq!(acme.refresh(tokens.text("refresh_token")).await.status.as_u16(), 400);
}

//! An upgrade keeps what was there: rows of each older schema go through the newer migrations and `gatehouse migrate`.

use crate::cli::program;
use gateway::clock::Clock;
use harness::{
    customer::until_waiting,
    gateway_process::{Gateway, in_database, superuser, superuser_of, unique},
    sign_in::claims,
};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, PgConnection, migrate::Migrator};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// A database of its own, migrated up to `version`, with the rows that a production of that version has.
async fn production(version: &str) -> String {
    let name = unique("upgrade").replace('-', "_");
    let mut server = superuser().await;
    sqlx::query(AssertSqlSafe(format!("CREATE DATABASE {name} OWNER gate_owner"))).execute(&mut server).await.unwrap();
    let folder = std::env::temp_dir().join(&name);
    fs::create_dir(&folder).unwrap();
    for entry in fs::read_dir(root().join("migrations")).unwrap() {
        let path = entry.unwrap().path();
        let file = path.file_name().unwrap().to_str().unwrap();
        if file[..4] <= *version {
            fs::copy(&path, folder.join(file)).unwrap();
        }
    }
    let mut owner = PgConnection::connect(&in_database("GATEHOUSE__DATABASE__OWNER_URL", &name)).await.unwrap();
    Migrator::new(folder.as_path()).await.unwrap().run(&mut owner).await.unwrap();
    fs::remove_dir_all(folder).unwrap();
    let rows = fs::read_to_string(root().join(format!("tests/migrations/{version}.sql"))).unwrap();
    sqlx::raw_sql(AssertSqlSafe(rows)).execute(&mut owner).await.unwrap();
    owner.close().await.unwrap();
    name
}

/// What `gatehouse migrate` prints.
fn migrate(name: &str) -> String {
    let output = Command::new(program())
        .env_clear()
        .env("GATEHOUSE__DATABASE__OWNER_URL", in_database("GATEHOUSE__DATABASE__OWNER_URL", name))
        .arg("migrate")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Also what processes of the older version write while they run on the newer schema.
#[tokio::test]
async fn connections_from_before_keys_followed_each_other_sign_as_before() {
    let name = production("0002").await;
    migrate(&name);
    let mut database = PgConnection::connect(&in_database("GATEHOUSE_TEST_SUPERUSER_URL", &name)).await.unwrap();
    let as_before = "INSERT INTO sp_keys (tenant_id, id, connection_id, root_key_id, sealed, certificate, created_at)
        SELECT tenant_id, gen_random_uuid(), connection_id, root_key_id, sealed, certificate, created_at FROM sp_keys";
    sqlx::query(as_before).execute(&mut database).await.unwrap();
    let keys =
        "SELECT count(*) FROM sp_keys WHERE algorithm = 'rsa' AND signs AND signs_from IS NULL AND ends_at IS NULL";
    assert_eq!(sqlx::query_scalar::<_, i64>(keys).fetch_one(&mut database).await.unwrap(), 2);
    let rest = "SELECT c.idp_sso_binding || ' ' || c.sign_in_settings::text || ' ' || s.attributes::text || ' ' || count(r.*)::text
        FROM connections c JOIN sessions s ON s.connection_id = c.id
        JOIN sign_in_requests r ON r.connection_id = c.id AND r.browser_hash IS NOT NULL GROUP BY c.idp_sso_binding, c.sign_in_settings, s.attributes";
    let rest: String = sqlx::query_scalar(rest).fetch_one(&mut database).await.unwrap();
    assert_eq!(rest, "redirect {} {} 1");
    database.close().await.unwrap();
    let mut server = superuser().await;
    sqlx::query(AssertSqlSafe(format!("DROP DATABASE {name} WITH (FORCE)"))).execute(&mut server).await.unwrap();
}

#[tokio::test]
async fn users_from_before_the_index_are_found_by_filters_after_the_upgrade() {
    let name = production("0001").await;
    let told = migrate(&name);
    assert!(told.contains("Indexed 3 user(s) for SCIM's filters.\nThe database is up to date"), "{told}");
    assert!(!migrate(&name).contains("Indexed"), "a second time there is nothing to do");

    let mut database = PgConnection::connect(&in_database("GATEHOUSE_TEST_SUPERUSER_URL", &name)).await.unwrap();
    let rows = "SELECT concat_ws(' ', right(account_id::text, 2), path, item, value_key, type_key, is_primary)
                FROM account_attributes ORDER BY account_id, path, item";
    let rows: Vec<String> = sqlx::query_scalar(rows).fetch_all(&mut database).await.unwrap();
    assert_eq!(
        rows,
        [
            "e1 emails 0 ann@acme.example work t",
            "e1 emails 1 ann@home.example home",
            "e1 name.familyname 0 αρχησ",
            "e1 name.givenname 0 ann",
            "e3 displayname 0 νίκοσ",
            "e3 urn:ietf:params:scim:schemas:extension:enterprise:2.0:user:department 0 sales",
        ]
    );
    let kept =
        "SELECT count(*) FROM group_members JOIN scim_tokens USING (tenant_id) WHERE kind = 'token' AND NOT read_only";
    assert_eq!(sqlx::query_scalar::<_, i64>(kept).fetch_one(&mut database).await.unwrap(), 1);
    let counted = "SELECT coalesce(sum(accounts), 0)::bigint = (SELECT count(*) FROM accounts) FROM account_counts";
    assert!(sqlx::query_scalar::<_, bool>(counted).fetch_one(&mut database).await.unwrap());
    database.close().await.unwrap();
    let mut server = superuser().await;
    sqlx::query(AssertSqlSafe(format!("DROP DATABASE {name} WITH (FORCE)"))).execute(&mut server).await.unwrap();
}

/// Also what processes of the older version write while they run on the newer schema.
#[tokio::test]
async fn domains_stay_vouched_for_and_accounts_that_wait_go_on_waiting() {
    let name = production("0004").await;
    migrate(&name);
    let mut database = PgConnection::connect(&in_database("GATEHOUSE_TEST_SUPERUSER_URL", &name)).await.unwrap();
    let as_before = "INSERT INTO domains (tenant_id, domain, verified_at) SELECT tenant_id, 'more.example', verified_at FROM domains";
    sqlx::query(as_before).execute(&mut database).await.unwrap();
    let kept = "SELECT string_agg(concat_ws(' ', d.domain, d.proof, d.due_at), ', ' ORDER BY d.domain) || '; ' || a.parked || ' '
            || (a.waits_since IS NULL)::text || ' ' || c.answers::text
        FROM domains d JOIN accounts a USING (tenant_id) JOIN user_changes c USING (tenant_id) GROUP BY a.parked, a.waits_since, c.answers";
    let kept: String = sqlx::query_scalar(kept).fetch_one(&mut database).await.unwrap();
    assert_eq!(kept, "acme.example operator, more.example operator; link true false");
    database.close().await.unwrap();
    let mut server = superuser().await;
    sqlx::query(AssertSqlSafe(format!("DROP DATABASE {name} WITH (FORCE)"))).execute(&mut server).await.unwrap();
}

/// Who is signed in stays signed in, with the tokens from before; and what older processes write meanwhile is understood.
#[tokio::test]
async fn sessions_and_tokens_from_before_the_provider_was_whole_go_on() {
    const REFRESH: &str = "ghref_AZmgAAAAcACAAAAAAAAAAQcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH";
    let name = production("0007").await;
    migrate(&name);
    let gateway = Gateway::on(&name, Clock::System, |_| {}).await;
    let client = "0199a000-0000-7000-8000-00000000000a";
    let form = [("grant_type", "refresh_token"), ("refresh_token", REFRESH)];
    let request = reqwest::Client::new().post(format!("{}/oauth2/token", gateway.url)).form(&form);
    let answer: Value =
        request.basic_auth(client, Some("the secret of board")).send().await.unwrap().json().await.unwrap();
    let said = claims(answer["id_token"].as_str().unwrap_or_else(|| panic!("{answer}")));
    assert_eq!((&said["sub"], &said["aud"]), (&json!("0199a000-0000-7000-8000-0000000000d1"), &json!(client)));
    let cookie = "gatehouse_session_0199a0000000700080000000000000c1=the-cookie-of-ann";
    let query = "response_type=code&redirect_uri=https%3A%2F%2Fapp.example.com%2Fcallback&scope=openid&prompt=none\
                 &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256&tenant=acme";
    let url = format!("{}/oauth2/authorize?client_id={client}&{query}", gateway.url);
    let browser = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let page = browser.get(url).header("cookie", cookie).send().await.unwrap();
    assert!(page.headers()["location"].to_str().unwrap().contains("code="), "{:?}", page.headers());

    let mut database = superuser_of(&name).await;
    let as_before = "INSERT INTO sessions (tenant_id, id, token_hash, connection_id, account_id, user_id, name_id, auth_time, created_at, expires_at)
        SELECT tenant_id, gen_random_uuid(), sha256(token_hash), connection_id, account_id, user_id, name_id, auth_time, created_at, expires_at
        FROM sessions";
    sqlx::query(as_before).execute(&mut database).await.unwrap();
    let idle = "SELECT count(*) FROM sessions WHERE idle_until > now() + interval '1 year' AND NOT by_password";
    assert_eq!(sqlx::query_scalar::<_, i64>(idle).fetch_one(&mut database).await.unwrap(), 2);
    database.close().await.unwrap();
    gateway.app.store.close().await;
    let mut server = superuser().await;
    sqlx::query(AssertSqlSafe(format!("DROP DATABASE {name} WITH (FORCE)"))).execute(&mut server).await.unwrap();
}

/// A backup reads for long. The migration waits for it, and everybody else goes on meanwhile.
#[tokio::test]
async fn a_migration_keeps_nobody_waiting() {
    let name = production("0007").await;
    let (mut backup, mut other) = (superuser_of(&name).await, superuser_of(&name).await);
    let mut reading = backup.begin().await.unwrap();
    sqlx::query("LOCK TABLE applications IN ACCESS SHARE MODE").execute(&mut *reading).await.unwrap();
    let migrating = tokio::task::spawn_blocking({
        let name = name.clone();
        move || migrate(&name)
    });
    until_waiting(&mut reading, 1).await;
    // Behind what waits for the table this waits too, but not for long.
    let count = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM applications");
    assert_eq!(count.fetch_one(&mut other).await.unwrap(), 1);
    assert!(!migrating.is_finished());
    reading.commit().await.unwrap();
    assert!(migrating.await.unwrap().contains("The database is up to date"));
    other.close().await.unwrap();
    backup.close().await.unwrap();
    let mut server = superuser().await;
    sqlx::query(AssertSqlSafe(format!("DROP DATABASE {name} WITH (FORCE)"))).execute(&mut server).await.unwrap();
}

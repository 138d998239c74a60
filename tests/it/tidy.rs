//! The invariants of the house that no compiler checks.

use harness::{browser::Browser, customer::Customer, gateway_process::superuser};
use simulator::{
    client::Member,
    okta::{Okta, Style},
};
use sqlx::{PgConnection, Row};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

const PRODUCT: [&str; 6] = ["domain", "saml", "scim", "oidc", "store", "gateway"];

fn root() -> PathBuf {
    // Without the `tests/..` in it, which would make every file look like a test.
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn sources(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
}

fn sources_of(member: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    sources(&root().join("crates").join(member).join("src"), &mut files);
    files
}

fn is_test(path: &Path) -> bool {
    path.iter().any(|part| part == "tests") || path.file_name().is_some_and(|name| name == "tests.rs")
}

/// The packages that a crate pulls in for real, by name.
fn pulled_in(package: &str) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--offline", "-e", "normal", "--prefix", "none", "-f", "{p}", "-p", package])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

/// The dependencies that a crate's own manifest names.
fn named(package: &str) -> BTreeSet<String> {
    let text = fs::read_to_string(root().join("crates").join(package).join("Cargo.toml")).unwrap();
    let manifest: toml::Table = text.parse().unwrap();
    manifest["dependencies"].as_table().unwrap().keys().cloned().collect()
}

#[test]
fn protocols_and_rules_pull_in_no_runtime_database_or_web_server() {
    for package in ["domain", "scim", "saml", "oidc"] {
        for banned in ["tokio", "sqlx", "axum"] {
            assert!(!pulled_in(package).contains(banned), "{package} pulls in {banned}");
        }
    }
    assert!(pulled_in("store").contains("tokio"), "the check sees what is there");
}

#[test]
fn each_foreign_word_is_spoken_in_one_crate() {
    let homes = [("sqlx", "store"), ("samael", "saml"), ("axum", "gateway"), ("jsonwebtoken", "oidc")];
    for (word, home) in homes {
        for package in PRODUCT {
            assert_eq!(named(package).contains(word), package == home, "{package} and {word}");
        }
    }
    for package in PRODUCT {
        let speaks = named(package).iter().any(|name| name.starts_with("bergshamra"));
        assert_eq!(speaks, package == "saml", "{package} and bergshamra");
    }
}

#[test]
fn arrows_point_one_way() {
    let allowed: [(&str, &[&str]); 6] = [
        ("domain", &[]),
        ("saml", &[]),
        ("scim", &[]),
        ("oidc", &[]),
        ("store", &["domain"]),
        ("gateway", &["domain", "saml", "scim", "oidc", "store"]),
    ];
    let ours: BTreeSet<&str> = PRODUCT.into_iter().chain(["simulator"]).collect();
    for (package, may) in allowed {
        for name in named(package).iter().filter(|name| ours.contains(name.as_str())) {
            assert!(may.contains(&name.as_str()), "{package} points to {name}");
        }
    }
    assert!(named("simulator").iter().all(|name| !ours.contains(name.as_str())), "the simulator shares no code");
}

#[test]
fn the_store_gives_out_no_pool_and_no_connection() {
    for path in sources_of("store") {
        let text = fs::read_to_string(&path).unwrap();
        let public = text.lines().filter(|line| line.trim_start().starts_with("pub "));
        for line in public {
            let gives = ["Pool", "Kept", "PgConnection", "Transaction<"].iter().any(|name| line.contains(name));
            assert!(!gives, "{}: {line}", path.display());
        }
    }
}

#[test]
fn no_statement_asks_the_database_for_the_time() {
    let mut files = sources_of("store");
    files.extend(fs::read_dir(root().join("migrations")).unwrap().map(|entry| entry.unwrap().path()));
    for path in files {
        let text = fs::read_to_string(&path).unwrap().to_lowercase();
        for word in ["now() ", "now(),", "current_timestamp", "clock_timestamp", "statement_timestamp", "current_date"]
        {
            let found = text
                .lines()
                .map(|line| line.replace("instant::now()", ""))
                .find(|line| line.contains(word) && !line.contains("tx.now()") && !line.contains("fn "));
            assert_eq!(found, None, "{} asks with {word}", path.display());
        }
    }
}

#[test]
fn files_and_functions_are_short_and_unwrap_is_for_tests() {
    let mut looked_at = 0;
    for package in PRODUCT.into_iter().chain(["simulator"]) {
        for path in sources_of(package).into_iter().filter(|path| !is_test(path)) {
            looked_at += 1;
            let text = fs::read_to_string(&path).unwrap();
            assert!(text.lines().count() <= 500, "{} has {} lines", path.display(), text.lines().count());
            assert!(text.starts_with("//!"), "{} does not say what it is for", path.display());
            let product = text.split("#[cfg(test)]").next().unwrap();
            assert!(!product.contains(".unwrap()"), "{} unwraps", path.display());
            assert_short_functions(&path, product);
        }
    }
    assert!(looked_at > 100, "only {looked_at} files were looked at");
}

/// Functions as rustfmt lays them out: from `fn` to the closing brace at the same depth.
fn assert_short_functions(path: &Path, text: &str) {
    let lines: Vec<&str> = text.lines().collect();
    for (start, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        let is_function = ["fn ", "pub fn ", "pub async fn ", "async fn ", "pub(super) fn ", "pub(crate) fn "]
            .iter()
            .any(|opening| code.starts_with(opening));
        if !is_function || code.ends_with(';') {
            continue;
        }
        let closing = format!("{}}}", &line[..line.len() - code.len()]);
        let end = lines[start..].iter().position(|line| *line == closing).unwrap_or(0);
        assert!(end <= 80, "{}:{} has {end} lines", path.display(), start + 1);
    }
}

#[test]
fn every_crate_forbids_unsafe_code() {
    for package in PRODUCT.into_iter().chain(["simulator"]) {
        let manifest = fs::read_to_string(root().join("crates").join(package).join("Cargo.toml")).unwrap();
        assert!(manifest.contains("[lints]\nworkspace = true"), "{package} follows the workspace's lints");
    }
    let workspace: toml::Table = fs::read_to_string(root().join("Cargo.toml")).unwrap().parse().unwrap();
    assert_eq!(workspace["workspace"]["lints"]["rust"]["unsafe_code"].as_str(), Some("forbid"));
}

#[test]
fn the_lock_file_names_no_other_registry() {
    let lock = fs::read_to_string(root().join("Cargo.lock")).unwrap();
    let foreign = lock.lines().find(|line| {
        line.starts_with("source = ") && *line != "source = \"registry+https://github.com/rust-lang/crates.io-index\""
    });
    assert_eq!(foreign, None);
}

/// Rows of these tables never change without an event of the same transaction.
const WITNESSED: [&str; 7] = ["users", "accounts", "groups", "sessions", "connections", "tenants", "scim_tokens"];

async fn unwitnessed(database: &mut PgConnection, table: &str, tenant: uuid::Uuid) -> i64 {
    let tenant_column = if table == "tenants" { "id" } else { "tenant_id" };
    let sql = format!(
        "SELECT count(*) FROM {table} t WHERE {tenant_column} = $1
         AND NOT EXISTS (SELECT FROM events e WHERE e.tenant_id = $1 AND e.xmin = t.xmin)"
    );
    sqlx::query(sqlx::AssertSqlSafe(sql)).bind(tenant).fetch_one(database).await.unwrap().get(0)
}

#[tokio::test]
async fn every_change_has_an_event_in_its_own_transaction() {
    let acme = Customer::new().await;
    let mut okta: Okta = acme.okta(Style::Custom);
    let mut ann = acme.user("ann");
    ann.remote_id = Some(acme.assign(&ann).await);
    let browser = Browser::new();
    acme.sign_in(&browser, &ann.email).await;
    acme.sign_in(&Browser::new(), &ann.email).await;
    let member = Member { id: ann.remote_id.clone().unwrap(), display: ann.email.clone() };
    okta.push_group("Engineers", std::slice::from_ref(&member)).await.unwrap();
    ann.set("firstName", "Anna");
    okta.update_user(&ann).await.unwrap();
    okta.deactivate(&ann).await.unwrap();
    okta.reactivate(&ann).await.unwrap();
    let bob = acme.user("bob");
    let bob = acme.assign(&bob).await;
    acme.scim(reqwest::Method::DELETE, &format!("/Users/{bob}"), None).await;

    let mut database = superuser().await;
    for table in WITNESSED {
        assert_eq!(unwitnessed(&mut database, table, acme.tenant.0).await, 0, "{table} changed without an event");
    }
    // The check can fail: a change by hand has no event.
    sqlx::query("UPDATE users SET display_name = 'by hand' WHERE tenant_id = $1")
        .bind(acme.tenant.0)
        .execute(&mut database)
        .await
        .unwrap();
    assert_eq!(unwitnessed(&mut database, "users", acme.tenant.0).await, 1);
}

#[tokio::test]
async fn no_secret_is_stored_readable() {
    let acme = Customer::new().await;
    let ann = acme.user("ann");
    acme.assign(&ann).await;
    let browser = Browser::new();
    let code = acme.sign_in_for_code(&browser, &ann.email).await;
    let tokens = acme.redeem(&code).await;
    let mut database = superuser().await;
    let secrets = [
        acme.token.as_str(),
        acme.application.client_secret.as_deref().unwrap(),
        &code,
        tokens.text("refresh_token"),
        tokens.text("access_token"),
        "PRIVATE KEY",
    ];
    for table in tables(&mut database).await {
        // Of other tenants there is much, and none of these secrets.
        let own = if has_tenant(&mut database, &table).await {
            format!("tenant_id = '{}' AND", acme.tenant)
        } else {
            String::new()
        };
        let sql = format!("SELECT count(*) FROM {table} t WHERE {own} position($1 IN t::text) > 0");
        let sql_bytes =
            format!("SELECT count(*) FROM {table} t WHERE {own} position(encode($1::bytea, 'hex') IN t::text) > 0");
        for secret in secrets {
            let plain: i64 = count(&mut database, &sql, secret.to_owned()).await;
            assert_eq!(plain, 0, "{table} holds a secret readable");
            let bytes: i64 = count(&mut database, &sql_bytes, secret.as_bytes().to_vec()).await;
            assert_eq!(bytes, 0, "{table} holds a secret as bytes");
        }
    }
    let slug = acme.slug.clone();
    let found = count(&mut database, "SELECT count(*) FROM tenants t WHERE position($1 IN t::text) > 0", slug).await;
    assert_eq!(found, 1, "the search finds what is there");
}

async fn count<'q, T>(database: &mut PgConnection, sql: &str, value: T) -> i64
where
    T: 'q + sqlx::Encode<'q, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
{
    sqlx::query(sqlx::AssertSqlSafe(sql.to_owned())).bind(value).fetch_one(database).await.unwrap().get(0)
}

async fn has_tenant(database: &mut PgConnection, table: &str) -> bool {
    let columns = "SELECT count(*) FROM information_schema.columns WHERE table_schema = 'public' AND table_name = $1
                     AND column_name = 'tenant_id'";
    count(database, columns, table.to_owned()).await > 0
}

async fn tables(database: &mut PgConnection) -> Vec<String> {
    sqlx::query("SELECT table_name::text FROM information_schema.tables WHERE table_schema = 'public' ORDER BY 1")
        .fetch_all(database)
        .await
        .unwrap()
        .iter()
        .map(|row| row.get(0))
        .collect()
}

/// Whatever ends a session, applications are told of it and it is counted: by one piece.
#[test]
fn sessions_end_in_one_place() {
    let ends = |path: &PathBuf| fs::read_to_string(path).unwrap().contains("sessions::end(");
    let places: Vec<PathBuf> = sources_of("gateway").into_iter().filter(ends).collect();
    assert!(places.len() == 1 && places[0].ends_with("src/revocation.rs"), "{places:?}");
    let ended = |path: &PathBuf| fs::read_to_string(path).unwrap().contains("SET ended_at");
    let places: Vec<PathBuf> = sources_of("store").into_iter().filter(ended).collect();
    assert!(places.len() == 1 && places[0].ends_with("src/sessions.rs"), "{places:?}");
}

/// What docs/PARITY.md says is shown by a test is.
#[test]
fn every_test_that_the_list_of_promises_names_is_there() {
    let list = fs::read_to_string(root().join("docs/PARITY.md")).unwrap();
    let named: Vec<(&str, &str)> =
        list.split('`').filter_map(|text| text.split_once(": ")).filter(|(path, _)| path.ends_with(".rs")).collect();
    assert!(named.len() > 50, "{}", named.len());
    for (path, test) in named {
        let text = fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
        // Recorded ones stand in a list.
        let is_there = [format!("fn {test}("), format!("\n    {test}: \"")].iter().any(|form| text.contains(form));
        assert!(is_there, "{path} has no {test}");
    }
}

//! Transactions: whatever happens to a request, no connection goes back to the pool inside a tenant.

use domain::ids::{AccountId, ConnectionId, TenantId};
use gateway::secret;
use harness::{
    customer::{Customer, superuser},
    gateway_process::{migrated, setting},
};
use std::{future::poll_fn, task::Poll, time::Duration};
use store::{
    ahead::Glance,
    connections, control,
    error::Error,
    scim_tokens,
    scope::{Actor, Scope},
    search::{self, Search, Start},
    store::{Store, StoreConfig},
    tenants,
};
use time::OffsetDateTime;
use tokio::task::yield_now;
use uuid::Uuid;

async fn store(connections: u32) -> Store {
    migrated().await;
    Store::new(&StoreConfig {
        url: &setting("GATEHOUSE__DATABASE__URL"),
        control_url: &setting("GATEHOUSE__DATABASE__CONTROL_URL"),
        max_connections: connections,
        acquire_timeout: Duration::from_secs(30),
    })
    .unwrap()
}

fn scope(tenant: TenantId) -> Scope {
    Scope { tenant, actor: Actor::Operator, now: OffsetDateTime::now_utc() }
}

async fn new_tenant(store: &Store) -> (TenantId, String) {
    let (id, slug) = (TenantId(Uuid::now_v7()), harness::gateway_process::unique("tx"));
    let mut tx = store.tenant(scope(id)).await.unwrap();
    tenants::insert(&mut tx, &slug, "Canary").await.unwrap();
    tx.commit().await.unwrap();
    (id, slug)
}

/// Polls work that many times and drops it then; answers whether it was done.
async fn polled(work: impl Future<Output = ()>, times: u32) -> bool {
    let mut work = Box::pin(work);
    let mut left = times;
    poll_fn(|context| {
        left = left.saturating_sub(1);
        match work.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(true),
            Poll::Pending if left == 0 => Poll::Ready(false),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

#[tokio::test]
async fn a_request_dropped_at_any_moment_leaves_no_tenant_behind() {
    // One connection: the next borrower gets exactly the one that was dropped.
    let store = store(1).await;
    let (first, _) = new_tenant(&store).await;
    let (second, second_slug) = new_tenant(&store).await;
    let mut dropped = 0;
    for round in 0..600_u32 {
        let work = async {
            // An answer may be there at the first look; then the pauses are where it is dropped.
            let mut tx = store.tenant(scope(first)).await.unwrap();
            yield_now().await;
            tenants::current(&mut tx).await.unwrap();
            yield_now().await;
            tenants::insert(&mut tx, &format!("never-{round}"), "left behind").await.unwrap_err();
            yield_now().await;
            tx.commit().await.unwrap_err();
        };
        dropped += u32::from(!polled(work, round % 6).await);
        let mut tx = store.tenant(scope(second)).await.unwrap();
        let seen = tenants::current(&mut tx).await.unwrap().unwrap();
        assert_eq!((seen.id, seen.slug), (second, second_slug.clone()), "round {round}");
        assert!(connections::list(&mut tx).await.unwrap().is_empty());
        tx.rollback().await.unwrap();
    }
    assert!(dropped > 200, "only {dropped} of 600 were dropped in the middle");
    let mut tx = store.control(OffsetDateTime::now_utc()).await.unwrap();
    assert!(tenants::by_slug(&mut tx, "never-0").await.unwrap().is_none(), "nothing of a dropped request stays");
}

#[tokio::test]
async fn an_aborted_transaction_says_so_when_it_is_committed() {
    let store = store(1).await;
    let (tenant, slug) = new_tenant(&store).await;
    let mut tx = store.tenant(scope(tenant)).await.unwrap();
    let conflict = tenants::insert(&mut tx, &slug, "again").await;
    assert!(matches!(conflict, Err(Error::Conflict(_) | Error::Database(_))), "{conflict:?}");
    tx.commit().await.unwrap_err();
}

#[tokio::test]
async fn one_transaction_has_one_time_and_distinct_ids_of_that_time() {
    let store = store(1).await;
    let tx = store.tenant(scope(TenantId(Uuid::now_v7()))).await.unwrap();
    assert_eq!(tx.now(), tx.now());
    assert_eq!(tx.now().nanosecond() % 1_000, 0, "as fine as Postgres keeps it");
    let (first, second) = (tx.new_id(), tx.new_id());
    assert_ne!(first, second);
    assert_eq!(first.get_timestamp(), second.get_timestamp());
    tx.rollback().await.unwrap();
}

#[tokio::test]
async fn a_tenant_sees_nothing_of_another_and_nothing_without_one() {
    let store = store(2).await;
    let (first, _) = new_tenant(&store).await;
    let (second, _) = new_tenant(&store).await;
    let mut tx = store.tenant(scope(first)).await.unwrap();
    assert_eq!(tenants::current(&mut tx).await.unwrap().map(|tenant| tenant.id), Some(first));
    let foreign = tenants::insert(&mut tx, &harness::gateway_process::unique("other"), "same id").await;
    assert!(foreign.is_err(), "the tenant exists");
    tx.rollback().await.unwrap();
    let mut tx = store.tenant(scope(second)).await.unwrap();
    assert!(connections::by_id(&mut tx, ConnectionId(Uuid::now_v7())).await.unwrap().is_none());
    tx.rollback().await.unwrap();
    let mut tx = store.control(OffsetDateTime::now_utc()).await.unwrap();
    assert_eq!(control::tenant_of_connection(&mut tx, ConnectionId(Uuid::now_v7())).await.unwrap(), None);
}

#[tokio::test]
async fn a_glance_leaves_no_transaction_and_opens_one_when_more_is_asked() {
    let acme = Customer::new().await;
    let (hash, name) = (secret::hash(&acme.token), harness::gateway_process::unique("ahead"));
    let store = Store::new(&StoreConfig {
        url: &format!("{}?application_name={name}", setting("GATEHOUSE__DATABASE__URL")),
        control_url: &setting("GATEHOUSE__DATABASE__CONTROL_URL"),
        max_connections: 1,
        acquire_timeout: Duration::from_secs(30),
    })
    .unwrap();
    let mut database = superuser().await;
    let mut state = async || -> String {
        let query = "SELECT state FROM pg_stat_activity WHERE application_name = $1";
        sqlx::query_scalar(query).bind(&name).fetch_one(&mut database).await.unwrap()
    };
    let nobody = Search::one(acme.connection, AccountId(Uuid::now_v7()));
    let glances = || vec![Glance::Token, Glance::search(&nobody, &Start::Offset(0), 1, true).unwrap()];
    let prove = async |hash: &[u8; 32]| {
        let scope = scope(acme.tenant);
        scim_tokens::prove_at_a_glance(&store, scope, acme.connection, hash, glances()).await.unwrap()
    };
    assert!(prove(&[0; 32]).await.is_none(), "no such token");
    assert_eq!(state().await, "idle");
    let (_, mut transactions) = prove(&hash).await.unwrap();
    let mut tx = transactions.pop().unwrap();
    assert_eq!(state().await, "idle");
    let found = search::accounts(&mut tx, &nobody, &Start::Offset(0), 1, true).await.unwrap();
    assert!(found.accounts.is_empty());
    assert_eq!(state().await, "idle", "the answer was there already");
    assert_eq!(tenants::current(&mut tx).await.unwrap().map(|tenant| tenant.id), Some(acme.tenant));
    assert_eq!(state().await, "idle in transaction");
    tx.rollback().await.unwrap();
    assert_eq!(state().await, "idle");
}

//! A tenant whole, for whoever leaves or has to be told.

use super::{operator, tell};
use crate::error::Error;
use anyhow::Context;
use domain::{
    event::{EventKind, Subject},
    ids::TenantId,
};
use serde_json::json;
use std::{
    collections::BTreeMap,
    io::{self, Write},
};
use store::{exports, store::Store};
use time::OffsetDateTime;

/// Writes every row of the tenant as a line of JSON (`table`, `row`), and at the end how many there were of each table (`counts`): without
/// that line it is not whole. Nothing in it is a secret. Answers how many rows.
///
/// # Errors
/// When the database cannot be used, or `out` takes no more.
pub async fn write(store: &Store, now: OffsetDateTime, tenant: TenantId, out: &mut impl Write) -> Result<u64, Error> {
    let mut tx = operator(store, tenant, now).await?;
    tell(&mut tx, EventKind::TenantExported, Subject::Tenant(tenant), json!({})).await?;
    tx.commit().await?;
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    let mut written: io::Result<()> = Ok(());
    let mut tx = operator(store, tenant, now).await?;
    let read = exports::rows(&mut tx, |table, row| {
        if written.is_ok() {
            written = writeln!(out, r#"{{"table":"{table}","row":{row}}}"#);
            *counts.entry(table.to_owned()).or_default() += 1;
        }
    });
    read.await?;
    tx.rollback().await?;
    let done = written.and_then(|()| writeln!(out, "{}", json!({ "counts": counts }))).and_then(|()| out.flush());
    done.context("the export could not be written to the end; free space there and export again")?;
    Ok(counts.values().sum())
}

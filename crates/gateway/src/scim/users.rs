//! SCIM Users: the accounts of one connection.

use super::{ScimResult, Selection, call::ScimCall, cut, limit, offset, selection, unsupported_filter};
use crate::{
    error::{Error, scim_json},
    provisioning,
};
use ::scim::{
    list::{self, ListQuery, Projection},
    patch::{self, Patch},
    user::{self, GroupRef, Meta, UserDocument},
};
use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use domain::{
    account::Account,
    email::Email,
    ids::AccountId,
    names::{UserName, fold},
    provisioning::{self as rules, Facts, Wanted},
};
use serde_json::Value;
use store::{accounts, members};
use uuid::Uuid;

/// Answers that one page may hold when they were found by an attribute that is not unique.
const MOST_MATCHES: i64 = 500;

/// `GET /Users` (RFC 7644 3.4.2)
pub async fn list(mut call: ScimCall) -> ScimResult {
    let query = ListQuery::parse(&call.query)?;
    let (total, page) = select(&mut call, &query).await?;
    let resources = show(&mut call, &page, &query.projection).await?;
    call.tx.rollback().await?;
    Ok(scim_json(StatusCode::OK, &list::list_response(total, query.start_index, resources)))
}

/// `GET /Users/{id}`
pub async fn get(mut call: ScimCall) -> ScimResult {
    let id = AccountId(call.resource_id()?);
    let account = accounts::by_id(&mut call.tx, call.connection, id).await?.ok_or(Error::NotFound)?;
    respond(call, StatusCode::OK, account).await
}

/// `POST /Users` (RFC 7644 3.3)
pub async fn create(mut call: ScimCall) -> ScimResult {
    let document = UserDocument::parse(&call.body, &call.catalogue())?;
    let wanted = wanted(document)?;
    let linkable = provisioning::linkable(&mut call.tx, call.connection, wanted.email.as_ref()).await?;
    let plan = rules::create(wanted, &Facts { catalogue: &call.roles, linkable });
    let account = provisioning::create(&mut call.tx, call.connection, plan).await?;
    respond(call, StatusCode::CREATED, account).await
}

/// `PUT /Users/{id}` (RFC 7644 3.5.1)
pub async fn replace(mut call: ScimCall) -> ScimResult {
    let put = UserDocument::parse(&call.body, &call.catalogue())?;
    let account = for_update(&mut call).await?;
    let document = UserDocument::from_stored(account.profile.document.clone()).replaced_by(put);
    update(call, account, document).await
}

/// `PATCH /Users/{id}` (RFC 7644 3.5.2)
pub async fn patch(mut call: ScimCall) -> ScimResult {
    let operations = Patch::parse(&call.body)?;
    let account = for_update(&mut call).await?;
    let before = UserDocument::from_stored(account.profile.document.clone());
    let document = patch::apply_to_user(&before, &operations, &call.catalogue())?;
    update(call, account, document).await
}

/// `DELETE /Users/{id}` (RFC 7644 3.6)
pub async fn delete(mut call: ScimCall) -> ScimResult {
    let account = for_update(&mut call).await?;
    provisioning::carry_out(&mut call.tx, account, rules::delete()).await?;
    call.tx.commit().await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn for_update(call: &mut ScimCall) -> Result<Account, Error> {
    let id = AccountId(call.resource_id()?);
    accounts::for_update(&mut call.tx, call.connection, id).await?.ok_or(Error::NotFound)
}

async fn update(mut call: ScimCall, before: Account, document: UserDocument) -> ScimResult {
    let plan = rules::update(&before, wanted(document)?, &call.roles);
    let account = provisioning::carry_out(&mut call.tx, before, plan).await?;
    respond(call, StatusCode::OK, account).await
}

/// What the document asks for, in the words of the rules.
fn wanted(document: UserDocument) -> Result<Wanted, Error> {
    let user_name = UserName::parse(document.user_name())?;
    // An address that is not one is kept in the document and identifies nobody.
    let email = Email::parse(document.email().unwrap_or(user_name.as_str())).ok();
    Ok(Wanted {
        email,
        external_id: document.external_id().map(str::to_owned),
        display_name: document.display_name(),
        // RFC 7643 4.1.1 leaves the default open; an assigned user is active.
        active: document.active().unwrap_or(true),
        role: document.role().map(|role| role.into_owned()),
        document: document.into_value(),
        user_name,
    })
}

async fn select(call: &mut ScimCall, query: &ListQuery) -> Result<(i64, Vec<Account>), Error> {
    let (tx, connection) = (&mut call.tx, call.connection);
    let found = match selection(query)? {
        Selection::All => {
            let total = accounts::count(tx, connection).await?;
            let page = if query.count == 0 {
                Vec::new()
            } else {
                accounts::page(tx, connection, offset(query), limit(query)).await?
            };
            return Ok((total, page));
        }
        Selection::Equals { path, value } => match path.as_str() {
            "username" => accounts::by_user_name(tx, connection, &fold(&value)).await?.into_iter().collect(),
            "externalid" => accounts::by_external_id(tx, connection, &value, MOST_MATCHES).await?,
            "emails" | "emails.value" => accounts::by_email(tx, connection, &fold(&value), MOST_MATCHES).await?,
            "id" => match Uuid::try_parse(&value) {
                Ok(id) => accounts::by_id(tx, connection, AccountId(id)).await?.into_iter().collect(),
                Err(_) => Vec::new(),
            },
            _ => return Err(unsupported_filter().into()),
        },
    };
    Ok(cut(found, query))
}

async fn show(call: &mut ScimCall, accounts: &[Account], projection: &Projection) -> Result<Vec<Value>, Error> {
    let ids: Vec<Uuid> = accounts.iter().map(|account| account.id.0).collect();
    let memberships = members::of_accounts(&mut call.tx, &ids).await?;
    let catalogue = call.catalogue();
    let shown = accounts.iter().map(|account| {
        let groups: Vec<GroupRef> = memberships
            .iter()
            .filter(|membership| membership.account == account.id)
            .map(|membership| GroupRef {
                value: membership.group.to_string(),
                display: membership.display_name.clone(),
            })
            .collect();
        let meta = meta(call, account);
        projection
            .apply(user::render(&account.id.to_string(), &account.profile.document, &groups, &meta), catalogue.user())
    });
    Ok(shown.collect())
}

fn meta(call: &ScimCall, account: &Account) -> Meta {
    Meta {
        created: account.created_at,
        last_modified: account.updated_at,
        version: account.version,
        location: format!("{}/Users/{}", call.base_url, account.id),
    }
}

async fn respond(
    mut call: ScimCall,
    status: StatusCode,
    account: Account,
) -> Result<Response, crate::error::ScimFailure> {
    let projection = Projection::parse(&call.query);
    let meta = meta(&call, &account);
    let shown = show(&mut call, std::slice::from_ref(&account), &projection).await?;
    call.tx.commit().await?;
    let mut response = scim_json(status, shown.first().unwrap_or(&Value::Null));
    if let (Ok(location), Ok(etag)) = (HeaderValue::from_str(&meta.location), HeaderValue::from_str(&meta.etag())) {
        response.headers_mut().insert(header::LOCATION, location);
        response.headers_mut().insert(header::ETAG, etag);
    }
    Ok(response)
}

//! What a request will ask the database once it is proven, where that can be told before: it goes along with the
//! question who asks. Whatever does not come true is asked again in its turn.

use super::{
    call::read_id,
    schemas::Schemas,
    search::{Resource, Translator},
    user_list,
};
use ::scim::{
    list::{ListQuery, Projection, Start as QueryStart},
    search::Unknown,
};
use axum::http::{Method, Uri};
use domain::ids::{AccountId, ConnectionId};
use store::{
    ahead::Glance,
    search::{Search, Start},
};

/// Bytes of a query that is looked at before it is known who asks; a filter by one name is no longer.
const LONGEST: usize = 1_024;

/// What `GET /Users/{id}` asks, and `GET /Users` with a filter that names one user. `POST /Users` asks nothing: its user
/// is created in a transaction with others. Nothing is known of other requests.
pub fn glance(
    connection: ConnectionId,
    method: &Method,
    uri: &Uri,
    id: Option<&str>,
    known: Option<&Schemas>,
) -> Option<Glance> {
    let query = uri.query().unwrap_or_default();
    if *method == Method::POST && uri.path().ends_with("/scim/v2/Users") {
        return Some(Glance::Token);
    }
    if *method != Method::GET || query.len() > LONGEST {
        return None;
    }
    match id {
        Some(id) if uri.path().strip_suffix(id)?.ends_with("/scim/v2/Users/") => {
            let search = Search::one(connection, AccountId(read_id(id)?));
            Glance::search(&search, &Start::Offset(0), 1, !Projection::parse(query).excludes("groups"))
        }
        None if uri.path().ends_with("/scim/v2/Users") => list(connection, query, known?),
        _ => None,
    }
}

fn list(connection: ConnectionId, query: &str, known: &Schemas) -> Option<Glance> {
    let query = ListQuery::parse(query).ok()?;
    let QueryStart::Index(1) = query.start else { return None };
    query.filter.as_ref()?;
    // No name depends on the base URL.
    let translator = Translator { resource: Resource::User, base_url: "" };
    let search = translator.search(connection, &known.catalogue, &query, Unknown::Refuse).ok()?;
    user_list::first_question(&search, &query)
}

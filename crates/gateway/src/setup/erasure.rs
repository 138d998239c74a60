//! How a person is erased for good, and a tombstone says so. What others say of them (a manager's name, a group's) is the identity
//! provider's, and only counted.

use super::operator;
use crate::{
    error::Error,
    purge,
    vault::{Derived, Vault},
};
use domain::{
    email::Email,
    event::{Event, EventKind, Subject},
    ids::{TenantId, UserId},
    names::fold,
    provisioning::Rule,
    refusal::Refusal,
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use store::{
    erasures::{self, Gone, Held, Tombstone, Traces},
    events,
    store::Store,
    tenant::TenantTx,
    users,
};
use time::OffsetDateTime;
use uuid::Uuid;

/// Shorter names are looked for in quotes only: they stand inside of other words.
const SHORT: usize = 6;

/// Who is to be erased.
#[derive(Debug, Clone)]
pub enum Who {
    User(UserId),
    /// Somebody with that address, perhaps gone already.
    Address(Email),
}

impl Who {
    /// A user's id, or an address.
    ///
    /// # Errors
    /// [`Refusal`] for what is neither.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        text.parse().map(Self::User).or_else(|_| Email::parse(text).map(Self::Address))
    }

    /// That user, and that address.
    fn parts(&self) -> (Option<UserId>, Option<&Email>) {
        match self {
            Self::User(user) => (Some(*user), None),
            Self::Address(email) => (None, Some(email)),
        }
    }
}

/// What of a person went, or would.
#[derive(Debug, Clone, Copy)]
pub struct Erased {
    pub user: Option<UserId>,
    pub accounts: usize,
    pub gone: Gone,
    /// Users and groups of others that still name the person.
    pub named_by_others: i64,
}

/// Erases a person; or, if it is not `meant`, says what would go.
///
/// # Errors
/// [`Error::NotFound`] without such a user and without a trace of the address, or [`Refusal::ChangeImpossible`] while an account is
/// active, while an account waits for somebody to say whether it is the user's, or where several users have the address.
pub async fn erase(
    store: &Store,
    vault: &Vault,
    now: OffsetDateTime,
    tenant: TenantId,
    who: &Who,
    meant: bool,
) -> Result<Erased, Error> {
    let mut tx = operator(store, tenant, now).await?;
    let user = the_user(&mut tx, who).await?;
    let own = erasures::accounts_of(&mut tx, user, &[]).await?;
    let called = names(&mut tx, user, who, &own).await?;
    // Once more, by all that they are called.
    let held = erasures::accounts_of(&mut tx, user, &keys(&called)).await?;
    let names = names(&mut tx, user, who, &held).await?;
    for account in &held {
        delete(&mut tx, account).await?;
    }
    if let Some(user) = user {
        erasures::answer_hidden(&mut tx, user).await?;
        users::forget(&mut tx, user).await?;
        if users::row(&mut tx, user).await?.is_some() {
            return Err(impossible(
                "an account waits for somebody to say whether it is this user's; `gatehouse user confirm` says so",
            ));
        }
    }
    let accounts: Vec<Uuid> = held.iter().map(|account| account.id.0).collect();
    let keys = keys(&names);
    let ids = accounts.iter().copied().chain(user.map(|user| user.0)).map(|id| id.to_string());
    let ids: Vec<String> = ids.collect();
    let words_of = |of: &dyn Fn(&&String) -> bool| -> Vec<String> {
        names.iter().filter(of).flat_map(|name| words(name)).chain(ids.iter().cloned()).collect()
    };
    let (words, own) = (words_of(&|_| true), words_of(&|name| name.contains('@')));
    let traces = Traces { accounts: &accounts, keys: &keys, words: &words, own: &own };
    let gone = erasures::delete_traces(&mut tx, user, traces).await?;
    if user.is_none() && held.is_empty() && gone == Gone::default() {
        return Err(Error::NotFound);
    }
    let whole = words_of(&|name| name.contains(['@', ' ']));
    let named_by_others = erasures::named_by_others(&mut tx, &whole).await?;
    bury(&mut tx, vault, user, &names, &told(accounts.len(), gone)).await?;
    match meant {
        true => tx.commit().await?,
        false => tx.rollback().await?,
    }
    Ok(Erased { user, accounts: accounts.len(), gone, named_by_others })
}

/// When and how often that person was erased, the last time first.
///
/// # Errors
/// When the database cannot be used.
pub async fn find(
    store: &Store,
    vault: &Vault,
    now: OffsetDateTime,
    tenant: TenantId,
    who: &Who,
) -> Result<Vec<Tombstone>, Error> {
    let (user, address) = who.parts();
    let tags = match address {
        Some(address) => vault.tags(Derived::Tombstone, tenant.0, address.key())?,
        None => Vec::new(),
    };
    let mut tx = operator(store, tenant, now).await?;
    let found = erasures::find(&mut tx, user, &tags).await?;
    tx.rollback().await?;
    Ok(found)
}

async fn the_user(tx: &mut TenantTx, who: &Who) -> Result<Option<UserId>, Error> {
    let email = match who {
        Who::User(user) => return users::row(tx, *user).await?.map(|_| Some(*user)).ok_or(Error::NotFound),
        Who::Address(email) => email,
    };
    match erasures::users_called(tx, email.key()).await?.as_slice() {
        [] => Ok(None),
        [user] => Ok(Some(*user)),
        several => {
            let ids: Vec<String> = several.iter().map(ToString::to_string).collect();
            Err(impossible(&format!("several users have this address; erase each by its id: {}", ids.join(", "))))
        }
    }
}

/// Names as they are compared.
fn keys(names: &BTreeSet<String>) -> Vec<String> {
    names.iter().map(|name| fold(name)).collect()
}

/// Deletes one account, which must not be in use.
async fn delete(tx: &mut TenantTx, account: &Held) -> Result<(), Error> {
    match (account.is_removed, account.is_active) {
        (true, _) => Ok(erasures::delete_untold(tx, account.id).await?),
        (false, false) if account.in_shadow => Ok(erasures::delete_untold(tx, account.id).await?),
        (false, true) => {
            Err(impossible("the user has an active account; have the person unassigned in the identity provider first"))
        }
        (false, false) => purge::delete(tx, account.connection, account.id, Rule::Operator).await,
    }
}

/// Everything the person is called.
async fn names(tx: &mut TenantTx, user: Option<UserId>, who: &Who, held: &[Held]) -> Result<BTreeSet<String>, Error> {
    let mut names: BTreeSet<String> = held.iter().flat_map(|account| account.names.clone()).collect();
    names.extend(held.iter().flat_map(|account| said(&account.document)));
    names.extend(who.parts().1.map(|email| email.as_str().to_owned()));
    if let Some(user) = user {
        let row = users::row(tx, user).await?.unwrap_or_default();
        names.extend(["email", "display_name"].into_iter().filter_map(|name| row[name].as_str()).map(str::to_owned));
    }
    names.retain(|name| !name.trim().is_empty());
    Ok(names)
}

/// What a profile calls the person (RFC 7643 4.1).
fn said(document: &Value) -> Vec<String> {
    let name = &document["name"];
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let whole = [&name["givenName"], &name["familyName"]].map(|part| part.as_str().unwrap_or_default()).join(" ");
    let values = ["emails", "phoneNumbers"].into_iter().filter_map(|list| document[list].as_array()).flatten();
    let mut said: Vec<String> = values.filter_map(|value| text(&value["value"])).collect();
    said.extend(
        [text(&name["formatted"]), text(&document["displayName"]), text(&document["nickName"])].into_iter().flatten(),
    );
    // One name alone is many people's.
    said.extend(Some(whole).filter(|whole| whole.trim().contains(' ')));
    said
}

/// The forms in which a name stands in texts: as it is, and in addresses.
fn words(name: &str) -> BTreeSet<String> {
    let encoded = utf8_percent_encode(name, NON_ALPHANUMERIC).to_string();
    let all = [name.to_owned(), name.to_lowercase(), name.replace('@', "%40"), name.replace(' ', "+"), encoded];
    let quoted = |word: &String| [format!("\"{word}\""), format!("%22{word}%22"), format!(">{word}<")];
    let words: BTreeSet<String> = all.iter().map(|word| word.to_ascii_lowercase()).collect();
    match name.chars().count() < SHORT {
        true => words.iter().flat_map(quoted).collect(),
        false => words,
    }
}

async fn bury(
    tx: &mut TenantTx,
    vault: &Vault,
    user: Option<UserId>,
    names: &BTreeSet<String>,
    counts: &Value,
) -> Result<(), Error> {
    let tenant = tx.tenant();
    let addresses = names.iter().filter_map(|name| Email::parse(name).ok());
    let tags: BTreeSet<Vec<u8>> = addresses
        .map(|email| vault.tags(Derived::Tombstone, tenant.0, email.key()))
        .collect::<Result<Vec<_>, _>>()?
        .into_iter()
        .filter_map(|tags| tags.into_iter().next())
        .collect();
    erasures::bury(tx, user, &tags.into_iter().collect::<Vec<_>>(), counts).await?;
    let subject = user.map_or(Subject::Tenant(tenant), Subject::User);
    Ok(events::append(tx, None, &[Event::with(EventKind::UserErased, subject, counts.clone())]).await?)
}

fn told(accounts: usize, gone: Gone) -> Value {
    json!({
        "accounts": accounts, "invitations": gone.invitations, "failures": gone.failures, "wishes": gone.wishes,
        "scim_exchanges": gone.scim_exchanges, "sign_in_steps": gone.sign_in_steps,
        "sign_in_requests": gone.sign_in_requests, "logouts": gone.logouts, "user_changes": gone.user_changes,
    })
}

fn impossible(problem: &str) -> Error {
    Refusal::ChangeImpossible { problem: problem.to_owned() }.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_in_addresses_and_a_short_one_in_quotes_only() {
        let found =
            |name: &str, text: &str| words(name).iter().any(|word| text.to_ascii_lowercase().contains(word.as_str()));
        for text in ["ann.ray@acme.test", "userName%20eq%20%22Ann.Ray%40acme.test%22", "ANN%2ERAY%40ACME%2ETEST"] {
            assert!(found("Ann.Ray@acme.test", text), "{text}");
        }
        assert!(found("Ann Ray", "name=Ann+Ray&") && found("\u{c4}nne Rey", "\u{e4}nne rey"));
        assert!(found("ann", r#"{"userName":"Ann"}"#) && found("ann", "eq%20%22ann%22") && !found("ann", "planning"));
        let document =
            json!({ "name": { "givenName": "Ann", "familyName": "Ray" }, "emails": [{ "value": "a@b.test" }] });
        assert_eq!(said(&document), ["a@b.test", "Ann Ray"]);
        assert_eq!(said(&json!({ "name": { "givenName": "Ann" } })), Vec::<String>::new());
    }
}

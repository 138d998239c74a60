//! Mail domains: which can be anybody's, how long one stays proven, and which connection an address leads to.

use crate::{email::is_domain, ids::ConnectionId, names::fold, refusal::Refusal};
use time::{Duration, OffsetDateTime};

/// The label under which the record stands.
pub const LABEL: &str = "_gatehouse-challenge";

/// What the record's text begins with; the token follows.
pub const PREFIX: &str = "gatehouse-domain-verification=";

/// Domains of one tenant, proven or only claimed.
pub const MOST: usize = 1_000;

/// How long a domain stays proven after its record is gone, so that a mistake in a zone file can be mended.
pub const GRACE: Duration = Duration::days(7);

/// How long while nobody can be asked: name servers that do not answer say nothing about who owns the domain.
pub const PATIENCE: Duration = Duration::days(30);

/// Providers at which everybody may have an address.
const FREE_MAIL: &str = include_str!("free_mail.txt");

/// The domain as it is kept, if somebody can own it: a name below a public suffix, at which not everybody may have an address.
/// With other letters than ASCII it is given as DNS has it (`xn--…`): two spellings of one name would be two domains.
///
/// # Errors
/// [`Refusal::DomainInvalid`], [`Refusal::DomainPublic`], [`Refusal::DomainFreeMail`]
pub fn ownable(domain: &str) -> Result<String, Refusal> {
    let domain = fold(domain.trim().trim_end_matches('.'));
    let is_askable = domain.is_ascii() && domain.len() + LABEL.len() < 253;
    if !is_askable || !is_domain(&domain) || domain.parse::<std::net::IpAddr>().is_ok() {
        return Err(Refusal::DomainInvalid { domain });
    }
    if psl::domain_str(&domain).is_none() {
        return Err(Refusal::DomainPublic { domain });
    }
    let is_below =
        |provider: &str| domain.strip_suffix(provider).is_some_and(|front| front.is_empty() || front.ends_with('.'));
    if FREE_MAIL.split_whitespace().any(is_below) {
        return Err(Refusal::DomainFreeMail { domain });
    }
    Ok(domain)
}

/// What was found where the record should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    Proof,
    /// Something else, or nothing.
    NoProof,
    /// Nobody could be asked.
    Silence,
}

/// What follows from that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    Proven,
    /// It still counts as proven; since then it is not.
    Failing(Failing),
    /// It is nobody's any more.
    Lost,
}

/// How long a domain has not been shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failing {
    pub since: OffsetDateTime,
    /// Since when something else was seen in its place, or nothing; silence does not end that.
    pub absent_since: Option<OffsetDateTime>,
}

/// Whether a proven domain still is, after somebody looked.
pub fn after_look(before: Option<Failing>, found: Found, now: OffsetDateTime) -> Standing {
    let since = before.map_or(now, |failing| failing.since);
    let known = before.and_then(|failing| failing.absent_since);
    let absent_since = match found {
        Found::Proof => return Standing::Proven,
        Found::NoProof => Some(known.unwrap_or(now)),
        Found::Silence => known,
    };
    let is_gone = found == Found::NoProof && absent_since.is_some_and(|since| now - since >= GRACE);
    if is_gone || now - since >= PATIENCE { Standing::Lost } else { Standing::Failing(Failing { since, absent_since }) }
}

/// A connection to which an address may lead.
#[derive(Debug, Clone)]
pub struct Way {
    pub connection: ConnectionId,
    pub name: String,
    /// Whether it knows its identity provider.
    pub is_set_up: bool,
    /// Its mail domains; none means any of the tenant's.
    pub domains: Vec<String>,
}

/// The connection for an address in a domain of the tenant's, and why; of several the first. They come oldest first.
///
/// # Errors
/// Why there is none.
pub fn way(domain: &str, ways: &[Way]) -> Result<(ConnectionId, String), String> {
    let able: Vec<&Way> = ways.iter().filter(|way| way.is_set_up).collect();
    if able.is_empty() {
        return Err(
            "the organization has no connection to this application that knows its identity provider".to_owned()
        );
    }
    if let Some(way) = able.iter().find(|way| way.domains.iter().any(|known| known == domain)) {
        return Ok((way.connection, format!("{} names {domain} among its mail domains", way.name)));
    }
    match able.iter().find(|way| way.domains.is_empty()) {
        Some(way) if able.len() == 1 => Ok((way.connection, format!("{} is the only connection", way.name))),
        Some(way) => Ok((
            way.connection,
            format!("no connection names {domain}, and {} is the oldest that names no domain at all", way.name),
        )),
        None => Err(format!("all connections name mail domains, and none of them names {domain}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use uuid::Uuid;

    #[test]
    fn nobody_owns_a_public_suffix_or_a_mail_provider() {
        for (given, kept) in
            [(" Acme.Test. ", "acme.test"), ("acme.co.uk", "acme.co.uk"), ("mail.acme.com", "mail.acme.com")]
        {
            assert_eq!(ownable(given).as_deref(), Ok(kept));
        }
        let code = |domain: &str| ownable(domain).map_err(|refusal| refusal.code());
        for domain in ["com", "co.uk", "github.io", "CO.UK."] {
            assert!(matches!(code(domain), Err("GH-DOM-001" | "GH-CFG-002")), "{domain}");
        }
        for domain in ["gmail.com", "GMX.de", "x.outlook.com"] {
            assert_eq!(code(domain), Err("GH-DOM-002"), "{domain}");
        }
        assert_eq!(ownable("notgmail.com").as_deref(), Ok("notgmail.com"));
        let long = format!("{}.com", ["a".repeat(60), "b".repeat(60), "c".repeat(60), "d".repeat(60)].join("."));
        for domain in
            ["", "acme", "127.0.0.1", "a b.com", "acme..com", "*.acme.com", "bücher.example", "ｇｍａｉｌ.com", &long]
        {
            assert_eq!(code(domain), Err("GH-CFG-002"), "{domain}");
        }
    }

    #[test]
    fn the_way_is_the_connection_that_names_the_domain_or_the_oldest_that_names_none() {
        let way_of = |n: u128, is_set_up, domains: &[&str]| Way {
            connection: ConnectionId(Uuid::from_u128(n)),
            name: format!("Okta {n}"),
            is_set_up,
            domains: domains.iter().map(|&domain| domain.to_owned()).collect(),
        };
        let led = |ways: &[Way]| way("acme.test", ways).map(|(id, why)| (id.0.as_u128(), why));
        let others = way_of(4, true, &["other.test"]);
        let table = [
            (vec![way_of(1, true, &[])], Ok((1, "Okta 1 is the only connection"))),
            (vec![way_of(1, true, &[]), way_of(2, true, &["acme.test"])], Ok((2, "names acme.test among"))),
            (
                vec![way_of(1, false, &["acme.test"]), way_of(2, true, &[]), others.clone()],
                Ok((2, "Okta 2 is the oldest")),
            ),
            (vec![others], Err("none of them names acme.test")),
            (vec![way_of(1, false, &[])], Err("knows its identity provider")),
        ];
        for (ways, expected) in table {
            match (led(&ways), expected) {
                (Ok((id, why)), Ok((expected, words))) => assert!(id == expected && why.contains(words), "{why}"),
                (Err(why), Err(words)) => assert!(why.contains(words), "{why}"),
                other => panic!("{other:?}"),
            }
        }
    }

    proptest! {
        /// Over any history: a domain is lost only after it was seen to be absent for the whole of the grace, or not shown for
        /// the whole of the patience; and it never stays proven for longer.
        #[test]
        fn a_domain_is_lost_after_the_grace_and_not_before(
            looks in prop::collection::vec((0i64..20 * 24, 0u8..4), 1..60),
        ) {
            let (mut now, mut failing) = (OffsetDateTime::UNIX_EPOCH, None);
            let (mut first_failure, mut first_absence) = (None, None);
            for (hours, kind) in looks {
                now += Duration::hours(hours);
                let found = [Found::Proof, Found::Proof, Found::NoProof, Found::Silence][usize::from(kind)];
                if found == Found::Proof {
                    (first_failure, first_absence) = (None, None);
                } else {
                    first_failure = first_failure.or(Some(now));
                    first_absence = first_absence.or((found == Found::NoProof).then_some(now));
                }
                let is_over = |first: Option<OffsetDateTime>, allowed| first.is_some_and(|first| now - first >= allowed);
                let should_go = (found == Found::NoProof && is_over(first_absence, GRACE)) || is_over(first_failure, PATIENCE);
                match after_look(failing, found, now) {
                    Standing::Proven => {
                        prop_assert_eq!(found, Found::Proof);
                        failing = None;
                    }
                    Standing::Failing(still) => {
                        prop_assert!(!should_go && found != Found::Proof);
                        failing = Some(still);
                    }
                    Standing::Lost => {
                        prop_assert!(should_go);
                        break;
                    }
                }
            }
        }
    }
}

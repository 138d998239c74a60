//! What one process lets its clients do at a time and per second. Each process counts for itself.

use crate::{config, error::Error};
use domain::ids::{ApplicationId, ConnectionId, TenantId, UserId};
use governor::{
    DefaultKeyedRateLimiter, NotUntil, Quota, RateLimiter,
    clock::{Clock, DefaultClock, QuantaInstant},
};
use moka::{future::Cache, sync::Cache as SyncCache};
use std::{
    net::IpAddr,
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Large request bodies that one process holds in memory at once, and of one tenant.
const LARGE_BODIES: usize = 16;
const LARGE_BODIES_EACH: usize = 4;

/// Passwords that one process hashes at once, each in 19 MiB, and of one tenant.
const HASHES: usize = 2;
const HASHES_EACH: usize = 1;

/// Answers of one tenant that were read before their requests have places.
const GLANCES_EACH: usize = 32;

/// Tenants whose places are remembered while they are in use.
const REMEMBERED_TENANTS: u64 = 100_000;

/// Refused requests without a valid token that are logged per connection and second.
const STRANGERS: NonZeroU32 = NonZeroU32::MIN;

/// Requests to identity providers, answers of theirs that are refused or may be repeated, and wrong passwords, that are logged per
/// connection and second; and at once, on a busy morning. Anybody can have either made, and no more of them may push out what was logged before.
const STEPS: NonZeroU32 = NonZeroU32::MIN;
const STEPS_BURST: NonZeroU32 = NonZeroU32::MIN.saturating_add(99);

/// Wrong passwords within five minutes: for one name of a connection from one network, for the name from anywhere, and from the
/// network for all names of the connection.
const MISSES: [u32; 3] = [5, 50, 100];
const MISSES_COUNT: Duration = Duration::from_secs(300);

/// Names and networks whose wrong passwords are counted.
const REMEMBERED_MISSES: u64 = 100_000;

/// Requests that a public client may send ahead per second, and at once: whoever knows its name can.
const PUSHED: NonZeroU32 = NonZeroU32::MIN.saturating_add(9);
const PUSHED_BURST: NonZeroU32 = NonZeroU32::MIN.saturating_add(99);

/// Calls for Universal Logout per second, connection and network, before anything of them is proven.
const UNIVERSAL_LOGOUTS: NonZeroU32 = NonZeroU32::MIN.saturating_add(49);

/// Codes and refresh tokens that one user is given per second, and at once: an application that goes in circles would fill the
/// database.
const GIVEN: NonZeroU32 = NonZeroU32::MIN;
const GIVEN_BURST: NonZeroU32 = NonZeroU32::MIN.saturating_add(199);

/// Untrusted certificates that are noted per connection and minute.
const CERTIFICATES: NonZeroU32 = NonZeroU32::MIN;

/// Characters of a name that passwords are counted for.
const LONGEST_NAME: usize = 254;

/// The counters and places of one process.
pub struct Limits {
    large_bodies: Arc<Semaphore>,
    hashes: Arc<Semaphore>,
    saml: DefaultKeyedRateLimiter<ConnectionId>,
    scim: DefaultKeyedRateLimiter<TenantId>,
    scim_burst: NonZeroU32,
    strangers: DefaultKeyedRateLimiter<ConnectionId>,
    told: DefaultKeyedRateLimiter<(ConnectionId, Told)>,
    certificates: DefaultKeyedRateLimiter<ConnectionId>,
    misses: SyncCache<Miss, Arc<AtomicU32>>,
    pushed: DefaultKeyedRateLimiter<ApplicationId>,
    universal_logouts: DefaultKeyedRateLimiter<(ConnectionId, String)>,
    given: DefaultKeyedRateLimiter<UserId>,
    shares: Cache<TenantId, Share>,
    places_each: usize,
    patience: Duration,
}

/// What is told of a connection [`STEPS`] at a time, each kind by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Told {
    Request,
    Refusal,
    Repeat,
    WrongPassword,
}

/// What one tenant may hold at once, so that it does not starve the others.
#[derive(Clone)]
struct Share {
    places: Arc<Semaphore>,
    glances: Arc<Semaphore>,
    large_bodies: Arc<Semaphore>,
    hashes: Arc<Semaphore>,
}

/// A place of the process, taken out of the tenant's share.
pub struct Held {
    _of_tenant: OwnedSemaphorePermit,
    _of_process: OwnedSemaphorePermit,
}

impl Limits {
    /// As configured; one tenant never has more than half of the database connections.
    pub fn new(limits: &config::Limits, database: &config::Database) -> Self {
        let at_least_one = |number: u32| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
        let scim_burst = at_least_one(limits.scim_requests_burst);
        let scim = Quota::per_second(at_least_one(limits.scim_requests)).allow_burst(scim_burst);
        Self {
            large_bodies: Arc::new(Semaphore::new(LARGE_BODIES)),
            hashes: Arc::new(Semaphore::new(HASHES)),
            saml: RateLimiter::keyed(Quota::per_second(at_least_one(limits.saml_responses))),
            scim: RateLimiter::keyed(scim),
            scim_burst,
            strangers: RateLimiter::keyed(Quota::per_second(STRANGERS)),
            told: RateLimiter::keyed(Quota::per_second(STEPS).allow_burst(STEPS_BURST)),
            certificates: RateLimiter::keyed(Quota::per_minute(CERTIFICATES)),
            misses: SyncCache::builder().max_capacity(REMEMBERED_MISSES).time_to_live(MISSES_COUNT).build(),
            pushed: RateLimiter::keyed(Quota::per_second(PUSHED).allow_burst(PUSHED_BURST)),
            universal_logouts: RateLimiter::keyed(Quota::per_second(UNIVERSAL_LOGOUTS)),
            given: RateLimiter::keyed(Quota::per_second(GIVEN).allow_burst(GIVEN_BURST)),
            shares: Cache::builder().max_capacity(REMEMBERED_TENANTS).time_to_idle(Duration::from_secs(600)).build(),
            places_each: usize::try_from(database.max_connections / 2).unwrap_or(1).max(1),
            patience: database.acquire_timeout,
        }
    }

    /// Waits until one more large body of the tenant may be held in memory.
    pub async fn large_body(&self, tenant: TenantId) -> Option<Held> {
        held(self.share(tenant).await.large_bodies, &self.large_bodies).await
    }

    /// Waits until one more password of the tenant may be hashed.
    pub async fn hash(&self, tenant: TenantId) -> Option<Held> {
        held(self.share(tenant).await.hashes, &self.hashes).await
    }

    /// The same for somebody who waits at a page.
    ///
    /// # Errors
    /// [`Error::TooManyRequests`] when none becomes free in time.
    pub async fn hash_in_time(&self, tenant: TenantId) -> Result<Held, Error> {
        let place = tokio::time::timeout(self.patience, self.hash(tenant)).await;
        place.ok().flatten().ok_or(Error::TooManyRequests { seconds: 1 })
    }

    /// A place among the tenant's running requests.
    ///
    /// # Errors
    /// [`Error::TooManyRequests`] when none becomes free in time.
    pub async fn place(&self, tenant: TenantId) -> Result<OwnedSemaphorePermit, Error> {
        self.in_time(self.share(tenant).await.places).await
    }

    /// A place among the tenant's requests that read along with others. Taken before a place of their own, never after.
    ///
    /// # Errors
    /// As [`Limits::place`].
    pub async fn glance(&self, tenant: TenantId) -> Result<OwnedSemaphorePermit, Error> {
        self.in_time(self.share(tenant).await.glances).await
    }

    async fn in_time(&self, places: Arc<Semaphore>) -> Result<OwnedSemaphorePermit, Error> {
        match tokio::time::timeout(self.patience, places.acquire_owned()).await {
            Ok(Ok(permit)) => Ok(permit),
            _ => Err(Error::TooManyRequests { seconds: 1 }),
        }
    }

    async fn share(&self, tenant: TenantId) -> Share {
        let of = |count| Arc::new(Semaphore::new(count));
        let fresh = async {
            Share {
                places: of(self.places_each),
                glances: of(GLANCES_EACH),
                large_bodies: of(LARGE_BODIES_EACH),
                hashes: of(HASHES_EACH),
            }
        };
        self.shares.get_with(tenant, fresh).await
    }

    /// Counts one SCIM request of the tenant.
    ///
    /// # Errors
    /// [`Error::TooManyRequests`] with the whole seconds after which the next one is let in.
    pub fn admit_scim(&self, tenant: TenantId) -> Result<(), Error> {
        self.scim.check_key(&tenant).map_err(|not_until| wait(&not_until))
    }

    /// Counts the operations of one bulk request of the tenant, but never more than may come at once.
    ///
    /// # Errors
    /// As [`Limits::admit_scim`].
    pub fn admit_scim_operations(&self, tenant: TenantId, count: usize) -> Result<(), Error> {
        let count = u32::try_from(count).unwrap_or(u32::MAX).min(self.scim_burst.get());
        let Some(count) = NonZeroU32::new(count) else { return Ok(()) };
        match self.scim.check_key_n(&tenant, count) {
            Ok(Err(not_until)) => Err(wait(&not_until)),
            // An error would say that they are more than the burst, which they are not.
            Ok(Ok(())) | Err(_) => Ok(()),
        }
    }

    /// Whether the connection may post one more SAML response now.
    pub fn admits_saml_response(&self, connection: ConnectionId) -> bool {
        self.saml.check_key(&connection).is_ok()
    }

    /// Lets one more password be tried for that name, whether or not there is somebody of that name, from that address. It counts
    /// as wrong from now on, so that many at once are no way around, until [`Try::was_right`].
    pub fn admits_password(&self, connection: ConnectionId, name: &str, address: &str) -> Option<Try> {
        let [here, anywhere, network] = misses(connection, name, address);
        self.counted([(here, MISSES[0]), (anywhere, MISSES[1]), (network, MISSES[2])])
    }

    fn counted<const N: usize>(&self, misses: [(Miss, u32); N]) -> Option<Try> {
        let mut counted = Vec::with_capacity(N);
        for (miss, most) in misses {
            // What was counted first says when it is forgotten.
            let count = self.misses.get_with(miss, || Arc::new(AtomicU32::new(0)));
            let before = count.fetch_add(1, Ordering::Relaxed);
            counted.push(count);
            if before >= most {
                Try(counted).was_right();
                return None;
            }
        }
        Some(Try(counted))
    }

    /// The same for an emergency code, which nobody guesses: strangers elsewhere keep nobody from using one.
    pub fn admits_code(&self, connection: ConnectionId, name: &str, address: &str) -> Option<Try> {
        let [here, _, network] = misses(connection, name, address);
        self.counted([(here, MISSES[0]), (network, MISSES[2])])
    }

    /// Whether a public client may send one more request ahead.
    pub fn admits_pushed_request(&self, application: ApplicationId) -> bool {
        self.pushed.check_key(&application).is_ok()
    }

    /// Whether one more call for Universal Logout is heard now from that address.
    pub fn admits_universal_logout(&self, connection: ConnectionId, address: &str) -> bool {
        self.universal_logouts.check_key(&(connection, network(address))).is_ok()
    }

    /// Counts a code or a refresh token that a user is given.
    ///
    /// # Errors
    /// [`Error::TooManyRequests`] with the whole seconds after which there is the next one.
    pub fn admit_grant(&self, user: UserId) -> Result<(), Error> {
        self.given.check_key(&user).map_err(|not_until| wait(&not_until))
    }

    /// Whether one more request without a valid token is written into the connection's log.
    pub fn logs_stranger(&self, connection: ConnectionId) -> bool {
        self.strangers.check_key(&connection).is_ok()
    }

    /// Whether one more request to the identity provider is written into the connection's log.
    pub fn logs_request(&self, connection: ConnectionId) -> bool {
        self.told.check_key(&(connection, Told::Request)).is_ok()
    }

    /// The same of an answer that the identity provider signed and that was refused.
    pub fn logs_refusal(&self, connection: ConnectionId) -> bool {
        self.told.check_key(&(connection, Told::Refusal)).is_ok()
    }

    /// The same of a message that the identity provider signed and that may be the same one again and again.
    pub fn logs_repeat(&self, connection: ConnectionId) -> bool {
        self.told.check_key(&(connection, Told::Repeat)).is_ok()
    }

    /// Whether one more wrong password is told of in an event.
    pub fn tells_of_wrong_password(&self, connection: ConnectionId) -> bool {
        self.told.check_key(&(connection, Told::WrongPassword)).is_ok()
    }

    /// Whether one more certificate that is not trusted is noted of the connection.
    pub fn notes_certificate(&self, connection: ConnectionId) -> bool {
        self.certificates.check_key(&connection).is_ok()
    }

    /// Forgets those that have been quiet.
    pub fn forget_the_quiet(&self) {
        self.saml.retain_recent();
        self.scim.retain_recent();
        self.strangers.retain_recent();
        self.told.retain_recent();
        self.certificates.retain_recent();
        self.pushed.retain_recent();
        self.universal_logouts.retain_recent();
        self.given.retain_recent();
    }
}

/// A password that is being tried.
#[derive(Debug)]
pub struct Try(Vec<Arc<AtomicU32>>);

impl Try {
    /// It does not count.
    pub fn was_right(self) {
        for count in self.0 {
            count.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// What a wrong password counts for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Miss {
    connection: ConnectionId,
    name: Option<String>,
    network: Option<String>,
}

fn misses(connection: ConnectionId, name: &str, address: &str) -> [Miss; 3] {
    let name: Option<String> = Some(name.chars().take(LONGEST_NAME).collect());
    let network = Some(network(address));
    [
        Miss { connection, name: name.clone(), network: network.clone() },
        Miss { connection, name, network: None },
        Miss { connection, name: None, network },
    ]
}

/// An IPv6 address counts as its /64: one person has all of those.
fn network(address: &str) -> String {
    match address.parse() {
        Ok(IpAddr::V6(address)) if address.to_ipv4_mapped().is_none() => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
        _ => address.to_owned(),
    }
}

/// First of the tenant, so that who waits for its own share keeps nobody waiting.
async fn held(of_tenant: Arc<Semaphore>, of_process: &Arc<Semaphore>) -> Option<Held> {
    // An error would mean that a semaphore is closed, which nothing does.
    let of_tenant = of_tenant.acquire_owned().await.ok()?;
    let of_process = Arc::clone(of_process).acquire_owned().await.ok()?;
    Some(Held { _of_tenant: of_tenant, _of_process: of_process })
}

/// Whole seconds, rounded up: Okta takes nothing else for `Retry-After`.
fn wait(not_until: &NotUntil<QuantaInstant>) -> Error {
    let wait = not_until.wait_time_from(DefaultClock::default().now());
    Error::TooManyRequests { seconds: wait.as_secs() + 1 }
}

//! What each attack costs, in a process of its own: the memory of this one is that of all tests.

use super::Keys;
use gateway::clock::Clock;
use saml::{
    code::Code,
    decryption::DecryptionKey,
    idp::IdentityProvider,
    logout,
    response::{Expected, verify},
    sp::ServiceProvider,
    sp_key::{KeyAlgorithm, SpKey},
};
use simulator::{
    attack::{
        self, Material, Verdict,
        logout::{Material as LogoutMaterial, Sent},
    },
    idp::{
        keys::IdpKey,
        logout::{Content, LogoutMessage},
        response::ResponseBuilder,
    },
};
use std::{fs, process::Command, time::Duration};
use time::OffsetDateTime;

/// Set in the process that measures.
const ALONE: &str = "GATEHOUSE_TEST_MEASURES";
const MOST_TIME: Duration = Duration::from_millis(300);
const MOST_KILOBYTES: u64 = 64 * 1024;

#[test]
fn no_attack_costs_more_than_300_ms_or_64_mb() {
    if std::env::var_os(ALONE).is_some() {
        return measure();
    }
    let own_name = concat!(module_path!(), "::no_attack_costs_more_than_300_ms_or_64_mb");
    let own_name = own_name.split_once("::").unwrap().1;
    let program = std::env::current_exe().unwrap();
    let output = Command::new(program).args(["--exact", own_name, "--nocapture"]).env(ALONE, "1").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}{}", String::from_utf8_lossy(&output.stderr));
}

/// One connection, without anything around it.
struct Connection {
    sp: ServiceProvider,
    provider: IdentityProvider,
    idp: IdpKey,
    keys: Keys,
    own: SpKey,
    decryption: Vec<DecryptionKey>,
    now: OffsetDateTime,
}

impl Connection {
    fn new() -> Self {
        let clock = Clock::manual();
        let now = clock.now();
        let idp = IdpKey::generate(now).unwrap();
        let keys = Keys::new(&idp, &clock);
        let own = SpKey::generate(KeyAlgorithm::Rsa3072, "gate", now, now + Duration::from_secs(86_400)).unwrap();
        let sp = ServiceProvider {
            entity_id: "http://localhost:1/c/one".to_owned(),
            acs_url: "http://localhost:1/c/one/saml/acs".to_owned(),
            slo_url: "http://localhost:1/c/one/saml/slo".to_owned(),
        };
        let provider =
            IdentityProvider::from_fields("https://idp.test/sso", "https://idp.test", idp.certificate_pem()).unwrap();
        let decryption = vec![DecryptionKey::from_pkcs8(own.pkcs8_der().to_vec())];
        Self { sp, provider, idp, keys, own, decryption, now }
    }

    fn expected(&self) -> Expected<'_> {
        Expected {
            sp: &self.sp,
            idp: &self.provider,
            now: self.now,
            skew: time::Duration::minutes(3),
            allow_sha1: false,
            decryption_keys: &self.decryption,
        }
    }

    fn material<'a>(&'a self, canary: &'a str) -> Material<'a> {
        let ServiceProvider { entity_id, acs_url, .. } = &self.sp;
        let honest = ResponseBuilder::new(&self.provider.entity_id, entity_id, acs_url, "ann@acme.test", self.now)
            .in_response_to("_request")
            .attribute("email", "ann@acme.test")
            .attribute("firstName", "Ann");
        Material {
            honest,
            idp: &self.idp,
            stranger: &self.keys.stranger,
            imitator: &self.keys.imitator,
            encryption_certificate: self.own.certificate_der(),
            canary,
            victim: "bob@acme.test",
        }
    }

    fn logout<'a>(&'a self, canary: &'a str) -> LogoutMaterial<'a> {
        let content =
            Content::Request { name_id: "ann@acme.test".to_owned(), session_indexes: vec!["_session".to_owned()] };
        let honest = LogoutMessage::new(&self.provider.entity_id, &self.sp.slo_url, self.now, content);
        LogoutMaterial { honest, idp: &self.idp, stranger: &self.keys.stranger, canary }
    }
}

fn measure() {
    let (connection, canary) = (Connection::new(), "http://127.0.0.1:9");
    let (expected, material) = (connection.expected(), connection.material(canary));
    let (mut meter, mut wrong) = (Meter::new(), Vec::new());
    for attack in attack::catalog() {
        let field = attack.field(&material).unwrap();
        let name = format!("{} {}", attack.class, attack.name);
        let outcome = meter.measured(&name, || verify(&field, &expected).map_err(|refused| refused.code));
        let outcome = outcome.map(|accepted| accepted.name_id().value.clone());
        let wanted = match attack.verdict {
            // Requests, replay and people are not this crate's.
            Verdict::Refused(900..) | Verdict::Genuine => Ok("ann@acme.test".to_owned()),
            Verdict::Refused(code) => Err(known(code)),
        };
        if outcome != wanted {
            wrong.push(format!("{name}: {outcome:?} instead of {wanted:?}"));
        }
    }
    let material = connection.logout(canary);
    for attack in attack::logout::catalog() {
        let outcome = match attack.sent(&material).unwrap() {
            Sent::Query(query) => meter.measured(attack.name, || logout::from_query(&query, &expected)),
            Sent::Form(form) => match form.as_slice() {
                [(field, message)] if *field == "SAMLRequest" => {
                    meter.measured(attack.name, || logout::from_form(message, true, None, &expected))
                }
                _ => continue,
            },
        };
        let outcome = outcome.map(drop).map_err(|refused| refused.code);
        let wanted = match attack.verdict {
            Verdict::Refused(1105) | Verdict::Genuine => Ok(()),
            Verdict::Refused(code) => Err(known(code)),
        };
        if outcome != wanted {
            wrong.push(format!("logout {}: {outcome:?} instead of {wanted:?}", attack.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    meter.report();
}

fn known(code: u16) -> Code {
    let id = format!("GH-SAML-{code}");
    *Code::ALL.iter().find(|known| known.id() == id).unwrap()
}

/// Processor time of this thread, because other processes make a clock lie; and the peak of this process's memory since
/// it began, which counts what it took to make the attack as well.
struct Meter {
    kilobytes_before: u64,
    slowest: (Duration, String),
    largest: (u64, String),
    total: Duration,
}

impl Meter {
    fn new() -> Self {
        let kilobytes_before = kilobytes("VmRSS:");
        Self { kilobytes_before, slowest: Default::default(), largest: Default::default(), total: Duration::ZERO }
    }

    fn measured<T>(&mut self, name: &str, judge: impl FnOnce() -> T) -> T {
        // 5 begins the peak anew (proc(5), clear_refs).
        fs::write("/proc/self/clear_refs", "5").unwrap();
        let start = on_processor();
        let outcome = judge();
        let took = on_processor() - start;
        let grew = kilobytes("VmHWM:").saturating_sub(self.kilobytes_before);
        self.total += took;
        self.slowest = std::mem::take(&mut self.slowest).max((took, name.to_owned()));
        self.largest = std::mem::take(&mut self.largest).max((grew, name.to_owned()));
        outcome
    }

    fn report(&self) {
        println!("slowest {:?}, largest {:?} KB, in all {:?}", self.slowest, self.largest, self.total);
        assert!(self.total > Duration::ZERO, "this kernel does not count processor time");
        assert!(self.slowest.0 < MOST_TIME, "{:?}", self.slowest);
        assert!(self.largest.0 < MOST_KILOBYTES, "{:?}", self.largest);
    }
}

/// The first field of schedstat: nanoseconds.
fn on_processor() -> Duration {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(text.split(' ').next().unwrap().parse().unwrap())
}

fn kilobytes(field: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

//! A closed loop: a fixed number of clients, each sending its next request when the last one is answered.
//! A client is a thread that blocks, which costs the shared machine less than anything that waits for many.

use crate::{http::Http, processes::Usage};
use std::{
    ops::Range,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

/// What a client asks in turn; one such cycle is about one user.
pub struct Scenario<'a> {
    pub name: &'static str,
    pub steps: Vec<Step<'a>>,
    /// From which users one is drawn for each cycle.
    pub users: Range<u64>,
    /// How many cycles there are at most.
    pub supply: usize,
    pub clients: usize,
}

/// One request of a cycle.
pub struct Step<'a> {
    pub label: &'static str,
    pub status: u16,
    /// Writes the request.
    pub request: Box<Write<'a>>,
}

/// Writes the request of a draw.
pub type Write<'a> = dyn Fn(&Draw, &mut Vec<u8>) + Sync + 'a;

/// What is different in each cycle.
#[derive(Debug, Clone, Copy)]
pub struct Draw {
    pub client: usize,
    /// How many cycles began before.
    pub number: usize,
    /// A user who is there.
    pub user: u64,
    /// A number of 18 digits that nobody drew before.
    pub fresh: u64,
}

/// Milliseconds.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    pub p50: f64,
    pub p99: f64,
}

/// Milliseconds of each request of each step, and when the last one was answered.
type Loop = (Vec<Vec<f64>>, Instant);

/// What was measured.
pub struct Figures {
    /// Requests per second, of all steps together.
    pub rate: f64,
    /// Of each step.
    pub times: Vec<Times>,
    /// Of one request.
    pub usage: Usage,
}

impl Scenario<'_> {
    /// Asks from so many clients for so long, after warming up.
    pub fn run(
        &self,
        port: u16,
        clients: usize,
        warm_up: Duration,
        measured: Duration,
        usage: &dyn Fn() -> Usage,
    ) -> Figures {
        let next = AtomicUsize::new(0);
        let begin = Instant::now() + warm_up;
        let end = begin + measured;
        let (used, loops) = thread::scope(|scope| {
            let next = &next;
            let client = |client| scope.spawn(move || self.client(port, client, next, begin, end));
            let clients: Vec<_> = (0..clients).map(client).collect();
            thread::sleep(begin.saturating_duration_since(Instant::now()));
            let before = usage();
            thread::sleep(end.saturating_duration_since(Instant::now()));
            let used = usage() - before;
            (used, clients.into_iter().map(|client| client.join().unwrap()).collect::<Vec<_>>())
        });
        let mut times: Vec<Vec<f64>> = self.steps.iter().map(|_| Vec::new()).collect();
        let mut last = begin;
        for (of_client, finished) in loops {
            last = last.max(finished);
            for (all, some) in times.iter_mut().zip(of_client) {
                all.extend(some);
            }
        }
        let count: usize = times.iter().map(Vec::len).sum();
        assert!(
            count > 0,
            "{}: no request was measured; the supply was used up while warming up, or it takes longer",
            self.name
        );
        Figures {
            rate: count as f64 / (last - begin).as_secs_f64(),
            times: times.into_iter().map(Times::of).collect(),
            usage: used / count as f64,
        }
    }

    fn client(&self, port: u16, client: usize, next: &AtomicUsize, begin: Instant, end: Instant) -> Loop {
        let mut http = Http::connect(port);
        let mut dice = Dice::new(client);
        let mut times: Vec<Vec<f64>> = self.steps.iter().map(|_| Vec::new()).collect();
        let (mut request, mut last) = (Vec::new(), begin);
        // What takes longer than all the time that there is has been measured once at least.
        while Instant::now() < end || last == begin {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= self.supply {
                break;
            }
            let draw = dice.draw(client, number, &self.users);
            for (step, times) in self.steps.iter().zip(&mut times) {
                request.clear();
                (step.request)(&draw, &mut request);
                let sent = Instant::now();
                let status = http.exchange(&request);
                let took = sent.elapsed();
                assert_eq!(status, step.status, "{}: {}", step.label, http.text());
                if sent >= begin {
                    times.push(took.as_secs_f64() * 1e3);
                    last = sent + took;
                }
            }
        }
        (times, last)
    }
}

/// The better figures of two rounds: others share the machine and only ever take away from it.
pub fn best<const N: usize>(one: [Figures; N], other: [Figures; N]) -> [Figures; N] {
    let mut others = other.into_iter();
    one.map(|one| others.next().filter(|other| other.rate > one.rate).unwrap_or(one))
}

impl Times {
    /// The middle and the worst hundredth of these.
    pub fn of(mut times: Vec<f64>) -> Self {
        times.sort_by(f64::total_cmp);
        let at = |share: f64| {
            times.get((times.len().saturating_sub(1) as f64 * share) as usize).copied().unwrap_or(f64::NAN)
        };
        Self { p50: at(0.5), p99: at(0.99) }
    }
}

/// Random numbers that need not be good (SplitMix64).
struct Dice(u64);

impl Dice {
    fn new(client: usize) -> Self {
        let (seed, _) = uuid::Uuid::new_v4().as_u64_pair();
        Self(seed ^ client as u64)
    }

    fn draw(&mut self, client: usize, number: usize, users: &Range<u64>) -> Draw {
        let user = users.start + self.roll() % (users.end - users.start);
        let fresh = 100_000_000_000_000_000 + self.roll() % 900_000_000_000_000_000;
        Draw { client, number, user, fresh }
    }

    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

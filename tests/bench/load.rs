//! A closed loop: a fixed number of clients, each sending its next request when the last one is answered.

use crate::{CLIENTS, MEASURED};
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

/// Requests per second, and milliseconds.
#[derive(Debug, Clone, Copy)]
pub struct Figures {
    pub rate: f64,
    pub p50: f64,
    pub p99: f64,
}

const WARM_UP: Duration = Duration::from_secs(1);

/// Runs `request(n)` for n = 0, 1, 2, … from all clients, until the time or the `supply` is over.
pub async fn closed_loop<F>(supply: usize, request: impl Fn(usize) -> F + Send + Sync + 'static) -> Figures
where
    F: Future<Output = ()> + Send,
{
    let (next, request) = (Arc::new(AtomicUsize::new(0)), Arc::new(request));
    let begin = Instant::now() + WARM_UP;
    let end = begin + MEASURED;
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let (next, request) = (Arc::clone(&next), Arc::clone(&request));
            tokio::spawn(async move {
                let (mut times, mut last) = (Vec::new(), begin);
                while Instant::now() < end {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= supply {
                        break;
                    }
                    let sent = Instant::now();
                    request(number).await;
                    if sent >= begin {
                        times.push(sent.elapsed().as_secs_f64() * 1e3);
                        last = Instant::now();
                    }
                }
                (times, last)
            })
        })
        .collect();
    let (mut times, mut last) = (Vec::new(), begin);
    for client in clients {
        let (of_client, end) = client.await.unwrap();
        times.extend(of_client);
        last = last.max(end);
    }
    assert!(!times.is_empty(), "the supply of {supply} was used up while warming up");
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    Figures { rate: times.len() as f64 / (last - begin).as_secs_f64(), p50: at(0.5), p99: at(0.99) }
}

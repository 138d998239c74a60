//! The database goes away under requests that are served together, and comes back.

use super::*;
use crate::scim::assert_refused;
use gateway::{clock::Clock, config::Hidden};
use harness::gateway_process::{Gateway, setting};
use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// Stands between a gateway and its database. Whenever the way changes, all connections are cut or fall silent.
struct Relay {
    port: u16,
    way: watch::Sender<Way>,
}

/// What becomes of connections.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    Through,
    /// They are closed as soon as they come.
    Closed,
    /// Nothing is heard.
    Silent,
}

impl Relay {
    async fn start(database: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (way, seen) = watch::channel(Way::Through);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(relay(client, database, seen.clone()));
            }
        });
        Self { port, way }
    }
}

async fn relay(mut client: TcpStream, database: SocketAddr, mut way: watch::Receiver<Way>) {
    if *way.borrow_and_update() == Way::Through {
        let Ok(mut server) = TcpStream::connect(database).await else { return };
        tokio::select! {
            _ = copy_bidirectional(&mut client, &mut server) => {}
            _ = way.changed() => {}
        }
    }
    while *way.borrow_and_update() == Way::Silent && way.changed().await.is_ok() {}
}

/// A customer of a gateway whose database is behind a relay.
async fn behind_a_relay() -> (Relay, Arc<Customer>) {
    let mut url = url::Url::parse(&setting("GATEHOUSE__DATABASE__URL")).unwrap();
    let database = url.socket_addrs(|| Some(5432)).unwrap()[0];
    let relay = Relay::start(database).await;
    url.set_ip_host(Ipv4Addr::LOCALHOST.into()).unwrap();
    url.set_port(Some(relay.port)).unwrap();
    let change = |config: &mut gateway::config::Config| {
        config.database.url = Some(Hidden(url.to_string()));
        config.database.acquire_timeout = Duration::from_secs(2);
    };
    let gateway = Gateway::start_with(Clock::manual(), change).await;
    (relay, Arc::new(Customer::of(&gateway).await))
}

/// Asks for one user, searches it and creates another, eight times at once; answers the statuses.
async fn at_once(acme: &Arc<Customer>, ann: &str, round: usize) -> Vec<ScimAnswer> {
    let asked = (0..8).flat_map(|number| {
        let filter = encoded("userName eq \"ann\"");
        let body = json!({ "userName": format!("user{round}.{number}") });
        [
            (Method::GET, format!("/Users/{ann}"), None),
            (Method::GET, format!("/Users?filter={filter}"), None),
            (Method::POST, "/Users".to_owned(), Some(body)),
        ]
    });
    let asked = asked.map(|(method, path, body)| {
        let acme = Arc::clone(acme);
        tokio::spawn(async move { acme.scim(method, &path, body).await })
    });
    let mut answers = Vec::new();
    for answer in asked.collect::<Vec<_>>() {
        answers.push(answer.await.unwrap());
    }
    answers
}

#[tokio::test]
async fn connections_that_were_cut_are_replaced_before_anybody_notices() {
    let (relay, acme) = behind_a_relay().await;
    let ann = user(&acme, "ann").await;
    for round in 0..10 {
        relay.way.send_replace(Way::Through);
        for answer in at_once(&acme, &ann, round).await {
            assert!(answer.status.is_success(), "{} {}", answer.status, answer.body);
        }
    }
    assert_eq!(get(&acme, "/Users?count=0").await["totalResults"], 81);
}

#[tokio::test]
async fn while_the_database_is_away_everybody_is_told_in_time_and_then_served() {
    let (relay, acme) = behind_a_relay().await;
    let ann = user(&acme, "ann").await;
    let mut there = 1;
    for (round, way) in [Way::Closed, Way::Silent].into_iter().enumerate() {
        relay.way.send_replace(way);
        let asked = tokio::time::timeout(Duration::from_secs(20), at_once(&acme, &ann, round)).await;
        for answer in asked.expect("nobody waits for those before in line") {
            assert_refused(&answer, 503, None);
        }
        relay.way.send_replace(Way::Through);
        for answer in at_once(&acme, &ann, round).await {
            assert!(answer.status.is_success(), "{} {}", answer.status, answer.body);
        }
        there += 8;
        assert_eq!(get(&acme, "/Users?count=0").await["totalResults"], there, "who was told otherwise is not there");
    }
}

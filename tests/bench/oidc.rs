//! The OpenID provider: whole sign-ins beside Jackson's, what live sessions take, how soon somebody is out, and what the pages
//! give away.

use crate::{
    ROUNDS,
    departures::{self, BackDoor},
    jackson::{self, Jackson},
    live_sessions, login,
    places::{self, Place, digits},
    processes::{Gatehouse, Usage, postgres_time},
    report::micro,
    scenarios,
    sign_in::{PARTS, Provider, Round, authorize, better},
};
use domain::ids::ConnectionId;
use gateway::{
    clock::Clock,
    setup::{self, applications},
};
use harness::gateway_process::{Gateway, superuser};
use saml::idp::IdentityProvider;
use serde_json::{Value, json};
use simulator::idp::{Idp, IdpOptions};
use std::{path::Path, sync::Arc};
use tokio::net::TcpListener;

/// Users of the tenant, and live sessions in the end.
const SESSIONS: u64 = 100_000;

/// Sign-ins of a round, and of one of Jackson's: some seconds of either.
const SIGN_INS: u64 = 3_000;
const THEIRS: u64 = 400;

/// Users who are deactivated; half of them are watched at another gateway, half by the application.
const LEAVING: u64 = 400;

/// Measures all of it; prints tables, and the same as JSON in the last line.
pub async fn measure(
    desk: &Arc<Gateway>,
    gatehouse: &Gatehouse,
    state: &Path,
    postmaster: u32,
    usage: &dyn Fn() -> Usage,
) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let idp = Idp::start(listener, IdpOptions::default()).await.unwrap();
    let door = BackDoor::open().await;
    let place = places::of_sizes(desk, gatehouse, state.to_owned(), &[SESSIONS]).await.remove(0);
    println!("{} MiB of tables and indexes are in PostgreSQL's memory", places::warm().await);
    let ours = ours(desk, gatehouse, &place, &idp, &door).await;
    let emails: Vec<String> = (1..=SIGN_INS).map(|user| email(&place, user)).collect();
    ours.prove(&idp, &emails[0]);
    // Whoever signs in for the first time is tied to the account then; these figures are of every other time.
    ours.round(&idp, &emails, usage);
    live_sessions::forget().await;
    let before = gatehouse.program.memory();
    let sign_ins = sign_ins(state, postmaster, &ours, &idp, &emails, usage).await;
    let sessions = sessions(&place, &ours, gatehouse, before, usage).await;
    let beside = gatehouse.beside(state);
    let first = SIGN_INS + 1;
    let leaving = departures::measure(&place, &ours, &idp, [gatehouse, &beside], &door, first..first + LEAVING);
    let pages = login::measure(desk, &place, &ours, &beside).await;
    leave(desk, &place).await;
    let all = json!({ "sign_ins": sign_ins, "sessions": sessions, "departures": leaving, "pages": pages });
    println!("\n{all}");
}

fn email(place: &Place, user: u64) -> String {
    scenarios::user_name(place, &digits(user))
}

/// Our own, as the application of that tenant's connection sees it; all of it gets a new identity provider and a new secret.
async fn ours(desk: &Gateway, gatehouse: &Gatehouse, place: &Place, idp: &Idp, door: &BackDoor) -> Provider {
    let (store, now) = (&desk.app.store, Clock::System.now());
    let slug = application(place).await;
    let hear = |application: &mut store::applications::Application, _: &mut _| {
        application.backchannel_logout_uri = Some(door.uri.clone());
    };
    let application = applications::change(store, now, &slug, hear).await.unwrap();
    let secret = applications::rotate_secret(store, now, &slug).await.unwrap();
    let provider = IdentityProvider::from_metadata(&idp.metadata()).unwrap();
    setup::idp::set(store, now, ConnectionId(place.connection), &provider).await.unwrap();
    let (client_id, redirect_uri) = (application.id.to_string(), application.redirect_uris[0].clone());
    let scope = "openid profile email roles offline_access";
    let tenant = place.domain.trim_end_matches(".test");
    let audience = format!("{}/c/{}", gatehouse.url, place.connection);
    Provider {
        name: "Gatehouse",
        port: gatehouse.port,
        origin: gatehouse.url.clone(),
        authorize: authorize("/oauth2/authorize", (&client_id, &redirect_uri), scope, &[("tenant", tenant)]),
        acs_url: format!("{audience}/saml/acs"),
        audience,
        token: "/oauth2/token",
        userinfo: "/oauth2/userInfo",
        client_id,
        client_secret: secret.reveal().to_owned(),
        redirect_uri,
    }
}

/// The name of the application of a tenant's connection.
async fn application(place: &Place) -> String {
    let query = "SELECT a.slug FROM applications a JOIN connections c ON c.application_id = a.id WHERE c.id = $1";
    sqlx::query_scalar(query).bind(place.connection).fetch_one(&mut superuser().await).await.unwrap()
}

/// Jackson, as an application sees it.
fn theirs(jackson: &Jackson) -> Provider {
    let told = jackson.sign_in.as_ref().expect("it has an identity provider");
    let client = (told.client_id.as_str(), jackson::REDIRECT_URI);
    Provider {
        name: "Jackson",
        port: jackson.port,
        origin: "http://localhost".to_owned(),
        authorize: authorize("/api/oauth/authorize", client, "openid", &[]),
        acs_url: told.acs.clone(),
        audience: told.audience.clone(),
        token: "/api/oauth/token",
        userinfo: "/api/oauth/userinfo",
        client_id: told.client_id.clone(),
        client_secret: told.client_secret.clone(),
        redirect_uri: jackson::REDIRECT_URI.to_owned(),
    }
}

/// Rounds of ours and of Jackson's in turn, the best of each.
async fn sign_ins(
    state: &Path,
    postmaster: u32,
    ours: &Provider,
    idp: &Idp,
    emails: &[String],
    usage: &dyn Fn() -> Usage,
) -> Value {
    let theirs = Jackson::start(state, Some(idp)).await.map(|jackson| (theirs(&jackson), jackson));
    let some = &emails[..THEIRS as usize];
    if let Some((provider, jackson)) = &theirs {
        println!("Beside it @boxyhq/saml-jackson {}", jackson.version);
        provider.prove(idp, &emails[0]);
        provider.round(idp, &some[..some.len() / 4], usage);
    }
    let mut best: [Option<Round>; 2] = [None, None];
    let keep = |best: &mut Option<Round>, round: Round| {
        *best = Some(match best.take() {
            Some(before) => better(before, round),
            None => round,
        });
    };
    for _ in 0..ROUNDS {
        keep(&mut best[0], ours.round(idp, emails, usage));
        if let Some((provider, jackson)) = &theirs {
            let usage = || Usage { server: jackson.program.time(), postgres: postgres_time(postmaster) };
            keep(&mut best[1], provider.round(idp, some, &usage));
        }
    }
    let names = [Some(ours.name), theirs.as_ref().map(|(provider, _)| provider.name)];
    let rounds: Vec<(&str, Round)> = names.into_iter().flatten().zip(best.into_iter().flatten()).collect();
    print_sign_ins(&rounds);
    rounds.iter().map(|(name, round)| of_round(name, round)).collect()
}

fn print_sign_ins(rounds: &[(&str, Round)]) {
    println!(
        "\n| sign-ins | count | rate 1/s | p50 ms | p99 ms | server µs | postgres µs | signing, not counted, ms |\n\
         |---|---:|---:|---:|---:|---:|---:|---:|"
    );
    for (name, round) in rounds {
        let Round { count, rate, whole, usage, signing, parts: _ } = round;
        let (server, postgres) = (micro(usage.server), micro(usage.postgres));
        let (p50, p99) = (whole.p50, whole.p99);
        println!("| {name} | {count} | {rate:.0} | {p50:.1} | {p99:.1} | {server:.0} | {postgres:.0} | {signing:.2} |");
    }
    println!("\n| request | of | p50 ms | p99 ms | share of the whole |\n|---|---|---:|---:|---:|");
    for (name, round) in rounds {
        for (part, figures) in PARTS.iter().zip(&round.parts).filter(|(_, figures)| figures.share > 0.0) {
            let (p50, p99, share) = (figures.times.p50, figures.times.p99, figures.share * 100.0);
            println!("| {part} | {name} | {p50:.2} | {p99:.2} | {share:.0} % |");
        }
    }
    if let [(_, ours), (_, theirs)] = rounds {
        println!("\n{:.1} times Jackson's sign-ins.", ours.rate / theirs.rate);
    }
}

fn of_round(name: &str, round: &Round) -> Value {
    let parts = PARTS.iter().zip(&round.parts).map(|(part, figures)| {
        json!({ "part": part, "p50_ms": figures.times.p50, "p99_ms": figures.times.p99, "share": figures.share })
    });
    json!({
        "of": name,
        "count": round.count,
        "per_second": round.rate,
        "p50_ms": round.whole.p50,
        "p99_ms": round.whole.p99,
        "server_us": micro(round.usage.server),
        "postgres_us": micro(round.usage.postgres),
        "signing_ms": round.signing,
        "parts": parts.collect::<Vec<_>>(),
    })
}

/// As many live sessions as there shall be, and what they take.
async fn sessions(
    place: &Place,
    ours: &Provider,
    gatehouse: &Gatehouse,
    before: f64,
    usage: &dyn Fn() -> Usage,
) -> Value {
    let real = live_sessions::count().await.unsigned_abs();
    // Those who leave later have no other session.
    let first = SIGN_INS + LEAVING + 1;
    let copies = first..first + SESSIONS - real;
    live_sessions::copy(place, &copies).await;
    let count = live_sessions::count().await;
    let mut told = live_sessions::print(&live_sessions::room().await, count);
    for user in [copies.start, copies.end - 1] {
        assert!(live_sessions::is_alive(place, ours, user), "the copy for user {user} is no session");
    }
    let used = live_sessions::used(place, ours, copies, usage);
    let (after, peak) = (gatehouse.program.memory(), gatehouse.program.peak());
    let (rate, p50, p99) = (used.rate, used.times[0].p50, used.times[0].p99);
    println!(
        "\n{real} of them are real sign-ins. The gateway had {before:.0} MiB before, {after:.0} after, {peak:.0} at most."
    );
    println!("A browser that has one of them is answered {rate:.0} times a second, p50 {p50:.1} ms, p99 {p99:.1} ms.");
    told["real"] = json!(real);
    told["gateway_mib"] = json!({ "before": before, "after": after, "most": peak });
    told["known_browsers"] = json!({ "per_second": rate, "p50_ms": p50, "p99_ms": p99 });
    told
}

/// Leaves the tenant to the other benchmarks as it was.
async fn leave(desk: &Gateway, place: &Place) {
    let (store, now) = (&desk.app.store, Clock::System.now());
    let deaf =
        |application: &mut store::applications::Application, _: &mut _| application.backchannel_logout_uri = None;
    applications::change(store, now, &application(place).await, deaf).await.unwrap();
    live_sessions::forget().await;
    place.restore().await;
}

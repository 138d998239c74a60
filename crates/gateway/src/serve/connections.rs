//! Connections of one listener: a bounded number, each with bounded patience for its headers (HTTP/1.1).

use axum::{Extension, Router, extract::ConnectInfo};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
    service::TowerToHyperService,
};
use std::{
    io::{self, ErrorKind},
    net::SocketAddr,
    pin::pin,
    sync::Arc,
    time::Duration,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::sleep,
};
use tower::Layer;
use tracing::{debug, error, warn};

/// What the process bears.
///
/// Proxies keep idle connections for a minute and expect them to be there: who is first to close must be the proxy.
pub(super) const BOUNDS: Bounds = Bounds { connections: 10_000, headers: Duration::from_secs(75) };

/// How long nobody is accepted after the system refused one, such as for want of file descriptors.
const PAUSE: Duration = Duration::from_secs(1);

/// What one listener bears.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Connections at a time; more wait in the system's queue.
    pub connections: u32,
    /// How long a client may take for the headers of a request, counted from the answer before it or the connection's
    /// beginning.
    pub headers: Duration,
}

/// Serves until it is told to stop, and then until the last connection ends.
pub(super) async fn serve(listener: TcpListener, router: Router, bounds: Bounds, mut stopped: watch::Receiver<bool>) {
    // Finished here once, not again for each connection.
    let router: Router = router.with_state(());
    let mut server = auto::Builder::new(TokioExecutor::new()).http1_only();
    server.http1().timer(TokioTimer::new()).header_read_timeout(bounds.headers);
    let places = Arc::new(Semaphore::new(usize::try_from(bounds.connections).unwrap_or(usize::MAX)));
    loop {
        let (place, stream, peer) = tokio::select! {
            accepted = accept(&listener, &places) => accepted,
            () = stop(&mut stopped) => break,
        };
        let service = Extension(ConnectInfo(peer)).layer(router.clone());
        tokio::spawn(connection(server.clone(), stream, service, stopped.clone(), place));
    }
    // Who knocks now is told at once that nobody is here.
    drop(listener);
    if places.acquire_many(bounds.connections).await.is_err() {
        warn!("The places of connections closed");
    }
}

type Service = <Extension<ConnectInfo<SocketAddr>> as Layer<Router>>::Service;

/// Serves one connection to its end; after a stop, to the end of the request that runs.
async fn connection(
    server: auto::Builder<TokioExecutor>,
    stream: TcpStream,
    service: Service,
    mut stopped: watch::Receiver<bool>,
    _place: OwnedSemaphorePermit,
) {
    let mut connection = pin!(server.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service)));
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop(&mut stopped) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        debug!(error, "A connection broke off");
    }
}

/// Waits for a place, then for somebody to take it.
async fn accept(listener: &TcpListener, places: &Arc<Semaphore>) -> (OwnedSemaphorePermit, TcpStream, SocketAddr) {
    loop {
        let Ok(place) = Arc::clone(places).acquire_owned().await else { return std::future::pending().await };
        match listener.accept().await {
            Ok((stream, peer)) => return (place, stream, peer),
            Err(error) if is_the_clients(&error) => {}
            Err(error) => {
                error!(%error, "A connection could not be accepted");
                sleep(PAUSE).await;
            }
        }
    }
}

/// Whether the client went away while it waited; the next one is not concerned.
fn is_the_clients(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::ConnectionRefused | ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset)
}

async fn stop(stopped: &mut watch::Receiver<bool>) {
    // An error means that the sender is gone, which is a stop as well.
    if stopped.wait_for(|stop| *stop).await.is_err() {
        warn!("The stop channel closed");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::get;
    use std::time::Instant;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        task::JoinHandle,
        time::timeout,
    };

    /// Longer than anything here takes, unless it takes for ever.
    const FOREVER: Duration = Duration::from_secs(20);

    struct Server {
        address: SocketAddr,
        stop: watch::Sender<bool>,
        task: JoinHandle<()>,
    }

    async fn server(bounds: Bounds) -> Server {
        let router = Router::new().route("/", get(async |ConnectInfo(peer): ConnectInfo<SocketAddr>| peer.to_string()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = watch::channel(false);
        Server { address, stop, task: tokio::spawn(serve(listener, router, bounds, stopped)) }
    }

    impl Server {
        async fn connect(&self) -> TcpStream {
            TcpStream::connect(self.address).await.unwrap()
        }
    }

    async fn until_end(stream: &mut TcpStream) -> String {
        let mut answer = Vec::new();
        timeout(FOREVER, stream.read_to_end(&mut answer)).await.expect("the connection ends").unwrap();
        String::from_utf8(answer).unwrap()
    }

    const PATIENT: Duration = Duration::from_secs(3_600);
    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

    #[tokio::test]
    async fn headers_that_do_not_end_are_not_waited_for() {
        let headers = Duration::from_millis(200);
        let server = server(Bounds { connections: 10, headers }).await;
        for sent in ["", "G", "PRI * HTTP/2.0\r\n", "GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: "] {
            let (mut stream, started) = (server.connect().await, Instant::now());
            stream.write_all(sent.as_bytes()).await.unwrap();
            assert!(!until_end(&mut stream).await.contains(" 200 "), "{sent:?}");
            assert!(started.elapsed() < FOREVER, "{sent:?}");
        }
    }

    #[tokio::test]
    async fn a_connection_that_stays_idle_after_an_answer_is_ended() {
        let server = server(Bounds { connections: 10, headers: Duration::from_millis(200) }).await;
        let mut stream = server.connect().await;
        stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
        assert!(until_end(&mut stream).await.contains(" 200 "));
    }

    #[tokio::test]
    async fn a_handler_learns_who_connects() {
        let server = server(Bounds { connections: 10, headers: PATIENT }).await;
        let mut stream = server.connect().await;
        stream.write_all(REQUEST).await.unwrap();
        let answer = until_end(&mut stream).await;
        assert!(answer.ends_with(&stream.local_addr().unwrap().to_string()), "{answer}");
    }

    #[tokio::test]
    async fn one_more_than_the_bound_waits_until_another_goes() {
        let server = server(Bounds { connections: 2, headers: PATIENT }).await;
        let (first, _second, mut third) = (server.connect().await, server.connect().await, server.connect().await);
        third.write_all(REQUEST).await.unwrap();
        let mut byte = [0];
        assert!(timeout(Duration::from_millis(300), third.read(&mut byte)).await.is_err(), "nobody takes it up");
        drop(first);
        assert!(until_end(&mut third).await.contains(" 200 "));
    }

    #[tokio::test]
    async fn a_stop_closes_what_is_idle_and_waits_for_what_runs() {
        let server = server(Bounds { connections: 10, headers: PATIENT }).await;
        let (mut idle, mut running) = (server.connect().await, server.connect().await);
        running.write_all(&REQUEST[..20]).await.unwrap();
        // Another request is answered meanwhile, so both have been taken up.
        let mut other = server.connect().await;
        other.write_all(REQUEST).await.unwrap();
        until_end(&mut other).await;
        server.stop.send_replace(true);
        assert_eq!(until_end(&mut idle).await, "");
        assert!(!server.task.is_finished());
        assert!(TcpStream::connect(server.address).await.is_err(), "nobody new is taken up");
        running.write_all(&REQUEST[20..]).await.unwrap();
        assert!(until_end(&mut running).await.contains(" 200 "));
        timeout(FOREVER, server.task).await.expect("the server ends").unwrap();
    }

    #[test]
    fn only_what_the_system_lacks_is_paused_for() {
        for (kind, is_the_clients_own) in [
            (ErrorKind::ConnectionAborted, true),
            (ErrorKind::ConnectionReset, true),
            (ErrorKind::OutOfMemory, false),
            (ErrorKind::Other, false),
        ] {
            assert_eq!(is_the_clients(&kind.into()), is_the_clients_own, "{kind}");
        }
    }
}

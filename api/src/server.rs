//! From a socket to the router and, when the time comes, in good order back: connections with bounds, and a shutdown
//! that lets requests in flight finish.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, http::Request};
use hyper::{body::Incoming, server::conn::http1};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::http::{HangUp, Peer};

/// Connections at one time. The next wait in the listener's queue, and then in the client's.
const CONNECTIONS_MAX: usize = 8_192;
/// Time for a request's head to arrive, and for an idle connection to be kept.
const HEAD_WAIT: Duration = Duration::from_secs(30);
const HEADERS_MAX: usize = 100;
/// Bytes of a request's head: line and headers.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// Pause after the system refused a connection, as when it has no file descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

#[derive(Debug, thiserror::Error)]
#[error("can not listen on {address}: {source}")]
pub struct BindError {
    address: SocketAddr,
    source: io::Error,
}

/// # Errors
/// When the address is taken or not ours.
pub async fn bind(address: SocketAddr) -> Result<TcpListener, BindError> {
    TcpListener::bind(address).await.map_err(|source| BindError { address, source })
}

/// The two ways a process is asked to end. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    /// Take nothing new and finish what is begun.
    pub stop: CancellationToken,
    /// Drop everything now.
    pub abort: CancellationToken,
}

impl Shutdown {
    /// Listens for SIGINT and SIGTERM from now on: the first stops, the second aborts.
    ///
    /// # Errors
    /// When the system does not let us.
    pub fn on_signals(&self) -> io::Result<()> {
        use tokio::signal::unix::{SignalKind, signal};
        let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        let this = self.clone();
        tokio::spawn(async move {
            for (token, message) in [(&this.stop, "stopping; a second signal aborts"), (&this.abort, "aborting")] {
                let name = tokio::select! {
                    _ = interrupt.recv() => "SIGINT",
                    _ = terminate.recv() => "SIGTERM",
                };
                tracing::info!(signal = name, "{message}");
                token.cancel();
            }
        });
        Ok(())
    }
}

/// How serving came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Every request was answered.
    Drained,
    /// Some were not within the grace period.
    GraceOver,
    Aborted,
}

/// Serves until `shutdown` says to stop; then closes idle connections and gives the others `grace` to finish.
pub async fn serve(listener: TcpListener, router: Router, shutdown: &Shutdown, grace: Duration) -> Ended {
    let mut protocol = http1::Builder::new();
    protocol
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WAIT)
        .max_headers(HEADERS_MAX)
        .max_buf_size(HEAD_BYTES_MAX);
    let graceful = GracefulShutdown::new();
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let hang_up = CancellationToken::new();
    let _hang_up_at_the_end = hang_up.clone().drop_guard();

    while let Some((stream, peer, place)) = next_connection(&listener, &room, shutdown).await {
        let hang_up = HangUp(hang_up.child_token());
        let of_request = hang_up.clone();
        let service = TowerToHyperService::new(router.clone().map_request(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(peer);
            request.extensions_mut().insert(of_request.clone());
            request
        }));
        let connection = graceful.watch(protocol.serve_connection(TokioIo::new(stream), service));
        tokio::spawn(async move {
            if let Some(Err(error)) = hang_up.0.run_until_cancelled(connection).await {
                tracing::debug!(%error, "connection ended");
            }
            drop(place);
        });
    }
    drop(listener);

    tokio::select! {
        () = graceful.shutdown() => Ended::Drained,
        () = tokio::time::sleep(grace) => Ended::GraceOver,
        () = shutdown.abort.cancelled() => Ended::Aborted,
    }
}

/// The next connection, who is at its other end, and its place among those at one time. `None` when it is time to stop.
async fn next_connection(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
    shutdown: &Shutdown,
) -> Option<(TcpStream, Peer, tokio::sync::OwnedSemaphorePermit)> {
    let next = async {
        // Nobody closes the semaphore.
        let place = Arc::clone(room).acquire_owned().await.ok()?;
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => {
                    // Answers are written whole; waiting for more to send only delays them.
                    if let Err(error) = stream.set_nodelay(true) {
                        tracing::debug!(%error, "TCP_NODELAY is not set");
                    }
                    return Some((stream, Peer(peer), place));
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection was not accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    };
    tokio::select! {
        biased;
        () = shutdown.stop.cancelled() => None,
        () = shutdown.abort.cancelled() => None,
        connection = next => connection,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    struct Running {
        address: SocketAddr,
        shutdown: Shutdown,
        ended: tokio::task::JoinHandle<Ended>,
        entered: Arc<AtomicBool>,
    }

    /// A server whose only route answers after `work`.
    async fn start(work: Duration, grace: Duration) -> Running {
        let entered = Arc::new(AtomicBool::new(false));
        let enter = Arc::clone(&entered);
        let route = get(move || async move {
            enter.store(true, Ordering::SeqCst);
            tokio::time::sleep(work).await;
            "done"
        });
        let listener = bind(([127, 0, 0, 1], 0).into()).await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = Shutdown::default();
        let their = shutdown.clone();
        let router = Router::new().route("/", route);
        let ended = tokio::spawn(async move { serve(listener, router, &their, grace).await });
        Running { address, shutdown, ended, entered }
    }

    impl Running {
        async fn ask(&self) -> TcpStream {
            let mut stream = TcpStream::connect(self.address).await.unwrap();
            stream.write_all(b"GET / HTTP/1.1\r\nHost: palaver\r\n\r\n").await.unwrap();
            while !self.entered.load(Ordering::SeqCst) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            stream
        }
    }

    #[tokio::test]
    async fn a_request_in_flight_is_answered_while_new_connections_and_idle_ones_are_not_kept() {
        let running = start(Duration::from_millis(150), Duration::from_secs(10)).await;
        let mut idle = TcpStream::connect(running.address).await.unwrap();
        let mut stream = running.ask().await;
        running.shutdown.stop.cancel();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("done"), "{answer}");
        assert_eq!(idle.read(&mut [0]).await.unwrap(), 0);
        assert_eq!(running.ended.await.unwrap(), Ended::Drained);
        assert!(TcpStream::connect(running.address).await.is_err());
    }

    #[tokio::test]
    async fn the_grace_period_and_a_second_signal_both_end_the_wait() {
        let slow = start(Duration::from_secs(60), Duration::from_millis(50)).await;
        let _stream = slow.ask().await;
        slow.shutdown.stop.cancel();
        assert_eq!(slow.ended.await.unwrap(), Ended::GraceOver);

        let stuck = start(Duration::from_secs(60), Duration::from_secs(60)).await;
        let mut stream = stuck.ask().await;
        stuck.shutdown.stop.cancel();
        stuck.shutdown.abort.cancel();
        assert_eq!(stuck.ended.await.unwrap(), Ended::Aborted);
        assert_eq!(stream.read(&mut [0]).await.unwrap_or(0), 0);
    }

    #[tokio::test]
    async fn the_first_signal_stops_and_the_second_aborts() {
        let shutdown = Shutdown::default();
        shutdown.on_signals().unwrap();
        let signal = async |name: &str| {
            let own = std::process::id().to_string();
            assert!(tokio::process::Command::new("kill").args([name, &own]).status().await.unwrap().success());
        };
        signal("-TERM").await;
        shutdown.stop.cancelled().await;
        assert!(!shutdown.abort.is_cancelled());
        signal("-INT").await;
        shutdown.abort.cancelled().await;
    }

    #[tokio::test]
    async fn a_taken_address_is_named() {
        let listener = bind(([127, 0, 0, 1], 0).into()).await.unwrap();
        let address = listener.local_addr().unwrap();
        assert!(bind(address).await.unwrap_err().to_string().starts_with(&format!("can not listen on {address}: ")));
    }
}

//! Tests of the accept loop with real sockets. The API's and the store's own tests show what their clients see of it.

// Tells clippy, too, that all of this is a test.
#![cfg(test)]

use std::{
    convert::Infallible,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use hyper::{
    Request, Response,
    body::{Body, Frame, Incoming},
    service::service_fn,
};
use novelfoundry_http::{ConnectionLimits, Pace, serve};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::Notify,
    time::timeout,
};
use tokio_util::sync::{CancellationToken, DropGuard};

const HOUR: Duration = Duration::from_hours(1);
const SOON: Duration = Duration::from_secs(20);
const LIMITS: ConnectionLimits = ConnectionLimits {
    connections: 2,
    head: HOUR,
    write: Pace { patience: HOUR, bytes_per_second: 1 },
    drain: Duration::ZERO,
};

/// An answer without an end, which counts what is taken of it and tells when it is given up.
struct Endless {
    taken: Arc<AtomicUsize>,
    dropped: Arc<Notify>,
}

impl Body for Endless {
    type Data = &'static [u8];
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<&'static [u8]>, Infallible>>> {
        const PIECE: &[u8] = &[0; 64 * 1024];
        self.taken.fetch_add(PIECE.len(), Ordering::Relaxed);
        Poll::Ready(Some(Ok(Frame::data(PIECE))))
    }
}

impl Drop for Endless {
    fn drop(&mut self) {
        self.dropped.notify_one();
    }
}

struct Server {
    address: SocketAddr,
    taken: Arc<AtomicUsize>,
    dropped: Arc<Notify>,
    _stop: DropGuard,
}

impl Server {
    async fn start(limits: ConnectionLimits) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (taken, dropped, stop) =
            (Arc::<AtomicUsize>::default(), Arc::default(), CancellationToken::new());
        let server = Self {
            address,
            taken: Arc::clone(&taken),
            dropped: Arc::clone(&dropped),
            _stop: stop.clone().drop_guard(),
        };
        tokio::spawn(serve(listener, "test", limits, stop, move |_| {
            let (taken, dropped) = (Arc::clone(&taken), Arc::clone(&dropped));
            service_fn(move |_: Request<Incoming>| {
                let answer = Endless { taken: Arc::clone(&taken), dropped: Arc::clone(&dropped) };
                async move { Ok::<_, Infallible>(Response::new(answer)) }
            })
        }));
        server
    }

    /// Asks, and reads the first bytes of the answer; `None` where the connection is closed instead.
    async fn ask(&self) -> Option<TcpStream> {
        let mut client = TcpStream::connect(self.address).await.unwrap();
        // A refused one may be closed before it has asked.
        let _ = client.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
        let mut first = [0; 12];
        let read = timeout(SOON, client.read_exact(&mut first)).await.expect("answered or closed at once");
        (read.is_ok() && first == *b"HTTP/1.1 200").then_some(client)
    }
}

#[tokio::test]
async fn requests_under_way_are_kept_and_silent_connections_are_not() {
    let server = Server::start(LIMITS).await;
    let first = server.ask().await.unwrap();
    let mut silent = TcpStream::connect(server.address).await.unwrap();
    let second = server.ask().await.expect("served in place of the silent one");
    assert_eq!(timeout(SOON, silent.read(&mut [0])).await.unwrap().unwrap_or(0), 0, "closed");
    assert!(server.ask().await.is_none(), "the address has taken every connection itself");
    for mut client in [first, second] {
        let mut more = vec![0; 1_000_000];
        timeout(SOON, client.read_exact(&mut more)).await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn an_answer_that_is_not_taken_in_is_given_up() {
    let write = Pace { patience: Duration::from_millis(100), bytes_per_second: 1_000_000 };
    let server = Server::start(ConnectionLimits { write, ..LIMITS }).await;
    let _client = server.ask().await.unwrap();
    timeout(SOON, server.dropped.notified()).await.expect("given up");
    // A system that took in megabytes would not ask for more until a third of them has gone out: on a slow line, for
    // longer than the patience lasts.
    if cfg!(target_os = "linux") {
        let taken = server.taken.load(Ordering::Relaxed);
        assert!(taken < 1_500_000, "{taken}");
    }
}

//! The accept loop of both servers: bounded in connections, against clients that are slow to ask or to take an answer,
//! and drained at the end.

use std::{error::Error, io::ErrorKind, net::SocketAddr, sync::Arc, time::Duration};

use hyper::{
    Request, Response,
    body::{Body, Incoming},
    server::conn::http1,
    service::Service,
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use tokio::{
    net::{TcpListener, TcpStream},
    task::{Id, JoinError, JoinSet},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use crate::{
    Pace,
    activity::{Activity, noted},
    crowd::Crowd,
    stall::Stall,
};

/// How long accepting pauses when the process has no file descriptor left and no connection can be missed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How many bytes of an answer the system takes in beyond those that are under way.
#[cfg(target_os = "linux")]
const UNSENT: u32 = 64 * 1024;
/// How often the log tells that connections run short, at most.
const SHORTAGE_TOLD: Duration = Duration::from_mins(1);

pub(crate) type Cause = Box<dyn Error + Send + Sync>;

/// What the clients of a server may cost it.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionLimits {
    /// How many connections are served at once. A newcomer beyond takes the place of one on which nothing is asked, or
    /// else of one of the address that holds most; where that is its own, it is closed.
    pub connections: usize,
    /// How long a client may take to send a request's head, and how long a connection may idle between requests.
    pub head: Duration,
    /// How slowly a client may take an answer in.
    pub write: Pace,
    /// How long requests may go on once the server was asked to stop.
    pub drain: Duration,
}

/// Serves HTTP/1.1 until `shutdown`, then lets the requests under way end. `server` names it in the log, and `service`
/// makes what answers one client.
pub async fn serve<S, B>(
    listener: TcpListener,
    server: &'static str,
    limits: ConnectionLimits,
    shutdown: CancellationToken,
    service: impl Fn(SocketAddr) -> S,
) where
    S: Service<Request<Incoming>, Response = Response<B>, Error: Into<Cause>, Future: Send> + Send + 'static,
    B: Body<Data: Send, Error: Into<Cause>> + Unpin + Send + 'static,
{
    let graceful = GracefulShutdown::new();
    let (mut connections, mut crowd, mut shortage) =
        (JoinSet::new(), Crowd::default(), Shortage::new(server));
    loop {
        let accepted = tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            Some(ended) = connections.join_next_with_id() => {
                crowd.remove(id(ended));
                continue;
            }
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, address)) => {
                let now = Instant::now();
                if crowd.len() >= limits.connections {
                    let Some(id) = crowd.who_gives_way(address.ip(), now) else {
                        shortage.tell("every connection is taken: one is refused", None);
                        continue;
                    };
                    shortage.tell("every connection is taken: one gives way", None);
                    crowd.cut(id);
                }
                if let Err(error) = prepare(&stream) {
                    tracing::debug!(%error, "socket options not set");
                }
                let activity = Arc::new(Activity::new(now));
                let stream = Stall::new(TokioIo::new(stream), limits.write, Arc::clone(&activity));
                let connection = http1::Builder::new()
                    .timer(TokioTimer::new())
                    .header_read_timeout(limits.head)
                    .serve_connection(stream, noted(service(address), Arc::clone(&activity)));
                let connection = graceful.watch(connection);
                let connection = connections.spawn(async move {
                    if let Err(error) = connection.await {
                        let cause: &dyn Error = &error;
                        tracing::debug!(error = cause, "connection ended");
                    }
                });
                crowd.admit(address.ip(), activity, connection);
            }
            // The client left before it was accepted.
            Err(error)
                if matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset) => {}
            Err(error) => {
                shortage.tell("a connection cannot be accepted", Some(&error));
                match crowd.most_idle(Instant::now()) {
                    Some(idle) => {
                        crowd.cut(idle);
                        // Its descriptor is free once it has ended.
                        if let Some(ended) = connections.join_next_with_id().await {
                            crowd.remove(id(ended));
                        }
                    }
                    None => tokio::time::sleep(ACCEPT_PAUSE).await,
                }
            }
        }
    }
    drop(listener);
    if tokio::time::timeout(limits.drain, graceful.shutdown()).await.is_err() {
        tracing::warn!(server, "stops with requests under way");
    }
    connections.shutdown().await;
}

/// Has small answers sent at once, and large ones wait here: a system that takes in megabytes reports progress only
/// when a third of them has gone out, which on a slow line takes longer than the patience with it lasts.
fn prepare(stream: &TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    #[cfg(target_os = "linux")]
    socket2::SockRef::from(stream).set_tcp_notsent_lowat(UNSENT)?;
    Ok(())
}

fn id(ended: Result<(Id, ()), JoinError>) -> Id {
    ended.map_or_else(|error| error.id(), |(id, ())| id)
}

/// Tells the operator that connections run short, now and then: clients must not be able to fill the log.
struct Shortage {
    server: &'static str,
    told: Option<Instant>,
}

impl Shortage {
    fn new(server: &'static str) -> Self {
        Self { server, told: None }
    }

    fn tell(&mut self, what: &'static str, error: Option<&std::io::Error>) {
        if self.told.is_none_or(|told| told.elapsed() >= SHORTAGE_TOLD) {
            self.told = Some(Instant::now());
            let error = error.map(tracing::field::display);
            tracing::warn!(server = self.server, error, "{what}");
        }
    }
}

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
use tokio::{net::TcpListener, sync::Semaphore, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::Stall;

/// How long accepting pauses when the process has no file descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

type Cause = Box<dyn Error + Send + Sync>;

/// What the clients of a server may cost it.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionLimits {
    /// How many connections are served at once; more wait to be accepted.
    pub connections: usize,
    /// How long a client may take to send a request's head, and how long a connection may idle between requests.
    pub head: Duration,
    /// How long a client may take in nothing of an answer.
    pub write: Duration,
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
    B: Body<Data: Send, Error: Into<Cause>> + Send + 'static,
{
    let slots = Arc::new(Semaphore::new(limits.connections));
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let accepted = async {
            let slot = Arc::clone(&slots).acquire_owned().await;
            (slot, listener.accept().await)
        };
        let (slot, accepted) = tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            accepted = accepted => accepted,
        };
        match accepted {
            Ok((stream, address)) => {
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, "TCP_NODELAY not set");
                }
                let stream = Stall::new(TokioIo::new(stream), limits.write);
                let connection = http1::Builder::new()
                    .timer(TokioTimer::new())
                    .header_read_timeout(limits.head)
                    .serve_connection(stream, service(address));
                let connection = graceful.watch(connection);
                connections.spawn(async move {
                    if let Err(error) = connection.await {
                        let cause: &dyn Error = &error;
                        tracing::debug!(error = cause, "connection ended");
                    }
                    drop(slot);
                });
            }
            // The client left before it was accepted.
            Err(error)
                if matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset) => {}
            Err(error) => {
                tracing::error!(%error, server, "a connection cannot be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    if tokio::time::timeout(limits.drain, graceful.shutdown()).await.is_err() {
        tracing::warn!(server, "stops with requests under way");
    }
    connections.shutdown().await;
}

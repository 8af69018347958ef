//! Serves HTTP/1.1 with bounds on slow clients, and drains on shutdown.

use std::{convert::Infallible, net::SocketAddr, time::Duration};

use axum::{Router, extract::ConnectInfo};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
    service::TowerToHyperService,
};
use novelfoundry_http::Stall;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower::{Service, ServiceExt};

/// How long a client may take over a request's head.
const HEADER_TIMEOUT: Duration = Duration::from_secs(15);
/// How long a client may take in nothing of an answer.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// How long running requests may take once the server is told to stop.
const DRAIN: Duration = Duration::from_secs(20);
/// Connections open at once; further clients wait in the listener's queue.
const CONNECTIONS: usize = 4096;

/// Serves until `shutdown`, then lets running requests end.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    shutdown: CancellationToken,
) -> std::io::Result<()> {
    let graceful = GracefulShutdown::new();
    let slots = std::sync::Arc::new(tokio::sync::Semaphore::new(CONNECTIONS));
    loop {
        let next = async {
            let slot = std::sync::Arc::clone(&slots).acquire_owned().await;
            (slot, listener.accept().await)
        };
        let (slot, (stream, address)) = tokio::select! {
            () = shutdown.cancelled() => break,
            (slot, accepted) = next => match accepted {
                Ok(accepted) => (slot, accepted),
                Err(error) => {
                    // Out of file descriptors, most likely: others must close first.
                    tracing::warn!(%error, "a connection was not accepted");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            },
        };
        // Answers are small and must not wait for more.
        let _ = stream.set_nodelay(true);
        let service = TowerToHyperService::new(with_address(router.clone(), address));
        let connection = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_TIMEOUT)
            .serve_connection(Stall::new(TokioIo::new(stream), WRITE_TIMEOUT), service);
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            // A client that goes away is no event worth a line.
            let _ = connection.await;
            drop(slot);
        });
    }
    drop(listener);
    if tokio::time::timeout(DRAIN, graceful.shutdown()).await.is_err() {
        tracing::warn!("some requests did not end in time");
    }
    Ok(())
}

type HyperRequest = http::Request<hyper::body::Incoming>;

fn with_address(
    router: Router,
    address: SocketAddr,
) -> impl Service<HyperRequest, Response = axum::response::Response, Error = Infallible, Future: Send> + Clone
{
    tower::service_fn(move |mut request: HyperRequest| {
        request.extensions_mut().insert(ConnectInfo(address));
        router.clone().oneshot(request)
    })
}

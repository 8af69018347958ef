//! Serves HTTP/1.1 with bounds on slow clients, and drains on shutdown.

use std::{convert::Infallible, net::SocketAddr, time::Duration};

use axum::{Router, extract::ConnectInfo};
use hyper_util::service::TowerToHyperService;
use novelfoundry_http::{ConnectionLimits, Pace};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower::{Service, ServiceExt};

const LIMITS: ConnectionLimits = ConnectionLimits {
    connections: 4096,
    head: Duration::from_secs(15),
    write: Pace { patience: Duration::from_secs(30), bytes_per_second: 1024 },
    drain: Duration::from_secs(20),
};

/// Serves until `shutdown`, then lets running requests end.
pub async fn serve(listener: TcpListener, router: Router, shutdown: CancellationToken) {
    novelfoundry_http::serve(listener, "API", LIMITS, shutdown, |address| {
        TowerToHyperService::new(with_address(router.clone(), address))
    })
    .await;
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

//! The HTTP server of the store: connections with bounds, and around `s3s` the checks and headers that S3's protocol
//! leaves to its operator.

mod answer;
mod body;
mod cors;
mod guard;

use std::{convert::Infallible, io::ErrorKind, sync::Arc, time::Duration};

use http::{Method, Request, Response, header};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use s3s::{Body, HttpRequest, S3ErrorCode, service::S3Service};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use novelfoundry_http::Stall;

pub(super) use body::BodyFault;

use super::{
    ObjectStore,
    protocol::{self, RequestId},
};
use body::ClientBody;

/// How long accepting pauses when the process has no file descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves the store to the listener's clients until `shutdown` is cancelled, and then until the requests under way
/// are answered or [`Limits::drain`](super::Limits::drain) has passed.
pub async fn serve(store: ObjectStore, listener: TcpListener, shutdown: CancellationToken) {
    let limits = store.0.limits;
    let slots = Arc::new(Semaphore::new(limits.connections));
    let handler = Arc::new(Handler { s3: protocol::service(&store), store });
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let accepted = async {
            let slot = Arc::clone(&slots).acquire_owned().await;
            (slot, listener.accept().await)
        };
        let (slot, stream) = tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            (slot, stream) = accepted => (slot, stream),
        };
        match stream {
            Ok((stream, _)) => {
                let connection = graceful.watch(connection(stream, &handler, limits));
                connections.spawn(async move {
                    if let Err(error) = connection.await {
                        tracing::debug!(error = %novelfoundry_core::report(&error), "connection ended");
                    }
                    drop(slot);
                });
            }
            // The client left before it was accepted.
            Err(error)
                if matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset) => {}
            Err(error) => {
                tracing::error!(%error, "the object store cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    if tokio::time::timeout(limits.drain, graceful.shutdown()).await.is_err() {
        tracing::warn!("the object store stops with requests under way");
    }
    connections.shutdown().await;
}

fn connection(
    stream: TcpStream,
    handler: &Arc<Handler>,
    limits: super::Limits,
) -> http1::Connection<
    Stall<TokioIo<TcpStream>>,
    impl hyper::service::HttpService<Incoming, ResBody = Body, Error = Infallible, Future: Send> + use<>,
> {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY not set");
    }
    let handler = Arc::clone(handler);
    http1::Builder::new().timer(TokioTimer::new()).header_read_timeout(limits.head).serve_connection(
        Stall::new(TokioIo::new(stream), limits.idle),
        service_fn(move |request| {
            let handler = Arc::clone(&handler);
            async move { Ok::<_, Infallible>(handler.handle(request).await) }
        }),
    )
}

struct Handler {
    s3: S3Service,
    store: ObjectStore,
}

impl Handler {
    async fn handle(&self, request: Request<Incoming>) -> Response<Body> {
        let shared = &self.store.0;
        let id = RequestId(shared.request_ids.next());
        let origin = cors::Origin::of(request.headers(), &shared.allowed_origins);
        let mut response = if request.method() == Method::OPTIONS {
            cors::preflight(&origin, request.headers())
        } else {
            self.answer(request, id).await
        };
        origin.allow(response.headers_mut());
        answer::finish(&mut response, id);
        response
    }

    async fn answer(&self, request: Request<Incoming>, id: RequestId) -> Response<Body> {
        // Taking in a body that its client holds back would ask for it.
        let held_back = request.headers().contains_key(header::EXPECT);
        let request = request.map(|incoming| ClientBody::new(incoming, self.store.0.limits.idle));
        let rest = request.body().rest();
        let response = match guard::check(&request) {
            Ok(()) => self.operate(request, id).await,
            Err(refusal) => protocol::xml(refusal),
        };
        if !held_back {
            rest.discard();
        }
        response
    }

    async fn operate(&self, request: Request<ClientBody>, id: RequestId) -> Response<Body> {
        let fault = request.body().fault();
        let mut request: HttpRequest = request.map(Body::http_body_unsync);
        request.extensions_mut().insert(id);
        request.extensions_mut().insert(fault);
        self.s3.call(request).await.unwrap_or_else(|error| {
            let error: s3s::StdError = error.into();
            tracing::error!(request_id = %id.0, error = %novelfoundry_core::report(&*error), "the S3 service failed");
            protocol::xml(S3ErrorCode::InternalError.into())
        })
    }
}

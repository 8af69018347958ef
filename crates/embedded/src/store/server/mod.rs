//! The HTTP server of the store: connections with bounds, and around `s3s` the checks and headers that S3's protocol
//! leaves to its operator.

mod answer;
mod body;
mod cors;
mod guard;

use std::{convert::Infallible, sync::Arc};

use http::{Method, Request, Response, header};
use hyper::{body::Incoming, service::service_fn};
use novelfoundry_http::{ConnectionLimits, Pace};
use s3s::{Body, HttpRequest, S3ErrorCode, service::S3Service};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub(super) use body::BodyFault;

use super::{
    ObjectStore,
    protocol::{self, RequestId},
};
use body::ClientBody;

/// Serves the store to the listener's clients until `shutdown` is cancelled, and then until the requests under way
/// are answered or [`Limits::drain`](super::Limits::drain) has passed.
pub async fn serve(store: ObjectStore, listener: TcpListener, shutdown: CancellationToken) {
    let super::Limits { connections, head, drain, .. } = store.0.limits;
    let limits = ConnectionLimits { connections, head, write: pace(&store), drain };
    let handler = Arc::new(Handler { s3: protocol::service(&store), store });
    novelfoundry_http::serve(listener, "object store", limits, shutdown, |_| {
        let handler = Arc::clone(&handler);
        service_fn(move |request| {
            let handler = Arc::clone(&handler);
            async move { Ok::<_, Infallible>(handler.handle(request).await) }
        })
    })
    .await;
}

/// How slow a client may be with a body, in either direction.
fn pace(store: &ObjectStore) -> Pace {
    let super::Limits { idle, bytes_per_second, .. } = store.0.limits;
    Pace { patience: idle, bytes_per_second }
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
        let request = request.map(|incoming| ClientBody::new(incoming, pace(&self.store)));
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

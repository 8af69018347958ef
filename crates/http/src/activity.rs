//! What a connection is doing: one on which nobody asks anything may be closed in favour of one that does.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll},
};

use hyper::{
    Request, Response,
    body::{Body, Frame, Incoming, SizeHint},
    service::{Service, service_fn},
};
use tokio::time::{Duration, Instant};

use crate::serve::Cause;

/// What one connection is doing, and since when.
#[derive(Debug)]
pub(crate) struct Activity {
    accepted: Instant,
    /// A request was read whole up to its body, and its answer is not yet handed over.
    asked: AtomicBool,
    /// The answer waits for the client to take it in.
    writes: AtomicBool,
    /// When a request last began or ended, in microseconds after the connection was accepted.
    changed: AtomicU64,
}

impl Activity {
    pub(crate) fn new(accepted: Instant) -> Self {
        Self {
            accepted,
            asked: AtomicBool::default(),
            writes: AtomicBool::default(),
            changed: AtomicU64::default(),
        }
    }

    /// A connection on which a request is under way.
    #[cfg(test)]
    pub(crate) fn busy(since: Instant) -> Self {
        Self { asked: AtomicBool::new(true), ..Self::new(since) }
    }

    /// Tells whether a request is under way.
    pub(crate) fn is_busy(&self) -> bool {
        self.asked.load(Ordering::Relaxed) || self.writes.load(Ordering::Relaxed)
    }

    /// When the last request began or ended, or the connection was accepted.
    pub(crate) fn since(&self) -> Instant {
        self.accepted + Duration::from_micros(self.changed.load(Ordering::Relaxed))
    }

    /// Notes whether the client keeps an answer waiting.
    pub(crate) fn writes(&self, writes: bool) {
        self.writes.store(writes, Ordering::Relaxed);
    }

    fn asked(&self, asked: bool) {
        let now = u64::try_from(self.accepted.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.changed.store(now, Ordering::Relaxed);
        self.asked.store(asked, Ordering::Relaxed);
    }
}

/// Wraps a connection's service so that its requests are noted.
pub(crate) fn noted<S, B>(
    service: S,
    activity: Arc<Activity>,
) -> impl Service<Request<Incoming>, Response = Response<Noted<B>>, Error = S::Error, Future: Send>
where
    S: Service<Request<Incoming>, Response = Response<B>, Error: Into<Cause>, Future: Send>,
    B: Body + Unpin,
{
    service_fn(move |request| {
        let asked = Asked::new(Arc::clone(&activity));
        let answer = service.call(request);
        async move { Ok(answer.await?.map(|body| Noted { body, _asked: asked })) }
    })
}

/// A request under way, until this is dropped.
struct Asked(Arc<Activity>);

impl Asked {
    fn new(activity: Arc<Activity>) -> Self {
        activity.asked(true);
        Self(activity)
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        self.0.asked(false);
    }
}

/// The body of an answer, with whose end the request ends.
pub(crate) struct Noted<B> {
    body: B,
    _asked: Asked,
}

impl<B: Body + Unpin> Body for Noted<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

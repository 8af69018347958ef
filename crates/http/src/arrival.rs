//! Tells whose fault a deadline is: a server that gave up while it waited for a request's body was not slow itself.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use hyper::body::{Body, Frame, SizeHint};

/// A body that notes whether it is being waited for.
pub struct Watched<B> {
    inner: B,
    awaited: Arc<AtomicBool>,
}

/// What is known of a watched body.
#[derive(Clone, Debug)]
pub struct Arrival(Arc<AtomicBool>);

impl<B> Watched<B> {
    /// Watches a body.
    pub fn new(inner: B) -> (Self, Arrival) {
        let awaited = Arc::new(AtomicBool::new(false));
        (Self { inner, awaited: Arc::clone(&awaited) }, Arrival(awaited))
    }
}

impl Arrival {
    /// Tells whether whoever reads the body waits for the client to send on.
    pub fn is_awaited(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl<B: Body + Unpin> Body for Watched<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let polled = Pin::new(&mut self.inner).poll_frame(context);
        self.awaited.store(polled.is_pending(), Ordering::Relaxed);
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

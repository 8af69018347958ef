//! A request's body that does not wait for ever, and remembers why it broke: what `s3s` wraps around a body loses
//! its errors' types. What a refused request still sends is taken in and thrown away for a while: closing at once
//! would reset the connection, and the client would never read why.

use std::{
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU8, Ordering},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use novelfoundry_http::{Meter, Pace};

/// Why a body broke.
#[derive(Debug, Default)]
pub(in crate::store) struct BodyFault(AtomicU8);

impl BodyFault {
    /// The client sent too little for too long.
    pub(in crate::store) const IDLE: u8 = 1;
    /// The connection broke, or the body is not framed as HTTP.
    pub(in crate::store) const BROKEN: u8 = 2;

    /// Returns the reason, or 0 where there is none.
    pub(in crate::store) fn get(&self) -> u8 {
        self.0.load(Ordering::Relaxed)
    }
}

#[derive(Debug, thiserror::Error)]
pub(super) enum BodyError {
    #[error("the client sent too little for too long")]
    Idle,
    #[error("the connection broke")]
    Broken(#[source] hyper::Error),
}

/// How much of a refused body is taken in, at most, before the connection is closed.
const LINGER: u64 = 64 << 20;

/// The body of a request.
pub(super) struct ClientBody {
    incoming: Arc<Mutex<Incoming>>,
    pace: Pace,
    meter: Meter,
    fault: Arc<BodyFault>,
}

impl ClientBody {
    pub(super) fn new(incoming: Incoming, pace: Pace) -> Self {
        let incoming = Arc::new(Mutex::new(incoming));
        Self { incoming, pace, meter: Meter::new(pace), fault: Arc::default() }
    }

    /// Why the body broke, if it did.
    pub(super) fn fault(&self) -> Arc<BodyFault> {
        Arc::clone(&self.fault)
    }

    /// Returns the same body, for what its reader leaves of it.
    pub(super) fn rest(&self) -> Self {
        let (incoming, fault) = (Arc::clone(&self.incoming), self.fault());
        Self { incoming, pace: self.pace, meter: Meter::new(self.pace), fault }
    }

    /// Takes in what is left, in the background and within limits, while the response is sent.
    pub(super) fn discard(mut self) {
        if self.is_end_stream() || self.fault.get() != 0 {
            return;
        }
        tokio::spawn(async move {
            let patience = self.pace.patience;
            let discard = async {
                let mut discarded = 0;
                while let Some(Ok(frame)) = self.frame().await {
                    discarded += frame.data_ref().map_or(0, |data| data.len() as u64);
                    if discarded > LINGER {
                        break;
                    }
                }
            };
            let _ = tokio::time::timeout(patience, discard).await;
        });
    }

    fn locked(&self) -> MutexGuard<'_, Incoming> {
        self.incoming.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Body for ClientBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        let polled = Pin::new(&mut *this.locked()).poll_frame(context);
        if let Poll::Ready(frame) = polled {
            let data = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref());
            this.meter.moved(data.map_or(0, Bytes::len));
            return Poll::Ready(frame.map(|frame| {
                frame.map_err(|error| {
                    this.fault.0.store(BodyFault::BROKEN, Ordering::Relaxed);
                    BodyError::Broken(error)
                })
            }));
        }
        this.meter.poll_exhausted(context).map(|()| {
            this.fault.0.store(BodyFault::IDLE, Ordering::Relaxed);
            Some(Err(BodyError::Idle))
        })
    }

    fn is_end_stream(&self) -> bool {
        self.locked().is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.locked().size_hint()
    }
}

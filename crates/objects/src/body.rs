//! An object on its way in: passed on piece by piece, never held whole.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_util::{Stream, StreamExt, TryStreamExt, stream::BoxStream};

use crate::StoreError;

/// An object's bytes as they arrive. Ends early only with an error, and when no byte comes for 20 seconds.
pub struct ObjectBody {
    bytes: u64,
    stream: BoxStream<'static, Result<Bytes, StoreError>>,
}

impl ObjectBody {
    pub(crate) fn new(bytes: u64, response: reqwest::Response) -> Self {
        Self { bytes, stream: response.bytes_stream().map_err(StoreError::connection).boxed() }
    }

    /// Returns the length of the whole object, in bytes.
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl Stream for ObjectBody {
    type Item = Result<Bytes, StoreError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.stream.poll_next_unpin(context)
    }
}

impl fmt::Debug for ObjectBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObjectBody").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

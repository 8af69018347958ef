//! What can go wrong in the store, before it becomes an S3 error.

use std::io;

use super::{checksum::Mismatch, key::KeyError, record::Corruption};

/// Says why the store did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    #[error("cannot {0}")]
    Io(&'static str, #[source] io::Error),
    #[error("the stored object is corrupt")]
    Corrupt(#[from] Corruption),
    #[error("the key is not valid")]
    Key(#[from] KeyError),
    #[error("there is no such object")]
    NoSuchKey,
    #[error("a precondition does not hold")]
    Precondition,
    #[error("the object is not modified")]
    NotModified,
    #[error("the bytes are not the declared ones")]
    Mismatch(#[from] Mismatch),
    #[error("the blocking task did not finish")]
    Interrupted,
}

impl StoreError {
    /// Returns a function that says what could not be done.
    pub(crate) fn io(doing: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io(doing, source)
    }
}

/// Runs file-system work on a thread that may block. Once begun it runs to its end, also when the caller is gone.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| StoreError::Interrupted)?
}

//! What can go wrong with the object store, by what a caller can do about it.

/// Says why a call to the object store failed. Signed URLs never show in it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The store cannot be reached, is overloaded or broke off: worth another try later.
    #[error("the object store is unavailable")]
    Unavailable {
        /// What was seen of it.
        source: UnavailableCause,
    },
    /// The store refuses the request: wrong credentials, no right to the bucket, or clocks that differ.
    #[error("the object store refuses the credentials ({})", shown(.code.as_deref()))]
    Denied {
        /// The store's error code, where it gave one.
        code: Option<String>,
    },
    /// There is no such object.
    #[error("there is no such object")]
    Missing,
    /// The store answered something that is not expected of it.
    #[error("the object store answered {status} ({})", shown(.code.as_deref()))]
    Unexpected {
        /// The HTTP status.
        status: u16,
        /// The store's error code, where it gave one.
        code: Option<String>,
    },
}

/// Says in which way the object store is unavailable.
#[derive(Debug, thiserror::Error)]
pub enum UnavailableCause {
    /// The connection failed or broke, or the body stood still.
    #[error("the connection failed")]
    Connection(#[source] reqwest::Error),
    /// No answer came in time.
    #[error("no answer came in time")]
    Timeout,
    /// The store asked to slow down, or failed itself.
    #[error("the answer was {status} ({})", shown(.code.as_deref()))]
    Status {
        /// The HTTP status.
        status: u16,
        /// The store's error code, where it gave one.
        code: Option<String>,
    },
}

impl StoreError {
    /// Says whether the same call may succeed later.
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }

    /// Wraps a failed transfer, without its URL: that carries a signature.
    pub(crate) fn connection(error: reqwest::Error) -> Self {
        let error = error.without_url();
        let source =
            if error.is_timeout() { UnavailableCause::Timeout } else { UnavailableCause::Connection(error) };
        Self::Unavailable { source }
    }

    /// Sorts an answer that is not a success.
    pub(crate) fn answer(status: u16, code: Option<String>) -> Self {
        match status {
            408 | 429 | 500..=599 => Self::Unavailable { source: UnavailableCause::Status { status, code } },
            403 => Self::Denied { code },
            // A missing bucket is a mistake in the configuration, not a missing object.
            404 if code.as_deref() != Some("NoSuchBucket") => Self::Missing,
            _ => Self::Unexpected { status, code },
        }
    }
}

/// Says why a client cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum OptionsError {
    /// The endpoint or public URL is not an http or https URL with a host.
    #[error("the object store's address must be an http or https URL with a host")]
    Url,
    /// The bucket's name is not one.
    #[error("the bucket's name must have 3 to 63 letters, digits, dots, dashes or underscores")]
    Bucket,
    /// The region's name is not one.
    #[error("the region must have 1 to 63 letters, digits, dashes or underscores")]
    Region,
    /// The access key's id or secret is empty.
    #[error("the access key id and the secret access key must not be empty")]
    Credentials,
    /// The HTTP client cannot be built.
    #[error("the HTTP client cannot be set up")]
    Client(#[source] reqwest::Error),
}

fn shown(code: Option<&str>) -> &str {
    code.unwrap_or("no error code")
}

//! Store errors as S3 errors. What the client cannot mend is logged once, here, and not told.

use http::{HeaderMap, HeaderValue, StatusCode, header};
use novelfoundry_core::report;
use rustix::io::Errno;
use s3s::{HttpResponse, S3Error, S3ErrorCode, s3_error};
use uuid::Uuid;

use crate::store::{
    checksum::Mismatch,
    error::StoreError,
    key::{KEY_MAX, KeyError},
};

/// Names one request, in the answer and in the log.
#[derive(Clone, Copy)]
pub(in crate::store) struct RequestId(pub(in crate::store) Uuid);

/// Builds the answer to a request that `s3s` does not get to see, or that it failed at.
pub(in crate::store) fn xml(error: S3Error) -> HttpResponse {
    error.to_http_response().unwrap_or_else(|_| {
        let mut response = HttpResponse::new(s3s::Body::empty());
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        response
    })
}

/// Converts an error of the store.
pub(super) fn of_store(error: StoreError, id: Option<&RequestId>, key: &str) -> S3Error {
    match error {
        StoreError::NoSuchKey => s3_error!(NoSuchKey),
        StoreError::Precondition => s3_error!(PreconditionFailed),
        StoreError::NotModified => s3_error!(NotModified),
        StoreError::Key(KeyError::TooLong) => {
            s3_error!(KeyTooLongError, "a key has at most {KEY_MAX} bytes")
        }
        StoreError::Key(error) => s3_error!(InvalidArgument, "{error}"),
        StoreError::Mismatch(Mismatch::Length) => s3_error!(IncompleteBody),
        StoreError::Mismatch(mismatch) => s3_error!(BadDigest, "{mismatch}"),
        error => {
            let request_id = id.map(|id| tracing::field::display(id.0));
            tracing::error!(request_id, ?key, error = %report(&error), "the object store failed");
            fault(&error)
        }
    }
}

fn fault(error: &StoreError) -> S3Error {
    let errno = match error {
        StoreError::Io(_, source) => Errno::from_io_error(source),
        _ => None,
    };
    match errno {
        Some(Errno::NOSPC | Errno::DQUOT) => {
            let mut error =
                S3Error::with_message(S3ErrorCode::Custom("InsufficientStorage".into()), "the disk is full");
            error.set_status_code(StatusCode::INSUFFICIENT_STORAGE);
            error
        }
        Some(Errno::MFILE | Errno::NFILE) => s3_error!(SlowDown),
        _ => s3_error!(InternalError),
    }
}

/// Builds the answer to a range that begins behind the object's end.
pub(super) fn unsatisfiable_range(length: u64) -> S3Error {
    let mut error = s3_error!(InvalidRange);
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    if let Ok(value) = HeaderValue::try_from(format!("bytes */{length}")) {
        headers.insert(header::CONTENT_RANGE, value);
    }
    error.set_headers(headers);
    error
}

/// Builds the answer that the client's copy is still good.
pub(super) fn not_modified(etag: &str) -> S3Error {
    let mut error = s3_error!(NotModified);
    let mut headers = HeaderMap::new();
    if let Ok(value) = HeaderValue::try_from(format!("\"{etag}\"")) {
        headers.insert(header::ETAG, value);
    }
    error.set_headers(headers);
    error
}

//! Cross-origin requests, for the configured origins and no others.

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use s3s::{Body, HttpResponse, s3_error};

use crate::store::protocol;

const METHODS: &str = "GET, HEAD, PUT";
const EXPOSED: &str = "etag, content-length, content-range, content-disposition, accept-ranges, last-modified, \
    x-amz-request-id, x-amz-checksum-crc32, x-amz-checksum-crc32c, x-amz-checksum-crc64nvme, x-amz-checksum-sha1, \
    x-amz-checksum-sha256";
/// Request headers that pages may send, beside `x-amz-…`.
const HEADERS: [&str; 11] = [
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-md5",
    "content-type",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-unmodified-since",
    "range",
];
const VARY: &str = "origin, access-control-request-method, access-control-request-headers";
const MAX_AGE: HeaderValue = HeaderValue::from_static("600");

/// A request's origin, if it is one of the configured.
pub(super) struct Origin(Option<HeaderValue>);

impl Origin {
    pub(super) fn of(headers: &HeaderMap, allowed: &[String]) -> Self {
        let origin = headers.get(header::ORIGIN);
        Self(origin.filter(|origin| allowed.iter().any(|one| one.as_bytes() == origin.as_bytes())).cloned())
    }

    /// Lets the origin's page read the response; every response tells caches that it depends on the origin.
    pub(super) fn allow(self, headers: &mut HeaderMap) {
        headers.entry(header::VARY).or_insert(HeaderValue::from_static("origin"));
        if let Some(origin) = self.0 {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
        }
    }
}

/// Answers a browser's question whether a page may send a request; such a question is never signed.
pub(super) fn preflight(origin: &Origin, headers: &HeaderMap) -> HttpResponse {
    let mut response = if may_send(origin, headers).unwrap_or(false) {
        let mut response = HttpResponse::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        let answer = response.headers_mut();
        answer.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(METHODS));
        answer.insert(header::ACCESS_CONTROL_MAX_AGE, MAX_AGE);
        if let Some(wanted) = headers.get(header::ACCESS_CONTROL_REQUEST_HEADERS) {
            answer.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, wanted.clone());
        }
        response
    } else {
        protocol::xml(s3_error!(AccessDenied, "this cross-origin request is not allowed"))
    };
    response.headers_mut().insert(header::VARY, HeaderValue::from_static(VARY));
    response
}

/// Tells whether the page may send the request it asks about; `None` where the question is malformed.
fn may_send(origin: &Origin, headers: &HeaderMap) -> Option<bool> {
    let method = headers.get(header::ACCESS_CONTROL_REQUEST_METHOD)?.to_str().ok()?;
    let wanted = match headers.get(header::ACCESS_CONTROL_REQUEST_HEADERS) {
        Some(wanted) => wanted.to_str().ok()?,
        None => "",
    };
    let mut wanted = wanted.split(',').map(str::trim).filter(|name| !name.is_empty());
    let known = METHODS.split(", ").any(|known| known == method);
    Some(origin.0.is_some() && known && wanted.all(is_harmless))
}

fn is_harmless(name: &str) -> bool {
    let Ok(name) = HeaderName::try_from(name) else { return false };
    HEADERS.contains(&name.as_str()) || name.as_str().starts_with("x-amz-")
}

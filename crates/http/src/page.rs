//! What goes with a page that a browser shows.

use http::{HeaderName, HeaderValue, Response, StatusCode, header};

/// Answers with an HTML page that nobody may frame, and that may load and run only what `policy`, a
/// `Content-Security-Policy`, lets it.
pub fn page(status: StatusCode, policy: &str, html: String) -> Response<String> {
    // A policy that is no header value would leave the page without one.
    let policy = HeaderValue::from_str(policy).unwrap_or(HeaderValue::from_static("default-src 'none'"));
    let mut response = Response::new(html);
    *response.status_mut() = status;
    response.headers_mut().extend([
        (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
        (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
    ]);
    response
}

//! The headers that every response carries, so that what writers upload never runs as a page of the store's origin.

use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use s3s::Body;

use crate::store::protocol::RequestId;

const POLICY: HeaderValue = HeaderValue::from_static("sandbox; default-src 'none'");
/// A signed URL is the permission, wherever the page that holds it comes from.
const RESOURCE_POLICY: HeaderValue = HeaderValue::from_static("cross-origin");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-amz-request-id");

/// Types that no browser runs or renders as a document with scripts. Anything else is a download.
const INERT: [&str; 14] = [
    "application/json",
    "application/octet-stream",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "application/zip",
    "audio/mpeg",
    "audio/ogg",
    "image/avif",
    "image/gif",
    "image/jpeg",
    "image/png",
    "image/webp",
    "text/csv",
    "text/markdown",
    "text/plain",
];

/// Adds what every response carries.
pub(super) fn finish(response: &mut Response<Body>, id: RequestId) {
    if response.status() == StatusCode::NOT_MODIFIED {
        *response.body_mut() = Body::empty();
        response.headers_mut().remove(header::CONTENT_LENGTH);
        response.headers_mut().remove(header::CONTENT_TYPE);
    }
    let headers = response.headers_mut();
    // Only objects have ranges.
    if headers.contains_key(header::ACCEPT_RANGES) && !(is_inert(headers) || is_attachment(headers)) {
        headers.insert(header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment"));
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CONTENT_SECURITY_POLICY, POLICY);
    headers.insert(HeaderName::from_static("cross-origin-resource-policy"), RESOURCE_POLICY);
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    if let Ok(id) = HeaderValue::try_from(id.0.to_string()) {
        headers.insert(REQUEST_ID, id);
    }
}

/// Tells whether there is one content type and it is inert. Browsers take the last of a comma-separated list.
fn is_inert(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return false };
    let Ok(value) = value.to_str() else { return false };
    let essence = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    !value.contains(',') && INERT.contains(&essence.as_str())
}

fn is_attachment(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(header::CONTENT_DISPOSITION).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return false };
    let kind = value.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default();
    kind.trim_ascii().eq_ignore_ascii_case(b"attachment")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disposition(content_type: &str, given: Option<&str>) -> Option<String> {
        let mut response = Response::new(Body::empty());
        let headers = response.headers_mut();
        headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        headers.insert(header::CONTENT_TYPE, content_type.parse().unwrap());
        if let Some(given) = given {
            headers.insert(header::CONTENT_DISPOSITION, given.parse().unwrap());
        }
        finish(&mut response, RequestId(uuid::Uuid::nil()));
        response.headers().get(header::CONTENT_DISPOSITION).map(|value| value.to_str().unwrap().to_owned())
    }

    #[test]
    fn active_types_are_downloads() {
        for active in [
            "text/html",
            "TEXT/HTML; charset=utf-8",
            "image/svg+xml",
            "application/xhtml+xml",
            "text/xml",
            "application/pdf",
            "text/javascript",
            "text/plain, text/html",
            "text/plain;a=\",text/html",
            "nonsense",
            "",
        ] {
            assert_eq!(disposition(active, None).as_deref(), Some("attachment"), "{active}");
            assert_eq!(
                disposition(active, Some("inline; filename=x")).as_deref(),
                Some("attachment"),
                "{active}"
            );
            assert_eq!(disposition(active, Some("attachmentx")).as_deref(), Some("attachment"), "{active}");
            let named = Some("Attachment; filename=\"a.html\"");
            assert_eq!(disposition(active, named).as_deref(), named, "{active}");
        }
        assert_eq!(disposition("text/plain; charset=utf-8", None), None);
        assert_eq!(disposition("image/png", Some("inline")).as_deref(), Some("inline"));
    }
}

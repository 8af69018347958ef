//! What is refused before `s3s` sees it. It accepts more than a private store should: version 2 signatures (which
//! never expire and cover no body), form uploads, and headers that nobody signed.

use std::borrow::Cow;

use http::{HeaderMap, Method, Request, header};
use s3s::{S3Error, s3_error};

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// The longest life of a presigned URL, in seconds, as in S3.
const EXPIRES_MAX: u32 = 7 * 24 * 3600;
/// May stay unsigned in a presigned request: it only narrows what the body may be.
const NARROWING: &str = "x-amz-content-sha256";

/// Refuses requests that are unsigned, signed in an unsafe way, or of no declared length.
pub(super) fn check<B>(request: &Request<B>) -> Result<(), S3Error> {
    let headers = request.headers();
    let query: Vec<_> =
        url::form_urlencoded::parse(request.uri().query().unwrap_or_default().as_bytes()).collect();
    let one = |name: &str| {
        let mut values = query.iter().filter(|(known, _)| known == name).map(|(_, value)| value);
        (values.next(), values.next().is_some())
    };
    for version_2 in ["Signature", "AWSAccessKeyId"] {
        if one(version_2).0.is_some() {
            return Err(s3_error!(AccessDenied, "only {ALGORITHM} signatures are accepted"));
        }
    }
    let signed = match (one("X-Amz-Signature"), authorization(headers)?) {
        ((None, _), None) => return Err(s3_error!(AccessDenied, "the request is not signed")),
        ((Some(_), _), Some(_)) | ((Some(_), true), None) => {
            return Err(s3_error!(InvalidArgument, "the request must be signed once"));
        }
        ((Some(_), false), None) => {
            let expires = one("X-Amz-Expires").0.and_then(|seconds| seconds.parse::<u32>().ok());
            if expires.is_none_or(|seconds| seconds > EXPIRES_MAX) {
                return Err(s3_error!(
                    AuthorizationQueryParametersError,
                    "X-Amz-Expires must be at most a week"
                ));
            }
            match one("X-Amz-SignedHeaders") {
                (Some(signed), false) => signed.clone(),
                _ => return Err(s3_error!(AuthorizationQueryParametersError)),
            }
        }
        ((None, _), Some(signed)) => Cow::Owned(signed),
    };
    all_signed(headers, &signed)?;
    framed(request)
}

/// Returns the `SignedHeaders` of a version 4 authorization header.
fn authorization(headers: &HeaderMap) -> Result<Option<String>, S3Error> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let fields =
        value.to_str().ok().and_then(|text| text.strip_prefix(ALGORITHM)).filter(|_| values.next().is_none());
    let Some(fields) = fields else {
        return Err(s3_error!(AccessDenied, "only {ALGORITHM} signatures are accepted"));
    };
    let signed = fields.split(',').find_map(|field| field.trim().strip_prefix("SignedHeaders="));
    signed.map(|signed| Some(signed.to_owned())).ok_or_else(|| s3_error!(AuthorizationHeaderMalformed))
}

/// A header that changes what a request does must be signed, or whoever holds a URL for one thing could do another:
/// `x-amz-copy-source` turns an upload into a copy of any object.
fn all_signed(headers: &HeaderMap, signed: &str) -> Result<(), S3Error> {
    let is_signed = |name: &str| signed.split(';').any(|one| one.eq_ignore_ascii_case(name));
    if !is_signed("host") {
        return Err(s3_error!(AccessDenied, "the host is not signed"));
    }
    let unsigned = |name: &&str| name.starts_with("x-amz-") && *name != NARROWING && !is_signed(name);
    match headers.keys().map(header::HeaderName::as_str).find(unsigned) {
        Some(name) => Err(s3_error!(AccessDenied, "the header {name} is not signed")),
        None => Ok(()),
    }
}

fn framed<B>(request: &Request<B>) -> Result<(), S3Error> {
    let headers = request.headers();
    if request.method() == Method::PUT && !headers.contains_key(header::CONTENT_LENGTH) {
        return Err(s3_error!(MissingContentLength));
    }
    let form = headers.get_all(header::CONTENT_TYPE).iter().any(|value| {
        value
            .as_bytes()
            .trim_ascii_start()
            .get(..10)
            .is_some_and(|start| start.eq_ignore_ascii_case(b"multipart/"))
    });
    if request.method() == Method::POST && form {
        return Err(s3_error!(NotImplemented, "form uploads are not supported"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIGNED: &str = "/b/k?X-Amz-Signature=0&X-Amz-Expires=60&X-Amz-SignedHeaders=host%3Bx-amz-meta-a";

    fn code(method: &str, uri: &str, headers: &[(&str, &str)]) -> String {
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        check(&request.body(()).unwrap())
            .map_or_else(|error| error.code().as_str().to_owned(), |()| "passes".to_owned())
    }

    #[test]
    fn only_safely_signed_requests_pass() {
        let v4 =
            ("authorization", "AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host;x-amz-date, Signature=0");
        assert_eq!(code("GET", SIGNED, &[]), "passes");
        assert_eq!(code("GET", SIGNED, &[("x-amz-meta-a", "1"), ("x-amz-content-sha256", "0")]), "passes");
        assert_eq!(code("GET", "/b/k", &[v4, ("x-amz-date", "0")]), "passes");
        assert_eq!(code("GET", "/b/k", &[]), "AccessDenied");
        assert_eq!(code("GET", SIGNED, &[v4]), "InvalidArgument");
        assert_eq!(code("GET", "/b/k", &[v4, ("x-amz-copy-source", "/b/other")]), "AccessDenied");
        assert_eq!(code("PUT", SIGNED, &[("x-amz-copy-source", "/b/other")]), "AccessDenied");
        assert_eq!(code("GET", "/b/k?AWSAccessKeyId=a&Signature=b&Expires=9", &[]), "AccessDenied");
        assert_eq!(code("GET", "/b/k", &[("authorization", "AWS a:b"), ("date", "x")]), "AccessDenied");
        assert_eq!(code("GET", &SIGNED.replace("host", "range"), &[]), "AccessDenied");
        assert_eq!(code("GET", &SIGNED.replace("=60", "=604801"), &[]), "AuthorizationQueryParametersError");
        assert_eq!(
            code("GET", &format!("{SIGNED}&X-Amz-SignedHeaders=host"), &[]),
            "AuthorizationQueryParametersError"
        );
        assert_eq!(code("PUT", SIGNED, &[]), "MissingContentLength");
        assert_eq!(
            code("POST", SIGNED, &[("content-type", " Multipart/form-data; boundary=x")]),
            "NotImplemented"
        );
    }
}

//! What browsers may do, and what they must not be made to do.

use reqwest::{Method, Response, StatusCode};
use rusty_s3::S3Action as _;

use super::fixture::{HOUR, ORIGIN, Store};

async fn preflight(store: &Store, origin: &str, method: &str, headers: &str) -> Response {
    let url = store.bucket.object_url("t/x");
    let request = store.http.request(Method::OPTIONS, url).header("origin", origin);
    let request = request.header("access-control-request-method", method);
    request.header("access-control-request-headers", headers).send().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn preflights_are_granted_to_the_configured_origin_only() {
    let store = Store::start().await;
    let wanted = "content-type,x-amz-checksum-sha256,range,if-none-match";
    let granted = preflight(&store, ORIGIN, "PUT", wanted).await;
    assert_eq!(granted.status(), StatusCode::NO_CONTENT);
    let headers = granted.headers();
    assert_eq!(headers["access-control-allow-origin"], ORIGIN);
    assert_eq!(headers["access-control-allow-headers"], wanted);
    assert!(headers["access-control-allow-methods"].to_str().unwrap().contains("PUT"));
    assert!(headers["vary"].to_str().unwrap().contains("origin"));
    for (origin, method, headers) in [
        ("https://app.example.com.evil.example", "PUT", wanted),
        ("http://app.example.com", "PUT", wanted),
        ("null", "GET", ""),
        (ORIGIN, "DELETE", wanted),
        (ORIGIN, "PUT", "content-type,authorization"),
        (ORIGIN, "PUT", "x evil"),
    ] {
        let refused = preflight(&store, origin, method, headers).await;
        assert_eq!(refused.status(), StatusCode::FORBIDDEN, "{origin} {method} {headers}");
        assert!(!refused.headers().contains_key("access-control-allow-methods"));
        assert_eq!(refused.headers().contains_key("access-control-allow-origin"), origin == ORIGIN);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn responses_may_be_read_by_the_configured_origin_only() {
    let store = Store::start().await;
    store.put("t/x", b"x").await;
    for key in ["t/x", "t/none"] {
        let url = store.bucket.get_object(Some(&store.credentials), key).sign(HOUR);
        let ours = store.http.get(url.clone()).header("origin", ORIGIN).send().await.unwrap();
        assert_eq!(ours.headers()["access-control-allow-origin"], ORIGIN);
        assert!(ours.headers()["access-control-expose-headers"].to_str().unwrap().contains("etag"));
        assert_eq!(ours.headers()["vary"], "origin");
        for origin in ["https://evil.example", "null"] {
            let theirs = store.http.get(url.clone()).header("origin", origin).send().await.unwrap();
            assert!(theirs.headers().keys().all(|name| !name.as_str().starts_with("access-control-")));
            assert_eq!(theirs.headers()["vary"], "origin");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_uploaded_page_never_runs_on_the_store_s_origin() {
    let store = Store::start().await;
    let page = b"<script>alert(1)</script>";
    for content_type in ["text/html", "image/svg+xml", "application/xhtml+xml", "text/xml; charset=utf-8"] {
        store.put_as("t/page", page, content_type, page).await;
        let response = store.get("t/page").await;
        assert_eq!(response.headers()["content-disposition"], "attachment", "{content_type}");
    }
    store.put("t/text", page).await;
    let mut action = store.bucket.get_object(Some(&store.credentials), "t/text");
    action.query_mut().insert("response-content-type", "text/html");
    action.query_mut().insert("response-content-disposition", "inline");
    let signed = store.http.get(action.sign(HOUR)).send().await.unwrap();
    assert_eq!(signed.headers()["content-disposition"], "attachment");

    let missing = store.get("t/none").await;
    let unsigned = store.http.get(store.bucket.object_url("t/text")).send().await.unwrap();
    let question = preflight(&store, ORIGIN, "PUT", "").await;
    for response in [signed, missing, unsigned, question] {
        let headers = response.headers();
        assert_eq!(headers["x-content-type-options"], "nosniff");
        assert_eq!(headers["content-security-policy"], "sandbox; default-src 'none'");
        assert_eq!(headers["cross-origin-resource-policy"], "cross-origin");
        assert!(headers.contains_key("x-amz-request-id"));
    }
}

//! Who may ask.

use std::time::Duration;

use jiff::ToSpan as _;
use novelfoundry_core::{Clock as _, SystemClock};
use reqwest::StatusCode;
use rusty_s3::S3Action as _;
use tokio::net::TcpStream;

use super::fixture::{HOUR, Presign, Store};

async fn code(store: &Store, presign: &Presign<'_>) -> String {
    let (status, answer) = store.raw(presign.method, &store.presign(presign), &[], b"").await;
    let code = answer.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>"));
    code.map_or_else(|| status.to_string(), |(code, _)| format!("{status} {code}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_url_is_good_for_its_request_and_its_time_only() {
    let store = Store::start().await;
    store.put("t/x", b"x").await;
    let good = Presign::new("GET", "/novels/t/x");
    assert_eq!(code(&store, &good).await, "200");

    let now = SystemClock.now();
    let expired = Presign { at: Some(now - 20.minutes()), expires: 600, ..good };
    assert_eq!(code(&store, &expired).await, "403 AccessDenied");
    let early = Presign { at: Some(now + 20.minutes()), ..good };
    assert_eq!(code(&store, &early).await, "403 RequestTimeTooSkewed");
    assert_eq!(
        code(&store, &Presign { expires: 700_000, ..good }).await,
        "400 AuthorizationQueryParametersError"
    );
    assert_eq!(
        code(&store, &Presign { region: "us-east-1", ..good }).await,
        "400 AuthorizationHeaderMalformed"
    );
    assert_eq!(code(&store, &Presign { service: "sts", ..good }).await, "403 AccessDenied");
    assert_eq!(code(&store, &Presign { path: "/others/t/x", ..good }).await, "404 NoSuchBucket");

    let target = store.presign(&good);
    for (method, target) in [
        ("PUT", target.clone()),
        ("DELETE", target.clone()),
        ("HEAD", target.clone()),
        ("GET", target.replace("/t/x", "/t/y")),
        ("GET", target.replace("X-Amz-Expires=600", "X-Amz-Expires=601")),
        ("GET", target.replace("Amz-Signature=", "Amz-Signature=0").chars().take(target.len()).collect()),
        ("GET", format!("{target}&response-content-type=text%2Fhtml")),
    ] {
        let (status, answer) = store.raw(method, &target, &[("content-length", "0")], b"").await;
        assert_eq!(status, 403, "{method} {target} {answer}");
    }
    assert_eq!(store.read("t/x").await.as_deref(), Some(&b"x"[..]));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unsigned_request_is_refused() {
    let store = Store::start().await;
    store.put("t/x", b"x").await;
    let objects =
        ["/novels/t/x", "/novels", "/", "/novels?list-type=2", "/novels/t/x?uploads", "/novels?policy"];
    for path in objects {
        for method in ["GET", "PUT", "POST", "DELETE", "HEAD", "PATCH"] {
            let (status, answer) = store.raw(method, path, &[("content-length", "0")], b"").await;
            assert_eq!(status, 403, "{method} {path} {answer}");
            assert!(
                method == "HEAD" || answer.contains("<Code>AccessDenied</Code>"),
                "{method} {path} {answer}"
            );
        }
    }
    let stranger = rusty_s3::Credentials::new("stranger", "whatever");
    let url = store.bucket.get_object(Some(&stranger), "t/x").sign(HOUR);
    assert_eq!(store.http.get(url).send().await.unwrap().status(), StatusCode::FORBIDDEN);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_holds_a_url_for_an_upload_cannot_make_it_another_request() {
    let store = Store::start().await;
    store.put("victim/secret", b"secret").await;
    let url = store.bucket.put_object(Some(&store.credentials), "thief/copy").sign(HOUR);
    for (name, value) in [
        ("x-amz-copy-source", "/novels/victim/secret"),
        ("x-amz-meta-revision", "forged"),
        ("x-amz-acl", "public-read"),
        ("x-amz-checksum-sha256", "AAAA"),
    ] {
        let response =
            store.http.put(url.clone()).header(name, value).header("content-length", 0).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::FORBIDDEN, "{name}");
    }
    assert_eq!(store.read("thief/copy").await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_stops_when_asked_and_finishes_what_it_began() {
    let mut store = Store::start().await;
    let body = super::fixture::bytes(3_000_000, 5);
    store.put("t/x", &body).await;
    let mut reading = store.get("t/x").await;
    let mut read = reading.chunk().await.unwrap().unwrap().to_vec();
    store.stop.cancel();
    while let Some(chunk) = reading.chunk().await.unwrap() {
        read.extend_from_slice(&chunk);
    }
    assert!(read == body);
    let served = tokio::time::timeout(Duration::from_secs(10), &mut store.served).await;
    served.expect("an idle connection does not hold the server").unwrap();
    assert!(TcpStream::connect(&store.authority).await.is_err());
    // The root is free for the next process.
    let again = Store::open(super::fixture::options(store.root.clone())).await;
    assert!(again.read("t/x").await.unwrap() == body);
}

//! The server's own calls, above all when the store does not do its part.

use std::{error::Error, time::Duration};

use axum::{body::Body, response::Response};
use futures_util::{StreamExt, TryStreamExt};
use novelfoundry_objects::{ObjectInfo, Store, StoreError, UnavailableCause};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    time::Instant,
};

use crate::{
    key, options,
    server::{Server, answer},
};

const SLOW_DOWN: &str = "<?xml version=\"1.0\"?><Error><Code>SlowDown</Code><Message>x</Message></Error>";
const LENGTH: (&str, &str) = ("content-length", "1234");
const SUM: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";

async fn read(store: &Store) -> Result<Vec<u8>, StoreError> {
    let body = store.get(&key()).await?;
    let announced = body.bytes();
    let bytes = body.try_fold(Vec::new(), async |mut all, piece| {
        all.extend_from_slice(&piece);
        Ok(all)
    });
    let bytes = bytes.await?;
    assert_eq!(bytes.len() as u64, announced);
    Ok(bytes)
}

/// Nothing a log may show gives away a signature.
fn assert_discreet(error: &StoreError) {
    let mut shown = format!("{error:?} {error}");
    let mut cause = error.source();
    while let Some(source) = cause {
        shown = format!("{shown} {source:?} {source}");
        cause = source.source();
    }
    assert!(!shown.contains("Signature=") && !shown.contains("X-Amz"), "{shown}");
}

#[tokio::test]
async fn a_store_that_recovers_is_waited_for() {
    let script = || -> Vec<Box<dyn Fn() -> Response + Send>> {
        vec![
            Box::new(|| answer(503, &[], SLOW_DOWN)),
            Box::new(|| answer(503, &[], "")),
            Box::new(|| answer(200, &[], "hello")),
        ]
    };
    let server = Server::start(script()).await;
    assert_eq!(read(&server.store()).await.unwrap(), b"hello");
    assert_eq!(server.requests("GET"), 3);

    let server = Server::start(script()).await;
    assert_eq!(server.store().head(&key()).await.unwrap().unwrap().bytes, 5);
    assert_eq!(server.requests("HEAD"), 3);

    let server = Server::start(script()).await;
    let store = server.store();
    tokio::spawn(async move { store.delete(&key()).await }).await.unwrap().unwrap();
    assert_eq!(server.requests("DELETE"), 3);
}

#[tokio::test]
async fn a_store_that_stays_down_is_given_up() {
    for status in [408, 429, 500, 502, 503, 504] {
        let server = Server::start(vec![Box::new(move || answer(status, &[], SLOW_DOWN))]).await;
        let error = read(&server.store()).await.unwrap_err();
        assert!(error.is_retryable());
        assert_discreet(&error);
        let StoreError::Unavailable { source: UnavailableCause::Status { status: seen, code } } = error
        else {
            panic!("{status}: {error:?}")
        };
        assert_eq!((seen, code.as_deref()), (status, Some("SlowDown")));
        assert_eq!(server.requests("GET"), 3, "{status}");
    }
}

#[tokio::test]
async fn what_another_try_would_not_change_is_not_tried_again() {
    let denied = "<Error><Code>RequestTimeTooSkewed</Code></Error>";
    let server = Server::always(403, &[], denied).await;
    let error = read(&server.store()).await.unwrap_err();
    assert!(!error.is_retryable());
    assert!(matches!(error, StoreError::Denied { code: Some(ref code) } if code == "RequestTimeTooSkewed"));
    assert_eq!(server.requests("GET"), 1);

    let server = Server::always(403, &[], "").await;
    assert!(matches!(server.store().head(&key()).await, Err(StoreError::Denied { code: None })));
    assert_eq!(server.requests("HEAD"), 1);

    for (body, expected) in [
        ("<Error><Code>InvalidRequest</Code></Error>", Some("InvalidRequest")),
        ("<Error><Code>evil\r\nlog line</Code></Error>", None),
        ("<Error><Code></Code></Error>", None),
        ("<Code>", None),
        ("", None),
    ] {
        let server = Server::start(vec![Box::new(move || answer(400, &[], body))]).await;
        let Err(StoreError::Unexpected { status: 400, code }) = server.store().delete(&key()).await else {
            panic!("{body}")
        };
        assert_eq!(code.as_deref(), expected);
        assert_eq!(server.requests("DELETE"), 1);
    }
}

#[tokio::test]
async fn a_missing_object_is_not_a_missing_bucket() {
    let server = Server::always(404, &[], "<Error><Code>NoSuchKey</Code></Error>").await;
    assert_eq!(server.store().head(&key()).await.unwrap(), None);
    let server = Server::always(404, &[], "<Error><Code>NoSuchKey</Code></Error>").await;
    assert!(matches!(server.store().get(&key()).await, Err(StoreError::Missing)));
    assert_eq!(server.requests("GET"), 1);
    let server = Server::always(404, &[], "").await;
    server.store().delete(&key()).await.unwrap();

    let server = Server::always(404, &[], "<Error><Code>NoSuchBucket</Code></Error>").await;
    assert!(matches!(server.store().delete(&key()).await, Err(StoreError::Unexpected { status: 404, .. })));
    assert!(matches!(server.store().get(&key()).await, Err(StoreError::Unexpected { status: 404, .. })));
}

#[tokio::test]
async fn a_missing_bucket_is_not_overlooked() {
    let server = Server::always(200, &[], "<ListBucketResult/>").await;
    server.store().check_bucket().await.unwrap();
    assert_eq!(server.requests("GET"), 1);
    for body in ["<Error><Code>NoSuchBucket</Code></Error>", "not even S3"] {
        let server = Server::start(vec![Box::new(move || answer(404, &[], body))]).await;
        let refused = server.store().check_bucket().await;
        assert!(matches!(refused, Err(StoreError::Unexpected { status: 404, .. })), "{refused:?}");
    }
    let server = Server::always(403, &[], "<Error><Code>AccessDenied</Code></Error>").await;
    assert!(matches!(server.store().check_bucket().await, Err(StoreError::Denied { .. })));
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let server = Server::always(307, &[("location", "/elsewhere")], "").await;
    assert!(matches!(server.store().get(&key()).await, Err(StoreError::Unexpected { status: 307, .. })));
    assert_eq!(server.requests("GET"), 1);
}

#[tokio::test]
async fn nobody_listening_is_unavailable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (options, _) = options(&format!("http://{}", listener.local_addr().unwrap()));
    drop(listener);
    let store = Store::new(options).unwrap();
    for error in [
        store.head(&key()).await.unwrap_err(),
        store.get(&key()).await.unwrap_err(),
        store.delete(&key()).await.unwrap_err(),
    ] {
        assert!(
            matches!(error, StoreError::Unavailable { source: UnavailableCause::Connection(_) }),
            "{error:?}"
        );
        assert_discreet(&error);
    }
}

#[tokio::test]
async fn an_object_is_described_by_its_headers() {
    let sum = [7; 32];
    let described =
        |sha256, etag: Option<&str>| ObjectInfo { bytes: 1234, sha256, etag: etag.map(Into::into) };
    let cases: [(&'static [(&str, &str)], ObjectInfo); 4] = [
        (&[LENGTH, ("x-amz-checksum-sha256", SUM), ("etag", "\"abc\"")], described(Some(sum), Some("abc"))),
        (&[LENGTH], described(None, None)),
        (
            &[LENGTH, ("x-amz-checksum-sha256", "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=-2")],
            described(None, None),
        ),
        (&[LENGTH, ("x-amz-checksum-sha256", "BwcHBw==")], described(None, None)),
    ];
    for (headers, expected) in cases {
        let server = Server::always(200, headers, "").await;
        assert_eq!(server.store().head(&key()).await.unwrap(), Some(expected));
    }
}

#[tokio::test]
async fn a_body_arrives_piece_by_piece() {
    let (sender, receiver) = tokio::sync::mpsc::channel::<Result<&'static str, std::io::Error>>(1);
    let receiver = std::sync::Mutex::new(Some(receiver));
    let server = Server::start(vec![Box::new(move || {
        let receiver = receiver.lock().unwrap().take().unwrap();
        let pieces = futures_util::stream::unfold(receiver, async |mut receiver| {
            receiver.recv().await.map(|piece| (piece, receiver))
        });
        Response::builder().header("content-length", "10").body(Body::from_stream(pieces)).unwrap()
    })])
    .await;

    let mut body = server.store().get(&key()).await.unwrap();
    assert_eq!(body.bytes(), 10);
    for piece in ["first", "other"] {
        // The next piece is sent only once the one before has been read.
        sender.send(Ok(piece)).await.unwrap();
        assert_eq!(body.next().await.unwrap().unwrap(), piece);
    }
    drop(sender);
    assert!(body.next().await.is_none());
}

/// Answers one connection with these bytes and closes it, or never answers where there are none.
async fn raw(answer: &'static str) -> Store {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (options, _) = options(&format!("http://{}", listener.local_addr().unwrap()));
    tokio::spawn(async move {
        let mut silent = Vec::new();
        loop {
            let (mut connection, _) = listener.accept().await.unwrap();
            if answer.is_empty() {
                silent.push(connection);
                continue;
            }
            let mut request = vec![0; 4096];
            assert!(connection.read(&mut request).await.unwrap() > 0);
            connection.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    Store::new(options).unwrap()
}

#[tokio::test]
async fn a_body_that_breaks_off_is_an_error_and_not_an_end() {
    for answer in [
        "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n",
    ] {
        let error = read(&raw(answer).await).await.unwrap_err();
        assert!(error.is_retryable(), "{error:?}");
        assert_discreet(&error);
    }
    let endless = "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nhello";
    let error = read(&raw(endless).await).await.unwrap_err();
    assert!(
        matches!(error, StoreError::Unexpected { status: 200, .. }),
        "a body without a length: {error:?}"
    );
    let error = read(&raw("garbage\r\n\r\n").await).await.unwrap_err();
    assert!(error.is_retryable(), "{error:?}");
    assert_discreet(&error);
}

#[tokio::test(start_paused = true)]
async fn a_silent_store_is_given_up_in_less_than_ten_seconds() {
    let store = raw("").await;
    let started = Instant::now();
    let error = store.head(&key()).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_body_that_stands_still_is_an_error() {
    let server = Server::start(vec![Box::new(|| {
        let never = futures_util::stream::pending::<Result<&'static str, std::io::Error>>();
        Response::builder().header("content-length", "4").body(Body::from_stream(never)).unwrap()
    })])
    .await;
    let mut body = server.store().get(&key()).await.unwrap();
    // From here on only a timer can wake the reader, so the wait takes no time.
    tokio::time::pause();
    let started = Instant::now();
    let error = body.next().await.unwrap().unwrap_err();
    assert!(matches!(error, StoreError::Unavailable { source: UnavailableCause::Timeout }), "{error:?}");
    assert!(started.elapsed() <= Duration::from_secs(21), "{:?}", started.elapsed());
}

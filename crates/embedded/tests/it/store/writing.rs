//! What becomes an object, and what does not.

use std::time::Duration;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use futures_util::{StreamExt as _, future::join_all, stream};
use reqwest::{Body, StatusCode};
use rusty_s3::S3Action as _;
use tokio::{io::AsyncWriteExt as _, net::TcpStream};

use super::fixture::{HOUR, Presign, Store, bytes, sha256, until};

#[tokio::test(flavor = "multi_thread")]
async fn the_signed_body_and_no_other_becomes_the_object() {
    let store = Store::start().await;
    let (right, key) = (bytes(300_000, 1), "t/u/p/manuscript/novel.txt");
    let mut other = right.clone();
    other[299_999] ^= 1;

    for (body, codes) in [
        (&right[..299_999], ["SignatureDoesNotMatch"].as_slice()),
        (&[&right[..], b"x"].concat()[..], &["SignatureDoesNotMatch"]),
        (&other[..], &["BadDigest"]),
    ] {
        let response = store.put_as(key, &right, "text/plain", body).await;
        let status = response.status();
        let text = response.text().await.unwrap();
        assert!(codes.iter().any(|code| text.contains(&format!("<Code>{code}</Code>"))), "{status} {text}");
        assert_eq!(store.read(key).await, None);
    }
    assert_eq!(store.put(key, &right).await.status(), StatusCode::OK);
    assert_eq!(store.read(key).await, Some(right.clone()));

    // Bytes of the right length that are not the signed ones leave the old object.
    let signed = bytes(300_000, 2);
    let response = store.put_as(key, &signed, "text/plain", &other).await;
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    assert!(response.text().await.unwrap().contains("<Code>BadDigest</Code>"));
    assert_eq!(store.read(key).await, Some(right));
    store.no_temporary().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_checksum_a_request_gives_is_compared() {
    let store = Store::start().await;
    // The check values of the algorithms.
    let body = b"123456789";
    let base64 = |digits: &str| BASE64_STANDARD.encode(hex::decode(digits).unwrap());
    let sha256_hex = "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225";
    let right = [
        ("content-md5", base64("25f9e794323b453885f5181f1b624d0b")),
        ("x-amz-checksum-crc32", base64("cbf43926")),
        ("x-amz-checksum-crc32c", base64("e3069283")),
        ("x-amz-checksum-crc64nvme", base64("ae8b14860a799888")),
        ("x-amz-checksum-sha1", base64("f7c3bc1d808e04732adf679965ccc34ca7ae3441")),
        ("x-amz-checksum-sha256", base64(sha256_hex)),
        ("x-amz-content-sha256", sha256_hex.to_owned()),
    ];
    for (name, value) in right {
        let key = format!("checked/{name}");
        let wrong = store.put_with(&key, b"123456780", &[(name, &value)]).await;
        assert_eq!(wrong.status(), StatusCode::BAD_REQUEST, "{name}");
        let code = wrong.text().await.unwrap();
        assert!(code.contains("BadDigest") || code.contains("XAmzContentSHA256Mismatch"), "{name} {code}");
        assert_eq!(store.read(&key).await, None, "{name}");
        assert_eq!(store.put_with(&key, b"12345678", &[(name, &value)]).await.status(), 400, "{name}");

        let done = store.put_with(&key, body, &[(name, &value)]).await;
        assert_eq!(done.status(), StatusCode::OK, "{name} {:?}", done.text().await);
        if name.starts_with("x-amz-checksum-") {
            assert_eq!(done.headers()[name], value);
            let shown = store.get_with(&key, &[("x-amz-checksum-mode", "ENABLED")]).await;
            assert_eq!(shown.headers()[name], value);
        }
        assert_eq!(store.read(&key).await.as_deref(), Some(&body[..]), "{name}");
    }
    for (name, value) in
        [("content-md5", "abc"), ("x-amz-checksum-sha256", "AAAA"), ("x-amz-checksum-crc32", "-")]
    {
        assert_eq!(
            store.put_with("malformed", body, &[(name, value)]).await.status(),
            StatusCode::BAD_REQUEST
        );
    }
    assert_eq!(store.read("malformed").await, None);
    store.no_temporary().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checksum_behind_the_body_is_compared() {
    let store = Store::start().await;
    // Check values again: CRC-32 and CRC-64/NVME of 123456789.
    let (crc32, crc64) = (("x-amz-checksum-crc32", "y/Q5Jg=="), ("x-amz-checksum-crc64nvme", "rosUhgp5mIg="));
    for (body, length, trailer, code) in [
        ("123456780", 9, crc32, "BadDigest"),
        ("123456780", 9, crc64, "BadDigest"),
        ("123456789", 9, ("x-amz-checksum-crc32", ""), "InvalidRequest"),
        ("123456789", 8, crc32, "IncompleteBody"),
        ("123456789", 10, crc32, "IncompleteBody"),
    ] {
        let (status, answer) = store.put_chunked("t/x", body, length, trailer).await;
        assert_eq!(status, 400, "{body} {length} {trailer:?} {answer}");
        assert!(answer.contains(&format!("<Code>{code}</Code>")), "{body} {length} {trailer:?} {answer}");
        assert_eq!(store.read("t/x").await, None);
    }
    for trailer in [crc32, crc64] {
        let (status, answer) = store.put_chunked("t/x", "123456789", 9, trailer).await;
        assert_eq!(status, 200, "{answer}");
        let response = store.get_with("t/x", &[("x-amz-checksum-mode", "ENABLED")]).await;
        assert_eq!(response.headers()[trailer.0], trailer.1);
        assert!(!response.headers().contains_key("content-encoding"));
        assert_eq!(response.bytes().await.unwrap(), "123456789");
    }
    store.no_temporary().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_its_client_abandons_leaves_nothing() {
    let store = Store::start().await;
    assert_eq!(store.put("kept", b"old").await.status(), StatusCode::OK);
    let headers = [("content-length", "1000000"), ("content-type", "text/plain")];
    let mut presign = Presign::new("PUT", "/novels/kept");
    presign.headers = &headers;
    let target = store.presign(&presign);
    for sent in [0, 1, 400_000, 999_999] {
        let mut stream = TcpStream::connect(&store.authority).await.unwrap();
        let head = format!(
            "PUT {target} HTTP/1.1\r\nhost: {}\r\ncontent-length: 1000000\r\ncontent-type: text/plain\r\n\r\n",
            store.authority
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(&vec![7; sent]).await.unwrap();
        until("the upload has begun", || store.temporary() == 1).await;
        drop(stream);
        store.no_temporary().await;
    }
    assert_eq!(store.read("kept").await.as_deref(), Some(&b"old"[..]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_client_reads_why_though_it_is_still_sending() {
    let store = Store::start().await;
    let (signed, body) = (bytes(10, 1), bytes(20_000_000, 2));
    for _ in 0..5 {
        assert_eq!(store.put_as("t/x", &signed, "text/plain", &body).await.status(), StatusCode::FORBIDDEN);
    }
    assert_eq!(store.read("t/x").await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_takes_nothing_in_is_let_go() {
    let mut store = Store::start_with(|options| {
        options.limits.idle = Duration::from_millis(200);
        options.limits.drain = HOUR;
    })
    .await;
    assert_eq!(store.put("t/x", &bytes(30_000_000, 1)).await.status(), StatusCode::OK);
    let target = store.presign(&Presign::new("GET", "/novels/t/x"));
    let mut stream = TcpStream::connect(&store.authority).await.unwrap();
    stream
        .write_all(format!("GET {target} HTTP/1.1\r\nhost: {}\r\n\r\n", store.authority).as_bytes())
        .await
        .unwrap();
    stream.readable().await.unwrap();
    store.stop.cancel();
    // It would wait an hour for the request to be done.
    tokio::time::timeout(Duration::from_secs(20), &mut store.served)
        .await
        .expect("the client is let go")
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_client_is_let_go() {
    let store = Store::start_with(|options| {
        options.limits.idle = Duration::from_millis(200);
        options.limits.head = Duration::from_millis(200);
    })
    .await;
    // A body that stops.
    let headers = [("content-length", "10")];
    let mut presign = Presign::new("PUT", "/novels/slow");
    presign.headers = &headers;
    let (status, answer) = store.raw("PUT", &store.presign(&presign), &headers, b"12345").await;
    assert_eq!(status, 400);
    assert!(answer.contains("<Code>RequestTimeout</Code>"), "{answer}");
    assert_eq!(store.read("slow").await, None);
    // A head that stops, and a connection on which nothing is asked: both are closed.
    for sent in ["GET / HT", ""] {
        let mut stream = TcpStream::connect(&store.authority).await.unwrap();
        stream.write_all(sent.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let closed = tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut answer);
        tokio::time::timeout(Duration::from_secs(10), closed).await.unwrap().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_writers_of_one_key_the_newest_is_served() {
    let store = Store::start().await;
    let bodies: Vec<_> =
        (0..12).map(|seed| bytes(600_000 + 1000 * usize::try_from(seed).unwrap(), seed)).collect();
    for _ in 0..3 {
        let answers = join_all(bodies.iter().map(|body| store.put("t/contested", body))).await;
        assert!(answers.iter().all(|answer| [200, 409].contains(&answer.status().as_u16())));
        let object = store.read("t/contested").await.unwrap();
        let winner = bodies.iter().position(|body| *body == object).expect("a whole one");
        assert_eq!(answers[winner].status(), StatusCode::OK);
    }
    store.no_temporary().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn exactly_one_of_many_creates() {
    let store = Store::start().await;
    for round in 0..5 {
        let key = format!("new/{round}/x");
        let bodies: Vec<_> = (0..10).map(|seed| bytes(1000, seed)).collect();
        let answers =
            join_all(bodies.iter().map(|body| store.put_with(&key, body, &[("if-none-match", "*")]))).await;
        let won: Vec<_> = answers.iter().map(|answer| answer.status() == StatusCode::OK).collect();
        assert_eq!(won.iter().filter(|won| **won).count(), 1);
        assert!(answers.iter().all(|answer| [200, 409, 412].contains(&answer.status().as_u16())));
        let winner = won.iter().position(|won| *won).unwrap();
        assert_eq!(store.read(&key).await.as_ref(), Some(&bodies[winner]));
    }
    let etag = store.get("new/0/x").await.headers()["etag"].to_str().unwrap().to_owned();
    assert_eq!(store.put_with("new/0/x", b"2", &[("if-match", "\"0\"")]).await.status(), 412);
    assert_eq!(store.put_with("new/none", b"2", &[("if-match", &etag)]).await.status(), 404);
    assert_eq!(store.put_with("new/0/x", b"2", &[("if-match", &etag)]).await.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn writers_and_deleters_of_neighbours_do_not_disturb_each_other() {
    let store = Store::start().await;
    let work = (0..8).map(|n| {
        let store = &store;
        async move {
            for round in 0..20 {
                let (key, body) = (format!("same/deep/folder/{}", n % 4), format!("{n} {round}"));
                let put = store.put(&key, body.as_bytes()).await;
                // The neighbour who writes the same key may be the newer one.
                assert!([200, 409].contains(&put.status().as_u16()), "{}", put.text().await.unwrap());
                assert_eq!(store.delete(&key).await.status(), StatusCode::NO_CONTENT);
            }
        }
    });
    join_all(work).await;
    assert_eq!(store.delete("same/deep/folder/0").await.status(), StatusCode::NO_CONTENT);
    let left = std::fs::read_dir(store.root.join("buckets/novels")).unwrap().count();
    assert_eq!(left, 0, "empty directories are gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_every_shape_are_objects_inside_the_bucket() {
    let store = Store::start().await;
    let longest = "x/".repeat(512);
    let keys = [
        ("a", "a"),
        ("a/b", "a/b"),
        ("a/", "a/"),
        ("a//b", "a//b"),
        ("/lead", "/lead"),
        ("../x", "../x"),
        ("../../../../../../tmp/x", "../../../../../../tmp/x"),
        ("a/../b", "a/../b"),
        (".", "."),
        ("..", ".."),
        ("A", "A"),
        ("%41", "%2541"),
        ("é", "%C3%A9"),
        ("e\u{301}", "e%CC%81"),
        ("sp ace", "sp%20ace"),
        (longest.as_str(), longest.as_str()),
    ];
    for (key, encoded) in keys {
        let path = format!("/novels/{encoded}");
        let headers = [("content-length", key.len().to_string())];
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let mut presign = Presign::new("PUT", &path);
        presign.headers = &headers;
        let (status, answer) = store.raw("PUT", &store.presign(&presign), &headers, key.as_bytes()).await;
        assert_eq!(status, 200, "{key} {answer}");
    }
    for (key, encoded) in keys {
        let target = format!("/novels/{encoded}");
        let (status, answer) =
            store.raw("GET", &store.presign(&Presign::new("GET", &target)), &[], b"").await;
        assert_eq!(status, 200, "{key} {answer}");
        assert!(answer.ends_with(&format!("\r\n\r\n{key}")), "{key} {answer}");
    }
    let outside: Vec<_> = std::fs::read_dir(store.root.parent().unwrap()).unwrap().collect();
    assert_eq!(outside.len(), 1);
    let mut inside: Vec<_> =
        std::fs::read_dir(&store.root).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    inside.sort();
    assert_eq!(inside, ["buckets", "lock", "temporary"]);

    let (long, too_long) = ("é".repeat(512), format!("{}x", "é".repeat(512)));
    assert_eq!(store.put(&long, b"long").await.status(), StatusCode::OK);
    assert_eq!(store.read(&long).await.as_deref(), Some(&b"long"[..]));
    assert_eq!(store.put(&too_long, b"x").await.status(), StatusCode::BAD_REQUEST);
    let (status, _) = store.raw("GET", &store.presign(&Presign::new("GET", "/novels/a%00b")), &[], b"").await;
    assert_eq!(status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_needs_a_length_and_has_a_limit() {
    let store = Store::start_with(|options| options.limits.object = 1000).await;
    assert_eq!(store.put("small", &bytes(1000, 1)).await.status(), StatusCode::OK);
    let large = store.put("large", &bytes(1001, 1)).await;
    assert_eq!(large.status(), StatusCode::BAD_REQUEST);
    assert!(large.text().await.unwrap().contains("EntityTooLarge"));
    let url = store.bucket.put_object(Some(&store.credentials), "chunked").sign(HOUR);
    let body = Body::wrap_stream(stream::iter([Ok::<_, std::io::Error>("a")]).chain(stream::iter([Ok("b")])));
    let chunked = store.http.put(url).body(body).send().await.unwrap();
    assert_eq!(chunked.status(), StatusCode::LENGTH_REQUIRED);
    assert_eq!(store.put("empty", b"").await.status(), StatusCode::OK);
    assert_eq!(store.read("empty").await.as_deref(), Some(&b""[..]));
    assert_eq!(sha256(b"").len(), 44);
}

//! Ranges, conditions, metadata.

use reqwest::StatusCode;
use rusty_s3::S3Action as _;

use super::fixture::{HOUR, Store, bytes};

#[tokio::test(flavor = "multi_thread")]
async fn ranges_are_cut_out_of_the_whole() {
    let store = Store::start().await;
    let (body, block) = (bytes(900_001, 3), 256 * 1024);
    store.put("t/long", &body).await;
    let end = body.len() - 1;
    for (range, first, last) in [
        ("bytes=0-0".to_owned(), 0, 0),
        ("bytes=0-".to_owned(), 0, end),
        (format!("bytes={}-{}", block - 1, block), block - 1, block),
        (format!("bytes={block}-{}", 2 * block - 1), block, 2 * block - 1),
        (format!("bytes=5-{}", 3 * block + 5), 5, 3 * block + 5),
        (format!("bytes={end}-99999999"), end, end),
        ("bytes=-1".to_owned(), end, end),
        ("bytes=-99999999".to_owned(), 0, end),
    ] {
        let response = store.get_with("t/long", &[("range", &range)]).await;
        assert_eq!(response.status(), StatusCode::PARTIAL_CONTENT, "{range}");
        assert_eq!(
            response.headers()["content-range"],
            format!("bytes {first}-{last}/{}", body.len()),
            "{range}"
        );
        assert_eq!(response.content_length(), Some((last - first + 1) as u64), "{range}");
        assert!(response.bytes().await.unwrap() == body[first..=last], "{range}");
    }
    let behind = store.get_with("t/long", &[("range", "bytes=900001-")]).await;
    assert_eq!(behind.status(), StatusCode::RANGE_NOT_SATISFIABLE);
    assert_eq!(behind.headers()["content-range"], "bytes */900001");
    assert!(behind.text().await.unwrap().contains("<Code>InvalidRange</Code>"));
}

#[tokio::test(flavor = "multi_thread")]
async fn head_and_get_tell_the_same() {
    let store = Store::start().await;
    let given = [
        ("content-type", "text/markdown; charset=utf-8"),
        ("content-disposition", "attachment; filename=\"novel.md\""),
        ("content-language", "de"),
        ("cache-control", "private, max-age=60"),
        ("expires", "Thu, 01 Jan 2037 00:00:00 GMT"),
        ("x-amz-meta-revision", "0190"),
        ("x-amz-meta-empty-ish", "-"),
    ];
    let put = store.put_with("t/novel.md", b"# Novel", &given).await;
    assert_eq!(put.status(), StatusCode::OK, "{}", put.text().await.unwrap());
    let url = store.bucket.head_object(Some(&store.credentials), "t/novel.md").sign(HOUR);
    let head = store.http.head(url).send().await.unwrap();
    let get = store.get("t/novel.md").await;
    assert_eq!(put.headers()["etag"], get.headers()["etag"]);
    for response in [&head, &get] {
        assert_eq!(response.status(), StatusCode::OK);
        for (name, value) in given {
            assert_eq!(response.headers()[name], value, "{name}");
        }
        assert_eq!(response.headers()["content-length"], "7");
        assert_eq!(response.headers()["accept-ranges"], "bytes");
    }
    for name in ["etag", "last-modified"] {
        assert_eq!(head.headers()[name], get.headers()[name]);
    }
    assert_eq!(get.bytes().await.unwrap(), "# Novel");
    let missing = store.bucket.head_object(Some(&store.credentials), "t/none").sign(HOUR);
    assert_eq!(store.http.head(missing).send().await.unwrap().status(), StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn conditions_decide_what_is_sent() {
    let store = Store::start().await;
    store.put("t/x", b"x").await;
    let first = store.get("t/x").await;
    let (etag, modified) = (etag(&first), first.headers()["last-modified"].to_str().unwrap().to_owned());
    let quoted = format!("\"{etag}\"");
    for (name, value, status) in [
        ("if-match", quoted.as_str(), 200),
        ("if-match", "\"other\"", 412),
        ("if-none-match", &quoted, 304),
        ("if-none-match", "*", 304),
        ("if-none-match", "\"other\"", 200),
        ("if-modified-since", &modified, 304),
        ("if-modified-since", "Thu, 01 Jan 2015 00:00:00 GMT", 200),
        ("if-unmodified-since", &modified, 200),
        ("if-unmodified-since", "Thu, 01 Jan 2015 00:00:00 GMT", 412),
    ] {
        let response = store.get_with("t/x", &[(name, value)]).await;
        assert_eq!(response.status(), status, "{name}: {value}");
        if status == 304 {
            assert_eq!(response.headers()["etag"], quoted);
            assert_eq!(response.bytes().await.unwrap(), "");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_url_decides_name_and_type_of_the_download() {
    let store = Store::start().await;
    store.put("t/x", b"x").await;
    let mut action = store.bucket.get_object(Some(&store.credentials), "t/x");
    action.query_mut().insert("response-content-disposition", "attachment; filename=\"My novel.txt\"");
    action.query_mut().insert("response-content-type", "application/octet-stream");
    let response = store.http.get(action.sign(HOUR)).send().await.unwrap();
    assert_eq!(response.headers()["content-disposition"], "attachment; filename=\"My novel.txt\"");
    assert_eq!(response.headers()["content-type"], "application/octet-stream");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_gets_the_old_object_whole_while_a_new_one_takes_its_place() {
    let store = Store::start().await;
    let (old, new) = (bytes(8_000_000, 1), bytes(8_000_001, 2));
    store.put("t/x", &old).await;
    let mut reading = store.get("t/x").await;
    let mut read = reading.chunk().await.unwrap().unwrap().to_vec();
    assert_eq!(store.put("t/x", &new).await.status(), StatusCode::OK);
    assert!(store.read("t/x").await.unwrap() == new);
    assert_eq!(store.delete("t/x").await.status(), StatusCode::NO_CONTENT);
    while let Some(chunk) = reading.chunk().await.unwrap() {
        read.extend_from_slice(&chunk);
    }
    assert!(read == old);
    assert_eq!(store.read("t/x").await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_offered_says_so() {
    let store = Store::start().await;
    store.put("t/x", b"x").await;
    let policy = store.bucket.get_bucket_policy(Some(&store.credentials)).sign(HOUR);
    let response = store.http.get(policy).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::NOT_IMPLEMENTED);
    assert!(response.text().await.unwrap().contains("<Code>NotImplemented</Code>"));
    for (name, value) in [
        ("x-amz-acl", "public-read"),
        ("x-amz-server-side-encryption", "AES256"),
        ("x-amz-tagging", "a=b"),
        ("x-amz-object-lock-mode", "GOVERNANCE"),
        ("x-amz-website-redirect-location", "/"),
    ] {
        assert_eq!(store.put_with("t/y", b"y", &[(name, value)]).await.status(), 501, "{name}");
    }
    assert_eq!(store.read("t/y").await, None);
    let head = store.bucket.head_bucket(Some(&store.credentials)).sign(HOUR);
    assert_eq!(store.http.head(head).send().await.unwrap().status(), StatusCode::OK);
    let mut location = store.bucket.list_objects_v2(Some(&store.credentials));
    location.query_mut().remove("list-type");
    location.query_mut().insert("location", "");
    let location = store.http.get(location.sign(HOUR)).send().await.unwrap().text().await.unwrap();
    assert!(location.contains(">eu-central-1</LocationConstraint>"), "{location}");
}

fn etag(response: &reqwest::Response) -> String {
    response.headers()["etag"].to_str().unwrap().trim_matches('"').to_owned()
}

//! Listings through the protocol; their order is proved against a model in the crate.

use std::collections::BTreeSet;

use reqwest::StatusCode;
use rusty_s3::{
    S3Action as _,
    actions::{ListObjectsV2, list_objects_v2::ListObjectsV2Response},
};

use super::fixture::{HOUR, Store};

async fn page(store: &Store, change: impl FnOnce(&mut ListObjectsV2<'_>)) -> ListObjectsV2Response {
    let mut action = store.bucket.list_objects_v2(Some(&store.credentials));
    change(&mut action);
    let response = store.http.get(action.sign(HOUR)).send().await.unwrap();
    let (status, text) = (response.status(), response.text().await.unwrap());
    assert_eq!(status, StatusCode::OK, "{text}");
    ListObjectsV2::parse_response(&text).unwrap_or_else(|error| panic!("{error} {text}"))
}

async fn all(store: &Store, size: usize, prefix: &str) -> Vec<String> {
    let (mut keys, mut token) = (Vec::new(), None);
    loop {
        let page = page(store, |action| {
            action.with_max_keys(size);
            action.with_prefix(prefix.to_owned());
            if let Some(token) = token.take() {
                action.with_continuation_token(token);
            }
        })
        .await;
        assert!(page.contents.len() <= size);
        keys.extend(page.contents.into_iter().map(|object| object.key));
        match page.next_continuation_token {
            Some(next) => token = Some(next),
            None => return keys,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_hold_every_key_once_and_in_order() {
    let store = Store::start().await;
    let keys: BTreeSet<String> = [
        "a",
        "a/",
        "a/b",
        "a/b/c",
        "a-b",
        "a.b",
        "a0",
        "A",
        "é",
        "z<&>\"'",
        "sp ace",
        "plus+",
        "per%25cent",
        "a//b",
        "t1/u/p/text/1-novel.txt",
        "t1/u/p/text/2-novel.txt",
        "t2/u/p/text/1.txt",
        "\u{10348}",
    ]
    .into_iter()
    .map(str::to_owned)
    .chain([format!("{}a", "x".repeat(66)), format!("{}/a", "x".repeat(66)), "x".repeat(65), "x".repeat(200)])
    .collect();
    for key in &keys {
        assert_eq!(store.put(key, key.as_bytes()).await.status(), StatusCode::OK, "{key}");
    }
    let sorted: Vec<_> = keys.iter().cloned().collect();
    for size in [1, 3, 1000] {
        assert_eq!(all(&store, size, "").await, sorted, "{size}");
    }
    let below: Vec<_> = sorted.iter().filter(|key| key.starts_with("t1/u/p/text/")).cloned().collect();
    assert_eq!(all(&store, 1, "t1/u/p/text/").await, below);
    assert_eq!(all(&store, 10, "nothing/here").await, Vec::<String>::new());

    let listed = page(&store, |action| action.with_delimiter("/")).await;
    let prefixes: Vec<_> = listed.common_prefixes.into_iter().map(|one| one.prefix).collect();
    assert_eq!(
        prefixes,
        ["a/".to_owned(), "t1/".to_owned(), "t2/".to_owned(), format!("{}/", "x".repeat(66))]
    );
    assert!(listed.contents.iter().all(|object| !object.key.contains('/')));

    let listed = page(&store, |action| action.with_start_after("t1/u/p/text/1-novel.txt")).await;
    assert_eq!(listed.contents[0].key, "t1/u/p/text/2-novel.txt");
    let object = &listed.contents[0];
    assert_eq!(object.size, Some(23));
    assert!(object.etag.is_some() && object.last_modified.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn nonsense_is_refused_and_nothing_lists_nothing() {
    let store = Store::start().await;
    let listed = page(&store, |_| ()).await;
    assert!(listed.contents.is_empty() && listed.next_continuation_token.is_none());
    store.put("x", b"x").await;
    assert!(page(&store, |action| action.with_max_keys(0)).await.contents.is_empty());
    for (name, value) in [("continuation-token", "nonsense"), ("max-keys", "-1"), ("encoding-type", "html")] {
        let mut action = store.bucket.list_objects_v2(Some(&store.credentials));
        action.query_mut().insert(name, value);
        let response = store.http.get(action.sign(HOUR)).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{name}");
    }
}

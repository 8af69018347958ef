//! Disks that are full or lie, and files that nobody should have put there.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, symlink},
    path::{Path, PathBuf},
    process::Command,
};

use novelfoundry_embedded::store::{ObjectStore, OpenError};
use reqwest::StatusCode;
use rusty_s3::S3Action as _;

use super::fixture::{HOUR, Store, bytes, options};

/// The only file below a directory.
fn only_file(below: &Path) -> PathBuf {
    let mut entries: Vec<_> = fs::read_dir(below).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(entries.len(), 1, "{entries:?}");
    let entry = entries.remove(0);
    if entry.is_dir() { only_file(&entry) } else { entry }
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_bytes_are_never_handed_out() {
    let store = Store::start().await;
    let body = bytes(600_000, 4);
    store.put("t/x", &body).await;
    let path = only_file(&store.root.join("buckets"));
    let whole = fs::read(&path).unwrap();
    let flip = |at: usize| {
        let mut damaged = whole.clone();
        damaged[at] ^= 4;
        fs::write(&path, damaged).unwrap();
    };

    // In the first block, the metadata, the footer; and a file cut short, empty, or of something else.
    let damages: [&dyn Fn(); 7] = [
        &|| flip(0),
        &|| flip(600_001),
        &|| flip(whole.len() - 100),
        &|| flip(whole.len() - 1),
        &|| fs::write(&path, &whole[..whole.len() - 1]).unwrap(),
        &|| fs::write(&path, "").unwrap(),
        &|| fs::write(&path, "x".repeat(1000)).unwrap(),
    ];
    for (number, damage) in damages.iter().enumerate() {
        damage();
        let response = store.get("t/x").await;
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR, "{number}");
        assert!(response.text().await.unwrap().contains("<Code>InternalError</Code>"));
    }
    // In a later block, the connection breaks: before the damage, or before anything of the response has left.
    flip(500_000);
    let url = store.bucket.get_object(Some(&store.credentials), "t/x").sign(HOUR);
    let mut read = Vec::new();
    if let Ok(mut response) = store.http.get(url).send().await {
        let broken = loop {
            match response.chunk().await {
                Ok(Some(chunk)) => read.extend_from_slice(&chunk),
                Ok(None) => break false,
                Err(_) => break true,
            }
        };
        assert!(broken);
    }
    assert!(read.len() < 500_000 && body.starts_with(&read), "{}", read.len());
    let sound = store.get_with("t/x", &[("range", "bytes=0-99")]).await;
    assert!(sound.bytes().await.unwrap() == body[..100]);
    let range = store.get_with("t/x", &[("range", "bytes=524288-524289")]).await;
    assert_eq!(range.status(), 206, "the third block is sound");

    // A damaged object can be replaced and removed; another's file is not taken for it.
    assert_eq!(store.put("t/x", b"new").await.status(), StatusCode::OK);
    assert_eq!(store.read("t/x").await.as_deref(), Some(&b"new"[..]));
    fs::write(&path, whole).unwrap();
    fs::rename(&path, path.with_file_name("oy")).unwrap();
    assert_eq!(store.get("t/y").await.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(store.delete("t/y").await.status(), StatusCode::NO_CONTENT);
    assert_eq!(store.read("t/y").await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn links_lead_nowhere() {
    let store = Store::start().await;
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("ox"), "secret").unwrap();
    let bucket = store.root.join("buckets/novels");
    symlink(outside.path(), bucket.join("dlink")).unwrap();
    symlink(outside.path().join("ox"), bucket.join("ofile")).unwrap();
    for key in ["link/x", "file"] {
        assert_eq!(store.get(key).await.status(), StatusCode::INTERNAL_SERVER_ERROR, "{key}");
    }
    assert_eq!(store.put("link/new", b"x").await.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(store.put("file", b"x").await.status(), StatusCode::OK);
    assert_eq!(fs::read(outside.path().join("ox")).unwrap(), b"secret");
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1);
    assert_eq!(store.read("file").await.as_deref(), Some(&b"x"[..]));
    store.no_temporary().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_keeps_the_old_object() {
    let directory = tempfile::tempdir().unwrap();
    let mounted =
        Command::new("mount").args(["-t", "tmpfs", "-o", "size=2m", "tmpfs"]).arg(directory.path()).output();
    if !mounted.is_ok_and(|output| output.status.success()) {
        println!("skipped: no file system can be mounted here");
        return;
    }
    let outcome = tokio::spawn({
        let root = directory.path().join("store");
        async move {
            let store = Store::open(options(root)).await;
            let old = bytes(700_000, 1);
            assert_eq!(store.put("t/x", &old).await.status(), StatusCode::OK);
            let full = store.put("t/x", &bytes(2_000_000, 2)).await;
            assert_eq!(full.status(), StatusCode::INSUFFICIENT_STORAGE);
            assert!(full.text().await.unwrap().contains("<Code>InsufficientStorage</Code>"));
            store.no_temporary().await;
            assert!(store.read("t/x").await.unwrap() == old);
            assert_eq!(store.put("t/y", &bytes(700_000, 3)).await.status(), StatusCode::OK);
        }
    })
    .await;
    let unmounted = Command::new("umount").arg("--lazy").arg(directory.path()).status().unwrap();
    assert!(unmounted.success());
    outcome.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_is_private_open_once_and_without_leftovers() {
    let store = Store::start().await;
    store.put("t/x", b"x").await;
    let file = only_file(&store.root.join("buckets"));
    assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o600);
    for folder in [&store.root, &store.root.join("temporary"), &file.parent().unwrap().to_owned()] {
        assert_eq!(fs::metadata(folder).unwrap().mode() & 0o777, 0o700, "{folder:?}");
    }
    fs::write(store.root.join("temporary/leftover"), "half").unwrap();
    assert!(matches!(ObjectStore::open(options(store.root.clone())), Err(OpenError::InUse)));
    assert_eq!(store.temporary(), 1, "a store that is not opened touches nothing");

    let mut store = store;
    store.stop.cancel();
    (&mut store.served).await.unwrap();
    let again = Store::open(options(store.root.clone())).await;
    assert_eq!(again.temporary(), 0);
    assert_eq!(again.read("t/x").await.as_deref(), Some(&b"x"[..]));
}

#[test]
fn options_that_cannot_work_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let good = || options(directory.path().join("store"));
    let mut bad = good();
    bad.bucket = "../x".to_owned();
    assert!(matches!(ObjectStore::open(bad), Err(OpenError::Bucket)));
    let mut bad = good();
    bad.region = "Mars!".to_owned();
    assert!(matches!(ObjectStore::open(bad), Err(OpenError::Region)));
    let mut bad = good();
    bad.credentials.clear();
    assert!(matches!(ObjectStore::open(bad), Err(OpenError::Credentials)));
    let mut bad = good();
    bad.credentials.extend(good().credentials);
    assert!(matches!(ObjectStore::open(bad), Err(OpenError::Credentials)));
    assert!(!directory.path().join("store").exists());
}

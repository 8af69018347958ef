//! What a signed URL allows, to the letter.

use std::time::Duration;

use novelfoundry_core::Secret;
use novelfoundry_objects::{OptionsError, PresignedPut, Store};
use url::Url;

use crate::{ID, SECRET, key, options, sigv4};

const BASE: &str = "https://abc.supabase.co/storage/v1/s3";
const MINUTES: Duration = Duration::from_mins(10);

fn param(url: &Url, name: &str) -> String {
    url.query_pairs().find(|(n, _)| n == name).unwrap().1.into_owned()
}

fn put(store: &Store, bytes: u64, sum: u8) -> PresignedPut {
    store.presign_put(&key(), bytes, "text/plain", [sum; 32], MINUTES)
}

#[test]
fn an_upload_is_good_for_the_declared_bytes_only() {
    for base in [BASE, "http://127.0.0.1:3900", "http://[::1]:3900/", "https://s3.example.com/a/b/"] {
        let (options, _) = options(base);
        let store = Store::new(options).unwrap();
        let PresignedPut { url, headers } = put(&store, 1234, 7);
        let base = base.trim_end_matches('/');
        assert!(url.as_str().starts_with(&format!("{base}/manuscripts/{}?", key())), "{url}");
        assert_eq!(
            param(&url, "X-Amz-SignedHeaders"),
            "content-length;content-type;host;x-amz-checksum-sha256"
        );
        assert_eq!(param(&url, "X-Amz-Expires"), "600");

        let mut sent: Vec<(&str, &str)> = headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        assert_eq!(
            sent,
            [
                ("content-type", "text/plain"),
                ("x-amz-checksum-sha256", "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc="),
            ]
        );
        sent.push(("content-length", "1234"));
        sigv4::verify("PUT", &url, &sent, SECRET).unwrap();
        for (at, other) in
            [(0, "text/html"), (1, "CAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg="), (2, "1235")]
        {
            let mut changed = sent.clone();
            changed[at].1 = other;
            assert!(sigv4::verify("PUT", &url, &changed, SECRET).is_err(), "{other}");
        }
        assert!(sigv4::verify("GET", &url, &sent, SECRET).is_err());
        assert!(sigv4::verify("PUT", &url, &sent[..2], SECRET).is_err());
    }
}

#[test]
fn a_download_is_an_attachment_of_an_inert_type() {
    let (options, _) = options(BASE);
    let store = Store::new(options).unwrap();
    for (filename, media_type, disposition, sent_type) in [
        (
            "Война.txt",
            "text/plain",
            "attachment; filename=\"_____.txt\"; filename*=UTF-8''%D0%92%D0%BE%D0%B9%D0%BD%D0%B0.txt",
            "text/plain",
        ),
        (
            "a\"\r\nb&response-content-type=text/html#?.html",
            "text/html",
            "attachment; filename=\"a_b&response-content-type=text_html#_.html\"; \
             filename*=UTF-8''a_b&response-content-type%3Dtext_html#_.html",
            "application/octet-stream",
        ),
    ] {
        let url = store.presign_get(&key(), filename, media_type, MINUTES);
        assert_eq!(param(&url, "response-content-disposition"), disposition);
        assert_eq!(param(&url, "response-content-type"), sent_type);
        assert_eq!(url.query_pairs().filter(|(name, _)| name == "response-content-type").count(), 1);
        sigv4::verify("GET", &url, &[], SECRET).unwrap();
        assert!(sigv4::verify("PUT", &url, &[], SECRET).is_err());
    }
}

#[test]
fn the_exact_urls_are_these() {
    let (options, clock) = options(BASE);
    let store = Store::new(options).unwrap();
    let common = "X-Amz-Algorithm=AWS4-HMAC-SHA256\
        &X-Amz-Credential=AKIDEXAMPLE%2F20260921%2Feu-central-1%2Fs3%2Faws4_request\
        &X-Amz-Date=20260921T141320Z&X-Amz-Expires=600";
    let object = format!("{BASE}/manuscripts/{ID}/{ID}/{ID}/manuscripts/{ID}-my-novel.docx");
    let put_url = put(&store, 1234, 7).url;
    assert_eq!(
        put_url.as_str(),
        format!(
            "{object}?{common}\
             &X-Amz-SignedHeaders=content-length%3Bcontent-type%3Bhost%3Bx-amz-checksum-sha256\
             &X-Amz-Signature=405cd853e14b3b8fb06a03d9634cbd5532f140c24d212d0383f6392d7c953fcf"
        )
    );
    assert_eq!(
        store.presign_get(&key(), "My Novel.docx", "text/markdown", MINUTES).as_str(),
        format!(
            "{object}?{common}&X-Amz-SignedHeaders=host\
             &response-content-disposition=attachment%3B%20filename%3D%22My%20Novel.docx%22%3B%20\
             filename%2A%3DUTF-8%27%27My%2520Novel.docx\
             &response-content-type=text%2Fmarkdown\
             &X-Amz-Signature=d1c837861bd66840a699fa58ecd80115015884895e32231db1f90de70d311a85"
        )
    );
    clock.advance(1000);
    assert_eq!(param(&put(&store, 1234, 7).url, "X-Amz-Date"), "20260921T141321Z");
}

#[test]
fn browsers_get_the_public_address_and_the_server_the_internal_one() {
    let (mut options, _) = options("http://127.0.0.1:3900/internal");
    options.public_url = Some("https://files.example.com/s3".parse().unwrap());
    let store = Store::new(options).unwrap();
    let upload = put(&store, 1, 1);
    assert!(upload.url.as_str().starts_with("https://files.example.com/s3/manuscripts/"));
    let download = store.presign_get(&key(), "x", "text/plain", MINUTES);
    assert!(download.as_str().starts_with("https://files.example.com/s3/manuscripts/"));
    sigv4::verify("GET", &download, &[], SECRET).unwrap();

    for shown in [format!("{store:?}"), format!("{upload:?}")] {
        assert!(!shown.contains(SECRET) && !shown.contains("Signature"), "{shown}");
    }
}

#[test]
fn a_url_lives_between_a_second_and_a_week() {
    let (options, _) = options(BASE);
    let store = Store::new(options).unwrap();
    for (asked, given) in
        [(Duration::ZERO, "1"), (Duration::from_millis(1999), "1"), (Duration::MAX, "604800")]
    {
        let url = store.presign_get(&key(), "x", "text/plain", asked);
        assert_eq!(param(&url, "X-Amz-Expires"), given);
    }
}

#[test]
fn options_that_cannot_work_are_refused() {
    let with = |change: &dyn Fn(&mut novelfoundry_objects::StoreOptions)| {
        let (mut options, _) = options(BASE);
        change(&mut options);
        Store::new(options).err()
    };
    assert!(with(&|_| {}).is_none());
    for bucket in ["", "ab", "..", "../x", "a/b", "a b", "-abc", &"a".repeat(64)] {
        assert!(matches!(with(&|o| o.bucket = bucket.into()), Some(OptionsError::Bucket)), "{bucket}");
    }
    for region in ["", "eu/central", "eu central"] {
        assert!(matches!(with(&|o| o.region = region.into()), Some(OptionsError::Region)), "{region}");
    }
    for url in ["ftp://s3.example.com", "data:x", "file:///srv"] {
        assert!(matches!(with(&|o| o.endpoint = url.parse().unwrap()), Some(OptionsError::Url)), "{url}");
        assert!(
            matches!(with(&|o| o.public_url = Some(url.parse().unwrap())), Some(OptionsError::Url)),
            "{url}"
        );
    }
    assert!(matches!(with(&|o| o.access_key_id.clear()), Some(OptionsError::Credentials)));
    assert!(matches!(with(&|o| o.secret_access_key = Secret::new("")), Some(OptionsError::Credentials)));
}

//! A store that serves on loopback, and ways to ask it.

use std::{fmt::Write as _, path::PathBuf, sync::Arc, time::Duration};

use aws_lc_rs::hmac;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use jiff::Timestamp;
use novelfoundry_core::{Clock as _, Secret, SystemClock};
use novelfoundry_embedded::store::{Credentials, Limits, ObjectStore, Options, serve};
use reqwest::{Client, Response, StatusCode};
use rusty_s3::{Bucket, S3Action, UrlStyle};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

pub(super) const BUCKET: &str = "novels";
pub(super) const REGION: &str = "eu-central-1";
pub(super) const ID: &str = "writer";
pub(super) const SECRET: &str = "not a secret";
pub(super) const ORIGIN: &str = "https://app.example.com";
pub(super) const HOUR: Duration = Duration::from_hours(1);

pub(super) fn options(root: PathBuf) -> Options {
    Options {
        root,
        bucket: BUCKET.to_owned(),
        region: REGION.to_owned(),
        credentials: vec![Credentials {
            access_key_id: ID.to_owned(),
            secret_access_key: Secret::new(SECRET),
        }],
        allowed_origins: vec![ORIGIN.to_owned()],
        clock: Arc::new(SystemClock),
        limits: Limits::default(),
    }
}

/// A store on loopback, for as long as this lives.
pub(super) struct Store {
    pub(super) authority: String,
    pub(super) bucket: Bucket,
    pub(super) credentials: rusty_s3::Credentials,
    pub(super) http: Client,
    pub(super) root: PathBuf,
    pub(super) stop: CancellationToken,
    pub(super) served: JoinHandle<()>,
    pub(super) directory: Option<TempDir>,
}

impl Drop for Store {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Store {
    pub(super) async fn start() -> Self {
        Self::start_with(|_| ()).await
    }

    pub(super) async fn start_with(change: impl FnOnce(&mut Options)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut options = options(directory.path().join("store"));
        change(&mut options);
        let mut store = Self::open(options).await;
        store.directory = Some(directory);
        store
    }

    pub(super) async fn open(options: Options) -> Self {
        let root = options.root.clone();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let authority = listener.local_addr().unwrap().to_string();
        let stop = CancellationToken::new();
        let store = ObjectStore::open(options).unwrap();
        let served = tokio::spawn(serve(store, listener, stop.clone()));
        Self::at(authority, root, stop, served)
    }

    pub(super) fn at(
        authority: String,
        root: PathBuf,
        stop: CancellationToken,
        served: JoinHandle<()>,
    ) -> Self {
        let endpoint = format!("http://{authority}").parse().unwrap();
        Self {
            bucket: Bucket::new(endpoint, UrlStyle::Path, BUCKET, REGION).unwrap(),
            credentials: rusty_s3::Credentials::new(ID, SECRET),
            http: Self::client(),
            authority,
            root,
            stop,
            served,
            directory: None,
        }
    }

    /// A client with connections of its own.
    pub(super) fn client() -> Client {
        Client::builder().no_proxy().timeout(Duration::from_mins(1)).build().unwrap()
    }

    /// Uploads as the product does: length, type and SHA-256 are in the signature.
    pub(super) async fn put(&self, key: &str, body: &[u8]) -> Response {
        self.put_as(key, body, "text/plain", body).await
    }

    /// Uploads by a certain client.
    pub(super) async fn put_by(&self, http: &Client, key: &str, body: &[u8]) -> Response {
        self.send(http, key, body, "text/plain", body).await
    }

    /// Uploads `body` to a URL that was signed for `signed`.
    pub(super) async fn put_as(&self, key: &str, signed: &[u8], content_type: &str, body: &[u8]) -> Response {
        self.send(&self.http, key, signed, content_type, body).await
    }

    async fn send(
        &self,
        http: &Client,
        key: &str,
        signed: &[u8],
        content_type: &str,
        body: &[u8],
    ) -> Response {
        let (length, sha256) = (signed.len().to_string(), sha256(signed));
        let mut action = self.bucket.put_object(Some(&self.credentials), key);
        for (name, value) in [
            ("content-length", &length),
            ("content-type", &content_type.to_owned()),
            ("x-amz-checksum-sha256", &sha256),
        ] {
            action.headers_mut().insert(name, value.clone());
        }
        let request = http.put(action.sign(HOUR)).body(body.to_vec()).header("content-length", body.len());
        request
            .header("content-type", content_type)
            .header("x-amz-checksum-sha256", sha256)
            .send()
            .await
            .unwrap()
    }

    /// Uploads with headers that are all signed.
    pub(super) async fn put_with(&self, key: &str, body: &[u8], headers: &[(&str, &str)]) -> Response {
        let mut action = self.bucket.put_object(Some(&self.credentials), key);
        for (name, value) in headers {
            action.headers_mut().insert((*name).to_owned(), (*value).to_owned());
        }
        let mut request =
            self.http.put(action.sign(HOUR)).body(body.to_vec()).header("content-length", body.len());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send().await.unwrap()
    }

    pub(super) async fn get(&self, key: &str) -> Response {
        self.get_with(key, &[]).await
    }

    pub(super) async fn get_with(&self, key: &str, headers: &[(&str, &str)]) -> Response {
        let mut action = self.bucket.get_object(Some(&self.credentials), key);
        for (name, value) in headers {
            action.headers_mut().insert((*name).to_owned(), (*value).to_owned());
        }
        let mut request = self.http.get(action.sign(HOUR));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send().await.unwrap()
    }

    /// Returns the object's bytes, or `None` where there is no such object.
    pub(super) async fn read(&self, key: &str) -> Option<Vec<u8>> {
        let response = self.get(key).await;
        match response.status() {
            StatusCode::OK => Some(response.bytes().await.unwrap().to_vec()),
            StatusCode::NOT_FOUND => None,
            other => panic!("{other} {}", response.text().await.unwrap()),
        }
    }

    pub(super) async fn delete(&self, key: &str) -> Response {
        let url = self.bucket.delete_object(Some(&self.credentials), key).sign(HOUR);
        self.http.delete(url).send().await.unwrap()
    }

    /// The files waiting to become objects.
    pub(super) fn temporary(&self) -> usize {
        std::fs::read_dir(self.root.join("temporary")).unwrap().count()
    }

    /// Waits until no file waits to become an object.
    pub(super) async fn no_temporary(&self) {
        until("the temporary files are gone", || self.temporary() == 0).await;
    }

    /// Presigns any request, for what `rusty-s3` would not sign. `path` is as it goes over the wire.
    pub(super) fn presign(&self, signature: &Presign<'_>) -> String {
        let at = signature.at.unwrap_or_else(|| SystemClock.now());
        let (date, moment) = (at.strftime("%Y%m%d").to_string(), at.strftime("%Y%m%dT%H%M%SZ").to_string());
        let scope = format!("{date}/{}/{}/aws4_request", signature.region, signature.service);
        let mut headers = vec![("host", self.authority.as_str())];
        headers.extend(signature.headers);
        headers.sort_unstable();
        let names: Vec<_> = headers.iter().map(|(name, _)| *name).collect();
        let expires = signature.expires.to_string();
        let credential = format!("{ID}/{scope}");
        let names = names.join(";");
        let mut query = vec![
            ("X-Amz-Algorithm", "AWS4-HMAC-SHA256"),
            ("X-Amz-Credential", &credential),
            ("X-Amz-Date", &moment),
            ("X-Amz-Expires", &expires),
            ("X-Amz-SignedHeaders", &names),
        ];
        query.extend(signature.query);
        query.sort_unstable();
        let query: Vec<_> =
            query.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
        let query = query.join("&");
        let path = signature.path;
        let lines = headers.iter().fold(String::new(), |mut lines, (name, value)| {
            writeln!(lines, "{name}:{value}").unwrap();
            lines
        });
        let canonical = format!("{}\n{path}\n{query}\n{lines}\n{names}\nUNSIGNED-PAYLOAD", signature.method);
        let signed = sign(&moment, signature.region, signature.service, &canonical);
        format!("{path}?{query}&X-Amz-Signature={signed}")
    }

    /// Uploads by an `authorization` header, in one unsigned chunk that a checksum follows, as current SDKs do.
    pub(super) async fn put_chunked(
        &self,
        key: &str,
        body: &str,
        length: usize,
        trailer: (&str, &str),
    ) -> (u16, String) {
        let (moment, path) =
            (SystemClock.now().strftime("%Y%m%dT%H%M%SZ").to_string(), format!("/{BUCKET}/{key}"));
        let chunked = format!("{:x}\r\n{body}\r\n0\r\n{}:{}\r\n\r\n", body.len(), trailer.0, trailer.1);
        let length = length.to_string();
        let headers = [
            ("content-encoding", "aws-chunked"),
            ("host", &self.authority),
            ("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"),
            ("x-amz-date", &moment),
            ("x-amz-decoded-content-length", &length),
            ("x-amz-trailer", trailer.0),
        ];
        let names = headers.map(|(name, _)| name).join(";");
        let lines = headers.map(|(name, value)| format!("{name}:{value}\n")).concat();
        let canonical = format!("PUT\n{path}\n\n{lines}\n{names}\nSTREAMING-UNSIGNED-PAYLOAD-TRAILER");
        let signed = sign(&moment, REGION, "s3", &canonical);
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={ID}/{}/{REGION}/s3/aws4_request, SignedHeaders={names}, Signature={signed}",
            &moment[..8]
        );
        let sent = chunked.len().to_string();
        let mut sending = vec![("content-length", sent.as_str()), ("authorization", &authorization)];
        sending.extend(headers.iter().filter(|(name, _)| *name != "host"));
        self.raw("PUT", &path, &sending, chunked.as_bytes()).await
    }

    /// Sends a request as it is and returns status and body.
    pub(super) async fn raw(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.authority).await.unwrap();
        let mut head =
            format!("{method} {target} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n", self.authority);
        for (name, value) in headers {
            write!(head, "{name}: {value}\r\n").unwrap();
        }
        head.push_str("\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(body).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let status =
            answer.split(' ').nth(1).unwrap_or_else(|| panic!("no answer: {answer}")).parse().unwrap();
        (status, answer)
    }
}

/// A request to be signed.
#[derive(Clone, Copy)]
pub(super) struct Presign<'a> {
    pub(super) method: &'a str,
    pub(super) path: &'a str,
    pub(super) query: &'a [(&'a str, &'a str)],
    pub(super) headers: &'a [(&'a str, &'a str)],
    pub(super) at: Option<Timestamp>,
    pub(super) expires: u32,
    pub(super) region: &'a str,
    pub(super) service: &'a str,
}

impl<'a> Presign<'a> {
    pub(super) const fn new(method: &'a str, path: &'a str) -> Self {
        Self { method, path, query: &[], headers: &[], at: None, expires: 600, region: REGION, service: "s3" }
    }
}

/// Polls until the condition holds; panics when it does not within ten seconds.
pub(super) async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let polled = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), polled).await.unwrap_or_else(|_| panic!("never: {what}"));
}

pub(super) fn sha256(body: &[u8]) -> String {
    BASE64_STANDARD.encode(Sha256::digest(body))
}

/// Bytes that repeat only after a while, so that a block in the wrong place shows.
pub(super) fn bytes(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2).wrapping_add(1);
    let words = std::iter::repeat_with(move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 32).to_le_bytes()
    });
    words.flatten().take(length).collect()
}

/// Signs a canonical request by version 4.
fn sign(moment: &str, region: &str, service: &str, canonical: &str) -> String {
    let scope = [&moment[..8], region, service, "aws4_request"];
    let digest = hex::encode(Sha256::digest(canonical.as_bytes()));
    let to_sign = format!("AWS4-HMAC-SHA256\n{moment}\n{}\n{digest}", scope.join("/"));
    let key = format!("AWS4{SECRET}").into_bytes();
    let key = scope.iter().fold(key, |key, part| mac(&key, part.as_bytes()));
    hex::encode(mac(&key, to_sign.as_bytes()))
}

fn mac(key: &[u8], data: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), data).as_ref().to_vec()
}

fn encode(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            write!(encoded, "%{byte:02X}").unwrap();
        }
        encoded
    })
}

//! The client of the one bucket. Browsers get URLs that are good for one transfer of bytes known beforehand;
//! the server itself looks, streams and deletes.

use std::{fmt, sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use novelfoundry_core::{Clock, Secret};
use reqwest::{Method, header};
use rusty_s3::{Bucket, Credentials, S3Action, UrlStyle};
use url::Url;

use crate::{
    ObjectBody, ObjectKey, OptionsError, StoreError,
    call::{self, Call},
    disposition,
};

/// S3's own bounds of a signed URL's life.
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_hours(7 * 24);
/// How long the server's own requests may be under way; allows for clocks that differ.
const OWN_EXPIRY: Duration = Duration::from_mins(5);

const CHECKSUM: &str = "x-amz-checksum-sha256";
const CHECKSUM_MODE: &str = "x-amz-checksum-mode";

/// What a client of a bucket is set up with. Buckets are addressed by path, which works everywhere.
#[derive(Clone)]
pub struct StoreOptions {
    /// Where the server reaches the store, a base path such as `/storage/v1/s3` included.
    pub endpoint: Url,
    /// Where browsers reach it, where that differs. The store must see this host and path: both are signed.
    pub public_url: Option<Url>,
    /// The region that goes into signatures.
    pub region: String,
    /// The bucket.
    pub bucket: String,
    /// The access key's id.
    pub access_key_id: String,
    /// The access key's secret.
    pub secret_access_key: Secret,
    /// The source of the date that goes into signatures.
    pub clock: Arc<dyn Clock>,
}

/// A signed upload of bytes that were declared beforehand.
#[derive(Clone, PartialEq, Eq)]
pub struct PresignedPut {
    /// Where to PUT the file.
    pub url: Url,
    /// The headers to send along, exactly; `content-length` is signed too, and set by the HTTP client itself.
    pub headers: Vec<(String, String)>,
}

/// What the store knows of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectInfo {
    /// Its length in bytes.
    pub bytes: u64,
    /// The SHA-256 of its bytes, where the store keeps one of the whole object.
    pub sha256: Option<[u8; 32]>,
    /// Its entity tag, without quotes.
    pub etag: Option<String>,
}

/// The client of a bucket; clones share connections.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    client: reqwest::Client,
    private: Bucket,
    public: Bucket,
    credentials: Credentials,
    clock: Arc<dyn Clock>,
}

impl Store {
    /// Sets up a client; nothing is sent yet.
    pub fn new(options: StoreOptions) -> Result<Self, OptionsError> {
        let StoreOptions { endpoint, public_url, region, bucket, access_key_id, secret_access_key, clock } =
            options;
        if !is_name(&bucket, 3, b"-._") {
            return Err(OptionsError::Bucket);
        }
        if !is_name(&region, 1, b"-_") {
            return Err(OptionsError::Region);
        }
        if access_key_id.is_empty() || secret_access_key.expose().is_empty() {
            return Err(OptionsError::Credentials);
        }
        let at = |url| {
            Bucket::new(url, UrlStyle::Path, bucket.clone(), region.clone()).map_err(|_| OptionsError::Url)
        };
        Ok(Self(Arc::new(Inner {
            client: call::client().map_err(OptionsError::Client)?,
            public: at(public_url.unwrap_or_else(|| endpoint.clone()))?,
            private: at(endpoint)?,
            credentials: Credentials::new(access_key_id, secret_access_key.expose()),
            clock,
        })))
    }

    /// Signs an upload of exactly `bytes` bytes of that digest. A `media_type` that a browser might run is stored as
    /// plain bytes; `expires` is held within a second and a week.
    pub fn presign_put(
        &self,
        key: &ObjectKey,
        bytes: u64,
        media_type: &str,
        sha256: [u8; 32],
        expires: Duration,
    ) -> PresignedPut {
        let media_type = disposition::inert_media_type(media_type);
        let headers = [("content-type", media_type.to_owned()), (CHECKSUM, STANDARD.encode(sha256))];
        let mut action = self.0.public.put_object(Some(&self.0.credentials), key.as_str());
        action.headers_mut().insert("content-length", bytes.to_string());
        for (name, value) in &headers {
            action.headers_mut().insert(*name, value.as_str());
        }
        let url = self.sign(&action, expires);
        PresignedPut { url, headers: headers.map(|(name, value)| (name.to_owned(), value)).into() }
    }

    /// Signs a download that is saved as `filename`. A `media_type` that a browser might run is sent as plain bytes;
    /// `expires` is held within a second and a week.
    pub fn presign_get(&self, key: &ObjectKey, filename: &str, media_type: &str, expires: Duration) -> Url {
        let mut action = self.0.public.get_object(Some(&self.0.credentials), key.as_str());
        let query = action.query_mut();
        query.insert("response-content-disposition", disposition::attachment(filename));
        query.insert("response-content-type", disposition::inert_media_type(media_type));
        self.sign(&action, expires)
    }

    /// Checks that the bucket is there and may be listed, which [`Self::head`] needs to tell a missing object. Unlike an
    /// answer to HEAD, one to a listing says what is missing.
    pub async fn check_bucket(&self) -> Result<(), StoreError> {
        let call = self.call(Method::GET, &[], || {
            let mut action = self.0.private.list_objects_v2(Some(&self.0.credentials));
            action.with_max_keys(1);
            self.sign(&action, OWN_EXPIRY)
        });
        match call.await {
            Ok(_) => Ok(()),
            Err(StoreError::Missing) => Err(StoreError::Unexpected { status: 404, code: None }),
            Err(error) => Err(error),
        }
    }

    /// Looks an object up; `None` where there is none.
    pub async fn head(&self, key: &ObjectKey) -> Result<Option<ObjectInfo>, StoreError> {
        let call = self.call(Method::HEAD, &[(CHECKSUM_MODE, "ENABLED")], || {
            let mut action = self.0.private.head_object(Some(&self.0.credentials), key.as_str());
            action.headers_mut().insert(CHECKSUM_MODE, "ENABLED");
            self.sign(&action, OWN_EXPIRY)
        });
        let response = match call.await {
            Ok(response) => response,
            Err(StoreError::Missing) => return Ok(None),
            Err(error) => return Err(error),
        };
        let text = |name: &str| response.headers().get(name)?.to_str().ok();
        Ok(Some(ObjectInfo {
            bytes: length(&response)?,
            // A multipart upload's checksum is one of checksums, with a count behind it: not the object's.
            sha256: text(CHECKSUM).and_then(|sum| STANDARD.decode(sum).ok()?.try_into().ok()),
            etag: text("etag").map(|etag| etag.trim_matches('"').to_owned()),
        }))
    }

    /// Opens an object for reading; its bytes stream in as the body is polled.
    pub async fn get(&self, key: &ObjectKey) -> Result<ObjectBody, StoreError> {
        let call = self.call(Method::GET, &[], || {
            self.sign(&self.0.private.get_object(Some(&self.0.credentials), key.as_str()), OWN_EXPIRY)
        });
        let response = call.await?;
        Ok(ObjectBody::new(length(&response)?, response))
    }

    /// Deletes an object; one that is not there counts as deleted.
    pub async fn delete(&self, key: &ObjectKey) -> Result<(), StoreError> {
        let call = self.call(Method::DELETE, &[], || {
            self.sign(&self.0.private.delete_object(Some(&self.0.credentials), key.as_str()), OWN_EXPIRY)
        });
        match call.await {
            Ok(_) | Err(StoreError::Missing) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn call(
        &self,
        method: Method,
        headers: &[(&'static str, &'static str)],
        url: impl Fn() -> Url + Send,
    ) -> Result<reqwest::Response, StoreError> {
        Call { client: &self.0.client, method, headers, url }.send().await
    }

    fn sign<'a>(&self, action: &impl S3Action<'a>, expires: Duration) -> Url {
        action.sign_with_time(expires.clamp(SHORTEST, LONGEST), &self.0.clock.now())
    }
}

/// Reads the header itself: of an answer to HEAD, the body's length is nought.
fn length(response: &reqwest::Response) -> Result<u64, StoreError> {
    let unexpected = || StoreError::Unexpected { status: response.status().as_u16(), code: None };
    let text = response.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    text.and_then(|length| length.parse().ok()).ok_or_else(unexpected)
}

fn is_name(text: &str, shortest: usize, punctuation: &[u8]) -> bool {
    (shortest..=63).contains(&text.len())
        && text.starts_with(|first: char| first.is_ascii_alphanumeric())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || punctuation.contains(&byte))
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("private", &self.0.private.base_url().as_str())
            .field("public", &self.0.public.base_url().as_str())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for PresignedPut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The query is a right to write.
        f.debug_struct("PresignedPut").field("path", &self.url.path()).finish_non_exhaustive()
    }
}

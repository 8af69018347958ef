//! The object store: looked at as the server would, and with `--storage` as a browser would too, with a small object
//! under a tenant that cannot be.

use std::{sync::Arc, time::Duration};

use novelfoundry_core::{Clock, IdSource, ProjectId, RevisionId, SystemClock, TenantId, UserId, report};
use novelfoundry_objects::{FileType, ObjectKey, PresignedPut, Store, StoreError};
use reqwest::{Client, Method, StatusCode, header};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::Finding;
use crate::{commands::planes::StoreAccess, config::Config};

const CONTENTS: &[u8] = b"A probe of `novelfoundry doctor`; it may be deleted.\n";
const EXPIRY: Duration = Duration::from_mins(1);
const PATIENCE: Duration = Duration::from_secs(15);

/// Looks at the store; `thoroughly` writes, reads and deletes an object.
pub(super) async fn look(config: &Config, thoroughly: bool) -> Vec<Finding> {
    const PART: &str = "object store";
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let store = match StoreAccess::from_config(config).and_then(|access| access.open(Arc::clone(&clock))) {
        Ok(store) => store,
        Err(failure) => return vec![Finding::failure(PART, &failure)],
    };
    let key = probe_key(RevisionId::from_uuid(IdSource::new(clock).next()));
    let looked = async {
        store.check_bucket().await?;
        store.head(&key).await
    };
    if let Err(error) = looked.await {
        return vec![Finding::fail(PART, report(&error), advice(&error))];
    }
    let mut findings = vec![Finding::ok(PART, "answers, has the bucket, and the access key is right")];
    if thoroughly {
        let probe = Probe { store, key };
        findings.extend(probe.run(config).await);
    }
    findings
}

/// The nil ids keep the probe apart from every tenant.
fn probe_key(revision: RevisionId) -> ObjectKey {
    ObjectKey::new(
        TenantId::from_uuid(Uuid::nil()),
        UserId::from_uuid(Uuid::nil()),
        ProjectId::from_uuid(Uuid::nil()),
        FileType::Manuscript,
        revision,
        "doctor.txt",
    )
}

struct Probe {
    store: Store,
    key: ObjectKey,
}

impl Probe {
    async fn run(&self, config: &Config) -> Vec<Finding> {
        let client = match Client::builder().timeout(PATIENCE).build() {
            Ok(client) => client,
            Err(error) => return vec![Finding::fail("signed PUT", report(&error), "Report this.")],
        };
        let digest: [u8; 32] = Sha256::digest(CONTENTS).into();
        let length = u64::try_from(CONTENTS.len()).unwrap_or(0);
        let put = self.store.presign_put(&self.key, length, "text/plain", digest, EXPIRY);
        let mut findings = Vec::new();
        match config.server.allowed_origins.need() {
            Ok(origins) => {
                for origin in &origins.0 {
                    findings.push(preflight(&client, &put, origin).await);
                }
            }
            Err(failure) => findings.push(Finding::failure("preflight", &failure)),
        }
        findings.push(upload(&client, put).await);
        findings.push(match self.store.head(&self.key).await {
            Ok(Some(info)) if info.bytes == length => Finding::ok("HEAD", "the object is there, whole"),
            Ok(Some(info)) => Finding::fail(
                "HEAD",
                format!("the object has {} bytes instead of {length}", info.bytes),
                "The store changes what it is given: use another.",
            ),
            Ok(None) => Finding::fail("HEAD", "the object is not there", "Look at the upload above."),
            Err(error) => Finding::fail("HEAD", report(&error), advice(&error)),
        });
        findings.push(self.download(&client).await);
        findings.push(match self.store.delete(&self.key).await {
            Ok(()) => match self.store.head(&self.key).await {
                Ok(None) => Finding::ok("DELETE", "the object is gone"),
                Ok(Some(_)) => {
                    Finding::fail("DELETE", "the object is still there", "Let the access key delete objects.")
                }
                Err(error) => Finding::fail("DELETE", report(&error), advice(&error)),
            },
            Err(error) => Finding::fail("DELETE", report(&error), advice(&error)),
        });
        findings
    }

    async fn download(&self, client: &Client) -> Finding {
        const PART: &str = "signed GET";
        let url = self.store.presign_get(&self.key, "doctor.txt", "text/plain", EXPIRY);
        let fetched = async {
            let response = client.get(url).send().await?;
            let status = response.status();
            let attachment = response.headers().get(header::CONTENT_DISPOSITION).cloned();
            Ok::<_, reqwest::Error>((status, attachment, response.bytes().await?))
        };
        match fetched.await.map_err(reqwest::Error::without_url) {
            Ok((status, attachment, bytes)) if status.is_success() && bytes == CONTENTS => match attachment {
                Some(_) => Finding::ok(PART, "a browser gets what was uploaded, as a download"),
                None => Finding::warn(
                    PART,
                    "the store leaves out `content-disposition`, so a browser may show a file instead of saving it",
                    "Keep the store on an origin of its own.",
                ),
            },
            Ok((status, ..)) if status.is_success() => Finding::fail(
                PART,
                "other bytes came back",
                "The store changes what it is given: use another.",
            ),
            Ok((status, ..)) => refused(PART, status),
            Err(error) => Finding::fail(PART, report(&error), PUBLIC_URL),
        }
    }
}

const PUBLIC_URL: &str = "Look whether `s3.public_url` leads to the store from here and from browsers.";

/// Asks as a browser does before it uploads.
async fn preflight(client: &Client, put: &PresignedPut, origin: &str) -> Finding {
    let part = format!("preflight of {origin}");
    let names = put.headers.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(",");
    let asked = client
        .request(Method::OPTIONS, put.url.clone())
        .header(header::ORIGIN, origin)
        .header(header::ACCESS_CONTROL_REQUEST_METHOD, "PUT")
        .header(header::ACCESS_CONTROL_REQUEST_HEADERS, names);
    let next = format!("Let the store's CORS rules allow PUT, GET and HEAD from {origin}, with all headers.");
    match asked.send().await {
        Err(error) => Finding::fail(&part, report(&error.without_url()), PUBLIC_URL),
        Ok(answer) => {
            let headers = answer.headers();
            let allowed = |name: header::HeaderName, wanted: &str| {
                let value = headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
                value.split(',').map(str::trim).any(|one| one == "*" || one.eq_ignore_ascii_case(wanted))
            };
            let origin_fits = allowed(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            let method_fits = allowed(header::ACCESS_CONTROL_ALLOW_METHODS, "PUT");
            let headers_fit =
                put.headers.iter().all(|(name, _)| allowed(header::ACCESS_CONTROL_ALLOW_HEADERS, name));
            if answer.status().is_success() && origin_fits && method_fits && headers_fit {
                Finding::ok(&part, "a page may upload from there")
            } else {
                let status = answer.status();
                Finding::fail(&part, format!("a page could not upload from there ({status})"), next)
            }
        }
    }
}

async fn upload(client: &Client, put: PresignedPut) -> Finding {
    const PART: &str = "signed PUT";
    let mut request = client.put(put.url).body(CONTENTS);
    for (name, value) in put.headers {
        request = request.header(name, value);
    }
    match request.send().await {
        Ok(answer) if answer.status().is_success() => Finding::ok(PART, "a browser can upload"),
        Ok(answer) => refused(PART, answer.status()),
        Err(error) => Finding::fail(PART, report(&error.without_url()), PUBLIC_URL),
    }
}

fn refused(part: &str, status: StatusCode) -> Finding {
    Finding::fail(
        part,
        format!("the store answered {status}"),
        "Look whether `s3.public_url` reaches the store with host and path as they are, whether the clocks agree, and \
         whether the access key may read and write.",
    )
}

fn advice(error: &StoreError) -> &'static str {
    match error {
        StoreError::Unavailable { .. } => "Look whether the store runs and `s3.endpoint` is its address.",
        StoreError::Denied { .. } => {
            "Look at the access key, its rights to the bucket, `s3.region`, and whether the clocks agree."
        }
        StoreError::Missing | StoreError::Unexpected { .. } => {
            "Look whether `s3.bucket` exists and `s3.endpoint` has the store's base path."
        }
    }
}

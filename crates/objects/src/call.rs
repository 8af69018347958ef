//! One call to the store: signed afresh for each attempt, bounded in time, retried where that can help. Every
//! call made here can be repeated without harm.

use std::time::Duration;

use reqwest::{Method, Response, redirect};
use tokio::time::{sleep, timeout};
use url::Url;

use crate::{StoreError, UnavailableCause};

/// Three attempts and the longest pauses between them stay under ten seconds.
const ATTEMPTS: u32 = 3;
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(3);
/// Longest pause after the first attempt, in milliseconds; it doubles with each.
const PAUSE_MILLIS: u64 = 150;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Longest wait for the next bytes of a body.
const IDLE_TIMEOUT: Duration = Duration::from_secs(20);

const MAX_ERROR_BYTES: usize = 8 * 1024;
const MAX_CODE_BYTES: usize = 64;

/// Builds the HTTP client. Redirects would lead a signature astray, and proxies are not for a store next door.
pub(crate) fn client() -> reqwest::Result<reqwest::Client> {
    reqwest::Client::builder()
        .redirect(redirect::Policy::none())
        .no_proxy()
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(IDLE_TIMEOUT)
        .build()
}

/// A call that can be made more than once.
pub(crate) struct Call<'a, U> {
    pub(crate) client: &'a reqwest::Client,
    pub(crate) method: Method,
    pub(crate) headers: &'a [(&'static str, &'static str)],
    pub(crate) url: U,
}

impl<U: Fn() -> Url> Call<'_, U> {
    /// Returns a successful answer, of which the body is still to come.
    pub(crate) async fn send(self) -> Result<Response, StoreError> {
        let mut attempt = 1;
        loop {
            let outcome = timeout(ATTEMPT_TIMEOUT, self.attempt())
                .await
                .unwrap_or(Err(StoreError::Unavailable { source: UnavailableCause::Timeout }));
            match outcome {
                Err(error) if error.is_retryable() && attempt < ATTEMPTS => {
                    tracing::debug!(attempt, %error, method = %self.method, "the object store is tried again");
                }
                outcome => return outcome,
            }
            sleep(pause(attempt)).await;
            attempt += 1;
        }
    }

    async fn attempt(&self) -> Result<Response, StoreError> {
        let mut request = self.client.request(self.method.clone(), (self.url)());
        for (name, value) in self.headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.map_err(StoreError::connection)?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status().as_u16();
        Err(StoreError::answer(status, error_code(response).await))
    }
}

/// Full jitter: callers that failed together do not come back together.
fn pause(attempt: u32) -> Duration {
    let longest = PAUSE_MILLIS << (attempt - 1);
    let millis = getrandom::u64().map_or(longest, |random| random % (longest + 1));
    Duration::from_millis(millis)
}

/// Reads `<Code>` from the beginning of an error document; what is not a plain word is left out.
async fn error_code(mut response: Response) -> Option<String> {
    let mut document = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        document.extend_from_slice(&chunk);
        if document.len() > MAX_ERROR_BYTES {
            break;
        }
    }
    let text = String::from_utf8_lossy(&document);
    let (_, rest) = text.split_once("<Code>")?;
    let (code, _) = rest.split_once("</Code>")?;
    let plain = (1..=MAX_CODE_BYTES).contains(&code.len()) && code.bytes().all(|b| b.is_ascii_alphanumeric());
    plain.then(|| code.to_owned())
}

//! Keeps the issuer's keys at hand: a known key is found without waiting for anyone, a flood of unknown ones
//! costs the issuer one request in five seconds, and an issuer that is down stops only keys not seen before.

use std::{
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use novelfoundry_core::{Clock, report};
use reqwest::{StatusCode, redirect};
use tokio::sync::watch;
use url::Url;

use crate::{
    ConfigError, VerifyError,
    jwks::{KeySet, PublicKey},
};

/// Age from which a key set is fetched again in the background.
const FRESH: SignedDuration = SignedDuration::from_mins(10);
/// Age from which a key set that could not be fetched again is no longer trusted.
const STALE: SignedDuration = SignedDuration::from_hours(24);
/// Shortest time between the starts of two fetches.
const COOL_DOWN: SignedDuration = SignedDuration::from_secs(5);
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);
const MAX_DOCUMENT_BYTES: usize = 256 * 1024;

/// The cached key set of one issuer.
pub(crate) struct KeyCache {
    client: reqwest::Client,
    url: Url,
    clock: Arc<dyn Clock>,
    keys: RwLock<Option<Arc<KeySet>>>,
    attempts: Mutex<Attempts>,
    ended: watch::Sender<()>,
}

#[derive(Default)]
struct Attempts {
    running: bool,
    last_started: Option<Timestamp>,
    last_succeeded: bool,
}

#[derive(Debug, thiserror::Error)]
enum FetchError {
    #[error("the request failed")]
    Request(#[from] reqwest::Error),
    #[error("the issuer answered {0}")]
    Status(StatusCode),
    #[error("the document has more than {MAX_DOCUMENT_BYTES} bytes")]
    TooLarge,
    #[error("the document is not a key set")]
    Malformed(#[source] serde_json::Error),
}

impl KeyCache {
    pub(crate) fn new(url: Url, clock: Arc<dyn Clock>) -> Result<Arc<Self>, ConfigError> {
        // A redirect or a proxy would let someone else say which keys are the issuer's.
        let client = reqwest::Client::builder()
            .redirect(redirect::Policy::none())
            .no_proxy()
            .timeout(FETCH_TIMEOUT)
            .build()
            .map_err(ConfigError::Client)?;
        Ok(Arc::new(Self {
            client,
            url,
            clock,
            keys: RwLock::default(),
            attempts: Mutex::default(),
            ended: watch::Sender::new(()),
        }))
    }

    /// Returns the key of that name, waiting for a fetch only when it is not known.
    pub(crate) async fn find(self: &Arc<Self>, kid: &str) -> Result<Arc<PublicKey>, VerifyError> {
        if let Some((key, age)) = self.cached(kid) {
            // A negative age means that the clock stepped back: the true age is not known.
            if age >= FRESH || age.is_negative() {
                drop(self.start_fetch());
            }
            return Ok(key);
        }
        if let Some(mut ended) = self.start_fetch() {
            // The sender lives in `self`, so this ends with the fetch and never with an error.
            let _ = ended.changed().await;
        }
        match self.cached(kid) {
            Some((key, _)) => Ok(key),
            None if self.lock_attempts().last_succeeded => Err(VerifyError::UnknownKey),
            None => Err(VerifyError::KeysUnavailable),
        }
    }

    /// Returns the key, with its age, from a set that is young enough to be trusted.
    fn cached(&self, kid: &str) -> Option<(Arc<PublicKey>, SignedDuration)> {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner).clone()?;
        let age = self.clock.now().duration_since(keys.fetched_at);
        if age >= STALE {
            return None;
        }
        Some((keys.get(kid)?, age))
    }

    /// Joins the running fetch or starts one, and returns what tells its end; nothing while cooling down.
    ///
    /// The fetch is a task of its own: a caller that hangs up must not take the others' fetch with it.
    fn start_fetch(self: &Arc<Self>) -> Option<watch::Receiver<()>> {
        let now = self.clock.now();
        let mut attempts = self.lock_attempts();
        if !attempts.running {
            let since = attempts.last_started.map(|started| now.duration_since(started));
            if since.is_some_and(|since| !since.is_negative() && since < COOL_DOWN) {
                return None;
            }
            attempts.running = true;
            attempts.last_started = Some(now);
            let mut attempt = Attempt { cache: Arc::clone(self), succeeded: false };
            tokio::spawn(async move { attempt.run().await });
        }
        // Subscribed under the lock, so the end of the fetch cannot slip by in between.
        Some(self.ended.subscribe())
    }

    async fn fetch(&self) -> Result<KeySet, FetchError> {
        let started = self.clock.now();
        let mut response = self.client.get(self.url.clone()).send().await?;
        if response.status() != StatusCode::OK {
            return Err(FetchError::Status(response.status()));
        }
        let mut document = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            if document.len() + chunk.len() > MAX_DOCUMENT_BYTES {
                return Err(FetchError::TooLarge);
            }
            document.extend_from_slice(&chunk);
        }
        KeySet::parse(&document, started).map_err(FetchError::Malformed)
    }

    fn lock_attempts(&self) -> std::sync::MutexGuard<'_, Attempts> {
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One fetch; its end is told however it ends, also when its task is dropped.
struct Attempt {
    cache: Arc<KeyCache>,
    succeeded: bool,
}

impl Attempt {
    async fn run(&mut self) {
        match self.cache.fetch().await {
            Ok(keys) => {
                if keys.len() == 0 {
                    tracing::warn!("the issuer publishes no ES256 or RS256 key: every token is refused");
                }
                *self.cache.keys.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(keys));
                self.succeeded = true;
            }
            Err(error) => tracing::warn!(error = report(&error), "the issuer's keys cannot be fetched"),
        }
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        {
            let mut attempts = self.cache.lock_attempts();
            attempts.running = false;
            attempts.last_succeeded = self.succeeded;
        }
        self.cache.ended.send_replace(());
    }
}

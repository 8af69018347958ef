//! The signing keys: which one signs, which ones verify, and how one follows another without a token being refused.
//!
//! A key is published first (*next*), signs once every cache of the key set has it (*active*), verifies until its last
//! token has run out (*retiring*), and is then out of use (*retired*). The database knows where each stands; this keeps
//! the present picture in memory and renews it by the minute, or when a key's time comes.

mod file;
mod ring;

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use jiff::Timestamp;
use novelfoundry_core::Clock;
use novelfoundry_database::{
    IssuerDb,
    issuer::{self as queries, KeyState, SigningKey},
};

use super::{IssuerError, IssuerOptions, KeyFileError, options::KEYS_MAX_AGE};
use file::{KeyFiles, PrivateKey};
pub(super) use ring::Ring;

/// How often the picture is taken anew when others change the keys meanwhile.
const ATTEMPTS: u32 = 5;
/// How long a request waits for a new picture.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long the old picture is kept when a new one cannot be had.
const RETRY: Duration = Duration::from_secs(5);

/// The keys of one issuer.
pub(super) struct Keyring {
    store: Store,
    overlap: Duration,
    ring: RwLock<Arc<Ring>>,
    renewing: tokio::sync::Mutex<()>,
}

impl Keyring {
    pub(super) async fn open(options: &IssuerOptions, db: IssuerDb) -> Result<Self, IssuerError> {
        let directory = options.keys_dir.clone();
        let files = blocking(move || KeyFiles::open(&directory)).await?;
        let clock = Arc::clone(&options.clock);
        let store = Store { files, db, clock, verifiable: options.verifiable() };
        let ring = Box::pin(store.take_picture(None)).await?;
        Ok(Self {
            store,
            overlap: options.key_overlap,
            ring: RwLock::new(Arc::new(ring)),
            renewing: tokio::sync::Mutex::new(()),
        })
    }

    /// Returns the keys as they stand. Where they cannot be renewed, the ones in memory serve on.
    pub(super) async fn current(&self) -> Arc<Ring> {
        let clock = &self.store.clock;
        let held = self.held();
        if held.is_fresh(clock.now()) {
            return held;
        }
        // One request renews; the others do not wait for a database that may not answer.
        let Ok(_renewing) = self.renewing.try_lock() else { return held };
        let picture = Box::pin(self.store.take_picture(Some(&held)));
        let ring = match tokio::time::timeout(PATIENCE, picture).await {
            Ok(Ok(ring)) => ring,
            Ok(Err(error)) => {
                let cause: &dyn std::error::Error = &error;
                tracing::warn!(
                    error = cause,
                    "the signing keys cannot be read again; those in memory serve on"
                );
                held.kept_for(clock.now(), RETRY)
            }
            Err(_) => {
                tracing::warn!("the signing keys are not read again in time; those in memory serve on");
                held.kept_for(clock.now(), RETRY)
            }
        };
        self.hold(ring)
    }

    /// Publishes the next key if the one that signs is at least that old; false otherwise, and while one is published
    /// already.
    pub(super) async fn rotate(&self, min_age: Duration) -> Result<bool, IssuerError> {
        let Store { db, clock, .. } = &self.store;
        let _renewing = self.renewing.lock().await;
        let held = self.hold(Box::pin(self.store.take_picture(Some(&self.held()))).await?);
        if held.has_next() || !held.is_aged(clock.now(), min_age) {
            return Ok(false);
        }
        let key = self.store.generate().await?;
        let (kid, now) = (key.kid, clock.now());
        let activates_at = later(now, self.overlap);
        let inserted = queries::insert_next_key(db, kid.clone(), key.public_jwk, now, activates_at).await?;
        if inserted {
            tracing::info!(kid, "the next signing key is published");
        } else {
            self.store.remove(kid).await;
        }
        self.hold(Box::pin(self.store.take_picture(Some(&held))).await?);
        Ok(inserted)
    }

    fn held(&self) -> Arc<Ring> {
        Arc::clone(&self.ring.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn hold(&self, ring: Ring) -> Arc<Ring> {
        let ring = Arc::new(ring);
        *self.ring.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&ring);
        ring
    }
}

/// Where the keys are: the public halves in the database, the private ones in files.
struct Store {
    files: KeyFiles,
    db: IssuerDb,
    clock: Arc<dyn Clock>,
    verifiable: Duration,
}

impl Store {
    /// Moves on the keys whose time has come, and takes a new picture.
    async fn take_picture(&self, held: Option<&Ring>) -> Result<Ring, IssuerError> {
        for _ in 0..ATTEMPTS {
            let now = self.clock.now();
            queries::advance_signing_keys(&self.db, now, self.verifiable).await?;
            let keys = queries::signing_keys(&self.db).await?;
            if let Some(ring) = self.picture(held, &keys, now).await? {
                return Ok(ring);
            }
        }
        Err(IssuerError::Contended)
    }

    /// Puts the keys of the database and the files together; `None` after a lost key was replaced.
    async fn picture(
        &self,
        held: Option<&Ring>,
        keys: &[SigningKey],
        now: Timestamp,
    ) -> Result<Option<Ring>, IssuerError> {
        let mut signing = None;
        for key in keys {
            if matches!(key.state, KeyState::Retiring | KeyState::Retired) {
                self.remove(key.kid.clone()).await;
                continue;
            }
            let Some(private) = self.private(held, &key.kid).await? else {
                tracing::warn!(kid = key.kid, state = ?key.state, "the private half of a signing key is lost");
                self.replace(Some(key), now).await?;
                return Ok(None);
            };
            if key.state == KeyState::Active {
                signing = Some((private, key.created_at));
            }
        }
        let Some(signing) = signing else {
            self.replace(None, now).await?;
            return Ok(None);
        };
        Ok(Some(Ring::new(signing, keys, now, KEYS_MAX_AGE)))
    }

    async fn replace(&self, lost: Option<&SigningKey>, now: Timestamp) -> Result<(), IssuerError> {
        let lost_kid = lost.map(|key| key.kid.clone());
        let fresh = match lost.map(|key| key.state) {
            Some(KeyState::Next) => None,
            _ => Some(self.generate().await?),
        };
        let kid = fresh.as_ref().map(|key| key.kid.clone());
        let fresh = fresh.map(|key| (key.kid, key.public_jwk));
        let signs = queries::replace_signing_key(&self.db, lost_kid, fresh, now, self.verifiable).await?;
        match kid {
            Some(kid) if signs => tracing::info!(kid, "a new signing key is in use"),
            Some(kid) => self.remove(kid).await,
            None => {}
        }
        Ok(())
    }

    async fn private(&self, held: Option<&Ring>, kid: &str) -> Result<Option<PrivateKey>, KeyFileError> {
        if let Some(key) = held.and_then(|held| held.signing_key(kid)) {
            return Ok(Some(key.clone()));
        }
        let (files, kid) = (self.files.clone(), kid.to_owned());
        blocking(move || files.read(&kid)).await
    }

    async fn generate(&self) -> Result<PrivateKey, KeyFileError> {
        let files = self.files.clone();
        blocking(move || files.generate()).await
    }

    /// A key that stays behind signs nothing; the next picture tries again.
    async fn remove(&self, kid: String) {
        let files = self.files.clone();
        if let Err(error) = blocking(move || files.remove(&kid)).await {
            let cause: &dyn std::error::Error = &error;
            tracing::warn!(error = cause, "a private key that is out of use cannot be removed");
        }
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, KeyFileError> + Send + 'static,
) -> Result<T, KeyFileError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| KeyFileError::Generate)?
}

pub(super) fn later(now: Timestamp, duration: Duration) -> Timestamp {
    now.checked_add(duration).unwrap_or(Timestamp::MAX)
}

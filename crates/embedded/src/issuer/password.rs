//! Passwords: hashed by Argon2id, away from the threads that answer requests and few at a time, because each takes
//! 19 MiB and a core.

use std::sync::Arc;

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use novelfoundry_core::{Secret, random_token};
use tokio::sync::{Semaphore, TryAcquireError};

use super::{AccountError, IssuerError};

const MIN_CHARACTERS: usize = 8;
/// Argon2 has no limit of its own; nobody remembers more.
pub(super) const MAX_BYTES: usize = 1024;
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;
const CONCURRENT: usize = 2;
/// About a second's worth of work on a slow machine.
const WAITING: usize = 32;

/// Says whether a new password is acceptable.
pub(super) fn check(password: &str) -> Result<(), AccountError> {
    let fits = password.chars().count() >= MIN_CHARACTERS && password.len() <= MAX_BYTES;
    fits.then_some(()).ok_or(AccountError::Password)
}

/// Why a password was not hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HashError {
    /// Too many wait already.
    Busy,
    /// The algorithm failed.
    Failed,
}

impl From<HashError> for AccountError {
    fn from(error: HashError) -> Self {
        match error {
            HashError::Busy => Self::Busy,
            HashError::Failed => Self::Hashing,
        }
    }
}

/// Hashes and verifies.
pub(super) struct Hasher {
    running: Arc<Semaphore>,
    admitted: Semaphore,
    /// Of a password nobody knows: what is verified where there is no account.
    decoy: Secret,
}

impl Hasher {
    pub(super) async fn new() -> Result<Self, IssuerError> {
        let mut hasher = Self {
            running: Arc::new(Semaphore::new(CONCURRENT)),
            admitted: Semaphore::new(CONCURRENT + WAITING),
            decoy: Secret::new(String::new()),
        };
        let unknown = random_token(32).expose().to_owned();
        hasher.decoy = hasher.hash(unknown).await.map_err(|_| IssuerError::Hashing)?;
        Ok(hasher)
    }

    /// Hashes a password into PHC form, under a new salt.
    pub(super) async fn hash(&self, password: String) -> Result<Secret, HashError> {
        self.run(move || {
            let hash: PasswordHash =
                argon2()?.hash_password(password.as_bytes()).map_err(|_| HashError::Failed)?;
            Ok(Secret::new(hash.to_string()))
        })
        .await
    }

    /// Tells whether a password is the hash's; without a hash the answer is no, after the same work.
    pub(super) async fn verify(&self, password: String, hash: Option<&Secret>) -> Result<bool, HashError> {
        let known = hash.is_some();
        let hash = hash.unwrap_or(&self.decoy).clone();
        self.run(move || {
            let hash = PasswordHash::new(hash.expose()).map_err(|_| HashError::Failed)?;
            Ok(argon2()?.verify_password(password.as_bytes(), &hash).is_ok() && known)
        })
        .await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, HashError> + Send + 'static,
    ) -> Result<T, HashError> {
        let _admitted = self.admitted.try_acquire().map_err(|error| match error {
            TryAcquireError::NoPermits => HashError::Busy,
            TryAcquireError::Closed => HashError::Failed,
        })?;
        let running = Arc::clone(&self.running).acquire_owned().await.map_err(|_| HashError::Failed)?;
        // The permit goes along: a caller who leaves does not end the work, nor make room for more.
        tokio::task::spawn_blocking(move || {
            let _running = running;
            work()
        })
        .await
        .map_err(|_| HashError::Failed)?
    }
}

fn argon2() -> Result<Argon2<'static>, HashError> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|_| HashError::Failed)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_right_password_is_right() {
        let hasher = Hasher::new().await.unwrap();
        let hash = hasher.hash("naïve passphrase".to_owned()).await.unwrap();
        assert!(hash.expose().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", hash.expose());
        assert_ne!(hash, hasher.hash("naïve passphrase".to_owned()).await.unwrap());
        assert_eq!(hasher.verify("naïve passphrase".to_owned(), Some(&hash)).await, Ok(true));
        assert_eq!(hasher.verify("naive passphrase".to_owned(), Some(&hash)).await, Ok(false));
        assert_eq!(hasher.verify("naïve passphrase".to_owned(), None).await, Ok(false));
    }

    #[tokio::test]
    async fn a_flood_is_turned_away_and_leaves_nothing_behind() {
        let hasher = Hasher::new().await.unwrap();
        let flood = (0..200).map(|_| hasher.verify("x".repeat(8), None));
        let answers = futures_util::future::join_all(flood).await;
        let done = answers.iter().filter(|answer| answer.is_ok()).count();
        assert_eq!(done, CONCURRENT + WAITING);
        assert!(answers.iter().all(|answer| matches!(answer, Ok(false) | Err(HashError::Busy))));
        assert_eq!(hasher.verify("x".repeat(8), None).await, Ok(false));
    }

    #[test]
    fn length_is_counted_in_characters_below_and_in_bytes_above() {
        assert!(check("1234567").is_err());
        assert!(check("ääääääää").is_ok());
        assert!(check(&"a".repeat(MAX_BYTES)).is_ok());
        assert!(check(&"a".repeat(MAX_BYTES + 1)).is_err());
    }
}

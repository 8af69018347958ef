//! A picture of the keys at one moment.

use std::{collections::HashMap, time::Duration};

use bytes::Bytes;
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey, Header, jwk::Jwk};
use novelfoundry_database::issuer::{KeyState, SigningKey};
use serde::Serialize;
use serde_json::json;

use super::{file::PrivateKey, later};

/// The keys as they stood when they were last read.
#[derive(Clone)]
pub(in super::super) struct Ring {
    signing: PrivateKey,
    verifying: HashMap<String, DecodingKey>,
    made_at: Timestamp,
    has_next: bool,
    key_set: Bytes,
    taken_at: Timestamp,
    stale_at: Timestamp,
}

impl Ring {
    pub(super) fn new(
        (signing, made_at): (PrivateKey, Timestamp),
        keys: &[SigningKey],
        now: Timestamp,
        max_age: Duration,
    ) -> Self {
        let published: Vec<_> = keys.iter().filter(|key| key.state != KeyState::Retired).collect();
        let verifying = published
            .iter()
            .filter_map(|key| {
                let jwk: Jwk = serde_json::from_value(key.public_jwk.clone()).ok()?;
                Some((key.kid.clone(), DecodingKey::from_jwk(&jwk).ok()?))
            })
            .collect();
        let key_set = json!({"keys": published.iter().map(|key| &key.public_jwk).collect::<Vec<_>>()});
        let stale_at =
            published.iter().filter_map(|key| key.changes_at).fold(later(now, max_age), std::cmp::min);
        Self {
            signing,
            made_at,
            verifying,
            has_next: published.iter().any(|key| key.state == KeyState::Next),
            key_set: key_set.to_string().into(),
            taken_at: now,
            stale_at,
        }
    }

    /// The same picture, to be trusted a little longer.
    pub(super) fn kept_for(&self, now: Timestamp, duration: Duration) -> Self {
        Self { taken_at: now, stale_at: later(now, duration), ..self.clone() }
    }

    /// A clock that stepped back makes every picture stale: nobody knows how old it is.
    pub(super) fn is_fresh(&self, now: Timestamp) -> bool {
        (self.taken_at..self.stale_at).contains(&now)
    }

    pub(super) fn has_next(&self) -> bool {
        self.has_next
    }

    /// Tells whether the key that signs was made `age` ago or earlier. One of a future date was, so that a clock that
    /// was wrong once keeps no key for ever.
    pub(super) fn is_aged(&self, now: Timestamp, age: Duration) -> bool {
        self.made_at > now || later(self.made_at, age) <= now
    }

    pub(super) fn signing_key(&self, kid: &str) -> Option<&PrivateKey> {
        (self.signing.kid == kid).then_some(&self.signing)
    }

    /// Returns the JWKS document.
    pub(in super::super) fn key_set(&self) -> Bytes {
        self.key_set.clone()
    }

    /// Returns the key that verifies a token.
    pub(in super::super) fn verifying_key(&self, kid: &str) -> Option<&DecodingKey> {
        self.verifying.get(kid)
    }

    /// Signs claims into a token.
    pub(in super::super) fn sign<T: Serialize>(
        &self,
        claims: &T,
    ) -> Result<String, jsonwebtoken::errors::Error> {
        let header = Header { kid: Some(self.signing.kid.clone()), ..Header::new(Algorithm::ES256) };
        jsonwebtoken::encode(&header, claims, &self.signing.signing)
    }
}

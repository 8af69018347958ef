//! Remembers which signatures were found right: a client sends one token a thousand times, and checking ES256 costs
//! more than everything else a read does. What is remembered is the signature alone, under one key; the claims are
//! checked at every use, against the clock.

use std::{
    collections::HashSet,
    sync::{PoisonError, RwLock},
};

use aws_lc_rs::digest::{SHA256, digest};
use jsonwebtoken::{Algorithm, DecodingKey};

/// Signatures remembered for one key; past that the memory starts anew.
const MOST: usize = 10_000;

/// The SHA-256 of tokens whose signature was right. It belongs to one key and goes with it.
#[derive(Default)]
pub(crate) struct Signatures(RwLock<HashSet<[u8; 32]>>);

impl Signatures {
    /// Tells whether `signature` is the key's over `message`, the two being a token.
    pub(crate) fn are_right(
        &self,
        token: &str,
        message: &str,
        signature: &str,
        key: &DecodingKey,
        algorithm: Algorithm,
    ) -> bool {
        let mut name = [0; 32];
        name.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
        if self.0.read().unwrap_or_else(PoisonError::into_inner).contains(&name) {
            return true;
        }
        let right =
            jsonwebtoken::crypto::verify(signature, message.as_bytes(), key, algorithm).unwrap_or(false);
        if right {
            let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
            if known.len() >= MOST {
                known.clear();
            }
            known.insert(name);
        }
        right
    }
}

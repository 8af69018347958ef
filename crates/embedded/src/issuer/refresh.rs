//! Refresh tokens: 256 random bits, kept by the database as their SHA-256 only.
//!
//! A successor is made out of its parent and a random salt, and only the salt is stored. So a client that repeats the
//! parent (a second tab, a lost answer) can be given the very same successor, the chain stays one chain, and a token that
//! turns up twice later is theft; yet the database alone gives no token.

use novelfoundry_core::{Secret, random_token};
use novelfoundry_database::issuer::Successor;
use sha2::{Digest, Sha256};

const BYTES: usize = 32;
const DOMAIN: &[u8] = b"novelfoundry refresh token\0";

/// A refresh token.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct RefreshToken([u8; BYTES]);

impl RefreshToken {
    /// Makes the first token of a session.
    pub(super) fn random() -> Self {
        Self(random_bytes())
    }

    /// Reads what a client sent; `None` for what never was a token.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; BYTES];
        hex::decode_to_slice(text, &mut bytes).ok()?;
        Some(Self(bytes))
    }

    /// Returns what the client is given.
    pub(super) fn to_text(&self) -> Secret {
        Secret::new(hex::encode(self.0))
    }

    /// Returns what the database knows it by.
    pub(super) fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.0).into()
    }

    /// Proposes a successor under a new salt.
    pub(super) fn propose(&self) -> Successor {
        let salt = random_bytes();
        Successor { hash: self.follow(&salt).hash(), salt }
    }

    /// Returns the successor under a salt.
    pub(super) fn follow(&self, salt: &[u8; 32]) -> Self {
        let digest = Sha256::new().chain_update(DOMAIN).chain_update(self.0).chain_update(salt).finalize();
        Self(digest.into())
    }
}

fn random_bytes() -> [u8; BYTES] {
    Sha256::digest(random_token(BYTES).expose()).into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_token_survives_being_written_and_read(bytes in any::<[u8; 32]>()) {
            let token = RefreshToken(bytes);
            prop_assert!(RefreshToken::parse(token.to_text().expose()) == Some(token));
        }

        #[test]
        fn a_successor_needs_both_parent_and_salt(
            parent in any::<[u8; 32]>(), other in any::<[u8; 32]>(), salt in any::<[u8; 32]>()
        ) {
            prop_assume!(parent != other);
            let successor = RefreshToken(parent).follow(&salt);
            prop_assert!(successor == RefreshToken(parent).follow(&salt));
            prop_assert!(successor != RefreshToken(other).follow(&salt));
            prop_assert!(successor != RefreshToken(parent).follow(&other));
            prop_assert!(successor.0 != RefreshToken(parent).hash());
        }

        #[test]
        fn other_texts_are_no_tokens(text in "[0-9a-z]{0,63}|[0-9a-f]{65,70}|.*-.*") {
            prop_assert!(RefreshToken::parse(&text).is_none());
        }
    }

    #[test]
    fn tokens_and_proposals_differ_every_time() {
        let token = RefreshToken::random();
        assert!(token != RefreshToken::random());
        let (one, other) = (token.propose(), token.propose());
        assert_ne!(one.salt, other.salt);
        assert_eq!(one.hash, token.follow(&one.salt).hash());
    }
}

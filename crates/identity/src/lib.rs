//! Turns a bearer token into claims that can be trusted, because everything a tenant may do follows from them.
//! [`VerifiedClaims`] can be made in no other way than by [`Verifier::verify`]: who holds one holds the proof.

mod cache;
mod claims;
mod error;
mod jwks;
mod signature;
mod strict;
mod verifier;

pub use claims::VerifiedClaims;
pub use error::{ConfigError, VerifyError};
pub use jwks::usable_keys;
pub use verifier::{Verifier, VerifierOptions};

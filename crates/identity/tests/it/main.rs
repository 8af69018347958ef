//! The verifier against real tokens and a real key set served over loopback HTTP.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails the test")]

mod issuer;
mod keys;
mod tokens;

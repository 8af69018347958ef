//! The embedded issuer over real HTTP and a real database, read by the verifier that the API uses and by the npm client
//! that browsers use.

// Tells clippy, too, that all of this is a test.
#![cfg(test)]

mod accounts;
mod changes;
mod client;
mod faults;
mod fixture;
mod guards;
mod keys;
mod recovery;
mod refresh;
mod sign_out;

//! Reads whole files, as a worker does: real novels, what their writers' programs make of them, and hostile ones.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a helper of a test fails as the test itself does")]

mod expected;
mod properties;
mod samples;

//! The history test: many clients of several workspaces at once, random operations, and faults amid them; afterwards
//! every answer, row and object is judged by a model of what may be. One workspace's data in another's hands, an
//! acknowledged write that is lost and an effect that happens twice are rare events: they are looked for by the ten
//! thousand, from a seed that brings each back.
//!
//! `plan` makes the operations, `client` carries them out, `model` and `check` judge, `shrink` makes a failure small.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot be set up fails by panicking"
)]

mod check;
mod client;
mod faults;
mod history;
mod marker;
mod model;
mod observe;
mod plan;
mod random;
mod run;
mod shrink;
mod snapshot;
mod survey;
mod system;
mod world;

use std::time::Duration;

use tokio::time::Instant;

pub use run::{Options, Report, run, shorten};

/// The longest that anything may take to come about, on a machine that does other things too.
const PATIENCE: Duration = Duration::from_mins(3);

/// Polls until something has come about.
async fn eventually<T>(what: &str, mut poll: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = poll().await {
            return found;
        }
        assert!(Instant::now() < deadline, "{what} within {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn sha256(bytes: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    hex::encode(Sha256::digest(bytes))
}

//! Signed URLs against a second computation of their signature, and calls against a server that misbehaves.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails the test")]

mod calls;
mod server;
mod signing;
mod sigv4;

use std::sync::Arc;

use jiff::Timestamp;
use novelfoundry_core::{ManualClock, Secret};
use novelfoundry_objects::{FileType, ObjectKey, StoreOptions};

const ACCESS_KEY_ID: &str = "AKIDEXAMPLE";
const SECRET: &str = "an/example+secret";
const REGION: &str = "eu-central-1";
const ID: &str = "0190b3f8-1c2d-7a3b-8c4d-5e6f70819293";

fn key() -> ObjectKey {
    let (tenant, user, project) = (ID.parse().unwrap(), ID.parse().unwrap(), ID.parse().unwrap());
    ObjectKey::new(tenant, user, project, FileType::Manuscript, ID.parse().unwrap(), "My Novel.docx")
}

/// Holds the clock at 2026-09-21T14:13:20Z.
fn options(endpoint: &str) -> (StoreOptions, ManualClock) {
    let clock = ManualClock::new(Timestamp::from_second(1_790_000_000).unwrap());
    let options = StoreOptions {
        endpoint: endpoint.parse().unwrap(),
        public_url: None,
        region: REGION.into(),
        bucket: "manuscripts".into(),
        access_key_id: ACCESS_KEY_ID.into(),
        secret_access_key: Secret::new(SECRET),
        clock: Arc::new(clock.clone()),
    };
    (options, clock)
}

//! Tests of the API over HTTP, on a real database, a real S3 endpoint and a real worker.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod app;
mod bad_input;
mod cut_short;
mod deleting;
mod deletions;
mod documents;
mod foreign;
mod hostile_bodies;
mod invitations;
mod journey;
mod kept;
mod lists;
mod lost_rows;
mod matrix;
mod members;
mod metrics;
mod repeats;
mod stalls;
mod things;
mod tokens;
mod uploads;
mod wire;
mod workspaces;

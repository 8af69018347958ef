//! Workers on a real database and a real object store, through kills, stalls, outages and hostile files.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bed;
mod departures;
mod ends;
mod faults;
mod files;
mod gate;
mod journey;
mod metrics;
mod progress;
mod purge;
mod purge_workspace;
mod reconcile;
mod tombstones;
mod wake;

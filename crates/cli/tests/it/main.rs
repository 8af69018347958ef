//! The binary as scripts and people meet it: streams, exit codes, flags, signals, and what a crash leaves.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod config;
mod crashes;
mod deletions;
mod doctor;
mod erase;
mod full_disk;
mod lifecycle;
mod pages;
mod planes;
mod refusals;
mod restore;
mod support;
mod switch;
mod tenant;
mod tombstones;
mod user;

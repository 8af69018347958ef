//! Tests of the schema and of the tenant transaction against a real server.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod catalogue;
mod cluster;
mod isolation;
mod logins;
mod migrate;
mod reconcile;
mod retention;
mod supabase;
mod tls;
mod token_hook;
mod transaction;

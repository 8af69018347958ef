//! The embedded data plane: a supervised PostgreSQL server, an S3 endpoint over a durable store, and an issuer of
//! JWTs. One machine gets what a managed platform offers, by the same protocols, so that nothing above can tell.

pub use novelfoundry_postgres as postgres;

pub mod issuer;
pub mod store;

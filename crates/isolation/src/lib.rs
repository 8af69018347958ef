//! Proves the tenant isolation of any PostgreSQL schema: `check` reads the catalogue, `attack` acts as the app's own
//! role in a scratch copy and really tries. It shares no statement with the application: the judge does not trust the
//! accused.

pub mod catalog;
pub mod check;
pub mod config;
pub mod finding;
pub mod report;
pub mod rules;
pub mod session;

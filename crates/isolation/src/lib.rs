//! Proves the tenant isolation of any PostgreSQL schema: `check` reads the catalogue, `attack` acts as the app's own
//! role in a scratch copy and really tries. It shares no statement with the application: the judge does not trust the
//! accused.

pub mod attack;
pub mod catalog;
pub mod check;
pub mod cli;
pub mod commands;
pub mod config;
pub mod copy;
pub mod finding;
pub mod infer;
pub mod output;
pub mod report;
pub mod rules;
pub mod scratch;
pub mod session;

//! The judge of isolation against a real PostgreSQL.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod case;
mod check;
mod command;
mod corpus;
mod in_place;
mod load;
mod mutants;
mod repair;
mod unseen;

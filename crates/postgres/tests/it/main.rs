//! Tests of the supervisor against real servers, because what it guards against are real processes and files.

mod crashes;
#[cfg(test)] // by which clippy knows that a helper belongs to tests
mod helper;
mod lifecycle;
mod refusals;
#[cfg(test)]
mod support;

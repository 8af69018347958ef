//! Tests of the embedded data plane against real processes, files and sockets.

mod issuer;
mod store;

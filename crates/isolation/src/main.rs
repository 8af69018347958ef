//! The lean binary: what a team with a schema of its own needs, without server, store or web.

fn main() {}

//! The signed-in person.

pub(crate) mod get;

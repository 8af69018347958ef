//! The signed-in person.

pub(crate) mod delete;
pub(crate) mod get;

//! Workspaces.

pub(crate) mod activate;
pub(crate) mod create;
pub(crate) mod delete;
